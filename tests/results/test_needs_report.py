"""The chapter on needs: every section says what its tables say, and a release without them says nothing."""
import numpy as np
import pandas as pd
import pytest

from humanflows.errors import ArtifactError
from humanflows.results.needs_report import SECTIONS, TABLES, drawn, persons, read_needs, section, thousands, times
from humanflows.results.needs_terms import (
    CORRIDOR_COLUMNS,
    COUNTRY_COLUMNS,
    ELSEWHERE,
    ITSELF,
    LADDER,
    TWIN,
)
from humanflows.results.protocol_report import Figure, Table
from needs_tables import make_tables


@pytest.fixture
def tables():
    return make_tables()


def words(blocks):
    return " ".join(b if isinstance(b, str) else str(b.rows) if isinstance(b, Table) else b.name for b in blocks)


def test_numbers_are_short_and_true():
    assert [persons(k) for k in (1234567, 95.4, 0, -1250)] == ["1,200,000", "95", "0", "−1,200"]
    assert persons(float("nan")) == "–" and times(np.log(27.4)) == "27" and times(np.log(2.34)) == "2.3"
    assert times(90.0) == times(25.0)


def test_countries_are_told_with_both_intervals(tables):
    blocks = section("countries", tables)
    assert "half lies in 1 of 2 territories" in blocks[0] and "First is India" in blocks[0]
    assert "100,000 to 900,000 persons a year as it is, 200,000 to 400,000 if its office reported" in blocks[0]
    assert [b.name for b in blocks if isinstance(b, Figure)] == ["needs_map", "needs_ranking"]
    first = next(b for b in blocks if isinstance(b, Table)).rows
    assert [r["territory"] for r in first] == ["India", "Brazil"] and first[0]["gain"] == "75%"
    assert "Austria" not in words(blocks), "what would gain nothing is not listed"


def test_corridors_are_told_by_name_and_by_what_is_seen(tables):
    blocks = section("corridors", tables)
    assert "Of the 2 corridors" in blocks[0] and "1 lie between" in blocks[0]
    assert blocks[1].rows[0]["corridor"] == "Pakistan → India" and "400 → 7.4" in blocks[1].rows[0]["times"]


def test_the_ladder_compares_the_same_reports_only(tables):
    said = words(section("ladder", tables))
    assert "by a factor of 2.7 in the mean, by 2.2 once" in said and "20% smaller" in said
    assert "worth less than the office's own other corridors" in said
    better = tables["needs_ladder"].copy()
    better.loc[better["rung"] == LADDER[1], "error"] = 0.1
    assert "worth more than" in words(section("ladder", {**tables, "needs_ladder": better}))


def test_shares_of_members_have_their_noise_beside_them(tables):
    blocks = section("shared", tables)
    assert "With 12 members" in blocks[0] and "±20 points" in blocks[0]
    assert blocks[1].rows[0]["told"] == "15%" and blocks[1].rows[0]["away"] == "3%"
    assert "six or more" in section("shared", {**tables, "needs_shared": tables["needs_shared"][:0]})[0]


def test_checks_are_ranked_and_those_not_run_left_out(tables):
    rows = section("check", tables)[0].rows
    assert [r["offices"] for r in rows] == ["8", "8"] and rows[0]["rho"] == "1.00" and rows[1]["rho"].startswith("−")
    assert "simulated" not in words(section("check", tables))
    twin = tables["needs_check"].query("check == @ITSELF").assign(check=TWIN)
    both = {**tables, "needs_check": pd.concat([tables["needs_check"], twin])}
    assert "simulated world" in words(section("check", both))
    told = twin.assign(side="departures", predicted=0.25, error_before=0.8, error_after=0.4, realised=0.4)
    more = section("check", {**tables, "needs_check": pd.concat([both["needs_check"], told])})
    assert more[0].rows == section("check", both)[0].rows, "what is told besides is no report"
    assert "8 added offices" in more[-1].title and more[-1].rows[1] == {
        "what": "departures", "error_before": "0.80", "error_after": "0.40", "predicted": "0.25", "realised": "0.40"}
    none = {**tables, "needs_check": tables["needs_check"][:0]}
    assert section("check", none) == [] and "needs_check" not in drawn(none)
    assert set(tables["needs_check"]["check"]) == {ITSELF, ELSEWHERE}


def test_tables_are_read_whole_or_not_at_all(tables, tmp_path):
    assert read_needs(tmp_path) == {}
    for name in TABLES:
        tables[name].to_csv(tmp_path / f"{name}.csv", index=False)
    found = read_needs(tmp_path)
    assert set(found) == set(TABLES) and all(section(name, found) for name in SECTIONS)
    assert list(found["needs_corridors"].columns) == list(CORRIDOR_COLUMNS)
    assert list(found["needs_countries"].columns)[:len(COUNTRY_COLUMNS)] == list(COUNTRY_COLUMNS)
    (tmp_path / "needs_check.csv").unlink()
    with pytest.raises(ArtifactError, match=r"needs_check\.csv.*humanflows needs"):
        read_needs(tmp_path)


def test_tables_of_another_kind_are_refused(tables):
    with pytest.raises(ArtifactError, match="columns"):
        section("countries", {**tables, "needs_countries": tables["needs_countries"].drop(columns="gain")})


def test_thousands_are_short_and_keep_two_digits():
    assert [thousands(x) for x in (390, 4_700, 9_949, 17_300, 1_900_000, float("nan"))] == \
        ["0.39", "4.7", "9.9", "17", "1,900", "–"]
