"""Do intervals cover what they promise? Coverage, sharpness and CRPS of cells, by group.

Coverage is told twice. ``coverage`` is the share of reports that lie between the ends, ends included, as a reader finds
it. Where many reports are zero it exceeds the promise whatever the method, because an interval that reaches zero covers
them all; ``coverage_jittered`` is that of counts made continuous (:func:`humanflows.results.interval_model.jittered`),
which a calibrated interval owes exactly.
"""
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.stats import norm

from ..errors import SchemaError
from .interval_cells import CORRIDORS
from .interval_model import as_counts
from .scores import crps_from_quantiles
from .validation import INTERVALS

TARGET, WIDER_TARGET = 2.0, 4.0     # points: held-out corridors; everything else
OWN, MEMBERS = "humanflows", "members alone"
COLUMNS = ("quantity", "method", "kind", "grouping", "group", "level", "n", "clusters", "coverage",
           "coverage_jittered", "coverage_by_cluster", "width", "width_persons", "crps", "target", "hit")
LEVELS = tuple(sorted({round(t, 4) for level in INTERVALS for t in ((1 - level) / 2, (1 + level) / 2)}
                      | {0.005, 0.4, 0.5, 0.6, 0.995}))


def target_of(kind: str) -> float:
    """How many points coverage may be off: 2 on held-out corridors, 4 elsewhere."""
    return TARGET if kind == CORRIDORS else WIDER_TARGET


def members_quantiles(log_mean, spread, levels: Sequence[float] = LEVELS) -> np.ndarray:
    """Quantiles of log(1 + x) that the members alone would give, (cell, level): normal, as often published."""
    return np.asarray(log_mean)[:, None] + np.asarray(spread)[:, None] * norm.ppf(np.asarray(levels))


def coverage_table(log_quantiles: np.ndarray, observed, jitter, groupings: Mapping[str, np.ndarray], *, quantity: str,
                   kind, cluster, method: str = OWN, levels: Sequence[float] = LEVELS,
                   wanted: Sequence[float] = INTERVALS) -> pd.DataFrame:
    """Coverage of central intervals, for each kind and every group of each grouping.

    Parameters
    ----------
    log_quantiles : of log(1 + x), (cell, level), rising along ``levels``.
    observed : persons, (cell,).
    jitter : log(1 + observed) made continuous, (cell,).
    groupings : by name, labels (cell,).
    quantity, method : to put into the table.
    kind : of each cell, (cell,), or one for all.
    cluster : label of the corridor (or office, or territory), (cell,): whose cells are not independent.
    levels : of the quantiles; they contain (1 ± w)/2 for every w of ``wanted``.

    Returns
    -------
    DataFrame with columns ``COLUMNS``: ``coverage_by_cluster`` is the mean over clusters of their own coverage,
    ``width`` the mean width on log(1 + x), ``width_persons`` its median in persons, ``crps`` the mean continuous
    ranked probability score of log(1 + x) (Gneiting & Raftery 2007, from quantiles). ``hit``: ``coverage`` is not below
    the promise, nor ``coverage_jittered`` off it, by more than ``target`` points.

    Raises
    ------
    SchemaError
        When a quantile that an interval needs is missing, or shapes differ.
    """
    observed = np.asarray(observed, dtype=np.float64)
    if log_quantiles.shape != (len(observed), len(levels)):
        raise SchemaError("coverage", f"quantiles {log_quantiles.shape} for {len(observed)} cells and {len(levels)} "
                          "levels", "give one for each", "log_quantiles")
    ends = as_counts(log_quantiles)
    true = np.log1p(observed)
    base = pd.DataFrame({"kind": np.broadcast_to(np.asarray(kind, dtype=str), observed.shape), "cluster": cluster,
                         "crps": crps_from_quantiles(levels, ends.T, true)})
    places = {level: places_of(levels, level) for level in wanted}
    parts = []
    for level, (low, high) in places.items():
        parts.append(base.assign(
            level=level, coverage=(ends[:, low] <= true + 1e-9) & (true <= ends[:, high] + 1e-9),
            coverage_jittered=(log_quantiles[:, low] <= jitter) & (jitter <= log_quantiles[:, high]),
            width=ends[:, high] - ends[:, low], width_persons=np.expm1(ends[:, high]) - np.expm1(ends[:, low])))
    tables = []
    for name, labels in groupings.items():
        for part in parts:
            cells = part.assign(group=np.broadcast_to(np.asarray(labels).astype(str), observed.shape))
            tables.append(_by_group(cells).assign(grouping=name))
    table = pd.concat(tables, ignore_index=True).assign(quantity=quantity, method=method)
    table["target"] = [target_of(k) for k in table["kind"]]
    short, off = 100 * (table["level"] - table["coverage"]), 100 * (table["coverage_jittered"] - table["level"]).abs()
    table["hit"] = (short <= table["target"] + 1e-9) & (off <= table["target"] + 1e-9)
    return table[list(COLUMNS)]


def _by_group(cells: pd.DataFrame) -> pd.DataFrame:
    keys = ["kind", "group", "level"]
    grouped = cells.groupby(keys, sort=True)
    found = grouped.agg(n=("crps", "size"), clusters=("cluster", "nunique"), coverage=("coverage", "mean"),
                        coverage_jittered=("coverage_jittered", "mean"), width=("width", "mean"),
                        width_persons=("width_persons", "median"), crps=("crps", "mean"))
    by_cluster = cells.groupby([*keys, "cluster"], sort=False)["coverage"].mean().groupby(level=[0, 1, 2]).mean()
    return found.assign(coverage_by_cluster=by_cluster).reset_index()


def places_of(levels: Sequence[float], level: float) -> tuple[int, int]:
    """Positions of the two quantiles that a central interval needs.

    Raises
    ------
    SchemaError
        When one is missing.
    """
    found = [np.flatnonzero(np.isclose(levels, t)) for t in ((1 - level) / 2, (1 + level) / 2)]
    if not all(len(f) for f in found):
        raise SchemaError("coverage", f"the {level:.0%} interval needs quantiles {(1 - level) / 2:.4g} and "
                          f"{(1 + level) / 2:.4g}", "ask for these levels too", f"{level}")
    return int(found[0][0]), int(found[1][0])
