"""What reports take from variances: the closed form, nothing where there is nothing, networks that share deviations."""
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from humanflows.errors import SchemaError
from humanflows.uncertainty.needs import update


def covariance(rng, size):
    a = rng.standard_normal((size, size + 2))
    return a @ a.T / size + 0.05 * np.eye(size)


def exact_draws(rng, cov, draws):
    """Draws whose sample covariance is the given one, exactly."""
    x = rng.standard_normal((draws, len(cov)))
    x -= x.mean(0)
    x = x @ np.linalg.inv(np.linalg.cholesky(x.T @ x / (draws - 1))).T
    return x @ np.linalg.cholesky(cov).T


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), p=st.integers(1, 5), q=st.integers(1, 4))
def test_the_plain_share_is_the_closed_form(seed, p, q):
    rng = np.random.default_rng(seed)
    cov, noise = covariance(rng, p + q), covariance(rng, p)
    x = exact_draws(rng, cov, 40)
    expected = update.closed_form(cov[:q, q:], cov[q:, q:], noise) / np.diag(cov)[:q]
    np.testing.assert_allclose(update.share_told(x[:, :q], x[:, q:], noise, corrected=False), expected, rtol=1e-7)
    own = np.broadcast_to(x[:, None, q:], (40, q, p))
    for corrected in (True, False):
        np.testing.assert_allclose(update.share_told(x[:, :q], own, np.stack([noise] * q), corrected=corrected),
                                   update.share_told(x[:, :q], x[:, q:], noise, corrected=corrected), rtol=1e-7,
                                   atol=1e-12)


@settings(max_examples=20)
@given(seed=st.integers(0, 10**6))
def test_the_corrected_share_tends_to_the_closed_form(seed):
    rng = np.random.default_rng(seed)
    cov, noise = covariance(rng, 5), covariance(rng, 3)
    x = exact_draws(rng, cov, 20_000)
    expected = update.closed_form(cov[:2, 2:], cov[2:, 2:], noise) / np.diag(cov)[:2]
    for network in (None, np.arange(20_000) % 50):
        found = update.share_told(x[:, :2], x[:, 2:], noise, network)
        np.testing.assert_allclose(found, expected, atol=5e-3)


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), scale=st.floats(0.01, 100))
def test_units_and_order_of_reports_do_not_matter(seed, scale):
    rng = np.random.default_rng(seed)
    x, noise, network = rng.standard_normal((48, 6)), covariance(rng, 3), np.arange(48) // 6
    turned = covariance(rng, 3) * scale
    for corrected in (True, False):
        np.testing.assert_allclose(
            update.share_told(x[:, :3] * scale, x[:, 3:] @ turned.T, turned @ noise @ turned.T, network,
                              corrected=corrected),
            update.share_told(x[:, :3], x[:, 3:], noise, network, corrected=corrected), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("p", [1, 2, 4])
def test_a_middling_relation_is_found(p):
    rng = np.random.default_rng(5)
    cov, noise = covariance(rng, p + 1), 0.3 * np.eye(p)
    expected = update.closed_form(cov[:1, 1:], cov[1:, 1:], noise) / cov[0, 0]
    root, shares = np.linalg.cholesky(cov), []
    for _ in range(800):
        x = rng.standard_normal((60, p + 1)) @ root.T
        shares.append(update.share_told(x[:, :1], x[:, 1:], noise)[0])
    assert abs(np.mean(shares) - expected[0]) < 0.015


@pytest.mark.parametrize("p", [1, 4])
def test_noise_promises_nothing(p):
    """Skewed quantities that have nothing in common with reports: the mean benefit is zero, the plain one is not."""
    rng = np.random.default_rng(1)
    q, y = np.exp(rng.standard_normal((104, 4000))), rng.standard_normal((104, p))
    found = update.share_told(q, y, 1e-3 * np.eye(p))
    assert abs(found.mean()) < 5 * found.std() / np.sqrt(4000)
    assert update.share_told(q, y, 1e-3 * np.eye(p), corrected=False).mean() > 0.8 * p / 103


def test_what_networks_share_promises_nothing():
    """Eight networks whose own deviations are all there is: chance correlates them as eight numbers."""
    rng, network = np.random.default_rng(2), np.repeat(np.arange(8), 13)
    found, naive = [], []
    for _ in range(150):
        y = rng.standard_normal((8, 2))[network] + 0.5 * rng.standard_normal((104, 2))
        q = rng.standard_normal((8, 40))[network] + 0.5 * rng.standard_normal((104, 40))
        found.append(update.share_told(q, y, 0.01 * np.eye(2), network).mean())
        naive.append(update.share_told(q, y, 0.01 * np.eye(2)).mean())
    assert abs(np.mean(found)) < 4 * np.std(found) / np.sqrt(150)
    assert np.mean(naive) > 0.1


def test_the_posterior_s_draws_have_its_covariance():
    rng = np.random.default_rng(3)
    cov, noise, draws = covariance(rng, 5), covariance(rng, 2), 4000
    x = exact_draws(rng, cov, draws)
    e = exact_draws(rng, noise, draws)
    left = update.posterior_errors(x[:, :3], x[:, 3:], noise, e, np.arange(draws) % 8)
    told = cov[:3, 3:] @ np.linalg.solve(cov[3:, 3:] + noise, cov[3:, :3])
    np.testing.assert_allclose(np.cov(left.T), cov[:3, :3] - told, atol=0.12 * np.diag(cov).max())
    nothing = update.posterior_errors(x[:, :3], 0 * x[:, 3:], noise, e)
    np.testing.assert_allclose(nothing, x[:, :3] - x[:, :3].mean(0))


def test_a_gain_does_not_judge_the_draw_it_learned_from():
    rng = np.random.default_rng(4)
    q, y = rng.standard_normal((104, 800)), rng.standard_normal((104, 4))
    left = update.posterior_errors(q, y, 1e-6 * np.eye(4), 1e-3 * rng.standard_normal((104, 4)))
    assert 1 < left.var(0).mean() / q.var(0).mean() < 1.01


def test_the_standard_error_is_about_right():
    rng, shares, errors = np.random.default_rng(6), [], []
    for _ in range(200):
        x = rng.standard_normal((80, 2)) @ np.array([[1, 0.7], [0, 0.7]])
        shares.append(update.share_told(x[:, :1], x[:, 1:], 0.2 * np.eye(1))[0])
        errors.append(update.share_error(x[:, :1], x[:, 1:], 0.2 * np.eye(1))[0])
    assert 0.6 < np.mean(errors) / np.std(shares) < 1.6


@pytest.mark.parametrize("change, key", [
    (dict(quantities=np.zeros((9, 3))), "shape"), (dict(reports=np.zeros((20, 2))), "shape"),
    (dict(noise=np.zeros((1, 1))), "noise"), (dict(noise=-np.eye(1)), "noise"),
    (dict(quantities=np.full((20, 3), np.nan)), "quantities"), (dict(network=np.zeros(3)), "network"),
    (dict(reports=np.zeros((20, 19)), noise=np.eye(19)), "draw"), (dict(reports=np.full((20, 1), np.inf)), "reports")])
def test_what_does_not_fit_is_said(change, key):
    given = dict(quantities=np.zeros((20, 3)), reports=np.zeros((20, 1)), noise=np.eye(1)) | change
    with pytest.raises(SchemaError) as error:
        update.share_told(**given)
    assert error.value.key == key


def test_what_does_not_vary_is_not_told():
    rng = np.random.default_rng(0)
    q = np.column_stack([np.ones(30), rng.standard_normal(30)])
    found = update.share_told(q, q[:, 1:], 0.5 * np.eye(1), np.arange(30) // 6)
    assert found[0] == 0 and found[1] > 0.3
    assert (update.share_told(q, np.ones((30, 1)), np.eye(1)) == 0).all()
