"""The harmonised covariates in NetCDF 3, as tidy frames."""
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import SourceFileError
from ..schema import validate
from ..territories import check_codes
from .cells import AGAIN, numbers, opening, whole_numbers
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
        values, years, places = _unfold(data, theirs, ("Year", "Country ISO"), path)
        parts.append(pd.DataFrame({"year": years, "territory": places, "value": values, "variable": ours}))
    frame = pd.concat(parts, ignore_index=True)
    frame = frame.assign(value=numbers(frame["value"], file=path), year=whole_numbers(frame["year"], file=path))
    check_codes(frame["territory"], file=path)
    frame = omitted.keep(frame, frame["value"].notna(), NO_NUMBER, persons=None)
    frame = omitted.keep(frame, frame["year"] >= first_year, ANOTHER_YEAR, persons=None)
    return validate(frame.assign(source=source, status=status), "territory_year", file=path)


def read_pairs(path: Path, source: str, theirs: str, ours: str, *, omitted: Omissions | None = None) -> pd.DataFrame:
    """One variable on (Origin ISO, Destination ISO) as table ``pair``; the diagonal and missing values are left out."""
    omitted = Omissions() if omitted is None else omitted
    sides = ("Origin ISO", "Destination ISO")
    values, origins, destinations = _unfold(_open(path, [theirs, *sides]), theirs, sides, path)
    frame = pd.DataFrame({"source": source, "variable": ours, "origin": origins, "destination": destinations,
                          "value": values})
    frame["value"] = numbers(frame["value"], file=path)
    for column in ("origin", "destination"):
        check_codes(frame[column], file=path)
    frame = omitted.keep(frame, frame["origin"] != frame["destination"], SAME_TERRITORY, persons=None, year=None)
    return validate(omitted.keep(frame, frame["value"].notna(), NO_NUMBER, persons=None, year=None), "pair", file=path)


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
    along, across = data[variable].dims
    with opening(path, "NetCDF 3"):     # labels are bytes: they may be no text
        names = data[along].values, data[across].values
        first, second = (v.astype(str) if v.dtype.kind in "SUO" else v for v in names)
    labels = {along: np.repeat(first, len(second)), across: np.tile(second, len(first))}
    return data[variable].values.ravel(), *(labels[d] for d in dims)
