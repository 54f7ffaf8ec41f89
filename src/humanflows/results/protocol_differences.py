"""Who is ahead in a validation protocol, and whether chance could do it: differences of scores with their intervals.

A difference is our score less a peer's on the same cells; every score that is compared is better when it is higher.
"""
import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from .offices import ALL, of_offices

AHEAD, BEHIND, UNDECIDED = "ahead", "behind", "undecided"
TOGETHER = {"fold": "all five folds", "reporters": "all reporter groups"}    # several members as one, by their kind
MAIN = "undesa_imfsc"                # the collection that a short table shows, where a protocol withholds any of it
KINDS = ("fold", "reporters", "source", "blind", "net")      # in the order of the chapter
NAMES = {"r": "R", "log_r": "log R", "cpc": "CPC", "within_r": "R within corridor"}
DRAWN_COLUMNS = ("group", "peer", "series", "score", "difference", "lower", "upper", "verdict")


def kind(protocol: str) -> str:
    """Kind of a protocol: one of ``KINDS``, that of its members for several as one."""
    whole = {name: k for k, name in TOGETHER.items()}
    return whole.get(protocol) or protocol.partition("-")[0]


def in_order(protocols: Iterable[str]) -> list[str]:
    """Protocols in the order of the chapter: by kind, those of several members first, otherwise as they come."""
    place = {k: i for i, k in enumerate(KINDS)}
    return sorted(dict.fromkeys(protocols), key=lambda p: (place.get(kind(p), len(KINDS)), p not in TOGETHER.values()))


def judge(lower, upper) -> np.ndarray:
    """``AHEAD`` where the whole interval is above zero, ``BEHIND`` where it is below, else ``UNDECIDED``.

    An interval that touches zero decides nothing; without an interval (NaN) the verdict is empty.
    """
    lower, upper = (np.asarray(v, dtype=float) for v in (lower, upper))
    return np.select([np.isnan(lower) | np.isnan(upper), lower > 0, upper < 0], ["", AHEAD, BEHIND], UNDECIDED)


def differences(table: pd.DataFrame, scores: Sequence[str]) -> pd.DataFrame:
    """One row for each peer and score, from a wide table of a protocol.

    Parameters
    ----------
    table : with ``difference_<score>``, ``…_lower`` and ``…_upper`` for each of ``scores``; NaN in our own rows.
    scores : names of scores.

    Returns
    -------
    DataFrame: the columns of ``table`` that are no difference, and score, difference, lower, upper, verdict
    (:func:`judge`). Rows without a difference are left out; order as in the table, score after score.
    """
    keys = [c for c in table.columns if not c.startswith("difference_")]
    parts = [table[keys].assign(score=s, difference=table[f"difference_{s}"], lower=table[f"difference_{s}_lower"],
                                upper=table[f"difference_{s}_upper"]) for s in scores]
    whole = pd.concat(parts).sort_index(kind="stable")
    whole = whole[whole["difference"].notna()].reset_index(drop=True)
    return whole.assign(verdict=judge(whole["lower"], whole["upper"]))


def shown(protocols: Iterable[str]) -> list[str]:
    """Protocols in the order of the chapter, without folds and groups of offices whose whole is there.

    A single fold is a fifth of the corridors, and a few large ones among them decide its scores.
    """
    there = in_order(protocols)
    return [p for p in there if p in TOGETHER.values() or TOGETHER.get(kind(p)) not in there]


def leading(flows: pd.DataFrame, horizon: str = "annual", offices: str = ALL) -> pd.DataFrame:
    """Rows of the sets that a short table shows: counts by residence, of ``MAIN`` where a protocol has it.

    Parameters
    ----------
    flows : scores of flows; of what a protocol withheld on all corridors (part "all") nothing is shown.
    horizon : "annual" or "five_year".
    offices : against "all" reports or those of "trusted" offices.

    Returns
    -------
    DataFrame, the same columns. A protocol without ``MAIN`` keeps its other collections.
    """
    flows = of_offices(flows, offices)
    rows = flows[(flows["horizon"] == horizon) & (flows["criterion"] == "residence") & (flows["part"] != "all")]
    main = rows["collection"] == MAIN
    return rows[main | ~main.groupby(rows["protocol"]).transform("any")]


def title(protocol: str, labels: Mapping[str, str], titles: Mapping[str, str]) -> str:
    """Name of a protocol for a reader.

    Parameters
    ----------
    protocol : its name.
    labels : what each protocol withholds, by name.
    titles : of collections, by their code.
    """
    label = labels.get(protocol, protocol)
    if label.startswith("without "):
        label = re.sub(r"\w+", lambda m: titles.get(m[0], m[0]), label)
    text = protocol if protocol in TOGETHER.values() else label
    return text[:1].upper() + text[1:]


def drawn_flows(flows: pd.DataFrame, labels: Mapping[str, str], titles: Mapping[str, str],
                horizon: str = "annual") -> pd.DataFrame:
    """What the figure of differences shows: the leading sets of every protocol that withholds flows.

    Parameters
    ----------
    flows : scores of flows (``results.protocol_tables``).
    labels, titles : as for :func:`title`.
    horizon : "annual" or "five_year".

    Returns
    -------
    DataFrame with columns ``DRAWN_COLUMNS``: a group for each protocol and collection, the sides as series, and the
    scores log R and R, by the names of ``NAMES``.
    """
    rows = leading(flows, horizon)
    withheld = [p for p in flows["protocol"].unique() if kind(p) in KINDS[:-1]]     # the last withholds no flow
    rows = differences(_chosen(rows, shown(withheld)), ("log_r", "r"))
    names = [f"{title(p, labels, titles)} ({titles.get(c, c)})" for p, c in zip(rows["protocol"], rows["collection"])]
    return rows.assign(group=names, series=rows["side"], score=rows["score"].map(NAMES))[list(DRAWN_COLUMNS)]


def _chosen(table: pd.DataFrame, protocols: Sequence[str]) -> pd.DataFrame:
    """Rows of these protocols, in this order of protocols."""
    parts = [table[table["protocol"] == p] for p in protocols]
    return pd.concat(parts, ignore_index=True) if parts else table.iloc[:0]


def drawn_net_migration(net: pd.DataFrame, labels: Mapping[str, str], titles: Mapping[str, str]) -> pd.DataFrame:
    """The same of annual net migration: where it was withheld, and in blind years; the references are the series."""
    kinds = net["protocol"].map(kind)
    rows = net[(net["horizon"] == "annual")
               & (((kinds == "net") & (net["set"].str.startswith("withheld") | (net["set"] == "the other territories")))
                  | ((kinds == "blind") & (net["set"] == "blind years")))]
    chosen = sorted(in_order(rows["protocol"]), key=lambda p: kind(p) != "net")
    rows = differences(_chosen(rows, chosen), ("r", "within_r"))
    names = [title(p, labels, titles) if kind(p) == "blind" else s[:1].upper() + s[1:]
             for p, s in zip(rows["protocol"], rows["set"])]
    score = rows["score"].map({"r": "R", "within_r": "R over time, median territory"})
    return rows.assign(group=names, series=rows["reference"], score=score)[list(DRAWN_COLUMNS)]


def drawn(tables: Mapping[str, pd.DataFrame], titles: Mapping[str, str]) -> dict[str, pd.DataFrame]:
    """All that is drawn of a release's protocols, by the name of the figure; without what has no row.

    Parameters
    ----------
    tables : as ``results.protocol_tables.read_protocols`` gives them.
    titles : of collections, by their code.
    """
    if not tables:
        return {}
    labels = labels_of(tables)
    every = {"protocol_differences": drawn_flows(tables["scores"], labels, titles),
             "protocol_five_years": drawn_flows(tables["scores"], labels, titles, "five_year"),
             "protocol_net_migration": drawn_net_migration(tables["net_migration"], labels, titles)}
    return {name: table for name, table in every.items() if len(table)}


def labels_of(tables: Mapping[str, pd.DataFrame]) -> dict[str, str]:
    """What each protocol withholds, by name."""
    return dict(zip(tables["list"]["protocol"], tables["list"]["label"]))
