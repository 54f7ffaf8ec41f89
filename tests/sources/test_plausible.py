"""A year in thousands is refused; a war, a new series or a small one is not."""
import pandas as pd
import pytest

from humanflows.errors import SchemaError
from humanflows.sources.plausible import refuse_thousands

YEARS = (2019, 2020, 2021, 2022)
USUAL = {("DEU", "POL"): (100_000, 90_000, 95_000, 99_000), ("DEU", "ROU"): (80_000, 82_000, 79_000, 81_000),
         ("DEU", "SYR"): (20_000, 18_000, 22_000, 25_000), ("LTU", "POL"): (900, 800, 1000, 1100)}


def frame(**changes):
    rows = [(r, p, y, float(changes.get(f"{r}_{p}_{y}", n)))
            for (r, p), series in USUAL.items() for y, n in zip(YEARS, series)]
    return pd.DataFrame(rows, columns=["reporter", "partner", "year", "persons"])


def check(data):
    refuse_thousands(data, ["reporter"], ["partner"], file="a.csv")


def scaled(data, year, factor):
    return data.assign(persons=data["persons"].where((data["year"] != year) | (data["reporter"] != "DEU"),
                                                     data["persons"] * factor))


def test_usual_numbers_pass():
    check(frame())


@pytest.mark.parametrize("year", YEARS)
@pytest.mark.parametrize("factor", (1e-3, 1e3))
def test_a_year_in_thousands_is_named(year, factor):
    with pytest.raises(SchemaError, match=rf"a\.csv.*DEU for {year}.*row.*Remedy"):
        check(scaled(frame(), year, factor))


def test_one_partner_in_thousands_between_two_years_is_named():
    only = frame(DEU_POL_2020=90.0)
    with pytest.raises(SchemaError, match=r"DEU for 2020"):
        check(only[only["partner"] == "POL"])


@pytest.mark.parametrize("changes", [
    {"DEU_SYR_2022": 2.5e7}, {"DEU_SYR_2019": 20.0},       # one series at an end of the years: a war, a beginning
    {"DEU_SYR_2020": 0.0}, {"LTU_POL_2020": 1.0}])         # a zero; a small series
def test_what_can_happen_passes(changes):
    check(frame(**changes))


def test_nothing_to_compare_with_passes():
    check(frame().iloc[:0])
    check(frame().query("year == 2019"))
