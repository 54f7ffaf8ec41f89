"""The catalogue: every source the panel is built from, what its numbers mean, and how its files become tables.

Tables are read once and kept as parquet under ``_build/tables``; they are read again only when a registered sha256, the
code of the reader (with every module it imports), the corrections or the list of territories changes.
"""
import ast
import importlib
import multiprocessing
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from .. import paths
from ..artifacts import atomic, digest, manifest_path, read_manifest, sha256, write_manifest
from ..errors import ArtifactError, InputError, SchemaError, SourceFileError
from ..schema import TABLES, validate
from .corrections import apply_corrections, read_corrections
from .entries import ENTRIES
from .fetch import fetch_all
from .omissions import COLUMNS, COUNTED_AGAIN, Omissions
from .registry import about as registered
from .source import Files, Source

PACKAGE = Path(__file__).resolve().parents[1]
SOURCES: dict[str, Source] = {s.name: s for s in ENTRIES}


def about_sources(names: Iterable[str] | None = None) -> dict[str, dict]:
    """What each source is: title, licence, definition, unit, vintage, years, coverage, citation, files."""
    return {name: _source(name).as_dict() for name in names or SOURCES}


def load_source(name: str, *, folder: Path | None = None, corrections: Path | None = None,
                **fetch_options) -> dict[str, pd.DataFrame]:
    """Tables of one source, from their cached copies where nothing they depend on has changed.

    Parameters
    ----------
    name : one of ``SOURCES``.
    folder : where tables are kept; default ``_build/tables``.
    corrections : default ``data/corrections.csv``.
    **fetch_options : ``mirror``, ``cache``, ``registry`` of :func:`humanflows.sources.fetch.fetch`.

    Returns
    -------
    The frame by the name of its table.

    Raises
    ------
    InputError
        For a file that is missing, damaged or holds what it must not; tables kept earlier stay as they were.
    """
    source = _source(name)
    targets, inputs = _targets(source, folder), _inputs(source, _corrections(corrections), fetch_options)
    if not _is_fresh(targets, inputs):
        _read_and_keep(source, targets, inputs, corrections, fetch_options)
    return {table: pd.read_parquet(file) for table, file in targets.items()}


def load_all(names: Iterable[str] | None = None, *, workers: int = 2, folder: Path | None = None,
             quiet: bool = False, corrections: Path | None = None, **fetch_options) -> dict[str, pd.DataFrame]:
    """Tables of all sources (or of those named), joined by table; prints a line per source: what was read, what not.

    Parameters
    ----------
    names : default every source.
    workers : processes for the sources that must be read; cached ones need none.
    quiet : print nothing.
    folder, corrections, **fetch_options : as of :func:`load_source`.

    Returns
    -------
    Frame by name of table; a table that no source named fills is left out.

    Raises
    ------
    InputError
        Of the first source that cannot be read.
    """
    chosen = [_source(name) for name in names or SOURCES]
    targets = {s.name: _targets(s, folder) for s in chosen}
    own = _corrections(corrections)
    inputs = {s.name: _inputs(s, own, fetch_options) for s in chosen}
    stale = sorted((s for s in chosen if not _is_fresh(targets[s.name], inputs[s.name])), key=lambda s: -s.cost)
    fetch_all([f for s in stale for f in s.files], **fetch_options)  # downloads and their bars in this process
    jobs = [(s.name, targets[s.name], inputs[s.name], corrections, fetch_options) for s in stale]
    seconds = dict(zip((s.name for s in stale), _run(jobs, workers), strict=True))
    frames: dict[str, list[pd.DataFrame]] = {}
    for source in chosen:
        start, rows = time.perf_counter(), 0
        for table, file in targets[source.name].items():
            frame = pd.read_parquet(file)
            rows += len(frame)
            frames.setdefault(table, []).append(frame)
        if not quiet:
            taken = seconds.get(source.name, time.perf_counter() - start)
            how = "read" if source.name in seconds else "cached"
            left = _omitted(targets[source.name])
            persons = left.loc[~left["reason"].isin(COUNTED_AGAIN), "persons"].sum()   # not in a row that is kept
            print(f"{source.name:<24}{rows:>10,} rows {taken:6.1f} s  {how:<6}  left out {left['rows'].sum():>9,.0f} "
                  f"rows, {persons:>14,.0f} persons", flush=True)
    return {table: pd.concat(frames[table], ignore_index=True) for table in TABLES if table in frames}


def omissions(names: Iterable[str] | None = None, *, folder: Path | None = None) -> pd.DataFrame:
    """What the readers of sources that have been loaded left out.

    Parameters
    ----------
    names : default every source.
    folder : where their tables are kept; default ``_build/tables``.

    Returns
    -------
    Columns ``source, reason, year, rows, persons``; year 0 where the rows speak of none.

    Raises
    ------
    ArtifactError
        For a source that has not been loaded.
    """
    parts = [_omitted(_targets(_source(n), folder)).assign(source=n) for n in names or SOURCES]
    return pd.concat(parts, ignore_index=True)[["source", "reason", "year", "rows", "persons"]]


def _omitted(targets: dict[str, Path]) -> pd.DataFrame:
    made = read_manifest(_manifest_of(targets))
    if not (isinstance(made, dict) and _are_omissions(made.get("omitted"))):
        raise ArtifactError(_manifest_of(targets), "these tables have not been read", "run humanflows harmonise first")
    return pd.DataFrame(made["omitted"], columns=COLUMNS)


def _are_omissions(rows) -> bool:
    """True for what `_omitted` makes a table of."""
    return isinstance(rows, list) and all(
        isinstance(row, dict) and set(row) == set(COLUMNS) and isinstance(row["reason"], str)
        and all(isinstance(row[c], (int, float)) and row[c] == row[c] for c in COLUMNS[1:]) for row in rows)


def _run(jobs: list[tuple], workers: int) -> list[float]:
    """Seconds that each job took, in their order."""
    if len(jobs) < 2 or workers < 2:
        return [_job(*job) for job in jobs]
    # spawn: a forked copy of a process with running threads (arrow, torch) can hang
    with ProcessPoolExecutor(min(workers, len(jobs)), multiprocessing.get_context("spawn")) as pool:
        return [f.result() for f in [pool.submit(_job, *job) for job in jobs]]


def _job(name: str, targets: dict[str, Path], inputs: dict, corrections: Path | None, fetch_options: dict) -> float:
    start = time.perf_counter()
    _read_and_keep(_source(name), targets, inputs, corrections, fetch_options)
    return time.perf_counter() - start


def _source(name: str) -> Source:
    if name not in SOURCES:
        raise InputError("sources", f"unknown source {name!r}", f"use one of {', '.join(SOURCES)}", key=name)
    return SOURCES[name]


def _targets(source: Source, folder: Path | None) -> dict[str, Path]:
    """Where each table of a source is kept."""
    base = Path(folder or paths.BUILD / "tables") / source.name
    return {table: base / f"{table}.parquet" for table in source.tables}


def _manifest_of(targets: dict[str, Path]) -> Path:
    """The artifact beside which the one manifest of a source's tables lies: its first table."""
    return next(iter(targets.values()))


def _corrections(file: Path | None) -> pd.DataFrame:
    return read_corrections(file, {s.name: s.tables for s in SOURCES.values()})


def _inputs(source: Source, corrections: pd.DataFrame, fetch_options: dict) -> dict:
    """Everything the tables depend on, as digests."""
    registry = fetch_options.get("registry")
    data = [paths.TERRITORIES, *(paths.DATA / f for f in source.data_files)]
    return {
        "files": {f: registered(f, registry)["sha256"] for f in source.files},
        "code": _code(source.reader.split(":")[0]),
        "corrections": digest(corrections[corrections["source"] == source.name].to_dict("records")),
        "data": {f.name: sha256(f) if f.is_file() else None for f in data},
        "versions": _versions(),
    }


@cache
def _versions() -> dict[str, str]:
    return {package: version(package) for package in ("pandas", "rdata")}


def _code(module: str) -> str:
    """Digest of a reader and of every module of this package that it imports, directly or not."""
    wanted, seen = [PACKAGE / "sources" / f"{module}.py", PACKAGE / "sources" / "corrections.py"], set()
    while wanted:
        file = wanted.pop()
        if file in seen or not file.is_file():
            continue
        seen.add(file)
        wanted += _imports(file, file.stat().st_mtime_ns)
    return digest([(str(f.relative_to(PACKAGE)), f.read_text(encoding="utf-8")) for f in sorted(seen)])


@cache
def _imports(file: Path, changed: int) -> tuple[Path, ...]:
    """Files of the package that a file imports relatively; ``changed`` makes the cache forget an edited file."""
    found = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = file.parents[node.level - 1]
            if node.module:
                found.append(base.joinpath(*node.module.split(".")).with_suffix(".py"))
            else:
                found += [base / f"{alias.name}.py" for alias in node.names]
    return tuple(found)


def _is_fresh(targets: dict[str, Path], inputs: dict) -> bool:
    """True when the kept tables were made from these inputs and their bytes are those that were written."""
    try:
        made = read_manifest(_manifest_of(targets))
    except (ValueError, RecursionError):  # a manifest cut short is as good as none
        return False
    if not (isinstance(made, dict) and isinstance(made.get("tables"), dict) and _are_omissions(made.get("omitted"))):
        return False
    return (made.get("inputs_digest") == digest(inputs)
            and all(f.is_file() and made["tables"].get(t) == sha256(f) for t, f in targets.items()))


def _read_and_keep(source: Source, targets: dict[str, Path], inputs: dict, corrections, fetch_options: dict) -> None:
    start, omitted = time.perf_counter(), Omissions()
    frames = read_source(source, fetch_all(source.files, **fetch_options), omitted)
    for table, read in frames.items():
        frame = apply_corrections(read, source.name, corrections, table=table, others=source.tables)
        frames[table] = frame if frame is read else validate(frame, table, file=corrections or paths.CORRECTIONS)
    # The manifest goes first and comes last: a run cut off in between leaves tables that count as unread.
    manifest_path(_manifest_of(targets)).unlink(missing_ok=True)
    for table, file in targets.items():
        with atomic(file) as temporary:
            frames[table].to_parquet(temporary, index=False, compression="zstd")
    write_manifest(_manifest_of(targets), made_by="humanflows.sources.catalogue", inputs=inputs,
                   seconds=round(time.perf_counter() - start, 2), source=source.name,
                   rows={t: len(f) for t, f in frames.items()}, tables={t: sha256(f) for t, f in targets.items()},
                   omitted=omitted.table().to_dict("records"))


def read_source(source: Source, files: Files, omitted: Omissions | None = None) -> dict[str, pd.DataFrame]:
    """Run a source's reader on local files, without cache or corrections.

    Parameters
    ----------
    source : of the catalogue.
    files : local path of each of its files, by registry path.
    omitted : collects what the reader leaves out.

    Returns
    -------
    The frame by the name of its table.

    Raises
    ------
    SchemaError
        When the reader gives other tables, or names another source, than the catalogue does.
    SourceFileError
        When nothing is read.
    """
    module, function = source.reader.split(":")
    reader = getattr(importlib.import_module(f"{__package__}.{module}"), function)
    read = reader(*source.arguments(files), omitted=Omissions() if omitted is None else omitted)
    frames = read if isinstance(read, dict) else {source.tables[0]: read}
    if set(frames) != set(source.tables):
        raise SchemaError(source.name, f"reader gives the tables {sorted(frames)} instead of {sorted(source.tables)}",
                          "name the tables in the catalogue as the reader gives them")
    if all(frame.empty for frame in frames.values()):
        raise SourceFileError(source.name, "its files hold no row that is read", "fetch them again")
    for frame in frames.values():
        named = sorted(n for n in frame["source"].unique() if not _is_of(n, source.name))
        if named:
            raise SchemaError(source.name, f"reader names the source {named}",
                              f"name it {source.name!r}, or {source.name}_<vintage> where it holds several")
    return frames


def _is_of(named: str, source: str) -> bool:
    """True for the name of a source and of its vintages, which may begin like another source's name."""
    return named == source or (named.startswith(f"{source}_") and named not in SOURCES)


def inputs_digests() -> dict[str, str]:
    """For each source a digest of everything that its tables depend on: files, reader, corrections, versions."""
    own = _corrections(None)
    return {name: digest(_inputs(source, own, {})) for name, source in SOURCES.items()}
