"""Figures of scenarios: a level with and without, the difference with its band, and where people go instead."""
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from ..errors import InputError
from ..territories import name
from .style import DATA, GAIN, INK, LOSS, OTHER, OWN, QUIET

WITHOUT, WITH, TRUTH = "without the change", "with the change", "what truly would have been"
_COLUMNS = ("year", "baseline", "scenario")


def plot_levels(table: pd.DataFrame, *, ax: Axes, first: int | None = None, what: str = "persons a year",
                labels: tuple[str, str] = (WITHOUT, WITH)) -> Axes:
    """A level by year, with and without the change.

    Parameters
    ----------
    table : ``year, baseline, scenario``; ``lower, upper`` (and ``lower_80, upper_80``) where the scenario's level has
        intervals; ``truth_baseline, truth`` where the truth is known. Persons.
    ax : where to draw.
    first : first year that differs, marked.
    what : label of the axis.
    labels : of the two lines.

    Returns
    -------
    The axes. Lines carry their labels; bands are labelled ``95%`` and ``80%``.

    Raises
    ------
    InputError
        For missing columns or no year.
    """
    _check(table, _COLUMNS, "plot_levels")
    year, unit, told = table["year"], *_unit(table[list(_COLUMNS[1:])].to_numpy())
    for low, high, label, alpha in (("lower", "upper", "95%", 0.13), ("lower_80", "upper_80", "80%", 0.2)):
        if low in table and high in table:
            ax.fill_between(year, table[low] / unit, table[high] / unit, color=OWN, alpha=alpha, lw=0, label=label)
    if {"truth", "truth_baseline"} <= set(table):
        ax.plot(year, table["truth_baseline"] / unit, color=DATA, lw=1, ls=(0, (1, 1.5)), label="what was")
        ax.plot(year, table["truth"] / unit, color=DATA, lw=1.3, ls=(0, (4, 2)), label=TRUTH)
    ax.plot(year, table["baseline"] / unit, color=OTHER, lw=1.8, label=labels[0], zorder=3)
    ax.plot(year, table["scenario"] / unit, color=OWN, lw=2.2, label=labels[1], zorder=4)
    _years(ax, first, year)
    ax.set_ylabel(f"{told}{what}")
    low, high = ax.get_ylim()
    ax.set_ylim(min(0, low), high + 0.28 * (high - min(0, low)))      # room for the legend
    ax.legend(loc="upper left", bbox_to_anchor=(0, 0.96), ncols=2)
    return ax


def plot_difference(table: pd.DataFrame, *, ax: Axes, first: int | None = None, what: str = "persons a year") -> Axes:
    """What the change makes by year: members' mean, their band, and the truth where it is known.

    Parameters
    ----------
    table : ``year, difference``; ``lower, upper`` and ``lower_80, upper_80`` where there are bands; ``truth`` where the
        true difference is known; further accounts in columns that begin with ``account:``, each a thin line. Persons.
    ax, first, what : as of :func:`plot_levels`.

    Returns
    -------
    The axes.

    Raises
    ------
    InputError
        For missing columns or no year.
    """
    _check(table, ("year", "difference"), "plot_difference")
    year, (unit, told) = table["year"], _unit(table.drop(columns="year").to_numpy(float))
    for low, high, label, alpha in (("lower", "upper", "95% of members", 0.13),
                                    ("lower_80", "upper_80", "80% of members", 0.2)):
        if low in table and high in table:
            ax.fill_between(year, table[low] / unit, table[high] / unit, color=OWN, alpha=alpha, lw=0, label=label)
    accounts = [c for c in table if str(c).startswith("account:")]
    for column, style in zip(accounts, ("--", ":", "-.")):
        ax.plot(year, table[column] / unit, color=OWN, lw=1.2, ls=style, label=column.removeprefix("account:").strip())
    ax.plot(year, table["difference"] / unit, color=OWN, lw=2.2, label="estimated", zorder=4)
    if "truth" in table:
        ax.plot(year, table["truth"] / unit, color=DATA, lw=1.4, ls=(0, (4, 2)), label="true", zorder=5)
    ax.axhline(0, color=INK, lw=0.8)
    _years(ax, first, year)
    ax.set_ylabel(f"difference, {told}{what}")
    ax.legend()
    return ax


def plot_instead(table: pd.DataFrame, *, ax: Axes, number: int = 12, label: str = "corridor",
                 names: Mapping[str, str] | None = None) -> Axes:
    """Ranked bars of what changes most: more to the right, fewer to the left.

    Parameters
    ----------
    table : a column of ``label`` and ``difference``, persons; ``truth`` where it is known, drawn as a mark; ``lower``
        and ``upper`` where there are bands.
    ax : where to draw.
    number : rows, those with the largest difference either way.
    label : column that names the rows: corridors as ``MEX-USA``, territories as codes, or any text.
    names : what to write for them; by default English names.

    Returns
    -------
    The axes, the largest rise on top.

    Raises
    ------
    InputError
        For missing columns or no row.
    """
    _check(table, (label, "difference"), "plot_instead")
    rows = table.loc[table["difference"].abs().sort_values(ascending=False, kind="stable").index[:number]]
    rows = rows.sort_values("difference", kind="stable")
    unit, told = _unit(rows.drop(columns=label).select_dtypes("number").to_numpy(float))
    at = np.arange(len(rows))
    ax.barh(at, rows["difference"] / unit, color=[GAIN if d > 0 else LOSS for d in rows["difference"]], height=0.68,
            alpha=0.9, zorder=2, label="estimated")
    if {"lower", "upper"} <= set(rows):
        ax.hlines(at, rows["lower"] / unit, rows["upper"] / unit, color=INK, lw=1.1, zorder=3, label="95% of members")
    if "truth" in rows:
        ax.plot(rows["truth"] / unit, at, ls="", marker="D", ms=5, mfc="white", mec=DATA, mew=1.4, zorder=4,
                label="true")
    ax.axvline(0, color=INK, lw=0.8)
    ax.set_yticks(at, [(names or {}).get(k, _named(k)) for k in rows[label].astype(str)], fontsize=8.5)
    ax.tick_params(axis="y", length=0)
    ax.grid(False, axis="y")
    ax.xaxis.set_major_formatter(FuncFormatter(_signed))
    ax.set_xlabel(f"{told}persons more (right) or fewer (left)")
    if "truth" in rows or "lower" in rows:
        ax.legend(loc="lower right")
    return ax


def _named(text: str) -> str:
    parts = text.split("-")
    try:
        return " → ".join(name(p) for p in parts)
    except (InputError, KeyError):
        return text


def _signed(value: float, _=None) -> str:
    return f"{value:+g}".replace("-", "−") if value else "0"


def _unit(values: np.ndarray) -> tuple[float, str]:
    top = float(np.nanmax(np.abs(values), initial=0.0))
    return (1e6, "million ") if top >= 2e6 else (1e3, "thousand ") if top >= 2e3 else (1.0, "")


def _years(ax: Axes, first: int | None, year: pd.Series) -> None:
    if first is not None:
        ax.axvline(first - 0.5, color=QUIET, lw=1, ls=":", zorder=1)
        ax.annotate(f"from {first}", (first - 0.5, 1), xycoords=("data", "axes fraction"), xytext=(4, -2),
                    textcoords="offset points", va="top", fontsize=8.5, color=QUIET)
    ax.set_xlim(year.min(), year.max())
    ax.xaxis.get_major_locator().set_params(integer=True)


def _check(table: pd.DataFrame, columns, figure: str) -> None:
    missing = [c for c in columns if c not in table]
    if missing:
        raise InputError(figure, f"columns {missing} are missing", f"give a table with {list(columns)}", key=missing[0])
    if not len(table):
        raise InputError(figure, "nothing to draw", "give at least one row")
