"""Scenarios run with every draw: levels, reference and difference, each with intervals by counting.

A scenario changes covariates or borders; everything else is the draw's own: its first stocks, its effects and what it
adds to the log-hazards that the cell says (``model.systematic``, see :mod:`humanflows.model.perturbation`). What it
adds is an effect as any other: a changed covariate changes what the cell says and leaves it in place, and beyond the
last year it fades with the rest (:mod:`humanflows.model.scenario_run`).

Beyond the last year nobody knows the effects of single years. They are autoregressions that are expected to fade; what
is new in them (of pairs: course; of territories: turnover, balance, scarce) is drawn from the priors that
``effects.effect_terms`` states, from a seed of the draw. Scenario and reference of a draw have the same innovations
(common random numbers [1]_), so that a difference is that of the scenario alone.

Shocks (``EffectConfig.shock``) are of years that bring refugees; which later years will is not known and not drawn.
Neither are effects that a scenario without hindsight gives up inside the panel: they are at their expectation.

References
----------
.. [1] Glasserman & Yao (1992), Some guidelines and guarantees for common random numbers, Management Science 38,
   884–908.
"""
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
import xarray as xr
from scipy.stats import t as student_t
from torch import Tensor

from ..config import EffectConfig
from ..errors import InputError
from ..model import accounting
from ..model.courses import MEMORY
from ..model.effects import SHOCK_TAIL
from ..model.observation import TAIL
from ..model.perturbation import FURTHEST, student_errors
from ..model.recursion import FlowModel, Trajectory
from ..model.scenario_run import MEAN_YEARS, Inputs, _read_again, step_past_borders
from ..model.train import Member
from ..results.scenario import Scenario
from ..results.scenario_inputs import Demography, build_inputs
from .ends import LEVELS, end_names, ends_of_draws

RUNS = ("level", "reference", "difference")
SIGNED = ("net_migration",)     # quantities that are no counts
_LATER = 2                      # stream of random numbers, apart from those of perturbation.py
_GRID = np.linspace(-FURTHEST, FURTHEST, 4001)


class Given(NamedTuple):
    """What all draws of a member are run with."""

    reference: Inputs
    scenario: Inputs
    years: list[int]            # Y calendar years of both runs
    places: list[str]           # N codes


class Prepared(NamedTuple):
    """What all draws of a member share: their network reads the same covariates."""

    given: Given
    said: Tensor                                    # [panel's years, N, N, 2] what the cell says of the panel
    reference: tuple[Tensor, Tensor]                # what it says of changed pairs [Y, pair, 2], and which they are
    scenario: tuple[Tensor, Tensor]


def read_given(panel: xr.Dataset, scenario: Scenario, *, demography: Demography | None = None,
               without: str = "") -> Given:
    """Inputs of a scenario and of its reference, the same years without its changes.

    Parameters
    ----------
    panel : what the member of the draws sees (``draws.seen_panel``): features are on its scale.
    scenario, demography, without : as of :func:`humanflows.results.scenario_inputs.build_inputs`.
    """
    how = {"without": without, "demography": demography}
    reference, longer = build_inputs(panel, scenario, changes=False, **how)
    changed = build_inputs(panel, scenario, **how)[0] if scenario.changes else reference
    return Given(reference, changed, [int(y) for y in longer.year.values], longer.residence.values.astype(str).tolist())


@torch.no_grad()
def prepare(model: FlowModel, given: Given) -> Prepared:
    """Let a member's cell read once what all of its draws are run with; ``model.systematic`` stays as it is."""
    kept = model.systematic
    try:
        said = model.read_covariates()
    finally:
        model.systematic = kept
    reference = _read_again(model, given.reference)
    scenario = reference if given.scenario is given.reference else _read_again(model, given.scenario)
    return Prepared(given, said, reference, scenario)


def later_innovations(model: FlowModel, config: EffectConfig, years: int, seed: Sequence[int], *,
                      mean_one: bool = True) -> Tensor:
    """What is new in effects of the years beyond the last: additions to log-hazards, natives and returns.

    Each effect is an autoregression of order one that starts from nothing new at the last year, so that its variance
    grows from ``1 - MEMORY²`` of the prior's to all of it.

    Parameters
    ----------
    model : whose territories and pairs they are of.
    config : prior deviations of effects.
    years : K beyond the last.
    seed : of the draw, whole numbers from 0.
    mean_one : shift the log-hazards so that the mean factor is one, as ``perturbation.unlearned_deviations`` does. Else
        the median is one, and hazards of later years are larger on average than the last that is known.

    Returns
    -------
    Tensor [K, origin, destination, 2], diagonals zero.
    """
    rng, n = np.random.default_rng([*seed, _LATER]), model.n
    turnover = config.turnover * _later(rng.normal(size=(years, n)))
    balance = config.balance * _later(student_errors((years, n), TAIL, rng))
    scarce = config.scarce * _later(student_errors((years, n), TAIL, rng))
    course = config.course * _later(student_errors((years, n, n), SHOCK_TAIL, rng))
    few = model.scarce_pairs.cpu().numpy()
    back = (turnover - balance)[:, :, None] + (turnover + balance)[:, None] + course
    native = back + few * (scarce[:, :, None] + scarce[:, None])
    if mean_one:
        both = 2 * (_log_means(config.turnover, None, years) + _log_means(config.balance, TAIL, years)) \
            + _log_means(config.course, SHOCK_TAIL, years)
        back = back - both[:, None, None]
        native = native - both[:, None, None] - 2 * few * _log_means(config.scarce, TAIL, years)[:, None, None]
    out = np.stack([native, back], -1)
    out[:, np.arange(n), np.arange(n)] = 0.0
    return torch.as_tensor(out.astype(np.float32), device=model.births.device)


def _later(innovations: np.ndarray) -> np.ndarray:
    """Autoregression of order one of innovations along the first axis, from zero in the year before."""
    out = np.empty_like(innovations, dtype=np.float64)
    last = 0.0
    for t, new in enumerate(innovations):
        out[t] = last = MEMORY * last + np.sqrt(1 - MEMORY**2) * new
    return out


def _log_means(deviation: float, tail: float | None, years: int) -> np.ndarray:
    """Log of the mean of exp(effect) of :func:`_later`, [years]; innovations normal, or Student's t cut at
    ``FURTHEST``."""
    weight = deviation * np.sqrt(1 - MEMORY**2) * MEMORY ** np.arange(years)
    if tail is None:
        each = 0.5 * weight**2
    else:
        density = student_t.pdf(_GRID, tail)
        inside = np.trapezoid(density * np.exp(weight[:, None] * _GRID), _GRID, axis=1)
        each = np.log(inside + 2 * student_t.sf(FURTHEST, tail) * np.cosh(weight * FURTHEST))
    return np.cumsum(each)


class _Hazards:
    """Log-hazards of a year of one draw under given inputs."""

    def __init__(self, model: FlowModel, known: list[accounting.Hazards], given: Inputs, said: Tensor,
                 reading: tuple[Tensor, Tensor], later: Tensor):
        self.model, self.known, self.said, self.later = model, known, said, later
        self.read, self.changed = reading
        since = np.where(given.forgotten, given.first, model.years)
        self.since = torch.as_tensor(since, device=said.device)
        # as in scenario_run: effects of the year before they are not known, and their mean of the years before
        self.before, self.mean = torch.zeros(2, *said.shape[1:], device=said.device)
        for start in np.unique(since[since > 0]):
            here = (self.since == int(start)).unsqueeze(-1)
            span = torch.stack([self._effects(t) for t in range(max(0, int(start) - MEAN_YEARS), int(start))])
            self.before = torch.where(here, span[-1], self.before)
            self.mean = torch.where(here, span.mean(0), self.mean)

    def _effects(self, t: int) -> Tensor:
        """All that a draw has beside what the cell says: what it has learned, and what it adds."""
        return torch.stack([self.known[t].native, self.known[t].back], -1) - self.said[t]

    def __call__(self, t: int) -> accounting.Hazards:
        at = min(t, self.model.years - 1)
        hazards, said = self.known[at], self.said[at]
        now = said.flatten(0, 1).clone()
        now[self.changed] = self.read[t]
        shift = now.unflatten(0, said.shape[:2]) - said
        age = (t - self.since + 1).clamp(min=0).unsqueeze(-1)
        if (age > 0).any():
            expected = self.mean + MEMORY**age * (self.before - self.mean)
            shift = shift + torch.where(age > 0, expected - self._effects(at), 0.0)
        if t >= self.model.years:
            shift = shift + self.later[t - self.model.years]
        native, back = shift.unbind(-1)
        return accounting.Hazards(hazards.native + native, hazards.back + back, hazards.onward + native,
                                  hazards.affinity + self.model.affinity_slope * (native - native.mean(0)))


@torch.no_grad()
def run_draw(model: FlowModel, prepared: Prepared, later: Tensor) -> tuple[Trajectory, Trajectory]:
    """One draw without and with the scenario's changes.

    Parameters
    ----------
    model : that holds the draw's parameters, first stocks and ``systematic``.
    prepared : of the draw's member.
    later : from :func:`later_innovations`, of all years beyond the panel's last; the same in both runs.

    Returns
    -------
    reference, scenario : in persons. Births, deaths and moves account for every person in each year.

    Raises
    ------
    InputError
        When the innovations are of another number of years.
    """
    beyond = len(prepared.given.years) - model.years
    if len(later) != beyond:
        raise InputError("scenario", f"innovations of {len(later)} years for {beyond} beyond the panel", "draw them "
                         "for the years of the scenario", key="later")
    known = [hazards for _, hazards in model.walk()]
    reference = _run(model, known, prepared.given.reference, prepared.said, prepared.reference, later)
    if prepared.given.scenario is prepared.given.reference:
        return reference, reference
    return reference, _run(model, known, prepared.given.scenario, prepared.said, prepared.scenario, later)


def _run(model, known, given: Inputs, said, reading, later) -> Trajectory:
    hazards_of = _Hazards(model, known, given, said, reading, later)
    stocks, records = [model.stock_initial], []
    births, death_rate = (torch.as_tensor(np.ascontiguousarray(x, np.float32), device=said.device)
                          for x in (given.births, given.death_rate))
    for t in range(len(births)):
        if t < given.first:
            step = accounting.step(stocks[-1], known[t], model.births[t], model.death_rate[t], model.diagonal)
        else:
            step = step_past_borders(stocks[-1], hazards_of(t), births[t], death_rate[t], given.border[t],
                                     given.returns[t], given.elsewhere, model.diagonal)
        stocks.append(step.stock_next)
        records.append((step.flow, step.arrivals, step.departures))
    return Trajectory(*(torch.stack(x) for x in (*zip(*records), stocks)))


def run_draws(draws: Iterable[tuple[int, int, Member]], given_of: Callable[[int], Given], config: EffectConfig,
              corridors: Sequence[str], *, mean_one: bool = True) -> xr.Dataset:
    """Run a scenario with every draw, one in memory at a time, and count.

    Parameters
    ----------
    draws : member number, draw number, and the member that holds the draw (``draws.walk_draws``); draws of a member
        follow each other.
    given_of : inputs by member number, asked once for each member (:func:`read_given` of what the member sees).
    config : prior deviations of effects.
    corridors : names ``ORIGIN-DESTINATION`` of those wanted.
    mean_one : see :func:`later_innovations`.

    Returns
    -------
    Dataset, persons: ``corridor_flow`` (run, year, corridor), ``arrivals, departures, net_migration`` (run, year,
    territory) and ``world`` (run, year), all moves: means of the draws; and for each its ends, ``<name>_lower_50`` to
    ``<name>_upper`` after :func:`humanflows.uncertainty.ends.end_names`. ``run`` is one of ``RUNS``: with the changes,
    without them, and the difference of the two within draws.

    Raises
    ------
    InputError
        For fewer than two draws, an unknown corridor, or members of other years or territories than the first.
    """
    prepared, at, first, found = None, None, None, {}
    number = 0
    for member, draw, whole in draws:
        model = whole.model
        if member != at:
            given = given_of(member)
            first = first or given
            if (given.years, given.places) != (first.years, first.places):
                raise InputError("scenario", f"member {member} runs over other years or territories than the first",
                                 "give all members the same", key="given_of")
            prepared, at = prepare(model, given), member
            origin, destination = _positions(corridors, given.places)
        beyond = len(prepared.given.years) - model.years
        runs = run_draw(model, prepared, later_innovations(model, config, beyond, (member, draw), mean_one=mean_one))
        sums = [_sums(run.flow, origin, destination) for run in runs]
        for name in sums[0]:
            found.setdefault(name, []).append([s[name] for s in sums])
        number += 1
    if number < 2:
        raise InputError("scenario", f"{number} draws", "give at least two (humanflows sample)", key="draws")
    return _summarise({k: np.array(v) for k, v in found.items()}, first, corridors, number)


def _positions(corridors: Sequence[str], places: list[str]) -> tuple[list[int], list[int]]:
    at = {f"{o}-{d}": (i, j) for i, o in enumerate(places) for j, d in enumerate(places) if i != j}
    for name in corridors:
        if name not in at:
            raise InputError("scenario", "no such corridor", "name two different territories of the panel, such as "
                             f"{places[0]}-{places[1]}", key=name)
    return [at[c][0] for c in corridors], [at[c][1] for c in corridors]


def _sums(flow: Tensor, origin: list[int], destination: list[int]) -> dict[str, np.ndarray]:
    flow = flow.double().cpu().numpy()
    arrivals, departures = flow.sum(1), flow.sum(2)
    return {"corridor_flow": flow[:, origin, destination], "arrivals": arrivals, "departures": departures,
            "net_migration": arrivals - departures, "world": flow.sum((1, 2))}


def _summarise(found: dict[str, np.ndarray], given: Given, corridors: Sequence[str], number: int) -> xr.Dataset:
    out = xr.Dataset(coords={"run": list(RUNS), "year": given.years, "corridor": list(corridors),
                             "territory": given.places}, attrs={"draws": number})
    for name, values in found.items():              # [draw, reference | scenario, year, ...]
        parts = [ends_of_draws(values[:, 1], counts=name not in SIGNED),
                 ends_of_draws(values[:, 0], counts=name not in SIGNED),
                 ends_of_draws(values[:, 1] - values[:, 0], counts=False)]
        dims = ("run", "year", *{"corridor_flow": ["corridor"], "world": []}.get(name, ["territory"]))
        about = {"units": "persons"}
        out[name] = (dims, np.stack([p.centre for p in parts]), about)
        for level, (lower, upper) in zip(LEVELS, end_names(LEVELS)):
            out[f"{name}_{lower}"] = (dims, np.stack([p.lower[level] for p in parts]), about)
            out[f"{name}_{upper}"] = (dims, np.stack([p.upper[level] for p in parts]), about)
    return out
