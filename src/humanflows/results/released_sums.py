"""Totals of a release's table ``sums.csv``: always those of the flows as they are stored beside it.

Stored flows are rounded, and zero below half a person. Sums of flows that are not would be larger, by more than a
twentieth where thousands of corridors have hardly anybody.
"""
from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from scipy import sparse

from ..errors import ArtifactError
from ..territories import region_of

KEYS = ["total", "origin", "destination", "year"]
LOWER, UPPER = ("lower", "lower_80"), ("upper_80", "upper")
DIGITS = 6              # of a number in the table
TOLERANCE = 1e-4        # of a total


def list_totals(codes: Sequence[str], regions: Sequence[str]) -> tuple[pd.DataFrame, sparse.csr_matrix]:
    """Which totals there are, and which corridors each adds up.

    Parameters
    ----------
    codes : territories.
    regions : of each.

    Returns
    -------
    DataFrame: total, origin, destination; sparse (total, corridor) of ones, corridors being those of
    ``np.nonzero(~np.eye(len(codes), dtype=bool))``.
    """
    kinds, names = np.unique(np.asarray(regions, dtype=str), return_inverse=True)
    n = len(codes)
    origin, destination = np.nonzero(~np.eye(n, dtype=bool))
    cell = np.arange(len(origin))
    labels = pd.DataFrame([("world", "World", "World")]
                          + [("between regions", a, b) for a in kinds for b in kinds]
                          + [("out of", c, "World") for c in codes] + [("into", "World", c) for c in codes]
                          + [("out of region", a, "World") for a in kinds]
                          + [("into region", "World", b) for b in kinds], columns=KEYS[:3])
    first = 1 + len(kinds) ** 2
    across = np.flatnonzero(names[origin] != names[destination])
    rows = np.concatenate([np.zeros_like(cell), 1 + names[origin] * len(kinds) + names[destination], first + origin,
                           first + n + destination, first + 2 * n + names[origin[across]],
                           first + 2 * n + len(kinds) + names[destination[across]]])
    columns = np.concatenate([np.tile(cell, 4), np.tile(across, 2)])
    return labels, sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(labels), len(cell)))


def totals_of(flow: np.ndarray, years: Sequence[int], codes: Sequence[str]) -> pd.Series:
    """Every total of flows (year, origin, destination), persons, float64, by ``KEYS``."""
    labels, into = list_totals(codes, region_of().reindex(list(codes)).fillna("").to_numpy())
    o, d = np.nonzero(~np.eye(len(codes), dtype=bool))
    tables = [labels.assign(year=int(y), persons=into @ f[o, d].astype(np.float64)) for y, f in zip(years, flow)]
    return pd.concat(tables).set_index(KEYS)["persons"]


def match_totals(sums: pd.DataFrame, totals: pd.Series, file="sums.csv") -> np.ndarray:
    """The totals of a table's rows.

    Parameters
    ----------
    sums : table with ``KEYS``.
    totals : of :func:`totals_of`.
    file : for messages.

    Raises
    ------
    ArtifactError
        For a row that is no total of these flows, or is there twice.
    """
    remedy = "make the release again"
    if missing := [k for k in (*KEYS, "persons") if k not in sums]:
        raise ArtifactError(file, f"it has no column {missing[0]}", remedy, key=missing[0])
    rows = pd.MultiIndex.from_frame(sums[KEYS])
    at = totals.index.get_indexer(rows)
    if (at < 0).any():
        raise ArtifactError(file, "a row is no total of the flows beside it", remedy, key=tuple(rows[at < 0][0]))
    if rows.has_duplicates:
        raise ArtifactError(file, "a total is there twice", remedy, key=tuple(rows[rows.duplicated()][0]))
    return totals.to_numpy()[at]


def add_again(sums: pd.DataFrame, flow: xr.DataArray) -> pd.DataFrame:
    """The table with the totals of flows as they are stored; an end of an interval that a total leaves goes along.

    Parameters
    ----------
    sums : ``KEYS``, ``persons`` and ends of intervals.
    flow : (year, origin, destination), persons.
    """
    persons = match_totals(sums, totals_of(flow.values, flow["year"].values, flow["origin"].values.astype(str)))
    persons = np.array([float(f"{p:.{DIGITS}g}") for p in persons])
    ends = {**{k: np.minimum(sums[k], persons) for k in LOWER if k in sums},
            **{k: np.maximum(sums[k], persons) for k in UPPER if k in sums}}
    return sums.assign(persons=persons, **ends)
