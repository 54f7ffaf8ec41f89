"""The figure of how time and memory grow, from what ``benchmarks/bench_scaling.py`` measured. No model."""
from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

from ..errors import InputError
from .style import DATA, INK, OTHER, OWN, QUIET

# By what: key of the memory that is drawn.
GROWS_BY = {"territories": "gib_of_training", "years": "gib_of_training", "members": "peak_gib"}
_ROWS = (("seconds", "seconds per epoch", OWN, "o"), ("memory", "memory, GiB", OTHER, "D"))


def plot_scaling(measured: Mapping) -> Figure:
    """Seconds per epoch and memory against territories, years and members, with the fitted power laws.

    Parameters
    ----------
    measured : for each key of ``GROWS_BY``: ``rows`` (that size, ``seconds_per_epoch``, memory in GiB) and the fits
        ``seconds`` and ``memory`` (``exponent``, ``factor``, ``low``, ``high``; None where nothing was fitted).

    Returns
    -------
    Figure. Both axes are logarithmic, on which a power law is a straight line.

    Raises
    ------
    InputError
        When something is missing, or nothing was measured.
    """
    absent = [k for k in GROWS_BY if k not in measured]
    if absent:
        raise InputError("plot_scaling", f"nothing about {absent[0]!r}", "give what bench_scaling.py writes",
                         key=absent[0])
    shown = [k for k in GROWS_BY if measured[k]["rows"]]
    if not shown:
        raise InputError("plot_scaling", "no size was measured", "measure one size at least")
    figure, axes = plt.subplots(2, len(shown), figsize=(3.5 * len(shown), 6), squeeze=False, sharex="col")
    for column, by in zip(axes.T, shown):
        for ax, (fit, label, colour, marker) in zip(column, _ROWS):
            key = "seconds_per_epoch" if fit == "seconds" else GROWS_BY[by]
            _panel(ax, measured[by]["rows"], by, key, measured[by][fit], colour, marker)
            if by == shown[0]:
                ax.set_ylabel(label)
        column[-1].set_xlabel(by)
    return figure


def _panel(ax: Axes, rows: list[Mapping], by: str, key: str, fit: Mapping | None, colour: str, marker: str) -> None:
    x, y = (np.array([r[k] for r in rows], float) for k in (by, key))
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.plot(x[y > 0], y[y > 0], ls="", marker=marker, color=colour, label="measured", zorder=3)
    if fit is not None:
        ends = np.array([x.min(), x.max()])
        ax.plot(ends, fit["factor"] * ends ** fit["exponent"], color=INK, lw=1, label="fitted", zorder=2)
        ax.annotate(f"exponent {fit['exponent']:.2f}\n({fit['low']:.2f} to {fit['high']:.2f})".replace("-", "−"),
                    (0.05, 0.95), xycoords="axes fraction", va="top", fontsize=9, color=DATA)
    else:
        ax.annotate("not fitted", (0.05, 0.95), xycoords="axes fraction", va="top", fontsize=9, color=QUIET)
    ax.set_xticks(x, [f"{v:g}" for v in x], fontsize=8)
    ax.minorticks_off()
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter(ScalarFormatter())
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.yaxis.get_major_formatter().set_scientific(False)
    low, high = (y[y > 0].min(), y[y > 0].max()) if (y > 0).any() else (0.1, 1)
    ax.set_ylim(low / 1.6, high * 2.6)     # room for what is written above the dots
