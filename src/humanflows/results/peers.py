"""Estimates by others, brought to our territories and years: to be scored beside ours, never learned from here.

Two shapes (see :func:`humanflows.results.validation.validate`): annual flows (year, origin, destination), and five-year
flows (period, origin, destination) named by their first year. What a peer does not speak about is NaN, not zero.
"""
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from .. import paths
from ..errors import SourceFileError
from ..sources import abel_cohen, fetch, published, registry

log = logging.getLogger(__name__)

REFERENCE = "Gaskin & Abel (published)"
LEARNED_FROM = {
    REFERENCE: "QuantMig, Sweden, Finland, New Zealand, Facebook, stocks and net migration; may have seen these cells",
    "stocks": "stocks, births, deaths and population; no reported flow",
}
_FLOWS, _INDEX = "gaskin_abel/published/flows", "gaskin_abel/published/indexes-regions.json"
_NET_MIGRATION = "gaskin_abel/published/net_migration.nc"
_V6 = "abel_cohen/abelCohen2019flowsv6_flowdt.csv"
METHOD_TITLES = {
    "sd_drop_neg": "stock difference, drop negative",
    "sd_rev_neg": "stock difference, reverse negative",
    "mig_rate": "migration rate",
    "da_min_open": "demographic accounting, min. open",
    "da_min_closed": "demographic accounting, min. closed",
    "da_pb_closed": "demographic accounting, pseudo-Bayes",
}
VINTAGES = {abel_cohen.SOURCE_JSON: "2023", abel_cohen.SOURCE_CSV: "v6"}


def published_peers(years: Sequence[int], codes: Sequence[str], *, download: bool = True) -> dict[str, xr.DataArray]:
    """All published flow estimates at hand: the reference (annual) and Abel & Cohen's methods (five years).

    Parameters
    ----------
    years : calendar years wanted; five-year periods that begin in one of them are given.
    codes : territories wanted, in this order.
    download : fetch what is neither mirrored nor cached. Where that fails, or is not wanted, the peer is left out and
        the log says so: scores can be made without peers.

    Returns
    -------
    dict by name: "Gaskin & Abel (published)", "Abel & Cohen <vintage>: <method>". Zero on the diagonal, NaN where the
    peer has no estimate. Attributes ``learned_from``, ``units``, ``source``.

    Raises
    ------
    SourceFileError, SchemaError, UnknownTerritoryError
        For a file that is there but is not the registered one, or not what it should be.
    """
    peers = {}
    if files := _files(lambda p: p.startswith(_FLOWS + "/") or p == _INDEX, REFERENCE, download):
        index = files.pop(_INDEX, None)
        peers[REFERENCE] = reference_flows(files.values(), index, years, codes)
    if files := _files(lambda p: p.startswith("abel_cohen/"), "Abel & Cohen", download):
        v6 = files.pop(_V6, None)
        table = abel_cohen.read_abel_cohen([f for f in files.values() if f.suffix == ".json"], v6)
        peers |= five_year_flows(table, years, codes)
    return peers


def published_net_migration(years: Sequence[int], codes: Sequence[str], *, download: bool = True,
                            ) -> dict[str, xr.DataArray]:
    """The reference's published net migration (year, residence); parameters and errors as :func:`published_peers`."""
    files = _files(lambda p: p == _NET_MIGRATION, f"{REFERENCE}, net migration", download)
    if not files:
        return {}
    mean = published.read_published_net_migration(files[_NET_MIGRATION])["mean"]
    return {REFERENCE: mean.reindex(year=list(years), residence=list(codes)).assign_attrs(
        learned_from=LEARNED_FROM[REFERENCE])}


def published_normal(years: Sequence[int], codes: Sequence[str], *, download: bool = True,
                     ) -> tuple[str, np.ndarray, np.ndarray] | None:
    """The reference's name, its published mean and its standard deviation of net migration, (year, residence).

    None without its file; parameters and errors as :func:`published_peers`.
    """
    files = _files(lambda p: p == _NET_MIGRATION, f"{REFERENCE}, net migration", download)
    if not files:
        return None
    data = published.read_published_net_migration(files[_NET_MIGRATION])
    data = data.reindex(year=list(years), residence=list(codes))
    return REFERENCE, data["mean"].values, data["std"].values


def reference_flows(files: Sequence[Path], index: Path | None, years: Sequence[int],
                    codes: Sequence[str]) -> xr.DataArray:
    """The reference's annual flows from its files, (year, origin, destination); NaN in years it has not published."""
    flow = published.read_published_flows(list(files), index)
    flow = flow.reindex(year=list(years), origin=list(codes), destination=list(codes))
    return _zero_diagonal(flow).assign_attrs(learned_from=LEARNED_FROM[REFERENCE])


def five_year_flows(table: pd.DataFrame, years: Sequence[int], codes: Sequence[str]) -> dict[str, xr.DataArray]:
    """Five-year flows (period, origin, destination) of each source and method of a table ``reconstruction``.

    The table leaves out estimates of zero. Between two territories that a reconstruction covers in a period, an absent
    pair is therefore zero; any other is NaN.
    """
    codes, places = list(codes), pd.Index(codes)
    covered = abel_cohen.coverage(table)
    peers = {}
    for (source, method), rows in table.groupby(["source", "method"], sort=True):
        periods = pd.Index(sorted(set(rows["year"]) & set(years)), dtype="int64")
        if not len(periods):
            continue
        mine = covered[(covered["source"] == source) & (covered["method"] == method)]
        inside = np.zeros((len(periods), len(codes)), dtype=bool)
        at = periods.get_indexer(mine["year"]), places.get_indexer(mine["territory"])
        keep = (at[0] >= 0) & (at[1] >= 0)
        inside[at[0][keep], at[1][keep]] = True
        values = np.where(inside[:, :, None] & inside[:, None, :], 0.0, np.nan)
        where = (periods.get_indexer(rows["year"]), places.get_indexer(rows["origin"]),
                 places.get_indexer(rows["destination"]))
        keep = np.all([w >= 0 for w in where], axis=0)
        values[tuple(w[keep] for w in where)] = rows["persons"].to_numpy()[keep]
        name = f"Abel & Cohen {VINTAGES.get(source, source)}: {METHOD_TITLES.get(method, method)}"
        peers[name] = _zero_diagonal(xr.DataArray(
            values, dims=("period", "origin", "destination"), name="flow",
            coords={"period": periods.to_numpy(), "origin": codes, "destination": codes},
            attrs={"units": "persons", "long_name": "flow in five years from mid-year, published", "source": source,
                   "learned_from": LEARNED_FROM["stocks"]}))
    return peers


def _zero_diagonal(flow: xr.DataArray) -> xr.DataArray:
    """Nobody moves within a territory; a year without any estimate stays without."""
    some = np.isfinite(flow.values).any((1, 2), keepdims=True)
    return flow.copy(data=np.where(np.eye(flow.sizes["origin"], dtype=bool) & some, 0.0, flow.values))


def _files(wanted, what: str, download: bool) -> dict[str, Path]:
    """Verified local paths by registry path; empty, with a line in the log, where they cannot be had."""
    try:
        names = [p for p in registry.registry()["path"] if wanted(p)]
    except SourceFileError as error:
        log.warning("%s is left out of the comparison: %s", what, error)
        return {}
    if not names:
        log.warning("%s is left out of the comparison: no file of it is registered", what)
    found = {}
    for name in names:
        here = any(folder is not None and (folder / name).is_file() for folder in (paths.mirror(), paths.CACHE))
        if not here and not download:
            log.warning("%s is left out of the comparison: %s is not on this machine", what, name)
            return {}
        try:
            found[name] = fetch.fetch(name)
        except SourceFileError as error:
            if here:  # there, but altered: not a reason to go on quietly
                raise
            log.warning("%s is left out of the comparison: %s", what, error)
            return {}
    return found
