"""Stage 1: each corridor's reports are read against counted stocks, all of them, and by nobody else's rule."""
from dataclasses import replace

import numpy as np
import pytest
import torch
from tqdm import tqdm

from humanflows.model import histories
from humanflows.model import train as training
from humanflows.model.histories import HIDDEN_SHARE, Histories, learn_histories
from humanflows.panel.features import build_features, stock_course
from humanflows.panel.splits import training_observations


@pytest.fixture
def make(small_panel, small_splits, small_config):
    """A fresh model, its witnesses and the histories of some reports."""

    def made(mask=None, **loss):
        config = replace(small_config, loss=replace(small_config.loss, **loss))
        model, witnesses, _ = training.build_member(small_panel, small_splits, config)
        mask = training_observations(small_panel, small_splits) if mask is None else mask
        witnesses = training.Witnesses(small_panel, mask, small_splits.train.values, config.loss)
        return model, witnesses, Histories(model, witnesses, small_panel, mask)

    return made


def learn(model, witnesses, panel, splits, config, seed=5, hidden=None, mask=None, **settings):
    mask = training_observations(panel, splits) if mask is None else mask
    learn_histories(model, witnesses, panel, mask, training.open_corridors(splits), replace(config.train, **settings),
                    seed, hidden=hidden, progress=False)


KINDS = [("immigration", "residence"), ("emigration", "residence"), ("immigration", "citizenship"),
         ("emigration", "citizenship")]


@pytest.mark.parametrize(("side", "criterion"), KINDS)
def test_the_loss_of_one_report_is_that_of_a_hand_computation(small_panel, make, side, criterion):
    panel = small_panel
    w = panel.flow_witness.values
    kind = (panel.witness_side.values == side) & (panel.witness_criterion.values == criterion)
    k = np.flatnonzero(kind[w] & (panel.flow_persons.values > 50))[7]
    mask = np.arange(len(w)) == k
    model, witnesses, corridors = make(mask)
    with torch.no_grad():
        witnesses.log_bias[w[k]] = 0.3
        model.onward_level.fill_(0.5)
    t, a, b = (int(panel[f"flow_{x}"].values[k]) for x in ("year", "origin", "destination"))

    # what the cell says of this pair in this year alone
    features = build_features(panel)
    pair = np.concatenate([features.static[a, b], features.dynamic[t, a, b]])
    with torch.no_grad():
        said = model.cell(torch.as_tensor(features.unilateral[[t]]), torch.as_tensor(pair)[None, None],
                          torch.tensor([a]), torch.tensor([b]))[0, 0].double().numpy()
    stock = stock_course(panel)[0][t].astype(float)          # [birthplace, residence], nobody on the diagonal
    abroad = stock.sum(0)[a]                                 # living in a, born elsewhere
    natives = panel.population.values[t, a] - abroad
    assert natives > 0.03 * panel.population.values[t, a] and stock[b, a] > 0 and stock.diagonal().sum() == 0
    leave = natives * np.exp(said[0])
    come_back = stock[b, a] * (1 - np.exp(-np.exp(said[1])))
    move_on = (abroad - stock[b, a]) * np.exp(0.5) * np.exp(said[0])
    counted = {("immigration", "residence"): leave + come_back + move_on,
               ("emigration", "residence"): leave + come_back + move_on,
               ("immigration", "citizenship"): leave,        # born in a (its citizens), wherever they come from
               ("emigration", "citizenship"): come_back}     # born in b, who leave a
    told = counted[side, criterion] * np.exp(0.3)
    persons = float(panel.flow_persons.values[k])
    # Of one report there is no variance to divide by but the least that is allowed.
    expected = 0.5 * (np.log1p(told) - np.log1p(persons)) ** 2 / 1e-3
    expected += witnesses.config.root * 0.5 * (np.sqrt(told + 0.1) - np.sqrt(persons)) ** 2 / 1e-3
    loss = float(corridors.loss_of_years(torch.tensor([0]), model.unilateral).detach())
    assert loss == pytest.approx(expected, rel=1e-3)


def test_losses_of_parts_add_up_to_that_of_all(make):
    model, _, corridors = make()
    reports, pairs = len(corridors.year), len(corridors)
    assert reports > pairs > 10
    with torch.no_grad():
        model.cell.of_memory.weight += 0.1
        for loss_of, size in ((lambda k: corridors.loss_of_years(torch.as_tensor(k), model.unilateral), reports),
                              (lambda k: corridors.loss_of_histories(k, model.unilateral), pairs)):
            whole = float(loss_of(np.arange(size)))
            parts = np.array_split(np.random.default_rng(0).permutation(size), 7)
            told = sum(float(loss_of(np.sort(k))) * len(k) / size for k in parts)    # each is scaled to all
            assert told == pytest.approx(whole, rel=1e-4) and whole > 0.1


def test_histories_without_memory_are_single_years(make):
    model, _, corridors = make(change=0.0)
    assert not model.cell.of_memory.weight.any()
    chosen = np.array([1, 4, 9])
    reports = np.concatenate([corridors.order[corridors.start[p]:corridors.start[p + 1]] for p in chosen])
    with torch.no_grad():
        years = corridors.loss_of_years(torch.as_tensor(reports), model.unilateral) * len(reports) / len(corridors.year)
        whole = corridors.loss_of_histories(chosen, model.unilateral) * len(chosen) / len(corridors)
        torch.testing.assert_close(years, whole, rtol=1e-4, atol=1e-6)
        model.cell.of_memory.weight += 0.3
        assert abs(corridors.loss_of_histories(chosen, model.unilateral) * len(chosen) / len(corridors) - years) > 1e-4


def test_whole_histories_are_also_asked_for_their_course(make):
    (model, witnesses, corridors), (_, _, level) = make(change=0.7), make(change=0.0)
    everything = np.arange(len(corridors))
    told = {}
    witnesses.report_loss = lambda persons, reports: told.update(persons=persons, reports=reports) or torch.zeros(())
    with torch.no_grad():
        course = float(corridors.loss_of_histories(everything, model.unilateral))
        del witnesses.report_loss
        both = float(corridors.loss_of_histories(everything, model.unilateral))
        assert both == pytest.approx(course + float(level.loss_of_histories(everything, model.unilateral)), rel=1e-4)
    # By hand: each series of a witness and corridor about its own mean.
    order = torch.argsort(told["reports"])
    log = torch.log1p(told["persons"])[order].double().numpy()
    series, weight = witnesses.obs_series.numpy(), witnesses.obs_change_weight.double().numpy()
    mean = np.bincount(series, log) / np.bincount(series)
    expected = 0.7 * (weight * (log - mean[series] - witnesses.obs_change.numpy()) ** 2).sum()
    assert course == pytest.approx(expected, rel=1e-4) and expected > 0.05


def test_what_histories_expect_is_what_the_recursion_makes_of_counted_stocks(make, small_panel):
    # The recursion lets exits compete and kills some before they leave; with rare moves both say nearly the same.
    model, _, corridors = make()
    model.read_covariates()
    stock, hazards = model.year(0)
    t = torch.zeros(1, dtype=torch.int64)
    a, b = torch.tensor([2]), torch.tensor([5])
    said = torch.stack([hazards.native[2, 5], hazards.back[2, 5]])[None]
    own, counted = float(stock[5, 2]), float(corridors.stock[0, 5, 2])
    moves = corridors._moves(said, t, a, b)[0]
    assert float(moves[0]) == pytest.approx(float(stock[2, 2] * hazards.native[2, 5].exp()), rel=0.05)
    assert float(moves[1]) == pytest.approx(own * -np.expm1(-float(hazards.back[2, 5].exp())) * counted / own, rel=1e-4)


# ---- batches -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("size", "batch", "steps"), [(23, 5, 5), (23, 23, 2), (6, 4, 3), (1, 1, 2)])
def test_batches_cover_everything_before_anything_comes_a_third_time(make, size, batch, steps):
    model, witnesses, _ = make()
    drawn = []

    def loss_of(chosen, unilateral):
        drawn.append(chosen)
        return (model.cell.read.bias ** 2).sum()

    histories._descend(model, witnesses, loss_of, size, steps, batch, 1e-3, 1.0, np.random.default_rng(0), None,
                       1, "years", tqdm(disable=True))
    assert [len(k) for k in drawn] == [batch] * steps
    count = np.bincount(np.concatenate(drawn), minlength=size)
    assert len(count) == size and count.min() >= steps * batch // size and count.max() - count.min() <= 1 + (batch > 1)


def test_all_reports_and_all_pairs_take_part(make, small_panel, small_splits, small_config, monkeypatch):
    model, witnesses, corridors = make()
    seen = {"years": set(), "histories": set()}
    years, whole = Histories.loss_of_years, Histories.loss_of_histories
    monkeypatch.setattr(Histories, "loss_of_years", lambda self, k, u: (seen["years"].update(k.tolist()),
                                                                        years(self, k, u))[1])
    monkeypatch.setattr(Histories, "loss_of_histories", lambda self, k, u: (seen["histories"].update(k.tolist()),
                                                                            whole(self, k, u))[1])
    reports, pairs = len(corridors.year), len(corridors)
    learn(model, witnesses, small_panel, small_splits, small_config, year_batch=100, year_steps=-(-reports // 100),
          history_batch=10, history_steps=-(-pairs // 10))
    assert seen == {"years": set(range(reports)), "histories": set(range(pairs))}
    mask = training_observations(small_panel, small_splits)
    n = small_panel.sizes["origin"]
    told = small_panel.flow_origin.values[mask].astype(int) * n + small_panel.flow_destination.values[mask]
    assert set(corridors.pairs) == set(told) and reports == mask.sum()
    for p in range(pairs):      # and each pair has its own reports
        assert set(told[corridors.order[corridors.start[p]:corridors.start[p + 1]]]) == {corridors.pairs[p]}


# ---- what is hidden, learned and left alone ------------------------------------------------------------------------

def test_the_hidden_feature_is_hidden_from_the_cell(make, small_panel, small_splits, small_config, monkeypatch):
    model, witnesses, _ = make()
    before, shown = model.unilateral.clone(), []
    years = Histories.loss_of_years
    monkeypatch.setattr(Histories, "loss_of_years", lambda self, k, u: (shown.append(u), years(self, k, u))[1])
    learn(model, witnesses, small_panel, small_splits, small_config, hidden=model.hidden_feature, year_steps=60)
    assert torch.equal(model.unilateral, before)              # hidden in a copy
    h, hidden = model.hidden_feature, []
    assert (before[:, :, h] != 0).any(0).all()
    for u in shown:
        blank = (u[:, :, h] == 0).all(0)
        assert torch.equal(u[:, ~blank, h], before[:, ~blank, h])
        others = [k for k in range(u.shape[2]) if k != h]
        assert torch.equal(u[:, :, others], before[:, :, others])
        hidden.append(blank.float().mean())
    assert 0.5 * HIDDEN_SHARE < np.mean(hidden) < 1.6 * HIDDEN_SHARE
    # afterwards everything is shown
    told = model.systematic.clone()
    model.unilateral[:, :, h] = 0
    assert not torch.allclose(model.read_covariates(), told, atol=1e-5)


def test_without_a_feature_to_hide_all_are_shown(make):
    model, _, _ = make()
    assert histories._hide(model.unilateral, np.random.default_rng(0), None) is model.unilateral


@pytest.mark.parametrize("likelihood", ["squared_log", "student", "negative_binomial"])
def test_the_loss_of_reports_falls(make, small_panel, small_splits, small_config, likelihood):
    model, witnesses, corridors = make(likelihood=likelihood)
    everything = torch.arange(len(corridors.year))

    def loss():
        with torch.no_grad():
            return (float(corridors.loss_of_years(everything, model.unilateral)),
                    float(corridors.loss_of_histories(np.arange(len(corridors)), model.unilateral)))

    start = loss()
    learn(model, witnesses, small_panel, small_splits, small_config, year_steps=80, year_batch=256, history_steps=0)
    middle = loss()
    assert middle[0] < start[0] - 0.05
    assert not model.cell.of_memory.weight.any()              # single years need no memory ...
    learn(model, witnesses, small_panel, small_splits, small_config, year_steps=0, history_steps=30, history_batch=32)
    assert loss()[1] < middle[1]
    assert model.cell.of_memory.weight.any()                  # ... histories do


def test_only_the_cell_and_the_witnesses_learn(make, small_panel, small_splits, small_config):
    model, witnesses, _ = make()
    before = {k: v.detach().clone() for k, v in model.named_parameters()}
    learn(model, witnesses, small_panel, small_splits, small_config)
    moved = {k for k, v in model.named_parameters() if not torch.equal(v, before[k])}
    assert moved == {k for k in before if k.startswith("cell.")}
    assert witnesses.log_bias.abs().sum() > 0


def test_the_seed_decides(make, small_panel, small_splits, small_config):
    def weights(seed):
        model, witnesses, _ = make()
        learn(model, witnesses, small_panel, small_splits, small_config, seed=seed)
        return torch.cat([w.detach().reshape(-1) for w in model.cell.parameters()])

    one, same, other = weights(1), weights(1), weights(2)
    assert torch.equal(one, same) and not torch.equal(one, other)


@pytest.mark.parametrize("balances", [0.0, 0.1])
def test_without_reports_only_balances_teach(make, small_panel, small_splits, small_config, balances):
    nothing = np.zeros(small_panel.sizes["observation"], bool)
    model, witnesses, _ = make(nothing, balances=balances)
    before = {k: v.detach().clone() for k, v in model.named_parameters()}
    learn(model, witnesses, small_panel, small_splits, small_config, mask=nothing)
    assert all(torch.equal(v, before[k]) for k, v in model.named_parameters()) == (balances == 0)
    assert torch.isfinite(model.systematic).all()


def test_histories_live_on_the_device_of_the_model(make, small_panel, small_splits):
    # "meta" has shapes and no numbers, yet refuses to mix with tensors of the CPU as a GPU does.
    model, witnesses, _ = make()
    model, witnesses = model.to("meta"), witnesses.to("meta")
    corridors = Histories(model, witnesses, small_panel, training_observations(small_panel, small_splits))
    assert all(v.device.type == "meta" for v in vars(corridors).values() if isinstance(v, torch.Tensor))
    witnesses.change_loss = lambda persons, reports: 0 * persons.sum()      # torch.unique knows no "meta"
    assert corridors.loss_of_years(torch.tensor([0, 3]), model.unilateral).shape == ()
    assert corridors.loss_of_histories(np.array([0, 2]), model.unilateral).shape == ()
