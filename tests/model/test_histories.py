"""Stage 1: each corridor's reports are read against counted stocks, all of them, and by nobody else's rule."""
from dataclasses import replace

import numpy as np
import pytest
import torch
from tqdm import tqdm

from humanflows.config import Config, ModelConfig
from humanflows.model import histories
from humanflows.model import train as training
from humanflows.model.histories import HIDDEN_SHARE, Histories, learn_histories
from humanflows.model.observation import TAIL, ObservationModel
from humanflows.model.spreads import COUNT
from humanflows.panel.features import build_features, stock_course
from humanflows.panel.splits import training_observations


@pytest.fixture
def make(small_panel, small_splits, small_config):
    """A fresh model, its observation model and the histories of some reports."""

    def made(mask=None, **settings):
        config = replace(small_config, observation=replace(small_config.observation, **settings))
        model, _, _ = training.build_member(small_panel, small_splits, config)
        mask = training_observations(small_panel, small_splits) if mask is None else mask
        observation = ObservationModel(small_panel, mask, small_splits.train.values, config.observation)
        return model, observation, Histories(model, observation, small_panel, mask)

    return made


def learn(model, observation, panel, splits, config, seed=5, hidden=None, mask=None, **settings):
    mask = training_observations(panel, splits) if mask is None else mask
    learn_histories(model, observation, panel, mask, replace(config.train, **settings), seed, hidden=hidden,
                    progress=False)


KINDS = [("immigration", "residence"), ("emigration", "residence"), ("immigration", "citizenship"),
         ("emigration", "citizenship")]


@pytest.mark.parametrize(("side", "criterion"), KINDS)
def test_the_loss_of_one_report_is_that_of_a_hand_computation(small_panel, make, side, criterion):
    panel = small_panel
    w = panel.flow_witness.values
    kind = (panel.witness_side.values == side) & (panel.witness_criterion.values == criterion)
    k = np.flatnonzero(kind[w] & (panel.flow_persons.values > 50))[7]
    mask = np.arange(len(w)) == k
    model, observation, corridors = make(mask)
    with torch.no_grad():
        observation.log_bias_step += 0.3
        observation.log_scatter[w[k]] = torch.tensor([-0.3, -1.1])
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
    told = counted[side, criterion] * np.exp(panel.report_log_bias.values[t, w[k]] + 0.3)
    variance = np.exp(2 * observation.log_scatter[w[k]].detach().double().numpy()).sum() + COUNT / (1 + told)
    residual = np.log1p(float(panel.flow_persons.values[k])) - np.log1p(told)
    expected = (TAIL + 1) / 2 * np.log1p(residual**2 / variance / TAIL) + 0.5 * np.log(variance)
    loss = float(corridors.loss_of_years(torch.tensor([0]), model.unilateral).detach())
    assert loss == pytest.approx(expected, rel=1e-3) and abs(residual) > 0.05
    whole = float(corridors.loss_of_histories(np.array([0]), model.unilateral).detach())
    assert whole == pytest.approx(loss, rel=1e-4)           # a series of one report is that report


def test_losses_of_parts_are_those_of_their_own_reports(make):
    """The mean over all is the mean of the parts, each by what its reports are worth."""
    model, observation, corridors = make()
    reports, pairs = len(corridors.year), len(corridors)
    assert reports > pairs > 10
    with torch.no_grad():
        whole = float(corridors.loss_of_years(torch.arange(reports), model.unilateral))
        parts = np.array_split(np.random.default_rng(0).permutation(reports), 7)
        told = [float(corridors.loss_of_years(torch.as_tensor(k), model.unilateral)) for k in parts]
        worth = [observation.report_share[torch.as_tensor(k)].sum().item() for k in parts]
        assert np.average(told, weights=worth) == pytest.approx(whole, rel=1e-4) and np.std(told) > 1e-3


def test_histories_hand_over_the_moves_of_every_report(make):
    """Without memory what a whole history says of a report is what its year alone says, whichever report it is."""
    model, observation, corridors = make()
    assert not model.cell.of_memory.weight.any()
    told = {}

    def keep(name):
        def marginal(persons, reports):
            told[name] = torch.zeros(len(corridors.year)).index_add_(0, reports, persons)
            return persons.sum()
        return marginal

    observation.marginal, observation.marginal_series = keep("years"), keep("histories")
    chosen = np.array([1, 4, 9])
    reports = np.concatenate([corridors.order[corridors.start[p]:corridors.start[p + 1]] for p in chosen])
    with torch.no_grad():
        corridors.loss_of_years(torch.as_tensor(reports), model.unilateral)
        corridors.loss_of_histories(chosen, model.unilateral)
        torch.testing.assert_close(told["histories"], told["years"], rtol=1e-4, atol=1e-3)
        assert set(torch.nonzero(told["years"]).ravel().tolist()) == set(reports.tolist())
        model.cell.of_memory.weight += 0.3
        corridors.loss_of_histories(chosen, model.unilateral)
        assert not torch.allclose(told["histories"], told["years"], rtol=1e-3)


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


@pytest.mark.parametrize("memory", [False, True])
def test_counts_that_are_not_shown_are_read_of_their_corridor_and_year(platform_panel, memory):
    panel, splits = platform_panel
    config = Config(model=ModelConfig(hidden=4, width=8, embedding=2))
    model, observation, _ = training.build_member(panel, splits, config)
    read = Histories(model, observation, panel, training_observations(panel, splits))
    with torch.no_grad():
        model.cell.of_memory.weight += 0.3
    n, told = panel.sizes["origin"], {}
    observation.marginal_censored = lambda persons, absent: told.update(persons=persons, absent=absent) or persons.sum()
    chosen, apart = np.array([7, 0, 7, len(observation.censored_position) - 1]), []
    with torch.no_grad():
        read.loss_of_absent(chosen, model.unilateral, memory=memory)
    assert told["absent"].tolist() == chosen.tolist()
    for k, persons in zip(chosen, told["persons"]):
        t, pair = divmod(int(observation.censored_position[k]), n * n)
        a, b = (torch.tensor([x]) for x in divmod(pair, n))
        with torch.no_grad():
            alone = read.moves_in_years(torch.tensor([t]), a, b, model.unilateral).sum()
            whole = read.moves_in_histories(a, b, model.unilateral)[t].sum()
        assert float(persons) == pytest.approx(float(whole if memory else alone), rel=1e-4)
        apart.append(abs(float(whole / alone) - 1))
    assert max(apart) > 0.01        # memory tells in some of these years


def test_counts_that_are_not_shown_teach_the_cell(platform_panel):
    """The lower the number that they are below, the fewer are expected to move where nothing is shown."""
    panel, splits = platform_panel
    mask = training_observations(panel, splits)

    def expected(limit):
        config = Config(model=ModelConfig(hidden=4, width=8, embedding=2))
        model, observation, _ = training.build_member(panel, splits, config)
        observation.censored_limit.fill_(limit)
        learn(model, observation, panel, splits, config, year_steps=30, year_batch=64, history_steps=5, history_batch=8)
        n = panel.sizes["origin"]
        t, pair = np.divmod(observation.censored_position.numpy(), n * n)
        with torch.no_grad():
            moves = Histories(model, observation, panel, mask).moves_in_years(
                *(torch.as_tensor(x) for x in (t, *np.divmod(pair, n))), model.unilateral)
        return float(torch.log(moves.sum(1) + 1).mean())

    assert expected(1.0) < expected(1e5) - 0.03


# ---- batches -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("size", "batch", "steps"), [(23, 5, 5), (23, 23, 2), (6, 4, 3), (1, 1, 2)])
def test_batches_cover_everything_before_anything_comes_a_third_time(make, size, batch, steps):
    model, observation, _ = make()
    drawn = []

    def loss_of(chosen, unilateral):
        drawn.append(chosen)
        return (model.cell.read.bias ** 2).sum()

    histories._descend(model, observation, loss_of, size, steps, batch, 1e-3, 1.0, np.random.default_rng(0), None,
                       1, "years", tqdm(disable=True))
    assert [len(k) for k in drawn] == [batch] * steps
    count = np.bincount(np.concatenate(drawn), minlength=size)
    assert len(count) == size and count.min() >= steps * batch // size and count.max() - count.min() <= 1 + (batch > 1)


def test_all_reports_and_all_pairs_take_part(make, small_panel, small_splits, small_config, monkeypatch):
    model, observation, corridors = make()
    seen = {"years": set(), "histories": set()}
    years, whole = Histories.loss_of_years, Histories.loss_of_histories
    monkeypatch.setattr(Histories, "loss_of_years", lambda self, k, u: (seen["years"].update(k.tolist()),
                                                                        years(self, k, u))[1])
    monkeypatch.setattr(Histories, "loss_of_histories", lambda self, k, u: (seen["histories"].update(k.tolist()),
                                                                            whole(self, k, u))[1])
    reports, pairs = len(corridors.year), len(corridors)
    learn(model, observation, small_panel, small_splits, small_config, year_batch=100, year_steps=-(-reports // 100),
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
    model, observation, _ = make()
    before, shown = model.unilateral.clone(), []
    years = Histories.loss_of_years
    monkeypatch.setattr(Histories, "loss_of_years", lambda self, k, u: (shown.append(u), years(self, k, u))[1])
    learn(model, observation, small_panel, small_splits, small_config, hidden=model.hidden_feature, year_steps=60)
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


def test_the_loss_of_reports_falls(make, small_panel, small_splits, small_config):
    model, observation, corridors = make()
    everything = torch.arange(len(corridors.year))

    def loss():
        with torch.no_grad():
            return (float(corridors.loss_of_years(everything, model.unilateral)),
                    float(corridors.loss_of_histories(np.arange(len(corridors)), model.unilateral)))

    start = loss()
    learn(model, observation, small_panel, small_splits, small_config, year_steps=80, year_batch=256, history_steps=0)
    middle = loss()
    assert middle[0] < start[0] - 0.05
    assert not model.cell.of_memory.weight.any()              # single years need no memory ...
    learn(model, observation, small_panel, small_splits, small_config, year_steps=0, history_steps=30, history_batch=32)
    assert loss()[1] < middle[1]
    assert model.cell.of_memory.weight.any()                  # ... histories do


def test_the_cell_and_what_it_is_compared_with_learn_and_no_effect(make, small_panel, small_splits, small_config):
    model, observation, _ = make()
    before = {k: v.detach().clone() for part in (model, observation) for k, v in part.named_parameters()}
    learn(model, observation, small_panel, small_splits, small_config)
    moved = {k for part in (model, observation) for k, v in part.named_parameters() if not torch.equal(v, before[k])}
    assert moved == {k for k in before if k.startswith("cell.")} | {
        "log_bias_step", "log_scatter", "log_balance_scatter"}


def test_a_series_that_scatters_is_found_to(make, small_panel, small_splits, small_config):
    noisy, told = int(np.bincount(small_panel.flow_witness.values).argmax()), []
    scatter = 3 * np.random.default_rng(0).normal(size=small_panel.sizes["observation"])
    for times in (0.0, 1.0):
        factor = np.exp(times * scatter * (small_panel.flow_witness.values == noisy))
        panel = small_panel.assign(flow_persons=small_panel.flow_persons * factor)
        model, _, _ = make()
        mask = training_observations(panel, small_splits)
        observation = ObservationModel(panel, mask, small_splits.train.values, small_config.observation)
        learn(model, observation, panel, small_splits, small_config, year_steps=150, year_batch=512, cell_rate=0.02)
        told.append(torch.exp(2 * observation.log_scatter.detach()).sum(1).sqrt())
    change = told[1] / told[0]
    assert change[noisy] > 1.2 and change.argmax() == noisy


def test_the_seed_decides(make, small_panel, small_splits, small_config):
    def weights(seed):
        model, observation, _ = make()
        learn(model, observation, small_panel, small_splits, small_config, seed=seed)
        return torch.cat([w.detach().reshape(-1) for w in model.cell.parameters()])

    one, same, other = weights(1), weights(1), weights(2)
    assert torch.equal(one, same) and not torch.equal(one, other)


@pytest.mark.parametrize("left_out", ["", "margins"])
def test_without_reports_only_balances_teach(make, small_panel, small_splits, small_config, left_out):
    nothing = np.zeros(small_panel.sizes["observation"], bool)
    model, observation, _ = make(nothing, leave_out=left_out)
    before = {k: v.detach().clone() for k, v in model.named_parameters() if k != "cell.embedding"}
    learn(model, observation, small_panel, small_splits, small_config, mask=nothing)
    moved = {k: float((v.detach() - before[k]).abs().max()) for k, v in model.named_parameters() if k in before}
    taught = max(v for k, v in moved.items() if k.startswith("cell."))
    # Weight decay alone shrinks weights by a hundredth of the rate and of themselves.
    assert taught > 1e-3 if not left_out else taught < 1e-3
    assert torch.isfinite(model.systematic).all()


def test_histories_live_on_the_device_of_the_model(make, small_panel, small_splits):
    # "meta" has shapes and no numbers, yet refuses to mix with tensors of the CPU as a GPU does.
    model, observation, _ = make()
    model, observation = model.to("meta"), observation.to("meta")
    corridors = Histories(model, observation, small_panel, training_observations(small_panel, small_splits))
    assert all(v.device.type == "meta" for v in vars(corridors).values() if isinstance(v, torch.Tensor))
    observation.marginal_series = lambda persons, reports: 0 * persons.sum()      # torch.unique knows no "meta"
    assert corridors.loss_of_years(torch.tensor([0, 3]), model.unilateral).shape == ()
    assert corridors.loss_of_histories(np.array([0, 2]), model.unilateral).shape == ()
