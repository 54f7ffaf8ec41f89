"""Witnesses of a panel with a member's draws: weights that move reports alone, biases shrunk towards what was drawn."""
import numpy as np
import pytest
import torch
import xarray as xr
from plausible_runs import made, plausible

from humanflows.config import EnsembleConfig
from humanflows.panel.draws import draw_panel
from humanflows.panel.splits import training_observations


def weighed(panel, seed=1, **strength) -> xr.Dataset:
    """The panel with the draws named, and no others."""
    none = dict.fromkeys(("reporters", "corridors", "stocks", "covariates", "biases"), 0.0)
    return draw_panel(panel, EnsembleConfig(**{**none, **strength}), seed)


def test_drawn_weights_move_reports_against_each_other_and_not_against_the_rest(small_panel, everyone, corridors):
    plain = made(small_panel, everyone, corridors)
    drawn = made(weighed(small_panel, reporters=1.0, corridors=1.0), everyone, corridors)
    panel = weighed(small_panel, reporters=1.0, corridors=1.0)
    factor = panel.witness_weight.values[panel.flow_witness.values] \
        * panel.corridor_weight.values[panel.flow_origin.values, panel.flow_destination.values]
    for name in ("weight", "root_weight", "log_weight"):
        before, after = (getattr(x, f"obs_{name}").double().numpy() for x in (plain, drawn))
        ratio = after / before / factor
        assert ratio == pytest.approx(np.full(len(ratio), ratio[0]), rel=1e-4)
    assert drawn.obs_weight.sum().item() == pytest.approx(plain.obs_weight.sum().item(), rel=1e-5)
    assert drawn.office_weight.sum().item() == pytest.approx(1, rel=1e-5)
    moving = plain.obs_change_weight > 0
    ratio = (drawn.obs_change_weight[moving] / plain.obs_change_weight[moving]).double().numpy() / factor[moving]
    assert ratio == pytest.approx(np.full(len(ratio), ratio[0]), rel=1e-3)
    # what an office says in a year of a place weighs as its reports do
    offices = np.bincount(drawn.obs_office_year.numpy(), drawn.obs_weight.double().numpy())
    assert drawn.office_weight.double().numpy() == pytest.approx(offices / offices.sum(), rel=1e-4)
    run = plausible(small_panel)
    assert all(drawn.terms(run)[k] != plain.terms(run)[k] for k in ("flow", "total", "change"))


def test_suppressed_counts_are_weighed_too(platform_panel):
    panel, splits = platform_panel
    mask = training_observations(panel, splits)
    open_ = ~splits.held_out.values & ~splits.validation.values & ~np.eye(panel.sizes["origin"], dtype=bool)
    drawn = made(weighed(panel, corridors=1.0), mask, open_)
    assert drawn.has_censored and drawn.censored_weight.sum().item() == pytest.approx(1, rel=1e-5)
    n = panel.sizes["origin"]
    o, d = np.divmod(drawn.censored_position.numpy() % (n * n), n)
    expected = weighed(panel, corridors=1.0).corridor_weight.values[o, d]
    assert drawn.censored_weight.numpy() == pytest.approx(expected / expected.sum(), rel=1e-4)
    run = plausible(panel)
    assert drawn.terms(run)["censored"] != made(panel, mask, open_).terms(run)["censored"]


def test_biases_are_shrunk_towards_what_was_drawn(small_panel, everyone, corridors):
    panel = weighed(small_panel, biases=0.3)
    drawn, plain = made(panel, everyone, corridors), made(small_panel, everyone, corridors)
    assert plain._bias_term() == 0 and drawn._bias_term() > 0       # all biases start at zero
    with torch.no_grad():
        drawn.log_bias.copy_(torch.as_tensor(panel.witness_bias_anchor.values))
        for k in range(len(drawn.collections)):
            of = np.flatnonzero(drawn.collection_of == k)
            drawn.collection_bias[k] = float(panel.collection_bias_anchor.values[of[0]])
            assert len(set(panel.collection_bias_anchor.values[of])) == 1
    assert drawn._bias_term().item() == pytest.approx(0, abs=1e-10)


def test_a_panel_without_draws_gives_the_same_witnesses_to_the_bit(small_panel, everyone, corridors):
    plain, same = made(small_panel, everyone, corridors), made(weighed(small_panel), everyone, corridors)
    assert dict(plain.named_buffers()).keys() == dict(same.named_buffers()).keys()
    assert all(torch.equal(v, dict(same.named_buffers())[k]) for k, v in plain.named_buffers())
    assert not any("anchor" in k or k == "censored_weight" for k in dict(plain.named_buffers()))
