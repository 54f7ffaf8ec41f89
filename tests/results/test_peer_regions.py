"""Totals and scores of others' estimates, from arrays made up for it."""
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from humanflows.results import peer_regions
from humanflows.results.peer_regions import TABLES, Moment, compare_moments, event_corridors, make_tables, read_tables

PLACES = ["COL", "DEU", "FRA", "MEX", "USA", "VEN"]


@pytest.fixture
def flow():
    rng = np.random.default_rng(5)
    n = len(PLACES)
    values = rng.gamma(1.0, 1000.0, (3, n, n)) * ~np.eye(n, dtype=bool)
    return xr.DataArray(values, dims=("year", "origin", "destination"),
                        coords={"year": [2000, 2001, 2002], "origin": PLACES, "destination": PLACES})


def test_the_same_table_is_all_in_common(flow):
    table = compare_moments(flow, {"theirs": flow}, [Moment("Europe", 2001)])
    row = table.iloc[0]
    assert row.corridors == 2 * 4 * 2 + 2        # to and from two territories, and between them
    assert row.log_r == pytest.approx(1) and row.cpc == pytest.approx(1) and row.persons == pytest.approx(row.theirs)
    touched = [(o, d) for o in PLACES for d in PLACES if o != d and {o, d} & {"DEU", "FRA"}]
    assert row.persons == pytest.approx(sum(float(flow.sel(year=2001, origin=o, destination=d)) for o, d in touched))


def test_twice_as_many_have_two_thirds_in_common(flow):
    row = compare_moments(flow, {"theirs": 2 * flow}, [Moment("Europe", 2001)]).iloc[0]
    assert row.cpc == pytest.approx(2 / 3) and row.theirs == pytest.approx(2 * row.persons)


def test_only_corridors_of_both_are_compared_and_silent_years_are_left_out(flow):
    theirs = flow.copy()
    theirs.loc[{"origin": "DEU"}] = np.nan
    theirs.loc[{"year": 2002}] = np.nan
    table = compare_moments(flow, {"theirs": theirs}, [Moment("Europe", y) for y in (2001, 2002, 1991)])
    assert table.year.tolist() == [2001] and table.corridors.tolist() == [13]


def test_events_are_courses_of_everybody_but_us(flow):
    years = np.arange(1990, 2025)
    course = xr.DataArray(np.ones((len(years), 6, 6)) * (100 + years)[:, None, None], dims=flow.dims,
                          coords={"year": years, "origin": PLACES, "destination": PLACES})
    panel = _silent_panel(years)
    theirs = (3 * course).where(course.year < 2024)
    table = event_corridors(course, panel, {"theirs": theirs})
    assert set(table.shock) == {"MEX-USA", "VEN-COL"}      # the other corridors' territories are not here
    mine = table[(table.shock == "VEN-COL") & (table.kind == "theirs")].set_index("year")
    assert mine.index.tolist() == list(range(1990, 2024)) and "estimate" not in set(table.kind)
    assert mine.persons[2000] == pytest.approx(6300) and mine.estimated[2000] == pytest.approx(2100)
    stock = table[table.kind == "stock"]
    assert len(stock) and np.allclose(stock.persons, 10)


def test_every_event_is_of_one_corridor_and_compares_all_years():
    for event in peer_regions.EVENTS:
        assert event.name == f"{event.origins[0]}-{event.destinations[0]}"
        assert event.years == list(range(1990, 2024))


def test_tables_are_read_as_they_were_written_and_one_that_is_absent_has_no_row(flow, tmp_path):
    made = make_tables(flow, _silent_panel(flow.year.values),
                       {"theirs": flow, "five": flow.rename(year="period"), "five v6": flow.rename(year="period")})
    assert set(made) == set(TABLES) and made["peer_regions"].peer.unique().tolist() == ["theirs", "five"]
    made["peer_regions"].to_csv(tmp_path / "peer_regions.csv", index=False)
    read = read_tables(tmp_path)
    pd.testing.assert_frame_equal(read["peer_regions"], made["peer_regions"], check_dtype=False)
    assert read["peer_corridors"].empty and tuple(read["peer_corridors"].columns) == TABLES["peer_corridors"]


def _silent_panel(years) -> xr.Dataset:
    """One report, of none of the events; no refugee; two counts of stocks that grow by ten a year."""
    n = len(PLACES)
    stock = np.stack([np.full((n, n), 100.0), np.full((n, n), 100.0 + 10 * (years[-1] - years[0]))])
    return xr.Dataset(
        {"stock_observed": (("revision", "stock_year", "birthplace", "residence"), stock[None]),
         "flow_origin": ("observation", [PLACES.index("DEU")]), "flow_year": ("observation", [0]),
         "flow_destination": ("observation", [PLACES.index("FRA")]), "flow_witness": ("observation", [0]),
         "flow_persons": ("observation", [7.0])},
        coords={"year": years, "origin": PLACES, "destination": PLACES, "birthplace": PLACES, "residence": PLACES,
                "witness": ["oecd|FRA|immigration|residence|movement"], "revision": [2020],
                "stock_year": [int(years[0]), int(years[-1])]})
