"""Where data are needed most: narrowing never widens, ends stay in order, and what is known already tells nothing."""
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from humanflows.errors import SchemaError
from humanflows.results.interval_cells import CORRIDORS, NEVER, OFFICES, SEEN, Seen
from humanflows.results.interval_flows import Published
from humanflows.results.interval_sums import Components
from humanflows.results.needs import (
    ReadNoise,
    already_reported,
    corridor_table,
    country_table,
    gain_of,
    last_years,
    narrowing,
    total_ends,
)
from humanflows.results.needs_terms import CORRIDOR_COLUMNS, COUNTRY_COLUMNS, SIDES

N, YEARS, CODES = 4, 3, ["AUT", "BRA", "CHE", "DEU"]


class FlatModel:
    """Intervals of one log-width for all, as FlowIntervals answers."""

    def __init__(self, sigma):
        self.sigma = sigma

    def predict(self, estimate, features, groupings, levels):
        z = np.array([-2.0, -1.2, 1.5, 2.5])
        assert len(levels) == len(z)
        sigma = np.full(len(estimate), self.sigma)
        return np.log1p(estimate)[:, None] + sigma[:, None] * z, np.zeros(len(estimate)), sigma


class NoSurroundings:
    def features(self, t, o, d, estimate, spread, seen):
        return np.zeros((len(o), 1), dtype=np.float32)


def seen_of(klass):
    shape = (YEARS, N, N)
    full = np.full(shape, klass, dtype=np.int8)
    gap = np.full(shape, 0 if klass == 0 else NEVER, dtype=np.int8)
    office = np.full(shape, NEVER, dtype=np.int8)
    office[1:, 0] = 0
    return Seen(full, gap, office, np.full(shape, NEVER, np.int8), np.ones(shape, np.int8))


def asked_of(sigma=1.0, flow=None, residents=1e9, klass=3):
    flow = np.random.default_rng(1).lognormal(6, 2, (YEARS, N, N)).astype(np.float32) if flow is None else flow
    flow[:, np.eye(N, dtype=bool)] = 0
    return Published({CORRIDORS: FlatModel(sigma), OFFICES: FlatModel(sigma)}, NoSurroundings(),
                     np.array(["Europe"] * N), flow, np.zeros_like(flow), np.full((YEARS, N, N), float(residents)),
                     seen_of(klass), np.zeros(flow.shape, np.int8), {})


def found_of(sigma=1.0, noise=0.25, already=None, klass=3, **more):
    already = np.zeros((2, YEARS, N, N), dtype=bool) if already is None else already
    return narrowing(asked_of(sigma, klass=klass, **more), already,
                     ReadNoise(np.full(5000, noise), np.tile([0.5, 5, 50, 500, 5000], 1000)), [1, 2])


@given(hnp.arrays(float, st.integers(1, 40), elements=st.floats(-5, 5)), st.integers(0, 5))
def test_noise_lies_between_the_smallest_and_the_largest_error(error, size):
    noise = ReadNoise(error, np.full(len(error), 10.0**size / 2))
    away = np.maximum(np.abs(error), 0.05)
    assert (noise.by_size >= away.min() - 1e-12).all() and (noise.by_size <= away.max() + 1e-12).all()
    assert noise.sigma([0.0, 1e6]).shape == (2,)


def test_noise_of_many_cells_of_a_size_is_their_own():
    error, estimate = np.r_[np.full(100_000, 0.2), np.full(100_000, -0.8)], np.r_[np.full(100_000, 5.0),
                                                                              np.full(100_000, 5e4)]
    assert ReadNoise(error, estimate).sigma([5.0, 5e4]) == pytest.approx([0.2, 0.8], rel=5e-3)


@pytest.mark.parametrize("error,estimate", [([], []), ([0.1], [1.0, 2.0]), ([np.nan], [1.0])])
def test_noise_refuses_what_it_cannot_learn_from(error, estimate):
    with pytest.raises(SchemaError, match="finite"):
        ReadNoise(error, estimate)


@given(st.floats(0.05, 6), st.floats(0, 6))
def test_the_gain_is_a_share_and_nought_where_nothing_is_narrower(now, then):
    gain = float(gain_of(now, then))
    assert 0 <= gain <= 1 and (gain == 0 if then >= now else gain == pytest.approx(1 - (then / now) ** 2))


@pytest.mark.parametrize("sigma,noise", [(1.0, 0.25), (0.3, 0.6)])
def test_a_report_never_widens_and_keeps_the_estimate_inside(sigma, noise):
    found = found_of(sigma, noise)
    own = ~np.eye(N, dtype=bool)
    assert (found["width_reported"] <= found["width"] + 1e-9).all()
    assert (found["lower_reported"] >= found["lower"] - 1e-6).all()
    assert (found["upper_reported"] <= found["upper"] + 1e-6).all()
    ratio = (found["width_reported"] / found["width"]).values[:, own]
    assert ratio == pytest.approx(min(noise / sigma, 1.0), rel=0.1)      # ends below half a person are zero
    assert (found["lower_reported"] <= found["persons"] + 1e-3).all()
    assert (found["upper_reported"] >= found["persons"] - 1e-3).all()


def test_what_is_reported_already_tells_nothing_new():
    already = np.zeros((2, YEARS, N, N), dtype=bool)
    already[0, :, :, 1] = True
    found = found_of(already=already)
    own = found.sel(side="arrivals")
    np.testing.assert_allclose(own["width_reported"][:, 1], found["width"][:, 1])
    assert not own["new"][:, 1].any() and own["new"][:, 0].all()
    assert (own["width_reported"][:, 0] < found["width"][:, 0])[1:].all()
    table = country_table(found, totals_of(found), CODES).set_index(["territory", "side"])
    assert table.loc[("BRA", "arrivals"), "new"] == 0 and table.loc[("BRA", "arrivals"), "narrowing"] == 0
    assert abs(table.loc[("BRA", "arrivals"), "narrowing_persons"]) < 1e-6
    assert table.loc[("AUT", "arrivals"), "narrowing_persons"] > 0


def test_no_end_exceeds_who_can_have_moved():
    found = found_of(sigma=3.0, residents=1e4, flow=np.full((YEARS, N, N), 900, np.float32))
    assert found["upper"].values.max() == pytest.approx(1e4)


def totals_of(found, sigma=1.0):
    return total_ends(asked_of(sigma), found, asked_of().flow[1:3], Components(0.2, 0.1, 0.3, 0.4), draws=200)


def test_tables_are_ranked_and_shares_add_up():
    found = found_of()
    corridors = corridor_table(found, CODES)
    assert list(corridors.columns) == list(CORRIDOR_COLUMNS) and len(corridors) == N * (N - 1)
    assert corridors["rank"].tolist() == list(range(1, len(corridors) + 1))
    assert corridors["narrowing_below"].is_monotonic_decreasing and (corridors["narrowing_below"] > 0).all()
    assert (corridors["narrowing_below"] <= corridors["persons"]).all() and corridors["share"].sum() <= 1 + 1e-9
    assert (corridors["seen"] == SEEN[3]).all() and (corridors["by"] == "arrivals").all()
    assert len(corridor_table(found, CODES, 3)) == 3
    countries = country_table(found, totals_of(found), CODES)
    assert list(countries.columns) == list(COUNTRY_COLUMNS) and len(countries) == 2 * N
    assert countries["narrowing_persons"].is_monotonic_decreasing
    assert countries.groupby("side")["share"].sum().tolist() == pytest.approx([1, 1])
    assert (countries["gain"].between(0.8, 1)).all()     # 1 − .25², a mean of corridors all of which are new


def test_the_interval_of_a_total_is_shorter_than_those_of_its_corridors_together():
    found = found_of()
    totals = totals_of(found).set_index(["side", "place"])
    for k in range(N):
        own = found.isel(destination=k)
        assert (totals.loc[("arrivals", k), "upper"] - totals.loc[("arrivals", k), "lower"]
                < float((own["upper"] - own["lower"]).sum()))


def test_years_end_with_the_last_that_half_of_the_offices_reach():
    saw = seen_of(3)
    saw.gap_office[:] = NEVER
    with pytest.raises(SchemaError, match="years"):
        last_years(saw, 1)
    for k, last in enumerate((0, 1, 1)):
        saw.gap_office[:last + 1, k, k] = 0
    assert last_years(saw, 2).tolist() == [0, 1] and last_years(saw, 1).tolist() == [1]
    with pytest.raises(SchemaError, match="years"):
        last_years(saw, 3)


def test_own_offices_are_told_from_the_other_end_and_from_platforms():
    panel = xr.Dataset(
        {"flow_witness": ("observation", [0, 1, 2]), "flow_year": ("observation", [0, 1, 2]),
         "flow_origin": ("observation", [0, 0, 0]), "flow_destination": ("observation", [1, 1, 1]),
         "witness_reporter": ("witness", ["BRA", "AUT", "META"]),
         "witness_source": ("witness", ["oecd", "oecd", "meta"])},
        coords={"year": [2000, 2001, 2002], "origin": CODES, "destination": CODES})
    marked = already_reported(panel)
    assert marked.sum() == 2 and marked[SIDES.index("arrivals"), 0, 0, 1] and marked[SIDES.index("departures"), 1, 0, 1]


def test_corridors_of_class_c_are_asked_of_the_model_with_a_median():
    asked = [asked_of(klass=k) for k in (2, 3)]
    for a in asked:
        a.models[CORRIDORS].sigma = 2.0
    assert asked[0].ends(1)[1] == pytest.approx(2.0) and asked[1].ends(1)[1] == pytest.approx(1.0)
