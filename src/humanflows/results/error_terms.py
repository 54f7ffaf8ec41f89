"""What an error analysis is made of: cells with estimates and log errors, and the names of groups and of hints.

Nothing here knows a panel, so that figures may use it.
"""
import numpy as np
import pandas as pd
import xarray as xr

from ..errors import NegativeCountError, SchemaError
from ..territories import REGIONS
from .summaries import flow_values

SETS = ("collection", "side", "criterion")
COMPONENT_COLUMNS = (*SETS, "n", "witnesses", "series", "level", "pattern", "time", "total")
WAR = 1000.0            # deaths in armed conflict a year: the usual line between a war and a smaller conflict (UCDP)

# Labels of each grouping in their natural order; years are added as they come.
_SIZES = ("0", "1–9", "10–99", "100–999", "1,000–9,999", "10,000 and more")
GROUPS: dict[str, tuple[str, ...]] = {
    "region of origin": REGIONS, "region of destination": REGIONS, "reported flow": _SIZES, "estimated flow": _SIZES,
    "distance": ("under 1,000 km", "1,000–2,999 km", "3,000–7,999 km", "8,000 km and more"),
    "border": ("no common border", "common border"),
    "income of destination to origin": ("under a third", "a third to equal", "up to 3 times", "3 to 10 times",
                                        "over 10 times"),
    "conflict in the origin": ("no deaths", f"under {WAR:,.0f} deaths", f"{WAR:,.0f} and more"),
    "stock": ("counted", "not counted"), "year": ()}


def with_estimates(cells: pd.DataFrame, flow: xr.DataArray) -> pd.DataFrame:
    """The cells with what is estimated for each, persons, in a column ``estimate``.

    Raises
    ------
    KeyError
        For a year or territory that the flow does not have.
    """
    return cells.assign(estimate=flow_values(flow, cells))


def log_error(cells: pd.DataFrame) -> np.ndarray:
    """log(1 + estimated) − log(1 + reported) of each cell.

    Raises
    ------
    SchemaError, NegativeCountError
        Without estimates, for a number that is missing, or for one below zero.
    """
    if "estimate" not in cells:
        raise SchemaError("errors", "the cells have no column 'estimate'", "add it by with_estimates", "estimate")
    for column in ("persons", "estimate"):
        values = cells[column].to_numpy(float)
        if not np.isfinite(values).all():
            raise SchemaError("errors", f"{column} holds a value that is not finite", "drop these cells", column)
        if (values < 0).any():
            raise NegativeCountError("errors", f"{column} holds {values.min()}", "give flows, not changes", column)
    return np.log1p(cells["estimate"].to_numpy(float)) - np.log1p(cells["persons"].to_numpy(float))


def three_digits(persons: float) -> float:
    """Rounded to three significant digits."""
    return float(f"{persons:.3g}")


def read_why(why: str) -> dict[str, str]:
    """The hints of a row of ``worst_corridors``, in the order written; computed from the panel alone.

    ``why`` is "code=value;code=value" of these codes, values may be empty:

    - ``offices_disagree``: another office's mean over the same years is so many times larger, or smaller (factor);
      ``offices_agree``: it is not, by less than a factor of two, so that the fault is rather the estimate's.
    - ``platform_disagrees``: the same where only counts of a platform's users stand beside.
    - ``own_numbers_differ``: the same office's numbers in another collection or by another criterion (factor).
    - ``estimate_agrees``: the estimate is within a factor of two of the witness beside.
    - ``criterion``: people are counted by this instead of residence.
    - ``conflict``: the largest number of deaths in a year of the series or the year before, at either end, if it is
      a war's.
    - ``few_years``: so many. ``jump``: from one year to the next the report changes by this factor.
    - ``small_stock``: fewer migrants of the pair are counted, in both places together, than are reported to move in a
      year (persons). ``no_stock``: none is counted in either place.
    - ``unexplained``: none of these.
    """
    return dict(part.partition("=")[::2] for part in why.split(";") if part)


_WORDS = {
    "offices_disagree": "offices differ ×{}", "offices_agree": "offices agree", "platform_disagrees":
    "platform differs ×{}", "own_numbers_differ": "same office differs ×{}", "estimate_agrees":
    "estimate near the other", "criterion": "by {}", "conflict": "war", "few_years": "{} years only",
    "jump": "report jumps ×{}", "small_stock": "few migrants counted", "no_stock": "no migrants counted",
    "unexplained": "no hint"}


def why_in_words(why: str) -> str:
    """The hints of a row of ``worst_corridors`` in a few words, comma-separated."""
    return ", ".join(_WORDS[code].format(_grouped(value)) for code, value in read_why(why).items())


def _grouped(value: str) -> str:
    """1140 as 1,140."""
    try:
        return f"{float(value):,.10g}"
    except ValueError:
        return value
