"""How the time of an epoch and its memory grow with territories, years and members, measured and fitted.

Each size runs in a process of its own on a random panel as dense as the world's. Members are trainings side by side, as
many at a time as there are workers. Time and memory are fitted by power laws (least squares on logarithms, 95%
intervals). Run it on an idle machine, from the root of the repository:

    .venv/bin/python benchmarks/bench_scaling.py
"""
import argparse
import os
from pathlib import Path

from humanflows.results.speed import fit_power_law
from measure import RESULTS, about, apart, result_of, show, start_apart

TERRITORIES, YEARS, MEMBERS = (40, 57, 81, 115, 163, 231), (8, 12, 17, 25, 35), (1, 2, 4, 8)


def measure_members(members: int, workers: int, **settings) -> dict:
    """Seconds that an epoch of all members takes, and the most memory that those side by side hold.

    ``settings`` as of ``bench_epoch.measure_epochs``.
    """
    seconds, peak = 0.0, 0.0
    for first in range(0, members, workers):
        started = [start_apart("bench_epoch:measure_epochs", **settings)
                   for _ in range(min(workers, members - first))]
        done = [result_of(process) for process in started]
        seconds += max(d["seconds_per_epoch"] for d in done)
        peak = max(peak, sum(d["peak_gib"] for d in done))
    return {"members": members, "seconds_per_epoch": round(seconds, 4), "peak_gib": round(peak, 3)}


def fits(rows: list[dict], by: str, memory: str) -> dict:
    """Power laws of time and memory by one size; None where there are too few sizes, or memory did not grow."""
    found = {}
    for name, key in (("seconds", "seconds_per_epoch"), ("memory", memory)):
        x, y = ([r[k] for r in rows] for k in (by, key))
        found[name] = fit_power_law(x, y) if len(set(x)) > 2 and min(y) > 0 else None
    return found


def main(given=None) -> dict:
    """Measure, fit and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--territories", type=int, nargs="+", default=TERRITORIES)
    parser.add_argument("--years", type=int, nargs="+", default=YEARS, help="each at least 6")
    parser.add_argument("--members", type=int, nargs="*", default=MEMBERS)
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="members at a time, one thread each")
    parser.add_argument("--at-territories", type=int, default=115, help="in the runs by years and by members")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1, help="one by default: small worlds gain nothing from more")
    parser.add_argument("--output", type=Path, default=RESULTS / "scaling.json")
    options = parser.parse_args(given)
    alike = {"epochs": options.epochs, "steps": 2, "threads": options.threads, "compile": False, "panel": "random"}
    result = about(workers=options.workers, at_territories=options.at_territories, **alike)

    def measure(**size) -> dict:
        row = apart("bench_epoch:measure_epochs", **alike, **size)
        row["gib_of_training"] = round(row["peak_gib"] - row["peak_gib_before_training"] - result["gib_of_nothing"], 4)
        keep = ("territories", "years", "observations", "pairs_with_effects", "seconds_per_epoch", "peak_gib",
                "gib_of_training")
        return {k: row[k] for k in keep}

    # Training loads libraries and starts an optimiser whatever the size: what that takes does not grow.
    result["gib_of_nothing"] = 0.0
    result["gib_of_nothing"] = measure(territories=8, years=6)["gib_of_training"]
    by_territories = [measure(territories=n, years=max(options.years)) for n in options.territories]
    by_years = [measure(territories=options.at_territories, years=y) for y in options.years]
    by_members = [measure_members(m, options.workers, territories=options.at_territories, years=max(options.years),
                                  **{**alike, "threads": 1}) for m in options.members]
    for by, rows, memory in (("territories", by_territories, "gib_of_training"), ("years", by_years, "gib_of_training"),
                             ("members", by_members, "peak_gib")):
        result[by] = {"rows": rows, **fits(rows, by, memory)}
    show(result, options.output)
    return result


if __name__ == "__main__":
    main()
