"""Notebooks run in order, once, and again only when something that they depend on changed."""
import os
import subprocess
import sys

import nbformat
import pytest

from humanflows import artifacts, book, locks, paths, reads
from humanflows.book import execute
from humanflows.config import load_config
from humanflows.errors import ArtifactError, ConfigError, InputError

from .conftest import write_notebook


def printed(file):
    return "".join(o.text for c in nbformat.read(file, 4).cells if c.cell_type == "code" for o in c.outputs)


def runs(monkeypatch):
    """Count executions while still executing."""
    names, real = [], execute._execute
    monkeypatch.setattr(execute, "_execute", lambda source, *rest: (names.append(source.name), real(source, *rest)))
    return names


def test_runs_in_order_and_records_what_made_it(project, monkeypatch):
    names = runs(monkeypatch)
    done = book.execute_notebooks("world")
    assert names == ["00_first.ipynb", "01_second.ipynb"] == [f.name for f in done]
    assert printed(done[0]) == "world 1\n"
    manifest = artifacts.read_manifest(done[0])
    assert manifest["profile"] == "world" and manifest["device"] in {"cpu", "cuda"} and manifest["seconds"] > 0
    assert manifest["parameters"] == {"profile": "world", "seed": 1}
    assert set(manifest["inputs"]) == {"notebook", "parameters", "names", "requirements", "read"}
    assert manifest["sha256"] == artifacts.sha256(done[0])


def test_fresh_is_skipped_and_stale_is_run_again(project, monkeypatch):
    names = runs(monkeypatch)
    book.execute_notebooks()
    names.clear()
    book.execute_notebooks()
    assert names == []
    book.execute_notebooks(refresh=True, only=["01"])
    assert names == ["01_second.ipynb"]
    names.clear()
    write_notebook(paths.NOTEBOOKS, "01_second.ipynb", "print(43)")
    assert printed(book.execute_notebooks()[1]) == "43\n"
    assert names == ["01_second.ipynb"]


READS = """import pandas as pd
from humanflows import paths
print(pd.read_csv(paths.RELEASE / "scores.csv").shape, (paths.RELEASE / "manifest.json").stat().st_size > 0)
listed = (paths.RELEASE / "manifest.json").read_text()"""


@pytest.fixture
def reader(project, monkeypatch):
    """A notebook that reads a table and the manifest of the release, run once; and what is run from now on."""
    for name in ("scores.csv", "other.csv"):
        (paths.RELEASE / name).write_text("a,b\n1,2\n")
    write_notebook(paths.NOTEBOOKS, "00_first.ipynb", READS)
    book.execute_notebooks()
    return runs(monkeypatch)


def test_a_notebook_depends_on_the_files_that_it_read(reader):
    read = artifacts.read_manifest(paths.EXECUTED / "twin" / "00_first.ipynb")["inputs"]["read"]
    assert read["data/release/scores.csv"] == artifacts.sha256(paths.RELEASE / "scores.csv")
    assert {"data/release/manifest.json", "humanflows/paths.py", "humanflows/reads.py"} <= set(read)
    assert "data/release/other.csv" not in read and not any("_build" in k or k.startswith("/") for k in read)


@pytest.mark.parametrize("name", ["scores.csv", "manifest.json"])
def test_what_it_read_makes_a_notebook_stale_and_no_other(reader, name):
    (paths.RELEASE / name).write_text('{"profile": "world", "more": 1}')
    book.execute_notebooks()
    assert reader == ["00_first.ipynb"]


def test_what_it_did_not_read_makes_no_notebook_stale(reader):
    (paths.RELEASE / "other.csv").write_text("a,b\n3,4\n")
    (paths.RELEASE / "figures" / "title.png").write_bytes(b"x")
    (paths.CONFIG / "world.yaml").write_text("last_year: 2020\n")
    book.execute_notebooks()
    assert reader == []


def test_a_file_that_goes_or_comes_makes_notebooks_stale(reader):
    """It may have been looked for and not found."""
    (paths.RELEASE / "new.csv").write_text("a\n")
    book.execute_notebooks()
    assert reader == ["00_first.ipynb", "01_second.ipynb"]
    reader.clear()
    (paths.RELEASE / "scores.csv").unlink()
    with pytest.raises(ArtifactError, match="FileNotFoundError"):
        book.execute_notebooks(only=["00"])


def test_a_file_that_changes_while_a_notebook_runs_leaves_it_stale(project, monkeypatch):
    (paths.RELEASE / "scores.csv").write_text("a,b\n1,2\n")
    changes = 'm = (paths.RELEASE / "scores.csv").write_text("a\\n1\\n")'
    write_notebook(paths.NOTEBOOKS, "00_first.ipynb", READS, changes)
    book.execute_notebooks(only=["00"])
    names = runs(monkeypatch)
    book.execute_notebooks(only=["00"])
    assert names == ["00_first.ipynb"]


def test_code_that_was_imported_makes_a_notebook_stale(reader, monkeypatch):
    real = reads.digest_of
    monkeypatch.setattr(reads, "digest_of", lambda f: "other" if f.name == "offline.py" else real(f))
    book.execute_notebooks()
    assert reader == []
    monkeypatch.setattr(reads, "digest_of", lambda f: "other" if f.name == "paths.py" else real(f))
    book.execute_notebooks()
    assert reader == ["00_first.ipynb"]


@pytest.mark.parametrize("what", ["requirements", "parameters"])
def test_every_other_input_makes_a_notebook_stale(project, what):
    notebook = paths.NOTEBOOKS / "00_first.ipynb"

    def inputs(**given):
        return book.notebook_inputs(notebook, book.notebook_parameters(notebook, load_config("twin"), given))

    before, given = inputs(), {}
    if what == "requirements":
        (paths.ROOT / "requirements.txt").write_text("numpy==0\n")
    else:
        given = {"seed": 2}
    after = inputs(**given)
    assert {k for k in before if before[k] != after[k]} == {what}


def test_outputs_do_not_make_a_notebook_stale(project):
    notebook = paths.NOTEBOOKS / "00_first.ipynb"
    before = book.notebook_inputs(notebook, {})
    read = nbformat.read(notebook, 4)
    read.cells[-1].outputs = [nbformat.v4.new_output("stream", text="old")]
    nbformat.write(read, notebook)
    assert book.notebook_inputs(notebook, {}) == before


def test_a_killed_kernel_names_notebook_and_cell_and_keeps_what_ran(project):
    good, = book.execute_notebooks(only=["01"])
    before = good.read_bytes()
    write_notebook(paths.NOTEBOOKS, "01_second.ipynb", "print('so far')", "import os\nos._exit(137)", "print('never')")
    with pytest.raises(ArtifactError, match="memory") as caught:
        book.execute_notebooks(only=["01"])
    assert caught.value.file.endswith("01_second.ipynb") and caught.value.key == "cell 4 of 5"
    assert "os._exit(137)" in str(caught.value)
    kept = good.with_name("01_second.failed.ipynb")
    assert str(kept) in str(caught.value) and printed(kept) == "so far\n"
    assert good.read_bytes() == before and not list(good.parent.glob(".01_second*"))


def test_one_build_a_folder(project):
    code = "from humanflows import book, paths; book.execute_notebooks()"
    here = {**os.environ, "HUMANFLOWS_ROOT": str(paths.ROOT), "HUMANFLOWS_BUILD": str(paths.BUILD)}

    def other():
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=here, timeout=300)

    with locks.alone_in(paths.BUILD):
        refused = other()
        with locks.alone_in(paths.BUILD):
            pass                                        # steps of one process nest
        assert other().returncode == 1                  # and the outer one still holds
    assert refused.returncode == 1 and str(paths.BUILD) in refused.stderr.splitlines()[-1]
    assert "ArtifactError" in refused.stderr and not paths.EXECUTED.exists()
    assert other().returncode == 0


def test_failure_names_the_cell_and_keeps_the_earlier_version(project):
    good, = book.execute_notebooks(only=["01"])
    before = good.read_bytes()
    write_notebook(paths.NOTEBOOKS, "01_second.ipynb", "a = 1", "raise RuntimeError('the well is dry')")
    with pytest.raises(ArtifactError) as caught:
        book.execute_notebooks(only=["01"])
    text = str(caught.value)
    assert "01_second.ipynb" in text and "RuntimeError: the well is dry" in text and "[cell 4 of 4]" in text
    assert "raise RuntimeError" in text and "\x1b" not in text
    assert good.read_bytes() == before
    assert good.with_name("01_second.failed.ipynb").is_file()
    assert not list(good.parent.glob(".01_second*"))


def test_failed_run_is_not_fresh_afterwards(project, monkeypatch):
    write_notebook(paths.NOTEBOOKS, "00_first.ipynb", "1 / 0")
    for _ in range(2):
        with pytest.raises(ArtifactError, match="ZeroDivisionError"):
            book.execute_notebooks(only=["00"])
    write_notebook(paths.NOTEBOOKS, "00_first.ipynb", "print('well')")
    done, = book.execute_notebooks(only=["00"])
    assert printed(done) == "well\n" and not done.with_name("00_first.failed.ipynb").exists()


def test_unknown_parameter_is_an_error_before_anything_runs(project, monkeypatch):
    names = runs(monkeypatch)
    with pytest.raises(ConfigError, match="did you mean 'seed'") as caught:
        book.execute_notebooks(parameters={"sed": 3})
    assert names == [] and caught.value.key == "sed"


CHOICES = 'profile = "twin"\nseed = 1\nterritory = None\nyear = None\ncorridor = None'


def test_choices_reach_the_notebooks_that_declare_them_and_make_them_stale(project, monkeypatch):
    write_notebook(paths.NOTEBOOKS, "00_first.ipynb", "print(territory, year, corridor)", parameters=CHOICES)
    first, second = book.execute_notebooks()
    assert printed(first) == "None None None\n"
    names = runs(monkeypatch)
    asked = {"territory": "colombia", "year": 2010, "corridor": "ven-col"}
    first, second = book.execute_notebooks(parameters=asked)
    assert names == ["00_first.ipynb"] and printed(first) == "COL 2010 VEN-COL\n"
    assert "territory" not in artifacts.read_manifest(second)["parameters"]
    book.execute_notebooks(parameters=asked)
    assert names == ["00_first.ipynb"]
    assert printed(book.execute_notebooks()[0]) == "None None None\n"
    with pytest.raises(ConfigError) as caught:
        book.execute_notebooks(only=["01"], parameters=asked)
    assert caught.value.key == "territory"


@pytest.mark.parametrize(("given", "key"), [
    ({"territory": "Atlantis"}, None), ({"territory": False}, "territory"), ({"year": 1789}, "year"),
    ({"year": "2010"}, "year"), ({"year": True}, "year"), ({"corridor": "VEN"}, "VEN"),
    ({"corridor": "VEN-VEN"}, "corridor"), ({"corridor": "VEN-XYZ"}, None), ({"seed": "one"}, "seed"),
    ({"profile": "mars"}, None)])
def test_a_value_that_cannot_be_is_refused_before_anything_runs(project, monkeypatch, given, key):
    write_notebook(paths.NOTEBOOKS, "00_first.ipynb", parameters=CHOICES)
    names = runs(monkeypatch)
    with pytest.raises(InputError) as caught:
        book.execute_notebooks(parameters=given)
    assert names == [] and (key is None or caught.value.key == key)


@pytest.mark.parametrize(("cell", "match"), [
    ('profile = "twin"\nepohcs = 3', "parameter 'epohcs' is no key"),
    ('profile = "twin"\ntrain = {}', "parameter 'train' is no key"),
    ("seed = 1", "does not declare 'profile'"),
    ('profile = "twin"\nterritory = "COL"', "'territory' has the default 'COL'"),
    ('import os\nprofile = "twin"', "may only hold lines like"),
    ("profile = str(1)", "may only hold lines like"),
])
def test_bad_parameters_cell(project, cell, match):
    write_notebook(paths.NOTEBOOKS, "00_first.ipynb", parameters=cell)
    with pytest.raises(ConfigError, match=match):
        book.execute_notebooks(only=["00"])


def test_no_parameters_cell(project):
    nbformat.write(nbformat.v4.new_notebook(), paths.NOTEBOOKS / "00_first.ipynb")
    with pytest.raises(ConfigError, match="0 cells are tagged"):
        book.declared_parameters(paths.NOTEBOOKS / "00_first.ipynb")


def test_unknown_notebook(project):
    with pytest.raises(ConfigError, match=r"no notebook's name begins with '07'.*00_first"):
        book.execute_notebooks(only=["07"])


def test_a_notebook_about_the_twin_stays_simulated_under_every_profile(project):
    write_notebook(paths.NOTEBOOKS, "01_second.ipynb", "print(profile)", tags=("parameters", book.TWIN_ONLY))
    first, second = book.execute_notebooks("world")
    assert printed(first) == "world 1\n" and printed(second) == "twin\n"
    assert [artifacts.read_manifest(f)["profile"] for f in (first, second)] == ["world", "twin"]


def test_only_the_papers_figures_are_of_the_release():
    assert [f.stem for f in book.notebooks() if book.is_of_the_release(f)] == ["09_paper_figures"]


def test_lessons_the_recovery_and_scenarios_are_about_the_twin():
    about = {f.stem for f in book.notebooks() if book.is_about_the_twin(f)}
    assert about == {f.stem for f in book.notebooks() if "_lesson_" in f.stem} | {
        "06_recover_truth", "07_reconstruct_from_stocks", "14_ask_what_if"}
