"""How widely reports scatter around their biased means, from flows that two offices report.

The ratio of two offices' reports of one flow needs no model of the flow. Around its median, the variance of its log is
the sum of the two offices' variances and of what chance does to two counts; taken over many pairs of offices, these
sums tell each one's own. What a class of reporting systems lets expect counts as ``PRIOR_CELLS`` further flows, so that
a series that nobody else reports keeps its class's spread.
"""
import numpy as np
import pandas as pd
import xarray as xr

from ..errors import SchemaError

PRIOR_CELLS = 30.0
# Variance of the log of a count of one person; of n persons an nth of it. Were people to move and to be counted one by
# one it would be 1. Families move together, small numbers are rounded, and who is missed is missed with them: where two
# registers report one flow, the scatter of their ratio falls with its size as a count of a quarter would.
COUNT = 4.0
SMALLEST = 200.0          # persons, in the smaller of two reports: below, the ratio is mostly chance
LEAST = 0.05              # deviation of a ratio's log, but for chance
FEWEST = 10               # flows that two series both report, from which on their ratio's scatter counts
ROUNDS = 20               # of the alternating solution; it settles in a few
TIMES = (0.1, 10.0)       # of the class's spread: beyond, a spread has run to zero or to infinity
NORMAL = 1.4826           # standard deviation of a normal distribution over its median absolute deviation


def estimate_spreads(panel: xr.Dataset, mask: np.ndarray) -> np.ndarray:
    """Standard deviation of log reports around their biased means, of each series and year.

    Parameters
    ----------
    panel : with priors of its reports (``panel.report_priors``).
    mask : [observation] bool, the reports to learn from; others are not looked at.

    Returns
    -------
    float32 [year, witness]: the prior spread times one factor for each series; NaN without a report.

    Raises
    ------
    SchemaError
        When a factor is outside ``TIMES``, naming the series.
    """
    pairs = double_reported(panel, mask)
    prior = panel.report_spread.values.astype(float)
    known = np.isfinite(prior).any(0)
    typical = np.ones(len(known))
    typical[known] = np.sqrt(np.nanmean(prior[:, known] ** 2, axis=0))
    variance = typical**2
    for _ in range(ROUNDS if len(pairs) else 0):
        one = np.concatenate([pairs["first"], pairs["second"]])
        other = np.concatenate([pairs["second"], pairs["first"]])
        total, cells = np.tile(pairs["variance"], 2), np.tile(pairs["cells"], 2)
        # What the other side is thought to explain is taken off; nothing is explained to less than a fifth.
        rest = np.maximum(total - variance[other], 0.2 * total * variance[one] / (variance[one] + variance[other]))
        found = np.bincount(one, rest * cells, minlength=len(variance))
        number = np.bincount(one, cells, minlength=len(variance))
        variance = (found + PRIOR_CELLS * typical**2) / (number + PRIOR_CELLS)
    times = np.sqrt(variance) / typical
    bad = known & ~((times > TIMES[0]) & (times < TIMES[1]))
    if bad.any():
        k = int(np.flatnonzero(bad)[0])
        name = str(panel.witness.values[k])
        raise SchemaError("reports", f"the spread of {name} is {times[k]:.3g} times that of its class",
                          "look at its reports and at its class in data/reporting_systems.csv and its spread in "
                          "data/reporting_classes.csv", key=name)
    return (prior * np.where(known, times, 1.0)).astype(np.float32)


def double_reported(panel: xr.Dataset, mask: np.ndarray) -> pd.DataFrame:
    """Pairs of series of different offices about the same flows.

    Returns
    -------
    DataFrame: ``first, second`` positions of two series, ``cells`` flows that both report, ``median`` of the log of the
    first's report over the second's, and ``variance``, robust, of that log but for chance.
    """
    w = panel.flow_witness.values.astype(int)
    chosen = mask & (panel.witness_criterion.values.astype(str) == "residence")[w] \
        & (panel.flow_persons.values >= SMALLEST)
    table = pd.DataFrame({k: panel[f"flow_{k}"].values[chosen].astype(int) for k in ("year", "origin", "destination")})
    table = table.assign(series=w[chosen], persons=panel.flow_persons.values[chosen])
    both = table.merge(table, on=["year", "origin", "destination"], suffixes=("", "_other"))
    reporter = panel.witness_reporter.values.astype(str)
    both = both[both["series"] < both["series_other"]]
    both = both[reporter[both["series"]] != reporter[both["series_other"]]]
    both = both.assign(ratio=np.log(both["persons"] / both["persons_other"]),
                       chance=COUNT / both["persons"] + COUNT / both["persons_other"])
    rows = []
    for (first, second), group in both.groupby(["series", "series_other"]):
        if len(group) >= FEWEST:
            middle = group["ratio"].median()
            spread = NORMAL * (group["ratio"] - middle).abs().median()
            rows.append((first, second, len(group), middle, max(spread**2 - group["chance"].median(), LEAST**2)))
    return pd.DataFrame(rows, columns=["first", "second", "cells", "median", "variance"])
