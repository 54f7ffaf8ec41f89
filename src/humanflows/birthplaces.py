"""How sure flows by birthplace are: the members' disagreement about shares, and what the simulated world makes of it.

Of a flow by birthplace only the corridor's total meets reports. What members of the ensemble disagree about is too
narrow, as it is for flows (``results.coverage``); by how much, is found where the truth is known: the factor at which
intervals of the twin's flows by birthplace hold the true numbers. It is found on half of the birthplaces and tried on
the other half, and the other way round.
"""
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from . import artifacts, ensemble, intervals, pipeline
from .config import Config
from .dataset.factors import Moves, mean_moves, moves_of
from .errors import ArtifactError
from .results.birthplace_ends import KINDS, SHARES_FROM, birthplace_ends, classes_of, kinds_of

MADE_BY = "humanflows intervals"
TRIED = "birthplaces.csv"
RELEASED = "birthplace_intervals.csv"
LEAST = 1.0             # persons; of fewer nothing is asked
EVERY, SOME = 8, 3      # one of so many years, and birthplaces, tells how far members disagree
FACTORS = np.geomspace(0.25, 16.0, 61)
LEVELS = {0.95: ("lower", "upper", 1.959964), 0.8: ("lower_80", "upper_80", 1.281552)}
_CODE = ("birthplaces.py", "results/birthplace_ends.py", "dataset/factors.py")


def member_moves(config: Config, panel: xr.Dataset) -> list[list[Moves]]:
    """Moves of every member that saw everything, float32: years in order, in each the members.

    A loaded member takes far more memory than its moves, so that one is loaded after the other.
    """
    settings = {k: v for k, v in config.as_dict().items() if k != "profile"}
    own = ensemble.ensemble_config(config.profile, design="whole", settings=settings)
    years: list[list[Moves]] = []
    for k in ensemble.list_members(own):
        model = ensemble.load_member(config.profile, k, panel, own).model
        for t, moves in enumerate(moves_of(model)):
            if k == 1:
                years.append([])
            years[t].append(Moves(*(x.astype(np.float32) for x in moves)))
    return years


def as_float(members: Iterable[Moves]) -> list[Moves]:
    """Moves in double precision."""
    return [Moves(*(x.astype(np.float64) for x in m)) for m in members]


def born_in(moves: Moves, birthplace: int) -> np.ndarray:
    """Persons born in one place [origin, destination] of one year's moves."""
    meet = moves.presence.T @ moves.leaning
    out = np.divide(moves.onward, meet, out=np.zeros_like(moves.onward), where=meet > 0) * np.outer(
        moves.presence[birthplace], moves.leaning[birthplace])
    out[birthplace], out[:, birthplace] = moves.native[birthplace], moves.back[:, birthplace]
    return out


def measure_spread(years: Sequence[Sequence[Moves]], *, every: int = EVERY, some: int = SOME) -> pd.DataFrame:
    """How far members disagree about the shares of birthplaces.

    Parameters
    ----------
    years : moves of all members, by year; at least two members.
    every, some : one of so many years and birthplaces is looked at.

    Returns
    -------
    DataFrame: ``kind``, ``share_from``, ``n`` flows of ``LEAST`` persons or more, and ``members_spread``, the root mean
    square over them of the members' standard deviation of log(1 + persons), with the corridor's flow held at its mean.
    A class that nobody is in has that of the next larger share, or of the next smaller one.
    """
    square, number = np.zeros((len(KINDS), len(SHARES_FROM))), np.zeros((len(KINDS), len(SHARES_FROM)))
    for members in years[::every]:
        members = as_float(members)
        flows = [m.native + m.back + m.onward for m in members]
        flow, n = np.mean(flows, axis=0), len(members[0].native)
        at = np.arange(n)
        for b in range(0, n, some):
            persons = np.stack([flow * np.divide(born_in(m, b), f, out=np.zeros_like(f), where=f > 0)
                                for m, f in zip(members, flows)])
            middle = persons.mean(0)
            chosen = middle >= LEAST
            kind = kinds_of(b, at[:, None], at[None])[chosen]
            cell = kind, classes_of(middle[chosen], flow[chosen])
            np.add.at(square, cell, np.log1p(persons[:, chosen]).var(0, ddof=1))
            np.add.at(number, cell, 1)
    with np.errstate(invalid="ignore"):
        spread = pd.DataFrame(np.sqrt(square / number)).bfill(axis=1).ffill(axis=1).fillna(0.0)
    return pd.DataFrame([{"kind": kind, "share_from": share, "n": int(number[k, c]),
                          "members_spread": float(spread.iloc[k, c])}
                         for k, kind in enumerate(KINDS) for c, share in enumerate(SHARES_FROM)])


def spread_array(table: pd.DataFrame, column: str) -> np.ndarray:
    """A column of :func:`measure_spread`'s table as (kind, share class)."""
    return table.set_index(["kind", "share_from"])[column].reindex(
        pd.MultiIndex.from_product([KINDS, SHARES_FROM])).to_numpy().reshape(len(KINDS), len(SHARES_FROM))


def try_on_truth(years: Sequence[Sequence[Moves]], truth: np.ndarray, bounds: Mapping[str, np.ndarray],
                 spread: np.ndarray) -> pd.DataFrame:
    """By what factor the members' disagreement has to be taken, and what intervals then hold of the truth.

    Parameters
    ----------
    years : moves of all members, by year.
    truth : persons (year, birthplace, origin, destination).
    bounds : ends of the corridors' intervals (year, origin, destination), by the names in ``LEVELS``.
    spread : (kind, share class), see :func:`measure_spread`.

    Returns
    -------
    DataFrame, a row for each kind: ``factor``, the smallest of ``FACTORS`` at which 95% intervals hold 95% of the
    flows of ``LEAST`` persons or more, estimated or true (the largest where none does); ``n``; ``coverage_80`` and
    ``coverage_95``, each birthplace with the factor that the other half of them gives.
    """
    parts = []
    for t, members in enumerate(years):
        moves = mean_moves(as_float(members))
        flow, n = moves.native + moves.back + moves.onward, len(moves.native)
        at = np.arange(n)
        for b in range(n):
            persons, true = born_in(moves, b), truth[t, b]
            o, d = np.nonzero((np.maximum(persons, true) >= LEAST) & ~np.eye(n, dtype=bool))
            kind = kinds_of(b, at[o], at[d])
            parts.append(pd.DataFrame({
                "kind": kind, "half": b % 2, "persons": persons[o, d], "flow": flow[o, d], "true": true[o, d],
                "spread": spread[kind, classes_of(persons[o, d], flow[o, d])],
                **{k: bounds[k][t, o, d] for level in LEVELS.values() for k in level[:2]}}))
    cells, rows = pd.concat(parts, ignore_index=True), []
    for k, kind in enumerate(KINDS):
        own = cells[cells["kind"] == k]
        by_half = {half: _factor(own[own["half"] != half]) for half in (0, 1)}
        held = {level: np.concatenate([_holds(own[own["half"] == half], factor, level)
                                       for half, factor in by_half.items()]).mean() if len(own) else np.nan
                for level in LEVELS}
        rows.append({"kind": kind, "factor": _factor(own), "n": len(own), "coverage_80": held[0.8],
                     "coverage_95": held[0.95]})
    return pd.DataFrame(rows)


def _holds(cells: pd.DataFrame, factor: float, level: float) -> np.ndarray:
    low, high, end = LEVELS[level]
    lower, upper = birthplace_ends(cells["persons"], cells["flow"], cells[low], cells[high],
                                   factor * cells["spread"], end)
    return (np.floor(lower) <= cells["true"]) & (cells["true"] <= np.ceil(upper))      # whole persons


def _factor(cells: pd.DataFrame) -> float:
    if cells.empty:
        return float(FACTORS[-1])
    low, high = 0, len(FACTORS) - 1      # what intervals hold rises with the factor
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if _holds(cells, FACTORS[middle], 0.95).mean() >= 0.95 else (middle + 1, high)
    return float(FACTORS[low])


def keep_tried(settings: Mapping | None = None) -> Path:
    """What the default twin says, kept while fresh: ``birthplaces.csv`` beside its intervals.

    Raises
    ------
    ArtifactError
        When the twin's ensemble or intervals are missing.
    """
    config = ensemble.ensemble_config("twin", design="whole", settings=settings)
    bounds = artifacts.require(intervals.folder("twin") / "flow_bounds.nc", f"{MADE_BY} --profile twin")
    files = [artifacts.require(ensemble.member_folder("twin", k) / ensemble.WEIGHTS, ensemble.MADE_BY)
             for k in ensemble.list_members(config)]
    target = intervals.folder("twin") / TRIED
    inputs = {"members": [artifacts.sha256(f) for f in files], "bounds": artifacts.sha256(bounds),
              "code": artifacts.code_digest(*_CODE)}
    if artifacts.is_fresh(target, inputs):
        return target
    started, panel = time.perf_counter(), pipeline.open_panel(config)
    years = member_moves(config, panel)
    ends = xr.load_dataset(bounds, engine="netcdf4")
    truth = pipeline.simulate_twin(config).truth["flow_by_birthplace"].transpose(
        "year", "birthplace", "origin", "destination").values
    spread = spread_array(measure_spread(years, some=1), "members_spread")
    table = try_on_truth(years, truth, {k: ends[f"flow_{k}"].transpose("year", "origin", "destination").values
                                        for level in LEVELS.values() for k in level[:2]}, spread)
    artifacts.write_text(target, table.to_csv(index=False, float_format="%.5g"))
    artifacts.write_manifest(target, made_by=MADE_BY, inputs=inputs, profile="twin", seed=config.seed,
                             seconds=round(time.perf_counter() - started, 1))
    return target


def released_table(years: Sequence[Sequence[Moves]], release: Path) -> pd.DataFrame:
    """What a release says of shares of birthplaces: the members' disagreement, and the twin's factor.

    Parameters
    ----------
    years : moves of the members behind the estimates.
    release : folder of a release, whose factors are kept where the twin has not been asked here.

    Returns
    -------
    DataFrame: columns of :func:`measure_spread` and ``factor``, ``spread``, their product, ``twin_n``,
    ``twin_coverage_80``, ``twin_coverage_95``.

    Raises
    ------
    ArtifactError
        When neither the twin nor the release has factors.
    """
    table = measure_spread(years)
    own = intervals.folder("twin") / TRIED
    names = {"n": "twin_n", "coverage_80": "twin_coverage_80", "coverage_95": "twin_coverage_95"}
    if own.is_file():
        tried = pd.read_csv(own).rename(columns=names)
    elif (release / RELEASED).is_file():
        tried = pd.read_csv(release / RELEASED)[["kind", "factor", *names.values()]].drop_duplicates()
    else:
        raise ArtifactError(own, "the simulated world has not said how sure shares of birthplaces are",
                            f"run {ensemble.MADE_BY} (designs crossed, blind, whole) and {MADE_BY}, all for the twin")
    table = table.merge(tried, on="kind", how="left", validate="many_to_one")
    return table.assign(spread=table["members_spread"] * table["factor"])


