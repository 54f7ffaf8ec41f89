"""The chapter on well-known flows: what the comparison says in words, and its tables, as blocks of a page."""
from collections.abc import Callable

import numpy as np
import pandas as pd

from ..panel.known_flows import BOUNDS, KINDS
from ..territories import name
from .known_flows import FACTOR, GIVEN, KEYS, distance, summarise_known
from .protocol_report import Block, Table

FURTHEST = 30       # figures that the second drawing shows
_SUMMARY_HEADS = {"group": "figures", "number": "number", "within": f"ours within ×{FACTOR:g}",
                  "reference": f"Gaskin & Abel within ×{FACTOR:g}", "inside": "inside our 95% interval",
                  "ahead": "ours is the nearer one", "median": "median of ours over figure"}
_HEADS = {"corridor": "corridor, year", "persons": "published", "flow": "ours (95% interval)",
          "gaskin_abel": "Gaskin & Abel", "meta": "Meta", "inside": "inside", "why": "why not",
          "counted": "what was counted", "source": "source"}
_BOUND = {"none": "", "lower": "≥\N{NO-BREAK SPACE}", "upper": "≤\N{NO-BREAK SPACE}"}


def section(which: str, table: pd.DataFrame, known: pd.DataFrame) -> list[Block]:
    """Blocks of one section: ``str`` or ``Table``.

    Parameters
    ----------
    which : key of ``SECTIONS``.
    table : as of `humanflows.results.known_flows.read_compared`.
    known : the list of figures, as of `humanflows.panel.known_flows.read_known_flows`.
    """
    return SECTIONS[which](table, known)


def finding(table: pd.DataFrame) -> str:
    """What the comparison says, in a sentence for the title of its figure."""
    rows = summarise_known(table).set_index("group")
    everything, plain = rows.loc["all"], rows.loc["as large as the flow"]
    text = f"{_percent(everything['within'])} of {len(table)} published figures are met within a factor of {FACTOR:g}"
    if np.isfinite(plain["median_log_ratio"]):
        text += f"; the median estimate is {np.exp(plain['median_log_ratio']):.2f} of the figure"
    return text


def furthest(table: pd.DataFrame, number: int = FURTHEST) -> pd.DataFrame:
    """Figures that are furthest from our estimates, the worst first; bounds count where they are broken."""
    far = distance(table["log_ratio"], table["bound"]).sort_values(ascending=False, kind="stable")
    return table.loc[far[far > 0].index[:number]]


def changes_since(table: pd.DataFrame, known: pd.DataFrame) -> tuple[int, int]:
    """Figures of the list that the comparison lacks or has otherwise, and rows of the comparison not on the list."""
    listed, compared = (set(f[GIVEN].itertuples(index=False, name=None)) for f in (known, table))
    return len(listed - compared), len(compared - listed)


def summary_section(table: pd.DataFrame, known: pd.DataFrame) -> list[Block]:
    """What share of the figures is met, and by whom."""
    rows = summarise_known(table)
    everything = rows.set_index("group").loc["all"]
    said = [f"Of {len(table)} figures, {_percent(everything['within'])} are met within a factor of {FACTOR:g}"]
    if everything["intervals"]:
        said.append(f"{_percent(everything['inside'])} agree with the 95% interval")
    if everything["figures_gaskin_abel"]:
        said.append(f"the published estimates of Gaskin & Abel meet {_percent(everything['within_gaskin_abel'])} of "
                    f"the {int(everything['figures_gaskin_abel'])} of which they say something")
    if everything["decided"]:
        said.append(f"ours is the nearer one in {_percent(everything['ahead'])} of the "
                    f"{int(everything['decided'])} where one of the two is nearer")
    blocks: list[Block] = ["; ".join(said) + "."]
    lacking, dropped = changes_since(table, known)
    if lacking or dropped:
        blocks.append(f"*The list of figures has changed since: {lacking} are new or were mended, {dropped} are gone. "
                      "`scripts/compare_known.py` makes the comparison again.*")
    blocks.append(Table("How many figures are met", [_summary_row(r) for _, r in rows.iterrows()], _SUMMARY_HEADS))
    return blocks


def table_section(table: pd.DataFrame, known: pd.DataFrame) -> list[Block]:
    """Every figure, folded by what was counted."""
    told = known.set_index(KEYS)[["definition", "source", "url", "note", "comment"]]
    rows = table.join(told, on=KEYS, how="inner")
    return [Table(f"{_capital(KINDS.get(kind, kind))}: {len(group)}",
                  [_row(r) for _, r in group.iterrows()], _HEADS, folded=True)
            for kind, group in rows.groupby("kind", sort=False)]


def meanings_section(table: pd.DataFrame, known: pd.DataFrame) -> list[Block]:
    """What kinds of figures there are, and what each says of the flow."""
    kinds = [{"kind": f"`{k}`", "meaning": KINDS[k], "number": str(n)} for k, n in known["kind"].value_counts().items()]
    bounds = [{"bound": f"`{b}`", "meaning": meaning, "number": str((known["bound"] == b).sum())}
              for b, meaning in BOUNDS.items()]
    return [Table("Kinds of figures", kinds, {"kind": "kind", "meaning": "what was counted", "number": "figures"}),
            Table("What a figure says of the flow", bounds, {"bound": "bound", "meaning": "meaning",
                                                            "number": "figures"})]


SECTIONS: dict[str, Callable[[pd.DataFrame, pd.DataFrame], list[Block]]] = {
    "summary": summary_section, "meanings": meanings_section, "table": table_section}


def _summary_row(row: pd.Series) -> dict[str, str]:
    median = row["median_log_ratio"]
    return {"group": KINDS.get(row["group"], row["group"]), "number": str(int(row["figures"])),
            "within": _percent(row["within"]), "reference": _percent(row["within_gaskin_abel"]),
            "inside": _percent(row["inside"]),
            "ahead": "–" if not row["decided"] else f"{_percent(row['ahead'])} of {int(row['decided'])}",
            "median": f"×{np.exp(median):.2f}" if np.isfinite(median) else "–"}


def _row(row: pd.Series) -> dict[str, str]:
    interval = "" if row[["flow_lower", "flow_upper"]].isna().any() else (
        f" ({_persons(row['flow_lower'])} to {_persons(row['flow_upper'])})")
    counted = ". ".join(filter(None, (row["definition"].rstrip("."), row["note"].rstrip(".")))) + "."
    return {"corridor": f"{name(row['origin'])} to {name(row['destination'])}, {row['year']}",
            "persons": f"{_BOUND[row['bound']]}{_persons(row['persons'])}",
            "flow": f"{_persons(row['flow'])}{interval}", "gaskin_abel": _persons(row["gaskin_abel"]),
            "meta": _persons(row["meta"]), "inside": {True: "✓", False: "✗"}.get(row["inside"], "–"),
            "why": row["comment"] if row["inside"] is not True else "", "counted": counted,
            "source": f"[{row['source']}]({row['url']})"}


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _persons(value: float) -> str:
    """A number of persons to three digits; what a reader needs to compare."""
    if not np.isfinite(value):
        return "–"
    digits = 0 if value < 1000 else 2 - int(np.floor(np.log10(value)))
    return f"{round(value, digits):,.0f}"


def _percent(share: float) -> str:
    return f"{share:.0%}" if np.isfinite(share) else "–"
