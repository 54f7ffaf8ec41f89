"""Figures of where the estimates are wrong. Tables of ``results.errors`` in, figures out, no model.

How many rows and panels there are depends on the table, and the height with it: each function makes its own figure.
"""
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ..errors import InputError
from ..results.error_terms import COMPONENT_COLUMNS, GROUPS, why_in_words
from .charts import COLLECTION_COLOURS, SOURCE_TITLES, _check_columns, _check_pair, _empty, _short
from .recovery import _corridor_name, _short_name
from .style import DATA, INK, LAND, OTHER, OWN, PAPER, QUIET

SHOWN = 12      # worst corridors in a panel
# Dark enough for words on white, and told apart with any sight (tests/plotting/test_error_figures.py).
SIDE_STYLES = {"immigration": (OTHER, "o", "arrivals, counted by the destination"),
               "emigration": ("#c07a12", "^", "departures, counted by the origin")}
PARTS = {"level": (OTHER, "level: all that a witness counts"), "pattern": ("#e8b04a", "pattern: between corridors"),
         "time": ("#2f9e77", "time: between years of a corridor")}
_MARKERS = {"immigration": "o", "emigration": "^", "both": "D"}
_LEGEND = {"frameon": False, "fontsize": 8.5, "handlelength": 1.4, "columnspacing": 1.6, "handletextpad": 0.6}
_MEASURES = {"bias": ("bias", "bias_lower", "bias_upper", "estimated over reported, geometric mean"),
             "abs_error": ("abs_error", "abs_lower", "abs_upper", "factor between the two, geometric mean")}


def plot_worst_corridors(table: pd.DataFrame, *, number: int = SHOWN) -> Figure:
    """Reported and estimated means of the corridors with the largest share of the error, joined by a line.

    Parameters
    ----------
    table : as ``results.errors.worst_corridors`` makes it; with a column ``set`` a panel for each.
    number : of corridors in a panel, from the top of the table.

    Returns
    -------
    Figure; the hints of the data stand beside each row.

    Raises
    ------
    InputError
        For missing columns, no row, or a mean that is missing or negative.
    """
    what = "plot_worst_corridors"
    _check_columns(what, table, ("corridor", "reporter", "collection", "side", "reported", "estimated", "why",
                                 "other_reported", "share"))
    if not len(table):
        raise _empty(what, "corridor")
    _check_pair(what, table["reported"], table["estimated"])
    sets = [(k, t.head(number)) for k, t in table.groupby("set", sort=False)] if "set" in table else [
        ("", table.head(number))]
    rows = [len(t) for _, t in sets]
    figure, axes = plt.subplots(len(sets), 1, figsize=(12, 0.9 + sum(0.34 * r + 0.75 for r in rows)), sharex=True,
                                squeeze=False, height_ratios=[r + 1.6 for r in rows])
    top = float(np.nanmax(table[["reported", "estimated", "other_reported"]].to_numpy(float)))
    for ax, (name, here) in zip(axes[:, 0], sets):
        _dumbbells(ax, here, top)
        share = f"these rows are {here['share'].sum():.0%} of the error"
        ax.set_title(f"Counted {name}: {share}" if name else share.capitalize())
    axes[-1, 0].set_xlabel("persons a year, mean of the years reported")
    handles = [Line2D([], [], ls="", marker="o", color=DATA, label="reported"),
               Line2D([], [], ls="", marker="o", color=OWN, label="estimated"),
               Line2D([], [], ls="", marker="D", color=OTHER, markerfacecolor="none", label="another source")]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, **_LEGEND)
    return figure


def _dumbbells(ax: Axes, table: pd.DataFrame, top: float) -> None:
    at = np.arange(len(table))
    reported, estimated, other = (np.log10(1 + table[c].to_numpy(float))
                                  for c in ("reported", "estimated", "other_reported"))
    ax.hlines(at, reported, estimated, color=QUIET, lw=1.6, zorder=2)
    ax.scatter(other, at, marker="D", s=34, facecolors="none", edgecolors=OTHER, linewidths=1.3, zorder=3,
               label="another source")
    ax.scatter(reported, at, color=DATA, s=40, zorder=4, label="reported")
    ax.scatter(estimated, at, color=OWN, s=40, zorder=5, label="estimated")
    ax.set_yticks(at, [f"{_corridor_name(c)}   " + _told_by(r, k) for c, r, k in
                       zip(table["corridor"], table["reporter"], table["collection"])], fontsize=8.5)
    decades = np.concatenate([[0], 10.0 ** np.arange(0, np.ceil(np.log10(top + 1)) + 1)])
    ax.set_xticks(np.log10(1 + decades), [_short(d) for d in decades])
    ax.tick_params(axis="x", labelbottom=True)
    ax.tick_params(axis="y", length=0)
    ax.set(xlim=(-0.1, np.log10(1 + top) + 0.15), ylim=(len(table) - 0.4, -0.6))
    ax.grid(False, axis="y")
    ax.spines["left"].set_visible(False)
    for y, why in zip(at, table["why"]):
        ax.annotate(why_in_words(why), (1, y), xytext=(8, 0), xycoords=("axes fraction", "data"),
                    textcoords="offset points", va="center", fontsize=8, color=INK, annotation_clip=False)


def _told_by(reporter: str, collection: str) -> str:
    who = reporter if len(reporter) != 3 else _short_name(reporter, 16)
    return f"({who}, {SOURCE_TITLES.get(collection, collection)})" if len(reporter) == 3 else f"({who.capitalize()})"


def plot_residuals(table: pd.DataFrame, *, measure: str = "bias", columns: int = 3) -> Figure:
    """Errors by group, a panel for each grouping: dots with 95% intervals, arrivals and departures apart.

    Parameters
    ----------
    table : as ``results.errors.make_tables`` has it: ``residuals_by`` of several groupings, with a column ``side``.
        Years are drawn as lines in a panel of the whole width.
    measure : ``"bias"``, the geometric mean of estimated over reported, or ``"abs_error"``, of the factor between them
        (both of one person more).
    columns : panels in a row.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        For missing columns, no row, or an unknown measure.
    """
    what = "plot_residuals"
    if measure not in _MEASURES:
        raise InputError(what, f"unknown measure {measure!r}", f"use one of {', '.join(_MEASURES)}", key=measure)
    centre, lower, upper, label = _MEASURES[measure]
    _check_columns(what, table, ("by", "group", "side", "n", centre, lower, upper))
    if not len(table):
        raise _empty(what, "group")
    groupings = [b for b in dict.fromkeys(table["by"]) if b != "year"]
    yearly = table[table["by"] == "year"]
    rows = [groupings[k:k + columns] for k in range(0, len(groupings), columns)]
    heights = [0.26 * max(table.loc[table["by"] == b, "group"].nunique() for b in row) + 0.75 for row in rows]
    heights += [2.4] if len(yearly) else []
    figure = plt.figure(figsize=(4.1 * columns, sum(heights) + 0.6))
    # Two columns of the grid for each panel, so that the last row may be one wide panel.
    grid = figure.add_gridspec(len(heights), columns, height_ratios=heights)
    limits = _limits(table, centre, lower, upper, measure)
    for r, row in enumerate(rows):
        for c, by in enumerate(row):
            ax = figure.add_subplot(grid[r, c])
            _groups(ax, table[table["by"] == by], centre, lower, upper)
            ax.set_title(by.capitalize(), fontsize=10)
            _factors(ax.xaxis, limits)
            ax.set_xlim(limits)
            ax.axvline(0, color=INK, lw=0.9, zorder=1)
            if r == len(rows) - 1:
                ax.set_xlabel(label, fontsize=8.5)
    if len(yearly):
        _years(figure.add_subplot(grid[-1, :]), yearly, centre, lower, upper)
    sides = [s for s in SIDE_STYLES if s in set(table["side"])]
    figure.legend(handles=[Line2D([], [], color=SIDE_STYLES[s][0], marker=SIDE_STYLES[s][1], label=SIDE_STYLES[s][2])
                           for s in sides], loc="outside lower center", ncols=2, **_LEGEND)
    return figure


def _limits(table, centre, lower, upper, measure) -> tuple[float, float]:
    """Of the means, with room; an interval that reaches further is cut at the edge of its panel."""
    middle = table.loc[table["by"] != "year", centre]
    middle = middle if len(middle) else table[centre]
    low, high = min(float(middle.min()), 0.0) - 0.4, max(float(middle.max()), 0.0) + 0.4
    return (0.0, high) if measure == "abs_error" else (low, high)


def _factors(axis, limits: tuple[float, float]) -> None:
    step = 2 if limits[1] - limits[0] < 4.5 else 4
    reach = int(np.ceil(max(abs(v) for v in limits) / np.log(step)))
    powers = [k for k in range(-reach, reach + 1) if limits[0] <= k * np.log(step) <= limits[1]]
    axis.set_ticks([k * np.log(step) for k in powers],
                   ["1" if k == 0 else f"×{step ** k}" if k > 0 else f"÷{step ** -k}" for k in powers])


def _groups(ax: Axes, table: pd.DataFrame, centre: str, lower: str, upper: str) -> None:
    by, found = table["by"].iloc[0], list(dict.fromkeys(table["group"]))
    order = [g for g in GROUPS.get(by, found) if g in found]
    if by.startswith("region"):
        order = sorted(order, key=lambda g: -float(table.loc[table["group"] == g, "n"].sum()))
    at = {g: i for i, g in enumerate(order)}
    for side, rows in table.groupby("side", sort=False):
        colour, marker, _ = SIDE_STYLES.get(side, (INK, "s", side))
        y = rows["group"].map(at).to_numpy(float) + (-0.16 if side == "immigration" else 0.16)
        ax.hlines(y, rows[lower], rows[upper], color=colour, lw=1.5, alpha=0.75, zorder=2)
        ax.plot(rows[centre], y, ls="", marker=marker, color=colour, ms=5, zorder=3, label=side)
    ax.set_yticks(range(len(order)), [str(g).replace(" and the ", " & ") for g in order], fontsize=8.5)
    ax.set_ylim(len(order) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.tick_params(axis="x", labelsize=8.5)
    ax.spines["left"].set_visible(False)


def _years(ax: Axes, table: pd.DataFrame, centre: str, lower: str, upper: str) -> None:
    for side, rows in table.groupby("side", sort=False):
        colour, marker, _ = SIDE_STYLES.get(side, (INK, "s", side))
        year = rows["group"].astype(int).to_numpy()
        order = np.argsort(year)
        ax.fill_between(year[order], rows[lower].to_numpy(float)[order], rows[upper].to_numpy(float)[order],
                        color=colour, alpha=0.18, lw=0)
        ax.plot(year[order], rows[centre].to_numpy(float)[order], color=colour, marker=marker, ms=4, lw=1.4, label=side)
    ax.axhline(0, color=INK, lw=0.9, zorder=1)
    ax.set_title("Year", fontsize=10)
    low, high = ax.get_ylim()
    limits = (min(low, -0.4), max(high, 0.4))
    _factors(ax.yaxis, limits)
    ax.set_ylim(limits)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.margins(x=0.01)


def plot_error_components(table: pd.DataFrame) -> Figure:
    """The mean squared log error of each set of cells as a bar of three parts.

    Parameters
    ----------
    table : as ``results.errors.error_components`` makes it.

    Returns
    -------
    Figure; bars from the top in the order of the table.

    Raises
    ------
    InputError
        For missing columns, no row, or parts that are negative, missing or do not add up to the total.
    """
    what = "plot_error_components"
    _check_columns(what, table, COMPONENT_COLUMNS)
    if not len(table):
        raise _empty(what, "set of cells")
    values = table[list(PARTS)].to_numpy(float)
    if not np.isfinite(values).all() or (values < 0).any():
        raise InputError(what, "a part is missing or negative", "give the table as error_components makes it")
    if not np.allclose(values.sum(1), table["total"].to_numpy(float), rtol=1e-4):
        raise InputError(what, "parts do not add up to the total", "give the table as error_components makes it")
    figure, ax = plt.subplots(figsize=(9.5, 0.36 * len(table) + 1.4))
    at, start = np.arange(len(table)), np.zeros(len(table))
    for k, (colour, label) in enumerate(PARTS.values()):
        ax.barh(at, values[:, k], left=start, color=colour, height=0.7, edgecolor=PAPER, linewidth=0.8, label=label)
        start += values[:, k]
    for y, total in zip(at, start):
        # The root is the factor by which a typical estimate and its report are apart.
        ax.annotate(f"{total:.2f}, a factor of {np.exp(np.sqrt(total)):.1f}", (total, y), xytext=(6, 0),
                    textcoords="offset points", va="center", fontsize=8.5)
    ax.set_yticks(at, [_set_name(*k) for k in table[["collection", "side", "criterion"]].itertuples(index=False)],
                  fontsize=9)
    ax.set(xlim=(0, start.max() * 1.28 or 1), ylim=(len(table) - 0.45, -0.55), xlabel="mean squared log error")
    ax.tick_params(axis="y", length=0)
    ax.grid(False, axis="y")
    ax.spines["left"].set_visible(False)
    figure.legend(handles=[Patch(color=c, label=label) for c, label in PARTS.values()], loc="outside lower center",
                  ncols=3, **_LEGEND)
    return figure


def _set_name(collection: str, side: str, criterion: str) -> str:
    about = {"immigration": "arrivals", "emigration": "departures", "both": "moves"}.get(side, side)
    by = "" if criterion == "residence" else f" by {criterion}"
    return f"{SOURCE_TITLES.get(collection, collection)}, {about}{by}"


def series_name(series: str) -> str:
    """Name of a series of ``results.shocks`` in a reader's words."""
    parts = series.split(", ")
    return _set_name(*parts) if len(parts) == 3 else series


def plot_shocks(table: pd.DataFrame, scores: pd.DataFrame | None = None, *, columns: int = 3) -> Figure:
    """The course of the estimate through each shock beside what anybody else says, a small panel for each.

    Parameters
    ----------
    table : as ``results.shocks.shocks`` makes it.
    scores : as ``score_shocks`` makes them, to write the rises into the panels; optional.
    columns : panels in a row.

    Returns
    -------
    Figure. Where a witness speaks of some corridors of a shock only, a thin line of its colour is what is estimated
    for these.

    Raises
    ------
    InputError
        For missing columns or no shock.
    """
    what = "plot_shocks"
    _check_columns(what, table, ("shock", "title", "year", "series", "kind", "persons", "estimated", "corridors"))
    names = list(dict.fromkeys(table["shock"]))
    if not names:
        raise _empty(what, "shock")
    if scores is not None:
        _check_columns(what, scores, ("shock", "series", "kind", "rise", "estimated_rise", "found"))
    n = int(np.ceil(len(names) / columns))
    figure, axes = plt.subplots(n, columns, figsize=(4.0 * columns, 2.75 * n + 0.7), squeeze=False)
    handles: dict[str, object] = {}
    for ax, name in zip(axes.ravel(), names):
        rows = table[table["shock"] == name]
        handles |= _course(ax, rows)
        ax.set_title(fill(rows["title"].iloc[0], 36), fontsize=9.5)
        if scores is not None:
            _say_rise(ax, scores[scores["shock"] == name])
    for ax in axes.ravel()[len(names):]:
        ax.set_axis_off()
    figure.legend(handles=list(handles.values()), loc="outside lower center", ncols=min(len(handles), 4), **_LEGEND)
    return figure


def _course(ax: Axes, rows: pd.DataFrame) -> dict[str, object]:
    """Draw one shock; returns its legend by label."""
    handles: dict[str, object] = {}
    top = rows["persons"].max()
    unit, name = (1e6, "million") if top >= 2e6 else (1e3, "thousand")
    whole = rows.loc[rows["kind"] == "estimate", "corridors"].max()
    for (series, kind), course in rows.groupby(["series", "kind"], sort=False):
        course = course.sort_values("year")
        year, persons = course["year"].to_numpy(), course["persons"].to_numpy(float) / unit
        if kind == "estimate":
            ax.plot(year, persons, color=OWN, lw=2.4, zorder=4, label="estimate")
            handles["estimate"] = Line2D([], [], color=OWN, lw=2.4, label="estimate")
        elif kind == "displaced":
            handles |= _displaced(ax, series, year, persons)
        elif kind == "reported":
            handles |= _reported(ax, series, year, persons, course["estimated"].to_numpy(float) / unit,
                                 course["corridors"].iloc[0] < whole)
        else:
            style = {"color": INK, "ls": (0, (1, 1.5)) if kind == "stock" else "-", "lw": 1.6, "zorder": 3}
            ax.plot(year, persons, label=series, **style)
            handles[series] = Line2D([], [], label=series, **style)
    ax.set_ylim(0, max(float(top) / unit * 1.4, 1e-6))      # room above for what the scores say
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.yaxis.set_major_locator(MaxNLocator(4))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.4g}"))
    ax.tick_params(labelsize=8.5)
    ax.set_ylabel(f"{name} persons", fontsize=8.5)
    return handles


def _displaced(ax: Axes, series: str, year, persons) -> dict[str, object]:
    if series.startswith("change"):
        ax.plot(year, np.where(persons < 0, np.nan, persons), ls="", marker="x", color=QUIET, ms=5, zorder=3,
                label=series)
        return {series: Line2D([], [], ls="", marker="x", color=QUIET, label=series)}
    ax.bar(year, persons, color=LAND, edgecolor="#c9ced4", width=0.8, zorder=1, label=series)
    return {series: Patch(facecolor=LAND, edgecolor="#c9ced4", label=series)}


def _reported(ax: Axes, series: str, year, persons, estimated, some: bool) -> dict[str, object]:
    collection, side, criterion = series.split(", ")
    label = series_name(series)
    colour, hollow = COLLECTION_COLOURS.get(collection, QUIET), criterion != "residence"
    style = {"marker": _MARKERS.get(side, "s"), "color": colour, "markerfacecolor": PAPER if hollow else colour}
    ax.plot(year, persons, ls="", ms=5, zorder=5, label=series, **style)
    handles = {label: Line2D([], [], ls="", ms=5, label=label, **style)}
    if some:
        ax.plot(year, estimated, color=colour, lw=1.1, ls="--", zorder=3, label=f"estimate, {collection}")
        handles["some"] = Line2D([], [], color=QUIET, lw=1.1, ls="--", label="estimate of these corridors")
    return handles


def _say_rise(ax: Axes, scores: pd.DataFrame) -> None:
    """What the truth says, or whoever speaks of the most corridors, and the estimate for the same: offices before
    refugee counts, these before stocks, arrivals by residence before other reports."""
    order = {"reported": 0, "displaced": 1, "stock": 2}
    far = (~scores["series"].str.contains("residence|new refugees") * 2
           + ~scores["series"].str.contains("immigration|both|new refugees"))
    rows = scores.assign(rank=scores["kind"].map(order).fillna(-1), far=far, fewer=-scores["corridors"])
    rows["first"] = rows["rank"] >= 0
    if not len(rows):
        return
    row = rows.sort_values(["first", "fewer", "rank", "far", "series"], kind="stable").iloc[0]
    word = {"reported": "counted", "stock": "growth of stock"}.get(row["kind"], "true")
    said = f"{word} {_times(row['rise'])}\nestimated {_times(row['estimated_rise'])}"
    if row["kind"] == "displaced":        # from next to nobody: a ratio says nothing
        said = f"estimated: {row['found']:.0%} of the\nadditional refugees"
    ax.text(0.02, 0.98, said, va="top", fontsize=8, transform=ax.transAxes, zorder=6, linespacing=1.3)


def _times(rise: float) -> str:
    return f"×{rise:,.0f}" if rise >= 100 else f"×{rise:.2g}"
