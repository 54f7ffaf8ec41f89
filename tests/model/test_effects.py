"""Effects bring what covariates do not know: each to its own pairs, places and years, and none unasked."""
from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr
from scipy import stats

from humanflows.config import EffectConfig, ModelConfig
from humanflows.model.courses import MEMORY
from humanflows.model.effects import SCALAR, SHOCK_TAIL, effect_terms
from humanflows.model.observation import TAIL
from humanflows.model.recursion import (
    AFFINITY_START,
    DISPLACED_FROM,
    ONWARD_START,
    SHOCK_UNIT,
    FlowModel,
    _shares_of_periods,
    shocked_years,
)
from humanflows.panel.features import build_features

T = 4  # a year with effects
EFFECTS = ("tie", "direction", "wave", "course", "turnover", "balance", "scarce")


@pytest.fixture(scope="module")
def some_reported(small_panel) -> np.ndarray:
    """Reports of 0→1 in one direction and of 2→3 and 3→2 in both, but in year 0; nobody says anything of 4 and 5."""
    n = small_panel.sizes["origin"]
    out = np.zeros((small_panel.sizes["year"], n, n), bool)
    out[1:, 0, 1] = out[1:, 2, 3] = out[1:, 3, 2] = True
    return out


@pytest.fixture
def model(small_panel, some_reported) -> FlowModel:
    """Every pair active, hazards of the start but for the pair, no effects, nobody displaced."""
    torch.manual_seed(1)
    n = small_panel.sizes["residence"]
    features = replace(build_features(small_panel), active=~np.eye(n, dtype=bool))
    made = FlowModel(features, small_panel.drop_vars("displaced_flow"), ModelConfig(hidden=4, width=8, embedding=2),
                     some_reported)
    with torch.no_grad():
        made.cell.read.bias[:2] += torch.tensor([3.0, 1.0])
    made.read_covariates()
    return made


def row(model, a, b) -> int:
    """Position of a pair among those with effects."""
    return int(model.place[a * model.n + b])


def hazards(model, t=T):
    return list(dict(model._years()).values())[t]


def change(model, name, position, by=0.5, t=T):
    """What hazards of a year gain when one effect is set."""
    with torch.no_grad():
        before = hazards(model, t)
        getattr(model, name)[position] += by
        after = hazards(model, t)
        getattr(model, name)[position] -= by
    return {k: getattr(after, k) - getattr(before, k) for k in before._fields}


def only(n, cells) -> torch.Tensor:
    table = torch.zeros(n, n)
    for (a, b), value in cells.items():
        table[a, b] = value
    return table


def close(told, expected):
    torch.testing.assert_close(told, expected, rtol=0, atol=2e-5)


def test_without_effects_hazards_are_what_covariates_say(model):
    for t, told in model._years():
        native, back = model.systematic[t].unbind(-1)
        assert torch.equal(told.native, native) and torch.equal(told.back, back)
        close(told.onward, native + ONWARD_START)
        close(told.affinity, AFFINITY_START * (native - native.mean(0)))


def test_a_fresh_model_has_no_effects(model):
    assert not any(getattr(model, name).any() for name in EFFECTS)
    assert all(v == 0 for v in priors(model).values())


# ---- pairs

def test_a_tie_joins_both_directions_of_leaving_and_returning(model):
    told = change(model, "tie", model.tie_of[row(model, 2, 3)])
    both = only(model.n, {(2, 3): 0.5, (3, 2): 0.5})
    close(told["native"], both)
    close(told["back"], both)
    assert model.tie_of[row(model, 2, 3)] == model.tie_of[row(model, 3, 2)]
    assert sorted(model.tie_of.bincount().tolist()) == [2] * len(model.tie)


@pytest.mark.parametrize(("kind", "name"), [(0, "native"), (1, "back"), (2, "onward")])
def test_a_direction_reaches_its_own_pair_and_kind(model, kind, name):
    told = change(model, "direction", (row(model, 0, 1), kind))
    close(told[name], only(model.n, {(0, 1): 0.5}))
    for other in {"native", "back"} - {name}:
        close(told[other], torch.zeros(model.n, model.n))


@pytest.mark.parametrize(("a", "b"), [(4, 5), (1, 0)])
def test_an_unreported_pair_has_no_direction_but_of_returns(model, a, b):
    told = change(model, "direction", row(model, a, b), torch.tensor([1.0, 0.0, 3.0]))
    assert not any(v.any() for v in told.values())
    told = change(model, "direction", (row(model, a, b), 1), 2.0)      # stocks tell of those who go home
    close(told.pop("back"), only(model.n, {(a, b): 2.0}))
    assert not any(v.any() for v in told.values())


def test_stocks_of_unreported_pairs_do_not_teach_their_tie(model):
    stock = model().stock
    for t in (1, len(stock) - 1):
        (taught,) = torch.autograd.grad(stock[t, 4, 5] + stock[t, 5, 4], model.tie, retain_graph=True)
        assert taught[model.tie_of[row(model, 4, 5)]] == 0
        (taught,) = torch.autograd.grad(stock[t, 2, 3], model.tie, retain_graph=True)
        assert taught[model.tie_of[row(model, 2, 3)]] > 0
    (taught,) = torch.autograd.grad(stock.sum() + stock[-1].square().sum(), model.tie)
    learned = {int(model.tie_of[row(model, a, b)]) for a, b in ((0, 1), (2, 3))}
    assert set(torch.nonzero(taught).ravel().tolist()) == learned


def test_a_half_reported_tie_is_taught_by_the_reported_direction_and_used_in_both(model):
    tie = int(model.tie_of[row(model, 0, 1)])
    told = hazards(model)
    (taught,) = torch.autograd.grad(told.native[1, 0], model.tie, retain_graph=True)
    assert not taught.any()
    (taught,) = torch.autograd.grad(told.native[0, 1], model.tie)
    assert torch.equal(torch.nonzero(taught).ravel(), torch.tensor([tie])) and taught[tie] == 1
    close(change(model, "tie", tie)["native"], only(model.n, {(0, 1): 0.5, (1, 0): 0.5}))


def test_pairs_without_effects_keep_what_covariates_say(small_panel, some_reported):
    n = small_panel.sizes["residence"]
    active = np.zeros((n, n), bool)
    active[2, 3] = active[3, 2] = True
    model = FlowModel(replace(build_features(small_panel), active=active), small_panel, ModelConfig(), some_reported)
    with torch.no_grad():
        for name in ("tie", "direction", "wave"):
            getattr(model, name).fill_(0.7)
        told = hazards(model)
    moved = (told.native - model.systematic[T, ..., 0]).abs() > 1e-5
    assert torch.equal(moved, torch.as_tensor(active))


# ---- times

def test_shares_of_periods_sum_to_one_and_change_at_mid_year(small_panel):
    np.testing.assert_allclose(_shares_of_periods(small_panel).sum(1), 1)
    told = _shares_of_periods(xr.Dataset(coords={"year": np.arange(1988, 2004), "stock_year": [1990, 1995, 2000]}))
    share = dict(zip(range(1988, 2004), told.tolist()))
    assert told.shape == (16, 2)
    assert share[1988] == share[1990] == share[1994] == [1, 0]      # years before the first count, too
    assert share[1995] == [0.5, 0.5]
    assert share[1996] == share[2000] == share[2003] == [0, 1]      # and years after the last


def test_a_wave_lets_natives_leave_and_keeps_them_from_returning(model):
    period = int(model.wave_share[T].argmax())
    assert model.wave_share[T, period] == 1
    told = change(model, "wave", (period, row(model, 4, 5)))
    close(told["native"], only(model.n, {(4, 5): 0.5}))
    close(told["back"], only(model.n, {(5, 4): -0.5}))              # born in 4, living in 5
    with torch.no_grad():
        calm = model().stock
        model.wave[period, row(model, 4, 5)] = 0.5
        high = model().stock
    assert high[T + 1, 4, 5] > 1.1 * calm[T + 1, 4, 5]              # as the next count will show


def test_a_wave_ends_with_its_period(model):
    first = change(model, "wave", (0, row(model, 4, 5)), t=0)["native"]
    last = change(model, "wave", (0, row(model, 4, 5)), t=model.years - 1)["native"]
    assert first[4, 5] == pytest.approx(0.5, abs=1e-5) and not last.any()
    edge = int(np.flatnonzero(model.wave_share[:, 0] == 0.5)[0])
    assert change(model, "wave", (0, row(model, 4, 5)), t=edge)["native"][4, 5] == pytest.approx(0.25, abs=1e-5)


def priors(model, **deviations) -> dict[str, float]:
    """Negative log priors of the effects, nats."""
    return {k: float(v.detach()) for k, v in effect_terms(model, EffectConfig(**deviations)).items()}


def totals(model, place):
    flow = model().flow[T]
    return float(flow[:, place].sum()), float(flow[place].sum())


@pytest.mark.parametrize("effect", ["balance", "turnover"])
def test_balance_moves_net_migration_and_turnover_the_sum(model, effect):
    place, by = 3, 0.1
    with torch.no_grad():
        model.onward_level.fill_(-3.0)      # few move on: what these do follows from leanings as well
        before = totals(model, place)
        getattr(model, effect)[T, place] = by
        after = totals(model, place)
    arrivals, departures = (np.log(b / a) for a, b in zip(before, after))
    assert arrivals == pytest.approx(by, rel=0.1)
    assert departures == pytest.approx(by if effect == "turnover" else -by, rel=0.1)


def test_balance_leaves_turnover_nearly_alone(model):
    with torch.no_grad():
        before = model().flow[T]
        model.balance[T] = 0.1 * torch.randn(model.n, generator=torch.Generator().manual_seed(0))
        after = model().flow[T]
    net, both = (lambda f: f.sum(0) - f.sum(1)), (lambda f: f.sum(0) + f.sum(1))
    assert (net(after) - net(before)).abs().sum() > 4 * abs(float(both(after).sum() - both(before).sum()))
    assert not torch.allclose(after, before, rtol=0.02)


def test_an_unusual_year_is_that_year_alone(model):
    for effect in ("turnover", "balance"):
        assert change(model, effect, (T, 2))["native"].any()
        for t in (T - 1, T + 1):
            assert not change(model, effect, (T, 2), t=t)["native"].any()


def test_pairs_without_effects_share_those_of_their_territories(small_panel, some_reported):
    n = small_panel.sizes["residence"]
    features = build_features(small_panel)
    active = ~np.eye(n, dtype=bool)
    for a, b in ((2, 5), (5, 2), (2, 6), (6, 2), (4, 5), (5, 4)):
        active[a, b] = False
    model = FlowModel(replace(features, active=active), small_panel.drop_vars("displaced_flow"),
                      ModelConfig(hidden=4, width=8, embedding=2), some_reported)
    model.read_covariates()
    told = change(model, "scarce", (T, 2))
    moved = told["native"].fill_diagonal_(0)        # nobody moves from a territory to itself
    close(moved, only(n, {(2, 5): 0.5, (5, 2): 0.5, (2, 6): 0.5, (6, 2): 0.5}))
    assert not told["back"].any() and not change(model, "scarce", (T, 2), t=T + 1)["native"].any()
    # All pairs of this one have effects of their own.
    assert not change(model, "scarce", (T, 3))["native"].fill_diagonal_(0).any()


# ---- single years of corridors with reports

def test_a_report_s_year_has_an_effect_on_all_who_move_that_way(model):
    k = int(model.course_before[T, row(model, 0, 1)])
    told = change(model, "course", k, by=0.5)
    expected = only(model.n, {(0, 1): 0.5})
    for name in ("native", "back", "onward"):
        close(told[name], expected)


def test_a_year_without_a_report_follows_those_beside_it_and_teaches_nothing(model):
    k = int(model.course_before[1, row(model, 0, 1)])
    told = change(model, "course", k, by=0.5, t=0)                 # year 0 has none, year 1 has one
    close(told["native"], only(model.n, {(0, 1): 0.5 * MEMORY}))
    for year, teaches in ((0, False), (1, True)):
        model.zero_grad()
        hazards(model, year).native[0, 1].backward()
        grad = model.course.grad
        assert (grad is not None and bool(grad[k])) == teaches


def test_a_pair_without_reports_has_no_years_of_its_own(model):
    assert len(model.course) == 3 * (model.years - 1)
    told = change(model, "course", slice(None), by=0.5)
    assert not told["native"][4, 5] and not told["native"][1, 0]


# ---- moving on

def test_people_move_on_where_natives_go_at_a_level_of_their_own(model):
    told = change(model, "onward_level", (), by=0.7)
    close(told["onward"], torch.full((model.n, model.n), 0.7))
    assert not told["native"].any() and not told["affinity"].any()


def test_affinity_follows_the_leaning_of_natives(model):
    native = hazards(model).native.detach()
    told = change(model, "affinity_slope", (), by=0.25)
    close(told["affinity"], 0.25 * (native - native.mean(0)))
    assert told["affinity"].mean(0).abs().max() < 1e-5              # a leaning among origins, no attraction of its own
    assert not told["onward"].any()


# ---- priors --------------------------------------------------------------------------------------------------------

def t_nats(x, tail):
    """Of Student's t, without the constant."""
    return float((stats.t.logpdf(0, tail) - stats.t.logpdf(np.asarray(x, float), tail)).sum())


def normal_nats(x):
    return float((stats.norm.logpdf(0) - stats.norm.logpdf(np.asarray(x, float))).sum())


def innovations(course):
    """What is new in each year of an effect that fades, in units of its own deviation; the first year is all new."""
    return np.concatenate([course[:1], (course[1:] - MEMORY * course[:-1]) / np.sqrt(1 - MEMORY**2)])


def test_effects_of_pairs_have_the_densities_of_scipy(model):
    draw = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name in ("tie", "direction", "wave"):
            getattr(model, name).normal_(0, 0.5, generator=draw)
    told = priors(model, tie=0.7, direction=0.9, unreported=0.2, wave=0.3)
    assert told["tie"] == pytest.approx(normal_nats(model.tie.detach() / 0.7), rel=1e-4)
    # Nobody reports of most pairs: what stocks alone say of returns is held closer to none.
    reported = np.zeros(len(model.direction), bool)
    reported[[row(model, *pair) for pair in ((0, 1), (2, 3), (3, 2))]] = True
    expected = normal_nats(model.direction.detach()[reported] / 0.9) \
        + normal_nats(model.direction.detach()[~reported] / 0.2)
    assert told["direction"] == pytest.approx(expected, rel=1e-4)
    assert told["wave"] == pytest.approx(t_nats(model.wave.detach() / 0.3, TAIL), rel=1e-4)


def test_effects_of_years_have_the_densities_of_scipy(model):
    draw = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name in ("turnover", "balance", "scarce"):
            getattr(model, name).normal_(0, 0.5, generator=draw)
    told = priors(model, turnover=0.15, balance=0.6, scarce=0.8)
    expected = normal_nats(innovations(model.turnover.detach().double().numpy()) / 0.15)
    assert told["turnover"] == pytest.approx(expected, rel=1e-4)
    expected = t_nats(innovations(model.balance.detach().double().numpy()) / 0.6, TAIL)
    assert told["balance"] == pytest.approx(expected, rel=1e-4)
    expected = t_nats(innovations(model.scarce.detach().double().numpy()) / 0.8, TAIL)
    assert told["scarce"] == pytest.approx(expected, rel=1e-4)


def test_years_of_a_corridor_are_an_autoregression_with_heavy_tails(small_panel):
    """What is new since the last known year has the more variance the longer ago that was."""
    n, years = small_panel.sizes["origin"], small_panel.sizes["year"]
    reported = np.zeros((years, n, n), bool)
    reported[[1, 2, 7], 0, 1] = reported[3, 2, 3] = True
    features = replace(build_features(small_panel), active=~np.eye(n, dtype=bool))
    calm = small_panel.drop_vars("displaced_flow")
    model = FlowModel(features, calm, ModelConfig(hidden=4, width=8, embedding=2), reported)
    course = np.array([0.5, -0.2, 0.9, 1.5])
    with torch.no_grad():
        model.course.copy_(torch.as_tensor(course))
    new = [0.5, (-0.2 - MEMORY * 0.5) / np.sqrt(1 - MEMORY**2), (0.9 + MEMORY**5 * 0.2) / np.sqrt(1 - MEMORY**10), 1.5]
    assert priors(model, course=0.4)["course"] == pytest.approx(t_nats(np.array(new) / 0.4, SHOCK_TAIL), rel=1e-4)


def war(panel) -> xr.Dataset:
    """The panel with new refugees from 0 to 1 in year 5, and fewer than make a shock from 2 to 3 in year 6."""
    flow = np.zeros(panel.displaced_flow.shape)
    flow[5, 0, 1], flow[6, 2, 3], flow[8, 2, 3] = DISPLACED_FROM + 1, DISPLACED_FROM, np.nan
    return panel.drop_vars("displaced_stock").assign(displaced_flow=(panel.displaced_flow.dims, flow))


def test_years_that_bring_refugees_and_those_after_may_be_shocks(small_panel):
    found = np.argwhere(shocked_years(war(small_panel))).tolist()
    assert found == [[5, 0, 1], [6, 0, 1]]
    assert not shocked_years(small_panel.drop_vars("displaced_flow")).any()


def test_a_shock_costs_a_few_nats_and_no_more(small_panel, some_reported):
    n = small_panel.sizes["origin"]
    features = replace(build_features(small_panel), active=~np.eye(n, dtype=bool))
    model = FlowModel(features, war(small_panel), ModelConfig(hidden=4, width=8, embedding=2), some_reported)
    shocked, usual = (int(model.course_before[5, row(model, *pair)]) for pair in ((0, 1), (2, 3)))
    assert model.course_shocked.sum() == 2 and model.course_shocked[shocked] and not model.course_shocked[usual]

    def cost(k, effect):
        with torch.no_grad():
            model.course.zero_()
            model.course[k] = effect / (SHOCK_UNIT if model.course_shocked[k] else 1.0)
            assert model.course_effect()[k] == pytest.approx(effect)
            return priors(model)["course"]

    hundredfold = np.log(100)
    assert cost(shocked, hundredfold) < 12 < 0.5 * (hundredfold / 0.4) ** 2
    assert cost(shocked, hundredfold) < 0.7 * cost(usual, hundredfold)
    assert cost(usual, 2 * hundredfold) - cost(usual, hundredfold) < 6          # tails are heavy in calm years, too
    close(change(model, "course", shocked, by=0.5, t=5)["native"], only(n, {(0, 1): 0.5 * SHOCK_UNIT}))


@pytest.mark.parametrize("name", EFFECTS)
def test_each_effect_has_its_own_deviation(model, name):
    with torch.no_grad():
        getattr(model, name).fill_(0.5)
    told, wider = priors(model), priors(model, **{name: 2 * getattr(EffectConfig(), name)})
    assert {k for k in told if told[k]} == {name}
    assert 0 < wider[name] < told[name]


def test_how_people_move_on_has_a_prior_around_its_start(model):
    with torch.no_grad():
        model.onward_level += 0.2
        model.affinity_slope -= 0.1
    assert priors(model)["scalars"] == pytest.approx(normal_nats([0.2 / SCALAR, 0.1 / SCALAR]), rel=1e-3)


def test_what_fades_costs_less_than_what_comes_and_goes(model):
    course = MEMORY ** torch.arange(model.years)
    told = []
    with torch.no_grad():
        for signs in (1.0, (-1.0) ** torch.arange(model.years)):
            model.balance[:, 0] = course * signs
            told.append(priors(model, balance=0.6)["balance"])
    assert told[0] == pytest.approx(t_nats(1 / 0.6, TAIL), rel=1e-3)     # nothing is new after the first year
    assert told[1] > 2 * told[0]


def test_priors_have_finite_gradients_where_there_are_no_effects(model):
    torch.stack(list(effect_terms(model, EffectConfig()).values())).sum().backward()
    for name in EFFECTS:
        slope = getattr(model, name).grad
        assert torch.isfinite(slope).all() and not slope.any(), name


def test_a_world_without_pairs_to_learn_of_has_no_effects_but_flows(small_panel, some_reported):
    n = small_panel.sizes["residence"]
    model = FlowModel(replace(build_features(small_panel), active=np.zeros((n, n), bool)), small_panel, ModelConfig(),
                      some_reported)
    assert sum(priors(model).values()) == 0
    assert torch.isfinite(model().flow).all()
