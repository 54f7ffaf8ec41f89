"""Intervals of flows as they are published: of every corridor and year, by what was seen there.

Where an office reports the corridor in that year, the interval is that of how far estimates and the reports that they
read lie apart. Where it does so at most ``LONGEST`` years away, errors are those of held-out years, of which nobody's
report was seen. With reports ``FORGOTTEN`` years away or more they are those of held-out offices, and in between the
interval goes over from the one to the other: no office was hidden for so long, and nothing says that a report is
forgotten from one year to the next. Without any report they are those of held-out corridors. Where neither office
reports anything, the interval reaches over both; in years after the last report of any office it reaches over those of
the last years as well.
"""
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..panel.hidden_years import LONGEST
from .interval_cells import CORRIDORS, LAST_YEARS, OFFICES, READ_REPORTS, YEARS, Seen, Surroundings
from .interval_material import ENDS
from .interval_model import FlowIntervals, as_counts, groups_of

FORGOTTEN = 2 * LONGEST     # years to a report after which it tells no more than that of another office


def most_movers(residents: np.ndarray, stock: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """Persons who can have moved along each corridor in a year, at most: (year, origin, destination).

    Not more than lived in the origin; and not more than were born there and live in the destination at the year's end,
    or were born in the destination and lived in the origin at its beginning, both at the upper ends of their intervals,
    or lived in the origin and were born elsewhere, as estimated. Who came and left again within the year is in none of
    these: it is a bound for moves that last.

    Parameters
    ----------
    residents : of the origin on 1 January, (year, origin).
    stock, upper : estimate and upper end of its 95% interval on each 1 January, (date, birthplace, residence), one date
        more than years.
    """
    n = stock.shape[1]
    off = ~np.eye(n, dtype=bool)
    stock, upper = (np.where(off, x, 0.0).astype(np.float64) for x in (stock, upper))
    born_there = upper[:-1].transpose(0, 2, 1)      # (year, origin as residence, destination as birthplace)
    elsewhere = stock[:-1].sum(1)[:, :, None] - stock[:-1].transpose(0, 2, 1)
    return np.minimum(upper[1:] + born_there + np.maximum(elsewhere, 0.0), residents[:, :, None])


@dataclass(frozen=True)
class Published:
    """The models of intervals, and what they have to know to be asked about any corridor and year.

    Parameters
    ----------
    models : by kind of cells (:func:`humanflows.results.interval_release.fit_models`); for held-out years and read
        reports where there are such cells.
    around : surroundings of every corridor and year.
    regions : of each territory.
    flow, spread : (year, origin, destination): estimates, persons, and standard deviation of the members' log(1 + x).
    most : persons who can have moved at most (year, origin, destination), see :func:`most_movers`; no interval exceeds
        them.
    saw : what the estimates saw.
    speaking : how many offices report the corridor in that year
        (:func:`humanflows.results.interval_cells.offices_speaking`).
    near : what reports of neighbouring years say, as
        :func:`humanflows.results.interval_neighbours.neighbouring_reports` has it.
    """

    models: Mapping[str, FlowIntervals]
    around: Surroundings
    regions: np.ndarray
    flow: np.ndarray
    spread: np.ndarray
    most: np.ndarray
    saw: Seen
    speaking: np.ndarray
    near: Mapping[str, np.ndarray]

    @property
    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Positions of origin and destination of all corridors."""
        return np.nonzero(~np.eye(self.flow.shape[1], dtype=bool))

    @property
    def last(self) -> int:
        """Position of the last year in which any office reports; -1 without offices."""
        return int(np.flatnonzero((self.saw.gap_office == 0).any((1, 2))).max(initial=-1))

    def kind(self, t: int) -> np.ndarray:
        """Which kind of cells tells how far the estimate of each corridor may be off in that year, str (pair,)."""
        seen, gap = (getattr(self.saw, k)[(t, *self.pairs)] for k in ("seen", "gap"))
        near = (gap <= LONGEST) & (YEARS in self.models)
        return np.select([(seen == 0) & (READ_REPORTS in self.models), near, seen == 2],
                         [READ_REPORTS, YEARS, CORRIDORS], OFFICES)

    def fading(self, t: int) -> np.ndarray:
        """How far intervals of each corridor have gone over from those of held-out years to those of held-out offices:
        0 up to ``LONGEST`` years from a report, 1 from ``FORGOTTEN`` years on, and where nobody ever reports."""
        gap = self.saw.gap[(t, *self.pairs)].astype(np.float64)
        return np.clip((gap - LONGEST) / (FORGOTTEN - LONGEST), 0.0, 1.0)

    def ends(self, t: int) -> tuple[np.ndarray, np.ndarray]:
        """Intervals of all corridors in one year.

        Returns
        -------
        ends : at ``ENDS``, on log(1 + x), (pair, end), pairs as ``pairs``; the estimate lies inside, none exceeds
            ``most``.
        sigma : difficulty, the expected absolute log error, (pair,).
        """
        kind, fading = self.kind(t), self.fading(t)
        found, sigma = self._ask(t, kind, np.arange(len(kind)))
        between = np.flatnonzero((kind == OFFICES) & (fading < 1)) if YEARS in self.models else []
        if len(between):
            near, near_sigma = self._ask(t, np.full(len(between), YEARS), between)
            share = fading[between]
            found[between] = near + share[:, None] * (found[between] - near)
            sigma[between] = near_sigma + share * (sigma[between] - near_sigma)
        here = (t, *self.pairs)
        logs = np.minimum(as_counts(found), np.log1p(self.most[here])[:, None])
        middle = np.log1p(self.flow[here].astype(np.float64))[:, None]
        below = np.asarray(ENDS) < 0.5
        return np.where(below, np.minimum(logs, middle), np.maximum(logs, middle)), sigma

    def _ask(self, t: int, kind: np.ndarray, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Quantiles at ``ENDS`` (pair, end) and sigma (pair,) of some corridors, each by the model of its kind.

        A model of held-out years is asked as of ``LONGEST`` years, where a report is further away: beyond it has seen
        nothing.
        """
        origin, destination = (k[which] for k in self.pairs)
        here = (np.full(len(which), t), origin, destination)
        read = np.isin(kind, (READ_REPORTS, YEARS))
        seen = {k: getattr(self.saw, k)[here] for k in ("seen", "gap", "gap_office", "gap_meta", "offices")}
        seen |= {k: v[here] for k, v in self.near.items()}
        seen["offices"] = np.where(kind == READ_REPORTS, self.speaking[here], seen["offices"])
        for k in ("gap", "gap_office"):
            seen[k] = np.where(kind == YEARS, np.minimum(seen[k], LONGEST), seen[k])
        estimate = self.flow[here]
        features = self.around.features(*here, estimate, np.where(kind == YEARS, 0.0, self.spread[here]), seen)
        cells = pd.DataFrame({"kind": kind, "seen": seen["seen"], "estimate": estimate, "origin": origin,
                              "destination": destination})
        every = [cells, cells.assign(kind=np.where(seen["seen"] == 3, CORRIDORS, kind))]
        if t > self.last:
            every.append(cells.assign(kind=np.where(read, kind, LAST_YEARS)))
        groupings = [groups_of(c, self.regions) for c in every]
        found, sigma = np.empty((len(cells), len(ENDS))), np.empty(len(cells))
        for of_kind, model in self.models.items():
            own = kind == of_kind
            if own.any():
                found[own], _, sigma[own] = model.predict(
                    estimate[own], features[own], [{k: v[own] for k, v in g.items()} for g in groupings], ENDS)
        return found, sigma
