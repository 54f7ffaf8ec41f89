"""Figures of scenarios show what they are given, in units that fit."""
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from humanflows.errors import InputError
from humanflows.plotting.scenario import plot_difference, plot_instead, plot_levels
from humanflows.territories import name


@pytest.fixture
def ax():
    figure, ax = plt.subplots()
    yield ax
    plt.close(figure)


def lines(ax) -> dict:
    return {line.get_label(): line.get_ydata() for line in ax.lines}


def test_levels_with_and_without(ax):
    table = pd.DataFrame({"year": [2000, 2001], "baseline": [3e6, 4e6], "scenario": [3e6, 1e6], "lower": [2e6, 5e5],
                          "upper": [5e6, 2e6]})
    plot_levels(table, ax=ax, first=2001)
    assert np.allclose(lines(ax)["with the change"], [3, 1]) and np.allclose(lines(ax)["without the change"], [3, 4])
    assert ax.get_ylabel() == "million persons a year" and len(ax.collections) == 1
    assert any("2001" in t.get_text() for t in ax.texts)


def test_the_difference_beside_the_truth(ax):
    table = pd.DataFrame({"year": [2000, 2001], "difference": [0, -5e3], "truth": [0, -4e3],
                          "account: all stay": [0, -6e3]})
    plot_difference(table, ax=ax)
    assert np.allclose(lines(ax)["true"], [0, -4]) and np.allclose(lines(ax)["all stay"], [0, -6])
    assert ax.get_ylabel().startswith("difference, thousand")


def test_where_they_go_instead_is_ranked(ax):
    table = pd.DataFrame({"corridor": ["MEX-USA", "MEX-CAN", "MEX-ESP"], "difference": [-900.0, 50.0, 70.0],
                          "truth": [-800.0, 60.0, 0.0]})
    plot_instead(table, ax=ax, number=2)
    assert [t.get_text() for t in ax.get_yticklabels()] == [
        f"{name('MEX')} → {name(code)}" for code in ("USA", "ESP")]
    assert np.allclose([b.get_width() for b in ax.patches], [-900, 70])
    assert np.allclose(lines(ax)["true"], [0, 1])


@pytest.mark.parametrize(("draw", "table"), [
    (plot_levels, pd.DataFrame({"year": [1], "baseline": [1.0]})), (plot_difference, pd.DataFrame({"year": [1]})),
    (plot_instead, pd.DataFrame({"corridor": [], "difference": []}))])
def test_what_cannot_be_drawn_is_named(draw, table, ax):
    with pytest.raises(InputError):
        draw(table, ax=ax)
