"""A small panel whose scores can be worked out by hand."""
import numpy as np
import pytest
import xarray as xr

from humanflows.config import SplitConfig
from humanflows.panel.splits import make_splits

PLACES = ["COL", "DEU", "FRA", "MEX", "USA", "VEN"]
YEARS = list(range(2000, 2015))
WITNESSES = ["undesa_imfsc|DEU|immigration|residence|movement", "undesa_imfsc|DEU|emigration|residence|movement",
             "oecd|USA|immigration|citizenship|movement", "meta|META|both|residence|transition"]


@pytest.fixture
def truth() -> xr.DataArray:
    """Flows that were."""
    rng = np.random.default_rng(11)
    n = len(PLACES)
    level = np.exp(rng.normal(7, 1.5, (n, n))) * ~np.eye(n, dtype=bool)
    trend = np.exp(np.cumsum(rng.normal(0, 0.15, (len(YEARS), n, n)), axis=0))
    return xr.DataArray(level * trend, dims=("year", "origin", "destination"),
                        coords={"year": YEARS, "origin": PLACES, "destination": PLACES})


@pytest.fixture
def panel(truth) -> xr.Dataset:
    """Every corridor of DEU, in and out, in all years but 2007 for the one from FRA; the USA by citizenship; Meta after
    2018 only, which the years do not reach."""
    place = {p: k for k, p in enumerate(PLACES)}
    rows = []
    for y, year in enumerate(YEARS):
        for p in PLACES:
            if p != "DEU":
                if not (p == "FRA" and year == 2007):
                    rows.append((0, y, place[p], place["DEU"]))
                rows.append((1, y, place["DEU"], place[p]))
            if p != "USA":
                rows.append((2, y, place[p], place["USA"]))
    w, y, o, d = np.array(rows).T
    net = truth.sum("origin").values - truth.sum("destination").values
    national = np.where(np.arange(len(PLACES)) == 1, net, np.nan)
    return xr.Dataset(
        {"flow_persons": ("observation", truth.values[y, o, d]), "flow_year": ("observation", y),
         "flow_origin": ("observation", o), "flow_destination": ("observation", d), "flow_witness": ("observation", w),
         "net_migration": (("year", "residence"), net), "net_migration_national": (("year", "residence"), national)},
        coords={"origin": PLACES, "destination": PLACES, "residence": PLACES, "birthplace": PLACES, "year": YEARS,
                "witness": WITNESSES})


@pytest.fixture
def splits(panel) -> xr.Dataset:
    """Splits of the small panel: half of the corridors are held out, so that each collection has some."""
    return make_splits(panel, SplitConfig(folds=2, validation_share=0.1, seed=4))
