"""What data can and cannot tell: the equations that stocks and reported flows put on moves, and what they leave open.

The unknowns of one year (or period) are the moves ``T[birthplace i, origin j, destination k]``, j ≠ k: N²(N − 1) of
them. Two stock tables with births and deaths say, for every birthplace and residence, by how much arrivals exceed
departures. For one birthplace these are the node equations of a network flow on N places, of rank N − 1 (they sum to
zero); what they leave open is its circulations, of dimension (N − 1)² [1]_. Net migration is a sum of these equations
and says nothing new. A reported flow adds one equation for all birthplaces together.

So from stocks alone, moves that close a circle cannot be seen: natives of a who leave for b while as many return from
b; people born in i who exchange j for k while as many do the reverse; rounds through three places. Adding such moves to
a world leaves every stock, every population and all net migration as they were. Every number that a method gives for
them comes from what it assumes.

References
----------
.. [1] Ahuja, Magnanti & Orlin (1993), Network Flows, ch. 11: the node–arc incidence matrix of a connected network with
   n nodes has rank n − 1.
"""
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from scipy import sparse
from scipy.optimize import linprog

from ..errors import InputError, SchemaError


def moves_of(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Birthplace, origin and destination of every unknown, in the order of the columns below: arrays (n²(n − 1),)."""
    i, j, k = np.indices((n, n, n)).reshape(3, -1)
    away = j != k
    return i[away], j[away], k[away]


def stock_equations(n: int) -> sparse.csr_array:
    """Arrivals − departures of each cell (birthplace, residence), row i·n + residence: matrix (n², n²(n − 1))."""
    i, j, k = moves_of(n)
    column = np.arange(len(i))
    ones = np.ones(len(i))
    return sparse.csr_array((np.concatenate([ones, -ones]), (np.concatenate([i * n + k, i * n + j]),
                                                             np.concatenate([column, column]))), (n * n, len(i)))


def flow_equations(n: int, corridors: Iterable[tuple[int, int]]) -> sparse.csr_array:
    """Flow of each corridor (origin, destination), summed over birthplaces: matrix (corridor, n²(n − 1)).

    Raises
    ------
    InputError
        For a corridor outside the n places or from a place to itself.
    """
    _, j, k = moves_of(n)
    row_of = np.full((n, n), -1)
    for row, (a, b) in enumerate(corridors := list(corridors)):
        if not (0 <= a < n and 0 <= b < n and a != b):
            raise InputError("corridors", f"({a}, {b}) is no corridor among {n} places",
                             "give positions of two different places", key=(a, b))
        row_of[a, b] = row
    row = row_of[j, k]
    told = np.flatnonzero(row >= 0)
    return sparse.csr_array((np.ones(len(told)), (row[told], told)), (len(corridors), len(j)))


def count_unknowns(n: int, corridors: Sequence[tuple[int, int]] = ()) -> dict[str, int]:
    """Unknown moves, equations, their rank, and the dimension of what they leave open.

    Parameters
    ----------
    n : places.
    corridors : whose flow is reported exactly, beside two exact stock tables, births and deaths.
    """
    rows = sparse.vstack([stock_equations(n), flow_equations(n, corridors)]).tocsr()
    # The rank of A is that of A Aᵀ, which is small; entries are integers, so that a rank is not a matter of taste.
    values = np.linalg.eigvalsh((rows @ rows.T).toarray())
    rank = int((values > 1e-8 * max(values.max(), 1)).sum())
    return {"unknowns": rows.shape[1], "equations": rows.shape[0], "rank": rank, "open": rows.shape[1] - rank}


def reported_corridors(n: int, reporters: Iterable[int], sides: Sequence[str] = ("immigration", "emigration")):
    """Corridors (origin, destination) that offices report: into each reporter, out of it, or both."""
    into = {(a, r) for r in reporters for a in range(n) if a != r} if "immigration" in sides else set()
    out = {(r, b) for r in reporters for b in range(n) if b != r} if "emigration" in sides else set()
    return sorted(into | out)


def bound_flow(start: np.ndarray, end: np.ndarray, births: np.ndarray, deaths: np.ndarray, corridor: tuple[int, int],
               *, reported: dict[tuple[int, int], float] | None = None, most_moves: float | None = None) -> tuple:
    """Smallest and largest flow of a corridor that two exact stock tables allow, each person moving at most once.

    Parameters
    ----------
    start, end : persons by (birthplace, residence), natives on the diagonal.
    births : (residence,), counted as natives at the end.
    deaths : (birthplace, residence).
    corridor : positions of origin and destination.
    reported : exact flows of other corridors, by positions.
    most_moves : of everybody together, an upper bound from outside.

    Returns
    -------
    (lower, upper), persons.

    Raises
    ------
    SchemaError
        For tables that do not fit together.
    InputError
        When no moves at all meet the tables.
    """
    start, end, births, deaths = (np.asarray(x, dtype=np.float64) for x in (start, end, births, deaths))
    n = len(start)
    if start.shape != (n, n) or end.shape != (n, n) or deaths.shape != (n, n) or births.shape != (n,):
        raise SchemaError("identification", "tables of different sizes", "give stocks and deaths by birthplace and "
                          "residence, births by residence")
    gain = end - start + deaths - np.diag(births)
    survivors = np.maximum(start - deaths, 0.0)
    goal = flow_equations(n, [corridor])
    if reported or most_moves is not None:
        return _bounds(_coupled(n, gain, survivors, reported or {}, most_moves), goal.toarray()[0], corridor)
    # Nothing couples the birthplaces: bound the flow of each by itself, which is much faster, and add up.
    nodes, column = stock_equations(n), np.arange(n * (n - 1))
    of = column // (n - 1)                                  # origin of each move of one birthplace
    leaving = sparse.csr_array((np.ones(len(column)), (of, column)), (n, len(column)))
    one = nodes[:n, :len(column)], goal[:, :len(column)].toarray()[0]
    ends = [_bounds((leaving, survivors[i], one[0], gain[i]), one[1], corridor) for i in range(n)]
    return tuple(float(x) for x in np.sum(ends, axis=0))


def _coupled(n, gain, survivors, reported, most_moves):
    """Constraints of all birthplaces together: at most, and equal."""
    i, j, _ = moves_of(n)
    rows, most = [sparse.csr_array((np.ones(len(i)), (i * n + j, np.arange(len(i)))), (n * n, len(i)))], [survivors]
    if most_moves is not None:
        rows.append(sparse.csr_array(np.ones((1, len(i)))))
        most.append(np.array([most_moves]))
    equal = sparse.vstack([stock_equations(n), flow_equations(n, reported)])
    return (sparse.vstack(rows), np.concatenate([m.ravel() for m in most]), equal,
            np.concatenate([gain.ravel(), list(reported.values())]))


def _bounds(constraints, goal, corridor) -> tuple[float, float]:
    a_ub, b_ub, a_eq, b_eq = constraints
    ends = []
    for sign in (1, -1):
        found = linprog(sign * goal, A_ub=a_ub, b_ub=b_ub, A_eq=a_eq, b_eq=b_eq, bounds=(0, None), method="highs")
        if found.status != 0:
            raise InputError("identification", f"no moves meet these tables ({found.message.strip()})",
                             "check that stocks, births and deaths balance", key=str(corridor))
        ends.append(abs(float(found.fun)))
    return ends[0], ends[1]


def add_circular_moves(truth: xr.Dataset, origin: str, destination: str, persons: float) -> xr.Dataset:
    """The same world with more coming and going: each year, natives leave for ``destination`` and as many return.

    Every stock, population, birth, death and all net migration stay as they are; only ``flow`` and
    ``flow_by_birthplace`` of the corridor and of its reverse grow, by ``persons`` a year.

    Raises
    ------
    InputError
        For an unknown territory, or fewer than no persons.
    """
    for code in (origin, destination):
        if code not in truth["origin"].values:
            raise InputError("truth", f"no territory {code!r}", "use one of the world's codes", key=code)
    if persons < 0 or origin == destination:
        raise InputError("truth", f"{persons} persons between {origin} and {destination}",
                         "give a positive number and two territories", key=f"{origin}-{destination}")
    changed = truth.copy(deep=True)
    for a, b in ((origin, destination), (destination, origin)):
        changed["flow"].loc[{"origin": a, "destination": b}] += type(truth.flow.values.flat[0])(persons)
        changed["flow_by_birthplace"].loc[{"birthplace": origin, "origin": a, "destination": b}] += \
            type(truth.flow.values.flat[0])(persons)
    return changed


def invisible_moves(truth: xr.Dataset, year: int) -> pd.DataFrame:
    """How much of a year's moves of each birthplace closes circles, and so leaves no trace in any stock.

    The fewest moves that explain a birthplace's changes of stock are the people who have to arrive somewhere: half the
    sum of |arrivals − departures| over places. All other moves are circles.

    Returns
    -------
    DataFrame indexed by birthplace: ``moves``, ``needed`` by the stocks, ``invisible`` = moves − needed, persons.
    """
    moves = truth["flow_by_birthplace"].sel(year=year).transpose("birthplace", "origin", "destination").values
    gain = moves.sum(1).astype(np.float64) - moves.sum(2)
    needed = np.abs(gain).sum(1) / 2
    total = moves.sum((1, 2)).astype(np.float64)
    return pd.DataFrame({"moves": total, "needed": needed, "invisible": total - needed},
                        index=pd.Index(truth["birthplace"].values.astype(str), name="birthplace"))
