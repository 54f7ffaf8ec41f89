"""Hand corrections of sources, each with its reason: ``data/corrections.csv`` is the only place for them."""
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

import pandas as pd

from .. import paths
from ..errors import DuplicateKeyError, InputError, SchemaError
from ..plain_files import read_table
from ..schema import TABLES, key_of

COLUMNS = ["source", "table", "key", "old", "new", "reason", "reference"]


def read_corrections(file: Path | None = None, known: Mapping[str, Sequence[str]] | None = None) -> pd.DataFrame:
    """All corrections.

    Parameters
    ----------
    file : default ``data/corrections.csv``.
    known : tables of each source that there is; a correction of another one would never be used.

    Returns
    -------
    Frame with columns ``source, table, key, old, new, reason, reference``; ``key`` reads
    ``revision=2024;year=1995;birthplace=DEU;residence=USA``.

    Raises
    ------
    SchemaError, DuplicateKeyError
        For a file that is no such table; an unknown source or table, or a table that the source does not fill; a key
        that does not name each key column of its table once, with whole numbers where these are due; a correction
        without a reason; or two of the same value, however their keys are ordered.
    """
    file = Path(file or paths.CORRECTIONS)
    if not file.is_file():
        return pd.DataFrame(columns=COLUMNS)
    frame = read_table(file, COLUMNS, numbers={"old": float, "new": float})
    if list(frame.columns) != COLUMNS:
        raise SchemaError(file, f"columns {list(frame.columns)}", f"give exactly the columns {COLUMNS}")
    seen = set()
    for row in frame.itertuples():
        if row.table not in TABLES or not row.reason.strip():
            raise SchemaError(file, "unknown table or no reason given", f"name one of {sorted(TABLES)} and say why",
                              key=f"row {row.Index}")
        if known is not None:
            _check_names(row, known, file)
        cell = (row.source, row.table, *sorted(parse_key(row.key, row.table, file).items()))
        if cell in seen:
            raise DuplicateKeyError(file, "value corrected twice", "keep one row", key=row.key)
        seen.add(cell)
    return frame


def _check_names(row, known: Mapping[str, Sequence[str]], file: Path) -> None:
    """Refuse a correction of a source that does not exist, or of a table that the source does not fill."""
    if row.source not in known:
        near = get_close_matches(row.source, known, n=1, cutoff=0.0)[0]
        raise SchemaError(file, f"correction of the unknown source {row.source!r}, which would never be used",
                          f"did you mean {near!r}?", key=row.key)
    if row.table not in known[row.source]:
        raise SchemaError(file, f"correction of the table {row.table!r} of {row.source}, which has none",
                          f"it has {', '.join(known[row.source])}", key=row.key)


def parse_key(key: str, table: str, file) -> dict[str, str | int]:
    """Turn ``"year=1995;territory=DEU"`` into a value for each key column of a table but ``source``.

    Raises
    ------
    SchemaError
        Unless each column is named once, with a whole number where the table has those.
    """
    parts = [tuple(part.strip() for part in piece.partition("=")) for piece in key.split(";")]
    named, needed = [name for name, _, _ in parts], set(key_of(table)) - {"source"}
    if sorted(named) != sorted(needed):
        raise SchemaError(file, f"key names {sorted(named)} instead of {sorted(needed)}", "name each key column once",
                          key)
    given = {}
    for name, _, value in parts:
        whole = str(TABLES[table].columns[name].dtype) == "int64"
        if whole and not re.fullmatch(r"\d{1,4}", value):
            raise SchemaError(file, f"{name} is {value!r} in a key", "write it as in 2015", key)
        given[name] = int(value) if whole else value
    return given


def apply_corrections(frame: pd.DataFrame, source: str, file: Path | None = None, *,
                      table: str | None = None, others: Sequence[str] = ()) -> pd.DataFrame:
    """Replace each corrected value of a source, provided that the value read is the one the correction is about.

    Parameters
    ----------
    frame : a tidy table of the source.
    source : its name; corrections of other sources are not looked at.
    file : default ``data/corrections.csv``.
    table : which table ``frame`` is; default: recognised by its columns.
    others : further tables that the source fills, whose corrections are applied to them.

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
    wanted = wanted[wanted["source"] == source]
    if unused := sorted(set(wanted["table"]) - {table, *others}):
        raise SchemaError(file, f"corrections of the table {unused[0]!r} of {source}, which is the table {table!r}",
                          "name that table, with its key", key=wanted.loc[wanted["table"] == unused[0], "key"].iloc[0])
    wanted = wanted[wanted["table"] == table]
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
    where = pd.Series(True, index=frame.index)
    for name, value in parse_key(key, table, file).items():
        where &= frame[name] == value
    return where
