"""How near estimates come to the reports that they were learned from: what was read should also be said.

No bias is taken off. Where a trusted office reports a large flow and the estimate is far from it, something else than
this report has decided the estimate. UNHCR's new refugees are not reports of an office: they may be exceeded, since
others move too, and should not be undercut.
"""
from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from ..errors import SchemaError
from ..panel.trusted_offices import is_trusted
from .scores import mean_abs_log_error, median_log_error

EVERY = "every"                              # label of rows over all collections, or over all sides
OTHERS, TRUSTED = "others", "trusted"
SIZES = {"all": 0.0, "above 10 thousand": 1e4, "above 50 thousand": 5e4}     # persons reported
DISPLACED, DISPLACEMENT, FACTOR = "unhcr", "displacement", 1.5
COLUMNS = ("criterion", "offices", "collection", "side", "size", "n", "median_log_error", "abs_log_error", "reached")


def learned_fit(panel: xr.Dataset, mask, flow) -> pd.DataFrame:
    """Estimates against the reports learned from, by criterion, whether trusted, collection, side and size.

    Parameters
    ----------
    panel : with ``flow_persons``, ``flow_witness``, ``flow_year``, ``flow_origin``, ``flow_destination``
        (observation,) and, where there is one, ``displaced_flow`` (year, origin, destination), UNHCR's new refugees and
        asylum seekers.
    mask : bool (observation,), the reports that were learned from.
    flow : estimates (year, origin, destination) of the panel's years and territories, persons.

    Returns
    -------
    DataFrame with columns ``COLUMNS``: ``offices`` "trusted" or "others" (see :mod:`humanflows.panel.trusted_offices`);
    ``collection`` and ``side`` may be "every"; ``size`` is a key of ``SIZES``, by what was reported; ``n`` reports;
    ``median_log_error`` and ``abs_log_error`` of log(1 + estimate) − log(1 + report). The rows of the collection
    "unhcr" are about displaced people, all cells of ``displaced_flow`` whether learned from or not, with ``reached``:
    share of cells with an estimate of at least ``displaced / 1.5``; NaN for reports. Rows without a report are left
    out.

    Raises
    ------
    SchemaError
        For a mask or a flow of another shape than the panel's, or an estimate that is negative or not finite.
    """
    values, chosen = _flow(panel, flow), np.asarray(mask)
    if chosen.dtype != bool or chosen.shape != (panel.sizes["observation"],):
        raise SchemaError("learned fit", f"mask of shape {chosen.shape} and type {chosen.dtype} for "
                          f"{panel.sizes['observation']} observations", "give one truth value for each observation",
                          key="mask")
    return pd.concat([_of_reports(panel, chosen, values), displaced_fit(panel, values)], ignore_index=True)[
        list(COLUMNS)]


def displaced_fit(panel: xr.Dataset, flow) -> pd.DataFrame:
    """The rows of :func:`learned_fit` about UNHCR's new refugees; none where the panel has no ``displaced_flow``.

    Parameters
    ----------
    panel, flow : as there.
    """
    rows, values = [], _flow(panel, flow)
    if "displaced_flow" in panel:
        counted = panel["displaced_flow"].transpose("year", "origin", "destination").values
        some = np.isfinite(counted) & (counted > 0)
        counted, estimated = counted[some].astype(np.float64), values[some].astype(np.float64)
        for size, least in SIZES.items():
            large = counted > least
            if large.any():
                c, e = counted[large], estimated[large]
                rows.append({"criterion": DISPLACEMENT, "offices": OTHERS, "collection": DISPLACED, "side": EVERY,
                             "size": size, **_errors(c, e), "reached": float((e >= c / FACTOR).mean())})
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _of_reports(panel: xr.Dataset, chosen: np.ndarray, values: np.ndarray) -> pd.DataFrame:
    year, origin, destination, series = (panel[f"flow_{k}"].values[chosen].astype(np.int64)
                                         for k in ("year", "origin", "destination", "witness"))
    reported = panel["flow_persons"].values[chosen].astype(np.float64)
    names = np.array([str(w).split("|")[:4] for w in panel["witness"].values], dtype=object).reshape(-1, 4)
    trusted = is_trusted(names[:, 1], names[:, 2], names[:, 3])[series]
    table = pd.DataFrame({"criterion": names[series, 3], "offices": np.where(trusted, TRUSTED, OTHERS),
                          "collection": names[series, 0], "side": names[series, 2], "reported": reported,
                          "estimated": values[year, origin, destination].astype(np.float64)})
    rows = []
    for whole in (("collection", "side"), ("collection",), ("side",), ()):
        # Over all collections first, then each of them; over all sides first, then each.
        for keys, group in table.assign(**dict.fromkeys(whole, EVERY)).groupby(list(COLUMNS[:4]), sort=True):
            rows += _by_size(dict(zip(COLUMNS, keys)), group)
    found = pd.DataFrame(rows, columns=list(COLUMNS))
    return found.drop_duplicates(list(COLUMNS[:5]), ignore_index=True)


def _by_size(labels: dict, group: pd.DataFrame) -> list[dict]:
    rows = []
    for size, least in SIZES.items():
        large = group[group["reported"] > least] if least else group
        if len(large):
            rows.append({**labels, "size": size, "reached": np.nan,
                         **_errors(large["reported"].to_numpy(), large["estimated"].to_numpy())})
    return rows


def _errors(reported: Sequence[float], estimated: Sequence[float]) -> dict:
    return {"n": len(reported), "median_log_error": median_log_error(reported, estimated),
            "abs_log_error": mean_abs_log_error(reported, estimated)}


def _flow(panel: xr.Dataset, flow) -> np.ndarray:
    """The estimates as an array (year, origin, destination) in the panel's order."""
    dims = ("year", "origin", "destination")
    if isinstance(flow, xr.DataArray):
        if set(flow.dims) != set(dims):
            raise SchemaError("learned fit", f"the flow has dims {flow.dims}", f"give {dims}", key="flow")
        flow = flow.transpose(*dims).reindex({d: panel[d].values for d in dims if d in flow.coords}).values
    values, wanted = np.asarray(flow), tuple(panel.sizes[d] for d in dims)
    if values.shape != wanted:
        raise SchemaError("learned fit", f"a flow of shape {values.shape} for a panel of {wanted}",
                          f"give {dims} of the panel", key="flow")
    if not np.isfinite(values).all() or (values < 0).any():
        raise SchemaError("learned fit", "an estimate is missing or negative", "estimate every corridor and year of "
                          "the panel", key="flow")
    return values
