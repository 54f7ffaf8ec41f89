"""The mode of the posterior, of observed or of perturbed data: effects, biases and errors are solved for together.

The cell rests. Every parameter is moved in units of its own conditional posterior deviation, found from gradients: the
gradient of a perturbed log posterior at one point scatters with the Fisher information (and the precision of the
prior), so that its mean square over a few perturbations is the diagonal of the Hessian.
"""
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from tqdm import tqdm

from ..config import Config
from .divergence import check_loss
from .effects import effect_terms, effects_off
from .observation import ObservationModel
from .perturbation import Perturbation, perturb
from .recursion import FlowModel
from .train import Member

EFFECTS = ("tie", "direction", "wave", "course", "turnover", "balance", "scarce", "onward_level", "affinity_slope")
ERRORS = ("log_bias_step", "lasting", "population_error")
CURVATURES = 6        # perturbations whose gradients tell the curvature
NARROWEST = 1e-3      # conditional deviation of a parameter: below, a step says nothing
WIDEST = 1.0
SCALE = 1e-5          # of the nats whose gradient is taken, as in training: far from overflow
BETAS = (0.85, 0.95)  # of Adam: with a longer memory the first steps, from far away, carry totals too low


@dataclass(frozen=True)
class Solution:
    """How a mode was reached: ``loss`` in nats of each epoch, seconds."""

    loss: np.ndarray
    seconds: float


class _Standard(nn.Module):
    """A parameter as its start plus so many deviations; its prior sees it less what the prior was perturbed by."""

    def __init__(self, start: Tensor, deviation: Tensor, shift: Tensor | None):
        super().__init__()
        self.register_buffer("start", start.detach().clone(), persistent=False)
        self.register_buffer("deviation", deviation, persistent=False)
        self.shift, self.of_prior = shift, False

    def forward(self, units: Tensor) -> Tensor:
        value = self.start + self.deviation * units
        return value - self.shift if self.of_prior and self.shift is not None else value

    def right_inverse(self, value: Tensor) -> Tensor:
        return (value - self.start) / self.deviation


def parameters_of(model: FlowModel, observation: ObservationModel, config: Config) -> dict[str, tuple]:
    """What is solved for, by name: the module that has it and the parameter's name there."""
    off = effects_off(config.effects)
    return {**{f"model.{k}": (model, k) for k in EFFECTS if k not in off},
            **{f"observation.{k}": (observation, k) for k in ERRORS if getattr(observation, k).numel()}}


@torch.no_grad()
def values_of(member: Member) -> dict[str, Tensor]:
    """All parameters but the cell's, by name, on the CPU, copied."""
    return {**{f"model.{k}": getattr(member.model, k).detach().cpu().clone() for k in EFFECTS},
            **{f"observation.{k}": getattr(member.observation, k).detach().cpu().clone() for k in ERRORS}}


@torch.no_grad()
def set_values(member: Member, values: dict[str, Tensor]) -> None:
    """Put parameters, as ``values_of`` gives them, in place."""
    for name, value in values.items():
        part, key = name.split(".", 1)
        getattr(getattr(member, part), key).copy_(value)


def loss_terms(model: FlowModel, observation: ObservationModel, config: Config, set_prior: Callable[[bool], None]):
    """Negative log posterior by term, nats; priors of effects are evaluated less their perturbation."""
    terms = observation.terms(model())
    set_prior(True)
    try:
        return {**terms, **effect_terms(model, config.effects)}
    finally:
        set_prior(False)


@contextmanager
def perturbed(member: Member, perturbation: Perturbation | None):
    """Within, the observation model holds perturbed data, and the cell says what the draw adds."""
    if perturbation is None:
        yield
        return
    model, observation = member.model, member.observation
    if model.systematic is None:
        model.read_covariates()
    data = {name: getattr(observation, name) for name in perturbation.data}
    said = model.systematic
    for name, value in perturbation.data.items():
        setattr(observation, name, value)
    model.systematic = said + perturbation.said
    try:
        yield
    finally:
        for name, value in data.items():
            setattr(observation, name, value)
        model.systematic = said


def curvature(member: Member, config: Config, seed: int, draws: int = CURVATURES) -> dict[str, Tensor]:
    """Diagonal of the Hessian at the member's parameters, by name: mean square of the gradient over perturbations,
    less the gradient of what was observed."""
    chosen = parameters_of(member.model, member.observation, config)
    with torch.no_grad():
        run = member.model()

    def gradient(perturbation: Perturbation | None) -> dict[str, Tensor]:
        with _solving(member, config, perturbation, None) as (leaves, set_prior), perturbed(member, perturbation):
            loss = sum(loss_terms(member.model, member.observation, config, set_prior).values())
            found = torch.autograd.grad(SCALE * loss, list(leaves.values()), allow_unused=True)
        return {k: torch.zeros_like(v) if g is None else g / SCALE for (k, v), g in zip(leaves.items(), found)}

    observed, total = gradient(None), {}
    for k in range(draws):
        drawn = gradient(perturb(member.model, member.observation, run, config.effects, (seed, k)))
        for name in chosen:
            total[name] = total.get(name, 0.0) + (drawn[name] - observed[name]) ** 2 / draws
    return total


def deviations_of(curvatures: dict[str, Tensor]) -> dict[str, Tensor]:
    """Conditional posterior deviations of the parameters: the root of one over the curvature.

    A few gradients tell a curvature roughly; none is taken for less than a tenth of its kind's median.
    """
    out = {}
    for name, value in curvatures.items():
        value = torch.maximum(value, 0.1 * value.median())
        out[name] = (1 / torch.sqrt(value.clamp(min=1e-12))).clamp(NARROWEST, WIDEST)
    return out


@contextmanager
def _solving(member: Member, config: Config, perturbation: Perturbation | None,
             deviations: dict[str, Tensor] | None):
    """Within, parameters are units around where they are. Yields the units by name, and a switch for the priors."""
    chosen = parameters_of(member.model, member.observation, config)
    leaves, parts = {}, []
    for p in (*member.model.parameters(), *member.observation.parameters()):
        p.requires_grad_(False)
    for name, (module, key) in chosen.items():
        value = getattr(module, key).detach().clone()
        drawn = None if perturbation is None else (perturbation.effects if module is member.model
                                                   else perturbation.errors)[key]
        if drawn is not None and module is member.observation:
            value = value - drawn       # its perturbation is in the data; see `perturb`
        with torch.no_grad():
            getattr(module, key).copy_(value)
        scale = torch.ones_like(value) if deviations is None else deviations[name].to(value)
        part = _Standard(value, scale, drawn if module is member.model else None)
        parametrize.register_parametrization(module, key, part)
        leaves[name] = module.parametrizations[key].original.requires_grad_(True)
        parts.append((module, key, part, drawn))

    def set_prior(on: bool) -> None:
        for _, _, part, _ in parts:
            part.of_prior = on

    try:
        yield leaves, set_prior
    finally:
        for module, key, _, drawn in parts:
            parametrize.remove_parametrizations(module, key, leave_parametrized=True)
            if drawn is not None and module is member.observation:
                with torch.no_grad():
                    getattr(module, key).add_(drawn)
        for p in (*member.model.parameters(), *member.observation.parameters()):
            p.requires_grad_(True)


def solve(member: Member, config: Config, perturbation: Perturbation | None, deviations: dict[str, Tensor], *,
          epochs: int, rate: float, betas: tuple[float, float] = BETAS, title: str = "mode",
          progress: bool = False) -> Solution:
    """Move the member's effects, biases and errors from where they are to the mode, in place.

    Parameters
    ----------
    perturbation : of data and priors; None for what was observed.
    deviations : of the parameters (``deviations_of``).
    epochs, rate : steps of Adam, and the largest, in deviations; it rises and falls in one cycle.
    betas : of Adam.

    Raises
    ------
    DivergenceError
        When the loss is not finite.
    """
    started, losses = time.perf_counter(), []
    with _solving(member, config, perturbation, deviations) as (leaves, set_prior), perturbed(member, perturbation):
        optimiser = torch.optim.Adam(list(leaves.values()), lr=rate, betas=betas, eps=1e-12)
        course = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=epochs + 1, pct_start=0.1,
                                                     cycle_momentum=False, final_div_factor=100)
        for epoch in tqdm(range(epochs), desc=title, unit="epoch", disable=not progress, ncols=100, mininterval=2):
            optimiser.zero_grad(set_to_none=True)
            loss = torch.stack(list(loss_terms(member.model, member.observation, config, set_prior).values())).sum()
            losses.append(float(loss.detach()))
            check_loss(losses[-1], epoch, config.seed)
            (SCALE * loss).backward()
            optimiser.step()
            course.step()
    return Solution(np.array(losses), time.perf_counter() - started)
