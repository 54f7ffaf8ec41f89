"""Eurostat by citizenship: a file made here, and the real one with figures as published."""
import pandas as pd
import pytest
from accounting import assert_accounted, left_out

from humanflows.errors import (
    DuplicateKeyError,
    NegativeCountError,
    SchemaError,
    SourceFileError,
    UnknownTerritoryError,
)
from humanflows.sources import omissions as why
from humanflows.sources.eurostat_imm1ctz import WITHOUT_CITIZENSHIP, read_eurostat_imm1ctz
from humanflows.sources.eurostat_io import NON_CITIZENS, NOT_TERRITORIES
from humanflows.sources.omissions import Omissions

FILE = "eurostat_imm1ctz/immigration_by_citizenship.csv"
ROWS = [
    ("Ukraine", "Czechia", 2022, "307563.0"), ("Viet Nam", "Czechia", 2022, "0.0"),
    ("Total", "Czechia", 2022, "347429"),
    ("Reporting country", "Czechia", 2022, "3031"), ("Czechia", "Czechia", 2022, "3031"),
    ("Stateless", "Czechia", 2022, "12"), ("Unknown", "Czechia", 2022, "5"), ("Others", "Czechia", 2022, "7"),
    ("South Africa", "Czechia", 2022, "40"), ("Southern Africa", "Czechia", 2022, "41"),
    ("Micronesia", "Czechia", 2022, "3"), ("Federated States of Micronesia", "Czechia", 2022, "2"),
    ("Czechoslovakia", "Austria", 2022, "8"), ("Kosovo*", "Austria", 2022, "900"), ("Greenland", "Austria", 2022, "0"),
    ("Bermuda", "Austria", 2022, "1"), ("Serbia", "Austria", 1999, "0"), ("Poland", "Austria", 1999, ""),
    ("Recognised non-citizens", "Latvia", 2022, "17"),
    ("Ukraine", "European Union - 27 countries (from 2020)", 2022, "9"),
    ("Ukraine", "Estonia", 2000, "0"), ("Total", "Estonia", 2000, "0"), ("Croatia", "Croatia", 1998, "50"),
    ("Total", "Austria", 1999, "72723"),
]


def sample(folder, rows=ROWS):
    """A small file like Eurostat's."""
    path = folder / "immigration_by_citizenship.csv"
    frame = pd.DataFrame(rows, columns=["Country of citizenship", "geo", "year", "Migrants number"])
    frame.to_csv(path, index=False, encoding="utf-8")
    return path


def test_corridors_and_margins(tmp_path):
    tables = read_eurostat_imm1ctz(sample(tmp_path))
    flow, margin = tables["flow"], tables["margin"]
    assert flow.set_index(["year", "origin", "destination"])["persons"].to_dict() == {
        (2022, "UKR", "CZE"): 307563, (2022, "VNM", "CZE"): 0, (2022, "ZAF", "CZE"): 40, (2022, "FSM", "CZE"): 2,
        (2022, "BMU", "AUT"): 1}
    assert (flow["reporter"] == flow["destination"]).all()
    assert set(flow["criterion"]) == {"citizenship"} and set(flow["side"]) == {"immigration"}
    assert margin.set_index(["territory", "year", "group"])["persons"].to_dict() == {
        ("CZE", 2022, "total"): 347429, ("CZE", 2022, "own"): 3031, ("CZE", 2022, "stateless"): 12,
        ("CZE", 2022, "unknown"): 5, ("CZE", 2022, "others"): 7, ("HRV", 1998, "own"): 50,
        ("AUT", 1999, "total"): 72723}


def test_nobody_is_dropped_without_a_count(tmp_path):
    omitted = Omissions()
    tables = read_eurostat_imm1ctz(sample(tmp_path), omitted=omitted)
    assert_accounted(len(ROWS), sum(float(r[3] or 0) for r in ROWS), omitted, *tables.values())
    assert left_out(omitted) == {
        why.AGGREGATE: (3, 53), why.FORMER_STATE: (1, 8), why.OUTSIDE: (1, 900), why.REPEATED: (1, 3031),
        why.NO_CITIZENSHIP: (1, 0), why.BEFORE_PARTNER: (1, 0), why.NO_NUMBER: (1, 0), NON_CITIZENS: (1, 17),
        why.UNREPORTED_YEAR: (2, 0)}


@pytest.mark.parametrize("row, error", [
    (("Sub-Saharan Africa", "Czechia", 2022, "5"), UnknownTerritoryError),   # a region that nobody declared
    (("Ukrane", "Czechia", 2022, "5"), UnknownTerritoryError),
    (("Ukraine", "Benelux", 2022, "5"), UnknownTerritoryError),
    (("Ukraine", "Czechia", 2022, "5"), DuplicateKeyError), (("Czechia", "Czechia", 2022, "9"), DuplicateKeyError),
    (("Croatia", "Slovenia", 2022, "-1"), NegativeCountError), (("Croatia", "Slovenia", 2022, "many"), SchemaError),
    (("Croatia", "Slovenia", 2022, "inf"), SchemaError), (("Croatia", "Slovenia", "22", "1"), SchemaError)])
def test_bad_rows_are_named(tmp_path, row, error):
    with pytest.raises(error, match=rf"immigration_by_citizenship\.csv.*row {len(ROWS) + 2}.*Remedy"):
        read_eurostat_imm1ctz(sample(tmp_path, [*ROWS, row]))


def test_a_year_in_thousands_is_refused(tmp_path):
    rows = [(c, "Slovenia", y, n / (1000 if y == 2015 else 1)) for y in (2014, 2015, 2016)
            for c, n in (("Croatia", 4000), ("Italy", 2500), ("Total", 20000))]
    with pytest.raises(SchemaError, match=r"SVN for 2015"):
        read_eurostat_imm1ctz(sample(tmp_path, rows))


@pytest.mark.parametrize("damage", [
    lambda text: b"", lambda text: text.replace(b"geo", b"land"), lambda text: text[:60] + b"\xff\xfe" + text[60:]])
def test_a_damaged_file_is_refused(tmp_path, damage):
    path = sample(tmp_path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(SourceFileError, match=r"immigration_by_citizenship\.csv.*Remedy"):
        read_eurostat_imm1ctz(path)
    with pytest.raises(SourceFileError, match=r"missing.*Remedy"):
        read_eurostat_imm1ctz(tmp_path / "nothing.csv")


def test_a_row_cut_short_is_named(tmp_path):
    path = sample(tmp_path)
    path.write_bytes(path.read_bytes() + b"Ukraine,Czechia\n")
    with pytest.raises(SchemaError, match=rf"row {len(ROWS) + 2}.*Remedy"):
        read_eurostat_imm1ctz(path)


@pytest.mark.sources
def test_real_file(source_file):
    omitted = Omissions()
    path = source_file(FILE)
    tables = read_eurostat_imm1ctz(path, omitted=omitted)
    flow, margin = tables["flow"], tables["margin"]
    persons = flow.set_index(["year", "origin", "destination"])["persons"]
    assert persons[2022, "COL", "ESP"] == 172_241
    assert persons[2022, "UKR", "CZE"] == 307_563
    assert persons[2022, "UKR", "NLD"] == 78_816
    assert persons[2016, "SYR", "SWE"] == 48_973
    raw = pd.read_csv(path, keep_default_na=False)
    assert_accounted(len(raw), raw["Migrants number"].sum(), omitted, flow, margin)
    assert flow["reporter"].nunique() + len(set(margin["territory"]) - set(flow["reporter"])) == 45
    assert (flow["year"] >= 2014).sum() > 45_000
    assert not flow.loc[flow["persons"] == 0, "origin"].isin(WITHOUT_CITIZENSHIP).any()
    groups = margin.pivot_table(index=["territory", "year"], columns="group", values="persons")
    named = flow.groupby(["reporter", "year"])["persons"].sum().rename_axis(["territory", "year"])
    parts = groups.drop(columns="total").join(named).sum(axis=1)
    assert (parts <= groups["total"] * 1.001).all(), "the parts never exceed the whole"
    assert groups.loc[("NLD", 2022), "total"] == 326_798
    assert parts[("SVK", 2022)] == groups.loc[("SVK", 2022), "total"]


@pytest.mark.sources
def test_totals_of_members_add_up_to_the_union(source_file):
    path = source_file(FILE)
    margin = read_eurostat_imm1ctz(path)["margin"]
    raw = pd.read_csv(path, keep_default_na=False)
    union = raw[(raw["geo"] == "European Union - 27 countries (from 2020)")
                & (raw["Country of citizenship"] == "Total")].set_index("year")["Migrants number"]
    others = ["AND", "ARM", "AZE", "BIH", "BLR", "CHE", "GBR", "ISL", "KGZ", "LIE", "MDA", "MKD", "MNE", "NOR", "RUS",
              "SMR", "TJK", "USA", "UZB"]
    totals = margin[(margin["group"] == "total") & ~margin["territory"].isin(others)]
    assert totals["territory"].nunique() == 27
    totals = totals.groupby("year")["persons"].sum()
    assert len(union) == 11 and union[2023] == 5_934_699
    pd.testing.assert_series_equal(totals[union.index].sort_index(), union.sort_index(), check_names=False)


def test_no_label_of_a_region_is_a_territory():
    from humanflows.sources.eurostat_io import NAMES
    from humanflows.territories import territories
    assert not set(NOT_TERRITORIES) & ({*territories()["name"]} | set(NAMES))
