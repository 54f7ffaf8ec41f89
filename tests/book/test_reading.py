"""The built book in a browser: no page keeps out who sees little or uses no mouse, none is wider than a telephone."""
import re

import pytest
import yaml

from humanflows import book, paths

WIDTH, HEIGHT = 1280, 900
PHONE = {"width": 390, "height": 800}
SOME_COUNTRIES = ("COL", "DEU", "TUV")      # one template makes them all: much reported, little, and hardly anybody
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}}


def pages():
    """Every page of the table of contents, and some of the country pages."""
    toc = yaml.safe_load((paths.ROOT / "_toc.yml").read_text(encoding="utf-8"))
    chapters = [toc["root"], *(c["file"] for part in toc["parts"] for c in part["chapters"])]
    return [*chapters, *(f"book/countries/{c}" for c in SOME_COUNTRIES)]


@pytest.fixture(scope="module", params=pages())
def page(request, browser):
    file = paths.HTML / f"{request.param}.html"
    if not (paths.HTML / "index.html").is_file():
        pytest.skip("the book of this checkout is not built: make test builds it first")
    opened = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
    opened.goto(file.as_uri())
    yield opened
    opened.close()


def test_a_page_is_accessible_and_fits_a_telephone(page):
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options=RULES).response["violations"]
    serious = [f"{v['id']} ({v['impact']}): {len(v['nodes'])} times, first {v['nodes'][0]['html'][:200]}"
               for v in found if v["impact"] in ("serious", "critical")]
    assert not serious, "\n".join(serious)
    assert page.title() and page.locator("h1:visible").count() == 1     # the theme has another one for print
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_pictures_have_words_and_tables_heads(page):
    """Axe takes a file's name for a text; a reader of screens hears it letter by letter."""
    texts = page.evaluate("[...document.images].map(n => n.getAttribute('alt'))")
    # one word with a full stop or a stroke is the name of a file
    mute = [t for t in texts if re.fullmatch(r"\s*|\S*[./]\S*|output|image|figure|picture", t or "")]
    empty = page.evaluate("""[...document.querySelectorAll('th')].filter(n => !n.textContent.trim())
        .map(n => n.closest('table').outerHTML.slice(0, 300))""")
    assert not mute and not empty


def test_every_page_can_be_found(page):
    """From any page: its neighbours, the search, and the first page."""
    assert page.locator("a[href]").filter(has_text="The real world").count() >= 1
    assert page.locator("button.search-button__button, .search-button-field, form.bd-search").count() >= 1


def test_pages_of_the_table_of_contents_are_those_of_the_book():
    assert set(pages()) >= {f"notebooks/{f.stem}" for f in book.notebooks()}
