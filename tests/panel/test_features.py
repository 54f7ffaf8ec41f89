"""Inputs of the cell: finite, on one scale, and blind to every reported flow."""
from dataclasses import fields

import numpy as np
import pytest

from humanflows.errors import ConfigError
from humanflows.panel.features import FAMILIES, PANDEMIC, QUIET, active_pairs, build_features
from humanflows.schema import OWN_RECONSTRUCTION

TABLES = ("unilateral", "static", "dynamic")


@pytest.fixture(scope="module")
def features(small_panel):
    return build_features(small_panel)


def column(features, table: str, name: str) -> np.ndarray:
    """One feature by name."""
    return getattr(features, table)[..., getattr(features, f"{table}_names").index(name)]


def test_shapes_and_names_agree(features, small_panel):
    years, n = small_panel.sizes["year"], small_panel.sizes["residence"]
    assert features.unilateral.shape == (years, n, len(features.unilateral_names))
    assert features.static.shape == (n, n, len(features.static_names))
    assert features.dynamic.shape == (years, n, n, len(features.dynamic_names))
    for table in TABLES:
        names = getattr(features, f"{table}_names")
        assert len(set(names)) == len(names)


def test_all_is_finite_and_of_moderate_size(features):
    for table in TABLES:
        values = getattr(features, table)
        assert values.dtype == np.float32
        assert np.isfinite(values).all()
        assert np.abs(values).max() < 12


@pytest.mark.parametrize("name", ["log_population", "log_gdp_per_capita", "gdp_growth", "birth_rate", "life_expectancy",
                                  "net_migration_rate", "displaced_out_change"])
def test_covariates_of_territories_are_standardised(features, name):
    values = column(features, "unilateral", name).astype(float)
    assert abs(values.mean()) < 1e-5
    assert values.std() == pytest.approx(1, abs=1e-5)


def test_order_is_kept_by_standardising(features, small_panel):
    population = small_panel.population.values[:-1]
    shown = column(features, "unilateral", "log_population")
    assert (np.argsort(population.ravel()) == np.argsort(shown.ravel())).mean() > 0.99
    distance = small_panel.distance.values
    off = ~np.eye(len(distance), dtype=bool)
    assert np.corrcoef(np.log(distance[off]), column(features, "static", "log_distance")[off])[0, 1] > 0.999999


def test_no_reported_flow_enters(features, small_panel):
    rng = np.random.default_rng(0)
    other = small_panel.copy(deep=True)
    other["flow_persons"][:] = rng.integers(0, 10**6, other.sizes["observation"])
    for name in ("year", "origin", "destination", "witness"):
        other[f"flow_{name}"][:] = rng.permutation(other[f"flow_{name}"].values)
    # Others' reconstructions may rest on reports. Our own is made from stocks alone, and is a feature.
    theirs = other.method.values.astype(str) != OWN_RECONSTRUCTION
    other["reconstruction"][theirs] = rng.integers(0, 10**6, other.reconstruction[theirs].shape)
    without = small_panel.drop_dims(["observation", "witness"])
    for panel in (other, without):
        again = build_features(panel)
        for f in fields(features):
            assert np.array_equal(getattr(again, f.name), getattr(features, f.name)), f.name


def test_each_covariate_enters(features, small_panel):
    # The counterpart of the test above: what should be seen, is.
    rng = np.random.default_rng(0)
    for name, table in (("gdp_per_capita", "unilateral"), ("net_migration", "unilateral"), ("distance", "static"),
                        ("colonial_tie", "static"), ("trade", "dynamic"), ("displaced_stock", "dynamic"),
                        ("displaced_flow", "dynamic"), ("reconstruction", "dynamic")):
        other = small_panel.copy(deep=True)
        other[name][:] = rng.uniform(1, 9, other[name].shape)
        assert not np.array_equal(getattr(build_features(other), table), getattr(features, table)), name


def test_missing_covariates_are_the_mean_and_flagged(features, small_panel):
    gap = small_panel.copy(deep=True)
    gap["gdp_per_capita"][:, 3] = np.nan
    seen = build_features(gap)
    assert np.isfinite(seen.unilateral).all()
    flag = column(seen, "unilateral", "gdp_missing")
    assert (flag[:, 3] == 1).all() and flag.sum() == len(flag)
    assert (column(seen, "unilateral", "log_gdp_per_capita")[:, 3] == 0).all()
    assert column(features, "unilateral", "gdp_missing").sum() == 0


@pytest.mark.parametrize("absent", [
    ["trade", "trade_status"], ["displaced_stock", "displaced_stock_status", "displaced_flow", "displaced_before"]])
def test_a_panel_may_lack_a_pair_series(features, small_panel, absent):
    seen = build_features(small_panel.drop_vars([v for v in absent if v in small_panel]))
    assert seen.dynamic_names == features.dynamic_names
    assert np.isfinite(seen.dynamic).all() and np.isfinite(seen.unilateral).all()
    which = "log_trade" if "trade" in absent else "log_displaced_flow"
    assert not column(seen, "dynamic", which).any() and column(features, "dynamic", which).any()


def test_the_direction_of_pairs(features, small_panel):
    forth, back = (column(features, "dynamic", n) for n in ("log_trade", "log_trade_back"))
    assert np.array_equal(forth, back.transpose(0, 2, 1)) and not np.array_equal(forth, back)
    ties = small_panel.colonial_tie.values
    assert np.array_equal(column(features, "static", "colony_of_destination"), np.nan_to_num(ties).astype(np.float32))
    assert np.array_equal(column(features, "static", "colony_of_origin"), np.nan_to_num(ties).T.astype(np.float32))


def test_refugees_of_the_last_year_are_known_in_this_one(features, small_panel):
    # log_displaced is the count at the end of the year before: of the first year, displaced_before.
    shown = column(features, "dynamic", "log_displaced")
    np.testing.assert_allclose(shown[0], np.log1p(small_panel.displaced_before.values) / 5, rtol=1e-5)
    np.testing.assert_allclose(shown[1:], np.log1p(small_panel.displaced_stock.values[:-1]) / 5, rtol=1e-5)


def test_democracy_and_visas_are_features_only_where_the_panel_tells_them(features, small_panel):
    n = small_panel.sizes["residence"]
    rng = np.random.default_rng(0)
    democracy, ease = rng.random((small_panel.sizes["year"], n)), rng.integers(0, 5, (n, n)) / 4
    democracy[:, 2] = np.nan
    ease[1, :] = ease[:, 1] = np.nan
    np.fill_diagonal(ease, np.nan)
    place = ("year", "residence")
    told = small_panel.assign(democracy=(place, democracy), liberal_democracy=(place, democracy / 2),
                              visa_ease=(("origin", "destination"), ease))
    seen = build_features(told)
    assert set(seen.unilateral_names) - set(features.unilateral_names) == {
        "democracy", "liberal_democracy", "democracy_missing"}
    assert set(seen.static_names) - set(features.static_names) == {"visa_ease", "visa_ease_back", "visa_missing"}
    assert seen.dynamic_names == features.dynamic_names
    shown, flag = (column(seen, "unilateral", f) for f in ("democracy", "democracy_missing"))
    assert (flag[:, 2] == 1).all() and flag.sum() == len(flag) and (shown[:, 2] == 0).all()
    others = np.delete(shown, 2, axis=1)
    assert abs(others.mean()) < 1e-5 and others.std() == pytest.approx(1, abs=1e-5)
    forth, back, unknown = (column(seen, "static", f) for f in ("visa_ease", "visa_ease_back", "visa_missing"))
    assert np.array_equal(back, forth.T) and not np.array_equal(back, forth)
    assert (np.corrcoef(forth[~np.isnan(ease)], ease[~np.isnan(ease)])[0, 1]) > 0.999999
    off = ~np.eye(n, dtype=bool)
    assert np.array_equal(unknown[off] == 1, np.isnan(ease)[off]) and not unknown.diagonal().any()
    for name in features.unilateral_names:   # the others are as they were
        assert np.array_equal(column(seen, "unilateral", name), column(features, "unilateral", name)), name
    # Variables without any value are as good as none.
    silent = build_features(told.assign({v: told[v] * np.nan for v in ("democracy", "liberal_democracy", "visa_ease")}))
    for f in fields(features):
        assert np.array_equal(getattr(silent, f.name), getattr(features, f.name)), f.name


def test_a_simulated_world_tells_neither(features, small_panel):
    named = {*small_panel.data_vars, *features.unilateral_names, *features.static_names}
    assert not [name for name in named if "democracy" in name or "visa" in name]


def test_calendar_features(small_panel):
    later = small_panel.assign_coords(year=np.arange(2010, 2010 + small_panel.sizes["year"]))
    seen = build_features(later)
    pandemic = dict(zip(later.year.values.tolist(), column(seen, "unilateral", "pandemic")[:, 0].tolist()))
    assert {y: v for y, v in pandemic.items() if v} == PANDEMIC
    time = column(seen, "unilateral", "time")[:, 0]
    assert time[0] == -1 and time[-1] == 1 and (np.diff(time) > 0).all()


def test_active_pairs_are_symmetric_and_off_the_diagonal(small_panel):
    quiet = small_panel.copy(deep=True)
    quiet["stock_observed"][:] = np.nan
    quiet["displaced_stock"][:] = 0
    assert not active_pairs(quiet).any()
    quiet["stock_observed"][-1, 1, 2, 5] = QUIET + 1
    quiet["stock_observed"][0, 0, 4, 6] = QUIET
    quiet["displaced_stock"][3, 0, 1] = QUIET + 1
    assert set(zip(*np.nonzero(active_pairs(quiet)))) == {(2, 5), (5, 2), (0, 1), (1, 0)}
    active = active_pairs(small_panel)
    assert np.array_equal(active, active.T) and not active.diagonal().any()


# ---- families

@pytest.fixture(scope="module")
def full_panel(small_panel):
    """The panel with every variable that a panel may lack."""
    rng = np.random.default_rng(1)
    shape, pairs = small_panel.population.values[:-1].shape, small_panel.distance.shape
    more = {"democracy": (("year", "residence"), rng.random(shape)),
            "liberal_democracy": (("year", "residence"), rng.random(shape)),
            "visa_ease": (("origin", "destination"), rng.random(pairs))}
    flow = rng.random((1, small_panel.sizes.get("period", 1), *pairs))
    if "reconstruction" not in small_panel:
        small_panel = small_panel.assign_coords(method=[OWN_RECONSTRUCTION], period=small_panel.year.values[:1])
        more["reconstruction"] = (("method", "period", "origin", "destination"), flow)
    return small_panel.assign(more)


def names_of(features) -> list[str]:
    return [name for table in TABLES for name in getattr(features, f"{table}_names")]


def test_every_feature_belongs_to_exactly_one_family(full_panel, features):
    listed = [name for family in FAMILIES.values() for name in family]
    assert len(set(listed)) == len(listed)
    built = names_of(build_features(full_panel))
    assert sorted(listed) == sorted(built)              # the panel with everything has them all
    assert set(names_of(features)) <= set(listed)
    assert not any("," in family or " " in family for family in FAMILIES)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_left_out_and_nothing_else_moves(full_panel, family):
    whole, less = build_features(full_panel), build_features(full_panel, (family,))
    assert sorted(names_of(less)) == sorted(set(names_of(whole)) - set(FAMILIES[family]))
    for table in TABLES:
        names = getattr(less, f"{table}_names")
        assert getattr(less, table).shape[-1] == len(names) and getattr(less, table).dtype == np.float32
        for name in names:
            np.testing.assert_array_equal(column(less, table, name), column(whole, table, name))
    np.testing.assert_array_equal(less.active, whole.active)


def test_families_are_named_in_one_text_as_well_and_all_may_go(full_panel):
    listed = build_features(full_panel, ["stocks", "conflict"])
    assert names_of(build_features(full_panel, "stocks, conflict,")) == names_of(listed)
    assert names_of(build_features(full_panel, "")) == names_of(build_features(full_panel))
    none = build_features(full_panel, FAMILIES)
    assert names_of(none) == [] and none.dynamic.shape == (*build_features(full_panel).dynamic.shape[:-1], 0)


def test_an_unknown_family_names_the_nearest(small_panel):
    with pytest.raises(ConfigError, match=r"'demografy'.*did you mean 'demography'"):
        build_features(small_panel, "stocks,demografy")
