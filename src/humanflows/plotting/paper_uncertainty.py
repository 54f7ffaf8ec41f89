"""How well flows are known: a map by territory, and the largest flows with their intervals.

A release without intervals is drawn too: its map shows how much of the flows nobody counts.
"""
from collections.abc import Sequence

import geopandas as gpd
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from ..dataset.grades import factor_of_interval
from ..errors import InputError
from .charts import _empty, _short
from .choropleth import draw_territories
from .recovery import _corridor_name
from .style import INK, OWN, PAPER, QUIET

ENDS = ("flow_lower", "flow_upper")
ENDS_80 = ("flow_lower_80", "flow_upper_80")
WIDEST = 50.0       # end of the scale of factors
FACTOR, UNCOUNTED = "factor", "uncounted"
_DOUBT = LinearSegmentedColormap.from_list("humanflows_doubt", ["#eef3f9", "#9fbfe0", "#4d7fb8", "#27477e", "#141f3d"])


def has_intervals(release: xr.Dataset) -> bool:
    """Whether a release has 95% intervals of flows."""
    return all(k in release for k in ENDS)


def doubt_of_territories(release: xr.Dataset, spoke: xr.DataArray | None = None, *,
                         years: Sequence[int] | None = None) -> pd.Series:
    """How well the flows into and out of each territory are known, all its corridors weighed by their flow.

    Parameters
    ----------
    release : ``flow(year, origin, destination)``, persons, and the ends of its 95% intervals where it has them.
    spoke : of the same dimensions, not zero where anybody counted; needed for a release without intervals.
    years : all by default.

    Returns
    -------
    Series by territory. Its name says what: ``"factor"``, the geometric mean of the factor between an interval's middle
    and its ends (:func:`humanflows.dataset.grades.factor_of_interval`), or, without intervals, ``"uncounted"``, the
    share of the flows that nobody counts. Territories without any flow are left out.

    Raises
    ------
    InputError
        With neither intervals nor ``spoke``.
    """
    if not has_intervals(release) and spoke is None:
        raise InputError("doubt_of_territories", "the release has no intervals", "give spoke of its sources.nc as well")
    years = release["year"].values if years is None else list(years)
    here, dims = release.sel(year=years), ("year", "origin", "destination")
    weight = here["flow"].transpose(*dims).values.astype(float)
    if has_intervals(release):
        with np.errstate(divide="ignore"):
            each = np.log(factor_of_interval(*(here[k].transpose(*dims).values for k in ENDS)))
        each = np.where(weight > 0, each, 0.0)
    else:
        each = (spoke.sel(year=years).transpose(*dims).values == 0).astype(float)
    both, total = (x.sum((0, 1)) + x.sum((0, 2)) for x in (weight * each, weight))
    mean = both[total > 0] / total[total > 0]
    places = pd.Index(release["origin"].values.astype(str)[total > 0], name="territory")
    return pd.Series(np.exp(mean), places, name=FACTOR) if has_intervals(release) else pd.Series(mean, places,
                                                                                                name=UNCOUNTED)


def plot_uncertainty_map(doubt: pd.Series, geometry: gpd.GeoDataFrame) -> Figure:
    """World map of how well the flows of each territory are known; the darker, the less.

    Parameters
    ----------
    doubt : as :func:`doubt_of_territories` gives it.
    geometry : as ``humanflows.geometry.read_geometry()`` gives it.

    Returns
    -------
    Figure; see ``plotting.choropleth.draw_territories`` for the ids.

    Raises
    ------
    InputError
        Without a territory, or for a series of another name.
    """
    what = "plot_uncertainty_map"
    if not len(doubt):
        raise _empty(what, "territory")
    if doubt.name not in (FACTOR, UNCOUNTED):
        raise InputError(what, f"a series called {doubt.name!r}", "give what doubt_of_territories gives", key="doubt")
    figure, ax = plt.subplots(figsize=(11, 5.8))
    if doubt.name == FACTOR:
        ticks = [1, 2, 3, 5, 10, 20, WIDEST]
        draw_territories(doubt, geometry, ax, norm=LogNorm(1, WIDEST), cmap=_DOUBT, ticks=ticks,
                         labels=["exact", *(f"{t:g}" for t in ticks[1:])], blank="nobody moves",
                         title="factor between the middle and the ends of a flow's 95% interval, mean over persons")
    else:
        ticks = [0, 0.25, 0.5, 0.75, 1]
        draw_territories(doubt, geometry, ax, norm=Normalize(0, 1), cmap=_DOUBT, ticks=ticks,
                         labels=[f"{t:.0%}" for t in ticks], blank="nobody moves",
                         title="share of arrivals and departures that nobody counts in the year")
    return figure


def largest_flows_table(release: xr.Dataset, years: Sequence[int], spoke: xr.DataArray | None = None, *,
                        number: int = 25) -> pd.DataFrame:
    """The largest single flows of some years, with whatever is known of their uncertainty.

    Returns
    -------
    DataFrame, largest first: ``corridor, year, flow``, the ends ``flow_lower, …`` that the release has, and ``counted``
    (bool: anybody counted it in the year) where ``spoke`` is given. The same corridor may come in several years.
    """
    here = release[[k for k in ("flow", *ENDS, *ENDS_80) if k in release]].sel(year=list(years))
    here = here.transpose("year", "origin", "destination")
    flow = here["flow"].values
    order = np.argsort(-flow, axis=None, kind="stable")[:number]
    t, o, d = np.unravel_index(order, flow.shape)
    codes = here["origin"].values.astype(str), here["destination"].values.astype(str)
    table = pd.DataFrame({"corridor": [f"{codes[0][i]}-{codes[1][k]}" for i, k in zip(o, d)],
                          "year": here["year"].values[t],
                          **{str(k): v.values[t, o, d].astype(float) for k, v in here.items()}})
    if spoke is not None:
        counted = spoke.sel(year=list(years)).transpose("year", "origin", "destination").values[t, o, d] != 0
        table["counted"] = counted
    return table[table["flow"] > 0].reset_index(drop=True)


def plot_largest_flows(table: pd.DataFrame) -> Figure:
    """The largest flows, a row each: dots with 80% and 95% intervals where there are any, on a logarithmic axis.

    Parameters
    ----------
    table : as :func:`largest_flows_table` makes it.

    Returns
    -------
    Figure. Filled dots are flows that somebody counted in the year, hollow ones are not. Lines carry the labels
    ``95%`` and ``80%``, dots ``flow``.

    Raises
    ------
    InputError
        For missing columns or no flow.
    """
    what = "plot_largest_flows"
    if not {"corridor", "year", "flow"} <= set(table):
        raise InputError(what, "corridor, year or flow is missing", "give the table of largest_flows_table")
    if not len(table):
        raise _empty(what, "flow")
    figure, ax = plt.subplots(figsize=(9, 0.27 * len(table) + 1.3))
    at, keys = np.arange(len(table)), []
    for label, names, width, alpha in (("95%", ENDS, 1.6, 0.6), ("80%", ENDS_80, 4.2, 0.45)):
        if set(names) <= set(table):
            # From one person, or a logarithmic axis could not show it.
            low, high = (np.maximum(table[k].to_numpy(float), 1.0) for k in names)
            ax.hlines(at, low, high, color=OWN, lw=width, alpha=alpha, zorder=2, label=label)
            keys.append(Line2D([], [], color=OWN, lw=width, alpha=alpha, label=f"{label} interval"))
    counted = table["counted"].to_numpy(bool) if "counted" in table else np.ones(len(table), bool)
    ax.scatter(table["flow"], at, s=34, facecolors=[OWN if c else PAPER for c in counted], edgecolors=OWN, zorder=3,
               linewidths=1.3, label="flow")
    if "counted" in table:
        for face, said in ((OWN, "somebody counted it in the year"), (PAPER, "nobody did")):
            keys.append(Line2D([], [], ls="", marker="o", color=OWN, markerfacecolor=face, label=said))
    one = table["year"].nunique() == 1
    ax.set_yticks(at, [_corridor_name(c) + ("" if one else f", {y}") for c, y in zip(table["corridor"], table["year"])],
                  fontsize=8.5)
    _persons_axis(ax)
    for y, persons in zip(at, table["flow"]):
        ax.annotate(_short(persons), (1, y), xytext=(6, 0), xycoords=("axes fraction", "data"), va="center", fontsize=8,
                    textcoords="offset points", color=QUIET, annotation_clip=False)
    ax.set_ylim(len(table) - 0.4, -0.6)
    ax.set_xlabel("persons in " + (str(table["year"].iloc[0]) if one else "the year") + " (log scale)")
    if keys:
        figure.legend(handles=keys, loc="outside upper center", ncols=len(keys), fontsize=8.5, handletextpad=0.6)
    return figure


def _persons_axis(ax: Axes) -> None:
    ax.set_xscale("log")
    low, high = ax.get_xlim()
    steps = [m * 10.0 ** k for k in range(0, 9) for m in (1, 2, 5)]
    inside = [s for s in steps if low <= s <= high]
    ax.set_xticks(inside if len(inside) <= 9 else [s for s in inside if np.log10(s) % 1 == 0])
    ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: _short(v)))
    ax.xaxis.set_minor_formatter(FuncFormatter(lambda v, _: ""))
    ax.grid(False, axis="y")
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="x", colors=INK)
