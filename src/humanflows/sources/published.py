"""The reference's published estimates (Gaskin & Abel 2026): for comparison only, never an input or a target.

Nothing under ``panel/``, ``model/``, ``baselines/``, ``twin/`` and no other module here may import this one; a test
asserts it. Scores and figures may.

Each matrix has 242 rows: 231 territories, each region's sum standing before its members. Countries' entries are what
they say; region rows are left out here.
"""
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import xarray as xr

from ..errors import SchemaError, SourceFileError, YearRangeError
from ..schema import FIRST_YEAR, LAST_YEAR
from ..territories import codes
from .cells import AGAIN, load_json, numbers, refuse_repeats, square_of_counts, whole_numbers
from .names import resolve_names
from .netcdf_io import read_netcdf3

CITATION = "Gaskin & Abel (2026)"
REGION_ROWS = (0, 52, 60, 97, 113, 132, 142, 151, 163, 187, 236)
NAMES: dict[str, str | None] = {}  # every name is a territory's


def read_published_flows(paths: Path | Iterable[Path], index: Path | None = None) -> xr.DataArray:
    """Published annual flows.

    Comparison only: never an input or a target.

    Parameters
    ----------
    paths : a folder of ``YYYY.json``, or such files (others, like ``dataset_meta.json``, are passed over).
    index : ``indexes-regions.json`` with the names of the rows; by default beside the folder of the files.

    Returns
    -------
    DataArray ``flow[year, origin, destination]``, persons
        Over all 231 territories, NaN where the file lacks one and on the diagonal. Years whose file is empty (2024) are
        left out.

    Raises
    ------
    SourceFileError, SchemaError, UnknownTerritoryError
        Naming the file.
    """
    data, years = _matrices(paths, index)
    return xr.DataArray(data, dims=("year", "origin", "destination"), name="flow",
                        coords={"year": years, "origin": list(codes()), "destination": list(codes())},
                        attrs={"units": "persons", "long_name": "flow during the year, published", "source": CITATION})


def read_published_stocks(paths: Path | Iterable[Path], index: Path | None = None) -> xr.DataArray:
    """Published stocks of the foreign-born.

    Comparison only: never an input or a target. Parameters and errors as in `read_published_flows`.

    Returns
    -------
    DataArray ``stock[year, birthplace, residence]``, persons
        NaN on the diagonal (the native-born are not published).
    """
    data, years = _matrices(paths, index)
    return xr.DataArray(data, dims=("year", "birthplace", "residence"), name="stock",
                        coords={"year": years, "birthplace": list(codes()), "residence": list(codes())},
                        attrs={"units": "persons", "long_name": "foreign-born stock, published", "source": CITATION})


def read_published_net_migration(path: Path) -> xr.Dataset:
    """Published net migration with its standard deviation between members.

    Comparison only: never an input or a target.

    Returns
    -------
    Dataset ``mean, std [year, residence]``, persons

    Raises
    ------
    SourceFileError, SchemaError
        Naming the file.
    """
    data = read_netcdf3(path)
    if set(data.dims) != {"Year", "Country ISO"} or not {"mean", "std"} <= set(data):
        raise SchemaError(path, f"dimensions {sorted(map(str, data.dims))}, variables {sorted(map(str, data))}",
                          "expected mean and std over Year and 'Country ISO'")
    data = data[["mean", "std"]].rename({"Year": "year", "Country ISO": "residence"}).transpose("year", "residence")
    years = whole_numbers(data["year"].to_series(), file=path).tolist()
    if not all(FIRST_YEAR <= y <= LAST_YEAR for y in years) or len(set(years)) < len(years):
        raise YearRangeError(path, "years that are not there, or twice", AGAIN, key=str(years[:5]))
    data = data.assign_coords(year=years, residence=data["residence"].astype(str))
    for v in ("mean", "std"):
        numbers(data[v].to_series().reset_index(drop=True), file=path)
    refuse_repeats(data["residence"].to_series().reset_index(drop=True).to_frame(), ["residence"], file=path)
    unknown = sorted(set(data["residence"].values.tolist()) - set(codes()))
    if unknown:
        raise SchemaError(path, f"unknown territory codes {unknown[:5]}", "fetch the file again", key=unknown[0])
    data = data.reindex(residence=list(codes())).astype("float64")
    for name, what in (("mean", "net migration during the year, published"), ("std", "its standard deviation")):
        data[name].attrs.update(units="persons", long_name=what, source=CITATION)
    return data


def read_names(index: Path) -> list[str | None]:
    """Code of each of the 242 rows, None for the rows of regions.

    Raises
    ------
    SourceFileError, SchemaError, UnknownTerritoryError
        Naming the file.
    """
    content = load_json(index)
    if not isinstance(content, dict) or content.get("regions") != list(REGION_ROWS):
        raise SchemaError(index, "regions do not stand at the rows they are published at",
                          f"expected regions at {REGION_ROWS}")
    names = content.get("names")
    if not isinstance(names, list):
        raise SchemaError(index, "no list of names", "fetch the file again", key="names")
    countries = [n for i, n in enumerate(names) if i not in REGION_ROWS]
    known = resolve_names(countries, file=index, exceptions=NAMES)
    rows = [None if i in REGION_ROWS else known[n] for i, n in enumerate(names)]
    found = [c for c in rows if c is not None]
    if len(set(found)) < len(found):
        raise SchemaError(index, "two names mean the same territory", "fetch the file again",
                          key=next(c for c in found if found.count(c) > 1))
    return rows


def _matrices(paths, index) -> tuple[np.ndarray, list[int]]:
    files = sorted(Path(paths).glob("*.json")) if isinstance(paths, (str, Path)) else sorted(map(Path, paths))
    files = [f for f in files if f.stem.isdecimal()]
    if not files:
        raise SourceFileError(paths, "no file named YYYY.json", "pass the folder of the published matrices")
    rows = read_names(Path(index) if index is not None else files[0].parent.parent / "indexes-regions.json")
    kept = [i for i, c in enumerate(rows) if c is not None]
    at = np.searchsorted(codes(), [rows[i] for i in kept])
    size, layers, years = len(codes()), [], []
    for file in files:
        content = load_json(file)
        matrix = square_of_counts(content.get("matrix") if isinstance(content, dict) else None, rows, file=file,
                                  key="matrix")[np.ix_(kept, kept)]
        if not matrix.any():
            continue  # a year announced but not yet published (2024)
        layer = np.full((size, size), np.nan)
        layer[np.ix_(at, at)] = matrix
        np.fill_diagonal(layer, np.nan)
        layers.append(layer)
        years.append(int(file.stem))
    return np.stack(layers) if layers else np.empty((0, size, size)), years
