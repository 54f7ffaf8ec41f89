"""Simpler, and other, ways to make intervals, for comparison with the chosen one on the same cells.

Each is a function of cells to learn from and cells to judge, and returns quantiles of log(1 + x) (cell, level).
"""
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from crepes import ConformalPredictiveSystem
from sklearn.ensemble import HistGradientBoostingRegressor

from .coverage import LEVELS, members_quantiles
from .interval_cells import CORRIDORS, LAST_YEARS, OFFICES
from .interval_model import PER_SERIES, FlowIntervals, GroupQuantiles, Trees, jittered, size_class, thin, without_gaps
from .intervals import FEWEST, SPREAD_FLOOR

LOCATED, PLAIN = "location and difficulty, overlapping groups", "difficulty, overlapping groups"
CHOSEN = {CORRIDORS: LOCATED, LAST_YEARS: LOCATED, OFFICES: PLAIN}


@dataclass(frozen=True)
class Sample:
    """Cells as arrays: see :meth:`humanflows.results.interval_model.FlowIntervals.fit` for what they mean."""

    observed: np.ndarray
    estimate: np.ndarray
    log_mean: np.ndarray
    spread: np.ndarray
    features: np.ndarray
    groups: Mapping[str, np.ndarray]
    cluster: np.ndarray
    series: np.ndarray

    def take(self, chosen) -> "Sample":
        """The same of some of the cells."""
        return Sample(*(getattr(self, k)[chosen] for k in ("observed", "estimate", "log_mean", "spread", "features")),
                      {k: v[chosen] for k, v in self.groups.items()}, self.cluster[chosen], self.series[chosen])

    @property
    def error(self) -> np.ndarray:
        """Jittered log error."""
        return jittered(self.observed) - np.log1p(self.estimate)

    @property
    def classes(self) -> np.ndarray:
        """Kind, what was seen and size at once."""
        return np.char.add(np.char.add(self.groups["seen"].astype(str), "|"), size_class(self.estimate).astype(str))


def chosen(train: Sample, test: Sample, levels: Sequence[float] = LEVELS, *, with_location: bool = True,
           categories=()) -> np.ndarray:
    """:class:`humanflows.results.interval_model.FlowIntervals`, with or without a learned median."""
    model = FlowIntervals(with_location, categories=categories).fit(
        train.observed, train.estimate, train.features, train.groups, train.cluster, train.series)
    return model.log_quantiles(test.estimate, test.features, test.groups, levels)


def _mondrian(score, label, middle, sigma, wanted, levels) -> np.ndarray:
    """Split-conformal within classes (crepes); classes of few cells are judged by all."""
    names, size = np.unique(label, return_counts=True)
    enough = names[size >= FEWEST]
    out = np.empty((len(wanted), len(levels)))
    low, high = [t * 100 for t in levels if t < 0.5], [t * 100 for t in levels if t >= 0.5]
    for inside, fitted in ((np.isin(wanted, enough), np.isin(label, enough)), (~np.isin(wanted, enough), slice(None))):
        if inside.any():
            bins = isinstance(fitted, np.ndarray)
            system = ConformalPredictiveSystem().fit(score[fitted], **({"bins": label[fitted]} if bins else {}))
            z = system.predict_percentiles(np.zeros(inside.sum()), **({"bins": wanted[inside]} if bins else {}),
                                           lower_percentiles=low, higher_percentiles=high)
            out[inside] = middle[inside, None] + sigma[inside, None] * np.asarray(z).reshape(inside.sum(), -1)
    worst = np.abs(out[np.isfinite(out)]).max() if np.isfinite(out).any() else 0.0
    return np.maximum.accumulate(np.nan_to_num(out, neginf=-worst, posinf=worst), axis=1)


def members_alone(train: Sample, test: Sample, levels=LEVELS) -> np.ndarray:
    """A normal distribution of the members' logs, and nothing else."""
    return members_quantiles(test.log_mean, test.spread, levels)


def classes_only(train: Sample, test: Sample, levels=LEVELS) -> np.ndarray:
    """Quantiles of errors within classes of kind, what was seen and size."""
    return _mondrian(train.error, train.classes, np.log1p(test.estimate), np.ones(len(test.estimate)), test.classes,
                     levels)


def spread_and_floor(train: Sample, test: Sample, levels=LEVELS) -> np.ndarray:
    """The same of errors divided by the members' spread plus a floor (:class:`humanflows.results.intervals`)."""
    return _mondrian(train.error / (train.spread + SPREAD_FLOOR), train.classes, np.log1p(test.estimate),
                     test.spread + SPREAD_FLOOR, test.classes, levels)


def difficulty_in_classes(train: Sample, test: Sample, levels=LEVELS, categories=()) -> np.ndarray:
    """The same of errors divided by a learned difficulty; trees learn from one half of the clusters, scores are of
    the other."""
    names, code = np.unique(train.cluster, return_inverse=True)
    half = np.random.default_rng(0).permutation(len(names))[code] % 2 == 0
    few = thin(train.series, PER_SERIES, 0)
    few = few[half[few]]
    trees = Trees(False, categories).fit(train.features[few], train.error[few])
    own = trees.predict(train.features[~half])[1]
    return _mondrian(train.error[~half] / own, train.classes[~half], np.log1p(test.estimate),
                     trees.predict(test.features)[1], test.classes, levels)


def quantile_trees(train: Sample, test: Sample, levels=LEVELS, categories=()) -> np.ndarray:
    """Conformalised quantile regression: trees for each level, then a shift for each, by overlapping groups [1]_.

    References
    ----------
    .. [1] Romano, Patterson & Candès (2019), Conformalized quantile regression, NeurIPS 32.
    """
    names, code = np.unique(train.cluster, return_inverse=True)
    half = np.random.default_rng(0).permutation(len(names))[code] % 2 == 0
    few = thin(train.series, PER_SERIES, 0)
    few = few[half[few]]
    held, out = ~half, np.empty((len(test.estimate), len(levels)))
    groups = {k: v[held] for k, v in train.groups.items()}
    for k, level in enumerate(levels):
        trees = HistGradientBoostingRegressor(
            loss="quantile", quantile=level, max_iter=60, learning_rate=0.1, max_leaf_nodes=24, min_samples_leaf=100,
            l2_regularization=5.0, max_bins=64, early_stopping=False, random_state=0,
            categorical_features=list(categories) or None).fit(without_gaps(train.features[few]), train.error[few])
        shift = GroupQuantiles([level]).fit(train.error[held] - trees.predict(train.features[held]), groups)
        out[:, k] = np.log1p(test.estimate) + trees.predict(test.features) + shift.predict(test.groups)[:, 0]
    return np.sort(out, axis=1)


def variants(categories=()) -> dict[str, Callable[[Sample, Sample], np.ndarray]]:
    """All ways by name, from the simplest on; ``CHOSEN`` says which serves which kind of cells."""
    return {"members alone": members_alone, "classes": classes_only, "members' spread, classes": spread_and_floor,
            "difficulty, classes": lambda a, b: difficulty_in_classes(a, b, categories=categories),
            "quantile trees, overlapping groups": lambda a, b: quantile_trees(a, b, categories=categories),
            PLAIN: lambda a, b: chosen(a, b, with_location=False, categories=categories),
            LOCATED: lambda a, b: chosen(a, b, categories=categories)}
