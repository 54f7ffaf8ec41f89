"""A training that goes astray, or cannot fit, stops with an error and leaves nothing behind."""
from dataclasses import replace

import pytest
import torch

from humanflows.errors import ConfigError, DivergenceError
from humanflows.model import divergence, memory
from humanflows.model import train as training


@pytest.fixture(scope="module")
def fit(small_panel, small_splits, small_config):
    def run(checkpoint=None, train=None, panel=small_panel, **more):
        parts = {k: replace(getattr(small_config, k), **more.pop(k)) for k in ("observation", "effects") if k in more}
        config = replace(small_config, train=replace(small_config.train, **(train or {})), **parts)
        return training.fit_member(panel, small_splits, config, checkpoint, progress=False, **more)
    return run


@pytest.mark.parametrize(("settings", "key"), [
    ({"train": {"learning_rate": 1e30, "epochs": 12}}, "epoch"),
    ({"train": {"learning_rate": 2.0, "epochs": 12}}, "loss"),
    ({"train": {"cell_rate": 1e30}}, "cell"), ({"train": {"cell_rate": 1.0}}, "world total"),
    ({"effects": {"direction": 1e-30}, "train": {"epochs": 12}}, "epoch"),
    ({"effects": {"direction": 1e-19}, "train": {"epochs": 12}}, "gradients"),
    ({"observation": {"displaced_below": 1e-38}}, "epoch 1")])
def test_a_diverging_training_stops_and_leaves_no_checkpoint(fit, tmp_path, settings, key):
    checkpoint = tmp_path / "checkpoint.safetensors"
    given = {**settings, "train": {"checkpoint_every": 1, **settings.get("train", {})}}
    with pytest.raises(DivergenceError) as caught:
        fit(checkpoint, **given)
    assert "seed" in caught.value.file and key in caught.value.key
    assert not checkpoint.exists()


def test_skipped_steps_are_counted_across_an_interruption(fit, tmp_path):
    checkpoint = tmp_path / "checkpoint.safetensors"
    given = {"effects": {"direction": 1e-19}, "train": {"checkpoint_every": 1, "epochs": 40}}
    fit(checkpoint, stop_after=4, **given)
    with pytest.raises(DivergenceError):
        fit(checkpoint, stop_after=7, **given)       # three more would be few


@pytest.mark.parametrize(("losses", "grown"), [
    ([100.0, 50.0, 199.0], False), ([100.0, 201.0], True), ([-100.0, -150.0], False), ([-100.0, -1.0], False),
    ([-100.0, 10.0], True), ([], False)])
def test_nats_may_be_below_zero_and_grow_all_the_same(losses, grown):
    if grown:
        with pytest.raises(DivergenceError) as caught:
            divergence.check_course(losses, seed=1)
        assert caught.value.key == "loss" and "observation" in caught.value.remedy
    else:
        divergence.check_course(losses, seed=1)


def test_a_sound_training_is_left_alone(fit):
    assert len(fit(train={"epochs": 6}).history) == 6


def run_of(share: float, years: int = 3):
    stock = torch.full((years + 1, 2, 2), 1000.0)
    return torch.full((years, 2, 2), share * 1000.0), stock


@pytest.mark.parametrize("share", [0.0, 1e-9, 0.5, 1.0, float("nan"), float("inf"), -0.1])
def test_implausible_worlds_are_refused(share):
    divergence.check_movers(divergence.share_of_movers(*run_of(0.01)), seed=1)
    flow, stock = run_of(0.01)
    flow[1] = share * 1000
    with pytest.raises(DivergenceError):
        divergence.check_movers(divergence.share_of_movers(flow, stock), seed=1)


def test_weights_that_move_everybody_make_no_estimates(small_panel, small_splits, small_config):
    model, seen, _ = training.build_member(small_panel, small_splits, small_config)
    member = training.Member(model, seen, None, 0.0)
    assert training.predict(member).flow.isfinite().all()
    with torch.no_grad():
        model.turnover += 10.0
    with pytest.raises(DivergenceError):
        training.predict(member)


def test_what_does_not_fit_is_refused_before_it_begins(fit, monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda device: 1)
    monkeypatch.setattr(torch, "zeros", lambda *a, **k: pytest.fail("began"))
    with pytest.raises(ConfigError) as caught:
        fit()
    assert caught.value.key == "model.width"


def test_needs_grow_with_every_size(small_panel, small_config):
    def needed(**sizes):
        model, train = ({k: v for k, v in sizes.items() if ("batch" in k) == of_train} for of_train in (False, True))
        return memory.needed_bytes(small_panel, replace(small_config, model=replace(small_config.model, **model),
                                                        train=replace(small_config.train, **train)))

    base = needed()
    assert base < 2**30
    assert all(needed(**{k: v}) > base for k, v in
               (("width", 512), ("hidden", 512), ("history_batch", 10**12), ("year_batch", 10**12)))
    assert needed(history_batch=10**12) < 2**40       # no more than there are


def test_a_device_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert training.choose_device("cuda:0").type == training.choose_device("cuda").type == "cuda"
    with pytest.raises(ConfigError):
        training.choose_device("cuda:1")
