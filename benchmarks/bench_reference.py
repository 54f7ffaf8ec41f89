"""Seconds per epoch and peak memory of the reference's network at its published size, and of ours, in one run.

Each runs in a process of its own, with the same number of threads, one after the other. The reference is built anew
from its description (reference_network.py) and reads random numbers of the right shapes; ours trains on the world's
panel where it has been made, otherwise on a random one of the same size. Run it on an idle machine with 20 GB of free
memory, from the root of the repository:

    .venv/bin/python benchmarks/bench_reference.py --threads 2

A trial in seconds: ``--edges 9000 --with-gradients 500 --years 5 --territories 40 --panel random --epochs 3 --steps 2
--no-compile --output /tmp/reference.json``. The book compares only what was measured at the published size.
"""
import argparse
import statistics
import time
from dataclasses import asdict
from pathlib import Path

from measure import RESULTS, about, apart, peak_gib, show, synchronise
from reference_network import COVARIATES, EPOCHS, Reference, Size


def measure_reference(*, epochs: int = 2, threads: int = 2, device: str = "cpu", **size) -> dict:
    """Seconds of each epoch and peak memory of the reference's network; ``size`` as in `Size`."""
    import torch

    torch.set_num_threads(threads)
    size = Size(**size)
    before = peak_gib()
    reference, seconds = Reference(size, device=device), []
    reference.choose_chunk()
    for _ in range(epochs):
        synchronise()
        started = time.perf_counter()
        reference.epoch()
        synchronise()
        seconds.append(time.perf_counter() - started)
    result = {**asdict(size), "published_size": size.published, "covariates": COVARIATES, "chunk": reference.chunk,
              "threads": threads, "device": device,
              "weights": sum(p.numel() for p in reference.network.parameters()),
              "seconds_per_epoch": round(statistics.median(seconds), 4),
              "seconds_per_epoch_all": [round(s, 4) for s in seconds],
              "peak_gib": round(peak_gib(), 3), "peak_gib_before": round(before, 3),
              "published_epochs": EPOCHS}
    if device == "cuda":
        result["peak_gib_device"] = round(torch.cuda.max_memory_allocated() / 2**30, 3)
    return result


def arguments(given=None) -> argparse.Namespace:
    """Read the command line."""
    published = Size()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2, help="CPU threads of PyTorch, for both")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--epochs-reference", type=int, default=2)
    parser.add_argument("--edges", type=int, default=published.edges)
    parser.add_argument("--with-gradients", type=int, default=published.with_gradients)
    parser.add_argument("--years", type=int, default=published.years, help="of the reference")
    parser.add_argument("--epochs", type=int, default=20, help="of ours, the first of which compiles")
    parser.add_argument("--steps", type=int, default=30, help="of our cell, of either kind")
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True, help="ours")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32", help="of ours")
    parser.add_argument("--panel", choices=("auto", "world", "random"), default="auto", help="of ours")
    parser.add_argument("--territories", type=int, default=None,
                        help=f"of both; {published.territories} and 231 by default")
    parser.add_argument("--output", type=Path, default=RESULTS / "reference.json")
    return parser.parse_args(given)


def main(given=None) -> dict:
    """Measure and report."""
    options = arguments(given)
    result = about()
    n = {} if options.territories is None else {"territories": options.territories}
    shared = {"threads": options.threads, "device": options.device}
    result["ours"] = apart("bench_epoch:measure_epochs", epochs=options.epochs, steps=options.steps,
                           compile=options.compile, precision=options.precision, panel=options.panel, **shared, **n)
    result["reference"] = apart("bench_reference:measure_reference", epochs=options.epochs_reference,
                                edges=options.edges, with_gradients=options.with_gradients, years=options.years,
                                **shared, **n)
    result["times_faster_per_epoch"] = round(result["reference"]["seconds_per_epoch"]
                                             / result["ours"]["seconds_per_epoch"], 1)
    show(result, options.output)
    return result


if __name__ == "__main__":
    main()
