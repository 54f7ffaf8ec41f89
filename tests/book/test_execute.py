"""Notebooks run in order, once, and again only when something that they depend on changed."""
import nbformat
import pytest

from humanflows import artifacts, book, paths
from humanflows.config import load_config
from humanflows.errors import ArtifactError, ConfigError

from .conftest import write_notebook


def printed(file):
    return "".join(o.text for c in nbformat.read(file, 4).cells if c.cell_type == "code" for o in c.outputs)


def runs(monkeypatch):
    """Count executions while still executing."""
    names, real = [], book._execute
    monkeypatch.setattr(book, "_execute", lambda source, *rest: (names.append(source.name), real(source, *rest)))
    return names


def test_runs_in_order_and_records_what_made_it(project, monkeypatch):
    names = runs(monkeypatch)
    done = book.execute_notebooks("world")
    assert names == ["00_first.ipynb", "01_second.ipynb"] == [f.name for f in done]
    assert printed(done[0]) == "world 1\n"
    manifest = artifacts.read_manifest(done[0])
    assert manifest["profile"] == "world" and manifest["device"] in {"cpu", "cuda"} and manifest["seconds"] > 0
    assert manifest["parameters"] == {"profile": "world", "seed": 1}
    assert set(manifest["inputs"]) == {"notebook", "code", "config", "parameters", "data", "requirements"}
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


@pytest.mark.parametrize("what", ["config", "data", "requirements", "parameters", "code"])
def test_every_input_makes_a_notebook_stale(project, monkeypatch, what):
    notebook = paths.NOTEBOOKS / "00_first.ipynb"

    def inputs(**given):
        config = load_config("twin")
        return book.notebook_inputs(notebook, config, book.notebook_parameters(notebook, config, given))

    before, given = inputs(), {}
    if what == "config":
        with open(paths.CONFIG / "twin.yaml", "a", encoding="utf-8") as file:
            file.write("last_year: 1999\n")
    elif what == "data":
        (paths.DATA / "corrections.csv").write_text("source,key,old,new,reason\n")
    elif what == "requirements":
        (paths.ROOT / "requirements.txt").write_text("numpy==0\n")
    elif what == "parameters":
        given = {"seed": 2}
    else:
        monkeypatch.setattr(artifacts, "code_digest", lambda *modules: "other")
    after = inputs(**given)
    assert {k for k in before if before[k] != after[k]} == {what}


def test_figures_and_outputs_do_not_make_a_notebook_stale(project):
    notebook, config = paths.NOTEBOOKS / "00_first.ipynb", load_config("twin")
    before = book.notebook_inputs(notebook, config, {})
    (paths.RELEASE / "figures" / "title.png").write_bytes(b"x")
    read = nbformat.read(notebook, 4)
    read.cells[-1].outputs = [nbformat.v4.new_output("stream", text="old")]
    nbformat.write(read, notebook)
    assert book.notebook_inputs(notebook, config, {}) == before


def test_code_of_the_book_itself_is_no_input(project, monkeypatch):
    asked = []
    monkeypatch.setattr(artifacts, "code_digest", lambda *modules: asked.extend(modules))
    book.notebook_inputs(paths.NOTEBOOKS / "00_first.ipynb", load_config("twin"), {})
    assert {"config.py", "model", "sources"} <= set(asked)
    assert not {"book.py", "cli.py", "__pycache__"} & set(asked)


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
    with pytest.raises(ConfigError, match=r"unknown notebook parameter 'sed'.*did you mean 'seed'"):
        book.execute_notebooks(parameters={"sed": 3})
    assert names == []


@pytest.mark.parametrize(("cell", "match"), [
    ('profile = "twin"\nepohcs = 3', "parameter 'epohcs' is no key"),
    ('profile = "twin"\ntrain = {}', "parameter 'train' is no key"),
    ("seed = 1", "does not declare 'profile'"),
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
