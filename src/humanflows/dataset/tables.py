"""The estimates as tables: one long table of flows, and what is written of it as Parquet, CSV and JSON."""
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from ..results.labels import LABEL
from . import grades
from .answers import Answers
from .evidence import BASIS
from .names import name, region

ENDS = ("lower", "upper")
SMALLEST_OF_PAIRS = 10      # persons in one direction, at least, of the pairs of territories that a table lists


def flows_of_year(answers: Answers, t: int) -> pa.Table:
    """All corridors of one year in which anybody is estimated to move, or anybody speaks.

    Returns
    -------
    Table by origin and destination: ``origin, destination, flow``, and ``lower, upper, basis, sources, grade`` as far
    as the release has them.
    """
    store, evidence = answers.store, answers.evidence
    flow = store.array("flow")[t]
    listed = flow > 0
    if evidence:
        listed = listed | (evidence.spoke[t] != 0)
    o, d = np.nonzero(listed)
    index = (np.full(len(o), t), o, d)
    columns = {"origin": _coded(o, answers.codes), "destination": _coded(d, answers.codes),
               "flow": pa.array(flow[o, d])}
    ends = [store.array(f"flow_{k}")[index] for k in ENDS] if answers.intervals else []
    columns |= {k: pa.array(v) for k, v in zip(ENDS, ends)}
    if evidence:
        spread = store.array("flow_spread")[index] if store.has("flow_spread") else None
        kinds, of = np.unique(evidence.spoke[index], return_inverse=True)
        # Masks that differ in the side that spoke alone are the same text.
        columns |= {"basis": _coded(evidence.basis(*index), BASIS),
                    "sources": pa.DictionaryArray.from_arrays(
                        pa.array(of.astype(np.int32)), pa.array(evidence.names_of(kinds).tolist(), pa.string())),
                    "grade": _coded(grades.grade(evidence.seen(*index), *(ends or (None, None)), spread),
                                    grades.GRADES)}
    return _labelled(pa.table(columns), answers)


def flows(answers: Answers) -> pa.Table:
    """:func:`flows_of_year` of all years, with a column ``year`` first."""
    parts = []
    for t, year in enumerate(answers.years):
        table = flows_of_year(answers, t)
        parts.append(table.add_column(0, "year", pa.array(np.full(len(table), year, np.int16))))
    return pa.concat_tables(parts).unify_dictionaries()


def stocks_of_date(answers: Answers, t: int) -> pa.Table:
    """Stocks of one 1 January that have anybody: ``birthplace, residence, stock``; ``lower, upper`` where there are."""
    stock = answers.store.array("stock")[t]
    b, r = np.nonzero(stock > 0)
    ends = {k: pa.array(answers.store.array(f"stock_{k}")[t, b, r], from_pandas=True) for k in ENDS
            if answers.store.has(f"stock_{k}")}
    return _labelled(pa.table({"birthplace": _coded(b, answers.codes), "residence": _coded(r, answers.codes),
                               "stock": pa.array(stock[b, r]), **ends}), answers)


def net_migration(answers: Answers) -> pa.Table:
    """``year, territory, inflow, outflow, net_migration`` of all territories and years, with ends where there are."""
    flow, store = answers.store.array("flow"), answers.store
    n = len(answers.codes)
    columns = {"year": pa.array(np.repeat(np.array(answers.years, np.int16), n)),
               "territory": _coded(np.tile(np.arange(n), len(answers.years)), answers.codes),
               "inflow": flow.sum(1, dtype=np.float64).ravel(), "outflow": flow.sum(2, dtype=np.float64).ravel(),
               "net_migration": store.array("net_migration").ravel()}
    columns |= {k: store.array(f"net_migration_{k}").ravel() for k in ENDS if store.has(f"net_migration_{k}")}
    # Sums of numbers with at most one decimal have at most one; float64 would write what is lost beyond it.
    return _labelled(pa.table({k: np.round(v, 4) if isinstance(v, np.ndarray) else v for k, v in columns.items()}),
                     answers)


def pairs(answers: Answers, code: str) -> pa.Table:
    """Net migration of a territory with each other one, and both directions together.

    Returns
    -------
    Table by other territory and year, of pairs and years with at least ten people in one direction: ``year, territory,
    other, inflow, outflow, net_migration, total``, and ``net_migration_lower, net_migration_upper, total_lower,
    total_upper`` where there are intervals (:mod:`humanflows.dataset.pairs`).
    """
    here = answers.store.position[code]
    others = np.array([k for k in range(len(answers.codes)) if k != here], dtype=int)
    at = np.arange(len(answers.years))
    columns = answers.exchanged(at, here, others[:, None])      # (other, year)
    o, t = np.nonzero(np.maximum(columns["inflow"], columns["outflow"]) >= SMALLEST_OF_PAIRS)
    return _labelled(pa.table({"year": pa.array(np.array(answers.years, np.int16)[t]),
                               "territory": _coded(np.full(len(o), here), answers.codes),
                               "other": _coded(others[o], answers.codes), **{k: v[o, t] for k, v in columns.items()}}),
                     answers)


def territories(answers: Answers) -> pa.Table:
    """``iso3, name, region`` of the territories."""
    return _labelled(pa.table({"iso3": list(answers.codes), "name": [name(c) for c in answers.codes],
                               "region": [region(c) for c in answers.codes]}), answers)


def _labelled(table: pa.Table, answers: Answers) -> pa.Table:
    """With a column that says that the numbers are simulated, where they are."""
    if not answers.store.simulated:
        return table
    return table.append_column(LABEL, pa.array(np.full(len(table), answers.store.data_kind, dtype=object)))


def write_parquet(answers: Answers, folder: Path) -> Iterator[Path]:
    """Flows and stocks, a Parquet file per year in folders ``year=2015`` as DuckDB and Arrow read them; and net
    migration in one file. Yields the paths."""
    for kind, dim, periods, table_of in (("flows", "year", answers.years, flows_of_year),
                                         ("stocks", "date_year", answers.store.dates, stocks_of_date)):
        for t, period in enumerate(periods):
            yield _parquet(table_of(answers, t), folder / kind / f"{dim}={period}" / "part-0.parquet")
    yield _parquet(net_migration(answers), folder / "net_migration.parquet")


def _parquet(table: pa.Table, file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, file, compression="zstd")
    return file


def write_csv(table: pa.Table, file: Path) -> Path:
    """A CSV file, UTF-8, numbers in the fewest digits that tell them apart."""
    file.parent.mkdir(parents=True, exist_ok=True)
    plain = pa.table({n: c.cast(pa.string()) if pa.types.is_dictionary(c.type) else c
                      for n, c in zip(table.column_names, table.columns)})
    pyarrow.csv.write_csv(plain, file, pyarrow.csv.WriteOptions(quoting_style="needed"))
    return file


def write_territories(answers: Answers, table: pa.Table, folder: Path) -> Iterator[Path]:
    """For each territory ``csv/flows/DEU.csv``, all flows in and out, ``csv/pairs/DEU.csv``, net migration with each
    other one, and ``json/DEU.json``. Yields the paths.

    The JSON holds ``territory, name, region, net_migration`` by year, and ``inflow`` and ``outflow``: a list of the
    other territories, each with columns of one length.
    """
    codes = list(answers.codes)
    origin, destination = (_positions(table[k], codes) for k in ("origin", "destination"))
    columns = _python_columns(table)
    net = answers.store.array("net_migration")
    for k, code in enumerate(codes):
        rows = np.flatnonzero((origin == k) | (destination == k))
        yield write_csv(table.take(pa.array(rows)), folder / "csv" / "flows" / f"{code}.csv")
        yield write_csv(pairs(answers, code), folder / "csv" / "pairs" / f"{code}.csv")
        about = {"territory": code, "name": name(code), "region": region(code), LABEL: answers.store.data_kind,
                 "unit": "persons",
                 "net_migration": {"year": answers.years, "net_migration": np.round(net[:, k], 4).tolist()},
                 "inflow": _by_other(columns, rows[destination[rows] == k], origin, codes),
                 "outflow": _by_other(columns, rows[origin[rows] == k], destination, codes)}
        file = folder / "json" / f"{code}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(about, ensure_ascii=False, separators=(",", ":"), allow_nan=False) + "\n",
                        encoding="utf-8")
        yield file


def _by_other(columns: dict[str, np.ndarray], rows: np.ndarray, other: np.ndarray, codes: list[str]) -> list[dict]:
    order = rows[np.argsort(other[rows], kind="stable")]     # years stay in order
    kinds, starts = np.unique(other[order], return_index=True)
    return [{"territory": codes[c], **{n: v[part].tolist() for n, v in columns.items()}}
            for c, part in zip(kinds, np.split(order, starts[1:]))]


def _python_columns(table: pa.Table) -> dict[str, np.ndarray]:
    """Columns but origin and destination as objects that JSON writes: float32 in its own digits, no infinity."""
    out = {}
    for column in table.column_names:
        if column in ("origin", "destination"):
            continue
        values = table[column]
        if pa.types.is_floating(values.type):
            # by way of text: 0.7 as float32 is 0.699999988 as float64
            number = values.cast(pa.string()).cast(pa.float64()).to_numpy()
            out[column] = np.where(np.isfinite(number), number.astype(object), None)
        else:
            out[column] = np.array(values.to_pylist(), dtype=object)
    return out


def _coded(positions: np.ndarray, names) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(np.asarray(positions, np.int16)), pa.array(list(names), pa.string()))


def _positions(column: pa.ChunkedArray, codes: list[str]) -> np.ndarray:
    return pc.index_in(column.cast(pa.string()), pa.array(codes)).to_numpy()
