"""The page in a browser: loaded from a folder, chosen, compared, by keyboard, on a phone; no error, no outside."""
import re
import shutil
from contextlib import contextmanager

import numpy as np
import pytest
from pyproj import Transformer
from small_release import CODES, METHODS, YEARS

from humanflows.explorer.outlines import EQUAL_EARTH, WIDTH, _frame
from humanflows.explorer.packing import unpack

READY = "html[data-state=ready]"


@contextmanager
def opened(browser, folder, address="", *, width=1200, height=900, **options):
    """The page, ready; on leaving, nothing must have gone wrong and nothing have been asked for elsewhere."""
    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    page, wrong, asked = context.new_page(), [], []
    page.on("console", lambda m: wrong.append(m.text) if m.type in {"error", "warning"} else None)
    page.on("pageerror", lambda e: wrong.append(str(e)))
    page.on("requestfailed", lambda r: wrong.append(f"failed: {r.url}"))
    page.on("request", lambda r: asked.append(r.url))
    page.goto(f"{folder.as_uri()}/index.html{address}")
    settle(page)
    try:
        yield page
        inside = (folder.as_uri() + "/", "data:", "blob:")
        assert not wrong and asked and not [u for u in asked if not u.startswith(inside)]
    finally:
        context.close()


def settle(page):
    page.wait_for_selector(READY, state="attached", timeout=60_000)


def filled(page):
    """Wait until every table that was asked for is there: a browser tells of an opened part when it has time."""
    page.wait_for_function("""[...document.querySelectorAll('details[open][id$=-table] > .body')]
        .every(n => n.querySelector('table'))""")


def unpacked(folder):
    """About the territories of a page."""
    name, about, _ = unpack((folder / "territories.data.js").read_bytes())
    return name, about


def unproject(drawn, x, y):
    """Degrees of a point of the map."""
    left, top, step, _ = _frame()
    transformer = Transformer.from_crs(EQUAL_EARTH, 4326, always_xy=True)
    return transformer.transform(left + x * step, -(top + y * step))


def shown(page):
    """The view that the address names."""
    return dict(part.split("=") for part in page.evaluate("location.hash").lstrip("#").split("&"))


def test_it_loads_and_says_what_it_shows(browser, whole_page, flow):
    with opened(browser, whole_page, "#territory=DEU&year=2015") as page:
        assert page.inner_text("#title") == "Arrivals in Germany, 2015"
        total = round(float(flow[YEARS.index(2015), :, CODES.index("DEU")].sum()), -3)
        assert f"{total:,.0f}"[:4] in page.inner_text("#summary")
        first = page.locator("#ranking tbody tr").first
        assert first.locator("th").inner_text() == "Syria"
        assert "321,000" in first.inner_text() and "150,000 to 970,000" in first.inner_text()
        assert first.locator("span.grade").inner_text() in "ABCDE"
        assert page.locator("#map .land path.chosen").count() == 1
        assert page.locator("#series svg .band").count() == 1 and page.locator("#net svg .band").count() == 1
        assert page.locator("#stocks svg .line").count() == 2
        assert page.inner_text("#born-steps") == "2%"
        assert page.locator("#compare-why").is_hidden() and page.locator("#problems").is_hidden()


def test_choosing_changes_the_page_and_a_link_restores_it(browser, whole_page):
    with opened(browser, whole_page) as page:
        page.select_option("#territory", "VEN")
        page.check("input[name=direction][value=out]")
        page.select_option("#birthplace", "destination")
        page.select_option("#partner", "COL")
        page.select_option("#scale", "log")
        for _ in range(4):
            page.click("#year-back")
        settle(page)
        view = {"territory": "VEN", "year": "2018", "direction": "out", "birthplace": "destination", "partner": "COL",
                "scale": "log"}
        assert shown(page) == view
        title, summary = page.inner_text("#title"), page.inner_text("#summary")
        assert title == "Venezuela to Colombia, people born where they arrive, 2018"
        link = page.input_value("#link")
        assert link == page.url
        page.click("#copy")
        page.wait_for_function("document.getElementById('copied').textContent !== ''")
        page.go_back()
        page.go_forward()
        settle(page)
        assert page.inner_text("#title") == title
    with opened(browser, whole_page, "#" + link.split("#")[1]) as page:
        assert shown(page) == view and page.inner_text("#summary") == summary
        assert page.input_value("#partner") == "COL" and page.is_checked("input[value=out]")


@pytest.mark.parametrize("address", ["#territory=XXX&year=1066", "#compare=nobody&birthplace=moon", "#year=&x=1",
                                     "#territory=<b>&partner=%00&scale=%F0"])
def test_a_link_that_means_nothing_still_shows_something(browser, whole_page, address):
    with opened(browser, whole_page, address) as page:
        assert page.locator("#ranking tbody tr").count() > 0
        assert page.locator("#problems").is_visible() == (address != "#year=&x=1")
        assert page.locator("#problems b").count() == 0


def test_comparing_with_everybody(browser, whole_page, flow):
    with opened(browser, whole_page, "#territory=DEU&year=2015&partner=SYR") as page:
        before = page.locator("#series svg .line").count()
        assert before == 1 and page.locator("#series svg .mark").count() == 0
        for key in ("witnesses", "reference"):
            page.check(f"input[name=compare][value={key}]")
        page.select_option("#method", label=METHODS[0])
        settle(page)
        assert shown(page)["compare"] == "witnesses,reference,abel_cohen_1"
        assert page.locator("#series svg .line").count() == 3
        assert page.locator("#series svg .mark").count() == len(YEARS)
        heads = page.locator("#ranking thead th").all_inner_texts()
        assert heads[-2:] == ["Gaskin & Abel (published)", METHODS[0]]
        cells = page.locator("#ranking tbody tr").first.locator("td").all_inner_texts()
        five = flow[8:13, CODES.index("SYR"), CODES.index("DEU")].sum() / 5
        assert cells[-2] == "161,000" and float(cells[-1].replace(",", "")) == pytest.approx(five, rel=0.006)
        assert page.locator("#span-note").is_visible()
        page.locator("#reports-table summary").click()
        filled(page)
        assert page.locator("#reports-table tbody tr").count() == len(YEARS)
        assert "UN DESA flows" in page.locator("#reports-table tbody tr").first.inner_text()


def test_meta_is_compared_where_it_counts(browser, whole_page, flow):
    with opened(browser, whole_page, "#territory=DEU&year=2020&compare=meta") as page:
        rows = {r.locator("th").inner_text(): r.locator("td").last.inner_text()
                for r in page.locator("#ranking tbody tr").all()}
        counted = 0.8 * flow[YEARS.index(2020), CODES.index("SYR"), CODES.index("DEU")]
        assert float(rows["Syria"].replace(",", "")) == pytest.approx(counted, rel=0.01)
        # Spain is a country of Meta's, which leaves out what is small; of Türkiye it says nothing.
        assert rows["Spain"] == "below 50" and rows["Türkiye"] == "–" and page.locator("#meta-note").is_visible()


def test_what_a_publisher_leaves_out_as_small_is_no_nought(browser, whole_page):
    with opened(browser, whole_page, "#territory=DEU&year=2020&compare=meta&partner=ESP") as page:
        page.locator("#series-table summary").click()
        filled(page)
        told = {r.locator("th").inner_text(): r.locator("td").last.inner_text()
                for r in page.locator("#series-table tbody tr").all()}
        assert told["2020"] == "below 50" and told["2015"] == "–"
        assert "NaN" not in page.inner_html("#series")


def test_small_flows_are_shown_as_released(browser, whole_page):
    with opened(browser, whole_page, "#territory=MLT&year=2015&partner=COL&scale=log") as page:
        assert page.inner_text("#summary").startswith("Colombia to Malta, 2015: 6 (2 to 18), grade")
        row = page.locator("#ranking tr", has=page.locator("button[data-code=COL]"))
        assert row.locator(".persons").inner_text() == "6" and row.locator(".interval").first.inner_text() == "2 to 18"
        for table in ("#series-table", "#map-table"):
            page.locator(f"{table} summary").click()
        filled(page)
        told = page.locator("#series-table tbody tr", has_text="2015").locator("td").all_inner_texts()
        assert told[:3] == ["6", "2", "18"]
        assert "Colombia\t6\t" in page.inner_text("#map-table tbody")
        line = page.get_attribute("#series .line", "d").lstrip("M").split("L")[YEARS.index(2015)]
        ground = max(float(g.get_attribute("y1")) for g in page.locator("#series .grid").all())
        assert float(line.split(",")[1]) < ground - 5      # six is above the bottom of a logarithmic scale
    with opened(browser, whole_page, "#territory=DEU&year=2015&partner=SYR&birthplace=destination") as page:
        what, told = page.inner_text("#summary").split(". ")[0].split(", 2015: ")
        assert what == "Syria to Germany, people born where they arrive"
        assert float(told.replace(",", "")) == pytest.approx(0.004 * 321_400, rel=0.01)
    with opened(browser, whole_page, "#territory=COL&year=2015&partner=MLT") as page:
        assert page.inner_text("#summary").startswith("Malta to Colombia, 2015: 0 (0 to 2), grade")
        assert page.locator("#ranking button[data-code=MLT]").count() == 0      # a ranking lists those who move


def test_one_birthplace_stands_beside_no_number_of_all(browser, whole_page):
    address = "#territory=DEU&year=2020&partner=SYR&compare=witnesses,reference,abel_cohen_1,meta"
    with opened(browser, whole_page, f"{address}&birthplace=destination") as page:
        assert page.locator("#ranking thead th").all_inner_texts() == ["Partner", "Persons"]
        assert page.locator("#series svg .line").count() == 1 and page.locator("#series svg .mark").count() == 0
        assert page.locator("#series svg .band").count() == 0 and page.locator("#reports-table").is_hidden()
        assert "grade" not in page.inner_text("#summary")
        page.locator("#map svg.map").press("ArrowRight")
        assert "grade" not in page.inner_text("#map .status")
        assert page.locator("#compare input:enabled, #compare select:enabled").count() == 0
        for note in ("compare-born", "series-note", "people-born", "events-born"):
            assert page.locator(f"#{note}").is_visible(), note
        assert page.locator("#meta-note").is_hidden() and page.locator("#span-note").is_hidden()
        page.select_option("#birthplace", "all")
        settle(page)
        assert page.locator("#ranking thead th").count() == 6 and page.locator("#series svg .line").count() == 4
        assert page.locator("#series svg .mark").count() > 0 and page.locator("#compare input:disabled").count() == 0
        for note in ("compare-born", "people-born", "events-born"):
            assert page.locator(f"#{note}").is_hidden(), note


# Of each pair: whether the short way crosses the antimeridian, and parts of the map that it must not touch, in degrees
# of longitude.
SHORT_WAYS = [("FJI", "TON", True, (-160, 160)), ("TON", "FJI", True, (-160, 160)), ("USA", "JPN", True, (-70, 120)),
              ("NZL", "WSM", True, (-150, 150)), ("RUS", "USA", False, (65, 180)), ("AUS", "USA", True, (-90, 130)),
              ("DEU", "USA", False, (30, 180)), ("AUS", "JPN", False, (-180, 100)), ("AUS", "DEU", False, (-180, -20))]


@pytest.mark.parametrize(("origin", "destination", "crosses", "elsewhere"), SHORT_WAYS)
def test_arcs_go_the_short_way(browser, ocean_page, origin, destination, crosses, elsewhere):
    with opened(browser, ocean_page, f"#territory={destination}&year=2015") as page:
        _, about = unpacked(ocean_page)
        drawn, k = about["outlines"], about["codes"].index
        page.select_option("#partner", origin)
        settle(page)
        d = page.get_attribute(f"#map .arc[data-corridor={origin}-{destination}]", "d")
        pieces = [[tuple(map(float, p.split(","))) for p in piece.split("L")] for piece in d.split("M")[1:]]
        assert len(pieces) == 1 + crosses
        ends = [drawn["points"][k(origin)], drawn["points"][k(destination)]]
        assert np.allclose([pieces[0][0], pieces[-1][-1]], ends, atol=1)
        if crosses:     # it leaves at one edge of the map and comes in at the other, at the same latitude
            (x1, y1), (x2, y2) = pieces[0][-1], pieces[1][0]
            assert y1 == y2 and abs(x1 + x2 - WIDTH) < 2 and abs(x1 - x2) > 0.5 * WIDTH
        for piece in pieces:
            steps = np.linalg.norm(np.diff(piece, axis=0), axis=1)
            assert steps.max() < 0.12 * WIDTH
            for x, y in piece:
                longitude, _ = unproject(drawn, x, y)
                assert -180.01 <= longitude <= 180.01 and not elsewhere[0] < longitude < elsewhere[1]


def test_what_is_not_there_has_no_control_and_a_reason(browser, bare_page):
    with opened(browser, bare_page, "#territory=DEU") as page:
        assert page.locator("input[name=compare]").count() == 0 and page.locator("#method").count() == 0
        page.locator("#compare-why summary").click()
        page.wait_for_selector("#compare-missing", state="visible")
        said = page.inner_text("#compare-missing")
        assert said.count("made without the source files") == 4 and "Meta" in said
        assert page.locator("#birthplace-field").is_hidden() and page.locator("#birthplace-missing").is_visible()
        assert "no intervals" in page.inner_text("#intervals-missing").lower()
        assert page.locator("#series svg .band").count() == 0 and page.locator("#born-panel").is_hidden()


def test_everything_by_keyboard(browser, whole_page):
    with opened(browser, whole_page, "#territory=DEU&year=2015") as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == "skip"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "results" and shown(page)["territory"] == "DEU"
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.getAttribute('role')") == "application"
        page.keyboard.press("ArrowRight")
        assert page.inner_text("#map .status").startswith("Syria to Germany, 2015: 321,000 (150,000 to 970,000), grade")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid"
        page.keyboard.press("Enter")
        settle(page)
        assert shown(page)["partner"] == "SYR"
        page.keyboard.press("+")
        assert page.get_attribute("#map svg.map", "viewBox").split()[2] == "1500"
        page.focus("#year")
        page.keyboard.press("ArrowLeft")
        settle(page)
        assert shown(page)["year"] == "2014" and page.inner_text("#title") == "Syria to Germany, 2014"
        page.focus("#map-table summary")
        page.keyboard.press("Enter")
        page.wait_for_selector("#map-table table")
        page.focus("#ranking button.link")
        page.keyboard.press("Space")
        page.focus("input[name=direction][value=in]")
        page.keyboard.press("ArrowDown")
        settle(page)
        assert shown(page)["direction"] == "out"


def test_a_table_for_every_picture(browser, whole_page):
    with opened(browser, whole_page, "#territory=DEU&year=2015&partner=SYR&compare=witnesses,meta,reference") as page:
        for summary in page.locator("#results details:visible > summary").all():
            summary.click()
        filled(page)
        pictures = page.locator("#results svg.chart:visible, #results svg.map:visible").all()
        assert len(pictures) == 7
        for table in page.locator("#results details[open] table:visible").all():
            assert table.locator("caption").inner_text() and table.locator("tbody tr").count() > 0
        for picture in pictures:
            within = picture.evaluate("n => n.closest('div[id]:not(.body)').id")
            assert page.locator(f"#{within}-table table tbody tr:visible").count() > 0, within
            assert picture.get_attribute("aria-label") and picture.get_attribute("role") in {"img", "application"}
        unnamed = page.evaluate("""[...document.querySelectorAll('select, input, button')].filter(n =>
            !(n.labels?.length || n.textContent.trim() || n.getAttribute('aria-label'))).length""")
        assert unnamed == 0
        assert page.evaluate("""(() => { const all = [...document.querySelectorAll('[id]')].map(n => n.id);
            return all.length - new Set(all).size; })()""") == 0


def test_world_choosing_on_the_map(browser, whole_page):
    with opened(browser, whole_page, "#territory=world&year=2010") as page:
        assert page.locator("#ranking tbody tr").count() == len(CODES) and page.locator("#people-panel").is_hidden()
        page.locator(f"#map .land path[data-k='{CODES.index('TUR')}']").click(force=True)
        settle(page)
        assert shown(page)["territory"] == "TUR"


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_events_are_replayed_unless_less_motion_is_asked_for(browser, whole_page, motion):
    with opened(browser, whole_page, "#event=SYR-DEU-2014", reduced_motion=motion) as page:
        assert page.input_value("#event") == "SYR-DEU-2014"
        first = int(page.inner_text("#event-step"))
        page.click("#event-on")
        assert int(page.inner_text("#event-step")) == first + 1
        assert page.locator("#event-play").is_visible() == (motion == "no-preference")
        if motion == "no-preference":
            page.click("#event-play")
            page.wait_for_function(f"+document.getElementById('event-step').textContent >= {first + 3}")
            page.click("#event-play")
            assert page.inner_text("#event-play") == "Play"
        page.locator("#event-chart-table summary").click()
        filled(page)
        assert "OECD, arrivals by citizenship" in page.inner_text("#event-chart-table thead")
        assert re.search(r"Syria to Germany, war, \d{4}: [\d,]+ persons", page.inner_text("#event-words"))


@pytest.mark.parametrize("address", ["#territory=DEU&partner=SYR&compare=witnesses,reference,meta,abel_cohen_2",
                                     "#territory=world&birthplace=elsewhere"])
def test_readable_on_a_phone(browser, whole_page, address):
    with opened(browser, whole_page, address, width=360, height=740, has_touch=True, is_mobile=True) as page:
        for summary in page.locator("details:visible > summary").all():
            summary.tap()
        filled(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        small = page.evaluate("""[...document.querySelectorAll('#choices select, button, #choices input[type=text]')]
            .filter(n => n.offsetParent && n.getBoundingClientRect().height < 28).map(n => n.outerHTML)""")
        assert small == []
        tick = page.evaluate("parseFloat(getComputedStyle(document.querySelector('#series .tick')).fontSize)")
        assert tick >= 11


def test_a_damaged_page_says_so(browser, whole_page, tmp_path):
    folder = shutil.copytree(whole_page, tmp_path / "explorer")
    (folder / "flows.data.js").unlink()
    page = browser.new_page()
    page.goto(f"{folder.as_uri()}/index.html")
    page.wait_for_selector("html[data-state=failed]", state="attached", timeout=60_000)
    assert "flows.data.js" in page.inner_text("#problems")
    page.close()
