"""Answers as columns: what is asked of a store comes back as a dict of arrays of one length, without pandas."""
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from ..errors import ArtifactError, InputError
from ..results.birthplace_ends import birthplace_ends, classes_of, kinds_of
from ..results.labels import LABEL
from . import grades, pairs
from .birthplace import VARIABLES, ByBirthplace
from .evidence import BASIS, EVIDENCE, Evidence
from .files import Store
from .inputs import quoted, whole
from .names import name, resolve
from .years import choose_years, means_years

Columns = dict[str, np.ndarray]
SIDES = ("inflow", "outflow")
SMALLEST = 0.5      # persons; slices by birthplace leave out what is less, as released flows do


class Answers:
    """Questions to one release; see :class:`humanflows.dataset.estimates.Estimates` for what they mean."""

    def __init__(self, folder: Path | str | None = None):
        self.store = Store(folder)
        self.codes, self.years = self.store.codes, self.store.years
        self._evidence: Evidence | None = None

    def place(self, text: str) -> int:
        """Position of a territory that is named or coded."""
        return self.store.position[resolve(text, self.codes)]

    @property
    def evidence(self) -> Evidence | None:
        """Who spoke; None where the release does not say."""
        store = self.store
        if self._evidence is None and store.has("spoke"):
            told = next((n for n in ("flow_evidence", "flow_seen") if store.has(n)), None)
            which = "evidence" if told == "flow_evidence" else "seen"
            given = {which: store.array(told), f"{which}_about": store.about(told)} if told else {}
            self._evidence = Evidence(store.array("spoke"), store.about("spoke"), self.codes, **given)
        return self._evidence

    @property
    def intervals(self) -> bool:
        """Whether flows have intervals."""
        return self.store.has("flow_lower") and self.store.has("flow_upper")

    def judged(self, *index) -> Columns:
        """Estimate, interval, basis, sources and grade of corridor-years given by an index (year, origin, destination).

        What the release does not hold is left out.
        """
        out = {"flow": self.store.array("flow")[index]}
        out |= self.ends("flow", index)
        ends = [out[f"flow_{k}"] for k in ("lower", "upper")] if self.intervals else [None, None]
        if "flow_lower80" in out:
            out["known"] = grades.is_known(*ends)
        if self.evidence:
            spread = self.store.array("flow_spread")[index] if self.store.has("flow_spread") else None
            out["basis"] = np.array(BASIS, dtype=object)[self.evidence.basis(*index)]
            if self.evidence.told:
                out["evidence"] = np.array(EVIDENCE, dtype=object)[self.evidence.evidence(*index)]
            out["sources"] = self.evidence.names_of(self.evidence.spoke[index])
            out["grade"] = np.array(grades.GRADES, dtype=object)[
                grades.grade(self.evidence.seen(*index), *ends, spread)]
        return out

    def ends(self, variable: str, index) -> Columns:
        """Ends of the intervals of a variable at an index that are shown: 80% first, where there is one, and 95%."""
        shown = [f"{variable}_{end}" for end in ("lower80", "upper80", "lower", "upper")]
        return {v: self.store.array(v)[index] for v in shown if self.store.has(v)}

    def flow(self, origin: str, destination: str, years=None) -> Columns:
        """One corridor."""
        o, d = self.corridor(origin, destination)
        at = choose_years(years, self.years)
        return {**self.named(year=at, origin=o, destination=d), **self.judged(at, o, d)}

    def top(self, side: str, place: str, year, number: int = 10) -> Columns:
        """Largest corridors into or out of a territory in one year."""
        side = choice(side, SIDES, "side")
        here, at = self.place(place), choose_years(year, self.years)
        if len(at) != 1:
            raise InputError("years", "the largest flows are those of one year", "give a single year, as 2019")
        rows = whole(number)
        if rows is None or rows < 1:
            raise InputError("number", f"{quoted(number)} rows", "ask for a whole number of rows, at least one")
        t = int(at[0])
        values = self.store.array("flow")[t, :, here] if side == "inflow" else self.store.array("flow")[t, here]
        order = np.argsort(-values, kind="stable")[:rows]
        order = order[values[order] > 0]
        o, d = (order, here) if side == "inflow" else (here, order)
        y = np.full(len(order), t)
        out = self.named(year=y, origin=o, destination=d)
        out["name"] = np.array([name(self.codes[k]) for k in order], dtype=object)
        judged = self.judged(y, o, d)
        share = judged["flow"] / max(float(values.sum(dtype=np.float64)), 1e-30)
        return {**out, "flow": judged.pop("flow"), "share": share, **judged}

    def net(self, place: str, other: str | None = None, years=None) -> Columns:
        """Inflow, outflow and net migration of a territory; with another territory alone, where one is named.

        Years may stand in the place of the other territory.
        """
        if years is None and means_years(other):
            other, years = None, other
        if other is not None:
            return {k: v for k, v in self.exchange(place, other, years).items() if not k.startswith("total")}
        k, at = self.place(place), choose_years(years, self.years)
        flow = self.store.array("flow")
        out = {**self.named(year=at, territory=k), "inflow": flow[at, :, k].sum(1, dtype=np.float64),
               "outflow": flow[at, k].sum(1, dtype=np.float64),
               "net_migration": self.store.array("net_migration")[at, k]}
        return out | self.ends("net_migration", (at, k))

    def total(self, place: str, other: str, years=None) -> Columns:
        """Inflow and outflow of a territory with another one, and both together."""
        return {k: v for k, v in self.exchange(place, other, years).items() if not k.startswith("net_migration")}

    def exchange(self, place: str, other: str, years=None) -> Columns:
        """Both directions between two territories, as the first one sees them: see :mod:`humanflows.dataset.pairs`."""
        k, o = self.corridor(place, other)
        at = choose_years(years, self.years)
        return {**self.named(year=at, territory=k, other=o), **self.exchanged(at, k, o)}

    def exchanged(self, at, here, there) -> Columns:
        """Columns of :func:`humanflows.dataset.pairs.exchange` by positions of years and territories."""
        flow, ends = self.store.array("flow"), None
        if self.intervals:
            lower, upper = self.store.array("flow_lower"), self.store.array("flow_upper")
            ends = [[v[at, o, d] for v in (lower, upper)] for o, d in ((there, here), (here, there))]
        return pairs.exchange(flow[at, there, here], flow[at, here, there], ends)

    def stock(self, birthplace: str | None = None, residence: str | None = None, dates=None) -> Columns:
        """People by birthplace and residence on 1 January; all of the one that is not given."""
        if birthplace is None and residence is None:
            raise InputError("stock", "neither a birthplace nor a residence is given", "name at least one of them")
        at = choose_years(dates, self.store.dates)
        every = np.arange(len(self.codes))
        b = every if birthplace is None else np.array([self.place(birthplace)])
        r = every if residence is None else np.array([self.place(residence)])
        t, b, r = (x.ravel() for x in np.meshgrid(at, b, r, indexing="ij"))
        values = self.store.array("stock")[t, b, r]
        if birthplace is None or residence is None:
            t, b, r, values = (x[values > 0] for x in (t, b, r, values))
        ends = self.ends("stock", (t, b, r))
        return {"date": np.array([f"{self.store.dates[k]}-01-01" for k in t], dtype=object),
                **self.named(birthplace=b, residence=r), "stock": values, **ends}

    def by_birthplace(self, origin: str | None = None, destination: str | None = None, birthplace: str | None = None,
                      years=None) -> Columns:
        """Flows by birthplace of a corridor, of an origin, of a destination or of a birthplace."""
        given = {k: self.place(v) for k, v in {"birthplace": birthplace, "origin": origin,
                                                "destination": destination}.items() if v is not None}
        if not given:
            raise InputError("by_birthplace", "no territory is given", "name an origin, a destination or a birthplace")
        if origin is not None and destination is not None:
            self.corridor(origin, destination)
        at = choose_years(years, self.years)
        missing = [v for v in VARIABLES if not self.store.has(v)]
        if missing:
            raise ArtifactError(self.store.folder / "birthplace.nc", "the release does not hold flows by birthplace",
                                "take a later release", key=missing[0])
        return self._sliced(given, at)

    def _sliced(self, given: dict[str, int], at: np.ndarray) -> Columns:
        reader, parts = ByBirthplace(self.store), []
        dims = ("birthplace", "origin", "destination")
        if "origin" in given and "destination" in given:
            o, d = given["origin"], given["destination"]
            t, b = np.nonzero(self._enough(reader.of_corridor(o, d, at), given, "birthplace", axis=1))
            values = reader.of_corridor(o, d, at)[t, b]
            return self._by_size(at[t], b, np.full(len(t), o), np.full(len(t), d), values)
        of: dict[str, Callable] = {"origin": reader.of_origin, "destination": reader.of_destination,
                                   "birthplace": reader.of_birthplace}
        fixed = next(k for k in ("origin", "destination", "birthplace") if k in given)
        free = [k for k in dims if k != fixed]
        for t in at:
            values = of[fixed](given[fixed], int(t))
            for axis, dim in enumerate(free):
                values = self._enough(values, given, dim, axis)
            index = dict(zip(free, np.nonzero(values)))
            index[fixed] = np.full(len(index[free[0]]), given[fixed])
            parts.append((np.full(len(index[fixed]), t), *(index[k] for k in dims),
                          values[index[free[0]], index[free[1]]]))
        return self._by_size(*(np.concatenate(x) for x in zip(*parts)))

    @staticmethod
    def _enough(values: np.ndarray, given: dict[str, int], dim: str, axis: int) -> np.ndarray:
        """Zero where there are fewer than ``SMALLEST`` persons, and outside the territory given for a dimension."""
        values = np.where(values < SMALLEST, 0.0, values)
        if dim in given:
            chosen = np.zeros(values.shape[axis], bool)
            chosen[given[dim]] = True
            values = values * (chosen[:, None] if axis == 0 else chosen)
        return values

    def _by_size(self, t, b, o, d, values) -> Columns:
        order = np.lexsort((-values, t))
        t, b, o, d, values = (x[order] for x in (t, b, o, d, values))
        return {**self.named(year=t, birthplace=b, origin=o, destination=d), "flow": np.round(values, 1),
                **self._ends_by_birthplace(t, b, o, d, values)}

    def _ends_by_birthplace(self, t, b, o, d, values) -> Columns:
        """Ends of 95% intervals, rounded outwards; none where the release does not say how sure shares are."""
        if not (self.intervals and self.store.has("share_spread")):
            return {}
        flow, low, high = (self.store.array(k)[t, o, d] for k in ("flow", "flow_lower", "flow_upper"))
        spread = self.store.array("share_spread")[kinds_of(b, o, d), classes_of(values, flow)]
        lower, upper = birthplace_ends(values, flow, low, high, spread)
        return {"flow_lower": np.floor(10 * lower) / 10, "flow_upper": np.ceil(10 * upper) / 10}

    def corridor(self, origin: str, destination: str) -> tuple[int, int]:
        """Positions of two different territories."""
        o, d = self.place(origin), self.place(destination)
        if o == d:
            raise InputError("corridor", f"both territories are {name(self.codes[o])}",
                             "name two different territories; moves inside one are not estimated")
        return o, d

    def named(self, **positions) -> Columns:
        """Years and codes of positions; a single position is repeated. Of a simulated world each row says so."""
        length = max((len(v) for v in positions.values() if np.ndim(v)), default=1)
        codes, out = np.array(self.codes, dtype=object), {}
        for dim, at in positions.items():
            at = np.broadcast_to(np.asarray(at, dtype=int), (length,))
            out[dim] = np.array(self.years)[at] if dim == "year" else codes[at]
        if self.store.simulated:
            out[LABEL] = np.full(length, self.store.data_kind, dtype=object)
        return out


def choice(text: str, known: Iterable[str], what: str) -> str:
    """One of the words that are known, or an error that says which they are."""
    if isinstance(text, str) and text in known:
        return text
    near = get_close_matches(str(text)[:50], known, n=1, cutoff=0.3)
    raise InputError(what, f"there is no {what} {quoted(text)}",
                     f"did you mean {near[0]}?" if near else f"choose from {', '.join(known)}")
