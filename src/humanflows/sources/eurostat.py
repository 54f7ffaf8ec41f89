"""Eurostat's reported flows between the 27 members of the EU, 2010–2019, as compiled by MigMod.

Both offices' numbers of a corridor stand in one row: ``Immi`` is published by the receiving country, ``Emig`` by the
sending one. They differ, often by a factor, and are two witnesses. NaN is unreported, never zero.
"""
from pathlib import Path

import pandas as pd

from ..errors import SchemaError
from ..schema import validate
from .cells import numbers, whole_numbers
from .omissions import NO_NUMBER, Omissions
from .rdata_io import read_frame

SOURCE = "eurostat"
OBJECT = "mig_data"
COLUMNS = ["SEX", "Year", "Sending_iso3", "Receiving_iso3", "Immi", "Emig"]
SIDES = {"Immi": ("immigration", "Receiving_iso3"), "Emig": ("emigration", "Sending_iso3")}


def read_eurostat(path: Path, *, omitted: Omissions | None = None) -> pd.DataFrame:
    """Immigration and emigration by country of previous and next residence, both sexes.

    Parameters
    ----------
    path : ``mig_data.rda`` of MigMod.
    omitted : collects what is left out.

    Returns
    -------
    DataFrame
        Table ``flow``: criterion residence, flow_type movement (usual residence of at least 12 months).

    Raises
    ------
    SourceFileError, SchemaError, UnknownTerritoryError, NegativeCountError, DuplicateKeyError
        Naming the file and row.
    """
    return tidy(read_frame(path, OBJECT, COLUMNS), file=path, omitted=omitted)


def tidy(frame: pd.DataFrame, *, file, omitted: Omissions | None = None) -> pd.DataFrame:
    """Table ``flow`` from the frame of the file; see `read_eurostat`."""
    omitted = Omissions() if omitted is None else omitted
    other = frame["SEX"] != "Total"
    if other.any():
        raise SchemaError(file, f"sex {frame.loc[other.idxmax(), 'SEX']!r} beside the total would be counted twice",
                          "keep the rows SEX == 'Total'", key=f"row {other.idxmax()}")
    frame = frame.assign(Year=whole_numbers(frame["Year"], file=file),
                         **{c: numbers(frame[c], file=file) for c in SIDES})
    parts = []
    for column, (side, reporter) in SIDES.items():
        part = omitted.keep(frame, frame[column].notna(), NO_NUMBER, persons=column, year="Year")
        parts.append(pd.DataFrame({
            "source": SOURCE, "reporter": part[reporter].astype(str), "side": side, "criterion": "residence",
            "flow_type": "movement", "year": part["Year"], "origin": part["Sending_iso3"].astype(str),
            "destination": part["Receiving_iso3"].astype(str), "persons": part[column]}))
    return validate(pd.concat(parts, ignore_index=True), "flow", file=file)
