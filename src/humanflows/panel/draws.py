"""A member's draw of what is uncertain about a panel: who is asked, first stocks, covariates, and who undercounts.

An ensemble whose members differ in their seed alone is sure of everything that the data have in common. So each member
learns from a panel of its own:

- offices and corridors are weighed by draws of mean one (the Bayesian bootstrap [1]_; the product of the two weights,
  because reports are crossed by office and corridor [2]_). A weight keeps every report; drawing with replacement would
  leave out a third of all corridors.
- the stocks of the first year are drawn around their figures. How far, by their size, is what the two published
  revisions differ by. What remains of an error at later counts fades as it does between the revisions. Residents stay
  as many as they are: natives make up for it.
- measured covariates get errors that last from year to year. Calendar, distances, borders, languages and memberships
  are known and get none. Errors are put on what was measured and not on standardised features, so that a feature, its
  transpose and its lag still agree, zero stays zero and unknown stays unknown.
- witnesses' log biases are shrunk towards a draw around zero instead of zero (anchored ensembling [3]_): a part common
  to all witnesses, one of each collection and one of each witness. Data hardly tell the common part, the level of all
  flows; without this draw, members would agree on it.

Each kind of draw has a stream of its own: one that is switched off leaves the others as they are. Pairs that have
effects of their own (``features.active_pairs``) are the same in every member.

References
----------
.. [1] Rubin (1981), The Bayesian bootstrap, Annals of Statistics 9, 130–134.
.. [2] Owen & Eckles (2012), Bootstrapping data arrays of arbitrary order, Annals of Applied Statistics 6, 895–927.
.. [3] Pearce, Leibfried & Brintrup (2020), Uncertainty in neural networks: approximately Bayesian ensembling, AISTATS.
"""
from itertools import pairwise

import numpy as np
import xarray as xr

from ..config import EnsembleConfig
from ..errors import ConfigError
from .features import active_pairs

# Errors of measured covariates: on a log or on their own scale, their standard deviation, and the share that is left a
# year later. They are orders of magnitude, not estimates: margins of GDP at purchasing-power parity and of its growth
# as revisions of the Penn World Table show them (Johnson, Larson, Papageorgiou & Subramanian 2013), what two partners
# say of the same trade, low and high estimates of deaths in battle, the posterior spread of V-Dem's indices.
ERRORS = {
    "gdp_per_capita": ("log", 0.10, 0.9),
    "gdp_growth": ("plain", 1.0, 0.0),          # percentage points
    "trade": ("log", 0.30, 0.9),
    "conflict_deaths": ("log", 0.40, 0.5),
    "displaced_stock": ("log", 0.10, 1.0),      # lasting: errors that change would look like people who move
    "displaced_flow": ("log", 0.20, 0.0),
    "democracy": ("share", 0.04, 0.95),
    "liberal_democracy": ("share", 0.04, 0.95),
}
STOCK_MEMORY = 0.95     # of a stock's error, left a year later: revisions' differences correlate by .8 over five years
SIZES = np.log1p([0, 10, 100, 1e3, 1e4, 1e5, 1e7])   # classes of stocks whose disagreement is measured
FEWEST = 30             # pairs that make a class
FURTHEST = 3.0          # standard deviations: a longer error would be another country
NATIVES_LEFT = 0.5      # of natives, at least: where most residents are foreign-born, their errors are bounded
_OFFICES, _CORRIDORS, _STOCKS, _COVARIATES, _BIASES = range(20, 25)


def draw_panel(panel: xr.Dataset, strength: EnsembleConfig, seed: int) -> xr.Dataset:
    """The panel that one member learns from and is run on.

    Parameters
    ----------
    panel : from ``harmonise``; it is left as it is.
    strength : how far each draw goes; with all of them 0 the panel itself is returned.
    seed : of the member.

    Returns
    -------
    Dataset like the panel, with other first stocks and covariates, and with ``witness_weight`` and
    ``corridor_weight`` (mean 1), ``witness_bias_anchor`` and ``collection_bias_anchor`` (log) where these are drawn.

    Raises
    ------
    ConfigError
        When stocks are to be drawn of a panel in which no two revisions tell the same stock.
    """
    changed = {**_draw_weights(panel, strength, seed), **_draw_biases(panel, strength.biases, seed)}
    moved = {}
    if strength.stocks:
        moved |= _draw_stocks(panel, strength.stocks, np.random.default_rng([seed, _STOCKS]))
    if strength.covariates:
        moved |= _draw_covariates(panel, strength.covariates, seed)
    if moved:
        changed |= _keep_active(panel, moved)
    return panel.assign(changed) if changed else panel


def drawn_weights(panel: xr.Dataset, witness: np.ndarray, origin: np.ndarray,
                  destination: np.ndarray) -> np.ndarray | None:
    """Weights of reports, given by positions of witness, origin and destination; None where none were drawn."""
    parts = [panel[name].values[at] for name, at in (("witness_weight", witness),
                                                     ("corridor_weight", (origin, destination))) if name in panel]
    return np.prod(parts, axis=0) if parts else None


def drawn_biases(panel: xr.Dataset) -> tuple[np.ndarray, np.ndarray] | None:
    """Log biases, of each witness and of its collection, that a member's are shrunk towards; float32 [witness] both."""
    if "witness_bias_anchor" not in panel:
        return None
    return tuple(panel[f"{name}_bias_anchor"].values.astype(np.float32) for name in ("witness", "collection"))


def _weights(number: int, spread: float, rng: np.random.Generator) -> np.ndarray:
    """Gamma weights of this standard deviation about a mean of exactly one (Dirichlet, times their number)."""
    drawn = rng.gamma(1 / spread**2, spread**2, number)
    return drawn / drawn.mean() if number and drawn.sum() > 0 else np.ones(number)


def _draw_weights(panel, strength: EnsembleConfig, seed: int) -> dict:
    out = {}
    if strength.reporters:
        offices, of = np.unique(panel["witness_reporter"].values.astype(str), return_inverse=True)
        out["witness_weight"] = ("witness", _weights(len(offices), strength.reporters,
                                                     np.random.default_rng([seed, _OFFICES]))[of])
    if strength.corridors:
        n = panel.sizes["origin"]
        weight = np.ones((n, n))
        weight[~np.eye(n, dtype=bool)] = _weights(n * (n - 1), strength.corridors,
                                                  np.random.default_rng([seed, _CORRIDORS]))
        out["corridor_weight"] = (("origin", "destination"), weight)
    return out


def _draw_biases(panel, spread: float, seed: int) -> dict:
    if not spread:
        return {}
    rng = np.random.default_rng([seed, _BIASES])
    about = (panel[f"witness_{k}"].values.astype(str) for k in ("source", "side", "criterion"))
    collections, of = np.unique(["|".join(x) for x in zip(*about)], return_inverse=True)
    common = rng.normal()
    collection = (common + rng.normal(size=len(collections))) * spread
    return {"collection_bias_anchor": ("witness", collection[of] if len(of) else np.empty(0)),
            "witness_bias_anchor": ("witness", rng.normal(size=panel.sizes["witness"]) * spread)}


def stock_spread(panel: xr.Dataset) -> tuple[np.ndarray, np.ndarray, float]:
    """How far the first stocks may be off, from what two revisions say of the same ones.

    If the two err independently, a log difference has twice the variance of one's error. Many figures were taken over
    from one revision to the next, so this is rather too little than too much. A mean of absolute differences, as of
    normal errors, stands for their standard deviation: single differences are huge.

    Parameters
    ----------
    panel : the panel; its newest revision and the one before it.

    Returns
    -------
    size, spread : log(1 + persons) of size classes, and the standard deviation of a log error in each.
    shared : share of an error's variance that all stocks of a residence have in common, 0 to 1.

    Raises
    ------
    ConfigError
        When there is nothing to compare.
    """
    observed = panel["stock_observed"].values[-2:, 0].astype(np.float64)
    if len(observed) == 2:
        logs = np.log1p(observed)
        logs[:, np.eye(logs.shape[-1], dtype=bool)] = np.nan
    if len(observed) < 2 or not (told := np.isfinite(logs).all(0)).any():
        raise ConfigError("ensemble", "how far the first stocks may be off is not known: no two revisions tell the "
                          "same stock", "set ensemble.stocks to 0, or read both revisions", key="stocks")
    middle, difference = logs.mean(0), np.where(told, logs[1] - logs[0], np.nan)
    unit = np.sqrt(np.pi / 2) / np.sqrt(2)
    overall = unit * np.abs(difference[told]).mean()
    spread = []
    for low, high in pairwise(SIZES):
        here = told & (middle >= low) & (middle < high)
        spread.append(unit * np.abs(difference[here]).mean() if here.sum() >= FEWEST else overall)
    size, spread = (SIZES[:-1] + SIZES[1:]) / 2, np.array(spread)
    scaled = np.clip(difference / np.maximum(np.interp(middle, size, spread), 1e-9), -FURTHEST, FURTHEST)
    count, total, square = told.sum(0), np.nansum(scaled, 0), np.nansum(scaled**2, 0)
    pairs = (count * (count - 1)).sum()
    variance = square.sum() / max(count.sum(), 1)
    shared = (total**2 - square).sum() / pairs / variance if pairs and variance > 0 else 0.0
    return size, spread, float(np.clip(shared, 0, 1))


def _draw_stocks(panel, strength: float, rng: np.random.Generator) -> dict:
    """Other first stocks, and what remains of their errors in later counts; natives make up for the difference."""
    size, spread, shared = stock_spread(panel)
    n = panel.sizes["residence"]
    state = panel["stock_initial"].values.astype(np.float64)
    error = np.sqrt(shared) * rng.normal(size=n) + np.sqrt(1 - shared) * rng.normal(size=(n, n))
    sd = strength * np.interp(np.log1p(state), size, spread)
    error = np.clip(error, -FURTHEST, FURTHEST)
    natives, residents = np.diagonal(state).copy(), state.sum(0)
    foreign = state * _factor(error, sd)
    np.fill_diagonal(foreign, 0.0)
    room = residents - NATIVES_LEFT * natives
    foreign *= np.minimum(1.0, room / np.maximum(foreign.sum(0), 1e-9))
    drawn = foreign.copy()
    np.fill_diagonal(drawn, residents - foreign.sum(0))
    off = ~np.eye(n, dtype=bool)
    counted = panel["stock_observed"].values.copy()
    for k, year in enumerate(panel["stock_year"].values):
        left = STOCK_MEMORY ** (int(year) - int(panel["stock_year"].values[0]))
        counted[:, k, off] *= _factor(error, left * sd)[off].astype(counted.dtype)
    return {"stock_initial": _like(panel, "stock_initial", drawn), "stock_observed": _like(panel, "stock_observed",
                                                                                           counted)}


def _factor(error: np.ndarray, sd) -> np.ndarray:
    """Log-normal factor of mean one."""
    return np.exp(sd * error - 0.5 * np.square(sd))


def _draw_covariates(panel, strength: float, seed: int) -> dict:
    out = {}
    for stream, (name, (scale, sd, memory)) in enumerate(ERRORS.items()):
        if name not in panel or not np.isfinite(panel[name].values).any():
            continue
        given = panel[name].values
        error = _course(given.shape, memory, np.random.default_rng([seed, _COVARIATES, stream]))
        if scale == "log":
            factor = _factor(error, strength * sd)
            value = given * factor
            if name == "displaced_stock" and "displaced_before" in panel:
                out["displaced_before"] = _like(panel, "displaced_before", panel["displaced_before"].values * factor[0])
        else:
            value = given + strength * sd * error
        out[name] = _like(panel, name, np.clip(value, 0, 1) if scale == "share" else value)
    return out


def _course(shape: tuple[int, ...], memory: float, rng: np.random.Generator) -> np.ndarray:
    """Standard normal errors of every year, of which this share is left a year later; years along the first axis."""
    error = np.empty(shape)
    error[0] = rng.normal(size=shape[1:])
    for t in range(1, len(error)):
        error[t] = error[t - 1] if memory == 1 else \
            memory * error[t - 1] + np.sqrt(1 - memory**2) * rng.normal(size=shape[1:])
    return error


def _like(panel, name: str, values: np.ndarray) -> tuple:
    given = panel[name]
    return given.dims, values.astype(given.dtype), given.attrs


def _keep_active(panel, moved: dict) -> dict:
    """What was drawn, but with the given figures of pairs that would cease, or begin, to have effects of their own."""
    crossed = active_pairs(panel.assign(moved)) != active_pairs(panel)
    if not crossed.any():
        return moved
    out = dict(moved)
    for name in ("stock_observed", "displaced_stock", "displaced_before"):
        if name in moved:
            dims, values, about = moved[name]
            out[name] = (dims, np.where(crossed, panel[name].values, values), about)
    return out
