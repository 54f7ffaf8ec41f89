"""The factorised stock–flow recursion: hazards from the cell and its effects, bookkeeping from accounting, by years.

A log-hazard has two parts. The systematic one is what the recurrent cell says from covariates (network.py, trained by
histories.py). The other is a set of effects, with priors around none (effects.py), that bring what covariates
do not know: that a pair has a tie or a direction more than expected, that a corridor runs high between two counts of
stocks, that in one year more people than usual move to or from a territory.
"""
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from ..config import ModelConfig
from ..panel.features import Features
from ..panel.reported_totals import displaced_moves
from . import accounting
from .courses import neighbours_of_courses
from .network import PairCell

ONWARD_START = 1.0    # log of how much more than natives the foreign-born of a territory tend to move on
DISPLACED_FROM = 300  # displaced people who came, or returned, in a year: so many bound a flow, and may be a shock
SHOCK_UNIT = 4.0      # of an effect of a shock in its parameter: gradient steps are of one size, and a war is far away
AFFINITY_START = 0.5  # share of a birthplace's particular leaning to a destination that those who moved elsewhere keep


class Trajectory(NamedTuple):
    """What a run predicts, persons. N territories, Y years."""

    flow: Tensor        # [Y, origin, destination]
    arrivals: Tensor    # [Y, birthplace, destination], from anywhere
    departures: Tensor  # [Y, birthplace, origin], to anywhere
    stock: Tensor       # [Y + 1, birthplace, residence], on 1 January


class FlowModel(nn.Module):
    """Cell, effects, features, initial stock and demography of one panel.

    Everything but the weights and effects is a buffer that is not saved: these, the panel, and where the model learned
    from reports restore it.

    Parameters
    ----------
    features, panel : what the cell reads, and the demography.
    config : sizes.
    reported : [year, origin, destination] bool, where there is a report to learn from. Only there do single years
        have an effect. Only natives of pairs that are ever reported have a lasting one, and only they teach the
        ties: where nobody reports, stocks and reconstructions would decide about both, and measured on unseen corridors
        they decide badly. Returns may differ everywhere: stocks ask for it.
    busy : [origin, destination] bool, pairs of which a large report is learned from: they have effects even where no
        stock is counted.
    """

    def __init__(self, features: Features, panel: xr.Dataset, config: ModelConfig, reported: np.ndarray,
                 busy: np.ndarray | None = None):
        super().__init__()
        n, years = panel.sizes["residence"], panel.sizes["year"]
        self.n, self.years = n, years
        self.advance = advance          # training may put a compiled one in its place
        self.cell = PairCell(features.unilateral.shape[-1], features.static.shape[-1] + features.dynamic.shape[-1], n,
                             hidden=config.hidden, width=config.width, embedding=config.embedding)
        self.onward_level = nn.Parameter(torch.tensor(ONWARD_START))
        self.affinity_slope = nn.Parameter(torch.tensor(AFFINITY_START))
        # Of pairs: a tie between two territories (natives leaving and migrants returning, both directions) and an
        # effect of the direction (natives, returns, onward moves).
        active = features.active if busy is None else features.active | busy | busy.T
        pairs = int(active.sum())
        self.tie = nn.Parameter(torch.zeros(pairs // 2))
        self.direction = nn.Parameter(torch.zeros(pairs, 3))
        # Of times: a wave of a corridor between two counts of stocks (natives leave more often and return less); a year
        # in which more people than usual move to and from a territory (turnover), or to it and not from it (balance).
        # Net migration tells of the balance alone, so the two are apart.
        self.wave_share = _shares_of_periods(panel)
        self.wave = nn.Parameter(torch.zeros(self.wave_share.shape[1], pairs))
        # Who reports a corridor tells of its single years, too; years without a report follow those beside them.
        flat = np.flatnonzero(active)
        told_in = reported.reshape(years, -1)[:, flat]
        course = neighbours_of_courses(told_in)
        self.course = nn.Parameter(torch.zeros(int(told_in.sum())))
        shocked = shocked_years(panel).reshape(years, -1)[:, flat]
        self.turnover = nn.Parameter(torch.zeros(years, n))
        self.balance = nn.Parameter(torch.zeros(years, n))
        # Of a territory in a year, on its moves to and from all those with which it has no effect of the pair: one such
        # pair says next to nothing, all together do.
        self.scarce = nn.Parameter(torch.zeros(years, n))

        everywhere = np.full(n * n, pairs)   # a pair without effects reads a row of zeros
        everywhere[flat] = np.arange(pairs)
        for name, value in {
            "unilateral": features.unilateral, "static": features.static, "dynamic": features.dynamic,
            "births": panel.births.values.astype(np.float32),
            "death_rate": (panel.deaths.values / panel.population.values[:-1]).astype(np.float32),
            "stock_initial": panel.stock_initial.values.astype(np.float32),
            "reported": told_in.any(0).astype(np.float32), "told_in": told_in,
            "reported_in": reported.reshape(-1),
            **{f"course_{k}": v for k, v in course.items()}, "course_shocked": shocked.T[told_in.T],
            "diagonal": np.eye(n, dtype=bool), "place": everywhere,
            "scarce_pairs": (everywhere == pairs).reshape(n, n).astype(np.float32), "tie_of": _unordered(flat, n),
            "reverse": np.searchsorted(flat, flat % n * n + flat // n),
        }.items():
            self.register_buffer(name, torch.as_tensor(np.ascontiguousarray(value)), persistent=False)
        self.register_buffer("systematic", None, persistent=False)

    @torch.no_grad()
    def read_covariates(self) -> Tensor:
        """Let the cell read all pairs and years, and keep what it says: log-hazards [Y, origin, destination, 2]."""
        said = []
        everyone = torch.arange(self.n, device=self.births.device)
        for a in range(self.n):   # by origin, so that memory stays small
            pair = torch.cat([self.static[a].expand(self.years, -1, -1), self.dynamic[:, a]], 2)
            said.append(self.cell(self.unilateral, pair, torch.full_like(everyone, a), everyone))
        self.systematic = torch.stack(said, 1)
        return self.systematic

    def forward(self) -> Trajectory:
        """Run all years from the initial stock."""
        flows, arrivals, departures, stocks = [], [], [], [self.stock_initial]
        for t, parts in enumerate(self._parts()):
            step = self.advance(stocks[-1], parts, self.births[t], self.death_rate[t], self.diagonal)
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
        stock = self.stock_initial
        for t, hazards in self._years():
            yield stock, hazards
            stock = accounting.step(stock, hazards, self.births[t], self.death_rate[t], self.diagonal).stock_next

    def _years(self) -> Iterator[tuple[int, accounting.Hazards]]:
        """Yield (year position, hazards) in order."""
        for t, parts in enumerate(self._parts()):
            yield t, hazards_of(*parts)

    def _parts(self) -> Iterator[tuple[Tensor, ...]]:
        """Arguments of ``hazards_of`` for each year in order.

        What all years share is worked out for all of them at once: a gradient that is added up year by year over
        tables of all years costs more than the bookkeeping.
        """
        if self.systematic is None:
            self.read_covariates()
        tie = self.tie.index_select(0, self.tie_of)
        tie = torch.where(self.reported > 0, tie, tie.detach())
        wave = torch.as_tensor(self.wave_share, dtype=self.wave.dtype, device=self.wave.device) @ self.wave
        course = self._course()
        native = tie + self.reported * self.direction[:, 0] + wave + course                        # [Y, pair]
        back = tie + self.direction[:, 1] + course - wave.index_select(1, self.reverse)
        # A pair without effects reads a zero.
        native, back, further = (torch.nn.functional.pad(x, (0, 1)).index_select(-1, self.place) for x in (
            native, back, self.reported * self.direction[:, 2]))
        square = self.n, self.n
        further = further.reshape(square)
        scarce = self.scarce_pairs * (self.scarce.unsqueeze(2) + self.scarce.unsqueeze(1))
        return ((*both, *said, further, turnover, balance, self.onward_level, self.affinity_slope)
                for both, said, turnover, balance in zip(
                    zip((native.unflatten(1, square) + scarce).unbind(0), back.unflatten(1, square).unbind(0)),
                    (said.unbind(-1) for said in self.systematic.unbind(0)),
                    self.turnover.unbind(0), self.balance.unbind(0)))

    def course_effect(self) -> Tensor:
        """Effects of single years of pairs, [K]; their parameters are in units that a shock is a few of."""
        return self.course * torch.where(self.course_shocked, SHOCK_UNIT, 1.0)

    def _course(self) -> Tensor:
        """Effect of single years on pairs [Y, pair]; only pairs with a report in a year teach their own."""
        known = torch.cat([self.course_effect(), self.course.new_zeros(1)])
        before, after = (known.index_select(0, x.reshape(-1)).reshape(x.shape)
                         for x in (self.course_before, self.course_after))
        between = (self.course_weight_before * before + self.course_weight_after * after).detach()
        return torch.where(self.told_in, before, between)


def hazards_of(native: Tensor, back: Tensor, native_said: Tensor, back_said: Tensor, further: Tensor, turnover: Tensor,
               balance: Tensor, onward_level: Tensor, affinity_slope: Tensor) -> accounting.Hazards:
    """Log-hazards of one year, from effects and from what the cell says.

    Parameters
    ----------
    native, back, further : effects of pairs [origin, destination].
    native_said, back_said : what the cell says [origin, destination].
    turnover, balance : effects of territories in the year [N].
    onward_level, affinity_slope : of those who were born elsewhere.
    """
    unusual = (turnover - balance).unsqueeze(1) + (turnover + balance)
    native = native + unusual + native_said
    back = back + unusual + back_said
    # Who was born elsewhere moves on to where natives go, and rather to where those born with them go.
    onward = native + further + onward_level
    affinity = affinity_slope * (native - native.mean(0))
    return accounting.Hazards(native, back, onward, affinity)


def advance(stock: Tensor, parts: tuple[Tensor, ...], births: Tensor, death_rate: Tensor,
            diagonal: Tensor) -> accounting.Step:
    """A year's hazards and bookkeeping in one, so that a compiler sees both."""
    return accounting.step(stock, hazards_of(*parts), births, death_rate, diagonal)


def shocked_years(panel: xr.Dataset) -> np.ndarray:
    """Where a corridor's year brings refugees, or takes them home, or follows such a year: its effect may be large.

    Returns
    -------
    bool [year, origin, destination]; nowhere in a panel without displaced people.
    """
    n = panel.sizes["origin"]
    if "displaced_flow" not in panel:
        return np.zeros((panel.sizes["year"], n, n), bool)
    many = displaced_moves(panel) > DISPLACED_FROM
    return many | np.concatenate([np.zeros_like(many[:1]), many[:-1]])


def _unordered(flat: np.ndarray, n: int) -> np.ndarray:
    """Number of the unordered pair of each ordered one, given as flat positions; both directions share it."""
    a, b = np.divmod(flat, n)
    return np.unique(np.minimum(a, b) * n + np.maximum(a, b), return_inverse=True)[1]


def _shares_of_periods(panel: xr.Dataset) -> np.ndarray:
    """Share of each year [Y, periods] that lies between one count of stocks (mid-year) and the next; rows sum to one.

    Years before the first count belong to the first period, years after the last to the last.
    """
    edges = panel.stock_year.values.astype(float) + 0.5
    edges[0], edges[-1] = -np.inf, np.inf
    start = panel.year.values[:, None].astype(float)
    return np.clip(np.minimum(start + 1, edges[1:]) - np.maximum(start, edges[:-1]), 0, 1)
