"""What a territory's corridors add up to: compared with what was counted, and with nothing that is held out."""
from dataclasses import replace

import numpy as np
import pytest
import torch

from humanflows.model import train as training
from humanflows.model.balances import Balances, _relative
from humanflows.model.histories import Histories
from humanflows.panel.features import own_reconstruction, stock_course

WEIGHTS = {"balances": 1.0, "net_migration": 0.0, "stock_difference": 0.0, "reconstruction": 0.0}


@pytest.fixture
def make(small_splits, small_config):
    """The balances of a panel under some weights; all others are off."""

    def made(panel, splits=small_splits, **loss):
        config = replace(small_config, loss=replace(small_config.loss, **(WEIGHTS | loss)))
        model, witnesses, _ = training.build_member(panel, splits, config)
        nothing = np.zeros(panel.sizes["observation"], bool)
        return Balances(Histories(model, witnesses, panel, nothing), panel, training.open_corridors(splits))

    return made


def some_moves(balances, rows, seed=0):
    torch.manual_seed(seed)
    return (torch.rand(rows, balances.model.n, 3) * 1000 for _ in range(2))


def root(x):
    return x / np.sqrt(np.abs(x) + 1)


def test_net_migration_by_hand(make, small_panel):
    balances = make(small_panel, net_migration=1.5)
    t, c = torch.tensor([0, 4, 4]), torch.tensor([2, 2, 5])
    out, back = some_moves(balances, 3)
    net, expected = small_panel.net_migration.values, []
    for k, (year, place) in enumerate(zip(t.tolist(), c.tolist())):
        others = np.arange(balances.model.n) != place
        come, go = back[k, others].sum().item(), out[k, others].sum().item()
        expected.append((come - go - net[year, place]) ** 2 / (come + go + abs(net[year, place]) + 1))
    expected = 1.5 * np.mean(expected) / root(net).var(ddof=1)
    assert float(balances.loss(out, back, t, c)) == pytest.approx(expected, rel=1e-4) and expected > 0.01


def test_growth_of_stocks_by_hand(make, small_panel):
    balances = make(small_panel, stock_difference=0.8)
    t, c = torch.tensor([3]), torch.tensor([1])
    out, back = some_moves(balances, 1)
    stock, growth, unknown = stock_course(small_panel)
    death = small_panel.deaths.values / small_panel.population.values[:-1]
    counted = ~unknown & ~np.eye(len(unknown), dtype=bool)
    error = {"abroad": [], "here": []}
    for x in np.flatnonzero(np.arange(len(unknown)) != 1):
        for which, (i, j) in {"abroad": (1, x), "here": (x, 1)}.items():      # born in i, living in j
            come = (out if i == 1 else back)[0, x, 0].item()                  # natives of i who arrive in j
            go = (back if i == 1 else out)[0, x, 1].item() + death[3, j] * stock[3, i, j]
            if counted[i, j]:
                error[which].append((come - go - growth[3, i, j]) ** 2 / (come + go + abs(growth[3, i, j]) + 1))
    spread = root(growth[:, counted].astype(float)).var(ddof=1)
    expected = 0.8 * 0.5 * sum(map(np.mean, error.values())) / spread
    assert float(balances.loss(out, back, t, c)) == pytest.approx(expected, rel=1e-3) and expected > 0.01


def test_reconstructions_are_met_where_the_moves_are_those(make, small_panel):
    balances = make(small_panel, reconstruction=0.3)
    flow = torch.as_tensor(own_reconstruction(small_panel), dtype=torch.float32)
    t, c = torch.tensor([2, 2]), torch.tensor([0, 3])
    out, back = flow[t, c], flow[t, :, c]
    spread = [torch.stack([x, 0 * x, 0 * x], 2) for x in (out, back)]
    met = float(balances.loss(*spread, t, c))
    assert met < 2e-3 < float(balances.loss(*(2 * x for x in spread), t, c))


def test_what_is_unknown_costs_nothing(make, small_panel):
    blank = small_panel.assign(net_migration=small_panel.net_migration * np.nan).isel(stock_year=slice(0, 2))
    del blank["reconstruction"]
    balances = make(blank, net_migration=1.0, stock_difference=1.0, reconstruction=1.0)
    last = torch.tensor([small_panel.sizes["year"] - 1])         # after the last count
    assert small_panel.year.values[-1] >= blank.stock_year.values.max()
    assert float(balances.loss(*some_moves(balances, 1), last, torch.tensor([0]))) == 0
    known = make(small_panel, net_migration=1.0)
    assert float(known.loss(*some_moves(known, 1), last, torch.tensor([0]))) > 0


def test_both_sides_of_a_difference_are_not_asked_to_be_small():
    go = torch.tensor([50.0, 5000.0])
    come = (go + 30).requires_grad_()
    error = _relative(come, go, torch.tensor(10.0))
    torch.testing.assert_close(error.detach(), torch.tensor([400 / 141.0, 400 / 10041.0]))
    error.sum().backward()                     # the scale has no gradient of its own
    torch.testing.assert_close(come.grad, torch.tensor([40 / 141.0, 40 / 10041.0]))


def test_histories_without_memory_are_single_years(make, small_panel):
    balances = make(small_panel, net_migration=1.0, stock_difference=1.0, reconstruction=1.0)
    years, shown = balances.model.years, balances.model.unilateral
    with torch.no_grad():
        whole = balances.loss_of_histories(torch.tensor([3]), shown)
        single = balances.loss_of_years(torch.arange(years), torch.full((years,), 3), shown)
        torch.testing.assert_close(whole, single, rtol=1e-4, atol=1e-6)
        balances.model.cell.of_memory.weight += 3.0
        assert abs(balances.loss_of_histories(torch.tensor([3]), shown) - single) > 1e-4


def test_held_out_reconstructions_teach_nothing(make, small_panel, small_splits):
    closed = ~training.open_corridors(small_splits)
    other = small_panel.copy(deep=True)
    other.reconstruction.values[:, :, closed] *= 7
    told = []
    for panel in (small_panel, other):
        balances = make(panel, reconstruction=1.0)
        everyone = torch.arange(balances.model.n)
        told.append(float(balances.loss(*some_moves(balances, len(everyone)), 0 * everyone, everyone)))
    assert told[0] == told[1] > 0
