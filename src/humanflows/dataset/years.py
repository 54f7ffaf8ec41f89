"""Which years are meant: one, some, or a range with both ends; anything that the estimates do not hold is refused."""
import re
from collections.abc import Iterable, Sequence
from itertools import islice

import numpy as np

from ..errors import YearRangeError
from .inputs import quoted, whole

_ONE = re.compile(r"\d{1,4}")
_RANGE = re.compile(r"(\d{1,4})\s*[-–:]\s*(\d{1,4})")
_HOW = "write a year as 2015 or a range as 2010-2015"
_MOST = 10_000      # years that are looked at: an iterable may have no end


def means_years(given) -> bool:
    """Whether something that may be a territory or years is meant as years: no text, or the text of a year or range.

    UN M49 codes have three digits and years four.
    """
    if not isinstance(given, str):
        return given is not None
    return bool(re.fullmatch(r"\d{4}", given.strip()) or _RANGE.fullmatch(given.strip()))


def choose_years(wanted: "int | str | slice | Iterable[int] | None", available: Sequence[int]) -> np.ndarray:
    """Positions of the years that are meant.

    Parameters
    ----------
    wanted : ``2015``, ``"2015"``, ``"2010-2015"``, ``slice(2010, 2015)`` (ranges hold both ends, as in pandas'
        ``loc``), a list, array or other iterable of years, or None for all. Numbers may be numpy's.
    available : the years there are, one after another.

    Returns
    -------
    int array of positions, in the order asked for.

    Raises
    ------
    YearRangeError
        For what is no year, a range that ends before it begins, no year at all, or a year that is not there.
    """
    first, last = int(available[0]), int(available[-1])
    years = _listed(wanted, first, last)
    if not years:
        raise YearRangeError("years", "no year is asked for", _HOW)
    for year in years:
        if not first <= year <= last:
            raise YearRangeError("years", f"{year} is outside the estimates", f"choose from {first} to {last}")
    return np.array(years) - first


def _listed(wanted, first: int, last: int) -> list[int]:
    if wanted is None:
        return list(range(first, last + 1))
    if isinstance(wanted, str):
        if _ONE.fullmatch(wanted.strip()):
            return [int(wanted)]
        ends = _RANGE.fullmatch(wanted.strip())
        if not ends:
            raise YearRangeError("years", f"{quoted(wanted)} is neither a year nor a range", _HOW)
        return _between(int(ends[1]), int(ends[2]))
    if isinstance(wanted, slice):
        if wanted.step not in (None, 1):
            raise YearRangeError("years", f"a step of {quoted(wanted.step)}", "give a list of years instead")
        return _between(first if wanted.start is None else _whole(wanted.start),
                        last if wanted.stop is None else _whole(wanted.stop))
    if isinstance(wanted, Iterable) and not (isinstance(wanted, np.ndarray) and wanted.ndim == 0):
        years = [_whole(y) for y in islice(wanted, _MOST)]
        if len(years) == _MOST:
            raise YearRangeError("years", f"{_MOST:,} years or more", "leave years out for all there are")
        return years
    return [_whole(wanted)]


def _whole(year) -> int:
    found = whole(year)
    if found is None:
        raise YearRangeError("years", f"{quoted(year)} is no year", _HOW)
    return found


def _between(start: int, end: int) -> list[int]:
    if end < start:
        raise YearRangeError("years", f"the range {start}-{end} ends before it begins", f"write {end}-{start}")
    if end - start > 9999:
        raise YearRangeError("years", f"the range {start}-{end} is no range of years", _HOW)
    return list(range(start, end + 1))
