"""The history stage of several members at once: each draws as histories.py does, losses are worked out together.

Which reports and pairs a step reads is drawn on the processor, member by member; lists of reports are filled up to the
longest of the step with one that counts for nothing.
"""
from collections.abc import Iterator, Sequence

import numpy as np
import torch
import xarray as xr
from torch import Tensor
from torch.overrides import TorchFunctionMode
from tqdm import tqdm

from ..config import TrainConfig
from ..panel.splits import training_observations
from .balances import Balances
from .histories import DECAY, HIDDEN_SHARE, PAUSE, Histories
from .recursion import FlowModel
from .stacking import Stack, like, share, to_length
from .train import open_corridors
from .witnesses import Witnesses

TABLES = ("static", "dynamic", "death_rate")    # of the model, that the stage reads beside features of territories


class _Copying(TorchFunctionMode):
    """Have ``scatter_`` write into a copy: vmap cannot write members' values into a tensor that all have in common."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        function = torch.Tensor.scatter if function is torch.Tensor.scatter_ else function
        return function(*args, **(kwargs or {}))


class _Balances(Balances):
    def loss(self, out: Tensor, back: Tensor, t: Tensor, c: Tensor) -> Tensor:
        with _Copying():
            return super().loss(out, back, t, c)


class StackedHistories:
    """Reports by ordered pair, and balances, of the members of a stack; see histories.py and balances.py.

    Parameters
    ----------
    stack : of the members, with the tables ``TABLES``.
    histories, balances : of each member; no balances where they are left out.
    """

    def __init__(self, stack: Stack, histories: Sequence[Histories], balances: Sequence[Balances] | None):
        self.stack, self.each = stack, list(histories)
        self.series = [h.witnesses.obs_series.cpu().numpy() for h in histories]
        self.spare = max(len(h.year) for h in histories)    # a report that counts for nothing
        self.length = self.spare + int(self.spare > 0)
        device = self.each[0].year.device
        tables = [{k: v for k, v in vars(h).items() if isinstance(v, Tensor)} for h in histories]
        for table in tables:
            table |= {k: to_length(table[k], self.length, 0) for k in ("year", "origin", "destination", "sees")}
        self.own, self.shared = share(tables)
        self.balances = balances[0] if balances else None
        if balances:
            tables = [{k: torch.as_tensor(v, device=device) for k, v in vars(b).items()
                       if isinstance(v, Tensor | float) or k == "rebuilt_spread"} for b in balances]
            self.balances_own, self.balances_shared = share(tables)

    def loss(self, part: str, chosen: Sequence[np.ndarray], places: tuple[Tensor, Tensor] | None, weight: float,
             unilateral: Tensor) -> Tensor:
        """Loss [member] of a step: of chosen reports or pairs, of balances, and of shrinkage.

        Parameters
        ----------
        part : "years", where reports are chosen, or "histories", where pairs are.
        chosen : positions, of each member.
        places : years and territories [member, rows] whose balances are read, or None.
        weight : of the balances.
        unilateral : [member, Y, N, u].
        """
        device = unilateral.device
        step, number = {}, 0
        if self.spare and part == "years":
            step["reports"] = _table(chosen, self.spare, device)
            longest = step["reports"].shape[1]
            step["scale"] = torch.tensor([len(h.year) / max(len(c), 1) * longest / self.length
                                          for h, c in zip(self.each, chosen)], device=device)
        elif self.spare:
            number = self._step_of_histories(step, chosen, device)
        given = {"histories": self.own, "step": step}
        if places is not None:
            given |= {"balances": self.balances_own, "places": dict(zip("tc", places))}
        return self.stack.call(self._loss_of_one, given, unilateral, shared=(part, weight, number))

    def _step_of_histories(self, step: dict, chosen: Sequence[np.ndarray], device) -> int:
        """Put the reports of chosen pairs into a step: whose they are, and of which series; the number of series."""
        reports, at, series = [], [], []
        for h, numbers, pairs in zip(self.each, self.series, chosen):
            first, last = h.start[pairs], h.start[pairs + 1]
            count = last - first
            at.append(np.repeat(np.arange(len(pairs)), count))
            reports.append(h.order[np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + first[at[-1]]])
            series.append(np.unique(numbers[reports[-1]], return_inverse=True)[1])
        number = max((int(s.max()) + 1 for s in series if len(s)), default=0) + 1
        step["pairs"] = _table([h.pairs[p] for h, p in zip(self.each, chosen)], 0, device)
        for name, lists, spare in (("reports", reports, self.spare), ("at", at, 0), ("series", series, number - 1)):
            step[name] = _table(lists, spare, device)
        step["scale"] = torch.tensor([len(h) / max(len(p), 1) for h, p in zip(self.each, chosen)], device=device)
        return number

    def _loss_of_one(self, model, witnesses, given, unilateral, part: str, weight: float, number: int) -> Tensor:
        histories = like(Histories, self.each[0], model=model, witnesses=witnesses,
                         **self.shared, **given["histories"])
        step, loss = given["step"], witnesses.shrinkage()
        if step and part == "years":
            loss = loss + step["scale"] * histories.loss_of_years(step["reports"], unilateral)
        elif step:
            loss = loss + step["scale"] * _loss_of_histories(histories, step, unilateral, number)
        if "places" not in given:
            return loss
        balances = like(_Balances, self.balances, histories=histories, model=model, **self.balances_shared,
                         **given["balances"])
        t, c = (given["places"][k] for k in "tc")
        return loss + weight * (balances.loss_of_years(t, c, unilateral) if part == "years"
                                else balances.loss_of_histories(c, unilateral))


def _loss_of_histories(histories: Histories, step: dict[str, Tensor], unilateral: Tensor, number: int) -> Tensor:
    """``Histories.loss_of_histories``, the reports of the pairs being known beforehand; not yet scaled to all pairs."""
    n, pairs, reports, seen = histories.model.n, step["pairs"], step["reports"], histories.witnesses
    moves = histories.moves_in_histories(pairs // n, pairs % n, unilateral)
    moves = moves.flatten(0, 1).index_select(0, histories.year[reports] * len(pairs) + step["at"])
    persons = (moves * histories.sees[reports]).sum(1)
    return seen.report_loss(persons, reports) \
        + seen.config.change * seen.change_loss(persons, reports, step["series"], number)


def _table(lists: Sequence[np.ndarray], value: int, device) -> Tensor:
    """Lists of integers as one table [list, longest] with this value where there is nothing."""
    out = np.full((len(lists), max(map(len, lists))), value, np.int64)
    for row, given in zip(out, lists):
        row[:len(given)] = given
    return torch.as_tensor(out, device=device)


def _draws(histories: Histories, part: str, settings: TrainConfig, seed: int,
           balances: bool) -> Iterator[tuple[np.ndarray, np.ndarray, tuple | None]]:
    """What ``learn_histories`` draws for each step, in its order: what is read, what is shown, balances of where."""
    model = histories.model
    steps, size, batch = (settings.year_steps, len(histories.year), settings.year_batch) if part == "years" \
        else (settings.history_steps, len(histories), settings.history_batch)
    rng, queue = np.random.default_rng([seed, len(part)]), np.empty(0, np.int64)
    places, every = max(1, batch // (2 * model.n)), 1 if part == "years" else PAUSE
    batch = min(batch, size)
    for step in range(steps):
        if len(queue) < batch:
            queue = np.concatenate([queue, rng.permutation(size)])
        chosen, queue = np.sort(queue[:batch]), queue[batch:]
        shown = np.ones(model.n, bool) if model.hidden_feature is None else rng.random(model.n) >= HIDDEN_SHARE
        where = tuple(rng.integers(k, size=places) for k in (model.years, model.n)) \
            if balances and step % every == 0 else None
        yield chosen, shown, where


def learn_histories_together(models: Sequence[FlowModel], witnesses: Sequence[Witnesses], panels: Sequence[xr.Dataset],
                             splits: Sequence[xr.Dataset], settings: TrainConfig, seeds: Sequence[int], *,
                             progress: bool = True) -> None:
    """What ``histories.learn_histories`` does, for several members at once; in place, but for reading covariates.

    AdamW and its rate work number by number, so that one serves all members; gradients are clipped member by member.

    Parameters
    ----------
    models, witnesses : fresh from the seeds, on their device, alike in ``stacking.shape_of``.
    panels, splits : what they were built from.
    settings : steps, batches and rate of the cell.
    seeds : of batches and of what is hidden.
    """
    device, hidden = models[0].births.device, models[0].hidden_feature
    each = [Histories(m, w, p, training_observations(p, s)) for m, w, p, s in zip(models, witnesses, panels, splits)]
    balances = [Balances(h, p, open_corridors(s)) for h, p, s in zip(each, panels, splits)] \
        if witnesses[0].config.balances else None
    stack = Stack(models, witnesses, TABLES)
    stacked = StackedHistories(stack, each, balances)
    unilateral = torch.stack([m.unilateral for m in models])
    cell = [v for k, v in stack.weights.items() if k.startswith("model.cell.")]
    direct = [stack.weights[f"witnesses.{k}"] for k in ("log_bias", "collection_bias", "log_spread")]
    for part, steps, rate, weight in (("years", settings.year_steps, settings.cell_rate, 1.0),
                                      ("histories", settings.history_steps, settings.cell_rate / 2, float(PAUSE))):
        if not steps:
            continue
        optimiser = torch.optim.AdamW([{"params": cell, "weight_decay": DECAY},
                                       {"params": direct, "weight_decay": 0.0}], lr=rate)
        course = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps + 1)
        drawn = zip(*(_draws(h, part, settings, seed, balances is not None) for h, seed in zip(each, seeds)))
        for step in tqdm(drawn, total=steps, unit="step", disable=not progress, mininterval=2, ncols=100,
                         desc=f"{part} of single corridors, {len(models)} members"):
            chosen, shown, where = zip(*step)
            seen = unilateral
            if hidden is not None:
                seen = unilateral.clone()
                seen[:, :, :, hidden] *= torch.as_tensor(np.stack(shown), device=device).unsqueeze(1)
            places = None if where[0] is None else \
                tuple(torch.as_tensor(np.stack(x), device=device) for x in zip(*where))
            stack.forget_gradients()
            stacked.loss(part, chosen, places, weight, seen).sum().backward()
            clip_each([*cell, *direct], settings.clip)
            optimiser.step()
            course.step()
    stack.release()


def clip_each(weights: Sequence[Tensor], most: float) -> None:
    """``torch.nn.utils.clip_grad_norm_`` of each member by itself; ``weights`` [member, ...] with their gradients."""
    gradients = [w.grad for w in weights if w.grad is not None]
    norms = [torch.linalg.vector_norm(g.reshape(len(g), -1), dim=1) for g in gradients]
    share = (most / (torch.linalg.vector_norm(torch.stack(norms), dim=0) + 1e-6)).clamp(max=1.0)
    for g in gradients:
        g.mul_(share.reshape(-1, *[1] * (g.ndim - 1)))
