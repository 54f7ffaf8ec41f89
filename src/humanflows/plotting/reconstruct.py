"""Figures of flows made from stocks: tables that can be followed by hand, kinds of moves, disagreement, scores.

Tables in, axes out; no method is known here.
"""
from collections.abc import Mapping, Sequence
from textwrap import fill

import geopandas as gpd
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.ticker import MaxNLocator

from ..errors import InputError
from ..results.offices import ALL, of_offices
from .charts import OWN_LABEL, _check_axes, _check_columns, _empty, _label_ends
from .choropleth import draw_territories
from .style import INK, OTHER, OWN, PAPER, QUIET

MEASURES = {"count": "persons", "log_count": "log(1 + persons)", "proportion": "share of the origin's outflow",
            "rate": "per inhabitant of the origin"}
KINDS = {"leave": ("leave their birthplace", "#3b5b92"), "return": ("return to it", "#e8b04a"),
         "onward": ("move on elsewhere", "#2f9e77")}
TRUTH = "truth"
_SPREAD = LinearSegmentedColormap.from_list("humanflows_spread", ["#f1f3f6", "#e8c07a", "#c8553d", "#571f17"])
_CELLS = LinearSegmentedColormap.from_list("humanflows_cells", [PAPER, "#7fa3d1"])


def plot_flow_tables(tables: Mapping[str, xr.DataArray], *, axes, digits: int = 0):
    """Small tables of persons with every number written, one panel each; the diagonal of a flow is left empty.

    Parameters
    ----------
    tables : by heading, arrays of two dimensions with labels: rows first. One shading for all of them.
    axes : at least one for each table; those left over are switched off.
    digits : decimals written.

    Returns
    -------
    axes, as given

    Raises
    ------
    InputError
        Without a table, with too few axes, or for one that is not of two dimensions or has a number missing.
    """
    figure = "plot_flow_tables"
    if not tables:
        raise _empty(figure, "table")
    panels = _check_axes(figure, axes, len(tables))
    for name, table in tables.items():
        if table.ndim != 2 or not np.isfinite(table.values).all():
            raise InputError(figure, f"{name}: dimensions {table.dims}, or a number is missing",
                             "give two dimensions and no gaps", key=name)
    off = [t.values[~np.eye(*t.shape, dtype=bool)] for t in tables.values()]
    top = max((float(v.max()) for v in off if v.size), default=0.0) or 1.0
    for ax, (name, table) in zip(panels, tables.items()):
        flow = table.dims == ("origin", "destination")
        values = table.values.astype(float)
        ax.imshow(np.where(np.eye(*values.shape, dtype=bool), 0, values), cmap=_CELLS, vmin=0, vmax=top)
        for (row, column), value in np.ndenumerate(values):
            if not (flow and row == column):
                text = f"{value:,.{digits}f}"
                quiet = row == column or float(text.replace(",", "")) == 0
                ax.text(column, row, text, ha="center", va="center", fontsize=9, color=QUIET if quiet else INK)
        rows, columns = table.dims
        ax.set_xticks(range(table.shape[1]), [str(c) for c in table[columns].values])
        ax.set_yticks(range(table.shape[0]), [str(c) for c in table[rows].values])
        ax.set(xlabel=columns, ylabel=rows)
        ax.tick_params(length=0)
        ax.grid(False)
        ax.spines[:].set_visible(False)
        ax.set_title(fill(name, 26), fontsize=10)
    for ax in panels[len(tables):]:
        ax.set_axis_off()
    return axes


def plot_kinds_of_moves(table: pd.DataFrame, *, ax: Axes) -> Axes:
    """Who moves, by method: people who leave their birthplace, who return to it, who move on between two others.

    Parameters
    ----------
    table : a row for each method, columns leave, return, onward (persons). A row called ``truth`` is set apart.
    ax : where to draw; rows from the top in the order of the table.

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        For missing columns, no row, or a number that is missing or negative.
    """
    figure = "plot_kinds_of_moves"
    _check_columns(figure, table, tuple(KINDS))
    if not len(table):
        raise _empty(figure, "method")
    values = table[list(KINDS)].to_numpy(float)
    if not np.isfinite(values).all() or (values < 0).any():
        raise InputError(figure, "a number of persons is missing or negative", "give counts of moves")
    millions, at = values / 1e6, np.arange(len(table))
    start = np.zeros(len(table))
    for k, (label, colour) in enumerate(KINDS.values()):
        ax.barh(at, millions[:, k], left=start, color=colour, height=0.72, label=label, edgecolor=PAPER, linewidth=0.6)
        start += millions[:, k]
    for y, total in zip(at, start):
        ax.annotate(f"{total:.3g}", (total, y), xytext=(5, 0), textcoords="offset points", va="center", fontsize=9)
    ax.set_yticks(at, [fill(str(n), 34) for n in table.index])
    for text, name in zip(ax.get_yticklabels(), table.index):
        text.set(color=INK, fontweight="bold" if name == TRUTH else "normal")
    ax.set(ylim=(len(table) - 0.45, -0.55), xlim=(0, max(start.max() * 1.12, 1e-9)), xlabel="million moves")
    ax.tick_params(axis="y", length=0)
    ax.grid(False, axis="y")
    ax.spines["left"].set_visible(False)
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False, fontsize=9, handlelength=1.2,
              columnspacing=1.4)
    return ax


def plot_disagreement_map(totals: pd.DataFrame, geometry: gpd.GeoDataFrame, *, ax: Axes,
                          quantity: str = "arrivals") -> Axes:
    """World map (Equal Earth) of the factor between the largest and the smallest estimate of a territory's flow.

    Parameters
    ----------
    totals : peer, territory and the quantity, persons; one row for each pair of them. Territories that some peer does
        not have, or of which one says that nobody moves, have no factor and are left grey.
    geometry : as ``humanflows.geometry.read_geometry()`` gives it.
    ax : where to draw; a horizontal colour bar is added below.
    quantity : column shown, ``"arrivals"`` or ``"departures"``.

    Returns
    -------
    The axes. Its collections carry the ids ``no-data``, ``territories`` and ``small-territories``.

    Raises
    ------
    InputError
        For missing columns, a pair given twice, fewer than two peers, or no territory that can be drawn.
    """
    figure = "plot_disagreement_map"
    _check_columns(figure, totals, ("peer", "territory", quantity))
    if totals.duplicated(["peer", "territory"]).any():
        raise InputError(figure, "a peer speaks twice about a territory", "choose one period",
                         key=str(totals.loc[totals.duplicated(["peer", "territory"]), "territory"].iloc[0]))
    table = totals.pivot(index="territory", columns="peer", values=quantity)
    if table.shape[1] < 2:
        raise InputError(figure, f"{table.shape[1]} peers", "give at least two, or there is nothing to disagree about")
    table = table[(table > 0).all(axis=1)]
    if table.empty:
        raise _empty(figure, "territory")
    factor = table.max(axis=1) / table.min(axis=1)
    return draw_territories(
        factor, geometry, ax, norm=LogNorm(1, 100), cmap=_SPREAD, ticks=[1, 2, 5, 10, 20, 50, 100],
        labels=["equal", "2", "5", "10", "20", "50", "100"], blank="not in all, or nobody",
        title=f"largest of {table.shape[1]} estimates of {quantity}, as a multiple of the smallest")


def plot_five_year_scores(scores: pd.DataFrame, *, axes, measures: Sequence[str] = tuple(MEASURES),
                          offices: str = ALL):
    """R of five-year flows, a panel for each measure and a row for each peer, beside that of the project's own.

    The line is the score of ``humanflows``. A bar is the 95% interval of the difference to it, drawn from that line:
    where it does not reach the line, the difference is more than the luck of which corridors are compared. Where it
    is narrow and yet far from the peer's dot, the score hangs on a few corridors.

    Parameters
    ----------
    scores : rows of one set of ``results.five_year.score_five_years`` (one window, part, collection, side, criterion):
        peer, n and, for each measure, itself and its ``_lower`` and ``_upper``.
    axes : at least one for each measure; those left over are switched off.
    measures : of ``MEASURES``.
    offices : "all" reports or those of "trusted" offices.

    Returns
    -------
    axes, as given

    Raises
    ------
    InputError
        For missing columns, rows of several sets, no rows, none of the project's own, or too few axes.
    """
    figure, scores = "plot_five_year_scores", of_offices(scores, offices)
    if not len(scores):
        raise _empty(figure, "score")
    _check_columns(figure, scores, ("peer", "n", *(f"{m}{e}" for m in measures for e in ("", "_lower", "_upper"))))
    if scores["peer"].duplicated().any():
        raise InputError(figure, "a peer has several rows", "choose one window, part, collection, side and criterion",
                         key=str(scores.loc[scores["peer"].duplicated(), "peer"].iloc[0]))
    table = scores.set_index("peer")
    if OWN_LABEL not in table.index:
        raise InputError(figure, f"no row of {OWN_LABEL}", "give the rows of all peers", key=OWN_LABEL)
    panels = _check_axes(figure, axes, len(measures))
    at = np.arange(len(table))
    for k, (ax, measure) in enumerate(zip(panels, measures)):
        own = float(table.at[OWN_LABEL, measure])
        ax.axvline(own, color=OWN, lw=1, zorder=1)
        for y, (peer, row) in zip(at, table.iterrows()):
            value = float(row[measure])
            colour = OWN if peer == OWN_LABEL else OTHER
            if not np.isfinite(value):
                ax.annotate("not defined", (0.02, y), xycoords=("axes fraction", "data"), va="center", fontsize=7.5,
                            color=QUIET)
                continue
            low, high = own + float(row[f"{measure}_lower"]), own + float(row[f"{measure}_upper"])
            if peer != OWN_LABEL and np.isfinite([low, high]).all():
                ax.plot([max(low, -1), min(high, 1)], [y, y], color=colour, lw=3.5, alpha=0.3, solid_capstyle="butt",
                        zorder=2, gid="interval")
            ax.plot(value, y, "o", color=colour, ms=7 if peer == OWN_LABEL else 5.5, zorder=4, gid="score")
        known = table[measure].to_numpy(float)
        known = known[np.isfinite(known)]
        low = float(known.min()) if len(known) else 0.0
        ax.set(xlim=(min(0.5, np.floor(low * 10 - 0.5) / 10), 1.02), ylim=(len(table) - 0.4, -0.6))
        ax.set_title(MEASURES.get(measure, measure), fontsize=10)
        ax.xaxis.set_major_locator(MaxNLocator(4))
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
        ax.set_yticks(at, [fill(p, 60) for p in table.index] if k == 0 else [])
        if k == 0:
            for text, peer in zip(ax.get_yticklabels(), table.index):
                text.set(color=OWN if peer == OWN_LABEL else INK, fontsize=8.5,
                         fontweight="bold" if peer == OWN_LABEL else "normal")
    panels[0].set_xlabel(f"R, {int(table['n'].max()):,} five-year flows", fontsize=9, loc="left")
    for ax in panels[len(measures):]:
        ax.set_axis_off()
    return axes


def plot_method_totals(totals: pd.DataFrame, *, ax: Axes) -> Axes:
    """Moves of the world in five years by method, period by period, named where the lines end.

    Parameters
    ----------
    totals : peer, period (first year) and persons. A peer called ``truth`` is drawn heavier than the others.
    ax : where to draw.

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        For missing columns or no row.
    """
    figure = "plot_method_totals"
    _check_columns(figure, totals, ("peer", "period", "persons"))
    if not len(totals):
        raise _empty(figure, "total")
    colours = iter(plt.get_cmap("cividis")(np.linspace(0, 0.88, max(totals["peer"].nunique(), 2))))
    ends = []
    for peer, rows in totals.groupby("peer", sort=False):
        rows = rows.sort_values("period")
        special = peer in (TRUTH, OWN_LABEL)
        colour = INK if peer == TRUTH else OWN if peer == OWN_LABEL else next(colours)
        ax.plot(rows["period"] + 2.5, rows["persons"] / 1e6, "o-", color=colour, lw=2.6 if special else 1.5,
                ms=5 if special else 4, zorder=4 if special else 3, label=peer)
        last = rows.iloc[-1]
        ends.append((float(last["period"]) + 2.5, float(last["persons"]) / 1e6, peer, colour, special))
    ax.set(ylabel="million moves in five years", xlabel="", ylim=(0, None))
    starts = sorted(totals["period"].unique())
    ax.set_xticks([s + 2.5 for s in starts], [f"{s}–{(s + 5) % 100:02d}" for s in starts])
    _label_ends(ax, ends)
    return ax
