"""How our reconstructions agree with the published ones, and what the rest of the difference is made of.

The published estimates of 2023 rest on the World Population Prospects of 2022, which we do not hold; ours rest on those
of 2024. Differencing stocks uses neither, and agrees to the person. The accounting methods reproduce net migration, so
that a new view of it moves their flows: with the net migration of the published estimates put in the place of ours, the
same code must give the published flows back, and what remains is the method's own difference.
"""
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from ..baselines.reconstruct import Period
from ..errors import InputError, SourceFileError
from ..sources.abel_cohen import NAMES, coverage
from ..sources.names import resolve_names

MERGED_NAMES = {"Sudan*": "SDN", "Serbia & Montenegro": "SRB"}


def compare_published(rows: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Agreement of two tables ``reconstruction`` on the corridors that both cover, by method and period.

    Parameters
    ----------
    rows, published : tables ``reconstruction`` of one source each; an absent pair of covered territories is zero.

    Returns
    -------
    DataFrame
        ``method, year, corridors, within_one`` (share of corridors that differ by at most one person after rounding),
        ``r`` (of persons), ``log_r`` (of log(1 + persons), all corridors), ``log_r_positive`` (of log persons, where
        both have at least one), ``total`` and ``total_published`` (persons), ``ratio``.

    Raises
    ------
    InputError
        When a table holds several sources, or nothing can be compared.
    """
    for name, table in (("rows", rows), ("published", published)):
        if table["source"].nunique() != 1:
            raise InputError(name, f"sources {sorted(table['source'].unique())}", "choose one source")
    covered = [coverage(t).groupby(["method", "year"])["territory"].agg(set) for t in (rows, published)]
    found = []
    for key in sorted(set(covered[0].index) & set(covered[1].index)):
        places = pd.Index(sorted(covered[0][key] & covered[1][key]))
        ours, theirs = (_matrix(t, key, places) for t in (rows, published))
        off = ~np.eye(len(places), dtype=bool)
        ours, theirs = ours[off], theirs[off]
        some = (ours >= 1) & (theirs >= 1)
        found.append({
            "method": key[0], "year": key[1], "corridors": int(off.sum()),
            "within_one": float((np.abs(np.round(ours) - theirs) <= 1).mean()), "r": _correlation(ours, theirs),
            "log_r": _correlation(np.log1p(ours), np.log1p(theirs)),
            "log_r_positive": _correlation(np.log(ours[some]), np.log(theirs[some])),
            "total": float(ours.sum()), "total_published": float(theirs.sum()),
            "ratio": float(ours.sum() / theirs.sum())})
    if not found:
        raise InputError("published", "no method and period in common", "reconstruct a published period")
    return pd.DataFrame(found)


def read_implied_net_migration(path: Path) -> pd.DataFrame:
    """Net migration (territory by period) implied by a published JSON file, ``inflow − outflow``, persons.

    Sudan and South Sudan, and Serbia and Montenegro, stand under SDN and SRB where the file has them as one.

    Raises
    ------
    SourceFileError
        When the file is not such a JSON.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        names, regions, matrices = content["names"], set(content["regions"]), content["matrix"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SourceFileError(path, f"not the JSON of a reconstruction ({error!r})", "fetch it again") from error
    used = [i for i in range(len(names)) if i not in regions]
    codes = resolve_names([names[i] for i in used], file=path, exceptions=NAMES)
    places = [MERGED_NAMES.get(names[i]) or codes[names[i]] for i in used]
    net = {}
    for year, matrix in matrices.items():
        flow = np.array(matrix, float)[np.ix_(used, used)]
        net[int(year)] = pd.Series(flow.sum(0) - flow.sum(1), index=places).groupby(level=0).sum()
    return pd.DataFrame(net)


def with_net_migration(period: Period, net_migration: Mapping[str, float]) -> Period:
    """The same period with other populations, such that territories have this net migration.

    Natives of both dates are moved by half of the difference each; foreign-born, births and deaths stay. Sums that a
    parted state shares with its predecessor stand under the predecessor.

    Raises
    ------
    InputError
        When a territory is not given, or its natives would become negative.
    """
    names = [str(c) for c in period.births["residence"].values]
    lacking = [c for c in names if c not in net_migration]
    if lacking:
        raise InputError("net migration", "a territory is missing", "give all territories of the period",
                         key=f"{lacking[0]}, {period.name}")
    wanted = np.array([net_migration[c] for c in names], float)
    start, end = period.repaired_start.copy(), period.repaired_end.copy()
    own = end.values.sum(0) - start.values.sum(0) - period.births.values + period.deaths.values
    i = np.arange(len(names))
    start.values[i, i] -= (wanted - own) / 2
    end.values[i, i] += (wanted - own) / 2
    for stock in (start, end):
        if (np.diag(stock.values) < 0).any():
            where = names[int(np.diag(stock.values).argmin())]
            raise InputError("net migration", "more than the population allows", "mend the number",
                             key=f"{where}, {period.name}")
    return replace(period, repaired_start=start, repaired_end=end)


def _matrix(table: pd.DataFrame, key: tuple, places: pd.Index) -> np.ndarray:
    rows = table[(table["method"] == key[0]) & (table["year"] == key[1])]
    o, d = places.get_indexer(rows["origin"]), places.get_indexer(rows["destination"])
    keep = (o >= 0) & (d >= 0)
    values = np.zeros((len(places), len(places)))
    values[o[keep], d[keep]] = rows["persons"].to_numpy()[keep]
    return values


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a, b)[0, 1]) if len(a) > 1 and a.std() > 0 and b.std() > 0 else float("nan")
