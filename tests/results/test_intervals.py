"""Calibrated intervals cover what they promise, by group, whatever the errors look like."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from humanflows.errors import SchemaError
from humanflows.results.intervals import FEWEST, Calibration, ensemble_interval


def simulated(seed, n=8000):
    """Cells of two groups: errors of the second are skewed and three times as wide."""
    draw = np.random.default_rng(seed)
    estimated, spread = np.exp(draw.normal(6, 2, n)), draw.uniform(0.05, 0.3, n)
    group = np.where(draw.random(n) < 0.5, "calm", "wild")
    error = np.where(group == "calm", 0.2 * draw.standard_normal(n), 0.6 * (draw.gamma(2, 1, n) - 2))
    return np.expm1(np.maximum(np.log1p(estimated) + error, 0)), estimated, spread, group


def test_every_group_gets_the_coverage_that_is_promised():
    calibration = Calibration(*simulated(1))
    observed, estimated, spread, group = simulated(2)
    for level in (0.5, 0.8, 0.9, 0.95):
        low, high = calibration.interval(estimated, spread, group, level)
        inside = (low <= observed) & (observed <= high)
        for name in ("calm", "wild"):
            assert abs(inside[group == name].mean() - level) < 0.02, (level, name)


def test_skewed_errors_make_skewed_intervals():
    calibration = Calibration(*simulated(1))
    low, high = calibration.interval([1000.0], [0.1], ["wild"], 0.9)
    below, above = np.log1p(1000) - np.log1p(low), np.log1p(high) - np.log1p(1000)
    assert above > 1.3 * below > 0


def test_without_groups_one_size_covers_the_mixture_and_neither_part():
    observed, estimated, spread, group = simulated(1)
    calibration = Calibration(observed, estimated, spread, np.full(len(group), "all"))
    observed, estimated, spread, group = simulated(2)
    low, high = calibration.interval(estimated, spread, np.full(len(group), "all"), 0.9)
    inside = (low <= observed) & (observed <= high)
    assert abs(inside.mean() - 0.9) < 0.02
    assert inside[group == "calm"].mean() > 0.95 > 0.85 > inside[group == "wild"].mean()


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.floats(0, 1e7), st.floats(0, 3))
def test_quantiles_rise_and_are_counts(seed, estimated, spread):
    draw = np.random.default_rng(seed)
    y, e = np.exp(draw.normal(3, 2, (2, 60)))
    found = Calibration(y, e, np.full(60, 0.2), np.full(60, "a")).quantiles(
        [estimated], [spread], ["a"], [0.05, 0.25, 0.5, 0.75, 0.95])[0]
    assert (found >= 0).all() and (np.diff(found) >= 0).all()


def test_a_group_of_few_or_of_none_is_judged_by_all_cells():
    observed, estimated, spread, group = simulated(3, 500)
    few = group.astype("U10")
    few[:FEWEST - 1] = "rare"
    calibration = Calibration(observed, estimated, spread, few)
    assert "rare" not in calibration.groups
    by_all = calibration.interval([50.0, 50.0], [0.1, 0.1], ["rare", "never met"], 0.8)
    assert by_all[0][0] == by_all[0][1] and by_all[1][0] == by_all[1][1]


def test_a_level_beyond_the_calibration_cells_is_left_open():
    observed, estimated, spread, _ = simulated(4, FEWEST)
    low, high = Calibration(observed, estimated, spread, ["a"] * FEWEST).interval([100.0], [0.1], ["a"], 0.999)
    assert low[0] == 0 and np.isinf(high[0])


def test_members_alone_say_how_they_differ():
    members = np.expm1(np.array([[5.0, 1.0], [6.0, 1.0], [7.0, 1.0]]))
    low, high = ensemble_interval(members, 0.95)
    np.testing.assert_allclose(np.log1p(low), [6 - 1.95996, 1.0], atol=1e-4)
    np.testing.assert_allclose(np.log1p(high), [6 + 1.95996, 1.0], atol=1e-4)


@pytest.mark.parametrize("change, message", [
    ({"observed": [-1.0] * 50}, "observed"), ({"estimated": [np.nan] * 50}, "estimated"),
    ({"spread": [0.1] * 49}, "spread"), ({"group": ["a"] * 3}, "3 groups")])
def test_bad_cells_are_refused_by_name(change, message):
    cells = {"observed": [1.0] * 50, "estimated": [1.0] * 50, "spread": [0.1] * 50, "group": ["a"] * 50} | change
    with pytest.raises(SchemaError, match=message):
        Calibration(**cells)


def test_bad_levels_and_too_few_cells_are_refused():
    with pytest.raises(SchemaError, match="at least"):
        Calibration([1.0], [1.0], [0.1], ["a"])
    calibration = Calibration(*simulated(1, 100))
    for levels, message in (([0.5, 0.1], "rise"), ([0.0], "between"), ([1.2], "between")):
        with pytest.raises(SchemaError, match=message):
            calibration.quantiles([1.0], [0.1], ["calm"], levels)
    with pytest.raises(SchemaError, match="two members"):
        ensemble_interval(np.ones((1, 4)), 0.9)
