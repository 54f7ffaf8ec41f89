"""Draws beside reports: flows, biases and lasting deviations of draws at the cells that they are held against.

Nothing here opens a run. Draws are handed in as ``draws.open_draws`` and ``draws.walk_draws`` give them.
"""
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import SchemaError


@dataclass(frozen=True)
class DrawnReports:
    """What the draws of one or several designs say of cells.

    ``flow``: float32 (draw, cell), persons. ``member``: (draw,), position of the draw's member in a
    ``crossfit.HeldOut``. ``log_bias, spread``: float32 (draw, year, witness), NaN where the draw learned none.
    ``noise``: float32 (draw, witness), persons a month. ``lasting``: float32 (draw, cell), NaN where unknown.
    """

    flow: np.ndarray
    member: np.ndarray
    log_bias: np.ndarray
    spread: np.ndarray
    noise: np.ndarray
    lasting: np.ndarray

    def __post_init__(self):
        """Raise SchemaError for arrays of different numbers of draws or cells."""
        draws = {len(v) for v in vars(self).values()}
        if len(draws) != 1 or self.flow.shape != self.lasting.shape or self.log_bias.shape != self.spread.shape:
            raise SchemaError("draws", f"shapes {({k: v.shape for k, v in vars(self).items()})}",
                              "gather flows and biases of the same draws and cells")

    def of_members(self, members: Sequence[int], cells=slice(None)) -> "DrawnReports":
        """Draws of these members, at some cells."""
        rows = np.flatnonzero(np.isin(self.member, members))
        return DrawnReports(self.flow[rows][:, cells], self.member[rows], self.log_bias[rows], self.spread[rows],
                            self.noise[rows], self.lasting[rows][:, cells])


def flows_at(flow: xr.DataArray, year, origin, destination) -> np.ndarray:
    """Flows of draws at cells, one draw in memory at a time.

    Parameters
    ----------
    flow : (draw, year, origin, destination), persons, lazy.
    year, origin, destination : positions, (cell,).

    Returns
    -------
    float32 (draw, cell).

    Raises
    ------
    SchemaError
        For other dimensions.
    """
    if flow.dims != ("draw", "year", "origin", "destination"):
        raise SchemaError("draws", f"flow has the dims {flow.dims}", "give (draw, year, origin, destination)", "flow")
    return np.stack([flow.isel(draw=k).values[year, origin, destination].astype(np.float32)
                     for k in range(flow.sizes["draw"])])


def lasting_at(observation, cells: pd.DataFrame, territories: int) -> np.ndarray:
    """Lasting deviations of the series and corridors of cells that a draw learned, float32 (cell,); NaN of others.

    Parameters
    ----------
    observation : ``model.observation.ObservationModel`` with the draw's parameters.
    cells : ``witness, origin, destination`` (positions), reports by residence.
    territories : how many there are.
    """
    position, witness, series = (getattr(observation, f"report_{k}").cpu().numpy().astype(np.int64)
                                 for k in ("position", "witness", "series"))
    n = territories
    own = witness * n * n + position % (n * n)       # a report by residence lies at [year, origin, destination]
    by_residence = ~observation.report_proxy.cpu().numpy().astype(bool)
    key, first = np.unique(own[by_residence], return_index=True)
    value = observation.lasting.detach().cpu().numpy()[series[by_residence][first]]
    asked = (cells["witness"].to_numpy() * n + cells["origin"].to_numpy()) * n + cells["destination"].to_numpy()
    at = np.searchsorted(key, asked).clip(max=max(len(key) - 1, 0))
    if not len(key):
        return np.full(len(asked), np.nan, np.float32)
    return np.where(key[at] == asked, value[at], np.nan).astype(np.float32)


def gather_reports(panel: xr.Dataset, cells: pd.DataFrame,
                   parts: Sequence[tuple[xr.DataArray, Iterable[tuple[int, int, object]], int]]) -> DrawnReports:
    """Draws of several designs at cells.

    Parameters
    ----------
    panel : of the profile.
    cells : of ``crossfit.reports_to_judge``.
    parts : for each design its flows (draw, year, origin, destination; coordinates ``member`` and ``number``), its walk
        (member, number, ``model.train.Member``), and the position of its first member in the ``crossfit.HeldOut``.

    Raises
    ------
    SchemaError
        When a walk has not the draws of the flows, in their order.
    """
    at = tuple(cells[k].to_numpy() for k in ("year", "origin", "destination"))
    shape = panel.sizes["year"], panel.sizes["witness"]
    found = {k: [] for k in ("flow", "member", "log_bias", "spread", "noise", "lasting")}
    for flow, walk, first in parts:
        found["flow"].append(flows_at(flow, *at))
        names = list(zip(flow["member"].values.tolist(), flow["number"].values.tolist()))
        position = {m: first + k for k, m in enumerate(dict.fromkeys(m for m, _ in names))}
        walked = []
        for member, number, drawn in walk:
            walked.append((member, number))
            o = drawn.observation
            bias = np.full(shape, np.nan, np.float32)
            bias[o.bias_year.cpu().numpy(), o.bias_witness.cpu().numpy()] = o.log_bias.detach().cpu().numpy()
            found["log_bias"].append(bias[None])
            found["spread"].append(o.series_spread.cpu().numpy().astype(np.float32)[None])
            found["noise"].append(o.series_noise.cpu().numpy().astype(np.float32)[None])
            found["lasting"].append(lasting_at(o, cells, panel.sizes["origin"])[None])
            found["member"].append(np.array([position.get(member, -1)]))
        if walked != names:
            raise SchemaError("draws", f"{len(walked)} draws' parameters beside {len(names)} draws' flows, or in "
                              "another order", "make all draws of the design", key=str(next(
                                  (a for a, b in zip(names, walked) if a != b), "their number")))
    return DrawnReports(*(np.concatenate(found[k]) for k in found))
