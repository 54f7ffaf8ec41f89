"""Scores against a known truth, and coverage of intervals around it."""
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from humanflows.errors import SchemaError
from humanflows.results import recovery
from humanflows.results.recovery import COLUMNS, KINDS, score_intervals, score_recovery, size_group
from humanflows.results.summaries import SEEN


@pytest.fixture(scope="module")
def truth(small_world):
    return small_world.truth


@pytest.fixture(scope="module")
def seen(truth):
    n = truth.sizes["origin"]
    kinds = np.array(SEEN)[np.add.outer(np.arange(n), 2 * np.arange(n)) % 4]
    return xr.DataArray(np.where(np.eye(n, dtype=bool), "", kinds), dims=("origin", "destination"))


def row(table, quantity, group):
    found = table[(table.quantity == quantity) & (table.group == group)]
    assert len(found) == 1
    return found.iloc[0]


def test_the_truth_itself_scores_perfectly(truth, seen):
    table = score_recovery(truth, truth, seen, national=[str(truth.residence.values[0])])
    assert list(table.columns) == list(COLUMNS)
    assert set(table.quantity) == set(recovery.QUANTITIES)
    np.testing.assert_allclose(table.r, 1)
    counts = table[table.quantity.isin(["flow", "flow by birthplace", "stock"])]
    np.testing.assert_allclose(counts.log_r, 1)
    np.testing.assert_allclose(counts.cpc, 1)
    np.testing.assert_allclose(counts.log_bias, 0, atol=1e-12)
    assert table[table.quantity.isin(["net migration", "stock change"])].log_bias.isna().all()


def test_groups_divide_the_corridors_and_kinds_the_moves(truth, seen):
    table = score_recovery(truth, truth, seen)
    for quantity in ("flow", "flow by birthplace"):
        parts = table[(table.quantity == quantity) & table.group.isin(SEEN)].n.sum()
        assert parts == row(table, quantity, "all").n
    kinds = table[(table.quantity == "flow by birthplace") & table.group.isin(KINDS)].n.sum()
    n, years = truth.sizes["origin"], truth.sizes["year"]
    assert kinds == years * n * n * (n - 1) == row(table, "flow by birthplace", "all").n
    assert row(table, "flow", "all").n == years * n * (n - 1)
    assert row(table, "net migration", "no own office").n == years * n


def test_an_error_in_one_kind_of_move_shows_there_alone(truth, seen):
    n = truth.sizes["origin"]
    i, j, k = np.ogrid[:n, :n, :n]
    onward = np.broadcast_to((i != j) & (i != k) & (j != k), (n, n, n))
    moves = truth.flow_by_birthplace.values.astype(float) * np.where(onward, 0.1, 1.0)[None]
    wrong = truth.assign(flow_by_birthplace=(truth.flow_by_birthplace.dims, moves))
    table = score_recovery(truth, wrong, seen)
    assert row(table, "flow by birthplace", KINDS[2]).log_bias == pytest.approx(np.log(0.1))
    for kind in KINDS[:2]:
        assert row(table, "flow by birthplace", kind).log_bias == 0
    assert row(table, "flow", "all").log_bias == 0


def test_half_of_everything_is_half_in_the_log(truth, seen):
    half = truth.assign({k: truth[k] / 2 for k in ("flow", "flow_by_birthplace", "stock", "net_migration")})
    table = score_recovery(truth, half, seen)
    for quantity, group in (("flow", "all"), ("flow", "world total"), ("flow by birthplace", KINDS[0]),
                            ("stock", "all")):
        assert row(table, quantity, group).log_bias == pytest.approx(-np.log(2))
    assert row(table, "net migration", "all").r == pytest.approx(1)


def test_another_worlds_estimates_are_refused(truth, seen):
    with pytest.raises(SchemaError, match="differ in year"):
        score_recovery(truth, truth.isel(year=slice(1, None)), seen)


# ---- intervals

def made(undercount=1.0, seed=0, spread=0.1):
    """Five cross-fitted members of a world of 20 places and 6 years, and reports of half of its corridors."""
    draw, n, years = np.random.default_rng(seed), 20, 6
    size = np.exp(draw.normal(6, 1.5, (n, n)))
    truth = np.round(size[None] * np.exp(0.3 * draw.standard_normal((years, n, n))))
    members = truth[None] * np.exp(0.3 * draw.standard_normal((1, years, n, n))) \
        * np.exp(spread * draw.standard_normal((5, years, n, n)))
    off = ~np.eye(n, dtype=bool)
    fold = np.where(off, draw.integers(1, 6, (n, n)), 0)
    unseen = np.take_along_axis(members, np.maximum(fold - 1, 0)[None, None].repeat(years, 1), 0)[0]
    o, d = np.nonzero(off & (draw.random((n, n)) < 0.5))
    y = np.repeat(np.arange(years), len(o))
    o, d = np.tile(o, years), np.tile(d, years)
    reports = pd.DataFrame({"year": y, "origin": o, "destination": d, "persons": truth[y, o, d] * undercount})
    return members, unseen, fold, reports, truth


def covered(table, interval, about, group, level=0.9):
    found = table[(table.interval == interval) & (table.about == about) & (table.group == group)
                  & (table["size"] == "all") & (table.level == level)]
    assert len(found) == 1
    return found.iloc[0]


def test_honest_offices_give_intervals_that_cover_people_too():
    table = score_intervals(*made())
    for about, group in (("reports", "reported corridors"), ("people", "reported corridors"),
                         ("people", "never reported")):
        for level in recovery.LEVELS:
            assert abs(covered(table, "calibrated on reports", about, group, level).coverage - level) < 0.04
    assert covered(table, "members' spread", "people", "never reported").coverage < 0.7       # they share their errors


def test_offices_that_undercount_teach_intervals_to_miss_the_people():
    table = score_intervals(*made(undercount=0.5))
    assert covered(table, "calibrated on reports", "reports", "reported corridors").coverage > 0.87
    assert covered(table, "calibrated on reports", "people", "reported corridors").coverage < 0.6
    assert covered(table, "calibrated on the truth", "people", "reported corridors").coverage > 0.87


def test_wider_promises_are_wider_and_sizes_divide_the_cells():
    table = score_intervals(*made())
    for _, rows in table.groupby(["interval", "about", "group", "size"]):
        assert rows.sort_values("level").width.is_monotonic_increasing
        assert rows.sort_values("level").coverage.is_monotonic_increasing
    one = table[(table.interval == "members' spread") & (table.level == 0.5) & (table.group == "never reported")]
    assert one[one["size"] != "all"].n.sum() == one[one["size"] == "all"].n.sum()


def test_a_folds_own_reports_do_not_calibrate_it():
    members, unseen, fold, reports, truth = made()
    inside = fold[reports.origin, reports.destination] == 1
    changed = reports.assign(persons=np.where(inside, reports.persons * 1000, reports.persons))
    before, after = (score_intervals(members, unseen, fold, r, truth) for r in (reports, changed))
    # the truth in reported corridors is covered as before in fold 1, though its reports have become absurd
    share = inside.mean()
    a, b = (covered(t, "calibrated on reports", "people", "reported corridors").coverage for t in (before, after))
    assert b > a - 0.02 and share > 0.1
    assert covered(after, "calibrated on reports", "reports", "reported corridors").coverage < 1 - share + 0.05


def test_sizes_have_their_bounds():
    assert list(size_group(np.array([0, 99.9, 100, 999.9, 1000]))) == [
        "under 100", "under 100", "under 1,000", "under 1,000", "1,000 and more"]
