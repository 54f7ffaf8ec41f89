"""The chapter on well-known flows: made from the list and the comparison, and built without the comparison, too."""
import shutil

import pandas as pd
import pytest

from humanflows import book, paths
from humanflows.errors import SchemaError
from humanflows.results.known_flows import COMPARED, FILE
from humanflows.results.known_report import SECTIONS

KNOWN = paths.KNOWN_FLOWS


@pytest.fixture
def chapter(project, monkeypatch):
    monkeypatch.setattr(paths, "KNOWN_FLOWS", shutil.copy(KNOWN, project / "data"))
    page = "".join(f"\n<!-- generated: known_{section} -->\n" for section in SECTIONS)
    (project / "book" / "index.md").write_text(f"# Known\n{page}")
    (project / "_toc.yml").write_text("format: jb-book\nroot: book/index\n")
    return project


def compare(factor=2.0):
    known = pd.read_csv(KNOWN, keep_default_na=False)
    table = known.reindex(columns=COMPARED).assign(
        in_panel=True, flow=known["persons"] * factor, flow_lower=1, flow_upper=1e7, inside=True, within=False,
        log_ratio=1.0)
    table.to_csv(paths.RELEASE / FILE, index=False)


def test_without_the_comparison_the_page_is_built_and_says_what_to_run(chapter):
    page = (book.stage() / "book" / "index.md").read_text()
    assert "scripts/compare_known.py" in page and "Kinds of figures" in page and "{figure}" not in page
    assert not (paths.STAGE / "book" / "known_flows.png").exists()


def test_the_comparison_has_tables_and_two_figures_beside_its_page(chapter):
    compare()
    page = (book.stage() / "book" / "index.md").read_text()
    assert page.count("{figure}") == 2 and "Poland to Germany, 2012" in page
    for which in ("known_flows", "known_flows_furthest"):
        assert (paths.STAGE / "book" / f"{which}.png").stat().st_size > 10_000
        assert not (paths.BOOK / f"{which}.png").exists(), "the book's own folder is left alone"


def test_a_damaged_comparison_is_refused(chapter):
    (paths.RELEASE / FILE).write_text("origin\nPOL\n")
    with pytest.raises(SchemaError, match=r"known_flows\.csv"):
        book.stage()


def test_the_page_of_the_repository_has_every_section_and_no_typed_result():
    text = (paths.BOOK / "known_flows.md").read_text(encoding="utf-8")
    assert all(f"<!-- generated: known_{s} -->" in text for s in SECTIONS)
    assert not [row for row in text.splitlines() if row.startswith("|")]
