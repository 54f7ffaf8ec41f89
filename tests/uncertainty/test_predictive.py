"""Random reports of draws' flows follow the observation model; what was not learned is drawn from its prior."""
import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from scipy.stats import genhyperbolic, kstest
from scipy.stats import t as student_t

from humanflows.errors import SchemaError
from humanflows.model.observation import LASTING, PROXY, TAIL, pseudo_huber
from humanflows.uncertainty.predictive import (
    BiasPriors,
    ReportErrors,
    complete_biases,
    draw_reports,
    huber_errors,
    read_bias_priors,
)


def errors(length, spread=0.3, noise=0.0, proxy=False, series=None):
    return ReportErrors(np.full(length, spread), np.full(length, noise), np.full(length, proxy),
                        np.arange(length) if series is None else series)


def reports(flow, own, bias=0.0, times=400, **given):
    flow = np.full((1, len(own.spread)), flow, dtype=float)
    return draw_reports(flow, np.full(flow.shape, bias), own, np.random.default_rng(1), times=times, **given)


def test_huber_errors_have_the_density_of_the_model():
    drawn = huber_errors(5000, np.random.default_rng(1))
    assert kstest(drawn, genhyperbolic(1, 2, 0, scale=np.sqrt(2)).cdf).pvalue > 0.001
    z = np.array([-3.0, 0.5, 4.0])
    told = -pseudo_huber(torch.tensor(z)).numpy()
    np.testing.assert_allclose(genhyperbolic.logpdf(z, 1, 2, 0, scale=np.sqrt(2)) - told,
                               genhyperbolic.logpdf(0, 1, 2, 0, scale=np.sqrt(2)))


def test_the_median_report_is_the_biased_flow():
    said = reports(20_000, errors(50), bias=-0.5)
    assert np.median(said) == pytest.approx(np.log1p(20_000 * np.exp(-0.5)), abs=0.02)


def test_a_lasting_deviation_is_shared_by_the_reports_of_a_series():
    said = reports(1e6, errors(20, spread=0.5, series=np.zeros(20, dtype=int)))
    assert said.mean(1).std() > 0.7 * np.sqrt(LASTING) * 0.5
    apart = reports(1e6, errors(20, spread=0.5))
    assert apart.mean(1).std() < 0.5 * said.mean(1).std()


def test_a_known_lasting_deviation_is_kept_and_an_unknown_one_drawn():
    own = errors(2)
    said = reports(1e6, own, lasting=np.array([[0.7, np.nan]]))
    assert np.median(said[:, 0]) == pytest.approx(np.log1p(1e6) + 0.7, abs=0.03)
    assert said[:, 1].std() > said[:, 0].std()


def test_what_is_left_around_a_known_deviation_is_the_rest_of_the_spread():
    said = reports(1e9, errors(100, spread=0.5), lasting=np.zeros((1, 100)))
    half = np.subtract(*np.quantile(said, [0.75, 0.25])) / 2
    assert half == pytest.approx(np.sqrt(1 - LASTING) * 0.5 * student_t.ppf(0.75, TAIL), rel=0.03)


def test_counts_by_citizenship_deviate_further():
    assert reports(1e6, errors(100, spread=0.05, proxy=True)).std() > 0.8 * PROXY


def test_small_flows_have_the_chance_of_small_numbers_and_reports_are_whole():
    said = np.expm1(reports(5, errors(30)).astype(float))
    np.testing.assert_allclose(said, np.rint(said), rtol=1e-5, atol=1e-4)
    assert (said >= 0).all() and (said == 0).mean() > 0.02
    assert reports(5, errors(30)).std() > 2 * reports(5e6, errors(30)).std()


def test_a_platform_shows_noise_where_nobody_moves():
    said = np.expm1(reports(0, errors(30, noise=10.0)).astype(float))
    assert np.median(said) == pytest.approx(12 * 10 / np.sqrt(2 * np.pi), rel=0.1)
    assert np.median(np.expm1(reports(0, errors(30)).astype(float))) == 0


def test_a_draw_has_several_reports_one_after_the_other():
    flow = np.array([[10.0], [1e6]])
    said = draw_reports(flow, np.zeros((2, 1)), errors(1), np.random.default_rng(1), times=3)
    assert (said[:3] < 8).all() and (said[3:] > 10).all()


@pytest.mark.parametrize("changed", [
    {"flow": [[-1.0, 1.0]]}, {"flow": [[np.nan, 1.0]]}, {"flow": [[1.0, 1.0, 1.0]]}, {"flow": [1.0, 1.0]},
    {"bias": [[np.nan, 0.0]]}, {"bias": [[0.0]]}, {"lasting": [[0.0]]}, {"times": 0}])
def test_reports_of_what_is_no_flow_are_refused(changed):
    given = {"flow": [[1.0, 1.0]], "bias": [[0.0, 0.0]], "lasting": None, "times": 1} | changed
    with pytest.raises(SchemaError, match="report"):
        draw_reports(given["flow"], given["bias"], errors(2), np.random.default_rng(1), lasting=given["lasting"],
                     times=given["times"])


@pytest.mark.parametrize(("name", "value"), [("spread", 0.0), ("spread", np.nan), ("noise", -1.0), ("noise", np.inf)])
def test_errors_that_none_can_be_are_refused(name, value):
    with pytest.raises(SchemaError, match=name):
        errors(2, **{name: value})


def priors(years=10, series=3, deviation=0.3, step=0.03, anchored=False):
    shape = (years, series)
    return BiasPriors(np.full(shape, -0.5), np.full(shape, deviation), np.full(shape, step), np.zeros(shape, bool),
                      np.full(shape, anchored))


@settings(max_examples=25)
@given(st.lists(st.booleans(), min_size=30, max_size=30), st.integers(0, 1000))
def test_what_was_learned_stays_and_the_rest_is_finite(known, seed):
    learned = np.where(np.array(known).reshape(10, 3), 0.25, np.nan)
    found = complete_biases(learned, priors(), np.random.default_rng(seed))
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found[np.isfinite(learned)], learned[np.isfinite(learned)])


def test_a_known_series_walks_on_and_an_unknown_one_starts_at_its_prior():
    learned = np.full((10, 3), np.nan)
    learned[4, 0] = 0.9
    drawn = np.stack([complete_biases(learned, priors(), np.random.default_rng(k)) for k in range(400)])
    assert np.median(drawn[:, 5, 0]) == pytest.approx(0.9, abs=0.02)
    assert drawn[:, 9, 0].std() > 1.5 * drawn[:, 5, 0].std()       # further from what is known, less is known
    assert drawn[:, 0, 0].std() > 1.5 * drawn[:, 3, 0].std()
    assert np.median(drawn[:, 5, 1]) == pytest.approx(-0.5, abs=0.08)
    assert drawn[:, 5, 1].std() == pytest.approx(0.3 * np.sqrt(2), rel=0.25)      # t of 4 degrees of freedom


def test_a_draws_level_carries_over_to_series_that_it_never_saw():
    learned = np.full((10, 3), np.nan)
    learned[:, 0] = -0.1          # all that anchors lies 0.4 above its mean
    drawn = np.stack([complete_biases(learned, priors(deviation=0.01, anchored=True), np.random.default_rng(k))
                      for k in range(50)])
    assert np.median(drawn[..., 2]) == pytest.approx(-0.1, abs=0.05)


def test_a_changed_system_is_drawn_anew():
    given = priors()
    given.anew[5, 0] = True
    learned = np.full((10, 3), np.nan)
    learned[:5, 0] = 2.0
    drawn = np.stack([complete_biases(learned, given, np.random.default_rng(k)) for k in range(200)])
    assert np.median(drawn[:, 5, 0]) < 0.5
    back = np.full((10, 3), np.nan)
    back[5:, 0] = 2.0
    drawn = np.stack([complete_biases(back, given, np.random.default_rng(k)) for k in range(200)])
    assert np.median(drawn[:, 4, 0]) < 0.5 and np.median(drawn[:, 6, 0]) == 2.0


def test_a_series_without_prior_or_report_has_no_bias():
    given = priors()
    given.mean[:, 1] = np.nan
    found = complete_biases(np.full((10, 3), np.nan), given, np.random.default_rng(0))
    assert np.isnan(found[:, 1]).all() and np.isfinite(found[:, 0]).all()


def test_biases_of_another_world_are_refused():
    for learned in (np.zeros((9, 3)), np.full((10, 3), np.inf)):
        with pytest.raises(SchemaError, match="bias"):
            complete_biases(learned, priors(), np.random.default_rng(0))


def test_priors_of_a_panel_hold_wherever_it_has_a_report(small_panel):
    given = read_bias_priors(small_panel)
    y, w = (small_panel[f"flow_{k}"].values for k in ("year", "witness"))
    for name in ("mean", "deviation"):
        assert np.isfinite(getattr(given, name)[y, w]).all(), name
    assert (given.step > 0).all()
    assert not given.anew[0].any()
