"""The 231 territories: codes, names, regions; and the door at which every code is checked."""
from difflib import get_close_matches
from functools import cache

import pandas as pd

from . import paths
from .errors import UnknownTerritoryError
from .plain_files import read_table

REGIONS = (
    "Europe", "Northern America", "Latin America and the Caribbean", "Northern Africa", "Sub-Saharan Africa",
    "Western Asia", "Central Asia", "Southern Asia", "South-Eastern Asia", "Eastern Asia", "Oceania",
)


@cache
def _table() -> pd.DataFrame:
    # Alpha-2 codes stand in the file in lower case, so that "NA", Namibia's, is missing for no reader of CSV files.
    table = read_table(paths.TERRITORIES, ["iso3", "iso2", "m49", "name", "region"], numbers={"m49": int})
    return table.assign(iso2=table["iso2"].str.upper()).set_index("iso3").sort_index()


def territories() -> pd.DataFrame:
    """All territories, one row each: index ``iso3`` (sorted), columns ``iso2, m49, name, region``."""
    return _table().copy()


def codes() -> tuple[str, ...]:
    """ISO 3166-1 alpha-3 codes in the order of every array of the project."""
    return tuple(_table().index)


def name(code: str) -> str:
    """English short name of a territory.

    Raises
    ------
    UnknownTerritoryError
        For a code that is not one of the 231.
    """
    check_codes(pd.Series([code]), file="territory")
    return _table().at[code, "name"]


def region_of() -> pd.Series:
    """Region of each territory, indexed by ``iso3``."""
    return _table()["region"].copy()


def from_iso2() -> dict[str, str]:
    """Alpha-2 to alpha-3."""
    return {v: k for k, v in _table()["iso2"].items()}


def from_m49() -> dict[int, str]:
    """UN M49 number to alpha-3."""
    return {int(v): k for k, v in _table()["m49"].items()}


def check_codes(values: pd.Series, *, file, outside: frozenset[str] | set[str] = frozenset()) -> pd.Series:
    """Tell which values are territories, refusing any that is neither a territory nor declared ``outside``.

    Parameters
    ----------
    values : Series of str, alpha-3 codes.
    file : what to name in the error.
    outside : codes known to occur in the file that are not among the 231 (aggregates, unknown, Holy See …).

    Returns
    -------
    Series of bool, True for territories.

    Raises
    ------
    UnknownTerritoryError
        With the row of the first unknown code and the nearest known ones.
    """
    known = values.isin(_table().index)
    bad = ~known & ~values.isin(outside)
    if bad.any():
        row, value = bad.idxmax(), values[bad].iloc[0]
        near = get_close_matches(str(value).upper(), codes(), n=2, cutoff=0.3)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        raise UnknownTerritoryError(
            file, f"unknown territory code {value!r}",
            hint + "Use an ISO 3166-1 alpha-3 code of data/territories.csv, or declare it outside in the reader",
            key=f"row {row}")
    return known
