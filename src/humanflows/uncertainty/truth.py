"""Draws held against a known truth: rank histograms and tests of uniformity (simulation-based calibration [1]_).

The rank of the truth among calibrated draws is uniform. Ranks of a corridor's years, or of a territory's corridors, are
not independent: tests count clusters and not cells. The chi-square statistic is divided by the design effect (Rao &
Scott [2]_), the Kolmogorov statistic is judged by the number of cells over the design effect.

A flow of the simulated world is a whole number, a draw's flow is what is expected of it. ``chance`` turns a draw into a
whole number of persons by a Poisson distribution, so that the truth of a flow of nobody is not below every draw.

References
----------
.. [1] Talts, Betancourt, Simpson, Vehtari & Gelman (2018), Validating Bayesian inference algorithms with
   simulation-based calibration, arXiv:1804.06788. Säilynoja, Bürkner & Vehtari (2022), Graphical test for discrete
   uniformity, Statistics and Computing 32, 32 (of the empirical distribution function).
.. [2] Rao & Scott (1981), The analysis of categorical data from complex sample surveys, Journal of the American
   Statistical Association 76, 221–230.
"""
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from scipy.stats import chi2, kstwo

from ..errors import SchemaError
from .coverage import SIZES, clustered_error, rank_histogram

BINS = 10
FEWEST = 50
COLUMNS = ("quantity", "seen", "size", "n", "clusters", "effective", "cover50", "cover80", "cover95", "error95",
           "below", "above", "factor", "chi2_p", "ecdf_p", *(f"bin{k}" for k in range(1, BINS + 1)))
_POISSON = 1e6      # persons; chance is nothing beyond, and the normal distribution does


class RankCounter:
    """Ranks of a truth among draws that come one after the other; nothing is kept of a draw.

    Parameters
    ----------
    truth : array, finite, of any shape.
    seed : of ties and of chance.
    chance : whether draws are expectations of whole numbers of persons, see the module.
    """

    def __init__(self, truth, *, seed: int, chance: bool = False):
        self.truth = np.asarray(truth)
        if not np.isfinite(self.truth).all():
            raise SchemaError("truth", "a true value is missing", "leave out what there is no truth of")
        self.chance, self.number = chance, 0
        self._rng = np.random.default_rng([seed, 41])
        self._below, self._same = (np.zeros(self.truth.shape, np.int32) for _ in range(2))
        self._sum, self._logs, self._squares = (np.zeros(self.truth.shape) for _ in range(3))

    def add(self, draw) -> None:
        """Count one draw, of the truth's shape.

        Raises
        ------
        SchemaError
            For another shape, or a value that is not finite.
        """
        draw = np.asarray(draw, dtype=np.float64)
        if draw.shape != self.truth.shape or not np.isfinite(draw).all():
            raise SchemaError("truth", f"a draw {draw.shape} beside a truth {self.truth.shape}, or a value that is not "
                              "finite", "give draws of what the truth is of", f"draw {self.number} (from 0)")
        self._sum += draw
        signed = np.sign(draw) * np.log1p(np.abs(draw))
        self._logs += signed
        self._squares += signed**2
        if self.chance:
            if (draw < 0).any():
                raise SchemaError("truth", "a draw of a count is below zero", "chance is of counts alone",
                                  f"draw {self.number} (from 0)")
            few = draw < _POISSON
            draw = np.where(few, self._rng.poisson(np.where(few, draw, 0.0)), np.rint(draw))
        self._below += draw < self.truth
        self._same += draw == self.truth
        self.number += 1

    def ranks(self) -> np.ndarray:
        """Ranks in (0, 1), uniform where draws are calibrated; ties, and the place between draws, by lot."""
        if not self.number:
            raise SchemaError("truth", "no draw was counted", "add draws first")
        rng = np.random.default_rng([self.number, 43])
        return (self._below + rng.random(self.truth.shape) * (self._same + 1)) / (self.number + 1)

    @property
    def centre(self) -> np.ndarray:
        """Mean of the draws."""
        return self._sum / max(self.number, 1)

    @property
    def log_spread(self) -> np.ndarray:
        """Standard deviation of the draws' log(1 + x), of |x| with its sign."""
        variance = (self._squares - self._logs**2 / max(self.number, 1)) / max(self.number - 1, 1)
        return np.sqrt(np.maximum(variance, 0.0))


def design_effect(rank, cluster, bins: int = BINS) -> float:
    """How many times the variance of independent ranks the shares of bins have, on average; at least 1."""
    rank = np.asarray(rank)
    bin_of = np.minimum((rank * bins).astype(int), bins - 1)
    effects = []
    for k in range(bins):
        inside = bin_of == k
        share = inside.mean()
        if 0 < share < 1:
            effects.append(clustered_error(inside, cluster) ** 2 / (share * (1 - share) / len(rank)))
    return float(max(np.nanmean(effects), 1.0)) if effects and np.isfinite(effects).any() else 1.0


def uniformity(rank, cluster, bins: int = BINS) -> dict[str, float]:
    """Tests that ranks are uniform.

    Parameters
    ----------
    rank : (cell,), in (0, 1).
    cluster : label of each cell's corridor or territory.

    Returns
    -------
    dict: ``effective`` (number of independent ranks that these are worth), ``chi2_p`` and ``ecdf_p`` (p values); NaN
    for fewer than two clusters.
    """
    rank = np.asarray(rank, dtype=np.float64)
    counts, number = rank_histogram(rank, bins), len(rank)
    if len(np.unique(cluster)) < 2:
        return {"effective": float("nan"), "chi2_p": float("nan"), "ecdf_p": float("nan")}
    effect = design_effect(rank, cluster, bins)
    effective = number / effect
    statistic = ((counts - number / bins) ** 2).sum() / (number / bins) / effect
    ordered, step = np.sort(rank), np.arange(number + 1) / number
    distance = max((ordered - step[:-1]).max(), (step[1:] - ordered).max())
    return {"effective": effective, "chi2_p": float(chi2.sf(statistic, bins - 1)),
            "ecdf_p": float(kstwo.sf(distance, max(int(effective), 1)))}


def truth_table(quantity: str, counter: RankCounter, cluster, seen: Mapping[str, np.ndarray] | None = None, *,
                sizes: Mapping[str, tuple[float, float]] | None = None, where=None) -> pd.DataFrame:
    """Coverage of the truth, and whether its ranks are uniform, by what was seen and by size of the centre.

    Parameters
    ----------
    quantity : to put into the table.
    counter : that has counted all draws.
    cluster : labels like the truth, or broadcast to it.
    seen : by name, bool arrays like the truth (or broadcast to it); "all" is added.
    sizes : by name, from and below, persons; those of ``coverage.SIZES`` by default. Empty: no sizes.
    where : bool, which cells count; all by default.

    Returns
    -------
    DataFrame with columns ``COLUMNS``: coverage of central intervals by rank, its clustered error, shares of the truth
    ``below`` and ``above`` the 80% interval, ``factor`` exp(2 × 1.96 × median spread of logs), p values, and the share
    of each bin of the rank histogram (a tenth where all is well).
    """
    shape = counter.truth.shape
    where = np.broadcast_to(True if where is None else np.asarray(where, dtype=bool), shape)
    groups = {"all": np.broadcast_to(True, shape), **{k: np.broadcast_to(v, shape) for k, v in (seen or {}).items()}}
    # ranks of a rank's own lot must not depend on which groups are asked for
    rank, centre, spread = counter.ranks(), counter.centre, counter.log_spread
    labels = np.broadcast_to(np.asarray(cluster), shape)
    rows = []
    for name, group in groups.items():
        for size, (low, high) in ({"all": (-np.inf, np.inf)} | dict(SIZES if sizes is None else sizes)).items():
            chosen = where & group & (centre >= low) & (centre < high)
            if chosen.sum() < FEWEST:
                continue
            u, own = rank[chosen], labels[chosen]
            inside = {level: (u > (1 - level) / 2) & (u <= (1 + level) / 2) for level in (0.5, 0.8, 0.95)}
            shares = rank_histogram(u, BINS) / len(u)
            rows.append({"quantity": quantity, "seen": name, "size": size, "n": len(u),
                         "clusters": len(np.unique(own)),
                         **{f"cover{round(100 * level)}": float(x.mean()) for level, x in inside.items()},
                         "error95": clustered_error(inside[0.95], own), "below": float((u <= 0.1).mean()),
                         "above": float((u > 0.9).mean()),
                         "factor": float(np.exp(2 * 1.96 * np.median(spread[chosen]))), **uniformity(u, own),
                         **{f"bin{k}": float(x) for k, x in enumerate(shares, start=1)}})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def judge_truth(draws: Iterable[Mapping[str, np.ndarray]], truth: Mapping[str, np.ndarray],
                seen: Mapping[str, np.ndarray], *, seed: int) -> pd.DataFrame:
    """Flows, stocks, net migration and flows by birthplace of draws against the truth of the simulated world.

    Parameters
    ----------
    draws : one after the other, with ``flow`` (year, origin, destination), ``stock`` (date_year, birthplace, residence)
        and, where it is wanted, ``flow_by_birthplace`` (year, birthplace, origin, destination), persons.
    truth : of the same names.
    seen : by name, bool (origin, destination) or (year, origin, destination), what was seen of corridors.
    seed : of ties and chance.

    Returns
    -------
    DataFrame with columns ``COLUMNS`` of ``flow``, ``stock`` (of the foreign-born), ``stock of natives``,
    ``net migration``, ``arrivals``, ``departures``, ``world`` and ``flow by birthplace``. A row of one cluster (the
    world, whose years are not independent) has no p value.

    Raises
    ------
    SchemaError
        Without a draw, and for shapes that differ.
    """
    kinds = [k for k in ("flow", "stock", "flow_by_birthplace") if k in truth]
    counters = {k: RankCounter(truth[k], seed=seed + n, chance=True) for n, k in enumerate(kinds)}
    made = {"net migration": lambda f: f.sum(1) - f.sum(2), "arrivals": lambda f: f.sum(1),
            "departures": lambda f: f.sum(2), "world": lambda f: f.sum((1, 2))}
    sums = {k: RankCounter(of(np.asarray(truth["flow"], dtype=np.float64)), seed=seed) for k, of in made.items()}
    for draw in draws:
        for k, counter in counters.items():
            counter.add(draw[k])
        for k, of in made.items():
            sums[k].add(of(np.asarray(draw["flow"], dtype=np.float64)))
    n = np.asarray(truth["flow"]).shape[1]
    pair, between = np.arange(n * n).reshape(n, n), ~np.eye(n, dtype=bool)
    tables = [truth_table("flow", counters["flow"], pair, seen, where=between)]
    if "stock" in counters:
        tables += [truth_table("stock", counters["stock"], pair, where=between),
                   truth_table("stock of natives", counters["stock"], pair, where=~between, sizes={})]
    if "flow_by_birthplace" in counters:
        # Corridors with their birthplace are clusters: natives of one place who move between two others.
        own = np.arange(n**3).reshape(n, n, n)
        tables.append(truth_table("flow by birthplace", counters["flow_by_birthplace"], own,
                                  {k: v if np.ndim(v) == 2 else np.asarray(v)[:, None] for k, v in seen.items()},
                                  where=between))
    place = np.arange(n)
    tables += [truth_table(k, counter, 0 if k == "world" else place, sizes={}) for k, counter in sums.items()]
    found = [t for t in tables if len(t)]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=list(COLUMNS))
