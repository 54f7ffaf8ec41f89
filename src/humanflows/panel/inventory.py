"""What a panel's tables hold: reports by source, breaks in series, numbers that two collections publish.

Tables for the reader who must judge the sources, and for the pages of the book; nothing here is fitted.
"""
import numpy as np
import pandas as pd
import xarray as xr

from ..schema import STATUS
from .breaks import find_breaks
from .displaced import list_breaks
from .publications import repeated_reports, summarise_repeated

RECENT = 2014            # first of the years of which the older collections say little
SERIES = ["source", "reporter", "side", "criterion"]
BREAK_COLUMNS = ["table", "source", "reporter", "side", "criterion", "origin", "destination", "kind", "year", "before",
                 "after", "years_absent"]


def describe_panel(tables: dict[str, pd.DataFrame], panel: xr.Dataset) -> dict[str, pd.DataFrame]:
    """Tables about what was harmonised.

    Parameters
    ----------
    tables : tidy tables by name, as given to ``harmonise``.
    panel : what ``harmonise`` made of them.

    Returns
    -------
    ``reports`` (see ``count_reports``), ``repeated`` (``publications.summarise_repeated``) and ``breaks``
    (``list_all_breaks``).
    """
    first, last = int(panel["year"][0]), int(panel["year"][-1])
    flow = tables["flow"][tables["flow"]["year"].between(first, last)].reset_index(drop=True)
    same_as = repeated_reports(flow)
    return {"reports": count_reports(flow, same_as), "repeated": summarise_repeated(flow, same_as),
            "breaks": list_all_breaks({**tables, "flow": flow}, panel)}


def count_reports(flow: pd.DataFrame, same_as: pd.Series) -> pd.DataFrame:
    """Reports by source, side and criterion.

    Parameters
    ----------
    flow, same_as : table ``flow``, and what ``publications.repeated_reports`` says of it.

    Returns
    -------
    Columns ``source, side, criterion, reporters, first_year, last_year, cells, once`` (cells that are learned from:
    one number, one vote), ``recent`` (those of them from ``RECENT`` on) and ``persons`` (of ``once``).
    """
    own = (same_as < 0).to_numpy()
    frame = flow.assign(once=own, recent=own & (flow["year"] >= RECENT), persons=flow["persons"].where(own, 0.0))
    return frame.groupby(["source", "side", "criterion"], as_index=False).agg(
        reporters=("reporter", "nunique"), first_year=("year", "min"), last_year=("year", "max"),
        cells=("year", "size"), once=("once", "sum"), recent=("recent", "sum"), persons=("persons", "sum"))


def list_all_breaks(tables: dict[str, pd.DataFrame], panel: xr.Dataset) -> pd.DataFrame:
    """Breaks of at least a thousand persons in reported flows, stocks and numbers of displaced people.

    A whole series of a reporter that ends before its source does, or is interrupted, is listed once, without a
    corridor; what happens to single corridors besides, with their codes. A break is never read as zero.

    Returns
    -------
    ``BREAK_COLUMNS``; empty text where a column does not apply.
    """
    flow = tables["flow"]
    totals = flow.groupby([*SERIES, "year"], as_index=False)["persons"].sum()
    parts = [find_breaks(totals, SERIES).assign(table="flow, reporter"),
             find_breaks(flow, [*SERIES, "origin", "destination"], collection=SERIES).assign(table="flow"),
             _stock_breaks(tables["stock"])]
    if "displaced_stock_status" in panel:
        parts.append(_displaced_breaks(panel))
    every = pd.concat(parts, ignore_index=True).reindex(columns=BREAK_COLUMNS)
    text = every.columns[:8]
    every[text] = every[text].fillna("")
    return every.sort_values(["table", "before"], ascending=[True, False], ignore_index=True)


def _stock_breaks(stock: pd.DataFrame) -> pd.DataFrame:
    """Within a revision, between successive dates of the source, which are years apart."""
    dates = np.sort(stock["year"].unique())
    ordinal = stock.assign(year=np.searchsorted(dates, stock["year"]), source=stock["source"] + "_"
                           + stock["revision"].astype(str))
    found = find_breaks(ordinal.rename(columns={"birthplace": "origin", "residence": "destination"}),
                        ["source", "origin", "destination"])
    return found.assign(table="stock", criterion="birthplace",
                        year=dates[np.minimum(found["year"], len(dates) - 1)])


def _displaced_breaks(panel: xr.Dataset) -> pd.DataFrame:
    values, status = (panel[f"displaced_stock{k}"].values for k in ("", "_status"))
    listed = np.where(status == STATUS.index("reported"), values, np.nan)
    found = list_breaks(listed, values, status, panel["displaced_break"].values > 0, panel["year"].values,
                        panel["origin"].values)
    return found.assign(table="displaced_stock", source=panel["displaced_stock"].attrs["source"])
