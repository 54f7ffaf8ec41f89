"""Regions in single years: the largest corridors as arcs on a map of the region, in a projection of its own."""
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import geopandas as gpd
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from pyproj import CRS, Transformer

from ..errors import InputError
from ..results.regions import checked
from ..territories import region_of
from .charts import _short
from .maps import _bare, _check_geometry, _dark, _widen
from .recovery import _corridor_name
from .style import GAIN, INK, LAND, LOSS, PAPER, REGION_COLOURS

LARGEST, LISTED = 35, 6     # corridors drawn and named
WITHIN, INTO, OUT = "within the region", "into the region", "out of it"
_SEA = "#f7f9fb"


class View(NamedTuple):
    """What a map shows: degrees west, south, east and north."""

    west: float
    south: float
    east: float
    north: float


VIEWS = {
    "Europe": View(-22, 34, 56, 67), "Northern America": View(-165, 15, -50, 70),
    "Latin America and the Caribbean": View(-118, -55, -34, 33), "Northern Africa": View(-18, 14, 40, 45),
    "Sub-Saharan Africa": View(-19, -35, 53, 24), "Western Asia": View(24, 10, 62, 46),
    "Central Asia": View(45, 30, 90, 58), "Southern Asia": View(44, 4, 98, 40),
    "South-Eastern Asia": View(90, -12, 142, 30), "Eastern Asia": View(86, 0, 148, 50),
    "Oceania": View(110, -48, 180, 15),
}


def plot_moments(release: xr.Dataset, geometry: gpd.GeoDataFrame, moments: Sequence[tuple[str, int]],
                 compared: pd.DataFrame | None = None, *, largest: int = LARGEST) -> Figure:
    """Maps of regions in single years: corridors that begin or end in the region, both ends in view.

    Parameters
    ----------
    release : ``flow(year, origin, destination)``, persons, with ``flow_lower`` and ``flow_upper`` where it has them.
    geometry : as ``humanflows.geometry.read_geometry()`` gives it.
    moments : regions of ``VIEWS`` and years.
    compared : as ``results.peer_regions.compare_moments`` makes it, to say how alike published estimates are.
    largest : corridors drawn at most on each map.

    Returns
    -------
    Figure; axes with the ids ``moment:<region>|<year>``. Arcs widen towards the destination and are collections with
    the ids ``within the region``, ``into the region`` and ``out of it``. Below each map, on axes of its own, are texts
    with the ids ``largest`` and ``compared``.

    Raises
    ------
    InputError
        For a year or a region that there is not, or one in which nobody moves.
    """
    what = "plot_moments"
    figure, axes = plt.subplots(2, len(moments), figsize=(4.9 * len(moments), 7.4), squeeze=False,
                                height_ratios=[5.3, 1.9])
    for ax, below, (region, year) in zip(*axes, moments):
        if region not in VIEWS or year not in release["year"].values:
            raise InputError(what, f"there is no {region} in {year}", "use a region of VIEWS and a year of the release",
                             key=f"{region}, {year}")
        table = moment_table(release, geometry, region, year)
        if not len(table):
            raise InputError(what, "no corridor has a flow above nought", "choose another year",
                             key=f"{region}, {year}")
        ax.set_gid(f"moment:{region}|{year}")
        _land(ax, geometry, region)
        _arcs(ax, geometry, region, table.head(largest))
        ax.set_title(f"{region}, {year}", color=_dark(REGION_COLOURS[region]), loc="center", fontsize=12)
        _say(below, region, year, table, compared)
    keys = [Line2D([], [], color=c, lw=5, alpha=0.7, label=k) for k, c in {WITHIN: INK, INTO: GAIN, OUT: LOSS}.items()]
    figure.legend(handles=keys, loc="outside upper center", ncols=3, fontsize=9)
    return figure


def moment_table(release: xr.Dataset, geometry: gpd.GeoDataFrame, region: str, year: int) -> pd.DataFrame:
    """Corridors of a region in a year with both ends in view, largest first.

    Returns
    -------
    DataFrame: ``corridor, origin, destination, way`` (``WITHIN, INTO, OUT``), ``flow`` persons, and ``lower, upper``
    where the release has intervals.
    """
    flow = checked(release["flow"].sel(year=year), ("origin", "destination"), ("origin", "destination"), "moment")
    _check_geometry(geometry, flow["origin"].values, "moment")
    box, regions = VIEWS[region], region_of()
    in_view = geometry.longitude.between(box.west, box.east) & geometry.latitude.between(box.south, box.north)
    seen = {d: np.flatnonzero(in_view[flow[d].values.astype(str)]) for d in ("origin", "destination")}
    names = {"flow": "flow", "lower": "flow_lower", "upper": "flow_upper"}
    here = xr.Dataset({k: release[v].sel(year=year, drop=True).isel(seen) for k, v in names.items() if v in release})
    table = here.to_dataframe().reset_index()[["origin", "destination", *here.data_vars]]
    a, b = (table[k].map(regions).eq(region) for k in ("origin", "destination"))
    table["way"] = np.select([a & b, b, a], [WITHIN, INTO, OUT], "")
    table = table[(table["way"] != "") & (table["flow"] > 0) & (table["origin"] != table["destination"])]
    table["corridor"] = table["origin"] + "-" + table["destination"]
    return table.sort_values("flow", ascending=False, kind="stable", ignore_index=True)


def _plane(region: str) -> CRS:
    """Lambert's azimuthal equal-area projection around the middle of the view."""
    box = VIEWS[region]
    return CRS.from_proj4(f"+proj=laea +lat_0={(box.south + box.north) / 2} +lon_0={(box.west + box.east) / 2}")


def _land(ax: Axes, geometry: gpd.GeoDataFrame, region: str) -> None:
    box, margin = VIEWS[region], 12
    cut = geometry.geometry.clip_by_rect(max(box.west - margin, -180), max(box.south - margin, -89),
                                         min(box.east + margin, 180), min(box.north + margin, 89))
    cut = cut[~cut.is_empty].to_crs(_plane(region))
    inside = region_of().reindex(cut.index) == region
    ax.set_facecolor(_SEA)
    for chosen, colour, gid in ((~inside, LAND, "around"), (inside, "#d3d8de", "region")):
        if chosen.any():
            cut[chosen].plot(ax=ax, color=colour, edgecolor=PAPER, linewidth=0.5, zorder=1, gid=gid)
    west, south, east, north = box
    edge = np.linspace(0, 1, 25)
    rim = np.concatenate([np.column_stack([west + edge * (east - west), np.full(25, y)]) for y in (south, north)]
                         + [np.column_stack([np.full(25, x), south + edge * (north - south)]) for x in (west, east)])
    x, y = Transformer.from_crs(4326, _plane(region), always_xy=True).transform(*rim.T)
    # Maps side by side have one shape: the shorter side shows a little more.
    half = max(np.ptp(x) / 2, np.ptp(y) / 2 / 1.08)
    ax.set(xlim=(np.mean([x.min(), x.max()]) - half, np.mean([x.min(), x.max()]) + half),
           ylim=(np.mean([y.min(), y.max()]) - 1.08 * half, np.mean([y.min(), y.max()]) + 1.08 * half))
    ax.set_aspect("equal")
    _bare(ax)


def _arcs(ax: Axes, geometry: gpd.GeoDataFrame, region: str, table: pd.DataFrame) -> None:
    to_plane = Transformer.from_crs(4326, _plane(region), always_xy=True)
    top, wide = float(table["flow"].iloc[0]), 0.034 * np.ptp(ax.get_xlim())
    shapes: dict[str, list] = {WITHIN: [], INTO: [], OUT: []}
    for row in table[::-1].itertuples():        # the largest on top
        ends = [np.array(to_plane.transform(geometry.longitude[t], geometry.latitude[t]))
                for t in (row.origin, row.destination)]
        shapes[row.way].append(_widen(_bend(*ends), wide * (0.06 + 0.94 * (row.flow / top) ** 0.75)))
    for way, colour in ((OUT, LOSS), (INTO, GAIN), (WITHIN, INK)):
        if shapes[way]:
            ax.add_collection(PolyCollection(shapes[way], facecolor=colour, alpha=0.62, edgecolor=PAPER, linewidth=0.3,
                                             zorder=3, gid=way))
    places = sorted({t for c in table["corridor"].head(LISTED) for t in c.split("-")})
    at = to_plane.transform(geometry.longitude[places].to_numpy(), geometry.latitude[places].to_numpy())
    for code, x, y in zip(places, *at):
        ax.text(x, y, code, fontsize=7.5, ha="center", va="center", color=INK, zorder=5, fontweight="bold",
                bbox={"facecolor": PAPER, "alpha": 0.75, "edgecolor": "none", "pad": 0.8})


def _bend(start: np.ndarray, end: np.ndarray, points: int = 40) -> np.ndarray:
    """Quadratic curve [point, xy], bent to the left of its direction: both directions lie side by side."""
    along = end - start
    control = (start + end) / 2 + 0.2 * np.array([-along[1], along[0]])
    t = np.linspace(0, 1, points)[:, None]
    return (1 - t) ** 2 * start + 2 * t * (1 - t) * control + t ** 2 * end


def _say(ax: Axes, region: str, year: int, table: pd.DataFrame, compared: pd.DataFrame | None) -> None:
    ax.set_axis_off()
    lines = []
    for k, row in enumerate(table.head(LISTED).itertuples(), start=1):
        ends = f" ({_short(row.lower)}–{_short(row.upper)})" if "lower" in table and "upper" in table else ""
        lines.append(f"{k}. {_corridor_name(row.corridor)}  {_short(row.flow)}{ends}")
    ax.text(0.01, 1, "\n".join(lines), transform=ax.transAxes, va="top", fontsize=8.4, linespacing=1.35, gid="largest")
    if compared is not None:
        rows = compared[(compared["region"] == region) & (compared["year"] == year)]
        said = [likeness(row._asdict()) for row in rows.itertuples(index=False)]
        ax.text(0.01, 0, "\n".join(said), transform=ax.transAxes, va="bottom", fontsize=8, color=INK, gid="compared")


def likeness(row: Mapping) -> str:
    """How alike two estimates are, from a row of ``compare_moments``, in words."""
    return (f"{row['peer']}, all corridors of the region:\n{_short(row['theirs'])} moves, ours "
            f"{_short(row['persons'])}; log R {row['log_r']:.2f}, {row['cpc']:.0%} of moves in common")
