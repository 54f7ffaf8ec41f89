"""The panel without what a validation protocol withholds: what is not there cannot be learned from.

Masks that fitting code has to respect can be forgotten by one line of it. Here the numbers themselves are taken out
before anything reads the panel: observations are dropped, other figures become NaN, and what would give them away
through the accounting identity, population, is carried on by births and deaths alone.

Totals and remainders that a reporter publishes, and sums over several years, go with its reports.

Covariates stay, for all territories and years: GDP, conflict, displacement, trade, births, deaths, life expectancy,
membership and everything about pairs. So a blind year is not a forecast: it is estimated by somebody who knows that
year's economy, refugees and births, and no migration figure of it. Births and deaths are those of people who are
there, migrants included, and a population could be guessed from them (or from GDP over GDP per head, which nothing
reads together); what the accounting identity would reveal exactly is gone.
"""
from collections.abc import Iterable

import numpy as np
import xarray as xr

from ..errors import SchemaError
from ..schema import STATUS
from .publications import votes

PLATFORMS = ("meta",)      # sources whose "reporter" is no office: they are left out as a source, never as a reporter
FLOOR = 0.5                # of the last population that is shown: births less deaths never carry it below this share
NET = ("net_migration", "net_migration_national")
MADE_OF_NET = ("population_change", "population_midyear")   # read by nothing that fits; NaN is allowed in them


def reporters_of(panel: xr.Dataset) -> dict[str, int]:
    """Offices that report flows, and how many observations each has; platforms are no offices."""
    office = ~np.isin(_labels(panel, "source"), PLATFORMS)
    witness = panel["flow_witness"].values
    names, number = np.unique(_labels(panel, "reporter")[witness[office[witness]]], return_counts=True)
    return dict(zip(names.tolist(), number.tolist()))


def sources_of(panel: xr.Dataset) -> list[str]:
    """Sources of reported flows, in alphabetical order."""
    return sorted(set(_labels(panel, "source")[panel["flow_witness"].values].tolist()))


def withheld_observations(panel: xr.Dataset, *, blind_from: int | None = None, reporters: Iterable[str] = (),
                          sources: Iterable[str] = (), net_migration_of: Iterable[str] = ()) -> np.ndarray:
    """The flow observations that :func:`withhold` drops, bool array (observation,); arguments and errors as there."""
    reporters, sources, _ = _checked(panel, blind_from, reporters, sources, net_migration_of)
    source, reporter = _labels(panel, "source"), _labels(panel, "reporter")
    out = np.isin(source, sources) | (np.isin(reporter, reporters) & ~np.isin(source, PLATFORMS))
    mask = out[panel["flow_witness"].values]
    if blind_from is not None:
        mask |= panel["year"].values[panel["flow_year"].values] >= blind_from
    # A number that is withheld is withheld in every collection that publishes it.
    number = votes(panel)
    return np.isin(number, number[mask])


def withhold(panel: xr.Dataset, *, blind_from: int | None = None, reporters: Iterable[str] = (),
             sources: Iterable[str] = (), net_migration_of: Iterable[str] = ()) -> xr.Dataset:
    """A copy of the panel that does not hold what a protocol withholds; the panel itself is left as it is.

    Parameters
    ----------
    panel : the panel of :func:`humanflows.panel.harmonise.harmonise`.
    blind_from : first blind year Y. Out are reported flows and net migration (UN WPP and national) of years from Y on,
        margins and indicators (permits, visas, returns, encounters) of years from Y on, sums over periods that reach Y,
        stock counts of ``stock_year`` from Y on (a count at mid-2024 lies inside blind 2022–2024; these entries are
        dropped), and reconstructions of periods that end in Y or later (period + 5 ≥ Y; dropped). Population after
        1 January Y is the last one shown carried on by births less deaths.
    reporters : alpha-3 codes of offices; their flow observations, margins of flows and sums over periods are dropped,
        in every source but ``PLATFORMS``. Their countries' net migration stays, and so does what other offices say
        about the same corridors.
    sources : names of sources; their flows are dropped and reconstructions by them. Stocks stay.
    net_migration_of : alpha-3 codes; net migration (UN WPP and national) of these territories is NaN in all years, and
        their population after the first date is the first one carried on by births less deaths. No
        reconstruction is shown: they were made from population changes, and in a closed world every corridor is
        adjusted to the totals of all.

    Returns
    -------
    Dataset with the panel's variables. Dimension ``witness`` is kept whole, so that biases have the same places;
    ``observation``, ``stock_year``, ``method`` and ``period`` may be shorter; ``reconstruction`` is absent where none
    is left. A carried population never falls below ``FLOOR`` of the one that it starts from. ``*_status`` of what was
    taken out is ``missing``.

    Raises
    ------
    SchemaError
        For a reporter, source or territory that the panel does not know, and for blind years that leave no year, or no
        two counts of stocks, to see.
    """
    asked = {"blind_from": blind_from, "reporters": reporters, "sources": sources, "net_migration_of": net_migration_of}
    reporters, sources, places = _checked(panel, *asked.values())
    out = panel.isel(observation=~withheld_observations(panel, **asked)).copy(deep=True)
    out = _without_lists(out, blind_from, reporters, sources)
    if sources and "reconstruction" in out:
        out = out.isel(method=[str(m).split("|")[0] not in sources for m in out["method"].values])
    if blind_from is not None:
        out = _blind(out, blind_from)
    if places:
        out = _without_net_migration(out, panel.get_index("residence").get_indexer(places))
    if "reconstruction" in out and not np.isfinite(out["reconstruction"].values).any():
        out = out.drop_vars(["reconstruction", "method", "period"])
    return out


def _without_lists(panel: xr.Dataset, blind_from: int | None, reporters: list[str], sources: list[str]) -> xr.Dataset:
    """Margins, sums over periods and indicators, less those that go with what is withheld."""
    years = panel["year"].values
    late = np.zeros(len(years), dtype=bool) if blind_from is None else years >= blind_from
    if "margin_observation" in panel.dims:
        series = panel["margin_series"].values
        place = panel["residence"].values.astype(str)[panel["margin_territory"].values]
        published = np.isin(panel["margin_source"].values.astype(str), sources)[series] | np.isin(place, reporters)
        of_flows = (panel["margin_quantity"].values.astype(str) == "flow")[series]
        panel = panel.isel(margin_observation=~(late[panel["margin_year"].values] | (of_flows & published)))
    if "period_observation" in panel.dims:
        parts = np.array([w.split("|")[:2] for w in panel["period_witness"].values.astype(str)], str).reshape(-1, 2)
        published = np.isin(parts[:, 0], sources) | np.isin(parts[:, 1], reporters)
        panel = panel.isel(period_observation=~(late[panel["period_last"].values] | published))
    if "indicator_observation" in panel.dims:
        panel = panel.isel(indicator_observation=~late[panel["indicator_year"].values])
    return panel


def _blind(panel: xr.Dataset, first: int) -> xr.Dataset:
    years = panel["year"].values >= first
    seen = panel["stock_year"].values < first
    if seen.sum() < 2:
        raise SchemaError("withhold", f"blind years from {first} leave {int(seen.sum())} counts of stocks",
                          "leave two at least: the state of the first year is made of them", "blind_from")
    panel = panel.isel(stock_year=seen)
    if "reconstruction" in panel:
        panel = panel.isel(period=panel["period"].values + 5 < first)
    cells = np.broadcast_to(years[:, None], panel["births"].shape)
    # `first` is a date that is shown: 1 January of the first blind year closes the last year that is seen.
    start = np.full(panel.sizes["residence"], int(np.flatnonzero(panel["date_year"].values == first)[0]))
    return _blanked(panel, cells, start)


def _without_net_migration(panel: xr.Dataset, places: np.ndarray) -> xr.Dataset:
    chosen = np.isin(np.arange(panel.sizes["residence"]), places)
    start = np.where(chosen, 0, panel.sizes["date_year"] - 1)
    panel = _blanked(panel, np.broadcast_to(chosen, panel["births"].shape), start)
    if "reconstruction" in panel:   # accounts of a closed world adjust every corridor to these totals
        panel = panel.drop_vars(["reconstruction", "method", "period"])
    return panel


def _blanked(panel: xr.Dataset, cells: np.ndarray, start: np.ndarray) -> xr.Dataset:
    """Net migration out of ``cells`` (year, residence), population carried after position ``start`` (residence)."""
    changed = {}
    for name in (*NET, *MADE_OF_NET):
        if name in panel:
            table = panel[name].transpose("year", "residence")
            changed[name] = table.copy(data=np.where(cells, np.nan, table.values))
        if (flags := f"{name}_status") in panel:
            table = panel[flags].transpose("year", "residence")
            changed[flags] = table.copy(data=np.where(cells, np.int8(STATUS.index("missing")), table.values))
    table = panel["population"].transpose("date_year", "residence")
    population = table.values.copy()
    births, deaths = (panel[k].transpose("year", "residence").values for k in ("births", "deaths"))
    least = FLOOR * population[start, np.arange(population.shape[1])]
    for k in range(1, len(population)):
        carried = np.maximum(population[k - 1] + births[k - 1] - deaths[k - 1], least)
        population[k] = np.where(k > start, carried, population[k])
    return panel.assign({**changed, "population": table.copy(data=population)})


def _labels(panel: xr.Dataset, which: str) -> np.ndarray:
    """Source or reporter of each witness."""
    return np.array([str(w).split("|")[("source", "reporter").index(which)] for w in panel["witness"].values], str)


def _checked(panel, blind_from, reporters, sources, net_migration_of) -> tuple[list[str], list[str], list[str]]:
    """What is named, as lists; or an error that says what the panel does not know."""
    given = [[k] if isinstance(k, str) else list(k) for k in (reporters, sources, net_migration_of)]
    methods = [str(m).split("|")[0] for m in panel["method"].values] if "method" in panel.coords else []
    known = (set(reporters_of(panel)), {*_labels(panel, "source").tolist(), *methods},
             set(panel["residence"].values.astype(str).tolist()))
    for names, have, what in zip(given, known, ("reporter", "source", "territory")):
        if unknown := sorted(set(names) - have):
            raise SchemaError("withhold", f"the panel has no {what} {unknown[0]!r}",
                              f"name a {what} that it has, such as {', '.join(sorted(have)[:5]) or 'none'}", unknown[0])
    if blind_from is not None and blind_from not in panel["year"].values[1:]:
        years = panel["year"].values
        raise SchemaError("withhold", f"blind years cannot begin in {blind_from}",
                          f"choose a year from {years[0] + 1} to {years[-1]}", "blind_from")
    return given[0], given[1], given[2]
