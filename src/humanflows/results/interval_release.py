"""All intervals of a release, and the table of what they cover, from what members say: pure functions of arrays."""
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from scipy import sparse

from .coverage import LEVELS, MEMBERS, coverage_table, members_quantiles
from .interval_cells import (
    CORRIDORS,
    OFFICES,
    SEEN,
    YEARS,
    Surroundings,
    what_was_seen,
    years_to_others,
)
from .interval_evaluation import (
    Judged,
    compare_variants,
    components_of,
    fit_intervals,
    flow_coverage,
    groupings_of,
    judge,
    judge_others,
    judge_sums,
    sample_of,
)
from .interval_flows import Published
from .interval_material import END_NAMES, ENDS, Material, described
from .interval_model import FlowIntervals
from .interval_net_migration import net_bounds
from .interval_stocks import stock_bounds
from .interval_sums import Components, HeldOutSums, sum_interval
from .interval_variants import Sample

AS_READ = "intervals for offices that are read"


def make_intervals(given: Material, *, workers: int = 1) -> dict[str, xr.Dataset | pd.DataFrame]:
    """Everything at once, by file name.

    Of held-out years those count in which nobody else's report of the corridor was seen either: what the other
    country's office says is no second look at what the hidden one says.

    Parameters
    ----------
    given : what to make it of.
    workers : processes that judge side by side.
    """
    around = Surroundings(given.panel, given.regions)
    kind, of_platform = given.cells["kind"].to_numpy(), given.cells["platform"].to_numpy()

    def part_of(chosen):
        cells = given.cells[chosen].reset_index(drop=True)
        return cells, sample_of(cells, around, given.regions)

    alone = given.cells["seen"].to_numpy() == SEEN.index("B other years")
    offices, years, platform = (part_of(chosen) for chosen in (
        ~of_platform & (kind != YEARS), ~of_platform & (kind == YEARS) & alone, of_platform))
    judged, models = [judge(*offices, workers=workers)], fit_models(offices[1], years[1])
    tables, components = [], components_of(judged[0])
    sums, of_sums = judge_sums(judged[0], components, given.regions)
    if len(years[0]):
        judged.append(judge(*years, workers=workers))
        components |= components_of(judged[1])
        if others := judge_others(years, (offices[0][offices[0]["kind"] == OFFICES].reset_index(drop=True),
                                          offices[1].take(offices[0]["kind"].to_numpy() == OFFICES)), given.regions):
            tables.append(flow_coverage(others, given.regions, method=AS_READ))
    tables += [how(j, given.regions) for j in judged for how in (flow_coverage, _members_alone)]
    if len(platform[0]):
        tables.append(flow_coverage(judge(*platform, workers=workers), given.regions, "counts of a platform"))
    flows, sigma, near = flow_bounds(given.panel, as_published(given, models, around))
    stocks, of_stocks = stock_bounds(given)
    net, of_net = net_bounds(given)
    return {"flow_bounds.nc": flows, "stock_bounds.nc": stocks, "net_migration_bounds.nc": net,
            "sums.csv": sum_table(given, sigma, near, components, sums),
            "coverage.csv": pd.concat([*tables, of_sums, of_stocks, of_net], ignore_index=True),
            "variants.csv": compare_variants(*offices, given.regions)}


def _members_alone(judged: Judged, regions: Sequence[str]) -> pd.DataFrame:
    cells = judged.cells
    quantiles = members_quantiles(cells["log_mean"], cells["spread"], LEVELS)
    groupings = {k: v for k, v in groupings_of(cells, regions).items() if k in ("all", "seen", "size")}
    cluster = cells["origin"].astype(str) + "-" + cells["destination"].astype(str)
    return coverage_table(quantiles, cells["observed"], judged.jitter, groupings, quantity="flow", method=MEMBERS,
                          kind=cells["kind"].to_numpy(), cluster=cluster.to_numpy())


def fit_models(offices: Sample, years: Sample) -> dict[str, FlowIntervals]:
    """Models of intervals by kind of cells, as :class:`humanflows.results.interval_flows.Published` takes them.

    Parameters
    ----------
    offices : held-out corridors, offices and last years together.
    years : held-out years; without any there is no model of them.
    """
    return {CORRIDORS: fit_intervals(offices, with_location=True),
            OFFICES: fit_intervals(offices, with_location=False),
            **({YEARS: fit_intervals(years, with_location=False)} if len(years.observed) else {})}


def as_published(given: Material, models: Mapping[str, FlowIntervals], around: Surroundings) -> Published:
    """The models, joined with what a release saw."""
    return Published(models, around, given.regions, given.flow, given.spread,
                     given.panel["population"].transpose("date_year", "residence").values[:-1],
                     what_was_seen(given.panel), years_to_others(given.panel))


def flow_bounds(panel: xr.Dataset, asked: Published) -> tuple[xr.Dataset, np.ndarray, np.ndarray]:
    """Ends of the 95% and the 80% interval of every corridor and year, and the difficulty σ.

    Returns
    -------
    Dataset: ``flow, flow_lower, flow_upper, flow_lower_80, flow_upper_80`` (year, origin, destination) float32,
    persons; ``seen`` int8. σ, float32 array of that shape; and bool, where an office is read.
    """
    ends = {name: np.zeros(asked.flow.shape, dtype=np.float32) for name in END_NAMES}
    sigma, near = np.zeros(asked.flow.shape, dtype=np.float32), np.zeros(asked.flow.shape, dtype=bool)
    for t in range(len(asked.flow)):
        here = (t, *asked.pairs)
        logs, sigma[here] = asked.ends(t)
        near[here] = asked.read(t)
        for k, name in enumerate(END_NAMES):
            inside = np.minimum if name.startswith("lower") else np.maximum
            ends[name][here] = inside(np.expm1(logs[:, k]), asked.flow[here])
    dims = ("year", "origin", "destination")
    data = xr.Dataset({"flow": (dims, asked.flow.astype(np.float32)),
                       **{f"flow_{name}": (dims, values) for name, values in ends.items()},
                       "seen": (dims, asked.saw.seen)}, coords={d: panel[d].values for d in dims})
    promise = ("what an office that reports the corridor would report, by residence, had the year's reports not been "
               "read; elsewhere what an office that was never read would")
    return described(data, "flow", promise, SEEN), sigma, near


def sum_table(given: Material, sigma: np.ndarray, near: np.ndarray, components: dict[str, Components],
              sums: pd.DataFrame, draws: int = 200) -> pd.DataFrame:
    """Totals by year with 80% and 95% intervals: of the world, between regions, and into and out of each territory.

    Errors are shared as between offices that were held out, where an office is read (``near``) as between years that
    were, and stretched as totals of held-out offices had to be.
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
    of_years = components.get(YEARS, components[kind])
    stretch = HeldOutSums().fit(sums).stretch(kind, ENDS) if len(sums) else None
    tables = []
    for t, year in enumerate(panel["year"].values):
        members = given.members_of_year(t)[:, origin, destination]
        ends = sum_interval(members, sigma[t, origin, destination],
                            {"destination": destination, "origin": origin},
                            of_years.where(near[t, origin, destination], components[kind]), ENDS, into=into,
                            stretch=stretch, draws=draws, seed=t)
        persons = into @ given.flow[t, origin, destination].astype(np.float64)
        ends[:, :2] = np.minimum(ends[:, :2], persons[:, None])
        ends[:, 2:] = np.maximum(ends[:, 2:], persons[:, None])
        tables.append(labels.assign(year=int(year), persons=persons, **dict(zip(END_NAMES, ends.T))))
    table = pd.concat(tables, ignore_index=True)
    return table[(table["persons"] > 0) | (table["upper"] > 0)].reset_index(drop=True)
