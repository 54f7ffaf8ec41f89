"""Five-year flows: which cells, which sums, four measures, the same cells for everybody, intervals of differences."""
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from humanflows import paths
from humanflows.errors import SchemaError
from humanflows.results import five_year
from humanflows.results.five_year import (
    COLUMNS,
    MEASURES,
    compare_to_own,
    correlations,
    five_year_cells,
    kinds_of_moves,
    learned_peers,
    make_tables,
    reconstructed_flows,
    score_five_years,
    score_true_five_years,
    shares,
    sum_periods,
    territory_totals,
    values_at,
)
from humanflows.results.offices import TRUSTED, of_offices
from humanflows.results.scores import bootstrap_difference
from humanflows.results.validation import OWN

DIMS = ("origin", "destination")
PERSONS = st.floats(0, 1e6, allow_nan=False)


def noisy(truth, spread, seed) -> xr.DataArray:
    return truth * np.exp(np.random.default_rng(seed).normal(0, spread, truth.shape))


@pytest.fixture
def panel(panel, truth):
    people = 1e5 * (1 + np.arange(len(truth["origin"])))[None] * np.linspace(1, 1.3, len(truth["year"]) + 1)[:, None]
    return panel.assign_coords(date_year=[*truth["year"].values, 2015]).assign(
        population=(("date_year", "residence"), people))


# -- cells and sums ---------------------------------------------------------------------------------------------------
def test_cells_are_series_that_report_every_year(panel, splits, truth):
    cells = five_year_cells(panel, splits)
    imfsc = cells[cells["collection"] == "undesa_imfsc"]
    # five corridors each way in 2000–04 and 2005–09; 2010–14 lacks 2014 in this collection; FRA–DEU lacks 2007
    assert imfsc.groupby(["side", "year"]).size().to_dict() == {
        ("emigration", 2000): 5, ("emigration", 2005): 5, ("immigration", 2000): 5, ("immigration", 2005): 4}
    assert set(cells.loc[cells["collection"] == "oecd", "year"]) == {2000, 2005, 2010}
    one = cells[(cells["origin"] == "MEX") & (cells["destination"] == "DEU") & (cells["year"] == 2005)].iloc[0]
    series = truth.sel(origin="MEX", destination="DEU")
    assert one["persons"] == pytest.approx(float(series.sel(year=slice(2005, 2009)).sum()))
    people = panel["population"].sel(residence="MEX")
    assert one["population"] == pytest.approx(float(people.sel(date_year=[2005, 2010]).mean()))
    assert panel["flow_year"].values[one["observation"]] == 5


def test_mid_year_cells_take_half_of_the_first_and_of_the_sixth_year(panel, splits, truth):
    cells = five_year_cells(panel, splits, window="mid_year")
    assert set(cells["year"]) == {2000, 2005}           # 2010–15 needs 2015
    assert not ((cells["origin"] == "FRA") & (cells["destination"] == "DEU") & (cells["year"] == 2005)).any()
    one = cells[(cells["origin"] == "MEX") & (cells["destination"] == "USA") & (cells["year"] == 2000)].iloc[0]
    series = truth.sel(origin="MEX", destination="USA")
    expected = (series.sel(year=2000) + series.sel(year=2005)) / 2 + series.sel(year=slice(2001, 2004)).sum()
    assert one["persons"] == pytest.approx(float(expected))


@pytest.mark.parametrize("window", ["calendar", "mid_year"])
def test_what_offices_report_and_what_is_estimated_are_summed_alike(panel, splits, truth, window):
    cells = five_year_cells(panel, splits, window=window)
    np.testing.assert_allclose(values_at(truth, cells, window=window), cells["persons"])
    np.testing.assert_allclose(values_at(sum_periods(truth, window=window), cells, window=window), cells["persons"])


@given(arrays(float, (12, 2, 2), elements=PERSONS))
def test_mid_year_is_the_mean_of_two_calendar_windows_a_year_apart(values):
    coords = {"year": range(2000, 2012), **{d: ["A", "B"] for d in DIMS}}
    flow = xr.DataArray(values, dims=("year", *DIMS), coords=coords)
    shifted = flow.assign_coords(year=flow["year"] - 1)
    expected = (sum_periods(flow) + sum_periods(shifted)) / 2
    got = sum_periods(flow, window="mid_year")
    assert got["period"].values.tolist() == [2000, 2005]
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-6)


def test_a_missing_year_is_a_missing_sum(truth, panel, splits):
    holed = truth.copy()
    holed.loc[{"year": 2003}] = np.nan
    assert np.isnan(sum_periods(holed).sel(period=2000)).all() and sum_periods(holed).sel(period=2005).notnull().all()
    short = sum_periods(truth.sel(year=slice(2001, 2008)))
    assert short.sizes["period"] == 0
    assert np.isnan(values_at(short, five_year_cells(panel, splits))).all()
    fewer = truth.sel(origin=["DEU", "FRA"])
    known = np.isfinite(values_at(fewer, five_year_cells(panel, splits)))
    assert (known == five_year_cells(panel, splits)["origin"].isin(["DEU", "FRA"])).all()


def test_bad_peers_and_windows_are_refused(truth, panel, splits):
    cells = five_year_cells(panel, splits)
    with pytest.raises(SchemaError, match="window"):
        five_year_cells(panel, splits, window="decade")
    with pytest.raises(SchemaError, match="dims"):
        values_at(truth.transpose("origin", "year", "destination"), cells)
    with pytest.raises(SchemaError, match="dims"):
        sum_periods(truth.isel(year=0))
    single = xr.DataArray(panel["flow_persons"].values, dims="observation")
    with pytest.raises(SchemaError, match="horizon"):
        values_at(single, cells)
    with pytest.raises(SchemaError, match="humanflows"):
        score_five_years(truth, panel, splits, {OWN: truth}, draws=5)
    with pytest.raises(SchemaError, match=r"negative.*odd"):
        score_five_years(truth, panel, splits, {"odd": -truth}, draws=5)


# -- measures ---------------------------------------------------------------------------------------------------------
@given(arrays(float, 12, elements=PERSONS), arrays(int, 12, elements=st.integers(0, 4)))
def test_shares_of_a_group_add_up_to_one_or_nobody_moves(persons, group):
    share = shares(persons, group)
    for g in np.unique(group):
        mine = group == g
        if mine.sum() == 1:
            assert np.isnan(share[mine]).all()
        else:
            total = share[mine].sum()
            assert total == pytest.approx(1) if persons[mine].sum() > 0 else total == 0


def test_the_truth_scores_one_in_every_measure_and_differs_from_itself_by_nothing(truth, panel, splits):
    table = score_five_years(truth, panel, splits, {"same": truth}, draws=20)
    assert table.columns.tolist() == list(COLUMNS)
    assert set(table["window"]) == {"calendar", "mid_year"} and set(table["part"]) == {"held_out", "all"}
    for measure in MEASURES:
        known = table[measure].dropna()
        assert len(known) and np.allclose(known, 1)
        assert np.allclose(table.loc[known.index, f"{measure}_difference"], 0)
        assert np.allclose(table.loc[known.index, [f"{measure}_lower", f"{measure}_upper"]].dropna(), 0, atol=1e-12)
    assert np.allclose(table["cpc"], 1) and np.allclose(table["log_bias"], 0)
    # Immigration as one office reports it has one destination for each origin: a share of one says nothing.
    alone = table[(table["collection"] == "undesa_imfsc") & (table["side"] == "immigration")]
    assert alone["proportion"].isna().all() and (alone["n_proportion"] == 0).all()


def test_a_factor_for_each_origin_is_lost_in_proportions_alone(truth, panel, splits):
    factor = xr.DataArray([1, 30, 0.1, 5, 2, 0.5], dims="origin", coords={"origin": truth["origin"].values})
    table = score_five_years(truth, panel, splits, {"scaled": truth * factor}, draws=20)
    rows = table[(table["peer"] == "scaled") & (table["side"] == "emigration") & (table["part"] == "all")]
    assert np.allclose(rows["proportion"], 1) and np.allclose(rows["log_bias"], np.log(30))
    rows = table[(table["peer"] == "scaled") & (table["collection"] == "oecd") & (table["part"] == "all")]
    assert (rows[["count", "log_count", "rate"]] < 0.999).all().all()


def test_shares_of_held_out_cells_are_shares_of_all_cells(truth, panel, splits):
    peer = noisy(truth, 1, 5)
    table = score_five_years(truth, panel, splits, {"peer": peer}, windows=["calendar"], draws=5)
    cells = five_year_cells(panel, splits)
    group = cells[(cells["side"] == "emigration")].reset_index(drop=True)
    key = group["year"].to_numpy()
    of = [shares(v, key // 5) for v in (group["persons"].to_numpy(), values_at(peer, group))]
    hidden = (group["part"] == "held_out").to_numpy()
    assert 1 < hidden.sum() < len(group)
    row = table[(table["side"] == "emigration") & (table["part"] == "held_out") & (table["peer"] == "peer")].iloc[0]
    assert row["proportion"] == pytest.approx(np.corrcoef(of[0][hidden], of[1][hidden])[0, 1])
    people = group["population"].to_numpy()
    rates = [v[hidden] / people[hidden] for v in (group["persons"].to_numpy(), values_at(peer, group))]
    assert row["rate"] == pytest.approx(np.corrcoef(*rates)[0, 1])


def test_everybody_is_scored_on_the_same_cells(truth, panel, splits):
    holed = sum_periods(noisy(truth, 0.5, 1), window="mid_year")
    holed.loc[{"period": 2005, "origin": "DEU"}] = np.nan
    peers = {"holed": holed, "late": holed.isel(period=[])}
    table = score_five_years(noisy(truth, 0.2, 2), panel, splits, peers, draws=5)
    assert (table.groupby(["window", "part", *five_year.SETS])["n"].nunique() == 1).all()
    assert "late" not in set(table["peer"])             # left out, instead of emptying every set
    own = table.query("window == 'calendar' and part == 'all' and side == 'emigration' and peer == @OWN").iloc[0]
    assert (own["n"], own["dropped"]) == (5, 5)
    ours = table[table["peer"] == OWN]
    assert (ours["learned_from"] != "").all() and table[table["collection"] == "oecd"]["note"].str.len().gt(0).all()


# -- intervals --------------------------------------------------------------------------------------------------------
def test_intervals_are_those_of_the_bootstrap_of_scores():
    rng = np.random.default_rng(4)
    corridor = rng.integers(0, 40, 200)
    observed = np.exp(rng.normal(5, 2, 200))
    first, second = (observed * np.exp(rng.normal(0, s, 200)) for s in (0.4, 0.9))
    expected = bootstrap_difference(observed, second, first, corridor, draws=300, seed=7)
    for score, scale in (("r", lambda x: x), ("log_r", np.log1p)):
        table = correlations(scale(observed), {"first": scale(first), "second": scale(second)}, corridor, draws=300,
                             seed=7)
        np.testing.assert_allclose(table.loc["second", ["difference", "lower", "upper"]].astype(float),
                                   expected.loc[score, ["difference", "lower", "upper"]].astype(float), rtol=1e-9)
        assert table.loc["first", ["difference", "lower", "upper"]].tolist() == [0, 0, 0]


def test_what_is_constant_or_empty_has_no_correlation():
    table = correlations(np.ones(5), {"a": np.arange(5.0), "b": np.arange(5.0)}, np.arange(5), draws=10)
    assert table.isna().all().all()
    table = correlations(np.array([np.nan, 1.0]), {"a": np.ones(2), "b": np.ones(2)}, np.arange(2), draws=10)
    assert table.isna().all().all()


def test_verdicts_count_intervals_beside_zero():
    rows = {f"{m}_{e}": [0.0, v, w] for m in MEASURES for e, v, w in (("lower", -0.2, 0.1), ("upper", -0.1, 0.3))}
    verdict = compare_to_own(pd.DataFrame({"peer": [OWN, "worse", "better"], **rows})).set_index(["peer", "measure"])
    assert verdict.loc[("worse", "rate"), ["sets", "behind", "ahead"]].tolist() == [1, 1, 0]
    assert verdict.loc[("better", "count"), ["sets", "behind", "ahead"]].tolist() == [1, 0, 1]
    assert OWN not in verdict.index


# -- a simulated world ------------------------------------------------------------------------------------------------
def test_methods_are_named_and_cover_what_they_estimate(small_tables, small_panel):
    places = list(small_panel["origin"].values)
    years = small_panel["year"].values.tolist()
    revisions = sorted(small_tables["stock"]["revision"].unique())
    both = reconstructed_flows(small_tables, years, places, revisions=revisions)
    newest = int(small_tables["stock"]["revision"].max())
    one = reconstructed_flows(small_tables, years, places, methods=["da_pb_closed"])
    name = f"demographic accounting, pseudo-Bayes, stocks of {newest}"
    assert list(one) == [name] and name in both and len(both) == 6 * len(revisions)
    assert one[name].dims == ("period", *DIMS) and one[name].attrs["revision"] == newest
    xr.testing.assert_equal(one[name], both[name])
    expected = small_tables["reconstruction"].set_index(["year", "origin", "destination"])["persons"]
    for (year, o, d), persons in expected.sample(20, random_state=1).items():
        assert float(one[name].sel(period=year, origin=o, destination=d)) == pytest.approx(persons)


def test_persistence_has_gravity_stand_in_before_the_first_report(small_panel, small_splits):
    peers = learned_peers(small_panel, small_splits)
    assert list(peers) == ["gravity", "gravity with stocks", "persistence", "mean of corridor"]
    for name in ("persistence", "mean of corridor"):
        assert np.isfinite(peers[name].values).all() and peers[name].attrs["horizon"] == "five_year"
        assert "gravity" in peers[name].attrs["learned_from"]
    first = small_panel["flow_year"].values == 0
    where = tuple(small_panel[f"flow_{k}"].values[first].astype(int) for k in ("year", "origin", "destination"))
    np.testing.assert_allclose(peers["persistence"].values[first], peers["gravity"].values[where])


def test_the_truth_is_recovered_by_itself_over_every_corridor(small_world, small_panel, small_splits):
    truth = small_world.truth.flow.transpose("year", *DIMS)
    reports = xr.DataArray(small_panel["flow_persons"].values, dims="observation", attrs={"horizon": "five_year"})
    table = score_true_five_years(truth, truth, small_panel, small_splits, {"half": truth / 2, "reports": reports},
                                  draws=10)
    assert set(table["peer"]) == {OWN, "half"} and set(table["collection"]) == {"truth"}
    n, periods = truth.sizes["origin"], sum_periods(truth, window="mid_year").sizes["period"]
    whole = table[table["part"] == "all"].set_index("peer")
    assert whole["n"].tolist() == [n * (n - 1) * periods] * 2
    assert np.allclose(whole.loc[OWN, list(MEASURES)].astype(float), 1)
    assert whole.loc["half", "log_bias"] == pytest.approx(-np.log(2))
    assert np.allclose(whole.loc["half", ["count", "proportion", "rate"]].astype(float), 1)
    with pytest.raises(SchemaError, match="window"):
        score_true_five_years(truth, truth, small_panel, small_splits, {}, window="decade")


def test_tables_of_the_release_hold_scores_and_own_totals(small_world, small_tables, small_panel, small_splits):
    truth = small_world.truth.flow.transpose("year", *DIMS)
    published = {"somebody": sum_periods(truth, window="mid_year").assign_attrs(learned_from="the truth")}
    made = make_tables(truth, small_panel, small_splits, small_tables, published, draws=5)
    assert set(made) == {"five_year_scores", "five_year_totals"}
    scores, totals = made["five_year_scores"], made["five_year_totals"]
    assert {OWN, "somebody", "gravity", "persistence"} <= set(scores["peer"])
    assert (scores.loc[scores["peer"] == "somebody", "learned_from"] == "the truth").all()
    assert "somebody" not in set(totals["peer"]) and totals["peer"].nunique() == 6 and totals["period"].nunique() == 1


# -- totals and kinds -------------------------------------------------------------------------------------------------
def test_everybody_who_leaves_arrives(truth):
    flow = sum_periods(truth)
    totals = territory_totals({"a": flow, "b": 2 * flow})
    sums = totals.groupby(["peer", "period"])[["arrivals", "departures"]].sum()
    np.testing.assert_allclose(sums["arrivals"], sums["departures"])
    assert sums.loc[("b", 2005), "arrivals"] == pytest.approx(2 * float(flow.sel(period=2005).sum()))
    holed = flow.where((flow["origin"] != "MEX") & (flow["destination"] != "MEX"))
    assert set(totals["territory"]) - set(territory_totals({"a": holed}, [2005])["territory"]) == {"MEX"}
    assert territory_totals({"a": flow}, [2005])["period"].unique().tolist() == [2005]
    assert territory_totals({}).empty


@given(arrays(float, (3, 3, 3), elements=PERSONS))
def test_moves_are_of_three_kinds(values):
    flow = xr.DataArray(values, dims=("birthplace", *DIMS), coords={d: list("ABC") for d in ("birthplace", *DIMS)})
    kinds = {"leave": 0.0, "return": 0.0, "onward": 0.0}
    for (b, o, d), persons in np.ndenumerate(values):
        if o != d:
            kinds["leave" if b == o else "return" if b == d else "onward"] += persons
    got = kinds_of_moves(flow.transpose("origin", "birthplace", "destination"))
    assert got.index.tolist() == list(kinds)
    np.testing.assert_allclose(got, list(kinds.values()), rtol=1e-9, atol=1e-6)


def test_kinds_need_birthplaces(truth):
    with pytest.raises(SchemaError, match="birthplace"):
        kinds_of_moves(truth.isel(year=0))


def test_trusted_offices_have_rows_of_their_own(truth, panel, splits):
    renamed = panel.assign_coords(witness=[str(w).replace("undesa_imfsc|DEU", "undesa_imfsc|FRA")
                                           for w in panel["witness"].values])
    half = (truth / 2).assign_attrs(learned_from="half")
    table = score_five_years(truth, renamed, splits, {"half": half}, windows=("calendar",), draws=5)
    trusted = of_offices(table, TRUSTED)
    assert set(trusted["collection"]) == {"undesa_imfsc"} and set(trusted["criterion"]) == {"residence"}
    assert np.allclose(trusted.loc[trusted["peer"] == "half", "log_bias"], -np.log(2))
    keys = ["window", "part", "collection", "side", "criterion", "peer"]
    whole = of_offices(table).set_index(keys).loc[trusted.set_index(keys).index]
    # In this panel all that is reported by residence comes from one office: both rows are of the same cells.
    assert len(trusted) and (whole["n"].to_numpy() == trusted["n"].to_numpy()).all()
    assert of_offices(score_five_years(truth, panel, splits, {}, windows=("calendar",), draws=5), TRUSTED).empty
    both = compare_to_own(table), compare_to_own(table, TRUSTED)
    assert both[0]["sets"].sum() > both[1]["sets"].sum() > 0


COMMITTED = paths.RELEASE / "five_year_scores.csv"


@pytest.mark.skipif(not COMMITTED.is_file(), reason="no five-year scores in this checkout")
def test_the_committed_scores_are_of_the_real_world_and_fair():
    scores = pd.read_csv(COMMITTED, keep_default_na=False, na_values=[""])
    assert scores.columns.tolist() == list(COLUMNS)
    scores = of_offices(scores)
    assert {"undesa_imfsc", "eurostat", "statsnz", "oecd"} <= set(scores["collection"])
    assert "meta" not in set(scores["collection"])      # a platform is no office
    groups = scores.groupby(["window", "part", *five_year.SETS])
    assert (groups["n"].nunique() == 1).all() and (groups["peer"].nunique() == groups.size()).all()
    assert (groups["peer"].first() == OWN).all()
    known = scores[list(MEASURES)].to_numpy(float)
    assert np.nanmin(known) >= -1 and np.nanmax(known) <= 1
    for measure in MEASURES:
        rows = scores[scores[f"{measure}_lower"].notna()]
        assert (rows[f"{measure}_lower"] <= rows[f"{measure}_upper"]).all()
    assert scores["learned_from"].str.len().gt(0).all()
    # Differencing one revision twice is the same estimate: ours of 2020 and the published one are no rivals.
    ours, theirs = (scores[scores["peer"] == p].set_index(["window", "part", *five_year.SETS])["log_count"] for p in (
        "stock difference, drop negative, stocks of 2020", "Abel & Cohen 2023: stock difference, drop negative"))
    assert len(theirs) == len(ours) and (ours - theirs).abs().max() < 2e-3
