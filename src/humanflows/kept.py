"""Trainings that answer a question, kept: estimates are made once, tables once from them, and what is fresh stays.

Protocols and ablations are both many trainings under changed settings or with part of the data. Each has a folder with
``estimates.nc``, what its member expects of reports, and tables, manifests beside them. An interrupted training
resumes; tables are made again without training.
"""
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pandas as pd
import torch
import xarray as xr

from . import artifacts
from .config import Config, load_config
from .errors import ArtifactError
from .model import train as training
from .results.estimates import write_estimates
from .results.report_expectations import FILE, expectations_of, expectations_path, write_expectations


def configure(profile: str, *, epochs: int | None = None, settings: Mapping | None = None,
              split: Mapping | None = None) -> Config:
    """The profile's configuration with ``settings`` replaced (nested, as for ``load_config``) and so many epochs."""
    given = dict(settings or {})
    if epochs is not None:
        given["train"] = {**given.get("train", {}), "epochs": epochs}
    given["split"] = {**given.get("split", {}), **(split or {})}
    return load_config(profile, **given)


def settings_of(config: Config) -> dict:
    """What of the configuration decides a training, but for the fold that is held out."""
    given = config.as_dict()
    split = {k: v for k, v in given["split"].items() if k != "held_out_fold"}
    return {**{k: given[k] for k in ("seed", "model", "observation", "effects", "train")}, "split": split}


def keep_estimates(shown: xr.Dataset, splits: xr.Dataset, config: Config, target: Path, made_by: str) -> Path:
    """Estimates of a member trained on a panel: ``estimates.nc`` (float32) of a folder, kept when fresh; beside it what
    the member expects of reports (``results.report_expectations``).

    Parameters
    ----------
    shown : the panel, without what the training may not see.
    splits : corridors that it may not learn from.
    config : settings and seed.
    target : folder.
    made_by : command, for the manifest.
    """
    file, checkpoint = target / "estimates.nc", target / "checkpoint.safetensors"
    expected = expectations_path(file)
    inputs = {"shown": training.content_digest(shown), "splits": training.content_digest(splits),
              "settings": settings_of(config), "code": artifacts.code_digest(*training.TRAINING_CODE)}
    if artifacts.is_fresh(file, inputs, [expected]):
        return file
    member = fit_or_go_on(shown, splits, config, checkpoint)
    run = training.predict(member)
    places = shown["origin"].values.astype(str).tolist()
    write_expectations(expectations_of(member.observation, shown["year"].values.tolist()), expected)
    write_estimates(run.flow.numpy(), run.stock.numpy(), None, shown["year"].values.tolist(), places, file,
                    made_by=made_by, inputs=inputs, beside=[expected], profile=config.profile, seed=config.seed,
                    device=training.choose_device(config.train.device).type, seconds=round(member.seconds, 1),
                    epochs=len(member.history), threads=torch.get_num_threads())
    checkpoint.unlink(missing_ok=True)
    return file


def fit_or_go_on(shown: xr.Dataset, splits: xr.Dataset, config: Config, checkpoint: Path) -> training.Member:
    """A member, from its checkpoint where that is of this training, anew where it is damaged or of another one."""
    try:
        return training.fit_member(shown, splits, config, checkpoint, progress=False)
    except ArtifactError:
        if not checkpoint.is_file():
            raise
        checkpoint.unlink()     # of other settings, data or code
        return training.fit_member(shown, splits, config, checkpoint, progress=False)


def keep_tables(target: Path, tables: Iterable[str], inputs: dict, make: Callable[[], Mapping[str, pd.DataFrame]],
                config: Config, made_by: str) -> Path:
    """Tables of a folder, made unless they are fresh; the manifest lies beside the first and lists all.

    Parameters
    ----------
    target : folder.
    tables : names of the tables that ``make`` returns, the one with the manifest first.
    inputs : digests of all that they are made of.
    make : makes them.
    config, made_by : for the manifest.

    Returns
    -------
    Path of the first table.

    Raises
    ------
    ArtifactError
        When the first table has no rows.
    """
    names = list(tables)
    first, *beside = (target / f"{t}.csv" for t in names)
    if artifacts.is_fresh(first, inputs, beside):
        return first
    started = time.perf_counter()
    made = make()
    if not len(made[names[0]]):
        raise ArtifactError(first, "there is nothing to score: no row would be in this table",
                            "see whether what is scored has any reports", key=names[0])
    for name in reversed(names):
        artifacts.write_text(target / f"{name}.csv", made[name].to_csv(index=False, float_format="%.4g"))
    artifacts.write_manifest(first, made_by=made_by, inputs=inputs, profile=config.profile, seed=config.seed,
                             beside=beside,
                             seconds=round(time.perf_counter() - started, 1))
    return first


def run_alike(target: Path, config: Config) -> bool:
    """Whether a folder's estimates were made with these settings and the present code, and scored.

    Estimates that were kept without what their member expects of reports are not: they have no log score.
    """
    made = artifacts.read_manifest(target / "estimates.nc")
    wanted = {"settings": settings_of(config), "code": artifacts.code_digest(*training.TRAINING_CODE)}
    return bool(made) and FILE in made.get("beside", {}) and (target / "scores.csv").is_file() and all(
        artifacts.digest(made["inputs"].get(k)) == artifacts.digest(v) for k, v in wanted.items())
