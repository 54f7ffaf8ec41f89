"""Figures of needs: what the table says is what is drawn."""
import matplotlib.pyplot as plt
import numpy as np
import pytest

from humanflows.errors import InputError
from humanflows.geometry import read_geometry
from humanflows.plotting.needs import plot_needs_check, plot_needs_map, plot_needs_ranking
from humanflows.results.needs_terms import ELSEWHERE, TWIN
from needs_tables import make_tables


@pytest.fixture
def ax():
    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)


@pytest.fixture
def tables():
    return make_tables()


def collection(ax, gid):
    return [c for c in ax.collections if c.get_gid() == gid]


def test_the_map_colours_who_would_tell_more(tables, ax):
    geometry = read_geometry()
    plot_needs_map(tables["needs_countries"], geometry, ax=ax)
    drawn = collection(ax, "territories")[0]
    assert len(drawn.get_paths()) == 2
    colours = drawn.get_facecolor()
    # Darker where more is to be gained; Austria, who gains nothing, is pale.
    assert colours[0][:3].sum() < colours[-1][:3].sum()
    assert len(collection(ax, "little")[0].get_paths()) == len(geometry) - 2
    assert "arrivals" in ax.figure.axes[-1].get_xlabel()


def test_the_ranking_has_the_neediest_on_top_and_both_intervals(tables, ax):
    plot_needs_ranking(tables["needs_countries"], ax=ax)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["India", "Brazil"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]
    now, then = (c.get_segments() for c in ax.collections[:2])
    np.testing.assert_allclose(now[0], [[1e5, 0], [9e5, 0]])
    np.testing.assert_allclose(then[0], [[2e5, 0], [4e5, 0]])
    assert len(plot_needs_ranking(tables["needs_countries"], ax=ax, number=1).get_yticks()) == 1


def test_the_check_has_a_mark_for_each_office(tables, ax):
    plot_needs_check(tables["needs_check"], ax=ax, check=ELSEWHERE)
    marks = ax.collections[0].get_offsets()
    assert len(marks) == 8
    np.testing.assert_allclose(marks[:, 0], -marks[:, 1])


def test_what_cannot_be_drawn_is_refused(tables, ax):
    countries = tables["needs_countries"]
    for wrong, said in ((countries.drop(columns="gain"), "gain"), (countries.assign(territory="IND"), "twice"),
                        (countries.assign(narrowing_persons=0.0), "territory")):
        with pytest.raises(InputError, match=said):
            plot_needs_map(wrong, read_geometry(), ax=ax)
    with pytest.raises(InputError, match="outline"):
        plot_needs_map(countries, read_geometry().drop("IND"), ax=ax)
    with pytest.raises(InputError, match="side"):
        plot_needs_ranking(countries, ax=ax, side="both")
    with pytest.raises(InputError, match="narrower"):
        plot_needs_ranking(countries.assign(narrowing_persons=-1.0), ax=ax)
    with pytest.raises(InputError, match="added on the twin"):
        plot_needs_check(tables["needs_check"], ax=ax, check=TWIN)
