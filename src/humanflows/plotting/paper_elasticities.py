"""How flows answer to covariates: a row for each covariate, with its spread over corridors and over members."""
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter

from .charts import _check_columns, _empty
from .style import GAIN, INK, LOSS, QUIET

COLUMNS = ("member", "covariate", "title", "role", "kind", "q05", "q25", "median", "q75", "q95")
# Colours are told apart by any sight; rows say the role in words as well.
ROLES = {"origin": (LOSS, "of the origin"), "destination": (GAIN, "of the destination"), "pair": (INK, "of both"),
         "year": (QUIET, "of the year")}
_STEPS = (0.05, 0.1, 0.2, 0.33, 0.5, 0.67, 0.8, 1, 1.25, 1.5, 2, 3, 5, 10, 20)


def plot_elasticities(table: pd.DataFrame) -> Figure:
    """Elasticities on the left, steps (with a border, a membership …) on the right; largest on top.

    Parameters
    ----------
    table : as ``results.elasticities.flow_elasticities`` makes it, of one member or of several joined.

    Returns
    -------
    Figure with axes of the ids ``elasticity`` and ``step``, of those that the table has. In each row a thin line for
    nine tenths of all moves, a thick one for the middle half, a dot for the median; of several members these are
    medians over members, and upright strokes are each member's median.

    Raises
    ------
    InputError
        For missing columns or no row.
    """
    what = "plot_elasticities"
    _check_columns(what, table, COLUMNS)
    if not len(table):
        raise _empty(what, "covariate")
    kinds = [k for k in ("elasticity", "step") if (table["kind"] == k).any()]
    rows = [middle_of_members(table[table["kind"] == k]) for k in kinds]
    most = max(map(len, rows))
    figure, axes = plt.subplots(1, len(kinds), figsize=(6.4 * len(kinds), 0.25 * most + 1.5), squeeze=False)
    for ax, kind, shown in zip(axes[0], kinds, rows):
        ax.set_gid(kind)
        _rows(ax, shown, table[table["kind"] == kind], most)
        if kind == "step":
            _factors(ax)
            ax.set(title="Steps", xlabel="flow with it over the flow without (log scale)")
        else:
            ax.set(title="Elasticities", xlabel="per cent more flow where the covariate is one per cent higher")
            ax.xaxis.set_major_formatter(FuncFormatter(_signed))
    keys = [Line2D([], [], color=QUIET, marker="o", lw=3.6, label="median and middle half of all moves"),
            Line2D([], [], color=QUIET, lw=1.2, label="nine tenths of them")]
    if table["member"].nunique() > 1:
        keys.append(Line2D([], [], ls="", marker="|", ms=8, color=INK, label="medians of single members"))
    keys += [Line2D([], [], color=c, lw=3.6, label=f"{w}") for k, (c, w) in ROLES.items() if k in set(table["role"])]
    figure.legend(handles=keys, loc="outside lower center", ncols=4, fontsize=8.5, handlelength=1.6)
    return figure


def middle_of_members(table: pd.DataFrame) -> pd.DataFrame:
    """Medians over members of each covariate's quantiles, largest median on top."""
    middle = table.groupby(["covariate", "title", "role"], sort=False)[list(COLUMNS[5:])].median().reset_index()
    order = np.argsort(-middle["median"].abs().to_numpy(), kind="stable")
    return middle.iloc[order].reset_index(drop=True)


def _rows(ax: Axes, rows: pd.DataFrame, members: pd.DataFrame, most: int) -> None:
    at = np.arange(len(rows))
    colours = [ROLES.get(r, (INK, ""))[0] for r in rows["role"]]
    ax.axvline(0, color=INK, lw=0.9, zorder=1)
    ax.hlines(at, rows["q05"], rows["q95"], color=colours, lw=1.2, zorder=2, label="nine tenths")
    ax.hlines(at, rows["q25"], rows["q75"], color=colours, lw=4, alpha=0.75, zorder=3, label="middle half")
    ax.scatter(rows["median"], at, c=colours, s=30, zorder=4, label="median", edgecolors="white", linewidths=0.6)
    if members["member"].nunique() > 1:
        place = {(c, r): k for k, (c, r) in enumerate(zip(rows["covariate"], rows["role"]))}
        ax.plot(members["median"], [place[k] for k in zip(members["covariate"], members["role"])], ls="", marker="|",
                ms=7, mew=0.9, color=INK, alpha=0.7, zorder=5, label="members")
    ax.set_yticks(at, [_name(t, r) for t, r in zip(rows["title"], rows["role"])], fontsize=8.5)
    # Both panels have rows of one height.
    ax.set_ylim(most - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.grid(False, axis="y")
    ax.spines["left"].set_visible(False)


def _signed(value: float, _=None) -> str:
    return f"{value:+g}".replace("-", "−") if round(value, 9) else "0"


def _name(title: str, role: str) -> str:
    return f"{title} · {role}" if role in ("origin", "destination") else title


def _factors(ax: Axes) -> None:
    low, high = ax.get_xlim()
    ticks = [s for s in _STEPS if low <= np.log(s) <= high]
    ticks = ticks if len(ticks) <= 8 else [s for s in ticks if s in (0.1, 0.2, 0.5, 1, 2, 5, 10)]
    ax.set_xticks(np.log(ticks), [f"{s:g}×" for s in ticks])
    ax.xaxis.set_minor_formatter(NullFormatter())
