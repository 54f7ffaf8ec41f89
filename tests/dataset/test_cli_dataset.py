"""The commands: answers as table, CSV and JSON; bad input in one line with exit status 2; quick and small."""
import csv
import io
import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from humanflows.cli_dataset import app
from humanflows.dataset import open_estimates


@pytest.fixture
def ask(release_folder):
    def run(*words, data=release_folder):
        return CliRunner().invoke(app, [*map(str, words), *(["--data", str(data)] if data else [])])

    return run


def test_three_formats_of_one_answer(ask, release_folder):
    estimates = open_estimates(release_folder)
    o, d, year = *estimates.codes[:2], estimates.years[4]
    expected = estimates.flow(o, d, year).iloc[0]
    answer = json.loads(ask("flow", o, d, "--year", year, "--format", "json").stdout)
    assert len(answer) == 1 and list(answer[0]) == list(expected.index)
    assert answer[0]["flow"] == pytest.approx(expected.flow) and answer[0]["grade"] == expected.grade
    row = next(csv.DictReader(io.StringIO(ask("flow", o, d, "-y", year, "-f", "csv").stdout)))
    assert float(row["flow"]) == answer[0]["flow"] and row["sources"] == expected.sources
    lines = ask("flow", o, d, "--year", year).stdout.splitlines()
    assert len(lines) == 2 and lines[0].split()[:4] == ["year", "origin", "destination", "flow"]
    assert lines[1].split()[:3] == [str(year), o, d]


@pytest.mark.parametrize("words", [("top", "inflow", "{a}", "--year", "1995", "-n", "3"), ("net", "{a}"),
                                   ("net", "{a}", "{b}"), ("total", "{a}", "{b}", "-y", "1995"),
                                   ("stock", "--birthplace", "{a}", "--year", "1999"),
                                   ("by-birthplace", "--origin", "{a}", "--destination", "{b}", "--years", "1995-1997"),
                                   ("flow", "{a}", "{b}")])
def test_every_command_answers(ask, release_folder, words):
    a, b = open_estimates(release_folder).codes[:2]
    result = ask(*(w.format(a=a, b=b) for w in words), "-f", "json")
    assert result.exit_code == 0 and len(json.loads(result.stdout)) > 0, result.output


@pytest.mark.parametrize(("words", "says"), [
    (("flow", "{a}", "Atlantis"), "Atlantis"), (("flow", "{a}", "{b}", "--year", "1066"), "outside the estimates"),
    (("flow", "{a}", "{b}", "--years", "1999-1995"), "ends before it begins"),
    (("flow", "{a}", "{b}", "--year", "soon"), "neither a year nor a range"), (("flow", "{a}", "{a}"), "both"),
    (("top", "inflow", "{a}", "--year", "1995-1996"), "one year"), (("top", "upflow", "{a}", "--year", "1995"), "side"),
    (("net", ""), "no territory"), (("net", "{a}", "{a}"), "both"),
    (("total", "{a}", "Atlantis"), "Atlantis"), (("net", "Saint"), "no territory"), (("net", "Kosovo"), "ISO 3166"),
    (("stock",), "neither a birthplace"), (("by-birthplace",), "no territory is given")])
def test_bad_input_is_one_line_and_status_2(ask, release_folder, words, says):
    a, b = open_estimates(release_folder).codes[:2]
    result = ask(*(w.format(a=a, b=b) for w in words))
    assert result.exit_code == 2 and not result.stdout
    assert len(result.stderr.splitlines()) == 1 and says in result.stderr and "Traceback" not in result.stderr


def test_the_wrong_version_and_no_release_are_one_line(ask, release_folder, tmp_path):
    import shutil

    copy = shutil.copytree(release_folder, tmp_path / "copy")
    (copy / "flows.nc").write_bytes(b"another")
    (tmp_path / "flows.nc").write_bytes(b"another")
    for folder, says in ((copy, "not the version"), (tmp_path, "no release"), (tmp_path / "flows.nc", "no release")):
        result = ask("net", "DEU", data=folder)
        assert result.exit_code == 2 and len(result.stderr.splitlines()) == 1 and says in result.stderr


def test_two_territories_say_what_their_interval_assumes(ask, release_folder, bare_folder):
    estimates = open_estimates(release_folder)
    a, b = estimates.codes[:2]
    for command in ("net", "total"):
        table = getattr(estimates, command)(a, b)
        result = ask(command, a, b, "-f", "csv")
        rows = list(csv.DictReader(io.StringIO(result.stdout)))
        assert list(rows[0]) == list(table) and len(rows) == len(table)
        assert [float(r[table.columns[-1]]) for r in rows] == pytest.approx(table.iloc[:, -1].tolist(), rel=1e-9)
        assert table.attrs["interval"] in result.stderr and len(result.stderr.splitlines()) == 1
        assert not ask(command, a, b, data=bare_folder).stderr
    assert not ask("net", a).stderr
    assert ask("net", a, "1995").stdout == ask("net", a, "--year", "1995").stdout


def test_package_is_written_once(ask, bare_folder, tmp_path):
    result = ask("package", "--output", tmp_path / "out", data=bare_folder)
    assert result.exit_code == 0 and (tmp_path / "out" / "datapackage.json").is_file(), result.output
    again = ask("package", "--output", tmp_path / "out", data=bare_folder)
    assert again.exit_code == 2 and "not empty" in again.stderr
    (tmp_path / "file").write_text("")
    below = ask("package", "--output", tmp_path / "file" / "out", data=bare_folder)
    assert below.exit_code == 2 and len(below.stderr.splitlines()) == 1


def test_an_answer_needs_neither_torch_nor_xarray_nor_pandas_and_little_memory(release_folder):
    a, b = open_estimates(release_folder).codes[:2]
    code = f"""
import sys
from pathlib import Path
from humanflows.cli_dataset import app
app(["flow", {a!r}, {b!r}, "--data", {str(release_folder)!r}], standalone_mode=False)
heavy = {{"torch", "xarray", "pandas", "scipy", "dask", "pyarrow"}} & set(sys.modules)
assert not heavy, heavy
status = Path("/proc/self/status")      # getrusage would tell the peak of the process that started this one
peak = [int(x.split()[1]) for x in status.read_text().splitlines() if x.startswith("VmHWM")] if status.exists() else []
assert all(kilobytes < 200 * 1024 for kilobytes in peak), peak
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and done.stdout.startswith("year"), done.stderr


def test_a_closed_pipe_is_no_error(release_folder):
    a = open_estimates(release_folder).codes[0]
    command = f"from humanflows.cli_dataset import app; app(['by-birthplace', '--origin', '{a}', '--data', " \
              f"'{release_folder}', '-f', 'csv'])"
    asked = subprocess.Popen([sys.executable, "-c", command], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    asked.stdout.close()
    error = asked.stderr.read()
    asked.wait(timeout=120)
    assert b"Traceback" not in error and b"BrokenPipe" not in error
