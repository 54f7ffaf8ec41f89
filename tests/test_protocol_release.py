"""The release takes the protocols' tables along where they are fresh, and says so where they are not."""
import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from humanflows import artifacts, paths, pipeline, releasing
from humanflows.errors import ArtifactError
from humanflows.plotting import release as drawing
from humanflows.results import release as released
from humanflows.results import validation
from humanflows.results.protocol_tables import COLUMNS, Collected, file_name, read_protocols

MADE = {"made_by": "humanflows protocols", "made_at": "2026-01-01", "protocols": {"fold-1": "abc"}}


@pytest.fixture
def run(tmp_path, monkeypatch, small_config):
    """A finished chain whose own results are of no interest here; every call of it is a release into a folder."""
    monkeypatch.setattr(paths, "ARTIFACTS", tmp_path / "artifacts")
    monkeypatch.setattr(paths, "RELEASE", tmp_path / "release")
    panel = xr.Dataset({"flow": 0.0}, coords={"observation": range(2), "witness": range(1)})
    for path in (pipeline.estimates_path, pipeline.scores_path, pipeline.five_years_path, pipeline.history_path,
                 pipeline.member_path, pipeline.panel_path, pipeline.splits_path):
        artifacts.write_text(path(small_config), "epoch\n1\n")
    inputs = pipeline._training_inputs(small_config)
    artifacts.write_manifest(pipeline.member_path(small_config), made_by="train", inputs=inputs)
    for name in ("load_estimates", "open_panel", "open_splits"):
        monkeypatch.setattr(pipeline, name, lambda config: panel)
    monkeypatch.setattr(pipeline, "read_scores", lambda config, name: pd.DataFrame())
    monkeypatch.setattr(drawing, "draw_release", lambda *a: [])
    monkeypatch.setattr(released, "write_results",
                        lambda folder, *a, **k: artifacts.write_text(folder / "flows.nc", "x"))
    monkeypatch.setattr(released, "build_facts", lambda *a: {})
    monkeypatch.setattr(releasing, "write_provenance", lambda *a, **k: None)
    monkeypatch.setattr(validation, "flow_cells", lambda *a: None)
    return lambda tables=None, config=small_config: pipeline.release(config, tables)


@pytest.fixture
def collected(protocol_tables):
    return Collected(protocol_tables, MADE)


def manifest():
    return json.loads((paths.RELEASE / "manifest.json").read_text())


def test_tables_figures_and_provenance_get_into_the_release(run, collected):
    run(collected)
    tables, listed = read_protocols(), manifest()
    assert list(tables) == list(COLUMNS) and len(tables["scores"]) == len(collected.tables["scores"])
    for name in [file_name(t) for t in COLUMNS] + [f"figures/protocol_{f}.png" for f in (
            "differences", "five_years", "net_migration")]:
        assert listed["files"][name] == artifacts.sha256(paths.RELEASE / name), name
    assert listed["protocols"] == {**MADE, "of_this_release": True}


def test_a_release_without_protocols_has_none(run):
    run()
    assert read_protocols() == {} and "protocols" not in manifest()
    assert set(manifest()["files"]) == {"flows.nc", "facts.json"}


def test_earlier_tables_stay_and_are_known_to_be_of_another_model(run, collected, small_config):
    run(collected)
    before = {f.name: f.read_bytes() for f in paths.RELEASE.glob("protocol_*")}
    run()                                                       # released again: the same weights
    assert {f.name: f.read_bytes() for f in paths.RELEASE.glob("protocol_*")} == before
    assert manifest()["protocols"] == {**MADE, "of_this_release": True}
    artifacts.write_manifest(pipeline.member_path(small_config), made_by="train", inputs={"seed": 2})
    run()                                                       # other weights
    assert {f.name: f.read_bytes() for f in paths.RELEASE.glob("protocol_*")} == before
    assert manifest()["protocols"] == {**MADE, "of_this_release": False}
    run()                                                       # the same other weights: still not their protocols
    assert manifest()["protocols"]["of_this_release"] is False


def test_protocols_of_the_present_are_not_those_of_older_weights(run, collected, small_config):
    artifacts.write_manifest(pipeline.member_path(small_config), made_by="train", inputs={"code": "of yesterday"})
    run(collected)
    assert manifest()["protocols"]["of_this_release"] is False


def test_broken_tables_leave_the_release_as_it_was(run, collected):
    run()
    before = {f: f.read_bytes() for f in paths.RELEASE.rglob("*") if f.is_file()}
    broken = Collected({**collected.tables, "scores": collected.tables["scores"].drop(columns="difference_r")}, MADE)
    with pytest.raises(ArtifactError, match="difference_r"):
        run(broken)
    assert {f: f.read_bytes() for f in paths.RELEASE.rglob("*") if f.is_file()} == before


def test_the_command_takes_what_is_fresh(run, collected, small_config, monkeypatch, capsys):
    monkeypatch.setattr(releasing, "read_collected", lambda config: collected)
    assert releasing.release(small_config) == paths.RELEASE / "manifest.json"
    assert read_protocols() and "no new tables" not in capsys.readouterr().out


def test_the_command_says_what_is_stale_or_absent_and_keeps_the_rest(run, collected, small_config, monkeypatch, capsys):
    run(collected)
    before = read_protocols()["scores"]

    def stale(config):
        raise ArtifactError("protocol_scores.csv", "protocol fold-1 was scored with another code", "run it again")

    monkeypatch.setattr(releasing, "read_collected", stale)
    releasing.release(small_config)
    said = capsys.readouterr().out
    assert "no new tables of the validation protocols, earlier ones stay" in said and "another code" in said
    pd.testing.assert_frame_equal(read_protocols()["scores"], before)
    assert np.isfinite(before["difference_r"]).any()


def test_without_protocols_it_names_the_step(run, small_config, capsys):
    releasing.release(small_config)
    assert "humanflows protocols --profile twin" in capsys.readouterr().out
    assert read_protocols() == {}


def test_an_ensemble_is_not_replaced_by_one_member(run, small_config, capsys):
    releasing.release(small_config)
    assert "without an ensemble" in capsys.readouterr().out
    file = paths.RELEASE / "manifest.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "ensemble": {"members": 20}}))
    before = {f: f.read_bytes() for f in paths.RELEASE.rglob("*") if f.is_file()}
    with pytest.raises(ArtifactError, match=r"would not be.*Remedy: make the ensemble"):
        releasing.release(small_config)
    assert {f: f.read_bytes() for f in paths.RELEASE.rglob("*") if f.is_file()} == before
