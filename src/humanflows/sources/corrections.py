"""Hand corrections of sources, each with its reason: ``data/corrections.csv`` is the only place for them."""
from pathlib import Path

import pandas as pd

from .. import paths
from ..errors import DuplicateKeyError, InputError, SchemaError
from ..schema import TABLES, key_of

COLUMNS = ["source", "table", "key", "old", "new", "reason", "reference"]


def read_corrections(file: Path | None = None) -> pd.DataFrame:
    """All corrections.

    Returns
    -------
    Frame with columns ``source, table, key, old, new, reason, reference``; ``key`` reads
    ``revision=2024;year=1995;birthplace=DEU;residence=USA``.

    Raises
    ------
    SchemaError, DuplicateKeyError
        For other columns, an unknown table, a correction without a reason, or two of the same value.
    """
    file = Path(file or paths.CORRECTIONS)
    if not file.is_file():
        return pd.DataFrame(columns=COLUMNS)
    frame = pd.read_csv(file, keep_default_na=False, dtype={"old": "float64", "new": "float64"})
    if list(frame.columns) != COLUMNS:
        raise SchemaError(file, f"columns {list(frame.columns)}", f"give exactly the columns {COLUMNS}")
    for row in frame.itertuples():
        if row.table not in TABLES or not row.reason.strip():
            raise SchemaError(file, "unknown table or no reason given", f"name one of {sorted(TABLES)} and say why",
                              key=f"row {row.Index}")
    twice = frame.duplicated(["source", "table", "key"])
    if twice.any():
        raise DuplicateKeyError(file, "value corrected twice", "keep one row", key=frame.loc[twice.idxmax(), "key"])
    return frame


def apply_corrections(frame: pd.DataFrame, source: str, file: Path | None = None, *,
                      table: str | None = None) -> pd.DataFrame:
    """Replace each corrected value of a source, provided that the value read is the one the correction is about.

    Parameters
    ----------
    frame : a tidy table of the source.
    source : its name; corrections of other sources are not looked at.
    file : default ``data/corrections.csv``.
    table : which table ``frame`` is; default: recognised by its columns.

    Returns
    -------
    A corrected copy; the ``status`` of a corrected row is ``imputed``.

    Raises
    ------
    InputError
        When the row of a correction is not found or holds another value than ``old``.
    """
    file = Path(file or paths.CORRECTIONS)
    table = table or next((t for t, s in TABLES.items() if set(s.columns) == set(frame.columns)), None)
    wanted = read_corrections(file)
    wanted = wanted[(wanted["source"] == source) & (wanted["table"] == table)]
    if wanted.empty:
        return frame
    frame = frame.copy()
    column = "persons" if "persons" in frame else "value"
    for row in wanted.itertuples():
        where = _rows(frame, row.key, table, file)
        remedy = "the source has changed: mend or drop the row of data/corrections.csv"
        if where.sum() != 1:
            raise InputError(file, f"correction of {source} finds {int(where.sum())} rows instead of one", remedy,
                             row.key)
        found = float(frame.loc[where, column].iloc[0])
        if found != row.old:
            raise InputError(file, f"correction of {source} expects {row.old:.15g} but the source says {found:.15g}",
                             remedy, row.key)
        frame.loc[where, column] = row.new
        if "status" in frame:
            frame.loc[where, "status"] = "imputed"
    return frame


def _rows(frame: pd.DataFrame, key: str, table: str, file) -> pd.Series:
    given = dict(part.split("=", 1) for part in key.split(";") if "=" in part)
    needed = set(key_of(table)) - {"source"}
    if set(given) != needed:
        raise SchemaError(file, f"key names {sorted(given)} instead of {sorted(needed)}", "name each key column once",
                          key)
    where = pd.Series(True, index=frame.index)
    for name, value in given.items():
        where &= frame[name] == (int(value) if frame[name].dtype.kind == "i" else value)
    return where
