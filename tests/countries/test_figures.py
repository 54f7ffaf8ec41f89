"""What the figures draw, and that shrinking them keeps it."""
import json
import re
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pytest

from humanflows.countries import figures, svg, tables
from humanflows.countries.tables import SIDES
from humanflows.countries.words import persons
from humanflows.dataset.answers import Answers


@pytest.fixture(autouse=True)
def style():
    with plt.rc_context():
        figures.set_style()
        yield
    plt.close("all")


@pytest.fixture(scope="module")
def country(release):
    return tables.describe(Answers(release), "DEU")


@pytest.fixture(scope="module")
def plain(bare):
    return tables.describe(Answers(bare), "DEU")


def test_totals_show_both_courses_and_net_migration(country, plain):
    above, below = figures.draw_totals(country).axes
    step, unit = figures.scale_of(max(country.totals[s].max() for s in SIDES))
    for line, side in zip(above.lines, SIDES):
        np.testing.assert_allclose(line.get_ydata() * step, country.totals[side])
    assert unit in above.get_title(loc="left").lower()
    assert [t.get_text() for t in above.get_legend().get_texts()] == list(SIDES)
    assert len(above.collections) == 2        # a band each
    step, unit = figures.scale_of(np.abs(country.totals["net"]).max())
    np.testing.assert_allclose(below.lines[0].get_ydata() * step, country.totals["net"])
    assert below.get_title(loc="left") == f"Net migration, {unit}"
    assert not figures.draw_totals(plain).axes[0].collections


def test_corridors_show_numbers_grades_and_ends(country):
    for ax, side in zip(figures.draw_corridors(country).axes, SIDES):
        corridors = country.corridors[side]
        assert [t.get_text() for t in ax.get_yticklabels()] == [c.name for c in corridors]
        written = [t.get_text() for t in ax.texts[:len(corridors)]]
        assert written == [f"{persons(c.flow)}  {c.grade}" for c in corridors]
        step, _ = figures.scale_of(max(c.flow for c in corridors))
        dots = sorted((y, x * step) for line in ax.lines if line.get_marker() == "o" for x, y in zip(*line.get_data()))
        np.testing.assert_allclose([x for _, x in dots], [c.flow for c in corridors])
        assert all(line.get_xdata().max() <= ax.get_xlim()[1] for line in ax.lines if len(line.get_xdata())
                   and np.isfinite(line.get_xdata()).all())


def test_an_interval_beyond_the_figure_has_an_arrow(country):
    first = country.corridors["arrivals"][0]
    far = [first.__class__(**{**first.__dict__, "upper": 50 * first.flow})]
    _, ax = plt.subplots()
    figures._draw_side(ax, far)
    arrows = [line for line in ax.lines if line.get_marker() == ">" and len(line.get_xdata())]
    assert len(arrows) == 1 and arrows[0].get_xdata()[0] * figures.scale_of(first.flow)[0] < 50 * first.flow


def test_people_are_stacked_to_their_total(country):
    for ax, groups in zip(figures.draw_people(country).axes, (country.born_elsewhere, country.living_elsewhere)):
        step, _ = figures.scale_of(groups.total.max())
        tops = [patch.get_xy()[:, 1].max() * step for patch in ax.patches]
        assert max(tops) == pytest.approx(groups.total.max()) and len(ax.patches) == len(groups.codes)
        assert [t.get_text() for t in ax.get_legend().get_texts()] == groups.names


def test_evidence_fills_a_hundred_per_cent(country):
    axes = figures.draw_evidence(country).axes
    assert len(axes) == 4
    for ax in axes:
        assert ax.patches[0].get_xy()[1:-2, 1] == pytest.approx(100)
    labels = [t.get_text() for t in axes[0].get_legend().get_texts()]
    assert labels == list(tables.PROVENANCE)


def test_shrinking_keeps_the_drawing(country):
    for name, draw in figures.FIGURES.items():
        figure = draw(country)
        figure.canvas.draw()        # ticks have texts from now on
        texts = {t.get_text().strip() for t in figure.findobj(plt.Text) if t.get_text().strip() and t.get_visible()}
        text = svg.compact_svg(figure)
        root = ElementTree.fromstring(text)
        written = {"".join(e.itertext()).strip() for e in root.iter("{http://www.w3.org/2000/svg}text")}
        assert written <= texts and {"arrivals", "Netherlands", "Syria", "both offices"} & written, name
        assert len(text) < 20_000 and "http" not in text.replace("http://www.w3.org/", "")
        used = set(re.findall(r"(?:url\(#|href=\"#)([^)\"]+)", text))
        assert used == set(re.findall(r" id=\"([^\"]+)\"", text))


def test_names_are_never_read_as_formulas(country):
    text = svg.compact_svg(figures.draw_corridors(_renamed(country, "$x_1$ & <b>")))
    assert "$x_1$ &amp; &lt;b&gt;" in text


def _renamed(country, name):
    corridors = {s: [c.__class__(**{**c.__dict__, "name": name}) for c in country.corridors[s]] for s in SIDES}
    return country.__class__(**{**country.__dict__, "corridors": corridors})


@pytest.mark.parametrize(("path", "short"), [
    ("M 10 20 \nL 30 20 \nL 50 20 \nL 50 5 \nz\n", "M10 20l40 0 0-15z"),
    ("M 0 0 \nL 0 3.5 \n", "M0 0l0 3.5"),
    ("M 1 1 \nL 3 1 \nL 2 1 \n", "M1 1l2 0-1 0"),
    ("M 0 2.53 \nC 0.67 2.53 1.31 2.26 1.78 1.78 \nz", "M0 2.53C0.67 2.53 1.31 2.26 1.78 1.78z")])
def test_paths(path, short):
    assert svg._path(path) == short


def test_steps_do_not_drift():
    rng = np.random.default_rng(1)
    places = np.round(rng.uniform(0, 400, (200, 2)), 6)
    text = svg._path("M " + " \nL ".join(f"{x} {y}" for x, y in places))
    numbers = [float(v) for v in re.findall(r"-?\d+(?:\.\d+)?", text)]
    np.testing.assert_allclose(np.cumsum(np.reshape(numbers, (-1, 2)), axis=0), places, atol=0.051)
    assert json.dumps(text)
