"""The few statistics of an office's report by which a quantity is updated, and the covariance of their errors.

An office in k that reports its arrivals gives a number for every origin. The flow a → b is updated by two of them:

- the report of the corridor that has most to do with it: of a → b itself where b = k; of b → k, the way back, where
  a = k; of a → k, the other destination of the same origin, elsewhere. In the same manner for departures;
- the total of the report, which a bias of the office or an error of the level of the world moves.

Logs, since an office's error is a factor: on this scale its covariance R is known, and flows of all sizes are nearly
normal. A transformation of each flow to normal scores (anamorphosis) would make R depend on the flow's distribution.
The total's log is linearised in its parts' errors (delta method): Σ wⱼ uⱼ with the parts' shares w.
"""
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import SchemaError
from ...results.needs_terms import SIDES
from .candidates import OfficeErrors, bias_variance, report_variance
from .gather import Kept

BOTH = "both"
KINDS = (*SIDES, BOTH)
_NO_SIGNAL = 1.0        # noise of a statistic that is not there: its value does not vary, so that any number will do


@dataclass(frozen=True)
class Report:
    """What one office would report of one side.

    ``office``, ``side``: positions. ``parts`` (draw, territory): log(1 + persons) by the other end. ``there``
    (territory,): which of these would be new. ``total`` (draw,): log of their sum. Errors: bias of deviation
    ``bias_sd``, in which a part has the factor ``factor`` (territory,); ``own`` (territory,), variance of a part's own
    error; ``weight`` (territory,), its share of the total.
    """

    office: int
    side: int
    parts: np.ndarray
    there: np.ndarray
    total: np.ndarray
    bias_sd: float
    factor: np.ndarray
    own: np.ndarray
    weight: np.ndarray

    @property
    def any_new(self) -> bool:
        """Whether it would tell anything that is not reported yet."""
        return bool(self.there.any())

    def nearest(self, origin, destination) -> np.ndarray:
        """Other end of the reported corridor that has most to do with each flow."""
        one, two = (origin, destination) if self.side == 0 else (destination, origin)
        return np.where(one != self.office, one, two)

    def noise(self, other=None) -> np.ndarray:
        """Covariance of the errors of the statistics of corridors with these other ends, (other, 2, 2); without, the
        variance of the total's error, (1, 1)."""
        of_total = self.bias_sd**2 + (self.weight**2 * self.own).sum()
        if other is None:
            return np.array([[of_total if self.any_new else _NO_SIGNAL]])
        out, j, there = np.empty((len(other), 2, 2)), other, self.there[other]
        shared = self.factor[j] * self.bias_sd**2 + self.weight[j] * self.own[j]
        out[:, 0, 0] = np.where(there, self.factor[j] ** 2 * self.bias_sd**2 + self.own[j], _NO_SIGNAL)
        out[:, 0, 1] = out[:, 1, 0] = np.where(there, shared, 0.0)
        out[:, 1, 1] = of_total if self.any_new else _NO_SIGNAL
        # Of an office with one corridor, part and total are one number: an error apart keeps their covariance regular.
        out[:, (0, 1), (0, 1)] *= 1 + 1e-6
        return out

    def draw_errors(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Errors of the parts (draw, territory) and of the total (draw,), drawn from what ``noise`` describes."""
        bias = self.bias_sd * rng.standard_normal(len(self.total))
        own = np.sqrt(self.own) * rng.standard_normal(self.parts.shape)
        return self.factor * bias[:, None] + own, bias + own @ self.weight


def report_of(kept: Kept, errors: OfficeErrors, office: int, side: int, there=None, logs=None, totals=None) -> Report:
    """What an office would report of a side, in the years in which it does not yet.

    Parameters
    ----------
    office, side : positions.
    there : bool (territory,), the other ends that it would report; all by default.
    logs : (draw, territory), ``totals`` (draw,): what is not known of them, instead of the draws themselves; for
        reports after others (``sequence``).
    """
    at = (slice(None), slice(None), office) if side == 0 else (slice(None), office, slice(None))
    persons = kept.unreported[side][at].astype(np.float64)
    years = kept.unreported_years[side][at[1:]]
    new = (years > 0) & (persons > 0).any(0) & (True if there is None else there)
    mean = np.where(new, persons.mean(0), 0.0)
    factor = mean / (1 + mean)
    return Report(
        office, side, np.where(new, np.log1p(persons) if logs is None else logs, 0.0), new,
        np.log1p((persons * new).sum(1)) if totals is None else np.asarray(totals),
        float(np.sqrt(bias_variance(errors.bias_sd[side, office]))), np.where(new, factor, 0.0),
        np.where(new, report_variance(errors.spread[side, office], years, mean), 0.0), mean / max(mean.sum(), 1e-12))


def reports_of(kept: Kept, errors: OfficeErrors, office: int, kind: str) -> list[Report]:
    """Reports of an office that would tell anything new: of one side, or of both.

    Parameters
    ----------
    kind : of ``KINDS``.
    """
    if kind not in KINDS:
        raise SchemaError("needs", f"unknown kind of report {kind!r}", f"choose one of {', '.join(KINDS)}", kind)
    sides = range(2) if kind == BOTH else (SIDES.index(kind),)
    return [r for r in (report_of(kept, errors, office, s) for s in sides) if r.any_new]


def statistics(reports: Sequence[Report], origin, destination) -> tuple[np.ndarray, np.ndarray]:
    """Statistics (draw, flow, 2 a report) by which flows are updated, and covariances of their errors (flow, ·, ·).

    Parameters
    ----------
    reports : one or more.
    origin, destination : positions of the flows, (flow,).
    """
    draws, p = len(reports[0].total), 2 * len(reports)
    out, noise = np.empty((draws, len(origin), p)), np.zeros((len(origin), p, p))
    for i, r in enumerate(reports):
        other = r.nearest(origin, destination)
        out[:, :, 2 * i], out[:, :, 2 * i + 1] = r.parts[:, other], r.total[:, None]
        noise[:, 2 * i:2 * i + 2, 2 * i:2 * i + 2] = r.noise(other)
    return out, noise


def totals(reports: Sequence[Report]) -> tuple[np.ndarray, np.ndarray]:
    """Totals of reports (draw, report), by which sums are updated, and the covariance of their errors."""
    return (np.stack([r.total for r in reports], 1), np.diag([float(r.noise()[0, 0]) for r in reports]))
