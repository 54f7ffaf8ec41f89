"""Did such predictions come true? Offices that some draws read and others did not.

Draws of the design ``crossed`` did not read a group of offices; those of ``whole`` did. What the first predict that an
office's report would take away stands beside what it took away, office by office:

- ``the draws themselves``: the deviation of logs of flows, before and after. The strictest test of the update: both
  are of the posterior, and nothing but the linear formula and chance stands between them;
- ``the office itself``: the error of the office's reports. After reading they are numbers that were learned from, so
  the realised fall is an upper bound;
- ``its other corridors``: reports of a corridor that no draw read, before and after the office's other corridors were:
  nothing that is judged was learned from;
- ``added on the twin``: the error against the truth of a simulated world.

Draws before and after may be of different networks, in different number: deviations are within networks, since one
network's draws say nothing of what differs between networks.
"""
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from ...errors import SchemaError
from ...results.needs_terms import CHECK_COLUMNS, ELSEWHERE, ITSELF, LADDER, SIDES, TWIN
from .candidates import OfficeErrors, bias_variance, report_variance
from .gather import Kept
from .rank import FEWEST_PERSONS
from .reports import report_of, statistics, totals
from .update import share_told

DRAWS = "the draws themselves"
FEWEST, RESAMPLES = 5, 1000         # corridors of an office; offices drawn with replacement
_ABSOLUTE = np.sqrt(2 / np.pi)      # mean absolute value of a normal variate of deviation one


def within(values: np.ndarray, network: np.ndarray) -> np.ndarray:
    """Standard deviation over draws of one network, pooled over networks.

    Parameters
    ----------
    values : (draw, ...). network : (draw,).

    Raises
    ------
    SchemaError
        Where no network has two draws.
    """
    names, code = np.unique(network, return_inverse=True)
    if len(values) <= len(names):
        raise SchemaError("draws", f"{len(values)} draws of {len(names)} networks", "make two or more draws of each",
                          "draw")
    values = np.asarray(values, dtype=np.float64)
    square = sum(((values[code == k] - values[code == k].mean(0)) ** 2).sum(0) for k in range(len(names)))
    return np.sqrt(square / (len(values) - len(names)))


def compare_corridors(before: Kept, after: Kept, errors: OfficeErrors, offices: Sequence[int], *,
                      aside: np.ndarray | None = None, reports: np.ndarray | None = None,
                      truth: np.ndarray | None = None, fewest: float = FEWEST_PERSONS) -> pd.DataFrame:
    """Predicted and realised narrowing of every corridor that offices report, with draws that did not read them and
    draws that did.

    Parameters
    ----------
    before : of draws that did not read these offices, gathered so that what these offices really report, and nothing
        else, is ``unreported`` (corridors and years).
    after : of draws that read everything, gathered alike.
    errors : of offices' reports.
    offices : positions.
    aside : corridors that are left out, bool (origin, destination): those of which the draws before did not read
        something else either.
    reports : mean of the reports over those years, persons (side, origin, destination), NaN without: for their errors.
    truth : mean flow of a simulated world over those years, persons (side, origin, destination): for errors against it.
    fewest : persons a year, of corridors that count.

    Returns
    -------
    DataFrame: check, office, side, other (code of the other end), predicted, realised, error_before, error_after. Of
    ``DRAWS`` errors are deviations of logs over draws; of ``ITSELF`` and ``TWIN`` absolute log errors of centres (means
    of draws), predicted from the deviations as of normal errors. Offices and sides with fewer than ``FEWEST`` corridors
    are left out.

    Raises
    ------
    SchemaError
        For draws of other years or territories.
    """
    if not (np.array_equal(before.codes, after.codes) and np.array_equal(before.years, after.years)):
        raise SchemaError("needs", "draws before and after are of other years or territories", "gather both alike",
                          "years")
    n, parts = len(before.codes), []
    aside = np.zeros((n, n), dtype=bool) if aside is None else aside
    centres = [x.unreported.mean(1, dtype=np.float64) for x in (before, after)]
    for k in offices:
        for s, side in enumerate(SIDES):
            at = (slice(None), k) if s == 0 else (k, slice(None))
            report = report_of(before, errors, k, s)
            other = np.flatnonzero(report.there & ~aside[at] & (centres[0][s][at] >= fewest))
            if len(other) < FEWEST:
                continue
            here = np.full(len(other), k)
            o, d = (other, here) if s == 0 else (here, other)
            logs = [np.log1p(x.unreported[s][:, o, d].astype(np.float64)) for x in (before, after)]
            variance = within(logs[0], before.network) ** 2
            left = np.maximum(variance * (1 - share_told(logs[0], *statistics([report], o, d), before.network)), 0)
            own = {"office": before.codes[k], "side": side, "other": before.codes[other]}
            parts.append(_rows(DRAWS, own, np.sqrt(variance) - np.sqrt(left), np.sqrt(variance),
                               within(logs[1], after.network)))
            noise = bias_variance(errors.bias_sd[s, k]) + report_variance(
                errors.spread[s, k], before.unreported_years[s][o, d], centres[0][s][o, d])
            for check, known, more in ((ITSELF, reports, noise), (TWIN, truth, 0.0)):
                if known is not None:
                    error = [np.abs(np.log1p(c[s][o, d]) - np.log1p(known[s][o, d])) for c in centres]
                    parts.append(_rows(check, own, _ABSOLUTE * (np.sqrt(variance + more) - np.sqrt(left + more)),
                                       *error).dropna(subset="error_before"))
    return pd.concat(parts, ignore_index=True) if parts else _rows("", {"office": "", "side": "", "other": ""},
                                                                   *np.empty((3, 0)))


def _rows(check: str, own: Mapping, predicted, before, after) -> pd.DataFrame:
    return pd.DataFrame({"predicted": predicted, "realised": before - after, "error_before": before,
                         "error_after": after}).assign(check=check, **own)


def check_offices(before: Kept, after: Kept, errors: OfficeErrors, offices: Sequence[int], **given) -> pd.DataFrame:
    """Predicted and realised narrowing, office by office: means of :func:`compare_corridors`, with its arguments.

    Returns
    -------
    DataFrame with ``CHECK_COLUMNS``: a row for each check, office and side with ``FEWEST`` corridors or more.
    Deviations of ``DRAWS`` are roots of mean variances.
    """
    return by_office(compare_corridors(before, after, errors, offices, **given))


def by_office(compared: pd.DataFrame) -> pd.DataFrame:
    """Rows of :func:`compare_corridors` in the mean over the corridors of an office and side."""
    rows = []
    for (check, office, side), part in compared.groupby(["check", "office", "side"], sort=False):
        if len(part) < FEWEST:
            continue
        power = 2 if check == DRAWS else 1
        before, told, after = (float((x**power).mean() ** (1 / power)) for x in (
            part["error_before"], part["error_before"] - part["predicted"], part["error_after"]))
        rows.append({"check": check, "office": office, "side": side, "n": len(part), "predicted": before - told,
                     "realised": before - after, "error_before": before, "error_after": after})
    return pd.DataFrame(rows, columns=list(CHECK_COLUMNS))


def check_other_corridors(before: Kept, after: Mapping[int, np.ndarray], folds: np.ndarray, reports: np.ndarray,
                          errors: OfficeErrors, offices: Sequence[int], *,
                          fewest: float = FEWEST_PERSONS) -> pd.DataFrame:
    """What an office's other corridors tell of a corridor of which nobody's report was read.

    Parameters
    ----------
    before : of draws that did not read the offices, as in :func:`check_offices`.
    after : by fold of corridors, the centre of draws that read the offices but not that fold: persons (side, origin,
        destination), means over the years of the offices' reports.
    folds : of each corridor, (origin, destination).
    reports, errors, offices, fewest : as :func:`check_offices`.

    Returns
    -------
    DataFrame with ``CHECK_COLUMNS``, as for the other checks; predicted from the total of the report's other folds.
    """
    centres, rows = before.unreported.mean(1, dtype=np.float64), []
    for k in offices:
        for s, side in enumerate(SIDES):
            at = (slice(None), k) if s == 0 else (k, slice(None))
            found, centre, told = [], centres[s], before.unreported_years[s][at] > 0
            for fold, then in after.items():
                report = report_of(before, errors, k, s, there=folds[at] != fold)
                there = told & (folds[at] == fold) & (centre[at] >= fewest) & np.isfinite(reports[s][at])
                other = np.flatnonzero(there)
                if not report.any_new or not len(other):
                    continue
                here = np.full(len(other), k)
                o, d = (other, here) if s == 0 else (here, other)
                logs = np.log1p(before.unreported[s][:, o, d].astype(np.float64))
                share = np.clip(share_told(logs, *totals([report]), before.network), 0, 1)
                variance = within(logs, before.network) ** 2
                more = bias_variance(errors.bias_sd[s, k]) + report_variance(
                    errors.spread[s, k], before.unreported_years[s][o, d], centre[o, d])
                said = np.log1p(reports[s][o, d])
                found.append(np.column_stack([
                    _ABSOLUTE * (np.sqrt(variance + more) - np.sqrt(variance * (1 - share) + more)),
                    np.abs(np.log1p(centre[o, d]) - said), np.abs(np.log1p(then[s][o, d]) - said)]))
            found = np.concatenate(found) if found else np.empty((0, 3))
            if len(found) >= FEWEST:
                predicted, one, two = found.mean(0)
                rows.append({"check": ELSEWHERE, "office": before.codes[k], "side": side, "n": len(found),
                             "predicted": predicted, "realised": one - two, "error_before": one, "error_after": two})
    return pd.DataFrame(rows, columns=list(CHECK_COLUMNS))


def agreement(table: pd.DataFrame, *, resamples: int = RESAMPLES, seed: int = 0) -> pd.DataFrame:
    """Do offices that were predicted to tell most tell most? Spearman's rank correlation of each check.

    Parameters
    ----------
    table : rows of checks, ``CHECK_COLUMNS``.

    Returns
    -------
    DataFrame: check, offices, rows, rho, lower, upper (95% percentile interval of drawing whole offices with
    replacement; NaN with fewer than five), predicted, realised (means over rows), slope: of the realised fall on the
    predicted one through zero, 1 where predictions have the right size.
    """
    out = []
    for check, rows in table.dropna(subset=["predicted", "realised"]).groupby("check", sort=False):
        of_office = [part[["predicted", "realised"]].to_numpy(dtype=np.float64)
                     for _, part in rows.groupby("office", sort=True)]
        pairs, rng = np.concatenate(of_office), np.random.default_rng([seed, 19])
        found = {"rho": np.nan, "lower": np.nan, "upper": np.nan}
        if len(of_office) >= 5:
            drawn = [_spearman(np.concatenate([of_office[k] for k in rng.integers(len(of_office),
                                                                                  size=len(of_office))]))
                     for _ in range(resamples)]
            lower, upper = np.nanquantile(drawn, [0.025, 0.975])
            found = {"rho": _spearman(pairs), "lower": lower, "upper": upper}
        power = (pairs[:, 0] ** 2).sum()
        out.append({"check": check, "offices": len(of_office), "rows": len(pairs), **found,
                    "predicted": pairs[:, 0].mean(), "realised": pairs[:, 1].mean(),
                    "slope": pairs.prod(1).sum() / power if power > 0 else np.nan})
    return pd.DataFrame(out, columns=["check", "offices", "rows", "rho", "lower", "upper", "predicted", "realised",
                                      "slope"])


def _spearman(pairs: np.ndarray) -> float:
    if (np.ptp(pairs, axis=0) == 0).any():
        return float("nan")
    return float(spearmanr(pairs[:, 0], pairs[:, 1]).statistic)


def ladder(errors: pd.DataFrame) -> pd.DataFrame:
    """How well an office's report is told by what was read instead of it, rung by rung.

    Parameters
    ----------
    errors : a row for each report and way of not reading it: ``observation``, ``reporter``, ``rung`` (of
        ``results.needs_terms.LADDER`` but the last), ``log_error`` of the centre that did not read it and
        ``log_error_read`` of the one that did.

    Returns
    -------
    DataFrame: rung, n, offices, error, error_read, error_corridor: means over offices of mean absolute log errors;
    reports differ from rung to rung, so beside each stand the errors of the same reports once read, and, where they
    were judged so, with only this corridor not read.

    Raises
    ------
    SchemaError
        For a rung that is none.
    """
    if unknown := sorted(set(errors["rung"]) - set(LADDER[:-1])):
        raise SchemaError("needs", f"unknown rung {unknown[0]!r}", f"use {', '.join(LADDER[:-1])}", unknown[0])
    nothing, other_end, corridor, _, read = LADDER
    own = errors.loc[errors["rung"] == corridor].drop_duplicates("observation").set_index("observation")["log_error"]
    table = pd.DataFrame({"rung": errors["rung"], "office": errors["reporter"], "error": errors["log_error"].abs(),
                          "error_read": errors["log_error_read"].abs(),
                          "error_corridor": own.abs().reindex(errors["observation"]).to_numpy()})
    unread = table[table["rung"].isin([nothing, other_end])]
    table = pd.concat([table, unread.assign(rung=read, error=unread["error_read"])], ignore_index=True)
    rows = []
    for rung in LADDER:
        part = table[table["rung"] == rung]
        if len(part):
            by = part.groupby("office")[["error", "error_read", "error_corridor"]].mean()
            rows.append({"rung": rung, "n": len(part), "offices": len(by), **by.mean().to_dict()})
    return pd.DataFrame(rows, columns=["rung", "n", "offices", "error", "error_read", "error_corridor"])
