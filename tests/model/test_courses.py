"""Effects that come and fade: what is not known is expected as an autoregression expects it."""
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from humanflows.model.courses import MEMORY, neighbours_of_courses

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


@given(SOME)
def test_gaps_are_years_since_the_pair_s_report_before(told_in):
    gap, expected = neighbours_of_courses(told_in)["gap"], []
    for pair in told_in.T:
        years = np.flatnonzero(pair).tolist()
        expected += [0 if k == 0 else year - years[k - 1] for k, year in enumerate(years)]
    assert gap.tolist() == expected
