"""What is fuzzed: each reader with small valid files that it reads.

Every module here lists its own in ``ENTRIES``; a source of the catalogue needs only its files, by their paths in the
registry::

    ENTRIES = (source("unhcr", {"unhcr/population.rda": Table(...), "unhcr/flows.rda": Table(...)}),)
"""
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from humanflows.errors import InputError
from humanflows.schema import TABLES, validate
from humanflows.sources.catalogue import SOURCES, read_source
from humanflows.sources.omissions import Omissions

from ..samples import File


@dataclass(frozen=True)
class Entry:
    """A reader and its small files.

    Parameters
    ----------
    name : of the source, or of what is read.
    files : sound files by their paths; bytes stand for a file that is only damaged, not altered.
    read : the files' places by path to a frame.
    table : of ``humanflows.schema``; several, of which a column ``table`` tells for each row; None for another frame,
        whose numbers have to be finite.
    modules : of ``humanflows.sources`` whose readers this one exercises.
    named : what an error may name in place of one of the files.
    hit : the files that are damaged; all by default.
    changes : files that the entry itself writes to before it reads.
    share : of the inputs that an entry gets; less where one takes long.
    """

    name: str
    files: Mapping[str, File | bytes]
    read: Callable[[dict[str, Path]], pd.DataFrame]
    table: str | tuple[str, ...] | None = None
    modules: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    hit: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    share: float = 1.0

    @property
    def targets(self) -> dict[str, File | bytes]:
        """The files that are damaged."""
        return {k: v for k, v in self.files.items() if not self.hit or k in self.hit}

    def sound(self) -> dict[str, bytes]:
        """The bytes of the sound files."""
        return _sound(self.name)

    def fault_of(self, table: pd.DataFrame) -> str:
        """What is wrong with a table that was read; empty when nothing is."""
        if self.table is None:
            numbers = table.select_dtypes("number").to_numpy(dtype=float, na_value=np.nan)
            return "" if np.isfinite(numbers).all() else "a number is not finite"
        try:
            for name, part in table.groupby("table") if isinstance(self.table, tuple) else [(self.table, table)]:
                validate(_alone(part, name) if isinstance(self.table, tuple) else part, name, file=self.name)
        except InputError as error:
            return str(error)[:500]
        return ""


def tabled(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Several tables as one, with a column that tells which."""
    return pd.concat([f.assign(table=t) for t, f in frames.items()], ignore_index=True)


def _alone(part: pd.DataFrame, table: str) -> pd.DataFrame:
    """The rows of one table out of those of several, whose whole numbers became others where a column is not common."""
    columns = TABLES[table].columns
    part = part[list(columns)]
    return part.astype({c: "int64" for c, a in columns.items() if str(a.dtype) == "int64" and part[c].notna().all()})


def source(name: str, files: Mapping[str, File | bytes], share: float = 1.0) -> Entry:
    """Entry of a source of the catalogue, read as the catalogue reads it."""
    about = SOURCES[name]

    def read(places) -> pd.DataFrame:
        omitted = Omissions()
        frames = read_source(about, places, omitted)
        omitted.table()
        return tabled(frames)

    return Entry(name, files, read, about.tables, (about.reader.partition(":")[0],), (name,), share=share)


@cache
def entries() -> dict[str, Entry]:
    """All entries by name."""
    found = [e for m in pkgutil.iter_modules(__path__)
             for e in importlib.import_module(f"{__name__}.{m.name}").ENTRIES]
    return {e.name: e for e in found}


@cache
def _sound(name: str) -> dict[str, bytes]:
    files = entries()[name].files
    return {k: f if isinstance(f, bytes) else f.wrap(f.inside()) for k, f in files.items()}
