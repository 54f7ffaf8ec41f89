"""The imperfect sources of the simulated world: the tables that its offices would publish.

Every table has the shape, source names and variables of the real sources, so that nothing after this module knows
which world it looks at. Each imperfection is one slider of ``TwinErrorsConfig``; with all of them off
(``TwinErrorsConfig.none()``) the sources tell the truth.
"""
import numpy as np
import pandas as pd

from ..config import TwinConfig
from ..schema import FIRST_YEAR, LAST_YEAR, SYSTEMS_TABLE, TABLES, validate
from .economy import stream
from .world import DISPLACED, SETTLED, TEMPORARY, World

STOCK_YEARS = {2020: (1990, 1995, 2000, 2005, 2010, 2015, 2020), 2024: (1990, 1995, 2000, 2005, 2010, 2015, 2020, 2024)}
IMFSC_YEARS, EUROSTAT_YEARS, META_YEARS = range(1990, 2014), range(2010, 2020), range(2019, 2023)
STATSNZ_YEARS, OECD_YEARS = range(2014, 2025), range(2010, 2020)
COVARIATES_UNTIL = 2023                                  # incomes and conflicts of 2024 are not yet published
PAIRS = ("distance", "common_language", "colonial_tie", "religious_similarity", "contiguity")
TRADE_STATUS = {**dict.fromkeys(range(1950, 2000), "backcast"), **dict.fromkeys((2021, 2022), "bridged")}


def observe(world: World, config: TwinConfig) -> dict[str, pd.DataFrame]:
    """Write the six tidy tables of ``schema.TABLES`` as the simulated world's offices would publish them, and how they
    define what they count (``reporting_systems``).

    Parameters
    ----------
    world : from ``simulate(config, years)``.
    config : the same configuration; ``config.errors`` holds the imperfections.
    """
    offices = describe_offices(world, config)
    parts = {
        "stock": [_stocks(world, config)],
        "flow": [_imfsc(world, config, offices), _eurostat(world, config), _meta(world, config),
                 _statsnz(world, config), _oecd(world, config, offices)],
        "territory_year": [_demography(world, config), _national_net_migration(world, config),
                           _economy(world, config)],
        "pair": [_pairs(world)],
        "pair_year": [_refugees(world, config), _trade(world, config)],
        "reconstruction": [],    # made from these tables by the methods of `baselines`, as anybody else would
    }
    tables = {table: validate(_join(table, frames), table, file=f"twin {table}") for table, frames in parts.items()}
    return {**tables, SYSTEMS_TABLE: define_systems(world, offices)}


def define_systems(world: World, offices: pd.DataFrame) -> pd.DataFrame:
    """What each office says a migrant is: the table of ``panel.reporting_systems`` for the simulated world.

    Durations of stay and years of a break are published, as real offices publish them; how many movers an office misses
    is not.

    Parameters
    ----------
    offices : as of `describe_offices`.
    """
    def row(source, reporter, duration, *, system="register", kind="register_declared", flow_type="movement", when=0):
        return {"source": source, "reporter": reporter, "side": "*", "criterion": "*", "first_year": FIRST_YEAR,
                "last_year": LAST_YEAR, "system": system, "duration": duration, "flow_type": flow_type, "class": kind,
                "checked": "data", "breaks": f"{when}: way of counting" if when else "", "reference": "simulation",
                "note": "simulated office"}

    rows = [row("undesa_imfsc", o.reporter, str(o.months), when=o.break_year) for o in offices.itertuples()]
    rows += [row("|".join(("eurostat", "oecd", "statsnz")), code, "12") for code in world.territories]
    rows.append(row("meta", "META", "12", system="platform", kind="platform", flow_type="transition"))
    frame = pd.DataFrame(rows)
    return frame.set_axis(pd.RangeIndex(2, len(frame) + 2))


def describe_offices(world: World, config: TwinConfig) -> pd.DataFrame:
    """The answer key to the reported flows: how each reporter counts.

    Returns
    -------
    One row per reporter: ``reporter, months`` (a stay that counts), ``criterion, immigration_level, emigration_level``
    (expected published share of the true flow), ``first_year, last_year, break_year`` (0: none), ``break_factor``.
    """
    draw, errors, codes = stream(config, "offices"), config.errors, np.array(world.territories)
    n = config.reporters
    # Rich places keep better books, as a rule.
    wealth = world.covariates.gdp_per_capita.values[0]
    chosen = codes[np.argsort(-np.log(wealth) + 0.8 * draw.gumbel(size=len(codes)))[:n]]
    months = draw.choice([3, 6, 12], n, p=[0.2, 0.3, 0.5])
    excess = np.select([months == 3, months == 6], [errors.three_months_excess, errors.six_months_excess], 0.0)
    spread = errors.office_spread * draw.standard_normal((2, n))
    first, last = 1990 + draw.integers(0, 8, n), 2013 - draw.integers(0, 4, n)
    broken = draw.random(n) < errors.break_share
    when = draw.integers(first + 5, last - 4)
    factor = np.exp(errors.break_size * draw.choice([-1, 1], n))
    by_citizenship = np.arange(n) < round(errors.citizenship_offices * n)
    return pd.DataFrame({
        "reporter": chosen, "months": months,
        "criterion": np.where(draw.permutation(by_citizenship), "citizenship", "residence"),
        "immigration_level": (1 + excess) * (1 - errors.immigration_missed) * np.exp(spread[0]),
        "emigration_level": (1 + excess) * (1 - errors.emigration_missed) * np.exp(spread[1]),
        "first_year": first, "last_year": last, "break_year": np.where(broken, when, 0),
        "break_factor": np.where(broken, factor, 1.0)}).sort_values("reporter", ignore_index=True)


# ---- tools ---------------------------------------------------------------------------------------------------------

def _join(table: str, frames) -> pd.DataFrame:
    frames = [f for f in frames if len(f)]
    if not frames:
        return pd.DataFrame({c: pd.Series(dtype="float64" if c in ("persons", "value") else "int64" if c in (
            "year", "revision") else "str") for c in TABLES[table].columns})
    return pd.concat(frames, ignore_index=True)[list(TABLES[table].columns)]


def _noise(draw, shape, sd: float) -> np.ndarray:
    """Multiplicative error of median one. Drawn even if ``sd`` is zero, so that sliders do not disturb each other."""
    return np.exp(sd * draw.standard_normal(shape))


def _long(values: np.ndarray, axes: dict, keep: np.ndarray, **columns) -> pd.DataFrame:
    """Rows of an array where ``keep``: one column per axis (its labels), ``persons`` or ``value``, and constants."""
    where = np.nonzero(keep)
    frame = pd.DataFrame({name: np.asarray(list(labels))[w] for (name, labels), w in zip(axes.items(), where)})
    measure = columns.pop("measure", "persons")
    return frame.assign(**{measure: values[where].astype(np.float64)}, **columns)


def _years(world: World, years) -> list[int]:
    return [y for y in world.years if y in years]


def _at(world: World, years) -> np.ndarray:
    return np.array([world.years.index(y) for y in years], dtype=int)


def _off_diagonal(world: World) -> np.ndarray:
    return ~np.eye(len(world.territories), dtype=bool)


# ---- stocks --------------------------------------------------------------------------------------------------------

def _stocks(world: World, config: TwinConfig) -> pd.DataFrame:
    """UN DESA's table in two revisions that disagree: mid-year, rounded, without small pairs, some by citizenship."""
    errors, codes = config.errors, list(world.territories)
    n = len(codes)
    kinds = world.truth.stock_by_kind.values
    citizenship = stream(config, "stock definition").random(n) < errors.citizenship_share
    counted = kinds.sum(1).astype(float)                                       # [date_year, birthplace, residence]
    foreign = kinds[:, TEMPORARY] + kinds[:, DISPLACED] + (1 - errors.naturalised) * kinds[:, SETTLED]
    counted[:, :, citizenship] = foreign[:, :, citizenship]
    frames = []
    for revision, stock_years in STOCK_YEARS.items():
        draw, years = stream(config, f"stock {revision}"), _years(world, stock_years)
        at = _at(world, years)
        midyear = (counted[at] + counted[at + 1]) / 2                          # of the two 1 Januaries
        repeated = _noise(draw, (1, n, n), errors.stock_disagreement)
        persons = midyear * repeated * _noise(draw, midyear.shape, errors.stock_noise)
        persons = np.round(persons / errors.stock_rounding) * errors.stock_rounding
        smallest = errors.stock_absent_below * (2 if revision == max(STOCK_YEARS) else 1)
        keep = (persons >= max(smallest, 1)) & (draw.random((n, n)) >= errors.stock_absent_share) & _off_diagonal(world)
        axes = {"year": years, "birthplace": codes, "residence": codes}
        frame = _long(persons, axes, keep, source="undesa_ims", revision=revision)
        imputed = draw.random(midyear.shape)[keep] < 0.2                       # between two censuses
        frames.append(frame.assign(
            definition=np.where(frame.residence.isin(np.array(codes)[citizenship]), "citizenship", "foreign_born"),
            status=np.where(imputed, "imputed", "reported")))
    return _join("stock", frames)


# ---- flows ---------------------------------------------------------------------------------------------------------

def _imfsc(world: World, config: TwinConfig, offices: pd.DataFrame) -> pd.DataFrame:
    """UN DESA's flows: each office counts its own way, misses leavers more than comers, and hides small cells."""
    frames = []
    for office in offices.itertuples():
        years = [y for y in _years(world, IMFSC_YEARS) if office.first_year <= y <= office.last_year]
        frames += _report(world, config, "undesa_imfsc", office, years, ("immigration", "emigration"))
    return _join("flow", frames)


def _report(world, config, source, office, years, sides, criterion=None, flow_type="movement") -> list[pd.DataFrame]:
    """What one office publishes in one collection."""
    if not years:
        return []
    codes, k = np.array(world.territories), world.territories.index(office.reporter)
    criterion = criterion or office.criterion
    changed = np.where((office.break_year > 0) & (np.array(years) >= office.break_year), office.break_factor, 1.0)
    frames = []
    for side in sides:
        persons = _counted(world, k, side, criterion, _at(world, years)) * getattr(office, f"{side}_level")
        draw = stream(config, f"{source} {office.reporter} {side}")
        persons = persons * changed[:, None] * _noise(draw, persons.shape, config.errors.flow_noise)
        persons = np.round(persons)
        keep = (persons >= config.errors.flow_absent_below) & (codes != office.reporter)
        there, here = ("origin", "destination") if side == "immigration" else ("destination", "origin")
        frames.append(_long(persons, {"year": years, there: codes}, keep, source=source, reporter=office.reporter,
                            side=side, criterion=criterion, flow_type=flow_type, **{here: office.reporter}))
    return frames


def _counted(world: World, k: int, side: str, criterion: str, at: np.ndarray) -> np.ndarray:
    """Moves into or out of territory k [year, other territory]: the other is where people come from or go to, or, by
    citizenship, where they were born."""
    truth = world.truth
    if criterion == "residence":
        flow = truth.flow.values[at]
        return (flow[:, :, k] if side == "immigration" else flow[:, k, :]).astype(float)
    flow = truth.flow_by_birthplace.values[at]
    return (flow[:, :, :, k] if side == "immigration" else flow[:, :, k, :]).sum(2).astype(float)


def _plain_office(reporter: str, config: TwinConfig, name: str):
    """An office of another collection: the year's definition, its own undercount, no break."""
    errors = config.errors
    spread = errors.office_spread * stream(config, f"{name} {reporter}").standard_normal(2)
    return pd.Series({"reporter": reporter, "criterion": "residence", "break_year": 0, "break_factor": 1.0,
                      "immigration_level": (1 - errors.immigration_missed) * np.exp(spread[0]),
                      "emigration_level": (1 - errors.emigration_missed) * np.exp(spread[1])})


def _eurostat(world: World, config: TwinConfig) -> pd.DataFrame:
    """The union's members report both sides once they belong."""
    frames = []
    for member, accession in world.events.union.items():
        years = [y for y in _years(world, EUROSTAT_YEARS) if y >= accession]
        frames += _report(world, config, "eurostat", _plain_office(member, config, "eurostat"), years,
                          ("immigration", "emigration"))
    return _join("flow", frames)


def _statsnz(world: World, config: TwinConfig) -> pd.DataFrame:
    if "NZL" not in world.territories:
        return _join("flow", [])
    return _join("flow", _report(world, config, "statsnz", _plain_office("NZL", config, "statsnz"),
                                 _years(world, STATSNZ_YEARS), ("immigration", "emigration")))


def _oecd(world: World, config: TwinConfig, offices: pd.DataFrame) -> pd.DataFrame:
    """A few more offices outside the union count immigrants by citizenship."""
    wealth = world.covariates.gdp_per_capita.isel(year=0).to_series().sort_values(ascending=False)
    taken = {*offices.reporter, *world.events.union}
    frames = []
    for reporter in [c for c in wealth.index if c not in taken][:3]:
        frames += _report(world, config, "oecd", _plain_office(reporter, config, "oecd"), _years(world, OECD_YEARS),
                          ("immigration",), criterion="citizenship")
    return _join("flow", frames)


def _meta(world: World, config: TwinConfig) -> pd.DataFrame:
    """A platform sees every corridor for four years, a little too low, and shows no small counts."""
    errors, codes, years = config.errors, list(world.territories), _years(world, META_YEARS)
    flow = world.truth.flow.values[_at(world, years)]
    draw = stream(config, "meta")
    persons = np.round(flow * errors.meta_level * _noise(draw, flow.shape, errors.meta_noise))
    keep = (persons >= errors.meta_absent_below) & _off_diagonal(world)
    return _long(persons, {"year": years, "origin": codes, "destination": codes}, keep, source="meta", reporter="META",
                 side="both", criterion="residence", flow_type="transition")


# ---- territories ---------------------------------------------------------------------------------------------------

def _territory_rows(world: World, source: str, values: dict[str, np.ndarray], years=None, status="estimated"):
    years = list(world.years) if years is None else years
    return pd.concat([_long(v, {"year": years, "territory": world.territories}, np.ones(v.shape, bool), measure="value",
                            source=source, variable=name, status=status) for name, v in values.items()],
                     ignore_index=True)


def _own_spread(series: np.ndarray) -> np.ndarray:
    """Typical size of a territory's net migration [1, residence]."""
    return np.abs(series).mean(0, keepdims=True) + 1.0


def _demography(world: World, config: TwinConfig) -> pd.DataFrame:
    """The World Population Prospects of this world: wrong in parts, consistent as a whole."""
    errors, truth = config.errors, world.truth
    draw = stream(config, "wpp")
    births = np.round(truth.births.values * _noise(draw, truth.births.shape, errors.births_noise))
    deaths = np.round(truth.deaths.values * _noise(draw, truth.deaths.shape, errors.deaths_noise))
    true = truth.net_migration.values
    wrong, state = np.zeros(true.shape), draw.standard_normal(true.shape[1])
    for t in range(len(true)):
        wrong[t] = state
        fresh = draw.standard_normal(true.shape[1])
        state = errors.net_migration_memory * state + np.sqrt(1 - errors.net_migration_memory ** 2) * fresh
    net = np.round(true + errors.net_migration_noise * _own_spread(true) * wrong)
    change = births - deaths + net
    start = np.round(truth.population.values[0] * _noise(draw, true.shape[1], errors.population_noise))
    population = np.vstack([start, start + change.cumsum(0)])
    life = world.covariates.life_expectancy.values * _noise(draw, true.shape, errors.covariate_noise / 4)
    rows = _territory_rows(world, "wpp", {
        "births": births, "deaths": deaths, "net_migration": net, "population_change": change,
        "population_midyear": (population[:-1] + population[1:]) / 2, "life_expectancy": life})
    dates = [*world.years, world.years[-1] + 1]
    return pd.concat([rows, _territory_rows(world, "wpp", {"population": population}, dates)], ignore_index=True)


def _national_net_migration(world: World, config: TwinConfig) -> pd.DataFrame:
    """Some offices publish net migration of their own, from the middle of the period at the latest."""
    errors, true = config.errors, world.truth.net_migration.values
    draw = stream(config, "national")
    publishes = draw.random(true.shape[1]) < errors.national_share
    first = draw.integers(0, max(true.shape[0] // 2, 1), true.shape[1])
    value = np.round(true + errors.national_noise * _own_spread(true) * draw.standard_normal(true.shape))
    keep = publishes[None] & (np.arange(len(true))[:, None] >= first[None])
    return _long(value, {"year": world.years, "territory": world.territories}, keep, measure="value",
                 source="national_net_migration", variable="net_migration_national", status="reported")


def _economy(world: World, config: TwinConfig) -> pd.DataFrame:
    """Incomes and conflict deaths until 2023, membership of the union throughout."""
    errors, seen = config.errors, world.covariates
    draw = stream(config, "covariates")
    years = [y for y in world.years if y <= COVARIATES_UNTIL]
    at = _at(world, years)
    per_head = seen.gdp_per_capita.values[at] * _noise(draw, (1, len(world.territories)), errors.covariate_noise)
    gdp = per_head * world.truth.population.values[at]
    growth = np.vstack([np.zeros((1, gdp.shape[1])), 100 * (gdp[1:] / gdp[:-1] - 1)])
    growth[0] = growth[min(1, len(growth) - 1)]    # the year before the first is not simulated: imputed
    killed = seen.conflict_deaths.values[at]
    killed = np.round(killed * _noise(draw, killed.shape, errors.covariate_noise * 5))
    return pd.concat([
        _territory_rows(world, "gdp", {"gdp_per_capita": per_head, "gdp": gdp}, years, "reported"),
        _territory_rows(world, "gdp", {"gdp_growth": growth}, years, "reported").assign(
            status=lambda rows: np.where(rows.year == world.years[0], "imputed", "reported")),
        _territory_rows(world, "conflict", {"conflict_deaths": killed}, years, "reported"),
        _territory_rows(world, "eu", {"eu_member": seen.eu_member.values}, status="reported")], ignore_index=True)


# ---- pairs ---------------------------------------------------------------------------------------------------------

def _pairs(world: World) -> pd.DataFrame:
    """Distance, language, colonial ties, religion and borders are known."""
    codes = world.territories
    axes = {"origin": codes, "destination": codes}
    return pd.concat([_long(world.covariates[name].values, axes, _off_diagonal(world), measure="value",
                            source="gravity", variable=name) for name in PAIRS], ignore_index=True)


def _refugees(world: World, config: TwinConfig) -> pd.DataFrame:
    """Year-end stocks (the year before the first included) and new refugees of the year.

    A pair that was listed goes on to be listed, with nobody when all have returned.
    """
    codes, errors = world.territories, config.errors
    draw, out = stream(config, "displaced"), []
    for name, years in (("displaced_stock", [y - 1 for y in (*world.years, world.years[-1] + 1)]),
                        ("displaced_flow", world.years)):
        true = world.refugees[name].values
        persons = np.round(true * _noise(draw, true.shape, errors.displaced_noise))
        listed = np.maximum.accumulate(persons > 0, axis=0) if name == "displaced_stock" else persons > 0
        out.append(_long(persons, {"year": years, "origin": codes, "destination": codes}, listed, measure="value",
                         source="unhcr", variable=name, status="reported"))
    return pd.concat(out, ignore_index=True)


def _trade(world: World, config: TwinConfig) -> pd.DataFrame:
    """Goods follow the sizes of economies and distance; reported since 2000, with gaps that are bridged."""
    draw, codes, seen = stream(config, "trade"), world.territories, world.covariates
    n = len(codes)
    gdp = seen.gdp_per_capita.values * world.truth.population.values[:-1]
    tie = np.exp(0.5 * seen.contiguity.values + seen.common_language.values + 0.6 * draw.standard_normal((n, n)))
    resistance = np.maximum(seen.distance.values, 100.0) / 1000
    value = 0.1 * gdp[:, :, None] * gdp[:, None, :] / gdp.sum(1)[:, None, None] * (tie / resistance)[None]
    value = np.round(value * _noise(draw, value.shape, config.errors.trade_noise), -3)
    rows = _long(value, {"year": world.years, "origin": codes, "destination": codes},
                 np.broadcast_to(_off_diagonal(world), value.shape) & (value > 0), measure="value", source="trade",
                 variable="trade", status="reported")
    late = {y: "carried_forward" for y in world.years if y > COVARIATES_UNTIL}
    return rows.assign(status=rows.year.map(TRADE_STATUS | late).fillna("reported"))
