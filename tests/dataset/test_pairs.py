"""Net migration and total between two territories: what they must agree with, and what their intervals hold."""
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from humanflows.dataset import open_estimates
from humanflows.dataset.pairs import difference_interval, exchange, sum_interval
from humanflows.errors import InputError, UnknownTerritoryError

persons = st.floats(0, 1e7)
directions = st.tuples(persons, persons, persons).map(lambda v: (sorted(v)[1], sorted(v)[0], sorted(v)[2]))


@given(directions, directions)
def test_differences_are_opposite_and_sums_the_same_from_both_sides(one, other):
    (lower, upper), (back_lower, back_upper) = difference_interval(one, other), difference_interval(other, one)
    assert (lower, upper) == pytest.approx((-back_upper, -back_lower))
    assert sum_interval(one, other) == pytest.approx(sum_interval(other, one))


@given(directions, directions)
def test_intervals_hold_their_centre_and_no_more_than_both_directions_allow(one, other):
    (f, fl, fu), (c, cl, cu) = one, other
    slack = 1e-6 * (1 + fu + cu)
    lower, upper = difference_interval(one, other)
    assert fl - cu - slack <= lower <= f - c + slack and f - c - slack <= upper <= fu - cl + slack
    assert upper - lower >= max(fu - fl, cu - cl) - slack      # no surer of a difference than of its worse half
    lower, upper = sum_interval(one, other)
    assert lower >= max(fl, cl) - slack and upper >= max(fu, cu) - slack and lower <= f + c + slack <= upper + 2 * slack


@given(directions, directions)
def test_columns_agree_and_are_rounded_outwards(into, out_of):
    there = exchange(into[0], out_of[0], (into[1:], out_of[1:]))
    back = exchange(out_of[0], into[0], (out_of[1:], into[1:]))
    assert there["net_migration"] == -back["net_migration"] and there["total"] == back["total"]
    assert there["net_migration_lower"] == -back["net_migration_upper"]
    for name, ends in (("net_migration", difference_interval(into, out_of)), ("total", sum_interval(into, out_of))):
        assert there[f"{name}_lower"] <= there[name] <= there[f"{name}_upper"]
        assert ends[0] - 0.11 <= there[f"{name}_lower"] and there[f"{name}_upper"] <= ends[1] + 0.11
    assert there["total"] >= max(there["inflow"], there["outflow"])


def test_no_end_and_an_endless_one():
    assert difference_interval((5, 1, np.inf), (3, 2, 4)) == (2 - np.hypot(4, 1), np.inf)
    assert difference_interval((5, 1, 9), (3, 2, np.inf))[0] == -np.inf
    assert sum_interval((5, 1, np.inf), (3, 2, 4)) == (3, np.inf)
    assert np.isnan(difference_interval((5, np.nan, 9), (3, 2, 4))[0])


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.7, 1.0])
@pytest.mark.parametrize("spreads", [(0.2, 0.2), (0.1, 0.8), (0.6, 0.6), (1.2, 0.9)])
@pytest.mark.parametrize("sizes", [(1000.0, 1000.0), (1000.0, 30.0)])
def test_they_cover_what_the_assumption_promises(correlation, spreads, sizes):
    """Log-normal errors around estimates; what is true lies in the interval about 95 times of 100, or more often."""
    rng = np.random.default_rng(5)
    errors = rng.multivariate_normal([0, 0], [[1, correlation], [correlation, 1]], size=40_000, check_valid="ignore")
    z = stats.norm.ppf(0.975)
    truth, ways = [], []
    for k in (0, 1):
        estimate = sizes[k] * np.exp(rng.normal(0, 0.3, len(errors)))
        truth.append(estimate * np.exp(spreads[k] * errors[:, k]))
        ways.append((estimate, estimate * np.exp(-z * spreads[k]), estimate * np.exp(z * spreads[k])))
    lower, upper = difference_interval(*ways)
    net = truth[0] - truth[1]
    assert np.mean((lower <= net) & (net <= upper)) > 0.938
    lower, upper = sum_interval(*ways)
    both = truth[0] + truth[1]
    assert np.mean((lower <= both) & (both <= upper)) > 0.938


@pytest.fixture(scope="module")
def estimates(release_folder):
    return open_estimates(release_folder)


def test_net_with_each_other_adds_up_to_net_with_all(estimates):
    a, *others = estimates.codes
    parts = pd.concat([estimates.net(a, b) for b in others])
    whole = estimates.net(a)
    for column in ("inflow", "outflow", "net_migration"):
        np.testing.assert_allclose(parts.groupby("year")[column].sum(), whole[column], atol=1e-2)


def test_answers_are_of_the_two_directions(estimates):
    a, b = estimates.codes[:2]
    net, total = estimates.net(a, b), estimates.total(a, b)
    into, out_of = estimates.flow(b, a), estimates.flow(a, b)
    assert list(net) == ["year", "territory", "other", "inflow", "outflow", "net_migration", "net_migration_lower",
                         "net_migration_upper"]
    assert list(total) == ["year", "territory", "other", "inflow", "outflow", "total", "total_lower", "total_upper"]
    assert set(net.territory) == {a} and set(net.other) == {b} and net.year.tolist() == estimates.years
    for table in (net, total):
        np.testing.assert_allclose(table.inflow, into.flow, atol=1e-3)
        np.testing.assert_allclose(table.outflow, out_of.flow, atol=1e-3)
        assert table.attrs["interval"]
    np.testing.assert_allclose(total.total_lower, into.flow_lower + out_of.flow_lower, atol=0.11)
    np.testing.assert_allclose(total.total_upper, into.flow_upper + out_of.flow_upper, atol=0.11)
    reach = np.hypot(into.flow_upper - into.flow, out_of.flow - out_of.flow_lower)
    np.testing.assert_allclose(net.net_migration_upper, into.flow - out_of.flow + reach, atol=0.11)
    back = estimates.net(b, a)
    np.testing.assert_array_equal(net.net_migration, -back.net_migration)
    np.testing.assert_array_equal(net.net_migration_lower, -back.net_migration_upper)
    np.testing.assert_array_equal(total.total_upper, estimates.total(b, a).total_upper)


def test_years_may_stand_second_and_third(estimates):
    a, b = estimates.codes[:2]
    year = estimates.years[3]
    for wanted in (year, str(year), np.array(year), [year], f"{year}-{year}", slice(year, year)):
        pd.testing.assert_frame_equal(estimates.net(a, wanted), estimates.net(a, years=year))
        assert estimates.net(a, b, wanted).year.tolist() == [year] == estimates.total(a, b, wanted).year.tolist()
    assert "other" not in estimates.net(a, year) and "interval" not in estimates.net(a, year).attrs


def test_bad_pairs(estimates):
    a = estimates.codes[0]
    for error, ask in ((InputError, lambda: estimates.net(a, a)), (InputError, lambda: estimates.total(a, a)),
                       (UnknownTerritoryError, lambda: estimates.net(a, "Atlantis")),
                       (UnknownTerritoryError, lambda: estimates.total(a, None))):
        with pytest.raises(error):
            ask()


def test_a_release_without_intervals_answers_without(bare_folder):
    bare = open_estimates(bare_folder)
    a, b = bare.codes[:2]
    assert list(bare.net(a, b)) == ["year", "territory", "other", "inflow", "outflow", "net_migration"]
    assert list(bare.total(a, b)) == ["year", "territory", "other", "inflow", "outflow", "total"]
    assert "interval" not in bare.total(a, b).attrs
