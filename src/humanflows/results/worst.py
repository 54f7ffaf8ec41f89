"""Which corridors are most wrong, and what the data hint about why.

An error is a distance to a report, and the report may be what is wrong. So each corridor comes with what other
witnesses of it, its stocks and its wars say: hints made from data alone, for a reader to judge.
"""
import numpy as np
import pandas as pd
import xarray as xr

from ..panel.harmonise import best_stock
from .error_terms import WAR, log_error, three_digits
from .summaries import NOT_AN_OFFICE, reported_flows

DISAGREE = 2.0          # factor from which two numbers of one corridor are said to disagree
FEW_YEARS = 5           # years below which a series is short
JUMP, JUMP_FROM = 5.0, 100.0    # factor from one year to the next, of at least so many persons, that suggests new rules
SERIES = ["collection", "reporter", "side", "criterion", "origin", "destination"]
WORST_COLUMNS = ("corridor", *SERIES, "first", "last", "years", "worst_year", "reported", "estimated", "ratio", "share",
                 "share_counts", "why", "other", "other_reported")


def contribution(cells: pd.DataFrame) -> np.ndarray:
    """What each cell adds to the error: its squared log error times the mean of the two logs.

    Of (log(1+e) − log(1+o))² every corridor has its share, and the list is one of islands between which three people
    move; of (e − o)² a handful of the largest has most, and the list is one of large flows, right or nearly so. A
    demographer asks who is wrong by a large *factor* on a flow that *matters*: the squared log error weighted by log
    size. The size is the geometric mean of 1 + reported and 1 + estimated, so that ten thousand estimated where none is
    reported weigh as much as ten thousand reported where none is estimated.
    """
    error = log_error(cells)
    return error ** 2 * (np.log1p(cells["estimate"].to_numpy(float)) + np.log1p(cells["persons"].to_numpy(float))) / 2


def worst_corridors(cells: pd.DataFrame, panel: xr.Dataset, k: int = 20) -> pd.DataFrame:
    """Corridors, as one witness reports them, that contribute most to the error.

    Parameters
    ----------
    cells : as ``with_estimates`` makes them; shares are of all these cells.
    panel : for what other witnesses, stocks and conflict say.
    k : number of rows, largest contribution (see :func:`contribution`) first.

    Returns
    -------
    DataFrame with columns ``WORST_COLUMNS``: ``corridor`` ("MEX-USA"), the witness, ``first, last, years`` (number of
    years reported), ``worst_year`` (of the largest contribution), ``reported, estimated`` (means over these years,
    persons), ``ratio`` of 1 + estimated to 1 + reported, ``share`` of the error, ``share_counts`` (of the squared error
    in persons), ``why`` (see :func:`humanflows.results.error_terms.read_why`), ``other`` (the witness that ``why``
    compares with, as "collection|reporter|side|criterion") and ``other_reported`` (its mean over the years that both
    report).
    """
    measured = cells.assign(error=contribution(cells), squared=(cells["estimate"] - cells["persons"]) ** 2)
    by = measured.groupby("corridor", sort=True)             # the label of a witness and its corridor
    table = by.agg(**{c: (c, "first") for c in SERIES}, first=("year", "min"), last=("year", "max"),
                   years=("year", "nunique"), reported=("persons", "mean"), estimated=("estimate", "mean"),
                   share=("error", "sum"), share_counts=("squared", "sum"))
    table["worst_year"] = measured.loc[by["error"].idxmax(), "year"].to_numpy() if len(table) else []
    for column in ("share", "share_counts"):
        table[column] /= table[column].sum() or 1.0
    table = table.sort_values("share", ascending=False, kind="stable").head(k).reset_index(names="label")
    table["ratio"] = (1 + table["estimated"]) / (1 + table["reported"])
    table["corridor"] = table["origin"] + "-" + table["destination"]
    hints = _hints(table, measured[measured["corridor"].isin(table["label"])], panel)
    return pd.concat([table, hints], axis=1)[list(WORST_COLUMNS)]


def _hints(table: pd.DataFrame, cells: pd.DataFrame, panel: xr.Dataset) -> pd.DataFrame:
    place = {str(c): i for i, c in enumerate(panel["origin"].values)}
    n = len(place)
    wanted = (table["origin"].map(place) * n + table["destination"].map(place)).to_numpy()
    spoken = np.isin(panel["flow_origin"].values.astype(np.int64) * n + panel["flow_destination"].values, wanted)
    reports = reported_flows(panel.isel(observation=np.flatnonzero(spoken)))
    stock = best_stock(panel).astype(np.float64)
    deaths = panel["conflict_deaths"].fillna(0.0).transpose("year", "residence").to_pandas()
    series = dict(list(cells.groupby("corridor")))
    rows = []
    for row in table.to_dict("records"):
        own = series[row["label"]].set_index("year")
        others = reports[(reports.origin == row["origin"]) & (reports.destination == row["destination"])]
        why, other, mean = _beside(row, own, others)
        if row["criterion"] != "residence":
            why["criterion"] = row["criterion"]
        years = own.index.union(own.index - 1)
        dead = deaths.reindex(index=years, columns=[row["origin"], row["destination"]]).max(axis=None)
        if dead >= WAR:
            why["conflict"] = _brief(dead)
        if row["years"] < FEW_YEARS:
            why["few_years"] = str(row["years"])
        why |= _jump(own["persons"]) | _stock_hint(row, own, stock, place, panel["stock_year"].values)
        text = ";".join(f"{code}={value}" if value else code for code, value in (why or {"unexplained": ""}).items())
        rows.append({"why": text, "other": other, "other_reported": mean})
    return pd.DataFrame(rows, columns=["why", "other", "other_reported"])


def _beside(row: dict, own: pd.DataFrame, others: pd.DataFrame) -> tuple[dict, str, float]:
    """What another office or source says in the same years: an office at the other end, else the platform, else the
    same office in another collection or by another criterion."""
    candidates = []
    for keys, rows in others.groupby(["collection", "reporter", "side", "criterion"]):
        if keys == tuple(row[c] for c in SERIES[:4]):
            continue
        common = rows.set_index("year")["persons"]
        common = common[common.index.isin(own.index)]
        if len(common):
            same, platform = keys[1] == row["reporter"], keys[0] in NOT_AN_OFFICE or row["collection"] in NOT_AN_OFFICE
            # an office elsewhere, counting alike, with many years: the first is the one compared with
            candidates.append(((2 if same else int(platform), keys[3] != row["criterion"], -len(common), keys), common))
    if not candidates:
        return {}, "", float("nan")
    (kind, *_, keys), common = min(candidates, key=lambda c: c[0])
    told, here = float(common.mean()), own.loc[common.index]
    factor = _factor(told, float(here["persons"].mean()))
    why = {}
    if factor >= DISAGREE:
        why[("offices_disagree", "platform_disagrees", "own_numbers_differ")[kind]] = _brief(factor)
        if _factor(told, float(here["estimate"].mean())) < DISAGREE:
            why["estimate_agrees"] = ""
    elif kind == 0:
        why["offices_agree"] = ""
    return why, "|".join(keys), told


def _brief(value: float) -> str:
    """Three digits without an exponent."""
    return f"{three_digits(value):.12g}"


def _factor(a: float, b: float) -> float:
    """How many times the larger is the smaller, zeros counted as one person."""
    return float(np.exp(abs(np.log1p(a) - np.log1p(b))))


def _jump(persons: pd.Series) -> dict[str, str]:
    persons = persons.sort_index()
    next_year = persons.reindex(persons.index + 1).to_numpy()
    now = persons.to_numpy()
    some = np.isfinite(next_year) & (np.fmax(now, next_year) >= JUMP_FROM)
    largest = float(np.exp(np.abs(np.log1p(next_year[some]) - np.log1p(now[some])).max())) if some.any() else 1.0
    return {"jump": _brief(largest)} if largest >= JUMP else {}


def _stock_hint(row, own, stock, place, stock_years) -> dict[str, str]:
    """Migrants of the pair, those of the origin in the destination and those who may return, beside a year's moves."""
    o, d = place[row["origin"]], place[row["destination"]]
    counted = []
    for series in (stock[:, o, d], stock[:, d, o]):
        known = np.isfinite(series)
        if known.any():
            counted.append(np.interp(own.index.to_numpy(float), stock_years[known], series[known]).mean())
    if not counted:
        return {"no_stock": ""}
    return {"small_stock": _brief(sum(counted))} if sum(counted) < row["reported"] else {}
