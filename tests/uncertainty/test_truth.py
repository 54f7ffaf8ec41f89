"""Ranks of a known truth: uniform where draws are right, and only then."""
import numpy as np
import pytest

from humanflows.errors import SchemaError
from humanflows.uncertainty.truth import RankCounter, design_effect, judge_truth, truth_table, uniformity


def counted(stretch=1.0, cells=3000, draws=50, shift=0.0, seed=1):
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=cells)
    counter = RankCounter(truth, seed=1)
    for _ in range(draws):
        counter.add(stretch * rng.normal(size=cells) + shift)
    return counter


def test_the_truth_among_right_draws_is_uniform():
    found = uniformity(counted().ranks(), np.arange(3000))
    assert found["chi2_p"] > 0.01 and found["ecdf_p"] > 0.01 and found["effective"] > 2400


@pytest.mark.parametrize("how", [{"stretch": 0.7}, {"stretch": 1.4}, {"shift": 0.3}])
def test_other_draws_are_found_out(how):
    found = uniformity(counted(**how).ranks(), np.arange(3000))
    assert found["chi2_p"] < 0.001


def test_the_histogram_says_in_which_way():
    narrow, wide = (truth_table("x", counted(s), np.arange(3000), sizes={}).iloc[0] for s in (0.5, 2.0))
    assert narrow["bin1"] > 0.15 and narrow["bin10"] > 0.15 and narrow["cover80"] < 0.7
    assert wide["bin1"] < 0.06 and wide["bin5"] > 0.12 and wide["cover95"] > 0.97


def test_cells_of_one_cluster_count_as_few():
    cluster = np.repeat(np.arange(150), 20)
    rank = np.random.default_rng(3).random(150)[cluster]      # every corridor's years lie alike
    assert design_effect(rank, cluster) > 10
    found = uniformity(rank, cluster)
    assert found["effective"] < 300 and found["ecdf_p"] > 0.005 and found["chi2_p"] > 0.005
    assert uniformity(rank, np.arange(3000))["ecdf_p"] < found["ecdf_p"]
    assert np.isnan(uniformity(rank, np.zeros(3000))["chi2_p"])


def test_chance_makes_expectations_whole_numbers():
    rng = np.random.default_rng(4)
    rate = rng.gamma(1.0, 1.0, (41, 4000))
    truth = rng.poisson(rate[40])
    plain, whole = (RankCounter(truth, seed=1, chance=c) for c in (False, True))
    for draw in rate[:40]:
        plain.add(draw)
        whole.add(draw)
    assert uniformity(whole.ranks(), np.arange(4000))["chi2_p"] > 0.01
    assert uniformity(plain.ranks(), np.arange(4000))["chi2_p"] < 1e-6


def world(seed, years=12, n=6, scale=1.0, centre=None):
    rng = np.random.default_rng(seed)
    flow = np.exp((5.0 if centre is None else centre) + scale * rng.normal(size=(years, n, n)))
    flow[:, np.arange(n), np.arange(n)] = 0
    return {"flow": flow, "stock": 100 * rng.gamma(4.0, size=(years + 1, n, n)),
            "flow_by_birthplace": flow[:, None] * rng.dirichlet(np.ones(n), size=(years, n, n)).transpose(0, 3, 1, 2)}


def test_all_quantities_of_a_world_are_judged():
    seen = {"reported": np.eye(6, dtype=bool)[::-1], "in the year": np.ones((12, 6, 6), dtype=bool)}
    truth = {k: np.rint(v) for k, v in world(0).items()}
    table = judge_truth([world(k) for k in range(1, 40)], truth, seen, seed=1)
    assert {"flow", "stock", "net migration", "arrivals", "departures", "flow by birthplace"} <= set(table["quantity"])
    own = table[(table["quantity"] == "flow") & (table["seen"] == "all") & (table["size"] == "all")].iloc[0]
    assert own["n"] == 12 * 6 * 5 and abs(own["cover80"] - 0.8) < 0.12
    shares = table[[k for k in table if k.startswith("bin")]].sum(axis=1)
    np.testing.assert_allclose(shares, 1.0)
    # ranks do not depend on what else is asked for
    again = judge_truth([world(k) for k in range(1, 40)], truth, {}, seed=1)
    other = again[(again["quantity"] == "flow") & (again["size"] == "all")].iloc[0]
    assert other["chi2_p"] == own["chi2_p"]


def test_what_is_no_truth_or_draw_is_refused():
    with pytest.raises(SchemaError, match="true value"):
        RankCounter([np.nan], seed=1)
    counter = RankCounter(np.ones(3), seed=1, chance=True)
    with pytest.raises(SchemaError, match="no draw"):
        counter.ranks()
    for draw in (np.ones(2), np.array([1, 2, np.inf]), -np.ones(3)):
        with pytest.raises(SchemaError, match="draw"):
            counter.add(draw)
    assert counter.number == 0
