"""The project's own tables that stand beside the sources, the outlines, and a source's table that is kept."""
import hashlib
import io
import json
import tempfile
from functools import cache
from pathlib import Path

import pandas as pd

from humanflows import paths
from humanflows.artifacts import manifest_path
from humanflows.dataset import names
from humanflows.errors import ArtifactError
from humanflows.geometry import read_geometry
from humanflows.panel import known_flows, reporting_systems, trusted_offices
from humanflows.schema import TABLES, validate
from humanflows.sources import catalogue, registry
from humanflows.sources.corrections import COLUMNS, apply_corrections
from humanflows.sources.fetch import fetch
from humanflows.sources.vintages import read_vintage
from humanflows.territories import codes

from ..samples import Document, Table, csv_of
from . import Entry, tabled

_CONTENT = b"a source file\n"
_SHA256 = hashlib.sha256(_CONTENT).hexdigest()
_REGISTRY = Table(
    {"path": ["wdi/a.txt", "wdi/b.txt"], "bytes": [len(_CONTENT)] * 2, "sha256": [_SHA256] * 2,
     "url": ["https://example.org/a", "https://example.org/b"], "source": ["a", "b"], "licence": ["CC BY 4.0"] * 2,
     "vintage": ["2024"] * 2}, csv_of(), words=("sha256",), free=("path", "url"), counts=("bytes",),
    may_be_empty=True)
_STOCK = pd.DataFrame({"source": "undesa_ims", "revision": 2024, "year": [1995, 2000], "birthplace": "DEU",
                       "residence": "USA", "persons": [10.0, 20.0], "definition": "foreign_born", "status": "reported"})
_CORRECTIONS = Table(dict(zip(COLUMNS, [
    ["undesa_ims"] * 2, ["stock"] * 2,
    [f"revision=2024;year={y};birthplace=DEU;residence=USA" for y in (1995, 2000)], [10, 20], [11, 21],
    ["a printing error"] * 2, ["none"] * 2])), csv_of(), words=("table", "key"), signed=("old",), counts=("new",),
    may_be_empty=True)
_SQUARE = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}
_OUTLINES = {"type": "FeatureCollection", "features": [
    {"type": "Feature", "properties": {"iso3": c, "lon": 0.5, "lat": 0.5}, "geometry": _SQUARE} for c in codes()]}


def _registry(places) -> pd.DataFrame:
    registry._read.cache_clear()
    return registry.registry(places["registry.csv"])


def _fetch(places) -> pd.DataFrame:
    registry._read.cache_clear()
    file = places["mirror/wdi/a.txt"]
    memory, state = places["cache/verified.json"].read_bytes(), file.stat()
    if file.read_bytes() != _CONTENT:   # what was verified once was the sound file
        memory = b"{}"
    for word, value in (("FILE", file.resolve()), ('"SIZE"', state.st_size), ('"WRITTEN"', state.st_mtime_ns),
                        ('"CHANGED"', state.st_ctime_ns)):
        memory = memory.replace(word.encode(), str(value).encode())
    with tempfile.TemporaryDirectory() as cache:    # what was verified is kept there
        (Path(cache) / "verified.json").write_bytes(memory)
        found = fetch("wdi/a.txt", registry=places["registry.csv"], mirror=file.parents[1], cache=Path(cache),
                      progress=False)
    return pd.DataFrame({"content": [str(found.read_bytes())]})


def _corrected(places) -> pd.DataFrame:
    file = places["corrections.csv"]
    return validate(apply_corrections(_STOCK, "undesa_ims", file), "stock", file=file)    # as the catalogue does


def _outlines(places) -> pd.DataFrame:
    frame = read_geometry(places["territories.geojson"])
    return frame.assign(geometry=frame.geometry.to_wkt()).reset_index()[["iso3", "geometry", "longitude", "latitude"]]


def _systems(places) -> pd.DataFrame:
    return reporting_systems.read_systems(places["reporting_systems.csv"]).astype(str)


def _classes(places) -> pd.DataFrame:
    return reporting_systems.read_classes(places["reporting_classes.csv"]).astype(str)


def _trusted(places) -> pd.DataFrame:
    return trusted_offices.read_trusted_offices(places["trusted_offices.csv"]).astype(str)


def _known(places) -> pd.DataFrame:
    return known_flows.read_known_flows(places["known_flows.csv"])


def _aliases(places) -> pd.DataFrame:
    """Names of territories, from the file of them and from that of other names."""
    plain = paths.TERRITORIES, paths.ALIASES
    paths.TERRITORIES, paths.ALIASES = (places[f"{k}.csv"] for k in ("territories", "aliases"))
    functions = [f for f in vars(names).values() if hasattr(f, "cache_clear")]
    try:
        for function in functions:
            function.cache_clear()
        return pd.DataFrame([{"code": c, "names": str((names.name(c), names.region(c), names.other_names().get(c)))}
                             for c in names.listed()])
    finally:
        paths.TERRITORIES, paths.ALIASES = plain
        for function in functions:
            function.cache_clear()


def _own(file: Path, **roles) -> Table:
    """A table of the project as it is."""
    frame = pd.read_csv(file, dtype=str, keep_default_na=False)
    return Table({c: frame[c].tolist() for c in frame}, csv_of(), ordered=True, may_be_empty=True, **roles)


@cache
def _kept() -> dict[str, bytes]:
    """A table of a source as it is kept, with its manifest, made from nothing that would have to be read."""
    frame = pd.DataFrame({"source": "eu", "variable": "eu_member", "territory": ["FRA", "NAM"], "year": 1995,
                          "value": [1.0, 0.0], "status": "reported"})
    out = io.BytesIO()
    frame.to_parquet(out, index=False, compression="zstd")
    sha256 = hashlib.sha256(out.getvalue()).hexdigest()
    manifest = {"artifact": "territory_year.parquet", "sha256": sha256, "inputs": {}, "inputs_digest": "as now",
                "omitted": [{"reason": "a reason", "year": 1995, "rows": 2, "persons": 0.0}],
                "tables": {"territory_year": sha256}}
    return {"eu/territory_year.parquet": out.getvalue(),
            "eu/territory_year.parquet.manifest.json": json.dumps(manifest).encode()}


def _is_kept(places) -> pd.DataFrame:
    """The kept table where it counts as fresh; otherwise the source would be read again, which gives the same."""
    table = places["eu/territory_year.parquet"]
    targets = {"territory_year": table}
    assert manifest_path(table).is_file()
    plain, catalogue.digest = catalogue.digest, lambda *_: "as now"
    try:
        fresh = catalogue._is_fresh(targets, {})
    finally:
        catalogue.digest = plain
    if not fresh:
        raise ArtifactError(table, "stale, so that it is made again", "none is needed")
    catalogue._omitted(targets)
    return pd.read_parquet(table)


ENTRIES = (
    Entry("registry", {"registry.csv": _REGISTRY}, _registry, modules=("registry",)),
    Entry("fetch", {
        "registry.csv": _REGISTRY, "mirror/wdi/a.txt": _CONTENT,
        "cache/verified.json": Document({"FILE": ["SIZE", "WRITTEN", "CHANGED", _SHA256]})}, _fetch, modules=("fetch",),
        named=("a.txt",)),
    Entry("corrections", {"corrections.csv": _CORRECTIONS}, _corrected, "stock", modules=("corrections",)),
    Entry("outlines", {"territories.geojson": Document(_OUTLINES, free=("type", "geometry", "lon", "lat"))}, _outlines,
          named=("territories.geojson",)),
    Entry("reporting systems", {"reporting_systems.csv": _own(
        paths.REPORTING_SYSTEMS, words=("side", "criterion", "system", "duration", "flow_type", "class", "checked"),
        free=("reporter",))}, _systems),
    Entry("reporting classes", {"reporting_classes.csv": _own(
        paths.REPORTING_CLASSES, words=("part", "name", "side", "basis"))}, _classes),
    Entry("trusted offices", {"trusted_offices.csv": _own(
        paths.TRUSTED_OFFICES, words=("side",), free=("reporter",))}, _trusted),
    Entry("known flows", {"known_flows.csv": Table(
        {"origin": ["POL", "SYR"], "destination": ["DEU", "TUR"], "year": [2012, 2014], "persons": [177758, 1013049],
         "kind": ["arrivals", "displaced"], "bound": ["none", "lower"], "definition": ["by citizenship", "refugees"],
         "source": ["OECD", "UNHCR"], "url": ["https://example.org/a", "https://example.org/b"],
         "checked": ["read on the page"] * 2, "note": ["", "a war"], "comment": [""] * 2}, csv_of(),
        codes=("origin", "destination"), years=("year",), counts=("persons",), words=("kind", "bound", "checked"),
        free=("definition", "source", "url", "note", "comment"), may_be_empty=True)}, _known),
    Entry("names", {"territories.csv": _own(paths.TERRITORIES, free=("iso3", "iso2", "name")),
                    "aliases.csv": _own(paths.ALIASES, free=("name", "kind", "territories"))}, _aliases),
    Entry("kept table", _kept(), _is_kept, "territory_year"),
    Entry("vintage", {"eu/territory_year.parquet": _kept()["eu/territory_year.parquet"]},
          lambda places: tabled(read_vintage(places["eu/territory_year.parquet"])), tuple(TABLES), ("vintages",)),
)
