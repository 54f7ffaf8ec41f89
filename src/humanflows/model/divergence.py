"""When a training has gone astray: a loss that is no number or grows, steps that cannot be taken, a world on the move.

Each is an error. Weights of such a training would make estimates that look like any others.
"""
import math

import torch
from torch import Tensor

from ..errors import DivergenceError

SKIPPED = 5           # steps without finite gradients that a training may leave out
GROWTH = 2.0          # of the loss from the first epoch to the last: a training is to make it smaller
# Share of the world's people who move in a year. One in a hundred do; of a model that was not trained, a few in ten
# thousand.
LEAST, MOST = 1e-6, 0.25
CHECKED = 50          # steps from one look at the cell's loss to the next: on a GPU each look waits for the step
_REMEDY = ("use lower rates (train.learning_rate, train.cell_rate) and deviations nearer the defaults (observation, "
           "effects), which stand in src/humanflows/config.py")


def _fail(seed: int, problem: str, key: str) -> None:
    raise DivergenceError(f"training, seed {seed}", f"the training diverged: {problem}", _REMEDY, key=key)


def check_cell(loss: Tensor, step: int, steps: int, part: str, seed: int) -> None:
    """Raise DivergenceError for a loss of the cell that is not finite; only some steps, and the last, are looked at."""
    if (step % CHECKED == 0 or step == steps - 1) and not torch.isfinite(loss):
        _fail(seed, f"the loss is {float(loss):g}", f"step {step + 1} of the cell on {part}")


def check_loss(loss: float, epoch: int, seed: int) -> None:
    """Raise DivergenceError for a loss that is not finite; ``epoch`` from 0."""
    if not math.isfinite(loss):
        _fail(seed, f"the loss is {loss:g}", f"epoch {epoch + 1}")


def check_skipped(skipped: int, epochs: int, seed: int) -> None:
    """Raise DivergenceError for more than ``SKIPPED`` steps that could not be taken, or a quarter of few epochs."""
    if skipped > min(SKIPPED, epochs // 4):
        _fail(seed, f"{skipped} of {epochs} steps have no finite gradients; {min(SKIPPED, epochs // 4)} may be skipped",
              "gradients")


def check_course(losses: list[float], seed: int) -> None:
    """Raise DivergenceError when the loss of a finished training has grown ``GROWTH`` times from the first epoch."""
    if losses and losses[-1] > losses[0] + (GROWTH - 1) * abs(losses[0]):
        _fail(seed, f"the loss grew from {losses[0]:.4g} to {losses[-1]:.4g}", "loss")


def share_of_movers(flow: Tensor, stock: Tensor) -> tuple[float, float]:
    """The least and the greatest share of the world's people who move in a year.

    Parameters
    ----------
    flow : [year, origin, destination], persons.
    stock : [date, birthplace, residence], persons on 1 January, of all years and the one after.
    """
    share = flow.detach().sum((1, 2), dtype=torch.float64) / stock[:-1].detach().sum((1, 2), dtype=torch.float64)
    return float(share.amin()), float(share.amax())     # no number, if any of them is none


def check_movers(share: tuple[float, float] | None, seed: int | str) -> None:
    """Raise DivergenceError when fewer than ``LEAST`` or more than ``MOST`` move in a year, or nobody knows how many.

    ``share`` is as :func:`share_of_movers` has it; None, where nothing was run, is no error.
    """
    if share is not None and not (share[0] >= LEAST and share[1] <= MOST):
        _fail(seed, f"{share[0]:.3g} to {share[1]:.3g} of the world's people would move in a year", "world total")
