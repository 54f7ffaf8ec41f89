"""What members say of reports that they never saw: the cells on which intervals are calibrated and judged.

A cell is one flow by residence that an office reported, or a platform (Meta), and the mean of what members said of it
that had not seen it. Four kinds of not having seen are kept apart, because errors differ between them:

- ``held-out corridors``: nobody's report of the corridor was seen;
- ``held-out offices``: no report of this office was seen; others', about the same corridor, may have been;
- ``held-out years``: that year's report of this office was not seen, its other years of the corridor were;
- ``last years``: no migration figure of that year or of a later one was seen.

Beside them stand ``read reports``, with the mean of the members behind the estimates, which saw them: how far estimate
and report lie apart where the report was read.

``seen`` says what was left to learn from, for cells and, in the same words, for every corridor and year of a release:
A an office's report of that corridor and year, B of that corridor in other years, C none of the corridor but others of
one of the two countries' offices, D none of either office.
"""
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import SchemaError
from ..panel.withhold import PLATFORMS
from .interval_neighbours import NEIGHBOURS, neighbouring_reports
from .validation import COLLECTIONS

CORRIDORS, OFFICES, YEARS, LAST_YEARS, READ_REPORTS = KINDS = (
    "held-out corridors", "held-out offices", "held-out years", "last years", "read reports")
SEEN = ("A same year", "B other years", "C other corridors", "D nothing")
NEVER = 50    # years to a report that does not exist: more than any panel has
_SMALLEST = {"seen": "min", "gap": "min", "gap_office": "min", "gap_meta": "min", "offices": "max"}


@dataclass(frozen=True)
class Seen:
    """What was there to learn from, of every corridor and year.

    All are int8 arrays (year, origin, destination). ``seen``: position in ``SEEN``. ``gap``: years to the nearest
    office's report of the corridor, ``NEVER`` without one. ``gap_office``: to the nearest report, of any corridor, of
    one of the two offices. ``gap_meta``: to the nearest count of a platform. ``offices``: how many of the two countries
    have an office that reports anything.
    """

    seen: np.ndarray
    gap: np.ndarray
    gap_office: np.ndarray
    gap_meta: np.ndarray
    offices: np.ndarray


def what_was_seen(panel: xr.Dataset, visible: np.ndarray | None = None) -> Seen:
    """What somebody who saw these observations had to go by, for every corridor and year.

    Parameters
    ----------
    panel : with everything.
    visible : bool (observation,); all by default. Reports by every criterion count.
    """
    visible = np.ones(panel.sizes["observation"], dtype=bool) if visible is None else np.asarray(visible)
    if visible.shape != (panel.sizes["observation"],):
        raise SchemaError("intervals", f"{visible.shape} marks for {panel.sizes['observation']} observations",
                          "say of each observation whether it was seen", "visible")
    n, years = panel.sizes["origin"], panel.sizes["year"]
    of_platform, reporter = _who_reports(panel)
    where = {k: panel[f"flow_{k}"].values for k in ("year", "origin", "destination")}
    reported = _mark(panel, visible & ~of_platform)
    office = np.zeros((years, n), dtype=bool)
    speaking = visible & ~of_platform & (reporter >= 0)
    office[where["year"][speaking], reporter[speaking]] = True
    gap, gap_of_office = _years_to(reported), _years_to(office)
    gap_office = np.minimum(gap_of_office[:, :, None], gap_of_office[:, None, :])
    ever = office.any(0)
    offices = np.broadcast_to((ever[:, None].astype(np.int8) + ever[None]).astype(np.int8), gap.shape)
    seen = np.select([gap == 0, gap < NEVER, offices > 0], [0, 1, 2], 3).astype(np.int8)
    return Seen(seen, gap, gap_office, _years_to(_mark(panel, visible & of_platform)), offices)


def offices_speaking(panel: xr.Dataset) -> np.ndarray:
    """How many of the two countries' offices report the corridor in that year: int8 (year, origin, destination)."""
    of_platform, reporter = _who_reports(panel)
    at_origin = reporter == panel["flow_origin"].values
    return sum(_mark(panel, ~of_platform & side).astype(np.int8) for side in (at_origin, ~at_origin))


def _who_reports(panel: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Whether each observation is a platform's, and the position of the reporting office's territory (-1: none)."""
    witness = panel["flow_witness"].values
    places = panel.get_index("origin").get_indexer(panel["witness_reporter"].values.astype(str))
    return np.isin(panel["witness_source"].values.astype(str), PLATFORMS)[witness], places[witness]


def _mark(panel: xr.Dataset, chosen: np.ndarray) -> np.ndarray:
    """Where there are such observations: bool (year, origin, destination)."""
    table = np.zeros(tuple(panel.sizes[k] for k in ("year", "origin", "destination")), dtype=bool)
    table[tuple(panel[f"flow_{k}"].values[chosen] for k in ("year", "origin", "destination"))] = True
    return table


def _years_to(marked: np.ndarray) -> np.ndarray:
    """Years to the nearest mark along the first axis, int8; ``NEVER`` without one."""
    out = np.full(marked.shape, NEVER, dtype=np.int8)
    for order in (range(len(marked)), range(len(marked) - 1, -1, -1)):
        since = np.full(marked.shape[1:], NEVER, dtype=np.int8)
        for t in order:
            since = np.where(marked[t], 0, np.minimum(since + 1, NEVER)).astype(np.int8)
            out[t] = np.minimum(out[t], since)
    return out


def reported_flows(panel: xr.Dataset) -> pd.DataFrame:
    """Flows by residence, one row for each office (or platform), side, year and corridor.

    Where two collections pass on the figure of one office their mean is taken. Reporters whose coverage in a collection
    differs from that of others (``validation.COLLECTIONS``) are left out there.

    Returns
    -------
    DataFrame: year, origin, destination (positions), reporter, side, platform (bool), observed (persons), observation
    (position in the panel of the first of the rows that were joined).
    """
    witness = panel["flow_witness"].values
    source, reporter, side, criterion = (panel[f"witness_{k}"].values.astype(str)
                                         for k in ("source", "reporter", "side", "criterion"))
    fit = (criterion == "residence") & ~np.array([s in COLLECTIONS and r in COLLECTIONS[s].without
                                                  for s, r in zip(source, reporter)], dtype=bool)
    rows = np.flatnonzero(fit[witness])
    at = witness[rows]
    table = pd.DataFrame({**{k: panel[f"flow_{k}"].values[rows].astype(np.int64)
                             for k in ("year", "origin", "destination")},
                          "reporter": reporter[at], "side": side[at], "platform": np.isin(source, PLATFORMS)[at],
                          "observed": panel["flow_persons"].values[rows].astype(np.float64), "observation": rows})
    keys = ["year", "origin", "destination", "reporter", "side", "platform"]
    return table.groupby(keys, sort=False, as_index=False).agg(observed=("observed", "mean"),
                                                               observation=("observation", "first"))


def build_cells(panel: xr.Dataset, flows: Iterable, hidden: np.ndarray, kinds: Mapping[str, np.ndarray], *,
                labels: Mapping[str, np.ndarray] | None = None) -> pd.DataFrame:
    """The cells: each reported flow beside what members say that had not seen it.

    Parameters
    ----------
    panel : with everything.
    flows : of each member, array (year, origin, destination), persons; taken one after another.
    hidden : bool (member, observation), what each member never saw.
    kinds : by name, bool (member, observation): whose word counts for that kind of cell; each must have been hidden.
    labels : by name, arrays (observation,) to be carried along: fold of the corridor, group of the office.

    Returns
    -------
    DataFrame with the columns of :func:`reported_flows`, the labels, and kind, estimate (persons, mean of the members),
    log_mean and spread (mean and standard deviation, ddof 1, of their log(1 + x); spread 0 with one member), members
    (number), of the member that saw most ``seen, gap, gap_office, gap_meta, offices`` (see :class:`Seen`), and the
    members' means of what :func:`humanflows.results.interval_neighbours.neighbouring_reports` says.

    Raises
    ------
    SchemaError
        For masks of other shapes, and where a member is to judge what it saw.
    """
    hidden = np.asarray(hidden, dtype=bool)
    reports = reported_flows(panel)
    chosen, offices = reports["observation"].to_numpy(), reports[~reports["platform"]]
    for name, mask in kinds.items():
        if mask.shape != hidden.shape or hidden.shape[1] != panel.sizes["observation"]:
            raise SchemaError("intervals", f"{name}: {mask.shape} marks beside {hidden.shape}, for "
                              f"{panel.sizes['observation']} observations", "mark each member's observations", name)
        if (mask & ~hidden).any():
            raise SchemaError("intervals", f"{name}: member {int(np.argwhere(mask & ~hidden)[0][0])} (from 0) saw what "
                              "it is to be judged on", "calibrate on what was hidden alone", name)
    at = tuple(reports[k].to_numpy() for k in ("year", "origin", "destination"))
    sums = {kind: _Sums(len(reports)) for kind in kinds}
    number = 0
    for number, flow in enumerate(flows, start=1):
        if number > len(hidden):
            break
        if not any(mask[number - 1, chosen].any() for mask in kinds.values()):
            continue
        saw = what_was_seen(panel, ~hidden[number - 1])
        said = np.asarray(flow)[at].astype(np.float64)
        about = {k: getattr(saw, k)[at] for k in _SMALLEST}
        near = neighbouring_reports(offices[~hidden[number - 1, offices["observation"].to_numpy()]], flow)
        about |= {k: v[at] for k, v in near.items()}
        for kind, mask in kinds.items():
            sums[kind].add(mask[number - 1, chosen], said, about)
    if number != len(hidden):
        raise SchemaError("intervals", f"{number} or more members' flows beside marks of {len(hidden)}",
                          "give one array of flows for each", "flows")
    reports = reports.assign(**{k: np.asarray(v)[chosen] for k, v in (labels or {}).items()})
    parts = [sums[kind].table(reports).assign(kind=kind) for kind in kinds]
    return pd.concat(parts, ignore_index=True)


def read_cells(panel: xr.Dataset, flow: np.ndarray, spread: np.ndarray, *,
               labels: Mapping[str, np.ndarray] | None = None) -> pd.DataFrame:
    """Cells of the reports of offices that the members behind the estimates read; columns as of :func:`build_cells`.

    Parameters
    ----------
    panel : with everything.
    flow, spread : (year, origin, destination): the members' mean, persons, and the spread of their log(1 + x).
    labels : as for :func:`build_cells`.

    Returns
    -------
    DataFrame; ``offices`` is how many offices report the corridor in that year, ``gap`` and ``gap_office`` are zero.
    """
    reports = reported_flows(panel)
    reports = reports[~reports["platform"]].reset_index(drop=True)
    at = tuple(reports[k].to_numpy() for k in ("year", "origin", "destination"))
    saw, chosen, near = what_was_seen(panel), reports["observation"].to_numpy(), neighbouring_reports(reports, flow)
    return reports.assign(
        kind=READ_REPORTS, estimate=flow[at].astype(np.float64), log_mean=np.log1p(flow[at].astype(np.float64)),
        spread=spread[at].astype(np.float64), members=0, offices=offices_speaking(panel)[at],
        **{k: getattr(saw, k)[at] for k in ("seen", "gap", "gap_office", "gap_meta")}, **{k: near[k][at] for k in near},
        **{k: np.asarray(v)[chosen] for k, v in (labels or {}).items()})


class _Sums:
    """Running sums of what members say of each cell of one kind, so that one member is in memory at a time."""

    def __init__(self, length: int):
        self.number = np.zeros(length, dtype=np.int64)
        self.persons, self.logs, self.squares = np.zeros((3, length))
        self.about = {k: np.full(length, 127 if how == "min" else -1, dtype=np.int8) for k, how in _SMALLEST.items()}
        self.near, self.known = np.zeros((2, len(NEIGHBOURS), length))

    def add(self, mine, said, about):
        self.number += mine
        logs = np.log1p(said)
        for total, value in ((self.persons, said), (self.logs, logs), (self.squares, logs**2)):
            total += np.where(mine, value, 0.0)
        for k, how in _SMALLEST.items():
            best = np.minimum if how == "min" else np.maximum
            self.about[k] = np.where(mine, best(self.about[k], about[k]), self.about[k]).astype(np.int8)
        for total, known, name in zip(self.near, self.known, NEIGHBOURS):
            here = mine & np.isfinite(about[name])
            total += np.where(here, about[name], 0.0)
            known += here

    def table(self, reports):
        k, n = np.flatnonzero(self.number), self.number
        n = n[k]
        near = np.where(self.known > 0, self.near / np.maximum(self.known, 1), np.nan)
        variance = (self.squares[k] - self.logs[k] ** 2 / n) / np.maximum(n - 1, 1)
        return reports.iloc[k].assign(estimate=self.persons[k] / n, members=n, log_mean=self.logs[k] / n,
                                      spread=np.where(n > 1, np.sqrt(np.maximum(variance, 0.0)), 0.0),
                                      **{name: v[k] for name, v in self.about.items()},
                                      **dict(zip(NEIGHBOURS, near[:, k].astype(np.float32))))


FEATURES = ("log_estimate", "spread", "seen", "gap", "gap_office", "gap_meta", "offices", "region_origin",
            "region_destination", "log_population_origin", "log_population_destination", "log_income_origin",
            "log_income_destination", "log_distance", "contiguity", "log_stock", "log_stock_back", "log_displaced",
            "log_displaced_flow", "log_conflict", "share_of_origin", *NEIGHBOURS)
CATEGORIES = (FEATURES.index("region_origin"), FEATURES.index("region_destination"))


class Surroundings:
    """What is known of every corridor and year, to judge how hard its flow is to tell; nothing in it is a report.

    What reports of neighbouring years say depends on who saw them, and comes with the cells.

    Parameters
    ----------
    panel : its populations, incomes, distances, first stocks, refugees and conflicts are read.
    regions : of each territory, in the panel's order.
    """

    def __init__(self, panel: xr.Dataset, regions: Iterable[str]):
        names, self.region = np.unique(np.asarray(list(regions), dtype=str), return_inverse=True)
        self.region_names = tuple(names)
        by_place = ("year", "residence")
        self.population = np.log1p(panel["population"].transpose("date_year", "residence").values[:-1])
        self.income = np.log(np.maximum(panel["gdp_per_capita"].transpose(*by_place).values, 1.0)) \
            if "gdp_per_capita" in panel else np.full(self.population.shape, np.nan)
        self.conflict = _log_of(panel, "conflict_deaths", by_place, self.population.shape)
        pair = ("origin", "destination")
        n = panel.sizes["origin"]
        self.distance = _log_of(panel, "distance", pair, (n, n))
        self.border = panel["contiguity"].values if "contiguity" in panel else np.zeros((n, n))
        self.stock = np.log1p(panel["stock_initial"].transpose("birthplace", "residence").values)
        shape = (panel.sizes["year"], n, n)
        self.displaced, self.fled = (_log_of(panel, k, ("year", *pair), shape)
                                     for k in ("displaced_stock", "displaced_flow"))

    def features(self, year, origin, destination, estimate, spread, seen: Mapping[str, np.ndarray]) -> np.ndarray:
        """Features, float32 (cell, len(FEATURES)); NaN where unknown.

        Parameters
        ----------
        year, origin, destination : positions, (cell,).
        estimate : persons; ``spread`` of the members' log(1 + x).
        seen : ``seen, gap, gap_office, gap_meta, offices`` as :class:`Seen` has them, (cell,), and ``NEIGHBOURS``.
        """
        t, o, d = (np.asarray(k, dtype=np.int64) for k in (year, origin, destination))
        size = np.log1p(np.asarray(estimate, dtype=np.float64))
        columns = (size, spread, *(seen[k] for k in ("seen", "gap", "gap_office", "gap_meta", "offices")),
                   self.region[o], self.region[d], self.population[t, o], self.population[t, d], self.income[t, o],
                   self.income[t, d], self.distance[o, d], self.border[o, d], self.stock[o, d], self.stock[d, o],
                   self.displaced[t, o, d], self.fled[t, o, d], self.conflict[t, o], size - self.population[t, o],
                   *(seen[k] for k in NEIGHBOURS))
        out = np.empty((len(t), len(FEATURES)), dtype=np.float32)
        for k, column in enumerate(columns):
            out[:, k] = column
        return out

    def features_of(self, cells: pd.DataFrame) -> np.ndarray:
        """The same of a table of cells. A held-out year has one member that did not see it: no spread."""
        spread = cells["spread"].where(cells["kind"] != YEARS, 0.0) if "kind" in cells else cells["spread"]
        return self.features(*(cells[k].to_numpy() for k in ("year", "origin", "destination", "estimate")), spread,
                             {k: cells[k].to_numpy() for k in (*_SMALLEST, *NEIGHBOURS)})


def _log_of(panel, name: str, dims, shape) -> np.ndarray:
    return np.log1p(panel[name].transpose(*dims).values) if name in panel else np.full(shape, np.nan)
