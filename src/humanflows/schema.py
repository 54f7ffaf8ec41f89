"""The tidy tables that readers of real sources and the twin's observers both produce, and their checks.

Every table is long, keyed, in persons (or the unit its variable declares), with ISO 3166-1 alpha-3 codes.
"""
import numpy as np
import pandas as pd
import pandera.pandas as pa

from .errors import DuplicateKeyError, NegativeCountError, SchemaError, UnknownTerritoryError, YearRangeError
from .territories import codes

FIRST_YEAR, LAST_YEAR = 1950, 2100
_CODE = pa.Column(str)
_TEXT = pa.Column(str)
_YEAR = pa.Column("int64")
_COUNT = pa.Column("float64")
_VALUE = pa.Column("float64", nullable=True)  # missing only where the status says so: see _check_values


def _one_of(*values: str) -> pa.Column:
    return pa.Column(str, pa.Check.isin(values))


STATUS = ("reported", "estimated", "imputed", "bridged", "backcast", "carried_forward", "projected", "missing")

STOCK = pa.DataFrameSchema({
    "source": _TEXT,                      # e.g. "undesa_ims"
    "revision": pa.Column("int64"),       # year of the revision
    "year": _YEAR,                        # mid-year (1 July) figure
    "birthplace": _CODE, "residence": _CODE,
    "persons": _COUNT,
    "definition": _one_of("foreign_born", "citizenship", "mixed"),
    "status": _one_of("reported", "imputed"),
}, strict=True, ordered=False)

FLOW = pa.DataFrameSchema({
    "source": _TEXT,                      # e.g. "undesa_imfsc"
    "reporter": _TEXT,                    # alpha-3 of the office, or the source's name where no office reports ("META")
    "side": _one_of("immigration", "emigration", "both"),
    "criterion": _one_of("residence", "citizenship", "birthplace"),
    "flow_type": _one_of("movement", "transition"),
    "year": _YEAR,
    "origin": _CODE, "destination": _CODE,
    "persons": _COUNT,                    # during the calendar year
}, strict=True, ordered=False)

TERRITORY_YEAR = pa.DataFrameSchema({
    "source": _TEXT, "variable": _TEXT, "territory": _CODE, "year": _YEAR,
    "value": _VALUE, "status": _one_of(*STATUS),
}, strict=True, ordered=False)

PAIR = pa.DataFrameSchema({
    "source": _TEXT, "variable": _TEXT, "origin": _CODE, "destination": _CODE, "value": _COUNT,
}, strict=True, ordered=False)

PAIR_YEAR = pa.DataFrameSchema({
    "source": _TEXT, "variable": _TEXT, "year": _YEAR, "origin": _CODE, "destination": _CODE,
    "value": _VALUE, "status": _one_of(*STATUS),
}, strict=True, ordered=False)

RECONSTRUCTION = pa.DataFrameSchema({
    "source": _TEXT, "method": _TEXT, "year": _YEAR,   # first year of the five-year period, mid-year to mid-year
    "origin": _CODE, "destination": _CODE, "persons": _COUNT,
}, strict=True, ordered=False)

# Totals and remainders that a reporter publishes beside its corridors: what no corridor holds.
MARGIN = pa.DataFrameSchema({
    "source": _TEXT,                      # of stocks, with the revision: "undesa_ims_2024"
    "quantity": _one_of("flow", "stock", "displaced_stock", "displaced_flow"),
    "side": _one_of("immigration", "emigration", "residence"),   # residence: of those who live there
    "criterion": _one_of("residence", "citizenship", "birthplace"),
    "territory": _CODE,                   # the reporter, or where people live
    "group": _one_of("total", "others", "unknown", "stateless", "own"),   # own: its citizens, or born there
    "year": _YEAR,
    "persons": _COUNT,
}, strict=True, ordered=False)

# Flows reported as one sum over several calendar years.
PERIOD_FLOW = pa.DataFrameSchema({
    "source": _TEXT, "reporter": _TEXT, "side": _one_of("immigration", "emigration"),
    "criterion": _one_of("residence", "citizenship", "birthplace"), "flow_type": _one_of("movement", "transition"),
    "first_year": _YEAR, "last_year": _YEAR, "origin": _CODE, "destination": _CODE, "persons": _COUNT,
}, strict=True, ordered=False)

# Source and method, as in a panel, of the five-year flows that we make ourselves from stocks, births and deaths.
OWN_RECONSTRUCTION = "humanflows|da_pb_closed"

TABLES = {"stock": STOCK, "flow": FLOW, "territory_year": TERRITORY_YEAR, "pair": PAIR, "pair_year": PAIR_YEAR,
          "reconstruction": RECONSTRUCTION, "margin": MARGIN, "period_flow": PERIOD_FLOW}

# Beside these tables: definitions of the reports, where they are not those of the real world's offices.
SYSTEMS_TABLE = "reporting_systems"

# What each `variable` of the last three tables means. `signed` values may be negative.
VARIABLES: dict[str, dict] = {
    # territory_year
    "births": dict(unit="persons", long_name="live births during the year"),
    "deaths": dict(unit="persons", long_name="deaths during the year"),
    "population": dict(unit="persons", long_name="population on 1 January"),
    "population_change": dict(unit="persons", long_name="population change during the year", signed=True),
    "population_midyear": dict(unit="persons", long_name="population on 1 July"),
    "net_migration": dict(unit="persons", long_name="net migration during the year, UN WPP", signed=True),
    "net_migration_national": dict(unit="persons", long_name="net migration, national statistics", signed=True),
    "life_expectancy": dict(unit="years", long_name="life expectancy at birth, both sexes"),
    "gdp_per_capita": dict(unit="2015 US$ per person", long_name="GDP per capita at 2015 prices"),
    "gdp": dict(unit="2015 US$", long_name="GDP at 2015 prices"),
    "gdp_growth": dict(unit="percent", long_name="annual growth of GDP", signed=True),
    "conflict_deaths": dict(unit="persons", long_name="deaths in armed conflict during the year"),
    "eu_member": dict(unit="1", long_name="member of the European Union"),
    "democracy": dict(unit="1", long_name="electoral democracy index, 0 to 1"),
    "liberal_democracy": dict(unit="1", long_name="liberal democracy index (liberties and courts too), 0 to 1"),
    # pair
    "distance": dict(unit="km", long_name="population-weighted harmonic distance"),
    "common_language": dict(unit="1", long_name="common spoken language index"),
    "colonial_tie": dict(unit="1", long_name="origin was ever a colony of destination"),
    "religious_similarity": dict(unit="1", long_name="religious similarity"),
    "contiguity": dict(unit="1", long_name="common land border"),
    "visa_ease": dict(unit="1", long_name="ease of entry with the passport of origin, 0 (none) to 1 (visa free)"),
    # pair_year
    "trade": dict(unit="current US$", long_name="goods exported from origin to destination"),
    "displaced_stock": dict(unit="persons", long_name="refugees, asylum seekers and others in need of protection from "
                            "origin in destination, end of year"),
    "displaced_flow": dict(unit="persons", long_name="new refugees and asylum seekers during the year"),
    # pair_year, indicators: each bounds or follows a move of residence and is none. The origin is the citizenship where
    # the source says no more; the destination is who issues, grants or counts.
    "visas_issued": dict(unit="persons", long_name="visas for a long stay issued during the year"),
    "study_permits": dict(unit="persons", long_name="study permits that became effective during the year"),
    "work_permits": dict(unit="persons", long_name="work permits that became effective during the year"),
    "first_permits": dict(unit="persons", long_name="first residence permits granted during the year"),
    "valid_permits": dict(unit="persons", long_name="residence permits valid on 31 December"),
    "temporary_protection": dict(unit="persons", long_name="beneficiaries of temporary protection on 31 December"),
    "asylum_applications": dict(unit="persons", long_name="people who applied for asylum during the year"),
    "refugees_returned": dict(unit="persons", long_name="refugees who returned from origin to destination, their "
                              "country, during the year"),
    "refugees_resettled": dict(unit="persons", long_name="refugees of the origin's citizenship resettled in the "
                               "destination during the year"),
    "border_encounters": dict(unit="events", long_name="encounters at the border of the destination during the year"),
    "transits": dict(unit="events", long_name="irregular arrivals on the way through the destination during the year"),
    "removals": dict(unit="events", long_name="deportations and assisted returns from origin to destination, the "
                     "country of citizenship, during the year"),
}


def key_of(table: str) -> list[str]:
    """Columns that together name one row of a table."""
    drop = {"persons", "value", "status", "definition"}
    return [c for c in TABLES[table].columns if c not in drop]


def validate(frame: pd.DataFrame, table: str, *, file) -> pd.DataFrame:
    """Check a tidy table against its declaration and return it with columns in declared order.

    Parameters
    ----------
    frame : the table.
    table : one of ``TABLES``.
    file : what to name in the error: the source file, or the step that made the frame.

    Raises
    ------
    SchemaError, UnknownTerritoryError, DuplicateKeyError, NegativeCountError, YearRangeError
        Naming the file, the first offending row and the remedy.
    """
    schema = TABLES[table]
    columns = list(schema.columns)
    absent = [c for c in columns if c not in frame.columns]
    extra = [c for c in frame.columns if c not in columns]
    if absent or extra:
        raise SchemaError(file, f"table {table!r} lacks columns {absent} and has unknown columns {extra}",
                          f"give exactly the columns {columns}")
    frame = frame[columns].reset_index(drop=True)
    _check_territories(frame, table, file)
    _check_numbers(frame, table, file)
    _check_years(frame, file)
    _check_values(frame, file)
    _check_keys(frame, table, file)
    try:
        return schema.validate(frame, lazy=True)
    except pa.errors.SchemaErrors as error:
        case = error.failure_cases.iloc[0]
        raise SchemaError(file, f"table {table!r}: column {case['column']!r} fails {case['check']!r} "
                          f"with {case['failure_case']!r}", "mend the reader or add the value to schema.py",
                          key=f"row {case['index']}") from error


def _first(frame: pd.DataFrame, bad: pd.Series) -> str:
    row = bad.idxmax()
    shown = ", ".join(f"{c}={frame.at[row, c]}" for c in frame.columns if c not in {"status", "definition"})
    return f"row {row}: {shown}"


def _check_territories(frame, table, file):
    known = set(codes())
    for column in ("birthplace", "residence", "origin", "destination", "territory"):
        if column in frame:
            bad = ~frame[column].isin(known)
            if bad.any():
                raise UnknownTerritoryError(
                    file, f"unknown territory {frame.loc[bad.idxmax(), column]!r} in column {column!r} of {table!r}",
                    "use a code of data/territories.csv or drop the row at the reader", key=_first(frame, bad))


def _check_numbers(frame, table, file):
    numbers = ["year", "first_year", "last_year", "revision", "persons", "value"]
    for column in frame.columns.intersection(numbers):
        number = pd.to_numeric(frame[column], errors="coerce")
        bad = (number.isna() & frame[column].notna()) | number.isin([np.inf, -np.inf])
        if bad.any() or (len(frame) and not pd.api.types.is_numeric_dtype(frame[column])):
            raise SchemaError(file, f"table {table!r}: column {column!r} does not hold finite numbers only",
                              "convert the column to numbers at the reader", key=_first(frame, bad))


def _check_years(frame, file):
    for column in frame.columns.intersection(["year", "first_year", "last_year"]):
        bad = frame[column].isna() | (frame[column] < FIRST_YEAR) | (frame[column] > LAST_YEAR)
        if bad.any():
            raise YearRangeError(file, f"{column} outside {FIRST_YEAR}–{LAST_YEAR}", "drop or mend the row",
                                 key=_first(frame, bad))
    if "first_year" in frame and (frame["last_year"] < frame["first_year"]).any():
        raise YearRangeError(file, "a period ends before it begins", "mend the row",
                             key=_first(frame, frame["last_year"] < frame["first_year"]))


def _check_values(frame, file):
    column = "persons" if "persons" in frame else "value"
    bad = frame[column] < 0
    if "variable" in frame:
        unknown = ~frame["variable"].isin(VARIABLES)
        if unknown.any():
            raise SchemaError(file, f"unknown variable {frame.loc[unknown.idxmax(), 'variable']!r}",
                              "declare it in schema.VARIABLES", key=_first(frame, unknown))
        signed = {v for v, about in VARIABLES.items() if about.get("signed")}
        bad &= ~frame["variable"].isin(signed)
    if bad.any():
        raise NegativeCountError(file, "negative count", "mend the source row or list it in data/corrections.csv",
                                 key=_first(frame, bad))
    missing = frame[column].isna()
    if "status" in frame and "variable" in frame:
        missing &= frame["status"] != "missing"
    if missing.any():
        raise SchemaError(file, f"missing value in {column!r}", "drop the row: an absent row is an unknown",
                          key=_first(frame, missing))


def _check_keys(frame, table, file):
    twice = frame.duplicated(key_of(table))
    if twice.any():
        raise DuplicateKeyError(file, f"duplicate key in table {table!r}", "keep one of the rows, or sum them at the "
                                "reader if they are parts", key=_first(frame, twice))


def empty(table: str) -> pd.DataFrame:
    """A table without rows."""
    dtypes = {c: (col.dtype.type if col.dtype else str) for c, col in TABLES[table].columns.items()}
    return pd.DataFrame({c: pd.Series(dtype=d) for c, d in dtypes.items()})
