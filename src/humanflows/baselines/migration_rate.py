"""Flows in proportion to stocks (Dennett), and the transition matrix of Rogers and von Rabenau."""
import numpy as np
import xarray as xr

from ..errors import InputError
from .accounts import Reconstruction, as_flow, make_stock, native_flows, open_account


def predict_migration_rate(stock_start: xr.DataArray, stock_end: xr.DataArray, births: xr.DataArray,
                           deaths: xr.DataArray, *, total: float | None = None, period: str = "",
                           by_birthplace: bool = True) -> Reconstruction:
    """Share of each foreign-born stock in all foreign-born, times a world total of moves.

    ``flow[b, r] = M · start[b, r] / Σ start[i, j] (i ≠ j)``, all movers leaving their birthplace (Dennett 2016, in
    Wilson, ed., Global Dynamics, Wiley, chapter 7; as compared in Abel & Cohen 2019, doi:10.1038/s41597-019-0089-3).

    Parameters
    ----------
    stock_start, stock_end : (birthplace, residence) persons, the native-born on the diagonal.
    births, deaths : (residence,) persons.
    total : M, persons. Default: the sum of absolute net migrations implied by populations, births and deaths, which is
        what the totals of the published estimates of 2023 are, within half a percent.
    period : how to name the period in errors.
    by_birthplace : keep the dimension ``birthplace`` of the flows.

    Raises
    ------
    InputError, NegativeCountError
        Also where nobody lives outside the birthplace.
    """
    account = open_account(stock_start, stock_end, births, deaths, period, natives=False)
    foreign = account.start.copy()
    np.fill_diagonal(foreign, 0.0)
    if not foreign.sum() > 0:
        raise InputError("stock at the start", "nobody lives outside the birthplace", "give a stock with migrants",
                         key=period)
    total = float(np.abs(account.net_migration).sum() if total is None else total)
    flow = native_flows(total * foreign / foreign.sum(), account.names, by_birthplace, method="migration rate",
                        total=total, iterations=0, tolerance=0.0)
    return Reconstruction(flow, start=make_stock(account.start, account.names),
                          end=make_stock(account.end, account.names))


def predict_transition_matrix(stock_start: xr.DataArray, stock_end: xr.DataArray, *, period: str = "") -> xr.DataArray:
    """Flows (origin, destination) of the one transition matrix that leads from the first table to the second.

    Everybody in a territory is taken to have the same propensities wherever born: ``end = start · G``, hence
    ``G = start⁻¹ · end`` and ``flow[o, d] = G[o, d] · Σ_b start[b, o]`` (Rogers & von Rabenau 1971,
    Demography 8, 185–194). On real stocks many of its flows are negative: it is kept as a lesson, not as an estimate.

    Raises
    ------
    InputError
        When the first table cannot be inverted.
    """
    nobody = xr.zeros_like(stock_start.isel(birthplace=0, drop=True))
    account = open_account(stock_start, stock_end, nobody, nobody, period)
    if np.linalg.matrix_rank(account.start) < len(account.names):
        raise InputError("stock at the start", "the table cannot be inverted", "use another method", key=period)
    flow = np.linalg.solve(account.start, account.end) * account.start.sum(0)[:, None]
    np.fill_diagonal(flow, 0.0)
    return as_flow(flow, account.names, method="transition matrix")
