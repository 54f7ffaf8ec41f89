"""Net migration and stocks held against what UN WPP, national statistics and UN DESA say of them.

Rows have the columns of :mod:`humanflows.uncertainty.judge`. ``of`` the flow (here: net migration or stock) draws are
taken as they are; of a report they get the errors that the observation model takes these figures to have.
"""
from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from ..config import ObservationConfig
from ..errors import SchemaError
from ..model.observation_data import PROJECTED_FROM, read_net_migration, read_stocks
from .judge import FLOW, REPORT, _joined, place
from .predictive import huber_errors

NET_WITHHELD, NET_READ = "net migration, withheld", "net migration, read"
STOCKS_LATER, STOCKS_READ = "stocks, later counts", "stocks, read"
MOST_STOCKS = 60_000      # counts of one kind, drawn by lot where there are more


def judge_net_migration(net, panel: xr.Dataset, config: ObservationConfig, *, seed: int,
                        withheld=None) -> pd.DataFrame:
    """Net migration of draws against UN WPP (estimates, not its projection) and national statistics.

    Parameters
    ----------
    net : (draw, year, residence), persons.
    panel : with everything.
    config : errors of these figures.
    seed : of errors and ties.
    withheld : bool (residence,), territories whose figures no draw saw: they alone are judged. By default the draws
        saw all figures, and are judged as that (``NET_READ``).

    Returns
    -------
    DataFrame, a row for each figure and distribution; ``crps`` and widths are in persons per thousand residents,
    ``source`` is "wpp" or "national", ``signed`` True.

    Raises
    ------
    SchemaError
        For shapes that do not fit.
    """
    net = np.asarray(net, dtype=np.float64)
    if net.ndim != 3 or net.shape[1:] != (panel.sizes["year"], panel.sizes["residence"]):
        raise SchemaError("coverage", f"net migration {net.shape}", "give (draw, year, residence) of the panel", "net")
    places = np.ones(net.shape[2], dtype=bool) if withheld is None else np.asarray(withheld, dtype=bool)
    if places.shape != (net.shape[2],):
        raise SchemaError("coverage", f"{places.shape} marks of {net.shape[2]} territories", "mark each", "withheld")
    figures = pd.DataFrame(read_net_migration(panel))
    projected = panel["year"].values[figures["year"]] >= PROJECTED_FROM
    figures = figures[places[figures["place"]] & ~(projected & ~figures["national"])].reset_index(drop=True)
    t, j = figures["year"].to_numpy(), figures["place"].to_numpy()
    population = np.maximum(panel["population"].transpose("date_year", "residence").values[t, j], 1.0)
    rng, draws = np.random.default_rng([seed, 31]), net[:, t, j]
    reported = draws + _net_errors(draws, figures, panel, config, rng)
    observed, thousand = figures["persons"].to_numpy(np.float64), population / 1000
    codes = panel["residence"].values.astype(str)[j]
    about = pd.DataFrame({"kind": NET_READ if withheld is None else NET_WITHHELD, "cluster": codes, "office": codes,
                          "trusted": False, "platform": False, "evidence": "all", "year": t, "observed": observed,
                          "centre": draws.mean(0), "signed": True,
                          "source": np.where(figures["national"], "national", "wpp")})
    if not len(figures):
        return _joined([])
    return _joined([pd.concat([about.assign(of=of), place(x / thousand, observed / thousand, rng, counts=False)],
                              axis=1) for of, x in ((REPORT, reported), (FLOW, draws))])


def _net_errors(draws, figures, panel, config: ObservationConfig, rng) -> np.ndarray:
    """Errors of the figures around draws of net migration, after ``ObservationModel._net_migration``."""
    national, counted, projected = (figures[k].to_numpy(bool) for k in ("national", "counted", "projected"))
    t, j = figures["year"].to_numpy(), figures["place"].to_numpy()
    residents = np.nan_to_num(panel["population"].transpose("date_year", "residence").values.astype(np.float64))
    deviation = 20 + config.net_population * residents[t, j] + config.net_deviation * np.abs(draws) \
        + config.net_displaced * figures["displaced"].to_numpy()
    deviation *= np.where(national, 0.5, np.where(projected, 3.0, 1.0)) * np.where(counted, 1.0, config.net_uncounted)
    out = np.empty_like(draws)
    for k in range(len(draws)):
        # An error of a population comes in with one sign and goes out with the other a year later.
        error = huber_errors(residents.shape, rng) * config.recount_deviation * residents
        recount = (error[1:] - error[:-1])[t, j] * ~national
        out[k] = deviation[k] * huber_errors(len(t), rng) - recount
    return out


def judge_stocks(stock: xr.DataArray, panel: xr.Dataset, config: ObservationConfig, *, seed: int,
                 blind_from: int | None = None, most: int = MOST_STOCKS) -> pd.DataFrame:
    """Stocks of draws at mid-year (mean of two 1 Januaries) against UN DESA's counts of every revision.

    Parameters
    ----------
    stock : (draw, date_year, birthplace, residence), persons, lazy; one draw is in memory at a time.
    panel : with everything.
    config : errors of counts.
    seed : of errors, ties and the choice of counts.
    blind_from : first year whose counts no draw saw: they alone are judged. By default the draws saw all.
    most : counts, drawn by lot where there are more.

    Returns
    -------
    DataFrame, a row for each count and distribution; ``crps`` and widths are of log(1 + x).

    Raises
    ------
    SchemaError
        For other dimensions, or no count to judge.
    """
    if stock.dims != ("draw", "date_year", "birthplace", "residence"):
        raise SchemaError("coverage", f"stocks have the dims {stock.dims}", "give (draw, date_year, birthplace, "
                          "residence)", "stock")
    counts, n = read_stocks(panel), panel.sizes["residence"]
    t, pair = np.divmod(counts["position"], n * n)
    year = panel["year"].values[t]
    chosen = np.flatnonzero((pair // n != pair % n) & (year >= blind_from if blind_from is not None else True))
    if not len(chosen):
        raise SchemaError("coverage", f"no count of a stock from {blind_from} on", "choose an earlier year",
                          "blind_from")
    rng = np.random.default_rng([seed, 37])
    if len(chosen) > most:
        chosen = np.sort(rng.choice(chosen, most, replace=False))
    t, pair = t[chosen], pair[chosen]
    b, d = np.divmod(pair, n)
    middle = np.empty((stock.sizes["draw"], len(chosen)), np.float32)
    for k in range(len(middle)):
        values = stock.isel(draw=k).values
        middle[k] = 0.5 * (values[t, b, d] + values[t + 1, b, d])
    deviation = counts["times"][chosen] * np.sqrt(config.stock_deviation**2 + config.stock_count**2 / (1 + middle))
    logs = np.log1p(middle.astype(np.float64))
    # The same count of two revisions has errors of its own in each; that of a pair lasts, which rows by pair allow for.
    said = np.maximum(logs + deviation * huber_errors(logs.shape, rng), 0.0)
    observed = np.log1p(counts["persons"][chosen].astype(np.float64))
    codes = panel["residence"].values.astype(str)
    about = pd.DataFrame({"kind": STOCKS_READ if blind_from is None else STOCKS_LATER,
                          "cluster": np.char.add(np.char.add(codes[b], "-"), codes[d]), "office": codes[d],
                          "trusted": False, "platform": False, "evidence": "all", "year": t,
                          "observed": np.expm1(observed), "centre": middle.mean(0, dtype=np.float64), "signed": False})
    return _joined([pd.concat([about.assign(of=of), place(x, observed, rng)], axis=1)
                    for of, x in ((REPORT, said), (FLOW, logs))])


def withheld_places(panel: xr.Dataset, codes: Sequence[str]) -> np.ndarray:
    """Marks of territories, bool (residence,), from their codes.

    Raises
    ------
    SchemaError
        For a code that the panel does not have.
    """
    there = panel["residence"].values.astype(str)
    if strange := sorted(set(codes) - set(there.tolist())):
        raise SchemaError("coverage", f"the panel has no territory {strange[0]!r}", "give codes that it has",
                          strange[0])
    return np.isin(there, list(codes))
