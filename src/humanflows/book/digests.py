"""What a stage of the book was made of, in digests, kept beside its result: the stage is skipped while both agree."""
import json
import sys
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

from .. import artifacts, paths


def tree_digest(folder: Path, suffixes: tuple[str, ...] = ()) -> str:
    """Digest of the names and contents of all files below a folder, of some suffixes if they are given.

    Hidden files and compiled modules do not count.
    """
    return artifacts.digest([(f.relative_to(folder).as_posix(), artifacts.sha256(f)) for f in _files(folder)
                             if not suffixes or f.name.endswith(suffixes)])


def tree_times(folder: Path) -> str:
    """Digest of names, sizes and times of change of all files below a folder that is too large to be read."""
    return artifacts.digest([(f.relative_to(folder).as_posix(), (about := f.stat()).st_size, about.st_mtime_ns)
                             for f in _files(folder)])


def _files(folder: Path) -> list[Path]:
    return sorted(f for f in folder.rglob("*") if f.is_file() and "__pycache__" not in f.parts
                  and not any(p.startswith(".") for p in f.relative_to(folder).parts))


@cache
def machine() -> dict:
    """Digest of Python and of every package that is installed; once in each process, for it takes half a second."""
    return {"python": sys.version,
            "packages": artifacts.digest(sorted({(d.name, d.version) for d in distributions()}, key=str))}


def inputs_of_pages(profile: str) -> dict:
    """Digests of all that pages can be made of, country pages aside: more than is read, and never less."""
    read = {"book": paths.BOOK, "data": paths.DATA, "config": paths.CONFIG, "measured": paths.MEASURED,
            "notebooks": paths.NOTEBOOKS, "executed": paths.EXECUTED / profile, "code": Path(artifacts.__file__).parent}
    listed = {"artifacts": paths.ARTIFACTS, "cache": paths.CACHE, "mirror": paths.mirror()}
    files = {f: paths.ROOT / f for f in ("_toc.yml", "_config.yml")}
    return {"profile": profile, **machine(), **{k: tree_digest(f) for k, f in read.items()},
            **{k: tree_times(f) if f else None for k, f in listed.items()},
            **{k: artifacts.sha256(f) for k, f in files.items()}}


def is_made(record: Path, made_of: dict, folder: Path) -> bool:
    """Whether a folder is what a record says, and was made of the same."""
    try:
        return json.loads(record.read_text(encoding="utf-8")) == {**made_of, "result": tree_digest(folder)}
    except (FileNotFoundError, ValueError):
        return False


def keep_record(record: Path, made_of: dict, folder: Path) -> None:
    """Say what a folder was made of."""
    artifacts.write_text(record, json.dumps({**made_of, "result": tree_digest(folder)}, indent=1) + "\n")


def record_of(folder: Path) -> Path:
    """Where it is kept what a folder was made of."""
    return folder.with_name(f"{folder.name}.json")
