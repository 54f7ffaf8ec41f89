"""Maps and circles: who moves between which places. Every function takes data and axes and knows no model."""
from collections.abc import Iterable, Sequence
from functools import cache

import geopandas as gpd
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PolyCollection
from matplotlib.colors import Normalize, SymLogNorm, to_rgb
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, PathPatch, Polygon, Wedge
from matplotlib.path import Path
from matplotlib.ticker import FuncFormatter
from pyproj import Transformer

from ..errors import InputError
from ..results.regions import by_region, sum_by_region
from ..results.regions import checked as _checked
from ..territories import REGIONS, region_of
from .style import DIVERGING, INK, LAND, PAPER, QUIET, REGION_COLOURS

EQUAL_EARTH = 8857
SMALL_KM2 = 15_000           # below this a territory is a few pixels wide and is drawn as a circle
NIGHT, OCEAN, NIGHT_LAND, NIGHT_TEXT = "#0e151d", "#121c27", "#22303e", "#c3ccd6"
SHORT_NAMES = {"Latin America and the Caribbean": "Latin America\n& Caribbean", "Northern Africa": "Northern\nAfrica",
               "Sub-Saharan Africa": "Sub-Saharan\nAfrica", "South-Eastern Asia": "South-Eastern\nAsia",
               "Northern America": "Northern\nAmerica"}


# -- input ------------------------------------------------------------------------------------------------------------
def _check_geometry(geometry: gpd.GeoDataFrame, territories: Iterable[str], what: str) -> None:
    lacking = sorted(set(territories) - set(geometry.index))
    if lacking:
        raise InputError(what, "territories without an outline", "use humanflows.geometry.read_geometry()",
                         key=", ".join(lacking[:5]))


def _persons(value: float, *, sign: bool = False) -> str:
    """A number of persons in a few characters: 250, 10 k, 1.5 M."""
    size = abs(value)
    text = f"{size / 1e6:g} M" if size >= 1e6 else f"{size / 1e3:g} k" if size >= 1e3 else f"{size:g}"
    return ("−" if value < 0 else "+" if sign and value > 0 else "") + text


# -- projection -------------------------------------------------------------------------------------------------------
@cache
def _equal_earth() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Latitudes, their y and their metres per degree of longitude: on Equal Earth x is linear in longitude."""
    latitude = np.linspace(-90, 90, 721)
    x, y = Transformer.from_crs(4326, EQUAL_EARTH, always_xy=True).transform(np.full_like(latitude, 90.0), latitude)
    return latitude, np.asarray(y), np.asarray(x) / 90


def _globe(south: float = -90.0, north: float = 90.0) -> np.ndarray:
    """Outline of the projected world between two latitudes, [point, xy] in metres."""
    latitude, y, scale = _equal_earth()
    inside = (latitude >= south) & (latitude <= north)
    side = np.column_stack([180 * scale[inside], y[inside]])
    return np.vstack([side, (side * [-1, 1])[::-1]])


def _bare(ax: Axes) -> None:
    """No ticks, labels, grid or frame; the background stays, unlike with ``axis("off")``."""
    # geopandas writes "Easting" and "Northing" beside whatever it draws.
    ax.set(xticks=[], yticks=[], xlabel="", ylabel="")
    ax.grid(False)
    ax.spines[:].set_visible(False)


# -- net migration ----------------------------------------------------------------------------------------------------
def _round_up(value: float) -> float:
    """The next of 1, 2, 5, 10 … times a power of ten."""
    power = 10.0 ** np.floor(np.log10(value))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= value * (1 - 1e-9))


def plot_net_migration_map(net_migration: xr.DataArray, geometry: gpd.GeoDataFrame, *,
                           population: xr.DataArray | None = None, ax: Axes, title: str | None = None) -> Axes:
    """World map (Equal Earth) of who gains and who loses people by migration.

    Parameters
    ----------
    net_migration : ``[residence]``, persons per year, arrivals less departures; any subset of the 231 territories.
    geometry : as ``humanflows.geometry.read_geometry()`` gives it.
    population : ``[residence]``, persons; when given, the map shows net migration per 1,000 people. A territory
        without a population is drawn as one without data.
    ax : where to draw; a horizontal colour bar is added below.
    title : heading; none by default.

    Returns
    -------
    The axes. Its collections carry the ids ``no-data``, ``territories`` and ``small-territories``.

    Raises
    ------
    InputError
        Without any number, with an unknown territory, with other dimensions, or with one that has no outline.
    """
    what = "net migration map"
    values = _checked(net_migration, ("residence",), ("residence",), what).to_series().astype(float)
    if population is not None:
        people = _checked(population, ("residence",), ("residence",), f"{what}, population").to_series().astype(float)
        values = 1000 * values / people.reindex(values.index).where(lambda p: p > 0)
    values = values[np.isfinite(values)]
    if values.empty:
        raise InputError(what, "no territory has both net migration and a population",
                         "give the population of the same territories")
    _check_geometry(geometry, values.index, what)

    norm, ticks = _rate_scale(values) if population is not None else _persons_scale(values)
    cmap = plt.get_cmap(DIVERGING)
    outlines = geometry.geometry.to_crs(EQUAL_EARTH)
    small = outlines.area[values.index] < SMALL_KM2 * 1e6
    sizes = values.abs().sort_values(ascending=False).index      # larger values below, so that none is hidden

    ax.add_patch(Polygon(_globe(-58, 84), facecolor="#f7f9fb", edgecolor="#d5dbe1", linewidth=0.6, zorder=0,
                         gid="globe"))
    blank = outlines.drop(values.index)
    if len(blank):
        blank.plot(ax=ax, color=LAND, edgecolor=PAPER, linewidth=0.3, zorder=1, gid="no-data")
    outlines[values.index].plot(ax=ax, color=cmap(norm(values.to_numpy())), edgecolor="#8c97a3", linewidth=0.3,
                                zorder=2, gid="territories")
    dots = [t for t in sizes if small[t]]
    if dots:
        at = gpd.points_from_xy(geometry.longitude[dots], geometry.latitude[dots], crs=4326).to_crs(EQUAL_EARTH)
        ax.scatter(at.x, at.y, s=17, color=cmap(norm(values[dots].to_numpy())), edgecolor="#5d6975", linewidth=0.45,
                   zorder=3, gid="small-territories")
    ax.set_aspect("equal")
    _bare(ax)
    edge = _globe(-58, 84)
    ax.set_xlim(edge[:, 0].min() * 1.01, edge[:, 0].max() * 1.01)
    ax.set_ylim(edge[:, 1].min() * 1.02, edge[:, 1].max() * 1.02)
    if title:
        ax.set_title(title)
    if len(blank):
        ax.legend(handles=[Patch(facecolor=LAND, edgecolor="#d5dbe1", label="no data")], loc="lower left",
                  bbox_to_anchor=(0.06, 0.08), handlelength=1.2, handleheight=1.1)
    beyond = (values.min() < norm.vmin, values.max() > norm.vmax)
    bar = ax.figure.colorbar(
        ScalarMappable(norm, cmap), ax=ax, orientation="horizontal", fraction=0.045, pad=0.02, shrink=0.6, aspect=45,
        extend={(True, True): "both", (True, False): "min", (False, True): "max"}.get(beyond, "neither"))
    rate = population is not None
    bar.set_ticks(ticks, labels=[(f"{t:+g}".replace("-", "−") if t else "0") if rate else _persons(t, sign=True)
                                 for t in ticks])
    bar.minorticks_off()
    bar.outline.set_visible(False)
    bar.set_label("more leave   ←   net migration, " + ("per 1,000 people a year" if rate else "persons a year")
                  + "   →   more arrive")
    return ax


def _persons_scale(values: pd.Series) -> tuple[Normalize, list[float]]:
    """Symmetric logarithm over three decades, linear around nought."""
    limit = _round_up(max(values.abs().max(), 1.0))
    decades = 10.0 ** (np.floor(np.log10(limit)) - np.arange(3))
    top = [limit] if limit / decades[0] > 1.5 and limit / decades[0] < 10 else []
    positive = sorted([*decades, *top])
    if top and limit / decades[0] < 3:
        positive.remove(decades[0])     # 1 M and 2 M would print over each other
    return (SymLogNorm(linthresh=decades[-1], linscale=0.6, vmin=-limit, vmax=limit, base=10),
            [-t for t in reversed(positive)] + [0.0] + positive)


def _rate_scale(values: pd.Series) -> tuple[Normalize, list[float]]:
    """Linear up to what all but one in twenty territories have; the rest is shown as beyond the ends."""
    size = values.abs()
    limit = _round_up(max(float(size.quantile(0.95)), 1e-3))
    return Normalize(-limit, limit), [-limit, -limit / 2, 0.0, limit / 2, limit]


def plot_region_net(net_migration: xr.DataArray, ax: Axes) -> Axes:
    """Net migration of the regions over the years, a line each, named at its end.

    Parameters
    ----------
    net_migration : ``[year, residence]``, persons per year; any subset of the 231 territories.
    ax : where to draw.

    Returns
    -------
    The axes; one line per region that has a territory, its label the region.

    Raises
    ------
    InputError
        Without any number, with an unknown territory, or with other dimensions.
    """
    data = _checked(net_migration, ("year", "residence"), ("residence",), "net migration by region")
    millions = sum_by_region(data, "residence", "region") / 1e6
    years = millions.year.values
    ax.axhline(0, color=QUIET, linewidth=0.9, zorder=1)
    for region in millions.region.values:
        ax.plot(years, millions.sel(region=region), color=REGION_COLOURS[region], linewidth=2, label=region, zorder=2,
                marker="o" if len(years) == 1 else None, solid_capstyle="round")
    ends = millions.to_pandas().ffill().iloc[-1].fillna(0.0)
    low, high = ax.get_ylim()
    placed = _spread(ends, (high - low) * 0.056, low, high)
    span = max(float(years[-1] - years[0]), 1.0)
    for region, height in placed.items():
        colour = REGION_COLOURS[region]
        ax.annotate(region, (years[-1], ends[region]), xytext=(years[-1] + 0.05 * span, height), fontsize=9,
                    color=_dark(colour), va="center", annotation_clip=False,
                    arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.8, "shrinkA": 1, "shrinkB": 2,
                                "relpos": (0, 0.5)})
    ax.set_ylim(low, high)
    ax.set_xlim(years[0] - 0.01 * span, years[-1] + 0.01 * span)
    ax.set_ylabel("net migration, million persons a year")
    ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:+g}".replace("-", "−") if round(v, 9) else "0"))
    return ax


def _spread(heights: pd.Series, gap: float, low: float, high: float) -> pd.Series:
    """Heights moved as little as needed to be ``gap`` apart: sorted, overlapping runs are centred on their mean."""
    order = heights.sort_values()
    runs: list[list[float]] = []        # [sum of wished centres, count], a run spans count * gap around its mean
    for value in order:
        runs.append([float(value), 1])
        while len(runs) > 1:
            (lower, below), (upper, above) = runs[-2:]
            if upper / above - lower / below >= gap * (above + below) / 2:
                break
            total, count = runs.pop()
            runs[-1][0] += total
            runs[-1][1] += count
    placed = []
    for total, count in runs:
        centre = total / count
        reach = gap * (count - 1) / 2
        centre = min(max(centre, low + reach), max(high - reach, low + reach))
        placed += list(centre + gap * (np.arange(count) - (count - 1) / 2))
    return pd.Series(placed, index=order.index)


def _dark(colour: str) -> tuple[float, float, float]:
    """The colour dark enough to be read as text on paper."""
    rgb = np.array(to_rgb(colour))
    luminance = rgb @ [0.2126, 0.7152, 0.0722]
    return tuple(rgb * min(1.0, 0.42 / luminance))


def _light(colour: str) -> tuple[float, float, float]:
    """The colour light enough to be seen on the dark background."""
    rgb = np.array(to_rgb(colour))
    luminance = rgb @ [0.2126, 0.7152, 0.0722]
    return tuple(rgb + (1 - rgb) * float(np.clip((0.5 - luminance) / (1 - luminance), 0, 1)))


# -- the title figure -------------------------------------------------------------------------------------------------
def _arc(start: tuple[float, float], end: tuple[float, float], points: int = 48) -> tuple[np.ndarray, np.ndarray]:
    """Longitudes (unwrapped, so perhaps beyond ±180) and y of a quadratic curve that goes the short way round.

    A short one is bent to the left of its direction, so that the two directions of a corridor lie side by side; the
    longer, the more it is lifted towards the nearer pole instead, as a great circle is.
    """
    latitude, height, scale = _equal_earth()
    metres = scale[len(scale) // 2]
    step = (end[0] - start[0] + 180) % 360 - 180
    a = np.array([start[0] * metres, np.interp(start[1], latitude, height)])
    b = np.array([(start[0] + step) * metres, np.interp(end[1], latitude, height)])
    along = b - a
    middle = (a + b) / 2
    far = float(np.clip((abs(step) - 15) / 45, 0, 1))
    control = middle + (0.2 - 0.15 * far) * np.array([-along[1], along[0]])
    control[1] += 0.25 * far * abs(along[0]) * (1 if middle[1] >= 0 else -1)
    control[1] = np.clip(control[1], -9e6, 10.5e6)       # else the longest would leave the globe
    t = np.linspace(0, 1, points)[:, None]
    curve = (1 - t) ** 2 * a + 2 * t * (1 - t) * control + t ** 2 * b
    return curve[:, 0] / metres, curve[:, 1]


def _ribbon(longitude: np.ndarray, y: np.ndarray, width: float) -> np.ndarray:
    """Polygon around a curve in projected space, thin at its start and ``width`` metres wide at its end."""
    _, height, scale = _equal_earth()
    return _widen(np.column_stack([longitude * np.interp(y, height, scale), y]), width)


def _widen(line: np.ndarray, width: float) -> np.ndarray:
    """Polygon around a curve [point, xy] in the plane, thin at its start and ``width`` wide at its end."""
    slope = np.gradient(line, axis=0)
    normal = np.column_stack([-slope[:, 1], slope[:, 0]]) / np.maximum(np.linalg.norm(slope, axis=1), 1e-9)[:, None]
    half = width / 2 * np.linspace(0.18, 1, len(line))[:, None]
    return np.vstack([line + half * normal, (line - half * normal)[::-1]])


def _corridor_width(persons: np.ndarray | float, top: float) -> np.ndarray:
    """Width in metres on the projected globe; a root, so that the eye sees the small as well as the largest."""
    return 30_000 + 330_000 * (np.asarray(persons) / top) ** 0.75


def plot_title_figure(flow: xr.DataArray, geometry: gpd.GeoDataFrame, *, largest: int = 400,
                      ax: Axes | None = None) -> Axes:
    """The largest corridors of the world as arcs that widen towards their destination, coloured by origin region.

    Parameters
    ----------
    flow : ``[origin, destination]``, persons per year; any subset of the 231 territories. The diagonal is left out.
    geometry : as ``humanflows.geometry.read_geometry()`` gives it.
    largest : how many corridors to draw at most.
    ax : where to draw; by default the whole of a new figure of 16 × 7 inches.

    Returns
    -------
    The axes. The arcs are one collection with the id ``arcs``; an arc across the antimeridian has two polygons, each
    cut at the edge of the globe.

    Raises
    ------
    InputError
        Without any number, with an unknown territory, with other dimensions, or with one that has no outline.
    """
    what = "title figure"
    flow = _checked(flow, ("origin", "destination"), ("origin", "destination"), what)
    if largest < 1:
        raise InputError(what, "fewer than one corridor asked for", "give largest >= 1", key=f"largest={largest}")
    table = flow.to_series().astype(float)
    table = table[table.index.get_level_values(0) != table.index.get_level_values(1)]
    table = table[table > 0].nlargest(largest)
    if table.empty:
        raise InputError(what, "no corridor has a flow above nought", "give a flow with persons in it")
    _check_geometry(geometry, {t for pair in table.index for t in pair}, what)
    if ax is None:
        figure = plt.figure(figsize=(16, 7), facecolor=NIGHT, layout="none")
        ax = figure.add_axes((0, 0, 1, 1))

    ax.set_facecolor(NIGHT)
    globe = ax.add_patch(Polygon(_globe(), facecolor=OCEAN, edgecolor="none", zorder=0, gid="globe"))
    geometry.geometry.to_crs(EQUAL_EARTH).plot(ax=ax, color=NIGHT_LAND, edgecolor=OCEAN, linewidth=0.35, zorder=1,
                                               gid="territories")
    region, top = region_of(), table.iloc[0]
    shapes, colours = [], []
    for (origin, destination), persons in table[::-1].items():      # the largest last, on top
        start, end = (tuple(geometry.loc[t, ["longitude", "latitude"]].astype(float)) for t in (origin, destination))
        longitude, y = _arc(start, end)
        width = float(_corridor_width(persons, top))
        colour = (*_light(REGION_COLOURS[region[origin]]), 0.30 + 0.55 * (persons / top) ** 0.4)
        for turn in (0.0, -360.0 if longitude.max() > 180 else 360.0 if longitude.min() < -180 else np.nan):
            if np.isfinite(turn):
                shapes.append(_ribbon(longitude + turn, y, width))
                colours.append(colour)
    # A wide, faint copy below makes the arcs glow a little and lifts them off the land.
    glow = ax.add_collection(PolyCollection(shapes, facecolor=[(*c[:3], 0.0) for c in colours], linewidth=2.2,
                                            edgecolor=[(*c[:3], 0.10 * c[3]) for c in colours], zorder=2, gid="glow"))
    arcs = ax.add_collection(PolyCollection(shapes, facecolor=colours, edgecolor="none", zorder=3, gid="arcs"))
    for collection in (glow, arcs):
        collection.set_clip_path(globe)

    _bare(ax)
    edge = _globe(-57, 84)
    low, high, reach = edge[:, 1].min(), edge[:, 1].max() * 1.06, edge[:, 0].max() * 1.02
    # Night fills the axes to their rim, whatever their shape: widen the shorter side.
    room = ax.get_position(original=True)       # what was given, not what geopandas made of it
    inches = ax.figure.get_size_inches()
    shape = room.width * inches[0] / (room.height * inches[1])
    spare = max(2 * reach / shape - (high - low), 0) / 2
    low, high = low - spare, high + spare
    reach = max(reach, (high - low) * shape / 2)
    ax.set(xlim=(-reach, reach), ylim=(low, high))
    ax.set_aspect("equal", adjustable="box")
    _title_keys(ax, table, top)
    return ax


def _title_keys(ax: Axes, table: pd.Series, top: float) -> None:
    """Legend of regions on the empty South Pacific, widths and a caption line on the southern Indian Ocean."""
    drawn = {region_of()[origin] for origin, _ in table.index}
    handles = [Line2D([], [], linestyle="", marker="o", markersize=6.5, color=_light(REGION_COLOURS[r]), label=r)
               for r in REGIONS if r in drawn]
    legend = ax.legend(handles=handles, title="from", loc="lower left", bbox_to_anchor=(0.012, 0.035), fontsize=9,
                       labelcolor=NIGHT_TEXT, frameon=False, labelspacing=0.32, handletextpad=0.2, alignment="left")
    legend.get_title().set(color=NIGHT_TEXT, fontweight="bold", fontsize=9)
    ax.text(0.795, 0.035, f"{len(table)} largest corridors, persons a year" if len(table) > 1
            else "largest corridor, persons a year", transform=ax.transAxes, ha="right", va="bottom", fontsize=9.5,
            color=NIGHT_TEXT)
    left, right = ax.get_xlim()
    low, high = ax.get_ylim()
    nice = [s for s in 10.0 ** np.arange(0, 8) if s <= top][-2:]
    samples = list(dict.fromkeys([*nice, _round_up(top / 2)]))
    for i, persons in enumerate(reversed([s for s in samples if s <= top])):
        x = right - (0.232 + 0.062 * i) * (right - left)
        y = low + 0.115 * (high - low)
        half, long = float(_corridor_width(persons, top)) / 2, 0.034 * (right - left)
        ax.add_patch(Polygon([(x - long / 2, y - 0.18 * half), (x + long / 2, y - half), (x + long / 2, y + half),
                              (x - long / 2, y + 0.18 * half)], facecolor=NIGHT_TEXT, edgecolor="none", zorder=4,
                             gid="width-key"))
        ax.text(x, y - 0.022 * (high - low), _persons(persons), ha="center", va="top", fontsize=8.5, color=NIGHT_TEXT)


# -- the circle -------------------------------------------------------------------------------------------------------
def plot_region_circle(flow: xr.DataArray, ax: Axes) -> Axes:
    """Moves between and within the regions as ribbons in a circle.

    A ribbon touches the ring where people leave and ends in an arrow, short of the ring, where they arrive; it has
    the colour of the origin. A region's share of the ring is its departures and arrivals together.

    Parameters
    ----------
    flow : ``[origin, destination]``, persons per year, any subset of the 231 territories; or sums over regions,
        ``[origin_region, destination_region]``.
    ax : where to draw, best square.

    Returns
    -------
    The axes. Sectors are wedges with ids ``sector:<region>``, ribbons patches with ids
    ``ribbon:<origin>|<destination>``.

    Raises
    ------
    InputError
        Without any number above nought, with an unknown territory, or with other dimensions.
    """
    what = "region circle"
    summed = ("origin_region", "destination_region")
    if set(flow.dims) == set(summed):
        between = _checked(flow, summed, (), what)
    else:
        between = by_region(_checked(flow, ("origin", "destination"), ("origin", "destination"), what).fillna(0.0))
    moves = between.to_pandas().reindex(index=REGIONS, columns=REGIONS, fill_value=0.0)
    if (moves.to_numpy() < 0).any() or moves.to_numpy().sum() <= 0:
        raise InputError(what, "no moves to draw, or negative ones", "give a flow of persons")
    ends = moves.sum(axis=1) + moves.sum(axis=0)
    regions = [r for r in REGIONS if ends[r] > 0]
    n = len(regions)
    gap = np.radians(3.0) if n > 1 else 0.0
    per_person = (2 * np.pi - n * gap) / ends.sum()

    # Clockwise from the top. Within a sector the partner that comes just before it on the circle is attached first
    # and the one just after it last, departures before arrivals for each: then no two ribbons cross without need.
    begin, leave, arrive = {}, {}, {}
    angle = gap / 2
    for i, region in enumerate(regions):
        begin[region] = angle
        at = angle
        for partner in _partners(regions, i):
            for book, key, persons in ((leave, (region, partner), moves.at[region, partner]),
                                       (arrive, (partner, region), moves.at[partner, region])):
                book[key] = (at, at + persons * per_person)
                at = book[key][1]
        angle += ends[region] * per_person + gap

    top = moves.to_numpy().max()
    pairs = moves.stack()
    for (origin, destination), persons in pairs[pairs > 0].sort_values(ascending=False).items():
        # A white edge tells neighbouring ribbons apart; around a hair it would be all that is seen.
        ax.add_patch(PathPatch(_circle_ribbon(leave[origin, destination], arrive[origin, destination]),
                               facecolor=REGION_COLOURS[origin], edgecolor=PAPER,
                               linewidth=0.4 if persons * per_person > 0.012 else 0.0, zorder=2,
                               alpha=float(0.55 + 0.3 * (persons / top) ** 0.5),
                               gid=f"ribbon:{origin}|{destination}"))
    for region in regions:
        first, last = begin[region], begin[region] + ends[region] * per_person
        ax.add_patch(Wedge((0, 0), 1.06, 90 - np.degrees(last), 90 - np.degrees(first), width=0.055,
                           facecolor=REGION_COLOURS[region], edgecolor="none", zorder=3, gid=f"sector:{region}"))
    _circle_labels(ax, moves, {r: begin[r] + ends[r] * per_person / 2 for r in regions})
    ax.set_aspect("equal")
    _bare(ax)
    ax.set(xlim=(-1.62, 1.62), ylim=(-1.3, 1.3))
    return ax


def _partners(regions: Sequence[str], i: int) -> list[str]:
    """The order in which a sector's partners are attached; itself in the middle, facing the centre."""
    others = [regions[(i - k) % len(regions)] for k in range(1, len(regions))]
    return [*others[:len(others) // 2], regions[i], *others[len(others) // 2:]]


def _on_circle(angle: np.ndarray | float, radius: np.ndarray | float) -> np.ndarray:
    """Points at clockwise angles from the top, [point, xy]."""
    angle = np.atleast_1d(angle)
    return np.reshape(radius, (-1, 1)) * np.column_stack([np.sin(angle), np.cos(angle)])


def _circle_ribbon(leave: tuple[float, float], arrive: tuple[float, float]) -> Path:
    """Closed path from an arc on the ring to an arrow short of it."""
    base, neck, tip = 0.995, 0.925, 0.97
    apart = abs((np.mean(arrive) - np.mean(leave) + np.pi) % (2 * np.pi) - np.pi)
    # Moves within a region leave and arrive side by side: a shallow lobe with no seam down its middle.
    within = np.isclose(leave[1], arrive[0], rtol=0, atol=1e-9)
    # Neighbours bend near the ring, opposite regions at the centre.
    pull = max(0.78 - 0.5 * apart, 0.2) if within else 0.72 * (1 - apart / np.pi) ** 1.3
    inner = 1.0 if within else pull

    def points(ends: tuple[float, float]) -> np.ndarray:
        return np.linspace(*ends, 2 * int(np.degrees(abs(ends[1] - ends[0]))) + 3)      # odd: one is the arrow's tip

    out, head = _on_circle(points(leave), base), points(arrive)
    into = _on_circle(head, neck + (tip - neck) * (1 - np.abs(np.linspace(-1, 1, len(head)))))
    vertices = [out, _on_circle(leave[1], base * inner), _on_circle(arrive[0], neck * inner), into,
                _on_circle(arrive[1], neck * pull), _on_circle(leave[0], base * pull), out[:1]]
    steps = ([Path.MOVETO] + [Path.LINETO] * (len(out) - 1) + [Path.CURVE4] * 3 + [Path.LINETO] * (len(into) - 1)
             + [Path.CURVE4] * 3)
    return Path(np.vstack(vertices), steps)


def _circle_labels(ax: Axes, moves: pd.DataFrame, middles: dict[str, float]) -> None:
    """Names and millions beside the sectors; on each side moved apart vertically where they would touch."""
    for right in (True, False):
        side = {r: a for r, a in middles.items() if (np.sin(a) >= 0) == right}
        if not side:
            continue
        heights = pd.Series({r: 1.17 * np.cos(a) for r, a in side.items()})
        for region, height in _spread(heights, 0.235, -1.2, 1.2).items():
            angle = side[region]
            edge = _on_circle(angle, 1.065)[0]
            # As far out as the ring is at this height, with a short leader where the label had to move.
            reach = np.sqrt(max(1.15 ** 2 - height ** 2, 0.0))
            x = max(reach, abs(edge[0]) + 0.05) * (1 if right else -1)
            out, into = moves.loc[region].sum() / 1e6, moves[region].sum() / 1e6
            ax.annotate(SHORT_NAMES.get(region, region), edge, xytext=(x, height), ha="left" if right else "right",
                        va="bottom", fontsize=9, fontweight="bold", color=_dark(REGION_COLOURS[region]),
                        linespacing=1.0, gid=f"label:{region}",
                        arrowprops={"arrowstyle": "-", "color": REGION_COLOURS[region], "linewidth": 0.8, "shrinkA": 2,
                                    "shrinkB": 0, "relpos": (0 if right else 1, 0)})
            ax.text(x, height - 0.012, f"{_millions(out)} leave, {_millions(into)} arrive", va="top", fontsize=8,
                    ha="left" if right else "right", color=INK)


def _millions(value: float) -> str:
    return f"{value:.1f} M" if value >= 0.095 else f"{value:.2f} M" if value >= 0.005 else "< 0.01 M"
