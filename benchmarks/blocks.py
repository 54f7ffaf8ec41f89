r"""One year's bookkeeping by blocks: for regions so many that one process should not hold the whole year.

The model's `step` (``model/accounting.py``) works on whole N x N tables. Here the same year is cut into tiles of
birthplaces I and origins J. All that a tile needs are its cells of the stock and rows of the hazards:

.. code-block:: text

    stock[I, J]   back[J, I]   onward[J, :]   affinity[I, :]   native[I, :], where I = J

With ``O = exp(onward)``, ``G = exp(affinity)`` and ``A`` the exposure of the foreign-born (accounting.py), a tile knows
its own exit rates, ``(G[I] O[J]ᵀ)[I, J]`` and returns home, and adds its part to the flows out of J,
``O[J, k] (A[I, J]ᵀ G[I])[J, k]``, and to the arrivals of those born in I, ``G[I, k] (A[I, J] O[J])[I, k]``. No tile
needs another's result, so they run in any order and anywhere; with B territories in a block each takes and gives of the
order of B N numbers, and only who adds the tiles up holds N x N tables.

Going back, each tile is computed again and differentiated where it runs: nothing of a tile is kept in between.
"""
from collections.abc import Callable, Iterable, Iterator
from itertools import starmap
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import hardtanh, pad

from humanflows.model.accounting import LOG_AFFINITY_MAX, LOG_HAZARD_MAX, Hazards, Step, share_at_risk

# Calls a function with each tuple of arguments and returns the results in that order, as itertools.starmap does.
Runner = Callable[[Callable, Iterable[tuple]], Iterable]


class Tile(NamedTuple):
    """What the people born in block I and living in block J add to a year, persons."""

    flow: Tensor        # [J, N] part of the moves from each origin of the block to each destination
    arrivals: Tensor    # [I, N] part of the moves by birthplace and destination
    departures: Tensor  # [I, J] moves by birthplace and origin
    stayers: Tensor     # [I, J] who neither die nor leave
    deaths: Tensor      # [J] part of the deaths by residence


def blocks_of(territories: int, size: int) -> list[slice]:
    """Consecutive blocks of at most ``size`` territories.

    Raises
    ------
    ValueError
        When the size is below one.
    """
    if size < 1:
        raise ValueError(f"blocks of {size} territories: choose 1 or more")
    return [slice(a, min(a + size, territories)) for a in range(0, territories, size)]


def tile(born: int, lives: int, stock: Tensor, death_rate: Tensor, native: Tensor, back: Tensor, onward: Tensor,
         affinity: Tensor) -> Tile:
    """One year of the people born in block I and living in block J.

    Parameters
    ----------
    born, lives : positions of the first territory of I and of J. The blocks are the same or have none in common.
    stock, death_rate : ``[I, J]`` persons on 1 January, and deaths during the year per person, in [0, 1].
    native : ``[I, N]`` log-hazards of natives when I and J are the same, otherwise ``[0, N]``.
    back : ``[J, I]`` log-hazards of return.
    onward, affinity : ``[J, N]`` and ``[I, N]`` log-hazards of moving on.
    """
    n = onward.shape[1]
    of_born, of_lives = (_ones_at(first, len(rows), n, stock) for first, rows in ((born, affinity), (lives, onward)))
    own = of_born[:, lives:lives + len(onward)]    # [I, J]: 1 where somebody lives where they were born
    onward = _per_year(onward, LOG_HAZARD_MAX, of_lives)
    affinity = _per_year(affinity, LOG_AFFINITY_MAX, of_born)
    back = _per_year(back, LOG_HAZARD_MAX, own.mT)
    rate = (affinity @ onward.mT) * (1 - own) + back.mT
    if len(native):
        native = _per_year(native, LOG_HAZARD_MAX, of_born)
        rate = rate + torch.diag_embed(native.sum(-1))
    dead = stock * death_rate
    survivors = stock - dead
    exposure = survivors * share_at_risk(rate)
    foreign = exposure * (1 - own)
    home = foreign.mT * back                                        # [J, I]
    room = (born, n - born - len(affinity))
    flow = onward * (foreign.mT @ affinity) + pad(home, room)
    arrivals = affinity * (foreign @ onward) + pad(torch.diag_embed(home.sum(0)), room)
    if len(native):
        leave = exposure.diagonal().unsqueeze(-1) * native          # [I, N]
        flow, arrivals = flow + leave, arrivals + leave
    return Tile(flow, arrivals, exposure * rate, survivors * torch.exp(-rate), dead.sum(0))


def _ones_at(first: int, rows: int, n: int, like: Tensor) -> Tensor:
    """Rows ``first``, ``first + 1``, ... of the identity, [rows, n]."""
    return (torch.arange(first, first + rows, device=like.device).unsqueeze(1)
            == torch.arange(n, device=like.device)).to(like.dtype)


def _per_year(log_hazard: Tensor, most: float, forbidden: Tensor) -> Tensor:
    return torch.exp(hardtanh(log_hazard, -torch.inf, most) + forbidden * torch.finfo(log_hazard.dtype).min)


def tile_gradients(inputs: tuple, cotangents: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Compute a tile again and take it back: gradients of its tensors, from those of what it returned.

    Parameters
    ----------
    inputs : the arguments of `tile`.
    cotangents : gradients with respect to each part of the `Tile`.
    """
    with torch.enable_grad():
        tensors = [x.detach().requires_grad_() for x in inputs[2:]]
        said = tile(*inputs[:2], *tensors)
        found = torch.autograd.grad(said, tensors, cotangents, allow_unused=True)
    return tuple(torch.zeros_like(x) if g is None else g for x, g in zip(tensors, found))


def step_by_blocks(stock: Tensor, hazards: Hazards, births: Tensor, death_rate: Tensor, *, size: int,
                   run: Runner = starmap) -> Step:
    """`step` by blocks of territories, the same up to rounding, gradients too.

    Parameters
    ----------
    stock : ``[birthplace, residence]`` persons on 1 January, not negative. One member: no leading dimensions.
    hazards : log-hazards per year, each ``[N, N]``.
    births : ``[residence]`` live births during the year, persons.
    death_rate : deaths per person of 1 January: ``[N]`` by residence, or ``[N, N]`` by cell.
    size : territories in a block; the last block may be smaller.
    run : calls a function with each of some tuples of arguments, results in their order: one after another here, or
        `over_dask`. Tiles are handed to it a row of blocks at a time, so that no more than a row of them waits.

    Returns
    -------
    Step
        as of `step`.

    Raises
    ------
    ValueError
        When ``size`` is below one.
    """
    n = len(stock)
    tensors = (stock, death_rate.to(stock.dtype).expand(n, n), *(h.to(stock.dtype) for h in hazards))
    flow, arrivals, departures, stayers, deaths = _Blocks.apply(blocks_of(n, size), run, *tensors)
    return Step(flow, stayers + arrivals + torch.diag_embed(births.to(stock.dtype)), deaths, arrivals, departures)


class _Blocks(torch.autograd.Function):
    """Forward: tiles, added up. Backward: tiles again, each with its own gradients, added up."""

    @staticmethod
    def forward(ctx, blocks, run, *tensors):
        ctx.blocks, ctx.run = blocks, run
        ctx.save_for_backward(*tensors)
        stock, n = tensors[0], len(tensors[0])
        flow, arrivals, departures, stayers = (stock.new_zeros(n, n) for _ in range(4))
        deaths = stock.new_zeros(n)
        for born in blocks:
            for lives, part in zip(blocks, run(tile, (_inputs(born, lives, tensors) for lives in blocks))):
                flow[lives] += part.flow
                arrivals[born] += part.arrivals
                departures[born, lives] = part.departures
                stayers[born, lives] = part.stayers
                deaths[lives] += part.deaths
        return flow, arrivals, departures, stayers, deaths

    @staticmethod
    def backward(ctx, flow, arrivals, departures, stayers, deaths):
        tensors = ctx.saved_tensors
        gradients = [torch.zeros_like(x, memory_format=torch.contiguous_format) for x in tensors]
        stock, death_rate, native, back, onward, affinity = gradients

        def tasks(born: slice) -> Iterator[tuple]:
            for lives in ctx.blocks:
                yield _inputs(born, lives, tensors), (flow[lives], arrivals[born], departures[born, lives],
                                                      stayers[born, lives], deaths[lives])

        for born in ctx.blocks:
            for lives, part in zip(ctx.blocks, ctx.run(tile_gradients, tasks(born))):
                stock[born, lives], death_rate[born, lives] = part[0], part[1]
                if born == lives:
                    native[born] += part[2]
                back[lives, born] = part[3]
                onward[lives] += part[4]
                affinity[born] += part[5]
        return None, None, *gradients


def _inputs(born: slice, lives: slice, tensors: tuple[Tensor, ...]) -> tuple:
    stock, death_rate, native, back, onward, affinity = tensors
    return (born.start, lives.start, stock[born, lives], death_rate[born, lives],
            native[born] if born == lives else native[:0], back[lives, born], onward[lives], affinity[born])


def over_dask(scheduler=None) -> Runner:
    """A runner for `step_by_blocks` whose tiles are Dask tasks.

    Parameters
    ----------
    scheduler : as of ``dask.compute``: ``"synchronous"``, ``"threads"``, ``"processes"``, or a
        ``distributed.Client``, whose workers may be on other machines if they can import this module. By default the
        client in use, otherwise threads.
    """
    import dask

    def run(function: Callable, tasks: Iterable[tuple]) -> Iterable:
        # A slice of a tensor would be sent with all the memory that it is a view of.
        own = [tuple(_compact(x) for x in task) for task in tasks]
        return dask.compute(*(dask.delayed(function, pure=False)(*task) for task in own),
                            scheduler=scheduler)

    return run


def _compact(x):
    """The same with tensors that hold only their own numbers, without gradients, tuples included."""
    if isinstance(x, tuple):
        return tuple(_compact(y) for y in x)
    return x.detach().clone(memory_format=torch.contiguous_format) if isinstance(x, Tensor) else x
