"""The table of coverage: its groups and its errors."""
import numpy as np
import pandas as pd
import pytest

from humanflows.errors import SchemaError
from humanflows.results.bootstrap import cluster_sums, draw_weights
from humanflows.uncertainty.coverage import SIZES, clustered_error, coverage_table, rank_histogram, within


def rows(number=4000, corridors=200, share=0.95, seed=1, **changed):
    rng = np.random.default_rng(seed)
    inside = rng.random(number) < share
    centre = 10 ** rng.uniform(0, 6, number)
    return pd.DataFrame({
        "kind": "held-out corridors", "of": "report", "cluster": rng.integers(0, corridors, number).astype(str),
        "office": rng.integers(0, 12, number).astype(str), "trusted": rng.random(number) < 0.5, "platform": False,
        "evidence": rng.choice(["nothing", "indirect"], number), "centre": centre, "rank": rng.random(number),
        "in50": inside, "in80": inside, "in95": inside, "crps": 0.4, "width80": 1.0, "width95": np.log(9.0)} | changed)


def test_clustered_errors_are_those_of_the_bootstrap():
    rng = np.random.default_rng(2)
    cluster = rng.integers(0, 300, 6000)
    level = rng.beta(8, 2, 300)
    inside = rng.random(6000) < level[cluster]
    sums = cluster_sums(cluster, 300, np.ones(6000), inside.astype(float))
    drawn = np.concatenate([(w @ sums)[:, 1] / (w @ sums)[:, 0] for w in draw_weights(300, 2000, 1)])
    assert clustered_error(inside, cluster) == pytest.approx(drawn.std(ddof=1), rel=0.08)
    assert clustered_error(inside, np.arange(6000)) < 0.7 * clustered_error(inside, cluster)


def test_too_few_clusters_have_no_error():
    assert np.isnan(clustered_error([True, False, True], ["a", "b", "a"]))
    with pytest.raises(SchemaError, match="cluster"):
        clustered_error([True, False], ["a"])


def test_rows_are_of_sizes_offices_and_evidence():
    judged = rows()
    table = coverage_table(judged)
    assert not table.duplicated(["kind", "of", "offices", "size", "evidence"]).any()
    for _, row in table.iterrows():
        low, high = SIZES[row["size"]]
        own = judged[(judged["centre"] >= low) & (judged["centre"] < high)]
        own = own if row["offices"] == "all" else own[own["trusted"]]
        own = own if row["evidence"] == "all" else own[own["evidence"] == row["evidence"]]
        assert row["n"] == len(own) and row["cover80"] == pytest.approx(own["in80"].mean())
    assert table["factor"].to_numpy() == pytest.approx(9.0)


def test_small_groups_have_no_row():
    assert coverage_table(rows(20)).empty
    assert len(coverage_table(rows(20), fewest=10))


def test_what_has_a_sign_has_no_factor():
    table = coverage_table(pd.concat([rows(signed=True, kind="net migration, read"), rows()]))
    signed = table["kind"] == "net migration, read"
    assert table.loc[signed, "factor"].isna().all() and table.loc[~signed, "factor"].notna().all()


def test_a_promise_is_held_or_not():
    table = coverage_table(rows(20_000))
    kept = within(table, points=1.5, where={"size": "all", "evidence": "all", "offices": ["all", "trusted"]})
    assert len(kept) == 2 and kept["held"].all()
    assert not within(coverage_table(rows(20_000, share=0.9)), points=3, where={"size": "all"})["held"].any()


def test_ranks_fall_into_bins():
    assert rank_histogram([0.0, 0.05, 0.999, 1.0], 10).tolist() == [2, 0, 0, 0, 0, 0, 0, 0, 0, 2]
    for rank in ([np.nan], [-0.1], [1.1]):
        with pytest.raises(SchemaError, match="rank"):
            rank_histogram(rank)


@pytest.mark.parametrize("column", ["rank", "crps", "evidence", "cluster"])
def test_judged_rows_without_a_column_are_refused(column):
    with pytest.raises(SchemaError, match=column):
        coverage_table(rows().drop(columns=column))


def test_a_rank_that_is_none_is_refused():
    judged = rows()
    judged.loc[3, "rank"] = np.nan
    with pytest.raises(SchemaError, match="rank"):
        coverage_table(judged)
