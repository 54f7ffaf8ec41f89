"""The offices whose reports can be held against an estimate: their departures and arrivals stand near the truth.

``data/trusted_offices.csv`` has a row for each office and side, with the reason. The others are no worse as offices:
they count something else (every registration, permanent moves alone) or are told only of few who leave
(``data/reporting_systems.csv``), so that a right estimate is far from their number. A platform is not an office.

The list is about real offices. Those of the simulated world bear their names, but count in ways that are drawn by lot.
"""
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from .. import paths
from ..errors import DuplicateKeyError, SchemaError
from ..territories import check_codes
from .reporting_systems import read_text_table

COLUMNS = ("reporter", "side", "reason", "reference")
BOTH_SIDES = "*"
SIDES = ("immigration", "emigration")
CRITERION = "residence"      # a count by citizenship or birthplace is of other people than the flow between two places


def read_trusted_offices(file: Path | None = None) -> pd.DataFrame:
    """Trusted offices, one row an office and side.

    Parameters
    ----------
    file : default ``data/trusted_offices.csv``; a ``*`` there stands for both sides.

    Returns
    -------
    Columns ``COLUMNS``, side "immigration" or "emigration", indexed by the line in the file.

    Raises
    ------
    SchemaError
        For a column too few or too many, an unknown side, or an office without a reason or a reference.
    UnknownTerritoryError
        For a reporter that is no territory.
    DuplicateKeyError
        For an office that has two rows for one side.
    """
    file = Path(file or paths.TRUSTED_OFFICES)
    frame = read_text_table(file, COLUMNS)
    check_codes(frame["reporter"], file=file)
    for column, bad, remedy in (
            ("side", ~frame["side"].isin((*SIDES, BOTH_SIDES)), f"use one of {', '.join((*SIDES, BOTH_SIDES))}"),
            ("reason", frame["reason"].str.strip() == "", "say why its numbers can be held against an estimate"),
            ("reference", frame["reference"].str.strip() == "", "name a key of book/references.bib")):
        if bad.any():
            raise SchemaError(file, f"{column} {frame.loc[bad.idxmax(), column]!r} cannot be used", remedy,
                              key=f"row {bad.idxmax()}")
    sides = frame["side"].map({BOTH_SIDES: list(SIDES), **{s: [s] for s in SIDES}})
    frame = frame.assign(side=sides).explode("side")
    twice = frame.duplicated(["reporter", "side"]).to_numpy()
    if twice.any():
        first = frame[twice].iloc[0]
        raise DuplicateKeyError(file, f"{first['reporter']}, {first['side']} stands twice", "keep one of the rows",
                                key=f"row {first.name}")
    return frame[list(COLUMNS)]


@cache
def _trusted(file: Path, changed: float) -> frozenset[tuple[str, str]]:
    """Pairs of office and side; ``changed`` makes a file that was altered be read again."""
    return frozenset(read_trusted_offices(file)[["reporter", "side"]].itertuples(index=False, name=None))


def is_trusted(reporter, side, criterion) -> np.ndarray:
    """Whether reports are by residence and of a trusted office.

    Parameters
    ----------
    reporter, side, criterion : of each report, arrays of one length.

    Returns
    -------
    bool array of that length.
    """
    file = paths.TRUSTED_OFFICES
    trusted = _trusted(file, file.stat().st_mtime if file.is_file() else 0.0)
    return np.array([c == CRITERION and (r, s) in trusted for r, s, c in zip(reporter, side, criterion, strict=True)],
                    dtype=bool)


def trusted_reports(panel: xr.Dataset) -> np.ndarray:
    """Which of the panel's reported flows are by residence and of a trusted office.

    Parameters
    ----------
    panel : with ``witness`` (named source|reporter|side|criterion|…) and ``flow_witness`` (observation,).

    Returns
    -------
    bool array (observation,).
    """
    names = [str(w).split("|") for w in panel["witness"].values]
    of_series = is_trusted(*([n[k] for n in names] for k in (1, 2, 3)))
    return of_series[panel["flow_witness"].values.astype(np.int64)]
