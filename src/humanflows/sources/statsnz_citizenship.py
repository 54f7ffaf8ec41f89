"""Statistics New Zealand, estimated migrant arrivals and departures by citizenship, monthly from 2001.

Who crossed the border is a migrant when he stays (or stays away) twelve of the sixteen months that follow: an outcome,
not the intention that the cards of the older series (``statsnz``) asked for. Thirty-two citizenships are given one by
one, the rest within regions. New Zealand citizens are the margin ``own``.

The outcome of the last sixteen months is not known yet: those numbers are provisional, and a calendar year with one of
them is left out. So is a year without all its months.
"""
from pathlib import Path

import pandas as pd

from ..errors import DuplicateKeyError, SchemaError
from .csv_io import numbers, one_of, read_texts
from .omissions import AGGREGATE, BALANCE, INCOMPLETE_YEAR, PROVISIONAL, Omissions
from .partners import Labels, check_rows, reported_flows

SOURCE = "statsnz_citizenship"
REPORTER = "NZL"
COLUMNS = ("Month", "Count", "Direction", "Citizenship")
SIDES = {"Arrivals": "immigration", "Departures": "emigration"}
NET = "Net"
PROVISIONAL_MONTHS = 16
LABELS = Labels(
    names={"China, People's Republic of": "CHN", "Hong Kong (Special Administrative Region)": "HKG",
           "Korea, Republic of": "KOR"},
    groups={"TOTAL ALL CITIZENSHIPS": "total"},
    left_out=dict.fromkeys((
        "Oceania and Antarctica", "North-East Asia", "Southern and Central Asia", "South-East Asia", "Asia",
        "North-West Europe", "Southern and Eastern Europe", "Europe", "The Americas",
        "North Africa and the Middle East", "Sub-Saharan Africa", "Africa and the Middle East", "Non-New Zealand"),
        AGGREGATE))


def read_statsnz_citizenship(path: Path, *, omitted: Omissions | None = None) -> dict[str, pd.DataFrame]:
    """Migrant arrivals in and departures from New Zealand by citizenship, whole years that are final.

    Parameters
    ----------
    path : ``df_citizenship_direction_<date>.csv``.

    Returns
    -------
    Tables ``flow`` (reporter ``NZL``, criterion citizenship, flow_type movement) and ``margin`` (total, own).

    Raises
    ------
    SourceFileError, SchemaError, UnknownTerritoryError, NegativeCountError, DuplicateKeyError
        Naming the file and the row.
    """
    omitted = Omissions() if omitted is None else omitted
    raw = read_texts(path, COLUMNS)
    when = raw["Month"].str.extract(r"^([0-9]{4})-(0[1-9]|1[0-2])-01$")
    wrong = when.isna().any(axis=1)
    if wrong.any():
        raise SchemaError(path, f"month {raw.at[wrong.idxmax(), 'Month']!r}",
                          "expected the first of a month, YYYY-MM-01", key=f"row {raw.at[wrong.idxmax(), 'row']}")
    frame = pd.DataFrame({
        "row": raw["row"], "label": raw["Citizenship"], "reporter": REPORTER, "criterion": "citizenship",
        "side": one_of(raw, "Direction", [*SIDES, NET], file=path).map(SIDES), "year": when[0].astype("int64"),
        "month": when[1].astype("int64"), "persons": numbers(raw, "Count", file=path, missing=("", ".."))})
    # A balance of persons is no number of persons: its rows are counted without.
    frame = omitted.keep(frame, frame["side"].notna(), BALANCE, persons=None)
    return reported_flows(_sum_months(frame, omitted, path), LABELS, source=SOURCE, file=path, omitted=omitted)


def _sum_months(frame: pd.DataFrame, omitted: Omissions, path: Path) -> pd.DataFrame:
    """Calendar years of twelve known, final months."""
    key = ["label", "reporter", "side", "criterion", "year"]
    twice = frame.duplicated([*key, "month"])
    if twice.any():
        row = frame.loc[twice.idxmax()]
        raise DuplicateKeyError(path, f"{row['label']}, {row['side']}: a second number for {row['year']}-"
                                f"{row['month']:02d}", "keep one of the rows", key=f"row {row['row']}")
    check_rows(frame, "persons", [*key, "month"], path)    # a negative number would hide in a sum
    final = (frame["year"] * 12 + frame["month"]).max() - PROVISIONAL_MONTHS   # the last month that is
    frame = omitted.keep(frame, frame.groupby(key)["persons"].transform("count") == 12, INCOMPLETE_YEAR)
    frame = omitted.keep(frame, frame["year"] * 12 + 12 <= final, PROVISIONAL)
    return frame.groupby(key, as_index=False, sort=False).agg(row=("row", "first"), persons=("persons", "sum"))
