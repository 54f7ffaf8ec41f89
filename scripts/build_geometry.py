"""Build data/geometry/territories.geojson: one simplified outline for each of the 231 territories.

Source: Natural Earth 4.1 (public domain) as packed in npm ``world-atlas`` 2.0.2. The 1:50m file is the base; small
islands that it draws with a handful of points, or lacks, come from the 1:10m file. Run from a checkout::

    python scripts/build_geometry.py                     # fetches the package with npm
    python scripts/build_geometry.py --package FOLDER    # an unpacked package

Outlines are a matter of display and follow the statistics they carry, which are the United Nations': what a
territory's numbers include is drawn with it (see data/geometry/README.md). They say nothing about anyone's claims.
"""
import argparse
import json
import subprocess
import tarfile
import tempfile
from pathlib import Path

import antimeridian
import geopandas as gpd
import numpy as np
import shapely
from shapely.geometry import MultiPolygon, Point, Polygon, box, mapping

from humanflows import artifacts, paths, territories

PACKAGE = "world-atlas@2.0.2"
TOLERANCE = 0.05  # degrees: side of the smallest triangle that simplification keeps; 5 km, below a pixel of any figure
SMALL = 0.6  # square degrees: a territory smaller than this that touches no other is drawn finer
FINE_TOLERANCE = 0.005
DIGITS = 3  # 0.001 degrees is 110 m

# Polygons without a code of ours that the numbers of a territory include.
JOINED = {"Kosovo": "SRB", "Somaliland": "SOM", "N. Cyprus": "CYP", "Åland": "FIN", "Norfolk Island": "AUS",
          "Indian Ocean Ter.": "AUS"}
# Uninhabited, or outside the 231.
LEFT_OUT = {"Antarctica", "Fr. S. Antarctic Lands", "Heard I. and McDonald Is.", "S. Geo. and the Is.",
            "Br. Indian Ocean Ter.", "Ashmore and Cartier Is.", "Siachen Glacier", "Vatican", "Pitcairn Is.", "Jersey",
            "Guernsey", "St-Martin", "St-Barthélemy"}
# Parts of another territory's polygon, by where they lie: code -> (polygon it is part of, west, south, east, north).
PARTS = {
    "GUF": ("FRA", -55, 2, -51, 6), "GLP": ("FRA", -61.9, 15.8, -60.9, 16.6), "MTQ": ("FRA", -61.3, 14.3, -60.7, 15),
    "REU": ("FRA", 55, -21.6, 56, -20.7), "MYT": ("FRA", 44.9, -13.2, 45.5, -12.5),
    "BES": ("NLD", -68.6, 11.9, -62.8, 17.8), "TKL": ("NZL", -173, -9.8, -171, -8.3),
}
CRIMEA = (32.3, 44.3, 36.7, 46.3)
WESTERN_SAHARA_NORTH = 27 + 40 / 60  # its northern border is the parallel
# Where most people live, for territories whose middle is empty: arcs and dots start there.
POINTS = {"RUS": (44.0, 54.5), "CAN": (-79.0, 45.0), "USA": (-92.0, 38.5), "AUS": (147.5, -34.0), "CHN": (113.0, 31.0),
          "BRA": (-47.5, -20.0), "DZA": (3.0, 35.8), "LBY": (14.5, 31.5), "EGY": (31.1, 30.3), "NOR": (9.8, 60.3),
          "SWE": (15.8, 59.3), "FIN": (24.8, 61.2), "GRL": (-51.0, 65.5), "MLI": (-7.3, 13.2), "NER": (7.5, 13.8),
          "TCD": (16.3, 11.8), "MNG": (105.5, 47.6), "IDN": (110.0, -7.3), "SAU": (45.0, 24.3), "GBR": (-1.2, 52.5),
          "CHL": (-70.8, -34.0), "MYS": (102.0, 3.6), "KIR": (-157.4, 1.83)}


def fetch_package(folder: Path) -> Path:
    """Download and unpack the npm package into ``folder``; return the unpacked package."""
    subprocess.run(["npm", "pack", PACKAGE, "--silent"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    with tarfile.open(next(folder.glob("world-atlas-*.tgz"))) as archive:
        archive.extractall(folder, filter="data")
    return folder / "package"


def read_atlas(package: Path, resolution: str) -> gpd.GeoDataFrame:
    """Countries of one resolution with columns ``iso3`` (None where it is none of ours), ``name``, ``geometry``."""
    frame = gpd.read_file(package / f"countries-{resolution}.json", layer="countries")
    known = territories.from_m49()
    frame["iso3"] = [known.get(int(i)) if isinstance(i, str) and i.isdigit() else None for i in frame["id"]]
    # Code 036 appears twice: Ashmore and Cartier Islands are uninhabited.
    frame.loc[frame["name"].isin(LEFT_OUT), "iso3"] = None
    frame["iso3"] = frame["iso3"].fillna(frame["name"].map(JOINED))
    return frame


def polygons(shape) -> list[Polygon]:
    """The polygons of a geometry."""
    return [p for p in getattr(shape, "geoms", [shape]) if p.geom_type == "Polygon"]


def mend(shape) -> MultiPolygon:
    """A valid multipolygon: cut at the antimeridian where a ring jumps across it, self-touches repaired."""
    if shape.bounds[2] - shape.bounds[0] > 300:
        # TopoJSON winds exterior rings clockwise, which antimeridian would read as "all of the globe but this".
        shape = antimeridian.fix_multi_polygon(MultiPolygon(polygons(shape)), fix_winding=True)
    if not shape.is_valid:
        shape = shapely.make_valid(shape, method="structure")
    return MultiPolygon(polygons(shape))


def take(shapes: dict, code: str, bounds) -> MultiPolygon:
    """Remove from ``shapes[code]`` the polygons lying within ``bounds`` and return them."""
    frame = box(*bounds)
    inside = [p for p in polygons(shapes[code]) if frame.contains(p)]
    if not inside:
        raise ValueError(f"no part of {code} lies in {bounds}: is this {PACKAGE}?")
    shapes[code] = MultiPolygon([p for p in polygons(shapes[code]) if not frame.contains(p)])
    return MultiPolygon(inside)


def assemble(package: Path) -> dict[str, MultiPolygon]:
    """Outlines of the 231, unsimplified, that do not overlap."""
    coarse, fine = read_atlas(package, "50m"), read_atlas(package, "10m")
    unknown = set(coarse.loc[coarse["iso3"].isna(), "name"]) - LEFT_OUT
    if unknown:
        raise ValueError(f"polygons neither ours nor left out on purpose: {sorted(unknown)}")
    shapes = {c: mend(shapely.union_all(g.map(mend).to_list())) for c, g in
              coarse.dropna(subset="iso3").groupby("iso3")["geometry"]}
    detailed = {c: mend(g.iloc[0]) for c, g in fine.dropna(subset="iso3").groupby("iso3")["geometry"] if len(g) == 1}

    for code, (whole, *bounds) in PARTS.items():
        shapes[code], detailed[code] = take(shapes, whole, bounds), take(detailed, whole, bounds)
    crimea = take(shapes, "RUS", CRIMEA)
    shapes["UKR"] = mend(shapely.union_all([shapes["UKR"], crimea]))
    south = box(-18, 20, -8, WESTERN_SAHARA_NORTH)
    shapes["ESH"] = mend(shapely.union_all([shapes["ESH"], shapes["MAR"].intersection(south)]))
    shapes["MAR"] = mend(shapes["MAR"].difference(south))

    # Small islands: the fine outline, wherever it cannot collide with a coarsely drawn neighbour.
    tree = shapely.STRtree(list(shapes.values()))
    lonely = {c for c, s in shapes.items() if len(tree.query(s, predicate="intersects")) == 1}
    for code, shape in detailed.items():
        if code not in shapes or (code in lonely and shape.area < SMALL):
            shapes[code] = shape
    shapes["ESP"] = mend(shapes["ESP"].difference(shapes["GIB"]))
    return {code: shapes[code] for code in territories.codes()}


def simplify(shapes: dict[str, MultiPolygon]) -> dict[str, MultiPolygon]:
    """Drop vertices along shared borders together (no gaps or overlaps arise), then round the coordinates."""
    codes, whole = list(shapes), list(shapes.values())
    # Rings below the tolerance survive as triangles, which small islands must not: they are drawn finer. But what
    # touches another territory must be simplified with it, or their border would gape.
    simple = shapely.coverage_simplify(whole, TOLERANCE)
    fine = shapely.simplify(whole, FINE_TOLERANCE)
    tree = shapely.STRtree(whole)
    alone = [len(tree.query(s, predicate="intersects")) == 1 for s in whole]
    kept = [f if a and w.area < SMALL else s for w, s, f, a in zip(whole, simple, fine, alone)]
    rounded = [shapely.transform(s, lambda xy: np.round(xy, DIGITS)) for s in kept]
    return {c: mend(shapely.remove_repeated_points(s)) for c, s in zip(codes, rounded)}


def representative_point(code: str, shape: MultiPolygon) -> Point:
    """A point inside the largest polygon, far from its border; or where most people live."""
    if code in POINTS:
        return Point(POINTS[code])
    largest = max(polygons(shape), key=lambda p: p.area)
    radius = shapely.maximum_inscribed_circle(largest, tolerance=max(largest.length / 1000, 1e-4))
    point = Point(np.round(radius.coords[0], DIGITS))
    return point if shape.contains(point) else largest.representative_point()


def main() -> None:
    """Write the GeoJSON and the sha256 that the reader checks it against."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--package", type=Path, help=f"unpacked {PACKAGE}; fetched with npm when absent")
    parser.add_argument("--output", type=Path, default=paths.GEOMETRY)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        shapes = simplify(assemble(arguments.package or fetch_package(Path(folder))))
    lines = []
    for code, shape in shapes.items():
        point = representative_point(code, shape)
        if shape.is_empty or not shape.is_valid or not shape.contains(point):
            raise ValueError(f"{code}: the outline is empty or invalid, or its point lies outside")
        # RFC 7946: exterior rings run anticlockwise.
        geometry = mapping(shapely.orient_polygons(shape))
        feature = {"type": "Feature", "properties": {"iso3": code, "lon": round(point.x, 4), "lat": round(point.y, 4)},
                   "geometry": geometry}
        lines.append(json.dumps(feature, separators=(",", ":")))
    text = '{"type":"FeatureCollection","features":[\n' + ",\n".join(lines) + "\n]}\n"
    artifacts.write_text(arguments.output, text)
    artifacts.write_text(arguments.output.with_suffix(".sha256"), artifacts.sha256(arguments.output) + "\n")
    print(f"{len(lines)} territories, {len(text) / 1e6:.2f} MB, {arguments.output}")


if __name__ == "__main__":
    main()
