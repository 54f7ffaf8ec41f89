"""The harmonised covariates in NetCDF 3, as tidy frames."""
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import SourceFileError
from ..schema import validate
from ..territories import check_codes
from .cells import AGAIN, numbers, opening, whole_numbers


def read_series(path: Path, source: str, variables: dict[str, str], *, first_year: int, status: str) -> pd.DataFrame:
    """Variables on (Year, Country ISO) as table ``territory_year``; missing values are left out.

    Parameters
    ----------
    path : NetCDF 3 file.
    source : name of the source.
    variables : name in the file → name in ``schema.VARIABLES``.
    first_year : earlier years are left out.
    status : of every value.

    Raises
    ------
    SourceFileError, UnknownTerritoryError, NegativeCountError
    """
    data = _open(path, [*variables, "Year", "Country ISO"])
    parts = []
    for theirs, ours in variables.items():
        values, years, places = _unfold(data, theirs, ("Year", "Country ISO"), path)
        parts.append(pd.DataFrame({"year": years, "territory": places, "value": values, "variable": ours}))
    frame = pd.concat(parts, ignore_index=True)
    frame = frame.assign(value=numbers(frame["value"], file=path), year=whole_numbers(frame["year"], file=path))
    check_codes(frame["territory"], file=path)
    frame = frame[(frame["year"] >= first_year) & frame["value"].notna()].assign(source=source, status=status)
    return validate(frame, "territory_year", file=path)


def read_pairs(path: Path, source: str, theirs: str, ours: str) -> pd.DataFrame:
    """One variable on (Origin ISO, Destination ISO) as table ``pair``, the diagonal left out."""
    sides = ("Origin ISO", "Destination ISO")
    values, origins, destinations = _unfold(_open(path, [theirs, *sides]), theirs, sides, path)
    frame = pd.DataFrame({"source": source, "variable": ours, "origin": origins, "destination": destinations,
                          "value": values})
    frame["value"] = numbers(frame["value"], file=path)
    for column in ("origin", "destination"):
        check_codes(frame[column], file=path)
    return validate(frame[(frame["origin"] != frame["destination"]) & frame["value"].notna()], "pair", file=path)


def read_netcdf3(path: Path) -> xr.Dataset:
    """The whole of a NetCDF 3 file.

    Raises
    ------
    SourceFileError
        When the file is missing or not decodable.
    """
    with opening(path, "NetCDF 3"), xr.open_dataset(path, engine="scipy") as data:
        return data.load()


def _open(path: Path, needed: list[str]) -> xr.Dataset:
    data = read_netcdf3(path)
    absent = [name for name in needed if name not in data.variables]
    if absent:
        raise SourceFileError(path, f"lacks the variables {absent}", AGAIN, key=absent[0])
    return data


def _unfold(data: xr.Dataset, variable: str, dims: tuple[str, str], path: Path) -> tuple[np.ndarray, ...]:
    """Values and the labels of both dimensions, one for each value."""
    if set(data[variable].dims) != set(dims):
        raise SourceFileError(path, f"{variable!r} has the dimensions {data[variable].dims}, expected {dims}", AGAIN,
                              key=variable)
    for d in dims:
        if data[d].dims != (d,):
            raise SourceFileError(path, f"{d!r} has the dimensions {data[d].dims}", AGAIN, key=d)
    values = data[variable].transpose(*dims).values
    with opening(path, "NetCDF 3"):     # labels are bytes: they may be no text
        first, second = (v.astype(str) if v.dtype.kind in "SUO" else v for v in (data[d].values for d in dims))
    return values.ravel(), np.repeat(first, len(second)), np.tile(second, len(first))
