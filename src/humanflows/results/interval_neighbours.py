"""What offices report of the same corridor in the years before and after, beside what is estimated of those years.

Where estimates lie near the reports on both sides of a year that nobody reports, they can hardly be far off in it;
where they jump away from them, they can.
"""
import numpy as np
import pandas as pd

NEIGHBOURS = ("low_before", "high_before", "low_after", "high_after", "step_before", "step_after")


def neighbouring_reports(reports: pd.DataFrame, flow: np.ndarray) -> dict[str, np.ndarray]:
    """Errors of the nearest reported years of each corridor, and how far estimates have gone since.

    Parameters
    ----------
    reports : year, origin, destination (positions), observed (persons): what was seen, one row for each office.
    flow : estimates, persons (year, origin, destination).

    Returns
    -------
    dict of float32 arrays (year, origin, destination), NaN without such a year. ``low_before`` and ``high_before``:
    log(1 + reported) less log(1 + estimate) in the last reported year before, of the office that said least and of the
    one that said most; ``step_before``: log(1 + estimate) of the year less that of the reported one. ``…_after``
    likewise; a report of the year itself counts for neither.
    """
    logs = np.log1p(np.asarray(flow, dtype=np.float32))
    at = tuple(reports[k].to_numpy() for k in ("year", "origin", "destination"))
    said = np.log1p(reports["observed"].to_numpy()).astype(np.float32) - logs[at]
    low, high = np.full_like(logs, np.inf), np.full_like(logs, -np.inf)
    np.minimum.at(low, at, said)
    np.maximum.at(high, at, said)
    told, out = np.isfinite(low), {k: np.full_like(logs, np.nan) for k in NEIGHBOURS}
    for side, order in (("before", range(len(logs))), ("after", range(len(logs) - 1, -1, -1))):
        last = np.full((3, *logs.shape[1:]), np.nan, dtype=np.float32)      # low, high, level of the estimate
        for t in order:
            out[f"low_{side}"][t], out[f"high_{side}"][t], out[f"step_{side}"][t] = last[0], last[1], logs[t] - last[2]
            last = np.where(told[t], np.stack([low[t], high[t], logs[t]]), last)
    return out
