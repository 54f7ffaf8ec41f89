"""The benchmarks are scripts: their folder is put where they, and modules of tests, find one another."""
import sys

from humanflows import paths

sys.path.insert(0, str(paths.ROOT / "benchmarks"))
