"""Predicted and realised narrowing: known differences come out, and chance is not taken for skill."""
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from humanflows.errors import SchemaError
from humanflows.results import needs_check
from humanflows.results.interval_cells import CORRIDORS, FEATURES, LAST_YEARS, OFFICES
from humanflows.results.interval_variants import Sample
from humanflows.results.needs_added import ARRIVALS, DEPARTURES, ELSEWHERE, NET, UNREPORTED, errors_of, spread_out
from humanflows.results.needs_check import its_other_corridors, judge_needs, ladder, office_itself, rank_agreement
from humanflows.results.needs_terms import CHECK_COLUMNS, LADDER


def judged_cells(offices=6, each=40):
    """Office k is missed by 1 + k/10 unread, by .5 + k/10 with its other corridors read, by .2 when read."""
    rows = []
    for k in range(offices):
        for i in range(each):
            common = {"reporter": f"O{k}", "side": ("immigration", "emigration")[i % 2], "year": i % 4, "origin": k,
                      "destination": 9, "observation": k * each + i, "log_error_read": 0.2 * (-1) ** i,
                      "estimate": 500.0, "estimate_read": 500.0}
            rows += [common | {"kind": OFFICES, "seen": 3 if i < each // 2 else 0, "log_error": 1 + k / 10,
                               "sigma": 1 + k / 10},
                     common | {"kind": CORRIDORS, "seen": 2, "log_error": -0.5 - k / 10, "sigma": 0.4 + k / 10}]
    return pd.DataFrame(rows)


def test_an_office_is_told_by_what_it_says_itself(monkeypatch):
    monkeypatch.setattr(needs_check, "FEWEST", 20)
    table = office_itself(judged_cells())
    assert list(table.columns) == list(CHECK_COLUMNS) and len(table) == 12
    own = table.set_index(["office", "side"]).loc[("O3", "arrivals")]
    assert own["realised"] == pytest.approx(1.1) and own["predicted"] == pytest.approx(1.1) and own["n"] == 20
    monkeypatch.setattr(needs_check, "FEWEST", 21)
    assert office_itself(judged_cells()).empty


def test_other_corridors_are_compared_on_the_same_reports(monkeypatch):
    monkeypatch.setattr(needs_check, "FEWEST", 20)
    cells = judged_cells()
    table = its_other_corridors(cells[~((cells["kind"] == CORRIDORS) & (cells["reporter"] == "O0"))])
    assert set(table["office"]) == {f"O{k}" for k in range(1, 6)}
    assert table["realised"].to_numpy() == pytest.approx(0.5) and table["predicted"].to_numpy() == pytest.approx(0.6)


def test_rungs_hold_what_was_read():
    table = ladder(judged_cells()).set_index("rung")
    assert table.loc[LADDER[0], "error"] == pytest.approx(1.25) and table.loc[LADDER[0], "n"] == 120
    assert table.loc[LADDER[1], "n"] == 120 and table.loc[LADDER[2], "error"] == pytest.approx(0.75)
    assert table.loc[LADDER[0], "error_corridor"] == pytest.approx(0.75)
    assert table.loc[LADDER[4], "error"] == pytest.approx(0.2) and LADDER[3] not in table.index
    later = judged_cells().query("kind == @CORRIDORS").assign(kind=LAST_YEARS, seen=1, log_error=0.3)
    assert ladder(pd.concat([judged_cells(), later])).set_index("rung").loc[LADDER[3], "error"] == pytest.approx(0.3)


def agreement_of(rho, offices=60, seed=3):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=offices)
    y = rho * x + np.sqrt(1 - rho**2) * rng.normal(size=offices)
    return rank_agreement(pd.DataFrame({"office": [f"O{k}" for k in range(offices)], "predicted": x, "realised": y}))


def test_agreement_is_found_where_it_is_and_not_where_it_is_not():
    near, none = agreement_of(0.9), agreement_of(0.0)
    assert near["rho"] > 0.75 and near["lower"] > 0.5 and none["lower"] < 0 < none["upper"]
    assert near["lower"] < near["rho"] < near["upper"]


def test_two_rows_of_one_office_do_not_count_as_two_offices():
    table = pd.DataFrame({"office": np.repeat(list("abcdefg"), 30), "predicted": np.repeat(np.arange(7.0), 30),
                          "realised": np.repeat([0, 2, 1, 4, 3, 6, 5.0], 30)})
    one = rank_agreement(table.drop_duplicates("office"))
    assert rank_agreement(table)["upper"] - rank_agreement(table)["lower"] == pytest.approx(
        one["upper"] - one["lower"], abs=0.15)
    assert np.isnan(rank_agreement(table[table["office"].isin(["a", "b"])])["rho"])


def test_judging_leaves_out_the_office_and_the_corridor(monkeypatch):
    rng = np.random.default_rng(0)
    n = 400
    cells = pd.DataFrame({"kind": np.repeat([OFFICES, CORRIDORS], n // 2), "reporter": rng.choice(list("abcd"), n),
                          "side": "immigration", "year": 0, "origin": rng.integers(0, 5, n), "destination": 5,
                          "observation": np.arange(n), "seen": 3, "fold": rng.integers(1, 3, n),
                          "estimate": 100.0, "observed": 100.0})
    cells["group"] = cells["reporter"].map({"a": 1, "b": 1, "c": 2, "d": 2})
    asked = []

    class Known:
        def __init__(self, sample):
            self.trees_ = self
            self.clusters = set(sample.cluster)

        def predict(self, features):
            asked.append((self.clusters, set(features[:, 0])))
            return np.zeros(len(features)), np.ones(len(features))

    cluster = np.where(cells["kind"] == OFFICES, cells["reporter"], cells["fold"].astype(str))
    names = {c: i for i, c in enumerate(sorted(set(cluster)))}
    features = np.zeros((n, len(FEATURES)))
    features[:, 0] = [names[c] for c in cluster]
    sample = Sample(cells["observed"].to_numpy(), cells["estimate"].to_numpy(), np.zeros(n), np.zeros(n), features, {},
                    cluster, cluster)
    monkeypatch.setattr(needs_check, "fit_intervals", lambda s, with_location: Known(s))
    flow = np.full((1, 6, 6), 100.0)
    found = judge_needs(cells, sample, flow)
    assert found["observation"].tolist() == cells["observation"].tolist()
    assert all(not {names[c] for c in learned} & judged for learned, judged in asked)
    assert np.abs(found["log_error_read"]).max() < np.log(1.01) and (found["estimate_read"] > 99).all()
    with pytest.raises(SchemaError, match="larger world"):
        judge_needs(cells.assign(fold=0, group=0), sample, flow)


def world(n=4, years=3):
    codes = [f"T{k}" for k in range(n)]
    flow = np.full((years, n, n), 100.0)
    flow[:, np.eye(n, dtype=bool)] = 0
    flow[:, 0, 1] = 400
    return xr.Dataset({"flow": (("year", "origin", "destination"), flow),
                       "net_migration": (("year", "residence"), flow.sum(1) - flow.sum(2))},
                      coords={"year": [2000, 2001, 2002], "origin": codes, "destination": codes, "residence": codes})


def test_errors_fall_where_the_office_counts_and_nowhere_else():
    truth = world()
    before = truth["flow"].values * 2
    after = before.copy()
    after[1:, :, 1] = truth["flow"].values[1:, :, 1]
    table = errors_of(truth, before, after, "T1", [2001, 2002]).set_index("quantity")
    assert table.loc[ARRIVALS, "error_after"] == 0 and table.loc[ARRIVALS, "n"] == 6
    for name in (UNREPORTED, DEPARTURES, ELSEWHERE):
        assert table.loc[name, "error_after"] == table.loc[name, "error_before"] > 0.6
    assert table.loc[NET, "error_before"] == pytest.approx(1.0) and (table["office"] == "T1").all()
    for wrong in (("T9", [2001]), ("T1", [1980])):
        with pytest.raises(SchemaError, match="reported years"):
            errors_of(truth, before, after, *wrong)


def test_offices_to_add_span_the_ranking():
    assert spread_out(list("abcdefghi"), 3) == ["a", "e", "i"] and spread_out(["a", "b"], 9) == ["a", "b"]
    with pytest.raises(SchemaError, match="rank"):
        spread_out([], 3)
