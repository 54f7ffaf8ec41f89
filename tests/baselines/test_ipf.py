"""Proportional fitting: what it keeps, what it meets, and that it never fails in silence."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from humanflows.baselines.ipf import NotConvergedError, fit_margins
from humanflows.errors import InputError

positive = st.floats(0.1, 100)


def odds(table):
    return table[0, 0] * table[1, 1] / (table[0, 1] * table[1, 0])


def test_a_table_worked_by_hand():
    """Ones with margins (3, 1) and (2, 2) become the products of the margins over the total."""
    fitted, ended = fit_margins(np.ones((2, 2)), np.array([3.0, 1.0]), np.array([2.0, 2.0]))
    assert fitted.tolist() == [[1.5, 1.5], [0.5, 0.5]]
    assert ended.margin_error[0] == 0 and ended.iterations[0] <= 2


@settings(max_examples=50)
@given(arrays(float, (3, 2, 2), elements=positive), arrays(float, (3, 2, 2), elements=positive))
def test_margins_are_met_and_odds_ratios_kept(seed, other):
    fitted, ended = fit_margins(seed, other.sum(2), other.sum(1), tolerance=1e-9)
    assert np.allclose(fitted.sum(2), other.sum(2), rtol=1e-4) and np.allclose(fitted.sum(1), other.sum(1))
    assert np.allclose([odds(t) for t in fitted], [odds(t) for t in seed], rtol=1e-6)
    assert (ended.change <= 1e-9).all() and (ended.iterations >= 1).all()


@settings(max_examples=25)
@given(arrays(float, (4, 3, 3), elements=positive), arrays(float, (4, 3, 3), elements=positive))
def test_a_batch_gives_what_its_tables_give_alone(seed, other):
    together, ended = fit_margins(seed, other.sum(2), other.sum(1))
    for k in range(4):
        alone, once = fit_margins(seed[k], other[k].sum(1), other[k].sum(0))
        assert np.allclose(together[k], alone, rtol=1e-12) and once.iterations[0] == ended.iterations[k]


def test_zeros_of_the_seed_stay_and_empty_margins_are_empty():
    seed = np.array([[1.0, 0.0, 1.0], [1.0, 1.0, 0.0], [0.0, 1.0, 1.0]])
    fitted, _ = fit_margins(seed, np.array([4.0, 0.0, 5.0]), np.array([3.0, 2.0, 4.0]), tolerance=1e-9)
    assert (fitted[seed == 0] == 0).all() and (fitted[1] == 0).all()
    assert np.allclose(fitted.sum(0), [3, 2, 4])


def test_impossible_margins_are_refused_with_the_names_of_the_tables():
    """The second table would need its only cell of row one to be 1 and its only cell of column one to be 2."""
    seed = np.stack([np.ones((2, 2)), np.diag([1.0, 1.0])])
    rows, columns = np.array([[2.0, 2.0], [1.0, 3.0]]), np.array([[2.0, 2.0], [2.0, 2.0]])
    with pytest.raises(NotConvergedError, match="1 of 2 tables") as raised:
        fit_margins(seed, rows, columns, names=["Norway", "Chad"], what="stocks")
    assert raised.value.key == "Chad" and raised.value.file == "stocks"


@pytest.mark.parametrize("off", [1.0, 0.01])
def test_totals_that_differ_are_named_before_zeros_are_blamed(off):
    """Rows of 100 and columns of 101 persons: no table has both, whatever its zeros."""
    rows, columns = np.array([50.0, 50.0]), np.array([[50.0, 50.0], [50.0, 50.0 + off]])
    with pytest.raises(NotConvergedError) as raised:
        fit_margins(np.ones((2, 2)), rows, columns, names=["Norway", "Chad"], what="stocks")
    assert raised.value.key == "Chad" and "zero" not in str(raised.value)
    assert "100 " in raised.value.problem and f"{100 + off:g}" in raised.value.problem


@given(st.floats(-1e-4, 1e-4))
def test_totals_are_refused_only_where_the_margins_could_not_be_met(gap):
    columns = np.array([50.0, 50.0 * (1 + gap)])
    try:
        _, ended = fit_margins(np.ones((2, 2)), np.array([50.0, 50.0]), columns)
    except NotConvergedError:
        assert abs(gap) / 2 > 2e-5 * 0.999
    else:
        assert len(ended.failed) == 0


def test_too_few_cycles_are_not_taken_for_convergence():
    seed = np.array([[1000.0, 1.0], [1.0, 1000.0]])
    with pytest.raises(NotConvergedError):
        fit_margins(seed, np.array([900.0, 1102.0]), np.array([1102.0, 900.0]), max_iterations=2)


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_negative_and_missing_numbers_are_refused(bad):
    with pytest.raises(InputError, match="row target is negative or missing"):
        fit_margins(np.ones((2, 2)), np.array([bad, 1.0]), np.ones(2), what="stocks")
