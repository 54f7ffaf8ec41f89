"""Artifacts on disk: written whole or not at all, each with a manifest that says what made it."""
import hashlib
import json
import os
import platform
import tempfile
from collections.abc import Iterable
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from . import paths
from .errors import ArtifactError

PACKAGES = ("torch", "numpy", "pandas", "xarray")


@contextmanager
def atomic(target: Path):
    """Yield a temporary path beside ``target``; rename it into place only if the block succeeds."""
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.stem}-", suffix=target.suffix, dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)  # mkstemp makes private files; an artifact is for every reader
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(target: Path, text: str) -> Path:
    """Write text atomically."""
    with atomic(target) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return Path(target)


def write_bytes(target: Path, content: bytes) -> Path:
    """Write bytes atomically."""
    with atomic(target) as temporary:
        temporary.write_bytes(content)
    return Path(target)


def write_netcdf(dataset, target: Path, compress: int = 4) -> Path:
    """Write an xarray Dataset atomically as compressed NetCDF 4 (netcdf4)."""
    encoding = {name: {"zlib": True, "complevel": compress, "shuffle": True}
                for name, v in dataset.variables.items() if v.dtype.kind in "fiub" and v.ndim}
    with atomic(target) as temporary:
        dataset.to_netcdf(temporary, engine="netcdf4", encoding=encoding)
    return Path(target)


def sha256(file: Path) -> str:
    """Hex digest of a file's bytes."""
    with open(file, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def digest(*things) -> str:
    """Short digest of JSON-like values, the same in every process."""
    text = json.dumps(things, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def code_digest(*modules: str) -> str:
    """Digest of the source text of modules or packages given as paths under the package, e.g. ``"model"``."""
    base = Path(__file__).parent
    for module in modules:
        if not (base / module).exists():
            raise FileNotFoundError(f"humanflows/{module}: no such module, so its digest would never change")
    files = sorted(f for m in modules for f in ([base / m] if m.endswith(".py") else (base / m).rglob("*.py")))
    return digest([(str(f.relative_to(base)), f.read_text(encoding="utf-8")) for f in files])


def manifest_path(target: Path) -> Path:
    """Where an artifact's manifest lies."""
    return Path(target).with_name(Path(target).name + ".manifest.json")


def write_manifest(target: Path, *, made_by: str, inputs: dict, device: str = "cpu", seconds: float | None = None,
                   profile: str = "", seed: int | None = None, beside: Iterable[Path] = (), **more) -> Path:
    """Say beside an artifact what made it: inputs (digests), versions, device, time, and its own sha256.

    ``beside`` are other files of the same folder that the step wrote with it: their digests are listed, too.
    """
    text = json.dumps({
        "artifact": Path(target).name, "sha256": sha256(target), "made_by": made_by, "profile": profile, "seed": seed,
        "beside": {Path(file).name: sha256(file) for file in beside},
        "inputs": inputs, "inputs_digest": digest(inputs), "device": device, "seconds": seconds,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version(), **{p: version(p) for p in PACKAGES}}, **more,
    }, indent=1, default=str)
    return write_text(manifest_path(target), text + "\n")


def read_manifest(target: Path) -> dict | None:
    """Manifest of an artifact; None when there is none."""
    file = manifest_path(target)
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def is_fresh(target: Path, inputs: dict, beside: Iterable[Path] = ()) -> bool:
    """True when the artifact is the one that its manifest describes and was made from exactly these inputs.

    So must be all files that the manifest lists beside it; those given must be among them.
    """
    manifest = read_manifest(target)
    if not manifest or manifest["inputs_digest"] != digest(inputs):
        return False
    # A run cut off between its files and their manifest leaves new files beside an old manifest.
    listed = {Path(target).name: manifest["sha256"], **manifest.get("beside", {})}
    return {Path(file).name for file in beside} <= set(listed) and all(
        file.is_file() and sha256(file) == known
        for file, known in ((Path(target).with_name(name), known) for name, known in listed.items()))


def require(target: Path, made_by: str) -> Path:
    """The path, or a clear error naming the step that makes it.

    Raises
    ------
    ArtifactError
        When the file is missing.
    """
    if not Path(target).is_file():
        raise ArtifactError(target, "artifact is missing", f"run {made_by} first")
    return Path(target)


def require_whole(file: Path, made_by: str, of: Path | None = None) -> Path:
    """The path of a file that is the one its manifest describes, if it has one.

    Parameters
    ----------
    file : the artifact.
    made_by : the step that makes it.
    of : the artifact whose manifest lists the file, where it has none of its own.

    Raises
    ------
    ArtifactError
        When the file is missing, damaged, or of another run than its manifest.
    """
    require(file, made_by)
    manifest = read_manifest(of or file) or {}
    known = manifest.get("beside", {}).get(Path(file).name) if of else manifest.get("sha256")
    if known not in (None, sha256(file)):
        raise ArtifactError(file, "the file is not the one that its manifest describes: it is damaged, or the run that "
                            "wrote it was cut off", f"run {made_by} again")
    return Path(file)


def manifests(folder: Path | None = None) -> Iterable[dict]:
    """All manifests under a folder (default: every profile's artifacts), oldest name first."""
    for file in sorted((folder or paths.ARTIFACTS).rglob("*.manifest.json")):
        yield json.loads(file.read_text(encoding="utf-8"))
