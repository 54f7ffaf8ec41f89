"""A year that was entered in thousands: refused before it is taken for a fall to a thousandth."""
from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..errors import SchemaError

SMALLEST = 1000.0          # persons in the years beside it; a small series may fall to a thousandth by chance
BETWEEN = (1 / 3000, 1 / 300)
SERIES = 3                 # that must agree where a year has a neighbour on one side only


def refuse_thousands(frame: pd.DataFrame, reporter: Sequence[str], partner: Sequence[str], *, file,
                     persons: str = "persons") -> None:
    """Raise where a reporter's whole year is about a thousandth of the years beside it, or a thousand times as much.

    Each series (reporter and partner) is compared with its nearest years; the median over a reporter's series decides.
    A year with neighbours on one side only needs `SERIES` series: one partner's moves may begin or end.

    Parameters
    ----------
    frame : has the columns named and ``year``; its index says the row in the file.
    reporter, partner : columns that name the reporter and, with it, one series.
    file : what to name in the error.
    persons : column of the numbers.

    Raises
    ------
    SchemaError
        Naming reporter, year and row.
    """
    rows = frame[frame[persons] > 0].sort_values([*reporter, *partner, "year"])
    log = np.log(rows[persons])
    series = [rows[c] for c in (*reporter, *partner)]
    beside = pd.concat([log.groupby(series).shift(1), log.groupby(series).shift(-1)], axis=1)
    usual = beside.mean(axis=1)
    rows = rows.assign(ratio=log - usual, sides=beside.notna().sum(axis=1))
    rows = rows[(np.maximum(log, usual) >= np.log(SMALLEST)) & usual.notna()]
    for sides, least in ((2, 1), (1, SERIES)):
        years = rows[rows["sides"] >= sides].groupby([*reporter, "year"])["ratio"].agg(["median", "size"])
        size = years["median"].abs()
        wrong = years[(years["size"] >= least) & size.between(-np.log(BETWEEN[1]), -np.log(BETWEEN[0]))]
        if len(wrong):
            *who, year = wrong.index[0]
            named = (rows[list(reporter)] == who).all(axis=1) & (rows["year"] == year)
            raise SchemaError(
                file, f"the numbers of {' '.join(map(str, who))} for {year} are {np.exp(wrong['median'].iloc[0]):.2g} "
                "times those of the years beside it: thousands, or persons among thousands",
                "mend the unit of that year", key=f"row {rows.index[named][0]}")
