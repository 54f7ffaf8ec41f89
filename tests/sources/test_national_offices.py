"""Tables of single national offices: files made here, and the real ones."""
from pathlib import Path

import pandas as pd
import pytest

from humanflows import paths
from humanflows.errors import (
    DuplicateKeyError,
    NegativeCountError,
    SchemaError,
    SourceFileError,
    UnknownTerritoryError,
    YearRangeError,
)
from humanflows.sources import cso_ireland, omissions, ons_uk, scb_sweden, statsnz_citizenship, uk_nino
from humanflows.sources.cso_ireland import read_cso_ireland
from humanflows.sources.dst_denmark import read_dst_denmark
from humanflows.sources.omissions import Omissions
from humanflows.sources.ons_uk import read_ons_uk
from humanflows.sources.scb_sweden import read_scb_sweden
from humanflows.sources.statsnz_citizenship import read_statsnz_citizenship
from humanflows.sources.uk_nino import read_uk_nino


def write(path: Path, header, rows, *, encoding="utf-8", separator=",") -> Path:
    """A file of rows; a cell with the separator in it is quoted."""
    lines = [separator.join(f'"{c}"' if separator in str(c) else str(c) for c in row)
             for row in ([header] if header else []) + list(rows)]
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return path


def scb_file(folder: Path, *changes) -> Path:
    """Two years of Sweden; ``changes`` are (birthplace, sex, year, observations, number) that replace or add a row."""
    cells = {(b, s, y, o): n for b, y, o, n in (
        ("total", 2023, "Immigrations", 100), ("total", 2023, "Emigrations", 60), ("total", 2024, "Emigrations", 90),
        ("Syrian Arab Republic", 2023, "Immigrations", 30), ("Syrian Arab Republic", 2024, "Emigrations", 70),
        ("Gaza Strip", 2023, "Immigrations", 2), ("Palestinian territory, occupied", 2023, "Immigrations", 5),
        ("Sweden", 2023, "Emigrations", 20), ("unknown country of birth", 2023, "Immigrations", 1),
        ("Yugoslavia", 2023, "Immigrations", 4), ("Vatican City", 2023, "Immigrations", 0),
        ("Moçambique", 2023, "Immigrations", 3), ("Serbia", 2005, "Immigrations", 0),
        ("Hong Kong", 2008, "Immigrations", 0), ("Hong Kong", 2012, "Immigrations", 0)) for s in ("men", "women")}
    cells.update({key: n for *key, n in changes for key in [tuple(key)]})
    return write(folder / "scb.csv", scb_sweden.COLUMNS, [(*k, n) for k, n in cells.items()], encoding="latin-1")


def nz_file(folder: Path, *changes, last=(2003, 5)) -> Path:
    """New Zealand from January 2001, ten persons a month; ``changes`` are (year, month, direction, citizenship, n)."""
    labels = ("India", "New Zealand", "Asia", "Non-New Zealand", "TOTAL ALL CITIZENSHIPS")
    cells = {(y, m, d, c): 10 for c in labels for d in ("Arrivals", "Departures", "Net")
             for y in range(2001, last[0] + 1) for m in range(1, 13) if (y, m) <= last}
    cells.update({(y, m, d, c): n for y, m, d, c, n in changes})
    return write(folder / "nz.csv", statsnz_citizenship.COLUMNS,
                 [(f"{y}-{m:02d}-01", n, d, c) for (y, m, d, c), n in cells.items()])


def nino_file(folder: Path, *rows) -> Path:
    """Registrations of two years."""
    rows = rows or ((2022, "IND", 50, 100), (2022, "unknown", 5, 100), (2023, "IND", 60, 120))
    return write(folder / "nino.csv", uk_nino.COLUMNS, rows)


def ons_file(folder: Path, *rows) -> Path:
    """Long-term immigrants of two nationalities."""
    rows = rows or (("Nigeria", 2023, 165000, 73000, 88000, 5000), ("USA", 2023, 19000, 8000, 7000, 4000))
    return write(folder / "ons.csv", ons_uk.COLUMNS, rows)


def cso_file(folder: Path, *rows) -> Path:
    """Ireland's year to April 2023, with its byte order mark."""
    to, of, net = "Emigrants: All destinations", "Immigrants: All origins", "Net migration"
    rows = rows or (
        (2023, "United Kingdom (1)", "Both sexes", of, "Thousand", "18.4"),
        (2023, "United Kingdom (1)", "Male", of, "Thousand", "9.4"),
        (2023, "United Kingdom (1)", "Both sexes", to, "Thousand", "14.6"),
        (2023, "United Kingdom (1)", "Both sexes", net, "Thousand", "-3.8"),
        (2023, "Canada", "Both sexes", of, "Thousand", ""),
        (2023, "EU14 excl Irl (UK & Ireland)", "Both sexes", of, "Thousand", "17.7"),
        (2023, "Other countries (23)", "Both sexes", of, "Thousand", "75.8"),
        (2023, "All countries", "Both sexes", of, "Thousand", "141.6"))
    return write(folder / "cso.csv", cso_ireland.COLUMNS, rows, encoding="utf-8-sig")


def dst_files(folder: Path, *rows) -> tuple[Path, Path]:
    """Denmark's two files."""
    rows = rows or (("Poland", 45780), ("Kosovo", 5), ("GDR", 0), ("Palestine", 0), ("Gaza", 0), ("Kiribati", 0),
                    ("Stateless", 9), ("Asia not stated", 2), ("Pacific Islands", 0), ("Gambia, The", 8))
    return tuple(write(folder / f"{s}.csv", None, rows, encoding="latin-1") for s in ("immigration", "emigration"))


def told(table: pd.DataFrame) -> dict:
    return {(r.side, r.year, r.origin, r.destination): r.persons for r in table.itertuples()}


def margins(table: pd.DataFrame) -> dict:
    return {(r.side, r.group, r.year): r.persons for r in table.itertuples()}


def left(omitted: Omissions) -> dict:
    return {(r.reason, r.year): (r.rows, r.persons) for r in omitted.table().itertuples()}


def test_sweden_sums_sexes_and_parts_of_a_territory_and_leaves_out_the_clean_up(tmp_path):
    omitted = Omissions()
    path = scb_file(tmp_path)
    tables = read_scb_sweden(path, omitted=omitted)
    assert told(tables["flow"]) == {
        ("immigration", 2023, "SYR", "SWE"): 60, ("immigration", 2023, "PSE", "SWE"): 14,
        ("immigration", 2023, "MOZ", "SWE"): 6, ("immigration", 2012, "HKG", "SWE"): 0}
    assert set(tables["flow"]["criterion"]) == {"birthplace"} and set(tables["flow"]["reporter"]) == {"SWE"}
    assert margins(tables["margin"]) == {
        ("immigration", "total", 2023): 200, ("emigration", "total", 2023): 120, ("emigration", "own", 2023): 40,
        ("immigration", "unknown", 2023): 2}
    assert left(omitted) == {
        (scb_sweden.DEREGISTERED, 2024): (4, 320), (omissions.FORMER_STATE, 2023): (1, 8),
        (omissions.OUTSIDE, 2023): (1, 0), (omissions.COUNTED_ELSEWHERE, 2008): (1, 0),
        (omissions.BEFORE_PARTNER, 2005): (1, 0)}
    everybody = pd.read_csv(path, encoding="latin-1")["Immigrations and emigrations"].sum()
    assert everybody == sum(t["persons"].sum() for t in tables.values()) + omitted.table()["persons"].sum()


def test_sweden_refuses_what_it_cannot_know(tmp_path):
    with pytest.raises(UnknownTerritoryError, match=r"'Atlantis'.*row 32"):
        read_scb_sweden(scb_file(tmp_path, *(("Atlantis", s, 2023, "Immigrations", 1) for s in ("men", "women"))))
    with pytest.raises(SchemaError, match=r"France.*row 32"):
        read_scb_sweden(scb_file(tmp_path, ("France", "men", 2023, "Immigrations", 1)))
    with pytest.raises(SchemaError, match=r"'both'.*row 32"):
        read_scb_sweden(scb_file(tmp_path, ("France", "both", 2023, "Immigrations", 1)))
    with pytest.raises(SchemaError, match=r"'many'.*row 32"):
        read_scb_sweden(scb_file(tmp_path, ("France", "men", 2023, "Immigrations", "many")))
    with pytest.raises(YearRangeError, match=r"'23'.*row 32"):
        read_scb_sweden(scb_file(tmp_path, ("France", "men", "23", "Immigrations", 1)))
    with pytest.raises(NegativeCountError, match=r"-3.*row 32"):
        read_scb_sweden(scb_file(tmp_path, *(("France", s, 2023, "Immigrations", -3) for s in ("men", "women"))))
    path = scb_file(tmp_path)
    path.write_text(path.read_text("latin-1") + "Sweden,men,2023,Emigrations,7\n", "latin-1")
    with pytest.raises(DuplicateKeyError, match=r"'Sweden', 2023.*row 32"):
        read_scb_sweden(path)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(SchemaError, match="country of birth"):
        read_scb_sweden(path)
    with pytest.raises(SourceFileError, match="nothing"):
        read_scb_sweden(tmp_path / "nothing.csv")


def test_sweden_withheld_number_of_one_sex_makes_the_sum_unknown(tmp_path):
    omitted = Omissions()
    tables = read_scb_sweden(scb_file(tmp_path, ("Moçambique", "men", 2023, "Immigrations", "..")), omitted=omitted)
    assert ("immigration", 2023, "MOZ", "SWE") not in told(tables["flow"])
    assert left(omitted)[omissions.NO_NUMBER, 2023][0] == 1


def test_new_zealand_reads_whole_years_that_are_final(tmp_path):
    omitted = Omissions()
    tables = read_statsnz_citizenship(nz_file(tmp_path), omitted=omitted)   # final to January 2002
    assert told(tables["flow"]) == {("immigration", 2001, "IND", "NZL"): 120, ("emigration", 2001, "NZL", "IND"): 120}
    assert margins(tables["margin"]) == {(s, g, 2001): 120 for s in ("immigration", "emigration")
                                         for g in ("own", "total")}
    assert left(omitted) == {
        **{(omissions.BALANCE, y): (5 * m, 0) for y, m in ((2001, 12), (2002, 12), (2003, 5))},
        (omissions.PROVISIONAL, 2002): (120, 1200), (omissions.INCOMPLETE_YEAR, 2003): (50, 500),
        (omissions.AGGREGATE, 2001): (4, 480)}
    later = read_statsnz_citizenship(nz_file(tmp_path, last=(2004, 4)))["flow"]   # final to December 2002
    assert set(later["year"]) == {2001, 2002}


def test_new_zealand_year_with_a_month_withheld_is_unknown(tmp_path):
    tables = read_statsnz_citizenship(nz_file(tmp_path, (2001, 5, "Arrivals", "India", "..")))
    assert set(tables["flow"]["side"]) == {"emigration"}


def test_new_zealand_refuses_bad_rows(tmp_path):
    with pytest.raises(UnknownTerritoryError, match=r"'Atlantis'.*row \d+"):
        read_statsnz_citizenship(nz_file(tmp_path, *((2001, m, "Arrivals", "Atlantis", 1) for m in range(1, 13))))
    with pytest.raises(SchemaError, match="'Transit'"):
        read_statsnz_citizenship(nz_file(tmp_path, (2001, 1, "Transit", "India", 1)))
    path = nz_file(tmp_path)
    path.write_text(path.read_text() + "2001-01-01,10,Arrivals,India\n")
    with pytest.raises(DuplicateKeyError, match=r"India.*2001-01"):
        read_statsnz_citizenship(path)
    path.write_text("Month,Count,Direction,Citizenship\nJanuary,1,Arrivals,India\n")
    with pytest.raises(SchemaError, match=r"'January'.*row 2"):
        read_statsnz_citizenship(path)


def test_national_insurance_holds_a_total_and_an_unknown(tmp_path):
    omitted = Omissions()
    tables = read_uk_nino(nino_file(tmp_path), omitted=omitted)
    assert told(tables["flow"]) == {("immigration", 2022, "IND", "GBR"): 50, ("immigration", 2023, "IND", "GBR"): 60}
    assert margins(tables["margin"]) == {("immigration", "unknown", 2022): 5, ("immigration", "total", 2022): 100,
                                         ("immigration", "total", 2023): 120}
    assert omitted.table().empty
    with pytest.raises(DuplicateKeyError, match=r"total for 2022.*row 3"):
        read_uk_nino(nino_file(tmp_path, (2022, "IND", 50, 100), (2022, "PAK", 5, 101)))
    with pytest.raises(DuplicateKeyError, match=r"'IND', 2022.*row 3"):
        read_uk_nino(nino_file(tmp_path, (2022, "IND", 50, 100), (2022, "IND", 50, 100)))
    with pytest.raises(SchemaError, match=r"2022.*row 2"):
        read_uk_nino(nino_file(tmp_path, (2022, "IND", 500, 100)))
    with pytest.raises(UnknownTerritoryError, match=r"'IDN2'.*row 2"):
        read_uk_nino(nino_file(tmp_path, (2022, "IDN2", 50, 100)))


def test_ons_numbers_are_rounded_and_made_of_their_reasons(tmp_path):
    omitted = Omissions()
    table = read_ons_uk(ons_file(tmp_path), omitted=omitted)["flow"]
    assert told(table) == {("immigration", 2023, "NGA", "GBR"): 165000, ("immigration", 2023, "USA", "GBR"): 19000}
    assert omitted.table().empty
    with pytest.raises(SchemaError, match=r"Nigeria, 2023: 165 .*row 2"):   # a year in thousands
        read_ons_uk(ons_file(tmp_path, ("Nigeria", 2023, 165, 73, 88, 5)))
    with pytest.raises(SchemaError, match=r"Nigeria, 2023: 200000.*row 2"):
        read_ons_uk(ons_file(tmp_path, ("Nigeria", 2023, 200000, 73000, 88000, 5000)))
    with pytest.raises(UnknownTerritoryError, match=r"'Asia'.*row 2"):      # a region
        read_ons_uk(ons_file(tmp_path, ("Asia", 2023, 5000, 5000, 0, 0)))


def test_ireland_year_to_april_is_the_calendar_year_before(tmp_path):
    omitted = Omissions()
    tables = read_cso_ireland(cso_file(tmp_path), omitted=omitted)
    assert told(tables["flow"]) == {("immigration", 2022, "GBR", "IRL"): 18400,
                                    ("emigration", 2022, "IRL", "GBR"): 14600}
    assert set(tables["flow"]["criterion"]) == {"residence"}
    assert margins(tables["margin"]) == {("immigration", "total", 2022): 141600, ("immigration", "others", 2022): 93500}
    assert left(omitted) == {(omissions.PART, 2022): (1, 9400), (omissions.BALANCE, 2022): (1, 0),
                             (omissions.NO_NUMBER, 2022): (1, 0)}
    of = "Immigrants: All origins"
    with pytest.raises(UnknownTerritoryError, match=r"'Scandinavia'.*row 2"):
        read_cso_ireland(cso_file(tmp_path, (2023, "Scandinavia", "Both sexes", of, "Thousand", "1")))
    with pytest.raises(SchemaError, match=r"'Persons'.*row 2"):
        read_cso_ireland(cso_file(tmp_path, (2023, "Canada", "Both sexes", of, "Persons", "1000")))
    with pytest.raises(DuplicateKeyError, match=r"'Canada', 2022.*row 3"):
        read_cso_ireland(cso_file(tmp_path, *[(2023, f"Canada ({n})", "Both sexes", of, "Thousand", n)
                                              for n in (1, 2)]))
    with pytest.raises(SchemaError, match="Both sexes"):
        read_cso_ireland(cso_file(tmp_path, (2023, "Canada", "Male", of, "Thousand", "1")))


def test_denmark_is_one_sum_of_ten_years(tmp_path):
    omitted = Omissions()
    table = read_dst_denmark(*dst_files(tmp_path), omitted=omitted)
    rows = {(r.side, r.first_year, r.last_year, r.origin, r.destination): r.persons for r in table.itertuples()}
    assert rows == {
        **{("immigration", 2014, 2023, p, "DNK"): n for p, n in (("POL", 45780), ("GMB", 8), ("KIR", 0))},
        **{("emigration", 2014, 2023, "DNK", p): n for p, n in (("POL", 45780), ("GMB", 8), ("KIR", 0))}}
    assert left(omitted) == {(omissions.OUTSIDE, 0): (2, 10), (omissions.FORMER_STATE, 0): (2, 0),
                             (omissions.STATELESS, 0): (2, 18), (omissions.UNKNOWN, 0): (2, 4),
                             (omissions.AGGREGATE, 0): (2, 0), (omissions.COUNTED_ELSEWHERE, 0): (2, 0)}
    for rows, error, words in (((("Atlantis", 1),), UnknownTerritoryError, "'Atlantis'.*row 1"),
                               ((("Poland", 1), ("Poland", 2)), DuplicateKeyError, "'Poland'.*row 2"),
                               ((("Poland", -1),), NegativeCountError, "row 1"),
                               ((("Poland", "x"),), SchemaError, "'x'.*row 1"),
                               ((("Poland", 1, 2),), SchemaError, "3 columns")):
        with pytest.raises(error, match=words):
            read_dst_denmark(*dst_files(tmp_path, *rows))


@pytest.mark.sources
def test_real_sweden(source_file):
    omitted = Omissions()
    path = source_file("scb_sweden/sweden_immigration.csv")
    tables = read_scb_sweden(path, omitted=omitted)
    one, margin = told(tables["flow"]), margins(tables["margin"])
    assert one["immigration", 2016, "SYR", "SWE"] == 51_540
    assert margin["immigration", "total", 2016] == 163_005
    everybody = pd.read_csv(path, encoding="latin-1", keep_default_na=False).iloc[:, -1].sum()
    assert everybody == sum(t["persons"].sum() for t in tables.values()) + omitted.table()["persons"].sum()
    # With what is left out the birthplaces make up the published total of every year that is read.
    parts = tables["flow"].groupby(["side", "year"])["persons"].sum()
    wide = tables["margin"].pivot_table(index=["side", "year"], columns="group", values="persons")
    gone = omitted.table().query("reason != @scb_sweden.DEREGISTERED")["persons"].sum()
    assert (wide["total"] - wide["own"] - wide["unknown"] - parts).sum() == gone
    assert len(wide) == 49 and ("emigration", 2024) not in wide.index


@pytest.mark.sources
def test_real_new_zealand(source_file):
    tables = read_statsnz_citizenship(source_file("statsnz_2001_2026/df_citizenship_direction_20260728.csv"))
    assert told(tables["flow"])["immigration", 2023, "IND", "NZL"] == 47_114
    assert (tables["flow"]["year"].min(), tables["flow"]["year"].max()) == (2001, 2024)
    parts = tables["flow"].groupby(["side", "year"])["persons"].sum()
    wide = tables["margin"].pivot_table(index=["side", "year"], columns="group", values="persons")
    assert wide.loc[("immigration", 2023), "total"] == 228_001
    assert (wide["total"] > wide["own"] + parts).all() and (wide["own"] + parts > 0.75 * wide["total"]).all()


def test_committed_national_insurance():
    tables = read_uk_nino(paths.DATA / "uk_national_insurance.csv")
    assert told(tables["flow"])["immigration", 2022, "IND", "GBR"] == 257_211
    assert len(tables["flow"]) + (tables["margin"]["group"] == "unknown").sum() == 24 * 15


@pytest.mark.sources
def test_committed_national_insurance_is_what_was_transcribed(source_file):
    theirs = pd.read_csv(source_file("uk_nino/nino_top15_2002_2025_transcribed.csv"), keep_default_na=False)
    ours = pd.read_csv(paths.DATA / "uk_national_insurance.csv", keep_default_na=False)
    assert ours["registrations"].tolist() == theirs["nino_registrations"].tolist()
    assert ours["total"].tolist() == theirs["total_all_nationalities"].tolist()
    share = (100 * ours["registrations"] / ours["total"]).round(1)
    assert (share - theirs["share_pct_as_printed"]).abs().max() < 0.06


@pytest.mark.sources
def test_real_united_kingdom(source_file):
    table = read_ons_uk(source_file("ons_uk/immigration-by-country.csv"))["flow"]
    one = told(table)
    assert one["immigration", 2023, "NGA", "GBR"] == 165_000 and one["immigration", 2023, "IND", "GBR"] == 277_000
    assert len(table) == 40


@pytest.mark.sources
def test_real_ireland(source_file):
    omitted = Omissions()
    tables = read_cso_ireland(source_file("cso_ireland/CSO_PEA18_Migration_Sex_Country.csv"), omitted=omitted)
    assert told(tables["flow"])["immigration", 2022, "GBR", "IRL"] == 18_400
    parts = tables["flow"].groupby(["side", "year"])["persons"].sum()
    wide = tables["margin"].pivot_table(index=["side", "year"], columns="group", values="persons")
    assert (wide["total"] - wide["others"] - parts).abs().max() <= 200 and len(wide) == 2 * 37
    others = 2 * (37 + 37 + 19)   # rows of the three groups that make up the margin, one of them from 2005
    assert omitted.table()["rows"].sum() + len(tables["flow"]) + len(wide) + others == 2664, "the rows of the file"


@pytest.mark.sources
def test_real_ireland_to_2004_is_what_undesa_has_of_the_same_years(source_file):
    from humanflows.sources.undesa_imfsc import read_undesa_imfsc

    ours = read_cso_ireland(source_file("cso_ireland/CSO_PEA18_Migration_Sex_Country.csv"))["flow"]
    other = read_undesa_imfsc([source_file("undesa_imfsc_2015/Ireland.xlsx")])
    other = (other["flow"] if isinstance(other, dict) else other).query("criterion == 'residence' and year < 2005")
    both = ours.merge(other, on=["side", "year", "origin", "destination"])
    assert len(both) == 2 * 2 * 19 and (both["persons_x"] == both["persons_y"]).all()


@pytest.mark.sources
def test_real_denmark(source_file):
    omitted = Omissions()
    files = [source_file(f"dst_denmark/{side}.csv") for side in ("immigration", "emigration")]
    table = read_dst_denmark(*files, omitted=omitted)
    persons = table.groupby("side")["persons"].sum()
    assert persons.sum() + omitted.table()["persons"].sum() == 698_733 + 429_223
    assert table.query("side == 'immigration' and origin == 'UKR'")["persons"].tolist() == [54_222]
    assert "PSE" not in set(table["origin"])


def test_a_negative_month_of_new_zealand_does_not_hide_in_the_year(tmp_path):
    with pytest.raises(NegativeCountError, match=r"nz\.csv.*row"):
        read_statsnz_citizenship(nz_file(tmp_path, (2001, 3, "Arrivals", "India", -1)))
