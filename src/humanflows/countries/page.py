"""One template makes every page, another the index; whatever is put into them is escaped."""
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ..dataset import grades
from ..dataset.answers import Answers
from ..dataset.evidence import BASIS_MEANINGS
from ..dataset.pairs import ASSUMPTION
from ..dataset.tables import SMALLEST_OF_PAIRS
from ..plotting.charts import SOURCE_TITLES
from . import sentences, words
from .tables import ARRIVALS, DEPARTURES, PROVENANCE_MEANINGS, SIDES, Country

TEMPLATES = Path(__file__).with_name("templates")
# What Markdown or HTML could take for markup. As entities they are text to both.
_MARKUP = re.compile(r"[<>&\"'\\`*_{}\[\]$|~^#]")


def escape(value) -> Markup:
    """Text that is markup neither in HTML nor in MyST Markdown; what is marked as safe stays as it is."""
    if hasattr(value, "__html__"):
        return Markup(value.__html__())
    return Markup(_MARKUP.sub(lambda m: f"&#{ord(m[0])};", re.sub(r"\s+", " ", str(value))))


def _option(text: str) -> Markup:
    """Text as the value of a directive's option, in quotes."""
    return Markup(json.dumps(str(text), ensure_ascii=False))


@cache
def _environment() -> Environment:
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined,
                              finalize=escape, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
    environment.filters.update(option=_option, count=words.count, percent=words.percent,
                               persons=words.persons, listed=words.listed)
    environment.globals.update(between=words.between, in_sentence=words.in_sentence, capital=words.capital)
    return environment


def render_page(country: Country, figures: Mapping[str, str], files: Mapping[str, tuple[str, int]]) -> str:
    """A page in MyST Markdown.

    Parameters
    ----------
    country : its numbers.
    figures : file of each figure, by the names of ``figures.FIGURES``; those that the page shows.
    files : name and bytes of each download, by ``csv``, ``pairs`` and ``json``.
    """
    partner = next((c.code for s in SIDES for c in country.corridors[s]), "")
    return _environment().get_template("country.md.jinja").render(
        c=country, figures={k: Markup(v) for k, v in figures.items()},
        files={k: (Markup(name), size) for k, (name, size) in files.items()}, partner=partner, sides=SIDES,
        arrivals=ARRIVALS, departures=DEPARTURES, headline=sentences.headline(country),
        people=sentences.people(country), sure=sentences.how_sure(country), alts=sentences.alts(country),
        description=sentences.description(country),
        basis_meanings=BASIS_MEANINGS, provenance=PROVENANCE_MEANINGS, titles=SOURCE_TITLES,
        smallest=SMALLEST_OF_PAIRS, assumption=ASSUMPTION)


def index_row(country: Country) -> dict:
    """What the index says of a territory, as JSON holds it."""
    totals = {k: float(country.totals[k][-1]) for k in (*SIDES, "net")}
    seen = sentences.observed(country)
    return {"code": country.code, "name": country.name, "region": country.region, "year": country.years[-1], **totals,
            "grade": country.typical, "observed": seen if seen == seen else None}


def render_index(rows: Sequence[Mapping]) -> str:
    """The list of all pages with its filter, as MyST Markdown; without scripts it is a plain table.

    Parameters
    ----------
    rows : of :func:`index_row`, in any order.
    """
    rows = sorted(rows, key=lambda r: sort_key(r["name"]))
    regions = sorted({r["region"] for r in rows if r["region"]})
    script = (TEMPLATES / "filter.js").read_text(encoding="utf-8")
    return _environment().get_template("index.md.jinja").render(
        rows=rows, regions=regions, grades=[g for g in grades.GRADES if any(r["grade"] == g for r in rows)],
        year=rows[0]["year"] if rows else "", script=Markup(script))


def render_rule(answers: Answers) -> str:
    """The rule of the grades, Markdown."""
    return grades.rule(intervals=answers.intervals, members=answers.store.has("flow_spread"),
                       evidence=answers.store.has("flow_evidence"))


def sort_key(name: str) -> str:
    """Names in the order of an English index: accents and apostrophes do not count."""
    from ..dataset.names import plain

    return plain(name)
