"""Time and memory of one year's bookkeeping, whole and by blocks, up to thousands of regions.

One year forward, and one forward and backward, on random numbers (float32). The bytes moved are counted as in
bench_bandwidth.py. One size runs over Dask workers, too. From these the book works out what a world of sub-national
regions would take. Run it on an idle machine with 6 GB of free memory, from the root of the repository:

    .venv/bin/python benchmarks/bench_blocks.py --threads 2
"""
import argparse
import statistics
import time
from pathlib import Path

from measure import RESULTS, about, apart, peak_gib, show


def random_year(territories: int, seed: int = 0) -> tuple:
    """Stock, hazards, births and death rates; hazards and death rates are what a training would differentiate."""
    import torch

    from humanflows.model.accounting import Hazards

    random = torch.Generator().manual_seed(seed)

    def normal(*shape, mean=0.0):
        return torch.randn(*shape, generator=random) + mean

    n = territories
    stock = torch.exp(normal(n, n, mean=3)) + torch.diag(torch.exp(normal(n, mean=14)))
    hazards = Hazards(*(normal(n, n, mean=mean).requires_grad_() for mean in (-14.0, -4.0, -12.0, 0.0)))
    return stock.requires_grad_(), hazards, 0.02 * stock.detach().sum(0), torch.full((n,), 0.01)


def measure_year(*, territories: int, size: int | None, threads: int = 2, repeats: int = 3) -> dict:
    """Seconds, memory and bytes of one year, by blocks of a size, or as a whole (None)."""
    import torch

    torch.set_num_threads(threads)
    from blocks import step_by_blocks
    from humanflows.model.accounting import step
    from traffic import Traffic

    world, more = random_year(territories), {} if size is None else {"size": size}
    of_year = step if size is None else step_by_blocks
    before, forward, both, kept = peak_gib(), [], [], {}

    def keep(x):
        kept[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
        return x

    def run():
        started = time.perf_counter()
        year = of_year(*world, **more)
        forward.append(time.perf_counter() - started)
        (torch.sqrt(year.flow + 1).sum() + torch.sqrt(year.stock_next + 1).sum()).backward()
        both.append(time.perf_counter() - started)
        for x in (world[0], *world[1]):
            x.grad = None

    for _ in range(repeats):
        run()
    peak = peak_gib()
    times = statistics.median(forward), statistics.median(both)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        year = of_year(*world, **more)
    del year
    with Traffic() as traffic:
        run()
    return {"territories": territories, "block": size, "threads": threads, "seconds_forward": round(times[0], 4),
            "seconds": round(times[1], 4), "peak_gib": round(peak, 3), "gib_of_year": round(peak - before, 4),
            "gib_kept_for_gradients": round(sum(kept.values()) / 2**30, 4), "bytes": traffic.total,
            "product_flops": traffic.flops}


def measure_dask(*, territories: int, size: int, workers: int, repeats: int = 3) -> dict:
    """Seconds of one year forward over Dask workers in processes of their own, one thread each, and their memory."""
    import torch

    torch.set_num_threads(1)
    from distributed import Client, LocalCluster

    from blocks import over_dask, step_by_blocks
    from humanflows.model.accounting import step

    world, seconds = random_year(territories), []
    with (torch.no_grad(), LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None) as cluster,
          Client(cluster) as client):
        client.run(torch.set_num_threads, 1)
        before = client.run(peak_gib)
        for _ in range(repeats):
            started = time.perf_counter()
            year = step_by_blocks(*world, size=size, run=over_dask(client))
            seconds.append(time.perf_counter() - started)
        after = client.run(peak_gib)
        whole = step(*world)
        started = time.perf_counter()
        step_by_blocks(*world, size=size)
        alone = time.perf_counter() - started
    error = float(((year.flow - whole.flow).abs().max() / whole.flow.max()).item())
    return {"territories": territories, "block": size, "workers": workers, "seconds_forward": round(min(seconds), 4),
            "seconds_forward_alone": round(alone, 4), "largest_relative_difference_from_whole": error,
            "gib_of_worker": round(max(after[w] - before[w] for w in after), 4)}


def main(given=None) -> dict:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--territories", type=int, nargs="+", default=(231, 500, 1000, 2000, 3000))
    parser.add_argument("--block", type=int, default=500)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--matrix", type=int, default=2048, help="of the product that measures arithmetic")
    parser.add_argument("--mib", type=int, default=256, help="of the arrays that measure bandwidth")
    parser.add_argument("--dask-territories", type=int, default=1000, help="0: without Dask")
    parser.add_argument("--workers", type=int, default=2, help="of Dask")
    parser.add_argument("--output", type=Path, default=RESULTS / "blocks.json")
    options = parser.parse_args(given)
    result = about(machine_rates=apart("bench_bandwidth:measure_machine", threads=options.threads, mib=options.mib,
                                       matrix=options.matrix))
    for name, whole in (("whole", True), ("blocks", False)):
        result[name] = [apart("bench_blocks:measure_year", territories=n, size=None if whole else options.block,
                              threads=options.threads) for n in options.territories]
    if options.dask_territories:
        result["dask"] = apart("bench_blocks:measure_dask", territories=options.dask_territories,
                               size=min(options.block, -(-options.dask_territories // 4)), workers=options.workers)
    show(result, options.output)
    return result


if __name__ == "__main__":
    main()
