"""Artifacts: whole or not at all, readable by all, and fresh only if made from the same things."""
import hashlib
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from humanflows import artifacts, locks, paths
from humanflows.errors import ArtifactError

KILLED = """
import os, sys
from pathlib import Path
from humanflows import artifacts, paths
folder = Path(sys.argv[1])
with artifacts.atomic(folder / "panel.nc") as temporary:
    temporary.write_text("half")
    (folder / (artifacts.temporary_prefix(folder / "out") + "x")).mkdir()
    (folder / (artifacts.temporary_prefix(folder / "out") + "x") / "a").write_text("half")
    os._exit(137)
"""


def names(folder):
    return sorted(p.name for p in Path(folder).iterdir())


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "a.txt"
    artifacts.write_text(target, "old")
    with pytest.raises(RuntimeError, match="cut off"), artifacts.atomic(target) as temporary:
        temporary.write_text("half of the ne")
        raise RuntimeError("cut off")
    assert target.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_nobody_sees_a_file_before_it_is_whole(tmp_path):
    target = tmp_path / "deep" / "er" / "a.nc"
    with artifacts.atomic(target) as temporary:
        assert temporary.parent == target.parent and temporary.suffix == ".nc"  # same file system: the rename is atomic
        temporary.write_bytes(b"new")
        assert not target.exists()
    assert target.read_bytes() == b"new"
    assert names(target.parent) == ["a.nc"]


@pytest.mark.parametrize(("mask", "expected"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_permissions_are_those_of_any_new_file(tmp_path, mask, expected):
    before = os.umask(mask)
    try:
        artifacts.write_text(tmp_path / "a.txt", "text")
        assert os.umask(mask) == mask  # and the process keeps its mask
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == expected


def test_what_a_killed_process_has_left_is_swept_by_the_next_that_writes(tmp_path):
    for _ in range(2):
        assert subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)]).returncode == 137
        assert len(names(tmp_path)) == 2        # the second sweeps what the first has left
    mine = tmp_path / (artifacts.temporary_prefix(tmp_path / "b.txt") + "abc.txt")
    mine.write_text("being written")
    others = [".humanflows-000000-1-a-x.nc", ".humanflows-config", ".vscode-insiders", ".panel-abcdefgh.nc",
              "a-bcdefghi.nc"]
    for name in others:
        (tmp_path / name).write_text("not ours, or not for sure")
    artifacts.write_text(tmp_path / "a.txt", "text")
    assert names(tmp_path) == sorted(["a.txt", mine.name, *others])


def test_what_earlier_versions_have_left_is_swept_in_the_projects_folders(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "DATA", tmp_path / "data")
    left = [".residuals-a1b2c3d4.csv", ".panel-_bcdefgh.nc", ".humanflows-000000-1-a-x.nc"]
    kept = [".gitignore", ".vscode-insiders", ".residuals-a1b2c3d4.xyz", "residuals-a1b2c3d4.csv"]
    for folder in ("data", "elsewhere"):
        for name in (*left, *kept):
            file = artifacts.write_text(tmp_path / folder / name, "half")
            os.utime(file, (0, 0))
    assert sorted(f.name for f in artifacts.sweep(tmp_path / "data")) == sorted(left)
    assert names(tmp_path / "data") == sorted(kept)
    assert [f.name for f in artifacts.sweep(tmp_path / "elsewhere")] == left[2:]


def test_sha256_and_text(tmp_path):
    text = "Zürich → Dār\n" * 10_000
    target = artifacts.write_text(tmp_path / "a.txt", text)
    assert artifacts.sha256(target) == hashlib.sha256(text.encode("utf-8")).hexdigest()


def test_netcdf_round_trip_with_attributes(tmp_path):
    flow = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    dataset = xr.Dataset({"flow": (("year", "origin", "destination"), flow, {"units": "persons"}), "scalar": 3.0},
                         coords={"year": [1990, 1991], "origin": ["AFG", "DEU", "ZWE"]}, attrs={"profile": "twin"})
    target = artifacts.write_netcdf(dataset, tmp_path / "flows.nc")
    with xr.open_dataset(target, engine="netcdf4") as back:
        xr.testing.assert_identical(back.load(), dataset)
        assert back.flow.dtype == np.float32
        assert back.flow.encoding["complevel"] == 4
    assert names(tmp_path) == ["flows.nc"]


def test_digests_depend_on_content_alone():
    assert artifacts.digest({"a": 1, "b": [2]}) == artifacts.digest({"b": [2], "a": 1})
    values = [({"a": 1},), ({"a": 1.5},), ({"a": "1"},), ({"b": 1},), ({"a": 1}, None), ([1, 2],), ([2, 1],)]
    assert len({artifacts.digest(*v) for v in values}) == len(values)


def test_code_digest_follows_the_source(tmp_path, monkeypatch):
    package = tmp_path / "humanflows"
    (package / "model").mkdir(parents=True)
    (package / "model" / "network.py").write_text("x = 1\n")
    (package / "schema.py").write_text("y = 1\n")
    monkeypatch.setattr(artifacts, "__file__", str(package / "artifacts.py"))
    both = artifacts.code_digest("model", "schema.py")
    assert both == artifacts.code_digest("schema.py", "model")
    only_schema = artifacts.code_digest("schema.py")
    (package / "model" / "network.py").write_text("x = 2\n")
    assert artifacts.code_digest("model", "schema.py") != both
    assert artifacts.code_digest("schema.py") == only_schema
    changed = artifacts.code_digest("model")
    (package / "model" / "extra.py").write_text("")
    assert artifacts.code_digest("model") != changed
    for absent in ("modle", "modle.py"):
        with pytest.raises(FileNotFoundError, match="modle"):
            artifacts.code_digest("model", absent)


INPUTS = {"config": "c0ffee", "code": "f00d", "files": {"a.csv": "123"}}


@pytest.fixture
def made(tmp_path):
    target = artifacts.write_text(tmp_path / "flows.csv", "1,2\n")
    artifacts.write_manifest(target, made_by="build", inputs=INPUTS, profile="twin", seed=1, seconds=0.5, rows=1)
    return target


def test_manifest_says_what_made_it(made):
    file = artifacts.manifest_path(made)
    assert file.name == "flows.csv.manifest.json" and names(made.parent) == ["flows.csv", file.name]
    manifest = artifacts.read_manifest(made)
    assert manifest == json.loads(file.read_text(encoding="utf-8"))
    assert manifest["sha256"] == hashlib.sha256(b"1,2\n").hexdigest()
    assert manifest["inputs"] == INPUTS and manifest["rows"] == 1 and manifest["seed"] == 1
    assert {"python", "torch", "numpy", "pandas", "xarray"} <= set(manifest["versions"])
    assert list(artifacts.manifests(made.parent)) == [manifest]


def test_fresh_for_the_same_inputs_only(made):
    assert artifacts.is_fresh(made, INPUTS)
    assert artifacts.is_fresh(made, dict(reversed(INPUTS.items())))
    for other in ({**INPUTS, "config": "c0ffef"}, {**INPUTS, "files": {"a.csv": "124"}}, {**INPUTS, "more": 1},
                  {"config": "c0ffee"}, {}):
        assert not artifacts.is_fresh(made, other)


def test_without_manifest_or_file_nothing_is_fresh(made):
    text = artifacts.manifest_path(made).read_text()
    artifacts.manifest_path(made).unlink()
    assert artifacts.read_manifest(made) is None and not artifacts.is_fresh(made, INPUTS)
    artifacts.manifest_path(made).write_text(text)
    made.unlink()
    assert not artifacts.is_fresh(made, INPUTS)


@pytest.mark.parametrize("content", [b"", b'{"artifact": "flows.csv", "sha', b"[]", b"null", b"{}", b"\xff\xfe\x00"])
def test_a_manifest_that_was_cut_off_is_none(made, content):
    artifacts.manifest_path(made).write_bytes(content)
    assert artifacts.read_manifest(made) is None and not artifacts.is_fresh(made, INPUTS)
    assert list(artifacts.manifests(made.parent)) == []


def test_a_full_disk_and_a_folder_that_cannot_be_written_are_told_plainly(tmp_path, monkeypatch):
    with pytest.raises(ArtifactError) as caught, artifacts.atomic(tmp_path / "a.txt"), \
            open("/dev/full", "w") as full:
        full.write("x")
        full.flush()
    assert "disk is full" in caught.value.problem
    (tmp_path / "file").write_text("x")
    for folder in (tmp_path / "file", Path("/proc/nothing"), Path("/proc/nothing/here")):
        with pytest.raises(ArtifactError) as caught:
            artifacts.write_text(folder / "a.txt", "x")
        assert "cannot be written" in caught.value.problem
        with pytest.raises(ArtifactError), locks.alone_in(folder):
            pass
    assert names(tmp_path) == ["file"]


def test_an_error_on_reading_something_else_stays_what_it_is(tmp_path):
    with pytest.raises(FileNotFoundError), artifacts.atomic(tmp_path / "a.txt"):
        Path("/nowhere/at/all").read_text()
    with pytest.raises(FileNotFoundError), artifacts.atomic(tmp_path / "a.txt"):
        (tmp_path / "not there").read_text()
    with pytest.raises(PermissionError), artifacts.atomic(tmp_path / "a.txt"):
        raise PermissionError(13, "Permission denied", "/somewhere/else.csv")


FULL = """
import resource, sys
import numpy as np, xarray as xr
from humanflows import artifacts, locks
from humanflows.errors import ArtifactError
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    artifacts.write_netcdf(xr.Dataset({"a": ("x", np.random.default_rng(1).normal(size=100_000))}), sys.argv[1])
except ArtifactError as error:
    print(error)
"""


@pytest.mark.skipif(os.name != "posix", reason="limits of file sizes are known to POSIX systems alone")
def test_netcdf_on_a_full_disk(tmp_path):
    target = tmp_path / "a.nc"
    result = subprocess.run([sys.executable, "-c", FULL, str(target)], capture_output=True, text=True)
    assert str(target) in result.stdout and "disk is full" in result.stdout, result.stderr
    assert result.stdout.count("\n") == 1 and names(tmp_path) == []


def test_a_file_that_is_not_the_one_its_manifest_describes_is_stale(made):
    artifacts.write_text(made, "of a later run that was cut off before its manifest\n")
    assert not artifacts.is_fresh(made, INPUTS)


def test_require_names_the_step_that_is_missing(made):
    assert artifacts.require(made, "humanflows build") == made
    made.unlink()
    with pytest.raises(ArtifactError, match="run humanflows build first") as caught:
        artifacts.require(made, "humanflows build")
    assert caught.value.file == str(made)
