"""Varieties of Democracy: how free elections and how protected liberties are, by territory and year."""
from pathlib import Path

import pandas as pd

from ..errors import SourceFileError
from ..schema import validate
from ..territories import check_codes
from .cells import numbers, whole_numbers
from .omissions import ANOTHER_YEAR, NO_NUMBER, Omissions
from .omissions import OUTSIDE as OUTSIDE_TERRITORIES
from .rdata_io import read_frame

FIRST_YEAR = 1985  # five years before the first flow, as for the gross domestic product
# The file holds V-Dem's seven indices of democracy and none of repression alone. Liberal democracy comes nearest: it
# adds personal liberties (freedom from torture and political killing, freedom to move and to leave) and courts.
VARIABLES = {"v2x_polyarchy": "democracy", "v2x_libdem": "liberal_democracy"}
# East Germany, South Yemen, Gaza (PSE is the West Bank), Kosovo, Somaliland, Zanzibar.
OUTSIDE = frozenset({"DDR", "YMD", "PSG", "XKX", "SML", "ZZB"})
PART_OF_A_STATE = "part of today's territory, beside another state"
# Years in which a row named after one of today's territories speaks of a part of it, beside another state: unknown.
DIVIDED = {"DEU": 1989, "YEM": 1989}
# Before its own row begins, a territory is given the value of the state that governed it: territory → (the row of
# that state, last year). V-Dem writes the Soviet Union as RUS, Yugoslavia as SRB, Czechoslovakia as CZE.
GOVERNED_BY = {
    **dict.fromkeys(("ARM", "AZE", "BLR", "EST", "GEO", "KAZ", "KGZ", "LTU", "LVA", "MDA", "TJK", "UKR", "UZB"),
                    ("RUS", 1989)),
    "TKM": ("RUS", 1990),
    "SVN": ("SRB", 1988), "HRV": ("SRB", 1990), "MKD": ("SRB", 1990), "BIH": ("SRB", 1991),
    "MNE": ("SRB", 1997),   # with Serbia from 1992
    "SVK": ("CZE", 1992),
    "SSD": ("SDN", 2010),
}


def read_vdem(path: Path, *, omitted: Omissions | None = None) -> pd.DataFrame:
    """Electoral and liberal democracy by territory and year, 1985–2024.

    Parameters
    ----------
    path : ``vdem_simple.rda``, country-years of the R package democracyData.

    Returns
    -------
    Table ``territory_year``: ``democracy`` (V-Dem's electoral democracy index) and ``liberal_democracy``, both from 0
    to 1, status ``estimated``; where a territory takes the value of the state that governed it (``GOVERNED_BY``),
    ``imputed``. A value that V-Dem does not give is left out.

    Raises
    ------
    SourceFileError
        For a damaged file, a missing column, or an index outside 0–1.
    UnknownTerritoryError, DuplicateKeyError
    """
    raw = read_frame(path, "vdem_simple", ["country_text_id", "year", *VARIABLES])
    raw = raw.assign(year=whole_numbers(raw["year"], file=path), **{v: numbers(raw[v], file=path) for v in VARIABLES})
    omitted = Omissions() if omitted is None else omitted
    raw = raw.rename(columns={"country_text_id": "territory", **VARIABLES}).melt(
        ["territory", "year"], var_name="variable")
    raw = omitted.keep(raw, raw["year"] >= FIRST_YEAR, ANOTHER_YEAR, persons=None)
    raw = omitted.keep(raw, check_codes(raw["territory"], file=path, outside=OUTSIDE), OUTSIDE_TERRITORIES,
                       persons=None)
    raw = omitted.keep(raw, ~(raw["year"] <= raw["territory"].map(DIVIDED)), PART_OF_A_STATE, persons=None)
    frame = omitted.keep(raw, raw["value"].notna(), NO_NUMBER, persons=None)
    _check_range(frame, path)
    frame = frame.astype({"territory": str, "year": "int64", "value": "float64"}).assign(status="estimated")
    frame = pd.concat([frame, _of_the_governing_state(frame)], ignore_index=True)
    return validate(frame.assign(source="vdem"), "territory_year", file=path)


def _check_range(frame: pd.DataFrame, path: Path) -> None:
    bad = ~frame["value"].between(0, 1)
    if bad.any():
        row = frame.loc[bad.idxmax()]
        raise SourceFileError(path, f"{row['variable']} is {row['value']}, outside 0–1", "fetch the file again",
                              key=f"{row['territory']}, {row['year']:.0f}")


def _of_the_governing_state(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of ``GOVERNED_BY`` where the territory has no value of its own."""
    parts = [frame[(frame["territory"] == state) & (frame["year"] <= last)].assign(territory=territory)
             for territory, (state, last) in GOVERNED_BY.items()]
    taken = pd.concat(parts).assign(status="imputed")
    keys = ["territory", "year", "variable"]
    own = pd.MultiIndex.from_frame(frame[keys])
    return taken[~pd.MultiIndex.from_frame(taken[keys]).isin(own)]
