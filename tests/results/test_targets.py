"""Targets are hit or missed by what was measured, on the right set, and say by how much."""
import numpy as np
import pandas as pd
import pytest

from humanflows.results.peers import REFERENCE
from humanflows.results.targets import LOG_BIAS, NO_NATIONAL, TARGETS, WITHHELD, measure_targets
from humanflows.results.validation import OWN

SCORES = {"r": .99, "log_r": .99, "cpc": .99, "within_r": .99, "change_r": .5, "log_bias": .1}


def tables(**change):
    flows = [{"protocol": "fold-1", "collection": "undesa_imfsc", "criterion": "residence", "side": side,
              "horizon": horizon, "part": part, "peer": peer, **SCORES, "change_r": .5 if peer == OWN else .4}
             for side in ("immigration", "emigration") for horizon in ("annual", "five_year") for peer in (OWN, "rival")
             for part in ("held_out", "all")]
    flows = [{**row, "offices": o} for row in flows for o in ("all", "trusted")]
    net = [{"protocol": p, "set": s, "reference": "wpp", "horizon": "annual", "peer": peer, "r": r, "within_r": r}
           for p, s in (("fold-1", "all territories"), ("fold-1", NO_NATIONAL), ("net-third", WITHHELD))
           for peer, r in ((OWN, .98), (REFERENCE, .9))]
    stocks = [{"protocol": "fold-1", "set": "all counts", "revision": v, "quantity": q, "peer": OWN, "r": r}
              for q in ("stock", "difference") for v, r in ((2020, .1), (2024, 1.0))]
    made = {"flows": pd.DataFrame(flows), "net_migration": pd.DataFrame(net), "stocks": pd.DataFrame(stocks)}
    for (table, column), (rows, value) in change.get("change", {}).items():
        made[table].loc[made[table].eval(rows, engine="python"), column] = value
    return made


def judged(change=None, protocols=("fold-1",)) -> pd.DataFrame:
    return measure_targets(tables(change=change or {}), protocols)


def test_all_are_hit_where_all_is_well():
    table = judged()
    assert (table.result == "hit").all() and (table.margin >= 0).all()
    assert len(table) == len(TARGETS) + 2 + 2       # two of what was withheld, the totals of two sets
    assert set(table.protocol) == {"fold-1", "net-third"}
    np.testing.assert_allclose(table[table.wanted < table.measured].margin,
                               (table.measured - table.wanted)[table.wanted < table.measured])


OWN_ROWS = (f"offices == 'all' and peer == '{OWN}' and horizon == 'annual' and part == 'held_out' "
            "and side == '{}'")


@pytest.mark.parametrize(("side", "score", "value", "result"), [
    ("immigration", "r", .95, "hit"), ("immigration", "r", .9499, "missed"), ("immigration", "log_r", .9299, "missed"),
    ("immigration", "cpc", .7499, "missed"), ("immigration", "within_r", .65, "hit"),
    ("emigration", "r", .88, "hit"), ("emigration", "log_r", .9099, "missed"), ("emigration", "cpc", .7199, "missed"),
    ("emigration", "within_r", .6499, "missed"), ("emigration", "r", np.nan, "not measured")])
def test_marks_are_those_of_the_design(side, score, value, result):
    table = judged({("flows", score): (OWN_ROWS.format(side), value)}).set_index("target")
    assert table.loc[f"{side}, {score}", "result"] == result
    assert (table.drop(f"{side}, {score}").result == "hit").all()


def test_change_has_to_be_positive_and_above_every_peer():
    name = "immigration, five-year change, annual cells: above {}"
    table = judged({("flows", "change_r"): (OWN_ROWS.format("immigration"), .4)}).set_index("target")
    assert table.loc[name.format("zero"), "result"] == "hit"
    row = table.loc[name.format("every peer")]
    assert (row.wanted, row.margin, row.result) == (.4, 0, "missed")        # as good as is not above
    table = judged({("flows", "change_r"): (OWN_ROWS.format("immigration"), -.1)}).set_index("target")
    assert table.loc[name.format("zero"), "result"] == "missed"


@pytest.mark.parametrize(("bias", "result"), [(LOG_BIAS, "hit"), (-LOG_BIAS, "hit"), (.1501, "missed"),
                                              (-.3, "missed")])
def test_totals_are_wrong_in_either_direction(bias, result):
    table = judged({("flows", "log_bias"): (OWN_ROWS.format("emigration"), bias)})
    row = table[table.target == "total of undesa_imfsc, emigration by residence"].iloc[0]
    assert row.result == result and row.margin == pytest.approx(LOG_BIAS - abs(bias)) and row.measured == bias


def test_net_migration_and_stocks():
    worse = f"peer == '{OWN}' and protocol == 'net-third'"
    table = judged({("net_migration", "r"): (worse, .9), ("stocks", "r"): ("revision == 2024 and quantity == 'stock'",
                                                                          .998)}).set_index("target")
    assert table.loc["net migration where it was withheld, r: above the reference", "result"] == "missed"
    assert table.loc["net migration where it was withheld, within_r: above the reference", "result"] == "hit"
    assert table.loc["stocks, R", "result"] == "missed" and table.loc["stocks, R", "margin"] == pytest.approx(-.001)
    assert table.loc["stock differences, R", "result"] == "hit"


def test_the_folds_together_lead_and_trusted_rows_do_not_count_twice():
    one = tables()
    both = {k: pd.concat([t, t.assign(protocol="all five folds")], ignore_index=True) for k, t in one.items()}
    assert set(measure_targets(one).protocol) == {"fold-1", "net-third"}
    assert set(measure_targets(both).protocol) == {"all five folds", "net-third"}
    flows = one["flows"]
    raw = {**one, "flows": flows[flows.offices == "all"].drop(columns="offices")}       # of an earlier release
    found, expected = measure_targets(raw), measure_targets(one)
    theirs = found["target"].str.contains("trusted offices")
    assert theirs.sum() == 8 and (found.loc[theirs, "result"] == "not measured").all()
    pd.testing.assert_frame_equal(found[~theirs], expected[~theirs])


@pytest.mark.parametrize(("side", "score", "least"), [
    ("immigration", "r", .90), ("immigration", "log_r", .95), ("immigration", "cpc", .80),
    ("immigration", "within_r", .72), ("emigration", "r", .88), ("emigration", "log_r", .94),
    ("emigration", "cpc", .77), ("emigration", "within_r", .65)])
def test_marks_against_trusted_offices(side, score, least):
    rows = OWN_ROWS.replace("'all' and peer", "'trusted' and peer").format(side)
    for value, result in ((least, "hit"), (least - .0001, "missed")):
        table = judged({("flows", score): (rows, value)}).set_index("target")
        assert table.loc[f"{side}, trusted offices, {score}", "result"] == result
        assert (table.drop(f"{side}, trusted offices, {score}").result == "hit").all()


def test_what_was_not_run_is_not_measured():
    table = judged(protocols=("all five folds",))
    assert (table[table.protocol == "all five folds"].result == "not measured").all()
    none = {k: t.iloc[:0] for k, t in tables().items()}
    assert (measure_targets(none).result == "not measured").all()
    no_reference = {("net_migration", "peer"): (f"peer == '{REFERENCE}'", "another")}
    assert set(judged(no_reference).set_index("protocol").loc["net-third", "result"]) == {"not measured"}
