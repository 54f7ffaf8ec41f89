"""What all corridors of a territory must add up to: its net migration, the growth of its stocks, reconstructed flows.

Reports come from few offices, and a cell that reads nothing else says anything at all about the rest of the world.
Every territory has these balances, in every year. With counted stocks in place of the model's own (as in histories.py)
they need no recursion: a handful of territories teaches in one step.
"""
from typing import TYPE_CHECKING

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from ..panel.features import own_reconstruction, stock_course
from .witnesses import signed_sqrt

if TYPE_CHECKING:
    from .histories import Histories


class Balances:
    """Net migration, stock growth and reconstructions of a panel, against what the cell reads from covariates.

    Parameters
    ----------
    histories : reads corridors with counted stocks; its witnesses' settings weigh the terms here too.
    panel : what they were built from.
    corridors : [origin, destination] bool, corridors whose reconstructions may be learned from.
    """

    def __init__(self, histories: "Histories", panel: xr.Dataset, corridors: np.ndarray):
        self.histories, self.model, self.config = histories, histories.model, histories.witnesses.config

        def keep(x):
            return torch.as_tensor(np.ascontiguousarray(x, np.float32), device=self.model.births.device)

        self.everyone = torch.arange(self.model.n, device=self.model.births.device)
        stock, growth, unknown = stock_course(panel)
        counted = ~unknown & ~np.eye(self.model.n, dtype=bool)
        self.stock, self.growth, self.counted = keep(stock), keep(growth), keep(counted)
        self.growth_spread = float(signed_sqrt(self.growth[:, self.counted > 0]).var()) if counted.any() else 1.0
        # Before the first count and after the last one stocks stand still in stock_course, which nobody observed.
        year, count = panel.year.values, panel.stock_year.values
        self.between_counts = keep((year >= count.min()) & (year < count.max()))
        net = panel.net_migration.values
        self.net, self.net_known = keep(np.nan_to_num(net)), keep(np.isfinite(net))
        self.net_spread = float(signed_sqrt(self.net[self.net_known > 0]).var()) if np.isfinite(net).any() else 1.0
        rebuilt = own_reconstruction(panel)
        self.rebuilt = None if rebuilt is None or not self.config.reconstruction else keep(rebuilt)
        if self.rebuilt is not None:
            self.learnable, period = keep(corridors), panel.period.values
            self.in_period = keep((year >= period.min()) & (year < period.max() + 5))
            values = self.rebuilt[:, self.learnable > 0]
            self.rebuilt_spread = float(values.sqrt().var()), float(torch.log1p(values).var())

    def loss_of_years(self, t: Tensor, c: Tensor, unilateral: Tensor) -> Tensor:
        """Loss of the balances of territories c in years t, positions [rows], read without memory."""
        n = self.model.n
        year, here, there = t.repeat_interleave(n), c.repeat_interleave(n), self.everyone.repeat(len(t))
        out, back = (self.histories.moves_in_years(year, a, b, unilateral).unflatten(0, (len(t), n))
                     for a, b in ((here, there), (there, here)))
        return self.loss(out, back, t, c)

    def loss_of_histories(self, c: Tensor, unilateral: Tensor) -> Tensor:
        """Loss of the balances of territories c, positions [rows], in all years, read with memory."""
        n, years = self.model.n, self.model.years
        here, there = c.repeat_interleave(n), self.everyone.repeat(len(c))
        out, back = (self.histories.moves_in_histories(a, b, unilateral).unflatten(1, (len(c), n)).flatten(0, 1)
                     for a, b in ((here, there), (there, here)))
        return self.loss(out, back, torch.arange(years, device=c.device).repeat_interleave(len(c)), c.repeat(years))

    def loss(self, out: Tensor, back: Tensor, t: Tensor, c: Tensor) -> Tensor:
        """Distance of balances from what was counted.

        Parameters
        ----------
        out, back : [rows, N, 3] persons who move from territory c to each other one, and from each to c: natives of
            where they leave, those who return, others. The entries of c itself count for nothing.
        t, c : [rows] positions of year and territory.
        """
        others = torch.ones(out.shape[:2], device=out.device).scatter_(1, c.unsqueeze(1), 0.0)
        out, back = out * others.unsqueeze(2), back * others.unsqueeze(2)
        come, go = back.sum((1, 2)), out.sum((1, 2))
        error = _relative(come, go, self.net[t, c])
        loss = self.config.net_migration * _mean(error, self.net_known[t, c]) / self.net_spread
        death, between = self.model.death_rate[t], self.between_counts[t].unsqueeze(1)
        # Born in c living elsewhere, and born elsewhere living in c; those who move on are left out, few as they are.
        for come, go, stock, growth, counted, rate in (
                (out[..., 0], back[..., 1], self.stock[t, c], self.growth[t, c], self.counted[c], death),
                (back[..., 0], out[..., 1], self.stock[t, :, c], self.growth[t, :, c], self.counted[:, c].T,
                 death.gather(1, c.unsqueeze(1)))):
            error = _relative(come, go + rate * stock, growth)
            loss = loss + 0.5 * self.config.stock_difference * _mean(error, counted * between) / self.growth_spread
        loss = self.config.balances * loss
        if self.rebuilt is not None:
            for flow, rebuilt, known in ((out, self.rebuilt[t, c], self.learnable[c]),
                                         (back, self.rebuilt[t, :, c], self.learnable[:, c].T)):
                flow, known = flow.sum(2), known * self.in_period[t].unsqueeze(1)
                root = (torch.sqrt(flow + 0.1) - torch.sqrt(rebuilt)) ** 2 / self.rebuilt_spread[0]
                log = (torch.log1p(flow) - torch.log1p(rebuilt)) ** 2 / self.rebuilt_spread[1]
                loss = loss + 0.25 * self.config.reconstruction * _mean(root + log, known)
        return loss


def _relative(come: Tensor, go: Tensor, observed: Tensor) -> Tensor:
    """Squared error of a difference over what its variance would be if both were counts (Skellam): their sum.

    Without it, the easiest way to a right difference would be to make both sides small.
    """
    return (come - go - observed) ** 2 / (come + go + observed.abs() + 1).detach()


def _mean(x: Tensor, known: Tensor) -> Tensor:
    return (x * known).sum() / known.sum().clamp(min=1.0)
