"""Charts: totals, corridors, scores, training, bookkeeping. Each takes data and axes and returns them, knows no model.

Lines and groups are named where they are drawn. Persons are drawn as log(1 + persons) where they span decades: zeros,
a quarter of all reported flows, then have a place of their own.
"""
from collections.abc import Mapping, Sequence
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from scipy.optimize import isotonic_regression

from ..errors import InputError
from ..results.offices import ALL, TRUSTED, of_offices
from ..results.summaries import split_corridor
from ..territories import territories
from .style import DIVERGING, GAIN, INK, LAND, LOSS, OTHER, OWN, PAPER, QUIET

OWN_LABEL = "humanflows"
SOURCE_TITLES = {
    "undesa_ims": "UN DESA migrant stock", "wpp": "UN World Population Prospects", "unhcr": "UNHCR",
    "conflict": "conflict deaths", "gdp": "GDP", "gravity": "distance and ties", "eu": "free movement",
    "national_net_migration": "national net migration", "trade": "trade", "undesa_imfsc": "UN DESA flows",
    "statsnz": "Stats NZ", "oecd": "OECD", "eurostat": "Eurostat", "meta": "Meta", "abel_cohen": "Abel & Cohen",
    "eurostat_imm1ctz": "Eurostat, citizenship", "eurostat_imm5prv": "Eurostat, residence",
    "eurostat_albania": "Eurostat, Albanians", "scb_sweden": "Statistics Sweden",
    "statsnz_citizenship": "Stats NZ, citizenship", "uk_nino": "UK National Insurance", "ons_uk": "ONS",
    "cso_ireland": "CSO Ireland", "dst_denmark": "Statistics Denmark", "us_niv": "US visas",
    "ircc_tr": "Canadian permits", "unhcr_more": "UNHCR, asylum and returns", "iom_gdidata": "IOM, borders",
    "eurostat_asytpsm": "Eurostat, temporary protection", "eurostat_resvalid": "Eurostat, valid permits",
}
# Dark enough for points on white, apart in lightness for readers who do not tell their hues apart.
COLLECTION_COLOURS = {"undesa_imfsc": "#1d2733", "eurostat": "#3b5b92", "oecd": "#2f9e77", "statsnz": "#8a7a5c",
                      "meta": "#7fb2e5", "eurostat_imm1ctz": "#54749f", "eurostat_imm5prv": "#2b4570",
                      "eurostat_albania": "#8795b5", "scb_sweden": "#b08a00", "statsnz_citizenship": "#a39478",
                      "uk_nino": "#b5675a", "ons_uk": "#8c3b3b", "cso_ireland": "#5f8f4e"}
SIDES = {"immigration": ("o", "counted on arrival"), "emigration": ("^", "counted on departure"),
         "both": ("D", "counted as moves")}
# title, what is better: the largest, the smallest, or the nearest to zero
METRICS = {
    "r": ("R", "largest"), "log_r": ("R of logarithms", "largest"), "cpc": ("share in common (CPC)", "largest"),
    "within_r": ("R within corridors", "largest"), "change_r": ("R of changes", "largest"),
    "abs_log_error": ("mean absolute log error", "smallest"), "log_bias": ("log bias", "zero"),
}
SEEN, UNSEEN = "#3b5b92", "#e8b04a"
_QUIETER = ("#3b5b92", "#2f9e77", "#6a4c93", "#8a7a5c", "#b3446c", "#1d2733")
# Terms of the negative log posterior, as the method's chapter calls them.
TERM_TITLES = {
    "reports": "reports", "lasting": "deviations of corridors", "bias": "biases of reports",
    "censored": "suppressed counts", "displaced": "displaced people", "stock": "stocks",
    "stock_difference": "stock differences", "foreign_born": "all foreign-born", "population": "population",
    "net_migration": "net migration", "population_error": "recounts", "gross": "moves without reports",
    "onward": "onward moves", "tie": "effects: ties", "direction": "effects: directions", "wave": "effects: waves",
    "course": "effects: corridors' years", "turnover": "effects: turnover",
    "scarce": "effects: pairs with few migrants", "balance": "effects: balance",
    "scalars": "effects: onward moves",
}
_SHOWN_TERMS = 9
_TERMS = ("#3b5b92", "#2f9e77", "#6a4c93", "#a8791c", "#2b8f9c", "#8a7a5c", "#b3446c")
_MARKERS = "osD^vPX"
_DENSITY = LinearSegmentedColormap.from_list("humanflows_density", ["#dce5f1", "#7fa3d1", OTHER, INK])
_HEX_FROM = 500  # cells: fewer are drawn one by one


def _empty(figure: str, what: str) -> InputError:
    return InputError(figure, f"no {what} to draw", f"give at least one {what}")


def _check_columns(figure: str, table: pd.DataFrame, columns: Sequence[str]) -> None:
    missing = [c for c in columns if c not in table.columns]
    if missing:
        raise InputError(figure, f"columns {missing} are missing", f"give a table with {list(columns)}", key=missing[0])


def _check_pair(figure: str, first, second) -> tuple[np.ndarray, np.ndarray]:
    """Two aligned float64 vectors of finite counts."""
    a, b = (np.asarray(v, dtype=np.float64).ravel() for v in (first, second))
    if a.shape != b.shape:
        raise InputError(figure, f"{len(a)} values beside {len(b)}", "give two numbers for each cell")
    if not len(a):
        raise _empty(figure, "cell")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise InputError(figure, "a value is missing or infinite", "drop the cells where either is missing")
    if min(a.min(), b.min()) < 0:
        raise InputError(figure, "a number of persons is negative", "give flows or stocks, not changes")
    return a, b


def _check_axes(figure: str, axes, needed: int) -> list[Axes]:
    flat = list(np.atleast_1d(np.asarray(axes, dtype=object)).ravel())
    if len(flat) < needed:
        raise InputError(figure, f"{needed} panels for {len(flat)} axes", "give one axes for each panel")
    return flat


def _short(persons: float) -> str:
    """0, 5, 20, 300, 1k, 20k, 3M, 1.4bn"""
    for unit, name in ((1e9, "bn"), (1e6, "M"), (1e3, "k")):
        if abs(persons) >= 0.9995 * unit:
            return f"{persons / unit:.3g}{name}"
    return f"{persons:.3g}"


def _note(value: float) -> str:
    if isinstance(value, str):
        return value
    if not np.isfinite(value):
        return "–"
    return f"{int(value):,}" if float(value).is_integer() and abs(value) > 1 else f"{value:.2f}"


def _label_ends(ax: Axes, ends: Sequence[tuple[float, float, str, str, bool]], *, width: int = 30,
                size: float = 9) -> list[Text]:
    """Write each line's name beside the axes at the height where the line ends, moved apart where names would meet.

    ``ends``: (x, y, name, colour, bold). Freezes the limits of the axes, on which the heights depend.
    """
    ax.set_xlim(ax.get_xlim())
    ax.set_ylim(ax.get_ylim())
    names = [fill(e[2], width) for e in ends]
    points = ax.get_window_extent().height * 72 / ax.get_figure(root=True).dpi  # height of the axes
    heights = np.array([(n.count("\n") + 1) * 1.22 * size + 0.35 * size for n in names]) / points
    wanted = ax.transAxes.inverted().transform(ax.transData.transform([(e[0], e[1]) for e in ends]))[:, 1]
    order = np.argsort(-wanted, kind="stable")[::-1]
    # Nearest heights that keep the order and do not overlap: isotonic regression after taking the names' room away.
    room = np.concatenate([[0], np.cumsum((heights[order][1:] + heights[order][:-1]) / 2)])
    placed = np.empty(len(ends))
    placed[order] = isotonic_regression(wanted[order] - room).x + room
    texts = []
    for (x, y, _, colour, bold), name, at in zip(ends, names, placed):
        texts.append(ax.annotate(
            name, xy=(x, y), xytext=(1.03, at), textcoords="axes fraction", va="center", color=colour, fontsize=size,
            fontweight="bold" if bold else "normal", annotation_clip=False, linespacing=1.05,
            arrowprops={"arrowstyle": "-", "color": colour, "lw": 0.6, "alpha": 0.6, "shrinkA": 1, "shrinkB": 3,
                        "relpos": (0, 0.5)}))
    return texts


def plot_total_flow(series: Mapping[str, tuple], *, ax: Axes, band: tuple | None = None) -> Axes:
    """Moves between all territories per year, by whose estimate it is.

    Parameters
    ----------
    series : by label, (years, persons per year), arrays of one length; years may be fractional. Numbers five years
        apart are means of five years around the year given and are drawn as such. ``"humanflows"`` stands out.
    ax : where to draw.
    band : (years, lower, upper) of the 95% interval of our own total, persons.

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        Without a series, or for one whose years and persons differ in length or are empty.
    """
    if not series:
        raise _empty("plot_total_flow", "series")
    if band is not None:
        years, lower, upper = (np.asarray(x, dtype=float) for x in band)
        ax.fill_between(years, lower / 1e6, upper / 1e6, color=OWN, alpha=0.13, lw=0, zorder=1)
    ends, quiet, top = [], 0, 0.0
    for label, (years, persons) in series.items():
        years, millions = np.asarray(years, dtype=float), np.asarray(persons, dtype=float) / 1e6
        if years.shape != millions.shape or years.ndim != 1:
            raise InputError("plot_total_flow", f"{years.shape} years for {millions.shape} numbers",
                             "give one number a year", key=label)
        keep = np.isfinite(millions)
        if not keep.any():
            raise InputError("plot_total_flow", "a series without numbers", "leave it out", key=label)
        order = np.argsort(years[keep])
        years, millions = years[keep][order], millions[keep][order]
        own = label == OWN_LABEL
        colour = OWN if own else _QUIETER[quiet % len(_QUIETER)]
        five = len(years) > 1 and np.all(np.diff(years) >= 4.5)
        if five:
            ax.hlines(millions, years - 2.5, years + 2.5, color=colour, lw=3 if own else 2.2, alpha=0.85, label=label)
            ax.plot(years, millions, ls=":", lw=0.8, color=colour, marker=_MARKERS[quiet % len(_MARKERS)], ms=4)
        else:
            ax.plot(years, millions, color=colour, lw=3 if own else 1.6, zorder=4 if own else 3, label=label,
                    marker="o" if len(years) == 1 else None, solid_capstyle="round")
        quiet += not own
        top = max(top, millions.max())
        ends.append((years[-1] + 2.5 * five, millions[-1], label, colour, own))
    if band is not None:
        top = min(max(top, upper.max() / 1e6), 1.5 * top)
    ax.set_ylim(0, top * 1.06 or 1)
    ax.margins(x=0.01)
    ax.set_ylabel("million persons a year")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_title("Moves between territories")
    _label_ends(ax, ends)
    return ax


def plot_corridors(flow: xr.DataArray, reports: pd.DataFrame, corridors: Sequence[str], *, axes,
                   bounds: xr.Dataset | None = None):
    """Estimates and what offices reported, a small panel for each corridor.

    Parameters
    ----------
    flow : (year, origin, destination), persons.
    reports : columns collection, side, criterion, year, origin, destination, persons; rows of other corridors are
        passed over. Colour tells the collection, the marker where people were counted; hollow markers count by
        citizenship or birthplace instead of residence.
    corridors : as ``"MEX-USA"``, origin first.
    axes : array of axes, at least one for each corridor; those left over are switched off.
    bounds : ``flow_lower, flow_upper``, ends of 95% intervals, drawn as a band. An axis reaches to twice the largest
        estimate or report at most: a wider band leaves it.

    Returns
    -------
    axes, as given

    Raises
    ------
    InputError
        Without corridors, for too few axes, or a corridor that the flow does not have.
    """
    if not len(corridors):
        raise _empty("plot_corridors", "corridor")
    _check_columns("plot_corridors", reports,
                   ("collection", "side", "criterion", "year", "origin", "destination", "persons"))
    panels = _check_axes("plot_corridors", axes, len(corridors))
    names = territories()["name"]
    collections, sides, hollow = [], [], False
    for ax, corridor in zip(panels, corridors):
        origin, destination = split_corridor(corridor)
        if origin not in flow.origin.values or destination not in flow.destination.values:
            raise InputError("plot_corridors", f"the flow has no {corridor}", "use territories of the flow", corridor)
        here = flow.sel(origin=origin, destination=destination)
        rows = reports[(reports.origin == origin) & (reports.destination == destination)]
        for (collection, side, criterion), cells in rows.groupby(["collection", "side", "criterion"], sort=True):
            colour, open_ = COLLECTION_COLOURS.get(collection, QUIET), criterion != "residence"
            ax.scatter(cells.year, cells.persons / 1e3, s=15, marker=SIDES.get(side, ("s", ""))[0], linewidths=0.9,
                       facecolors="none" if open_ else colour, edgecolors=colour, alpha=0.85, zorder=3)
            collections.append(collection)
            sides.append(side)
            hollow |= open_
        ax.plot(here.year, here.values / 1e3, color=OWN, lw=2.2, zorder=4)
        top = max(float(here.max()), rows.persons.max() if len(rows) else 0, 1e-3)
        if bounds is not None:
            low, high = (bounds[f"flow_{k}"].sel(origin=origin, destination=destination) for k in ("lower", "upper"))
            ax.fill_between(low.year, low.values / 1e3, high.values / 1e3, color=OWN, alpha=0.15, lw=0, zorder=2)
            top = min(max(top, float(high.max())), 2 * top)
        ax.set_ylim(0, top / 1e3 * 1.08)
        ax.set_title(f"{names.get(origin, origin)} → {names.get(destination, destination)}", fontsize=9.5, wrap=False)
        ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        ax.yaxis.set_major_locator(MaxNLocator(4))
        ax.tick_params(labelsize=8.5)
        position = ax.get_subplotspec()
        if position is None or position.is_first_col():
            ax.set_ylabel("thousand persons")
    for ax in panels[len(corridors):]:
        ax.set_axis_off()
    handles = [Line2D([], [], color=OWN, lw=2.2, label="estimate")]
    if bounds is not None:
        handles.append(Patch(color=OWN, alpha=0.15, lw=0, label="95% interval"))
    handles += [Line2D([], [], ls="", marker="s", color=COLLECTION_COLOURS.get(c, QUIET),
                       label=SOURCE_TITLES.get(c, c)) for c in dict.fromkeys(sorted(collections))]
    handles += [Line2D([], [], ls="", marker=SIDES.get(s, ("s",))[0], color=QUIET, label=SIDES.get(s, ("", s))[1])
                for s in (*(k for k in SIDES if k in sides), *sorted(set(sides) - set(SIDES)))]
    if hollow:
        handles.append(Line2D([], [], ls="", marker="o", markerfacecolor="none", color=QUIET,
                              label="hollow: by citizenship or birthplace"))
    figure = panels[0].get_figure()
    outside = "outside " if panels[0].get_figure(root=True).get_constrained_layout() else ""
    figure.legend(handles=handles, loc=f"{outside}lower center", ncols=min(len(handles), 5))
    return axes


def _log1p_ticks(ax: Axes, top: float) -> None:
    decades = np.concatenate([[0], 10.0 ** np.arange(0, np.ceil(np.log10(max(top, 1) + 1)) + 1)])
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_ticks(np.log10(1 + decades), [_short(d) for d in decades])
        axis.set_minor_formatter(NullFormatter())


def _one_to_one(ax: Axes, top: float) -> None:
    """Square axes from 0 to ``top`` persons with the line of equality and the band of a factor of two."""
    line = np.expm1(np.linspace(0, np.log1p(top * 3), 300))
    at = np.log10(1 + line)
    ax.fill_between(at, np.log10(1 + line / 2), np.log10(1 + line * 2), color=LAND, zorder=0.5, lw=0,
                    label="factor of two")
    ax.plot(at, at, color=INK, lw=0.8, zorder=2.5, label="equal")
    for factor in (0.5, 2):  # the band's edges again, above what is drawn on it
        ax.plot(at, np.log10(1 + line * factor), color=INK, lw=0.6, ls=(0, (4, 3)), alpha=0.5, zorder=2.5)
    # The strip of zeros, which log axes would hide.
    for strip in (ax.axvspan, ax.axhspan):
        strip(-0.12, 0.12, color="#f4ead9", zorder=0.4, lw=0)
    limits = (-0.12, np.log10(1 + top) + 0.15)
    ax.set(xlim=limits, ylim=limits)
    _log1p_ticks(ax, top)
    ax.set_aspect("equal", adjustable="box")
    ax.set(xlim=limits, ylim=limits)


def _density_scatter(figure: str, observed, estimated, ax: Axes, notes: Mapping[str, float], what: str) -> Axes:
    o, e = _check_pair(figure, observed, estimated)
    top = max(o.max(), e.max(), 10.0)
    _one_to_one(ax, top)
    x, y = np.log10(1 + o), np.log10(1 + e)
    if len(o) >= _HEX_FROM:
        cells = ax.hexbin(x, y, gridsize=55, cmap=_DENSITY, norm=LogNorm(), mincnt=1, linewidths=0.1, zorder=2,
                          extent=(0, np.log10(1 + top), 0, np.log10(1 + top)))
        slim = ax.inset_axes([0.66, 0.115, 0.30, 0.022])
        bar = ax.get_figure().colorbar(cells, cax=slim, orientation="horizontal")
        bar.ax.tick_params(labelsize=7, length=2, pad=1)
        bar.ax.set_title(f"{what} per hexagon", fontsize=7.5, fontweight="normal", pad=3, loc="center")
        bar.ax.xaxis.set_minor_locator(LogLocator(subs=()))
        bar.ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: _short(v)))
        bar.outline.set_visible(False)
        ax.set_xlim(ax.get_ylim())
    else:
        ax.scatter(x, y, s=16, color=OTHER, alpha=0.55, linewidths=0, zorder=3)
    lines = [f"{k} {_note(v)}" for k, v in notes.items()]
    positive = (o > 0) & (e > 0)
    if positive.any():
        near = np.abs(np.log2(e[positive] / o[positive])) <= 1
        above = "" if positive.all() else ", of those above 0"
        lines.append(f"{near.mean():.0%} within a factor of two{above}")
    zero = o == 0
    if zero.any():
        lines.append(f"{zero.mean():.0%} reported as 0" if what == "cells" else f"{zero.mean():.0%} are 0")
        middle = float(np.median(e[zero]))
        lines.append(f"  there, median estimate {_short(middle) if middle >= 10 else f'{middle:.2g}'}")
    ax.text(0.05, 0.97, "\n".join(lines), transform=ax.transAxes, va="top", fontsize=8.5, linespacing=1.35,
            zorder=5, bbox={"facecolor": PAPER, "alpha": 0.8, "edgecolor": "none", "pad": 2})
    return ax


def plot_held_out_scatter(observed, estimated, *, ax: Axes, notes: Mapping[str, float] | None = None) -> Axes:
    """Reported flows of corridors that fitting never saw, against the estimates; where it is darker, more cells lie.

    Parameters
    ----------
    observed, estimated : persons, arrays (cell,). Both axes show log(1 + persons); zeros lie in the tinted strip.
    ax : where to draw.
    notes : numbers to write into the corner, by name.

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        For no cells, different lengths, missing or negative numbers.
    """
    _density_scatter("plot_held_out_scatter", observed, estimated, ax, notes or {}, "cells")
    ax.set(xlabel="reported, persons a year", ylabel="estimated, persons a year")
    return ax


def plot_stock_fit(observed, estimated, *, ax: Axes, notes: Mapping[str, float] | None = None) -> Axes:
    """Migrant stocks as counted against those of the estimated state. Parameters as :func:`plot_held_out_scatter`."""
    _density_scatter("plot_stock_fit", observed, estimated, ax, notes or {}, "stocks")
    ax.set(xlabel="counted stock, persons", ylabel="estimated stock, persons")
    return ax


def _score_groups(scores, collection, horizon, criterion):
    here = scores[(scores.collection == collection) & (scores.horizon == horizon) & (scores.criterion == criterion)]
    if not len(here):
        raise InputError("plot_score_table", "no scores to draw", "ask for a collection, horizon and criterion in the "
                         "table", key=f"{collection}, {horizon}, {criterion}")
    sides = [s for s in ("immigration", "emigration", "both") if (here.side == s).any()]
    return [(s, here[here.side == s].set_index("peer")) for s in sides]


def _best(values: np.ndarray, better: str) -> int | None:
    if not np.isfinite(values).any():
        return None
    return int(np.nanargmax({"largest": values, "smallest": -values, "zero": -np.abs(values)}[better]))


def plot_score_table(scores: pd.DataFrame, *, ax: Axes, collection: str = "undesa_imfsc", horizon: str = "annual",
                     metrics: Sequence[str] = ("r", "log_r", "cpc", "within_r"), criterion: str = "residence",
                     offices: str = ALL) -> Axes:
    """Scores as dots on one scale per measure; every peer a row, and again for each side that counted.

    The best of a column is ringed. Peers are ordered by the first measure, best first. What each had learned from is
    written below where the table says it: the same cells are not the same information.

    Parameters
    ----------
    scores : as ``results.scores.score_table`` makes it: collection, side, criterion, horizon, peer, n and the metrics.
    ax : its room is divided among the panels, which are its ``child_axes``; nothing is drawn on itself.
    collection, horizon, criterion : rows shown.
    metrics : columns shown, in this order.
    offices : against "all" reports or those of "trusted" offices.

    Returns
    -------
    Axes, switched off; its ``child_axes`` hold one panel per metric.

    Raises
    ------
    InputError
        For no such scores, or a metric that the table does not have.
    """
    if not len(scores) or not len(metrics):
        raise _empty("plot_score_table", "score")
    _check_columns("plot_score_table", scores, ("collection", "side", "criterion", "horizon", "peer", "n", *metrics))
    groups = _score_groups(of_offices(scores, offices), collection, horizon, criterion)
    better = {m: METRICS.get(m, (m, "largest"))[1] for m in metrics}
    everyone = pd.concat([g for _, g in groups])
    rank = everyone.groupby(level=0)[metrics[0]].mean()
    rank = {"largest": -rank, "smallest": rank, "zero": rank.abs()}[better[metrics[0]]]
    peers = rank.sort_values(kind="stable").index.tolist()
    rows, at = [], 0.0        # (height, peer, values)
    headings = []
    for side, group in groups:
        headings.append((at, f"{SIDES.get(side, ('', side))[1]} ({side}), {int(group.n.max()):,} cells"))
        at += 1
        for peer in (p for p in peers if p in group.index):
            rows.append((at, peer, side))
            at += 1
        at += 0.35
    ax.set_axis_off()
    ax.set_title(f"{SOURCE_TITLES.get(collection, collection)}, by {criterion}, "
                 f"{'annual flows' if horizon == 'annual' else 'five-year sums'}"
                 f"{', trusted offices' if offices == TRUSTED else ''}", pad=24)
    gap = 0.035
    width = (1 - gap * (len(metrics) - 1)) / len(metrics)
    tables = dict(groups)
    for k, metric in enumerate(metrics):
        panel = ax.inset_axes([k * (width + gap), 0, width, 1], facecolor="none")  # headings reach across panels
        low, high = _score_limits(everyone[metric].to_numpy(float), better[metric])
        panel.set(xlim=(low, high + 0.05 * (high - low)), ylim=(at - 0.6, -0.75))
        for side, group in groups:
            mine = [(y, p) for y, p, s in rows if s == side]
            best = _best(np.array([group.at[p, metric] for _, p in mine], dtype=float), better[metric])
            for i, (y, peer) in enumerate(mine):
                _score_dot(panel, y, float(tables[side].at[peer, metric]), peer == OWN_LABEL, i == best, low, high,
                           0.0 if better[metric] == "zero" else low)
        if better[metric] == "zero":
            panel.axvline(0, color=QUIET, lw=0.8, zorder=1)
        arrow = {"largest": "better →", "smallest": "← better", "zero": "best at 0"}[better[metric]]
        panel.set_title(METRICS.get(metric, (metric,))[0], fontsize=9.5, pad=4)
        panel.set_xlabel(arrow, fontsize=8, color=QUIET, loc="left" if better[metric] == "smallest" else "right")
        panel.xaxis.set_major_locator(MaxNLocator(3))
        panel.tick_params(labelsize=8, length=0)
        panel.grid(False, axis="y")
        panel.spines["left"].set_visible(False)
        width_of_names = 34 if len(rows) <= 12 else 60      # many rows have no room for a second line each
        panel.set_yticks([y for y, _, _ in rows], [fill(p, width_of_names) for _, p, _ in rows] if k == 0 else [])
        if k == 0:
            for text, (_, peer, _) in zip(panel.get_yticklabels(), rows):
                text.set(color=OWN if peer == OWN_LABEL else INK,
                         fontweight="bold" if peer == OWN_LABEL else "normal", fontsize=9, linespacing=0.95)
            for y, text in headings:
                panel.annotate(text, (0, y), xycoords=("axes fraction", "data"), fontsize=9, color=QUIET,
                               va="center", ha="left", annotation_clip=False)
    _learned_from(ax, everyone, peers)
    return ax


def _score_limits(values: np.ndarray, better: str) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    if not len(known):
        return 0.0, 1.0
    if better == "largest":
        return float(min(0.6, np.floor(known.min() * 5 - 0.25) / 5)), 1.0
    if better == "smallest":
        return 0.0, float(known.max() * 1.15 or 1)
    reach = float(np.abs(known).max() * 1.25 or 1)
    return -reach, reach


def _score_dot(panel: Axes, y: float, value: float, own: bool, best: bool, low: float, high: float,
               start: float) -> None:
    colour = OWN if own else OTHER
    if not np.isfinite(value):
        panel.text(low, y, "not defined", color=QUIET, fontsize=7.5, va="center")
        return
    panel.plot([start, value], [y, y], color=colour, lw=0.8, alpha=0.35, zorder=2)
    panel.plot(value, y, "o", color=colour, ms=7 if own else 5.5, zorder=4, clip_on=False)
    if best:
        panel.plot(value, y, "o", markerfacecolor="none", color=INK, ms=11, mew=0.9, zorder=5, clip_on=False)
    right = value < low + 0.72 * (high - low)
    panel.annotate(f"{value:.2f}".replace("-", "−"), (value, y), xytext=(8 if right else -8, 0),
                   textcoords="offset points", va="center", ha="left" if right else "right", fontsize=8,
                   color=colour if own else INK, fontweight="bold" if best else "normal", zorder=6,
                   bbox={"facecolor": PAPER, "alpha": 0.85, "edgecolor": "none", "pad": 0.4})


def _learned_from(ax: Axes, table: pd.DataFrame, peers: Sequence[str]) -> None:
    if "learned_from" not in table:
        return
    said = table["learned_from"].dropna().groupby(level=0).first()
    lines = [f"{', '.join(p for p in peers if said.get(p) == text)}: {text}"
             for text in dict.fromkeys(said[p] for p in peers if said.get(p))]
    if lines:
        inches = ax.get_window_extent().width / ax.get_figure(root=True).dpi
        wrap = max(60, int(inches * 17))
        ax.annotate("What each learned from\n" + "\n".join(fill(n, wrap, subsequent_indent="   ") for n in lines),
                    (0, 0), xytext=(0, -36), xycoords="axes fraction", textcoords="offset points", va="top",
                    fontsize=7.5, color=QUIET, linespacing=1.3, annotation_clip=False)


def plot_training(history: pd.DataFrame, *, axes: Sequence[Axes], settled: int = 0) -> list[Axes]:
    """What each term of the log posterior gains over the epochs, and the score that chooses one of them.

    Parameters
    ----------
    history : columns epoch, loss (negative log posterior, nats), validation (negative log score, nats a report;
        missing in epochs without it), and a column for each term of the loss, nats. Any of them may be below zero: the
        logarithm of a density has no bound.
    axes : two. The first shows each term as its change since the first epoch (terms that change least as their sum),
        the second the score on validation corridors.
    settled : first epoch from which the best one is chosen.

    Returns
    -------
    list of both axes

    Raises
    ------
    InputError
        Without rows, columns or two axes, or where validation was never measured.
    """
    left, right = _check_axes("plot_training", axes, 2)[:2]
    if not len(history):
        raise _empty("plot_training", "epoch")
    _check_columns("plot_training", history, ("epoch", "loss", "validation"))
    epoch = history["epoch"].to_numpy()
    validation = history["validation"].to_numpy(float)
    seen = np.isfinite(validation)
    if not seen.any():
        raise InputError("plot_training", "validation was never measured", "give a history with it", key="validation")
    eligible = np.where((epoch >= settled) & seen, validation, np.inf)
    best = int(np.argmin(eligible if np.isfinite(eligible).any() else np.where(seen, validation, np.inf)))

    ends = []
    changes = _largest_changes(history.select_dtypes("number").drop(columns=["epoch", "loss", "validation"]))
    for k, (name, values) in enumerate(changes.items()):
        colour, style = _TERMS[k % len(_TERMS)], ("-", "--", "-.", ":")[k % 4]
        left.plot(epoch, values, color=colour, lw=1.2, ls=style, label=name)
        ends.append((epoch[-1], float(values.iloc[-1]), name, colour, False))
    loss = history["loss"].to_numpy(float) - float(history["loss"].iloc[0])
    left.plot(epoch, loss, color=INK, lw=1.8, label="loss")
    ends.append((epoch[-1], float(loss[-1]), "all terms", INK, True))
    left.axhline(0, color=QUIET, lw=0.8, zorder=0)
    left.set_yscale("symlog", linthresh=10)   # nats: what is less makes no difference, and losses and gains both count
    left.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:+,.0f}".replace("-", "−") if v else "0"))
    left.set(xlabel="epoch", ylabel="change since the first epoch, nats", title="Negative log posterior")
    left.margins(x=0.01)
    _label_ends(left, [e for e in ends if np.isfinite(e[1])])

    right.plot(epoch[seen], validation[seen], color=OWN, lw=2.2, marker="o", ms=3, label="validation")
    right.axvline(epoch[best], color=OWN, lw=0.9, ls=":", zorder=1)
    right.plot(epoch[best], validation[best], "o", ms=10, markerfacecolor="none", color=OWN, mew=1.4, zorder=6)
    right.annotate(f"best epoch {epoch[best]}", (epoch[best], 1), xycoords=("data", "axes fraction"), xytext=(-4, -3),
                   textcoords="offset points", ha="right" if epoch[best] > np.median(epoch) else "left", va="top",
                   fontsize=8.5, color=OWN)
    right.set(xlabel="epoch", ylabel="negative log score, nats a report", title="Validation corridors")
    return [left, right]


def _largest_changes(terms: pd.DataFrame) -> pd.DataFrame:
    """Change of each term since its first epoch, by name as readers know it; the smallest ones are added up."""
    changes = terms - terms.iloc[0]
    order = changes.abs().max().sort_values(ascending=False, kind="stable").index
    shown, others = order[:_SHOWN_TERMS], order[_SHOWN_TERMS:]
    if len(others) == 1:
        shown, others = order, others[:0]
    out = changes[shown].rename(columns=lambda name: TERM_TITLES.get(name, name.replace("_", " ")))
    return out.assign(**{f"{len(others)} others": changes[others].sum(axis=1)}) if len(others) else out


def plot_provenance_matrix(counts: pd.DataFrame, *, ax: Axes) -> Axes:
    """How many numbers each source gives for each year.

    Parameters
    ----------
    counts : index source, columns year, numbers of numbers; zero or missing is left white. Rows are drawn as given.
    ax : where to draw.

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        For an empty table, one with nothing in it, or negative counts.
    """
    if not counts.size or not np.nansum(counts.to_numpy(float)):
        raise _empty("plot_provenance_matrix", "number")
    if np.nanmin(counts.to_numpy(float)) < 0:
        raise InputError("plot_provenance_matrix", "a count is negative", "give numbers of numbers")
    shown = counts.astype(float).where(counts > 0)
    shown.index = [SOURCE_TITLES.get(s, str(s).replace("_", " ")) for s in counts.index]
    least, high = float(np.nanmin(shown.to_numpy())), max(10.0, float(np.nanmax(shown.to_numpy())))
    low = 10.0 ** np.floor(np.log10(min(least, high / 10)))
    sns.heatmap(shown, ax=ax, cmap=_DENSITY, norm=LogNorm(low, high), linewidths=0.6, linecolor=PAPER,
                xticklabels=False, cbar_kws={"label": "numbers in a year", "pad": 0.09, "shrink": 0.8})
    years = [str(c) for c in counts.columns]
    step = max(1, round(len(years) / 8))
    ax.set_xticks(np.arange(0, len(years), step) + 0.5, years[::step], rotation=0)
    ax.set_yticks(np.arange(len(shown)) + 0.5, shown.index, rotation=0)
    ax.tick_params(length=0)
    for k, total in enumerate(shown.sum(axis=1)):
        ax.annotate(_short(total), (1.01, k + 0.5), xycoords=("axes fraction", "data"), va="center", fontsize=8.5,
                    color=QUIET, annotation_clip=False)
    ax.annotate("in all", (1.01, 1), xycoords="axes fraction", xytext=(0, 4), textcoords="offset points", fontsize=8.5,
                color=QUIET, annotation_clip=False)
    ax.grid(False)
    ax.set(xlabel="", ylabel="", title="Numbers that each source gives")
    return ax


def plot_accounting_example(stock_before: pd.Series, births: pd.Series, deaths: pd.Series, inflow: pd.Series,
                            outflow: pd.Series, stock_after: pd.Series, *, axes):
    """The bookkeeping of a year, a panel per territory: who was there, who came, who left, who is there.

    Levels are lines, not bars, because the axis does not start at zero. Where the account does not close, what is left
    over is drawn, hatched.

    Parameters
    ----------
    stock_before, births, deaths, inflow, outflow, stock_after : persons, indexed by territory; a panel for each in the
        order of ``stock_before``.
    axes : as many axes as territories, or more (switched off).

    Returns
    -------
    axes, as given

    Raises
    ------
    InputError
        Without territories, for too few axes, or a territory that some series does not have.
    """
    places = list(stock_before.index)
    if not places:
        raise _empty("plot_accounting_example", "territory")
    for label, s in (("births", births), ("deaths", deaths), ("inflow", inflow), ("outflow", outflow),
                     ("stock_after", stock_after)):
        missing = [p for p in places if p not in s.index or not np.isfinite(s[p])]
        if missing:
            raise InputError("plot_accounting_example", f"{label} has nothing for {missing[0]}",
                             "give all six numbers of every territory", key=missing[0])
    panels = _check_axes("plot_accounting_example", axes, len(places))
    names = territories()["name"]
    for ax, place in zip(panels, places):
        steps = [("born", births[place], GAIN), ("died", -deaths[place], LOSS), ("arrived", inflow[place], GAIN),
                 ("left", -outflow[place], LOSS)]
        _waterfall(ax, float(stock_before[place]), [(n, float(v), c) for n, v, c in steps], float(stock_after[place]))
        ax.set_title(names.get(place, place))
    for ax in panels[len(places):]:
        ax.set_axis_off()
    return axes


def _waterfall(ax: Axes, before: float, steps: list[tuple[str, float, str]], after: float) -> None:
    rest = after - before - sum(v for _, v, _ in steps)
    # Estimates are stored in single precision: that much is rounding, not a gap in the account.
    if abs(rest) > max(0.5, 1e-6 * abs(after)):
        steps = [*steps, ("left over", rest, QUIET)]
    unit, name = (1e6, "million persons") if max(before, after) >= 2e6 else (1e3, "thousand persons")
    levels = before + np.concatenate([[0], np.cumsum([v for _, v, _ in steps])])
    low, high = min(levels.min(), after), max(levels.max(), after)
    pad = 0.14 * (high - low) or 0.05 * max(high, 1)
    for k, (label, value, colour) in enumerate(steps, start=1):
        start, end = levels[k - 1], levels[k]
        ax.bar(k, value / unit, bottom=start / unit, width=0.62, color=colour, zorder=3, label=label,
               hatch="////" if label == "left over" else None, edgecolor=PAPER)
        ax.plot([k - 1, k + 0.31], [start / unit] * 2, color=QUIET, lw=0.8, zorder=2)
        sign, at, va = ("+", 3, "bottom") if value >= 0 else ("−", -3, "top")
        ax.annotate(f"{sign}{_short(abs(value))}", (k, end / unit), xytext=(0, at), textcoords="offset points",
                    ha="center", va=va, fontsize=8.5, color=colour)
    last = len(steps) + 1
    ax.plot([last - 1, last], [levels[-1] / unit] * 2, color=QUIET, lw=0.8, zorder=2)
    for x, level in ((0, before), (last, after)):
        ax.plot([x - 0.36, x + 0.36], [level / unit] * 2, color=INK, lw=4, solid_capstyle="butt", zorder=4)
        ax.annotate(f"{level / unit:,.2f}" if unit == 1e6 else f"{level / unit:,.1f}", (x, level / unit),
                    xytext=(0, 5), textcoords="offset points", ha="center", fontsize=8.5, fontweight="bold")
    ax.set_xticks(range(last + 1), ["1 Jan", *(n for n, _, _ in steps), "next\n1 Jan"], fontsize=8)
    ax.set(ylim=((low - pad) / unit, (high + pad) / unit), ylabel=name)
    ax.grid(False, axis="x")
    ax.ticklabel_format(axis="y", useOffset=False)
    ax.yaxis.set_major_locator(MaxNLocator(5))


def plot_true_vs_estimated(true, estimated, *, ax: Axes, observed=None) -> Axes:
    """A simulated world's flows as they were and as they are estimated, corridors with and without a report apart.

    Points, and over them the median estimate of flows of like size with the band of the middle four fifths.

    Parameters
    ----------
    true, estimated : persons, arrays (cell,); drawn as log(1 + persons).
    ax : where to draw.
    observed : bool array (cell,), whether anybody reported the corridor; None draws one colour.

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        For no cells, different lengths, missing or negative numbers.
    """
    t, e = _check_pair("plot_true_vs_estimated", true, estimated)
    groups = [(np.ones(len(t), dtype=bool), OTHER, "all corridors")]
    if observed is not None:
        seen = np.asarray(observed).ravel().astype(bool)
        if len(seen) != len(t):
            raise InputError("plot_true_vs_estimated", f"{len(seen)} marks for {len(t)} cells", "mark every cell",
                             key="observed")
        # The fewer on top.
        groups = sorted([(seen, SEEN, "corridors with a report"), (~seen, UNSEEN, "corridors never reported")],
                        key=lambda g: -g[0].sum())
    top = max(t.max(), e.max(), 10.0)
    _one_to_one(ax, top)
    x, y = np.log10(1 + t), np.log10(1 + e)
    row = 0
    for k, (mask, colour, label) in enumerate(groups):
        if not mask.any():
            continue
        ax.scatter(x[mask], y[mask], s=5, color=colour, alpha=float(np.clip(4000 / mask.sum(), 0.06, 0.6)),
                   linewidths=0, rasterized=True, zorder=2 + 0.1 * k, label=label)
        _running_median(ax, x[mask], y[mask], colour, zorder=4 + k, width=4.5 - 2.5 * k)
    for mask, colour, label in groups:
        positive = mask & (t > 0) & (e > 0)
        near = np.abs(np.log2(e[positive] / t[positive])) <= 1 if positive.any() else np.array([np.nan])
        if mask.any():
            ax.text(0.05, 0.965 - 0.1 * row, f"{label}, {mask.sum():,} cells\n", transform=ax.transAxes, va="top",
                    fontsize=9, fontweight="bold", color=sns.dark_palette(colour, 4, reverse=True).as_hex()[1])
            ax.text(0.05, 0.965 - 0.1 * row, f"\n{near.mean():.0%} within a factor of two", transform=ax.transAxes,
                    va="top", fontsize=8.5)
            row += 1
    ax.set(xlabel="true flow, persons a year", ylabel="estimated flow, persons a year")
    return ax


def _running_median(ax: Axes, x: np.ndarray, y: np.ndarray, colour: str, zorder: float,
                    width: float) -> None:
    bins = pd.cut(x, np.arange(-0.125, x.max() + 0.5, 0.25))
    by = pd.DataFrame({"x": x, "y": y}).groupby(bins, observed=True)
    table = by.agg(x=("x", "mean"), n=("y", "size"), middle=("y", "median"), low=("y", lambda v: v.quantile(0.1)),
                   high=("y", lambda v: v.quantile(0.9)))
    table = table[table.n >= 20]
    if len(table) > 1:
        ax.fill_between(table.x, table.low, table.high, color=colour, alpha=0.22, lw=0, zorder=zorder)
        ax.plot(table.x, table.middle, color=PAPER, lw=width + 1.4, zorder=zorder)
        ax.plot(table.x, table.middle, color=colour, lw=width, zorder=zorder)


def _witness_label(witness: str) -> str:
    """``undesa_imfsc|DEU|emigration|residence|…`` as "Germany, departures (UN DESA flows)"."""
    source, reporter, side, criterion = (str(witness).split("|") + [""] * 4)[:4]
    who = territories()["name"].get(reporter, reporter)
    counted = {"immigration": "arrivals", "emigration": "departures", "both": "moves"}.get(side, side)
    by = f" by {criterion}" if criterion not in ("residence", "") else ""
    parts = [p for p in (who, f"{counted}{by}") if p]
    title = SOURCE_TITLES.get(source, source)
    return f"{', '.join(parts)} ({title})" if parts else title


def plot_biases(table: pd.DataFrame, *, ax: Axes, largest: int = 24) -> Axes:
    """Which offices count fewer or more moves than the estimates, as learned.

    Parameters
    ----------
    table : columns witness (a panel's label, ``source|reporter|side|criterion|…``, or any name) and log_bias (natural
        log of reported over estimated).
    ax : where to draw.
    largest : how many to show, those furthest from none.

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        Without rows or columns, or for a bias that is not finite.
    """
    if not len(table):
        raise _empty("plot_biases", "witness")
    _check_columns("plot_biases", table, ("witness", "log_bias"))
    if not np.isfinite(table["log_bias"]).all():
        raise InputError("plot_biases", "a bias is not finite", "drop it", key="log_bias")
    order = table["log_bias"].abs().sort_values(ascending=False, kind="stable").index[:largest]
    shown = table.loc[order].sort_values("log_bias", kind="stable")
    height, factor = np.arange(len(shown)), np.exp(shown["log_bias"].to_numpy(float))
    colours = np.where(factor < 1, LOSS, GAIN)
    ax.hlines(height, 1, factor, color=colours, lw=1, alpha=0.5)
    ax.scatter(factor, height, c=colours, s=34, zorder=3)
    ax.axvline(1, color=INK, lw=0.9)
    ax.set_xscale("log")
    reach = float(np.exp(np.abs(shown["log_bias"]).max() * 1.9 + 0.1))
    ax.set_xlim(1 / reach, reach)
    steps = (0.5, 0.67, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2) if reach < 2.5 else (
        0.01, 0.03, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 100)
    ticks = [f for f in steps if 1 / reach <= f <= reach]
    ax.set_xticks(ticks, [f"{t:g}×" for t in ticks])
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.xaxis.set_minor_locator(LogLocator(subs=()))
    for y, f, colour in zip(height, factor, colours):
        words = f"reports {_words(f)}"
        ax.annotate(words, (f, y), xytext=(-7 if f < 1 else 7, 0), textcoords="offset points", va="center",
                    ha="right" if f < 1 else "left", fontsize=8, color=colour)
    ax.set_yticks(height, [_witness_label(w) for w in shown["witness"]], fontsize=8.5)
    ax.set_ylim(-0.8, len(shown) - 0.2)
    ax.grid(False, axis="y")
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("reported over estimated (log scale)")
    ax.set_title("Learned biases" + (f", the {len(shown)} largest of {len(table)}" if len(shown) < len(table) else ""))
    return ax


def _words(factor: float) -> str:
    percent = round(abs(factor - 1) * 100)
    if percent == 0:
        return "as many"
    if factor >= 2:
        return f"{factor:.1f} times as many"
    return f"{percent}% {'fewer' if factor < 1 else 'more'}"


def plot_features(names: Sequence[str], values, *, ax: Axes) -> Axes:
    """How far the features of a pair tell the same story: their correlations.

    Parameters
    ----------
    names : of k features.
    values : (k, k), their correlations; or (n, k), the features, whose correlations are then taken. A square array is
        read as correlations where it is symmetric with a diagonal of ones. Features that never vary have none and are
        left grey.
    ax : where to draw.

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        Without names, or when there are not as many columns.
    """
    if not len(names):
        raise _empty("plot_features", "feature")
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != len(names) or not len(values):
        raise InputError("plot_features", f"an array {values.shape} for {len(names)} names",
                         "give one column for each name")
    if values.shape[0] != values.shape[1] or not np.allclose(values, values.T, equal_nan=True) \
            or not np.allclose(np.diagonal(values)[~np.isnan(np.diagonal(values))], 1):
        values = pd.DataFrame(values).corr().to_numpy()
    labels = [str(n).replace("_", " ") for n in names]
    frame = pd.DataFrame(values, index=labels, columns=labels)
    hide = np.triu(np.ones_like(values, dtype=bool), k=1)
    few = len(names) <= 14
    words = [[f"{v + 0.0:.1f}".replace("-", "−") for v in row] for row in np.round(values, 1)]
    ax.set_facecolor(PAPER)
    # Grey below what is drawn shows where a correlation is not defined.
    for i, j in zip(*np.nonzero(np.isnan(values) & ~hide)):
        ax.add_patch(plt.Rectangle((j, i), 1, 1, color=LAND, lw=0))
    sns.heatmap(frame, ax=ax, mask=hide, cmap=DIVERGING, vmin=-1, vmax=1, annot=words if few else None, fmt="",
                square=True, annot_kws={"fontsize": 7.5}, linewidths=0.5, linecolor=PAPER,
                cbar_kws={"label": "correlation (Pearson's R)", "shrink": 0.6})
    ax.grid(False)
    ax.tick_params(length=0, labelsize=8.5)
    ax.set_xticks(np.arange(len(labels)) + 0.5, labels, rotation=45, ha="right", rotation_mode="anchor")
    ax.set_yticks(np.arange(len(labels)) + 0.5, labels, rotation=0)
    ax.set_title("Correlation of features")
    return ax
