"""Tables of the chapter on uncertainty, as files: coverage, sums, scales, ranks of the truth; and the last release's.

``coverage.csv``: ``coverage.COLUMNS``. ``sums.csv``: totals of ``results.released_sums`` with the mean and the ends of
their draws. ``scales.csv``: ``calibration.COLUMNS``. ``truth.csv``: ``truth.COLUMNS`` (of the simulated world alone).
"""
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from .. import artifacts
from ..errors import ArtifactError, SchemaError
from ..results.offices import ALL
from ..results.released_sums import KEYS, list_totals
from ..territories import region_of
from . import calibration, truth
from .coverage import COLUMNS, coverage_table
from .crossfit import CORRIDORS, LAST_YEARS, OFFICES, READ_REPORTS, YEARS
from .ends import LEVELS, end_names, ends_of_draws
from .evidence import NAMES as EVIDENCE
from .judge import REPORT

MADE_BY = "humanflows coverage"
FILES = {"coverage.csv": COLUMNS, "scales.csv": calibration.COLUMNS, "truth.csv": truth.COLUMNS,
         "sums.csv": (*KEYS, "persons", "median")}
# Classes of size that the tables of releases 1 and 2 share with those of draws: theirs, and ours.
SHARED_SIZES = {"all": "all", "100 to 1,000": "100 to 1 thousand", "1,000 to 10,000": "1 to 10 thousand",
                "10,000 and more": "above 10 thousand"}
SHARED_SUMS = {OFFICES: "country", CORRIDORS: "region pair", LAST_YEARS: "region pair"}


def assemble_coverage(judged: Iterable[pd.DataFrame], **options) -> pd.DataFrame:
    """One table of coverage from rows that were judged in several places; ``options`` as of ``coverage_table``."""
    parts = [p for p in judged if len(p)]
    return coverage_table(pd.concat(parts, ignore_index=True), **options) if parts \
        else pd.DataFrame(columns=list(COLUMNS))


def sum_draws(flow: xr.DataArray) -> tuple[pd.DataFrame, np.ndarray]:
    """Every total of a release in every draw: the world, regions, pairs of regions, all that leave or reach a country.

    Parameters
    ----------
    flow : (draw, year, origin, destination), persons, lazy; one draw is in memory at a time.

    Returns
    -------
    DataFrame: total, origin, destination of each total; float64 array (draw, year, total), persons.
    """
    if flow.dims != ("draw", "year", "origin", "destination"):
        raise SchemaError("draws", f"flow has the dims {flow.dims}", "give (draw, year, origin, destination)", "flow")
    codes = flow["origin"].values.astype(str)
    labels, into = list_totals(codes, region_of().reindex(list(codes)).fillna("").to_numpy())
    o, d = np.nonzero(~np.eye(len(codes), dtype=bool))
    out = np.empty((flow.sizes["draw"], flow.sizes["year"], len(labels)))
    for k in range(len(out)):
        out[k] = (into @ flow.isel(draw=k).values[:, o, d].astype(np.float64).T).T
    return labels, out


def sum_table(flow: xr.DataArray) -> pd.DataFrame:
    """Totals with the ends of their intervals, counted from draws of the whole world.

    Returns
    -------
    DataFrame: ``total, origin, destination, year, persons`` (mean of the draws), ``median``, and ``lower, lower_80,
    lower_50, upper_50, upper_80, upper``.
    """
    labels, drawn = sum_draws(flow)
    found = ends_of_draws(drawn)
    lower, upper = zip(*end_names(LEVELS))
    ends = {name: found.lower[level] for name, level in zip(lower[::-1], LEVELS[::-1])} \
        | {name: found.upper[level] for name, level in zip(upper, LEVELS)}
    tables = [labels.assign(year=int(year), persons=found.centre[t], median=found.median[t],
                            **{k: v[t] for k, v in ends.items()})
              for t, year in enumerate(flow["year"].values)]
    return pd.concat(tables, ignore_index=True)


def compare_with_release(table: pd.DataFrame, released: pd.DataFrame) -> pd.DataFrame:
    """Coverage by draws beside that of a release of intervals made by conformal prediction, where rows are of one kind.

    Parameters
    ----------
    table : of ``coverage.coverage_table``.
    released : ``data/release/coverage.csv`` of release 1 or 2.

    Returns
    -------
    DataFrame: kind, size, and ``n, cover50, cover80, cover95, crps, factor`` of reports, each also with ``released_``
    before it. ``released_factor`` is of the mean width of logs, ``factor`` the median. Cells are the same where ``n``
    and ``released_n`` are: sizes are by each one's own centres.

    Raises
    ------
    SchemaError
        For a table without the columns.
    """
    needed = ("quantity", "method", "kind", "grouping", "group", "level", "n", "coverage", "crps", "width")
    if missing := [k for k in needed if k not in released]:
        raise SchemaError("coverage.csv", f"it has no column {missing[0]}", "take the table of release 1 or 2",
                          missing[0])
    own = table[(table["of"] == REPORT) & (table["offices"] == ALL) & (table["evidence"] == "all")]
    theirs = released[released["method"] == "humanflows"]
    wanted = [("flow", kind, kind, group, size) for kind in (CORRIDORS, OFFICES, YEARS, LAST_YEARS, READ_REPORTS)
              for group, size in SHARED_SIZES.items()]
    wanted += [("sums", kind, f"{kind}: {name}", "all", "all") for kind, name in SHARED_SUMS.items()]
    rows = []
    for quantity, kind, ours, group, size in wanted:
        mine = own[(own["kind"] == ours) & (own["size"] == size)]
        other = theirs[(theirs["quantity"] == quantity) & (theirs["kind"] == kind) & (theirs["group"] == group)
                       & (theirs["grouping"] == ("all" if group == "all" else "size"))].set_index("level")
        if len(mine) != 1 or not {0.5, 0.8, 0.95} <= set(other.index):
            continue
        mine, at = mine.iloc[0], other.loc[0.95]
        rows.append({"kind": ours, "size": size, "n": mine["n"], "released_n": at["n"],
                     **{k: v for level in LEVELS for name in [f"cover{round(100 * level)}"]
                        for k, v in ((name, mine[name]), (f"released_{name}", other.loc[level, "coverage"]))},
                     "crps": mine["crps"], "released_crps": at["crps"], "factor": mine["factor"],
                     "released_factor": float(np.exp(at["width"]))})
    columns = ["kind", "size", *[f"{p}{k}" for k in ("n", "cover50", "cover80", "cover95", "crps", "factor")
                                 for p in ("", "released_")]]
    return pd.DataFrame(rows, columns=columns)


def write_tables(tables: Mapping[str, pd.DataFrame], folder: Path) -> dict[str, Path]:
    """Write tables under the names of ``FILES``.

    Raises
    ------
    ArtifactError
        For another name, or a table that lacks a column of its kind; nothing is written then.
    """
    for name, table in tables.items():
        if name not in FILES:
            raise ArtifactError(Path(folder) / name, "no table of this name is kept", f"use one of {', '.join(FILES)}",
                                key=name)
        if missing := [k for k in FILES[name] if k not in table]:
            raise ArtifactError(Path(folder) / name, f"it would lack the column {missing[0]}", "make the table again",
                                key=missing[0])
    return {name: artifacts.write_text(Path(folder) / name, table.to_csv(index=False, float_format="%.6g"))
            for name, table in tables.items()}


def open_coverage(file: Path) -> pd.DataFrame:
    """Read ``coverage.csv`` as :func:`write_tables` wrote it.

    Raises
    ------
    ArtifactError
        When it is missing, not a table, lacks a column, or holds a share outside 0 to 1, a number of observations that
        is none, or an unknown class of evidence.
    """
    artifacts.require(Path(file), MADE_BY)
    again = "make the tables again"
    try:
        table = pd.read_csv(file, keep_default_na=False, na_values=[""])
    except Exception as error:  # the parser raises many kinds on a damaged file
        raise ArtifactError(file, f"not readable as a table ({type(error).__name__}: {error})", again) from error
    if missing := [k for k in COLUMNS if k not in table]:
        raise ArtifactError(file, f"it has no column {missing[0]}; tables of releases 1 and 2 are of another format",
                            again, key=missing[0])
    shares = ("cover50", "cover80", "cover95", "exact80", "exact95")
    for name in (*shares, "n", "corridors", "crps"):
        values = pd.to_numeric(table[name], errors="coerce")
        sound = values.between(0, 1) if name in shares else (values >= 1) if name in ("n", "corridors") \
            else np.isfinite(values)
        if not sound.all():
            raise ArtifactError(file, f"{name} is {table.loc[~sound, name].iloc[0]}", again,
                                key=f"row {int(np.flatnonzero(~sound)[0]) + 2}")
    strange = ~table["evidence"].isin(("all", *EVIDENCE))
    if strange.any():
        raise ArtifactError(file, f"evidence {table.loc[strange, 'evidence'].iloc[0]!r}",
                            f"classes are {', '.join(EVIDENCE)}", key=f"row {int(np.flatnonzero(strange)[0]) + 2}")
    return table
