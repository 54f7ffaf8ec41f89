"""Outlines of the 231 territories: public-domain Natural Earth, simplified, built once by scripts/build_geometry.py."""
from pathlib import Path

import geopandas as gpd
import pandas as pd

from . import artifacts, paths
from .errors import ArtifactError
from .territories import codes

REMEDY = "restore data/geometry from the repository, or run scripts/build_geometry.py"


def read_geometry(file: Path | None = None) -> gpd.GeoDataFrame:
    """Outlines indexed by ``iso3`` in the order of ``territories.codes()``, WGS 84, with a point inside each.

    Returns
    -------
    GeoDataFrame with columns ``geometry, longitude, latitude``; the last two in degrees, of a point inside.

    Raises
    ------
    ArtifactError
        When the file is missing, altered or lacks a territory.
    """
    file = Path(file or paths.GEOMETRY)
    if not file.is_file():
        raise ArtifactError(file, "the outlines are missing", REMEDY)
    pinned = file.with_suffix(".sha256")
    if pinned.is_file() and pinned.read_bytes().split()[:1] != [artifacts.sha256(file).encode()]:
        raise ArtifactError(file, "the outlines are not the ones that were built", REMEDY)
    try:
        frame = gpd.read_file(file)
    except Exception as error:     # GDAL and what calls it raise anything over damaged bytes
        raise ArtifactError(file, f"cannot be read as outlines ({type(error).__name__}: {error})", REMEDY) from error
    absent = [c for c in ("iso3", "lon", "lat", "geometry") if c not in frame]
    if absent:
        raise ArtifactError(file, f"the outlines lack {absent}", REMEDY, key=absent[0])
    found = [str(c) for c in frame["iso3"]]
    if sorted(found) != list(codes()):
        odd = sorted(set(found) ^ set(codes())) or ["a code twice"]
        raise ArtifactError(file, "the outlines are not of the 231 territories", REMEDY, key=", ".join(odd[:5]))
    shapeless = frame["geometry"].isna() | frame["geometry"].is_empty
    points = [pd.to_numeric(frame[c], errors="coerce") for c in ("lon", "lat")]
    bad = shapeless | ~points[0].between(-180, 180) | ~points[1].between(-90, 90)
    if bad.any():
        raise ArtifactError(file, "an outline, or the point inside it, is missing", REMEDY,
                            key=frame.loc[bad.idxmax(), "iso3"])
    frame = frame.assign(lon=points[0], lat=points[1]).set_index("iso3").loc[list(codes())]
    frame = frame.set_crs(4326, allow_override=True)
    return frame.rename(columns={"lon": "longitude", "lat": "latitude"})[["geometry", "longitude", "latitude"]]
