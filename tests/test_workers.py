"""Tasks side by side: results by name, and a failure that does not stop the others. Real processes."""
import os

import pytest

from humanflows.workers import run_side_by_side

MARK = "HUMANFLOWS_TEST_MARK"


def whose(number: int) -> tuple[int, int, str]:
    if number < 0:
        raise ValueError(f"{number} is below zero")
    return number, os.getpid(), os.environ.get(MARK, "")


def put(mark: str) -> None:
    os.environ[MARK] = mark


def test_results_by_name_from_other_processes_that_were_started_as_asked():
    found = run_side_by_side({"a": (whose, 1), "b": (whose, 2)}, workers=2, title="t", unit="task",
                             start=put, start_with=("x",))
    assert {k: v[0] for k, v in found.items()} == {"a": 1, "b": 2}
    assert all(pid != os.getpid() and mark == "x" for _, pid, mark in found.values())


def test_a_failure_is_named_and_raised_when_all_are_done(capsys):
    with pytest.raises(ValueError, match="-1"):
        run_side_by_side({"bad": (whose, -1), "good": (whose, 1)}, workers=1, title="trial", unit="task")
    assert "trial: bad failed: -1 is below zero" in capsys.readouterr().out
