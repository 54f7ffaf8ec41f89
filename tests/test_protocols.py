"""The validation protocols: what each withholds moves nothing, what has run is kept, and folds add up to one set."""
import dataclasses

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from typer.testing import CliRunner

from humanflows import artifacts, cli, paths, pipeline, protocols
from humanflows.config import load_config
from humanflows.errors import ArtifactError, ConfigError
from humanflows.model import train as training
from humanflows.model.spreads import COUNT
from humanflows.panel.splits import make_splits, observations_in
from humanflows.panel.withhold import reporters_of, withheld_observations, withhold
from humanflows.results.estimates import open_estimates
from humanflows.results.protocols import COMPARED, splice
from humanflows.results.report_expectations import FILE, LOG_BIAS, SPREAD, at_observations, open_expectations
from humanflows.results.scores import log_score, score
from humanflows.results.validation import OWN, flow_cells
from small_runs import GIVEN, SMALL


@pytest.fixture(scope="module")
def folder(small_build):
    return protocols.folder("twin")


@pytest.fixture(scope="module")
def panel(folder):
    return pipeline.open_panel(load_config("twin", **SMALL))


@pytest.fixture(scope="module")
def every(panel):
    return {p.name: p for p in protocols.list_protocols(protocols.configure("twin", **GIVEN), panel)}


@pytest.fixture(scope="module")
def folds(folder, every):
    """All five folds, run."""
    return protocols.run_protocols(protocols.choose(every.values(), ["fold"]), "twin", **GIVEN)


# ---- what there is

def test_every_protocol_of_the_design_is_there(every, panel):
    assert list(every) == [*(f"fold-{k}" for k in range(1, 6)), "blind", "blind-offices",
                           *(f"reporters-{k}" for k in range(1, 6)), "source-offices-united", "source-eurostat",
                           "source-meta",
                           "net-third"]
    assert every["blind"].withheld == {"blind_from": 2020}
    left_out = [r for p in every.values() for r in p.withheld.get("reporters", ())]
    assert sorted(left_out) == sorted(reporters_of(panel))               # each office in exactly one group
    sources = [s for p in every.values() for s in p.withheld.get("sources", ())]
    assert sorted(sources) == sorted(set(panel.witness_source.values.astype(str)))
    assert len(every["net-third"].withheld["net_migration_of"]) == round(7 / 3)
    config = protocols.configure("twin", **GIVEN)
    again = protocols.list_protocols(config, panel)
    assert again == list(every.values())
    other = protocols.list_protocols(load_config("twin", **{**SMALL, "split": {"seed": 9}}), panel)
    assert other != again


def test_groups_of_offices_are_balanced_by_what_they_report():
    rng = np.random.default_rng(0)
    sizes = {f"O{k:02}": int(n) for k, n in enumerate(np.exp(rng.normal(7, 1.5, 50)))}
    groups = protocols.reporter_groups(sizes, 3)
    assert sorted(r for g in groups for r in g) == sorted(sizes)
    totals = [sum(sizes[r] for r in g) for g in groups]
    assert max(totals) - min(totals) <= max(sizes.values())
    assert protocols.reporter_groups(dict(reversed(sizes.items())), 3) == groups
    equal = dict.fromkeys(sizes, 10)
    assert protocols.reporter_groups(equal, 3) != protocols.reporter_groups(equal, 4)
    assert sorted(map(len, protocols.reporter_groups({"A": 1, "B": 2}, 1))) == [1, 1]


def test_protocols_are_chosen_by_name_or_kind(every):
    assert [p.name for p in protocols.choose(every.values(), ["fold", "blind"])] == [
        "fold-1", "fold-2", "fold-3", "fold-4", "fold-5", "blind", "blind-offices"]
    assert protocols.choose(every.values(), None) == list(every.values())
    for unknown in ("dreams", "fol", "fold-6"):
        with pytest.raises(ConfigError, match=unknown):
            protocols.choose(every.values(), [unknown])


# ---- leakage, from the panel on disk to the estimates

@pytest.mark.parametrize("name", ["fold-2", "blind", "reporters-2", "source-offices-united", "net-third"])
def test_estimates_do_not_move_with_what_is_withheld(name, every, panel, folder, tmp_path):
    protocol = every[name]
    spoiled = panel.copy(deep=True)
    config = protocols.configure("twin", split=protocol.split, **GIVEN)
    hidden = withheld_observations(panel, **protocol.withheld)
    if name.startswith("fold"):
        hidden = observations_in(panel, make_splits(panel, config.split), "held_out")
    if name == "blind":
        spoiled["net_migration"][panel.year.values >= 2020] *= -3
        spoiled["population"][panel.date_year.values > 2020] *= 1.5
        spoiled["stock_observed"][:, panel.stock_year.values >= 2020] *= 2.5
    if name == "net-third":
        mine = np.isin(panel.residence.values, protocol.withheld["net_migration_of"])
        spoiled["net_migration"][:, mine] *= -3
        spoiled["population"][1:, mine] *= 1.5
    spoiled["flow_persons"][hidden] = 5 * panel.flow_persons.values[hidden] + 3
    assert training.content_digest(spoiled) != training.content_digest(panel)

    def estimate(some):
        member = training.fit_member(withhold(some, **protocol.withheld), make_splits(some, config.split), config,
                                     progress=False)
        return training.predict(member)

    first, second = estimate(panel), estimate(spoiled)
    for a, b in zip(first, second):
        assert (a.numpy() == b.numpy()).all()
    moved = panel.copy(deep=True)       # and what is shown does move them
    moved["flow_persons"][~hidden] = 5 * panel.flow_persons.values[~hidden] + 3
    assert not np.array_equal(estimate(moved).flow, first.flow)


# ---- runs

def test_a_protocol_is_scored_kept_and_scored_again_without_training(every, folder, tmp_path, monkeypatch):
    target = tmp_path / "blind"
    file = protocols.run_protocol(every["blind"], "twin", target=target, **GIVEN)
    assert not (target / "checkpoint.safetensors").exists()
    table = pd.read_csv(file)
    assert set(table.part) == {"train+validation", "all"} and {OWN, "gravity", "persistence"} <= set(table.peer)
    assert set(pd.read_csv(target / "net_migration.csv").set) >= {"all territories", "blind years"}
    made = {f.name: f.stat().st_mtime_ns for f in target.iterdir()}
    monkeypatch.setattr(training, "fit_member", None)       # nothing is trained any more
    assert protocols.run_protocol(every["blind"], "twin", target=target, **GIVEN) == file
    assert {f.name: f.stat().st_mtime_ns for f in target.iterdir()} == made
    file.unlink()
    protocols.run_protocol(every["blind"], "twin", target=target, **GIVEN)
    pd.testing.assert_frame_equal(pd.read_csv(file), table)
    (target / "stocks.csv").unlink()                        # any of the tables
    protocols.run_protocol(every["blind"], "twin", target=target, **GIVEN)
    assert (target / "stocks.csv").is_file()
    with pytest.raises(TypeError):                          # other settings are another training
        protocols.run_protocol(every["blind"], "twin", target=target, epochs=3, settings=SMALL)


def test_an_interrupted_protocol_resumes_and_a_foreign_checkpoint_does_no_harm(every, panel, folder, tmp_path,
                                                                               monkeypatch):
    protocol = every["net-third"]
    config = protocols.configure("twin", **GIVEN)
    whole = protocols.run_protocol(protocol, "twin", target=tmp_path / "whole", **GIVEN).parent
    shown, splits = withhold(panel, **protocol.withheld), make_splits(panel, config.split)
    half = tmp_path / "half" / "checkpoint.safetensors"
    training.fit_member(shown, splits, config, half, progress=False, stop_after=1)
    begun, descend = [], training._descend

    def watched(*arguments):
        begun.append(next(a.epoch for a in arguments if isinstance(a, training._State)))
        descend(*arguments)

    monkeypatch.setattr(training, "_descend", watched)
    protocols.run_protocol(protocol, "twin", target=half.parent, **GIVEN)
    foreign = tmp_path / "foreign" / "checkpoint.safetensors"
    training.fit_member(panel, splits, config, foreign, progress=False, stop_after=1)
    protocols.run_protocol(protocol, "twin", target=foreign.parent, **GIVEN)
    assert begun == [1, 0, 0]       # resumed; another's training; started anew
    expected = open_estimates(whole / "estimates.nc")
    for other in (half.parent, foreign.parent):
        xr.testing.assert_equal(open_estimates(other / "estimates.nc"), expected)


def test_scores_are_of_what_was_withheld(every, panel, folder, tmp_path):
    protocol = every["source-eurostat"]
    file = protocols.run_protocol(protocol, "twin", target=tmp_path, **GIVEN)
    table = pd.read_csv(file)
    assert set(table.collection) == {"eurostat"}
    flow = open_estimates(tmp_path / "estimates.nc").flow
    splits = make_splits(panel, protocols.configure("twin", **GIVEN).split)
    for part, parts in (("train+validation", ("train", "validation")), ("all", ("train", "validation", "held_out"))):
        cells = flow_cells(panel, splits, parts, withheld_observations(panel, **protocol.withheld))
        cells = cells[(cells.side == "immigration") & (cells.criterion == "residence")]
        own = flow.sel(year=xr.DataArray(cells.year), origin=xr.DataArray(cells.origin),
                       destination=xr.DataArray(cells.destination)).values
        expected = score(cells.persons, own, cells.corridor, cells.year)
        rows = table[(table.part == part) & (table.side == "immigration") & (table.horizon == "annual")
                     & (table.criterion == "residence") & (table.peer == OWN)].set_index("offices")
        assert set(rows.index) == ({"all", "trusted"} if cells.trusted.any() else {"all"})
        row = rows.loc["all"]
        assert row.n == expected["n"]
        for name in ("r", "log_r", "cpc", "log_bias"):
            assert row[name] == pytest.approx(expected[name], rel=1e-3), name
    for name in COMPARED:
        rivals = table[table.peer != OWN].dropna(subset=[f"difference_{name}"])
        own = table[table.peer == OWN]
        both = rivals.merge(own, on=["side", "criterion", "horizon", "part", "offices"], suffixes=("", "_own"))
        np.testing.assert_allclose(both[f"difference_{name}"], both[f"{name}_own"] - both[name], atol=2e-3)
        assert (both[f"difference_{name}_lower"] <= both[f"difference_{name}_upper"]).all()


def test_the_log_score_of_all_folds_is_of_each_report_by_what_other_corridors_taught(folds, panel, folder):
    """With the bias and spread of the member that never saw the report; whole sources and years are left out, since
    nobody learned how their series count."""
    table = pd.read_csv(protocols.cross_fitted("twin", **GIVEN))
    persons, own, bias, spread = [], [], [], []
    for k in range(1, 6):
        splits = make_splits(panel, protocols.configure("twin", split={"held_out_fold": k}, **GIVEN).split)
        cells = flow_cells(panel, splits)
        cells = cells[(cells.collection == "undesa_imfsc") & (cells.side == "emigration")
                      & (cells.criterion == "residence")]
        known = at_observations(open_expectations(folder / f"fold-{k}" / FILE, "the test"), panel)
        flow = open_estimates(folder / f"fold-{k}" / "estimates.nc").flow
        persons.append(cells.persons)
        own.append(flow.sel(year=xr.DataArray(cells.year), origin=xr.DataArray(cells.origin),
                            destination=xr.DataArray(cells.destination)).values)
        bias.append(known[LOG_BIAS].values[cells.observation])
        spread.append(known[SPREAD].values[cells.observation])
    persons, own, bias, spread = map(np.concatenate, (persons, own, bias, spread))
    there = np.isfinite(bias)
    row = table[(table.collection == "undesa_imfsc") & (table.side == "emigration") & (table.horizon == "annual")
                & (table.criterion == "residence") & (table.offices == "all")].set_index("peer")
    assert row.log_score_n[OWN] == there.sum() > 0
    assert row.log_score[OWN] == pytest.approx(log_score(persons[there], own[there], bias[there], spread[there],
                                                         count=COUNT), rel=1e-3)
    assert row.log_score.drop(OWN).isna().all() and (row.log_score_n.drop(OWN) == 0).all()


def test_series_that_were_withheld_as_a_whole_have_no_log_score(every, tmp_path):
    table = pd.read_csv(protocols.run_protocol(every["source-eurostat"], "twin", target=tmp_path, **GIVEN))
    assert table.log_score.isna().all() and (table.log_score_n == 0).all()


def test_estimates_kept_without_what_is_expected_of_reports_are_made_again(every, tmp_path):
    config = protocols.configure("twin", **GIVEN)
    target = protocols.run_protocol(every["net-third"], "twin", target=tmp_path, **GIVEN).parent
    assert protocols.run_alike(target, config)
    (target / FILE).write_bytes(b"cut off")
    protocols.run_protocol(every["net-third"], "twin", target=target, **GIVEN)
    assert open_expectations(target / FILE, "the test")[LOG_BIAS].notnull().any()
    manifest = artifacts.manifest_path(target / "estimates.nc")     # as it was before expectations were kept
    manifest.write_text(manifest.read_text().replace(FILE, "other.nc"))
    assert not protocols.run_alike(target, config)


def test_folds_together_are_one_set_that_no_member_has_seen(folds, panel, folder):
    file = protocols.cross_fitted("twin", **GIVEN)
    table = pd.read_csv(file)
    row = table[(table.collection == "undesa_imfsc") & (table.side == "immigration") & (table.horizon == "annual")
                & (table.criterion == "residence") & (table.peer == OWN)].iloc[0]
    persons, own, corridor, year = [], [], [], []
    for k in range(1, 6):
        splits = make_splits(panel, protocols.configure("twin", split={"held_out_fold": k}, **GIVEN).split)
        cells = flow_cells(panel, splits)
        cells = cells[(cells.collection == "undesa_imfsc") & (cells.side == "immigration")
                      & (cells.criterion == "residence")]
        flow = open_estimates(folder / f"fold-{k}" / "estimates.nc").flow
        persons.append(cells.persons)
        own.append(flow.sel(year=xr.DataArray(cells.year), origin=xr.DataArray(cells.origin),
                            destination=xr.DataArray(cells.destination)).values)
        corridor.append(cells.corridor)
        year.append(cells.year)
    expected = score(*(np.concatenate(x) for x in (persons, own, corridor, year)))
    assert row.n == expected["n"] and row.part == "held_out"
    for name in ("r", "log_r", "cpc", "within_r", "change_r"):
        assert row[name] == pytest.approx(expected[name], rel=1e-3, nan_ok=True), name
    net = [pd.read_csv(folder / f"fold-{k}" / "net_migration.csv") for k in range(1, 6)]
    mean = pd.read_csv(file.parent / "net_migration.csv")
    np.testing.assert_allclose(mean.r, np.mean([t.r for t in net], axis=0), rtol=2e-3, atol=2e-3)
    made = file.stat().st_mtime_ns
    assert protocols.cross_fitted("twin", **GIVEN).stat().st_mtime_ns == made


def test_splicing_takes_each_observation_from_the_part_that_withheld_it(panel):
    n = panel.sizes["observation"]
    first = np.arange(n) % 3 == 0
    second = np.arange(n) % 3 == 1
    dims, shape = ("year", "origin", "destination"), (panel.sizes["year"], 7, 7)
    ones, twos = (xr.DataArray(np.full(shape, k), dims=dims) for k in (1.0, 2.0))
    periods = xr.DataArray(np.zeros((2, 7, 7)), dims=("period", *dims[1:]))
    last = xr.DataArray(np.arange(n, dtype=float), dims="observation", attrs={"horizon": "annual"})
    own, peers = splice(panel, [(first, ones, {"p": twos, "five": periods, "last": last, "alone": ones}),
                                (second, twos, {"p": ones, "five": periods, "last": -last})])
    np.testing.assert_array_equal(own, np.select([first, second], [1, 2], np.nan))
    np.testing.assert_array_equal(peers["p"], np.select([first, second], [2, 1], np.nan))
    np.testing.assert_array_equal(peers["last"], np.select([first, second], [last, -last], np.nan))
    assert peers["five"] is periods and peers["last"].attrs == last.attrs and "alone" not in peers
    with pytest.raises(ValueError, match="two parts"):
        splice(panel, [(first, ones, {}), (first, twos, {})])


def test_collected_tables_say_which_protocol_and_leave_out_what_was_run_otherwise(folds, every, folder, capsys):
    protocols.run_protocol(every["reporters-1"], "twin", epochs=1, settings=SMALL)
    tables = protocols.collect("twin", **GIVEN)
    assert "run with other settings: blind, blind-offices, reporters-1" in capsys.readouterr().out
    assert set(tables["flows"].protocol) == {*folds, "all five folds"}
    for name, table in (("flows", "scores"), ("net_migration", "net_migration"), ("stocks", "stocks")):
        file = folder / f"protocol_{table}.csv"
        assert len(pd.read_csv(file)) == len(tables[name]) and artifacts.read_manifest(file)["inputs"]["fold-1"]
        assert list(tables[name].columns[:2]) == ["protocol", "label"]
    text = (folder / "protocol_scores.csv").read_text().splitlines()[1:]
    assert all(len(w.strip("-0.").replace(".", "").split("e")[0].strip("0")) <= 4 for line in text
               for w in line.split(",") if w.replace(".", "").lstrip("-").isdigit() and "." in w)
    assert set(tables["targets"].result) <= {"hit", "missed", "not measured"}
    assert not (folder / "protocol_targets.csv").exists()      # they are of the world
    short = protocols.summarise(tables)
    assert set(short.protocol) == {"all five folds"} and short["best peer's log_r"].notna().any()
    flows = tables["flows"][tables["flows"].protocol == "all five folds"]
    assert not short.duplicated(["protocol", "collection", "side", "part"]).any()
    trusted = flows[(flows.offices == "trusted") & (flows.horizon == "annual") & (flows.peer == OWN)]
    assert short["n, trusted"].notna().sum() == len(trusted)
    with pytest.raises(ArtifactError, match="run humanflows protocols first"):
        protocols.collect("twin", epochs=17, settings=SMALL)


def test_one_failure_does_not_stop_the_others(every, folder, capsys):
    bad = dataclasses.replace(every["blind"], name="bad", withheld={"sources": ("gossip",)})
    with pytest.raises(ValueError, match="gossip"):
        protocols.run_protocols([bad, every["source-meta"]], "twin", **GIVEN)
    assert (folder / "source-meta" / "scores.csv").is_file() and "bad failed" in capsys.readouterr().out


def test_without_a_panel_it_says_what_to_run(tmp_path, monkeypatch, every):
    monkeypatch.setattr(paths, "ARTIFACTS", tmp_path)
    with pytest.raises(ArtifactError, match="harmonise"):
        protocols.run_protocol(every["blind"], "twin", **GIVEN)
    with pytest.raises(ArtifactError, match="harmonise"):
        protocols.cross_fitted("twin", **GIVEN)


# ---- the command

def command(*words):
    settings = ("twin.territories=7", "twin.reporters=5", "twin.people.burn_in=10", "first_year=2000", "last_year=2022",
                "train.year_steps=3", "train.history_steps=2", "train.validate_every=1", "train.checkpoint_every=1",
                "train.device=cpu", "model.hidden=4", "model.width=8", "model.embedding=2")
    given = [w for s in settings for w in ("--set", s)]
    return CliRunner().invoke(cli.app, ["protocols", "--epochs", "2", *words, *given])


def test_the_command_runs_what_is_asked_and_ends_with_a_table(folder):
    result = command("--only", "source-meta")
    assert result.exit_code == 0, result.output
    assert "1 on cpu" in result.output and "best peer's log_r" in result.output and "source-meta" in result.output
    assert (folder / "source-meta" / "scores.csv").is_file()


def test_the_command_refuses_what_is_no_protocol(folder):
    result = command("--only", "dreams")
    assert result.exit_code == 1 and "no protocol is called 'dreams'" in " ".join(result.output.split())


# ---- into the release

def test_collected_tables_are_read_as_long_as_they_are_fresh(folds, folder, monkeypatch):
    made = protocols.collect("twin", **GIVEN)
    config = protocols.configure("twin", **GIVEN)
    collected = protocols.read_collected(config)
    assert {k: len(t) for k, t in collected.tables.items()} == {
        "scores": len(made["flows"]), "net_migration": len(made["net_migration"]), "stocks": len(made["stocks"])}
    assert {*folds, "all-fold"} <= set(collected.made["protocols"]) and collected.made["seed"] == config.seed
    assert collected.made["settings"]["train"]["epochs"] == 2

    with pytest.raises(ArtifactError, match=r"trained with other settings.*humanflows protocols --profile twin"):
        protocols.read_collected(protocols.configure("twin", epochs=3, settings=SMALL))
    with monkeypatch.context() as patch:
        patch.setattr(protocols, "_SCORING_CODE", ("protocols.py",))
        with pytest.raises(ArtifactError, match="scored with another code than"):
            protocols.read_collected(config)
        patch.setattr(training, "content_digest", lambda panel: "another")
        with pytest.raises(ArtifactError, match="scored with another panel and code than"):
            protocols.read_collected(config)


def test_collected_tables_that_were_altered_outrun_or_lost_are_refused(folds, folder):
    protocols.collect("twin", **GIVEN)
    config, file = protocols.configure("twin", **GIVEN), folder / "protocol_stocks.csv"
    text = file.read_text()
    file.write_text(text + "x\n")
    with pytest.raises(ArtifactError, match="not the one that its manifest describes"):
        protocols.read_collected(config)
    file.unlink()
    with pytest.raises(ArtifactError, match=r"protocol_stocks\.csv.*missing.*humanflows protocols"):
        protocols.read_collected(config)
    file.write_text(text)
    manifest = artifacts.manifest_path(folder / "fold-1" / "scores.csv")
    kept = manifest.read_text()
    manifest.write_text(kept.replace('"inputs_digest": "', '"inputs_digest": "0'))
    with pytest.raises(ArtifactError, match="fold-1 was run again after"):
        protocols.read_collected(config)
    manifest.write_text(kept)
    assert protocols.read_collected(config).tables["stocks"].equals(pd.read_csv(file))
