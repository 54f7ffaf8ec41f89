"""What the recurrent cell reads: covariates of territories and of ordered pairs, on one scale.

Only covariates, demography and displacement enter; no reported flow does, so no split can leak through a feature.
"""
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import ConfigError
from ..schema import OWN_RECONSTRUCTION
from ..territories import region_of
from .harmonise import best_stock

QUIET = 100  # persons: a pair that never holds more has no effects of its own
PANDEMIC = {2020: 1.0, 2021: 0.5}  # years of closed borders: a known event, as a war or an accession is
# Every feature belongs to one family; families can be left out (``model.without``) to see what they buy.
FAMILIES = {
    "stocks": ("log_counted_stock", "log_counted_stock_back", "stock_growth", "stock_growth_back", "stock_unknown"),
    "reconstruction": ("log_reconstructed", "log_reconstructed_back"),
    "displacement": ("displaced_out_change", "displaced_in_change", "log_displaced", "log_displaced_back",
                     "displaced_change", "displaced_change_back", "log_displaced_flow"),
    "conflict": ("log_conflict_deaths", "log_conflict_deaths_before"),
    "politics": ("eu_member", "both_eu", "democracy", "liberal_democracy", "democracy_missing", "visa_ease",
                 "visa_ease_back", "visa_missing"),
    "economy": ("log_gdp_per_capita", "gdp_growth", "gdp_missing", "log_trade", "log_trade_back"),
    "geography": ("log_distance", "contiguity", "same_region"),
    "culture": ("common_language", "colony_of_destination", "colony_of_origin", "religious_similarity"),
    "demography": ("log_population", "birth_rate", "life_expectancy"),
    "net-migration": ("net_migration_rate",),
    "calendar": ("time", "pandemic"),
}


@dataclass(frozen=True)
class Features:
    """Inputs of the cell, float32, standardised; ``names`` in the order of the last axis.

    ``unilateral`` [year, residence, feature], ``static`` [origin, destination, feature],
    ``dynamic`` [year, origin, destination, feature], ``active`` [origin, destination] bool.
    """

    unilateral: np.ndarray
    static: np.ndarray
    dynamic: np.ndarray
    active: np.ndarray
    unilateral_names: tuple[str, ...]
    static_names: tuple[str, ...]
    dynamic_names: tuple[str, ...]


def build_features(panel: xr.Dataset, without: str | Iterable[str] = ()) -> Features:
    """Features of every territory, pair and year of a panel.

    Missing covariates become the mean (zero after standardising) with a flag beside them where many are missing.
    ``democracy``, ``liberal_democracy`` and ``visa_ease`` are features only of a panel that tells any of their values.

    Parameters
    ----------
    panel : the panel.
    without : names of ``FAMILIES`` that are left out, or one text with commas between them. Which pairs are active does
        not depend on it.

    Raises
    ------
    ConfigError
        For a family that there is not.
    """
    left_out = {feature for family in families_left_out(without) for feature in FAMILIES[family]}
    years, n = panel.sizes["year"], panel.sizes["residence"]
    unilateral, static, dynamic = ({k: v for k, v in given.items() if k not in left_out} for given in (
        _territory_features(panel), _static_features(panel), _dynamic_features(panel)))
    return Features(
        _stack(unilateral, (years, n)), _stack(static, (n, n)), _stack(dynamic, (years, n, n)), active_pairs(panel),
        tuple(unilateral), tuple(static), tuple(dynamic))


def families_left_out(without: str | Iterable[str]) -> tuple[str, ...]:
    """Names of families from the text of ``model.without`` ("stocks, conflict"), each checked.

    Raises
    ------
    ConfigError
        For a family that there is not, naming the nearest.
    """
    names = without.split(",") if isinstance(without, str) else without
    families = tuple(name.strip() for name in names if name.strip())
    for name in families:
        if name not in FAMILIES:
            near, = get_close_matches(name, list(FAMILIES), n=1, cutoff=0.0)
            raise ConfigError("features", f"no family of features is called {name!r}",
                              f"did you mean {near!r}? There are {', '.join(FAMILIES)}", key="model.without")
    return families


def active_pairs(panel: xr.Dataset) -> np.ndarray:
    """Ordered pairs [origin, destination] that ever hold more than ``QUIET`` migrants or displaced people, either way.

    The others have no effects of their own: most pairs are such, and they carry very little. Reported flows play no
    part, so that what is held out cannot show here.
    """
    stock = np.nan_to_num(best_stock(panel)).max(0) > QUIET
    if "displaced_stock" in panel:
        stock |= panel.displaced_stock.values.max(0) > QUIET
    active = stock | stock.T
    np.fill_diagonal(active, False)
    return active


def _stack(features: dict[str, np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """Features on a new last axis; with every family left out that axis is empty."""
    return np.stack([*features.values()], axis=-1).astype(np.float32) if features else np.zeros((*shape, 0), np.float32)


def _standardise(x: np.ndarray) -> np.ndarray:
    """Mean 0, standard deviation 1, missing to 0."""
    if not np.isfinite(x).any():
        return np.zeros_like(x)
    with np.errstate(invalid="ignore"):
        sd = np.nanstd(x)
        return np.nan_to_num((x - np.nanmean(x)) / (sd if sd > 0 else 1.0))


def _tells(panel, variable: str) -> bool:
    """True where the panel holds any value of a variable that it may lack."""
    return variable in panel and bool(np.isfinite(panel[variable].values).any())


def _signed_log(x: np.ndarray) -> np.ndarray:
    return np.sign(x) * np.log1p(np.abs(x))


def _territory_features(panel) -> dict:
    years = panel.year.values
    population = panel.population.values[:-1]
    shape = population.shape
    gdp = panel.gdp_per_capita.values
    conflict = np.nan_to_num(panel.conflict_deaths.values)
    before = np.vstack([conflict[:1], conflict[:-1]])
    # The first year's own value stands for the unknown year before it.
    rate = panel.net_migration.values / population
    change = _displaced(panel)[1]
    out = {
        "log_population": np.log(population),
        "log_gdp_per_capita": np.log(gdp),
        "gdp_growth": np.clip(panel.gdp_growth.values, -30, 30),
        "log_conflict_deaths": np.log1p(conflict),
        "log_conflict_deaths_before": np.log1p(before),
        "eu_member": np.nan_to_num(panel.eu_member.values),
        "birth_rate": panel.births.values / population,
        "life_expectancy": panel.life_expectancy.values,
        "net_migration_rate": np.sign(rate) * np.sqrt(np.abs(rate)),
        "displaced_out_change": _signed_log(change.sum(2)),
        "displaced_in_change": _signed_log(change.sum(1)),
    }
    regime = {v: panel[v].values for v in ("democracy", "liberal_democracy") if _tells(panel, v)}
    out = {k: _standardise(v) for k, v in (out | regime).items()}
    if "democracy" in regime:
        out["democracy_missing"] = np.isnan(regime["democracy"]).astype(float)
    out["gdp_missing"] = np.isnan(gdp).astype(float)
    out["time"] = np.broadcast_to(((years - years.mean()) / max(np.ptp(years) / 2, 1))[:, None], shape)
    out["pandemic"] = np.broadcast_to(np.array([PANDEMIC.get(int(y), 0.0) for y in years])[:, None], shape)
    return out


def _static_features(panel) -> dict:
    regions = region_of().reindex(panel.origin.values).to_numpy()
    colonial = np.nan_to_num(panel.colonial_tie.values)
    out = {
        "log_distance": _standardise(np.log(np.maximum(panel.distance.values, 1.0))),
        "contiguity": np.nan_to_num(panel.contiguity.values) * 2,
        "common_language": _standardise(panel.common_language.values),
        "colony_of_destination": colonial,
        "colony_of_origin": colonial.T,
        "religious_similarity": _standardise(panel.religious_similarity.values),
        "same_region": (regions[:, None] == regions[None]).astype(float),
    }
    if _tells(panel, "visa_ease"):
        # Of January 2025 in every year: what is known of it is no news of the year it stands beside.
        ease = panel.visa_ease.values
        shown = _standardise(ease)
        unknown = np.isnan(ease)
        np.fill_diagonal(unknown, False)  # at home nobody needs one
        out |= {"visa_ease": shown, "visa_ease_back": shown.T, "visa_missing": (unknown | unknown.T).astype(float)}
    return out


def _displaced(panel) -> tuple[np.ndarray, np.ndarray]:
    """Displaced people at the end of the year before, and the change during the year, [year, origin, destination].

    A change that is a recount (``displaced_break``) is none.
    """
    shape = (panel.sizes["year"], panel.sizes["origin"], panel.sizes["destination"])
    displaced = panel.displaced_stock.values if "displaced_stock" in panel else np.zeros(shape, np.float32)
    before = panel.displaced_before.values if "displaced_before" in panel else np.zeros(shape[1:], np.float32)
    earlier = np.concatenate([before[None], displaced[:-1]])
    change = displaced - earlier
    return earlier, np.where(panel.displaced_break.values > 0, 0.0, change) if "displaced_break" in panel else change


def _dynamic_features(panel) -> dict:
    shape = (panel.sizes["year"], panel.sizes["origin"], panel.sizes["destination"])
    zero = np.zeros(shape, np.float32)
    earlier, change = _displaced(panel)
    arriving = panel.displaced_flow.values if "displaced_flow" in panel else zero
    trade = np.log1p(np.nan_to_num(panel.trade.values) / 1e3) if "trade" in panel else zero
    eu = np.nan_to_num(panel.eu_member.values)
    stock, growth, unknown = stock_course(panel)
    # Logs of counts are divided by a fixed number so that zero stays zero: a corridor without refugees says nothing.
    return {
        "log_displaced": np.log1p(earlier) / 5,
        "log_displaced_back": np.log1p(earlier.transpose(0, 2, 1)) / 5,
        "displaced_change": _signed_log(change) / 5,
        "displaced_change_back": _signed_log(change.transpose(0, 2, 1)) / 5,
        "log_displaced_flow": np.log1p(arriving) / 5,
        "log_trade": trade / 10,
        "log_trade_back": trade.transpose(0, 2, 1) / 10,
        "both_eu": eu[:, :, None] * eu[:, None, :],
        "log_counted_stock": np.log1p(stock) / 5,
        "log_counted_stock_back": np.log1p(stock.transpose(0, 2, 1)) / 5,
        "stock_growth": _signed_log(growth) / 5,
        "stock_growth_back": _signed_log(growth.transpose(0, 2, 1)) / 5,
        "stock_unknown": np.broadcast_to(unknown, shape),
        **_reconstructed(panel),
    }


def _reconstructed(panel) -> dict:
    flow = own_reconstruction(panel)
    if flow is None:
        return {}
    return {"log_reconstructed": np.log1p(flow) / 5, "log_reconstructed_back": np.log1p(flow.transpose(0, 2, 1)) / 5}


def own_reconstruction(panel: xr.Dataset) -> np.ndarray | None:
    """Five-year flows that we reconstruct from stocks, births and deaths alone, as flows of a year.

    Only our own: they are made from what is never held out, so nothing leaks. A published one may rest on anything.
    None where the panel has none; otherwise [year, origin, destination] persons a year, 0 where there is no figure.
    """
    own = [k for k, m in enumerate(panel.method.values.astype(str)) if m == OWN_RECONSTRUCTION] \
        if "reconstruction" in panel else []
    if not own:
        return None
    period = np.searchsorted(panel.period.values, panel.year.values, side="right") - 1
    return np.nan_to_num(panel.reconstruction.values[own[0]][np.maximum(period, 0)]) / 5


def stock_course(panel: xr.Dataset) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counted stocks at the middle of every year and their growth during it, by interpolation between the counts.

    Stock-to-flow methods live on this growth; here it is one feature among others. Stocks are never held out.

    Returns
    -------
    stock, growth : [year, birthplace, residence] persons and persons a year; 0 where no figure is known.
    unknown : [birthplace, residence] bool, no figure in any year.
    """
    counted = best_stock(panel).astype(np.float64)
    n = counted.shape[1]
    np.einsum("tii->ti", counted)[:] = 0.0
    series = pd.DataFrame(counted.reshape(len(counted), -1), index=panel.stock_year.values)
    unknown = series.isna().all().to_numpy().reshape(n, n)
    known = series.interpolate(method="index", limit_direction="both").fillna(0.0)
    years = panel.year.values
    stock = known.reindex(known.index.union(years)).interpolate(method="index", limit_direction="both").loc[years]
    growth = np.gradient(stock.to_numpy(), years, axis=0)  # at a count: the mean of the growth before and after
    shape = (len(years), n, n)
    return stock.to_numpy().reshape(shape).astype(np.float32), growth.reshape(shape).astype(np.float32), unknown
