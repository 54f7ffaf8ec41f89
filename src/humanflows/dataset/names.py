"""From what people write to a territory's code: ISO codes, English names, common other names; and the nearest ones."""
import csv
import unicodedata
from collections.abc import Sequence
from difflib import get_close_matches
from functools import cache
from typing import NamedTuple

from .. import paths
from ..errors import UnknownTerritoryError

# Names in use beside those of data/territories.csv, by code.
ALIASES = {
    "ARE": ("UAE", "Emirates"), "BIH": ("Bosnia",), "BOL": ("Plurinational State of Bolivia",), "BRN": ("Brunei",),
    "CIV": ("Ivory Coast",), "COD": ("Democratic Republic of the Congo", "Congo-Kinshasa", "Zaire"),
    "COG": ("Republic of the Congo", "Congo-Brazzaville", "Congo"), "CPV": ("Cape Verde",),
    "CZE": ("Czech Republic",), "FLK": ("Malvinas",), "FSM": ("Micronesia", "Federated States of Micronesia"),
    "GBR": ("UK", "Great Britain", "Britain"), "HKG": ("Hong Kong SAR",), "IRN": ("Islamic Republic of Iran",),
    "KOR": ("Republic of Korea", "Korea Republic"), "LAO": ("Lao PDR", "Lao People's Democratic Republic"),
    "MAC": ("Macao",), "MDA": ("Republic of Moldova",), "MKD": ("Macedonia",), "MMR": ("Burma",),
    "NLD": ("Holland",), "PRK": ("Democratic People's Republic of Korea",), "PSE": ("State of Palestine",
                                                                                 "Palestinian Territories"),
    "RUS": ("Russian Federation",), "SWZ": ("Swaziland",), "SYR": ("Syrian Arab Republic",), "TLS": ("East Timor",),
    "TUR": ("Turkey",), "TZA": ("United Republic of Tanzania",), "USA": ("US", "United States of America", "America"),
    "VEN": ("Bolivarian Republic of Venezuela",), "VIR": ("US Virgin Islands",), "VNM": ("Viet Nam",),
    "WLF": ("Wallis and Futuna",),
}
_LIKELY, _ANY = 0.72, 0.5       # similarity of a name worth offering; of one offered when there is no better


class Territory(NamedTuple):
    """A row of data/territories.csv."""

    iso3: str
    iso2: str
    m49: str
    name: str
    region: str


@cache
def listed() -> dict[str, Territory]:
    """The territories of data/territories.csv by alpha-3 code, without pandas: a command line must answer at once."""
    with open(paths.TERRITORIES, encoding="utf-8-sig", newline="") as handle:
        rows = [Territory(**row) for row in csv.DictReader(handle)]
    return {row.iso3: row for row in rows}


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
def _spellings(codes: tuple[str, ...]) -> dict[str, str]:
    """Every accepted spelling, plain, with its code. Names win over codes, alpha-3 over alpha-2."""
    known: dict[str, str] = {}
    for code in codes:
        row = listed().get(code)
        known.setdefault(plain(code), code)
        for text in (row.name, *ALIASES.get(code, ())) if row else ():
            known.setdefault(plain(text), code)
    for code in codes:
        if row := listed().get(code):
            known.setdefault(plain(row.iso2), code)
            known.setdefault(row.m49.lstrip("0"), code)
    return known


def resolve(text: str, codes: Sequence[str] | None = None) -> str:
    """Code of the territory that is meant.

    Parameters
    ----------
    text : alpha-3, alpha-2 or UN M49 code, or English name; case, accents and punctuation do not matter.
    codes : the territories to choose from; all of data/territories.csv by default.

    Raises
    ------
    UnknownTerritoryError
        For anything else, naming the nearest ones.
    """
    among = tuple(codes) if codes is not None else tuple(listed())
    known = _spellings(among)
    asked = plain(str(text))
    found = known.get(asked) or known.get(asked.lstrip("0"))
    if found:
        return found
    near = nearest(asked, among)
    hint = f"did you mean {' or '.join(f'{name(c)} ({c})' for c in near)}?" if near else \
        "give an ISO 3166-1 alpha-3 code or an English name of data/territories.csv"
    raise UnknownTerritoryError("territory", f"there is no territory {str(text)!r}", hint)


def nearest(text: str, codes: Sequence[str] | None = None, number: int = 3) -> list[str]:
    """Codes of the territories whose spelling is nearest, nearest first; possibly none."""
    known = _spellings(tuple(codes) if codes is not None else tuple(listed()))
    asked = plain(str(text))
    if not asked:
        return []
    holding = [s for s in known if len(asked) > 3 and (asked in s or (len(s) > 3 and s in asked))]
    close = get_close_matches(asked, known, n=2 * number, cutoff=_LIKELY) or \
        get_close_matches(asked, known, n=1, cutoff=_ANY)
    return list(dict.fromkeys(known[s] for s in [*close[:1], *sorted(holding, key=len), *close[1:]]))[:number]
