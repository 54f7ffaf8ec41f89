"""The chapter on intervals: what was promised, what they cover, how wide they are; tables and words."""
from collections.abc import Mapping

import numpy as np
import pandas as pd

from .interval_cells import READ_REPORTS
from .interval_model import SIZE_NAMES
from .protocol_report import Block, Figure, Fold, Table

OWN, MEMBERS, AS_READ = "humanflows", "members alone", "intervals for offices that are read"
LEVELS = (0.5, 0.8, 0.9, 0.95)
_HEADS = {**{f"{level:g}": f"{level:.0%}" for level in LEVELS}, "width": "width of 95%, log units", "crps": "CRPS",
          "n": "cells"}
_NAMES = {"seen": "what was seen of the corridor", "size": "size of the flow", "side": "who reports",
          "region of origin": "region of origin", "region of destination": "region of destination"}
_FIGURE = Figure("coverage", "Dot plot of measured coverage of 50, 80, 90 and 95% intervals by group.",
                 "Share of withheld reports inside intervals that promise 50, 80, 90 and 95%, by what was withheld and "
                 "by group. Dots belong on the lines; the grey band is the distance that was aimed at. Reports are "
                 "made continuous first, since an interval that reaches zero covers every report of nobody.")


def section(name: str, tables: Mapping[str, pd.DataFrame]) -> list[Block]:
    """What a section of the chapter shows, a key of ``SECTIONS``.

    Parameters
    ----------
    name : of the section.
    tables : ``coverage``, ``sums`` and ``interval_variants`` as in the release.

    Returns
    -------
    list of blocks, in order.
    """
    return SECTIONS[name](tables)


def _rows(table: pd.DataFrame, keys: list[str]) -> list[dict[str, str]]:
    """One row per set: coverage at every level, marked where it is off by more than was aimed at."""
    rows, size = [], {name: k for k, name in enumerate(SIZE_NAMES)}
    if "group" in keys:     # sizes from the smallest, whatever else there is as it stands
        table = table.sort_values("group", key=lambda g: g.map(size).fillna(-1), kind="stable")
    for labels, part in table.groupby(keys, sort=False):
        at = {float(r["level"]): r for r in part.to_dict("records")}
        widest = at.get(0.95) or next(iter(at.values()))
        row = dict(zip(keys, labels if isinstance(labels, tuple) else (labels,)))
        row |= {f"{level:g}": _percent(at[level]) for level in LEVELS if level in at}
        rows.append({**row, "width": f"{widest['width']:.2f}", "crps": f"{widest['crps']:.3f}",
                     "n": f"{int(widest['n']):,}"})
    return rows


def _percent(row: Mapping) -> str:
    return f"{100 * row['coverage_jittered']:.1f}" + ("" if row["hit"] else "\N{NO-BREAK SPACE}✗")


def count_hits(table: pd.DataFrame) -> str:
    """How many sets are as near to their promise as was aimed at, by what was withheld; in words."""
    said = []
    for (kind, target), part in table.groupby(["kind", "target"], sort=False):
        said.append(f"{kind}: {int(part['hit'].sum())} of {len(part)} within {target:g} points")
    return "; ".join(said) + "."


def count_chance(table: pd.DataFrame) -> str:
    """How many of the sets that are off by more than was aimed at chance could explain, in words.

    Reports of a corridor err together. Were they all alike, and as many of each, the share of k corridors would have
    the standard error sqrt(p (1 - p) / k). Reports that differ make it smaller, corridors of unequal weight larger.
    """
    missed = table[~table["hit"].astype(bool)]
    if missed.empty:
        return ""
    error = np.sqrt(missed["level"] * (1 - missed["level"]) / missed["clusters"])
    within = int(((missed["coverage_jittered"] - missed["level"]).abs() <= 2 * error).sum())
    return (f"Of the {len(missed)} that are not, chance could explain {within}: they are off by less than two standard "
            "errors of the share of as many corridors as the group has, each counted once.")


def _flows(tables: Mapping[str, pd.DataFrame]) -> list[Block]:
    coverage = tables["coverage"]
    flow = coverage[coverage["quantity"] == "flow"]
    read, flow = flow[flow["kind"] == READ_REPORTS], flow[flow["kind"] != READ_REPORTS]
    own, alone = (flow[(flow["method"] == m) & (flow["grouping"] == "all")] for m in (OWN, MEMBERS))
    groups = flow[(flow["method"] == OWN) & (flow["grouping"] != "all")]
    heads = {"kind": "withheld", **_HEADS}
    blocks: list[Block] = [
        Table("Flows: share of withheld reports inside the interval, per cent", _rows(own, ["kind"]), heads),
        " ".join(filter(None, [f"By group and level, {count_hits(groups)}", count_chance(groups),
                               "A cross marks a share that is off by more than was aimed at."])), _FIGURE]
    if len(alone):
        blocks.append(Table("What the members' disagreement alone would cover", _rows(alone, ["kind"]), heads))
    for kind, part in groups.groupby("kind", sort=False):
        blocks.append(Fold(f"By group: {kind}", [
            Table(_NAMES.get(str(g), str(g)), _rows(rows, ["group"]), {"group": _NAMES.get(str(g), str(g)), **_HEADS})
            for g, rows in part.groupby("grouping", sort=False)]))
    read = read[(read["method"] == OWN) & read["grouping"].isin(["all", "size"])]
    if len(read):
        blocks.append(Table("Reports that were read: no test of what is unknown, but how near estimates are to them",
                            _rows(read, ["group"]), {"group": _NAMES["size"], **_HEADS}))
    other = flow[(flow["method"] == AS_READ) & flow["grouping"].isin(["all", "seen"])]
    if len(other):
        blocks.append(Table("What intervals from held-out years cover of another office's report of the corridor",
                            _rows(other, ["group"]), {"group": _NAMES["seen"], **_HEADS}))
    platform = coverage[(coverage["quantity"] == "counts of a platform") & (coverage["grouping"] == "all")]
    if len(platform):
        blocks.append(Table("Counts of a platform", _rows(platform, ["kind"]), heads))
    return blocks


def _balances(tables: Mapping[str, pd.DataFrame]) -> list[Block]:
    coverage, blocks = tables["coverage"], []
    for quantity, title in (("net migration", "Net migration"), ("stock", "Stocks"), ("sums", "Sums of flows")):
        part = coverage[coverage["quantity"] == quantity]
        if part.empty:
            continue
        first = "target" if quantity == "net migration" else "all"
        lead = part[part["grouping"].isin([first, "all"])] if first != "all" else part[part["grouping"] == "all"]
        lead = lead if len(lead) else part[part["grouping"] == part["grouping"].iloc[0]]
        heads = {**_HEADS, "width": "width of 95%, per thousand residents"} if quantity == "net migration" else _HEADS
        blocks.append(_named(title, lead, "beside", heads))
        rest = part[~part.index.isin(lead.index)]
        if len(rest):
            blocks.append(Fold(f"{title}: by group", [
                _named(str(g), rows, str(g), heads) for g, rows in rest.groupby("grouping", sort=False)]))
    return blocks


def _named(title: str, table: pd.DataFrame, group: str, heads: Mapping[str, str]) -> Table:
    """A table by kind and group; whose intervals they are is said where they are not all ours."""
    names = {"method": "intervals"} if (table["method"] != OWN).any() else {}
    names |= {"kind": "kind", "group": group}
    return Table(title, _rows(table, list(names)), {**names, **heads})


def _world(tables: Mapping[str, pd.DataFrame]) -> list[Block]:
    sums = tables["sums"]
    world = sums[sums["total"] == "world"]
    if world.empty:
        return []
    shown = world[((world["year"] - world["year"].min()) % 5 == 0) | (world["year"] == world["year"].max())]
    rows = [{"year": str(int(r["year"])), "moves": _millions(r["persons"]),
             "80": f"{_millions(r['lower_80'])} to {_millions(r['upper_80'])}",
             "95": f"{_millions(r['lower'])} to {_millions(r['upper'])}"} for r in shown.to_dict("records")]
    return [Table("All moves between territories, millions a year", rows,
                  {"year": "year", "moves": "estimate", "80": "80% interval", "95": "95% interval"})]


def _millions(persons: float) -> str:
    return f"{persons / 1e6:.1f}"


def _variants(tables: Mapping[str, pd.DataFrame]) -> list[Block]:
    table = tables["interval_variants"]
    keys = [k for k in ("variant", "method", "kind") if k in table.columns]
    lead = table[table["grouping"] == "all"] if "grouping" in table.columns else table
    return [Fold("Other ways that were tried", [Table("All cells", _rows(lead, keys), {k: k for k in keys} | _HEADS)])]


def _birthplace(tables: Mapping[str, pd.DataFrame]) -> list[Block]:
    table = tables.get("birthplace_intervals")
    if table is None or table.empty:
        return []
    shares = sorted(table["share_from"].unique())
    rows = []
    for kind, part in table.groupby("kind", sort=False):
        spread, first = part.set_index("share_from")["spread"], part.iloc[0]
        rows.append({"kind": kind, **{f"{s:g}": f"{spread[s]:.2f}" for s in shares}, "factor": f"{first['factor']:.1f}",
                     "80": f"{100 * first['twin_coverage_80']:.1f}", "95": f"{100 * first['twin_coverage_95']:.1f}",
                     "n": f"{int(first['twin_n']):,}"})
    heads = {"kind": "who moves", **{f"{s:g}": "smaller" if s == 0 else f"from {100 * s:g}%" for s in shares},
             "factor": "factor of the simulated world", "80": "80% intervals hold there", "95": "95% intervals",
             "n": "flows there"}
    return [Table("Flows by birthplace: spread of the share's error, log units, by the share of the corridor's flow",
                  rows, heads)]


SECTIONS = {"flows": _flows, "birthplace": _birthplace, "balances": _balances, "world": _world, "variants": _variants}
