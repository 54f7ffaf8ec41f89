"""Corridors through events that the paper shows: the estimate with its interval, beside what anybody else says."""
from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ..errors import InputError
from ..results.summaries import split_corridor
from .charts import _empty
from .errors import _LEGEND, plot_shocks
from .recovery import _corridor_name
from .style import OWN

EVENTS = ("MEX-USA", "VEN-COL", "BGD-SAU", "UKR-RUS", "RWA-COD", "SYR-TUR")
BANDS = {"95%": ("flow_lower", "flow_upper", 0.10), "80%": ("flow_lower_80", "flow_upper_80", 0.16)}
_COLUMNS = ("shock", "title", "year", "series", "kind", "persons", "estimated", "corridors")
_TALLEST = 2.5      # an interval may make a panel so many times as high as what is known


def plot_events(release: xr.Dataset, beside: pd.DataFrame | None = None, *,
                corridors: Sequence[str] = EVENTS) -> Figure:
    """Courses of named corridors over all years, a small panel for each.

    Parameters
    ----------
    release : ``flow(year, origin, destination)``, persons, and the ends of its intervals (``flow_lower, flow_upper``,
        ``flow_lower_80, flow_upper_80``) where it has any.
    beside : what others say, as ``results.peer_regions.event_corridors`` makes it (columns of ``results.shocks``);
        nobody else by default.
    corridors : as ``"MEX-USA"``, origin first.

    Returns
    -------
    Figure as of :func:`humanflows.plotting.plot_shocks`; intervals are bands labelled ``95%`` and ``80%``, cut where
    they would press the courses flat.

    Raises
    ------
    InputError
        Without a corridor, or for one that the release does not have.
    """
    table, what = course_table(release["flow"], beside, corridors), "plot_events"
    if not len(table):
        raise _empty(what, "corridor")
    figure = plot_shocks(table)
    drawn = {}
    for ax, corridor in zip(figure.axes, corridors):
        ax.set_gid(f"corridor:{corridor}")
        drawn |= _bands(ax, release, corridor, table[table["shock"] == corridor])
    if drawn:
        legend = figure.legends[0]
        handles, labels = list(legend.legend_handles), [t.get_text() for t in legend.get_texts()]
        legend.remove()
        figure.legend(handles=handles + list(drawn.values()), labels=labels + [f"{k} interval" for k in drawn],
                      loc="outside lower center", ncols=4, **_LEGEND)
    return figure


def course_table(flow: xr.DataArray, beside: pd.DataFrame | None, corridors: Sequence[str]) -> pd.DataFrame:
    """The rows of our estimate joined to those of everybody else, in the form that ``plot_shocks`` takes."""
    rows = []
    for corridor in corridors:
        origin, destination = split_corridor(corridor)
        if origin not in flow["origin"].values or destination not in flow["destination"].values:
            raise InputError("plot_events", f"the release has no {corridor}", "use territories that it has", corridor)
        persons = flow.sel(origin=origin, destination=destination).values.astype(float)
        title = _corridor_name(corridor)
        rows += [(corridor, title, int(y), "estimate", "estimate", p, p, 1)
                 for y, p in zip(flow["year"].values, persons)]
        if beside is not None:
            others = beside[beside["shock"] == corridor].assign(title=title)
            rows += list(others[list(_COLUMNS)].itertuples(index=False, name=None))
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _bands(ax: Axes, release: xr.Dataset, corridor: str, rows: pd.DataFrame) -> dict[str, Patch]:
    origin, destination = split_corridor(corridor)
    top = float(rows["persons"].max())
    unit = 1e6 if top >= 2e6 else 1e3       # as plot_shocks has it
    found, highest = {}, top
    for label, (lower, upper, alpha) in BANDS.items():
        if lower in release and upper in release:
            low, high = (release[k].sel(origin=origin, destination=destination).values.astype(float)
                         for k in (lower, upper))
            ax.fill_between(release["year"].values, low / unit, high / unit, color=OWN, alpha=alpha, lw=0, zorder=2,
                            label=label)
            found[label] = Patch(color=OWN, alpha=alpha + 0.1, lw=0)
            highest = max(highest, float(np.nanmax(high)))
    if found:
        ax.set_ylim(0, min(highest, _TALLEST * top) / unit * 1.05)
    return found
