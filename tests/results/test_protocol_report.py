"""The chapter's tables: numbers, differences and marks as they were made up; nothing for what was not run."""
import pandas as pd
import pytest

from humanflows.results.protocol_report import SECTIONS, Figure, Fold, Table, section
from humanflows.results.protocol_tables import compact_protocols

TITLES = {"undesa_imfsc": "UN DESA flows", "meta": "Meta", "oecd": "OECD"}


@pytest.fixture
def tables(protocol_tables):
    return compact_protocols(protocol_tables)


@pytest.fixture
def with_trusted(tables):
    """The same with rows for trusted offices in UN DESA's flows: fewer cells, higher scores, no row of persistence."""
    flows = tables["scores"]
    trusted = flows[(flows.collection == "undesa_imfsc") & (flows.peer != "persistence")]
    trusted = trusted.assign(offices="trusted", n=321, r=.9, difference_r_lower=-1)
    return {**tables, "scores": pd.concat([flows, trusted], ignore_index=True)}


def without(tables, *protocols):
    return {k: t[~t.protocol.isin(protocols)] if "protocol" in t else t for k, t in tables.items()}


def opened(blocks):
    return [b for b in blocks if isinstance(b, Table) and not b.folded]


def test_wins_losses_and_ties_stand_in_one_row_with_their_intervals(tables):
    table = opened(section("corridors", tables, TITLES))[0]
    assert table.title == "All five folds. UN DESA flows, arrivals by residence, 1,234 cells, 1,200 with a log score"
    own, reference, persistence = table.rows
    assert own == {"peer": "**humanflows**", "r": "0.800", "log_r": "0.700", "cpc": "0.600", "log_bias": "−0.100",
                   "within_r": "0.500", "log_score": "−0.900"}
    assert reference["log_score"] == "–"        # nobody else says what it expects of reports
    fixed = {k: v.replace("\N{NO-BREAK SPACE}", " ") for k, v in reference.items()}
    assert fixed["r"] == "0.800<br><small>▲ +0.100<br>0.050 to 0.150</small>"
    assert fixed["log_r"] == "0.700<br><small>▼ −0.100<br>−0.200 to −0.050</small>"
    assert fixed["cpc"] == "0.600<br><small>○ +0.020<br>0.000 to 0.040</small>"
    assert fixed["within_r"] == "0.500<br><small>○ +0.010<br>−0.100 to 0.100</small>"
    assert fixed["log_bias"] == "−0.100"
    assert persistence["r"] == "0.800<br><small>+0.100</small>"         # a difference without an interval has no mark


def test_tables_of_earlier_releases_have_no_log_score(tables):
    """Column and number are left out, where nothing has one and where there is no such column."""
    scores = tables["scores"]
    for earlier in (scores.drop(columns=["log_score", "log_score_n"]), scores.assign(log_score=float("nan"))):
        blocks = section("corridors", {**tables, "scores": earlier}, TITLES)
        table = opened(blocks)[0]
        assert table.title.endswith("1,234 cells") and "log_score" not in table.heads
        every = next(b for b in blocks if isinstance(b, Table) and b.title.endswith("every set of cells"))
        assert "log_score" not in every.heads and every.rows[0]["r"] == "0.800"


def test_the_section_of_corridors(tables):
    blocks = section("corridors", tables, TITLES)
    assert [t.title.partition(".")[0] for t in opened(blocks)] == ["All five folds"] * 2     # no single fold leads
    assert [b.name for b in blocks if isinstance(b, Figure)] == ["protocol_five_years"]
    five, = (b for b in blocks if isinstance(b, Fold) and b.title.startswith("All five folds"))
    assert all("five years" in t.title for t in five.tables) and len(five.tables) == 2
    every = next(b for b in blocks if isinstance(b, Table) and b.title == "All five folds: every set of cells")
    assert every.folded and len(every.rows) == 5
    assert [r["log_score"] for r in every.rows].count("−0.900") == 2       # of five sets those by residence and year
    assert every.rows[-1]["set"] == "OECD, arrivals by citizenship"
    assert every.rows[0]["peers_r"].replace("\N{NO-BREAK SPACE}", " ") == "▲ 1 ▼ 0 ○ 0"
    assert every.rows[0]["peers_log_r"].replace("\N{NO-BREAK SPACE}", " ") == "▲ 0 ▼ 1 ○ 0"
    single = blocks[-1]
    assert {r["protocol"] for r in single.rows} == {"Corridors of fold 1 held out", "Corridors of fold 2 held out"}


def test_every_figure_stands_twice_where_trusted_offices_report(with_trusted, tables):
    table = opened(section("corridors", with_trusted, TITLES))[0]
    assert table.title == ("All five folds. UN DESA flows, arrivals by residence, 1,234 cells, 321 of them by trusted "
                           "offices, 1,200 with a log score")
    scores = [k for k in table.heads if k != "peer" and not k.endswith("_trusted")]
    assert list(table.heads) == ["peer", *(k for s in scores for k in (s, f"{s}_trusted"))]
    assert table.heads["log_r"] == "log R" and table.heads["log_r_trusted"] == "log R, trusted"
    own, reference, persistence = table.rows
    assert (own["r"], own["r_trusted"]) == ("0.800", "0.900")
    assert "▲" in reference["r"] and "○" in reference["r_trusted"]
    assert persistence["r_trusted"] == "–" and persistence["r"] != "–"
    # Without the second column the first is as it was.
    plain = opened(section("corridors", tables, TITLES))[0]
    assert [{k: v for k, v in r.items() if not k.endswith("_trusted")} for r in table.rows] == plain.rows
    every = next(b for b in section("corridors", with_trusted, TITLES)
                 if isinstance(b, Table) and b.title == "All five folds: every set of cells")
    assert len(every.rows) == 5 + 4 and sum("trusted offices" in r["set"] for r in every.rows) == 4
    assert every.rows[0]["median_log_error"] == "−0.200" and every.rows[0]["abs_log_error"] == "1.000"
    said = section("overview", with_trusted, TITLES)[0]
    assert "Against the reports of trusted offices alone, in log R ours is ahead in 0 of 2" in said
    assert "trusted" not in section("overview", tables, TITLES)[0]


def test_a_single_fold_has_no_part_in_the_headline_of_the_targets(tables):
    fold = tables["targets"].assign(protocol="fold-1")
    said, *shown = section("targets", {**tables, "targets": pd.concat([tables["targets"], fold])}, TITLES)
    assert said == "All five folds: 1 of 3 hit, 2 missed."
    assert [(t.title, t.folded) for t in shown] == [("All five folds", False), ("Corridors of fold 1 held out", True)]


def test_without_the_whole_the_single_folds_are_shown(tables):
    blocks = section("corridors", without(tables, "all five folds"), TITLES)
    assert {t.title.partition(".")[0] for t in opened(blocks)} == {"Corridors of fold 1 held out",
                                                                   "Corridors of fold 2 held out"}


def test_the_overview_counts_wins_and_losses_and_no_fold_twice(tables):
    said, counts, figure, listed = section("overview", tables, TITLES)
    # two sides of all five folds and the blind set, one peer with intervals
    assert "in log R ours is ahead in 0 of 3 comparisons with a peer, behind in 3, and undecided in 0" in said
    assert "in R ours is ahead in 3 of 3" in said
    row = {k: v.replace("\N{NO-BREAK SPACE}", " ") for k, v in counts.rows[0].items()}
    assert row == {"peer": "Gaskin & Abel (published)", "r": "▲ 3 ▼ 0 ○ 0", "log_r": "▲ 0 ▼ 3 ○ 0",
                   "cpc": "▲ 0 ▼ 0 ○ 3", "within_r": "▲ 0 ▼ 0 ○ 3"}
    assert figure.name == "protocol_differences" and listed.folded
    assert [r["protocol"] for r in listed.rows] == ["all five folds", "fold-1", "fold-2", "blind", "net-third"]


def test_blind_years_have_flows_and_net_migration(tables):
    blocks = section("years", tables, TITLES)
    assert opened(blocks)[0].title == "Blind from 2022. Meta, moves by residence, 1,234 cells, 1,200 with a log score"
    assert len(opened(blocks)) == 1                                     # "all" corridors are not shown twice
    net = blocks[-1]
    assert isinstance(net, Fold) and net.tables[0].title.startswith("Blind years, UN World Population Prospects")


def test_net_migration_is_open_where_it_was_withheld(tables):
    blocks = section("net_migration", tables, TITLES)
    table, = opened(blocks)
    assert table.title == "Withheld territories, UN World Population Prospects, 1,234 cells"
    assert table.rows[0]["abs_error"] == "4,321" and "▲" in table.rows[1]["r"] and "○" in table.rows[1]["within_r"]
    assert [b.title for b in blocks if isinstance(b, Fold)] == ["Other territories and references", "Five-year sums"]


def test_stocks_are_those_of_the_newest_revision(tables):
    table, = section("stocks", tables, TITLES)
    assert "2024" in table.title
    assert {r["stock_r"] for r in table.rows} == {"0.202"}
    assert [(r["protocol"], r["set"]) for r in table.rows if r["protocol"].startswith("Blind")] == [
        ("Blind from 2022", "all counts"), ("Blind from 2022", "blind years")]


def test_targets_say_what_was_wanted_and_by_how_much_it_was_missed(tables):
    said, table = section("targets", tables, TITLES)
    assert said == "All five folds: 1 of 3 hit, 2 missed."
    rows = [{k: v.replace("\N{NO-BREAK SPACE}", " ") for k, v in r.items()} for r in table.rows]
    assert rows[0] == {"target": "immigration, log R", "wanted": "at least 0.900", "measured": "0.950",
                       "margin": "+0.050", "result": "✓ hit"}
    assert rows[1]["wanted"] == "above 0.300" and rows[1]["result"] == "✗ missed" and rows[1]["margin"] == "−0.100"
    assert rows[2]["target"] == "total, UN DESA flows, immigration by residence"
    assert rows[2]["wanted"] == "within ±0.150"


def test_peers_stand_with_what_they_saw(tables):
    table, = section("peers", tables, TITLES)
    assert table.rows[1] == {"peer": "Gaskin & Abel (published)", "saw": "these cells, perhaps"}
    tables["peers"]["learned_from"] = ["x", "y", "y"]
    table, = section("peers", tables, TITLES)
    assert [r["peer"] for r in table.rows] == ["**humanflows**", "Gaskin & Abel (published)<br>persistence"]


def test_what_was_not_run_has_no_blocks(tables):
    assert section("offices", tables, TITLES) == [] and section("sources", tables, TITLES) == []
    assert section("net_migration", without(tables, "net-third"), TITLES) == []
    assert section("years", without(tables, "blind"), TITLES) == []
    assert section("targets", {k: t for k, t in tables.items() if k != "targets"}, TITLES) == []


@pytest.mark.parametrize("one", ["fold-2", "blind", "net-third"])
def test_every_section_works_with_any_single_protocol(tables, one):
    rest = set(tables["list"].protocol) - {one}
    for name in SECTIONS:
        for block in section(name, without(tables, *rest), TITLES):
            assert block
