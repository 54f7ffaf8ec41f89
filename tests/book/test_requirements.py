"""The pins name what the code imports, and are what is installed."""
import ast
import re
import sys
from importlib.metadata import packages_distributions, version

import nbformat
import pytest

from humanflows import paths

LINE = re.compile(r"^([A-Za-z0-9._-]+)==([^\s#]+)")


def pins():
    """Direct and transitive pins: name → version."""
    file = paths.ROOT / "requirements.txt"
    direct, brought = file.read_text(encoding="utf-8").split("# --- brought along")
    return tuple({m[1].lower().replace("_", "-"): m[2] for line in part.splitlines() if (m := LINE.match(line))}
                 for part in (direct, brought))


def imported():
    """Top-level packages that any code of the project imports, with one place each."""
    sources = {f: f.read_text(encoding="utf-8") for folder in ("src", "tests", "scripts", "benchmarks")
               for f in (paths.ROOT / folder).rglob("*.py")}
    for f in paths.NOTEBOOKS.glob("*.ipynb"):
        sources[f] = "\n".join(c.source for c in nbformat.read(f, 4).cells if c.cell_type == "code")
    found = {}
    for file, text in sources.items():
        for node in ast.walk(ast.parse(text)):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else \
                [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
            found.update({n.split(".")[0]: file.name for n in names})
    own = {"humanflows"} | {f.stem for f in sources}  # scripts may import their neighbours
    return {n: f for n, f in found.items() if n not in sys.stdlib_module_names and n not in own}


def test_every_import_is_a_direct_pin():
    direct, _ = pins()
    belongs = packages_distributions()
    missing = {name: file for name, file in imported().items()
               if not {d.lower().replace("_", "-") for d in belongs.get(name, [name])} & set(direct)}
    assert not missing, f"imported but not pinned as a direct dependency: {missing}"


def test_pins_are_exact_and_installed():
    direct, brought = pins()
    assert not set(direct) & set(brought)
    lines = [line for line in (paths.ROOT / "requirements.txt").read_text().splitlines()
             if line.strip() and not line.startswith("#")]
    assert len(lines) == len(direct) + len(brought), "every line must be an exact pin, once"
    if not (paths.ROOT / ".venv" / ".ready").is_file():
        pytest.skip("this environment was not made by make setup")
    wrong = {n: (v, version(n)) for n, v in {**direct, **brought}.items() if version(n).split("+")[0] != v}
    assert not wrong, f"pinned and installed versions differ: {wrong}"
