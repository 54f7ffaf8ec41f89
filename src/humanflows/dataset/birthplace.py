r"""Flows by birthplace in factorised form: a few megabytes from which any slice of the full table follows by formula.

The table T[birthplace i, origin j, destination k] has N³ cells a year; it is never made. People born in the origin, and
people born in the destination who return, are parts of the corridor's flow. The rest, who move on, divide by
birthplace as the model has it: in proportion to who lives in j and to what draws those born in i to k
(:mod:`humanflows.model.accounting`). With m = min(1000, ⌈flow⌉) of the released flow,

.. code-block:: text

   T[j, j, k] = flow[j, k] · native_part[j, k] / m
   T[k, j, k] = flow[j, k] · return_part[j, k] / m
   T[i, j, k] = flow[j, k] · (m - native_part[j, k] - return_part[j, k]) / m · w[i] / Σ w,   i, j and k all different
   w[i]       = stock[i, j] · exp(0.01 presence[i, j]) · exp(0.02 leaning[i, k])

so that the sum over birthplaces is the released flow exactly, whatever was rounded. ``stock`` is the released one of
1 January; ``presence`` turns it into persons exposed to moving, up to a factor per origin that cancels.
"""
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from .. import artifacts
from ..results.birthplace_ends import KINDS, SHARES_FROM
from ..results.labels import attributes_of
from .factors import Moves
from .files import Store

PARTS = 1000            # steps of a part, fewer where a step would be less than a person
PRESENCE_STEP, LEANING_STEP = 0.01, 0.02
_MOST = 10_000          # int16 would hold more, float64 not the exponential of it
VARIABLES = ("native_part", "return_part", "presence", "leaning")


def parts_of(flow: np.ndarray) -> np.ndarray:
    """Into how many parts flows are divided by birthplace."""
    return np.minimum(PARTS, np.ceil(flow.astype(np.float64)))


def _weights(stock, presence, leaning) -> tuple[np.ndarray, np.ndarray]:
    """Who lives where (diagonal zero) and what draws them (diagonal zero): the two factors of ``w``, float64."""
    living = stock.astype(np.float64) * np.exp(PRESENCE_STEP * presence)
    drawn = np.exp(LEANING_STEP * leaning.astype(np.float64))
    for values in (living, drawn):
        values[..., np.arange(values.shape[-1]), np.arange(values.shape[-1])] = 0.0
    return living, drawn


def encode(moves: Moves, flow: np.ndarray, stock: np.ndarray) -> dict[str, np.ndarray]:
    """One year's stored form.

    Parameters
    ----------
    moves : what the model says, see :mod:`humanflows.dataset.factors`.
    flow : as released, persons [N, N].
    stock : as released, persons on 1 January of the year [birthplace, residence].

    Returns
    -------
    dict of int16 [N, N]: ``VARIABLES``.
    """
    n = len(flow)
    off = ~np.eye(n, dtype=bool)
    with np.errstate(divide="ignore", invalid="ignore"):
        presence = np.log(moves.presence / stock)
        leaning = np.log(moves.leaning)
    there = off & np.isfinite(presence)
    # A factor per origin of the presence, and one per destination of the leaning, cancel: what is stored is small.
    presence = _rounded(np.where(there, presence - _middle(presence, there), 0.0), PRESENCE_STEP)
    drawn = off & np.isfinite(leaning)
    low = leaning[drawn].min() if drawn.any() else 0.0      # no draw at all is stored as the least there is
    leaning = np.where(np.isfinite(leaning), leaning, low)
    leaning = _rounded(np.where(off, leaning - _middle(leaning, off), 0.0), LEANING_STEP)

    living, pull = _weights(stock, presence, leaning)
    share = np.stack([moves.native, moves.back, np.where(living.T @ pull > 0, moves.onward, 0.0)])
    total = share.sum(0)
    share = np.where(total > 0, share / np.where(total > 0, total, 1.0), np.array([1.0, 0.0, 0.0])[:, None, None])
    parts = parts_of(flow)
    native = np.round(share[0] * parts)
    back = np.minimum(np.round(share[1] * parts), parts - native)
    # Rounding may leave a part for people who move on where nobody is there to do so.
    native = np.where(living.T @ pull > 0, native, parts - back)
    return dict(zip(VARIABLES, (native.astype(np.int16), back.astype(np.int16), presence, leaning)))


def _middle(values, chosen):
    """Mean of the chosen ones of each column."""
    return np.where(chosen, values, 0.0).sum(0) / np.maximum(chosen.sum(0), 1)


def _rounded(values, step):
    return np.clip(np.round(values / step), -_MOST, _MOST).astype(np.int16)


def write_birthplace(years: Iterable[Moves], flow: np.ndarray, stock: np.ndarray, calendar: list[int],
                     codes: list[str], target: Path, *, made_from: str, spread: np.ndarray | None = None,
                     profile: str = "world") -> Path:
    """Write ``birthplace.nc`` of a release.

    Parameters
    ----------
    years : one :class:`humanflows.dataset.factors.Moves` per year, taken one at a time.
    flow : as released [year, origin, destination], persons.
    stock : as released [1 January, birthplace, residence], persons.
    calendar, codes : years and territories.
    made_from : what the parts are of, e.g. ``"mean of 20 members"``; stored with them.
    spread : how sure shares are (kind, share class), see :mod:`humanflows.results.birthplace_ends`; intervals need it.
    profile : whose the release is; the file says whether it is simulated.
    """
    import xarray as xr

    n = len(codes)
    kept = {v: np.zeros((n, n, len(calendar)), np.int16) for v in VARIABLES}     # years side by side compress best
    for t, moves in enumerate(years):
        for variable, values in encode(moves, flow[t], stock[t]).items():
            kept[variable][:, :, t] = values
    dims = {"native_part": ("origin", "destination"), "return_part": ("origin", "destination"),
            "presence": ("birthplace", "origin"), "leaning": ("birthplace", "destination")}
    names = {"native_part": "part of the flow that was born in the origin, of min(1000, ceil(flow))",
             "return_part": "part of the flow that was born in the destination, of min(1000, ceil(flow))",
             "presence": f"log of persons exposed over stock, steps of {PRESENCE_STEP:g}, up to a term per origin",
             "leaning": f"log of what draws a birthplace's people, steps of {LEANING_STEP:g}, up to a term per "
                        "destination"}
    places = {d: np.array(codes) for d in ("birthplace", "origin", "destination")}
    dataset = xr.Dataset({v: ((*dims[v], "year"), a, {"long_name": names[v]}) for v, a in kept.items()},
                         coords={"year": calendar, **places},
                         attrs={"Conventions": "CF-1.11", "title": "Flows by birthplace, factorised",
                                "made_from": made_from, "licence": "CC BY 4.0", "creator": "humanflows",
                                **attributes_of(profile),
                                "comment": " ".join(__doc__.split(".. code-block:: text")[-1].split())})
    if spread is not None:
        dataset["share_spread"] = (("kind", "share_from"), np.asarray(spread, dtype=np.float64), {
            "long_name": "standard deviation of the error of log(1 + persons) that comes from a birthplace's share"})
        dataset = dataset.assign_coords(kind=list(KINDS), share_from=list(SHARES_FROM))
    return artifacts.write_netcdf(dataset, target, compress=9)


class ByBirthplace:
    """Slices of the flows by birthplace, each worked out when asked for.

    Parameters
    ----------
    store : of a release that holds ``birthplace.nc``.
    """

    def __init__(self, store: Store):
        self._store = store

    def _year(self, t: int):
        """Flow, its three parts, and the two factors of one year."""
        native, back, presence, leaning = (self._store.array(v)[:, :, t] for v in VARIABLES)
        flow = self._store.array("flow")[t].astype(np.float64)
        parts = np.maximum(parts_of(flow), 1.0)
        living, drawn = _weights(self._store.array("stock")[t], presence, leaning)
        return flow * native / parts, flow * back / parts, flow * (parts - native - back) / parts, living, drawn

    def of_corridor(self, origin: int, destination: int, years: np.ndarray) -> np.ndarray:
        """Persons of one corridor [year, birthplace], float64; arguments are positions."""
        o, d, store = origin, destination, self._store
        flow = store.array("flow")[years, o, d].astype(np.float64)
        out = np.zeros((len(years), len(store.codes)))
        if o == d:
            return out
        native, back = (store.array(v)[o, d][years] for v in ("native_part", "return_part"))
        weight = store.array("stock")[years, :, o].astype(np.float64) * np.exp(
            PRESENCE_STEP * store.array("presence")[:, o][:, years].T + LEANING_STEP * store.array("leaning")[:, d][
                :, years].T)
        weight[:, [o, d]] = 0.0
        parts = np.maximum(parts_of(flow), 1.0)
        total = weight.sum(1)
        out = (flow * (parts - native - back) / parts / np.where(total > 0, total, 1.0))[:, None] * weight
        out[:, o], out[:, d] = flow * native / parts, flow * back / parts
        return out

    def of_birthplace(self, birthplace: int, year: int) -> np.ndarray:
        """Persons born in one place [origin, destination] in one year, float64; arguments are positions."""
        native, back, onward, living, drawn = self._year(year)
        total = living.T @ drawn
        out = onward / np.where(total > 0, total, 1.0) * np.outer(living[birthplace], drawn[birthplace])
        out[birthplace], out[:, birthplace] = native[birthplace], back[:, birthplace]
        return out

    def of_origin(self, origin: int, year: int) -> np.ndarray:
        """Persons leaving one place [birthplace, destination] in one year, float64; arguments are positions."""
        native, back, onward, living, drawn = self._year(year)
        weight = living[:, origin, None] * drawn
        total = weight.sum(0)
        out = onward[origin] / np.where(total > 0, total, 1.0) * weight
        np.fill_diagonal(out, back[origin])
        out[origin] = native[origin]
        return out

    def of_destination(self, destination: int, year: int) -> np.ndarray:
        """Persons arriving in one place [birthplace, origin] in one year, float64; arguments are positions."""
        native, back, onward, living, drawn = self._year(year)
        weight = living * drawn[:, destination, None]
        total = weight.sum(0)
        out = onward[:, destination] / np.where(total > 0, total, 1.0) * weight
        np.fill_diagonal(out, native[:, destination])
        out[destination] = back[:, destination]
        return out

    def margins(self, year: int) -> tuple[np.ndarray, np.ndarray]:
        """Arrivals [birthplace, destination] and departures [birthplace, origin] of one year, persons, float64.

        Three matrix products, as in :mod:`humanflows.model.accounting`; the table is not made.
        """
        native, back, onward, living, drawn = self._year(year)
        total = living.T @ drawn
        rate = onward / np.where(total > 0, total, 1.0)
        arrivals = native + drawn * (living @ rate) + np.diag(back.sum(0))
        departures = living * (drawn @ rate.T) + back.T + np.diag(native.sum(1))
        return arrivals, departures
