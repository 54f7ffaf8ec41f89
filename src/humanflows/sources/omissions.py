"""What a reader leaves out, counted: rows and persons by reason and year, so that nothing is dropped in silence."""
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

COLUMNS = ["reason", "year", "rows", "persons"]
NO_YEAR = 0   # of rows that speak of no year

# Reasons that several readers share; a reader may give another, in the same short words.
AGGREGATE = "sum or region, not a territory"
OUTSIDE = "outside the 231 territories"
FORMER_STATE = "former state"
UNKNOWN = "unknown or not stated"
STATELESS = "stateless"
OWN = "the reporter itself"
NO_NUMBER = "no number given"
BEFORE_PARTNER = "zero before the partner existed"
COUNTED_ELSEWHERE = "zero while counted with another territory"
ANOTHER_YEAR = "outside the years that are read"
INCOMPLETE_YEAR = "year without all its months"
REPEATED = "the same number again"
UNREPORTED_YEAR = "year for which every number of the reporter is zero"
NO_CITIZENSHIP = "zero for a territory without a citizenship of its own"
INTERNAL = "within their own territory"
PROVISIONAL = "provisional, to be revised"
OTHERS = "others together, not told apart"
PART = "part of a number that is read"
BALANCE = "balance of arrivals and departures"
ANOTHER_QUANTITY = "quantity that is not read"
SAME_TERRITORY = "origin and destination are the same"

# Persons of these rows are in other rows as well, or are none: a sum of them says nothing of who is left out.
COUNTED_AGAIN = frozenset({AGGREGATE, PART, REPEATED, BALANCE, ANOTHER_QUANTITY})


@dataclass
class Omissions:
    """Collects what one reader leaves out; hand it to the reader as ``omitted`` and ask for the ``table`` afterwards.

    Examples
    --------
    >>> rows = pd.DataFrame({"origin": ["SYR", "Total"], "year": [2016, 2016], "persons": [5.0, 9.0]})
    >>> omitted = Omissions()
    >>> len(omitted.keep(rows, rows["origin"] != "Total", AGGREGATE))
    1
    >>> omitted.table().values.tolist()
    [['sum or region, not a territory', 2016, 1, 9.0]]
    """

    parts: list[pd.DataFrame] = field(default_factory=list)

    def keep(self, frame: pd.DataFrame, kept: pd.Series, reason: str | pd.Series, *, persons: str | None = "persons",
             year: str | None = "year") -> pd.DataFrame:
        """The rows of ``frame`` where ``kept`` is true; the others are counted.

        Parameters
        ----------
        frame : rows of a source, as they are read.
        kept : of the length of ``frame``, boolean.
        reason : one for all rows that are left out, or one for each row of ``frame``.
        persons : column of the number of persons, NaN where none is given; None where rows count no persons.
        year : column of the year; None where rows speak of none.
        """
        kept = np.asarray(kept, dtype=bool)
        if not kept.all():
            left = frame[~kept]
            self.parts.append(pd.DataFrame({
                "reason": reason[~kept].to_numpy() if isinstance(reason, pd.Series) else reason,
                "year": NO_YEAR if year is None else left[year].to_numpy(),
                "rows": 1,
                "persons": 0.0 if persons is None else pd.to_numeric(left[persons], errors="coerce").to_numpy(float)},
                index=range(len(left))))
        return frame[kept]

    def count(self, reason: str, rows: int, *, persons: float = 0.0, year: int = NO_YEAR) -> None:
        """Count cells of a matrix, or other input that is in no frame, as left out; none of them is no omission."""
        if rows:
            self.parts.append(pd.DataFrame({"reason": reason, "year": year, "rows": int(rows),
                                            "persons": float(persons)}, index=[0]))

    def table(self) -> pd.DataFrame:
        """Columns ``reason, year, rows, persons``, one row a reason and year; a row without a number counts no persons.
        """
        if not self.parts:
            return pd.DataFrame({c: pd.Series(dtype=t) for c, t in zip(COLUMNS, (str, int, int, float))})
        every = pd.concat(self.parts, ignore_index=True)
        year = pd.to_numeric(every["year"], errors="coerce")
        every["year"] = year.where(year.abs() < 10_000, NO_YEAR).astype("int64")    # what is no year is left out, too
        summed = every.fillna({"persons": 0.0}).groupby(["reason", "year"], as_index=False)[["rows", "persons"]].sum()
        return summed[COLUMNS].sort_values(["reason", "year"], ignore_index=True)
