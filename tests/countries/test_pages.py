"""Pages as their readers get them: numbers, links, escapes; with and without intervals."""
import html
import io
import json
import re
import zipfile
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from humanflows.countries import build_countries, page, read_index, render_index, sentences, tables
from humanflows.dataset import names
from humanflows.dataset.answers import Answers
from humanflows.dataset.tables import SMALLEST_OF_PAIRS

from .conftest import CODES, YEARS

FIGURE = re.compile(r"^```\{image\} (\S+)$", re.M)
DOWNLOAD = re.compile(r"\{download\}`[^<`]+<([^>]+)>`")


class Reader(HTMLParser):
    """Tables, links and tags of a page's HTML parts."""

    def __init__(self, text):
        super().__init__()
        self.tables, self.links, self.tags, self._cell = [], [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        given = dict(attrs)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("th", "td"):
            assert tag == "td" or given["scope"] in ("col", "row")
            self._cell = []
        elif tag == "a":
            self.links.append(given["href"])

    def handle_data(self, data):
        if self._cell is not None:
            self._cell.append(data)

    def handle_endtag(self, tag):
        if tag in ("th", "td"):
            self.tables[-1][-1].append("".join(self._cell))
            self._cell = None


def html_of(text):
    return "\n".join(re.findall(r"^```\{raw\} html\n(.*?)^```", text, re.M | re.S))


def read(folder, code):
    return (folder / f"{code}.md").read_text(encoding="utf-8")


def number(text):
    """A number as pages write it."""
    return float(text.replace(",", "").replace("\N{MINUS SIGN}", "-"))


def ends(text):
    return [number(x) for x in text.split(" to ")]


def test_every_territory_has_a_page(pages):
    assert {f.stem for f in pages.glob("*.md")} == set(CODES) == {r["code"] for r in read_index(pages)}
    for code in CODES:
        text = read(pages, code)
        assert re.findall(r"^# (.*)$", text, re.M) == [names.name(code)]
        assert "<!-- generated: release_banner -->" in text and len(FIGURE.findall(text)) == 4


@pytest.mark.parametrize("code", CODES)
def test_numbers_on_a_page_are_the_datasets(pages, estimates, code):
    years, *others = Reader(html_of(read(pages, code))).tables
    net = estimates.net(code).set_index("year")
    assert [int(row[0]) for row in years[1:]] == YEARS[::-1]
    for row in years[1:]:
        wanted = net.loc[int(row[0])]
        shown = [number(row[k]) for k in (1, 3, 5)]
        np.testing.assert_allclose(shown, wanted[["inflow", "outflow", "net_migration"]].astype(float), rtol=0.006,
                                   atol=0.6)
        np.testing.assert_allclose(ends(row[6]), wanted[["net_migration_lower", "net_migration_upper"]].astype(float),
                                   rtol=0.006, atol=0.6)
        np.testing.assert_allclose(ends(row[2]), np.array([0.8, 1.25]) * wanted.inflow, rtol=0.006, atol=0.6)
    for table, side in zip(others, ("inflow", "outflow")):
        top = estimates.top(side, code, YEARS[-1])
        assert [r[0] for r in table[1:]] == top.name.tolist() and [r[4] for r in table[1:]] == top.grade.tolist()
        np.testing.assert_allclose([number(r[1]) for r in table[1:]], top.flow, rtol=0.006, atol=0.6)
        np.testing.assert_allclose([ends(r[2]) for r in table[1:]], top[["flow_lower", "flow_upper"]], rtol=0.006,
                                   atol=0.6)
        assert [r[5] for r in table[1:]] == top.basis.tolist()


def test_the_opening_names_what_the_dataset_answers(release, estimates):
    country = tables.describe(Answers(release), "DEU")
    first, second, _ = sentences.headline(country)
    net = estimates.net("DEU", YEARS[-1]).iloc[0]
    said = [number(x) for x in re.findall(r"[+\u2212]?\d[\d,]*(?=\D)", first.replace("95%", "")) if x != str(YEARS[-1])]
    for value in (net.inflow, net.outflow, net.net_migration, net.net_migration_lower, net.net_migration_upper):
        assert any(abs(x - value) <= 0.006 * abs(value) + 0.6 for x in said), (value, first)
    top = estimates.top("inflow", "DEU", YEARS[-1], 1).iloc[0]
    assert f"{top['name']} with" in second and f"grade {top.grade}" in second


def test_no_number_is_typed():
    # what may stand in a template: the level of intervals, the day of stocks, a licence, and what Jinja indexes
    allowed = {"95", "1", "4.0", "0", "0.6rem"}
    for template in page.TEMPLATES.glob("*.jinja"):
        text = re.sub(r"\{%.*?%\}|\{\{.*?\}\}", "", template.read_text(encoding="utf-8"), flags=re.S)
        assert set(re.findall(r"\d[\d.,]*\d|\d", text)) <= allowed, template.name


def test_links_and_files_exist(pages):
    for code in CODES:
        text = read(pages, code)
        links = Reader(html_of(text)).links
        assert links and all((pages / link.replace(".html", ".md")).is_file() for link in links)
        for file in (*FIGURE.findall(text), *DOWNLOAD.findall(text)):
            assert (pages / file).is_file(), file
        assert len(DOWNLOAD.findall(text)) == 3 and "http" not in text and "&#95;" not in "".join(FIGURE.findall(text))


def test_every_figure_has_a_text_with_numbers(pages):
    for code in CODES:
        alts = re.findall(r"^:alt: (.*)$", read(pages, code), re.M)
        assert len(alts) == 4 and all(re.search(r"\d", json.loads(a)) for a in alts)


def test_downloads_hold_the_datasets_numbers(pages, estimates):
    with zipfile.ZipFile(pages / "DEU.csv.zip") as archive:
        assert archive.namelist() == ["DEU.csv"]
        table = pd.read_csv(io.BytesIO(archive.read("DEU.csv")))
    assert (table.flow < 10).any() and ((table.origin == "DEU") | (table.destination == "DEU")).all()
    for o, d in (("SYR", "DEU"), ("DEU", "NLD")):
        rows = table[(table.origin == o) & (table.destination == d)].reset_index(drop=True)
        wanted = estimates.flow(o, d)
        wanted = wanted[(wanted.flow > 0) | (wanted.sources != "")].reset_index(drop=True)
        assert rows.year.tolist() == wanted.year.tolist() and rows.grade.tolist() == wanted.grade.tolist()
        np.testing.assert_allclose(rows[["flow", "lower", "upper"]], wanted[["flow", "flow_lower", "flow_upper"]],
                                   rtol=1e-6)
    pairs = pd.read_csv(pages / "DEU_pairs.csv.zip")
    assert set(pairs.territory) == {"DEU"} and (pairs[["inflow", "outflow"]].max(axis=1) >= SMALLEST_OF_PAIRS).all()
    own = pairs[pairs.other == "SYR"].set_index("year")
    for answer in (estimates.net("DEU", "SYR"), estimates.total("DEU", "SYR")):
        expected = answer.set_index("year").loc[own.index]
        np.testing.assert_allclose(own[list(expected)[2:]], expected[list(expected)[2:]])
    content = json.loads((pages / "DEU.json").read_text(encoding="utf-8"))
    np.testing.assert_allclose(content["totals"]["arrivals"], estimates.net("DEU").inflow, atol=0.06)
    assert content["version"] == "1.2.3" and content["licence"] == "CC BY 4.0"
    assert content["grade_of_half_or_better"] in "ABCDE"


def test_a_hostile_name_is_text(release, tmp_path, monkeypatch):
    name = "<script>alert(1)</script> {{ answer }} [x](y) $a_b$ `c` \"d\" & {raw}"
    known = names.name
    monkeypatch.setattr(names, "name", lambda c: name if c == "SYR" else known(c))
    folder = build_countries(tmp_path, release, only=["SYR", "DEU"], workers=1).folder
    for code in ("SYR", "DEU"):
        text = read(folder, code)
        text = "\n".join(line for line in text.splitlines() if not line.startswith((":alt:", "    description:")))
        assert "<script" not in text and "{{" not in text and "[x](" not in text and "$a" not in text
        assert not {"script"} & set(Reader(html_of(text)).tags)
    title = re.search(r"^# (.*)$", read(folder, "SYR"), re.M)[1]
    # entities never begin a construct of Markdown, so nothing but letters may be left beside them
    assert html.unescape(title) == name and not re.search(r"[^\w\s();?,./]", re.sub(r"&#\d+;", "", title))
    index = Reader(render_index(read_index(folder)).split("<script>")[0])
    assert name in [row[0] for row in index.tables[0]] and "script" not in index.tags
    svg = (folder / "DEU_corridors.svg").read_text(encoding="utf-8")
    assert "<script" not in svg and ElementTree.fromstring(svg) is not None


def test_a_release_without_intervals(bare_pages):
    text = read(bare_pages, "DEU")
    assert "this release gives no intervals" in text and "95%" not in text
    assert len(FIGURE.findall(text)) == 3 and "does not say who counted" in text
    years, arrivals, *_ = Reader(html_of(text)).tables
    assert years[0] == ["Year", "Arrivals", "Departures", "Net"] and arrivals[0] == ["From", "People", "Share"]
    assert "Grade" not in render_index(read_index(bare_pages)).split("<script>")[0]


def test_the_index_lists_every_page(pages, estimates):
    text = html_of(render_index(read_index(pages)))
    index = Reader(text.split("<script>")[0])
    assert index.links == [f"countries/{c}.html" for c in sorted(CODES, key=lambda c: page.sort_key(names.name(c)))]
    rows = {r[0]: r for r in index.tables[0][1:]}
    net = estimates.net("TUV", YEARS[-1]).iloc[0]
    assert number(rows["Tuvalu"][2]) == pytest.approx(net.inflow, rel=0.006)
    assert rows["Tuvalu"][1] == "Oceania" and rows["Tuvalu"][5] in "ABCDE"
    assert "hidden" in text and "src=" not in text     # the filter shows itself; nothing is loaded
