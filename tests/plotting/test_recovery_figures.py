"""Figures of how a known truth is recovered, by what lies on the axes."""
from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.text import Text
from test_style import SIGHT, ciede2000, lab

from humanflows import plotting as p
from humanflows.errors import InputError
from humanflows.plotting import recovery as r
from humanflows.results.recovery import KINDS
from humanflows.results.summaries import SEEN
from humanflows.territories import codes

RNG = np.random.default_rng(11)


def words(ax):
    return [t.get_text().replace("\N{NO-BREAK SPACE}", " ") for t in ax.texts]


def grid(columns, rows=1, size=(3.4, 4), **share):
    return plt.figure(figsize=(size[0] * columns, size[1] * rows)).subplots(rows, columns, squeeze=False, **share)[0]


def apart(texts):
    """No two of the texts touch, as drawn."""
    boxes = [(t.get_text(), Text.get_window_extent(t)) for t in texts if t.get_text() and t.get_visible()]
    for (one, a), (two, b) in combinations(boxes, 2):
        assert not (min(a.x1, b.x1) - max(a.x0, b.x0) > 0.5 and min(a.y1, b.y1) - max(a.y0, b.y0) > 0.5), (one, two)
    return True


def colours_of(palette):
    return [c for c, *_ in palette.values()]


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("palette", [colours_of(r.GROUP_STYLES), colours_of(r.INTERVAL_STYLES),
                                     [r.NEEDED, r.INVISIBLE], list(r.VERDICTS)], ids=["groups", "intervals", "moves",
                                                                                      "verdicts"])
def test_colours_can_be_told_apart(palette, sight):
    seen = [lab(c, sight) for c in palette]
    assert min(ciede2000(a, b) for a, b in combinations(seen, 2)) >= 15


def test_names_are_short_and_known():
    assert r._corridor_name("MEX-USA") == "Mexico → United States"
    assert r._short_name("BES") == "Bonaire & Saba" and r._short_name("ATG") == "Antigua & Barbuda"
    assert all(0 < len(r._short_name(c)) <= 20 and "…" not in r._short_name(c) for c in codes())


# -- experiments ------------------------------------------------------------------------------------------------------
def score_rows(experiment, question, label, r_=0.9, bias=-0.1, within=0.7, groups=("all",)):
    return [(experiment, question, label, "flow", g, 100, r_, r_, r_, bias, within) for g in groups]


def scores_of(*rows):
    return pd.DataFrame([x for row in rows for x in row], columns=[
        "experiment", "question", "label", "quantity", "group", "n", "r", "log_r", "cpc", "log_bias", "within_r"])


@pytest.fixture
def scores():
    return scores_of(
        score_rows("fold-1", "folds", "corridors of fold 1 held out"),
        score_rows("fold-2", "folds", "corridors of fold 2 held out", 0.92, -0.05, 0.72),
        score_rows("seed-2", "seeds", "training begins with seed 2", 0.88, -0.2, 0.69),
        score_rows("without-1", "sources", "without stock tables", 0.6, np.log(0.5), 0.71),
        score_rows("without-2", "sources", "without refugee counts", 0.91, 0.3, np.nan),
        score_rows("perfect", "bookkeeping", "offices without any error", 0.97, 0.02, 0.9))


def dots(ax):
    """(value, height, colour, filled) of each dot."""
    return [(line.get_xdata()[0], line.get_ydata()[0], line.get_color(), line.get_markerfacecolor() != p.PAPER)
            for line in ax.get_lines() if line.get_marker() == "o"]


def test_every_experiment_is_a_row_below_everything_as_it_is(scores, draw):
    axes = grid(3, sharey=True)
    assert p.plot_experiments(scores, axes=axes) is axes
    labels = [t.get_text() for t in axes[0].get_yticklabels()]
    assert labels == ["everything as it is", "without stock tables", "without refugee counts",
                      "offices without any error"]
    assert [v for v, *_ in dots(axes[0])] == [0.9, 0.6, 0.91, 0.97]
    heights = [y for _, y, *_ in dots(axes[0])]
    assert heights == sorted(heights) and axes[0].yaxis_inverted()
    draw(axes[0])
    for ax in axes:
        apart([*ax.texts, *(t for t in ax.get_xticklabels())])


def test_the_band_is_the_range_of_folds_and_seeds_alone(scores):
    axes = grid(3, sharey=True)
    p.plot_experiments(scores, axes=axes)
    for ax, expected in zip(axes, ((0.88, 0.92), (-0.2, -0.05), (0.69, 0.72))):
        band = next(patch for patch in ax.patches if patch.get_label() == "chance")
        assert (band.get_x(), band.get_x() + band.get_width()) == pytest.approx(expected)
    legend = [t.get_text() for t in axes[0].figure.legends[0].get_texts()]
    assert any("range of 3 runs" in t for t in legend)


def test_a_line_leads_from_the_default_to_the_dot(scores):
    axes = grid(1)
    p.plot_experiments(scores, axes=axes, scores=("log_r",))
    lines = [tuple(line.get_xdata()) for line in axes[0].get_lines() if len(set(line.get_ydata())) == 1
             and len(line.get_xdata()) == 2 and line.get_xdata()[0] == 0.9]
    assert lines == [(0.9, 0.6), (0.9, 0.91), (0.9, 0.97)]


def test_what_chance_does_as_well_is_not_called_better_or_worse(scores):
    axes = grid(3, sharey=True)
    p.plot_experiments(scores, axes=axes)
    assert [(c, f) for *_, c, f in dots(axes[0])] == [(p.INK, True), (p.LOSS, True), (p.QUIET, False), (p.GAIN, True)]
    # A bias is judged by its distance from none: +35% is worse than −18%, +2% better than −5%.
    assert [c for *_, c, _ in dots(axes[1])] == [p.INK, p.LOSS, p.LOSS, p.GAIN]
    assert [c for *_, c, _ in dots(axes[2])] == [p.INK, p.QUIET, p.GAIN] and "not defined" in words(axes[2])


def test_labels_of_scores_say_which_way_is_better_and_biases_are_shares(scores):
    axes = grid(3, sharey=True)
    p.plot_experiments(scores, axes=axes)
    assert "better →" in axes[0].get_xlabel() and "best at 0%" in axes[1].get_xlabel()
    assert {"−10%", "−50%", "+35%", "+2%"} <= set(words(axes[1])) and {"0.90", "0.60"} <= set(words(axes[0]))
    ticks = dict(zip(np.round(axes[1].get_xticks(), 6), (t.get_text() for t in axes[1].get_xticklabels())))
    assert ticks[0.0] == "0%" and ticks[round(np.log(0.5), 6)] == "−50%"
    assert max(axes[0].get_xticks()) <= 1 + 1e-9


def test_an_experiment_without_such_a_group_keeps_its_row(scores):
    scores = pd.concat([scores, scores_of(score_rows("reporters-0", "reporters", "0 offices", groups=("nobody",)))])
    axes = grid(1)
    p.plot_experiments(scores, axes=axes, scores=("log_r",))
    assert [t.get_text() for t in axes[0].get_yticklabels()][-1] == "0 offices"
    assert words(axes[0]).count("not defined") == 1 and len(dots(axes[0])) == 4


def test_experiments_refuse_what_they_cannot_draw(scores):
    axes = grid(3)
    with pytest.raises(InputError, match="columns"):
        p.plot_experiments(scores.drop(columns="label"), axes=axes)
    with pytest.raises(InputError, match="no scores of fold-1"):
        p.plot_experiments(scores[scores.experiment != "fold-1"], axes=axes)
    with pytest.raises(InputError, match="no scores of fold-1 for stock"):
        p.plot_experiments(scores, axes=axes, quantity="stock")
    with pytest.raises(InputError, match="beside the base"):
        p.plot_experiments(scores[scores.question.isin(["folds", "seeds"])], axes=axes)
    with pytest.raises(InputError, match="two rows of perfect"):
        p.plot_experiments(pd.concat([scores, scores.tail(1)]), axes=axes)
    with pytest.raises(InputError, match="3 panels for 2"):
        p.plot_experiments(scores, axes=axes[:2])
    with pytest.raises(InputError, match="base has no log_r"):
        p.plot_experiments(scores.assign(log_r=scores.log_r.where(scores.experiment != "fold-1")), axes=axes)


# -- offices ----------------------------------------------------------------------------------------------------------
@pytest.fixture
def offices():
    held, unseen = "office, held out", "no office, nothing seen"
    return scores_of(
        score_rows("fold-1", "folds", "corridors of fold 1 held out", 0.9, groups=(held, unseen)),
        score_rows("seed-2", "seeds", "training begins with seed 2", 0.86, groups=(held, unseen)),
        score_rows("reporters-40", "reporters", "40 offices", 0.95, groups=(held,)),
        score_rows("reporters-0", "reporters", "0 offices", 0.7, groups=(unseen,)),
        score_rows("reporters-4", "reporters", "4 offices", 0.8, groups=(held, unseen)),
        score_rows("without-3", "sources", "without offices' flows", 0.1, groups=(held, unseen)))


def test_a_score_is_drawn_against_the_number_of_offices(offices, ax, draw):
    groups = (SEEN[1], SEEN[3])
    p.plot_reporters(offices, ax=ax, groups=groups)
    lines = {line.get_label(): line for line in ax.get_lines()}
    assert list(lines[SEEN[1]].get_xdata()) == [4, 13, 40] and list(lines[SEEN[1]].get_ydata()) == [0.8, 0.9, 0.95]
    assert list(lines[SEEN[3]].get_xdata()) == [0, 4, 13]                # with 40 offices, no such corridor is left
    assert set(words(ax)) == set(groups)
    assert "13\ndefault" in [t.get_text() for t in ax.get_xticklabels()]
    assert "better ↑" in ax.get_ylabel() and "office" in ax.get_xlabel() and "2 runs" in ax.get_xlabel()
    spans = [s[:, 1] for c in ax.collections for s in c.get_segments()]
    assert [tuple(s) for s in spans] == [(0.86, 0.9)] * 2
    draw(ax)
    apart(ax.texts)


def test_a_bias_is_a_share_of_the_truth_also_against_offices(offices, ax):
    bias = np.where(offices.experiment == "reporters-4", np.log(0.5), 0.01)
    p.plot_reporters(offices.assign(log_bias=bias), ax=ax, score="log_bias", groups=SEEN[1:2])
    ticks = {t.get_text() for t in ax.get_yticklabels()}
    assert {"0%", "−50%"} <= ticks and "best at 0%" in ax.get_ylabel()


def test_offices_refuse_what_they_cannot_draw(offices, ax):
    for table, problem in ((offices.drop(columns="label"), "label"),
                           (offices[offices.question != "reporters"], "another number of offices"),
                           (offices[offices.experiment != "fold-1"], "no scores of fold-1")):
        with pytest.raises(InputError, match=problem):
            p.plot_reporters(table, ax=ax, groups=SEEN[1:2])
    with pytest.raises(InputError, match="no scores of fold-1 for flow, office, learned from"):
        p.plot_reporters(offices, ax=ax)
    with pytest.raises(InputError, match="no group"):
        p.plot_reporters(offices, ax=ax, groups=())


# -- coverage ---------------------------------------------------------------------------------------------------------
@pytest.fixture
def coverage():
    rows = []
    for kind, factor, width in (("calibrated on reports", 1.0, np.log(8)), ("calibrated on the truth", 0.99, np.log(7)),
                                ("members' spread", 0.4, np.log(1.5))):
        for about, group in (("reports", "reported corridors"), ("people", "reported corridors"),
                             ("people", "never reported")):
            if kind == "calibrated on the truth" and about == "reports":
                continue
            for level in (0.95, 0.5, 0.8, 0.9):
                rows += [(kind, about, group, "all", level, 50, level * factor, width * level / 0.95),
                         (kind, about, group, "under 100", level, 50, 0.0, np.inf)]
    return pd.DataFrame(rows, columns=["interval", "about", "group", "size", "level", "n", "coverage", "width"])


def test_promises_are_drawn_against_what_is_kept(coverage, draw):
    axes = grid(3, size=(3.8, 4.6), sharey=True)
    p.plot_coverage(coverage, axes=axes)
    lines = [{line.get_label(): line for line in ax.get_lines()} for ax in axes]
    assert [set(x) - {"as promised"} for x in lines] == [
        {"calibrated on reports", "members' spread"}, *[set(r.INTERVAL_STYLES)] * 2]
    spread = lines[2]["members' spread"]
    assert list(spread.get_xdata()) == [0.5, 0.8, 0.9, 0.95] and spread.get_ydata()[-1] == pytest.approx(0.38)
    assert list(lines[0]["as promised"].get_xdata()) == list(lines[0]["as promised"].get_ydata())
    assert ["Reports" in ax.get_title(loc="left") for ax in axes] == [True, False, False]
    assert "never reported" in axes[2].get_title(loc="left")
    draw(axes[0])
    assert "50%" in [t.get_text() for t in axes[0].get_xticklabels()]
    assert "100%" in [t.get_text() for t in axes[0].get_yticklabels()]
    for ax in axes:
        apart([*ax.texts, *ax.get_xticklabels(), ax._left_title])


def test_the_width_of_the_widest_interval_is_written_beside_its_line(coverage):
    axes = grid(3, sharey=True)
    p.plot_coverage(coverage, axes=axes)
    assert "calibrated on reports\n95% interval holds 95%\nupper = 8.0 × lower" in words(axes[0])
    assert "members' spread\n95% interval holds 38%\nupper = 1.5 × lower" in words(axes[2])
    again = grid(3, sharey=True)
    p.plot_coverage(coverage, axes=again, size="under 100")
    assert "upper end unknown" in words(again[0])[0]


def test_coverage_refuses_what_it_cannot_draw(coverage):
    axes = grid(3)
    with pytest.raises(InputError, match="no coverage"):
        p.plot_coverage(coverage, axes=axes, size="huge")
    with pytest.raises(InputError, match="width"):
        p.plot_coverage(coverage.drop(columns="width"), axes=axes)
    with pytest.raises(InputError, match="coverage is no share"):
        p.plot_coverage(coverage.assign(coverage=95), axes=axes)
    with pytest.raises(InputError, match="3 panels for 1"):
        p.plot_coverage(coverage, axes=axes[:1])


# -- corridors --------------------------------------------------------------------------------------------------------
@pytest.fixture
def intervals():
    years = np.arange(2000, 2005)
    one = pd.DataFrame({"corridor": "MEX-USA", "seen": SEEN[1], "year": years, "true": [900.0, 1000, 5000, 100, 1100],
                        "estimated": 1000.0, "lower": 500.0, "upper": [2000.0, 2000, 2000, 2000, np.inf]})
    return pd.concat([one.sample(frac=1, random_state=1), one.assign(corridor="FRA-BIH", seen=SEEN[3], true=1000.0)],
                     ignore_index=True)


def test_a_corridor_shows_its_interval_and_the_truth(intervals, draw):
    axes = grid(3)
    p.plot_corridor_intervals(intervals, axes=axes)
    first, second, third = axes
    assert first.get_title(loc="left") == "Mexico → United States"
    assert second.get_title(loc="left") == "France → Bosnia & Herz." and not third.axison
    assert words(first) == ["office, held out\n3 of 5 years inside"]
    assert words(second) == ["no office, nothing seen\n5 of 5 years inside"]
    assert list(first.get_lines()[0].get_xdata()) == list(range(2000, 2005))     # sorted by year
    inside, outside = (c.get_offsets() for c in first.collections[1:])
    assert sorted(map(tuple, inside)) == [(2000, 900), (2001, 1000), (2004, 1100)]
    assert sorted(map(tuple, outside)) == [(2002, 5000), (2003, 100)]
    band = first.collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == 500 and np.isfinite(band).all()
    assert first.get_ylim()[0] == 0 and first.get_ylim()[1] > 5000
    draw(first)
    assert "3,000" in [t.get_text() for t in first.get_yticklabels()] and "persons" in first.get_ylabel()
    apart([*first.texts, first._left_title, *second.texts, second._left_title])


def test_corridors_stand_by_what_was_seen_of_them(intervals):
    axes = grid(3)
    last = intervals[intervals.corridor == "FRA-BIH"].assign(corridor="DEU-ITA", seen=SEEN[0])
    p.plot_corridor_intervals(pd.concat([intervals[::-1], last]), axes=axes)
    assert [a.get_title(loc="left").split(" ")[0] for a in axes] == ["Germany", "Mexico", "France"]


def test_long_names_take_two_lines_and_stay_apart(intervals, draw):
    axes = grid(2, size=(3.2, 3))
    p.plot_corridor_intervals(intervals.replace({"MEX-USA": "CAF-ARE", "FRA-BIH": "DOM-PNG"}), axes=axes)
    assert axes[0].get_title(loc="left") == "Central African Rep.\n→ Un. Arab Emirates"
    draw(axes[0])
    apart([t for a in axes for t in (a._left_title, *a.texts)])


def test_corridor_intervals_refuse_what_they_cannot_draw(intervals):
    axes = grid(2)
    for table, problem in ((intervals.iloc[:0], "no corridor"), (intervals.drop(columns="seen"), "seen"),
                           (intervals.assign(true=-1.0), "negative"), (intervals.assign(lower=np.inf), "infinite"),
                           (intervals.assign(lower=1e9, upper=2.0), "above upper"),
                           (intervals.assign(corridor="MEXUSA"), "MEXUSA"),
                           (intervals.assign(corridor="XXX-USA"), "XXX")):
        with pytest.raises(InputError, match=problem):
            p.plot_corridor_intervals(table, axes=axes)
    with pytest.raises(InputError, match="2 panels for 1"):
        p.plot_corridor_intervals(intervals, axes=axes[:1])


@pytest.fixture
def bounds():
    return pd.DataFrame({"corridor": ["MEX-USA", "FRA-DEU"], "true": [999.0, 0.0], "estimated": [99.0, 9.0],
                         "lower": [9.0, 0.0], "upper": [999.0, 99.0], "stock_lower": [0.0, 0.0],
                         "stock_upper": [999_999.0, 99_999.0]})


def test_bounds_are_bars_and_marks_of_one_row(bounds, ax, draw):
    p.plot_bounds(bounds, ax=ax)
    bars = {c.get_label(): c.patches for c in ax.containers}
    assert bars["what exact stocks allow"][0].get_width() == pytest.approx(6)          # log10(1 + persons)
    narrow = bars["95% interval of the estimate"][0]
    assert (narrow.get_x(), narrow.get_width()) == pytest.approx((1, 2))
    assert narrow.get_height() < bars["what exact stocks allow"][0].get_height()
    marks = {line.get_label(): line for line in ax.get_lines()}
    assert list(marks["truth"].get_xdata()) == pytest.approx([3, 0]) and marks["truth"].get_marker() == "o"
    assert list(marks["estimate"].get_xdata()) == pytest.approx([2, 1]) and marks["estimate"].get_marker() == "D"
    assert [t.get_text() for t in ax.get_yticklabels()] == ["Mexico → United States", "France → Germany"]
    assert ax.yaxis_inverted() and {"0", "1k", "1M"} <= {t.get_text() for t in ax.get_xticklabels()}
    assert ax.get_legend().get_texts()[0].get_text() == "what exact stocks allow"
    draw(ax)
    assert ax.get_legend().get_window_extent().y0 >= ax.get_window_extent().y1 - 1


def test_bounds_refuse_what_they_cannot_draw(bounds, ax):
    for table, problem in ((bounds.iloc[:0], "no corridor"), (bounds.drop(columns="stock_upper"), "stock_upper"),
                           (bounds.assign(stock_lower=1e9), "stock_lower lies above"),
                           (bounds.assign(estimated=np.nan), "missing"),
                           (pd.concat([bounds, bounds]), "two rows")):
        with pytest.raises(InputError, match=problem):
            p.plot_bounds(table, ax=ax)


# -- birthplaces ------------------------------------------------------------------------------------------------------
@pytest.fixture
def moves():
    return pd.DataFrame({"moves": [1000.0, 40_000, 5000, 0], "needed": [250.0, 10_000, 5000, 0],
                         "invisible": [750.0, 30_000, 0, 0]},
                        index=pd.Index(["MEX", "DEU", "FRA", "WSM"], name="birthplace"))


def test_invisible_moves_are_stacked_on_needed_ones(moves, ax, draw):
    p.plot_invisible(moves, ax=ax, number=3)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["Germany", "France", "Mexico"]       # most moves first
    needed, invisible = (c.patches for c in ax.containers)
    assert [b.get_width() for b in needed] == [10, 5, 0.25]
    assert [b.get_x() for b in invisible] == [10, 5, 0.25] and [b.get_width() for b in invisible] == [30, 0, 0.75]
    assert words(ax) == ["75% invisible", "0%", "75%"] and "thousand" in ax.get_xlabel() and ax.yaxis_inverted()
    draw(ax)
    apart(ax.texts)


def test_millions_of_moves_are_counted_in_millions_and_no_moves_have_no_share(moves, ax):
    p.plot_invisible(moves * 1000, ax=ax)
    assert ax.containers[0].patches[0].get_width() == 10 and "million" in ax.get_xlabel()
    assert words(ax)[-1] == "–" and len(ax.get_yticklabels()) == 4


def test_invisible_moves_refuse_what_they_cannot_draw(moves, ax):
    for table, problem in ((moves.iloc[:0], "no birthplace"), (moves.drop(columns="needed"), "needed"),
                           (-moves, "negative"), (moves.assign(moves=9e9), "together"),
                           (moves.rename(index={"MEX": "XXX"}), "XXX")):
        with pytest.raises(InputError, match=problem):
            p.plot_invisible(table, ax=ax)


@pytest.fixture
def kinds():
    parts = []
    for k, kind in enumerate(KINDS):
        true = np.floor(RNG.lognormal(3, 2, 400))
        parts.append(pd.DataFrame({"kind": kind, "true": true, "estimated": 0.0 if k == 2 else true,
                                   "total_true": 177.4e6, "total_estimated": [160e6, 2.5e6, 35_000.0][k]}))
    return pd.concat(parts, ignore_index=True)


def test_each_kind_of_move_has_a_panel_with_its_density_and_totals(kinds, draw):
    axes = grid(3)
    p.plot_birthplace_kinds(kinds, axes=axes, period="in 35 years")
    for ax, kind, said in zip(axes, KINDS, ("160.0", "2.50", "0.035")):
        assert ax.get_title(loc="left").lower() == kind.lower()
        density = next(c for c in ax.collections if c.get_array() is not None)
        assert density.get_array().sum() == 400                         # every cell, zeros included, has its place
        assert f"177.4 million true\n{said} million estimated\nin 35 years" in words(ax)[0]
        assert ax.get_xlim() == ax.get_ylim() == axes[0].get_xlim() and "persons" in ax.get_xlabel()
    norms = [next(c.norm for c in ax.collections if c.get_array() is not None) for ax in axes]
    assert norms[0] is norms[1] is norms[2]                              # one scale of colours for all
    draw(axes[0])


def test_the_line_is_the_median_estimate_of_flows_of_like_size(kinds):
    axes = grid(3)
    p.plot_birthplace_kinds(kinds, axes=axes)
    medians = [[line for line in ax.get_lines() if to_hex(line.get_color()) == p.OWN] for ax in axes]
    x, y = medians[0][0].get_data()
    assert np.abs(x - y).max() < 0.1                                     # the truth itself
    assert not medians[2][0].get_ydata().any()                           # nobody


def test_kinds_refuse_what_they_cannot_draw(kinds):
    axes = grid(3)
    uneven = kinds.assign(total_true=np.arange(len(kinds), dtype=float))
    for table, problem in ((kinds.iloc[:0], "no cell"), (kinds.drop(columns="total_true"), "total_true"),
                           (uneven, "totals of natives leaving home differ"), (kinds.assign(true=-1.0), "negative"),
                           (kinds.assign(total_estimated=np.nan), "missing")):
        with pytest.raises(InputError, match=problem):
            p.plot_birthplace_kinds(table, axes=axes)
    with pytest.raises(InputError, match="3 panels for 2"):
        p.plot_birthplace_kinds(kinds, axes=axes[:2])
