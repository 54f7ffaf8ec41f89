"""What a platform that leaves out small counts shows of flows that statistical offices count.

Were its counts of small flows only rounded, flows of a few persons would lie below its limit and never be shown.
"""
import numpy as np
import pandas as pd
import xarray as xr

CLASSES = (0, 6, 11, 21, 51, 101, 201, 501, np.inf)     # persons that a statistical office counts, lower ends
FEW_MISSED = 0.2      # absolute expected log bias of an office that is compared, at most
COLUMNS = ("source", "counted_from", "counted_to", "flows", "shown", "median_counted", "median_shown", "first_year",
           "last_year")


def compare_platform(panel: xr.Dataset, source: str = "meta") -> pd.DataFrame:
    """Flows that an office counts, by how many, and what a platform shows of them.

    Parameters
    ----------
    panel : with reports and their priors (``panel.report_priors``).
    source : of the platform.

    Returns
    -------
    DataFrame with ``COLUMNS``: ``flows`` that an office counts by residence that misses few, of years and territories
    that the platform covers; ``shown`` how many of them the platform shows; medians of what both say of flows in the
    class, and of those shown; first and last year of the platform. Classes without a flow are left out.
    """
    y, o, d, w = (panel[f"flow_{k}"].values.astype(np.int64) for k in ("year", "origin", "destination", "witness"))
    persons, n = panel.flow_persons.values, panel.sizes["origin"]
    names, criterion = panel.witness_source.values.astype(str)[w], panel.witness_criterion.values.astype(str)[w]
    mine = names == source
    covers = np.zeros((2, panel.sizes["year"], n), bool)
    covers[0, y[mine], o[mine]] = covers[1, y[mine], d[mine]] = True
    bias = panel.report_log_bias.values[y, w]
    other = ~mine & (criterion == "residence") & (np.abs(bias) <= FEW_MISSED) & covers[0, y, o] & covers[1, y, d]
    flow = pd.Series((y * n + o) * n + d)
    seen = pd.Series(persons[mine], index=flow[mine].to_numpy())
    table = pd.DataFrame({"counted": persons[other], "shown": seen.reindex(flow[other].to_numpy()).to_numpy()})
    table["class"] = np.searchsorted(CLASSES, table["counted"], side="right") - 1
    years, rows = panel["year"].values[np.unique(y[mine])], []
    for k, part in table.groupby("class"):
        shown = part["shown"].dropna()
        rows.append({"source": source, "counted_from": CLASSES[k], "counted_to": CLASSES[k + 1] - 1,
                     "flows": len(part), "shown": len(shown), "median_counted": part["counted"].median(),
                     "median_shown": shown.median(), "first_year": years.min(), "last_year": years.max()})
    return pd.DataFrame(rows, columns=list(COLUMNS))
