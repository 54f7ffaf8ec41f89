"""What enters and leaves each region of the world, ours beside what is published. Tables in, figure out, no model."""
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ..errors import InputError
from ..results.regions import COLUMNS, OWN
from ..territories import REGIONS
from .charts import _check_columns, _empty
from .maps import _dark
from .style import GAIN, INK, LOSS, QUIET, REGION_COLOURS

FIVE_YEARS = 5
# What is drawn of a table: the sign puts arrivals above nought and departures below.
_SERIES = {"inflow": (1, GAIN, "arrive from other regions"), "outflow": (-1, LOSS, "leave for other regions"),
           "net": (1, INK, "net migration")}


# Totals of a release's ``sums.csv`` whose intervals are drawn: the series they belong to, and where the region stands.
_BOUNDS = {"into region": ("inflow", "destination"), "out of region": ("outflow", "origin")}


def plot_regional_flows(totals: pd.DataFrame, bounds: pd.DataFrame | None = None, *,
                        peers: Sequence[str] | None = None, columns: int = 4) -> Figure:
    """Arrivals above nought, departures below, net migration between: a panel for each region.

    Parameters
    ----------
    totals : as ``results.regions.regional_totals`` makes them, ours (``"humanflows"``) and others'.
    bounds : sums of a release with 95% intervals (total, origin, destination, year, lower, upper), drawn as bands
        where they are of a region; a band that goes far beyond the lines is cut by the panel.
    peers : whose estimates are drawn beside ours; all in the table by default. Annual ones are dashed lines, those of
        five years strokes of that length at the mean of a year.
    columns : panels in a row; the last panel holds the legend.

    Returns
    -------
    Figure. Its axes carry the ids ``region:<name>``, its lines the labels ``<peer>|<inflow, outflow or net>``.

    Raises
    ------
    InputError
        For missing columns, or without a row of ours.
    """
    what = "plot_regional_flows"
    _check_columns(what, totals, COLUMNS)
    if not (totals["peer"] == OWN).any():
        raise _empty(what, "row of humanflows")
    peers = [p for p in dict.fromkeys(totals["peer"]) if p != OWN] if peers is None else list(peers)
    unknown = set(peers) - set(totals["peer"])
    if unknown:
        raise InputError(what, "nothing is known of a peer", "leave it out", key=sorted(unknown)[0])
    regions = [r for r in REGIONS if (totals["region"] == r).any()]
    rows = int(np.ceil((len(regions) + 1) / columns))
    figure, axes = plt.subplots(rows, columns, figsize=(3.4 * columns, 2.35 * rows), squeeze=False, sharex=True)
    for ax, region in zip(axes.ravel(), regions):
        ax.set_gid(f"region:{region}")
        here = totals[totals["region"] == region]
        _draw(ax, here[here["peer"] == OWN], OWN)
        for peer in peers:
            _draw(ax, here[here["peer"] == peer], peer)
        _dress(ax, region)
        if bounds is not None:
            _bands(ax, bounds, region, reach=here[["inflow", "outflow"]].max().max() / 1e6)
    for ax in axes.ravel()[len(regions):]:
        ax.set_axis_off()
    # Shared axes drop the labels of all but the last row; above an empty panel they are wanted.
    for k in range(len(regions)):
        if k + columns >= len(regions):
            axes.ravel()[k].tick_params(labelbottom=True)
    for row in axes:
        row[0].set_ylabel("million persons a year", fontsize=9)
    five = {p for p in peers if (totals.loc[totals["peer"] == p, "horizon"] == "five_year").any()}
    axes.ravel()[len(regions)].legend(handles=_keys(peers, five), loc="center left", fontsize=8.5, handlelength=1.8,
                                      borderaxespad=0)
    return figure


def _draw(ax: Axes, rows: pd.DataFrame, peer: str) -> None:
    own = peer == OWN
    for horizon, course in rows.groupby("horizon", sort=False):
        course = course.sort_values("year")
        years = course["year"].to_numpy(float)
        for series, (sign, colour, _) in _SERIES.items():
            millions = sign * course[series].to_numpy(float) / 1e6
            if horizon == "five_year":
                millions = millions / FIVE_YEARS
                # From mid-year to mid-year: the stroke covers the calendar years that it is the mean of.
                ax.hlines(millions, years + 0.5, years + 0.5 + FIVE_YEARS, color=colour, lw=3.2, alpha=0.38, zorder=2,
                          label=f"{peer}|{series}")
                continue
            ax.plot(years, millions, color=colour, label=f"{peer}|{series}", zorder=5 if own else 4,
                    lw=(2.0 if own else 1.1), ls="-" if own else (0, (3.5, 1.6)))
            if own and series != "net":
                ax.fill_between(years, 0, millions, color=colour, alpha=0.07, lw=0, zorder=1)


def _bands(ax: Axes, bounds: pd.DataFrame, region: str, reach: float) -> None:
    """95% intervals of arrivals and departures; the panel goes on for at most as far again as its lines."""
    low, high = ax.get_ylim()
    for total, (series, place) in _BOUNDS.items():
        sign, colour, _ = _SERIES[series]
        rows = bounds[(bounds["total"] == total) & (bounds[place] == region)].sort_values("year")
        if rows.empty:
            continue
        ends = [sign * rows[end].to_numpy(float) / 1e6 for end in ("lower", "upper")]
        ax.fill_between(rows["year"].to_numpy(float), *ends, color=colour, alpha=0.22, lw=0, zorder=1.2,
                        label=f"{OWN}|{series}|95% interval")
        furthest = sign * min(np.abs(ends[1]).max(), 2 * reach)
        low, high = min(low, furthest), max(high, furthest)
    ax.set_ylim(low, high)


def _dress(ax: Axes, region: str) -> None:
    ax.axhline(0, color=QUIET, lw=0.8, zorder=1.5)
    ax.set_title(region.replace(" and the ", " & "), fontsize=9.5, color=_dark(REGION_COLOURS[region]))
    ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    ax.yaxis.set_major_locator(MaxNLocator(5))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{abs(v):g}"))     # people are not negative
    ax.tick_params(labelsize=8.5)
    ax.margins(x=0.01)


def _keys(peers: Sequence[str], five: set[str]) -> list:
    keys = [Line2D([], [], color=colour, lw=2, label=label) for _, colour, label in _SERIES.values()]
    keys.append(Line2D([], [], color=QUIET, lw=2, label=OWN))
    for peer in peers:
        style = {"lw": 3.2, "alpha": 0.5} if peer in five else {"lw": 1.1, "ls": (0, (3.5, 1.6))}
        name = peer.replace(": ", ":\n").replace("demographic accounting, ", "")
        name += ",\nmean of five years" if peer in five else ""
        keys.append(Line2D([], [], color=QUIET, label=name, **style))
    return keys
