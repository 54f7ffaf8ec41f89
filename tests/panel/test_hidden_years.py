"""Hidden years: whole runs of an office's own figures, of every collection, and never all that it has of a corridor."""
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from humanflows.panel.hidden_years import LONGEST, SHARES, hidden_year_observations

CODES = ["AUT", "BRA", "CHE", "DEU"]
WITNESSES = ("eurostat|DEU|immigration|residence", "oecd|DEU|immigration|citizenship",
             "eurostat|AUT|emigration|residence", "meta|META|both|residence")


def panel_of(year, origin, destination, witness, persons=10.0):
    about = [w.split("|") for w in WITNESSES]
    return xr.Dataset(
        {"flow_year": ("observation", year), "flow_origin": ("observation", origin),
         "flow_destination": ("observation", destination), "flow_witness": ("observation", witness),
         "flow_persons": ("observation", np.broadcast_to(np.asarray(persons, dtype=np.float32), np.shape(year))),
         "witness_source": ("witness", [a[0] for a in about]), "witness_reporter": ("witness", [a[1] for a in about])},
        coords={"origin": CODES, "destination": CODES, "year": np.arange(1990, 2015), "witness": list(WITNESSES)})


def everything(persons=10.0):
    grid = [(t, o, 3, w) for t in range(25) for o in (0, 1, 2) for w in (0, 1, 3)]
    grid += [(t, 0, d, 2) for t in range(25) for d in (1, 2)]
    return panel_of(*np.array(grid, dtype=np.int64).T, persons)


observations = st.lists(st.tuples(st.integers(0, 24), st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)),
                        min_size=1, max_size=120).map(lambda x: np.array(sorted(set(x)), dtype=np.int64))


@settings(max_examples=60, deadline=None)
@given(observations, st.integers(0, 2**31))
def test_runs_are_whole_short_and_leave_something(rows, seed):
    panel = panel_of(*rows.T)
    hidden = hidden_year_observations(panel, seed)
    assert np.array_equal(hidden, hidden_year_observations(panel, seed))
    table = pd.DataFrame(rows, columns=["year", "o", "d", "w"]).assign(hidden=hidden)
    assert not table.loc[table["w"] == 3, "hidden"].any()                 # platforms are no offices
    table = table[table["w"] < 3].assign(office=lambda x: (x["w"] == 2))
    for _, series in table.groupby(["office", "o", "d"]):
        by_year = series.groupby("year")["hidden"]
        assert (by_year.nunique() == 1).all()                             # in every collection, or in none
        years = np.sort(series.loc[series["hidden"], "year"].unique())
        assert not series["hidden"].all() and (len(years) == 0 or years[-1] - years[0] < LONGEST)
        between = series["year"].between(*(years[[0, -1]] if len(years) else (1, 0)))
        assert series.loc[between, "hidden"].all()


@pytest.mark.parametrize(("persons", "share"), [(999.0, SHARES[0][1]), (1000.0, SHARES[1][1]), (1e5, SHARES[2][1])])
def test_about_the_intended_share_of_series_loses_years_and_other_seeds_lose_others(persons, share):
    panel, seeds = everything(persons), range(200)
    hidden = np.stack([hidden_year_observations(panel, s) for s in seeds])
    series = pd.factorize(pd.Series(list(zip(panel["flow_origin"].values, panel["flow_destination"].values))))[0]
    office = panel["flow_witness"].values < 3
    lost = np.mean([[hidden[s][office & (series == k)].any() for k in range(series.max() + 1)] for s in seeds])
    assert lost == pytest.approx(share, abs=0.05)
    assert hidden.any(0)[office].all()


def test_without_offices_nothing_is_hidden():
    panel = panel_of(*np.array([(3, 0, 1, 3), (4, 0, 1, 3)]).T)
    assert not hidden_year_observations(panel, 1).any()
