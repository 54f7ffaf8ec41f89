"""Questions that draws answer by counting: of a flow, of any sum of flows, of a change, of a rank.

Every draw is a world whose parts add up, so the interval of anything that follows from flows is read from what it is in
each draw. What an interval promises is the flow itself, not what an office would report of it.

Of D draws, the quantile p is taken at the position p (D + 1) among the sorted draws, with straight lines between them
(type 6 of [1]_, Weibull's): if the truth is one more draw of the same kind, it lies below the k-th of them with
probability k / (D + 1). Beyond the outermost draws the quantile is the outermost: a 95% interval needs 39 draws.

References
----------
.. [1] Hyndman & Fan (1996), Sample quantiles in statistical packages, The American Statistician 50, 361–365.
"""
from collections.abc import Iterable
from functools import cached_property

import numpy as np

from ..errors import InputError
from .answers import SIDES, Answers, Columns, choice
from .draw_file import LEAST, DrawFile
from .inputs import quoted, whole
from .names import listed, name, plain, resolve
from .years import choose_years

LEVELS = (50, 80, 95)
WORLD = "world"
Group = str | Iterable[str]


def quantiles(draws: np.ndarray) -> Columns:
    """Median and ends of the intervals of draws.

    Parameters
    ----------
    draws : (draw, …).

    Returns
    -------
    ``median, lower80, upper80, lower95, upper95, lower50, upper50``, each of the shape of one draw; 80% comes first.
    """
    names, at = ["median"], [0.5]
    for level in (80, 95, 50):
        names += [f"lower{level}", f"upper{level}"]
        at += [(1 - level / 100) / 2, (1 + level / 100) / 2]
    return dict(zip(names, np.quantile(draws, at, axis=0, method="weibull")))


class Drawn:
    """Questions to the draws of one release; see :class:`humanflows.dataset.estimates.Estimates` for what they mean."""

    def __init__(self, answers: Answers):
        self._answers = answers

    @cached_property
    def file(self) -> DrawFile:
        """The draws; opened when first asked for.

        Raises
        ------
        ArtifactError
            When the release has none, or the file is not theirs.
        """
        return DrawFile(self._answers.store)

    def draws(self, origin: str, destination: str, years=None) -> Columns:
        """One corridor: a row per draw and year."""
        a = self._answers
        o, d = a.corridor(origin, destination)
        at = choose_years(years, a.years)
        values = self.file.corridor(o, d, at)
        number = np.repeat(np.arange(1, self.file.number + 1), len(at))
        return {"draw": number, **a.named(year=np.tile(at, self.file.number), origin=o, destination=d),
                "flow": values.ravel()}

    def sum(self, origins: Group = WORLD, destinations: Group = WORLD, years=None) -> Columns:
        """All who move from any of some territories to any of others: a row per year."""
        a = self._answers
        o, d = self._groups(origins, destinations)
        at = choose_years(years, a.years)
        draws = self._total(o, d, at)
        return {**a.named(year=at), **self._said(origins, destinations, len(at)), "flow": self._centre(o, d, at),
                **quantiles(draws), "without_draws": self._without(o, d, at)}

    def change(self, before, after, origins: Group = WORLD, destinations: Group = WORLD) -> Columns:
        """How all who move in a year, on average over a period, change between two years or periods: one row."""
        o, d = self._groups(origins, destinations)
        a, periods = self._answers, []
        for which, years in (("before", before), ("after", after)):
            if years is None:
                raise InputError(which, "no year is given", "give a year as 2015 or a period as 2010-2015")
            periods.append(choose_years(years, a.years))
        draws = [self._total(o, d, at).mean(1) for at in periods]
        centre = [self._centre(o, d, at).mean() for at in periods]
        difference = draws[1] - draws[0]
        ratio = quantiles(draws[1] / np.maximum(draws[0], 1.0))
        more = (difference > 0).mean() + (difference == 0).mean() / 2
        said = {k: np.array([_period(a.years, at)], dtype=object) for k, at in zip(("before", "after"), periods)}
        out = {**said, **self._said(origins, destinations, 1), "flow_before": centre[0], "flow_after": centre[1],
               "change": centre[1] - centre[0], **quantiles(difference),
               **{f"ratio_{k}": v for k, v in ratio.items()}, "probability_of_increase": more}
        labels = {k: v for k, v in a.named(year=periods[0][:1]).items() if k != "year"}
        return {**{k: np.atleast_1d(v) for k, v in out.items()}, **labels}

    def rank(self, side: str, place: str, year, number: int = 10) -> Columns:
        """Ranks of the corridors into or out of a territory in one year, the largest released flow first."""
        a = self._answers
        side = choice(side, SIDES, "side")
        here, at = a.place(place), choose_years(year, a.years)
        if len(at) != 1:
            raise InputError("years", "ranks are those of one year", "give a single year, as 2019")
        rows = whole(number)
        if rows is None or rows < 1:
            raise InputError("number", f"{quoted(number)} rows", "ask for a whole number of rows, at least one")
        others = np.array([k for k in range(len(a.codes)) if k != here], dtype=int)
        same = np.full(len(others), here)
        o, d = (others, same) if side == "inflow" else (same, others)
        centre = a.store.array("flow")[at[0], o, d]
        draws = self.file.corridors(o, d, at)[:, :, 0].T            # (draw, other)
        if not self.file.has(o, d).any():
            raise self._none(f"{name(a.codes[here])} ({side})")
        # Of equal flows, which are those of nobody or of corridors without draws, all have the best rank.
        ranks = 1 + (draws[:, None, :] > draws[:, :, None]).sum(2)
        order = np.argsort(-centre, kind="stable")[:rows]
        order = order[self.file.has(o[order], d[order])]
        ends = {k: v[order] for k, v in quantiles(ranks).items()}
        ends = {f"rank_{k}": np.floor(v) if k.startswith("lower") else np.ceil(v) if k.startswith("upper") else v
                for k, v in ends.items()}
        return {**a.named(year=np.full(len(order), at[0]), origin=o[order], destination=d[order]),
                "name": np.array([name(a.codes[k]) for k in others[order]], dtype=object), "flow": centre[order],
                "rank": np.arange(1, len(order) + 1), **ends, "probability_first": (ranks == 1).mean(0)[order]}

    def members(self, group: Group) -> np.ndarray:
        """Positions of the territories that are meant by a name, a code, a region, ``world``, or several of these.

        Raises
        ------
        UnknownTerritoryError
            For what is none of these.
        InputError
            For none at all.
        """
        a = self._answers
        positions: set[int] = set()
        for text in _parts(group):
            asked = plain(text)
            inside = [k for k, code in enumerate(a.codes) if asked == WORLD
                      or (code in listed() and plain(listed()[code].region) == asked)]
            positions.update(inside or [a.store.position[resolve(text, a.codes)]])
        if not positions:
            raise InputError("territories", "none is given", "name a territory, a region or world")
        return np.array(sorted(positions))

    def _groups(self, origins: Group, destinations: Group) -> tuple[np.ndarray, np.ndarray]:
        o, d = self.members(origins), self.members(destinations)
        if len(o) == len(d) == 1:
            self._answers.corridor(self._answers.codes[o[0]], self._answers.codes[d[0]])    # refuses one's own
        if not self._whole(o, d) and not self.file.has(*np.ix_(o, d)).any():
            if len(o) == len(d) == 1:
                self.file.corridor(o[0], d[0], np.array([0]))       # says so of a single one
            raise self._none(f"{_text(origins)} to {_text(destinations)}")
        return o, d

    def _whole(self, o: np.ndarray, d: np.ndarray) -> bool:
        """Whether the world stands on one side: totals have draws of their own, which leave no corridor out."""
        return len(self._answers.codes) in (len(o), len(d))

    def _none(self, which: str) -> InputError:
        return InputError(self.file.file, f"{which} has no draws: every flow that it holds is below {LEAST:g} persons "
                          "in all years", "ask for more territories", key=which)

    def _total(self, o: np.ndarray, d: np.ndarray, at: np.ndarray) -> np.ndarray:
        years, of = np.unique(at, return_inverse=True)
        return self.file.total(o, d, years)[:, of]

    def _centre(self, o: np.ndarray, d: np.ndarray, at: np.ndarray) -> np.ndarray:
        return self._answers.store.array("flow")[np.ix_(at, o, d)].sum((1, 2), dtype=np.float64)

    def _without(self, o: np.ndarray, d: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Persons of corridors that have no draws of their own."""
        if self._whole(o, d):
            return np.zeros(len(at))
        flow = self._answers.store.array("flow")[np.ix_(at, o, d)]
        return np.where(self.file.has(*np.ix_(o, d)), 0.0, flow).sum((1, 2), dtype=np.float64)

    @staticmethod
    def _said(origins: Group, destinations: Group, rows: int) -> Columns:
        return {k: np.full(rows, _text(v), dtype=object) for k, v in (("origins", origins),
                                                                     ("destinations", destinations))}


def _parts(group: Group) -> list[str]:
    """What is named; names have commas, so several in one text are parted by semicolons."""
    if isinstance(group, str):
        return [p.strip() for p in group.split(";") if p.strip()]
    if not isinstance(group, Iterable):
        raise InputError("territories", f"{quoted(group)} is no territory", "name a territory, a region or world")
    return [p for part in group for p in _parts(part)]


def _text(group: Group) -> str:
    return "; ".join(_parts(group))


def _period(years: list[int], at: np.ndarray) -> str:
    chosen = [years[k] for k in at]
    if len(chosen) == 1:
        return str(chosen[0])
    together = chosen == list(range(chosen[0], chosen[-1] + 1))
    return f"{chosen[0]}-{chosen[-1]}" if together else " ".join(map(str, chosen))
