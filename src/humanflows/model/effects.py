"""Priors of the effects that a member has beside what covariates predict, in nats.

Effects of pairs last: a symmetric one of two territories, and one of each direction. Effects of times come and fade: an
autoregression of order one, whose innovations are heavy-tailed where a single year can bring what no year before did:
a war costs a few nats and no more. Deviations are settings (``config.EffectConfig``).
"""
import numpy as np
import torch
from torch import Tensor

from ..config import OFF, EffectConfig
from .courses import MEMORY
from .observation import student
from .recursion import AFFINITY_START, ONWARD_START, FlowModel

SHOCK_TAIL = 3.0      # degrees of freedom of innovations of a corridor's years
# Deviations that each effect has in the settings.
DEVIATIONS = {"tie": ("tie",), "direction": ("direction", "unreported"), "wave": ("wave",),
              "course": ("course", "shock"), "turnover": ("turnover",), "balance": ("balance",),
              "scarce": ("scarce",)}
SCALAR = 0.1          # deviation of the two numbers that say how those born elsewhere move on


def effects_off(config: EffectConfig) -> set[str]:
    """Effects that stay at none. Where tails are heavy a small deviation alone does not hold an effect: a hundred times
    the deviation costs a few nats, and reports are worth more."""
    return {name for name, keys in DEVIATIONS.items() if all(getattr(config, key) <= OFF for key in keys)}


def effect_terms(model: FlowModel, config: EffectConfig) -> dict[str, Tensor]:
    """Negative log priors of the effects, nats."""
    innovation = _innovations_of_courses(model)
    deviation = torch.where(model.course_shocked, config.shock, config.course)
    scalars = torch.stack([model.onward_level - ONWARD_START, model.affinity_slope - AFFINITY_START])
    return {
        "tie": 0.5 * ((model.tie / config.tie) ** 2).sum(),
        "direction": 0.5 * ((model.direction / _direction_deviation(model, config)) ** 2).sum(),
        "wave": student(model.wave / config.wave).sum(),
        "course": student(innovation / deviation, SHOCK_TAIL).sum(),
        "turnover": 0.5 * (_innovations(model.turnover / config.turnover) ** 2).sum(),
        "balance": student(_innovations(model.balance / config.balance)).sum(),
        "scarce": student(_innovations(model.scarce / config.scarce)).sum(),
        "scalars": 0.5 * ((scalars / SCALAR) ** 2).sum(),
    }


def _direction_deviation(model: FlowModel, config: EffectConfig) -> Tensor:
    """[pair, 3]: stocks alone say little about which way people went."""
    reported = model.reported.unsqueeze(1).expand(-1, 3)
    return torch.where(reported > 0, config.direction, config.unreported)


def _innovations(effect: Tensor) -> Tensor:
    """What is new in each year [Y, N] of an effect that fades to ``MEMORY`` of itself, scaled to the effect's own
    variance."""
    new = (effect[1:] - MEMORY * effect[:-1]) / np.sqrt(1 - MEMORY**2)
    return torch.cat([effect[:1], new])


def _innovations_of_courses(model: FlowModel) -> Tensor:
    """The same of corridors' years, [K]: what is new since the last known year has the more variance the longer ago
    that was."""
    gap, course = model.course_gap, model.course_effect()
    last = torch.where(gap > 0, torch.cat([course[:1], course[:-1]]), 0.0)
    return (course - MEMORY**gap * last) / torch.sqrt(torch.where(gap > 0, 1 - MEMORY ** (2 * gap), 1.0))
