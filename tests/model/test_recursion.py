"""Year after year: nobody gets lost, every hazard lands in its cell, and names of territories mean nothing."""
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from humanflows.config import ModelConfig
from humanflows.model import accounting
from humanflows.model.recursion import BLOCK, FlowModel
from humanflows.panel.features import Features, build_features

SIZES = ModelConfig(hidden=8, width=24, embedding=4)


def some_active(n: int) -> np.ndarray:
    """About half of the pairs, both directions alike, so that seldom and often visited ones mix."""
    draw = np.triu(np.random.default_rng(2).random((n, n)) < 0.5, 1)
    return draw | draw.T


def lively(features: Features, panel, seed=0) -> FlowModel:
    """A model whose weights are far enough from the start that every corridor behaves in its own way."""
    torch.manual_seed(seed)
    model = FlowModel(features, panel, SIZES)
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.1 * torch.randn_like(weight)
        model.cell.read.bias[:4] += torch.tensor([3.0, 1.0, 3.0, 0.0])     # much traffic, so that errors show
    return model


@pytest.fixture(scope="module")
def features(small_panel):
    return replace(build_features(small_panel), active=some_active(small_panel.sizes["residence"]))


@pytest.fixture(scope="module")
def model(features, small_panel):
    return lively(features, small_panel)


@pytest.fixture(scope="module")
def run(model):
    with torch.no_grad():
        return model()


def test_shapes(run, small_panel):
    years, n = small_panel.sizes["year"], small_panel.sizes["residence"]
    assert run.flow.shape == run.arrivals.shape == run.departures.shape == (years, n, n)
    assert run.stock.shape == (years + 1, n, n)
    np.testing.assert_allclose(run.stock[0], small_panel.stock_initial, rtol=1e-6)


def test_traffic_is_worth_testing(run, small_panel):
    share = run.flow.sum((1, 2)).numpy() / small_panel.population.values[:-1].sum(1)
    assert share.min() > 1e-4 and share.max() < 0.5
    off = ~torch.eye(run.flow.shape[1], dtype=torch.bool)
    assert run.flow[:, off].log().std() > 0.5


def test_people_are_conserved(run, small_panel):
    births = torch.as_tensor(small_panel.births.values)
    stock = run.stock.double()
    rate = torch.as_tensor(small_panel.deaths.values / small_panel.population.values[:-1])
    deaths = (stock[:-1] * rate[:, None, :]).sum((1, 2))
    expected = stock[:-1].sum((1, 2)) + births.sum(1) - deaths
    torch.testing.assert_close(stock[1:].sum((1, 2)), expected, rtol=2e-6, atol=1)
    # and of every birthplace: whoever moves keeps it, and children are born where they are
    by_birthplace = stock[:-1].sum(2) - (stock[:-1] * rate[:, None, :]).sum(2) + births
    torch.testing.assert_close(stock[1:].sum(2), by_birthplace, rtol=1e-5, atol=1)


def test_residents_change_by_births_deaths_and_net_migration(run, small_panel):
    stock, flow = run.stock.double(), run.flow.double()
    net = flow.sum(1) - flow.sum(2)
    assert (net.sum(1).abs() <= 1e-9 * flow.sum((1, 2))).all()
    rate = torch.as_tensor(small_panel.deaths.values / small_panel.population.values[:-1])
    expected = stock[:-1].sum(1) * (1 - rate) + torch.as_tensor(small_panel.births.values) + net
    torch.testing.assert_close(stock[1:].sum(1), expected, rtol=1e-5, atol=1)


def test_the_three_views_of_the_moves_agree(run):
    # by birthplace: all arrivals of a year are all departures, and both are the flow
    total = run.flow.sum((1, 2))
    torch.testing.assert_close(run.arrivals.sum((1, 2)), total, rtol=1e-4, atol=1)
    torch.testing.assert_close(run.departures.sum((1, 2)), total, rtol=1e-4, atol=1)
    torch.testing.assert_close(run.arrivals.sum(1), run.flow.sum(1), rtol=1e-4, atol=1)       # into a destination
    torch.testing.assert_close(run.departures.sum(1), run.flow.sum(2), rtol=1e-4, atol=1)     # out of an origin


def test_nothing_is_negative_even_under_extreme_weights(features, small_panel):
    for shift in (-30.0, 30.0):
        model = lively(features, small_panel)
        with torch.no_grad():
            model.cell.read.bias[:4] += shift
            extreme = model()
        for name, values in extreme._asdict().items():
            assert torch.isfinite(values).all(), name
            assert (values >= 0).all(), name
        assert (torch.diagonal(extreme.flow, dim1=1, dim2=2) == 0).all()


def test_runs_are_the_same(model, run):
    with torch.no_grad():
        again = model()
    for a, b in zip(run, again):
        assert torch.equal(a, b)


def test_names_of_territories_mean_nothing(model, run, small_panel, features):
    n = small_panel.sizes["residence"]
    order = np.random.default_rng(5).permutation(n)
    turned = Features(
        features.unilateral[:, order], features.static[order][:, order], features.dynamic[:, order][:, :, order],
        features.active[order][:, order], features.unilateral_names, features.static_names, features.dynamic_names)
    moved = small_panel.isel({d: order for d in ("origin", "destination", "birthplace", "residence")})
    other = FlowModel(turned, moved, SIZES)
    # Where each often visited pair of the other model was before: effects of pairs move with their pairs.
    a, b = np.divmod(other.often_flat.numpy(), n)
    before = np.searchsorted(model.often_flat.numpy(), order[a] * n + order[b])
    with torch.no_grad():
        for (name, weight), theirs in zip(model.named_parameters(), other.parameters()):
            assert theirs.shape == weight.shape, name
            if name == "direction":
                theirs.copy_(weight[before])
            elif name == "tie":
                theirs[other.tie_of] = weight[model.tie_of[before]]
            else:
                for axis, size in enumerate(weight.shape):       # what belongs to a territory moves with it
                    if size == n:
                        weight = weight.index_select(axis, torch.as_tensor(order))
                theirs.copy_(weight)
        result = other()
    for kind, values in result._asdict().items():
        expected = getattr(run, kind)[:, order][:, :, order]
        torch.testing.assert_close(values, expected, rtol=2e-3, atol=1e-2, msg=lambda m, kind=kind: f"{kind}: {m}")
    assert not torch.allclose(result.flow, run.flow, rtol=0.1)


class Telltale(nn.Module):
    """A cell whose hazards say what it was given: origin, destination, pair and date, and how often it was visited."""

    hidden = 1

    def territories(self, unilateral):
        return unilateral, unilateral

    def forward(self, origin, destination, pair, stocks, memory):
        told = torch.stack([origin[:, 0], destination[:, 0], pair[:, 1], memory[:, 0]], 1)
        return told, memory + 1


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_hazards_land_in_their_cells(small_panel, share):
    years, n = small_panel.sizes["year"], small_panel.sizes["residence"]
    index = np.arange(n, dtype=np.float32)
    unilateral = np.broadcast_to(index[:, None], (years, n, 1)).copy()
    static = np.zeros((n, n, 1), np.float32)
    dynamic = (1000.0 * np.arange(years)[:, None, None] + n * index[:, None] + index)[..., None].astype(np.float32)
    active = {0.0: np.zeros((n, n), bool), 0.5: some_active(n), 1.0: ~np.eye(n, dtype=bool)}[share]
    model = FlowModel(Features(unilateral, static, dynamic, active, ("u",), ("s",), ("d",)), small_panel, SIZES)
    model.cell = Telltale()
    seen = []

    def account(stock, hazards, births, death_rate, diagonal):
        seen.append(hazards)
        still = accounting.Hazards(*(torch.full_like(h, -20.0) for h in hazards))
        return accounting.step(stock, still, births, death_rate, diagonal)

    model.account = account
    with torch.no_grad():
        model()
    a, b = np.nonzero(~np.eye(n, dtype=bool))
    often = active[a, b]
    assert len(seen) == years
    for t, (from_, to, about, visits) in enumerate(tuple(np.asarray(h)[a, b] for h in hazards) for hazards in seen):
        assert np.array_equal(from_, a) and np.array_equal(to, b)
        when, pair = np.divmod(about, 1000)
        assert np.array_equal(pair, n * a + b)
        middle = min(t // BLOCK * BLOCK + BLOCK // 2, years - 1)     # of the block of years for a quiet pair
        assert (when[often] == t).all() and (when[~often] == middle).all()
        assert (visits[often] == t).all() and (visits[~often] == t // BLOCK).all()


class Mirror(Telltale):
    """A cell whose first two hazards are what it was told last: the two stocks of the pair."""

    def forward(self, origin, destination, pair, stocks, memory):
        return torch.stack([stocks[:, 0], stocks[:, 1], memory[:, 0], memory[:, 0]], 1), memory


def test_both_stocks_of_a_pair_are_read(features, small_panel):
    model = FlowModel(features, small_panel, SIZES)
    model.cell = Mirror()
    stock, hazards = model.year(0)
    off = ~torch.eye(model.n, dtype=torch.bool)
    for told, true in ((hazards.native, stock), (hazards.back, stock.T)):
        ranks = [torch.argsort(torch.argsort(x[off])) for x in (told, true)]
        assert (ranks[0] - ranks[1]).abs().float().mean() < 0.5      # the same order, ties aside
    assert not torch.allclose(hazards.native, hazards.back)


def test_stocks_of_the_year_are_read_not_those_of_the_start(features, small_panel):
    model = FlowModel(replace(features, active=~np.eye(small_panel.sizes["residence"], dtype=bool)), small_panel, SIZES)
    model.cell = Mirror()
    (first, early), (last, late) = model.year(0), model.year(model.years - 1)
    grown, told = last > 1.1 * first, late.native > early.native
    off = ~torch.eye(model.n, dtype=torch.bool)
    assert (grown & off).any()
    assert told[grown & off].all()


def test_gradients_are_finite_and_reach_every_weight(features, small_panel):
    model = lively(features, small_panel)
    run = model()
    (torch.log1p(run.flow).mean() + torch.log1p(run.stock).mean()).backward()
    for name, weight in model.named_parameters():
        assert torch.isfinite(weight.grad).all(), name
        assert weight.grad.abs().sum() > 0, name


def test_effects_of_pairs_reach_their_own_pairs(features, small_panel):
    model = lively(features, small_panel)
    n, k = model.n, 5
    a, b = divmod(int(model.often_flat[k]), n)
    _, before = model.year(0)
    with torch.no_grad():
        model.direction[k] += torch.tensor([1.0, 2.0, 3.0])
        model.tie[model.tie_of[k]] += 0.5
    _, after = model.year(0)
    for name, forth, back in (("native", 1.5, 0.5), ("back", 2.5, 0.5), ("onward", 3.0, 0.0), ("affinity", 0.0, 0.0)):
        expected = torch.zeros(n, n)
        expected[a, b], expected[b, a] = forth, back
        torch.testing.assert_close(getattr(after, name) - getattr(before, name), expected, rtol=0, atol=1e-4)


def test_features_given_replace_the_stored_ones(model, run):
    with torch.no_grad():
        same, other = model(model.unilateral.clone()), model(model.unilateral + 1.0)
    assert torch.equal(same.flow, run.flow)
    assert not torch.allclose(other.flow, run.flow, rtol=0.01)


def test_only_weights_are_saved(model):
    assert set(model.state_dict()) == {name for name, _ in model.named_parameters()}
    assert sum(v.numel() for v in model.state_dict().values()) < 20_000


def test_a_single_year_is_that_of_the_run(model, run):
    for position in (0, BLOCK + 1, len(run.flow) - 1):
        stock, hazards = model.year(position)
        assert torch.equal(stock, run.stock[position])
        step = accounting.step(stock, hazards, model.births[position], model.death_rate[position])
        torch.testing.assert_close(step.flow, run.flow[position])
        of_one = accounting.flow_by_birthplace(stock, hazards, model.death_rate[position], birthplace=2)
        torch.testing.assert_close(of_one.sum(0), run.arrivals[position, 2], rtol=1e-4, atol=1e-2)
    for position in (-1, len(run.flow)):
        with pytest.raises(IndexError, match=str(position)):
            model.year(position)
