"""Figure of what intervals cover."""
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from ..results.interval_model import SIZE_NAMES
from .style import INK, QUIET

_KINDS = ("held-out corridors", "held-out offices", "held-out years", "last years")
_GROUPINGS = ("all", "seen", "size", "side", "region of origin", "region of destination")
_LEVELS = {0.5: ("#4477AA", "o"), 0.8: ("#CC6677", "s"), 0.9: ("#117733", "^"), 0.95: ("#332288", "D")}


def plot_interval_coverage(coverage: pd.DataFrame) -> Figure:
    """Coverage of flows' intervals by group, a panel for each way to withhold; groups in the rows.

    Parameters
    ----------
    coverage : as ``coverage.csv`` of a release (``results.coverage.COLUMNS``).

    Returns
    -------
    The figure.
    """
    flow = coverage[(coverage["quantity"] == "flow") & (coverage["method"] == "humanflows")]
    kinds = [k for k in _KINDS if (flow["kind"] == k).any()]
    rows = [(g, name) for g in _GROUPINGS for name in _ordered(flow.loc[flow["grouping"] == g, "group"])]
    place = {row: k for k, row in enumerate(reversed(rows))}
    # Two panels in a row: with all of them in one, a book's column leaves no size to read.
    columns, below = min(max(len(kinds), 1), 2), max(-(-len(kinds) // 2), 1)
    figure, axes = plt.subplots(below, columns, figsize=(3.6 * columns + 2.6, below * (0.21 * len(rows) + 0.9) + 0.5),
                                sharey=True, squeeze=False, layout="constrained")
    for ax in axes.ravel()[len(kinds):]:
        ax.set_axis_off()
    for ax, kind in zip(axes.ravel(), kinds):
        own = flow[flow["kind"] == kind]
        for level, (colour, marker) in _LEVELS.items():
            part = own[own["level"].round(4) == level]
            if part.empty:
                continue
            off = float(part["target"].iloc[0])
            ax.axvspan(100 * level - off, 100 * level + off, color="0.92", lw=0)
            ax.axvline(100 * level, color=colour, lw=0.8)
            ax.plot(100 * part["coverage_jittered"], [place[r] for r in zip(part["grouping"], part["group"])], marker,
                    color=colour, ms=4, label=f"{level:.0%}")
        ax.set_title(kind, fontsize=10, color=INK)
        ax.set_xlim(35, 100)
        ax.grid(axis="y", color="0.95")
        ax.set_xlabel("reports inside, per cent", color=QUIET)
    if kinds:
        axes[0][0].set_yticks(list(place.values()), [_short(g, name) for g, name in place])
        for first in axes[:, 0]:
            first.tick_params(axis="y", labelsize=8.5)
        axes[0][0].set_ylim(-1, len(rows))
        handles, labels = axes[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, title="promised", ncols=4, loc="outside upper right", fontsize=9, frameon=False)
    return figure


def _ordered(names: pd.Series) -> list[str]:
    """Groups once each: sizes from the smallest, all others by name."""
    known = {name: k for k, name in enumerate(SIZE_NAMES)}
    return sorted(names.drop_duplicates(), key=lambda name: (known.get(name, -1), name))


def _short(grouping: str, name: str) -> str:
    """Label of a row: the group, with its grouping where the name alone does not say it."""
    if grouping == "all":
        return "all reports"
    before = {"region of origin": "from ", "region of destination": "to ", "size": "flows of "}.get(grouping, "")
    text = before + str(name)
    return text if len(text) <= 46 else text[:45] + "…"
