"""The figure of what each part buys, by what lies on its axes."""
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from humanflows import plotting as p
from humanflows.errors import InputError
from humanflows.results.ablation import COLUMNS, EVERYTHING, differences


@pytest.fixture
def table():
    def rows(run, seed, arrivals, departures):
        where = {"run": run, "seed": seed, "collection": "undesa_imfsc", "criterion": "residence",
                 "horizon": "annual"}
        return [{**where, "side": side, "log_r": r, "within_r": r / 2}
                for side, r in (("immigration", arrivals), ("emigration", departures))]

    runs = [(EVERYTHING, 1, 0.899, 0.850), (EVERYTHING, 2, 0.900, 0.851), (EVERYTHING, 3, 0.901, 0.849),
            ("neither here nor there", 1, 0.9005, 0.8505), ("gains", 1, 0.93, 0.87), ("loses", 1, 0.86, 0.83),
            ("loses", 2, 0.87, 0.84), ("gone", 1, 0.1, np.nan)]
    return pd.DataFrame([r for run in runs for r in rows(*run)]).reindex(columns=list(COLUMNS))


def dot(ax, run):
    return next(line for line in ax.get_lines() if line.get_label() == f"_{run}")


def test_a_row_for_each_run_the_greatest_loss_on_top(table, draw):
    figure = p.plot_ablation(table)
    axes = figure.axes
    draw(axes[0])
    assert len(axes) == 4 and [ax.get_title("left").split()[-1] for ax in axes] == ["arrivals", "departures"] * 2
    assert [t.get_text() for t in axes[0].get_yticklabels()] == ["gone", "loses", "neither here nor there", "gains"]
    assert axes[0].yaxis_inverted()
    x, y = dot(axes[0], "loses").get_data()
    assert (x[0], y[0]) == (pytest.approx(-0.035), 1)
    assert dot(axes[3], "gains").get_xdata()[0] == pytest.approx(0.01)
    seeds, = (line for line in axes[0].get_lines() if line.get_label() == "_seeds, loses")
    assert seeds.get_xdata() == pytest.approx([-0.04, -0.03])


def test_the_log_score_stands_first_and_decides_the_order_where_there_is_one(table):
    scored = table.assign(log_score=table.run.map({"gains": -2.0, "loses": -0.5}).fillna(-1.0) + 0.001 * table.seed)
    axes = p.plot_ablation(scored).axes
    assert len(axes) == 4 and axes[0].get_title("left").startswith("log score")
    assert axes[0].get_yticklabels()[0].get_text() == "gains"
    assert dot(axes[0], "gains").get_xdata()[0] < 0 < dot(axes[2], "gains").get_xdata()[0]
    assert axes[2].get_title("left").startswith("R within")
    assert p.plot_ablation(table).axes[0].get_title("left").startswith("R of logarithms")


def test_colour_and_shape_say_what_is_beyond_chance(table):
    ax = p.plot_ablation(table).axes[0]
    assert to_hex(dot(ax, "loses").get_color()) == p.LOSS and dot(ax, "loses").get_marker() == "o"
    assert to_hex(dot(ax, "gains").get_color()) == p.GAIN and dot(ax, "gains").get_marker() == "D"
    assert to_hex(dot(ax, "neither here nor there").get_markerfacecolor()) == p.PAPER
    band, = (patch for patch in ax.patches if patch.get_label() == "chance")
    margin = differences(table, "immigration", "log_r").margin
    assert band.get_x() == pytest.approx(-margin.drop(0).median()) and band.get_width() == -2 * band.get_x()


def test_what_is_far_out_is_drawn_at_the_edge_with_its_number(table):
    ax = p.plot_ablation(table).axes[0]
    low, high = ax.get_xlim()
    assert low < dot(ax, "gone").get_xdata()[0] < -0.03 and high < 0.2 and dot(ax, "gone").get_marker() == "<"
    assert "−0.8" in [t.get_text() for t in ax.texts]
    for other in ("loses", "gains"):
        assert dot(ax, other).get_marker() in "oD"


def test_what_is_not_defined_is_said_so(table):
    departures = p.plot_ablation(table).axes[1]
    assert "not defined" in [t.get_text() for t in departures.texts]
    assert not [line for line in departures.get_lines() if line.get_label() == "_gone"]


def test_without_repeats_there_is_no_band(table, draw):
    figure = p.plot_ablation(table[table.seed == 1])
    draw(figure.axes[0])
    assert not figure.axes[0].patches
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["no more than chance"]


def test_a_table_without_other_runs_or_columns_is_refused(table):
    with pytest.raises(InputError, match="no run beside everything"):
        p.plot_ablation(table[table.run == EVERYTHING])
    with pytest.raises(InputError, match="no run beside everything"):
        p.plot_ablation(table[table.run != EVERYTHING])
    with pytest.raises(InputError, match="seed"):
        p.plot_ablation(table.drop(columns="seed"))
