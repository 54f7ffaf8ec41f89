"""Scenarios run and kept: every member beside itself, one in memory at a time, its answers under artifacts/scenarios.

A folder for each scenario holds ``result.nc`` (``results.scenario_result``), ``territories.csv``, ``corridors.csv``,
``totals.csv`` and ``scenario.json``: what was asked, and the plain statement of what such numbers mean.
"""
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import xarray as xr

from . import artifacts, ensemble, intervals, paths, pipeline
from .config import Config, load_config
from .errors import ArtifactError, ConfigError
from .model import train as training
from .model.recursion import Trajectory
from .model.scenario_run import run
from .panel.designs import blind_while_offices_speak
from .panel.splits import make_splits
from .results import scenario_result as results
from .results.scenario import Scenario, read_scenario
from .results.scenario_inputs import (
    Demography,
    apply,
    beyond_experience,
    build_inputs,
    carry_demography,
    extend_panel,
)
from .results.scenario_meaning import statement, statement_text
from .results.scenario_release import ABOUT, TABLES, write_released
from .sources import wpp_medium
from .sources.fetch import fetch_all
from .sources.registry import about as registered

MADE_BY = "humanflows scenario"
RESULT = "result.nc"
_CODE = ("model/scenario_run.py", "model/accounting.py", "panel/features.py", "sources/wpp_medium.py",
         *(f"results/scenario{part}.py" for part in ("", "_inputs", "_result", "_meaning")), "scenarios.py")
_WPP = tuple(f"wpp2024/{name}" for name in wpp_medium.FILES)


@dataclass(frozen=True)
class Answerer:
    """A member that can be run: loaded only when asked, for it takes far more memory than its answers."""

    number: int
    weights: Path
    without: str                                        # model.without of its configuration
    load: Callable[[], tuple[training.Member, xr.Dataset]]


def folder(profile: str, name: str = "") -> Path:
    """Where the answers of a profile's scenarios lie, or of one of them."""
    return paths.artifacts(profile) / "scenarios" / name


def list_answerers(config: Config, panel: xr.Dataset, members: int | None = None) -> list[Answerer]:
    """The members of the ensemble that saw everything; where it has not been made, the one member of the step train.

    Parameters
    ----------
    config : of the profile.
    panel : of the profile, undrawn.
    members : the first so many alone.

    Raises
    ------
    ArtifactError
        When there is neither.
    """
    settings = {k: v for k, v in config.as_dict().items() if k != "profile"}
    own = ensemble.ensemble_config(config.profile, design="whole", settings=settings)
    numbers = ensemble.list_members(own)[:members]
    files = [ensemble.member_folder(config.profile, k) / ensemble.WEIGHTS for k in numbers]
    if all(f.is_file() for f in files):
        def load(number: int, file: Path) -> tuple[training.Member, xr.Dataset]:
            mine = ensemble.member_config(own, number)
            drawn = ensemble.member_panel(panel, mine)
            return training.load_member(file, drawn, make_splits(panel, mine.split), mine), drawn

        return [Answerer(k, f, own.model.without, partial(load, k, f)) for k, f in zip(numbers, files)]
    weights = artifacts.require(pipeline.member_path(config), f"train --profile {config.profile}")
    return [Answerer(1, weights, config.model.without, lambda: (
        training.load_member(weights, panel, pipeline.open_splits(config), config), panel))]


def run_scenario(config: Config, asked: Path | Scenario, **how) -> Path:
    """:func:`run_scenarios` of one."""
    return run_scenarios(config, [asked], **how)[0]


def run_scenarios(config: Config, asked: Sequence[Path | Scenario], *, members: int | None = None,
                  elsewhere: float | None = None, refresh: bool = False) -> list[Path]:
    """Run scenarios and their baselines with every member; kept while nothing they were made of has changed.

    A member is loaded once for all of them, which takes longer than to run it.

    Parameters
    ----------
    config : of the profile, whose panel and members there must be.
    asked : YAML files, or scenarios that were checked against the panel.
    members : the first so many members alone.
    elsewhere : instead of the scenarios'; such answers get folders of their own.
    refresh : run what is fresh, too.

    Returns
    -------
    Paths of each ``result.nc``; open it with :func:`open_result`.

    Raises
    ------
    ConfigError
        For a scenario that is not one.
    ArtifactError
        Without a panel or a member.
    """
    started = time.perf_counter()
    panel = pipeline.open_panel(config)
    answerers, known = list_answerers(config, panel, members), open_bounds(config.profile)
    common = {"panel": artifacts.sha256(pipeline.panel_path(config)), "code": artifacts.code_digest(*_CODE),
              "members": [artifacts.sha256(a.weights) for a in answerers],
              "intervals": [artifacts.sha256(f) for f in _bounds(config.profile)] if known is not None else None}
    targets, due = [], []
    for scenario in [_checked(one, panel, elsewhere) for one in asked]:
        target = folder(config.profile, scenario.name) / RESULT
        projection = _WPP if scenario.demography == "wpp_medium" else ()
        inputs = {**common, "scenario": asdict(scenario), "projection": [registered(f)["sha256"] for f in projection]}
        targets.append(target)
        if refresh or not artifacts.is_fresh(target, inputs, _beside(target)):
            due.append(_Due(scenario, target, inputs, read_demography(panel, scenario), panel))
    for answerer in answerers if due else ():
        member, drawn = answerer.load()
        for one in due:
            one.collected.add(*ask(member, drawn, one.scenario, one.demography, without=answerer.without))
        print(f"scenarios: member {answerer.number} of {len(answerers)}", flush=True)
    for one in due:
        leads = (one.scenario.last_year or 0) - int(panel.year.values[-1])
        growth = measure_growth(config, panel, leads) if leads > 0 and known is not None else {}
        one.write(known, growth, made_by=MADE_BY, profile=config.profile, seed=config.seed,
                  seconds=round(time.perf_counter() - started, 1))
    return targets


def _checked(asked: Path | Scenario, panel: xr.Dataset, elsewhere: float | None) -> Scenario:
    scenario = asked if isinstance(asked, Scenario) else \
        read_scenario(asked, panel.residence.values.astype(str).tolist(), panel.year.values.tolist())
    if elsewhere is None or elsewhere == scenario.elsewhere:
        return scenario
    if not 0 <= elsewhere <= 1:
        raise ConfigError("--elsewhere", f"{elsewhere!r} is no share", "choose 0 to 1", key="elsewhere")
    return replace(scenario, elsewhere=float(elsewhere), name=f"{scenario.name}_{100 * elsewhere:.0f}_elsewhere")


class _Due:
    """A scenario that is being run."""

    def __init__(self, scenario: Scenario, target: Path, inputs: dict, demography: Demography | None,
                 panel: xr.Dataset):
        self.scenario, self.target, self.inputs, self.demography = scenario, target, inputs, demography
        self.last = int(panel.year.values[-1])
        # Warnings are about what was published, not about what a member drew.
        changed = apply(panel if demography is None else extend_panel(panel, scenario.last_year, demography), scenario)
        self.beyond = beyond_experience(panel, changed, scenario)
        self.collected = results.Collector(changed.year.values, changed.residence.values.astype(str),
                                           scenario.first_year(self.last))

    def write(self, known: xr.Dataset | None, growth: dict[int, float], **about) -> None:
        """Tables, statement and result of all members; the result last, and its manifest after it, so that a run that
        is cut off leaves nothing that looks finished."""
        scenario, place = self.scenario, self.target.parent
        result = results.add_intervals(self.collected.result(), known, growth)
        members, levels = result.attrs["members"], result.attrs["levels"]
        said = statement(scenario, members=members, levels=levels, beyond=self.beyond, panel_last=self.last,
                         growth=bool(growth))
        result.attrs |= {"title": scenario.title, "name": scenario.name, "statement": statement_text(said)}
        text = {"scenario": asdict(scenario), "members": members, "levels": levels, "statement": said,
                "growth_of_errors": {str(k): round(v, 3) for k, v in growth.items()},
                "beyond": json.loads(self.beyond.to_json(orient="records"))}
        for name, table in zip(TABLES, (results.territory_table(result), results.corridor_table(result),
                                        results.total_table(result))):
            artifacts.write_text(place / f"{name}.csv", table.to_csv(index=False, float_format="%.6g"))
        artifacts.write_text(place / ABOUT, json.dumps(text, indent=1) + "\n")
        artifacts.write_netcdf(result, self.target)
        artifacts.write_manifest(self.target, inputs=self.inputs, members=members, beside=_beside(self.target), **about)


def _beside(target: Path) -> list[Path]:
    """Files that lie beside a result and belong to it."""
    return [target.with_name(name) for name in (ABOUT, *(f"{t}.csv" for t in TABLES))]


def ask(member: training.Member, panel: xr.Dataset, scenario: Scenario, demography: Demography | None = None, *,
        without: str = "") -> tuple[Trajectory, Trajectory]:
    """Run one member without and with the scenario's changes; without a change, both are the same.

    Parameters
    ----------
    member, panel : the member, and the panel that it learned from.
    scenario : checked.
    demography : of the years beyond the panel.
    without : ``model.without`` of the member's configuration.
    """
    plain, _ = build_inputs(panel, scenario, without=without, demography=demography, changes=False)
    baseline = run(member.model, plain)
    if not scenario.changes:
        return baseline, baseline
    given, _ = build_inputs(panel, scenario, without=without, demography=demography)
    return baseline, run(member.model, given)


def read_demography(panel: xr.Dataset, scenario: Scenario) -> Demography | None:
    """Births, deaths, populations and life expectancy of the years beyond the panel, where a scenario has any.

    Raises
    ------
    SourceFileError
        When the projection cannot be had.
    """
    last = int(panel.year.values[-1])
    if scenario.last_year is None or scenario.last_year <= last:
        return None
    if scenario.demography == "carried":
        return carry_demography(panel, scenario.last_year)
    files = {Path(name).name: file for name, file in fetch_all(_WPP).items()}
    return Demography(**wpp_medium.read_medium(files, range(last + 1, scenario.last_year + 1),
                                               panel.residence.values.astype(str).tolist()))


def measure_growth(config: Config, panel: xr.Dataset, leads: int) -> dict[int, float]:
    """How errors grow with the years ahead, from the members that were blind to the last years; empty without them."""
    settings = {k: v for k, v in config.as_dict().items() if k != "profile"}
    first = blind_while_offices_speak(panel)
    try:
        blind = ensemble.open_members(config.profile, design="blind", settings=settings)
    except ArtifactError:
        return {}
    if first is None:
        return {}
    total = 0.0
    for k in range(blind.sizes["member"]):
        total = total + blind["flow"].isel(member=k).values.astype(np.float64)
    return results.growth_of_errors(results.lead_errors(panel, total / blind.sizes["member"], first), leads)


def _bounds(profile: str) -> list[Path]:
    return [intervals.folder(profile) / f for f in ("flow_bounds.nc", "net_migration_bounds.nc")]


def open_bounds(profile: str) -> xr.Dataset | None:
    """Calibrated intervals of a profile's flows and net migration, in memory; None where they were not made."""
    if not all(f.is_file() for f in _bounds(profile)):
        return None
    return xr.merge([xr.load_dataset(f, engine="netcdf4").drop_vars(["seen", "read"], errors="ignore")
                     for f in _bounds(profile)], combine_attrs="drop")


def open_result(file: Path) -> xr.Dataset:
    """A kept result, in memory.

    Raises
    ------
    ArtifactError
        When it is missing, or not the one that its manifest describes.
    """
    if artifacts.read_manifest(artifacts.require(file, MADE_BY)) is None:
        raise ArtifactError(file, "nothing says what made this result: the run was cut off", f"run {MADE_BY} again")
    return xr.load_dataset(artifacts.require_whole(file, MADE_BY), engine="netcdf4")


def release_scenarios(config: Config, target: Path) -> list[Path]:
    """Small tables of a profile's scenarios into a release: a folder each with what prose and figures need.

    Parameters
    ----------
    config : of the profile.
    target : folder ``scenarios`` of the release; answers that are there and were not run again stay.

    Returns
    -------
    Folders written; none where no scenario has been run.
    """
    return [write_released(open_result(file), file.parent / ABOUT, target / file.parent.name)
            for file in sorted(folder(config.profile).glob(f"*/{RESULT}"))]


def list_files(profile: str) -> list[Path]:
    """The example scenarios of a profile."""
    return sorted((paths.CONFIG / "scenarios" / profile).glob("*.yaml"))


def answer(profile: str, files: Sequence[Path], *, members: int | None = None, elsewhere: float | None = None,
           settings: dict | None = None) -> list[Path]:
    """What the command ``humanflows scenario`` does: run, and print what came out and what it means."""
    made = run_scenarios(load_config(profile, **(settings or {})), files, members=members, elsewhere=elsewhere)
    for target in made:
        result = open_result(target)
        last, without = int(result.year[-1]), float(result["world_baseline"][-1])
        print(f"\n{result.attrs['title']}\nmoves of the world in {last}: {without:,.0f} persons without the change, "
              f"{float(result['world'][-1]):,.0f} with it; all years together "
              f"{float(result['world_difference'].sum()):+,.0f}")
        print(results.corridor_table(result, 10).to_string(index=False, float_format="{:,.0f}".format))
        print(result.attrs["statement"], flush=True)
    return made
