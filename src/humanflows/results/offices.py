"""Whose reports a row of a table of scores is about: those of every office, or of the trusted ones alone.

A score against an office that misses nearly all who leave says more about the office than about the estimate. Tables of
scores therefore have each figure twice, told apart by the column ``offices``. Tables that were written before there was
such a column hold the scores against all reports.
"""
import pandas as pd

from ..errors import SchemaError

COLUMN = "offices"
ALL, TRUSTED = OFFICES = ("all", "trusted")


def with_offices(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the column ``offices``: "all" where it has none, or nothing in it.

    Raises
    ------
    SchemaError
        For a value that is not among ``OFFICES``.
    """
    if COLUMN not in table:
        return table.assign(**{COLUMN: ALL})
    filled = table[COLUMN].astype(object).where(table[COLUMN].notna() & (table[COLUMN] != ""), ALL)
    strange = ~filled.isin(OFFICES)
    if strange.any():
        raise SchemaError("scores", f"offices {filled[strange].iloc[0]!r}", f"use one of {', '.join(OFFICES)}",
                          key=f"row {strange[strange].index[0]}")
    return table.assign(**{COLUMN: filled})


def of_offices(table: pd.DataFrame, offices: str = ALL) -> pd.DataFrame:
    """The rows of a table of scores that are about these offices, with the table's own columns.

    Parameters
    ----------
    table : of scores; without a column ``offices`` all its rows are about all reports.
    offices : "all" or "trusted".

    Raises
    ------
    SchemaError
        For offices that are not among ``OFFICES``.
    """
    if offices not in OFFICES:
        raise SchemaError("scores", f"offices {offices!r}", f"use one of {', '.join(OFFICES)}", key=str(offices))
    return table[(with_offices(table)[COLUMN] == offices).to_numpy(bool)]
