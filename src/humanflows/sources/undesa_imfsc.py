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
  "Both" the total over partners: neither is a corridor, both are margins.
- "Unknown" is what the office did not tell apart: it and the partners sum to the total, and where no partner is named
  it is the total.
- Rows where partner and reporter agree are the margin ``own``; by residence (Australia, Greece) they are no migrants.
- Sudan includes what is now South Sudan; Serbia may include Montenegro and Kosovo.
- "China (including Hong Kong …)" stands where a reporter did not tell them apart. It is read as China where the
  reporter has no row for China beside it: in the 20 cells where Hong Kong is known too, it is 3% of the sum; leaving
  it out would lose 2.1 million people, among them all that the United Kingdom and Spain report of China.
- Ireland's numbers up to 2005 are of years to April, as its Central Statistics Office prints them: the year to April Y
  has eight of its months in Y − 1, which is the year it is given here (as in ``cso_ireland``).
- Several reporters fill 0 for countries that did not exist yet; see ``names.SUCCESSOR_SINCE``.
"""
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import DuplicateKeyError, NegativeCountError, SchemaError, SourceFileError, UnknownTerritoryError
from .names import resolve_names
from .omissions import AGGREGATE, NO_NUMBER, OUTSIDE, OWN, PART, Omissions
from .partners import flow_table, margin_table
from .workbooks import read_sheets

SOURCE = "undesa_imfsc"
HEADER_ROW = 21  # 1-based, as a spreadsheet counts
FIRST_YEAR, LAST_YEAR = 1980, 2013
# ".." not available, "" blank, "-" nil or below rounding and "D" withheld (both in the USA's sheet): all unreported.
MISSING = frozenset({"..", "", "-", "D"})
GROUPS = {"Total": "total", "Unknown": "unknown", "Stateless": "stateless"}
LEFT_OUT = {"Channel Islands": OUTSIDE, "Holy See": OUTSIDE}
CHINA, CHINA_AND_HONG_KONG = "China", "China (including Hong Kong Special Administrative Region)"
TO_APRIL = ("IRL", 2005)   # reporter, and the last of the years that end in April
REGIONS = "sheet of regions, which are sums of the sheet beside it"
SIDES = {"Immigrants": "immigration", "Emigrants": "emigration"}
CRITERIA = {"residence": "residence", "citizenship": "citizenship", "place of birth": "birthplace"}
# Where one partner has several rows, the more complete coverage counts; overlapping coverages are never added.
COVERAGE = ("Both", "Foreigners", "Citizens")
NAMES: dict[str, str | None] = {
    "China, Taiwan Province of China": "TWN",
    "China, Hong Kong Special Administrative Region": "HKG",
    "China, Macao Special Administrative Region": "MAC",
    CHINA_AND_HONG_KONG: "CHN", **dict.fromkeys((*GROUPS, *LEFT_OUT)),
}


def read_undesa_imfsc(paths: Iterable[Path], *, omitted: Omissions | None = None) -> dict[str, pd.DataFrame]:
    """All reporters' immigration and emigration by partner, both sexes.

    Parameters
    ----------
    paths : the workbooks, one a reporter.

    Returns
    -------
    Tables ``flow`` (``criterion`` residence, citizenship or birthplace, ``flow_type`` movement, years 1980–2013; a
    corridor that is absent is unreported) and ``margin`` (total, unknown, stateless, own).

    Raises
    ------
    SourceFileError, SchemaError, UnknownTerritoryError, NegativeCountError, DuplicateKeyError
        Naming workbook, sheet and row.
    """
    omitted = Omissions() if omitted is None else omitted
    parts = []
    for path in paths:
        for name, rows in read_sheets(path, lambda name: not name.startswith("Reg")).items():   # "Regions by …"
            if rows is None:
                omitted.count(REGIONS, 1)
            else:
                parts.append(parse_sheet(rows, file=f"{path}, sheet {name!r}", omitted=omitted))
    if not parts:
        raise SourceFileError(SOURCE, "no workbook given", "pass the paths of the IMFSC workbooks")
    return _tables(pd.concat(parts, ignore_index=True), omitted)


def parse_sheet(rows: Sequence[Sequence], *, file, omitted: Omissions | None = None) -> pd.DataFrame:
    """Numeric cells of one sheet, before codes: columns ``file, row, reporter, partner, side, criterion, coverage,
    year, persons``.

    Parameters
    ----------
    rows : the sheet from its first row, each a sequence of cell values; missing cells are ``".."`` or empty.
    file : what to name in errors.
    omitted : counts the cells without a number.

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
    if omitted is not None:
        for year, unreported in zip(years.values(), np.isnan(cells).sum(axis=0)):
            omitted.count(NO_NUMBER, unreported, year=year)
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


def _tables(frame: pd.DataFrame, omitted: Omissions) -> dict[str, pd.DataFrame]:
    codes = _codes(frame)
    frame = frame.assign(label=frame["partner"], group=frame["partner"].map(GROUPS),
                         reporter=frame["reporter"].map(codes), partner=frame["partner"].map(codes))
    frame = omitted.keep(frame, ~frame["label"].isin(LEFT_OUT), frame["label"].map(LEFT_OUT))
    cell = ["reporter", "side", "criterion", "year"]
    apart = pd.MultiIndex.from_frame(frame.loc[frame["label"] == CHINA, cell])
    twice = (frame["label"] == CHINA_AND_HONG_KONG) & pd.MultiIndex.from_frame(frame[cell]).isin(apart)
    frame = omitted.keep(frame, ~twice, AGGREGATE)
    reporter, last = TO_APRIL
    frame["year"] -= ((frame["reporter"] == reporter) & (frame["year"] <= last)).astype("int64")
    frame = _best_coverage(frame, omitted)
    own = frame["partner"] == frame["reporter"]
    frame = omitted.keep(frame.assign(group=frame["group"].mask(own, "own")),
                         ~(own & (frame["criterion"] == "residence")), OWN)
    apart = frame["group"].isna()
    return {"flow": flow_table(frame[apart], source=SOURCE, file=SOURCE, omitted=omitted),
            "margin": margin_table(frame[~apart], source=SOURCE, file=SOURCE)}


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


def _best_coverage(frame: pd.DataFrame, omitted: Omissions) -> pd.DataFrame:
    """Of several coverages of the same cell, the most complete; two rows of the same coverage are refused."""
    key = ["reporter", "label", "side", "criterion", "year"]
    twice = frame.duplicated([*key, "coverage"])
    if twice.any():
        row = frame.loc[twice.idxmax()]
        raise DuplicateKeyError(row["file"], f"a second number for {row['label']!r}, {row['side']} {row['year']}",
                                "keep one of the rows", key=f"row {row['row']}")
    rank = frame["coverage"].map({c: i for i, c in enumerate(COVERAGE)})
    return omitted.keep(frame, rank == rank.groupby([frame[k] for k in key]).transform("min"), PART)
