"""The chain, one public function an arrow: each reads artifacts, makes one, and leaves a manifest beside it.

Nothing is made twice: an artifact whose inputs have not changed is kept.
"""
import json
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import xarray as xr

from . import artifacts, paths
from .config import Config
from .errors import ArtifactError
from .model import train as training
from .panel.harmonise import harmonise as harmonise_tables
from .panel.inventory import describe_panel
from .panel.reporting_systems import describe_reports
from .panel.splits import make_splits, training_observations
from .results.errors import TABLES as ERROR_TABLES
from .results.estimates import open_estimates, write_estimates
from .results.protocol_tables import Collected
from .results.release import Together
from .sources import catalogue
from .sources.omissions import COLUMNS as OMITTED
from .territories import codes


def panel_path(config: Config) -> Path:
    """Where a profile's panel lies."""
    return config.folder / "panel.nc"


def splits_path(config: Config) -> Path:
    """Where a profile's splits lie."""
    return config.folder / "splits.nc"


def member_path(config: Config) -> Path:
    """Where the weights of the member of ``config.seed`` lie."""
    return config.folder / f"member-{config.seed}.safetensors"


def estimates_path(config: Config) -> Path:
    """Where a profile's estimates lie."""
    return config.folder / "estimates.nc"


def _made(target: Path, inputs: dict, make: Callable[[], dict | None], config: Config, made_by: str,
          refresh: bool, beside: Iterable[Path] = ()) -> Path:
    """Make an artifact, and files beside it, unless all are fresh; say what is done, on which device, for how long."""
    if not refresh and artifacts.is_fresh(target, inputs, beside):
        print(f"{made_by}: {target.name} is up to date", flush=True)
        return target
    device = training.choose_device(config.train.device).type if made_by in ("train", "estimate") else "cpu"
    print(f"{made_by}: profile {config.profile}, device {device} …", flush=True)
    started = time.perf_counter()
    more = make() or {}
    seconds = round(time.perf_counter() - started, 2)
    artifacts.write_manifest(target, made_by=made_by, inputs=inputs, device=device, seconds=seconds,
                             profile=config.profile, seed=config.seed, beside=beside, **more)
    print(f"{made_by}: {target.name} made in {seconds:.1f} s on {device}", flush=True)
    return target


def simulate_twin(config: Config):
    """The simulated world of the ``twin`` profile, with its truth."""
    from .twin.world import simulate

    return simulate(config.twin, config.years)


def read_tables(config: Config) -> dict:
    """Tidy tables of a profile: observed in the twin, or read from the real sources."""
    if config.profile == "twin":
        return add_reconstruction(observe_twin(simulate_twin(config), config))
    tables = catalogue.load_all()
    describe_reports(tables["flow"])      # a report that nobody has defined stops here, and is named
    return add_reconstruction(tables)


def observe_twin(world, config: Config) -> dict:
    """The tidy tables that the offices of a simulated world publish."""
    from .twin.observe import observe

    return observe(world, config.twin)


def add_reconstruction(tables: dict) -> dict:
    """The tables with five-year flows that we reconstruct from their stocks, births and deaths (pseudo-Bayes).

    Others' published reconstructions stay beside ours, under their own source's name.
    """
    from .baselines.reconstruct import reconstruct

    own = reconstruct(tables, method="da_pb_closed")
    given = tables["reconstruction"]
    return {**tables, "reconstruction": pd.concat([given, own], ignore_index=True) if len(given) else own}


# Of the baselines, those that make a table.
_RECONSTRUCTING = tuple(f"baselines/{m}.py" for m in ("accounts", "ipf", "pseudo_bayes", "demographic_accounting",
                                                      "reconstruct"))


def _table_inputs(config: Config) -> dict:
    if config.profile == "twin":
        return {"twin": config.as_dict()["twin"], "tables_code": artifacts.code_digest("twin", *_RECONSTRUCTING)}
    return {"sources": catalogue.inputs_digests(),
            "tables_code": artifacts.code_digest(*_RECONSTRUCTING)}


def _definition_inputs(config: Config) -> dict[str, str]:
    """Digests of what is said of the reports: the panel holds it. The simulated world's offices define theirs."""
    files = {"classes": paths.REPORTING_CLASSES}
    if config.profile != "twin":
        files["systems"] = paths.REPORTING_SYSTEMS
    return {name: artifacts.sha256(file) for name, file in files.items()}


NOTHING_OMITTED = pd.DataFrame(columns=["source", *OMITTED])   # nobody in the simulated world publishes a remainder

# Tables about the panel, beside it: what it holds, and what readers and harmonising left out.
PANEL_TABLES = ("reports", "repeated", "breaks", "omitted")


def harmonise(config: Config, *, refresh: bool = False) -> Path:
    """Tables to panel: ``panel.nc`` and, beside it, ``splits.nc`` and the ``PANEL_TABLES``."""
    target = panel_path(config)
    inputs = {**_table_inputs(config), "definitions": _definition_inputs(config), "years": config.years,
              "split": config.as_dict()["split"], "code": artifacts.code_digest("panel", "schema.py", "territories.py")}

    def make():
        world = config.profile == "world"
        tables = read_tables(config)
        places = codes() if world else tuple(sorted(tables["territory_year"]["territory"].unique()))
        panel = harmonise_tables(tables, places, config.years, catalogue.about_sources() if world else {})
        splits = make_splits(panel, config.split)  # both or none: a split that fails leaves the earlier panel
        about = {**describe_panel(tables, panel), "omitted": catalogue.omissions() if world else NOTHING_OMITTED}
        artifacts.write_netcdf(panel, target, compress=1)
        artifacts.write_netcdf(splits, splits_path(config))
        for name, table in about.items():
            artifacts.write_text(table_path(config, name), table.to_csv(index=False, float_format="%.10g"))
        print(f"harmonise: {about['repeated']['cells'].sum():,} of {about['reports']['cells'].sum():,} reports repeat "
              f"one of a newer collection; {len(about['breaks']):,} breaks of a thousand persons or more", flush=True)
        left_out = about["omitted"].groupby(["source", "reason"])[["rows", "persons"]].sum().reset_index()
        return {"territories": len(places), "observations": panel.sizes["observation"],
                "witnesses": panel.sizes["witness"], "omitted": left_out.to_dict("records")}

    return _made(target, inputs, make, config, "harmonise", refresh,
                 [splits_path(config), *(table_path(config, t) for t in PANEL_TABLES)])


def open_panel(config: Config) -> xr.Dataset:
    """The harmonised panel, in memory.

    Raises
    ------
    ArtifactError
        When it is missing, damaged, or of a run that was cut off.
    """
    return _load(artifacts.require_whole(panel_path(config), "harmonise"), "harmonise")


def _load(file: Path, made_by: str) -> xr.Dataset:
    try:
        return xr.load_dataset(file, engine="netcdf4")
    except (OSError, RuntimeError, ValueError, KeyError) as error:    # what the libraries say of a damaged file
        raise ArtifactError(file, f"not readable as NetCDF ({type(error).__name__}: {error})",
                            f"run {made_by} again") from error


def open_splits(config: Config) -> xr.Dataset:
    """The splits of corridors, in memory; errors as of :func:`open_panel`."""
    splits = _load(artifacts.require_whole(splits_path(config), "harmonise", of=panel_path(config)), "harmonise")
    return splits.assign({k: v.astype(bool) for k, v in splits.items() if k != "fold"})


def _training_inputs(config: Config) -> dict:
    settings = config.as_dict()
    return {"panel": artifacts.sha256(artifacts.require(panel_path(config), "harmonise")),
            "splits": artifacts.sha256(splits_path(config)),
            **{k: settings[k] for k in ("seed", "model", "observation", "effects", "train")},
            "code": artifacts.code_digest(*training.TRAINING_CODE)}


def train(config: Config, *, refresh: bool = False, progress: bool = True) -> Path:
    """Fit one member; an interrupted training goes on from its checkpoint."""
    target = member_path(config)
    checkpoint = target.with_suffix(".checkpoint.safetensors")

    def make():
        if refresh:
            checkpoint.unlink(missing_ok=True)
        member = training.fit_member(open_panel(config), open_splits(config), config, checkpoint, progress=progress)
        training.save_member(member, target, config)
        artifacts.write_text(history_path(config), member.history.to_csv(index=False))
        checkpoint.unlink(missing_ok=True)
        return {"training_seconds": round(member.seconds, 1), "epochs": len(member.history),
                "threads": torch.get_num_threads()}

    return _made(target, _training_inputs(config), make, config, "train", refresh, [history_path(config)])


def history_path(config: Config) -> Path:
    """Losses by epoch of the member of ``config.seed``, CSV."""
    return config.folder / f"history-{config.seed}.csv"


def estimate(config: Config, *, refresh: bool = False) -> Path:
    """Weights to estimates: flows, stocks and net migration of every year; beside them ``witnesses.csv``, and what the
    member expects of reports."""
    from .results.report_expectations import expectations_of, expectations_path, write_expectations

    target, beside = estimates_path(config), table_path(config, "witnesses")
    inputs = {"member": artifacts.sha256(artifacts.require(member_path(config), "train")), **_training_inputs(config),
              "estimates": artifacts.code_digest("results/estimates.py", "results/witness_table.py",
                                                 "results/summaries.py", "results/report_expectations.py")}
    expected = expectations_path(target)

    def make():
        panel, splits = open_panel(config), open_splits(config)
        member = training.load_member(member_path(config), panel, splits, config)
        run = training.predict(member)
        witnesses = _describe_witnesses(member, run, panel, splits)
        write_estimates(run.flow.numpy(), run.stock.numpy(), None, config.years, list(panel.origin.values), target)
        write_expectations(expectations_of(member.observation, config.years), expected)
        artifacts.write_text(beside, witnesses.to_csv(index=False, float_format="%.6g"))

    return _made(target, inputs, make, config, "estimate", refresh, [beside, expected])


@torch.no_grad()
def _describe_witnesses(member: training.Member, run: training.Trajectory, panel: xr.Dataset, splits: xr.Dataset):
    """What a member has learned about who counts (see ``results.witness_table``)."""
    from .results.witness_table import describe_witnesses

    seen = member.observation.cpu()
    bias = np.nan_to_num(seen.witness_bias())
    return describe_witnesses(panel, training_observations(panel, splits), bias, seen.predictions(run).numpy())


def load_estimates(config: Config) -> xr.Dataset:
    """The estimates of a profile."""
    return open_estimates(artifacts.require_whole(estimates_path(config), "estimate"))


def scores_path(config: Config) -> Path:
    """Scores of held-out corridors, CSV (see ``results.validation.validate``)."""
    return config.folder / "scores.csv"


def read_peers(config: Config, panel: xr.Dataset, splits: xr.Dataset, *,
               withheld: Mapping | None = None) -> dict[str, xr.DataArray]:
    """What the estimates are scored beside: others' published estimates where there are any, and simple baselines.

    ``withheld``, the arguments of :func:`humanflows.panel.withhold.withhold`, says what the baselines may not see
    either; persistence is left out where that leaves it nothing to say about what is withheld.
    """
    from .baselines.persistence import predict_persistence, predict_region_mean
    from .panel.withhold import withheld_observations, withhold
    from .results.peers import published_peers

    hidden = withheld_observations(panel, **(withheld or {}))
    peers = published_peers(config.years, codes()) if config.profile == "world" else {}
    regions = predict_region_mean(withhold(panel, **withheld) if withheld else panel, splits)
    # Before a corridor's first report persistence has nothing to persist; without a stand-in there, the first year of
    # every series would be dropped for all peers.
    years, origin, destination = (panel[f"flow_{k}"].values.astype(int) for k in ("year", "origin", "destination"))
    stand_in = regions.values[years, origin, destination]
    for name, horizon in (("persistence", "annual"), ("persistence, five years", "five_year")):
        last = predict_persistence(panel, horizon=horizon, seen=~hidden)
        if hidden.any() and np.isnan(last.values[hidden]).all():
            continue
        peers[name] = last.copy(data=np.where(np.isnan(last.values), stand_in, last.values))
        peers[name].attrs["learned_from"] = (
            f"{last.attrs.get('learned_from', 'earlier reports of the same corridor')}; before the first report, the "
            "mean of the two regions")
    peers["mean of the two regions"] = regions
    return peers


def validate(config: Config, *, refresh: bool = False) -> Path:
    """Estimates against what was held out: ``scores.csv``; beside it net migration, stocks, world totals and errors."""
    from .results import errors, validation
    from .results.peers import published_net_migration
    from .results.report_expectations import at_observations, expectations_path, open_expectations

    target, beside = scores_path(config), expectations_path(estimates_path(config))
    made = artifacts.read_manifest(estimates_path(config)) or {}
    inputs = {"estimates": artifacts.sha256(artifacts.require(estimates_path(config), "estimate")),
              "expected": made.get("beside", {}).get(beside.name),
              "panel": artifacts.sha256(panel_path(config)), "splits": artifacts.sha256(splits_path(config)),
              "trusted": artifacts.sha256(paths.TRUSTED_OFFICES),
              "code": artifacts.code_digest("results", "baselines", "pipeline.py", "panel/harmonise.py",
                                          "panel/trusted_offices.py", "model/privacy_noise.py", "model/spreads.py",
                                          "sources/published.py", "sources/abel_cohen.py")}

    def make():
        estimates, panel, splits = load_estimates(config), open_panel(config), open_splits(config)
        peers = read_peers(config, panel, splits)
        artifacts.require_whole(beside, "estimate", of=estimates_path(config))
        expected = at_observations(open_expectations(beside, "estimate"), panel)
        tables = {"scores": validation.validate(estimates.flow, panel, splits, peers, expected=expected)}
        whole = {k: v for k, v in peers.items() if v.dims != ("observation",) and "regions" not in k}
        net = {**whole, **(published_net_migration(config.years, codes()) if config.profile == "world" else {})}
        tables["net_migration_scores"] = validation.validate_net_migration(estimates.net_migration, panel, net)
        tables["stock_scores"] = validation.validate_stocks(estimates.stock, panel)
        tables["world_totals"] = validation.world_totals(estimates.flow, whole)
        tables |= errors.make_tables(estimates.flow, panel, splits, named_shocks(config))
        _write_tables(config, tables, "%.6g")

    return _made(target, inputs, make, config, "validate", refresh, [table_path(config, t) for t in _BESIDE_SCORES])


# Tables that say nothing when they are empty: something was to be scored. Others may be: there may have been no shock.
_NEVER_EMPTY = ("scores", "net_migration_scores", "stock_scores", "world_totals", "five_year_scores")
_BESIDE_SCORES = ("net_migration_scores", "stock_scores", "world_totals", *ERROR_TABLES)


def table_path(config: Config, name: str) -> Path:
    """Where one of the tables of a step lies, see :func:`read_scores`."""
    return config.folder / f"{name}.csv"


def _write_tables(config: Config, tables: Mapping[str, pd.DataFrame], digits: str) -> None:
    """Write tables of scores, all or none: one without rows where there must be some is an error."""
    for name in tables:
        if name in _NEVER_EMPTY and not len(tables[name]):
            raise ArtifactError(table_path(config, name), "there is nothing to score: no row would be in this table",
                                "see whether any corridor is held out (split.held_out_fold) and has reports, and run "
                                "harmonise, train and estimate again", key=name)
    for name, table in tables.items():
        artifacts.write_text(table_path(config, name), table.to_csv(index=False, float_format=digits))


def named_shocks(config: Config):
    """Events in which the estimates are looked at more closely: the world's, or those of the simulated world."""
    from .results.shocks import WORLD_SHOCKS, twin_shocks

    if config.profile == "world":
        return WORLD_SHOCKS
    from .twin.economy import set_stage

    return twin_shocks(config.twin.events, set_stage(config.twin, config.years).events)


def five_years_path(config: Config) -> Path:
    """Scores of five-year flows, CSV (see ``results.five_year.make_tables``)."""
    return config.folder / "five_year_scores.csv"


def five_years(config: Config, *, refresh: bool = False) -> Path:
    """Five-year flows by all methods against reports: ``five_year_scores.csv``, and beside it their totals."""
    from .results import five_year
    from .results.peers import published_peers

    target = five_years_path(config)
    inputs = {"estimates": artifacts.sha256(artifacts.require(estimates_path(config), "estimate")),
              "panel": artifacts.sha256(panel_path(config)), "splits": artifacts.sha256(splits_path(config)),
              **_table_inputs(config), "trusted": artifacts.sha256(paths.TRUSTED_OFFICES),
              "code": artifacts.code_digest("results", "baselines", "panel/trusted_offices.py")}

    def make():
        world = config.profile == "world"
        tables = ({k: v for s in ("undesa_ims", "wpp") for k, v in catalogue.load_source(s).items()} if world
                  else observe_twin(simulate_twin(config), config))
        # The v6 vintage ends in 2015: with it the period 2015-20 would be lost for all.
        published = {n: p for n, p in published_peers(config.years, codes()).items() if " v6" not in n} if world else {}
        made = five_year.make_tables(load_estimates(config).flow, open_panel(config), open_splits(config), tables,
                                     published, seed=config.seed)
        _write_tables(config, made, "%.4g")

    return _made(target, inputs, make, config, "five_years", refresh, [table_path(config, "five_year_totals")])


def read_scores(config: Config, name: str = "scores"):
    """One of the tables that ``validate`` wrote: scores, net_migration_scores, stock_scores, world_totals, or one of
    ``results.errors.TABLES``; ``witnesses``, which ``estimate`` wrote; or five_year_scores and five_year_totals.

    Raises
    ------
    ArtifactError
        When it is missing, or not the one that was written.
    """
    made_by, first = {"witnesses": ("estimate", estimates_path(config)),
                      **dict.fromkeys(("five_year_scores", "five_year_totals"),
                                      ("five-years", five_years_path(config)))}.get(
                                          name, ("validate", scores_path(config)))
    file = table_path(config, name)
    return pd.read_csv(artifacts.require_whole(file, made_by, of=None if file == first else first),
                       keep_default_na=False, na_values=[""])


def ablation_path(config: Config) -> Path:
    """Table of a profile's ablations, CSV (see ``ablation.collect``)."""
    return config.folder / "ablation" / "ablation.csv"


def release(config: Config, protocols: Collected | None = None, together: Together | None = None,
            more: Callable[[Path], None] | None = None) -> Path:
    """Results of a run, compact, into data/release: estimates, weights, scores, figures, facts, and their manifest.

    Parameters
    ----------
    config : of the run.
    protocols : tables of the validation protocols; without them those that the release has stay, and its manifest says
        whether they were made with the model that is released.
    together : the ensemble; without it the estimates are those of the one member that is scored.
    more : writes further files into the folder it is given, from estimates that already lie there.

    Raises
    ------
    ArtifactError
        When a step of the chain has not been run; nothing is written then.
    """
    from .plotting.charts import SOURCE_TITLES
    from .plotting.protocols import draw_protocols
    from .plotting.release import draw_release
    from .results import release as released
    from .results.headline import choose_headline
    from .results.protocol_differences import drawn
    from .results.protocol_tables import compact_protocols, read_protocols, write_protocols
    from .results.validation import OWN, flow_cells, world_totals

    for path, step in ((estimates_path(config), "estimate"), (scores_path(config), "validate"),
                       (five_years_path(config), "five-years"), (history_path(config), "train")):
        artifacts.require(path, step)
    started = time.perf_counter()
    estimates, panel, splits = load_estimates(config), open_panel(config), open_splits(config)
    tables = {t: read_scores(config, t) for t in released.TABLES}
    if ablation_path(config).is_file():     # not a step of the chain: an earlier release's table stays otherwise
        tables["ablation"] = pd.read_csv(ablation_path(config), keep_default_na=False, na_values=[""])
        everything = (artifacts.read_manifest(ablation_path(config)) or {}).get("everything", {})
    withheld = compact_protocols(protocols.tables) if protocols else read_protocols(paths.RELEASE)
    history = pd.read_csv(artifacts.require_whole(history_path(config), "train", of=member_path(config)))
    made = artifacts.read_manifest(member_path(config)) or {}
    about = released.protocols_made(paths.RELEASE, protocols, made.get("inputs", {}),
                                    fresh=artifacts.is_fresh(member_path(config), _training_inputs(config)))
    headline = choose_headline(tables["scores"], withheld, about)
    unseen = None
    if together:
        unseen = estimates.flow      # the mean of the members has seen everything
        estimates = together.estimates
        others = tables["world_totals"][tables["world_totals"]["peer"] != OWN]
        tables["world_totals"] = pd.concat([world_totals(estimates.flow, {}), others], ignore_index=True)
    released.write_results(paths.RELEASE, estimates, tables, history, splits, member_path(config), together,
                           profile=config.profile)
    if "ablation" in tables:
        artifacts.write_text(paths.RELEASE / "ablation.json", json.dumps(everything, indent=1) + "\n")
    draw_release(paths.RELEASE / "figures", estimates, flow_cells(panel, splits, ("train", "validation", "held_out")),
                 flow_cells(panel, splits), {**tables, "scores": headline.scores,
                                             **(together.tables if together else {})}, history, unseen,
                 together.bounds if together else None)
    if protocols:
        write_protocols(paths.RELEASE, withheld)
    draw_protocols(paths.RELEASE / "figures", drawn(withheld, SOURCE_TITLES))
    if more:
        more(paths.RELEASE)
    facts = released.build_facts(estimates, headline, panel, float(made.get("training_seconds") or 0))
    released.write_facts(paths.RELEASE, facts)
    released.label_tables(paths.RELEASE, config.profile)
    file = released.write_manifest(paths.RELEASE, config, made.get("inputs", {}), protocols=about,
                                   ensemble=together.about if together else None)
    print(f"release: {paths.RELEASE.name} written in {time.perf_counter() - started:.1f} s", flush=True)
    return file


def run_all(config: Config, *, refresh: bool = False) -> None:
    """The whole chain but the release."""
    for step in (harmonise, train, estimate, validate, five_years):
        step(config, refresh=refresh)
