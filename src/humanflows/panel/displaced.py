"""Displaced people from year to year: what a missing pair means, and which falls are recounts rather than returns.

UNHCR lists the pairs of origin and asylum of which it has a number. A pair that was listed and is not listed any more
has no number: 303 thousand Vietnamese did not leave China in the year in which their line disappeared. A year that is
missing between two is bridged; after its last line a pair keeps its last number. Only where the returns that UNHCR
itself reports explain most of the fall do people count as gone. A fall by nine tenths that returns do not explain is a
break: the numbers on its two sides are not of the same count, and their difference is no news of anybody who moved.
"""
import numpy as np
import pandas as pd

from ..schema import STATUS
from .breaks import ABSENT, ENDS, FALL, FALLS, LARGE

EXPLAINED = 0.5      # share of a fall that reported returns must reach
_REPORTED, _BRIDGED, _CARRIED, _MISSING = (STATUS.index(s) for s in ("reported", "bridged", "carried_forward",
                                                                     "missing"))


def fill_displaced(listed: np.ndarray, returned: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Numbers of displaced people without false zeros.

    Parameters
    ----------
    listed : [year, origin, destination] persons at the end of each year; NaN where the pair is not listed.
    returned : [year, origin, destination] people of ``origin`` who returned there from ``destination`` in the year.

    Returns
    -------
    values : [year, origin, destination] persons; zero before a pair's first line.
    status : the same shape, positions in ``schema.STATUS``: reported, bridged, carried_forward, or missing where the
        pair has no line yet, or has none any more because its people returned.
    breaks : the same shape, bool: the change from the year before is a recount.
    """
    years = np.arange(len(listed))[:, None, None]
    known = np.isfinite(listed)
    before = np.maximum.accumulate(np.where(known, years, -1), axis=0)
    after = np.minimum.accumulate(np.where(known, years, len(listed))[::-1], axis=0)[::-1]
    left = np.take_along_axis(listed, np.maximum(before, 0), axis=0)
    right = np.take_along_axis(listed, np.minimum(after, len(listed) - 1), axis=0)
    begun, goes_on = before >= 0, after < len(listed)
    share = (years - before) / np.maximum(after - before, 1)
    bridged = left + share * (right - left)
    # What people did in the year before or after may be written down in this one.
    near = _window(returned)
    last = np.take_along_axis(near, np.clip(before + 1, 0, len(listed) - 1), axis=0)
    gone = begun & ~known & ~goes_on & (last >= EXPLAINED * left)
    values = np.select([known, begun & goes_on, begun & ~gone], [listed, bridged, left], 0.0)
    status = np.select([known, begun & goes_on, begun & ~gone], [_REPORTED, _BRIDGED, _CARRIED], _MISSING)
    fall = values[:-1] - values[1:]
    recount = (values[1:] <= FALL * values[:-1]) & (fall > 0) & (near[1:] < EXPLAINED * fall) & ~gone[1:]
    breaks = np.concatenate([np.zeros((1, *recount.shape[1:]), bool), recount])
    return values, status.astype(np.int8), breaks


def _window(returned: np.ndarray) -> np.ndarray:
    """Sum over a year and its two neighbours."""
    out = returned.copy()
    out[1:] += returned[:-1]
    out[:-1] += returned[1:]
    return out


def list_breaks(listed: np.ndarray, values: np.ndarray, status: np.ndarray, breaks: np.ndarray, years, territories, *,
                large: float = LARGE) -> pd.DataFrame:
    """The breaks of at least ``large`` persons.

    Parameters
    ----------
    listed, values, status, breaks : as given to and by ``fill_displaced``.
    years, territories : labels of their axes.

    Returns
    -------
    Columns ``origin, destination, kind, year, before, after, years_absent`` as of ``breaks.find_breaks``.
    """
    territories, years = np.asarray(territories), np.asarray(years)
    starts = np.isin(status, (_BRIDGED, _CARRIED))
    starts[1:] &= status[:-1] == _REPORTED
    rows = []
    for mask, kind in ((starts & (status == _CARRIED), ENDS), (starts & (status == _BRIDGED), ABSENT),
                       (breaks & (status == _REPORTED), FALLS)):
        for y, o, d in np.argwhere(mask):
            before = values[y - 1, o, d]
            if before >= large:
                later = np.flatnonzero(np.isfinite(listed[y:, o, d]))
                absent = int(later[0]) if len(later) else len(years) - y
                rows.append((territories[o], territories[d], kind, int(years[y]), before,
                             listed[y + absent, o, d] if len(later) else np.nan, absent))
    return pd.DataFrame(rows, columns=["origin", "destination", "kind", "year", "before", "after", "years_absent"])
