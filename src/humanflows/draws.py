"""Draws from the posterior: every draw a whole, consistent world, by each of several networks.

A member's network rests; its effects, biases and errors are solved for again and again, each time with perturbed data
and priors (:mod:`humanflows.model.perturbation`), from the mode of what was observed. Networks that were trained from
different seeds, weights of reports and errors of covariates bring the uncertainty of what covariates say; first stocks
and a common level of all reports are drawn as well (:mod:`humanflows.panel.draws`).

Under ``artifacts/<profile>/draws/<design>/member-01``: ``mode.safetensors``, and for each draw ``draw-01.nc`` (flows,
stocks, net migration) and ``draw-01.safetensors`` (its parameters). Each is a pure function of panel, configuration and
numbers, and kept when fresh: an interrupted run goes on with the draw that it was at.
"""
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from safetensors.torch import save_file
from torch import Tensor
from tqdm import tqdm

from . import artifacts, ensemble, paths, pipeline
from .cluster import open_client, split_address
from .config import Config, EnsembleConfig
from .errors import ArtifactError
from .model import observation_data, posterior
from .model import train as training
from .model.perturbation import perturb, unlearned_deviations
from .panel.designs import shown_to
from .panel.draws import draw_panel, drawn_biases
from .panel.hidden_years import hidden_year_observations
from .panel.splits import make_splits
from .results.estimates import write_estimates

MADE_BY = "humanflows sample"
MODE = "mode.safetensors"
_CODE = ("draws.py", "model/perturbation.py", "model/posterior.py", "results/estimates.py", "panel/draws.py",
         "panel/designs.py", "panel/withhold.py", "panel/hidden_years.py", *training.TRAINING_CODE)
_KEPT = ("observation.bias_mean", "model.stock_initial")     # of a draw, beside the parameters


def folder(profile: str, design: str = "whole") -> Path:
    """Where the draws of a design's members lie."""
    return paths.artifacts(profile) / "draws" / design


def draw_file(profile: str, member: int, number: int, design: str = "whole") -> Path:
    """Estimates of one draw; its parameters lie beside it, with the suffix ``.safetensors``."""
    return folder(profile, design) / f"member-{member:02}" / f"draw-{number:02}.nc"


@dataclass(frozen=True)
class Job:
    """What a worker needs to make the draws of one member."""

    member: int
    numbers: tuple[int, ...]
    config: Config          # of the member, see ``ensemble.member_config``
    panel: Path
    weights: Path
    target: Path
    code: str               # digest: a worker must run the same


def seen_panel(panel: xr.Dataset, config: Config) -> xr.Dataset:
    """What the member of a configuration may see, with its errors of covariates, and every report at its full weight.

    Weights of reports make networks differ; a draw perturbs the reports themselves.
    """
    shown = shown_to(panel, config)
    if config.ensemble.design == "crossed":
        shown = shown.isel(observation=~hidden_year_observations(shown, config.seed))
    return draw_panel(shown, replace(config.ensemble, reporters=0.0, corridors=0.0, stocks=0.0, biases=0.0),
                      config.seed)


def run_draws(profile: str, *, design: str | None = None, only: Iterable[int] | None = None, workers: int = 2,
              cluster: str | None = None, settings: Mapping | None = None) -> list[Path]:
    """Make the draws of all members of a design; what is fresh is kept.

    Parameters
    ----------
    profile : whose ensemble there must be (``humanflows ensemble``).
    design : one of ``config.DESIGNS``, instead of the configuration's.
    only : numbers of some members.
    workers : processes on this machine, of one thread each.
    cluster : address of a Dask scheduler whose workers share this machine's files.
    settings : changes of the configuration.

    Returns
    -------
    list: estimates of all draws.

    Raises
    ------
    ArtifactError
        When a member's weights are missing or of other data, settings or code; the first member's error, when all
        others are done; every failure is printed.
    """
    if cluster is not None:
        split_address(cluster)
    config = ensemble.ensemble_config(profile, design=design, settings=settings)
    design, number = config.ensemble.design, config.draws.number
    panel = artifacts.require_whole(pipeline.panel_path(config), f"humanflows harmonise --profile {profile}").resolve()
    code = artifacts.code_digest(*_CODE)
    jobs = []
    for k in ensemble.list_members(config, only):
        weights = ensemble.member_folder(profile, k, design) / ensemble.WEIGHTS
        artifacts.require(weights, f"{ensemble.MADE_BY} --profile {profile} --design {design}")
        jobs.append(Job(k, tuple(range(1, number + 1)), ensemble.member_config(config, k), panel, weights.resolve(),
                        (folder(profile, design) / f"member-{k:02}").resolve(), code))
    print(f"sample: {number} draws of each of {len(jobs)} members of design {design} on "
          f"{training.choose_device(config.train.device).type}", flush=True)
    with open_client(cluster, min(workers, len(jobs))) as client:
        _run(client, jobs)
    return [draw_file(profile, j.member, k, design) for j in jobs for k in j.numbers]


def _run(client, jobs: list[Job]) -> None:
    """Hand out the jobs and see them done: a failure does not stop the others."""
    from distributed import as_completed

    futures = {client.submit(make_draws, job, key=f"draws-{job.member}-{job.code}-{time.time_ns()}", pure=False): job
               for job in jobs}
    failed, bar = [], tqdm(total=len(jobs), desc="sample", unit="member", ncols=100)
    for future in as_completed(futures, loop=client.loop):
        bar.update()
        try:
            done = future.result()
        except Exception as error:  # collected: the others go on
            failed.append((futures[future].member, error))
            continue
        bar.write(f"sample: member {done['member']}: {done['made']} draws made in {done['seconds']:.0f} s on "
                  f"{done['host']}")
    bar.close()
    for member, error in sorted(failed, key=lambda x: x[0]):
        print(f"sample: member {member} failed: {error}", flush=True)
    if failed:
        raise min(failed, key=lambda x: x[0])[1]


def make_draws(job: Job) -> dict:
    """What a worker does: the draws of one member, those that are not there.

    Returns
    -------
    dict: ``member, host, seconds``, and ``made``, how many.
    """
    if artifacts.code_digest(*_CODE) != job.code:
        raise ArtifactError(socket.gethostname(), "the worker runs another version of humanflows",
                            "install the same one there")
    torch.set_num_threads(1)
    started = time.perf_counter()
    panel = xr.load_dataset(artifacts.require(job.panel, "humanflows harmonise"), engine="netcdf4")
    made = keep_draws(panel, job.config, job.weights, job.target, job.numbers)
    return {"member": job.member, "host": socket.gethostname(), "made": made,
            "seconds": time.perf_counter() - started}


def inputs_of(panel: xr.Dataset, config: Config, weights: Path) -> dict:
    """Digests of all that decides the draws of a member but for their numbers."""
    splits = make_splits(panel, config.split)
    made = ensemble.inputs_of(panel, splits, config)
    draws = {k: v for k, v in config.as_dict()["draws"].items() if k != "number"}
    return {**{k: v for k, v in made.items() if k != "code"}, "sampling": draws, "weights": artifacts.sha256(weights),
            "code": artifacts.code_digest(*_CODE)}


def keep_draws(panel: xr.Dataset, config: Config, weights: Path, target: Path, numbers: Iterable[int], *,
               progress: bool = False) -> int:
    """Make the mode and the draws of one member, unless they are fresh. Returns how many draws were made.

    Parameters
    ----------
    panel : of the profile, undrawn.
    config : of the member, see ``ensemble.member_config``.
    weights : of the member.
    target : folder.
    numbers : of the draws, from 1.
    """
    inputs = inputs_of(panel, config, weights)
    missing = [k for k in numbers
               if not artifacts.is_fresh(target / f"draw-{k:02}.nc", inputs, [target / f"draw-{k:02}.safetensors"])]
    if not missing:
        return 0
    shown = seen_panel(panel, config)
    member = training.load_member(weights, shown, make_splits(panel, config.split), config)
    device = training.choose_device(config.train.device)
    member.model.to(device), member.observation.to(device)
    if config.train.compile:
        torch._dynamo.config.suppress_errors = True
        member.model.advance = torch.compile(member.model.advance, dynamic=False)
    member.model.read_covariates()
    mode, deviations = _keep_mode(member, config, target / MODE, inputs, progress)
    for number in missing:
        started = time.perf_counter()
        values, run, solution = make_draw(member, shown, config, number, mode, deviations, progress=progress)
        file = target / f"draw-{number:02}.nc"
        beside = file.with_suffix(".safetensors")
        with artifacts.atomic(beside) as temporary:
            # one entry: several are written in any order, and the same draw would be other bytes
            save_file(values, temporary, metadata={"draw": f"seed {config.seed}, number {number}"})
        write_estimates(run.flow.cpu().numpy(), run.stock.cpu().numpy(), None, panel["year"].values.tolist(),
                        panel["origin"].values.astype(str).tolist(), file, made_by=MADE_BY, inputs=inputs,
                        beside=[beside], profile=config.profile, seed=config.seed, design=config.ensemble.design,
                        number=number, nats=round(float(solution.loss[-1]), 1),
                        seconds=round(time.perf_counter() - started, 1))
    return len(missing)


def _keep_mode(member: training.Member, config: Config, file: Path, inputs: dict,
               progress: bool) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The mode of what was observed, and the conditional deviations there."""
    if artifacts.is_fresh(file, inputs):
        kept, _ = training.read_weights(file)
        parts = [{k.removeprefix(f"{part}."): v for k, v in kept.items() if k.startswith(f"{part}.")}
                 for part in ("mode", "deviation")]
        posterior.set_values(member, parts[0])
        return parts[0], {k: v.to(member.model.births.device) for k, v in parts[1].items()}
    settings, started = config.draws, time.perf_counter()
    deviations = posterior.deviations_of(posterior.curvature(member, config, config.seed))
    solution = posterior.solve(member, config, None, deviations, epochs=settings.mode_epochs, rate=settings.rate,
                               title="mode", progress=progress)
    deviations = posterior.deviations_of(posterior.curvature(member, config, config.seed))
    mode = posterior.values_of(member)
    tensors = {**{f"mode.{k}": v for k, v in mode.items()},
               **{f"deviation.{k}": v.cpu() for k, v in deviations.items()}}
    with artifacts.atomic(file) as temporary:
        save_file({k: v.contiguous() for k, v in tensors.items()}, temporary)
    artifacts.write_manifest(file, made_by=MADE_BY, inputs=inputs, profile=config.profile, seed=config.seed,
                             nats=[round(float(x), 1) for x in solution.loss[:: max(1, len(solution.loss) // 20)]],
                             seconds=round(time.perf_counter() - started, 1))
    return mode, deviations


def make_draw(member: training.Member, shown: xr.Dataset, config: Config, number: int, mode: dict[str, Tensor],
              deviations: dict[str, Tensor], *, progress: bool = False):
    """One draw: the mode of perturbed data, from the mode of what was observed.

    Returns
    -------
    values : parameters of the draw by name, and what it has drawn of first stocks and of biases' means.
    run : ``recursion.Trajectory`` of its flows and stocks.
    solution : ``posterior.Solution``.
    """
    model, observation = member.model, member.observation
    posterior.set_values(member, mode)
    with _first_stocks(member, shown, config, number):
        with torch.no_grad():
            run = model()
        perturbation = perturb(model, observation, run, config.effects, seed_of(config, number))
        solution = posterior.solve(member, config, perturbation, deviations, epochs=config.draws.epochs,
                                   rate=config.draws.rate, title=f"draw {number}", progress=progress)
        with torch.no_grad(), posterior.perturbed(member, perturbation):
            run = model()
            values = {**posterior.values_of(member), **{k: _get(member, k).detach().cpu().clone() for k in _KEPT}}
        # the level of a draw's biases is its means' and its steps'; the perturbation of the means is in the steps, too
        values["observation.bias_mean"] = observation.bias_mean.detach().cpu().clone()
    training.check_movers(training.share_of_movers(run.flow, run.stock), f"of draw {number}")
    return values, run, solution


def seed_of(config: Config, number: int) -> tuple[int, int]:
    """Seed of a member's draw."""
    return config.seed, number


@contextmanager
def _first_stocks(member: training.Member, shown: xr.Dataset, config: Config, number: int):
    """Within, the first stocks, later counts and the level of biases are those of the draw."""
    strength = config.ensemble
    drawn = draw_panel(shown, replace(EnsembleConfig(), reporters=0.0, corridors=0.0, covariates=0.0,
                                      stocks=strength.stocks, biases=strength.biases), draw_seed(config, number))
    model, observation = member.model, member.observation
    new = {f"stock_{k}": v for k, v in observation_data.read_stocks(drawn).items()} if strength.stocks else {}
    anchors = drawn_biases(drawn)
    if anchors is not None:
        mean = observation.bias_mean.cpu().numpy() + sum(anchors)[observation.bias_witness.cpu().numpy()]
        new["bias_mean"] = mean
    kept = {name: getattr(observation, name) for name in new if hasattr(observation, name)}
    initial = model.stock_initial
    try:
        for name, given in kept.items():
            setattr(observation, name, torch.as_tensor(np.ascontiguousarray(new[name])).to(given))
        model.stock_initial = torch.as_tensor(drawn.stock_initial.values).to(initial)
        yield
    finally:
        for name, given in kept.items():
            setattr(observation, name, given)
        model.stock_initial = initial


def draw_seed(config: Config, number: int) -> int:
    """Seed of what is drawn of the panel for a member's draw: apart from all members' own seeds."""
    return (config.seed * 1000 + number) * 1000 + 7


def _get(member: training.Member, name: str) -> Tensor:
    part, key = name.split(".", 1)
    return getattr(getattr(member, part), key)


def open_draws(profile: str, design: str = "whole", *, settings: Mapping | None = None) -> xr.Dataset:
    """Estimates of all draws of a design, read only where they are used.

    Returns
    -------
    Dataset of Dask arrays: ``flow`` (draw, year, origin, destination), ``stock`` (draw, date_year, birthplace,
    residence), ``net_migration`` (draw, year, residence), persons; coordinates ``member`` and ``number`` (draw).

    Raises
    ------
    ArtifactError
        When a draw is missing, damaged, or of other data, settings or code than the first.
    """
    config = ensemble.ensemble_config(profile, design=design, settings=settings)
    again, opened, first = f"run {MADE_BY} --profile {profile} --design {design}; what is fresh is kept", [], None
    for member in ensemble.list_members(config):
        for number in range(1, config.draws.number + 1):
            file = artifacts.require(draw_file(profile, member, number, design), f"{MADE_BY} --profile {profile}")
            made = artifacts.read_manifest(file)
            if not made or made["sha256"] != artifacts.sha256(file):
                raise ArtifactError(file, "the draw is not the one that its manifest describes: the file is damaged or "
                                    "half of it was replaced", again, key=f"member {member}, draw {number}")
            alike = {k: v for k, v in ensemble.common_inputs(made["inputs"]).items()}
            first = first or alike
            if changed := [k for k in first if artifacts.digest(alike.get(k)) != artifacts.digest(first[k])]:
                raise ArtifactError(file, f"the draw was made with other {', '.join(changed)} than the first", again,
                                    key=f"member {member}, draw {number}")
            opened.append(ensemble.read_later(file).assign_coords(draw=len(opened) + 1, member=member, number=number))
    whole = xr.concat(opened, "draw", join="exact", coords="different", compat="equals", combine_attrs="override")
    return whole.assign_coords({d: whole[d].astype(str) for d in ("origin", "destination", "birthplace", "residence")})


def walk_draws(profile: str, design: str = "whole", *,
               settings: Mapping | None = None) -> Iterator[tuple[int, int, training.Member]]:
    """Every draw as a member whose model and observation model hold its parameters, one at a time.

    Yields
    ------
    member number, draw number, ``model.train.Member``; the same objects each time, with other values.
    """
    config = ensemble.ensemble_config(profile, design=design, settings=settings)
    panel = pipeline.open_panel(config)
    for k in ensemble.list_members(config):
        own = ensemble.member_config(config, k)
        weights = artifacts.require(ensemble.member_folder(profile, k, design) / ensemble.WEIGHTS, ensemble.MADE_BY)
        member = training.load_member(weights, seen_panel(panel, own), make_splits(panel, own.split), own)
        said = member.model.read_covariates()
        for number in range(1, config.draws.number + 1):
            file = draw_file(profile, k, number, design).with_suffix(".safetensors")
            put_draw(member, file, own, number, said)
            yield k, number, member


def put_draw(member: training.Member, file: Path, config: Config, number: int, said: Tensor) -> None:
    """Give a member the parameters of one of its draws.

    Parameters
    ----------
    file : of the draw's parameters.
    said : what the cell says of all pairs and years (``FlowModel.read_covariates``).

    Raises
    ------
    ArtifactError
        When the file does not fit the member.
    """
    values, _ = training.read_weights(file)
    wanted = {**posterior.values_of(member), **{k: _get(member, k) for k in _KEPT}}
    for name, now in wanted.items():
        if name not in values or values[name].shape != now.shape:
            raise ArtifactError(file, f"the draw does not fit its member: {name} is "
                                f"{'missing' if name not in values else tuple(values[name].shape)}, "
                                f"{tuple(now.shape)} is needed", f"run {MADE_BY} again", key=name)
    posterior.set_values(member, {k: v for k, v in values.items() if k not in _KEPT})
    for name in _KEPT:
        part, key = name.split(".", 1)
        setattr(getattr(member, part), key, values[name].to(_get(member, name)))
    member.model.systematic = said + unlearned_deviations(member.model, config.effects, seed_of(config, number))
