"""What a damaged file may do to a reader, from its bytes to its cells, told in one kind of error.

A parser raises whatever the bytes lead it to, and a column of numbers may hold texts, halves, infinities or nothing.
Readers open files in `opening` and take numbers from columns by `numbers` and `whole_numbers`; the checks of
``humanflows.schema`` follow on the finished table.
"""
import gzip
import io
import json
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd

from ..errors import DuplicateKeyError, InputError, NegativeCountError, SchemaError, SourceFileError, YearRangeError
from ..schema import FIRST_YEAR, LAST_YEAR

AGAIN = "delete it and fetch it again (the registry pins its sha256)"
LARGEST = 2**53     # beyond it a float does not tell whole numbers apart
UNPACKED = 256 << 20   # bytes of a file once unpacked, more than three times the largest source's
_PIECE = 1 << 20


@contextmanager
def opening(file, what: str) -> Iterator[None]:
    """Read a file in this block: whatever a parser raises becomes the documented error.

    Keep the block to the parsing alone, so that a fault of the reader is not taken for one of the file.

    Parameters
    ----------
    file : the file that is read.
    what : the format that is expected, for the message.

    Raises
    ------
    SourceFileError
        When the file is missing, or anything but an `InputError` is raised in the block.
    """
    if not Path(file).is_file():
        raise SourceFileError(file, "source file is missing", "fetch it with `humanflows fetch`")
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # parsers raise anything over damaged bytes, MemoryError and RecursionError among it
        raise SourceFileError(file, f"cannot be decoded as {what} ({type(error).__name__}: {error})", AGAIN) from error


def read_all(packed: IO[bytes]) -> bytes:
    """What a compressed file holds, unpacked piece by piece: a kilobyte may stand for a megabyte, and that for more.

    Parameters
    ----------
    packed : an open file that unpacks as it is read, as of ``gzip.open``.

    Raises
    ------
    ValueError
        When it is more than `UNPACKED`; `opening` makes the documented error of it.
    """
    pieces, size = [], 0
    while piece := packed.read(_PIECE):
        size += len(piece)
        if size > UNPACKED:
            raise ValueError(f"more than {UNPACKED >> 20} MiB once unpacked")
        pieces.append(piece)
    return b"".join(pieces)


def load_json(file: Path):
    """Content of a JSON file.

    Raises
    ------
    SourceFileError
        When the file is missing, not UTF-8, or no JSON.
    """
    with opening(file, "JSON"):
        return json.loads(Path(file).read_text(encoding="utf-8"))


def read_texts(file: Path, columns: Iterable[str] = (), *, sep: str = ",", encoding: str = "utf-8-sig",
               header: Sequence[str] | None = None) -> pd.DataFrame:
    """Delimited text, every cell as it is written: Namibia's "NA" is a text, and an empty cell is "".

    Parameters
    ----------
    file : the file, or the same packed as ``.gz``.
    columns : that it must have.
    sep : what stands between cells.
    encoding : by default UTF-8 with or without a byte order mark.
    header : names of all columns of a file that does not give them.

    Raises
    ------
    SourceFileError
        When the file is missing or not readable, lacks a column, has one twice, or has no row; also for rows that are
        longer than the header.
    SchemaError
        For a row that is shorter.
    """
    with opening(file, "a table of delimited text"), warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)   # cells would be dropped
        with (gzip.open if Path(file).suffix == ".gz" else open)(file, "rb") as packed:
            content = read_all(packed)
        # Read without names: with one cell more than names pandas would take the first column for labels and shift the
        # others, and it would give a repeated name another one.
        frame = pd.read_csv(io.BytesIO(content), sep=sep, dtype=str, keep_default_na=False, encoding=encoding,
                            header=None)
    if header is None:
        header, frame = frame.iloc[0].tolist(), frame.iloc[1:].reset_index(drop=True)
    elif frame.shape[1] != len(header):
        raise SchemaError(file, f"{frame.shape[1]} columns instead of {len(header)}", f"expected {list(header)}",
                          key="row 1")
    if len(set(header)) < len(header):
        twice = next(c for c in header if list(header).count(c) > 1)
        raise SourceFileError(file, f"a column stands twice: {twice!r}", AGAIN, key=twice)
    absent = [c for c in columns if c not in header]
    if absent:
        raise SourceFileError(file, f"lacks the columns {absent}", AGAIN, key=absent[0])
    if frame.empty:
        raise SourceFileError(file, "holds no row", AGAIN)
    short = frame.isna().any(axis=1)
    if short.any():
        raise SchemaError(file, "a row has too few cells", AGAIN, key=f"row {short.idxmax() + 2}")
    return frame.set_axis(list(header), axis=1)


def numbers(values: pd.Series, *, file, missing: Sequence[str] = ("",)) -> pd.Series:
    """A column as float64; NaN where nothing is given.

    Parameters
    ----------
    values : numbers, or texts of numbers.
    file : what to name in the error.
    missing : texts that mean that nothing is given.

    Raises
    ------
    SchemaError
        For a text that is no number, a truth value or an infinite number, with its row.
    """
    if isinstance(values.dtype, np.dtype) and values.dtype.kind in "iuf":
        out = values.astype("float64")
        bad = np.isinf(out)
    else:
        given = values.astype(object)
        given = given.mask(given.isna() | given.isin(list(missing)))
        out = pd.to_numeric(given, errors="coerce").astype("float64")
        logical = given.map(lambda v: isinstance(v, (bool, np.bool_)))
        bad = (out.isna() & given.notna()) | np.isinf(out) | logical.astype(bool)
    _refuse(values, bad, "is no finite number", file)
    return out


def counts(values: pd.Series, *, file, missing: Sequence[str] = ("",)) -> pd.Series:
    """A column of numbers that are not below zero; see `numbers`.

    Raises
    ------
    SchemaError, NegativeCountError
        With the row.
    """
    out = numbers(values, file=file, missing=missing)
    negative = (out < 0).to_numpy()
    if negative.any():
        at = negative.argmax()
        raise NegativeCountError(file, f"negative count {values.iloc[at]} in column {values.name!r}", "mend the cell, "
                                 "or list it in data/corrections.csv", key=f"row {values.index[at]}")
    return out


def whole_numbers(values: pd.Series, *, file) -> pd.Series:
    """A column as int64, such as years and numeric codes.

    Raises
    ------
    SchemaError
        For anything that is no whole number, and where nothing is given, with its row.
    """
    out = numbers(values, file=file)
    _refuse(values, out.isna() | (out % 1 != 0) | (out.abs() >= LARGEST), "is no whole number", file)
    return out.astype("int64")


def years(values: pd.Series, *, file) -> pd.Series:
    """A column as int64 years that a table may hold, so that none is left out for being another one.

    Raises
    ------
    SchemaError, YearRangeError
        With the row.
    """
    out = whole_numbers(values, file=file)
    bad = ~out.between(FIRST_YEAR, LAST_YEAR).to_numpy()
    if bad.any():
        at = bad.argmax()
        raise YearRangeError(file, f"{values.iloc[at]!r} in column {values.name!r} is no year from {FIRST_YEAR} to "
                             f"{LAST_YEAR}", AGAIN, key=f"row {values.index[at]}")
    return out


def _refuse(values: pd.Series, bad: pd.Series, what: str, file) -> None:
    if bad.any():
        at = bad.to_numpy().argmax()
        raise SchemaError(file, f"{values.iloc[at]!r} in column {values.name!r} {what}", AGAIN,
                          key=f"row {values.index[at]}")


def square_of_counts(rows, names: Sequence[str], *, file, key: str) -> np.ndarray:
    """Nested lists as a square matrix of counts, float64 [name, name].

    Parameters
    ----------
    rows : what the file says.
    names : of the rows, and of the columns.
    file, key : what to name in the error.

    Raises
    ------
    SchemaError, NegativeCountError
        For another shape, a cell that is no finite number, or one below zero.
    """
    again, size = "fetch the file again", len(names)
    lists = isinstance(rows, list) and all(isinstance(row, list) for row in rows)
    if not lists or len(rows) != size or any(len(row) != size for row in rows):
        raise SchemaError(file, f"matrix that is not of {size} rows of {size} numbers", again, key=key)
    for i, row in enumerate(rows):
        for cell in set(map(type, row)) - {int, float}:
            raise SchemaError(file, f"a cell of row {i} is a {cell.__name__}", again, key=key)
    try:
        square = np.array(rows, dtype="float64")
    except OverflowError:   # a whole number beyond the largest float
        square = np.full((size, size), np.inf)
    for bad, kind, what in ((~np.isfinite(square), SchemaError, "number that is not finite"),
                            (square < 0, NegativeCountError, "negative count")):
        if bad.any():
            i, j = np.argwhere(bad)[0]
            raise kind(file, f"{what} {square[i, j]}", again, key=f"{key}, {names[i]} to {names[j]}")
    return square


def refuse_repeats(frame: pd.DataFrame, keys: list[str], *, file) -> None:
    """Refuse two rows about the same thing.

    Raises
    ------
    DuplicateKeyError
        With the first row that says something again.
    """
    twice = frame.duplicated(keys).to_numpy()
    if twice.any():
        at = twice.argmax()
        shown = ", ".join(f"{k}={v}" for k, v in frame[keys].iloc[at].items())
        raise DuplicateKeyError(file, "duplicate key", "fetch the file again; if it is the registered one, mend the "
                                "reader", key=f"row {frame.index[at]}: {shown}")
