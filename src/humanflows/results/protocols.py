"""Scores of a validation protocol: what was withheld against what is estimated, by ourselves and by all peers.

Everybody is scored on the same cells (see :mod:`humanflows.results.validation`), and the difference of our score to
each peer's has an interval: whole corridors, or whole territories for net migration, are drawn with replacement.
"""
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from ..panel.splits import PARTS
from .bootstrap import (
    DRAWS,
    cluster_sums,
    draw_weights,
    moments,
    percentile_interval,
    r_of_sums,
    resampled_median,
)
from .report_expectations import COLUMNS as LOG_SCORE
from .report_expectations import add_log_score
from .scores import SCORES, bootstrap_differences, pearson_r, score
from .validation import (
    OWN,
    OWN_LEARNED_FROM,
    about_peers,
    beside,
    net_migration_sets,
    net_scores,
    rs_over_time,
    same_cells,
    score_sets,
    validate_stocks,
)

COMPARED = ("r", "log_r", "cpc", "within_r")         # scores of flows whose difference has an interval
NET_COMPARED = ("r", "within_r")
# Whose corridors: those of the held-out fold, or, of what a protocol withheld, those that were otherwise learned from
# (a corridor of the held-out fold is unknown for two reasons at once), or all.
WHOSE = {"held_out": ("held_out",), "train+validation": ("train", "validation"), "all": PARTS}


def _difference_columns(scores: Sequence[str]) -> list[str]:
    return [c for s in scores for c in (f"difference_{s}", f"difference_{s}_lower", f"difference_{s}_upper")]


FLOW_COLUMNS = ("collection", "side", "criterion", "horizon", "part", "offices", "peer", *SCORES,
                *_difference_columns(COMPARED), "dropped", "learned_from", "note",
                *LOG_SCORE)
NET_COLUMNS = ("set", "reference", "horizon", "peer", "n", "r", "within_r", "territories", "abs_error",
               *_difference_columns(NET_COMPARED), "dropped", "learned_from")
STOCK_COLUMNS = ("set", "revision", "quantity", "peer", "n", "r", "r_scaled")


def score_flows(estimates: xr.DataArray, panel: xr.Dataset, splits: xr.Dataset, peers: Mapping[str, xr.DataArray], *,
                part: str = "held_out", observations: np.ndarray | None = None,
                expected: xr.Dataset | None = None, draws: int = DRAWS, seed: int = 0) -> pd.DataFrame:
    """Scores of flows, and how far our own lie above each peer's.

    Parameters
    ----------
    estimates : flow (year, origin, destination), or (observation,) one number for each of the panel's observations.
    panel, splits : with everything that was withheld.
    peers : as for :func:`humanflows.results.validation.validate`.
    part : key of ``WHOSE``.
    observations : bool (observation,), those that a protocol withheld; all by default.
    expected : what our estimates expect of each of the panel's reports (observation,), learned without the reports that
        are scored (``results.report_expectations``); without it there is no log score.
    draws, seed : of the bootstrap.

    Returns
    -------
    DataFrame with columns ``FLOW_COLUMNS``. ``difference_r`` is our score less the peer's, between ``…_lower`` and
    ``…_upper`` in 95% of draws of corridors; NaN in our own row. Sets without a cell are left out. ``offices`` tells
    rows about all reports from those about reports of trusted offices. ``log_score``, ours alone, is about
    ``log_score_n`` of the cells: those whose series and year other corridors say something about.
    """
    everyone, n = beside(estimates, peers), panel.sizes["origin"]
    tables = []
    for labels, cells, values in score_sets(everyone, panel, splits, WHOSE[part], observations):
        values = {name: v for name, v in values.items() if not np.isnan(v).all()}
        keep = np.all([~np.isnan(v) for v in values.values()], axis=0) & np.ones(len(cells), dtype=bool)
        if OWN not in values or not keep.any():
            continue
        observed, corridor, year = (cells[c].to_numpy()[keep] for c in ("persons", "corridor", "year"))
        values = {name: v[keep] for name, v in values.items()}
        table = pd.DataFrame([{**labels, "part": part, "peer": name, **score(observed, v, corridor, year),
                               "dropped": int((~keep).sum())} for name, v in values.items()])
        if len(values) > 1:     # the label of a corridor names its witness too; offices of one pair are drawn together
            rows = bootstrap_differences(observed, values, corridor, cluster=corridor % (n * n), draws=draws, seed=seed)
            table = table.merge(_wide(rows[rows["score"].isin(COMPARED)]), on="peer", how="left", validate="1:1")
        tables.append(add_log_score(table, OWN, labels, cells[keep], values[OWN], expected))
    whole = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(FLOW_COLUMNS))
    return about_peers(whole, everyone).reindex(columns=list(FLOW_COLUMNS))


def _wide(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per peer, from rows of peer, score, difference, lower, upper."""
    wide = rows.pivot(index="peer", columns="score", values=["difference", "lower", "upper"])
    wide.columns = [f"difference_{s}" if what == "difference" else f"difference_{s}_{what}" for what, s in wide.columns]
    return wide.reset_index()


def score_net_migration(estimate: xr.DataArray, panel: xr.Dataset, peers: Mapping[str, xr.DataArray],
                        sets: Mapping[str, np.ndarray], *, draws: int = DRAWS, seed: int = 0) -> pd.DataFrame:
    """Scores of net migration in each set of territories and years, against UN WPP and national statistics.

    Parameters
    ----------
    estimate : net migration (year, residence), persons.
    panel : with everything that was withheld.
    peers : as for :func:`humanflows.results.validation.validate_net_migration`.
    sets : by name, bool (year, residence): the cells to score.
    draws, seed : of the bootstrap; territories are drawn.

    Returns
    -------
    DataFrame with columns ``NET_COLUMNS``, without sets that have no cell.
    """
    seen = {OWN: OWN_LEARNED_FROM, **{n: p.attrs.get("learned_from", "") for n, p in peers.items()}}
    tables = []
    for name, cells in sets.items():
        chosen = xr.DataArray(cells, dims=("year", "residence"))
        shown = panel.assign({v: panel[v].transpose("year", "residence").where(chosen)
                              for v in ("net_migration", "net_migration_national") if v in panel})
        for labels, observed, values in net_migration_sets(estimate, shown, peers):
            table = pd.DataFrame([row for row in net_scores(observed, values) if row["n"]])
            if table.empty:
                continue
            rows = net_differences(observed, values, draws=draws, seed=seed)
            if len(rows):
                table = table.merge(_wide(rows), on="peer", how="left", validate="1:1")
            tables.append(table.assign(set=name, **labels, learned_from=table["peer"].map(seen)))
    whole = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
    return whole.reindex(columns=list(NET_COLUMNS))


def net_differences(observed: np.ndarray, values: Mapping[str, np.ndarray], *, draws: int = DRAWS,
                    seed: int = 0) -> pd.DataFrame:
    """Differences of the first peer's scores of net migration to every other's; whole territories are drawn.

    Parameters
    ----------
    observed : (year, residence), persons, NaN where unknown.
    values : by name, arrays of that shape; the first is compared with the others, on the cells that all have.
    draws, seed : of the 95% percentile intervals.

    Returns
    -------
    DataFrame: peer, score ("r", "within_r"), difference (first − peer), lower, upper.
    """
    keep, values = same_cells(observed, values)
    territory, n = np.nonzero(keep)[1], keep.shape[1]
    x = observed[keep].astype(np.float64)
    own, *others = values
    if not len(x) or not others:
        return pd.DataFrame(columns=["peer", "score", "difference", "lower", "upper"])
    sums = {p: cluster_sums(territory, n, *moments(x, v[keep])) for p, v in values.items()}
    rs = {p: rs_over_time(observed, v, keep) for p, v in values.items()}
    defined = {p: np.flatnonzero(~np.isnan(r)) for p, r in rs.items()}
    drawn = {(p, s): [] for p in values for s in NET_COMPARED}
    for weight in draw_weights(n, draws, seed):
        for p in values:
            drawn[p, "r"].append(r_of_sums(weight @ sums[p]))
            drawn[p, "within_r"].append(resampled_median(weight[:, defined[p]], rs[p][defined[p]]))
    whole = {p: {"r": pearson_r(x, v[keep]), "within_r": _median(rs[p][defined[p]])} for p, v in values.items()}
    rows = []
    for p in others:
        for s in NET_COMPARED:
            lower, upper = percentile_interval(np.concatenate(drawn[own, s]) - np.concatenate(drawn[p, s]))
            rows.append({"peer": p, "score": s, "difference": whole[own][s] - whole[p][s], "lower": lower,
                         "upper": upper})
    return pd.DataFrame(rows)


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if len(values) else float("nan")


def score_stocks(stock: xr.DataArray, panel: xr.Dataset, blind_from: int | None = None) -> pd.DataFrame:
    """Stocks and their changes against each revision of the counts, all of them and those of blind years.

    Parameters
    ----------
    stock : (date_year, birthplace, residence), persons on 1 January.
    panel : with everything that was withheld.
    blind_from : first blind year. A change from the last count that was shown to the first blind one is blind.

    Returns
    -------
    DataFrame with columns ``STOCK_COLUMNS``; set is "all counts" or "blind years"; sets without a count are
    left out.
    """
    tables = [validate_stocks(stock, panel).assign(set="all counts")]
    if blind_from is not None and (hidden := panel["stock_year"].values >= blind_from).any():
        since = hidden | np.append(hidden[1:], False)    # the counts that are hidden, and the last one before them
        for quantity, years in (("stock", hidden), ("difference", since)):
            table = validate_stocks(stock, panel.isel(stock_year=years))
            tables.append(table[table["quantity"] == quantity].assign(set="blind years"))
    whole = pd.concat(tables, ignore_index=True)
    return whole[whole["n"] > 0].reindex(columns=list(STOCK_COLUMNS)).reset_index(drop=True)


def splice(panel: xr.Dataset, parts: Sequence[tuple[np.ndarray, xr.DataArray, Mapping[str, xr.DataArray]]],
           ) -> tuple[xr.DataArray, dict[str, xr.DataArray]]:
    """One set of estimates from several that each withheld something else, and the same for their peers.

    Parameters
    ----------
    panel : of which every observation is estimated.
    parts : bool (observation,) of what was withheld, flow (year, origin, destination), and peers. No observation may be
        in two parts.

    Returns
    -------
    estimates (observation,), by the part that never saw the observation, NaN where none withheld it; peers likewise,
    those alone that every part has. Peers of five-year periods learn from no report and stay as the first part has
    them.
    """
    if (np.sum([mask for mask, *_ in parts], axis=0) > 1).any():
        raise ValueError("an observation is withheld in two parts")
    at = tuple(panel[f"flow_{k}"].values.astype(np.int64) for k in ("year", "origin", "destination"))

    def joined(arrays: list[xr.DataArray]) -> xr.DataArray:
        if arrays[0].dims[0] == "period":
            return arrays[0]
        values = np.full(panel.sizes["observation"], np.nan)
        for (mask, *_), array in zip(parts, arrays):
            spoken = array.values if array.dims == ("observation",) else array.values[at]
            values[mask] = spoken[mask]
        return xr.DataArray(values, dims="observation", attrs=arrays[0].attrs)

    names = [n for n in parts[0][2] if all(n in peers for _, _, peers in parts)]
    return joined([flow for _, flow, _ in parts]), {n: joined([peers[n] for _, _, peers in parts]) for n in names}


def mean_of_members(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Mean score of several members in the same sets; bounds of intervals, which have no mean, are NaN."""
    first = tables[0]
    numbers = [c for c in first.columns if first[c].dtype.kind == "f"]
    mean = np.mean([t[numbers].to_numpy(dtype=float) for t in tables], axis=0)
    table = first.assign(**dict(zip(numbers, mean.T)))
    return table.assign(**{c: np.nan for c in numbers if c.endswith(("_lower", "_upper"))})
