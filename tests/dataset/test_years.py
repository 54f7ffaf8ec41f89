"""Years and ranges, and what is refused."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from humanflows.dataset.years import choose_years
from humanflows.errors import YearRangeError

YEARS = list(range(1990, 2025))


@pytest.mark.parametrize(("wanted", "expected"), [
    (None, YEARS), (2015, [2015]), ("2015", [2015]), ("2013-2015", [2013, 2014, 2015]), ("2013:2014", [2013, 2014]),
    ("2013–2014", [2013, 2014]), (slice(2023, None), [2023, 2024]), (slice(None, 1991), [1990, 1991]),
    ([2001, 1999], [2001, 1999]), (range(2000, 2002), [2000, 2001]), (np.array([2004]), [2004]), (2015.0, [2015])])
def test_what_is_meant(wanted, expected):
    assert [YEARS[k] for k in choose_years(wanted, YEARS)] == expected


@pytest.mark.parametrize("wanted", [
    1989, 2025, "1989-1990", "2015-2013", slice(2015, 2013), "twenty", "", "20-15-13", [], [2015, 1800], 2015.5, True,
    "2015.5", slice(1990, 2000, 2), ["2015"], "-2015", "0-9999", "٢٠١٥٢"])
def test_anything_else_is_refused_in_one_line(wanted):
    with pytest.raises(YearRangeError) as error:
        choose_years(wanted, YEARS)
    assert "\n" not in str(error.value)


@given(st.integers(1990, 2024), st.integers(1990, 2024))
def test_ranges_hold_both_ends_or_are_reversed(start, end):
    if start <= end:
        assert [YEARS[k] for k in choose_years(f"{start}-{end}", YEARS)] == list(range(start, end + 1))
    else:
        with pytest.raises(YearRangeError, match=f"{end}-{start}"):
            choose_years(f"{start}-{end}", YEARS)
