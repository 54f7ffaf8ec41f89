"""Gravity by Poisson pseudo-maximum likelihood: the regression that every other estimate of flows has to beat.

``E[flow[y, o, d]] = exp(a[o] + b[d] + c[y] + β · x[y, o, d])``, fitted to reported flows of training corridors alone
(Santos Silva & Tenreyro 2006, doi:10.1162/rest.88.4.641): consistent whatever the distribution of a flow around its
mean, and at home with zeros. Large flows decide the fit, since the likelihood is in persons.

Effects of origins, destinations and years are shrunk by a ridge. A place that is seldom or never reported would
otherwise have an effect of minus infinity, or none; shrunk, it gets what its population, income and position make of
it. Effects of origin-years and destination-years, usual where the question is what a treaty did, would say nothing
about the many places and years without a report; that is why they are not used.
"""
import warnings

import numpy as np
import xarray as xr
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import PoissonRegressor

from ..errors import SchemaError
from ..panel.features import stock_course
from ..panel.splits import training_observations
from .ipf import NotConvergedError

RIDGE = 1e-3            # of 1e-2 … 1e-7 the least Poisson deviance on validation corridors of the real world
FREE = 10.0             # covariates count this much before the ridge: a hundredth of the shrinkage of the effects
MAX_ITERATIONS, TOLERANCE = 100, 1e-8


def predict_gravity(panel: xr.Dataset, splits: xr.Dataset, *, stocks: bool = False, ridge: float = RIDGE,
                    criterion: str = "residence") -> xr.DataArray:
    """Flows of every corridor and year from a gravity model of the reported flows of training corridors.

    Covariates: log population and log GDP per capita of both places, log distance, contiguity, common language,
    colonial tie either way, both in the area of free movement; with ``stocks`` also the log of one plus the persons
    born in the one and living in the other place, both ways. Where a corridor has several reports in a year their mean
    is one observation. A year without any report has the effect of the nearest year with one.

    Parameters
    ----------
    panel, splits : of the same territories.
    stocks : whether counted stocks are covariates.
    ridge : weight of half the squared effects beside the mean deviance of flows divided by their mean.
    criterion : of the witnesses that are fitted.

    Returns
    -------
    DataArray (year, origin, destination), persons, zero on the diagonal. Attributes: ``learned_from``; ``covariates``
    and ``coefficients`` (per unit of the covariate), ``iterations``, ``observations``.

    Raises
    ------
    SchemaError
        When the panel lacks a covariate, or no training corridor has a report by the criterion with anybody in it, or
        the ridge is not positive (effects of places without a report would be arbitrary).
    NotConvergedError
        When the fit has not ended after ``MAX_ITERATIONS`` steps of Newton's method.
    """
    if not ridge > 0:
        raise SchemaError("gravity", f"ridge {ridge}", "give a positive one", "ridge")
    names, covariates = _covariates(panel, stocks)
    year, origin, destination, persons = _observations(panel, splits, criterion)
    n = panel.sizes["origin"]
    x = np.stack([c[year, origin, destination] for c in covariates], axis=1)
    centre = x.mean(0)
    spread = np.where(x.std(0) > 0, x.std(0), 1.0)
    places = [sparse.csr_array((np.ones(len(k)), (np.arange(len(k)), k)), shape=(len(k), size))
              for k, size in ((origin, n), (destination, n), (year, panel.sizes["year"]))]
    design = sparse.hstack([sparse.csr_array((x - centre) / spread * FREE), *places], format="csr")
    level = persons.mean()
    # With 500 effects the Hessian is small: Newton's method needs about ten steps, lbfgs more than 5,000.
    model = PoissonRegressor(alpha=ridge, solver="newton-cholesky", max_iter=MAX_ITERATIONS, tol=TOLERANCE)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            model.fit(design, persons / level)
        except ConvergenceWarning as warning:
            raise NotConvergedError("gravity", f"the fit has not ended: {warning}", "raise the ridge",
                                    key=f"ridge {ridge:g}") from warning
    k = len(names)
    slope = model.coef_[:k] * FREE / spread
    a, b, c = (model.coef_[k + start:k + start + size] for start, size in
               ((0, n), (n, n), (2 * n, panel.sizes["year"])))
    seen = np.unique(year)
    c = c[seen[np.abs(np.arange(panel.sizes["year"])[:, None] - seen).argmin(1)]]
    log_flow = c[:, None, None] + (model.intercept_ - centre @ slope) + a[:, None] + b[None, :]
    for value, s in zip(covariates, slope):
        log_flow = log_flow + s * value
    flow = level * np.exp(log_flow)
    flow[:, np.eye(n, dtype=bool)] = 0.0
    codes = panel["origin"].values.astype(str)
    return xr.DataArray(
        flow, dims=("year", "origin", "destination"), name="gravity",
        coords={"year": panel["year"].values, "origin": codes, "destination": codes},
        attrs={"units": "persons", "long_name": "flow by a gravity model" + (" with stocks" if stocks else ""),
               "covariates": names, "coefficients": slope, "iterations": int(model.n_iter_),
               "observations": len(persons), "ridge": ridge,
               "learned_from": "reports by residence of the training corridors, covariates" +
               (", stocks" if stocks else "")})


def _observations(panel, splits, criterion) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Mean report of each training corridor and year: year, origin, destination (positions), persons."""
    kinds = np.array([str(w).split("|")[3] for w in panel["witness"].values], dtype=str)
    used = training_observations(panel, splits) & (kinds == criterion)[panel["flow_witness"].values]
    persons = panel["flow_persons"].values[used].astype(np.float64)
    if not used.any() or not persons.sum() > 0:
        raise SchemaError("gravity", f"no training corridor has a report by {criterion}",
                          "use a criterion that the panel has", criterion)
    n = panel.sizes["origin"]
    y, o, d = (panel[f"flow_{k}"].values[used].astype(np.int64) for k in ("year", "origin", "destination"))
    cells, position = np.unique((y * n + o) * n + d, return_inverse=True)
    mean = np.bincount(position, persons) / np.bincount(position)
    return cells // (n * n), cells // n % n, cells % n, mean


def _covariates(panel, stocks: bool) -> tuple[list[str], list[np.ndarray]]:
    """Names and arrays that broadcast to (year, origin, destination), without gaps: a missing one is the mean."""
    needed = ("population", "gdp_per_capita", "distance", "contiguity", "common_language", "colonial_tie", "eu_member")
    lacking = [v for v in (*needed, *(("stock_observed",) if stocks else ())) if v not in panel]
    if lacking:
        raise SchemaError("gravity", "a covariate is missing", "give the panel made by harmonise", lacking[0])
    shape = (panel.sizes["year"], panel.sizes["origin"], panel.sizes["destination"])
    population = np.log(panel["population"].values[:-1])
    gdp = np.log(panel["gdp_per_capita"].values)
    eu = np.nan_to_num(panel["eu_member"].values)
    tie = panel["colonial_tie"].values
    found = {
        "log population of origin": population[:, :, None], "log population of destination": population[:, None, :],
        "log GDP per capita of origin": gdp[:, :, None], "log GDP per capita of destination": gdp[:, None, :],
        "log distance": np.log(np.maximum(panel["distance"].values, 1.0)), "contiguity": panel["contiguity"].values,
        "common language": panel["common_language"].values, "colonial tie": tie, "colonial tie reversed": tie.T,
        "free movement": eu[:, :, None] * eu[:, None, :]}
    if stocks:
        stock = np.log1p(stock_course(panel)[0].astype(np.float64))
        found |= {"log stock of origin-born": stock, "log stock of destination-born": stock.transpose(0, 2, 1)}
    filled = [np.where(np.isnan(v), np.nanmean(v) if np.isfinite(v).any() else 0.0, v) for v in found.values()]
    return list(found), [np.broadcast_to(v, shape) for v in filled]
