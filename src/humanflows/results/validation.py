"""Estimates and peers against what was reported of corridors that fitting never saw.

The definitions, chosen so that the published peers score here what the validation protocol says they score:

- A cell is one number of one office: (witness, year, origin, destination). Zeros that an office reports are cells; what
  it does not report is not. Immigration (reported by the destination) and emigration (by the origin) are apart.
- UN DESA IMFSC is scored for 1990–2013, all reporters whose coverage is citizens and foreigners together.
- A five-year cell is the sum over the calendar years 1990–94, 1995–99, …, of a corridor of which one witness reported
  all five. Reconstructions run from mid-year to mid-year, half a year later; they are compared without a shift.
- All peers of a set are scored on the same cells: a cell where any of them has nothing is dropped for all, and counted.
  A peer that has nothing in the whole set (wrong years, say) is left out of it instead of emptying it.
- Every set is scored twice: all its cells, and those by residence of trusted offices alone (column ``offices``; see
  :mod:`humanflows.panel.trusted_offices`), where there are any.
- The same cells are not the same information: ``learned_from`` says what each peer had seen.
"""
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import SchemaError
from ..panel.splits import observations_in
from ..panel.trusted_offices import is_trusted
from .estimates import net_migration_of, world_total
from .offices import ALL, TRUSTED
from .report_expectations import COLUMNS as LOG_SCORE
from .report_expectations import add_log_score
from .scores import MIN_YEARS, SCORES, coverage, crps_from_quantiles, pearson_r, score_table

OWN = "humanflows"
OWN_LEARNED_FROM = "the other corridors of the same collections, stocks and net migration"
COLUMNS = ("collection", "side", "criterion", "horizon", "offices", "peer", *SCORES, "dropped", "learned_from", "note",
           *LOG_SCORE)
INTERVALS = (0.5, 0.8, 0.9, 0.95)


@dataclass(frozen=True)
class Collection:
    """Years and reporters of a collection of reported flows that are scored, and what to say beside the scores."""

    first: int
    last: int
    note: str = ""
    without: tuple[str, ...] = ()    # reporters that are not scored in this collection


COLLECTIONS = {
    # New Zealand's sheet there is the one with another coverage than "Both". With it neither the number of cells nor
    # the published peers' scores come out as the protocol has them; its own statistics are a collection below.
    "undesa_imfsc": Collection(1990, 2013, without=("NZL",)),
    "eurostat": Collection(2010, 2019),
    "statsnz": Collection(1990, 2024, "New Zealand alone; arrivals and departures for 12 months or more"),
    "meta": Collection(2019, 2022, "model-based counts of users; pairs under 50 persons are not published"),
    "oecd": Collection(1990, 2024),
}
CRITERION_NOTES = {
    "citizenship": "criterion differs: counts by citizenship, estimates by previous or next residence",
    "birthplace": "criterion differs: counts by birthplace, estimates by previous or next residence",
}


def note_of(collection: str, criterion: str) -> str:
    """What to say beside the scores of a collection."""
    notes = (COLLECTIONS.get(collection, Collection(0, 0)).note, CRITERION_NOTES.get(criterion, ""))
    return "; ".join(n for n in notes if n)


def flow_cells(panel: xr.Dataset, splits: xr.Dataset, parts="held_out",
               observations: np.ndarray | None = None) -> pd.DataFrame:
    """The reported flows to score with, one row per cell.

    Parameters
    ----------
    panel, splits : of the same territories.
    parts : of the splits, as in :func:`humanflows.panel.splits.observations_in`.
    observations : bool array (observation,), those that may be scored (what a protocol withheld, say); all by default.

    Returns
    -------
    DataFrame with columns collection, reporter, side, criterion, year, origin, destination (codes), persons, corridor
    (an integer label of witness and corridor), observation (position in the panel), trusted (whether the report is one
    by residence of a trusted office).
    """
    inside = observations_in(panel, splits, parts)
    chosen = np.flatnonzero(inside if observations is None else inside & observations)
    origin, destination, witness, year = (panel[f"flow_{k}"].values[chosen].astype(np.int64)
                                          for k in ("origin", "destination", "witness", "year"))
    labels = [str(w).split("|") for w in panel["witness"].values]
    source, reporter, side, criterion = (np.array([w[k] for w in labels], dtype=object)[witness] for k in range(4))
    scored = np.array([w[0] not in COLLECTIONS or w[1] not in COLLECTIONS[w[0]].without for w in labels], dtype=bool)
    n = panel.sizes["origin"]
    cells = pd.DataFrame({
        "collection": source, "reporter": reporter, "side": side, "criterion": criterion,
        "year": panel["year"].values[year],
        "origin": panel["origin"].values[origin], "destination": panel["destination"].values[destination],
        "persons": panel["flow_persons"].values[chosen], "corridor": (witness * n + origin) * n + destination,
        "observation": chosen, "trusted": is_trusted(*zip(*(w[1:4] for w in labels)))[witness] if labels else False})
    first, last = (cells["collection"].map({k: getattr(c, end) for k, c in COLLECTIONS.items()})
                   for end in ("first", "last"))
    # A collection without declared years is scored in all of them.
    inside = (cells["year"] >= first.fillna(-np.inf)) & (cells["year"] <= last.fillna(np.inf)) & scored[witness]
    return cells[inside].reset_index(drop=True)


def validate(estimates: xr.DataArray, panel: xr.Dataset, splits: xr.Dataset, peers: Mapping[str, xr.DataArray],
             *, parts="held_out", expected: xr.Dataset | None = None) -> pd.DataFrame:
    """Scores of the estimates and of their peers, per collection, side, criterion and horizon, and whose reports.

    Parameters
    ----------
    estimates : flow (year, origin, destination), persons.
    panel, splits : of the same territories; the witnesses scored are those of ``parts``.
    peers : by name, each with dims (year, origin, destination): scored annually and, summed, over five years;
        (period, origin, destination): five-year sums named by their first year, scored over five years;
        or (observation,), one number for each of the panel's observations, scored at the horizon that its attribute
        ``horizon`` names (both where it has none). Attribute ``learned_from`` says what the peer had seen.
    parts : ``"held_out"`` for the protocol; others to see how much is fitted.
    expected : what the estimates expect of each of the panel's reports (observation,), learned from other corridors
        than those scored (``results.report_expectations``); without it there is no log score.

    Returns
    -------
    DataFrame with columns ``COLUMNS``; ``dropped`` counts the cells that some peer had nothing for, ``log_score_n`` the
    reports that the log score is about, of the estimates alone.

    Raises
    ------
    SchemaError
        For estimates that are missing somewhere, peers of unknown dimensions, or a peer named like the estimates.
    """
    _dims(estimates, OWN, {("year", "origin", "destination")})
    everyone = beside(estimates, peers)
    tables = [_table(cells, values, labels, expected)
              for labels, cells, values in score_sets(everyone, panel, splits, parts)]
    result = pd.concat(tables) if tables else pd.DataFrame(columns=list(COLUMNS))
    return about_peers(result, everyone)[list(COLUMNS)].reset_index(drop=True)


def beside(estimates: xr.DataArray, peers: Mapping[str, xr.DataArray]) -> dict[str, xr.DataArray]:
    """The estimates, first, and their peers by name.

    Raises
    ------
    SchemaError
        For estimates that are missing somewhere, or a peer named like the estimates.
    """
    if OWN in peers:
        raise SchemaError("validation", f"a peer is named {OWN!r}", "give the estimates as the first argument alone",
                          OWN)
    if estimates.dims != ("observation",) and not np.isfinite(estimates.values).all():
        raise SchemaError("validation", "the estimates have values that are not finite", "estimate again", OWN)
    return {OWN: estimates, **peers}


def about_peers(table: pd.DataFrame, everyone: Mapping[str, xr.DataArray]) -> pd.DataFrame:
    """The table with what each peer had seen (``learned_from``) and what to say beside its set (``note``)."""
    seen = {n: p.attrs.get("learned_from", OWN_LEARNED_FROM if n == OWN else "") for n, p in everyone.items()}
    return table.assign(learned_from=table["peer"].map(seen),
                        note=[note_of(c, k) for c, k in zip(table["collection"], table["criterion"])])


def score_sets(everyone: Mapping[str, xr.DataArray], panel: xr.Dataset, splits: xr.Dataset, parts="held_out",
               observations: np.ndarray | None = None) -> Iterator[tuple[dict, pd.DataFrame, dict[str, np.ndarray]]]:
    """The sets that are scored, one after another: each collection, side and criterion, by year and by five years.

    Each set is followed by what trusted offices report of it, if they report any of it.

    Parameters
    ----------
    everyone : estimates and peers by name, of the shapes that :func:`validate` names for peers.
    panel, splits : of the same territories.
    parts, observations : as for :func:`flow_cells`.

    Yields
    ------
    labels : collection, side, criterion, horizon, offices ("all" or "trusted").
    cells : origin, destination, persons, corridor (label of witness and corridor), year, trusted.
    values : by name, persons, array (cell,); NaN where a peer has nothing. Who says nothing at this horizon is not in.
    """
    for name, peer in everyone.items():
        _dims(peer, name, {("year", "origin", "destination"), ("period", "origin", "destination"), ("observation",)})
        if peer.dims == ("observation",) and len(peer) != panel.sizes["observation"]:
            raise SchemaError("validation", f"{len(peer)} values for {panel.sizes['observation']} observations",
                              "predict from this panel", name)
    cells = flow_cells(panel, splits, parts, observations)
    values = {name: _annual_values(peer, cells) for name, peer in everyone.items()}
    for (collection, side, criterion), group in cells.groupby(["collection", "side", "criterion"], sort=True):
        labels = {"collection": collection, "side": side, "criterion": criterion}
        annual = {n: v[group.index] for n, v in values.items() if v is not None and _scored_at(everyone[n], "annual")}
        yield from _by_offices({**labels, "horizon": "annual"}, group, annual)
        sums, members = _five_year(group)
        if len(sums):
            five = {}
            for name, peer in everyone.items():
                if values[name] is None:
                    five[name] = _look_up(peer, "period", sums)
                elif _scored_at(peer, "five_year"):
                    five[name] = np.bincount(members[members >= 0], values[name][group.index][members >= 0], len(sums))
            yield from _by_offices({**labels, "horizon": "five_year"}, sums, five)


def _by_offices(labels: dict, cells: pd.DataFrame, values: dict[str, np.ndarray]):
    """The set, and the part of it that trusted offices report."""
    yield {**labels, "offices": ALL}, cells, values
    trusted = cells["trusted"].to_numpy(bool)
    if trusted.any():
        yield ({**labels, "offices": TRUSTED}, cells[trusted].reset_index(drop=True),
               {n: v[trusted] for n, v in values.items()})


def _dims(array, name, allowed):
    if array.dims not in allowed:
        raise SchemaError("validation", f"{name} has dims {array.dims}", f"give one of {sorted(allowed)}", name)


def _scored_at(peer, horizon: str) -> bool:
    return peer.attrs.get("horizon", horizon) == horizon


def _annual_values(peer, cells) -> np.ndarray | None:
    """The peer's number for each cell; None where it speaks only about five years at once."""
    if peer.dims[0] == "period":
        return None
    if peer.dims == ("observation",):
        return peer.values[cells["observation"]].astype(np.float64)
    return _look_up(peer, "year", cells)


def _look_up(peer: xr.DataArray, time: str, cells: pd.DataFrame) -> np.ndarray:
    """Values at the cells' labels, float64; NaN where the peer does not have the year or a territory."""
    where = [peer.get_index(d).get_indexer(cells[c]) for d, c in
             ((time, "year"), ("origin", "origin"), ("destination", "destination"))]
    values = peer.values[tuple(where)].astype(np.float64)
    return np.where(np.all([w >= 0 for w in where], axis=0), values, np.nan)


def _five_year(cells: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """Sums of periods with all five years, and for each cell the position of its sum (−1: in none)."""
    keys = [cells["corridor"], (cells["year"] // 5 * 5).rename("year")]
    grouped = cells.groupby(keys, sort=True)
    number = grouped.ngroup().to_numpy()
    sums = grouped.agg(origin=("origin", "first"), destination=("destination", "first"), persons=("persons", "sum"),
                       trusted=("trusted", "first"), reported=("year", "nunique")).reset_index()
    full = (sums["reported"] == 5).to_numpy()
    position = np.where(full, np.cumsum(full) - 1, -1)
    return sums[full].reset_index(drop=True), position[number]


def _table(cells, values, labels, expected) -> pd.DataFrame:
    values = {n: v for n, v in values.items() if not np.isnan(v).all()}
    table = score_table(cells["persons"].to_numpy(), values, cells["corridor"].to_numpy(), cells["year"].to_numpy(),
                        **labels)
    keep = np.all([~np.isnan(v) for v in values.values()], axis=0) & np.ones(len(cells), dtype=bool)
    own = values[OWN][keep] if OWN in values else np.empty(0)
    return add_log_score(table, OWN, labels, cells[keep], own, expected if len(own) else None)


def validate_intervals(quantiles: xr.DataArray, panel: xr.Dataset, splits: xr.Dataset, *, parts="held_out",
                       levels=INTERVALS) -> pd.DataFrame:
    """Do intervals cover what they claim? Coverage and CRPS on held-out annual cells.

    Parameters
    ----------
    quantiles : (quantile, year, origin, destination), persons; needs (1 ± level)/2 for each level.
    panel, splits, parts : as in :func:`validate`.
    levels : nominal levels of the central intervals.

    Returns
    -------
    DataFrame: collection, side, criterion, n, coverage_50 … (per level), crps (mean, persons).

    Raises
    ------
    SchemaError
        When a quantile that a level needs is not there.
    """
    _dims(quantiles, "quantiles", {("quantile", "year", "origin", "destination")})
    taus = quantiles["quantile"].values.astype(np.float64)
    bounds = {}
    for level in levels:
        found = [np.flatnonzero(np.isclose(taus, t)) for t in ((1 - level) / 2, (1 + level) / 2)]
        if not all(len(f) for f in found):
            raise SchemaError("validation", f"the {level:.0%} interval needs quantiles {(1 - level) / 2:.4g} and "
                              f"{(1 + level) / 2:.4g}, found {taus.tolist()}", "estimate these quantiles", f"{level}")
        bounds[level] = tuple(int(f[0]) for f in found)
    cells = flow_cells(panel, splits, parts)
    values = np.stack([_look_up(quantiles.isel(quantile=k), "year", cells) for k in range(len(taus))])
    rows = []
    for (collection, side, criterion), group in cells.groupby(["collection", "side", "criterion"], sort=True):
        here = values[:, group.index]
        keep = ~np.isnan(here).any(0)
        here, observed = here[:, keep], group["persons"].to_numpy()[keep]
        if len(observed):
            rows.append({"collection": collection, "side": side, "criterion": criterion, "n": len(observed),
                         **{f"coverage_{level * 100:g}": coverage(here[low], here[high], observed)
                            for level, (low, high) in bounds.items()},
                         "crps": float(crps_from_quantiles(taus, here, observed).mean())})
    return pd.DataFrame(rows)


def as_net_migration(peer: xr.DataArray) -> xr.DataArray:
    """Net migration (year or period, residence) of a peer that is a flow; itself if it is net migration already.

    Flows that a peer does not estimate (NaN) count as none, but a territory without any flow gets NaN.
    """
    if "residence" in peer.dims:
        return peer
    time = peer.dims[0]
    _dims(peer, "peer", {("year", "origin", "destination"), ("period", "origin", "destination")})
    if peer["origin"].values.tolist() != peer["destination"].values.tolist():
        raise SchemaError("validation", "a flow between two different lists of territories",
                          "give origins and destinations in one order")
    between = np.where(np.eye(peer.sizes["origin"], dtype=bool), np.nan, peer.values.astype(np.float64))
    some = ~(np.isnan(between).all(1) & np.isnan(between).all(2))
    return xr.DataArray(np.where(some, net_migration_of(np.nan_to_num(between)), np.nan), dims=(time, "residence"),
                        coords={time: peer[time].values, "residence": peer["origin"].values}, attrs=peer.attrs)


def validate_net_migration(estimate: xr.DataArray, panel: xr.Dataset,
                           peers: Mapping[str, xr.DataArray]) -> pd.DataFrame:
    """Net migration against UN WPP and, where published, national statistics; annual and over five calendar years.

    Parameters
    ----------
    estimate : net migration (year, residence), persons.
    panel : with ``net_migration`` (UN WPP) and ``net_migration_national`` (year, residence).
    peers : by name, net migration (year, residence), or flows by year or five-year period (see :func:`validate`).

    Returns
    -------
    DataFrame: reference ("wpp", "national"), horizon, peer, n, r (Pearson, over all territories and times), within_r
    (median over territories of R over time, from ten years), territories (that entered it), abs_error (mean, persons),
    dropped, learned_from. All peers of one reference and horizon are scored on the same cells.
    """
    _dims(estimate, OWN, {("year", "residence")})
    seen = {OWN: estimate.attrs.get("learned_from", OWN_LEARNED_FROM),
            **{n: p.attrs.get("learned_from", "") for n, p in peers.items()}}
    return pd.DataFrame([{**labels, **row, "learned_from": seen[row["peer"]]}
                         for labels, observed, values in net_migration_sets(estimate, panel, peers)
                         for row in net_scores(observed, values)])


def net_migration_sets(estimate: xr.DataArray, panel: xr.Dataset, peers: Mapping[str, xr.DataArray],
                       ) -> Iterator[tuple[dict, np.ndarray, dict[str, np.ndarray]]]:
    """What net migration is compared with: each reference, by year and by five years.

    Parameters
    ----------
    estimate, panel, peers : as for :func:`validate_net_migration`.

    Yields
    ------
    labels : reference, horizon.
    observed : (year or period, residence), persons; NaN where the reference has nothing.
    values : by name, arrays of that shape. Who says nothing at this horizon is not in.
    """
    everyone = {OWN: estimate, **{n: as_net_migration(p) for n, p in peers.items()}}
    for reference, variable in (("wpp", "net_migration"), ("national", "net_migration_national")):
        if variable not in panel:
            continue
        truth = panel[variable].transpose("year", "residence")
        annual = {n: p.reindex(year=truth["year"], residence=truth["residence"]).values
                  for n, p in everyone.items() if p.dims[0] == "year"}
        yield {"reference": reference, "horizon": "annual"}, truth.values, annual
        five_truth, starts = _five_year_sums(truth.values, truth["year"].values)
        five = {n: _five_year_sums(a, truth["year"].values)[0] for n, a in annual.items()}
        five |= {n: p.reindex(period=starts, residence=truth["residence"]).values
                 for n, p in everyone.items() if p.dims[0] == "period"}
        # in the order given
        yield {"reference": reference, "horizon": "five_year"}, five_truth, {n: five[n] for n in everyone}


def _five_year_sums(values: np.ndarray, years: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """Sums over the calendar periods that lie wholly within the years; NaN where any year is missing."""
    starts = [int(y) for y in years if y % 5 == 0 and y + 4 <= years[-1]]
    position = {int(y): k for k, y in enumerate(years)}
    sums = [values[position[y]:position[y] + 5].sum(0) for y in starts]
    return (np.stack(sums) if sums else np.empty((0, *values.shape[1:]))), starts


def same_cells(observed: np.ndarray, values: Mapping[str, np.ndarray]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Where the observed and everybody who has anything have a number; and those who have, float64."""
    values = {n: v.astype(np.float64) for n, v in values.items() if v.size and not np.isnan(v).all()}
    return np.all([np.isfinite(observed), *(~np.isnan(v) for v in values.values())], axis=0), values


def rs_over_time(observed: np.ndarray, estimated: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """R over time within each territory, (residence,); NaN with fewer than ``MIN_YEARS`` years or without any change.

    Parameters
    ----------
    observed, estimated : (year, residence).
    keep : (year, residence) bool, the cells to compare.
    """
    return np.array([pearson_r(observed[k, j], estimated[k, j]) if (k := keep[:, j]).sum() >= MIN_YEARS else np.nan
                     for j in range(keep.shape[1])])


def net_scores(observed: np.ndarray, values: Mapping[str, np.ndarray]) -> list[dict]:
    """Scores of everybody's net migration, on the cells that all have (see :func:`validate_net_migration`)."""
    keep, values = same_cells(observed, values)
    rows = []
    for name, v in values.items():
        rs = rs_over_time(observed, v, keep)
        rs = rs[~np.isnan(rs)]
        o, e = observed[keep].astype(np.float64), v[keep]
        rows.append({"peer": name, "n": int(keep.sum()), "r": pearson_r(o, e),
                     "within_r": float(np.median(rs)) if len(rs) else np.nan, "territories": len(rs),
                     "abs_error": float(np.abs(o - e).mean()) if len(o) else np.nan,
                     "dropped": int((np.isfinite(observed) & ~keep).sum())})
    return rows


def validate_stocks(stock: xr.DataArray, panel: xr.Dataset, peers: Mapping[str, xr.DataArray] | None = None,
                    ) -> pd.DataFrame:
    """Stocks of the foreign-born and their change against each revision of UN DESA's table.

    The table is of mid-year: it is compared with the mean of the two 1 Januaries around it.

    Parameters
    ----------
    stock : (date_year, birthplace, residence), persons on 1 January.
    panel : with ``stock_observed`` (revision, stock_year, birthplace, residence), NaN where unknown.
    peers : by name, stocks like ``stock``.

    Returns
    -------
    DataFrame: revision, quantity ("stock", "difference" between one stock year and the next), peer, n, r (persons),
    r_scaled (R of log(1 + x) for stocks, of the signed square root for differences), dropped. The diagonal (natives)
    is not scored.
    """
    everyone = {OWN: stock, **(peers or {})}
    table = panel["stock_observed"].transpose("revision", "stock_year", "birthplace", "residence")
    years = table["stock_year"].values
    between = ~np.eye(table.sizes["birthplace"], dtype=bool)
    places = {d: table[d] for d in ("birthplace", "residence")}
    midyear = {}
    for name, s in everyone.items():
        _dims(s, name, {("date_year", "birthplace", "residence")})
        start, end = (s.reindex(date_year=years + k, **places).values[:, between].astype(np.float64) for k in (0, 1))
        midyear[name] = (start + end) / 2
    rows = []
    for k, revision in enumerate(table["revision"].values):
        observed = table.values[k][:, between].astype(np.float64)
        for quantity, of, scaled in (
                ("stock", lambda x: x, np.log1p),
                ("difference", lambda x: np.diff(x, axis=0), lambda x: np.sign(x) * np.sqrt(np.abs(x)))):
            truth, values = of(observed), {n: of(m) for n, m in midyear.items()}
            values = {n: v for n, v in values.items() if not np.isnan(v).all()}
            keep = known = ~np.isnan(truth)
            for v in values.values():
                keep = keep & ~np.isnan(v)
            rows += [{"revision": int(revision), "quantity": quantity, "peer": name, "n": int(keep.sum()),
                      "r": pearson_r(truth[keep], v[keep]), "r_scaled": pearson_r(scaled(truth[keep]), scaled(v[keep])),
                      "dropped": int((known & ~keep).sum())} for name, v in values.items()]
    return pd.DataFrame(rows, columns=["revision", "quantity", "peer", "n", "r", "r_scaled", "dropped"])


def world_totals(estimates: xr.DataArray, peers: Mapping[str, xr.DataArray]) -> pd.DataFrame:
    """Moves between all territories per year, or per five-year period, of the estimates and every peer.

    Returns
    -------
    DataFrame: peer, horizon ("annual", "five_year"), year (a period's first), persons. Years in which a peer has
    nothing at all are left out; peers that speak about single observations have no total.
    """
    rows = []
    for name, peer in {OWN: estimates, **peers}.items():
        if peer.dims == ("observation",):
            continue
        time = peer.dims[0]
        _dims(peer, name, {("year", "origin", "destination"), ("period", "origin", "destination")})
        some = peer.notnull().any(("origin", "destination"))
        total = world_total(peer).where(some, drop=True)
        rows += [{"peer": name, "horizon": "annual" if time == "year" else "five_year", "year": int(y),
                  "persons": float(p)} for y, p in zip(total[time].values, total.values)]
    return pd.DataFrame(rows, columns=["peer", "horizon", "year", "persons"])
