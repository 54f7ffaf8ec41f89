"""Well-known flows: published figures of corridors that many readers look up, as a benchmark of the estimates.

``data/known_flows.csv`` has a row for a corridor and year: the figure, what was counted, who published it, where, and
how it was verified. A figure is what somebody counted, not always a move for twelve months: ``bound`` says whether the
flow must be at least, or at most, about as large. How the corridors were chosen stands in ``data/README.md``. Nothing
that is fitted reads this table, though most of its figures are in the panel and are learned from as other reports are.
"""
import re
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import xarray as xr

from .. import paths
from ..errors import DuplicateKeyError, NegativeCountError, SchemaError, YearRangeError
from ..plain_files import read_table
from ..territories import check_codes

KEYS = ["origin", "destination", "year"]
COLUMNS = (*KEYS, "persons", "kind", "bound", "definition", "source", "url", "checked", "note", "comment")
YEARS = (1990, 2024)        # that estimates are made for
KINDS = {
    "arrivals": "arrivals that the office of the destination counts",
    "departures": "departures that the office of the origin counts",
    "displaced": "new refugees and asylum seekers that UNHCR records",
    "returns": "refugees or migrants in distress who went home, as UNHCR or IOM record them",
    "permits": "permits of residence that the destination grants",
    "visas": "visas that the destination issues",
    "registrations": "registrations for work or social insurance in the destination",
    "deployments": "workers whom the origin registers for a contract abroad",
    "balance": "entries less exits that the border police counts",
    "survey": "an estimate from a sample of travellers or households",
    "platform": "accounts of a social network whose place changed",
}
BOUNDS = {
    "none": "the figure and the flow should be about as large",
    "lower": "the flow should be at least about as large: the figure leaves out some who moved",
    "upper": "the flow should be at most about as large: the figure counts some who did not move",
}
READ, IN_PANEL = "read on the page", "equal to panel "       # how a figure was verified; a series of the panel follows
DISPLACED = "unhcr|displaced_flow"
_PART = r"[A-Za-z0-9_]+"
_CHECKED = re.compile(rf"{READ}|{IN_PANEL}{_PART}(\|{_PART}){{1}}|{IN_PANEL}{_PART}(\|{_PART}){{4}}")


def read_known_flows(file: Path | None = None) -> pd.DataFrame:
    """Published figures of well-known corridor-years.

    Parameters
    ----------
    file : default ``data/known_flows.csv``.

    Returns
    -------
    One row a corridor-year, in the order of the file, indexed by its row as errors name it (the first below the header
    is 0): ``COLUMNS``, ``year`` and ``persons`` as integers, all others as text; ``note`` and ``comment`` may be empty.

    Raises
    ------
    SourceFileError
        When there is no such file.
    SchemaError
        For a column too few or too many, a value that is not declared here, or an address that is none.
    UnknownTerritoryError
        For a code that is no territory's.
    YearRangeError
        For a year outside ``YEARS``.
    NegativeCountError
        For a figure that is not above zero.
    DuplicateKeyError
        For a corridor and year that stand twice.
    """
    file = Path(file or paths.KNOWN_FLOWS)
    frame = read_table(file, COLUMNS, numbers={"year": int, "persons": int})
    if more := [c for c in frame if c not in COLUMNS]:
        raise SchemaError(file, f"unknown columns {more}", f"write the header {','.join(COLUMNS)}", key=more[0])
    for column in ("origin", "destination"):
        check_codes(frame[column], file=file)
    _refuse(frame, frame["origin"] == frame["destination"], file, "origin and destination are the same territory",
            "name two territories")
    outside = ~frame["year"].between(*YEARS)
    if outside.any():
        raise YearRangeError(file, f"year {frame.loc[outside.idxmax(), 'year']} is outside {YEARS[0]}–{YEARS[1]}",
                             "give a year that estimates are made for, or drop the row", key=_row(frame, outside))
    if (none := frame["persons"] <= 0).any():
        raise NegativeCountError(file, f"{frame.loc[none.idxmax(), 'persons']} persons", "give a figure above zero, or "
                                 "drop the row", key=_row(frame, none))
    for column, allowed in (("kind", KINDS), ("bound", BOUNDS)):
        _refuse(frame, ~frame[column].isin(list(allowed)), file, f"{column} is none of those declared",
                f"use one of {', '.join(allowed)}")
    for column in ("definition", "source"):
        _refuse(frame, frame[column].str.strip() == "", file, f"the {column} is empty", "say what was counted, and who "
                "published it")
    _refuse(frame, ~frame["url"].map(_is_address), file, "the url is no address of a page", "write http:// or https:// "
            "with the host, without blanks")
    _refuse(frame, ~frame["checked"].map(lambda cell: _CHECKED.fullmatch(cell) is not None), file,
            "checked does not say how the figure was verified", f"write {READ!r}, or {IN_PANEL!r} and a series of the "
            "panel")
    if (twice := frame.duplicated(KEYS)).any():
        raise DuplicateKeyError(file, "a corridor and year stand twice", "keep the better figure",
                                key=_row(frame, twice))
    return frame


def panel_figures(known: pd.DataFrame, panel: xr.Dataset) -> pd.Series:
    """What the panel says in place of each figure that was verified with it.

    Parameters
    ----------
    known : as of `read_known_flows`.
    panel : harmonised; reports (``flow_*``), what else was counted (``indicator_*``) and new refugees
        (``displaced_flow``) are looked up.

    Returns
    -------
    Persons, indexed as ``known``; NaN for figures that were verified otherwise, or that the panel does not hold.
    """
    found = pd.Series(np.nan, index=known.index)
    for series, rows in known[known["checked"].str.startswith(IN_PANEL)].groupby("checked"):
        name = str(series).removeprefix(IN_PANEL)
        place = {d: panel.get_index(d).get_indexer(rows[d].to_numpy()) for d in KEYS}
        inside = np.all([at >= 0 for at in place.values()], axis=0)
        where = {k: at[inside] for k, at in place.items()}
        if name == DISPLACED:
            values = panel["displaced_flow"].values[where["year"], where["origin"], where["destination"]].astype(float)
        else:
            values = _looked_up(panel, name, where)
        found[rows.index[inside]] = values
    return found


def check_against_panel(known: pd.DataFrame, panel: xr.Dataset, file: Path | None = None) -> None:
    """Refuse a figure that is said to be the panel's and is another one.

    Raises
    ------
    SchemaError
        Naming the corridor, the year and what the panel says.
    """
    said = panel_figures(known, panel)
    differ = known["checked"].str.startswith(IN_PANEL) & ~(np.abs(said - known["persons"]) <= 0.5)
    if differ.any():
        row = differ.idxmax()
        raise SchemaError(file or paths.KNOWN_FLOWS, f"{known.at[row, 'persons']} persons, where the panel says "
                          f"{said[row]:g}", f"mend the figure, or what is said of it: {known.at[row, 'checked']}",
                          key=_row(known, differ))


def _looked_up(panel: xr.Dataset, name: str, where: dict[str, np.ndarray]) -> np.ndarray:
    """Persons that a series of reports or of other counts has of some corridor-years; NaN for what it has not."""
    reports = name in panel.get_index("witness")
    index = panel.get_index("witness" if reports else "indicator")
    if name not in index:
        return np.full(len(where["year"]), np.nan)
    begin, series, value = ("flow", "witness", "persons") if reports else ("indicator", "series", "value")
    mine = np.flatnonzero(panel[f"{begin}_{series}"].values == index.get_loc(name))
    cells = pd.MultiIndex.from_arrays([panel[f"{begin}_{k}"].values[mine] for k in KEYS])
    persons = pd.Series(panel[f"{begin}_{value}"].values[mine], index=cells).groupby(level=[0, 1, 2]).first()
    return persons.reindex(pd.MultiIndex.from_arrays([where[k] for k in KEYS])).to_numpy()


def _refuse(frame: pd.DataFrame, bad: pd.Series, file: Path, problem: str, remedy: str) -> None:
    if bad.any():
        raise SchemaError(file, problem, remedy, key=_row(frame, bad))


def _row(frame: pd.DataFrame, bad: pd.Series) -> str:
    row = bad.idxmax()
    return f"row {row}: {frame.at[row, 'origin']}-{frame.at[row, 'destination']} {frame.at[row, 'year']}"


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:       # brackets that are no host
        return False
    return parts.scheme in ("http", "https") and "." in parts.netloc and not re.search(r"\s", text)
