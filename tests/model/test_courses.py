"""Effects that come and fade: what is not known is expected as an autoregression expects it."""
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from humanflows.model.courses import MEMORY, neighbours_of_courses, novelty, novelty_of_courses

SOME = arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 5)))


def spread_out(told_in, course):
    """The effect in every year of every pair [year, pair]."""
    found = neighbours_of_courses(told_in)
    known = np.append(course, 0.0)
    return found["weight_before"] * known[found["before"]] + found["weight_after"] * known[found["after"]]


@given(SOME, st.integers(0, 100))
def test_unknown_years_are_the_expectation_of_an_autoregression(told_in, seed):
    course = np.random.default_rng(seed).normal(size=told_in.sum())
    effect = spread_out(told_in, course)
    lag = np.abs(np.subtract.outer(np.arange(len(told_in)), np.arange(len(told_in))))
    covariance = MEMORY ** lag
    start = 0
    for p in range(told_in.shape[1]):
        seen = told_in[:, p]
        mine = course[start:start + seen.sum()]
        start += seen.sum()
        expected = covariance[:, seen] @ np.linalg.solve(covariance[np.ix_(seen, seen)], mine) if seen.any() else 0
        np.testing.assert_allclose(effect[:, p], expected, atol=2e-5)


@given(SOME, st.integers(0, 100))
def test_the_penalty_is_the_quadratic_form_of_that_autoregression(told_in, seed):
    course = np.random.default_rng(seed).normal(size=told_in.sum())
    gap = torch.as_tensor(neighbours_of_courses(told_in)["gap"], dtype=torch.float64)
    expected, start = 0.0, 0
    for p in range(told_in.shape[1]):
        years = np.flatnonzero(told_in[:, p])
        mine = course[start:start + len(years)]
        start += len(years)
        if len(years):
            expected += mine @ np.linalg.solve(MEMORY ** np.abs(np.subtract.outer(years, years)), mine)
    told = float(novelty_of_courses(torch.as_tensor(course), gap))
    assert told == pytest.approx(expected / max(len(course), 1), abs=1e-6, rel=1e-5)


def test_known_everywhere_both_penalties_agree():
    effect = torch.randn(7, 4, dtype=torch.float64)
    gap = torch.as_tensor(neighbours_of_courses(np.ones((7, 4), bool))["gap"])
    assert float(novelty_of_courses(effect.T.reshape(-1), gap)) == pytest.approx(float(novelty(effect)))


def test_the_gradient_is_finite_where_there_is_one_year_alone():
    course = torch.ones(2, requires_grad=True)
    novelty_of_courses(course, torch.zeros(2)).backward()
    assert torch.equal(course.grad, torch.ones(2))
