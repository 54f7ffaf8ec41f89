"""Iterative proportional fitting, for one table or for a batch of them at once.

A table keeps the odds ratios of its seed and takes on given margins: ``fitted[i, j] = a[i] * seed[i, j] * b[j]``
(Deming & Stephan 1940, doi:10.1214/aoms/1177731829). A zero of the seed stays zero. Margins that the zeros make
impossible are never met: that is found out and said, with the names of the tables, and never passed over.
"""
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import InputError

EVERY = 25          # after the first cycles the stopping rule, which costs more than a cycle, is tested this often
FIRST_CYCLES = 50
STANDSTILL = 1e-14


class NotConvergedError(InputError):
    """Proportional fitting ended with margins that are not met."""


@dataclass(frozen=True)
class Convergence:
    """How a fit ended, table by table.

    ``iterations`` full cycles; ``change`` largest change of a cell in the last cycle, persons; ``margin_error`` largest
    distance of a margin from its target, as a share of the target (of the table's total where the target is zero).
    """

    iterations: np.ndarray
    change: np.ndarray
    margin_error: np.ndarray
    tolerance: float
    margin_tolerance: float

    @property
    def failed(self) -> np.ndarray:
        """Positions of the tables whose margins are not met."""
        return np.flatnonzero(~(self.margin_error <= self.margin_tolerance))


def fit_margins(seed: np.ndarray, rows: np.ndarray, columns: np.ndarray, *, tolerance: float = 1e-3,
                margin_tolerance: float = 2e-5, max_iterations: int = 50_000, names: Sequence[str] | None = None,
                what: str = "table") -> tuple[np.ndarray, Convergence]:
    """Fit tables to row and column totals; rows first in each cycle, so that columns are met exactly.

    Parameters
    ----------
    seed : (table, row, column), or (row, column) for a single table or one seed for all; not negative.
    rows : (table, row) or (row,), targets, persons.
    columns : (table, column) or (column,), targets, persons.
    tolerance : a table is finished when no cell changes by more than this (persons) in a cycle, and
    margin_tolerance : no margin is off by more than this share of its target: where nearly all weight lies in a few
        cells, changes become small long before margins are met.
    max_iterations : cycles after which a table is given up.
    names : of the tables, for the error.
    what : what is fitted, for the error.

    Returns
    -------
    Fitted tables, in the shape of the widest argument, and how the fit ended. The stopping rule is tested after each of
    the first 50 cycles and after every 25th from there on.

    Raises
    ------
    NotConvergedError
        Naming the tables whose rows and columns have different totals, before anything is fitted; or those whose
        margins are not met in the end, with the worst of them.
    InputError
        For negative or missing numbers.
    """
    for name, values in (("seed", seed), ("row target", rows), ("column target", columns)):
        if not np.all(np.isfinite(values)) or np.min(values, initial=0) < 0:
            raise InputError(what, f"a {name} is negative or missing", "repair the input before fitting")
    single = np.ndim(seed) == 2 and np.ndim(rows) == 1 and np.ndim(columns) == 1
    rows, columns = np.atleast_2d(np.asarray(rows, float)), np.atleast_2d(np.asarray(columns, float))
    number = max(len(rows), len(columns), 1 if np.ndim(seed) == 2 else len(seed))
    seed = np.broadcast_to(np.asarray(seed, float), (number, rows.shape[1], columns.shape[1]))
    rows, columns = (np.broadcast_to(v, (number, v.shape[1])) for v in (rows, columns))
    _check_totals(rows.sum(1), columns.sum(1), margin_tolerance, names, what)
    fitted = np.empty(seed.shape)
    iterations, change = np.zeros(number, int), np.full(number, np.inf)
    active, a, b = np.arange(number), np.ones(rows.shape), np.ones(columns.shape)
    part, target_rows, target_columns = seed, rows, columns
    for cycle in range(1, max_iterations + 1):
        a_before, b_before = a, b
        a = _ratio(target_rows, (part @ b[:, :, None])[:, :, 0])
        b = _ratio(target_columns, (a[:, None, :] @ part)[:, 0, :])
        if cycle > FIRST_CYCLES and cycle % EVERY and cycle < max_iterations:
            continue
        table = a[:, :, None] * part * b[:, None, :]
        moved = np.abs(table - a_before[:, :, None] * part * b_before[:, None, :]).max((1, 2), initial=0)
        met = _margin_error(table, target_rows, target_columns) <= margin_tolerance
        still = moved <= STANDSTILL * table.max((1, 2), initial=0)        # it will not get any better
        done = (moved <= tolerance) & met | still | (cycle == max_iterations)
        if not done.any():
            continue
        fitted[active[done]], iterations[active[done]], change[active[done]] = table[done], cycle, moved[done]
        active, keep = active[~done], ~done
        if not len(active):
            break
        part, target_rows, target_columns, a, b = (v[keep] for v in (part, target_rows, target_columns, a, b))
    ended = Convergence(iterations, change, _margin_error(fitted, rows, columns), tolerance, margin_tolerance)
    if len(ended.failed):
        raise NotConvergedError(
            what, f"proportional fitting does not meet the margins of {len(ended.failed)} of {number} tables "
            f"(worst {np.nanmax(ended.margin_error):.2g} of the target after {iterations.max()} cycles)",
            "the zeros of the table contradict its margins, or max_iterations is too small: see which territory has "
            "no migrants where its total has to change", key=_listed(ended.failed, names))
    return (fitted[0] if single else fitted), ended


def _check_totals(rows: np.ndarray, columns: np.ndarray, tolerance: float, names, what: str) -> None:
    """Refuse tables (table,) whose rows and columns add up to different numbers: no table has both."""
    gap = np.abs(rows - columns)
    differ = np.flatnonzero(gap > tolerance * np.maximum(rows, columns))
    if len(differ):
        worst = differ[np.argmax(gap[differ])]
        raise NotConvergedError(
            what, f"the totals of rows and columns differ in {len(differ)} of {len(rows)} tables (worst "
            f"{rows[worst]:.10g} and {columns[worst]:.10g})",
            "scale the rows or the columns, so that both add up to the same number", key=_listed(differ, names))


def _ratio(target: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Target over present; zero where nothing is there to be scaled."""
    return np.divide(target, present, out=np.zeros(target.shape), where=present > 0)


def _margin_error(table: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Largest relative distance of a margin from its target, by table."""
    total = np.maximum(rows.sum(1), columns.sum(1))[:, None]
    worst = np.zeros(len(table))
    for target, axis in ((rows, 2), (columns, 1)):
        scale = np.where(target > 0, target, np.where(total > 0, total, 1.0))
        worst = np.maximum(worst, (np.abs(table.sum(axis) - target) / scale).max(1, initial=0))
    return worst


def _listed(positions: np.ndarray, names: Sequence[str] | None, most: int = 8) -> str:
    shown = [str(names[p]) if names is not None else f"table {p}" for p in positions[:most]]
    return ", ".join(shown) + (f" and {len(positions) - most} more" if len(positions) > most else "")
