"""How much nearer to a known truth estimates come when an office is added."""
from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import SchemaError

ARRIVALS, UNREPORTED, DEPARTURES, NET, ELSEWHERE = QUANTITIES = (
    "arrivals", "arrivals in other years", "departures", "net migration", "other countries")


def spread_out(ranked: Sequence[str], number: int) -> list[str]:
    """So many of a ranking, evenly from the first to the last.

    Raises
    ------
    SchemaError
        When there are none, or fewer than one is wanted.
    """
    if not len(ranked) or number < 1:
        raise SchemaError("needs", f"{number} of {len(ranked)} offices", "rank offices that may be added", "offices")
    at = np.unique(np.linspace(0, len(ranked) - 1, min(number, len(ranked))).round().astype(int))
    return [ranked[k] for k in at]


def errors_of(truth: xr.Dataset, before: np.ndarray, after: np.ndarray, office: str, reported: Sequence[int],
              ) -> pd.DataFrame:
    """Errors against the truth without and with one more office, by what the office tells of it.

    Parameters
    ----------
    truth : flow (year, origin, destination), net_migration (year, residence), persons.
    before, after : estimated flows (year, origin, destination).
    office : territory whose arrivals were added.
    reported : calendar years of its reports.

    Returns
    -------
    DataFrame: office, quantity (``QUANTITIES``), n, error_before, error_after: mean |log(1 + estimate) − log(1 + true)|
    over corridors and years; of net migration mean |estimate − true| over the mean |true|.

    Raises
    ------
    SchemaError
        For arrays of another shape, an unknown office, or one without a reported year.
    """
    codes, years = truth["origin"].values.astype(str), truth["year"].values
    true = truth["flow"].transpose("year", "origin", "destination").values.astype(np.float64)
    told = np.isin(years, list(reported))
    if office not in codes or not told.any() or before.shape != true.shape or after.shape != true.shape:
        raise SchemaError("needs", f"estimates {before.shape} and {after.shape} beside a truth {true.shape}, "
                          f"{int(told.sum())} reported years", "compare runs of one world in which the office reports",
                          office)
    k, between = int(np.flatnonzero(codes == office)[0]), ~np.eye(len(codes), dtype=bool)
    into, out_of = np.zeros_like(between), np.zeros_like(between)
    into[:, k], out_of[k] = True, True
    chosen = {ARRIVALS: told[:, None, None] & into & between, UNREPORTED: ~told[:, None, None] & into & between,
              DEPARTURES: np.broadcast_to(out_of & between, true.shape),
              ELSEWHERE: np.broadcast_to(between & ~into & ~out_of, true.shape)}
    away = [np.abs(np.log1p(x.astype(np.float64)) - np.log1p(true)) for x in (before, after)]
    rows = [{"quantity": name, "n": int(where.sum()), "error_before": away[0][where].mean(),
             "error_after": away[1][where].mean()} for name, where in chosen.items() if where.any()]
    net = truth["net_migration"].transpose("year", "residence").values[:, k].astype(np.float64)
    size = max(np.abs(net).mean(), 1.0)
    off = [np.abs(x[:, :, k].sum(1) - x[:, k].sum(1) - net).mean() / size for x in (before, after)]
    rows.append({"quantity": NET, "n": len(net), "error_before": off[0], "error_after": off[1]})
    return pd.DataFrame(rows).assign(office=office)[["office", "quantity", "n", "error_before", "error_after"]]
