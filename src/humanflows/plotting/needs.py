"""Figures of where data are needed most. Tables of ``results.needs`` in, figures out, no model."""
import geopandas as gpd
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.patches import Patch, Polygon

from .. import territories
from ..errors import InputError
from ..results.needs_terms import CHECK_COLUMNS, COUNTRY_COLUMNS, ITSELF, SIDES
from .charts import _check_columns, _empty
from .maps import EQUAL_EARTH, SMALL_KM2, _bare, _check_geometry, _globe, _persons, _round_up
from .recovery import _short_name
from .style import INK, LAND, OTHER, OWN, PAPER, QUIET

SHOWN = 25                  # territories of the ranked chart
FEWEST_PERSONS = 100.0      # a year: of less narrowing a map says nothing
_NEED = "YlOrBr"
_SIDE_COLOURS = dict(zip(SIDES, (OTHER, OWN)))


def _side(table: pd.DataFrame, side: str, what: str) -> pd.DataFrame:
    _check_columns(what, table, COUNTRY_COLUMNS)
    if side not in SIDES:
        raise InputError(what, f"unknown side {side!r}", f"choose {' or '.join(SIDES)}", key=side)
    rows = table[table["side"] == side]
    if rows["territory"].duplicated().any():
        raise InputError(what, "a territory is there twice", "give one row for each side",
                         key=str(rows.loc[rows["territory"].duplicated(), "territory"].iloc[0]))
    return rows


def plot_needs_map(table: pd.DataFrame, geometry: gpd.GeoDataFrame, *, ax: Axes, side: str = "arrivals") -> Axes:
    """World map (Equal Earth) of how many persons the 80% interval of a territory's total would lose if it reported.

    Parameters
    ----------
    table : as ``results.needs.country_table`` makes it.
    geometry : as ``humanflows.geometry.read_geometry()`` gives it.
    ax : where to draw; a horizontal colour bar is added below.
    side : which total, ``"arrivals"`` or ``"departures"``.

    Returns
    -------
    The axes. Its collections carry the ids ``little`` (under ``FEWEST_PERSONS``, or not in the table),
    ``territories`` and ``small-territories``.

    Raises
    ------
    InputError
        For missing columns, another side, a territory given twice or without an outline, or none worth drawing.
    """
    what = "plot_needs_map"
    need = _side(table, side, what).set_index("territory")["narrowing_persons"]
    need = need[need >= FEWEST_PERSONS]
    if need.empty:
        raise _empty(what, f"territory whose interval would lose {FEWEST_PERSONS:g} persons")
    _check_geometry(geometry, need.index, what)
    top = _round_up(max(need.max(), 10 * FEWEST_PERSONS))
    norm, colours = LogNorm(FEWEST_PERSONS, top), plt.get_cmap(_NEED)
    outlines = geometry.geometry.to_crs(EQUAL_EARTH)
    ax.add_patch(Polygon(_globe(-58, 84), facecolor="#f7f9fb", edgecolor="#d5dbe1", linewidth=0.6, zorder=0,
                         gid="globe"))
    blank = outlines.drop(need.index)
    if len(blank):
        blank.plot(ax=ax, color=LAND, edgecolor=PAPER, linewidth=0.3, zorder=1, gid="little")
    outlines[need.index].plot(ax=ax, color=colours(norm(need.to_numpy())), edgecolor="#8c97a3", linewidth=0.3,
                              zorder=2, gid="territories")
    dots = need[outlines.area[need.index] < SMALL_KM2 * 1e6].sort_values().index
    if len(dots):
        at = gpd.points_from_xy(geometry.longitude[dots], geometry.latitude[dots], crs=4326).to_crs(EQUAL_EARTH)
        ax.scatter(at.x, at.y, s=17, color=colours(norm(need[dots].to_numpy())), edgecolor="#5d6975", linewidth=0.45,
                   zorder=3, gid="small-territories")
    ax.set_aspect("equal")
    _bare(ax)
    edge = _globe(-58, 84)
    ax.set_xlim(edge[:, 0].min() * 1.01, edge[:, 0].max() * 1.01)
    ax.set_ylim(edge[:, 1].min() * 1.02, edge[:, 1].max() * 1.02)
    if len(blank):
        ax.legend(handles=[Patch(facecolor=LAND, edgecolor="#d5dbe1", label="little or nothing new")], loc="lower left",
                  bbox_to_anchor=(0.04, 0.08), handlelength=1.2, handleheight=1.1)
    bar = ax.figure.colorbar(ScalarMappable(norm, colours), ax=ax, orientation="horizontal", fraction=0.045, pad=0.02,
                             shrink=0.6, aspect=45)
    ticks = 10.0 ** np.arange(np.log10(FEWEST_PERSONS), np.log10(top) + 1e-9)
    bar.set_ticks(ticks, labels=[_persons(t) for t in ticks])
    bar.minorticks_off()
    bar.outline.set_visible(False)
    bar.set_label(f"persons a year that the 80% interval of all {side} would lose")
    return ax


def plot_needs_ranking(table: pd.DataFrame, *, ax: Axes, side: str = "arrivals", number: int = SHOWN) -> Axes:
    """The territories whose totals would become narrowest: the interval as it is, and had the office reported.

    Parameters
    ----------
    table : as ``results.needs.country_table`` makes it.
    ax : where to draw: one row for each territory, the neediest on top.
    side : which total.
    number : of territories, at most.

    Returns
    -------
    The axes; persons a year on a logarithmic scale.

    Raises
    ------
    InputError
        For missing columns, another side, or no territory with a narrower interval.
    """
    what = "plot_needs_ranking"
    rows = _side(table, side, what)
    rows = rows[rows["narrowing_persons"] > 0].sort_values("rank").head(number)
    if rows.empty:
        raise _empty(what, "territory whose interval would be narrower")
    at, colour = np.arange(len(rows)), _SIDE_COLOURS[side]
    ends = {k: np.maximum(rows[k].to_numpy(float), 1.0) for k in ("lower", "upper", "lower_reported", "upper_reported")}
    ax.hlines(at, ends["lower"], ends["upper"], color=QUIET, lw=2, alpha=0.55, zorder=1, label="as it is")
    ax.hlines(at, ends["lower_reported"], ends["upper_reported"], color=colour, lw=5, alpha=0.8, zorder=2,
              label="if its office reported")
    ax.plot(rows["persons"], at, ls="", marker="o", ms=4, color=INK, zorder=3, label="estimate")
    ax.set_xscale("log")
    ax.set_yticks(at, [_short_name(k) if k in set(territories.codes()) else k for k in rows["territory"]])
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_xlabel(f"{side}, persons a year (80% intervals)")
    ax.grid(False, axis="y")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False, fontsize=9, handlelength=1.4)
    return ax


def plot_needs_check(table: pd.DataFrame, *, ax: Axes, check: str = ITSELF) -> Axes:
    """Predicted against realised narrowing, a mark for each office and side.

    Parameters
    ----------
    table : as ``needs_check.csv``: ``results.needs_terms.CHECK_COLUMNS``.
    ax : where to draw.
    check : which experiment.

    Returns
    -------
    The axes: on the line what was predicted came true, left of it more was realised.

    Raises
    ------
    InputError
        For missing columns or a check that is not in the table.
    """
    what = "plot_needs_check"
    _check_columns(what, table, CHECK_COLUMNS)
    rows = table[table["check"] == check]
    if rows.empty:
        raise _empty(what, f"office of the check {check!r}")
    for side in SIDES:
        own = rows[rows["side"] == side]
        if len(own):
            ax.scatter(own["realised"], own["predicted"], s=8 + 2.2 * np.sqrt(own["n"]), color=_SIDE_COLOURS[side],
                       alpha=0.65, linewidth=0, label=f"{side} counted", zorder=2)
    low, high = (f(rows[["predicted", "realised"]].to_numpy()) for f in (np.min, np.max))
    ax.axline((0, 0), slope=1, color=QUIET, lw=1, zorder=1)
    ax.axvline(0, color=QUIET, lw=0.6, ls=":", zorder=0)
    room = 0.06 * max(high - low, 0.1)
    ax.set(xlim=(min(low, 0) - room, high + room), ylim=(min(low, 0) - room, high + room),
           xlabel="realised fall of the mean absolute log error", ylabel="predicted")
    ax.set_aspect("equal")
    ax.legend(loc="lower right", frameon=False, fontsize=9)
    return ax
