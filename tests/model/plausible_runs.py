"""What tests of witnesses share: runs of plausible sizes, and the witnesses of a panel."""
import numpy as np
import torch

from humanflows.config import LossConfig
from humanflows.model.recursion import Trajectory
from humanflows.model.witnesses import Witnesses


def plausible(panel, seed=0) -> Trajectory:
    """A run of flows and stocks of many sizes."""
    years, n = panel.sizes["year"], panel.sizes["origin"]
    draw = np.random.default_rng(seed)
    off = ~np.eye(n, dtype=bool)
    flow = np.exp(draw.normal(6, 2, (n, n)) + draw.normal(0, 0.3, (years, n, n))) * off
    arrivals, departures = (np.exp(draw.normal(6, 2, (years, n, n))) for _ in range(2))
    stock = np.exp(draw.normal(9, 2, (n, n)) + draw.normal(0, 0.2, (years + 1, n, n)))
    return Trajectory(*(torch.as_tensor(x, dtype=torch.float32) for x in (flow, arrivals, departures, stock)))


def made(panel, mask, corridors, **weights) -> Witnesses:
    """Witnesses of a panel, with some weights of the loss changed."""
    return Witnesses(panel, mask, corridors, LossConfig(**weights))
