"""Small tables of needs, made up, in which everything that a page should say is known."""
import numpy as np
import pandas as pd

from humanflows.results.needs_shared import COLUMNS as SHARED
from humanflows.results.needs_terms import (
    CHECK_COLUMNS,
    CORRIDOR_COLUMNS,
    COUNTRY_COLUMNS,
    ELSEWHERE,
    ITSELF,
    LADDER,
    SIDES,
)


def make_tables() -> dict[str, pd.DataFrame]:
    """By name: India needs most, then Brazil; Austria reports already. Its own reports come as predicted, the other
    corridors the other way round."""
    countries = []
    for side in SIDES:
        for code, persons, ends, after in (("IND", 3e5, (1e5, 9e5), (2e5, 4e5)), ("BRA", 8e4, (5e4, 2e5), (6e4, 1e5)),
                                           ("AUT", 1e5, (9e4, 1.1e5), (9e4, 1.1e5))):
            countries.append({
                "territory": code, "side": side, "corridors": 100, "persons": persons, "share": persons / 1e6,
                "new": float(code != "AUT"), "width": 5.0, "width_reported": 3.0, "narrowing": 2.0, "gain": 0.75,
                "sigma": 1.0, "sigma_reported": 0.5,
                "lower": ends[0], "upper": ends[1], "lower_reported": after[0], "upper_reported": after[1],
                "narrowing_persons": (ends[1] - ends[0]) - (after[1] - after[0])})
    countries = pd.DataFrame(countries).sort_values("narrowing_persons", ascending=False, ignore_index=True)
    countries["rank"] = np.arange(1, len(countries) + 1)
    corridors = pd.DataFrame([{
        "rank": k, "origin": o, "destination": "IND", "by": "arrivals", "persons": 1e5 / k, "share": 0.1 / k,
        "seen": seen, "width": 6.0, "width_reported": 2.0, "narrowing": 4.0, "lower": 1e3, "upper": 1e6,
        "lower_reported": 5e4 / k, "upper_reported": 2e5, "narrowing_below": 4e4 / k, "narrowing_above": 8e5,
        "gain": 0.9} for k, o, seen in ((1, "PAK", "D nothing"), (2, "BGD", "B other years"))])
    ladder = pd.DataFrame([(LADDER[0], 900, 20, 1.0, 0.6, 0.8), (LADDER[1], 500, 18, 1.2, 0.6, 0.7),
                           (LADDER[4], 1400, 20, 0.6, 0.6, 0.75)],
                          columns=["rung", "n", "offices", "error", "error_read", "error_corridor"])
    shared = pd.DataFrame([{"territory": f"T{k}", "target": t, "members": 12, "r2": r2, "r2_elsewhere": 0.03,
                            "r2_error": 0.2, "gain": 0.5, "told": r2 / 2}
                           for t, r2 in (("departures", 0.3), ("foreign-born", 0.1)) for k in range(5)])
    check = pd.DataFrame([{"check": c, "office": f"O{k}", "side": "arrivals", "n": 50, "predicted": 0.1 * k,
                           "realised": sign * 0.1 * k, "error_before": 1.0, "error_after": 1.0 - sign * 0.1 * k}
                          for c, sign in ((ITSELF, 1), (ELSEWHERE, -1)) for k in range(8)])
    return {"needs_corridors": corridors[list(CORRIDOR_COLUMNS)],
            "needs_countries": countries[list(COUNTRY_COLUMNS)].assign(first_year=2012, last_year=2016),
            "needs_shared": shared[list(SHARED)], "needs_ladder": ladder, "needs_check": check[list(CHECK_COLUMNS)]}
