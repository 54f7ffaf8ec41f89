"""The factorised recurrent stock–flow network: hazards from the cell, bookkeeping from accounting, year after year."""
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from ..config import ModelConfig
from ..panel.features import Features
from . import accounting
from .network import PairCell

BLOCK = 9  # years between two visits of the cell to a pair that never holds a stock (see features.active_pairs)


class Trajectory(NamedTuple):
    """What a run predicts, persons. N territories, Y years."""

    flow: Tensor        # [Y, origin, destination]
    arrivals: Tensor    # [Y, birthplace, destination], from anywhere
    departures: Tensor  # [Y, birthplace, origin], to anywhere
    stock: Tensor       # [Y + 1, birthplace, residence], on 1 January


class FlowModel(nn.Module):
    """Cell, features, initial stock and demography of one panel.

    Everything but the cell's weights is a buffer that is not saved: weights alone, with the panel, restore the model.
    """

    def __init__(self, features: Features, panel: xr.Dataset, config: ModelConfig):
        super().__init__()
        n, years = panel.sizes["residence"], panel.sizes["year"]
        self.n, self.years = n, years
        self.account = accounting.step  # training may put a compiled one in its place
        pair_features = features.static.shape[-1] + features.dynamic.shape[-1] + 2
        self.cell = PairCell(features.unilateral.shape[-1], pair_features, n,
                             hidden=config.hidden, width=config.width, embedding=config.embedding)

        # What features do not say about a pair: a tie between two territories (native and back hazards of both
        # directions) and an effect of the direction (native, back, onward). Shrunk by witnesses.EFFECT_RIDGE.
        off = ~np.eye(n, dtype=bool)
        self.tie = nn.Parameter(torch.zeros(int(features.active.sum()) // 2))
        self.direction = nn.Parameter(torch.zeros(int(features.active.sum()), 3))
        often, seldom = (np.flatnonzero(off & chosen) for chosen in (features.active, ~features.active))
        diagonal = np.arange(n) * (n + 1)
        buffers = {
            "unilateral": features.unilateral,
            "births": panel.births.values.astype(np.float32),
            "death_rate": (panel.deaths.values / panel.population.values[:-1]).astype(np.float32),
            "stock_initial": panel.stock_initial.values.astype(np.float32),
            # hazards come as [often; seldom; diagonal] rows and go back to their cells by this permutation
            "diagonal": ~off,
            "tie_of": _unordered(often, n),
            "place": np.argsort(np.concatenate([often, seldom, diagonal])),
            "diagonal_hazards": np.zeros((n, 4), np.float32),
        }
        for kind, flat, chosen in (("often", often, slice(None)), ("seldom", seldom, slice(BLOCK // 2, None, BLOCK))):
            a, b = np.divmod(flat, n)
            dynamic = features.dynamic[chosen].reshape(-1, n * n, features.dynamic.shape[-1])
            if kind == "seldom" and len(dynamic) < -(-years // BLOCK):
                dynamic = np.concatenate([dynamic, features.dynamic[-1:].reshape(1, n * n, -1)])
            static = np.broadcast_to(features.static.reshape(n * n, -1)[flat], (len(dynamic), len(flat),
                                                                               features.static.shape[-1]))
            buffers |= {f"{kind}_origin": a, f"{kind}_destination": b, f"{kind}_flat": flat, f"{kind}_back": b * n + a,
                        f"{kind}_pair": np.concatenate([static, dynamic[:, flat]], -1)}
        for name, value in buffers.items():
            self.register_buffer(name, torch.as_tensor(np.ascontiguousarray(value)), persistent=False)

    def forward(self, unilateral: Tensor | None = None) -> Trajectory:
        """Run all years. ``unilateral`` replaces the features of territories (to hide some during training)."""
        unilateral = self.unilateral if unilateral is None else unilateral
        flows, arrivals, departures, stocks = [], [], [], [self.stock_initial]
        for t, hazards in self._years(unilateral, lambda: stocks[-1]):
            step = self.account(stocks[-1], hazards, self.births[t], self.death_rate[t], self.diagonal)
            flows.append(step.flow)
            arrivals.append(step.arrivals)
            departures.append(step.departures)
            stocks.append(step.stock_next)
        return Trajectory(*(torch.stack(x) for x in (flows, arrivals, departures, stocks)))

    @torch.no_grad()
    def year(self, position: int) -> tuple[Tensor, accounting.Hazards]:
        """Stock on 1 January [birthplace, residence] and log-hazards of one year, by its position.

        From these the flows of any birthplace, origin or destination follow on demand, without the N³ table:
        ``accounting.flow_by_birthplace(stock, hazards, model.death_rate[position], birthplace=i)``.

        Raises
        ------
        IndexError
            For a position outside the years of the panel.
        """
        if not 0 <= position < self.years:
            raise IndexError(f"year position {position} is outside 0–{self.years - 1}")
        return next(islice(self.walk(), position, None))

    @torch.no_grad()
    def walk(self) -> Iterator[tuple[Tensor, accounting.Hazards]]:
        """Stock on 1 January and log-hazards (see `year`) of every year in order."""
        stocks = [self.stock_initial]
        for t, hazards in self._years(self.unilateral, lambda: stocks[-1]):
            yield stocks[-1], hazards
            stocks.append(self.account(stocks[-1], hazards, self.births[t], self.death_rate[t],
                                       self.diagonal).stock_next)

    def _years(self, unilateral, current):
        """Yield (year position, hazards) in order; ``current()`` gives the stock on 1 January of that year."""
        often = torch.zeros(len(self.often_flat), self.cell.hidden, device=self.births.device)
        seldom = torch.zeros(len(self.seldom_flat), self.cell.hidden, device=self.births.device)
        tie = self.tie.index_select(0, self.tie_of)
        effects = torch.stack([tie + self.direction[:, 0], tie + self.direction[:, 1], self.direction[:, 2],
                               torch.zeros_like(tie)], 1)
        for t in range(self.years):
            tables = self.cell.territories(unilateral[t])
            log_stock = torch.log1p(current()).reshape(-1, 1) / 5
            if t % BLOCK == 0 and len(seldom):
                quiet, seldom = self._visit("seldom", t // BLOCK, tables, log_stock, seldom)
            elif t == 0:
                quiet = self.diagonal_hazards[:0]
            lively, often = self._visit("often", t, tables, log_stock, often)
            lively = lively + effects
            rows = torch.cat([lively, quiet, self.diagonal_hazards]).index_select(0, self.place)
            yield t, accounting.Hazards(*rows.reshape(self.n, self.n, 4).unbind(-1))

    def _visit(self, kind, position, tables, log_stock, memory):
        get = lambda name: getattr(self, f"{kind}_{name}")  # noqa: E731
        # index_select, not [...]: its gradient is an ordered sum of rows, faster and the same in every run
        stocks = torch.cat([log_stock.index_select(0, get("flat")), log_stock.index_select(0, get("back"))], 1)
        origin, destination = tables
        return self.cell(origin.index_select(0, get("origin")), destination.index_select(0, get("destination")),
                         get("pair")[position], stocks, memory)


def _unordered(flat: np.ndarray, n: int) -> np.ndarray:
    """Number of the unordered pair of each ordered one, given as flat positions; both directions share it."""
    a, b = np.divmod(flat, n)
    return np.unique(np.minimum(a, b) * n + np.maximum(a, b), return_inverse=True)[1]
