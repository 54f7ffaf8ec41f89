"""Do intervals hold what they promise? One tidy table, by kind, offices, size of the flow and evidence.

``cover50, cover80, cover95`` are shares of observations between the ends, ends included. Where many counts are small
whole numbers, these exceed the promise whatever the method; ``exact80`` and ``exact95``, from ranks among draws with
ties broken by lot, are what calibrated draws owe exactly. Observations of one corridor are not independent:
``error95`` is the standard error of ``cover95`` by whole corridors (territories, for net migration), and
``error95_offices`` by whole offices, whose errors are shared by all their corridors.

Sizes are of the centre, what the draws say, which are shown before the report is known. By the size of the report, the
largest would be those that are too large by chance.
"""
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ..errors import SchemaError
from ..results.offices import ALL, TRUSTED
from .ends import LEVELS
from .evidence import NAMES as EVIDENCE

SIZES: Mapping[str, tuple[float, float]] = {
    "all": (-np.inf, np.inf), "below 100": (-np.inf, 100.0), "100 to 1 thousand": (100.0, 1e3),
    "1 to 10 thousand": (1e3, 1e4), "above 10 thousand": (1e4, np.inf), "above 50 thousand": (5e4, np.inf),
    "above 100 thousand": (1e5, np.inf)}
COLUMNS = ("kind", "of", "offices", "size", "evidence", "n", "corridors", "cover50", "cover80", "cover95", "error95",
           "crps", "factor", "factor80", "error80", "exact80", "exact95", "error95_offices")
FEWEST = 30      # observations of a row
FEWEST_CLUSTERS = 5


def clustered_error(inside, cluster) -> float:
    """Standard error of a share whose observations come in clusters: the linearised variance of a ratio [1]_.

    That is what the bootstrap of whole clusters (``results.bootstrap``) tends to with many draws.

    Parameters
    ----------
    inside : bool (observation,).
    cluster : label of each.

    Returns
    -------
    float; NaN for fewer than ``FEWEST_CLUSTERS`` clusters, of which nobody can tell.

    References
    ----------
    .. [1] Cochran (1977), Sampling Techniques, 3rd ed., Wiley, section 9A.2.
    """
    _, code = np.unique(np.asarray(cluster), return_inverse=True)
    inside = np.asarray(inside, dtype=np.float64)
    if len(inside) != len(code):
        raise SchemaError("coverage", f"{len(code)} clusters for {len(inside)} observations", "give one for each")
    number = int(code.max(initial=-1)) + 1
    if number < FEWEST_CLUSTERS:
        return float("nan")
    off = np.bincount(code, inside - inside.mean(), number)
    return float(np.sqrt(number / (number - 1) * (off**2).sum()) / len(inside))


def coverage_table(judged: pd.DataFrame, *, sizes: Mapping[str, tuple[float, float]] = SIZES,
                   fewest: int = FEWEST) -> pd.DataFrame:
    """Coverage, score and width of every kind, by offices, size and evidence.

    Parameters
    ----------
    judged : rows of ``judge.judge_reports`` or of :mod:`humanflows.uncertainty.balances`.
    sizes : by name, from and below, persons, of the centre.
    fewest : observations of a row; rows with fewer are left out.

    Returns
    -------
    DataFrame with columns ``COLUMNS``. Sizes are told of all evidence, and of each class; evidence and sizes "all" hold
    everything. ``offices``: all, or trusted ones. ``factor, factor80``: median factor between the ends, of 1 + x; NaN
    of what has a sign. ``crps``: mean, of log(1 + x), or in the unit of what has a sign.

    Raises
    ------
    SchemaError
        For a missing column, or a rank that is none.
    """
    needed = ("kind", "of", "cluster", "office", "trusted", "evidence", "centre", "rank", "in50", "in80", "in95",
              "crps", "width80", "width95")
    if missing := [k for k in needed if k not in judged]:
        raise SchemaError("coverage", f"the judged reports have no column {missing[0]}", "judge them again", missing[0])
    if len(judged) and not judged["rank"].between(0, 1).all():
        raise SchemaError("coverage", "a rank lies outside 0 to 1, or is missing", "judge the reports again", "rank")
    judged = judged.assign(signed=judged["signed"].eq(True) if "signed" in judged else False,
                           **{k: pd.factorize(judged[k])[0] for k in ("cluster", "office")})
    rows = []
    for (kind, of), own in judged.groupby(["kind", "of"], sort=False):
        for offices, here in ((ALL, own), (TRUSTED, own[own["trusted"].to_numpy(bool)])):
            for size, (low, high) in sizes.items():
                inside = here[(here["centre"] >= low) & (here["centre"] < high)]
                for evidence in ("all", *EVIDENCE):
                    chosen = inside if evidence == "all" else inside[inside["evidence"] == evidence]
                    if len(chosen) >= fewest:
                        rows.append({"kind": kind, "of": of, "offices": offices, "size": size, "evidence": evidence,
                                     **_row(chosen)})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _row(own: pd.DataFrame) -> dict:
    rank, signed = own["rank"].to_numpy(), bool(own["signed"].iloc[0])

    def exact(level):
        return float(((rank > (1 - level) / 2) & (rank <= (1 + level) / 2)).mean())

    def factor(level):
        return float("nan") if signed else float(np.exp(own[f"width{level}"].median()))

    return {"n": len(own), "corridors": own["cluster"].nunique(),
            **{f"cover{round(100 * level)}": float(own[f"in{round(100 * level)}"].mean()) for level in LEVELS},
            "error95": clustered_error(own["in95"], own["cluster"]), "crps": float(own["crps"].mean()),
            "factor": factor(95), "factor80": factor(80), "error80": clustered_error(own["in80"], own["cluster"]),
            "exact80": exact(0.8), "exact95": exact(0.95),
            "error95_offices": clustered_error(own["in95"], own["office"])}


def rank_histogram(rank, bins: int = 20) -> np.ndarray:
    """How many ranks (in (0, 1)) lie in each of so many equal bins, int64 (bin,)."""
    rank = np.asarray(rank, dtype=np.float64)
    if not ((rank >= 0) & (rank <= 1)).all():
        raise SchemaError("coverage", "a rank lies outside 0 to 1, or is missing", "judge the reports again", "rank")
    return np.bincount(np.minimum((rank * bins).astype(int), bins - 1), minlength=bins)


def within(table: pd.DataFrame, *, level: float = 0.95, points: float, where: Mapping[str, Sequence[str] | str],
           ) -> pd.DataFrame:
    """Rows of the table beside a promise: ``off``, how many points coverage is off, and ``held``, whether by fewer than
    ``points``.

    Parameters
    ----------
    table : of :func:`coverage_table`.
    level : 0.8 or 0.95.
    where : by column, the value or values that rows have.
    """
    chosen = np.ones(len(table), dtype=bool)
    for column, wanted in where.items():
        chosen &= table[column].isin([wanted] if isinstance(wanted, str) else list(wanted)).to_numpy()
    own = table[chosen]
    off = 100 * (own[f"cover{round(100 * level)}"] - level)
    return own.assign(off=off, held=off.abs() <= points)
