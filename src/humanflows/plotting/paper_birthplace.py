"""Flows of people born in one place, on the map: who leaves it, who returns, who moves on."""
from collections.abc import Mapping

import geopandas as gpd
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon

from ..errors import InputError
from .charts import _check_columns, _empty
from .maps import EQUAL_EARTH, _arc, _bare, _check_geometry, _globe, _millions, _ribbon
from .reconstruct import KINDS as KIND_COLOURS
from .recovery import _short_name
from .style import LAND, PAPER

LEAVE, RETURN, ONWARD = "leave the birthplace", "return to it", "move on between other places"
KINDS = {kind: KIND_COLOURS[key][1] for kind, key in ((LEAVE, "leave"), (RETURN, "return"), (ONWARD, "onward"))}
LARGEST = 70


def plot_birthplace_flows(flows: pd.DataFrame, geometry: gpd.GeoDataFrame, *, largest: int = LARGEST,
                          columns: int = 2) -> Figure:
    """A world map for each birthplace and year: arcs widen towards the destination, coloured by the kind of move.

    Parameters
    ----------
    flows : as ``Estimates.by_birthplace(birthplace=…)`` gives them, several joined: ``year, birthplace, origin,
        destination, flow`` (persons). A map for each pair of birthplace and year, in their order.
    geometry : as ``humanflows.geometry.read_geometry()`` gives it.
    largest : corridors drawn at most on each map.
    columns : maps in a row.

    Returns
    -------
    Figure; axes with the ids ``birthplace:<code>|<year>``, arcs collections with the names of ``KINDS`` as ids.

    Raises
    ------
    InputError
        For missing columns, no row, or a territory without an outline.
    """
    what = "plot_birthplace_flows"
    _check_columns(what, flows, ("year", "birthplace", "origin", "destination", "flow"))
    flows = flows[flows["flow"] > 0]
    if not len(flows):
        raise _empty(what, "flow")
    _check_geometry(geometry, {*flows["origin"], *flows["destination"], *flows["birthplace"]}, what)
    shown = list(flows.groupby(["birthplace", "year"], sort=False))
    rows = -(-len(shown) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(6.6 * columns, 3.75 * rows + 0.4), squeeze=False)
    outlines = geometry.geometry.to_crs(EQUAL_EARTH)
    for ax, ((birthplace, year), table) in zip(axes.ravel(), shown):
        ax.set_gid(f"birthplace:{birthplace}|{year}")
        _map(ax, outlines, birthplace)
        table = table.assign(kind=kinds_of(table))
        _arcs(ax, geometry, table.nlargest(largest, "flow"))
        total = table["flow"].sum()
        parts = table.groupby("kind")["flow"].sum() / total
        ax.set_title(f"Born in {_short_name(birthplace, 24)}, {year}: {_millions(total / 1e6)} moves", fontsize=10.5)
        said = "   ".join(f"{parts.get(k, 0):.0%} {word}" for k, word in
                          ((LEAVE, "leave"), (RETURN, "return"), (ONWARD, "move on")))
        ax.text(0.5, -0.015, said, transform=ax.transAxes, ha="center", va="top", fontsize=9, gid="shares")
    for ax in axes.ravel()[len(shown):]:
        ax.set_axis_off()
    figure.legend(handles=[Line2D([], [], color=c, lw=4, label=k) for k, c in KINDS.items()], ncols=3,
                  loc="outside lower center", fontsize=9)
    return figure


def kinds_of(flows: pd.DataFrame) -> pd.Series:
    """What kind of move each row is, a key of ``KINDS``.

    Raises
    ------
    InputError
        For a row that both leaves and returns to the birthplace.
    """
    home, back = flows["origin"] == flows["birthplace"], flows["destination"] == flows["birthplace"]
    if (home & back).any():
        raise InputError("flows by birthplace", "a move within a territory", "give moves between two territories",
                         key=str(flows.loc[home & back, "origin"].iloc[0]))
    return pd.Series(ONWARD, index=flows.index).mask(home, LEAVE).mask(back, RETURN)


def _map(ax: Axes, outlines: gpd.GeoSeries, birthplace: str) -> None:
    edge = _globe(-58, 84)
    ax.add_patch(Polygon(edge, facecolor="#f7f9fb", edgecolor="#d5dbe1", linewidth=0.6, zorder=0, gid="globe"))
    outlines.plot(ax=ax, color=LAND, edgecolor=PAPER, linewidth=0.3, zorder=1, gid="territories")
    outlines[[birthplace]].plot(ax=ax, color="#9aa5b1", edgecolor=PAPER, linewidth=0.3, zorder=1.5, gid="home")
    ax.set_aspect("equal")
    _bare(ax)
    ax.set_xlim(edge[:, 0].min() * 1.01, edge[:, 0].max() * 1.01)
    ax.set_ylim(edge[:, 1].min() * 1.02, edge[:, 1].max() * 1.02)


def _arcs(ax: Axes, geometry: gpd.GeoDataFrame, table: pd.DataFrame) -> None:
    top = float(table["flow"].max())
    shapes: Mapping[str, list] = {k: [] for k in KINDS}
    for row in table.sort_values("flow").itertuples():
        ends = (tuple(geometry.loc[t, ["longitude", "latitude"]].astype(float)) for t in (row.origin, row.destination))
        longitude, y = _arc(*ends)
        width = 60_000 + 700_000 * (row.flow / top) ** 0.75
        turns = [0.0] + [-360.0] * bool(longitude.max() > 180) + [360.0] * bool(longitude.min() < -180)
        shapes[row.kind] += [_ribbon(longitude + turn, y, width) for turn in turns]
    globe = next(p for p in ax.patches if p.get_gid() == "globe")
    for z, (kind, colour) in enumerate(reversed(KINDS.items())):
        if shapes[kind]:
            arcs = ax.add_collection(PolyCollection(shapes[kind], facecolor=colour, alpha=0.72, edgecolor=PAPER,
                                                    linewidth=0.25, zorder=3 + z, gid=kind))
            arcs.set_clip_path(globe)
