"""Members trained together: each as it would be alone, whatever the others see, wherever it was interrupted."""
import copy
from dataclasses import replace
from itertools import count

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from humanflows import ensemble, pipeline
from humanflows.errors import ArtifactError, ConfigError, DivergenceError
from humanflows.model import stacked
from humanflows.model import train as training
from humanflows.model.recursion import FlowModel
from humanflows.model.stacked import fit_members
from humanflows.model.stacked_histories import clip_each
from humanflows.model.stacking import NOT_IN_EPOCHS, Stack
from humanflows.model.witnesses import effect_penalty
from humanflows.panel.designs import member_config
from humanflows.panel.harmonise import harmonise
from humanflows.panel.splits import make_splits
from humanflows.panel.withhold import withhold

SMALL = {"twin": {"territories": 7, "reporters": 5, "people": {"burn_in": 10}}, "first_year": 2010, "last_year": 2021,
         "train": {"year_steps": 8, "year_batch": 48, "history_steps": 5, "history_batch": 12, "epochs": 6,
                   "validate_every": 1, "checkpoint_every": 2, "device": "cpu", "compile": False},
         "model": {"hidden": 4, "width": 8, "embedding": 2}, "split": {"folds": 4, "validation_share": 0.2}}
# Losses and gradients agree to rounding. Adam divides by the gradient's size and so makes rounding of those near zero
# larger from epoch to epoch; effects are of the order of 0.1.
CLOSE, CLOSER = {"rtol": 1e-3, "atol": 5e-4}, {"rtol": 1e-5, "atol": 1e-6}


@pytest.fixture(scope="module")
def config():
    return ensemble.ensemble_config("twin", settings=SMALL)


@pytest.fixture(scope="module")
def panel(config):
    world = pipeline.simulate_twin(config)
    tables = pipeline.add_reconstruction(pipeline.observe_twin(world, config))
    return harmonise(tables, world.territories, config.years)


@pytest.fixture(scope="module")
def three(panel, config):
    """Panels, splits and configurations of three members of a design, with changed settings."""
    def of(design="crossed", numbers=(1, 2, 3), **changed):
        base = replace(config, ensemble=replace(config.ensemble, design=design))
        base = replace(base, **{part: replace(getattr(base, part), **values) for part, values in changed.items()})
        own = [member_config(base, k) for k in numbers]
        return [ensemble.member_panel(panel, c) for c in own], [make_splits(panel, c.split) for c in own], own

    return of


def one_after_the_other(panels, splits, configs, **more):
    return [training.fit_member(*of, progress=False, **more) for of in zip(panels, splits, configs)]


@pytest.fixture(scope="module")
def alone(three):
    """Three members of the crossed design, each trained by itself; leave them as they are."""
    return one_after_the_other(*three())


@pytest.fixture(scope="module")
def together(three):
    return fit_members(*three(), progress=False)


def weights_of(member) -> dict[str, torch.Tensor]:
    return {f"{part}.{k}": v.detach() for part in ("model", "witnesses")
            for k, v in getattr(member, part).named_parameters()}


def assert_close(members, others, within=CLOSE):
    assert len(members) == len(others)
    for one, other in zip(members, others):
        mine, theirs = weights_of(one), weights_of(other)
        assert mine.keys() == theirs.keys()
        for name in mine:
            torch.testing.assert_close(mine[name], theirs[name], **within, equal_nan=True, msg=lambda m, n=name: n + m)
        assert list(one.history) == list(other.history)
        np.testing.assert_allclose(one.history.to_numpy(), other.history.to_numpy(), rtol=1e-4)


def assert_same(members, others):
    for one, other in zip(members, others, strict=True):
        mine, theirs = weights_of(one), weights_of(other)
        assert all(torch.equal(mine[k], theirs[k]) for k in theirs) and one.history.equals(other.history)


# ---- each as alone

def test_members_see_different_numbers_of_things(alone):
    for part, name in (("witnesses", "obs_log"), ("model", "course"), ("witnesses", "corridor_flat"),
                       ("witnesses", "office_log"), ("witnesses", "censored_log")):
        assert len({len(getattr(getattr(m, part), name)) for m in alone}) > 1, name


def test_each_member_is_what_it_would_be_alone(alone, together):
    assert_close(together, alone)
    assert all(np.isfinite(m.history.validation).all() and len(m.history) == 6 and m.seconds > 0 for m in together)
    runs = [[training.predict(m) for m in members] for members in (together, alone)]
    for one, other in zip(*runs):
        for x, y in zip(one, other):
            torch.testing.assert_close(x, y, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("design", ["crossed", "whole"])
def test_after_the_histories_and_an_epoch_they_agree_to_rounding(three, design):
    given = three(design)
    assert_close(fit_members(*given, progress=False, stop_after=1),
                 one_after_the_other(*given, stop_after=1), CLOSER)


def test_losses_and_gradients_are_those_of_each_member(alone):
    models, witnesses = [copy.deepcopy(m.model) for m in alone], [copy.deepcopy(m.witnesses) for m in alone]
    single = []
    for model, seen in zip(models, witnesses):
        terms = seen.terms(model())
        (loss := seen.loss(terms) + effect_penalty(model, seen.config)).backward()
        single.append((loss, terms, {k: v.grad for x in (model, seen) for k, v in x.named_parameters()}))
    tables = [k for k, _ in models[0].named_buffers() if k not in NOT_IN_EPOCHS]
    stack = Stack(models, witnesses, tables)
    loss, terms, _ = stack.epoch()
    loss.sum().backward()
    stack.hand_out_gradients()
    for k, (own_loss, own_terms, gradients) in enumerate(single):
        torch.testing.assert_close(loss[k], own_loss, **CLOSER)
        for name, value in own_terms.items():
            torch.testing.assert_close(terms[name][k], value, **CLOSER)
        for name, parameter in (*models[k].named_parameters(), *witnesses[k].named_parameters()):
            if name.startswith("cell."):
                continue
            given, wanted = parameter.grad, gradients[name]
            assert (given - wanted).abs().max() <= 1e-5 * wanted.abs().max(), name


def test_members_are_no_copies_of_each_other(together, three):
    weights = [weights_of(m) for m in together]
    assert not any(torch.equal(weights[0][k], weights[1][k]) for k in weights[0] if "model.cell" in k)
    fresh = [dict(training.build_member(*of)[0].named_parameters()) for of in zip(*three())]
    for own, first in zip(weights, fresh):
        for name in ("direction", "turnover", "course", "onward_level"):
            assert not torch.allclose(own[f"model.{name}"], first[name], atol=1e-3), name
    stored = [v.untyped_storage() for own in weights for v in own.values()]
    assert len({s.data_ptr() for s in stored if s.nbytes()}) == sum(s.nbytes() > 0 for s in stored)


@pytest.mark.parametrize("changed", [
    {"design": "whole"},
    {"design": "blind"},
    {"loss": {"likelihood": "student", "balances": 0.0}},
    {"loss": {"reconstruction": 0.0, "censored": 0.0}, "model": {"without": "net-migration"}},
    {"ensemble": {"reporters": 0.0, "corridors": 0.0, "biases": 0.0, "design": "crossed"}},
    {"train": {"year_steps": 0, "history_steps": 0, "year_batch": 1}},
    {"train": {"year_batch": 5000, "history_batch": 5000, "validate_every": 4}},
], ids=lambda c: "-".join(c))
def test_so_it_is_with_other_designs_and_settings(three, changed):
    given = three(**changed)
    assert_close(fit_members(*given, progress=False), one_after_the_other(*given))


def test_a_member_without_a_platform_or_without_reports_is_trained_all_the_same(three, panel):
    panels, splits, configs = three("whole")
    panels[1] = withhold(panels[1], sources=["meta"])
    panels[2] = panels[2].isel(observation=slice(0, 0))
    members = fit_members(panels, splits, configs, progress=False)
    assert [m.witnesses.has_censored for m in members] == [True, False, False]
    assert_close(members, one_after_the_other(panels, splits, configs))


def test_no_member_has_reports(three):
    panels, splits, configs = three("whole", (1, 2))
    panels = [p.isel(observation=slice(0, 0)) for p in panels]
    assert_close(fit_members(panels, splits, configs, progress=False), one_after_the_other(panels, splits, configs))


def test_members_that_fit_in_no_stack_are_trained_beside_it(three, alone):
    panels, splits, configs = three()
    other = replace(configs[1], model=replace(configs[1].model, width=6))
    members = fit_members(panels, splits, [configs[0], other, configs[2]], progress=False)
    assert members[1].model.cell.as_origin.out_features == 6
    assert_close([members[0], members[2]], [alone[0], alone[2]])
    assert_close([members[1]], one_after_the_other(panels[1:2], splits[1:2], [other]))


def test_a_member_that_diverges_leaves_the_others_as_they_are(three, alone):
    panels, splits, configs = three()
    panels[1] = panels[1].copy(deep=True)
    panels[1]["flow_persons"][:] = np.nan
    members = fit_members(panels, splits, configs, progress=False)
    assert [type(m.failed) for m in members] == [type(None), DivergenceError, type(None)]
    with pytest.raises(DivergenceError):
        training.predict(members[1])
    assert_close([members[0], members[2]], [alone[0], alone[2]])


# ---- patience

def test_an_exhausted_member_rests_while_the_others_go_on(three, monkeypatch):
    given = three(train={"patience": 1, "epochs": 6})

    def scores():
        """The second member's score gets worse with every epoch."""
        courses = iter([count(0, sign) for sign in (-1, 1, -1)])

        def of_next_member(*_):
            course = next(courses)
            return lambda run: float(next(course))

        return of_next_member

    monkeypatch.setattr(training, "_validation_score", scores())
    single = one_after_the_other(*given)
    monkeypatch.setattr(training, "_validation_score", scores())
    members = fit_members(*given, progress=False)
    assert [len(m.history) for m in members] == [6, 4, 6]    # settled after 3 epochs, the last of them the best
    assert_close(members, single)


# ---- interrupted

def files_in(folder, number=3):
    return [folder / f"member-{k}" / "checkpoint.safetensors" for k in range(number)]


@pytest.mark.parametrize("stop_after", [0, 3])
def test_a_resumed_stack_ends_in_the_same_weights(three, together, tmp_path, monkeypatch, stop_after):
    files = files_in(tmp_path)
    first = fit_members(*three(), files, progress=False, stop_after=stop_after)
    assert [len(m.history) for m in first] == [stop_after] * 3 and all(f.is_file() for f in files)
    monkeypatch.setattr(stacked, "learn_histories_together", lambda *a, **k: pytest.fail("learned again"))
    resumed = fit_members(*three(), files, progress=False)
    assert_same(resumed, together)
    assert all(a.seconds > b.seconds for a, b in zip(resumed, first))
    monkeypatch.setattr(FlowModel, "forward", lambda *a: pytest.fail("trained again"))
    assert_same(fit_members(*three(), files, progress=False), together)


def test_an_aborted_stack_goes_on_from_its_last_checkpoints(three, together, tmp_path, monkeypatch):
    files, forward, calls = files_in(tmp_path), FlowModel.forward, []

    def failing(self):
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return forward(self)

    monkeypatch.setattr(FlowModel, "forward", failing)
    with pytest.raises(KeyboardInterrupt):
        fit_members(*three(), files, progress=False)
    calls.clear()
    monkeypatch.setattr(FlowModel, "forward", lambda self: (calls.append(1), forward(self))[1])
    assert_same(fit_members(*three(), files, progress=False), together)
    assert len(calls) == 2    # one call for all: epochs 4 and 5
    assert sorted(f for f in tmp_path.rglob("*") if f.is_file()) == files


def test_checkpoints_are_of_one_kind_with_those_of_single_members(three, alone, tmp_path):
    (panels, splits, configs), files = three(), files_in(tmp_path)
    fit_members(panels[1:], splits[1:], configs[1:], files[1:], progress=False, stop_after=3)
    training.fit_member(panels[0], splits[0], configs[0], files[0], progress=False, stop_after=5)
    files[2].unlink()         # at epoch 5, at epoch 3, and not begun
    members = fit_members(panels, splits, configs, files, progress=False)
    assert_close(members, alone)
    assert_close([training.fit_member(panels[1], splits[1], configs[1], files[1], progress=False)], alone[1:2])


def test_a_checkpoint_of_something_else_is_refused_before_anything_is_learned(three, tmp_path, monkeypatch):
    (panels, splits, configs), files = three(), files_in(tmp_path)
    training.fit_member(panels[0], splits[0], configs[0], files[2], progress=False, stop_after=1)
    before = files[2].read_bytes()
    monkeypatch.setattr(stacked, "learn_histories_together", lambda *a, **k: pytest.fail("learned already"))
    with pytest.raises(ArtifactError, match="checkpoint belongs to other") as caught:
        fit_members(panels, splits, configs, files, progress=False)
    assert str(files[2]) in str(caught.value) and files[2].read_bytes() == before


# ---- files, and what is asked

def test_a_stacked_member_is_kept_like_any_other(three, together, panel, tmp_path, monkeypatch):
    configs = three()[2]
    for k, (member, own) in enumerate(zip(together, configs)):
        ensemble.store_member(member, panel, own, tmp_path / str(k))
    monkeypatch.setattr(training, "fit_member", lambda *a, **k: pytest.fail("trained again"))
    assert ensemble.keep_member(panel, configs[1], tmp_path / "1")             # its estimates alone
    assert not ensemble.keep_member(panel, configs[1], tmp_path / "1")
    tensors, _ = training.read_weights(tmp_path / "1" / ensemble.WEIGHTS)
    assert all(torch.equal(tensors[k], v) for k, v in weights_of(together[1]).items())


def test_as_many_panels_as_configurations_are_asked_for(three):
    panels, splits, configs = three()
    with pytest.raises(ConfigError, match="2 panels, 3 splits and 3 checkpoints for 3"):
        fit_members(panels[:2], splits, configs)
    with pytest.raises(ConfigError, match="1 checkpoints for 3"):
        fit_members(panels, splits, configs, [None])
    assert fit_members([], [], []) == []


@given(st.integers(1, 4), st.floats(1e-3, 1e3), st.integers(0, 2**31))
def test_gradients_are_clipped_member_by_member(members, most, seed):
    generator = torch.Generator().manual_seed(seed)
    shapes = [(3, 2), (5,), ()]
    weights = [torch.zeros(members, *s, requires_grad=True) for s in shapes]
    for w in weights:
        w.grad = torch.randn(w.shape, generator=generator) * torch.logspace(-3, 3, members).reshape(
            -1, *[1] * (w.ndim - 1))
    single = [[torch.zeros(s, requires_grad=True) for s in shapes] for _ in range(members)]
    for k, own in enumerate(single):
        for w, v in zip(weights, own):
            v.grad = w.grad[k].clone()
        torch.nn.utils.clip_grad_norm_(own, most)
    clip_each([*weights, torch.zeros(members, requires_grad=True)], most)
    for k, own in enumerate(single):
        for w, v in zip(weights, own):
            torch.testing.assert_close(w.grad[k], v.grad)
