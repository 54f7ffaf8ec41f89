"""Country names as sources write them, resolved to the 231 codes or refused."""
import logging
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import cache

import pandas as pd

from ..errors import UnknownTerritoryError
from ..territories import codes, territories

# First whole year in which statistics could tell a successor state apart. A zero before it is a filled cell, not a
# count (Sweden: no emigrants to Serbia every year since 1980).
SUCCESSOR_SINCE = {
    **dict.fromkeys(("ARM", "AZE", "BLR", "EST", "GEO", "KAZ", "KGZ", "LVA", "LTU", "MDA", "RUS", "TJK", "TKM", "UKR",
                     "UZB"), 1991),
    **dict.fromkeys(("HRV", "SVN", "MKD", "BIH"), 1992), **dict.fromkeys(("CZE", "SVK", "ERI"), 1993),
    "TLS": 2002, **dict.fromkeys(("SRB", "MNE"), 2006), **dict.fromkeys(("BES", "CUW", "SSD", "SXM"), 2011),
}
_NOT_FOUND = "?"
LONGEST = 120   # characters of a name; the regular expressions take for ever over very long ones


def precedes_partner(partner: pd.Series, year: pd.Series, persons: pd.Series) -> pd.Series:
    """True where a reported zero precedes the partner's existence (`SUCCESSOR_SINCE`), so that nobody counted it.

    Numbers above zero are kept: somebody did count them, whatever the partner was called.

    Parameters
    ----------
    partner : alpha-3 codes.
    year, persons : of the same rows.
    """
    return (persons == 0) & (year < partner.map(SUCCESSOR_SINCE).fillna(0))


@cache
def _converter():
    import country_converter  # half a second to import: only where names are read

    logging.getLogger("country_converter").setLevel(logging.ERROR)  # it warns; we raise
    return country_converter.CountryConverter()


def resolve_names(names: Iterable[str], *, file, exceptions: Mapping[str, str | None],
                  where: Callable[[int], str] = "name {}".format) -> dict[str, str | None]:
    """Alpha-3 code of each name; None for the names that ``exceptions`` declares outside the 231 territories.

    The project's own names come first, then ``exceptions``, then the regular expressions of country_converter.

    Parameters
    ----------
    names : as written in the source; repeated ones are resolved once.
    file : what to name in the error.
    exceptions : name to code, or to None for aggregates, former states and other entries that are no territory.
    where : tells from the place of a name among ``names``, from 0, what to say in the error of where it stands.

    Raises
    ------
    UnknownTerritoryError
        For a name that is found nowhere, matches several countries or one outside the territories; with its place
        and the nearest known names.
    """
    names = list(names)
    for position, n in enumerate(names):
        if not isinstance(n, str) or not n.strip() or len(n) > LONGEST:
            raise UnknownTerritoryError(file, f"{n!r} is no name of a territory", "fetch the file again",
                                        key=where(position))
    distinct = list(dict.fromkeys(names))
    own = {name: code for code, name in territories()["name"].items()}
    known = {n: exceptions[n] if n in exceptions else own[n] for n in distinct if n in exceptions or n in own}
    rest = [n for n in distinct if n not in known]
    if rest:
        found = _converter().convert(list(rest), src="regex", to="ISO3", not_found=_NOT_FOUND)
        known.update(zip(rest, [found] if len(rest) == 1 else found, strict=True))
    valid = set(codes())
    for n in distinct:
        if known[n] is not None and (not isinstance(known[n], str) or known[n] not in valid):
            near = get_close_matches(n, list(own), n=2, cutoff=0.4)
            raise UnknownTerritoryError(
                file, f"unknown territory name {n!r}",
                (f"did you mean {' or '.join(near)}? " if near else "") + "Mend it, or give its code (None: outside) "
                "in the reader's exceptions", key=where(names.index(n)))
    return known
