"""From tidy tables to one panel: everything the model reads, on common dimensions and dates.

What is decided here, and nowhere else:

- Stocks are mid-year figures, states are 1 January figures. The state of 1 January 1990 is the mid-1990 stock carried
  back half a year along its own change to 1995; natives are the population less the foreign-born.
- Where the newest revision of the stocks is silent, older revisions fill the starting state (never the witnesses:
  each revision stays a witness of its own).
- A series that ends before the last year is carried forward and flagged; nothing is carried backward silently.
- An absent flow or stock is unknown, not zero; an absent displaced or traded pair is zero where its source covers it.
"""
from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import InputError, SchemaError
from ..schema import STATUS, VARIABLES

SERIES = ("births", "deaths", "population_change", "population_midyear", "net_migration", "net_migration_national",
          "life_expectancy", "gdp_per_capita", "gdp", "gdp_growth", "conflict_deaths", "eu_member", "democracy",
          "liberal_democracy")
CARRIED = ("life_expectancy", "gdp_per_capita", "gdp", "gdp_growth", "conflict_deaths", "eu_member", "democracy",
           "liberal_democracy")
REQUIRED = ("births", "deaths", "net_migration")  # without these the bookkeeping has no known part
PAIRS = ("distance", "common_language", "colonial_tie", "religious_similarity", "contiguity", "visa_ease")
OPTIONAL = ("democracy", "liberal_democracy", "visa_ease")  # left out of a panel of which no source tells them
PAIR_SERIES = ("displaced_stock", "displaced_flow", "trade")
FLOW_KEYS = ("source", "reporter", "side", "criterion", "flow_type")


def harmonise(tables: dict[str, pd.DataFrame], territories: Sequence[str], years: Sequence[int],
              about: dict[str, dict] | None = None) -> xr.Dataset:
    """Bring tidy tables to one panel.

    Parameters
    ----------
    tables : the tables of ``schema.TABLES`` by name; ``stock``, ``flow`` and ``territory_year`` are needed.
    territories : alpha-3 codes, the order of every territorial dimension.
    years : consecutive calendar years.
    about : per source its ``title``, ``licence`` and ``definition``, written into the attributes.

    Returns
    -------
    Dataset with dimensions ``year``, ``date_year`` (1 January, one longer), ``stock_year``, ``revision``,
    ``birthplace``, ``residence``, ``origin``, ``destination``, ``witness`` and ``observation``.

    Raises
    ------
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
    panel = panel.assign(_witnesses(tables["flow"], territories, years))
    if "reconstruction" in tables and len(tables["reconstruction"]):
        panel = panel.assign(_reconstructions(tables["reconstruction"], territories, years))
    panel.attrs.update(title="humanflows panel", conventions="persons; stocks of stock_year at mid-year, states of "
                       "date_year on 1 January; flows during a calendar year", source=", ".join(_sources(tables)))
    return panel


def _sources(tables) -> list[str]:
    return sorted({s for frame in tables.values() for s in frame["source"].unique()})


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
    out = {}
    for variable in PAIR_SERIES:
        rows = frame[frame.variable == variable]
        values, status = _cube(rows, territories, years)
        if variable == "trade":
            values, status = _trade_zeros(values, status)
        else:
            values = np.nan_to_num(values)  # UNHCR lists every known pair: an absent one is zero
        dims = ("year", "origin", "destination")
        out[variable] = (dims, values.astype(np.float32), _attributes(variable, rows, about))
        if variable == "trade":
            out["trade_status"] = (dims, status, _flags("trade"))
        if variable == "displaced_stock":
            before, _ = _cube(rows, territories, [years[0] - 1])
            out["displaced_before"] = (("origin", "destination"), np.nan_to_num(before[0]).astype(np.float32),
                                       {**_attributes(variable, rows, about),
                                        "long_name": "displaced_stock at the end of the year before the first"})
    return out


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
