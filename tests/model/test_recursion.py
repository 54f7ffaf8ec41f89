"""Year after year: nobody gets lost, every hazard lands in its cell, and names of territories mean nothing."""
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from humanflows.config import ModelConfig
from humanflows.model import accounting
from humanflows.model.recursion import FlowModel, hazards_of
from humanflows.panel.features import Features, build_features

SIZES = ModelConfig(hidden=8, width=24, embedding=4)


def some_active(n: int) -> np.ndarray:
    """About half of the pairs, both directions alike, so that seldom and often visited ones mix."""
    draw = np.triu(np.random.default_rng(2).random((n, n)) < 0.5, 1)
    return draw | draw.T


def lively(features: Features, panel, reported, seed=0) -> FlowModel:
    """A model whose weights are far enough from the start that every corridor behaves in its own way."""
    torch.manual_seed(seed)
    model = FlowModel(features, panel, SIZES, reported)
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.1 * torch.randn_like(weight)
        model.cell.read.bias[:2] += torch.tensor([3.0, 1.0])     # much traffic, so that errors show
    return model


@pytest.fixture(scope="module")
def features(small_panel):
    return replace(build_features(small_panel), active=some_active(small_panel.sizes["residence"]))


@pytest.fixture(scope="module")
def model(features, small_panel, reported):
    return lively(features, small_panel, reported)


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


def test_nothing_is_negative_even_under_extreme_weights(features, small_panel, reported):
    for shift in (-30.0, 30.0):
        model = lively(features, small_panel, reported)
        with torch.no_grad():
            model.cell.read.bias[:2] += shift
            model.balance[:, 0] += shift
            model.onward_level += shift
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


def test_names_of_territories_mean_nothing(model, run, small_panel, features, reported):
    n = small_panel.sizes["residence"]
    order = np.random.default_rng(5).permutation(n)
    turned = Features(
        features.unilateral[:, order], features.static[order][:, order], features.dynamic[:, order][:, :, order],
        features.active[order][:, order], features.unilateral_names, features.static_names, features.dynamic_names)
    moved = small_panel.isel({d: order for d in ("origin", "destination", "birthplace", "residence")})
    other = FlowModel(turned, moved, SIZES, reported[:, order][:, :, order])
    # Where each pair of the other model was before: effects of pairs move with their pairs, of places with the places.
    a, b = np.nonzero(turned.active)
    before = np.searchsorted(np.flatnonzero(features.active), order[a] * n + order[b])
    with torch.no_grad():
        for (name, weight), theirs in zip(model.named_parameters(), other.parameters()):
            assert theirs.shape == weight.shape, name
            if name == "course":
                pair, year = other.told_in.T.nonzero(as_tuple=True)
                theirs.copy_(weight[model.course_before[year, torch.as_tensor(before)[pair]].long()])
                continue
            if name == "tie":
                theirs[other.tie_of] = weight[model.tie_of[before]]
                continue
            theirs.copy_({"direction": lambda w: w[before], "wave": lambda w: w[:, before],
                          "turnover": lambda w: w[:, order], "balance": lambda w: w[:, order],
                          "scarce": lambda w: w[:, order],
                          "cell.embedding": lambda w: w[order]}.get(name, lambda w: w)(weight))
        result = other()
    for kind, values in result._asdict().items():
        expected = getattr(run, kind)[:, order][:, :, order]
        torch.testing.assert_close(values, expected, rtol=2e-3, atol=1e-2, msg=lambda m, kind=kind: f"{kind}: {m}")
    assert not torch.allclose(result.flow, run.flow, rtol=0.1)


class Telltale(nn.Module):
    """A cell whose log-hazards say what it was given: the pair and year, and the names of both territories."""

    def forward(self, unilateral, pair, origin, destination):
        return torch.stack([pair[..., 1], 100 * unilateral[:, origin, 0] + unilateral[:, destination, 0]], 2)


def test_hazards_land_in_their_cells(small_panel, reported):
    years, n = small_panel.sizes["year"], small_panel.sizes["residence"]
    index = np.arange(n, dtype=np.float32)
    unilateral = np.broadcast_to(index[:, None], (years, n, 1)).copy()
    static = np.zeros((n, n, 1), np.float32)
    dynamic = (1000.0 * np.arange(years)[:, None, None] + n * index[:, None] + index)[..., None].astype(np.float32)
    model = FlowModel(Features(unilateral, static, dynamic, some_active(n), ("u",), ("s",), ("d",)), small_panel, SIZES,
                      reported)
    model.cell = Telltale()
    said = model.read_covariates()
    assert said is model.systematic and not said.requires_grad
    t, a, b = np.indices((years, n, n))
    assert np.array_equal(said[..., 0], 1000 * t + n * a + b)
    assert np.array_equal(said[..., 1], 100 * a + b)
    seen = []

    def advance(stock, parts, births, death_rate, diagonal):
        seen.append(hazards := hazards_of(*parts))
        still = accounting.Hazards(*(torch.full_like(h, -20.0) for h in hazards))
        return accounting.step(stock, still, births, death_rate, diagonal)

    model.advance = advance
    with torch.no_grad():
        model()
    assert len(seen) == years
    for k, hazards in enumerate(seen):
        assert torch.equal(hazards.native, said[k, ..., 0]) and torch.equal(hazards.back, said[k, ..., 1])


def test_the_cell_reads_covariates_once(features, small_panel, reported, monkeypatch):
    model = lively(features, small_panel, reported)
    with torch.no_grad():
        first = model().flow
    monkeypatch.setattr(model.cell, "forward", lambda *a: pytest.fail("read again"))
    with torch.no_grad():
        assert torch.equal(model().flow, first)


def test_the_cell_is_at_rest_and_gradients_reach_every_effect(features, small_panel, reported):
    model = lively(features, small_panel, reported)
    run = model()
    (torch.log1p(run.flow).mean() + torch.log1p(run.stock).mean()).backward()
    for name, weight in model.named_parameters():
        if name.startswith("cell."):
            assert weight.grad is None, name
        else:
            assert torch.isfinite(weight.grad).all() and weight.grad.abs().sum() > 0, name


def test_only_weights_are_saved(model):
    assert set(model.state_dict()) == {name for name, _ in model.named_parameters()}
    assert sum(v.numel() for v in model.state_dict().values()) < 20_000


def test_a_single_year_is_that_of_the_run(model, run):
    for position in (0, 5, len(run.flow) - 1):
        stock, hazards = model.year(position)
        assert torch.equal(stock, run.stock[position])
        step = accounting.step(stock, hazards, model.births[position], model.death_rate[position])
        torch.testing.assert_close(step.flow, run.flow[position])
        of_one = accounting.flow_by_birthplace(stock, hazards, model.death_rate[position], birthplace=2)
        torch.testing.assert_close(of_one.sum(0), run.arrivals[position, 2], rtol=1e-4, atol=1e-2)
    for position in (-1, len(run.flow)):
        with pytest.raises(IndexError, match=str(position)):
            model.year(position)
