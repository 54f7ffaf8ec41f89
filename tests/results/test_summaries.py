"""Tables for reading, worked out by hand on three places and two or three years."""
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from humanflows.errors import InputError, SchemaError
from humanflows.results import summaries
from humanflows.schema import STATUS

PLACES = ["DEU", "MEX", "USA"]
YEARS = [2000, 2001]
WITNESSES = ["undesa_imfsc|USA|immigration|residence|movement", "undesa_imfsc|MEX|emigration|residence|movement",
             "oecd|DEU|immigration|citizenship|movement", "meta|META|both|residence|transition"]


@pytest.fixture
def flow() -> xr.DataArray:
    values = np.array([[[0, 1, 2], [3, 0, 500], [4, 5, 0]], [[0, 1, 2], [3, 0, 700], [4, 15, 0]]], dtype=np.float32)
    return xr.DataArray(values, dims=("year", "origin", "destination"),
                        coords={"year": YEARS, "origin": PLACES, "destination": PLACES})


@pytest.fixture
def small_panel() -> xr.Dataset:
    #        witness, year, origin, destination, persons
    rows = [(0, 0, 1, 2, 400.0), (0, 1, 1, 2, 600.0), (1, 0, 1, 2, 200.0), (1, 1, 1, 0, 50.0), (2, 1, 1, 0, 900.0),
            (0, 0, 0, 2, 80.0), (3, 1, 2, 1, 30.0), (3, 1, 2, 0, 20.0)]
    w, y, o, d, persons = (np.array(c) for c in zip(*rows))
    along = "observation"
    births = np.array([[10.0, 20, 30], [10, 20, 30]])
    deaths, net = births / 2, np.array([[1.0, -3, 2], [0, -5, 5]])
    population = np.array([100.0, 200, 300]) + np.vstack([np.zeros(3), (births - deaths + net).cumsum(0)])
    status = np.full((2, 3), STATUS.index("reported"), np.int8)
    status[1, :] = STATUS.index("carried_forward")
    return xr.Dataset(
        {"flow_persons": (along, persons), "flow_year": (along, y), "flow_origin": (along, o),
         "flow_destination": (along, d), "flow_witness": (along, w),
         "witness_criterion": ("witness", np.array([x.split("|")[3] for x in WITNESSES])),
         "witness_source": ("witness", np.array([x.split("|")[0] for x in WITNESSES])),
         "births": (("year", "residence"), births), "deaths": (("year", "residence"), deaths),
         "net_migration": (("year", "residence"), net), "population": (("date_year", "residence"), population),
         "births_status": (("year", "residence"), status)},
        coords={"year": YEARS, "date_year": [*YEARS, 2002], "origin": PLACES, "destination": PLACES,
                "residence": PLACES, "witness": WITNESSES})


def test_reported_flows_name_what_they_are(small_panel):
    table = summaries.reported_flows(small_panel)
    assert table.iloc[0].to_dict() == {
        "year": 2000, "origin": "MEX", "destination": "USA", "corridor": "MEX-USA", "collection": "undesa_imfsc",
        "reporter": "USA", "side": "immigration", "criterion": "residence", "persons": 400.0}
    assert table.persons.tolist() == small_panel.flow_persons.values.tolist()


def test_the_largest_reported_corridors_are_by_residence(small_panel):
    # 900 by citizenship do not count; 80 and 50 do
    assert summaries.largest_reported_corridors(small_panel, years=2) == [
        "MEX-USA", "DEU-USA", "MEX-DEU", "USA-MEX", "USA-DEU"]
    assert summaries.largest_reported_corridors(small_panel, 1) == ["MEX-USA"]


def test_a_long_series_comes_before_a_large_single_report(small_panel):
    panel = small_panel.copy(deep=True)
    panel.flow_persons.values[5] = 1e6
    assert summaries.largest_reported_corridors(panel, 2, years=2) == ["MEX-USA", "DEU-USA"]


def test_largest_flows(flow):
    table = summaries.largest_flows(flow, 2)
    assert table.corridor.tolist() == ["MEX-USA", "USA-MEX"]
    assert table["from"].tolist()[0] == "Mexico"
    assert table[["first", "last", "mean"]].values.tolist() == [[500, 700, 600], [5, 15, 10]]


def test_flow_values(flow):
    cells = pd.DataFrame({"year": [2001, 2000], "origin": ["MEX", "USA"], "destination": ["USA", "DEU"]})
    assert summaries.flow_values(flow, cells).tolist() == [700, 4]
    with pytest.raises(KeyError, match="2002"):
        summaries.flow_values(flow, cells.assign(year=2002))


def test_two_reports(small_panel):
    table = summaries.two_reports(small_panel)
    assert table.values.tolist() == [["undesa_imfsc", "MEX-USA", 2000, 400.0, 200.0, 0.5]]
    assert summaries.two_reports(small_panel, smallest=300).empty


def test_two_reports_where_one_side_is_never_reported(small_panel):
    only = small_panel.isel(observation=[0, 1])
    assert summaries.two_reports(only).empty


def test_demographic_account_closes_and_shows_what_does_not(small_panel):
    account = summaries.demographic_account(small_panel, ["USA", "MEX"], 2000)
    assert account.index.tolist() == ["USA", "MEX"]
    assert account.loc["MEX"].tolist() == [200, 20, 10, -3, 207, 0]
    broken = small_panel.assign(births=small_panel.births + 1)
    assert summaries.demographic_account(broken, PLACES, 2000).remainder.tolist() == [-1, -1, -1]


def test_status_table(small_panel):
    table = summaries.status_table(small_panel)
    assert table.to_dict("index") == {"births": {"reported": 0.5, "carried_forward": 0.5}}


def test_territory_history(flow):
    history = summaries.territory_history(flow, "USA")
    assert history.loc[2001].tolist() == [702, 19, 683]
    with pytest.raises(InputError, match="XXX"):
        summaries.territory_history(flow, "XXX")


def test_foreign_born():
    stock = xr.DataArray(np.array([[[90.0, 5, 20], [10, 45, 30], [0, 0, 50]]]),
                         dims=("date_year", "birthplace", "residence"),
                         coords={"date_year": [2000], "birthplace": PLACES, "residence": PLACES})
    table = summaries.foreign_born(stock, 2000)
    assert table.index.tolist() == ["USA", "DEU", "MEX"]
    assert table.loc["USA", ["residents", "foreign_born", "share"]].tolist() == [100, 50, 0.5]


def test_true_and_estimated_marks_what_was_seen(flow, small_panel):
    train = ~np.eye(3, dtype=bool)
    train[1, 0] = train[2, 0] = False
    splits = xr.Dataset({"train": (("origin", "destination"), train)})
    table = summaries.true_and_estimated(flow, flow * 2, small_panel, splits)
    assert len(table) == 2 * 6 and np.allclose(table.estimated, 2 * table.true)
    assert table.true.sum() == flow.sum()
    seen = table.groupby(["origin", "destination"]).seen.first()
    assert seen.to_dict() == {
        ("MEX", "USA"): summaries.SEEN[0], ("DEU", "USA"): summaries.SEEN[0],
        ("MEX", "DEU"): summaries.SEEN[1],    # an office reports it, and it is not trained on
        ("USA", "MEX"): summaries.SEEN[2],    # the platform alone, and trained on
        ("USA", "DEU"): summaries.SEEN[3],    # the platform alone, and kept away
        ("DEU", "MEX"): summaries.SEEN[3]}    # nobody speaks about it
    with pytest.raises(SchemaError, match="year"):
        summaries.true_and_estimated(flow, flow.isel(year=[0]), small_panel, splits)


def test_learned_biases():
    table = summaries.learned_biases(WITNESSES, np.log([1.5, 0.5, 1.0, 2.0]))
    assert table.reporter.tolist() == ["MEX", "DEU", "USA", "META"]
    assert np.allclose(table.factor, [0.5, 1.0, 1.5, 2.0])
    with pytest.raises(SchemaError):
        summaries.learned_biases(WITNESSES, np.zeros(2))


def test_split_corridor():
    assert summaries.split_corridor("MEX-USA") == ("MEX", "USA")
    with pytest.raises(InputError):
        summaries.split_corridor("MEXUSA")


def test_what_a_reader_asks_for_is_one_of_what_there_is():
    codes, years = np.array(["COL", "VEN"]), np.array([1999, 2000])
    assert summaries.choose(None, codes, codes[0]) == "COL" and summaries.choose("VEN", codes, "COL") == "VEN"
    year = summaries.choose(None, years, years[-1])
    assert type(year) is int and year == 2000 and summaries.choose(1999, years, 2000) == 1999
    for wanted, among in (("VNE", codes), (2001, years), ("1999", years)):
        with pytest.raises(InputError) as caught:
            summaries.choose(wanted, among, among[0])
        assert caught.value.key == wanted
    with pytest.raises(InputError, match="VEN"):
        summaries.choose("VNE", codes, "COL")


def test_a_corridor_that_a_reader_asks_for():
    codes = np.array(["COL", "VEN"])
    assert summaries.choose_corridor(None, codes) is None
    assert summaries.choose_corridor(None, codes, "COL-VEN") == "COL-VEN"
    assert summaries.choose_corridor("VEN-COL", codes, "COL-VEN") == "VEN-COL"
    for wanted in ("VEN-USA", "VEN", "VEN-COL-USA"):
        with pytest.raises(InputError):
            summaries.choose_corridor(wanted, codes)
