"""UN DESA, International Migration Flows to and from Selected Countries, 2015 revision: 45 reporters, 1980–2013.

One workbook a reporter, one sheet a criterion. What the partner column means depends on the criterion: the country of
previous or next residence, of citizenship, or of birth. For the last two the partner is put where a residence would
stand (origin of immigrants, destination of emigrants) and ``criterion`` says that it is not one.

Quirks per reporter:

- Canada publishes citizenship only, and immigrants only; the USA immigrants by place of birth only (permanent
  residents). Armenia, Australia, Azerbaijan, Belarus and Kazakhstan publish residence only.
- France, Hungary (residence) and emigrants of Greece and Portugal hold totals without partners: no corridor.
- New Zealand's sheet by residence carries the coverage "Foreigners", but its totals are those of all citizenships that
  Statistics New Zealand publishes (82,469 arrivals in 2010): it is read like the others.
- By citizenship a partner's row is, by its nature, of foreigners; "Citizens" marks the reporter's own nationals and
  "Both" the total over partners: neither is a corridor.
- Rows where partner and reporter agree (Australia, Greece, own citizens everywhere) are no corridor either.
- Sudan includes what is now South Sudan; Serbia may include Montenegro and Kosovo.
- "China (including Hong Kong …)" stands where a reporter did not tell them apart: an aggregate, left out.
- Several reporters fill 0 for countries that did not exist yet; see ``names.SUCCESSOR_SINCE``.
"""
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from python_calamine import CalamineWorkbook

from ..errors import NegativeCountError, SchemaError, SourceFileError, UnknownTerritoryError
from ..schema import validate
from .cells import opening
from .names import precedes_partner, resolve_names

SOURCE = "undesa_imfsc"
HEADER_ROW = 21  # 1-based, as a spreadsheet counts
FIRST_YEAR, LAST_YEAR = 1980, 2013
# ".." not available, "" blank, "-" nil or below rounding and "D" withheld (both in the USA's sheet): all unreported.
MISSING = frozenset({"..", "", "-", "D"})
NOT_PARTNERS = frozenset({"Total", "Unknown"})
SIDES = {"Immigrants": "immigration", "Emigrants": "emigration"}
CRITERIA = {"residence": "residence", "citizenship": "citizenship", "place of birth": "birthplace"}
# Where one partner has several rows, the more complete coverage counts; overlapping coverages are never added.
COVERAGE = ("Both", "Foreigners", "Citizens")
NAMES: dict[str, str | None] = {
    "China, Taiwan Province of China": "TWN",
    "China, Hong Kong Special Administrative Region": "HKG",
    "China, Macao Special Administrative Region": "MAC",
    "China (including Hong Kong Special Administrative Region)": None,  # an aggregate of two territories
    "Channel Islands": None, "Holy See": None, "Stateless": None,  # outside the 231 territories
}


def read_undesa_imfsc(paths: Iterable[Path]) -> pd.DataFrame:
    """All reporters' immigration and emigration by partner, both sexes.

    Parameters
    ----------
    paths : the workbooks, one a reporter.

    Returns
    -------
    DataFrame
        Table ``flow``: ``criterion`` residence, citizenship or birthplace, ``flow_type`` movement, years 1980–2013. A
        corridor that is absent is unreported.

    Raises
    ------
    SourceFileError, SchemaError, UnknownTerritoryError, NegativeCountError, DuplicateKeyError
        Naming workbook, sheet and row.
    """
    parts = []
    for path in paths:
        with opening(path, "a workbook"):
            book = CalamineWorkbook.from_path(str(path))
            sheets = {name: book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in book.sheet_names
                      if not name.startswith("Reg")}  # "Regions by …": sums of the sheet beside them
        parts += [parse_sheet(rows, file=f"{path}, sheet {name!r}") for name, rows in sheets.items()]
    if not parts:
        raise SourceFileError(SOURCE, "no workbook given", "pass the paths of the IMFSC workbooks")
    return validate(_to_flows(pd.concat(parts, ignore_index=True)), "flow", file=SOURCE)


def parse_sheet(rows: Sequence[Sequence], *, file) -> pd.DataFrame:
    """Numeric cells of one sheet, before codes: columns ``file, row, reporter, partner, side, criterion, coverage,
    year, persons``.

    Parameters
    ----------
    rows : the sheet from its first row, each a sequence of cell values; missing cells are ``".."`` or empty.
    file : what to name in errors.

    Raises
    ------
    SchemaError
        Header not in row 21, unknown type, coverage, criterion or cell text.
    NegativeCountError
        A cell below zero.
    """
    header = list(rows[HEADER_ROW - 1]) if len(rows) >= HEADER_ROW else []
    if header[:3] != ["Type", "Coverage", "OdName"]:
        raise SchemaError(file, f"expected the header 'Type, Coverage, OdName, …', found {header[:3]}",
                          "use the workbook of the 2015 revision as published", key=f"row {HEADER_ROW}")
    told = {k.strip(): v.strip() for k, _, v in (str(c).partition(":") for r in rows[:HEADER_ROW] for c in r) if v}
    reporter, criterion = told.get("Reporting country"), CRITERIA.get(told.get("Criterion", "").lower())
    if not reporter or criterion is None:
        raise SchemaError(file, f"reporting country {reporter!r} or criterion {told.get('Criterion')!r} is not known",
                          "the rows above the header must say 'Reporting country: …' and 'Criterion: …'")
    years = {i: c for i, c in enumerate(header) if isinstance(c, (int, float)) and not isinstance(c, bool)}
    odd = [c for c in years.values() if not FIRST_YEAR <= c <= LAST_YEAR or c % 1]
    if odd or not years:
        raise SchemaError(file, f"years {odd} in the header", f"expected years from {FIRST_YEAR} to {LAST_YEAR}",
                          key=f"row {HEADER_ROW}")
    body = [(n, r) for n, r in enumerate(rows[HEADER_ROW:], start=HEADER_ROW + 1) if str(r[2]).strip()]
    for n, row in body:
        for value, known, what in ((row[0], SIDES, "type"), (row[1], COVERAGE, "coverage")):
            if value not in known:
                raise SchemaError(file, f"unknown {what} {value!r}", f"expected one of {', '.join(known)}",
                                  key=f"row {n}")
    cells = np.array([[_number(r[i], file, n) for i in years] for n, r in body], dtype=float).reshape(-1, len(years))
    at_row, at_year = np.nonzero(~np.isnan(cells))
    first = pd.DataFrame([(n, r[2].strip(), SIDES[r[0]], r[1]) for n, r in body],
                         columns=["row", "partner", "side", "coverage"]).iloc[at_row].reset_index(drop=True)
    return first.assign(file=str(file), reporter=reporter, criterion=criterion,
                        year=np.array(list(years.values()), dtype="int64")[at_year], persons=cells[at_row, at_year])


def _number(value, file, row) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if value < 0:
            raise NegativeCountError(file, f"negative count {value}", "mend the cell, or list it in "
                                     "data/corrections.csv", key=f"row {row}")
        return float(value)
    if str(value).strip() in MISSING:
        return np.nan
    raise SchemaError(file, f"cell {value!r} is no number", f"expected a number or one of {sorted(MISSING)}",
                      key=f"row {row}")


def _to_flows(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame[~frame["partner"].isin(NOT_PARTNERS)]
    codes = _codes(frame)
    frame = frame.assign(reporter=frame["reporter"].map(codes), partner=frame["partner"].map(codes))
    frame = frame[frame["partner"].notna() & (frame["partner"] != frame["reporter"])]
    frame = _best_coverage(frame[~precedes_partner(frame["partner"], frame["year"], frame["persons"])])
    arrives = frame["side"] == "immigration"
    return pd.DataFrame({
        "source": SOURCE, "reporter": frame["reporter"], "side": frame["side"], "criterion": frame["criterion"],
        "flow_type": "movement", "year": frame["year"],
        "origin": frame["partner"].where(arrives, frame["reporter"]),
        "destination": frame["reporter"].where(arrives, frame["partner"]), "persons": frame["persons"],
    })


def _codes(frame: pd.DataFrame) -> dict[str, str | None]:
    names = pd.unique(pd.concat([frame["reporter"], frame["partner"]]))
    try:
        return resolve_names(names, file=SOURCE, exceptions=NAMES)
    except UnknownTerritoryError as error:
        # Say where the name stands: look for the first sheet whose names do not resolve.
        for row in frame.drop_duplicates(["reporter", "partner"]).itertuples():
            for name in (row.reporter, row.partner):
                if repr(name) in error.problem:
                    raise UnknownTerritoryError(row.file, error.problem, error.remedy, key=f"row {row.row}") from None
        raise


def _best_coverage(frame: pd.DataFrame) -> pd.DataFrame:
    """Of several coverages of the same cell, the most complete; two rows of the same coverage stay, and are refused."""
    key = ["reporter", "partner", "side", "criterion", "year"]
    rank = frame["coverage"].map({c: i for i, c in enumerate(COVERAGE)})
    return frame[rank == rank.groupby([frame[k] for k in key]).transform("min")]
