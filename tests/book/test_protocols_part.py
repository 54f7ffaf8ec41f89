"""The chapter of the protocols: a sentence where the release has none, tables and figures where it has."""
import json

import pytest

from humanflows import book, paths
from humanflows.errors import ArtifactError
from humanflows.results.protocol_report import SECTIONS
from humanflows.results.protocol_tables import compact_protocols, write_protocols


@pytest.fixture
def released(project, protocol_tables):
    write_protocols(paths.RELEASE, compact_protocols(protocol_tables))
    for which in ("differences", "five_years", "net_migration"):
        (paths.RELEASE / "figures" / f"protocol_{which}.png").write_bytes(b"")
    made = {"profile": "world", "protocols": {"of_this_release": True}}
    (paths.RELEASE / "manifest.json").write_text(json.dumps(made))
    return paths.RELEASE


def test_a_release_without_protocols_says_so_in_every_section(project):
    assert "made without the validation protocols" in book.protocols_part("overview")
    for name in SECTIONS:
        text = book.protocols_part(name)
        assert text.startswith("*") and text.endswith("*\n") and text.count("\n") == 1


def test_figures_tables_and_folded_tables_are_written(released):
    text = book.protocols_part("corridors")
    assert text.startswith("**All five folds. UN DESA flows, arrivals by residence, 1,234 cells")
    assert "\n\n| estimates | R |" in text
    assert "```{figure} ../data/release/figures/protocol_five_years.png" in text
    assert "`````{dropdown} All five folds: five-year sums\n**All five folds." in text
    assert "````{dropdown} All five folds: every set of cells\n| set |" in text
    assert "▲" in text and "▼" in text and "○" in text
    assert "figure-protocol-differences" in book.protocols_part("overview")


def test_what_was_not_run_has_a_sentence(released):
    assert "have not been run" in book.protocols_part("offices")


def test_protocols_of_another_version_are_called_so(released):
    assert "earlier version" not in book.protocols_part("overview")
    for made in ({"profile": "world"}, {"profile": "world", "protocols": {"of_this_release": False}}):
        (released / "manifest.json").write_text(json.dumps(made))
        assert "other settings, data or code" in book.protocols_part("overview")


def test_a_missing_figure_is_named(released):
    (released / "figures" / "protocol_differences.png").unlink()
    with pytest.raises(ArtifactError, match=r"protocol_differences\.png.*release"):
        book.protocols_part("overview")


def test_a_page_can_ask_for_every_section(released):
    page = paths.BOOK / "checked.md"
    page.write_text("# Checked\n\n" + "\n\n".join(f"<!-- generated: protocols_{s} -->" for s in SECTIONS))
    text = book.fill_page(page, {}, "twin")
    assert "generated" not in text and text.count("{figure}") == 3 and "✗" in text


def test_a_page_about_protocols_has_numbers_of_the_release(released):
    (paths.ROOT / "_toc.yml").write_text("format: jb-book\nroot: book/index\nchapters:\n  - file: book/checked\n")
    (paths.BOOK / "index.md").write_text("# Start\n\nNo numbers.\n")
    (paths.BOOK / "checked.md").write_text("# Checked\n\n<!-- generated: protocols_stocks -->\n")
    lines = book.numbers_part("world").splitlines()
    assert any("Checked" in line and "**real**" in line for line in lines)
    assert any("Start" in line and "no estimates" in line for line in lines)


def test_the_chapter_asks_for_every_section():
    text = (paths.BOOK / "validation.md").read_text(encoding="utf-8")
    assert {f"protocols_{s}" for s in SECTIONS} <= set(book.MARKER.findall(text))
