"""What covariates say: the cell learns from the histories of single corridors, counted stocks in place of its own.

Run through all years and pairs together, a model takes one step an epoch, a few hundred in all: too few for a network
to learn what covariates have to say. With counted stocks put in place of the model's own, a corridor's reports stand
alone: the cell runs through the years of a few hundred corridors at a time and takes thousands of steps in a minute.
First every year of every corridor by itself, then whole histories, so that memory finds its use. The effects that bring
stocks, net migration and all reports together are fitted afterwards (train.py), the cell at rest.
"""
from itertools import count

import numpy as np
import torch
import xarray as xr
from torch import Tensor
from tqdm import tqdm

from ..config import TrainConfig
from ..panel.features import stock_course
from .accounting import LOG_HAZARD_MAX
from .balances import Balances
from .divergence import check_cell
from .observation import ObservationModel
from .recursion import FlowModel

HIDDEN_SHARE = 0.15  # of territories whose net-migration feature is hidden each step, so that none leans on it alone
FEATURE_HIDDEN = "net_migration_rate"
PAUSE = 3            # steps on histories of corridors from one with a territory's balances to the next
ABSENT = 4           # reports, or corridors, in a step for every count that is not shown
DECAY = 0.01         # of the cell's weights (AdamW)


class Histories:
    """Reports outside the held-out corridors, by ordered pair, and the counted stocks they are read against.

    Parameters
    ----------
    model, observation : fresh from the seed.
    panel : what they were built from.
    mask : [observation] bool, the observations to learn from.
    """

    def __init__(self, model: FlowModel, observation: ObservationModel, panel: xr.Dataset, mask: np.ndarray):
        self.model, self.observation = model, observation
        stock, _, _ = stock_course(panel)
        foreign = stock.sum(1)
        population = panel.population.values[:-1]
        natives = np.maximum(population - foreign, 0.03 * population).astype(np.float32)
        device = model.births.device
        self.stock, self.foreign, self.natives = (torch.as_tensor(x, device=device) for x in (stock, foreign, natives))
        chosen = np.flatnonzero(mask)
        year, origin, destination, w = (panel[f"flow_{k}"].values[chosen].astype(np.int64)
                                        for k in ("year", "origin", "destination", "witness"))
        n = panel.sizes["origin"]
        self.pairs, pair = np.unique(origin * n + destination, return_inverse=True)
        self.order = np.argsort(pair, kind="stable")            # reports, pair by pair
        self.start = np.searchsorted(pair[self.order], np.arange(len(self.pairs) + 1))
        by_residence = panel.witness_criterion.values[w] == "residence"
        departures = panel.witness_side.values[w] == "emigration"
        self.year, self.origin, self.destination = (torch.as_tensor(x, device=device)
                                                    for x in (year, origin, destination))
        # By citizenship or birthplace only natives are seen who arrive, or who come back.
        self.sees = torch.as_tensor(np.stack([by_residence | ~departures, by_residence | departures, by_residence], 1)
                                    .astype(np.float32), device=device)

    def __len__(self) -> int:
        return len(self.pairs)

    def loss_of_years(self, reports: Tensor, unilateral: Tensor) -> Tensor:
        """Nats per independent report, of some reports, each read in its own year without memory.

        ``unilateral`` : [Y, N, u] features of territories.
        """
        reports = reports.to(self.year.device)
        moves = self.moves_in_years(self.year[reports], self.origin[reports], self.destination[reports], unilateral)
        persons = (moves * self.sees[reports]).sum(1)
        return self.observation.marginal(persons, reports)

    def loss_of_absent(self, absent: np.ndarray, unilateral: Tensor, *, memory: bool) -> Tensor:
        """Nats of counts that are not shown because they are small; ``absent`` are positions among them."""
        n, device = self.model.n, self.year.device
        chosen = torch.as_tensor(absent, device=device)
        t, pair = _divmod(self.observation.censored_position[chosen], n**2)
        if memory:
            pairs, at = torch.unique(pair, return_inverse=True)
            moves = self.moves_in_histories(*_divmod(pairs, n), unilateral)[t, at]
        else:
            moves = self.moves_in_years(t, *_divmod(pair, n), unilateral)
        return self.observation.marginal_censored(moves.sum(1), chosen)

    def loss_of_histories(self, chosen: np.ndarray, unilateral: Tensor) -> Tensor:
        """Nats per independent report of all reports of some pairs, the cell run through the years with its memory."""
        n, device = self.model.n, unilateral.device
        first, last = self.start[chosen], self.start[chosen + 1]
        count = last - first
        at = np.repeat(np.arange(len(chosen)), count)
        reports = self.order[np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + first[at]]
        reports, at = torch.as_tensor(reports, device=device), torch.as_tensor(at, device=device)
        flat = torch.as_tensor(self.pairs[chosen], device=device)
        moves = self.moves_in_histories(flat // n, flat % n, unilateral)
        moves = moves.flatten(0, 1).index_select(0, self.year[reports] * len(chosen) + at)
        persons = (moves * self.sees[reports]).sum(1)
        return self.observation.marginal_series(persons, reports)

    def moves_in_years(self, t: Tensor, a: Tensor, b: Tensor, unilateral: Tensor) -> Tensor:
        """Who moves from a to b in year t, read without memory; persons [rows, 3], see ``_moves``."""
        cell, n = self.model.cell, self.model.n
        origins, destinations = (x.flatten(0, 1) for x in cell.territories(unilateral))
        pair = torch.cat([self.model.static[a, b], self.model.dynamic[t, a, b]], 1)
        read = origins.index_select(0, t * n + a) + destinations.index_select(0, t * n + b) + cell.of_pair(pair)
        said, _ = cell.step(read, torch.zeros(len(t), cell.hidden, device=pair.device))
        return self._moves(said, t, a, b)

    def moves_in_histories(self, a: Tensor, b: Tensor, unilateral: Tensor) -> Tensor:
        """Who moves from a to b in all years, the cell run with its memory; persons [years, rows, 3]."""
        model = self.model
        pair = torch.cat([model.static[a, b].expand(model.years, -1, -1), model.dynamic[:, a, b]], 2)
        said = model.cell(unilateral, pair, a, b).flatten(0, 1)
        t = torch.arange(model.years, device=a.device).repeat_interleave(len(a))
        return self._moves(said, t, a.repeat(model.years), b.repeat(model.years)).unflatten(0, (model.years, len(a)))

    def _moves(self, said: Tensor, t: Tensor, a: Tensor, b: Tensor) -> Tensor:
        """From a to b in year t: natives of a, people born in b, and others, persons [rows, 3]."""
        native, back = torch.exp(said.clamp(max=LOG_HAZARD_MAX)).unbind(1)
        own = self.stock[t, b, a]                              # born in b, living in a
        others = (self.foreign[t, a] - own).clamp(min=0) * torch.exp(self.model.onward_level.detach())
        return torch.stack([self.natives[t, a] * native, own * (1 - torch.exp(-back)), others * native], 1)


def _divmod(x: Tensor, by: int) -> tuple[Tensor, Tensor]:
    return torch.div(x, by, rounding_mode="floor"), x % by


def learn_histories(model: FlowModel, observation: ObservationModel, panel: xr.Dataset, mask: np.ndarray,
                    settings: TrainConfig, seed: int, *, hidden: int | None = None,
                    progress: bool = True) -> None:
    """Fit the cell, and the biases of reports, to single corridors and to balances; in place.

    Parameters
    ----------
    model, observation : fresh from the seed.
    panel : what they were built from.
    mask : [observation] bool, the observations to learn from.
    settings : steps, batches and rate of the cell.
    seed : of batches and of what is hidden.
    hidden : position of the unilateral feature that is hidden at random.

    Raises
    ------
    DivergenceError
        When the loss is not finite.
    """
    histories = Histories(model, observation, panel, mask)
    balances = None if "margins" in observation.config.without else Balances(histories, panel)
    for part, steps, size, batch, rate in (
            ("years", settings.year_steps, len(histories.year), settings.year_batch, settings.cell_rate),
            ("histories", settings.history_steps, len(histories), settings.history_batch, settings.cell_rate / 2)):
        rng = np.random.default_rng([seed, len(part)])
        absent = len(observation.censored_position) if hasattr(observation, "censored_position") else 0
        places = max(1, batch // (2 * model.n))   # a territory has two directions with each other one

        # A territory's whole history costs as much as hundreds of corridors': it is read in every third step.
        every, weight = (1, 1.0) if part == "years" else (PAUSE, float(PAUSE))
        step = count()

        def loss_of(chosen, unilateral, part=part, rng=rng, places=places, step=step, every=every, weight=weight,
                    absent=absent, batch=batch):
            loss = torch.zeros((), device=unilateral.device)
            if len(chosen):
                loss = histories.loss_of_years(torch.as_tensor(chosen), unilateral) if part == "years" \
                    else histories.loss_of_histories(chosen, unilateral)
            if absent:
                drawn = rng.integers(absent, size=max(1, batch // ABSENT))
                loss = loss + histories.loss_of_absent(drawn, unilateral, memory=part == "histories")
            if balances is not None and next(step) % every == 0:
                t, c = (torch.as_tensor(rng.integers(k, size=places), device=unilateral.device)
                        for k in (model.years, model.n))
                nats = balances.loss_of_years(t, c, unilateral) if part == "years" \
                    else balances.loss_of_histories(c, unilateral)
                loss = loss + weight * nats / observation.independent_reports
            return loss

        _descend(model, observation, loss_of, size, steps, min(batch, size), rate, settings.clip, rng, hidden, seed,
                 part,
                 tqdm(total=steps, unit="step", disable=not progress, mininterval=2, ncols=100,
                      desc=f"{part} of single corridors, seed {seed}"))
    model.read_covariates()


def _descend(model, observation, loss_of, size, steps, batch, rate, clip, rng, hidden, seed, part, bar) -> None:
    """Steps on batches drawn without replacement, pass after pass, with one cycle of the learning rate."""
    if not steps:
        return
    direct = [observation.log_bias_step, observation.log_scatter, observation.log_balance_scatter]
    optimiser = torch.optim.AdamW([{"params": list(model.cell.parameters()), "weight_decay": DECAY},
                                   {"params": direct, "weight_decay": 0.0}], lr=rate)
    course = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps + 1)
    queue = np.empty(0, np.int64)
    with bar:
        for step in range(steps):
            if len(queue) < batch:
                queue = np.concatenate([queue, rng.permutation(size)])
            chosen, queue = np.sort(queue[:batch]), queue[batch:]
            loss = loss_of(chosen, _hide(model.unilateral, rng, hidden)) + observation.pretraining_prior()
            check_cell(loss.detach(), step, steps, part, seed)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_([*model.cell.parameters(), *direct], clip)
            optimiser.step()
            course.step()
            bar.update()


def _hide(unilateral: Tensor, rng: np.random.Generator, feature: int | None) -> Tensor:
    """Features of territories with one set to its mean (0) for a random share of them."""
    if feature is None:
        return unilateral
    shown = torch.as_tensor(rng.random(unilateral.shape[1]) >= HIDDEN_SHARE, device=unilateral.device)
    out = unilateral.clone()
    out[:, :, feature] *= shown
    return out
