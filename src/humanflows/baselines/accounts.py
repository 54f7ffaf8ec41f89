"""What the six stock-to-flow methods share: their input, their result, and the demographic account of a period.

Notation of the field: ``stock[birthplace, residence]`` counts everybody, the native-born on the diagonal, so that its
column sums are populations. Over a period, population at the end = population at the start + births − deaths + net
migration.
"""
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError, NegativeCountError

REPAIR_COLUMNS = ["period", "repair", "territory", "before", "after"]


@dataclass(frozen=True)
class Reconstruction:
    """Flows of one period by one method.

    Parameters
    ----------
    flow : (birthplace, origin, destination), or (origin, destination) when summed over birthplaces; persons who changed
        residence between the two dates; zero where origin is destination. Attributes tell method, tolerance and
        iterations.
    stayers : (birthplace, residence) persons who live at both dates in the same territory; None where the method says
        nothing about them.
    start, end : (birthplace, residence) the tables that the flows connect: survivors at the start, and at the end
        those who were born before the period, after matching.
    repairs : tidy table of what was changed in the input: ``period, repair, territory, before, after``, persons.
    """

    flow: xr.DataArray
    stayers: xr.DataArray | None = None
    start: xr.DataArray | None = None
    end: xr.DataArray | None = None
    repairs: pd.DataFrame = field(default_factory=lambda: make_repairs([]))

    @property
    def corridors(self) -> xr.DataArray:
        """Flows (origin, destination), all birthplaces together."""
        return self.flow.sum("birthplace", keep_attrs=True) if "birthplace" in self.flow.dims else self.flow


@dataclass(frozen=True)
class Account:
    """Checked numbers of one period as plain arrays: ``start``, ``end`` (birthplace, residence), ``births``,
    ``deaths`` (residence,), persons; ``names`` of the territories; ``period`` for messages."""

    start: np.ndarray
    end: np.ndarray
    births: np.ndarray
    deaths: np.ndarray
    names: tuple[str, ...]
    period: str

    @property
    def net_migration(self) -> np.ndarray:
        """(residence,) change of population − births + deaths."""
        return self.end.sum(0) - self.start.sum(0) - self.births + self.deaths


def make_repairs(rows: Sequence[tuple]) -> pd.DataFrame:
    """Tidy table of repairs from rows (period, repair, territory, before, after)."""
    frame = pd.DataFrame(list(rows), columns=REPAIR_COLUMNS)
    return frame.astype({"period": str, "repair": str, "territory": str, "before": float, "after": float})


def make_stock(values, names: Sequence[str]) -> xr.DataArray:
    """A stock table (birthplace, residence) from an array."""
    return xr.DataArray(np.asarray(values, float), dims=("birthplace", "residence"), name="stock",
                        coords={"birthplace": list(names), "residence": list(names)}, attrs={"units": "persons"})


def make_events(values, names: Sequence[str], name: str) -> xr.DataArray:
    """Births or deaths (residence,) from an array."""
    return xr.DataArray(np.asarray(values, float), dims="residence", name=name, coords={"residence": list(names)},
                        attrs={"units": "persons"})


def open_account(stock_start: xr.DataArray, stock_end: xr.DataArray, births: xr.DataArray, deaths: xr.DataArray,
                 period: str, *, natives: bool = True) -> Account:
    """Check the input of a method.

    Parameters
    ----------
    stock_start, stock_end : (birthplace, residence) persons, the native-born on the diagonal.
    births, deaths : (residence,) persons during the period.
    period : how to name the period in an error.
    natives : whether the method uses the number of native-born; where it does not, that number may be negative (a
        population smaller than its foreign-born is then no obstacle).

    Raises
    ------
    InputError
        For other dimensions, territories that differ between the arguments, or a missing number; naming territory and
        period.
    NegativeCountError
        For a negative number: on the diagonal it means a population smaller than its foreign-born.
    """
    names = tuple(str(c) for c in stock_start["birthplace"].values) if "birthplace" in stock_start.dims else ()
    arrays = []
    for array, dims, what in ((stock_start, ("birthplace", "residence"), "stock at the start"),
                              (stock_end, ("birthplace", "residence"), "stock at the end"),
                              (births, ("residence",), "births"), (deaths, ("residence",), "deaths")):
        if set(array.dims) != set(dims):
            raise InputError(what, f"dimensions {array.dims}", f"give {dims}", key=period)
        for dim in dims:
            if tuple(str(c) for c in array[dim].values) != names:
                raise InputError(what, f"territories along {dim} differ from those of the stock at the start",
                                 "give the same territories in the same order", key=period)
        values = array.transpose(*dims).values.astype(np.float64)
        _refuse(values, dims, what, names, period, natives)
        arrays.append(values)
    account = Account(*arrays, names=names, period=period)
    dying = account.deaths > account.start.sum(0) + account.births
    if dying.any():
        raise InputError("deaths", "more deaths than people who lived or were born there", "mend deaths or population",
                         key=place_in_period(names[int(dying.argmax())], period))
    return account


def _refuse(values, dims, what, names, period, natives):
    negative = values < 0
    if not natives and values.ndim == 2:
        np.fill_diagonal(negative, False)
    for bad, kind, problem, remedy in (
            (~np.isfinite(values), InputError, "a number is missing", "fill it, and report that you did"),
            (negative, NegativeCountError, "a number is negative",
             "on the diagonal of a stock: the population is smaller than its foreign-born, repair one of them")):
        if bad.any():
            where = np.argwhere(bad)[0]
            shown = ", ".join(f"{d} {names[i]}" for d, i in zip(dims, where))
            raise kind(what, problem, remedy, key=place_in_period(shown, period))


def place_in_period(place: str, period: str) -> str:
    """A place, and the period where one is named."""
    return ", ".join(filter(None, (place, period)))


def as_flow(values: np.ndarray, names: Sequence[str], **attrs) -> xr.DataArray:
    """Named flows from an array of two or three dimensions."""
    dims = ("birthplace", "origin", "destination")[-values.ndim:]
    return xr.DataArray(values, dims=dims, name="flow", coords={d: list(names) for d in dims},
                        attrs={"units": "persons", "long_name": "people who changed residence during the period",
                               "flow_type": "transition", **attrs})


def native_flows(values: np.ndarray, names: Sequence[str], by_birthplace: bool, **attrs) -> xr.DataArray:
    """Flows of which all movers leave their birthplace (``values[birthplace, destination]``)."""
    values = values.copy()
    np.fill_diagonal(values, 0.0)
    if not by_birthplace:
        return as_flow(values, names, **attrs)
    n = len(values)
    dense = np.zeros((n, n, n))
    dense[np.arange(n), np.arange(n)] = values
    return as_flow(dense, names, **attrs)
