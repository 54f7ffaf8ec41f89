"""Flows and balances of the world's regions: sums over territories, moves within a region apart from those across."""
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError
from ..territories import REGIONS, check_codes, region_of

OWN = "humanflows"
TOTALS = ("inflow", "outflow", "net", "within")
COLUMNS = ("peer", "horizon", "year", "region", *TOTALS, "territories")
PAIR_COLUMNS = ("peer", "first", "last", "origin_region", "destination_region", "persons")
PERIODS = ((1990, 1999), (2000, 2009), (2010, 2019), (2014, 2023))


def checked(data: xr.DataArray, dims: Sequence, territory_dims: Sequence[str], what: str) -> xr.DataArray:
    """``data`` with dimensions in the order of ``dims`` (an ellipsis first: any others before), or an InputError.

    Parameters
    ----------
    data : to be summed or drawn.
    dims : dimensions it should have.
    territory_dims : those of them whose labels are territories.
    what : is being made of it, for the message.

    Raises
    ------
    InputError
        For other dimensions, or without any number. UnknownTerritoryError for a label that is no territory.
    """
    named = [d for d in dims if d is not ...]
    missing = [d for d in named if d not in data.dims]
    extra = [] if ... in dims else [d for d in data.dims if d not in named]
    if missing or extra:
        raise InputError(what, f"dimensions are {tuple(data.dims)}",
                         f"give data[{', '.join(named)}]: select or sum the rest",
                         key=", ".join(map(str, missing + extra)))
    for dim in territory_dims:
        if dim not in data.coords:
            raise InputError(what, "a dimension without territory codes", "give it its ISO 3166-1 alpha-3 codes",
                             key=dim)
        check_codes(pd.Series(data[dim].values, dtype=object), file=what)
    if data.size == 0 or not bool(np.isfinite(data).any()):
        raise InputError(what, "no number to draw", "select territories and years that have data")
    return data.transpose(*dims)


def sum_by_region(data: xr.DataArray, dim: str, new: str) -> xr.DataArray:
    """Sum over the territories of each region along one dimension, which is called ``new`` then; float64.

    Regions come in the order of ``territories.REGIONS``; those without a territory are left out. Not-a-number stays so.
    """
    labels = xr.DataArray(region_of().loc[list(data[dim].values)].to_numpy(dtype=str), dims=dim, name=new)
    present = [r for r in REGIONS if r in set(labels.values)]
    return data.astype(float).groupby(labels).sum(skipna=False).sel({new: present})


def by_region(flow: xr.DataArray) -> xr.DataArray:
    """Sum a flow over the territories of each region, moves within a region included.

    Parameters
    ----------
    flow : ``[..., origin, destination]``, persons; any subset of the 231 territories.

    Returns
    -------
    ``[..., origin_region, destination_region]``, persons, in the order of ``territories.REGIONS``. A region of which
    ``flow`` has no territory is left out rather than shown as empty. Not-a-number stays so.

    Raises
    ------
    InputError
        Without the two dimensions, with an unknown territory, or without any number.
    """
    flow = checked(flow, (..., "origin", "destination"), ("origin", "destination"), "flow by region")
    total = sum_by_region(sum_by_region(flow, "origin", "origin_region"), "destination", "destination_region")
    return total.transpose(..., "origin_region", "destination_region").rename(flow.name)


def regional_totals(flows: Mapping[str, xr.DataArray]) -> pd.DataFrame:
    """What enters and leaves each region, and what moves within it, by year and by whose estimate it is.

    Parameters
    ----------
    flows : by name, ``[year, origin, destination]`` of single years, or ``[period, origin, destination]`` of five years
        from the year given. A corridor that an estimate does not speak about (NaN) counts as nobody; a year of which it
        says nothing is left out. Arrays over single observations have no region and are passed over.

    Returns
    -------
    DataFrame with columns ``COLUMNS``: ``horizon`` is ``"annual"`` or ``"five_year"``; ``inflow`` and ``outflow`` cross
    the region's border, persons in the year or the five years, ``net`` is their difference, which is zero over all
    regions, ``within`` are moves between two territories of the region; ``territories`` of it the estimate speaks
    about.

    Raises
    ------
    InputError
        For other dimensions, an unknown territory, or an estimate without any number.
    """
    tables = []
    for name, flow in flows.items():
        if flow.dims == ("observation",):
            continue
        time = "period" if "period" in flow.dims else "year"
        flow = checked(flow, (time, "origin", "destination"), ("origin", "destination"), name)
        flow = flow.where(xr.DataArray(~np.eye(flow.sizes["origin"], dtype=bool), dims=("origin", "destination")))
        known = np.isfinite(flow)
        flow, known = (x.isel({time: known.any(("origin", "destination")).values}) for x in (flow, known))
        between = by_region(flow.fillna(0.0))
        regions, moves = between["origin_region"].values, between.values
        within = np.diagonal(moves, axis1=1, axis2=2)
        spoken = sum_by_region((known.any("destination") | known.any("origin").rename(destination="origin")), "origin",
                               "region").transpose(time, "region").values
        inflow, outflow = moves.sum(1) - within, moves.sum(2) - within
        table = pd.DataFrame({"year": np.repeat(between[time].values, len(regions)),
                              "region": np.tile(regions, len(moves)),
                              **{k: v.ravel() for k, v in zip(TOTALS, (inflow, outflow, inflow - outflow, within))},
                              "territories": spoken.ravel().astype(int)})
        tables.append(table.assign(peer=name, horizon="annual" if time == "year" else "five_year"))
    return (pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(COLUMNS)))[list(COLUMNS)]


def region_pairs(flows: Mapping[str, xr.DataArray], periods: Sequence[tuple[int, int]] = PERIODS) -> pd.DataFrame:
    """Moves between and within regions, mean of a year of each period, by whose estimate they are.

    Parameters
    ----------
    flows : by name, ``[year, origin, destination]``, persons; NaN counts as nobody.
    periods : first and last year; those of which an estimate lacks a year are left out of it.

    Returns
    -------
    DataFrame with columns ``PAIR_COLUMNS``; persons a year.
    """
    tables = []
    for name, flow in flows.items():
        flow = flow.where(xr.DataArray(~np.eye(flow.sizes["origin"], dtype=bool), dims=("origin", "destination")))
        known = flow["year"].values[np.isfinite(flow).any(("origin", "destination")).values]
        for first, last in periods:
            years = list(range(first, last + 1))
            if set(years) <= set(known.tolist()):
                mean = by_region(flow.sel(year=years).fillna(0.0).mean("year")).rename("persons")
                tables.append(mean.to_dataframe().reset_index().assign(peer=name, first=first, last=last))
    return (pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(PAIR_COLUMNS)))[
        list(PAIR_COLUMNS)]
