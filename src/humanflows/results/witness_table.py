"""What was learned about those who count: bias and dispersion of each witness, and what its counterpart reports.

A learned bias is relative to the estimates, which rest on the same reports: an office could look complete because the
estimates follow it. Where two offices count the same moves, one as departures and one as arrivals, the ratio of their
reports needs no estimate, and is set beside it.
"""
from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import SchemaError
from ..territories import name
from .summaries import NOT_AN_OFFICE, reported_flows

WITNESS_COLUMNS = ("witness", "source", "reporter", "side", "criterion", "flow_type", "observations", "log_bias",
                   "factor", "log_ratio", "dispersion", "dispersion_robust", "other_side", "other_side_learned",
                   "other_side_pairs", "other_side_offices")
BOTH_SIDES = ("source", "reporter", "flow_type")
ROBUST = 1.4826     # standard deviation of a normal distribution over its median absolute deviation
SMALLEST = 10.0     # persons, geometric mean of two offices' reports: below, their ratio is mostly chance
FEWEST = 20         # reports, or pairs of them, from which a median is worth showing
SIDES = ("immigration", "emigration")


def describe_witnesses(panel: xr.Dataset, learned: np.ndarray, log_bias: np.ndarray,
                       expected: np.ndarray) -> pd.DataFrame:
    """One row for each witness, from the reports that it was learned from and no others.

    Parameters
    ----------
    panel : the panel.
    learned : (observation,) bool, the reports learned from (``panel.splits.training_observations``).
    log_bias : (witness,), natural log of the learned factor, mean over its reports; 0 for none.
    expected : (learned.sum(),) persons that the witness should have reported, its bias in that year included
        (``ObservationModel.predictions``), in the order of the reports.

    Returns
    -------
    DataFrame with columns ``WITNESS_COLUMNS``, in the panel's order: ``factor`` is exp(``log_bias``); the dispersions
    are of log((1 + reported) / (1 + expected)): its root mean square, and 1.4826 times its median absolute deviation
    [1]_; ``log_ratio`` is its median added to ``log_bias``, which is the median log of reported over estimated where
    the bias is the same in all years, and near it where the bias moves. Priors hold biases back: where a witness counts
    on the whole fewer than is estimated, ``log_ratio`` says by how much, and ``log_bias`` how much of it was taken for
    a bias. Effects of corridors were fitted to the same reports, so
    that dispersions are somewhat too small. ``other_side`` is the median of log((1 + own report) / (1 + report of the
    office at the other end)), both by residence, of the same corridors and years, where the geometric mean of the two
    is at least ``SMALLEST``; ``other_side_learned`` the same median of the two learned log biases;
    ``other_side_pairs`` and ``other_side_offices`` how many pairs and other offices there are. Where the other office
    publishes in several collections, the mean of its logs counts. What is unknown is NaN.

    Raises
    ------
    SchemaError
        When there is not one bias for each witness or one expected number for each report.

    References
    ----------
    .. [1] Rousseeuw & Croux (1993), Alternatives to the median absolute deviation, Journal of the American Statistical
       Association 88, 1273–1283.
    """
    log_bias, expected = np.asarray(log_bias, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    for what, have, need in (("biases", len(log_bias), panel.sizes["witness"]),
                             ("expected numbers", len(expected), int(np.sum(learned)))):
        if have != need:
            raise SchemaError("witness_table", f"{have} {what} for {need} witnesses or reports", "give one each",
                              key=what)
    labels = panel.witness.values.astype(str)
    table = pd.DataFrame([(w, *w.split("|")[:5]) for w in labels], columns=list(WITNESS_COLUMNS[:6]))
    reports = reported_flows(panel).assign(witness=panel.flow_witness.values.astype(int))[np.asarray(learned, bool)]
    reports = reports.assign(log=np.log1p(reports["persons"]), bias=log_bias[reports["witness"]])
    error = (reports["log"] - np.log1p(expected)).groupby(reports["witness"])
    return table.assign(
        observations=error.size().reindex(table.index, fill_value=0), log_bias=log_bias, factor=np.exp(log_bias),
        log_ratio=log_bias + error.median().reindex(table.index),
        dispersion=error.agg(lambda e: np.sqrt(np.mean(e**2))).reindex(table.index),
        dispersion_robust=error.agg(lambda e: ROBUST * np.median(np.abs(e - np.median(e)))).reindex(table.index),
    ).join(_other_side(reports), how="left").fillna({"other_side_pairs": 0, "other_side_offices": 0}).astype(
        {"other_side_pairs": int, "other_side_offices": int})[list(WITNESS_COLUMNS)]


def _other_side(reports: pd.DataFrame) -> pd.DataFrame:
    """By witness, what it reports over what the office at the other end reports."""
    offices = reports[(reports["criterion"] == "residence") & reports["side"].isin(SIDES)
                      & ~reports["collection"].isin(NOT_AN_OFFICE)]
    moves = ["corridor", "year", "side"]
    across = offices.groupby(moves, as_index=False)[["log", "bias"]].mean()
    across["side"] = across["side"].map(dict(zip(SIDES, SIDES[::-1])))
    pairs = offices.merge(across, on=moves, suffixes=("", "_other"))
    pairs = pairs[(pairs["log"] + pairs["log_other"]) / 2 >= np.log1p(SMALLEST)]
    other = np.where(pairs["side"] == "emigration", pairs["destination"], pairs["origin"])
    return pairs.assign(ratio=pairs["log"] - pairs["log_other"], said=pairs["bias"] - pairs["bias_other"],
                        other=other).groupby("witness").agg(
        other_side=("ratio", "median"), other_side_learned=("said", "median"), other_side_pairs=("ratio", "size"),
        other_side_offices=("other", "nunique"))


def both_sides(table: pd.DataFrame) -> pd.DataFrame:
    """Offices that report arrivals and departures by residence in one collection, fewest departures first.

    Parameters
    ----------
    table : as ``describe_witnesses`` makes it. Witnesses with fewer than ``FEWEST`` reports are left out.

    Returns
    -------
    DataFrame: ``BOTH_SIDES``, and ``log_bias, log_ratio, dispersion_robust, observations`` of each side, with the
    side's name after an underscore.
    """
    rows = table[(table["criterion"] == "residence") & (table["observations"] >= FEWEST)
                 & ~table["source"].isin(NOT_AN_OFFICE)]
    values = ["log_bias", "log_ratio", "dispersion_robust", "observations"]
    arrivals, departures = (rows.loc[rows["side"] == side, [*BOTH_SIDES, *values]] for side in SIDES)
    pairs = arrivals.merge(departures, on=list(BOTH_SIDES), suffixes=[f"_{side}" for side in SIDES])
    return pairs.sort_values(["log_ratio_emigration", "reporter", "source"], kind="stable", ignore_index=True)


def checked_departures(table: pd.DataFrame, fewest: int = FEWEST) -> pd.DataFrame:
    """Rows of offices' departures by residence of which ``fewest`` reports or more can be set beside another's."""
    return table[(table["side"] == "emigration") & (table["other_side_pairs"] >= fewest)].reset_index(drop=True)


def witness_sentences(table: pd.DataFrame) -> dict[str, str]:
    """What the table says about departures, in sentences that hold whatever the numbers are.

    Parameters
    ----------
    table : as ``describe_witnesses`` makes it.

    Returns
    -------
    dict with the keys ``undercount, other_side``; a sentence that nothing can be said where no office is in question.
    """
    return {"undercount": _undercount(both_sides(table)), "other_side": _checked(checked_departures(table))}


def _undercount(pairs: pd.DataFrame) -> str:
    if not len(pairs):
        return "No office reports both arrivals and departures by residence."
    fewer = {k: int((pairs[f"{k}_emigration"] < pairs[f"{k}_immigration"]).sum()) for k in ("log_ratio", "log_bias")}
    middle = {(k, side): _times(pairs[f"{k}_{side}"].median()) for k in fewer for side in SIDES}
    first = pairs.drop_duplicates("reporter").head(3)
    least = [f"{name(r)} ({_times(b)})" for r, b in zip(first["reporter"], first["log_ratio_emigration"])]
    return (f"Of {len(pairs)} pairs of series, arrivals and departures of one office in one collection, departures are "
            f"the less complete in {fewer['log_ratio']}, beside the estimates, and have the smaller learned factor in "
            f"{fewer['log_bias']}. The median office reports {middle['log_ratio', 'immigration']} of the arrivals and "
            f"{middle['log_ratio', 'emigration']} of the departures that are estimated, in its median corridor and "
            f"year; the medians of the learned factors are {middle['log_bias', 'immigration']} and "
            f"{middle['log_bias', 'emigration']}. The fewest departures, beside the estimates, are reported by "
            f"{_listed(least)}.")


def _checked(rows: pd.DataFrame) -> str:
    if not len(rows):
        return "For no office's departures are there enough reports from the other ends of its corridors."
    fewer = int((rows["other_side"] < 0).sum())
    text = (f"For {len(rows)} series of departures the offices at the other ends speak of the same moves. In {fewer} "
            f"of them departures are fewer than the arrivals counted there; the median ratio is "
            f"{_times(rows['other_side'].median())}. By the learned biases of both sides it would be "
            f"{_times(rows['other_side_learned'].median())}; beside the estimates, the same departures are "
            f"{_times(rows['log_ratio'].median())}.")
    if len(rows) > 2 and rows["other_side"].nunique() > 1 and rows["log_bias"].nunique() > 1:
        rank = rows["log_bias"].corr(rows["other_side"], method="spearman")
        text += f" The rank correlation of learned bias and ratio is {_signed(rank)}."
    return text


def _times(log: float) -> str:
    return f"×{np.exp(log):.2f}"


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def witness_rows(table: pd.DataFrame) -> list[dict[str, str]]:
    """Offices by residence as text, those with the fewest departures first, for a table in a page.

    Returns
    -------
    list of dict with the keys ``office, source, arrivals, departures, learned_arrivals, learned_departures, spread,
    other_side, pairs``: median of reported over estimated, learned factors, the robust dispersion of departures as a
    factor, and the ratio of departures to the arrivals counted at the other ends.
    """
    checked = table[table["side"] == "emigration"].drop_duplicates(list(BOTH_SIDES)).set_index(list(BOTH_SIDES))
    rows = []
    for r in both_sides(table).to_dict("records"):
        other = checked.loc[tuple(r[k] for k in BOTH_SIDES)]
        known = other["other_side_pairs"] >= FEWEST
        rows.append({"office": name(r["reporter"]), "source": r["source"],
                     "arrivals": _times(r["log_ratio_immigration"]), "departures": _times(r["log_ratio_emigration"]),
                     "learned_arrivals": _times(r["log_bias_immigration"]),
                     "learned_departures": _times(r["log_bias_emigration"]),
                     "spread": _times(r["dispersion_robust_emigration"]),
                     "other_side": _times(other["other_side"]) if known else "–",
                     "pairs": f"{other['other_side_pairs']:,}"})
    return rows
