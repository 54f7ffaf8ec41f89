"""Totals of territories from a small panel made by hand: what counts as a total, as displaced, as a rate."""
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from humanflows.errors import DuplicateKeyError, SchemaError, SourceFileError, UnknownTerritoryError
from humanflows.panel import reported_totals as r
from humanflows.schema import STATUS

CODES, YEARS = np.array(["DEU", "FRA", "MLT"]), np.array([2019, 2020])
REPORTED, BRIDGED, MISSING = (STATUS.index(s) for s in ("reported", "bridged", "missing"))
MARGINS = [("office", "flow", "immigration", "residence", "total"), ("office", "flow", "immigration", "citizenship",
           "total"), ("office", "flow", "immigration", "citizenship", "own"),
           ("other", "flow", "immigration", "residence", "others"), ("undesa_ims_2024", "stock", "residence",
            "birthplace", "total"), ("permits", "flow", "immigration", "citizenship", "total")]
# series, year, territory, persons
MARGIN_ROWS = [(0, 0, 0, 1000.0), (1, 1, 0, 900.0), (2, 1, 0, 100.0), (3, 0, 1, 50.0), (4, 1, 2, 77.0),
               (5, 1, 0, 300.0)]
# witness, year, origin, destination, persons
FLOW_ROWS = [(0, 0, 1, 0, 600.0), (0, 0, 2, 0, 300.0), (1, 0, 0, 1, 400.0), (2, 1, 0, 2, 5000.0), (2, 1, 1, 2, 10.0)]
WITNESSES = [("office", "DEU", "immigration", "residence"), ("other", "FRA", "immigration", "residence"),
             ("meta", "META", "both", "residence")]


@pytest.fixture
def panel():
    """Three territories and two years; nobody is displaced."""
    pairs, none = ("year", "origin", "destination"), np.zeros((2, 3, 3))
    series = dict(zip(("series", "year", "territory", "persons"), zip(*MARGIN_ROWS)))
    flows = dict(zip(("witness", "year", "origin", "destination", "persons"), zip(*FLOW_ROWS)))
    return xr.Dataset({
        "population": (("date_year", "residence"), np.tile([80e6, 60e6, 4e5], (3, 1))),
        "net_migration": (("year", "residence"), np.zeros((2, 3))), "displaced_flow": (pairs, none.copy()),
        "displaced_stock": (pairs, none.copy()), "displaced_break": (pairs, none.astype(np.int8)),
        "displaced_stock_status": (pairs, np.full((2, 3, 3), REPORTED, np.int8)),
        "displaced_before": (pairs[1:], np.zeros((3, 3))),
        **{f"margin_{k}": ("margin", list(v)) for k, v in zip(("source", "quantity", "side", "criterion", "group"),
                                                              zip(*MARGINS))},
        **{f"margin_{k}": ("margin_observation", np.array(v)) for k, v in series.items()},
        **{f"witness_{k}": ("witness", list(v)) for k, v in zip(("source", "reporter", "side", "criterion"),
                                                                zip(*WITNESSES))},
        **{f"flow_{k}": ("observation", np.array(v)) for k, v in flows.items()},
    }, {"year": YEARS, "date_year": [2019, 2020, 2021], "residence": CODES, "origin": CODES, "destination": CODES,
        "margin": ["|".join(m) for m in MARGINS]})


def test_a_printed_total_comes_before_the_sum_and_permits_are_no_total_of_all(panel):
    found = r.total_reports(panel).set_index(["source", "territory", "direction", "criterion", "year"])
    assert not found.index.duplicated().any()
    rows = {k: (v["persons"], bool(v["all_persons"])) for k, v in found.iterrows()}
    assert rows == {
        ("office", "DEU", "arrivals", "residence", 2019): (1000.0, True),       # not the 900 of its corridors
        ("office", "DEU", "arrivals", "citizenship", 2020): (900.0, True),      # own nationals are counted
        ("permits", "DEU", "arrivals", "citizenship", 2020): (300.0, False),
        ("other", "FRA", "arrivals", "residence", 2019): (450.0, True),         # corridors and what none of them holds
        ("meta", "MLT", "arrivals", "residence", 2020): (5010.0, False),
        ("meta", "DEU", "departures", "residence", 2020): (5000.0, False),
        ("meta", "FRA", "departures", "residence", 2020): (10.0, False)}


def test_displaced_people_are_new_ones_or_growth_where_nobody_reports(panel):
    panel["displaced_flow"][1, 1, 0] = 30.0
    panel["displaced_stock"][:, 1, 0] = [10.0, 90.0]        # grew by 80, of whom 30 were counted as new
    panel["displaced_stock"][:, 0, 2] = [0.0, 900.0]        # the platform reports this flow: growth does not count
    panel["displaced_stock"][:, 2, 1] = [0.0, 70.0]
    panel["displaced_stock_status"][0, 2, 1] = BRIDGED
    moved = r.displaced_moves(panel)
    assert moved[1, 1, 0] == 80 and moved[0, 1, 0] == 0      # in 2019 an office reports that flow
    assert moved[1, 0, 2] == 0 and moved[1, 2, 1] == 0 and moved.sum() == 80
    states = r.territory_states(panel).set_index(["territory", "year"])
    assert states.loc[("DEU", 2020), "displaced_arrivals"] == states.loc[("FRA", 2020), "displaced_departures"] == 80
    assert states.loc[("DEU", 2021)].isna().tolist() == [False, True, True, True]


def test_refugees_who_return_move_as_the_indicator_says(panel):
    panel = panel.assign_coords(indicator=[r.RETURNED]).assign(
        indicator_series=("event", [0]), indicator_year=("event", [0]), indicator_origin=("event", [2]),
        indicator_destination=("event", [1]), indicator_value=("event", [40.0]))
    assert r.displaced_moves(panel)[0, 2, 1] == 40


def with_returns(panel, *rows, other=()):
    """The panel with refugees who returned, as (year, origin, destination, persons), and ``other`` rows."""
    rows = [(0, *row) for row in rows] + [(1, *row) for row in other]
    return panel.assign_coords(indicator=[r.RETURNED, "unhcr_more|something_else"]).assign(
        {f"indicator_{k}": ("event", list(v)) for k, v in zip(("series", "year", "origin", "destination", "value"),
                                                              zip(*rows))})


def test_growth_and_returns_are_added_up_where_both_are_known(panel):
    panel["displaced_flow"][1, 1, 0] = 30.0
    panel["displaced_stock"][:, 1, 0] = [10.0, 90.0]
    told = with_returns(panel, (1, 1, 0, 5.0), (1, 1, 0, 2.0), (1, 0, 2, 40.0), (0, 2, 1, np.nan),
                        other=[(1, 1, 0, 1e6), (0, 2, 0, 1e6)])
    moved = r.displaced_moves(told)
    assert moved[1, 1, 0] == 87                    # growth of 80 rather than 30 new ones, and seven who came home
    assert moved[1, 0, 2] == 40                    # returns count where somebody reports the flow, too
    assert moved.sum() == 127 and np.isfinite(moved).all()


def test_who_returns_is_no_fall_of_another_flow_and_a_fall_is_no_move(panel):
    panel["displaced_stock"][:, 1, 2] = [500.0, 100.0]
    panel["displaced_before"][1, 2] = 500.0
    assert r.displaced_moves(panel).sum() == 0
    assert np.argwhere(r.displaced_moves(with_returns(panel, (1, 2, 1, 400.0)))).tolist() == [[1, 2, 1]]


def test_the_first_year_grows_from_the_year_before_the_panel(panel):
    panel["displaced_before"][2, 1] = 300.0
    panel["displaced_stock"][:, 2, 1] = [1000.0, 1000.0]
    moved = r.displaced_moves(panel)
    assert moved[0, 2, 1] == 700 and moved.sum() == 700


@pytest.mark.parametrize(("status", "recount", "moved"), [
    ((REPORTED, REPORTED), (0, 0), 900.0), ((MISSING, REPORTED), (0, 0), 900.0), ((BRIDGED, REPORTED), (0, 0), 0.0),
    ((REPORTED, STATUS.index("carried_forward")), (0, 0), 0.0), ((REPORTED, REPORTED), (0, 1), 0.0)])
def test_growth_counts_between_two_numbers_of_one_count_alone(panel, status, recount, moved):
    panel["displaced_stock"][:, 2, 1] = [100.0, 1000.0]
    panel["displaced_before"][2, 1] = 100.0
    panel["displaced_stock_status"][:, 2, 1] = list(status)
    panel["displaced_break"][:, 2, 1] = list(recount)
    assert r.displaced_moves(panel)[1, 2, 1] == moved


def test_a_year_without_a_number_of_new_ones_is_none_and_stocks_may_be_absent(panel):
    panel["displaced_flow"][0, 2, 1], panel["displaced_flow"][1, 2, 1] = np.nan, 50.0
    panel["displaced_stock"][:, 2, 1] = [np.nan, 1000.0]
    moved = r.displaced_moves(panel)
    assert moved[0, 2, 1] == 0 and moved[1, 2, 1] == 50
    moved = r.displaced_moves(panel.drop_vars("displaced_stock"))
    assert moved[1, 2, 1] == moved.sum() == 50


def test_evidence_of_corridors_is_the_largest_report(panel):
    found = r.corridor_evidence(panel, smallest=500.0)
    assert found.to_numpy().tolist() == [[2019, "FRA", "DEU", 600.0, 0.0], [2020, "DEU", "MLT", 5000.0, 0.0]]


def test_foreign_born_are_the_margin_and_a_panel_without_it_is_refused(panel):
    assert r.foreign_born_totals(panel).to_numpy().tolist() == [["MLT", 2020, 77.0]]
    with pytest.raises(SchemaError, match="undesa_ims"):
        r.foreign_born_totals(panel.assign_coords(margin=["x|" + str(k) for k in range(len(MARGINS))]))


def test_rates_leave_out_years_of_displaced_people_at_the_top_alone():
    states = pd.DataFrame([(y, c, p, 0.0, d, 0.0) for c, p, d in (
        ("MLT", 4e5, 0.0), ("ISL", 3e5, 5000.0), ("NOR", 5e6, 0.0), ("DEU", 8e7, 0.0)) for y in (2019,)],
        columns=list(r.STATE_COLUMNS))
    reports = pd.DataFrame([("o", c, d, "residence", 2019, p, True) for d in r.DIRECTIONS for c, p in (
        ("MLT", 4000.0), ("ISL", 9000.0), ("NOR", 5e4), ("DEU", 8e5))], columns=list(r.TOTAL_COLUMNS))
    rates = r.reported_rates(reports, states)
    small = rates[rates["from_population"] == 0]
    assert small["highest"].tolist() == [10.0, 10.0] and small["highest_of"].tolist() == ["MLT 2019"] * 2
    assert small["reports"].tolist() == [2, 2] and small["calm"].tolist() == [1, 1]
    with pytest.raises(SchemaError, match="10000000"):
        r.reported_rates(reports[reports["territory"] != "DEU"], states)


def test_tables_come_back_from_files_and_damaged_ones_are_refused(panel, tmp_path, monkeypatch):
    monkeypatch.setattr(r, "SIZE_CLASSES", (0.0, np.inf))
    monkeypatch.setattr(r, "DIRECTIONS", (r.ARRIVALS,))
    made = r.describe_totals(panel)
    for name, table in made.items():
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    read = r.read_totals(tmp_path)
    assert set(read) == set(made)
    for name, table in made.items():
        pd.testing.assert_frame_equal(read[name], table, check_dtype=False, obj=name)
    file = tmp_path / "foreign_born.csv"
    for text, error, words in (("territory,year,persons\nXXX,2020,1\n", UnknownTerritoryError, "XXX"),
                               ("territory,year,persons\nMLT,2020,many\n", SchemaError, "many"),
                               ("territory,year,persons\nMLT,2020,1\nMLT,2020,2\n", DuplicateKeyError, "MLT, 2020"),
                               ("territory,year\nMLT,2020\n", SchemaError, "persons")):
        file.write_text(text)
        with pytest.raises(error, match=words):
            r.read_totals(tmp_path)
    file.unlink()
    with pytest.raises(SourceFileError, match="foreign_born"):
        r.read_totals(tmp_path)
