"""Neighbouring reports: the nearest years on either side, never the year itself, and the mean of offices."""
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from humanflows.results.interval_neighbours import NEIGHBOURS, neighbouring_reports

YEARS, N = 6, 2


def reports_of(rows):
    return pd.DataFrame(rows, columns=["year", "origin", "destination", "observed"])


def test_a_worked_example():
    flow = np.ones((YEARS, N, N)) * np.array([9, 9, 19, 39, 9, 9.0])[:, None, None]
    found = neighbouring_reports(reports_of([(1, 0, 1, 9.0), (3, 0, 1, 19.0), (3, 0, 1, 79.0)]), flow)
    corridor = {k: v[:, 0, 1] for k, v in found.items()}
    nan = np.nan
    for end, less in (("low", np.log(2)), ("high", -np.log(2))):     # of the fourth year the offices say 19 and 79
        assert corridor[f"{end}_before"] == pytest.approx([nan, nan, 0, 0, -less, -less], abs=1e-6, nan_ok=True)
        assert corridor[f"{end}_after"] == pytest.approx([0, -less, -less, nan, nan, nan], abs=1e-6, nan_ok=True)
    # estimates are 9, 9, 19, 39, 9, 9; the reported years are the second and the fourth
    assert corridor["step_before"] == pytest.approx(
        [nan, nan, np.log(2), np.log(4), -np.log(4), -np.log(4)], abs=1e-6, nan_ok=True)
    assert corridor["step_after"] == pytest.approx(
        [0, -np.log(4), -np.log(2), nan, nan, nan], abs=1e-6, nan_ok=True)
    assert all(np.isnan(v[:, 1, 0]).all() for v in found.values())


rows = st.lists(st.tuples(st.integers(0, YEARS - 1), st.integers(0, N - 1), st.integers(0, N - 1),
                          st.floats(0, 1e6)), min_size=1, max_size=20)


@settings(max_examples=60, deadline=None)
@given(rows, st.integers(0, 2**31))
def test_a_report_says_nothing_of_its_own_year(rows, seed):
    flow = np.random.default_rng(seed).lognormal(4, 2, (YEARS, N, N))
    year, origin, destination, _ = rows[0]
    other = [r if r[:3] != (year, origin, destination) else (*r[:3], r[3] * 7 + 1) for r in rows]
    a, b = (neighbouring_reports(reports_of(r), flow) for r in (rows, other))
    here = year, origin, destination
    assert set(a) == set(NEIGHBOURS)
    for name in NEIGHBOURS:
        np.testing.assert_array_equal(a[name][here], b[name][here])


def test_no_reports_no_neighbours():
    found = neighbouring_reports(reports_of([]).astype({"year": int, "origin": int, "destination": int}),
                                 np.ones((YEARS, N, N)))
    assert all(np.isnan(v).all() for v in found.values())
