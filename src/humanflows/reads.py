"""Which files of the project a process reads: what is made of them is stale when one of them changes, and only then.

Where the variable ``HUMANFLOWS_READS`` names a file, every process that imports humanflows appends to it the name of
each file of the project that it opens: tables, configuration, and the modules that it imports. Python reports files
that it opens itself (an audit hook). Libraries in C open files behind its back; but no file of a release or of outlines
is given to one before its digest was taken or :func:`humanflows.artifacts.require` was asked for it: both are seen.
"""
import hashlib
import os
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from . import paths

VARIABLE = "HUMANFLOWS_READS"
PACKAGE = os.path.dirname(os.path.abspath(__file__))
_CODE = "humanflows/"       # begins the names of the package's own files, wherever the package lies
_log: int | None = None     # file descriptor
_noted: set[str] = set()


def start() -> None:
    """Record what this process reads from now on, and the modules that it has imported, if it is asked to."""
    global _log

    log = os.environ.get(VARIABLE)
    if not log or _log is not None:
        return
    _log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    sys.addaudithook(_opened)
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] == "humanflows" and getattr(module, "__file__", None):
            note(module.__file__)


def _opened(event: str, args: tuple) -> None:
    if event != "open":
        return
    path, mode, flags = args
    writes = mode[:1] in "wxa" if isinstance(mode, str) and mode else flags & os.O_ACCMODE == os.O_WRONLY
    if isinstance(path, str | bytes | os.PathLike) and not writes:
        note(path)


def note(path) -> None:
    """Record that a file is read; without effect where nothing is recorded."""
    if _log is None:
        return
    name = os.path.abspath(os.fsdecode(path))
    if name in _noted:
        return
    _noted.add(name)
    if key := key_of(name):
        os.write(_log, f"{key}\n".encode())


def key_of(name: str) -> str | None:
    """Name of a file within the project; None for what is outside, built, hidden or a notebook."""
    if name.startswith(PACKAGE + os.sep):
        *folders, last = os.path.relpath(name, PACKAGE).split(os.sep)
        if folders[-1:] == ["__pycache__"]:     # compiled; what counts is the source
            folders, last = folders[:-1], last.split(".")[0] + ".py"
        return _CODE + "/".join((*folders, last))
    for built in (paths.BUILD, paths.NOTEBOOKS):
        if name.startswith(f"{built}{os.sep}"):
            return None
    parts = os.path.relpath(name, paths.ROOT).split(os.sep)
    if any(p.startswith(".") for p in parts) or "__pycache__" in parts:
        return None
    return "/".join(parts)


def read_log(log: Path) -> list[str]:
    """Names of the files that were read, sorted."""
    return sorted(set(Path(log).read_text(encoding="utf-8").split("\n")) - {""})


def digests(keys: Iterable[str]) -> dict[str, str | None]:
    """sha256 of files by their names in the project; None for those that are gone."""
    return {key: digest_of(place_of(key)) for key in sorted(keys)}


def place_of(key: str) -> Path:
    """Where a file of the project lies."""
    return Path(PACKAGE, key.removeprefix(_CODE)) if key.startswith(_CODE) else paths.ROOT / key


def digest_of(file: Path) -> str | None:
    """sha256 of a file, None where there is none; taken again only when the system says that it was written."""
    try:
        about = file.stat()
    except OSError:
        return None
    if not file.is_file():
        return None
    return _digest(str(file), about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns)


@cache
def _digest(file: str, *about: int) -> str:
    with open(file, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
