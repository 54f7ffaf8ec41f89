"""The figure of how time and memory grow, by what lies on its axes."""
import numpy as np
import pytest

from humanflows import plotting as p
from humanflows.errors import InputError


@pytest.fixture
def measured():
    def rows(by, sizes):
        return [{by: s, "seconds_per_epoch": 0.01 * s**1.5, "gib_of_training": 0.001 * s, "peak_gib": 0.5 * s}
                for s in sizes]

    seconds = {"exponent": 1.5, "low": 1.4, "high": 1.6, "factor": 0.01}
    return {by: {"rows": rows(by, sizes), "seconds": seconds, "memory": None}
            for by, sizes in (("territories", (40, 80, 231)), ("years", (8, 35)), ("members", (1, 2, 4)))}


def line(ax, label):
    return next(x for x in ax.get_lines() if x.get_label() == label)


def test_a_column_for_each_size_and_a_row_for_time_and_memory(measured, draw):
    figure = p.plot_scaling(measured)
    axes = np.array(figure.axes).reshape(2, 3)
    draw(axes[0, 0])
    assert [ax.get_xlabel() for ax in axes[1]] == ["territories", "years", "members"]
    assert [ax.get_ylabel() for ax in axes[:, 0]] == ["seconds per epoch", "memory, GiB"]
    assert all(ax.get_xscale() == ax.get_yscale() == "log" for ax in axes.flat)
    assert line(axes[0, 0], "measured").get_xdata().tolist() == [40, 80, 231]
    assert line(axes[1, 0], "measured").get_ydata() == pytest.approx([0.04, 0.08, 0.231])
    assert line(axes[1, 2], "measured").get_ydata() == pytest.approx([0.5, 1.0, 2.0])


def test_the_fit_is_a_straight_line_and_its_exponent_is_written(measured):
    ax, other = (p.plot_scaling(measured).axes[k] for k in (0, 3))
    x, y = line(ax, "fitted").get_data()
    assert x.tolist() == [40, 231] and np.diff(np.log(y)) / np.diff(np.log(x)) == pytest.approx(1.5)
    assert [t.get_text() for t in ax.texts] == ["exponent 1.50\n(1.40 to 1.60)"]
    assert [t.get_text() for t in other.texts] == ["not fitted"] and len(other.get_lines()) == 1


def test_dots_lie_within_the_panel_below_the_words(measured):
    for ax in p.plot_scaling(measured).axes:
        y = line(ax, "measured").get_ydata()
        low, high = np.log(ax.get_ylim())
        assert low < np.log(y.min()) and np.log(y.max()) < low + 0.85 * (high - low)


def test_what_was_not_measured_has_no_column(measured):
    measured["members"]["rows"] = []
    assert len(p.plot_scaling(measured).axes) == 4
    for by in ("territories", "years"):
        measured[by]["rows"] = []
    with pytest.raises(InputError, match="no size"):
        p.plot_scaling(measured)
    del measured["years"]
    with pytest.raises(InputError, match="years"):
        p.plot_scaling(measured)
