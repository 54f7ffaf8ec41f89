"""Dask clients: of a cluster on this machine, or of the scheduler at an address."""
from collections.abc import Iterator
from contextlib import contextmanager

from .errors import ConfigError

PATIENCE = 60      # seconds to wait for a scheduler, and for the first of its workers
ATTEMPTS = 3       # to start a cluster here: Dask gives its own thread ten seconds, and a machine may stall for longer
# Environment of workers that are started here. Dask's own has glibc give memory back to the system whenever a table is
# freed, and the next table faults it in again, page by page: a training took nearly twice as long. Each task sets its
# own number of threads.
WORKER_ENVIRONMENT = {"MALLOC_TRIM_THRESHOLD_": 1 << 32, "MALLOC_MMAP_THRESHOLD_": 1 << 30,
                      "OMP_NUM_THREADS": 1, "MKL_NUM_THREADS": 1, "OPENBLAS_NUM_THREADS": 1}


@contextmanager
def open_client(cluster: str | None, workers: int) -> Iterator:
    """A client of a cluster on this machine, which ends with it, or of the scheduler at an address.

    Parameters
    ----------
    cluster : address of a scheduler, as tcp://host:port; None starts workers here. Workers that are started by hand do
        well to have ``WORKER_ENVIRONMENT``, too.
    workers : processes, where they are started here.

    Raises
    ------
    ConfigError
        When no scheduler answers, or it has no workers.
    """
    import dask
    from distributed import Client

    if cluster is None:
        # No limit to memory: Dask would stop a worker at its share, though members may need theirs at other times.
        with dask.config.set({"distributed.nanny.pre-spawn-environ": WORKER_ENVIRONMENT}), \
                local_cluster(workers, memory_limit=0) as local, \
                Client(local, set_as_default=False) as client:
            yield client
        return
    try:
        client = Client(cluster, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError("--cluster", f"no Dask scheduler answers at {cluster!r} ({error})",
                          "give its address as tcp://host:port; dask scheduler prints it", key="cluster") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError as error:
            raise ConfigError("--cluster", f"the scheduler at {cluster!r} has no workers",
                              f"start some: dask worker {cluster}", key="cluster") from error
        yield client


def local_cluster(workers: int, *, processes: bool = True, **options):
    """A cluster on this machine, one thread a worker; it is a context manager.

    Parameters
    ----------
    workers : how many.
    processes : whether each is a process of its own.
    options : for distributed.LocalCluster.

    Raises
    ------
    ConfigError
        When it does not start, several times.
    """
    from distributed import LocalCluster

    late = None
    for _ in range(ATTEMPTS):
        try:
            return LocalCluster(n_workers=workers, threads_per_worker=1, processes=processes,
                                dashboard_address="127.0.0.1:0", **options)
        except AssertionError as error:      # all that Dask says where its own thread is late
            late = error
    raise ConfigError("--cluster", "Dask could not start its workers on this machine",
                      "try again when less is running, or name a scheduler that runs: --cluster tcp://host:port",
                      key="cluster") from late
