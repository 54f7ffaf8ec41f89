"""The mean of members keeps the books, packed weights say what the weights said, and can stand in for training."""
import json
import shutil

import numpy as np
import pytest

from humanflows import artifacts, ensemble, members, paths, pipeline
from humanflows.ensemble import member_config
from humanflows.errors import ArtifactError
from humanflows.model import train as training
from humanflows.model.compact import load_compact
from humanflows.panel.splits import make_splits
from humanflows.results.estimates import net_migration_of, open_estimates
from small_runs import SMALL

GIVEN = {"settings": {**SMALL, "train": {**SMALL["train"], "epochs": 2}}, "members": 3}


@pytest.fixture(scope="module")
def config(small_build):
    return ensemble.ensemble_config("twin", **GIVEN)


@pytest.fixture(scope="module")
def made(config):
    """Three members, made here one after the other."""
    panel = pipeline.open_panel(config)
    for k in ensemble.list_members(config):
        ensemble.keep_member(panel, member_config(config, k), ensemble.member_folder("twin", k))
    return panel


def test_the_mean_is_the_mean_and_keeps_the_books(made):
    file = members.keep_mean("twin", **GIVEN)
    mean, each = open_estimates(file), ensemble.open_members("twin", **GIVEN)
    for name in ("flow", "stock", "net_migration"):
        assert np.allclose(mean[name].values, each[name].values.astype(float).mean(0), rtol=1e-5, atol=1e-2), name
    assert np.allclose(mean.net_migration.values, net_migration_of(mean.flow.values))
    assert np.abs(mean.net_migration.sum("residence")).max() < 1e-6 * float(mean.flow.sum())
    residents = mean.stock.sum("birthplace").values.astype(float)
    rate = made.deaths.values / made.population.values[:-1]
    natural = made.births.values - rate * residents[:-1]
    assert np.allclose(np.diff(residents, axis=0), natural + mean.net_migration.values, atol=1e-6 * residents.max())


def test_a_fresh_mean_is_kept_and_a_missing_member_is_named(made):
    file = members.keep_mean("twin", **GIVEN)
    before = file.stat().st_mtime_ns
    assert members.keep_mean("twin", **GIVEN).stat().st_mtime_ns == before
    with pytest.raises(ArtifactError, match="member-04"):
        members.keep_mean("twin", settings=GIVEN["settings"], members=4)
    assert members.mean_path("twin") == file and file.is_relative_to(paths.ARTIFACTS)


def test_packed_members_are_small_and_say_the_same(made, config, tmp_path):
    (tmp_path / "member-09.safetensors").write_bytes(b"of an earlier release")
    files = members.pack_members("twin", tmp_path, **GIVEN)
    assert sorted(tmp_path.iterdir()) == files and len(files) == 3
    own = member_config(config, 2)
    panel, splits = ensemble.member_panel(made, own), make_splits(made, own.split)
    packed = training.predict(training.load_member(files[1], panel, splits, own)).flow.numpy()
    plain = training.predict(ensemble.load_member("twin", 2, made, config)).flow.numpy()
    off = ~np.eye(panel.sizes["origin"], dtype=bool)
    assert np.median(np.abs(np.log1p(packed) - np.log1p(plain))[:, off]) < 0.01
    weights, _ = training.read_weights(ensemble.member_folder("twin", 2) / ensemble.WEIGHTS)
    assert set(load_compact(files[1])) == set(weights)


@pytest.fixture
def released(made, tmp_path):
    """A release of these members, as far as restoring them looks at it."""
    files = members.pack_members("twin", tmp_path / "members", **GIVEN)
    first = artifacts.read_manifest(ensemble.member_folder("twin", 1) / ensemble.WEIGHTS)
    inputs = {**first["inputs"], "code": "an earlier one"}
    said = {"ensemble": {"members": 3, "training_minutes": 1.5, "inputs": inputs},
            "files": {f"members/{f.name}": artifacts.sha256(f) for f in files}}
    (tmp_path / "manifest.json").write_text(json.dumps(said))
    return tmp_path


def test_released_weights_stand_in_for_training(made, config, released, tmp_path, monkeypatch):
    before = ensemble.open_members("twin", **GIVEN)["flow"].load()
    whole = ensemble.folder("twin")
    away = shutil.move(whole, tmp_path / "trained")
    try:
        monkeypatch.setattr(training, "fit_member", lambda *a, **k: pytest.fail("a restored member was trained"))
        assert members.restore_members("twin", released, **GIVEN) == [1, 2, 3]
        for k in ensemble.list_members(config):
            ensemble.keep_member(made, member_config(config, k), ensemble.member_folder("twin", k))
        after = ensemble.open_members("twin", **GIVEN)["flow"].load()
        assert float(np.abs(np.log1p(after) - np.log1p(before)).median()) < 0.01
        again = members.pack_members("twin", tmp_path / "again", **GIVEN)
        assert [f.read_bytes() for f in again] == [(released / "members" / f.name).read_bytes() for f in again]
        assert members.restore_members("twin", released, **GIVEN) == []     # what is there stays
        made_by = artifacts.read_manifest(ensemble.member_folder("twin", 1) / ensemble.WEIGHTS)
        assert made_by["restored"] and made_by["trained_by_code"] == "an earlier one"
    finally:
        shutil.rmtree(whole)
        shutil.move(away, whole)


def test_released_members_of_other_settings_or_damaged_ones_are_refused(released):
    other = {**GIVEN, "settings": {**GIVEN["settings"], "train": {**GIVEN["settings"]["train"], "epochs": 3}}}
    with pytest.raises(ArtifactError, match=r"member-01.*other settings.*train them"):
        members.restore_members("twin", released, **other)
    with pytest.raises(ArtifactError, match="member-04"):
        members.restore_members("twin", released, settings=GIVEN["settings"], members=4)
    (released / "members" / "member-02.safetensors").write_bytes(b"damaged")
    with pytest.raises(ArtifactError, match=r"member-02.*manifest lists"):
        members.restore_members("twin", released, **GIVEN)
    (released / "manifest.json").write_text(json.dumps({"files": {}}))
    with pytest.raises(ArtifactError, match="of no ensemble"):
        members.restore_members("twin", released, **GIVEN)
