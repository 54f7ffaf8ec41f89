"""The estimates as a user of pandas meets them: questions in codes or names, answers as data frames."""
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ..results.labels import LABEL
from . import grades, pairs
from .answers import Answers, Columns
from .drawn import WORLD, Drawn, Group

if TYPE_CHECKING:
    import pandas as pd

Years = int | str | slice | Iterable[int] | None


class Estimates:
    """Released estimates of migration flows, stocks and net migration.

    Territories are given by ISO 3166-1 code or English name. Years are ``2015``, ``"2010-2015"``,
    ``slice(2010, 2015)`` (ranges hold both ends), a list or array, or None for all. Numbers are persons; a flow or
    stock below half a person is zero.

    Parameters
    ----------
    folder : a release or package; ``data/release`` by default. See :func:`humanflows.dataset.open_estimates`.

    Raises
    ------
    UnknownTerritoryError
        (all methods) naming the nearest territories.
    YearRangeError
        (all methods) for years that are not there, or a range that ends before it begins.
    ArtifactError
        (all methods) when a file is missing, damaged, or not the version that the release lists.
    """

    def __init__(self, folder: Path | str | None = None):
        self._answers = Answers(folder)
        self._drawn = Drawn(self._answers)

    def __repr__(self) -> str:
        a = self._answers
        kind = f"{a.store.data_kind}, " if a.store.simulated else ""
        return f"<Estimates of {len(a.codes)} territories, {a.years[0]}–{a.years[-1]}, {kind}from {a.store.folder}>"

    @property
    def simulated(self) -> bool:
        """Whether these are of the simulated world: each answer then has a column ``data_kind`` that says so."""
        return self._answers.store.simulated

    @property
    def years(self) -> list[int]:
        """Calendar years of the flows."""
        return list(self._answers.years)

    @property
    def codes(self) -> list[str]:
        """Alpha-3 codes of the territories."""
        return list(self._answers.codes)

    @property
    def folder(self) -> Path:
        """Where the files lie."""
        return self._answers.store.folder

    @property
    def grade_rule(self) -> str:
        """The rule by which estimates are graded, in words."""
        store = self._answers.store
        return grades.rule(intervals=self._answers.intervals, members=store.has("flow_spread"),
                           evidence=store.has("flow_evidence"))

    def flow(self, origin: str, destination: str, years: Years = None) -> "pd.DataFrame":
        """People who moved from one territory to another.

        Returns
        -------
        DataFrame, a row per year: ``year, origin, destination, flow``; ``flow_lower, flow_upper`` (95%) where the
        release has intervals; ``basis`` (observed, interpolated, extrapolated, platform, modelled), ``sources`` that
        spoke in this year, and ``grade`` A to E where it says who spoke. A release of format 2 has before these
        ``flow_lower80, flow_upper80`` (80%), and ``known``: whether the 95% interval lies within a factor of 30 of its
        middle; of what is not known no number should be shown. Its ``evidence`` is residence, proxy (an office reports
        by citizenship or birthplace alone; the basis is proxy as well), other_years, displaced or nothing.
        """
        return _frame(self._answers.flow(origin, destination, years))

    def top(self, side: str, place: str, year: int | str, number: int = 10) -> "pd.DataFrame":
        """Largest flows into (``"inflow"``) or out of (``"outflow"``) a territory in one year, largest first.

        Returns
        -------
        DataFrame as of :meth:`flow`, with the other territory's ``name`` and the ``share`` of all that flow in or out.
        """
        return _frame(self._answers.top(side, place, year, number))

    def net(self, place: str, other: str | Years = None, years: Years = None) -> "pd.DataFrame":
        """Inflow, outflow and net migration of a territory: with all others, or with one that is named.

        ``net("Colombia", "Venezuela", 2018)`` counts from Colombia's side: who came from Venezuela less who went there,
        and so is the opposite of ``net("Venezuela", "Colombia", 2018)``. Where no other territory is named, years may
        stand second: ``net("Colombia", 2018)``.

        Returns
        -------
        DataFrame, a row per year: ``year, territory, inflow, outflow, net_migration``, and ``net_migration_lower,
        net_migration_upper`` (95%) where the release has intervals. With one other territory it stands in ``other``,
        and the interval is put together from those of the two directions: what is assumed of their errors is said in
        :mod:`humanflows.dataset.pairs` and in ``attrs["interval"]`` of the answer.
        """
        frame = _frame(self._answers.net(place, other, years))
        if "other" in frame and self._answers.intervals:
            frame.attrs["interval"] = pairs.ASSUMPTION["net_migration"]
        return frame

    def total(self, place: str, other: str, years: Years = None) -> "pd.DataFrame":
        """People who moved between two territories, in both directions together.

        Returns
        -------
        DataFrame, a row per year: ``year, territory, other, inflow, outflow, total``, and ``total_lower, total_upper``
        (95%) where the release has intervals, put together from those of the two directions: what is assumed of their
        errors is said in :mod:`humanflows.dataset.pairs` and in ``attrs["interval"]`` of the answer.
        """
        frame = _frame(self._answers.total(place, other, years))
        if self._answers.intervals:
            frame.attrs["interval"] = pairs.ASSUMPTION["total"]
        return frame

    def stock(self, birthplace: str | None = None, residence: str | None = None, years: Years = None) -> "pd.DataFrame":
        """People by birthplace and residence on 1 January of the years, natives among them.

        Without one of the two, all of it are listed that have anybody.

        Returns
        -------
        DataFrame: ``date, birthplace, residence, stock``, and ``stock_lower, stock_upper`` (95%) where the release has
        intervals; they are missing on dates for which it has none.
        """
        return _frame(self._answers.stock(birthplace, residence, years))

    def by_birthplace(self, origin: str | None = None, destination: str | None = None, birthplace: str | None = None,
                      years: Years = None) -> "pd.DataFrame":
        """Flows by birthplace: of a corridor, or all out of an origin, into a destination, or of those born somewhere.

        Only the slice that is asked for is worked out. Flows below half a person are left out, so that sums may be a
        little less than :meth:`flow`.

        Returns
        -------
        DataFrame, by year and size: ``year, birthplace, origin, destination, flow``, and ``flow_lower, flow_upper``
        (95%) where the release has them: the corridor's interval and how sure the birthplace's share is, together.
        """
        return _frame(self._answers.by_birthplace(origin, destination, birthplace, years))


    def draws(self, origin: str, destination: str, years: Years = None) -> "pd.DataFrame":
        """What each draw of the world says of a corridor; what follows from flows has its interval by counting.

        Returns
        -------
        DataFrame, persons: a row per draw, numbered from 1, and a column per year. The n-th draw is the same world
        for every corridor.

        Raises
        ------
        ArtifactError
            (also of the next three methods) for a release without draws, or a file of draws that is not its own.
        InputError
            (also of the next three methods) when the flow is below 10 persons in all years: no draws are kept of it.
        """
        import pandas as pd

        columns = self._drawn.draws(origin, destination, years)
        number = int(columns["draw"][-1])
        frame = pd.DataFrame(columns["flow"].reshape(number, -1), index=pd.RangeIndex(1, number + 1, name="draw"),
                             columns=pd.Index(columns["year"][:len(columns["year"]) // number], name="year"))
        if self.simulated:
            frame.attrs[LABEL] = self._answers.store.data_kind
        return frame

    def sum(self, origins: Group = WORLD, destinations: Group = WORLD, years: Years = None) -> "pd.DataFrame":
        """All who move from any of some territories to any of others, moves inside one territory apart.

        Parameters
        ----------
        origins, destinations : a territory, a region ("Sub-Saharan Africa", see data/territories.csv), "world", or
            several: a list, or a text parted by semicolons.

        Returns
        -------
        DataFrame, a row per year, persons: ``year, origins, destinations, flow`` (the sum of released flows), ``median,
        lower80, upper80, lower95, upper95, lower50, upper50`` of the draws, and ``without_draws``: persons of it on
        corridors below 10 persons, which count as released in every draw. How quantiles are taken of draws is said in
        :mod:`humanflows.dataset.drawn`. An interval is one of the flow itself, not of what an office would report.
        """
        return _frame(self._drawn.sum(origins, destinations, years))

    def change(self, before: Years, after: Years, origins: Group = WORLD,
               destinations: Group = WORLD) -> "pd.DataFrame":
        """How much more move in a year of one period than of another, on average.

        Parameters
        ----------
        before, after : a year or a period.
        origins, destinations : as of :meth:`sum`.

        Returns
        -------
        DataFrame of one row, persons a year: ``before, after, origins, destinations, flow_before, flow_after, change``
        (all as released), ``median, lower80, upper80, …`` of the difference, ``ratio_median, ratio_lower80, …`` of
        after to before, and ``probability_of_increase``: the share of draws in which there are more.
        """
        return _frame(self._drawn.change(before, after, origins, destinations))

    def rank(self, side: str, place: str, year: int | str, number: int = 10) -> "pd.DataFrame":
        """Which corridors into (``"inflow"``) or out of (``"outflow"``) a territory are largest, and how sure that is.

        Returns
        -------
        DataFrame, the largest released flow first: ``year, origin, destination, name`` of the other territory, ``flow,
        rank`` (as released), ``rank_median, rank_lower80, rank_upper80, …``, ends rounded outwards, and
        ``probability_first``: the share of draws in which no other is larger.
        """
        return _frame(self._drawn.rank(side, place, year, number))


def _frame(columns: Columns) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(columns)
