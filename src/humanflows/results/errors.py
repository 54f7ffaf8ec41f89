"""Where, for whom and when the estimates are wrong: the cells of ``validation.flow_cells`` taken apart.

A log error is log(1 + estimated) − log(1 + reported): 0.69 is twice too many, −0.69 half. Every error here is a
distance to a *report*. Offices miss people, count others or change their rules, so a large one may be anybody's fault;
what speaks for whom is said beside it where the data tell.
"""
from collections.abc import Sequence
from difflib import get_close_matches

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import t as student_t

from ..errors import SchemaError
from ..panel.harmonise import best_stock
from ..territories import region_of
from .error_terms import COMPONENT_COLUMNS, GROUPS, SETS, WAR, log_error, three_digits, with_estimates
from .shocks import WORLD_SHOCKS, Shock, score_shocks, shocks
from .summaries import NOT_AN_OFFICE
from .validation import flow_cells
from .worst import WORST_COLUMNS, worst_corridors

__all__ = ["COMPONENT_COLUMNS", "GROUPS", "RESIDUAL_COLUMNS", "SETS", "TABLES", "WORST", "error_components",
           "group_cells", "log_error", "make_tables", "residuals_by", "with_estimates", "worst_corridors"]

TABLES = ("worst_corridors", "residuals", "error_components", "shocks", "shock_scores")
WORST = ("by residence", "by citizenship or birthplace")
RESIDUAL_COLUMNS = ("by", "group", "n", "corridors", "share", "bias", "bias_lower", "bias_upper", "abs_error",
                    "abs_lower", "abs_upper")


# --- For whom, when -------------------------------------------------------------------------------------------------

def group_cells(cells: pd.DataFrame, panel: xr.Dataset, by: str) -> np.ndarray:
    """Group of each cell, one of ``GROUPS[by]`` or a year as text; None where it is unknown.

    Raises
    ------
    SchemaError
        For an unknown grouping.
    """
    if by not in GROUPS:
        near = get_close_matches(by, list(GROUPS), n=1, cutoff=0.0)
        raise SchemaError("errors", f"unknown grouping {by!r}", f"did you mean {near[0]!r}?", key=by)
    match by:
        case "region of origin" | "region of destination":
            return cells[by.removeprefix("region of ")].map(region_of()).to_numpy(dtype=object)
        case "year":
            return cells["year"].astype(str).to_numpy(dtype=object)
        case "reported flow" | "estimated flow":
            persons = cells["persons" if by == "reported flow" else "estimate"]
            return _cut(np.floor(persons + 0.5), [1, 10, 100, 1000, 10_000], by)
        case "distance":
            return _cut(_of_pairs(panel, "distance", cells), [1000, 3000, 8000], by)
        case "border":
            return _cut(_of_pairs(panel, "contiguity", cells), [0.5], by)
        case "income of destination to origin":
            income = panel["gdp_per_capita"]
            return _cut(_of_years(income, cells, "destination") / _of_years(income, cells, "origin"),
                        [1 / 3, 1, 3, 10], by)
        case "conflict in the origin":
            deaths = panel["conflict_deaths"].fillna(0.0)
            worst = np.maximum(_of_years(deaths, cells, "origin"), _of_years(deaths, cells, "origin", before=1))
            return _cut(worst, [1, WAR], by)
        case "stock":
            counted = np.isfinite(best_stock(panel)).any(0)                 # [birthplace, residence]
            o, d = (panel.get_index(k).get_indexer(cells[k]) for k in ("origin", "destination"))
            return np.where(counted[o, d], *GROUPS[by]).astype(object)


def _cut(values, edges: Sequence[float], by: str) -> np.ndarray:
    """Labels of values by the lower edges of all groups but the first."""
    values = np.asarray(values, dtype=np.float64)
    labels = np.array([*GROUPS[by], None], dtype=object)
    return labels[np.where(np.isnan(values), -1, np.searchsorted(edges, values, side="right"))]


def _of_pairs(panel: xr.Dataset, variable: str, cells: pd.DataFrame) -> np.ndarray:
    o, d = (panel.get_index(k).get_indexer(cells[k]) for k in ("origin", "destination"))
    return panel[variable].transpose("origin", "destination").values[o, d]


def _of_years(series: xr.DataArray, cells: pd.DataFrame, end: str, before: int = 0) -> np.ndarray:
    # The first year's own value stands for the unknown year before it, as in the features.
    y = np.maximum(series.get_index("year").get_indexer(cells["year"]) - before, 0)
    return series.transpose("year", "residence").values[y, series.get_index("residence").get_indexer(cells[end])]


def residuals_by(cells: pd.DataFrame, panel: xr.Dataset, by: str, level: float = 0.95) -> pd.DataFrame:
    """Mean log error, and mean absolute log error, of groups of cells.

    Groups by the *reported* flow are chosen by what is compared: small reports are low by chance more often than high,
    so that estimates seem too high there and too low among the large, even where they are unbiased. Groups by the
    *estimated* flow are chosen by the other side and err the other way; the two together enclose the answer.

    Parameters
    ----------
    cells : as ``with_estimates`` makes them. Give one side and criterion at a time: offices miss people who leave, and
        an average over both kinds of report is about neither.
    panel : where the groups are read from.
    by : one of ``GROUPS``. Conflict is by the deaths of the year or the year before, whichever are more; the stock
        is the one of people born in the origin who live in the destination.
    level : of the intervals: t intervals whose standard error sums errors by corridor [1]_, since those of one
        corridor, in all years and from both its offices, are alike. They do not know that corridors of one office are
        alike too, and are rather narrow.

    Returns
    -------
    DataFrame with columns ``RESIDUAL_COLUMNS``, groups in their natural order, empty ones left out. Cells whose group
    is unknown count in no group; ``share`` is of all cells.

    Raises
    ------
    SchemaError
        For an unknown grouping.

    References
    ----------
    .. [1] Liang & Zeger (1986), Longitudinal data analysis using generalized linear models, Biometrika 73, 13–22.
    """
    error, labels = log_error(cells), group_cells(cells, panel, by)
    order = GROUPS[by] or sorted(set(labels))
    corridor = pd.factorize(cells["origin"] + "-" + cells["destination"])[0]
    rows = []
    for group in order:
        here = labels == group
        if here.any():
            bias, absolute = (_mean_by_cluster(v[here], corridor[here], level) for v in (error, np.abs(error)))
            rows.append((by, group, int(here.sum()), len(np.unique(corridor[here])), here.mean(), *bias, *absolute))
    return pd.DataFrame(rows, columns=list(RESIDUAL_COLUMNS))


def _mean_by_cluster(values: np.ndarray, cluster: np.ndarray, level: float) -> tuple[float, float, float]:
    """Mean and interval from sums of deviations by cluster; no interval from a single cluster."""
    mean = float(values.mean())
    sums = pd.Series(values - mean).groupby(cluster).sum().to_numpy()
    g = len(sums)
    if g < 2:
        return mean, float("nan"), float("nan")
    half = student_t.ppf((1 + level) / 2, g - 1) * np.sqrt(g / (g - 1) * (sums ** 2).sum()) / len(values)
    return mean, mean - half, mean + half


# --- What kind of error ----------------------------------------------------------------------------------------------

def error_components(cells: pd.DataFrame) -> pd.DataFrame:
    """The mean squared log error of each set of cells as a sum of three.

    With x the log error of witness w, corridor c and year t, and bars for means over cells,

        mean x² = mean x̄_w² + mean (x̄_wc − x̄_w)² + mean (x − x̄_wc)²

    - *level*: the witness counts more, or fewer, than is estimated, all its corridors together. Rules of counting make
      such differences, and so does an estimate of moves that an office misses.
    - *pattern*: a corridor is too high or too low beside the witness's others, in all years.
    - *time*: a year is too high or too low beside the corridor's others. Noise of small reports is in here.

    The cross terms vanish because each part has mean zero within the one before. Exact, whatever the gaps.

    Returns
    -------
    DataFrame with columns ``COMPONENT_COLUMNS``, a row for each collection, side and criterion.
    """
    table = cells[list(SETS)].assign(error=log_error(cells), reporter=cells["reporter"], corridor=cells["corridor"])
    witness = table.groupby([*SETS, "reporter"])["error"].transform("mean")
    series = table.groupby([*SETS, "reporter", "corridor"])["error"].transform("mean")
    table = table.assign(level=witness ** 2, pattern=(series - witness) ** 2, time=(table["error"] - series) ** 2,
                         total=table["error"] ** 2)
    made = table.groupby(list(SETS), sort=True).agg(
        n=("error", "size"), witnesses=("reporter", "nunique"), series=("corridor", "nunique"), level=("level", "mean"),
        pattern=("pattern", "mean"), time=("time", "mean"), total=("total", "mean"))
    return made.reset_index()[list(COMPONENT_COLUMNS)]


# --- All of it -------------------------------------------------------------------------------------------------------

def make_tables(flow: xr.DataArray, panel: xr.Dataset, splits: xr.Dataset,
                named_shocks: Sequence[Shock] = WORLD_SHOCKS, k: int = 20) -> dict[str, pd.DataFrame]:
    """Every table of the error analysis, small enough to be committed with a release.

    Parameters
    ----------
    flow : (year, origin, destination), persons.
    panel, splits : of the same territories.
    named_shocks : see :func:`humanflows.results.shocks.shocks`.
    k : worst corridors in each of the two lists.

    Returns
    -------
    dict with the keys ``TABLES``, all but the shocks on held-out corridors:

    - ``worst_corridors``: a list of what is counted by residence and one of the rest (column ``set``, one of
      ``WORST``). Corridors appear by their means alone.
    - ``residuals``: by every grouping and ``side``, of what offices count by residence.
    - ``error_components``: of every set.
    - ``shocks``, ``shock_scores``: the courses (three digits) and their scores.
    """
    cells = with_estimates(flow_cells(panel, splits, "held_out"), flow)
    residence = cells["criterion"] == "residence"
    worst = [worst_corridors(cells[chosen], panel, k).assign(set=name)
             for name, chosen in zip(WORST, (residence, ~residence)) if chosen.any()]
    offices = cells[residence & ~cells["collection"].isin(NOT_AN_OFFICE)]
    residuals = [residuals_by(rows, panel, by).assign(side=side)
                 for side, rows in offices.groupby("side", sort=True) for by in GROUPS]
    course = shocks(flow, panel, named_shocks)
    scores = score_shocks(course, named_shocks, splits)
    digits = {c: course[c].map(three_digits) for c in ("persons", "estimated")}
    return {"worst_corridors": pd.concat(worst, ignore_index=True) if worst else
            pd.DataFrame(columns=[*WORST_COLUMNS, "set"]),
            "residuals": pd.concat(residuals, ignore_index=True) if residuals else
            pd.DataFrame(columns=[*RESIDUAL_COLUMNS, "side"]),
            "error_components": error_components(cells), "shocks": course.assign(**digits), "shock_scores": scores}
