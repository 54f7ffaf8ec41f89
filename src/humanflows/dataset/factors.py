"""What the model says about flows by birthplace in one year, as three parts and two factors; means over members.

A member's moves onward are a product, O[j, k] A[i, j] G[i, k] (:mod:`humanflows.model.accounting`). The mean over
members is not, but there is one product with the mean's flows, departures and arrivals; iterative proportional fitting
[1]_ finds it. What the three two-way tables leave open, an association of all three, is taken to be none.

References
----------
.. [1] Deming & Stephan (1940), On a least squares adjustment of a sampled frequency table when the expected marginal
   totals are known, Annals of Mathematical Statistics 11, 427–444.
"""
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ..errors import SchemaError

ROUNDS = 60             # of fitting; members of one ensemble are near each other
CLOSE = 1e-4            # of all moves onward that may stand in another cell of a two-way table


class Moves(NamedTuple):
    """One year, persons, float64 [N, N] each; zero diagonals."""

    native: np.ndarray      # [origin, destination] born in the origin
    back: np.ndarray        # [origin, destination] born in the destination
    onward: np.ndarray      # [origin, destination] born elsewhere
    presence: np.ndarray    # [birthplace, origin] A: persons exposed, any scale per origin
    leaning: np.ndarray     # [birthplace, destination] G: any scale per destination


def moves_of(model) -> Iterator[Moves]:
    """The years of a trained member in order.

    Parameters
    ----------
    model : :class:`humanflows.model.recursion.FlowModel`.
    """
    import torch

    from ..model import accounting

    with torch.no_grad():
        for t, (stock, hazards) in enumerate(model.walk()):
            exits = accounting.compete(stock, hazards, model.death_rate[t], model.diagonal)
            yield moves_of_exits(*(x.cpu().double().numpy() for x in (exits.exposure, *exits[:4])))


def moves_of_exits(exposure, native, back, onward, affinity) -> Moves:
    """From exposures [birthplace, residence] and hazards as in ``accounting.Exits``."""
    natives = np.diagonal(exposure)
    foreign = exposure - np.diag(natives)
    return Moves(natives[:, None] * native, foreign.T * back, onward * (foreign.T @ affinity), foreign, affinity)


def mean_moves(members: Sequence[Moves]) -> Moves:
    """Mean over members; one member is its own mean.

    Raises
    ------
    SchemaError
        Without members.
    """
    if not members:
        raise SchemaError("members", "there are none to take the mean of", "give at least one")
    if len(members) == 1:
        return members[0]
    native, back, onward = (np.mean([getattr(m, k) for m in members], axis=0) for k in ("native", "back", "onward"))
    departures, arrivals = np.zeros_like(onward), np.zeros_like(onward)
    for m in members:
        rate = _ratio(m.onward, m.presence.T @ m.leaning)
        departures += m.presence * (m.leaning @ rate.T) / len(members)
        arrivals += m.leaning * (m.presence @ rate) / len(members)
    presence = np.mean([m.presence for m in members], axis=0)
    leaning = np.mean([m.leaning for m in members], axis=0)
    return Moves(native, back, onward, *fit_product(onward, departures, arrivals, presence, leaning))


def fit_product(onward, departures, arrivals, presence, leaning) -> tuple[np.ndarray, np.ndarray]:
    """Factors A, G for which O A G, with O = onward / AᵀG, has the given departures and arrivals.

    Parameters
    ----------
    onward : [origin, destination] persons who move on.
    departures : [birthplace, origin], arrivals : [birthplace, destination], of the same moves.
    presence, leaning : where to begin; what is zero there stays zero.

    Returns
    -------
    A [birthplace, origin], G [birthplace, destination].
    """
    a, g = presence.copy(), leaning.copy()
    total = max(float(onward.sum()), 1e-300)
    for _ in range(ROUNDS):
        rate = _ratio(onward, a.T @ g)
        made = a * (g @ rate.T)
        if np.abs(made - departures).sum() < CLOSE * total \
                and np.abs(g * (a @ rate) - arrivals).sum() < CLOSE * total:
            break
        a *= _ratio(departures, made)
        a /= np.maximum(a.max(0), 1e-300)       # the scale of a column cancels; left alone it drifts away
        rate = _ratio(onward, a.T @ g)
        g *= _ratio(arrivals, g * (a @ rate))
        g /= np.maximum(g.max(0), 1e-300)
    return a, g


def _ratio(above, below):
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)
