"""Checks of plausibility on a made-up world of three territories and twelve years: what must be found, and no more."""
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from humanflows.errors import InputError, NegativeCountError, SchemaError
from humanflows.panel.reported_totals import SMALLEST_EVIDENCE
from humanflows.results import plausibility as p

CODES, YEARS = ["DEU", "TUV", "USA"], list(range(2013, 2025))
DATES = [*YEARS, 2025]
PEOPLE = {"DEU": 80e6, "TUV": 1e4, "USA": 3e8}


@pytest.fixture
def world():
    """Steady flows of 100 thousand between the large two and of 50 with the small one; stocks that fit the sources."""
    flow = np.full((12, 3, 3), 50.0)
    flow[:, 0, 2] = flow[:, 2, 0] = 1e5
    flow[:, range(3), range(3)] = 0
    stock = np.full((13, 3, 3), 2000.0)
    for k, code in enumerate(CODES):
        stock[:, k, k] = PEOPLE[code] - 4000
    return flow, stock


@pytest.fixture
def tables():
    states = pd.DataFrame([(y, c, PEOPLE[c], 0.0, 0.0, 0.0) for y in DATES for c in CODES], columns=[
        "year", "territory", "population", "net_migration", "displaced_arrivals", "displaced_departures"])
    rates = pd.DataFrame([(d, a, b, 1e-6, 20.0) for d in ("arrivals", "departures")
                          for a, b in ((0, 1e6), (1e6, np.inf))], columns=[
                "direction", "from_population", "to_population", "lowest", "highest"])
    return {"territory_states": states, "plausible_rates": rates,
            "reported_totals": pd.DataFrame([("meta", c, "arrivals", "residence", y, 200.0, False)
                                             for c in CODES for y in range(2019, 2023)], columns=[
                "source", "territory", "direction", "criterion", "year", "persons", "all_persons"]),
            "reported_corridors": pd.DataFrame({"year": [2013], "origin": ["DEU"], "destination": ["USA"],
                                                "report": [9e4], "displaced": [0.0]}),
            "foreign_born": pd.DataFrame({"territory": CODES, "year": [2024] * 3, "persons": [4000.0] * 3})}


def build(world):
    return p.as_estimates(*world, YEARS, CODES)


def with_state(tables, code, year, **values):
    states = tables["territory_states"].copy()
    states.loc[(states["territory"] == code) & (states["year"] == year), list(values)] = list(values.values())
    return {**tables, "territory_states": states}


def test_a_steady_world_that_fits_its_sources_has_no_violation(world, tables):
    summary = p.describe_plausibility(p.check_all(build(world), tables))
    assert (summary["violations"] == 0).all() and (summary["worst"] == "").all()
    judged = summary.set_index("check")["judged"]
    # Spikes: nothing stands out. Rates: both directions of every territory and year. Jumps: two a territory.
    assert judged.to_dict() == {"crude rates": 72, "residents": 39, "residents 2025": 3, "foreign-born": 3,
                                "foreign-born 2024": 3, "one-year spikes": 0, "jumps of territories": 6,
                                "jumps of the world": 0, "small territories": 3}


def test_a_rate_beyond_all_that_was_reported_is_found_unless_displaced_people_or_a_report_say_so(world, tables):
    flow, stock = world
    flow[5, 0, 1] = 2000.0      # a fifth of Tuvalu's ten thousand residents
    found = p.check_rates(build((flow, stock)).flow, tables)
    assert found[["check", "place", "year"]].to_numpy().tolist() == [["rate of arrivals", "TUV", 2018]]
    assert found["estimate"][0] == 2050 and found["upper"][0] == 200
    assert p.check_rates(build(world).flow, with_state(tables, "TUV", 2018, displaced_arrivals=1800.0)).empty
    assert len(p.check_rates(build(world).flow, with_state(tables, "TUV", 2018, displaced_departures=1800.0))) == 1
    assert p.check_rates(build(world).flow, with_state(tables, "TUV", 2018, net_migration=1900.0)).empty
    office = ("office", "TUV", "arrivals", "citizenship", 2018, 1700.0, False)
    reports = pd.concat([tables["reported_totals"],
                         pd.DataFrame([office], columns=tables["reported_totals"].columns)])
    assert p.check_rates(build(world).flow, {**tables, "reported_totals": reports}).empty


def test_a_rate_below_all_that_was_reported_is_found(world, tables):
    flow, stock = world
    rates = tables["plausible_rates"]
    rates["lowest"] = rates["lowest"].where(rates["direction"] == "departures", 0.1)
    assert p.check_rates(build(world).flow, tables).empty
    flow[3, :, 2] = 0.0
    found = p.check_rates(build((flow, stock)).flow, tables)
    assert found[["check", "place", "year"]].to_numpy().tolist() == [["rate of arrivals", "USA", 2016]]
    assert found["lower"][0] == pytest.approx(3e4)


def test_residents_and_foreign_born_are_held_against_their_sources(world, tables):
    flow, stock = world
    stock[-1, 1, 1] += 2000     # Tuvalu has 12,000 residents where WPP has 10,000
    estimates = build((flow, stock))
    found = p.check_residents(estimates.stock, tables["territory_states"])
    assert found[["place", "year", "estimate"]].to_numpy().tolist() == [["TUV", 2025, 12000.0]]
    assert p.check_residents(estimates.stock, tables["territory_states"], [2024]).empty
    assert p.check_foreign_born(estimates.stock, tables["foreign_born"]).empty      # natives are not foreign-born
    stock[-2:, 0, 1] += 4000
    found = p.check_foreign_born(build((flow, stock)).stock, tables["foreign_born"])
    assert found[["place", "year", "estimate"]].to_numpy().tolist() == [["TUV", 2024, 8000.0]]
    stock[-1, 0, 1] -= 4000      # mid-year is the mean of two dates: 6,000 is beyond 4,000 by more than a quarter too
    assert p.check_foreign_born(build((flow, stock)).stock, tables["foreign_born"])["estimate"].tolist() == [6000.0]


@pytest.mark.parametrize(("report", "displaced", "found"), [
    (0.0, 0.0, 1), (3000.0, 0.0, 1), (0.0, 3000.0, 1), (5000.0, 0.0, 0), (0.0, 5000.0, 0)])
def test_a_spike_is_found_unless_a_fifth_of_it_is_reported_or_displaced(world, tables, report, displaced, found):
    flow, stock = world
    flow[6, 1, 0] = 20_000.0
    said = pd.concat([tables["reported_corridors"], pd.DataFrame(
        [(2019, "TUV", "DEU", report, displaced)], columns=tables["reported_corridors"].columns)])
    spikes = p.check_spikes(build((flow, stock)).flow, said)
    assert len(spikes) == found and spikes.attrs["judged"] == 1
    flow[7, 1, 0] = 5000.0      # the year after knows a quarter of it: no spike
    assert p.check_spikes(build((flow, stock)).flow, said).attrs["judged"] == 0


def test_evidence_left_out_of_the_table_cannot_explain_a_spike():
    assert SMALLEST_EVIDENCE == p.SPIKE_PERSONS / p.SPIKE_FACTOR


def test_a_total_that_jumps_when_a_source_begins_is_found_and_no_jump_of_another_year(world, tables):
    flow, stock = world
    flow[6:, 0, 2] = 2e5        # arrivals of the USA double in 2019, when the platform begins
    found = p.check_jumps(build((flow, stock)).flow, tables)
    assert found[["check", "place", "year"]].to_numpy().tolist() == [["jump of arrivals", "USA", 2019]]
    assert found["upper"][0] == pytest.approx(1.25 * 100_050, rel=1e-4)
    assert p.check_jumps(build((flow, stock)).flow, with_state(tables, "USA", 2019, displaced_arrivals=9e4)).empty
    assert p.check_jumps(build((flow, stock)).flow, with_state(tables, "USA", 2019, net_migration=9e4)).empty
    flow[:, 0, 2] = 1e5
    flow[9:, 0, 2] = 2e5        # 2022: it has begun and is not silent yet
    assert p.check_jumps(build((flow, stock)).flow, tables).empty
    flow[9:, 0, 2] = np.array([1e5, 4e4, 4e4])      # the first year of silence
    found = p.check_jumps(build((flow, stock)).flow, tables)
    assert found[["place", "year"]].to_numpy().tolist() == [["USA", 2023]]
    assert found["lower"][0] == pytest.approx(100_050 / 1.25, rel=1e-4)


def test_a_source_that_goes_on_explains_a_jump_and_the_one_that_begins_does_not(world, tables):
    flow, stock = world
    flow[6:, 0, 2] = 2e5
    goes_on = pd.DataFrame([("office", "USA", "arrivals", "residence", y, 9e4 if y < 2019 else 1.8e5, True)
                            for y in YEARS], columns=tables["reported_totals"].columns)
    both = pd.concat([tables["reported_totals"], goes_on])
    assert p.check_jumps(build((flow, stock)).flow, {**tables, "reported_totals": both}).empty
    late = pd.concat([tables["reported_totals"], goes_on[goes_on["year"] >= 2019]])
    assert len(p.check_jumps(build((flow, stock)).flow, {**tables, "reported_totals": late})) == 1


def test_the_world_jumps_when_a_wide_collection_begins(world, tables, monkeypatch):
    flow, stock = world
    flow[6:, 0, 2] *= 1.3
    assert p.check_world_jumps(build((flow, stock)).flow, tables).attrs["judged"] == 0      # three territories are few
    monkeypatch.setattr(p, "WORLD_TERRITORIES", 3)
    found = p.check_world_jumps(build((flow, stock)).flow, tables)
    assert found[["place", "year"]].to_numpy().tolist() == [["world", 2019]] and found.attrs["judged"] == 2
    assert found["lower"][0] < 200_200 < found["upper"][0] < found["estimate"][0]
    assert p.check_world_jumps(build((flow, stock)).flow, with_state(tables, "USA", 2019, displaced_arrivals=3e4)).empty


def test_a_small_territory_whose_arrivals_more_than_double_is_found(world, tables, monkeypatch):
    monkeypatch.setattr(p, "SMALLEST_TERRITORIES", 1)
    flow, stock = world
    flow[-1, 2, 1] = 400.0
    flow[-1, 0, 2] = 4e5        # the largest territory is not looked at
    found = p.check_small_territories(build((flow, stock)).flow, tables)
    assert found[["place", "year", "estimate"]].to_numpy().tolist() == [["TUV", 2024, 450.0]]
    assert p.check_small_territories(build((flow, stock)).flow,
                                     with_state(tables, "TUV", 2024, displaced_arrivals=200.0)).empty
    with pytest.raises(InputError, match="1999"):
        p.check_small_territories(build((flow, stock)).flow, tables, (1999, 2024))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 11), st.floats(1e4, 1e8), st.floats(0, 1e8))
def test_more_displaced_people_never_make_a_violation(year, flow_size, displaced):
    flow = np.full((12, 3, 3), 1000.0)
    flow[year, 0, 1] = flow_size
    array = p.as_estimates(flow, np.ones((13, 3, 3)), YEARS, CODES).flow
    said = pd.DataFrame({"year": [YEARS[year]], "origin": ["DEU"], "destination": ["TUV"], "report": [0.0]})
    none, some = (p.check_spikes(array, said.assign(displaced=d)) for d in (0.0, displaced))
    assert len(some) <= len(none) <= none.attrs["judged"] == some.attrs["judged"]
    assert (some["estimate"] > 5 * displaced).all()


@pytest.mark.parametrize(("spoil", "error", "words"), [
    (lambda f, s: (f[:, :2], s), InputError, "shape"), (lambda f, s: (f, s[1:]), InputError, "one date more"),
    (lambda f, s: (np.where(f == 1e5, np.nan, f), s), InputError, "2013, DEU, USA"),
    (lambda f, s: (f, np.where(s == 2000, -1, s)), NegativeCountError, "2013, DEU, TUV"),
    (lambda f, s: (f + np.inf, s), InputError, "infinite")])
def test_arrays_that_cannot_be_judged_are_refused(world, spoil, error, words):
    with pytest.raises(error, match=words):
        build(spoil(*world))


def test_tables_that_do_not_fit_are_refused(world, tables):
    estimates = build(world)
    with pytest.raises(InputError, match="transpose"):
        p.check_spikes(estimates.flow.transpose("origin", "year", "destination"), tables["reported_corridors"])
    states = tables["territory_states"]
    with pytest.raises(SchemaError, match="TUV, 2013"):
        p.check_residents(estimates.stock, states[states["territory"] != "TUV"])
    with pytest.raises(SchemaError, match="twice"):
        p.check_residents(estimates.stock, pd.concat([states, states]))
    with pytest.raises(SchemaError, match="departures"):
        p.check_rates(estimates.flow, {**tables, "plausible_rates": tables["plausible_rates"].query(
            "direction == 'arrivals'")})
    with pytest.raises(InputError, match="1980"):
        p.check_residents(estimates.stock, states, [1980])
