"""Packed weights: what they lose is bounded, the same weights are the same bytes, and damage is said."""
import json
import lzma
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from humanflows.errors import ArtifactError
from humanflows.model import compact
from humanflows.model import train as training
from humanflows.model.recursion import shocked_years

# Relative, of a flow of 100 persons or more. Seven effects at most, each off by half a step; where a year brings
# refugees, its effect has SHOCK_UNIT times the step.
FLOW_ERROR, SHOCK_ERROR = 0.04, 0.07


@pytest.fixture(scope="module")
def member(small_panel, small_splits, small_config):
    # Long enough for effects to differ: after a few steps all are as large as the steps, and rounded alike.
    longer = replace(small_config, train=replace(small_config.train, epochs=40, validate_every=10))
    return training.fit_member(small_panel, small_splits, longer, progress=False)


@pytest.fixture
def files(member, small_config, tmp_path, monkeypatch):
    """A member's file, and the same packed; in a small world everything counts as much."""
    monkeypatch.setattr(compact, "FEW", 30)
    whole = training.save_member(member, tmp_path / "whole.safetensors", small_config)
    return whole, compact.save_compact(training.read_weights(whole)[0], tmp_path / "packed.safetensors", profile="twin")


def packed_metadata(file):
    with safe_open(file, framework="np") as handle:
        return json.loads(handle.metadata()["packed"])


def test_predictions_stay_within_the_stated_error(files, member, small_panel, small_splits, small_config):
    given = training.predict(member)
    again = training.predict(training.load_member(files[1], small_panel, small_splits, small_config))
    shocked = torch.as_tensor(shocked_years(small_panel))
    for one, other, where, most in ((given.flow, again.flow, (given.flow > 100) & ~shocked, FLOW_ERROR),
                                    (given.flow, again.flow, (given.flow > 100) & shocked, SHOCK_ERROR),
                                    (given.stock, again.stock, given.stock > 1000, FLOW_ERROR)):
        assert where.sum() > 30
        error = (other[where] / one[where] - 1).abs()
        assert 0 < error.max() < most
        assert error.median() < most / 4
    assert again.flow.sum() == pytest.approx(float(given.flow.sum()), rel=0.01)


def test_effects_are_off_by_half_a_step_at_most_and_places_of_reports_not_at_all(files):
    whole, packed = training.read_weights(files[0])[0], compact.load_compact(files[1])
    assert set(whole) == set(packed)
    assert torch.equal(whole["reported"], packed["reported"]) and len(packed["reported"]) > 100
    for name, values in whole.items():
        assert packed[name].shape == values.shape and packed[name].dtype == values.dtype
        if name.startswith("model.") and ".cell." not in name:
            assert (packed[name] - values).abs().max() <= compact.STEP / 2
        elif ".cell." in name:
            assert torch.allclose(packed[name], values, rtol=1e-3, atol=1e-6)
    assert not torch.equal(packed["model.course"], whole["model.course"])


def test_packing_again_changes_nothing(files, tmp_path):
    again = compact.save_compact(compact.load_compact(files[1]), tmp_path / "again.safetensors", profile="twin")
    assert again.read_bytes() == files[1].read_bytes()


def test_the_same_weights_are_the_same_bytes_in_every_process(files, tmp_path):
    run = ("import sys; from humanflows.model import compact, train\n"
           "compact.FEW = 30; compact.save_compact(train.read_weights(sys.argv[1])[0], sys.argv[2], profile='twin')")
    for k in range(3):
        subprocess.run([sys.executable, "-c", run, files[0], tmp_path / f"{k}.safetensors"], check=True)
        assert (tmp_path / f"{k}.safetensors").read_bytes() == files[1].read_bytes()


def test_a_member_of_the_size_of_the_world_is_small(tmp_path):
    # as many numbers, and as wide, as a member of the world was measured to have
    rng, tensors = np.random.default_rng(0), {}
    for name, shape, sd in (("model.course", (139_099,), .47), ("model.wave", (7, 13_292), .13),
                            ("model.direction", (13_292, 3), .2), ("model.turnover", (35, 231), .13)):
        tensors[name] = torch.as_tensor(rng.normal(0, sd, shape).astype(np.float32))
    tensors["reported"] = torch.as_tensor(np.flatnonzero(rng.random(1_867_635) < .117).astype(np.int32))
    file = compact.save_compact(tensors, tmp_path / "member.safetensors")
    assert 20 * file.stat().st_size < 12e6


@pytest.mark.parametrize("damage", ["content", "description", "name"])
def test_a_damaged_file_is_answered_clearly(files, damage):
    content = bytearray(files[1].read_bytes())
    at = {"content": -40, "description": content.find(b"packed") + 12, "name": content.find(b"model.course")}[damage]
    content[at:at + 8] = b"########"
    files[1].write_bytes(content)
    with pytest.raises(ArtifactError) as caught:
        compact.load_compact(files[1])
    assert str(files[1]) in str(caught.value) and caught.value.remedy


def test_a_diverged_or_plain_file_is_refused(files, tmp_path):
    for bad in (float("nan"), 1e6):
        with pytest.raises(ArtifactError, match="diverged"):
            compact.save_compact({"model.course": torch.full((50,), bad)}, tmp_path / "bad.safetensors")
    assert not (tmp_path / "bad.safetensors").exists()
    with pytest.raises(ArtifactError, match="not packed"):
        compact.load_compact(files[0])


@pytest.mark.parametrize("change", [
    {"shape": [6_000_000_000]}, {"shape": [40_000, 40_000]}, {"shape": [-1]}, {"shape": [3]}, {"shape": [True, None]},
    {"dtype": "<f8"}, {"dtype": "|O"}, {"dtype": 3}, {"kind": "pickle"}, None])
def test_weights_that_are_none_or_too_many_are_refused(files, tmp_path, change):
    """The metadata say how large the tensors are; what is compressed may be far larger than what it lies in."""
    tensors = load_file(files[1])
    said = packed_metadata(files[1])
    said["how"]["model.course"] = {**said["how"]["model.course"], **change} if change is not None else "x"
    tensors["model.course"] = np.frombuffer(lzma.compress(bytes(80_000_000), preset=0), np.uint8)
    assert tensors["model.course"].nbytes < 100_000
    save_file(tensors, tmp_path / "hostile.safetensors", metadata={"packed": json.dumps(said)})
    with pytest.raises(ArtifactError) as caught:
        compact.load_compact(tmp_path / "hostile.safetensors")
    assert caught.value.file.endswith("hostile.safetensors")


@pytest.mark.parametrize("step", [0, -1, "x", None, float("nan"), float("inf")])
def test_a_step_that_is_none_is_refused(files, tmp_path, step):
    said = {**packed_metadata(files[1]), "step": step}
    save_file(load_file(files[1]), tmp_path / "hostile.safetensors", metadata={"packed": json.dumps(said)})
    with pytest.raises(ArtifactError):
        compact.load_compact(tmp_path / "hostile.safetensors")
