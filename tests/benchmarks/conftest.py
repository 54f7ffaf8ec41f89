"""The benchmarks are scripts: their folder is put where they find one another."""
import sys

import pytest

from humanflows import paths


@pytest.fixture(autouse=True, scope="session")
def _benchmarks_can_be_imported():
    sys.path.insert(0, str(paths.ROOT / "benchmarks"))
    yield
    sys.path.remove(str(paths.ROOT / "benchmarks"))
