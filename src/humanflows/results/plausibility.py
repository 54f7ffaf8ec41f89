"""Whether estimates are plausible: what no report, no displaced person and no population explains is listed.

Every check takes flows or stocks as arrays with names, of a release or of one member in training, and tables of what
sources say of territories and corridors (``panel.reported_totals``). It returns what is beyond the stated range, worst
first, as a DataFrame with the columns ``VIOLATION_COLUMNS``; ``attrs["judged"]`` is the number of cases looked at.

>>> estimates = as_estimates(flow, stock, years, codes)
>>> describe_plausibility(estimates, read_totals(paths.PANEL))
"""
from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError, NegativeCountError, SchemaError
from ..panel.reported_totals import ARRIVALS, DEPARTURES, DIRECTIONS
from ..territories import name

# ``place``: a territory, a corridor as "MEX-USA", or WORLD. Estimate and range are persons; ``reported`` is the largest
# report of the same quantity and ``displaced`` what UNHCR counts of it, NaN where the check asks neither.
VIOLATION_COLUMNS = ("check", "place", "year", "estimate", "lower", "upper", "reported", "displaced")
SUMMARY_COLUMNS = ("check", "threshold", "judged", "violations", "share", "worst")
WORLD = "world"

# An estimate may exceed a report by a quarter: offices without deregistration, and any that count by citizenship,
# miss so many of those who came that the report is no ceiling.
REPORT_MARGIN = 1.25
# Persons beyond a range below which a rate says nothing: the smallest territory has fewer than two thousand residents.
RATE_PERSONS = 100.0
# Residents are births, deaths and moves added up: a tenth away from WPP, the account of moves does not close.
RESIDENTS_FACTOR, RESIDENTS_PERSONS = 1.10, 100.0
# UN DESA's revisions of 2020 and 2024 are further apart than this in 5.3% of 1,595 territories and years.
# Below a thousand persons a ratio says little.
FOREIGN_FACTOR, FOREIGN_PERSONS = 1.25, 1_000.0
# A flow of ten thousand of which neither neighbouring year knows a fifth is an event that somebody would have counted.
SPIKE_FACTOR, SPIKE_PERSONS = 5.0, 10_000.0
# Change of a total from one year to the next that is beyond what the same total does in other years. Changes have heavy
# tails: 5.5% of the 14,479 changes of release 1.1 in which no source begins or ends are beyond four robust standard
# deviations, so that as many are to be expected where one does. A quarter (world: a twentieth) need nobody explain.
JUMP_DEVIATIONS, JUMP_FACTOR, JUMP_PERSONS = 4.0, 1.25, 500.0
WORLD_FACTOR, WORLD_TERRITORIES = 1.05, 20       # a collection of fewer territories cannot move the world's total
FEWEST_OTHER_YEARS = 8                           # from which a distribution of changes is worth having
ROBUST = 1.4826     # standard deviation of a normal distribution over its median absolute deviation
# The territories below 1.2 million residents, most of them without an office that reports.
SMALLEST_TERRITORIES, SMALL_FACTOR, SMALL_PERSONS, SMALL_YEARS = 72, 2.0, 100.0, (2019, 2024)

FLOW_DIMS = ("year", "origin", "destination")
STOCK_DIMS = ("date_year", "birthplace", "residence")


def as_estimates(flow, stock, years: Collection[int], codes: Collection[str]) -> xr.Dataset:
    """Arrays of a member or a release as a dataset that the checks take.

    Parameters
    ----------
    flow : [year, origin, destination] persons during the calendar year.
    stock : [date_year, birthplace, residence] persons on 1 January, one date more than years; natives included.
    years, codes : of the flows and of all territories.

    Raises
    ------
    InputError
        For arrays of another shape, or with NaN or infinite numbers; NegativeCountError for numbers below zero.
    """
    years, codes = np.asarray(list(years), dtype=int), np.asarray(list(codes), dtype=str)
    if len(years) == 0 or len(set(codes.tolist())) != len(codes) or (np.diff(years) != 1).any():
        raise InputError("estimates", "years that do not follow on one another, or a territory that stands twice",
                         "give every year once, in order, and every territory once")
    dates = np.append(years, years[-1] + 1)
    found = {}
    for which, values, dims, labels in (("flow", flow, FLOW_DIMS, (years, codes, codes)),
                                        ("stock", stock, STOCK_DIMS, (dates, codes, codes))):
        array, wanted = np.asarray(values, dtype=float), tuple(map(len, labels))
        if array.shape != wanted:
            raise InputError(which, f"has the shape {array.shape}, not {wanted}",
                             f"give an array [{', '.join(dims)}]; stocks have one date more than flows have years")
        found[which] = xr.DataArray(array, dict(zip(dims, labels)), dims)
    estimates = xr.Dataset(found)
    _values(estimates.flow, FLOW_DIMS), _values(estimates.stock, STOCK_DIMS)
    return estimates


def check_rates(flow: xr.DataArray, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Arrivals and departures beyond what offices of territories of that size ever reported.

    Parameters
    ----------
    flow : as of ``as_estimates``.
    tables : by name, as of ``panel.reported_totals``: ``plausible_rates, territory_states, reported_totals,
        reported_corridors``.

    Returns
    -------
    ``VIOLATION_COLUMNS``. The range is [lowest, highest] of the rates of the territory's class of residents, times its
    population; the upper end is raised to ``REPORT_MARGIN`` times the largest report of that territory, direction and
    year, or to WPP's net migration and the highest rate on top where net migration alone is beyond that rate; and by
    the displaced people who came or left.
    """
    values, years, codes = _values(flow, FLOW_DIMS), flow["year"].values, flow["origin"].values.astype(str)
    states, rates = tables["territory_states"], tables["plausible_rates"]
    population, net = (_grid(states, c, years, codes, whole=c == "population") for c in ("population", "net_migration"))
    rows = []
    for direction, axis, sign in ((ARRIVALS, 1, 1.0), (DEPARTURES, 2, -1.0)):
        part = rates[rates["direction"] == direction].sort_values("from_population")
        if part.empty:
            raise SchemaError("plausible_rates", "has no row of a direction", "run scripts/describe_panel.py again",
                              key=direction)
        place = np.clip(np.searchsorted(part["from_population"], population, side="right") - 1, 0, None)
        lower, upper = (part[c].to_numpy()[place] / 1000 * population for c in ("lowest", "highest"))
        reported = _reported(tables, direction, years, codes)
        displaced = np.nan_to_num(_grid(states, f"displaced_{direction}", years, codes))
        forced = np.where(sign * np.nan_to_num(net) > upper, sign * np.nan_to_num(net) + upper, 0.0)
        bound = np.maximum(np.maximum(upper, REPORT_MARGIN * reported), forced) + displaced
        total = values.sum(axis)
        beyond = (total > bound + RATE_PERSONS) | (total < lower - RATE_PERSONS)
        rows.append(_listed(f"rate of {direction}", beyond, years, codes, total, lower, bound, reported, displaced))
    return _worst_first(pd.concat(rows), 2 * population.size)


def check_residents(stock: xr.DataArray, states: pd.DataFrame, dates: Collection[int] | None = None) -> pd.DataFrame:
    """Residents, natives included, further than ``RESIDENTS_FACTOR`` from the population of WPP.

    Parameters
    ----------
    stock : as of ``as_estimates``.
    states : table ``territory_states``.
    dates : years on whose 1 January to compare; all by default.
    """
    values, every = _values(stock, STOCK_DIMS), stock["date_year"].values
    codes, chosen = stock["residence"].values.astype(str), _chosen(every, dates)
    population = _grid(states, "population", every[chosen], codes, whole=True)
    return _apart("residents", values[chosen].sum(1), population, every[chosen], codes, RESIDENTS_FACTOR,
                  RESIDENTS_PERSONS)


def check_foreign_born(stock: xr.DataArray, foreign_born: pd.DataFrame,
                       years: Collection[int] | None = None) -> pd.DataFrame:
    """Foreign-born residents further than ``FOREIGN_FACTOR`` from the totals of UN DESA.

    Stocks of 1 January are averaged over the two ends of a year, since UN DESA's are of mid-year.

    Parameters
    ----------
    stock : as of ``as_estimates``.
    foreign_born : columns ``territory, year, persons``; what it does not have is not judged.
    years : to compare; all that the table has by default.
    """
    values, codes = _values(stock, STOCK_DIMS), stock["residence"].values.astype(str)
    every = stock["date_year"].values[:-1]
    known = [y for y in every if (foreign_born["year"] == y).any()]
    found = np.asarray(known)[_chosen(np.asarray(known), years)]
    place = np.searchsorted(every, found)
    born = values.sum(1) - np.diagonal(values, axis1=1, axis2=2)
    return _apart("foreign-born", (born[place] + born[place + 1]) / 2, _grid(foreign_born, "persons", found, codes),
                  found, codes, FOREIGN_FACTOR, FOREIGN_PERSONS)


def check_spikes(flow: xr.DataArray, corridors: pd.DataFrame) -> pd.DataFrame:
    """Flows of one year above ``SPIKE_PERSONS`` and ``SPIKE_FACTOR`` times both neighbouring years' that nothing says.

    Parameters
    ----------
    flow : as of ``as_estimates``. The first and last year have one neighbour and are not judged.
    corridors : table ``reported_corridors``; a corridor and year that it lacks is reported by nobody, or by fewer than
        a spike's fifth.

    Returns
    -------
    Spikes above ``SPIKE_FACTOR`` times the larger of the largest report and of UNHCR's displaced people;
    ``attrs["judged"]`` is the number of all spikes.
    """
    values, years, codes = _values(flow, FLOW_DIMS), flow["year"].values, flow["origin"].values.astype(str)
    neighbours = np.full(values.shape, np.inf)
    neighbours[1:-1] = np.maximum(values[:-2], values[2:])
    limit = np.maximum(SPIKE_PERSONS, SPIKE_FACTOR * neighbours)
    y, o, d = np.nonzero(values > limit)
    keys = pd.DataFrame({"year": years[y], "origin": codes[o], "destination": codes[d]})
    said = keys.merge(_once(corridors, ["year", "origin", "destination"], "reported_corridors"), how="left")
    said = said[["report", "displaced"]].fillna(0.0).to_numpy(dtype=float)
    upper = np.maximum(limit[y, o, d], SPIKE_FACTOR * said.max(axis=1, initial=0.0))
    table = pd.DataFrame({"check": "one-year spike", "place": keys["origin"] + "-" + keys["destination"],
                          "year": keys["year"], "estimate": values[y, o, d], "lower": 0.0, "upper": upper,
                          "reported": said[:, 0], "displaced": said[:, 1]})
    return _worst_first(table[table["estimate"] > table["upper"]], len(table))


def check_jumps(flow: xr.DataArray, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Jumps of a territory's arrivals or departures in the year in which a source of it begins, or first is silent.

    Parameters
    ----------
    flow : as of ``as_estimates``.
    tables : ``reported_totals`` and ``territory_states``.

    Returns
    -------
    ``VIOLATION_COLUMNS``; ``year`` is the later one of the two, the range what the year before and the territory's
    other changes allow. A change is first lessened by that of sources that report in both years, of displaced people
    or of WPP's net migration, whichever goes its way furthest. It is a violation when what is left is beyond
    ``JUMP_DEVIATIONS`` robust standard deviations of the territory's changes in years without such an event, and beyond
    ``JUMP_FACTOR`` and ``JUMP_PERSONS``. Territories with fewer than ``FEWEST_OTHER_YEARS`` such years are not judged.
    """
    values, years, codes = _values(flow, FLOW_DIMS), flow["year"].values, flow["origin"].values.astype(str)
    rows, judged = [], 0
    for direction, axis, sign in ((ARRIVALS, 1, 1.0), (DEPARTURES, 2, -1.0)):
        total = values.sum(axis)
        reports = _series(tables["reported_totals"], direction, years, codes)
        said = _explained(total, reports, tables["territory_states"], direction, sign, years, codes)
        events = np.zeros((len(years) - 1, len(codes)), dtype=bool)
        for series in reports.values():
            events |= _edges(np.isfinite(series))
        for t in np.flatnonzero(events.any(0)):
            jump = _judge(total[:, t], said[:, t], events[:, t], JUMP_FACTOR)
            if jump is None:
                continue
            judged += int(events[:, t].sum())
            for k in np.flatnonzero(jump.beyond & events[:, t] & (np.abs(jump.left) >= JUMP_PERSONS)):
                rows.append((f"jump of {direction}", codes[t], int(years[k + 1]), total[k + 1, t], jump.lower[k],
                             jump.upper[k], total[k, t] + said[k, t], np.nan))
    return _worst_first(pd.DataFrame(rows, columns=list(VIOLATION_COLUMNS)), judged)


def check_world_jumps(flow: xr.DataArray, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Jumps of the world's total in the year in which a collection of many territories begins, or first is silent.

    As ``check_jumps``, with ``WORLD_FACTOR``; a collection counts from ``WORLD_TERRITORIES`` territories on. Sums of
    displaced people and of the reports of sources that go on in both years explain a change.
    """
    values, years, codes = _values(flow, FLOW_DIMS), flow["year"].values, flow["origin"].values.astype(str)
    total, events, told = values.sum((1, 2)), np.zeros(len(years) - 1, dtype=bool), np.zeros((len(years) - 1, 2))
    for direction in DIRECTIONS:
        reports = _series(tables["reported_totals"], direction, years, codes)
        for source in {s for s, _ in reports}:
            known = np.any([np.isfinite(v) for (s, _), v in reports.items() if s == source], axis=0)
            if known.any(0).sum() >= WORLD_TERRITORIES:
                events |= _edges(known.any(1)[:, None])[:, 0]
        # Of several sources of one territory the one with the highest level speaks: others miss more.
        level, change = np.full((len(years) - 1, len(codes)), -1.0), np.zeros((len(years) - 1, len(codes)))
        for series in reports.values():
            better = np.nan_to_num(series[:-1] + 0 * series[1:], nan=-1.0) > level
            level, change = np.where(better, series[:-1], level), np.where(better, np.diff(series, axis=0), change)
        told[:, DIRECTIONS.index(direction)] = change.sum(1)
    displaced = np.nan_to_num(_grid(tables["territory_states"], f"displaced_{ARRIVALS}", years, codes)).sum(1)
    said = _towards(np.diff(total), np.stack([*told.T, np.diff(displaced)]))
    jump = _judge(total, said, events, WORLD_FACTOR)
    rows = [] if jump is None else [
        ("jump of the world", WORLD, int(years[k + 1]), total[k + 1], jump.lower[k], jump.upper[k], total[k] + said[k],
         displaced[k + 1]) for k in np.flatnonzero(jump.beyond & events)]
    return _worst_first(pd.DataFrame(rows, columns=list(VIOLATION_COLUMNS)), 0 if jump is None else int(events.sum()))


def check_small_territories(flow: xr.DataArray, tables: Mapping[str, pd.DataFrame],
                            years: tuple[int, int] = SMALL_YEARS) -> pd.DataFrame:
    """Arrivals of the smallest territories that more than double between two years while nothing says so.

    Parameters
    ----------
    flow : as of ``as_estimates``.
    tables : ``reported_totals`` and ``territory_states``.
    years : first and second; by default those before and after the four years of which the platform reports.

    Raises
    ------
    InputError
        When a year is not one of the estimates'.
    """
    values, every, codes = _values(flow, FLOW_DIMS), flow["year"].values, flow["origin"].values.astype(str)
    if missing := [y for y in years if y not in every]:
        raise InputError("flow", "a year to compare is not among those of the estimates", "name two of its years",
                         key=missing[0])
    pair = np.asarray(years)
    total = values.sum(1)[np.searchsorted(every, pair)]
    population = _grid(tables["territory_states"], "population", pair[1:], codes, whole=True)[0]
    small = np.argsort(population, kind="stable")[:SMALLEST_TERRITORIES]
    reports = _series(tables["reported_totals"], ARRIVALS, pair, codes)
    said = _explained(total, reports, tables["territory_states"], ARRIVALS, 1.0, pair, codes)[0]
    upper = SMALL_FACTOR * total[0] + SMALL_PERSONS + said
    beyond = np.zeros(len(codes), dtype=bool)
    beyond[small] = total[1, small] > upper[small]
    table = _listed("small territory doubles", beyond[None], pair[1:], codes, total[1:], np.zeros((1, len(codes))),
                    upper[None], (total[0] + said)[None], np.full((1, len(codes)), np.nan))
    return _worst_first(table, len(small))


def check_all(estimates: xr.Dataset, tables: Mapping[str, pd.DataFrame]) -> dict[str, tuple[str, pd.DataFrame]]:
    """Every check: its name, its threshold in words, and the violations.

    Parameters
    ----------
    estimates : ``flow`` and ``stock``, as of ``as_estimates`` or ``results.release.open_release``.
    tables : as of ``panel.reported_totals.read_totals`` or ``describe_totals``.
    """
    flow, stock = estimates["flow"], estimates["stock"]
    states, foreign = tables["territory_states"], tables["foreign_born"]
    last_date, last_count = int(stock["date_year"].values[-1]), int(foreign["year"].max())
    percent = f"within a factor {RESIDENTS_FACTOR} of WPP"
    factor = f"within a factor {FOREIGN_FACTOR} of UN DESA, or {FOREIGN_PERSONS:,.0f} persons"
    deviations = f"{JUMP_DEVIATIONS:.0f} robust deviations of other years' changes"
    return {
        "crude rates": ("lowest to highest rate reported by size class, or a report, or displaced people",
                        check_rates(flow, tables)),
        "residents": (percent, check_residents(stock, states)),
        f"residents {last_date}": (percent, check_residents(stock, states, [last_date])),
        "foreign-born": (factor, check_foreign_born(stock, foreign)),
        f"foreign-born {last_count}": (factor, check_foreign_born(stock, foreign, [last_count])),
        "one-year spikes": (f"{SPIKE_FACTOR:.0f} times the largest report or the displaced",
                            check_spikes(flow, tables["reported_corridors"])),
        "jumps of territories": (f"{deviations}, and a factor {JUMP_FACTOR}", check_jumps(flow, tables)),
        "jumps of the world": (f"{deviations}, and a factor {WORLD_FACTOR}", check_world_jumps(flow, tables)),
        "small territories": (f"arrivals {SMALL_YEARS[1]} at most {SMALL_FACTOR:.0f} times those of {SMALL_YEARS[0]}",
                              check_small_territories(flow, tables))}


def describe_plausibility(checked: Mapping[str, tuple[str, pd.DataFrame]]) -> pd.DataFrame:
    """One row a check: threshold, cases judged, violations, their share, and the worst.

    Parameters
    ----------
    checked : as of ``check_all``.

    Returns
    -------
    ``SUMMARY_COLUMNS``; ``share`` is NaN where nothing was judged, ``worst`` empty where nothing was found.
    """
    rows = []
    for check, (threshold, found) in checked.items():
        judged = int(found.attrs["judged"])
        rows.append((check, threshold, judged, len(found), len(found) / judged if judged else np.nan,
                     _in_words(found.iloc[0]) if len(found) else ""))
    return pd.DataFrame(rows, columns=list(SUMMARY_COLUMNS))


def _in_words(row: pd.Series) -> str:
    places = " to ".join(p if p == WORLD else name(p) for p in row["place"].split("-"))
    return f"{places} {row['year']}: {row['estimate']:,.0f}, allowed {row['lower']:,.0f} to {row['upper']:,.0f}"


class _Jump(NamedTuple):
    beyond: np.ndarray      # (change,) bool
    left: np.ndarray        # (change,) persons that nothing explains
    lower: np.ndarray       # (change,) persons of the later year that are allowed
    upper: np.ndarray


def _judge(total: np.ndarray, said: np.ndarray, events: np.ndarray, factor: float) -> _Jump | None:
    """Changes of one series [year] beyond what those without an event do, after what is said of them [change]."""
    if (~events).sum() < FEWEST_OTHER_YEARS:
        return None
    change = np.diff(total)
    left = np.sign(change) * np.maximum(np.abs(change) - np.abs(said), 0.0)
    # What explains a rise is taken from the later year, what explains a fall from the earlier one: neither goes below
    # the smaller of the two.
    before = np.where(change < 0, total[1:] - left, total[:-1])
    log = np.log((before + left + 1) / (before + 1))
    middle = np.median(log[~events])
    limit = np.maximum(JUMP_DEVIATIONS * ROBUST * np.median(np.abs(log[~events] - middle)), np.log(factor))
    lower, upper = ((before + 1) * np.exp(middle + s * limit) - 1 + np.where(change > 0, total[1:] - before - left, 0.0)
                    for s in (-1, 1))
    return _Jump(np.abs(log - middle) > limit, left, np.maximum(lower, 0.0), upper)


def _edges(known: np.ndarray) -> np.ndarray:
    """Changes [year − 1, territory] at which a series [year, territory] begins, or after which it is silent."""
    begun = np.maximum.accumulate(known, axis=0)
    goes_on = np.maximum.accumulate(known[::-1], axis=0)[::-1]
    return (~begun[:-1] & begun[1:]) | (goes_on[:-1] & ~goes_on[1:])


def _towards(change: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Of candidates [candidate, ...] the one that goes furthest the way of a change [...], at most all of it."""
    best = np.max(np.sign(change) * np.nan_to_num(candidates), axis=0, initial=0.0)
    return np.sign(change) * np.minimum(best, np.abs(change))


def _explained(total: np.ndarray, reports: Mapping, states: pd.DataFrame, direction: str, sign: float,
               years: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Part of each change of totals [year, territory] that reports, displaced people or net migration explain."""
    displaced = _grid(states, f"displaced_{direction}", years, codes)
    net = sign * _grid(states, "net_migration", years, codes)
    return _towards(np.diff(total, axis=0), np.stack([np.diff(a, axis=0) for a in (displaced, net, *reports.values())]))


def _series(reports: pd.DataFrame, direction: str, years: np.ndarray, codes: np.ndarray) -> dict[tuple, np.ndarray]:
    """Totals [year, territory] by source and criterion; NaN where there is no report."""
    part = reports[reports["direction"] == direction]
    return {key: _grid(rows, "persons", years, codes) for key, rows in part.groupby(["source", "criterion"])}


def _reported(tables: Mapping[str, pd.DataFrame], direction: str, years, codes) -> np.ndarray:
    """Largest report of a total [year, territory]: of a source, or the sum of the largest reports of its corridors."""
    end = "destination" if direction == ARRIVALS else "origin"
    corridors = tables["reported_corridors"].rename(columns={end: "territory"})
    summed = corridors.groupby(["year", "territory"], as_index=False)["report"].sum()
    totals = _series(tables["reported_totals"], direction, years, codes).values()
    return np.nan_to_num(np.stack([*totals, _grid(summed, "report", years, codes)])).max(0)


def _apart(check: str, estimate: np.ndarray, source: np.ndarray, years: np.ndarray, codes: np.ndarray, factor: float,
           persons: float) -> pd.DataFrame:
    """Estimates [year, territory] further than a factor and a number of persons from a source's; NaN is not judged."""
    known = np.isfinite(source)
    lower, upper = np.minimum(source / factor, source - persons), np.maximum(source * factor, source + persons)
    beyond = known & ((estimate > upper) | (estimate < lower))
    nothing = np.full(source.shape, np.nan)
    return _worst_first(_listed(check, beyond, years, codes, estimate, np.maximum(lower, 0), upper, source, nothing),
                        int(known.sum()))


def _listed(check, beyond, years, codes, estimate, lower, upper, reported, displaced) -> pd.DataFrame:
    y, t = np.nonzero(beyond)
    numbers = {c: np.asarray(a)[y, t] for c, a in zip(VIOLATION_COLUMNS[3:],
                                                      (estimate, lower, upper, reported, displaced))}
    return pd.DataFrame({"check": check, "place": codes[t], "year": years[y].astype(int), **numbers})


def _worst_first(table: pd.DataFrame, judged: int) -> pd.DataFrame:
    """Sorted by how many times an estimate is beyond its range, a hundred persons added to both for small numbers."""
    over = (table["estimate"] + 100) / (table["upper"] + 100)
    under = (table["lower"] + 100) / (table["estimate"] + 100)
    order = np.argsort(-np.maximum(over, under).to_numpy(dtype=float), kind="stable")
    table = table.iloc[order][list(VIOLATION_COLUMNS)].reset_index(drop=True)
    table.attrs["judged"] = judged
    return table


def _chosen(every: np.ndarray, wanted: Collection[int] | None) -> np.ndarray:
    """Places of the years that are wanted among those that there are."""
    if wanted is None:
        return np.arange(len(every))
    if missing := [y for y in wanted if y not in every]:
        raise InputError("estimates", "a year to compare is not there", f"name some of {every.min()} to {every.max()}"
                         if len(every) else "give a table with years of the estimates", key=missing[0])
    return np.searchsorted(every, sorted(wanted))


def _once(table: pd.DataFrame, keys: list[str], file: str) -> pd.DataFrame:
    """A table in which no key stands twice."""
    twice = table.duplicated(keys)
    if twice.any():
        raise SchemaError(file, "a key stands twice", "keep one of the rows",
                          key=", ".join(str(v) for v in table.loc[twice, keys].iloc[0]))
    return table


def _grid(table: pd.DataFrame, column: str, years: np.ndarray, codes: np.ndarray, *, whole: bool = False) -> np.ndarray:
    """A column of a table by year and territory as an array [year, territory]; NaN where it has no row.

    Raises
    ------
    SchemaError
        When a key stands twice, or, for a ``whole`` column, when a territory or year is missing or not above zero.
    """
    rows = _once(table, ["year", "territory"], column)
    y = pd.Index(years).get_indexer(rows["year"])
    t = pd.Index(codes).get_indexer(rows["territory"])
    values = np.full((len(years), len(codes)), np.nan)
    inside = (y >= 0) & (t >= 0)
    values[y[inside], t[inside]] = pd.to_numeric(rows[column]).to_numpy(dtype=float, na_value=np.nan)[inside]
    if whole and not (values > 0).all():
        k, c = np.argwhere(~(values > 0))[0]
        raise SchemaError(column, "no number above zero for a territory and year of the estimates",
                          "run scripts/describe_panel.py on the panel that the estimates were made from",
                          key=f"{codes[c]}, {years[k]}")
    return values


def _values(array: xr.DataArray, dims: tuple[str, ...]) -> np.ndarray:
    """Numbers of an array with these dimensions, checked."""
    if array.dims != dims:
        raise InputError(array.name or "array", f"has the dimensions {array.dims}", f"transpose it to {dims}")
    values = array.values.astype(float)
    for bad, error, problem in ((~np.isfinite(values), InputError, "a number that is missing or infinite"),
                                (values < 0, NegativeCountError, "a number of persons below zero")):
        if bad.any():
            where = ", ".join(str(array[d].values[k]) for d, k in zip(dims, np.argwhere(bad)[0]))
            raise error(array.name or "array", problem, "give persons, zero where nobody is", key=where)
    return values
