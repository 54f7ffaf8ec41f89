"""Where data are needed most: how much narrower intervals would be if an office reported.

Intervals say what an office that was not read would report. Of every corridor and year two of them can be had: the one
that is published, and the one that would be left had the office of the destination (or of the origin) reported it. The
second is measured, not assumed: reports of offices that *were* read lie so and so far around the estimates that read
them, by size of flow (:class:`ReadNoise`). The assumption is that a new office would count as steadily as those that
report today.

What becomes known is what that office counts. Whether it counts everybody who moves is another matter: offices at the
two ends of a corridor disagree by much more than a read office does with the estimate
(:mod:`humanflows.results.needs_check` shows by how much), and only a simulated world knows who is right.

On the log scale a reported interval is the published one drawn towards the estimate by k = σ_read / σ_now, never more
than 1; estimates stay where they are, since nobody knows in advance what an office would say. In persons ends are not
symmetric: below, an interval cannot be longer than the estimate; above, it may be many times as long. Both lengths are
given, and corridors are ranked by the first, which no wild upper end can lead.
"""
from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from scipy import sparse

from ..errors import SchemaError
from ..panel.withhold import PLATFORMS
from .interval_cells import SEEN, Seen
from .interval_flows import Published
from .interval_material import ENDS
from .interval_model import FLOOR, SIZE_NAMES, size_class
from .interval_sums import Components, simulate_totals
from .needs_terms import CORRIDOR_COLUMNS, COUNTRY_COLUMNS, SIDES

FIRST_PERSONS = 1.0                     # mean flow a year: corridors with less are no part of the tables
SHRINKAGE = 200.0                       # cells: a size's noise is drawn towards that of all as by so many
_INSIDE_80 = (1, 2)                     # positions of the 80% ends among ENDS


class ReadNoise:
    """How far reports lie around estimates that read them: mean absolute log error by size of flow.

    Parameters
    ----------
    error : log(1 + reported) − log(1 + estimate), (cell,), of members that read the report.
    estimate : persons, (cell,).

    Raises
    ------
    SchemaError
        Without cells, for arrays of different length or numbers that are not finite.
    """

    def __init__(self, error, estimate):
        away, size = np.abs(np.asarray(error, dtype=np.float64)), size_class(estimate)
        if away.shape != size.shape or away.ndim != 1 or not len(away) or not np.isfinite(away).all():
            raise SchemaError("needs", f"errors {away.shape} beside sizes {size.shape}",
                              "give finite errors of one or more cells, with their estimates", "error")
        count = np.bincount(size, minlength=len(SIZE_NAMES))
        total = np.bincount(size, away, minlength=len(SIZE_NAMES))
        self.by_size = np.maximum((total + SHRINKAGE * away.mean()) / (count + SHRINKAGE), FLOOR)

    def sigma(self, estimate) -> np.ndarray:
        """Expected absolute log error of a flow of this size that is read."""
        return self.by_size[size_class(estimate)]


def last_years(saw: Seen, number: int) -> np.ndarray:
    """Positions of the last so many years, up to the one that half of the offices still reach.

    Raises
    ------
    SchemaError
        When no office reports, or not so many years lie before.
    """
    spoken = np.diagonal(saw.gap_office, axis1=1, axis2=2) == 0     # (year, territory): its own office reports anything
    reach = len(spoken) - 1 - spoken[::-1].argmax(0)[spoken.any(0)]
    last = int(np.median(reach)) if len(reach) else -1
    if number < 1 or last + 1 < number:
        raise SchemaError("needs", f"{number} years wanted, offices reach the {last + 1}. year",
                          "ask about fewer years, or of a panel with reports", "years")
    return np.arange(last + 1 - number, last + 1)


def already_reported(panel: xr.Dataset) -> np.ndarray:
    """Which flows the destination's, and the origin's, own office reports, bool (side, year, origin, destination)."""
    n, witness = panel.sizes["origin"], panel["flow_witness"].values
    out = np.zeros((len(SIDES), panel.sizes["year"], n, n), dtype=bool)
    office = panel.get_index("origin").get_indexer(panel["witness_reporter"].values.astype(str))[witness]
    office[np.isin(panel["witness_source"].values.astype(str), PLATFORMS)[witness]] = -1
    at = tuple(panel[f"flow_{k}"].values.astype(np.int64) for k in ("year", "origin", "destination"))
    for s, end in enumerate((at[2], at[1])):
        own = office == end
        out[(s, *(k[own] for k in at))] = True
    return out


def narrowing(asked: Published, already: np.ndarray, noise: ReadNoise, years: Sequence[int]) -> xr.Dataset:
    """Intervals of all corridors as published, and had the office of either end reported them in these years.

    Parameters
    ----------
    asked : the intervals that are published; of years in which offices report.
    already : of :func:`already_reported`: there, a report tells nothing new.
    noise : of reports that were read.
    years : positions of the years that would be reported.

    Returns
    -------
    Dataset, means over the years: ``persons, width, lower, upper, sigma`` (origin, destination), now; ``width_reported,
    lower_reported, upper_reported, sigma_reported, new`` (side, origin, destination), ``new`` the share of years that
    are not reported yet. Widths are of the 95% interval on log(1 + x), ends of the 80% interval in persons. ``seen``:
    what is seen in the last of the years, int8.
    """
    n, years = asked.flow.shape[1], np.asarray(years)
    now, then = np.zeros((4, n, n)), np.zeros((len(SIDES), 4, n, n))
    for t in years:
        logs, sigma = asked.ends(int(t))
        estimate = asked.flow[(int(t), *asked.pairs)].astype(np.float64)
        middle = np.log1p(estimate)[:, None]
        drawn = np.minimum(noise.sigma(estimate) / sigma, 1.0)
        now[(slice(None), *asked.pairs)] += _told(logs, sigma)
        for s in range(len(SIDES)):
            k = np.where(already[(s, int(t), *asked.pairs)], 1.0, drawn)
            then[s][(slice(None), *asked.pairs)] += _told(middle + k[:, None] * (logs - middle), k * sigma)
    now, then = now / len(years), then / len(years)
    names, flat = ("width", "lower", "upper", "sigma"), ("origin", "destination")
    deep = ("side", *flat)
    return xr.Dataset({"persons": (flat, asked.flow[years].mean(0, dtype=np.float64)),
                       "seen": (flat, asked.saw.seen[years[-1]]), **{k: (flat, v) for k, v in zip(names, now)},
                       "new": (deep, 1 - already[:, years].mean(1)),
                       **{f"{k}_reported": (deep, then[:, i]) for i, k in enumerate(names)}},
                      coords={"side": list(SIDES)})


def _told(logs: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Width of the 95% interval on the log scale, the two ends of the 80% one in persons, and σ: (4, pair)."""
    lower, upper = (np.expm1(logs[:, k]) for k in _INSIDE_80)
    return np.stack([logs[:, -1] - logs[:, 0], lower, upper, sigma])


def gain_of(sigma_now, sigma_reported) -> np.ndarray:
    """Share of the variance of what is not known of a flow that a report of it would take away, 0 to 1: 1 − (σ'/σ)²."""
    now, then = np.broadcast_arrays(np.asarray(sigma_now, dtype=np.float64), sigma_reported)
    ratio = np.divide(then, now, out=np.ones(now.shape), where=now > 0)
    return np.clip(1 - ratio**2, 0.0, 1.0)


def corridor_table(found: xr.Dataset, codes: Sequence[str], number: int | None = None) -> pd.DataFrame:
    """Corridors by how many persons their 80% interval would lose below the estimate, the most first.

    Parameters
    ----------
    found : of :func:`narrowing`.
    codes : of the territories.
    number : how many, all by default.

    Returns
    -------
    DataFrame with ``CORRIDOR_COLUMNS``: ``by`` is whose report narrows more (arrivals, where both do alike), ``share``
    of all people who move, ``narrowing`` what the 95% interval loses on the log scale, ``narrowing_below`` and
    ``narrowing_above`` what the 80% interval loses on either side of the estimate, persons a year.
    """
    codes, persons = np.asarray(codes, dtype=str), found["persons"].values
    o, d = np.nonzero(persons >= FIRST_PERSONS)
    below = (found["lower_reported"] - found["lower"]).transpose("side", ...).values[:, o, d]
    side = below.argmax(0)
    columns = {"origin": codes[o], "destination": codes[d], "by": np.array(SIDES)[side], "persons": persons[o, d],
               "share": persons[o, d] / persons.sum(), "seen": np.array(SEEN)[found["seen"].values[o, d]],
               "narrowing_below": below.max(0)}
    for k in ("width", "lower", "upper", "sigma"):
        columns[k] = found[k].values[o, d]
        columns[f"{k}_reported"] = found[f"{k}_reported"].values[side, o, d]
    table = pd.DataFrame(columns).assign(
        narrowing=lambda x: x["width"] - x["width_reported"],
        narrowing_above=lambda x: x["upper"] - x["upper_reported"],
        gain=lambda x: gain_of(x["sigma"].to_numpy(), x["sigma_reported"].to_numpy()))
    table = table.sort_values(["narrowing_below", "origin", "destination"], ascending=[False, True, True])
    table.insert(0, "rank", np.arange(1, len(table) + 1))
    return table.head(number if number else len(table)).reset_index(drop=True)[list(CORRIDOR_COLUMNS)]


def total_ends(asked: Published, found: xr.Dataset, members: np.ndarray, components: Components, *, draws: int = 200,
               seed: int = 0) -> pd.DataFrame:
    """80% intervals of all arrivals to, and all departures from, each territory: now and had its office reported.

    Errors are partly shared by corridors of one office (:func:`humanflows.results.interval_sums.simulate_totals`), so a
    total's interval is not the sum of its corridors'. The same draws serve both, so that chance does not blur the
    difference.

    Parameters
    ----------
    found : of :func:`narrowing`.
    members : flows of one year, (member, origin, destination), persons.
    components : how errors are shared.

    Returns
    -------
    DataFrame: side, place (position), lower, upper, lower_reported, upper_reported, persons.
    """
    origin, destination = asked.pairs
    n, cell = members.shape[1], np.arange(len(origin))
    flows, groups = members[:, origin, destination], {"destination": destination, "origin": origin}
    tables = []
    for side, place in zip(SIDES, (destination, origin)):
        into = sparse.csr_matrix((np.ones(len(cell)), (place, cell)), shape=(n, len(cell)))
        then = found["sigma_reported"].sel(side=side).values[origin, destination]
        now = found["sigma"].values[origin, destination]
        ends = [np.quantile(simulate_totals(flows, sigma, groups, components, into, draws=draws, seed=seed),
                            [ENDS[k] for k in _INSIDE_80], axis=0) for sigma in (now, then)]
        tables.append(pd.DataFrame({"side": side, "place": np.arange(n), "lower": ends[0][0], "upper": ends[0][1],
                                    "lower_reported": ends[1][0], "upper_reported": ends[1][1]}))
    return pd.concat(tables, ignore_index=True)


def country_table(found: xr.Dataset, totals: pd.DataFrame, codes: Sequence[str]) -> pd.DataFrame:
    """Territories and sides by how many persons the 80% interval of their total would lose, the most first.

    Parameters
    ----------
    found : of :func:`narrowing`; totals : of :func:`total_ends`; codes : of the territories.

    Returns
    -------
    DataFrame with ``COUNTRY_COLUMNS``, a row for each territory and side: ``corridors`` of a person or more,
    ``persons`` a year and their ``share`` of all who move; ``new``, share of them that its office does not report yet;
    widths on the log scale, ``narrowing`` and σ, means over persons; ends and ``narrowing_persons`` of the total.
    """
    persons, rows = found["persons"].values, []
    for s, side in enumerate(SIDES):
        for k, code in enumerate(codes):
            at = (slice(None), k) if side == "arrivals" else (k, slice(None))
            inside = persons[at] >= FIRST_PERSONS
            weight = np.where(inside, persons[at], 0.0)
            weight = weight / weight.sum() if weight.sum() > 0 else weight
            mean = {name: float(weight @ found[name].values[at]) for name in ("width", "sigma")}
            then = {name: float(weight @ found[name].values[s][at])
                    for name in ("width_reported", "sigma_reported", "new")}
            then["new"] = min(then["new"], 1.0)      # weights add up to one but for rounding
            rows.append({"territory": code, "side": side, "place": k, "corridors": int(inside.sum()),
                         "persons": persons[at].sum(), "share": persons[at].sum() / persons.sum(), **mean, **then})
    table = pd.DataFrame(rows).merge(totals, on=["side", "place"], how="left", validate="one_to_one")
    table["narrowing"] = table["width"] - table["width_reported"]
    table["gain"] = gain_of(table["sigma"].to_numpy(), table["sigma_reported"].to_numpy())
    table["narrowing_persons"] = (table["upper"] - table["lower"]) - (table["upper_reported"] - table["lower_reported"])
    table = table.sort_values(["narrowing_persons", "territory", "side"], ascending=[False, True, True])
    table["rank"] = np.arange(1, len(table) + 1)
    return table.reset_index(drop=True)[list(COUNTRY_COLUMNS)]
