"""From the tidy tables of either profile to reconstructed flows: complete the stocks, choose a method, report.

The tables say less than a method needs. What is done about it, each time in the report:

- a pair that the revision lacks is filled from the newest older revision, then carried from its nearest stock year, so
  that a change of coverage does not look like migration; a pair that no revision has counts as nobody;
- the native-born are the population of mid-year less the known foreign-born; where the foreign-born exceed the
  population they are scaled, for the methods that need the number of natives, to the share that they have in the stock
  years before and after;
- a territory without one known foreign-born at either end of a period is unknown there. Montenegro and South Sudan are
  then taken together with Serbia and Sudan, from which they parted, and neither gets an estimate, as in the published
  estimates (Abel & Cohen 2019, update of 2020); others are left out of the period.
"""
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError
from ..schema import validate
from .accounts import Reconstruction, make_events, make_repairs, make_stock
from .demographic_accounting import predict_accounting
from .migration_rate import predict_migration_rate
from .pseudo_bayes import predict_pseudo_bayes
from .stock_difference import predict_stock_difference

SOURCE = "humanflows"
# Named as in the published estimates, of which these are the counterparts.
METHODS: dict[str, Callable[..., Reconstruction]] = {
    "sd_drop_neg": partial(predict_stock_difference, decrease="drop"),
    "sd_rev_neg": partial(predict_stock_difference, decrease="reverse"),
    "mig_rate": predict_migration_rate,
    "da_min_open": partial(predict_accounting, system="open"),
    "da_min_closed": partial(predict_accounting, system="closed"),
    "da_pb_closed": predict_pseudo_bayes,
}
FOREIGN_ONLY = frozenset({"sd_drop_neg", "sd_rev_neg", "mig_rate"})   # need no number of natives
PARTED = {"MNE": "SRB", "SSD": "SDN"}   # a new state and the one that it was part of
FIVE_YEARS = 5


@dataclass(frozen=True)
class Period:
    """Complete input of one period: stocks (birthplace, residence), births and deaths (residence,), persons.

    Natives are the population less the foreign-born, and negative where ``repairs`` says that the foreign-born exceed
    it; ``repaired_start`` and ``repaired_end`` are what the accounting methods are given then. ``merged`` territories
    stand for themselves and one that parted from them: they have no estimate of their own.
    """

    years: tuple[int, int]
    stock_start: xr.DataArray
    stock_end: xr.DataArray
    births: xr.DataArray
    deaths: xr.DataArray
    repaired_start: xr.DataArray
    repaired_end: xr.DataArray
    merged: tuple[str, ...]
    repairs: pd.DataFrame

    @property
    def name(self) -> str:
        """First and last year, for messages."""
        return f"{self.years[0]}–{self.years[1]}"

    def predict(self, method: str, *, by_birthplace: bool = True, **options) -> Reconstruction:
        """Flows of the period by one of ``METHODS``; see there for options and errors."""
        if method not in METHODS:
            raise InputError("reconstruct", f"unknown method {method!r}", f"use one of {', '.join(METHODS)}", self.name)
        stocks = (self.stock_start, self.stock_end) if method in FOREIGN_ONLY else (
            self.repaired_start, self.repaired_end)
        return METHODS[method](*stocks, self.births, self.deaths, period=self.name, by_birthplace=by_birthplace,
                               **options)


@dataclass(frozen=True)
class Report:
    """Reconstructed rows, what was repaired to get them, and how the fits ended.

    ``rows``: table ``reconstruction``. ``repairs``: ``method, period, repair, territory, before, after``; ``method`` is
    empty for what was done to the tables before any method. ``fits``: ``method, period, persons, territories,
    iterations, margin_error``; persons of all corridors, with those of merged territories that ``rows`` leave out.
    """

    rows: pd.DataFrame
    repairs: pd.DataFrame
    fits: pd.DataFrame


def reconstruct(tables: Mapping[str, pd.DataFrame], periods: Sequence[tuple[int, int]] | None = None, *,
                revision: int | None = None, method: str | Sequence[str] = "da_pb_closed",
                territories: Sequence[str] | None = None, **options) -> pd.DataFrame:
    """Flows between the stock years, as rows of the table ``reconstruction`` with source ``humanflows``.

    Parameters
    ----------
    tables : with ``stock`` and ``territory_year`` (births, deaths and population_midyear), of the world or a twin.
    periods : pairs of stock years. Default: those that follow each other at five years' distance, since a row of this
        table is read as a flow of five years. Another length is possible: name it, and mind it where rows are used.
    revision : of the stocks; default the newest. Older ones fill its gaps.
    method : one or several of ``METHODS``.
    territories : default all with births and population.
    **options : of the method.

    Returns
    -------
    Table ``reconstruction``; pairs estimated as zero are not stored. A territory without any row in a period has no
    estimate there.

    Raises
    ------
    InputError
        With the territory and the period, where the tables cannot be completed.
    """
    return reconstruct_reported(tables, periods, revision=revision, method=method, territories=territories,
                                **options).rows


def reconstruct_reported(tables: Mapping[str, pd.DataFrame], periods: Sequence[tuple[int, int]] | None = None, *,
                         revision: int | None = None, method: str | Sequence[str] = "da_pb_closed",
                         territories: Sequence[str] | None = None, **options) -> Report:
    """As :func:`reconstruct`, with the repairs and the convergence of each fit."""
    methods = [method] if isinstance(method, str) else list(method)
    rows, repairs, fits = [], [], []
    for period in build_periods(tables, periods, revision=revision, territories=territories):
        repairs.append(period.repairs.assign(method=""))
        for name in methods:
            made = period.predict(name, by_birthplace=False, **options)
            flow = made.flow.drop_sel({d: list(period.merged) for d in ("origin", "destination")})
            values, codes = flow.values, flow["origin"].values.astype(str)
            o, d = np.nonzero(values > 0)
            rows.append(pd.DataFrame({"source": SOURCE, "method": name, "year": np.int64(period.years[0]),
                                      "origin": codes[o], "destination": codes[d], "persons": values[o, d]}))
            repairs.append(made.repairs.assign(method=name))
            about = made.flow.attrs
            fits.append({"method": name, "period": period.name, "persons": float(made.flow.sum()),
                         "territories": made.flow.sizes["origin"],
                         "iterations": max([about["iterations"], *about.get("balance_iterations", [])]),
                         "margin_error": max([about.get("margin_error", 0.0), *about.get("balance_margin_error", [])])})
    columns = ["method", "period", "repair", "territory", "before", "after"]
    return Report(validate(pd.concat(rows, ignore_index=True), "reconstruction", file=SOURCE),
                  pd.concat(repairs, ignore_index=True)[columns].drop_duplicates(ignore_index=True),
                  pd.DataFrame(fits))


def build_periods(tables: Mapping[str, pd.DataFrame], periods: Sequence[tuple[int, int]] | None = None, *,
                  revision: int | None = None, territories: Sequence[str] | None = None) -> list[Period]:
    """Complete stocks, births and deaths of each period. Arguments and errors as of :func:`reconstruct`.

    Births and deaths from mid-year to mid-year are half of the first and last calendar years and all of those between.
    """
    stock, series = tables["stock"], _series(tables["territory_year"])
    if revision is None:
        revision = int(stock["revision"].max())
    if not (stock["revision"] == revision).any():
        raise InputError("stock", f"no stocks of revision {revision}", "use one of "
                         f"{sorted(stock['revision'].unique())}")
    years = sorted(int(y) for y in stock.loc[stock["revision"] == revision, "year"].unique())
    if periods is None:
        periods = [(a, b) for a, b in pairwise(years) if b - a == FIVE_YEARS]
    if not periods:
        raise InputError("stock", "no two stock years follow each other at five years' distance",
                         "name the periods", key=years)
    for start, end in periods:
        if start not in years or end not in years or start >= end:
            raise InputError("stock", "no stocks for the two years of a period", f"choose two of {years}",
                             key=f"{start}–{end}")
    places = sorted(series["births"].columns) if territories is None else list(territories)
    foreign, repairs = _complete_stocks(stock, revision, years, places)
    population = _chosen(series, "population_midyear", years, places)
    repaired, more = _fit_population(foreign, population, years, places)
    repairs = make_repairs(repairs + more)
    return [_build_period(start, end, foreign, repaired, population, years, places, series, repairs)
            for start, end in sorted(periods)]


def _series(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Births, deaths and mid-year population by year (rows) and territory (columns)."""
    series = {}
    for variable in ("births", "deaths", "population_midyear"):
        rows = frame[(frame["variable"] == variable) & frame["value"].notna()]
        if rows.empty:
            raise InputError("territory_year", f"no {variable}", "give births, deaths and population_midyear")
        if rows.duplicated(["territory", "year"]).any():
            first = rows[rows.duplicated(["territory", "year"])].iloc[0]
            raise InputError("territory_year", f"two numbers of {variable}", "keep one source",
                             key=f"{first['territory']}, {first['year']}")
        series[variable] = rows.pivot(index="year", columns="territory", values="value")
    return series


def _chosen(series, variable: str, years: Sequence[int], places: Sequence[str]) -> np.ndarray:
    """(year, territory) values; a missing one is refused by name."""
    values = series[variable].reindex(index=list(years), columns=list(places))
    if values.isna().to_numpy().any():
        y, p = np.argwhere(values.isna().to_numpy())[0]
        raise InputError("territory_year", f"no {variable}", "give it, or leave the territory out",
                         key=f"{places[p]}, {years[y]}")
    return values.to_numpy(dtype=np.float64)


def _complete_stocks(stock, revision, years, places) -> tuple[np.ndarray, list[tuple]]:
    """Foreign-born (year, birthplace, residence) without gaps, zero on the diagonal."""
    stock = stock[(stock["revision"] <= revision) & stock["year"].isin(years)]
    shape = (len(years), len(places), len(places))
    values, own = np.full(shape, np.nan), np.zeros(shape, bool)
    at = {c: pd.Index(i) for c, i in (("year", years), ("birthplace", places), ("residence", places))}
    for edition in sorted(stock["revision"].unique()):            # newer ones overwrite
        rows = stock[stock["revision"] == edition]
        where = tuple(at[c].get_indexer(rows[c]) for c in at)
        keep = np.all([w >= 0 for w in where], axis=0)
        where = tuple(w[keep] for w in where)
        values[where] = rows["persons"].to_numpy()[keep]
        own[where] = edition == revision
    older = np.isfinite(values) & ~own
    carried = _carry(values, years)
    new = np.isfinite(carried) & ~np.isfinite(values)
    absent = ~np.isfinite(carried)
    i = np.arange(len(places))
    absent[:, i, i] = False
    carried[~np.isfinite(carried)] = 0.0
    carried[:, i, i] = 0.0
    repairs = []
    for what, which in (("pairs filled from an older revision", older), ("pairs carried from another year", new),
                        ("pairs that no revision has, taken as nobody", absent)):
        number, people = which.sum(1), np.where(which, carried, 0.0).sum(1)
        repairs += [(str(years[y]), f"{what} ({number[y, r]})", places[r], 0.0, float(people[y, r]))
                    for y, r in np.argwhere(number > 0)]
    return carried, repairs


def _carry(values: np.ndarray, years: Sequence[int]) -> np.ndarray:
    """Each gap takes the number of the nearest year that has one, the earlier of two as near."""
    filled = values.copy()
    for y, year in enumerate(years):
        for z in sorted(range(len(years)), key=lambda z: (abs(years[z] - year), years[z])):
            filled[y] = np.where(np.isfinite(filled[y]), filled[y], values[z])
    return filled


def _fit_population(foreign: np.ndarray, population: np.ndarray, years, places) -> tuple[np.ndarray, list[tuple]]:
    """Scale the foreign-born where they exceed the population, to the share of the years around."""
    foreign, people = foreign.copy(), foreign.sum(1)
    share = np.divide(people, population, out=np.full(people.shape, np.inf), where=population > 0)
    repairs = []
    for y, r in np.argwhere(people > population):
        good = np.flatnonzero(share[:, r] < 1)
        if not len(good):
            raise InputError("stock", "more foreign-born than population in every stock year",
                             "mend the stocks or the population", key=f"{places[r]}, {years[y]}")
        wanted = np.interp(years[y], np.array(years)[good], share[good, r]) * population[y, r]
        foreign[y, :, r] *= wanted / people[y, r]
        repairs.append((str(years[y]), "foreign-born exceed the population: scaled to the share of the years around",
                        places[r], float(people[y, r]), float(wanted)))
    return foreign, repairs


def _build_period(start, end, foreign, repaired, population, years, places, series, repairs) -> Period:
    name, both = f"{start}–{end}", [years.index(start), years.index(end)]
    between = range(start, end + 1)
    weight = np.ones(len(between))
    weight[[0, -1]] = 0.5
    births, deaths = (weight @ _chosen(series, v, between, places) for v in ("births", "deaths"))
    known = (foreign[both].sum(1) > 0).all(0)
    joined, rows = {}, []                                   # position of a new state: of the one that it was part of
    for new, old in PARTED.items():
        if {new, old} <= set(places) and not known[places.index(new)] and known[places.index(old)]:
            joined[places.index(new)] = places.index(old)
            rows.append((name, f"no foreign-born known: taken together with {old}", new, np.nan, np.nan))
    left_out = [i for i in np.flatnonzero(~known) if i not in joined]
    rows += [(name, "no foreign-born known: left out", places[i], np.nan, np.nan) for i in left_out]
    keep = np.flatnonzero(known)
    names = [places[i] for i in keep]
    if len(keep) < 2:
        raise InputError("stock", "fewer than two territories have foreign-born at both dates", "give more stocks",
                         key=name)
    for new, old in joined.items():
        births[old] += births[new]
        deaths[old] += deaths[new]

    def table(values, y):
        values = values[y].copy()
        np.fill_diagonal(values, population[y] - values.sum(0))
        # Those born in a territory that is left out stay in the population: they count as natives of where they live.
        natives = np.diag(values) + values[left_out].sum(0)
        np.fill_diagonal(values, natives)
        for new, old in joined.items():
            values[old] += values[new]
            values[:, old] += values[:, new]
        return make_stock(values[np.ix_(keep, keep)], names)

    mine = repairs[repairs["period"].isin([str(start), str(end)])]
    return Period((start, end), *(table(foreign, y) for y in both), make_events(births[keep], names, "births"),
                  make_events(deaths[keep], names, "deaths"), *(table(repaired, y) for y in both),
                  tuple(places[old] for old in joined.values()),
                  pd.concat([mine, make_repairs(rows)], ignore_index=True))
