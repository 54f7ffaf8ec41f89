"""Visas and permits: files made here, and the real ones."""
from pathlib import Path

import pandas as pd
import pytest

from humanflows.errors import (
    DuplicateKeyError,
    NegativeCountError,
    SchemaError,
    SourceFileError,
    UnknownTerritoryError,
)
from humanflows.sources import ircc_tr, omissions, us_niv
from humanflows.sources.ircc_tr import read_ircc_tr
from humanflows.sources.omissions import Omissions
from humanflows.sources.us_niv import LONG_STAY, SHORT_STAY, read_class, read_us_niv

OLD = [["Fiscal Year 2021", "B-1,2", "F-1", "H-1B", "Total Visas", "Grand Total"],
       ["Asia", "", "", "", "", ""],
       ["India", 100.0, 30.0, 7.0, 137.0, 137.0],
       ["China - Taiwan", 5.0, "0", 2.0, 7.0, 7.0],
       ["Totals for Asia", 105.0, 30.0, 9.0, 144.0, 144.0],
       ["", "", "", "", "", ""],
       ["Unknown", "", "", "", "", ""],
       ["No Nationality", 1.0, 2.0, "", 3.0, 3.0],
       ["Grand Totals", 106.0, 32.0, 9.0, 147.0, 147.0]]
NEW = [["Fiscal Year 2023", "B1/B2", "F1", "Grand Total"],
       ["India", 100.0, 130730.0, 130830.0], ["Taiwan", 4.0, 3.0, 7.0], ["Kosovo", 1.0, 6.0, 7.0]]


@pytest.fixture
def sheets(monkeypatch):
    """Read sheets as if they were the workbook."""
    def use(**named):
        monkeypatch.setattr(us_niv, "read_sheets", lambda path: named or {"FY21": OLD, "FY23": NEW})
        return Path("niv.xlsx")
    return use


def ircc_files(folder: Path, *rows) -> tuple[Path, Path, Path]:
    """Three files of one whole year, and further rows (year, month, citizenship, text)."""
    header = ["EN_YEAR", "EN_QUARTER", "EN_MONTH", "FR_ANNEÉ", "FR_TRIMESTRE", "FR_MOIS", "EN_COUNTRY_OF_CITIZENSHIP",
              "FR_PAYS_DE_CITOYENNETÉ", "TOTAL"]
    whole = [(2022, m, c, n) for m in ircc_tr.MONTHS for c, n in (("India", 100), ("Nevis", "--"), ("Other", 5))]
    lines = ["\t".join(header)] + ["\t".join(map(str, (y, "Q", m, y, "T", m, c, c, n))) for y, m, c, n in
                                   [*whole, *rows]]
    paths = tuple(folder / f"{name}.csv" for name in ("study", "imp", "tfwp"))
    for path in paths:
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return paths


def told(table: pd.DataFrame) -> dict:
    return {(r.variable, r.year, r.origin, r.destination): (r.value, r.status) for r in table.itertuples()}


def left(omitted: Omissions) -> dict:
    return {(r.reason, r.year): (r.rows, r.persons) for r in omitted.table().itertuples()}


def test_visas_of_a_long_stay_are_summed_whatever_the_header_is_called(sheets):
    omitted = Omissions()
    table = read_us_niv(sheets(), omitted=omitted)
    assert told(table) == {
        ("visas_issued", 2021, "IND", "USA"): (37, "reported"), ("visas_issued", 2021, "TWN", "USA"): (2, "reported"),
        ("visas_issued", 2023, "IND", "USA"): (130730, "reported"),
        ("visas_issued", 2023, "TWN", "USA"): (3, "reported")}
    assert left(omitted) == {
        (omissions.AGGREGATE, 2021): (2 * 5 + 3 * 2, 3 * 144 + 3 * 147 + 2 * (137 + 7 + 3)),
        (omissions.AGGREGATE, 2023): (3, 130830 + 7 + 7), (us_niv.OTHER_CLASSES, 2021): (3, 106),
        (us_niv.OTHER_CLASSES, 2023): (3, 105), (omissions.NO_NUMBER, 2021): (1, 0),
        (omissions.STATELESS, 2021): (1, 2), (omissions.OUTSIDE, 2023): (1, 6)}
    assert told(read_class("niv.xlsx", ["F1"]))["visas_issued", 2021, "IND", "USA"] == (30, "reported")
    with pytest.raises(SchemaError, match="Z9"):
        read_class("niv.xlsx", ["F1", "Z9"])
    assert not LONG_STAY & SHORT_STAY


def test_bad_sheets_are_named(sheets, tmp_path):
    def changed(row, column, value):
        rows = [list(r) for r in NEW]
        rows[row][column] = value
        return sheets(FY23=rows)

    for where, error, words in (((0, 2, "Z9"), SchemaError, r"FY23.*'Z9'"), ((0, 1, "F-1"), SchemaError, "FY23.*F1"),
                                ((0, 0, "Fiscal Year 2022"), SchemaError, "FY23.*row 1"),
                                ((1, 2, "many"), SchemaError, r"'many'.*row 2"),
                                ((1, 2, -5.0), NegativeCountError, r"India.*sheet FY23, row 2"),
                                ((2, 0, "India"), DuplicateKeyError, r"India.*sheet FY23, row 3"),
                                ((2, 0, "Atlantis"), UnknownTerritoryError, r"'Atlantis'.*sheet FY23, row 3")):
        with pytest.raises(error, match=words):
            read_us_niv(changed(*where))
    with pytest.raises(SchemaError, match="'Notes'"):
        read_us_niv(sheets(Notes=NEW))


def test_not_a_workbook(tmp_path):
    (tmp_path / "a.xlsx").write_text("hello")
    with pytest.raises(SourceFileError, match=r"a\.xlsx"):
        read_us_niv(tmp_path / "a.xlsx")


def test_permits_of_whole_years_with_one_to_five_taken_for_three(tmp_path):
    omitted = Omissions()
    files = ircc_files(tmp_path, (2022, "May", "France", "--"), (2022, "Jun", "France", 200),
                       (2023, "Jan", "India", 50), (2023, "Feb", "India", "--"))
    table = read_ircc_tr(*files, omitted=omitted)
    assert told(table) == {
        (variable, 2022, code, "CAN"): (factor * value, status)
        for variable, factor in (("study_permits", 1), ("work_permits", 2))
        for code, value, status in (("IND", 1200, "reported"), ("FRA", 203, "reported"), ("KNA", 36, "imputed"))}
    assert left(omitted) == {(omissions.INCOMPLETE_YEAR, 2023): (6, 3 * 53), (omissions.OTHERS, 2022): (2, 60 + 120)}


def test_bad_permits_are_named(tmp_path):
    for row, error, words in (((2022, "May", "Atlantis", 5), UnknownTerritoryError, r"study.*'Atlantis'.*row 38"),
                              ((2022, "May", "India", 5), DuplicateKeyError, r"India.*May 2022.*row 38"),
                              ((2022, "Mai", "France", 5), SchemaError, r"'Mai'.*row 38"),
                              ((2022, "May", "France", -5), NegativeCountError, r"France.*row 38"),
                              ((2022, "May", "France", "x"), SchemaError, r"'x'.*row 38")):
        with pytest.raises(error, match=words):
            read_ircc_tr(*ircc_files(tmp_path, row))


@pytest.mark.sources
def test_real_visas(source_file):
    path = source_file("us_niv/FYs97-24_NIVDetailTable.xlsx")
    students = told(read_class(path, ["F1"]))
    assert students["visas_issued", 2023, "IND", "USA"][0] == 130_730
    omitted = Omissions()
    table = read_us_niv(path, omitted=omitted)
    cells = us_niv.read_cells(path)
    published = cells[cells["label"].isin(["Grand Total", "Grand Totals"])]
    published = published[published["class"] == "Grand Total"].groupby("year")["value"].sum()
    gone = omitted.table().query("reason != @omissions.AGGREGATE").groupby("year")["persons"].sum()
    ours = table.groupby("year")["value"].sum() + gone
    assert (ours == published).all() and len(published) == 28, "every visa of every year is in the table or left out"


@pytest.mark.sources
def test_real_permits(source_file):
    files = [source_file(f"ircc_tr/ODP-TR-{n}.csv") for n in ("Study-IS_CITZ", "Work-IMP-CITZ", "Work-TFWP-CITZ")]
    omitted = Omissions()
    table = read_ircc_tr(*files, omitted=omitted)
    assert set(table["year"]) == set(range(2015, 2024))
    raw = pd.concat([pd.read_csv(f, sep="\t", keep_default_na=False) for f in files])
    raw = pd.to_numeric(raw["TOTAL"].replace(ircc_tr.CENSORED, ircc_tr.CENSORED_AS)).sum()
    assert table["value"].sum() + omitted.table()["persons"].sum() == raw
    assert told(table)["study_permits", 2023, "IND", "CAN"][0] > 200_000


def test_a_negative_number_of_one_program_does_not_hide_in_the_sum(tmp_path):
    study, mobility, workers = ircc_files(tmp_path)
    workers.write_text(workers.read_text().replace("\t100\n", "\t-1\n", 1))
    with pytest.raises(NegativeCountError, match=r"tfwp\.csv.*row 2"):
        read_ircc_tr(study, mobility, workers)
