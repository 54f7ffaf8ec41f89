"""Regional flows and circles of regions, by what lies on their axes."""
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from humanflows.errors import InputError
from humanflows.plotting import by_region, plot_region_circle
from humanflows.plotting.paper_chord import plot_region_circles
from humanflows.plotting.paper_regions import plot_regional_flows
from humanflows.results.regions import PAIR_COLUMNS, region_pairs, regional_totals

PLACES = ["DEU", "FRA", "KEN", "USA"]
REGIONS = ["Europe", "Northern America", "Sub-Saharan Africa"]


@pytest.fixture
def flow():
    values = np.array([[0, 5, 1, 2], [7, 0, 3, 4], [10, 20, 0, 30], [100, 200, 300, 0]], float) * 1e4
    return xr.DataArray(np.stack([values, 2 * values, 3 * values]), dims=("year", "origin", "destination"),
                        coords={"year": [2000, 2001, 2002], "origin": PLACES, "destination": PLACES})


@pytest.fixture
def totals(flow):
    five = (5 * flow.isel(year=[0])).rename(year="period")
    return regional_totals({"humanflows": flow, "Others (published)": 2 * flow, "Others, five years": five})


def panel(figure, region):
    return next(ax for ax in figure.axes if ax.get_gid() == f"region:{region}")


def line(ax, label):
    return next(artist for artist in ax.lines if artist.get_label() == label)


def test_each_region_has_a_panel_with_ours_and_the_annual_peer(totals, draw):
    figure = plot_regional_flows(totals)
    draw(figure.axes[0])
    assert [ax.get_gid() for ax in figure.axes[:3]] == [f"region:{r}" for r in REGIONS]
    for region in REGIONS:
        ax = panel(figure, region)
        for peer in ("humanflows", "Others (published)"):
            here = totals[(totals.region == region) & (totals.peer == peer)]
            for series, sign in (("inflow", 1), ("outflow", -1), ("net", 1)):
                drawn = line(ax, f"{peer}|{series}")
                assert np.allclose(drawn.get_ydata(), sign * here[series] / 1e6)
                assert drawn.get_xdata().tolist() == [2000, 2001, 2002]
                assert (drawn.get_linestyle() == "-") == (peer == "humanflows")


def test_five_years_are_strokes_of_that_length_at_the_mean_of_a_year(totals):
    ax = panel(plot_regional_flows(totals), "Europe")
    strokes = {c.get_label(): c for c in ax.collections if str(c.get_label()).startswith("Others, five")}
    (start, height), (end, _) = strokes["Others, five years|inflow"].get_segments()[0]
    own = totals[(totals.region == "Europe") & (totals.peer == "humanflows")]
    assert (start, end) == (2000.5, 2005.5) and height == pytest.approx(own.inflow.iloc[0] / 1e6)
    assert strokes["Others, five years|outflow"].get_segments()[0][0][1] == pytest.approx(-own.outflow.iloc[0] / 1e6)


def test_ours_alone_is_drawn_and_peers_are_those_asked_for(totals):
    figure = plot_regional_flows(totals[totals.peer == "humanflows"])
    named = {x.get_label().split("|")[0] for x in panel(figure, "Europe").lines if "|" in x.get_label()}
    assert named == {"humanflows"}
    chosen = plot_regional_flows(totals, peers=["Others (published)"])
    assert not [c for c in panel(chosen, "Europe").collections if str(c.get_label()).startswith("Others, five")]
    with pytest.raises(InputError, match="nothing is known of a peer"):
        plot_regional_flows(totals, peers=["nobody"])
    with pytest.raises(InputError, match="no row of humanflows"):
        plot_regional_flows(totals[totals.peer != "humanflows"])


def test_intervals_are_bands_of_their_own_region_and_do_not_flatten_the_lines(totals):
    own = totals[(totals.region == "Europe") & (totals.peer == "humanflows")]
    ends = {"year": own.year, "lower": 0.5e4, "upper": 1e8}
    bounds = pd.concat([pd.DataFrame({"total": "into region", "origin": "World", "destination": "Europe", **ends}),
                        pd.DataFrame({"total": "out of region", "origin": "Europe", "destination": "World", **ends}),
                        pd.DataFrame({"total": "into", "origin": "World", "destination": "DEU", **ends})])
    figure = plot_regional_flows(totals, bounds)
    bands = {r: {c.get_label(): c.get_datalim(panel(figure, r).transData) for c in panel(figure, r).collections
                 if str(c.get_label()).endswith("95% interval")} for r in REGIONS}
    assert set(bands["Europe"]) == {"humanflows|inflow|95% interval", "humanflows|outflow|95% interval"}
    assert not bands["Sub-Saharan Africa"] and not bands["Northern America"]
    above, below = bands["Europe"].values()
    assert (above.y0, above.y1) == pytest.approx((0.005, 100)) and (below.y0, below.y1) == pytest.approx((-100, -0.005))
    reach = totals.loc[totals.region == "Europe", ["inflow", "outflow"]].max().max() / 1e6
    assert panel(figure, "Europe").get_ylim() == pytest.approx((-2 * reach, 2 * reach))


def test_departures_below_nought_are_written_without_a_sign(totals, draw):
    ax = panel(plot_regional_flows(totals), "Europe")
    draw(ax)
    assert not [t.get_text() for t in ax.get_yticklabels() if t.get_text().startswith(("-", "−"))]


def test_a_circle_of_sums_is_that_of_the_territories(flow, ax):
    one = flow.isel(year=0)
    first = {p.get_gid(): p.get_path().vertices for p in plot_region_circle(one, ax).patches}
    ax.clear()
    second = {p.get_gid(): p.get_path().vertices for p in plot_region_circle(by_region(one), ax).patches}
    assert set(first) == set(second) and all(np.allclose(first[k], second[k]) for k in first)


def test_circles_of_ours_and_of_each_peer_of_the_period(flow, draw):
    pairs = region_pairs({"Others": 2 * flow, "More": flow}, [(2000, 2001), (2001, 2002)])
    figure = plot_region_circles(flow, pairs, 2000, 2001)
    draw(figure.axes[0])
    assert [ax.get_gid() for ax in figure.axes] == ["humanflows", "Others", "More"]
    ribbons = [{p.get_gid() for p in ax.patches if str(p.get_gid()).startswith("ribbon:")} for ax in figure.axes]
    assert len(ribbons[0]) == 3 * 3 - 2 and ribbons[0] == ribbons[1] == ribbons[2]      # nothing within two of them
    total = float(flow.sel(year=[2000, 2001]).sum()) / 2e6
    assert f"{total:.1f} M" in figure.axes[0].get_title(loc="center")
    assert f"{2 * total:.1f} M" in figure.axes[1].get_title(loc="center")


def test_a_circle_alone_where_nobody_else_is_known(flow):
    figure = plot_region_circles(flow, pd.DataFrame(columns=list(PAIR_COLUMNS)), 2000, 2002)
    assert [ax.get_gid() for ax in figure.axes] == ["humanflows"]
    with pytest.raises(InputError, match="all years from 2000 to 2005"):
        plot_region_circles(flow, pd.DataFrame(columns=list(PAIR_COLUMNS)), 2000, 2005)
