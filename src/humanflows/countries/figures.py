"""The figures of a page: each takes a country's numbers and returns a figure, narrow enough for a telephone."""
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ..dataset.grades import GRADES
from ..plotting.style import GAIN, INK, LAND, LOSS, use_style
from .tables import ARRIVALS, DEPARTURES, PROVENANCE, SIDES, Corridor, Country, Groups
from .words import capital, persons

WIDTH = 4.7         # inches; about 340 points, as wide as a telephone's screen
LONGEST = 26        # letters of a name beside a bar
# Blues for what an office counts, ochre for neighbouring years, violet for a platform, grey for nobody: apart in
# lightness, too.
PROVENANCE_COLOURS = dict(zip(PROVENANCE, ("#123a63", "#3b78b5", "#8fbbe3", "#ecc06a", "#a05195", "#d9dde1")))
GRADE_COLOURS = dict(zip(GRADES, ("#123a63", "#4f8fc4", "#a9c9d8", "#eaa455", "#b8482d")))
GROUP_COLOURS = ("#3b5b92", "#e8b04a", "#2f9e77", "#c8553d", "#6a4c93")
REST = "#cfd5da"
_SEEN = 1e-3        # a share that a reader could see
_REACH = 2.0        # an interval is drawn up to this multiple of the largest estimate; an arrow says that it goes on


def set_style() -> None:
    """The house style, with text that stays text and is never read as a formula."""
    use_style()
    plt.rcParams.update({"figure.constrained_layout.use": False, "svg.fonttype": "none", "text.parse_math": False,
                         "font.size": 9, "axes.titlesize": 9.5, "legend.fontsize": 9, "axes.labelsize": 9,
                         "axes.grid": False, "ytick.left": False, "xtick.color": INK, "ytick.color": INK,
                         "axes.facecolor": "none"})


def _axes(rows: int, height: float, columns: int = 1, **where) -> tuple[Figure, np.ndarray]:
    figure, axes = plt.subplots(rows, columns, figsize=(WIDTH, height), squeeze=False)
    figure.subplots_adjust(**{"left": 0.11, "right": 0.98, "top": 1 - 0.24 / height, "bottom": 0.26 / height,
                              "hspace": 0.3, **where})
    return figure, axes


def scale_of(largest: float) -> tuple[float, str]:
    """Divisor of an axis and its unit in words."""
    for step, name in ((1e6, "million people"), (1e3, "thousand people")):
        if largest >= 2 * step:
            return step, name
    return 1.0, "people"


def _years(ax: Axes, years: Sequence[int]) -> None:
    first, last = years[0], years[-1]
    ticks = [y for y in range(first, last + 1) if y % 10 == 0] or [first, last]
    ax.set_xlim(first - 0.5, last + 0.5)
    ax.set_xticks(ticks, [str(y) for y in ticks])


def _number_ticks(ax: Axes) -> None:
    ax.yaxis.set_major_locator(plt.MaxNLocator(4, min_n_ticks=3))
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.10g}".replace("-", "\N{MINUS SIGN}"))
    ax.grid(axis="y")


def draw_totals(country: Country) -> Figure:
    """Arrivals and departures by year, and net migration below, with bands where the release has intervals."""
    figure, ((above,), (below,)) = _axes(2, 3.9, hspace=0.42)
    years, totals = np.array(country.years), country.totals
    largest = max(totals[s].max() for s in SIDES)
    step, unit = scale_of(largest)
    for side, colour, line in ((ARRIVALS, GAIN, "-"), (DEPARTURES, LOSS, (0, (4, 1.5)))):
        above.plot(years, totals[side] / step, color=colour, ls=line, label=side)
        _band(above, country, side, colour, step)
    # An interval may reach far beyond what is drawn; the estimate must stay readable.
    top = max([largest, *(np.nanmax(np.append(totals.get(f"{s}_upper", [0.0]), 0.0)) for s in SIDES)])
    above.set_ylim(0, max(min(top, 2.5 * largest), 1e-9) / step * 1.06)
    above.set_title(capital(unit) + " per year")
    above.legend(loc="upper left", ncols=2, handlelength=2.2, borderaxespad=0.1)
    net = totals["net"]
    step, unit = scale_of(np.abs(net).max())
    below.fill_between(years, 0, net / step, where=net >= 0, color=GAIN, alpha=0.45, lw=0, interpolate=True)
    below.fill_between(years, 0, net / step, where=net <= 0, color=LOSS, alpha=0.45, lw=0, interpolate=True)
    below.plot(years, net / step, color=INK, lw=1.4)
    _band(below, country, "net", INK, step)
    below.axhline(0, color=INK, lw=0.8)
    _limit(below, net / step, [country.totals.get(f"net_{e}", net) / step for e in ("lower", "upper")])
    below.set_title(f"Net migration, {unit}")
    for ax in (above, below):
        _years(ax, country.years)
        _number_ticks(ax)
    return figure


def _band(ax: Axes, country: Country, what: str, colour: str, step: float) -> None:
    ends = [country.totals.get(f"{what}_{e}") for e in ("lower", "upper")]
    if all(e is not None and np.isfinite(e).any() for e in ends):
        ax.fill_between(country.years, *(e / step for e in ends), color=colour, alpha=0.16, lw=0)


def _limit(ax: Axes, middle: np.ndarray, ends: list[np.ndarray]) -> None:
    """Limits that hold the line, and of the band as much as leaves the line readable."""
    low, high = min(middle.min(), 0.0), max(middle.max(), 0.0)
    room = 1.2 * max(high - low, 1e-9)
    reach = [np.nanmin(np.append(ends[0], low)), np.nanmax(np.append(ends[1], high))]
    low, high = max(reach[0], low - room), min(reach[1], high + room)
    ax.set_ylim(low - 0.06 * (high - low), high + 0.06 * (high - low))


def draw_corridors(country: Country) -> Figure:
    """The largest origins and destinations of the latest year: estimate, interval and grade."""
    rows = [max(len(country.corridors[s]), 1) for s in SIDES]
    height = 0.75 + 0.215 * sum(rows) + 0.75
    figure, axes = plt.subplots(2, 1, figsize=(WIDTH, height), gridspec_kw={"height_ratios": rows})
    figure.subplots_adjust(left=0.37, right=0.8, top=1 - 0.26 / height, bottom=0.3 / height,
                           hspace=0.62 / (height / 2))
    for ax, side, title in zip(axes, SIDES, ("Arrivals from", "Departures to")):
        _draw_side(ax, country.corridors[side])
        ax.set_title(f"{title}, {country.years[-1]}", x=-0.86)
    return figure


def _draw_side(ax: Axes, corridors: list[Corridor]) -> None:
    largest = max((c.flow for c in corridors), default=1.0)
    step, unit = scale_of(largest)
    reach = max([largest, *(min(c.upper, _REACH * largest) for c in corridors if c.upper == c.upper)]) / step
    rows = range(len(corridors))
    ax.plot(*_strokes([(0.0, reach, r) for r in rows]), color=LAND, lw=0.7, zorder=0, clip_on=False)
    for grade in dict.fromkeys(c.grade for c in corridors):
        own = [(r, c) for r, c in zip(rows, corridors) if c.grade == grade]
        colour = GRADE_COLOURS.get(grade, INK)
        bars = [(c.lower / step, min(c.upper / step, reach), r) for r, c in own if c.upper == c.upper]
        ax.plot(*_strokes(bars), color=colour, lw=3, alpha=0.4, solid_capstyle="butt", clip_on=False)
        beyond = [r for r, c in own if c.upper / step > reach * 1.0001]
        ax.plot([reach] * len(beyond), beyond, ">", color=colour, ms=4, clip_on=False)
        ax.plot([c.flow / step for _, c in own], [r for r, _ in own], "o", color=colour, ms=5, clip_on=False)
    for row, c in zip(rows, corridors):
        ax.annotate(f"{persons(c.flow)}  {c.grade}".rstrip(), (1.04, row), xycoords=("axes fraction", "data"),
                    va="center")
    ax.set_yticks(rows, [shorten(c.name) for c in corridors])
    ax.set_ylim(max(len(corridors), 1) - 0.4, -0.6)
    ax.set_xlim(0, reach * 1.03)
    ax.xaxis.set_major_locator(plt.MaxNLocator(3))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    ax.spines["left"].set_visible(False)
    if unit != "people":
        ax.annotate(unit.split()[0], (1.04, 0), xycoords="axes fraction", xytext=(0, -11), textcoords="offset points")


def _strokes(parts: list[tuple[float, float, float]]) -> tuple[list[float], list[float]]:
    """Horizontal strokes (from, to, height) as one line with gaps."""
    gap = float("nan")
    return [x for a, b, _ in parts for x in (a, b, gap)], [y for *_, row in parts for y in (row, row, gap)]


def shorten(name: str, longest: int = LONGEST) -> str:
    """A name that fits beside a bar."""
    return name if len(name) <= longest else name[:longest - 1].rstrip(" ,.") + "…"


def draw_people(country: Country) -> Figure:
    """Residents born elsewhere by birthplace, and people born here who live elsewhere, on each 1 January."""
    figure, axes = _axes(2, 5.3, hspace=0.72, bottom=0.145)
    for (ax,), groups, title in zip(axes, (country.born_elsewhere, country.living_elsewhere),
                                    ("Residents born elsewhere", "Born here, living elsewhere")):
        _draw_groups(ax, groups, title)
    return figure


def _draw_groups(ax: Axes, groups: Groups, title: str) -> None:
    step, unit = scale_of(groups.total.max())
    parts = [*groups.values, groups.others] if groups.others.max() > 0 or not len(groups.values) else [*groups.values]
    colours = [*GROUP_COLOURS[:len(groups.values)], REST][:len(parts)]
    names = [*(shorten(n, 23) for n in groups.names), "all others"][:len(parts)]
    heights = np.cumsum(parts, axis=0) / step
    # Each sum down to the ground, the highest first: a polygon of one edge is half as long as a band.
    for values, colour in zip(heights[::-1], colours[::-1]):
        _area(ax, groups.dates, values, colour)
    ax.set_ylim(0, max(heights[-1].max(), 1e-9) * 1.06)
    ax.set_title(f"{title}, {unit}")
    _years(ax, groups.dates)
    _number_ticks(ax)
    _legend(ax, dict(zip(names, colours)), columns=2)


def _area(ax: Axes, years: Sequence[int], values: np.ndarray, colour: str) -> None:
    ax.fill([years[0], *years, years[-1]], [0.0, *values, 0.0], color=colour, lw=0, clip_on=False)


def _legend(ax: Axes, colours: dict[str, str], *, columns: int, at: tuple[float, float] = (0.0, -0.1)) -> None:
    ax.legend(handles=[Patch(color=c, label=n) for n, c in colours.items()], loc="upper left", bbox_to_anchor=at,
              ncols=columns, handlelength=1.1, handleheight=0.9, columnspacing=1.2, borderaxespad=0.4)


def draw_evidence(country: Country) -> Figure:
    """Who spoke about those who came and those who left, by year, and their grades; shares of people."""
    figure, axes = _axes(2, 4.9, 2, wspace=0.14, hspace=0.8, bottom=0.115, right=0.975)
    for row, (shares, colours, title) in zip(axes, ((country.provenance, PROVENANCE_COLOURS, "Who counted"),
                                                    (country.graded, GRADE_COLOURS, "Grades"))):
        for ax, side in zip(row, SIDES):
            heights = 100 * np.cumsum(shares[side], axis=0)
            for values, part, colour in zip(heights[::-1], shares[side][::-1], [*colours.values()][::-1]):
                if part.max() > _SEEN:
                    _area(ax, country.years, values, colour)
            ax.set_ylim(0, 100)
            ax.set_yticks([0, 50, 100], ["0", "50", "100%"] if side == ARRIVALS else [])
            ax.set_title(f"{title}: {side}" if side == ARRIVALS else side.capitalize())
            _years(ax, country.years)
            ax.set_xlim(country.years[0], country.years[-1])
            ax.set_xticks([y for y in ax.get_xticks() if y % 20 == 0])
        _legend(row[0], colours, columns=2 if len(colours) > len(GRADES) else len(GRADES), at=(-0.03, -0.12))
    return figure


FIGURES = {"totals": draw_totals, "corridors": draw_corridors, "people": draw_people, "evidence": draw_evidence}
