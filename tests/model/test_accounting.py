"""The bookkeeping: exact against a table written out with loops, conserving, never negative, differentiable."""
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from humanflows.model.accounting import (
    LOG_AFFINITY_MAX,
    LOG_HAZARD_MAX,
    SMALL_RATE,
    Hazards,
    compete,
    diagonal_mask,
    flow_by_birthplace,
    flow_of_destination,
    flow_of_origin,
    net_migration,
    share_at_risk,
    step,
    stream_by_birthplace,
)

TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-5}
USUAL = (-6.0, -2.0, -5.0, 0.0)  # log-hazards at which a fair share of a small world moves


def make_world(seed, n, level=USUAL, spread=1.5, forbidden=0.0, empty=0.2, dtype=torch.float64):
    """A random world: stock, hazards, births, death rates; a share of moves forbidden and of cells empty."""
    random = np.random.default_rng(seed)
    stock = np.exp(random.normal(6, 3, (n, n))) * (random.random((n, n)) >= empty)
    stock += np.diag(np.exp(random.normal(14, 2, n)))
    tables = random.normal(0, spread, (4, n, n)) + np.asarray(level)[:, None, None]
    tables[random.random(tables.shape) < forbidden] = -np.inf
    births = stock.sum(0) * random.uniform(0, 0.04, n)
    as_tensor = lambda x: torch.as_tensor(x, dtype=dtype)  # noqa: E731
    return as_tensor(stock), Hazards(*map(as_tensor, tables)), as_tensor(births), as_tensor(random.uniform(0, 0.03, n))


@st.composite
def worlds(draw, dtype=torch.float64, most=7):
    """Worlds from quiet to absurd: hazards from none to beyond every bound, forbidden moves, empty cells, no deaths."""
    level = [draw(st.sampled_from([-60.0, -12.0, mean, 3.0, 40.0])) for mean in USUAL]
    stock, hazards, births, death_rate = make_world(
        draw(st.integers(0, 2**32 - 1)), draw(st.integers(2, most)), level, draw(st.sampled_from([0.0, 1.5, 8.0])),
        draw(st.sampled_from([0.0, 0.3, 1.0])), draw(st.sampled_from([0.0, 0.5, 1.0])), dtype)
    return stock, hazards, births, death_rate * draw(st.sampled_from([0.0, 1.0, 1 / 0.03]))


def written_out(stock, hazards, death_rate):
    """The whole table T[birthplace, origin, destination], one move at a time."""
    n = len(stock)
    hazard = np.zeros((n, n, n))
    for i in range(n):
        for j in range(n):
            for k in range(n):
                if j == k:
                    continue
                if i == j:
                    hazard[i, j, k] = math.exp(min(float(hazards.native[j, k]), LOG_HAZARD_MAX))
                elif i == k:
                    hazard[i, j, k] = math.exp(min(float(hazards.back[j, k]), LOG_HAZARD_MAX))
                else:
                    hazard[i, j, k] = (math.exp(min(float(hazards.onward[j, k]), LOG_HAZARD_MAX))
                                       * math.exp(min(float(hazards.affinity[i, k]), LOG_AFFINITY_MAX)))
    moves = np.zeros((n, n, n))
    for i in range(n):
        for j in range(n):
            total = sum(hazard[i, j])
            if total > 0:
                movers = float(stock[i, j]) * (1 - float(death_rate[j])) * -math.expm1(-total)
                moves[i, j] = movers * hazard[i, j] / total
    return moves


@settings(max_examples=60)
@given(worlds())
def test_formulas_equal_the_table_written_out(world):
    stock, hazards, births, death_rate = world
    n, table, result = len(stock), written_out(*world[:2], world[3]), step(*world)
    next_stock = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            survivors = float(stock[i, j]) * (1 - float(death_rate[j]))
            next_stock[i, j] = survivors - table[i, j].sum() + table[i, :, j].sum()
        next_stock[i, i] += float(births[i])
    people = float(stock.sum() + births.sum())
    near = {"rtol": 1e-10, "atol": 1e-13 * people}
    np.testing.assert_allclose(result.flow, table.sum(0), **near)
    np.testing.assert_allclose(result.arrivals, table.sum(1), **near)
    np.testing.assert_allclose(result.departures, table.sum(2), **near)
    np.testing.assert_allclose(result.stock_next, next_stock, **near)
    np.testing.assert_allclose(result.deaths, (stock * death_rate).sum(0), **near)
    for i in range(n):
        slices = (flow_by_birthplace(stock, hazards, death_rate, birthplace=i),
                  flow_of_origin(stock, hazards, death_rate, origin=i),
                  flow_of_destination(stock, hazards, death_rate, destination=i))
        for got, expected in zip(slices, (table[i], table[:, i], table[..., i])):
            np.testing.assert_allclose(got, expected, **near)


def assert_conserved(world):
    stock, _, births, _ = world
    result = step(*world)
    relative = TOLERANCE[stock.dtype]
    people = float(stock.double().sum() + births.double().sum())
    before, after = stock.double(), result.stock_next.double()
    flow, born, died = result.flow.double(), births.double(), result.deaths.double()
    assert abs(float(after.sum() - before.sum() - born.sum() + died.sum())) <= relative * people
    by_residence = after.sum(0) - before.sum(0) - born + died - net_migration(flow)
    assert float(by_residence.abs().max()) <= relative * people
    dead = compete(stock, world[1], world[3]).dead.double()
    by_birthplace = after.sum(1) - before.sum(1) - born + dead.sum(1)
    assert float(by_birthplace.abs().max()) <= relative * people


@settings(max_examples=60)
@given(worlds(torch.float64, most=12))
def test_people_are_conserved_in_double_precision(world):
    assert_conserved(world)


@settings(max_examples=60)
@given(worlds(torch.float32, most=12))
def test_people_are_conserved_in_single_precision(world):
    assert_conserved(world)


@settings(max_examples=60)
@given(st.sampled_from([torch.float32, torch.float64]).flatmap(worlds))
def test_nothing_is_ever_negative_or_undefined(world):
    for name, values in step(*world)._asdict().items():
        assert torch.isfinite(values).all(), name
        assert (values >= 0).all(), name
        assert values.dtype == world[0].dtype, name


@settings(max_examples=40)
@given(worlds())
def test_slices_add_up_to_the_flow(world):
    stock, hazards, _, death_rate = world
    flow = step(*world).flow
    near = {"rtol": 1e-10, "atol": 1e-13 * float(stock.sum())}
    n = range(len(stock))
    streamed = list(stream_by_birthplace(stock, hazards, death_rate))
    torch.testing.assert_close(sum(streamed), flow, **near)
    for i in n:
        torch.testing.assert_close(streamed[i], flow_by_birthplace(stock, hazards, death_rate, birthplace=i))
        torch.testing.assert_close(flow_of_origin(stock, hazards, death_rate, origin=i).sum(0), flow[i], **near)
        torch.testing.assert_close(flow_of_destination(stock, hazards, death_rate, destination=i).sum(0), flow[:, i],
                                   **near)


@settings(max_examples=40)
@given(worlds(), st.randoms())
def test_order_of_territories_does_not_matter(world, random):
    stock, hazards, births, death_rate = world
    order = list(range(len(stock)))
    random.shuffle(order)
    table = lambda x: x[order][:, order]  # noqa: E731
    shuffled = step(table(stock), Hazards(*map(table, hazards)), births[order], death_rate[order])
    near = {"rtol": 1e-10, "atol": 1e-13 * float(stock.sum() + births.sum())}
    for name, values in step(*world)._asdict().items():
        expected = values[order] if values.ndim == 1 else table(values)
        torch.testing.assert_close(getattr(shuffled, name), expected, **near)


def test_two_territories_by_hand():
    stock = torch.tensor([[1000.0, 50.0], [200.0, 0.0]], dtype=torch.float64)  # born in A: 50 live in B; 200 of B in A
    nobody = torch.full((2, 2), -torch.inf, dtype=torch.float64)
    native, back = nobody.clone(), nobody.clone()
    native[0, 1] = math.log(0.1)  # A -> B by natives of A
    back[0, 1] = math.log(0.5)    # from A back to B by natives of B
    result = step(stock, Hazards(native, back, nobody, nobody), torch.tensor([10.0, 0.0]), torch.tensor([0.02, 0.0]))
    left, returned = 980 * (1 - math.exp(-0.1)), 196 * (1 - math.exp(-0.5))
    np.testing.assert_allclose(result.flow, [[0, left + returned], [0, 0]])
    np.testing.assert_allclose(result.stock_next, [[990 - left, 50 + left], [196 - returned, returned]])
    np.testing.assert_allclose(result.deaths, [24, 0], rtol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_without_hazards_nobody_moves_and_gradients_stay_finite(dtype):
    stock, _, births, death_rate = make_world(1, 5, dtype=dtype)
    hazards = Hazards(*(torch.full((5, 5), -torch.inf, dtype=dtype, requires_grad=True) for _ in range(4)))
    stock.requires_grad_()
    result = step(stock, hazards, births, death_rate)
    assert (result.flow == 0).all() and (result.arrivals == 0).all() and (result.departures == 0).all()
    torch.testing.assert_close(result.stock_next, stock * (1 - death_rate) + torch.diag(births))
    (result.flow.sum() + result.stock_next.square().sum()).backward()
    for leaf in (stock, *hazards):
        assert torch.isfinite(leaf.grad).all()
    assert all((h.grad == 0).all() for h in hazards)


def test_a_move_forbidden_to_all_is_never_made():
    stock, hazards, births, death_rate = make_world(3, 6)
    native, back, onward, affinity = (h.clone() for h in hazards)
    for table in (native, back, onward):
        table[2, 4] = -torch.inf
    flow = step(stock, Hazards(native, back, onward, affinity), births, death_rate).flow
    assert flow[2, 4] == 0
    assert int((flow == 0).sum()) == 6 + 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_share_at_risk_is_exact_and_smooth_on_both_sides_of_its_series(dtype):
    t = SMALL_RATE
    rates = [0.0, 1e-40, 1e-20, 1e-8, 1e-5, t / 2, t * 0.999, t * 1.001, 2 * t, 0.1, 1.0, 30.0, 1e4, 1e8]
    rate = torch.tensor(rates, dtype=dtype, requires_grad=True)
    share = share_at_risk(rate)
    share.sum().backward()
    precise = [math.fsum((-r) ** m / math.factorial(m + 1) for m in range(20)) if r < 0.5 else -math.expm1(-r) / r
               for r in rates]
    slope = [math.fsum(m * (-1) ** m * r ** (m - 1) / math.factorial(m + 1) for m in range(1, 20)) if r < 0.5
             else (math.exp(-r) * (1 + r) - 1) / r**2 for r in rates]
    single = dtype == torch.float32
    np.testing.assert_allclose(share.detach(), precise, rtol=1e-6 if single else 1e-13)
    np.testing.assert_allclose(rate.grad, slope, rtol=2e-4 if single else 1e-9, atol=1e-30)
    assert float(share.detach()[0]) == pytest.approx(1) and float(rate.grad[0]) == pytest.approx(-0.5)


@pytest.mark.parametrize("level", [USUAL, (-12.0, -9.0, -9.0, -1.0), (1.0, 1.0, 1.0, 1.0)],
                         ids=["usual", "quiet", "wild"])
def test_gradients_match_finite_differences(level):
    n = 4
    stock, hazards, births, death_rate = make_world(7, n, level, spread=0.5, empty=0)
    stock = stock / stock.mean()
    inputs = [x.clone().requires_grad_() for x in (stock, *hazards, births / 1e5, death_rate)]

    def outputs(stock, native, back, onward, affinity, births, death_rate):
        return tuple(step(stock, Hazards(native, back, onward, affinity), births, death_rate))

    assert torch.autograd.gradcheck(outputs, inputs, eps=1e-6, atol=1e-7, rtol=1e-5)


def test_diagonals_of_hazards_are_ignored():
    stock, hazards, births, death_rate = make_world(5, 6)
    changed = Hazards(*(torch.where(diagonal_mask(6), 7.0, h).requires_grad_() for h in hazards))
    before, after = step(stock, hazards, births, death_rate), step(stock, changed, births, death_rate)
    for a, b in zip(before, after):
        assert torch.equal(a, b)
    sum(x.sum() for x in (after.flow, after.stock_next.square())).backward()
    for table in changed:
        assert (table.grad.diagonal() == 0).all()
        assert table.grad.abs().sum() > 0


def test_closed_world_over_35_years():
    for dtype in (torch.float64, torch.float32):
        stock, _, births, death_rate = make_world(11, 20, dtype=dtype)
        start, mask = stock.double().sum(), diagonal_mask(20)
        with_births = without = stock
        born = died = 0.0
        for year in range(35):
            hazards = make_world(1000 + year, 20, dtype=dtype)[1]
            result = step(with_births, hazards, births, death_rate, mask)
            born, died = born + float(births.double().sum()), died + float(result.deaths.double().sum())
            with_births = result.stock_next
            without = step(without, hazards, torch.zeros_like(births), torch.zeros_like(death_rate), mask).stock_next
        assert float(without.double().sum()) == pytest.approx(float(start), rel=TOLERANCE[dtype])
        assert float(with_births.double().sum()) == pytest.approx(float(start) + born - died, rel=TOLERANCE[dtype])
        assert (with_births >= 0).all() and (without >= 0).all()


def test_death_rates_may_differ_between_cells():
    stock, hazards, births, death_rate = make_world(13, 5)
    by_cell = death_rate.expand(5, 5)
    for a, b in zip(step(stock, hazards, births, death_rate), step(stock, hazards, births, by_cell)):
        torch.testing.assert_close(a, b)
    by_cell = by_cell.clone()
    by_cell[0] = 1.0  # all who were born in the first territory die
    result = step(stock, hazards, torch.zeros(5), by_cell)
    assert (result.stock_next[0] == 0).all()
    assert (flow_by_birthplace(stock, hazards, by_cell, birthplace=0) == 0).all()
    np.testing.assert_allclose(result.deaths, (stock * by_cell).sum(0))


def test_members_of_a_batch_go_their_own_ways():
    members = [make_world(seed, 5) for seed in range(3)]
    stock, births, death_rate = (torch.stack([m[x] for m in members]) for x in (0, 2, 3))
    hazards = Hazards(*(torch.stack(tables) for tables in zip(*(m[1] for m in members))))
    together = step(stock, hazards, births, death_rate.unsqueeze(-2))
    sliced = flow_of_origin(stock, hazards, death_rate.unsqueeze(-2), origin=2)
    for i, member in enumerate(members):
        for name, values in step(*member)._asdict().items():
            torch.testing.assert_close(getattr(together, name)[i], values)
        torch.testing.assert_close(sliced[i], flow_of_origin(*member[:2], member[3], origin=2))


def test_autocast_loses_nobody():
    stock, hazards, births, death_rate = make_world(17, 30, dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = step(stock, Hazards(*(h.bfloat16() for h in hazards)), births, death_rate)
    assert all(values.dtype == torch.float32 for values in result)
    expected = float(stock.sum() + births.sum() - result.deaths.sum())
    assert float(result.stock_next.sum()) == pytest.approx(expected, rel=1e-6)


def test_compiles_as_one_graph_and_changes_no_argument():
    world = make_world(19, 6, dtype=torch.float32)
    copies = [world[0].clone(), *(h.clone() for h in world[1]), world[2].clone(), world[3].clone()]
    traced = torch.compile(step, backend="eager", fullgraph=True)(*world, diagonal_mask(6))
    for a, b in zip(traced, step(*world)):
        torch.testing.assert_close(a, b)
    for a, b in zip(copies, [world[0], *world[1], *world[2:]]):
        assert torch.equal(a, b)


def test_never_holds_the_three_way_table():
    sizes, n = [], 24

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            out = function(*args, **(kwargs or {}))
            sizes.extend(x.numel() for x in (out if isinstance(out, tuple) else (out,)) if isinstance(x, torch.Tensor))
            return out

    stock, hazards, births, death_rate = make_world(23, n)
    hazards = Hazards(*(h.requires_grad_() for h in hazards))
    with Watch():
        result = step(stock, hazards, births, death_rate)
        (result.flow.sum() + result.stock_next.square().sum()).backward()
        flow_of_destination(stock, hazards, death_rate, destination=0)
    assert sizes and max(sizes) == n * n


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_gpu_agrees_with_cpu():
    stock, hazards, births, death_rate = make_world(29, 40, dtype=torch.float32)
    gpu = step(stock.cuda(), Hazards(*(h.cuda() for h in hazards)), births.cuda(), death_rate.cuda())
    for name, values in step(stock, hazards, births, death_rate)._asdict().items():
        torch.testing.assert_close(getattr(gpu, name).cpu(), values, rtol=1e-4, atol=float(stock.sum()) * 1e-6)
