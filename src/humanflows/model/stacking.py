"""Members of one design laid along a leading dimension, so that one call of torch.func.vmap runs all of them.

Weights and tables of members are stacked as ``torch.func.stack_module_state`` does, but for two things. Tables that all
members have in common (distances, births, which pairs are active) are kept once. Lists whose lengths differ, because
members see other corridors and offices, are filled up with entries that count for nothing: reports and absent corridors
of weight zero, and moves from the first territory to itself, which are none and are reconstructed as none. Means over
lists that were filled up are scaled back. What a member learns is what it would learn alone, up to rounding.
"""
from collections.abc import Sequence
from types import SimpleNamespace

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from .recursion import FlowModel, Trajectory
from .witnesses import Witnesses, effect_penalty

NOT_IN_EPOCHS = ("unilateral", "static", "dynamic", "reported_in")    # what the cell alone reads, and what nobody does
_SPREADS = ("stock_spread", "difference_spread", "net_spread", "reconstruction_spread")
_LISTS = ("obs_", "office_", "censored_", "corridor_", "reconstruction_", "course")    # lengths may differ


class _Witnesses(Witnesses):
    """Witnesses whose spreads are tables and whose series are numbered beforehand: vmap can read neither off data."""

    stock_spread = property(lambda self: self.stock_spread_table)
    difference_spread = property(lambda self: self.difference_spread_table)
    net_spread = property(lambda self: self.net_spread_table)
    reconstruction_spread = property(lambda self: self.reconstruction_spread_table)

    def change_loss(self, predicted: Tensor, reports: Tensor | None = None, series: Tensor | None = None,
                    number: int | None = None) -> Tensor:
        """As ``Witnesses.change_loss``; of chosen reports, ``series`` [reports] are numbers below ``number``."""
        change, weight = self.obs_change, self.obs_change_weight
        if reports is None:
            series, number = self.obs_series, self.series_number
        else:
            change, weight = (x.index_select(0, reports) for x in (change, weight))
        log = torch.log1p(predicted)
        length = log.new_zeros(number).scatter_add(0, series, torch.ones_like(log)).clamp(min=1.0)
        mean = log.new_zeros(number).scatter_add(0, series, log) / length
        return ((log - mean.index_select(0, series)) - change) ** 2 @ weight


class _Whole(nn.Module):
    """Model and witnesses as one module, so that one functional call replaces the weights and tables of both."""

    def __init__(self, model: FlowModel, witnesses: Witnesses, series_number: int):
        super().__init__()
        self.model = model
        self.witnesses = like(_Witnesses, witnesses, _parameters=dict(witnesses._parameters),
                               _buffers=dict(witnesses._buffers), series_number=series_number,
                               has_censored_weight=True)

    def forward(self, what, *given):
        return what(self.model, self.witnesses, *given)


def like(kind: type, thing, **changed):
    """The same thing as another class, with some attributes changed."""
    twin = object.__new__(kind)
    vars(twin).update(vars(thing) | changed)
    return twin


class Stack:
    """Weights and tables of several members along a leading dimension.

    Parameters
    ----------
    models, witnesses : of the members, alike in ``shape_of``. Their parameters become views of the stacked ones: what
        changes the one changes the other.
    tables : names of the models' buffers that are needed; ``release`` ends that.
    """

    def __init__(self, models: Sequence[FlowModel], witnesses: Sequence[Witnesses], tables: Sequence[str]):
        self.parts = list(zip(models, witnesses))
        self.longest = max(len(m.course) for m in models)
        self.parameters = [{f"{part}.{k}": v for part, x in (("model", m), ("witnesses", w))
                            for k, v in x.named_parameters()} for m, w in self.parts]
        self.weights = {}
        for name in self.parameters[0]:
            self.weights[name] = _stack([p[name].detach() for p in self.parameters]).requires_grad_()
            for k, own in enumerate(self.parameters):
                own[name].data = self.weights[name].detach()[k][tuple(slice(x) for x in own[name].shape)]
        filled, series_number = _fill_up(list(witnesses))
        each = [{**{f"model.{k}": v for k, v in self._tables_of(m, tables).items()},
                 **{f"witnesses.{k}": v for k, v in f.items()}} for m, f in zip(models, filled)]
        self.whole = _Whole(models[0], witnesses[0], series_number)
        self.own, self.shared = share(each, never=("witnesses.office_log",))
        for k in (*self.own, *self.shared):    # a functional call replaces only what the module has
            part, name = k.split(".", 1)
            if part == "witnesses" and name not in self.whole.witnesses._buffers:
                self.whole.witnesses.register_buffer(name, torch.zeros(()), persistent=False)
        self.course_scale = torch.tensor([self.longest / max(len(m.course), 1) for m in models],
                                         device=models[0].births.device)

    def __len__(self) -> int:
        return len(self.parts)

    def _tables_of(self, model: FlowModel, names) -> dict[str, Tensor]:
        out = {}
        for name in names:
            value = getattr(model, name)
            if name in ("course_before", "course_after"):    # who has no neighbour reads the zero after all courses
                value = torch.where(value == len(model.course), self.longest, value.long())
            out[name] = value
        if "course_gap" in out:
            out["course_gap"] = to_length(out["course_gap"], self.longest, 0)
        return out

    def call(self, what, *given, shared=()):
        """``what(model, witnesses, *given of the member, *shared)`` of every member, results along the first dimension.

        Parameters
        ----------
        what : function of one member's model and witnesses, without branches on data.
        given : tensors, or nested dictionaries of them, with members along the first dimension.
        shared : what all members are given alike.
        """
        def one(weights, tables, given):
            return functional_call(self.whole, {**weights, **self.shared, **tables}, (what, *given, *shared))

        return vmap(one)(self.weights, self.own, given)

    def epoch(self) -> tuple[Tensor, dict[str, Tensor], Trajectory]:
        """Loss [member], its terms [member] each, and what is predicted [member, ...], of every member."""
        loss, terms, run = self.call(_epoch, self.course_scale)
        return loss, terms, Trajectory(*run)

    def hand_out_gradients(self) -> None:
        """Give each member's parameters their part of the stacked gradients."""
        for name, weight in self.weights.items():
            for k, own in enumerate(self.parameters):
                own[name].grad = None if weight.grad is None or not own[name].requires_grad \
                    else weight.grad[k][tuple(slice(x) for x in own[name].shape)]

    def forget_gradients(self) -> None:
        """Before a step."""
        for weight in self.weights.values():
            weight.grad = None

    def release(self) -> None:
        """Give members' parameters memory of their own."""
        for own in self.parameters:
            for parameter in own.values():
                parameter.data, parameter.grad = parameter.data.clone(), None


def _epoch(model: FlowModel, witnesses: Witnesses, course_scale: Tensor):
    run = model()
    terms = witnesses.terms(run)
    # The mean over single years of corridors divides by their number, here by that of the member that has most.
    config = SimpleNamespace(**{**vars(witnesses.config),
                                "course_ridge": witnesses.config.course_ridge * course_scale})
    return witnesses.loss(terms) + effect_penalty(model, config), terms, tuple(run)


def shape_of(model: FlowModel, witnesses: Witnesses) -> tuple:
    """What members must have in common to be stacked; lists that are filled up play no part."""
    shapes = [(k, tuple(v.shape)) for x in (model, witnesses) for k, v in (*x.named_parameters(), *x.named_buffers())
              if not k.startswith(_LISTS) or k.startswith(("course_before", "course_after", "course_weight"))]
    # Without any report, whole steps have no gradient, which AdamW skips; beside others it would be a gradient of zero.
    return (model.years, model.n, model.hidden_feature, len(witnesses.obs_log) > 0,
            model.wave_share.tobytes(), tuple(shapes), witnesses.has_anchors,
            witnesses.has_reconstruction, tuple(getattr(witnesses, "periods", ())))


def _fill_up(witnesses: list[Witnesses]) -> tuple[list[dict[str, Tensor]], int]:
    """Tables of members' witnesses with lists of one length, and the number of series."""
    tables = [dict(w.named_buffers()) for w in witnesses]
    device = tables[0]["obs_log"].device
    reports, offices, series = (max(x) for x in zip(*(
        (len(w.obs_log), len(w.office_log), int(w.obs_series.max()) + 1 if len(w.obs_series) else 0)
        for w in witnesses)))
    more = int(reports > 0)    # one entry that counts for nothing is there for steps on few reports
    for w, table in zip(witnesses, tables):
        for name in table:
            if name.startswith("obs_"):
                spare = {"obs_series": series, "obs_office_year": offices}.get(name, 0)
                table[name] = to_length(table[name], reports + more, spare)
            elif name.startswith("office_"):
                table[name] = to_length(table[name], offices + more, 0)
        for name in _SPREADS[:3]:
            table[f"{name}_table"] = torch.tensor(getattr(w, name), dtype=torch.float32, device=device)
    _fill_up_censored(witnesses, tables)
    if witnesses[0].has_reconstruction:
        _fill_up_reconstruction(witnesses, tables)
    return tables, series + more


def _fill_up_censored(witnesses: list[Witnesses], tables: list[dict[str, Tensor]]) -> None:
    longest = max((len(w.censored_log) for w in witnesses if w.has_censored), default=0)
    if not longest:
        return
    example = next(t for w, t in zip(witnesses, tables) if w.has_censored)
    for w, table in zip(witnesses, tables):
        if not w.has_censored:
            table |= {k: example[k][:0] for k in example if k.startswith("censored_")}
        if "censored_weight" not in table:
            number = len(table["censored_log"])
            table["censored_weight"] = torch.full_like(table["censored_log"], 1 / max(number, 1))
        table |= {k: to_length(v, longest, 0) for k, v in table.items() if k.startswith("censored_")}


def _fill_up_reconstruction(witnesses: list[Witnesses], tables: list[dict[str, Tensor]]) -> None:
    """One more corridor from the first territory to itself stands for every figure that a member does not have."""
    corridors = max(len(w.corridor_flat) for w in witnesses) + 1
    figures = max(len(w.reconstruction_known) for w in witnesses)
    none = {"reconstruction_root": float(torch.sqrt(torch.tensor(0.1))), "reconstruction_log": 0.0}
    for w, table in zip(witnesses, tables):
        known = table["reconstruction_known"].long()
        known = known // len(w.corridor_flat) * corridors + known % len(w.corridor_flat)
        share = len(known) / figures    # the mean is over all figures: those that stand for none change it
        table["reconstruction_known"] = to_length(known, figures, corridors - 1)
        table["corridor_flat"] = to_length(table["corridor_flat"], corridors, 0)
        for name, value in none.items():
            table[name] = to_length(table[name], figures, value)
        table["reconstruction_spread_table"] = share * torch.tensor(w.reconstruction_spread, dtype=torch.float32,
                                                                    device=known.device)


def to_length(x: Tensor, length: int, value: float) -> Tensor:
    """A list filled up at its end with a value."""
    return torch.cat([x, x.new_full((length - len(x), *x.shape[1:]), value)])


def _stack(tensors: Sequence[Tensor]) -> Tensor:
    """Along a new first dimension, those that are shorter filled up with zeros; integers are of one kind."""
    longest = max((len(x) for x in tensors), default=0) if tensors[0].ndim else 0
    filled = [to_length(x, longest, 0) if x.ndim and len(x) < longest else x for x in tensors]
    out = torch.stack(filled)
    return out.long() if out.dtype == torch.int32 else out


def share(each: list[dict[str, Tensor]], never: Sequence[str] = ()) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Tables that members have of their own, stacked, and those that are the same for all."""
    own, shared = {}, {}
    for name, first in each[0].items():
        alike = name not in never and all(first.shape == e[name].shape and torch.equal(first, e[name])
                                          for e in each[1:])
        (shared if alike else own)[name] = first if alike else _stack([e[name] for e in each])
    return own, shared
