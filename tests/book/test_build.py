"""The real Jupyter Book on a small project: no warnings, nothing loaded from the network, readable mathematics."""
import json
import shutil
import subprocess

import pytest

from humanflows import artifacts, book, paths
from humanflows.book import build
from humanflows.errors import ArtifactError
from humanflows.offline import dead_links, external_requests
from whole_release import list_files, write_whole_release

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def count_builds(monkeypatch, instead=None):
    """Times that Sphinx is run; it is replaced where something else is given."""
    times, real = [], instead or build._build
    monkeypatch.setattr(build, "_build", lambda source: (times.append(source), real(source)))
    return times


@pytest.fixture
def staged(project, monkeypatch):
    """Staging and Sphinx stand-ins: a page, and html made of it; and how often it is made."""
    def stage(profile, refresh):
        shutil.rmtree(paths.STAGE, ignore_errors=True)
        shutil.copytree(paths.BOOK, paths.STAGE)
        return paths.STAGE

    def html(source):
        paths.HTML.mkdir(parents=True, exist_ok=True)
        (paths.HTML / "index.html").write_text((source / "index.md").read_text())

    monkeypatch.setattr(build, "stage", stage)
    return count_builds(monkeypatch, html)


def test_html_of_the_same_pages_is_kept(staged):
    for _ in range(2):
        assert book.build_html() == paths.HTML / "index.html"
    assert len(staged) == 1
    book.build_html(refresh=True)
    assert len(staged) == 2


@pytest.mark.parametrize("what", ["page", "new page", "html", "more html", "record", "packages", "code"])
def test_whatever_the_html_is_made_of_makes_it_anew(staged, monkeypatch, what):
    book.build_html()
    record = paths.BUILD / "html.json"
    if what == "page":
        (paths.BOOK / "index.md").write_text("# Other\n")
    elif what == "new page":
        (paths.BOOK / "more.md").write_text("# More\n")
    elif what == "html":
        (paths.HTML / "index.html").write_text("by hand")
    elif what == "more html":
        (paths.HTML / "more.html").write_text("by hand")
    elif what == "record":
        record.write_text(record.read_text()[:30])
    elif what == "packages":
        monkeypatch.setattr(build, "machine", lambda: {"packages": "others"})
    else:
        monkeypatch.setattr(artifacts, "code_digest", lambda *modules: "other")
    book.build_html()
    assert len(staged) == 2
    book.build_html()
    assert len(staged) == 2


def test_a_build_that_fails_is_not_taken_for_built(staged, monkeypatch):
    book.build_html()
    (paths.BOOK / "index.md").write_text("# Other\n")

    def fail(source):
        raise ArtifactError(source, "no", "none")

    with monkeypatch.context() as patch:
        patch.setattr(build, "_build", fail)
        for _ in range(2):
            with pytest.raises(ArtifactError):
                book.build_html()
    book.build_html()
    assert len(staged) == 2


@pytest.mark.slow
def test_book_builds_once_and_a_warning_keeps_the_earlier_one(project, monkeypatch):
    answer = json.loads((paths.RELEASE / "facts.json").read_text())
    facts = json.loads((write_whole_release(paths.RELEASE) / "facts.json").read_text())
    with pytest.raises(ArtifactError, match=r"facts\.json"):
        (paths.RELEASE / "facts.json").write_text(json.dumps(facts | answer))
        book.build_book("twin")
    assert not paths.EXECUTED.exists() and not paths.HTML.exists()
    list_files(paths.RELEASE)
    first = book.build_book("twin")
    page = (paths.HTML / "book" / "index.html").read_text()
    assert first == paths.HTML / "index.html" and "231 territories forty-two answered" in page
    notebook = (paths.HTML / "notebooks" / "00_first.html").read_text()
    assert "Simulated twin" in notebook and "twin 1" in notebook
    assert external_requests(paths.HTML) == []
    assert (paths.HTML / "mathjax" / "tex-mml-chtml.js").is_file()
    assert '../_static/../mathjax/tex-mml-chtml.js' in page

    built = count_builds(monkeypatch)
    assert book.build_book("twin") == first and built == []
    (paths.HTML / "book" / "made.html").unlink()
    book.build_html("twin")
    assert len(built) == 1 and (paths.HTML / "book" / "made.html").is_file()

    (paths.BOOK / "index.md").write_text("# Start\n\nSee {ref}`nowhere`.\n")
    for _ in range(2):
        with pytest.raises(ArtifactError, match="nowhere"):
            book.build_html("twin")
    assert (paths.HTML / "book" / "index.html").read_text() == page

    (paths.BOOK / "index.md").write_text('# Start\n\n<a href="nowhere.html">a page</a>\n')
    with pytest.raises(ArtifactError, match=r"nowhere:\nbook/index.html: <a href> nowhere.html: no such file"):
        book.build_html("twin")

    (paths.BOOK / "index.md").write_text('# Start\n\n<img src="https://example.org/spy.png" alt="spy">\n')
    with pytest.raises(ArtifactError, match=r"pages load from the network:\nbook/index.html: <img src"):
        book.build_html("twin")
    assert (paths.HTML / "book" / "index.html").read_text() == page


@pytest.mark.parametrize("text", [
    '<script src="https://cdn.example/x.js"></script>', '<link rel="stylesheet" href="//cdn.example/x.css">',
    '<img srcset="https://a.example/1.png 1x">', '<div style="background: url(\'https://a.example/b.png\')">',
    "<style>@import 'https://fonts.example/f.css';</style>", '<script>load("https://unpkg.com/x/index.js")</script>',
    '<iframe src="http://a.example/">', '<link rel="preload" href="https://a.example/f.woff2">',
])
def test_requests_are_found(tmp_path, text):
    (tmp_path / "page.html").write_text(f"<html><body>{text}</body></html>")
    assert len(external_requests(tmp_path)) == 1


def test_links_are_no_requests(tmp_path):
    (tmp_path / "page.html").write_text(
        '<a href="https://example.org/x.js">x</a><link rel="canonical" href="https://example.org/">'
        '<img src="data:image/png;base64,AAAA"><img src="_images/a.png"><svg xmlns="http://www.w3.org/2000/svg"/>'
        '<script type="application/json">{"license": "https://creativecommons.org/licenses/by/4.0/"}</script>')
    (tmp_path / "a.css").write_text("a { background: url(data:image/svg+xml;base64,AAAA) } b { src: url(f.woff) }")
    assert external_requests(tmp_path) == []


def test_style_sheets_are_searched(tmp_path):
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "a.css").write_text("@font-face { src: url(https://fonts.example/f.woff2) }")
    assert external_requests(tmp_path) == ["_static/a.css: https://fonts.example/f.woff2"]


def test_dead_links_are_found_and_living_ones_are_not(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b c.html").write_text('<p id="here">b</p><a href="../a.html#top">a</a>')
    (tmp_path / "picture.png").write_bytes(b"")
    (tmp_path / "a.html").write_text(
        '<a name="top" href="sub/b%20c.html#here">b</a><a href="#top">top</a><a href="#">up</a><img src="picture.png">'
        '<a href="https://example.org/none.html">out</a><a href="mailto:a@b.c">mail</a><a href="sub/">folder</a>')
    assert dead_links(tmp_path) == []
    (tmp_path / "c.html").write_text('<a href="d.html">d</a><img src="none.png"><a href="sub/b%20c.html#there">x</a>')
    assert dead_links(tmp_path) == [
        "c.html: <a href> d.html: no such file",
        "c.html: <a href> sub/b%20c.html#there: no such place in the page",
        "c.html: <img src> none.png: no such file"]


def built():
    if not (paths.HTML / "index.html").is_file():
        pytest.skip("the book of this checkout is not built: make test builds it first")
    return paths.HTML


def test_built_book_loads_nothing_from_the_network():
    assert external_requests(built()) == []


def test_built_book_has_every_page_of_the_table_of_contents():
    html = built()
    for name in book.notebooks():
        assert (html / "notebooks" / f"{name.stem}.html").is_file()
    for page in paths.BOOK.glob("*.md"):
        text = (html / "book" / f"{page.stem}.html").read_text(encoding="utf-8")
        assert "{{" not in text.split("<article")[1].split("</article>")[0] and "<!-- generated" not in text


def test_mathematics_is_drawn_without_a_network(tmp_path):
    page = built() / "book" / "methods.html"
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("no browser on this machine (looked for " + ", ".join(BROWSERS) + ")")
    command = [browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
               "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={tmp_path}", "--virtual-time-budget=10000",
               "--dump-dom", page.as_uri()]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.stdout.count("<mjx-container") > 20, result.stderr[-2000:]
    assert "<mjx-merror" not in result.stdout and "$$" not in result.stdout.split("<article")[1].split("</article>")[0]
