"""What a notebook reads of the project is seen, also where a library in C opens the file."""
import ctypes
import os
import shutil
import struct
import subprocess
import sys

import pytest

from humanflows import paths, reads

IN_OPEN, IN_ISDIR = 0x20, 0x40000000
DOORS = {
    "release": ("from humanflows.results.release import open_release; open_release()",
                {"flows.nc", "stocks.nc", "net_migration.nc", "manifest.json"}),
    "file of the release": ("import xarray as xr; from humanflows.results.release import release_file; "
                            "xr.load_dataset(release_file('sources.nc'))", {"sources.nc"}),
    "answers": ("from humanflows.dataset import open_estimates; e = open_estimates(); e.flow('FJI', 'TON'); "
                "e.by_birthplace('TUR', 'DEU', years=2015); e.stock('FJI', 'TON')",
                {"flows.nc", "stocks.nc", "birthplace.nc", "sources.nc", "manifest.json"}),
    "tables": ("from humanflows.results.peer_regions import read_tables; from humanflows import paths; "
               "read_tables(paths.RELEASE)", {"peer_regions.csv", "peer_corridors.csv", "peer_moments.csv"}),
    "scenario": ("from humanflows.results.scenario_release import read_released; "
                 "read_released('projections_2035', 'totals')", {"totals.csv"}),
    "outlines": ("from humanflows.geometry import read_geometry; read_geometry()",
                 {"territories.geojson", "territories.csv"}),
    "configuration": ("from humanflows.config import load_config; load_config('world')", {"world.yaml"}),
    "another process": ("import subprocess, sys; subprocess.run([sys.executable, '-c', "
                        "'from humanflows.config import load_config; load_config()'], check=True)", {"twin.yaml"}),
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A project of its own: others may read the real one meanwhile."""
    root = tmp_path_factory.mktemp("project")
    for name in ("data", "config"):
        shutil.copytree(paths.ROOT / name, root / name)
    return root


class Watch:
    """Files below a folder that anybody opens, as the kernel tells it (inotify)."""

    def __init__(self, folder):
        self.libc = ctypes.CDLL(None, use_errno=True)
        if not hasattr(self.libc, "inotify_init1"):
            pytest.skip("this system does not tell which files are opened (inotify)")
        self.handle = self.libc.inotify_init1(os.O_NONBLOCK)
        self.folders = {self.libc.inotify_add_watch(self.handle, os.fsencode(f), IN_OPEN): f
                        for f in (folder, *(p for p in folder.rglob("*") if p.is_dir()))}

    def opened(self):
        """Their paths."""
        found, data = set(), b""
        try:
            while part := os.read(self.handle, 1 << 20):
                data += part
        except BlockingIOError:
            pass
        while data:
            folder, mask, _, length = struct.unpack_from("iIII", data)
            name = data[16:16 + length].rstrip(b"\0").decode()
            data = data[16 + length:]
            if name and not mask & IN_ISDIR:
                found.add(self.folders[folder] / name)
        os.close(self.handle)
        return found


@pytest.mark.parametrize("door", DOORS)
def test_whatever_the_system_opens_is_seen(copy, tmp_path, door):
    code, expected = DOORS[door]
    log, watch = tmp_path / "reads", Watch(copy / "data")
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300,
                   env={**os.environ, reads.VARIABLE: str(log), "HUMANFLOWS_ROOT": str(copy)})
    seen = set(reads.read_log(log))
    assert expected <= {k.rpartition("/")[2] for k in seen}
    opened = {f.relative_to(copy).as_posix() for f in watch.opened()}
    assert opened <= seen, f"opened, but not seen: {sorted(opened - seen)}"


def test_names_are_those_of_the_project(monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(paths, "BUILD", tmp_path / "out")
    monkeypatch.setattr(paths, "NOTEBOOKS", tmp_path / "notebooks")
    inside = {"data/a.csv": "data/a.csv", "data/a b/c.nc": "data/a b/c.nc", "out/panel.nc": None,
              "notebooks/00.ipynb": None, ".venv/lib/x.py": None, "data/.out-x.nc": None,
              "tests/__pycache__/x.pyc": None}
    assert {name: reads.key_of(str(tmp_path / name)) for name in inside} == inside
    assert reads.key_of("/elsewhere/data/a.csv") is None
    package = reads.PACKAGE
    assert reads.key_of(f"{package}/model/train.py") == "humanflows/model/train.py"
    assert reads.key_of(f"{package}/model/__pycache__/train.cpython-311.pyc") == "humanflows/model/train.py"
    assert reads.place_of("humanflows/model/train.py") == paths.Path(package, "model", "train.py")
    assert reads.digests(["data/gone.csv"]) == {"data/gone.csv": None}


def test_nothing_is_recorded_unless_it_is_asked_for():
    code = "from humanflows import reads; reads.note(reads.__file__); assert reads._log is None"
    here = {k: v for k, v in os.environ.items() if k != reads.VARIABLE}
    subprocess.run([sys.executable, "-c", code], check=True, env=here)
