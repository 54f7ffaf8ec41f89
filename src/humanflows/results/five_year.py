"""Five-year flows against what was reported, in the form of the comparisons that others have published.

Four measures of a flow, each compared by Pearson's R (after the comparisons of Abel & Cohen 2019,
doi:10.1038/s41597-019-0089-3, and Gaskin & Abel 2026; their exact denominators are not known to us, ours are these):

- ``count``: persons in five years;
- ``log_count``: log(1 + persons);
- ``proportion``: share of the origin's outflow. Nobody reports a whole outflow: the denominator is the sum, for the
  same origin and period, of the cells of the same collection, side and criterion that every peer has, taken from the
  same numbers as the numerator. Where only one destination is left the share says nothing and is not scored; a peer
  that lets nobody leave such an origin has shares of zero;
- ``rate``: persons per inhabitant of the origin (mean of the population of 1 January of the period's first year and of
  the year after its last), the same population on both sides. Pearson's R of rates is decided by the smallest origins.

Reconstructions from stocks run from mid-year to mid-year, reports and annual estimates by calendar years. Two windows
are scored: ``calendar``, the sum of five calendar years (reconstructions are then compared half a year off), and
``mid_year``, half of the first and of the sixth year and all of those between, which is the reconstructions' own period
if moves are even within a year, at the price of series that report a sixth year.

All peers of a set are scored on the same cells, in the parts ``held_out`` (what our model never saw; what the others
saw is in ``learned_from``) and ``all``, and of each part what trusted offices report by itself (``offices``). Whole
corridors are drawn for the intervals of differences.
"""
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from ..baselines.gravity import predict_gravity
from ..baselines.persistence import predict_corridor_mean, predict_persistence
from ..baselines.reconstruct import METHODS, reconstruct_reported
from ..errors import SchemaError
from ..panel.splits import PARTS, split_of
from .bootstrap import DRAWS, LEVEL, cluster_sums, draw_weights, moments, percentile_interval, r_of_sums
from .offices import ALL, TRUSTED, of_offices
from .peers import METHOD_TITLES, five_year_flows
from .scores import common_part_of_commuters, log_bias, mean_abs_log_error, median_log_error, pearson_r
from .validation import OWN, OWN_LEARNED_FROM, flow_cells, note_of

WINDOWS: dict[str, tuple[float, ...]] = {"calendar": (1, 1, 1, 1, 1), "mid_year": (0.5, 1, 1, 1, 1, 0.5)}
MEASURES = ("count", "log_count", "proportion", "rate")
SETS = ("collection", "side", "criterion")
COLUMNS = ("window", "part", *SETS, "offices", "peer", "n", "corridors",
           *(c for m in MEASURES for c in (m, f"{m}_difference", f"{m}_lower", f"{m}_upper")), "n_proportion",
           "abs_log_error", "median_log_error", "cpc", "log_bias", "dropped", "learned_from", "note")


def five_year_cells(panel: xr.Dataset, splits: xr.Dataset, *, window: str = "calendar") -> pd.DataFrame:
    """Reported five-year flows, of series that report every year of the window.

    Parameters
    ----------
    panel, splits : of the same territories.
    window : one of ``WINDOWS``; periods begin in years that five divides.

    Returns
    -------
    DataFrame: collection, reporter, side, criterion, year (the period's first), origin, destination (codes), persons,
    corridor (label of the pair, whoever reports it), population (of the origin, NaN where the panel has none), part
    (of the splits), observation (of the first year, position in the panel), trusted (by a trusted office).

    Raises
    ------
    SchemaError
        For an unknown window.
    """
    weights = np.array(_weights(window), dtype=np.float64)
    cells = flow_cells(panel, splits, PARTS)
    cells = cells.sort_values(["corridor", "year"], kind="stable").reset_index(drop=True)
    first = np.flatnonzero((cells["year"] % 5 == 0).to_numpy())
    last = first + len(weights) - 1
    first, last = first[last < len(cells)], last[last < len(cells)]
    label, year, persons = (cells[c].to_numpy() for c in ("corridor", "year", "persons"))
    # One witness reports a corridor once a year: the rows between first and last are then the years between.
    whole = (label[first] == label[last]) & (year[last] - year[first] == len(weights) - 1)
    first = first[whole]
    sums = cells.iloc[first].reset_index(drop=True)
    sums["persons"] = persons[first[:, None] + np.arange(len(weights))] @ weights
    origin, destination = (panel.get_index(d).get_indexer(sums[d]) for d in ("origin", "destination"))
    sums["corridor"] = origin * panel.sizes["destination"] + destination
    sums["part"] = split_of(origin, destination, splits) if len(sums) else ""
    sums["population"] = _population(panel, sums["year"].to_numpy(), origin)
    return sums


def _population(panel, year: np.ndarray, origin: np.ndarray) -> np.ndarray:
    if "population" not in panel:
        return np.full(len(year), np.nan)
    dates = panel.get_index("date_year")
    table = panel["population"].transpose("date_year", "residence").values
    start, end = dates.get_indexer(year), np.minimum(dates.get_indexer(year) + 5, len(dates) - 1)
    return (table[start, origin] + table[end, origin]) / 2


def values_at(peer: xr.DataArray, cells: pd.DataFrame, *, window: str = "calendar") -> np.ndarray:
    """A peer's five-year flow at each cell, persons; NaN where it has none.

    Parameters
    ----------
    peer : (period, origin, destination), five-year flows by first year, taken as they are in either window;
        (year, origin, destination), summed by the window's weights; or (observation,) with attribute ``horizon`` of
        ``"five_year"``, persons a year, of which the number at the period's first year is taken five times.
    cells : from :func:`five_year_cells`.
    window : that of the cells.
    """
    if peer.dims == ("observation",):
        if peer.attrs.get("horizon") != "five_year":
            raise SchemaError("five-year flows", "a peer of single observations is not made for five years",
                              "predict with horizon='five_year'", str(peer.name))
        return 5 * peer.values[cells["observation"]].astype(np.float64)
    if peer.dims == ("year", "origin", "destination"):
        peer = sum_periods(peer, window=window)
    if peer.dims != ("period", "origin", "destination"):
        raise SchemaError("five-year flows", f"a peer has dims {peer.dims}", "give (period or year, origin, "
                          "destination), or (observation,)", str(peer.name))
    at = tuple(peer.get_index(k).get_indexer(cells[c]) for k, c in
               (("period", "year"), ("origin", "origin"), ("destination", "destination")))
    known = np.all([k >= 0 for k in at], axis=0)
    if not peer.size:
        return np.full(len(cells), np.nan)
    return np.where(known, peer.values[at].astype(np.float64), np.nan)


def sum_periods(flow: xr.DataArray, *, window: str = "calendar") -> xr.DataArray:
    """Annual flows (year, origin, destination) summed over each period that lies wholly within the years.

    Returns
    -------
    DataArray (period, origin, destination), persons, named by the period's first year, which five divides.

    Raises
    ------
    SchemaError
        For other dimensions or an unknown window.
    """
    if flow.dims != ("year", "origin", "destination"):
        raise SchemaError("five-year flows", f"dims are {flow.dims}", "give (year, origin, destination)",
                          str(flow.name))
    weights, years = _weights(window), flow.get_index("year")
    periods = [y for y in years if y % 5 == 0 and all(y + k in years for k in range(len(weights)))]
    first = years.get_indexer(periods)
    steps = [years.get_indexer(np.array(periods, dtype=int) + k) for k in range(len(weights))] if periods else []
    values = np.zeros((len(first), *flow.shape[1:]))
    for weight, where in zip(weights, steps):
        values += weight * flow.values[where]
    return xr.DataArray(values, dims=("period", "origin", "destination"), name=flow.name, attrs=flow.attrs,
                        coords={"period": np.array(periods, dtype=np.int64), "origin": flow["origin"].values,
                                "destination": flow["destination"].values})


def _weights(window: str) -> tuple[float, ...]:
    if window not in WINDOWS:
        raise SchemaError("five-year flows", f"unknown window {window!r}", f"use one of {', '.join(WINDOWS)}", "window")
    return WINDOWS[window]


def shares(persons: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Share of each cell in the sum of its group; NaN in groups of one cell, zero in groups without anybody."""
    number, total = np.bincount(group), np.bincount(group, persons)
    share = np.divide(persons, total[group], out=np.zeros(len(persons)), where=total[group] > 0)
    return np.where(number[group] > 1, share, np.nan)


def measures_of(persons: np.ndarray, cells: pd.DataFrame) -> dict[str, np.ndarray]:
    """The four measures of five-year flows at cells of one set; see the head of this module."""
    group = cells.groupby(["origin", "year"]).ngroup().to_numpy()
    return {"count": persons, "log_count": np.log1p(persons), "proportion": shares(persons, group),
            "rate": persons / cells["population"].to_numpy()}


def score_five_years(estimates: xr.DataArray, panel: xr.Dataset, splits: xr.Dataset,
                     peers: Mapping[str, xr.DataArray], *, windows: Sequence[str] = tuple(WINDOWS),
                     draws: int = DRAWS, seed: int = 0) -> pd.DataFrame:
    """The score table: every collection of reported flows, every peer, four measures, in each window and part.

    Parameters
    ----------
    estimates : our flow (year, origin, destination), persons.
    panel, splits : of the same territories.
    peers : by name, as for :func:`values_at`. A peer without any number in a set is left out of it.
    windows : of ``WINDOWS``.
    draws : of the bootstrap; corridors are drawn, all peers on the same draws.
    seed : of the bootstrap.

    Returns
    -------
    DataFrame with columns ``COLUMNS``. ``count`` … ``rate``: Pearson's R. ``count_difference``: the peer's less that of
    ``humanflows``, with the bounds of its 95% bootstrap interval. ``n_proportion``: cells scored by proportion.
    ``abs_log_error``, ``median_log_error``, ``cpc``, ``log_bias``: as in :mod:`humanflows.results.scores`. ``dropped``:
    cells that some peer has nothing for.

    Raises
    ------
    SchemaError
        For a peer named like the estimates, of unknown dimensions, or with a negative flow.
    """
    if OWN in peers:
        raise SchemaError("five-year flows", f"a peer is named {OWN!r}", "give the estimates as the first argument "
                          "alone", OWN)
    everyone = {OWN: estimates, **peers}
    rows = []
    for window in windows:
        cells = five_year_cells(panel, splits, window=window)
        values = {name: values_at(peer, cells, window=window) for name, peer in everyone.items()}
        for name, v in values.items():
            if (v < 0).any():
                raise SchemaError("five-year flows", "a flow is negative", "give flows, not balances", name)
        for key, group in cells.groupby(list(SETS), sort=True):
            here = {n: v[group.index] for n, v in values.items() if not np.isnan(v[group.index]).all()}
            labels = {"window": window, **dict(zip(SETS, key)), "note": note_of(key[0], key[2])}
            rows += _score_set(group, here, labels, draws, seed)
    return _finish(rows, everyone)


def _score_set(cells, values, labels, draws, seed) -> list[dict]:
    keep = np.all([np.isfinite(v) for v in values.values()], axis=0)
    dropped, cells = ~keep, cells[keep].reset_index(drop=True)
    if cells.empty or OWN not in values:
        return []
    observed = measures_of(cells["persons"].to_numpy(dtype=np.float64), cells)
    estimated = {name: measures_of(v[keep], cells) for name, v in values.items()}
    held_out = (cells["part"] == "held_out").to_numpy()
    rows = []
    trusted, everything = cells["trusted"].to_numpy(bool), np.ones(len(cells), dtype=bool)
    # Shares are of all that is reported: who is trusted changes which of them are scored, not what they are shares of.
    for part, offices, chosen in (("held_out", ALL, held_out), ("held_out", TRUSTED, held_out & trusted),
                                  ("all", ALL, everything), ("all", TRUSTED, trusted)):
        if not chosen.any():
            continue
        corridor = cells["corridor"].to_numpy()[chosen]
        found = {m: correlations(observed[m][chosen], {n: e[m][chosen] for n, e in estimated.items()}, corridor,
                                 draws=draws, seed=seed) for m in MEASURES}
        for name, measured in estimated.items():
            o, e = observed["count"][chosen], measured["count"][chosen]
            row = {**labels, "part": part, "offices": offices, "peer": name, "n": len(o),
                   "corridors": len(np.unique(corridor)),
                   "n_proportion": int(np.isfinite(observed["proportion"][chosen]).sum()),
                   "abs_log_error": mean_abs_log_error(o, e), "median_log_error": median_log_error(o, e),
                   "cpc": common_part_of_commuters(o, e), "log_bias": log_bias(o, e), "dropped": int(dropped.sum())}
            rows.append(row | {c: float(found[m].loc[name, k]) for m in MEASURES for c, k in (
                (m, "r"), (f"{m}_difference", "difference"), (f"{m}_lower", "lower"), (f"{m}_upper", "upper"))})
    return rows


def score_true_five_years(truth: xr.DataArray, estimates: xr.DataArray, panel: xr.Dataset, splits: xr.Dataset,
                          peers: Mapping[str, xr.DataArray], *, window: str = "mid_year", draws: int = DRAWS,
                          seed: int = 0) -> pd.DataFrame:
    """The same table against the true flows of a simulated world: every corridor, reported or not.

    Parameters
    ----------
    truth : flow (year, origin, destination), persons.
    estimates, panel, splits, peers, draws, seed : as for :func:`score_five_years`; peers of single observations say
        nothing about corridors without a report and are left out.
    window : one of ``WINDOWS``.

    Returns
    -------
    DataFrame with columns ``COLUMNS``; the collection is ``truth``.
    """
    true = sum_periods(truth, window=window)
    periods = true["period"].values
    n = truth.sizes["origin"]
    origin, destination = (np.tile(k, len(periods)) for k in np.nonzero(~np.eye(n, dtype=bool)))
    cells = pd.DataFrame({"year": np.repeat(periods, n * (n - 1)), "origin": truth["origin"].values[origin],
                          "destination": truth["destination"].values[destination]})
    at = [panel.get_index(d).get_indexer(cells[d]) for d in ("origin", "destination")]
    cells["corridor"], cells["part"] = at[0] * n + at[1], split_of(*at, splits)
    cells["persons"] = values_at(true, cells)
    cells["population"] = _population(panel, cells["year"].to_numpy(), at[0])
    cells["trusted"] = False     # the truth is no office's report
    everyone = {OWN: estimates, **{n: p for n, p in peers.items() if p.dims != ("observation",)}}
    labels = {"window": window, "collection": "truth", "side": "both", "criterion": "residence", "note": "simulated"}
    rows = _score_set(cells, {n: values_at(p, cells, window=window) for n, p in everyone.items()}, labels, draws, seed)
    return _finish(rows, everyone)


def _finish(rows: list[dict], everyone: Mapping[str, xr.DataArray]) -> pd.DataFrame:
    seen = {n: p.attrs.get("learned_from", OWN_LEARNED_FROM if n == OWN else "") for n, p in everyone.items()}
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.assign(learned_from=table["peer"].map(seen))


def compare_to_own(scores: pd.DataFrame, offices: str = ALL) -> pd.DataFrame:
    """In how many sets a peer differs from ``humanflows`` by more than the luck of which corridors are compared.

    Parameters
    ----------
    scores : from :func:`score_five_years`, of one window and part.
    offices : against whose reports, of ``results.offices.OFFICES``.

    Returns
    -------
    DataFrame: peer, measure, sets (in which the difference is defined), behind, ahead (sets whose interval lies wholly
    below, above zero). With 95% intervals one set in forty is expected on either side where there is no difference.
    """
    scores = of_offices(scores, offices)
    rivals = scores[scores["peer"] != OWN]
    rows = [{"peer": peer, "measure": m, "sets": int(g[f"{m}_lower"].notna().sum()),
             "behind": int((g[f"{m}_upper"] < 0).sum()), "ahead": int((g[f"{m}_lower"] > 0).sum())}
            for peer, g in rivals.groupby("peer", sort=False) for m in MEASURES]
    return pd.DataFrame(rows, columns=["peer", "measure", "sets", "behind", "ahead"])


def kinds_of_moves(flow: xr.DataArray) -> pd.Series:
    """How many leave their birthplace, return to it, or move on between two other places.

    Parameters
    ----------
    flow : (birthplace, origin, destination), persons, the same territories in the same order along each.

    Returns
    -------
    Series: leave, return, onward (persons).

    Raises
    ------
    SchemaError
        For other dimensions, or territories that differ between them.
    """
    dims = ("birthplace", "origin", "destination")
    if set(flow.dims) != set(dims) or len({tuple(flow[d].values) for d in dims}) > 1:
        raise SchemaError("kinds of moves", f"flow has dims {flow.dims}", f"give {dims}, the same territories along "
                          "each")
    values = flow.transpose(*dims).values.astype(np.float64)
    k = np.arange(len(values))
    leave, back = values[k, k].sum(), values[k, :, k].sum()
    stay = values[k, k, k].sum()
    within = np.einsum("boo->", values)
    return pd.Series({"leave": leave - stay, "return": back - stay, "onward": values.sum() - leave - back - within
                      + 2 * stay})


def correlations(observed: np.ndarray, estimated: Mapping[str, np.ndarray], corridor: np.ndarray, *,
                 draws: int = DRAWS, level: float = LEVEL, seed: int = 0) -> pd.DataFrame:
    """Pearson's R of each peer, and its difference to the first one with a bootstrap interval.

    As :func:`humanflows.results.scores.bootstrap_difference`, with the same draws for the same seed, but for many
    peers at once and for any measure. Cells where the observed measure is NaN are left out.

    Parameters
    ----------
    observed : measure (cell,).
    estimated : by peer, measure (cell,); the first is the one that the others are compared with.
    corridor : label of each cell's corridor; whole corridors are drawn with replacement.
    draws, level, seed : of the percentile interval.

    Returns
    -------
    DataFrame by peer: r, difference (to the first), lower, upper. NaN where a correlation is not defined.
    """
    used = np.isfinite(observed)
    x = observed[used]
    peers = {name: e[used] for name, e in estimated.items()}
    table = pd.DataFrame({"r": {n: pearson_r(x, e) for n, e in peers.items()}}, dtype=float)
    table["difference"] = table["r"] - table["r"].iloc[0]
    table[["lower", "upper"]] = np.nan
    if len(x) < 2:
        return table
    labels, group = np.unique(corridor[used], return_inverse=True)
    columns = [c for e in peers.values() for c in moments(x, e)]
    sums = cluster_sums(group, len(labels), *columns)
    drawn = np.concatenate([weight @ sums for weight in draw_weights(len(labels), draws, seed)])
    rs = [r_of_sums(drawn[:, 6 * p:6 * p + 6]) for p in range(len(peers))]
    for name, r in zip(peers, rs):
        table.loc[name, ["lower", "upper"]] = percentile_interval(r - rs[0], level)
    return table


def reconstructed_flows(tables: Mapping[str, pd.DataFrame], years: Sequence[int], codes: Sequence[str],
                        revisions: Sequence[int] | None = None,
                        methods: Sequence[str] = tuple(METHODS)) -> dict[str, xr.DataArray]:
    """Our own computation of the stock-to-flow methods, five-year flows (period, origin, destination) by name.

    Parameters
    ----------
    tables : with ``stock`` and ``territory_year``, as for :func:`humanflows.baselines.reconstruct.reconstruct`.
    years : periods that begin in one of them are given.
    codes : territories wanted, in this order.
    revisions : of the stocks; default the newest.
    methods : of ``humanflows.baselines.reconstruct.METHODS``.

    Returns
    -------
    dict: "<title of the method>, stocks of <revision>" → flows; NaN where a territory has no estimate in a period.
    """
    if revisions is None:
        revisions = [int(tables["stock"]["revision"].max())]
    peers = {}
    for revision in revisions:
        rows = reconstruct_reported(tables, revision=revision, method=list(methods)).rows
        for method in methods:
            for flow in five_year_flows(rows[rows["method"] == method], years, codes).values():
                peers[method_name(method, revision)] = flow.assign_attrs(
                    long_name="flow in five years from mid-year, reconstructed from stocks", method=method,
                    revision=revision, source=f"humanflows, from UN DESA's stocks of {revision}")
    return peers


def method_name(method: str, revision: int) -> str:
    """How a method computed on a revision of the stocks is called beside its rivals."""
    return f"{METHOD_TITLES.get(method, method)}, stocks of {revision}"


def learned_peers(panel: xr.Dataset, splits: xr.Dataset) -> dict[str, xr.DataArray]:
    """Baselines that read reports: gravity, gravity with stocks, persistence, mean of the corridor.

    The last two read reports of the corridor that is scored; where it has none at other times, the gravity model
    stands in, since otherwise these cells would be lost for all.
    """
    gravity = predict_gravity(panel, splits)
    peers = {"gravity": gravity, "gravity with stocks": predict_gravity(panel, splits, stocks=True)}
    where = tuple(panel[f"flow_{k}"].values.astype(int) for k in ("year", "origin", "destination"))
    for name, predict, absent in (("persistence", predict_persistence, "before the first report"),
                                  ("mean of corridor", predict_corridor_mean, "where there is no other")):
        made = predict(panel, horizon="five_year")
        peers[name] = made.copy(data=np.where(np.isnan(made.values), gravity.values[where], made.values))
        peers[name].attrs["learned_from"] = f"{made.attrs['learned_from']}; {absent}, the gravity model"
    return peers


def make_tables(estimates: xr.DataArray, panel: xr.Dataset, splits: xr.Dataset, tables: Mapping[str, pd.DataFrame],
                published: Mapping[str, xr.DataArray], *, draws: int = DRAWS, seed: int = 0) -> dict[str, pd.DataFrame]:
    """What the project releases about five-year flows; of others' estimates it holds scores, never a value.

    Parameters
    ----------
    estimates, panel, splits, draws, seed : as for :func:`score_five_years`.
    tables : with ``stock`` and ``territory_year``; the six methods are computed on every revision of the stocks.
    published : others' estimates, which may be none.

    Returns
    -------
    dict: ``five_year_scores`` (see :func:`score_five_years`) and ``five_year_totals`` (see :func:`territory_totals`) of
    the methods on the newest stocks, in the last five-year period that they have.
    """
    revisions = sorted((int(r) for r in tables["stock"]["revision"].unique()), reverse=True)
    places = [str(c) for c in panel["origin"].values]
    made = reconstructed_flows(tables, panel["year"].values.tolist(), places, revisions)
    peers = {**made, **published, **learned_peers(panel, splits)}
    newest = {n: f for n, f in made.items() if f.attrs["revision"] == revisions[0]}
    last = max(int(f["period"].values[-1]) for f in newest.values())
    return {"five_year_scores": score_five_years(estimates, panel, splits, peers, draws=draws, seed=seed),
            "five_year_totals": territory_totals(newest, [last])}


def territory_totals(peers: Mapping[str, xr.DataArray], periods: Sequence[int] | None = None) -> pd.DataFrame:
    """Arrivals and departures of each territory in five years, by peer: what methods disagree about.

    Parameters
    ----------
    peers : five-year flows (period, origin, destination) by name.
    periods : first years; default all.

    Returns
    -------
    DataFrame: peer, period, territory, arrivals, departures (persons). Territories without an estimate are left out.
    """
    frames = []
    for name, flow in peers.items():
        flow = flow if periods is None else flow.sel(period=[p for p in periods if p in flow["period"].values])
        other = flow.where(~np.eye(flow.sizes["origin"], dtype=bool))
        known = other.notnull().any("origin") & other.notnull().any("destination").rename(origin="destination")
        frame = xr.Dataset({"arrivals": other.sum("origin").where(known),
                            "departures": other.sum("destination").rename(origin="destination").where(known)})
        frame = frame.rename(destination="territory").to_dataframe().dropna().reset_index()
        frames.append(frame.assign(peer=name))
    columns = ["peer", "period", "territory", "arrivals", "departures"]
    return pd.concat(frames, ignore_index=True)[columns] if frames else pd.DataFrame(columns=columns)
