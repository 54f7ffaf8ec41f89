"""The simulated world: nobody gets lost, events show, the seed decides."""
import time
from dataclasses import replace

import numpy as np
import pytest

from humanflows.config import TwinConfig, TwinEventsConfig, TwinPeopleConfig, TwinVitalConfig, load_config
from humanflows.errors import ConfigError
from humanflows.territories import REGIONS, region_of
from humanflows.twin.economy import BORDERS, PLACES, geography, set_stage, stream
from humanflows.twin.world import SETTLED, TEMPORARY, Chance, simulate

SMALL = TwinConfig(territories=8, reporters=3, people=TwinPeopleConfig(burn_in=5))


def outflow(world, code):
    return world.truth.flow.sel(origin=code).sum("destination").to_series()


# ---- bookkeeping

def test_births_less_deaths_plus_net_migration_is_the_change_of_every_population(world):
    truth = world.truth
    change = np.diff(truth.population.values, axis=0)
    assert truth.flow.dtype.kind == "i"
    np.testing.assert_array_equal(truth.births.values - truth.deaths.values + truth.net_migration.values, change)
    np.testing.assert_array_equal(truth.net_migration.values.sum(1), 0)


def test_every_birthplace_is_accounted_for_in_every_residence(world):
    """Stock of next year = stock + arrivals − departures − deaths (+ births at home): deaths are what is left, ≥ 0."""
    truth = world.truth
    moves, stock = truth.flow_by_birthplace.values, truth.stock.values
    births = np.zeros_like(stock[1:])
    births[:, range(stock.shape[1]), range(stock.shape[1])] = truth.births.values
    died = stock[:-1] + moves.sum(2) - moves.sum(3) + births - stock[1:]
    assert (died >= 0).all()
    np.testing.assert_array_equal(died.sum(1), truth.deaths.values)


def test_stocks_are_never_negative_and_flows_never_stay_in_place(world):
    assert (world.truth.stock_by_kind.values >= 0).all()
    assert (world.truth.flow_by_birthplace.values >= 0).all()
    assert np.trace(world.truth.flow.values, axis1=1, axis2=2).sum() == 0
    np.testing.assert_array_equal(world.truth.flow, world.truth.flow_by_birthplace.sum("birthplace"))
    np.testing.assert_array_equal(world.truth.stock, world.truth.stock_by_kind.sum("kind"))


def test_nobody_leaves_who_was_not_there(world):
    left = world.truth.flow_by_birthplace.sum("destination").values
    assert (left <= world.truth.stock.values[:-1]).all()


def test_refugees_are_part_of_the_people(world):
    assert (world.refugees.displaced_stock.values <= world.truth.stock.values).all()
    assert (world.refugees.displaced_flow.values <= world.truth.flow.values).all()


# ---- plausibility

def test_the_default_world_moves_like_ours(world):
    truth = world.truth
    share = truth.flow.sum(("origin", "destination")).values / truth.population.values[:-1].sum(1)
    assert share.min() > 0.002
    assert share.max() < 0.009
    assert 0.004 < share.mean() < 0.006
    corridors = truth.flow.values[:, ~np.eye(len(world.territories), dtype=bool)]
    assert np.quantile(corridors, 0.02) <= 10 and corridors.max() > 1e5
    stock = truth.stock.values[0]
    assert 0.02 < 1 - np.trace(stock) / stock.sum() < 0.1


def test_the_default_world_is_quick():
    start = time.process_time()
    simulate(TwinConfig(), range(1990, 2025))
    assert time.process_time() - start < 3


def test_places_are_real_and_touch_every_region():
    regions = region_of()
    assert set(regions[list(PLACES)[:20]]) == set(REGIONS)
    assert all(b in PLACES for a, bs in BORDERS.items() for b in (a, *bs))
    distance, contiguity = geography(("GBR", "FRA", "NZL", "DEU"))
    assert distance[0, 1] < distance[0, 2] and 17000 < distance[0, 2] < 20020
    assert contiguity[1, 3] == contiguity[3, 1] == 1 and contiguity.sum() == 2
    np.testing.assert_allclose(distance, distance.T)


@pytest.mark.parametrize("territories", [3, 5, 40])
def test_small_and_large_worlds_exist(territories):
    config = TwinConfig(territories=territories, reporters=2, people=TwinPeopleConfig(burn_in=2))
    world = simulate(config, range(2000, 2004))
    assert len(world.territories) == territories and world.truth.flow.values.sum() > 0


# ---- seed

def test_the_same_seed_gives_the_same_world_and_another_seed_another():
    one, two, other = (simulate(replace(SMALL, seed=s), range(2000, 2006)) for s in (5, 5, 6))
    assert one.truth.identical(two.truth) and one.covariates.identical(two.covariates) and one.events == two.events
    assert not one.truth.flow.equals(other.truth.flow)


def test_one_slider_does_not_reshuffle_the_stage():
    stage = set_stage(TwinConfig(), range(1990, 2025))
    other = set_stage(TwinConfig(events=TwinEventsConfig(pandemic_cut=0.1)), range(1990, 2025))
    np.testing.assert_array_equal(stage.income, other.income)
    assert stage.events == other.events and (stage.mobility[30:32] < other.mobility[30:32]).all()


# ---- events

def test_the_war_drives_people_out_and_peace_brings_some_back(world, twin_config):
    events = twin_config.events
    out = outflow(world, world.events.war_territory)
    into = world.truth.flow.sel(destination=world.events.war_territory).sum("origin").to_series()
    end = events.war_year + events.war_years
    assert out[events.war_year] > 2 * out[events.war_year - 1]
    assert out[end] < out[end - 1] / 2
    assert into[end] > 3 * into[end - 1]
    displaced = world.refugees.displaced_stock.sel(origin=world.events.war_territory).sum("destination").to_series()
    assert displaced[events.war_year] < displaced[end] / 10 and displaced[end + 3] < displaced[end]
    assert world.covariates.conflict_deaths.sel(residence=world.events.war_territory, year=events.war_year) > 0


def test_the_closed_border_stops_its_corridor_until_it_opens(world, twin_config):
    events = twin_config.events
    origin, destination = world.events.closed_corridor.split("-")
    flow = world.truth.flow.sel(origin=origin, destination=destination).to_series()
    reopened = events.closure_year + events.closure_years
    closed = flow.loc[events.closure_year:reopened - 1].mean()
    assert closed < 0.6 * flow.loc[events.closure_year - 4:events.closure_year - 1].mean()
    assert flow.loc[reopened:reopened + 4].mean() > 1.5 * closed


def test_the_pandemic_halves_the_worlds_moves_for_a_year(world):
    total = world.truth.flow.sum(("origin", "destination")).to_series()
    assert 0.4 < total[2020] / total[2019] < 0.6 and total[2020] < total[2021] < total[2022]


def test_the_union_opens_step_by_step(twin_config):
    stage = set_stage(twin_config, range(1990, 2025))
    founder = next(c for c, y in stage.events.union.items() if y == 0)
    late = next(c for c, y in stage.events.union.items() if y == twin_config.events.union_first_year)
    opened = stage.union[:, stage.territories.index(founder), stage.territories.index(late)]
    at = stage.years.index(twin_config.events.union_first_year)
    assert opened[at - 1] == 0 < opened[at] < opened[at + 3] < opened[at + twin_config.events.union_opening] == 1


def test_free_movement_brings_people_who_would_not_have_come(world, twin_config):
    without = simulate(replace(twin_config, events=replace(twin_config.events, union_effect=0.0)), world.years)
    founders = [c for c, y in world.events.union.items() if y == 0]
    late = [c for c, y in world.events.union.items() if y == twin_config.events.union_first_year]
    cell = {"origin": late, "destination": founders, "year": range(2012, 2020)}
    assert world.truth.flow.sel(cell).sum() > 1.5 * without.truth.flow.sel(cell).sum()


# ---- the process is not the fitted one

@pytest.fixture(scope="module")
def chance():
    config = TwinConfig(people=TwinPeopleConfig(burn_in=10))
    chance = Chance(config, set_stage(config, range(1990, 2025)))
    return chance, chance.history()


def test_destinations_compete(chance):
    """Shutting one destination sends people to the others, and keeps a part at home: hazards do not merely add up."""
    chance, people = chance
    share, promise = chance.destinations(people, 0)
    np.testing.assert_allclose(share.sum(2)[promise > 0], 1)
    j = 0
    k = int(share[j, j].argmax())
    assert chance.stage.closed[0, j, k] == 0
    chance.stage.closed[0, j, k] = 1
    closed_share, closed_promise = chance.destinations(people, 0)
    chance.stage.closed[0, j, k] = 0
    others = np.arange(len(share)) != k
    going, still_going = chance.inclination(promise)[j, j], chance.inclination(closed_promise)[j, j]
    assert still_going < going
    assert (still_going * closed_share[j, j][others]).sum() > (going * share[j, j][others]).sum()


def test_nobody_chooses_home_or_where_they_are(chance):
    chance, people = chance
    share, _ = chance.destinations(people, 0)
    n = np.arange(len(share))
    assert share[:, n, n].sum() == 0 and share.transpose(1, 0, 2)[:, n, n].sum() == 0


def test_return_grows_rarer_with_the_stay(chance):
    """Two kinds of migrants make the return of a cohort depend on its duration."""
    chance, people = chance
    _, promise = chance.destinations(people, 0)
    _, back = chance.rates(promise, 0)
    away = ~chance.home
    cohort = {TEMPORARY: 0.5, SETTLED: 0.5}
    hazard = []
    for _ in range(10):
        hazard.append(sum(n * back[k][away].mean() for k, n in cohort.items()) / sum(cohort.values()))
        cohort = {k: n * np.exp(-back[k][away].mean()) for k, n in cohort.items()}
        settled = chance.p.settling * cohort[TEMPORARY]
        cohort = {TEMPORARY: cohort[TEMPORARY] - settled, SETTLED: cohort[SETTLED] + settled}
    assert np.all(np.diff(hazard) < 0) and hazard[-1] < hazard[0] / 2


def test_migrants_outlive_natives(world, twin_config):
    truth, n = world.truth, len(world.territories)
    moves, stock = truth.flow_by_birthplace.values, truth.stock.values
    died = stock[:-1] + moves.sum(2) - moves.sum(3) - stock[1:]
    died[:, range(n), range(n)] += truth.births.values
    home = np.eye(n, dtype=bool)
    expected = (stock[:-1] * (died[:, home] / stock[:-1][:, home])[:, None, :])[:, ~home].sum()
    ratio = died[:, ~home].sum() / expected
    assert abs(ratio - twin_config.people.migrant_mortality) < 0.05


def test_a_network_attracts(chance):
    chance, people = chance
    share, _ = chance.destinations(people, 0)
    more = people.copy()
    more[SETTLED, 0, 5] += 500_000
    assert chance.destinations(more, 0)[0][0, 0, 5] > 1.2 * share[0, 0, 5]


# ---- births and deaths

def test_rates_of_the_default_world_are_what_they_always_were(twin_config, world):
    """The same numbers bit for bit as before they were parameters: what was learned from the default world holds."""
    stage, draw = set_stage(twin_config, world.years), stream(twin_config, "vital")
    n = len(stage.territories)
    develop = np.clip((np.log(stage.income) - np.log(500)) / np.log(120), 0, 1.2)
    pandemic = np.array([1.0 if y == 2020 else 0.0 for y in stage.years])[:, None]
    life = 58 + 24 * develop + 1.5 * draw.standard_normal(n) - 8 * stage.conflict - 1.5 * pandemic
    births = 0.038 - 0.028 * develop + 0.0015 * draw.standard_normal(n)
    deaths = 0.0085 + 0.0015 * draw.standard_normal(n) + 0.0002 * (75 - life)
    assert np.array_equal(stage.life_expectancy, np.clip(life, 35, 88))
    assert np.array_equal(stage.birth_rate, np.clip(births, 0.007, 0.05))
    assert np.array_equal(stage.death_rate, np.clip(deaths, 0.003, 0.03))


@pytest.mark.parametrize(("changes", "name", "sign"), [
    ({"birth_rate": 0.045}, "birth_rate", 1), ({"birth_decline": 0.035}, "birth_rate", -1),
    ({"birth_least": 0.03}, "birth_rate", 1), ({"birth_most": 0.02}, "birth_rate", -1),
    ({"death_rate": 0.012}, "death_rate", 1),
    ({"death_least": 0.02}, "death_rate", 1), ({"death_most": 0.008}, "death_rate", -1),
    ({"life_expectancy": 65.0}, "life_expectancy", 1), ({"life_expectancy": 65.0}, "death_rate", -1),
    ({"life_gain": 10.0}, "life_expectancy", -1), ({"life_lost_war": 20.0}, "life_expectancy", -1),
    ({"life_lost_pandemic": 10.0}, "life_expectancy", -1)])
def test_births_deaths_and_lives_follow_their_parameters(changes, name, sign):
    years = range(2000, 2024)
    plain, changed = (set_stage(replace(SMALL, vital=TwinVitalConfig(**c)), years) for c in ({}, changes))
    difference = sign * (getattr(changed, name) - getattr(plain, name))
    assert (difference >= 0).all() and (difference > 0).any()
    for other in ("income", "conflict", "unseen", "population"):        # nothing else is drawn anew
        assert np.array_equal(getattr(changed, other), getattr(plain, other))


@pytest.mark.parametrize(("spread", "name"), [("birth_spread", "birth_rate"), ("life_spread", "life_expectancy")])
def test_without_spread_rates_follow_income_alone(spread, name):
    stage = set_stage(replace(SMALL, vital=TwinVitalConfig(**{spread: 0.0, "life_lost_war": 0.0})), [2000])
    order = np.argsort(stage.income[0])
    step = np.diff(getattr(stage, name)[0][order])
    assert (step <= 0).all() if name == "birth_rate" else (step >= 0).all()


def test_death_rates_follow_lives():
    rates = {by: set_stage(replace(SMALL, vital=TwinVitalConfig(death_spread=0.0, death_by_life=by)), [2000])
             for by in (0.0, 0.0004)}
    assert np.array_equal(rates[0.0].death_rate, np.full((1, 8), 0.0085))
    np.testing.assert_allclose(rates[0.0004].death_rate, 0.0085 + 0.0004 * (75 - rates[0.0].life_expectancy))


def test_more_are_born_and_die_where_the_rates_say_so():
    def total(name, **changes):
        world = simulate(replace(SMALL, vital=TwinVitalConfig(**changes)), range(2000, 2006))
        return int(world.truth[name].sum())

    assert total("births", birth_rate=0.05) > 1.1 * total("births")
    assert total("deaths", death_rate=0.015) > 1.3 * total("deaths")


# ---- configuration

@pytest.mark.parametrize(("twin", "key"), [
    ({"territories": 61}, "twin.territories"), ({"territories": 10, "reporters": 11}, "twin.reporters"),
    ({"people": {"leaving": -1.0}}, "twin.people.leaving"),
    ({"errors": {"flow_noise": -0.1}}, "twin.errors.flow_noise"),
    ({"events": {"pandemic_cut": 1.5}}, "twin.events.pandemic_cut"),
    ({"vital": {"birth_rate": -0.01}}, "twin.vital.birth_rate"),
    ({"vital": {"death_least": 0.05}}, "twin.vital.death_least"),
])
def test_an_impossible_twin_is_refused_by_key_and_remedy(twin, key):
    with pytest.raises(ConfigError) as caught:
        load_config("twin", twin=twin)
    assert caught.value.key == key and "choose" in caught.value.remedy and "twin.yaml" in caught.value.file


def test_an_impossible_twin_is_refused_outside_files_too():
    with pytest.raises(ConfigError, match="leaving"):
        TwinPeopleConfig(leaving=float("nan"))
    with pytest.raises(ConfigError, match="type int"):
        TwinConfig(territories=12.5)
    with pytest.raises(ConfigError, match="consecutive"):
        simulate(SMALL, [1990, 1992])


def test_every_slider_states_unit_meaning_and_range():
    sliders = TwinConfig().describe()
    assert len({s["key"] for s in sliders}) == len(sliders) > 60
    assert all(s["unit"] and s["meaning"] and s["low"] <= s["default"] <= s["high"] for s in sliders)
