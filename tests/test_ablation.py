"""Ablations: each changes one thing, none looks at the held-out fold, what has run is kept, all ends in one table."""
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from safetensors.torch import save_file
from typer.testing import CliRunner

from humanflows import ablation, artifacts, cli, paths, pipeline, protocols
from humanflows.config import TERMS, load_config
from humanflows.errors import ArtifactError, ConfigError
from humanflows.model import train as training
from humanflows.panel.features import FAMILIES
from humanflows.panel.splits import make_splits, perturb_held_out
from humanflows.plotting import release as drawing
from humanflows.results import release as released
from humanflows.results import validation
from humanflows.results.ablation import COLUMNS, EVERYTHING, LATER, is_ablation
from humanflows.results.estimates import open_estimates
from humanflows.results.scores import score
from humanflows.results.validation import flow_cells
from small_runs import GIVEN, SMALL


@pytest.fixture(scope="module")
def folder(small_build):
    return ablation.folder("twin")


@pytest.fixture(scope="module")
def panel(folder):
    return pipeline.open_panel(load_config("twin", **SMALL))


@pytest.fixture(scope="module")
def every(panel):
    return {a.name: a for a in ablation.list_ablations(panel)}


def config_of(one, seed=1):
    return ablation.config_of(one, seed, "twin", **GIVEN)


# ---- what there is

def test_every_run_changes_something_that_there_is_and_nothing_else(every):
    base = config_of(every[EVERYTHING])
    assert base.split.validation_share == ablation.VALIDATION_SHARE > load_config("twin").split.validation_share
    assert base.train.epochs == 2 and base.seed == 1
    assert len({a.label for a in every.values()}) == len(every)
    parts = ("model", "observation", "effects", "train")
    for a in every.values():
        config = config_of(a)       # a key that the configuration has not would be refused here
        before, after = base.as_dict(), config.as_dict()
        changed = {(part, key) for part in parts for key in before[part] if before[part][key] != after[part][key]}
        assert changed == {(part, key) for part, values in a.change.items() for key in values}, a.name
        assert {k: v for k, v in before.items() if k not in parts} == {
            k: v for k, v in after.items() if k not in parts}
        assert bool(changed) + bool(a.withheld) + bool(a.criteria) == (a.name != EVERYTHING), a.name
    with pytest.raises(TypeError):
        config_of(replace(every[EVERYTHING], change={"observation": {"charm": 0.0}}))
    with pytest.raises(ConfigError, match="charm"):
        config_of(replace(every[EVERYTHING], change={"observation": {"leave_out": "charm"}}))


def test_all_families_data_and_effects_are_among_them(every, panel):
    assert {f"reads-no-{f}" for f in FAMILIES} <= set(every)
    left_out = {k for a in every.values() for k in a.change.get("observation", {}).get("leave_out", "").split(",") if k}
    assert left_out == set(TERMS) - {"reports"}          # without reports there would be nothing to choose by
    off = {k for a in every.values() for k, v in a.change.get("effects", {}).items() if v == ablation.OFF}
    assert off == set(vars(load_config("twin").effects))
    assert {"no-embeddings", "no-memory", "no-histories", "first-stage", "no-proxies", "no-meta"} <= set(every)
    silent = panel.isel(observation=~np.isin(panel.witness_source.values[panel.flow_witness.values], ["meta"]))
    silent = ablation.without_criteria(silent, ablation.PROXIES)
    assert set(every) - {a.name for a in ablation.list_ablations(silent)} == {"no-meta", "no-proxies"}


def test_what_is_left_out_is_no_term_of_the_log_posterior(every, panel):
    splits = make_splits(panel, config_of(every[EVERYTHING]).split)

    def terms(name):
        model, observation, _ = training.build_member(panel, splits, config_of(every[name]))
        with torch.no_grad():
            model.read_covariates()
            return set(observation.terms(model()))

    whole = terms(EVERYTHING)
    gone = {"no-displaced": {"displaced"}, "no-net-migration-datum": {"net_migration"}, "no-censored": {"censored"},
            "no-net-migration": {"net_migration", "population"}, "no-stock-datum": {"stock", "stock_difference"}}
    for name, expected in gone.items():
        assert whole - terms(name) == expected, name


def test_settings_given_hold_in_every_run(every):
    given = {"epochs": 2, "settings": {**SMALL, "model": {"without": "conflict"}}}
    families = {n: ablation.config_of(every[n], 1, "twin", **given).model.without
                for n in (EVERYTHING, "reads-no-stocks", "no-gross")}
    assert families == {EVERYTHING: "conflict", "reads-no-stocks": "conflict,stocks", "no-gross": "conflict"}
    assert config_of(every["first-stage"]).train.epochs == 0


def test_everything_has_three_seeds_at_least(every):
    assert ablation.seeds_of(every[EVERYTHING], [1]) == [1, 2, 3]
    assert ablation.seeds_of(every[EVERYTHING], [3]) == [3, 1, 2]
    assert ablation.seeds_of(every[EVERYTHING], [5, 6, 7, 8]) == [5, 6, 7, 8]
    assert ablation.seeds_of(every["no-gross"], [2, 1, 2]) == [2, 1]


def test_runs_are_chosen_by_name_or_group_and_everything_is_always_there(every):
    names = [a.name for a in ablation.choose(every.values(), ["no-gross", "learning"])]
    assert set(names) == {EVERYTHING, "no-gross", "no-histories", "first-stage", "no-margins"}
    assert names[0] == EVERYTHING
    assert ablation.choose(every.values(), None) == list(every.values())
    with pytest.raises(ConfigError, match="dreams"):
        ablation.choose(every.values(), ["dreams"])


# ---- what is left out is out

def remember(panel, config):
    """Do years before the last move what the cell says of the last?"""
    member = training.fit_member(panel, make_splits(panel, config.split), config, progress=False)
    before = member.model.read_covariates().clone()
    member.model.unilateral[:-1] += 1
    member.model.dynamic[:-1] += 1
    after = member.model.read_covariates()
    assert not torch.equal(after[0], before[0])
    return not torch.equal(after[-1], before[-1])


def test_without_memory_no_year_depends_on_another(every, panel):
    assert remember(panel, config_of(every[EVERYTHING]))
    assert not remember(panel, config_of(every["no-memory"]))
    assert not remember(panel, config_of(every["no-histories"]))


def test_effects_with_no_deviation_to_speak_of_do_not_move(every, panel):
    """Not even those with heavy tails, which reports would pull away from any prior."""
    held = {"pair": ("tie", "direction"), "wave": ("wave",), "course": ("course",), "turnover": ("turnover",),
            "scarce": ("scarce",), "balance": ("balance",)}

    def effects(*names):
        config = config_of(every[EVERYTHING])
        deviations = {k: v for name in names for k, v in every[f"no-{name}"].change["effects"].items()}
        config = replace(config, train=replace(config.train, epochs=8), effects=replace(config.effects, **deviations))
        model = training.fit_member(panel, make_splits(panel, config.split), config, progress=False).model
        return {k: float(getattr(model, k).detach().abs().mean()) for keys in held.values() for k in keys}

    free = effects()
    assert min(free.values()) > 0.001
    for names in (*([name] for name in held), list(held)):
        off = {k for name in names for k in held[name]}
        assert {k for k, size in effects(*names).items() if size == 0} == off, names


def test_the_first_stage_alone_has_no_effects_and_no_embedding_is_one_of_size_zero(every, panel):
    config = config_of(every["first-stage"])
    member = training.fit_member(panel, make_splits(panel, config.split), config, progress=False)
    assert not len(member.history) and not any(getattr(member.model, k).any() for k in ("tie", "wave", "turnover"))
    config = config_of(every["no-embeddings"])
    bare = training.build_member(panel, make_splits(panel, config.split), config)[0]
    assert bare.cell.embedding.numel() == 0 < member.model.cell.embedding.numel()


def test_reports_by_a_criterion_are_dropped_and_no_witness_is(panel):
    less = ablation.without_criteria(panel, ablation.PROXIES)
    by = panel.witness_criterion.values[panel.flow_witness.values]
    assert 0 < less.sizes["observation"] == (by == "residence").sum() < panel.sizes["observation"]
    assert less.sizes["witness"] == panel.sizes["witness"] and ablation.without_criteria(panel, ()) is panel


# ---- runs

@pytest.fixture(scope="module")
def ran(folder, every):
    chosen = ablation.choose(every.values(), ["reads-no-net-migration", "no-meta", "no-proxies"])
    return ablation.run_ablations(chosen, "twin", **GIVEN)


def test_runs_are_scored_on_the_validation_corridors(ran, panel, folder):
    assert list(ran) and set(ran) == {"everything, seed 1", "everything, seed 2", "everything, seed 3",
                                      "reads-no-net-migration, seed 1", "no-meta, seed 1", "no-proxies, seed 1"}
    table = pd.read_csv(ran["no-meta, seed 1"], keep_default_na=False, na_values=[""])
    splits = make_splits(panel, load_config("twin", **{**SMALL, "split": {"validation_share": 0.2}}).split)
    estimates = open_estimates(ran["no-meta, seed 1"].with_name("estimates.nc"))
    cells = flow_cells(panel, splits, "validation")
    assert not (splits.held_out & splits.validation).any() and "meta" in set(table.collection)   # withheld, yet scored
    for side in ("immigration", "emigration"):
        mine = cells[(cells.collection == "undesa_imfsc") & (cells.side == side) & (cells.criterion == "residence")]
        own = estimates.flow.sel(year=xr.DataArray(mine.year), origin=xr.DataArray(mine.origin),
                                 destination=xr.DataArray(mine.destination)).values
        expected = score(mine.persons, own, mine.corridor, mine.year)
        row = table[(table.collection == "undesa_imfsc") & (table.side == side) & (table.criterion == "residence")
                    & (table.horizon == "annual")].iloc[0]
        assert row.n == expected["n"] > 0
        for name in ("r", "log_r", "log_bias"):
            assert row[name] == pytest.approx(expected[name], rel=1e-3), name
    scored = table[table.log_score.notna()]
    assert set(scored.criterion) == {"residence"} and set(scored.horizon) == {"annual"}
    # Meta was withheld, so nothing says how it counts; of the others a report is scored where its series was read
    assert {"undesa_imfsc"} <= set(scored.collection) and "meta" not in set(scored.collection)
    assert (scored.log_score_n > 0).all() and (scored.log_score_n <= scored.n).all()
    everything = pd.read_csv(ran["everything, seed 1"], keep_default_na=False, na_values=[""])
    assert "meta" in set(everything.collection[everything.log_score.notna()])
    total = table[table.collection == "world"]
    assert total.year.tolist() == [2000, 2010, 2020, 2022]
    assert total.persons.tolist() == pytest.approx(
        estimates.flow.sel(year=total.year.to_numpy(int)).sum(("origin", "destination")).values, rel=1e-3)
    sides = set(table.side)
    assert {"net migration", "stock", "stock difference", "all moves"} <= sides
    assert table[table.side == "stock difference"].root_r.notna().all()


def test_runs_are_kept_and_scored_again_without_training(ran, every, monkeypatch):
    def made():
        return {f: f.stat().st_mtime_ns for file in ran.values() for f in file.parent.iterdir()}

    before = made()
    assert not any(f.name.startswith("checkpoint") for f in before)
    monkeypatch.setattr(training, "fit_member", None)       # nothing is trained any more
    chosen = ablation.choose(every.values(), ["reads-no-net-migration", "no-meta", "no-proxies"])
    assert ablation.run_ablations(chosen, "twin", **GIVEN) == ran and made() == before
    file = ran["no-meta, seed 1"]
    table = pd.read_csv(file)
    file.unlink()
    ablation.run_ablation(every["no-meta"], 1, "twin", **GIVEN)
    pd.testing.assert_frame_equal(pd.read_csv(file), table)
    with pytest.raises(TypeError):                          # another seed is another training
        ablation.run_ablation(every["no-meta"], 4, "twin", **GIVEN)


def test_an_interrupted_run_resumes(ran, every, panel, folder, tmp_path, monkeypatch):
    one = every["reads-no-net-migration"]
    config = config_of(one)
    training.fit_member(panel, make_splits(panel, config.split), config, tmp_path / "checkpoint.safetensors",
                        progress=False, stop_after=1)
    begun, descend = [], training._descend

    def watched(*arguments):
        begun.append(next(a.epoch for a in arguments if isinstance(a, training._State)))
        descend(*arguments)

    monkeypatch.setattr(training, "_descend", watched)
    ablation.run_ablation(one, 1, "twin", target=tmp_path, **GIVEN)
    assert begun == [1]
    xr.testing.assert_equal(open_estimates(tmp_path / "estimates.nc"),
                            open_estimates(ran["reads-no-net-migration, seed 1"].with_name("estimates.nc")))


def test_the_held_out_fold_moves_nothing_not_even_the_scores(ran, every, panel, folder, monkeypatch, tmp_path):
    config = config_of(every["no-proxies"])
    spoiled = perturb_held_out(panel, make_splits(panel, config.split))
    assert not spoiled.flow_persons.equals(panel.flow_persons)
    monkeypatch.setattr(pipeline, "open_panel", lambda _: spoiled)
    file = ablation.run_ablation(every["no-proxies"], 1, "twin", target=tmp_path, **GIVEN)
    assert file.read_text() == ran["no-proxies, seed 1"].read_text()


def test_the_table_holds_all_that_was_run_alike(ran, every, folder, capsys):
    ablation.run_ablation(every["no-gross"], 1, "twin", epochs=1, settings=SMALL)
    table = ablation.collect("twin", **GIVEN)
    said = capsys.readouterr().out
    assert "no-gross (seed 1)" in said and "no-meta" not in said
    assert list(table.columns) == [*COLUMNS, *LATER] and is_ablation(table)
    assert list(dict.fromkeys(table.run)) == [every[n].label for n in (EVERYTHING, "reads-no-net-migration",
                                                                       "no-proxies", "no-meta")]
    assert sorted(set(table.loc[table.run == EVERYTHING, "seed"])) == [1, 2, 3]
    written = pd.read_csv(ablation.table_path("twin"), dtype=str)
    assert len(written) == len(table)
    assert all(n.isdigit() for k in ("n", "year") for n in written[k].dropna())     # counts are not rounded
    with pytest.raises(ArtifactError, match="humanflows ablate"):
        ablation.collect("twin", epochs=17, settings=SMALL)


def test_one_failure_does_not_stop_the_others(every, folder, capsys):
    bad = replace(every["no-meta"], name="bad", withheld={"sources": ("gossip",)})
    with pytest.raises(ValueError, match="gossip"):
        ablation.run_ablations([bad, every["no-displaced"]], "twin", **GIVEN)
    assert (folder / "no-displaced" / "seed-1" / "scores.csv").is_file()
    assert "bad, seed 1 failed" in capsys.readouterr().out


def test_without_a_panel_it_says_what_to_run(tmp_path, monkeypatch, every):
    monkeypatch.setattr(paths, "ARTIFACTS", tmp_path)
    with pytest.raises(ArtifactError, match="harmonise"):
        ablation.run_ablation(every["no-meta"], 1, "twin", **GIVEN)


def test_the_release_takes_the_table_along_and_says_of_which_model_it_is(ran, folder, monkeypatch, tmp_path):
    config = protocols.configure("twin", **GIVEN)
    ablation.collect("twin", **GIVEN)
    monkeypatch.setattr(paths, "RELEASE", tmp_path)
    for path in (pipeline.estimates_path, pipeline.scores_path, pipeline.five_years_path, pipeline.history_path):
        artifacts.write_text(path(config), "epoch\n1\n")
    save_file({"weight": torch.zeros(3)}, pipeline.member_path(config))
    artifacts.write_manifest(pipeline.member_path(config), made_by="train", inputs=pipeline._training_inputs(config))
    drawn = []
    for module, name, instead in (
            (pipeline, "load_estimates", lambda config: None), (validation, "flow_cells", lambda *a: None),
            (pipeline, "read_scores", lambda config, name: pd.DataFrame({"n": [1]})),
            (released, "build_facts", lambda *a: {}),
            (released, "write_estimates_of", lambda *a, **more: None),
            (drawing, "draw_release", lambda folder, *a: drawn.append(a[3]["ablation"]))):
        monkeypatch.setattr(module, name, instead)
    pipeline.release(config)
    table = pd.read_csv(tmp_path / "ablation.csv", keep_default_na=False, na_values=[""])
    assert is_ablation(table) and len(drawn[0]) == len(table)
    listed = json.loads((tmp_path / "manifest.json").read_text())
    assert {"ablation.csv", "ablation.json"} <= set(listed["files"])
    about = json.loads((tmp_path / "ablation.json").read_text())
    assert about == {k: listed["inputs"][k] for k in ("model", "observation", "effects", "train", "code")}


# ---- the command

def command(*words):
    settings = ("twin.territories=7", "twin.reporters=5", "twin.people.burn_in=10", "first_year=2000", "last_year=2022",
                "train.year_steps=3", "train.history_steps=2", "train.validate_every=1", "train.checkpoint_every=1",
                "train.device=cpu", "model.hidden=4", "model.width=8", "model.embedding=2")
    given = [w for s in settings for w in ("--set", s)]
    return CliRunner().invoke(cli.app, ["ablate", "--epochs", "2", *words, *given])


def test_the_command_runs_what_is_asked_and_ends_with_a_table(ran, folder):
    result = command("--only", "no-censored")
    assert result.exit_code == 0, result.output
    assert "4 trainings on cpu" in result.output and "suppressed counts not read" in result.output
    assert (folder / "no-censored" / "seed-1" / "scores.csv").is_file()


@pytest.mark.parametrize(("words", "said"), [(("--only", "dreams"), "no ablation is called 'dreams'"),
                                             (("--seeds", "one"), "'one' are no whole numbers")])
def test_the_command_refuses_what_it_does_not_know(folder, words, said):
    result = command(*words)
    assert result.exit_code == 1 and said in " ".join(result.output.split())
