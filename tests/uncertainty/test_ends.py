"""Ends of intervals from draws hold the share that they promise, and their centre."""
import hypothesis.strategies as st
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis.extra.numpy import arrays

from humanflows.errors import SchemaError
from humanflows.uncertainty.ends import (
    ends_by_step,
    ends_of_draws,
    fewest_draws,
    networks_by_class,
    quantiles_of_draws,
    variance_between,
)

CASES = 6000


def shares(draws, truth, **how):
    found = ends_of_draws(draws, **how)
    return {level: float(((found.lower[level] <= truth) & (truth <= found.upper[level])).mean())
            for level in found.lower}


@pytest.mark.parametrize("number", [13, 26, 39, 104])
def test_intervals_of_exchangeable_draws_hold_what_they_promise(number):
    rng = np.random.default_rng(number)
    held = shares(rng.normal(size=(number, CASES)), rng.normal(size=CASES), counts=False)
    for level, share in held.items():
        assert abs(share - level) < 0.025, (level, share)


def test_intervals_of_counts_hold_what_they_promise_when_draws_are_few():
    rng = np.random.default_rng(5)
    draws, truth = np.exp(rng.normal(5, 1, (13, CASES))), np.exp(rng.normal(5, 1, CASES))
    assert abs(shares(draws, truth)[0.95] - 0.95) < 0.02


def test_eight_networks_hold_less_the_more_they_differ():
    rng = np.random.default_rng(8)
    held = []
    for share in (0.0, 0.5):
        draws = np.sqrt(share) * rng.normal(size=(8, 1, CASES)) + np.sqrt(1 - share) * rng.normal(size=(8, 13, CASES))
        held.append(shares(draws.reshape(104, CASES), rng.normal(size=CASES), counts=False)[0.95])
    assert abs(held[0] - 0.95) < 0.012
    assert 0.90 < held[1] < 0.945


def test_quantiles_are_those_of_definition_six_between_the_outermost_draws():
    draws = np.random.default_rng(1).gamma(1.0, size=(60, 50))
    asked = [0.1, 0.25, 0.5, 0.9]
    np.testing.assert_allclose(quantiles_of_draws(draws, asked), np.quantile(draws, asked, axis=0, method="weibull"))


@pytest.mark.parametrize(("level", "number"), [(0.95, 39), (0.8, 9), (0.5, 3)])
def test_so_many_draws_have_both_ends_among_them(level, number):
    assert fewest_draws(level) == number
    draws = np.arange(1.0, number + 1)[:, None]
    found = ends_of_draws(draws, levels=[level])
    assert found.lower[level] == 1 and found.upper[level] == number


@given(arrays(np.float64, st.tuples(st.integers(2, 60), st.integers(1, 4)), elements=st.floats(0, 1e9)))
def test_centre_lies_inside_and_wider_intervals_hold_narrower_ones(draws):
    found = ends_of_draws(draws)
    assert np.allclose(found.centre, draws.mean(0))
    for level in found.lower:
        assert (found.lower[level] <= found.centre).all() and (found.centre <= found.upper[level]).all()
        assert (found.lower[level] >= 0).all()
    assert (found.lower[0.95] <= found.lower[0.8]).all() and (found.upper[0.8] <= found.upper[0.95]).all()


def test_an_end_that_is_moved_to_a_skewed_centre_is_counted():
    draws = np.r_[np.ones(99), 1e6][:, None]
    found = ends_of_draws(draws)
    assert found.moved == {0.5: 1, 0.8: 1, 0.95: 1}
    assert found.upper[0.5] == found.centre == draws.mean()
    assert found.median == 1


def test_few_draws_of_what_has_a_sign_reach_below_zero():
    draws = np.random.default_rng(2).normal(0, 10, (5, 1))
    assert quantiles_of_draws(draws, [0.025], counts=False) < draws.min()


def test_years_read_apart_give_the_same_ends():
    values = np.random.default_rng(3).gamma(2.0, 100, (12, 5, 3, 3)).astype(np.float32)
    draws = xr.DataArray(values, dims=("draw", "year", "origin", "destination"), coords={"year": range(2000, 2005)},
                         name="flow")
    small, large = ends_by_step(draws, memory=12 * 9 * 4 * 2), ends_by_step(draws)
    xr.testing.assert_identical(small, large)
    np.testing.assert_allclose(large["flow"], values.mean(0), rtol=1e-5)
    np.testing.assert_allclose(large["flow_upper_80"][2], ends_of_draws(values[:, 2]).upper[0.8], rtol=1e-5)
    assert {"flow_median", "flow_lower", "flow_lower_80", "flow_lower_50", "flow_upper"} <= set(large)


def test_variance_between_networks_is_found_again():
    rng = np.random.default_rng(4)
    network = np.repeat(range(6), [13, 13, 13, 5, 9, 13])
    draws = 0.5 * rng.normal(size=(6, 4000))[network] + rng.normal(size=(len(network), 4000))
    within, between = variance_between(draws, network)
    assert abs(within.mean() - 1) < 0.03 and abs(between.mean() - 0.25) < 0.02
    table = networks_by_class(draws, network, np.repeat(["a", "b"], 2000))
    assert table.loc["a", "cells"] == 2000
    assert abs(table.loc["b", "share"] - 0.2) < 0.02 and abs(table.loc["b", "deviation"] - 0.5) < 0.03


@pytest.mark.parametrize("draws", [np.ones((1, 3)), np.array([[1.0], [np.nan]]), np.array([[1.0], [np.inf]]),
                                   np.array([[-1.0], [1.0]]), np.array([["a"], ["b"]]), np.float64(3)])
def test_draws_that_are_none_are_refused(draws):
    with pytest.raises(SchemaError, match="draw"):
        ends_of_draws(draws)


@pytest.mark.parametrize("levels", [[], [0.95, 0.5], [0.5, 0.5], [1.0], [0.0], [-0.5]])
def test_levels_that_are_none_are_refused(levels):
    with pytest.raises(SchemaError, match="level"):
        ends_of_draws(np.ones((3, 2)), levels=levels)


def test_networks_that_cannot_be_told_apart_are_refused():
    for network in ([1, 1, 1, 1], [1, 2, 3, 4], [1, 2]):
        with pytest.raises(SchemaError, match="network"):
            variance_between(np.zeros((4, 2)), network)
    with pytest.raises(SchemaError, match="dims"):
        ends_by_step(xr.DataArray(np.ones((3, 2)), dims=("year", "draw")))
