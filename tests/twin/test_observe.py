"""The twin's sources: the real ones' shape, and sliders that do what they say."""
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from humanflows.config import TwinConfig, TwinErrorsConfig, TwinPeopleConfig
from humanflows.panel.harmonise import INDICATORS, OPTIONAL
from humanflows.panel.reporting_systems import SYSTEM_COLUMNS, add_priors, describe_reports, read_systems
from humanflows.schema import SYSTEMS_TABLE, TABLES, VARIABLES, key_of, validate
from humanflows.twin.observe import describe_offices, observe
from humanflows.twin.world import SETTLED, simulate

YEARS = range(2000, 2016)
BASE = TwinConfig(territories=12, reporters=6, people=TwinPeopleConfig(burn_in=10))


@pytest.fixture(scope="module")
def small():
    return simulate(BASE, YEARS)


def seen(world, **sliders):
    """What perfect offices publish, with single imperfections switched on."""
    return observe(world, replace(BASE, errors=TwinErrorsConfig.none(**sliders)))


def reported(tables, source, **where):
    rows = tables["flow"][tables["flow"].source == source]
    for column, value in where.items():
        rows = rows[rows[column] == value]
    return rows


def true_flow(world, rows):
    at = [pd.Index(i).get_indexer(c) for i, c in ((world.years, rows.year), (world.territories, rows.origin),
                                                  (world.territories, rows.destination))]
    return world.truth.flow.values[tuple(at)]


# ---- the real sources' shape

def test_every_table_is_valid_and_complete(tables):
    # offices of the twin publish corridors alone, and how they define what they count
    assert set(tables) == set(TABLES) - {"margin", "period_flow"} | {SYSTEMS_TABLE}
    for name, frame in tables.items():
        if name == SYSTEMS_TABLE:
            continue
        # nobody in the twin publishes reconstructions: they are made from its stocks (pipeline.add_reconstruction)
        assert (len(validate(frame, name, file="twin")) > 0) == (name != "reconstruction")
        assert not frame.duplicated(key_of(name)).any()
    seen = {v for t in ("territory_year", "pair", "pair_year") for v in tables[t].variable.unique()}
    # nobody governs the twin, or needs a visa or a permit there
    assert seen == set(VARIABLES) - set(OPTIONAL) - set(INDICATORS)


def test_sources_carry_the_real_names_and_years(tables):
    span = tables["flow"].groupby("source").year.agg(["min", "max"])
    assert set(span.index) == {"undesa_imfsc", "eurostat", "meta", "statsnz", "oecd"}
    assert tuple(span.loc["meta"]) == (2019, 2022) and tuple(span.loc["eurostat"]) == (2010, 2019)
    assert span.loc["undesa_imfsc", "min"] >= 1990 and span.loc["undesa_imfsc", "max"] <= 2013
    years = tables["stock"].groupby("revision").year.unique()
    assert sorted(years[2020]) == [1990, 1995, 2000, 2005, 2010, 2015, 2020] and max(years[2024]) == 2024
    last = tables["territory_year"].groupby("variable").year.max()
    assert last["gdp_per_capita"] == last["conflict_deaths"] == 2023
    assert last["births"] == 2024 and last["population"] == 2025
    assert tables["flow"].groupby("source").reporter.nunique()["undesa_imfsc"] == TwinConfig().reporters


def test_sources_are_imperfect_by_default(tables, world):
    stock = tables["stock"].pivot(index=["year", "birthplace", "residence"], columns="revision", values="persons")
    both = stock.dropna()
    assert 0.05 < np.log(both[2020] / both[2024]).std() < 0.4
    assert stock[stock.index.get_level_values("year") <= 2020].isna().any().all()
    assert set(tables["stock"].definition) == {"foreign_born", "citizenship"}
    meta = reported(tables, "meta")
    assert meta.persons.min() >= 50 and 0.8 < meta.persons.sum() / true_flow(world, meta).sum() < 1.0


def test_the_same_seed_gives_the_same_tables_and_another_seed_others(small):
    one, two = observe(small, BASE), observe(small, BASE)
    other = observe(small, replace(BASE, seed=BASE.seed + 1))
    for name in one:
        pd.testing.assert_frame_equal(one[name], two[name])
    assert not one["flow"].equals(other["flow"]) and not one["stock"].equals(other["stock"])


def test_demography_is_consistent_as_published(tables):
    wide = tables["territory_year"].query("source == 'wpp'").pivot(index=["territory", "year"], columns="variable",
                                                                    values="value")
    change = wide.population.groupby("territory").diff().shift(-1)
    balance = wide.births - wide.deaths + wide.net_migration
    known = change.notna()
    assert known.sum() == 40 * 35
    np.testing.assert_allclose(balance[known], change[known])
    np.testing.assert_allclose(wide.population_change[known], change[known])


# ---- what offices say they count

def test_definitions_are_a_table_of_reporting_systems(tables, tmp_path):
    """What is written as a file is read back as it is: columns, values, spans, breaks, no two rows for one report."""
    file = tmp_path / "systems.csv"
    tables[SYSTEMS_TABLE].to_csv(file, index=False)
    pd.testing.assert_frame_equal(read_systems(file), tables[SYSTEMS_TABLE][list(SYSTEM_COLUMNS)], check_dtype=False)


def test_every_report_is_defined_as_its_office_counts(tables, world, twin_config):
    told = describe_reports(tables["flow"], tables[SYSTEMS_TABLE])
    assert len(told) == len(tables["flow"][["source", "reporter", "side", "criterion", "year"]].drop_duplicates())
    offices = describe_offices(world, twin_config).set_index("reporter")
    own = told[told.source == "undesa_imfsc"]
    assert (own.duration == offices.months.reindex(own.reporter).astype(str).to_numpy()).all()
    assert own.duration.nunique() > 1
    breaks = own.breaks.str.extract(r"^(\d{4}):", expand=False).fillna("0").astype(int)
    assert (breaks == offices.break_year.reindex(own.reporter).to_numpy()).all() and (breaks > 0).any()
    others = told[told.source != "undesa_imfsc"]
    assert set(others.duration) == {"12"} and not others.breaks.any()
    assert set(told[told["class"] == "platform"].source) == {"meta"}


def test_the_prior_of_the_level_lies_near_what_offices_count(tables, world, twin_config):
    """How many an office misses is not published: the class of declared moves stands for it."""
    offices = describe_offices(world, twin_config).set_index("reporter")
    told = add_priors(describe_reports(tables["flow"], tables[SYSTEMS_TABLE]))
    own = told[told.source == "undesa_imfsc"].drop_duplicates(["reporter", "side"])
    level = np.array([offices.loc[r.reporter, f"{r.side}_level"] for r in own.itertuples()])
    off = (np.log(level) - own.log_bias_mean) / own.log_bias_sd
    assert np.abs(off).max() < 3 and (np.abs(off) < 2).mean() > 0.8 and off.std() > 0.2


def test_breaks_switched_off_are_not_announced(small):
    assert not seen(small, break_share=0.0)[SYSTEMS_TABLE].breaks.any()
    assert seen(small, break_share=1.0, break_size=0.5)[SYSTEMS_TABLE].breaks.any()


# ---- all imperfections off: the truth

def test_perfect_offices_tell_the_true_flows(small):
    tables = seen(small)
    for source in ("undesa_imfsc", "eurostat", "statsnz"):
        rows = reported(tables, source)
        assert len(rows) and set(rows.criterion) == {"residence"}
        np.testing.assert_array_equal(rows.persons, true_flow(small, rows))


def test_perfect_offices_tell_the_true_stocks(small):
    rows = seen(small)["stock"]
    assert set(rows.definition) == {"foreign_born"}
    stock = small.truth.stock.values
    at = [pd.Index(i).get_indexer(c) for i, c in ((small.years, rows.year), (small.territories, rows.birthplace),
                                                  (small.territories, rows.residence))]
    midyear = (stock[at[0], at[1], at[2]] + stock[at[0] + 1, at[1], at[2]]) / 2
    assert np.abs(rows.persons - midyear).max() <= 0.5


def test_perfect_offices_tell_the_true_demography(small):
    rows = seen(small)["territory_year"]
    for name in ("births", "deaths", "net_migration", "population"):
        wide = rows[rows.variable == name].pivot(index="year", columns="territory", values="value")
        np.testing.assert_array_equal(wide, small.truth[name].values)


# ---- one slider at a time

def test_undercount_lowers_emigration_alone(small):
    tables = seen(small, emigration_missed=0.4)
    out, into = (reported(tables, "undesa_imfsc", side=s) for s in ("emigration", "immigration"))
    assert abs(out.persons.sum() / true_flow(small, out).sum() - 0.6) < 0.005
    np.testing.assert_array_equal(into.persons, true_flow(small, into))


def test_short_stays_raise_the_counts_of_offices_that_count_them(small):
    config = replace(BASE, errors=TwinErrorsConfig.none(three_months_excess=0.5, six_months_excess=0.2))
    tables, offices = observe(small, config), describe_offices(small, config)
    assert offices.months.nunique() > 1
    for office in offices.itertuples():
        rows = reported(tables, "undesa_imfsc", reporter=office.reporter)
        rows = rows[true_flow(small, rows) > 100]
        expected = {3: 1.5, 6: 1.2, 12: 1.0}[office.months]
        assert abs(rows.persons.sum() / true_flow(small, rows).sum() - expected) < 0.01


def test_a_break_changes_the_level_once(small):
    config = replace(BASE, errors=TwinErrorsConfig.none(break_share=1.0, break_size=0.5))
    tables, offices = observe(small, config), describe_offices(small, config)
    for office in offices.itertuples():
        rows = reported(tables, "undesa_imfsc", reporter=office.reporter, side="immigration")
        after = rows.year >= office.break_year
        assert office.break_factor in (np.exp(0.5), np.exp(-0.5)) and after.any()
        ratio = rows.persons[after].sum() / true_flow(small, rows[after]).sum()
        assert abs(np.log(ratio / office.break_factor)) < 0.01
        np.testing.assert_array_equal(rows.persons[~after], true_flow(small, rows[~after]))


@pytest.mark.parametrize(("slider", "source"), [("flow_absent_below", "undesa_imfsc")])
def test_small_cells_are_hidden(small, slider, source):
    every, few = reported(seen(small), source), reported(seen(small, **{slider: 200}), source)
    assert few.persons.min() >= 200 and 0 < len(few) == (every.persons >= 200).sum() < len(every)


def test_citizenship_offices_count_birthplaces_instead(small):
    rows = reported(seen(small, citizenship_offices=1.0), "undesa_imfsc", side="immigration")
    assert set(rows.criterion) == {"citizenship"}
    row = rows.loc[rows.persons.idxmax()]
    truth = small.truth.flow_by_birthplace.sel(year=row.year, birthplace=row.origin, destination=row.destination)
    assert row.persons == int(truth.sum())


def test_noise_has_the_size_of_its_slider(small):
    rows = reported(seen(small, flow_noise=0.3), "undesa_imfsc")
    true = true_flow(small, rows)
    error = np.log(rows.persons[true > 500] / true[true > 500])
    assert abs(error.std() - 0.3) < 0.03 and abs(error.mean()) < 0.03


def test_stock_sliders(small):
    exact = seen(small)["stock"]
    rounded = seen(small, stock_rounding=100)["stock"]
    assert (rounded.persons % 100 == 0).all() and not (exact.persons % 100 == 0).all()
    fewer = seen(small, stock_absent_below=1000)["stock"].groupby("revision").persons.min()
    assert 1000 <= fewer[2020] < 2000 <= fewer[2024]
    absent = seen(small, stock_absent_share=0.5)["stock"]
    assert 0.35 < len(absent) / len(exact) < 0.65
    apart = seen(small, stock_disagreement=0.2)["stock"].pivot(index=["year", "birthplace", "residence"],
                                                                columns="revision", values="persons")
    difference = np.log(apart[2020] / apart[2024])[apart[2024] > 1000]
    assert abs(difference.std() - 0.2 * np.sqrt(2)) < 0.06


def test_citizens_are_missing_where_citizenship_is_counted(small):
    rows = seen(small, citizenship_share=1.0, naturalised=1.0)["stock"].query("revision == 2024 and year == 2010")
    settled = small.truth.stock_by_kind.sel(date_year=[2010, 2011]).mean("date_year").isel(kind=SETTLED).to_series()
    everybody = small.truth.stock.sel(date_year=[2010, 2011]).mean("date_year").to_series()
    got = rows.set_index(["birthplace", "residence"]).persons
    assert np.abs(got - (everybody - settled)[got.index]).max() <= 0.5


def test_net_migration_error_follows_its_slider(small):
    true = small.truth.net_migration.values
    sizes = []
    for slider in (0.1, 0.4):
        rows = seen(small, net_migration_noise=slider)["territory_year"].query("variable == 'net_migration'")
        error = rows.pivot(index="year", columns="territory", values="value").to_numpy() - true
        sizes.append((np.abs(error) / np.abs(true).mean(0)).mean())
    assert abs(sizes[1] / sizes[0] - 4) < 0.1 and 0.04 < sizes[0] < 0.2


def test_meta_sliders():
    world = simulate(BASE, range(2018, 2024))
    exact, low = (reported(observe(world, replace(BASE, errors=TwinErrorsConfig.none(**s))), "meta")
                  for s in ({}, {"meta_level": 0.5, "meta_absent_below": 80}))
    np.testing.assert_array_equal(exact.persons, true_flow(world, exact))
    assert abs(low.persons.sum() / true_flow(world, low).sum() - 0.5) < 0.005 and low.persons.min() >= 80


def test_an_absent_refugee_pair_is_none(small):
    rows = seen(small)["pair_year"].query("variable == 'displaced_stock'")
    true = small.refugees.displaced_stock
    assert rows.value.sum() == true.sum() and rows.year.min() >= YEARS[0] - 1


def test_no_reporters_no_reports():
    config = replace(BASE, reporters=0)
    tables = observe(simulate(config, range(2000, 2004)), config)
    assert "undesa_imfsc" not in set(tables["flow"].source) and len(describe_offices(simulate(
        config, range(2000, 2002)), config)) == 0
