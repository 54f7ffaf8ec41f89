"""Intervals of flows by birthplace: never narrower than the corridor's, never more people than can have moved."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from humanflows.errors import SchemaError
from humanflows.results.birthplace_ends import KINDS, SHARES_FROM, birthplace_ends, classes_of, kinds_of

PERSONS = st.floats(0, 1e6)


def test_who_moves_and_how_large_a_share_they_are():
    assert [KINDS[k] for k in kinds_of(np.array([3, 5, 7]), 3, 5)] == list(KINDS)
    assert [SHARES_FROM[k] for k in classes_of([0.0, 1.0, 5.0, 50.0, 100.0], [0.0, 1000.0, 100.0, 100.0, 100.0])] == \
        [0.0, 0.001, 0.01, 0.5, 0.5]


def test_all_of_a_corridor_with_a_certain_share_has_the_corridors_interval():
    lower, upper = birthplace_ends(100.0, 100.0, 50.0, 300.0, 0.0)
    assert lower == pytest.approx(50) and upper == pytest.approx(300)


@given(PERSONS, st.floats(0.001, 1), st.floats(0, 1), st.floats(1, 50), st.floats(0, 3))
def test_ends_hold_the_estimate_and_an_unsure_share_widens_them(flow, share, below, above, spread):
    persons = share * flow
    ends = flow, below * flow, above * flow + 1
    sure, less = (birthplace_ends(persons, *ends, s) for s in (0.0, spread))
    slack = 1e-6 * (1 + persons)
    assert 0 <= less[0] <= sure[0] + slack and sure[0] <= persons + slack
    assert persons - slack <= sure[1] <= less[1] + slack and less[1] <= max(ends[2], persons) + slack


def test_a_negative_spread_is_an_error():
    with pytest.raises(SchemaError, match="negative"):
        birthplace_ends(1.0, 2.0, 1.0, 3.0, -0.1)
