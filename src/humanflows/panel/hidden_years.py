"""Years of an office's reports that a member does not see, though it sees the office's other years of that corridor.

What an office reports of a corridor is usually read, for most years. How far an estimate may be off there cannot be
told from corridors, or offices, that were never read: it is told by single years, and runs of years, that were taken
out.
"""
import numpy as np
import pandas as pd
import xarray as xr

from .withhold import reporters_of

# Of an office's series (one corridor each) whose mean is below so many persons, so many lose some years in each member.
# Large corridors are few, and what is said of them is looked at most: more of them are asked.
SHARES = ((1_000, 0.25), (10_000, 0.4), (np.inf, 0.6))
LONGEST = 7         # years in a row
_STREAM = 26        # a member's seed serves other draws as well, see panel/draws.py


def hidden_year_observations(panel: xr.Dataset, seed: int) -> np.ndarray:
    """Reported flows of the years that are hidden, bool (observation,).

    A series is all that one office reports of one ordered pair of countries, by any criterion and in any collection: a
    year is hidden in all of them, because collections pass on the same figure. A hidden run begins in a year in which
    there is a report and has 1 to ``LONGEST`` years; a series that would have none left stays whole.

    Parameters
    ----------
    panel : with everything.
    seed : of the member.
    """
    witness = panel["flow_witness"].values.astype(np.int64)
    reporter = panel["witness_reporter"].values.astype(str)
    platform = ~np.isin(reporter, list(reporters_of(panel)))
    office, n = np.unique(reporter, return_inverse=True)[1][witness], panel.sizes["origin"]
    series = (office * n + panel["flow_origin"].values.astype(np.int64)) * n + panel["flow_destination"].values
    year = panel["flow_year"].values.astype(np.int64)
    told = pd.DataFrame({"series": series, "year": year, "persons": panel["flow_persons"].values})[~platform[witness]]
    if told.empty:
        return np.zeros(len(year), dtype=bool)
    size = told.groupby("series")["persons"].mean().to_numpy()
    told = told[["series", "year"]].drop_duplicates().sort_values(["series", "year"])
    rng = np.random.default_rng([seed, _STREAM])
    # One year of each series, every one of them as likely, begins its run.
    first = told.assign(luck=rng.random(len(told))).sort_values(["series", "luck"]).groupby("series")["year"].first()
    below, shares = zip(*SHARES)
    chosen = rng.random(len(first)) < np.asarray(shares)[np.searchsorted(below, size, side="right")]
    length = rng.integers(1, LONGEST + 1, len(first))
    place = first.index.get_indexer(series)
    begin = np.where(place >= 0, first.to_numpy()[place], 0)
    hidden = (place >= 0) & chosen[place] & (year >= begin) & (year < begin + length[place])
    left = np.bincount(place[~hidden & (place >= 0)], minlength=len(first)) > 0
    return hidden & left[place]
