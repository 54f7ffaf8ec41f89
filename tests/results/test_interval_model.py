"""The model of intervals: every group covered at once, asymmetric, never negative, cross-fitted."""
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from humanflows.errors import SchemaError
from humanflows.results.interval_model import (
    ANCHORS,
    FlowIntervals,
    GroupQuantiles,
    as_counts,
    groups_of,
    jittered,
    thin,
)


def crossed(seed, n=20000):
    """Scores whose scale is a product of two overlapping groups', one of them skewed."""
    draw = np.random.default_rng(seed)
    a, b = draw.integers(0, 3, n), draw.integers(0, 4, n)
    z = np.array([0.5, 1.0, 2.0])[a] * np.array([1, 1.5, 0.7, 1.0])[b] * draw.standard_normal(n)
    return np.where(b == 3, np.exp(z / 2) - 1, z), {"a": a.astype(str), "b": b.astype(str)}


def test_every_overlapping_group_holds_its_share():
    z, groups = crossed(1)
    fitted = GroupQuantiles().fit(z, groups)
    fresh, labels = crossed(2)
    q = fitted.predict(labels)
    for k, level in enumerate(ANCHORS):
        for name, label in labels.items():
            for value in np.unique(label):
                here = label == value
                assert abs((fresh[here] <= q[here, k]).mean() - level) < 0.025, (level, name, value)


def test_a_group_of_few_follows_the_others():
    z, groups = crossed(3)
    groups["a"] = groups["a"].astype("U9")
    groups["a"][:2], z[:2] = "rare", 40.0
    q = GroupQuantiles([0.5]).fit(z, groups).predict({"a": np.array(["rare", "never met"]), "b": np.array(["1", "1"])})
    assert np.abs(q).max() < 1


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.lists(st.floats(0.001, 0.999), min_size=2, max_size=6, unique=True))
def test_quantiles_rise(seed, levels):
    draw = np.random.default_rng(seed)
    fitted = GroupQuantiles().fit(draw.standard_t(3, 80), {"g": draw.integers(0, 3, 80).astype(str)})
    assert (np.diff(fitted.predict({"g": np.array(["0", "7"])}, sorted(levels)), axis=1) >= -1e-9).all()


def simulated(seed, n=9000, corridors=900):
    """Cells whose scale depends on a feature, with corridor effects, and counts that are often zero."""
    draw = np.random.default_rng(seed)
    corridor = draw.integers(0, corridors, n)
    x = np.column_stack([draw.normal(4, 2, corridors)[corridor], draw.uniform(0, 1, n)])
    centre = np.maximum(x[:, 0], 0)
    sigma = 0.2 + 0.8 * x[:, 1]
    y = np.expm1(np.maximum(centre + 0.3 + sigma * draw.standard_normal(n), 0))
    cells = pd.DataFrame({"kind": "k", "seen": 0, "estimate": np.expm1(centre), "origin": corridor % 4,
                          "destination": corridor % 3})
    return np.round(y), cells, x, corridor


def test_intervals_adapt_and_cover():
    observed, cells, x, corridor = simulated(1)
    groups = groups_of(cells, ["a", "b", "c", "d"])
    model = FlowIntervals().fit(observed, cells["estimate"], x, groups, corridor, corridor)
    observed, cells, x, corridor = simulated(2)
    groups = groups_of(cells, ["a", "b", "c", "d"])
    levels = (0.025, 0.1, 0.25, 0.75, 0.9, 0.975)
    q = model.log_quantiles(cells["estimate"], x, groups, levels)
    y = jittered(observed, 5)
    for low, high, level in ((0, 5, 0.95), (1, 4, 0.8), (2, 3, 0.5)):
        inside = (q[:, low] <= y) & (y <= q[:, high])
        assert abs(inside.mean() - level) < 0.03
        hard = x[:, 1] > 0.7
        assert abs(inside[hard].mean() - level) < 0.06
        assert abs(inside[x[:, 1] < 0.3].mean() - level) < 0.06
    big = x[:, 0] > 5
    width = q[big, 5] - q[big, 0]
    assert np.corrcoef(width, x[big, 1])[0, 1] > 0.9
    ends = model.quantiles(cells["estimate"], x, groups, levels)
    assert (ends >= 0).all() and (np.diff(ends, axis=1) >= 0).all()


def test_scores_are_never_of_clusters_that_the_trees_learned_from():
    """Errors that only the cluster explains: trees that saw it would call them small."""
    draw = np.random.default_rng(0)
    cluster = np.repeat(np.arange(150), 60)
    effect = draw.standard_normal(150)[cluster]
    observed = np.expm1(np.maximum(6 + effect, 0))
    x = np.column_stack([cluster, np.full(len(cluster), 0.0)]).astype(float)
    model = FlowIntervals().fit(observed, np.full(len(cluster), np.expm1(6.0)), x, {"all": np.zeros(len(cluster))},
                                cluster, cluster)
    q = model.quantiles_.predict({"all": np.zeros(1)}, (0.1, 0.9))[0]
    assert q[1] - q[0] > 1.5       # about 2.56 σ's of 0.8; trees that knew the cluster would leave next to nothing


def test_jitter_stays_within_half_a_person_and_ends_below_that_are_nobody():
    y = np.array([0.0, 0.0, 3.0, 1e6])
    found = np.expm1(jittered(y))
    assert (np.abs(found - y) <= 0.5 + 1e-6).all() and len(set(found)) == 4
    np.testing.assert_array_equal(as_counts(np.log1p([-0.4, 0.2, 0.5, 7])), [0, 0, np.log1p(0.5), np.log1p(7)])
    with pytest.raises(SchemaError, match="negative"):
        jittered([-1.0])


def test_thinning_keeps_so_many_of_each():
    series = np.repeat(["a", "b", "c"], [10, 3, 1])
    chosen = thin(series, 4, 0)
    assert pd.Series(series[chosen]).value_counts().to_dict() == {"a": 4, "b": 3, "c": 1}


def test_bad_input_is_refused():
    with pytest.raises(SchemaError, match="rising"):
        GroupQuantiles([0.5, 0.2])
    with pytest.raises(SchemaError, match="finite"):
        GroupQuantiles().fit([np.nan], {"g": ["a"]})
    with pytest.raises(SchemaError, match="clusters"):
        FlowIntervals().fit([1.0], [1.0], np.ones((1, 1)), {"g": ["a"]}, [1, 2], [1])
    with pytest.raises(SchemaError, match="one corridor"):
        FlowIntervals().fit([1.0, 2.0], [1.0, 1.0], np.ones((2, 1)), {"g": ["a", "a"]}, [1, 1], [1, 1])
