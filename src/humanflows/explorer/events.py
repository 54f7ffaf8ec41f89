"""Named events of the real world: which corridors, which years, and what stands beside the estimate."""
from pathlib import Path

import numpy as np
import pandas as pd

from ..plotting.errors import series_name
from ..results.shocks import ESTIMATE, MARGIN, WORLD_SHOCKS, Shock
from .packing import Part

_COLUMNS = {"shock", "year", "series", "kind", "persons", "estimated", "corridors"}


def events_part(flow: np.ndarray, codes, years, table: Path | None = None,
                named: tuple[Shock, ...] = WORLD_SHOCKS) -> Part | None:
    """Events whose territories and years the flows have; None where there is none.

    Parameters
    ----------
    flow : (year, origin, destination), persons.
    codes, years : of these.
    table : ``shocks.csv`` of the release, for what stands beside the estimate; without it the estimate stands alone.
    named : the events.

    Returns
    -------
    Part without arrays; ``about["events"]`` lists ``name, title, origins, destinations, during, before, years,
    estimate`` and ``beside``: ``title, kind, corridors``, and ``points`` of year, persons and estimate.
    """
    beside = _beside(table)
    places, first, found = {c: k for k, c in enumerate(codes)}, years[0], []
    for shock in named:
        if not {*shock.origins, *shock.destinations} <= set(places) or not set(shock.years) <= set(years):
            continue
        o, d = ([places[c] for c in some] or list(range(len(codes))) for some in (shock.origins, shock.destinations))
        shown = [y for y in years if shock.before[0] - MARGIN <= y <= shock.during[1] + MARGIN]
        moved = flow[np.ix_([y - first for y in shown], o, d)].astype(np.float64)
        stay = np.asarray(o)[:, None] == np.asarray(d)
        total = np.where(stay, 0.0, moved).sum((1, 2))
        found.append({"name": shock.name, "title": shock.title, "origins": list(shock.origins),
                      "destinations": list(shock.destinations), "during": list(shock.during),
                      "before": list(shock.before), "years": shown, "estimate": np.rint(total).astype(int).tolist(),
                      "beside": beside.get(shock.name, [])})
    return Part("events", {"events": found}) if found else None


def _beside(file: Path | None) -> dict[str, list[dict]]:
    if file is None or not Path(file).is_file():
        return {}
    table = pd.read_csv(file, keep_default_na=False, na_values=[""])
    if not set(table) >= _COLUMNS:
        return {}
    out: dict[str, list[dict]] = {}
    for (shock, series, kind), rows in table[table["kind"] != ESTIMATE].groupby(["shock", "series", "kind"],
                                                                              sort=False):
        points = [[int(y), round(float(p)), round(float(e))]
                  for y, p, e in zip(rows["year"], rows["persons"], rows["estimated"])]
        out.setdefault(shock, []).append({"title": series_name(series), "kind": kind, "points": points,
                                          "corridors": int(rows["corridors"].iloc[0])})
    return out
