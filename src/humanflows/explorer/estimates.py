"""The released estimates as parts of the page: flows, their intervals and grades, birthplaces, stocks, net migration.

Every corridor in which the release has anybody in some year, or an interval that allows for somebody, is there with all
of its years; what the release has as nobody is nought.
"""

import numpy as np
import pandas as pd

from .. import paths
from ..dataset.answers import SMALLEST, Answers
from ..dataset.birthplace import PARTS
from ..dataset.evidence import BASIS, BASIS_MEANINGS, SEEN_MEANINGS
from ..dataset.grades import GRADES, rule
from ..dataset.names import name, other_names, region
from ..dataset.whole import read_sums
from ..errors import ArtifactError
from .packing import EDGE, NO_NUMBER, Part, encode, encode_share

DIGITS, END_DIGITS = 3, 2


class Kept:
    """Corridors with anybody in some year, of arrays (year, row, column) of persons.

    ``pairs`` are positions row * N + column, rising; :meth:`rows` gives an array's values of them [pair, year].
    """

    def __init__(self, *values: np.ndarray):
        some = np.any([(v > 0).any(0) for v in values], axis=0)
        np.fill_diagonal(some, False)
        self.where = np.nonzero(some)
        self.pairs = (self.where[0] * some.shape[1] + self.where[1]).astype(np.int64)

    def rows(self, values: np.ndarray) -> np.ndarray:
        """Values [pair, year] of an array (year, row, column)."""
        return values[(slice(None), *self.where)].T

    @property
    def arrays(self) -> dict:
        """The positions, as parts have them."""
        return {"pairs": (self.pairs[None], 2)}


def whole(values: np.ndarray) -> np.ndarray:
    """Whole persons, with the mark of what is no number."""
    values = np.asarray(values, np.float64)
    return np.where(np.isfinite(values), np.rint(np.nan_to_num(values)), NO_NUMBER).astype(np.int64)


def territory_parts(answers: Answers, outlines: dict) -> list[Part]:
    """Who there is, the map, totals by year, net migration: what the page shows first."""
    store = answers.store
    flow = store.array("flow").astype(np.float64)
    net = {k: store.array(k).T for k in ("net_migration", "net_migration_lower", "net_migration_upper")
           if store.has(k)}
    codes = list(store.codes)
    about = {"codes": codes, "names": [name(c) for c in codes], "regions": [region(c) for c in codes],
             "aliases": {c: list(a) for c, a in other_names().items() if c in store.position},
             "years": store.years, "first_stock": store.dates[0], "profile": store.manifest.get("profile", ""),
             "least": SMALLEST, "outlines": outlines, "intervals": answers.intervals,
             "no_number": NO_NUMBER, "net_intervals": "net_migration_lower" in net, "totals_intervals": False}
    arrays = {"in": (whole(flow.sum(1).T), 4), "out": (whole(flow.sum(2).T), 4),
              **{k: (whole(v), 4) for k, v in net.items()}}
    ends = _intervals_of_totals(answers)
    if ends:
        about["totals_intervals"] = True
        arrays |= {k: (whole(v), 4) for k, v in ends.items()}
    return [Part("territories", about, arrays)]


def _intervals_of_totals(answers: Answers) -> dict[str, np.ndarray]:
    """Ends of the intervals of arrivals and departures (territory, year) from the release's table of sums, if any.

    Raises
    ------
    ArtifactError
        When the table is damaged, or an interval in it is none or stands twice.
    """
    file, table = answers.store.folder / "sums.csv", read_sums(answers.store)
    if table is None or not {"total", "origin", "destination", "year", "lower", "upper"} <= set(table):
        return {}
    table = table.assign(**{c: pd.to_numeric(table[c], errors="coerce") for c in ("year", "lower", "upper")})
    out, years = {}, answers.store.years
    for side, total, place in (("in", "into", "destination"), ("out", "out of", "origin")):
        rows = table[(table["total"] == total) & table[place].isin(answers.codes) & table["year"].isin(years)]
        bad = ~((rows["lower"] >= 0) & (rows["upper"] >= rows["lower"]) & np.isfinite(rows["upper"]))
        bad |= rows.duplicated([place, "year"])
        if bad.any():
            raise ArtifactError(file, "an interval that is none, or stands twice", "make the release again",
                                key=f"row {bad.idxmax()}")
        for end in ("lower", "upper"):
            values = np.full((len(answers.codes), len(years)), np.nan)
            values[rows[place].map(answers.store.position), rows["year"].astype(int) - years[0]] = rows[end]
            out[f"{side}_{end}"] = values
    return out


def flow_parts(answers: Answers) -> tuple[list[Part], Kept]:
    """Flows; then, each where the release has it, ends of intervals, and grades with what an estimate stands on."""
    store = answers.store
    flow = store.array("flow")
    kept = Kept(flow, *([store.array("flow_upper")] if answers.intervals else []))
    parts = [Part("flows", {"digits": DIGITS, "years": store.years},
                  {**kept.arrays, "flow": (kept.rows(encode(flow, DIGITS)), 2)})]
    if answers.intervals:
        ends = {k: (kept.rows(encode(store.array(f"flow_{k}"), END_DIGITS, how)), 2)
                for k, how in (("lower", "down"), ("upper", "up"))}
        parts.append(Part("ends", {"digits": END_DIGITS}, ends))
    if answers.evidence:
        parts.append(_grades(answers, kept))
    return parts, kept


def _grades(answers: Answers, kept: Kept) -> Part:
    """Grade and basis of every kept corridor-year, as 5 * basis + grade; and the rule in words."""
    store, rows = answers.store, []
    number = {g: k for k, g in enumerate(GRADES)}, {b: k for k, b in enumerate(BASIS)}
    for t in range(len(store.years)):
        judged = answers.judged(np.full(len(kept.pairs), t), *kept.where)
        grade, basis = (pd.Series(judged[k]).map(n).to_numpy() for k, n in zip(("grade", "basis"), number))
        rows.append(len(GRADES) * basis + grade)
    about = {"grades": list(GRADES), "basis": list(BASIS), "meanings": BASIS_MEANINGS, "seen": SEEN_MEANINGS,
             "rule": rule(intervals=answers.intervals, members=store.has("flow_spread"),
                         evidence=store.has("flow_evidence"))}
    return Part("grades", about, {"judged": (np.stack(rows, 1).astype(np.int64), 1)})


def birthplace_part(answers: Answers, kept: Kept) -> Part | None:
    """Shares of every flow born in the origin and born in the destination, and their totals by territory.

    Totals are persons [territory, year], of arrivals and of departures.
    """
    store = answers.store
    if not (store.has("native_part") and store.has("return_part")):
        return None
    flow = store.array("flow").astype(np.float64)
    steps = np.maximum(np.minimum(PARTS, np.ceil(flow)), 1.0)
    arrays = {}
    for key, variable in (("origin", "native_part"), ("destination", "return_part")):
        share = np.where(flow > 0, store.array(variable).transpose(2, 0, 1) / steps, 0.0)
        arrays[key] = kept.rows(encode_share(share)), 1
        arrays[f"in_{key}"] = whole((flow * share).sum(1).T), 4
        arrays[f"out_{key}"] = whole((flow * share).sum(2).T), 4
    return Part("birthplace", {"edge": EDGE, "file": "birthplace.nc"}, arrays)


def stocks_part(answers: Answers, every: int = 5) -> Part:
    """Stocks by birthplace and residence every few years, and yearly totals of the foreign-born and of emigrants."""
    store = answers.store
    at = sorted({*range(0, len(store.dates), every), len(store.dates) - 1})
    stock = store.array("stock").astype(np.float64).copy()
    n = len(store.codes)
    stock[:, np.arange(n), np.arange(n)] = 0.0
    chosen = stock[at]
    kept = Kept(chosen)
    arrays = {**kept.arrays, "stock": (kept.rows(encode(chosen, DIGITS)), 2),
              "immigrants": (whole(stock.sum(1).T), 4), "emigrants": (whole(stock.sum(2).T), 4)}
    about = {"digits": DIGITS, "dates": [store.dates[k] for k in at], "all_dates": store.dates, "intervals": False}
    if store.has("stock_lower") and store.has("stock_upper"):
        ends = {k: store.array(f"stock_{k}")[at] for k in ("lower", "upper")}
        if all(np.isfinite(v).all((1, 2)).any() for v in ends.values()):
            known = np.isfinite(ends["lower"]).all((1, 2)) & np.isfinite(ends["upper"]).all((1, 2))
            about |= {"intervals": True, "interval_dates": [store.dates[k] for k, there in zip(at, known) if there],
                      "end_digits": END_DIGITS}
            arrays |= {k: (kept.rows(encode(ends[k], END_DIGITS, how)), 2)
                       for k, how in (("lower", "down"), ("upper", "up"))}
    return Part("stocks", about, arrays)


def release_answers(folder=None) -> Answers:
    """The released estimates, ``data/release`` by default."""
    return Answers(folder or paths.RELEASE)


