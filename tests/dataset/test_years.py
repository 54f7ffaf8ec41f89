"""Years and ranges, and what is refused."""
from decimal import Decimal
from itertools import count

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from humanflows.dataset.inputs import quoted, whole
from humanflows.dataset.years import choose_years, means_years
from humanflows.errors import YearRangeError

YEARS = list(range(1990, 2025))


@pytest.mark.parametrize(("wanted", "expected"), [
    (None, YEARS), (2015, [2015]), ("2015", [2015]), ("2013-2015", [2013, 2014, 2015]), ("2013:2014", [2013, 2014]),
    ("2013–2014", [2013, 2014]), (slice(2023, None), [2023, 2024]), (slice(None, 1991), [1990, 1991]),
    ([2001, 1999], [2001, 1999]), (range(2000, 2002), [2000, 2001]), (np.array([2004]), [2004]), (2015.0, [2015]),
    (np.array(2015), [2015]), (np.int16(2015), [2015]), (np.float32(2015), [2015]),
    (np.arange(2000, 2003), [2000, 2001, 2002]),
    (np.array([2015.0, 2016.0]), [2015, 2016]), (pd.Series([1999, 1998]), [1999, 1998]), (pd.Index([1999]), [1999]),
    (np.str_("2013-2014"), [2013, 2014]), (slice(np.int64(2023), np.array(2024)), [2023, 2024]), ({2001}, [2001]),
    ((y for y in (2001, 2003)), [2001, 2003]), (range(2000, 2006, 2), [2000, 2002, 2004])])
def test_what_is_meant(wanted, expected):
    assert [YEARS[k] for k in choose_years(wanted, YEARS)] == expected


@pytest.mark.parametrize("wanted", [
    1989, 2025, "1989-1990", "2015-2013", slice(2015, 2013), "twenty", "", "20-15-13", [], [2015, 1800], 2015.5, True,
    "2015.5", slice(1990, 2000, 2), ["2015"], "-2015", "0-9999", "٢٠١٥٢", np.array(2015.5), np.float64("nan"), np.inf,
    np.bool_(True), np.array([]), np.array([[2015]]), np.array("2015"), np.datetime64("2015"), pd.NA,
    pd.Timestamp("2015"), b"2015", 2015 + 0j,
    Decimal(2015), {"2015": 1}, np.arange(3000), count(1990), "9" * 1_000_000, list(range(1990, 2025)) * 1000,
    slice(2010, "2015"), object(), np.zeros((50, 50))],
    # An object is written with its address, which differs between the processes that run tests.
    ids=lambda wanted: "object" if type(wanted) is object else quoted(wanted))
def test_anything_else_is_refused_in_one_line(wanted):
    with pytest.raises(YearRangeError) as error:
        choose_years(wanted, YEARS)
    assert "\n" not in str(error.value) and len(str(error.value)) < 300


@given(st.integers(1990, 2024), st.integers(1990, 2024))
def test_ranges_hold_both_ends_or_are_reversed(start, end):
    if start <= end:
        assert [YEARS[k] for k in choose_years(f"{start}-{end}", YEARS)] == list(range(start, end + 1))
    else:
        with pytest.raises(YearRangeError, match=f"{end}-{start}"):
            choose_years(f"{start}-{end}", YEARS)


@given(st.integers(-10**6, 10**6), st.sampled_from([int, float, np.int32, np.float64, np.array]))
def test_whole_numbers_of_any_kind(number, kind):
    assert whole(kind(number)) == number and type(whole(kind(number))) is int


@pytest.mark.parametrize("given", [1.5, "1", True, np.bool_(False), None, np.nan, np.array([1]), 1j, "one"])
def test_what_is_no_whole_number(given):
    assert whole(given) is None


@pytest.mark.parametrize(("given", "years"), [
    (2015, True), ("2015", True), ("2010-2015", True), ([2015], True), (np.array(2015), True),
    (slice(2010, 2015), True), (None, False), ("COL", False), ("Colombia", False), ("170", False), ("4", False)])
def test_years_are_told_from_territories(given, years):
    assert means_years(given) is years
