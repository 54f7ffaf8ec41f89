"""Net migration as national statistical offices publish it, 30 territories."""
from pathlib import Path

import pandas as pd

from .netcdf_io import read_series
from .omissions import Omissions


def read_national_net_migration(path: Path, *, omitted: Omissions | None = None) -> pd.DataFrame:
    """Table ``territory_year`` with ``net_migration_national``, persons, signed; years that are published, from 1985.

    Raises
    ------
    SourceFileError, UnknownTerritoryError
    """
    return read_series(path, "national_net_migration", {"Net migration": "net_migration_national"}, first_year=1985,
                       status="reported", omitted=omitted)
