"""The floors of the package hold: each part imports only from those below it, and a breach is noticed."""
import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from humanflows import paths

PACKAGE = Path("src") / "humanflows"


def lint(root: Path) -> subprocess.CompletedProcess:
    """Run the import linter on the package under a folder."""
    return subprocess.run([sys.executable, "-c", "from importlinter.cli import lint_imports; "
                           "raise SystemExit(lint_imports(no_cache=True))"], cwd=root, capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(root / "src"), "PYTHONDONTWRITEBYTECODE": "1"})


@pytest.fixture
def copy(tmp_path) -> Path:
    """The package and its contracts, to be spoiled."""
    shutil.copytree(paths.ROOT / PACKAGE, tmp_path / PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(paths.ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_floors_hold(copy):
    done = lint(copy)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 kept, 0 broken" in done.stdout


@pytest.mark.parametrize(("module", "line", "contract"), [
    ("panel/splits.py", "from ..model import train", "Floors"),
    ("plotting/__init__.py", "from ..panel import splits", "Figures know no model"),
    ("model/observation.py", "from ..sources import published", "Others' published estimates"),
    ("twin/world.py", "from ..sources.published import *", "Others' published estimates")])
def test_a_breach_is_noticed(copy, module, line, contract):
    file = copy / PACKAGE / module
    file.write_text(f"{file.read_text(encoding='utf-8')}\n{line}\n", encoding="utf-8")
    done = lint(copy)
    assert done.returncode != 0
    said = " ".join(done.stdout.split())     # names are wrapped to the width of the terminal
    assert re.search(re.escape(contract) + "((?!KEPT).)*BROKEN", said), done.stdout


def test_nothing_but_results_reads_published_estimates():
    # The linter reads import statements; this also finds modules that are named in a text and imported at run time.
    readers = set()
    for file in (paths.ROOT / PACKAGE).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            named = [getattr(node, "module", None) or "", *(a.name for a in getattr(node, "names", [])
                                                           if isinstance(a, ast.alias))]
            named += [node.value] if isinstance(node, ast.Constant) and node.value == "published" else []
            if any(str(n).split(".")[-1] == "published" for n in named):
                readers.add(file.relative_to(paths.ROOT / PACKAGE).parts[0])
    assert readers <= {"results", "pipeline.py"}
    assert "results" in readers
