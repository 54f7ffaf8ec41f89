"""OECD International Migration Database: inflows and outflows of foreigners by nationality, 35 reporters, 2000–2016.

A nationality is not a previous residence: the partner is put where a residence would stand (origin of inflows,
destination of outflows) and ``criterion`` says citizenship. Nationals of the reporter are not among the foreigners.
The numbers of the USA are by country of birth, whatever the file calls them: they are those of UN DESA's IMFSC sheet by
place of birth. The file also holds stocks, asylum seekers and naturalisations, which are not read.

Much of this is IMFSC again (three fifths of the cells above 50 that both have by citizenship are the same number): the
two are not independent witnesses.
"""
from pathlib import Path

import pandas as pd

from ..errors import DuplicateKeyError, NegativeCountError, SchemaError
from ..schema import validate
from ..territories import check_codes
from .cells import numbers, whole_numbers
from .names import precedes_partner
from .rdata_io import read_frame

SOURCE = "oecd"
OBJECT = "data_oecd"
COLUMNS = ["CO2", "VAR", "GEN", "COU", "YEA", "Value"]
SIDES = {"B11": "immigration", "B12": "emigration"}
OUTSIDE = frozenset({
    "TOT", "NS", "UUU", "YYY",       # total, not stated, unknown, stateless
    "CSK", "SCG", "SUN", "YUCS",     # Czechoslovakia, Serbia and Montenegro, Soviet Union, Yugoslavia
})
BY_BIRTHPLACE = frozenset({"USA"})
# The Netherlands' outflows are net of people removed from and put back on the registers, which makes 20 small corridors
# negative (-1 to -18): no count of emigrants, so unreported here.
NET_OF_CORRECTIONS = frozenset({("NLD", "emigration")})


def read_oecd(path: Path) -> pd.DataFrame:
    """Inflows and outflows of foreigners by nationality, both sexes.

    Parameters
    ----------
    path : ``Backup.RData``.

    Returns
    -------
    DataFrame
        Table ``flow``: criterion citizenship (birthplace for the USA), flow_type movement.

    Raises
    ------
    SourceFileError, SchemaError, UnknownTerritoryError, NegativeCountError, DuplicateKeyError
        Naming the file and the row.
    """
    return tidy(read_frame(path, OBJECT, COLUMNS, encoding="latin1"), file=path)


def tidy(frame: pd.DataFrame, *, file) -> pd.DataFrame:
    """Table ``flow`` from the frame of the file; see `read_oecd`.

    A corridor-year that stands twice with the same number is taken once; with two numbers it is refused.
    """
    frame = frame[frame["VAR"].isin(SIDES)]
    sexes = frame["GEN"] != "TOT"
    if sexes.any():
        raise SchemaError(file, f"sex {frame.loc[sexes.idxmax(), 'GEN']!r} beside the total would be counted twice",
                          "keep the rows GEN == 'TOT'", key=f"row {sexes.idxmax()}")
    frame = pd.DataFrame({
        "reporter": frame["COU"].astype(str), "partner": frame["CO2"].astype(str), "side": frame["VAR"].map(SIDES),
        "year": whole_numbers(frame["YEA"], file=file), "persons": numbers(frame["Value"], file=file)})
    check_codes(frame["reporter"], file=file)
    known = check_codes(frame["partner"], file=file, outside=OUTSIDE)
    frame = frame[known & frame["persons"].notna() & (frame["partner"] != frame["reporter"])]
    frame = frame[~precedes_partner(frame["partner"], frame["year"], frame["persons"])]
    negative = frame["persons"] < 0
    corrected = pd.Series(list(zip(frame["reporter"], frame["side"])), index=frame.index).isin(NET_OF_CORRECTIONS)
    if (negative & ~corrected).any():
        bad = (negative & ~corrected).idxmax()
        raise NegativeCountError(file, f"negative count {frame.at[bad, 'persons']:.0f}",
                                 "mend the row or list it in data/corrections.csv", key=f"row {bad}")
    frame = _once(frame[~negative], file)
    arrives = frame["side"] == "immigration"
    return validate(pd.DataFrame({
        "source": SOURCE, "reporter": frame["reporter"], "side": frame["side"],
        "criterion": frame["reporter"].isin(BY_BIRTHPLACE).map({True: "birthplace", False: "citizenship"}),
        "flow_type": "movement", "year": frame["year"], "origin": frame["partner"].where(arrives, frame["reporter"]),
        "destination": frame["reporter"].where(arrives, frame["partner"]), "persons": frame["persons"]}),
        "flow", file=file)


def _once(frame: pd.DataFrame, file) -> pd.DataFrame:
    frame = frame.drop_duplicates()
    twice = frame.duplicated(["reporter", "partner", "side", "year"])
    if twice.any():
        row = frame.loc[twice.idxmax()]
        raise DuplicateKeyError(file, f"two numbers for {row['partner']} in {row['reporter']}, {row['side']} "
                                f"{row['year']}", "keep one of the rows", key=f"row {row.name}")
    return frame
