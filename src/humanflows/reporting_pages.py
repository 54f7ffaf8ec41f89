"""The chapter on reporting systems: blocks of text and tables, made from the tables of definitions and comparisons."""
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from . import paths
from .artifacts import require
from .panel.double_reports import LARGE
from .panel.reporting_systems import (
    AND,
    ANY,
    CHECKED,
    CLASSES,
    DURATIONS,
    SEVERAL,
    read_classes,
    read_coefficients,
    read_systems,
)
from .results.protocol_report import Fold, Table
from .schema import FIRST_YEAR, LAST_YEAR
from .territories import name, region_of

ENOUGH = 30      # cells, from which on a reporter is shown among double reports
MADE_BY = "scripts/describe_panel.py"
_STAY = {"none": "none", "3": "3 months", "6": "6 months", "12": "12 months", "permanent": "permanent",
         "unknown": "unknown"}
_SIDE = {"immigration": "arrivals", "emigration": "departures", "both": "both", ANY: "both"}
_SYSTEM_HEADS = {"years": "years", "what": "which numbers", "system": "system", "stay": "stay", "class": "class",
                 "breaks": "breaks", "note": "what counts", "checked": "checked", "reference": "reference"}
_DOUBLE_HEADS = {"reporter": "departures reported by", "class": "class", "stay": "stay", "cells": "cells",
                 "years": "years", "ratio": "departures over arrivals", "half": "half of the cells within",
                 "expected": "expected from the definitions"}
_DEFINITION_HEADS = {"reporter": "office", "side": "side", "stays": "stays", "years": "years", "cells": "cells",
                     "ratio": "shorter over longer", "half": "half of the cells within", "expected": "expected"}


def section(which: str) -> list:
    """Blocks of one section: ``str``, ``Table`` or ``Fold``.

    Raises
    ------
    ArtifactError
        When a comparison that the section shows was not made.
    """
    return SECTIONS[which]()


def classes_section() -> list:
    """What each class is and what is expected of its numbers."""
    systems, priors = read_systems(), read_classes()
    rows = []
    for each, meaning in CLASSES.items():
        terms = priors[(priors["part"] == "class") & (priors["name"] == each)].set_index("side")
        reporters = systems.loc[systems["class"] == each, "reporter"].nunique()
        rows.append({"class": f"`{each}`", "meaning": meaning, "reporters": str(reporters),
                     **{side: _prior(terms, side) for side in ("immigration", "emigration")},
                     "basis": ", ".join(sorted(set(terms["basis"]))),
                     "reference": _cite(AND.join(dict.fromkeys(
                         k for cell in terms["reference"] for k in cell.split(AND) if k)))})
    return [Table("Classes of reporting systems", rows, {
        "class": "class", "meaning": "what it is", "reporters": "reporters", "immigration": "arrivals: factor",
        "emigration": "departures: factor", "basis": "numbers from", "reference": "reference"})]


def durations_section() -> list:
    """Published factors between durations of stay, and the prior that follows."""
    coefficients, priors = read_coefficients(), read_classes()
    wide = coefficients.pivot(index="duration", columns="model", values="coefficient")
    models = list(dict.fromkeys(coefficients["model"]))
    terms = priors[priors["part"] == "duration"].set_index("name")
    rows = [{"stay": _STAY[d], **{m: f"{wide.at[d, m]:.2f}" if d in wide.index else "–" for m in models},
             "factor": f"×{np.exp(terms.at[d, 'log_bias_mean']):.2f}",
             "range": _range(terms.at[d, "log_bias_mean"], terms.at[d, "log_bias_sd"])} for d in DURATIONS]
    return [Table("Multiply a report by this to get stays of twelve months", rows, {
        "stay": "stay that counts", **{m: m for m in models}, "factor": "expected report over stays of twelve months",
        "range": "95% of the prior"})]


def double_section() -> list:
    """What origins say of departures, against what destinations say of arrivals."""
    table = _comparison(paths.DOUBLE_REPORTS)
    shown = table[table["cells"] >= ENOUGH]
    weight, agreement = shown["cells"].to_numpy(float), _correlation(shown)
    lowest, highest = shown.iloc[0], shown.iloc[-1]
    typical = np.exp(np.average(shown["median"], weights=weight))
    text = (f"{table['cells'].sum():,} flows of a year between two countries are reported by both, with at least one "
            f"number of {LARGE:.0f} or more. The reporters' medians of departures over arrivals have a mean of "
            f"×{typical:.2f} (geometric, weighted by cells); they go from ×{np.exp(lowest['median']):.2f} "
            f"({name(lowest['reporter'])}) to ×{np.exp(highest['median']):.2f} ({name(highest['reporter'])}). What the "
            f"definitions let expect correlates with what is found: R = {agreement:.2f} over {len(shown)} reporters, "
            "on the logarithm.")
    rows = [{"reporter": name(r["reporter"]), "class": f"`{r['class']}`", "stay": _STAY[r["duration"]],
             "cells": f"{r['cells']:,}", **_found(r)} for _, r in shown.iterrows()]
    return [text, Table("Departures that the origin reports over arrivals that the destination reports", rows,
                        _DOUBLE_HEADS)]


def definitions_section() -> list:
    """What one office says under two definitions."""
    table = _comparison(paths.TWO_DEFINITIONS)
    shown = table[table["cells"] >= ENOUGH]
    sides = shown.groupby("side").apply(
        lambda g: np.average(g["median"] / g["expected"], weights=g["cells"]), include_groups=False)
    text = (f"{table['cells'].sum():,} numbers are held twice: after the office's own definition, and after "
            "another one that it sends to Eurostat or to the OECD. The logarithm of their ratio is "
            + " and ".join(f"{value:.0%} of what the coefficients of IMEM let expect of {_SIDE[side]}"
                           for side, value in sides.items()) + ".")
    rows = [{"reporter": name(r["reporter"]), "side": _SIDE[r["side"]],
             "stays": f"{_STAY[r['shorter']]} over {_STAY[r['longer']]}", "cells": f"{r['cells']:,}", **_found(r)}
            for _, r in shown.iterrows()]
    return [text, Table("The same office, citizenship and year under two durations of stay", rows, _DEFINITION_HEADS)]


def systems_section() -> list:
    """Every definition, by region and reporter, folded."""
    systems = read_systems()
    region = systems["reporter"].map(region_of()).fillna("Platforms")
    blocks = []
    for each in dict.fromkeys(sorted(region)):
        tables = [Table(name(code) if code in region_of() else code, [_definition(r) for _, r in rows.iterrows()],
                        _SYSTEM_HEADS)
                  for code, rows in sorted(systems[region == each].groupby("reporter"), key=lambda g: str(g[0]))]
        blocks.append(Fold(f"{each}: {len(tables)} reporters" if len(tables) > 1 else each, tables))
    return blocks


def checked_section() -> list:
    """How well the definitions are known."""
    systems = read_systems()
    rows = [{"checked": c, "meaning": meaning, "definitions": str((systems["checked"] == c).sum()),
             "reporters": str(systems.loc[systems["checked"] == c, "reporter"].nunique())}
            for c, meaning in CHECKED.items()]
    unknown = systems.loc[systems["duration"] == "unknown", "reporter"].unique()
    return [f"{len(systems)} definitions of {systems['reporter'].nunique()} reporters. In "
            f"{(systems['duration'] == 'unknown').sum()} of them, of {len(unknown)} reporters, the duration of stay is "
            "not known.",
            Table("How the definitions were checked", rows, {"checked": "checked", "meaning": "meaning",
                                                             "definitions": "definitions", "reporters": "reporters"})]


SECTIONS: dict[str, Callable[[], list]] = {
    "classes": classes_section, "durations": durations_section, "double": double_section,
    "definitions": definitions_section, "systems": systems_section, "checked": checked_section}


def _comparison(file: Path) -> pd.DataFrame:
    return pd.read_csv(require(file, MADE_BY), keep_default_na=False,
                       dtype={"duration": str, "shorter": str, "longer": str})


def _correlation(table: pd.DataFrame) -> float:
    """Correlation of what is found and expected, weighted by the root of the cells (few cells are uncertain)."""
    covariance = np.cov(table["median"], table["expected"], aweights=np.sqrt(table["cells"]))
    return covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])


def _found(row: pd.Series) -> dict[str, str]:
    return {"years": f"{row['first_year']}–{row['last_year']}", "ratio": f"×{np.exp(row['median']):.2f}",
            "half": f"×{np.exp(row['lower']):.2f} to ×{np.exp(row['upper']):.2f}",
            "expected": f"×{np.exp(row['expected']):.2f}"}


def _prior(terms: pd.DataFrame, side: str) -> str:
    side = side if side in terms.index else "both"
    mean, deviation = terms.at[side, "log_bias_mean"], terms.at[side, "log_bias_sd"]
    return f"×{np.exp(mean):.2f} ({_range(mean, deviation)})"


def _range(mean: float, deviation: float) -> str:
    return f"{np.exp(mean - 1.96 * deviation):.2f} to {np.exp(mean + 1.96 * deviation):.2f}"


def _cite(keys: str) -> str:
    return f"{{cite:p}}`{keys.replace(AND, ',')}`" if keys else ""


def _definition(row: pd.Series) -> dict[str, str]:
    which = [_SIDE[row["side"]] if row["side"] != ANY else "arrivals and departures",
             "" if row["criterion"] == ANY else f"by {row['criterion']}",
             "" if row["source"] == ANY else "in " + ", ".join(f"`{s}`" for s in row["source"].split(SEVERAL))]
    return {"years": _span(row["first_year"], row["last_year"]), "what": " ".join(filter(None, which)),
            "system": row["system"], "stay": _STAY[row["duration"]], "class": f"`{row['class']}`",
            "breaks": row["breaks"], "note": row["note"], "checked": row["checked"],
            "reference": _cite(row["reference"])}


def _span(first: int, last: int) -> str:
    if first == FIRST_YEAR:
        return "all" if last == LAST_YEAR else f"to {last}"
    return f"from {first}" if last == LAST_YEAR else f"{first}–{last}"
