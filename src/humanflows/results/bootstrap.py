"""Whole corridors drawn with replacement: the parts that every bootstrap interval of this package is made of.

Cells of one corridor are not independent, so corridors are drawn and not cells [1]_. A draw is a row of weights, how
often each corridor was drawn; a score that is a function of sums then follows for many draws at once from each
corridor's sums, without any cell being copied.

References
----------
.. [1] Efron & Tibshirani (1993), An Introduction to the Bootstrap, ch. 8 and 13.
"""
from collections.abc import Iterator

import numpy as np

DRAWS, LEVEL = 1000, 0.95
BLOCK = 4_000_000    # weights held at a time, 8 bytes each


def draw_weights(clusters: int, draws: int, seed: int, *, block: int = BLOCK) -> Iterator[np.ndarray]:
    """How often each corridor is drawn, in blocks of draws.

    Parameters
    ----------
    clusters : number of corridors (or territories) to draw from.
    draws : number of draws; the blocks together have as many rows, whatever their size.
    seed : of the draws: the same rows for the same seed and number of clusters.
    block : most weights in one block.

    Yields
    ------
    float64 array (draw, cluster); each row adds up to ``clusters``.
    """
    rng = np.random.default_rng(seed)
    rows = max(1, block // max(clusters, 1))
    for first in range(0, draws, rows):
        here = min(rows, draws - first)
        chosen = rng.integers(0, clusters, (here, clusters))
        weight = np.bincount((chosen + clusters * np.arange(here)[:, None]).ravel(), minlength=here * clusters)
        yield weight.reshape(here, clusters).astype(np.float64)


def cluster_sums(cluster: np.ndarray, clusters: int, *columns: np.ndarray) -> np.ndarray:
    """Sums of each column within each cluster, (cluster, column); weights times this are the sums of every draw."""
    return np.stack([np.bincount(cluster, c, clusters) for c in columns], axis=1)


def moments(x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    """The six columns whose sums :func:`r_of_sums` needs; centred first, so that the sums lose no digits."""
    x, y = x - x.mean(), y - y.mean()
    return [np.ones_like(x), x, y, x * x, y * y, x * y]


def r_of_sums(sums: np.ndarray) -> np.ndarray:
    """Pearson's R of every draw from the sums (draw, six columns of :func:`moments`); NaN where it is not defined."""
    n, sx, sy, sxx, syy, sxy = sums.T
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = (sxx - sx * sx / n) * (syy - sy * sy / n)
        return np.where(spread > 0, (sxy - sx * sy / n) / np.sqrt(np.where(spread > 0, spread, 1)), np.nan)


def resampled_median(weight: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Median of every draw.

    Parameters
    ----------
    weight : (draw, value), how often each value was drawn: whole numbers.
    values : (value,), finite.

    Returns
    -------
    array (draw,); the mean of the two in the middle where their number is even, NaN where nothing was drawn.
    """
    if not len(values):
        return np.full(len(weight), np.nan)
    order = np.argsort(values, kind="stable")
    drawn = np.cumsum(weight[:, order], axis=1)
    number = drawn[:, -1]
    low, high = ((drawn > rank[:, None]).argmax(1) for rank in ((number - 1) // 2, number // 2))
    ordered = values[order]
    return np.where(number > 0, (ordered[low] + ordered[high]) / 2, np.nan)


def percentile_interval(drawn: np.ndarray, level: float = LEVEL) -> tuple[float, float]:
    """Bounds of the percentile interval; draws in which the score is not defined are left out, NaN where all are."""
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn):
        return float("nan"), float("nan")
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
