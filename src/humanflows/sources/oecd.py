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

from ..errors import SchemaError
from ..territories import check_codes
from .cells import numbers, whole_numbers
from .omissions import ANOTHER_QUANTITY, FORMER_STATE, OWN, REPEATED, Omissions
from .partners import Labels, reported_flows
from .rdata_io import read_frame

SOURCE = "oecd"
OBJECT = "data_oecd"
COLUMNS = ["CO2", "VAR", "GEN", "COU", "YEA", "Value"]
SIDES = {"B11": "immigration", "B12": "emigration"}
LABELS = Labels(
    groups={"TOT": "total", "NS": "unknown", "UUU": "unknown", "YYY": "stateless"},
    # Czechoslovakia, Serbia and Montenegro, Soviet Union, Yugoslavia
    left_out=dict.fromkeys(("CSK", "SCG", "SUN", "YUCS"), FORMER_STATE), coded=True)
NEGATIVE = "negative, net of corrections of the register"
BY_BIRTHPLACE = frozenset({"USA"})
# The Netherlands' outflows are net of people removed from and put back on the registers, which makes 20 small corridors
# negative (-1 to -18): no count of emigrants, so unreported here.
NET_OF_CORRECTIONS = frozenset({("NLD", "emigration")})


def read_oecd(path: Path, *, omitted: Omissions | None = None) -> dict[str, pd.DataFrame]:
    """Inflows and outflows of foreigners by nationality, both sexes.

    Parameters
    ----------
    path : ``Backup.RData``.

    Returns
    -------
    Tables ``flow`` (criterion citizenship, birthplace for the USA; flow_type movement) and ``margin`` (total, unknown,
    stateless).

    Raises
    ------
    SourceFileError, SchemaError, UnknownTerritoryError, NegativeCountError, DuplicateKeyError
        Naming the file and the row.
    """
    return tidy(read_frame(path, OBJECT, COLUMNS, encoding="latin1"), file=path, omitted=omitted)


def tidy(frame: pd.DataFrame, *, file, omitted: Omissions | None = None) -> dict[str, pd.DataFrame]:
    """Tables ``flow`` and ``margin`` from the frame of the file; see `read_oecd`.

    A corridor-year that stands twice with the same number is taken once; with two numbers it is refused.
    """
    omitted = Omissions() if omitted is None else omitted
    frame = omitted.keep(frame, frame["VAR"].isin(SIDES), ANOTHER_QUANTITY, persons=None, year="YEA")
    sexes = frame["GEN"] != "TOT"
    if sexes.any():
        raise SchemaError(file, f"sex {frame.loc[sexes.idxmax(), 'GEN']!r} beside the total would be counted twice",
                          "keep the rows GEN == 'TOT'", key=f"row {sexes.idxmax()}")
    frame = pd.DataFrame({
        "row": frame.index, "reporter": frame["COU"].astype(str), "label": frame["CO2"].astype(str),
        "side": frame["VAR"].map(SIDES), "year": whole_numbers(frame["YEA"], file=file),
        "persons": numbers(frame["Value"], file=file)})
    check_codes(frame["reporter"], file=file)
    frame["criterion"] = frame["reporter"].isin(BY_BIRTHPLACE).map({True: "birthplace", False: "citizenship"})
    corrected = pd.Series(list(zip(frame["reporter"], frame["side"])), index=frame.index).isin(NET_OF_CORRECTIONS)
    frame = omitted.keep(frame, ~((frame["persons"] < 0) & corrected), NEGATIVE, persons=None)
    # Nationals of the reporter are not among the foreigners: their zeros are filled cells, no counts.
    own = (frame["label"] == frame["reporter"]) & (frame["persons"] == 0)
    frame = omitted.keep(frame, ~own, OWN)
    frame = omitted.keep(frame, ~frame.duplicated(["reporter", "label", "side", "year", "persons"]), REPEATED)
    return reported_flows(frame, LABELS, source=SOURCE, file=file, omitted=omitted)
