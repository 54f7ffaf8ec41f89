"""The harmonised covariates in NetCDF 3, as tidy frames."""
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import SourceFileError
from ..schema import validate
from ..territories import check_codes
from .omissions import ANOTHER_YEAR, NO_NUMBER, SAME_TERRITORY, Omissions


def read_series(path: Path, source: str, variables: dict[str, str], *, first_year: int, status: str,
                omitted: Omissions | None = None) -> pd.DataFrame:
    """Variables on (Year, Country ISO) as table ``territory_year``; missing values are left out.

    Parameters
    ----------
    path : NetCDF 3 file.
    source : name of the source.
    variables : name in the file → name in ``schema.VARIABLES``.
    first_year : earlier years are left out.
    status : of every value.
    omitted : collects the rows that are left out; they count no persons.

    Raises
    ------
    SourceFileError, UnknownTerritoryError, NegativeCountError
    """
    omitted = Omissions() if omitted is None else omitted
    data = _open(path, [*variables, "Year", "Country ISO"])
    parts = []
    for theirs, ours in variables.items():
        rows = data[theirs].to_series().reset_index()
        rows.columns = [{"Year": "year", "Country ISO": "territory"}.get(c, "value") for c in rows.columns]
        parts.append(rows.assign(variable=ours))
    frame = pd.concat(parts, ignore_index=True)
    check_codes(frame["territory"], file=path)
    frame = omitted.keep(frame, frame["value"].notna(), NO_NUMBER, persons=None)
    frame = omitted.keep(frame, frame["year"] >= first_year, ANOTHER_YEAR, persons=None)
    frame = frame.assign(source=source, status=status)
    return validate(frame.astype({"year": "int64", "territory": str, "value": "float64"}), "territory_year", file=path)


def read_pairs(path: Path, source: str, theirs: str, ours: str, *, omitted: Omissions | None = None) -> pd.DataFrame:
    """One variable on (Origin ISO, Destination ISO) as table ``pair``; the diagonal and missing values are left out."""
    omitted = Omissions() if omitted is None else omitted
    values = _open(path, [theirs, "Origin ISO", "Destination ISO"])[theirs].transpose("Origin ISO", "Destination ISO")
    origins, destinations = (values[d].values.astype(str) for d in values.dims)
    frame = pd.DataFrame({"source": source, "variable": ours, "origin": np.repeat(origins, len(destinations)),
                          "destination": np.tile(destinations, len(origins)),
                          "value": values.values.ravel().astype("float64")})
    for column in ("origin", "destination"):
        check_codes(frame[column], file=path)
    frame = omitted.keep(frame, frame["origin"] != frame["destination"], SAME_TERRITORY, persons=None, year=None)
    return validate(omitted.keep(frame, frame["value"].notna(), NO_NUMBER, persons=None, year=None), "pair", file=path)


def _open(path: Path, needed: list[str]) -> xr.Dataset:
    remedy = "delete it and fetch it again (the registry pins its sha256)"
    if not Path(path).is_file():
        raise SourceFileError(path, "source file is missing", "fetch it with `humanflows fetch`")
    try:
        with xr.open_dataset(path, engine="scipy") as data:
            data = data.load()
    except Exception as error:  # scipy's reader raises whatever the damaged bytes lead it to
        raise SourceFileError(path, f"cannot be decoded as NetCDF 3 ({type(error).__name__}: {error})",
                              remedy) from error
    absent = [name for name in needed if name not in data.variables]
    if absent:
        raise SourceFileError(path, f"lacks the variables {absent}", remedy, key=absent[0])
    return data
