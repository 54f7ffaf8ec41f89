"""Figures of where the estimates are wrong, by what lies on their axes."""
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from test_style import SIGHT, ciede2000, lab

from humanflows import plotting as p
from humanflows.errors import InputError
from humanflows.plotting import errors as e
from humanflows.results.error_terms import GROUPS


def legend(figure):
    return [t.get_text() for t in figure.legends[0].get_texts()]


def drawn(figure):
    figure.canvas.draw()
    return figure


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("palette", [[c for c, *_ in e.SIDE_STYLES.values()], [c for c, _ in e.PARTS.values()],
                                     [p.DATA, p.OWN, p.OTHER]], ids=["sides", "parts", "dumbbells"])
def test_colours_are_told_apart_with_any_sight(palette, sight):
    assert min(ciede2000(lab(a, sight), lab(b, sight)) for a, b in combinations(palette, 2)) > 15


# --- worst corridors --------------------------------------------------------------------------------------------------

@pytest.fixture
def worst():
    return pd.DataFrame({
        "set": ["by residence", "by residence", "by citizenship or birthplace"],
        "corridor": ["MEX-USA", "POL-RUS", "VEN-COL"], "reporter": ["MEX", "META", "COL"],
        "collection": ["undesa_imfsc", "meta", "oecd"], "side": ["emigration", "both", "immigration"],
        "reported": [99.0, 0.0, 9.0], "estimated": [9999.0, 9.0, 99.0], "other_reported": [999.0, np.nan, 9.0],
        "share": [0.2, 0.1, 0.05], "why": ["offices_disagree=10", "few_years=2", "criterion=citizenship;jump=8"]})


def test_dumbbells_join_reported_and_estimated(worst):
    figure = drawn(p.plot_worst_corridors(worst))
    first, second = figure.axes
    lines = next(c for c in first.collections if not c.get_label().startswith(("reported", "estimated", "another")))
    assert [s[:, 0].tolist() for s in lines.get_segments()] == [[2.0, 4.0], [0.0, 1.0]]
    marks = {c.get_label(): c.get_offsets() for c in first.collections}
    assert marks["reported"][:, 0].tolist() == [2.0, 0.0] and marks["estimated"][:, 0].tolist() == [4.0, 1.0]
    assert np.isnan(marks["another source"][1, 0]) or np.ma.is_masked(marks["another source"][1, 0])
    labels = [t.get_text() for t in first.get_yticklabels()]
    assert labels[0].startswith("Mexico → United States") and "(Mexico, UN DESA flows)" in labels[0]
    assert labels[1].endswith("(Meta)")
    assert [t.get_text() for t in first.texts] == ["offices differ ×10", "2 years only"]
    assert [t.get_text() for t in second.texts] == ["by citizenship, report jumps ×8"]
    assert "30% of the error" in first.get_title("left") and "5% of the error" in second.get_title("left")
    assert first.get_ylim()[0] > first.get_ylim()[1]                                    # largest share on top
    assert {"0", "100", "10k"} <= {t.get_text() for t in first.get_xticklabels()}
    assert legend(figure) == ["reported", "estimated", "another source"]


def test_only_the_first_rows_are_drawn_and_one_list_has_one_panel(worst):
    figure = p.plot_worst_corridors(worst.drop(columns="set"), number=2)
    assert len(figure.axes) == 1 and len(figure.axes[0].get_yticks()) == 2
    assert "30% of the error" in figure.axes[0].get_title("left")


def test_worst_corridors_refuse_what_they_cannot_draw(worst):
    for table, problem in ((worst.iloc[:0], "no corridor"), (worst.drop(columns="why"), "why"),
                           (worst.assign(reported=-1.0), "negative"), (worst.assign(estimated=np.nan), "missing")):
        with pytest.raises(InputError, match=problem):
            p.plot_worst_corridors(table)


# --- residuals --------------------------------------------------------------------------------------------------------

@pytest.fixture
def residuals():
    rows = []
    for side, shift in (("immigration", 0.0), ("emigration", 0.5)):
        for by, groups in (("distance", GROUPS["distance"][::-1]), ("region of origin", ("Oceania", "Europe")),
                           ("year", ("2001", "2000", "2002"))):
            for k, group in enumerate(groups):
                rows.append((side, by, group, 10 + k, shift + 0.1 * k, shift + 0.1 * k - 0.05, shift + 0.1 * k + 0.05))
    table = pd.DataFrame(rows, columns=["side", "by", "group", "n", "bias", "bias_lower", "bias_upper"])
    return table.assign(abs_error=table.bias + 0.2, abs_lower=table.bias_lower + 0.2, abs_upper=table.bias_upper + 0.2)


def test_each_grouping_has_a_panel_and_each_side_its_dots(residuals):
    figure = drawn(p.plot_residuals(residuals))
    distance, region, year = figure.axes
    assert [a.get_title("left") for a in figure.axes] == ["Distance", "Region of origin", "Year"]
    assert [t.get_text() for t in distance.get_yticklabels()] == list(GROUPS["distance"])     # in their natural order
    assert [t.get_text() for t in region.get_yticklabels()] == ["Europe", "Oceania"]         # most cells first
    dots = {line.get_label(): line for line in distance.get_lines()}
    for side, shift in (("immigration", 0.0), ("emigration", 0.5)):
        at = dict(zip(np.round(dots[side].get_ydata()), dots[side].get_xdata()))
        assert [at[k] for k in range(4)] == pytest.approx([shift + 0.1 * k for k in (3, 2, 1, 0)])
        assert to_hex(dots[side].get_color()) == e.SIDE_STYLES[side][0]
    ends = np.concatenate([s[:, 0] for c in distance.collections for s in c.get_segments()])
    assert ends.min() == pytest.approx(-0.05) and ends.max() == pytest.approx(0.85)
    line = next(x for x in year.get_lines() if x.get_label() == "immigration")
    assert line.get_xdata().tolist() == [2000, 2001, 2002] and line.get_ydata().tolist() == [0.1, 0.0, 0.2]
    assert legend(figure) == [e.SIDE_STYLES[s][2] for s in e.SIDE_STYLES]


def test_errors_are_read_as_factors(residuals):
    figure = drawn(p.plot_residuals(residuals[residuals.by == "distance"]))
    ticks = dict(zip([t.get_text() for t in figure.axes[0].get_xticklabels()], figure.axes[0].get_xticks()))
    assert ticks["1"] == 0 and ticks["×2"] == pytest.approx(np.log(2))
    figure = drawn(p.plot_residuals(residuals, measure="abs_error"))
    assert figure.axes[0].get_xlim()[0] == 0 and "factor" in figure.axes[1].get_xlabel()


def test_years_alone_are_one_panel(residuals):
    figure = drawn(p.plot_residuals(residuals[residuals.by == "year"]))
    assert [a.get_title("left") for a in figure.axes] == ["Year"]


def test_residuals_refuse_what_they_cannot_draw(residuals):
    for table, measure, problem in ((residuals.iloc[:0], "bias", "no group"), (residuals, "r", "unknown measure 'r'"),
                                    (residuals.drop(columns="side"), "bias", "side")):
        with pytest.raises(InputError, match=problem):
            p.plot_residuals(table, measure=measure)


# --- components -------------------------------------------------------------------------------------------------------

@pytest.fixture
def components():
    return pd.DataFrame({"collection": ["undesa_imfsc", "oecd"], "side": ["immigration", "emigration"],
                         "criterion": ["residence", "citizenship"], "n": [9, 9], "witnesses": [1, 1], "series": [2, 2],
                         "level": [0.5, 1.0], "pattern": [0.25, 0.0], "time": [0.25, 3.0], "total": [1.0, 4.0]})


def test_bars_are_stacked_to_the_total(components):
    figure = drawn(p.plot_error_components(components))
    ax = figure.axes[0]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["UN DESA flows, arrivals",
                                                           "OECD, departures by citizenship"]
    widths = [[b.get_width() for b in c] for c in ax.containers]
    assert widths == [[0.5, 1.0], [0.25, 0.0], [0.25, 3.0]]
    assert [b.get_x() for b in ax.containers[2]] == [0.75, 1.0]
    assert [t.get_text() for t in ax.texts] == ["1.00, a factor of 2.7", "4.00, a factor of 7.4"]
    assert legend(figure) == [label for _, label in e.PARTS.values()]


def test_components_refuse_what_they_cannot_draw(components):
    for table, problem in ((components.iloc[:0], "no set"), (components.drop(columns="time"), "time"),
                           (components.assign(level=-1.0), "negative"), (components.assign(total=9.0), "add up")):
        with pytest.raises(InputError, match=problem):
            p.plot_error_components(table)


# --- shocks -----------------------------------------------------------------------------------------------------------

@pytest.fixture
def courses():
    rows = []
    for year in range(2000, 2006):
        big = 5000.0 if year > 2003 else 1000.0
        rows += [("war", "A war", year, "estimate", "estimate", big, big, 3),
                 ("war", "A war", year, "new refugees and asylum seekers", "displaced", 4 * big - 4000, big, 3),
                 ("war", "A war", year, "change of refugees and others displaced", "displaced", -5.0, big, 3),
                 ("war", "A war", year, "oecd, immigration, citizenship", "reported", big / 2, big / 5, 1),
                 ("calm", "A calm", year, "estimate", "estimate", 3e6, 3e6, 1),
                 ("calm", "A calm", year, "truth", "truth", 2e6, 3e6, 1)]
    return pd.DataFrame(rows, columns=["shock", "title", "year", "series", "kind", "persons", "estimated", "corridors"])


@pytest.fixture
def rises():
    return pd.DataFrame({"shock": ["war", "war", "calm"], "kind": ["reported", "displaced", "truth"],
                         "series": ["oecd, immigration, citizenship", "new refugees and asylum seekers", "truth"],
                         "corridors": [1, 3, 1], "rise": [5.0, 160.0, 1.0], "estimated_rise": [5.0, 5.0, 1.0],
                         "found": [1.0, 0.25, np.nan]})


def test_each_shock_has_a_panel_with_everybody_who_speaks(courses, rises):
    figure = drawn(p.plot_shocks(courses, rises))
    war, calm, empty = figure.axes
    assert [a.get_title("left") for a in (war, calm)] == ["A war", "A calm"] and not empty.axison
    lines = {line.get_label(): line for line in war.get_lines()}
    assert lines["estimate"].get_ydata().tolist() == [1, 1, 1, 1, 5, 5] and "thousand" in war.get_ylabel()
    assert to_hex(lines["estimate"].get_color()) == p.OWN
    report = lines["oecd, immigration, citizenship"]
    assert report.get_ydata()[-1] == 2.5 and report.get_linestyle() == "None"
    assert to_hex(report.get_markerfacecolor()) == p.PAPER                    # hollow: not by residence
    assert lines["estimate, oecd"].get_ydata()[-1] == 1.0                    # of the one corridor that is reported
    assert [b.get_height() for b in war.containers[0]] == [0, 0, 0, 0, 16, 16]
    assert np.isnan(lines["change of refugees and others displaced"].get_ydata()).all()      # none below zero
    assert "million" in calm.get_ylabel() and calm.get_ylim()[0] == 0
    assert "OECD, arrivals by citizenship" in legend(figure) and "estimate of these corridors" in legend(figure)


def test_who_speaks_of_most_corridors_is_quoted(courses, rises):
    figure = p.plot_shocks(courses, rises)
    said = [a.texts[0].get_text() for a in figure.axes[:2]]
    assert said == ["estimated: 25% of the\nadditional refugees", "true ×1\nestimated ×1"]
    figure = p.plot_shocks(courses, rises[rises.kind == "reported"])
    assert [len(a.texts) for a in figure.axes] == [1, 0, 0]
    assert figure.axes[0].texts[0].get_text() == "counted ×5\nestimated ×5"
    assert not any(a.texts for a in p.plot_shocks(courses).axes)


def test_shocks_refuse_what_they_cannot_draw(courses, rises):
    for table, scores, problem in ((courses.iloc[:0], rises, "no shock"), (courses.drop(columns="kind"), rises, "kind"),
                                   (courses, rises.drop(columns="found"), "found")):
        with pytest.raises(InputError, match=problem):
            p.plot_shocks(table, scores)


def test_series_are_named_for_readers():
    assert p.errors.series_name("undesa_imfsc, emigration, residence") == "UN DESA flows, departures"
    assert p.errors.series_name("change of the counted stock") == "change of the counted stock"
