"""The gravity model: what it is fitted to, what it gives back, and what it may not see."""
import numpy as np
import pytest
import statsmodels.api as sm
import xarray as xr

from humanflows.baselines import gravity
from humanflows.baselines.gravity import predict_gravity
from humanflows.baselines.ipf import NotConvergedError
from humanflows.errors import SchemaError
from humanflows.panel.splits import perturb_held_out, training_observations

FREE_OF_RIDGE = 1e-10


def used(panel, splits):
    """Training reports by residence: mask, positions."""
    kinds = np.array([str(w).split("|")[3] for w in panel["witness"].values])
    mask = training_observations(panel, splits) & (kinds == "residence")[panel["flow_witness"].values]
    return mask, tuple(panel[f"flow_{k}"].values[mask].astype(int) for k in ("year", "origin", "destination"))


def replaced(panel, flow) -> xr.Dataset:
    """The panel with reports that say exactly this flow."""
    where = tuple(panel[f"flow_{k}"].values.astype(int) for k in ("year", "origin", "destination"))
    return panel.assign(flow_persons=("observation", flow[where]))


@pytest.mark.parametrize("stocks", [False, True])
def test_every_corridor_and_year_has_a_flow(small_panel, small_splits, stocks):
    flow = predict_gravity(small_panel, small_splits, stocks=stocks)
    assert flow.dims == ("year", "origin", "destination")
    off = ~np.eye(flow.sizes["origin"], dtype=bool)
    assert (flow.values[:, off] > 0).all() and np.isfinite(flow.values).all()
    assert (flow.values[:, ~off] == 0).all()
    assert ("stocks" in flow.attrs["learned_from"]) == stocks
    assert len(flow.attrs["coefficients"]) == len(flow.attrs["covariates"]) == 10 + 2 * stocks
    np.testing.assert_array_equal(flow["year"], small_panel["year"])


def test_totals_of_origins_destinations_and_years_are_those_reported(small_panel, small_splits):
    """The first-order condition of a Poisson fit with such effects, and of no other common one."""
    flow = predict_gravity(small_panel, small_splits, ridge=FREE_OF_RIDGE)
    year, origin, destination, persons = gravity._observations(small_panel, small_splits, "residence")
    estimated = flow.values[year, origin, destination]
    for label in (year, origin, destination):
        np.testing.assert_allclose(np.bincount(label, estimated), np.bincount(label, persons), rtol=1e-4, atol=1)


@pytest.mark.filterwarnings("ignore:The design matrix is rank-deficient")    # a covariate may be the same everywhere
def test_is_the_generalised_linear_model_of_statsmodels(small_panel, small_splits):
    year, origin, destination, persons = gravity._observations(small_panel, small_splits, "residence")
    x = np.stack([c[year, origin, destination] for c in gravity._covariates(small_panel, False)[1]], axis=1)
    x = (x - x.mean(0)) / np.where(x.std(0) > 0, x.std(0), 1)
    dummies = [np.eye(k.max() + 1)[k][:, 1:] for k in (origin, destination, year)]
    design = np.hstack([np.ones((len(persons), 1)), x, *dummies])
    expected = sm.GLM(persons, design, family=sm.families.Poisson()).fit(maxiter=200, tol=1e-12).fittedvalues
    flow = predict_gravity(small_panel, small_splits, ridge=FREE_OF_RIDGE)
    np.testing.assert_allclose(flow.values[year, origin, destination], expected, rtol=1e-3)


def test_a_world_of_gravity_is_recovered_where_nobody_looked(small_panel, small_splits):
    rng = np.random.default_rng(3)
    n, years = small_panel.sizes["origin"], small_panel.sizes["year"]
    true = np.exp(6 + rng.normal(0, 1, (1, n, 1)) + rng.normal(0, 1, (1, 1, n)) + rng.normal(0, 0.2, (years, 1, 1))
                  - 1.3 * np.log(small_panel["distance"].fillna(1).values / 1000).clip(-5))
    flow = predict_gravity(replaced(small_panel, true), small_splits, ridge=FREE_OF_RIDGE)
    distance = flow.attrs["covariates"].index("log distance")
    assert flow.attrs["coefficients"][distance] == pytest.approx(-1.3, abs=0.01)
    year, origin, destination = used(small_panel, small_splits)[1]
    hidden = small_splits["held_out"].values.copy()
    hidden[~np.isin(np.arange(n), origin)] = False
    hidden[:, ~np.isin(np.arange(n), destination)] = False
    assert hidden.any()
    seen = np.unique(year)
    np.testing.assert_allclose(flow.values[seen][:, hidden], true[seen][:, hidden], rtol=0.02)


def test_does_not_see_what_is_held_out_and_sees_the_rest(small_panel, small_splits):
    before = predict_gravity(small_panel, small_splits, stocks=True)
    moved = perturb_held_out(small_panel, small_splits)
    assert predict_gravity(moved, small_splits, stocks=True).identical(before)
    mask, _ = used(small_panel, small_splits)
    seen = small_panel.copy(deep=True)
    seen["flow_persons"][np.flatnonzero(mask)[:50]] += 1000
    assert not np.allclose(predict_gravity(seen, small_splits, stocks=True), before)


def test_a_place_without_reports_gets_what_its_covariates_make_of_it(small_panel, small_splits):
    mask, (_, origin, destination) = used(small_panel, small_splits)
    place = int(np.bincount(np.r_[origin, destination]).argmax())
    about = (small_panel["flow_origin"].values == place) | (small_panel["flow_destination"].values == place)
    silent = small_panel.isel(observation=~(mask & about))
    flow = predict_gravity(silent, small_splits)
    off = ~np.eye(flow.sizes["origin"], dtype=bool)
    largest = small_panel["flow_persons"].values.max()
    assert (flow.values[:, off] > 0).all() and flow.values.max() < 100 * largest


def test_several_reports_of_a_corridor_count_as_their_mean(small_panel, small_splits):
    mask, (year, origin, destination) = used(small_panel, small_splits)
    cells = gravity._observations(small_panel, small_splits, "residence")
    persons = small_panel["flow_persons"].values[mask]
    twice = np.flatnonzero(np.bincount((year * 100 + origin) * 100 + destination) > 1)
    assert len(twice)
    y, o, d = twice[0] // 10000, twice[0] // 100 % 100, twice[0] % 100
    here = (cells[0] == y) & (cells[1] == o) & (cells[2] == d)
    assert cells[3][here].tolist() == [persons[(year == y) & (origin == o) & (destination == d)].mean()]


def test_a_year_without_reports_has_the_effect_of_the_nearest(small_panel, small_splits):
    still = small_panel.copy(deep=True)
    for name in ("population", "gdp_per_capita", "eu_member"):
        still[name].values[:] = still[name].values[0]
    reported = still["flow_year"].values
    flow = predict_gravity(still.isel(observation=(reported >= 2) & (reported <= 8)), small_splits)
    np.testing.assert_array_equal(flow.values[0], flow.values[2])
    np.testing.assert_array_equal(flow.values[-1], flow.values[8])
    assert not np.allclose(flow.values[3], flow.values[2])


def test_refuses_what_it_cannot_fit(small_panel, small_splits, monkeypatch):
    with pytest.raises(SchemaError, match="birthplace"):
        predict_gravity(small_panel, small_splits, criterion="birthplace")
    with pytest.raises(SchemaError, match="distance"):
        predict_gravity(small_panel.drop_vars("distance"), small_splits)
    with pytest.raises(SchemaError, match="ridge"):
        predict_gravity(small_panel, small_splits, ridge=0)
    with pytest.raises(SchemaError, match="no training corridor"):
        predict_gravity(small_panel.assign(flow_persons=small_panel["flow_persons"] * 0), small_splits)
    monkeypatch.setattr(gravity, "MAX_ITERATIONS", 1)
    with pytest.raises(NotConvergedError, match="ridge"):
        predict_gravity(small_panel, small_splits)
