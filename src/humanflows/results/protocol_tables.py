"""The tables of the validation protocols as the release keeps them: the columns that somebody reads, and no others.

What every row of a table would repeat (what a protocol withholds, what a peer had seen) stands once in a table of its
own.
"""
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from .. import artifacts, paths
from ..errors import ArtifactError
from .offices import with_offices
from .protocol_differences import TOGETHER
from .protocols import COMPARED, FLOW_COLUMNS, NET_COLUMNS, NET_COMPARED, STOCK_COLUMNS
from .targets import COLUMNS as TARGET_COLUMNS

COLLECTED = ("scores", "net_migration", "stocks", "targets")     # protocol_<name>.csv, as `humanflows protocols` writes
_UNREAD = ("dropped", "learned_from", "note")
# Columns of scores that releases made before them lack: they are read as against all reports, and as not measured.
_LATER = ("offices", "abs_log_error", "median_log_error", "change_r", "log_score", "log_score_n")
COLUMNS: dict[str, tuple[str, ...]] = {
    "scores": ("protocol", *(c for c in FLOW_COLUMNS if c not in _UNREAD)),
    "net_migration": ("protocol", *(c for c in NET_COLUMNS if c not in _UNREAD)),
    "stocks": ("protocol", *STOCK_COLUMNS),
    "targets": TARGET_COLUMNS,
    "list": ("protocol", "label"),
    "peers": ("peer", "learned_from"),
}
# Of scores, those whose difference to every peer has an interval.
INTERVALS = {"scores": COMPARED, "net_migration": NET_COMPARED}


@dataclass(frozen=True)
class Collected:
    """Tables of all protocols, by the names of ``COLLECTED``, and what made them."""

    tables: Mapping[str, pd.DataFrame]
    made: Mapping


def file_name(table: str) -> str:
    """Name of a table's file, in the release and among the artifacts."""
    return f"protocol_{table}.csv"


def compact_protocols(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The tables without what nobody reads.

    Parameters
    ----------
    tables : by the names of ``COLLECTED``; "targets" may be missing (the simulated world has none).

    Returns
    -------
    dict by the names of ``COLUMNS``, each with those columns: ``list`` says what each protocol withholds, in the order
    in which they were collected, and ``peers`` what each peer had learned from.

    Raises
    ------
    ArtifactError
        For a table that is missing or lacks a column.
    """
    flows = _with_columns(tables, "scores", ("label", "learned_from"))
    made = {name: _complete(_with_columns(tables, name), name) for name in COLLECTED
            if name in tables or name != "targets"}
    every = pd.concat([t[["protocol", "label"]] for n, t in tables.items() if "label" in t], ignore_index=True)
    made["list"] = every.drop_duplicates("protocol", ignore_index=True)
    made["peers"] = flows[list(COLUMNS["peers"])].drop_duplicates(ignore_index=True)
    return made


def _with_columns(tables: Mapping[str, pd.DataFrame], name: str, more: tuple[str, ...] = ()) -> pd.DataFrame:
    found = tables[name].columns if name in tables else ()
    if absent := [c for c in (*COLUMNS[name], *more) if c not in found and not (name == "scores" and c in _LATER)]:
        raise ArtifactError(file_name(name), f"the table of the protocols lacks the columns {absent}",
                            "run humanflows protocols again", key=absent[0])
    return tables[name]


def _complete(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """The columns of a table in their order, with those that an earlier release did not have."""
    return (with_offices(table) if name == "scores" else table).reindex(columns=list(COLUMNS[name]))


def write_protocols(folder: Path, tables: Mapping[str, pd.DataFrame]) -> list[Path]:
    """Write compact tables (:func:`compact_protocols`) into a release folder; the text of all is made before any."""
    texts = {file_name(n): t.to_csv(index=False, float_format="%.4g", lineterminator="\n") for n, t in tables.items()}
    return [artifacts.write_text(folder / name, text) for name, text in texts.items()]


def read_protocols(folder: Path | None = None) -> dict[str, pd.DataFrame]:
    """The tables that a release keeps of the protocols, by the names of ``COLUMNS``; empty where it keeps none.

    Raises
    ------
    ArtifactError
        Where some of them are there and others are not, or a column is missing.
    """
    folder = folder or paths.RELEASE
    files = {n: folder / file_name(n) for n in COLUMNS}
    if not any(f.is_file() for f in files.values()):
        return {}
    if not files["targets"].is_file():
        files.pop("targets")        # the simulated world has none
    tables = {n: pd.read_csv(artifacts.require(f, "humanflows release --profile world"), keep_default_na=False,
                             na_values=[""]) for n, f in files.items()}
    return {name: _complete(_with_columns(tables, name), name) for name in tables}


def pooled_scores(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame | None:
    """Scores of all folds together, each corridor by the member that never saw it, like the table of one fold.

    Parameters
    ----------
    tables : as :func:`read_protocols` or :func:`compact_protocols` gives them.

    Returns
    -------
    DataFrame: the columns of ``scores`` without the protocol and part, and ``learned_from``; None where the folds were
    not run together.
    """
    flows = tables["scores"] if "scores" in tables else pd.DataFrame(columns=["protocol"])
    rows = flows[flows["protocol"] == TOGETHER["fold"]]
    if rows.empty:
        return None
    seen = tables["peers"].drop_duplicates("peer").set_index("peer")["learned_from"]
    return rows.assign(learned_from=rows["peer"].map(seen)).drop(columns=["protocol", "part"]).reset_index(drop=True)
