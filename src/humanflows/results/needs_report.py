"""The chapter on where data are needed most: what the tables of needs say, as text; every number comes from them."""
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import ArtifactError
from ..territories import codes as known_codes
from ..territories import name as name_of
from .needs_check import rank_agreement
from .needs_terms import COUNTRY_COLUMNS, ELSEWHERE, ITSELF, LADDER, SIDES, TWIN
from .protocol_report import Block, Figure, Table

TABLES = ("needs_corridors", "needs_countries", "needs_shared", "needs_ladder", "needs_check")
OPEN, LISTED = 20, 231           # rows of a table that is shown, and of the folded one
_FIGURES = {
    "needs_map": ("World map of persons a year by which the interval of all arrivals would become shorter.",
                  "How many persons a year the 80% interval of all arrivals would lose if the office reported them, by "
                  "place of previous residence. Pale: little is to be gained, because few arrive, because the office "
                  "reports already, or because the estimate is good without it."),
    "needs_ranking": ("Bars of the intervals of total arrivals, as published and if the office reported.",
                      "The territories whose total arrivals would be told most closely. In grey the 80% interval as "
                      "it is, in colour the one that would be left; the dot is the estimate; a report would move it."),
    "needs_check": ("Scatter of predicted against realised narrowing, an office in each mark.",
                    "Predicted and realised fall of the error of offices' reports, from not having read the office to "
                    "having read it. On the line a prediction came true."),
}
_CHECKS = {ITSELF: "its own reports, once they are read", ELSEWHERE: "its reports, once its other corridors are read",
           TWIN: "simulated world: arrivals against the truth, once the office is added"}


def read_needs(folder: Path) -> dict[str, pd.DataFrame]:
    """Tables by name, ``TABLES``; empty where the release has none of them.

    Raises
    ------
    ArtifactError
        When some are there and others are not.
    """
    files = {name: Path(folder) / f"{name}.csv" for name in TABLES}
    there = [name for name, file in files.items() if file.is_file()]
    if not there:
        return {}
    if missing := [name for name in TABLES if name not in there]:
        raise ArtifactError(files[missing[0]], "tables of needs are incomplete", "run humanflows needs and humanflows "
                            "release again", key=missing[0])
    return {name: pd.read_csv(file, keep_default_na=False, na_values=[""]) for name, file in files.items()}


def section(name: str, tables: Mapping[str, pd.DataFrame]) -> list[Block]:
    """What a section of the chapter shows, blocks in order; empty where there is nothing to show.

    Parameters
    ----------
    name : key of ``SECTIONS``.
    tables : as :func:`read_needs` gives them; not empty.
    """
    return SECTIONS[name](tables)


def drawn(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """Names of the figures that these tables have anything for."""
    countries, check = tables["needs_countries"], tables["needs_check"]
    arrivals = countries[countries["side"] == "arrivals"]["narrowing_persons"]
    found = {"needs_map": (arrivals >= 100).any(), "needs_ranking": (arrivals > 0).any(),
             "needs_check": (check["check"] == ITSELF).any()}
    return [k for k, any_ in found.items() if any_]


def persons(value: float) -> str:
    """Persons to two significant digits with thousands marked."""
    if value != value:
        return "–"
    step = 10 ** max(int(np.floor(np.log10(max(abs(value), 1)))) - 1, 0)
    return f"{int(round(value / step) * step):,}".replace("-", "−")


def thousands(value: float) -> str:
    """Thousand persons to two significant digits: short enough for a table of ranges."""
    return "–" if value != value else f"{value / 1000:.2g}" if abs(value) < 9_950 else persons(value / 1000)


def times(width: float) -> str:
    """A width on the log scale as how many times the upper end is the lower one."""
    factor = float(np.exp(min(width, 25.0)))
    return "–" if width != width else f"{factor:,.1f}" if factor < 10 else persons(factor)


def _name(code: str) -> str:
    return name_of(code) if code in set(known_codes()) else code


def _between(row: Mapping, after: str = "", say: Callable[[float], str] = persons) -> str:
    return f"{say(row[f'lower{after}'])} to {say(row[f'upper{after}'])}"


def _countries(tables: Mapping[str, pd.DataFrame]) -> list[Block]:
    table = tables["needs_countries"]
    made: list[Block] = [_countries_said(table)]
    made += [Figure(k, *_FIGURES[k]) for k in ("needs_map", "needs_ranking") if k in drawn(tables)]
    heads = {"rank": "rank", "territory": "territory", "persons": "estimate", "share": "share of all who move",
             "new": "not reported yet", "now": "80% interval", "then": "if reported", "gain": "variance told"}
    for side in SIDES:
        rows = table[(table["side"] == side) & (table["narrowing_persons"] > 0)].sort_values("rank")
        text = [{"rank": str(k), "territory": _name(r["territory"]), "persons": thousands(r["persons"]),
                 "share": f"{100 * r['share']:.2f}%", "new": f"{100 * r['new']:.0f}%",
                 "now": _between(r, say=thousands), "then": _between(r, "_reported", thousands),
                 "gain": f"{100 * r['gain']:.0f}%"}
                for k, r in enumerate(rows.to_dict("records"), start=1)]
        if text:
            made.append(Table(f"All {side}, the neediest first, thousand persons a year", text[:OPEN], heads))
            made.append(Table(f"All {side}, every territory, thousand persons a year", text[:LISTED], heads,
                              folded=True))
    return made


def _countries_said(table: pd.DataFrame) -> str:
    if list(table.columns[:len(COUNTRY_COLUMNS)]) != list(COUNTRY_COLUMNS):
        raise ArtifactError("needs_countries.csv", "columns are not those of the tables of needs",
                            "run humanflows needs again")
    years = f"{table['first_year'].iloc[0]:.0f} to {table['last_year'].iloc[0]:.0f}"
    said = [f"What would be known had an office reported every year from {years}:"]
    for side in SIDES:
        rows = table[(table["side"] == side) & (table["narrowing_persons"] > 0)].sort_values("rank")
        if len(rows) > 1:
            total, first = rows["narrowing_persons"].sum(), rows.iloc[0]
            few = int((rows["narrowing_persons"].cumsum() < total / 2).sum()) + 1
            said.append(f"Of all that intervals of {side} could lose, half lies in {few} of {len(rows)} territories. "
                        f"First is {_name(first['territory'])}: {_between(first)} persons a year as it is, "
                        f"{_between(first, '_reported')} if its office reported.")
    return "\n\n".join(said)


def _corridors(tables: Mapping[str, pd.DataFrame]) -> list[Block]:
    table = tables["needs_corridors"]
    table = table[table["narrowing_below"] > 0]
    if table.empty:
        return []
    text = [{"rank": str(int(r["rank"])), "corridor": f"{_name(r['origin'])} → {_name(r['destination'])}",
             "seen": r["seen"].partition(" ")[2], "persons": thousands(r["persons"]),
             "now": _between(r, say=thousands), "then": _between(r, "_reported", thousands),
             "times": f"{times(r['width'])} → {times(r['width_reported'])}"}
            for r in table.head(100).to_dict("records")]
    heads = {"rank": "rank", "corridor": "corridor", "seen": "what is reported now", "persons": "estimate",
             "now": "80% interval", "then": "if reported", "times": "95%: upper end over lower"}
    unseen = table["seen"].str.startswith("D")
    said = (f"Of the {len(table)} corridors that stand to gain most, {int(unseen.sum())} lie between two countries "
            f"neither of which has an office whose figures could be read; together the {len(table)} hold "
            f"{100 * table['share'].sum():.0f}% of all people who move.")
    return [said, Table("Corridors, the neediest first, thousand persons a year", text[:OPEN], heads),
            Table("The first hundred, thousand persons a year", text, heads, folded=True)]


def _ladder(tables: Mapping[str, pd.DataFrame]) -> list[Block]:
    table = tables["needs_ladder"].set_index("rung")
    if table.empty:
        return []
    text = [{"rung": rung, "n": f"{int(r['n']):,}", "offices": str(int(r["offices"])),
             **{k: "–" if r[k] != r[k] else f"{r[k]:.2f}" for k in ("error", "error_corridor", "error_read")},
             "factor": f"{np.exp(r['error']):.1f}"} for rung, r in table.iterrows()]
    heads = {"rung": "what was read", "n": "reports", "offices": "offices", "error": "mean log error",
             "factor": "as a factor", "error_corridor": "the same reports, its other corridors read",
             "error_read": "the same reports, once read"}
    return [*_ladder_said(table), Table("How well an office's report is told without it, and with it", text, heads)]


def _ladder_said(table: pd.DataFrame) -> list[str]:
    said = []
    nothing, other = (table.loc[k] if k in table.index else None for k in LADDER[:2])
    if nothing is not None and np.isfinite(nothing["error_corridor"]):
        fall = 1 - nothing["error_corridor"] / nothing["error"]
        said.append(f"A report of an office of which nothing was read is missed by a factor of "
                    f"{np.exp(nothing['error']):.1f} in the mean, by {np.exp(nothing['error_corridor']):.1f} once the "
                    f"office's other corridors are read: {_rather(fall)}. Once the report itself is read, "
                    f"{np.exp(nothing['error_read']):.1f} remain, since the model weighs a report against all else.")
    if other is not None and np.isfinite(other["error_corridor"]):
        better = other["error"] < other["error_corridor"]
        said.append("What the *other* end reports of the same corridor and year is "
                    + ("worth more than the office's own other corridors" if better
                       else "worth less than the office's own other corridors")
                    + f": the factor is {np.exp(other['error']):.1f} with the first and "
                    f"{np.exp(other['error_corridor']):.1f} with the second, on the same reports. "
                    + ("" if better else "Offices differ in what they count; a mirror does not replace an office."))
    return said


def _rather(fall: float) -> str:
    return f"the error is {100 * fall:.0f}% smaller" if fall > 0 else f"the error is {-100 * fall:.0f}% larger"


def _shared(tables: Mapping[str, pd.DataFrame]) -> list[Block]:
    table = tables["needs_shared"]
    if table.empty:
        return ["*Too few members for this: it takes six or more.*"]
    by = table.groupby("target", sort=False).agg(r2=("r2", "mean"), away=("r2_elsewhere", "mean"),
                                                 error=("r2_error", "mean"), told=("told", "mean"),
                                                 most=("told", lambda x: x.quantile(0.9)))
    members = int(table["members"].iloc[0])
    text = [{"target": t, **{k: f"{100 * r[k]:.0f}%".replace("-", "−") for k in by.columns}} for t, r in by.iterrows()]
    heads = {"target": "quantity of the same territory", "told": "variance that a report of arrivals would take away",
             "most": "in one territory of ten, more than", "r2": "shared by members",
             "away": "shared with another territory's", "error": "standard error of one territory"}
    return [f"With {members} members, what two quantities share in one territory is known to about "
            f"±{100 * by['error'].mean():.0f} points, so that only means over territories say much.",
            Table("What a report of all arrivals tells of the rest", text, heads)]


def _check(tables: Mapping[str, pd.DataFrame]) -> list[Block]:
    table, rows = tables["needs_check"], []
    for check, what in _CHECKS.items():
        own = table[(table["check"] == check) & table["side"].isin(SIDES)].dropna(subset=["predicted"])
        if check == TWIN:       # departures there are no report, but what one of arrivals tells of them
            own = own[own["side"] == SIDES[0]]
        if len(own):
            found = rank_agreement(own)
            interval = ("–" if found["lower"] != found["lower"]
                        else f"{found['lower']:.2f} to {found['upper']:.2f}".replace("-", "−"))
            rows.append({"what": what, "offices": str(found["offices"]), "rho": _number(found["rho"]),
                         "interval": interval, **{k: _number(found[k]) for k in ("predicted", "realised")}})
    if not rows:
        return []
    heads = {"what": "what", "offices": "offices", "rho": "rank correlation", "interval": "95% interval",
             "predicted": "predicted fall", "realised": "realised fall"}
    made: list[Block] = [Table("Predicted and realised fall of the mean absolute log error", rows, heads)]
    made += [Figure("needs_check", *_FIGURES["needs_check"])] if "needs_check" in drawn(tables) else []
    return made + _added(table[table["check"] == TWIN])


def _added(table: pd.DataFrame) -> list[Block]:
    """Errors against the truth of the simulated world, without and with an added office, by quantity."""
    if table.empty:
        return []
    by = table.groupby("side", sort=False)[["error_before", "error_after", "predicted", "realised"]].mean()
    text = [{"what": what, **{k: _number(r[k]) for k in by.columns}} for what, r in by.iterrows()]
    heads = {"what": "what", "error_before": "error without", "error_after": "with the office",
             "predicted": "predicted fall", "realised": "realised fall"}
    offices = table["office"].nunique()
    return [Table(f"Simulated world: errors against the truth, means over {offices} added offices", text, heads)]


def _number(value: float) -> str:
    return "–" if value != value else f"{value:.2f}".replace("-", "−")


SECTIONS = {"countries": _countries, "corridors": _corridors, "ladder": _ladder, "shared": _shared, "check": _check}
