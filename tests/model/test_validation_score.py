"""What chooses the epoch: how likely series would have reported what they did of corridors nobody learned from."""
import numpy as np
import pytest
import torch
import xarray as xr
from plausible_runs import GOOD, plausible, published, with_reports
from scipy import stats

from humanflows.config import Config
from humanflows.model import train as training
from humanflows.model.observation import TAIL
from humanflows.model.spreads import COUNT, estimate_spreads
from humanflows.panel.splits import perturb_held_out, training_observations

A, B, C = ("undesa_imfsc|ROU|emigration|residence", "undesa_imfsc|DEU|immigration|residence",
           "undesa_imfsc|DEU|immigration|citizenship")


def built(panel, splits):
    """Observation model and score of validation corridors."""
    return training.build_member(panel, splits, Config())[1:]


def by_hand(panel, splits, observation, run) -> np.ndarray:
    """Negative log score of each report that counts, one after the other, with the whole density of scipy."""
    y, o, d, w = (panel[f"flow_{k}"].values.astype(int) for k in ("year", "origin", "destination", "witness"))
    mask = training_observations(panel, splits)
    spread = estimate_spreads(panel, mask)
    taught = set(zip(w[mask], y[mask]))
    bias = dict(zip(zip(observation.bias_witness.tolist(), observation.bias_year.tolist()),
                    observation.log_bias.tolist()))
    noise = dict(zip(bias, observation.bias_noise.tolist()))
    out = []
    for k in np.flatnonzero(splits.validation.values[o, d]):
        if str(panel.witness_criterion.values[w[k]]) != "residence" or (w[k], y[k]) not in taught:
            continue
        expected = float(run.flow[y[k], o[k], d[k]]) * np.exp(bias[w[k], y[k]])
        shown, variance, part = published(expected, noise[w[k], y[k]])
        scale = np.sqrt(part**2 * (float(spread[y[k], w[k]]) ** 2 + COUNT / (1 + expected)) + variance / (1 + shown)**2)
        out.append(-stats.t.logpdf(np.log1p(panel.flow_persons.values[k]), TAIL, loc=np.log1p(shown), scale=scale))
    return np.array(out)


def set_aside(panel, *corridors):
    """Splits of which these corridors are for validation, and all others are learned from."""
    n = panel.sizes["origin"]
    validation = np.zeros((n, n), bool)
    validation[tuple(np.array(corridors).T)] = True
    splits = xr.Dataset({"validation": (("origin", "destination"), validation)},
                                 {k: panel[k].values for k in ("origin", "destination")})
    return splits.assign(held_out=splits.validation & False, fold=splits.validation.astype(int),
                         train=~splits.validation & ~np.eye(n, dtype=bool))


def test_the_score_is_the_mean_density_of_reports_with_the_biases_that_others_taught(small_panel, small_splits):
    observation, score = built(small_panel, small_splits)
    with torch.no_grad():
        observation.log_bias_step += 0.2 * torch.randn(len(observation.log_bias_step),
                                                       generator=torch.Generator().manual_seed(3))
    for seed in (1, 2):
        run = plausible(small_panel, seed)
        expected = by_hand(small_panel, small_splits, observation, run)
        assert len(expected) > 50
        assert score(run) == pytest.approx(expected.mean(), rel=1e-4)


def test_a_bias_that_is_learned_moves_the_score(small_panel, small_splits):
    observation, score = built(small_panel, small_splits)
    run = plausible(small_panel)
    before = score(run)
    with torch.no_grad():
        observation.log_bias_step += 1.0
    assert score(run) == pytest.approx(by_hand(small_panel, small_splits, observation, run).mean(), rel=1e-4)
    assert abs(score(run) - before) > 0.05


def test_noise_that_a_source_adds_is_no_error_of_the_flow(small_panel, small_splits):
    observation, score = built(small_panel, small_splits)
    run = plausible(small_panel)
    without = score(run)
    observation.bias_noise.copy_(8.0 * (torch.arange(len(observation.bias_noise)) % 2))
    expected = by_hand(small_panel, small_splits, observation, run).mean()
    assert score(run) == pytest.approx(expected, rel=1e-4) and abs(expected - without) > 0.005


def test_a_known_bias_is_no_error_of_the_flow(small_panel):
    """An office that misses nine in ten is best met by the flow, not by its number."""
    reports = [(A, y, 0, 1, 1000) for y in range(6)] + [(A, y, 2, 3, 1000) for y in range(6)]
    panel = with_reports(small_panel, reports, {A: {"log_bias": np.log(0.1)}})
    _, score = built(panel, set_aside(panel, (2, 3)))
    run = plausible(panel)

    def with_flow(persons):
        run.flow[:, 2, 3] = persons
        return score(run)

    assert with_flow(10_000) < with_flow(1000) - 1
    assert with_flow(10_000) < min(with_flow(5000), with_flow(20_000))


def test_what_no_other_corridor_teaches_and_counts_of_citizens_are_left_out(small_panel):
    reports = [(A, y, 0, 1, 500) for y in (0, 1)] + [(A, y, 2, 3, 700) for y in (1, 2)] \
        + [(B, 1, 2, 3, 900), (C, 1, 0, 1, 300), (C, 1, 2, 3, 100)]
    panel = with_reports(small_panel, reports, {A: {"log_bias": -0.4}})
    splits = set_aside(panel, (2, 3))
    observation, score = built(panel, splits)
    run = plausible(panel)
    found = by_hand(panel, splits, observation, run)
    assert len(found) == 1                     # of series A in year 1: in year 2 nothing else is learned from it
    assert score(run) == pytest.approx(found[0], rel=1e-5)
    for at in ((2, 2, 3), (1, 3, 2), (1, 0, 1)):
        run.flow[at] *= 50
    assert score(run) == pytest.approx(found[0], rel=1e-5)
    run.flow[1, 2, 3] *= 50
    assert score(run) > found[0] + 1


def test_good_offices_ask_for_more_than_poor_ones(small_panel):
    reports = [(s, y, o, d, 1000) for s in (A, B) for y in range(3) for o, d in ((0, 1), (2, 3))]

    def cost(spread):
        panel = with_reports(small_panel, reports, {s: {"class": GOOD, "spread": spread} for s in (A, B)})
        _, score = built(panel, set_aside(panel, (2, 3)))
        run = plausible(panel)
        run.flow[:, 2, 3] = 1000
        right = score(run)
        run.flow[:, 2, 3] = 2000
        return right, score(run) - right

    (good, lost), (poor, little) = cost(0.1), cost(0.8)
    assert good < poor and lost > little > 0


def test_without_validation_corridors_or_reports_of_them_there_is_no_score(small_panel, small_splits):
    none = small_splits.assign(validation=small_splits.validation & False)
    assert np.isnan(built(small_panel, none)[1](plausible(small_panel)))
    panel = with_reports(small_panel, [(A, 1, 0, 1, 500)])
    for corridor in ((0, 1), (2, 3)):          # the only report is set aside: nobody teaches its bias; no report of it
        assert np.isnan(built(panel, set_aside(panel, corridor))[1](plausible(panel)))


def test_what_is_held_out_does_not_reach_the_score(small_panel, small_splits):
    run = plausible(small_panel)
    one, other = (built(p, small_splits)[1](run) for p in (small_panel, perturb_held_out(small_panel, small_splits)))
    assert one == other and np.isfinite(one)
