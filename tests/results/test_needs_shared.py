"""What members share: nothing by chance, everything where it is the same, and shrinkage in between."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from humanflows.errors import SchemaError
from humanflows.results.needs_shared import (
    COLUMNS,
    FEWEST_MEMBERS,
    member_totals,
    shared_table,
    shrunk,
    squared_correlation,
)


def drawn(members, units, rho, seed=0):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, members, units))
    return a, rho * a + np.sqrt(1 - rho**2) * b


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_the_mean_of_adjusted_correlations_is_the_true_one(rho):
    a, b = drawn(12, 20_000, rho)
    assert squared_correlation(a, b).mean() == pytest.approx(rho**2, abs=0.05)


def test_what_is_the_same_is_shared_wholly_and_what_does_not_vary_not_at_all():
    a, _ = drawn(8, 5, 0)
    assert squared_correlation(a, -3 * a + 1) == pytest.approx(1.0)
    assert (squared_correlation(a, np.ones_like(a)) == 0).all()


@given(st.integers(0, 1000), st.integers(6, 15), st.floats(0, 0.99))
def test_shrunk_values_are_shares_and_less_apart(seed, members, rho):
    a, b = drawn(members, 30, rho, seed)
    found, error = shrunk(a, b)
    assert ((found >= 0) & (found <= 1)).all() and error > 0
    assert found.std() <= squared_correlation(a, b).std() + 1e-12


def test_units_without_relation_are_drawn_together_and_true_differences_kept():
    a, b = drawn(10, 300, 0.0)
    single = np.sqrt(((squared_correlation(a, b)) ** 2).mean())
    assert shrunk(a, b)[0].max() < single
    b[:, :150] = a[:, :150]
    found, _ = shrunk(a, b)
    assert found[:150].min() > 0.7 and found[150:].mean() < 0.15


def test_the_table_tells_chance_from_relation():
    a, b = drawn(20, 200, 0.8)
    noise = np.random.default_rng(9).normal(size=a.shape)
    codes = [f"T{k}" for k in range(200)]
    table = shared_table({"arrivals": a, "departures": b, "stock": noise}, np.full(200, 0.5), codes)
    assert list(table.columns) == list(COLUMNS) and len(table) == 400
    by = table.groupby("target").mean(numeric_only=True)
    assert by.loc["departures", "r2"] == pytest.approx(0.64, abs=0.05) and by.loc["stock", "r2"] < 0.06
    assert abs(by.loc["departures", "r2_elsewhere"]) < 0.05
    np.testing.assert_allclose(table["told"], 0.5 * table["r2"])


def test_too_few_members_say_nothing():
    a, b = drawn(FEWEST_MEMBERS - 1, 9, 0.5)
    assert shared_table({"arrivals": a, "departures": b}, np.ones(9), list("abcdefghi")).empty
    for wrong in ((a[:3], b[:3]), (a, b[:, :2])):
        with pytest.raises(SchemaError, match="members"):
            squared_correlation(*wrong)
    with pytest.raises(SchemaError, match="five"):
        shrunk(a[:4], b[:4])


def test_totals_of_a_member_are_sums_of_its_flows():
    flow = np.zeros((3, 3, 3), np.float32)
    flow[1:, 0, 1], flow[0, 0, 1], flow[1:, 1, 0] = 100, 7, 40
    stock = np.zeros((4, 3, 3), np.float32)
    stock[3, 0, 1], stock[3, 1, 1] = 11, 1000
    found = member_totals(flow, stock, np.array([1, 2]), np.array([0]))
    assert np.expm1(found["arrivals"]) == pytest.approx([40, 100, 0])
    assert np.expm1(found["departures"]) == pytest.approx([100, 40, 0])
    assert np.expm1(found["arrivals before"]) == pytest.approx([0, 7, 0])
    assert found["net migration"] == pytest.approx([-60 / 140, 60 / 140, 0])
    assert np.expm1(found["foreign-born"]) == pytest.approx([0, 11, 0])
