"""What is kept of the draws to say where data are needed: means over the years that would be reported.

One draw and one year is in memory at a time, besides what is kept: three arrays (draw, origin, destination), 70 MB
for a hundred draws of the world.
"""
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from ...errors import SchemaError

_WANTED = {"flow": ("draw", "year", "origin", "destination"), "stock": ("draw", "date_year", "birthplace", "residence")}


@dataclass(frozen=True)
class Kept:
    """Draws of means over the years that would be reported.

    ``codes`` (territory,); ``years``, calendar years; ``network`` (draw,). ``flow`` (draw, origin, destination),
    persons a year. ``unreported`` (side, draw, origin, destination), the same over those of the years in which the
    destination's (origin's) office does not report the corridor yet, 0 where there is none; ``unreported_years``
    (side, origin, destination), how many. ``before`` (side, draw, territory), total arrivals and departures a year in
    the years before, None without any; ``foreign_born`` (draw, territory), residents after the last year.
    """

    codes: np.ndarray
    years: np.ndarray
    network: np.ndarray
    flow: np.ndarray
    unreported: np.ndarray
    unreported_years: np.ndarray
    before: np.ndarray | None
    foreign_born: np.ndarray


def gather(draws: xr.Dataset, told: np.ndarray, years: Sequence[int], earlier: Sequence[int] = ()) -> Kept:
    """Read the draws once; as :func:`gather_all` with one view of what is reported."""
    return gather_all(draws, [told], years, earlier)[0]


def gather_all(draws: xr.Dataset, told: Sequence[np.ndarray], years: Sequence[int],
               earlier: Sequence[int] = ()) -> list[Kept]:
    """Read the draws once, for several views of what is reported already.

    Parameters
    ----------
    draws : as of ``humanflows.draws.open_draws``: ``flow`` (draw, year, origin, destination), ``stock`` (draw,
        date_year, birthplace, residence), persons, with the coordinate ``member`` (draw).
    told : what is reported already, each bool (side, year, origin, destination): ``candidates.reported``.
    years : positions of the years that would be reported.
    earlier : positions of the years before, of which totals are kept.

    Raises
    ------
    SchemaError
        For draws without a variable, of other years or territories than what is reported, or with persons that are not
        finite or below zero.
    """
    for name, dims in _WANTED.items():
        if name not in draws or set(draws[name].dims) != set(dims):
            raise SchemaError("draws", f"{name} is missing or has other dimensions than {', '.join(dims)}",
                              "give draws as humanflows.draws.open_draws opens them", name)
    if "member" not in draws.coords:
        raise SchemaError("draws", "it is not said which network a draw is of", "give the coordinate member (draw)",
                          "member")
    flow, years, earlier = draws["flow"].transpose(*_WANTED["flow"]), np.asarray(years), np.asarray(earlier, dtype=int)
    number, n = flow.sizes["draw"], flow.sizes["origin"]
    shapes = {np.shape(t) for t in told}
    if shapes != {(2, flow.sizes["year"], n, n)} or not len(years) or not number:
        raise SchemaError("draws", f"{number} draws of {flow.sizes['year']} years and {n} territories, {len(years)} "
                          f"years asked, beside reports {shapes}", "give draws and reports of one panel", "shape")
    calendar = flow["year"].values[years].astype(int)
    after = np.flatnonzero(draws["date_year"].values.astype(int) == calendar[-1] + 1)
    if not len(after):
        raise SchemaError("draws", f"no stocks of 1 January {calendar[-1] + 1}", "give the date after the last year",
                          "date_year")
    kept, fresh = np.zeros((number, n, n), np.float32), np.zeros((len(told), 2, number, n, n), np.float32)
    before, foreign = np.zeros((2, number, n)), np.zeros((number, n))
    open_years = ~np.stack([t[:, years] for t in told]) & ~np.eye(n, dtype=bool)     # (view, side, year, ·, ·)
    many = open_years.sum(2)
    for d in range(number):
        for i, t in enumerate(years):
            persons = _persons(flow, d, int(t))
            kept[d] += persons / len(years)
            fresh[:, :, d] += persons * open_years[:, :, i] / np.maximum(many, 1)
        for t in earlier:
            persons = _persons(flow, d, int(t))
            before[0, d] += persons.sum(0, dtype=np.float64) / len(earlier)
            before[1, d] += persons.sum(1, dtype=np.float64) / len(earlier)
        stock = draws["stock"].isel(draw=d, date_year=int(after[0])).transpose("birthplace", "residence").values
        foreign[d] = stock.sum(0, dtype=np.float64) - np.diagonal(stock)
    return [Kept(flow["origin"].values.astype(str), calendar, draws["member"].values, kept, own, own_years,
                 before if len(earlier) else None, foreign) for own, own_years in zip(fresh, many)]


def centre_of(draws: xr.Dataset) -> np.ndarray:
    """Mean of the draws' flows, persons (year, origin, destination); one draw is in memory at a time."""
    flow, centre = draws["flow"].transpose(*_WANTED["flow"]), 0.0
    for d in range(flow.sizes["draw"]):
        centre = centre + flow.isel(draw=d).values.astype(np.float64) / flow.sizes["draw"]
    return centre


def _persons(flow: xr.DataArray, draw: int, year: int) -> np.ndarray:
    persons = np.array(flow.isel(draw=draw, year=year).values, dtype=np.float32)
    if not (np.isfinite(persons).all() and (persons >= 0).all()):
        raise SchemaError("draws", "flows that are not finite or below zero", "make this draw again",
                          f"draw {draw + 1}, year {int(flow['year'].values[year])}")
    np.fill_diagonal(persons, 0.0)
    return persons
