"""The ensemble: many members, each of its own seed, draw of the panel and held-out corridors, on any number of workers.

What differs between members is drawn by :mod:`humanflows.panel.draws`. There are ensembles of four designs
(:mod:`humanflows.panel.designs`): estimates rest on members that saw the whole panel, intervals are calibrated on what
others say of corridors, offices and years that they never saw (cross-fitting, as in CV+ [1]_).

Members are tasks of Dask. By default it starts worker processes on this machine; with the address of a scheduler they
run wherever its workers are. A member is a pure function of the panel, the configuration and its number: on machines of
one kind, with one number of threads, it ends in the same bytes wherever and however often it was interrupted. It keeps
a checkpoint in its folder; when a worker dies, Dask gives the member to another one, which goes on from there.

Workers on other machines read the panel, and write members, under the same paths as here (a shared file system). Where
they cannot, ``ship`` sends them the panel's bytes and brings the member's files back; a member whose worker dies then
begins anew, because its checkpoint died with the worker.

References
----------
.. [1] Barber, Candès, Ramdas & Tibshirani (2021), Predictive inference with the jackknife+, Annals of Statistics 49,
   486–507.
"""
import socket
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
import xarray as xr
from dask import delayed
from tqdm import tqdm

from . import artifacts, paths, pipeline
from .cluster import open_client, split_address
from .config import Config, EnsembleConfig
from .errors import ArtifactError, ConfigError
from .kept import configure, fit_or_go_on, settings_of
from .model import train as training
from .panel.designs import hidden_observations, member_config, shown_to, withheld_from
from .panel.draws import draw_panel
from .panel.hidden_years import hidden_year_observations
from .panel.splits import make_splits
from .panel.withhold import withheld_observations
from .results.estimates import write_estimates

MADE_BY = "humanflows ensemble"
WEIGHTS, HISTORY, ESTIMATES, CHECKPOINT = ("weights.safetensors", "history.csv", "estimates.nc",
                                           "checkpoint.safetensors")
FILES = (WEIGHTS, HISTORY, ESTIMATES)
_DRAWN_CODE = (*training.TRAINING_CODE, "panel/draws.py", "panel/designs.py", "panel/withhold.py")
_HIDDEN_CODE = "panel/hidden_years.py"      # decides what members of the design "crossed" see, and of no other
_CODE = (*_DRAWN_CODE, _HIDDEN_CODE, "ensemble.py", "kept.py", "results/estimates.py")
_READING = threading.Lock()
_ALONE = threading.Lock()   # torch's seed belongs to a process: a worker with several threads trains one at a time


@dataclass(frozen=True)
class Job:
    """What a worker needs to make one member."""

    number: int
    config: Config      # of the member, see member_config
    panel: Path
    panel_sha256: str
    target: Path        # folder of the member's files
    threads: int
    code: str           # digest: a worker must run the same


def folder(profile: str, design: str = "whole") -> Path:
    """Where the members of a profile's ensemble lie."""
    return paths.artifacts(profile) / "ensemble" / design


def member_folder(profile: str, number: int, design: str = "whole") -> Path:
    """Where the files of one member lie: ``FILES``, and its checkpoint while it trains."""
    return folder(profile, design) / f"member-{number:02}"


def member_panel(panel: xr.Dataset, config: Config) -> xr.Dataset:
    """The panel that the member of this configuration (see ``member_config``) learns from and is run on."""
    shown = shown_to(panel, config)
    if config.ensemble.design == "crossed":
        shown = shown.isel(observation=~hidden_year_observations(shown, config.seed))
    return draw_panel(shown, config.ensemble, config.seed)


def load_member(profile: str, number: int, panel: xr.Dataset, config: Config) -> training.Member:
    """A member as it was trained, on the panel that it drew.

    Parameters
    ----------
    panel : of the profile, undrawn.
    config : of the ensemble, not of the member.
    """
    own = member_config(config, number)
    return training.load_member(member_folder(profile, number, own.ensemble.design) / WEIGHTS, member_panel(panel, own),
                                make_splits(panel, own.split), own)


def keep_member(panel: xr.Dataset, config: Config, target: Path) -> bool:
    """Train one member and run it, unless that was done; an interrupted training goes on from its checkpoint.

    Parameters
    ----------
    panel : of the profile, undrawn.
    config : of the member, see ``member_config``.
    target : folder for ``FILES``, each written as a whole; beside weights and estimates lie their manifests.

    Returns
    -------
    bool: whether anything was made.
    """
    weights, estimates, checkpoint = target / WEIGHTS, target / ESTIMATES, target / CHECKPOINT
    splits, drawn, made = make_splits(panel, config.split), None, False
    inputs = inputs_of(panel, splits, config)
    if not has_weights(target, inputs):
        drawn, made = member_panel(panel, config), True
        member = fit_or_go_on(drawn, splits, config, checkpoint)
        artifacts.write_text(target / HISTORY, member.history.to_csv(index=False))
        # How long it took lies in the manifest: the weights are the same bytes however often they were interrupted.
        training.save_member(replace(member, seconds=float("nan")), weights, config)
        artifacts.write_manifest(weights, inputs=inputs, seconds=round(member.seconds, 1), epochs=len(member.history),
                                 beside=[target / HISTORY], **_about(config))
        checkpoint.unlink(missing_ok=True)
    inputs = {**inputs, "weights": artifacts.sha256(weights)}
    if not artifacts.is_fresh(estimates, inputs):
        started, made = time.perf_counter(), True
        drawn = member_panel(panel, config) if drawn is None else drawn
        run = training.predict(training.load_member(weights, drawn, splits, config))
        write_estimates(run.flow.numpy(), run.stock.numpy(), None, panel["year"].values.tolist(),
                        panel["origin"].values.astype(str).tolist(), estimates)
        artifacts.write_manifest(estimates, inputs=inputs, seconds=round(time.perf_counter() - started, 1),
                                 **_about(config))
    return made


def has_weights(target: Path, inputs: dict) -> bool:
    """Whether a member's folder holds whole weights that were made of these inputs (``inputs_of``)."""
    return artifacts.is_fresh(target / WEIGHTS, inputs, [target / HISTORY])


def _about(config: Config) -> dict:
    return {"made_by": MADE_BY, "device": training.choose_device(config.train.device).type, "profile": config.profile,
            "seed": config.seed, "design": config.ensemble.design, "held_out_fold": config.split.held_out_fold,
            "without_group": config.ensemble.without_group, "threads": torch.get_num_threads()}


def inputs_of(panel: xr.Dataset, splits: xr.Dataset, config: Config) -> dict:
    """Digests of all that decides the weights of the member of a configuration (``member_config``)."""
    draws = {k: v for k, v in asdict(config.ensemble).items() if not k.endswith("members")}
    code = (*_DRAWN_CODE, _HIDDEN_CODE) if config.ensemble.design == "crossed" else _DRAWN_CODE
    return {"panel": training.content_digest(panel), "splits": training.content_digest(splits), "draws": draws,
            "settings": settings_of(config), "code": artifacts.code_digest(*code)}


def make_member(job: Job, panel: bytes | None = None) -> dict:
    """What a worker does: make a member where it is, or with the panel's bytes in a folder of its own.

    Parameters
    ----------
    job : which member, of what, and where to.
    panel : content of the panel's file, where the worker cannot read it.

    Returns
    -------
    dict: ``number, host, device, seconds, made``, and ``files``: by name their bytes, empty unless the panel was sent.

    Raises
    ------
    ArtifactError
        When the worker lacks the panel, has another one, or runs other code.
    DivergenceError
        When the training diverged.
    """
    host, started = socket.gethostname(), time.perf_counter()
    if artifacts.code_digest(*_CODE) != job.code:
        raise ArtifactError(host, "the worker runs another version of humanflows", "install the same one there")
    with _ALONE, TemporaryDirectory(prefix="humanflows-") if panel else _nothing() as own:
        torch.set_num_threads(job.threads)
        file, target = (Path(own) / "panel.nc", Path(own) / "member") if own else (job.panel, job.target)
        if panel:
            file.write_bytes(panel)
        if not file.is_file():
            raise ArtifactError(file, f"worker {host} has no such file", "give it the same file system (the folder "
                                "HUMANFLOWS_BUILD), or send the panel along with --ship")
        if artifacts.sha256(file) != job.panel_sha256:
            raise ArtifactError(file, f"worker {host} has another panel here", "copy this machine's panel there, or "
                                "send it along with --ship")
        made = keep_member(xr.load_dataset(file, engine="netcdf4"), job.config, target)
        files = {f.name: f.read_bytes() for name in FILES
                 for f in (target / name, artifacts.manifest_path(target / name)) if f.is_file()} if panel else {}
    return {"number": job.number, "host": host, "made": made, "seconds": time.perf_counter() - started,
            "device": training.choose_device(job.config.train.device).type, "files": files}


def store_files(files: Mapping[str, bytes], target: Path, host: str) -> None:
    """Write the files of a member that a worker has sent: those of ``FILES`` and their manifests, and no others.

    Parameters
    ----------
    files : by name their bytes.
    target : folder of the member.
    host : the worker's machine, for messages.

    Raises
    ------
    ArtifactError
        For a file of another name; nothing is written then.
    """
    known = {name for f in FILES for name in (f, artifacts.manifest_path(Path(f)).name)}
    for name, content in files.items():
        if name not in known or not isinstance(content, bytes):
            raise ArtifactError(host, f"the worker sent {str(name)[:80]!r}, which is no file of a member",
                                "run workers of this version of humanflows, on machines that you trust",
                                key=str(name)[:80])
    for name in sorted(files, key=lambda n: n.endswith(".json")):   # manifests after what they speak of
        artifacts.write_bytes(target / name, files[name])


@contextmanager
def _nothing():
    yield None


def number_of_members(config: Config) -> int:
    """How many members the ensemble of a configuration has; those of some designs are fewer."""
    return getattr(config.ensemble, _number_key(config.ensemble.design))


def _number_key(design: str) -> str:
    return "members" if design == "whole" else f"{design}_members"


def list_members(config: Config, only: Iterable[int] | None = None) -> list[int]:
    """Numbers of members, all or those asked for, from 1.

    Raises
    ------
    ConfigError
        For a number that no member has.
    """
    every = range(1, number_of_members(config) + 1)
    if unknown := [k for k in only or () if k not in every]:
        raise ConfigError("--only", f"there is no member {unknown[0]}", f"members are 1 to {len(every)}", key="only")
    return [k for k in every if not only or k in set(only)]


def run_ensemble(profile: str, *, design: str | None = None, members: int | None = None,
                 only: Iterable[int] | None = None, workers: int = 2, threads: int = 1, cluster: str | None = None,
                 ship: bool = False, settings: Mapping | None = None) -> dict[int, Path]:
    """Make all members that are not there; what is fresh is kept, an interrupted one goes on.

    Parameters
    ----------
    profile : whose panel there must be (``humanflows harmonise``).
    design : what members do not see, one of ``config.DESIGNS``, instead of the configuration's.
    members : how many, instead of the configuration's.
    only : numbers of some of them.
    workers, threads : processes on this machine and threads of each; with ``cluster`` threads alone count.
    cluster : address of a Dask scheduler, as ``tcp://host:8786``.
    ship : send workers the panel and bring members back, where they do not share this machine's files.
    settings : changes of the configuration.

    Returns
    -------
    dict: the members' folders.

    Raises
    ------
    ArtifactError
        Without a panel; and the first member's error, when all others are done; every failure is printed.
    ConfigError
        When no scheduler answers, or it has no workers.
    """
    if cluster is not None:
        split_address(cluster)     # before anything is read
    config = ensemble_config(profile, design=design, members=members, settings=settings)
    chosen = list_members(config, only)
    panel = artifacts.require_whole(pipeline.panel_path(config), f"humanflows harmonise --profile {profile}").resolve()
    sha, code = artifacts.sha256(panel), artifacts.code_digest(*_CODE)
    jobs = [Job(k, member_config(config, k), panel, sha,
                member_folder(profile, k, config.ensemble.design).resolve(), threads, code) for k in chosen]
    with open_client(cluster, min(workers, len(jobs))) as client:
        _announce(client, jobs, cluster)
        _run(client, jobs, panel if ship else None)
    return {j.number: j.target for j in jobs}


def ensemble_config(profile: str, *, design: str | None = None, members: int | None = None,
                    settings: Mapping | None = None) -> Config:
    """Configuration of an ensemble of so many members of a design."""
    given = dict(settings or {})
    own = dict(given.get("ensemble", {}))
    if design is not None:
        own["design"] = design
    if members is not None:
        chosen = own.get("design", EnsembleConfig().design)
        own[_number_key(chosen)] = members
    if own:
        given["ensemble"] = own
    return configure(profile, settings=given)


def _announce(client, jobs: list[Job], cluster: str | None) -> None:
    hosts = [w["host"] for w in client.scheduler_info(n_workers=-1)["workers"].values()]
    where = ", ".join(f"{hosts.count(h)} on {h}" for h in dict.fromkeys(hosts))
    print(f"ensemble: {len(jobs)} members of design {jobs[0].config.ensemble.design}, "
          f"{'workers of ' + cluster if cluster else 'worker processes'}: {where}; {jobs[0].threads} thread(s) each",
          flush=True)


def _run(client, jobs: list[Job], ship: Path | None) -> None:
    """Hand out the jobs and see them done: a failure does not stop the others."""
    from distributed import KilledWorker, as_completed

    panel = client.scatter(ship.read_bytes(), broadcast=True, hash=False) if ship else None
    futures = {client.submit(make_member, job, panel, key=f"member-{job.number}-{job.code}-{time.time_ns()}",
                             pure=False): job for job in jobs}
    failed = []
    bar = tqdm(total=len(jobs), desc="ensemble", unit="member", ncols=100)
    for future in as_completed(futures, loop=client.loop):
        job = futures[future]
        bar.update()
        try:
            done = future.result()
            store_files(done["files"], job.target, done["host"])
        except KilledWorker as error:
            failed.append((job.number, ArtifactError(
                job.target, f"worker processes died while they made member {job.number}, the last of them "
                f"{error.last_worker.address}", "see whether memory was short, and use fewer --workers (benchmarks/ "
                "says what a member needs)")))
            continue
        except Exception as error:  # collected: the others go on
            failed.append((job.number, error))
            continue
        what = f"made in {done['seconds']:.1f} s" if done["made"] else "is up to date"
        bar.write(f"ensemble: member {job.number} {what} on {done['host']} ({done['device']})")
    bar.close()
    for number, error in sorted(failed, key=lambda x: x[0]):
        print(f"ensemble: member {number} failed: {error}", flush=True)
    if failed:
        raise min(failed, key=lambda x: x[0])[1]


def open_members(profile: str, *, design: str | None = None, members: int | None = None,
                 settings: Mapping | None = None) -> xr.Dataset:
    """Estimates of all members, read only where they are used.

    Parameters
    ----------
    profile : whose ensemble has been made.
    design, members, settings : as it was made.

    Returns
    -------
    Dataset of Dask arrays: ``flow`` (member, year, origin, destination), ``stock`` (member, date_year, birthplace,
    residence), ``net_migration`` (member, year, residence), persons; with ``seed, held_out_fold, without_group``
    (member).

    Raises
    ------
    ArtifactError
        When a member is missing or damaged, or members were made of different data, settings or code.
    """
    config = ensemble_config(profile, design=design, members=members, settings=settings)
    again, opened, first = f"run {MADE_BY} --profile {profile}; what is fresh is kept", [], None
    for number in list_members(config):
        own = member_config(config, number)
        file = member_folder(profile, number, own.ensemble.design) / ESTIMATES
        made = artifacts.read_manifest(artifacts.require(file, f"{MADE_BY} --profile {profile}"))
        if not made or made["sha256"] != artifacts.sha256(file):
            raise ArtifactError(file, f"the estimates of member {number} are not those that their manifest describes: "
                                "the file is damaged or half of it was replaced", again, key=number)
        wanted = {"seed": own.seed, "held_out_fold": own.split.held_out_fold,
                  "without_group": own.ensemble.without_group}
        if wrong := [f"{k} {made.get(k)} instead of {v}" for k, v in wanted.items() if made.get(k) != v]:
            raise ArtifactError(file, f"member {number} has {', '.join(wrong)}: it is of another ensemble", again,
                                key=number)
        alike = common_inputs(made["inputs"])
        first = first or alike
        if changed := [k for k in first if artifacts.digest(alike.get(k)) != artifacts.digest(first[k])]:
            raise ArtifactError(file, f"member {number} was made with other {', '.join(changed)} than member 1", again,
                                key=number)
        opened.append(read_later(file).assign_coords(member=number, **wanted))
    whole = xr.concat(opened, "member", join="exact", coords="different", compat="equals", combine_attrs="override")
    return whole.assign_coords({d: whole[d].astype(str) for d in ("origin", "destination", "birthplace", "residence")})


def read_later(file: Path) -> xr.Dataset:
    """A member's estimates as Dask arrays of one block each. No file stays open: the library under netCDF4 is not safe
    against threads, and crashes when a file is closed in one while it is opened in another."""
    import dask.array

    with _READING, xr.open_dataset(file, engine="netcdf4") as opened:
        coordinates = {k: v.load() for k, v in opened.coords.items()}
        about = {k: (v.dims, v.shape, v.dtype, v.attrs) for k, v in opened.data_vars.items()}
        attrs = opened.attrs
    return xr.Dataset({k: (dims, dask.array.from_delayed(delayed(_read)(file, k), shape, dtype), a)
                       for k, (dims, shape, dtype, a) in about.items()}, coordinates, attrs)


def _read(file: Path, name: str) -> np.ndarray:
    with _READING, xr.open_dataset(file, engine="netcdf4") as opened:
        return opened[name].values


def common_inputs(inputs: Mapping) -> dict:
    """What members of one ensemble were all made of."""
    alike = {k: v for k, v in inputs.items() if k not in ("splits", "weights")}
    settings = {k: v for k, v in alike["settings"].items() if k not in ("seed", "split")}
    split = {k: v for k, v in alike["settings"]["split"].items() if k != "validation_draw"}
    draws = {k: v for k, v in alike["draws"].items() if k != "without_group"}
    return {**alike, "settings": {**settings, "split": split}, "draws": draws}


def never_saw(panel: xr.Dataset, config: Config) -> np.ndarray:
    """Which members never saw a reported flow: bool (member, observation), members as ``list_members`` has them.

    Parameters
    ----------
    panel : of the profile, with everything.
    config : of the ensemble.
    """
    own = [member_config(config, k) for k in list_members(config)]
    hidden = np.stack([hidden_observations(panel, make_splits(panel, c.split), c) for c in own])
    return hidden | hidden_years(panel, config)


def hidden_years(panel: xr.Dataset, config: Config) -> np.ndarray:
    """Which reported flows members did not see though they saw the office's other years of the corridor.

    Parameters and result are those of :func:`never_saw`; of designs other than ``crossed`` there are none.
    """
    own = [member_config(config, k) for k in list_members(config)]
    out = np.zeros((len(own), panel.sizes["observation"]), dtype=bool)
    if config.ensemble.design == "crossed":
        for row, c in zip(out, own):
            shown = ~withheld_observations(panel, **withheld_from(panel, c))
            row[shown] = hidden_year_observations(panel.isel(observation=shown), c.seed)
    return out
