"""Displaced people without false zeros."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from humanflows.panel.breaks import ABSENT, ENDS, FALLS
from humanflows.panel.displaced import fill_displaced, list_breaks
from humanflows.schema import STATUS

NAN = np.nan


def pair(listed, returned=None):
    """One pair over years: values, names of their status, breaks."""
    shape = (len(listed), 1, 1)
    values, status, breaks = fill_displaced(np.reshape(np.array(listed, float), shape),
                                            np.reshape(np.array(returned or [0.0] * len(listed), float), shape))
    return values[:, 0, 0], [STATUS[k] for k in status[:, 0, 0]], breaks[:, 0, 0]


def test_people_do_not_leave_when_their_line_disappears():
    values, status, breaks = pair([NAN, 300e3, 303e3, NAN, NAN])
    assert values.tolist() == [0, 300e3, 303e3, 303e3, 303e3]
    assert status == ["missing", "reported", "reported", "carried_forward", "carried_forward"]
    assert not breaks.any()


def test_people_who_returned_are_gone():
    values, status, _ = pair([100e3, 90e3, NAN, NAN], [0, 0, 80e3, 0])
    assert values.tolist() == [100e3, 90e3, 0, 0] and status[2:] == ["missing", "missing"]
    values, _, _ = pair([100e3, 90e3, NAN, NAN], [0, 0, 30e3, 0])
    assert values[2] == 90e3, "a third of them returned: no word about the others"


def test_a_year_that_is_missing_between_two_is_bridged():
    values, status, _ = pair([10.0, NAN, NAN, 40.0])
    assert values.tolist() == [10, 20, 30, 40] and status[1:3] == ["bridged", "bridged"]


@pytest.mark.parametrize(("returned", "recount"), [([0, 0], True), ([0, 900e3], False), ([500e3, 400e3], False)])
def test_a_fall_that_returns_do_not_explain_is_a_recount(returned, recount):
    values, _, breaks = pair([1.23e6, 7e3], returned)
    assert values.tolist() == [1.23e6, 7e3], "what is listed stands"
    assert breaks.tolist() == [False, recount]


series = st.lists(st.none() | st.floats(0, 1e6), min_size=2, max_size=12)


@given(series, st.randoms(use_true_random=False))
def test_what_is_listed_is_never_changed_and_nothing_is_missing(listed, random):
    listed = [NAN if v is None else v for v in listed]
    returned = [random.choice([0.0, 1e6]) for _ in listed]
    values, status, breaks = pair(listed, returned)
    known = np.isfinite(listed)
    assert np.isfinite(values).all() and (values >= 0).all()
    np.testing.assert_array_equal(values[known], np.array(listed)[known])
    assert all((s == "reported") == k for s, k in zip(status, known))
    if known.any():
        assert (values[:np.argmax(known)] == 0).all(), "nothing is carried backward"
        assert values.max() <= np.nanmax(listed), "and nobody is made up"
    assert not breaks[0]


def test_breaks_are_listed_with_what_came_before_and_after():
    listed = np.full((5, 2, 2), NAN)
    listed[:, 0, 1] = [5e3, 5e3, NAN, NAN, 4e3]
    listed[:, 1, 0] = [9e5, 8e5, 7e3, 7e3, NAN]
    filled = fill_displaced(listed, np.zeros_like(listed))
    table = list_breaks(listed, *filled, range(2018, 2023), ["VNM", "CHN"])
    rows = {(r.origin, r.kind): (r.year, r.before, r.after, r.years_absent) for r in table.itertuples()}
    assert rows["VNM", ABSENT] == (2020, 5e3, 4e3, 2)
    assert rows["CHN", FALLS] == (2020, 8e5, 7e3, 0)
    year, before, after, absent = rows["CHN", ENDS]
    assert (year, before, absent) == (2022, 7e3, 1) and np.isnan(after)
    assert len(table) == 3
    assert list_breaks(listed, *filled, range(2018, 2023), ["VNM", "CHN"], large=1e4)["kind"].tolist() == [FALLS]
