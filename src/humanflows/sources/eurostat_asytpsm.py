"""Eurostat, beneficiaries of temporary protection at the end of the month (migr_asytpsm), Ukrainians, 2022–2025.

A stock: its growth in the first months is arrivals, later losses are returns, other permits and registers cleaned up.
Only 31 December is kept; the other months are counted as rows left out, not as persons, since they are the same people.
"""
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import SchemaError
from ..schema import validate
from .eurostat_io import code_of, once, only, read_numbers, read_rows
from .omissions import AGGREGATE, Omissions
from .plausible import refuse_thousands

SOURCE = "eurostat_asytpsm"
COLUMNS = {"citizen": "citizen", "geo": "reporter", "TIME_PERIOD": "month", "OBS_VALUE": "persons", "OBS_FLAG": "flag",
           "sex": "sex", "age": "age", "unit": "unit"}
ANOTHER_MONTH = "end of another month than December"


def read_eurostat_asytpsm(path: Path, *, omitted: Omissions | None = None) -> pd.DataFrame:
    """Ukrainians under temporary protection on 31 December.

    Parameters
    ----------
    path : ``temporary_protection_beneficiaries_monthly.csv``.
    omitted : collects what is left out.

    Returns
    -------
    Table ``pair_year``: ``temporary_protection``; status estimated where Eurostat flags so.

    Raises
    ------
    SourceFileError, SchemaError, UnknownTerritoryError, NegativeCountError, DuplicateKeyError
        Naming file and row.
    """
    omitted = Omissions() if omitted is None else omitted
    rows = only(read_rows(path, COLUMNS), {"citizen": "UA", "sex": "T", "age": "TOTAL", "unit": "PER"}, file=path)
    when = rows["month"].str.extract(r"^(\d{4})-(0[1-9]|1[0-2])$")
    if when.isna().any(axis=None):
        row = when.isna().any(axis=1).idxmax()
        raise SchemaError(path, f"month {rows.at[row, 'month']!r}", "expected YYYY-MM", key=f"row {row}")
    frame = once(read_numbers(rows.assign(year=when[0]), omitted, file=path), ["reporter", "month"], omitted, file=path)
    frame = frame.assign(reporter=code_of(frame["reporter"], file=path))
    frame = omitted.keep(frame, frame["reporter"].notna(), AGGREGATE)
    # The months stand for years here: a month in thousands shows as a year would.
    number = frame["month"].str[:4].astype("int64") * 12 + frame["month"].str[5:].astype("int64")
    refuse_thousands(frame.assign(year=number), ["reporter"], [], file=path)
    frame = omitted.keep(frame, frame["month"].str.endswith("-12"), ANOTHER_MONTH, persons=None)
    return validate(pd.DataFrame({
        "source": SOURCE, "variable": "temporary_protection", "year": frame["year"], "origin": "UKR",
        "destination": frame["reporter"], "value": frame["persons"],
        "status": np.where(frame["flag"].str.contains("e"), "estimated", "reported")}), "pair_year", file=path)
