"""Long tasks side by side in processes of their own: one that fails does not stop the others."""
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Any

from tqdm import tqdm


def run_side_by_side(tasks: Mapping[str, tuple], *, workers: int, title: str, unit: str,
                     start: Callable | None = None, start_with: tuple = ()) -> dict[str, Any]:
    """Run tasks in spawned processes, with a progress bar. Returns their results by name.

    Parameters
    ----------
    tasks : by name, a function of a module (it must be importable) and its positional arguments.
    workers : processes at a time.
    title, unit : of the progress bar.
    start, start_with : a function that each process calls first, and its arguments.

    Raises
    ------
    Exception
        The error of the first task that failed, when all are done; every failure is printed.
    """
    done, failed = {}, []
    with ProcessPoolExecutor(workers, get_context("spawn"), start, start_with) as pool:
        jobs = {pool.submit(function, *given): name for name, (function, *given) in tasks.items()}
        bar = tqdm(as_completed(jobs), total=len(jobs), desc=title, unit=unit)
        for job in bar:
            bar.set_postfix_str(jobs[job])
            try:
                done[jobs[job]] = job.result()
            except Exception as error:  # collected: the others go on
                failed.append((jobs[job], error))
    for name, error in failed:
        print(f"{title}: {name} failed: {error}", flush=True)
    if failed:
        raise failed[0][1]
    return done
