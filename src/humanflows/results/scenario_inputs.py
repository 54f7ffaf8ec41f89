"""From a scenario to what a member is run with: a changed panel, longer where that is asked, and its features.

Features are standardised on the panel that a member learned from. A changed panel would be standardised otherwise, and
every place would seem to have changed. Standardising is linear: the years before the first change, which both panels
have in common, tell how to get from one scale to the other.

What is read beyond the panel's last year:

- births, deaths, populations and life expectancy as they are given (``Demography``);
- net migration, growth of GDP, conflict deaths and new displaced persons at their mean of the last ten years;
- everything else at its last value: incomes, trade, memberships, politics, displaced persons; counted stocks and their
  growth; the calendar, for nobody knows what the cell would make of a year that it never saw.
"""
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError
from ..model.scenario_run import MEAN_YEARS, Inputs
from ..panel.features import FAMILIES, Features, build_features
from .scenario import (
    ALWAYS_ABOVE_ZERO,
    AT_MOST_ONE,
    NEVER_BELOW_ZERO,
    PAIR,
    TERRITORY,
    Change,
    Scenario,
    pair_mask,
    touched_pairs,
)

AVERAGED = ("net_migration", "net_migration_national", "gdp_growth", "conflict_deaths", "displaced_flow")
_CALENDAR = ("time",)
_HELD = (*FAMILIES["stocks"], *FAMILIES["reconstruction"])     # of pairs, counted: outcomes of migration
_HIDDEN = ("net_migration_rate",)                              # of territories: an outcome, too
_NOISE = 1e-5       # of a standard deviation: float32 features of equal numbers differ by less


class Demography(NamedTuple):
    """Years beyond the panel, K of them: persons a year [K, residence], and populations of 1 January [K, residence]
    at the end of each."""

    births: np.ndarray
    deaths: np.ndarray
    population: np.ndarray
    life_expectancy: np.ndarray     # years


def carry_demography(panel: xr.Dataset, last_year: int) -> Demography:
    """Births, deaths, life expectancy and populations that stay as they are at the panel's end."""
    years = last_year - int(panel.year.values[-1])
    repeat = {k: np.repeat(panel[k].values[-1:], years, 0) for k in ("births", "deaths", "population",
                                                                     "life_expectancy")}
    return Demography(**repeat)


def extend_panel(panel: xr.Dataset, last_year: int, demography: Demography) -> xr.Dataset:
    """The panel with years beyond its last, as the head of this module says; what was observed stays as it is.

    Raises
    ------
    InputError
        When the demography is of other years or territories, or births or deaths are missing, negative, or more deaths
        than people.
    """
    years = [int(y) for y in panel.year.values]
    more = last_year - years[-1]
    if more <= 0:
        return panel
    given, start = demography._asdict(), panel.population.values[-1:]
    shape = (more, panel.sizes["residence"])
    for name, values in given.items():
        if values.shape != shape:
            raise InputError("scenario", f"{name} of {values.shape} for {more} years and {shape[1]} territories",
                             "give all years after the panel's last", key=name)
        if name != "life_expectancy" and not (np.isfinite(values) & (values >= 0)).all():
            raise InputError("scenario", f"{name} is missing or negative", "give a number for every place and year",
                             key=name)
    before = np.concatenate([start, demography.population[:-1]])
    if not (demography.deaths < before).all():
        raise InputError("scenario", "more deaths than people", "give populations of 1 January", key="deaths")
    out = {}
    for name, v in panel.data_vars.items():
        if "year" not in v.dims and "date_year" not in v.dims:
            continue
        axis = v.dims.index("date_year" if "date_year" in v.dims else "year")
        if axis != 0:
            raise InputError("scenario", f"{name} has its years on axis {axis}", "put years first", key=str(name))
        if name in given:
            late = given[str(name)]
        elif name in AVERAGED:
            with np.errstate(invalid="ignore"):
                late = np.repeat(_mean_of_last(v.values)[None], more, 0)
        else:
            late = np.repeat(v.values[-1:], more, 0)
        out[name] = (v.dims, np.concatenate([v.values, late.astype(v.dtype)]), v.attrs)
    kept = panel.drop_vars([*out, "year", "date_year"])
    later = list(range(years[-1] + 1, last_year + 1))
    return kept.assign_coords(year=years + later, date_year=[*panel.date_year.values.tolist(),
                                                             *(y + 1 for y in later)]).assign(out)


def _mean_of_last(values: np.ndarray) -> np.ndarray:
    last = values[-MEAN_YEARS:].astype(np.float64)
    known = np.isfinite(last)
    total = np.where(known, last, 0.0).sum(0)
    return np.where(known.any(0), total / np.maximum(known.sum(0), 1), np.nan)


def apply(panel: xr.Dataset, scenario: Scenario) -> xr.Dataset:
    """The panel with the scenario's covariates from its years on; nothing before is touched, nor the panel itself.

    Changes are made in their order, each on what the ones before it left.

    Parameters
    ----------
    panel : with all years that the scenario speaks of (see ``extend_panel``).
    scenario : checked (``parse_scenario``).

    Raises
    ------
    InputError
        When the panel lacks the covariate, or a change makes it negative, or a share more than one.
    """
    years, out = panel.year.values, {}
    for change in scenario.changes:
        if change.is_border:
            continue
        name = change.covariate
        if name not in panel:
            raise InputError("scenario", f"the panel has no {name}", "change a covariate that it has", key=name)
        given = out[name][1] if name in out else panel[name].values
        values, where = given.astype(np.float64), changed_cells(change, panel)
        at = np.flatnonzero(where.any(tuple(range(1, where.ndim))))
        before = np.broadcast_to(given[at[0] - 1].astype(np.float64), values.shape)
        age = (years - change.first + 1).reshape(-1, *[1] * (values.ndim - 1))
        now = {"set": np.full_like(values, change.value), "multiply": values * change.value,
               "add": values + change.value, "hold": before,
               "grow": before * (1 + change.value) ** np.clip(age, 0, None).astype(float)}[change.how]
        values = np.where(where, now, values)
        wrong = where & (((values < 0) & (name in NEVER_BELOW_ZERO)) | ((values > 1) & (name in AT_MOST_ONE))
                         | ((values == 0) & (name in ALWAYS_ABOVE_ZERO)) | np.isinf(values))
        if wrong.any():
            raise InputError("scenario", f"{name} would be {values[wrong][0]:g}", "mend the change: it is a number, "
                             + ("above 0" if name in ALWAYS_ABOVE_ZERO else "0 to 1" if name in AT_MOST_ONE else
                                "0 or more"), key=name)
        if name == "deaths" and (values >= panel.population.values[:-1])[where].any():
            raise InputError("scenario", "more deaths than people", "give fewer", key=name)
        out[name] = (panel[name].dims, values.astype(panel[name].dtype), panel[name].attrs)
    return panel.assign(out) if out else panel


def changed_cells(change: Change, panel: xr.Dataset) -> np.ndarray:
    """Where a change applies: bool [year, residence], or [year, origin, destination]."""
    codes = panel.residence.values.astype(str)
    year = (panel.year.values >= change.first) & (panel.year.values <= (change.last or panel.year.values[-1]))
    if change.covariate in TERRITORY:
        return year[:, None] & (np.isin(codes, change.places) | ("*" in change.places))
    return year[:, None, None] & pair_mask(change.places, codes)


def build_inputs(panel: xr.Dataset, scenario: Scenario, *, without: str = "", demography: Demography | None = None,
                 changes: bool = True) -> tuple[Inputs, xr.Dataset]:
    """What :func:`humanflows.model.scenario_run.run` needs, and the changed panel.

    Parameters
    ----------
    panel : that the member learned from and is run on.
    scenario : checked against it.
    without : ``model.without`` of the member's configuration.
    demography : of the years beyond the panel, where the scenario has any.
    changes : False for the run that the scenario is compared with: the same years without its changes.
    """
    known = panel.sizes["year"]
    if scenario.last_year is not None and demography is None:
        demography = carry_demography(panel, scenario.last_year)
    longer = extend_panel(panel, scenario.last_year, demography) if scenario.last_year is not None else panel
    if not changes:
        scenario = Scenario(scenario.name, scenario.title, last_year=scenario.last_year)
    changed = apply(longer, scenario)
    first = scenario.first_year(int(panel.year.values[-1])) - int(panel.year.values[0])
    base = build_features(panel, without)
    new = base if changed is panel else _on_the_scale_of(base, build_features(changed, without), min(first, known))
    unilateral, dynamic = new.unilateral.copy(), new.dynamic.copy()
    for name in _CALENDAR:
        if name in base.unilateral_names:
            k = base.unilateral_names.index(name)
            unilateral[:known, :, k] = base.unilateral[..., k]
            unilateral[known:, :, k] = base.unilateral[-1, :, k]
    held = [k for k, name in enumerate(base.dynamic_names) if name in _HELD]
    dynamic[known:][..., held] = base.dynamic[-1][..., held]
    touched = touched_pairs(scenario, panel.residence.values.astype(str))
    forget = touched & (scenario.hindsight == "dropped")
    if forget.any():
        here = forget.sum(1) == len(forget) - 1      # territories all of whose corridors are touched
        for name in _HIDDEN:
            if name in base.unilateral_names:       # as it is for a share of places in every step of the training
                unilateral[first:, here, base.unilateral_names.index(name)] = 0.0
        before = dynamic[first - 1][..., held]
        dynamic[first:][..., held] = np.where(forget[None, ..., None], before[None], dynamic[first:][..., held])
    border, returns = _borders(changed, scenario)
    rate = changed.deaths.values / changed.population.values[:-1]
    return Inputs(unilateral, dynamic, changed.births.values.astype(np.float32), rate.astype(np.float32),
                  min(first, changed.sizes["year"]), forget, border, returns, scenario.elsewhere), changed


def _on_the_scale_of(base: Features, new: Features, first: int) -> Features:
    """Features of a changed panel on the scale of the first, of which it shares the years before ``first``."""
    years, unilateral, dynamic = len(base.unilateral), new.unilateral.copy(), new.dynamic.copy()
    for k in range(len(base.unilateral_names)):
        x, y = (f.unilateral[:first, :, k].astype(np.float64).ravel() for f in (new, base))
        shown = (x != 0) & (y != 0)          # zero: not known
        if shown.any() and np.ptp(x[shown]) > 0:
            slope, level = np.polyfit(x[shown], y[shown], 1)
        else:                                # all alike, so that the scale was one
            slope, level = 1.0, float((y - x)[shown].mean()) if shown.any() else 0.0
        now = new.unilateral[..., k].astype(np.float64)
        now = np.where(now == 0, 0, slope * now + level)
        same = np.abs(now[:years] - base.unilateral[..., k]) <= _NOISE * max(1.0, abs(slope))
        now[:years] = np.where(same, base.unilateral[..., k], now[:years])
        unilateral[..., k] = now
    unilateral[:first], dynamic[:first] = base.unilateral[:first], base.dynamic[:first]
    # Growth of counted stocks is a slope between neighbouring years, which more years would bend at the end.
    held = [k for k, name in enumerate(base.dynamic_names) if name in _HELD]
    dynamic[:years][..., held] = base.dynamic[..., held]
    return Features(unilateral.astype(np.float32), base.static, dynamic, base.active, base.unilateral_names,
                    base.static_names, base.dynamic_names)


def _borders(panel: xr.Dataset, scenario: Scenario) -> tuple[np.ndarray, np.ndarray]:
    shape = (panel.sizes["year"], panel.sizes["origin"], panel.sizes["destination"])
    border, returns = np.ones(shape, np.float32), np.ones(shape, np.float32)
    for change in scenario.changes:
        if change.is_border:
            where = changed_cells(change, panel)
            border[where] *= change.factor
            if change.returns:
                returns[where] *= change.factor
    return border, returns


def beyond_experience(panel: xr.Dataset, changed: xr.Dataset, scenario: Scenario) -> pd.DataFrame:
    """Where a scenario leaves the range that was learned from: changed covariates, and the years beyond the panel.

    Returns
    -------
    DataFrame with a row for each covariate and kind of range: ``covariate, range`` (``the world`` over all places and
    years, or ``the place`` over its own years), ``low, high`` (of the world; NaN for places), ``cells`` changed, and
    ``outside``, how many of them lie outside. Rows without any are left out.
    """
    rows, known = [], panel.sizes["year"]
    for name in (*TERRITORY, *PAIR):
        if name not in panel or name == "deaths":      # the cell does not read deaths
            continue
        old, new = (data[name].values.astype(float) for data in (panel, changed))
        if name == "births":                            # but of births the rate
            old, new = (v / data.population.values[:-1] for v, data in ((old, panel), (new, changed)))
        before = np.concatenate([old, np.repeat(old[-1:], len(new) - known, 0)])
        cells = (np.abs(new - before) > 1e-6 * np.maximum(np.abs(before), 1)) & np.isfinite(new)
        if not cells.any() or not np.isfinite(old).any():
            continue
        low, high = np.nanmin(old), np.nanmax(old)
        some = np.isfinite(old).any(0)
        least, most = (np.where(some, f(np.where(np.isfinite(old), old, s), axis=0), np.nan)
                       for f, s in ((np.min, np.inf), (np.max, -np.inf)))
        for what, outside in (("the world", (new < low) | (new > high)), ("the place", (new < least) | (new > most))):
            if number := int((outside & cells).sum()):
                ends = (low, high) if what == "the world" else (np.nan, np.nan)
                rows.append((name, what, *map(float, ends), int(cells.sum()), number))
    return pd.DataFrame(rows, columns=["covariate", "range", "low", "high", "cells", "outside"])
