"""United Kingdom, first National Insurance numbers registered to adults from overseas, by nationality, 2002–2025.

Who means to work or to claim benefits needs a number and registers once, weeks to years after arrival: children,
students who do not work and visitors are not among them, and nobody registers again who comes back. The year is that of
registration. The table of this project holds the fifteen largest nationalities of each calendar year and the total; a
nationality that is absent in a year is not among the fifteen and unknown.
"""
from pathlib import Path

import pandas as pd

from ..errors import DuplicateKeyError, SchemaError
from .csv_io import numbers, read_texts, years
from .omissions import Omissions
from .partners import Labels, reported_flows

SOURCE = "uk_nino"
REPORTER = "GBR"
COLUMNS = ("year", "nationality", "registrations", "total")
LABELS = Labels(groups={"unknown": "unknown", "total": "total"}, coded=True)


def read_uk_nino(path: Path, *, omitted: Omissions | None = None) -> dict[str, pd.DataFrame]:
    """Adults who registered for a National Insurance number by nationality.

    Parameters
    ----------
    path : ``data/uk_national_insurance.csv``: year, nationality (alpha-3, or ``unknown``), registrations, and the total
        of the year in each of its rows.

    Returns
    -------
    Tables ``flow`` (reporter ``GBR``, side immigration, criterion citizenship) and ``margin`` (total, unknown).

    Raises
    ------
    SourceFileError, SchemaError, YearRangeError, UnknownTerritoryError, NegativeCountError, DuplicateKeyError
        Naming the file and the row; the last also where two rows of a year give different totals.
    """
    omitted = Omissions() if omitted is None else omitted
    raw = read_texts(path, COLUMNS)
    frame = pd.DataFrame({
        "row": raw["row"], "label": raw["nationality"], "reporter": REPORTER, "side": "immigration",
        "criterion": "citizenship", "year": years(raw, "year", file=path),
        "persons": numbers(raw, "registrations", file=path), "total": numbers(raw, "total", file=path)})
    first = frame.groupby("year")["total"].transform("first")
    if (frame["total"] != first).any():
        row = frame.loc[(frame["total"] != first).idxmax()]
        raise DuplicateKeyError(path, f"a second total for {row['year']}: {row['total']:.0f}", "give the same total in "
                                "each row of a year", key=f"row {row['row']}")
    over = frame.groupby("year")["persons"].transform("sum") > first
    if over.any():
        row = frame.loc[over.idxmax()]
        raise SchemaError(path, f"nationalities of {row['year']} exceed their total {row['total']:.0f}",
                          "give the total over all nationalities", key=f"row {row['row']}")
    totals = frame.drop_duplicates("year").assign(label="total", persons=lambda f: f["total"])
    return reported_flows(pd.concat([frame, totals], ignore_index=True).drop(columns="total"), LABELS, source=SOURCE,
                          file=path, omitted=omitted)
