"""Intervals of net migration and stocks.

Net migration has a sign, so its errors are taken in persons and divided by a scale that turnover and population tell.
Two classes are kept apart: territories whose net migration was read, where what remains is what UN WPP and national
statistics differ by, and those of which nothing was read. Stocks are counts and go the way of flows
(:class:`humanflows.results.interval_model.FlowIntervals`); what counts is whether the very year was counted, another
one, or none.
"""
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import norm

from ..errors import SchemaError
from .interval_cells import NEVER
from .interval_model import GroupQuantiles

READ, NOT_READ = "read", "not read"
APART = 2       # years: errors of neighbouring years are alike
COUNTED, BETWEEN, NEVER_COUNTED = STOCK_CLASSES = ("counted", "between counts", "never counted")


@dataclass
class SignedIntervals:
    """Quantiles of errors in persons: their scale, a product of powers of what is known, times quantiles by group.

    log(|error| + 1) is regressed on logs of the features, class by class of the first grouping; what is left over is
    taken care of by the quantiles, asymmetric, by overlapping groups.
    """

    def fit(self, error, features, groups: Mapping[str, np.ndarray]) -> "SignedIntervals":
        """Learn from errors (cell,), persons; features (cell, feature), logs; and labels by grouping."""
        error, features = np.asarray(error, dtype=np.float64), np.asarray(features, dtype=np.float64)
        if not len(error) or not np.isfinite(error).all() or not np.isfinite(features).all():
            raise SchemaError("intervals", f"{len(error)} errors, or a value that is not finite", "drop such cells")
        classes = np.asarray(next(iter(groups.values()))).astype(str)
        design = np.column_stack([np.ones(len(error)), features])
        self._slopes = {c: np.linalg.lstsq(design[classes == c], np.log1p(np.abs(error[classes == c])), rcond=None)[0]
                        for c in np.unique(classes)}
        self._names = list(groups)
        self._quantiles = GroupQuantiles().fit(error / self.scale(features, groups), groups)
        return self

    def scale(self, features, groups) -> np.ndarray:
        """Typical size of an error, persons, (cell,)."""
        classes = np.asarray(groups[self._names[0]]).astype(str)
        design = np.column_stack([np.ones(len(classes)), np.asarray(features, dtype=np.float64)])
        if unknown := sorted(set(classes) - set(self._slopes)):
            raise SchemaError("intervals", f"no cell of class {unknown[0]!r} was learned from", "fit with some",
                              unknown[0])
        slopes = np.stack([self._slopes[c] for c in classes]) if len(classes) else np.empty_like(design)
        return np.maximum(np.expm1(np.minimum((design * slopes).sum(1), 25.0)), 1.0)

    def quantiles(self, estimate, features, groups, levels: Sequence[float]) -> np.ndarray:
        """Quantiles in persons, (cell, level), rising."""
        z = self._quantiles.predict(groups, levels)
        return np.asarray(estimate, dtype=np.float64)[:, None] + self.scale(features, groups)[:, None] * z


def normal_quantiles(mean, std, levels: Sequence[float]) -> np.ndarray:
    """Quantiles (cell, level) of a normal distribution that a peer publishes as mean and standard deviation."""
    return np.asarray(mean, dtype=np.float64)[:, None] + np.asarray(std, dtype=np.float64)[:, None] * norm.ppf(levels)


FEATURES = ("turnover", "population", "fled", "misfit")


def net_features(flow: np.ndarray, panel: xr.Dataset, *, read: bool) -> np.ndarray:
    """What tells the size of an error of net migration: logs of persons, (year, residence, len(FEATURES)).

    Turnover (inflow and outflow), population, new refugees into and out of the territory; and, where UN WPP was read,
    the mean distance between estimate and WPP in years further than ``APART`` from the one in question (0 otherwise):
    where accounts do not meet the figure in other years, they do not in this one.

    Parameters
    ----------
    flow : (year, origin, destination), persons.
    panel : with population, refugees and net migration.
    read : whether net migration was read.
    """
    flow = np.asarray(flow)
    into, out_of = flow.sum(1, dtype=np.float64), flow.sum(2, dtype=np.float64)
    population = panel["population"].transpose("date_year", "residence").values[:-1].astype(np.float64)
    fled, misfit = np.zeros_like(into), np.zeros_like(into)
    if "displaced_flow" in panel:
        moved = np.nan_to_num(panel["displaced_flow"].transpose("year", "origin", "destination").values)
        fled = moved.sum(1, dtype=np.float64) + moved.sum(2, dtype=np.float64)
    if read:
        away = np.abs(into - out_of - panel["net_migration"].transpose("year", "residence").values)
        year = np.arange(len(away))
        other = (np.abs(year[:, None] - year) > APART).astype(np.float64)
        told = np.isfinite(away).astype(np.float64)
        misfit = (other @ np.nan_to_num(away)) / np.maximum(other @ told, 1.0)
    return np.log1p(np.stack([into + out_of, population, fled, misfit], axis=-1))


def net_cells(net: np.ndarray, features: np.ndarray, panel: xr.Dataset, regions: Sequence[str], kind: str,
              places: np.ndarray | None = None) -> pd.DataFrame:
    """Net migration beside UN WPP and national statistics.

    Where it was read, national statistics less UN WPP is an error of its own kind (``target`` "national less wpp"):
    the estimate met one of the two and would have met the other.

    Parameters
    ----------
    net : (year, residence), persons, estimate; features : of :func:`net_features`.
    kind : ``READ`` or ``NOT_READ``; places : bool (residence,), those that are of the kind, all by default.

    Returns
    -------
    DataFrame: kind, target ("wpp", "national", "national less wpp"), year, place (positions), region, observed,
    estimate (persons), and ``FEATURES`` (logs).
    """
    shape = net.shape
    inside = np.broadcast_to(np.ones(shape[1], dtype=bool) if places is None else places, shape)
    wpp, national = (panel[k].transpose("year", "residence").values for k in ("net_migration",
                                                                            "net_migration_national"))
    targets = {"wpp": (wpp, net), "national": (national, net)}
    if kind == READ:
        targets["national less wpp"] = (national, wpp)
    parts = []
    for name, (observed, estimate) in targets.items():
        t, j = np.nonzero(inside & np.isfinite(observed) & np.isfinite(estimate))
        parts.append(pd.DataFrame({"kind": kind, "target": name, "year": t, "place": j,
                                   "region": np.asarray(regions, dtype=str)[j], "observed": observed[t, j],
                                   "estimate": estimate[t, j], **dict(zip(FEATURES, features[t, j].T))}))
    return pd.concat(parts, ignore_index=True)


def net_groups(cells: pd.DataFrame) -> dict[str, np.ndarray]:
    """Groupings of net migration's cells: kind; kind and region; kind and size of the population."""
    kind = cells["kind"].to_numpy().astype(str)
    size = np.digitize(np.expm1(cells["population"]), [1e6, 1e7]).astype(str)
    return {"kind": kind, "region": np.char.add(kind, cells["region"].to_numpy().astype(str)),
            "size": np.char.add(kind, size)}


def years_to_counts(panel: xr.Dataset, seen: np.ndarray | None = None) -> np.ndarray:
    """Years from each 1 January to the nearest count of the stock that any revision has, int8 (date_year, birthplace,
    residence); ``NEVER`` without one. A count is of mid-year: both 1 Januaries around it have 0.

    Parameters
    ----------
    seen : bool (stock_year,), counts that may be used; all by default.
    """
    table = panel["stock_observed"].transpose("revision", "stock_year", "birthplace", "residence").values
    counted = np.isfinite(table).any(0)
    counted &= (np.ones(len(counted), dtype=bool) if seen is None else seen)[:, None, None]
    dates, years = panel["date_year"].values, panel["stock_year"].values
    out = np.full((len(dates), *counted.shape[1:]), NEVER, dtype=np.int8)
    for k, year in enumerate(years):
        away = np.abs(dates - (year + 0.5)) - 0.5
        near = np.minimum(away, NEVER).astype(np.int8)[:, None, None]
        out = np.where(counted[k], np.minimum(out, near), out)
    return out


def stock_cells(stock: np.ndarray, spread: np.ndarray, panel: xr.Dataset, kind: str, *,
                blind_from: int | None = None) -> pd.DataFrame:
    """Counts of the foreign-born beside estimates of them (the mean of the two 1 Januaries around mid-year).

    Parameters
    ----------
    stock : (date_year, birthplace, residence), persons; ``spread`` of the members' log(1 + x), the same.
    kind : what to call the cells.
    blind_from : counts from this year on were not seen, and they alone are cells; by default all were, and are.

    Returns
    -------
    DataFrame: kind, revision, year (calendar), birthplace, residence (positions), observed, estimate, spread, gap
    (years to the nearest count that was seen).
    """
    table = panel["stock_observed"].transpose("revision", "stock_year", "birthplace", "residence").values
    years, dates = panel["stock_year"].values, panel["date_year"].values
    seen = np.ones(len(years), dtype=bool) if blind_from is None else years < blind_from
    gap = years_to_counts(panel, seen)
    between = ~np.eye(table.shape[-1], dtype=bool)
    parts = []
    for k, year in enumerate(years):
        if (blind_from is not None and seen[k]) or year not in dates or year + 1 not in dates:
            continue
        at = int(np.flatnonzero(dates == year)[0])
        middle, wide = ((x[at].astype(np.float64) + x[at + 1]) / 2 for x in (stock, spread))
        for r, revision in enumerate(panel["revision"].values):
            i, j = np.nonzero(np.isfinite(table[r, k]) & between)
            parts.append(pd.DataFrame({
                "kind": kind, "revision": int(revision), "year": int(year), "birthplace": i, "residence": j,
                "observed": table[r, k, i, j].astype(np.float64), "estimate": middle[i, j], "spread": wide[i, j],
                "gap": gap[at, i, j]}))
    columns = ["kind", "revision", "year", "birthplace", "residence", "observed", "estimate", "spread", "gap"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
