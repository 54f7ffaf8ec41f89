"""What was observed, as arrays beside a run of the model: reports, displaced people, stocks, net migration.

Positions are flat into a run's arrays: flows, arrivals and departures are [year, N, N], one after the other; stocks at
the middle of a year are [year, birthplace, residence]. Everything about a held-out corridor stays outside.
"""
from dataclasses import dataclass

import numpy as np
import xarray as xr

from ..panel.draws import drawn_biases, drawn_weights
from ..panel.reported_totals import displaced_moves
from ..panel.reporting_systems import CLASSES, DURATIONS
from .privacy_noise import CENSORED_BELOW, FEW_MISSED
from .recursion import DISPLACED_FROM

# Of two reports of one series a year apart, the share of the error that is the same: an office that misses a corridor's
# people misses them again. A series of L reports is worth 1 + INDEPENDENT (L - 1) independent ones.
INDEPENDENT = 0.35


@dataclass(frozen=True)
class Reports:
    """Reports learned from, [M]; each belongs to a series (one source, reporter, side, criterion about one pair) and to
    a cell (one source, reporter, side, criterion and year), which decides its bias."""

    position: np.ndarray      # flat, of what the report counts
    persons: np.ndarray
    weight: np.ndarray        # of its nats: a member's draw; 1 without one
    share: np.ndarray         # independent reports that it is worth, from its series' length
    cell: np.ndarray
    series: np.ndarray
    spread: np.ndarray        # standard deviation of its log error around its biased mean
    proxy: np.ndarray         # bool: by citizenship or birthplace


@dataclass(frozen=True)
class Biases:
    """Cells of the log biases, [C], series of cells in order of their years."""

    witness: np.ndarray       # position in the panel's list
    year: np.ndarray
    mean: np.ndarray          # prior mean, a member's draw included
    deviation: np.ndarray     # prior standard deviation of a step; the first cell's is that of the whole series' level
    first: np.ndarray         # [C] position of the first cell of the same witness
    free: np.ndarray          # [C] 0 where the series anchors the level, and its bias is its prior mean


# Systems whose level is taken for the flows', where they count stays of twelve months and are expected to miss few:
# registers that are told who has arrived elsewhere or that strike off who has left, borders where everybody is counted,
# surveys and estimates of the offices, and the platform, which is weighted to the population and agrees with registers
# of twelve months. Were they free to move together, the biases would swallow the level: in the logarithm of a flow, one
# is as good as the other.
ANCHORS = ("register_exchange", "register_corrected", "border_cards", "border_records", "survey", "estimate",
           "platform")
SLOW, BREAK = 0.03, 0.3       # yearly standard deviation of a log bias, and where the office changed its counting


def read_reports(panel: xr.Dataset, mask: np.ndarray, spread: np.ndarray) -> tuple[Reports, Biases]:
    """Reports and the cells of their biases.

    Parameters
    ----------
    panel : with what is expected of its reports (``panel.report_priors``).
    mask : [observation] bool, the reports to learn from.
    spread : [year, witness] standard deviation of log reports around their biased means (``spreads``).
    """
    n, years = panel.sizes["origin"], panel.sizes["year"]
    chosen = np.flatnonzero(mask)
    y, o, d, w = (panel[f"flow_{k}"].values[chosen].astype(np.int64) for k in ("year", "origin", "destination",
                                                                               "witness"))
    side = panel.witness_side.values[w]
    by_residence = panel.witness_criterion.values[w] == "residence"
    # arrivals are [birthplace, destination]; people born in `destination` who leave `origin`: [birthplace, origin]
    flow, departures = y * n * n + o * n + d, y * n * n + d * n + o
    block = years * n * n
    position = np.where(by_residence, flow, np.where(side == "emigration", 2 * block + departures, block + flow))
    cell_key, cell = np.unique(w * years + y, return_inverse=True)
    _, series, length = np.unique((w * n + o) * n + d, return_inverse=True, return_counts=True)
    length = length[series]
    weight = drawn_weights(panel, w, o, d)
    reports = Reports(
        position=position, persons=panel.flow_persons.values[chosen].astype(np.float32),
        weight=np.ones(len(chosen), np.float32) if weight is None else weight.astype(np.float32),
        share=((1 + INDEPENDENT * (length - 1)) / length).astype(np.float32), cell=cell, series=series,
        spread=spread[y, w].astype(np.float32), proxy=~by_residence)
    return reports, _biases(panel, *np.divmod(cell_key, years))


def _biases(panel: xr.Dataset, w: np.ndarray, y: np.ndarray) -> Biases:
    mean, deviation, system, broken = (panel[k].values[y, w] for k in (
        "report_log_bias", "report_log_bias_sd", "report_system", "report_break"))
    begins = np.diff(w, prepend=-1) != 0
    gap = np.where(begins, 0, np.diff(y, prepend=0))
    changed = ~begins & (np.diff(system, prepend=-1) != 0)
    step = np.sqrt(gap * SLOW**2 + np.where(broken > 0, BREAK**2, 0.0))
    drawn = drawn_biases(panel)
    if drawn is not None:
        mean = mean + drawn[0][w] + drawn[1][w]
    return Biases(w, y, mean.astype(np.float32), np.where(begins | changed, deviation, step).astype(np.float32),
                  np.maximum.accumulate(np.where(begins, np.arange(len(w)), 0)),
                  (~anchored_reports(panel)[y, w]).astype(np.float32))


def anchored_reports(panel: xr.Dataset) -> np.ndarray:
    """Whether the reports of a series and year anchor the level of flows, bool [year, witness]."""
    return np.isin(panel.report_class.values, [list(CLASSES).index(name) for name in ANCHORS]) \
        & (panel.report_duration.values == DURATIONS.index("12")) \
        & (np.abs(panel.report_log_bias.values) <= FEW_MISSED) \
        & (panel.witness_criterion.values.astype(str) == "residence")


def read_censored(panel: xr.Dataset, mask: np.ndarray, corridors: np.ndarray, biases: Biases) -> dict:
    """Corridors that a source which suppresses small counts leaves out, in the years that it covers.

    Returns
    -------
    dict of arrays [K]: ``position``, ``cell`` (of ``biases``), ``limit`` (persons), ``share`` (independent counts that
    each is worth); empty without such a source.
    """
    n, years = panel.sizes["origin"], panel.sizes["year"]
    source = panel.witness_source.values.astype(str)
    cells = biases.witness.astype(np.int64) * years + biases.year
    position, cell, limit = [], [], []
    for name, below in CENSORED_BELOW.items():
        for w in np.flatnonzero(source == name):
            mine = panel.flow_witness.values == w
            y, o, d = (panel[f"flow_{k}"].values[mine].astype(np.int64) for k in ("year", "origin", "destination"))
            seen = mask[mine]    # that a source shows a held-out corridor at all is not to be learned either
            for year in np.unique(y[seen]):
                here = y == year
                origins, destinations = np.zeros(n, bool), np.zeros(n, bool)
                origins[o[here & seen]], destinations[d[here & seen]] = True, True
                absent = origins[:, None] & destinations[None] & corridors
                absent[o[here], d[here]] = False
                flat = np.flatnonzero(absent)
                position.append(year * n * n + flat)
                cell.append(np.full(len(flat), np.searchsorted(cells, w * years + year)))
                limit.append(np.full(len(flat), below, np.float32))
    if not position:
        return {}
    position = np.concatenate(position)
    _, pair, length = np.unique(position % (n * n), return_inverse=True, return_counts=True)
    share = (1 + INDEPENDENT * (length - 1)) / length
    return {"position": position, "cell": np.concatenate(cell), "limit": np.concatenate(limit),
            "share": share[pair].astype(np.float32)}


def read_displaced(panel: xr.Dataset, corridors: np.ndarray) -> dict:
    """Refugees and asylum seekers who came in a year, and refugees who returned, [K]: ``position`` (of the flow) and
    ``persons``."""
    if "displaced_flow" not in panel:
        return {}
    persons = displaced_moves(panel)
    position = np.flatnonzero((persons > DISPLACED_FROM) & corridors[None])
    return {"position": position, "persons": persons.reshape(-1)[position].astype(np.float32)} if len(position) else {}


EXTRAPOLATED = 3.0        # times the deviation of a count of the past
EARLIER = 0.25            # weight of a revision's figure beside the same one of the next


def read_stocks(panel: xr.Dataset) -> dict:
    """Counts at mid-year of every revision, differences within a revision between successive counts, and totals.

    Returns
    -------
    dict: ``position, persons, share, times`` of counts; ``before, after, change, share_of_change, times_of_change,
    displaced`` of differences; ``foreign_year, foreign_place, foreign, foreign_deviation`` of all foreign-born of a
    territory, others and unknown origins included. ``times`` are deviations of a count of the past. ``displaced`` are
    new refugees and asylum seekers between the counts, either way: whether a stock holds them, and from when on,
    differs between sources.
    """
    observed = panel.stock_observed.values.astype(np.float64)
    start = panel.stock_year.values - int(panel.year[0])   # mid-year lies between 1 January start and start + 1
    n = panel.sizes["residence"]
    # The last count of a revision precedes the censuses that will tell it: it carries earlier ones on.
    last = np.array([np.flatnonzero(np.isfinite(x).any((1, 2))).max(initial=0) for x in observed])
    r, s, b, d = np.nonzero(np.isfinite(observed))
    out = {"position": start[s] * n * n + b * n + d, "persons": observed[r, s, b, d].astype(np.float32),
           "share": _share_of_revisions(np.isfinite(observed))[r, s, b, d],
           "times": np.where(s == last[r], EXTRAPOLATED, 1.0).astype(np.float32)}
    difference = np.diff(observed, axis=1)
    r, s, b, d = np.nonzero(np.isfinite(difference))
    displaced = np.nan_to_num(panel.displaced_flow.values).cumsum(0) if "displaced_flow" in panel \
        else np.zeros((panel.sizes["year"], n, n))
    both = displaced + displaced.transpose(0, 2, 1)
    out |= {"before": start[s] * n * n + b * n + d, "after": start[s + 1] * n * n + b * n + d,
            "change": difference[r, s, b, d].astype(np.float32),
            "times_of_change": np.where(s + 1 == last[r], EXTRAPOLATED, 1.0).astype(np.float32),
            "share_of_change": _share_of_revisions(np.isfinite(difference))[r, s, b, d],
            "displaced": (both[start[s + 1], b, d] - both[start[s], b, d]).astype(np.float32)}
    return out | _foreign_born(panel, observed, start)


def _share_of_revisions(told: np.ndarray) -> np.ndarray:
    """Share of each figure [revision, ...] that counts: one in all, most of it the newest revision's that tells it.

    A revision is made to replace the one before, which still says how sure a figure is.
    """
    weight = told * EARLIER ** np.cumsum(told[::-1], axis=0)[::-1]
    return (weight / np.maximum(weight.sum(0), 1e-9)).astype(np.float32)


FOREIGN_BORN = "undesa_ims_2024|stock|residence|birthplace|total"
FOREIGN_DEVIATION = 0.05      # of the log of all foreign-born, where all of them have a known birthplace


def _foreign_born(panel, observed, start) -> dict:
    if "margin" not in panel or FOREIGN_BORN not in (labels := panel.margin.values.astype(str).tolist()):
        return {}
    mine = (panel.margin_series.values == labels.index(FOREIGN_BORN)) & (panel.margin_persons.values > 0)
    year, place = panel.margin_year.values[mine].astype(int), panel.margin_territory.values[mine].astype(int)
    total = panel.margin_persons.values[mine]
    of_year = {int(t): k for k, t in enumerate(start)}
    known = np.array([t in of_year for t in year], bool)
    year, place, total = year[known], place[known], total[known]
    pairs = np.nansum(observed[-1], axis=1)[[of_year[t] for t in year], place]
    # People of unknown or other birthplaces are among natives in the model's state: as many of them as there are, as
    # little does the total say.
    unknown = np.abs(np.log(np.maximum(total, 1) / np.maximum(pairs, 1)))
    return {"foreign_year": year, "foreign_place": place, "foreign": total.astype(np.float32),
            "foreign_deviation": (FOREIGN_DEVIATION + unknown).astype(np.float32)}


PROJECTED_FROM = 2024         # UN WPP 2024: estimates to 1 January 2024, medium variant after


def read_net_migration(panel: xr.Dataset) -> dict:
    """Net migration of UN WPP and of national statistics.

    Returns
    -------
    dict of arrays [K]: ``year, place, persons``; ``national``, or WPP's; ``counted``, the territory has national
    statistics; ``displaced``, new refugees and asylum seekers from there and in there; ``projected``, no estimate.
    """
    parts = []
    for name in ("net_migration", "net_migration_national"):
        year, place = np.nonzero(np.isfinite(panel[name].values))
        parts.append((year, place, panel[name].values[year, place].astype(np.float32),
                      np.full(len(year), name.endswith("national"))))
    year, place, persons, national = (np.concatenate(x) for x in zip(*parts))
    counted = np.isfinite(panel.net_migration_national.values).any(0)
    # Whether refugees are residents, and from when on, differs between population estimates.
    displaced = np.nan_to_num(panel.displaced_flow.values) if "displaced_flow" in panel \
        else np.zeros((panel.sizes["year"], 1, 1))
    displaced = np.broadcast_to(displaced.sum(1) + displaced.sum(2), panel.net_migration.shape)
    return {"year": year, "place": place, "persons": persons, "national": national,
            "displaced": displaced[year, place].astype(np.float32), "counted": counted[place],
            "projected": (panel.year.values[year] >= PROJECTED_FROM) & ~national}
