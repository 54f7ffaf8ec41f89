"""What the catalogue says of one source, and how its files are handed to its reader."""
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

from .registry import files as registered_files

Files = dict[str, Path]  # registry path → local path


@dataclass(frozen=True)
class Source:
    """One source: what it is, and how it is read."""

    name: str
    title: str
    publisher: str
    prefixes: tuple[str, ...]     # registry groups, folders or paths
    tables: tuple[str, ...]       # of ``schema.TABLES``; a reader of several returns them by name
    reader: str                   # module:function, imported only when a file is to be read
    arguments: Callable[[Files], tuple]   # positional arguments of the reader
    licence: str
    definition: str
    unit: str
    vintage: str
    first_year: int | None        # None: does not vary over time
    last_year: int | None
    coverage: str
    citation: str
    censored_below: float | None = None   # smaller numbers are left out by the publisher: absence is a small number
    data_files: tuple[str, ...] = ()      # of data/, that the reader also depends on
    cost: int = 1                 # rough seconds of a cold read, to begin with the longest
    duration: str = ""            # how long a stay must be to count
    side: str = ""                # who reports: the receiving or the sending country, or neither
    use: str = ""                 # what the numbers can and cannot say about moves of usual residence
    checked: str = ""             # what was compared with a published total

    @property
    def files(self) -> tuple[str, ...]:
        """Registry paths of all files."""
        return tuple(sorted({f for p in self.prefixes for f in registered_files(p)}))

    @property
    def years(self) -> str:
        """Years covered, in words."""
        return "constant" if self.first_year is None else f"{self.first_year}–{self.last_year}"

    def as_dict(self) -> dict:
        """What a reader of the book needs to know, without the machinery."""
        machinery = {"arguments", "reader", "cost", "data_files", "prefixes"}
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in machinery} | {"files": self.files}


def all_files(files: Files) -> tuple:
    """For a reader of a list of paths, in the order of the registry."""
    return ([files[k] for k in sorted(files)],)


def by_name(files: Files) -> tuple:
    """For a reader of a dictionary from file name to path."""
    return ({Path(k).name: v for k, v in files.items()},)


def in_order(*names: str) -> Callable[[Files], tuple]:
    """For a reader of one path after the other: those whose registry paths end with ``names``."""
    return lambda files: tuple(next(v for k, v in files.items() if k.endswith(n)) for n in names)
