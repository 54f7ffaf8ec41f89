"""Others' published estimates beside ours, as totals and scores: regions, named corridors, single years of a region.

Their tables are never kept. What is kept here is what this code computes from them where their files are at hand.
"""
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from ..territories import region_of
from .regions import COLUMNS as REGION_COLUMNS
from .regions import PAIR_COLUMNS, region_pairs, regional_totals
from .scores import common_part_of_commuters, log_r
from .shocks import COLUMNS as COURSE_COLUMNS
from .shocks import DISPLACED, ESTIMATE, REPORTED, STOCK, Shock, shocks

MOMENT_COLUMNS = ("region", "year", "peer", "corridors", "persons", "theirs", "log_r", "cpc")
TABLES = {"peer_regions": REGION_COLUMNS, "peer_region_pairs": PAIR_COLUMNS, "peer_corridors": COURSE_COLUMNS,
          "peer_moments": MOMENT_COLUMNS}


class Moment(NamedTuple):
    """A region in a year that the paper shows."""

    region: str
    year: int


MOMENTS = (Moment("Europe", 1991), Moment("Sub-Saharan Africa", 2014), Moment("Eastern Asia", 2023))


def _event(origin: str, destination: str, title: str, year: int) -> Shock:
    """A corridor shown over all years: the years compared are all that there are, before and from the event."""
    return Shock(f"{origin}-{destination}", title, (origin,), (destination,), (year, 2023), (1990, year - 1),
                 (REPORTED, DISPLACED, STOCK))


EVENTS = (
    _event("MEX", "USA", "Mexico to the United States", 2008),
    _event("VEN", "COL", "Venezuela to Colombia", 2016),
    _event("BGD", "SAU", "Bangladesh to Saudi Arabia", 2015),
    _event("UKR", "RUS", "Ukraine to Russia", 2014),
    _event("RWA", "COD", "Rwanda to Congo (DR)", 1994),
    _event("SYR", "TUR", "Syria to Türkiye", 2012),
)


def make_tables(flow: xr.DataArray, panel: xr.Dataset, peers: Mapping[str, xr.DataArray]) -> dict[str, pd.DataFrame]:
    """The tables ``TABLES`` of a release.

    Parameters
    ----------
    flow : the released estimate, (year, origin, destination), persons.
    panel : for what offices report, refugees and stocks.
    peers : as :func:`humanflows.results.peers.published_peers` gives them; empty where their files are not at hand.
    """
    annual = {k: v for k, v in peers.items() if "year" in v.dims}
    return {"peer_regions": regional_totals({k: v for k, v in peers.items() if " v6" not in k}),
            "peer_region_pairs": region_pairs(annual),
            "peer_corridors": event_corridors(flow, panel, annual),
            "peer_moments": compare_moments(flow, annual)}


def event_corridors(flow: xr.DataArray, panel: xr.Dataset, peers: Mapping[str, xr.DataArray]) -> pd.DataFrame:
    """The courses of the corridors ``EVENTS`` over all years, as ``results.shocks.shocks`` has them, ours left out.

    Ours are drawn from the released flows, with their intervals. Beside them: offices' reports, refugees, the growth of
    counted stocks, and the annual estimates of peers.
    """
    table = shocks(flow, panel, EVENTS, peers)
    return table[table["kind"] != ESTIMATE].reset_index(drop=True)


def compare_moments(flow: xr.DataArray, peers: Mapping[str, xr.DataArray], moments: Sequence[Moment] = MOMENTS,
                    ) -> pd.DataFrame:
    """How alike ours and others' corridors of a region in one year are: those that begin or end in the region.

    Returns
    -------
    DataFrame with columns ``MOMENT_COLUMNS``: ``corridors`` of which both speak, their sums (``persons`` ours,
    ``theirs`` the peer's), the correlation of log(1 + flow), and the common part of both (CPC). Years of which a peer
    says nothing are left out.
    """
    rows = []
    for moment in moments:
        if moment.year not in flow["year"].values:
            continue
        ours = flow.sel(year=moment.year).transpose("origin", "destination")
        inside = (region_of().reindex(ours["origin"].values) == moment.region).to_numpy()
        touched = (inside[:, None] | inside) & ~np.eye(len(inside), dtype=bool)
        for name, peer in peers.items():
            if moment.year not in peer["year"].values:
                continue
            theirs = peer.sel(year=moment.year).reindex_like(ours).transpose(*ours.dims).values
            a, b = (x[touched & np.isfinite(theirs)].astype(np.float64) for x in (ours.values, theirs))
            if len(a) > 2:
                rows.append((moment.region, moment.year, name, len(a), a.sum(), b.sum(), log_r(b, a),
                             common_part_of_commuters(b, a)))
    return pd.DataFrame(rows, columns=list(MOMENT_COLUMNS))


def read_tables(folder: Path) -> dict[str, pd.DataFrame]:
    """The tables of a release; one that it was made without has no row."""
    files = {name: Path(folder) / f"{name}.csv" for name in TABLES}
    return {name: pd.read_csv(file, keep_default_na=False, na_values=[""]) if file.is_file()
            else pd.DataFrame(columns=list(TABLES[name])) for name, file in files.items()}
