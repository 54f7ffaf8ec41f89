"""Gross domestic product at 2015 prices, its growth and per head, harmonised from the World Bank and others."""
from pathlib import Path

import pandas as pd

from .netcdf_io import read_series
from .omissions import Omissions

FIRST_YEAR = 1985  # five years before the first flow, for features that look back
_VARIABLES = {"GDP/capita (2015 USD)": "gdp_per_capita", "GDP (2015 USD)": "gdp", "GDP % annual growth": "gdp_growth"}


def read_gdp(path: Path, *, omitted: Omissions | None = None) -> pd.DataFrame:
    """Table ``territory_year`` with ``gdp_per_capita``, ``gdp`` (2015 US$) and ``gdp_growth`` (percent), 1985–2023.

    Per head and growth are complete from 1990; the total is missing for small territories. Status ``estimated``: the
    file joins several publishers and does not say which value is whose.

    Raises
    ------
    SourceFileError, UnknownTerritoryError, NegativeCountError
    """
    return read_series(path, "gdp", _VARIABLES, first_year=FIRST_YEAR, status="estimated", omitted=omitted)
