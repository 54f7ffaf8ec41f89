"""Coverage is what it says, by group; zeros are told apart from a promise that was kept too well."""
import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from humanflows.errors import SchemaError
from humanflows.results.coverage import COLUMNS, LEVELS, coverage_table, members_quantiles, target_of
from humanflows.results.interval_balances import (
    FEATURES,
    NOT_READ,
    READ,
    SignedIntervals,
    net_groups,
    normal_quantiles,
)
from humanflows.results.interval_balances_coverage import judge_net_migration
from humanflows.results.interval_cells import CORRIDORS, OFFICES
from humanflows.results.interval_model import jittered


def cells(n=20000, scale=1.0, seed=0):
    draw = np.random.default_rng(seed)
    middle = draw.uniform(5, 9, n)
    observed = np.expm1(middle + scale * draw.standard_normal(n))
    return middle, observed, middle[:, None] + norm.ppf(LEVELS)


def test_a_right_distribution_hits_and_a_wrong_one_misses():
    for scale, right in ((1.0, True), (1.3, False), (0.8, False)):
        _, observed, q = cells(scale=scale)
        table = coverage_table(q, observed, np.log1p(observed), {"all": np.full(len(observed), "x")}, quantity="flow",
                               kind=CORRIDORS, cluster=np.arange(len(observed)) // 2)
        assert list(table.columns) == list(COLUMNS) and len(table) == 4
        assert (table["hit"] == right).all(), scale
        assert table["clusters"].unique() == [10000] and table["target"].unique() == [2.0]
        np.testing.assert_allclose(table.set_index("level").loc[0.95, "width"], 2 * norm.ppf(0.975), atol=1e-6)
    assert target_of(OFFICES) == 4.0


def test_groups_are_counted_apart():
    _, observed, q = cells(4000)
    label = np.where(np.arange(4000) % 4 == 0, "a", "b")
    observed = np.where(label == "a", np.expm1(20.0), observed)
    table = coverage_table(q, observed, np.log1p(observed), {"g": label}, quantity="flow", kind=OFFICES,
                           cluster=np.zeros(4000)).set_index(["group", "level"])
    assert table.loc[("a", 0.95), "coverage"] == 0 and table.loc[("b", 0.95), "coverage"] > 0.93
    assert table.loc[("a", 0.95), "n"] == 1000


def test_zeros_are_covered_too_well_and_yet_a_hit():
    draw = np.random.default_rng(1)
    observed = (draw.random(30000) < 0.2).astype(float)      # four of five report nobody
    jitter = jittered(observed)
    q = np.broadcast_to(np.quantile(jitter, LEVELS), (30000, len(LEVELS)))
    table = coverage_table(q, observed, jitter, {"all": observed * 0}, quantity="flow", kind=CORRIDORS,
                           cluster=np.arange(30000)).set_index("level")
    assert table.loc[0.5, "coverage"] > 0.75 and abs(table.loc[0.5, "coverage_jittered"] - 0.5) < 0.01
    assert table["hit"].all()


def test_the_members_alone_are_a_normal_distribution():
    q = members_quantiles([3.0], [0.5], (0.025, 0.5, 0.975))
    np.testing.assert_allclose(q, [[3 - 0.98, 3, 3 + 0.98]], atol=1e-4)


def test_bad_tables_are_refused():
    _, observed, q = cells(10)
    with pytest.raises(SchemaError, match="quantiles"):
        coverage_table(q[:, 1:], observed, observed, {}, quantity="flow", kind=OFFICES, cluster=observed)
    with pytest.raises(SchemaError, match="50%"):
        coverage_table(q[:, 4:5], observed, observed, {"a": observed}, quantity="flow", kind=OFFICES, cluster=observed,
                       levels=(0.5,))


# ---- net migration and birthplaces

def net(seed, places=120, years=20):
    draw = np.random.default_rng(seed)
    kind = np.where(np.arange(places) % 2 == 0, READ, NOT_READ)
    place, year = (k.ravel() for k in np.meshgrid(np.arange(places), np.arange(years), indexing="ij"))
    turnover = draw.uniform(6, 14, places)[place]
    sd = np.exp(0.8 * turnover - 1) * np.where(kind[place] == READ, 0.2, 1.0)
    estimate = 1000 * draw.standard_normal(len(place))
    return pd.DataFrame({"kind": kind[place], "target": "wpp", "year": year, "place": place, "region": "r",
                         "estimate": estimate, "observed": estimate + sd * draw.standard_normal(len(place)),
                         **dict(zip(FEATURES, (turnover, turnover + 3, 0 * turnover, 0 * turnover)))}), sd


def test_errors_with_a_sign_are_scaled_and_covered():
    table, _ = net(1)
    model = SignedIntervals().fit(table["observed"] - table["estimate"], table[list(FEATURES)], net_groups(table))
    fresh, sd = net(2)
    q = model.quantiles(fresh["estimate"], fresh[list(FEATURES)], net_groups(fresh), (0.025, 0.975))
    inside = (q[:, 0] <= fresh["observed"]) & (fresh["observed"] <= q[:, 1])
    assert abs(inside.mean() - 0.95) < 0.02
    assert np.corrcoef(np.log(q[:, 1] - q[:, 0]), np.log(sd))[0, 1] > 0.98
    with pytest.raises(SchemaError, match="no cell of class"):
        model.scale(fresh[list(FEATURES)], {"kind": np.full(len(fresh), "other")})


def test_a_peer_is_judged_on_the_same_cells():
    table, sd = net(3)
    mean = table["estimate"].to_numpy(copy=True).reshape(120, 20).T
    std = sd.reshape(120, 20).T / 3        # three times too sure
    mean[:, :10] = np.nan
    found = judge_net_migration(table, ("peer", mean, std))
    both = found[(found["grouping"] == "cells of peer") & (found["level"] == 0.95)].set_index(["method", "kind"])
    assert (both["n"] == 55 * 20).all() and len(both) == 4
    assert both.loc[("peer", READ), "coverage"] < 0.6 < 0.9 < both.loc[("humanflows", READ), "coverage"]
    assert both.loc[("humanflows", NOT_READ), "crps"] < both.loc[("peer", NOT_READ), "crps"]
    np.testing.assert_allclose(normal_quantiles([1.0], [2.0], (0.5, 0.975)), [[1, 1 + 2 * 1.959964]], atol=1e-5)
