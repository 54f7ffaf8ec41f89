"""Eurostat by previous residence: a file made here, and the real one."""
import pandas as pd
import pytest
from accounting import assert_accounted, left_out

from humanflows.errors import DuplicateKeyError, NegativeCountError, SchemaError, UnknownTerritoryError
from humanflows.sources import omissions as why
from humanflows.sources.eurostat import read_eurostat
from humanflows.sources.eurostat_imm1ctz import read_eurostat_imm1ctz
from humanflows.sources.eurostat_imm5prv import read_eurostat_imm5prv
from humanflows.sources.omissions import Omissions

FILE = "eurostat_imm5prv/immigration_bilateral_total.csv"
ROWS = [("GR", "UK", 2018, "500.0"), ("PL", "DE", 2018, "0.0"), ("OTHER", "DE", 2018, "355014.0"),
        ("OTHER", "OTHER", 2005, "11"), ("DE", "OTHER", 2005, "3"), ("AT", "AT", 2018, "4"), ("PL", "AT", 2018, ""),
        ("PL", "AT", 2009, "0"), ("OTHER", "AT", 2009, "0"), ("OTHER", "AT", 2018, "9")]


def sample(folder, rows=ROWS):
    """A small file like the one of previous residences."""
    path = folder / "immigration_bilateral_total.csv"
    pd.DataFrame(rows, columns=["partner", "geo", "year", "value"]).to_csv(path, index=False)
    return path


def test_corridors_others_and_what_is_left_out(tmp_path):
    omitted = Omissions()
    tables = read_eurostat_imm5prv(sample(tmp_path), omitted=omitted)
    flow, margin = tables["flow"], tables["margin"]
    assert flow.set_index(["origin", "destination", "year"])["persons"].to_dict() == {
        ("GRC", "GBR", 2018): 500, ("POL", "DEU", 2018): 0}
    assert set(flow["criterion"]) == {"residence"} and (flow["reporter"] == flow["destination"]).all()
    assert margin.set_index(["territory", "group", "year"])["persons"].to_dict() == {
        ("DEU", "others", 2018): 355014, ("AUT", "others", 2018): 9}
    assert_accounted(len(ROWS), sum(float(r[3] or 0) for r in ROWS), omitted, flow, margin)
    assert left_out(omitted) == {why.AGGREGATE: (2, 14), why.OWN: (1, 4), why.NO_NUMBER: (1, 0),
                                 why.UNREPORTED_YEAR: (2, 0)}


@pytest.mark.parametrize("row, error", [
    (("XX", "DE", 2018, "5"), UnknownTerritoryError), (("EU27_2020", "DE", 2018, "5"), UnknownTerritoryError),
    (("PL", "DE", 2018, "5"), DuplicateKeyError), (("CZ", "DE", 2018, "-5"), NegativeCountError),
    (("CZ", "DE", 2018, ":"), SchemaError)])
def test_bad_rows_are_named(tmp_path, row, error):
    with pytest.raises(error, match=rf"immigration_bilateral_total\.csv.*row {len(ROWS) + 2}.*Remedy"):
        read_eurostat_imm5prv(sample(tmp_path, [*ROWS, row]))


@pytest.mark.sources
def test_real_file_and_the_two_that_it_must_agree_with(source_file):
    omitted = Omissions()
    path = source_file(FILE)
    tables = read_eurostat_imm5prv(path, omitted=omitted)
    raw = pd.read_csv(path, keep_default_na=False)
    assert_accounted(len(raw), raw["value"].sum(), omitted, *tables.values())
    flow, margin = tables["flow"], tables["margin"]
    assert flow["reporter"].nunique() == 28 and (flow["year"].min(), flow["year"].max()) == (1998, 2023)
    assert margin.set_index(["territory", "year"])["persons"][("DEU", 2022)] == 1_529_092
    key = ["origin", "destination", "year"]
    older = read_eurostat(source_file("eurostat_migmod/mig_data.rda")).query("side == 'immigration'")
    both = older.merge(flow, on=key, suffixes=("_old", "_new"))
    differ = both[(both["persons_old"] - both["persons_new"]).abs() > 1]
    assert len(both) == len(older) and set(differ["destination"]) == {"LTU"} and len(differ) == 152
    whole = read_eurostat_imm1ctz(source_file("eurostat_imm1ctz/immigration_by_citizenship.csv"))["margin"]
    whole = whole[whole["group"] == "total"].set_index(["territory", "year"])["persons"]
    parts = pd.concat([flow.rename(columns={"reporter": "territory"}), margin])
    parts = parts.groupby(["territory", "year"])["persons"].sum()
    shared = parts.index.intersection(whole.index)
    assert len(shared) > 450 and (parts[shared] <= whole[shared]).all(), "the parts never exceed the whole"
