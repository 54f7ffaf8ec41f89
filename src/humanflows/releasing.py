"""What goes into data/release: the chain's results, the protocols' tables and the ensemble, each where it is fresh."""
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pandas as pd
import xarray as xr

from . import artifacts, birthplaces, dataset, ensemble, intervals, members, needs, paths, pipeline, scenarios, unseen
from .config import Config
from .dataset.birthplace import write_birthplace
from .dataset.evidence import write_sources
from .dataset.factors import Moves, mean_moves, moves_of
from .errors import ArtifactError
from .model import train as training
from .panel.known_flows import check_against_panel, read_known_flows
from .protocols import read_collected
from .results import peer_regions
from .results.elasticities import flow_elasticities
from .results.estimates import open_estimates
from .results.known_flows import FILE as KNOWN_FLOWS
from .results.known_flows import compare_known, meta_flows
from .results.peers import REFERENCE, published_peers
from .results.release import Together, add_table
from .territories import codes

STOCK_DATES = 5     # years between the dates whose stocks get intervals in the release; the last date is one, too


def release(config: Config) -> Path:
    """:func:`humanflows.pipeline.release`, with the protocols' tables and the ensemble where they are there and fresh.

    Where the protocols' tables are not, it says so, and the release keeps what it has of them. Where there is no
    ensemble it says so, and the estimates are those of the one member that is scored.

    Raises
    ------
    ArtifactError
        When a step of the chain has not been run, or when the release in the folder is an ensemble's and this one would
        put a single member in its place.
    """
    try:
        collected = read_collected(config)
    except ArtifactError as error:
        print(f"release: no new tables of the validation protocols, earlier ones stay as they are. {error}", flush=True)
        collected = None
    try:
        together = read_ensemble(config)
    except ArtifactError as error:
        manifest = paths.RELEASE / "manifest.json"
        if manifest.is_file() and "ensemble" in json.loads(manifest.read_text(encoding="utf-8")):
            raise ArtifactError(paths.RELEASE, f"the release there is an ensemble's, this one would not be: {error}",
                                "make the ensemble and its intervals first, or remove the folder") from error
        print(f"release: without an ensemble, one member's estimates and no intervals. {error}", flush=True)
        together = None
    made = pipeline.release(config, collected, together, partial(write_provenance, config, together=together))
    if config.profile == "world":
        write_known_flows(config)
    return made


def write_known_flows(config: Config, folder: Path | None = None) -> pd.DataFrame:
    """Hold the release against the published figures of ``data/known_flows.csv``: its table ``known_flows.csv``.

    Parameters
    ----------
    config : of the real world; its panel says what the figures equal, and what Meta counts.
    folder : another folder for the table; by default the release, whose manifest then lists it.

    Returns
    -------
    The table, as of `humanflows.results.known_flows.compare_known`. Gaskin & Abel's flows are missing in it where their
    files are not at hand.

    Raises
    ------
    SchemaError
        When a figure is said to be the panel's and is another one.
    ArtifactError
        When there is no panel, or the release is damaged.
    """
    known, panel = read_known_flows(), pipeline.open_panel(config)
    check_against_panel(known, panel)
    reference = published_peers(config.years, codes()).get(REFERENCE)
    table = compare_known(known, dataset.open_estimates(), reference, meta_flows(panel))
    if folder is None:
        add_table(KNOWN_FLOWS, table)
    else:
        artifacts.write_text(folder / KNOWN_FLOWS, table.to_csv(index=False, float_format="%.6g"))
    return table


def write_provenance(config: Config, folder: Path, together: Together | None = None) -> None:
    """Who spoke about each corridor and year, flows by birthplace in factorised form, and the tables of the paper's
    figures, into a release.

    Parameters
    ----------
    config : of the run.
    folder : of the release, in which ``flows.nc`` and ``stocks.nc`` lie.
    together : the ensemble, whose members' mean the flows by birthplace are; without it they are the one member's.
    """
    panel = pipeline.open_panel(config)
    write_sources(panel, folder / "sources.nc", profile=config.profile)
    flow, stock = (xr.load_dataset(folder / f"{name}s.nc", engine="netcdf4")[name].values for name in ("flow", "stock"))
    given = flow, stock, panel["year"].values.tolist(), panel["origin"].values.astype(str).tolist()
    if together:
        years, spread = birthplaces.member_moves(config, panel), None
        try:
            shares = birthplaces.released_table(years, paths.RELEASE)
        except ArtifactError as error:
            print(f"release: flows by birthplace get no intervals. {error}", flush=True)
        else:
            artifacts.write_text(folder / birthplaces.RELEASED, shares.to_csv(index=False, float_format="%.5g"))
            spread = birthplaces.spread_array(shares, "spread")
        write_birthplace((mean_moves(birthplaces.as_float(m)) for m in years), *given, folder / "birthplace.nc",
                         made_from=f"mean of {together.about['members']} members", spread=spread,
                         profile=config.profile)
    else:
        write_birthplace(_moves(config, panel), *given, folder / "birthplace.nc", made_from="one member",
                         profile=config.profile)
    scenarios.release_scenarios(config, folder / "scenarios")
    write_paper_tables(config, panel, folder, together)
    if together:
        needs.release_needs(config.profile, folder, settings=_settings(config))


def write_paper_tables(config: Config, panel: xr.Dataset, folder: Path, together: Together | None = None) -> list[Path]:
    """What the paper's figures need beside the estimates: totals of published estimates, and elasticities.

    Others' totals need their files: a table stays as it was in the release where these are not at hand.

    Parameters
    ----------
    config, folder, together : as for :func:`write_provenance`.
    panel : of the profile.

    Returns
    -------
    The files written.
    """
    written = []
    peers = published_peers(config.years, codes()) if config.profile == "world" else {}
    if peers:
        flow = xr.load_dataset(folder / "flows.nc", engine="netcdf4")["flow"]
        for name, table in peer_regions.make_tables(flow, panel, peers).items():
            written.append(artifacts.write_text(folder / f"{name}.csv", table.to_csv(index=False, float_format="%.5g")))
    made = keep_elasticities(config, panel, together)
    return [*written, artifacts.write_bytes(folder / "elasticities.csv", made.read_bytes())]


def keep_elasticities(config: Config, panel: xr.Dataset, together: Together | None = None) -> Path:
    """Elasticities of every member that is released, kept when fresh: ``elasticities.csv`` of the profile's folder."""
    own = ensemble.ensemble_config(config.profile, settings=_settings(config)) if together else None
    files = {k: ensemble.member_folder(config.profile, k) / ensemble.WEIGHTS for k in ensemble.list_members(own)} \
        if together else {1: pipeline.member_path(config)}
    target = config.folder / "elasticities.csv"
    inputs = {"members": [artifacts.sha256(artifacts.require(f, "training")) for f in files.values()],
              "panel": artifacts.sha256(pipeline.panel_path(config)),
              "code": artifacts.code_digest("results/elasticities.py", "releasing.py")}
    if artifacts.is_fresh(target, inputs):
        return target
    tables = []
    for k, file in files.items():
        if together:
            member = ensemble.load_member(config.profile, k, panel, own)
            shown = ensemble.member_panel(panel, ensemble.member_config(own, k))
        else:
            member, shown = training.load_member(file, panel, pipeline.open_splits(config), config), panel
        tables.append(flow_elasticities(member.model, shown, without=config.model.without, member=k))
    text = pd.concat(tables, ignore_index=True).to_csv(index=False, float_format="%.4g")
    artifacts.write_text(target, text)
    artifacts.write_manifest(target, made_by="release", inputs=inputs, profile=config.profile, seed=config.seed)
    return target


def _moves(config: Config, panel: xr.Dataset) -> Iterator[Moves]:
    splits = pipeline.open_splits(config)
    yield from moves_of(training.load_member(pipeline.member_path(config), panel, splits, config).model)


def read_ensemble(config: Config) -> Together:
    """The mean of the members that saw everything, its intervals and their coverage.

    Raises
    ------
    ArtifactError
        When members or intervals are missing, or the intervals are of other members.
    """
    profile, number = config.profile, config.ensemble.members
    settings = _settings(config)
    given = {"settings": settings}
    own = ensemble.ensemble_config(profile, design="crossed", **given)
    wanted, place = artifacts.digest(intervals.inputs_of(profile, own, settings)), intervals.folder(profile)
    for name in intervals.FILES:
        file = artifacts.require(place / name, f"{intervals.MADE_BY} --profile {profile}")
        made = artifacts.read_manifest(file)
        if not made or made["inputs_digest"] != wanted or made["sha256"] != artifacts.sha256(file):
            raise ArtifactError(file, "the intervals are of other members, other data or older code",
                                f"run {intervals.MADE_BY} --profile {profile} again")
    bounds = [xr.load_dataset(place / name, engine="netcdf4") for name in intervals.FILES if name.endswith(".nc")]
    ends = xr.merge([_ends_of(data) for data in bounds], combine_attrs="drop_conflicts")
    dates = ends["date_year"].values
    some = dates[((dates - dates[0]) % STOCK_DATES == 0) | (dates == dates[-1])]
    stocks = {k: v.sel(date_year=some) for k, v in ends.items() if "date_year" in v.dims}
    ends = ends.drop_vars([*stocks, "date_year"]).assign(stocks)
    tables = {"coverage": place / "coverage.csv", "interval_variants": place / "variants.csv",
              "sums": place / "sums.csv", "ensemble_scores": unseen.keep_scores(profile, **given)}
    mean = members.keep_mean(profile, **given)
    weights = [artifacts.read_manifest(ensemble.member_folder(profile, k) / ensemble.WEIGHTS) or {}
               for k in range(1, number + 1)]
    return Together(
        open_estimates(mean), ends,
        {name: pd.read_csv(file, keep_default_na=False, na_values=[""]) for name, file in tables.items()},
        lambda target: members.pack_members(profile, target, **given),
        {"members": number, "design": "whole", "training_minutes": round(sum(w["seconds"] for w in weights) / 60, 1),
         "inputs": {k: json.loads(json.dumps(v)) for k, v in weights[0]["inputs"].items() if k != "splits"},
         "calibrated_on": {"crossed": config.ensemble.crossed_members, "blind": config.ensemble.blind_members}})


def _settings(config: Config) -> dict:
    """The configuration as changes of its profile's, which is how ensembles are asked for."""
    return {k: v for k, v in config.as_dict().items() if k != "profile"}


def _ends_of(data: xr.Dataset) -> xr.Dataset:
    """Ends of 95% intervals, and what was seen, under the release's names."""
    kept = data[[k for k in data.data_vars if str(k).endswith(("_lower", "_upper")) or k == "seen"]]
    return kept.rename({"seen": "flow_seen"}) if "flow" in data and "seen" in kept else \
        kept.drop_vars("seen", errors="ignore")
