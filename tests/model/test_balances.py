"""What a territory's corridors add up to: compared with what was counted, and with nothing that is reported of them."""
import numpy as np
import pytest
import torch
from plausible_runs import made

from humanflows.model import train as training
from humanflows.model.balances import FEW, Balances, _nats
from humanflows.model.histories import Histories
from humanflows.model.observation import TAIL
from humanflows.panel.features import QUIET, stock_course
from humanflows.panel.splits import perturb_held_out


@pytest.fixture
def make(small_splits, small_config):
    """The balances of a panel."""

    def balances(panel):
        model, _, _ = training.build_member(panel, small_splits, small_config)
        nothing = np.zeros(panel.sizes["observation"], bool)
        return Balances(Histories(model, made(panel, nothing), panel, nothing), panel)

    return balances


def some_moves(balances, rows, seed=0):
    torch.manual_seed(seed)
    return (torch.rand(rows, balances.model.n, 3) * 1000 for _ in range(2))


def by_hand(come, go, observed, deviation):
    variance = (come + go + abs(observed) + 1) * deviation**2
    return (TAIL + 1) / 2 * np.log1p((come - go - observed) ** 2 / variance / TAIL) + 0.5 * np.log(variance)


@pytest.mark.parametrize("deviation", [1.0, 2.5])
def test_balances_by_hand(make, small_panel, deviation):
    balances = make(small_panel)
    with torch.no_grad():
        scatter = torch.log(torch.tensor([deviation, 2 * deviation]))
        balances.histories.observation.log_balance_scatter.copy_(scatter)
    t, c = torch.tensor([1, 4, 4]), torch.tensor([2, 2, 5])
    out, back = some_moves(balances, 3)
    net = small_panel.net_migration.values
    stock, growth, unknown = stock_course(small_panel)
    death = small_panel.deaths.values / small_panel.population.values[:-1]
    counted = ~unknown & ~np.eye(len(unknown), dtype=bool)
    nets, abroad, here = [], [], []
    for k, (year, place) in enumerate(zip(t.tolist(), c.tolist())):
        others = np.flatnonzero(np.arange(balances.model.n) != place)
        nets.append(by_hand(back[k, others].sum().item(), out[k, others].sum().item(), net[year, place], deviation))
        for x in others:
            # natives of the place who live in x: more by those who leave, fewer by those who come back or die there
            if counted[place, x]:
                go = back[k, x, 1].item() + death[year, x] * stock[year, place, x]
                abroad.append(by_hand(out[k, x, 0].item(), go, growth[year, place, x], 2 * deviation))
            if counted[x, place]:
                go = out[k, x, 1].item() + death[year, place] * stock[year, x, place]
                here.append(by_hand(back[k, x, 0].item(), go, growth[year, x, place], 2 * deviation))
    expected = (np.mean(nets) + np.mean(abroad) + np.mean(here)) * balances.model.years * balances.model.n
    assert float(balances.loss(out, back, t, c).detach()) == pytest.approx(expected, rel=1e-4)
    assert len(abroad) > 5 and len(here) > 5


def test_what_is_unknown_costs_nothing(make, small_panel):
    blank = small_panel.assign(net_migration=small_panel.net_migration * np.nan).isel(stock_year=slice(0, 2))
    last = torch.tensor([small_panel.sizes["year"] - 1])         # after the last count
    assert small_panel.year.values[-1] >= blank.stock_year.values.max()
    balances = make(blank)
    assert float(balances.loss(*some_moves(balances, 1), last, torch.tensor([0])).detach()) == 0
    between = torch.tensor([2])
    assert float(balances.loss(*some_moves(balances, 1), between, torch.tensor([0])).detach()) != 0
    known = make(small_panel)
    assert float(known.loss(*some_moves(known, 1), last, torch.tensor([0])).detach()) != 0


def test_where_few_migrants_were_ever_counted_few_natives_are_expected_to_move(make, small_panel):
    few = small_panel.copy(deep=True)
    few["net_migration"] *= np.nan
    few["stock_observed"].values[..., 3, 4] = few["stock_observed"].values[..., 3, 6] = QUIET
    few["stock_observed"].values[..., 5, 4] = QUIET + 1
    few["stock_observed"].values[:, 0, 5, 6] = 0         # few to begin with, and more at the next count
    few["stock_observed"].values[:, 1:, 5, 6] = QUIET + 1
    balances = make(few.isel(stock_year=slice(0, 2)))
    last, size = torch.tensor([few.sizes["year"] - 1]), few.sizes["year"] * balances.model.n   # no growth is known
    out, back = some_moves(balances, 1)

    def nats(persons):
        return (TAIL + 1) / 2 * np.log1p((np.log1p(persons) / FEW) ** 2 / TAIL)

    # Of all that natives of 3 do, that they go to 4 and to 6; of all who come to 4, that natives of 3 do.
    for place, moves in ((3, [out[0, 4, 0], out[0, 6, 0]]), (4, [back[0, 3, 0]]), (5, [])):
        told = float(balances.loss(out, back, last, torch.tensor([place])).detach())
        expected = np.mean([nats(float(x)) for x in moves]) if moves else 0.0
        assert told == pytest.approx(size * expected, rel=1e-4)


def test_both_sides_of_a_difference_are_not_asked_to_be_small():
    go = torch.tensor([50.0, 5000.0])
    come = (go + 30).requires_grad_()
    nats = _nats(come, go, torch.tensor(10.0), torch.tensor(1.0))
    np.testing.assert_allclose(nats.detach(), [by_hand(80, 50, 10, 1), by_hand(5030, 5000, 10, 1)], rtol=1e-5)
    nats.sum().backward()                      # the scale has no gradient of its own
    error, variance = 20.0, np.array([141.0, 10041.0])
    np.testing.assert_allclose(come.grad, (TAIL + 1) * error / (TAIL * variance + error**2), rtol=1e-5)


def test_the_deviation_is_learned_from_what_is_left(make, small_panel):
    balances = make(small_panel)
    t, c = torch.arange(10), torch.full((10,), 3)
    slopes = []
    for scale in (0.0, 1e3):         # moves that fit the net migration, and moves that are far off
        weight = balances.histories.observation.log_balance_scatter
        weight.grad = None
        out = torch.zeros(10, balances.model.n, 3)
        back = out.clone()
        net = balances.net[t, c]
        back[:, 0, 2], out[:, 0, 2] = net.clamp(min=0) * (1 + scale), (-net).clamp(min=0) * (1 + scale)
        balances.loss(out, back, t, c).backward()
        slopes.append(float(weight.grad[0]))
    assert slopes[0] > 0 > slopes[1]


def test_histories_without_memory_are_single_years(make, small_panel):
    balances = make(small_panel)
    years, shown = balances.model.years, balances.model.unilateral
    with torch.no_grad():
        whole = balances.loss_of_histories(torch.tensor([3]), shown)
        single = balances.loss_of_years(torch.arange(years), torch.full((years,), 3), shown)
        torch.testing.assert_close(whole, single, rtol=1e-4, atol=1e-3)
        balances.model.cell.of_memory.weight += 3.0
        assert abs(balances.loss_of_histories(torch.tensor([3]), shown) - single) > 1e-3 * abs(single)


def test_reports_and_reconstructions_of_corridors_are_not_read(make, small_panel, small_splits):
    told = []
    for panel in (small_panel, perturb_held_out(small_panel, small_splits),
                  small_panel.assign(reconstruction=small_panel.reconstruction * 7)):
        balances = make(panel)
        everyone = torch.arange(balances.model.n)
        told.append(float(balances.loss(*some_moves(balances, len(everyone)), 0 * everyone + 2, everyone).detach()))
    assert told[0] == told[1] == told[2] != 0
