"""Likelihoods of reports against their definitions, and corridors that a source leaves out because few moved."""
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from humanflows.config import Config, LossConfig, TrainConfig, load_config
from humanflows.errors import ConfigError
from humanflows.model import train as training
from humanflows.model.recursion import Trajectory
from humanflows.model.witnesses import CENSORED_BELOW, TAIL, Witnesses, _negative_binomial, _student
from humanflows.panel.splits import perturb_held_out, training_observations

LIKELIHOODS = ("squared_log", "student", "negative_binomial")
persons = st.floats(0.0, 1e6)
spreads = st.floats(0.05, 3.0)


def exact(*values):
    return [torch.tensor(v, dtype=torch.float64) for v in values]


# ---- densities -----------------------------------------------------------------------------------------------------

@settings(max_examples=200)
@given(observed=st.integers(0, 10**6), predicted=persons, other=persons, spread=spreads, wider=spreads)
def test_student_is_that_of_scipy_but_for_a_constant(observed, predicted, other, spread, wider):
    def ours(m, s):
        return float(_student(*exact(m), torch.log1p(exact(observed)[0]), *exact(s**2)))

    def theirs(m, s):
        return -stats.t.logpdf(np.log1p(observed), TAIL, loc=np.log1p(m), scale=np.sqrt(s**2 + 1 / (1 + m)))

    constant = theirs(predicted, spread) - ours(predicted, spread)
    assert theirs(other, wider) - ours(other, wider) == pytest.approx(constant, abs=1e-8)
    assert constant == pytest.approx(-stats.t.logpdf(0, TAIL), abs=1e-8)


@settings(max_examples=200)
@given(observed=st.integers(0, 10**5), predicted=persons, other=persons, spread=spreads, wider=spreads)
def test_negative_binomial_is_that_of_scipy_but_for_a_constant_of_the_count(observed, predicted, other, spread, wider):
    def ours(m, s):
        return float(_negative_binomial(*exact(m, observed, s**2)))

    def theirs(m, s):
        size = 1 / s**2
        return -stats.nbinom.logpmf(observed, size, size / (size + m + 0.1))

    constant = theirs(predicted, spread) - ours(predicted, spread)
    tolerance = 1e-9 * (1 + abs(ours(predicted, spread)) + abs(ours(other, wider)) + observed)
    assert theirs(other, wider) - ours(other, wider) == pytest.approx(constant, abs=tolerance, rel=1e-7)


@settings(max_examples=50)
@given(mean=st.floats(0.5, 1e4), spread=spreads)
def test_the_variance_is_that_of_chance_and_of_the_witness(mean, spread):
    size = 1 / spread**2
    assert stats.nbinom.var(size, size / (size + mean)) == pytest.approx(mean + spread**2 * mean**2)


@pytest.mark.parametrize("likelihood", LIKELIHOODS[1:])
@pytest.mark.parametrize("observed", [0.0, 3.0, 200.0, 1e7])
def test_gradients_draw_predictions_towards_the_report(likelihood, observed):
    predicted = torch.tensor([1e-3, 1.0, 100.0, 1e4, 1e8], requires_grad=True)
    report, spread = torch.full((5,), observed), torch.full((5,), 0.5)
    loss = _student(predicted, torch.log1p(report), spread) if likelihood == "student" \
        else _negative_binomial(predicted, report, spread)
    loss.sum().backward()
    assert torch.isfinite(loss).all() and torch.isfinite(predicted.grad).all()
    assert torch.equal(torch.sign(predicted.grad), torch.sign(predicted.detach() - (observed + 1e-9)))


def test_the_tail_forgives_the_report_that_is_far_out():
    def slope(kind, report):
        predicted = torch.tensor([100.0], requires_grad=True)
        log = torch.log1p(torch.tensor([report]))
        loss = _student(predicted, log, torch.tensor([0.1])) if kind == "student" \
            else (torch.log1p(predicted) - log) ** 2
        loss.sum().backward()
        return abs(float(predicted.grad))

    assert slope("student", 1e6) < slope("student", 300.0)
    assert slope("squared", 1e6) > slope("squared", 300.0)


# ---- reports -------------------------------------------------------------------------------------------------------

def witnesses_of(panel, likelihood, mask=None):
    mask = np.ones(panel.sizes["observation"], bool) if mask is None else mask
    return Witnesses(panel, mask, ~np.eye(panel.sizes["origin"], dtype=bool), LossConfig(likelihood=likelihood))


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_parts_of_the_reports_add_up_and_biases_count_once(small_panel, likelihood):
    seen = witnesses_of(small_panel, likelihood)
    with torch.no_grad():
        seen.log_bias += 0.1 * torch.randn_like(seen.log_bias)
        seen.log_spread += 0.1 * torch.randn_like(seen.log_spread)
        moved = seen.obs_persons * 1.5 + 1
        whole = seen.report_loss(seen.expected(moved, seen.obs_witness, seen.obs_collection))
        parts = [torch.as_tensor(k) for k in np.array_split(np.random.default_rng(0).permutation(len(moved)), 5)]
        told = sum(seen.report_loss(moved[k], k) for k in parts)
    torch.testing.assert_close(told, whole, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_reports_are_best_met_where_they_are(small_panel, likelihood):
    seen = witnesses_of(small_panel, likelihood)
    with torch.no_grad():
        told = [float(seen.report_loss(seen.obs_persons * f)) for f in (0.2, 0.7, 1.0, 1.5, 5.0)]
    assert int(np.argmin(told)) == 2 and told[0] > told[1] and told[4] > told[3]


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_only_likelihoods_learn_how_far_a_witness_scatters(small_panel, likelihood):
    seen = witnesses_of(small_panel, likelihood)
    chosen = int(np.bincount(small_panel.flow_witness.values).argmax())
    draw = torch.randn(len(seen.obs_persons), generator=torch.Generator().manual_seed(0))
    slopes = []
    for scatter in (0.0, 2.0):      # the first is better than the spread at the start says, the second worse
        noise = torch.where(seen.obs_witness == chosen, scatter, 0.7) * draw
        seen.zero_grad()
        counted = seen.expected(seen.obs_persons, seen.obs_witness, seen.obs_collection)
        seen.report_loss(counted * torch.exp(noise)).backward()
        slopes.append(0.0 if seen.log_spread.grad is None else float(seen.log_spread.grad[chosen]))
    assert slopes == [0.0, 0.0] if likelihood == "squared_log" else slopes[0] > 0 > slopes[1]


# ---- settings ------------------------------------------------------------------------------------------------------

def test_an_unknown_likelihood_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="student") as caught:
        LossConfig(likelihood="poisson")
    assert caught.value.key == "likelihood"
    file = tmp_path / "given.yaml"
    file.write_text("loss: {likelihood: poisson}")
    with pytest.raises(ConfigError, match=r"given\.yaml") as caught:
        load_config("twin", file=file)
    assert caught.value.key == "loss.likelihood" and "negative_binomial" in caught.value.remedy
    assert {LossConfig(likelihood=k).likelihood for k in LIKELIHOODS} == set(LIKELIHOODS)


@pytest.mark.parametrize("key", [k for k in LossConfig.__dataclass_fields__
                                 if k not in ("likelihood", "reconstruction_bias")])
def test_weights_and_ridges_are_not_negative(key):
    assert getattr(LossConfig(**{key: 0.0}), key) == 0
    with pytest.raises(ConfigError) as caught:
        LossConfig(**{key: -0.1})
    assert caught.value.key == key
    with pytest.raises(ConfigError, match=f"loss.{key}"):
        load_config("twin", loss={key: -1})


def test_reconstructions_may_find_too_few():
    assert LossConfig(reconstruction_bias=-0.5).reconstruction_bias == -0.5


@pytest.mark.parametrize(("key", "good", "bad"), [
    ("year_steps", 0, -1), ("history_steps", 0, -1), ("epochs", 0, -1), ("patience", 0, -1), ("year_batch", 1, 0),
    ("history_batch", 1, 0), ("checkpoint_every", 1, 0), ("validate_every", 1, 0), ("cell_rate", 1e-6, 0.0),
    ("learning_rate", 1e-6, 0.0), ("clip", 1e-6, -1.0)])
def test_steps_batches_and_rates_are_possible(key, good, bad):
    assert getattr(TrainConfig(**{key: good}), key) == good
    with pytest.raises(ConfigError) as caught:
        TrainConfig(**{key: bad})
    assert caught.value.key == key
    with pytest.raises(ConfigError) as caught:
        load_config("twin", train={key: bad})
    assert caught.value.key == f"train.{key}" and caught.value.file.endswith("twin.yaml")


# ---- corridors left out --------------------------------------------------------------------------------------------

@pytest.fixture
def platform(platform_panel):
    """The panel with a platform, its splits, and its witnesses as a training builds them."""
    panel, splits = platform_panel
    return panel, splits, training.build_member(panel, splits, Config())[1]


def flows(panel, persons) -> Trajectory:
    years, n = panel.sizes["year"], panel.sizes["origin"]
    flow = torch.full((years, n, n), float(persons)) * (1 - torch.eye(n))
    return Trajectory(flow, flow, flow, torch.full((years + 1, n, n), 1e4))


def absent_cells(panel, chosen) -> set:
    """Cells of corridors that the platform leaves out while it shows their origin and destination, the slow way."""
    meta = panel.witness_source.values[panel.flow_witness.values] == "meta"
    y, o, d = (panel[f"flow_{k}"].values.astype(int) for k in ("year", "origin", "destination"))
    learned = meta & chosen[o, d]
    cells = set()
    for year in set(y[learned]):
        shown = {(i, k) for i, k in zip(o[meta & (y == year)], d[meta & (y == year)])}
        origins, destinations = ({x for x in v[learned & (y == year)]} for v in (o, d))
        cells |= {(int(year), int(i), int(k)) for i in origins for k in destinations
                  if chosen[i, k] and (i, k) not in shown}
    return cells


def test_censored_cells_are_those_left_out_of_years_and_places_that_are_covered(platform):
    panel, splits, seen = platform
    n = panel.sizes["origin"]
    expected = absent_cells(panel, splits.train.values)
    position = seen.censored_position.numpy()
    assert {(p // n**2, p // n % n, p % n) for p in position.tolist()} == expected
    assert len(position) == len(expected) > 5
    assert set(panel.witness_source.values[seen.censored_witness.numpy()]) == {"meta"}
    assert torch.allclose(torch.expm1(seen.censored_log), torch.full((1,), float(CENSORED_BELOW["meta"])))


def test_the_term_falls_as_the_prediction_falls_below_the_limit(platform):
    panel, _, seen = platform
    with torch.no_grad():
        told = [float(seen.terms(flows(panel, p))["censored"]) for p in (5000, 500, 100, 50, 20, 5, 0)]
    assert all(a > b for a, b in pairwise(told))
    assert told[3] == pytest.approx(np.log(2), abs=1e-5)        # at the limit it is as likely shown as not
    assert told[0] > 10 and told[-1] < 1e-3


def test_it_is_that_of_a_normal_error_on_the_log_scale(platform):
    panel, _, seen = platform
    with torch.no_grad():
        seen.log_spread.fill_(-0.2)
        told = float(seen.terms(flows(panel, 120))["censored"])
    spread = np.sqrt(np.exp(-0.4) + 1 / 121)
    assert told == pytest.approx(-stats.norm.logcdf((np.log1p(50) - np.log1p(120)) / spread), rel=1e-4)


def test_it_counts_what_the_source_would_count(platform):
    panel, _, seen = platform
    with torch.no_grad():
        before = seen.terms(flows(panel, 100))["censored"]
        seen.log_bias += np.log(0.5)                            # it finds half
        after = seen.terms(flows(panel, 200))["censored"]
    assert float(after) == pytest.approx(float(before), rel=0.02)


def test_it_never_touches_corridors_that_are_not_learned_from(platform):
    panel, splits, seen = platform
    run = Trajectory(*(x.requires_grad_(True) for x in flows(panel, 100)))
    seen.terms(run)["censored"].backward()
    touched = (run.flow.grad != 0).any(0).numpy()
    assert touched.any() and not touched[~splits.train.values].any()
    assert run.stock.grad is None
    # There would have been some to touch.
    everywhere = ~np.eye(panel.sizes["origin"], dtype=bool)
    assert len(absent_cells(panel, everywhere)) > len(absent_cells(panel, splits.train.values))


def test_neither_what_nor_whether_the_source_tells_of_held_out_corridors_is_learned(platform):
    panel, splits, _ = platform
    config = Config()
    mask = training_observations(panel, splits)
    # A platform that shows one corridor of an origin, and that one is held out: the origin counts as unknown to it.
    meta = panel.witness_source.values[panel.flow_witness.values] == "meta"
    o, d = panel.flow_origin.values, panel.flow_destination.values
    held = splits.held_out.values[o, d]
    origin = next(k for k in range(panel.sizes["origin"]) if (meta & held & (o == k)).any())
    fewer = panel.isel(observation=~(meta & (o == origin) & ~held))
    for one, other in ((panel, perturb_held_out(panel, splits)), (panel, panel.isel(observation=mask)),
                       (fewer, fewer.isel(observation=training_observations(fewer, splits)))):
        buffers = [training.build_member(p, splits, config)[1] for p in (one, other)]
        for name in ("censored_position", "censored_witness", "censored_log"):
            assert torch.equal(*(getattr(b, name) for b in buffers)), name
    n = panel.sizes["origin"]
    told = buffers[0].censored_position
    assert len(told) and not (told // n % n == origin).any()


def test_without_weight_or_such_a_source_there_is_no_term(platform, small_panel, small_splits, small_config):
    panel, splits, seen = platform
    assert seen.has_censored and "censored" in seen.terms(flows(panel, 100))
    none = training.build_member(panel, splits, replace(Config(), loss=LossConfig(censored=0.0)))[1]
    assert not none.has_censored and "censored" not in none.terms(flows(panel, 100))
    assert not training.build_member(small_panel, small_splits, small_config)[1].has_censored   # ends before it begins
