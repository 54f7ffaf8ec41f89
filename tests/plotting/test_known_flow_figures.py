"""Figures of published figures beside estimates, by what lies on their axes."""
import numpy as np
import pandas as pd
import pytest

from humanflows import plotting as p
from humanflows.errors import InputError
from humanflows.results.known_flows import COMPARED


@pytest.fixture
def table():
    rows = pd.DataFrame({"origin": ["POL", "SYR", "PHL"], "destination": ["DEU", "TUR", "SAU"],
                         "year": [2012, 2014, 2014], "persons": [100, 1000, 10], "bound": ["none", "lower", "upper"],
                         "flow": [50.0, 2000.0, 0.0], "flow_lower": [20.0, np.nan, 0.0],
                         "flow_upper": [80.0, np.nan, 5.0], "gaskin_abel": [np.nan, 700.0, 3.0], "meta": np.nan})
    return rows.reindex(columns=COMPARED)


def line(ax, label):
    return next(x for x in ax.get_lines() if x.get_label() == label)


def test_each_figure_is_a_mark_whose_shape_says_what_it_bounds(table, draw):
    figure = p.plot_known_flows(table, "A finding")
    (ax,) = figure.axes
    draw(ax)
    assert ax.get_xscale() == ax.get_yscale() == "log" and figure.get_suptitle() == "A finding"
    assert line(ax, "figure as large as the flow").get_xydata().tolist() == [[100, 50]]
    assert line(ax, "figure is a lower bound").get_xydata().tolist() == [[1000, 2000]]
    assert line(ax, "figure is an upper bound").get_xydata().tolist() == [[10, 0.5]], "zero is drawn at half a person"
    assert len({x.get_marker() for x in ax.get_lines()[1:]}) == 3
    segments = next(c for c in ax.collections if c.get_label() == "_intervals").get_segments()
    assert [s[:, 1].tolist() for s in segments] == [[20, 80], [0.5, 5]], "a figure without an interval has no stroke"


def test_rows_are_drawn_from_the_top_with_all_estimates(table, draw):
    figure = p.plot_known_misses(table, "Furthest")
    (ax,) = figure.axes
    draw(ax)
    labels = [t.get_text() for t in ax.get_yticklabels()]
    assert labels[0] == "Poland to Germany, 2012" and labels[2] == "Philippines to Saudi Arabia, 2014"
    assert ax.yaxis_inverted() and ax.get_xscale() == "log"
    assert line(ax, "flow").get_xdata().tolist() == [50, 2000, 0.5]
    assert line(ax, "gaskin_abel").get_xdata()[1:].tolist() == [700, 3]
    assert line(ax, "figure is a lower bound").get_ydata().tolist() == [1]


@pytest.mark.parametrize("plot", [p.plot_known_flows, p.plot_known_misses])
def test_nothing_to_draw_is_refused(table, plot):
    with pytest.raises(InputError, match="no figure"):
        plot(table.iloc[:0])
    with pytest.raises(InputError, match="flow_lower"):
        plot(table.drop(columns="flow_lower"))
