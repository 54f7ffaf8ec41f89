"""Which office next? A greedy sequence of offices, each the most telling after those before it.

After an office is chosen its report is made up from every draw in turn, with drawn errors, and all that is not known of
flows, totals and reports of others is what is left of it (``update.posterior_errors``); the next office is chosen on
that. Greedy choices are within 1 − 1/e of the best set where gains diminish [1]_, as they nearly do here: what offices
tell of the same corridors is not counted twice. For the same reason later offices are looked for among those that told
most at first, and an office is asked again only where what it told last is more than the best tells now [2]_.

References
----------
.. [1] Krause, Singh & Guestrin (2008), Near-optimal sensor placements in Gaussian processes, Journal of Machine
   Learning Research 9, 235–284.
.. [2] Minoux (1978), Accelerated greedy algorithms for maximizing submodular set functions, Optimization Techniques,
   Springer, 234–243.
"""
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ...errors import SchemaError
from .candidates import OfficeErrors
from .gather import Kept
from .rank import CHUNK, Quantities, flow_shares, weighted
from .reports import BOTH, KINDS, Report, report_of, reports_of, statistics, totals
from .update import posterior_errors

SHORTLIST = 40
SEQUENCE_COLUMNS = ("step", "territory", "side", "told", "told_together", "flows_left", "world_told_together")


@dataclass
class _State:
    """What is not known after the offices chosen so far; all around zero but at first. ``logs`` (draw, corridor),
    ``world`` (draw,); of reports to come, by office and side: parts (draw, territory) and total (draw,)."""

    logs: np.ndarray
    world: np.ndarray
    reports: dict[tuple[int, int], Report] = field(default_factory=dict)


def choose_offices(kept: Kept, what: Quantities, errors: OfficeErrors, number: int, *, kind: str = BOTH,
                   ranked=None, shortlist: int = SHORTLIST, seed: int = 0) -> pd.DataFrame:
    """So many offices, one after the other, each taking most away of what those before it left.

    Parameters
    ----------
    number : of offices; fewer are chosen where fewer would tell anything new.
    kind : what they report, of ``reports.KINDS``.
    ranked : positions of offices, the most telling first; by default found here.
    shortlist : of how many of them the sequence is chosen.

    Returns
    -------
    DataFrame with ``SEQUENCE_COLUMNS``: ``told``, share of the sum over corridors of the variances of their logs,
    weighted by persons, that this office takes away after those before it, ``told_together`` with them (both of the sum
    before the first); ``flows_left``: how much of the interval on the log scale is left, mean over corridors weighted
    by persons; ``world_told_together``: share of the variance of the log of all moves. The joint effect is measured by
    the left draws, each judged by what others taught, so that a share may fall a little where an office tells nothing.

    Raises
    ------
    SchemaError
        For an unknown kind, or fewer than one office.
    """
    if kind not in KINDS or number < 1 or shortlist < number:
        raise SchemaError("needs", f"{number} offices of {shortlist}, reporting {kind!r}",
                          f"ask for one or more, of at least as many, and one of {', '.join(KINDS)}", kind)
    rng, first = np.random.default_rng([seed, 23]), what.logs.var(0, ddof=1)
    if ranked is None:
        found = {k: _told(what, what.logs, reports) for k in range(len(kept.codes))
                 if (reports := reports_of(kept, errors, k, kind))}
        ranked = sorted(found, key=lambda k: -found[k])
    listed = [int(k) for k in ranked][:shortlist]
    state = _State(what.logs, what.world, {(r.office, r.side): r for k in listed
                                           for r in reports_of(kept, errors, k, kind)})
    whole, world, rows, before = float(what.weight @ first), what.world.var(ddof=1), [], 0.0
    last = dict.fromkeys(sorted({k for k, _ in state.reports}), np.inf)       # what each told when it was asked last
    for step in range(1, number + 1):
        best = _most_telling(what, state, last)
        if best is None:
            break
        del last[best]
        _read(kept, what, errors, state, best, rng)
        variance = state.logs.var(0, ddof=1)
        together = 1 - float(what.weight @ variance) / whole
        rows.append({"step": step, "territory": kept.codes[best], "side": kind, "told": together - before,
                     "told_together": together,
                     "flows_left": float(np.average(np.sqrt(variance / np.where(first > 0, first, 1.0)),
                                                    weights=what.weight)),
                     "world_told_together": 1 - float(state.world.var(ddof=1) / world) if world > 0 else 0.0})
        before = together
    return pd.DataFrame(rows, columns=list(SEQUENCE_COLUMNS))


def _most_telling(what: Quantities, state: _State, last: dict[int, float]) -> int | None:
    """The office that tells most now, None where none tells anything; ``last`` is brought up to date on the way."""
    best, most = None, 0.0
    for k in sorted(last, key=lambda k: -last[k]):
        if last[k] <= most:
            break
        last[k] = _told(what, state.logs, [r for (office, _), r in state.reports.items() if office == k])
        if last[k] > most:
            best, most = k, last[k]
    return best


def _told(what: Quantities, logs: np.ndarray, reports: list[Report]) -> float:
    """Weighted sum of variances that reports would take away."""
    variance = logs.var(0, ddof=1)
    return weighted(flow_shares(what, reports, logs=logs), variance, what.weight) * float(what.weight @ variance)


def _read(kept: Kept, what: Quantities, errors: OfficeErrors, state: _State, office: int, rng) -> None:
    """Change the state into what is left after an office's report; the office is no candidate any more."""
    read = [r for (k, _), r in state.reports.items() if k == office]
    drawn = [r.draw_errors(rng) for r in read]
    y, noise = totals(read)
    of_totals = np.stack([e for _, e in drawn], 1)

    def after(logs: np.ndarray, origin: np.ndarray, destination: np.ndarray) -> np.ndarray:
        out = np.empty(logs.shape)
        for start in range(0, logs.shape[1], CHUNK):
            part = slice(start, start + CHUNK)
            stats, cov = statistics(read, origin[part], destination[part])
            error = np.empty(stats.shape)
            for i, (r, (parts, total)) in enumerate(zip(read, drawn)):
                error[:, :, 2 * i], error[:, :, 2 * i + 1] = (parts[:, r.nearest(origin[part], destination[part])],
                                                              total[:, None])
            out[:, part] = posterior_errors(logs[:, part], stats, cov, error, what.network)
        return out

    left = {}
    everyone = np.arange(len(kept.codes))
    for (k, s), r in state.reports.items():
        if k != office:
            here = np.full(len(everyone), k)
            parts = after(r.parts, *((everyone, here) if s == 0 else (here, everyone)))
            total = posterior_errors(r.total[:, None], y, noise, of_totals, what.network)[:, 0]
            left[k, s] = report_of(kept, errors, k, s, logs=parts, totals=total)
    state.logs = after(state.logs, what.origin, what.destination)
    state.world = posterior_errors(state.world[:, None], y, noise, of_totals, what.network)[:, 0]
    state.reports = left
