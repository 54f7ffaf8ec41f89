"""The chapter on needs: a sentence where the release has no tables, figures and tables where it has."""
import pytest

from humanflows import book, paths
from humanflows.errors import ArtifactError, ConfigError
from humanflows.results.needs_report import SECTIONS
from needs_tables import make_tables


@pytest.fixture
def released(project):
    for name, table in make_tables().items():
        table.to_csv(paths.RELEASE / f"{name}.csv", index=False)
    for which in ("map", "ranking", "check"):
        (paths.RELEASE / "figures" / f"needs_{which}.png").write_bytes(b"")
    return paths.RELEASE


def test_a_release_without_tables_says_what_to_run(project):
    assert "humanflows needs" in book.needs_part("countries")
    for name in SECTIONS:
        text = book.needs_part(name)
        assert text.startswith("*") and text.endswith("*\n") and text.count("\n") == 1


def test_figures_and_tables_are_written(released):
    text = book.needs_part("countries")
    assert "First is India" in text and text.count("{figure}") == 2 and "| rank | territory |" in text
    assert "````{dropdown} All arrivals, every territory" in text
    assert "figure-needs-check" in book.needs_part("check")


def test_a_missing_figure_is_named(released):
    (released / "figures" / "needs_map.png").unlink()
    with pytest.raises(ArtifactError, match=r"needs_map\.png.*release"):
        book.needs_part("countries")


def test_the_chapter_asks_for_every_section_and_types_no_result(project):
    text = (paths.BOOK.parent / "book" / "needs.md")
    text.write_text("# Needs\n\n<!-- generated: needs_of_nobody -->\n")
    with pytest.raises(ConfigError, match=r"needs_of_nobody.*needs_countries"):
        book.fill_page(text, {}, "twin")


def test_the_page_of_the_repository_asks_for_every_section():
    text = (paths.BOOK / "needs.md").read_text(encoding="utf-8")
    assert {f"needs_{s}" for s in SECTIONS} <= set(book.MARKER.findall(text))
    assert not [line for line in text.splitlines() if line.startswith("|")]
