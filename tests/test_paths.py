"""Folders that the environment names mean the same to every process, and those that are not there are refused."""
import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from humanflows import cli, paths
from humanflows.errors import ConfigError

SHOW = "from humanflows import paths; import os; print(paths.ROOT, paths.BUILD, os.environ.get('HUMANFLOWS_BUILD'))"
INSIDE = ("import os, subprocess, sys; from humanflows import paths; os.chdir('/');"
          f"subprocess.run([sys.executable, '-c', {SHOW!r}], check=True)")


def run(code, folder, **variables):
    here = {k: v for k, v in os.environ.items() if not k.startswith("HUMANFLOWS_")}
    package = str(paths.Path(paths.__file__).parents[1])
    return subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True,
                          env={**here, "PYTHONPATH": package, **variables})


@pytest.mark.parametrize("code", [SHOW, INSIDE], ids=["process", "process that it starts elsewhere"])
def test_relative_folders_are_those_of_the_command(tmp_path, code):
    (tmp_path / "project").mkdir()
    result = run(code, tmp_path / "project", HUMANFLOWS_ROOT=".", HUMANFLOWS_BUILD="../outA")
    root, build, passed_on = result.stdout.split()
    assert (root, build, passed_on) == (str(tmp_path / "project"), str(tmp_path / "outA"), str(tmp_path / "outA"))


def test_empty_names_are_none(tmp_path):
    result = run(SHOW, tmp_path, HUMANFLOWS_ROOT="", HUMANFLOWS_BUILD="")
    root, build = result.stdout.split()
    assert root == str(paths.Path(paths.__file__).resolve().parents[2]) and build == f"{root}/_build"


def test_a_mirror_that_is_named_and_not_there_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("HUMANFLOWS_MIRROR", str(tmp_path / "gone"))
    with pytest.raises(ConfigError) as caught:
        paths.mirror()
    assert caught.value.key == str(tmp_path / "gone")
    monkeypatch.setenv("HUMANFLOWS_MIRROR", str(tmp_path))
    assert paths.mirror() == tmp_path
    monkeypatch.setenv("HUMANFLOWS_MIRROR", "")
    assert paths.mirror() is None


def test_a_root_without_tables_and_a_build_folder_that_is_a_file_are_refused(tmp_path, monkeypatch):
    paths.check()
    (tmp_path / "file").write_text("")
    with monkeypatch.context() as patch:
        patch.setattr(paths, "BUILD", tmp_path / "file" / "below")
        with pytest.raises(ConfigError) as caught:
            paths.check()
        assert caught.value.file == "HUMANFLOWS_BUILD"
    monkeypatch.setattr(paths, "DATA", tmp_path / "data")
    with pytest.raises(ConfigError):
        paths.check()


@pytest.mark.parametrize("words", [("fetch",), ("report",), ("net", "FJI")])
def test_every_command_looks_at_its_folders_first(monkeypatch, tmp_path, words):
    monkeypatch.setenv("HUMANFLOWS_MIRROR", str(tmp_path / "gone"))
    result = CliRunner().invoke(cli.app, list(words))
    assert result.exit_code == 1 and "HUMANFLOWS_MIRROR" in result.output and isinstance(result.exception, SystemExit)
