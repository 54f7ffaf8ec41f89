"""Grades A to E of an estimate: one rule, written here once; its text is made of the same numbers.

Three things are graded apart and the worst of them counts: what was seen of the corridor, how wide the 95% interval is,
and how far the members of the ensemble agree. Where a release has no interval, or does not say how members differ, the
others decide; a release without either is graded by what was seen alone, and says so.
"""
import numpy as np

from .evidence import EVIDENCE, EVIDENCE_MEANINGS, LETTERS, SEEN, SEEN_MEANINGS, SEEN_OF_EVIDENCE

GRADES = ("A", "B", "C", "D", "E")
FACTORS = (1.5, 3.0, 6.0, 12.0)     # widest for A, B, C, D; beyond the last is E
BEST_BY_SEEN = {"A": "A", "B": "B", "P": "C", "C": "C", "D": "D", "X": "B"}
KNOWN_WITHIN = 30.0                 # factor about the middle of the 95% interval; a flow that is wider is not known
MEMBERS = 2.0                       # standard deviations: about 95% of members lie within


def factor_of_interval(lower, upper) -> np.ndarray:
    """By what factor the ends of an interval lie from its middle on the log scale, ``√((upper + 1) / (lower + 1))``.

    The 1 keeps flows of a few persons, whose factor means little, from being judged by it. Infinite or missing ends
    give infinity.
    """
    lower, upper = np.asarray(lower, np.float64), np.asarray(upper, np.float64)
    with np.errstate(invalid="ignore"):
        factor = np.sqrt((upper + 1) / (lower + 1))
    return np.where(np.isfinite(factor), factor, np.inf)


def is_known(lower, upper) -> np.ndarray:
    """Whether the ends of a 95% interval lie within a factor of ``KNOWN_WITHIN`` of its middle on the log scale.

    That is, ``(upper + 1) / (lower + 1)`` is at most its square, 900. What is not known is to be shown as that, not
    as a number.
    """
    return factor_of_interval(lower, upper) <= KNOWN_WITHIN


def factor_of_members(spread) -> np.ndarray:
    """Factor within which about 95% of members lie, from the standard deviation of their log(1 + estimate)."""
    factor = np.exp(MEMBERS * np.asarray(spread, np.float64))
    return np.where(np.isfinite(factor), factor, np.inf)


def grade(seen, lower=None, upper=None, spread=None) -> np.ndarray:
    """Grade estimates, see :func:`rule`.

    Parameters
    ----------
    seen : codes of ``evidence.LETTERS``, any shape.
    lower, upper : ends of the 95% interval, persons, or None.
    spread : standard deviation of the members' log(1 + estimate), or None.

    Returns
    -------
    int8 of the same shape, positions in ``GRADES``.
    """
    best = np.array([GRADES.index(BEST_BY_SEEN[letter]) for letter in LETTERS], np.int8)
    out = best[np.asarray(seen, int)]
    if lower is not None and upper is not None:
        out = np.maximum(out, _by_factor(factor_of_interval(lower, upper)))
    if spread is not None:
        out = np.maximum(out, _by_factor(factor_of_members(spread)))
    return out


def _by_factor(factor: np.ndarray) -> np.ndarray:
    # A factor stored in four digits may lie a hair beyond the bound that it was meant to keep.
    return np.searchsorted(FACTORS, factor * (1 - 1e-6), side="left").astype(np.int8)


def rule(*, intervals: bool = True, members: bool = True, evidence: bool = False) -> str:
    """The rule in words, in Markdown.

    Parameters
    ----------
    intervals, members : whether the release has them.
    evidence : whether it has the classes ``evidence.EVIDENCE``.
    """
    told = [(BEST_BY_SEEN[SEEN_OF_EVIDENCE[e]], EVIDENCE_MEANINGS[e]) for e in reversed(EVIDENCE)] if evidence else \
        [(BEST_BY_SEEN[s], SEEN_MEANINGS[s]) for s in sorted(SEEN, key=lambda s: (BEST_BY_SEEN[s], s))]
    seen = "; ".join(f"{best} where {meaning}" for best, meaning in told)
    steps = ", ".join(f"{g} up to {f:g}" for g, f in zip(GRADES, FACTORS))
    lines = ["A corridor-year's grade is the worst of what follows.", "",
             f"- What was seen. At best {seen}."]
    if intervals:
        lines.append("- The 95% interval, from `lower` to `upper`: the factor √((upper + 1) / (lower + 1)) is the "
                     f"distance of its ends from its middle. {steps}, E beyond.")
    if members:
        lines.append("- The members of the ensemble: the factor within which about 95% of them lie, "
                     f"exp({MEMBERS:g} × the standard deviation of log(1 + flow)). The same steps.")
    missing = [w for w, there in (("intervals", intervals), ("the members' spread", members)) if not there]
    if missing:
        lines += ["", f"This release does not hold {' or '.join(missing)}: grades say nothing about "
                  f"{'them' if len(missing) > 1 or intervals is False else 'it'}."]
    return "\n".join(lines)
