"""OECD's flows by nationality: a frame made here, and the real file."""
import pandas as pd
import pytest

from humanflows.errors import DuplicateKeyError, NegativeCountError, SchemaError, UnknownTerritoryError
from humanflows.sources import oecd, omissions
from humanflows.sources.oecd import read_oecd, tidy
from humanflows.sources.omissions import Omissions


def frame(*rows):
    data = pd.DataFrame([(partner, variable, "TOT", reporter, year, value)
                         for variable, reporter, partner, year, value in rows],
                        columns=["CO2", "VAR", "GEN", "COU", "YEA", "Value"])
    return data.astype({"YEA": "Int32", "Value": "Int32"})


def rows_of(table):
    return {(r.side, r.criterion, r.year, r.origin, r.destination): r.persons for r in table.itertuples()}


def test_direction_criterion_and_what_is_left_out():
    omitted = Omissions()
    tables = tidy(frame(
        ("B11", "DEU", "POL", 2005, 7), ("B12", "DEU", "POL", 2005, 3), ("B13", "DEU", "POL", 2005, 99),
        ("B11", "DEU", "TOT", 2005, 99), ("B11", "DEU", "DEU", 2005, 0), ("B11", "DEU", "CHL", 2005, pd.NA),
        ("B12", "NLD", "TCD", 2005, -1), ("B11", "DEU", "MNE", 2005, 0), ("B11", "USA", "MEX", 2005, 8),
        ("B11", "DEU", "NS", 2005, 4), ("B11", "DEU", "UUU", 2005, 5), ("B11", "DEU", "YYY", 2005, 6),
        ("B11", "DEU", "SCG", 2005, 9), ("B12", "GBR", "GBR", 2005, 12)), file="x", omitted=omitted)
    assert {(r.territory, r.side, r.group): r.persons for r in tables["margin"].itertuples()} == {
        ("DEU", "immigration", "total"): 99, ("DEU", "immigration", "unknown"): 9,
        ("DEU", "immigration", "stateless"): 6, ("GBR", "emigration", "own"): 12}
    assert {r.reason: (r.rows, r.persons) for r in omitted.table().itertuples()} == {
        omissions.ANOTHER_QUANTITY: (1, 0), omissions.OWN: (1, 0), omissions.NO_NUMBER: (1, 0), oecd.NEGATIVE: (1, 0),
        omissions.BEFORE_PARTNER: (1, 0), omissions.FORMER_STATE: (1, 9)}
    assert rows_of(tables["flow"]) == {("immigration", "citizenship", 2005, "POL", "DEU"): 7,
                              ("emigration", "citizenship", 2005, "DEU", "POL"): 3,
                              ("immigration", "birthplace", 2005, "MEX", "USA"): 8}


def test_a_repeated_row_counts_once_and_a_contradiction_is_refused():
    row = ("B11", "DEU", "POL", 2005, 7)
    omitted = Omissions()
    assert len(tidy(frame(row, row), file="x", omitted=omitted)["flow"]) == 1
    assert omitted.table()[["reason", "persons"]].values.tolist() == [[omissions.REPEATED, 7]]
    with pytest.raises(DuplicateKeyError, match=r"x: .*'POL', 2005.*row 1"):
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
    tables = read_oecd(source_file("oecd_mig/Backup.RData"))
    table, margin = tables["flow"], tables["margin"]
    total = margin.query("group == 'total' and side == 'immigration'").set_index(["territory", "year"])["persons"]
    parts = table.query("side == 'immigration'").groupby(["reporter", "year"])["persons"].sum()
    assert total["DEU", 2015] == 2_016_241 and 0.9 < parts["DEU", 2015] / total["DEU", 2015] < 1
    one = table.set_index(["side", "reporter", "year", "origin", "destination"])["persons"]
    assert one["immigration", "DEU", 2012, "POL", "DEU"] == 177_758
    assert table["year"].agg(["min", "max"]).tolist() == [2000, 2016] and table["reporter"].nunique() == 35
    assert table["side"].value_counts().to_dict() == {"immigration": 79684, "emigration": 53903}
    assert set(table.loc[table["criterion"] == "birthplace", "reporter"]) == {"USA"}
