"""Breaks in series: where a series ends, is absent for a year, or loses nine tenths from one year to the next.

None of these is a zero. An office that stops reporting a partner, or counts anew, has not seen everybody leave; whoever
reads the series must know, and whoever fits it must not take the gap for a fall.
"""
from collections.abc import Sequence

import numpy as np
import pandas as pd

from .publications import number_rows

ENDS, ABSENT, FALLS = "ends", "absent", "loses nine tenths"
KINDS = (ENDS, ABSENT, FALLS)
FALL = 0.1           # of the year before: at most this much is left
LARGE = 1000.0       # persons in the year before, from which on a break is listed by itself

COLUMNS = ["kind", "year", "before", "after", "years_absent"]


def find_breaks(frame: pd.DataFrame, series: Sequence[str], value: str = "persons", *,
                collection: Sequence[str] = ("source",), large: float = LARGE) -> pd.DataFrame:
    """Breaks in yearly series.

    Parameters
    ----------
    frame : long table with the columns of ``series``, ``year`` and ``value``; one row a series and year.
    series : columns that together name a series.
    value : column of the number of persons.
    collection : columns, of those of ``series``, within which all series are expected to go on to the same last year.
    large : breaks after fewer persons than this are not listed.

    Returns
    -------
    The columns of ``series`` and: ``kind``; ``year``, the first year without a number, or with the low one; ``before``,
    persons in the last year that has a number; ``after``, persons when the series goes on (NaN where it does not);
    ``years_absent`` (0 where no year is). A series that is absent for years and comes back low is listed as absent.
    """
    series = list(series)
    coded = pd.DataFrame({"series": number_rows(frame[series]), "collection": number_rows(frame[list(collection)]),
                          "year": frame["year"].to_numpy(), "value": frame[value].to_numpy(float)})
    coded = coded.sort_values(["series", "year"])
    ordered = frame.iloc[coded.index]
    groups = coded.groupby("series", sort=False)
    before, year = coded["value"].to_numpy(), coded["year"].to_numpy()
    after, next_year = groups["value"].shift(-1).to_numpy(float), groups["year"].shift(-1).to_numpy(float)
    last = coded.groupby("collection")["year"].transform("max").to_numpy()
    ends = np.isnan(next_year) & (year < last)
    absent = next_year - year > 1
    falls = (next_year - year == 1) & (after <= FALL * before)
    kind = np.select([ends, absent, falls], KINDS, "")
    found = (kind != "") & (before >= large)
    years_absent = np.where(ends, last - year, np.where(absent, next_year - year - 1, 0))
    return ordered.loc[found, series].assign(
        kind=kind[found], year=year[found] + 1, before=before[found], after=after[found],
        years_absent=years_absent[found].astype(int)).reset_index(drop=True)
