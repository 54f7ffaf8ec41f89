"""How near estimates come to what was reported: pure functions of aligned arrays, in persons.

Every function takes one-dimensional arrays of one length, one entry per cell. A score that is not defined on the cells
given (a correlation with a constant, say) is NaN; input that cannot be scored is an error.
"""
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.special import gammaln

from ..errors import NegativeCountError, SchemaError
from .bootstrap import (
    DRAWS,
    LEVEL,
    cluster_sums,
    draw_weights,
    moments,
    percentile_interval,
    r_of_sums,
    resampled_median,
)

SCORES = ("n", "r", "log_r", "abs_log_error", "median_log_error", "cpc", "log_bias", "within_r", "change_r")
MIN_YEARS, MIN_MEAN = 10, 50.0  # corridors that enter the R within corridors
TAIL = 4.0                      # degrees of freedom of the errors of reports


def _counts(**arrays) -> list[np.ndarray]:
    """Aligned float64 vectors of finite counts, or an error that says which is not."""
    vectors = {name: np.asarray(a, dtype=np.float64) for name, a in arrays.items()}
    first = next(iter(vectors))
    for name, v in vectors.items():
        if v.ndim != 1 or v.shape != vectors[first].shape:
            raise SchemaError("scores", f"{name} of shape {v.shape} beside {first} of shape {vectors[first].shape}",
                              "give one-dimensional arrays of one length", name)
        if not np.isfinite(v).all():
            where = int(np.flatnonzero(~np.isfinite(v))[0])
            raise SchemaError("scores", f"{name} holds {v[where]}",
                              "drop the cells where any of the compared is missing", key=f"{name}[{where}]")
        if (v < 0).any():
            where = int(np.flatnonzero(v < 0)[0])
            raise NegativeCountError("scores", f"{name} holds {v[where]}",
                                     "scores of flows are of counts; net migration and changes have pearson_r",
                                     key=f"{name}[{where}]")
    return list(vectors.values())


def pearson_r(observed, estimated) -> float:
    """Pearson's product-moment correlation Σ(o−ō)(e−ē) / √(Σ(o−ō)² Σ(e−ē)²); values may be negative.

    Returns
    -------
    float in [−1, 1]; NaN for fewer than two cells or where either side is constant.
    """
    o, e = (np.asarray(a, dtype=np.float64) for a in (observed, estimated))
    if o.ndim != 1 or o.shape != e.shape:
        raise SchemaError("scores", f"shapes {o.shape} and {e.shape}", "give one-dimensional arrays of one length")
    if not (np.isfinite(o).all() and np.isfinite(e).all()):
        raise SchemaError("scores", "a value is not finite", "drop the cells where any of the compared is missing")
    if len(o) < 2 or np.ptp(o) == 0 or np.ptp(e) == 0:
        return float("nan")
    # Scaled to a range of one before squaring, so that neither 1e-200 nor 1e200 leaves the floats.
    o, e = (v / np.abs(v).max() for v in (o, e))
    o, e = (v - v.mean() for v in (o, e))
    o, e = (v / (np.abs(v).max() or 1.0) for v in (o, e))
    spread = np.sqrt((o @ o) * (e @ e))
    return float(np.clip(o @ e / spread, -1, 1)) if spread > 0 else float("nan")


def log_r(observed, estimated) -> float:
    """Pearson's R of log(1 + x): every corridor counts alike, zeros included."""
    o, e = _counts(observed=observed, estimated=estimated)
    return pearson_r(np.log1p(o), np.log1p(e))


def mean_abs_log_error(observed, estimated) -> float:
    """Mean of |log(1 + estimated) − log(1 + observed)|: 0.69 is a factor of two for all but the smallest flows."""
    o, e = _counts(observed=observed, estimated=estimated)
    return float(np.abs(np.log1p(e) - np.log1p(o)).mean()) if len(o) else float("nan")


def median_log_error(observed, estimated) -> float:
    """Median of log(1 + estimated) − log(1 + observed): below zero where most estimates are smaller than the reports.

    NaN without any cell. Unlike the log bias of the total it is not decided by the largest cells.
    """
    o, e = _counts(observed=observed, estimated=estimated)
    return float(np.median(np.log1p(e) - np.log1p(o))) if len(o) else float("nan")


def log_densities(reported, estimated, log_bias, spread, tail: float = TAIL, count: float = 1.0,
                  publish: Callable | None = None) -> np.ndarray:
    """Log density of each report under an estimate and what is known of the office that reports, in nats.

    With y reported and q estimated, log(1 + y) has Student's t distribution with ``tail`` degrees of freedom [1]_,
    location log(1 + q·exp(log_bias)), scale √(spread² + count/(1 + q·exp(log_bias))): an office counts a share of the
    flow, with errors of its own and, where few move, with the chance of small numbers. Of a source that adds noise to
    each month's count, location and scale are those of the published sum (``model.privacy_noise``). The density is that
    of log(1 + y), all constants included, so that scores of different spreads and tails can be compared.

    Parameters
    ----------
    reported, estimated : persons, arrays (cell,).
    log_bias : expected log of reported over true, one number or an array (cell,); 0 where the office counts all.
    spread : scale of the office's errors on the log scale, above zero; one number or an array (cell,).
    tail : degrees of freedom, above zero; the fewer, the less a single large error costs.
    count : variance of the log of a count of one person: 1 where people move and are counted one by one, more where
        they move together (``model.spreads.COUNT``).
    publish : of what is counted, array (cell,), the mean and variance of what is published, and how much of a
        difference in the log of the count it shows; by default counts are published as they are.

    Returns
    -------
    array (cell,), nats.

    Raises
    ------
    SchemaError, NegativeCountError
        For arrays of different length, missing or negative counts, a bias that is not finite, a spread or a tail that
        is not finite and above zero.

    References
    ----------
    .. [1] Johnson, Kotz & Balakrishnan (1995), Continuous Univariate Distributions, vol. 2, 2nd ed., Wiley, ch. 28.
    """
    y, q = _counts(reported=reported, estimated=estimated)
    bias, scale = (_of_cells(name, v, len(y)) for name, v in (("log_bias", log_bias), ("spread", spread)))
    if (scale <= 0).any():
        where = int(np.flatnonzero(scale <= 0)[0])
        raise SchemaError("log score", f"spread is {scale[where]}", "give spreads above zero: no office is without "
                          "error", key=f"spread[{where}]")
    if not (np.isfinite(tail) and tail > 0):
        raise SchemaError("log score", f"tail is {tail}", "give degrees of freedom above zero", key="tail")
    with np.errstate(over="ignore", invalid="ignore"):
        counted = q * np.exp(bias)
    if not np.isfinite(counted).all():
        where = int(np.flatnonzero(~np.isfinite(counted))[0])
        raise SchemaError("log score", f"log_bias is {bias[where]}: what the office counts is not finite",
                          "give a log bias, not a factor", key=f"log_bias[{where}]")
    shown, variance, elasticity = (counted, 0.0, 1.0) if publish is None else publish(counted)
    scale = np.sqrt(elasticity**2 * (scale**2 + count / (1 + counted)) + variance / (1 + shown)**2)
    z = (np.log1p(y) - np.log1p(shown)) / scale
    constant = gammaln((tail + 1) / 2) - gammaln(tail / 2) - np.log(tail * np.pi) / 2
    return constant - np.log(scale) - (tail + 1) / 2 * np.log1p(z * z / tail)


def log_score(reported, estimated, log_bias, spread, tail: float = TAIL, count: float = 1.0,
              publish: Callable | None = None) -> float:
    """Mean log density of reports, nats per report: the larger, the better what was reported was expected.

    It asks whether the report could be expected under the estimate and the office's bias and spread, which are to come
    from other corridors than those scored. A score against the bare number punishes an estimate for knowing that an
    office misses most who leave; this one does not, and it is proper: nothing but the right distribution has a higher
    expected score.

    Parameters
    ----------
    reported, estimated, log_bias, spread, tail, count, publish : as for :func:`log_densities`.

    Returns
    -------
    float; NaN without a report.
    """
    densities = log_densities(reported, estimated, log_bias, spread, tail, count, publish)
    return float(densities.mean()) if len(densities) else float("nan")


def _of_cells(name: str, value, length: int) -> np.ndarray:
    """One number for each cell, float64 and finite, from one number or as many."""
    given = np.asarray(value, dtype=np.float64)
    if given.shape not in ((), (length,)):
        raise SchemaError("log score", f"{name} of shape {given.shape} for {length} reports",
                          "give one number, or one for each report", key=name)
    if not np.isfinite(given).all():
        where = int(np.flatnonzero(~np.isfinite(given))[0]) if given.ndim else 0
        raise SchemaError("log score", f"{name} is {given.ravel()[where]}", "give finite numbers",
                          key=f"{name}[{where}]" if given.ndim else name)
    return np.broadcast_to(given, (length,))


def common_part_of_commuters(observed, estimated) -> float:
    """Common part of commuters, 2 Σ min(o, e) / (Σ o + Σ e): the share of moves that both tables have [1]_.

    Returns
    -------
    float in [0, 1]; 1 for equal tables, 0 for disjoint ones, NaN where both are empty.

    References
    ----------
    .. [1] Lenormand, Bassolas & Ramasco (2016), Systematic comparison of trip distribution laws and models,
       Journal of Transport Geography 51, 158–169.
    """
    o, e = _counts(observed=observed, estimated=estimated)
    total = o.sum() + e.sum()
    return float(2 * np.minimum(o, e).sum() / total) if total > 0 else float("nan")


def log_bias(observed, estimated) -> float:
    """Log of Σ estimated / Σ observed: 0 for the right total, +0.1 for about a tenth too many.

    NaN where nothing was observed; −inf where something was and nothing is estimated.
    """
    o, e = _counts(observed=observed, estimated=estimated)
    if o.sum() == 0:
        return float("nan")
    with np.errstate(divide="ignore"):
        return float(np.log(e.sum()) - np.log(o.sum()))


def within_corridor_rs(observed, estimated, corridor, *, min_years: int = MIN_YEARS,
                       min_mean: float = MIN_MEAN) -> pd.Series:
    """R over time of log(1 + x) within each corridor.

    Parameters
    ----------
    observed, estimated : persons.
    corridor : label of each cell's corridor (and witness, where two report the same one).
    min_years, min_mean : corridors with fewer cells, or a smaller mean of what was observed, are left out.

    Returns
    -------
    Series indexed by corridor; corridors without any change on either side have no R and are left out.
    """
    o, e = _counts(observed=observed, estimated=estimated)
    labels, group = _grouped(corridor, len(o))
    k = len(labels)
    n = np.bincount(group, minlength=k)
    enough = (n >= max(min_years, 2)) & (np.bincount(group, o, k) >= min_mean * n)
    x, y = np.log1p(o), np.log1p(e)
    safe = np.maximum(n, 1)
    x, y = (v - (np.bincount(group, v, k) / safe)[group] for v in (x, y))
    xx, yy, xy = (np.bincount(group, v, k) for v in (x * x, y * y, x * y))
    enough &= (xx > 1e-20 * safe) & (yy > 1e-20 * safe)  # what rounding leaves of a constant is no change
    return pd.Series(np.clip(xy[enough] / np.sqrt(xx[enough] * yy[enough]), -1, 1), index=labels[enough], dtype=float)


def within_corridor_r(observed, estimated, corridor, *, min_years: int = MIN_YEARS,
                      min_mean: float = MIN_MEAN) -> float:
    """Median over corridors of :func:`within_corridor_rs`; NaN where no corridor is long and large enough."""
    rs = within_corridor_rs(observed, estimated, corridor, min_years=min_years, min_mean=min_mean)
    return float(rs.median()) if len(rs) else float("nan")


def _grouped(corridor, length: int) -> tuple[np.ndarray, np.ndarray]:
    labels = np.asarray(corridor)
    if labels.shape != (length,):
        raise SchemaError("scores", f"{labels.shape} corridor labels for {length} cells", "give one label per cell")
    return np.unique(labels, return_inverse=True)


def five_year_changes(observed, estimated, corridor, year, *, lag: int = 5) -> pd.DataFrame:
    """Change between a year and the one ``lag`` later, for every corridor that has both.

    Returns
    -------
    DataFrame with columns corridor, year (the later one), observed, estimated, in persons.
    """
    o, e = _counts(observed=observed, estimated=estimated)
    _grouped(corridor, len(o))
    years = np.asarray(year)
    if years.shape != o.shape:
        raise SchemaError("scores", f"{years.shape} years for {len(o)} cells", "give one year per cell")
    cells = pd.DataFrame({"corridor": np.asarray(corridor), "year": years, "observed": o, "estimated": e})
    if cells.duplicated(["corridor", "year"]).any():
        raise SchemaError("scores", "a corridor has two cells in one year", "tell witnesses of one corridor apart by "
                          "their label")
    later = cells.merge(cells.assign(year=cells["year"] + lag), on=["corridor", "year"], suffixes=("", "_before"))
    return pd.DataFrame({"corridor": later["corridor"], "year": later["year"],
                         "observed": later["observed"] - later["observed_before"],
                         "estimated": later["estimated"] - later["estimated_before"]})


def change_r(observed, estimated, corridor, year, *, lag: int = 5) -> float:
    """Pearson's R of the change in persons between a year and the one five years later, over all corridors."""
    changes = five_year_changes(observed, estimated, corridor, year, lag=lag)
    return pearson_r(changes["observed"].to_numpy(), changes["estimated"].to_numpy())


def coverage(lower, upper, observed) -> float:
    """Share of what was observed that lies in [lower, upper], bounds included; values may be negative.

    Raises
    ------
    SchemaError
        For arrays that are not aligned, a value that is missing, or a lower bound above its upper one.
    """
    low, high, o = (np.asarray(a, dtype=np.float64) for a in (lower, upper, observed))
    if o.ndim != 1 or not low.shape == high.shape == o.shape:
        raise SchemaError("scores", f"bounds {low.shape}, {high.shape} for {o.shape} cells", "give two bounds per cell")
    if np.isnan(low).any() or np.isnan(high).any() or not np.isfinite(o).all():
        raise SchemaError("scores", "a bound or an observation is missing", "drop the cells where any is missing")
    if (low > high).any():
        raise SchemaError("scores", "a lower bound lies above its upper bound", "swap or mend the bounds",
                          key=f"cell {int(np.flatnonzero(low > high)[0])}")
    return float(((low <= o) & (o <= high)).mean()) if len(o) else float("nan")


def crps_from_quantiles(levels: Sequence[float], quantiles, observed) -> np.ndarray:
    """Continuous ranked probability score from quantiles: twice the pinball loss integrated over the levels [1]_.

    CRPS(F, o) = 2 ∫₀¹ (1{o < q_τ} − τ)(q_τ − o) dτ; each level stands for the part of [0, 1] nearest to it, so
    the levels should fill (0, 1) evenly, e.g. (k − ½)/K.

    Parameters
    ----------
    levels : increasing, inside (0, 1).
    quantiles : array (level, cell), not decreasing along the first axis.
    observed : array (cell,).

    Returns
    -------
    array (cell,), in the unit of ``observed``; smaller is better.

    References
    ----------
    .. [1] Gneiting & Ranjan (2011), Comparing density forecasts using threshold- and quantile-weighted scoring rules,
       Journal of Business & Economic Statistics 29, 411–422, eq. 13.
    """
    tau, q, o = (np.asarray(a, dtype=np.float64) for a in (levels, quantiles, observed))
    if tau.ndim != 1 or not len(tau) or o.ndim != 1 or q.shape != (len(tau), len(o)):
        raise SchemaError("scores", f"quantiles {q.shape} for {tau.shape} levels and {o.shape} cells",
                          "give quantiles as (level, cell)")
    if (tau <= 0).any() or (tau >= 1).any() or (np.diff(tau) <= 0).any():
        raise SchemaError("scores", f"levels {tau.tolist()}", "give increasing levels between 0 and 1, both excluded")
    if not (np.isfinite(q).all() and np.isfinite(o).all()):
        raise SchemaError("scores", "a quantile or an observation is missing", "drop the cells where any is missing")
    if (np.diff(q, axis=0) < 0).any():
        raise SchemaError("scores", "quantiles cross", "sort the quantiles of each cell")
    edges = np.concatenate([[0], (tau[1:] + tau[:-1]) / 2, [1]])
    pinball = ((o < q) - tau[:, None]) * (q - o)
    return 2 * np.diff(edges) @ pinball


def crps_from_sample(sample, observed) -> np.ndarray:
    """Continuous ranked probability score of an ensemble: E|X − o| − ½ E|X − X′| over its members [1]_.

    Parameters
    ----------
    sample : array (member, cell).
    observed : array (cell,).

    Returns
    -------
    array (cell,), in the unit of ``observed``; the absolute error where there is one member.

    References
    ----------
    .. [1] Gneiting & Raftery (2007), Strictly proper scoring rules, prediction, and estimation, Journal of the
       American Statistical Association 102, 359–378, eq. 21.
    """
    x, o = (np.asarray(a, dtype=np.float64) for a in (sample, observed))
    if o.ndim != 1 or x.ndim != 2 or not len(x) or x.shape[1:] != o.shape:
        raise SchemaError("scores", f"sample {x.shape} for {o.shape} cells", "give the sample as (member, cell)")
    if not (np.isfinite(x).all() and np.isfinite(o).all()):
        raise SchemaError("scores", "a member or an observation is missing", "drop the cells where any is missing")
    m = len(x)
    # Σ_{i,j} |x_i − x_j| = 2 Σ_k (2k − m − 1) x_(k), without the m² differences.
    weight = 2 * np.arange(1, m + 1) - m - 1
    return np.abs(x - o).mean(0) - weight @ np.sort(x, axis=0) / m**2


def score(observed, estimated, corridor, year) -> dict[str, float]:
    """All scores of one peer on one set of cells.

    Parameters
    ----------
    observed, estimated : persons, arrays (cell,).
    corridor : label of each cell's corridor and witness.
    year : year of each cell (for periods: the first year).

    Returns
    -------
    dict with the keys of ``SCORES``.

    Raises
    ------
    SchemaError, NegativeCountError
        For arrays of different length, missing or negative values.
    """
    o, e = _counts(observed=observed, estimated=estimated)
    return {"n": len(o), "r": pearson_r(o, e), "log_r": log_r(o, e), "abs_log_error": mean_abs_log_error(o, e),
            "median_log_error": median_log_error(o, e), "cpc": common_part_of_commuters(o, e),
            "log_bias": log_bias(o, e), "within_r": within_corridor_r(o, e, corridor),
            "change_r": change_r(o, e, corridor, year)}


def score_table(observed, peers: Mapping[str, np.ndarray], corridor, year, **labels) -> pd.DataFrame:
    """Scores of several peers on exactly the same cells, one row each.

    Cells where any peer has nothing (NaN) are dropped for all; column ``dropped`` tells how many.

    Parameters
    ----------
    observed : persons, array (cell,).
    peers : estimates by name, arrays (cell,), NaN where a peer has none.
    corridor, year : as in :func:`score`.
    **labels : constant columns to put first.

    Returns
    -------
    DataFrame: the labels, ``peer``, the columns of ``SCORES``, ``dropped``.
    """
    observed = np.asarray(observed, dtype=np.float64)
    arrays = {name: np.asarray(a, dtype=np.float64) for name, a in peers.items()}
    for name, a in arrays.items():
        if a.shape != observed.shape:
            raise SchemaError("scores", f"{name} of shape {a.shape} for {observed.shape} cells",
                              "look the peer up at the observed cells", name)
    keep = np.ones(observed.shape, dtype=bool)
    for a in arrays.values():
        keep &= ~np.isnan(a)
    corridor, year = np.asarray(corridor), np.asarray(year)
    rows = [{**labels, "peer": name, **score(observed[keep], a[keep], corridor[keep], year[keep]),
             "dropped": int((~keep).sum())} for name, a in arrays.items()]
    return pd.DataFrame(rows, columns=[*labels, "peer", *SCORES, "dropped"])


def bootstrap_difference(observed, first, second, corridor, year=None, *, draws: int = DRAWS, level: float = LEVEL,
                         seed: int = 0) -> pd.DataFrame:
    """Is one peer better than another, or only luckier in its corridors? Intervals of the difference in each score.

    See :func:`bootstrap_differences`, of which this is the comparison of two.

    Parameters
    ----------
    observed, first, second : persons, arrays (cell,).
    corridor, year, draws, level, seed : as there.

    Returns
    -------
    DataFrame indexed by score with columns difference (first − second on all cells), lower, upper.
    """
    table = bootstrap_differences(observed, {"first": first, "second": second}, corridor, year, draws=draws,
                                  level=level, seed=seed)
    return table.set_index("score")[["difference", "lower", "upper"]].rename_axis(None)


def bootstrap_differences(observed, estimated: Mapping[str, np.ndarray], corridor, year=None, *, cluster=None,
                          draws: int = DRAWS, level: float = LEVEL, seed: int = 0) -> pd.DataFrame:
    """Differences of the first peer's scores to every other's, with bootstrap intervals.

    Whole corridors are drawn with replacement (see :mod:`humanflows.results.bootstrap`), the same for all peers.

    Parameters
    ----------
    observed : persons, array (cell,).
    estimated : by peer, persons, arrays (cell,); the first is the one that the others are compared with.
    corridor : label of each cell's corridor (and witness, where two report the same one): R over time is within these.
    year : of each cell; None leaves ``change_r`` out.
    cluster : what is drawn as a whole, each corridor lying in one; by default the corridors.
    draws, level, seed : of the percentile interval.

    Returns
    -------
    DataFrame: peer (all but the first), score, difference (first − peer on all cells), lower, upper. NaN where a score
    is not defined. The median log error, which is no function of sums, is left out.

    Raises
    ------
    SchemaError, NegativeCountError
        Without any cell or a second peer, for a corridor in two clusters, and as :func:`score`.
    """
    names = list(estimated)
    o, *everyone = _counts(observed=observed, **{f"estimate of {n}": e for n, e in estimated.items()})
    if not len(o) or len(names) < 2 or draws < 2 or not 0 < level < 1:
        raise SchemaError("scores", f"{len(o)} cells, {len(names)} peers, {draws} draws, level {level}",
                          "give at least one cell, two peers, two draws and a level between 0 and 1")
    labels, group = _grouped(corridor, len(o))
    drawn, drawn_of = _grouped(corridor if cluster is None else cluster, len(o))
    home = np.zeros(len(labels), dtype=np.int64)
    home[group] = drawn_of
    if (home[group] != drawn_of).any():
        raise SchemaError("scores", "a corridor lies in two clusters", "draw whole corridors",
                          key=str(labels[group][home[group] != drawn_of][0]))
    parts = [_sufficient(o, e, labels, group, year, drawn_of, home, len(drawn)) for e in everyone]
    whole = [_scores_of(np.ones((1, len(drawn))), part) for part in parts]
    blocks = [[_scores_of(weight, part) for part in parts] for weight in draw_weights(len(drawn), draws, seed)]
    rows = []
    for k, name in enumerate(names[1:], start=1):
        for score_name in whole[0]:
            own, other = (np.concatenate([b[p][score_name] for b in blocks]) for p in (0, k))
            lower, upper = percentile_interval(own - other, level)
            rows.append({"peer": name, "score": score_name, "lower": lower, "upper": upper,
                         "difference": float(whole[0][score_name][0] - whole[k][score_name][0])})
    return pd.DataFrame(rows)[["peer", "score", "difference", "lower", "upper"]]


def _sufficient(o, e, labels, group, year, drawn_of, home, clusters: int) -> dict:
    """Sums per cluster, and R over time per corridor, from which the scores of every draw follow."""
    x, y = np.log1p(o), np.log1p(e)
    plain = cluster_sums(drawn_of, clusters, *moments(o, e), *moments(x, y), o, e, np.minimum(o, e), np.abs(y - x))
    rs = within_corridor_rs(o, e, labels[group])
    part = {"sums": plain, "within": rs.to_numpy(), "within_of": home[np.searchsorted(labels, rs.index.to_numpy())]}
    if year is not None:
        changes = five_year_changes(o, e, labels[group], year)
        of = home[np.searchsorted(labels, changes["corridor"].to_numpy())]
        columns = moments(*(changes[c].to_numpy() for c in ("observed", "estimated"))) if len(changes) else []
        part["changes"] = cluster_sums(of, clusters, *columns) if columns else np.zeros((clusters, 6))
    return part


def _scores_of(weight: np.ndarray, part: dict) -> dict[str, np.ndarray]:
    """Each score for each row of weights (draw, cluster)."""
    sums = weight @ part["sums"]
    n = sums[:, 0]
    so, se, common, error = sums[:, 12:].T
    with np.errstate(divide="ignore", invalid="ignore"):
        result = {"r": r_of_sums(sums[:, :6]), "log_r": r_of_sums(sums[:, 6:12]), "abs_log_error": error / n,
                  "cpc": 2 * common / (so + se), "log_bias": np.log(se) - np.log(so),
                  "within_r": resampled_median(weight[:, part["within_of"]], part["within"])}
        if "changes" in part:
            result["change_r"] = r_of_sums(weight @ part["changes"])
    return result
