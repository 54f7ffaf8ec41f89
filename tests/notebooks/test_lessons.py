"""A lesson's exercises are open as it stands, each check tells why, and the solutions that it hides solve them.

Cells are run in one namespace and in their order, as a student would run them. That the notebook also runs in a kernel
is tested by nbval.
"""
import ast
import re
from contextlib import redirect_stdout
from io import StringIO
from typing import NamedTuple

import matplotlib
import matplotlib.pyplot as plt
import nbformat
import pytest

from humanflows import paths

LESSONS = sorted(paths.NOTEBOOKS.glob("1?_lesson_*.ipynb"))
# A dropdown holds code, and after it a sentence that says why.
SOLUTION = re.compile(r":::\{dropdown\} Solution\n(.*?)```python\n(.*?)```\n(.*?)\n:::", re.DOTALL)
# Errors of a lesson that is put together wrongly, not of an answer.
BROKEN = ("NameError", "ImportError", "ModuleNotFoundError", "SyntaxError", "IndentationError")

every = pytest.mark.parametrize("file", LESSONS, ids=lambda f: f.stem)


class Exercise(NamedTuple):
    number: str
    task: str
    starter: str
    check: str
    solution: str
    why: str


def tags(cell) -> set:
    return set(cell.metadata.get("tags", []))


def read_lesson(file) -> tuple[list[str], list[Exercise]]:
    """Source of the guided code cells, and the exercises, of a lesson."""
    cells = nbformat.read(file, as_version=4).cells
    guided = [c.source for c in cells if c.cell_type == "code" and not tags(c) & {"exercise", "check"}]
    exercises = []
    for k in (k for k, c in enumerate(cells) if "exercise" in tags(c)):
        task, starter, check, answer = cells[k - 1:k + 3]
        assert [c.cell_type for c in (task, starter, check, answer)] == ["markdown", "code", "code", "markdown"]
        number = re.search(r"^\*\*Exercise (\d)\.\*\*", task.source, re.MULTILINE)
        hidden = SOLUTION.findall(answer.source)
        assert number and "check" in tags(check) and len(hidden) == 1, task.source
        assert answer.source.find(":::{dropdown} Hint") in range(answer.source.find(":::{dropdown} Solution")), task
        (before, code, why), = hidden
        exercises.append(Exercise(number[1], task.source, starter.source, check.source, code, before + why))
    return guided, exercises


def has_gap(code: str) -> bool:
    return any(getattr(n, "value", None) is Ellipsis or getattr(n, "id", None) == "NotImplementedError"
               for n in ast.walk(ast.parse(code)))


def binds(code: str) -> set:
    """Names that a cell gives a meaning to."""
    tree = ast.parse(code)
    return {n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)} | {
        n.id for statement in tree.body if isinstance(statement, ast.Assign | ast.AnnAssign)
        for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def run(code: str, namespace: dict) -> str:
    """What a cell prints."""
    with redirect_stdout(StringIO()) as said:
        exec(compile(code, "<cell>", "exec"), namespace)
    return said.getvalue()


@pytest.fixture(scope="module")
def guided_run():
    """Namespace after the guided cells of a lesson, run once and copied for each use."""
    done = {}

    def of(file) -> dict:
        if file not in done:
            namespace = {"__name__": "__main__"}
            for source in read_lesson(file)[0]:
                run(source, namespace)
                plt.close("all")
            done[file] = namespace
        return dict(done[file])

    backend = matplotlib.get_backend()
    with matplotlib.rc_context():
        matplotlib.use("Agg")
        yield of
    plt.close("all")
    matplotlib.use(backend)


def test_there_are_four_lessons():
    assert [f.stem[:2] for f in LESSONS] == ["10", "11", "12", "13"]


@every
def test_each_exercise_has_task_gap_check_hint_and_solution(file):
    _, exercises = read_lesson(file)
    assert [e.number for e in exercises] == [str(k + 1) for k in range(len(exercises))]
    assert 3 <= len(exercises) <= 5
    checks = [c for c in nbformat.read(file, as_version=4).cells if "check" in tags(c)]
    assert len(checks) == len(exercises)
    for e in exercises:
        assert has_gap(e.starter) and not has_gap(e.solution), e.number
        assert binds(e.starter) <= binds(e.solution) and binds(e.starter), e.number
        assert len(e.why.split()) >= 8, f"say why the solution of exercise {e.number} is right"
        assert e.solution.count("\n") <= 14 and max(map(len, e.solution.splitlines())) <= 120
        statement, = ast.parse(e.check).body
        assert isinstance(statement, ast.With) and ast.unparse(statement.items[0]) == f"check('{e.number}')"
        asserts = [n for n in ast.walk(statement) if isinstance(n, ast.Assert)]
        assert asserts and all(n.msg is not None for n in asserts), f"exercise {e.number}: every assertion tells why"


@every
@pytest.mark.slow
def test_a_lesson_as_it_stands_runs_with_every_exercise_open(file, guided_run):
    namespace = guided_run(file)
    for e in read_lesson(file)[1]:
        assert run(e.starter, namespace) == ""
        said = run(e.check, namespace)
        assert re.fullmatch(rf"Exercise {e.number}: not yet: .+\n", said), said


@every
@pytest.mark.slow
def test_each_check_opens_with_the_starter_and_closes_with_the_solution(file, guided_run):
    """Earlier exercises are solved, so that each check fails for its own gap and not for want of an earlier answer."""
    namespace = guided_run(file)
    for e in read_lesson(file)[1]:
        run(e.starter, namespace)
        said = run(e.check, namespace)
        assert said.startswith(f"Exercise {e.number}: not yet: ") and not any(b in said for b in BROKEN), said
        run(e.solution, namespace)
        assert run(e.check, namespace) == f"Exercise {e.number}: solved\n"
        plt.close("all")
