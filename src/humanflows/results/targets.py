"""What the validation is meant to reach, and what it reached: each target hit or missed, and by how much."""
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from .offices import ALL, TRUSTED, of_offices
from .peers import REFERENCE
from .validation import OWN

COLUMNS = ("target", "protocol", "score", "wanted", "measured", "margin", "result")
TOGETHER, ALONE = "all five folds", "fold-1"    # where corridors were held out
NO_NATIONAL, WITHHELD = "without national statistics", "withheld territories"
_IMFSC = {"collection": "undesa_imfsc", "criterion": "residence", "part": "held_out"}


@dataclass(frozen=True)
class Target:
    """One number that a score should reach."""

    name: str
    table: str                   # "flows", "net_migration" or "stocks"
    score: str
    where: Mapping = field(default_factory=dict)     # columns of that table; of flows, all offices where none are named
    least: float | None = None   # the score should be this or more; without it, above …
    above: str = ""              # … "zero", the best of "every peer", or the peer of this name


def _of(side: str, horizon: str = "annual") -> dict:
    return {**_IMFSC, "side": side, "horizon": horizon}


TARGETS: tuple[Target, ...] = (
    *(Target(f"{side}, {score}", "flows", score, _of(side), least)
      for side, wanted in (("immigration", {"r": .95, "log_r": .93, "cpc": .75, "within_r": .65}),
                           ("emigration", {"r": .88, "log_r": .91, "cpc": .72, "within_r": .65}))
      for score, least in wanted.items()),
    *(Target(f"{side}, trusted offices, {score}", "flows", score, {**_of(side), "offices": TRUSTED}, least)
      for side, wanted in (("immigration", {"r": .90, "log_r": .95, "cpc": .80, "within_r": .72}),
                           ("emigration", {"r": .88, "log_r": .94, "cpc": .77, "within_r": .65}))
      for score, least in wanted.items()),
    *(Target(f"{side}, five-year change, {cells} cells: above {above}", "flows", "change_r", _of(side, horizon),
             above=above)
      for side in ("immigration", "emigration") for horizon, cells in (("annual", "annual"), ("five_year", "five-year"))
      for above in ("zero", "every peer")),
    Target("net migration, R", "net_migration", "r",
           {"set": "all territories", "reference": "wpp", "horizon": "annual"}, .97),
    Target("net migration, R over time, no national statistics", "net_migration", "within_r",
           {"set": NO_NATIONAL, "reference": "wpp", "horizon": "annual"}, .80),
    Target("stocks, R", "stocks", "r", {"set": "all counts", "quantity": "stock", "revision": "newest"}, .999),
    Target("stock differences, R", "stocks", "r",
           {"set": "all counts", "quantity": "difference", "revision": "newest"}, .95),
)
WITHHELD_TARGETS: tuple[Target, ...] = tuple(
    Target(f"net migration where it was withheld, {score}: above the reference", "net_migration", score,
           {"set": WITHHELD, "reference": "wpp", "horizon": "annual"}, above=REFERENCE) for score in ("r", "within_r"))
LOG_BIAS = 0.15     # most, either way, in every collection


def measure_targets(tables: Mapping[str, pd.DataFrame], protocols: Sequence[str] | None = None) -> pd.DataFrame:
    """Every target beside what was measured.

    Parameters
    ----------
    tables : "flows", "net_migration" and "stocks" as :func:`humanflows.protocols.collect` writes them.
    protocols : whose held-out corridors the targets are about; by default all folds together or, where these were not
        run, the first one.

    Returns
    -------
    DataFrame with columns ``COLUMNS``: ``wanted`` is the mark, ``margin`` how far the measured lies on the right side
    of it (negative: on the wrong one), ``result`` "hit", "missed", or "not measured" where a number is missing.
    """
    if protocols is None:
        protocols = [TOGETHER if (tables["flows"]["protocol"] == TOGETHER).any() else ALONE]
    rows = [_judge(t, tables, p) for p in protocols for t in TARGETS]
    rows += [_judge(t, tables, "net-third") for t in WITHHELD_TARGETS]
    flows = of_offices(tables["flows"])
    for p in protocols:
        own = flows[(flows["protocol"] == p) & (flows["peer"] == OWN) & (flows["part"] == "held_out")
                    & (flows["horizon"] == "annual")]
        for row in own.itertuples():
            measured = float(row.log_bias)
            name = f"total of {row.collection}, {row.side} by {row.criterion}"
            rows.append(_row(name, p, "log_bias", LOG_BIAS, measured, LOG_BIAS - abs(measured), strict=False))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _judge(target: Target, tables: Mapping[str, pd.DataFrame], protocol: str) -> dict:
    table, where = tables[target.table], dict(target.where)
    if target.table == "flows":
        table = of_offices(table, where.pop("offices", ALL))
    found = table[table["protocol"] == protocol]
    for column, value in where.items():
        if value == "newest":
            value = found[column].max()
        found = found[found[column] == value]
    scores = found.set_index("peer")[target.score]
    measured = float(scores.get(OWN, np.nan))
    if target.least is not None:
        wanted = target.least
    elif target.above == "zero":
        wanted = 0.0
    elif target.above == "every peer":
        wanted = float(scores.drop(OWN, errors="ignore").max())
    else:
        wanted = float(scores.get(target.above, np.nan))
    return _row(target.name, protocol, target.score, wanted, measured, measured - wanted, strict=target.least is None)


def _row(name, protocol, score, wanted, measured, margin, *, strict: bool) -> dict:
    reached = margin > 0 if strict else margin >= 0
    result = "not measured" if np.isnan(margin) else "hit" if reached else "missed"
    return {"target": name, "protocol": protocol, "score": score, "wanted": wanted, "measured": measured,
            "margin": margin, "result": result}
