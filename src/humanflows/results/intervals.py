"""Intervals around estimated counts that are made to cover: split-conformal, on the log scale, by groups.

What is calibrated is the distance between a report and what a model that never saw the report's corridor says of it
[1]_. Distances are measured on log(1 + x), where errors of small and large flows compare, divided by the spread of the
ensemble's members plus a floor, and kept apart by groups of similar cells [2]_. Their quantiles, signed, make lower and
upper ends of their own, so that an interval may be longer upwards; none reaches below zero.

The promise is about *reports* of corridors that are exchangeable with the calibrated ones. Where offices undercount, an
interval that covers their reports need not cover the people; and corridors that nobody reports differ from those that
are reported. Only a simulated world can show by how much.

References
----------
.. [1] Vovk, Gammerman & Shafer (2005), Algorithmic Learning in a Random World. Lei, G'Sell, Rinaldo, Tibshirani &
   Wasserman (2018), Distribution-free predictive inference for regression, JASA 113, 1094–1111.
.. [2] Boström, Johansson & Löfström (2021), Mondrian conformal predictive distributions, PMLR 152, 24–38; the
   implementation is that of the package ``crepes``.
"""
from collections.abc import Sequence

import numpy as np
from crepes import ConformalPredictiveSystem

from ..errors import SchemaError

SPREAD_FLOOR = 0.1      # added to the members' spread: members that agree by chance are not certain
FEWEST = 40             # calibration cells that a group needs for a 95% interval with both ends


class Calibration:
    """Quantiles of the errors of a model on cells that it did not see.

    Parameters
    ----------
    observed, estimated : persons, arrays (cell,), not negative.
    spread : standard deviation of the members' log(1 + estimate), array (cell,), not negative.
    group : label of each cell's group; a group with fewer than ``FEWEST`` cells is judged by all cells together.

    Raises
    ------
    SchemaError
        For arrays of different lengths, missing or negative values, or fewer than ``FEWEST`` cells in all.
    """

    def __init__(self, observed, estimated, spread, group):
        observed, estimated, spread = _aligned(observed=observed, estimated=estimated, spread=spread)
        group = np.asarray(group).astype(str)
        if len(group) != len(observed):
            raise SchemaError("intervals", f"{len(group)} groups for {len(observed)} cells", "give one each")
        if len(observed) < FEWEST:
            raise SchemaError("intervals", f"{len(observed)} cells to calibrate on", f"give at least {FEWEST}")
        labels, size = np.unique(group, return_counts=True)
        self.groups = tuple(labels[size >= FEWEST])
        residual, sigma = np.log1p(observed) - np.log1p(estimated), spread + SPREAD_FLOOR
        self._all = ConformalPredictiveSystem().fit(residual, sigmas=sigma)
        inside = np.isin(group, self.groups)
        self._by_group = ConformalPredictiveSystem().fit(residual[inside], sigmas=sigma[inside], bins=group[inside]) \
            if self.groups else None

    def quantiles(self, estimated, spread, group, levels: Sequence[float]) -> np.ndarray:
        """Quantiles of what would be reported, persons, array (cell, level), not negative, rising along the levels.

        A level so near to 0 or 1 that the calibration cells cannot tell is answered by 0 or infinity.

        Parameters
        ----------
        estimated, spread, group : as above, of the cells to judge.
        levels : between 0 and 1, rising.

        Raises
        ------
        SchemaError
            As above, and for a level outside (0, 1).
        """
        estimated, spread = _aligned(estimated=estimated, spread=spread)
        group = np.asarray(group).astype(str)
        levels = np.asarray(levels, dtype=np.float64)
        if not ((levels > 0) & (levels < 1)).all():
            raise SchemaError("intervals", f"levels {levels.tolist()}", "give probabilities between 0 and 1")
        if (np.diff(levels) <= 0).any():
            raise SchemaError("intervals", f"levels {levels.tolist()} do not rise", "sort them")
        centre, sigma = np.log1p(estimated), spread + SPREAD_FLOOR
        out = np.empty((len(centre), len(levels)))
        inside = np.isin(group, self.groups)
        for chosen, system, bins in ((inside, self._by_group, group[inside]), (~inside, self._all, None)):
            if chosen.any():
                out[chosen] = _percentiles(system, centre[chosen], sigma[chosen], bins, levels)
        return np.expm1(np.maximum(np.maximum.accumulate(out, axis=1), 0.0))

    def interval(self, estimated, spread, group, level: float) -> tuple[np.ndarray, np.ndarray]:
        """Central interval of ``level`` (0.95, say): lower and upper end, persons."""
        ends = self.quantiles(estimated, spread, group, [(1 - level) / 2, (1 + level) / 2])
        return ends[:, 0], ends[:, 1]


def _percentiles(system, centre, sigma, bins, levels) -> np.ndarray:
    """Below the median take the quantile rounded outwards downwards, above it upwards: never too narrow."""
    below, above = levels[levels < 0.5] * 100, levels[levels >= 0.5] * 100
    asked = {"lower_percentiles": list(below)} if len(below) else {}
    if len(above):
        asked["higher_percentiles"] = list(above)
    return np.asarray(system.predict_percentiles(centre, sigmas=sigma, bins=bins, **asked)).reshape(len(centre), -1)


def ensemble_interval(members, level: float) -> tuple[np.ndarray, np.ndarray]:
    """What the members alone would say: mean ± z standard deviations of log(1 + estimate), as is often published.

    Parameters
    ----------
    members : persons, array (member, cell), at least two members.
    level : of the interval.

    Returns
    -------
    lower, upper : persons, arrays (cell,).
    """
    from scipy.stats import norm

    members = np.asarray(members, dtype=np.float64)
    if members.ndim != 2 or len(members) < 2:
        raise SchemaError("intervals", f"members of shape {members.shape}", "give at least two members (member, cell)")
    logs = np.log1p(members)
    middle, half = logs.mean(0), norm.ppf((1 + level) / 2) * logs.std(0, ddof=1)
    return np.expm1(np.maximum(middle - half, 0.0)), np.expm1(middle + half)


def _aligned(**arrays) -> list[np.ndarray]:
    out, length = [], None
    for name, values in arrays.items():
        values = np.asarray(values, dtype=np.float64)
        if values.ndim != 1 or (length is not None and len(values) != length):
            raise SchemaError("intervals", f"{name} of shape {values.shape}", "give vectors of one length", name)
        if not np.isfinite(values).all() or (values < 0).any():
            raise SchemaError("intervals", f"{name} holds a missing or negative value", "drop such cells", name)
        length = len(values)
        out.append(values)
    return out
