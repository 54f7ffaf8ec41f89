"""Statistics New Zealand's monthly tables: files made here, and the real ones."""
import pytest

from humanflows.errors import DuplicateKeyError, NegativeCountError, SchemaError, UnknownTerritoryError
from humanflows.sources import omissions
from humanflows.sources.omissions import Omissions
from humanflows.sources.statsnz import GROUPS, TITLE, read_months, read_statsnz


@pytest.fixture
def write(tmp_path):
    """Write a file of countries: {name: {month: (arrivals, departures)}}, the same in each group of citizens."""

    def write_file(countries, name="a.csv", groups=GROUPS):
        lines = [f'"{TITLE}","","","",""', '"","","","Arrivals","Departures"']
        for group in groups:
            for i, (country, months) in enumerate(countries.items()):
                for j, (month, (arrivals, departures)) in enumerate(months.items()):
                    lines.append(f'"{group if i == j == 0 else " "}","{country if j == 0 else " "}","{month}",'
                                 f"{arrivals},{departures}")
        (tmp_path / name).write_text("\n".join([*lines, '"Table information:"', '"Units:"', '""']) + "\n")
        return tmp_path / name

    return write_file


def year(y, arrivals=10, departures=1, months=range(1, 13)):
    return {f"{y}M{m:02d}": (arrivals, departures) for m in months}


def test_years_are_whole_and_groups_are_not_added(write):
    first = write({"ASIA": year(2001), "Japan": {**year(2001), **year(2002, months=range(1, 7))},
                   "New Zealand": year(2001), "TOTAL ALL COUNTRIES OF RESIDENCE": year(2001),
                   "NOT STATED": year(2001, 1, 0), "Czechoslovakia": year(2001, 0, 0), "Pitcairn": year(2001, 1, 1)})
    second = write({"Japan": year(2002, months=range(7, 12))}, "b.csv")  # December lacks
    omitted = Omissions()
    tables = read_statsnz([first, second], omitted=omitted)
    table, margin = tables["flow"], tables["margin"]
    rows = {(r.side, r.year, r.origin, r.destination): r.persons for r in table.itertuples()}
    assert rows == {("immigration", 2001, "JPN", "NZL"): 120, ("emigration", 2001, "NZL", "JPN"): 12}
    assert {(r.side, r.group): r.persons for r in margin.itertuples()} == {
        ("immigration", "total"): 120, ("emigration", "total"): 12, ("immigration", "unknown"): 12,
        ("emigration", "unknown"): 0}
    left = {(r.reason, r.year): (r.rows, r.persons) for r in omitted.table().itertuples()}
    assert left == {
        (omissions.PART, 2001): (2 * 7 * 12, 2 * (4 * 132 + 12 + 24)), (omissions.PART, 2002): (2 * 11, 2 * 121),
        (omissions.INCOMPLETE_YEAR, 2002): (2 * 11, 121), (omissions.AGGREGATE, 2001): (2, 132),
        (omissions.OWN, 2001): (2, 132), (omissions.FORMER_STATE, 2001): (2, 0), (omissions.OUTSIDE, 2001): (2, 24)}
    third = write({"Japan": year(2002, months=range(7, 13))}, "b.csv")
    assert read_statsnz([first, third])["flow"].query("year == 2002")["persons"].tolist() == [120, 12]


def test_a_withheld_month_makes_the_year_unknown(write):
    table = read_statsnz([write({"Japan": year(2001) | {"2001M05": ("..", 1)}})])["flow"]
    assert table["side"].tolist() == ["emigration"]


def test_zero_before_a_partner_existed_is_no_count(write):
    table = read_statsnz([write({"Montenegro": {**year(2000, 0, 0), **year(2008, 0, 1)}})])["flow"]
    assert table[["side", "year", "persons"]].values.tolist() == [["immigration", 2008, 0], ["emigration", 2008, 12]]


def test_bad_rows_are_named(write):
    with pytest.raises(UnknownTerritoryError, match="Atlantis"):
        read_statsnz([write({"Atlantis": year(2001)})])
    with pytest.raises(NegativeCountError, match=r"a\.csv.*row \d+"):
        read_statsnz([write({"Japan": {"2001M01": (-1, 2)}})])
    with pytest.raises(SchemaError, match="'many'"):
        read_statsnz([write({"Japan": {"2001M01": ("many", 2)}})])
    with pytest.raises(SchemaError, match=r"'January'.*row"):
        read_statsnz([write({"Japan": {"January": (1, 2)}})])
    with pytest.raises(SchemaError, match="group 'Martian'"):
        read_statsnz([write({"Japan": year(2001)}, groups=("Martian",))])
    with pytest.raises(DuplicateKeyError, match=r"Japan, 2001M01.*b\.csv|b\.csv.*Japan, 2001M01"):
        read_statsnz([write({"Japan": year(2001)}), write({"Japan": year(2001)}, "b.csv")])


def test_another_table_is_refused(tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n3,4\n")
    with pytest.raises(SchemaError, match=r"x\.csv"):
        read_months(tmp_path / "x.csv")


@pytest.mark.sources
def test_real_files(source_file):
    folder = source_file("statsnz/ITM331901_20160816_074042_94.csv").parent
    files = sorted(folder.glob("*.csv"))
    tables = read_statsnz(files)
    table = tables["flow"]
    assert table["year"].min() == 1979 and table["year"].max() == 2015
    assert set(table["reporter"]) == {"NZL"} and table["side"].nunique() == 2
    # The files' own totals: territories and entries outside them make up all arrivals of a year.
    months = read_months(folder / "ITM331901_20160816_080635_63.csv").query("year == 2010")
    total = months.query("name.str.startswith('TOTAL')")["arrivals"].sum()
    assert total == 82_469
    ours = table.query("year == 2010 and side == 'immigration'")["persons"].sum()
    assert 0.97 * total < ours < total  # the rest: not stated, and New Zealand itself
    margin = tables["margin"].query("year == 2010 and side == 'immigration'").set_index("group")["persons"]
    assert margin["total"] == total and ours + margin["unknown"] > 0.99 * total


@pytest.mark.sources
def test_real_numbers_are_those_of_undesa(source_file):
    from humanflows.sources.undesa_imfsc import read_undesa_imfsc

    folder = source_file("statsnz/ITM331901_20160816_074042_94.csv").parent
    other = read_undesa_imfsc([source_file("undesa_imfsc_2015/New Zealand.xlsx")])["flow"]
    other = other.query("criterion == 'residence'")
    key = ["side", "year", "origin", "destination"]
    both = read_statsnz(sorted(folder.glob("*.csv")))["flow"].merge(other, on=key)
    assert len(both) == len(other) > 14_000 and (both["persons_x"] == both["persons_y"]).all()
