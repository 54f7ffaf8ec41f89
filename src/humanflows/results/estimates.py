"""The estimates of a run as one file: flows, stocks, and the net migration that follows from the flows."""
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from ..artifacts import require, write_manifest, write_netcdf
from ..errors import ArtifactError

# A model may hand over its own net migration; it must be what its flows say, up to float32 rounding of their sums.
_RELATIVE, _PERSONS = 1e-4, 1.0
_MADE_BY = "the step that writes the estimates"
ABOUT = {
    "flow": (("year", "origin", "destination"), {
        "units": "persons", "long_name": "migration flow",
        "definition": "persons who move their usual residence from origin to destination during the calendar year; "
                      "zero on the diagonal"}),
    "stock": (("date_year", "birthplace", "residence"), {
        "units": "persons", "long_name": "migrant stock",
        "definition": "persons born in birthplace who live in residence on 1 January of date_year; "
                      "natives on the diagonal"}),
    "net_migration": (("year", "residence"), {
        "units": "persons", "long_name": "net migration",
        "definition": "inflow minus outflow of residence during the calendar year, from flow; zero over the world"}),
}


def net_migration_of(flow: np.ndarray) -> np.ndarray:
    """Inflow minus outflow of each territory, in float64.

    Parameters
    ----------
    flow : array (..., origin, destination), persons.

    Returns
    -------
    float64 array (..., residence); the sum over residence is zero up to float64 rounding.
    """
    flow = np.asarray(flow, dtype=np.float64)
    return flow.sum(-2) - flow.sum(-1)


def write_estimates(flow, stock, net_migration, years: Sequence[int], codes: Sequence[str], path: Path,
                    **manifest) -> Path:
    """Write the estimates, with a manifest beside them if what made them is given.

    Flows and stocks are stored as float32. Net migration is never taken over: it is computed again, in float64, from
    the flows as they are stored, so that the file agrees with itself and the world's sum is zero in each year.

    Parameters
    ----------
    flow : array (year, origin, destination), persons, zero on the diagonal.
    stock : array (year + 1, birthplace, residence), persons on 1 January of each year and of the one after the last.
    net_migration : array (year, residence) to be checked against the flows, or None.
    years : the calendar years, one after another.
    codes : the territories.
    path : of the NetCDF file, replaced as a whole.
    **manifest : arguments of :func:`humanflows.artifacts.write_manifest` (``made_by``, ``inputs``, …); without any, no
        manifest is written.

    Returns
    -------
    Path of the file.

    Raises
    ------
    ArtifactError
        For shapes that do not fit, missing or negative values, flows on the diagonal, or a net migration that the flows
        contradict.
    """
    years, codes = [int(y) for y in years], [str(c) for c in codes]
    with np.errstate(over="ignore"):  # what overflows float32 is caught below as not finite
        stored = {"flow": np.asarray(flow).astype(np.float32), "stock": np.asarray(stock).astype(np.float32)}
    n, dates = len(codes), [*years, years[-1] + 1] if years else []
    shapes = {"flow": (len(years), n, n), "stock": (len(dates), n, n)}
    for name, values in stored.items():
        if values.shape != shapes[name]:
            raise ArtifactError(path, f"{name} of shape {values.shape}, expected {shapes[name]}",
                                "give flows per year and stocks per 1 January, one more than there are years", name)
    dataset = xr.Dataset(
        {name: (ABOUT[name][0], values) for name, values in stored.items()},
        coords={"year": years, "date_year": dates,
                **{d: (d, np.array(codes, dtype=str)) for d in ("origin", "destination", "birthplace", "residence")}},
        attrs={"title": "Estimated international migration", "Conventions": "CF-1.10"})
    dataset["net_migration"] = (("year", "residence"), net_migration_of(stored["flow"]))
    for name, (_, about) in ABOUT.items():
        dataset[name].attrs.update(about)
    _check(dataset, path)
    if net_migration is not None:
        _agrees(np.asarray(net_migration, dtype=np.float64), dataset["net_migration"].values, stored["flow"], path)
    write_netcdf(dataset, path)
    if manifest:
        write_manifest(path, **manifest)
    return Path(path)


def _agrees(given, computed, flow, path):
    if given.shape != computed.shape:
        raise ArtifactError(path, f"net_migration of shape {given.shape}, expected {computed.shape}",
                            "give one value per year and territory, or None", "net_migration")
    # The rounding error of a difference goes with what was subtracted, not with what was left.
    turnover = flow.sum(-2, dtype=np.float64) + flow.sum(-1, dtype=np.float64)
    bad = ~(np.abs(given - computed) <= _PERSONS + _RELATIVE * turnover)
    if bad.any():
        where = tuple(int(k) for k in np.argwhere(bad)[0])
        raise ArtifactError(path, f"net migration {given[where]} where the flows say {computed[where]}",
                            "take net migration from the same flows", key=f"year, residence index {where}")


def _check(dataset: xr.Dataset, path):
    for name, (dims, _) in ABOUT.items():
        if name not in dataset or dataset[name].dims != dims:
            found = dataset[name].dims if name in dataset else "nothing"
            raise ArtifactError(path, f"{name} should have dims {dims}, found {found}", f"run {_MADE_BY} again", name)
        values = dataset[name].values
        if not np.isfinite(values).all():
            raise ArtifactError(path, f"{name} has {int((~np.isfinite(values)).sum())} values that are not finite",
                                f"run {_MADE_BY} again; if it persists, the training diverged", name)
        if name != "net_migration" and (values < 0).any():
            raise ArtifactError(path, f"{name} is negative in {int((values < 0).sum())} cells",
                                f"run {_MADE_BY} again", name)
    names = [dataset[d].values.tolist() for d in ("origin", "destination", "birthplace", "residence")]
    years, dates = dataset["year"].values, dataset["date_year"].values
    if any(c != names[0] for c in names) or len(set(names[0])) != len(names[0]) or not names[0]:
        raise ArtifactError(path, "origin, destination, birthplace and residence are not one list of territories",
                            f"run {_MADE_BY} again", "territories")
    if not len(years) or (np.diff(years) != 1).any() or not np.array_equal(dates, [*years, years[-1] + 1]):
        raise ArtifactError(path, f"years {years.tolist()} and 1 Januaries {dates.tolist()} do not fit",
                            "use consecutive years, and a stock for each of them and the one after", "year")
    flow = dataset["flow"].values
    if np.diagonal(flow, axis1=1, axis2=2).any():
        raise ArtifactError(path, "flow from a territory to itself", "set the diagonal of flow to zero", "flow")
    # Sums of the same stored numbers in another order differ by rounding alone.
    off = np.abs(dataset["net_migration"].values - net_migration_of(flow)).max()
    if off > 1e-9 * max(1.0, float(flow.sum(dtype=np.float64))):
        raise ArtifactError(path, f"net migration differs from the flows by up to {off:g} persons",
                            f"run {_MADE_BY} again", "net_migration")


def open_estimates(path: Path) -> xr.Dataset:
    """Read and check the estimates.

    Returns
    -------
    Dataset in memory: ``flow`` (year, origin, destination) and ``stock`` (date_year, birthplace, residence) float32,
    ``net_migration`` (year, residence) float64, each with attributes units, long_name and definition.

    Raises
    ------
    ArtifactError
        When the file is missing, not readable, or not what :func:`write_estimates` writes.
    """
    require(path, _MADE_BY)
    try:
        with xr.open_dataset(path, engine="netcdf4") as opened:
            dataset = opened.load()
    except Exception as error:  # the library raises many kinds on a damaged file
        raise ArtifactError(path, f"not readable as NetCDF ({type(error).__name__}: {error})",
                            f"delete it and run {_MADE_BY} again") from error
    for dim in ("origin", "destination", "birthplace", "residence", "year", "date_year"):
        if dim not in dataset.coords:
            raise ArtifactError(path, f"coordinate {dim!r} is missing", f"run {_MADE_BY} again", dim)
        if dim not in ("year", "date_year"):
            dataset[dim] = dataset[dim].astype(str)
    _check(dataset, path)
    return dataset


def world_total(flow: xr.DataArray) -> xr.DataArray:
    """Persons who moved between any two territories, per year.

    Parameters
    ----------
    flow : DataArray with dims origin, destination and others (year, or period), persons; a diagonal is not counted.

    Returns
    -------
    float64 DataArray of the other dims.
    """
    n = flow.sizes["origin"]
    between = xr.DataArray(~np.eye(n, dtype=bool), dims=("origin", "destination"))
    total = flow.astype(np.float64).where(between).sum(("origin", "destination"))
    total.attrs = {"units": "persons", "long_name": "all moves between territories"}
    return total
