"""Elasticities, by what lies on their axes."""
import numpy as np
import pandas as pd
import pytest

from humanflows.errors import InputError
from humanflows.plotting.paper_elasticities import middle_of_members, plot_elasticities
from humanflows.results.elasticities import COLUMNS

ROWS = [("gdp", "GDP per capita", "origin", "elasticity", 0.4),
        ("gdp", "GDP per capita", "destination", "elasticity", 0.9),
        ("log_distance", "distance", "pair", "elasticity", -0.6), ("contiguity", "common border", "pair", "step", 0.3),
        ("pandemic", "pandemic", "year", "step", -0.7)]


def table_of(*members):
    return pd.DataFrame([(m, c, t, r, k, x + 0.01 * m, x - 0.5, x - 0.2, x + 0.01 * m, x + 0.2, x + 0.5, 1.0)
                         for m in members for c, t, r, k, x in ROWS], columns=list(COLUMNS))


def parts(ax):
    return {c.get_label(): c for c in ax.collections}


def test_a_row_for_each_covariate_largest_on_top(draw):
    table = table_of(1)
    figure = plot_elasticities(table)
    draw(figure.axes[0])
    left, right = figure.axes
    assert (left.get_gid(), right.get_gid()) == ("elasticity", "step")
    assert [t.get_text() for t in left.get_yticklabels()] == [
        "GDP per capita · destination", "distance", "GDP per capita · origin"]
    assert [t.get_text() for t in right.get_yticklabels()] == ["pandemic", "common border"]
    assert np.allclose(parts(left)["median"].get_offsets()[:, 0], [0.91, -0.59, 0.41])
    assert np.allclose([s[:, 0] for s in parts(left)["middle half"].get_segments()], [[.7, 1.1], [-.8, -.4], [.2, .6]])
    assert np.allclose([s[:, 0] for s in parts(left)["nine tenths"].get_segments()],
                       [[.4, 1.4], [-1.1, -.1], [-.1, .9]])
    assert not [x for x in left.lines if x.get_label() == "members"]


def test_several_members_are_strokes_around_the_median_of_them(draw):
    table = table_of(1, 2, 6)
    left = plot_elasticities(table).axes[0]
    draw(left)
    strokes = next(x for x in left.lines if x.get_label() == "members")
    assert len(strokes.get_xdata()) == 9
    at_top = strokes.get_xdata()[np.array(strokes.get_ydata()) == 0]
    assert sorted(at_top) == pytest.approx([0.91, 0.92, 0.96])
    assert parts(left)["median"].get_offsets()[0][0] == pytest.approx(0.92)
    assert middle_of_members(table)["median"].abs().is_monotonic_decreasing


def test_steps_are_written_as_factors(draw):
    right = plot_elasticities(table_of(1)).axes[1]
    draw(right)
    labels = dict(zip(np.round(np.exp(right.get_xticks()), 3), (t.get_text() for t in right.get_xticklabels())))
    assert labels[1.0] == "1×" and all(label == f"{value:g}×" for value, label in labels.items())


def test_one_kind_alone_has_one_panel_and_nothing_is_an_error():
    table = table_of(1)
    assert [ax.get_gid() for ax in plot_elasticities(table[table.kind == "step"]).axes] == ["step"]
    with pytest.raises(InputError, match="no covariate"):
        plot_elasticities(table.iloc[:0])
    with pytest.raises(InputError, match="missing"):
        plot_elasticities(table.drop(columns="median"))
