"""The figure of what each part buys: scores of runs with one part left out, beside everything as it is. No model."""
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ..results.ablation import COLUMNS, SHOWN_SIDES, by_what_it_buys, shown_differences, shown_scores
from .charts import _check_columns, _empty
from .style import GAIN, INK, LAND, LOSS, PAPER, QUIET

TITLES = {"log_score": "log score, nats a report", "log_r": "R of logarithms", "within_r": "R within corridors"}
SIDE_TITLES = {"immigration": "arrivals", "emigration": "departures"}
# colour, marker, what it says: shape and place repeat the colour
VERDICTS = {"below": (LOSS, "o", "worse than everything"), "above": (GAIN, "D", "better than everything"),
            "within": (QUIET, "o", "no more than chance")}
_CUT = 8.0     # what lies as many times further out than the median dot, or the band, is drawn at a panel's edge


def plot_ablation(table: pd.DataFrame) -> Figure:
    """How far each run lies from everything as it is: a row for each run, a panel for each score and side.

    The scores are the log score of reports and R within corridors; of a table without log scores, R of logarithms
    stands first. The run that loses most of the first score without its part is on top. Dots are means over seeds,
    short strokes the lowest and highest seed where a run has several; the band holds 95% of runs that differ by chance.
    A dot beyond the panel is drawn at its edge with its number.

    Parameters
    ----------
    table : of all runs, columns ``results.ablation.COLUMNS``.

    Returns
    -------
    Figure

    Raises
    ------
    InputError
        For missing columns, or no run beside everything that has the scores shown.
    """
    what = "plot_ablation"
    _check_columns(what, table, COLUMNS)
    shown = shown_differences(table)
    runs = by_what_it_buys(shown) if len(shown) else []
    if not runs:
        raise _empty(what, "run beside everything as it is")
    panels = [(score, side) for score in shown_scores(table) for side in SHOWN_SIDES]
    figure, axes = plt.subplots(1, len(panels), figsize=(12, 0.27 * len(runs) + 2.0), sharey=True)
    verdicts = set()
    for ax, (score, side) in zip(axes, panels):
        rows = shown[(shown["score"] == score) & (shown["side"] == side)].set_index("run")
        verdicts |= _panel(ax, rows.reindex(runs))
        ax.set_title(f"{TITLES[score]},\n{SIDE_TITLES[side]}", fontsize=10)
    axes[0].set_yticks(np.arange(len(runs)), runs, fontsize=8.5)
    axes[0].set_ylim(len(runs) - 0.4, -0.6)
    figure.supxlabel("difference from everything as it is", fontsize=9.5)
    handles = [Line2D([], [], ls="", marker=marker, color=colour, ms=6, label=label,
                      markerfacecolor=PAPER if verdict == "within" else colour)
               for verdict, (colour, marker, label) in VERDICTS.items() if verdict in verdicts]
    if shown["margin"].notna().any():
        handles.append(Patch(color=LAND, label="95% of runs that differ by chance"))
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), frameon=False, fontsize=9)
    return figure


def _panel(ax: Axes, rows: pd.DataFrame) -> set[str]:
    """Dots of one score and side, from rows in the order of the runs. Returns the verdicts that occur."""
    value, margin = rows["difference"].to_numpy(float), rows["margin"].to_numpy(float)
    known = np.isfinite(value)
    low, high = _edges(rows)
    if np.isfinite(margin).any():
        ax.axvspan(-np.nanmedian(margin), np.nanmedian(margin), color=LAND, lw=0, zorder=0, label="chance")
    ax.axvline(0, color=INK, lw=0.9, zorder=1)
    room = 0.03 * (high - low)
    ax.set_xlim(low - room, high + room)
    for y, (run, row) in enumerate(rows.iterrows()):
        if not known[y]:
            ax.annotate("not defined", (0, y), ha="center", va="center", fontsize=7.5, color=QUIET, zorder=5,
                        bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1})
            continue
        colour, marker, _ = VERDICTS[row["verdict"]]
        at = np.clip(value[y], low, high)
        beyond = at != value[y]
        ax.plot([0, at], [y, y], color=colour, lw=1.2, alpha=0.7, zorder=2)
        if row["seeds"] > 1:
            ends = np.clip([row["lowest"], row["highest"]], low, high)
            ax.plot(ends, [y, y], ls="", marker="|", ms=7, color=colour, zorder=3, label=f"_seeds, {run}")
        ax.plot(at, y, ls="", marker=("<" if at < 0 else ">") if beyond else marker, ms=6, mew=1.2, color=colour,
                markerfacecolor=PAPER if row["verdict"] == "within" else colour, zorder=4, label=f"_{run}")
        if beyond:
            ax.annotate(_short(value[y]), (at, y), xytext=(8 if at < 0 else -8, 0), textcoords="offset points",
                        va="center", ha="left" if at < 0 else "right", fontsize=8, color=INK, zorder=6,
                        bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.8})
    ax.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: "0" if abs(x) < 1e-12 else _short(x)))
    ax.tick_params(axis="x", labelsize=8)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="y", color=LAND, lw=0.6)
    ax.spines["left"].set_visible(False)
    return set(rows["verdict"][known])


def _edges(rows: pd.DataFrame) -> tuple[float, float]:
    """Reach of a panel: the band, and all dots and seeds but those ``_CUT`` times further out than most."""
    found = rows[["difference", "lowest", "highest"]].to_numpy(float)
    band = np.nan_to_num(rows["margin"].to_numpy(float)).max()
    most = max(np.nanmedian(np.abs(found[:, 0])) if np.isfinite(found[:, 0]).any() else 0.0, band)
    inside = found[np.abs(found) <= _CUT * most]
    least = max(1.2 * band, 0.2 * np.max(np.abs(inside), initial=0.0), 1e-6)
    return min(1.05 * np.min(inside, initial=0.0), -least), max(1.05 * np.max(inside, initial=0.0), least)


def _short(value: float) -> str:
    return f"{value:+.3g}".replace("-", "−")
