"""A check says in one line whether an exercise is solved, and a lesson goes on after it."""
import doctest

import numpy as np
import pytest

from humanflows import teaching
from humanflows.errors import ArtifactError, SourceFileError
from humanflows.teaching import check


def said(block, capsys) -> str:
    with check("2"):
        block()
    return capsys.readouterr().out


def raising(error):
    def block():
        raise error
    return block


def test_a_block_that_runs_to_its_end_is_solved(capsys):
    assert said(lambda: None, capsys) == "Exercise 2: solved\n"


@pytest.mark.parametrize(("error", "reason"), [
    (AssertionError("sums to zero"), "sums to zero"),
    (AssertionError(), "the answer does not pass"),
    (AssertionError("\nArrays are not equal\n\n  x: 1"), "Arrays are not equal x: 1"),
    (NotImplementedError(), "a gap is still open"),
    (NotImplementedError("write it"), "a gap is still open"),
    (NameError("name 'flow' is not defined"), "NameError: name 'flow' is not defined"),
    (ZeroDivisionError(), "ZeroDivisionError")])
def test_a_failure_is_told_in_one_line_and_swallowed(error, reason, capsys):
    assert said(raising(error), capsys) == f"Exercise 2: not yet: {reason}\n"


@pytest.mark.parametrize("error", [
    ArtifactError("flows.nc", "altered", "restore it"), SourceFileError("a.csv", "cut", "fetch it"),
    OSError("No space left on device"), MemoryError()])
def test_what_no_answer_is_at_fault_for_is_not_swallowed(error):
    with pytest.raises(type(error)), check("2"):
        raise error


def test_a_gap_of_three_dots_is_called_a_gap(capsys):
    assert said(lambda: np.sum(...) + 1, capsys) == "Exercise 2: not yet: a gap is still open\n"
    assert said(lambda: abs(...), capsys) == "Exercise 2: not yet: a gap is still open\n"


def test_what_follows_a_failure_in_the_block_does_not_run():
    reached = []
    with check("1"):
        reached.append(1)
        assert not reached, "stop here"
        reached.append(2)
    assert reached == [1]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_an_interrupt_is_not_swallowed(stop, capsys):
    with pytest.raises(stop), check("1"):
        raise stop
    assert capsys.readouterr().out == ""


def test_the_example_of_the_docstring():
    assert doctest.testmod(teaching).failed == 0 and doctest.testmod(teaching).attempted == 1
