"""A world map of one number for each territory, of any scale."""
from collections.abc import Sequence

import geopandas as gpd
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, Normalize
from matplotlib.patches import Patch, Polygon

from .maps import EQUAL_EARTH, SMALL_KM2, _bare, _check_geometry, _globe
from .style import LAND, PAPER


def draw_territories(values: pd.Series, geometry: gpd.GeoDataFrame, ax: Axes, *, norm: Normalize, cmap: Colormap,
                     ticks: Sequence[float], labels: Sequence[str], title: str, blank: str) -> Axes:
    """World map (Equal Earth), larger values on top where territories are small and drawn as dots.

    Parameters
    ----------
    values : by territory; what lies outside the scale has the colour of its end.
    geometry : as ``humanflows.geometry.read_geometry()`` gives it.
    ax : where to draw; a horizontal colour bar is added below.
    norm, cmap, ticks, labels, title : of the colour bar.
    blank : what it means that a territory has no value.

    Returns
    -------
    The axes. Its collections carry the ids ``no-data``, ``territories`` and ``small-territories``.

    Raises
    ------
    InputError
        For a territory without an outline.
    """
    _check_geometry(geometry, values.index, "map of territories")
    outlines = geometry.geometry.to_crs(EQUAL_EARTH)
    small = outlines.area[values.index] < SMALL_KM2 * 1e6
    edge = _globe(-58, 84)
    ax.add_patch(Polygon(edge, facecolor="#f7f9fb", edgecolor="#d5dbe1", linewidth=0.6, zorder=0, gid="globe"))
    without = outlines.drop(values.index)
    if len(without):
        without.plot(ax=ax, color=LAND, edgecolor=PAPER, linewidth=0.3, zorder=1, gid="no-data")
    colours = cmap(norm(values.clip(norm.vmin, norm.vmax).to_numpy()))
    outlines[values.index].plot(ax=ax, color=colours, edgecolor="#8c97a3", linewidth=0.3, zorder=2, gid="territories")
    dots = values[small].sort_values().index
    if len(dots):
        at = gpd.points_from_xy(geometry.longitude[dots], geometry.latitude[dots], crs=4326).to_crs(EQUAL_EARTH)
        ax.scatter(at.x, at.y, s=17, color=cmap(norm(values[dots].clip(norm.vmin, norm.vmax).to_numpy())),
                   edgecolor="#5d6975", linewidth=0.45, zorder=3, gid="small-territories")
    ax.set_aspect("equal")
    _bare(ax)
    ax.set_xlim(edge[:, 0].min() * 1.01, edge[:, 0].max() * 1.01)
    ax.set_ylim(edge[:, 1].min() * 1.02, edge[:, 1].max() * 1.02)
    if len(without):
        ax.legend(handles=[Patch(facecolor=LAND, edgecolor="#d5dbe1", label=blank)], loc="lower left",
                  bbox_to_anchor=(0.06, 0.08), handlelength=1.2, handleheight=1.1)
    beyond = values.max() > norm.vmax * (1 + 1e-9)
    bar = ax.figure.colorbar(ScalarMappable(norm, cmap), ax=ax, orientation="horizontal", fraction=0.045, pad=0.02,
                             shrink=0.6, aspect=45, extend="max" if beyond else "neither")
    bar.set_ticks(ticks, labels=labels)
    bar.minorticks_off()
    bar.outline.set_visible(False)
    bar.set_label(title)
    return ax
