"""Each score on a few numbers worked out by hand, and what must hold for any numbers."""
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm
from scipy.stats import t as student_t

from humanflows.errors import NegativeCountError, SchemaError
from humanflows.results import scores as s

COUNTS = arrays(np.float64, st.integers(2, 30), elements=st.integers(0, 10**6).map(float))


@st.composite
def two_counts(draw):
    first = draw(COUNTS)
    return first, draw(arrays(np.float64, len(first), elements=st.integers(0, 10**6).map(float)))


def test_pearson_by_hand():
    # centred: (-1, 0, 1) and (-1, 1, 0): 1 / sqrt(2 · 2)
    assert s.pearson_r([1, 2, 3], [1, 3, 2]) == pytest.approx(0.5)
    assert s.pearson_r([-1, 0, 1], [2, 0, -2]) == pytest.approx(-1)
    assert math.isnan(s.pearson_r([1, 1, 1], [1, 2, 3]))
    assert math.isnan(s.pearson_r([1], [2]))
    assert math.isnan(s.pearson_r([], []))


def test_log_r_by_hand():
    # log(1 + x) = 0, ln 2, 2 ln 2 against 0, 2 ln 2, ln 2
    assert s.log_r([0, 1, 3], [0, 3, 1]) == pytest.approx(0.5)


def test_log_error_by_hand():
    assert s.mean_abs_log_error([0, 1], [0, 3]) == pytest.approx(math.log(2) / 2)
    assert math.isnan(s.mean_abs_log_error([], []))


def test_median_log_error_has_a_sign():
    # log(1 + e) − log(1 + o) = −ln 2, ln 2, 3 ln 2
    assert s.median_log_error([1, 1, 0], [0, 3, 7]) == pytest.approx(math.log(2))
    assert s.median_log_error([3, 7, 9], [1, 3, 9]) == pytest.approx(-math.log(2))
    assert math.isnan(s.median_log_error([], []))


def test_log_densities_are_those_of_student(rng):
    reported, estimated = rng.integers(0, 5000, 40).astype(float), rng.gamma(0.4, 900, 40)
    bias, spread = rng.normal(-0.5, 1, 40), rng.uniform(0.05, 1.5, 40)
    for tail in (1.0, 2.5, 4.0, 200.0):
        counted = estimated * np.exp(bias)
        expected = student_t(tail, loc=np.log1p(counted), scale=np.sqrt(spread**2 + 1 / (1 + counted))).logpdf(
            np.log1p(reported))
        np.testing.assert_allclose(s.log_densities(reported, estimated, bias, spread, tail), expected, rtol=1e-10)
        assert s.log_score(reported, estimated, bias, spread, tail) == pytest.approx(expected.mean())
    assert s.log_score(reported, estimated, 0.3, 0.2) == pytest.approx(
        s.log_score(reported, estimated, np.full(40, 0.3), np.full(40, 0.2), 4.0))
    assert math.isnan(s.log_score([], [], 0.0, 1.0))


def test_log_densities_of_what_is_published_by_hand():
    """Ten persons more than are counted of the first, the second as it is."""
    def publish(counted):
        np.testing.assert_allclose(counted, [50.0, 300.0])
        return counted + np.array([10.0, 0.0]), np.array([25.0, 0.0]), np.array([0.6, 1.0])

    told = s.log_densities([40.0, 280.0], [100.0, 600.0], math.log(0.5), 0.3, 4.0, 2.0, publish)
    scales = [math.sqrt(0.6**2 * (0.3**2 + 2 / 51) + 25 / 61**2), math.sqrt(0.3**2 + 2 / 301)]
    expected = [student_t(4, loc=math.log(1 + shown), scale=scale).logpdf(math.log(1 + reported))
                for shown, scale, reported in zip((60, 300), scales, (40, 280))]
    np.testing.assert_allclose(told, expected, rtol=1e-10)
    assert s.log_score([40.0, 280.0], [100.0, 600.0], math.log(0.5), 0.3, 4.0, 2.0, publish) == pytest.approx(
        np.mean(expected))


def test_log_score_by_hand():
    # Nobody and no one reported: location 0, scale √(1 + 1); Student's density at 0 with 4 degrees is 3/8.
    assert s.log_score([0], [0], 0.0, 1.0) == pytest.approx(math.log(3 / 8 / math.sqrt(2)))


@given(st.floats(0, 1e9), st.floats(-8, 3), st.floats(1e-3, 5), st.floats(0.5, 50))
def test_log_densities_integrate_to_one(estimated, bias, spread, tail):
    # As a density of the standardised error it is Student's, whose mass within 0.5 and 99.5 percent is 0.99.
    counted = estimated * math.exp(bias)
    scale = math.hypot(spread, 1 / math.sqrt(1 + counted))
    z = student_t(tail).ppf(np.linspace(0.005, 0.995, 4001))
    above = math.log1p(counted) + scale * z > 0            # log(1 + y) of a count is not below zero
    above &= math.log1p(counted) + scale * z < 600
    assume(above.sum() > 100)
    x = (math.log1p(counted) + scale * z)[above]
    density = np.exp(s.log_densities(np.expm1(x), np.full(len(x), estimated), bias, spread, tail))
    inside = np.diff(student_t(tail).cdf(z[above][[0, -1]]))[0]
    assert np.trapezoid(density, x) == pytest.approx(inside, rel=2e-3)


def test_the_log_score_does_not_punish_who_knows_that_an_office_misses_many(rng):
    true = rng.gamma(1, 3000, 4000) + 50
    reported = np.rint(true * 0.01 * np.exp(0.3 * rng.standard_normal(4000)))
    knows = s.log_score(reported, true, math.log(0.01), 0.3)
    assert knows == pytest.approx(s.log_score(reported, true * 0.01, 0.0, 0.3))     # a bias is a factor of the flow
    assert knows > s.log_score(reported, true, 0.0, 0.3) + 1
    assert s.mean_abs_log_error(reported, true) > 4                         # a score of the raw report sees an error
    worse = s.log_score(reported, true * np.exp(rng.normal(0, 1, 4000)), math.log(0.01), 0.3)
    assert worse < knows
    # Neither a spread that is too small nor one that is too large pays.
    assert s.log_score(reported, true, math.log(0.01), 0.03) < knows > s.log_score(reported, true, math.log(0.01), 3)


@pytest.mark.parametrize(("arguments", "key"), [
    (([1.0], [1.0], 0.0, 0.0), "spread[0]"), (([1.0], [1.0], 0.0, np.inf), "spread"),
    (([1.0, 2], [1.0, 2], 0.0, [0.1, -1]), "spread[1]"), (([1.0, 2], [1.0, 2], [0, np.nan], 1.0), "log_bias[1]"),
    (([1.0], [1.0], 800.0, 1.0), "log_bias[0]"), (([1.0], [1.0], 0.0, 1.0, 0.0), "tail"),
    (([1.0], [1.0], 0.0, 1.0, np.inf), "tail"), (([1.0], [1.0], [0.0, 0.0], 1.0), "log_bias"),
    (([1.0], [np.nan], 0.0, 1.0), "estimated[0]")])
def test_log_scores_need_sound_biases_and_spreads(arguments, key):
    with pytest.raises(SchemaError) as caught:
        s.log_score(*arguments)
    assert caught.value.key == key
    with pytest.raises(NegativeCountError):
        s.log_score([-1.0], [1.0], 0.0, 1.0)


def test_cpc_by_hand():
    assert s.common_part_of_commuters([10, 0, 5], [5, 5, 5]) == pytest.approx(2 * 10 / 30)
    assert s.common_part_of_commuters([1, 0], [0, 1]) == 0
    assert math.isnan(s.common_part_of_commuters([0, 0], [0, 0]))


def test_log_bias_by_hand():
    assert s.log_bias([100, 100], [150, 250]) == pytest.approx(math.log(2))
    assert math.isnan(s.log_bias([0], [1]))
    assert s.log_bias([1], [0]) == -math.inf


def test_within_corridor_r_by_hand():
    growing = np.expm1(np.linspace(4, 6, 12))
    falling = growing[::-1]
    observed = np.concatenate([growing, growing, growing, growing[:9], growing / 100, np.full(12, 80.0)])
    estimated = np.concatenate([growing, falling, 3 * growing + 2, growing[:9], falling / 100, growing])
    corridor = np.repeat(["same", "against", "scaled", "short", "small", "constant"], [12, 12, 12, 9, 12, 12])
    rs = s.within_corridor_rs(observed, estimated, corridor)
    assert sorted(rs.index) == ["against", "same", "scaled"]
    assert rs["same"] == pytest.approx(1)
    assert rs["against"] == pytest.approx(-1)
    assert rs["scaled"] == pytest.approx(1, abs=1e-3)
    assert s.within_corridor_r(observed, estimated, corridor) == pytest.approx(rs["scaled"])
    assert math.isnan(s.within_corridor_r(observed[:9], estimated[:9], corridor[:9]))


def test_within_corridor_r_is_numpy_s(rng):
    observed, estimated = rng.gamma(0.5, 1000, (2, 300)) + 60
    corridor = np.repeat(np.arange(20), 15)
    expected = [np.corrcoef(np.log1p(observed[corridor == k]), np.log1p(estimated[corridor == k]))[0, 1]
                for k in range(20)]
    np.testing.assert_allclose(s.within_corridor_rs(observed, estimated, corridor).to_numpy(), expected)
    assert s.within_corridor_r(observed, estimated, corridor) == pytest.approx(np.median(expected))


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def test_change_r_by_hand():
    # corridor a has 2000, 2005, 2010; b has 2001 and 2006; c has no pair of years five apart
    corridor = ["a", "a", "a", "b", "b", "c", "c"]
    year = [2000, 2005, 2010, 2001, 2006, 2000, 2004]
    observed = [10, 20, 10, 100, 130, 7, 9]
    estimated = [0, 10, 5, 100, 90, 1, 2]
    changes = s.five_year_changes(observed, estimated, corridor, year).sort_values(["corridor", "year"])
    assert changes["observed"].tolist() == [10, -10, 30]
    assert changes["estimated"].tolist() == [10, -5, -10]
    assert changes["year"].tolist() == [2005, 2010, 2006]
    expected = np.corrcoef([10, -10, 30], [10, -5, -10])[0, 1]
    assert s.change_r(observed, estimated, corridor, year) == pytest.approx(expected)


def test_change_r_refuses_two_cells_of_a_year():
    with pytest.raises(SchemaError, match="two cells"):
        s.change_r([1, 2], [1, 2], ["a", "a"], [2000, 2000])


def test_coverage_by_hand():
    assert s.coverage([0, 0, -5, 1], [1, 1, 5, 1], [0, 2, -4, 1]) == 0.75
    assert math.isnan(s.coverage([], [], []))
    with pytest.raises(SchemaError, match="above"):
        s.coverage([2], [1], [1])
    with pytest.raises(SchemaError, match="missing"):
        s.coverage([np.nan], [1], [1])


def test_crps_of_a_sample_by_hand():
    # members 0 and 2, observed 1: E|X − o| = 1, E|X − X′| = 1, so 1 − 1/2
    assert s.crps_from_sample([[0.0], [2.0]], [1.0])[0] == pytest.approx(0.5)
    assert s.crps_from_sample([[3.0]], [1.0])[0] == pytest.approx(2)


def test_crps_agree_with_the_normal_distribution():
    # closed form: σ (z (2Φ(z) − 1) + 2φ(z) − 1/√π), Gneiting & Raftery (2007), eq. 5 of section 4.2
    observed = np.array([-1.0, 0.0, 0.4, 3.0])
    exact = observed * (2 * norm.cdf(observed) - 1) + 2 * norm.pdf(observed) - 1 / np.sqrt(np.pi)
    levels = (np.arange(2000) + 0.5) / 2000
    quantiles = np.repeat(norm.ppf(levels)[:, None], 4, axis=1)
    np.testing.assert_allclose(s.crps_from_quantiles(levels, quantiles, observed), exact, atol=2e-3)
    np.testing.assert_allclose(s.crps_from_sample(quantiles, observed), exact, atol=2e-3)


def test_crps_of_one_median_is_the_absolute_error():
    np.testing.assert_allclose(s.crps_from_quantiles([0.5], [[1.0, 4.0]], [3.0, 4.0]), [2, 0])


@pytest.mark.parametrize(("levels", "quantiles", "said"), [
    ([0.0, 0.5], [[1.0], [2.0]], "levels"), ([0.5, 0.2], [[1.0], [2.0]], "levels"),
    ([0.2, 0.8], [[2.0], [1.0]], "cross"),
    ([0.2], [[1.0], [2.0]], "level, cell"), ([0.2, 0.8], [[np.nan], [1.0]], "missing")])
def test_bad_quantiles_are_refused(levels, quantiles, said):
    with pytest.raises(SchemaError, match=said):
        s.crps_from_quantiles(levels, quantiles, [1.0])


@pytest.mark.parametrize("function", [s.log_r, s.mean_abs_log_error, s.common_part_of_commuters, s.log_bias])
def test_what_cannot_be_scored_is_an_error(function):
    with pytest.raises(SchemaError, match="one length"):
        function([1, 2], [1, 2, 3])
    with pytest.raises(SchemaError, match=r"estimated\[1\]"):
        function([1, 2], [1, np.nan])
    with pytest.raises(SchemaError, match="inf"):
        function([1, np.inf], [1, 2])
    with pytest.raises(NegativeCountError, match=r"observed\[0\]"):
        function([-1, 2], [1, 2])


def test_labels_must_be_aligned():
    with pytest.raises(SchemaError, match="per cell"):
        s.within_corridor_r([1, 2], [1, 2], ["a"])
    with pytest.raises(SchemaError, match="per cell"):
        s.change_r([1, 2], [1, 2], ["a", "b"], [2000])
    with pytest.raises(SchemaError):
        s.pearson_r([1, 2], [1, 2, 3])
    with pytest.raises(SchemaError):
        s.pearson_r([1, np.nan], [1, 2])


@settings(deadline=None)
@given(two_counts())
def test_cpc_is_symmetric_and_bounded(pair):
    a, b = pair
    assume(a.sum() + b.sum() > 0)
    value = s.common_part_of_commuters(a, b)
    assert value == s.common_part_of_commuters(b, a)
    assert 0 <= value <= 1
    if a.sum() > 0:
        assert s.common_part_of_commuters(a, a) == 1


@settings(deadline=None)
@given(two_counts(), st.floats(1e-6, 1e6), st.floats(-1e3, 1e3))
def test_pearson_ignores_scale_and_level(pair, scale, shift):
    a, b = pair
    assume(np.ptp(a) > 0 and np.ptp(b) > 0)
    r = s.pearson_r(a, b)
    assert -1 <= r <= 1
    assert r == s.pearson_r(b, a)
    assert s.pearson_r(a, scale * b) == pytest.approx(r, abs=1e-9)
    assert s.pearson_r(a + shift, b) == pytest.approx(r, abs=1e-6)
    assert s.pearson_r(a, -b) == pytest.approx(-r, abs=1e-9)
    assert r == pytest.approx(np.corrcoef(a, b)[0, 1], abs=1e-9)


@settings(deadline=None)
@given(two_counts())
def test_errors_are_zero_only_for_equal_tables(pair):
    a, b = pair
    assert s.mean_abs_log_error(a, a) == 0
    assert (s.mean_abs_log_error(a, b) == 0) == bool((a == b).all())
    if a.sum() > 0 and b.sum() > 0:
        assert s.log_bias(a, b) == pytest.approx(-s.log_bias(b, a), abs=1e-12)


@settings(max_examples=50)
@given(arrays(np.float64, (6, 4), elements=st.floats(-1e4, 1e4)), arrays(np.float64, 4, elements=st.floats(-1e4, 1e4)))
def test_crps_is_never_negative_and_ignores_order(sample, observed):
    crps = s.crps_from_sample(sample, observed)
    assert (crps >= -1e-8).all()
    np.testing.assert_allclose(crps, s.crps_from_sample(sample[::-1], observed), atol=1e-7)
    brute = np.abs(sample - observed).mean(0) - np.abs(sample[:, None] - sample[None]).mean((0, 1)) / 2
    np.testing.assert_allclose(crps, brute, atol=1e-7)


def cells(rng, corridors=60, years=12):
    level = np.exp(rng.normal(5, 2, corridors))
    trend = rng.normal(0, 0.1, corridors)
    noise = rng.normal(0, 0.1, (corridors, years))
    observed = np.round(level[:, None] * np.exp(trend[:, None] * np.arange(years) + noise))
    good = observed * np.exp(rng.normal(0, 0.2, observed.shape))
    bad = observed.mean() * np.exp(rng.normal(0, 2, observed.shape))
    corridor, year = np.repeat(np.arange(corridors), years), np.tile(np.arange(2000, 2000 + years), corridors)
    return observed.ravel(), good.ravel(), bad.ravel(), corridor, year


def test_score_gathers_the_single_scores(rng):
    o, good, _, corridor, year = cells(rng)
    result = s.score(o, good, corridor, year)
    assert tuple(result) == s.SCORES
    assert result["n"] == 720
    assert result["r"] == s.pearson_r(o, good)
    assert result["log_r"] == s.log_r(o, good)
    assert result["abs_log_error"] == s.mean_abs_log_error(o, good)
    assert result["median_log_error"] == s.median_log_error(o, good)
    assert result["cpc"] == s.common_part_of_commuters(o, good)
    assert result["log_bias"] == s.log_bias(o, good)
    assert result["within_r"] == s.within_corridor_r(o, good, corridor)
    assert result["change_r"] == s.change_r(o, good, corridor, year)


def test_score_table_uses_the_same_cells_for_all(rng):
    o, good, bad, corridor, year = cells(rng)
    holed = bad.copy()
    holed[:30] = np.nan
    table = s.score_table(o, {"good": good, "holed": holed}, corridor, year, collection="x")
    assert table.columns.tolist() == ["collection", "peer", *s.SCORES, "dropped"]
    assert table["n"].tolist() == [690, 690]
    assert table["dropped"].tolist() == [30, 30]
    assert table["r"][0] == pytest.approx(s.pearson_r(o[30:], good[30:]))
    with pytest.raises(SchemaError, match="short"):
        s.score_table(o, {"short": good[1:]}, corridor, year)


def test_bootstrap_tells_a_better_peer_from_a_luckier_one(rng):
    o, good, bad, corridor, year = cells(rng)
    table = s.bootstrap_difference(o, good, bad, corridor, year, draws=300, seed=1)
    for name, sign in (("log_r", 1), ("cpc", 1), ("abs_log_error", -1), ("within_r", 1)):
        assert sign * table.loc[name, "lower"] > 0 and sign * table.loc[name, "upper"] > 0, name
    whole, other = (s.score(o, e, corridor, year) for e in (good, bad))
    for name in table.index:
        assert table.loc[name, "difference"] == pytest.approx(whole[name] - other[name]), name
        assert table.loc[name, "lower"] <= table.loc[name, "upper"]
    same = s.bootstrap_difference(o, good, good, corridor, year, draws=50)
    assert (same.to_numpy() == 0).all()
    again = s.bootstrap_difference(o, good, bad, corridor, year, draws=300, seed=1)
    pd.testing.assert_frame_equal(table, again)
    assert not table.equals(s.bootstrap_difference(o, good, bad, corridor, year, draws=300, seed=2))


def test_bootstrap_draws_whole_corridors(rng):
    # The slow way, one draw at a time with relabelled copies of corridors, on the very same draws.
    o, good, bad, corridor, year = cells(rng, corridors=12)
    draws, seed = 40, 3
    chosen = np.random.default_rng(seed).integers(0, 12, (draws, 12))
    slow = []
    for row in chosen:
        where = np.concatenate([np.flatnonzero(corridor == k) for k in row])
        label, when = np.repeat(np.arange(12), 12), year[where]
        first, second = (s.score(o[where], e[where], label, when) for e in (good, bad))
        slow.append({k: first[k] - second[k] for k in s.SCORES[1:]})
    expected = pd.DataFrame(slow).quantile([0.025, 0.975])
    table = s.bootstrap_difference(o, good, bad, corridor, year, draws=draws, seed=seed)
    np.testing.assert_allclose(table["lower"], expected.loc[0.025, table.index], rtol=1e-6)
    np.testing.assert_allclose(table["upper"], expected.loc[0.975, table.index], rtol=1e-6)


def test_bootstrap_without_years_or_long_corridors():
    table = s.bootstrap_difference([1.0, 5.0, 9.0], [1.0, 4.0, 9.0], [3.0, 2.0, 1.0], ["a", "b", "c"], draws=20)
    assert "change_r" not in table.index
    assert math.isnan(table.loc["within_r", "difference"])
    with pytest.raises(SchemaError, match="draws"):
        s.bootstrap_difference([], [], [], [])
