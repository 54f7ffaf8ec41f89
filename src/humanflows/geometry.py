"""Outlines of the 231 territories: public-domain Natural Earth, simplified, built once by scripts/build_geometry.py."""
from pathlib import Path

import geopandas as gpd

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
    if pinned.is_file() and pinned.read_text(encoding="utf-8").split()[0] != artifacts.sha256(file):
        raise ArtifactError(file, "the outlines are not the ones that were built", REMEDY)
    frame = gpd.read_file(file)
    if sorted(frame["iso3"]) != list(codes()):
        odd = sorted(set(frame["iso3"]) ^ set(codes())) or ["a code twice"]
        raise ArtifactError(file, "the outlines are not of the 231 territories", REMEDY, key=", ".join(odd[:5]))
    frame = frame.set_index("iso3").loc[list(codes())].set_crs(4326, allow_override=True)
    return frame.rename(columns={"lon": "longitude", "lat": "latitude"})[["geometry", "longitude", "latitude"]]
