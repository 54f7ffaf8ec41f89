"""OECD's flows by nationality: a frame made here, and the real file."""
import pandas as pd
import pytest

from humanflows.errors import DuplicateKeyError, NegativeCountError, SchemaError, UnknownTerritoryError
from humanflows.sources.oecd import read_oecd, tidy


def frame(*rows):
    data = pd.DataFrame([(partner, variable, "TOT", reporter, year, value)
                         for variable, reporter, partner, year, value in rows],
                        columns=["CO2", "VAR", "GEN", "COU", "YEA", "Value"])
    return data.astype({"YEA": "Int32", "Value": "Int32"})


def rows_of(table):
    return {(r.side, r.criterion, r.year, r.origin, r.destination): r.persons for r in table.itertuples()}


def test_direction_criterion_and_what_is_left_out():
    table = tidy(frame(
        ("B11", "DEU", "POL", 2005, 7), ("B12", "DEU", "POL", 2005, 3), ("B13", "DEU", "POL", 2005, 99),
        ("B11", "DEU", "TOT", 2005, 99), ("B11", "DEU", "DEU", 2005, 0), ("B11", "DEU", "CHL", 2005, pd.NA),
        ("B12", "NLD", "TCD", 2005, -1), ("B11", "DEU", "MNE", 2005, 0), ("B11", "USA", "MEX", 2005, 8)), file="x")
    assert rows_of(table) == {("immigration", "citizenship", 2005, "POL", "DEU"): 7,
                              ("emigration", "citizenship", 2005, "DEU", "POL"): 3,
                              ("immigration", "birthplace", 2005, "MEX", "USA"): 8}


def test_a_repeated_row_counts_once_and_a_contradiction_is_refused():
    row = ("B11", "DEU", "POL", 2005, 7)
    assert len(tidy(frame(row, row), file="x")) == 1
    with pytest.raises(DuplicateKeyError, match=r"two numbers for POL in DEU.*row 1"):
        tidy(frame(row, (*row[:4], 8)), file="x")


def test_bad_rows_are_named():
    with pytest.raises(UnknownTerritoryError, match=r"file.*'PLO'.*row 0.*did you mean"):
        tidy(frame(("B11", "DEU", "PLO", 2005, 7)), file="file")
    with pytest.raises(NegativeCountError, match="row 0"):
        tidy(frame(("B11", "NLD", "POL", 2005, -7)), file="file")
    with pytest.raises(SchemaError, match=r"sex 'WMN'.*row 0"):
        tidy(frame(("B11", "DEU", "POL", 2005, 7)).assign(GEN="WMN"), file="file")


@pytest.mark.slow
@pytest.mark.sources
def test_real_file(source_file):
    table = read_oecd(source_file("oecd_mig/Backup.RData"))
    one = table.set_index(["side", "reporter", "year", "origin", "destination"])["persons"]
    assert one["immigration", "DEU", 2012, "POL", "DEU"] == 177_758
    assert table["year"].agg(["min", "max"]).tolist() == [2000, 2016] and table["reporter"].nunique() == 35
    assert table["side"].value_counts().to_dict() == {"immigration": 79684, "emigration": 53903}
    assert set(table.loc[table["criterion"] == "birthplace", "reporter"]) == {"USA"}
