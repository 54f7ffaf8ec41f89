"""The chapter of the validation protocols: for each question a reader asks, the tables that answer it, as text.

A block is a table, a paragraph or a figure; whoever makes the page decides how each is written. A question whose
protocols were not run has no blocks.
"""
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

from .offices import ALL, OFFICES, TRUSTED
from .protocol_differences import (
    AHEAD,
    BEHIND,
    NAMES,
    TOGETHER,
    UNDECIDED,
    differences,
    drawn,
    in_order,
    kind,
    labels_of,
    leading,
    shown,
    title,
)

OWN = "humanflows"
_TRUSTED = "_trusted"                # ends the name of a column of scores against reports of trusted offices
MARKS = {AHEAD: "▲", BEHIND: "▼", UNDECIDED: "○", "": ""}
RESULTS = {"hit": "✓\N{NO-BREAK SPACE}hit", "missed": "✗\N{NO-BREAK SPACE}missed"}
_SIDES = {"immigration": "arrivals", "emigration": "departures", "both": "moves"}
_FIXED = "\N{NO-BREAK SPACE}"
_FLOW_HEADS = {"peer": "estimates", **{s: NAMES[s] for s in ("r", "log_r", "cpc")}, "log_bias": "log bias",
               "within_r": NAMES["within_r"], "log_score": "log score"}
# What a folded table has of our own scores; earlier releases lack some of them.
_SET_SCORES = {"r": "R", "log_r": "log R", "abs_log_error": "abs. log error", "median_log_error": "median log error",
               "cpc": "CPC", "log_bias": "log bias", "within_r": NAMES["within_r"], "change_r": "R of five-year change",
               "log_score": "log score"}
_NET_HEADS = {"peer": "estimates", "r": "R", "within_r": "R over time", "abs_error": "mean abs. error, persons"}
_REFERENCES = {"wpp": "UN World Population Prospects", "national": "national statistics"}
_FIGURES = {
    "protocol_differences": (
        "Dot plot of differences of log R and R between our estimates and every peer, by protocol.",
        "Our score less each peer's on the same withheld cells, with 95% intervals from drawing corridors. Right of "
        "the line ours is higher, on grey the peer's. A filled mark has an interval that leaves out zero, wherever it "
        "lies; a hollow one could be chance. Look for the marks on grey first, and for how wide the intervals of R "
        "are: a few large corridors decide it. Intervals that reach far beyond the others are cut at the edge."),
    "protocol_five_years": (
        "Dot plot of differences of log R and R of five-year flows between our estimates and every peer.",
        "The same for five-year sums, where there are more peers (A & C: Abel & Cohen, by vintage). Those that are "
        "made from stocks saw no reported flow at all."),
    "protocol_net_migration": (
        "Dot plot of differences of R of net migration between our estimates, the reference and gravity.",
        "Net migration: our score less each peer's, with 95% intervals from drawing territories. The first groups are "
        "the territories whose net migration was withheld from us; the published peer was made as it always is."),
}


@dataclass(frozen=True)
class Table:
    """Rows of text under headings; ``folded`` where a reader opens it."""

    title: str
    rows: list[dict[str, str]]
    heads: Mapping[str, str]
    folded: bool = False


@dataclass(frozen=True)
class Figure:
    """A stored figure by its file's name."""

    name: str
    alt: str
    caption: str


@dataclass(frozen=True)
class Fold:
    """Several tables that a reader opens together."""

    title: str
    tables: list[Table]


Block = Table | Fold | Figure | str


def section(name: str, tables: Mapping[str, pd.DataFrame], titles: Mapping[str, str]) -> list[Block]:
    """What a section of the chapter shows.

    Parameters
    ----------
    name : key of ``SECTIONS``.
    tables : as ``results.protocol_tables.read_protocols`` gives them; not empty.
    titles : of collections, by their code.

    Returns
    -------
    list of blocks, in order; empty where the section's protocols were not run.
    """
    return SECTIONS[name](tables, titles)


def _flows_of(chosen: Callable[[str], bool], figure: str = "") -> Callable[..., list[Block]]:
    """Section of the protocols that ``chosen`` picks: leading sets open, five years and all other sets folded."""
    def blocks(tables: Mapping[str, pd.DataFrame], titles: Mapping[str, str]) -> list[Block]:
        flows, labels = tables["scores"], labels_of(tables)
        mine = flows[flows["protocol"].map(chosen)]
        open_ = shown(mine["protocol"])
        made: list[Block] = []
        for p in open_:
            made += _score_tables(mine[mine["protocol"] == p], title(p, labels, titles), titles)
        if figure and figure in drawn(tables, titles):
            made.append(Figure(figure, *_FIGURES[figure]))
        for p in open_:
            head = title(p, labels, titles)
            if five := _score_tables(mine[mine["protocol"] == p], head, titles, "five_year"):
                made.append(Fold(f"{head}: five-year sums", five))
            made += _sets_table(mine[mine["protocol"] == p], f"{head}: every set of cells", {}, titles)
        if singles := [p for p in in_order(mine["protocol"]) if p not in open_]:
            rows = mine[mine["protocol"].isin(singles)]
            rows = pd.concat([leading(rows, offices=o) for o in OFFICES])
            made += _sets_table(rows, "Each member by itself", {p: title(p, labels, titles) for p in singles}, titles)
        return made
    return blocks


def _score_tables(flows: pd.DataFrame, head: str, titles: Mapping[str, str], horizon: str = "annual") -> list[Table]:
    """A table for each leading set of cells, every peer's scores with our difference to it.

    Where trusted offices report any of the set, each score has a second column for their reports alone.
    """
    rows, trusted = (leading(flows, horizon, o) for o in (ALL, TRUSTED))
    made, years = [], "" if horizon == "annual" else ", five years"
    for (collection, side), cells in rows.groupby(["collection", "side"], sort=False):
        theirs = trusted[(trusted["collection"] == collection) & (trusted["side"] == side)]
        beside = {row["peer"]: row for row in theirs.to_dict("records")}
        name = (f"{head}. {titles.get(collection, collection)}, {_SIDES[side]} by residence{years}, "
                f"{cells['n'].iloc[0]:,.0f} cells")
        name += f", {theirs['n'].iloc[0]:,.0f} of them by trusted offices" if len(theirs) else ""
        name += _about_log_score(cells)
        heads = {k: h for k, h in _FLOW_HEADS.items() if k == "peer" or (k in cells and cells[k].notna().any())}
        texts = [{**_scored(row, heads), **({f"{k}{_TRUSTED}": v for k, v in _scored(
            beside.get(row["peer"], {"peer": row["peer"]}), heads).items() if k != "peer"} if len(theirs) else {})}
            for row in cells.to_dict("records")]
        if len(theirs):
            heads = {"peer": heads["peer"], **{f"{k}{end}": f"{h}{said}" for k, h in heads.items() if k != "peer"
                                               for end, said in (("", ""), (_TRUSTED, ", trusted"))}}
        made.append(Table(name, texts, heads))
    return sorted(made, key=lambda t: _SIDES["immigration"] not in t.title)


def _about_log_score(cells: pd.DataFrame) -> str:
    """How many of a set's cells have a log score, where any has."""
    if "log_score" not in cells or cells["log_score"].isna().all():
        return ""
    return f", {cells['log_score_n'].max():,.0f} with a log score"


def _scored(row: Mapping, heads: Mapping[str, str]) -> dict[str, str]:
    """A peer's scores as text, and in each cell our difference to it where there is one."""
    text = {"peer": f"**{row['peer']}**" if row["peer"] == OWN else row["peer"]}
    for score in list(heads)[1:]:
        value = row.get(score, float("nan"))
        written = f"{value:,.0f}" if score == "abs_error" and value == value else signed(value, plus=False)
        text[score] = written + _beside(row, score)
    return text


def _beside(row: Mapping, score: str) -> str:
    difference = row.get(f"difference_{score}", float("nan"))
    if difference != difference:
        return ""
    lower, upper = (row[f"difference_{score}_{k}"] for k in ("lower", "upper"))
    if lower != lower or upper != upper:
        return f"<br><small>{signed(difference)}</small>"
    mark = MARKS[AHEAD if lower > 0 else BEHIND if upper < 0 else UNDECIDED]
    return (f"<br><small>{mark}{_FIXED}{signed(difference)}<br>{signed(lower, plus=False)}{_FIXED}to{_FIXED}"
            f"{signed(upper, plus=False)}</small>")


def signed(value: float, *, plus: bool = True, digits: int = 3) -> str:
    """A score or difference with three decimals and a true minus; a dash where it is not defined."""
    if value != value:
        return "–"
    return f"{value:+.{digits}f}".replace("-", "−") if plus else f"{value:.{digits}f}".replace("-", "−")


def _sets_table(flows: pd.DataFrame, head: str, names: Mapping[str, str], titles: Mapping[str, str]) -> list[Table]:
    """One row for each set of cells and for whose reports: our scores, and how many peers we are ahead of, behind, or
    undecided with."""
    flows = flows[flows["part"] != "all"]
    known = {s: h for s, h in _SET_SCORES.items() if s in flows and flows.loc[flows["peer"] == OWN, s].notna().any()}
    rows = []
    keys = ["protocol", "collection", "side", "criterion", "horizon", "offices"]
    for (protocol, collection, side, criterion, horizon, offices), cells in flows.groupby(keys, sort=False):
        own = cells[cells["peer"] == OWN]
        if own.empty:
            continue
        own = own.iloc[0]
        years = ("" if horizon == "annual" else ", five years") + (", trusted offices" if offices == TRUSTED else "")
        rows.append({"protocol": names.get(protocol, ""), "set": f"{titles.get(collection, collection)}, "
                     f"{_SIDES[side]} by {criterion}{years}", "n": f"{int(own['n']):,}",
                     **{s: signed(own[s], plus=False) for s in known},
                     **{f"peers_{s}": _counted(differences(cells, (s,))["verdict"]) for s in ("r", "log_r")}})
    heads = {"protocol": "protocol", "set": "set", "n": "cells", **known, "peers_r": "peers, R",
             "peers_log_r": "peers, log R"}
    if not names:
        heads.pop("protocol")
    return [Table(head, rows, heads, folded=True)] if rows else []


def _counted(verdicts: pd.Series) -> str:
    return " ".join(f"{MARKS[v]}{_FIXED}{int((verdicts == v).sum())}" for v in (AHEAD, BEHIND, UNDECIDED))


def _overview(tables: Mapping[str, pd.DataFrame], titles: Mapping[str, str]) -> list[Block]:
    """How often we are ahead of each peer over all protocols that withhold flows, the figure, and the protocols."""
    flows = tables["scores"]
    chosen = shown(p for p in flows["protocol"].unique() if kind(p) != "net")
    compared, trusted = (differences(leading(flows[flows["protocol"].isin(chosen)], offices=o), tuple(NAMES))
                         for o in OFFICES)
    made: list[Block] = []
    if len(compared):
        text = [{"peer": peer, **{s: _counted(mine.loc[mine["score"] == s, "verdict"]) for s in NAMES}}
                for peer, mine in compared.groupby("peer", sort=False)]
        made += [_said(compared, trusted), Table("How often, by peer, over the same sets", text,
                                        {"peer": "peer", **NAMES})]
    if "protocol_differences" in drawn(tables, titles):
        made.append(Figure("protocol_differences", *_FIGURES["protocol_differences"]))
    labels = labels_of(tables)
    listed = [{"protocol": p, "label": title(p, labels, titles) if p not in TOGETHER.values() else labels[p]}
              for p in in_order(labels)]
    made.append(Table("Every protocol that was run", listed, {"protocol": "protocol", "label": "what it is"}, True))
    return made


def _said(compared: pd.DataFrame, trusted: pd.DataFrame) -> str:
    def counted(differences: pd.DataFrame) -> str:
        said = []
        for s in ("log_r", "r"):
            verdicts = differences.loc[(differences["score"] == s) & (differences["verdict"] != ""), "verdict"]
            ahead, behind, undecided = (int((verdicts == v).sum()) for v in (AHEAD, BEHIND, UNDECIDED))
            said.append(f"in {NAMES[s]} ours is ahead in {ahead} of {len(verdicts)} comparisons with a peer, behind in "
                        f"{behind}, and undecided in {undecided}")
        return "; ".join(said)
    whole = f"Over the sets of the figure, {counted(compared)}."
    return whole + (f" Against the reports of trusted offices alone, {counted(trusted)}." if len(trusted) else "")


def _net_migration(tables: Mapping[str, pd.DataFrame], titles: Mapping[str, str]) -> list[Block]:
    """Annual net migration where it was withheld open, all other sets folded."""
    net = tables["net_migration"]
    mine = net[net["protocol"].map(kind) == "net"]
    annual = mine[mine["horizon"] == "annual"]
    withheld = annual["set"].str.startswith("withheld")
    made: list[Block] = _net_tables(annual[withheld & (annual["reference"] == "wpp")])
    if len(made) and "protocol_net_migration" in drawn(tables, titles):
        made.append(Figure("protocol_net_migration", *_FIGURES["protocol_net_migration"]))
    for head, rows in (("Other territories and references", annual[~withheld | (annual["reference"] != "wpp")]),
                       ("Five-year sums", mine[mine["horizon"] == "five_year"])):
        if len(rows):
            made.append(Fold(head, _net_tables(rows)))
    return made


def _net_tables(net: pd.DataFrame, head: str = "") -> list[Table]:
    made = []
    for (name, reference, horizon), cells in net.groupby(["set", "reference", "horizon"], sort=False):
        years = "" if horizon == "annual" else ", five years"
        text = f"{head}{name[:1].upper()}{name[1:]}, {_REFERENCES[reference]}{years}, {cells['n'].iloc[0]:,.0f} cells"
        made.append(Table(text, [_scored(r, _NET_HEADS) for r in cells.to_dict("records")], _NET_HEADS))
    return made


def _years(tables: Mapping[str, pd.DataFrame], titles: Mapping[str, str]) -> list[Block]:
    """Flows of the blind years, and their net migration."""
    net, labels = tables["net_migration"], labels_of(tables)
    made = _flows_of(lambda p: kind(p) == "blind")(tables, titles)
    blind = net[(net["protocol"].map(kind) == "blind") & (net["set"] == "blind years")]
    for p in in_order(blind["protocol"]):
        made.append(Fold(f"{title(p, labels, titles)}: net migration of the blind years",
                         _net_tables(blind[blind["protocol"] == p])))
    return made


def _stocks(tables: Mapping[str, pd.DataFrame], titles: Mapping[str, str]) -> list[Block]:
    """Stocks of the newest revision, of every protocol that is shown."""
    stocks, labels = tables["stocks"], labels_of(tables)
    if stocks.empty:
        return []
    newest = stocks[stocks["revision"] == stocks["revision"].max()]
    rows = []
    for p in shown(newest["protocol"]):
        for name, cells in newest[newest["protocol"] == p].groupby("set", sort=False):
            quantity = cells.set_index("quantity")
            rows.append({"protocol": title(p, labels, titles), "set": name, **{
                f"{q}_{s}": signed(quantity.loc[q, s], plus=False) if q in quantity.index else "–"
                for q in ("stock", "difference") for s in ("r", "r_scaled")}})
    heads = {"protocol": "protocol", "set": "counts", "stock_r": "R of stocks", "stock_r_scaled": "R of log stocks",
             "difference_r": "R of differences", "difference_r_scaled": "R of their signed roots"}
    return [Table(f"Stocks by birthplace, UN DESA's revision of {int(newest['revision'].iloc[0])}", rows, heads)]


def _targets(tables: Mapping[str, pd.DataFrame], titles: Mapping[str, str]) -> list[Block]:
    """Every target: those of all folds open, those of a single fold, which earlier releases have too, folded."""
    if "targets" not in tables or tables["targets"].empty:
        return []
    table, labels = tables["targets"], labels_of(tables)
    # Where a protocol was not run, all its rows are "not measured".
    ran = list(table.loc[table["result"] != "not measured", "protocol"].unique())
    if not ran:
        return []
    first = next((p for p in TOGETHER.values() if p in ran), ran[0])
    ran = sorted(ran, key=lambda p: (p != first, kind(p) != "net"))
    made: list[Block] = [_targets_said([(title(p, labels, titles), table[table["protocol"] == p])
                                        for p in ran if p in shown(ran)])]
    heads = {"target": "target", "wanted": "wanted", "measured": "measured", "margin": "margin", "result": "result"}
    for p in ran:
        rows = table[table["protocol"] == p]
        made.append(Table(title(p, labels, titles), [_target_row(r, titles) for r in rows.to_dict("records")], heads,
                          folded=p != first and kind(p) != "net"))
    return made


def _targets_said(by_protocol: list[tuple[str, pd.DataFrame]]) -> str:
    said = []
    for name, rows in by_protocol:
        hit, missed = (int((rows["result"] == r).sum()) for r in ("hit", "missed"))
        unknown = len(rows) - hit - missed
        said.append(f"{name}: {hit} of {len(rows)} hit, {missed} missed"
                    + (f", {unknown} not measured" if unknown else ""))
    return "; ".join(said) + "."


def _target_row(row: Mapping, titles: Mapping[str, str]) -> dict[str, str]:
    name, wanted = str(row["target"]), signed(row["wanted"], plus=False)
    about = next((f"{titles[c]}" + name.removeprefix(f"total of {c}") for c in titles
                  if name.startswith(f"total of {c},")), None)
    if about:
        name, sign = f"total, {about}", f"within{_FIXED}±"
    elif "above" in name:
        sign = f"above{_FIXED}"
    else:
        sign = f"at{_FIXED}least{_FIXED}"
    for code, spoken in NAMES.items():
        name = name.removesuffix(f", {code}") + (f", {spoken}" if name.endswith(f", {code}") else "")
        name = name.replace(f", {code}: ", f", {spoken}: ")
    result = RESULTS.get(row["result"], "– not measured")
    return {"target": name, "wanted": sign + wanted, "measured": signed(row["measured"], plus=False),
            "margin": signed(row["margin"]), "result": result}


def _peers(tables: Mapping[str, pd.DataFrame], titles: Mapping[str, str]) -> list[Block]:
    """What each peer had learned from."""
    table = tables["peers"].assign(learned_from=tables["peers"]["learned_from"].fillna(""))
    rows = [{"peer": "<br>".join(f"**{p}**" if p == OWN else p for p in alike["peer"]), "saw": saw}
            for saw, alike in table.groupby("learned_from", sort=False)]
    return [Table("What each had learned from", rows, {"peer": "estimates", "saw": "learned from"})]


SECTIONS: dict[str, Callable[..., list[Block]]] = {
    "overview": _overview,
    "peers": _peers,
    "corridors": _flows_of(lambda p: kind(p) == "fold", "protocol_five_years"),
    "offices": _flows_of(lambda p: kind(p) == "reporters"),
    "sources": _flows_of(lambda p: kind(p) == "source"),
    "years": _years,
    "net_migration": _net_migration,
    "stocks": _stocks,
    "targets": _targets,
}
