"""Training of one member: reproducible from its seed, resumable to the same weights, stopped where unseen pairs say."""
import hashlib
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import xarray as xr
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from tqdm import tqdm

from .. import artifacts
from ..config import Config, TrainConfig
from ..errors import ArtifactError, ConfigError, DivergenceError
from ..panel.features import QUIET, build_features
from ..panel.splits import training_observations
from .compact import unpack
from .divergence import check_course, check_loss, check_movers, check_skipped, share_of_movers
from .effects import effect_terms, effects_off
from .histories import FEATURE_HIDDEN, learn_histories
from .memory import check_memory
from .observation import TAIL, ObservationModel, student
from .privacy_noise import private_counts
from .recursion import FlowModel, Trajectory
from .spreads import COUNT

# What decides the weights that a training ends in.
TRAINING_CODE = (*(f"model/{m}.py" for m in ("accounting", "balances", "courses", "histories", "network", "recursion",
                                             "train", "effects", "gross", "observation", "observation_data",
                                             "privacy_noise", "spreads")),
                 "panel/features.py", "panel/harmonise.py", "panel/report_priors.py",
                 "panel/reported_totals.py", "panel/splits.py")
# Learned with the network alone, and then at rest as it is.
LEARNED_WITH_CELL = ("observation.log_scatter", "observation.log_balance_scatter")
# What single data are off by: of no use to anybody who only runs the model, and not saved with it.
ERRORS_OF_DATA = ("observation.lasting", "observation.population_error")
SCALE = 1e-5         # of the nats whose gradient is clipped
SMALL = 100          # territories: below, a second thread costs more than it brings


@dataclass
class Member:
    """A trained member: its model (weights of the best epoch loaded), its observation model and its history."""

    model: FlowModel
    observation: ObservationModel
    history: pd.DataFrame   # epoch, loss and each term in nats, validation
    seconds: float


def choose_device(wanted: str = "auto") -> torch.device:
    """``auto`` takes a GPU where there is one.

    Raises
    ------
    ConfigError
        When there is no such GPU here.
    """
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(wanted)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError("train.device", f"there is no {wanted!r} here: {torch.cuda.device_count()} GPU(s) are found",
                          "use auto, which takes a GPU where there is one, or cpu", key="train.device")
    return device


def build_member(panel: xr.Dataset, splits: xr.Dataset, config: Config,
                 reported: np.ndarray | None = None) -> tuple[FlowModel, ObservationModel, Callable]:
    """Model, observation model and the score of validation corridors, all initialised from the seed.

    ``reported`` [year, origin, destination] bool, where the member learned from a report or from displaced people;
    those of the splits' training part by default.
    """
    torch.manual_seed(config.seed)
    features = build_features(panel, config.model.without)
    mask = _learned_reports(panel, splits, config)
    observation = ObservationModel(panel, mask, open_corridors(splits), config.observation)
    if reported is None:
        reported = np.zeros((panel.sizes["year"], *splits.held_out.shape), bool)
        reported[tuple(panel[f"flow_{k}"].values[mask] for k in ("year", "origin", "destination"))] = True
        if hasattr(observation, "displaced_position"):
            reported.reshape(-1)[observation.displaced_position.numpy()] = True
    busy = np.zeros(splits.held_out.shape, bool)
    large = mask & (panel.flow_persons.values > QUIET)
    busy[tuple(panel[f"flow_{k}"].values[large] for k in ("origin", "destination"))] = True
    model = FlowModel(features, panel, config.model, reported, busy)
    names = features.unilateral_names
    model.hidden_feature = names.index(FEATURE_HIDDEN) if FEATURE_HIDDEN in names else None
    return model, observation, _validation_score(panel, splits.validation.values, observation)


def _learned_reports(panel: xr.Dataset, splits: xr.Dataset, config: Config) -> np.ndarray:
    return training_observations(panel, splits) & ("reports" not in config.observation.without)


def open_corridors(splits: xr.Dataset) -> np.ndarray:
    """Corridors [origin, destination] that are neither held out nor set aside for validation."""
    closed = splits.held_out.values | splits.validation.values
    return ~closed & ~np.eye(len(closed), dtype=bool)


def _validation_score(panel, validation: np.ndarray, observation: ObservationModel) -> Callable[[Trajectory], float]:
    """Negative log score of reports by residence on the validation corridors, nats a report; lower is better.

    Each report is judged as its series would have made it: with the bias that other corridors taught, and the spread.
    Of a year in which no other corridor teaches a series, its reports are left out.
    """
    o, d, w, y = (panel[f"flow_{k}"].values.astype(int) for k in ("origin", "destination", "witness", "year"))
    years, n = panel.sizes["year"], panel.sizes["origin"]
    known = (observation.bias_witness * years + observation.bias_year).cpu().numpy()
    cell = np.searchsorted(known, w * years + y)
    learned = (known[np.minimum(cell, len(known) - 1)] == w * years + y) if len(known) else np.zeros(len(w), bool)
    chosen = np.flatnonzero(validation[o, d] & learned & (panel.witness_criterion.values == "residence")[w])
    position = torch.as_tensor(y[chosen] * n * n + o[chosen] * n + d[chosen])
    observed = torch.as_tensor(np.log1p(panel.flow_persons.values[chosen]), dtype=torch.float32)
    spread, cell = observation.series_spread.cpu()[y[chosen], w[chosen]], torch.as_tensor(cell[chosen])
    constant = math.lgamma((TAIL + 1) / 2) - math.lgamma(TAIL / 2) - 0.5 * math.log(TAIL * math.pi)

    @torch.no_grad()
    def score(run: Trajectory) -> float:
        if not len(observed):
            return float("nan")
        device = run.flow.device
        at = cell.to(device)
        expected = run.flow.reshape(-1)[position.to(device)] * torch.exp(observation.log_bias[at])
        shown, noise, elasticity = private_counts(expected, observation.bias_noise[at])
        deviation2 = elasticity**2 * (spread.to(device) ** 2 + COUNT / (1 + expected)) + noise / (1 + shown) ** 2
        residual = torch.log1p(shown) - observed.to(device)
        return float((student(residual / torch.sqrt(deviation2)) + 0.5 * torch.log(deviation2)).mean()) - constant

    return score


def fit_member(panel: xr.Dataset, splits: xr.Dataset, config: Config, checkpoint: Path | None = None, *,
               progress: bool = True, stop_after: int | None = None) -> Member:
    """Train one member, or continue the interrupted training that ``checkpoint`` holds.

    Parameters
    ----------
    panel, splits : what to learn from and which corridors never to.
    config : settings; ``config.seed`` decides initial weights and every draw.
    checkpoint : safetensors file, written every ``train.checkpoint_every`` epochs; training resumes from it to the
        same weights as without interruption (same machine and number of threads).
    stop_after : end after this many epochs in all, as an interruption would (for tests and lessons).

    Raises
    ------
    ArtifactError
        When the checkpoint is damaged or belongs to other settings.
    ConfigError
        When the training does not fit into memory, or its device is not there.
    DivergenceError
        When the loss is not finite or grows, too many steps have to be skipped, or an implausible number of people
        would move (model/divergence.py); the checkpoint is removed then.
    """
    settings = config.train
    device = choose_device(settings.device)
    check_memory(panel, config, device)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # every value is written before it is read
    model, observation, score = build_member(panel, splits, config)
    model, observation = model.to(device), observation.to(device)
    if settings.compile:
        torch._dynamo.config.suppress_errors = True  # without a C++ compiler the same code runs uncompiled
        model.advance = torch.compile(model.advance, dynamic=False)
    weights = {**{f"model.{k}": v for k, v in model.named_parameters()},
               **{f"observation.{k}": v for k, v in observation.named_parameters()}}
    resting = {*LEARNED_WITH_CELL, *(f"model.{name}" for name in effects_off(config.effects))}
    fitted = [v for k, v in weights.items() if not k.startswith("model.cell.") and k not in resting]
    optimiser = torch.optim.Adam(fitted, lr=settings.learning_rate, betas=(0.9, 0.99), eps=1e-8)
    identity = artifacts.digest(config.as_dict(), content_digest(panel), content_digest(splits),
                                artifacts.code_digest(*TRAINING_CODE))
    state = _State(weights, optimiser, identity, settings.epochs * 3 // 4)
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if model.n < SMALL else threads)
    try:
        if checkpoint is not None and Path(checkpoint).is_file():
            state.load(Path(checkpoint))
            model.read_covariates()
        else:
            started = time.perf_counter()
            learn_histories(model, observation, panel, _learned_reports(panel, splits, config), settings,
                            config.seed, hidden=model.hidden_feature, progress=progress)
            state.seconds = time.perf_counter() - started
            state.remember()
        for weight in model.cell.parameters():
            weight.requires_grad_(False)
        for name in resting:
            weights[name].requires_grad_(False)
        _descend(model, observation, score, state, config, checkpoint, progress, stop_after)
        state.restore_best()
        if stop_after is None:
            state.check(config.seed)
    except DivergenceError:
        forget(checkpoint)
        raise
    finally:
        torch.set_num_threads(threads)
    return Member(model, observation, pd.DataFrame(state.history), state.seconds)


def forget(checkpoint: Path | None) -> None:
    """Remove the checkpoint of a training that diverged: with other settings it would only be in the way."""
    if checkpoint is not None:
        Path(checkpoint).unlink(missing_ok=True)


def content_digest(dataset: xr.Dataset) -> str:
    """Digest of a dataset's values: an interrupted training must not go on with other data."""
    def content(values: np.ndarray) -> bytes:
        return np.ascontiguousarray(values).tobytes() if values.dtype.kind != "O" else str(values.tolist()).encode()

    return artifacts.digest([(str(k), str(v.dtype), v.shape, hashlib.sha256(content(v.values)).hexdigest())
                             for k, v in sorted(dataset.variables.items())])


def _descend(model, observation, score, state: "_State", config: Config, checkpoint, progress: bool,
             stop_after: int | None) -> None:
    """The epochs: predict, compare, step; ``state`` holds everything that a resumed run needs."""
    device, settings = model.births.device, config.train
    fitted = state.optimiser.param_groups[0]["params"]
    started, before = time.perf_counter(), state.seconds
    last = settings.epochs if stop_after is None else min(settings.epochs, stop_after)
    bar = tqdm(total=settings.epochs, initial=state.epoch, unit="epoch", disable=not progress, mininterval=2,
               ncols=100, desc=f"training seed {config.seed} on {device.type}")
    with bar:
        while state.epoch < last and not state.exhausted(settings.patience):
            for group in state.optimiser.param_groups:
                group["lr"] = _learning_rate(settings, state.epoch)
            state.optimiser.zero_grad(set_to_none=True)
            with torch.autocast(device.type, torch.bfloat16, enabled=settings.precision == "bfloat16"):
                run = model()
                terms = {**observation.terms(run), **effect_terms(model, config.effects)}
                loss = torch.stack(list(terms.values())).sum()
            check_loss(float(loss.detach()), state.epoch, config.seed)
            (SCALE * loss).backward()
            # The score belongs to the weights before the step: remember those.
            due = state.epoch % settings.validate_every == 0
            state.record(terms, float(loss.detach()), run, score if due else None)
            norm = torch.nn.utils.clip_grad_norm_(fitted, settings.clip)
            if torch.isfinite(norm):
                state.optimiser.step()
            else:
                state.skip(settings.epochs, config.seed)
            state.epoch += 1
            state.seconds = before + time.perf_counter() - started
            bar.update()
            bar.set_postfix(loss=f"{state.history[-1]['loss']:.3f}", unseen=f"{state.best_score:.3f}", refresh=False)
            if checkpoint is not None and state.epoch % settings.checkpoint_every == 0:
                state.save(Path(checkpoint))
    if checkpoint is not None:
        state.save(Path(checkpoint))


def _learning_rate(settings: TrainConfig, epoch: int) -> float:
    """One cycle: a linear rise over the first eighth, then half a cosine to a hundredth. A pure function of the epoch,
    so that a resumed run follows the same course."""
    rise = max(1, settings.epochs // 8)
    if epoch < rise:
        return settings.learning_rate * (0.1 + 0.9 * epoch / rise)
    share = (epoch - rise) / max(1, settings.epochs - rise)
    return settings.learning_rate * (0.01 + 0.99 * 0.5 * (1 + np.cos(np.pi * share)))


class _State:
    """Everything that a resumed run needs: weights, moments, best weights, history."""

    def __init__(self, weights: dict[str, Tensor], optimiser: torch.optim.Adam, identity: str, settled: int):
        self.weights, self.optimiser, self.identity, self.settled = weights, optimiser, identity, settled
        self.epoch, self.seconds, self.history, self.skipped = 0, 0.0, [], 0
        self.best_score, self.best_epoch, self.best_share = float("inf"), 0, None
        self.remember()

    def remember(self):
        """Take the present weights for the best."""
        self.best = {k: v.detach().clone() for k, v in self.weights.items()}

    def record(self, terms, loss, run: Trajectory, score_of: Callable | None):
        """Note an epoch; where it is scored, take its weights for the best if they are."""
        entry = {"epoch": self.epoch, "loss": loss, **{k: float(v.detach()) for k, v in terms.items()}}
        if score_of is not None:
            entry["validation"] = score = score_of(run)
            # Before the last quarter, at a high learning rate, a good score is luck: the latest weights count as best.
            # Otherwise the lower score does; `not >=` also holds where there is nothing to validate on.
            if self.epoch < self.settled or not score >= self.best_score:
                self.best_score, self.best_epoch = score, self.epoch
                self.best_share = share_of_movers(run.flow, run.stock)
                self.remember()
        self.history.append(entry)

    def skip(self, epochs: int, seed: int):
        """Leave out a step that has no finite gradients, unless too many were left out."""
        self.skipped += 1
        check_skipped(self.skipped, epochs, seed)

    def check(self, seed: int):
        """Refuse a finished training that made the loss grow, or whose best weights move no plausible world."""
        check_course([entry["loss"] for entry in self.history], seed)
        check_movers(self.best_share, seed)

    def exhausted(self, patience: int) -> bool:
        return self.epoch - self.best_epoch > patience

    def restore_best(self):
        with torch.no_grad():
            for name, weight in self.weights.items():
                weight.copy_(self.best[name])

    def save(self, file: Path):
        tensors = {f"now.{k}": v.detach() for k, v in self.weights.items()}
        tensors |= {f"best.{k}": v for k, v in self.best.items()}
        for name, weight in self.weights.items():
            for key, value in self.optimiser.state.get(weight, {}).items():
                tensors[f"adam.{key}.{name}"] = value.detach()
        about = {"identity": self.identity, "state": json.dumps({
            "epoch": self.epoch, "seconds": self.seconds, "history": self.history, "best_score": self.best_score,
            "best_epoch": self.best_epoch, "best_share": self.best_share, "skipped": self.skipped})}
        with artifacts.atomic(file) as temporary:
            save_file({k: v.contiguous().cpu() for k, v in tensors.items()}, temporary, metadata=about)

    def load(self, file: Path):
        tensors, about = read_weights(file)
        if about.get("identity") != self.identity:
            raise ArtifactError(file, "checkpoint belongs to other settings, data or code",
                                "delete it to train anew, or restore the settings it was made with")
        state = json.loads(about["state"])
        self.epoch, self.seconds, self.history = state["epoch"], state["seconds"], state["history"]
        self.best_score, self.best_epoch, self.best_share, self.skipped = (
            state[k] for k in ("best_score", "best_epoch", "best_share", "skipped"))
        with torch.no_grad():
            for name, weight in self.weights.items():
                weight.copy_(tensors[f"now.{name}"])
                self.best[name] = tensors[f"best.{name}"].to(weight.device)
                moments = {k: tensors[f"adam.{k}.{name}"] for k in ("step", "exp_avg", "exp_avg_sq")
                           if f"adam.{k}.{name}" in tensors}
                if moments:   # the cell, which is at rest, has none
                    self.optimiser.state[weight] = {k: v if k == "step" else v.to(weight.device)
                                                    for k, v in moments.items()}


def read_weights(file: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a safetensors file, packed or not (no pickle is ever read).

    Raises
    ------
    ArtifactError
        When the file is missing or damaged.
    """
    from safetensors import safe_open

    artifacts.require(file, "training")
    try:
        with safe_open(file, framework="pt") as handle:
            about = handle.metadata() or {}
        tensors = load_file(file)
        return (unpack(tensors, about, file) if "packed" in about else tensors), about
    except SafetensorError as error:
        raise ArtifactError(file, f"not a readable safetensors file ({error})", "delete it and train again") from error


def save_member(member: Member, file: Path, config: Config) -> Path:
    """Weights of model and observation model as float32 safetensors, and where it learned from reports; in the
    metadata the configuration, and how long it took, where that is known."""
    tensors = {f"{part}.{k}": v.detach().cpu().contiguous() for part in ("model", "observation")
               for k, v in getattr(member, part).named_parameters() if f"{part}.{k}" not in ERRORS_OF_DATA}
    tensors["reported"] = member.model.reported_in.nonzero().squeeze(1).int().cpu()
    with artifacts.atomic(file) as temporary:
        save_file(tensors, temporary, metadata={
            "config": json.dumps(config.as_dict()),
            **({"seconds": f"{member.seconds:.1f}"} if np.isfinite(member.seconds) else {})})
    return Path(file)


def load_member(file: Path, panel: xr.Dataset, splits: xr.Dataset, config: Config) -> Member:
    """Rebuild a saved member on its panel.

    Raises
    ------
    ArtifactError
        When the weights do not fit this panel and configuration, naming the first that does not.
    """
    tensors, about = read_weights(file)
    n = panel.sizes["origin"]
    reported = np.zeros(panel.sizes["year"] * n * n, bool)
    positions = tensors.get("reported", torch.zeros(0)).long().numpy()
    if len(positions) and not 0 <= positions.min() <= positions.max() < reported.size:
        raise ArtifactError(file, "weights do not fit: reports lie outside the panel's years and territories",
                            "use the panel it was trained with", key="reported")
    reported[positions] = True
    model, observation, _ = build_member(panel, splits, config, reported.reshape(-1, n, n))
    for prefix, part in (("model.", model), ("observation.", observation)):
        for name, parameter in part.named_parameters():
            if prefix + name in ERRORS_OF_DATA:
                continue
            saved = tensors.get(prefix + name)
            if saved is None or saved.shape != parameter.shape:
                raise ArtifactError(file, f"weights do not fit: {prefix + name} is "
                                    f"{'missing' if saved is None else tuple(saved.shape)}, "
                                    f"{tuple(parameter.shape)} is needed", "use the panel and configuration it was "
                                    "trained with", key=prefix + name)
            with torch.no_grad():
                parameter.copy_(saved)
    return Member(model, observation, pd.DataFrame(), float(about.get("seconds", "nan")))


@torch.no_grad()
def predict(member: Member) -> Trajectory:
    """Run the member over all years with every feature shown; on CPU, persons.

    Raises
    ------
    DivergenceError
        When an implausible number of people would move.
    """
    run = Trajectory(*(x.cpu() for x in member.model()))
    check_movers(share_of_movers(run.flow, run.stock), "of this member")
    return run
