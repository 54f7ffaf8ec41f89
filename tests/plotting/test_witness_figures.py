"""Figures of who counts how, by what lies on their axes."""
import numpy as np
import pandas as pd
import pytest

from humanflows import plotting as p
from humanflows.errors import InputError
from humanflows.results.witness_table import FEWEST, WITNESS_COLUMNS


@pytest.fixture
def table():
    def row(reporter, side, factor, ratio, other_side, observations, pairs=50):
        label = f"eurostat|{reporter}|{side}|residence|movement"
        return (label, "eurostat", reporter, side, "residence", "movement", observations, np.log(factor), factor,
                np.log(ratio), 0.5, np.log(2), np.log(other_side), np.log(0.9), pairs, 3)

    return pd.DataFrame([
        row("DEU", "immigration", 1.1, 1.25, 2.0, 1234), row("DEU", "emigration", 0.9, 0.8, 0.7, 100),
        row("POL", "immigration", 0.8, 0.5, 1.0, 200), row("POL", "emigration", 0.6, 0.25, 0.1, 300),
        row("ROU", "emigration", 0.5, 0.1, 0.2, 400, pairs=FEWEST - 1)], columns=list(WITNESS_COLUMNS))


def lines(ax, label):
    return next(line for line in ax.get_lines() if line.get_label().startswith(label))


def test_a_dumbbell_for_each_office_with_both_sides(table, draw):
    figure = p.plot_undercount(table)
    ax, = figure.axes
    draw(ax)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["Poland (Eurostat)", "Germany (Eurostat)"]
    assert lines(ax, "arrivals").get_xdata() == pytest.approx([0.5, 1.25])
    assert lines(ax, "departures").get_xdata() == pytest.approx([0.25, 0.8])
    assert lines(ax, "learned, immigration").get_xdata() == pytest.approx([0.8, 1.1])
    assert lines(ax, "learned, emigration").get_xdata() == pytest.approx([0.6, 0.9])
    joined = [line.get_xdata() for line in ax.get_lines() if line.get_label() == "_joined"]
    assert np.array(joined) == pytest.approx(np.array([[0.5, 0.25], [1.25, 0.8]]))
    assert ax.get_xscale() == "log" and ax.yaxis_inverted()


def test_bars_are_the_spread_and_numbers_stand_in_grey(table):
    ax, = p.plot_undercount(table).axes
    spread = next(c for c in ax.collections if c.get_label() == "spread, emigration")
    assert np.array([s[:, 0] for s in spread.get_segments()]) == pytest.approx(np.array([[0.125, 0.5], [0.4, 1.6]]))
    assert [t.get_text() for t in ax.texts] == ["200 · 300", "1,234 · 100"]
    assert {t.get_color() for t in ax.texts} == {p.QUIET}


def test_all_dots_are_inside_and_only_bars_may_be_cut(table):
    table.loc[3, ["log_ratio", "dispersion_robust"]] = np.log(0.01), 5.0
    ax, = p.plot_undercount(table).axes
    low, high = ax.get_xlim()
    assert low < 0.01 and high > 1.25


def test_departures_are_drawn_against_the_other_ends(table, ax, draw):
    p.plot_other_side(table, ax=ax, names=1)
    draw(ax)
    ratio, learned = lines(ax, "reported over estimated"), lines(ax, "learned factor")
    assert ratio.get_xdata() == pytest.approx([0.1, 0.7]) and ratio.get_ydata() == pytest.approx([0.25, 0.8])
    assert learned.get_xdata() == pytest.approx([0.1, 0.7]) and learned.get_ydata() == pytest.approx([0.6, 0.9])
    assert [t.get_text() for t in ax.texts] == ["Poland"]
    same, midway = lines(ax, "as the other ends say"), lines(ax, "midway")
    assert same.get_xdata() == pytest.approx(same.get_ydata())
    assert np.log(midway.get_ydata()) == pytest.approx(np.log(midway.get_xdata()) / 2)
    assert ax.get_xlim() == ax.get_ylim() and ax.get_xlim()[0] < 0.1 and ax.get_xlim()[1] > 1


def test_fewer_pairs_can_be_asked_for(table, ax):
    p.plot_other_side(table, ax=ax, fewest=FEWEST - 1)
    assert len(lines(ax, "learned factor").get_xdata()) == 3


def test_what_cannot_be_drawn_is_said(table, ax):
    with pytest.raises(InputError, match="log_ratio"):
        p.plot_undercount(table.drop(columns="log_ratio"))
    with pytest.raises(InputError, match="no office with both sides"):
        p.plot_undercount(table[table.side == "emigration"])
    with pytest.raises(InputError, match="smaller number"):
        p.plot_other_side(table, ax=ax, fewest=1000)
