"""Figures of flows from stocks, by what lies on the axes."""
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.patches import Rectangle

from humanflows.errors import InputError
from humanflows.geometry import read_geometry
from humanflows.plotting.reconstruct import (
    KINDS,
    MEASURES,
    plot_disagreement_map,
    plot_five_year_scores,
    plot_flow_tables,
    plot_kinds_of_moves,
    plot_method_totals,
)


@pytest.fixture(scope="module")
def geometry():
    return read_geometry()


@pytest.fixture
def axes():
    return plt.figure(figsize=(12, 6)).subplots(2, 2)


def table(values, dims=("origin", "destination")):
    return xr.DataArray(np.array(values, float), dims=dims, coords={d: list("ABC") for d in dims})


@pytest.fixture
def scores():
    rows = {"peer": ["humanflows", "a method", "another"], "n": [40, 40, 40]}
    for m in MEASURES:
        rows |= {m: [0.9, 0.7, 0.95], f"{m}_lower": [0, -0.3, -0.02], f"{m}_upper": [0, -0.1, 0.08]}
    return pd.DataFrame(rows)


@pytest.fixture
def totals():
    return pd.DataFrame([(p, t, a, 1000.0) for p, values in (("one", (100, 10, 0)), ("two", (200, 1000, 5)))
                         for t, a in zip(("FRA", "MLT", "DEU"), values)],
                        columns=["peer", "territory", "arrivals", "departures"])


def artists(ax, gid):
    return [a for a in ax.get_children() if a.get_gid() == gid]


def written(ax):
    return [t.get_text() for t in ax.texts]


# -- tables -----------------------------------------------------------------------------------------------------------
def test_every_number_is_written_and_the_diagonal_of_a_flow_is_not(axes, draw):
    stock = table([[100, 2, 3], [4, 50, 6], [7, 8, 90]], ("birthplace", "residence"))
    flow = table([[1111, 2, 3], [4, 2222, 6], [7, 8, 3333]])
    plot_flow_tables({"stock": stock, "flow": flow}, axes=axes)
    draw(axes[0, 0])
    assert written(axes[0, 0]) == ["100", "2", "3", "4", "50", "6", "7", "8", "90"]
    assert written(axes[0, 1]) == ["2", "3", "4", "6", "7", "8"]
    assert axes[0, 0].get_ylabel() == "birthplace" and axes[0, 1].get_xlabel() == "destination"
    assert axes[0, 0].images[0].get_clim() == axes[0, 1].images[0].get_clim() == (0, 8)
    assert not axes[1, 0].axison and not axes[1, 1].axison
    fresh = plt.figure().subplots()
    plot_flow_tables({"flow": flow / 4}, axes=fresh, digits=1)
    assert written(fresh)[0] == "0.5"


def test_tables_that_cannot_be_written_are_refused(axes, ax):
    with pytest.raises(InputError, match="no table"):
        plot_flow_tables({}, axes=axes)
    with pytest.raises(InputError, match="2 panels for 1 axes"):
        plot_flow_tables({"a": table(np.ones((3, 3))), "b": table(np.ones((3, 3)))}, axes=ax)
    with pytest.raises(InputError, match="odd"):
        plot_flow_tables({"odd": table(np.full((3, 3), np.nan))}, axes=axes)
    with pytest.raises(InputError, match="odd"):
        plot_flow_tables({"odd": table(np.ones((3, 3))).isel(origin=0)}, axes=axes)


# -- kinds ------------------------------------------------------------------------------------------------------------
def test_bars_are_as_long_as_the_moves_they_stand_for(ax, draw):
    kinds = pd.DataFrame({"leave": [3e6, 1e6], "return": [1e6, 0], "onward": [0.5e6, 0]}, index=["truth", "a method"])
    plot_kinds_of_moves(kinds, ax=ax)
    draw(ax)
    bars = [p for p in ax.patches if isinstance(p, Rectangle)]
    assert [b.get_width() for b in bars] == [3, 1, 1, 0, 0.5, 0]
    assert [b.get_x() for b in bars] == [0, 0, 3, 1, 4, 1]
    assert written(ax) == ["4.5", "1"]
    assert [t.get_fontweight() for t in ax.get_yticklabels()] == ["bold", "normal"]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == [label for label, _ in KINDS.values()]


def test_kinds_that_are_no_counts_are_refused(ax):
    good = pd.DataFrame({"leave": [1.0], "return": [1.0], "onward": [1.0]}, index=["a"])
    with pytest.raises(InputError, match="onward"):
        plot_kinds_of_moves(good.drop(columns="onward"), ax=ax)
    with pytest.raises(InputError, match="no method"):
        plot_kinds_of_moves(good.iloc[:0], ax=ax)
    with pytest.raises(InputError, match="negative"):
        plot_kinds_of_moves(-good, ax=ax)


# -- map --------------------------------------------------------------------------------------------------------------
def test_map_shows_the_factor_and_leaves_out_where_nobody_arrives(ax, totals, geometry, draw):
    plot_disagreement_map(totals, geometry, ax=ax)
    draw(ax)
    (land,), (dots,) = artists(ax, "territories"), artists(ax, "small-territories")
    assert len({tuple(c) for c in land.get_facecolors()}) == 2     # 2 in France, 100 in Malta
    assert len(dots.get_offsets()) == 1                            # Malta; Germany, where one has nobody, is grey
    blank = len(artists(ax, "no-data")[0].get_paths())
    plot_disagreement_map(totals.replace({"arrivals": {0: 5}}), geometry, ax=(other := plt.figure().subplots()))
    assert len(artists(other, "no-data")[0].get_paths()) < blank
    bar = ax.figure.axes[-1]
    assert bar.get_xlabel() == "largest of 2 estimates of arrivals, as a multiple of the smallest"
    fresh = plt.figure().subplots()
    plot_disagreement_map(totals, geometry, ax=fresh, quantity="departures")
    (land,) = artists(fresh, "territories")
    assert len({tuple(c) for c in land.get_facecolors()}) == 1     # they agree about departures


def test_maps_of_nothing_are_refused(ax, totals, geometry):
    with pytest.raises(InputError, match="at least two"):
        plot_disagreement_map(totals[totals["peer"] == "one"], geometry, ax=ax)
    with pytest.raises(InputError, match=r"twice.*FRA"):
        plot_disagreement_map(pd.concat([totals, totals]), geometry, ax=ax)
    with pytest.raises(InputError, match="no territory"):
        plot_disagreement_map(totals.assign(arrivals=0.0), geometry, ax=ax)
    with pytest.raises(InputError, match="arrivals"):
        plot_disagreement_map(totals.drop(columns="arrivals"), geometry, ax=ax)
    with pytest.raises(InputError, match="XXX"):
        plot_disagreement_map(totals.replace({"territory": {"FRA": "XXX"}}), geometry, ax=ax)


# -- scores -----------------------------------------------------------------------------------------------------------
def test_intervals_are_drawn_from_the_line_of_the_own_score(axes, scores, draw):
    plot_five_year_scores(scores, axes=axes)
    draw(axes[0, 0])
    for panel in axes.ravel():
        dots = [tuple(d.get_xydata()[0]) for d in artists(panel, "score")]
        assert dots == [(0.9, 0), (0.7, 1), (0.95, 2)]
        spans = [list(a.get_xdata()) for a in artists(panel, "interval")]
        np.testing.assert_allclose(spans, [[0.6, 0.8], [0.88, 0.98]])
        low, high = panel.get_xlim()
        assert low <= 0.6 and high > 1
    assert [t.get_text() for t in axes[0, 0].get_yticklabels()] == scores["peer"].tolist()
    assert [ax.get_title(loc="left") or ax.get_title() for ax in axes.ravel()] == list(MEASURES.values())
    assert "40 five-year flows" in axes[0, 0].get_xlabel()


def test_a_score_that_is_not_defined_is_said_to_be_so(axes, scores, draw):
    scores["proportion"] = np.nan
    plot_five_year_scores(scores, axes=axes)
    draw(axes[0, 0])
    assert written(axes[1, 0]) == ["not defined"] * 3 and written(axes[0, 0]) == []


def test_scores_of_several_sets_are_refused(axes, ax, scores):
    with pytest.raises(InputError, match="several rows"):
        plot_five_year_scores(pd.concat([scores, scores]), axes=axes)
    with pytest.raises(InputError, match="no row of humanflows"):
        plot_five_year_scores(scores.iloc[1:], axes=axes)
    with pytest.raises(InputError, match="no score"):
        plot_five_year_scores(scores.iloc[:0], axes=axes)
    with pytest.raises(InputError, match="rate_upper"):
        plot_five_year_scores(scores.drop(columns="rate_upper"), axes=axes)
    with pytest.raises(InputError, match="4 panels for 1 axes"):
        plot_five_year_scores(scores, axes=ax)


# -- totals -----------------------------------------------------------------------------------------------------------
def test_totals_stand_in_the_middle_of_their_period(ax, draw):
    rows = [(p, y, v * 1e6) for p, values in (("truth", (3, 4)), ("a method", (1, 2)))
            for y, v in zip((1995, 1990), values)]
    plot_method_totals(pd.DataFrame(rows, columns=["peer", "period", "persons"]), ax=ax)
    draw(ax)
    truth, other = ax.get_lines()
    np.testing.assert_allclose(truth.get_xydata(), [(1992.5, 4), (1997.5, 3)])
    assert truth.get_linewidth() > other.get_linewidth()
    assert sorted(written(ax)) == ["a method", "truth"]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["1990–95", "1995–00"]
    with pytest.raises(InputError, match="no total"):
        plot_method_totals(pd.DataFrame(columns=["peer", "period", "persons"]), ax=ax)
    with pytest.raises(InputError, match="persons"):
        plot_method_totals(pd.DataFrame({"peer": [], "period": []}), ax=ax)
