"""One number, one vote."""
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from humanflows.panel.publications import CELL, repeated_reports, repeats, summarise_repeated, votes
from humanflows.panel.splits import training_observations
from humanflows.panel.withhold import withheld_observations, withhold
from humanflows.schema import TABLES

PARTNERS = ["AUT", "BEL", "CHE", "DEU", "ESP", "FRA"]


def reports(source, persons, *, year=2000, reporter="NZL", side="immigration", criterion="residence"):
    """Arrivals from the first partners, one number each; None: not reported."""
    return pd.DataFrame([
        {"source": source, "reporter": reporter, "side": side, "criterion": criterion, "flow_type": "movement",
         "year": year, "origin": p, "destination": reporter, "persons": float(n)}
        for p, n in zip(PARTNERS, persons) if n is not None], columns=list(TABLES["flow"].columns))


def table(*parts):
    return pd.concat(parts, ignore_index=True)


def test_the_same_number_counts_once_and_the_newer_collection_keeps_it():
    flow = table(reports("undesa_imfsc", [812, 40]), reports("statsnz", [812, 41]))
    assert repeated_reports(flow).tolist() == [2, -1, -1, -1]


def test_numbers_that_differ_stay_apart():
    flow = table(reports("undesa_imfsc", [100, 200, 300, 400]), reports("oecd", [150, 260, 420, 500]))
    assert (repeated_reports(flow) == -1).all()


def test_a_revision_within_the_same_publication_counts_once():
    flow = table(reports("undesa_imfsc", [100, 200, 300, 400]), reports("oecd", [100, 200, 300, 444]))
    assert repeated_reports(flow).tolist() == [4, 5, 6, 7, -1, -1, -1, -1]
    few = table(reports("undesa_imfsc", [100, 400]), reports("oecd", [100, 444]))
    assert repeated_reports(few).tolist() == [2, -1, -1, -1], "two numbers do not tell which publication it is"


@pytest.mark.parametrize("column", ["reporter", "side", "criterion", "year"])
def test_another_count_is_another_number(column):
    other = {"reporter": "FRA", "side": "emigration", "criterion": "citizenship", "year": 2001}[column]
    flow = table(reports("undesa_imfsc", [812]), reports("statsnz", [812], **{column: other}))
    assert (repeated_reports(flow) == -1).all()


def test_three_collections_point_to_the_newest():
    flow = table(reports("undesa_imfsc", [50, 60]), reports("oecd", [50, 61]), reports("eurostat_imm1ctz", [50, 62]))
    assert repeated_reports(flow).tolist() == [4, -1, 4, -1, -1, -1]


numbers = st.lists(st.none() | st.integers(0, 40), min_size=6, max_size=6)


@given(numbers, numbers, numbers, st.randoms(use_true_random=False))
def test_every_number_keeps_exactly_one_vote(first, second, third, random):
    flow = table(reports("undesa_imfsc", first), reports("oecd", second), reports("eurostat_imm1ctz", third))
    order = list(range(len(flow)))
    random.shuffle(order)
    flow = flow.iloc[order].reset_index(drop=True)
    same = repeated_reports(flow).to_numpy()
    kept = same < 0
    assert kept[same[~kept]].all(), "what a repetition points to is kept itself"
    cells = flow[CELL].apply(tuple, axis=1)
    assert (cells[~kept].to_numpy() == cells.to_numpy()[same[~kept]]).all(), "and speaks of the same cell"
    assert set(cells[kept]) == set(cells), "no cell loses its voice"
    left = flow[kept].groupby(CELL)["persons"]
    assert (left.nunique() == left.size()).all(), "no number is kept twice"
    summary = summarise_repeated(flow, pd.Series(same))
    assert summary["cells"].sum() == (~kept).sum()


def with_repetition(panel):
    """A panel in which one witness repeats another's report of the same cell."""
    cell = pd.MultiIndex.from_arrays([panel[f"flow_{k}"].values for k in ("year", "origin", "destination")])
    first, second = np.flatnonzero(cell == cell[cell.duplicated(keep=False)][0])[:2]
    same = np.full(panel.sizes["observation"], -1, np.int16)
    same[second] = panel["flow_witness"].values[first]
    return panel.assign(flow_same_as=("observation", same)), first, second


def test_a_repetition_is_not_learned_from_and_goes_with_what_it_repeats(small_panel, small_splits):
    panel, first, second = with_repetition(small_panel)
    assert repeats(panel).sum() == 1 and votes(panel)[first] == votes(panel)[second]
    before, after = (training_observations(p, small_splits) for p in (small_panel, panel))
    assert not after[second]
    np.testing.assert_array_equal(np.delete(after, second), np.delete(before, second))
    for k, other in ((first, second), (second, first)):
        reporter = str(panel["witness_reporter"].values[panel["flow_witness"].values[k]])
        if reporter == "META":
            continue
        hidden = withheld_observations(panel, reporters=[reporter])
        assert hidden[k] and hidden[other], "a number that is left out is left out in every collection"
        shown = withhold(panel, reporters=[reporter])
        assert shown.sizes["observation"] == (~hidden).sum()


def test_a_panel_without_the_flag_has_no_repetitions(small_panel):
    bare = small_panel.drop_vars("flow_same_as")
    assert not repeats(bare).any() and len(np.unique(votes(bare))) == bare.sizes["observation"]
