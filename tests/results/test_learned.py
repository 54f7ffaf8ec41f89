"""What was read is held against what is said: errors worked out by hand, in each group of reports."""
import numpy as np
import pytest
import xarray as xr

from humanflows.errors import SchemaError
from humanflows.results.learned import COLUMNS, SIZES, displaced_fit, learned_fit

YEARS, PLACES = [2000, 2001, 2002], ["DEU", "ROU", "SWE", "SYR"]
WITNESSES = ["undesa_imfsc|SWE|immigration|residence|movement", "eurostat|SWE|emigration|residence|movement",
             "undesa_imfsc|ROU|emigration|residence|movement", "oecd|SWE|immigration|citizenship|movement",
             "meta|META|both|residence|transition"]
# series, year, origin, destination, reported, estimated less one over reported plus one
REPORTS = [(0, 0, 0, 2, 100, 2), (0, 1, 0, 2, 20_000, 1 / 2), (0, 2, 0, 2, 60_000, 1 / 4), (1, 0, 2, 0, 30_000, 8),
           (2, 0, 1, 0, 10, 100), (3, 0, 3, 2, 70_000, 1 / 3), (4, 1, 3, 0, 55_000, 1)]


@pytest.fixture
def panel():
    w, y, o, d, n, _ = np.array(REPORTS).T
    displaced = np.zeros((3, 4, 4))
    displaced[0, 3] = [60_000, 300, 90_000, 0]
    displaced[1, 3] = [120_000, 0, 20_000, 0]
    return xr.Dataset(
        {"flow_persons": ("observation", n), "displaced_flow": (("year", "origin", "destination"), displaced),
         **{f"flow_{k}": ("observation", v.astype(np.int16)) for k, v in (("year", y), ("origin", o),
                                                                         ("destination", d), ("witness", w))}},
        coords={"year": YEARS, "origin": PLACES, "destination": PLACES, "witness": WITNESSES})


@pytest.fixture
def flow(panel):
    values = np.zeros((3, 4, 4))
    for _, y, o, d, n, factor in REPORTS:
        values[y, o, d] = (1 + n) * factor - 1
    values[0, 3, 0] = 41_000        # of 60 thousand: within a factor of 1.5
    values[1, 3, 0] = 55_000        # of 120 thousand, and as Meta has it
    return xr.DataArray(values, dims=("year", "origin", "destination"),
                        coords={"year": YEARS, "origin": PLACES, "destination": PLACES})


def row(table, **where):
    for key, value in where.items():
        table = table[table[key] == value]
    assert len(table) == 1
    return table.iloc[0]


def test_errors_by_size_and_office(panel, flow):
    table = learned_fit(panel, np.ones(7, dtype=bool), flow)
    assert table.columns.tolist() == list(COLUMNS) and not table.duplicated(list(COLUMNS[:5])).any()
    trusted = {"criterion": "residence", "offices": "trusted", "collection": "every", "side": "every"}
    # factors 2, 1/2, 1/4, 8 for all; 1/2, 1/4, 8 above ten thousand; 1/4 above fifty
    for size, n, median, mean in (("all", 4, 0, 1.75), ("above 10 thousand", 3, -1, 2),
                                  ("above 50 thousand", 1, -2, 2)):
        found = row(table, **trusted, size=size)
        assert found["n"] == n and np.isnan(found["reached"])
        assert found["median_log_error"] == pytest.approx(median * np.log(2), abs=1e-9)
        assert found["abs_log_error"] == pytest.approx(mean * np.log(2))
    arrivals = row(table, **{**trusted, "side": "immigration"}, size="above 10 thousand")
    assert arrivals["n"] == 2 and arrivals["median_log_error"] == pytest.approx(-1.5 * np.log(2))
    assert row(table, **{**trusted, "collection": "eurostat"}, size="all")["n"] == 1
    # Romania is not trusted, Meta is no office, and a count by citizenship is of other people
    others = table[(table["criterion"] == "residence") & (table["offices"] == "others")]
    assert set(others["collection"]) == {"every", "undesa_imfsc", "meta"}
    assert row(others, collection="meta", side="both", size="above 50 thousand")["abs_log_error"] == pytest.approx(0)
    assert row(others, collection="every", side="emigration", size="all")["median_log_error"] == pytest.approx(
        np.log(100))
    assert set(table.loc[table["criterion"] == "citizenship", "offices"]) == {"others"}


def test_only_what_was_learned_from_counts(panel, flow):
    mask = np.zeros(7, dtype=bool)
    mask[0] = True
    table = learned_fit(panel, mask, flow)
    reports = table[table["collection"] != "unhcr"]
    assert set(reports["n"]) == {1} and set(reports["size"]) == {"all"}
    assert set(reports["side"]) == {"every", "immigration"}
    nothing = learned_fit(panel.drop_vars("displaced_flow"), np.zeros(7, dtype=bool), flow)
    assert nothing.empty and nothing.columns.tolist() == list(COLUMNS)


def test_the_displaced_may_be_exceeded_and_not_undercut(panel, flow):
    flow.loc[{"year": 2000, "origin": "SYR", "destination": "SWE"}] = 500_000      # of 90 thousand: others move, too
    table = displaced_fit(panel, flow)
    assert row(table, size="above 50 thousand")["n"] == 3
    assert row(table, size="above 50 thousand")["reached"] == pytest.approx(2 / 3)
    flow.loc[{"year": 2000, "origin": "SYR", "destination": "DEU"}] = 39_999.0
    assert row(displaced_fit(panel, flow), size="above 50 thousand")["reached"] == pytest.approx(1 / 3)
    assert row(table, size="all")["n"] == 5 and set(table["size"]) == set(SIZES)
    assert displaced_fit(panel.drop_vars("displaced_flow"), flow).empty


def test_arrays_and_other_orders_are_the_same(panel, flow):
    mask = np.ones(7, dtype=bool)
    wanted = learned_fit(panel, mask, flow)
    other = flow.isel(origin=[2, 0, 3, 1]).transpose("destination", "year", "origin")
    for given in (flow.values, other):
        assert learned_fit(panel, mask, given).equals(wanted)


@pytest.mark.parametrize(("mask", "change", "key"), [
    (np.ones(6, dtype=bool), lambda f: f, "mask"), (np.ones(7), lambda f: f, "mask"),
    (np.ones(7, dtype=bool), lambda f: f.values[:2], "flow"), (np.ones(7, dtype=bool), lambda f: f - 1e6, "flow"),
    (np.ones(7, dtype=bool), lambda f: f.isel(origin=[0, 1]), "flow"),
    (np.ones(7, dtype=bool), lambda f: f.rename(year="month"), "flow")])
def test_what_does_not_fit_is_named(panel, flow, mask, change, key):
    with pytest.raises(SchemaError) as caught:
        learned_fit(panel, mask, change(flow))
    assert caught.value.key == key
