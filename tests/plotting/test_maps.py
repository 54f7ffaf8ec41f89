"""Maps and circles, by what lies on the axes."""
from itertools import pairwise

import geopandas as gpd
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from humanflows.errors import InputError
from humanflows.geometry import read_geometry
from humanflows.plotting import (
    REGION_COLOURS,
    by_region,
    plot_net_migration_map,
    plot_region_circle,
    plot_region_net,
    plot_title_figure,
)
from humanflows.territories import REGIONS, codes, region_of

PLACES = ["AUS", "FRA", "DEU", "FJI", "MEX", "USA"]


@pytest.fixture(scope="module")
def geometry():
    return read_geometry()


@pytest.fixture
def flow():
    values = np.zeros((6, 6))
    for origin, destination, persons in (("MEX", "USA", 500_000), ("USA", "MEX", 120_000), ("FRA", "DEU", 40_000),
                                         ("FJI", "USA", 3_000), ("AUS", "USA", 9_000), ("DEU", "AUS", 700)):
        values[PLACES.index(origin), PLACES.index(destination)] = persons
    return xr.DataArray(values, dims=("origin", "destination"), coords={"origin": PLACES, "destination": PLACES})


@pytest.fixture
def net():
    return xr.DataArray([20_000.0, -40_000, 39_300, -3_000, -380_000, 363_700], dims="residence",
                        coords={"residence": PLACES})


def artists(ax, gid):
    return [a for a in ax.get_children() if a.get_gid() == gid]


def nothing(data):
    return data.where(False)


# -- sums by region ---------------------------------------------------------------------------------------------------
def test_by_region_sums_what_moves_between_and_within(flow):
    total = by_region(flow)
    assert total.dims == ("origin_region", "destination_region")
    assert list(total.origin_region.values) == [r for r in REGIONS if r in set(region_of()[PLACES])]
    assert total.sel(origin_region="Europe", destination_region="Europe") == 40_000
    assert total.sel(origin_region="Oceania", destination_region="Northern America") == 12_000
    assert float(total.sum()) == float(flow.sum())


def test_by_region_keeps_other_dimensions_and_any_order_of_territories(flow):
    several = flow.expand_dims(year=[2000, 2001]).isel(origin=slice(None, None, -1)) * xr.DataArray([1, 2], dims="year")
    total = by_region(several.transpose("destination", "year", "origin"))
    assert total.dims == ("year", "origin_region", "destination_region")
    assert total.sel(year=2001, origin_region="Oceania", destination_region="Northern America") == 24_000


def test_by_region_of_all_territories_has_all_regions():
    everyone = xr.DataArray(np.ones((231, 231)), dims=("origin", "destination"),
                            coords={"origin": list(codes()), "destination": list(codes())})
    total = by_region(everyone)
    assert tuple(total.origin_region.values) == REGIONS and float(total.sum()) == 231**2


# -- net migration map ------------------------------------------------------------------------------------------------
def test_map_draws_every_territory_and_marks_the_small_and_the_unknown(net, geometry, ax, draw):
    small = net.reindex(residence=[*PLACES, "NRU", "MLT"], fill_value=1_000.0)
    plot_net_migration_map(small, geometry, ax=ax)
    dots, = artists(ax, "small-territories")
    assert len(dots.get_offsets()) == 2     # Nauru and Malta; Fiji is large enough
    assert artists(ax, "no-data") and artists(ax, "territories")
    # Circles lie on the globe that is shown, in metres.
    assert np.abs(dots.get_offsets()).max() > 1e6
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["no data"]
    assert ax.get_xlabel() == ax.get_ylabel() == "" and not len(ax.get_xticks())
    draw(ax)


def test_map_is_symmetric_and_says_its_unit(net, geometry, ax):
    plot_net_migration_map(net, geometry, ax=ax)
    bar = ax.figure.axes[1]
    assert bar.get_xlim() == (-500_000, 500_000)      # the next round number above 380,000
    assert "persons a year" in bar.get_xlabel()
    labels = [t.get_text() for t in bar.get_xticklabels()]
    assert labels[len(labels) // 2] == "0" and labels[0].startswith("−") and labels[-1].startswith("+")


def test_map_paints_gain_blue_and_loss_red(net, geometry, ax):
    plot_net_migration_map(net, geometry, ax=ax)
    faces = np.vstack([c.get_facecolor() for c in artists(ax, "territories")])
    red, blue = faces[:, 0] > faces[:, 2], faces[:, 2] > faces[:, 0]
    assert red.any() and blue.any()
    plt.close(ax.figure)
    other = plt.figure().subplots()
    plot_net_migration_map(abs(net), geometry, ax=other)
    faces = np.vstack([c.get_facecolor() for c in artists(other, "territories")])
    assert not (faces[:, 0] > faces[:, 2]).any()


def test_map_of_rates_divides_by_the_population(net, geometry, ax):
    population = xr.full_like(net, 1e7).where(net.residence != "FJI")      # Fiji's is unknown
    plot_net_migration_map(net, geometry, population=population, ax=ax)
    bar = ax.figure.axes[1]
    assert "per 1,000" in bar.get_xlabel()
    # 380,000 of ten million is 38 per thousand.
    assert 30 <= bar.get_xlim()[1] <= 50
    parts = len(geometry) - 5
    assert len(artists(ax, "no-data")) and len(artists(ax, "no-data")[0].get_paths()) >= parts


@pytest.mark.parametrize(("change", "words"), [
    (nothing, "no number"), (lambda d: d.isel(residence=slice(0)), "no number"),
    (lambda d: d.rename(residence="origin"), "dimensions"),
    (lambda d: d.assign_coords(residence=["XXX", *PLACES[1:]]), "XXX")])
def test_map_refuses_what_it_cannot_draw(net, geometry, ax, change, words):
    with pytest.raises(InputError, match=words):
        plot_net_migration_map(change(net), geometry, ax=ax)


def test_map_names_a_territory_without_outline(net, geometry, ax):
    with pytest.raises(InputError, match="FJI"):
        plot_net_migration_map(net, geometry.drop("FJI"), ax=ax)


# -- net migration of regions -----------------------------------------------------------------------------------------
def test_region_net_draws_a_named_line_per_region_in_its_colour(net, ax, draw):
    years = xr.DataArray([1.0, 2.0, 3.0], dims="year", coords={"year": [2000, 2001, 2002]})
    plot_region_net(years * net, ax)
    lines = {line.get_label(): line for line in ax.get_lines() if line.get_label() in REGIONS}
    assert set(lines) == set(region_of()[PLACES])
    assert lines["Oceania"].get_ydata() == pytest.approx([0.017, 0.034, 0.051])
    assert all(line.get_color() == REGION_COLOURS[region] for region, line in lines.items())
    assert {t.get_text() for t in ax.texts} == set(lines)
    assert "million persons" in ax.get_ylabel()
    draw(ax)


def test_names_of_regions_do_not_overlap(ax, draw):
    crowded = xr.DataArray(np.full((2, 231), 10.0), dims=("year", "residence"),
                           coords={"year": [2000, 2001], "residence": list(codes())})
    plot_region_net(crowded / crowded.residence.size, ax)
    draw(ax)
    # The words alone: an annotation's own extent holds its leader line too.
    boxes = sorted((Text.get_window_extent(t) for t in ax.texts), key=lambda b: b.y0)
    assert len(boxes) == 11
    assert all(low.y1 <= high.y0 + 2 for low, high in pairwise(boxes))


def test_region_net_refuses_nothing(net, ax):
    with pytest.raises(InputError, match="no number"):
        plot_region_net(nothing(net.expand_dims(year=[2000])), ax)


# -- title figure -----------------------------------------------------------------------------------------------------
def test_title_figure_is_wide_and_dark_to_the_rim(flow, geometry, draw):
    ax = plot_title_figure(flow, geometry)
    draw(ax)
    assert tuple(ax.figure.get_size_inches()) == (16, 7)
    assert ax.get_position().bounds == pytest.approx((0, 0, 1, 1), abs=1e-6)
    assert np.allclose(ax.figure.get_facecolor()[:3], ax.get_facecolor()[:3])
    assert ax.get_xlabel() == ax.get_ylabel() == ""


def test_title_figure_shows_the_largest_corridors(flow, geometry):
    few = plot_title_figure(flow, geometry, largest=3)
    arcs, = artists(few, "arcs")
    assert len(arcs.get_paths()) == 3       # none of these crosses the antimeridian
    assert "3 largest corridors, persons a year" in [t.get_text() for t in few.texts]
    origins = [t.get_text() for t in few.get_legend().get_texts()]
    assert origins == ["Europe", "Northern America", "Latin America and the Caribbean"]


def test_an_arc_over_the_antimeridian_is_drawn_on_both_sides(flow, geometry):
    only = flow.where((flow.origin == "AUS") & (flow.destination == "USA"), 0.0)
    arcs, = artists(plot_title_figure(only, geometry), "arcs")
    assert len(arcs.get_paths()) == 2
    middles = [p.vertices[:, 0].mean() for p in arcs.get_paths()]
    assert min(middles) < 0 < max(middles)


def test_arcs_start_at_the_origin_and_are_wider_where_they_end(flow, geometry):
    only = flow.where((flow.origin == "FRA") & (flow.destination == "DEU"), 0.0)
    arc = artists(plot_title_figure(only, geometry), "arcs")[0].get_paths()[0].vertices[:-1]
    half = len(arc) // 2
    left, right = arc[:half], arc[half:][::-1][-half:]
    width = np.linalg.norm(left - right, axis=1)
    assert width[-1] > 3 * width[0]
    points = geometry.set_geometry(gpd.points_from_xy(geometry.longitude, geometry.latitude),
                                   crs=4326).to_crs(8857).geometry
    for end, code in ((0, "FRA"), (-1, "DEU")):
        middle = (left[end] + right[end]) / 2
        assert np.hypot(middle[0] - points[code].x, middle[1] - points[code].y) < 50_000


@pytest.mark.parametrize(("origin", "destination"), [("DEU", "USA"), ("USA", "DEU")])
def test_a_long_arc_is_lifted_towards_the_pole_whichever_way_it_goes(flow, geometry, origin, destination):
    only = xr.zeros_like(flow)
    only.loc[{"origin": origin, "destination": destination}] = 1_000
    arc, = artists(plot_title_figure(only, geometry), "arcs")[0].get_paths()
    ends = geometry.set_geometry(gpd.points_from_xy(geometry.longitude, geometry.latitude),
                                 crs=4326).to_crs(8857).geometry
    middle = arc.vertices[np.abs(arc.vertices[:, 0] - (ends["DEU"].x + ends["USA"].x) / 2).argmin()]
    assert middle[1] > (ends["DEU"].y + ends["USA"].y) / 2 + 500_000


def test_moves_within_a_territory_are_no_corridor(flow, geometry):
    diagonal = xr.zeros_like(flow)
    diagonal.loc[{"origin": "FRA", "destination": "FRA"}] = 1e6
    with pytest.raises(InputError, match="no corridor"):
        plot_title_figure(diagonal, geometry)


@pytest.mark.parametrize(("change", "words"), [(nothing, "no number"), (lambda d: d * 0, "no corridor"),
                                               (lambda d: d.rename(origin="birthplace"), "birthplace|dimensions")])
def test_title_figure_refuses_what_it_cannot_draw(flow, geometry, change, words):
    with pytest.raises(InputError, match=words):
        plot_title_figure(change(flow), geometry)
    with pytest.raises(InputError, match="largest"):
        plot_title_figure(flow, geometry, largest=0)


# -- circle -----------------------------------------------------------------------------------------------------------
def test_circle_has_a_sector_per_region_and_a_ribbon_per_flow(flow, ax, draw):
    plot_region_circle(flow, ax)
    moves = by_region(flow).to_pandas().stack()
    ribbons = {a.get_gid().removeprefix("ribbon:") for a in ax.patches if str(a.get_gid()).startswith("ribbon:")}
    assert ribbons == {f"{a}|{b}" for (a, b), v in moves.items() if v > 0}
    sectors = {a.get_gid().removeprefix("sector:"): a for a in ax.patches if str(a.get_gid()).startswith("sector:")}
    assert set(sectors) == set(region_of()[PLACES])
    for region, wedge in sectors.items():
        assert np.allclose(wedge.get_facecolor()[:3], to_rgb(REGION_COLOURS[region]))
    draw(ax)


def test_sectors_share_the_ring_by_departures_and_arrivals(flow, ax):
    plot_region_circle(flow, ax)
    span = {a.get_gid().removeprefix("sector:"): (a.theta2 - a.theta1) % 360 for a in ax.patches
            if str(a.get_gid()).startswith("sector:")}
    moves = by_region(flow).to_pandas()
    ends = moves.sum(axis=1) + moves.sum(axis=0)
    for region, degrees in span.items():
        assert degrees / sum(span.values()) == pytest.approx(ends[region] / ends.sum(), rel=1e-6)
    assert sum(span.values()) == pytest.approx(360 - 3 * len(span))     # three degrees between sectors


def test_ribbons_touch_the_ring_where_people_leave_and_stay_short_of_it_where_they_arrive(flow, ax):
    plot_region_circle(flow, ax)
    for ribbon in (a for a in ax.patches if str(a.get_gid()).startswith("ribbon:")):
        outline = ribbon.get_path()
        radius = np.linalg.norm(outline.vertices, axis=1)
        curves = np.flatnonzero(outline.codes == outline.CURVE4)
        assert radius[:curves[0]] == pytest.approx(0.995)
        arrow = radius[curves[2]:curves[3]]
        assert arrow[[0, -1]] == pytest.approx(0.925)
        assert arrow.max() == pytest.approx(0.97) and arrow.argmax() == len(arrow) // 2


def test_a_full_circle_has_no_more_ribbons_than_pairs_of_regions(ax):
    everyone = xr.DataArray(np.ones((231, 231)), dims=("origin", "destination"),
                            coords={"origin": list(codes()), "destination": list(codes())})
    plot_region_circle(everyone, ax)
    kinds = [str(a.get_gid()).partition(":")[0] for a in ax.patches]
    assert (kinds.count("sector"), kinds.count("ribbon")) == (11, 121)


def test_circle_says_how_many_leave_and_arrive(flow, ax):
    plot_region_circle(flow, ax)
    words = [t.get_text() for t in ax.texts]
    assert "0.5 M leave, 0.1 M arrive" in words         # Latin America
    assert any("Europe" in w for w in words)


def test_circle_of_one_region_closes(ax, draw):
    one = xr.DataArray([[0.0, 5.0], [3.0, 0.0]], dims=("origin", "destination"),
                       coords={"origin": ["FRA", "DEU"], "destination": ["FRA", "DEU"]})
    plot_region_circle(one, ax)
    sector, = [a for a in ax.patches if str(a.get_gid()).startswith("sector:")]
    assert sector.theta2 - sector.theta1 == pytest.approx(360)
    draw(ax)


@pytest.mark.parametrize("change", [nothing, lambda d: d * 0, lambda d: -d])
def test_circle_refuses_what_it_cannot_draw(flow, ax, change):
    with pytest.raises(InputError):
        plot_region_circle(change(flow), ax)
