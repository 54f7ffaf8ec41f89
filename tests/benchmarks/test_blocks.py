"""A year by blocks is the year as a whole, with its gradients, wherever the tiles are computed."""
import numpy as np
import pytest
import torch

from blocks import blocks_of, over_dask, step_by_blocks, tile
from humanflows.model.accounting import Hazards, step
from humanflows.results.speed import sent_bytes

N = 11


def make_world(seed=0, n=N, forbidden=0.1, dtype=torch.float64):
    """Stock, hazards, births and death rates in which a fair share moves and some cells are empty."""
    random = np.random.default_rng(seed)
    stock = np.exp(random.normal(6, 3, (n, n))) * (random.random((n, n)) > 0.2) + np.diag(
        np.exp(random.normal(14, 2, n)))
    tables = random.normal(0, 1.5, (4, n, n)) + np.array([-6.0, -2.0, -5.0, 0.0])[:, None, None]
    tables[random.random(tables.shape) < forbidden] = -np.inf
    tables[:, 0, 1] = 40.0                                           # beyond every bound
    births, death_rate = stock.sum(0) * random.uniform(0, 0.04, n), random.uniform(0, 0.03, n)
    stock, births, death_rate, *tables = (torch.as_tensor(x, dtype=dtype) for x in (stock, births, death_rate, *tables))
    return stock, Hazards(*tables), births, death_rate


def relative(found, wanted):
    """Largest difference over the largest value."""
    return float((found - wanted).abs().max() / wanted.abs().max())


def last_first(function, tasks):
    """A runner that computes the last tile first."""
    tasks = list(tasks)
    return [function(*task) for task in reversed(tasks)][::-1]


RUNNERS = {"one after another": {}, "last first": {"run": last_first},
           "dask, one after another": {"run": over_dask("synchronous")}, "dask, threads": {"run": over_dask("threads")}}


@pytest.mark.parametrize("size", [1, 2, 4, 10, N, 50])
def test_any_size_of_block_gives_the_whole_step(size):
    world = make_world()
    whole, blocks = step(*world), step_by_blocks(*world, size=size)
    for name, wanted in whole._asdict().items():
        assert relative(getattr(blocks, name), wanted) < 1e-13, name


@pytest.mark.parametrize("runner", RUNNERS)
def test_gradients_are_those_of_the_whole(runner):
    stock, hazards, births, death_rate = make_world(1)
    weights = [torch.as_tensor(np.random.default_rng(2).normal(size=s)) for s in ((N, N), (N, N), N, (N, N), (N, N))]
    found = []
    for function, more in ((step, {}), (step_by_blocks, {"size": 4, **RUNNERS[runner]})):
        leaves = [x.clone().requires_grad_() for x in (stock, *hazards, births, death_rate)]
        year = function(leaves[0], Hazards(*leaves[1:5]), *leaves[5:], **more)
        # Numbers of persons span many orders: their roots weigh all cells alike.
        sum((w * torch.sqrt(x + 1)).sum() for w, x in zip(weights, year)).backward()
        found.append([x.grad for x in leaves])
    for wanted, got in zip(*found):
        assert wanted.isfinite().all() and wanted.abs().max() > 0
        assert relative(got, wanted) < 1e-11


def test_years_in_a_row_learn_through_blocks_as_through_the_whole():
    stock, hazards, births, death_rate = make_world(3, forbidden=0.0)
    found = []
    for function, more in ((step, {}), (step_by_blocks, {"size": 3})):
        shift = torch.zeros((), dtype=stock.dtype, requires_grad=True)
        now = stock
        for _ in range(4):
            now = function(now, Hazards(hazards.native + shift, *hazards[1:]), births, death_rate, **more).stock_next
        torch.log1p(now).sum().backward()
        found.append((now.detach(), shift.grad))
    assert relative(found[1][0], found[0][0]) < 1e-13
    assert float(found[1][1]) == pytest.approx(float(found[0][1]), rel=1e-10)


def test_people_are_neither_made_nor_lost():
    stock, hazards, births, death_rate = make_world(4)
    year = step_by_blocks(stock, hazards, births, death_rate, size=4)
    expected = stock.sum() + births.sum() - year.deaths.sum()
    assert float(year.stock_next.sum()) == pytest.approx(float(expected), rel=1e-13)
    assert float(year.flow.sum()) == pytest.approx(float(year.departures.sum()), rel=1e-13)
    assert float(min(x.min() for x in year)) >= 0 and float(year.flow.diagonal().abs().max()) == 0


def test_death_rates_by_cell_and_hazards_of_another_precision_will_do():
    stock, hazards, births, death_rate = make_world(5)
    by_cell = death_rate * torch.linspace(0, 1, N, dtype=torch.float64).unsqueeze(1)
    hazards = Hazards(*(h.float() for h in hazards))
    whole, blocks = (f(stock, hazards, births, by_cell, **m) for f, m in ((step, {}), (step_by_blocks, {"size": 5})))
    assert relative(blocks.stock_next, whole.stock_next) < 1e-13 and relative(blocks.deaths, whole.deaths) < 1e-13


def test_a_tile_takes_and_gives_rows_of_its_blocks_only():
    seen = []

    def watch(function, tasks):
        for task in tasks:
            out = function(*task)
            seen.append((sum(x.numel() for x in task[2:]), sum(x.numel() for x in out)))
            yield out

    world, size = make_world(6, n=40), 5
    step_by_blocks(*world, size=size, run=watch)
    taken, given = (max(s[k] for s in seen) for k in (0, 1))
    assert len(seen) == (40 / size) ** 2
    assert taken <= 3 * size * 40 + 3 * size**2 and given <= 2 * size * 40 + 2 * size**2 + size < 40**2


def test_what_is_sent_is_what_tiles_take_and_give():
    n, size, sent = 12, 4, []

    def numbers(x):
        return x.numel() if isinstance(x, torch.Tensor) else sum(map(numbers, x)) if isinstance(x, tuple) else 0

    def run(function, tasks):
        for task in tasks:
            out = function(*task)
            sent.append(numbers(task) + numbers(tuple(out)))
            yield out

    stock = torch.rand(n, n, requires_grad=True)
    hazards = Hazards(*(torch.randn(n, n, requires_grad=True) - 5 for _ in range(4)))
    made = step_by_blocks(stock, hazards, torch.rand(n), torch.rand(n), size=size, run=run)
    sum(x.sum() for x in made).backward()
    assert len(sent) == 2 * (n / size) ** 2 and sent_bytes(n, size) == 4 * sum(sent)


def test_what_dask_gets_is_no_view_of_the_whole():
    stock, hazards, births, death_rate = make_world(7)
    held = []

    def watched(born, lives, *tensors):
        held.extend((x.untyped_storage().nbytes(), x.numel() * x.element_size()) for x in tensors)
        return tile(born, lives, *tensors)

    runner = over_dask("synchronous")
    step_by_blocks(stock, hazards, births, death_rate, size=3, run=lambda f, tasks: runner(watched, tasks))
    assert held and all(memory == needed for memory, needed in held)


def test_blocks_cover_all_territories_once():
    assert blocks_of(7, 3) == [slice(0, 3), slice(3, 6), slice(6, 7)]
    with pytest.raises(ValueError, match="blocks of 0"):
        blocks_of(7, 0)
