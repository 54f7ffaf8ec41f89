"""Two vintages of a source: which cells changed, and by how many persons."""
from pathlib import Path

import pandas as pd

from ..errors import InputError, SourceFileError
from ..schema import TABLES, key_of, validate
from .catalogue import SOURCES, read_source
from .cells import opening

CHANGED, ADDED, DROPPED = "changed", "added", "dropped"
KINDS = (CHANGED, ADDED, DROPPED)
TOLERANCE = 1e-9     # of a number, relative: what reading and writing may change


def read_vintage(place: Path, source: str | None = None) -> dict[str, pd.DataFrame]:
    """Tidy tables of one vintage.

    Parameters
    ----------
    place : a folder laid out like the registry; the file of a source that has one; or a tidy table (``.parquet``), as
        they are kept under ``_build/tables``.
    source : name in the catalogue; not needed for a tidy table.

    Returns
    -------
    The frame by the name of its table.

    Raises
    ------
    InputError
        For an unknown source, a missing file, or a table that is none of ``schema.TABLES``.
    """
    place = Path(place)
    if place.suffix == ".parquet":
        return _tidy(place)
    if source not in SOURCES:
        raise InputError(place, "no source is named" if source is None else f"unknown source {source!r}",
                         f"name one of {', '.join(SOURCES)}, or give two tidy tables (.parquet)", key=source)
    wanted = SOURCES[source].files
    alone = place.is_file() and len(wanted) == 1
    files = {wanted[0]: place} if alone else {path: place / path for path in wanted}
    for path, file in files.items():
        if not file.is_file():
            raise SourceFileError(file, f"missing file of {source}", "give a folder laid out like data/registry.csv, "
                                  "or the file itself where the source has one", key=path)
    return read_source(SOURCES[source], files)


def _tidy(file: Path) -> dict[str, pd.DataFrame]:
    with opening(file, "a tidy table"):
        frame = pd.read_parquet(file)
    for table, schema in TABLES.items():
        if set(schema.columns) == set(frame.columns):
            return {table: validate(frame, table, file=file)}
    raise SourceFileError(file, f"columns {sorted(frame.columns)} are those of no table", "give a table as kept under "
                          "_build/tables")


def compare_vintages(old: dict[str, pd.DataFrame], new: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Cells of two vintages that differ.

    Parameters
    ----------
    old, new : tidy tables by name, as of ``read_vintage``; a table that one of them lacks counts as empty.

    Returns
    -------
    One row a cell: ``table``, ``kind`` (changed, added, dropped), ``cell`` (its key in words), ``year`` (0 where the
    table has none), ``old, new`` (numbers, NaN where there is none) and ``difference`` (a missing number counts as
    nothing), the largest first.

    Examples
    --------
    >>> frame = pd.DataFrame({"source": "x", "variable": "trade", "year": [2000], "origin": ["FRA"],
    ...                       "destination": ["DEU"], "value": [2.0], "status": "reported"})
    >>> compare_vintages({"pair_year": frame}, {"pair_year": frame.assign(value=5.0)})[["kind", "difference"]].values
    array([['changed', 3.0]], dtype=object)
    """
    parts = [_compare(old.get(t), new.get(t), t) for t in TABLES if t in old or t in new]
    found = pd.concat(parts, ignore_index=True)
    order = found["difference"].abs().sort_values(ascending=False, kind="stable").index
    return found.loc[order].reset_index(drop=True)


def _compare(old: pd.DataFrame | None, new: pd.DataFrame | None, table: str) -> pd.DataFrame:
    key, value = key_of(table), "persons" if "persons" in TABLES[table].columns else "value"
    columns = [*key, value]
    frames = [pd.DataFrame(columns=columns) if f is None else f[columns] for f in (old, new)]
    frames = [f.astype({c: frames[1 - k][c].dtype for c in columns}) if f.empty else f for k, f in enumerate(frames)]
    both = frames[0].merge(frames[1], on=key, how="outer", suffixes=("_old", "_new"), indicator=True)
    before, after = both[f"{value}_old"].astype(float), both[f"{value}_new"].astype(float)
    kind = both["_merge"].map({"both": CHANGED, "right_only": ADDED, "left_only": DROPPED}).astype(str)
    same = (before - after).abs() <= TOLERANCE * before.abs()
    both = both.assign(table=table, kind=kind, old=before, new=after, year=both.get("year", 0),
                       difference=after.fillna(0) - before.fillna(0))
    both = both[~((kind == CHANGED) & (same | (before.isna() & after.isna())))]
    cell = both[key[0]].astype(str)
    for name in key[1:]:
        cell = cell + ", " + both[name].astype(str)
    return both.assign(cell=cell)[["table", "kind", "cell", "year", "old", "new", "difference"]]


def summarise_vintages(found: pd.DataFrame) -> pd.DataFrame:
    """Number of cells and persons by table and kind, from ``compare_vintages``.

    Returns
    -------
    Columns ``table, kind, cells, old, new, largest`` (the cell with the largest difference).
    """
    table = found.groupby(["table", "kind"], sort=False).agg(
        cells=("cell", "size"), old=("old", "sum"), new=("new", "sum"), largest=("cell", "first"))
    return table.reset_index()
