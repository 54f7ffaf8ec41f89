"""A trained member run under other inputs: other covariates, closed borders, years beyond those it learned from.

A log-hazard is what the cell says of covariates plus effects of corridors, territories and years (recursion.py). The
two come apart by subtraction, so nothing is trained again and no effect is taken apart:

- **covariates**: the cell reads the changed features with its memory, and hazards move by what it says more or less.
- **effects** stay as they were learned, for they are what a year was besides its covariates. Where they may not be
  known, beyond the last year or where a scenario gives up hindsight, they are expected to be what an autoregression of
  order one expects: from their value in the year before they fade, as ``courses.MEMORY`` says, to their own mean of the
  ten years before. (Fading to zero instead would take from a territory what sets it apart in every year.)
- **borders**: hazards of moves from j to k are multiplied by a factor. Those who do not leave stay and stand at risk
  of everything else; or a share of their exits goes to the other destinations of their cell in proportion to what
  draws them there.

All of it goes through one year's bookkeeping, so that nobody gets lost under any scenario.
"""
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from . import accounting
from .courses import MEMORY
from .recursion import FlowModel, Trajectory

MEAN_YEARS = 10     # years before, whose mean effect is what effects fade to
CHUNK = 10_000      # pairs that the cell reads at once


class Inputs(NamedTuple):
    """What a run is given. Y years from the panel's first, as many as are wanted; N territories.

    Features are on the scale of the panel that the member learned from. Only years from ``first`` on may differ.
    """

    unilateral: np.ndarray     # [Y, N, feature]
    dynamic: np.ndarray        # [Y, origin, destination, feature]
    births: np.ndarray         # [Y, residence] persons
    death_rate: np.ndarray     # [Y, residence] deaths per person of 1 January
    first: int                 # position of the first year that may differ
    forgotten: np.ndarray      # [origin, destination] bool: effects are unknown from `first` on
    border: np.ndarray         # [Y, origin, destination] factor on hazards of moves, but for returns; 1: as it was
    returns: np.ndarray        # [Y, origin, destination] factor on hazards of going home from origin to destination
    elsewhere: float           # share, 0 to 1, of exits lost at a border that go to other destinations


@torch.no_grad()
def run(model: FlowModel, given: Inputs | None = None) -> Trajectory:
    """Run a member over the years of the inputs; without inputs over its own years, as ``FlowModel.forward``.

    Parameters
    ----------
    model : trained, on its own panel.
    given : the inputs of the scenario.

    Returns
    -------
    Trajectory in persons. Years before ``given.first`` are the member's own to the last bit, and so are all years when
    nothing differs. Births, deaths and moves account for every person in each year.
    """
    known = [hazards for _, hazards in model.walk()]
    if given is None:
        given = unchanged(model)
    shift = _Shift(model, known, given)
    stock, records = model.stock_initial, []
    births, death_rate = (torch.as_tensor(np.ascontiguousarray(x, np.float32), device=stock.device)
                          for x in (given.births, given.death_rate))
    stocks = [stock]
    for t in range(len(given.births)):
        hazards = known[t] if t < given.first else shift(t)
        if t < given.first:
            step = accounting.step(stock, hazards, model.births[t], model.death_rate[t], model.diagonal)
        else:
            step = step_past_borders(stock, hazards, births[t], death_rate[t], given.border[t], given.returns[t],
                                     given.elsewhere, model.diagonal)
        stock = step.stock_next
        stocks.append(stock)
        records.append((step.flow, step.arrivals, step.departures))
    return Trajectory(*(torch.stack(x) for x in (*zip(*records), stocks)))


def unchanged(model: FlowModel) -> Inputs:
    """The inputs that the member itself was given."""
    pairs = (model.years, model.n, model.n)
    return Inputs(model.unilateral.cpu().numpy(), model.dynamic.cpu().numpy(), model.births.cpu().numpy(),
                  model.death_rate.cpu().numpy(), model.years, np.zeros(pairs[1:], bool),
                  np.ones(pairs, np.float32), np.ones(pairs, np.float32), 0.0)


class _Shift:
    """Hazards of a year under other inputs, from those of a known year and what the cell and effects differ by."""

    def __init__(self, model: FlowModel, known: list[accounting.Hazards], given: Inputs):
        self.model, self.known, self.first = model, known, given.first
        self.read, self.changed = _read_again(model, given)
        since = np.where(given.forgotten, given.first, model.years)
        self.since = torch.as_tensor(since, device=model.births.device)
        # Effects of the year before they are forgotten, and their mean before; [origin, destination, native | back].
        self.before, self.mean = torch.zeros(2, model.n, model.n, 2, device=model.births.device)
        for start in np.unique(since):
            if start == 0:
                continue
            here = (self.since == int(start)).unsqueeze(-1)
            span = torch.stack([self._effects(t) for t in range(max(0, int(start) - MEAN_YEARS), int(start))])
            self.before = torch.where(here, span[-1], self.before)
            self.mean = torch.where(here, span.mean(0), self.mean)

    def _effects(self, t: int) -> Tensor:
        hazards, said = self.known[t], self.model.systematic[t]
        return torch.stack([hazards.native, hazards.back], -1) - said

    def __call__(self, t: int) -> accounting.Hazards:
        at = min(t, self.model.years - 1)
        hazards, said = self.known[at], self.model.systematic[at]
        now = said.flatten(0, 1).clone()
        now[self.changed] = self.read[t]
        shift = now.unflatten(0, said.shape[:2]) - said
        age = t - self.since + 1
        if (age > 0).any():
            fade = MEMORY ** age.clamp(min=0).unsqueeze(-1)
            expected = self.mean + fade * (self.before - self.mean)
            shift = shift + torch.where((age > 0).unsqueeze(-1), expected - self._effects(at), 0.0)
        native, back = shift.unbind(-1)
        return accounting.Hazards(hazards.native + native, hazards.back + back, hazards.onward + native,
                                  hazards.affinity + self.model.affinity_slope * (native - native.mean(0)))


def _read_again(model: FlowModel, given: Inputs) -> tuple[Tensor, Tensor]:
    """What the cell says of pairs whose features differ, [Y, pair, 2], and which pairs these are, flat positions."""
    n, years, device = model.n, len(given.births), model.births.device
    differs = np.ones((n, n), bool)
    if years == model.years:
        place = np.any(given.unilateral != model.unilateral.cpu().numpy(), axis=(0, 2))
        differs = place[:, None] | place[None] | np.any(given.dynamic != model.dynamic.cpu().numpy(), axis=(0, 3))
    chosen = np.flatnonzero(differs)
    unilateral = torch.as_tensor(np.ascontiguousarray(given.unilateral, np.float32), device=device)
    said = [torch.zeros(years, 0, 2, device=device)]
    for part in np.split(chosen, range(CHUNK, len(chosen), CHUNK)):
        a, b = (torch.as_tensor(x, device=device) for x in np.divmod(part, n))
        pair = torch.as_tensor(np.ascontiguousarray(given.dynamic[:, part // n, part % n]), device=device)
        pair = torch.cat([model.static[a, b].expand(years, -1, -1), pair], 2)
        said.append(model.cell(unilateral, pair, a, b))
    return torch.cat(said, 1), torch.as_tensor(chosen, device=device)


def step_past_borders(stock: Tensor, hazards: accounting.Hazards, births: Tensor, death_rate: Tensor,
                      border: np.ndarray, returns: np.ndarray, elsewhere: float,
                      diagonal: Tensor | None = None) -> accounting.Step:
    """One year's bookkeeping (:func:`humanflows.model.accounting.step`) with borders that let fewer, or more, pass.

    Parameters
    ----------
    stock, hazards, births, death_rate, diagonal : as of ``accounting.step``; the hazards are those without borders.
    border, returns : ``[origin, destination]`` factors on hazards of moves, 0 or more: of those who go home to the
        destination, and of everybody else.
    elsewhere : of the exits that a cell (people of one birthplace in one residence) loses at borders, the share that
        goes wherever it still can, in proportion to the hazards that are left. 0: all of these people stay where they
        are; 1: as many leave as would have left. A cell without another destination stays.

    Returns
    -------
    Step. With ``R`` and ``R'`` a cell's rate of leaving without and with the borders, its rate is
    ``R' + elsewhere (R - R')`` and what is left open is multiplied alike, so that moves add up to those who left.
    """
    if (border == 1).all() and (returns == 1).all():
        return accounting.step(stock, hazards, births, death_rate, diagonal)
    with np.errstate(divide="ignore"):      # log 0: a move that cannot be
        passing, home = (torch.as_tensor(np.log(np.asarray(x, np.float32)), device=stock.device)
                         for x in (border, returns))
    shut = accounting.Hazards(hazards.native + passing, hazards.back + home, hazards.onward + passing, hazards.affinity)
    if not elsewhere:
        return accounting.step(stock, shut, births, death_rate, diagonal)
    wide = accounting.compete(stock, hazards, death_rate, diagonal)
    native, back, onward, affinity, rate, _, dead, _ = accounting.compete(stock, shut, death_rate, diagonal)
    whole = torch.where(rate > 0, rate + elsewhere * (wide.rate - rate), 0.0)
    survivors = stock - dead
    exposure = survivors * accounting.share_at_risk(whole) * torch.where(rate > 0, whole / rate, 1.0)
    # From here on the sums of accounting.step: the exposure carries what goes elsewhere.
    natives = exposure.diagonal(dim1=-2, dim2=-1)
    foreign = exposure - torch.diag_embed(natives)
    leave, go_home = natives.unsqueeze(-1) * native, foreign.mT * back
    arrivals = leave + affinity * (foreign @ onward) + torch.diag_embed(go_home.sum(-2))
    stock_next = survivors * torch.exp(-whole) + arrivals + torch.diag_embed(births.to(stock.dtype))
    return accounting.Step(leave + go_home + onward * (foreign.mT @ affinity), stock_next, dead.sum(-2), arrivals,
                           exposure * rate)
