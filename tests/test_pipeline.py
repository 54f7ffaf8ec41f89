"""Each step leaves one artifact and says how it was made; nothing is made twice, and nothing half."""
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from humanflows import artifacts, paths, pipeline
from humanflows.config import TrainConfig, load_config
from humanflows.errors import ArtifactError
from humanflows.model import train as training
from humanflows.results.report_expectations import LOG_BIAS, expectations_path, open_expectations

STEPS = {"harmonise": pipeline.panel_path, "train": pipeline.member_path, "estimate": pipeline.estimates_path,
         "validate": pipeline.scores_path, "five_years": pipeline.five_years_path}
TABLES = ("scores", "net_migration_scores", "stock_scores", "world_totals", "five_year_totals", "worst_corridors",
          "residuals", "error_components")
SHOCKS = ("shocks", "shock_scores")     # the small world ends before any


@pytest.fixture(scope="module")
def config(small_config):
    return replace(small_config, train=TrainConfig(
        year_steps=20, history_steps=4, epochs=2, compile=False, device="cpu", checkpoint_every=1))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Artifacts of these tests lie in a folder of their own."""
    with pytest.MonkeyPatch.context() as patch:
        base = tmp_path_factory.mktemp("build")
        patch.setattr(paths, "BUILD", base)
        patch.setattr(paths, "ARTIFACTS", base / "artifacts")
        yield base / "artifacts" / "twin"


@pytest.fixture(scope="module")
def chain(config, folder):
    """The whole chain, run once; tests leave it as they found it."""
    pipeline.run_all(config)
    return folder


def state(folder) -> dict:
    """Name, time and content of every file."""
    return {f.name: (f.stat().st_mtime_ns, artifacts.sha256(f)) for f in folder.iterdir()}


@pytest.fixture
def copy(chain, tmp_path, monkeypatch):
    """A copy of the finished chain that a test may spoil."""
    shutil.copytree(chain, tmp_path / "artifacts" / "twin")
    monkeypatch.setattr(paths, "ARTIFACTS", tmp_path / "artifacts")
    return tmp_path / "artifacts" / "twin"


# ---- what is left --------------------------------------------------------------------------------------------------

def test_all_files_lie_in_the_folder_of_the_profile(chain, config):
    assert config.folder == chain
    expected = {p(config).name for p in STEPS.values()}
    expected |= {f"{t}.csv" for t in (*TABLES, *SHOCKS, *pipeline.PANEL_TABLES)}
    expected |= {pipeline.splits_path(config).name, pipeline.history_path(config).name, "witnesses.csv",
                 "report_expectations.nc"}
    manifests = {artifacts.manifest_path(p(config)).name for p in STEPS.values()}
    assert {f.name for f in chain.iterdir()} == expected | manifests      # no checkpoint, no temporary file


@pytest.mark.parametrize("step", STEPS)
def test_each_step_says_how_its_artifact_was_made(chain, config, step):
    file = STEPS[step](config)
    manifest = artifacts.read_manifest(file)
    assert manifest["made_by"] == step
    assert manifest["artifact"] == file.name
    assert manifest["sha256"] == artifacts.sha256(file)
    assert manifest["profile"] == "twin" and manifest["seed"] == config.seed
    assert manifest["device"] == "cpu" and manifest["seconds"] > 0
    assert manifest["inputs"] and manifest["inputs_digest"] == artifacts.digest(manifest["inputs"])
    assert {"python", "torch", "numpy"} <= set(manifest["versions"])


def test_training_is_described(chain, config):
    manifest = artifacts.read_manifest(pipeline.member_path(config))
    assert manifest["epochs"] == config.train.epochs
    assert manifest["training_seconds"] >= 0
    assert manifest["inputs"]["panel"] == artifacts.sha256(pipeline.panel_path(config))
    history = pipeline.history_path(config).read_text().splitlines()
    assert len(history) == 1 + config.train.epochs and history[0].startswith("epoch,loss")


def test_estimates_are_those_of_the_member(chain, config):
    panel, splits = pipeline.open_panel(config), pipeline.open_splits(config)
    run = training.predict(training.load_member(pipeline.member_path(config), panel, splits, config))
    estimates = pipeline.load_estimates(config)
    np.testing.assert_allclose(estimates.flow.values, run.flow.numpy(), rtol=1e-6)
    np.testing.assert_allclose(estimates.stock.values, run.stock.numpy(), rtol=1e-6)
    assert estimates.year.values.tolist() == list(config.years)
    assert estimates.origin.values.tolist() == panel.origin.values.tolist()


def test_reports_are_scored_by_what_the_member_learned_of_their_series(chain, config):
    panel, splits = pipeline.open_panel(config), pipeline.open_splits(config)
    seen = training.load_member(pipeline.member_path(config), panel, splits, config).observation
    kept = open_expectations(expectations_path(pipeline.estimates_path(config)), "the test")
    bias = kept[LOG_BIAS].values[seen.bias_year.numpy(), seen.bias_witness.numpy()]
    np.testing.assert_allclose(bias, seen.log_bias.detach().numpy(), rtol=1e-6)
    assert kept[LOG_BIAS].notnull().sum() == len(bias)
    scores = pipeline.read_scores(config)
    assert set(scores.peer[scores.log_score.notna()]) == {"humanflows"}


def test_panel_and_splits_come_back_as_they_were(chain, config, small_panel, small_splits):
    panel, splits = pipeline.open_panel(config), pipeline.open_splits(config)
    np.testing.assert_array_equal(panel.flow_persons.values, small_panel.flow_persons.values)
    assert panel.witness.values.tolist() == small_panel.witness.values.tolist()
    for part in ("train", "validation", "held_out"):
        assert splits[part].dtype == bool
        assert np.array_equal(splits[part].values, small_splits[part].values)


@pytest.mark.parametrize("table", TABLES)
def test_scores_can_be_read(chain, config, table):
    assert len(pipeline.read_scores(config, table)) > 0


# ---- nothing twice -------------------------------------------------------------------------------------------------

def test_a_second_run_does_nothing(copy, config, monkeypatch, capsys):
    before = state(copy)
    monkeypatch.setattr(training, "fit_member", lambda *a, **k: pytest.fail("trained again"))
    monkeypatch.setattr(pipeline, "read_tables", lambda *a: pytest.fail("read again"))
    pipeline.run_all(config)
    assert state(copy) == before
    assert capsys.readouterr().out.count("up to date") == len(STEPS)


def test_refresh_makes_it_again(copy, config, capsys):
    file = pipeline.estimates_path(config)
    before = file.stat().st_mtime_ns
    pipeline.estimate(config, refresh=True)
    assert file.stat().st_mtime_ns > before
    out = capsys.readouterr().out
    assert "estimate" in out and "cpu" in out and "made in" in out


class Made(Exception):
    """A step would have made its artifact."""


@pytest.fixture
def stale(config, monkeypatch):
    """Which steps would be made anew under another configuration, given the artifacts of the chain."""

    def ask(changed) -> set[str]:
        def made(target, inputs, make, config, made_by, refresh, beside=()):
            if refresh or not artifacts.is_fresh(target, inputs, beside):
                raise Made
            return target

        monkeypatch.setattr(pipeline, "_made", made)
        found = set()
        for step in STEPS:
            try:
                getattr(pipeline, step)(changed)
            except Made:
                found.add(step)
        return found

    return ask


def test_an_unchanged_configuration_leaves_all_fresh(chain, config, stale):
    assert stale(config) == set()


@pytest.mark.parametrize(("change", "expected"), [
    ("train", {"train", "estimate"}), ("observation", {"train", "estimate"}), ("effects", {"train", "estimate"}),
    ("model", {"train", "estimate"}),
    ("split", {"harmonise"}), ("twin", {"harmonise", "five_years"})])
def test_a_change_makes_only_what_depends_on_it_stale(chain, config, stale, change, expected):
    # What follows a stale step becomes stale once that step has left another file: content counts, not date.
    changed = {"train": replace(config, train=replace(config.train, learning_rate=1e-3)),
               "observation": replace(config, observation=replace(config.observation, stock_deviation=0.5)),
               "effects": replace(config, effects=replace(config.effects, tie=0.5)),
               "model": replace(config, model=replace(config.model, hidden=9)),
               "split": replace(config, split=replace(config.split, held_out_fold=2)),
               "twin": replace(config, twin=replace(config.twin, seed=3))}[change]
    assert stale(changed) == expected


def test_other_splits_reach_the_weights(copy, config, stale):
    changed = replace(config, split=replace(config.split, held_out_fold=2))
    weights = artifacts.sha256(pipeline.member_path(config))
    pipeline.harmonise(changed)
    assert artifacts.sha256(pipeline.member_path(config)) == weights      # nothing is made before it is asked for
    assert stale(changed) == set(STEPS) - {"harmonise"}


def test_another_panel_makes_the_rest_stale(copy, config, stale):
    panel = pipeline.open_panel(config)
    panel["flow_persons"][0] += 1
    artifacts.write_netcdf(panel, pipeline.panel_path(config))
    assert stale(config) == set(STEPS)


def test_an_artifact_that_was_tampered_with_is_made_again(copy, config):
    file = pipeline.estimates_path(config)
    good = artifacts.sha256(file)
    file.write_bytes(file.read_bytes()[:-100])
    pipeline.estimate(config)
    assert artifacts.sha256(file) == good or pipeline.load_estimates(config).flow.sizes["year"] == len(config.years)
    assert artifacts.read_manifest(file)["sha256"] == artifacts.sha256(file)


def test_lost_splits_are_made_again(copy, config):
    pipeline.splits_path(config).unlink()
    pipeline.harmonise(config)
    assert pipeline.open_splits(config).held_out.any()


# ---- nothing half --------------------------------------------------------------------------------------------------

def explode(*arguments, **more):
    raise RuntimeError("the machine is out of luck")


@pytest.mark.parametrize(("step", "place", "name"), [
    ("harmonise", pipeline, "harmonise_tables"), ("harmonise", pipeline, "make_splits"),
    ("train", training, "fit_member"), ("train", training, "save_file"), ("estimate", training, "predict"),
    ("estimate", pipeline, "write_estimates"), ("validate", pipeline, "read_peers")])
def test_a_failing_step_leaves_the_earlier_artifact(copy, config, monkeypatch, step, place, name):
    before = state(copy)
    monkeypatch.setattr(place, name, explode)
    with pytest.raises(RuntimeError, match="luck"):
        getattr(pipeline, step)(config, refresh=True)
    after = state(copy)
    file = STEPS[step](config).name
    assert after[file] == before[file]
    assert after[f"{file}.manifest.json"] == before[f"{file}.manifest.json"]
    assert set(after) == set(before)


def test_an_interrupted_training_is_taken_up_again(copy, config, monkeypatch):
    longer = replace(config, train=replace(config.train, epochs=3))
    good = state(copy)
    forward, calls = training.FlowModel.forward, []

    def failing(self, *arguments):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return forward(self, *arguments)

    monkeypatch.setattr(training.FlowModel, "forward", failing)
    with pytest.raises(KeyboardInterrupt):
        pipeline.train(longer, progress=False)
    member = pipeline.member_path(config)
    assert state(copy)[member.name] == good[member.name]
    assert member.with_suffix(".checkpoint.safetensors").is_file()
    pipeline.train(longer, progress=False)                     # the third call did not count: one epoch is left
    assert len(calls) == 4
    assert artifacts.read_manifest(member)["epochs"] == 3
    assert not member.with_suffix(".checkpoint.safetensors").exists()


class Killed(BaseException):
    """As SIGKILL: nothing of ours runs any more."""


@pytest.mark.parametrize("step", STEPS)
def test_a_step_killed_before_its_manifest_leaves_nothing_that_counts_as_fresh(copy, config, stale, monkeypatch, step):
    good = {f.name: artifacts.sha256(f) for f in copy.iterdir() if not f.name.endswith(".manifest.json")}
    other = {"harmonise": replace(config, split=replace(config.split, held_out_fold=0)),
             "train": replace(config, observation=replace(config.observation, stock_deviation=0.5))}.get(step, config)
    write = artifacts.write_text

    def killed(target, *rest, **more):
        raise Killed

    with monkeypatch.context() as patch:
        if other is config:     # what is written differs, as it would by other code
            patch.setattr(artifacts, "write_text", lambda target, text: write(target, text + "\n"))
        patch.setattr(artifacts, "write_manifest", killed)
        with pytest.raises(Killed):
            getattr(pipeline, step)(other, refresh=True)
    if step == "harmonise":
        with pytest.raises(ArtifactError, match="harmonise"):
            pipeline.open_splits(config)
    assert step in stale(config)
    monkeypatch.undo()
    monkeypatch.setattr(paths, "ARTIFACTS", copy.parent)
    getattr(pipeline, step)(config)
    for file in artifacts.read_manifest(STEPS[step](config))["beside"].keys() | {STEPS[step](config).name}:
        if not file.endswith(".safetensors"):      # which say how long it took
            assert artifacts.sha256(copy / file) == good[file]


def test_every_file_of_a_step_is_in_its_manifest(chain, config):
    listed = set()
    for path in STEPS.values():
        manifest = artifacts.read_manifest(path(config))
        listed |= {manifest["artifact"], *manifest["beside"]}
        assert all(artifacts.sha256(chain / name) == known for name, known in manifest["beside"].items())
    assert listed == {f.name for f in chain.iterdir() if not f.name.endswith(".manifest.json")}


@pytest.mark.parametrize("harm", [lambda f: f.write_bytes(b""), lambda f: f.unlink(),
                                  lambda f: f.write_bytes(f.read_bytes()[:-1] + b"x")],
                         ids=["emptied", "gone", "altered"])
def test_a_step_is_stale_when_any_of_its_files_is_not_the_one_it_wrote(copy, config, harm, stale):
    found = {}
    for step, path in STEPS.items():
        for name in artifacts.read_manifest(path(config))["beside"]:
            good = (copy / name).read_bytes()
            harm(copy / name)
            if name == "splits.nc" and not (copy / name).exists():      # without splits the steps after it cannot ask
                with pytest.raises(ArtifactError):
                    pipeline.open_splits(config)
            else:
                found[name] = step in stale(config)
                assert name == "splits.nc" or stale(config) == {step}
            artifacts.write_bytes(copy / name, good)
    assert len(found) > 8 and all(found.values())
    assert stale(config) == set()


def test_a_manifest_without_the_other_files_of_its_step_is_of_older_code(copy, config, stale):
    for path in STEPS.values():
        file = artifacts.manifest_path(path(config))
        artifacts.write_text(file, json.dumps({**json.loads(file.read_text()), "beside": {}}))
    assert stale(config) == set(STEPS)


def test_scores_of_nothing_are_an_error(copy, config):
    everything = replace(config, split=replace(config.split, held_out_fold=0))
    for step in ("harmonise", "train", "estimate"):
        getattr(pipeline, step)(everything)
    before = state(copy)
    with pytest.raises(ArtifactError, match="nothing to score"):
        pipeline.validate(everything)
    assert state(copy) == before


@pytest.mark.parametrize("table", [*TABLES, *SHOCKS, "witnesses", "five_year_scores"])
def test_a_table_that_was_emptied_is_not_read(copy, config, table):
    artifacts.write_text(copy / f"{table}.csv", "")
    with pytest.raises(ArtifactError):
        pipeline.read_scores(config, table)


# Damage inside a file is found by its digest. Where there is no manifest, the library alone looks at the file; what it
# makes of damaged insides depends on the byte, it may even never come back, so that is not tried here.
@pytest.mark.parametrize(("harm", "manifest"), [
    (lambda c: c[:len(c) // 2], True), (lambda c: c[:len(c) // 2], False), (lambda c: b"", True),
    (lambda c: b"", False),
    (lambda c: b"no netCDF" * 100, False), (lambda c: c[:len(c) // 2] + b"\xff" * 6000 + c[len(c) // 2 + 6000:], True)])
@pytest.mark.parametrize("name", ["panel", "splits"])
def test_a_damaged_panel_names_the_step_and_is_made_again(copy, config, harm, manifest, name):
    file = getattr(pipeline, f"{name}_path")(config)
    good = file.read_bytes()
    file.write_bytes(harm(good))
    if not manifest:
        artifacts.manifest_path(pipeline.panel_path(config)).unlink()
    with pytest.raises(ArtifactError) as caught:
        getattr(pipeline, f"open_{name}")(config)
    assert caught.value.file == str(file) and "harmonise" in caught.value.remedy
    pipeline.harmonise(config)
    assert file.read_bytes() == good


# ---- what is missing -----------------------------------------------------------------------------------------------

@pytest.fixture
def nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ARTIFACTS", tmp_path)
    return tmp_path


@pytest.mark.parametrize(("call", "step"), [
    (pipeline.open_panel, "harmonise"), (pipeline.open_splits, "harmonise"), (pipeline.train, "harmonise"),
    (pipeline.estimate, "train"), (pipeline.load_estimates, "estimate"), (pipeline.validate, "estimate"),
    (pipeline.read_scores, "validate")])
def test_what_is_missing_names_the_step_that_makes_it(nothing, config, call, step):
    with pytest.raises(ArtifactError, match="missing") as caught:
        call(config)
    assert step in caught.value.remedy
    assert not list(nothing.rglob("*.nc"))


def test_profiles_and_seeds_do_not_overwrite_each_other(chain, config):
    assert pipeline.member_path(replace(config, seed=2)) != pipeline.member_path(config)
    assert pipeline.panel_path(replace(config, profile="world")).parent != chain


def test_manifests_are_listed(chain):
    made = [m["made_by"] for m in artifacts.manifests(chain)]
    assert sorted(made) == sorted(STEPS)
    assert all(json.loads(f.read_text()) for f in chain.glob("*.manifest.json"))


@pytest.mark.parametrize("module", ["twin/world.py", "baselines/pseudo_bayes.py", "panel/harmonise.py"])
def test_a_panel_is_stale_when_any_code_that_makes_its_tables_changed(config, monkeypatch, module):
    seen = {}
    monkeypatch.setattr(pipeline, "_made", lambda target, inputs, *rest: seen.setdefault(len(seen), inputs))
    pipeline.harmonise(config)
    real = artifacts.Path.read_text
    monkeypatch.setattr(artifacts.Path, "read_text", lambda self, *a, **k: real(self, *a, **k) + (
        "# changed" if self.as_posix().endswith(f"humanflows/{module}") else ""))
    pipeline.harmonise(config)
    assert artifacts.digest(seen[0]) != artifacts.digest(seen[1])


@pytest.mark.parametrize(("table", "expected"), [
    ("REPORTING_CLASSES", {"harmonise"}), ("TRUSTED_OFFICES", {"validate", "five_years"}),
    ("REPORTING_SYSTEMS", set())])
def test_a_changed_table_of_the_project_makes_stale_what_read_it(chain, config, stale, tmp_path, monkeypatch, table,
                                                                  expected):
    """What offices of the real world count is nothing to the simulated one, whose offices define their reports."""
    monkeypatch.setattr(paths, table, tmp_path / "table.csv")
    shutil.copy(paths.DATA / f"{table.lower()}.csv", tmp_path / "table.csv")
    assert stale(config) == set()
    with open(tmp_path / "table.csv", "a", encoding="utf-8") as file:
        file.write("\n")
    assert stale(config) == expected


@pytest.mark.parametrize("table", ["REPORTING_CLASSES", "REPORTING_SYSTEMS"])
def test_the_real_world_s_panel_is_stale_when_a_definition_of_its_reports_changed(tmp_path, monkeypatch, table):
    seen = []
    monkeypatch.setattr(pipeline, "_made", lambda target, inputs, *rest: seen.append(inputs))
    config = load_config("world")
    pipeline.harmonise(config)
    (tmp_path / "table.csv").write_bytes(getattr(paths, table).read_bytes() + b"\n")
    monkeypatch.setattr(paths, table, tmp_path / "table.csv")
    pipeline.harmonise(config)
    assert {k for k in seen[0] if seen[0][k] != seen[1][k]} == {"definitions"}
