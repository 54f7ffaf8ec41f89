"""Figures of how well a known truth is recovered: only a simulated world has one. Tables in, axes out, no model.

A run says little unless one knows by how much runs differ anyway: where experiments are compared, the range over other
held-out corridors and other starts of training is drawn beside them.
"""
from collections.abc import Sequence
from textwrap import fill, shorten

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, PercentFormatter

from .. import territories
from ..errors import InputError
from ..results.summaries import SEEN, split_corridor
from .charts import (
    _DENSITY,
    METRICS,
    _check_axes,
    _check_columns,
    _check_pair,
    _empty,
    _label_ends,
    _one_to_one,
    _running_median,
    _short,
)
from .style import GAIN, INK, LAND, LOSS, OTHER, OWN, PAPER, QUIET

EVERYTHING = "everything as it is"
CHANCE = ("folds", "seeds")     # questions whose experiments differ from the base by nothing but chance
SCORE_COLUMNS = ("experiment", "question", "label", "quantity", "group")
# Four, and three, that differ by a CIEDE2000 of 15 or more with any sight, dark enough for words on white.
GROUP_STYLES = dict(zip(SEEN, ((INK, "o"), (OTHER, "s"), ("#2f9e77", "D"), ("#c07a12", "^"))))
INTERVAL_STYLES = {"members' spread": (QUIET, "^"), "calibrated on reports": (OWN, "o"),
                   "calibrated on the truth": (OTHER, "s")}
COVERAGE_PANELS = {("reports", "reported corridors"): "Reports,\nreported corridors",
                   ("people", "reported corridors"): "People,\nreported corridors",
                   ("people", "never reported"): "People,\nnever reported corridors"}
NEEDED, INVISIBLE = OTHER, "#e8b04a"
ALLOWED = "#dfe3e8"
VERDICTS = {LOSS: "worse", GAIN: "better", QUIET: "within the range of repeats"}
_LEGEND = {"frameon": False, "handlelength": 1.4, "columnspacing": 1.6, "handletextpad": 0.6}
_FIXED = "\N{NO-BREAK SPACE}"
# Round shares of the truth in the order in which they deserve a tick.
_FACTORS = (1, 0.5, 2, 0.75, 1.5, 0.9, 1.1, 0.1, 10, 0.01, 100, 0.25, 4, 0.8, 1.25, 0.7, 0.6, 0.95, 1.05, 0.85, 1.2,
            0.98, 1.02, 0.99, 1.01)
_ABBREVIATED = {"United Arab Emirates": "Un. Arab Emirates", "Central African Republic": "Central African Rep.",
                "Dominican Republic": "Dominican Rep.", "Bonaire, Saint Eustatius and Saba": "Bonaire & Saba",
                "United States Virgin Islands": "US Virgin Islands", "Northern Mariana Islands": "N. Mariana Islands",
                "St. Vincent and the Grenadines": "St. Vincent & Gr.", "Bosnia and Herzegovina": "Bosnia & Herz.",
                "British Virgin Islands": "Brit. Virgin Islands", "Micronesia, Fed. Sts.": "Micronesia",
                "St. Pierre and Miquelon": "St. Pierre & Miq.", "Turks and Caicos Islands": "Turks & Caicos",
                "Wallis and Futuna Islands": "Wallis & Futuna"}


def _short_name(code: str, width: int = 20) -> str:
    name = territories.name(code)
    return shorten(_ABBREVIATED.get(name, name).replace(" and ", " & "), width, placeholder=" …")


def _corridor_name(corridor: str) -> str:
    """``"MEX-USA"`` as "Mexico → United States"."""
    return " → ".join(_short_name(code) for code in split_corridor(corridor))


def _corridor_title(ax: Axes, corridor: str, size: float) -> str:
    """Its name, on two lines where one would reach beyond the panel."""
    name = _corridor_name(corridor)
    points = ax.get_window_extent().width * 72 / ax.get_figure(root=True).dpi
    return name if len(name) * 0.66 * size < points else name.replace(" → ", "\n→ ")


def _signed(value: float, digits: int = 2) -> str:
    return f"{value:.{digits}f}".replace("-", "−")


def _against_truth(log_bias: float) -> str:
    """A log bias as a share: −25%, +3%."""
    percent = 100 * np.expm1(log_bias)
    digits = 1 if percent < -98.5 else 0
    return f"{percent:+.{digits}f}%".replace("-", "−") if round(percent, digits) else "0%"


def _legend_below(axes: Sequence[Axes], handles: Sequence, columns: int) -> None:
    outside = "outside " if axes[0].get_figure(root=True).get_constrained_layout() else ""
    axes[0].get_figure().legend(handles=handles, loc=f"{outside}lower center", ncols=columns, fontsize=8.5, **_LEGEND)


def _legend_above(ax: Axes, labels: Sequence[str]) -> None:
    handles = dict(zip(*reversed(ax.get_legend_handles_labels())))
    ax.legend([handles[k] for k in labels], labels, loc="lower left", bbox_to_anchor=(0, 1), ncols=len(labels),
              borderaxespad=0.2, fontsize=8.5, **_LEGEND)


# -- experiments ------------------------------------------------------------------------------------------------------
def plot_experiments(table: pd.DataFrame, *, axes, scores: Sequence[str] = ("log_r", "log_bias", "within_r"),
                     quantity: str = "flow", group: str = "all", base: str = "fold-1"):
    """What each experiment does to the scores: a row per experiment, a panel per score, the default on top.

    The band is the range over runs that change nothing but which corridors are held out or how training begins. A dot
    outside it is coloured by its direction; one inside is hollow, for its change may be chance.

    Parameters
    ----------
    table : as ``humanflows.recovery.collect_scores`` makes it: experiment, question, label, quantity, group and the
        scores. Rows whose question is one of ``CHANCE`` make the band; all other experiments are drawn in the order
        given, also those that have no such group (without offices no corridor is reported).
    axes : at least one for each score, side by side; those left over are switched off.
    scores : columns shown. ``log_bias`` is shown as the share by which the total is missed.
    quantity, group : rows shown.
    base : name of the experiment with which all others are compared.

    Returns
    -------
    axes, as given

    Raises
    ------
    InputError
        For missing columns, no experiment beside the base, no score of the base, two rows of one experiment, or too
        few axes.
    """
    if not len(scores):
        raise _empty("plot_experiments", "score")
    here, chance = _scores_of("plot_experiments", table, scores, quantity, group, base)
    panels = _check_axes("plot_experiments", axes, len(scores))
    others = table[~table.question.isin(CHANCE) & (table.experiment != base)].drop_duplicates("experiment")
    if not len(others):
        raise _empty("plot_experiments", "experiment beside the base")
    names = [base, *others.experiment]
    heights = np.array([0.0, *np.arange(1.35, len(others) + 1.35)])
    labels = [EVERYTHING, *(fill(str(label), 34) for label in others.label)]
    verdicts: set[str] = set()
    for k, (ax, score) in enumerate(zip(panels, scores)):
        verdicts |= _experiment_panel(ax, here[score].reindex(names).to_numpy(float), heights, score,
                                      here.loc[chance, score].to_numpy(float))
        ax.set_yticks(heights, labels, fontsize=9, linespacing=0.95)
        ax.tick_params(axis="y", length=0, labelleft=k == 0)
        if k == 0:
            ax.get_yticklabels()[0].set_fontweight("bold")
    for ax in panels[len(scores):]:
        ax.set_axis_off()
    handles = [Line2D([], [], ls="", marker="o", color=colour, markerfacecolor=PAPER if colour == QUIET else colour,
                      label=label) for colour, label in VERDICTS.items() if colour in verdicts]
    if len(chance) > 1:
        handles.append(Patch(color=LAND, label=f"range of {len(chance)} runs of everything as it is"))
    if handles:
        _legend_below(panels, handles, len(handles))
    return axes


def _scores_of(figure, table, scores, quantity, group, base) -> tuple[pd.DataFrame, list[str]]:
    """Rows of a quantity and group by experiment; names of those that differ by chance alone, the base included."""
    _check_columns(figure, table, (*SCORE_COLUMNS, *scores))
    here = table[(table.quantity == quantity) & (table.group == group)]
    if base not in set(here.experiment):
        raise InputError(figure, f"no scores of {base} for {quantity}, {group}",
                         "give the table with the base, and a quantity and group that it has", key=base)
    twice = here.experiment[here.experiment.duplicated()]
    if len(twice):
        raise InputError(figure, f"two rows of {twice.iloc[0]} for {quantity}, {group}", "give each experiment once",
                         key=twice.iloc[0])
    chance = here[here.question.isin(CHANCE) | (here.experiment == base)]
    return here.set_index("experiment"), chance.experiment.tolist()


def _goodness(values, score: str) -> np.ndarray:
    """The larger the better."""
    values = np.asarray(values, dtype=float)
    return {"largest": values, "smallest": -values, "zero": -np.abs(values)}[METRICS.get(score, ("", "largest"))[1]]


def _verdict(value: float, score: str, chance: np.ndarray) -> str:
    """Colour of a run: worse or better than every run that differs by chance alone, or neither."""
    repeats = _goodness(chance[np.isfinite(chance)], score)
    good = float(_goodness(value, score))
    if good < repeats.min():
        return LOSS
    return GAIN if good > repeats.max() else QUIET


def _experiment_panel(ax: Axes, values: np.ndarray, heights: np.ndarray, score: str, chance: np.ndarray) -> set[str]:
    """Returns the verdicts (colours) that occur."""
    base, known = values[0], np.concatenate([values, chance])
    known = known[np.isfinite(known)]
    if not np.isfinite(base):
        raise InputError("plot_experiments", f"the base has no {score}", "leave this score out", key=score)
    as_share = score == "log_bias"
    words = _against_truth if as_share else _signed
    if as_share:
        known = np.append(known, 0.0)
    low, high = known.min(), known.max()
    room = 0.3 * (high - low) or 0.1                     # for the numbers beside the outermost dots
    ax.set(xlim=(low - room, high + room), ylim=(heights[-1] + 0.6, -0.6))
    repeats = chance[np.isfinite(chance)]
    if len(repeats) > 1:
        ax.axvspan(repeats.min(), repeats.max(), color=LAND, lw=0, zorder=0.5, label="chance")
    if as_share:
        ax.axvline(0, color=INK, lw=0.9, zorder=1)
    ax.axvline(base, color=INK, lw=0.8, ls=(0, (3, 3)), zorder=1.5)
    verdicts = set()
    for k, (y, value) in enumerate(zip(heights, values)):
        if not np.isfinite(value):
            ax.annotate("not defined", (base, y), ha="center", va="center", fontsize=8, color="#5a6672", zorder=5,
                        bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1.5})
            continue
        colour = INK if k == 0 else _verdict(value, score, chance)
        right = value >= base
        if k:
            verdicts.add(colour)
            ax.plot([base, value], [y, y], color=colour, lw=1.6, alpha=0.8, zorder=2, solid_capstyle="butt")
        ax.plot(value, y, "o", color=colour, markerfacecolor=PAPER if colour == QUIET else colour, mew=1.4,
                ms=7.5 if k == 0 else 6.5, zorder=4)
        ax.annotate(words(value), (value, y), xytext=(8 if right else -8, 0), textcoords="offset points", va="center",
                    ha="left" if right else "right", fontsize=8.5, zorder=5, color=INK,
                    fontweight="bold" if k == 0 else "normal",
                    path_effects=[withStroke(linewidth=2.2, foreground=PAPER)])     # lines may pass below
    title, better, aim = _aim(score, "better →", "← better")
    ax.set_xlabel(f"{title}\n({aim})")
    if as_share:
        ticks = _share_ticks(*ax.get_xlim())
        ax.set_xticks(ticks, [_against_truth(t) for t in ticks])
    else:
        ticks = MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(*ax.get_xlim())
        most = 1 + 1e-9 if better == "largest" else np.inf      # no correlation, no common part lies above one
        ax.set_xticks([t for t in ticks if ax.get_xlim()[0] <= t <= min(most, ax.get_xlim()[1])])
    ax.tick_params(axis="x", labelsize=8.5)
    ax.grid(False, axis="y")
    ax.spines["left"].set_visible(False)
    ax.axhline((heights[0] + heights[1]) / 2, color=QUIET, lw=0.5, zorder=1)
    return verdicts


def _aim(score: str, more: str, less: str) -> tuple[str, str, str]:
    """A score's title, which values are better (as in ``METRICS``), and that in words."""
    title, better = METRICS.get(score, (score, "largest"))
    if score == "log_bias":
        return "total, against the truth", better, "best at 0%"
    return title, better, {"largest": more, "smallest": less, "zero": "best at 0"}[better]


def _share_ticks(low: float, high: float) -> list[float]:
    ticks: list[float] = []
    for t in np.log(_FACTORS):
        if low <= t <= high and all(abs(t - other) >= 0.2 * (high - low) for other in ticks):
            ticks.append(float(t))
    return sorted(ticks)


def plot_reporters(table: pd.DataFrame, *, ax: Axes, score: str = "log_r", quantity: str = "flow",
                   groups: Sequence[str] = SEEN, base: str = "fold-1", base_offices: int = 13) -> Axes:
    """A score against the number of offices that report, a line for each group of corridors.

    Parameters
    ----------
    table : as for :func:`plot_experiments`. The number of offices is read from labels such as "4 offices"; other
        experiments are passed over, but for those of ``CHANCE``, whose range is a whisker at the base.
    ax : where to draw.
    score, quantity : what is shown; ``log_bias`` as the share by which the total is missed.
    groups : of corridors; a group that some number of offices leaves empty has no point there.
    base, base_offices : name of the default experiment, and how many offices it has.

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        For missing columns, no group, no score of the base, or no experiment with another number of offices.
    """
    if not len(groups):
        raise _empty("plot_reporters", "group of corridors")
    _check_columns("plot_reporters", table, (*SCORE_COLUMNS, score))
    labels = table.drop_duplicates("experiment").set_index("experiment")["label"].astype(str)
    counts = labels.str.extract(r"^(\d+) offices?$")[0].dropna().astype(int)
    if not len(counts.drop(base, errors="ignore")):
        raise InputError("plot_reporters", "no experiment with another number of offices",
                         "give the experiments of question 'reporters', labelled as '4 offices'", key="label")
    counts[base] = base_offices
    counts = counts.sort_values()
    ends, repeated = [], 0
    for k, group in enumerate(groups):
        here, chance = _scores_of("plot_reporters", table, [score], quantity, group, base)
        line = here[score].reindex(counts.index).to_numpy(float)
        known = np.isfinite(line)
        if not known.any():
            raise InputError("plot_reporters", f"no {score} of {group}", "leave this group out", key=group)
        colour, marker = GROUP_STYLES.get(group, (QUIET, "o"))
        x = counts.to_numpy(float)[known]
        ax.plot(x, line[known], color=colour, marker=marker, ms=6, lw=2, zorder=3, label=group)
        repeats = here.loc[chance, score].dropna()
        if len(repeats) > 1:                            # side by side, or one would hide the other
            at = base_offices + (k - (len(groups) - 1) / 2) * 0.012 * max(counts.max(), 1)
            ax.vlines(at, repeats.min(), repeats.max(), color=colour, lw=3.5, alpha=0.35, zorder=2)
            repeated = max(repeated, len(repeats))
        ends.append((x[-1], line[known][-1], group, colour, False))
    ticks = sorted({*counts, base_offices})
    ax.set_xticks(ticks, [f"{t}\ndefault" if t == base_offices else str(t) for t in ticks])
    ax.margins(x=0.04, y=0.12)
    title, _, aim = _aim(score, "better ↑", "better ↓")
    if score == "log_bias":
        ticks = _share_ticks(*ax.get_ylim())
        ax.set_yticks(ticks, [_against_truth(t) for t in ticks])
    bars = f"\n(bars: range of {repeated} runs of the default)" if repeated else ""
    ax.set(xlabel=f"territories whose office publishes flows{bars}", ylabel=f"{title} ({aim})")
    ax.grid(False, axis="x")
    _label_ends(ax, ends)
    return ax


# -- intervals --------------------------------------------------------------------------------------------------------
def plot_coverage(table: pd.DataFrame, *, axes, size: str = "all"):
    """How often intervals hold what they promise: of reports, of people whom offices count, of people nobody counts.

    Beside each line stands how wide its largest interval is: how many times its lower end the upper one is, in the
    median (both counted as 1 + persons).

    Parameters
    ----------
    table : as ``results.recovery.score_intervals`` makes it: interval, about, group, size, level, coverage, width.
    axes : three, one each for reports and for people in reported corridors, and for people in never reported ones.
    size : group of flows shown.

    Returns
    -------
    axes, as given

    Raises
    ------
    InputError
        For missing columns, no rows, too few axes, or coverages outside 0 to 1.
    """
    _check_columns("plot_coverage", table, ("interval", "about", "group", "size", "level", "coverage", "width"))
    shown = table[table["size"] == size]
    if not len(shown):
        raise InputError("plot_coverage", "no coverage to draw", "ask for a size in the table", key=size)
    for column in ("level", "coverage"):
        if not shown[column].between(0, 1).all():
            raise InputError("plot_coverage", f"a {column} is no share", "give numbers between 0 and 1", key=column)
    panels = _check_axes("plot_coverage", axes, len(COVERAGE_PANELS))
    levels = np.sort(shown["level"].unique())
    kinds = [k for k in INTERVAL_STYLES if k in set(shown.interval)]
    kinds += [k for k in dict.fromkeys(shown.interval) if k not in kinds]
    for k, (ax, ((about, group), title)) in enumerate(zip(panels, COVERAGE_PANELS.items())):
        here = shown[(shown.about == about) & (shown.group == group)]
        ax.plot([0, 1], [0, 1], color=INK, lw=0.9, ls=(0, (4, 3)), zorder=2, label="as promised")
        ends = []
        for kind in kinds:
            line = here[here.interval == kind].sort_values("level")
            if not len(line):
                continue
            colour, marker = INTERVAL_STYLES.get(kind, (QUIET, "o"))
            ax.plot(line.level, line.coverage, color=colour, marker=marker, ms=5.5, lw=2, zorder=3, label=kind)
            last = line.iloc[-1]
            words = [kind, f"{100 * last.level:g}% interval holds {last.coverage:.0%}", _width_words(last.width)]
            # Lines stay as they are: names are broken at plain spaces alone.
            ends.append((last.level, last.coverage, " ".join(w.replace(" ", _FIXED) for w in words), colour, False))
        ax.set(xlim=(levels[0] - 0.08, 1.0), ylim=(0, 1.14))
        # Room between the numbers for what is written: a level near to the next one has a tick alone.
        near = np.append(np.diff(levels) < 0.08, False)
        ax.set_xticks(levels, ["" if n else f"{100 * v:g}%" for v, n in zip(levels, near)])
        ax.set_yticks(np.linspace(0, 1, 5))
        ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        ax.tick_params(labelsize=8.5)
        ax.set_title(title, fontsize=10)
        ax.set_xlabel("promised")
        if k == 0:
            ax.set_ylabel("obtained (below the diagonal: too little)")
        _label_ends(ax, ends, width=26, size=8)
    for ax in panels[len(COVERAGE_PANELS):]:
        ax.set_axis_off()
    return axes


def _width_words(width: float) -> str:
    factor = np.exp(width)
    if not np.isfinite(factor):
        return "upper end unknown"
    return f"upper = {factor:,.0f} × lower" if factor >= 20 else f"upper = {factor:.1f} × lower"


def plot_corridor_intervals(table: pd.DataFrame, *, axes):
    """Estimates with their intervals and what truly happened, a small panel for each corridor.

    Parameters
    ----------
    table : columns corridor (``"MEX-USA"``), seen (one of ``results.summaries.SEEN``), year, and true, estimated,
        lower, upper (persons a year; an upper end may be infinite). Panels are ordered by what
        was seen, within that by the corridors' first rows.
    axes : at least one for each corridor; those left over are switched off.

    Returns
    -------
    axes, as given

    Raises
    ------
    InputError
        For missing columns, no rows, too few axes, an unknown territory, missing or negative numbers, or an interval
        whose ends are the wrong way round.
    """
    numbers = ("true", "estimated", "lower", "upper")
    _check_intervals("plot_corridor_intervals", table, ("corridor", "seen", "year"), numbers)
    kind = table.drop_duplicates("corridor").set_index("corridor")["seen"]
    corridors = sorted(kind.index, key=lambda c: SEEN.index(kind[c]) if kind[c] in SEEN else len(SEEN))
    panels = _check_axes("plot_corridor_intervals", axes, len(corridors))
    for ax, corridor in zip(panels, corridors):
        rows = table[table.corridor == corridor].sort_values("year")
        top = float(np.nanmax(rows[list(numbers)].where(np.isfinite(rows[list(numbers)])).to_numpy(float)))
        top = max(top, 1.0) * 1.06
        ax.fill_between(rows.year, rows.lower, rows.upper.clip(upper=top), color=OWN, alpha=0.2, lw=0, zorder=2)
        ax.plot(rows.year, rows.estimated, color=OWN, lw=2, zorder=3)
        inside = ((rows.lower <= rows.true) & (rows.true <= rows.upper)).to_numpy()
        ax.scatter(rows.year[inside], rows.true[inside], s=11, color=INK, linewidths=0, zorder=4)
        ax.scatter(rows.year[~inside], rows.true[~inside], s=17, facecolors=PAPER, edgecolors=INK, linewidths=1.1,
                   zorder=4)
        ax.set(xlim=(rows.year.min() - 0.8, rows.year.max() + 0.8), ylim=(0, top))
        ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        ax.yaxis.set_major_locator(MaxNLocator(4))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.0f}" if v.is_integer() else f"{v:,.1f}"))
        ax.tick_params(labelsize=8)
        ax.set_title(_corridor_title(ax, corridor, 9.5), fontsize=9.5, pad=29, wrap=False, linespacing=1.1)
        ax.annotate(f"{rows.seen.iloc[0]}\n{inside.sum()} of {len(rows)} years inside", (0, 1), xytext=(0, 4),
                    xycoords="axes fraction", textcoords="offset points", va="bottom", fontsize=8, color="#5a6672",
                    linespacing=1.25)
        position = ax.get_subplotspec()
        if position is None or position.is_first_col():
            ax.set_ylabel("persons a year", fontsize=8.5)
    for ax in panels[len(corridors):]:
        ax.set_axis_off()
    _legend_below(panels, [
        Line2D([], [], color=OWN, lw=2, label="estimate"), Patch(color=OWN, alpha=0.2, label="95% interval"),
        Line2D([], [], ls="", marker="o", ms=4, color=INK, label="truth, inside"),
        Line2D([], [], ls="", marker="o", ms=4.5, color=INK, markerfacecolor=PAPER, label="truth, outside")], 4)
    return axes


def _check_intervals(figure: str, table: pd.DataFrame, keys: Sequence[str], numbers: Sequence[str],
                     pairs: Sequence[tuple[str, str]] = (("lower", "upper"),)) -> None:
    _check_columns(figure, table, (*keys, *numbers))
    if not len(table):
        raise _empty(figure, "corridor")
    for column in numbers:
        values = table[column].to_numpy(float)
        endless = column in ("upper", "stock_upper")
        if np.isnan(values).any() or (values < 0).any() or (np.isinf(values).any() and not endless):
            raise InputError(figure, "a number of persons is missing, infinite or negative", "drop such rows",
                             key=column)
    for low, high in pairs:
        if (table[low] > table[high]).any():
            raise InputError(figure, f"{low} lies above {high}", "give the smaller number first", key=low)


def plot_bounds(table: pd.DataFrame, *, ax: Axes) -> Axes:
    """What exact stocks allow a corridor's flow to be, against the interval of the estimate and the truth.

    Parameters
    ----------
    table : columns corridor (``"MEX-USA"``), true, estimated, lower, upper (95% interval), and stock_lower,
        stock_upper (``results.identification.bound_flow``), persons a year; one row per corridor, the first on top.
    ax : where to draw; persons as log(1 + persons), so that nobody has a place of its own.

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        For missing columns, no rows, a corridor twice, missing or negative numbers, or ends the wrong way round.
    """
    numbers = ("true", "estimated", "lower", "upper", "stock_lower", "stock_upper")
    _check_intervals("plot_bounds", table, ("corridor",), numbers, (("lower", "upper"), ("stock_lower", "stock_upper")))
    if table.corridor.duplicated().any():
        twice = table.corridor[table.corridor.duplicated()].iloc[0]
        raise InputError("plot_bounds", "a corridor has two rows", "give one row for each corridor", key=twice)
    finite = table[list(numbers)].to_numpy(float)
    top = finite[np.isfinite(finite)].max() * 1.6 + 1
    at = {c: np.log10(1 + np.minimum(table[c].to_numpy(float), top)) for c in numbers}
    y = np.arange(len(table))
    ax.barh(y, at["stock_upper"] - at["stock_lower"], left=at["stock_lower"], height=0.72, color=ALLOWED, zorder=2,
            label="what exact stocks allow")
    ax.barh(y, at["upper"] - at["lower"], left=at["lower"], height=0.34, color=OWN, alpha=0.45, zorder=3,
            label="95% interval of the estimate")
    ax.plot(at["estimated"], y, ls="", marker="D", ms=6, color=OWN, mec=PAPER, mew=0.7, zorder=4, label="estimate")
    ax.plot(at["true"], y, ls="", marker="o", ms=5.5, color=INK, mec=PAPER, mew=0.7, zorder=5, label="truth")
    decades = np.concatenate([[0], 10.0 ** np.arange(0, np.floor(np.log10(top)) + 1)])
    ax.set_xticks(np.log10(1 + decades), [_short(d) for d in decades])
    ax.set_xlim(-0.06, np.log10(1 + top))
    ax.set_yticks(y, [_corridor_name(c) for c in table.corridor], fontsize=9)
    ax.set_ylim(len(table) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.grid(False, axis="y")
    ax.set_xlabel("persons a year (logarithm of 1 + persons)")
    _legend_above(ax, ("what exact stocks allow", "95% interval of the estimate", "estimate", "truth"))
    return ax


# -- birthplaces ------------------------------------------------------------------------------------------------------
def plot_invisible(table: pd.DataFrame, *, ax: Axes, number: int = 15) -> Axes:
    """Moves by birthplace: those that changes of stocks require, and those that leave no trace in them.

    Parameters
    ----------
    table : as ``results.identification.invisible_moves`` makes it: index birthplace; moves, needed, invisible, persons
        in a year.
    ax : where to draw.
    number : of birthplaces, those with the most moves.

    Returns
    -------
    Axes

    Raises
    ------
    InputError
        Without rows or columns, for missing or negative numbers, or moves that are not the sum of their parts.
    """
    _check_columns("plot_invisible", table, ("moves", "needed", "invisible"))
    if not len(table) or number < 1:
        raise _empty("plot_invisible", "birthplace")
    values = table[["moves", "needed", "invisible"]].to_numpy(float)
    if not np.isfinite(values).all() or (values < 0).any():
        raise InputError("plot_invisible", "a number of moves is missing or negative", "drop such birthplaces")
    apart = np.abs(values[:, 0] - values[:, 1:].sum(1)) > 0.5 + 1e-6 * values[:, 0]
    if apart.any():
        raise InputError("plot_invisible", "moves are not needed and invisible ones together",
                         "give the table of results.identification.invisible_moves", key=table.index[apart][0])
    shown = table.sort_values("moves", ascending=False, kind="stable").head(number)
    unit, name = (1e6, "million") if shown.moves.iloc[0] >= 2e6 else (1e3, "thousand")
    y = np.arange(len(shown))
    needed, invisible = shown.needed.to_numpy(float) / unit, shown.invisible.to_numpy(float) / unit
    ax.barh(y, needed, height=0.72, color=NEEDED, zorder=3, label="needed by changes of stocks")
    ax.barh(y, invisible, left=needed, height=0.72, color=INVISIBLE, zorder=3,
            label="invisible in stocks: rounds that leave all as they were")
    longest = float((needed + invisible).max()) or 1.0
    for at, whole, part in zip(y, needed + invisible, invisible):
        share = f"{part / whole:.0%}" if whole > 0 else "–"
        ax.annotate(f"{share} invisible" if at == 0 else share, (whole, at), xytext=(5, 0),
                    textcoords="offset points", va="center", fontsize=8.5)
    ax.set_yticks(y, [_short_name(c, 24) for c in shown.index], fontsize=9)
    ax.set(xlim=(0, longest * 1.16), ylim=(len(shown) - 0.4, -0.6))
    ax.tick_params(axis="y", length=0)
    ax.grid(False, axis="y")
    ax.spines["left"].set_visible(False)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.6g}"))
    ax.set_xlabel(f"{name} moves in a year, by birthplace of who moved")
    _legend_above(ax, ("needed by changes of stocks", "invisible in stocks: rounds that leave all as they were"))
    return ax


def plot_birthplace_kinds(table: pd.DataFrame, *, axes, period: str = "in all years"):
    """True against estimated flows by birthplace, a panel for each kind of move: leaving home, returning, moving on.

    Parameters
    ----------
    table : a row for each cell (year, birthplace, origin, destination), or for a sample of them: kind (as
        ``results.recovery.KINDS``; a panel each, in the order of their first rows), true, estimated, persons a year;
        and total_true, total_estimated, persons in all cells of the kind, the same in each of its rows.
    axes : at least one for each kind in the table; those left over are switched off.
    period : what the totals cover, as written beside them.

    Returns
    -------
    axes, as given

    Raises
    ------
    InputError
        For missing columns, no rows, totals that differ within a kind, too few axes, missing or negative numbers.
    """
    figure = "plot_birthplace_kinds"
    _check_columns(figure, table, ("kind", "true", "estimated", "total_true", "total_estimated"))
    true, estimated = _check_pair(figure, table["true"], table["estimated"])
    kinds = list(dict.fromkeys(table.kind))
    panels = _check_axes(figure, axes, len(kinds))
    top = max(true.max(), estimated.max(), 10.0)
    side = np.log10(1 + top)
    drawn = []
    for k, (ax, kind) in enumerate(zip(panels, kinds)):
        mask = (table.kind == kind).to_numpy()
        totals = table.loc[mask, ["total_true", "total_estimated"]].drop_duplicates()
        if len(totals) != 1 or not np.isfinite(totals.to_numpy(float)).all():
            raise InputError(figure, f"totals of {kind} differ or are missing",
                             "repeat a kind's totals in all its rows", key=kind)
        _one_to_one(ax, top)
        x, y = np.log10(1 + true[mask]), np.log10(1 + estimated[mask])
        drawn.append(ax.hexbin(x, y, gridsize=44, cmap=_DENSITY, mincnt=1, linewidths=0.1, zorder=2,
                               extent=(0, side, 0, side)))
        _one_to_one_limits(ax, side)
        _running_median(ax, x, y, OWN, zorder=4, width=2.4)
        ax.set_title(kind[0].upper() + kind[1:])
        was, said = totals.iloc[0]
        said = f"{_millions(was)} million true\n{_millions(said)} million estimated\n{period}"
        ax.text(0.05, 0.97, said + "\n" * (k == 0), transform=ax.transAxes, va="top", fontsize=8.5,
                linespacing=1.35, zorder=6, bbox={"facecolor": PAPER, "alpha": 0.85, "edgecolor": "none", "pad": 2})
        ax.set_xlabel("true, persons a year")
        if k == 0:
            ax.set_ylabel("estimated, persons a year")
            ax.text(0.05, 0.97, "\n\n\nline: median estimate", transform=ax.transAxes, va="top", fontsize=8.5,
                    linespacing=1.35, zorder=7, color=OWN)
    norm = LogNorm(1, max(10.0, *(float(d.get_array().max()) for d in drawn)))
    for cells in drawn:
        cells.set_norm(norm)
    _cells_scale(panels[len(kinds) - 1], drawn[-1])
    for ax in panels[len(kinds):]:
        ax.set_axis_off()
    return axes


def _one_to_one_limits(ax: Axes, side: float) -> None:
    """hexbin widens the axes."""
    ax.set(xlim=(-0.12, side + 0.15), ylim=(-0.12, side + 0.15))


def _cells_scale(ax: Axes, cells) -> None:
    slim = ax.inset_axes([1.05, 0.0, 0.035, 0.5])
    bar = ax.get_figure().colorbar(cells, cax=slim)
    bar.ax.tick_params(labelsize=8, length=2)
    bar.ax.yaxis.set_minor_locator(LogLocator(subs=()))
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: _short(v)))
    bar.ax.set_title("cells per\nhexagon", fontsize=8, fontweight="normal", pad=5, loc="left")
    bar.outline.set_visible(False)


def _millions(persons: float) -> str:
    """177.4, 1.24, 0.036"""
    millions = persons / 1e6
    return f"{millions:,.1f}" if millions >= 10 else f"{millions:.2f}" if millions >= 0.1 else f"{millions:.2g}"
