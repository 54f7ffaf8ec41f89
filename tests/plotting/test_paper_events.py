"""Named corridors and regions in single years, by what lies on their axes; with intervals and without."""
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.colors import to_rgb

from humanflows.errors import InputError
from humanflows.geometry import read_geometry
from humanflows.plotting.paper_events import BANDS, course_table, plot_events
from humanflows.plotting.paper_moments import INTO, OUT, VIEWS, WITHIN, moment_table, plot_moments
from humanflows.plotting.style import GAIN, INK, LOSS
from humanflows.results.peer_regions import COURSE_COLUMNS, MOMENT_COLUMNS
from humanflows.territories import REGIONS

PLACES = ["COL", "DEU", "ESP", "MAR", "MEX", "USA", "VEN"]
YEARS = list(range(1990, 2000))


def release_of(intervals: bool) -> xr.Dataset:
    rng = np.random.default_rng(2)
    n = len(PLACES)
    flow = np.round(rng.gamma(2.0, 30_000.0, (len(YEARS), n, n))) * ~np.eye(n, dtype=bool)
    dims = ("year", "origin", "destination")
    parts = {"flow": (dims, flow)}
    if intervals:
        parts |= {"flow_lower": (dims, flow / 2), "flow_upper": (dims, flow * 2),
                  "flow_lower_80": (dims, flow / 1.5), "flow_upper_80": (dims, flow * 1.5)}
    return xr.Dataset(parts, coords={"year": YEARS, "origin": PLACES, "destination": PLACES})


@pytest.fixture(scope="module")
def geometry():
    return read_geometry()


@pytest.fixture(params=[True, False], ids=["with intervals", "without"])
def release(request):
    return release_of(request.param)


@pytest.fixture
def beside():
    rows = [("MEX-USA", "any", y, "Others (published)", "Others (published)", 7_000.0 + y, 1.0, 1) for y in YEARS]
    rows += [("MEX-USA", "any", y, "oecd, immigration, residence", "reported", 5_000.0, 1.0, 1) for y in YEARS[:4]]
    return pd.DataFrame(rows, columns=list(COURSE_COLUMNS))


def test_events_have_a_panel_each_with_ours_and_everybody_else(release, beside, draw):
    figure = plot_events(release, beside, corridors=["MEX-USA", "VEN-COL"])
    draw(figure.axes[0])
    first, second = figure.axes[:2]
    assert [ax.get_gid() for ax in (first, second)] == ["corridor:MEX-USA", "corridor:VEN-COL"]
    for ax, (o, d) in ((first, ("MEX", "USA")), (second, ("VEN", "COL"))):
        ours = next(x for x in ax.lines if x.get_label() == "estimate")
        assert np.allclose(ours.get_ydata(), release.flow.sel(origin=o, destination=d) / 1e3)
    theirs = next(x for x in first.lines if x.get_label() == "Others (published)")
    assert np.allclose(theirs.get_ydata(), [7 + y / 1e3 for y in YEARS])
    assert "Others (published)" not in [x.get_label() for x in second.lines]


def test_intervals_are_bands_where_there_are_any(release):
    figure = plot_events(release, corridors=["MEX-USA"])
    ax = figure.axes[0]
    bands = {c.get_label(): c for c in ax.collections if c.get_label() in BANDS}
    said = {t.get_text() for t in figure.legends[0].get_texts()}
    assert len(figure.legends) == 1
    if "flow_lower" not in release:
        assert not bands and not [s for s in said if "interval" in s]
        return
    assert set(bands) == set(BANDS) and {"95% interval", "80% interval"} <= said
    for label, (lower, upper, _) in BANDS.items():
        heights = bands[label].get_paths()[0].vertices[:, 1]
        here = release.sel(origin="MEX", destination="USA")
        assert heights.min() == pytest.approx(float(here[lower].min()) / 1e3)
        assert heights.max() == pytest.approx(float(here[upper].max()) / 1e3)
    assert ax.get_ylim()[1] >= float(here.flow.max()) / 1e3


def test_a_corridor_that_is_not_there_is_an_error(release):
    with pytest.raises(InputError, match="no UKR-RUS"):
        plot_events(release, corridors=["UKR-RUS"])
    with pytest.raises(InputError, match="no corridor"):
        plot_events(release, corridors=[])
    assert course_table(release.flow, None, ["MEX-USA"]).series.unique().tolist() == ["estimate"]


def test_a_moment_lists_corridors_of_the_region_with_both_ends_in_view(release, geometry):
    table = moment_table(release, geometry, "Europe", 1991)
    assert set(table.corridor) == {"DEU-ESP", "ESP-DEU"}      # Morocco's middle lies south of the map
    assert set(table.way) == {WITHIN} and table.flow.is_monotonic_decreasing
    assert ("lower" in table) == ("flow_lower" in release)
    wide = moment_table(release, geometry, "Northern Africa", 1991)
    assert dict(zip(wide.corridor, wide.way)) == {"MAR-ESP": OUT, "ESP-MAR": INTO}
    one = table.iloc[0]
    assert one.flow == float(release.flow.sel(year=1991, origin=one.origin, destination=one.destination))


def test_a_map_for_each_moment_with_as_many_arcs_as_corridors(release, geometry, draw):
    compared = pd.DataFrame([("Europe", 1991, "Others", 12, 3e5, 2e5, 0.876, 0.54)], columns=list(MOMENT_COLUMNS))
    figure = plot_moments(release, geometry, [("Europe", 1991), ("Northern Africa", 1995)], compared, largest=1)
    draw(figure.axes[0])
    europe, africa = figure.axes[:2]
    assert europe.get_gid() == "moment:Europe|1991" and europe.get_title(loc="center") == "Europe, 1991"
    arcs = {c.get_gid(): c for c in europe.collections if c.get_gid() in (WITHIN, INTO, OUT)}
    assert set(arcs) == {WITHIN} and len(arcs[WITHIN].get_paths()) == 1
    said, more = ({t.get_gid(): t.get_text() for t in ax.texts} for ax in figure.axes[2:4])
    assert "log R 0.88, 54% of moves in common" in said["compared"]
    assert said["largest"].count("\n") == 1 and ("–" in said["largest"]) == ("flow_lower" in release)
    assert not more["compared"] and more["largest"].startswith("1. ")
    colours = {c.get_gid(): to_rgb(c.get_facecolor()[0]) for ax in (europe, africa) for c in ax.collections}
    for way, colour in ((WITHIN, INK), (INTO, GAIN), (OUT, LOSS)):
        assert way not in colours or colours[way] == pytest.approx(to_rgb(colour))


def test_every_region_has_a_view(release, geometry):
    assert set(VIEWS) == set(REGIONS)
    with pytest.raises(InputError, match="no Europe in 2050"):
        plot_moments(release, geometry, [("Europe", 2050)])
    with pytest.raises(InputError, match="no corridor has a flow"):
        plot_moments(release, geometry, [("Oceania", 1991)])
