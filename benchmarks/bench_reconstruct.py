"""Seconds and peak memory of all six stock-to-flow methods on seven periods of the world.

Uses the 2024 revision of UN DESA's stocks where the source files are; otherwise, or with ``--tables random``, stocks of
the same size that mean nothing. Reading the tables is not measured; completing them is. Every method is run twice: with
flows by birthplace, origin and destination (dense), and summed over birthplaces. Run it on a quiet machine, from the
root of the repository:

    .venv/bin/python benchmarks/bench_reconstruct.py --threads 2
"""
import argparse
import os
import time
from pathlib import Path

from measure import RESULTS, machine, peak_gib, show

PERIODS = [(1990, 1995), (1995, 2000), (2000, 2005), (2005, 2010), (2010, 2015), (2015, 2020), (2020, 2024)]


def random_tables(territories: int, seed: int = 0) -> dict:
    """Stocks, births, deaths and populations of the world's size; the numbers mean nothing."""
    import numpy as np
    import pandas as pd

    from humanflows.territories import codes

    draw, places = np.random.default_rng(seed), np.array(codes()[:territories])
    n, years = len(places), [1990, 1995, 2000, 2005, 2010, 2015, 2020, 2024]
    known = np.argwhere((draw.random((n, n)) < 0.23) & ~np.eye(n, dtype=bool))
    first = np.exp(draw.normal(6, 2, len(known)))
    frames = [pd.DataFrame({
        "source": "undesa_ims", "revision": 2024, "year": y, "birthplace": places[known[:, 0]],
        "residence": places[known[:, 1]],
        "persons": first * np.exp(0.03 * (y - 1990) + draw.normal(0, 0.2, len(first))), "definition": "foreign_born",
        "status": "reported"}) for y in years]
    foreign = np.bincount(known[:, 1], frames[-1]["persons"], n)
    population = 20 * foreign + 10_000
    rows = [("wpp", variable, place, y, share * people, "estimated") for y in range(1990, 2025)
            for place, people in zip(places, population)
            for variable, share in (("births", 0.02), ("deaths", 0.01),
                                    ("population_midyear", 1 + 0.01 * (y - 1990) + 0.001 * draw.normal()))]
    return {"stock": pd.concat(frames, ignore_index=True),
            "territory_year": pd.DataFrame(rows, columns=["source", "variable", "territory", "year", "value",
                                                          "status"])}


def read_tables(options) -> tuple[dict, str]:
    """The world's tables, or random ones, and which."""
    from humanflows.errors import InputError
    from humanflows.sources.catalogue import load_source

    if options.tables != "random":
        try:
            return {**load_source("undesa_ims"), **load_source("wpp")}, "world"
        except InputError:
            if options.tables == "world":
                raise
    return random_tables(options.territories), "random"


def main(given=None) -> dict:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2, help="threads of the linear algebra")
    parser.add_argument("--tables", choices=("auto", "world", "random"), default="auto")
    parser.add_argument("--territories", type=int, default=231, help="size of the random tables")
    parser.add_argument("--output", type=Path, default=RESULTS / "reconstruct.json")
    options = parser.parse_args(given)
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(options.threads)     # read when NumPy is first imported, which is below
    from humanflows.baselines.reconstruct import METHODS, build_periods

    before = machine()
    tables, which = read_tables(options)
    result = {"machine": before, "tables": which, "threads": options.threads, "peak_gib_before": round(peak_gib(), 3)}
    started = time.perf_counter()
    periods = build_periods(tables, PERIODS)
    result["seconds_complete_tables"] = round(time.perf_counter() - started, 2)
    result["territories"] = [p.births.sizes["residence"] for p in periods]
    for mode in (True, False):
        seconds, iterations, error = {}, {}, 0.0
        for method in METHODS:
            started = time.perf_counter()
            for period in periods:
                about = period.predict(method, by_birthplace=mode).flow.attrs
                iterations[method] = max(iterations.get(method, 0), about["iterations"],
                                         *about.get("balance_iterations", [0]))
                error = max(error, *about.get("balance_margin_error", [0.0]))
            seconds[method] = round(time.perf_counter() - started, 2)
        result["by_birthplace" if mode else "summed"] = {
            "seconds": round(sum(seconds.values()) + result["seconds_complete_tables"], 2),
            "seconds_by_method": seconds, "most_iterations": iterations, "worst_margin_error": error}
    result["peak_gib"] = round(peak_gib(), 3)
    show(result, options.output)
    return result


if __name__ == "__main__":
    main()
