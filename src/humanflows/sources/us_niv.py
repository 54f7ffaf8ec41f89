"""United States, nonimmigrant visas issued by nationality and class, fiscal years 1997–2024.

A visa issued is no move: it may go unused, somebody who stays may renew it abroad, Canadians mostly need none, and who
changes status inside the country gets none. Immigrant visas are another table. The fiscal year begins in October of the
year before.

Classes fall into those of a stay that is or may become a residence (`LONG_STAY`), one number a nationality and year,
and all others (`SHORT_STAY`), which are counted and left out:

- E treaty traders and investors, H workers and trainees, L transferred staff, O and P people of extraordinary ability,
  athletes and artists, Q cultural exchange, R religious workers, TN workers of the North American agreement, CW workers
  of the Northern Marianas: they work for months to years.
- F and M students and J exchange visitors (among them students of one summer).
- K fiancés, spouses and children of citizens, V of permanent residents, N-8 and N-9 of special immigrants, T and U
  victims of crimes and their families: they come to settle.
- The families of all these (F-2, H-4, J-2, L-2, TD …) come to live there too and are counted with them.
- Left out are H-2A and H-2B (seasonal work of less than a year, four fifths of the Mexicans' visas of 2024), A, G and
  NATO (officials and soldiers, whom most statistics of migration leave out), B and border crossing cards (visits), C
  and D (transit and crews), F-3 and M-3 (who commute from across the border), I (media) and S (witnesses).
"""
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import DuplicateKeyError, SchemaError, SourceFileError
from .omissions import AGGREGATE, FORMER_STATE, NO_NUMBER, OUTSIDE, STATELESS, UNKNOWN, Omissions
from .partners import Labels, indicators
from .workbooks import read_sheets

SOURCE = "us_niv"
DESTINATION = "USA"
OTHER_CLASSES = "visas of visitors, officials, crews and others without a long stay"
# As the newest sheets write them; older ones write F-1 for F1 and B-1,2 for B1/B2.
LONG_STAY = frozenset((
    # to work, with families
    "E1", "E2", "E2C", "E3", "E3D", "E3R", "H1A", "H1B", "H1B1", "H1C", "H3", "H4", "L1",
    "L2", "O1", "O2", "O3", "P1", "P2", "P3", "P4", "Q1", "Q2", "Q3", "R1", "R2", "TN", "TD", "CW1", "CW2",
    # to study or for an exchange, with families
    "F1", "F2", "M1", "M2", "J1", "J2",
    # to settle
    "K1", "K2", "K3", "K4", "V1", "V2", "V3", "N8", "N9", "T1", "T2", "T3", "T4", "T5", "T6", "U1", "U2", "U3",
    "U4", "U5"))
SHORT_STAY = frozenset((
    "H2A", "H2B", "H2R", "A1", "A2", "A3", "G1", "G2", "G3", "G4", "G5", "NATO1", "NATO2", "NATO3", "NATO4", "NATO5",
    "NATO6", "NATO7", "B1", "B2", "B1/B2", "BBBCC", "BBBCV", "BCC", "C1", "C2", "C3", "C4", "C1/D", "C4/D3", "D",
    "DCREW", "F3", "M3", "I", "S5", "S6", "S7"))
RENAMED = {"B1,2": "B1/B2", "B1,2/BCC": "BBBCC", "B1,2/BCV": "BBBCV"}
TOTALS = frozenset({"Total Visas", "Grand Total"})
HEADINGS = frozenset({"Africa", "Asia", "Europe", "North America", "Oceania", "South America", "Unknown"})
_SHEET = re.compile(r"FY([0-9]{2})")
LABELS = Labels(
    names={"China - mainland": "CHN", "China - Taiwan": "TWN", "Korea, North": "PRK", "Korea, South": "KOR",
           "Great Britain and Northern Ireland": "GBR", "Hong Kong S.A.R.": "HKG", "Macau S.A.R.": "MAC",
           "Palestinian Authority Travel Document": "PSE", "Burma": "MMR", "Micronesia": "FSM",
           "Congo, Dem. Rep. of the (Congo Kinshasa)": "COD", "Congo, Rep. of the (Congo Brazzaville)": "COG",
           "Congo, Dem. Rep. of the (Kinshasa)": "COD", "Congo, Rep. of the (Brazzaville)": "COG",
           "Congo, Democratic Republic of the": "COD", "Congo, Republic of the": "COG"},
    left_out={"Serbia and Montenegro": FORMER_STATE, "Kosovo": OUTSIDE, "Vatican City": OUTSIDE,
              "No Nationality": STATELESS, "United Nations Laissez-Passer": UNKNOWN,
              **dict.fromkeys((*(f"Totals for {h}" for h in sorted(HEADINGS)), "Grand Total", "Grand Totals"),
                              AGGREGATE)})


def read_us_niv(path: Path, *, omitted: Omissions | None = None) -> pd.DataFrame:
    """Visas for a long stay by nationality and fiscal year.

    Parameters
    ----------
    path : ``FYs97-24_NIVDetailTable.xlsx``.

    Returns
    -------
    Table ``pair_year``, variable ``visas_issued``: ``origin`` the nationality, ``destination`` the USA, ``year`` the
    fiscal year (October of the year before to September), the sum over `LONG_STAY`.

    Raises
    ------
    SourceFileError, SchemaError, UnknownTerritoryError, NegativeCountError, DuplicateKeyError
        Naming the sheet and the row.
    """
    omitted = Omissions() if omitted is None else omitted
    cells = read_cells(path)
    sums = cells["class"].isin(TOTALS) | (cells["label"].map(LABELS.left_out) == AGGREGATE)
    cells = omitted.keep(cells, ~sums, AGGREGATE, persons="value")
    cells = omitted.keep(cells, cells["class"].isin(LONG_STAY), OTHER_CLASSES, persons="value")
    return _tidy(cells, path, omitted)


def read_class(path: Path, classes: Iterable[str], *, omitted: Omissions | None = None) -> pd.DataFrame:
    """Visas of some classes (``["F1"]``), else as of `read_us_niv`.

    Raises
    ------
    SchemaError
        Also for a class that is in no sheet.
    """
    cells, classes = read_cells(path), set(classes)
    absent = sorted(classes - set(cells["class"]))
    if absent or not classes:
        raise SchemaError(path, f"no visas of class {absent}",
                          f"use one of {', '.join(sorted(LONG_STAY | SHORT_STAY))}")
    return _tidy(cells[cells["class"].isin(classes)], path, Omissions() if omitted is None else omitted)


def read_cells(path: Path) -> pd.DataFrame:
    """All cells of all sheets but those of headings: columns ``row, label, class, year, value``.

    ``row`` is that of the year's sheet; a class is written as in `LONG_STAY` and `SHORT_STAY`; NaN is an empty cell.

    Raises
    ------
    SourceFileError
        When the file is no workbook.
    SchemaError
        For a sheet that is no fiscal year, an unknown class, a class that stands twice, or a text among the numbers.
    """
    parts = [_sheet(rows, name, path) for name, rows in read_sheets(path).items()]
    if not parts:
        raise SourceFileError(path, "workbook without sheets", "fetch it again")
    cells = pd.concat(parts, ignore_index=True)
    twice = cells.duplicated(["label", "class", "year"])
    if twice.any():
        row = cells.loc[twice.idxmax()]
        raise DuplicateKeyError(path, f"a second number of {row['class']} for {row['label']!r} in {row['year']}",
                                "keep one of the rows", key=_at(row))
    return cells


def _at(row: Mapping) -> str:
    """Where a row stands."""
    return f"sheet FY{row['year'] % 100:02d}, row {row['row']}"


def _sheet(rows: list[list], name: str, path: Path) -> pd.DataFrame:
    found, file = _SHEET.fullmatch(name), f"{path}, sheet {name!r}"
    year = 1900 + int(found[1]) + 100 * (int(found[1]) < 97) if found else 0
    if not found or not rows or str(rows[0][0]).strip() != f"Fiscal Year {year}":
        raise SchemaError(file, "no table of a fiscal year",
                          "expected a sheet FYyy that begins with 'Fiscal Year yyyy'", key="row 1")
    classes = [_class(str(c), file) for c in rows[0][1:]]
    if len(set(classes)) < len(classes):
        raise SchemaError(file, f"class {next(c for c in classes if classes.count(c) > 1)} stands twice",
                          "keep one of the columns", key="row 1")
    body = [(n, str(r[0]).strip(), r[1:]) for n, r in enumerate(rows[1:], start=2)]
    body = [line for line in body if line[1] and line[1] not in HEADINGS]
    at = np.repeat(np.arange(len(body)), len(classes))
    labels = pd.Series([label for _, label, _ in body], dtype=str)
    return pd.DataFrame({
        "row": np.array([n for n, _, _ in body], dtype="int64")[at], "label": labels.take(at).to_numpy(),
        "class": pd.Series(classes, dtype=str).take(np.tile(np.arange(len(classes)), len(body))).to_numpy(),
        "year": np.int64(year),
        "value": np.array([_numbers(cells, file, n) for n, _, cells in body], dtype=float).ravel()})


def _class(text: str, file) -> str:
    if text in TOTALS:
        return text
    plain = text.replace("-", "")
    plain = RENAMED.get(plain, plain)
    if plain not in LONG_STAY and plain not in SHORT_STAY:
        raise SchemaError(file, f"unknown class of visa {text!r}", "add it to LONG_STAY or SHORT_STAY", key="row 1")
    return plain


def _numbers(cells: list, file, row: int) -> list[float]:
    values = []
    for cell in cells:
        if isinstance(cell, float):
            values.append(cell)
        elif isinstance(cell, str) and not cell.strip():
            values.append(np.nan)
        elif str(cell).strip().isdecimal():   # whole numbers, some of them written as text
            values.append(float(cell))
        else:
            raise SchemaError(file, f"cell {cell!r} is no number", "mend the cell or fetch the file again",
                              key=f"row {row}")
    return values


def _tidy(cells: pd.DataFrame, path: Path, omitted: Omissions) -> pd.DataFrame:
    cells = omitted.keep(cells, cells["value"].notna(), NO_NUMBER, persons=None)
    summed = cells.groupby(["label", "year"], as_index=False, sort=False).agg(
        row=("row", "first"), value=("value", "sum"), lowest=("value", "min"))
    summed["value"] = summed["value"].where(summed["lowest"] >= 0, summed["lowest"])   # told as it stands in the cell
    summed["row"] = [_at(r) for r in summed.to_dict("records")]
    return indicators(summed.assign(status="reported"), LABELS, source=SOURCE, variable="visas_issued",
                      destination=DESTINATION, file=path, omitted=omitted)
