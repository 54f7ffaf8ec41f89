"""How many move to and from a territory of which no office reports: as in territories like it, with that much doubt.

Reporting territories tell moves per resident. Their log is regressed on the logs of population, of migrants (residents
born elsewhere and natives living elsewhere, per resident) and of income; what the regression leaves is the deviation of
the prior elsewhere.
"""
import numpy as np
import xarray as xr

from ..panel.features import stock_course

RIDGE = 1.0             # of standardised coefficients, in territories
FEWEST_YEARS, FEWEST = 5, 8      # years that make a territory's rate, territories that make a regression
LEAST, ONLY = 0.5, 0.8  # of the deviation; the deviation without a regression is that of all rates, or this


def read_gross(panel: xr.Dataset, mask: np.ndarray, corridors: np.ndarray) -> dict:
    """Prior of the log of moves (mean of arrivals and departures) per resident.

    Parameters
    ----------
    panel, mask, corridors : as of ``observation.ObservationModel``.

    Returns
    -------
    dict: ``mean`` [year, territory], ``deviation`` [1], ``unreported`` [territory] 1 where no office reports its flows
    by residence; empty where too few territories report.
    """
    rates, reporting = _reported_rates(panel, mask, corridors)
    predictors = _predictors(panel)
    enough = np.isfinite(rates).sum(0) >= FEWEST_YEARS
    if enough.sum() < FEWEST:
        return {}
    with np.errstate(invalid="ignore"):
        level = np.nanmean(rates[:, enough], 0)
        at = np.where(np.isfinite(rates[:, enough])[..., None], predictors[:, enough], np.nan)
    x = np.nanmean(at, 0)
    centre, scale = x.mean(0), np.maximum(x.std(0), 1e-6)
    z = (x - centre) / scale
    slope = np.linalg.solve(z.T @ z + RIDGE * np.eye(z.shape[1]), z.T @ (level - level.mean()))
    left = level - level.mean() - z @ slope
    # Robust: one territory with a way of counting of its own should not make all others doubtful.
    deviation = max(LEAST, 1.4826 * float(np.median(np.abs(left - np.median(left)))))
    # Outside what reporting territories are like, a straight line is not to be trusted: predictors stay within them.
    inside = np.clip((predictors - centre) / scale, z.min(0), z.max(0))
    return {"mean": (level.mean() + inside @ slope).astype(np.float32), "deviation": np.array([deviation], np.float32),
            "unreported": (~reporting).astype(np.float32)}


def _reported_rates(panel, mask, corridors) -> tuple[np.ndarray, np.ndarray]:
    """Log of reported moves per resident [year, territory], and which territories' offices report at all."""
    years, n = panel.sizes["year"], panel.sizes["residence"]
    w = panel.flow_witness.values.astype(int)
    side, criterion = (panel[f"witness_{k}"].values.astype(str) for k in ("side", "criterion"))
    office = (criterion == "residence") & (side != "both")
    chosen = mask & office[w]
    y, o, d = (panel[f"flow_{k}"].values[chosen].astype(int) for k in ("year", "origin", "destination"))
    w = w[chosen]
    place = np.where((side == "immigration")[w], d, o)
    moves = panel.flow_persons.values[chosen] * np.exp(-panel.report_log_bias.values[y, w])
    # Of several series about the same moves, the one with most of them counts.
    total = np.zeros((panel.sizes["witness"], years, n))
    np.add.at(total, (w, y, place), moves)
    sides = [total[side == s].max(0, initial=0.0) for s in ("immigration", "emigration")]
    open_share = [corridors.sum(k) / (n - 1) for k in (0, 1)]     # held-out corridors are missing from the totals
    both = [np.where(s > 0, s, np.nan) / np.maximum(share, 1e-9) for s, share in zip(sides, open_share)]
    with np.errstate(invalid="ignore"):
        rate = np.log((both[0] + both[1]) / 2 / panel.population.values[:-1])
    reporting = np.zeros(n, bool)
    reporting[np.unique(place)] = True
    return rate, reporting


def _predictors(panel) -> np.ndarray:
    """Logs of population, of migrants either way per resident, and of income [year, territory, 3]."""
    stock, _, _ = stock_course(panel)
    population = np.maximum(panel.population.values[:-1], 1.0)
    migrants = (stock.sum(1) + stock.sum(2)) / population
    income = np.log(panel.gdp_per_capita.values)
    income = np.where(np.isfinite(income), income, np.nanmedian(income, axis=1, keepdims=True))
    return np.stack([np.log(population), np.log(migrants + 1e-4), np.nan_to_num(income)], -1)
