"""Offices added to the simulated world, one at a time: what does a report buy, where the truth is known?

The default twin is fitted as it is, and again with the arrivals that one more office would publish; everything else is
the same, the seed included. What the report bought is how much nearer to the truth estimates come: of the arrivals that
were reported, and of what was not, departures from the territory, arrivals in years that the office does not cover, and
net migration. Several seeds say what chance does. Every run is kept and an interrupted one resumes.
"""
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from . import artifacts, paths, pipeline
from .config import Config, TwinConfig, load_config
from .errors import ConfigError
from .model import train as training
from .panel.harmonise import harmonise
from .panel.splits import make_splits
from .results.needs_added import errors_of, spread_out
from .schema import SYSTEMS_TABLE
from .twin.observe import define_systems, describe_offices, observe
from .workers import run_side_by_side

BASE = "none"
OFFICES, SEEDS = 8, (1, 2)      # how many offices are added, each by itself, and with which seeds
_CODE = ("added_offices.py", "results/needs_added.py", "panel/features.py", "model")


def folder() -> Path:
    """Where runs keep what they made."""
    return paths.artifacts("twin") / "added-offices"


def run_folder(office: str, seed: int) -> Path:
    """Where one run keeps it."""
    return folder() / f"{office}-seed-{seed}"


def candidates(world, config: Config) -> list[str]:
    """Territories of the twin of which no office publishes a flow by residence."""
    flows = observe(world, config.twin)["flow"]
    own = flows[(flows["criterion"] == "residence") & (flows["source"] != "meta")]
    return [c for c in world.territories if c not in set(own["reporter"])]


def _everyone(config: Config) -> TwinConfig:
    return replace(config.twin, reporters=config.twin.territories)


def choose(wanted: Sequence[str], known: Sequence[str], number: int = OFFICES) -> list[str]:
    """Offices to add, evenly from the first to the last of a ranking, so that a rank correlation has something to show.

    Parameters
    ----------
    wanted : territories by need, the neediest first; those that are not ``known`` are passed over.
    known : territories that may be added.
    """
    return spread_out([c for c in wanted if c in set(known)], number)


def tables_with(world, config: Config, office: str) -> dict[str, pd.DataFrame]:
    """The twin's tables, with the arrivals that one more office would publish (``BASE``: as they are).

    Offices are ranked by the same draw however many report, so a world in which all do has this one's report.

    Raises
    ------
    ConfigError
        For an office that the twin has already, or that counts by citizenship alone.
    """
    tables = observe(world, config.twin)
    if office == BASE:
        return tables
    if office not in candidates(world, config):
        raise ConfigError("added_offices", f"{office!r} reports already, or is not in the twin",
                          "choose one of " + ", ".join(candidates(world, config)), key=office)
    everyone = _everyone(config)
    own, about = (describe_offices(world, c) for c in (config.twin, everyone))
    about = about[about["reporter"] == office]
    if about["criterion"].iloc[0] != "residence":
        raise ConfigError("added_offices", f"the office of {office} would count by citizenship alone",
                          "choose another", key=office)
    flows = observe(world, everyone)["flow"]
    new = flows[(flows["reporter"] == office) & (flows["side"] == "immigration") & (flows["source"] == "undesa_imfsc")]
    return {**tables, "flow": pd.concat([tables["flow"], new], ignore_index=True),
            SYSTEMS_TABLE: define_systems(world, pd.concat([own, about], ignore_index=True))}


def run_one(office: str, seed: int, *, settings: dict | None = None) -> Path:
    """Fit the twin with one more office and keep its flows; unless that was done.

    Returns
    -------
    Path of ``flows.npz`` (flow: year, origin, destination; reported years of the office), with its manifest.
    """
    started = time.perf_counter()
    config = load_config("twin", **{**(settings or {}), "seed": seed})
    world = pipeline.simulate_twin(config)
    tables = tables_with(world, config, office)
    panel = harmonise(pipeline.add_reconstruction(tables), world.territories, config.years, {})
    splits = make_splits(panel, config.split)
    target = run_folder(office, seed) / "flows.npz"
    inputs = {"panel": training.content_digest(panel), "splits": training.content_digest(splits),
              **{k: v for k, v in config.as_dict().items() if k != "twin"}, "code": artifacts.code_digest(*_CODE)}
    if artifacts.is_fresh(target, inputs):
        return target
    checkpoint = target.with_name("checkpoint.safetensors")
    member = training.fit_member(panel, splits, config, checkpoint, progress=False)
    own = tables["flow"]
    years = sorted(set(own.loc[own["reporter"] == office, "year"]))
    with artifacts.atomic(target) as temporary:
        np.savez_compressed(temporary, flow=training.predict(member).flow.numpy().astype(np.float32),
                            reported=np.array(years, dtype=np.int64))
    checkpoint.unlink(missing_ok=True)
    artifacts.write_manifest(target, made_by="humanflows needs --added", inputs=inputs, profile="twin", seed=seed,
                             seconds=round(time.perf_counter() - started, 1))
    return target


def run_added(wanted: Sequence[str], *, number: int = OFFICES, seeds: Sequence[int] = SEEDS, workers: int = 2,
              settings: dict | None = None) -> dict[str, Path]:
    """Fit the twin as it is and with each chosen office, for every seed; what has run is kept.

    Parameters
    ----------
    wanted : territories by need (``needs_countries.csv`` of the twin, arrivals), the neediest first.
    number, seeds : how many offices are added, and with which seeds.
    workers : runs side by side.
    """
    config = load_config("twin", **(settings or {}))
    world = pipeline.simulate_twin(config)
    everyone = describe_offices(world, _everyone(config))
    able = set(everyone.loc[everyone["criterion"] == "residence", "reporter"]) & set(candidates(world, config))
    offices = choose(wanted, sorted(able), number)
    print(f"needs: the twin as it is and with {', '.join(offices)}, {len(seeds)} seeds each", flush=True)
    return run_side_by_side({f"{o}-seed-{s}": (_run, o, s, settings) for o in (BASE, *offices) for s in seeds},
                            workers=workers, title="added offices", unit="run")


def _run(office: str, seed: int, settings: dict | None) -> Path:
    return run_one(office, seed, settings=settings)


def finished() -> dict[str, str]:
    """Digests of the runs that are there, by name."""
    made = {f.parent.name: artifacts.read_manifest(f) for f in sorted(folder().glob("*/flows.npz"))}
    return {name: manifest["sha256"] for name, manifest in made.items() if manifest}


def collect(*, settings: dict | None = None) -> pd.DataFrame:
    """What every added office bought, in the mean over seeds: see :func:`humanflows.results.needs_added.errors_of`.

    Returns
    -------
    DataFrame: office, quantity, n, error_before, error_after (mean absolute log errors against the truth, for net
    migration in its own unit), seeds. Empty where nothing was run.
    """
    config = load_config("twin", **(settings or {}))
    names = [n.rsplit("-seed-", 1) for n in finished()]
    truth = pipeline.simulate_twin(config).truth if names else None
    parts = []
    for office, seed in names:
        base = run_folder(BASE, int(seed)) / "flows.npz"
        if office != BASE and base.is_file():
            with np.load(run_folder(office, int(seed)) / "flows.npz") as own, np.load(base) as before:
                parts.append(errors_of(truth, before["flow"], own["flow"], office, own["reported"]))
    columns = ["office", "quantity", "n", "error_before", "error_after"]
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
    return table.groupby(["office", "quantity"], as_index=False, sort=False).agg(
        n=("n", "first"), error_before=("error_before", "mean"), error_after=("error_after", "mean"),
        seeds=("n", "size"))
