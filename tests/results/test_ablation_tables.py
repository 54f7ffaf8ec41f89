"""What each part buys: differences from everything, how much of them chance explains, and what is said of them."""
import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student_t

from humanflows.results.ablation import (
    COLUMNS,
    EVERYTHING,
    ablation_sentences,
    by_what_it_buys,
    differences,
    is_ablation,
    short_table,
    shown_differences,
    shown_scores,
)

SET = {"collection": "undesa_imfsc", "criterion": "residence", "horizon": "annual"}


@pytest.fixture
def scored(table):
    """The same with log scores of reports: what costs most log R gains by them, and the other way round."""
    score = {"no stocks": -0.70, EVERYTHING: -0.80, "no trade": -0.8, "better": -1.1, "silent": -0.8}
    by_residence = table.criterion.eq("residence")
    value = table.run.map(score) + 0.001 * table.seed
    return table.assign(log_score=value.where(by_residence), log_score_n=pd.Series(8, table.index).where(by_residence))


@pytest.fixture
def table():
    """Scores of everything by three seeds, of two runs by one, and of one by two."""
    rows = []

    def add(run, seed, r, **more):
        for side in ("immigration", "emigration"):
            rows.append({"run": run, "seed": seed, **SET, "side": side, "n": 9, "log_r": r,
                         "within_r": 0.5 * r, "log_bias": -0.1} | more)
        rows.append({"run": run, "seed": seed, "collection": "wpp", "side": "net migration",
                     "horizon": "annual", "n": 5, "r": r, "within_r": r})
        rows.extend({"run": run, "seed": seed, "collection": "world", "side": "all moves",
                     "horizon": "annual", "year": y, "persons": p * seed} for y, p in ((1990, 1e7), (2024, 3e7)))

    add("no stocks", 1, 0.6)
    for seed, r in enumerate((0.900, 0.902, 0.904), start=1):
        add(EVERYTHING, seed, r)
    add("no trade", 1, 0.903)
    add("better", 1, 0.939)
    add("better", 2, 0.941)
    add("silent", 1, np.nan)
    return pd.DataFrame(rows).reindex(columns=list(COLUMNS))


def test_differences_are_from_the_mean_of_everything_with_the_margin_of_chance(table):
    made = differences(table, "immigration", "log_r").set_index("run")
    assert made.index.tolist() == [EVERYTHING, "no stocks", "no trade", "better", "silent"]
    assert made.difference.round(6).to_dict() == pytest.approx(
        {EVERYTHING: 0, "no stocks": -0.302, "no trade": 0.001, "better": 0.038, "silent": np.nan}, nan_ok=True)
    assert made.seeds.tolist() == [3, 1, 1, 2, 0]
    assert made.loc["better", ["lowest", "highest"]].tolist() == pytest.approx([0.037, 0.039])
    # two squared deviations of 0.002 with two degrees of freedom, and two of 0.001 with one
    spread, times = np.sqrt((2 * 0.002**2 + 2 * 0.001**2) / 3), student_t.ppf(0.975, 3)
    assert made.margin["no trade"] == pytest.approx(times * spread * np.sqrt(1 + 1 / 3))
    assert made.margin["better"] == pytest.approx(times * spread * np.sqrt(1 / 2 + 1 / 3))
    assert made.margin[EVERYTHING] == made.margin["no trade"]
    assert made.verdict.to_dict() == {EVERYTHING: "within", "no stocks": "below", "no trade": "within",
                                      "better": "above", "silent": "within"}


def test_nineteen_of_twenty_runs_that_differ_by_chance_are_within_the_margin():
    rng = np.random.default_rng(0)
    outside = []
    for _ in range(300):
        runs = [(EVERYTHING, s) for s in range(3)] + [(f"run {k}", 0) for k in range(3)]
        table = pd.DataFrame([{"run": run, "seed": s, **SET, "side": "immigration",
                               "log_r": rng.normal(0.9, 0.01)} for run, s in runs]).reindex(columns=list(COLUMNS))
        made = differences(table, "immigration", "log_r")
        outside += (made.verdict[1:] != "within").tolist()
    assert 0.025 < np.mean(outside) < 0.075      # normal quantiles in place of t: 0.19


def test_without_repeats_nothing_is_said_of_chance(table):
    once = table[table.seed == 1]
    made = differences(once, "immigration", "log_r")
    assert made.margin.isna().all() and set(made.verdict) == {"within"}
    assert "±" not in short_table(once)[0]["log R, arrivals"]


def test_a_set_that_everything_lacks_is_empty(table):
    assert differences(table, "immigration", "log_r", collection="meta").empty
    assert ablation_sentences(table[table.collection == "wpp"]).startswith("None of the runs")


def test_runs_are_sorted_by_what_they_lose(table):
    shown = shown_differences(table)
    assert set(zip(shown.score, shown.side)) == {(s, k) for s in ("log_r", "within_r")
                                                 for k in ("immigration", "emigration")}
    assert by_what_it_buys(shown) == ["no stocks", "no trade", "better"]


def test_runs_are_ranked_by_the_log_score_where_there_is_one(scored, table):
    assert shown_scores(scored) == ("log_score", "within_r") and shown_scores(table) == ("log_r", "within_r")
    shown = shown_differences(scored)
    assert list(dict.fromkeys(shown.score)) == ["log_score", "within_r"]
    assert by_what_it_buys(shown) == ["better", "no trade", "silent", "no stocks"]
    made = differences(scored, "immigration", "log_score").set_index("run")
    assert made.loc["better", "verdict"] == "below" and made.loc["no stocks", "verdict"] == "above"
    # three seeds of everything a thousandth apart, and two of "better"
    spread, times = np.sqrt((2 * 0.001**2 + 2 * 0.0005**2) / 3), student_t.ppf(0.975, 3)
    assert made.margin["no trade"] == pytest.approx(times * spread * np.sqrt(1 + 1 / 3))
    text = ablation_sentences(scored)
    assert "over 8 reports of arrivals and 8 reports of departures" in text and "log R, arrivals" not in text
    assert "- log score, arrivals: −0.798 with everything. Lower by more than chance: *better* (−0.300" in text
    rows = short_table(scored)
    assert list(rows[0])[1:4] == ["log score, arrivals", "log score, departures", "log R, arrivals"]


def test_a_table_without_log_scores_says_nothing_of_them(table):
    """That of release 1.1 has no such column; one that was scored without expectations has nothing in it."""
    for earlier in (table, table.assign(log_score=np.nan, log_score_n=np.nan)):
        assert "log score" not in ablation_sentences(earlier)
        assert by_what_it_buys(shown_differences(earlier)) == ["no stocks", "no trade", "better"]
        assert not any("log score" in head for row in short_table(earlier) for head in row)
        assert is_ablation(earlier)


def test_sentences_name_what_is_beyond_chance_alone(table):
    text = ablation_sentences(table)
    assert "There are 3 runs of everything" in text and "4 ways" in text
    line = next(line for line in text.splitlines() if line.startswith("- log R, arrivals"))
    assert line == ("- log R, arrivals: 0.902 with everything. Lower by more than chance: *no stocks* (−0.302). "
                    "Higher: *better* (+0.038).")
    assert "no trade" not in text
    worse = pd.concat([table.assign(run=table.run.replace("no stocks", f"no {k}")) for k in range(5)]).drop_duplicates()
    assert "5 of them, most of all *no 0*" in ablation_sentences(worse)


def test_the_short_table_has_everything_first_and_marks_what_is_beyond_chance(table):
    rows = short_table(table)
    assert [r["run"] for r in rows] == [EVERYTHING, "no stocks", "no trade", "better", "silent"]
    assert rows[0]["log R, arrivals"].startswith("0.902 ± 0.0") and rows[1]["log R, arrivals"] == "−0.302*"
    assert rows[2]["log R, departures"] == "+0.001" and rows[4]["log R, arrivals"] == "–"
    assert rows[1]["R, net migration"] == "−0.302*" and "root R, stock differences" not in rows[0]
    assert rows[0]["moves 1990, millions"] == "20.0" and rows[1]["moves 2024, millions"] == "30.0"
    read = pd.read_csv(pd.io.common.StringIO(table.to_csv(index=False)), keep_default_na=False, na_values=[""])
    assert short_table(read) == rows


def test_only_a_table_with_everything_in_it_is_one(table):
    assert is_ablation(table) and not is_ablation(table[table.run != EVERYTHING])
    assert not is_ablation(table.drop(columns="seed")) and not is_ablation(pd.DataFrame())
