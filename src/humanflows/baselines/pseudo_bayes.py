"""Pseudo-Bayes: between the fewest moves and the most.

The fewest moves that explain two stocks leave out everybody who came and went; independence of start and end has far
too many. Azose & Raftery (2019, PNAS 116, doi:10.1073/pnas.1722334116) take a weighted mean of the two. Both have the
same margins, hence so has their mean. The weight of the former, 0.87, was calibrated on modelled moves between European
countries; it is also the weight that gives back the flows published by Abel & Cohen.
"""
import numpy as np
import xarray as xr

from .accounts import Reconstruction, open_account
from .demographic_accounting import MARGIN_TOLERANCE, TOLERANCE, independent, link_tables, make_result, match_tables

WEIGHT = 0.87


def predict_pseudo_bayes(stock_start: xr.DataArray, stock_end: xr.DataArray, births: xr.DataArray, deaths: xr.DataArray,
                         *, weight: float = WEIGHT, system: str = "closed", surplus: str = "drop", period: str = "",
                         by_birthplace: bool = True, tolerance: float = TOLERANCE,
                         margin_tolerance: float = MARGIN_TOLERANCE) -> Reconstruction:
    """``weight`` · fewest moves + (1 − ``weight``) · independence, for each birthplace.

    Parameters
    ----------
    stock_start, stock_end : (birthplace, residence) persons, the native-born on the diagonal.
    births, deaths : (residence,) persons.
    weight : of the fewest moves, between 0 and 1.
    system, surplus, period, by_birthplace, tolerance, margin_tolerance : as of
        :func:`humanflows.baselines.demographic_accounting.predict_accounting`.

    Raises
    ------
    InputError, NegativeCountError, NotConvergedError
        Naming territory or birthplaces, and the period.
    """
    if not 0 <= weight <= 1:
        raise ValueError(f"weight is between 0 and 1, not {weight}")
    matched = match_tables(open_account(stock_start, stock_end, births, deaths, period), system, surplus, tolerance,
                           margin_tolerance)
    fewest_stay = np.minimum(matched.start, matched.end)
    fewest, ended = link_tables(matched.start - fewest_stay, matched.end - fewest_stay, None, by_birthplace, matched,
                          tolerance, margin_tolerance)
    most, most_stay = independent(matched, by_birthplace)
    fewest *= weight
    most *= 1 - weight
    fewest += most
    stay = weight * fewest_stay + (1 - weight) * most_stay
    made = make_result(fewest, stay, matched, ended, f"pseudo-Bayes, {system}")
    made.flow.attrs["weight"] = weight
    return made
