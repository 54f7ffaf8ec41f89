"""Named shocks: does the estimate rise and fall when those who count say that it did?

A shock is a set of corridors, the years in which something happened, and the years before with which they are compared.
The lists are data: the real world's is here, a twin's is made from its events.
"""
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import xarray as xr

from ..config import TwinEventsConfig
from ..errors import ConfigError
from ..panel.harmonise import best_stock
from ..territories import name
from .summaries import reported_flows

REPORTED, DISPLACED, STOCK = "reported", "displaced", "stock"   # what stands beside an estimate
ESTIMATE = "estimate"
LEAST = 100.0       # persons; a rise from fewer is counted from here, since a rise from nobody is infinite
NOTABLE = np.log(1.25)     # a rise by a quarter, or the fall that undoes it; of less, no share can be found
MARGIN = 3          # years shown before and after
COLUMNS = ("shock", "title", "year", "series", "kind", "persons", "estimated", "corridors")
SCORE_COLUMNS = ("shock", "title", "series", "kind", "corridors", "held_out", "before", "during", "estimated_before",
                 "estimated_during", "rise", "estimated_rise", "log_ratio", "found")
_DISPLACED_TITLES = {"displaced_flow": "new refugees and asylum seekers",
                     "displaced_stock": "change of refugees and others displaced"}


@dataclass(frozen=True)
class Shock:
    """Something that happened to a set of corridors, and when.

    ``origins`` and ``destinations`` are codes, empty for all; ``during`` and ``before`` the first and last year of the
    shock and of what it is compared with; ``beside`` says who else is asked.
    """

    name: str
    title: str
    origins: tuple[str, ...]
    destinations: tuple[str, ...]
    during: tuple[int, int]
    before: tuple[int, int]
    beside: tuple[str, ...] = field(default=(REPORTED,))

    def __post_init__(self):
        unknown = set(self.beside) - {REPORTED, DISPLACED, STOCK}
        if unknown:
            raise ConfigError("shocks", f"nobody is called {sorted(unknown)[0]!r}", "use reported, displaced or stock",
                              key=self.name)
        if self.before[0] > self.before[1] or self.before[1] >= self.during[0] or self.during[0] > self.during[1]:
            raise ConfigError("shocks", f"years {self.before} do not lie before {self.during}",
                              "give (first, last) years, the ones before first", key=self.name)

    @property
    def years(self) -> list[int]:
        """The years that are compared."""
        return [*range(self.before[0], self.before[1] + 1), *range(self.during[0], self.during[1] + 1)]


WORLD_SHOCKS = (
    Shock("RWA-COD-1994", "Rwanda to Congo (DR), flight of 1994", ("RWA",), ("COD",), (1994, 1994),
          (1990, 1993), (REPORTED, DISPLACED)),
    Shock("POL-GBR-2004", "Poland to the United Kingdom, accession of 2004", ("POL",), ("GBR",), (2005, 2007),
          (2001, 2003)),
    Shock("ROU-ESP-2007", "Romania to Spain, accession of 2007", ("ROU",), ("ESP",), (2007, 2007), (2003, 2005)),
    Shock("ROU-ITA-2007", "Romania to Italy, accession of 2007", ("ROU",), ("ITA",), (2007, 2008), (2003, 2005)),
    Shock("MEX-USA-2008", "Mexico to the United States, fall of the 2000s", ("MEX",), ("USA",), (2008, 2010),
          (2000, 2003), (REPORTED, STOCK)),
    Shock("BGD-SAU-2010", "Bangladesh to Saudi Arabia, recruitment of the 2010s", ("BGD",), ("SAU",), (2015, 2018),
          (2009, 2013), (REPORTED, STOCK)),
    Shock("SYR-TUR-2013", "Syria to Turkey, war", ("SYR",), ("TUR",), (2013, 2015), (2007, 2010),
          (REPORTED, DISPLACED)),
    Shock("SYR-DEU-2014", "Syria to Germany, war", ("SYR",), ("DEU",), (2014, 2015), (2007, 2010),
          (REPORTED, DISPLACED)),
    Shock("VEN-COL-2018", "Venezuela to Colombia, collapse", ("VEN",), ("COL",), (2017, 2019), (2010, 2013),
          (REPORTED, DISPLACED)),
    Shock("pandemic-2020", "All corridors, pandemic of 2020", (), (), (2020, 2020), (2019, 2019)),
    Shock("UKR-2022", "Ukraine to everywhere, war of 2022", ("UKR",), (), (2022, 2022), (2019, 2021),
          (REPORTED, DISPLACED)),
)


def twin_shocks(settings: TwinEventsConfig, events, span: int = 3) -> tuple[Shock, ...]:
    """The shocks of a simulated world: its war, both accessions, the closed border, the pandemic.

    Parameters
    ----------
    settings : the sliders, ``config.twin.events``.
    events : what the seed drew, ``world.events``: ``war_territory``, ``union``, ``closed_corridor``.
    span : years compared with before; three years of the pandemic's past are enough, more of an accession are needed.
    """
    def before(first):
        return first - span, first - 1

    found = []
    if settings.war_years:
        end = settings.war_year + min(settings.war_years, span) - 1
        found.append(Shock("war", f"{name(events.war_territory)} to everywhere, war", (events.war_territory,), (),
                           (settings.war_year, end), before(settings.war_year), (REPORTED, DISPLACED)))
    founders = tuple(c for c, year in events.union.items() if year == 0)
    for wave, year in (("first", settings.union_first_year), ("second", settings.union_second_year)):
        newcomers = tuple(c for c, joined in events.union.items() if joined == year)
        if newcomers and founders:
            full = year + settings.union_opening
            found.append(Shock(f"union-{wave}", f"Newcomers of {year} to the union's founders", newcomers, founders,
                               (full, full + span - 1), before(year)))
    if events.closed_corridor and settings.closure_years:
        origin, destination = events.closed_corridor.split("-")
        end = settings.closure_year + min(settings.closure_years, span) - 1
        title = f"{name(origin)} to {name(destination)}, closed border"
        found.append(Shock("closure", title, (origin,), (destination,), (settings.closure_year, end),
                           before(settings.closure_year), (REPORTED, STOCK)))
    year = settings.pandemic_year
    found.append(Shock("pandemic", f"All corridors, pandemic of {year}", (), (), (year, year), (year - 1, year - 1)))
    return tuple(found)


def shocks(flow: xr.DataArray, panel: xr.Dataset, named: Sequence[Shock],
           others: Mapping[str, xr.DataArray] | None = None) -> pd.DataFrame:
    """Courses of the estimate through named shocks, beside what anybody else says.

    Parameters
    ----------
    flow : (year, origin, destination), persons, of the panel's territories.
    panel : for reported flows, displaced persons and stocks.
    named : the shocks. Those whose territories or years the flow does not have are left out.
    others : further flows like ``flow``, by name: other estimates, or in a simulated world the truth.

    Returns
    -------
    DataFrame with columns ``COLUMNS``, a row for each series and year from three years before the comparison to three
    after the shock: ``persons`` as the series has them, ``estimated`` what is estimated for the same corridors and
    year, ``corridors`` how many these are. Kinds:

    - ``"estimate"``, and each of ``others``: all corridors of the shock.
    - ``"reported"``: one for each collection, side and criterion that has at least a year before and one of the shock.
      The sum over corridors reported in *every* year compared in which the set reports any, in years in which all of
      them are; a sum over other corridors every year would rise and fall by who reports.
    - ``"displaced"``: new refugees and asylum seekers of the year, and the change of those counted at its end (which
      returns, deaths and naturalisations make smaller).
    - ``"stock"``: yearly change of the counted stock of the origin's natives in the destination, between counts that
      are years apart.
    """
    flow = flow.transpose("year", "origin", "destination")
    reports, rows = _positioned(reported_flows(panel), flow), []
    for shock in named:
        inside = _corridors(shock, flow)
        years = flow["year"].values
        if inside is None or not set(shock.years) <= set(years.tolist()):
            continue
        shown = years[(years >= shock.before[0] - MARGIN) & (years <= shock.during[1] + MARGIN)]
        estimated = pd.Series(_total(flow, inside), index=years)
        about = (shock.name, shock.title)
        everything = [(ESTIMATE, ESTIMATE, estimated)]
        everything += [(who, who, pd.Series(_total(x.transpose(*flow.dims).reindex_like(flow), inside), years))
                       for who, x in (others or {}).items()]
        everything += [s for s in _beside(shock, panel, inside)]
        for series, kind, persons in everything:
            rows += [(*about, int(y), series, kind, float(persons[y]), float(estimated[y]), int(inside.sum()))
                     for y in shown if y in persons.index and np.isfinite(persons[y])]
        if REPORTED in shock.beside:
            rows += [(*about, *row) for row in _reported(shock, reports, flow, inside, shown)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _corridors(shock: Shock, flow: xr.DataArray) -> np.ndarray | None:
    """Mask (origin, destination); None where a territory is not in the flow."""
    places = flow["origin"].values.astype(str)
    if not set(shock.origins) | set(shock.destinations) <= set(places):
        return None
    ends = [np.isin(places, codes) if codes else np.ones(len(places), bool)
            for codes in (shock.origins, shock.destinations)]
    return ends[0][:, None] & ends[1] & ~np.eye(len(places), dtype=bool)


def _total(flow: xr.DataArray, inside: np.ndarray) -> np.ndarray:
    return flow.values[:, inside].astype(np.float64).sum(1)


def _beside(shock: Shock, panel: xr.Dataset, inside: np.ndarray):
    years = panel["year"].values
    if DISPLACED in shock.beside and "displaced_flow" in panel:
        yield (_DISPLACED_TITLES["displaced_flow"], DISPLACED,
               pd.Series(_total(panel["displaced_flow"], inside), index=years))
    if DISPLACED in shock.beside and "displaced_stock" in panel:
        held = _total(panel["displaced_stock"], inside)
        first = panel["displaced_before"].values[inside].sum() if "displaced_before" in panel else np.nan
        yield _DISPLACED_TITLES["displaced_stock"], DISPLACED, pd.Series(np.diff(held, prepend=first), index=years)
    if STOCK in shock.beside:
        counted = best_stock(panel).astype(np.float64)[:, inside]       # [stock_year, corridor]
        at = panel["stock_year"].values
        known = np.isfinite(counted).all(1)
        if known.sum() >= 2:
            total = counted[known].sum(1)
            middle = np.interp([*years, years[-1] + 1], at[known], total)
            # no change can be told before the first count and after the last
            change = np.where((years >= at[known][0]) & (years < at[known][-1]), np.diff(middle), np.nan)
            yield "change of the counted stock", STOCK, pd.Series(change, index=years)


def _positioned(reports: pd.DataFrame, flow: xr.DataArray) -> pd.DataFrame:
    places = {code: i for i, code in enumerate(flow["origin"].values.astype(str))}
    return reports.assign(o=reports["origin"].map(places).to_numpy(), d=reports["destination"].map(places).to_numpy())


def _reported(shock: Shock, reports: pd.DataFrame, flow: xr.DataArray, inside: np.ndarray, shown: np.ndarray):
    rows = reports[inside[reports["o"], reports["d"]] & reports["year"].isin(shown).to_numpy()]
    position = {int(y): i for i, y in enumerate(flow["year"].values)}
    for (collection, side, criterion), told in rows.groupby(["collection", "side", "criterion"]):
        table = told.pivot_table(index="year", columns=["o", "d"], values="persons", aggfunc="mean")
        compared = [y for y in shock.years if y in table.index]
        steady = table.columns[table.loc[compared].notna().all()]
        if not len(steady) or {y >= shock.during[0] for y in compared} != {True, False}:
            continue
        total = table[steady].dropna().sum(axis=1)
        o, d = (steady.get_level_values(k).to_numpy() for k in ("o", "d"))
        for year, persons in total.items():
            estimated = flow.values[position[int(year)], o, d].astype(np.float64).sum()
            yield (int(year), f"{collection}, {side}, {criterion}", REPORTED, float(persons), float(estimated),
                   len(steady))


def score_shocks(table: pd.DataFrame, named: Sequence[Shock], splits: xr.Dataset | None = None) -> pd.DataFrame:
    """Is the rise of the estimate the rise that others saw?

    Parameters
    ----------
    table : as :func:`shocks` makes it, of the same shocks.
    named : for the years.
    splits : to say which share of a shock's corridors was held out; without, that column is NaN.

    Returns
    -------
    DataFrame with columns ``SCORE_COLUMNS``, a row for each series beside an estimate: means of a year, persons,
    ``before`` and ``during``, of the series and of the estimate for the same corridors; ``rise`` and
    ``estimated_rise``, during over before, both counted from 100 persons; ``log_ratio``, the log of the estimated rise
    over the other's: 0 for the same rise, −0.69 for half of it; and ``found``, the additional persons of the estimate
    over those of the series, where the series changes by a quarter or more. A refugee count starts near nothing and is
    no flow of all migrants: there ``found`` says more than the ratio of rises.
    """
    rows = []
    by_name = {s.name: s for s in named}
    for (which, title, series, kind), course in table[table["kind"] != ESTIMATE].groupby(
            ["shock", "title", "series", "kind"], sort=False):
        shock = by_name[which]
        means = {}
        for when, (first, last) in (("before", shock.before), ("during", shock.during)):
            here = course[course["year"].between(first, last)]
            means |= {when: here["persons"].mean(), f"estimated_{when}": here["estimated"].mean()}
        if not np.isfinite(list(means.values())).all():     # another estimate that lacks these years
            continue
        rise, estimated = (max(means[f"{p}during"], LEAST) / max(means[f"{p}before"], LEAST)
                           for p in ("", "estimated_"))
        more = means["during"] - means["before"]
        estimated_more = means["estimated_during"] - means["estimated_before"]
        found = estimated_more / more if abs(np.log(rise)) > NOTABLE else np.nan
        rows.append({"shock": which, "title": title, "series": series, "kind": kind,
                     "corridors": int(course["corridors"].iloc[0]), "held_out": _held_out(shock, splits), **means,
                     "rise": rise, "estimated_rise": estimated, "log_ratio": float(np.log(estimated / rise)),
                     "found": found})
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def _held_out(shock: Shock, splits: xr.Dataset | None) -> float:
    if splits is None:
        return float("nan")
    inside = _corridors(shock, splits["held_out"])
    return float(splits["held_out"].values.astype(bool)[inside].mean()) if inside is not None else float("nan")
