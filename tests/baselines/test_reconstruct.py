"""From tidy tables to reconstructed rows: what is filled, repaired, left out, and refused."""
import numpy as np
import pandas as pd
import pytest

from humanflows.baselines.accounts import REPAIR_COLUMNS
from humanflows.baselines.reconstruct import METHODS, build_periods, reconstruct, reconstruct_reported
from humanflows.errors import InputError
from humanflows.schema import validate

PLACES = ("AUT", "CHE", "DEU")
YEARS = (2000, 2005, 2010)


def stock_rows(values, revision=2020, definition="foreign_born"):
    """Rows from {(year, birthplace, residence): persons}."""
    return pd.DataFrame([("undesa_ims", revision, y, b, r, float(v), definition, "reported")
                         for (y, b, r), v in values.items()],
                        columns=["source", "revision", "year", "birthplace", "residence", "persons", "definition",
                                 "status"])


def steady(places=PLACES, years=YEARS, growth=10.0):
    """Hundred people of each birthplace in each other residence, ten more every stock year."""
    return {(y, b, r): 100 + growth * k for k, y in enumerate(years) for b in places for r in places if b != r}


def series_rows(places=PLACES, years=range(2000, 2011), population=10_000.0, births=100.0, deaths=80.0):
    """Populations follow from births and deaths alone: nobody migrates on balance."""
    rows = [("wpp", v, p, y, x, "estimated") for y in years for p in places for v, x in (
        ("births", births), ("deaths", deaths), ("population_midyear", population + (births - deaths) * (y - 2000)))]
    return pd.DataFrame(rows, columns=["source", "variable", "territory", "year", "value", "status"])


@pytest.fixture
def tables():
    return {"stock": stock_rows(steady()), "territory_year": series_rows()}


def test_rows_are_a_valid_table_of_our_own_name(tables):
    rows = reconstruct(tables, method=list(METHODS))
    assert validate(rows, "reconstruction", file="test") is not None
    # nobody migrates on balance, hence no total to spread by rates
    assert set(rows["source"]) == {"humanflows"} and set(rows["method"]) == set(METHODS) - {"mig_rate"}
    assert set(rows["year"]) == {2000, 2005} and (rows["persons"] > 0).all() and (rows.origin != rows.destination).all()
    # each foreign-born stock grew by ten in either period
    drop = rows[(rows["method"] == "sd_drop_neg") & (rows["year"] == 2000)]
    assert len(drop) == 6 and (drop["persons"] == 10).all()


def test_the_default_is_pseudo_bayes_and_equals_the_method_itself(tables):
    rows = reconstruct(tables)
    assert set(rows["method"]) == {"da_pb_closed"}
    period = build_periods(tables)[0]
    flow = METHODS["da_pb_closed"](period.stock_start, period.stock_end, period.births, period.deaths).corridors
    found = rows[rows["year"] == 2000].set_index(["origin", "destination"])["persons"]
    for (o, d), persons in found.items():
        assert persons == pytest.approx(float(flow.sel(origin=o, destination=d)))


def test_births_and_deaths_run_from_mid_year_to_mid_year(tables):
    frame = tables["territory_year"]
    chosen = (frame["variable"] == "births") & (frame["territory"] == "CHE")
    frame.loc[chosen, "value"] = frame.loc[chosen, "year"] - 1999.0          # 1, 2, … 11
    period = build_periods(tables)[0]
    assert period.births.sel(residence="CHE") == 0.5 * 1 + 2 + 3 + 4 + 5 + 0.5 * 6
    assert period.deaths.sel(residence="AUT") == 5 * 80
    assert period.stock_start.sum("birthplace").values.tolist() == [10_000] * 3


def test_only_five_year_periods_by_default_and_others_when_named(tables):
    more = steady(years=(2000, 2005, 2009))
    tables["stock"] = stock_rows(more)
    assert [p.years for p in build_periods(tables)] == [(2000, 2005)]
    assert [p.years for p in build_periods(tables, [(2005, 2009)])] == [(2005, 2009)]
    assert set(reconstruct(tables, [(2005, 2009)])["year"]) == {2005}
    with pytest.raises(InputError, match="no stocks for the two years") as raised:
        build_periods(tables, [(2000, 2010)])
    assert raised.value.key == "2000–2010"


def test_gaps_of_a_revision_are_filled_without_inventing_moves(tables):
    """AUT-born in DEU: missing in the new revision, level in the old one until 2005, unknown in 2010."""
    new, old = steady(), {(2000, "AUT", "DEU"): 500.0, (2005, "AUT", "DEU"): 500.0}
    for year in YEARS:
        del new[year, "AUT", "DEU"]
        del new[year, "DEU", "CHE"]
    tables["stock"] = pd.concat([stock_rows(new, 2024), stock_rows(old, 2020)], ignore_index=True)
    periods = build_periods(tables)
    assert [float(p.stock_start.sel(birthplace="AUT", residence="DEU")) for p in periods] == [500, 500]
    assert float(periods[1].stock_end.sel(birthplace="AUT", residence="DEU")) == 500
    report = reconstruct_reported(tables, method="sd_drop_neg")
    assert report.rows[(report.rows.origin == "AUT") & (report.rows.destination == "DEU")].empty
    done = {(r.period, r.territory): r for r in report.repairs.itertuples() if "older" in r.repair}
    assert set(done) == {("2000", "DEU"), ("2005", "DEU")} and done["2000", "DEU"].after == 500
    done = [r for r in report.repairs.itertuples() if "carried" in r.repair]
    assert [(r.period, r.territory, r.after) for r in done] == [("2010", "DEU", 500)]
    done = [r for r in report.repairs.itertuples() if "nobody" in r.repair]
    assert {(r.period, r.territory) for r in done} == {(str(y), "CHE") for y in YEARS} and "(1)" in done[0].repair


def test_an_older_revision_is_never_filled_from_a_newer_one(tables):
    """Otherwise a reconstruction of one vintage would know what came later."""
    old = steady()
    del old[2000, "AUT", "DEU"], old[2005, "AUT", "DEU"], old[2010, "AUT", "DEU"]
    tables["stock"] = pd.concat([stock_rows(old, 2020), stock_rows(steady(), 2024)], ignore_index=True)
    assert float(build_periods(tables, revision=2020)[0].stock_start.sel(birthplace="AUT", residence="DEU")) == 0
    assert float(build_periods(tables)[0].stock_start.sel(birthplace="AUT", residence="DEU")) == 100
    with pytest.raises(InputError, match="no stocks of revision 2019"):
        build_periods(tables, revision=2019)


def test_foreign_born_beyond_the_population_are_scaled_to_the_years_around(tables):
    stock = tables["stock"]
    crowded = (stock["residence"] == "CHE") & (stock["year"] == 2005)
    stock.loc[crowded, "persons"] = 20_000.0
    report = reconstruct_reported(tables, method=["sd_drop_neg", "da_pb_closed"])
    repair = report.repairs[report.repairs["repair"].str.startswith("foreign-born exceed")]
    assert repair[["period", "territory", "before"]].values.tolist() == [["2005", "CHE", 40_000]]
    # shares of 2 % in 2000 and 2.35 % in 2010, hence about 2.2 % of 10,100 between them
    assert repair["after"].item() == pytest.approx(10_100 * (200 / 10_000 + 240 / 10_200) / 2)
    # differencing needs no natives, and keeps the numbers of the source
    drop = report.rows.query("method == 'sd_drop_neg' and year == 2000 and origin == 'AUT' and destination == 'CHE'")
    assert drop["persons"].item() == 19_900


def test_foreign_born_beyond_the_population_in_every_year_are_refused(tables):
    stock = tables["stock"]
    stock.loc[stock["residence"] == "CHE", "persons"] = 20_000.0
    with pytest.raises(InputError, match="more foreign-born than population in every stock year") as raised:
        reconstruct(tables)
    assert raised.value.key == "CHE, 2000"


def world_of_parted_states():
    """Montenegro (MNE) has no foreign-born before 2010, Taiwan (TWN) never."""
    places = ("AUT", "CHE", "DEU", "MNE", "SRB", "TWN")
    stock = {k: v for k, v in steady(places).items()
             if not (k[2] == "TWN" or (k[2] == "MNE" and k[0] < 2005))}
    return {"stock": stock_rows(stock), "territory_year": series_rows(places)}


def test_states_that_parted_are_taken_together_while_their_stocks_are_unknown():
    tables = world_of_parted_states()
    # no carrying from later years: the first stock year has explicit zeros, as the source does
    zeros = {(2000, b, "MNE"): 0.0 for b in ("AUT", "CHE", "DEU", "SRB", "TWN")}
    tables["stock"] = pd.concat([tables["stock"], stock_rows(zeros)], ignore_index=True)
    early, late = build_periods(tables)
    assert "MNE" not in early.births["residence"].values and early.merged == ("SRB",)
    assert early.births.sel(residence="SRB") == 1000 and late.births.sel(residence="SRB") == 500
    assert early.stock_start.sum("birthplace").sel(residence="SRB") == 20_000
    assert early.stock_start.sel(birthplace="SRB", residence="AUT") == 200
    assert "MNE" in late.births["residence"].values and late.merged == ()
    report = reconstruct_reported(tables, method=["sd_drop_neg", "da_min_closed"])
    covered = report.rows.groupby("year")[["origin", "destination"]].agg(lambda c: set(c))
    assert covered.loc[2000].tolist() == [{"AUT", "CHE", "DEU"}] * 2
    assert covered.loc[2005].tolist() == [{"AUT", "CHE", "DEU", "MNE", "SRB"}] * 2
    said = report.repairs[report.repairs["period"] == "2000–2005"].set_index("territory")["repair"]
    assert said["MNE"] == "no foreign-born known: taken together with SRB"
    assert said["TWN"] == "no foreign-born known: left out"


def test_who_was_born_in_a_territory_left_out_stays_in_the_population():
    tables = world_of_parted_states()
    period = build_periods(tables)[1]
    assert "TWN" not in period.births["residence"].values
    assert period.stock_start.sum("birthplace").values.tolist() == [10_100] * 5


def test_the_report_says_how_the_fits_ended(tables):
    report = reconstruct_reported(tables, method=["sd_drop_neg", "da_pb_closed"])
    assert list(report.repairs.columns) == ["method", *REPAIR_COLUMNS]
    fits = report.fits.set_index(["method", "period"])
    assert fits.loc[("sd_drop_neg", "2000–2005"), "iterations"] == 0
    assert fits.loc[("da_pb_closed", "2000–2005"), "iterations"] >= 1
    assert (fits["margin_error"] <= 2e-5).all() and (fits["territories"] == 3).all()
    sums = report.rows.groupby("method")["persons"].sum()
    assert np.allclose(fits["persons"].groupby("method").sum(), sums)


@pytest.mark.parametrize("variable", ["births", "deaths", "population_midyear"])
def test_a_missing_number_is_refused_by_name(tables, variable):
    frame = tables["territory_year"]
    gone = (frame["variable"] == variable) & (frame["territory"] == "CHE") & (frame["year"] == 2005)
    tables["territory_year"] = frame[~gone]
    with pytest.raises(InputError, match=f"no {variable}") as raised:
        reconstruct(tables)
    assert raised.value.key == "CHE, 2005"
    assert set(reconstruct(tables, territories=["AUT", "DEU"])["origin"]) == {"AUT", "DEU"}


def test_unusable_requests_are_refused(tables):
    with pytest.raises(InputError, match="unknown method 'crystal ball'"):
        reconstruct(tables, method="crystal ball")
    with pytest.raises(InputError, match="at five years' distance"):
        reconstruct({**tables, "stock": stock_rows(steady(years=(2000, 2010)))})
    twice = pd.concat([tables["territory_year"], tables["territory_year"].tail(1)], ignore_index=True)
    with pytest.raises(InputError, match="two numbers of"):
        reconstruct({**tables, "territory_year": twice})


def test_the_simulated_world_is_reconstructed_from_what_its_offices_publish(small_tables, small_world):
    """Of the true five-year transitions the stocks tell a good part; and never more than moves."""
    rows = reconstruct(small_tables, method=list(METHODS))
    moved = small_world.truth.flow
    years = sorted(int(y) for y in rows["year"].unique())
    assert years and all(y % 5 == 0 for y in years)
    for year in years:
        if year + 5 > int(moved.year[-1]):
            continue
        weight = np.array([0.5, 1, 1, 1, 1, 0.5])
        true = (moved.sel(year=slice(year, year + 5)).values * weight[:, None, None]).sum(0)
        places = list(moved.origin.values)
        of = rows[(rows["year"] == year) & (rows["method"] == "da_pb_closed")]
        found = np.zeros(true.shape)
        found[[places.index(o) for o in of["origin"]], [places.index(d) for d in of["destination"]]] = of["persons"]
        off = ~np.eye(len(places), dtype=bool)
        assert np.corrcoef(np.log1p(found[off]), np.log1p(true[off]))[0, 1] > 0.6
