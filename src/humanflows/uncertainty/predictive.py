"""What a source would report of a draw's flow: the predictive distribution of a report.

Of a draw's flow q a report y of series s is, as :mod:`humanflows.model.observation` has it,

    log(1 + y) = log(1 + q exp(b)) + u + e

with the series' log bias b of the year, a lasting deviation u of the corridor in that series, and an error e (Student's
t) with the series' spread and the chance of small numbers; a platform adds noise to what it counts. A draw brings
biases and deviations of what it learned from. Of what it never saw they are drawn from their priors: b for a series or
year without reports (:func:`complete_biases`), u for a corridor that the series was not seen to report.

So there are two intervals. That of the flow is for those who want to know how many moved; that of a report is what a
report is to be held against, because a right interval of the flow need not hold what an office counts of it.
"""
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
import xarray as xr
from scipy.integrate import cumulative_trapezoid

from ..errors import SchemaError
from ..model.observation import LASTING, PROXY, TAIL
from ..model.observation_data import BREAK, SLOW, anchored_reports
from ..model.privacy_noise import private_counts
from ..model.spreads import COUNT

MOST = np.log1p(1e10)     # of a report's log: more than anybody could count
FURTHEST = 6.0            # prior deviations of a bias; further, heavy tails would be another office


@dataclass(frozen=True)
class ReportErrors:
    """What decides the errors of reports, arrays (report,).

    ``spread``: standard deviation of the log of reports around their biased means; ``noise``: of what a platform adds
    to each month's count, persons; ``proxy``: whether the report is by citizenship or birthplace; ``series``: number of
    the series and corridor, whose reports share their lasting deviation.
    """

    spread: np.ndarray
    noise: np.ndarray
    proxy: np.ndarray
    series: np.ndarray

    def __post_init__(self):
        """Raise SchemaError for arrays of different lengths, or a spread or noise that none can be."""
        shapes = {np.shape(v) for v in vars(self).values()}
        if len(shapes) != 1 or len(next(iter(shapes))) != 1:
            raise SchemaError("reports", f"errors of shapes {sorted(shapes)}", "give one of each for every report")
        for name, bad in (("spread", ~(np.isfinite(self.spread) & (np.asarray(self.spread) > 0))),
                          ("noise", ~(np.isfinite(self.noise) & (np.asarray(self.noise) >= 0)))):
            if bad.any():
                k = int(np.flatnonzero(bad)[0])
                raise SchemaError("reports", f"{name} is {np.asarray(getattr(self, name))[k]}", "leave out reports of "
                                  "which nothing is known, and count them", key=f"report {k} (from 0)")

    def take(self, chosen) -> "ReportErrors":
        """Those of some reports."""
        return ReportErrors(*(np.asarray(v)[chosen] for v in vars(self).values()))


def huber_errors(size, rng: np.random.Generator) -> np.ndarray:
    """Errors whose negative log density is ``observation.pseudo_huber``, 2 (√(1 + z²/2) − 1), by inversion on a grid:
    the hyperbolic distribution [1]_ with α = δ = √2 and no skew.

    References
    ----------
    .. [1] Barndorff-Nielsen (1977), Exponentially decreasing distributions for the logarithm of particle size,
       Proceedings of the Royal Society A 353, 401–419.
    """
    return np.interp(rng.random(size), *_hyperbolic())


@cache
def _hyperbolic() -> tuple[np.ndarray, np.ndarray]:
    """Distribution function and where it is taken; 1e-18 of the distribution lies outside."""
    grid = np.linspace(-30, 30, 24_001)
    below = cumulative_trapezoid(np.exp(-2 * (np.sqrt(1 + grid**2 / 2) - 1)), grid, initial=0)
    return below / below[-1], grid


def draw_reports(flow, log_bias, errors: ReportErrors, rng: np.random.Generator, *, lasting=None,
                 times: int = 1) -> np.ndarray:
    """Random reports of draws' flows.

    Parameters
    ----------
    flow : (draw, report), persons, not negative.
    log_bias : (draw or draw × times, report), finite: with a bias for each of several reports of a draw where what is
        not known of it is drawn anew each time.
    errors : of the reports.
    rng : random numbers; the same reports for the same state.
    lasting : (draw, report), lasting deviations that the draw knows, NaN where it does not; all are drawn by default.
    times : reports of each draw; the draws of one come one after the other.

    Returns
    -------
    float32 array (draw × times, report): log(1 + report), of whole numbers of persons.

    Raises
    ------
    SchemaError
        For shapes that do not fit, flows below zero, or a flow or bias that is not finite.
    """
    flow, log_bias = np.asarray(flow), np.asarray(log_bias)
    number, length = flow.shape if flow.ndim == 2 else (0, -1)
    fits = times >= 1 and length == len(errors.spread) and log_bias.shape in ((number, length),
                                                                              (number * times, length))
    if not fits or (lasting is not None and np.shape(lasting) != (number, length)):
        raise SchemaError("reports", f"flows {flow.shape}, biases {log_bias.shape}, lasting deviations "
                          f"{np.shape(lasting)} of {len(errors.spread)} reports, {times} a draw",
                          "give (draw, report) of each")
    for name, values, sound in (("flow", flow, np.isfinite(flow) & (flow >= 0)),
                                ("log bias", log_bias, np.isfinite(log_bias))):
        if not sound.all():
            d, k = np.argwhere(~sound)[0]
            raise SchemaError("reports", f"a {name} is {values[d, k]}", "complete what is not known, make the draw "
                              "again", key=f"draw {d}, report {k} (from 0)")
    series, at = np.unique(errors.series, return_inverse=True)
    deviation = np.sqrt(LASTING * errors.spread**2 + PROXY**2 * errors.proxy)
    private = errors.noise > 0
    out = np.empty((number * times, length), np.float32)
    for row in range(number * times):
        k = row // times
        new = deviation * huber_errors(len(series), rng)[at] if length else np.zeros(0)
        known = new if lasting is None else np.where(np.isfinite(lasting[k]), lasting[k], new)
        bias = log_bias[row if len(log_bias) != number else k]
        level = np.minimum(np.log1p(flow[k] * np.exp(bias.astype(np.float64))) + known, MOST)
        expected = np.expm1(np.maximum(level, 0.0))
        shown, variance, elasticity = _published(expected, errors.noise, private)
        chance = elasticity**2 * COUNT / (1 + expected) + variance / (1 + shown) ** 2
        scale = np.sqrt((1 - LASTING) * (elasticity * errors.spread) ** 2 + chance)
        said = np.where(private, np.log1p(shown), level) + scale * rng.standard_t(TAIL, length)
        out[row] = np.log1p(np.rint(np.expm1(np.clip(said, 0.0, MOST))))
    return out


def _published(expected, noise, private):
    """Moments of what is published (``privacy_noise.private_counts``), and the elasticity of its mean."""
    if not private.any():
        return expected, 0.0, 1.0
    shown, variance, elasticity = expected.copy(), np.zeros(len(expected)), np.ones(len(expected))
    found = private_counts(torch.as_tensor(expected[private]),
                           torch.as_tensor(np.asarray(noise)[private], dtype=torch.float64))
    shown[private], variance[private], elasticity[private] = (x.numpy() for x in found)
    return shown, variance, elasticity


@dataclass(frozen=True)
class BiasPriors:
    """What is expected of the log bias of each series and year before any report is read, arrays (year, witness).

    ``mean`` is NaN where a series has no report; ``deviation`` is of a series' level; ``step`` of the change from the
    year before; ``anew``: the office changed its system in that year, and its level is drawn again; ``anchored``: the
    series anchors the level of flows, so that its learned bias is its mean.
    """

    mean: np.ndarray
    deviation: np.ndarray
    step: np.ndarray
    anew: np.ndarray
    anchored: np.ndarray


def read_bias_priors(panel: xr.Dataset) -> BiasPriors:
    """Priors of biases from the panel, as :mod:`humanflows.model.observation_data` takes them.

    Anchored series have the deviation of their class here: that their bias is fixed in the model says where the level
    comes from, not that the next office of the kind misses exactly as many.
    """
    mean, deviation, system, broken = (panel[k].transpose("year", "witness").values for k in (
        "report_log_bias", "report_log_bias_sd", "report_system", "report_break"))
    known = np.isfinite(mean)
    # Where a series has no report it has no system either: what counts is whether the next one that it has is another.
    last = np.maximum.accumulate(np.where(known, np.arange(len(mean))[:, None], 0), axis=0)
    carried = np.take_along_axis(system, last, axis=0)
    anew = np.zeros_like(known)
    anew[1:] = known[1:] & known.cumsum(0)[:-1].astype(bool) & (carried[1:] != carried[:-1])
    # A year without a report has the deviation of the system before, or of the first.
    first = np.isfinite(mean).argmax(0)
    carried = np.where(known.cumsum(0) > 0, np.take_along_axis(deviation, last, axis=0),
                       deviation[first, np.arange(len(first))])
    return BiasPriors(mean.astype(np.float64), carried.astype(np.float64),
                      np.sqrt(SLOW**2 + np.where(known & (broken > 0), BREAK**2, 0.0)), anew, anchored_reports(panel))


def complete_biases(learned, priors: BiasPriors, rng: np.random.Generator) -> np.ndarray:
    """One draw's biases, completed where the draw has none: years and series that it never saw.

    A series that it knows of other years walks on from there, forwards first; one that it does not know at all starts
    at its prior mean, moved by what the draw has moved all series that anchor the level, and by a deviation of its own.

    Parameters
    ----------
    learned : (year, witness), log biases of the draw, NaN where it learned none.
    priors : of the panel.
    rng : random numbers.

    Returns
    -------
    float64 array (year, witness); NaN where the series has no prior mean and nothing was learned.

    Raises
    ------
    SchemaError
        For another shape, or an infinite bias.
    """
    learned = np.asarray(learned, dtype=np.float64)
    if learned.shape != priors.mean.shape or np.isinf(learned).any():
        raise SchemaError("reports", f"biases {learned.shape} beside priors {priors.mean.shape}, or an infinite one",
                          "give one for each year and series, NaN where none was learned")
    moved, level = learned - priors.mean, learned[priors.anchored] - priors.mean[priors.anchored]
    common = float(np.nanmean(level)) if np.isfinite(level).any() else 0.0

    deviation = np.nan_to_num(priors.deviation)
    unknown = ~np.isfinite(moved).any(0) & np.isfinite(priors.mean).any(0)
    first = np.isfinite(priors.mean).argmax(0)
    start = common + deviation[first, np.arange(len(first))] * _heavy(len(first), rng)
    moved[first[unknown], np.flatnonzero(unknown)] = start[unknown]
    years = range(len(learned))
    for order, later in ((years, 0), (years[::-1], 1)):
        state = np.full(moved.shape[1], np.nan)
        for t in order:
            change = min(t + later, len(learned) - 1)      # the year in which what changed between the two years began
            wander = state + priors.step[change] * _heavy(len(state), rng)
            new = common + deviation[t] * _heavy(len(state), rng)
            wander = np.where(priors.anew[change] & np.isfinite(state), new, wander)
            state = moved[t] = np.where(np.isfinite(moved[t]), moved[t], wander)
    return np.where(np.isfinite(learned), learned, priors.mean + moved)


def _heavy(size, rng) -> np.ndarray:
    return np.clip(rng.standard_t(TAIL, size), -FURTHEST, FURTHEST)
