"""The pages in the staged book: below their chapter, in the order of names, marked as real."""
import pytest
import yaml

from humanflows import book, countries, paths
from humanflows.book import staging


@pytest.fixture
def staged(pages, release, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "COUNTRIES", pages)
    monkeypatch.setattr(paths, "RELEASE", release)
    asked = []
    monkeypatch.setattr(countries, "build_countries", lambda: asked.append(1))
    (tmp_path / "book").mkdir()
    staging.stage_countries(tmp_path)
    assert asked
    return tmp_path


def test_pages_and_their_files_are_staged(staged, pages):
    there = {f.name for f in (staged / "book" / "countries").iterdir()}
    assert there == {f.name for f in pages.iterdir() if not f.name.endswith((".manifest.json", ".lock"))}
    toc = yaml.safe_load((staged / "_toc.yml").read_text(encoding="utf-8"))
    chapter = next(c for part in toc["parts"] for c in part["chapters"] if c["file"] == "book/countries")
    assert [s["file"].rpartition("/")[2] for s in chapter["sections"]] == ["COD", "DEU", "NLD", "SYR", "TUV"]
    assert sum("sections" in c for part in toc["parts"] for c in part["chapters"]) == 1


def test_a_page_is_marked_real_whatever_the_profile(staged, monkeypatch):
    page = staged / "book" / "countries" / "SYR.md"
    text = book.fill_page(page, book.load_facts() | {}, "twin")
    assert ":class: real" in text and ":class: simulated" not in text


def test_the_chapter_has_list_and_rule(staged):
    text = book.fill_page(paths.BOOK / "countries.md", book.load_facts(), "twin")
    assert "countries/TUV.html" in text and "A corridor-year's grade is the worst" in text and "generated:" not in text


def test_a_book_without_the_chapter_has_no_pages(tmp_path, monkeypatch):
    monkeypatch.setattr(staging, "toc_files", lambda: ["book/index"])
    staging.stage_countries(tmp_path)
    assert not list(tmp_path.iterdir())
