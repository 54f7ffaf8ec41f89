"""Flows by birthplace of every draw, for given cells: each draw's table is streamed and never held.

A draw's flows by birthplace add up to its flow of the corridor: intervals of both come from the same worlds.
"""
from collections.abc import Iterable

import numpy as np
import pandas as pd
import torch
import xarray as xr

from ..errors import InputError
from ..model import accounting
from ..model.recursion import FlowModel
from ..model.train import Member
from .ends import LEVELS, end_names, ends_of_draws

COLUMNS = ("year", "birthplace", "origin", "destination")


@torch.no_grad()
def persons_of_draw(model: FlowModel, cells: pd.DataFrame) -> np.ndarray:
    """Moves of one draw in given cells, persons.

    Parameters
    ----------
    model : that holds the draw (``draws.walk_draws``).
    cells : ``COLUMNS``, whole numbers: positions from 0 of the year and of territories; rows in any order.

    Returns
    -------
    float64 [cell], in the order of the rows.

    Raises
    ------
    InputError
        For a missing column, or a position that is no whole number or outside the model; the first such row is named.
    """
    position = _checked(cells, model)
    out = np.empty(len(cells))
    wanted = {t: np.flatnonzero(position["year"] == t) for t in np.unique(position["year"])}
    last = max(wanted, default=-1)
    for t, (stock, hazards) in enumerate(model.walk() if wanted else ()):
        if t in wanted:
            rows = wanted[t]
            of = position["birthplace"][rows]
            for b, flow in enumerate(accounting.stream_by_birthplace(stock, hazards, model.death_rate[t])):
                here = rows[of == b]
                if len(here):
                    o, d = (torch.as_tensor(position[k][here], device=flow.device) for k in ("origin", "destination"))
                    out[here] = flow[o, d].double().cpu().numpy()
                if b == of.max():
                    break
        if t == last:
            break
    return out


def persons_of_draws(draws: Iterable[tuple[int, int, Member]], cells: pd.DataFrame) -> xr.DataArray:
    """Moves of all draws in given cells.

    Parameters
    ----------
    draws : member number, draw number, and the member that holds the draw, one in memory at a time.
    cells : as of :func:`persons_of_draw`.

    Returns
    -------
    DataArray ``persons`` (draw, cell), float64, with coordinates ``member`` and ``number`` (draw) and ``COLUMNS``
    (cell).

    Raises
    ------
    InputError
        Without a draw, and as of :func:`persons_of_draw`.
    """
    values, names = [], []
    for member, number, whole in draws:
        values.append(persons_of_draw(whole.model, cells))
        names.append((member, number))
    if not values:
        raise InputError("draws", "there is none", "make them (humanflows sample)")
    member, number = zip(*names)
    return xr.DataArray(np.stack(values), dims=("draw", "cell"), name="persons", attrs={"units": "persons"}, coords={
        "draw": np.arange(1, len(values) + 1), "member": ("draw", list(member)), "number": ("draw", list(number)),
        **{c: ("cell", cells[c].to_numpy()) for c in COLUMNS}})


def ends_of_cells(persons: xr.DataArray) -> pd.DataFrame:
    """Mean of the draws and ends of their 50, 80 and 95% intervals, a row for each cell.

    Parameters
    ----------
    persons : from :func:`persons_of_draws`, two draws or more.

    Returns
    -------
    DataFrame: ``COLUMNS``, ``persons`` (mean), ``persons_lower_50`` … ``persons_upper``, see
    :mod:`humanflows.uncertainty.ends`.
    """
    found = ends_of_draws(persons.transpose("draw", "cell").values)
    out = {**{c: persons[c].values for c in COLUMNS}, "persons": found.centre}
    for level, (lower, upper) in zip(LEVELS, end_names(LEVELS)):
        out |= {f"persons_{lower}": found.lower[level], f"persons_{upper}": found.upper[level]}
    return pd.DataFrame(out)


def _checked(cells: pd.DataFrame, model: FlowModel) -> dict[str, np.ndarray]:
    out = {}
    for name in COLUMNS:
        if name not in cells:
            raise InputError("cells", "a column is missing", f"give {', '.join(COLUMNS)}", key=name)
        most = model.years if name == "year" else model.n
        given = pd.to_numeric(cells[name], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        wrong = ~((given >= 0) & (given < most) & (given == np.floor(given)))
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise InputError("cells", f"{name} {cells[name].iloc[row]!r} is no position", f"give whole numbers from 0 "
                             f"to {most - 1}", key=f"row {row} (from 0); {int(wrong.sum())} rows")
        out[name] = given.astype(np.int64)
    return out
