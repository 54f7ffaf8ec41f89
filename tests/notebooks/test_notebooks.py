"""The notebooks keep the form that makes them readable, runnable alone and free of anything from one machine.

That they run, and that their checked outputs are what a run gives, is tested by nbval (see the Makefile). What only
lessons have, exercises that can be checked, is tested in test_lessons.py.
"""
import ast
import re

import nbformat
import pytest
import yaml

from humanflows import paths
from humanflows.book import (
    CHOICES,
    OF_RELEASE,
    TWIN_ONLY,
    declared_parameters,
    is_about_the_twin,
    notebook_parameters,
)
from humanflows.config import PROFILES, load_config

NOTEBOOKS = sorted(paths.NOTEBOOKS.glob("*.ipynb"))
NAMES = ["00_tour_the_world", "01_harmonise_sources", "02_build_features", "03_train_member", "04_validate_estimates",
         "05_draw_estimates", "06_recover_truth", "07_reconstruct_from_stocks", "08_find_errors",
         "09_paper_figures",
         "10_lesson_accounting", "11_lesson_stocks_to_flows", "12_lesson_gravity", "13_lesson_uncertainty",
         "14_ask_what_if"]
# A folder of one machine: a home, a temporary folder, a drive. Rates such as births/deaths are none.
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:home|root|work|tmp|usr|mnt|opt|Users)/|\b[A-Z]:\\\\")
CHECKED, KEPT = "nbval-check-output", "keep_output"

TAGS = {"parameters", TWIN_ONLY, OF_RELEASE, "hide-input", CHECKED, KEPT, "full-width"}
LESSON_TAGS = TAGS | {"exercise", "check"}
ROWS = ("| Question |", "| Afterwards you can |", "| Needs |", "| Next |")

every = pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda f: f.stem)
chapter = pytest.mark.parametrize("file", [f for f in NOTEBOOKS if "_lesson_" not in f.stem], ids=lambda f: f.stem)
lesson = pytest.mark.parametrize("file", [f for f in NOTEBOOKS if "_lesson_" in f.stem], ids=lambda f: f.stem)


def cells(file, kind=None):
    found = nbformat.read(file, as_version=4).cells
    return [c for c in found if kind is None or c.cell_type == kind]


def tags(cell):
    return cell.metadata.get("tags", [])


def test_the_book_has_these_notebooks():
    assert [f.stem for f in NOTEBOOKS] == NAMES


@every
def test_is_valid_and_its_metadata_name_no_machine(file):
    notebook = nbformat.read(file, as_version=4)
    nbformat.validate(notebook)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"
    assert dict(notebook.metadata.language_info) == {"name": "python"}
    assert all(set(c.metadata) <= {"tags"} for c in notebook.cells)
    assert {t for c in notebook.cells for t in tags(c)} <= (LESSON_TAGS if "_lesson_" in file.stem else TAGS)
    assert len({c.id for c in notebook.cells}) == len(notebook.cells)


@every
def test_parameters_are_the_defaults_of_the_twin(file):
    default = yaml.safe_load((paths.CONFIG / "twin.yaml").read_text(encoding="utf-8"))
    declared = declared_parameters(file)
    assert {"profile", "seed"} <= set(declared) <= {"profile", "seed", *CHOICES}
    assert declared == {k: None if k in CHOICES else default[k] for k in declared}
    assert load_config(**{k: v for k, v in declared.items() if k not in CHOICES}) == load_config("twin")


def test_a_reader_may_choose_what_these_notebooks_show():
    chosen = {f.stem[:2]: set(declared_parameters(f)) - {"profile", "seed"} for f in NOTEBOOKS}
    assert {k: v for k, v in chosen.items() if v} == {
        "00": {"territory", "year"}, "05": {"territory", "year", "corridor"}, "08": {"corridor"},
        "09": {"year", "corridor"}, "14": {"corridor"}}


@every
def test_no_cell_writes_over_a_choice_that_it_does_not_read(file):
    chosen = set(declared_parameters(file)) & set(CHOICES)
    after = [c for c in cells(file, "code") if "parameters" not in tags(c)]
    for statement in (n for c in after for n in ast.walk(ast.parse(c.source)) if isinstance(n, ast.Assign)):
        names = [{n.id for n in ast.walk(part) if isinstance(n, ast.Name)} for part in
                 (ast.Tuple(statement.targets), statement.value)]
        assert names[0] & chosen <= names[1], ast.unparse(statement)


@every
def test_no_error_of_the_projects_files_is_published_as_a_result(file):
    """What stops a notebook stops the book. Only an error that a cell is about may be caught, by its own name."""
    caught = {ast.unparse(h.type) if h.type else "everything" for cell in cells(file, "code")
              for h in ast.walk(ast.parse(cell.source)) if isinstance(h, ast.ExceptHandler)}
    assert caught <= {"NegativeCountError"}
    assert not any("raises-exception" in tags(c) for c in cells(file))


@every
@pytest.mark.parametrize("profile", PROFILES)
def test_parameters_are_known_to_every_profile(file, profile):
    about = "twin" if is_about_the_twin(file) else profile
    assert notebook_parameters(file, load_config(profile))["profile"] == about


@every
def test_code_comes_in_few_short_cells(file):
    code = cells(file, "code")
    # Students go in smaller steps: of a lesson, only what they have to read is counted, no figures and no exercises.
    lesson, aside = "_lesson_" in file.stem, {"exercise", "check", "hide-input"}
    read = [c for c in code if not (lesson and aside & set(tags(c)))]
    assert 8 <= len(read) <= (16 if lesson else 15)
    for cell in code:
        assert cell.source.count("\n") < 12, cell.source
        assert max(map(len, cell.source.splitlines())) <= 120, cell.source
        ast.parse(cell.source)


@every
def test_code_names_no_folder_and_changes_no_import_path(file):
    for cell in cells(file, "code"):
        tree = ast.parse(cell.source)
        names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
        imported = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
        assert not names & {"Path", "open", "__file__"} and not imported & {"os", "sys", "pathlib"}, cell.source
    for cell in cells(file):
        assert not MACHINE_PATH.search(cell.source), cell.source


@every
def test_no_value_is_silenced_by_a_semicolon(file):
    assert not any(c.source.rstrip().endswith(";") for c in cells(file, "code"))


def opening_text_headings(file):
    prose = [c.source for c in cells(file, "markdown")]
    text = "\n".join(prose)
    return prose[0], text, re.findall(r"^## (.+)$", text, re.MULTILINE)


@chapter
def test_tells_what_it_is_for_sums_up_and_sets_exercises(file):
    opening, text, headings = opening_text_headings(file)
    assert opening.startswith("# ") and headings[0] == "Overview" and headings[-2:] == ["Summary", "Exercises"]
    assert all(row in text for row in ROWS)
    exercises = text.split("## Exercises")[1]
    tasks, hints = re.findall(r"^\*\*\d\.\*\*", exercises, re.MULTILINE), exercises.count(":::{dropdown} Hint")
    assert 3 <= len(tasks) <= 5 and len(tasks) == hints


@lesson
def test_a_lesson_says_how_long_it_takes_and_sums_up_last(file):
    opening, text, headings = opening_text_headings(file)
    assert opening.startswith("# ") and headings[0] == "Overview" and headings[-2:] == ["Exercises", "Summary"]
    assert all(row in text for row in (*ROWS, "| Time |"))


@every
def test_every_result_is_read_after_it_is_shown(file):
    """At most two code cells follow one another without prose between them, but for the opening."""
    kinds = [c.cell_type for c in cells(file)]
    start = next(k for k, c in enumerate(cells(file)) if "parameters" in tags(c)) + 2
    for k in range(start, len(kinds) - 2):
        assert "markdown" in kinds[k:k + 3]
    assert kinds[-1] == "markdown"


@every
def test_what_prose_glues_is_given_by_code(file):
    used = set(re.findall(r"\{glue:text\}`([^`:]+)", "\n".join(c.source for c in cells(file, "markdown"))))
    given = set(re.findall(r"glue\(\"(\w+)\"", "\n".join(c.source for c in cells(file, "code"))))
    assert used == given


@every
def test_only_checked_outputs_are_stored(file):
    code = cells(file, "code")
    checked = [c for c in code if CHECKED in tags(c)]
    assert checked and all(KEPT in tags(c) for c in checked)
    for position, cell in enumerate(code, start=1):
        if cell not in checked:
            assert cell.execution_count is None and not cell.outputs, cell.source
            continue
        # nbval refuses a stored output of a cell that was never run; the count is that of a run from the top
        assert cell.outputs and cell.execution_count == position, cell.source
        for output in cell.outputs:
            # text on stdout alone: progress goes to stderr, figures and errors differ between machines
            assert output.output_type == "stream" and output.name == "stdout", cell.source
            assert not MACHINE_PATH.search(output.text) and not re.search(r"\d\.\d{6,}", output.text), output.text
