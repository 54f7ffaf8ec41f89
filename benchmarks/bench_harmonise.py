"""Wall time and peak memory of harmonising the world, cold and warm.

Cold: the tidy tables are read from the source files. Warm: from the tables kept in the build folder. Each is measured
in a process of its own with a build folder of its own, so that nothing made earlier is used or touched. Needs the
source files; run it on a quiet machine, from the root of the repository:

    .venv/bin/python benchmarks/bench_harmonise.py
"""
import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from humanflows import paths
from measure import RESULTS, machine, peak_gib, show


def once() -> dict:
    """Harmonise the world in this process: tables, panel, splits, file."""
    from humanflows import pipeline
    from humanflows.config import load_config

    started = time.perf_counter()
    file = pipeline.harmonise(load_config("world"), refresh=True)
    seconds = time.perf_counter() - started
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / (2**30 if sys.platform == "darwin" else 2**20)
    return {"seconds": round(seconds, 2), "peak_gib": round(peak_gib(), 3),
            "peak_gib_of_largest_worker": round(children, 3), "panel_mib": round(file.stat().st_size / 2**20, 1)}


def main(given=None) -> dict:
    """Measure a cold and a warm run and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=RESULTS / "harmonise.json")
    parser.add_argument("--once", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(given)
    if options.once:
        options.once.write_text(json.dumps(once()), encoding="utf-8")
        return {}
    result = {"machine": machine()}
    with tempfile.TemporaryDirectory() as folder:
        build = Path(folder) / "build"
        build.mkdir()
        if paths.CACHE.is_dir():      # downloaded sources stay where they are: downloading is not what is measured
            (build / "sources").symlink_to(paths.CACHE)
        for run in ("cold", "warm"):
            part = Path(folder) / f"{run}.json"
            subprocess.run([sys.executable, __file__, "--once", str(part)], check=True,
                           env={**os.environ, "HUMANFLOWS_BUILD": str(build)})
            result[run] = json.loads(part.read_text(encoding="utf-8"))
    show(result, options.output)
    return result


if __name__ == "__main__":
    main()
