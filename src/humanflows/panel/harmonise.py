"""From tidy tables to one panel: everything the model reads, on common dimensions and dates.

What is decided here, and nowhere else:

- Stocks are mid-year figures, states are 1 January figures. The state of 1 January 1990 is the mid-1990 stock carried
  back half a year along its own change to 1995; natives are the population less the foreign-born.
- Where the newest revision of the stocks is silent, older revisions fill the starting state (never the witnesses:
  each revision stays a witness of its own).
- A series that ends before the last year is carried forward and flagged; nothing is carried backward silently.
- An absent flow or stock is unknown, not zero; so is a pair of displaced people that was listed and is listed no more
  (``panel.displaced``). An absent traded pair is zero where its source covers it.
- A number that two collections publish is in the panel twice and has one vote (``panel.publications``).
- Totals and remainders by reporter, sums over several years, and what bounds a move without being one (visas, permits,
  asylum applications, returns of refugees, encounters at borders) are data of their own.
"""
from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError, SchemaError
from ..schema import STATUS, SYSTEMS_TABLE, VARIABLES
from .displaced import fill_displaced
from .publications import repeated_reports
from .report_priors import report_priors

SERIES = ("births", "deaths", "population_change", "population_midyear", "net_migration", "net_migration_national",
          "life_expectancy", "gdp_per_capita", "gdp", "gdp_growth", "conflict_deaths", "eu_member", "democracy",
          "liberal_democracy")
CARRIED = ("life_expectancy", "gdp_per_capita", "gdp", "gdp_growth", "conflict_deaths", "eu_member", "democracy",
           "liberal_democracy")
REQUIRED = ("births", "deaths", "net_migration")  # without these the bookkeeping has no known part
PAIRS = ("distance", "common_language", "colonial_tie", "religious_similarity", "contiguity", "visa_ease")
OPTIONAL = ("democracy", "liberal_democracy", "visa_ease")  # left out of a panel of which no source tells them
PAIR_SERIES = ("displaced_stock", "displaced_flow", "trade")
INDICATORS = ("visas_issued", "study_permits", "work_permits", "first_permits", "valid_permits", "temporary_protection",
              "asylum_applications", "refugees_returned", "refugees_resettled", "border_encounters", "transits",
              "removals")   # of pairs; none is a move of residence, each bounds or follows one
MARGIN_KEYS = ("source", "quantity", "side", "criterion", "group")
FLOW_KEYS = ("source", "reporter", "side", "criterion", "flow_type")


def harmonise(tables: dict[str, pd.DataFrame], territories: Sequence[str], years: Sequence[int],
              about: dict[str, dict] | None = None) -> xr.Dataset:
    """Bring tidy tables to one panel.

    Parameters
    ----------
    tables : the tables of ``schema.TABLES`` by name; ``stock``, ``flow`` and ``territory_year`` are needed. Beside
        them may stand ``SYSTEMS_TABLE``, definitions of the reports (``reporting_systems.read_systems``); those of the
        real world's offices by default.
    territories : alpha-3 codes, the order of every territorial dimension.
    years : consecutive calendar years.
    about : per source its ``title``, ``licence`` and ``definition``, written into the attributes.

    Returns
    -------
    Dataset with dimensions ``year``, ``date_year`` (1 January, one longer), ``stock_year``, ``revision``,
    ``birthplace``, ``residence``, ``origin``, ``destination``, ``witness`` and ``observation``; where the tables hold
    any, also ``indicator`` and ``indicator_observation``, ``margin`` and ``margin_observation``, and
    ``period_observation``.

    Raises
    ------
    SchemaError
        For a report without a definition.
    InputError
        When a territory lacks births, deaths, net migration or population, naming it.
    """
    territories, years = list(territories), list(years)
    about = about or {}
    panel = xr.Dataset(coords={
        "year": ("year", years), "date_year": ("date_year", [*years, years[-1] + 1]),
        **{d: (d, territories) for d in ("birthplace", "residence", "origin", "destination")},
    })
    panel = panel.assign(_territory_series(tables["territory_year"], territories, years, about))
    panel = panel.assign(_population(tables["territory_year"], panel, about))
    stock = tables["stock"][tables["stock"].year.between(years[0], years[-1])]
    panel = panel.assign(_stocks(stock, territories, about))
    panel = panel.assign(_initial_stock(panel))
    if "pair" in tables:
        panel = panel.assign(_pairs(tables["pair"], territories, about))
    if "pair_year" in tables:
        panel = panel.assign(_pair_series(tables["pair_year"], territories, years, about))
        panel = panel.assign(_indicators(tables["pair_year"], territories, years))
    panel = panel.assign(_witnesses(tables["flow"], territories, years))
    panel = panel.assign(report_priors(panel, tables.get(SYSTEMS_TABLE)))
    if "margin" in tables:
        panel = panel.assign(_margins(tables["margin"], territories, years))
    if "period_flow" in tables:
        panel = panel.assign(_period_flows(tables["period_flow"], territories, years))
    if "reconstruction" in tables and len(tables["reconstruction"]):
        panel = panel.assign(_reconstructions(tables["reconstruction"], territories, years))
    panel.attrs.update(title="humanflows panel", conventions="persons; stocks of stock_year at mid-year, states of "
                       "date_year on 1 January; flows during a calendar year", source=", ".join(_sources(tables)))
    return panel


def _sources(tables) -> list[str]:
    return sorted({s for name, frame in tables.items() if name != SYSTEMS_TABLE for s in frame["source"].unique()})


def _positions(values: pd.Series, labels: Sequence) -> np.ndarray:
    """Position of each value in labels, −1 where it is not among them; each distinct value is looked up once."""
    code, distinct = pd.factorize(values)
    found = pd.Index(labels).get_indexer(pd.Index(distinct))
    return np.append(found, -1)[code]  # a missing value has code −1


def _attributes(variable: str, frame: pd.DataFrame, about: dict) -> dict:
    sources = sorted(frame["source"].unique())
    first = about.get(sources[0], {}) if sources else {}
    return {"units": VARIABLES[variable]["unit"], "long_name": VARIABLES[variable]["long_name"],
            "source": ", ".join(sources), "licence": first.get("licence", "simulated"),
            "definition": first.get("definition", VARIABLES[variable]["long_name"])}


def _territory_series(frame, territories, years, about) -> dict:
    """Each variable as [year, residence], with a status flag beside it where any value is not plainly reported."""
    out = {}
    for variable in SERIES:
        rows = frame[(frame.variable == variable) & (frame.status != "missing")]
        if rows.empty and variable in OPTIONAL:
            continue
        values = np.full((len(years), len(territories)), np.nan)
        status = np.full(values.shape, STATUS.index("missing"), np.int8)
        y, t = _positions(rows.year, years), _positions(rows.territory, territories)
        keep = (y >= 0) & (t >= 0)
        values[y[keep], t[keep]] = rows.value.to_numpy()[keep]
        status[y[keep], t[keep]] = _positions(rows.status, STATUS)[keep]
        if variable in CARRIED:
            values, status = _carry_forward(values, status)
        if variable in REQUIRED and np.isnan(values).any():
            year, place = np.argwhere(np.isnan(values))[0]
            raise InputError(_attributes(variable, rows, about)["source"] or "territory_year",
                             f"{variable} is missing", "every territory and year needs it: mend the reader, or leave "
                             "the territory out", key=f"{territories[place]}, {years[year]}")
        out[variable] = (("year", "residence"), values, _attributes(variable, rows, about))
        out[f"{variable}_status"] = (("year", "residence"), status, _flags(variable))
    return out


def _flags(variable: str) -> dict:
    return {"long_name": f"where {variable} comes from", "flag_values": np.arange(len(STATUS), dtype=np.int8),
            "flag_meanings": " ".join(STATUS)}


def _carry_forward(values: np.ndarray, status: np.ndarray):
    """Fill years after a territory's last value with that value, flagged ``carried_forward``."""
    filled = pd.DataFrame(values).ffill().to_numpy()
    new = np.isnan(values) & ~np.isnan(filled)
    return filled, np.where(new, np.int8(STATUS.index("carried_forward")), status)


def _population(frame, panel, about) -> dict:
    """Population on 1 January of every ``date_year``; a missing last one follows from the accounting identity."""
    rows = frame[frame.variable == "population"]
    dates, territories = panel.date_year.values, list(panel.residence.values)
    values = np.full((len(dates), len(territories)), np.nan)
    y, t = _positions(rows.year, dates), _positions(rows.territory, territories)
    keep = (y >= 0) & (t >= 0)
    values[y[keep], t[keep]] = rows.value.to_numpy()[keep]
    change = (panel.births - panel.deaths + panel.net_migration).values
    for k in range(1, len(dates)):
        values[k] = np.where(np.isnan(values[k]), values[k - 1] + change[k - 1], values[k])
    if np.isnan(values).any() or (values <= 0).any():
        year, place = np.argwhere(~(values > 0))[0]
        raise InputError("population", f"population on 1 January is missing or not positive: {values[year, place]}",
                         "every territory needs it in the first year", key=f"{territories[place]}, {dates[year]}")
    return {"population": (("date_year", "residence"), values, _attributes("population", rows, about))}


def _stocks(frame, territories, about) -> dict:
    revisions, stock_years = sorted(frame.revision.unique()), sorted(frame.year.unique())
    shape = (len(revisions), len(stock_years), len(territories), len(territories))
    values, imputed = np.full(shape, np.nan, np.float32), np.zeros(shape, np.int8)
    definition = np.zeros((len(revisions), len(territories)), np.int8)
    kinds = ("foreign_born", "citizenship", "mixed")
    where = (_positions(frame.revision, revisions), _positions(frame.year, stock_years),
             _positions(frame.birthplace, territories), _positions(frame.residence, territories))
    keep = (where[2] >= 0) & (where[3] >= 0) & (where[2] != where[3])
    where = tuple(w[keep] for w in where)
    values[where] = frame.persons.to_numpy()[keep]
    imputed[where] = (frame.status == "imputed").to_numpy()[keep]
    definition[where[0], where[3]] = _positions(frame.definition, kinds)[keep]
    first = about.get("undesa_ims", {})
    return {
        "revision": ("revision", revisions), "stock_year": ("stock_year", stock_years),
        "stock_observed": (("revision", "stock_year", "birthplace", "residence"), values, {
            "units": "persons", "long_name": "persons by birthplace and residence at mid-year; an unknown pair is NaN",
            "source": ", ".join(sorted(frame.source.unique())), "licence": first.get("licence", "simulated"),
            "definition": first.get("definition", "see stock_definition")}),
        "stock_imputed": (("revision", "stock_year", "birthplace", "residence"), imputed,
                          {"long_name": "1 where the source itself imputed the figure"}),
        "stock_definition": (("revision", "residence"), definition, {
            "long_name": "how the office defines a migrant", "flag_values": np.arange(3, dtype=np.int8),
            "flag_meanings": " ".join(kinds)}),
    }


def best_stock(panel: xr.Dataset) -> np.ndarray:
    """Stock at mid-year [stock_year, birthplace, residence]: newest revision first, older ones fill its gaps."""
    observed = panel.stock_observed.values
    best = observed[-1].copy()
    for older in observed[-2::-1]:
        best = np.where(np.isnan(best), older, best)
    return best


def _initial_stock(panel) -> dict:
    """State of 1 January of the first year [birthplace, residence]; natives on the diagonal."""
    first_year = int(panel.year[0])
    stock_years = panel.stock_year.values
    if stock_years[0] != first_year or len(stock_years) < 2:
        raise SchemaError("stock", f"stocks start in {stock_years[:1]}, the panel in {first_year}",
                          "give stocks for the first year and at least one later one")
    stock = best_stock(panel).astype(np.float64)
    now, later = stock[0], stock[1]
    slope = (later - now) / (stock_years[1] - stock_years[0])
    foreign = np.nan_to_num(np.maximum(now - 0.5 * np.nan_to_num(slope), 0.1 * now))
    np.fill_diagonal(foreign, 0.0)
    population = panel.population.values[0]
    # Where the counted foreign-born exceed what the population leaves for natives, the two sources disagree; the
    # population is the firmer of the two, so the foreign-born are scaled to at most 97% of it.
    share = foreign.sum(0) / population
    foreign *= np.minimum(1.0, 0.97 / np.maximum(share, 1e-12))[None]
    state = foreign + np.diag(population - foreign.sum(0))
    return {"stock_initial": (("birthplace", "residence"), state, {
        "units": "persons", "long_name": f"persons by birthplace and residence on 1 January {first_year}",
        "source": panel.stock_observed.attrs["source"] + " and population",
        "licence": panel.stock_observed.attrs["licence"], "definition": "see harmonise.py"})}


def _pairs(frame, territories, about) -> dict:
    out = {}
    for variable in PAIRS:
        rows = frame[frame.variable == variable]
        if rows.empty and variable in OPTIONAL:
            continue
        values = np.full((len(territories),) * 2, np.nan)
        o, d = _positions(rows.origin, territories), _positions(rows.destination, territories)
        keep = (o >= 0) & (d >= 0)
        values[o[keep], d[keep]] = rows.value.to_numpy()[keep]
        out[variable] = (("origin", "destination"), values, _attributes(variable, rows, about))
    return out


def _pair_series(frame, territories, years, about) -> dict:
    """Pair-year covariates; the year before the first is kept for changes (``displaced_before``)."""
    out, dims = {}, ("year", "origin", "destination")
    for variable in PAIR_SERIES:
        rows = frame[frame.variable == variable]
        attributes = _attributes(variable, rows, about)
        if variable == "displaced_stock":
            out |= _displaced(rows, frame[frame.variable == "refugees_returned"], territories, years, attributes)
            continue
        values, status = _cube(rows, territories, years)
        if variable == "trade":
            values, status = _trade_zeros(values, status)
            out["trade_status"] = (dims, status, _flags("trade"))
        else:
            values = np.nan_to_num(values)  # newly displaced: a pair that is not listed had none to report
        out[variable] = (dims, values.astype(np.float32), attributes)
    return out


def _displaced(rows, returns, territories, years, attributes) -> dict:
    """Displaced people at the end of each year, without false zeros, and which changes are recounts."""
    every, dims = [years[0] - 1, *years], ("year", "origin", "destination")
    returned, _ = _cube(returns, territories, every)
    # Who returned goes from the place of asylum (origin of the move) to the origin of the displaced.
    values, status, breaks = fill_displaced(_cube(rows, territories, every)[0],
                                            np.nan_to_num(returned).transpose(0, 2, 1))
    return {"displaced_stock": (dims, values[1:].astype(np.float32), attributes),
            "displaced_stock_status": (dims, status[1:], _flags("displaced_stock")),
            "displaced_break": (dims, breaks[1:].astype(np.int8), {
                "long_name": "1 where the change of displaced_stock from the year before is a recount"}),
            "displaced_before": (dims[1:], values[0].astype(np.float32), {
                **attributes, "long_name": "displaced_stock at the end of the year before the first"})}


def _indicators(frame, territories, years) -> dict:
    """What bounds a move of residence or follows one, as a list: source and variable, year, pair, number."""
    frame = frame[frame.variable.isin(INDICATORS) & frame.value.notna()]
    if frame.empty:
        return {}
    name = frame.source + "|" + frame.variable
    out, order, labels = _listed(frame, name, ("origin", "destination"), territories, years, "indicator")
    parts = np.array([label.split("|") for label in labels], dtype=str).reshape(len(labels), 2)
    return {
        "indicator": ("indicator", np.asarray(labels, dtype=str)),
        "indicator_source": ("indicator", parts[:, 0], {"long_name": "source of the indicator"}),
        "indicator_variable": ("indicator", parts[:, 1], {"long_name": "variable of schema.VARIABLES"}),
        **out, "indicator_value": ("indicator_observation", frame.value.to_numpy(np.float64)[order], {
            "long_name": "number of persons or events, see schema.VARIABLES"}),
    }


def _margins(frame, territories, years) -> dict:
    """Totals and remainders that reporters publish, as a list: which margin, territory, year, persons."""
    name = frame[MARGIN_KEYS[0]].str.cat([frame[k] for k in MARGIN_KEYS[1:]], sep="|")
    out, order, labels = _listed(frame, name, ("territory",), territories, years, "margin")
    parts = np.array([label.split("|") for label in labels], dtype=str).reshape(len(labels), len(MARGIN_KEYS))
    return {
        "margin": ("margin", np.asarray(labels, dtype=str)),
        **{f"margin_{k}": ("margin", parts[:, i], {"long_name": f"{k} of the margin"})
           for i, k in enumerate(MARGIN_KEYS)},
        **out, "margin_persons": ("margin_observation", frame.persons.to_numpy(np.float64)[order], {
            "units": "persons", "long_name": "total or remainder that no corridor holds"}),
    }


def _period_flows(frame, territories, years) -> dict:
    """Flows over several calendar years, as a list; a period that leaves the panel's years is left out."""
    frame = frame[(frame.first_year >= years[0]) & (frame.last_year <= years[-1])]
    frame = frame.sort_values(["source", "reporter", "side", "criterion", "first_year", "origin", "destination"])
    o, d = _positions(frame.origin, territories), _positions(frame.destination, territories)
    keep = (o >= 0) & (d >= 0) & (o != d)
    frame, dims = frame[keep], "period_observation"
    name = frame[FLOW_KEYS[0]].str.cat([frame[k] for k in FLOW_KEYS[1:]], sep="|")
    return {
        "period_witness": (dims, name.to_numpy(dtype=str), {"long_name": "|".join(FLOW_KEYS)}),
        "period_first": (dims, _positions(frame.first_year, years).astype(np.int16), {"long_name": "position in year"}),
        "period_last": (dims, _positions(frame.last_year, years).astype(np.int16), {"long_name": "position in year"}),
        "period_origin": (dims, o[keep].astype(np.int16), {"long_name": "position in origin"}),
        "period_destination": (dims, d[keep].astype(np.int16), {"long_name": "position in destination"}),
        "period_persons": (dims, frame.persons.to_numpy(np.float64), {
            "units": "persons", "long_name": "reported flow during all the years together"}),
    }


def _listed(frame, name, places: tuple[str, ...], territories, years, prefix: str):
    """Positions of the rows of a list in its series, years and territories, in one order.

    Returns
    -------
    Variables by name, the rows that are kept in their order (positions in ``frame``), and the names of the series.
    """
    index, labels = pd.factorize(name, sort=True)
    where = [index, _positions(frame.year, years), *(_positions(frame[p], territories) for p in places)]
    keep = np.all([w >= 0 for w in where], axis=0)
    if len(places) == 2:
        keep &= where[2] != where[3]
    rows = np.flatnonzero(keep)
    order = rows[np.lexsort([w[rows] for w in where[::-1]])]
    dims = f"{prefix}_observation"
    variables = {f"{prefix}_{what}": (dims, w[order].astype(np.int16), {"long_name": f"position in {of}"})
                 for what, of, w in zip(("series", "year", *places), (prefix, "year", *places), where)}
    return variables, order, labels


def _cube(rows, territories, years):
    values = np.full((len(years), len(territories), len(territories)), np.nan)
    status = np.full(values.shape, STATUS.index("missing"), np.int8)
    where = (_positions(rows.year, years), _positions(rows.origin, territories),
             _positions(rows.destination, territories))
    keep = np.all([w >= 0 for w in where], axis=0)
    where = tuple(w[keep] for w in where)
    values[where] = rows.value.to_numpy()[keep]
    status[where] = _positions(rows.status, STATUS)[keep]
    return values, status


def _trade_zeros(values: np.ndarray, status: np.ndarray):
    """An absent pair is zero where both territories trade at all that year, and missing otherwise.

    Not in back-cast years: their source stores its zeros, so what it leaves out is unknown (sources/trade.py).
    """
    known = ~np.isnan(values)
    active = known.any(2) | known.any(1)                       # [year, territory]
    prevailing = np.array([np.bincount(s[k], minlength=len(STATUS)).argmax() if k.any() else STATUS.index("missing")
                           for s, k in zip(status, known)], np.int8)
    zeros_stored = prevailing == STATUS.index("backcast")
    zero = ~known & active[:, :, None] & active[:, None, :] & ~zeros_stored[:, None, None]
    status = np.where(zero, prevailing[:, None, None], status)
    return np.where(zero, 0.0, values), status


def _witnesses(frame, territories, years) -> dict:
    """Flow witnesses as a list of observations, each pointing to its witness (source, reporter, side, definition)."""
    frame = frame[frame.year.between(years[0], years[-1])]
    where = (_positions(frame.year, years), _positions(frame.origin, territories),
             _positions(frame.destination, territories))
    keep = np.all([w >= 0 for w in where], axis=0) & (where[1] != where[2])
    frame = frame[keep]
    name = frame[FLOW_KEYS[0]].str.cat([frame[k] for k in FLOW_KEYS[1:]], sep="|")
    witness, labels = pd.factorize(name, sort=True)
    # By witness, year, origin and destination, so that the order of a source's rows shows nowhere.
    where = tuple(w[keep] for w in where)
    order = np.lexsort((where[2], where[1], where[0], witness))
    same_as = repeated_reports(frame).to_numpy()
    same_as = np.where(same_as >= 0, witness[same_as], -1)[order].astype(np.int16)
    year, origin, destination, witness = (w[order].astype(np.int16) for w in (*where, witness))
    parts = np.array([label.split("|") for label in labels], dtype=str).reshape(len(labels), len(FLOW_KEYS))
    dims = "observation"
    return {
        "witness": ("witness", np.asarray(labels, dtype=str)),
        **{f"witness_{k}": ("witness", parts[:, i], {"long_name": f"{k.replace('_', ' ')} of the witness"})
           for i, k in enumerate(FLOW_KEYS)},
        "flow_persons": (dims, frame.persons.to_numpy(np.float64)[order], {
            "units": "persons", "long_name": "reported flow during the calendar year",
            "definition": "flow_witness names source, reporter, side, criterion and flow_type"}),
        "flow_year": (dims, year, {"long_name": "position in year"}),
        "flow_origin": (dims, origin, {"long_name": "position in origin"}),
        "flow_destination": (dims, destination, {"long_name": "position in destination"}),
        "flow_witness": (dims, witness, {"long_name": "position in witness"}),
        "flow_same_as": (dims, same_as, {
            "long_name": "position in witness of the newer collection whose report is the same publication; -1: none",
            "comment": "a report that repeats another is for comparison and is not learned from"}),
    }


def _reconstructions(frame, territories, years) -> dict:
    """Five-year reconstructions [method, period, origin, destination]; a period is named by its first year."""
    frame = frame[frame.year.between(years[0], years[-1] - 4)]
    name = frame.source + "|" + frame.method
    methods, periods = sorted(name.unique()), sorted(frame.year.unique())
    values = np.zeros((len(methods), len(periods), len(territories), len(territories)), np.float32)
    where = (_positions(name, methods), _positions(frame.year, periods), _positions(frame.origin, territories),
             _positions(frame.destination, territories))
    keep = (where[2] >= 0) & (where[3] >= 0)
    where = tuple(w[keep] for w in where)
    values[where] = frame.persons.to_numpy()[keep]
    # An absent corridor is zero, but a territory that a period does not mention at all did not exist for the method.
    covered = np.zeros(values.shape[:3], bool)
    covered[where[0], where[1], where[2]] = covered[where[0], where[1], where[3]] = True
    values[~(covered[..., :, None] & covered[..., None, :])] = np.nan
    return {"method": ("method", methods), "period": ("period", periods),
            "reconstruction": (("method", "period", "origin", "destination"), values, {
                "units": "persons", "long_name": "five-year flows, mid-year to mid-year, reconstructed by others",
                "source": ", ".join(sorted(frame.source.unique()))})}


def provenance(panel: xr.Dataset, corridor: str, year: int) -> pd.DataFrame:
    """Which sources speak about a corridor in a year, and what they say.

    Parameters
    ----------
    panel : the panel.
    corridor : ``"VEN-COL"``.
    year : calendar year.

    Returns
    -------
    One row per witness, stock, displaced count or reconstruction: ``source, reporter, side, criterion, about, value``.

    Raises
    ------
    InputError
        For a corridor or year that the panel does not hold.
    """
    try:
        origin, destination = corridor.upper().split("-")
        o, d = (panel.get_index("origin").get_loc(x) for x in (origin, destination))
        y = panel.get_index("year").get_loc(year)
    except (ValueError, KeyError) as error:
        raise InputError("panel", f"no corridor {corridor!r} in {year}",
                         "write it as two alpha-3 codes of the panel, origin first, e.g. VEN-COL",
                         key=corridor) from error
    rows = []
    spoken = np.flatnonzero((panel.flow_origin.values == o) & (panel.flow_destination.values == d)
                            & (panel.flow_year.values == y))
    for k in spoken:
        parts = str(panel.witness.values[panel.flow_witness.values[k]]).split("|")
        rows.append((*parts[:4], "flow during the year", float(panel.flow_persons.values[k])))
    stock = panel.stock_observed
    for r, revision in enumerate(stock.revision.values):
        near = int(np.abs(stock.stock_year.values - year).argmin())
        value = float(stock.values[r, near, o, d])
        if np.isfinite(value):
            rows.append(("undesa_ims", destination, "", "birthplace",
                         f"stock at mid-{stock.stock_year.values[near]}, revision {revision}", value))
    for variable in PAIR_SERIES:
        if variable in panel and (value := float(panel[variable].values[y, o, d])) > 0:
            rows.append((panel[variable].attrs["source"], "", "", "", VARIABLES[variable]["long_name"], value))
    if "reconstruction" in panel:
        for p, first in enumerate(panel.period.values):
            if first <= year < first + 5:
                rows += [(str(m), "", "", "", f"five-year flow from mid-{first}", float(v)) for m, v in
                         zip(panel.method.values, panel.reconstruction.values[:, p, o, d]) if np.isfinite(v)]
    return pd.DataFrame(rows, columns=["source", "reporter", "side", "criterion", "about", "value"])
