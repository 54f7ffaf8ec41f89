"""What all corridors of a territory must add up to: its net migration, the growth of its stocks.

Reports come from few offices, and a cell that reads nothing else says anything at all about the rest of the world.
Every territory has these balances, in every year. With counted stocks in place of the model's own (as in histories.py)
they need no recursion: a handful of territories teaches in one step.
"""
from typing import TYPE_CHECKING

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from ..panel.features import QUIET, stock_course
from .observation import student

if TYPE_CHECKING:
    from .histories import Histories


# Deviation of log(1 + natives who move in a year) of a pair that never holds more than QUIET migrants: the root mean
# square of the log of what offices that miss few reported of such pairs while their tables held zeros, to 2013.
FEW = 2.0


class Balances:
    """Net migration and stock growth of a panel, against what the cell reads from covariates.

    A census errs for all origins of a territory together, so that each territory's growth counts as one datum a year,
    however many pairs it is about. Most pairs of the world never hold more than a handful of migrants. Offices leave
    them out of their tables in most years; a table of what is in them says nothing of how few move there, and the
    network would take them for the smallest of the pairs it was shown. They count as one further datum.

    Parameters
    ----------
    histories : reads corridors with counted stocks.
    panel : what they were built from.
    """

    def __init__(self, histories: "Histories", panel: xr.Dataset):
        self.histories, self.model = histories, histories.model

        def keep(x):
            return torch.as_tensor(np.ascontiguousarray(x, np.float32), device=self.model.births.device)

        self.everyone = torch.arange(self.model.n, device=self.model.births.device)
        stock, growth, unknown = stock_course(panel)
        counted = ~unknown & ~np.eye(self.model.n, dtype=bool)
        self.stock, self.growth, self.counted = keep(stock), keep(growth), keep(counted)
        self.few = keep((stock.max(0) <= QUIET) & ~np.eye(self.model.n, dtype=bool))
        # Before the first count and after the last one stocks stand still in stock_course, which nobody observed.
        year, count = panel.year.values, panel.stock_year.values
        self.between_counts = keep((year >= count.min()) & (year < count.max()))
        net = panel.net_migration.values
        self.net, self.net_known = keep(np.nan_to_num(net)), keep(np.isfinite(net))

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
        """Negative log likelihood of all territories' balances, nats, from those of some.

        Parameters
        ----------
        out, back : [rows, N, 3] persons who move from territory c to each other one, and from each to c: natives of
            where they leave, those who return, others. The entries of c itself count for nothing.
        t, c : [rows] positions of year and territory.
        """
        others = torch.ones(out.shape[:2], device=out.device).scatter_(1, c.unsqueeze(1), 0.0)
        out, back = out * others.unsqueeze(2), back * others.unsqueeze(2)
        net, growth_deviation = torch.exp(self.histories.observation.log_balance_scatter)
        come, go = back.sum((1, 2)), out.sum((1, 2))
        loss = _mean(_nats(come, go, self.net[t, c], net), self.net_known[t, c])
        death, between = self.model.death_rate[t], self.between_counts[t].unsqueeze(1)
        # Born in c living elsewhere, and born elsewhere living in c; those who move on are left out, few as they are.
        for come, go, stock, growth, counted, few, rate in (
                (out[..., 0], back[..., 1], self.stock[t, c], self.growth[t, c], self.counted[c], self.few[c], death),
                (back[..., 0], out[..., 1], self.stock[t, :, c], self.growth[t, :, c], self.counted[:, c].T,
                 self.few[:, c].T, death.gather(1, c.unsqueeze(1)))):
            nats = _nats(come, go + rate * stock, growth, growth_deviation)
            loss = loss + _mean(nats, counted * between) + _mean(student(torch.log1p(come) / FEW), few)
        return loss * (self.model.years * self.model.n)


def _nats(come: Tensor, go: Tensor, observed: Tensor, deviation: Tensor) -> Tensor:
    """Negative log likelihood of a difference: its variance is what it would be if both were counts (Skellam), their
    sum, times the square of a deviation that is learned.

    With a variance that does not grow with them, the easiest way to a right difference would be to make both sides
    small.
    """
    variance = (come + go + observed.abs() + 1).detach() * deviation**2
    return student((come - go - observed) / torch.sqrt(variance)) + 0.5 * torch.log(variance)


def _mean(x: Tensor, known: Tensor) -> Tensor:
    return (x * known).sum() / known.sum().clamp(min=1.0)
