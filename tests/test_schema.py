"""Tidy tables: what is refused, and that the message names the file, the row and the remedy."""
import numpy as np
import pandas as pd
import pytest

from humanflows import schema
from humanflows.errors import (
    DuplicateKeyError,
    InputError,
    NegativeCountError,
    SchemaError,
    UnknownTerritoryError,
    YearRangeError,
)

ROWS = {
    "stock": {"source": "undesa_ims", "revision": 2024, "year": 1990, "birthplace": "MEX", "residence": "USA",
              "persons": 4e6, "definition": "foreign_born", "status": "reported"},
    "flow": {"source": "eurostat", "reporter": "DEU", "side": "immigration", "criterion": "residence",
             "flow_type": "movement", "year": 2010, "origin": "POL", "destination": "DEU", "persons": 1e5},
    "territory_year": {"source": "wpp", "variable": "births", "territory": "NAM", "year": 2000, "value": 6e4,
                       "status": "estimated"},
    "pair": {"source": "gravity", "variable": "distance", "origin": "FRA", "destination": "DZA", "value": 1350.0},
    "pair_year": {"source": "trade", "variable": "trade", "year": 2005, "origin": "CHN", "destination": "JPN",
                  "value": 1e11, "status": "reported"},
    "reconstruction": {"source": "abel_cohen", "method": "da_pb_closed", "year": 1990, "origin": "IND",
                       "destination": "GBR", "persons": 3e4},
    "margin": {"source": "eurostat_imm5prv", "quantity": "flow", "side": "immigration", "criterion": "residence",
               "territory": "DEU", "group": "others", "year": 2015, "persons": 4e5},
    "period_flow": {"source": "dst_denmark", "reporter": "DNK", "side": "immigration", "criterion": "citizenship",
                    "flow_type": "movement", "first_year": 2014, "last_year": 2023, "origin": "POL",
                    "destination": "DNK", "persons": 5e4},
}
TABLES = list(ROWS)
PLACES = {"birthplace", "residence", "origin", "destination", "territory"}


def table(name, **changes):
    """Two good rows, the second with changes."""
    other = {"residence": "CAN", "destination": "SWE", "territory": "SWE"}
    second = ROWS[name] | {c: v for c, v in other.items() if c in ROWS[name]} | changes
    return pd.DataFrame([ROWS[name], second], index=[50, 60])


def refuse(frame, name, kind):
    with pytest.raises(kind) as caught:
        schema.validate(frame, name, file="given.csv")
    error = caught.value
    assert type(error) is kind and isinstance(error, InputError)
    assert error.file == "given.csv"
    assert len(error.remedy) > 5
    assert str(error) == f"given.csv: {error.problem}{f' [{error.key}]' if error.key else ''}. Remedy: {error.remedy}"
    return error


@pytest.mark.parametrize("name", TABLES)
def test_good_tables_pass_in_declared_order(name):
    assert set(schema.TABLES) == set(ROWS)
    shuffled = table(name)[list(ROWS[name])[::-1]]
    valid = schema.validate(shuffled, name, file="given.csv")
    assert list(valid.columns) == list(schema.TABLES[name].columns)
    assert list(valid.index) == [0, 1]
    assert valid.to_dict("records") == table(name).to_dict("records")


@pytest.mark.parametrize("name", TABLES)
def test_a_table_without_rows_passes(name):
    valid = schema.validate(schema.empty(name), name, file="given.csv")
    assert len(valid) == 0 and list(valid.columns) == list(schema.TABLES[name].columns)


@pytest.mark.parametrize("name", TABLES)
def test_a_key_is_what_tells_two_rows_apart(name):
    key = schema.key_of(name)
    assert set(key) < set(ROWS[name])
    assert not {"persons", "value", "status"} & set(key)


@pytest.mark.parametrize(("name", "column"), [(n, c) for n in TABLES for c in ROWS[n] if c in PLACES])
@pytest.mark.parametrize("code", ["XXX", "deu", "NA", None])
def test_unknown_territory(name, column, code):
    error = refuse(table(name, **{column: code}), name, UnknownTerritoryError)
    assert repr(column) in error.problem
    assert code is None or repr(code) in error.problem
    assert error.key.startswith("row 1: source=") and f"{column}={code or 'nan'}" in error.key.replace("None", "nan")
    assert "territories.csv" in error.remedy


@pytest.mark.parametrize("name", TABLES)
def test_duplicate_key(name):
    count = "persons" if "persons" in ROWS[name] else "value"
    frame = pd.DataFrame([ROWS[name], ROWS[name] | {count: 1.0}])
    error = refuse(frame, name, DuplicateKeyError)
    assert error.key.startswith("row 1:") and "sum" in error.remedy


@pytest.mark.parametrize("name", TABLES)
def test_negative_count(name):
    count = "persons" if "persons" in ROWS[name] else "value"
    error = refuse(table(name, **{count: -1.0}), name, NegativeCountError)
    assert f"{count}=-1.0" in error.key and "corrections.csv" in error.remedy


def test_what_is_signed_may_be_negative():
    signed = [v for v, about in schema.VARIABLES.items() if about.get("signed")]
    assert "net_migration" in signed and "births" not in signed
    for variable in signed:
        schema.validate(table("territory_year", variable=variable, value=-5.0), "territory_year", file="given.csv")


@pytest.mark.parametrize("name", [n for n in TABLES if "year" in ROWS[n]])
@pytest.mark.parametrize("year", [1949, 2101, 19900, -1])
def test_year_out_of_range(name, year):
    error = refuse(table(name, year=year), name, YearRangeError)
    assert "1950–2100" in error.problem and f"year={year}" in error.key


@pytest.mark.parametrize("name", TABLES)
def test_missing_and_extra_columns(name):
    first = next(iter(ROWS[name]))
    error = refuse(table(name).drop(columns=first), name, SchemaError)
    assert f"lacks columns ['{first}']" in error.problem and first in error.remedy
    error = refuse(table(name).assign(note="x"), name, SchemaError)
    assert "unknown columns ['note']" in error.problem


@pytest.mark.parametrize("name", TABLES)
def test_missing_value(name):
    count = "persons" if "persons" in ROWS[name] else "value"
    error = refuse(table(name, **{count: np.nan}), name, SchemaError)
    assert "missing value" in error.problem and error.key.startswith("row 1:")
    assert "absent row is an unknown" in error.remedy


@pytest.mark.parametrize("name", ["territory_year", "pair_year"])
def test_a_value_declared_missing_may_be_missing(name):
    valid = schema.validate(table(name, value=np.nan, status="missing"), name, file="given.csv")
    assert np.isnan(valid.value[1])


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("bad", [np.inf, -np.inf, "12", "many"])
def test_counts_are_finite_numbers(name, bad):
    count = "persons" if "persons" in ROWS[name] else "value"
    error = refuse(table(name, **{count: bad}), name, SchemaError)
    assert repr(count) in error.problem and "finite numbers" in error.problem


@pytest.mark.parametrize("year", ["2000", 2000.5, None])
def test_years_are_whole_numbers(year):
    with pytest.raises((SchemaError, YearRangeError), match="year"):
        schema.validate(table("flow", year=year), "flow", file="given.csv")


@pytest.mark.parametrize(("name", "column"), [("stock", "definition"), ("stock", "status"), ("flow", "side"),
                                              ("flow", "criterion"), ("flow", "flow_type"),
                                              ("territory_year", "status"), ("pair_year", "status")])
def test_words_outside_the_vocabulary(name, column):
    error = refuse(table(name, **{column: "whatever"}), name, SchemaError)
    assert repr(column) in error.problem and "'whatever'" in error.problem and error.key == "row 1"


@pytest.mark.parametrize("name", ["territory_year", "pair", "pair_year"])
def test_undeclared_variable(name):
    error = refuse(table(name, variable="happiness"), name, SchemaError)
    assert "'happiness'" in error.problem and "schema.VARIABLES" in error.remedy


def test_every_variable_says_its_unit_and_meaning():
    for variable, about in schema.VARIABLES.items():
        assert about["unit"] and about["long_name"], variable


def test_validation_leaves_the_given_frame_alone():
    frame = table("flow")
    before = frame.copy()
    schema.validate(frame, "flow", file="given.csv")
    pd.testing.assert_frame_equal(frame, before)


def test_a_period_that_ends_before_it_begins_is_refused():
    refuse(table("period_flow", last_year=2013), "period_flow", YearRangeError)
    refuse(table("period_flow", first_year=1900), "period_flow", YearRangeError)
