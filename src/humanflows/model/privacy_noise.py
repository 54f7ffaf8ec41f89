"""Counts that were made private month by month: noise is added to each month's, and what falls below zero becomes zero.

A platform that publishes counts of its users adds noise to them, so that nobody can be found in them. Where hardly
anybody moves, a month's count is noise that was cut off at zero, and twelve of them add up to a number far above the
flow: with noise of standard deviation s a month, of a flow of nobody 12 s / sqrt(2 pi) = 4.8 s persons are published on
average. Beside what registers count of the same flows, the scatter s can be measured.

The moments are those of a normal variable that is set to zero where it is negative [1]_.

References
----------
.. [1] Greene (2012), Econometric Analysis, 7th ed., Pearson, theorem 19.3.
"""
import numpy as np
import torch
import xarray as xr
from scipy.optimize import minimize
from torch import Tensor

from ..errors import SchemaError

# Sources that leave out counts below a number: an absent corridor is a small one there, not an unknown one.
CENSORED_BELOW = {"meta": 50}
MONTHS = 12
LARGEST = 100.0       # persons that the other office counts: of larger flows noise is a small part
FEW_MISSED = 0.2      # absolute expected log bias of the other office, at most
FEWEST = 100          # flows that another office reports, from which on noise is measured
SMALLEST_NOISE, LARGEST_NOISE = 0.5, 50.0     # persons a month: less is none, more has run away
START = (np.log(5.0), np.log(0.5))            # of the search: noise, and the deviation of the log of counts
NODES = 15            # of the quadrature over the scatter of counts
FLAT = 8.0            # standard deviations above zero from which on nothing is cut off


def private_counts(persons: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Moments of what is published of so many persons in a year.

    Parameters
    ----------
    persons : counted in the year, of any shape.
    noise : of the same shape, standard deviation of a month's, persons; 0 where counts are published as they are.

    Returns
    -------
    mean (persons), variance (persons squared) from noise alone, and the elasticity of the mean: the part of a
    difference in the log of ``persons`` that its log shows.
    """
    none = noise <= 0
    scale = torch.where(none, 1.0, noise)
    z = persons / (MONTHS * scale)
    inside, density = torch.special.ndtr(z), torch.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    mean = torch.where(none, persons, MONTHS * scale * (z * inside + density))
    near = z.clamp(max=FLAT)    # squares of large numbers leave nothing of a difference of 1
    at = near * torch.special.ndtr(near) + torch.exp(-0.5 * near**2) / np.sqrt(2 * np.pi)
    variance = MONTHS * scale**2 * ((near**2 + 1) * torch.special.ndtr(near)
                                    + near * torch.exp(-0.5 * near**2) / np.sqrt(2 * np.pi) - at**2)
    elasticity = torch.where(none, 1.0, persons * inside / mean.clamp(min=1e-9))
    return mean, torch.where(none, 0.0, variance), elasticity


def estimate_noise(panel: xr.Dataset, mask: np.ndarray) -> np.ndarray:
    """Monthly noise of each series, from flows of which another office, that misses few, counts fewer than ``LARGEST``.

    The likelihood of a count beside the other office's is that of noise around a lognormal count, or, where no count is
    shown, of being below the limit.

    Parameters
    ----------
    panel : with priors of its reports (``panel.report_priors``).
    mask : [observation] bool, the reports to learn from; others are not looked at.

    Returns
    -------
    float32 [witness]: standard deviation, persons a month; 0 for series of sources that do not leave out small counts,
    and where too few flows are reported twice.

    Raises
    ------
    SchemaError
        When the noise found is beyond ``LARGEST_NOISE``, naming the series.
    """
    source = panel.witness_source.values.astype(str)
    noise = np.zeros(len(source), np.float32)
    for name, below in CENSORED_BELOW.items():
        for w in np.flatnonzero(source == name):
            counted, shown = _beside_others(panel, mask, int(w))
            if len(counted) >= FEWEST:
                found = _fit(counted, shown, below)
                if found > LARGEST_NOISE:
                    label = str(panel.witness.values[w])
                    raise SchemaError("reports", f"the monthly noise of {label} is {found:.3g} persons", "look at its "
                                      "reports of flows of which other offices count few", key=label)
                noise[w] = found if found >= SMALLEST_NOISE else 0.0
    return noise


def _beside_others(panel: xr.Dataset, mask: np.ndarray, series: int) -> tuple[np.ndarray, np.ndarray]:
    """What other offices count of flows that a series covers, and what it shows of them (NaN: nothing)."""
    y, o, d, w = (panel[f"flow_{k}"].values[mask].astype(np.int64)
                  for k in ("year", "origin", "destination", "witness"))
    persons, n = panel.flow_persons.values[mask], panel.sizes["origin"]
    flow, mine = (y * n + o) * n + d, w == series
    covered = [np.zeros((panel.sizes["year"], n), bool) for _ in range(2)]
    covered[0][y[mine], o[mine]], covered[1][y[mine], d[mine]] = True, True
    bias = panel.report_log_bias.values[y, w]
    other = ~mine & (panel.witness_criterion.values.astype(str) == "residence")[w] & (np.abs(bias) <= FEW_MISSED) \
        & covered[0][y, o] & covered[1][y, d] & (panel.witness_side.values.astype(str) != "both")[w]
    counted = persons[other] * np.exp(-bias[other])
    order = np.argsort(flow[mine])
    keys, values = flow[mine][order], persons[mine][order]
    at = np.searchsorted(keys, flow[other]).clip(max=max(len(keys) - 1, 0))
    shown = np.where(keys[at] == flow[other], values[at], np.nan) if len(keys) else np.full(len(counted), np.nan)
    few = counted < LARGEST
    return counted[few], shown[few]


def _fit(counted: np.ndarray, shown: np.ndarray, below: float) -> float:
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    weights = torch.as_tensor(np.log(weights / weights.sum())).unsqueeze(1)
    nodes, counted = torch.as_tensor(nodes).unsqueeze(1), torch.as_tensor(counted + 0.5, dtype=torch.float64)
    seen = torch.as_tensor(np.isfinite(shown))
    value = torch.as_tensor(np.where(np.isfinite(shown), shown, below), dtype=torch.float64)

    def nats(parameters: np.ndarray) -> float:
        noise, scatter = np.exp(np.clip(parameters, -10, 10))
        persons = counted * torch.exp(scatter * nodes)
        mean, variance, _ = private_counts(persons, torch.full_like(persons, noise))
        deviation = torch.sqrt(variance + persons)      # who is counted at all is a matter of chance, too
        z = (value - mean) / deviation
        inside = torch.where(seen, -0.5 * z**2 - torch.log(deviation) - 0.5 * np.log(2 * np.pi),
                             torch.special.log_ndtr(z))
        return -float(torch.logsumexp(inside + weights, 0).sum())

    return float(np.exp(minimize(nats, START, method="Nelder-Mead").x[0]))
