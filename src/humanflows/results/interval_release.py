"""All intervals of a release, and the table of what they cover, from what members say: pure functions of arrays."""
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from scipy import sparse

from .coverage import LEVELS, MEMBERS, coverage_table, members_quantiles
from .interval_cells import CORRIDORS, LAST_YEARS, OFFICES, SEEN, Surroundings, what_was_seen
from .interval_evaluation import (
    Judged,
    compare_variants,
    components_of,
    fit_intervals,
    flow_coverage,
    groupings_of,
    judge,
    judge_sums,
    sample_of,
)
from .interval_material import END_NAMES, ENDS, Material, described
from .interval_model import FlowIntervals, as_counts, groups_of
from .interval_net_migration import net_bounds
from .interval_stocks import stock_bounds
from .interval_sums import Components, HeldOutSums, sum_interval


def make_intervals(given: Material, *, workers: int = 1) -> dict[str, xr.Dataset | pd.DataFrame]:
    """Everything at once, by file name.

    Parameters
    ----------
    given : what to make it of.
    workers : processes that judge side by side.
    """
    around = Surroundings(given.panel, given.regions)
    offices = given.cells[~given.cells["platform"]].reset_index(drop=True)
    sample = sample_of(offices, around, given.regions)
    judged = judge(offices, sample, workers=workers)
    components = components_of(judged)
    sums, of_sums = judge_sums(judged, components, given.regions)
    tables = [flow_coverage(judged, given.regions), _members_alone(judged, given.regions), of_sums]
    platform = given.cells[given.cells["platform"]].reset_index(drop=True)
    if len(platform):
        counted = judge(platform, sample_of(platform, around, given.regions), workers=workers)
        tables.append(flow_coverage(counted, given.regions, "counts of a platform"))
    models = {located: fit_intervals(sample, with_location=located) for located in (True, False)}
    flows, sigma = flow_bounds(given, models, around)
    stocks, of_stocks = stock_bounds(given)
    net, of_net = net_bounds(given)
    return {"flow_bounds.nc": flows, "stock_bounds.nc": stocks, "net_migration_bounds.nc": net,
            "sums.csv": sum_table(given, sigma, components, sums),
            "coverage.csv": pd.concat([*tables, of_stocks, of_net], ignore_index=True),
            "variants.csv": compare_variants(offices, sample, given.regions)}


def _members_alone(judged: Judged, regions: Sequence[str]) -> pd.DataFrame:
    cells = judged.cells
    quantiles = members_quantiles(cells["log_mean"], cells["spread"], LEVELS)
    groupings = {k: v for k, v in groupings_of(cells, regions).items() if k in ("all", "seen", "size")}
    cluster = cells["origin"].astype(str) + "-" + cells["destination"].astype(str)
    return coverage_table(quantiles, cells["observed"], judged.jitter, groupings, quantity="flow", method=MEMBERS,
                          kind=cells["kind"].to_numpy(), cluster=cluster.to_numpy())


def flow_bounds(given: Material, models: Mapping[bool, FlowIntervals], around: Surroundings,
                ) -> tuple[xr.Dataset, np.ndarray]:
    """Ends of the 95% and the 80% interval of every corridor and year, and the difficulty σ.

    The quantiles are those of the class of what the release saw: with no report of the corridor those of held-out
    corridors, else those of held-out offices. Where neither office reports anything, the interval reaches over both;
    in years after the last report of any office it reaches over those of the last years as well. No end exceeds the
    residents of the origin; the estimate always lies inside.

    Parameters
    ----------
    given : what the release is made of.
    models : with a learned median (True), for corridors without any report, and without (False), for the others.
    around : surroundings of every corridor and year.

    Returns
    -------
    Dataset: ``flow, flow_lower, flow_upper, flow_lower_80, flow_upper_80`` (year, origin, destination) float32,
    persons; ``seen`` int8. And σ, float32 array of that shape.
    """
    panel, saw = given.panel, what_was_seen(given.panel)
    years, n = panel.sizes["year"], panel.sizes["origin"]
    pairs = np.nonzero(~np.eye(n, dtype=bool))
    ends = {name: np.zeros(given.flow.shape, dtype=np.float32) for name in END_NAMES}
    sigma = np.zeros(given.flow.shape, dtype=np.float32)
    residents = panel["population"].transpose("date_year", "residence").values[:-1]
    last = int(np.flatnonzero((saw.gap_office == 0).any((1, 2))).max(initial=-1))
    for t in range(years):
        here = (np.full(len(pairs[0]), t), *pairs)
        seen = {k: getattr(saw, k)[here] for k in ("seen", "gap", "gap_office", "gap_meta", "offices")}
        features = around.features(*here, given.flow[here], given.spread[here], seen)
        kind = np.where(seen["seen"] == 2, CORRIDORS, OFFICES)
        cells = pd.DataFrame({"kind": kind, "seen": seen["seen"], "estimate": given.flow[here], "origin": pairs[0],
                              "destination": pairs[1]})
        others = [cells.assign(kind=np.where(seen["seen"] == 3, CORRIDORS, kind))]
        if t > last:
            others.append(cells.assign(kind=LAST_YEARS))
        groupings = [groups_of(c, given.regions) for c in (cells, *others)]
        found, difficulty = np.empty((len(cells), len(ENDS))), np.empty(len(cells))
        for located, model in models.items():
            own = (kind == CORRIDORS) == located
            if own.any():
                found[own], _, difficulty[own] = model.predict(
                    given.flow[here][own], features[own], [{k: v[own] for k, v in g.items()} for g in groupings], ENDS)
        found = np.minimum(np.expm1(as_counts(found)), residents[t, pairs[0]][:, None])
        sigma[here] = difficulty
        for k, name in enumerate(END_NAMES):
            inside = np.minimum if name.startswith("lower") else np.maximum
            ends[name][here] = inside(found[:, k], given.flow[here])
    dims = ("year", "origin", "destination")
    data = xr.Dataset({"flow": (dims, given.flow.astype(np.float32)),
                       **{f"flow_{name}": (dims, values) for name, values in ends.items()},
                       "seen": (dims, saw.seen)}, coords={d: panel[d].values for d in dims})
    return described(data, "flow", "what an office that was not read would report, by residence", SEEN), sigma


def sum_table(given: Material, sigma: np.ndarray, components: dict[str, Components], sums: pd.DataFrame,
              draws: int = 200) -> pd.DataFrame:
    """Totals by year with 80% and 95% intervals: of the world, between regions, and into and out of each territory.

    Errors are shared as between offices that were held out, and stretched as their totals had to be.
    """
    regions, names = np.unique(given.regions, return_inverse=True)
    panel, n = given.panel, given.panel.sizes["origin"]
    origin, destination = np.nonzero(~np.eye(n, dtype=bool))
    codes = panel["origin"].values.astype(str)
    cell = np.arange(len(origin))
    pair = names[origin] * len(regions) + names[destination]
    labels = pd.DataFrame([("world", "World", "World")]
                          + [("between regions", a, b) for a in regions for b in regions]
                          + [("out of", c, "World") for c in codes] + [("into", "World", c) for c in codes],
                          columns=["total", "origin", "destination"])
    first = 1 + len(regions) ** 2
    rows = np.concatenate([np.zeros_like(cell), 1 + pair, first + origin, first + n + destination])
    into = sparse.csr_matrix((np.ones(4 * len(cell)), (rows, np.tile(cell, 4))), shape=(len(labels), len(cell)))
    kind = OFFICES if OFFICES in components else next(iter(components))
    stretch = HeldOutSums().fit(sums).stretch(kind, ENDS) if len(sums) else None
    tables = []
    for t, year in enumerate(panel["year"].values):
        members = given.members_of_year(t)[:, origin, destination]
        ends = sum_interval(members, sigma[t, origin, destination],
                            {"destination": destination, "origin": origin}, components[kind], ENDS, into=into,
                            stretch=stretch, draws=draws, seed=t)
        persons = into @ given.flow[t, origin, destination].astype(np.float64)
        ends[:, :2] = np.minimum(ends[:, :2], persons[:, None])
        ends[:, 2:] = np.maximum(ends[:, 2:], persons[:, None])
        tables.append(labels.assign(year=int(year), persons=persons, **dict(zip(END_NAMES, ends.T))))
    table = pd.concat(tables, ignore_index=True)
    return table[(table["persons"] > 0) | (table["upper"] > 0)].reset_index(drop=True)
