"""Deaths in armed conflict (UCDP), every territory and year 1990–2023."""
from pathlib import Path

import pandas as pd

from .netcdf_io import read_series
from .omissions import Omissions


def read_conflict(path: Path, *, omitted: Omissions | None = None) -> pd.DataFrame:
    """Table ``territory_year`` with ``conflict_deaths``, persons; UCDP's best estimates, status ``estimated``.

    Raises
    ------
    SourceFileError, UnknownTerritoryError, NegativeCountError
    """
    return read_series(path, "conflict", {"Conflict deaths": "conflict_deaths"}, first_year=1990, status="estimated",
                       omitted=omitted)
