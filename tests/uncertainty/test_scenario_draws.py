"""Scenarios of draws: the runs of scenario_run where nothing is drawn, whole books, and the same luck in both runs."""
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from humanflows.errors import InputError
from humanflows.model import scenario_run
from humanflows.model.courses import MEMORY
from humanflows.results.scenario import parse_scenario
from humanflows.uncertainty import scenario_draws as sd

from .draws_of_small_world import fake_draws, make_member

FIRST, LAST = 1996, 2008       # the panel's last year is 2003
INCOME = {"covariate": "gdp_per_capita", "territories": ["MEX"], "from": FIRST, "multiply": 3}


@pytest.fixture(scope="module")
def member(small_panel, small_splits, small_config):
    return make_member(small_panel, small_splits, small_config)


@pytest.fixture(scope="module")
def given(small_panel):
    def made(*changes, **more):
        asked = {"name": "one", "title": "One", "changes": list(changes), **more}
        return sd.read_given(small_panel, parse_scenario(asked, small_panel.residence.values.astype(str).tolist(),
                                                         small_panel.year.values.tolist()))

    return made


@pytest.fixture(scope="module")
def border(small_panel):
    o, d = small_panel.residence.values.astype(str)[:2]
    return {"border": [f"{o}-{d}"], "from": FIRST, "factor": 0.0}


@pytest.fixture(scope="module")
def beyond(given, border):
    return given(INCOME, border, last_year=LAST, demography="carried")


@pytest.mark.parametrize("more", [{}, {"last_year": LAST, "demography": "carried"}, {"hindsight": "dropped"}])
def test_without_deviations_and_innovations_a_run_is_that_of_a_member(member, given, border, more):
    inputs = given(INCOME, border, **more)
    prepared, beyond = sd.prepare(member.model, inputs), len(inputs.years) - member.model.years
    found = sd.run_draw(member.model, prepared, torch.zeros(beyond, member.model.n, member.model.n, 2))
    for run, one in zip(found, (inputs.reference, inputs.scenario)):
        assert all(torch.allclose(a, b, rtol=1e-5) for a, b in zip(run, scenario_run.run(member.model, one)))


def test_a_draw_keeps_its_own_additions(member, given, small_config):
    """A changed covariate changes what the cell says and nothing that the draw adds."""
    for _, _, whole in fake_draws([member], small_config, 1):
        model, prepared = whole.model, sd.prepare(whole.model, given(INCOME))
        with torch.no_grad():
            own = model()
            plain, changed = sd.run_draw(model, prepared, torch.zeros(0, model.n, model.n, 2))
        assert torch.equal(plain.flow, own.flow) and torch.equal(changed.flow[:6], own.flow[:6])
        added = model.systematic - prepared.said
        assert added.abs().max() > 0.1      # else nothing is tested
        t, known = 8, [h for _, h in model.walk()]
        hazards = sd._Hazards(model, known, prepared.given.scenario, prepared.said, prepared.scenario,
                              torch.zeros(0))(t)
        read, changed_pairs = prepared.scenario
        a, b = np.divmod(changed_pairs.numpy(), model.n)
        effects = known[t].native - model.systematic[t, ..., 0]
        assert torch.allclose(hazards.native[a, b], (read[t, :, 0] + (effects + added[t, ..., 0])[a, b]), atol=1e-4)


def test_the_books_of_every_draw(member, small_config, beyond):
    for k, number, whole in fake_draws([member], small_config, 3):
        later = sd.later_innovations(whole.model, small_config.effects, LAST - 2003, (k, number))
        for run, inputs in zip(sd.run_draw(whole.model, sd.prepare(whole.model, beyond), later),
                               (beyond.reference, beyond.scenario)):
            stock, flow = run.stock.double().numpy(), run.flow.double().numpy()
            dead, near = stock[:-1] * inputs.death_rate[:, None, :], 3e-6 * stock.sum(1).max()
            net = flow.sum(1) - flow.sum(2)
            assert len(flow) == LAST - 1990 + 1
            assert np.abs(np.diff(stock.sum(1), axis=0) - (inputs.births - dead.sum(1) + net)).max() < near
            assert np.abs(np.diff(stock.sum(2), axis=0) - (inputs.births - dead.sum(2))).max() < near
            assert (stock >= 0).all() and (flow >= 0).all()
        assert (flow[FIRST - 1990:, 0, 1] == 0).all()


def test_both_runs_have_the_same_luck_and_draws_do_not(member, small_config, given):
    """A change that changes nothing makes no difference, however far the draws are apart."""
    nothing = given({**INCOME, "multiply": 1}, last_year=LAST, demography="carried")
    assert nothing.scenario is not nothing.reference
    found = sd.run_draws(fake_draws([member], small_config, 6), lambda k: nothing, small_config.effects, [])
    wide = (found.world_upper - found.world_lower).sel(run="level")
    apart = (found.world_upper - found.world_lower).sel(run="difference")
    assert (wide[-1] > 0.05 * found.world.sel(run="level")[-1]) and (apart < 1e-5 * wide).all()


def test_innovations_raise_the_flows_of_later_years_alone(member, small_config, beyond):
    model, prepared = member.model, sd.prepare(member.model, beyond)
    later = torch.zeros(LAST - 2003, model.n, model.n, 2)
    plain = sd.run_draw(model, prepared, later)
    later[0, :, 3] = 0.2        # everybody's moves to one territory in 2004
    for one, other in zip(plain, sd.run_draw(model, prepared, later)):
        assert torch.equal(one.flow[:14], other.flow[:14])
        change = other.flow[14, :, 3].sum() / one.flow[14, :, 3].sum()
        assert 1.1 < float(change) < 1.25       # fewer than e^0.2: who leaves earlier is no longer there to leave


def test_innovations_are_a_function_of_the_seed_with_the_prior_s_variance(member, small_config):
    model, effects = member.model, replace(small_config.effects, balance=1e-6, scarce=1e-6, course=1e-6)
    drawn = [sd.later_innovations(model, effects, 12, (1, k), mean_one=False) for k in range(300)]
    assert torch.equal(drawn[5], sd.later_innovations(model, effects, 12, (1, 5), mean_one=False))
    assert not torch.equal(drawn[5], sd.later_innovations(model, effects, 12, (2, 5), mean_one=False))
    off = ~np.eye(model.n, dtype=bool)
    variance = torch.stack(drawn)[..., 0].numpy().var(0)[:, off].mean(1)     # turnover of both ends
    wanted = 2 * effects.turnover**2 * (1 - MEMORY ** (2 * np.arange(1, 13)))
    np.testing.assert_allclose(variance, wanted, rtol=0.15)


def test_the_mean_factor_of_innovations_is_one(member, small_config):
    model, off = member.model, ~np.eye(member.model.n, dtype=bool)
    effects = replace(small_config.effects, balance=0.2, scarce=0.2, course=0.3)
    for mean_one, wanted in ((True, True), (False, False)):
        factor = np.mean([np.exp(sd.later_innovations(model, effects, 6, (1, k), mean_one=mean_one).numpy())
                          for k in range(800)], axis=0)[:, off]
        assert (abs(factor[-1].mean(0) - 1) < 0.03).all() == wanted
    assert (sd.later_innovations(model, effects, 6, (1, 1)).numpy()[:, ~off] == 0).all()


def test_results_are_means_and_counted_ends(member, small_panel, small_splits, small_config, beyond, border):
    asked, members = [], [member, make_member(small_panel, small_splits, small_config, seed=4)]

    def given_of(k):
        asked.append(k)
        return beyond

    corridors = [*border["border"], "-".join(reversed(border["border"][0].split("-")))]
    found = sd.run_draws(fake_draws(members, small_config, 4), given_of, small_config.effects, corridors)
    assert asked == [1, 2] and found.attrs["draws"] == 8
    for name in ("corridor_flow", "arrivals", "departures", "net_migration", "world"):
        level, reference, difference = (found[name].sel(run=r) for r in sd.RUNS)
        np.testing.assert_allclose(level - reference, difference, atol=1e-6 * float(abs(level).max()))
        nested = [found[f"{name}_{e}"] for e in ("lower", "lower_80", "lower_50")] + [found[name]] + [
            found[f"{name}_{e}"] for e in ("upper_50", "upper_80", "upper")]
        assert all((a <= b).all() for a, b in pairwise(nested))
        assert (difference.sel(year=slice(None, FIRST - 1)) == 0).all()
    np.testing.assert_allclose(found.arrivals.sum("territory"), found.world, rtol=1e-6)
    np.testing.assert_allclose(found.departures.sum("territory"), found.world, rtol=1e-6)
    np.testing.assert_allclose(found.arrivals - found.departures, found.net_migration, rtol=1e-6, atol=1e-3)
    shut = found.sel(corridor=corridors[0], year=slice(FIRST, None))
    assert (shut.corridor_flow_upper.sel(run="level") == 0).all()
    # further ends of eight draws lie outside all of them (see ends.py)
    assert (shut.corridor_flow_upper_50.sel(run="difference") < 0).all()


def test_bad_input_is_refused(member, small_config, beyond, given):
    def draws(number=2):
        return fake_draws([member], small_config, number)

    with pytest.raises(InputError, match="draws"):
        sd.run_draws(draws(1), lambda k: beyond, small_config.effects, [])
    for wrong in ("XXX-MEX", "MEX-MEX", "MEX"):
        with pytest.raises(InputError, match=wrong):
            sd.run_draws(draws(), lambda k: beyond, small_config.effects, [wrong])
    with pytest.raises(InputError, match="innovations"):
        sd.run_draw(member.model, sd.prepare(member.model, beyond), torch.zeros(1, 9, 9, 2))
    short = given(INCOME)
    both = [(1, 1, member), (2, 1, member)]
    with pytest.raises(InputError, match="member 2"):
        sd.run_draws(both, lambda k: beyond if k == 1 else short, small_config.effects, [])
