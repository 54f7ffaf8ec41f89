"""One writer a folder: a second one is told so at once, instead of both spoiling what the other makes."""
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from .artifacts import cannot_write
from .errors import ArtifactError

NAME = ".lock"


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder; steps of one process may nest. The system frees it when the process ends, however.

    Raises
    ------
    ArtifactError
        When another process holds it, or the folder cannot be written.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / NAME, timeout=0, is_singleton=True)
        lock.acquire()
    except Timeout:
        raise ArtifactError(folder, "another humanflows is at work in this folder",
                            "wait until it is done, or give this one a folder of its own, as in "
                            "HUMANFLOWS_BUILD=other humanflows book") from None
    except OSError as error:
        raise cannot_write(folder / NAME, error) or error from None
    try:
        yield
    finally:
        lock.release()
