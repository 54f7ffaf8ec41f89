"""Whole corridors are drawn, and what is computed from sums is what copying the cells would give."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from humanflows.errors import SchemaError
from humanflows.results import bootstrap as b
from humanflows.results.protocols import net_differences
from humanflows.results.scores import bootstrap_differences, pearson_r, score


def made_up(seed=0, corridors=20, years=12):
    rng = np.random.default_rng(seed)
    corridor, year = np.repeat(np.arange(corridors), years), np.tile(np.arange(2000, 2000 + years), corridors)
    course = np.cumsum(rng.normal(0, 0.3, (corridors, years)), axis=1)
    observed = np.exp((rng.normal(6, 1.5, corridors)[:, None] + course).ravel())
    near, far = (observed * np.exp(rng.normal(0, s, len(observed))) for s in (0.2, 0.9))
    return observed, near, far, corridor, year


@settings(max_examples=30)
@given(clusters=st.integers(1, 30), draws=st.integers(1, 40), seed=st.integers(0, 1000), block=st.integers(1, 300))
def test_weights_are_counts_of_the_same_draws_whatever_the_block(clusters, draws, seed, block):
    weight = np.concatenate(list(b.draw_weights(clusters, draws, seed, block=block)))
    chosen = np.random.default_rng(seed).integers(0, clusters, (draws, clusters))
    assert (weight == np.stack([np.bincount(row, minlength=clusters) for row in chosen])).all()


@settings(max_examples=60)
@given(st.lists(st.tuples(st.floats(-1e3, 1e3), st.integers(0, 4)), min_size=1, max_size=12))
def test_median_of_draws_is_the_median_of_the_copies(drawn):
    values, times = (np.array(x) for x in zip(*drawn))
    copies = np.repeat(values, times)
    found = b.resampled_median(times[None].astype(float), values)[0]
    if len(copies):
        assert found == pytest.approx(np.median(copies))
    else:
        assert np.isnan(found)


def test_median_of_nothing_is_not_defined():
    assert np.isnan(b.resampled_median(np.ones((3, 0)), np.array([]))).all()
    assert np.isnan(b.percentile_interval(np.full(4, np.nan))).all()


@settings(max_examples=15)
@given(seed=st.integers(0, 1000))
def test_nobody_differs_from_himself(seed):
    observed, near, far, corridor, year = made_up(seed, corridors=8)
    everyone = {"own": near, "same": near, "far": far}
    table = bootstrap_differences(observed, everyone, corridor, year, draws=60, seed=seed)
    same = table[table["peer"] == "same"]
    assert (same[["difference", "lower", "upper"]] == 0).all().all()
    rival = table[(table["peer"] == "far") & table["score"].isin(("r", "log_r", "cpc", "within_r"))]
    assert (rival["lower"] <= rival["upper"]).all()
    # By symmetry: who is compared with whom decides the sign alone.
    back = bootstrap_differences(observed, {"far": far, "own": near}, corridor, year, draws=60, seed=seed)
    back = back.set_index("score")
    for row in rival.itertuples():
        there = back.loc[row.score]
        assert (there["difference"], there["lower"], there["upper"]) == pytest.approx(
            (-row.difference, -row.upper, -row.lower))


def test_draws_are_of_whole_clusters_as_the_slow_way_draws_them():
    # Two witnesses of one pair: each has an R over time of its own, and both are drawn together.
    observed, near, far, corridor, year = made_up(3, corridors=12)
    pair, draws, seed = corridor // 2, 30, 5
    chosen = np.random.default_rng(seed).integers(0, 6, (draws, 6))
    slow = {k: [] for k in ("r", "log_r", "cpc", "within_r", "change_r", "log_bias", "abs_log_error")}
    for row in chosen:
        where = np.concatenate([np.flatnonzero(pair == k) for k in row])
        label = np.concatenate([corridor[pair == k] + 100 * copy for copy, k in enumerate(row)])
        first, second = (score(observed[where], e[where], label, year[where]) for e in (near, far))
        for k, values in slow.items():
            values.append(first[k] - second[k])
    table = bootstrap_differences(observed, {"near": near, "far": far}, corridor, year, cluster=pair, draws=draws,
                                  seed=seed).set_index("score")
    for k, values in slow.items():
        expected = [*np.quantile(values, [0.025, 0.975])]
        assert table.loc[k, ["lower", "upper"]].tolist() == pytest.approx(expected, rel=1e-6), k


def test_interval_of_r_is_that_of_scipy():
    rng = np.random.default_rng(2)
    observed = np.exp(rng.normal(5, 1, 150))
    first, second = (observed * np.exp(rng.normal(0, s, 150)) for s in (0.3, 0.6))
    table = bootstrap_differences(observed, {"first": first, "second": second}, np.arange(150), draws=4000, seed=1)
    mine = table.set_index("score").loc["log_r", ["lower", "upper"]].tolist()

    def difference(o, a, c):
        return stats.pearsonr(o, a).statistic - stats.pearsonr(o, c).statistic

    theirs = stats.bootstrap(tuple(np.log1p(x) for x in (observed, first, second)), difference, paired=True,
                             vectorized=False, n_resamples=1500, method="percentile", rng=3).confidence_interval
    assert mine == pytest.approx([theirs.low, theirs.high], abs=0.012)
    assert mine[0] > 0


@pytest.mark.parametrize(("change", "said"), [
    ({"estimated": {"alone": np.ones(4)}}, "1 peers"),
    ({"draws": 1}, "1 draws"),
    ({"cluster": np.array([0, 1, 1, 1])}, "two clusters"),
    ({"estimated": {"a": np.ones(4), "b": np.ones(3)}}, "estimate of b"),
])
def test_what_cannot_be_compared_is_refused(change, said):
    given = {"observed": np.arange(4.0), "estimated": {"a": np.ones(4), "b": np.arange(4.0)},
             "corridor": np.array([0, 0, 1, 1]), **change}
    with pytest.raises(SchemaError, match=said):
        bootstrap_differences(given.pop("observed"), given.pop("estimated"), given.pop("corridor"), **given)


def test_net_migration_is_drawn_by_territory():
    rng = np.random.default_rng(4)
    years, places = 15, 9
    observed = rng.normal(0, 1e4, (years, places)) * np.exp(rng.normal(0, 1, places))
    observed[:3, 2] = np.nan
    good, bad = (observed + rng.normal(0, s, observed.shape) * np.nanstd(observed, axis=0) for s in (0.2, 1.0))
    table = net_differences(observed, {"own": good, "rival": bad}, draws=50, seed=7).set_index("score")
    assert (table["lower"] > 0).all()
    keep = np.isfinite(observed)

    def compare(columns):
        def both(e):
            x, y = (np.concatenate([v[keep[:, k], k] for k in columns]) for v in (observed, e))
            rs = [pearson_r(observed[keep[:, k], k], e[keep[:, k], k]) for k in columns]
            return np.array([pearson_r(x, y), np.median(rs)])
        return both(good) - both(bad)

    assert table["difference"].tolist() == pytest.approx(compare(range(places)).tolist())
    drawn = np.array([compare(row) for row in np.random.default_rng(7).integers(0, places, (50, places))])
    for k, name in enumerate(("r", "within_r")):
        assert table.loc[name, ["lower", "upper"]].tolist() == pytest.approx(
            np.quantile(drawn[:, k], [0.025, 0.975]).tolist()), name
