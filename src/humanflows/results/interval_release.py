"""All intervals of a release, and the table of what they cover, from what members say: pure functions of arrays."""
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from .coverage import LEVELS, MEMBERS, coverage_table, members_quantiles
from .interval_cells import (
    CORRIDORS,
    KINDS,
    OFFICES,
    READ_REPORTS,
    SEEN,
    YEARS,
    Surroundings,
    offices_speaking,
    reported_flows,
    what_was_seen,
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
from .interval_flows import Published, most_movers
from .interval_material import END_NAMES, ENDS, Material, described
from .interval_model import FlowIntervals
from .interval_neighbours import neighbouring_reports
from .interval_net_migration import net_bounds
from .interval_stocks import stock_bounds
from .interval_sums import Components, HeldOutSums, sum_interval
from .interval_variants import Sample
from .release import compact
from .released_sums import list_totals

AS_READ = "intervals for offices that are read"


def make_intervals(given: Material, *, workers: int = 1) -> dict[str, xr.Dataset | pd.DataFrame]:
    """Everything at once, by file name.


    Parameters
    ----------
    given : what to make it of.
    workers : processes that judge side by side.
    """
    around = Surroundings(given.panel, given.regions)
    offices, platform, known = divide_cells(given, around)
    judged, models = [judge(*offices, workers=workers)], fit_models(offices, known)
    tables, components = [], components_of(judged[0])
    sums, of_sums = judge_sums(judged[0], components, given.regions)
    for part in known.values():
        judged.append(judge(*part, workers=workers))
        components |= components_of(judged[-1])
    unread = offices[0]["kind"].to_numpy() == OFFICES
    if YEARS in known and (others := judge_others(
            known[YEARS], (offices[0][unread].reset_index(drop=True), offices[1].take(unread)), given.regions)):
        tables.append(flow_coverage(others, given.regions, method=AS_READ))
    tables += [how(j, given.regions) for j in judged for how in (flow_coverage, _members_alone)]
    if len(platform[0]):
        tables.append(flow_coverage(judge(*platform, workers=workers), given.regions, "counts of a platform"))
    stocks, of_stocks = stock_bounds(given)
    flows, sigma, kinds = flow_bounds(given.panel, as_published(given, models, around, stocks))
    net, of_net = net_bounds(given)
    return {"flow_bounds.nc": flows, "stock_bounds.nc": stocks, "net_migration_bounds.nc": net,
            "sums.csv": sum_table(given, sigma, kinds, components, sums),
            "coverage.csv": pd.concat([*tables, of_sums, of_stocks, of_net], ignore_index=True),
            "variants.csv": compare_variants(*offices, given.regions)}


def _members_alone(judged: Judged, regions: Sequence[str]) -> pd.DataFrame:
    cells = judged.cells
    quantiles = members_quantiles(cells["log_mean"], cells["spread"], LEVELS)
    groupings = {k: v for k, v in groupings_of(cells, regions).items() if k in ("all", "seen", "size")}
    cluster = cells["origin"].astype(str) + "-" + cells["destination"].astype(str)
    return coverage_table(quantiles, cells["observed"], judged.jitter, groupings, quantity="flow", method=MEMBERS,
                          kind=cells["kind"].to_numpy(), cluster=cluster.to_numpy())


Part = tuple[pd.DataFrame, Sample]      # cells, and a sample of them


def divide_cells(given: Material, around: Surroundings) -> tuple[Part, Part, dict[str, Part]]:
    """Cells of what is judged together: what was never read of offices, platforms, and what is known of read offices.

    Returns
    -------
    offices : held-out corridors, offices and last years.
    platform : counts of platforms.
    known : by kind, held-out years and read reports, where there are any. Of held-out years those count in which nobody
        else's report of the corridor was seen either: what the other country's office says is no second look at what
        the hidden one says.
    """
    kind, of_platform = given.cells["kind"].to_numpy(), given.cells["platform"].to_numpy()
    alone = (kind != YEARS) | (given.cells["seen"].to_numpy() == SEEN.index("B other years"))

    def part_of(chosen):
        cells = given.cells[chosen].reset_index(drop=True)
        return cells, sample_of(cells, around, given.regions)

    unread = ~np.isin(kind, (YEARS, READ_REPORTS))
    known = {k: part_of(~of_platform & (kind == k) & alone) for k in (YEARS, READ_REPORTS)}
    return part_of(~of_platform & unread), part_of(of_platform), {k: p for k, p in known.items() if len(p[0])}


def fit_models(offices: Part, known: Mapping[str, Part]) -> dict[str, FlowIntervals]:
    """Models of intervals by kind of cells, as :class:`humanflows.results.interval_flows.Published` takes them; cells
    as :func:`divide_cells` has them."""
    return {CORRIDORS: fit_intervals(offices[1], with_location=True),
            OFFICES: fit_intervals(offices[1], with_location=False),
            **{kind: fit_intervals(sample, with_location=True) for kind, (_, sample) in known.items()}}


def as_published(given: Material, models: Mapping[str, FlowIntervals], around: Surroundings,
                 stocks: xr.Dataset) -> Published:
    """The models, joined with what a release saw, and with intervals of its stocks."""
    told = reported_flows(given.panel)
    residents = given.panel["population"].transpose("date_year", "residence").values[:-1]
    stock, upper = (stocks[k].transpose("date_year", "birthplace", "residence").values
                    for k in ("stock", "stock_upper"))
    return Published(models, around, given.regions, given.flow, given.spread, most_movers(residents, stock, upper),
                     what_was_seen(given.panel), offices_speaking(given.panel),
                     neighbouring_reports(told[~told["platform"]], given.flow))


def flow_bounds(panel: xr.Dataset, asked: Published) -> tuple[xr.Dataset, np.ndarray, np.ndarray]:
    """Ends of the 95% and the 80% interval of every corridor and year, and the difficulty σ.

    Returns
    -------
    Dataset: ``flow, flow_lower, flow_upper, flow_lower_80, flow_upper_80`` (year, origin, destination) float32,
    persons; ``seen`` int8. σ, float32 array of that shape; and of each cell its kind, position in ``KINDS``, int8.
    """
    ends = {name: np.zeros(asked.flow.shape, dtype=np.float32) for name in END_NAMES}
    sigma, kinds = np.zeros(asked.flow.shape, dtype=np.float32), np.zeros(asked.flow.shape, dtype=np.int8)
    for t in range(len(asked.flow)):
        here = (t, *asked.pairs)
        logs, sigma[here] = asked.ends(t)
        kinds[here] = pd.Categorical(asked.kind(t), categories=KINDS).codes
        for k, name in enumerate(END_NAMES):
            inside = np.minimum if name.startswith("lower") else np.maximum
            ends[name][here] = inside(np.expm1(logs[:, k]), asked.flow[here])
    dims = ("year", "origin", "destination")
    data = xr.Dataset({"flow": (dims, asked.flow.astype(np.float32)),
                       **{f"flow_{name}": (dims, values) for name, values in ends.items()},
                       "seen": (dims, asked.saw.seen)}, coords={d: panel[d].values for d in dims})
    promise = ("flow_seen A: what an office reports of that year, by residence; B: what it would have reported; C, D: "
               "what an office that was never read would")
    return described(data, "flow", promise, SEEN), sigma, kinds


def sum_table(given: Material, sigma: np.ndarray, kinds: np.ndarray, components: dict[str, Components],
              sums: pd.DataFrame, draws: int = 200) -> pd.DataFrame:
    """Totals by year with 80% and 95% intervals: of the world, between regions, across the borders of each region, and
    into and out of each territory.

    Errors are shared as between offices that were held out, where an office is read (``kinds``) as between years that
    were, or reports that are read, and stretched as totals of held-out offices had to be.
    """
    panel, n = given.panel, given.panel.sizes["origin"]
    origin, destination = np.nonzero(~np.eye(n, dtype=bool))
    labels, into = list_totals(panel["origin"].values.astype(str), given.regions)
    kind = OFFICES if OFFICES in components else next(iter(components))
    stretch = HeldOutSums().fit(sums).stretch(kind, ENDS) if len(sums) else None
    tables = []
    for t, year in enumerate(panel["year"].values):
        members = given.members_of_year(t)[:, origin, destination]
        shared = components[kind]
        for known in (YEARS, READ_REPORTS):
            if known in components:
                shared = components[known].where(kinds[t, origin, destination] == KINDS.index(known), shared)
        ends = sum_interval(members, sigma[t, origin, destination],
                            {"destination": destination, "origin": origin},
                            shared, ENDS, into=into, stretch=stretch, draws=draws, seed=t)
        persons = into @ compact(given.flow[t, origin, destination]).astype(np.float64)     # as they are released
        ends[:, :2] = np.minimum(ends[:, :2], persons[:, None])
        ends[:, 2:] = np.maximum(ends[:, 2:], persons[:, None])
        tables.append(labels.assign(year=int(year), persons=persons, **dict(zip(END_NAMES, ends.T))))
    table = pd.concat(tables, ignore_index=True)
    return table[(table["persons"] > 0) | (table["upper"] > 0)].reset_index(drop=True)
