"""Membership of the European Union, every territory and year 1990–2024."""
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import SourceFileError
from .netcdf_io import read_series
from .omissions import Omissions

LAST_YEAR = 2023  # of the file; no state joined or left in 2024


def read_eu(path: Path, *, omitted: Omissions | None = None) -> pd.DataFrame:
    """Table ``territory_year`` with ``eu_member``, 1 or 0; 2024 carried forward and flagged so.

    Raises
    ------
    SourceFileError
        Also for a value that is neither 0 nor 1.
    """
    frame = read_series(path, "eu", {"EU": "eu_member"}, first_year=1990, status="reported", omitted=omitted)
    odd = ~frame["value"].isin([0.0, 1.0])
    if odd.any():
        raise SourceFileError(path, f"membership is {frame.loc[odd.idxmax(), 'value']}", "fetch the file again",
                              key=f"row {odd.idxmax()}")
    last = frame[frame["year"] == LAST_YEAR]
    next_year = last.assign(year=np.int64(LAST_YEAR + 1), status="carried_forward")
    return pd.concat([frame, next_year], ignore_index=True)
