"""Solving for the mode: without data a draw is a draw from the prior, and nothing is left behind."""
import copy

import numpy as np
import pandas as pd
import pytest
import torch

from humanflows.model import posterior
from humanflows.model.observation import ObservationModel
from humanflows.model.perturbation import perturb
from humanflows.model.train import Member, build_member

GAUSSIAN = ("tie", "direction")


@pytest.fixture
def member(small_panel, small_splits, small_config):
    model, observation, _ = build_member(small_panel, small_splits, small_config)
    model.read_covariates()
    return Member(model, observation, pd.DataFrame(), float("nan"))


def _loss(member, config) -> float:
    with torch.no_grad():
        return float(sum(posterior.loss_terms(member.model, member.observation, config, lambda on: None).values()))


def _run(member):
    with torch.no_grad():
        return member.model()


def _silent(patch) -> None:
    """Data that say nothing."""
    patch.setattr(ObservationModel, "terms", lambda self, run: {"nothing": 0.0 * run.flow.sum()})


def test_without_data_the_curvature_is_the_precision_of_the_prior(member, small_config, monkeypatch):
    _silent(monkeypatch)
    found = posterior.curvature(member, small_config, 1, draws=200)
    assert float(found["model.tie"].mean()) == pytest.approx(small_config.effects.tie**-2, rel=0.1)


def test_without_data_a_draw_is_what_was_drawn_from_the_prior(member, small_config, monkeypatch):
    _silent(monkeypatch)
    drawn = perturb(member.model, member.observation, _run(member), small_config.effects, (4,))
    deviations = posterior.deviations_of(posterior.curvature(member, small_config, 1))
    posterior.solve(member, small_config, drawn, deviations, epochs=150, rate=1.0)
    for name in GAUSSIAN:
        assert torch.allclose(getattr(member.model, name), drawn.effects[name], atol=0.05), name


def test_the_mode_is_found_from_anywhere(member, small_config):
    deviations = posterior.deviations_of(posterior.curvature(member, small_config, 1))
    solution = posterior.solve(member, small_config, None, deviations, epochs=150, rate=1.0)
    there = _loss(member, small_config)
    assert there < solution.loss[0]
    with torch.no_grad():
        member.model.tie += 0.3 * torch.randn(member.model.tie.shape, generator=torch.Generator().manual_seed(2))
    worse = _loss(member, small_config)
    posterior.solve(member, small_config, None, deviations, epochs=150, rate=1.0)
    assert _loss(member, small_config) < there + 0.1 * (worse - there)


def test_a_perturbed_mode_differs_and_leaves_everything_in_place(member, small_config):
    before = {k: v.clone() for k, v in member.observation.named_buffers()}     # NaN where there is no report
    said, cell = member.model.systematic.clone(), copy.deepcopy(member.model.cell.state_dict())
    drawn = perturb(member.model, member.observation, _run(member), small_config.effects, (9,))
    mode = posterior.values_of(member)
    deviations = posterior.deviations_of(posterior.curvature(member, small_config, 1))
    posterior.solve(member, small_config, drawn, deviations, epochs=5, rate=1.0)
    assert all(v.dtype == before[k].dtype and torch.allclose(v.double(), before[k].double(), 0, 0, equal_nan=True)
               for k, v in member.observation.named_buffers())
    assert torch.equal(member.model.systematic, said)
    assert all(torch.equal(v, cell[k]) for k, v in member.model.cell.state_dict().items())
    names = {k for k, _ in member.model.named_parameters()}
    assert not any("parametrizations" in k for k in names) and "tie" in names
    assert all(isinstance(getattr(member.model, k), torch.nn.Parameter) for k in posterior.EFFECTS)
    assert any(not torch.equal(v, mode[k]) for k, v in posterior.values_of(member).items())
    posterior.set_values(member, mode)
    assert all(torch.equal(v, mode[k]) for k, v in posterior.values_of(member).items())


def test_an_error_within_puts_the_data_back(member, small_config):
    drawn = perturb(member.model, member.observation, _run(member), small_config.effects, (9,))
    observed = member.observation.report_persons
    with pytest.raises(RuntimeError), posterior.perturbed(member, drawn):
        assert not torch.equal(member.observation.report_persons, observed)
        raise RuntimeError
    assert member.observation.report_persons is observed


def test_deviations_have_bounds():
    found = posterior.deviations_of({"a": torch.tensor([0.0, 1e12, 4.0, 4.0])})["a"].numpy()
    assert found.min() >= posterior.NARROWEST and found.max() <= posterior.WIDEST
    assert found[2] == pytest.approx(0.5)
    assert np.isfinite(found).all()
