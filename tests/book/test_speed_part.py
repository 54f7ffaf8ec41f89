"""The chapter on speed: from the benchmarks' files, with a figure where growth was measured."""
import json

import pytest

from humanflows import book, paths
from humanflows.errors import ConfigError
from humanflows.results.speed import MEASURED


@pytest.fixture
def measured(project, monkeypatch):
    folder = project / "benchmarks" / "results"
    folder.mkdir(parents=True)
    monkeypatch.setattr(paths, "MEASURED", folder)
    page = "".join(f"\n<!-- generated: speed_{section} -->\n" for section in MEASURED)
    (project / "book" / "index.md").write_text(f"# Speed\n{page}")
    (project / "_toc.yml").write_text("format: jb-book\nroot: book/index\n")
    return folder


def fitted(folder):
    fit = {"exponent": 1.0, "low": 0.9, "high": 1.1, "factor": 0.1}
    rows = {by: {"rows": [{by: k, "seconds_per_epoch": 0.1 * k, "gib_of_training": 0.01 * k, "peak_gib": 0.4 * k}
                          for k in (1, 2, 4)], "seconds": fit, "memory": fit}
            for by in ("territories", "years", "members")}
    about = {"machine": {"cpu": "x", "cores": 2, "busy_cores_before": None, "torch": "2"}, "code": "x", "workers": 2}
    (folder / "scaling.json").write_text(json.dumps({**about, **rows}))


def test_without_files_the_page_says_what_to_run(measured):
    page = (book.stage() / "book" / "index.md").read_text()
    assert all(command in page for _, command in MEASURED.values())
    assert "{figure}" not in page and not (paths.STAGE / "book" / "scaling.png").exists()


def test_growth_has_a_figure_beside_its_page(measured):
    fitted(measured)
    page = (book.stage() / "book" / "index.md").read_text()
    assert "```{figure} scaling.png" in page and "| years | 1–4 | 1.0 (0.90 to 1.1) |" in page
    assert (paths.STAGE / "book" / "scaling.png").stat().st_size > 10_000
    assert not (paths.BOOK / "scaling.png").exists(), "the book's own folder is left alone"


def test_the_page_of_the_repository_has_every_section_and_no_typed_result():
    text = (paths.BOOK / "speed.md").read_text(encoding="utf-8")
    assert [f"<!-- generated: speed_{s} -->" in text for s in MEASURED] == [True] * len(MEASURED)
    assert not [line for line in text.splitlines() if line.startswith("|")]


def test_an_unknown_section_is_refused(measured, project):
    (project / "book" / "index.md").write_text("# Speed\n\n<!-- generated: speed_of_light -->\n")
    with pytest.raises(ConfigError, match=r"speed_of_light.*speed_reference"):
        book.stage()
