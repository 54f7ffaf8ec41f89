"""A released file may be held open in any way that xarray allows while the library answers, in any thread."""
import subprocess
import sys

import pytest
import xarray as xr

from whole_release import write_whole_release

ENGINES = [e for e in ("netcdf4", "h5netcdf") if e in xr.backends.list_engines()]
ONE_THREAD = """
import sys
import xarray as xr
from humanflows.dataset import open_estimates
from humanflows.dataset.whole import check_release
from humanflows.results.release import open_release
from pathlib import Path

folder, engine = Path(sys.argv[1]), sys.argv[2]

def answer():
    estimates = open_estimates(folder)
    check_release(folder)
    open_release(folder)
    return (estimates.flow("FJI", "TON").flow.sum(), estimates.net("FJI").net_migration.sum(),
            estimates.stock("FJI", "TON").stock.sum(), estimates.by_birthplace("COL", "VEN").flow.sum())

first = answer()
held = [xr.open_dataset(folder / f, engine=engine) for f in ("flows.nc", "stocks.nc", "net_migration.nc") for _ in "12"]
for k in range(2):
    assert answer() == first
    held[k].load()
    assert answer() == first
    held += [xr.open_dataset(folder / f, engine=engine, chunks={}) for f in ("flows.nc", "birthplace.nc")]
assert answer() == first
assert all(float(h[v].sum()) == float(h[v].sum()) for h in held for v in h.data_vars)
for h in held:
    h.close()
    assert answer() == first
print("alive")
"""
THREADS = """
import sys
import threading
import xarray as xr
from humanflows.dataset import open_estimates

folder, engine, failed = sys.argv[1], sys.argv[2], []

def ask(estimates=None):
    try:
        for k in range(6):
            asked = estimates or open_estimates(folder)
            asked.flow("FJI", "TON"), asked.stock("FJI", "TON"), asked.by_birthplace("COL", "VEN", years=2011)
    except Exception as error:
        failed.append(error)

shared = open_estimates(folder)
threads = [threading.Thread(target=ask), *(threading.Thread(target=ask, args=(shared,)) for _ in range(4))]
for t in threads:
    t.start()
while any(t.is_alive() for t in threads):
    with xr.open_dataset(folder + "/flows.nc", engine=engine) as held:
        held.load()
assert not failed, failed
print("alive")
"""


@pytest.mark.parametrize("program", [ONE_THREAD, THREADS], ids=["one thread", "threads"])
@pytest.mark.parametrize("engine", ENGINES)
def test_files_may_be_open_elsewhere(tmp_path, engine, program):
    folder = write_whole_release(tmp_path / "release")
    done = subprocess.run([sys.executable, "-X", "faulthandler", "-c", program, str(folder), engine],
                          capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout.strip()) == (0, "alive"), done.stderr[-3000:]
