"""Intervals judged on what neither members nor the calibration ever saw: nested by corridor, office and territory.

Members never saw a cell's report; here the intervals of a cell come from cells of other folds of corridors, or of other
groups of offices, as well. Corridors of the last years are judged by intervals learned from other corridors.
"""
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from ..errors import SchemaError
from ..panel.hidden_years import LONGEST
from .coverage import COLUMNS, LEVELS, OWN, coverage_table
from .interval_cells import CATEGORIES, OFFICES, SEEN, YEARS, Surroundings
from .interval_model import SIZE_NAMES, FlowIntervals, groups_of, jittered, size_class
from .interval_sums import Components, HeldOutSums, held_out_sums, variance_components
from .interval_variants import Sample, variants

FEWEST_CELLS = 30      # of a group in a table: of fewer, coverage says nothing


@dataclass(frozen=True)
class Judged:
    """Cells with intervals that were made without them: quantiles of log(1 + x) (cell, len(LEVELS)), median error and
    difficulty (cell,)."""

    cells: pd.DataFrame
    jitter: np.ndarray
    log_quantiles: np.ndarray
    middle: np.ndarray
    sigma: np.ndarray


def sample_of(cells: pd.DataFrame, surroundings: Surroundings, regions: Sequence[str]) -> Sample:
    """Arrays of a table of cells, with features, groups, clusters and series."""
    corridor = (cells["origin"].astype(str) + "-" + cells["destination"].astype(str)).to_numpy().astype(str)
    office = cells["reporter"].to_numpy().astype(str)
    series = np.char.add(np.char.add(cells["kind"].to_numpy().astype(str), office),
                         np.char.add(cells["side"].to_numpy().astype(str), corridor))
    return Sample(*(cells[k].to_numpy(dtype=np.float64) for k in ("observed", "estimate", "log_mean", "spread")),
                  surroundings.features_of(cells), groups_of(cells, regions),
                  np.where(cells["kind"].to_numpy() == OFFICES, office, corridor), series)


def splits_of(cells: pd.DataFrame) -> list[tuple[np.ndarray, np.ndarray]]:
    """Which cells to learn from and which to judge, bool arrays, so that each cell is judged once at most.

    Cells of a held-out office are judged by those of other groups of offices, all others by those of other folds of
    corridors, whatever their kind.
    """
    of_office = cells["kind"].to_numpy() == OFFICES
    out = []
    for column, judged in (("fold", ~of_office), ("group", of_office)):
        label = cells[column].to_numpy()
        for part in np.unique(label[judged]):
            train, test = label != part, (label == part) & judged
            if part and test.any() and train.any():
                out.append((train, test))
    return out


def fit_intervals(sample: Sample, *, with_location: bool) -> FlowIntervals:
    """The model of intervals, learned from a sample.

    The median of errors is learned where it makes intervals sharper: for corridors that were held out, for the last
    years, and, from how far estimates lay off in the years beside, for years that were held out and reports that were
    read. What trees learn of the offices that there are does not carry over to an office that nobody read: there it
    made them worse, and errors are taken to lie around the estimate (``variants.csv`` has both).
    """
    return FlowIntervals(with_location, categories=CATEGORIES).fit(
        sample.observed, sample.estimate, sample.features, sample.groups, sample.cluster, sample.series)


def judge(cells: pd.DataFrame, sample: Sample, *, workers: int = 1, levels: Sequence[float] = LEVELS) -> Judged:
    """Intervals of every cell by a model that did not learn from its corridor, or its office.

    Raises
    ------
    SchemaError
        When there are too few corridors and offices.
    """
    def one(train, test):
        own, other = sample.take(train), sample.take(test)
        around_estimate = (cells["kind"].to_numpy()[test] == OFFICES).all()
        model = fit_intervals(own, with_location=not around_estimate)
        return model.predict(other.estimate, other.features, [other.groups], levels)

    every = [(train, test) for train, test in splits_of(cells) if len(np.unique(sample.cluster[train])) > 1]
    if not every:
        raise SchemaError("intervals", f"{len(cells)} cells, of too few corridors and offices to judge any by others",
                          "train members of a larger world")
    found = Parallel(n_jobs=workers)(delayed(one)(train, test) for train, test in every)
    at = np.concatenate([np.flatnonzero(test) for _, test in every])
    order = np.argsort(at)
    joined = [np.concatenate([f[k] for f in found])[order] for k in range(3)]
    at = at[order]
    return Judged(cells.iloc[at].reset_index(drop=True), jittered(sample.observed)[at], *joined)


def judge_others(years: tuple[pd.DataFrame, Sample], offices: tuple[pd.DataFrame, Sample],
                 regions: Sequence[str]) -> Judged | None:
    """What the intervals for offices that are read would say of offices that were not: they promise less than that.

    Parameters
    ----------
    years, offices : cells, and samples of them, of held-out years and of held-out offices; of these, those count whose
        corridor another office reports within the distance that hidden years have.
    regions : of each territory.

    Returns
    -------
    Judged: cells of each group of offices, by intervals that were learned from offices of the other groups; None where
    there are none.
    """
    cells, sample = offices
    parts = []
    for part in np.unique(cells["group"]):
        train = years[0]["group"].to_numpy() != part
        test = (cells["group"].to_numpy() == part) & (cells["gap"].to_numpy() <= LONGEST)
        if part and test.any() and len(np.unique(years[1].cluster[train])) > 1:
            own = sample.take(test)
            model = fit_intervals(years[1].take(train), with_location=True)
            groups = groups_of(cells[test].assign(kind=YEARS), regions)
            parts.append((np.flatnonzero(test), *model.predict(own.estimate, own.features, [groups], LEVELS)))
    if not parts:
        return None
    at, *found = (np.concatenate(p) for p in zip(*parts))
    return Judged(cells.iloc[at].reset_index(drop=True), jittered(sample.observed)[at], *found)


def groupings_of(cells: pd.DataFrame, regions: Sequence[str]) -> dict[str, np.ndarray]:
    """Groups by which coverage is told: names, not positions."""
    regions = np.asarray(regions, dtype=str)
    return {"all": np.full(len(cells), "all"), "side": cells["side"].to_numpy().astype(str),
            "seen": np.asarray(SEEN)[cells["seen"].to_numpy()],
            "size": np.asarray(SIZE_NAMES)[size_class(cells["estimate"])],
            "region of origin": regions[cells["origin"].to_numpy()],
            "region of destination": regions[cells["destination"].to_numpy()]}


def flow_coverage(judged: Judged, regions: Sequence[str], quantity: str = "flow", method: str = OWN) -> pd.DataFrame:
    """Coverage of flows by group: see :func:`humanflows.results.coverage.coverage_table`."""
    cells = judged.cells
    cluster = cells["origin"].astype(str) + "-" + cells["destination"].astype(str)
    table = coverage_table(judged.log_quantiles, cells["observed"], judged.jitter, groupings_of(cells, regions),
                           quantity=quantity, kind=cells["kind"].to_numpy(), cluster=cluster.to_numpy(), method=method)
    return table[table["n"] >= FEWEST_CELLS].reset_index(drop=True)


def compare_variants(cells: pd.DataFrame, sample: Sample, regions: Sequence[str], *,
                     ways: Mapping[str, Callable] | None = None) -> pd.DataFrame:
    """Coverage and CRPS of every way to make intervals, on one fold of corridors and one group of offices.

    Columns of :func:`humanflows.results.coverage.coverage_table`; groups by all, size and regions.
    """
    every, tables = splits_of(cells), []
    of_office = cells["kind"].to_numpy() == OFFICES
    chosen = [next((s for s in every if of_office[s[1]].all() == k), None) for k in (False, True)]
    jitter = jittered(sample.observed)
    for train, test in filter(None, chosen):
        own = cells[test]
        groupings = {k: v for k, v in groupings_of(own, regions).items() if k != "side"}
        cluster = (own["origin"].astype(str) + "-" + own["destination"].astype(str)).to_numpy()
        for name, make in (ways or variants(CATEGORIES)).items():
            tables.append(coverage_table(make(sample.take(train), sample.take(test)), own["observed"], jitter[test],
                                         groupings, quantity="flow", kind=own["kind"].to_numpy(), cluster=cluster,
                                         method=name))
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(COLUMNS))
    return table[table["n"] >= FEWEST_CELLS].reset_index(drop=True)


def components_of(judged: Judged) -> dict[str, Components]:
    """Variance components of the scores of each kind of cells; the outermost scores are cut."""
    cells, score = judged.cells, (judged.jitter - np.log1p(judged.cells["estimate"]) - judged.middle) / judged.sigma
    out = {}
    for kind, at in cells.groupby("kind").indices.items():
        own = cells.iloc[at]
        office = own["reporter"] + own["side"]
        z = score.to_numpy()[at]
        out[kind] = variance_components(np.clip(z, *np.quantile(z, [0.005, 0.995])), office, own["year"],
                                        office + own["origin"].astype(str) + "-" + own["destination"].astype(str))
    return out


def judge_sums(judged: Judged, components: Mapping[str, Components], regions: Sequence[str],
               ) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Totals that were held out, and their coverage by intervals stretched on other offices or folds.

    Returns
    -------
    sums : see :func:`humanflows.results.interval_sums.held_out_sums`.
    table : see :func:`humanflows.results.coverage.coverage_table`, quantity "sums".
    """
    sums = held_out_sums(judged.cells, judged.sigma, components, regions)
    if sums.empty:
        return sums, pd.DataFrame(columns=list(COLUMNS))
    tables, parts = [], sums["part"].to_numpy()
    quantiles = np.full((len(sums), len(LEVELS)), np.nan)
    of_office = sums["kind"].to_numpy() == OFFICES
    for judged_kind in (of_office, ~of_office):
        for part in np.unique(parts[judged_kind]):
            test = judged_kind & (parts == part)
            train = judged_kind & (parts != part)
            if train.any():
                quantiles[test] = HeldOutSums().fit(sums[train]).log_quantiles(sums[test], LEVELS)
    known = np.isfinite(quantiles).all(1)
    if known.any():
        own = sums[known]
        tables.append(coverage_table(quantiles[known], own["observed"], np.log1p(own["observed"]),
                                     {"all": np.full(len(own), "all"), "side": own["side"].to_numpy()},
                                     quantity="sums", kind=own["kind"].to_numpy(), cluster=own["label"].to_numpy()))
    return sums, pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(COLUMNS))
