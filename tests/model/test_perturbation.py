"""Perturbed data and priors: each error from its own distribution, and what no parameter follows of mean one."""
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from humanflows.model import perturbation
from humanflows.model.courses import MEMORY
from humanflows.model.perturbation import FURTHEST, huber_errors, perturb, student_errors, unlearned_deviations
from humanflows.model.train import build_member


@pytest.fixture(scope="module")
def member(small_panel, small_splits, small_config):
    model, observation, _ = build_member(small_panel, small_splits, small_config)
    model.read_covariates()
    with torch.no_grad():
        return model, observation, model()


def test_huber_errors_have_the_density_of_the_likelihood():
    x = np.linspace(-15, 15, 20_001)
    below = integrate.cumulative_trapezoid(np.exp(-2 * (np.sqrt(1 + x**2 / 2) - 1)), x, initial=0)
    drawn = huber_errors(20_000, np.random.default_rng(1))
    assert stats.kstest(drawn, lambda value: np.interp(value, x, below / below[-1])).pvalue > 0.01


@given(st.integers(0, 2**31), st.floats(1.5, 30))
@settings(max_examples=20)
def test_heavy_tails_end_somewhere(seed, tail):
    drawn = student_errors(1000, tail, np.random.default_rng(seed))
    assert np.abs(drawn).max() <= FURTHEST


def test_a_perturbation_is_a_function_of_its_seed(member, small_config):
    model, observation, run = member
    one, same, other = (perturb(model, observation, run, small_config.effects, seed)
                        for seed in ((1, 2), (1, 2), (1, 3)))
    for part in ("data", "effects", "errors"):
        first, again, differs = (getattr(x, part) for x in (one, same, other))
        assert all(torch.equal(first[k], again[k]) for k in first)
        changed = [k for k in first if first[k].numel() > 1]
        assert changed and all(not torch.equal(first[k], differs[k]) for k in changed)
    assert torch.equal(one.said, same.said) and not torch.equal(one.said, other.said)


def test_everything_that_is_perturbed_is_finite_and_fits(member, small_config):
    model, observation, run = member
    drawn = perturb(model, observation, run, small_config.effects, (5,))
    for name, value in drawn.data.items():
        assert torch.isfinite(value).all(), name
        assert torch.broadcast_shapes(value.shape, getattr(observation, name).shape) == value.shape, name
    for module, part in ((model, drawn.effects), (observation, drawn.errors)):
        assert all(v.shape == getattr(module, k).shape and torch.isfinite(v).all() for k, v in part.items())


def test_effects_are_drawn_from_their_priors(member, small_config):
    """Many draws have the deviations that effects.effect_terms states."""
    model, *_ = member
    c = small_config.effects
    drawn = [perturbation._effects(model, c, np.random.default_rng(k)) for k in range(300)]
    for name, wanted in (("tie", c.tie), ("turnover", c.turnover)):
        values = torch.stack([d[name] for d in drawn]).numpy()
        assert values.std() == pytest.approx(wanted, rel=0.05), name
    turnover = torch.stack([d["turnover"] for d in drawn]).numpy()
    assert np.corrcoef(turnover[:, :-1].ravel(), turnover[:, 1:].ravel())[0, 1] == pytest.approx(MEMORY, abs=0.03)


def test_reports_are_perturbed_by_their_own_errors(member, small_config):
    """Around the reports, by what the likelihood says of their error and of the corridor's lasting deviation."""
    from humanflows.model.observation import LASTING

    model, observation, run = member
    logs = torch.stack([torch.log1p(perturb(model, observation, run, small_config.effects, (k,)).data["report_persons"])
                        for k in range(200)])
    left = (logs - torch.log1p(observation.report_persons)).numpy()
    assert abs(left.mean()) < 0.02
    with torch.no_grad():
        _, chance, elasticity = observation._shown(observation.expected(observation._moves_of_reports(run)),
                                                   observation.report_cell)
        single = (1 - LASTING) * (elasticity * observation.report_spread) ** 2 + chance
    low = np.sqrt(single.numpy())
    # Student's t of four degrees has a deviation of the root of two, and a lasting part comes on top.
    assert np.median(left.std(0) / low) > 1.2


def test_known_years_of_a_pair_keep_what_is_learned(member, small_config):
    model, *_ = member
    said = unlearned_deviations(model, small_config.effects, (3,)).numpy()
    n, pairs = model.n, model.told_in.shape[1]
    place = model.place.numpy()
    known = np.concatenate([model.told_in.numpy(), np.zeros((model.years, 1), bool)], 1)[:, place]
    known = known.reshape(model.years, n, n)
    assert known.any() and (said[known] == 0).all()
    assert (np.diagonal(said, axis1=1, axis2=2) == 0).all()
    assert np.array_equal(said[..., 0], said[..., 1])
    assert (said[~known & (place != pairs).reshape(n, n)] != 0).mean() > 0.9


def test_unlearned_deviations_are_factors_of_mean_one(member, small_config):
    model, *_ = member
    factor = np.stack([np.exp(unlearned_deviations(model, small_config.effects, (k,)).numpy()[..., 0])
                       for k in range(400)])
    off = ~np.eye(model.n, dtype=bool)
    assert factor[:, :, off].mean() == pytest.approx(1.0, abs=0.03)
    spread = np.log(factor[:, :, off]).std(0)
    known = spread == 0
    assert spread[~known].min() > 0.1 * small_config.effects.course
