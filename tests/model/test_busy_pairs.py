"""Pairs of which no stock is counted have effects where a large report of them is learned from, and only there."""
from dataclasses import replace

import numpy as np
import pytest
import torch
from plausible_runs import with_reports

from humanflows.config import Config, ModelConfig
from humanflows.model import train as training
from humanflows.panel.features import QUIET, active_pairs
from humanflows.panel.splits import make_splits, perturb_held_out

A, C = "undesa_imfsc|ROU|emigration|residence", "undesa_imfsc|DEU|immigration|citizenship"
EMPTY = (0, 1), (1, 0), (2, 3), (3, 2)      # pairs without a stock


@pytest.fixture(scope="module")
def config(small_config) -> Config:
    return Config(model=ModelConfig(hidden=2, width=4, embedding=0), split=small_config.split)


def world(panel, *reports):
    """The panel with these reports alone, and without stocks or displaced people in the ``EMPTY`` pairs."""
    panel = with_reports(panel, reports).copy(deep=True)
    for pair in EMPTY:
        panel.stock_observed.values[:, :, pair[0], pair[1]] = QUIET / 2
        panel.displaced_stock.values[:, pair[0], pair[1]] = 0
        panel.displaced_flow.values[:, pair[0], pair[1]] = 0
    assert not any(active_pairs(panel)[pair] for pair in EMPTY)
    return panel


def open_splits(panel, config, **closed):
    """Splits that learn from every corridor, but those named by part."""
    splits = make_splits(panel, config.split)
    n = panel.sizes["origin"]
    splits = splits.assign(train=splits.train | ~np.eye(n, dtype=bool), **{
        k: splits[k] & False for k in ("held_out", "validation")}).copy(deep=True)
    for part, pair in closed.items():
        splits["train"].values[pair], splits[part].values[pair] = False, True
    return splits


def effects_of(panel, splits, config) -> set:
    """Pairs with effects among those without a stock."""
    model = training.build_member(panel, splits, config)[0]
    pairs = len(model.direction)
    assert 2 * len(model.tie) == pairs == int((model.place < pairs).sum())
    return {pair for pair in EMPTY if model.place[pair[0] * model.n + pair[1]] < pairs}


@pytest.mark.parametrize("series", [A, C])
def test_a_large_report_gives_its_pair_effects_in_both_directions(small_panel, config, series):
    panel = world(small_panel, (series, 3, 0, 1, QUIET + 1), (series, 4, 2, 3, QUIET))
    assert effects_of(panel, open_splits(panel, config), config) == {(0, 1), (1, 0)}


@pytest.mark.parametrize("part", ["held_out", "validation"])
def test_a_report_that_is_not_learned_from_gives_none(small_panel, config, part):
    panel = world(small_panel, (A, 3, 0, 1, 90_000), (A, 4, 2, 3, 90_000))
    splits = open_splits(panel, config, **{part: (0, 1)})
    assert effects_of(panel, splits, config) == {(2, 3), (3, 2)}
    if part == "held_out":
        small = world(small_panel, (A, 3, 0, 1, 5), (A, 4, 2, 3, 90_000))
        assert effects_of(perturb_held_out(small, splits), splits, config) == {(2, 3), (3, 2)}


def test_the_flow_of_such_a_pair_follows_what_is_reported_of_it(small_panel, config):
    panel = world(small_panel, *((A, y, 0, 1, 90_000) for y in range(3, 8)))
    model, observation, _ = training.build_member(panel, open_splits(panel, config), config)
    terms = observation.terms(model())
    slopes = torch.autograd.grad(terms["reports"], [model.tie, model.direction, model.course])
    row = int(model.place[0 * model.n + 1])
    assert row < len(model.direction)
    assert slopes[0][model.tie_of[row]] < 0 and slopes[1][row, 0] < 0
    assert (slopes[2][model.course_before[3:8, row]] < 0).all()


def test_without_word_of_them_such_pairs_keep_what_covariates_say(small_panel, config):
    panel = world(small_panel, (A, 3, 4, 5, 90_000))
    assert effects_of(panel, open_splits(panel, config), config) == set()


def test_reports_that_are_left_out_say_of_no_pair_that_it_is_busy_or_reported(small_panel, config):
    panel = world(small_panel, *((A, y, 0, 1, 90_000) for y in range(3, 8)))
    splits, displaced = open_splits(panel, config), panel.displaced_flow.values
    without = replace(config, observation=replace(config.observation, leave_out="reports,displaced"))
    assert effects_of(panel, splits, config) == {(0, 1), (1, 0)}
    assert effects_of(panel, splits, without) == set()
    model, observation, _ = training.build_member(panel, splits, without)
    assert not model.reported.any() and not len(model.course) and not model.reported_in.any()
    assert not {"reports", "lasting", "bias", "censored", "displaced"} & set(observation.terms(model()))
    told = training.build_member(panel, splits, replace(config, observation=replace(
        config.observation, leave_out="reports")))[0].reported_in.numpy().reshape(displaced.shape)
    assert told.any() and not told[:, 0, 1].any()              # displaced people still say so of theirs
