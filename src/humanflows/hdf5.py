"""Arrays of NetCDF 4 files, read without the C library, from bytes that are already in memory.

The library under netCDF4 crashes the process when a file that it holds open is opened again, and when two threads use
it at once; a reader of estimates may have opened the same file in any way, and read in any thread. pyfive, which is
plain Python, finds the arrays here; chunks are inflated to the size that their array claims and no further, so that a
hostile file cannot fill the memory.
"""
import io
import threading
import zlib
from math import prod
from pathlib import Path

import numpy as np
import pyfive

from .errors import ArtifactError

MOST_BYTES = 1 << 29        # of one array in memory; those of a release have 15 MB
MOST_TEXTS = 1000           # of one array of texts, e.g. codes of territories
KINDS = "iuf"               # of numbers


class Arrays:
    """The arrays of one NetCDF 4 file.

    Parameters
    ----------
    content : of the file.
    file : where it came from, for messages.
    remedy : what to do about a damaged file, for messages.

    Raises
    ------
    ArtifactError
        (all methods) when the content is no NetCDF 4 file, or not one that this project writes.
    """

    def __init__(self, content: bytes, file: Path, remedy: str):
        self._file, self._remedy, self._alone = file, remedy, threading.Lock()
        self._root = self._guarded(lambda: pyfive.File(io.BytesIO(content)))
        self.names = frozenset(self._guarded(lambda: [n for n in self._root if hasattr(self._root[n], "shape")]))

    def _guarded(self, read, key: str | None = None):
        try:
            return read()
        except ArtifactError:
            raise
        except (Exception, MemoryError) as error:   # pyfive raises what a damaged structure leads it to
            said = " ".join(str(error).split())[:200]
            raise ArtifactError(self._file, f"not readable as NetCDF ({type(error).__name__}: {said})", self._remedy,
                                key=key) from error

    def dims(self, name: str) -> tuple[str, ...]:
        """Names of an array's dimensions; an array without any is its own dimension."""
        def read():
            data = self._root[name]
            listed = data.attrs.get("DIMENSION_LIST")
            if listed is None:
                return (name,) * len(data.shape)
            return tuple(self._root[scale[0]].name.lstrip("/") for scale in listed)
        with self._alone:
            return self._guarded(read, name)

    def shape(self, name: str) -> tuple[int, ...]:
        """Sizes of an array's dimensions."""
        with self._alone:
            return self._guarded(lambda: tuple(int(n) for n in self._root[name].shape), name)

    def attributes(self, name: str | None = None) -> dict:
        """Attributes of an array, or of the file; texts as str, arrays of one number as that number."""
        with self._alone:
            return self._guarded(lambda: {
                k: _plain(v) for k, v in (self._root if name is None else self._root[name]).attrs.items()
                if k not in ("DIMENSION_LIST", "REFERENCE_LIST", "CLASS", "NAME") and not k.startswith("_N")}, name)

    def texts(self, name: str) -> tuple[str, ...]:
        """A row of texts."""
        def read():
            data = self._root[name]
            if len(data.shape) != 1 or data.shape[0] > MOST_TEXTS:
                raise ArtifactError(self._file, f"{name} has {data.shape} texts, more than {MOST_TEXTS:,}",
                                    self._remedy, key=name)
            return tuple(_text(x) for x in data[:])
        with self._alone:
            return self._guarded(read, name)

    def numbers(self, name: str) -> np.ndarray:
        """A whole array of numbers, in memory, in the machine's order of bytes."""
        with self._alone:
            return self._guarded(lambda: self._numbers(name), name)

    def rows(self, name: str, rows: np.ndarray) -> np.ndarray:
        """Rows of an array of numbers, by positions along its first dimension; only their chunks are inflated."""
        with self._alone:
            return self._guarded(lambda: self._numbers(name, np.asarray(rows, int)), name)

    def _numbers(self, name: str, rows: np.ndarray | None = None) -> np.ndarray:
        data = self._root[name]
        kind, size = np.dtype(data.dtype), prod(int(n) for n in data.shape)
        if kind.kind not in KINDS:
            raise ArtifactError(self._file, f"{name} holds {kind}, not numbers", self._remedy, key=name)
        if size * kind.itemsize > MOST_BYTES:
            raise ArtifactError(self._file, f"{name} of {data.shape} would fill more than {MOST_BYTES:,} bytes",
                                self._remedy, key=name)
        if data.chunks is None:
            whole = data[...] if rows is None else data[...][rows]
        else:
            whole = self._chunks(data, kind, rows)
        return np.asarray(whole, dtype=kind.newbyteorder("="))

    def _chunks(self, data, kind: np.dtype, rows: np.ndarray | None = None) -> np.ndarray:
        if data.compression not in (None, "gzip") or data.fletcher32:
            raise ArtifactError(self._file, f"chunks packed with {data.compression}", self._remedy)
        sizes, chunk = tuple(map(int, data.shape)), tuple(map(int, data.chunks))
        length = prod(chunk) * kind.itemsize
        if length > MOST_BYTES or data.id.get_num_chunks() > prod(-(-n // c) for n, c in zip(sizes, chunk)):
            raise ArtifactError(self._file, f"chunks of {chunk} do not fit an array of {sizes}", self._remedy)
        out = np.full(sizes if rows is None else (len(rows), *sizes[1:]),
                      0 if data.fillvalue is None else data.fillvalue, kind)
        for k in range(data.id.get_num_chunks()):
            begin = data.id.get_chunk_info(k).chunk_offset
            wanted = None if rows is None else np.flatnonzero((rows >= begin[0]) & (rows < begin[0] + chunk[0]))
            if wanted is not None and not len(wanted):
                continue
            skipped, packed = data.id.read_direct_chunk(begin)
            if skipped:
                raise ArtifactError(self._file, "a chunk leaves out a filter", self._remedy)
            raw = _inflated(packed, length) if data.compression else bytes(packed)
            if len(raw) != length:
                raise ValueError(f"a chunk of {len(raw)} bytes, expected {length}")
            if data.shuffle:        # bytes of one significance stand together
                raw = np.frombuffer(raw, np.uint8).reshape(kind.itemsize, -1).T.tobytes()
            part = tuple(slice(b, min(b + c, n)) for b, c, n in zip(begin, chunk, sizes))
            values = np.frombuffer(raw, kind).reshape(chunk)
            inside = tuple(slice(0, s.stop - s.start) for s in part)
            if rows is None:
                out[part] = values[inside]
            else:
                out[(wanted, *part[1:])] = values[(rows[wanted] - begin[0], *inside[1:])]
        return out


def _inflated(packed: bytes, length: int) -> bytes:
    """Inflate to at most one byte more than there should be."""
    return zlib.decompressobj().decompress(packed, length + 1)


def _plain(value):
    if isinstance(value, bytes | str):
        return _text(value)
    value = np.asarray(value)
    if value.dtype.kind in "SO" and value.size == 1:
        return _text(value.ravel()[0])
    return value[0] if value.shape == (1,) else value[()]


def _text(value) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)
