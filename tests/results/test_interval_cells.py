"""Cells: who judges what, what was seen of it, and nobody judges what it saw."""
import numpy as np
import pytest
import xarray as xr

from humanflows.errors import SchemaError
from humanflows.results.interval_cells import (
    CORRIDORS,
    FEATURES,
    NEVER,
    READ_REPORTS,
    SEEN,
    Surroundings,
    build_cells,
    offices_speaking,
    read_cells,
    reported_flows,
    what_was_seen,
)
from humanflows.results.interval_neighbours import NEIGHBOURS

CODES = ["ABW", "AUT", "BEL", "CHE"]
WITNESSES = [("eurostat", "AUT", "immigration", "residence"), ("undesa_imfsc", "AUT", "immigration", "residence"),
             ("eurostat", "BEL", "emigration", "residence"), ("oecd", "BEL", "immigration", "citizenship"),
             ("meta", "META", "both", "residence")]
# witness, year, origin, destination, persons
REPORTS = [(0, 0, 0, 1, 100.0), (1, 0, 0, 1, 120.0), (0, 2, 2, 1, 30.0), (2, 2, 2, 1, 10.0), (3, 1, 0, 2, 5.0),
           (4, 3, 0, 3, 60.0)]


@pytest.fixture
def panel():
    years, n = 5, len(CODES)
    columns = np.array(REPORTS).T
    names = ("witness", "year", "origin", "destination")
    data = {f"flow_{k}": ("observation", columns[i].astype(np.int16)) for i, k in enumerate(names)}
    data |= {"flow_persons": ("observation", columns[4])}
    data |= {f"witness_{k}": ("witness", [w[i] for w in WITNESSES])
             for i, k in enumerate(("source", "reporter", "side", "criterion"))}
    data |= {"population": (("date_year", "residence"), np.full((years + 1, n), 1e6)),
             "stock_initial": (("birthplace", "residence"), np.eye(n) * 1e6)}
    places = {d: CODES for d in ("origin", "destination", "residence", "birthplace")}
    return xr.Dataset(data, coords={"year": range(2000, 2000 + years), **places})


def test_two_collections_of_one_office_are_one_cell_and_criteria_other_than_residence_none(panel):
    reports = reported_flows(panel)
    assert len(reports) == 4
    both = reports[(reports["origin"] == 0) & (reports["destination"] == 1)]
    assert both["observed"].tolist() == [110.0] and both["observation"].tolist() == [0]
    assert reports["platform"].tolist().count(True) == 1


def test_what_was_seen_says_when_and_by_whom(panel):
    saw = what_was_seen(panel)
    # AUT reported ABW-AUT in the first year: seen there, and so many years away elsewhere
    assert saw.seen[0, 0, 1] == 0 and saw.gap[:, 0, 1].tolist() == [0, 1, 2, 3, 4]
    assert SEEN[saw.seen[3, 0, 1]] == "B other years"
    # nobody reports CHE-AUT, but AUT's office reports others; CHE and ABW have no office
    assert SEEN[saw.seen[0, 3, 1]] == "C other corridors" and saw.gap[0, 3, 1] == NEVER
    assert SEEN[saw.seen[0, 0, 3]] == "D nothing" and saw.offices[0, 0, 3] == 0
    assert saw.gap_meta[:, 0, 3].tolist() == [3, 2, 1, 0, 1] and saw.gap[3, 0, 3] == NEVER     # Meta is no office
    # the report by citizenship counts as one
    assert SEEN[saw.seen[1, 0, 2]] == "A same year"
    # without Belgium's office: the corridor BEL-AUT still has Austria's report, ABW-BEL nothing
    visible = ~np.isin(panel["flow_witness"].values, [2, 3])
    less = what_was_seen(panel, visible)
    assert less.seen[2, 2, 1] == 0 and SEEN[less.seen[1, 0, 2]] == "D nothing"
    assert (less.gap >= saw.gap).all() and (less.seen >= saw.seen).all()


def test_gaps_are_distances_to_the_nearest_mark():
    from humanflows.results.interval_cells import _years_to

    draw = np.random.default_rng(0)
    marked = draw.random((12, 40)) < 0.2
    for j in range(40):
        at = np.flatnonzero(marked[:, j])
        wanted = np.abs(np.arange(12)[:, None] - at).min(1) if len(at) else np.full(12, NEVER)
        assert _years_to(marked)[:, j].tolist() == wanted.tolist()


def test_offices_that_speak_are_counted_by_side_and_platforms_are_none(panel):
    speaking = offices_speaking(panel)
    assert speaking[0, 0, 1] == 1 and speaking[2, 2, 1] == 2 and speaking[1, 0, 2] == 1
    assert speaking[3, 0, 3] == 0 and speaking.sum() == 4


def test_read_reports_stand_beside_those_who_read_them(panel):
    flow = np.random.default_rng(0).lognormal(3, 1, (5, 4, 4))
    cells = read_cells(panel, flow, flow / 10, labels={"fold": np.arange(6)})
    assert len(cells) == 3 and not cells["platform"].any() and (cells["kind"] == READ_REPORTS).all()
    at = tuple(cells[k] for k in ("year", "origin", "destination"))
    assert np.array_equal(cells["estimate"], flow[at]) and np.array_equal(cells["spread"], flow[at] / 10)
    assert (cells["seen"] == 0).all() and (cells["gap"] == 0).all()
    assert sorted(cells["offices"]) == [1, 2, 2] and sorted(cells["fold"]) == [0, 2, 3]
    assert cells[list(NEIGHBOURS)].isna().all().all()       # of its own year a report tells nothing


def test_members_say_what_was_reported_in_neighbouring_years_of_what_they_saw(panel):
    panel["flow_year"].values[2] = 3        # Austria: ABW-AUT in the first year and in the fourth
    panel["flow_origin"].values[2] = 0
    flows = [np.full((5, 4, 4), x) for x in (10.0, 40.0)]
    hidden = np.zeros((2, 6), dtype=bool)
    hidden[:, [0, 1]] = True
    row = build_cells(panel, iter(flows), hidden, {CORRIDORS: hidden}).iloc[0]
    assert row["low_after"] == pytest.approx(np.mean(np.log(31) - np.log1p([10, 40])), rel=1e-5)
    assert row["step_after"] == 0 and np.isnan(row["low_before"])
    hidden[:, 2] = True                     # who did not see the fourth year does not know of it
    assert build_cells(panel, iter(flows), hidden, {CORRIDORS: hidden})[list(NEIGHBOURS)].isna().all().all()


def test_a_cell_is_the_mean_of_those_who_did_not_see(panel):
    flows = [np.full((5, 4, 4), x) for x in (10.0, 40.0, 1000.0)]
    hidden = np.zeros((3, 6), dtype=bool)
    hidden[:2, [0, 1]] = True
    cells = build_cells(panel, iter(flows), hidden, {CORRIDORS: hidden}, labels={"fold": np.arange(6)})
    assert len(cells) == 1
    row = cells.iloc[0]
    assert row["estimate"] == 25 and row["members"] == 2 and row["fold"] == 0 and row["kind"] == CORRIDORS
    logs = np.log1p([10, 40])
    assert np.isclose(row["spread"], logs.std(ddof=1)) and np.isclose(row["log_mean"], logs.mean())
    assert SEEN[row["seen"]] == "C other corridors"     # without it, Austria's office still reports BEL-AUT


def test_nobody_judges_what_it_saw(panel):
    hidden = np.zeros((1, 6), dtype=bool)
    with pytest.raises(SchemaError, match="saw what it is to be judged on"):
        build_cells(panel, [np.ones((5, 4, 4))], hidden, {CORRIDORS: ~hidden})
    with pytest.raises(SchemaError, match="one array of flows"):
        build_cells(panel, [], ~hidden, {CORRIDORS: ~hidden})
    with pytest.raises(SchemaError, match="marks"):
        build_cells(panel, [np.ones((5, 4, 4))], hidden[:, :3], {CORRIDORS: ~hidden})
    with pytest.raises(SchemaError, match="observations"):
        what_was_seen(panel, np.ones(3, dtype=bool))


def test_features_read_no_report(panel):
    around = Surroundings(panel, ["a", "b", "b", "c"])
    spoiled = panel.copy(deep=True)
    spoiled["flow_persons"].values[:] *= 9
    seen = {k: np.zeros(2) for k in ("seen", "gap", "gap_office", "gap_meta", "offices", *NEIGHBOURS)}
    found = around.features([0, 4], [0, 1], [1, 2], [10.0, 0.0], [0.1, 0.2], seen)
    assert found.shape == (2, len(FEATURES)) and found[0, 0] == np.float32(np.log1p(10))
    again = Surroundings(spoiled, ["a", "b", "b", "c"]).features([0, 4], [0, 1], [1, 2], [10.0, 0.0], [0.1, 0.2], seen)
    np.testing.assert_array_equal(found, again)
