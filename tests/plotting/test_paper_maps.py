"""Flows by birthplace, the map of what is known, the largest flows: by what lies on their axes."""
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from humanflows.dataset.grades import factor_of_interval
from humanflows.errors import InputError
from humanflows.geometry import read_geometry
from humanflows.plotting.paper_birthplace import KINDS, LEAVE, ONWARD, RETURN, kinds_of, plot_birthplace_flows
from humanflows.plotting.paper_uncertainty import (
    doubt_of_territories,
    largest_flows_table,
    plot_largest_flows,
    plot_uncertainty_map,
)

PLACES = ["DEU", "FRA", "KEN", "USA"]


@pytest.fixture(scope="module")
def geometry():
    return read_geometry()


@pytest.fixture
def release():
    values = np.array([[0, 5, 1, 2], [7, 0, 3, 4], [10, 20, 0, 30], [100, 200, 300, 0]], float) * 1e3
    return xr.Dataset({"flow": (("year", "origin", "destination"), np.stack([values, 2 * values]))},
                      coords={"year": [2000, 2001], "origin": PLACES, "destination": PLACES})


@pytest.fixture
def spoke(release):
    return (release.flow * 0).astype(int).where(release.origin != "USA", 1)      # only the departures of the USA


def with_intervals(release, factor=2.0):
    ends = {"flow_lower": release.flow / factor, "flow_upper": release.flow * factor,
            "flow_lower_80": release.flow / 1.5, "flow_upper_80": release.flow * 1.5}
    return release.assign(ends)


# -- by birthplace ----------------------------------------------------------------------------------------------------
@pytest.fixture
def born():
    return pd.DataFrame([(2015, "KEN", "KEN", "USA", 600.0), (2015, "KEN", "USA", "KEN", 300.0),
                         (2015, "KEN", "USA", "FRA", 100.0), (2016, "FRA", "FRA", "DEU", 50.0)],
                        columns=["year", "birthplace", "origin", "destination", "flow"])


def test_each_move_is_of_one_kind(born):
    assert kinds_of(born).tolist() == [LEAVE, RETURN, ONWARD, LEAVE]
    with pytest.raises(InputError, match="within a territory"):
        kinds_of(born.assign(destination="KEN", origin="KEN", birthplace="KEN"))


def test_a_map_for_each_birthplace_and_year_with_an_arc_for_each_corridor(born, geometry, draw):
    figure = plot_birthplace_flows(born, geometry)
    draw(figure.axes[0])
    kenya, france = figure.axes[:2]
    assert [ax.get_gid() for ax in (kenya, france)] == ["birthplace:KEN|2015", "birthplace:FRA|2016"]
    arcs = {c.get_gid(): len(c.get_paths()) for c in kenya.collections if c.get_gid() in KINDS}
    assert arcs == {LEAVE: 1, RETURN: 1, ONWARD: 1}
    assert [c.get_gid() for c in france.collections if c.get_gid() in KINDS] == [LEAVE]
    shares = next(t.get_text() for t in kenya.texts if t.get_gid() == "shares")
    assert shares.split("   ") == ["60% leave", "30% return", "10% move on"]
    assert [t.get_text() for t in figure.legends[0].get_texts()] == list(KINDS)


def test_shares_are_of_all_moves_though_few_are_drawn(born, geometry):
    ax = plot_birthplace_flows(born[born.birthplace == "KEN"], geometry, largest=1).axes[0]
    assert sum(len(c.get_paths()) for c in ax.collections if c.get_gid() in KINDS) == 1
    assert "30% return" in next(t.get_text() for t in ax.texts if t.get_gid() == "shares")
    with pytest.raises(InputError, match="no flow"):
        plot_birthplace_flows(born.assign(flow=0.0), geometry)


# -- what is known ----------------------------------------------------------------------------------------------------
def test_without_intervals_doubt_is_the_share_that_nobody_counts(release, spoke):
    doubt = doubt_of_territories(release, spoke)
    assert doubt.name == "uncounted" and list(doubt.index) == PLACES
    usa_in, usa_out = 36, 600
    assert doubt["USA"] == pytest.approx(usa_in / (usa_in + usa_out))
    assert doubt["KEN"] == pytest.approx((1 + 3 + 60) / (1 + 3 + 300 + 60))
    with pytest.raises(InputError, match="no intervals"):
        doubt_of_territories(release)


def test_with_intervals_doubt_is_the_mean_factor(release, spoke):
    doubt = doubt_of_territories(with_intervals(release), spoke, years=[2001])
    assert doubt.name == "factor" and np.allclose(doubt, 2, rtol=1e-3)
    mixed = with_intervals(release)
    mixed["flow_upper"] = mixed.flow_upper.where(mixed.origin != "USA", 8 * mixed.flow)
    doubt = doubt_of_territories(mixed, years=[2000])
    each = np.log([float(factor_of_interval(18e3, 72e3)), float(factor_of_interval(300e3, 4800e3))])
    assert doubt["USA"] == pytest.approx(np.exp((36 * each[0] + 600 * each[1]) / 636), rel=1e-3)


def test_a_place_that_nobody_moves_to_or_from_is_left_out(release, spoke):
    alone = release.where((release.origin != "KEN") & (release.destination != "KEN"), 0.0)
    assert list(doubt_of_territories(alone, spoke).index) == ["DEU", "FRA", "USA"]


@pytest.mark.parametrize("intervals", [True, False])
def test_the_map_has_an_outline_for_each_territory_and_says_what_it_shows(release, spoke, geometry, draw, intervals):
    doubt = doubt_of_territories(with_intervals(release) if intervals else release, spoke)
    ax, bar = (figure := plot_uncertainty_map(doubt, geometry)).axes
    draw(ax)
    drawn = next(c for c in ax.collections if c.get_gid() == "territories")
    assert len(drawn.get_facecolor()) in (len(PLACES), len(drawn.get_paths()))
    assert ("95% interval" in bar.get_xlabel()) == intervals and ("nobody counts" in bar.get_xlabel()) != intervals
    assert figure.axes[0] is ax
    with pytest.raises(InputError, match="a series called"):
        plot_uncertainty_map(doubt.rename("else"), geometry)
    with pytest.raises(InputError, match="no territory"):
        plot_uncertainty_map(doubt.iloc[:0], geometry)


def test_largest_flows_come_largest_first_with_what_is_known_of_them(release, spoke):
    table = largest_flows_table(release, [2000, 2001], spoke, number=3)
    assert table.corridor.tolist() == ["USA-KEN", "USA-FRA", "USA-KEN"] and table.year.tolist() == [2001, 2001, 2000]
    assert table.flow.tolist() == [600e3, 400e3, 300e3] and table.counted.all()
    wide = largest_flows_table(with_intervals(release), [2000], number=2)
    assert wide.flow_lower.tolist() == [150e3, 100e3] and wide.flow_upper_80.tolist() == [450e3, 300e3]
    assert "counted" not in wide


@pytest.mark.parametrize("intervals", [True, False])
def test_largest_flows_are_dots_with_intervals_where_there_are_any(release, spoke, draw, intervals):
    data = with_intervals(release) if intervals else release
    table = largest_flows_table(data, [2001], spoke, number=12)
    figure = plot_largest_flows(table)
    ax = figure.axes[0]
    draw(ax)
    drawn = {c.get_label(): c for c in ax.collections}
    assert np.allclose(drawn["flow"].get_offsets()[:, 0], table.flow)
    hollow = [tuple(c) == (1, 1, 1, 1) for c in drawn["flow"].get_facecolors()]
    assert hollow == (~table.counted).tolist() and any(hollow) and not all(hollow)
    assert next(t.get_text() for t in ax.get_yticklabels()) == "United States → Kenya"
    assert ({"95%", "80%"} <= set(drawn)) == intervals
    if intervals:
        ends = np.array([s[:, 0] for s in drawn["95%"].get_segments()])
        assert np.allclose(ends, table[["flow_lower", "flow_upper"]])
    assert len(ax.get_yticks()) == len(table) == 12


def test_years_are_named_where_there_are_several(release):
    ax = plot_largest_flows(largest_flows_table(release, [2000, 2001], number=3)).axes[0]
    assert next(t.get_text() for t in ax.get_yticklabels()).endswith(", 2001")
    with pytest.raises(InputError, match="no flow"):
        plot_largest_flows(largest_flows_table(release, [2000], number=2).iloc[:0])
