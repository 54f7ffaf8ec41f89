"""Intervals of a profile: what members say of what they never saw, calibrated, judged and applied to the estimates.

Estimates are means of the members that saw everything (design ``whole``). Intervals of flows are learned from what
members of the designs ``crossed`` and ``blind`` say of reports that they did not see
(:mod:`humanflows.results.interval_cells`, :mod:`humanflows.results.interval_model`). Net migration and stocks have
intervals of their own, and so have sums (:mod:`humanflows.results.interval_sums`).

Everything lies under ``artifacts/<profile>/intervals``: ``flow_bounds.nc``, ``stock_bounds.nc``,
``net_migration_bounds.nc``, ``sums.csv``, ``coverage.csv``, ``variants.csv``.
"""
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from . import artifacts, ensemble, paths, pipeline
from .config import Config
from .model.train import content_digest
from .panel.designs import REPORTER_GROUPS, blind_while_offices_speak, member_config, reporter_groups
from .panel.splits import corridor_folds
from .panel.withhold import reporters_of
from .protocols import folder as protocol_folder
from .protocols import list_protocols
from .results.estimates import open_estimates
from .results.interval_cells import CORRIDORS, LAST_YEARS, OFFICES, YEARS, build_cells, read_cells
from .results.interval_material import Material
from .results.interval_release import make_intervals
from .results.peers import published_normal
from .territories import codes, region_of

MADE_BY = "humanflows intervals"
FILES = ("flow_bounds.nc", "stock_bounds.nc", "net_migration_bounds.nc", "sums.csv", "coverage.csv", "variants.csv")
_CODE = ("intervals.py", "panel/designs.py", "panel/hidden_years.py", "panel/withhold.py", "panel/splits.py",
         *(f"results/{m}.py" for m in ("coverage", "scores", "validation", "peers", *(f"interval_{k}" for k in (
             "balances", "balances_coverage", "cells", "evaluation", "flows", "material", "model", "neighbours",
             "net_migration", "release", "stocks", "sums", "variants")))))
log = logging.getLogger(__name__)


def folder(profile: str) -> Path:
    """Where the intervals of a profile lie."""
    return paths.artifacts(profile) / "intervals"


@dataclass(frozen=True)
class Views:
    """What members of an ensemble say, and what they did not see."""

    config: Config
    members: xr.Dataset
    hidden: np.ndarray      # bool (member, observation)


def open_views(profile: str, panel: xr.Dataset, design: str, *, settings: Mapping | None = None) -> Views:
    """Members of a design and what each never saw; errors as :func:`humanflows.ensemble.open_members`."""
    config = ensemble.ensemble_config(profile, design=design, settings=settings)
    return Views(config, ensemble.open_members(profile, design=design, settings=settings),
                 ensemble.never_saw(panel, config))


def kinds_of(panel: xr.Dataset, crossed: Views, blind: Views) -> dict[str, np.ndarray]:
    """Whose word counts for which kind of cell: bool (member, observation), crossed members first, then the blind.

    A member's held-out corridors are cells of that kind, whoever reported; reports of the offices that it did not see
    are cells of held-out offices on all other corridors; what is left are single years of offices that it saw.
    """
    at = panel["flow_origin"].values, panel["flow_destination"].values
    folds = corridor_folds(panel.sizes["origin"], crossed.config.split.folds, crossed.config.split.seed)[at]
    own = [member_config(crossed.config, k).split.held_out_fold for k in ensemble.list_members(crossed.config)]
    in_fold = folds[None] == np.array(own)[:, None]
    none, nobody = np.zeros_like(blind.hidden), np.zeros_like(crossed.hidden)
    years = ensemble.hidden_years(panel, crossed.config)
    return {CORRIDORS: np.concatenate([in_fold & crossed.hidden, none]),
            OFFICES: np.concatenate([crossed.hidden & ~in_fold & ~years, none]),
            YEARS: np.concatenate([crossed.hidden & ~in_fold & years, none]),
            LAST_YEARS: np.concatenate([nobody, blind.hidden])}


def labels_of(panel: xr.Dataset, config: Config) -> dict[str, np.ndarray]:
    """Fold of the corridor and group of the office (0: none, a platform) of each observation."""
    folds = corridor_folds(panel.sizes["origin"], config.split.folds, config.split.seed)
    groups = reporter_groups(reporters_of(panel), config.split.seed)
    number = {office: k for k, group in enumerate(groups, start=1) for office in group}
    reporter = panel["witness_reporter"].values.astype(str)
    of_witness = np.array([number.get(r, 0) for r in reporter], dtype=np.int8)
    return {"fold": folds[panel["flow_origin"].values, panel["flow_destination"].values],
            "group": of_witness[panel["flow_witness"].values]}


def mean_and_spread(array: xr.DataArray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of the members, and standard deviation (ddof 1) of their log(1 + x), float32; one member in memory at once.

    Parameters
    ----------
    array : (member, …), persons.
    """
    persons, logs, squares, number = 0.0, 0.0, 0.0, array.sizes["member"]
    for k in range(number):
        x = array.isel(member=k).values.astype(np.float64)
        persons, logs = persons + x, logs + np.log1p(x)
        squares = squares + np.log1p(x) ** 2
    variance = (squares - logs**2 / number) / max(number - 1, 1)
    return (persons / number).astype(np.float32), np.sqrt(np.maximum(variance, 0)).astype(np.float32)


def gather(profile: str, *, settings: Mapping | None = None) -> Material:
    """Everything that intervals are made of.

    Raises
    ------
    ArtifactError
        When members are missing; without the protocol ``net-third`` net migration of territories that were not read is
        not calibrated, and the log says so.
    """
    config = ensemble.ensemble_config(profile, design="crossed", settings=settings)
    panel = pipeline.open_panel(config)
    crossed, blind, whole = (open_views(profile, panel, d, settings=settings) for d in ("crossed", "blind", "whole"))
    flows = (views.members["flow"].isel(member=k).values
             for views in (crossed, blind) for k in range(views.members.sizes["member"]))
    labels = labels_of(panel, config)
    cells = build_cells(panel, flows, np.concatenate([crossed.hidden, blind.hidden]),
                        kinds_of(panel, crossed, blind), labels=labels)
    flow, spread = mean_and_spread(whole.members["flow"])
    cells = pd.concat([cells, read_cells(panel, flow, spread, labels=labels)], ignore_index=True)
    stock, stock_spread = mean_and_spread(whole.members["stock"])
    blind_stock = mean_and_spread(blind.members["stock"])
    first = blind_while_offices_speak(panel)
    return Material(
        panel=panel, regions=region_of().loc[panel["origin"].values.astype(str)].to_numpy(), cells=cells, flow=flow,
        spread=spread, stock=stock, stock_spread=stock_spread, blind_stock=blind_stock,
        blind_from=int(panel["year"].values[-3]) if first is None else first,
        members_of_year=lambda t: whole.members["flow"].isel(year=t).values, third=open_third(config, panel),
        reference=published_normal(config.years, codes()) if profile == "world" else None)


def open_third(config: Config, panel: xr.Dataset) -> tuple[np.ndarray, np.ndarray] | None:
    """Flows (year, origin, destination) of a member that saw no net migration of some territories, and which those are,
    bool (residence,); None where that protocol was not run."""
    file = protocol_folder(config.profile) / "net-third" / "estimates.nc"
    if not file.is_file():
        log.warning("net migration of territories that were not read gets no intervals: %s is missing; run humanflows "
                    "protocols --profile %s --only net-third", file, config.profile)
        return None
    chosen = next(p for p in list_protocols(config, panel) if p.name == "net-third").withheld["net_migration_of"]
    return open_estimates(file)["flow"].values, np.isin(panel["residence"].values.astype(str), chosen)


def inputs_of(profile: str, config: Config, settings: Mapping | None = None) -> dict:
    """Digests of all that intervals are made of; members' files are known by their manifests."""
    members = {}
    for design in ("whole", "crossed", "blind"):
        own = ensemble.ensemble_config(profile, design=design, settings=settings)
        for k in ensemble.list_members(own):
            file = artifacts.require(ensemble.member_folder(profile, k, design) / ensemble.ESTIMATES,
                                     f"{ensemble.MADE_BY} --profile {profile} --design {design}")
            members[f"{design}-{k}"] = (artifacts.read_manifest(file) or {}).get("sha256")
    third = protocol_folder(profile) / "net-third" / "estimates.nc"
    return {"panel": content_digest(pipeline.open_panel(config)), "members": members, "groups": REPORTER_GROUPS,
            "net_third": artifacts.sha256(third) if third.is_file() else None, "code": artifacts.code_digest(*_CODE)}


def run_intervals(profile: str, *, settings: Mapping | None = None, workers: int = 1,
                  material: Callable[[], Material] | None = None) -> dict[str, Path]:
    """Make the intervals of a profile, unless they are fresh.

    Parameters
    ----------
    profile : whose ensembles of all three designs must be there, made with the same settings.
    settings : changes of the configuration.
    workers : processes that judge side by side.
    material : gathers what is needed; :func:`gather` by default.

    Returns
    -------
    dict: paths by file name, ``FILES``.

    Raises
    ------
    ArtifactError
        When members are missing.
    """
    config = ensemble.ensemble_config(profile, design="crossed", settings=settings)
    target = folder(profile)
    inputs = inputs_of(profile, config, settings)
    if all(artifacts.is_fresh(target / name, inputs) for name in FILES):
        print("intervals: up to date", flush=True)
        return {name: target / name for name in FILES}
    started = time.perf_counter()
    made = make_intervals(material() if material else gather(profile, settings=settings), workers=workers)
    for name in FILES:
        if name.endswith(".nc"):
            artifacts.write_netcdf(made[name], target / name)
        else:
            artifacts.write_text(target / name, made[name].to_csv(index=False, float_format="%.5g"))
    for name in FILES:
        artifacts.write_manifest(target / name, made_by=MADE_BY, inputs=inputs, profile=profile, seed=config.seed,
                                 seconds=round(time.perf_counter() - started, 1))
    return {name: target / name for name in FILES}
