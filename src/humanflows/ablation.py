"""Ablations: one part of the model, of what it reads or of what it learns from left out, all else as it is.

They are for choosing, so the held-out fold plays no part: it is neither learned from nor looked at. A larger share of
the other corridors (``VALIDATION_SHARE``) is set aside, no report of them is learned from, and all runs are scored on
them, first of all by the log score of their reports. The same corridors say at which epoch a training ends, in every
run alike.

Runs differ by chance, too: of everything as it is there are ``REPEATS`` runs or more, from other seeds. What has run is
kept, an interrupted training resumes, and scores are made again without training.
"""
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import xarray as xr

from . import artifacts, paths, pipeline
from .config import OFF, Config, load_config
from .errors import ArtifactError, ConfigError
from .kept import configure, keep_estimates, keep_tables, run_alike
from .model import train as training
from .panel.features import FAMILIES
from .panel.splits import make_splits
from .panel.withhold import sources_of, withhold
from .results.ablation import COLUMNS, EVERYTHING, LATER, SETS
from .results.estimates import open_estimates
from .results.offices import with_offices
from .results.report_expectations import at_observations, expectations_path, open_expectations
from .results.validation import OWN, validate, validate_net_migration, validate_stocks, world_totals
from .workers import run_side_by_side

MADE_BY = "humanflows ablate"
VALIDATION_SHARE = 0.2   # of the corridors outside the held-out fold
REPEATS = 3              # runs of everything, at least: fewer say nothing about chance
YEARS_APART = 10         # of world totals that are kept
PROXIES = ("citizenship", "birthplace")
_SCORING_CODE = ("ablation.py", "results/validation.py", "results/scores.py", "results/report_expectations.py",
                 "results/estimates.py", "results/offices.py", "panel/trusted_offices.py",
                 "model/privacy_noise.py", "model/spreads.py")
_WHOLE = {"n": "Int64", "year": "Int64", "log_score_n": "Int64"}     # numbers with gaps that are no measurements
_EFFECTS = {"pair": ("no lasting effects of pairs", ("tie", "direction", "unreported")),
            "wave": ("no waves of corridors between counts", ("wave",)),
            "course": ("no single years of reported corridors", ("course", "shock")),
            "turnover": ("no years of unusual turnover", ("turnover",)),
            "scarce": ("no years of pairs with few migrants", ("scarce",)),
            "balance": ("no years of unusual balance", ("balance",))}


@dataclass(frozen=True)
class Ablation:
    """One run: what is changed of everything as it is."""

    name: str                                        # of its folder
    label: str                                       # in tables and figures
    group: str                                       # of alike runs
    change: Mapping = field(default_factory=dict)    # of the configuration, nested
    withheld: Mapping = field(default_factory=dict)  # arguments of panel.withhold.withhold
    criteria: Sequence[str] = ()                     # reports by these criteria are withheld


def list_ablations(panel: xr.Dataset) -> list[Ablation]:
    """Every run, "everything" first; the panel says which sources there are to leave out."""
    reads, network, learning, data, effects = "covariates", "network", "learning", "data", "effects"

    def feature(family: str) -> Ablation:
        return Ablation(f"reads-no-{family}", f"reads no {family.replace('-', ' ')}", reads,
                        {"model": {"without": family}})

    def unread(name: str, label: str, *kinds: str, group: str = data, **also) -> Ablation:
        return Ablation(name, label, group, {"observation": {"leave_out": ",".join(kinds)}, **also})

    found = [Ablation("everything", EVERYTHING, EVERYTHING), *(feature(f) for f in FAMILIES),
             Ablation("no-embeddings", "no embeddings of territories", network, {"model": {"embedding": 0}}),
             Ablation("no-memory", "no memory (recurrence)", network, {"model": {"hidden": 0}}),
             Ablation("no-histories", "not taught on whole histories", learning, {"train": {"history_steps": 0}}),
             Ablation("first-stage", "first stage alone, no effects", learning, {"train": {"epochs": 0}}),
             unread("no-margins", "no balances in the first stage", "margins", group=learning),
             unread("no-displaced", "new refugees bound no flow", "displaced"),
             unread("no-net-migration-datum", "net migration no datum", "net_migration"),
             unread("no-net-migration", "no net migration at all", "net_migration", "population", "margins",
                    model={"without": "net-migration"}),
             unread("no-stock-datum", "stocks no datum", "stock", "stock_difference", "foreign_born"),
             unread("no-gross", "no prior of moves where nobody reports", "gross"),
             unread("no-censored", "suppressed counts not read", "censored")]
    if np.isin(panel["witness_criterion"].values[panel["flow_witness"].values.astype(int)], PROXIES).any():
        found.append(Ablation("no-proxies", "no reports by citizenship or birthplace", data, criteria=PROXIES))
    if "meta" in sources_of(panel):
        found.append(Ablation("no-meta", "no social-media counts (Meta)", data, withheld={"sources": ("meta",)}))
    return found + [Ablation(f"no-{name}", label, effects, {"effects": dict.fromkeys(keys, OFF)})
                    for name, (label, keys) in _EFFECTS.items()]


def choose(every: Iterable[Ablation], only: Iterable[str] | None) -> list[Ablation]:
    """Runs by name, or by the name of their group; all by default. "everything" is always among them.

    Raises
    ------
    ConfigError
        For a name that no run has.
    """
    every, only = list(every), set(only or ())
    if unknown := sorted(only - {k for a in every for k in (a.name, a.group)}):
        raise ConfigError("--only", f"no ablation is called {unknown[0]!r}",
                          f"choose from {', '.join(a.name for a in every)}, or a group: "
                          f"{', '.join(dict.fromkeys(a.group for a in every[1:]))}", key="only")
    return [a for a in every if not only or a.name == EVERYTHING or {a.name, a.group} & only]


def seeds_of(ablation: Ablation, seeds: Iterable[int]) -> list[int]:
    """Seeds of a run: those asked for, and for "everything" as many more, from one up, as make ``REPEATS``."""
    given = list(dict.fromkeys(int(s) for s in seeds))
    if ablation.name != EVERYTHING:
        return given
    others = (s for s in range(1, REPEATS + len(given) + 1) if s not in given)
    return given + [next(others) for _ in range(REPEATS - len(given))]


def folder(profile: str) -> Path:
    """Where the ablations of a profile keep what they made."""
    return table_path(profile).parent


def table_path(profile: str) -> Path:
    """The table of all ablations of a profile, CSV; pipeline.release takes it along."""
    return pipeline.ablation_path(load_config(profile))


def config_of(ablation: Ablation, seed: int, profile: str, *, epochs: int | None = None,
              settings: Mapping | None = None) -> Config:
    """Configuration of a run; arguments as for :func:`run_ablation`."""
    config = configure(profile, epochs=epochs, settings=settings, split={"validation_share": VALIDATION_SHARE})
    parts = {}
    for part, values in ablation.change.items():
        if part == "model" and config.model.without and "without" in values:
            values = {**values, "without": f"{config.model.without},{values['without']}"}
        parts[part] = replace(getattr(config, part), **values)
    return replace(config, seed=seed, **parts)


def run_ablation(ablation: Ablation, seed: int, profile: str, *, epochs: int | None = None,
                 settings: Mapping | None = None, target: Path | None = None) -> Path:
    """Train a member with one part left out, keep its estimates, and score them on the validation corridors.

    Parameters
    ----------
    ablation : from :func:`list_ablations`.
    seed : of training.
    profile : whose panel there must be (``humanflows harmonise``).
    epochs : of training, instead of the configuration's; a run that changes them itself is not asked.
    settings : further changes of the configuration, of every run.
    target : folder of its files; ``folder(profile)/<name>/seed-<seed>`` by default.

    Returns
    -------
    Path of ``scores.csv`` (see :func:`score_run`); beside it ``estimates.nc`` and what the run expects of
    reports.

    Raises
    ------
    ArtifactError
        Without a panel.
    """
    config = config_of(ablation, seed, profile, epochs=epochs, settings=settings)
    target = target or _target(ablation, seed, profile)
    panel = pipeline.open_panel(config)
    splits = make_splits(panel, config.split)
    shown = withhold(panel, **ablation.withheld) if ablation.withheld else panel
    file = keep_estimates(without_criteria(shown, ablation.criteria), splits, config, target, MADE_BY)
    inputs = {"estimates": artifacts.sha256(file), "expected": artifacts.sha256(expectations_path(file)),
              "panel": training.content_digest(panel),
              "splits": training.content_digest(splits), "trusted": artifacts.sha256(paths.TRUSTED_OFFICES),
              "code": artifacts.code_digest(*_SCORING_CODE)}

    def make() -> dict[str, pd.DataFrame]:
        estimates = open_estimates(file)
        expected = at_observations(open_expectations(expectations_path(file), MADE_BY), panel)
        return {"scores": score_run(estimates.flow, estimates.stock, estimates.net_migration, panel, splits, expected)}

    return keep_tables(target, ("scores",), inputs, make, config, MADE_BY)


def _target(ablation: Ablation, seed: int, profile: str) -> Path:
    return folder(profile) / ablation.name / f"seed-{seed}"


def without_criteria(panel: xr.Dataset, criteria: Sequence[str]) -> xr.Dataset:
    """The panel without what offices report by some criteria; ``witness`` is kept whole, as by ``withhold``."""
    by = panel["witness_criterion"].values.astype(str)[panel["flow_witness"].values.astype(int)]
    return panel.isel(observation=~np.isin(by, criteria)) if len(criteria) else panel


def score_run(flow: xr.DataArray, stock: xr.DataArray, net_migration: xr.DataArray, panel: xr.Dataset,
              splits: xr.Dataset, expected: xr.Dataset | None = None) -> pd.DataFrame:
    """All scores of one run, on the validation corridors.

    Parameters
    ----------
    flow, stock, net_migration : estimates, persons; dimensions as in ``results.estimates``.
    panel, splits : with everything; the corridors scored are those of ``splits.validation``.
    expected : what the run expects of each report (observation,), learned from other corridors; without it there is no
        log score.

    Returns
    -------
    DataFrame with columns ``COLUMNS`` and ``LATER`` but for run and seed. Beside reported flows: net migration against
    UN WPP and national statistics (``side`` "net migration"), stocks and their differences against each revision
    (``root_r`` is R of signed square roots), and moves in the whole world (``persons``) of some years.
    """
    parts = [validate(flow, panel, splits, {}, parts="validation", expected=expected)]
    net = validate_net_migration(net_migration, panel, {}).rename(columns={"reference": "collection"})
    parts.append(net[net["n"] > 0].assign(side="net migration"))
    stocks = validate_stocks(stock, panel)
    stocks = stocks[stocks["n"] > 0]
    scaled = {"stock": "log_r", "difference": "root_r"}
    parts += [rows.drop(columns="r_scaled").assign(
        collection=[f"stocks {v}" for v in rows["revision"]], side=f"stock {quantity}".replace("stock stock", "stock"),
        **{scaled[quantity]: rows["r_scaled"]}) for quantity, rows in stocks.groupby("quantity", sort=False)]
    total = world_totals(flow, {})
    first, last = total["year"].min(), total["year"].max()
    total = total[((total["year"] - first) % YEARS_APART == 0) | (total["year"] == last)]
    parts.append(total.assign(collection="world", side="all moves"))
    columns = [c for c in (*COLUMNS, *LATER) if c not in ("run", "seed")]
    whole = pd.concat([p[p["peer"] == OWN].reindex(columns=columns) for p in parts], ignore_index=True)
    return with_offices(whole).assign(**{c: whole[c].fillna("") for c in SETS}).astype(_WHOLE)


def run_ablations(chosen: Iterable[Ablation], profile: str, *, seeds: Sequence[int] = (1,), epochs: int | None = None,
                  settings: Mapping | None = None, workers: int = 2) -> dict[str, Path]:
    """Run ablations side by side; what has run is kept. Returns the score files by "name, seed".

    A run that fails does not stop the others; its error is raised when all are done.
    """
    given = {"epochs": epochs, "settings": settings}
    runs = [(a, s) for a in chosen for s in seeds_of(a, seeds)]
    threads = max(1, torch.get_num_threads() // workers)
    device = training.choose_device(configure(profile, **given).train.device).type
    print(f"ablate: {len(runs)} trainings on {device}, {workers} at a time", flush=True)
    return run_side_by_side({f"{a.name}, seed {s}": (partial(run_ablation, **given), a, s, profile) for a, s in runs},
                            workers=workers, title="ablate", unit="training", start=torch.set_num_threads,
                            start_with=(threads,))


def collect(profile: str, *, seeds: Sequence[int] = (1,), epochs: int | None = None,
            settings: Mapping | None = None) -> pd.DataFrame:
    """Gather the scores of all ablations that have been run under these settings, and write them: ``ablation.csv``.

    Parameters
    ----------
    profile, seeds, epochs, settings : as the ablations were run. What was run otherwise is left out, and said to be.

    Returns
    -------
    DataFrame with columns ``run, seed`` before those of :func:`score_run`, in the order of
    :func:`list_ablations`. It is written to :func:`table_path`.

    Raises
    ------
    ArtifactError
        When none has been run.
    """
    base = configure(profile, epochs=epochs, settings=settings)
    parts, absent, made = [], [], {}
    for ablation in list_ablations(pipeline.open_panel(base)):
        for seed in seeds_of(ablation, seeds):
            target = _target(ablation, seed, profile)
            if not run_alike(target, config_of(ablation, seed, profile, epochs=epochs, settings=settings)):
                absent.append(f"{ablation.name} (seed {seed})")
                continue
            table = pd.read_csv(target / "scores.csv", keep_default_na=False, na_values=[""])
            parts.append(table.astype(_WHOLE).assign(run=ablation.label, seed=seed))
            made[f"{ablation.name}, {seed}"] = (artifacts.read_manifest(target / "scores.csv") or {}).get("sha256")
    if absent:
        print(f"ablate: not run, or run with other settings: {', '.join(absent)}", flush=True)
    if not parts:
        raise ArtifactError(folder(profile), "no ablation has been run with these settings",
                            f"run {MADE_BY} first")
    table = pd.concat(parts, ignore_index=True)[[*COLUMNS, *LATER]]
    file = table_path(profile)
    artifacts.write_text(file, table.to_csv(index=False, float_format="%.4g"))
    # as the manifest of a trained member says it, so that a release can tell whether both are of one model
    everything = {k: base.as_dict()[k] for k in ("model", "observation", "effects", "train")}
    everything["code"] = artifacts.code_digest(*training.TRAINING_CODE)
    artifacts.write_manifest(file, made_by=MADE_BY, inputs=made, profile=profile, seed=base.seed, everything=everything)
    return table
