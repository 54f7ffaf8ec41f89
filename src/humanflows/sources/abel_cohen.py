"""Abel & Cohen's published five-year reconstructions of flows, by six methods, from UN DESA's stocks.

Two vintages: the JSON files of 2023 (1990–2015, 229 of the 231 territories) and version 6 of the CSV (pseudo-Bayes).
They are estimates, not counts, and agree with each other only roughly. Periods run from mid-year to mid-year: ``year``
is the first of the five.
"""
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import SchemaError, SourceFileError
from ..schema import validate
from ..territories import check_codes
from .cells import load_json, numbers, read_texts, square_of_counts, whole_numbers
from .names import resolve_names
from .omissions import AGGREGATE, FORMER_STATE, OUTSIDE, SAME_TERRITORY, Omissions

SOURCE_JSON, SOURCE_CSV = "abel_cohen_2023", "abel_cohen_v6"
METHODS = ("sd_drop_neg", "sd_rev_neg", "mig_rate", "da_min_open", "da_min_closed", "da_pb_closed")
METHOD_CSV = "da_pb_closed"
# Every method speaks about every pair of its territories: a pair that is absent from the table is an estimate of zero,
# unlike in tables of reported flows. `coverage` tells the territories without an estimate in a period.
ABSENT_IS_ZERO = True
NAMES: dict[str, str | None] = {
    "Sudan*": None,                # Sudan before 2011, with South Sudan
    "Serbia & Montenegro": None,   # one state before 2006
}
OUTSIDE_CSV = frozenset({"CLI"})   # Channel Islands
ZERO = "estimate of zero, told by its absence"


def read_abel_cohen(json_paths: Iterable[Path] = (), v6_path: Path | None = None, *,
                    omitted: Omissions | None = None) -> pd.DataFrame:
    """Five-year flows of all methods and both vintages; pairs estimated as zero are not stored.

    Parameters
    ----------
    json_paths : files named ``flow_<method>.json``; source ``abel_cohen_2023``.
    v6_path : ``abelCohen2019flowsv6_flowdt.csv``; source ``abel_cohen_v6``, method ``da_pb_closed``.

    Returns
    -------
    DataFrame
        Table ``reconstruction``. Within ``coverage(table)`` an absent pair is an estimate of zero (`ABSENT_IS_ZERO`);
        outside it there is no estimate.

    Raises
    ------
    SourceFileError, SchemaError, UnknownTerritoryError, NegativeCountError, DuplicateKeyError
        Naming the file and the row or pair.
    """
    omitted = Omissions() if omitted is None else omitted
    parts = [read_json(Path(path), omitted=omitted) for path in json_paths]
    if v6_path is not None:
        parts.append(read_csv(Path(v6_path), omitted=omitted))
    if not parts:
        raise SourceFileError("abel_cohen", "no file given", "pass the JSON files, the CSV, or both")
    return validate(pd.concat(parts, ignore_index=True), "reconstruction", file="abel_cohen")


def read_json(path: Path, *, omitted: Omissions | None = None) -> pd.DataFrame:
    """One ``flow_<method>.json``: matrix[first year][origin][destination] with rows of regions among the countries."""
    omitted = Omissions() if omitted is None else omitted
    method = path.stem.removeprefix("flow_")
    if method not in METHODS:
        raise SourceFileError(path, f"unknown method {method!r}", f"name it flow_<one of {', '.join(METHODS)}>.json")
    content = load_json(path)
    parts = [content.get(k) for k in ("names", "regions", "matrix")] if isinstance(content, dict) else []
    if [type(p) for p in parts] != [list, list, dict] or not all(isinstance(r, int) for r in parts[1]):
        raise SourceFileError(path, "not the JSON of a reconstruction", "fetch it again")
    names, regions, matrices = parts[0], set(parts[1]), parts[2]
    countries = [i for i in range(len(names)) if i not in regions]
    code_of = resolve_names([names[i] for i in countries], file=path, exceptions=NAMES)
    kept = [i for i in countries if code_of[names[i]] is not None]
    codes = np.array([code_of[names[i]] for i in kept], dtype=object)
    former = [i for i in countries if code_of[names[i]] is None]
    parts = []
    for year, matrix in matrices.items():
        if not (year.isdecimal() and year.isascii() and len(year) == 4):
            raise SchemaError(path, f"{year!r} is no year", "fetch the file again", key=f"matrix {year}")
        square = square_of_counts(matrix, names, file=path, key=f"matrix {year}")
        _count(square, int(year), countries, former, omitted)
        square = square[np.ix_(kept, kept)]
        np.fill_diagonal(square, 0)
        o, d = np.nonzero(square)
        parts.append(pd.DataFrame({"source": SOURCE_JSON, "method": method, "year": int(year), "origin": codes[o],
                                   "destination": codes[d], "persons": square[o, d]}))
    if not parts:
        raise SchemaError(path, "no period", "fetch the file again")
    return validate(pd.concat(parts, ignore_index=True).astype({"year": "int64"}), "reconstruction", file=path)


def _count(square: np.ndarray, year: int, countries: list[int], former: list[int], omitted: Omissions) -> None:
    """What of a matrix becomes no row: regions, former states, the diagonal, zeros."""
    # Regions hold their countries' persons once more, row by row and column by column; former states are countries.
    inside = square[np.ix_(countries, countries)]
    omitted.count(AGGREGATE, square.size - inside.size, persons=square.sum() - inside.sum(), year=year)
    kept = [i for i in countries if i not in former]
    today = square[np.ix_(kept, kept)]
    omitted.count(FORMER_STATE, inside.size - today.size, persons=inside.sum() - today.sum(), year=year)
    omitted.count(SAME_TERRITORY, len(kept), persons=np.trace(today), year=year)
    omitted.count(ZERO, (today == 0).sum() - (np.diagonal(today) == 0).sum(), year=year)


def read_csv(path: Path, *, omitted: Omissions | None = None) -> pd.DataFrame:
    """Version 6: rows ``year0, orig, dest, flow``."""
    omitted = Omissions() if omitted is None else omitted
    frame = read_texts(path)
    columns = ["year0", "orig", "dest", "flow"]
    if list(frame.columns) != columns:
        raise SchemaError(path, f"columns {list(frame.columns)}", f"expected {columns}")
    known = check_codes(frame["orig"], file=path, outside=OUTSIDE_CSV) & check_codes(frame["dest"], file=path,
                                                                                    outside=OUTSIDE_CSV)
    frame = frame.assign(year0=whole_numbers(frame["year0"], file=path), flow=numbers(frame["flow"], file=path))
    apart, moved = frame["orig"] != frame["dest"], frame["flow"] != 0
    for kept, reason in ((known, OUTSIDE), (apart, SAME_TERRITORY), (moved, ZERO)):
        frame = omitted.keep(frame, kept[frame.index], reason, persons="flow", year="year0")
    return validate(pd.DataFrame({
        "source": SOURCE_CSV, "method": METHOD_CSV, "year": frame["year0"], "origin": frame["orig"],
        "destination": frame["dest"], "persons": frame["flow"]}), "reconstruction", file=path)


def coverage(table: pd.DataFrame) -> pd.DataFrame:
    """Which territories each reconstruction speaks about, period by period.

    Serbia, Montenegro, Sudan and South Sudan have no estimate before they were told apart; the CSV leaves out small
    territories. A territory counts as covered in a period when at least one of its flows is not zero.

    Returns
    -------
    DataFrame
        Columns ``source, method, year, territory``, distinct and sorted.
    """
    key = ["source", "method", "year"]
    both = pd.concat([table[[*key, side]].rename(columns={side: "territory"}) for side in ("origin", "destination")])
    return both.drop_duplicates().sort_values([*key, "territory"], ignore_index=True)
