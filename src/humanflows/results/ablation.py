"""What each part buys: how far scores of runs with one part left out lie from those of everything as it is.

One tidy table holds all: a row for each run, seed and set of cells. Runs that differ in their seed alone differ by
chance; a difference counts when it is larger than chance makes nineteen in twenty.
"""
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import t as student_t

from .offices import ALL, with_offices

EVERYTHING = "everything"
SETS = ("collection", "side", "criterion", "horizon")
SCORES = ("n", "r", "log_r", "root_r", "abs_log_error", "cpc", "log_bias", "within_r", "change_r")
COLUMNS = ("run", "seed", *SETS, *SCORES, "year", "persons")
# Columns that tables made before them lack: see results.offices, results.report_expectations.
LATER = ("offices", "median_log_error", "log_score", "log_score_n")
SHOWN_SIDES = ("immigration", "emigration")      # of the collection and criterion of the validation protocol
SHOWN_SCORES = ("log_score", "within_r")         # the first is the one that runs are ranked by
EARLIER_SCORES = ("log_r", "within_r")           # of tables without a log score
_EQUAL = 1e-9    # differences below this are of floats, not of runs
SHOWN = {"collection": "undesa_imfsc", "criterion": "residence", "horizon": "annual", "offices": ALL}


def is_ablation(table: pd.DataFrame) -> bool:
    """Whether a table has the columns of one, and runs to compare with everything as it is."""
    if not set(COLUMNS) <= set(table.columns):
        return False
    shown = shown_differences(table)
    return len(shown) > 0 and len(by_what_it_buys(shown)) > 0


def rows_of(table: pd.DataFrame, side: str, **others) -> pd.DataFrame:
    """Rows of one set of cells; by default of the collection, criterion and horizon of the validation protocol, and
    against all reports."""
    wanted, told = {**SHOWN, "side": side, **others}, with_offices(table)
    return table[np.all([told[k].fillna("") == v for k, v in wanted.items()], axis=0)]


def differences(table: pd.DataFrame, side: str, score: str, **others) -> pd.DataFrame:
    """How far the runs' score of a set lies from the mean of everything as it is.

    Chance is measured by runs with several seeds: ``s``, the standard deviation around their own run's mean, pooled
    over all runs with ``f`` degrees of freedom. Two means of ``k`` and ``m`` seeds differ by less than
    t(f) s √(1/k + 1/m) in 95% of cases where nothing but chance tells them apart.

    Parameters
    ----------
    table : of all runs, columns ``COLUMNS``.
    side, score : which score of which set; ``others`` as for :func:`rows_of`.

    Returns
    -------
    DataFrame, a row for each run, everything first, the others in the order of the table: ``run, value`` (mean
    over its seeds), ``difference``, ``lowest, highest`` (difference of its lowest and highest seed), ``seeds``,
    ``margin`` (of the difference, by chance; that of everything is for a run with one seed; NaN where no run has two
    seeds), and ``verdict``: "below" or "above" where the difference is beyond the margin, otherwise "within". Runs
    without this set or score are NaN; the table is empty where everything has none, or no run.
    """
    columns = ["run", "value", "difference", "lowest", "highest", "seeds", "margin", "verdict"]
    rows = rows_of(table, side, **others)
    if score not in rows:       # a table made before it was measured
        return pd.DataFrame(columns=columns)
    rows = rows.dropna(subset=[score])
    base = rows.loc[rows["run"] == EVERYTHING, score]
    if not len(base):
        return pd.DataFrame(columns=columns)
    runs = table[["run"]].drop_duplicates()
    runs = pd.concat([runs[runs["run"] == EVERYTHING], runs[runs["run"] != EVERYTHING]], ignore_index=True)
    of_runs = rows.groupby("run")[score].agg(["mean", "min", "max", "count"]).reindex(runs["run"])
    seeds = of_runs["count"].fillna(0).to_numpy(int)
    value, lowest, highest = (of_runs[k].to_numpy(float) for k in ("mean", "min", "max"))
    around = rows[score] - rows.groupby("run")[score].transform("mean")
    freedom = int((seeds[seeds > 0] - 1).sum())
    margin = np.full(len(runs), np.nan)
    if freedom:
        spread = np.sqrt((around**2).sum() / freedom)
        counted = np.where(runs["run"] == EVERYTHING, 1, np.maximum(seeds, 1))
        margin = student_t.ppf(0.975, freedom) * spread * np.sqrt(1 / counted + 1 / seeds[0])
    difference = value - base.mean()
    beyond = (runs["run"] != EVERYTHING).to_numpy() & (np.abs(difference) > margin + _EQUAL)
    verdict = np.select([beyond & (difference < 0), beyond], ["below", "above"], "within")
    return runs.assign(value=value, difference=difference, lowest=lowest - base.mean(), highest=highest - base.mean(),
                       seeds=seeds, margin=margin, verdict=verdict)[columns]


def shown_scores(table: pd.DataFrame) -> tuple[str, ...]:
    """The scores that are shown of a table, the one that runs are ranked by first: log scores where it has them."""
    scored = any(len(differences(table, side, SHOWN_SCORES[0])) for side in SHOWN_SIDES)
    return SHOWN_SCORES if scored else EARLIER_SCORES


def shown_differences(table: pd.DataFrame, scores: Sequence[str] | None = None) -> pd.DataFrame:
    """Differences of the scores that the figure shows, ``side`` and ``score`` before their columns.

    ``scores`` are those of :func:`shown_scores` by default.
    """
    scores = shown_scores(table) if scores is None else scores
    parts = [differences(table, side, score).assign(side=side, score=score)
             for score in scores for side in SHOWN_SIDES]
    whole = pd.concat(parts, ignore_index=True)
    return whole[["side", "score", *whole.columns.drop(["side", "score"])]]


def by_what_it_buys(shown: pd.DataFrame) -> list[str]:
    """Runs but everything, from the one that loses most without its part; the mean over sides of the first score."""
    first = shown[(shown["score"] == shown["score"].iloc[0]) & (shown["run"] != EVERYTHING)]
    mean = first.groupby("run", sort=False)["difference"].mean()
    return mean.dropna().sort_values(kind="stable").index.tolist()


_NAMES = {"log_score": "log score", "log_r": "log R", "within_r": "R within corridors"}
_SIDE_NAMES = {"immigration": "arrivals", "emigration": "departures"}


def ablation_sentences(table: pd.DataFrame) -> str:
    """What the table says, in words: made from it alone, so that they stay true whatever it holds."""
    shown = shown_differences(table)
    if shown.empty:
        return "None of the runs has a score of the protocol's own sets.\n"
    repeats = table.loc[table["run"] == EVERYTHING, "seed"].nunique()
    number = len(set(shown["run"])) - 1
    said = [f"There {'is' if repeats == 1 else 'are'} {_count(repeats, 'run')} of everything as it is, by as many "
            f"seeds, and {_count(number, 'way')} of leaving out or changing one part. If none of them mattered, "
            f"chance alone would still place about {max(1, round(0.05 * number))} beyond the margin in each set."]
    said[0] += _about_log_score(table) if "log_score" in set(shown["score"]) else ""
    for (score, side), rows in shown.groupby(["score", "side"], sort=False):
        base, others = rows[rows["run"] == EVERYTHING].iloc[0], rows[rows["run"] != EVERYTHING]
        worse = others[others["verdict"] == "below"].sort_values("difference", kind="stable")
        better = others[others["verdict"] == "above"].sort_values("difference", ascending=False, kind="stable")
        said.append(f"- {_NAMES[score]}, {_SIDE_NAMES[side]}: {_number(base['value'])} with everything. "
                    f"Lower by more than chance: {_fell_out(worse)}. Higher: {_fell_out(better)}.")
    return said[0] + "\n\n" + "\n".join(said[1:]) + "\n"


def _about_log_score(table: pd.DataFrame) -> str:
    """What the log score is, and of how many reports."""
    numbers = []
    for side in SHOWN_SIDES:
        rows = rows_of(table, side)
        number = rows.loc[rows["run"] == EVERYTHING, "log_score_n"].max() if "log_score_n" in rows else np.nan
        if number > 0:
            numbers.append(f"{int(number):,} reports of {_SIDE_NAMES[side]}")
    about = f", over {' and '.join(numbers)}" if numbers else ""
    return (" Runs are ranked by the log score: the mean log density of a report under the estimate and the bias and "
            f"spread that reports of other corridors taught{about}, in nats a report; higher is better.")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("s" if number != 1 else "")


def _fell_out(rows: pd.DataFrame, most: int = 3) -> str:
    if not len(rows):
        return "none"
    named = ", ".join(f"*{run}* ({_signed(d)})" for run, d in zip(rows["run"][:most], rows["difference"]))
    return named if len(rows) <= most else f"{len(rows)} of them, most of all {named}"


def _number(value: float, decimals: int = 3) -> str:
    return f"{value:.{decimals}f}".replace("-", "−")


def _signed(value: float, decimals: int = 3) -> str:
    text = f"{value:+.{decimals}f}".replace("-", "−")
    return text[1:] if not float(text[1:]) else text


def table_columns(table: pd.DataFrame) -> dict[str, tuple[str, str, dict]]:
    """Columns of the short table by heading: side, score, and what else names the set of cells."""
    net = {"collection": "wpp", "criterion": ""}
    columns = {"log score, arrivals": ("immigration", "log_score", {}),
               "log score, departures": ("emigration", "log_score", {}),
               "log R, arrivals": ("immigration", "log_r", {}), "log R, departures": ("emigration", "log_r", {}),
               "R within, arrivals": ("immigration", "within_r", {}),
               "R within, departures": ("emigration", "within_r", {}),
               "log bias, arrivals": ("immigration", "log_bias", {}),
               "R, net migration": ("net migration", "r", net), "R over time, net migration":
               ("net migration", "within_r", net)}
    stocks = sorted({c for c in table["collection"].fillna("") if c.startswith("stocks ")})
    if stocks:
        columns["root R, stock differences"] = ("stock difference", "root_r",
                                                {"collection": stocks[-1], "criterion": "", "horizon": ""})
    return columns


def short_table(table: pd.DataFrame) -> list[dict]:
    """Rows for readers: everything with its value and the margin of chance, the other runs by their differences.

    Returns
    -------
    list of dict, keys ``run`` and those of :func:`table_columns`, and moves in the world of the first and last year
    (millions, not a difference). A difference beyond chance has an asterisk.
    """
    made = {head: differences(table, side, score, **others).set_index("run")
            for head, (side, score, others) in table_columns(table).items()}
    made = {head: rows for head, rows in made.items() if len(rows)}
    totals = table[table["collection"] == "world"].groupby(["run", "year"])["persons"].mean().unstack()
    out = []
    for run in [EVERYTHING, *(r for r in dict.fromkeys(table["run"]) if r != EVERYTHING)]:
        row = {"run": run, **{head: _cell(rows.loc[run]) for head, rows in made.items()}}
        for year in dict.fromkeys((totals.columns[0], totals.columns[-1])) if run in totals.index else ():
            row[f"moves {int(year)}, millions"] = f"{totals.loc[run, year] / 1e6:.1f}"
        out.append(row)
    return out


def _cell(row: pd.Series) -> str:
    if not np.isfinite(row["value"]):
        return "–"
    if row.name == EVERYTHING:
        return _number(row["value"]) + (f" ± {row['margin']:.3f}" if np.isfinite(row["margin"]) else "")
    return _signed(row["difference"]) + {"within": ""}.get(row["verdict"], "*")
