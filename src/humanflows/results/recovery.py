"""How well a known truth is recovered: scores of estimates of the simulated world, by what the model could see.

Only a simulated world has the left-hand side of these comparisons. Persons throughout.
"""
from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import SchemaError
from .intervals import Calibration, ensemble_interval
from .scores import common_part_of_commuters, coverage, log_bias, log_r, pearson_r, within_corridor_r
from .summaries import SEEN

LEVELS = (0.5, 0.8, 0.9, 0.95)
KINDS = ("natives leaving home", "return to the birthplace", "onward moves")
QUANTITIES = ("flow", "flow by birthplace", "stock", "stock change", "net migration")
COLUMNS = ("quantity", "group", "n", "r", "log_r", "cpc", "log_bias", "within_r")
EVERYTHING = "all"


def score_recovery(truth: xr.Dataset, estimates: xr.Dataset, seen: xr.DataArray,
                   national: Sequence[str] = ()) -> pd.DataFrame:
    """Score every quantity against the truth, in all and by group.

    Parameters
    ----------
    truth, estimates : flow (year, origin, destination), flow_by_birthplace (year, birthplace, origin, destination),
        stock (date_year, birthplace, residence), net_migration (year, residence); same labels in both.
    seen : (origin, destination), what the model saw of each corridor (``summaries.what_was_seen``).
    national : territories whose own office publishes net migration.

    Returns
    -------
    DataFrame with columns ``COLUMNS``. Flows and flows by birthplace are grouped by ``SEEN``, the latter also by
    ``KINDS``; net migration by whether the territory's own office publishes it. Stocks are those of migrants (natives,
    who are most of the world, would make any score look perfect). Scores that are of counts only (log R, CPC, log
    bias) are NaN for net migration and changes of stocks.

    Raises
    ------
    SchemaError
        When truth and estimates differ in a label.
    """
    rows = [*_flow_rows(truth, estimates, seen), *_birthplace_rows(truth, estimates, seen),
            *_stock_rows(truth, estimates), *_net_rows(truth, estimates, national)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _pair(truth, estimates, name, *dims) -> tuple[np.ndarray, np.ndarray]:
    for d in dims:
        if not np.array_equal(truth[name][d].values, estimates[name][d].values):
            raise SchemaError("recovery", f"truth and estimates of {name} differ in {d}", "compare the same world", d)
    return tuple(x[name].transpose(*dims).values.astype(np.float64) for x in (truth, estimates))


def _count_row(quantity, group, true, estimated) -> dict:
    """``true`` and ``estimated`` are (time, cell)."""
    cell = np.broadcast_to(np.arange(true.shape[1]), true.shape).ravel()
    t, e = true.ravel(), estimated.ravel()
    return {"quantity": quantity, "group": group, "n": t.size, "r": pearson_r(t, e), "log_r": log_r(t, e),
            "cpc": common_part_of_commuters(t, e), "log_bias": log_bias(t, e),
            "within_r": within_corridor_r(t, e, cell)}


def _flow_rows(truth, estimates, seen):
    true, estimated = _pair(truth, estimates, "flow", "year", "origin", "destination")
    for group, chosen in _corridors(seen):
        yield _count_row("flow", group, true[:, chosen], estimated[:, chosen])
    world = [x.reshape(len(x), -1).sum(1) for x in (true, estimated)]
    yield {**_count_row("flow", "world total", world[0][:, None], world[1][:, None]), "n": len(true)}


def _corridors(seen):
    labels = seen.transpose("origin", "destination").values
    yield EVERYTHING, labels != ""
    for label in SEEN:
        if (labels == label).any():
            yield label, labels == label


def _birthplace_rows(truth, estimates, seen):
    true, estimated = _pair(truth, estimates, "flow_by_birthplace", "year", "birthplace", "origin", "destination")
    n = true.shape[1]
    i, j, k = np.ogrid[:n, :n, :n]
    for group, chosen in _corridors(seen):
        inside = np.broadcast_to(chosen[None], (n, n, n))
        yield _count_row("flow by birthplace", group, true[:, inside], estimated[:, inside])
    moves = np.broadcast_to(j != k, (n, n, n))
    for group, chosen in zip(KINDS, ((i == j) & moves, (i == k) & moves, (i != j) & (i != k) & moves)):
        yield _count_row("flow by birthplace", group, true[:, chosen], estimated[:, chosen])


def _stock_rows(truth, estimates):
    true, estimated = _pair(truth, estimates, "stock", "date_year", "birthplace", "residence")
    abroad = ~np.eye(true.shape[1], dtype=bool)
    true, estimated = true[:, abroad], estimated[:, abroad]
    yield _count_row("stock", EVERYTHING, true, estimated)
    change, estimated = np.diff(true, axis=0), np.diff(estimated, axis=0)
    yield {"quantity": "stock change", "group": EVERYTHING, "n": change.size,
           "r": pearson_r(change.ravel(), estimated.ravel()), "within_r": _median_r(change, estimated)}


def _net_rows(truth, estimates, national):
    true, estimated = _pair(truth, estimates, "net_migration", "year", "residence")
    own = np.isin(truth["residence"].values.astype(str), list(national))
    for group, chosen in ((EVERYTHING, np.ones_like(own)), ("own office publishes it", own), ("no own office", ~own)):
        if chosen.any():
            t, e = true[:, chosen], estimated[:, chosen]
            yield {"quantity": "net migration", "group": group, "n": t.size, "r": pearson_r(t.ravel(), e.ravel()),
                   "within_r": _median_r(t, e)}


def _median_r(true, estimated) -> float:
    """Median over cells of R over time; cells without any change on either side have none."""
    with np.errstate(invalid="ignore", divide="ignore"):
        t, e = true - true.mean(0), estimated - estimated.mean(0)
        r = (t * e).sum(0) / np.sqrt((t**2).sum(0) * (e**2).sum(0))
    return float(np.nanmedian(r)) if np.isfinite(r).any() else float("nan")


def size_group(estimated) -> np.ndarray:
    """Groups of cells for intervals: estimated flow under 100, under 1,000, and more persons a year."""
    return np.array(["under 100", "under 1,000", "1,000 and more"])[np.digitize(estimated, [100.0, 1000.0])]


def score_intervals(members: np.ndarray, unseen: np.ndarray, fold: np.ndarray, reports: pd.DataFrame,
                    truth: np.ndarray) -> pd.DataFrame:
    """Coverage and width of three kinds of interval, of the reports and of the truth.

    The members are cross-fitted: the k-th has learned from every fold of corridors but the k-th. So every corridor has
    one estimate by a member that never saw anything of it, and every reported one an honest error. The calibration for
    a fold uses the errors of the other folds alone.

    - *members' spread*: mean ± z standard deviations of the members' logs;
    - *calibrated on reports*: split-conformal, by size of flow, on what offices reported (all that a real world has);
    - *calibrated on the truth*: the same with the true flow of the same cells, which only a simulated world has. The
      difference between the two is what offices' errors do to intervals; what is left of over- and undercoverage in
      corridors that nobody reports is that they differ from those that are reported.

    Parameters
    ----------
    members : persons, array (member, year, origin, destination).
    unseen : (year, origin, destination), each corridor as the member says that did not learn from it.
    fold : (origin, destination), 1 to the number of members, 0 on the diagonal.
    reports : DataFrame with integer positions ``year, origin, destination``, and ``persons``: what offices report by
        residence.
    truth : (year, origin, destination), persons.

    Returns
    -------
    DataFrame: ``interval, about`` ("reports" or "people"), ``group`` ("reported corridors" or "never reported"),
    ``size`` ("all", or a group of :func:`size_group`), ``level, n, coverage, width`` (median of log(1 + upper) −
    log(1 + lower), finite intervals).
    """
    spread = np.log1p(members).std(0, ddof=1)
    y, o, d = (reports[k].to_numpy() for k in ("year", "origin", "destination"))
    at = (y, o, d)
    told, true, mean = reports["persons"].to_numpy(float), truth[at].astype(float), np.expm1(np.log1p(members).mean(0))
    part = fold[o, d]
    reported = np.zeros(fold.shape, dtype=bool)
    reported[o, d] = True
    never = np.broadcast_to(~reported & (fold > 0), truth.shape)
    collected = []
    for kind, target in (("calibrated on reports", told), ("calibrated on the truth", true)):
        ends = {level: np.empty((2, len(told))) for level in LEVELS}
        for k in np.unique(part):
            rest, here = part != k, part == k
            calibration = Calibration(target[rest], unseen[at][rest], spread[at][rest], size_group(unseen[at][rest]))
            for level in LEVELS:
                ends[level][:, here] = calibration.interval(unseen[at][here], spread[at][here],
                                                            size_group(unseen[at][here]), level)
        whole = Calibration(target, unseen[at], spread[at], size_group(unseen[at]))
        for level in LEVELS:
            if kind.endswith("reports"):
                collected += _coverage_rows(kind, "reports", "reported corridors", level, told, *ends[level],
                                            unseen[at])
            collected += _coverage_rows(kind, "people", "reported corridors", level, true, *ends[level], unseen[at])
            outside = whole.interval(unseen[never], spread[never], size_group(unseen[never]), level)
            collected += _coverage_rows(kind, "people", "never reported", level, truth[never].astype(float), *outside,
                                        unseen[never])
    for level in LEVELS:
        low, high = ensemble_interval(members.reshape(len(members), -1), level)
        low, high = low.reshape(truth.shape), high.reshape(truth.shape)
        for about, group, observed, where in (("reports", "reported corridors", told, at),
                                              ("people", "reported corridors", true, at),
                                              ("people", "never reported", truth[never].astype(float), never)):
            collected += _coverage_rows("members' spread", about, group, level, observed, low[where], high[where],
                                        mean[where])
    return pd.DataFrame(collected)


def _coverage_rows(interval, about, group, level, observed, low, high, estimated):
    width = np.log1p(high) - np.log1p(low)
    sizes = size_group(estimated)
    for size in ("all", "under 100", "under 1,000", "1,000 and more"):
        chosen = np.ones(len(observed), dtype=bool) if size == "all" else sizes == size
        if chosen.any():
            finite = np.isfinite(width[chosen])
            yield {"interval": interval, "about": about, "group": group, "size": size, "level": level,
                   "n": int(chosen.sum()), "coverage": coverage(low[chosen], high[chosen], observed[chosen]),
                   "width": float(np.median(width[chosen][finite])) if finite.any() else float("nan")}
