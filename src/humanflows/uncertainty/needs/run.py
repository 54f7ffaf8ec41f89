"""All tables of where data are needed most, from the draws of a profile, written with their manifests.

What is read comes as arguments: the panel, draws of the design ``whole``, and those of the other designs with what each
did not read. Draws are read twice (once more for the ladder, which asks for every year), one draw at a time.
"""
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from ... import artifacts
from ...errors import SchemaError
from ...panel.withhold import withheld_observations
from ...results.needs_terms import CHECK_COLUMNS, LADDER
from .candidates import by_residence, last_years, office_errors, reported, seen_of
from .check import agreement, check_offices, check_other_corridors, ladder
from .gather import centre_of, gather_all
from .rank import Quantities, rank_corridors, rank_countries, rank_offices, shared_table
from .sequence import choose_offices

MADE_BY = "humanflows needs"
FILES = ("needs_corridors.csv", "needs_countries.csv", "needs_shared.csv", "needs_ladder.csv", "needs_check.csv",
         "needs_offices.csv", "needs_sequence.csv", "needs_agreement.csv")
YEARS, EARLIER, TOP, OFFICES = 5, 10, 1000, 10     # years asked and before; corridors in the table; offices in sequence


@dataclass(frozen=True)
class Unread:
    """Draws of networks that did not read something, and what.

    ``draws`` as of ``draws.open_draws``; ``hidden`` bool (observation,), all reports that they did not read;
    ``reporters``, codes of offices of which they read nothing; ``held_out`` bool (origin, destination), corridors of
    which they read nothing; ``blind_from``, the first calendar year of which they read no report, or None.
    """

    draws: xr.Dataset
    hidden: np.ndarray
    reporters: tuple[str, ...] = ()
    held_out: np.ndarray | None = None
    blind_from: int | None = None


@dataclass(frozen=True)
class Given:
    """All that the tables are made of. ``panel``; ``regions`` (territory,); ``whole``, draws that read everything;
    ``unread``, draws that did not; ``truth``, flow (year, origin, destination) of a simulated world, or None."""

    panel: xr.Dataset
    regions: Sequence[str]
    whole: xr.Dataset
    unread: Sequence[Unread] = ()
    truth: np.ndarray | None = None


def make_tables(given: Given, *, number: int = YEARS, offices: int = OFFICES) -> dict[str, pd.DataFrame]:
    """All tables by file name, ``FILES``.

    Parameters
    ----------
    given : panel and draws.
    number : of years that would be reported.
    offices : length of the greedy sequence.

    Raises
    ------
    SchemaError
        For draws of another panel.
    """
    panel = given.panel
    told = reported(panel)
    _check_panel(given.whole, panel)
    years = last_years(told, number)
    crossed = [u for u in given.unread if u.reporters]
    hidden = [reported(panel, withheld_observations(panel, reporters=u.reporters)) for u in crossed]
    kept, *after = gather_all(given.whole, [told, *(~h for h in hidden)], years,
                              np.arange(max(0, years[0] - EARLIER), years[0]))
    errors, what = office_errors(panel), Quantities(kept, given.regions)
    ranked = rank_offices(kept, what, errors)
    place = {code: k for k, code in enumerate(kept.codes)}
    both = [place[c] for c in ranked.loc[(ranked["side"] == "both") & (ranked["flows_told"] > 0), "territory"]]
    checks = _checks(given, crossed, hidden, after, years, errors, place)
    return {"needs_corridors.csv": rank_corridors(kept, what, errors, seen_of(told, int(years[-1])), TOP),
            "needs_countries.csv": rank_countries(kept, what, errors),
            "needs_shared.csv": shared_table(kept, what, errors),
            "needs_ladder.csv": ladder(report_errors(panel, given.unread, given.whole)),
            "needs_check.csv": checks, "needs_offices.csv": ranked,
            "needs_sequence.csv": choose_offices(kept, what, errors, offices, ranked=both),
            "needs_agreement.csv": agreement(checks)}


def _checks(given: Given, crossed: Sequence[Unread], hidden, after, years, errors, place) -> pd.DataFrame:
    """Rows of all checks; none without draws that did not read some offices."""
    views, n = [~h for h in hidden], len(place)
    made = []
    for u in crossed:
        _check_panel(u.draws, given.panel)
        made.append(gather_all(u.draws, views, years))
    folds = np.full((n, n), -1)
    for g, u in enumerate(crossed):
        if u.held_out is not None:
            folds[u.held_out] = g
    parts = [pd.DataFrame(columns=list(CHECK_COLUMNS))]
    for g, u in enumerate(crossed):
        own, unread = sorted(place[r] for r in u.reporters if r in place), np.zeros(n, dtype=bool)
        unread[own] = True
        # Of a corridor between two offices that were not read, reading both took away more than one is predicted to.
        aside = (unread[:, None] & unread[None]) | (False if u.held_out is None else u.held_out)
        reports = mean_reports(given.panel, hidden[g], years)
        truth = None if given.truth is None else _mean_over(given.truth[None, years], hidden[g][:, years])
        parts.append(check_offices(made[g][g], after[g], errors, own, aside=aside, reports=reports, truth=truth))
        others = {f: made[f][g].unreported.mean(1, dtype=np.float64) for f, v in enumerate(crossed)
                  if f != g and v.held_out is not None and not set(v.reporters) & set(u.reporters)}
        parts.append(check_other_corridors(made[g][g], others, folds, reports, errors, own))
    return pd.concat([p for p in parts if len(p)] or parts[:1], ignore_index=True)


def mean_reports(panel: xr.Dataset, told: np.ndarray, years: np.ndarray) -> np.ndarray:
    """Means of reports over the years in which they are told, persons (side, origin, destination); NaN without.

    Parameters
    ----------
    told : which reports, bool (side, year, origin, destination).
    years : positions. Where two collections have a report, their mean counts.
    """
    own = by_residence(panel)
    t, o, d = (panel[f"flow_{k}"].values.astype(np.int64)[own] for k in ("year", "origin", "destination"))
    side = np.array([str(w).split("|")[2] == "emigration" for w in panel["witness"].values])
    s = side[panel["flow_witness"].values.astype(np.int64)[own]].astype(np.int64)
    total, count = np.zeros(told.shape), np.zeros(told.shape)
    np.add.at(total, (s, t, o, d), panel["flow_persons"].values[own])
    np.add.at(count, (s, t, o, d), 1)
    return _mean_over((total / np.maximum(count, 1))[:, years], (told & (count > 0))[:, years])


def _mean_over(persons: np.ndarray, told: np.ndarray) -> np.ndarray:
    many = told.sum(1)
    return np.where(many > 0, (persons * told).sum(1) / np.maximum(many, 1), np.nan)


def report_errors(panel: xr.Dataset, unread: Sequence[Unread], whole: xr.Dataset) -> pd.DataFrame:
    """Errors of reports by draws that did not read them, and by those that did: what ``check.ladder`` needs.

    Returns
    -------
    DataFrame: observation (position), reporter, rung, log_error, log_error_read.
    """
    columns = ["observation", "reporter", "rung", "log_error", "log_error_read"]
    if not len(unread):
        return pd.DataFrame(columns=columns)
    own, parts = by_residence(panel), []
    at = tuple(panel[f"flow_{k}"].values.astype(np.int64) for k in ("year", "origin", "destination"))
    reporter = np.array([str(w).split("|")[1] for w in panel["witness"].values])[
        panel["flow_witness"].values.astype(np.int64)]
    said, read = np.log1p(panel["flow_persons"].values.astype(np.float64)), np.log1p(centre_of(whole)[at])
    for u in unread:
        away = said - np.log1p(centre_of(u.draws)[at])
        of_corridor = np.zeros(len(said), bool) if u.held_out is None else u.held_out[at[1:]]
        of_office = np.isin(reporter, u.reporters)
        still = reported(panel, ~u.hidden).any(0)
        rung = np.full(len(said), "", dtype=object)
        if u.blind_from is not None:
            earlier = np.isin(reporter, np.unique(reporter[own & ~u.hidden]))
            rung[(panel["year"].values[at[0]] >= u.blind_from) & u.hidden & earlier] = LADDER[3]
        rung[of_office & u.hidden & ~of_corridor] = LADDER[0]
        rung[of_office & u.hidden & ~of_corridor & still[at]] = LADDER[1]
        rung[of_corridor & u.hidden & ~of_office] = LADDER[2]
        chosen = np.flatnonzero(own & (rung != ""))
        parts.append(pd.DataFrame({"observation": chosen, "reporter": reporter[chosen], "rung": rung[chosen],
                                   "log_error": away[chosen], "log_error_read": (said - read)[chosen]}))
    return pd.concat(parts, ignore_index=True)[columns]


def _check_panel(draws: xr.Dataset, panel: xr.Dataset) -> None:
    for name in ("origin", "year"):
        if name not in draws.coords or list(draws[name].values.astype(str)) != list(panel[name].values.astype(str)):
            raise SchemaError("draws", f"they are of another {name} than the panel", "make draws of this panel", name)


def run_needs(target: Path, open_: Callable[[], Given], inputs: dict, *, profile: str = "", number: int = YEARS,
              offices: int = OFFICES) -> dict[str, Path]:
    """Make the tables, unless they are fresh.

    Parameters
    ----------
    target : folder that they are written to.
    open_ : gives panel and draws; not called where the tables are fresh.
    inputs : digests of all that they are made of, for the manifests.
    profile, number, offices : see :func:`make_tables`.

    Returns
    -------
    dict: paths by file name, ``FILES``.
    """
    inputs = {**inputs, "number": number, "offices": offices, "code": artifacts.code_digest("uncertainty/needs")}
    files = {name: Path(target) / name for name in FILES}
    if all(artifacts.is_fresh(file, inputs) for file in files.values()):
        print("needs: up to date", flush=True)
        return files
    started = time.perf_counter()
    made = make_tables(open_(), number=number, offices=offices)
    for name, file in files.items():
        artifacts.write_text(file, made[name].to_csv(index=False, float_format="%.6g"))
        artifacts.write_manifest(file, made_by=MADE_BY, inputs=inputs, profile=profile,
                                 seconds=round(time.perf_counter() - started, 1))
    return files
