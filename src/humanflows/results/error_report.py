"""What the tables of an error analysis say, in sentences that hold whatever the numbers are."""
from collections.abc import Mapping

import numpy as np
import pandas as pd

from .error_terms import read_why

SIDES = (("immigration", "arrivals"), ("emigration", "departures"))


def times(ratio: float) -> str:
    """A ratio as ×2.4 or ×1,200."""
    return f"×{ratio:,.0f}" if ratio >= 100 else f"×{ratio:.2g}"


def error_sentences(tables: Mapping[str, pd.DataFrame], number: int) -> dict[str, str]:
    """A paragraph about each figure of an error analysis.

    Parameters
    ----------
    tables : as ``results.errors.make_tables`` makes them.
    number : of the worst corridors that are counted, from the top of the first list.

    Returns
    -------
    dict with the keys ``worst_corridors, residuals, error_components, shocks``.
    """
    return {"worst_corridors": _worst(tables["worst_corridors"], number), "residuals": _residuals(tables["residuals"]),
            "error_components": _components(tables["error_components"]), "shocks": _shocks(tables["shock_scores"])}


def _worst(table: pd.DataFrame, number: int) -> str:
    first = table[table["set"] == table["set"].iloc[0]].head(number) if len(table) else table
    why = [read_why(w) for w in first["why"]]
    disagree, near, agree = (sum(code in w for w in why) for code in (
        "offices_disagree", "estimate_agrees", "offices_agree"))
    return (f"The {len(first)} series of the first panel carry {first['share'].sum():.0%} of the error. In {disagree} "
            "of them the office at the other end says another number, by a factor of two or more; in "
            f"{near} the estimate is near what another office or source says, so that the report may be what is "
            f"wrong. In {agree} both offices agree, and the estimate is what is wrong.")


def _residuals(table: pd.DataFrame) -> str:
    said = []
    for side, about in SIDES:
        rows = table[table["side"] == side]
        every, regions = rows[rows["by"] == "stock"], rows[rows["by"].str.startswith("region")]
        sure = regions[(regions["bias_lower"] > 0) | (regions["bias_upper"] < 0)]
        if not len(every):
            continue
        mean = np.average(every["bias"], weights=every["n"])
        text = f"Held-out {about} are estimated at {times(np.exp(mean))} what is reported, by geometric mean"
        if len(sure):
            far = sure.loc[sure["bias"].abs().idxmax()]
            where = "from" if far["by"] == "region of origin" else "to"
            text += (f", and furthest off {where} {far['group']} ({times(np.exp(far['bias']))}, {far['corridors']} "
                     "corridors)")
        said.append(text + ".")
    return " ".join(said)


def _components(table: pd.DataFrame) -> str:
    said = []
    for side, about in SIDES:
        row = table[(table["collection"] == "undesa_imfsc") & (table["criterion"] == "residence")
                    & (table["side"] == side)]
        if len(row):
            level, pattern, time = (float(row[k].iloc[0] / row["total"].iloc[0]) for k in ("level", "pattern", "time"))
            said.append(f"Of UN DESA's {about} by residence, {level:.0%} of the mean squared log error is the level of "
                        f"whole offices, {pattern:.0%} the pattern between corridors and {time:.0%} the course over "
                        "the years.")
    return " ".join(said)


def _shocks(scores: pd.DataFrame) -> str:
    reported, displaced = (scores[scores["kind"] == kind] for kind in ("reported", "displaced"))
    text = []
    if len(reported):
        weaker = (reported["log_ratio"] * np.sign(np.log(reported["rise"])) < 0).sum()
        text.append(f"Of {len(reported)} rises and falls that offices and the platform report, the estimate makes "
                    f"{weaker} weaker than reported.")
    found = displaced["found"].dropna()
    if len(found):
        text.append(f"Of additional refugees, it finds between {found.min():.0%} and {found.max():.0%}; UNHCR's counts "
                    "are among what the model is given.")
    return " ".join(text)


def shock_rows(scores: pd.DataFrame) -> list[dict[str, str]]:
    """Scores of shocks as text: title, series, rise, estimated_rise, found, held_out."""
    def found(share: float) -> str:
        return "–" if share != share else "the opposite" if share < 0 else f"{share:.0%}"

    return [{"title": r["title"], "series": r["series"], "rise": times(r["rise"]),
             "estimated_rise": times(r["estimated_rise"]), "found": found(r["found"]),
             "held_out": "–" if r["held_out"] != r["held_out"] else f"{r['held_out']:.0%}"}
            for r in scores.to_dict("records")]
