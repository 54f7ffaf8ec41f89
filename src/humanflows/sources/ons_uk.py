"""Office for National Statistics, long-term immigration to the United Kingdom by nationality, 2021–2024.

Ten nationalities, years ending in December, numbers rounded to a thousand: of visas and of travel in and out, for stays
of twelve months or more, provisional estimates of the release of 2025. The file divides each
number by reason (work, study, other); these parts are only compared with it.
"""
from pathlib import Path

import pandas as pd

from ..errors import SchemaError
from .csv_io import numbers, read_texts, years
from .omissions import Omissions
from .partners import Labels, reported_flows

SOURCE = "ons_uk"
REPORTER = "GBR"
REASONS = ("Work", "Study", "Other")
COLUMNS = ("Country", "Year", "All-reasons", *REASONS)
ROUNDED_TO = 1000   # persons
LABELS = Labels()


def read_ons_uk(path: Path, *, omitted: Omissions | None = None) -> dict[str, pd.DataFrame]:
    """Long-term immigrants of the United Kingdom by nationality.

    Parameters
    ----------
    path : ``immigration-by-country.csv``.

    Returns
    -------
    Table ``flow``: reporter ``GBR``, side immigration, criterion citizenship, flow_type movement.

    Raises
    ------
    SourceFileError, SchemaError, YearRangeError, UnknownTerritoryError, NegativeCountError, DuplicateKeyError
        Naming the file and the row; a schema error also for a number that is not rounded to a thousand, or that its
        parts do not make up.
    """
    omitted = Omissions() if omitted is None else omitted
    raw = read_texts(path, COLUMNS)
    frame = pd.DataFrame({
        "row": raw["row"], "label": raw["Country"], "reporter": REPORTER, "side": "immigration",
        "criterion": "citizenship", "year": years(raw, "Year", file=path),
        "persons": numbers(raw, "All-reasons", file=path, missing=("", ".."))})
    parts = sum(numbers(raw, reason, file=path) for reason in REASONS)
    for wrong, problem in ((frame["persons"] % ROUNDED_TO > 0, f"is not rounded to {ROUNDED_TO:,}"),
                           ((frame["persons"] - parts).abs() > ROUNDED_TO * (len(REASONS) + 1) / 2,
                            f"differs from the sum of {', '.join(REASONS)} by more than rounding")):
        if wrong.any():
            row = frame.loc[wrong.idxmax()]
            raise SchemaError(path, f"{row['label']}, {row['year']}: {row['persons']:g} {problem}",
                              "give persons, as the office publishes them", key=f"row {row['row']}")
    return {"flow": reported_flows(frame, LABELS, source=SOURCE, file=path, omitted=omitted)["flow"]}
