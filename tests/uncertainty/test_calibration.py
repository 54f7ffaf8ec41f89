"""What is left is measured, shrunk, and what applying it would break is told."""
import numpy as np
import pytest

from humanflows.errors import SchemaError
from humanflows.uncertainty import calibration
from humanflows.uncertainty.calibration import (
    broken_accounts,
    measure_scale,
    scales_of_reports,
    stretch_all,
    stretch_draws,
)

from .worlds import simulate


def logs(stretch=1.0, cells=4000, draws=40, seed=1):
    rng = np.random.default_rng(seed)
    centre = rng.uniform(6, 10, cells)
    return (centre + stretch * rng.normal(size=(draws, cells)), centre + rng.normal(size=cells),
            rng.integers(0, 500, cells))


@pytest.mark.parametrize(("stretch", "scale"), [(1.0, 1.0), (0.5, 2.0), (2.0, 0.5)])
def test_the_scale_is_found_by_both_criteria(stretch, scale):
    found = measure_scale(*logs(stretch))
    for criterion, one in found.items():
        assert np.log(one.scale / scale) == pytest.approx(0, abs=0.12), criterion
        assert 0 < one.error < 0.15
        assert abs(np.log(one.shrunk)) <= abs(np.log(one.scale)) and one.n == 4000
    assert found["crps"].crps_scaled <= found["crps"].crps + 0.002
    assert found["coverage"].cover95_scaled == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize("noise", [0.0, 1.5])
def test_right_draws_that_are_few_need_no_stretching(noise):
    draws, observed, cluster = logs(draws=13)
    rng = np.random.default_rng(9)
    error = noise * rng.normal(size=(4, *draws.shape))
    found = measure_scale(draws, observed + noise * rng.normal(size=len(observed)), cluster,
                          report=lambda x: (x[:, None] + error.transpose(1, 0, 2)).reshape(-1, x.shape[1]))
    for criterion, one in found.items():
        assert abs(np.log(one.scale)) < max(3 * one.error, 0.05), criterion


def test_a_scale_of_few_reports_is_shrunk_further():
    many, few = (measure_scale(*logs(0.5, cells))["crps"] for cells in (4000, 60))
    assert few.error > many.error
    assert np.log(few.shrunk) / np.log(few.scale) < np.log(many.shrunk) / np.log(many.scale)


def test_errors_of_reports_are_no_deviation_of_flows():
    draws, observed, cluster = logs()
    rng = np.random.default_rng(3)
    error = 1.5 * rng.normal(size=draws.shape)
    observed = observed + 1.5 * rng.normal(size=len(observed))
    assert measure_scale(draws, observed, cluster, report=lambda x: x + error)["crps"].scale \
        == pytest.approx(1.0, abs=0.2)
    assert measure_scale(draws, observed, cluster)["crps"].scale > 1.4


def test_scales_of_held_out_reports():
    good, narrow = (scales_of_reports(*simulate(s, smallest=7.0), seed=1) for s in (1.0, 0.4))
    pick = {"evidence": "all", "criterion": "crps"}
    values = [t[(t["evidence"] == pick["evidence"]) & (t["criterion"] == pick["criterion"])]["scale"].iloc[0]
              for t in (good, narrow)]
    assert values[0] == pytest.approx(1.0, abs=0.2) and values[1] > 1.8
    assert list(good.columns) == list(calibration.COLUMNS)
    assert {"all", "nothing", "indirect"} == set(good["evidence"])


def world(seed=1, draws=8, years=4, places=5):
    flow = np.random.default_rng(seed).gamma(2.0, 500.0, (draws, years, places, places))
    flow[..., np.arange(places), np.arange(places)] = 0
    return flow


def test_stretched_flows_keep_their_means_and_no_draw_its_accounts():
    flow = world()
    wide = stretch_draws(flow, 1.5)
    np.testing.assert_allclose(wide.mean(0), flow.mean(0))
    assert (wide >= 0).all() and (wide.std(0) >= flow.std(0)).all()
    table = broken_accounts(flow, wide).set_index("quantity")
    assert table.loc["net migration", "ratio"] > 0.2 and table.loc["population", "off"] > 0
    np.testing.assert_allclose(stretch_draws(flow, 1.0), flow)


def test_one_factor_for_everything_in_persons_keeps_the_accounts():
    flow = world()
    wide, negative = stretch_all(flow, 1.5)
    net, _ = stretch_all(flow.sum(2) - flow.sum(3) + 1e6, 1.5)
    table = broken_accounts(flow, wide, net - 1e6)
    assert table["ratio"].max() < 1e-9 and table["spread_ratio"].to_numpy() == pytest.approx(1.5)
    assert negative > 0


@pytest.mark.parametrize("damage", [
    lambda x: (x[0][:1], *x[1:]), lambda x: (x[0][:, :-1], *x[1:]), lambda x: (x[0] * np.nan, *x[1:]),
    lambda x: (x[0], x[1], x[2] * 0), lambda x: (x[0], x[1], x[2][:-1])])
def test_what_has_no_scale_is_refused(damage):
    with pytest.raises(SchemaError, match="calibration"):
        measure_scale(*damage(logs(cells=100)))


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan, np.inf])
def test_scales_that_are_none_are_refused(scale):
    for stretch in (stretch_draws, stretch_all):
        with pytest.raises(SchemaError, match="scale"):
            stretch(world(), scale)
    with pytest.raises(SchemaError, match="flow"):
        stretch_draws(-world(), 1.0)
    with pytest.raises(SchemaError, match="flows"):
        broken_accounts(world(), world()[:, :1])
