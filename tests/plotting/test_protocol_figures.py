"""The figure of differences, by what lies on its axes."""
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from humanflows import plotting as p
from humanflows.errors import InputError
from humanflows.plotting.protocols import SERIES_STYLES, draw_protocols
from humanflows.results.protocol_differences import DRAWN_COLUMNS


@pytest.fixture
def table():
    return pd.DataFrame([
        ("Folds", "rival", "immigration", "R", .1, .05, .15, "ahead"),
        ("Folds", "rival", "emigration", "R", -.2, -.3, -.1, "behind"),
        ("Folds", "Abel & Cohen 2023: demographic accounting, x", "immigration", "R", .01, -.1, .12, "undecided"),
        ("Blind", "rival", "both", "R", -.05, -.2, .1, "undecided"),
        ("Folds", "rival", "immigration", "log R", .3, .2, .4, "ahead")], columns=list(DRAWN_COLUMNS))


def marks(ax, series, decided):
    label = f"{SERIES_STYLES[series][2]}, {'decided' if decided else 'undecided'}"
    return next(line for line in ax.get_lines() if line.get_label() == label)


def test_wins_and_losses_look_alike_and_only_chance_is_hollow(table, draw):
    figure = p.plot_protocol_differences(table)
    left, right = figure.axes
    draw(left)
    assert [left.get_title(loc="left"), right.get_title(loc="left")] == ["R", "log R"]
    won, lost = marks(left, "immigration", True), marks(left, "emigration", True)
    assert won.get_xdata() == pytest.approx([.1]) and lost.get_xdata() == pytest.approx([-.2])
    for line, series in ((won, "immigration"), (lost, "emigration")):
        assert to_hex(line.get_markerfacecolor()) == to_hex(line.get_color()) == to_hex(SERIES_STYLES[series][0])
    assert won.get_markersize() == lost.get_markersize()
    for series, value in (("immigration", .01), ("both", -.05)):
        open_ = marks(left, series, False)
        assert open_.get_xdata() == pytest.approx([value])
        assert to_hex(open_.get_markerfacecolor()) == to_hex(p.PAPER)
    assert left.get_xlim()[0] < -.2 and left.get_xlim()[1] > .1


def test_rows_are_peers_under_their_group_and_sides_lie_beside_each_other(table):
    left, _ = p.plot_protocol_differences(table).axes
    assert [t.get_text() for t in left.get_yticklabels()] == ["rival", "A & C 2023: accounting, x", "rival"]
    assert [t.get_text() for t in left.texts] == ["Folds", "Blind"]
    rival, other, blind = left.get_yticks()
    arrivals, departures = marks(left, "immigration", True), marks(left, "emigration", True)
    assert arrivals.get_ydata()[0] < rival < departures.get_ydata()[0]
    assert marks(left, "both", False).get_ydata() == pytest.approx([blind])     # alone in its group: in the middle
    assert rival < other < blind and left.yaxis_inverted()


def test_intervals_are_drawn(table):
    left, right = p.plot_protocol_differences(table).axes
    spans = {c.get_label(): np.array([s[:, 0] for s in c.get_segments()]) for c in left.collections}
    assert spans["interval, immigration"] == pytest.approx(np.array([[.05, .15], [-.1, .12]]), abs=.05)
    spans = {c.get_label(): np.array([s[:, 0] for s in c.get_segments()]) for c in right.collections}
    assert len(spans["interval, immigration"]) == 1 and len(spans["interval, emigration"]) == 0


def test_a_difference_without_an_interval_is_hollow(table, draw):
    table.loc[0, ["lower", "upper", "verdict"]] = np.nan, np.nan, ""
    figure = p.plot_protocol_differences(table)
    draw(figure.axes[0])
    assert .1 in marks(figure.axes[0], "immigration", False).get_xdata()


def test_shapes_and_lightness_tell_the_series_apart():
    sides = ["immigration", "emigration", "both"]
    assert len({SERIES_STYLES[s][1] for s in sides}) == 3
    assert SERIES_STYLES["wpp"][1] != SERIES_STYLES["national"][1]


def test_what_cannot_be_drawn_is_said(table):
    with pytest.raises(InputError, match="verdict"):
        p.plot_protocol_differences(table.drop(columns="verdict"))
    with pytest.raises(InputError, match="difference"):
        p.plot_protocol_differences(table.iloc[:0])
    with pytest.raises(InputError, match="unknown series 'sideways'"):
        p.plot_protocol_differences(table.assign(series="sideways"))
    with pytest.raises(InputError, match="two differences for rival"):
        p.plot_protocol_differences(pd.concat([table, table.iloc[:1]]))


def test_files_are_named_like_their_tables(table, tmp_path):
    files = draw_protocols(tmp_path, {"protocol_differences": table})
    assert [f.name for f in files] == ["protocol_differences.png"] and files[0].stat().st_size > 5000
    assert draw_protocols(tmp_path, {}) == []
