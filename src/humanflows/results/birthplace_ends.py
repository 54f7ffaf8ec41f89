"""Intervals of flows by birthplace: how sure the corridor's flow is, and how sure the share of one birthplace in it.

Nobody reports who moved from where to where and where they were born, so these intervals cannot be calibrated on
reports. The share's part is told by how far the members of the ensemble disagree about it, times a factor that the
simulated world tells, where the truth is known (:mod:`humanflows.birthplaces`). Light to import: the dataset answers
with it.
"""
from statistics import NormalDist

import numpy as np

from ..errors import SchemaError

# Whom the mover is: who leaves the birthplace, returns to it, or was born in neither end.
KINDS = ("leaving the birthplace", "returning to it", "born elsewhere")
# Shares of a corridor's flow from which a class begins: a small share is known less well than a large one.
SHARES_FROM = (0.0, 0.001, 0.01, 0.1, 0.5)
LEVEL = 0.95
_END = NormalDist().inv_cdf((1 + LEVEL) / 2)


def kinds_of(birthplace, origin, destination) -> np.ndarray:
    """Position in ``KINDS`` of each move, from positions of territories."""
    b, o, d = np.broadcast_arrays(birthplace, origin, destination)
    return np.where(b == o, 0, np.where(b == d, 1, 2))


def classes_of(persons, flow) -> np.ndarray:
    """Position in ``SHARES_FROM`` of each birthplace's share of its corridor's flow."""
    persons, flow = (np.asarray(x, dtype=np.float64) for x in (persons, flow))
    share = np.divide(persons, flow, out=np.zeros_like(persons), where=flow > 0)
    return np.searchsorted(SHARES_FROM, share, side="right") - 1


def birthplace_ends(persons, flow, lower, upper, spread, end: float = _END) -> tuple[np.ndarray, np.ndarray]:
    """Ends of intervals of flows by birthplace: the corridor's distances and the share's, in quadrature.

    Errors of flow and share are taken to be independent; distances are of log(1 + persons).

    Parameters
    ----------
    persons : of one birthplace; flow, lower, upper : estimate and ends of the whole corridor. Persons, alike in shape.
    spread : standard deviation of the error of log(1 + persons) that comes from the share.
    end : how many of these the ends lie away, 1.96 for 95%.

    Returns
    -------
    Lower and upper ends, persons, float64: not negative, on their own sides of ``persons``, and no more than the
    corridor's upper end.

    Raises
    ------
    SchemaError
        For a negative spread.
    """
    persons, flow, lower, upper = (np.asarray(x, dtype=np.float64) for x in (persons, flow, lower, upper))
    away = end * np.asarray(spread, dtype=np.float64)
    if (away < 0).any():
        raise SchemaError("spread", "a standard deviation is negative", "give 0 where the share is certain")
    middle = np.log1p(persons)
    below = np.hypot(np.log1p(flow) - np.log1p(np.minimum(lower, flow)), away)
    above = np.hypot(np.log1p(np.maximum(upper, flow)) - np.log1p(flow), away)
    return np.expm1(np.maximum(middle - below, 0.0)), np.minimum(np.expm1(middle + above), np.maximum(upper, persons))
