"""Tables of where data are needed most, from the draws.

Quantities are log(1 + persons a year) of flows, of all arrivals to and departures from a territory, of flows between
regions and of the world; net migration in persons. A corridor counts with ``FEWEST_PERSONS`` a year or more; sums of
variances over corridors are weighted by persons, so that they are the variance that a mover's corridor has in the mean.

An interval after a report is that of the draws drawn towards their mean (of logs) by √(1 − share): where it will lie
nobody knows in advance.
"""
from collections.abc import Sequence

import numpy as np
import pandas as pd

from ...errors import SchemaError
from ...results.needs_terms import CORRIDOR_COLUMNS, COUNTRY_COLUMNS, SIDES
from .candidates import OfficeErrors, bias_variance, report_variance
from .gather import Kept
from .reports import BOTH, KINDS, Report, report_of, reports_of, statistics, totals
from .update import share_error, share_told

FEWEST_PERSONS = 100.0
CHUNK = 4096            # flows updated at once: 104 draws × 4 statistics × 8 bytes of each are 14 MB
OFFICE_COLUMNS = ("rank", "territory", "side", "new", "own_told", "flows_told", "narrower", "arrivals_told",
                  "departures_told", "net_told", "regions_told", "world_told", "world_error")
SHARED_COLUMNS = ("territory", "target", "members", "r2", "r2_elsewhere", "r2_error", "gain", "told")
_ENDS80, _ENDS95 = (0.1, 0.9), (0.025, 0.975)


class Quantities:
    """Draws of all quantities, as tables need them; logs but for net migration.

    Parameters
    ----------
    kept : of ``gather``.
    regions : of each territory.
    fewest : persons a year, of corridors that count.

    Attributes
    ----------
    origin, destination : positions of corridors that count, (corridor,); ``logs`` (draw, corridor), ``weight``
        (corridor,), mean persons. ``arrivals, departures, net`` (draw, territory); ``world`` (draw,); ``regions``
        (draw, pair) with ``regions_weight``.

    Raises
    ------
    SchemaError
        For regions of other territories, or a world without a corridor that counts.
    """

    def __init__(self, kept: Kept, regions: Sequence[str], fewest: float = FEWEST_PERSONS):
        if len(regions) != len(kept.codes):
            raise SchemaError("needs", f"{len(regions)} regions of {len(kept.codes)} territories",
                              "name the region of each", "regions")
        self.persons = kept.flow.mean(0, dtype=np.float64)
        self.origin, self.destination = np.nonzero(self.persons >= fewest)
        if not len(self.origin):
            raise SchemaError("needs", f"no corridor has {fewest:g} persons a year", "count smaller ones", "fewest")
        self.logs = np.log1p(kept.flow[:, self.origin, self.destination].astype(np.float64))
        self.weight = self.persons[self.origin, self.destination]
        into, out_of = (kept.flow.sum(k, dtype=np.float64) for k in (1, 2))
        self.arrivals, self.departures, self.net = np.log1p(into), np.log1p(out_of), into - out_of
        self.world = np.log1p(into.sum(1))
        names, code = np.unique(np.asarray(regions, dtype=str), return_inverse=True)
        member = (code[:, None] == np.arange(len(names))).astype(np.float32)
        pairs = np.stack([member.T @ flow @ member for flow in kept.flow]).astype(np.float64)
        self.regions = np.log1p(pairs.reshape(len(pairs), -1))
        self.regions_weight = pairs.mean(0).ravel()
        self.network = kept.network

    def of_side(self, side: int, office: int) -> np.ndarray:
        """Which corridors an office reports, bool (corridor,)."""
        return (self.destination if side == 0 else self.origin) == office


def flow_shares(what: Quantities, reports: Sequence[Report], chosen=None, logs=None) -> np.ndarray:
    """Share of the variance of each chosen flow that reports would take away, (flow,); in the mean without bias.

    Parameters
    ----------
    chosen : positions among the corridors; all by default.
    logs : (draw, corridor), instead of the draws' own.
    """
    chosen = np.arange(len(what.origin)) if chosen is None else np.asarray(chosen)
    logs, out = what.logs if logs is None else logs, np.empty(len(chosen))
    for start in range(0, len(chosen), CHUNK):
        part = chosen[start:start + CHUNK]
        out[start:start + CHUNK] = share_told(
            logs[:, part], *statistics(reports, what.origin[part], what.destination[part]), what.network)
    return out


def weighted(shares: np.ndarray, variances: np.ndarray, weight: np.ndarray) -> float:
    """Share of the weighted sum of variances, 0 to 1: a sum of estimates without bias, cut off at the end."""
    whole = float((weight * variances).sum())
    return float(np.clip((weight * variances * shares).sum() / whole, 0, 1)) if whole > 0 else 0.0


def rank_offices(kept: Kept, what: Quantities, errors: OfficeErrors, *, offices: Sequence[int] | None = None,
                 ) -> pd.DataFrame:
    """What each office's report of arrivals, of departures and of both would tell, the most telling first.

    Parameters
    ----------
    offices : positions; all by default.

    Returns
    -------
    DataFrame with ``OFFICE_COLUMNS``. ``new``: share of the persons that it would report who are not reported yet.
    Shares of variances that would be taken away: ``own_told`` of the logs of the corridors that it reports and
    ``flows_told`` of those of all corridors, weighted by persons; ``arrivals_told``, ``departures_told``, ``net_told``
    of the territory's totals; ``regions_told`` of flows between regions, weighted by persons; ``world_told`` of all
    moves, with its standard error. ``narrower``: by which share the 95% intervals of the corridors that it reports
    would be shorter on the log scale, the median. Ordered by ``flows_told``. Offices that report everything already
    tell nothing.
    """
    variance, rows = what.logs.var(0, ddof=1), []
    of_regions = what.regions.var(0, ddof=1)
    for k in range(len(kept.codes)) if offices is None else offices:
        for kind in KINDS:
            reports = reports_of(kept, errors, k, kind)
            sides = range(2) if kind == BOTH else (SIDES.index(kind),)
            own = np.any([what.of_side(s, k) for s in sides], axis=0)
            row = {"territory": kept.codes[k], "side": kind, "new": _new(kept, what, k, sides)}
            if not reports:
                rows.append(row | dict.fromkeys(OFFICE_COLUMNS[4:], 0.0))
                continue
            shares = flow_shares(what, reports)
            y, noise = totals(reports)
            small = np.column_stack([what.arrivals[:, k], what.departures[:, k], what.net[:, k], what.world])
            told = np.clip(share_told(small, y, noise, what.network), 0, 1)
            rows.append(row | {
                "own_told": weighted(shares[own], variance[own], what.weight[own]),
                "flows_told": weighted(shares, variance, what.weight),
                "narrower": float(np.median(1 - np.sqrt(1 - np.clip(shares[own], 0, 1)))) if own.any() else 0.0,
                **dict(zip(("arrivals_told", "departures_told", "net_told", "world_told"), told)),
                "regions_told": weighted(share_told(what.regions, y, noise, what.network), of_regions,
                                         what.regions_weight),
                "world_error": float(share_error(what.world[:, None], y, noise, what.network)[0])})
    table = pd.DataFrame(rows).sort_values(["flows_told", "territory", "side"], ascending=[False, True, True])
    return table.assign(rank=np.arange(1, len(table) + 1)).reset_index(drop=True)[list(OFFICE_COLUMNS)]


def _new(kept: Kept, what: Quantities, office: int, sides: Sequence[int]) -> float:
    """Share of persons of the sides that are not reported yet."""
    whole, fresh = 0.0, 0.0
    for s in sides:
        at = (slice(None), office) if s == 0 else (office, slice(None))
        whole += what.persons[at].sum()
        fresh += (what.persons[at] * kept.unreported_years[s][at]).sum() / len(kept.years)
    return min(float(fresh / whole), 1.0) if whole > 0 else 0.0


def rank_countries(kept: Kept, what: Quantities, errors: OfficeErrors) -> pd.DataFrame:
    """Territories and sides by how many persons the 80% interval of their total would lose, the most first.

    Returns
    -------
    DataFrame with ``results.needs_terms.COUNTRY_COLUMNS`` and ``first_year, last_year``, a row for each territory and
    side. ``corridors`` that count; ``persons`` a year and their ``share`` of all who move; ``new`` as in
    :func:`rank_offices`. ``width`` of the 95% interval on the log scale, mean over corridors weighted by persons;
    ``sigma``, root of the so weighted mean variance of logs; ``gain``, the share of that variance that the report
    would take away; ``lower`` to ``upper_reported``, 80% intervals of the total.
    """
    variance, rows = what.logs.var(0, ddof=1), []
    width = _width(what.logs)
    everybody = what.persons.sum()
    for s, side in enumerate(SIDES):
        for k, code in enumerate(kept.codes):
            own = np.flatnonzero(what.of_side(s, k))
            report = report_of(kept, errors, k, s)
            shares, of_total = np.zeros(len(own)), 0.0
            total = (what.arrivals if s == 0 else what.departures)[:, k]
            if report.any_new:
                shares = flow_shares(what, [report], own)
                of_total = float(share_told(total[:, None], *totals([report]), what.network)[0])
            weight = what.weight[own] / max(what.weight[own].sum(), 1e-12)
            gain = weighted(shares, variance[own], weight)
            sigma = float(np.sqrt(weight @ variance[own]))
            now, then = _ends(total, 0.0), _ends(total, of_total)
            left = np.sqrt(1 - np.clip(shares, 0, 1))
            persons = float((what.persons[:, k] if s == 0 else what.persons[k]).sum())
            rows.append({"territory": code, "side": side, "corridors": len(own), "persons": persons,
                         "share": persons / everybody, "new": _new(kept, what, k, (s,)),
                         "width": float(weight @ width[own]), "width_reported": float(weight @ (left * width[own])),
                         "sigma": sigma, "sigma_reported": sigma * np.sqrt(1 - gain), "gain": gain,
                         "lower": now[0], "upper": now[1], "lower_reported": then[0], "upper_reported": then[1]})
    table = pd.DataFrame(rows)
    table["narrowing"] = table["width"] - table["width_reported"]
    table["narrowing_persons"] = (table["upper"] - table["lower"]) - (table["upper_reported"] - table["lower_reported"])
    table = table.sort_values(["narrowing_persons", "territory", "side"], ascending=[False, True, True])
    table = table.assign(rank=np.arange(1, len(table) + 1)).reset_index(drop=True)[list(COUNTRY_COLUMNS)]
    return table.assign(first_year=int(kept.years[0]), last_year=int(kept.years[-1]))


def rank_corridors(kept: Kept, what: Quantities, errors: OfficeErrors, seen: np.ndarray,
                   number: int | None = None) -> pd.DataFrame:
    """Corridors by how many persons their 80% interval would lose below the median, had one office reported this
    corridor and nothing else, the most first.

    Parameters
    ----------
    seen : what is reported of each corridor now, text (origin, destination): ``candidates.seen_of``.
    number : how many; all by default.

    Returns
    -------
    DataFrame with ``results.needs_terms.CORRIDOR_COLUMNS``: ``by``, whose report would take more away; ``gain``, the
    share of the variance; widths of the 95% interval on the log scale; ends of the 80% one; ``narrowing_below`` and
    ``narrowing_above``, what it loses on either side.
    """
    o, d, shares = what.origin, what.destination, np.zeros((2, len(what.origin)))
    for s in range(2):
        office = d if s == 0 else o
        years = kept.unreported_years[s][o, d]
        at = np.flatnonzero(years > 0)
        y = kept.unreported[s][:, o[at], d[at]].astype(np.float64)
        mean = y.mean(0)
        noise = ((mean / (1 + mean)) ** 2 * bias_variance(errors.bias_sd[s, office[at]])
                 + report_variance(errors.spread[s, office[at]], years[at], mean))
        for start in range(0, len(at), CHUNK):
            part = slice(start, start + CHUNK)
            shares[s, at[part]] = share_told(what.logs[:, at[part]], np.log1p(y[:, part])[..., None],
                                             noise[part, None, None], what.network)
    side, share = shares.argmax(0), np.clip(shares.max(0), 0, 1)
    left, width = np.sqrt(1 - share), _width(what.logs)
    now, then = _ends(what.logs, 0.0), _ends(what.logs, share)
    table = pd.DataFrame({
        "origin": kept.codes[o], "destination": kept.codes[d], "by": np.array(SIDES)[side], "persons": what.weight,
        "share": what.weight / what.persons.sum(), "seen": np.asarray(seen)[o, d], "width": width,
        "width_reported": width * left, "narrowing": width * (1 - left), "lower": now[0], "upper": now[1],
        "lower_reported": then[0], "upper_reported": then[1], "narrowing_below": then[0] - now[0],
        "narrowing_above": now[1] - then[1], "gain": share})
    table = table.sort_values(["narrowing_below", "origin", "destination"], ascending=[False, True, True])
    table.insert(0, "rank", np.arange(1, len(table) + 1))
    return table.head(number if number else len(table)).reset_index(drop=True)[list(CORRIDOR_COLUMNS)]


def shared_table(kept: Kept, what: Quantities, errors: OfficeErrors, *, seed: int = 0) -> pd.DataFrame:
    """How much a report of all arrivals of each territory tells of its other quantities.

    Returns
    -------
    DataFrame: territory, target, ``members`` (draws), ``told``: share of the target's variance that the report would
    take away; ``gain``: that of the arrivals themselves; ``r2``: their ratio, what draws of the two share;
    ``r2_error``: standard error of ``told``; ``r2_elsewhere``: mean of ``told`` for the same quantity of *another*
    territory, drawn at random, where little should be left. As ``told`` is, each is without what chance makes of it.
    """
    n = len(kept.codes)
    targets = {"departures": what.departures, "net migration": what.net, "foreign-born": np.log1p(kept.foreign_born)}
    if kept.before is not None:
        targets |= {"arrivals before": np.log1p(kept.before[0]), "departures before": np.log1p(kept.before[1])}
    order = np.random.default_rng([seed, 17]).permutation(n)
    other = np.empty(n, dtype=int)
    other[order] = np.roll(order, 1)         # a shift of a random order has no fixed point
    rows, away = [], {name: [] for name in targets}
    for k, code in enumerate(kept.codes):
        report = report_of(kept, errors, k, 0)
        if not report.any_new:
            continue
        y, noise = totals([report])
        own = np.column_stack([what.arrivals[:, k], *(x[:, k] for x in targets.values())])
        told = share_told(own, y, noise, what.network)
        error = share_error(own, y, noise, what.network)
        elsewhere = share_told(np.column_stack([x[:, other[k]] for x in targets.values()]), y, noise, what.network)
        gain = float(np.clip(told[0], 0, 1))
        for i, name in enumerate(targets):
            away[name].append(elsewhere[i])
            share = float(np.clip(told[i + 1], 0, 1))
            rows.append({"territory": code, "target": name, "members": len(what.network), "told": share, "gain": gain,
                         "r2": min(share / gain, 1.0) if gain > 0 else 0.0, "r2_error": float(error[i + 1])})
    table = pd.DataFrame(rows, columns=[c for c in SHARED_COLUMNS if c != "r2_elsewhere"])
    table["r2_elsewhere"] = table["target"].map({name: float(np.mean(x)) for name, x in away.items() if x})
    return table.sort_values(["target", "territory"], ignore_index=True)[list(SHARED_COLUMNS)]


def _width(logs: np.ndarray) -> np.ndarray:
    lower, upper = np.quantile(logs, _ENDS95, axis=0)
    return upper - lower


def _ends(logs: np.ndarray, share) -> np.ndarray:
    """Ends of the 80% interval in persons, of draws drawn towards their mean."""
    middle = logs.mean(0)
    drawn = middle + np.sqrt(1 - np.clip(share, 0, 1)) * (logs - middle)
    return np.expm1(np.quantile(drawn, _ENDS80, axis=0))
