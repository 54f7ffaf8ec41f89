r"""One year of demographic bookkeeping: who dies, who moves, who stays. Exact, non-negative and differentiable.

``stock[birthplace i, residence j]`` is counted on 1 January. During the year, in this order,

1. deaths ``D = S d`` leave survivors ``L = S - D`` (d: deaths over the population of 1 January);
2. survivors leave their cell by competing exits. With ``R[i, j]`` the sum of a cell's exit hazards (per year), the
   exposure is ``E = L (1 - exp(-R)) / R`` person-years and the number of moves by birthplace i from j to k is

   .. code-block:: text

      T[j, j, k] = E[j, j] exp(native[j, k])                        natives leave
      T[k, j, k] = E[k, j] exp(back[j, k])                          return to the birthplace
      T[i, j, k] = E[i, j] exp(onward[j, k] + affinity[i, k])       move on, i, j and k all different

3. who arrived, and who was born, stays where they are until the next 1 January.

A cell's moves add up to ``L (1 - exp(-R))``, so ``L exp(-R)`` remain: every term of the next stock is a product of
non-negative numbers and nothing is clamped. Taking deaths off the stock of 1 January, rather than beside the exits, is
what makes that hold for any hazard; it also keeps, for every territory, the identity by which the UN publishes its
figures: population next 1 January = population - deaths + births + inflow - outflow.

With ``O = exp(onward)``, ``G = exp(affinity)`` and ``A = E``, all three with zero diagonals, summing ``T`` over one
index needs only N x N products, because each zero diagonal strikes out one of the excluded equalities: A that of i and
j, O that of j and k, G that of i and k.

    ``onward rate of cell (i, j)    = (G Oᵀ)[i, j]``
    ``flow[j, k], part moving on    = O[j, k] (Aᵀ G)[j, k]``
    ``arrivals at (i, k), moving on = G[i, k] (A O)[i, k]``

The competing exits are the multiple-decrement life table with constant forces of decrement within the year (Preston,
Heuveline & Guillot 2001, Demography, chapter 4).
"""
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import hardtanh

# Upper bounds of the log-hazards: e² moves per person and year (a mean stay of seven weeks), and a pull e⁵ times the
# usual. Beyond them only overflow is to be had. There is no lower bound: -inf makes a move impossible, at no harm to
# the gradient.
LOG_HAZARD_MAX = 2.0
LOG_AFFINITY_MAX = 5.0

# Below this rate (1 - exp(-R)) / R is summed as a series: the derivative of the closed form loses eps / R to
# cancellation, and is 0 / 0 at R = 0. The terms left out of the series are below 1e-14.
SMALL_RATE = 1e-3


class Hazards(NamedTuple):
    """Log-hazards per year of one year's moves, each ``[..., N, N]``; diagonals are ignored."""

    native: Tensor    # [origin a, destination b]: natives of a leave a for b
    back: Tensor      # [residence a, birthplace b]: people born in b and living in a return to b
    onward: Tensor    # [origin j, destination k]: people born in neither move from j to k ...
    affinity: Tensor  # [birthplace i, destination k]: ... multiplied by what draws those born in i to k


class Step(NamedTuple):
    """What one year makes of a stock, in persons."""

    flow: Tensor        # [..., origin, destination] moves during the year, zero diagonal
    stock_next: Tensor  # [..., birthplace, residence] on the next 1 January
    deaths: Tensor      # [..., residence] during the year
    arrivals: Tensor    # [..., birthplace, destination] moves during the year, from anywhere
    departures: Tensor  # [..., birthplace, origin] moves during the year, to anywhere


class Exits(NamedTuple):
    """Hazards per year (not logs, zero diagonals) and the exposure they meet."""

    native: Tensor    # [..., origin, destination]
    back: Tensor      # [..., residence, birthplace]
    onward: Tensor    # [..., origin, destination]
    affinity: Tensor  # [..., birthplace, destination]
    rate: Tensor      # [..., birthplace, residence] sum of a cell's exit hazards
    exposure: Tensor  # [..., birthplace, residence] person-years at risk of leaving
    dead: Tensor      # [..., birthplace, residence] persons
    stayers: Tensor   # [..., birthplace, residence] persons who neither die nor leave


def diagonal_mask(n: int, device: torch.device | str | None = None) -> Tensor:
    """Boolean ``[n, n]``, True on the diagonal; make it once and pass it to every `step`."""
    return torch.eye(n, dtype=torch.bool, device=device)


def _series(rate):
    return 1 - rate / 2 * (1 - rate / 3 * (1 - rate / 4))


def share_at_risk(rate: Tensor) -> Tensor:
    """``(1 - exp(-rate)) / rate``, the mean share of a year before the first exit; 1 and derivative -1/2 at rate 0."""
    # Of two factors, one is always at the value it has at SMALL_RATE, where both are the same and are divided out. This
    # is several times faster than where(), whose other branch would also turn the gradient at 0 into nan; hardtanh is
    # a clamp with a faster gradient.
    small = hardtanh(rate, -1.0, SMALL_RATE)
    large = hardtanh(rate, SMALL_RATE, torch.inf)
    return _series(small) * (torch.expm1(-large) / large) * (-1 / _series(SMALL_RATE))


def compete(stock: Tensor, hazards: Hazards, death_rate: Tensor, diagonal: Tensor | None = None) -> Exits:
    """Let deaths and exits compete for a stock.

    Parameters
    ----------
    stock : ``[..., birthplace, residence]`` persons on 1 January, not negative.
    hazards : log-hazards per year, each ``[..., N, N]``.
    death_rate : deaths during the year per person of 1 January, in [0, 1]: ``[N]`` or ``[..., 1, N]`` by residence, or
        ``[..., N, N]`` by cell.
    diagonal : see `diagonal_mask` (a float mask of the stock's dtype will do too); made here when not given.
    """
    if diagonal is None:
        diagonal = diagonal_mask(stock.shape[-1], stock.device)

    eye = diagonal.to(stock.dtype)  # arithmetic with a float mask is several times faster than selecting by a boolean
    forbidden = eye * torch.finfo(stock.dtype).min

    def per_year(log_hazard: Tensor, most: float) -> Tensor:
        return torch.exp(hardtanh(log_hazard.to(stock.dtype), -torch.inf, most) + forbidden)

    # Under bfloat16 autocast the three matrix products would each round differently and people would go missing.
    with torch.autocast(stock.device.type, enabled=False):
        native, back, onward = (per_year(h, LOG_HAZARD_MAX) for h in hazards[:3])
        affinity = per_year(hazards.affinity, LOG_AFFINITY_MAX)
        rate = (affinity @ onward.mT) * (1 - eye) + back.mT + torch.diag_embed(native.sum(-1))
        dead = stock * death_rate.to(stock.dtype)
        survivors = stock - dead
        return Exits(native, back, onward, affinity, rate, survivors * share_at_risk(rate), dead,
                     survivors * torch.exp(-rate))


def step(stock: Tensor, hazards: Hazards, births: Tensor, death_rate: Tensor, diagonal: Tensor | None = None) -> Step:
    """Carry a stock from one 1 January to the next.

    Three N x N matrix products, O(N²) memory; no branch depends on data and nothing is written in place. Leading
    dimensions are members of a batch.

    Parameters
    ----------
    stock : ``[..., birthplace, residence]`` persons on 1 January, not negative. Its dtype is that of the result.
    hazards : log-hazards per year, each ``[..., N, N]``.
    births : ``[..., residence]`` live births during the year, persons.
    death_rate : deaths during the year per person of 1 January, in [0, 1]: ``[N]`` or ``[..., 1, N]`` by residence, or
        ``[..., N, N]`` by cell.
    diagonal : see `diagonal_mask` (a float mask of the stock's dtype will do too); made here when not given.

    Returns
    -------
    Step
        ``flow``, ``stock_next``, ``deaths``, ``arrivals`` and ``departures``, none negative. ``stock_next.sum()`` is
        ``stock.sum() + births.sum() - deaths.sum()`` up to rounding, and the like holds for every birthplace and for
        every residence. (TF32 matrix products on a GPU round at 1e-3: leave ``torch.set_float32_matmul_precision`` at
        its default ``"highest"``.)
    """
    if diagonal is None:
        diagonal = diagonal_mask(stock.shape[-1], stock.device)
    native, back, onward, affinity, rate, exposure, dead, stayers = compete(stock, hazards, death_rate, diagonal)
    with torch.autocast(stock.device.type, enabled=False):
        natives = exposure.diagonal(dim1=-2, dim2=-1)
        foreign = exposure - torch.diag_embed(natives)
        natives_leave = natives.unsqueeze(-1) * native    # [origin, destination]
        return_home = foreign.mT * back                   # [origin, destination]
        flow = natives_leave + return_home + onward * (foreign.mT @ affinity)
        arrivals = natives_leave + affinity * (foreign @ onward) + torch.diag_embed(return_home.sum(-2))
        stock_next = stayers + arrivals + torch.diag_embed(births.to(stock.dtype))
        return Step(flow, stock_next, dead.sum(-2), arrivals, exposure * rate)


def net_migration(flow: Tensor) -> Tensor:
    """Inflow minus outflow ``[..., N]`` of a flow ``[..., origin, destination]``."""
    return flow.sum(-2) - flow.sum(-1)


def flow_by_birthplace(stock: Tensor, hazards: Hazards, death_rate: Tensor, *, birthplace: int) -> Tensor:
    """Moves ``[origin, destination]`` of people born in one place, persons; see `step` for the arguments.

    The slice ``T[birthplace, :, :]``, computed on demand: the N³ table is never held.
    """
    return _of_birthplace(compete(stock, hazards, death_rate), birthplace)


def stream_by_birthplace(stock: Tensor, hazards: Hazards, death_rate: Tensor) -> Iterator[Tensor]:
    """`flow_by_birthplace` of every birthplace in turn, the competing exits being worked out only once."""
    exits = compete(stock, hazards, death_rate)
    for i in range(stock.shape[-1]):
        yield _of_birthplace(exits, i)


def _of_birthplace(exits: Exits, i: int) -> Tensor:
    here = torch.arange(exits.native.shape[-1], device=exits.native.device) == i
    moving_on = exits.onward * exits.affinity[..., i, None, :]
    hazard = torch.where(here, exits.back[..., :, i, None], moving_on)              # to the birthplace
    hazard = torch.where(here[:, None], exits.native[..., i, None, :], hazard)      # from the birthplace
    return exits.exposure[..., i, :, None] * hazard


def flow_of_origin(stock: Tensor, hazards: Hazards, death_rate: Tensor, *, origin: int) -> Tensor:
    """Moves ``[birthplace, destination]`` out of one origin, the slice ``T[:, origin, :]``; see `step`."""
    exits = compete(stock, hazards, death_rate)
    n = stock.shape[-1]
    here = torch.arange(n, device=stock.device) == origin
    moving_on = exits.onward[..., origin, None, :] * exits.affinity
    hazard = torch.where(diagonal_mask(n, stock.device), exits.back[..., origin, None, :], moving_on)
    hazard = torch.where(here[:, None], exits.native[..., origin, None, :], hazard)
    return exits.exposure[..., :, origin, None] * hazard


def flow_of_destination(stock: Tensor, hazards: Hazards, death_rate: Tensor, *, destination: int) -> Tensor:
    """Moves ``[birthplace, origin]`` into one destination, the slice ``T[:, :, destination]``; see `step`."""
    exits = compete(stock, hazards, death_rate)
    n = stock.shape[-1]
    here = torch.arange(n, device=stock.device) == destination
    moving_on = exits.affinity[..., :, destination, None] * exits.onward[..., None, :, destination]
    hazard = torch.where(here[:, None], exits.back[..., None, :, destination], moving_on)
    hazard = torch.where(diagonal_mask(n, stock.device), exits.native[..., None, :, destination], hazard)
    return exits.exposure * hazard
