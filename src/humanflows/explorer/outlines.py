"""The map of the page: outlines of the territories in the Equal Earth projection, as paths of whole numbers.

Points are rounded to a grid and repeated ones dropped. Two territories that share a border share its points, so that
rounding moves both sides alike and leaves no gap between them.
"""
from collections.abc import Sequence

import geopandas as gpd
import numpy as np
from pyproj import Transformer

EQUAL_EARTH = 8857
WIDTH = 3000            # steps from the leftmost point to the rightmost
SMALL_STEPS = 6.0       # a territory less wide and high than this is drawn as a circle as well
_SOUTH, _NORTH = -58.0, 84.0        # degrees; there is nobody to count beyond
EDGES = 72              # latitudes at which the page is told how wide the globe is


def project(longitude, latitude) -> tuple[np.ndarray, np.ndarray]:
    """Metres on the Equal Earth map, x to the right and y down, as pictures have them."""
    x, y = Transformer.from_crs(4326, EQUAL_EARTH, always_xy=True).transform(np.asarray(longitude),
                                                                             np.asarray(latitude))
    return np.asarray(x), -np.asarray(y)


def _frame() -> tuple[float, float, float, float]:
    """Left, top, metres of a step, height in steps."""
    left, _ = project(-180.0, 0.0)
    _, top = project(0.0, _NORTH)
    _, bottom = project(0.0, _SOUTH)
    step = -2 * float(left) / WIDTH
    return float(left), float(top), step, float(bottom - top) / step


def outlines(geometry: gpd.GeoDataFrame, codes: Sequence[str]) -> dict:
    """What the page needs to draw territories.

    Parameters
    ----------
    geometry : as :func:`humanflows.geometry.read_geometry` has it.
    codes : the territories of the page; one without an outline is left without.

    Returns
    -------
    dict: ``width`` and ``height`` of the map in steps, ``graticule`` (its outline), ``edge`` (y and half the width of
    the globe there, from the north, for x is linear in longitude), and lists in the order of the codes: ``paths`` (SVG,
    relative moves, empty for none), ``points`` ([x, y] inside, or None) and ``small`` (whether it needs a circle to be
    seen).
    """
    left, top, step, height = _frame()

    def steps(longitude, latitude):
        x, y = project(longitude, latitude)
        return np.column_stack([np.round((x - left) / step), np.round((y - top) / step)]).astype(int)

    paths, points, small = [], [], []
    for code in codes:
        if code not in geometry.index:
            paths.append("")
            points.append(None)
            small.append(False)
            continue
        row = geometry.loc[code]
        shape = row["geometry"]
        rings = [steps(*np.asarray(ring.coords)[:, :2].T) for part in getattr(shape, "geoms", [shape])
                 for ring in (part.exterior, *part.interiors)]
        text, extent = _path(rings)
        paths.append(text)
        points.append(steps([row["longitude"]], [row["latitude"]])[0].tolist())
        small.append(bool(extent < SMALL_STEPS))
    rim = np.linspace(_NORTH, _SOUTH, EDGES)
    globe, _ = _path([steps(np.repeat([180.0, -180.0], EDGES), np.concatenate([rim, rim[::-1]]))])
    x, y = project(np.full(EDGES, 180.0), rim)
    edge = np.column_stack([(y - top) / step, x / step]).round(1).tolist()
    return {"width": WIDTH, "height": round(height), "graticule": globe, "edge": edge, "paths": paths, "points": points,
            "small": small}


def _path(rings: Sequence[np.ndarray]) -> tuple[str, float]:
    """SVG path of rings [point, xy], those that vanish on the grid left out; and the extent of the largest in steps."""
    parts, extent = [], 0.0
    for ring in rings:
        moved = np.any(np.diff(ring, axis=0, prepend=ring[:1] - 1) != 0, axis=1)
        ring = ring[moved]
        if len(ring) > 1 and (ring[0] == ring[-1]).all():
            ring = ring[:-1]
        if len(np.unique(ring, axis=0)) < 3:
            continue
        extent = max(extent, float(np.ptp(ring, axis=0).max()))
        moves = " ".join(f"{x},{y}" for x, y in np.diff(ring, axis=0))
        parts.append(f"M{ring[0][0]},{ring[0][1]}l{moves}z")
    return "".join(parts), extent
