"""Artifacts on disk: written whole or not at all, each with a manifest that says what made it."""
import contextlib
import errno
import hashlib
import json
import os
import platform
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Iterable
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path

from . import paths, reads
from .errors import ArtifactError

PACKAGES = ("torch", "numpy", "pandas", "xarray")
OLD = 24 * 3600     # seconds after which what another machine, or an earlier version, has left over is taken for dead
_OURS = re.compile(r"\.humanflows-(?P<host>[0-9a-f]{6})-(?P<process>\d+)-.+")
_EARLIER = re.compile(r"\.[\w.-]+-[a-z0-9_]{8}\.(nc|csv|json|md|ipynb|png|svg|safetensors|zip|html)")
_swept: set[tuple[int, Path]] = set()


@cache
def _here() -> str:
    """What tells this machine, since it was started, from others that may number processes alike."""
    about = [socket.gethostname()]
    with contextlib.suppress(OSError):      # where there is no /proc
        about += [Path("/proc/sys/kernel/random/boot_id").read_text(), os.readlink("/proc/self/ns/pid")]
    return digest(about)[:6]


def temporary_prefix(target: Path) -> str:
    """How the name of what is being written in a target's place begins: it says by which process of which machine."""
    return f".humanflows-{_here()}-{os.getpid()}-{Path(target).stem}-"


def sweep(folder: Path) -> list[Path]:
    """Remove what processes that were killed have left over in a folder, not below it.

    That is what :func:`temporary_prefix` names after a process of this machine that is no more; and, where it has lain
    for a day, what it names after another machine's, and files that earlier versions left in the project's own folders.

    Returns
    -------
    list of Path: what was removed.
    """
    removed = []
    own = any(folder.resolve().is_relative_to(f.resolve()) for f in (paths.BUILD, paths.ARTIFACTS, paths.DATA))
    for file in sorted(folder.iterdir()) if folder.is_dir() else ():
        ours = _OURS.fullmatch(file.name)
        if not (ours or (own and _EARLIER.fullmatch(file.name) and file.is_file())):
            continue
        with contextlib.suppress(OSError):      # somebody else sweeps, too
            if not (_is_gone(int(ours["process"])) if ours and ours["host"] == _here()
                    else time.time() - file.lstat().st_mtime > OLD):
                continue
            shutil.rmtree(file) if file.is_dir() and not file.is_symlink() else file.unlink()
            removed.append(file)
    return removed


def _is_gone(process: int) -> bool:
    if os.name != "posix":
        return False            # elsewhere the signal 0 is one that ends a process
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:     # another user's
        return False
    return False


def _sweep_once(folder: Path) -> None:
    if (here := (os.getpid(), folder.resolve())) not in _swept:
        _swept.add(here)
        sweep(folder)


def visible_files(folder: Path) -> list[Path]:
    """Files of a folder and below, sorted, but for hidden ones and those in hidden folders."""
    return sorted(f for f in folder.rglob("*") if f.is_file()
                  and not any(p.startswith(".") for p in f.relative_to(folder).parts))


@contextmanager
def atomic(target: Path):
    """Yield a temporary path beside ``target``; rename it into place only if the block succeeds.

    The first time that a process writes into a folder, what killed processes have left there is swept.
    """
    target, temporary = Path(target), None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep_once(target.parent)
        handle, name = tempfile.mkstemp(prefix=temporary_prefix(target), suffix=target.suffix, dir=target.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)  # mkstemp makes private files; an artifact is for every reader
        os.replace(temporary, target)
    except OSError as error:
        raise cannot_write(target, error) or error from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REFUSED = {errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EEXIST, errno.ENOENT}


def cannot_write(target: Path, error: BaseException) -> ArtifactError | None:
    """What to say of an error of the system or of NetCDF on writing; None for one that is about something else."""
    code, folder = getattr(error, "errno", None), Path(target).parent
    if isinstance(error, shutil.Error) and (found := re.search(r"\[Errno (\d+)\]", str(error))):
        code = int(found[1])        # of the first of several files that were copied
    if getattr(error, "filename", None) is not None and code not in _FULL:
        other = Path(os.fsdecode(error.filename))
        if not (other in (folder, *folder.parents) or (folder in other.parents and code != errno.ENOENT)):
            return None     # it could not read something else
    if code in _FULL:
        problem = "it cannot be written: the disk is full"
    elif code in _REFUSED:
        problem = f"the folder cannot be written ({os.strerror(code)})"
    elif "HDF error" in str(error):
        problem = "it cannot be written: the disk is full, or the folder cannot be written (NetCDF: HDF error)"
    else:
        return None
    return ArtifactError(target, problem, "make room, or name another folder with HUMANFLOWS_BUILD")


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
        try:
            dataset.to_netcdf(temporary, engine="netcdf4", encoding=encoding)
        except RuntimeError as error:       # of the NetCDF library, which does not say what the system said
            raise cannot_write(target, error) or error from error
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
    with atomic(manifest_path(target)) as temporary, open(temporary, "w", encoding="utf-8") as handle:
        handle.write(text + "\n")
        handle.flush()
        os.fsync(handle.fileno())       # a power cut after the rename would else leave an empty manifest
    return manifest_path(target)


def read_manifest(target: Path) -> dict | None:
    """Manifest of an artifact; None when there is none, or one that was cut off: then nobody knows what made it."""
    return _read(manifest_path(target))


def _read(file: Path) -> dict | None:
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):     # of JSON and of UTF-8
        return None
    whole = isinstance(manifest, dict) and {"artifact", "sha256", "inputs", "inputs_digest"} <= set(manifest)
    return manifest if whole else None


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
    reads.note(target)      # libraries in C open files unseen
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
    """All manifests under a folder (default: every profile's artifacts), oldest name first; none that was cut off."""
    found = map(_read, sorted((folder or paths.ARTIFACTS).rglob("*.manifest.json")))
    return (manifest for manifest in found if manifest is not None)
