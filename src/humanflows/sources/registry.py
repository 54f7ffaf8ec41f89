"""The registry: which source files exist, where they come from and what their bytes must be."""
import re
from functools import cache
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import pandas as pd

from .. import paths
from ..errors import SchemaError, SourceFileError
from ..plain_files import read_table

COLUMNS = ["path", "bytes", "sha256", "url", "source", "licence", "vintage"]
MOST_BYTES = 10**11
SCHEME = "https"     # what is not encrypted could be replaced on its way


def registry(file: Path | None = None) -> pd.DataFrame:
    """Every registered source file, one row each.

    Parameters
    ----------
    file : a registry in CSV; default ``data/registry.csv``.

    Returns
    -------
    Frame with columns ``path, bytes, sha256, url, source, licence, vintage`` and ``group`` (first folder of the path).

    Raises
    ------
    SchemaError, SourceFileError
        For a file that is no such table, a path that is repeated, absolute or leaves the folder, a sha256 or a size
        that is none, or an address that is not https.
    """
    return _read(Path(file or paths.REGISTRY)).copy()


@cache
def _read(file: Path) -> pd.DataFrame:
    if not file.is_file():
        raise SourceFileError(file, "registry is missing", "run scripts/build_registry.py, or restore it from git")
    frame = read_table(file, COLUMNS, numbers={"bytes": int})
    for path in frame["path"]:
        check_path(path, file)
    twice = frame["path"].duplicated()
    if twice.any():
        raise SchemaError(file, "path registered twice", "keep one row", key=frame.loc[twice.idxmax(), "path"])
    bad = ~frame["sha256"].str.fullmatch("[0-9a-f]{64}")
    if bad.any():
        raise SchemaError(file, "not a sha256", "give 64 hexadecimal digits", key=frame.loc[bad.idxmax(), "path"])
    for row in frame.itertuples():
        check_address(row.url, file, row.path)
        if not 0 < row.bytes <= MOST_BYTES:
            raise SchemaError(file, f"a file of {row.bytes} bytes", f"give its size, 1 to {MOST_BYTES}", key=row.path)
    frame["group"] = frame["path"].str.split("/").str[0]
    return frame


def check_path(path: str, file="registry") -> str:
    """Refuse a path that could name anything outside the folder of sources.

    Raises
    ------
    SourceFileError
        For an empty or absolute path, ``..``, a backslash, a drive or a control character.
    """
    parts = PurePosixPath(path).parts
    if not parts or path.startswith(("/", "~")) or ".." in parts or re.search(r"[\\:\x00-\x1f]", path):
        raise SourceFileError(file, f"unsafe path {path!r}", "use a relative path with forward slashes, without '..'",
                              key=path)
    return path


def check_address(url: str, file="registry", key=None) -> str:
    """Refuse an address that is not one of https, or that holds a name and password.

    Raises
    ------
    SourceFileError
        Naming the address.
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme == SCHEME and parts.hostname and parts.port != 0 and "@" not in parts.netloc
    except ValueError:      # a port or host that is none
        good = False
    if not good or not re.fullmatch(r"[\x21-\x7e]+", url):
        raise SourceFileError(file, f"{url!r} is no address to download from", "give one that begins with https://, "
                              "without spaces, user name or password", key=key)
    return url


def files(prefix: str = "", file: Path | None = None) -> list[str]:
    """Registered paths that lie in a group (``"unhcr"``) or start with a prefix (``"trade/cow"``), sorted.

    Raises
    ------
    SourceFileError
        When nothing is registered there.
    """
    known = registry(file)["path"]
    chosen = known[known.str.startswith(prefix) if "/" in prefix or not prefix else known.str.startswith(prefix + "/")]
    if chosen.empty:
        raise SourceFileError(file or paths.REGISTRY, f"no registered file under {prefix!r}", "see data/registry.csv",
                              key=prefix)
    return sorted(chosen)


def about(path: str, file: Path | None = None) -> dict:
    """Row of one file as a dictionary.

    Raises
    ------
    SourceFileError
        When the path is not registered.
    """
    check_path(path)
    rows = _rows(Path(file or paths.REGISTRY))
    if path not in rows:
        raise SourceFileError(path, "not in the registry", f"add it to {file or paths.REGISTRY}", key=path)
    return dict(rows[path])


@cache
def _rows(file: Path) -> dict[str, dict]:
    """Rows of a registry by path."""
    return {row["path"]: row for row in _read(file).to_dict("records")}
