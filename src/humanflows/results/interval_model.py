"""Intervals of flows: how hard each corridor and year is, and what quantiles errors of that difficulty have by group.

The error of a cell (see :mod:`humanflows.results.interval_cells`) is r = log(1 + observed) − log(1 + estimate). Three
steps make its distribution for any corridor and year:

1. *Location and difficulty.* Boosted trees learn the median of r, and then the mean of |r − median|, σ, from what is
   known of every corridor and year: size, the members' disagreement, what was seen and how long ago, how far estimates
   lay from reports in the years beside, regions, populations, refugees. They are cross-fitted by corridor and by
   office, so that scores are never taken of cells that trees learned from (normalised conformal prediction [1]_).
2. *Quantiles by groups that overlap.* Of the scores z = (r − median)/(σ + ``PAD``), quantiles are a sum of one term for
   each group that a cell is in (kind × what was seen, × size, × region of origin, × region of destination), by quantile
   regression on the groups. At its optimum every group, and not only every combination of them, holds the promised
   share of the calibration cells ([2]_, [3]_). Terms are shrunk, so that a group of few cells follows the others.
3. Lower and upper ends are quantiles of their own, never negative; ends below half a person are zero.

Cells count alike: an office with twenty years of a corridor has twenty. Trees alone learn from few of each series.

References
----------
.. [1] Papadopoulos, Gammerman & Vovk (2008), Normalized nonconformity measures for regression conformal prediction,
   Artificial Intelligence and Applications, 64–69.
.. [2] Jung, Noarov, Ramalingam & Roth (2023), Batch multivalid conformal prediction, ICLR, algorithm BatchGCP.
.. [3] Gibbs, Cherian & Candès (2025), Conformal prediction with conditional guarantees, JRSS B 87, 1100–1126.
"""
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.special import expit
from scipy.stats import norm
from sklearn.ensemble import HistGradientBoostingRegressor

from ..errors import SchemaError

ANCHORS = (0.005, 0.025, 0.05, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 0.95, 0.975, 0.995)
SHRINKAGE = 20.0       # cells: a group's term is pulled towards none as by so many
WIDTHS = (0.5, 0.15, 0.05, 0.02)     # of the pinball loss's smoothing, in quartile ranges, one after another
FLOOR = 0.05           # of σ: nothing is known of a flow to within five per cent
PAD = 0.1              # added to σ where errors are divided by it: trees, too, are sure of themselves by chance
SMALLEST = 0.5         # persons; less is nobody
MOST = 120_000         # cells that the terms of groups are learned from; of more, so many are drawn
PER_SERIES = 6         # cells of one office's report of one corridor that trees learn from: years repeat each other
SIZES = (1, 10, 100, 1000, 10_000)
SIZE_NAMES = ("below 1", "1 to 10", "10 to 100", "100 to 1,000", "1,000 to 10,000", "10,000 and more")


def size_class(estimate) -> np.ndarray:
    """Class of size of an estimate (persons), position in ``SIZE_NAMES``."""
    return np.digitize(np.asarray(estimate), SIZES).astype(np.int8)


def as_counts(log_quantiles) -> np.ndarray:
    """Quantiles of log(1 + count): what is below ``SMALLEST`` is zero."""
    return np.where(log_quantiles < np.log1p(SMALLEST), 0.0, log_quantiles)


def jittered(observed, seed: int = 0) -> np.ndarray:
    """log(1 + y + u) with u uniform on (−½, ½), so that counts have quantiles like numbers without ties [5]_.

    Of small flows up to two thirds are reported as zero: no interval that reaches zero could cover half of them and no
    more. What is calibrated, and compared with what was promised, is therefore the jittered count; the interval for the
    count itself, whose ends below ``SMALLEST`` are zero, covers at least as much.

    References
    ----------
    .. [5] Machado & Santos Silva (2005), Quantiles for counts, JASA 100, 1226–1237.
    """
    observed = np.asarray(observed, dtype=np.float64)
    if not np.isfinite(observed).all() or (observed < 0).any():
        raise SchemaError("intervals", "a reported flow is missing or negative", "drop such cells", "observed")
    return np.log1p(observed + np.random.default_rng([seed, 7]).uniform(-0.5, 0.5, observed.shape))


def without_gaps(features: np.ndarray) -> np.ndarray:
    """Features (cell, feature) to learn from; what no cell has is zero: scikit-learn finds no bins for nothing."""
    return np.where(np.isnan(features).all(0), np.float32(0), features)


@dataclass
class Trees:
    """Median and scale of errors, learned from features.

    Parameters
    ----------
    with_location : whether the median is learned; without, it is zero and only its scale is.
    categories : positions of features that are labels (regions).
    """

    with_location: bool = True
    categories: Sequence[int] = ()
    rounds: int = 90
    seed: int = 0
    _location: HistGradientBoostingRegressor | None = field(default=None, repr=False)
    _scale: HistGradientBoostingRegressor | None = field(default=None, repr=False)

    def _new(self, loss: str):
        return HistGradientBoostingRegressor(
            loss=loss, max_iter=self.rounds, learning_rate=0.08, max_leaf_nodes=24, min_samples_leaf=100,
            l2_regularization=5.0, max_bins=64, early_stopping=False, random_state=self.seed,
            categorical_features=list(self.categories) or None)

    def fit(self, features: np.ndarray, error: np.ndarray, weight: np.ndarray | None = None) -> "Trees":
        """Learn from features (cell, feature) and errors (cell,)."""
        features, away = without_gaps(features), error
        if self.with_location:
            self._location = self._new("absolute_error").fit(features, error, weight)
            away = error - self._location.predict(features)
        self._scale = self._new("squared_error").fit(features, np.abs(away), weight)
        return self

    def predict(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Median and scale σ of the error, arrays (cell,)."""
        middle = self._location.predict(features) if self.with_location else np.zeros(len(features))
        return middle, np.maximum(self._scale.predict(features), FLOOR)


class GroupQuantiles:
    """Quantiles of scores that hold in every group at once: quantile regression on groups that may overlap.

    The pinball loss is smoothed by a logistic kernel [4]_, so that it can be minimised by Newton's method.

    References
    ----------
    .. [4] He, Pan, Tan & Zhou (2023), Smoothed quantile regression with large-scale inference, Journal of Econometrics
       232, 367–388.
    """

    def __init__(self, levels: Sequence[float] = ANCHORS, shrinkage: float = SHRINKAGE):
        self.levels, self.shrinkage = np.asarray(levels, dtype=np.float64), shrinkage
        if not ((self.levels > 0) & (self.levels < 1)).all() or (np.diff(self.levels) <= 0).any():
            raise SchemaError("intervals", f"levels {list(levels)}", "give rising probabilities between 0 and 1")

    def fit(self, scores, groups: Mapping[str, np.ndarray], weight=None) -> "GroupQuantiles":
        """Learn from scores (cell,) and, by name of a grouping, labels (cell,)."""
        z = np.asarray(scores, dtype=np.float64)
        if not len(z) or not np.isfinite(z).all():
            raise SchemaError("intervals", f"{len(z)} scores, or one that is not finite", "give finite scores")
        weight = np.ones(len(z)) if weight is None else np.asarray(weight, dtype=np.float64) / np.mean(weight)
        self._labels = {k: np.unique(np.asarray(v).astype(str)) for k, v in groups.items()}
        design = self._design(groups, len(z))
        self._terms = np.empty((len(self.levels), design.shape[1]))
        spread = np.subtract(*np.quantile(z, [0.75, 0.25])) or 1.0
        shrinkage = np.r_[1e-6, np.full(design.shape[1] - 1, self.shrinkage)] / len(z)
        for k, level in enumerate(self.levels):
            terms = np.zeros(design.shape[1])
            terms[0] = np.quantile(z, level)
            for width in WIDTHS:
                terms = _newton(terms, design, z, weight, level, width * spread, shrinkage)
            self._terms[k] = terms
        return self

    def _design(self, groups, length: int) -> sparse.csr_matrix:
        """A column of ones, and one for each group (cell, term)."""
        columns, first = [np.zeros(length, dtype=np.int64)], 1
        for (name, labels), code in zip(self._labels.items(), self._codes(groups)):
            if code.shape != (length,):
                raise SchemaError("intervals", f"{len(code)} labels for {length} cells", "give one each", name)
            columns.append(np.where(code >= 0, first + code, -1))
            first += len(labels)
        at = np.column_stack(columns)
        row, column = np.nonzero(at >= 0)[0], at[at >= 0]
        return sparse.csr_matrix((np.ones(len(row)), (row, column)), shape=(length, first))

    def _codes(self, groups) -> list[np.ndarray]:
        out = []
        for name, labels in self._labels.items():
            given = np.asarray(groups[name]).astype(str)
            at = np.searchsorted(labels, given).clip(0, len(labels) - 1)
            out.append(np.where(labels[at] == given, at, -1))      # −1: a group that was never met has no term
        return out

    def predict(self, groups: Mapping[str, np.ndarray], levels: Sequence[float] | None = None) -> np.ndarray:
        """Quantiles of z, (cell, level), rising; between learned levels by interpolation on the normal scale."""
        length = len(next(iter(groups.values())))
        out = self._design(groups, length) @ self._terms.T
        out = np.maximum.accumulate(np.sort(out, axis=1), axis=1)
        if levels is None:
            return out
        wanted, have = norm.ppf(np.asarray(levels, dtype=np.float64)), norm.ppf(self.levels)
        at = np.clip(np.searchsorted(have, wanted), 1, len(have) - 1)
        share = (wanted - have[at - 1]) / (have[at] - have[at - 1])     # beyond the ends the last slope goes on
        return out[:, at - 1] * (1 - share) + out[:, at] * share


def _newton(terms, design, z, weight, level, width, shrinkage, most: int = 12) -> np.ndarray:
    """Minimise the smoothed, shrunk pinball loss from where it stands, by Newton's method with halved steps."""
    def loss(at):
        off = z - design @ at
        return (weight * (level * off + width * np.logaddexp(0.0, -off / width))).mean() + shrinkage @ at**2 / 2

    now = loss(terms)
    for _ in range(most):
        below = expit((design @ terms - z) / width)
        gradient = design.T @ (weight * (below - level)) / len(z) + shrinkage * terms
        if np.abs(gradient).max() < 1e-6:
            break
        curvature = sparse.diags_array(weight * below * (1 - below) / (width * len(z)))
        hessian = (design.T @ curvature @ design).toarray() + np.diag(shrinkage + 1e-9)
        step = np.linalg.solve(hessian, gradient)
        size = 1.0
        while (then := loss(terms - size * step)) > now and size > 1e-4:
            size /= 2
        if then > now:
            break
        terms, now = terms - size * step, then
    return terms


def groups_of(cells: pd.DataFrame, regions: Sequence[str]) -> dict[str, np.ndarray]:
    """The groupings of cells, each within its kind.

    Parameters
    ----------
    cells : with kind, seen (name or position), estimate, origin, destination (positions).
    regions : of each territory.
    """
    kind, regions = cells["kind"].to_numpy().astype(str), np.asarray(regions, dtype=str)
    parts = {"kind": np.full(len(cells), ""), "seen": cells["seen"].to_numpy().astype(str),
             "size": size_class(cells["estimate"]).astype(str),
             "origin": regions[cells["origin"].to_numpy()], "destination": regions[cells["destination"].to_numpy()]}
    return {k: np.char.add(np.char.add(kind, "|"), v) for k, v in parts.items()}


def thin(series: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Positions of at most so many cells of each series, drawn by chance, in order."""
    order = np.random.default_rng(seed).permutation(len(series))
    rank = pd.Series(order).groupby(np.asarray(series)[order]).cumcount().to_numpy()
    return np.sort(order[rank < most])


@dataclass
class FlowIntervals:
    """The whole model: fitted on cells, it gives quantiles for any corridor and year.

    Parameters
    ----------
    with_location : see :class:`Trees`.
    parts : of the cross-fitting.
    categories : positions of features that are labels.
    """

    with_location: bool = True
    parts: int = 3
    categories: Sequence[int] = ()
    seed: int = 0

    def fit(self, observed, estimate, features, groups: Mapping[str, np.ndarray], cluster, series) -> "FlowIntervals":
        """Learn from cells.

        Parameters
        ----------
        observed, estimate : persons, (cell,).
        features : (cell, feature).
        groups : labels by grouping, (cell,).
        cluster : what is kept together in cross-fitting, (cell,): the corridor, or the office where that was held out.
        series : label of office and corridor: of each only ``PER_SERIES`` cells train the trees.
        """
        error = jittered(observed, self.seed) - np.log1p(np.asarray(estimate, dtype=np.float64))
        features = np.asarray(features)
        if not len(error) == len(features) == len(cluster) == len(series):
            raise SchemaError("intervals", f"{len(error)} errors, {len(features)} features, {len(cluster)} clusters, "
                              f"{len(series)} series", "give one of each for every cell")
        few = thin(series, PER_SERIES, self.seed)
        names, code = np.unique(cluster, return_inverse=True)
        if len(names) < 2:
            raise SchemaError("intervals", "all cells are of one corridor or office", "give cells of several")
        part = np.random.default_rng(self.seed).permutation(len(names))[code] % min(self.parts, len(names))
        middle, sigma = np.empty_like(error), np.empty_like(error)
        for k in np.unique(part):
            own, others = part == k, few[part[few] != k]
            middle[own], sigma[own] = self._trees().fit(features[others], error[others]).predict(features[own])
        self.trees_ = self._trees().fit(features[few], error[few])
        score = (error - middle) / (sigma + PAD)
        drawn = np.sort(np.random.default_rng(self.seed).permutation(len(score))[:MOST])
        self.quantiles_ = GroupQuantiles().fit(score[drawn], {k: np.asarray(v)[drawn] for k, v in groups.items()})
        self.scores_ = (error - middle) / sigma      # without the pad: what totals share is told on the scale of σ
        return self

    def _trees(self) -> Trees:
        return Trees(self.with_location, self.categories, seed=self.seed)

    def log_quantiles(self, estimate, features, groups, levels: Sequence[float]) -> np.ndarray:
        """Quantiles of log(1 + jittered count), (cell, level), rising; :func:`as_counts` makes them ends of counts."""
        return self.predict(estimate, features, [groups], levels)[0]

    def predict(self, estimate, features, groupings: Sequence[Mapping[str, np.ndarray]], levels: Sequence[float],
                ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Quantiles as in :meth:`log_quantiles`, median error and difficulty σ, (cell,).

        With several groupings of the same cells the quantiles below the middle are the lowest of all, those above it
        the highest.
        """
        middle, sigma = self.trees_.predict(np.asarray(features))
        found = [self.quantiles_.predict(g, levels) for g in groupings]
        z = np.where(np.asarray(levels) < 0.5, np.minimum.reduce(found), np.maximum.reduce(found))
        centre = np.log1p(np.asarray(estimate, dtype=np.float64)) + middle
        return centre[:, None] + (sigma + PAD)[:, None] * z, middle, sigma

    def quantiles(self, estimate, features, groups, levels: Sequence[float]) -> np.ndarray:
        """The same in persons, never negative."""
        return np.expm1(as_counts(self.log_quantiles(estimate, features, groups, levels)))

    def sigma(self, features) -> np.ndarray:
        """Difficulty σ, the mean of |r − median|, (cell,)."""
        return self.trees_.predict(np.asarray(features))[1]
