"""Ends of intervals from draws, by counting.

Let the truth and D draws be exchangeable: then the truth falls below the kth smallest draw with probability k/(D + 1).
The quantile of p is therefore the draw of rank p (D + 1), between two draws by linear interpolation (definition 6 of
Hyndman & Fan [1]_, plotting position k/(D + 1)). Their definition 8, which estimates the quantile without bias, makes
intervals too short for this purpose: between ranks 0.025 (D + 1/3) + 1/3 and its mirror, one of 104 draws holds the
truth in 94.4% of cases and one of 13 draws in fewer than 86%, the most that 13 draws can hold between them.

Ranks below 1 or above D lie outside all draws: 95% intervals need 39 draws. For fewer, the outermost draw is moved out
as a normal sample's prediction interval would be (Student's t with D − 1 degrees of freedom, scale s √(1 + 1/D)),
on the scale of log(1 + x) for counts.

Draws of one network share what that network makes of the covariates. Then they are exchangeable within networks alone,
and the truth is like a draw of another network: how far short intervals fall follows from the share of the variance
that lies between networks (:func:`variance_between`). Simulated with normal draws, 95% intervals of 8 networks with 13
draws each hold 95, 94 and 93% where that share is 0.1, 0.3 and 0.5; those of a single network 93, 88 and 78%. Held-out
corridors have a single network that never saw them: see :mod:`humanflows.uncertainty.judge` for what is added there.

The centre of an interval is the mean of the draws, because means keep the books. Of a skewed distribution the mean may
lie beyond an end, above all of the 50% interval; that end is then moved to the mean, and how many were is told.

References
----------
.. [1] Hyndman & Fan (1996), Sample quantiles in statistical packages, The American Statistician 50, 361–365.
"""
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import t as student_t

from ..errors import SchemaError

LEVELS = (0.5, 0.8, 0.95)
MEMORY = 400_000_000      # bytes of draws held at a time


@dataclass(frozen=True)
class Ends:
    """Centre, median and interval ends of one quantity; arrays of one shape, in the draws' unit.

    ``lower`` and ``upper`` are by level. ``moved`` says by level how many intervals an end was moved out in to hold
    their centre.
    """

    centre: np.ndarray
    median: np.ndarray
    lower: dict[float, np.ndarray]
    upper: dict[float, np.ndarray]
    moved: dict[float, int]


def fewest_draws(level: float) -> int:
    """How many draws a central interval of ``level`` needs for both ends to lie among them."""
    return int(np.ceil(2 / (1 - _checked_level(level)) - 1e-9)) - 1


def quantiles_of_draws(draws, probabilities: Sequence[float], *, counts: bool = True) -> np.ndarray:
    """Quantiles along the first axis, in the sense of exchangeable draws (see the module).

    Parameters
    ----------
    draws : array (draw, …), finite; at least two draws.
    probabilities : inside (0, 1).
    counts : whether the draws are counts, whose tails are extended on log(1 + x) and end at zero.

    Returns
    -------
    float64 array (probability, …).

    Raises
    ------
    SchemaError
        For fewer than two draws, values that are not finite, counts below zero, or a probability outside (0, 1).

    Examples
    --------
    >>> quantiles_of_draws(np.arange(1.0, 40.0), [0.025, 0.5, 0.975]).tolist()
    [1.0, 20.0, 39.0]
    """
    draws, number = _checked(draws, counts)
    p = np.asarray(probabilities, dtype=np.float64)
    if p.ndim != 1 or not ((p > 0) & (p < 1)).all():
        raise SchemaError("draws", f"probabilities {p.tolist()}", "give a list of numbers between 0 and 1")
    ordered = np.sort(draws, axis=0)
    rank = np.round(p * (number + 1), 9)
    at = np.clip(np.floor(rank).astype(int), 1, number)
    share = np.clip(rank - at, 0.0, 1.0)
    out = np.empty((len(p), *draws.shape[1:]))
    for k, (lower, part) in enumerate(zip(at, share)):
        below, above = ordered[lower - 1], ordered[min(lower, number - 1)]
        out[k] = below + part * (above.astype(np.float64) - below)
    outside = np.flatnonzero((rank < 1) | (rank > number))
    if len(outside):
        scaled = np.log1p(draws.astype(np.float64)) if counts else draws.astype(np.float64)
        spread = scaled.std(0, ddof=1) * np.sqrt(1 + 1 / number)
        for k in outside:
            outermost = 1 / (number + 1) if p[k] < 0.5 else number / (number + 1)
            reach = spread * (student_t.ppf(p[k], number - 1) - student_t.ppf(outermost, number - 1))
            moved = np.expm1(np.maximum(np.log1p(out[k]) + reach, 0.0)) if counts else out[k] + reach
            out[k] = np.minimum(out[k], moved) if p[k] < 0.5 else np.maximum(out[k], moved)     # but for rounding
    return out


def ends_of_draws(draws, *, levels: Sequence[float] = LEVELS, counts: bool = True) -> Ends:
    """Centre, median and ends of the central intervals of draws (draw, …).

    Parameters
    ----------
    draws, counts : as for :func:`quantiles_of_draws`.
    levels : of the intervals, rising.

    Raises
    ------
    SchemaError
        As there, and for levels that do not rise inside (0, 1).
    """
    levels = [_checked_level(level) for level in levels]
    if list(levels) != sorted(set(levels)) or not levels:
        raise SchemaError("draws", f"levels {levels}", "give rising levels, each once")
    asked = [*[(1 - level) / 2 for level in levels], 0.5, *[(1 + level) / 2 for level in levels]]
    found = quantiles_of_draws(draws, asked, counts=counts)
    centre = np.asarray(draws).mean(0, dtype=np.float64)
    lower, upper, moved = {}, {}, {}
    for k, level in enumerate(levels):
        low, high = found[k], found[len(levels) + 1 + k]
        off = np.maximum(low - centre, centre - high)
        moved[level] = int((off > 1e-9 * np.abs(centre)).sum())     # the mean of equal draws is not quite theirs
        lower[level], upper[level] = np.minimum(low, centre), np.maximum(high, centre)
    return Ends(centre, found[len(levels)], lower, upper, moved)


def variance_between(draws, network) -> tuple[np.ndarray, np.ndarray]:
    """Variance of draws within and between networks, by analysis of variance [1]_.

    Parameters
    ----------
    draws : array (draw, …), on the scale on which variances are wanted: log(1 + x) of counts.
    network : label of each draw's network, (draw,); at least two networks, one of them with two draws.

    Returns
    -------
    within, between : float64 arrays (…); ``between`` is of the networks' own means, and may be below zero by chance.

    Raises
    ------
    SchemaError
        For fewer networks or draws, or labels of another number.

    References
    ----------
    .. [1] Searle, Casella & McCulloch (1992), Variance Components, Wiley, section 3.6 (unbalanced data).
    """
    draws, number = _checked(draws, counts=False)
    labels, group, size = np.unique(np.asarray(network), return_inverse=True, return_counts=True)
    if np.shape(network) != (number,) or len(labels) < 2 or number <= len(labels):
        raise SchemaError("draws", f"{len(labels)} networks of {number} draws", "give a label for each draw, and "
                          "several draws of two networks or more", key="network")
    x = draws.astype(np.float64)
    mean = np.stack([x[group == k].mean(0) for k in range(len(labels))])
    within = sum(((x[group == k] - mean[k]) ** 2).sum(0) for k in range(len(labels))) / (number - len(labels))
    weight = size.reshape(-1, *[1] * (x.ndim - 1))
    square = (weight * (mean - x.mean(0)) ** 2).sum(0) / (len(labels) - 1)
    typical = (number - (size.astype(float) ** 2).sum() / number) / (len(labels) - 1)
    return within, (square - within) / typical


def networks_by_class(log_flow, network, label) -> pd.DataFrame:
    """How far networks differ from one another in what they say of flows, by class.

    Parameters
    ----------
    log_flow : (draw, cell), log(1 + x), of draws whose networks all saw the same.
    network : (draw,), label of each draw's network.
    label : (cell,), class of each cell: of evidence, say.

    Returns
    -------
    DataFrame indexed by class: ``cells``, ``deviation`` (standard deviation of the log between networks: the root of
    the mean variance), ``share`` (of the variance of a draw that lies between networks).
    """
    within, between = variance_between(log_flow, network)
    table = pd.DataFrame({"label": np.asarray(label), "within": within, "between": between})
    mean = table.groupby("label").agg(cells=("within", "size"), within=("within", "mean"), between=("between", "mean"))
    variance = mean["between"].clip(lower=0.0)
    total = (variance + mean["within"]).where(lambda x: x > 0)
    return pd.DataFrame({"cells": mean["cells"], "deviation": np.sqrt(variance), "share": variance / total})


def end_names(levels: Sequence[float] = LEVELS) -> list[tuple[str, str]]:
    """Names of lower and upper ends as a release has them: those of the widest bear no number.

    Examples
    --------
    >>> end_names((0.5, 0.8, 0.95))
    [('lower_50', 'upper_50'), ('lower_80', 'upper_80'), ('lower', 'upper')]
    """
    return [(f"lower{tail}", f"upper{tail}")
            for tail in [*[f"_{round(100 * level)}" for level in levels[:-1]], ""]]


def ends_by_step(draws: xr.DataArray, *, levels: Sequence[float] = LEVELS, counts: bool = True,
                 memory: int = MEMORY) -> xr.Dataset:
    """Ends of a quantity that has too many draws for memory: a few years at a time, draw after draw.

    Parameters
    ----------
    draws : (draw, year or date_year, …), lazy; of Dask arrays of one block a draw each is read as often as there are
        blocks of years.
    levels, counts : as for :func:`ends_of_draws`.
    memory : bytes of draws held at a time; sorting one year needs three times a year's draws beside them.

    Returns
    -------
    Dataset of float32 arrays like one draw: the quantity under its own name (the mean of the draws), ``<name>_median``
    and ``<name>_lower_50`` … after :func:`end_names`. Its attribute ``ends_moved`` says for each level in how many
    intervals an end was moved out to the centre.

    Raises
    ------
    SchemaError
        When ``draw`` is not the first dimension or there is no second, and as for :func:`ends_of_draws`.
    """
    if draws.ndim < 2 or draws.dims[0] != "draw":
        raise SchemaError("draws", f"dims {draws.dims}", "give draws as (draw, year, …)", key=str(draws.name))
    name, step = str(draws.name or "value"), draws.dims[1]
    number, shape = draws.sizes["draw"], draws.shape[2:]
    at_once = max(1, int(memory // max(1, number * int(np.prod(shape, dtype=np.int64)) * 4)))
    names = [name, f"{name}_median", *[f"{name}_{end}" for pair in end_names(levels) for end in pair]]
    out = {k: np.empty(draws.shape[1:], np.float32) for k in names}
    moved = dict.fromkeys(levels, 0)
    for first in range(0, draws.sizes[step], at_once):
        some = slice(first, min(first + at_once, draws.sizes[step]))
        block = np.empty((number, some.stop - some.start, *shape), np.float32)
        for k in range(number):
            block[k] = draws.isel(draw=k, **{step: some}).values
        for k in range(block.shape[1]):
            found = ends_of_draws(block[:, k], levels=levels, counts=counts)
            ends = [found.centre, found.median, *[e for level in levels
                                                  for e in (found.lower[level], found.upper[level])]]
            for key, values in zip(names, ends):
                out[key][first + k] = values
            moved = {level: moved[level] + found.moved[level] for level in levels}
    coordinates = {d: draws[d].values for d in draws.dims[1:] if d in draws.coords}
    return xr.Dataset({k: (draws.dims[1:], v) for k, v in out.items()}, coordinates,
                      {"draws": number, "ends_moved": ", ".join(f"{level:.0%}: {n}" for level, n in moved.items())})


def _checked_level(level: float) -> float:
    if not 0 < level < 1:
        raise SchemaError("draws", f"level {level}", "give a number between 0 and 1, such as 0.95")
    return float(level)


def _checked(draws, counts: bool) -> tuple[np.ndarray, int]:
    draws = np.asarray(draws)
    if draws.dtype.kind not in "fiu":
        raise SchemaError("draws", f"values of type {draws.dtype}", "give numbers")
    if draws.ndim < 1 or len(draws) < 2:
        raise SchemaError("draws", f"draws of shape {draws.shape}", "give at least two draws along the first axis")
    if not np.isfinite(draws).all():
        raise SchemaError("draws", "a draw holds a value that is not finite", "make that draw again",
                          key=f"draw {int(np.argwhere(~np.isfinite(draws))[0][0])} (from 0)")
    if counts and (draws < 0).any():
        raise SchemaError("draws", "a draw of a count is below zero", "say counts=False of what has a sign",
                          key=f"draw {int(np.argwhere(draws < 0)[0][0])} (from 0)")
    return draws, len(draws)
