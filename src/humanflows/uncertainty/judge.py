"""Reports held against draws that never saw them: one row for each report, with where it lies among the draws.

Each report is held against two distributions, ``of`` the flow (draws as they are) and of a report (``predictive``).

Draws of few networks: the draws that never saw a held-out corridor are those of one network (of design ``crossed``).
They lack what networks differ by, which the released draws have. ``between`` is the standard deviation of the log of a
flow between networks, measured where all networks see the same (``ends.variance_between``). Draws of K networks have
(1 − 1/K) of that variance around their mean, and another network lies around it with (1 + 1/K): a normal deviation with
2/K of it is added, one for each corridor and draw.
"""
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..errors import SchemaError
from .crossfit import READ_REPORTS, HeldOut, patterns, require_unseen
from .ends import LEVELS, quantiles_of_draws
from .evidence import NAMES as EVIDENCE
from .gather import DrawnReports
from .predictive import BiasPriors, ReportErrors, complete_biases, draw_reports

REPORT, FLOW = OF = ("report", "flow")
ENOUGH = 100        # random reports of each cell, at least
FEWEST_CELLS = 10   # of a sum
COLUMNS = ("kind", "of", "cluster", "office", "trusted", "platform", "evidence", "year", "observed", "centre", "draws",
           "rank", *(f"in{round(100 * level)}" for level in LEVELS), "crps", "width80", "width95")


def crps_fair(draws, observed) -> np.ndarray:
    """Continuous ranked probability score, fair to ensembles of any size: E|X − y| − ½ E|X − X′| with the mean over
    different pairs [1]_.

    Parameters
    ----------
    draws : (draw, cell), at least two; observed : (cell,).

    Returns
    -------
    float64 (cell,), in the unit given; it may be below zero by chance.

    References
    ----------
    .. [1] Ferro (2014), Fair scores for ensemble forecasts, Quarterly Journal of the Royal Meteorological Society 140,
       1917–1923.
    """
    x, y = np.asarray(draws, dtype=np.float64), np.asarray(observed, dtype=np.float64)
    if x.ndim != 2 or len(x) < 2 or x.shape[1:] != y.shape:
        raise SchemaError("coverage", f"draws {x.shape} for {y.shape} cells", "give two draws or more as (draw, cell)")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise SchemaError("coverage", "a draw or an observation is not finite", "drop the cells where any is missing")
    number = len(x)
    weight = 2 * np.arange(1, number + 1) - number - 1
    return np.abs(x - y).mean(0) - weight @ np.sort(x, axis=0) / (number * (number - 1))


def rank_among(draws, observed, rng: np.random.Generator) -> np.ndarray:
    """Where observations lie among draws, (cell,) in (0, 1), uniform where the draws are calibrated; ties, and the
    place between two draws, are drawn by lot [1]_.

    References
    ----------
    .. [1] Czado, Gneiting & Held (2009), Predictive model assessment for count data, Biometrics 65, 1254–1261.
    """
    draws, observed = np.asarray(draws), np.asarray(observed, dtype=np.float64)
    below, same = (draws < observed).sum(0), (draws == observed).sum(0)
    return (below + rng.random(len(observed)) * (same + 1)) / (len(draws) + 1)


def place(draws, observed, rng: np.random.Generator, *, counts: bool = True) -> pd.DataFrame:
    """Where observations lie in the distribution of their draws.

    Parameters
    ----------
    draws : (draw, cell), logs of counts (log(1 + x)), or what has a sign (``counts`` False).
    observed : (cell,), the same.
    rng : for ties.

    Returns
    -------
    DataFrame: draws (number), rank (in (0, 1)), in50, in80, in95 (inside the interval, ends included), crps, width80,
    width95 (of the interval, in the unit given).
    """
    draws = np.asarray(draws)
    observed = np.asarray(observed, dtype=np.float64)
    asked = [p for level in LEVELS for p in ((1 - level) / 2, (1 + level) / 2)]
    # Logs are continued in logs, beyond the outermost draw; a count ends at zero.
    found = quantiles_of_draws(draws, asked, counts=False)
    found = np.maximum(found, 0.0) if counts else found
    out = {"draws": np.full(len(observed), len(draws)), "rank": rank_among(draws, observed, rng)}
    for k, level in enumerate(LEVELS):
        low, high = found[2 * k], found[2 * k + 1]
        out[f"in{round(100 * level)}"] = (low <= observed + 1e-6) & (observed <= high + 1e-6)
    out["crps"] = crps_fair(draws, observed)
    return pd.DataFrame({**out, "width80": found[3] - found[2], "width95": found[5] - found[4]})


@dataclass(frozen=True)
class Judged:
    """``cells``: one row for each report, kind and distribution, ``COLUMNS``. ``sums``: the same of sums of reports.
    ``left_out``: how many reports could not be judged, by reason."""

    cells: pd.DataFrame
    sums: pd.DataFrame
    left_out: Mapping[str, int]


def judge_reports(cells: pd.DataFrame, drawn: DrawnReports, held: HeldOut, priors: BiasPriors, evidence: np.ndarray, *,
                  seed: int, regions=None, between: float | np.ndarray = 0.0, read: bool = False) -> Judged:
    """Hold reports against the draws of members that never saw them.

    Parameters
    ----------
    cells : of ``crossfit.reports_to_judge``; ``year, origin, destination, witness`` are positions.
    drawn : what draws say there.
    held : what members never saw.
    priors : of biases, for what draws did not learn.
    evidence : int8 (member, cell), class of what each member knew (``evidence.classify_evidence``).
    seed : of everything random.
    regions : of each territory; sums over pairs of regions are made where it is given.
    between : standard deviation of the log of a flow between networks, one or (cell,); see the module.
    read : hold reports against draws that read them (kind ``read reports``) instead of what was held out.

    Raises
    ------
    SchemaError
        When a member is to judge what it saw, evidence has another shape, or a draw is of no member.
    """
    if evidence.shape != (len(held.hidden), len(cells)):
        raise SchemaError("coverage", f"evidence {evidence.shape} of {len(held.hidden)} members and {len(cells)} cells",
                          "give the class that each member knew of each cell", "evidence")
    members = np.unique(drawn.member)
    if (members < 0).any() or (members >= len(held.hidden)).any():
        raise SchemaError("coverage", f"draws of members {members.tolist()}, of {len(held.hidden)}", "say which member "
                          "each draw is of", "member")
    if drawn.flow.shape[1] != len(cells):
        raise SchemaError("coverage", f"draws of {drawn.flow.shape[1]} cells beside {len(cells)}", "gather them at the "
                          "same cells", "flow")
    observation = cells["observation"].to_numpy()
    there = np.isin(np.arange(len(held.hidden)), members)[:, None]
    if read:
        seen = ~held.hidden[:, observation] & there
        kinds = {READ_REPORTS: seen & (~cells["platform"].to_numpy())[None]}
    else:
        kinds = {kind: mask[:, observation] & there for kind, mask in held.kinds.items()}
        for kind, mask in kinds.items():
            require_unseen(mask, held.hidden[:, observation], kind)
    known = np.isfinite(priors.mean[cells["year"], cells["witness"]]) \
        & np.isfinite(drawn.spread[:, cells["year"], cells["witness"]]).all(0)
    wide = np.broadcast_to(np.asarray(between, dtype=np.float64), len(cells))
    parts, sums, unknown = [], [], 0
    for number, (kind, mask) in enumerate(kinds.items()):
        unknown += int((mask.any(0) & ~known).sum())
        for who, columns in patterns(mask & known):
            rng = np.random.default_rng([seed, number, *who.tolist()])
            flow, said = _distributions(cells, drawn.of_members(who, columns), priors, columns, rng, wide[columns])
            about = _about(cells.iloc[columns], kind, evidence[who][:, columns].max(0), flow)
            logs = np.log1p(cells["observed"].to_numpy()[columns])
            for of, draws in ((REPORT, said), (FLOW, flow)):
                parts.append(pd.concat([about.assign(of=of), place(draws, logs, rng)], axis=1))
        for member in np.flatnonzero(mask.any(1)) if not read else ():
            columns = np.flatnonzero(mask[member] & known)
            if len(columns):
                rng = np.random.default_rng([seed, number, member, 1])
                both = _distributions(cells, drawn.of_members([member], columns), priors, columns, rng, wide[columns])
                sums.append(_sums(cells.iloc[columns], kind, *both, regions, rng))
    return Judged(_joined(parts), _joined(sums), {"no prior of their bias, or no spread": unknown})


def _joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    parts = [p for p in parts if len(p)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))


def _distributions(cells, drawn: DrawnReports, priors, columns, rng, between) -> tuple[np.ndarray, np.ndarray]:
    """Logs of flows (draw, cell), and of random reports (draw × times, cell)."""
    own, number = cells.iloc[columns], len(drawn.flow)
    year, witness = own["year"].to_numpy(), own["witness"].to_numpy()
    logs = np.log1p(drawn.flow.astype(np.float64))
    if (between > 0).any():
        _, pair = np.unique(own["origin"].to_numpy() * 100_000 + own["destination"].to_numpy(), return_inverse=True)
        networks = len(np.unique(drawn.member))
        extra = between * np.sqrt(2 / networks)
        logs = np.maximum(logs + extra * rng.standard_normal((number, pair.max() + 1))[:, pair], 0.0)
    times = int(np.ceil(ENOUGH / number))
    biases = np.empty((number * times, len(own)), np.float32)
    for row in range(len(biases)):
        biases[row] = complete_biases(drawn.log_bias[row // times], priors, rng)[year, witness]
    series = (witness * 100_000 + own["origin"].to_numpy()) * 100_000 + own["destination"].to_numpy()
    errors = ReportErrors(drawn.spread[:, year, witness].mean(0), drawn.noise[:, witness].mean(0),
                          np.zeros(len(own), dtype=bool), series)
    spread_out = logs
    if times > 1:
        # Several reports of few draws: the mixture has the draws' variance about their own mean, which is smaller than
        # that of another draw about it by (D − 1)/(D + 1).
        spread_out = np.maximum(logs.mean(0) + np.sqrt((number + 1) / (number - 1)) * (logs - logs.mean(0)), 0.0)
    said = draw_reports(np.expm1(spread_out), biases, errors, rng, lasting=drawn.lasting, times=times)
    return logs.astype(np.float32), said


def _about(own: pd.DataFrame, kind: str, evidence, flow_logs) -> pd.DataFrame:
    # A platform's counts are no office's: they are kinds of their own.
    return pd.DataFrame({
        "kind": np.where(own["platform"].to_numpy(), f"{kind}, platform", kind),
        "cluster": (own["origin"].astype(str) + "-" + own["destination"].astype(str)).to_numpy(),
        "office": own["reporter"].to_numpy(), "trusted": own["trusted"].to_numpy(),
        "platform": own["platform"].to_numpy(), "evidence": np.asarray(EVIDENCE)[evidence],
        "year": own["year"].to_numpy(), "observed": own["observed"].to_numpy(),
        "centre": np.expm1(flow_logs.astype(np.float64)).mean(0)})


def _sums(own: pd.DataFrame, kind: str, flow_logs, said_logs, regions, rng) -> pd.DataFrame:
    """Sums of what one member never saw: of a country's corridors, of pairs of regions, of the world; sides apart."""
    keys = {"country": own["reporter"].astype(str), "world": pd.Series("world", own.index)}
    if regions is not None:
        regions = np.asarray(regions, dtype=str)
        keys["region pair"] = pd.Series(np.char.add(np.char.add(regions[own["origin"]], " to "),
                                                    regions[own["destination"]]), own.index)
    office = ~own["platform"].to_numpy()
    own, flow_logs, said_logs = own[office], flow_logs[:, office], said_logs[:, office]
    persons = {REPORT: np.expm1(said_logs.astype(np.float64)), FLOW: np.expm1(flow_logs.astype(np.float64))}
    parts = []
    for name, label in keys.items():
        label = label[office]
        group = pd.DataFrame({"label": label, "side": own["side"], "year": own["year"]})
        code, names = pd.factorize(pd.MultiIndex.from_frame(group))
        if not len(names):
            continue
        size = np.bincount(code, minlength=len(names))
        enough = size >= FEWEST_CELLS
        if not enough.any():
            continue
        observed, trusted = (np.bincount(code, own[k], len(names))[enough] for k in ("observed", "trusted"))
        added = {of: np.stack([np.bincount(code, row, len(names))[enough] for row in values])
                 for of, values in persons.items()}
        names = names[enough]
        about = pd.DataFrame({
            "kind": f"{kind}: {name}", "cluster": [f"{a} {b}" for a, b, _ in names], "office": [a for a, _, _ in names],
            "trusted": trusted == size[enough], "platform": False, "evidence": "all", "year": [y for *_, y in names],
            "observed": observed, "centre": added[FLOW].mean(0)})
        for of, values in added.items():
            parts.append(pd.concat([about.assign(of=of), place(np.log1p(values), np.log1p(observed), rng)], axis=1))
    return _joined(parts)
