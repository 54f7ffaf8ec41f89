"""Moves between and within regions as circles side by side: ours, and what is published for the same years."""
import matplotlib.pyplot as plt
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from ..errors import InputError
from ..results.regions import OWN, PAIR_COLUMNS, by_region
from .charts import _check_columns
from .maps import _millions, plot_region_circle
from .style import INK


def plot_region_circles(flow: xr.DataArray, pairs: pd.DataFrame, first: int, last: int) -> Figure:
    """A circle of ours and one of everybody else's; see :func:`humanflows.plotting.plot_region_circle`.

    Parameters
    ----------
    flow : ours, ``[year, origin, destination]``, persons.
    pairs : others', as ``results.regions.region_pairs`` makes them; those of the period are drawn.
    first, last : year of the period.

    Returns
    -------
    Figure, an axes for each, whose id is whose it is. Every circle is full: sizes are shares of its own total, which
    stands above it.

    Raises
    ------
    InputError
        For missing columns, or years that the flow does not have.
    """
    what = "plot_region_circles"
    _check_columns(what, pairs, PAIR_COLUMNS)
    years = list(range(first, last + 1))
    if not years or not set(years) <= set(flow["year"].values.tolist()):
        raise InputError(what, f"the flow does not have all years from {first} to {last}", "use years that it has")
    rows = pairs[(pairs["first"] == first) & (pairs["last"] == last)]
    tables = {OWN: by_region(flow.sel(year=years).mean("year"))}
    tables |= {peer: pairs_of(table) for peer, table in rows.groupby("peer", sort=False)}
    figure, axes = plt.subplots(1, len(tables), figsize=(7.4 * len(tables), 6.2), squeeze=False)
    for ax, (peer, between) in zip(axes[0], tables.items()):
        plot_region_circle(between, ax)
        ax.set_gid(peer)
        total = _millions(float(between.sum()) / 1e6)
        ax.set_title(f"{peer}: {total} moves a year, {first}–{last}", fontsize=11, color=INK, loc="center")
    return figure


def pairs_of(rows: pd.DataFrame) -> xr.DataArray:
    """One peer's moves in one period as a table ``[origin_region, destination_region]``, persons a year."""
    return xr.DataArray(rows.pivot(index="origin_region", columns="destination_region", values="persons"))
