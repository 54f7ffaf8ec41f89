"""Demographic accounting: the fewest moves that lead from one table of stocks to the next, given births and deaths.

Abel (2013, doi:10.4054/DemRes.2013.28.18) takes deaths off the first table and births off the second, so that for each
birthplace both hold the same people, and links the two by an origin-destination table with as many stayers as the
margins allow. Birthplace totals still differ, since stocks and vital events have different sources: the open variant
lets the surplus leave or enter the world (Abel 2013), the closed one rescales both tables to common birthplace totals
without touching populations (Abel & Sander 2014, doi:10.1126/science.1248676, supplement; Abel & Cohen 2019,
doi:10.1038/s41597-019-0089-3).
"""
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError
from .accounts import Account, Reconstruction, as_flow, make_repairs, make_stock, open_account, place_in_period
from .ipf import Convergence, NotConvergedError, fit_margins

TOLERANCE = 1e-3           # persons; the stop at which the published examples reproduce to the last printed digit
MARGIN_TOLERANCE = 2e-5    # share of a margin; at the stops of the published examples the worst is 1.5e-5 off


@dataclass(frozen=True)
class Matched:
    """Two tables (birthplace, residence) with the same birthplace totals: ``start``, survivors of the first date;
    ``end``, those of the second who were born before the period."""

    start: np.ndarray
    end: np.ndarray
    names: tuple[str, ...]
    period: str
    repairs: pd.DataFrame
    attrs: dict


def predict_accounting(stock_start: xr.DataArray, stock_end: xr.DataArray, births: xr.DataArray, deaths: xr.DataArray,
                       *, system: str = "closed", surplus: str = "drop", seed: np.ndarray | None = None,
                       period: str = "", by_birthplace: bool = True, tolerance: float = TOLERANCE,
                       margin_tolerance: float = MARGIN_TOLERANCE) -> Reconstruction:
    """Fewest moves (most stayers) between two tables of stocks.

    For each birthplace b, with margins ``start[b, o]`` and ``end[b, d]`` after natural change: stayers are
    ``min(start[b, r], end[b, r])``, and the rest of the two margins is joined by proportional fitting of ``seed``; with
    the default seed of ones that is ``flow[b, o, d] = left[b, o] · arrived[b, d] / Σ arrived[b]`` (quasi-independence).

    Parameters
    ----------
    stock_start, stock_end : (birthplace, residence) persons, the native-born on the diagonal.
    births, deaths : (residence,) persons.
    system : ``"closed"`` or ``"open"``, see :func:`match_tables`.
    surplus : of the open system: ``"drop"`` or ``"keep"``.
    seed : (origin, destination) positive weights of corridors, for example of closeness; default ones.
    period : how to name the period in errors.
    by_birthplace : keep the dimension ``birthplace`` of the flows.
    tolerance : persons by which a cell may still change in the last cycle of proportional fitting.
    margin_tolerance : share of its target by which a margin may be off.

    Raises
    ------
    InputError, NegativeCountError, NotConvergedError
        Naming territory or birthplaces, and the period.
    """
    matched = match_tables(open_account(stock_start, stock_end, births, deaths, period), system, surplus, tolerance,
                           margin_tolerance)
    stay = np.minimum(matched.start, matched.end)
    flow, ended = link_tables(matched.start - stay, matched.end - stay, seed, by_birthplace, matched, tolerance,
                        margin_tolerance)
    return make_result(flow, stay, matched, ended, f"demographic accounting minimisation, {system}")


def predict_independence(stock_start: xr.DataArray, stock_end: xr.DataArray, births: xr.DataArray,
                         deaths: xr.DataArray, *, system: str = "closed", surplus: str = "drop",
                         period: str = "", by_birthplace: bool = True, tolerance: float = TOLERANCE,
                         margin_tolerance: float = MARGIN_TOLERANCE) -> Reconstruction:
    """Most moves: for each birthplace, where people end does not depend on where they started.

    ``flow[b, o, d] = start[b, o] · end[b, d] / Σ end[b]``, the table of the same margins in which stayers have no
    privilege. On its own it is absurd; it is the other half of the pseudo-Bayes estimate (Azose & Raftery 2019,
    doi:10.1073/pnas.1722334116). Arguments and errors as of :func:`predict_accounting`.
    """
    matched = match_tables(open_account(stock_start, stock_end, births, deaths, period), system, surplus, tolerance,
                           margin_tolerance)
    flow, stay = independent(matched, by_birthplace)
    return make_result(flow, stay, matched, None, f"independence, {system}")


def match_tables(account: Account, system: str = "closed", surplus: str = "drop", tolerance: float = TOLERANCE,
                 margin_tolerance: float = MARGIN_TOLERANCE) -> Matched:
    """Take natural change out of two tables of stocks and give them the same birthplace totals.

    Deaths of a territory fall on birthplaces in proportion to the stock at the start; births are of natives. Where
    births exceed the natives at the end, all births of the territory fall on birthplaces in proportion to the stock at
    the end, and that is reported.

    Parameters
    ----------
    account : of the period.
    system : ``"closed"``: first the native-born of both dates are scaled, by half of the difference each, so that world
        population changes by births − deaths; then both tables are fitted to the mean of their birthplace totals and
        to their own populations (Abel & Sander 2014). Net migration of every territory is then its account's.
        ``"open"``: the table with the larger total of a birthplace is scaled down to the smaller; what is cut off has
        left the world, or entered it (Abel 2013).
    surplus : ``"drop"`` as said; ``"keep"``: the smaller is scaled up instead.
    tolerance, margin_tolerance : of proportional fitting.

    Raises
    ------
    InputError
        When births exceed the whole population at the end, naming the territory and period.
    NotConvergedError
        When no closed table exists, naming the birthplaces.
    """
    if system not in ("closed", "open") or surplus not in ("drop", "keep"):
        raise ValueError(f"system is 'closed' or 'open', surplus 'drop' or 'keep'; not {system!r}, {surplus!r}")
    repairs, attrs = [], {"tolerance": tolerance, "margin_tolerance": margin_tolerance}
    start, end = account.start.copy(), account.end.copy()
    if system == "closed":
        repairs += _close_world(start, end, account)
    population = start.sum(0)
    # Some of the dead were born during the period; all are taken off the first table, as in the paper.
    dying = np.divide(account.deaths, population, out=np.zeros(len(population)), where=population > 0)
    if (dying > 1).any():
        where = int(dying.argmax())
        raise InputError("deaths", "more deaths than population at the start", "use a shorter period",
                         key=place_in_period(account.names[where], account.period))
    survivors = start * (1 - dying)
    born, more = _births_by_birthplace(account, end)
    repairs += more
    earlier = end - born
    totals = survivors.sum(1), earlier.sum(1)
    if system == "open":
        common = np.minimum(*totals) if surplus == "drop" else np.maximum(*totals)
        survivors, earlier = (_rescale(t, s, common) for t, s in ((survivors, totals[0]), (earlier, totals[1])))
        attrs |= {"left_world": float(np.maximum(totals[0] - totals[1], 0).sum()),
                  "entered_world": float(np.maximum(totals[1] - totals[0], 0).sum())}
    else:
        common = (totals[0] + totals[1]) / 2
        fits = []
        for name, table in (("start", survivors), ("end", earlier)):
            fitted, ended = _fit_table(table, common, account, name, tolerance, margin_tolerance)
            table[:] = fitted
            fits.append(ended)
        attrs |= {"balance_iterations": [int(f.iterations[0]) for f in fits],
                  "balance_margin_error": [float(f.margin_error[0]) for f in fits]}
    return Matched(survivors, earlier, account.names, account.period, make_repairs(repairs), attrs)


def independent(matched: Matched, by_birthplace: bool) -> tuple[np.ndarray, np.ndarray]:
    """Flows of independence, (birthplace,) origin, destination, and stayers (birthplace, residence)."""
    share = _shares(matched.end)
    n = len(matched.names)
    if by_birthplace:
        flow = matched.start[:, :, None] * share[:, None, :]
        flow[:, np.arange(n), np.arange(n)] = 0.0
    else:
        flow = matched.start.T @ share
        np.fill_diagonal(flow, 0.0)
    return flow, matched.start * share


def _close_world(start: np.ndarray, end: np.ndarray, account: Account) -> list[tuple]:
    """Scale the native-born of both tables, in place, until world population changes by births less deaths."""
    excess = account.net_migration.sum()
    natives = np.diag(start).sum(), np.diag(end).sum()
    if abs(excess) < 1e-9 * end.sum():
        return []
    if min(natives) <= abs(excess):
        raise InputError("stocks", "world population does not follow from births and deaths",
                         "give the whole population of each territory, natives on the diagonal", key=account.period)
    i = np.arange(len(start))
    start[i, i] *= 1 + excess / 2 / natives[0]
    end[i, i] *= 1 - excess / 2 / natives[1]
    return [(account.period, "natives scaled: world net migration is not zero", "world", float(excess), 0.0)]


def _births_by_birthplace(account: Account, end: np.ndarray) -> tuple[np.ndarray, list[tuple]]:
    """Births (birthplace, residence) to be taken off the table of the end, and what had to be repaired."""
    born, natives, population = np.diag(account.births), np.diag(end), end.sum(0)
    repairs = []
    for r in np.flatnonzero(account.births > natives):
        if account.births[r] > population[r]:
            raise InputError("births", "more births than people at the end of the period", "mend births or population",
                             key=place_in_period(account.names[r], account.period))
        born[:, r] = account.births[r] * end[:, r] / population[r]
        repairs.append((account.period, "births exceed natives: spread over birthplaces", account.names[r],
                        float(account.births[r]), float(born[r, r])))
    return born, repairs


def _fit_table(table, common, account, which, tolerance, margin_tolerance) -> tuple[np.ndarray, Convergence]:
    what = f"stocks at the {which} of {account.period or 'the period'}"
    try:
        return fit_margins(table, common, table.sum(0), tolerance=tolerance, margin_tolerance=margin_tolerance,
                           what=what)
    except NotConvergedError as error:
        natives = np.diag(table)
        lacking = [name for name, *numbers in zip(account.names, natives, table.sum(1) - natives,
                                                  table.sum(0) - natives, common) if _stuck(*numbers)]
        raise NotConvergedError(
            what, f"no table keeps both populations and birthplace totals ({error.problem})",
            "leave out or merge territories without known migrants, or use the open system",
            key=("birthplaces without migrants to adjust: " + ", ".join(lacking)) if lacking else account.period
        ) from error


def _stuck(natives: float, emigrants: float, foreigners: float, target: float) -> bool:
    """True where a birthplace total lies beyond what natives, whom a margin without migrants fixes, allow."""
    return bool((foreigners <= 0 and target < natives) or (emigrants <= 0 and target > natives))


def _rescale(table: np.ndarray, total: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Scale each birthplace of a table to a target; an empty one stays empty."""
    return table * np.divide(target, total, out=np.zeros(len(total)), where=total > 0)[:, None]


def _shares(table: np.ndarray) -> np.ndarray:
    total = table.sum(1, keepdims=True)
    return np.divide(table, total, out=np.zeros(table.shape), where=total > 0)


def link_tables(left, arrived, seed, by_birthplace, matched: Matched, tolerance, margin_tolerance):
    """Join those who left (birthplace, origin) with those who arrived (birthplace, destination)."""
    _check_totals(left, arrived, matched, margin_tolerance)
    if seed is None:      # proportional fitting of ones ends after one cycle: write down where
        share = _shares(arrived)
        return (left[:, :, None] * share[:, None, :] if by_birthplace else left.T @ share), None
    # origins are met exactly: the last step of a cycle is by column, hence the transposition
    fitted, ended = fit_margins(np.asarray(seed, float).T, arrived, left, tolerance=tolerance, names=matched.names,
                                margin_tolerance=margin_tolerance, what=f"flows by birthplace {matched.period}".strip())
    flow = fitted.swapaxes(1, 2)
    return (flow if by_birthplace else flow.sum(0)), ended


def _check_totals(left, arrived, matched: Matched, margin_tolerance):
    """As many must leave as arrive, for each birthplace; what is lost otherwise is never passed over."""
    gap = np.abs(left.sum(1) - arrived.sum(1))
    bad = gap > 3 * margin_tolerance * np.maximum(matched.start.sum(1), 1.0)      # each table may be off by one
    if bad.any():
        names = ", ".join(np.array(matched.names)[bad][:8])
        raise NotConvergedError(f"flows by birthplace {matched.period}".strip(),
                                "birthplace totals differ between the two dates", "lower the tolerance", key=names)


def make_result(flow, stay, matched: Matched, ended: Convergence | None, method: str) -> Reconstruction:
    """Named arrays of a finished method; ``ended`` is None where the fit is written down in closed form."""
    about = {"iterations": 1, "margin_error": 0.0} if ended is None else {
        "iterations": int(ended.iterations.max()), "margin_error": float(ended.margin_error.max())}
    return Reconstruction(
        as_flow(flow, matched.names, method=method, **matched.attrs, **about), make_stock(stay, matched.names),
        make_stock(matched.start, matched.names), make_stock(matched.end, matched.names), matched.repairs)
