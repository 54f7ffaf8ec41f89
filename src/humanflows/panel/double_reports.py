"""Two reports of one flow: what origin and destination say, and what one office says under two definitions.

Both are held beside what the definitions let expect (``panel.reporting_systems``): the prior of the one report minus
that of the other.
"""
import numpy as np
import pandas as pd

from .publications import NEWEST_FIRST
from .reporting_systems import DURATIONS, SERIES, add_priors, describe_reports

FIRST_YEAR = 1990
LARGE = 50.0             # persons in the larger of the two reports, from which on they are compared
CORRIDOR_YEAR = ["origin", "destination", "year"]
SHORT_FIRST = DURATIONS[:-1]      # of an unknown duration nothing can be expected
DOUBLE_COLUMNS = ["reporter", "class", "duration", "cells", "first_year", "last_year", "median", "lower", "upper",
                  "expected"]
DEFINITION_COLUMNS = ["reporter", "side", "shorter", "longer", "shorter_in", "longer_in", "first_year", "last_year",
                      "cells", "median", "lower", "upper", "expected"]


def compare_double_reports(flow: pd.DataFrame, systems: pd.DataFrame | None = None,
                           classes: pd.DataFrame | None = None) -> pd.DataFrame:
    """Departures that the origin reports over arrivals that the destination reports, by who reports the departures.

    Parameters
    ----------
    flow : table ``flow`` of ``schema``; of several collections the newest counts. Flows by residence from
        ``FIRST_YEAR`` on are compared, of which one report is at least ``LARGE``.
    systems, classes : as of ``reporting_systems``; default the project's own.

    Returns
    -------
    One row a reporter of departures, the lowest median first: ``class`` and ``duration`` of most of its reports,
    ``cells``, ``first_year``, ``last_year``; ``median``, ``lower`` and ``upper`` quartile of the log ratio (of counts
    plus one); ``expected``, the median difference of the two reports' prior means.

    Raises
    ------
    SchemaError
        For a report without a definition.
    """
    rank = {name: k for k, name in enumerate(NEWEST_FIRST)}
    flow = flow[(flow["criterion"] == "residence") & flow["side"].isin(["immigration", "emigration"])
                & (flow["year"] >= FIRST_YEAR)]
    flow = flow.assign(rank=flow["source"].map(rank).fillna(len(rank))).sort_values("rank", kind="stable")
    flow = flow.drop_duplicates(["reporter", "side", *CORRIDOR_YEAR])
    told = _with_priors(flow, systems, classes)
    out = told[(told["side"] == "emigration") & (told["reporter"] == told["origin"])]
    into = told[(told["side"] == "immigration") & (told["reporter"] == told["destination"])]
    both = out.merge(into[[*CORRIDOR_YEAR, "persons", "log_bias_mean"]], on=CORRIDOR_YEAR, suffixes=("", "_other"))
    both = _log_ratio(both)
    rows = [{"reporter": reporter, "class": _most(group["class"]), "duration": _most(group["duration"]),
             **_summary(group)} for reporter, group in both.groupby("reporter")]
    return pd.DataFrame(rows, columns=DOUBLE_COLUMNS).sort_values(["median", "reporter"], ignore_index=True)


def compare_definitions(flow: pd.DataFrame, systems: pd.DataFrame | None = None,
                        classes: pd.DataFrame | None = None) -> pd.DataFrame:
    """The same office, people and year under two durations of stay: the shorter over the longer one.

    Parameters
    ----------
    flow, systems, classes : as of `compare_double_reports`; flows by citizenship are compared.

    Returns
    -------
    One row a reporter, side and pair of durations: ``shorter`` and ``longer`` duration, the collections that hold
    them, and the columns of `compare_double_reports`; ``expected`` is the difference of the durations' prior means.

    Raises
    ------
    SchemaError
        For a report without a definition.
    """
    flow = flow[(flow["criterion"] == "citizenship") & (flow["year"] >= FIRST_YEAR)]
    told = _with_priors(flow, systems, classes)
    keys = ["reporter", "side", *CORRIDOR_YEAR]
    place = {d: k for k, d in enumerate(SHORT_FIRST)}
    told = told.assign(place=told["duration"].map(place))[[*keys, "source", "duration", "place", "class", "persons",
                                                           "log_bias_mean"]].dropna(subset="place")
    both = told.merge(told, on=keys, suffixes=("", "_other"))
    # Of one system and class: else what differs is more than the stay.
    both = both[(both["place"] < both["place_other"]) & (both["class"] == both["class_other"])]
    # The longer stays are those of Eurostat, which UN DESA repeats: one number, one vote.
    rank = {name: k for k, name in enumerate(NEWEST_FIRST)}
    both = both.assign(rank=both["source_other"].map(rank).fillna(len(rank))).sort_values("rank", kind="stable")
    both = _log_ratio(both.drop_duplicates([*keys, "source", "duration"]))
    rows = [{"reporter": reporter, "side": side, "shorter": shorter, "longer": longer,
             "shorter_in": _list(group["source"]), "longer_in": _list(group["source_other"]), **_summary(group)}
            for (reporter, side, shorter, longer), group in both.groupby(["reporter", "side", "duration",
                                                                          "duration_other"])]
    return pd.DataFrame(rows, columns=DEFINITION_COLUMNS)


def _with_priors(flow: pd.DataFrame, systems, classes) -> pd.DataFrame:
    told = add_priors(describe_reports(flow, systems), classes)
    return flow.merge(told[[*SERIES, "year", "class", "duration", "log_bias_mean"]], on=[*SERIES, "year"])


def _log_ratio(both: pd.DataFrame) -> pd.DataFrame:
    both = both[both[["persons", "persons_other"]].max(axis=1) >= LARGE]
    return both.assign(log_ratio=np.log1p(both["persons"]) - np.log1p(both["persons_other"]),
                       expected=both["log_bias_mean"] - both["log_bias_mean_other"])


def _summary(group: pd.DataFrame) -> dict:
    lower, median, upper = group["log_ratio"].quantile([0.25, 0.5, 0.75]).round(3)
    return {"cells": len(group), "first_year": group["year"].min(), "last_year": group["year"].max(), "median": median,
            "lower": lower, "upper": upper, "expected": round(group["expected"].median(), 3)}


def _most(values: pd.Series) -> str:
    return values.mode().iloc[0]


def _list(values: pd.Series) -> str:
    return ";".join(sorted(values.unique()))
