"""Who is ahead, by an interval that leaves out zero; and which sets and protocols are shown."""
import numpy as np
import pandas as pd
import pytest

from humanflows import protocols
from humanflows.results import protocol_differences as d
from humanflows.results.protocol_tables import compact_protocols

REFERENCE, TITLES = "Gaskin & Abel (published)", {"undesa_imfsc": "UN DESA flows", "meta": "Meta", "oecd": "OECD"}


@pytest.fixture
def tables(protocol_tables):
    return compact_protocols(protocol_tables)


@pytest.mark.parametrize(("lower", "upper", "verdict"), [
    (.001, .2, "ahead"), (-.2, -.001, "behind"), (-.1, .1, "undecided"), (0, .1, "undecided"), (-.1, 0, "undecided"),
    (np.nan, .1, ""), (.1, np.nan, "")])
def test_verdicts(lower, upper, verdict):
    assert d.judge([lower], [upper]).tolist() == [verdict]


def test_differences_are_rows_and_losses_are_not_left_out(tables):
    rows = d.differences(d.leading(tables["scores"]), ("r", "log_r", "cpc", "within_r"))
    mine = rows[rows.peer == REFERENCE]
    assert dict(zip(mine.score, mine.verdict)) == {"r": "ahead", "log_r": "behind", "cpc": "undecided",
                                                   "within_r": "undecided"}
    assert "humanflows" not in set(rows.peer)
    assert set(rows.loc[rows.peer == "persistence", "verdict"]) == {""}     # it has no interval
    one = mine[mine.score == "log_r"].iloc[0]
    assert (one.difference, one.lower, one.upper) == (-.1, -.2, -.05)


def test_a_short_table_is_of_residence_and_of_the_main_collection(tables):
    rows = d.leading(tables["scores"])
    assert set(zip(rows.protocol, rows.collection)) == {
        *((p, "undesa_imfsc") for p in ("fold-1", "fold-2", "all five folds", "net-third")), ("blind", "meta")}
    assert set(rows.horizon) == {"annual"} and set(rows.criterion) == {"residence"} and "all" not in set(rows.part)
    assert set(d.leading(tables["scores"], "five_year").horizon) == {"five_year"}


def test_members_are_not_shown_beside_their_whole():
    names = ["net-third", "fold-1", "fold-2", "blind", "reporters-1", "all five folds", "source-meta"]
    assert d.shown(names) == ["all five folds", "reporters-1", "source-meta", "blind", "net-third"]
    assert d.shown(["fold-1", "fold-2"]) == ["fold-1", "fold-2"]
    assert d.shown([]) == []


def test_the_names_of_several_members_are_those_of_the_protocols():
    assert protocols.TOGETHER is d.TOGETHER
    names = ("fold-3", "all five folds", "all reporter groups", "blind-offices", "source-x", "net-third")
    assert [d.kind(p) for p in names] == ["fold", "fold", "reporters", "blind", "source", "net"]


def test_titles_name_collections(tables):
    labels = {**d.labels_of(tables), "source-offices-united": "without undesa_imfsc, oecd"}
    assert d.title("source-offices-united", labels, TITLES) == "Without UN DESA flows, OECD"
    assert d.title("all five folds", labels, TITLES) == "All five folds"
    assert d.title("blind", labels, TITLES) == "Blind from 2022"


def test_what_is_drawn(tables):
    made = d.drawn(tables, TITLES)
    assert set(made) == {"protocol_differences", "protocol_five_years", "protocol_net_migration"}
    flows = made["protocol_differences"]
    assert list(flows.columns) == list(d.DRAWN_COLUMNS)
    assert list(dict.fromkeys(flows.group)) == [
        "All five folds (UN DESA flows)", "Blind from 2022 (Meta)"]
    assert set(flows.score) == {"log R", "R"} and set(flows.series) == {"immigration", "emigration", "both"}
    assert set(made["protocol_five_years"].group) == {"All five folds (UN DESA flows)"}
    net = made["protocol_net_migration"]
    assert list(dict.fromkeys(net.group)) == ["Withheld territories", "The other territories", "Blind from 2022"]
    assert not net.duplicated(["group", "peer", "series", "score"]).any()


def test_what_was_not_run_is_not_drawn(tables):
    only = {k: t[t.protocol == "blind"] if "protocol" in t else t for k, t in tables.items()}
    made = d.drawn(only, TITLES)
    assert set(made) == {"protocol_differences", "protocol_net_migration"}
    assert d.drawn({}, TITLES) == {}
    empty = {k: t.iloc[:0] for k, t in tables.items()}
    assert d.drawn(empty, TITLES) == {}
    assert isinstance(d.differences(empty["scores"], ("r",)), pd.DataFrame)
