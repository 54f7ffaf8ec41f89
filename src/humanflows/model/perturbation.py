"""Perturbed data and priors: what a draw from the posterior is solved for instead of what was observed.

Randomised maximum likelihood [1]_ [2]_ perturbs every datum by its own error model and every prior mean by its own
prior, and solves for the mode again. In a linear model with normal errors the solutions are draws from the posterior;
where errors have other distributions, each datum is perturbed by a draw from its own.

What is learned has a parameter that can follow its perturbation. Where the model has none for what differs (single
years of a corridor in which nobody reports, pairs with hardly any migrants), the draw adds a fixed deviation to the
log-hazards, drawn from the prior that such an effect has elsewhere. Deviations of this kind have mean one as factors:
territories' balances, which the mode fits without them, stay near their data. They are the same for those who leave and
for those who return, so that stocks, which tell of the difference, need not be bent to fit them.

References
----------
.. [1] Kitanidis (1995), Quasi-linear geostatistical theory for inversing, Water Resources Research 31, 2411–2419.
.. [2] Oliver, He & Reynolds (1996), Conditioning permeability fields to pressure data, ECMOR V.
"""
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..config import EffectConfig
from .courses import MEMORY
from .effects import SCALAR, SHOCK_TAIL
from .observation import (
    LASTING,
    POPULATION_UNIT,
    TAIL,
    YEARS_OF_POPULATION,
    YEARS_OF_RATES,
    ObservationModel,
)
from .recursion import SHOCK_UNIT, FlowModel, Trajectory

FURTHEST = 6.0        # standard deviations of a perturbation; beyond, heavy tails would ask for another world
_GRID = np.linspace(-15, 15, 6001)
_UNLEARNED = 1        # stream of random numbers


@dataclass(frozen=True)
class Perturbation:
    """One draw of all errors.

    Attributes
    ----------
    data : by name of a buffer of the observation model, the tensor that takes its place.
    effects : by name of a parameter of the model, the draw from its prior, in the parameter's units.
    errors : the same of parameters of the observation model.
    said : [Y, origin, destination, 2] what is added to the log-hazards that the cell says, natives and returns.
    """

    data: dict[str, Tensor]
    effects: dict[str, Tensor]
    errors: dict[str, Tensor]
    said: Tensor


def student_errors(shape, tail: float, rng: np.random.Generator) -> np.ndarray:
    """Student's t errors of scale one, none beyond ``FURTHEST``, float64."""
    return np.clip(rng.standard_t(tail, shape), -FURTHEST, FURTHEST)


def huber_errors(shape, rng: np.random.Generator) -> np.ndarray:
    """Errors whose negative log density is ``observation.pseudo_huber``, float64: by inversion on a grid."""
    density = np.exp(-2 * (np.sqrt(1 + _GRID**2 / 2) - 1))
    total = np.cumsum(density)
    return np.clip(np.interp(rng.random(shape), total / total[-1], _GRID), -FURTHEST, FURTHEST)


def perturb(model: FlowModel, observation: ObservationModel, run: Trajectory, config: EffectConfig,
            seed: Sequence[int]) -> Perturbation:
    """Draw all errors once; a pure function of its arguments.

    Parameters
    ----------
    model, observation : at the mode.
    run : what the model predicts there; errors of counts and of stocks grow with what is counted.
    config : prior deviations of effects.
    seed : of the draw, whole numbers.
    """
    rng = np.random.default_rng([*seed])
    effects = _effects(model, config, rng)
    errors, biases = _errors(observation, rng)
    data = {**biases, **_reports(observation, run, errors, rng), **_stocks(observation, run, rng),
            **_balances(observation, run, errors, rng)}
    return Perturbation(data, effects, errors, unlearned_deviations(model, config, seed))


def _like(values: np.ndarray, given: Tensor) -> Tensor:
    return torch.as_tensor(np.asarray(values), dtype=given.dtype, device=given.device)


def _fading(innovations: np.ndarray) -> np.ndarray:
    """Autoregression of order one of innovations along the first axis, of their own variance."""
    out = np.array(innovations, dtype=np.float64)
    for t in range(1, len(out)):
        out[t] = MEMORY * out[t - 1] + np.sqrt(1 - MEMORY**2) * innovations[t]
    return out


def _effects(model: FlowModel, config: EffectConfig, rng: np.random.Generator) -> dict[str, Tensor]:
    """Draws from the priors that ``effects.effect_terms`` states."""
    reported = model.reported.cpu().numpy()[:, None] > 0
    direction = np.where(np.broadcast_to(reported, model.direction.shape), config.direction, config.unreported)
    shape = tuple(model.turnover.shape)
    drawn = {
        "tie": config.tie * rng.normal(size=tuple(model.tie.shape)),
        "direction": direction * rng.normal(size=direction.shape),
        "wave": config.wave * student_errors(tuple(model.wave.shape), TAIL, rng),
        "course": _course(model, config, rng),
        "turnover": config.turnover * _fading(rng.normal(size=shape)),
        "balance": config.balance * _fading(student_errors(shape, TAIL, rng)),
        "scarce": config.scarce * _fading(student_errors(shape, TAIL, rng)),
        "onward_level": SCALAR * rng.normal(), "affinity_slope": SCALAR * rng.normal(),
    }
    return {name: _like(value, getattr(model, name)) for name, value in drawn.items()}


def _course(model: FlowModel, config: EffectConfig, rng: np.random.Generator) -> np.ndarray:
    """Effects of single reported years [K]: what is new since the pair's last known year, in units of the parameter."""
    gap, shocked = model.course_gap.cpu().numpy().astype(float), model.course_shocked.cpu().numpy()
    new = np.where(shocked, config.shock, config.course) * student_errors(len(gap), SHOCK_TAIL, rng)
    kept = np.where(gap > 0, MEMORY**gap, 0.0)
    new *= np.sqrt(1 - kept**2)
    out, last = np.empty(len(gap)), 0.0
    for k, (share, innovation) in enumerate(zip(kept.tolist(), new.tolist())):
        last = share * last + innovation
        out[k] = last
    return out / np.where(shocked, SHOCK_UNIT, 1.0)


def _errors(observation: ObservationModel, rng: np.random.Generator) -> tuple[dict, dict]:
    """Draws of biases, lasting deviations and errors of populations, and the buffer of biases' means with theirs."""
    step = observation.bias_deviation.cpu().numpy() * student_errors(len(observation.bias_deviation), TAIL, rng)
    total = np.cumsum(step)
    level = total - (total - step)[observation.bias_first.cpu().numpy()]
    mean = observation.bias_mean + observation.bias_free * _like(level, observation.bias_mean)
    lasting = observation._lasting_deviation().detach().cpu().numpy() * huber_errors(len(observation.lasting), rng)
    population = huber_errors(tuple(observation.population_error.shape), rng) / POPULATION_UNIT
    errors = {"log_bias_step": step, "lasting": lasting, "population_error": population}
    return {k: _like(v, getattr(observation, k)) for k, v in errors.items()}, {"bias_mean": mean}


@torch.no_grad()
def _reports(o: ObservationModel, run: Trajectory, errors: dict[str, Tensor], rng) -> dict[str, Tensor]:
    out = {}
    if len(o.report_persons):
        _, chance, elasticity = o._shown(o.expected(o._moves_of_reports(run)), o.report_cell)
        variance = (1 - LASTING) * (elasticity * o.report_spread) ** 2 + chance
        error = torch.sqrt(variance) * _like(student_errors(len(variance), TAIL, rng), variance)
        lasting = elasticity * errors["lasting"].index_select(0, o.report_series)
        out["report_persons"] = torch.expm1(torch.log1p(o.report_persons) + error - lasting)
    flow = run.flow.reshape(-1)
    if hasattr(o, "censored_position"):
        expected = flow.index_select(0, o.censored_position) * torch.exp(o.log_bias.index_select(0, o.censored_cell))
        _, chance, elasticity = o._shown(expected, o.censored_cell)
        deviation = torch.sqrt((elasticity * o.config.censored_deviation) ** 2 + chance) / torch.sqrt(o.censored_share)
        error = deviation * _like(rng.normal(size=len(deviation)).clip(-FURTHEST, FURTHEST), deviation)
        out["censored_limit"] = torch.expm1((torch.log1p(o.censored_limit) + error).clamp(min=0))
    if hasattr(o, "displaced_position"):
        error = o.config.displaced_below * _like(huber_errors(len(o.displaced_persons), rng), flow)
        out["displaced_persons"] = torch.expm1((torch.log1p(o.displaced_persons) + error).clamp(min=0))
    return out


@torch.no_grad()
def _stocks(o: ObservationModel, run: Trajectory, rng) -> dict[str, Tensor]:
    """A datum that counts for a share of one, because others say the same, has the deviation of so much less."""
    c, middle = o.config, 0.5 * (run.stock[1:] + run.stock[:-1])
    flat, out = middle.reshape(-1), {}

    def huber(like: Tensor, share: Tensor | float = 1.0) -> Tensor:
        return _like(huber_errors(tuple(like.shape), rng), like) / torch.as_tensor(share, device=like.device) ** 0.5

    here = flat.index_select(0, o.stock_position)
    deviation = o.stock_times * torch.sqrt(c.stock_deviation**2 + c.stock_count**2 / (1 + here))
    error = (deviation * huber(here, o.stock_share)).clamp(-3, 3)
    out["stock_persons"] = torch.expm1((torch.log1p(o.stock_persons) + error).clamp(min=0))
    before, after = flat.index_select(0, o.stock_before), flat.index_select(0, o.stock_after)
    deviation = 30 + c.stock_repeated * 0.5 * (before + after) + c.change_deviation * o.stock_change.abs() \
        + c.displaced_counted * o.stock_displaced
    out["stock_change"] = o.stock_change + deviation * o.stock_times_of_change * huber(before, o.stock_share_of_change)
    if hasattr(o, "stock_foreign"):
        foreign = (middle.sum(1) - middle.diagonal(dim1=1, dim2=2))[o.stock_foreign_year, o.stock_foreign_place]
        deviation = torch.sqrt(o.stock_foreign_deviation**2 + c.stock_count**2 / (1 + foreign))
        out["stock_foreign"] = o.stock_foreign * torch.exp((deviation * huber(foreign)).clamp(-3, 3))
    return out


@torch.no_grad()
def _balances(o: ObservationModel, run: Trajectory, errors: dict[str, Tensor], rng) -> dict[str, Tensor]:
    c, out = o.config, {}

    def share(years: int, independent: float) -> float:
        return (1 + independent * (years - 1)) / years

    deviation = (20 + c.population_deviation * o.population_persons) / share(len(run.stock), YEARS_OF_POPULATION) ** 0.5
    out["population_persons"] = o.population_persons + deviation * _like(
        huber_errors(tuple(deviation.shape), rng), deviation)
    if len(o.net_persons):
        error = errors["population_error"] * POPULATION_UNIT * c.recount_deviation * o.population_persons
        recount = (error[1:] - error[:-1])[o.net_year, o.net_place] * ~o.net_national
        population = o.population_persons[o.net_year, o.net_place]
        deviation = 20 + c.net_population * population + c.net_deviation * o.net_persons.abs() \
            + c.net_displaced * o.net_displaced
        deviation = deviation * torch.where(o.net_national, 0.5, torch.where(o.net_projected, 3.0, 1.0)) \
            * torch.where(o.net_counted, 1.0, c.net_uncounted)
        out["net_persons"] = o.net_persons - recount + deviation * _like(huber_errors(len(deviation), rng), deviation)
    if hasattr(o, "gross_mean"):
        error = student_errors(tuple(run.flow.shape[:2]), TAIL, rng) / share(len(run.flow), YEARS_OF_RATES) ** 0.5
        out["gross_mean"] = o.gross_mean + o.gross_deviation * _like(error, o.gross_mean)
    return out


def unlearned_deviations(model: FlowModel, config: EffectConfig, seed: Sequence[int]) -> Tensor:
    """Log-hazards [Y, origin, destination, 2] of natives and of returns that no parameter follows; see the module.

    They have random numbers of their own, so that a draw's can be had again from its seed.

    Years without a report of pairs that are reported in others have, given those, what an autoregression leaves open
    (conditional simulation: a free draw less what its own known years predict of it).
    """
    rng = np.random.default_rng([*seed, _UNLEARNED])
    years, n = model.years, model.n
    place = model.place.cpu().numpy()
    pairs = model.told_in.shape[1]
    known = model.told_in.cpu().numpy()
    free = config.course * _fading(rng.normal(size=(years, pairs)))
    ends = np.append(free.T[known.T], 0.0)
    weights = {k: getattr(model, f"course_{k}").cpu().numpy() for k in (
        "before", "after", "weight_before", "weight_after")}
    between = weights["weight_before"] * ends[weights["before"]] + weights["weight_after"] * ends[weights["after"]]
    course = np.where(known, 0.0, free - between)
    # variance of what is left: that of the process less that of what the known years predict
    w = {k: weights[f"weight_{k}"] for k in ("before", "after")}
    variance = _left_variance(known, w) * config.course**2
    course = course - 0.5 * variance
    scarce = config.course * _fading(rng.normal(size=(years, n, n)))
    lasting = np.hypot(config.tie, config.direction)
    scarce += lasting * rng.normal(size=(n, n)) - 0.5 * (config.course**2 + lasting**2)
    none = (place == pairs).reshape(n, n)
    out = np.empty((years, n, n, 2), np.float32)
    full = np.concatenate([course, np.zeros((years, 1))], 1)[:, place].reshape(years, n, n)
    out[:] = np.where(none, scarce, full)[..., None]
    out[:, np.arange(n), np.arange(n)] = 0.0
    return torch.as_tensor(out, device=model.births.device)


def _left_variance(known: np.ndarray, weight: dict[str, np.ndarray]) -> np.ndarray:
    """Variance [year, pair] that the known years beside leave of an autoregression of variance one: one less the sum
    of weights times correlations with them (simple kriging)."""
    years = len(known)
    t = np.arange(years)[:, None]
    last = np.maximum.accumulate(np.where(known, t, -10**6), axis=0)
    following = np.minimum.accumulate(np.where(known, t, 10**6)[::-1], axis=0)[::-1]
    told = weight["before"] * MEMORY ** np.minimum(t - last, 10**3).astype(float) \
        + weight["after"] * MEMORY ** np.minimum(following - t, 10**3).astype(float)
    return np.where(known, 0.0, np.clip(1 - told, 0.0, 1.0))
