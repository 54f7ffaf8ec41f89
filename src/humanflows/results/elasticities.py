r"""How flows answer to covariates: elasticities of a trained member, over its largest corridors and all years.

An elasticity is ``d log flow / d log covariate``: by how many per cent a flow is higher where a covariate is one per
cent higher, all other covariates being as they are. A flow has three parts (:mod:`humanflows.model.accounting`):
natives who leave, people who return, people who move on. With their shares ``s`` of the flow and log-hazards ``h``,

.. code-block:: text

   d log flow / d log x = (s_native + s_onward) · d h_native / d log x + s_back · d h_back / d log x

The derivatives of the log-hazards are taken through the recurrent cell by forward-mode automatic differentiation (one
Jacobian-vector product for each covariate [1]_), exactly; the chain rule through the features, which are standardised
logarithms for the most part, is written out here. The covariate is higher *in all years up to the one shown*, so that
what the cell remembers counts. Held fixed are stocks and the time that people are at risk of leaving: an elasticity
says how a flow differs at once, not what follows from it in later years. The one exception is the population of the
origin: one per cent more of it is one per cent more of everybody who may leave, which adds one.

What is no quantity (a common border, membership) has a step instead: the log of the flow with it over the flow without.

References
----------
.. [1] Baydin, Pearlmutter, Radul & Siskind (2018), Automatic differentiation in machine learning: a survey, Journal of
       Machine Learning Research 18 (153), 1–43.
"""
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
import xarray as xr
from torch import Tensor
from torch.func import jvp

from ..errors import InputError
from ..model import accounting
from ..model.recursion import FlowModel
from ..panel.features import Features, build_features

LARGEST = 1000      # corridors, by mean flow: four fifths of all moves
ORIGIN, DESTINATION, PAIR, YEAR = "origin", "destination", "pair", "year"     # whose covariate it is
ELASTICITY, STEP = "elasticity", "step"
QUANTILES = {"q05": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "q95": 0.95}
COLUMNS = ("member", "covariate", "title", "role", "kind", "mean", *QUANTILES, "share")

# Territory covariates: title, and d raw / d log x, where raw is what is standardised (see _raw).
_TERRITORY: dict[tuple[str, ...], tuple[str, Callable]] = {
    ("log_population",): ("population", np.ones_like),
    ("log_gdp_per_capita",): ("GDP per capita", np.ones_like),
    ("birth_rate",): ("birth rate", lambda raw: raw),
    ("life_expectancy",): ("life expectancy", lambda raw: raw),
    # raw = sign(r) √|r|; one per cent more of a signed number is its size's hundredth towards the positive
    ("net_migration_rate",): ("net migration rate", lambda raw: np.abs(raw) / 2),
    # raw = log(1 + x), and of signed numbers sign(x) log(1 + |x|): d raw / d log x = |x| / (1 + |x|)
    ("log_conflict_deaths", "log_conflict_deaths_before"): ("conflict deaths", lambda raw: -np.expm1(-np.abs(raw))),
    ("displaced_out_change",): ("change of the displaced from here", lambda raw: -np.expm1(-np.abs(raw))),
    ("displaced_in_change",): ("change of the displaced here", lambda raw: -np.expm1(-np.abs(raw))),
}
# Pair covariates whose feature is sign(x) log(1 + |x|) over a number.
_COUNTS = {
    "log_counted_stock": ("migrants from the origin there", 5), "log_counted_stock_back": ("migrants from there", 5),
    "stock_growth": ("growth of their number", 5), "stock_growth_back": ("growth of the number from there", 5),
    "log_displaced": ("refugees from the origin there", 5), "log_displaced_back": ("refugees from there", 5),
    "displaced_change": ("change of refugees there", 5), "displaced_change_back": ("change of refugees from there", 5),
    "log_displaced_flow": ("new refugees of the year", 5),
    "log_trade": ("exports", 10), "log_trade_back": ("imports", 10),
    "log_reconstructed": ("reconstructed flow", 5), "log_reconstructed_back": ("reconstructed flow back", 5),
}
# Steps: title, and the feature's values without and with; None where they are those of 0 and 1 before standardising.
_TERRITORY_STEPS = {"eu_member": "member of the EU", "democracy": "electoral democracy, 0 to 1",
                    "liberal_democracy": "liberal democracy, 0 to 1", "gdp_growth": "growth one point higher"}
_PAIR_STEPS = {"contiguity": ("common border", 2.0), "common_language": ("common language, 0 to 1", None),
               "colony_of_destination": ("destination was coloniser", 1.0),
               "colony_of_origin": ("origin was coloniser", 1.0),
               "religious_similarity": ("same religions, 0 to 1", None), "same_region": ("same region", 1.0),
               "visa_ease": ("no visa needed, 0 to 1", None), "visa_ease_back": ("no visa needed the other way", None),
               "both_eu": ("both in the EU", 1.0)}


class Question(NamedTuple):
    """One covariate, ready to be asked: what is added to what the cell reads, [year, corridor] by feature position."""

    covariate: str
    title: str
    role: str
    kind: str
    along: dict[int, np.ndarray]                # elasticity: d feature / d log x. Step: feature with less that it has
    without: dict[int, np.ndarray] | None = None    # step: feature without less that it has
    where: np.ndarray | None = None             # [year, corridor] bool: where it says anything; everywhere by default
    persons: float = 0.0                        # elasticity of the number of people at risk of leaving


def flow_elasticities(model: FlowModel, panel: xr.Dataset, *, without: str = "", member: int = 1,
                      largest: int = LARGEST, parts: tuple[np.ndarray, np.ndarray] | None = None) -> pd.DataFrame:
    """Elasticities of one member's flows, their distribution over corridors and years weighed by flow.

    Parameters
    ----------
    model : trained, of this panel.
    panel : what its features were built from.
    without : ``model.without`` of its configuration.
    member : number, for the table.
    largest : corridors asked, those with the largest mean flow.
    parts : what :func:`parts_of_flows` gives, where it is already known; worked out by default.

    Returns
    -------
    DataFrame with columns ``COLUMNS``, a row for each covariate and role: ``mean`` and weighted quantiles of the
    elasticity (per cent per cent) or of the step (log of a ratio of flows); ``share``, how much of the flow asked is in
    corridor-years where the covariate says something (conflict deaths: where there are any).

    Raises
    ------
    InputError
        For fewer than one corridor, or a panel that is not the model's.
    """
    features = build_features(panel, without)
    if largest < 1 or features.unilateral.shape != tuple(model.unilateral.shape):
        raise InputError("elasticities", f"{largest} corridors, features {features.unilateral.shape} for a model of "
                         f"{tuple(model.unilateral.shape)}", "give the model's own panel, and at least one corridor")
    shares, flow = parts_of_flows(model) if parts is None else parts
    order = np.argsort(-flow.mean(0), axis=None, kind="stable")[:min(largest, model.n * (model.n - 1))]
    origin, destination = np.unravel_index(order, flow.shape[1:])
    weight, shares = flow[:, origin, destination], shares[:, origin, destination]
    ask = _Cell(model, origin, destination)
    rows = []
    for q in questions(features, panel, origin, destination):
        if q.kind == ELASTICITY:
            native, back = ask.derivative(q.along, q.role)
            values = (1 - shares) * native + shares * back + q.persons
        else:
            with_, less = (np.log((1 - shares) * np.exp(n) + shares * np.exp(b))
                           for n, b in (ask.difference(q.along, q.role), ask.difference(q.without, q.role)))
            values = with_ - less
        used = weight if q.where is None else weight * q.where
        if used.sum() > 0:
            rows.append((member, q.covariate, q.title, q.role, q.kind, float((values * used).sum() / used.sum()),
                         *weighted_quantiles(values, used, list(QUANTILES.values())), float(used.sum() / weight.sum())))
    return pd.DataFrame(rows, columns=list(COLUMNS))


@torch.no_grad()
def parts_of_flows(model: FlowModel) -> tuple[np.ndarray, np.ndarray]:
    """Share of each flow that returns to its birthplace, and the flow, persons: [year, origin, destination] each."""
    back, total = [], []
    for t, (stock, hazards) in enumerate(model.walk()):
        exits = accounting.compete(stock, hazards, model.death_rate[t], model.diagonal)
        foreign = exits.exposure * (1 - torch.eye(model.n, device=stock.device))
        returns = foreign.mT * exits.back
        leaving = exits.exposure.diagonal()[:, None] * exits.native
        whole = returns + leaving + exits.onward * (foreign.mT @ exits.affinity)
        back.append(returns.cpu().double().numpy())
        total.append(whole.cpu().double().numpy())
    flow = np.stack(total)
    return np.stack(back) / np.maximum(flow, 1e-30), flow


class _Cell:
    """The cell on chosen corridors, asked what becomes of its log-hazards when what it reads changes."""

    def __init__(self, model: FlowModel, origin: np.ndarray, destination: np.ndarray):
        cell = self.cell = model.cell
        o, d = (torch.as_tensor(x, device=model.births.device) for x in (origin, destination))
        with torch.no_grad():
            origins, destinations = cell.territories(model.unilateral)
            pair = torch.cat([model.static[o, d].expand(model.years, -1, -1), model.dynamic[:, o, d]], 2)
            self.read = origins[:, o] + destinations[:, d] + cell.of_pair(pair)     # [Y, P, width]
        # What is read is linear in the features: their columns say how.
        self.columns = {ORIGIN: cell.as_origin.weight, DESTINATION: cell.as_destination.weight,
                        PAIR: cell.of_pair.weight, YEAR: cell.as_origin.weight + cell.as_destination.weight}

    def _change(self, by_feature: dict[int, np.ndarray], role: str) -> Tensor:
        with torch.no_grad():
            return sum(torch.as_tensor(x, dtype=self.read.dtype, device=self.read.device).unsqueeze(-1)
                       * self.columns[role][:, k] for k, x in by_feature.items())

    def _said(self, read: Tensor) -> Tensor:
        memory, out = read.new_zeros(read.shape[1], self.cell.hidden), []
        for now in read.unbind(0):
            said, memory = self.cell.step(now + self.cell.of_memory(memory), memory)
            out.append(said)
        return torch.stack(out)

    @torch.no_grad()
    def derivative(self, along: dict[int, np.ndarray], role: str) -> tuple[np.ndarray, np.ndarray]:
        """Derivative of both log-hazards, [year, corridor] each, along a direction of the features."""
        _, found = jvp(self._said, (self.read,), (self._change(along, role),))
        return tuple(found.cpu().double().numpy().transpose(2, 0, 1))

    @torch.no_grad()
    def difference(self, change: dict[int, np.ndarray], role: str) -> tuple[np.ndarray, np.ndarray]:
        """What both log-hazards are more than they are, [year, corridor] each, when features change by so much."""
        found = self._said(self.read + self._change(change, role)) - self._said(self.read)
        return tuple(found.cpu().double().numpy().transpose(2, 0, 1))


def questions(features: Features, panel: xr.Dataset, origin: Sequence[int], destination: Sequence[int],
              ) -> Iterator[Question]:
    """Every covariate that the features hold, of the corridors given as positions."""
    raw, sizes = _raw(panel), (panel.sizes["year"], len(origin))
    place = {n: k for k, n in enumerate(features.unilateral_names)}
    for role, at in ((ORIGIN, origin), (DESTINATION, destination)):
        for names, (title, slope) in _TERRITORY.items():
            if set(names) <= set(place):
                along = {place[n]: _known(slope(raw[n]) / _sd(raw[n]), raw[n])[:, at] for n in names}
                where = np.any([a > 0 for a in along.values()], axis=0)
                at_risk = float(names[0] == "log_population" and role == ORIGIN)
                yield Question(names[0], title, role, ELASTICITY, along, where=where, persons=at_risk)
        for name, title in _TERRITORY_STEPS.items():
            if name in place:
                has = features.unilateral[:, at, place[name]].astype(float)
                known = np.isfinite(raw[name])[:, at]
                low, high = ((v - np.nanmean(raw[name])) / _sd(raw[name]) for v in (0.0, 1.0))
                if name == "gdp_growth":
                    low, high = has, has + 1 / _sd(raw[name])
                yield Question(name, title, role, STEP, {place[name]: high - has}, {place[name]: low - has}, known)
    yield from _of_pairs(features, panel, origin, destination, sizes)
    if "pandemic" in place:     # of the years as they were, beside the same years without it
        k = place["pandemic"]
        has = features.unilateral[:, 0, k].astype(float)[:, None] * np.ones(sizes)
        yield Question("pandemic", "pandemic", YEAR, STEP, {k: 0 * has}, {k: -has}, has > 0)


def _of_pairs(features: Features, panel: xr.Dataset, origin, destination, sizes) -> Iterator[Question]:
    static, dynamic = list(features.static_names), list(features.dynamic_names)
    names = static + dynamic
    if "log_distance" in static:
        slope = np.full(sizes, 1 / _sd(np.log(np.maximum(panel["distance"].values, 1.0))))
        yield Question("log_distance", "distance", PAIR, ELASTICITY, {names.index("log_distance"): slope})
    for name, (title, scale) in _COUNTS.items():
        if name in dynamic:
            has = features.dynamic[:, origin, destination, dynamic.index(name)].astype(float)
            slope = -np.expm1(-scale * np.abs(has)) / scale
            yield Question(name, title, PAIR, ELASTICITY, {names.index(name): slope}, where=slope > 0)
    for name, (title, size) in _PAIR_STEPS.items():
        if name in names:
            has = (features.static[None, origin, destination, static.index(name)] if name in static
                   else features.dynamic[:, origin, destination, dynamic.index(name)]).astype(float) * np.ones(sizes)
            low, high = (0.0, size) if size else _standard_steps(panel, name)
            yield Question(name, title, PAIR, STEP, {names.index(name): high - has}, {names.index(name): low - has})


def _standard_steps(panel: xr.Dataset, name: str) -> tuple[float, float]:
    values = panel[name.removesuffix("_back")].values
    return tuple((v - np.nanmean(values)) / _sd(values) for v in (0.0, 1.0))


def _raw(panel: xr.Dataset) -> dict[str, np.ndarray]:
    """Territory features [year, residence] before they are standardised, as ``panel.features`` has them."""
    population = panel["population"].values[:-1]
    conflict = np.nan_to_num(panel["conflict_deaths"].values)
    rate = panel["net_migration"].values / population
    out = {"log_population": np.log(population), "log_gdp_per_capita": np.log(panel["gdp_per_capita"].values),
           "gdp_growth": np.clip(panel["gdp_growth"].values, -30, 30), "log_conflict_deaths": np.log1p(conflict),
           "log_conflict_deaths_before": np.log1p(np.vstack([conflict[:1], conflict[:-1]])),
           "eu_member": np.nan_to_num(panel["eu_member"].values), "birth_rate": panel["births"].values / population,
           "life_expectancy": panel["life_expectancy"].values,
           "net_migration_rate": np.sign(rate) * np.sqrt(np.abs(rate)),
           **{v: panel[v].values for v in ("democracy", "liberal_democracy") if v in panel}}
    nobody = np.zeros((*rate.shape, rate.shape[1]))
    displaced = panel["displaced_stock"].values if "displaced_stock" in panel else nobody
    change = np.diff(np.concatenate([panel["displaced_before"].values[None], displaced]), axis=0) \
        if "displaced_before" in panel else np.zeros_like(displaced)
    for name, axis in (("displaced_out_change", 2), ("displaced_in_change", 1)):
        total = change.sum(axis)
        out[name] = np.sign(total) * np.log1p(np.abs(total))
    return out


def _sd(values: np.ndarray) -> float:
    sd = float(np.nanstd(values))
    return sd if sd > 0 else 1.0


def _known(slope: np.ndarray, raw: np.ndarray) -> np.ndarray:
    """Nothing follows from a covariate that is not known: its feature stays at the mean."""
    return np.where(np.isfinite(raw), slope, 0.0)


def weighted_quantiles(values: np.ndarray, weights: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """Quantiles of values of which each stands for so many persons: the least value with as much weight below or at it.

    Raises
    ------
    InputError
        Without positive weight.
    """
    values, weights = np.ravel(values), np.ravel(weights)
    if not weights.sum() > 0:
        raise InputError("quantiles", "no weight", "give positive weights")
    order = np.argsort(values, kind="stable")
    grown = np.cumsum(weights[order]) / weights.sum()
    return values[order][np.minimum(np.searchsorted(grown, np.asarray(levels) - 1e-12), len(order) - 1)]
