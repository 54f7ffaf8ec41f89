"""Is what reports are predicted to buy what they bought? Predicted and realised narrowing, office by office.

The predicted narrowing is that of σ, the expected absolute log error; the realised one is that of the absolute log
errors themselves, of the same reports. σ is predicted by intervals that learned nothing from the corridor or the
office, the noise of read reports by those of other offices.

- ``the office itself``: an office's reports when it was not read, and when it was. The second error is of numbers that
  were learned from, so it is smaller than a report deserves: the realised narrowing is an upper bound.
- ``its other corridors``: an office's report of a corridor when no report of that office was read, and when its other
  corridors were, but nobody's report of this one. Neither error is of anything that was learned from: it is what a
  report truly tells of what was not reported.
- ``added on the twin``: offices added to the simulated world (:mod:`humanflows.added_offices`), against the truth.

What the office at the *other end* tells is no narrowing to be predicted, but a warning (:func:`ladder`).
"""
import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy.stats import rankdata

from ..errors import SchemaError
from .interval_cells import CORRIDORS, LAST_YEARS, OFFICES, SEEN
from .interval_evaluation import fit_intervals, splits_of
from .interval_model import jittered
from .interval_variants import Sample
from .needs import ReadNoise
from .needs_terms import CHECK_COLUMNS, ELSEWHERE, ITSELF, LADDER

FEWEST = 30        # cells of an office
DRAWS = 1000


def judge_needs(cells: pd.DataFrame, sample: Sample, flow: np.ndarray, *, workers: int = 1) -> pd.DataFrame:
    """Errors and difficulty of cells, by intervals that did not learn from the cells' corridor or office.

    Parameters
    ----------
    cells : as :func:`humanflows.results.interval_cells.build_cells` makes them, with ``fold`` and ``group``; of
        offices, not of platforms.
    sample : :func:`humanflows.results.interval_evaluation.sample_of` them.
    flow : (year, origin, destination), persons, of members that read everything.

    Returns
    -------
    DataFrame like the cells that could be judged, in their order, with ``log_error``, ``log_error_read`` (of the
    members that read the report) and ``sigma``; median errors, where learned, are taken off ``log_error``.

    Raises
    ------
    SchemaError
        When there are too few corridors and offices.
    """
    def one(train, test):
        of_office = (cells["kind"].to_numpy()[test] == OFFICES).all()
        return fit_intervals(sample.take(train), with_location=not of_office).trees_.predict(sample.features[test])

    every = [(a, b) for a, b in splits_of(cells) if len(np.unique(sample.cluster[a])) > 1]
    if not every:
        raise SchemaError("needs", f"{len(cells)} cells, of too few corridors and offices to judge any by others",
                          "train members of a larger world")
    found = Parallel(n_jobs=workers)(delayed(one)(a, b) for a, b in every)
    at = np.concatenate([np.flatnonzero(b) for _, b in every])
    middle, sigma = (np.concatenate([f[k] for f in found]) for k in range(2))
    said = jittered(sample.observed)
    read = np.log1p(flow[tuple(cells[k].to_numpy() for k in ("year", "origin", "destination"))].astype(np.float64))
    return cells.iloc[at].assign(log_error=(said - np.log1p(sample.estimate))[at] - middle,
                                 log_error_read=(said - read)[at], estimate_read=np.expm1(read)[at],
                                 sigma=sigma).sort_index()


def office_itself(judged: pd.DataFrame) -> pd.DataFrame:
    """An office's reports when it was not read, and when it was.

    Parameters
    ----------
    judged : of :func:`judge_needs`.

    Returns
    -------
    DataFrame with ``CHECK_COLUMNS``, a row for each office and side; offices with fewer than ``FEWEST`` cells are left
    out.
    """
    own = judged[judged["kind"] == OFFICES]
    office, then = own["reporter"].to_numpy().astype(str), np.full(len(own), np.nan)
    for name in np.unique(office):
        rest = office != name
        if rest.any():
            noise = ReadNoise(own["log_error_read"].to_numpy()[rest], own["estimate_read"].to_numpy()[rest])
            then[~rest] = np.minimum(noise.sigma(own["estimate"].to_numpy()[~rest]), own["sigma"].to_numpy()[~rest])
    return _by_office(ITSELF, own, own["sigma"] - then, own["log_error"], own["log_error_read"])


def its_other_corridors(judged: pd.DataFrame) -> pd.DataFrame:
    """An office's reports when none of it was read, and when its other corridors were; columns as before."""
    unread, own = _pairs(judged)
    return _by_office(ELSEWHERE, unread, unread["sigma"].to_numpy() - own["sigma"].to_numpy(), unread["log_error"],
                      own["log_error"])


def _pairs(judged: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The same reports with their office not read, and with nobody's report of the corridor read."""
    corridors = judged[judged["kind"] == CORRIDORS].drop_duplicates("observation").set_index("observation")
    unread = judged[(judged["kind"] == OFFICES) & judged["observation"].isin(corridors.index)]
    return unread, corridors.loc[unread["observation"]]


def _by_office(check: str, cells: pd.DataFrame, predicted, before, after) -> pd.DataFrame:
    table = pd.DataFrame({"office": cells["reporter"].to_numpy().astype(str),
                          "side": np.where(cells["side"].to_numpy() == "immigration", "arrivals", "departures"),
                          "predicted": np.asarray(predicted), "error_before": np.abs(np.asarray(before)),
                          "error_after": np.abs(np.asarray(after))}).dropna()
    out = table.groupby(["office", "side"], as_index=False).agg(
        n=("predicted", "size"), predicted=("predicted", "mean"), error_before=("error_before", "mean"),
        error_after=("error_after", "mean"))
    out = out[out["n"] >= FEWEST].assign(check=check, realised=lambda x: x["error_before"] - x["error_after"])
    return out.reset_index(drop=True)[list(CHECK_COLUMNS)]


def rank_agreement(table: pd.DataFrame, *, draws: int = DRAWS, seed: int = 0) -> dict[str, float]:
    """Do offices that were predicted to tell most tell most? Spearman's rank correlation, with whole offices drawn.

    Parameters
    ----------
    table : rows of one check; ``CHECK_COLUMNS``.

    Returns
    -------
    dict: ``offices`` (rows may be more: two sides), ``rho`` with the 95% percentile interval ``lower``, ``upper`` of
    drawing offices with replacement, and ``predicted``, ``realised``, means over rows. NaN with fewer than five
    offices.
    """
    offices = table["office"].unique()
    out = {"offices": len(offices), "rho": np.nan, "lower": np.nan, "upper": np.nan,
           **{k: float(table[k].mean()) for k in ("predicted", "realised")}}
    if len(offices) < 5:
        return out
    pairs = table[["predicted", "realised"]].to_numpy(dtype=np.float64)
    rows, rng = [np.flatnonzero(table["office"].to_numpy() == k) for k in offices], np.random.default_rng([seed, 19])
    found = [_spearman(pairs[np.concatenate([rows[k] for k in rng.integers(len(rows), size=len(rows))])])
             for _ in range(draws)]
    lower, upper = np.nanquantile(found, [0.025, 0.975])
    return out | {"rho": _spearman(pairs), "lower": float(lower), "upper": float(upper)}


def _spearman(pairs: np.ndarray) -> float:
    ranks = np.apply_along_axis(rankdata, 0, pairs)
    ranks -= ranks.mean(0)
    power = np.sqrt((ranks**2).sum(0).prod())
    return float(ranks.prod(1).sum() / power) if power > 0 else float("nan")


def ladder(judged: pd.DataFrame) -> pd.DataFrame:
    """How well an office's report is told by what was read instead of it: mean absolute log errors, rung by rung.

    Rungs are of ``LADDER``. ``error`` is the mean over offices of their mean absolute log error; reports differ from
    rung to rung, so beside it stands ``error_read``, that of the same reports when they were read, and
    ``error_corridor``, where they were judged so, that of the same reports when only this corridor's were not.

    Parameters
    ----------
    judged : of :func:`judge_needs`.

    Returns
    -------
    DataFrame: rung, n, offices, error, error_read, error_corridor.
    """
    kind, seen = judged["kind"].to_numpy(), judged["seen"].to_numpy()
    unread = kind == OFFICES
    rungs = dict(zip(LADDER, (unread & (seen >= SEEN.index("C other corridors")), unread & (seen == 0),
                              (kind == CORRIDORS) & (seen == SEEN.index("C other corridors")),
                              (kind == LAST_YEARS) & (seen == SEEN.index("B other years")))))
    corridor = judged[kind == CORRIDORS].drop_duplicates("observation").set_index("observation")["log_error"].abs()
    table = pd.DataFrame({"office": judged["reporter"].to_numpy(), "error": judged["log_error"].abs().to_numpy(),
                          "error_read": judged["log_error_read"].abs().to_numpy(),
                          "error_corridor": corridor.reindex(judged["observation"]).to_numpy()})
    rungs[LADDER[-1]] = unread
    rows = []
    for name, chosen in rungs.items():
        part = table[chosen]
        if name == LADDER[-1]:
            part = part.assign(error=part["error_read"])
        if len(part):
            by = part.groupby("office")[["error", "error_read", "error_corridor"]].mean()
            rows.append({"rung": name, "n": len(part), "offices": len(by), **by.mean().to_dict()})
    return pd.DataFrame(rows, columns=["rung", "n", "offices", "error", "error_read", "error_corridor"])
