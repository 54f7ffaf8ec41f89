"""Training of several members at once on one device, which one small member alone does not keep busy.

Each member draws and steps as it does alone (train.py, histories.py): it has its own batches, its own optimiser, its
own best epoch and patience, and its own checkpoint, of the same kind. What it predicts and its gradients are worked
out together with the others' (stacking.py), so it ends in the weights that it would end in alone but for rounding,
which depends on what it is stacked with. A member that is done leaves the stack.
"""
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
import xarray as xr
from tqdm import tqdm

from .. import artifacts
from ..config import Config, TrainConfig
from ..errors import ConfigError, DivergenceError
from ..panel.features import own_reconstruction
from .divergence import check_loss
from .memory import check_memory
from .recursion import FlowModel, Trajectory
from .stacked_histories import learn_histories_together
from .stacking import NOT_IN_EPOCHS, Stack, shape_of
from .train import (
    SMALL,
    TRAINING_CODE,
    Member,
    _learning_rate,
    _State,
    build_member,
    choose_device,
    content_digest,
    forget,
)
from .witnesses import Witnesses


@dataclass(eq=False)     # a member is itself alone: tables are not to be compared
class _Trainee:
    """A member in training, on its device."""

    panel: xr.Dataset
    splits: xr.Dataset
    config: Config
    file: Path | None       # of its checkpoint
    model: FlowModel
    witnesses: Witnesses
    score: Callable         # of a trajectory, on its validation corridors
    fitted: list            # parameters that epochs change
    state: _State
    failed: DivergenceError | None = None


def fit_members(panels: Sequence[xr.Dataset], splits: Sequence[xr.Dataset], configs: Sequence[Config],
                checkpoint: Sequence[Path | None] | None = None, device: str = "auto", progress: bool = True,
                stop_after: int | None = None) -> list[Member]:
    """Train members of one design together; each ends as ``train.fit_member`` would leave it, but for rounding.

    Members of any folds, groups of offices and draws are stacked. Those that differ in settings of model, loss or
    training, in years, territories, active pairs or in how many stocks and net migrations they see, as members of
    different designs may, or in that some see no report at all, are trained one stack after the other.
    ``train.compile`` plays no part.

    Parameters
    ----------
    panels, splits, configs : of each member, as for ``fit_member``.
    checkpoint : safetensors file of each member, of the same kind as ``fit_member`` writes. A member goes on from its
        own, wherever the others are; as there, an interrupted history stage begins anew.
    device : where; by default as the first member's configuration says.
    progress : show a bar of each stage.
    stop_after : end after this many epochs in all, as an interruption would.

    Returns
    -------
    list of members, in the order given. ``seconds`` are each one's share of the time that the stack took. A member that
    diverges leaves the others as they are: it has ``failed``, and must not be used.

    Raises
    ------
    ConfigError
        When there are not as many panels, splits and checkpoints as configurations, or the members do not fit into
        memory.
    ArtifactError
        When a checkpoint is damaged or belongs to other settings.
    """
    files = [None] * len(configs) if checkpoint is None else list(checkpoint)
    if not len(panels) == len(splits) == len(files) == len(configs):
        raise ConfigError("fit_members", f"{len(panels)} panels, {len(splits)} splits and {len(files)} checkpoints for "
                          f"{len(configs)} configurations", "give one of each for every member", key="panels")
    if not configs:
        return []
    where = choose_device(configs[0].train.device if device == "auto" else device)
    check_memory(panels[0], configs[0], where, len(configs))
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # every value is written before it is read
    code = artifacts.code_digest(*TRAINING_CODE)
    all_of_them = [_begin(*of, where, code) for of in zip(panels, splits, configs, files)]
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if all_of_them[0].model.n < SMALL else threads)
    try:
        with warnings.catch_warnings():    # the few operations that vmap takes member by member are no news
            warnings.filterwarnings("ignore", message="There is a performance drop", category=UserWarning)
            for alike in _alike(all_of_them):
                _train(alike, progress, stop_after)
    finally:
        torch.set_num_threads(threads)
    return [Member(m.model, m.witnesses, pd.DataFrame(m.state.history), m.state.seconds, m.failed) for m in all_of_them]


def _begin(panel: xr.Dataset, splits: xr.Dataset, config: Config, file: Path | None, device: torch.device,
           code: str) -> _Trainee:
    """Fresh from the seed, as ``fit_member`` begins."""
    model, witnesses, score = build_member(panel, splits, config)
    model, witnesses = model.to(device), witnesses.to(device)
    weights = {**{f"model.{k}": v for k, v in model.named_parameters()},
               **{f"witnesses.{k}": v for k, v in witnesses.named_parameters()}}
    fitted = [v for k, v in weights.items() if not k.startswith("model.cell.")]
    optimiser = torch.optim.Adam(fitted, lr=config.train.learning_rate, betas=(0.9, 0.99), eps=1e-8)
    identity = artifacts.digest(config.as_dict(), content_digest(panel), content_digest(splits), code)
    return _Trainee(panel, splits, config, None if file is None else Path(file), model, witnesses, score, fitted,
                    _State(weights, optimiser, identity, config.train.epochs // 2))


def _alike(members: list[_Trainee]) -> list[list[_Trainee]]:
    """Members that can be stacked, together."""
    groups = {}
    for m in members:
        key = (m.config.model, m.config.loss, m.config.train, own_reconstruction(m.panel) is None,
               shape_of(m.model, m.witnesses))
        groups.setdefault(key, []).append(m)
    return list(groups.values())


def _train(members: list[_Trainee], progress: bool, stop_after: int | None) -> None:
    begun = [m for m in members if m.file is not None and m.file.is_file()]
    for m in begun:    # before hours go into the others: a checkpoint may be of something else
        m.state.load(m.file)
        m.model.read_covariates()
    new = [m for m in members if m not in begun]
    if new:
        started = time.perf_counter()
        learn_histories_together([m.model for m in new], [m.witnesses for m in new], [m.panel for m in new],
                                 [m.splits for m in new], new[0].config.train, [m.config.seed for m in new],
                                 progress=progress)
        for m in new:
            m.model.read_covariates()
            m.state.seconds = (time.perf_counter() - started) / len(new)
            m.state.remember()
    for m in members:
        for weight in m.model.cell.parameters():
            weight.requires_grad_(False)
    _descend(members, progress, stop_after)
    for m in members:
        try:
            if m.failed is None and stop_after is None:
                m.state.check(m.config.seed)
        except DivergenceError as error:
            m.failed = error
        if m.failed is None:
            m.state.restore_best()
        else:
            forget(m.file)


def _descend(members: list[_Trainee], progress: bool, stop_after: int | None) -> None:
    """The epochs: predict and compare together, then each member takes its own step, if it has one to take."""
    settings = members[0].config.train
    last = settings.epochs if stop_after is None else min(settings.epochs, stop_after)
    stack, before = None, []
    bar = tqdm(total=settings.epochs * len(members), initial=sum(m.state.epoch for m in members), unit="epoch",
               disable=not progress, mininterval=2, ncols=100, desc=f"training {len(members)} members")
    while active := [m for m in members if m.failed is None and m.state.epoch < last
                     and not m.state.exhausted(settings.patience)]:
        started = time.perf_counter()
        if active != before:
            if stack is not None:
                stack.release()
            tables = [k for k, _ in active[0].model.named_buffers() if k not in NOT_IN_EPOCHS]
            stack, before = Stack([m.model for m in active], [m.witnesses for m in active], tables), active
        _epoch(stack, active, settings)
        share = (time.perf_counter() - started) / len(active)
        for m in active:
            m.state.seconds += share
            if m.file is not None and m.state.epoch % settings.checkpoint_every == 0:
                m.state.save(m.file)
        bar.update(len(active))
    bar.close()
    if stack is not None:
        stack.release()
    for m in members:
        if m.file is not None and m.failed is None:
            m.state.save(m.file)


def _epoch(stack: Stack, members: list[_Trainee], settings: TrainConfig) -> None:
    stack.forget_gradients()
    with torch.autocast(members[0].model.births.device.type, torch.bfloat16, enabled=settings.precision == "bfloat16"):
        loss, terms, run = stack.epoch()
    loss.sum().backward()
    stack.hand_out_gradients()
    told = dict(zip(["loss", *terms], torch.stack([loss, *terms.values()]).detach().cpu().double()))
    for k, m in enumerate(members):
        for group in m.state.optimiser.param_groups:
            group["lr"] = _learning_rate(settings, m.state.epoch)
        # A term that others have, and this member alone would not, is not its own.
        own = {t: told[t][k] for t in terms if t != "censored" or m.witnesses.has_censored}
        try:
            check_loss(float(told["loss"][k]), m.state.epoch, m.config.seed)
            # The score belongs to the weights before the step: remember those.
            m.state.record(own, float(told["loss"][k]), Trajectory(*(x[k].detach() for x in run)),
                           m.score if m.state.epoch % settings.validate_every == 0 else None)
            if torch.isfinite(torch.nn.utils.clip_grad_norm_(m.fitted, settings.clip)):
                m.state.optimiser.step()
            else:
                m.state.skip(settings.epochs, m.config.seed)
        except DivergenceError as error:
            m.failed = error
        m.state.epoch += 1
