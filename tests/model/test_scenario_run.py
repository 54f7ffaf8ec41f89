"""A member under other inputs: the same to the last bit where nothing differs, and nobody lost where something does."""
from dataclasses import replace

import numpy as np
import pytest
import torch

from humanflows.errors import InputError
from humanflows.model import accounting, train
from humanflows.model.scenario_run import run, step_past_borders
from humanflows.panel.features import build_features
from humanflows.results.scenario import parse_scenario
from humanflows.results.scenario_inputs import (
    apply,
    beyond_experience,
    build_inputs,
    carry_demography,
    extend_panel,
)
from humanflows.twin.world import simulate

FIRST = 1996


@pytest.fixture(scope="module")
def member(small_panel, small_splits, small_config):
    return train.fit_member(small_panel, small_splits, replace(small_config, train=replace(
        small_config.train, year_steps=80, year_batch=256)), progress=False)


@pytest.fixture(scope="module")
def own(member):
    return train.predict(member)


@pytest.fixture(scope="module")
def ask(member, small_panel):
    """Run a scenario given as plain data; returns the run, its inputs and the changed panel."""

    def asked(changes=(), **given):
        scenario = parse_scenario({"name": "one", "title": "One", "changes": list(changes), **given},
                                  small_panel.residence.values.astype(str).tolist(), small_panel.year.values.tolist())
        inputs, changed = build_inputs(small_panel, scenario)
        return run(member.model, inputs), inputs, changed

    return asked


@pytest.fixture(scope="module")
def border(own, small_panel):
    """The busiest corridor: its name and positions."""
    o, d = np.unravel_index(int(own.flow.sum(0).argmax()), own.flow.shape[1:])
    codes = small_panel.origin.values
    return f"{codes[o]}-{codes[d]}", int(o), int(d)


def same(one, other, until=None) -> bool:
    return all(torch.equal(a[:until], b[:until]) for a, b in zip(one, other))


def assert_books(found, inputs):
    """Every territory and every birthplace: next stock = stock - deaths + births + who came - who left."""
    stock, flow = found.stock.double().numpy(), found.flow.double().numpy()
    dead, near = stock[:-1] * inputs.death_rate[:, None, :], 3e-6 * stock.sum(1).max()
    net = flow.sum(1) - flow.sum(2)
    assert np.abs(np.diff(stock.sum(1), axis=0) - (inputs.births - dead.sum(1) + net)).max() < near
    assert np.abs(np.diff(stock.sum(2), axis=0) - (inputs.births - dead.sum(2))).max() < near
    assert np.allclose(found.departures.sum(1), found.flow.sum(2), rtol=1e-4, atol=1)
    assert np.allclose(found.arrivals.sum(1), found.flow.sum(1), rtol=1e-4, atol=1)
    assert (stock >= 0).all() and (flow >= 0).all() and np.isfinite(stock).all()


CHANGES = {
    "income": [{"covariate": "gdp_per_capita", "territories": ["MEX"], "from": FIRST, "multiply": 3}],
    "everybody's income": [{"covariate": "gdp_per_capita", "territories": ["*"], "from": FIRST, "grow": -0.1}],
    "war": [{"covariate": "conflict_deaths", "territories": ["POL"], "from": FIRST, "add": 5000},
            {"covariate": "displaced_stock", "corridors": ["POL-*"], "from": FIRST, "add": 2000}],
    "births": [{"covariate": "births", "territories": ["IND"], "from": FIRST, "multiply": 0.2}],
    "deaths": [{"covariate": "deaths", "territories": ["IND"], "from": FIRST, "multiply": 3.0}],
    "borders": [{"border": ["MEX-*", "*-MEX"], "from": FIRST, "factor": 0.0},
                {"border": ["DEU-POL"], "from": FIRST, "factor": 20.0}],
    "all borders": [{"border": ["*-*"], "from": FIRST, "factor": 0.0}],
}


def test_where_nothing_differs_the_run_is_the_members_own(ask, own, member):
    assert same(run(member.model), own)
    assert same(ask()[0], own)
    held = {"covariate": "gdp_per_capita", "territories": ["MEX"], "from": FIRST, "multiply": 1}
    assert same(ask([held])[0], own)
    assert same(ask([{"border": ["MEX-USA"], "from": FIRST, "factor": 1.0}])[0], own)


@pytest.mark.parametrize("elsewhere", [0.0, 0.4])
@pytest.mark.parametrize("name", CHANGES)
def test_nobody_is_lost_and_nothing_before_differs(ask, own, name, elsewhere):
    found, inputs, _ = ask(CHANGES[name], elsewhere=elsewhere)
    assert_books(found, inputs)
    assert same(found[:3], own[:3], until=FIRST - 1990) and torch.equal(found.stock[:7], own.stock[:7])
    assert not torch.equal(found.stock[-1], own.stock[-1])


def test_nobody_passes_a_closed_border_and_those_who_stay_change_nothing_else_at_once(ask, own, border):
    corridor, o, d = border
    found, inputs, _ = ask([{"border": [corridor], "from": FIRST, "factor": 0.0}])
    t = inputs.first
    assert (found.flow[t:, o, d] == 0).all()
    other = torch.ones_like(found.flow[t], dtype=torch.bool)
    other[o] = False    # who stays in the origin stands at risk of its other moves for longer
    assert torch.equal(found.flow[t][other], own.flow[t][other])
    # The one exit gone, the others of the cell take no more of the year than it took.
    rest = [k for k in range(len(other)) if k not in (o, d)]
    more, lost = float((found.flow[t, o, rest] - own.flow[t, o, rest]).sum()), float(own.flow[t, o, d])
    assert 0 <= more < 0.1 * lost
    assert float((found.flow[t + 1] - own.flow[t + 1])[other].abs().sum()) > 0      # the stocks differ by then


def test_going_elsewhere_leaves_as_many_leavers(ask, own, border):
    corridor, o, d = border
    found, inputs, _ = ask([{"border": [corridor], "from": FIRST, "factor": 0.0}], elsewhere=1.0)
    t = inputs.first
    assert (found.flow[t:, o, d] == 0).all()
    assert float(found.flow[t, o].sum()) == pytest.approx(float(own.flow[t, o].sum()), rel=1e-4)
    assert np.allclose(found.departures[t], own.departures[t], rtol=1e-4, atol=0.5)
    rest = [k for k in range(found.flow.shape[1]) if k not in (o, d)]
    assert (found.flow[t, o, rest] > own.flow[t, o, rest]).all()


def test_returns_may_be_spared(ask, member, border):
    corridor, o, d = border
    found, inputs, _ = ask([{"border": [corridor], "from": FIRST, "factor": 0.0, "returns": False}])
    t = inputs.first
    stock, hazards = member.model.year(t)
    moves = accounting.flow_of_destination(stock, hazards, member.model.death_rate[t], destination=d)
    assert float(found.flow[t, o, d]) == pytest.approx(float(moves[d, o]), rel=1e-2) and found.flow[t, o, d] > 0


def test_one_year_of_going_elsewhere_by_hand():
    """Two thirds of the exits shut, half of them go elsewhere: 3 → 1 + 0.5 · 2 = 2 in hazards, all to C."""
    stock = torch.tensor([[1000.0, 0, 0], [0, 0, 0], [0, 0, 0]], dtype=torch.float64)
    log = np.log
    native = torch.full((3, 3), -40.0, dtype=torch.float64)
    native[0, 1], native[0, 2] = log(0.2), log(0.1)
    none = torch.full((3, 3), -40.0, dtype=torch.float64)
    hazards = accounting.Hazards(native, none, none, torch.zeros(3, 3, dtype=torch.float64))
    shut = np.ones((3, 3))
    shut[0, 1] = 0
    zero = torch.zeros(3, dtype=torch.float64)
    step = step_past_borders(stock, hazards, zero, zero, shut, np.ones((3, 3)), 0.5)
    left = 1000 * (1 - np.exp(-0.2))
    assert float(step.flow[0, 2]) == pytest.approx(left) and float(step.flow[0, 1]) == 0
    assert float(step.departures[0, 0]) == pytest.approx(left) and float(step.stock_next.sum()) == pytest.approx(1000)
    nowhere = np.zeros((3, 3))
    stays = step_past_borders(stock, hazards, zero, zero, nowhere, nowhere, 1.0)
    assert float(stays.flow.sum()) == 0 and torch.allclose(stays.stock_next, stock)


def test_a_projection_keeps_the_books_and_leaves_the_known_years(ask, own, small_panel):
    found, inputs, longer = ask(last_year=2009, demography="carried")
    years = small_panel.sizes["year"]
    assert longer.sizes["year"] == len(inputs.births) == years + 6
    assert same(found[:3], own[:3], until=years) and torch.equal(found.stock[:years + 1], own.stock)
    assert_books(found, inputs)
    # Effects fade to their own mean: the first year beyond is like the last, and years become alike.
    change = (found.flow[1:] - found.flow[:-1]).abs().sum((1, 2))
    assert float(change[-1]) < float(change[years - 1])
    assert float(found.flow[years].sum()) == pytest.approx(float(own.flow[-1].sum()), rel=0.3)


def test_a_border_may_close_in_the_years_beyond(ask, border):
    corridor, o, d = border
    found, inputs, _ = ask([{"border": [corridor], "from": 2006, "factor": 0.0}], last_year=2009, demography="carried")
    plain, _, _ = ask(last_year=2009, demography="carried")
    assert (found.flow[16:, o, d] == 0).all() and torch.equal(found.flow[:16], plain.flow[:16])
    assert_books(found, inputs)


def test_a_changed_panel_is_changed_where_it_says_and_nowhere_else(ask, small_panel):
    before = small_panel.copy(deep=True)
    _, inputs, changed = ask([{"covariate": "gdp_per_capita", "territories": ["MEX"], "from": FIRST, "to": 1998,
                               "grow": 0.5}])
    assert small_panel.identical(before)
    here = small_panel.residence.values == "MEX"
    gdp, was = changed.gdp_per_capita.values, small_panel.gdp_per_capita.values
    assert np.array_equal(gdp[:, ~here], was[:, ~here]) and np.array_equal(gdp[:6], was[:6])
    assert np.allclose(gdp[6:9, here], was[5, here] * np.array([[1.5], [1.5**2], [1.5**3]]))
    assert np.array_equal(gdp[9:], was[9:])
    base = build_features(small_panel)
    differs = (inputs.unilateral != base.unilateral).any(2)
    assert differs[6:9, here].all() and not differs[:, ~here].any() and not differs[:6].any()
    # On the scale that the member learned: log income differs by the log ratio over its standard deviation.
    k = base.unilateral_names.index("log_gdp_per_capita")
    moved = (inputs.unilateral[..., k] - base.unilateral[..., k])[6:9, here]
    assert np.allclose(moved, np.log(gdp / was)[6:9, here] / np.nanstd(np.log(was)), atol=1e-4)


def test_hindsight_decides_what_is_read_and_what_fades(ask, own):
    change = CHANGES["income"]
    kept, with_it, _ = ask(change)
    dropped, without, _ = ask(change, hindsight="dropped")
    assert without.forgotten.any() and not with_it.forgotten.any()
    assert not torch.equal(kept.flow, dropped.flow) and same(dropped[:3], own[:3], until=FIRST - 1990)
    assert_books(dropped, without)


def test_leaving_the_range_that_was_learned_from_is_noticed(ask, small_panel):
    def asked(factor):
        change = [{"covariate": "gdp_per_capita", "territories": ["MEX"], "from": FIRST, "multiply": factor}]
        scenario = parse_scenario({"name": "one", "title": "One", "changes": change},
                                  small_panel.residence.values.astype(str).tolist(), small_panel.year.values.tolist())
        return beyond_experience(small_panel, apply(small_panel, scenario), scenario)

    far = asked(1000.0)
    assert set(far["range"]) == {"the world", "the place"} and (far["outside"] == far["cells"]).all()
    assert asked(1.0).empty


@pytest.mark.parametrize("given", [
    {"covariate": "democracy", "territories": ["MEX"], "from": FIRST, "add": 0.5},
    {"covariate": "births", "territories": ["MEX"], "from": FIRST, "add": -1e9},
    {"covariate": "gdp_per_capita", "territories": ["MEX"], "from": FIRST, "multiply": 0},
    {"covariate": "eu_member", "territories": ["GBR"], "from": FIRST, "add": 1},
    {"covariate": "deaths", "territories": ["MEX"], "from": FIRST, "multiply": 1000}])
def test_impossible_panels_are_refused(ask, given):
    with pytest.raises(InputError):
        ask([given])


def test_a_demography_must_fit(small_panel):
    given = carry_demography(small_panel, 2006)
    assert extend_panel(small_panel, 2006, given).sizes["date_year"] == small_panel.sizes["year"] + 4
    for wrong in (given._replace(births=given.births[:1]), given._replace(deaths=given.deaths * np.nan),
                  given._replace(deaths=given.population + 1)):
        with pytest.raises(InputError):
            extend_panel(small_panel, 2006, wrong)


def test_the_direction_of_what_truly_would_have_been_is_found(ask, own, small_world, small_config):
    """The twin lives its years again with the border closed from 1995 instead of 2001: where do flows differ?"""
    events = replace(small_config.twin.events, closure_year=1995)
    other = simulate(replace(small_config.twin, events=events), small_config.years).truth.flow
    truth = (other - small_world.truth.flow).sel(year=slice(1995, 2000)).sum("year").values.astype(float)
    found, _, _ = ask([{"border": [small_world.events.closed_corridor], "from": 1995, "to": 2000,
                        "factor": float(np.exp(-events.closure_effect)), "returns": False}], elsewhere=0.5)
    said = (found.flow - own.flow)[5:11].sum(0).double().numpy()
    o, d = (small_world.territories.index(c) for c in small_world.events.closed_corridor.split("-"))
    off = ~np.eye(len(truth), dtype=bool)
    assert truth[o, d] < 0 and said[o, d] < 0
    assert np.corrcoef(said[off], truth[off])[0, 1] > 0.5
    rest = [k for k in range(len(truth)) if k not in (o, d)]
    assert said[o, rest].sum() > 0 and truth[o, rest].sum() > 0
