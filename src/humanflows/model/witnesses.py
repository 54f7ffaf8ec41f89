"""How data see flows: every source, reporter and side a noisy witness of what the model predicts.

A report by residence sees flow(origin, destination). A report of arrivals by citizenship or birthplace i in k sees all
who were born in i and arrive in k from anywhere; of departures, all born in i who leave j to anywhere. Each witness
has one multiplicative bias, learned and shrunk towards none: without that shrinkage the biases swallow the level.

Errors are measured on a square-root scale, where a Poisson count has constant variance, and on a log scale, where a
corridor of ten persons counts as much as one of a million; each divided by the variance of the data on that scale, so
that every term is a share of unexplained variance and weights compare.
"""
from math import exp

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from ..config import LossConfig
from ..panel.draws import drawn_biases, drawn_weights
from ..schema import OWN_RECONSTRUCTION
from .courses import novelty, novelty_of_courses
from .recursion import AFFINITY_START, ONWARD_START, FlowModel, Trajectory

CHANGE_YEARS = 5        # a series this long has a course over time worth learning
# How much each collection counts beside the others. Citizenship and birthplace are proxies of what the model predicts;
# social-media counts know destination and level well and small corridors not at all.
COLLECTION_WEIGHT = {"residence": 1.0, "citizenship": 0.4, "birthplace": 0.4, "meta": 1.5}
# A proxy may lie far from what it stands for: its bias is shrunk less than that of a count of the thing itself.
PROXY_RIDGE = 0.1
# Onward moves per migrant and year. Hardly any source tells them from other moves, and with no word about their number
# they die out in training: a hazard near zero has no gradient. So their world total is held, softly, near this rate.
ONWARD_RATE = 0.01
SPREAD_START = -0.35   # log of a report's spread around what the witness should say, on a log scale
SPREAD_RIDGE = 0.01    # shrinkage of each witness's spread towards it
TAIL = 4.0             # degrees of freedom of reports' errors: an office that leaves out most movers is far out
# Sources that leave out counts below a number: an absent corridor is a small one there, not an unknown one.
CENSORED_BELOW = {"meta": 50}


def effect_penalty(model: FlowModel, config: LossConfig) -> Tensor:
    """Shrinkage of the effects: mean squares, so that it does not depend on how many pairs and years there are."""
    pairs = max(len(model.direction), 1)   # none in a world without migrants
    lasting = 2 * (model.tie**2).sum() / pairs + (model.direction**2).sum() / pairs
    scalars = (model.onward_level - ONWARD_START) ** 2 + (model.affinity_slope - AFFINITY_START) ** 2
    return config.pair_ridge * (lasting + 0.1 * scalars) + config.wave_ridge * (model.wave**2).sum() / pairs \
        + config.course_ridge * novelty_of_courses(model.course, model.course_gap) \
        + config.turnover_ridge * novelty(model.turnover) + config.balance_ridge * novelty(model.balance)


def signed_sqrt(x: Tensor) -> Tensor:
    """Square root that keeps the sign, smooth through zero: x / sqrt(|x| + 1)."""
    return x / torch.sqrt(x.abs() + 1.0)


class Witnesses(nn.Module):
    """Compares a trajectory with everything that was observed outside the held-out corridors.

    Parameters
    ----------
    panel : the panel; a member's draw of weights and biases (``panel.draws``) counts where the panel holds one.
    mask : [observation] bool, the observations to learn from (``splits.training_observations``).
    corridors : [origin, destination] bool, corridors whose reconstructions may be learned from.
    """

    def __init__(self, panel: xr.Dataset, mask: np.ndarray, corridors: np.ndarray, config: LossConfig):
        super().__init__()
        self.config = config
        self.collections, self.collection_of = _collections(panel)
        self.log_bias = nn.Parameter(torch.zeros(panel.sizes["witness"]))
        self.collection_bias = nn.Parameter(torch.zeros(len(self.collections)))
        self.log_spread = nn.Parameter(torch.full((panel.sizes["witness"],), SPREAD_START))
        ridge = np.where(panel.witness_criterion.values == "residence", 1.0, PROXY_RIDGE).astype(np.float32)
        self._keep(witness_ridge=ridge, collection_ridge=np.array(
            [1.0 if c.endswith("residence") else PROXY_RIDGE for c in self.collections], np.float32))
        self._anchors(panel)
        self._observations(panel, mask)
        self._censored(panel, mask, corridors)
        self._stocks(panel)
        self._net_migration(panel)
        self._reconstruction(panel, corridors)

    def _keep(self, **arrays):
        for name, value in arrays.items():
            self.register_buffer(name, torch.as_tensor(np.ascontiguousarray(value)), persistent=False)

    def _anchors(self, panel) -> None:
        """The biases that a member's are shrunk towards, where it drew any: none otherwise."""
        drawn = drawn_biases(panel)
        self.has_anchors = drawn is not None
        if self.has_anchors:
            _, first = np.unique(self.collection_of, return_index=True)
            self._keep(log_bias_anchor=drawn[0], collection_bias_anchor=drawn[1][first])

    def _observations(self, panel, mask) -> None:
        n, years = panel.sizes["origin"], panel.sizes["year"]
        chosen = np.flatnonzero(mask)
        y, o, d, w = (panel[f"flow_{k}"].values[chosen].astype(np.int64)
                      for k in ("year", "origin", "destination", "witness"))
        side = panel.witness_side.values[w]
        by_residence = panel.witness_criterion.values[w] == "residence"
        # arrivals are [birthplace, destination]; people born in `destination` who leave `origin`: [birthplace, origin]
        flow, arrivals, departures = y * n * n + o * n + d, y * n * n + o * n + d, y * n * n + d * n + o
        block = years * n * n
        proxy = np.where(side == "emigration", 2 * block + departures, block + arrivals)
        position = np.where(by_residence, flow, proxy)
        persons = panel.flow_persons.values[chosen].astype(np.float32)
        collection = self.collection_of[w]
        size = np.bincount(collection, minlength=len(self.collections))
        share = np.array([_collection_weight(c) for c in self.collections]) * (size > 0)
        share = share / max(share.sum(), 1e-9)
        spread_root, spread_log = (_spread(f(persons), collection, len(self.collections)) for f in (np.sqrt, np.log1p))
        _, series = np.unique(w * n * n + o * n + d, return_inverse=True)
        length = np.bincount(series)
        mean_log = np.bincount(series, np.log1p(persons)) / length
        moving = (length >= CHANGE_YEARS)[series]
        change_weight = np.where(moving, mean_log[series], 0.0)
        change = np.log1p(persons) - mean_log[series]
        change_spread = np.average(change**2, weights=change_weight) if moving.any() else 1.0
        weight = (share / np.maximum(size, 1))[collection]
        drawn = drawn_weights(panel, w, o, d)
        if drawn is not None:    # beside stocks and net migration, reports weigh as much as they do undrawn
            weight = weight * drawn * (weight.sum() / max((weight * drawn).sum(), 1e-12))
        # what one witness says in a year of all corridors of one place: the level, which log errors leave too low
        place = np.where(side == "emigration", o, d)
        _, office_year = np.unique((w * n + place) * years + y, return_inverse=True)
        office_total = np.bincount(office_year, persons)
        office_weight = np.bincount(office_year, weight).astype(float)  # of nothing it would be integer
        office_weight /= max(office_weight.sum(), 1e-12)
        change_weight = change_weight * weight
        change_weight /= max(change_weight.sum(), 1e-12) * change_spread
        self._keep(obs_position=position, obs_persons=persons, obs_witness=w, obs_collection=collection,
                   obs_root=np.sqrt(persons), obs_log=np.log1p(persons),
                   obs_weight=weight.astype(np.float32),
                   obs_root_weight=(weight / spread_root[collection]).astype(np.float32),
                   obs_log_weight=(weight / spread_log[collection]).astype(np.float32),
                   obs_series=series, obs_change=change.astype(np.float32),
                   obs_change_weight=change_weight.astype(np.float32), obs_office_year=office_year,
                   office_log=np.log1p(office_total).astype(np.float32),
                   office_weight=office_weight.astype(np.float32))

    def _censored(self, panel, mask, corridors):
        """Corridors that a source which suppresses small counts leaves out, in the years that it covers."""
        n = panel.sizes["origin"]
        source = panel.witness_source.values.astype(str)
        position, witness, limit = [], [], []
        for name, below in CENSORED_BELOW.items():
            for w in np.flatnonzero(source == name):
                mine = panel.flow_witness.values == w
                y, o, d = (panel[f"flow_{k}"].values[mine].astype(np.int64) for k in ("year", "origin", "destination"))
                seen = mask[mine]    # that a source shows a held-out corridor at all is not to be learned either
                for year in np.unique(y[seen]):
                    here = y == year
                    origins, destinations = np.zeros(n, bool), np.zeros(n, bool)
                    origins[o[here & seen]], destinations[d[here & seen]] = True, True
                    absent = origins[:, None] & destinations[None] & corridors
                    absent[o[here], d[here]] = False
                    flat = np.flatnonzero(absent)
                    position.append(year * n * n + flat)
                    witness.append(np.full(len(flat), w))
                    limit.append(np.full(len(flat), below))
        self.has_censored = bool(position) and self.config.censored > 0
        if self.has_censored:
            witness = np.concatenate(witness)
            self._keep(censored_position=np.concatenate(position), censored_witness=witness,
                       censored_collection=self.collection_of[witness],
                       censored_log=np.log1p(np.concatenate(limit)).astype(np.float32))
            o, d = np.divmod(np.concatenate(position) % (n * n), n)
            drawn = drawn_weights(panel, witness, o, d)
            self.has_censored_weight = drawn is not None
            if self.has_censored_weight:
                self._keep(censored_weight=(drawn / max(drawn.sum(), 1e-12)).astype(np.float32))

    def _stocks(self, panel):
        """Levels of every revision at mid-year, and differences within a revision between successive figures."""
        observed = panel.stock_observed.values.astype(np.float64)
        start = panel.stock_year.values - int(panel.year[0])   # mid-year lies between 1 January start and start + 1
        n = panel.sizes["residence"]
        r, s, b, d = np.nonzero(np.isfinite(observed))
        value = observed[r, s, b, d].astype(np.float32)
        first = r * 0 + start[s]
        self._keep(stock_position=first * n * n + b * n + d, stock_root=np.sqrt(value), stock_log=np.log1p(value))
        self.stock_spread = (float(np.var(np.sqrt(value))), float(np.var(np.log1p(value))))
        difference = np.diff(observed, axis=1)
        r, s, b, d = np.nonzero(np.isfinite(difference))
        value = torch.as_tensor(difference[r, s, b, d])
        cell = b * n + d
        self._keep(difference_from=start[s] * n * n + cell, difference_to=start[s + 1] * n * n + cell,
                   difference_root=signed_sqrt(value).float())
        self.difference_spread = float(signed_sqrt(value).var())

    def _net_migration(self, panel):
        roots = []
        for name in ("net_migration", "net_migration_national"):
            value = torch.as_tensor(panel[name].values)
            at = torch.nonzero(value.reshape(-1).isfinite()).squeeze(1)
            roots.append((at, signed_sqrt(value.reshape(-1)[at]).float()))
        self._keep(net_position=torch.cat([a for a, _ in roots]), net_root=torch.cat([v for _, v in roots]))
        self.net_spread = float(self.net_root.var()) if len(self.net_root) else 1.0

    def _reconstruction(self, panel, corridors):
        """Five-year reconstructions (pseudo-Bayes), mid-year to mid-year; ours where there are any.

        Their bias is set, not learned: they are the only witness of the level where no office reports, and a free
        factor would give that away.
        """
        self.has_reconstruction = "reconstruction" in panel and self.config.reconstruction > 0
        if not self.has_reconstruction:
            return
        methods = panel.method.values.astype(str)
        chosen = sorted((k for k, m in enumerate(methods) if m.endswith("|da_pb_closed")),
                        key=lambda k: methods[k] != OWN_RECONSTRUCTION)
        self.has_reconstruction = bool(chosen)
        if not chosen:
            return
        values = panel.reconstruction.values[chosen[0]]
        start = panel.period.values - int(panel.year[0])
        whole = start + 5 < panel.sizes["year"]
        self.periods = [int(s) for s in start[whole]]
        values = values[whole][:, corridors]
        known = np.isfinite(values)
        self.has_reconstruction = bool(known.any())    # false where no period lies inside the panel's years
        if not self.has_reconstruction:
            return
        self._keep(corridor_flat=np.flatnonzero(corridors), reconstruction_known=np.flatnonzero(known),
                   reconstruction_root=np.sqrt(values[known]), reconstruction_log=np.log1p(values[known]))
        self.reconstruction_spread = (float(self.reconstruction_root.var()), float(self.reconstruction_log.var()))

    def predictions(self, run: Trajectory) -> Tensor:
        """What every flow witness should have said [M], persons."""
        flat = torch.cat([run.flow.reshape(-1), run.arrivals.reshape(-1), run.departures.reshape(-1)])
        return self.expected(flat.index_select(0, self.obs_position), self.obs_witness, self.obs_collection)

    def expected(self, persons: Tensor, witness: Tensor, collection: Tensor) -> Tensor:
        """Persons that witnesses should count of those who move: times the bias of witness and collection."""
        bias = self.log_bias.index_select(0, witness) + self.collection_bias.index_select(0, collection)
        return persons * torch.exp(bias)

    def terms(self, run: Trajectory) -> dict[str, Tensor]:
        """Unweighted loss terms, most about 1 for a model that knows nothing but the mean."""
        predicted = self.predictions(run)
        terms = {"flow": self.report_loss(predicted), "change": self.change_loss(predicted)}
        total = torch.zeros_like(self.office_log).index_add_(0, self.obs_office_year, predicted)
        terms["total"] = ((torch.log1p(total) - self.office_log) ** 2) @ self.office_weight
        if self.has_censored:
            censored = self.expected(run.flow.reshape(-1).index_select(0, self.censored_position),
                                     self.censored_witness, self.censored_collection)
            spread = torch.sqrt(torch.exp(2 * self.log_spread).index_select(0, self.censored_witness)
                                + 1 / (1 + censored.detach()))
            below = torch.special.log_ndtr((self.censored_log - torch.log1p(censored)) / spread)
            terms["censored"] = -(below @ self.censored_weight if self.has_censored_weight else below.mean())
        middle = (0.5 * (run.stock[1:] + run.stock[:-1])).reshape(-1)
        stock = middle.index_select(0, self.stock_position)
        terms["stock"] = 0.5 * (((torch.sqrt(stock + 0.1) - self.stock_root) ** 2).mean() / self.stock_spread[0]
                                + ((torch.log1p(stock) - self.stock_log) ** 2).mean() / self.stock_spread[1])
        difference = middle.index_select(0, self.difference_to) - middle.index_select(0, self.difference_from)
        terms["stock_difference"] = ((signed_sqrt(difference) - self.difference_root) ** 2).mean() \
            / self.difference_spread
        if len(self.net_position):
            net = (run.flow.sum(1) - run.flow.sum(2)).reshape(-1).index_select(0, self.net_position)
            terms["net_migration"] = ((signed_sqrt(net) - self.net_root) ** 2).mean() / self.net_spread
        terms["onward"] = _onward_term(run)
        if self.has_reconstruction:
            terms["reconstruction"] = self._reconstruction_term(run)
        terms["shrinkage"] = self.shrinkage()
        return terms

    def report_loss(self, predicted: Tensor, reports: Tensor | None = None) -> Tensor:
        """Distance of reports from what their witnesses should have said.

        Parameters
        ----------
        predicted : persons that the witness should have counted, [M], or [len(reports)]; see ``expected``.
        reports : positions of the reports among those learned from; all by default.
        """
        def of(name):
            value = getattr(self, f"obs_{name}")
            return value if reports is None else value.index_select(0, reports)

        if reports is not None:
            predicted = self.expected(predicted, of("witness"), of("collection"))
        root_error = (torch.sqrt(predicted + 0.1) - of("root")) ** 2
        loss = self.config.root * 0.5 * (root_error @ of("root_weight"))
        if self.config.likelihood == "squared_log":
            return loss + 0.5 * ((torch.log1p(predicted) - of("log")) ** 2 @ of("log_weight"))
        spread = torch.exp(2 * self.log_spread).index_select(0, of("witness"))
        nll = _student(predicted, of("log"), spread) if self.config.likelihood == "student" \
            else _negative_binomial(predicted, of("persons"), spread)
        return loss + 0.4 * (nll @ of("weight"))

    def change_loss(self, predicted: Tensor, reports: Tensor | None = None) -> Tensor:
        """Distance of the course over time of reported series from what their witnesses should have seen.

        Logs are taken about each series' mean, so that levels and biases play no part. Parameters as in
        ``report_loss``; with ``reports``, all of a series or none.
        """
        series, change, weight = self.obs_series, self.obs_change, self.obs_change_weight
        if reports is not None:
            series, change, weight = (x.index_select(0, reports) for x in (series, change, weight))
            series = torch.unique(series, return_inverse=True)[1]
        log = torch.log1p(predicted)
        number = int(series.max()) + 1 if len(series) else 0
        length = torch.zeros(number, device=log.device).index_add_(0, series, torch.ones_like(log))
        mean = torch.zeros(number, device=log.device).index_add_(0, series, log) / length
        return ((log - mean.index_select(0, series)) - change) ** 2 @ weight

    def shrinkage(self) -> Tensor:
        """Weighted shrinkage of biases and spreads."""
        spread = ((self.log_spread - SPREAD_START) ** 2).sum() / max(len(self.log_spread), 1)
        return self.config.bias_ridge * self._bias_term() + SPREAD_RIDGE * spread

    def _bias_term(self) -> Tensor:
        collection, witness = self.collection_bias, self.log_bias
        if self.has_anchors:
            collection, witness = collection - self.collection_bias_anchor, witness - self.log_bias_anchor
        return (self.collection_ridge * collection**2).sum() \
            + 5 * (self.witness_ridge * witness**2).sum() / max(len(witness), 1)

    def _reconstruction_term(self, run):
        flow = run.flow.reshape(len(run.flow), -1)[:, self.corridor_flat]
        sums = torch.stack([0.5 * flow[s] + flow[s + 1:s + 5].sum(0) + 0.5 * flow[s + 5] for s in self.periods])
        sums = sums.reshape(-1).index_select(0, self.reconstruction_known) * exp(self.config.reconstruction_bias)
        root, log = self.reconstruction_spread
        return 0.5 * (((torch.sqrt(sums + 0.1) - self.reconstruction_root) ** 2).mean() / root
                      + ((torch.log1p(sums) - self.reconstruction_log) ** 2).mean() / log)

    def loss(self, terms: dict[str, Tensor]) -> Tensor:
        """Weighted sum of the terms."""
        weights = {**vars(self.config), "shrinkage": 1.0}   # this comes weighted, by ridges of its own
        return sum(weights[k] * v for k, v in terms.items())


def _onward_term(run: Trajectory) -> Tensor:
    """Squared log distance of each year's world rate of onward moves from ``ONWARD_RATE``.

    Onward moves are all moves but natives leaving and migrants returning; the rate is per migrant of 1 January.
    """
    natives = run.departures.diagonal(dim1=1, dim2=2).sum(1)
    returns = run.arrivals.diagonal(dim1=1, dim2=2).sum(1)
    onward = run.flow.sum((1, 2)) - natives - returns
    stock = run.stock[:-1]
    migrants = stock.sum((1, 2)) - stock.diagonal(dim1=1, dim2=2).sum(1)
    return (torch.log(torch.clamp(onward / migrants, min=1e-7) / ONWARD_RATE) ** 2).mean()


def _student(predicted: Tensor, log_observed: Tensor, spread2: Tensor) -> Tensor:
    """Negative log density of log(1 + reports), Student t with ``TAIL`` degrees of freedom, but for a constant.

    Its variance is the witness's own plus what chance does to a count, about 1 / (1 + count) on a log scale.
    """
    scale2 = spread2 + 1 / (1 + predicted.detach())
    error2 = (torch.log1p(predicted) - log_observed) ** 2
    return 0.5 * torch.log(scale2) + (TAIL + 1) / 2 * torch.log1p(error2 / (TAIL * scale2))


def _negative_binomial(predicted: Tensor, observed: Tensor, spread2: Tensor) -> Tensor:
    """Negative log probability of counts with mean m and variance m + spread² m², but for a constant of the counts."""
    size, mean = 1 / spread2, predicted + 0.1
    return torch.lgamma(size) - torch.lgamma(observed + size) + (observed + size) * torch.log(size + mean) \
        - size * torch.log(size) - observed * torch.log(mean)


def _collections(panel) -> tuple[list[str], np.ndarray]:
    """Collections (source, side, criterion) and the collection of each witness."""
    names = np.array([f"{s}|{d}|{c}" for s, d, c in zip(
        panel.witness_source.values, panel.witness_side.values, panel.witness_criterion.values)])
    labels, index = np.unique(names, return_inverse=True) if len(names) else (np.array([]), np.array([], int))
    return [str(x) for x in labels], index


def _collection_weight(collection: str) -> float:
    source, _, criterion = collection.split("|")
    return COLLECTION_WEIGHT.get(source, COLLECTION_WEIGHT[criterion])


def _spread(values: np.ndarray, group: np.ndarray, groups: int) -> np.ndarray:
    """Variance within each group, at least a small number so that a constant group does not divide by zero."""
    count = np.maximum(np.bincount(group, minlength=groups), 1)
    mean = np.bincount(group, values, minlength=groups) / count
    return np.maximum(np.bincount(group, (values - mean[group]) ** 2, minlength=groups) / count, 1e-3)
