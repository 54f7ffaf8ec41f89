"""What a scenario is: covariates that differ, borders that close, from a year on; read from YAML and checked.

A scenario is plain data. What becomes of a panel under it is in ``results/scenario_inputs.py``, running it in
``model/scenario_run.py``, and what its numbers mean in ``results/scenario_meaning.py``.
"""
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from ..errors import ConfigError
from ..plain_files import read_yaml

# What may be changed from a year on: variables of the panel by territory and year, and by pair and year.
TERRITORY = ("births", "deaths", "life_expectancy", "gdp_per_capita", "gdp_growth", "conflict_deaths", "eu_member",
             "democracy", "liberal_democracy")
PAIR = ("displaced_stock", "displaced_flow", "trade")
HOW = ("set", "multiply", "add", "grow", "hold")
NEVER_BELOW_ZERO = (*(v for v in TERRITORY if v != "gdp_growth"), *PAIR)
ALWAYS_ABOVE_ZERO = ("gdp_per_capita", "life_expectancy")
AT_MOST_ONE = ("eu_member", "democracy", "liberal_democracy")
HINDSIGHT = ("kept", "dropped")
DEMOGRAPHY = ("none", "carried", "wpp_medium")
LONGEST_NAME = 80
MOST_YEARS = 30      # beyond the panel: more would be a guess about guesses
_REMEDY = "see config/scenarios for examples"


@dataclass(frozen=True)
class Change:
    """One change. Of a covariate: ``covariate``, ``how`` and ``value``; of borders: ``factor`` and ``returns``.

    Parameters
    ----------
    places : alpha-3 codes, or corridors as ``"MEX-USA"`` for borders and covariates of pairs; ``"*"`` for all.
    first, last : calendar years, inclusive; ``last`` None: to the end.
    covariate : variable of the panel, in ``TERRITORY`` or ``PAIR``; empty for borders.
    how : ``set`` to the value, ``multiply`` by it, ``add`` it, ``grow`` by this share a year from the year before on,
        or ``hold`` what it was in the year before.
    factor : on hazards of moves along the corridors; 0 closes the border, 1 leaves it as it was.
    returns : whether those who were born in the destination and go home are held up as well.
    """

    places: tuple[str, ...]
    first: int
    last: int | None = None
    covariate: str = ""
    how: str = ""
    value: float = 0.0
    factor: float = 1.0
    returns: bool = True

    @property
    def is_border(self) -> bool:
        """Whether it is a border that changes."""
        return not self.covariate


@dataclass(frozen=True)
class Scenario:
    """A question "what would the model say if …".

    Parameters
    ----------
    name : of files: letters, digits and underscores.
    title, description : in words.
    changes : what differs.
    hindsight : ``kept``: all that is known of the years otherwise, from migration figures themselves, stays known (what
        does the change do, all else as it turned out?). ``dropped``: in corridors of the places that are changed,
        effects of years fade, and net migration and counted stocks are read as if they were unknown or as they stood
        in the year before (what, had the event not come?).
    elsewhere : of moves held up at a border, the share that goes to other destinations; see ``model/scenario_run.py``.
    last_year : of the run; None: the panel's.
    demography : births, deaths and populations beyond the panel: ``carried`` (as they are at its end) or ``wpp_medium``
        (medium projection of World Population Prospects 2024).
    """

    name: str
    title: str
    description: str = ""
    changes: tuple[Change, ...] = ()
    hindsight: str = "kept"
    elsewhere: float = 0.0
    last_year: int | None = None
    demography: str = "none"

    def first_year(self, panel_last: int) -> int:
        """First year that may differ from the run without changes, or that lies beyond the panel."""
        return min([c.first for c in self.changes] + [panel_last + 1])


def read_scenario(file: Path, territories: Sequence[str], years: Sequence[int]) -> Scenario:
    """Read a scenario from a YAML file (plain data only: tags that would run code are refused).

    Parameters
    ----------
    file : the file.
    territories, years : of the panel.

    Raises
    ------
    ConfigError
        For a missing or unreadable file, and whatever :func:`parse_scenario` refuses.
    """
    file = Path(file)
    if not file.is_file():
        raise ConfigError(file, "there is no such scenario", _REMEDY)
    return parse_scenario(read_yaml(file, "mend the file; " + _REMEDY), territories, years, file=file)


def parse_scenario(given: Mapping, territories: Sequence[str], years: Sequence[int], *, file="scenario") -> Scenario:
    """A scenario from plain data, checked against a panel's territories and years.

    Parameters
    ----------
    given : keys ``name, title, description, hindsight, elsewhere, last_year, demography`` and ``changes``, a list. A
        change has ``covariate``, ``territories`` or ``corridors``, and one of ``set, multiply, add, grow, hold``; or
        ``border`` (corridors), ``factor`` and ``returns``; and always ``from``, and ``to`` where it ends.
    territories, years : of the panel.
    file : for messages.

    Raises
    ------
    ConfigError
        Naming the key, and what to do.
    """
    check = _Check(file, list(territories), [int(y) for y in years])
    known = [f.name for f in fields(Scenario)]
    check.keys(given, known, ("name", "title"), "")
    changes = given.get("changes") or []
    if not isinstance(changes, list):
        check.fail("changes", f"expected a list, found {changes!r}", "begin each change with '- '")
    end = given.get("last_year")
    last = check.years[-1] if end is None else check.whole("last_year", end)
    if not check.years[-1] <= last <= check.years[-1] + MOST_YEARS:
        check.fail("last_year", f"{last} lies before the panel's last year or too far beyond it",
                   f"choose {check.years[-1]} to {check.years[-1] + MOST_YEARS}, or leave it out")
    demography = check.one_of("demography", given.get("demography", "none"), DEMOGRAPHY)
    if (demography == "none") != (last == check.years[-1]):
        check.fail("demography", f"{demography!r} with years to {last}, the panel ending in {check.years[-1]}",
                   "a projection needs births and deaths (wpp_medium or carried), and nothing else does")
    name = check.text("name", given["name"])
    if not re.fullmatch(f"[A-Za-z0-9_]{{1,{LONGEST_NAME}}}", name):
        check.fail("name", f"{name!r} cannot name a folder", f"use letters, digits and underscores, {LONGEST_NAME} at "
                   "most")
    return Scenario(name, check.text("title", given["title"]), check.text("description", given.get("description", "")),
                    tuple(check.change(c, f"changes[{k + 1}]", last) for k, c in enumerate(changes)),
                    check.one_of("hindsight", given.get("hindsight", "kept"), HINDSIGHT),
                    check.number("elsewhere", given.get("elsewhere", 0.0), 0.0, 1.0),
                    None if end is None else last, demography)


class _Check:
    """Parts of a scenario, each checked; every failure is one ConfigError."""

    def __init__(self, file, territories: list[str], years: list[int]):
        self.file, self.territories, self.years = file, territories, years

    def fail(self, key: str, problem: str, remedy: str):
        raise ConfigError(self.file, problem, remedy, key=key)

    def keys(self, given, known: Sequence[str], needed: Sequence[str], where: str) -> None:
        if not isinstance(given, Mapping):
            self.fail(where or "file", f"expected a table of keys, found {given!r}", _REMEDY)
        for key in given:
            if key not in known:
                near = get_close_matches(str(key), known, n=1, cutoff=0.0)[0]
                self.fail(f"{where}{key}", f"unknown key {str(key)!r}", f"did you mean {near!r}?")
        for key in needed:
            if key not in given:
                self.fail(f"{where}{key}", f"{key} is missing", _REMEDY)

    def text(self, key: str, value) -> str:
        if not isinstance(value, str) or (key != "description" and not value.strip()):
            self.fail(key, f"expected words, found {value!r}", "write a text, in quotes if it looks like a number")
        return " ".join(value.split())

    def whole(self, key: str, value) -> int:
        if type(value) is not int:
            self.fail(key, f"expected a calendar year, found {value!r}", "write it as in 2010")
        return value

    def number(self, key: str, value, low: float = -math.inf, high: float = math.inf) -> float:
        if type(value) not in (int, float) or not math.isfinite(value):
            self.fail(key, f"expected a finite number, found {value!r}", "write numbers with a point, as in 0.5")
        if not low <= value <= high:
            bounds = f"{low:g} or more" if high == math.inf else f"{low:g} to {high:g}"
            self.fail(key, f"{value!r} is out of range", f"choose {bounds}")
        return float(value)

    def one_of(self, key: str, value, known: Sequence[str]) -> str:
        if value not in known:
            near = get_close_matches(str(value), known, n=1, cutoff=0.0)[0]
            self.fail(key, f"{value!r} is none of {', '.join(known)}", f"did you mean {near!r}?")
        return value

    def change(self, given, where: str, end: int) -> Change:
        span = ("from", "to")
        border = isinstance(given, Mapping) and "border" in given
        if border:
            self.keys(given, ("border", "factor", "returns", *span), ("border", "factor", "from"), f"{where}.")
        else:
            self.keys(given, ("covariate", "territories", "corridors", *HOW, *span), ("covariate", "from"), f"{where}.")
        first = self.whole(f"{where}.from", given["from"])
        last = end if given.get("to") is None else self.whole(f"{where}.to", given["to"])
        if not self.years[0] < first <= end:
            self.fail(f"{where}.from", f"{first} is not among the years after the first",
                      f"choose {self.years[0] + 1} to {end}: a year before must be known")
        if not first <= last <= end:
            self.fail(f"{where}.to", f"years {first} to {last} make no period", f"choose {first} to {end}, or leave "
                      "it out")
        until = None if given.get("to") is None else last
        if border:
            back = given.get("returns", True)
            if type(back) is not bool:
                self.fail(f"{where}.returns", f"expected true or false, found {back!r}", "true holds up those who go "
                          "home as well")
            return Change(self.corridors(f"{where}.border", given["border"]), first, until,
                          factor=self.number(f"{where}.factor", given["factor"], 0.0, 100.0), returns=back)
        name = self.one_of(f"{where}.covariate", given["covariate"], (*TERRITORY, *PAIR))
        wanted, other = ("territories", "corridors") if name in TERRITORY else ("corridors", "territories")
        if wanted not in given or other in given:
            self.fail(f"{where}.{wanted}", f"{name} is known by {wanted}", f"name {wanted}, and no {other}")
        places = (self.codes if name in TERRITORY else self.corridors)(f"{where}.{wanted}", given[wanted])
        how = [k for k in HOW if k in given]
        if len(how) != 1:
            self.fail(where, f"{len(how)} of {', '.join(HOW)} are given", "give exactly one")
        return Change(places, first, until, name, how[0], self.value(f"{where}.{how[0]}", name, how[0], given[how[0]]))

    def value(self, key: str, name: str, how: str, given) -> float:
        if how == "hold":
            if given is not True:
                self.fail(key, f"expected true, found {given!r}", "write hold: true")
            return 0.0
        low = 0.0 if how == "multiply" or (how == "set" and name in NEVER_BELOW_ZERO) else -math.inf
        return self.number(key, given, -0.5 if how == "grow" else low,
                           0.5 if how == "grow" else 1.0 if how == "set" and name in AT_MOST_ONE else math.inf)

    def codes(self, key: str, given) -> tuple[str, ...]:
        listed = [given] if isinstance(given, str) else given
        if not isinstance(listed, list) or not listed:
            self.fail(key, f"expected a list of territories, found {given!r}", "write them as in [SYR, LBN]")
        for code in listed:
            if code != "*" and code not in self.territories:
                near = get_close_matches(str(code), self.territories, n=1, cutoff=0.0)[0]
                self.fail(key, f"the panel has no territory {code!r}", f"did you mean {near!r}? '*' is all")
        return tuple(listed)

    def corridors(self, key: str, given) -> tuple[str, ...]:
        listed = [given] if isinstance(given, str) else given
        if not isinstance(listed, list) or not listed or not all(isinstance(c, str) for c in listed):
            self.fail(key, f"expected a list of corridors, found {given!r}", "write them as in [MEX-USA, '*-LBN']")
        for corridor in listed:
            ends = corridor.split("-")
            if len(ends) != 2 or ends[0] == ends[1] != "*":
                self.fail(key, f"{corridor!r} is no corridor", "write origin and destination, as in MEX-USA")
            self.codes(key, ends)
        return tuple(listed)


def pair_mask(corridors: Sequence[str], territories: Sequence[str]) -> np.ndarray:
    """Ordered pairs [origin, destination] that corridors name, ``"*"`` standing for every territory."""
    places, out = np.asarray(territories), np.zeros((len(territories),) * 2, bool)
    for corridor in corridors:
        origin, destination = corridor.split("-")
        out |= ((places == origin) | (origin == "*"))[:, None] & ((places == destination) | (destination == "*"))
    return out & ~np.eye(len(places), dtype=bool)


def touched_pairs(scenario: Scenario, territories: Sequence[str]) -> np.ndarray:
    """Pairs [origin, destination] that changes speak of: all of a changed territory, and changed corridors."""
    places, out = np.asarray(territories), np.zeros((len(territories),) * 2, bool)
    for change in scenario.changes:
        if change.covariate in TERRITORY:
            here = np.isin(places, change.places) | ("*" in change.places)
            out |= here[:, None] | here[None]
        else:
            out |= pair_mask(change.places, territories)
    return out & ~np.eye(len(places), dtype=bool)
