"""The validation protocols: one part of the reports withheld at a time, a member trained without it, and scored on it.

- ``fold-1`` … : a fifth of the corridors, with everything that anybody reports of them;
- ``blind`` : all migration figures of the last three years;
- ``reporters-1`` … ``reporters-5`` : every office left out in exactly one of five seeded groups with about as many
  observations each. It is leave-one-reporter-out in five groups: one training for each of about fifty offices would
  take a day;
- ``source-…`` : one source of flows. Sources that publish the same counts (``UNITED``) go together, or the one would
  tell what the other withholds;
- ``net-third`` : the net migration of a random third of the territories.

All but the folds hold out the corridors of the configuration's fold as well, so that they compare with that fold; what
they withheld is scored on the other corridors and, apart, on all.

What is withheld is taken out of the panel before anything reads it (:mod:`humanflows.panel.withhold`). A protocol that
has run is kept, an interrupted training resumes, and scores are made again without training: estimates are kept too.
"""
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import xarray as xr

from . import artifacts, paths, pipeline
from .baselines.gravity import predict_gravity
from .baselines.ipf import NotConvergedError
from .config import Config
from .errors import ArtifactError, ConfigError
from .kept import configure, keep_estimates, keep_tables, run_alike, settings_of
from .model import train as training
from .panel.designs import (
    BLIND_YEARS,
    blind_while_offices_speak,
    reporter_groups,
    territories_without_net_migration,
)
from .panel.splits import make_splits, observations_in
from .panel.withhold import reporters_of, sources_of, withheld_observations, withhold
from .results.estimates import open_estimates
from .results.offices import ALL, TRUSTED, of_offices
from .results.peers import published_net_migration
from .results.protocol_differences import TOGETHER
from .results.protocol_tables import COLLECTED, Collected, file_name
from .results.protocols import mean_of_members, score_flows, score_net_migration, score_stocks, splice
from .results.report_expectations import at_observations, expectations_path, join_expectations, open_expectations
from .results.targets import NO_NATIONAL, WITHHELD, measure_targets
from .results.validation import OWN
from .territories import codes
from .workers import run_side_by_side

# OECD's counts by citizenship are UN DESA's, and UN DESA's of New Zealand are Stats NZ's.
UNITED = ("undesa_imfsc", "oecd", "statsnz")
TABLES = ("scores", "net_migration", "stocks")
_SPOKEN = {"panel": "panel", "trusted": "list of trusted offices", "code": "code"}
MADE_BY = "humanflows protocols"
_SCORING_CODE = ("protocols.py", "pipeline.py", "panel/withhold.py", "panel/trusted_offices.py", "results", "baselines",
                 "model/privacy_noise.py", "model/spreads.py", "sources/published.py", "sources/abel_cohen.py")


@dataclass(frozen=True)
class Protocol:
    """What one validation protocol withholds."""

    name: str                                        # of its folder
    label: str                                       # in tables and figures
    split: Mapping = field(default_factory=dict)     # change of the configuration's split
    withheld: Mapping = field(default_factory=dict)  # arguments of panel.withhold.withhold


def list_protocols(config: Config, panel: xr.Dataset) -> list[Protocol]:
    """Every protocol of a profile; the panel says which offices, sources, years and territories there are."""
    seed, folds = config.split.seed, range(1, config.split.folds + 1)
    found = [Protocol(f"fold-{k}", f"corridors of fold {k} held out", {"held_out_fold": k}) for k in folds]
    first = int(panel["year"].values[-min(BLIND_YEARS, panel.sizes["year"] - 1)])
    found.append(Protocol("blind", f"blind from {first}", withheld={"blind_from": first}))
    if (spoken := blind_while_offices_speak(panel)) not in (None, first):
        found.append(Protocol("blind-offices", f"blind from {spoken}, the last years in which most offices report",
                              withheld={"blind_from": spoken}))
    groups = reporter_groups(reporters_of(panel), seed)
    found += [Protocol(f"reporters-{k}", f"{len(group)} offices left out, group {k} of {len(groups)}",
                       withheld={"reporters": group}) for k, group in enumerate(groups, start=1)]
    there = sources_of(panel)
    if united := tuple(s for s in UNITED if s in there):
        found.append(Protocol("source-offices-united", f"without {', '.join(united)}", withheld={"sources": united}))
    found += [Protocol(f"source-{s}", f"without {s}", withheld={"sources": (s,)}) for s in there if s not in UNITED]
    third = territories_without_net_migration(panel, seed)
    found.append(Protocol("net-third", f"net migration of {len(third)} territories withheld",
                          withheld={"net_migration_of": third}))
    return found


def folder(profile: str) -> Path:
    """Where the protocols of a profile keep what they made."""
    return paths.artifacts(profile) / "protocols"


def run_protocol(protocol: Protocol, profile: str, *, epochs: int | None = None, settings: Mapping | None = None,
                 target: Path | None = None) -> Path:
    """Train a member on what the protocol shows, keep its estimates, and score them on what it withheld.

    Parameters
    ----------
    protocol : from :func:`list_protocols`.
    profile : whose panel there must be (``humanflows harmonise``).
    epochs : of training, instead of the configuration's.
    settings : further changes of the configuration.
    target : folder of its files; ``folder(profile)/<name>`` by default.

    Returns
    -------
    Path of ``scores.csv``; beside it ``net_migration.csv``, ``stocks.csv``, ``estimates.nc`` (float32) and what the
    member expects of reports.

    Raises
    ------
    ArtifactError
        Without a panel.
    """
    config = configure(profile, epochs=epochs, settings=settings, split=protocol.split)
    target = target or folder(profile) / protocol.name
    panel = pipeline.open_panel(config)
    splits = make_splits(panel, config.split)
    file = keep_estimates(withhold(panel, **protocol.withheld), splits, config, target, MADE_BY)
    inputs = {"estimates": artifacts.sha256(file), "expected": artifacts.sha256(expectations_path(file)),
              "panel": training.content_digest(panel), "withheld": dict(protocol.withheld),
              "trusted": artifacts.sha256(paths.TRUSTED_OFFICES),
              "seed": config.seed, "code": artifacts.code_digest(*_SCORING_CODE)}

    def make() -> dict[str, pd.DataFrame]:
        estimates = open_estimates(file)
        peers = peers_of(protocol, config, panel, splits)
        expected = at_observations(open_expectations(expectations_path(file), MADE_BY), panel)
        return {"scores": _flow_table(protocol, config, panel, splits, estimates.flow, peers, expected),
                **_other_tables(protocol, config, panel, estimates, peers)}

    return keep_tables(target, TABLES, inputs, make, config, MADE_BY)


def peers_of(protocol: Protocol, config: Config, panel: xr.Dataset, splits: xr.Dataset) -> dict[str, xr.DataArray]:
    """Everybody to score beside: :func:`humanflows.pipeline.read_peers`, and gravity, fitted to what is shown."""
    peers = pipeline.read_peers(config, panel, splits, withheld=protocol.withheld)
    try:
        peers["gravity"] = predict_gravity(withhold(panel, **protocol.withheld), splits)
    except NotConvergedError as error:
        print(f"protocols: {protocol.name} without gravity: {error}", flush=True)
    return peers


def _flow_table(protocol, config, panel, splits, flow, peers, expected) -> pd.DataFrame:
    hidden = withheld_observations(panel, **protocol.withheld)
    asked = [("train+validation", hidden), ("all", hidden)] if hidden.any() else [("held_out", None)]
    tables = [score_flows(flow, panel, splits, peers, part=part, observations=mask, expected=expected, seed=config.seed)
              for part, mask in asked]
    return pd.concat(tables, ignore_index=True)


def _other_tables(protocol, config, panel, estimates, peers) -> dict[str, pd.DataFrame]:
    """Net migration and stocks."""
    whole = {k: v for k, v in peers.items() if v.dims != ("observation",) and "regions" not in k}
    net = {**whole, **(published_net_migration(config.years, codes()) if config.profile == "world" else {})}
    return {"net_migration": score_net_migration(estimates.net_migration, panel, net, net_sets(protocol, panel),
                                                 seed=config.seed),
            "stocks": score_stocks(estimates.stock, panel, protocol.withheld.get("blind_from"))}


def net_sets(protocol: Protocol, panel: xr.Dataset) -> dict[str, np.ndarray]:
    """The sets of territories and years whose net migration is scored, bool (year, residence)."""
    years, places = panel["year"].values, panel["residence"].values.astype(str)
    national = np.isfinite(panel["net_migration_national"].transpose("year", "residence").values).any(0)
    every = np.ones((len(years), len(places)), dtype=bool)
    sets = {"all territories": every, NO_NATIONAL: every & ~national}
    if chosen := protocol.withheld.get("net_migration_of"):
        mine = np.isin(places, chosen)
        sets |= {WITHHELD: every & mine, f"{WITHHELD}, {NO_NATIONAL}": every & mine & ~national,
                 "the other territories": every & ~mine}
    if (first := protocol.withheld.get("blind_from")) is not None:
        sets["blind years"] = every & (years >= first)[:, None]
    return sets


def run_protocols(chosen: Iterable[Protocol], profile: str, *, epochs: int | None = None,
                  settings: Mapping | None = None, workers: int = 2) -> dict[str, Path]:
    """Run protocols side by side; what has run is kept. Returns the score files by name.

    A protocol that fails does not stop the others; its error is raised when all are done.
    """
    chosen = list(chosen)
    given = {"epochs": epochs, "settings": settings}
    threads = max(1, torch.get_num_threads() // workers)
    device = training.choose_device(configure(profile, **given).train.device).type
    print(f"protocols: {len(chosen)} on {device}, {workers} at a time", flush=True)
    return run_side_by_side({p.name: (partial(run_protocol, **given), p, profile) for p in chosen}, workers=workers,
                            title="protocols", unit="protocol", start=torch.set_num_threads, start_with=(threads,))


def cross_fitted(profile: str, kind: str = "fold", *, epochs: int | None = None,
                 settings: Mapping | None = None) -> Path:
    """Several members as one: everything that they withheld, each observation by the member that never saw it.

    Parameters
    ----------
    profile, epochs, settings : as the protocols were run.
    kind : "fold": the held-out corridors of all folds; "reporters": all offices.

    Returns
    -------
    Path of ``scores.csv`` of the whole, one set. Net migration and stocks, which no fold withholds, are the mean of the
    members' scores.

    Raises
    ------
    ArtifactError
        When one of the protocols has not been run.
    """
    config = configure(profile, epochs=epochs, settings=settings)
    panel = pipeline.open_panel(config)
    members = [p for p in list_protocols(config, panel) if p.name.startswith(f"{kind}-")]
    files = [artifacts.require(folder(profile) / p.name / "estimates.nc", MADE_BY) for p in members]
    beside = [artifacts.require(expectations_path(f), MADE_BY) for f in files]
    inputs = {"estimates": [artifacts.sha256(f) for f in files], "expected": [artifacts.sha256(f) for f in beside],
              "panel": training.content_digest(panel),
              "trusted": artifacts.sha256(paths.TRUSTED_OFFICES), "code": artifacts.code_digest(*_SCORING_CODE)}

    def make() -> dict[str, pd.DataFrame]:
        parts = []
        for protocol, file in zip(members, files):
            splits = make_splits(panel, configure(profile, settings=settings, split=protocol.split).split)
            hidden = (withheld_observations(panel, **protocol.withheld) if protocol.withheld
                      else observations_in(panel, splits, "held_out"))
            parts.append((hidden, open_estimates(file).flow, peers_of(protocol, config, panel, splits)))
        flow, peers = splice(panel, parts)
        expected = join_expectations(panel, [(mask, open_expectations(f, MADE_BY))
                                             for (mask, *_), f in zip(parts, beside)])
        hidden, splits = np.any([mask for mask, *_ in parts], axis=0), make_splits(panel, config.split)
        tables = [score_flows(flow, panel, splits, peers, part=part, observations=hidden, expected=expected,
                              seed=config.seed)
                  for part in (("all",) if kind == "fold" else ("train+validation", "all"))]
        if kind == "fold":     # each corridor was held out by one member
            tables[0]["part"] = "held_out"
        mean = {t: mean_of_members([_read(folder(profile) / p.name, t) for p in members]) for t in TABLES[1:]}
        return {"scores": pd.concat(tables, ignore_index=True), **mean}

    return keep_tables(folder(profile) / f"all-{kind}", TABLES, inputs, make, config, MADE_BY)


def _read(target: Path, table: str) -> pd.DataFrame:
    return pd.read_csv(artifacts.require(target / f"{table}.csv", MADE_BY), keep_default_na=False,
                       na_values=[""])


def collect(profile: str, *, epochs: int | None = None, settings: Mapping | None = None) -> dict[str, pd.DataFrame]:
    """Gather the tables of all protocols that have been run under these settings, and write them.

    Parameters
    ----------
    profile, epochs, settings : as the protocols were run. One that was run otherwise is left out, and said to be.

    Returns
    -------
    dict: ``flows, net_migration, stocks``, each with ``protocol`` and ``label`` before its columns, and ``targets``.
    They are written to ``protocol_scores.csv, protocol_net_migration.csv, protocol_stocks.csv`` and, in the world,
    ``protocol_targets.csv`` in the profile's folder of protocols.

    Raises
    ------
    ArtifactError
        When none has been run.
    """
    config = configure(profile, epochs=epochs, settings=settings)
    every = list_protocols(config, pipeline.open_panel(config))
    alike = {p.name for p in every if run_alike(folder(profile) / p.name, config)}
    if absent := [p.name for p in every if p.name not in alike]:
        print(f"protocols: not run, or run with other settings: {', '.join(absent)}", flush=True)
    if not alike:
        raise ArtifactError(folder(profile), "no protocol has been run with these settings",
                            "run humanflows protocols first")
    places = [(p.name, p.label, folder(profile) / p.name) for p in every if p.name in alike]
    for kind, title in TOGETHER.items():
        if all(p.name in alike for p in every if p.name.startswith(f"{kind}-")):
            scores = cross_fitted(profile, kind, epochs=epochs, settings=settings)
            places.append((title, "each observation by the member that never saw it", scores.parent))
    tables = {}
    for name, table in (("flows", "scores"), ("net_migration", "net_migration"), ("stocks", "stocks")):
        parts = [_read(place, table).assign(protocol=title, label=label) for title, label, place in places]
        whole = pd.concat([p for p in parts if len(p)], ignore_index=True)
        first = ["protocol", "label"]
        tables[name] = whole[[*first, *whole.columns.drop(first)]]
        _write(tables[name], folder(profile) / f"protocol_{table}.csv", [place for *_, place in places], config)
    tables["targets"] = measure_targets(tables)
    if profile == "world":
        _write(tables["targets"], folder(profile) / "protocol_targets.csv", [p for *_, p in places], config)
    return tables


def _write(table: pd.DataFrame, file: Path, places: list[Path], config: Config) -> None:
    artifacts.write_text(file, table.to_csv(index=False, float_format="%.4g"))
    made = {p.name: (artifacts.read_manifest(p / "scores.csv") or {}).get("inputs_digest") for p in places}
    artifacts.write_manifest(file, made_by=MADE_BY, inputs=made, profile=config.profile,
                             seed=config.seed)


def read_collected(config: Config) -> Collected:
    """The tables that :func:`collect` wrote, if this configuration, the panel and the code would write the same.

    Raises
    ------
    ArtifactError
        When a table is missing or was altered, or any protocol in it was run otherwise or has been run again since.
    """
    place, again = folder(config.profile), f"run humanflows protocols --profile {config.profile}; what is fresh is kept"
    files = [place / file_name(t) for t in COLLECTED if t != "targets" or config.profile == "world"]
    for file in files:
        artifacts.require(file, f"humanflows protocols --profile {config.profile}")
        manifest = artifacts.read_manifest(file)
        if not manifest or manifest["sha256"] != artifacts.sha256(file):
            raise ArtifactError(file, "the table is not the one that its manifest describes", again)
        if manifest["inputs"] != (artifacts.read_manifest(files[0]) or {}).get("inputs"):
            raise ArtifactError(file, "the table was collected from other runs than the others", again)
    made = artifacts.read_manifest(files[0])
    wanted = {"panel": training.content_digest(pipeline.open_panel(config)),
              "trusted": artifacts.sha256(paths.TRUSTED_OFFICES),
              "code": artifacts.code_digest(*_SCORING_CODE)}
    for name, digest in made["inputs"].items():
        scores = artifacts.read_manifest(place / name / "scores.csv")
        if not scores or scores["inputs_digest"] != digest:
            raise ArtifactError(files[0], f"protocol {name} was run again after the table was collected", again, name)
        if changed := [k for k, v in wanted.items() if scores["inputs"].get(k) != v]:
            other = " and ".join(_SPOKEN[k] for k in changed)
            raise ArtifactError(place / name, f"protocol {name} was scored with another {other} than the present one",
                                again, name)
        if not name.startswith("all-") and not run_alike(place / name, config):
            raise ArtifactError(place / name, f"protocol {name} was trained with other settings or other code", again,
                                name)
    tables = {t: pd.read_csv(f, keep_default_na=False, na_values=[""]) for t, f in zip(COLLECTED, files)}
    return Collected(tables, {
        **{k: made[k] for k in ("made_by", "made_at", "profile", "seed", "versions")}, "protocols": made["inputs"],
        "panel": wanted["panel"], "settings": settings_of(config),
        "training_code": artifacts.code_digest(*training.TRAINING_CODE), "scoring_code": wanted["code"]})


def summarise(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The short table: our scores of annual flows by residence, and the best peer's log R on the same cells.

    Each score stands twice: against all reports and, by its name with ``trusted``, against those of trusted offices.

    Single folds and groups of offices are left out where all of them together are there, and of what else was withheld
    the corridors of the held-out fold.
    """
    flows = tables["flows"]
    there = set(flows["protocol"])
    single = [p for p in there for kind, title in TOGETHER.items() if p.startswith(f"{kind}-") and title in there]
    flows = flows[(flows["horizon"] == "annual") & (flows["criterion"] == "residence") & (flows["part"] != "all")
                  & ~flows["protocol"].isin(single)]
    keys = ["protocol", "collection", "side", "part"]
    scores = ["n", "log_score", "r", "log_r", "cpc", "within_r", "log_bias"]

    def ours(offices: str) -> pd.DataFrame:
        rows = of_offices(flows, offices)
        best = rows[rows["peer"] != OWN].groupby(keys)["log_r"].max().rename("best peer's log_r").reset_index()
        return rows.loc[rows["peer"] == OWN, [*keys, *scores]].merge(best, on=keys, how="left")

    trusted = ours(TRUSTED).set_index(keys).add_suffix(", trusted").reset_index()
    return ours(ALL).merge(trusted, on=keys, how="left")


def choose(every: Iterable[Protocol], only: Iterable[str] | None) -> list[Protocol]:
    """Protocols by name, or by the beginning of their names (``fold``, ``reporters``, ``source``); all by default.

    Raises
    ------
    ConfigError
        For a name that no protocol has.
    """
    every = list(every)
    for name in only or ():
        if not any(p.name == name or p.name.startswith(f"{name}-") for p in every):
            raise ConfigError("--only", f"no protocol is called {name!r}",
                              f"choose from {', '.join(p.name for p in every)}", key="only")
    return [p for p in every if not only or any(p.name == n or p.name.startswith(f"{n}-") for n in only)]
