"""Dask clients: of a cluster on this machine, or of the scheduler at an address."""
import asyncio
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from .errors import ConfigError

PATIENCE = 60      # seconds to wait for the first of a scheduler's workers
CONNECTING = 10    # seconds to wait for a scheduler
ADDRESS = re.compile(r"(?:(?:tcp|tls|ws|wss)://)?(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(?P<port>[0-9]{1,5})")
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
        When the address is none, no scheduler answers, or it has no workers.
    """
    if cluster is not None:
        _call(cluster)
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
        client = Client(cluster, timeout=CONNECTING, set_as_default=False)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _nobody(cluster, error) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError as error:
            raise ConfigError("--cluster", f"the scheduler at {cluster!r} has no workers",
                              f"start some: dask worker {cluster}", key="cluster") from error
        yield client


def split_address(cluster: str) -> tuple[str, int]:
    """Host and port of a scheduler's address.

    Raises
    ------
    ConfigError
        For what is no such address.
    """
    parts = ADDRESS.fullmatch(cluster)
    if not parts or not 0 < int(parts["port"]) < 2**16:
        raise ConfigError("--cluster", f"{cluster!r} is no address of a Dask scheduler", _REMEDY, key="cluster")
    return parts["host"].strip("[]"), int(parts["port"])


def _call(cluster: str) -> None:
    """See whether a scheduler answers: a client of Dask would try for long and leave threads behind that try on."""
    place = split_address(cluster)
    try:
        socket.create_connection(place, timeout=CONNECTING).close()
        with ThreadPoolExecutor(1) as apart:    # a thread of its own: in a notebook this one has a running event loop
            apart.submit(asyncio.run, asyncio.wait_for(_greet(cluster), CONNECTING)).result()
    except Exception as error:     # whatever listens there may answer anything
        raise _nobody(cluster, error) from error


async def _greet(cluster: str) -> None:
    """Exchange greetings with a scheduler, as every client does first."""
    from distributed.comm import connect
    from distributed.security import Security

    greeted = await connect(cluster, timeout=CONNECTING, **Security().get_connection_args("client"))
    await greeted.close()


_REMEDY = "give it as tcp://host:port; dask scheduler prints it"


def _nobody(cluster: str, error: Exception) -> ConfigError:
    return ConfigError("--cluster", f"no Dask scheduler answers at {cluster!r} ({str(error) or type(error).__name__})",
                       _REMEDY, key="cluster")


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
