"""Flows as differences of stocks: the simplest reading of two tables.

Where the number of people born in *b* and living in *r* has grown, they are taken to have come from *b*. Abel & Cohen
(2019, doi:10.1038/s41597-019-0089-3, "stock differencing") describe two treatments of stocks that fell: leave them out
(drop negative), or count them as moves back to the birthplace (reverse negative, after Beine & Parsons 2015,
doi:10.1111/sjoe.12098).
"""
import numpy as np
import xarray as xr

from .accounts import Reconstruction, as_flow, make_stock, native_flows, open_account


def predict_stock_difference(stock_start: xr.DataArray, stock_end: xr.DataArray, births: xr.DataArray,
                             deaths: xr.DataArray, *, decrease: str = "drop", period: str = "",
                             by_birthplace: bool = True) -> Reconstruction:
    """Change of each foreign-born stock as a flow out of, or back to, the birthplace.

    With ``d[b, r] = end[b, r] − start[b, r]`` for r ≠ b: ``flow[b, b, r] = max(d[b, r], 0)``, and with
    ``decrease="reverse"`` also ``flow[b, r, b] = max(−d[b, r], 0)``. Nobody moves between two territories of which
    neither is the birthplace.

    Parameters
    ----------
    stock_start, stock_end : (birthplace, residence) persons; the diagonal is not used.
    births, deaths : (residence,) persons; checked, and not used.
    decrease : ``"drop"`` or ``"reverse"``.
    period : how to name the period in errors.
    by_birthplace : keep the dimension ``birthplace`` of the flows.

    Raises
    ------
    InputError, NegativeCountError
        See :func:`humanflows.baselines.accounts.open_account`.
    """
    if decrease not in ("drop", "reverse"):
        raise ValueError(f"decrease is 'drop' or 'reverse', not {decrease!r}")
    account = open_account(stock_start, stock_end, births, deaths, period, natives=False)
    names = account.names
    change = account.end - account.start
    np.fill_diagonal(change, 0.0)
    about = {"method": "stock difference", "decrease": decrease, "iterations": 0, "tolerance": 0.0}
    flow = native_flows(np.maximum(change, 0), names, by_birthplace, **about)
    if decrease == "reverse":
        back = np.maximum(-change, 0)                                   # [birthplace, residence that is left]
        if by_birthplace:
            n = len(names)
            flow.values[np.arange(n), :, np.arange(n)] += back          # [birthplace, origin, birthplace]
        else:
            flow = as_flow(flow.values + back.T, names, **about)
    return Reconstruction(flow, start=make_stock(account.start, names), end=make_stock(account.end, names))
