"""What a country's report tells about other quantities of that country, from how the ensemble's members vary together.

Members are draws of what is not known. Where those with more arrivals in a country also have fewer departures from it,
a count of its arrivals tells something about its departures. In a linear-Gaussian update [1]_ an observation takes from
the variance of another quantity the share ρ² g: ρ is their correlation over members, g = V/(V + R) how much of what is
not known of the observed quantity the observation tells (:func:`humanflows.results.needs.gain_of`, calibrated on
reports, because members agree more than they are right).

There are only ten or twenty members, and a correlation of twenty numbers is mostly noise: of quantities that have
nothing to do with one another, ρ² is 1/(m − 1) in the mean. Three things are done about it, after those who assimilate
data with small ensembles. Only quantities of the same country are updated, and no others (localisation; [2]_, [3]_).
ρ² is adjusted for its expectation under no relation. And a country's own ρ² is drawn towards the mean of all countries
as far as jackknife over members says that their differences are noise (James–Stein [4]_). What the noise does is shown:
each quantity is also taken of *another* country, drawn at random, where little should be left.

References
----------
.. [1] Ancell & Hakim (2007), Comparing adjoint- and ensemble-sensitivity analysis with applications to observation
   targeting, Monthly Weather Review 135, 4117–4134.
.. [2] Houtekamer & Mitchell (1998), Data assimilation using an ensemble Kalman filter technique, Monthly Weather Review
   126, 796–811.
.. [3] Anderson (2012), Localization and sampling error correction in ensemble Kalman filter data assimilation, Monthly
   Weather Review 140, 2359–2371.
.. [4] Efron & Morris (1973), Stein's estimation rule and its competitors, JASA 68, 117–130.
"""
from collections.abc import Mapping

import numpy as np
import pandas as pd

from ..errors import SchemaError

FEWEST_MEMBERS = 6
COLUMNS = ("territory", "target", "members", "r2", "r2_elsewhere", "r2_error", "gain", "told")


def member_totals(flow: np.ndarray, stock: np.ndarray, years: np.ndarray, earlier: np.ndarray) -> dict[str, np.ndarray]:
    """Quantities of each territory as one member has them, by name, each (territory,).

    Parameters
    ----------
    flow : (year, origin, destination), persons.
    stock : (date_year, birthplace, residence), persons.
    years, earlier : positions of the years that would be reported, and of years before.

    Returns
    -------
    dict: ``arrivals`` and ``departures`` of those years and ``arrivals before``, ``departures before`` as logs of
    persons a year, ``net migration`` as a share of those who come and go, ``foreign-born`` residents after the last
    year as a log.
    """
    def logs(over, axis):
        return np.log1p(flow[over].mean(0, dtype=np.float64).sum(axis))

    into, out_of = logs(years, 0), logs(years, 1)
    residents = stock[years[-1] + 1].astype(np.float64)
    return {"arrivals": into, "departures": out_of, "arrivals before": logs(earlier, 0),
            "departures before": logs(earlier, 1),
            "net migration": (np.expm1(into) - np.expm1(out_of)) / np.maximum(np.expm1(into) + np.expm1(out_of), 1.0),
            "foreign-born": np.log1p(residents.sum(0) - np.diagonal(residents))}


def squared_correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared correlation over members of each unit, less what chance makes of it; (unit,), may be below zero.

    Parameters
    ----------
    a, b : (member, unit).

    Returns
    -------
    (ρ² − 1/(m − 1)) / (1 − 1/(m − 1)), as R² adjusted for one regressor; 0 where one of the two does not vary. Exact in
    the mean without a relation, and with a dozen members a few hundredths too low with a middling one.

    Raises
    ------
    SchemaError
        For arrays of different shape or fewer than four members.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if a.shape != b.shape or a.ndim != 2 or len(a) < 4:
        raise SchemaError("needs", f"members {a.shape} beside {b.shape}", "give (member, unit), four members or more")
    a, b = a - a.mean(0), b - b.mean(0)
    power = (a**2).sum(0) * (b**2).sum(0)
    moves = power > 1e-18
    square = np.where(moves, (a * b).sum(0) ** 2 / np.where(moves, power, 1.0), 0.0)
    chance = 1 / (len(a) - 1)
    return np.where(moves, (square - chance) / (1 - chance), 0.0)


def shrunk(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, float]:
    """Squared correlations drawn towards their mean over units, within 0 and 1, and a single one's standard error.

    The error is the root of the mean jackknife variance over members; what units differ by beyond it is kept.
    """
    own, m = squared_correlation(a, b), len(a)
    if m < 5:
        raise SchemaError("needs", f"{m} members", "leave-one-out needs five or more", "member")
    left = np.stack([squared_correlation(np.delete(a, k, 0), np.delete(b, k, 0)) for k in range(m)])
    noise = float(((m - 1) / m * ((left - left.mean(0)) ** 2).sum(0)).mean())
    between = float(own.var()) if own.size > 1 else 0.0
    kept = max(0.0, 1 - noise / between) if between > 0 else 0.0
    return np.clip(own.mean() + kept * (own - own.mean()), 0.0, 1.0), float(np.sqrt(noise))


def shared_table(quantities: Mapping[str, np.ndarray], gain, codes, *, observed: str = "arrivals", seed: int = 0,
                 ) -> pd.DataFrame:
    """How much a report of one quantity of each territory tells of its others.

    Parameters
    ----------
    quantities : by name, (member, territory).
    gain : of the report, (territory,), 0 to 1.
    codes : of the territories.
    observed : name of the quantity that would be reported.

    Returns
    -------
    DataFrame with ``COLUMNS``: ``r2`` as :func:`shrunk` has it, ``r2_error`` its standard error for a single territory
    before that, ``r2_elsewhere`` the mean adjusted ρ² with the same quantity of another territory; ``told``, the share
    of the target's variance that the report would take away. Empty with fewer than ``FEWEST_MEMBERS`` members.
    """
    a, rng = np.asarray(quantities[observed]), np.random.default_rng([seed, 17])
    m, n = a.shape
    if m < FEWEST_MEMBERS or n < 2:
        return pd.DataFrame(columns=list(COLUMNS))
    # A shift of a random order has no fixed point: nobody is paired with itself.
    order = rng.permutation(n)
    other = np.empty(n, dtype=int)
    other[order] = np.roll(order, 1)
    parts = []
    for name, b in quantities.items():
        if name != observed:
            r2, error = shrunk(a, np.asarray(b))
            parts.append(pd.DataFrame({
                "territory": codes, "target": name, "members": m, "r2": r2, "r2_error": error,
                "r2_elsewhere": float(squared_correlation(a, np.asarray(b)[:, other]).mean()), "gain": gain,
                "told": r2 * np.asarray(gain)}))
    return pd.concat(parts, ignore_index=True)[list(COLUMNS)]
