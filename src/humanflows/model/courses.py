"""Effects that come and fade: a year's is, before anything is known of it, what is left of that of the year before.

They are autoregressions of order one; effects.py has their priors.
"""
import numpy as np

MEMORY = 0.7          # of an effect of one year that remains a year later


def neighbours_of_courses(told_in: np.ndarray) -> dict[str, np.ndarray]:
    """Which of the years with a report tell of each year of a pair, and by how much.

    An effect that fades to ``MEMORY`` of itself in a year (an autoregression of order one) is expected to be, ``a``
    years after one that is known and ``b`` years before the next, ``w(a, b)`` of the one and ``w(b, a)`` of the other,
    ``w(a, b) = MEMORY^a (1 - MEMORY^2b) / (1 - MEMORY^2(a + b))``; with one neighbour, ``MEMORY^a`` of it.

    Parameters
    ----------
    told_in : [year, pair] bool, years with a report, K in all; numbered pair by pair, year after year.

    Returns
    -------
    dict: ``before``, ``after`` [year, pair] numbers of the neighbours, K where there is none; ``weight_before``,
    ``weight_after`` [year, pair]; ``gap`` [K] years since the same pair's report before, 0 for its first.
    """
    years, pairs = told_in.shape
    total = int(told_in.sum())
    number = np.full((years, pairs), -1)
    number.T[told_in.T] = np.arange(total)
    before = np.maximum.accumulate(number, axis=0)
    after = np.minimum.accumulate(np.where(told_in, number, total)[::-1], axis=0)[::-1]
    before = np.where(before < 0, total, before)
    pair, year = np.nonzero(told_in.T)
    when = np.append(year, 0)
    t = np.arange(years)[:, None]
    a, b = t - when[before], when[after] - t
    both, one = (before < total) & (after < total), (before < total) ^ (after < total)
    with np.errstate(invalid="ignore", divide="ignore"):
        left, right = ((MEMORY**x * (1 - MEMORY**(2.0 * y)) / (1 - MEMORY**(2.0 * (x + y))))
                       for x, y in ((np.abs(a), np.abs(b)), (np.abs(b), np.abs(a))))
    weight_before = np.where(told_in, 1.0, np.where(both, left, one * (before < total) * MEMORY**np.abs(a)))
    weight_after = np.where(told_in, 0.0, np.where(both, right, one * (after < total) * MEMORY**np.abs(b)))
    gap = np.diff(year, prepend=0) * (np.diff(pair, prepend=-1) == 0)
    return {"before": before.astype(np.int32), "after": after.astype(np.int32), "gap": gap.astype(np.float32),
            "weight_before": weight_before.astype(np.float32), "weight_after": weight_after.astype(np.float32)}
