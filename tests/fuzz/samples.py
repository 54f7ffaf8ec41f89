"""Small valid files made by code, in the formats that sources come in, and what may be altered in each.

A file says what its cells mean, because what must follow from an alteration depends on it: an unknown code, an infinite
count or a year and a half may be refused or left out, and never give a row that the sound file does not give.
"""
import csv
import gzip
import io
import json
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import pandas as pd


def plain(content: bytes) -> bytes:
    """No envelope."""
    return content


def gz(content: bytes) -> bytes:
    """A gzip envelope, the same bytes every time."""
    return gzip.compress(content, mtime=0)


@dataclass(frozen=True)
class Table:
    """A file of rows.

    Parameters
    ----------
    columns : values of each column.
    write : header and rows to bytes, see `csv_of`, `rda_of`, `xlsx_of`.
    codes, years, counts, signed, parts, words : names of columns. Codes name a territory; counts may not be negative;
        of ``parts`` a missing one counts as nothing; words are texts of which only some are known.
    free : columns of texts that may be anything. Columns that are not named at all are not read.
    ordered : rows mean something by their place, so that they may not be re-ordered.
    may_be_empty : a file without rows says that there are none.
    wrap : what the bytes are put in, `gz` for example; damage is done inside it as well as to it.
    """

    columns: Mapping[str, Sequence]
    write: Callable[[list[str], list[list]], bytes]
    codes: tuple[str, ...] = ()
    years: tuple[str, ...] = ()
    counts: tuple[str, ...] = ()
    signed: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    free: tuple[str, ...] = ()
    ordered: bool = False
    may_be_empty: bool = False
    wrap: Callable[[bytes], bytes] = plain

    @property
    def header(self) -> list[str]:
        """Names of the columns."""
        return list(self.columns)

    @property
    def rows(self) -> list[list]:
        """The rows, as lists that may be changed."""
        return [list(row) for row in zip(*self.columns.values(), strict=True)]

    def inside(self) -> bytes:
        """The sound file without its envelope."""
        return self.write(self.header, self.rows)


@dataclass(frozen=True)
class Grid:
    """A file of arrays over named axes (NetCDF, MATLAB).

    Parameters
    ----------
    axes : labels of each axis: texts are codes, whole numbers are years.
    arrays : dimensions and values of each variable.
    write : axes and arrays to bytes.
    signed : variables that may be negative.
    moved : whether entries of an axis may stand in another order.
    """

    axes: Mapping[str, Sequence]
    arrays: Mapping[str, tuple[tuple[str, ...], Any]]
    write: Callable[[dict, dict], bytes]
    signed: tuple[str, ...] = ()
    moved: bool = True
    wrap: Callable[[bytes], bytes] = plain

    def inside(self) -> bytes:
        """The sound file."""
        return self.write(dict(self.axes), {k: (d, np.array(v, float)) for k, (d, v) in self.arrays.items()})


@dataclass(frozen=True)
class Document:
    """A file of nested lists and mappings (JSON).

    Parameters
    ----------
    content : what it says; numbers are counts.
    write : content to bytes.
    ordered : keys of mappings mean something by their place.
    free : keys of mappings below which a changed value may change the answer.
    """

    content: Any
    write: Callable[[Any], bytes] = field(default=lambda content: json.dumps(content).encode())
    ordered: bool = False
    free: tuple[str, ...] = ()
    wrap: Callable[[bytes], bytes] = plain

    def inside(self) -> bytes:
        """The sound file."""
        return self.write(self.content)


@dataclass(frozen=True)
class Netcdf4:
    """A NetCDF 4 file, altered in place: its variables, labels and attributes.

    Parameters
    ----------
    content : the sound file.
    signed : variables that may be negative.
    gaps : variables that may be missing in places.
    """

    content: bytes
    signed: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    wrap: Callable[[bytes], bytes] = plain

    def inside(self) -> bytes:
        """The sound file."""
        return self.content


File = Table | Grid | Document | Netcdf4


def csv_of(sep: str = ",", above: Sequence[Sequence] = (), *, head: bool = True,
           below: Sequence[Sequence] = ()) -> Callable:
    """Writer of delimited text; lines stand above the header (``head``: there is one) and below the rows."""
    def write(header, rows):
        out = io.StringIO()
        lines = csv.writer(out, delimiter=sep, lineterminator="\n")
        lines.writerows([*above, *([header] if head else []),
                         *(["" if c is None else c for c in row] for row in rows), *below])
        return out.getvalue().encode("utf-8", "surrogatepass")

    return write


def rda_of(name: str | None) -> Callable:
    """Writer of an R data frame, named as in ``.rda`` and ``.RData``, or unnamed as in ``.rds``."""
    def write(header, rows):
        import rdata

        # R has no mixed column: one text makes texts of all.
        frame = pd.DataFrame({f"column {i}": _r_column([row[i] for row in rows]) for i in range(len(header))})
        frame.columns = header
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "made"
            if name is None:
                rdata.write_rds(file, frame, compression=None)
            else:
                rdata.write_rda(file, {name: frame}, compression=None)
            return file.read_bytes()

    return write


def _r_column(values: list) -> pd.Series:
    if any(isinstance(v, str) for v in values):
        return pd.Series([v if v is None else str(v) for v in values], dtype=object)
    if all(isinstance(v, int) and abs(v) < 2**31 for v in values):
        return pd.Series(values, dtype="Int32")
    return pd.Series([np.nan if v is None else v for v in values], dtype=float)


_XLSX = {
    "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.'
    'spreadsheetml.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/'
    'vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>',
    "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/'
    'officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r='
    '"http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="{sheet}" '
    'sheetId="1" r:id="rId1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/'
    'relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/'
    'relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
}


def sheet_of(above: Sequence[Sequence] = (), *, head: bool = True) -> Callable:
    """Writer of the sheet of a workbook; put it in one with `workbook`."""
    def write(header, rows):
        lines = [*above, *([header] if head else []), *rows]
        body = "".join(f'<row r="{n}">{"".join(_cell(v, n, k) for k, v in enumerate(line))}</row>'
                       for n, line in enumerate(lines, start=1))
        return ('<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
                f"{body}</sheetData></worksheet>").encode("utf-8", "surrogatepass")

    return write


def _cell(value, row: int, column: int) -> str:
    if value is None or value == "":
        return ""
    letters, rest = "", column
    while rest >= 0:
        letters, rest = chr(65 + rest % 26) + letters, rest // 26 - 1
    if isinstance(value, (int, float)):
        return f'<c r="{letters}{row}"><v>{value}</v></c>'
    return f'<c r="{letters}{row}" t="inlineStr"><is><t xml:space="preserve">{escape(str(value))}</t></is></c>'


def workbook(sheet: str = "Sheet1") -> Callable[[bytes], bytes]:
    """Envelope of a sheet: a workbook (.xlsx) that holds it alone."""
    def wrap(content: bytes) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as book:
            for name, text in _XLSX.items():
                book.writestr(zipfile.ZipInfo(name), text.replace("{sheet}", escape(sheet)))
            book.writestr(zipfile.ZipInfo("xl/worksheets/sheet1.xml"), content)
        return out.getvalue()

    return wrap


def netcdf3(axes: dict, arrays: dict) -> bytes:
    """Writer of NetCDF 3, as the harmonised covariates have it."""
    import xarray as xr

    labels = {k: np.array(v, np.int32) if all(isinstance(x, int) for x in v) else np.array([str(x) for x in v])
              for k, v in axes.items()}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "made.nc"
        xr.Dataset(arrays, labels).to_netcdf(file, engine="scipy", format="NETCDF3_64BIT")
        return file.read_bytes()


def matlab(axes: dict, arrays: dict) -> bytes:
    """Writer of a MATLAB file of arrays."""
    import scipy.io

    out = io.BytesIO()
    scipy.io.savemat(out, {k: v for k, (_, v) in arrays.items()})
    return out.getvalue()
