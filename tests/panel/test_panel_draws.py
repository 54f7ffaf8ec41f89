"""What a member draws: mean one, residents conserved, known things untouched, and nothing at all when switched off."""
from dataclasses import fields, replace

import numpy as np
import pytest
import xarray as xr

from humanflows.config import EnsembleConfig
from humanflows.errors import ConfigError
from humanflows.panel import draws
from humanflows.panel.features import FAMILIES, active_pairs, build_features

OFF = EnsembleConfig(**{f.name: 0.0 for f in fields(EnsembleConfig) if f.type is float})
FREELY = EnsembleConfig(reporters=1.0, corridors=1.0)
SEEDS = range(40)
KNOWN = ("calendar", "geography", "culture", "reconstruction")


def only(**strength) -> EnsembleConfig:
    return replace(OFF, **strength)


@pytest.fixture(scope="module")
def drawn(small_panel):
    """Many panels with everything drawn, weights as freely as in the Bayesian bootstrap."""
    return [draws.draw_panel(small_panel, FREELY, s) for s in SEEDS]


def changed(panel, other) -> set:
    """Names of what differs, new ones included."""
    return {k for k in other.variables if k not in panel or not panel[k].equals(other[k])}


# ---- what a draw touches

def test_without_strength_the_panel_itself_is_returned(small_panel):
    assert draws.draw_panel(small_panel, OFF, 3) is small_panel


def test_the_panel_that_is_drawn_from_stays_as_it_is(small_panel):
    before = small_panel.copy(deep=True)
    draws.draw_panel(small_panel, EnsembleConfig(), 3)
    assert before.identical(small_panel)


@pytest.mark.parametrize(("kind", "strength", "touched"), [
    ("reporters", 1.0, {"witness_weight"}), ("corridors", 1.0, {"corridor_weight"}),
    ("biases", 0.1, {"witness_bias_anchor", "collection_bias_anchor"}), ("stocks", 1.0, {"stock_initial",
                                                                                      "stock_observed"})])
def test_each_draw_touches_its_own_and_no_draw_moves_another(small_panel, drawn, kind, strength, touched):
    alone = draws.draw_panel(small_panel, only(**{kind: strength}), SEEDS[0])
    assert changed(small_panel, alone) == touched
    if kind != "stocks":    # pairs that the drawn covariates would activate keep their counts
        assert all(alone[k].equals(drawn[0][k]) for k in touched)


def test_the_same_seed_draws_the_same_and_another_one_differs(small_panel, drawn):
    again = draws.draw_panel(small_panel, FREELY, SEEDS[0])
    assert again.identical(drawn[0])
    assert {"witness_weight", "corridor_weight", "witness_bias_anchor", "stock_initial"} <= changed(again, drawn[1])


# ---- weights

def test_weights_of_offices_and_corridors_have_mean_one(small_panel, drawn):
    n = small_panel.sizes["origin"]
    off = ~np.eye(n, dtype=bool)
    for one in drawn:
        assert one.corridor_weight.values[off].mean() == pytest.approx(1)
        offices = dict(zip(one.witness_reporter.values.astype(str), one.witness_weight.values))
        assert np.mean(list(offices.values())) == pytest.approx(1)
        # every witness of an office weighs the same
        assert [offices[r] for r in one.witness_reporter.values.astype(str)] == one.witness_weight.values.tolist()
        assert (one.corridor_weight.values > 0).all()
    every = np.stack([one.corridor_weight.values[off] for one in drawn])
    assert every.std() == pytest.approx(1, abs=0.1)             # exponential, as in the Bayesian bootstrap
    assert every.mean(0) == pytest.approx(np.ones(n * (n - 1)), abs=0.8)


def test_strength_is_the_spread_of_weights(small_panel):
    weight = [draws.draw_panel(small_panel, only(corridors=0.3), s).corridor_weight.values for s in SEEDS]
    assert np.std(weight) == pytest.approx(0.3, abs=0.04)


def test_weights_of_reports_multiply(small_panel, drawn):
    w, o, d = (small_panel[f"flow_{k}"].values for k in ("witness", "origin", "destination"))
    assert draws.drawn_weights(small_panel, w, o, d) is None
    product = drawn[0].witness_weight.values[w] * drawn[0].corridor_weight.values[o, d]
    assert np.array_equal(draws.drawn_weights(drawn[0], w, o, d), product)
    alone = draws.draw_panel(small_panel, only(reporters=1.0), SEEDS[0])
    assert np.array_equal(draws.drawn_weights(alone, w, o, d), drawn[0].witness_weight.values[w])


# ---- biases

def test_biases_are_drawn_around_zero_with_a_part_common_to_all(small_panel, drawn):
    witness = np.stack([one.witness_bias_anchor.values for one in drawn])
    collection = np.stack([one.collection_bias_anchor.values for one in drawn])
    assert witness.std() == pytest.approx(0.1, abs=0.02) and abs(witness.mean()) < 0.02
    assert collection.std() == pytest.approx(0.1 * np.sqrt(2), abs=0.04) and abs(collection.mean()) < 0.05
    # the common part is half of the variance
    assert collection.mean(1).std() > 0.08
    about = [small_panel[f"witness_{k}"].values.astype(str) for k in ("source", "side", "criterion")]
    names = ["|".join(x) for x in zip(*about)]
    for one in collection:
        assert len(set(zip(names, one))) == len(set(names))     # one value a collection
    assert draws.drawn_biases(small_panel) is None


# ---- stocks

def test_residents_stay_as_many_and_natives_make_up_for_the_difference(small_panel, drawn):
    given = small_panel.stock_initial.values
    for one in drawn:
        state = one.stock_initial.values
        assert state.sum(0) == pytest.approx(given.sum(0), rel=1e-12)
        assert (np.diagonal(state) >= draws.NATIVES_LEFT * np.diagonal(given) * (1 - 1e-9)).all()
        assert (state >= 0).all() and ((state > 0) == (given > 0)).all()
        assert not np.array_equal(state, given)


def test_first_stocks_have_mean_one_and_the_spread_of_the_revisions(small_panel):
    size, spread, _ = draws.stock_spread(small_panel)
    given = small_panel.stock_initial.values
    much = (given > 1000) & ~np.eye(len(given), dtype=bool)
    factor = np.stack([draws.draw_panel(small_panel, only(stocks=1.0), s).stock_initial.values[much] / given[much]
                       for s in range(150)])
    assert factor.mean() == pytest.approx(1, abs=0.02)
    assert np.log(factor).std() == pytest.approx(np.interp(np.log1p(given[much]), size, spread).mean(), rel=0.15)
    twice = draws.draw_panel(small_panel, only(stocks=2.0), 0).stock_initial.values[much] / given[much]
    assert np.log(twice).std() > 1.5 * np.log(factor[0]).std()


def test_spread_is_that_of_two_revisions_that_err_independently(small_panel):
    rng = np.random.default_rng(0)
    truth = np.exp(rng.normal(9, 1, small_panel.stock_observed.shape[1:]))
    panel = small_panel.copy(deep=True)
    shape = small_panel.stock_observed.shape
    panel["stock_observed"] = small_panel.stock_observed.dims, truth * np.exp(0.25 * rng.normal(size=shape))
    _, spread, shared = draws.stock_spread(panel)
    assert spread[3] == pytest.approx(0.25, abs=0.06) and shared < 0.3
    common = np.exp(0.25 * rng.normal(size=(*shape[:2], 1, shape[3])))      # one error for all of a residence
    panel["stock_observed"] = small_panel.stock_observed.dims, truth * common
    assert draws.stock_spread(panel)[2] > 0.7


def test_an_error_fades_over_later_counts(small_panel):
    one = draws.draw_panel(small_panel, only(stocks=1.0), 0)
    size, spread, _ = draws.stock_spread(small_panel)
    state = small_panel.stock_initial.values
    sd = np.interp(np.log1p(state), size, spread)
    with np.errstate(divide="ignore", invalid="ignore"):
        log = np.log(one.stock_observed.values[-1] / small_panel.stock_observed.values[-1])
    left = draws.STOCK_MEMORY ** (small_panel.stock_year.values - small_panel.stock_year.values[0])
    log = log + 0.5 * (left[:, None, None] * sd) ** 2       # a factor of mean one
    known = np.isfinite(log).all(0) & (np.abs(log[0]) > 0.01)
    assert known.sum() > 20
    for k, share in enumerate(left):
        assert log[k][known] == pytest.approx(share * log[0][known], rel=0.01, abs=1e-4)


def test_without_two_revisions_stocks_cannot_be_drawn(small_panel):
    with pytest.raises(ConfigError, match="no two revisions") as caught:
        draws.draw_panel(small_panel.isel(revision=[1]), only(stocks=1.0), 1)
    assert "ensemble.stocks" in caught.value.remedy
    apart = small_panel.copy(deep=True)
    apart["stock_observed"][0, 0] = np.nan
    with pytest.raises(ConfigError):
        draws.draw_panel(apart, only(stocks=1.0), 1)


# ---- covariates

def test_what_is_known_gets_no_error_and_what_is_measured_does(small_panel, drawn):
    given, other = build_features(small_panel), build_features(drawn[0])
    moved = set()
    for part in ("unilateral", "static", "dynamic"):
        names = getattr(given, f"{part}_names")
        assert names == getattr(other, f"{part}_names")
        differ = (getattr(given, part) != getattr(other, part)).reshape(-1, len(names)).any(0)
        moved |= {n for n, d in zip(names, differ) if d}
    assert {"log_gdp_per_capita", "gdp_growth", "log_trade", "log_trade_back", "log_counted_stock"} <= moved
    known = {f for family in KNOWN for f in FAMILIES[family]} | {"eu_member", "both_eu", "log_population"}
    assert not moved & known


def test_errors_last_keep_zeros_and_gaps_and_agree_both_ways(small_panel):
    given = small_panel.copy(deep=True)
    given["trade"].values[:3, 1] = np.nan
    one = draws.draw_panel(given, only(covariates=1.0), 5)
    assert np.array_equal(np.isnan(one.trade.values), np.isnan(given.trade.values))
    assert np.array_equal(one.conflict_deaths.values == 0, given.conflict_deaths.values == 0)
    features = build_features(one)
    there, back = (features.dynamic_names.index(k) for k in ("log_trade", "log_trade_back"))
    assert np.array_equal(features.dynamic[..., there], features.dynamic[..., back].transpose(0, 2, 1))
    error = np.log(one.gdp_per_capita.values / given.gdp_per_capita.values)
    assert error.std() == pytest.approx(0.1, abs=0.04)
    assert np.corrcoef(error[1:].ravel(), error[:-1].ravel())[0, 1] > 0.6
    there = given.displaced_stock.values > 0
    ratio = np.where(there, one.displaced_stock.values / np.where(there, given.displaced_stock.values, 1), np.nan)
    ratio = ratio[:, there.sum(0) > 1]
    assert ratio.shape[1] > 2 and np.nanstd(ratio, axis=0).max() < 1e-5 < np.nanstd(ratio)


def test_pairs_with_effects_are_the_same_in_every_member(small_panel, drawn):
    expected = active_pairs(small_panel)
    assert all(np.array_equal(active_pairs(one), expected) for one in drawn)
    # the guard is needed: some draws would cross the line
    near = small_panel.copy(deep=True)
    near["stock_observed"] = xr.where(np.isfinite(near.stock_observed), 101.0, np.nan)
    near["displaced_stock"][:] = 0
    near["displaced_before"][:] = 0
    near["stock_observed"].values[0] *= 1.3
    free = draws._draw_stocks(near, 1.0, np.random.default_rng(0))
    assert not np.array_equal(active_pairs(near.assign(free)), active_pairs(near))
    assert np.array_equal(active_pairs(draws.draw_panel(near, only(stocks=1.0), 0)), active_pairs(near))
