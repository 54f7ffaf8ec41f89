"""What is left to correct: one scale a class of evidence, and what it would break.

A scale s stretches the deviations of a flow's draws from their mean, on log(1 + x), by one factor for all corridors of
a class: draws that are right have s = 1. It is found where the CRPS of held-out reports is least, or where 80 and 95%
intervals hold nearest to what they promise, with the same errors of reports whatever s; and shrunk to 1 as a normal
prior of log s with a deviation of ``PRIOR`` would [1]_.

What is done with it is another matter. Stretched corridor by corridor (:func:`stretch_draws`), a draw no longer obeys
the accounts: arrivals less departures are not its net migration, and stocks do not follow from flows
(:func:`broken_accounts` says by how much). One factor for everything (:func:`stretch_all`), in persons and not in logs,
keeps every identity that is linear, but asks for flows below zero where s > 1. The scale is therefore meant to be fed
back as a factor of the errors that draws are perturbed by, and measured again.

References
----------
.. [1] Gelman, Carlin, Stern, Dunson, Vehtari & Rubin (2013), Bayesian Data Analysis, 3rd ed., section 2.5.
"""
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..errors import SchemaError
from ..results.bootstrap import cluster_sums, draw_weights
from .crossfit import HeldOut, require_unseen
from .ends import quantiles_of_draws
from .evidence import NAMES as EVIDENCE
from .gather import DrawnReports
from .judge import crps_fair
from .predictive import BiasPriors, ReportErrors, complete_biases, draw_reports

PRIOR = 0.2                    # standard deviation of log s before anything is measured
GRID = np.round(np.linspace(-1.4, 1.4, 29), 10)      # of log s
CRPS, COVERAGE = CRITERIA = ("crps", "coverage")
BOOTSTRAP = 400
ENDS = (0.025, 0.1, 0.9, 0.975)
REPORTS = 52                   # random reports of each cell, at least
COLUMNS = ("kind", "evidence", "criterion", "n", "corridors", "scale", "error", "shrunk", "crps", "crps_scaled",
           "cover80", "cover80_scaled", "cover95", "cover95_scaled")


@dataclass(frozen=True)
class Scale:
    """The scale of one class: as measured, the standard error of its log, and shrunk to 1; with mean CRPS, and coverage
    of 80 and 95% intervals, without it and with it (as measured). ``n`` reports of ``corridors`` corridors."""

    n: int
    corridors: int
    scale: float
    error: float
    shrunk: float
    crps: float
    crps_scaled: float
    cover80: float
    cover80_scaled: float
    cover95: float
    cover95_scaled: float


def measure_scale(log_flow, log_observed, cluster, *, report: Callable[[np.ndarray], np.ndarray] | None = None,
                  seed: int = 0, prior: float = PRIOR) -> dict[str, Scale]:
    """The factor by which deviations of draws from their mean should be stretched.

    Few draws do not know their own mean well, and would ask to be stretched though they are right: of 13 draws by about
    a sixth, by the CRPS. So one draw is set aside and taken for the truth; what it asks of the others is divided out.

    Parameters
    ----------
    log_flow : (draw, cell), log(1 + x) of flows of draws that did not see the cells' reports; three draws or more. The
        last is set aside.
    log_observed : (cell,), log(1 + x) of the reports.
    cluster : label of each cell's corridor.
    report : makes random reports (draw × times, cell) from logs of flows (draw, cell), both log(1 + x), with the same
        errors at each call (a generator seeded inside); by default the flow itself is what is reported.
    seed : of the bootstrap of whole clusters.
    prior : deviation of log s before anything is measured.

    Returns
    -------
    dict: a ``Scale`` by each of ``CRITERIA``: of least CRPS, and of 80 and 95% intervals that hold what they promise.

    Raises
    ------
    SchemaError
        For shapes that do not fit, values that are not finite, or fewer than two clusters.
    """
    log_flow, log_observed = np.asarray(log_flow, dtype=np.float64), np.asarray(log_observed, dtype=np.float64)
    names, code = np.unique(np.asarray(cluster), return_inverse=True)
    if log_flow.ndim != 2 or len(log_flow) < 3 or log_flow.shape[1:] != log_observed.shape \
            or len(code) != len(log_observed):
        raise SchemaError("calibration", f"draws {log_flow.shape}, {log_observed.shape} reports, {len(code)} clusters",
                          "give draws as (draw, cell), a report and a corridor for each cell")
    if not (np.isfinite(log_flow).all() and np.isfinite(log_observed).all()):
        raise SchemaError("calibration", "a value is not finite", "drop the cells where any is missing")
    if len(names) < 2:
        raise SchemaError("calibration", f"{len(names)} corridors", "a scale needs reports of two corridors or more")
    mean, scored = log_flow[:-1].mean(0), ([], [])
    said = log_flow if report is None else report(log_flow)
    times = len(said) // len(log_flow)
    # What the draw that is set aside would have reported, as if it were the truth.
    asides = log_observed, np.asarray(said[-times], dtype=np.float64)
    for log_scale in GRID:
        draws = np.maximum(mean + np.exp(log_scale) * (log_flow - mean), 0.0)
        draws = (draws if report is None else report(draws))[:-times]
        ends = np.maximum(quantiles_of_draws(draws, ENDS, counts=False), 0.0)
        for observed, own in zip(asides, scored):
            inside = [(ends[k] <= observed + 1e-6) & (observed <= ends[3 - k] + 1e-6) for k in (1, 0)]
            own += [crps_fair(draws, observed), *inside]
    sums, aside = (cluster_sums(code, len(names), np.ones(len(code)), *own) for own in scored)
    means = (sums[:, 1:].sum(0) / len(code)).reshape(len(GRID), 3)
    out = {}
    for criterion in CRITERIA:
        best = float((_best(sums.sum(0)[None], criterion) - _best(aside.sum(0)[None], criterion))[0])
        drawn = np.concatenate([_best(weight @ sums, criterion) - _best(weight @ aside, criterion)
                                for weight in draw_weights(len(names), BOOTSTRAP, seed)])
        error = float(drawn.std(ddof=1))
        about = [float(np.interp(at, GRID, means[:, k])) for k in range(3) for at in (0.0, best)]
        out[criterion] = Scale(len(code), len(names), float(np.exp(best)), error,
                               float(np.exp(prior**2 / (prior**2 + error**2) * best)), *about)
    return out


def _best(sums, criterion: str) -> np.ndarray:
    """Log s of least loss for each row of sums (row, 1 + scale × 3): bottom of a parabola through the three best."""
    mean = (sums[:, 1:] / np.maximum(sums[:, :1], 1e-12)).reshape(len(sums), len(GRID), 3)
    # A point at 95% says as much as one at 80% where their binomial errors are alike.
    loss = mean[..., 0] if criterion == CRPS else \
        (mean[..., 1] - 0.8) ** 2 / (0.8 * 0.2) + (mean[..., 2] - 0.95) ** 2 / (0.95 * 0.05)
    at = loss.argmin(1)
    inside = at.clip(1, len(GRID) - 2)
    rows = np.arange(len(sums))
    left, middle, right = (loss[rows, inside + k] for k in (-1, 0, 1))
    bend = left - 2 * middle + right
    shift = np.where(bend > 0, 0.5 * (left - right) / np.where(bend > 0, bend, 1.0), 0.0).clip(-1, 1)
    return np.where(at == inside, GRID[inside] + shift * (GRID[1] - GRID[0]), GRID[at])


def scales_of_reports(cells: pd.DataFrame, drawn: DrawnReports, held: HeldOut, priors: BiasPriors,
                      evidence: np.ndarray, *, seed: int, fewest: int = 200, most: int = 20_000) -> pd.DataFrame:
    """Scales of every kind of held-out reports and class of evidence, by both criteria.

    Each report is held against the draws of one member that never saw it, the first. Reports of platforms are left out.

    Parameters
    ----------
    cells, drawn, held, priors, evidence, seed : as for ``judge.judge_reports``.
    fewest : reports of a row; there is none with fewer.
    most : reports of a row, of corridors drawn by lot where there are more.

    Returns
    -------
    DataFrame with columns ``COLUMNS``; ``error`` is the standard error of log s. The evidence "all" has all classes.

    Raises
    ------
    SchemaError
        As ``judge.judge_reports``, and when members have different numbers of draws.
    """
    observation, office = cells["observation"].to_numpy(), ~cells["platform"].to_numpy()
    there = np.isin(np.arange(len(held.hidden)), drawn.member)[:, None]
    known = office & np.isfinite(priors.mean[cells["year"], cells["witness"]]) \
        & np.isfinite(drawn.spread[:, cells["year"], cells["witness"]]).all(0)
    numbers = {int((drawn.member == m).sum()) for m in np.unique(drawn.member)}
    if len(numbers) != 1:
        raise SchemaError("calibration", f"members have {sorted(numbers)} draws", "make the same number of each")
    corridor = cells["origin"].to_numpy() * 100_000 + cells["destination"].to_numpy()
    rows = []
    for kind, mask in held.kinds.items():
        require_unseen(mask, held.hidden, kind)
        judged = mask[:, observation] & there & known
        member = judged.argmax(0)
        classes = evidence[member, np.arange(len(cells))]
        for name, code in (("all", None), *((n, k) for k, n in enumerate(EVIDENCE))):
            here = np.flatnonzero(judged.any(0) & (True if code is None else classes == code))
            if len(here) > most:
                lot = np.random.default_rng([seed, 53]).random(corridor.max() + 1)[corridor[here]]
                here = here[lot <= np.quantile(lot, most / len(here))]
            if len(here) < fewest or len(np.unique(corridor[here])) < 2:
                continue
            logs, report = _reports_of(cells.iloc[here], drawn, member[here], here, priors, seed)
            found = measure_scale(logs, np.log1p(cells["observed"].to_numpy()[here]), corridor[here], report=report,
                                  seed=seed)
            rows += [{"kind": kind, "evidence": name, "criterion": c, **vars(s)} for c, s in found.items()]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _reports_of(own: pd.DataFrame, drawn: DrawnReports, member, columns, priors: BiasPriors, seed: int):
    """Logs of flows (draw, cell), each cell's of its own member, and what makes random reports of them."""
    who, at = np.unique(member, return_inverse=True)
    draws_of = np.stack([np.flatnonzero(drawn.member == m) for m in who])
    rows = draws_of[at].T                                                  # (draw, cell)
    year, witness = own["year"].to_numpy(), own["witness"].to_numpy()
    logs, lasting = np.log1p(drawn.flow[rows, columns].astype(np.float64)), drawn.lasting[rows, columns]
    times = int(np.ceil(REPORTS / len(rows)))
    rng = np.random.default_rng([seed, 59])
    biases = np.empty((len(rows) * times, len(own)), np.float32)
    for k in range(len(biases)):
        for m, position in zip(who, range(len(who))):
            mine = member == m
            table = complete_biases(drawn.log_bias[draws_of[position][k // times]], priors, rng)
            biases[k, mine] = table[year[mine], witness[mine]]
    errors = ReportErrors(drawn.spread[rows[0], year, witness], drawn.noise[rows[0], witness],
                          np.zeros(len(own), dtype=bool),
                          (witness * 100_000 + own["origin"].to_numpy()) * 100_000 + own["destination"].to_numpy())

    def report(log_flow):
        return draw_reports(np.expm1(log_flow), biases, errors, np.random.default_rng([seed, 61]), lasting=lasting,
                            times=times)

    return logs, report


def stretch_draws(flow, scale) -> np.ndarray:
    """Deviations of each flow's draws from their mean on log(1 + x), stretched; the mean in persons stays.

    Parameters
    ----------
    flow : (draw, …), persons.
    scale : above zero, one or an array like one draw.

    Returns
    -------
    float64 array like ``flow``, not negative. Each flow keeps its mean over draws; sums of flows keep theirs, and
    nothing else of the accounts.
    """
    flow, scale = np.asarray(flow, dtype=np.float64), np.asarray(scale, dtype=np.float64)
    _check_scale(flow, scale)
    logs = np.log1p(flow)
    middle = logs.mean(0)
    out = np.expm1(np.maximum(middle + scale * (logs - middle), 0.0))
    mean, new = flow.mean(0), out.mean(0)
    return np.where(new > 0, out * (mean / np.where(new > 0, new, 1.0)), flow)


def stretch_all(flow, scale: float) -> tuple[np.ndarray, float]:
    """Deviations in persons stretched by one factor for everything, which keeps every linear identity.

    Returns
    -------
    float64 array like ``flow``, with values below zero where the factor asks for them, and their share.
    """
    flow = np.asarray(flow, dtype=np.float64)
    _check_scale(flow, np.asarray(scale, dtype=np.float64))
    middle = flow.mean(0)
    out = middle + scale * (flow - middle)
    return out, float((out < 0).mean())


def _check_scale(flow, scale) -> None:
    if flow.ndim < 1 or len(flow) < 2 or not np.isfinite(flow).all() or (flow < 0).any():
        raise SchemaError("calibration", f"draws {flow.shape}, or a flow below zero or missing", "give two draws or "
                          "more of flows")
    if not (np.isfinite(scale) & (scale > 0)).all():
        raise SchemaError("calibration", "a scale is not above zero", "give factors such as 1.2")


def broken_accounts(flow, stretched, net=None) -> pd.DataFrame:
    """By how much stretched flows leave the accounts of their draws.

    Parameters
    ----------
    flow, stretched : (draw, year, origin, destination), persons: draws that obey the accounts, and what was made of
        them.
    net : (draw, year, residence), the net migration that stands beside the stretched flows, and that stocks follow
        from; by default that of ``flow``.

    Returns
    -------
    DataFrame, one row an identity: ``net migration`` (arrivals less departures of the stretched flows beside ``net``)
    and ``population`` (what these differences add up to over all years: residents that nobody accounts for). ``off``:
    root mean square of the difference, persons; ``spread``: root mean square of the draws' deviations from their mean;
    ``ratio``: the first over the second, 0 where nothing breaks. ``spread_ratio``: spread of what follows from the
    stretched flows over that of the draws.
    """
    flow, stretched = np.asarray(flow, dtype=np.float64), np.asarray(stretched, dtype=np.float64)
    if flow.ndim != 4 or flow.shape != stretched.shape:
        raise SchemaError("calibration", f"flows {flow.shape} beside {stretched.shape}", "give (draw, year, origin, "
                          "destination) of both")
    before, after = (f.sum(2) - f.sum(3) for f in (flow, stretched))
    beside = before if net is None else np.asarray(net, dtype=np.float64)
    if beside.shape != before.shape:
        raise SchemaError("calibration", f"net migration {beside.shape}", "give (draw, year, residence)", "net")

    def size(x):
        return float(np.sqrt((x**2).mean()))

    rows = []
    for name, change in (("net migration", lambda x: x), ("population", lambda x: x.sum(1))):
        wide = size(change(before - before.mean(0)))
        off = size(change(after - beside))
        rows.append({"quantity": name, "off": off, "spread": wide, "ratio": off / wide if wide else float("nan"),
                     "spread_ratio": size(change(after - after.mean(0))) / wide if wide else float("nan")})
    return pd.DataFrame(rows)
