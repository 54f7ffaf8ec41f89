"""Both directions between two territories: their difference, net migration, and their sum, with intervals.

A release holds an interval of each direction, and no draws from which the interval of a difference or a sum could be
read. It has to be put together from the two, and that takes an assumption about their errors: **they are not opposed**,
their correlation ρ lies between 0 and 1. Two directions seldom share a reporting office, but what makes a pair of
territories close without our knowing it makes both larger: where the truth is known, in the simulated world, the
correlation is positive, and largest where nobody reports.

- The difference is given the interval for ρ = 0. With f and c the two estimates, and l and u the ends of each,

  .. math:: f - c - \\sqrt{(f - l_f)^2 + (u_c - c)^2}, \\quad f - c + \\sqrt{(u_f - f)^2 + (c - l_c)^2},

  which keeps the skewness of both intervals (the method of variance estimates recovery [1]_). Shared errors cancel in
  a difference: for ρ > 0 the interval is wider than need be.
- The sum is given the interval for ρ = 1, from the sum of the lower to the sum of the upper ends. For ρ < 1 it is wider
  than need be.

So both hold about 95% or more wherever the intervals of the directions hold 95% and the assumption is right.

References
----------
.. [1] Zou & Donner (2008), Construction of confidence intervals about effect measures: a general approach, Statistics
   in Medicine 27, 1693–1702.
"""
import numpy as np

ASSUMPTION = {
    "net_migration": "95%, from the intervals of the two directions as if their errors were independent; wider than "
                     "need be where errors are shared",
    "total": "95%, from the intervals of the two directions as if their errors were fully shared; wider than need be "
             "where they are not",
}


def difference_interval(one, other) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the interval of ``one - other``, persons.

    Parameters
    ----------
    one, other : estimate and both ends of the interval of each, arrays of one shape, persons: (estimate, lower,
        upper). An end that is missing (NaN) leaves its side missing, an infinite one makes it infinite.
    """
    (f, down, up), (c, other_down, other_up) = _halves(one), _halves(other)
    return f - c - np.hypot(down, other_up), f - c + np.hypot(up, other_down)


def sum_interval(one, other) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the interval of ``one + other``; parameters as of :func:`difference_interval`."""
    (f, down, up), (c, other_down, other_up) = _halves(one), _halves(other)
    return f + c - (down + other_down), f + c + (up + other_up)


def _halves(values) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An estimate, and how far its interval reaches below and above it."""
    estimate, lower, upper = (np.asarray(v, dtype=np.float64) for v in values)
    return estimate, np.maximum(estimate - lower, 0.0), np.maximum(upper - estimate, 0.0)


def exchange(inflow, outflow, ends=None) -> dict[str, np.ndarray]:
    """Columns of both directions, seen from the territory that ``inflow`` comes to and ``outflow`` leaves.

    Parameters
    ----------
    inflow, outflow : persons, arrays of one shape.
    ends : ``(inflow_lower, inflow_upper), (outflow_lower, outflow_upper)``, where the release has intervals.

    Returns
    -------
    dict: ``inflow, outflow, net_migration, total``, and ``net_migration_lower, net_migration_upper, total_lower,
    total_upper`` where ends are given, rounded outwards to a tenth of a person.
    """
    inflow, outflow = (np.round(np.asarray(v, dtype=np.float64), 4) for v in (inflow, outflow))
    out = {"inflow": inflow, "outflow": outflow, "net_migration": np.round(inflow - outflow, 4),
           "total": np.round(inflow + outflow, 4)}
    if ends is not None:
        into, out_of = (inflow, *ends[0]), (outflow, *ends[1])
        for name, (lower, upper) in (("net_migration", difference_interval(into, out_of)),
                                     ("total", sum_interval(into, out_of))):
            # A little is taken off first: 0.7 as float32 is 0.69999999, and would lose a tenth.
            out[f"{name}_lower"] = np.minimum(np.floor(10 * lower + 1e-4) / 10, out[name])
            out[f"{name}_upper"] = np.maximum(np.ceil(10 * upper - 1e-4) / 10, out[name])
    return out
