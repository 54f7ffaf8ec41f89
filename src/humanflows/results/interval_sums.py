"""Intervals of sums: a region's interval is not the sum of its corridors'.

Errors of corridors are partly shared. What one office counts, and how, is common to all of its corridors; the rest is
of each corridor. How much is which is estimated by moments from cells that members never saw, and totals are simulated
with it on top of the members' own paths. Totals that were held out (of an office that nobody read; of unseen corridors
between two regions) then say how far the simulated spread has to be stretched, as any interval here.
"""
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from scipy import sparse

from ..errors import SchemaError
from .interval_cells import OFFICES
from .interval_model import GroupQuantiles

DRAWS = 400
_AT_ONCE = 4_000_000      # cells times draws in memory
MOST_LOG_SD = 2.0    # of one cell's noise: beyond, the mean of a log-normal is made of draws that nobody would believe


@dataclass(frozen=True)
class Components:
    """Variances of scores (error / σ): shared by an office, by an office in one year, by a series of years, and the
    rest. Numbers, or arrays (cell,) where cells differ."""

    office: float | np.ndarray
    office_year: float | np.ndarray
    series: float | np.ndarray
    rest: float | np.ndarray

    @property
    def shared(self) -> float | np.ndarray:
        """What corridors of one office have in common in one year."""
        return self.office + self.office_year

    @property
    def own(self) -> float | np.ndarray:
        """What they do not have in common."""
        return self.series + self.rest

    def where(self, chosen: np.ndarray, other: "Components") -> "Components":
        """These components in the cells that are chosen, bool (cell,), and others in the rest."""
        return Components(*(np.where(chosen, getattr(self, f.name), getattr(other, f.name)) for f in fields(self)))


def variance_components(score, office, year, series) -> Components:
    """Variance components of crossed random effects, by moments of pairs [1]_.

    Two cells of one office share its effect; of one office and year that year's as well; of one series (office and
    corridor) the series'. Mean products over pairs of each kind, less the smaller ones, are the components; negative
    ones are zero.

    Parameters
    ----------
    score : errors divided by their difficulty, (cell,); each series has one cell a year.
    office, year, series : labels, (cell,).

    References
    ----------
    .. [1] Gao & Owen (2017), Efficient moment calculations for variance components in large unbalanced crossed random
       effects models, Electronic Journal of Statistics 11, 1235–1296.
    """
    z = np.asarray(score, dtype=np.float64)
    z = z - z.mean()
    codes = {"office": pd.factorize(np.asarray(office))[0], "series": pd.factorize(np.asarray(series))[0],
             "year": pd.factorize(np.asarray(year))[0]}
    if not len(z) or any(len(c) != len(z) for c in codes.values()):
        raise SchemaError("intervals", f"{len(z)} scores beside labels of other length", "give one of each per cell")
    codes["office_year"] = codes["office"].astype(np.int64) * (codes["year"].max() + 1) + codes["year"]
    pairs = {k: _products(z, codes[k]) for k in ("office", "office_year", "series")}
    other = tuple(pairs["office"][k] - pairs["office_year"][k] - pairs["series"][k] for k in (0, 1))

    def mean(pair):
        return pair[0] / pair[1] if pair[1] > 0 else 0.0

    shared = max(mean(other), 0.0)
    by_year, by_series = (max(mean(pairs[k]) - shared, 0.0) for k in ("office_year", "series"))
    total = float((z**2).mean())
    found = np.array([shared, by_year, by_series])
    found *= min(1.0, total / found.sum()) if found.sum() > 0 else 1.0
    return Components(*map(float, found), rest=float(max(total - found.sum(), 0.0)))


def _products(z, code) -> tuple[float, float]:
    """Sum of products over ordered pairs of different cells with one label, and the number of such pairs."""
    _, code = np.unique(code, return_inverse=True)
    total, square, number = np.bincount(code, z), np.bincount(code, z**2), np.bincount(code)
    return float((total**2 - square).sum()), float((number.astype(np.float64)**2 - number).sum())


def simulate_totals(members, sigma, groups: Mapping[str, np.ndarray], components: Components, into=None, *,
                    draws: int = DRAWS, seed: int = 0) -> np.ndarray:
    """Draw totals of flows of one year.

    Each draw takes one member's flows, looks from one side (``groups``: a flow is told by its destination's office or
    by its origin's), and multiplies every flow by a log-normal of mean one, shared within a group as ``components``
    have it.

    Parameters
    ----------
    members : persons, (member, cell).
    sigma : difficulty of each cell, (cell,).
    groups : by name of a side, labels of offices, (cell,).
    into : sparse or dense (total, cell), which cells each total adds up; one total of all by default.

    Returns
    -------
    array (draw, total), persons.
    """
    members, sigma = np.atleast_2d(np.asarray(members, dtype=np.float64)), np.asarray(sigma, dtype=np.float64)
    cells = members.shape[1]
    if sigma.shape != (cells,) or not groups or any(len(v) != cells for v in groups.values()):
        raise SchemaError("intervals", f"{cells} cells, sigma {sigma.shape}, {len(groups)} groupings",
                          "give one σ, and one label of each grouping, for every cell")
    into = sparse.csr_matrix(np.ones((1, cells)) if into is None else into)
    if into.shape[1] != cells:
        raise SchemaError("intervals", f"totals of {into.shape[1]} cells beside {cells}", "make them of the same cells")
    codes = [np.unique(v, return_inverse=True)[1] for v in groups.values()]
    rng = np.random.default_rng([seed, 11])
    total = np.maximum(components.shared + components.own, 1e-12)
    # A cell whose noise is cut keeps the proportions of what it shares.
    scale = np.minimum(sigma * np.sqrt(total), MOST_LOG_SD) / np.sqrt(total)
    centre = scale**2 * total / 2
    out, step = np.empty((draws, into.shape[0])), max(1, _AT_ONCE // max(cells, 1))
    for first in range(0, draws, step):
        some = range(first, min(first + step, draws))
        side = rng.integers(len(codes), size=len(some))
        noise = rng.standard_normal((len(some), cells)) * np.sqrt(components.own)
        for k, code in enumerate(codes):
            effect = rng.standard_normal((len(some), code.max(initial=0) + 1))
            noise[side == k] += effect[side == k][:, code] * np.sqrt(components.shared)
        noise *= scale
        noise -= centre
        np.exp(noise, out=noise)
        noise *= members[rng.integers(len(members), size=len(some))]
        out[first:some.stop] = (into @ noise.T).T
    return out


def log_spread(draws: np.ndarray) -> np.ndarray:
    """Standard deviation of log(1 + total) over draws (draw, total); at least a thousandth."""
    return np.maximum(np.log1p(draws).std(0, ddof=1), 1e-3)


def sum_interval(members, sigma, groups, components: Components, levels: Sequence[float], *, into=None, stretch=None,
                 draws: int = DRAWS, seed: int = 0) -> np.ndarray:
    """Quantiles of totals, persons, (total, level), rising and never negative.

    Parameters
    ----------
    members, sigma, groups, components, into, draws, seed : as for :func:`simulate_totals`.
    levels : of the quantiles.
    stretch : (level,) quantiles of held-out totals' errors in units of the simulated spread (:class:`HeldOutSums`);
        without them the draws' own quantiles are given.
    """
    drawn = simulate_totals(members, sigma, groups, components, into, draws=draws, seed=seed)
    if stretch is None:
        return np.quantile(drawn, np.asarray(levels), axis=0).T
    into = sparse.csr_matrix(np.ones((1, len(sigma))) if into is None else into)
    centre = np.log1p(into @ np.atleast_2d(members).mean(0))
    return np.expm1(np.maximum(centre[:, None] + log_spread(drawn)[:, None] * np.asarray(stretch), 0.0))


def held_out_sums(cells: pd.DataFrame, sigma, components: Mapping[str, Components], regions: Sequence[str], *,
                  fewest: int = 10, draws: int = 200, seed: int = 0) -> pd.DataFrame:
    """Totals of cells that members never saw, their estimates and simulated spread.

    Of offices that were held out: all that one reports in a year, from one side. Otherwise: what is reported in a year,
    from one side, of one fold's corridors between two regions.

    Parameters
    ----------
    cells : as :func:`humanflows.results.interval_cells.build_cells` makes them, with ``fold`` and ``group``.
    sigma : difficulty of each cell, by trees that did not learn from it.
    components : by kind.
    regions : of each territory.
    fewest : cells of a total.

    Returns
    -------
    DataFrame: kind, part (fold or group), label, year, cells, observed, estimate (persons), spread (of log(1 + total)).
    """
    regions = np.asarray(regions, dtype=str)
    cells = cells.assign(sigma=np.asarray(sigma), office=cells["reporter"] + cells["side"])
    between = np.char.add(np.char.add(regions[cells["origin"]], " to "), regions[cells["destination"]])
    of_office = cells["kind"].to_numpy() == OFFICES
    cells["part"] = np.where(of_office, cells["group"], cells["fold"])
    cells["label"] = np.where(of_office, cells["office"], between)
    rows = []
    for (kind, part, label, side, year), own in cells.groupby(["kind", "part", "label", "side", "year"], sort=True):
        if len(own) >= fewest:
            drawn = simulate_totals(own["estimate"], own["sigma"], {"office": own["office"].to_numpy()},
                                    components[kind], draws=draws, seed=seed)
            rows.append({"kind": kind, "part": part, "label": label, "side": side, "year": year, "cells": len(own),
                         "observed": own["observed"].sum(), "estimate": own["estimate"].sum(),
                         "spread": float(log_spread(drawn)[0])})
    return pd.DataFrame(rows, columns=[
        "kind", "part", "label", "side", "year", "cells", "observed", "estimate", "spread"])


@dataclass
class HeldOutSums:
    """How far simulated spreads have to be stretched for totals to be covered: quantiles of errors / spread by kind."""

    shrinkage: float = 20.0

    def fit(self, sums: pd.DataFrame) -> "HeldOutSums":
        """Learn from totals as :func:`held_out_sums` makes them."""
        score = (np.log1p(sums["observed"]) - np.log1p(sums["estimate"])) / sums["spread"]
        self._quantiles = GroupQuantiles(shrinkage=self.shrinkage).fit(score, {"kind": sums["kind"].to_numpy()})
        return self

    def stretch(self, kind: str, levels: Sequence[float]) -> np.ndarray:
        """Quantiles of errors in units of the simulated spread, (level,)."""
        return self._quantiles.predict({"kind": np.array([kind])}, levels)[0]

    def log_quantiles(self, sums: pd.DataFrame, levels: Sequence[float]) -> np.ndarray:
        """Quantiles of log(1 + total), (total, level)."""
        q = self._quantiles.predict({"kind": sums["kind"].to_numpy()}, levels)
        return np.log1p(sums["estimate"].to_numpy())[:, None] + sums["spread"].to_numpy()[:, None] * q
