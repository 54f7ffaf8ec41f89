"""From what people write to a territory's code: ISO codes, English names, other names; or an answer that helps.

Names beside those of ``data/territories.csv`` stand in ``data/aliases.csv``, each with its ``kind``: *alias*, another
name of one territory; *several*, a name that more than one have; and what is no territory here, with what to ask for
instead: *part* of one, *former* state, *region*, or *outside* the estimates, with a note that says why.
"""
import csv
import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from .. import paths
from ..errors import ArtifactError, UnknownTerritoryError
from .inputs import quoted

KINDS = ("alias", "several", "part", "former", "region", "outside")
_LIKELY, _SURE = 75, 88     # likeness of a name worth offering; of one so near that it comes before all others (of 100)
_MOST = 8                   # names that an error lists
_LONGEST = 200              # characters of a text that are looked at: no name has as many
_HOW = "give an ISO 3166-1 alpha-3 code or an English name of data/territories.csv"


class Territory(NamedTuple):
    """A row of data/territories.csv."""

    iso3: str
    iso2: str
    m49: str
    name: str
    region: str


class Alias(NamedTuple):
    """A row of data/aliases.csv; ``territories`` are alpha-3 codes."""

    name: str
    kind: str
    territories: tuple[str, ...]
    note: str


@cache
def listed() -> dict[str, Territory]:
    """The territories of data/territories.csv by alpha-3 code, without pandas: a command line must answer at once."""
    # Alpha-2 codes stand there in lower case: "NA", Namibia's, is taken for a missing value by many readers.
    rows = (Territory(**row)._replace(iso2=row["iso2"].upper()) for row in _read(paths.TERRITORIES, Territory._fields))
    return {row.iso3: row for row in rows}


def _read(file: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Columns of a table of this project; a byte order mark, which spreadsheets add, does no harm."""
    try:
        with open(file, encoding="utf-8-sig", newline="") as handle:
            return [{c: row[c].strip() for c in columns} for row in csv.DictReader(handle)]
    except (OSError, KeyError, AttributeError, UnicodeDecodeError, csv.Error) as error:
        raise ArtifactError(file, f"not the table with the columns {', '.join(columns)} ({type(error).__name__})",
                            "restore it from the repository") from error


@cache
def aliases() -> tuple[Alias, ...]:
    """The rows of data/aliases.csv."""
    return tuple(Alias(**{**row, "territories": tuple(row["territories"].split())})
                 for row in _read(paths.ALIASES, Alias._fields))


@cache
def other_names() -> dict[str, tuple[str, ...]]:
    """Other names of each territory that has any, by code; those that several have stand with each of them."""
    out: dict[str, tuple[str, ...]] = {}
    for alias in aliases():
        for code in alias.territories if alias.kind in ("alias", "several") else ():
            out[code] = (*out.get(code, ()), alias.name)
    return out


def name(code: str) -> str:
    """English short name; a code that is not listed (a simulated territory's) is its own name."""
    return listed()[code].name if code in listed() else code


def region(code: str) -> str:
    """Region; empty for a code that is not listed."""
    return listed()[code].region if code in listed() else ""


def plain(text: str) -> str:
    """Lower case, without accents, punctuation and articles: what two spellings of a name have in common."""
    letters = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    letters = letters.casefold().replace("&", " and ").replace("’", "").replace("'", "")
    words = "".join(c if c.isalnum() else " " for c in letters).split()
    return " ".join("saint" if w in ("st", "ste") else w for w in words if w != "the")


@cache
def _codes(among: tuple[str, ...]) -> dict[str, str]:
    """Every accepted code, in lower case, with its territory; alpha-3 wins over alpha-2. No code is read as a word."""
    known = {code.casefold(): code for code in among}
    for code in among:
        if row := listed().get(code):
            known.setdefault(row.iso2.casefold(), code)
            known.setdefault(row.m49.lstrip("0"), code)
    return known


@cache
def _spellings(among: tuple[str, ...]) -> dict[str, Alias]:
    """Every known name, plain, with what it means. Names of territories win over other names."""
    known: dict[str, Alias] = {}
    for code in (*among, *listed()):
        known.setdefault(plain(name(code)), Alias(name(code), "alias", (code,), ""))
    for alias in aliases():
        known.setdefault(plain(alias.name), alias)
    return known


def resolve(text: str, codes: Sequence[str] | None = None) -> str:
    """Code of the territory that is meant.

    Parameters
    ----------
    text : alpha-3, alpha-2 or UN M49 code, or a name; case, accents and punctuation of names do not matter. The
        beginning of a name is not enough, even where only one name begins so.
    codes : the territories to choose from; all of data/territories.csv by default.

    Raises
    ------
    UnknownTerritoryError
        For anything else: with the territories that a name of several may mean, what to ask for in the place of what is
        no territory here, or the nearest names.
    """
    among, written = tuple(codes) if codes is not None else tuple(listed()), str(text)[:_LONGEST]
    code = written.strip().casefold()
    meant = _codes(among).get(code) or _codes(among).get(code.lstrip("0"))
    if meant:
        return meant
    found = _spellings(among).get(plain(written))
    if found is None:
        near = nearest(written, among)
        raise UnknownTerritoryError("territory", f"there is no territory {quoted(written)}",
                                    f"did you mean {_either(near)}?" if near else _HOW)
    if found.kind == "alias" and found.territories[0] in among:
        return found.territories[0]
    raise UnknownTerritoryError("territory", *_explained(found, quoted(written), among))


def _explained(found: Alias, written: str, among: Sequence[str]) -> tuple[str, str]:
    """Problem and remedy of a name that is known and yet no single territory of these."""
    here = [c for c in found.territories if c in among]
    instead = f"ask for {_either([_shown(c) for c in here])}" if here else _HOW
    if found.kind == "alias":
        return f"{_shown(found.territories[0])} is not a territory of these estimates", _HOW
    if found.kind == "several":
        return f"{written} may mean {_either([_shown(c) for c in found.territories])}", "ask for one of them"
    if found.kind == "part":
        return f"{written} is a part of {_shown(found.territories[0])}, which the estimates do not divide", instead
    if found.kind == "former":
        return f"{written} is a state of the past; all years are estimated for the territories of today", instead
    if found.kind == "region":
        return f"{written} is no single territory", \
            "ask for territories; totals of the world and of regions, with intervals, are in data/release/sums.csv"
    return f"{written} is not among the territories of the estimates: {found.note}", instead


def _shown(code: str) -> str:
    return f"{name(code)} ({code})" if code in listed() else code


def _either(names: Sequence[str]) -> str:
    """A list with "or", parted by semicolons: names have commas; long ones are cut."""
    shown, more = list(names[:_MOST]), len(names) - _MOST
    if more > 0:
        shown.append(f"{more} more")
    return " or ".join(filter(None, ("; ".join(shown[:-1]), shown[-1])))


def nearest(text: str, codes: Sequence[str] | None = None, number: int = 3) -> list[str]:
    """Names that may be meant, as an error shows them, likeliest first; possibly none.

    Parameters
    ----------
    text : what was written.
    codes : the territories to choose from.
    number : how many; names that have a word beginning with the text are all given.
    """
    from rapidfuzz import fuzz, process  # needed by no answer, only where there is none

    among = tuple(codes) if codes is not None else tuple(listed())
    known = {s: a for s, a in _spellings(among).items() if a.kind != "alias" or a.territories[0] in among}
    asked = plain(str(text)[:_LONGEST])
    if len(asked) < 3:
        return []
    # Of three letters one is a third: too much to be called alike.
    alike = process.extract(asked, [s for s in known if min(len(s), len(asked)) > 3], scorer=fuzz.token_sort_ratio,
                            score_cutoff=_LIKELY, limit=number)
    # The last word may be unfinished: "and t" of "and the", whose article no plain name has; "st" of "states".
    begun = {asked, asked.removesuffix(" t").removesuffix(" th"), re.sub(" saint$", " st", asked)}
    starting = sorted((s for s in known if any(f" {text}" in f" {s}" for text in begun)),
                      key=lambda s: (known[s].kind != "alias", not s.startswith(asked), s))
    inside = sorted((s for s in known if len(s) > 3 and f" {s} " in f" {asked} "), key=len, reverse=True)
    order = [s for s, score, _ in alike if score >= _SURE] + starting + inside + [s for s, *_ in alike]
    found = dict.fromkeys(_shown(known[s].territories[0]) if known[s].kind == "alias" else known[s].name
                          for s in order)
    return list(found)[:max(number, len(starting))]
