"""Statistics New Zealand, permanent and long-term migration by country of last or next residence, monthly 1978–2016.

Every file gives three citizenship groups: New Zealand citizens, Australian citizens, and the total over all
citizenships, which contains the other two and all remaining ones. Only that total is read. Files cover different
months; a calendar year counts where all its twelve months are known (1979–2015).

UN DESA's IMFSC sheet of New Zealand by residence holds the same numbers: the two sources are one witness.
"""
import csv
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import DuplicateKeyError, NegativeCountError, SchemaError, SourceFileError
from .cells import opening
from .omissions import AGGREGATE, FORMER_STATE, INCOMPLETE_YEAR, OUTSIDE, PART, Omissions
from .partners import Labels, reported_flows

SOURCE = "statsnz"
REPORTER = "NZL"
TITLE = "Permanent & long-term migration by EVERY country of residence and citizenship (Monthly)"
TOTAL_GROUP = "TOTAL ALL CITIZENSHIPS"
GROUPS = ("New Zealand Citizen", "Australian Citizen", TOTAL_GROUP)
MISSING = ".."
_MONTH = re.compile(r"^([12][0-9]{3})M(0[1-9]|1[0-2])$")
LABELS = Labels(
    names={"China, People's Republic of": "CHN", "Gaza Strip/Palestine/West Bank": "PSE",
           "Hong Kong (Special Administrative Region)": "HKG", "Macau (Special Administrative Region)": "MAC",
           "Congo, the Democratic Republic of the": "COD", "Korea, Democratic People's Republic of": "PRK",
           "Korea, Republic of": "KOR", "Samoa, American": "ASM", "St Maarten (Dutch Part)": "SXM",
           "Virgin Islands, British": "VGB", "Virgin Islands, United States": "VIR"},
    groups={"TOTAL ALL COUNTRIES OF RESIDENCE": "total", "NOT STATED": "unknown"},
    left_out={
        **dict.fromkeys(("OCEANIA", "ASIA", "EUROPE", "AMERICAS", "AFRICA AND THE MIDDLE EAST"), AGGREGATE),
        **dict.fromkeys(("Czechoslovakia", "Germany, Democratic Republic of", "Netherlands Antilles",
                         "Union of Soviet Socialist Republics", "Yemen, Democratic",
                         "Yugoslavia/Serbia and Montenegro"), FORMER_STATE),
        **dict.fromkeys(("Antarctica", "British Indian Ocean Territory", "Christmas Island", "Cocos (Keeling) Islands",
                         "French Southern Territories", "Kosovo", "Norfolk Island", "Pitcairn",
                         "South Georgia and the South Sandwich Islands", "United States Minor Outlying Islands",
                         "Vatican City State"), OUTSIDE)})
SIDES = {"arrivals": "immigration", "departures": "emigration"}


def read_statsnz(paths: Iterable[Path], *, omitted: Omissions | None = None) -> dict[str, pd.DataFrame]:
    """Arrivals in and departures from New Zealand by country of last and next residence, all citizenships.

    Parameters
    ----------
    paths : the monthly files; together they must not name a month of a country twice.

    Returns
    -------
    Tables ``flow`` (reporter ``NZL``, criterion residence, flow_type movement: intended stay or absence of at least 12
    months; arrivals are immigration, departures emigration; only years with twelve known months) and ``margin`` (total,
    unknown).

    Raises
    ------
    SourceFileError, SchemaError, UnknownTerritoryError, NegativeCountError, DuplicateKeyError
        Naming file and row.
    """
    omitted = Omissions() if omitted is None else omitted
    months = [read_months(Path(path), omitted=omitted) for path in paths]
    if not months:
        raise SourceFileError(SOURCE, "no file given", "pass the paths of the monthly files")
    frame = pd.concat(months, ignore_index=True)
    twice = frame.duplicated(["name", "year", "month"])
    if twice.any():
        row = frame.loc[twice.idxmax()]
        raise DuplicateKeyError(row["file"], f"{row['name']}, {row['year']}M{row['month']:02d} is in another file too",
                                "pass each month once", key=f"row {row['row']}")
    frame = frame.rename(columns={**SIDES, "name": "label"}).melt(
        ["row", "label", "year", "month"], list(SIDES.values()), var_name="side", value_name="persons")
    key = ["label", "side", "year"]
    # A year with a month missing or withheld is unknown, not small.
    frame = omitted.keep(frame, frame.groupby(key)["persons"].transform("count") == 12, INCOMPLETE_YEAR)
    frame = frame.groupby(key, as_index=False, sort=False).agg(row=("row", "first"), persons=("persons", "sum"))
    return reported_flows(frame.assign(reporter=REPORTER, criterion="residence"), LABELS, source=SOURCE, file=SOURCE,
                          omitted=omitted)


def read_months(path: Path, *, omitted: Omissions | None = None) -> pd.DataFrame:
    """Monthly numbers of one file for the total over citizenships, before codes; its parts are counted in ``omitted``.

    Returns
    -------
    DataFrame
        Columns ``file, row`` (1-based)``, name, year, month, arrivals, departures``; NaN is missing.

    Raises
    ------
    SourceFileError, SchemaError, NegativeCountError
        Naming file and row.
    """
    with opening(path, "CSV"), open(path, encoding="utf-8", newline="") as handle:
        lines = list(csv.reader(handle))
    if len(lines) < 3 or lines[0][:1] != [TITLE] or lines[1][3:] != ["Arrivals", "Departures"]:
        raise SchemaError(path, f"first lines {lines[:2]} are not those of the table", f"expected the title {TITLE!r} "
                          "and the columns Arrivals, Departures", key="row 1")
    data = pd.DataFrame([(n, *line) for n, line in enumerate(lines[2:], start=3) if len(line) == 5],
                        columns=["row", "group", "name", "month", "arrivals", "departures"])
    if data.empty:
        raise SchemaError(path, "no row of a month", "fetch it again", key="row 3")
    for label in ("group", "name"):  # written once, on the first row they hold for
        data[label] = data[label].str.strip().replace("", np.nan).ffill()
    strange = ~data["group"].isin(GROUPS)
    if strange.any():
        raise SchemaError(path, f"unknown citizenship group {data.loc[strange.idxmax(), 'group']!r}",
                          f"expected one of {', '.join(GROUPS)}", key=f"row {data.loc[strange.idxmax(), 'row']}")
    nameless = data["name"].isna()
    if nameless.any():
        raise SchemaError(path, "no country is named", "fetch it again",
                          key=f"row {data.loc[nameless.idxmax(), 'row']}")
    when = data["month"].str.extract(_MONTH)
    if when.isna().any(axis=None):
        bad = when.isna().any(axis=1).idxmax()
        raise SchemaError(path, f"month {data.at[bad, 'month']!r}", "expected YYYYMmm",
                          key=f"row {data.at[bad, 'row']}")
    for column in ("arrivals", "departures"):
        data[column] = _numbers(data[column], data["row"], path)
    data = data.assign(file=str(path), year=when[0].astype("int64"), month=when[1].astype("int64"))
    both = data[["arrivals", "departures"]].sum(axis=1)
    data = (Omissions() if omitted is None else omitted).keep(
        data.assign(both=both), data["group"] == TOTAL_GROUP, PART, persons="both").reset_index(drop=True)
    return data[["file", "row", "name", "year", "month", "arrivals", "departures"]]


def _numbers(texts: pd.Series, rows: pd.Series, path) -> pd.Series:
    values = pd.to_numeric(texts.where(texts != MISSING), errors="coerce")
    wrong = values.isna() & (texts != MISSING)
    if wrong.any():
        raise SchemaError(path, f"cell {texts[wrong.idxmax()]!r} is no number", f"expected a number or {MISSING!r}",
                          key=f"row {rows[wrong.idxmax()]}")
    if (values < 0).any():
        at = (values < 0).idxmax()
        raise NegativeCountError(path, f"negative count {texts[at]}", "mend the row or list it in data/corrections.csv",
                                 key=f"row {rows[at]}")
    return values.astype(float)
