"""Figures of what was learned about those who count. Tables of ``results.witness_table`` in, figures out, no model."""
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from ..errors import InputError
from ..results.witness_table import FEWEST, SIDES, WITNESS_COLUMNS, both_sides, checked_departures
from .charts import SOURCE_TITLES, _check_columns, _empty
from .errors import _LEGEND, SIDE_STYLES
from .recovery import _short_name
from .style import INK, OTHER, PAPER, QUIET

NAMED = 5           # offices that a scatter names
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
_FINE = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2, 2.5)


def plot_undercount(table: pd.DataFrame) -> Figure:
    """How completely offices count arrivals and departures, a dumbbell for each; fewest departures on top.

    Parameters
    ----------
    table : as ``results.witness_table.describe_witnesses`` makes it; offices that report both sides by residence in one
        collection are drawn.

    Returns
    -------
    Figure. Dots are the median of reported over estimated, on a log scale, and the thin bar about two thirds of an
    office's reports (a robust standard deviation either way). The upright stroke is the learned factor, between what
    is expected of the office's class and what its reports say. In grey, how many reports were learned from: of
    arrivals, and of departures.

    Raises
    ------
    InputError
        For missing columns or no office with both sides.
    """
    what = "plot_undercount"
    _check_columns(what, table, WITNESS_COLUMNS)
    rows = both_sides(table)
    if not len(rows):
        raise _empty(what, "office with both sides")
    figure, ax = plt.subplots(figsize=(9, 0.29 * len(rows) + 1.5))
    at = np.arange(len(rows))
    height = {"immigration": at - 0.17, "emigration": at + 0.17}
    for a, d, *y in zip(*(np.exp(rows[f"log_ratio_{side}"]) for side in SIDES), *height.values()):
        ax.plot((a, d), y, color=QUIET, lw=1.2, zorder=2, label="_joined")
    points, bars = [1.0], []
    for side in SIDES:
        colour, marker, label = SIDE_STYLES[side]
        learned, middle, spread = (rows[f"{k}_{side}"].to_numpy(float)
                                   for k in ("log_bias", "log_ratio", "dispersion_robust"))
        ax.hlines(height[side], np.exp(middle - spread), np.exp(middle + spread), color=colour, lw=3.2, alpha=0.28,
                  zorder=1, label=f"spread, {side}")
        ax.plot(np.exp(learned), height[side], ls="", marker="|", ms=8, mew=1.8, color=colour, zorder=4,
                label=f"learned, {side}")
        ax.plot(np.exp(middle), height[side], ls="", marker=marker, ms=6, color=colour, zorder=3, label=label)
        points += [*np.exp(middle), *np.exp(learned)]
        bars += [np.exp(middle - spread), np.exp(middle + spread)]
    # Some offices scatter by orders of magnitude; their bars are cut rather than all others squeezed.
    low, high = np.quantile(np.concatenate(bars), [0.03, 0.97])
    ax.set_xlim(0.9 * min(low, *points), 1.1 * max(high, *points))
    _factor_axis(ax, "x")
    ax.axvline(1, color=INK, lw=0.9, zorder=0)
    ax.set_yticks(at, _offices(rows), fontsize=8.5)
    for y, a, d in zip(at, rows["observations_immigration"], rows["observations_emigration"]):
        ax.annotate(f"{int(a):,} · {int(d):,}", (1, y), xytext=(6, 0), xycoords=("axes fraction", "data"),
                    textcoords="offset points", va="center", fontsize=8, color=QUIET, annotation_clip=False)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.grid(False, axis="y")
    ax.spines["left"].set_visible(False)
    ax.set_xlabel("reported over estimated (log scale; 1×: as many)")
    handles = [Line2D([], [], ls="", marker=m, ms=6, color=c, label=label)
               for c, m, label in (SIDE_STYLES[side] for side in SIDES)]
    handles += [Line2D([], [], color=QUIET, lw=3.2, alpha=0.5, label="two thirds of reports"),
                Line2D([], [], ls="", marker="|", ms=8, mew=1.8, color=QUIET, label="learned factor")]
    figure.legend(handles=handles, loc="outside upper center", ncols=2, **_LEGEND)
    return figure


def plot_other_side(table: pd.DataFrame, *, ax: Axes, fewest: int = FEWEST, names: int = NAMED) -> Axes:
    """Departures beside the estimates, against departures beside the arrivals that the other ends count.

    The second ratio needs no estimate. Filled marks on the line of equality say that the estimates follow the other
    ends' arrivals, at one that they follow the office's departures, on the dotted line that they lie midway between the
    two, as the geometric mean of both reports does. Hollow marks are learned factors.

    Parameters
    ----------
    table : as ``results.witness_table.describe_witnesses`` makes it.
    ax : where to draw.
    fewest : pairs of reports from which an office is drawn.
    names : how many offices are named, those with the smallest ratio to the other ends.

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        For missing columns, or where no office has so many pairs.
    """
    what = "plot_other_side"
    _check_columns(what, table, WITNESS_COLUMNS)
    rows = checked_departures(table, fewest).sort_values("other_side", kind="stable", ignore_index=True)
    if not len(rows):
        raise InputError(what, f"no office with {fewest} pairs of reports", "give a smaller number", key="fewest")
    colour, marker, _ = SIDE_STYLES["emigration"]
    other, learned, ratio = (np.exp(rows[k].to_numpy(float)) for k in ("other_side", "log_bias", "log_ratio"))
    ax.vlines(other, learned, ratio, color=QUIET, lw=0.8, alpha=0.6, zorder=2)
    ax.plot(other, learned, ls="", marker="o", ms=5, color=OTHER, markerfacecolor=PAPER, zorder=3,
            label="learned factor")
    ax.plot(other, ratio, ls="", marker=marker, ms=5.5, color=colour, zorder=4, label="reported over estimated")
    logs = np.log(np.concatenate([other, learned, ratio, [1.0]]))
    low, high = np.exp(logs.min() - 0.12), np.exp(logs.max() + 0.12)
    ax.set(xlim=(low, high), ylim=(low, high))
    for which in ("x", "y"):
        _factor_axis(ax, which)
    edge = np.array([low, high])
    ax.plot(edge, edge, color=INK, lw=0.9, zorder=1, label="as the other ends say")
    ax.plot(edge, np.sqrt(edge), color=INK, lw=0.9, ls=":", zorder=1, label="midway")
    ax.axhline(1, color=QUIET, lw=0.9, zorder=1)
    ax.set_aspect("equal")
    twice = rows["reporter"].head(names).duplicated(keep=False)
    for k, office in enumerate(_offices(rows.head(names))):
        # Below and above in turn, since neighbours on the axis have much the same height.
        ax.annotate(office if twice[k] else office.rpartition(" (")[0], (other[k], ratio[k]),
                    xytext=(0, 7 if k % 2 else -7), textcoords="offset points", ha="center",
                    va="bottom" if k % 2 else "top", fontsize=7.5, color=INK)
    ax.set_xlabel("reported departures over arrivals reported at the other ends")
    ax.set_ylabel("departures: reported over estimated")
    ax.legend(loc="upper left", **_LEGEND)
    return ax


def _offices(rows: pd.DataFrame) -> list[str]:
    return [f"{_short_name(r, 24)} ({SOURCE_TITLES.get(s, s)})" for r, s in zip(rows["reporter"], rows["source"])]


def _factor_axis(ax: Axes, which: str) -> None:
    """Log scale with ticks at factors such as 0.5× and 2×, as many as the range bears."""
    getattr(ax, f"set_{which}scale")("log")
    axis = getattr(ax, f"{which}axis")
    low, high = getattr(ax, f"get_{which}lim")()
    steps = _FINE if high / low < 8 else _STEPS
    ticks = [s for s in steps if low <= s <= high]
    axis.set_ticks(ticks, [f"{t:g}×" for t in ticks])
    axis.set_minor_formatter(NullFormatter())
    axis.set_minor_locator(LogLocator(subs=()))
