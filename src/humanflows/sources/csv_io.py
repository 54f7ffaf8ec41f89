"""Tables of text, read as text: what is no number, no year or no label is told with its line, never guessed."""
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import SchemaError, YearRangeError
from ..schema import FIRST_YEAR, LAST_YEAR
from . import cells

ROW = "row"   # column of the line in the file, 1-based


def read_texts(path: Path, columns: Sequence[str], *, encoding: str = "utf-8-sig", separator: str = ",",
               header: bool = True) -> pd.DataFrame:
    """Columns of a file as stripped text, with the line of each row in ``row``; see `cells.read_texts`.

    Parameters
    ----------
    path : the file.
    columns : that are needed; without a header, the names of all columns.
    encoding, separator, header : of the file.

    Raises
    ------
    SourceFileError
        For a file that is missing, no table or without rows, or has a column twice.
    SchemaError
        For a column that is absent, or a row that is too short.
    """
    frame = cells.read_texts(path, sep=separator, encoding=encoding, header=None if header else columns)
    absent = [c for c in columns if c not in frame.columns]
    if absent:
        raise SchemaError(path, f"lacks the columns {absent}", f"expected {list(columns)}",
                          key="row 1")
    frame = frame[list(columns)].apply(lambda texts: texts.str.strip())
    return frame.assign(**{ROW: np.arange(len(frame)) + (2 if header else 1)})


def numbers(frame: pd.DataFrame, column: str, *, file, missing: Iterable[str] = ()) -> pd.Series:
    """A column of text as numbers; NaN where the text is one of ``missing``.

    Raises
    ------
    SchemaError
        For a text that is no finite number, with its line.
    """
    return cells.numbers(frame[column].set_axis(frame[ROW]), file=file, missing=tuple(missing)).set_axis(frame.index)


def years(frame: pd.DataFrame, column: str, *, file) -> pd.Series:
    """A column of text as years.

    Raises
    ------
    YearRangeError
        For a text that is no year of ours, with its line.
    """
    values = pd.to_numeric(frame[column].where(frame[column].str.fullmatch("[0-9]{4}")), errors="coerce")
    wrong = ~values.between(FIRST_YEAR, LAST_YEAR)
    if wrong.any():
        raise YearRangeError(file, f"{column} {frame.at[wrong.idxmax(), column]!r} is no year from {FIRST_YEAR} to "
                             f"{LAST_YEAR}", "mend the row", key=f"row {frame.at[wrong.idxmax(), ROW]}")
    return values.astype("int64")


def one_of(frame: pd.DataFrame, column: str, known: Iterable[str], *, file) -> pd.Series:
    """A column whose texts must be among ``known``.

    Raises
    ------
    SchemaError
        For another text, with its line.
    """
    wrong = ~frame[column].isin(list(known))
    if wrong.any():
        raise SchemaError(file, f"unknown {column} {frame.at[wrong.idxmax(), column]!r}",
                          f"expected one of {', '.join(known)}", key=f"row {frame.at[wrong.idxmax(), ROW]}")
    return frame[column]
