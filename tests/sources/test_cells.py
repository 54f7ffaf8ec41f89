"""What damaged files may do to a reader: the smallest inputs that once went wrong, of each kind."""
import gzip
import json
import zipfile

import numpy as np
import pandas as pd
import pytest
import rdata

from humanflows.errors import (
    DuplicateKeyError,
    InputError,
    NegativeCountError,
    SchemaError,
    SourceFileError,
    UnknownTerritoryError,
)
from humanflows.sources import cells, eurostat, oecd, trade, workbooks, wpp
from humanflows.sources.meta import read_meta
from humanflows.sources.names import resolve_names
from humanflows.sources.omissions import Omissions
from humanflows.sources.rdata_io import read_frame, read_rda
from humanflows.sources.undesa_ims import read_undesa_ims


@pytest.mark.parametrize("error", [RuntimeError, MemoryError, RecursionError, UnboundLocalError, KeyError])
def test_whatever_a_parser_raises_is_the_documented_error(tmp_path, error):
    (tmp_path / "a.bin").write_bytes(b"x")
    with pytest.raises(SourceFileError, match=r"a\.bin.*Remedy"), cells.opening(tmp_path / "a.bin", "a format"):
        raise error("odd")
    with pytest.raises(DuplicateKeyError), cells.opening(tmp_path / "a.bin", "a format"):
        raise DuplicateKeyError("a.bin", "an own error", "stays")
    with pytest.raises(SourceFileError, match="missing"), cells.opening(tmp_path / "b.bin", "a format"):
        pass


@pytest.mark.parametrize("value", ["many", float("inf"), True, "inf", "1e999"])
def test_a_column_of_numbers_holds_finite_numbers_alone(value):
    with pytest.raises(SchemaError, match=r"file\.rda.*row 1"):
        cells.numbers(pd.Series([1, value], dtype=object, name="n"), file="file.rda")


def test_numbers_may_be_texts_and_may_be_missing():
    found = cells.numbers(pd.Series(["1.5", "", None, "-2"], name="n"), file="x")
    np.testing.assert_array_equal(found, [1.5, np.nan, np.nan, -2])


@pytest.mark.parametrize("value", [2012.5, None, float("nan"), "", 2.0**60, float("inf")])
def test_a_year_and_a_half_is_no_year(value):
    with pytest.raises(SchemaError, match="row 1"):
        cells.whole_numbers(pd.Series([2012, value], dtype=object, name="Year"), file="x")


def test_cells_are_texts_as_they_are_written(tmp_path):
    file = tmp_path / "a.csv"
    file.write_bytes(b"\xef\xbb\xbfcode,n\nNA,007\n,\n")
    assert cells.read_texts(file, ["code"]).values.tolist() == [["NA", "007"], ["", ""]]
    file.write_text("code,n\nFRA,1,2\nDEU,3,4\n")     # pandas would take the codes for labels
    with pytest.raises(SourceFileError, match=r"a\.csv"):
        cells.read_texts(file)
    with pytest.raises(SourceFileError, match="lacks"):
        file.write_text("code\nFRA\n")
        cells.read_texts(file, ["n"])


@pytest.mark.parametrize("rows, error", [
    (None, SchemaError), ([[1]], SchemaError), ([[1, 2], 3], SchemaError), ([[1, 2], [3]], SchemaError),
    ([[1, True], [2, 3]], SchemaError), ([[1, "2"], [2, 3]], SchemaError), ([[1, 10**400], [2, 3]], SchemaError),
    ([[1, float("nan")], [2, 3]], SchemaError), ([[1, -1], [2, 3]], NegativeCountError)])
def test_a_matrix_is_square_and_of_counts(rows, error):
    with pytest.raises(error, match="file"):
        cells.square_of_counts(rows, ["A", "B"], file="file", key="1990")


@pytest.mark.parametrize("name", [None, float("nan"), 7, [], "", " ", "x" * 100_000, "(" * 2_000])
def test_what_is_no_name_is_refused_at_once(name):
    """The regular expressions of country_converter take minutes over a name of 100,000 letters."""
    with pytest.raises(UnknownTerritoryError, match="file"):
        resolve_names(["Chile", name], file="file", exceptions={})


def test_a_message_is_short_and_may_be_printed():
    text = str(InputError("f\x1b[31m", "a" * 10**6, "b" * 10**6, "\x00" * 10**5))
    assert len(text) < 2_200 and text.isprintable() and text.startswith("f\\x1b[31m: a")


def test_a_missing_sex_does_not_halve_a_stock(tmp_path):
    frame = pd.DataFrame({"geo": "FRA", "t": 1990.0, "from": "DZA", "sex": ["female", "male"], "n": [np.nan, 60.0],
                          **{f"type_{k}": 1.0 for k in "bcri"}}).astype({c: object for c in ("geo", "from", "sex")})
    rdata.write_rda(tmp_path / "s_2024rev.rda", {"undesa_stocks": frame})
    with pytest.raises(SchemaError, match="missing count"):
        read_undesa_ims([tmp_path / "s_2024rev.rda"])


def test_years_of_flows_are_whole():
    row = {"SEX": ["Total"], "Year": [2012.5], "Sending_iso3": ["POL"], "Receiving_iso3": ["DEU"], "Immi": [1.0],
           "Emig": [np.nan]}
    with pytest.raises(SchemaError, match=r"2012\.5"):
        eurostat.tidy(pd.DataFrame(row), file="x")
    row = {"CO2": ["POL"], "VAR": ["B11"], "GEN": ["TOT"], "COU": ["DEU"], "YEA": [np.nan], "Value": [1]}
    with pytest.raises(SchemaError, match="YEA"):
        oecd.tidy(pd.DataFrame(row), file="x")


def test_a_dyad_told_twice_is_refused(monkeypatch):
    frame = pd.DataFrame([(2, 70, 1995, 5.0), (2, 70, 1995, 6.0)], columns=["ccode1", "ccode2", "year", "flow1"])
    monkeypatch.setattr(trade, "read_rds", lambda path: frame)
    with pytest.raises(DuplicateKeyError):
        trade.read_cow("x.rds")


def test_a_population_told_twice_is_refused(tmp_path):
    frame = pd.DataFrame({"geo": ["FRA", "FRA"], "var": "pop", "t": 2020.0, "v": [1.0, 2.0]})
    rdata.write_rda(tmp_path / "wdi.rda", {"wdi": frame.astype({"geo": object, "var": object})})
    with pytest.raises(DuplicateKeyError, match=r"wdi\.rda"):
        wpp._midyear(tmp_path / "wdi.rda", pd.DataFrame(), Omissions())


@pytest.mark.parametrize("content", [[], {"AE": None}, {"AE": {"BD": None}}, {"AE": {"BD": True}},
                                     {"AE": {"BD": float("inf")}}, {"AE": {"BD": "60"}}])
def test_a_document_of_another_shape_is_refused(tmp_path, content):
    file = tmp_path / "flows_2020_2021.json"
    file.write_text(json.dumps(content))
    with pytest.raises(SchemaError, match=r"flows_2020_2021"):
        read_meta([file])


def test_brackets_without_end_are_refused(tmp_path):
    (tmp_path / "a.json").write_text("[" * 200_000)
    with pytest.raises(SourceFileError, match=r"a\.json"):
        cells.load_json(tmp_path / "a.json")


def _sheet(place: str, padding: int = 0) -> dict[str, str]:
    return {"xl/worksheets/sheet1.xml": f'<worksheet><sheetData><row><c r="{place}"><v>1</v></c></row></sheetData>'
            f"</worksheet>{' ' * padding}"}


@pytest.mark.parametrize("place, padding", [("XFD1048576", 0), ("B9", 5000)])
def test_a_workbook_that_would_unpack_without_end_is_refused(tmp_path, monkeypatch, place, padding):
    monkeypatch.setattr(workbooks, "UNPACKED", 4000)
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w", zipfile.ZIP_DEFLATED) as book:
        for name, text in _sheet(place, padding).items():
            book.writestr(name, text)
    with pytest.raises(SourceFileError, match=r"a\.xlsx.*(column 16384|unpacked)"):
        workbooks.read_sheets(tmp_path / "a.xlsx")


@pytest.mark.parametrize("name, reader", [("a.csv.gz", cells.read_texts), ("a.rda", read_rda)])
def test_a_file_that_would_unpack_without_end_is_refused(tmp_path, monkeypatch, name, reader):
    monkeypatch.setattr(cells, "UNPACKED", 1 << 20)
    (tmp_path / name).write_bytes(gzip.compress(bytes(2 << 20)))
    with pytest.raises(SourceFileError, match=r"more than 1 MiB once unpacked"):
        reader(tmp_path / name)


def test_a_file_without_rows_is_not_read_as_nothing(tmp_path):
    (tmp_path / "a.csv").write_text("code,n\n")
    with pytest.raises(SourceFileError, match=r"a\.csv.*no row"):
        cells.read_texts(tmp_path / "a.csv", ["code"])
    rdata.write_rda(tmp_path / "a.rda", {"a": pd.DataFrame({"n": np.array([], float)})})
    with pytest.raises(SourceFileError, match=r"a\.rda.*no row"):
        read_frame(tmp_path / "a.rda", "a", ["n"])


def test_a_column_that_stands_twice_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("code,n,n\nFRA,1,2\n")
    with pytest.raises(SourceFileError, match=r"a\.csv.*twice"):
        cells.read_texts(tmp_path / "a.csv", ["code", "n"])


@pytest.mark.parametrize("label", ["fra", "FR", "250"])
def test_a_code_is_no_name(label):
    with pytest.raises(UnknownTerritoryError, match=label):
        resolve_names(["Chile", label], file="file", exceptions={})
