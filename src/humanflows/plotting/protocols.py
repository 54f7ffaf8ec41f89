"""Figures of the validation protocols. Tables of ``results.protocol_differences`` in, figures out, no model."""
from collections.abc import Mapping
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import blended_transform_factory

from ..errors import InputError
from ..results.protocol_differences import DRAWN_COLUMNS, UNDECIDED
from .charts import _check_columns, _empty
from .errors import _LEGEND, SIDE_STYLES
from .style import INK, LAND, OTHER, PAPER, QUIET, save, use_style

# Marks differ in shape and lightness as well as in hue.
SERIES_STYLES = {**SIDE_STYLES, "both": (INK, "D", "moves, told by neither side"),
                 "wpp": (OTHER, "o", "against UN World Population Prospects"),
                 "national": ("#c07a12", "^", "against national statistics")}
_STEP, _HEAD, _GAP = 1.0, 1.25, 0.35    # heights of a peer's row, of a group's heading and of the room after a group
_INCH = 0.235                           # of a row


def plot_protocol_differences(table: pd.DataFrame) -> Figure:
    """Our score less each peer's, with 95% intervals: a group of rows for each protocol, a panel for each score.

    Parameters
    ----------
    table : columns ``DRAWN_COLUMNS``; ``series`` is a key of ``SERIES_STYLES``, the peers of a group are its rows.

    Returns
    -------
    Figure. Right of the line ours is nearer to the reports, left of it the peer's. A filled mark has an interval that
    leaves out zero, a hollow one has not. Intervals that reach far beyond all differences are cut at the edge.

    Raises
    ------
    InputError
        For missing columns, no row, a series without a style, or two rows for one mark.
    """
    what = "plot_protocol_differences"
    _check_columns(what, table, DRAWN_COLUMNS)
    if not len(table):
        raise _empty(what, "difference")
    if unknown := sorted(set(table["series"]) - set(SERIES_STYLES)):
        raise InputError(what, f"unknown series {unknown[0]!r}", f"use {', '.join(SERIES_STYLES)}", key=unknown[0])
    if (twice := table.duplicated(["group", "peer", "series", "score"])).any():
        first = table[twice].iloc[0]
        raise InputError(what, f"two differences for {first['peer']} in {first['group']!r}", "give one for each mark",
                         key=first["group"])
    at, heads, height = _rows(table)
    scores = list(dict.fromkeys(table["score"]))
    figure, axes = plt.subplots(1, len(scores), figsize=(10, _INCH * height + 1.4), sharey=True, squeeze=False)
    series = [s for s in SERIES_STYLES if s in set(table["series"])]
    for ax, score in zip(axes[0], scores):
        _panel(ax, table[table["score"] == score], at, series)
        ax.set_title(score)
        for y, name in heads.items():
            ax.axhline(y - 0.62 * _HEAD, color=LAND, lw=1.0, zorder=0)
            if ax is axes[0, 0]:
                ax.text(0, y, name, transform=blended_transform_factory(figure.transFigure, ax.transData),
                        fontweight="bold", fontsize=8.5, va="center", zorder=6, in_layout=False,
                        bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1.5})
    first = axes[0, 0]
    first.set_yticks(list(at.values()), [_short_peer(p) for _, p in at], fontsize=8.5)
    first.set_ylim(height, -0.75 * _HEAD)
    handles = [Line2D([], [], color=c, marker=m, ms=6, lw=1.4, label=label)
               for c, m, label in (SERIES_STYLES[s] for s in series)]
    handles += [Line2D([], [], ls="", marker="s", ms=6, color=QUIET, label="interval leaves out zero"),
                Line2D([], [], ls="", marker="s", ms=6, color=QUIET, markerfacecolor=PAPER,
                       label="interval includes zero")]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, **_LEGEND)
    return figure


def _short_peer(name: str) -> str:
    return name.replace("Abel & Cohen ", "A & C ").replace("demographic accounting", "accounting")


def _rows(table: pd.DataFrame) -> tuple[dict[tuple[str, str], float], dict[float, str], float]:
    """Heights of the rows (group, peer), of the groups' headings, and of all of them."""
    at, heads, y = {}, {}, 0.0
    for group, rows in table.groupby("group", sort=False):
        heads[y] = group
        y += _HEAD
        for peer in dict.fromkeys(rows["peer"]):
            at[group, peer] = y
            y += _STEP
        y += _GAP
    return at, heads, y - _GAP


def _panel(ax: Axes, table: pd.DataFrame, at: Mapping[tuple[str, str], float], series: list[str]) -> None:
    limits = _limits(table)
    beside = {g: [s for s in series if s in set(rows["series"])] for g, rows in table.groupby("group")}
    for name in series:
        rows = table[table["series"] == name]
        colour, marker, label = SERIES_STYLES[name]
        y = np.array([at[pair] for pair in zip(rows["group"], rows["peer"])], dtype=float)
        y = y + [0.24 * (beside[g].index(name) - (len(beside[g]) - 1) / 2) for g in rows["group"]]
        middle, lower, upper = (rows[c].to_numpy(float) for c in ("difference", "lower", "upper"))
        decided = ~rows["verdict"].isin([UNDECIDED, ""]).to_numpy()
        ax.hlines(y, np.clip(lower, *limits), np.clip(upper, *limits), color=colour, lw=1.4, alpha=0.8, zorder=2,
                  label=f"interval, {name}")
        for which, face in ((decided, colour), (~decided, PAPER)):
            ax.plot(middle[which], y[which], ls="", marker=marker, ms=5, color=colour, markerfacecolor=face, zorder=3,
                    label=f"{label}, {'decided' if face == colour else 'undecided'}")
    ax.set_xlim(limits)
    ax.axvspan(limits[0], 0, color=LAND, alpha=0.45, lw=0, zorder=0)
    ax.axvline(0, color=INK, lw=1.1, zorder=1)
    ax.grid(False, axis="y")
    ax.tick_params(axis="y", length=0)
    ax.tick_params(axis="x", labelsize=8.5)
    ax.spines["left"].set_visible(False)
    ax.set_xlabel("← peer higher    ours less the peer's    ours higher →", fontsize=8.5)


def _limits(table: pd.DataFrame) -> tuple[float, float]:
    """All differences with room, and of the bounds of intervals all but the outermost."""
    bounds = table[["lower", "upper"]].to_numpy(float)
    bounds = bounds[np.isfinite(bounds)]
    reach = np.concatenate([table["difference"].to_numpy(float), [0.0],
                            np.quantile(bounds, [0.03, 0.97]) if len(bounds) else []])
    room = 0.05 * max(np.ptp(reach), 0.02)
    return float(reach.min() - room), float(reach.max() + room)


def draw_protocols(folder: Path, tables: Mapping[str, pd.DataFrame]) -> list[Path]:
    """Draw the stored figures of the protocols.

    Parameters
    ----------
    folder : where to; files are replaced one by one.
    tables : by the name of the figure, as ``results.protocol_differences.drawn`` gives them.

    Returns
    -------
    The files written.
    """
    use_style()
    files = []
    for name, table in tables.items():
        figure = plot_protocol_differences(table)
        files += save(figure, folder / name)
        plt.close(figure)
    return files
