"""Verified local copies of source files: a mirror first, then the cache, then a download that can be resumed."""
import contextlib
import json
import logging
import os
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pooch
import requests
from tqdm import tqdm

from .. import paths
from ..artifacts import sha256, write_text
from ..errors import SourceFileError
from .registry import about, check_path

RETRIES = 3
TIMEOUT = 30  # seconds without a byte
CHUNK = 1 << 16
REDIRECTS = 5  # within one server

pooch.get_logger().setLevel(logging.WARNING)  # a bar is shown; a line per file would repeat it


def fetch(path: str, *, registry: Path | None = None, mirror: Path | None = ..., cache: Path | None = None,
          progress: bool = True) -> Path:
    """Local path of a registered file whose bytes are the registered ones.

    The mirror is read in place; what it lacks is taken from the cache; what that lacks is downloaded into it, with a
    progress bar, retries, and resumption of a partial download. A file that fails its check replaces nothing.

    Parameters
    ----------
    path : as in the registry.
    registry : another registry than ``data/registry.csv``.
    mirror : folder laid out like the registry, or None for none; default ``paths.mirror()``.
    cache : folder for downloads; default ``paths.CACHE``.
    progress : show a bar while downloading.

    Raises
    ------
    SourceFileError
        Naming the file and the remedy: what was expected and found, or what the server did.
    """
    entry = about(check_path(path), registry)
    cache = Path(cache or paths.CACHE)
    mirror = paths.mirror() if mirror is ... else mirror
    if mirror is not None and (Path(mirror) / path).is_file():
        file = Path(mirror) / path
        found = _digest(file, cache)
        if found != entry["sha256"]:
            raise _altered(file, entry, found, "restore it in the mirror, or set HUMANFLOWS_MIRROR to the empty text "
                           "to download it instead")
        return file
    file = cache / path
    if not file.is_file() or _digest(file, cache) != entry["sha256"]:
        _download(path, entry, cache, progress)
        _digest(file, cache)
    return file


def fetch_all(wanted: Iterable[str], **options) -> dict[str, Path]:
    """Local paths of several registered files, by registry path; options as of :func:`fetch`."""
    return {path: fetch(path, **options) for path in wanted}


def _altered(file, entry: dict, found: str, remedy: str) -> SourceFileError:
    size = Path(file).stat().st_size if Path(file).is_file() else None
    about_size = "" if size in (None, entry["bytes"]) else f" ({size} bytes instead of {entry['bytes']})"
    return SourceFileError(file, f"altered or truncated{about_size}: expected sha256 {entry['sha256']}, found {found}",
                           remedy, key=entry["path"])


def _digest(file: Path, cache: Path) -> str:
    """sha256 of a file, remembered until the file's size or its times of change differ."""
    stat = file.stat()
    # ctime too: unlike mtime it cannot be set back, so an edit that restores the old time is still seen.
    state = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
    memory = cache / "verified.json"
    known = _remembered(memory)
    entry = known.get(str(file.resolve()))
    if isinstance(entry, list) and entry[:3] == state:
        return entry[3]
    found = sha256(file)
    known = _remembered(memory) | {str(file.resolve()): [*state, found]}
    with contextlib.suppress(OSError):  # a read-only cache costs time, not correctness
        write_text(memory, json.dumps(known, indent=0))
    return found


def _remembered(memory: Path) -> dict:
    try:
        known = json.loads(memory.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _download(path: str, entry: dict, cache: Path, progress: bool) -> None:
    downloader = ResumingDownloader(part=cache / f"{path}.part", size=int(entry["bytes"]), progress=progress)
    store = pooch.create(path=cache, base_url="", registry={path: entry["sha256"]}, urls={path: entry["url"]},
                         retry_if_failed=RETRIES)
    remedy = (f"check the connection and try again, or put the file at {path} in a folder named by HUMANFLOWS_MIRROR")
    try:
        store.fetch(path, downloader=downloader)
    except _Refused as error:
        raise SourceFileError(entry["url"], f"{error}; nothing was replaced", remedy, key=path) from error
    except (requests.exceptions.RequestException, OSError) as error:   # an address that is none among them
        raise SourceFileError(entry["url"], f"could not be downloaded ({type(error).__name__}: {error})", remedy,
                              key=path) from error
    except ValueError as error:  # pooch: the hash of what was downloaded differs
        raise SourceFileError(entry["url"], f"downloaded bytes are not the registered ones: expected sha256 "
                              f"{entry['sha256']}, found {downloader.found}; nothing was replaced", remedy, key=path,
                              ) from error


class _Refused(Exception):
    """What the server offers is not what is registered; asking again would not help."""


class ResumingDownloader:
    """Downloader for pooch that keeps what it has in a ``.part`` file and asks only for the rest.

    pooch's own HTTP downloader begins anew after every cut. This one sends a Range header; a server that ignores it
    answers 200 with the whole file, and then the part is begun again. No more is taken than the file's size, and no
    redirect is followed to another server, or to one without encryption.

    Parameters
    ----------
    part : where the unfinished download lies between attempts and between runs.
    size : of the whole file, bytes.
    progress : show a bar.
    """

    def __init__(self, part: Path, size: int, progress: bool = True):
        self.part, self.size, self.progress, self.found = Path(part), size, progress, "nothing"

    def __call__(self, url: str, output_file: str, pooch) -> None:
        """Bring the whole file to ``output_file``; a cut connection raises and leaves the part for the next attempt."""
        self.part.parent.mkdir(parents=True, exist_ok=True)
        have = self.part.stat().st_size if self.part.is_file() else 0
        if have > self.size:      # of another edition
            self.part.unlink()
            have = 0
        # identity: a compressed answer would make the offsets of the Range header meaningless
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        with _open(url, headers) as answer:
            if answer.status_code == 416:  # the part is longer than the file, or just complete
                if not have or answer.headers.get("Content-Range", "") != f"bytes */{have}":
                    self.part.unlink(missing_ok=True)
                    raise requests.exceptions.ConnectionError(f"{url}: partial download does not fit; begun again")
                if have != self.size:
                    self._refuse(f"{have} bytes")
            else:
                answer.raise_for_status()
                if answer.status_code not in (200, 206):
                    raise requests.exceptions.ConnectionError(f"{url}: the server answered {answer.status_code}")
                self._receive(answer, url, have)
        self.found = sha256(self.part)
        os.replace(self.part, output_file)

    def _receive(self, answer, url: str, have: int) -> None:
        resumed = answer.status_code == 206
        if resumed and not answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            self.part.unlink()
            raise requests.exceptions.ConnectionError(f"{url}: server sent another range than asked for")
        start = have if resumed else 0
        length = answer.headers.get("Content-Length", "")
        if length.isdecimal() and start + int(length) != self.size:
            self._refuse(f"{start + int(length)} bytes")
        with (open(self.part, "ab" if resumed else "wb") as out,
              tqdm(total=self.size, initial=start, unit="B", unit_scale=True, desc=self.part.stem,
                   disable=not self.progress, leave=False) as bar):
            for chunk in answer.iter_content(CHUNK):
                if out.tell() + len(chunk) > self.size:
                    self._refuse("more bytes")
                out.write(chunk)
                bar.update(len(chunk))
            if out.tell() < self.size:
                raise requests.exceptions.ConnectionError(f"{url}: the server sent {out.tell()} of {self.size} bytes")

    def _refuse(self, what: str):
        self.part.unlink(missing_ok=True)
        raise _Refused(f"the server has {what} instead of the registered {self.size}")


@contextlib.contextmanager
def _open(url: str, headers: dict):
    """The answer to a request, after redirects within the same server."""
    for _ in range(1 + REDIRECTS):
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT, allow_redirects=False) as answer:
            if not answer.is_redirect:
                yield answer
                return
            target = urljoin(url, answer.headers["Location"])
        if _server(target) != _server(url):
            raise _Refused(f"the server sends elsewhere, to {target!r}")
        url = target
    raise _Refused(f"the server redirects more than {REDIRECTS} times")


def _server(url: str) -> tuple:
    """What must stay the same in a redirect: https, host and port."""
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname, parts.port or 443
    except ValueError:
        return (url,)
