"""One rule for grades: bounds, monotony, and a text that says the same numbers."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from humanflows.dataset.evidence import LETTERS, SEEN
from humanflows.dataset.grades import FACTORS, GRADES, grade, is_known, rule

NUMBERS = st.floats(0, 1e7)


def letter(*args, **more):
    return GRADES[int(grade(*args, **more))]


@pytest.mark.parametrize(("seen", "expected"), [("A", "A"), ("B", "B"), ("P", "C"), ("C", "C"), ("D", "D")])
def test_by_what_was_seen_alone(seen, expected):
    assert letter(SEEN.index(seen)) == expected


@pytest.mark.parametrize(("factor", "expected"), [(1.0, "A"), (1.5, "A"), (1.51, "B"), (3.0, "B"), (6.0, "C"),
                                                  (12.0, "D"), (12.1, "E"), (np.inf, "E"), (np.nan, "E")])
def test_by_the_width_of_the_interval(factor, expected):
    assert letter(0, 999 / 1, (999 + 1) * factor**2 - 1) == expected
    assert letter(0, spread=np.log(factor) / 2) == expected


def test_a_few_persons_are_not_judged_by_their_factor():
    assert letter(0, 0.0, 1.0) == "A"       # 0 to 1 person, an endless ratio
    assert letter(0, 0.0, 1000.0) == "E"


@given(st.integers(0, 4), NUMBERS, NUMBERS, st.floats(0, 1e6), st.floats(0, 5), st.floats(0, 5))
def test_less_certain_is_never_better(seen, lower, width, more, spread, wider):
    worse = grade(seen, lower, lower + width + more, spread + wider)
    assert worse >= grade(seen, lower, lower + width, spread) >= grade(seen, lower, lower + width) >= grade(seen)


def test_the_text_says_the_same_numbers():
    text = rule()
    assert all(f"{g} up to {f:g}" in text for g, f in zip(GRADES, FACTORS)) and "E beyond" in text
    assert "does not hold" not in text
    assert "does not hold intervals or the members' spread" in rule(intervals=False, members=False)
    assert "does not hold the members' spread" in rule(members=False)


def test_reports_by_citizenship_or_birthplace_alone_are_never_of_grade_a():
    assert letter(LETTERS.index("X")) == "B" == letter(LETTERS.index("X"), 1000.0, 1001.0, 0.0)
    assert "citizenship" in rule(evidence=True) and "citizenship" not in rule()


def test_known_is_within_a_factor_of_30_of_the_middle():
    assert is_known(99.0, 89_999.0) and not is_known(99.0, 90_200.0)
    assert is_known(0.0, 100.0) and not is_known(0.0, np.inf) and not is_known(np.nan, 1.0)
