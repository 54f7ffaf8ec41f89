"""What this machine's memory can deliver, and what share of it one epoch of ours takes.

The reachable bandwidth is that of a triad, a = b + s c, on arrays that no cache holds (McCalpin's STREAM, which counts
three arrays moved: what the processor fetches only to overwrite is left out of account). The bytes of an epoch are
counted from its tensors (traffic.py): every operation reads its inputs once and writes its outputs once, caches or not.
Compiled, operations are joined and move less than that; the share is therefore given for the epoch as written, and for
the compiled one only as what it would have to move as written. Run it on an idle machine, from the root of the
repository:

    .venv/bin/python benchmarks/bench_bandwidth.py --threads 2
    .venv/bin/python benchmarks/bench_bandwidth.py --device cuda --output benchmarks/results/bandwidth-cuda.json
"""
import argparse
import time
from pathlib import Path

from bench_epoch import measure_epochs
from measure import RESULTS, about, apart, show, synchronise

COUNTED = 2     # the epoch that is counted, of those that are run


def best_seconds(call, repeats: int) -> float:
    """Shortest time of some calls, after two that warm up."""
    times = []
    for _ in range(repeats + 2):
        synchronise()
        started = time.perf_counter()
        call()
        synchronise()
        times.append(time.perf_counter() - started)
    return min(times[2:])


def measure_machine(*, threads: int = 2, device: str = "cpu", mib: int = 256, matrix: int = 2048,
                    repeats: int = 10) -> dict:
    """Reachable bandwidth in GB/s and arithmetic of float32 matrix products in Gflop/s (10⁹).

    ``mib``: size of each of the triad's three arrays; ``matrix``: rows and columns of the product.
    """
    import torch

    torch.set_num_threads(threads)
    b, c = (torch.rand(mib * 2**18, device=device) for _ in range(2))
    a = torch.empty_like(b)
    triad = best_seconds(lambda: torch.add(b, c, alpha=3.0, out=a), repeats)
    x, y = (torch.rand(matrix, matrix, device=device) for _ in range(2))
    z = torch.empty_like(x)
    product = best_seconds(lambda: torch.mm(x, y, out=z), repeats)
    result = {"threads": threads, "device": device, "array_mib": mib, "matrix": matrix,
              "triad_gb_per_s": round(3 * b.nbytes / triad / 1e9, 2),
              "product_gflop_per_s": round(2 * matrix**3 / product / 1e9, 1)}
    if device == "cuda":
        chip = torch.cuda.get_device_properties(0)
        result["name"] = chip.name
        if hasattr(chip, "memory_clock_rate"):     # kHz; two transfers a tick
            result["peak_gb_per_s"] = round(2 * chip.memory_clock_rate * chip.memory_bus_width / 8 / 1e6, 1)
    return result


def count_epoch(**settings) -> dict:
    """Bytes and arithmetic of one epoch as written; ``settings`` as of ``bench_epoch.measure_epochs``."""
    from traffic import Traffic

    traffic = Traffic()

    def at_epoch(epoch: int) -> None:
        if epoch == COUNTED:
            traffic.__enter__()
        elif epoch == COUNTED + 1:
            traffic.__exit__(None, None, None)

    measure_epochs(**settings, epochs=COUNTED + 2, steps=2, compile=False, at_epoch=at_epoch)
    return {"bytes": traffic.total, "product_flops": traffic.flops, "operations": sum(traffic.calls.values()),
            "bytes_by_operation": dict(traffic.bytes.most_common(12))}


def main(given=None) -> dict:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--mib", type=int, default=256, help="of each of the triad's arrays; many times the caches")
    parser.add_argument("--matrix", type=int, default=2048)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True, help="measure compiled, too")
    parser.add_argument("--panel", choices=("auto", "world", "random"), default="auto")
    parser.add_argument("--territories", type=int, default=231, help="of the random panel")
    parser.add_argument("--output", type=Path, default=RESULTS / "bandwidth.json")
    options = parser.parse_args(given)
    result = about()
    alike = {"threads": options.threads, "device": options.device}
    # Before and after: a neighbour that takes bandwidth away for a while should show.
    reached = [apart("bench_bandwidth:measure_machine", mib=options.mib, matrix=options.matrix, **alike)]
    world = {**alike, "panel": options.panel, "territories": options.territories}
    epoch = apart("bench_bandwidth:count_epoch", **world)
    for name, compiled in (("as_written", False), *([("compiled", True)] if options.compile else [])):
        epoch[name] = apart("bench_epoch:measure_epochs", epochs=options.epochs, steps=2, compile=compiled, **world)
    reached.append(apart("bench_bandwidth:measure_machine", mib=options.mib, matrix=options.matrix, **alike))
    best = max(reached, key=lambda r: r["triad_gb_per_s"])
    result |= {"reachable": best, "reachable_all": reached, "epoch": epoch}
    for name in ("as_written", "compiled"):
        if name in epoch:
            rate = epoch["bytes"] / epoch[name]["seconds_per_epoch"] / 1e9
            epoch[name] |= {"gb_per_s": round(rate, 2), "share_of_reachable": round(rate / best["triad_gb_per_s"], 3)}
            if "peak_gb_per_s" in best:
                epoch[name]["share_of_peak"] = round(rate / best["peak_gb_per_s"], 3)
    show(result, options.output)
    return result


if __name__ == "__main__":
    main()
