"""Sums: shared errors are found again, totals cover, and a region's interval is not the sum of its corridors'."""
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from humanflows.errors import SchemaError
from humanflows.results.interval_cells import CORRIDORS, OFFICES
from humanflows.results.interval_sums import (
    Components,
    HeldOutSums,
    held_out_sums,
    simulate_totals,
    sum_interval,
    variance_components,
)

NONE, SHARED = Components(0, 0, 0.5, 0.5), Components(1, 0, 0, 0)


def crossed(seed, office=0.5, office_year=0.2, series=0.8, rest=0.3, offices=150, corridors=12, years=8):
    draw = np.random.default_rng(seed)
    o, c, y = (k.ravel() for k in np.meshgrid(np.arange(offices), np.arange(corridors), np.arange(years),
                                              indexing="ij"))
    s = o * corridors + c
    z = (np.sqrt(office) * draw.standard_normal(offices)[o]
         + np.sqrt(office_year) * draw.standard_normal((offices, years))[o, y]
         + np.sqrt(series) * draw.standard_normal(offices * corridors)[s]
         + np.sqrt(rest) * draw.standard_normal(len(o)))
    return z, o, y, s


def test_components_are_recovered():
    found = variance_components(*crossed(1))
    for name, truth in (("office", 0.5), ("office_year", 0.2), ("series", 0.8), ("rest", 0.3)):
        assert abs(getattr(found, name) - truth) < 0.13, name
    assert np.isclose(found.shared + found.own, np.var(crossed(1)[0]))


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.integers(2, 60))
def test_components_are_never_negative_and_add_up(seed, n):
    draw = np.random.default_rng(seed)
    z = draw.standard_normal(n)
    found = variance_components(z, draw.integers(0, 4, n), np.arange(n), np.arange(n))
    parts = np.array([found.office, found.office_year, found.series, found.rest])
    assert (parts >= 0).all() and np.isclose(parts.sum(), z.var())


def test_own_errors_cancel_and_shared_ones_do_not():
    members, sigma = np.full((1, 400), 100.0), np.full(400, 0.5)
    groups = {"office": np.zeros(400)}
    apart, together = (simulate_totals(members, sigma, groups, c, draws=800) for c in (NONE, SHARED))
    assert np.isclose(np.log(apart).std(), 0.5 / 20, rtol=0.25)
    assert np.isclose(np.log(together).std(), 0.5, rtol=0.1)
    assert np.isclose(apart.mean(), 40_000, rtol=0.01) and np.isclose(together.mean(), 40_000, rtol=0.06)


def test_members_paths_are_part_of_the_spread():
    members = np.array([[80.0] * 50, [120.0] * 50])
    low, high = sum_interval(members, np.full(50, 1e-3), {"a": np.arange(50)}, NONE, (0.1, 0.9))[0]
    assert low < 4100 and high > 5900


def test_totals_are_those_of_their_cells_and_chunks_make_no_difference(monkeypatch):
    from humanflows.results import interval_sums

    into = np.array([[1, 1, 0], [0, 0, 1]])
    members, sigma = np.array([[10.0, 20.0, 5.0]]), np.zeros(3)
    drawn = simulate_totals(members, sigma, {"a": [0, 1, 1]}, NONE, into, draws=5)
    np.testing.assert_allclose(drawn, [[30, 5]] * 5)
    monkeypatch.setattr(interval_sums, "_AT_ONCE", 6)
    np.testing.assert_allclose(simulate_totals(members, sigma, {"a": [0, 1, 1]}, NONE, into, draws=5), drawn)


def cells_of(seed, offices=30, corridors=25, years=6):
    """Cells of held-out offices, whose errors share an office's effect."""
    z, o, y, s = crossed(seed, office=0.6, office_year=0.0, series=0.3, rest=0.1, offices=offices, corridors=corridors,
                         years=years)
    draw = np.random.default_rng(seed + 1)
    estimate = np.exp(draw.normal(4, 1, offices * corridors))[s]
    return pd.DataFrame({"kind": OFFICES, "reporter": np.char.add("R", o.astype(str)), "side": "immigration", "year": y,
                         "origin": s % corridors, "destination": corridors, "group": o % 5 + 1, "fold": 1,
                         "estimate": estimate, "observed": np.expm1(np.log1p(estimate) + 0.6 * z)})


def test_totals_of_unseen_offices_are_covered():
    components = {OFFICES: Components(0.6, 0.0, 0.3, 0.1)}
    regions = np.full(26, "a")
    train, test = (held_out_sums(c, np.full(len(c), 0.6), components, regions) for c in (cells_of(1), cells_of(50)))
    assert len(train) == 30 * 6 and set(train["part"]) == {1, 2, 3, 4, 5}
    q = HeldOutSums().fit(train).log_quantiles(test, (0.025, 0.975))
    inside = (q[:, 0] <= np.log1p(test["observed"])) & (np.log1p(test["observed"]) <= q[:, 1])
    assert inside.mean() > 0.85
    # had errors been independent, intervals would be a fraction as wide, and cover little
    alone = held_out_sums(cells_of(50), np.full(len(cells_of(50)), 0.6), {OFFICES: Components(0, 0, 0, 1)}, regions)
    assert (alone["spread"] < 0.6 * test["spread"]).all()


def test_sums_of_corridors_go_between_regions():
    cells = cells_of(1).assign(kind=CORRIDORS)
    sums = held_out_sums(cells, np.full(len(cells), 0.6), {CORRIDORS: NONE}, ["a"] * 25 + ["b"], draws=20)
    assert set(sums["label"]) == {"a to b"} and np.isclose(sums["observed"].sum(), cells["observed"].sum())


def test_bad_input_is_refused():
    with pytest.raises(SchemaError, match="other length"):
        variance_components([1.0], [1, 2], [1], [1])
    with pytest.raises(SchemaError, match="label"):
        simulate_totals(np.ones((1, 3)), np.ones(2), {"a": [1, 1, 1]}, NONE)
    with pytest.raises(SchemaError, match="same cells"):
        simulate_totals(np.ones((1, 3)), np.ones(3), {"a": [1, 1, 1]}, NONE, np.ones((1, 2)))
