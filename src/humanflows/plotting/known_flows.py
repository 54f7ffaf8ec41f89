"""Well-known flows: published figures beside our estimates. A table in, figures out, no model."""
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from ..results.known_flows import COMPARED, FACTOR
from .charts import _check_columns, _empty
from .recovery import _short_name
from .style import DATA, INK, LAND, OTHER, OWN, QUIET

# Marks differ by shape as well as by colour, for those who see no difference of hue.
_BOUNDS = {"none": ("o", "figure as large as the flow"), "lower": ("^", "figure is a lower bound"),
           "upper": ("v", "figure is an upper bound")}
_LEAST = 0.5        # persons: a flow of zero is drawn here


def plot_known_flows(table: pd.DataFrame, title: str = "") -> Figure:
    """Our estimates with their intervals against published figures, both on logarithmic axes.

    Parameters
    ----------
    table : as ``results.known_flows.compare_known`` makes it.
    title : what the comparison shows.

    Returns
    -------
    Figure. On the line both are equal; in the band they are within a factor of 1.5. Triangles are figures that bound
    the flow: pointing up from below, pointing down from above.

    Raises
    ------
    InputError
        For missing columns or no figure.
    """
    what = "plot_known_flows"
    _check_columns(what, table, COMPARED)
    if not len(table):
        raise _empty(what, "figure")
    figure, ax = plt.subplots(figsize=(6.4, 6.8))
    figured, flow = table["persons"].to_numpy(float), _drawn(table["flow"])
    low, high = min(figured.min(), flow.min()) / 2, max(figured.max(), flow.max()) * 2
    line = np.array([low, high])
    ax.fill_between(line, line / FACTOR, line * FACTOR, color=LAND, zorder=0, label="_within")
    ax.plot(line, line, color=INK, lw=1, zorder=1, label="_equal")
    ends = table[["flow_lower", "flow_upper"]].notna().all(axis=1).to_numpy()
    ax.vlines(figured[ends], _drawn(table["flow_lower"])[ends], _drawn(table["flow_upper"])[ends], color=QUIET, lw=0.9,
              alpha=0.7, zorder=2, label="_intervals")
    for bound, (marker, label) in _BOUNDS.items():
        mine = (table["bound"] == bound).to_numpy()
        if mine.any():
            ax.plot(figured[mine], flow[mine], ls="", marker=marker, ms=5.5, color=OWN if bound == "none" else OTHER,
                    mec="white", mew=0.5, zorder=3, label=label)
    _persons_axis(ax, "x")
    _persons_axis(ax, "y")
    ax.set(xlim=(low, high), ylim=(low, high), xlabel="published figure, persons", ylabel="our estimate, persons")
    ax.set_aspect("equal")
    figure.legend(loc="outside lower center", ncols=1)
    figure.suptitle(fill(title, 58), x=0.01, ha="left", fontsize=11, fontweight="bold", color=INK)
    return figure


def plot_known_misses(table: pd.DataFrame, title: str = "") -> Figure:
    """Figures, a row each, with our estimate and interval, the reference's and Meta's, in persons on a log axis.

    Parameters
    ----------
    table : rows of ``results.known_flows.compare_known`` in the order in which they are drawn from the top.
    title : what the rows are.

    Returns
    -------
    Figure. Black: the published figure, a triangle where it bounds the flow. Red: ours with its 95% interval. Hollow:
    Gaskin & Abel's, and Meta's where there is one.

    Raises
    ------
    InputError
        For missing columns or no figure.
    """
    what = "plot_known_misses"
    _check_columns(what, table, COMPARED)
    if not len(table):
        raise _empty(what, "figure")
    figure, ax = plt.subplots(figsize=(6.4, 0.3 * len(table) + 1.9))
    at = np.arange(len(table))
    ax.hlines(at, _drawn(table["flow_lower"]), _drawn(table["flow_upper"]), color=OWN, lw=3.5, alpha=0.3, zorder=1)
    for column, marker, colour, face in (("gaskin_abel", "s", OTHER, "white"), ("meta", "D", QUIET, "white"),
                                         ("flow", "o", OWN, OWN)):
        ax.plot(_drawn(table[column]), at, ls="", marker=marker, ms=6, color=colour, mfc=face, zorder=3, label=column)
    for bound, (marker, label) in _BOUNDS.items():
        mine = (table["bound"] == bound).to_numpy()
        marker = "|" if bound == "none" else {"lower": ">", "upper": "<"}[bound]
        ax.plot(table["persons"].to_numpy(float)[mine], at[mine], ls="", marker=marker, ms=9 if bound == "none" else 6,
                mew=2 if bound == "none" else 1, color=DATA, zorder=4, label=label)
    labels = [f"{_short_name(r.origin)} to {_short_name(r.destination)}, {r.year}" for r in table.itertuples()]
    ax.set_yticks(at, labels, fontsize=8)
    ax.set_ylim(len(table) - 0.4, -0.6)
    _persons_axis(ax, "x")
    ax.grid(False, axis="y")
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("persons (log scale)")
    marks = (("|", 9, 2, DATA, DATA, "published figure"), (">", 6, 1, DATA, DATA, "lower bound"),
             ("<", 6, 1, DATA, DATA, "upper bound"), ("o", 6, 1, OWN, OWN, "ours, with 95% interval"),
             ("s", 6, 1, OTHER, "white", "Gaskin & Abel"), ("D", 6, 1, QUIET, "white", "Meta"))
    handles = [Line2D([], [], ls="", marker=marker, ms=size, mew=width, color=colour, mfc=face, label=label)
               for marker, size, width, colour, face, label in marks]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=8.5)
    figure.suptitle(fill(title, 58), x=0.01, ha="left", fontsize=11, fontweight="bold", color=INK)
    return figure


def _drawn(values: pd.Series) -> np.ndarray:
    """Persons as they are drawn: what is less than half a person at half a person, as a log axis knows no zero."""
    return values.astype(float).clip(lower=_LEAST).to_numpy()


def _persons_axis(ax: Axes, which: str) -> None:
    axis = ax.xaxis if which == "x" else ax.yaxis
    (ax.set_xscale if which == "x" else ax.set_yscale)("log")
    axis.set_major_locator(LogLocator(numticks=12))
    axis.set_major_formatter(FuncFormatter(_round_number))
    axis.set_minor_formatter(NullFormatter())


def _round_number(value: float, _=None) -> str:
    for size, word in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{word}"
    return f"{value:g}"
