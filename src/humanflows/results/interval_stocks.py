"""Intervals of the stocks of a release, and their coverage."""
from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import SchemaError
from .coverage import LEVELS, coverage_table
from .interval_balances import BETWEEN, COUNTED, NEVER_COUNTED, STOCK_CLASSES, stock_cells, years_to_counts
from .interval_cells import NEVER
from .interval_material import END_NAMES, ENDS, Material, described
from .interval_model import FlowIntervals, as_counts, jittered, size_class

STOCK_CELLS = 150_000     # of each class that are learned from
STOCK_FEATURES = ("log_estimate", "spread", "gap", "region_birthplace", "region_residence", "log_population_birthplace",
                  "log_population_residence")
_STOCK_CATEGORIES = (3, 4)


def _stock_features(cells: pd.DataFrame, given: Material) -> np.ndarray:
    code = np.unique(given.regions, return_inverse=True)[1]
    population = np.log1p(given.panel["population"].transpose("date_year", "residence").values[0])
    i, j = cells["birthplace"].to_numpy(), cells["residence"].to_numpy()
    return np.column_stack([np.log1p(cells["estimate"]), cells["spread"], cells["gap"], code[i], code[j], population[i],
                            population[j]]).astype(np.float32)


def _stock_groups(cells: pd.DataFrame, given: Material) -> dict[str, np.ndarray]:
    kind = cells["kind"].to_numpy().astype(str)
    where = np.asarray(given.regions, dtype=str)[cells["residence"].to_numpy()]
    return {"kind": kind, "size": np.char.add(kind, size_class(cells["estimate"]).astype(str)),
            "residence": np.char.add(kind, where)}


def stock_bounds(given: Material, levels: Sequence[float] = ENDS) -> tuple[xr.Dataset, pd.DataFrame]:
    """Ends of the 95% and 80% interval of every stock of the foreign-born on 1 January, and their coverage.

    Around dates that were counted: how estimates that saw the counts lie beside the revisions. Between and after
    counts: how estimates of members that saw no count of the last years lie beside those. A pair that nobody ever
    counted is judged like pairs whose counts all were hidden, where there are enough; else like those between counts.
    """
    panel, rng = given.panel, np.random.default_rng([0, 13])
    blind = stock_cells(*given.blind_stock, panel, BETWEEN, blind_from=given.blind_from)
    blind["kind"] = np.where(blind["gap"] >= NEVER, NEVER_COUNTED, BETWEEN)
    cells = pd.concat([stock_cells(given.stock, given.stock_spread, panel, COUNTED), blind], ignore_index=True)
    if BETWEEN not in set(cells["kind"]):
        raise SchemaError("intervals", f"no count of stocks from {given.blind_from} on", "blind members of earlier "
                          "years are needed to judge stocks between counts", "blind_from")
    drawn = cells.iloc[rng.permutation(len(cells))].groupby("kind", sort=False).head(STOCK_CELLS)
    cells = drawn.sort_index().reset_index(drop=True)
    pair = (cells["birthplace"] * panel.sizes["residence"] + cells["residence"]).to_numpy()
    features, groups = _stock_features(cells, given), _stock_groups(cells, given)
    arrays = cells["observed"].to_numpy(), cells["estimate"].to_numpy(), features

    def fit(at):
        return FlowIntervals(categories=_STOCK_CATEGORIES).fit(
            *(a[at] for a in arrays), {k: v[at] for k, v in groups.items()}, pair[at], pair[at])

    part = rng.permutation(pair.max() + 1)[pair] % 2
    quantiles = np.empty((len(cells), len(LEVELS)))
    for k in (0, 1):
        quantiles[part == k] = fit(part != k).log_quantiles(
            arrays[1][part == k], features[part == k], {g: v[part == k] for g, v in groups.items()}, LEVELS)
    table = coverage_table(quantiles, cells["observed"], jittered(cells["observed"]), {
        "all": np.full(len(cells), "all"), "revision": cells["revision"].to_numpy(),
        "region of residence": np.asarray(given.regions, dtype=str)[cells["residence"].to_numpy()],
        "year": cells["year"].to_numpy()}, quantity="stock", kind=cells["kind"].to_numpy(), cluster=pair)
    return _stock_ends(given, fit(np.ones(len(cells), dtype=bool)), set(cells["kind"]), levels), table


def _stock_ends(given: Material, model: FlowIntervals, kinds: set[str], levels: Sequence[float]) -> xr.Dataset:
    panel = given.panel
    gap = years_to_counts(panel)
    klass = np.select([gap == 0, gap < NEVER], [0, 1], 2).astype(np.int8)
    pairs = np.nonzero(~np.eye(panel.sizes["residence"], dtype=bool))
    ends = {name: given.stock.astype(np.float32).copy() for name in END_NAMES}
    for t in range(len(gap)):
        here = (np.full(len(pairs[0]), t), *pairs)
        cells = pd.DataFrame({"kind": np.asarray(STOCK_CLASSES)[klass[here]], "birthplace": pairs[0],
                              "residence": pairs[1], "estimate": given.stock[here], "spread": given.stock_spread[here],
                              "gap": gap[here]})
        groupings = [_stock_groups(cells.assign(kind=cells["kind"].where(cells["kind"].isin(kinds), BETWEEN)), given)]
        never = cells["kind"] == NEVER_COUNTED
        groupings.append(_stock_groups(cells.assign(kind=np.where(never, BETWEEN, cells["kind"])), given))
        found = np.expm1(as_counts(model.predict(given.stock[here], _stock_features(cells, given), groupings,
                                                 levels)[0]))
        for k, name in enumerate(END_NAMES):
            inside = np.minimum if name.startswith("lower") else np.maximum
            ends[name][here] = inside(found[:, k], given.stock[here])
    dims = ("date_year", "birthplace", "residence")
    data = xr.Dataset({"stock": (dims, given.stock.astype(np.float32)),
                       **{f"stock_{k}": (dims, v) for k, v in ends.items()}, "counted": (dims, klass)},
                      coords={d: panel[d].values for d in dims})
    data.attrs["comment"] = "natives, on the diagonal, have no interval of their own: both ends are the estimate"
    return described(data, "stock", "what a revision of the table of migrant stocks would count", STOCK_CLASSES)


