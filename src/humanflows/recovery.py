"""The laboratory: the model is fitted to simulated worlds whose truth is known, under one change at a time.

Each experiment changes one thing of the default: what the model may see, how many offices report, whether its
bookkeeping is right, which world it is, which corridors are held out, with which numbers it starts. Each is scored
against what truly happened. An experiment that has run is kept, an interrupted one resumes.
"""
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import xarray as xr
from tqdm import tqdm

from . import artifacts, paths, pipeline
from .config import Config, load_config
from .errors import ConfigError
from .model import accounting
from .model import train as training
from .panel.harmonise import harmonise
from .panel.splits import make_splits
from .results.estimates import net_migration_of
from .results.identification import bound_flow, count_unknowns, reported_corridors
from .results.intervals import Calibration
from .results.recovery import score_intervals, score_recovery, size_group
from .results.summaries import NOT_AN_OFFICE, what_was_seen
from .workers import run_side_by_side

Tables = dict[str, pd.DataFrame]
OFFICES = ("undesa_imfsc", "eurostat", "statsnz", "oecd")


def _rows(table: str, **equal) -> Callable[[Tables], Tables]:
    """A filter that leaves out the rows of a table whose columns hold one of the values given."""
    def drop(tables: Tables) -> Tables:
        frame = tables[table]
        out = np.logical_and.reduce([frame[c].isin(v) for c, v in equal.items()])
        return {**tables, table: frame[~out].reset_index(drop=True)}

    return drop


def _all(*filters) -> Callable[[Tables], Tables]:
    def drop(tables: Tables) -> Tables:
        for one in filters:
            tables = one(tables)
        return tables

    return drop


_FLOWS = _rows("flow", source=OFFICES)
_META = _rows("flow", source=["meta"])
_REFUGEES = _rows("pair_year", source=["unhcr"])
# What each kind of data buys: leave it out. Two stock tables stay, for the bookkeeping has to start somewhere.
WITHOUT: dict[str, Callable[[Tables], Tables]] = {
    "stock tables after 1995": _rows("stock", year=range(1996, 2101)),
    "net migration": lambda tables: tables,    # the panel needs it; it is blanked there, in `prepare`
    "offices' flows": _FLOWS,
    "offices' departures": _rows("flow", source=OFFICES, side=["emigration"]),
    "platform's counts": _META,
    "reconstructions": lambda tables: tables,  # see `prepare`
    "refugee counts": _REFUGEES,
    "all that counts moves": _all(_FLOWS, _META, _REFUGEES),
}


@dataclass(frozen=True)
class Experiment:
    """One change of the default."""

    name: str                       # of its files
    question: str                   # the group that it belongs to
    label: str                      # in tables and figures
    change: Mapping = field(default_factory=dict)    # of the configuration
    without: str | None = None      # key of WITHOUT

    def config(self) -> Config:
        """The default twin with this change."""
        return load_config("twin", **self.change)


FOLDS = range(1, 6)


def experiments() -> list[Experiment]:
    """Everything that the recovery report rests on; the first is the default itself."""
    def twin(name, question, label, **change):
        return Experiment(name, question, label, {"twin": change})

    perfect = {"errors": _perfect()}
    found = [Experiment("fold-1", "folds", "corridors of fold 1 held out")]
    found += [Experiment(f"fold-{k}", "folds", f"corridors of fold {k} held out", {"split": {"held_out_fold": k}})
              for k in FOLDS if k > 1]
    found += [Experiment(f"seed-{k}", "seeds", f"training begins with seed {k}", {"seed": k}) for k in (2, 3)]
    found += [Experiment(f"without-{k}", "sources", f"without {name}", without=name)
              for k, name in enumerate(WITHOUT, start=1)]
    found += [twin(f"reporters-{k}", "reporters", f"{k} offices", reporters=k) for k in (0, 4, 26, 40)]
    found += [
        twin("mortality-right", "bookkeeping", "migrants die as natives do", people={"migrant_mortality": 1.0}),
        twin("mortality-wrong", "bookkeeping", "migrants die at half the rate", people={"migrant_mortality": 0.5}),
        twin("one-kind", "bookkeeping", "no temporary migrants", people={"temporary_share": 0.0}),
        twin("perfect", "bookkeeping", "offices without any error", **perfect),
        twin("perfect-right", "bookkeeping", "no office errs, migrants die as natives do", **perfect,
             people={"migrant_mortality": 1.0}),
    ]
    found += [twin(f"world-{k}", "worlds", f"another world (seed {k})", seed=k) for k in (2027, 2028, 2030)]
    return found


def _perfect() -> dict:
    from dataclasses import asdict

    from .config import TwinErrorsConfig

    return asdict(TwinErrorsConfig.none())


def folder() -> Path:
    """Where experiments keep what they made."""
    return paths.artifacts("twin") / "recovery"


def run_experiment(experiment: Experiment, *, epochs: int | None = None, target: Path | None = None) -> Path:
    """Simulate, observe, harmonise, train, estimate and score one experiment.

    Parameters
    ----------
    experiment : what to change.
    epochs : of training, instead of the configuration's.
    target : folder for its files; ``folder()/<name>`` by default.

    Returns
    -------
    Path of its scores (CSV); beside it ``estimates.nc`` and ``biases.csv``.
    """
    started, config = time.perf_counter(), experiment.config()
    target = target or folder() / experiment.name
    scores = target / "scores.csv"
    world, panel, splits = prepare(experiment)
    inputs = {"panel": training.content_digest(panel), "splits": training.content_digest(splits), "epochs": epochs,
              **{k: v for k, v in config.as_dict().items() if k != "twin"},
              "code": artifacts.code_digest("panel/features.py", "model", "results/recovery.py",
                                            "results/summaries.py")}
    beside = [target / "estimates.nc", target / "biases.csv"]
    if artifacts.is_fresh(scores, inputs, beside):
        return scores
    member = training.fit_member(panel, splits, config, target / "checkpoint.safetensors", progress=False,
                                 stop_after=epochs)
    estimates = describe_member(member, panel)
    artifacts.write_netcdf(estimates.astype(np.float32), beside[0], compress=4)
    artifacts.write_text(beside[1], pd.DataFrame(
        {"witness": panel.witness.values.astype(str),
         "log_bias": np.nan_to_num(member.observation.witness_bias())}).to_csv(index=False))
    national = panel.residence.values[np.isfinite(panel.net_migration_national.values).any(0)].astype(str)
    table = score_recovery(world.truth, estimates, what_was_seen(panel, splits), national)
    artifacts.write_text(scores, table.to_csv(index=False, float_format="%.6g"))
    (target / "checkpoint.safetensors").unlink(missing_ok=True)
    artifacts.write_manifest(scores, made_by="recover", inputs=inputs, device="cpu", profile="twin", seed=config.seed,
                             beside=beside,
                             seconds=round(time.perf_counter() - started, 1))
    return scores


def prepare(experiment: Experiment):
    """World, panel and splits of an experiment."""
    config = experiment.config()
    world = pipeline.simulate_twin(config)
    tables = pipeline.observe_twin(world, config)
    if experiment.without is not None:
        if experiment.without not in WITHOUT:
            raise ConfigError("experiment", f"nothing is called {experiment.without!r}",
                              f"leave out one of {', '.join(WITHOUT)}", key=experiment.name)
        tables = WITHOUT[experiment.without](tables)
    if experiment.without not in ("reconstructions", "all that counts moves"):
        tables = pipeline.add_reconstruction(tables)
    panel = harmonise(tables, world.territories, config.years, {})
    if experiment.without == "net migration":
        series = ("net_migration", "net_migration_national")
        panel = panel.assign({k: panel[k].copy(data=np.full(panel[k].shape, np.nan)) for k in series})
    return world, panel, make_splits(panel, config.split)


@torch.no_grad()
def describe_member(member: training.Member, panel: xr.Dataset) -> xr.Dataset:
    """Everything that a member says, flows by birthplace included (small worlds only: N³ numbers a year)."""
    run = training.predict(member)
    births = np.stack([torch.stack(list(accounting.stream_by_birthplace(stock, hazards, member.model.death_rate[t])))
                       .cpu().numpy() for t, (stock, hazards) in enumerate(member.model.walk())])
    codes, years = panel.origin.values.astype(str), panel.year.values
    return xr.Dataset(
        {"flow": (("year", "origin", "destination"), run.flow.numpy()),
         "flow_by_birthplace": (("year", "birthplace", "origin", "destination"), births),
         "stock": (("date_year", "birthplace", "residence"), run.stock.numpy()),
         "net_migration": (("year", "residence"), net_migration_of(run.flow.numpy()))},
        coords={"year": years, "date_year": [*years, years[-1] + 1],
                **{d: codes for d in ("origin", "destination", "birthplace", "residence")}},
        attrs={"title": "what one member says of the simulated world"})


def run_experiments(chosen: Iterable[Experiment], *, workers: int = 2) -> dict[str, Path]:
    """Run experiments side by side, one thread each; what has run is kept. Returns the score files by name.

    An experiment that fails does not stop the others; its error is raised when all are done.
    """
    chosen = list(chosen)
    print(f"recover: {len(chosen)} experiments on cpu, {workers} at a time", flush=True)
    return run_side_by_side({e.name: (run_experiment, e) for e in chosen}, workers=workers, title="recover",
                            unit="experiment")


def collect_scores(chosen: Iterable[Experiment]) -> pd.DataFrame:
    """Scores of all experiments in one table: ``experiment, question, label`` before the columns of the scores."""
    parts = [pd.read_csv(artifacts.require(folder() / e.name / "scores.csv", "humanflows recover")).assign(
        experiment=e.name, question=e.question, label=e.label) for e in chosen]
    table = pd.concat(parts, ignore_index=True)
    first = ["experiment", "question", "label"]
    return table[[*first, *table.columns.drop(first)]]


@dataclass(frozen=True)
class CrossFit:
    """Five members of the default twin, each of which never saw one fifth of the corridors."""

    members: np.ndarray       # (member, year, origin, destination), persons
    unseen: np.ndarray        # (year, origin, destination), each corridor by the member that did not learn from it
    fold: np.ndarray          # (origin, destination), 0 on the diagonal
    reports: pd.DataFrame     # positions year, origin, destination; persons: offices' reports by residence
    seen: xr.DataArray        # (origin, destination), whether an office reports it; `unseen` knew of no report
    truth: xr.Dataset


def cross_fit() -> CrossFit:
    """Read the five members that the experiments of the question "folds" left.

    Raises
    ------
    ArtifactError
        When one has not been run.
    """
    world, panel, splits = prepare(experiments()[0])
    members = []
    for k in FOLDS:
        file = artifacts.require(folder() / f"fold-{k}" / "estimates.nc", "humanflows recover")
        with xr.open_dataset(file, engine="netcdf4") as estimates:
            members.append(estimates.flow.values.astype(np.float64))
    members, fold = np.stack(members), splits.fold.values
    unseen = np.zeros(members.shape[1:])
    for k in FOLDS:
        unseen[:, fold == k] = members[k - 1][:, fold == k]
    witness = panel.flow_witness.values
    office = (panel.witness_criterion.values == "residence") & ~np.isin(panel.witness_source.values, NOT_AN_OFFICE)
    reports = pd.DataFrame({k: panel[f"flow_{k}"].values.astype(int) for k in ("year", "origin", "destination")})
    reports = reports.assign(persons=panel.flow_persons.values)[office[witness]]
    nothing = splits.assign(train=splits.fold > len(FOLDS))     # of any corridor, by the member that speaks about it
    return CrossFit(members, unseen, fold, reports, what_was_seen(panel, nothing), world.truth)


def corridor_intervals(fit: CrossFit, *, each: int = 6, level: float = 0.95) -> pd.DataFrame:
    """True and estimated flows with intervals, for the largest corridors of each kind.

    Returns
    -------
    DataFrame: ``corridor, seen, year, true, estimated, lower, upper``, persons; ``each`` corridors of every kind in
    ``fit.seen``. Estimates are by the member that never learned from the corridor; intervals are calibrated on reports
    of corridors in other folds.
    """
    codes, years, size = fit.truth.origin.values.astype(str), fit.truth.year.values, fit.truth.flow.values.sum(0)
    at = tuple(fit.reports[k].to_numpy() for k in ("year", "origin", "destination"))
    spread = np.log1p(fit.members).std(0, ddof=1)
    part = fit.fold[at[1:]]
    rows = []
    for k in FOLDS:
        rest = part != k
        there = tuple(x[rest] for x in at)
        calibration = Calibration(fit.reports["persons"].to_numpy(float)[rest], fit.unseen[there], spread[there],
                                  size_group(fit.unseen[there]))
        for seen in [s for s in np.unique(fit.seen.values) if s]:
            chosen = np.flatnonzero(((fit.seen.values == seen)).ravel())
            largest = chosen[np.argsort(-size.ravel()[chosen])][:each]
            for o, d in zip(*np.unravel_index(largest, size.shape)):
                if fit.fold[o, d] == k:
                    mine, wide = fit.unseen[:, o, d], spread[:, o, d]
                    lower, upper = calibration.interval(mine, wide, size_group(mine), level)
                    rows.append(pd.DataFrame({"corridor": f"{codes[o]}-{codes[d]}", "seen": seen, "year": years,
                                              "true": fit.truth.flow.values[:, o, d].astype(float), "estimated": mine,
                                              "lower": lower, "upper": upper}))
    return pd.concat(rows, ignore_index=True)


def stock_bounds(truth: xr.Dataset, intervals: pd.DataFrame, year: int) -> pd.DataFrame:
    """Beside the intervals of a year, the smallest and largest flow that exact stocks, births and deaths allow.

    Returns
    -------
    DataFrame: ``corridor, seen, true, estimated, lower, upper, stock_lower, stock_upper``.
    """
    t, codes = int(np.flatnonzero(truth.year.values == year)[0]), list(truth.origin.values.astype(str))
    moves = truth.flow_by_birthplace.values[t].astype(float)
    start, end, births = (truth[k].values[i].astype(float) for k, i in (("stock", t), ("stock", t + 1), ("births", t)))
    deaths = start - end + np.diag(births) + moves.sum(1) - moves.sum(2)
    rows = intervals[intervals.year == year].drop(columns="year").reset_index(drop=True)
    bounds = [bound_flow(start, end, births, deaths, tuple(codes.index(c) for c in corridor.split("-")))
              for corridor in tqdm(rows.corridor, desc="bounds", unit="corridor", leave=False)]
    return rows.assign(stock_lower=[b[0] for b in bounds], stock_upper=[b[1] for b in bounds])


def unknowns_table(n: int, reporters: Sequence[int] = (0, 1, 4, 13, 40)) -> pd.DataFrame:
    """How many unknown moves a year has among n territories, and how many equations reports add to those of stocks."""
    rows = []
    for number in reporters:
        corridors = reported_corridors(n, range(min(number, n)))
        rows.append({"offices": min(number, n), "reported": len(corridors), **count_unknowns(n, corridors)})
    return pd.DataFrame(rows)


TABLES = ("scores", "coverage", "corridors", "bounds", "unknowns")
BOUNDS_YEAR = 2015


def write_report(chosen: Iterable[Experiment], target: Path | None = None) -> Path:
    """Tables of the recovery report, as CSV: ``TABLES``, and a manifest beside the first.

    Parameters
    ----------
    chosen : experiments that have run; those of the question "folds" must be among them.
    target : folder, ``data/recovery`` by default.
    """
    started, target, chosen = time.perf_counter(), target or paths.RECOVERY, list(chosen)
    fit = cross_fit()
    corridors = corridor_intervals(fit)
    tables = {
        "scores": collect_scores(chosen),
        "coverage": score_intervals(fit.members, fit.unseen, fit.fold, fit.reports, fit.truth.flow.values),
        "corridors": corridors,
        "bounds": stock_bounds(fit.truth, corridors, BOUNDS_YEAR),
        "unknowns": unknowns_table(len(fit.fold)),
    }
    for name, table in tables.items():
        artifacts.write_text(target / f"{name}.csv", table.to_csv(index=False, float_format="%.6g"))
    made = {e.name: artifacts.read_manifest(folder() / e.name / "scores.csv") for e in chosen}
    inputs = {name: m["inputs_digest"] for name, m in made.items() if m}
    artifacts.write_manifest(target / "scores.csv", made_by="humanflows recover", inputs=inputs, device="cpu",
                             profile="twin", seconds=round(time.perf_counter() - started, 1),
                             beside=[target / f"{name}.csv" for name in TABLES[1:]],
                             training_seconds={name: m["seconds"] for name, m in made.items() if m})
    print(f"recover: {len(TABLES)} tables written in {time.perf_counter() - started:.1f} s", flush=True)
    return target / "scores.csv"


def read_report(name: str) -> pd.DataFrame:
    """One of the tables that ``write_report`` left.

    Raises
    ------
    ArtifactError
        When it is missing, or not the one that was written.
    """
    file, first = (paths.RECOVERY / f"{t}.csv" for t in (name, TABLES[0]))
    return pd.read_csv(artifacts.require_whole(file, "humanflows recover", of=None if file == first else first))
