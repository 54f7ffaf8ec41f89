"""The figures that are stored with the release, drawn once by the run of the real world.

They need source files (reported flows, others' published estimates) that readers of the book do not have.
"""
from collections.abc import Mapping
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import xarray as xr

from ..geometry import read_geometry
from ..results.ablation import is_ablation
from ..results.scores import log_r, pearson_r
from ..results.witness_table import both_sides, checked_departures
from . import (
    plot_ablation,
    plot_corridors,
    plot_error_components,
    plot_held_out_scatter,
    plot_interval_coverage,
    plot_net_migration_map,
    plot_other_side,
    plot_residuals,
    plot_score_table,
    plot_shocks,
    plot_title_figure,
    plot_total_flow,
    plot_training,
    plot_undercount,
    plot_worst_corridors,
    save,
    use_style,
)

# Corridors that a reader knows from the news, over all regions; where a panel lacks one it is left out.
CORRIDORS = ("MEX-USA", "VEN-COL", "SYR-TUR", "UKR-POL", "BGD-SAU", "IND-ARE", "POL-GBR", "ROU-ESP", "CHN-AUS",
             "RWA-COD", "MMR-THA", "GBR-AUS")
OWN = "humanflows"


def draw_release(folder: Path, estimates: xr.Dataset, reports: pd.DataFrame, held_out: pd.DataFrame,
                 tables: Mapping[str, pd.DataFrame], history: pd.DataFrame,
                 unseen: xr.DataArray | None = None, bounds: xr.Dataset | None = None) -> list[Path]:
    """Draw every stored figure.

    Parameters
    ----------
    folder : where to; files are replaced one by one.
    estimates : ``flow(year, origin, destination)``, ``net_migration(year, residence)``, persons.
    reports, held_out : reported flows as ``results.validation.flow_cells`` gives them, of all corridors and of those
        held out.
    tables : ``scores``, ``world_totals``, ``witnesses`` and those of the error analysis (``worst_corridors``,
        ``residuals``, ``error_components``, ``shocks``, ``shock_scores``); those of them that have no row make no
        figure. ``ablation``, ``coverage`` and ``sums`` may be absent.
    history : terms of the negative log posterior, and the score that chooses, by epoch.
    unseen : flows by a member that did not see what was held out; those of the estimates by default.
    bounds : ``flow_lower, flow_upper``, ends of 95% intervals, where there are any.

    Returns
    -------
    The files written.
    """
    use_style()
    geometry = read_geometry()
    files = []

    def keep(name: str, figure) -> None:
        files.extend(save(figure, folder / name))
        plt.close(figure)

    keep("title", plot_title_figure(estimates.flow.isel(year=slice(-5, None)).mean("year"), geometry).figure)
    figure, ax = plt.subplots(figsize=(11, 5.6))
    plot_net_migration_map(estimates.net_migration.isel(year=slice(-10, None)).mean("year"), geometry, ax=ax)
    keep("net_migration_map", figure)
    figure, ax = plt.subplots(figsize=(9, 5))
    plot_total_flow(_totals(tables["world_totals"]), ax=ax, band=_band(tables.get("sums")))
    keep("total_flow", figure)
    figure, axes = plt.subplots(3, 4, figsize=(13, 8.5), sharex=True)
    known = [c for c in CORRIDORS if set(c.split("-")) <= set(estimates.origin.values)]
    plot_corridors(estimates.flow, reports, known, axes=axes, bounds=bounds)
    keep("corridors", figure)
    figure, axes = plt.subplots(1, 2, figsize=(11, 5.2))
    for ax, side in zip(axes, ("immigration", "emigration")):
        _scatter(estimates.flow if unseen is None else unseen, held_out, side, ax)
    keep("held_out_scatter", figure)
    figure, ax = plt.subplots(figsize=(10, 5.5))
    plot_score_table(tables["scores"], ax=ax)
    keep("score_table", figure)
    figure, axes = plt.subplots(1, 2, figsize=(12, 4.5), width_ratios=(3, 2))
    plot_training(history, axes=axes, settled=int(history.epoch.max() + 1) * 3 // 4)
    keep("training", figure)
    if len(tables["worst_corridors"]):
        keep("worst_corridors", plot_worst_corridors(tables["worst_corridors"]))
    if len(tables["residuals"]):
        keep("residuals", plot_residuals(tables["residuals"]))
    if len(tables["error_components"]):
        keep("error_components", plot_error_components(tables["error_components"]))
    if len(tables["shocks"]):
        keep("shocks", plot_shocks(tables["shocks"], tables["shock_scores"]))
    if "ablation" in tables and is_ablation(tables["ablation"]):
        keep("ablation", plot_ablation(tables["ablation"]))
    if "coverage" in tables:
        keep("coverage", plot_interval_coverage(tables["coverage"]))
    if len(both_sides(tables["witnesses"])):
        keep("undercount", plot_undercount(tables["witnesses"]))
    if len(checked_departures(tables["witnesses"])):
        figure, ax = plt.subplots(figsize=(6.5, 6))
        plot_other_side(tables["witnesses"], ax=ax)
        keep("other_side", figure)
    return files


def _band(sums: pd.DataFrame | None) -> tuple | None:
    """Years and ends of the 95% interval of all flows together, where there are any."""
    if sums is None or not (sums["total"] == "world").any():
        return None
    rows = sums[sums["total"] == "world"].sort_values("year")
    return tuple(rows[k].to_numpy() for k in ("year", "lower", "upper"))


def _totals(table: pd.DataFrame) -> dict[str, tuple]:
    """Series per peer, persons a year; five-year sums become a mean per year at the middle of the period."""
    series = {}
    for (peer, horizon), rows in table.groupby(["peer", "horizon"], sort=False):
        if horizon == "annual" and "persistence" not in peer and "regions" not in peer:
            series[peer] = (rows.year.to_numpy(), rows.persons.to_numpy())
        elif "2023" in peer and "pseudo-Bayes" in peer:
            series["Abel & Cohen, pseudo-Bayes, mean of five years"] = (rows.year.to_numpy() + 2.5,
                                                                        rows.persons.to_numpy() / 5)
    return series


def _scatter(flow: xr.DataArray, cells: pd.DataFrame, side: str, ax) -> None:
    rows = cells[(cells.side == side) & (cells.criterion == "residence")]
    estimated = flow.sel(year=xr.DataArray(rows.year.to_numpy()), origin=xr.DataArray(rows.origin.to_numpy()),
                         destination=xr.DataArray(rows.destination.to_numpy())).values
    observed = rows.persons.to_numpy(float)
    plot_held_out_scatter(observed, estimated, ax=ax, notes={
        "n": len(rows), "R": pearson_r(observed, estimated) if len(rows) > 2 else np.nan,
        "log R": log_r(observed, estimated) if len(rows) > 2 else np.nan})
    ax.set_title(side)
