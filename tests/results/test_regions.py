"""Sums over regions, worked out by hand on four territories of three regions."""
import numpy as np
import pytest
import xarray as xr

from humanflows.errors import InputError
from humanflows.results.regions import COLUMNS, PAIR_COLUMNS, region_pairs, regional_totals

PLACES = ["DEU", "FRA", "KEN", "USA"]     # Europe twice, Sub-Saharan Africa, Northern America
EUROPE, AFRICA, AMERICA = "Europe", "Sub-Saharan Africa", "Northern America"


@pytest.fixture
def flow():
    values = np.array([[0, 5, 1, 2], [7, 0, 3, 4], [10, 20, 0, 30], [100, 200, 300, 0]], float)
    return xr.DataArray(np.stack([values, 2 * values]), dims=("year", "origin", "destination"),
                        coords={"year": [2000, 2001], "origin": PLACES, "destination": PLACES})


def test_totals_of_a_region_leave_out_what_moves_within_it(flow):
    table = regional_totals({"humanflows": flow})
    assert tuple(table.columns) == COLUMNS
    first = table[table.year == 2000].set_index("region")
    assert first.loc[EUROPE, ["inflow", "outflow", "net", "within"]].tolist() == [330, 10, 320, 12]
    assert first.loc[AFRICA, ["inflow", "outflow", "net", "within"]].tolist() == [304, 60, 244, 0]
    assert first.loc[AMERICA, ["inflow", "outflow", "net", "within"]].tolist() == [36, 600, -564, 0]
    assert first.territories.to_dict() == {EUROPE: 2, AFRICA: 1, AMERICA: 1}
    twice = table[table.year == 2001].set_index("region")
    assert (twice.inflow == 2 * first.inflow).all()


def test_net_migration_of_all_regions_is_zero_and_all_moves_are_counted_once(flow):
    table = regional_totals({"humanflows": flow})
    by_year = table.groupby("year")
    assert by_year.net.sum().tolist() == [0, 0]
    moves = by_year.inflow.sum() + by_year.within.sum()
    assert moves.tolist() == flow.sum(("origin", "destination")).values.tolist()


def test_five_year_periods_keep_their_sums_and_are_marked(flow):
    table = regional_totals({"ours": flow, "theirs": flow.rename(year="period")})
    horizon = table.groupby("peer").horizon.unique()
    assert horizon["ours"].tolist() == ["annual"] and horizon["theirs"].tolist() == ["five_year"]
    assert table[table.peer == "theirs"].inflow.tolist() == table[table.peer == "ours"].inflow.tolist()


def test_what_a_peer_does_not_speak_about_is_nobody_and_a_silent_year_is_left_out(flow):
    part = flow.copy()
    part.loc[{"year": 2001}] = np.nan
    part.loc[{"origin": "KEN"}] = np.nan
    part.loc[{"destination": "KEN"}] = np.nan
    table = regional_totals({"theirs": part}).set_index("region")
    assert table.year.unique().tolist() == [2000]
    assert table.loc[AFRICA, ["inflow", "outflow", "territories"]].tolist() == [0, 0, 0]
    assert table.loc[EUROPE, "outflow"] == 6


def test_a_diagonal_is_no_move(flow):
    still = flow.copy()
    still.values[:, range(4), range(4)] = 1e6
    assert regional_totals({"a": still}).equals(regional_totals({"a": flow}))


def test_peers_without_places_are_passed_over_and_nobody_makes_no_table(flow):
    cells = xr.DataArray(np.ones(3), dims="observation")
    assert regional_totals({"ours": flow, "persistence": cells}).peer.unique().tolist() == ["ours"]
    assert tuple(regional_totals({}).columns) == COLUMNS and regional_totals({}).empty


def test_an_estimate_without_destinations_is_refused(flow):
    with pytest.raises(InputError, match="dimensions"):
        regional_totals({"net": flow.sum("destination")})


def test_pairs_are_means_of_a_year_and_need_all_of_their_years(flow):
    table = region_pairs({"theirs": flow}, [(2000, 2001), (2000, 2002)])
    assert tuple(table.columns) == PAIR_COLUMNS and set(zip(table["first"], table["last"])) == {(2000, 2001)}
    moves = table.set_index(["origin_region", "destination_region"]).persons
    assert moves[EUROPE, EUROPE] == pytest.approx(1.5 * 12) and moves[AMERICA, EUROPE] == pytest.approx(1.5 * 300)
    assert moves.sum() == pytest.approx(1.5 * float(flow.sel(year=2000).sum()))
    assert region_pairs({}).empty
