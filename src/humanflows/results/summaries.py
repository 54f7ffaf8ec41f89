"""Results shaped for reading: the small tables that notebooks and figures show. Pure functions; nothing is fitted here.

Corridors are written ``"MEX-USA"``, persons are persons.
"""
from collections.abc import Sequence
from difflib import get_close_matches

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError, SchemaError
from ..schema import STATUS
from ..territories import territories

SEEN = ("office, learned from", "office, held out", "no office, users counted", "no office, nothing seen")
NOT_AN_OFFICE = ("meta",)    # sources that count users of a platform


def split_corridor(corridor: str) -> tuple[str, str]:
    """Origin and destination of ``"MEX-USA"``.

    Raises
    ------
    InputError
        When it is not two codes.
    """
    parts = corridor.split("-")
    if len(parts) != 2 or not all(len(p) == 3 for p in parts):
        raise InputError("corridor", f"{corridor!r} is no corridor",
                         "write two alpha-3 codes, origin first, as MEX-USA", key=corridor)
    return parts[0], parts[1]


def choose(wanted, among: Sequence, default):
    """What a reader asks to be shown, out of what there is; the default where nothing is asked for.

    Parameters
    ----------
    wanted : a code or a year, or None.
    among : codes or years, of one type.
    default : one of them.

    Raises
    ------
    InputError
        When it is not among them, naming the nearest.
    """
    labels = np.asarray(among).tolist()
    if wanted is None:
        return np.asarray(default).item()
    if wanted not in labels:
        near = get_close_matches(str(wanted), [str(x) for x in labels], n=1, cutoff=0.0)
        raise InputError("parameter", f"{wanted!r} is not among the {len(labels)} that these estimates have",
                         f"did you mean {near[0]}?", key=wanted)
    return wanted


def choose_corridor(wanted: str | None, codes: Sequence, default: str | None = None) -> str | None:
    """A corridor that a reader asks to be shown, as ``"MEX-USA"``; the default where none is asked for.

    Raises
    ------
    InputError
        When it is no corridor, or one of its ends is not among the codes.
    """
    if wanted is None:
        return default
    return "-".join(choose(end, codes, end) for end in split_corridor(wanted))


def reported_flows(panel: xr.Dataset) -> pd.DataFrame:
    """The panel's flow observations as a table, one row each in the panel's order.

    Returns
    -------
    DataFrame with columns ``year, origin, destination, corridor, collection, reporter, side, criterion,
    persons``.
    """
    origin, destination, year, witness = (panel[f"flow_{k}"].values.astype(int)
                                          for k in ("origin", "destination", "year", "witness"))
    names = np.array([str(w).split("|")[:4] for w in panel.witness.values], dtype=object).reshape(-1, 4)
    table = pd.DataFrame({"year": panel.year.values[year], "origin": panel.origin.values[origin],
                          "destination": panel.destination.values[destination]})
    table["corridor"] = table.origin + "-" + table.destination
    for k, column in enumerate(("collection", "reporter", "side", "criterion")):
        table[column] = names[witness, k]
    return table.assign(persons=panel.flow_persons.values)


def largest_reported_corridors(panel: xr.Dataset, number: int = 12, years: int = 8) -> list[str]:
    """Corridors with the largest flows reported by residence, largest median first.

    Parameters
    ----------
    panel : the panel.
    number : of corridors wanted; fewer where fewer are reported.
    years : corridors reported in fewer different years are left out, as long as enough others remain.
    """
    table = reported_flows(panel)
    table = table[table.criterion == "residence"]
    by = table.groupby("corridor").agg(size=("persons", "median"), years=("year", "nunique"))
    by["long"] = by.years >= years
    return by.sort_values(["long", "size"], ascending=False, kind="stable").index[:number].tolist()


def largest_flows(flow: xr.DataArray, number: int = 12) -> pd.DataFrame:
    """Corridors with the largest mean flow.

    Parameters
    ----------
    flow : (year, origin, destination), persons.
    number : of rows.

    Returns
    -------
    DataFrame: ``corridor, from, to`` (names), ``first`` and ``last`` year's flow, ``mean`` (persons per year).
    """
    mean = flow.mean("year").values
    names = territories()["name"]
    order = np.argsort(-mean, axis=None, kind="stable")[:number]
    rows = []
    for o, d in zip(*np.unravel_index(order, mean.shape)):
        origin, destination = str(flow.origin.values[o]), str(flow.destination.values[d])
        rows.append((f"{origin}-{destination}", names[origin], names[destination], float(flow.values[0, o, d]),
                     float(flow.values[-1, o, d]), float(mean[o, d])))
    return pd.DataFrame(rows, columns=["corridor", "from", "to", "first", "last", "mean"])


def flow_values(flow: xr.DataArray, cells: pd.DataFrame) -> np.ndarray:
    """Flow at each row's ``year, origin, destination``, float64.

    Raises
    ------
    KeyError
        For a label that the flow does not have.
    """
    where = [flow.get_index(d).get_indexer(cells[d]) for d in ("year", "origin", "destination")]
    for dim, w in zip(("year", "origin", "destination"), where):
        if (w < 0).any():
            raise KeyError(f"{dim} {cells[dim].iloc[int(np.flatnonzero(w < 0)[0])]!r} is not in the flow")
    return flow.transpose("year", "origin", "destination").values[tuple(where)].astype(np.float64)


def two_reports(panel: xr.Dataset, smallest: float = 100.0) -> pd.DataFrame:
    """Moves that the offices at both ends report, by residence, in the same collection.

    Parameters
    ----------
    panel : the panel.
    smallest : rows in which either office reports fewer persons are left out: their ratio is mostly rounding.

    Returns
    -------
    DataFrame: ``collection, corridor, year, arrivals`` (reported by the destination), ``departures`` (by the origin),
    ``ratio`` of departures to arrivals.
    """
    table = reported_flows(panel)
    table = table[(table.criterion == "residence") & (table.side != "both") & (table.persons >= smallest)]
    keys = ["collection", "corridor", "year"]
    sides = {side: rows.groupby(keys)["persons"].mean() for side, rows in table.groupby("side")}
    nothing = pd.Series(dtype=float, index=pd.MultiIndex.from_arrays([[], [], []], names=keys))
    both = pd.DataFrame({"arrivals": sides.get("immigration", nothing), "departures": sides.get("emigration", nothing)})
    both = both.dropna().reset_index()
    return both.assign(ratio=both.departures / both.arrivals)


def demographic_account(panel: xr.Dataset, places: Sequence[str], year: int) -> pd.DataFrame:
    """Population, births, deaths and net migration of a year, and what is left over.

    Returns
    -------
    DataFrame indexed by territory, persons: ``population`` (1 January), ``births, deaths, net_migration``,
    ``population_next``, and ``remainder`` = population_next − (population + births − deaths + net_migration).
    """
    here = panel.sel(residence=list(places))
    now = {k: here[k].sel(year=year).values for k in ("births", "deaths", "net_migration")}
    before, after = (here.population.sel(date_year=y).values for y in (year, year + 1))
    table = pd.DataFrame({"population": before, **now, "population_next": after},
                         index=pd.Index(places, name="territory"))
    return table.assign(remainder=after - (before + now["births"] - now["deaths"] + now["net_migration"]))


def status_table(panel: xr.Dataset) -> pd.DataFrame:
    """How the values of each series came about: shares of territory-years by status.

    Returns
    -------
    DataFrame indexed by variable, one column per status that occurs; rows sum to 1.
    """
    rows = {}
    for variable in panel.data_vars:
        flags = f"{variable}_status"
        if flags in panel and panel[flags].dims == ("year", "residence"):
            rows[str(variable)] = np.bincount(panel[flags].values.ravel(), minlength=len(STATUS))
    table = pd.DataFrame.from_dict(rows, orient="index", columns=list(STATUS))
    table = table.loc[:, table.sum() > 0]
    return table.div(table.sum(axis=1), axis=0).rename_axis("variable")


def territory_history(flow: xr.DataArray, territory: str) -> pd.DataFrame:
    """Arrivals, departures and net migration of one territory, persons, indexed by year.

    Raises
    ------
    InputError
        For a territory that the flow does not have.
    """
    if territory not in flow.origin.values:
        raise InputError("flow", f"no territory {territory!r}", "use one of flow.origin.values", key=territory)
    arrivals = flow.sel(destination=territory).sum("origin").to_series()
    departures = flow.sel(origin=territory).sum("destination").to_series()
    return pd.DataFrame({"arrivals": arrivals, "departures": departures, "net_migration": arrivals - departures})


def foreign_born(stock: xr.DataArray, date_year: int) -> pd.DataFrame:
    """Residents and how many of them were born elsewhere, on one 1 January; most foreign-born first.

    Parameters
    ----------
    stock : (date_year, birthplace, residence), persons, natives on the diagonal.
    date_year : the 1 January wanted.

    Returns
    -------
    DataFrame indexed by territory: ``name, residents, foreign_born, share``.
    """
    now = stock.sel(date_year=date_year).transpose("birthplace", "residence").values.astype(np.float64)
    residents = now.sum(0)
    abroad = residents - np.diagonal(now)
    codes = stock.residence.values.astype(str)
    table = pd.DataFrame({"name": territories()["name"].reindex(codes).to_numpy(), "residents": residents,
                          "foreign_born": abroad, "share": abroad / residents}, index=pd.Index(codes, name="territory"))
    return table.sort_values("foreign_born", ascending=False)


def true_and_estimated(truth: xr.DataArray, estimate: xr.DataArray, panel: xr.Dataset,
                       splits: xr.Dataset) -> pd.DataFrame:
    """Annual flows as they were and as they are estimated, each corridor marked by what the model saw of it.

    Returns
    -------
    DataFrame: ``year, origin, destination, true, estimated, seen``.

    Raises
    ------
    SchemaError
        When truth and estimate differ in years or territories.
    """
    dims = ("year", "origin", "destination")
    truth, estimate = truth.transpose(*dims), estimate.transpose(*dims)
    for d in dims:
        if not np.array_equal(truth[d].values, estimate[d].values):
            raise SchemaError("summaries", f"truth and estimate differ in {d}", "compare the same world", key=d)
    n = truth.sizes["origin"]
    seen = what_was_seen(panel, splits)
    year, o, d = np.nonzero(np.broadcast_to(~np.eye(n, dtype=bool), truth.shape))
    return pd.DataFrame({
        "year": truth.year.values[year], "origin": truth.origin.values[o], "destination": truth.destination.values[d],
        "true": truth.values[year, o, d].astype(np.float64),
        "estimated": estimate.values[year, o, d].astype(np.float64),
        "seen": seen.values[o, d]})


def what_was_seen(panel: xr.Dataset, splits: xr.Dataset) -> xr.DataArray:
    """What the model could see of each corridor: one of ``SEEN``.

    The first two kinds of corridor are reported by an office, by residence; the model learned from the reports or was
    kept from them. No office reports the other two: of one kind the model saw counts of a platform's users, of the
    other nothing at all.

    Returns
    -------
    (origin, destination) of str; empty on the diagonal.
    """
    n = panel.sizes["origin"]
    by_residence, platform = (np.array(x)[panel.flow_witness.values] for x in (
        panel.witness_criterion.values == "residence", np.isin(panel.witness_source.values, NOT_AN_OFFICE)))

    def spoken_of(chosen):
        corridors = np.zeros((n, n), dtype=bool)
        corridors[panel.flow_origin.values[chosen], panel.flow_destination.values[chosen]] = True
        return corridors

    office = spoken_of(by_residence & ~platform)
    told = splits.train.values & (office | spoken_of(by_residence & platform))
    kind = np.where(office, np.where(told, 0, 1), np.where(told, 2, 3))
    labels = np.where(np.eye(n, dtype=bool), "", np.array(SEEN)[kind])
    return xr.DataArray(labels, dims=("origin", "destination"),
                        coords={"origin": panel.origin.values, "destination": panel.destination.values})


def learned_biases(witness: Sequence[str], log_bias: np.ndarray) -> pd.DataFrame:
    """Factor by which each witness is taken to count, against what the model calls a move.

    Parameters
    ----------
    witness : labels ``source|reporter|side|criterion|flow_type`` of the panel.
    log_bias : (witness,), natural log; 0 for none.

    Returns
    -------
    DataFrame: ``witness, collection, reporter, side, criterion, log_bias, factor``; smallest factor first.

    Raises
    ------
    SchemaError
        When there is not one bias for each witness.
    """
    if len(witness) != len(log_bias):
        raise SchemaError("summaries", f"{len(log_bias)} biases for {len(witness)} witnesses", "give one each")
    log_bias = np.asarray(log_bias, dtype=np.float64)
    table = pd.DataFrame([(str(w), *str(w).split("|")[:4]) for w in witness],
                         columns=["witness", "collection", "reporter", "side", "criterion"])
    return table.assign(log_bias=log_bias, factor=np.exp(log_bias)).sort_values("factor", ignore_index=True)
