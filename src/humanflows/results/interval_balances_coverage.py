"""Coverage of net migration's intervals, beside those that a peer publishes, on the same cells."""
import numpy as np
import pandas as pd

from .coverage import COLUMNS, LEVELS, OWN, places_of, target_of
from .interval_balances import FEATURES, SignedIntervals, net_groups, normal_quantiles
from .scores import crps_from_quantiles
from .validation import INTERVALS

PARTS = 5


def judge_net_migration(cells: pd.DataFrame, reference=None, *, seed: int = 0) -> pd.DataFrame:
    """Coverage by intervals that were learned from other territories.

    Parameters
    ----------
    cells : see :func:`humanflows.results.interval_balances.net_cells`.
    reference : name, mean and standard deviation (year, residence) of a peer's net migration; normal intervals.
    seed : of the parts into which territories are dealt.

    Returns
    -------
    DataFrame with columns ``COLUMNS``: groups by target and by region; ``width`` and ``crps`` are means per thousand
    residents, ``width_persons`` the median width. Where the peer has something, both are also judged on its cells:
    grouping "cells of" its name.
    """
    places = np.unique(cells["place"])
    part = pd.Series(np.random.default_rng([seed, 17]).permutation(len(places)) % PARTS, index=places)
    part = cells["place"].map(part).to_numpy()
    groups, features = net_groups(cells), cells[list(FEATURES)]
    error = cells["observed"] - cells["estimate"]
    quantiles = np.empty((len(cells), len(LEVELS)))
    for k in np.unique(part):
        test, train = part == k, part != k
        model = SignedIntervals().fit(error[train], features[train], {g: v[train] for g, v in groups.items()})
        quantiles[test] = model.quantiles(cells["estimate"][test], features[test],
                                          {g: v[test] for g, v in groups.items()}, LEVELS)
    asked = cells["target"].isin(["wpp", "national"]).to_numpy()
    cells, quantiles = cells[asked].reset_index(drop=True), quantiles[asked]
    tables = [_table(cells, quantiles, OWN, {"target": cells["target"], "region, wpp": cells["region"].where(
        cells["target"] == "wpp")})]
    if reference is not None:
        name, mean, std = reference
        at = cells["year"].to_numpy(), cells["place"].to_numpy()
        have = np.isfinite(mean[at]) & np.isfinite(std[at])
        theirs = normal_quantiles(mean[at][have], std[at][have], LEVELS)
        same = cells[have].reset_index(drop=True)
        by = {f"cells of {name}": same["target"]}
        tables += [_table(same, quantiles[have], OWN, by), _table(same, theirs, name, by)]
    return pd.concat(tables, ignore_index=True)


def _table(cells, quantiles, method, groupings) -> pd.DataFrame:
    observed = cells["observed"].to_numpy()
    residents = np.maximum(np.expm1(cells["population"].to_numpy()), 1.0) / 1000
    base = pd.DataFrame({"kind": cells["kind"], "cluster": cells["place"],
                         "crps": crps_from_quantiles(LEVELS, quantiles.T, observed) / residents})
    parts = []
    for level in INTERVALS:
        low, high = (quantiles[:, k] for k in places_of(LEVELS, level))
        parts.append(base.assign(level=level, coverage=(low <= observed) & (observed <= high),
                                 width=(high - low) / residents, width_persons=high - low))
    rows = []
    for name, labels in groupings.items():
        for p in parts:
            grouped = p.assign(group=np.asarray(labels)).dropna(subset="group").groupby(["kind", "group", "level"])
            found = grouped.agg(n=("crps", "size"), clusters=("cluster", "nunique"), coverage=("coverage", "mean"),
                                width=("width", "mean"), width_persons=("width_persons", "median"),
                                crps=("crps", "mean")).reset_index()
            rows.append(found.assign(grouping=name))
    table = pd.concat(rows, ignore_index=True).assign(quantity="net migration", method=method)
    table["coverage_jittered"] = table["coverage"]     # persons with a sign have no ties to speak of
    table["coverage_by_cluster"] = np.nan
    table["target"] = [target_of(k) for k in table["kind"]]
    table["hit"] = 100 * (table["coverage"] - table["level"]).abs() <= table["target"] + 1e-9
    return table[list(COLUMNS)]
