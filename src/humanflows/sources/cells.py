"""What a damaged file may do to a reader, from its bytes to its cells, told in one kind of error.

A parser raises whatever the bytes lead it to, and a column of numbers may hold texts, halves, infinities or nothing.
Readers open files in `opening` and take numbers from columns by `numbers` and `whole_numbers`; the checks of
``humanflows.schema`` follow on the finished table.
"""
import json
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import DuplicateKeyError, InputError, NegativeCountError, SchemaError, SourceFileError

AGAIN = "delete it and fetch it again (the registry pins its sha256)"
LARGEST = 2**53     # beyond it a float does not tell whole numbers apart


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


def load_json(file: Path):
    """Content of a JSON file.

    Raises
    ------
    SourceFileError
        When the file is missing, not UTF-8, or no JSON.
    """
    with opening(file, "JSON"):
        return json.loads(Path(file).read_text(encoding="utf-8"))


def read_texts(file: Path, columns: Iterable[str] = (), *, sep: str = ",") -> pd.DataFrame:
    """Delimited text, every cell as it is written: Namibia's "NA" is a text, and an empty cell is "".

    Parameters
    ----------
    file : the file, UTF-8 with or without a byte order mark.
    columns : that it must have.
    sep : what stands between cells.

    Raises
    ------
    SourceFileError
        When the file is missing or not readable, or lacks a column; also for rows that are longer than the header.
    """
    with opening(file, "a table of delimited text"), warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)   # cells would be dropped
        # index_col: with one cell more than names, pandas would take the first column for labels and shift the others.
        frame = pd.read_csv(file, sep=sep, dtype=str, keep_default_na=False, index_col=False, encoding="utf-8-sig")
    absent = [c for c in columns if c not in frame]
    if absent:
        raise SourceFileError(file, f"lacks the columns {absent}", AGAIN, key=absent[0])
    return frame.fillna("")     # cells that a short row lacks


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
    given = values.astype(object)
    given = given.mask(given.isna() | given.isin(list(missing)))
    out = pd.to_numeric(given, errors="coerce").astype("float64")
    logical = given.map(lambda v: isinstance(v, (bool, np.bool_)))
    bad = (out.isna() & given.notna()) | np.isinf(out) | logical.astype(bool)
    if bad.any():
        row = bad.idxmax()
        raise SchemaError(file, f"{values[row]!r} in column {values.name!r} is no finite number", AGAIN,
                          key=f"row {row}")
    return out


def whole_numbers(values: pd.Series, *, file) -> pd.Series:
    """A column as int64, such as years and numeric codes.

    Raises
    ------
    SchemaError
        For anything that is no whole number, and where nothing is given, with its row.
    """
    out = numbers(values, file=file)
    bad = out.isna() | (out % 1 != 0) | (out.abs() >= LARGEST)
    if bad.any():
        row = bad.idxmax()
        raise SchemaError(file, f"{values[row]!r} in column {values.name!r} is no whole number", AGAIN,
                          key=f"row {row}")
    return out.astype("int64")


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
    twice = frame.duplicated(keys)
    if twice.any():
        row = twice.idxmax()
        shown = ", ".join(f"{k}={frame.at[row, k]}" for k in keys)
        raise DuplicateKeyError(file, "duplicate key", "fetch the file again; if it is the registered one, mend the "
                                "reader", key=f"row {row}: {shown}")
