"""What readers leave out is counted."""
import doctest

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from humanflows.sources import omissions
from humanflows.sources.omissions import NO_YEAR, Omissions

REASONS = ["region", "unknown", "former state"]


@given(st.lists(st.tuples(st.integers(1990, 1993), st.floats(0, 1e9) | st.none(), st.booleans(),
                          st.sampled_from(REASONS)), max_size=40))
def test_nobody_is_lost_between_what_is_kept_and_what_is_counted(rows):
    frame = pd.DataFrame(rows, columns=["year", "persons", "kept", "reason"]).astype({"persons": float, "kept": bool})
    omitted = Omissions()
    kept = omitted.keep(frame, frame["kept"], frame["reason"])
    table = omitted.table()
    assert len(kept) + table["rows"].sum() == len(frame)
    np.testing.assert_allclose(kept["persons"].sum() + table["persons"].sum(), frame["persons"].sum())
    for row in table.itertuples():
        of = frame[~frame["kept"] & (frame["reason"] == row.reason) & (frame["year"] == row.year)]
        assert row.rows == len(of)
        np.testing.assert_allclose(row.persons, of["persons"].sum())


def test_rows_without_year_or_persons_are_counted_as_rows():
    omitted = Omissions()
    omitted.keep(pd.DataFrame({"pair": ["A-B", "B-A"]}), pd.Series([False, False]), "no pair", persons=None, year=None)
    assert omitted.table().values.tolist() == [["no pair", NO_YEAR, 2, 0.0]]


def test_the_example_of_the_docstring_runs():
    failed, tried = doctest.testmod(omissions)
    assert tried and not failed
