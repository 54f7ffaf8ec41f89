"""What a page says in words: every sentence is made of the numbers of :mod:`humanflows.countries.tables`.

Plain text; the template escapes it.
"""
import numpy as np

from ..dataset.grades import GRADES
from .tables import ARRIVALS, DEPARTURES, PROVENANCE, SIDES, Corridor, Country, Groups
from .words import between, capital, in_sentence, listed, percent, persons, spell_years

_NEAR = PROVENANCE.index("neighbouring years")


def headline(country: Country) -> list[str]:
    """The page's opening: how many came and left, from and to where, and who lives where."""
    here, year = in_sentence(country.code, country.name), country.years[-1]
    came, left = (persons(country.totals[s][-1]) for s in SIDES)
    came += " person" if came == "1" else " people"
    came, left = (f"{text}{_brackets(between(*country.ends(s)))}" for text, s in ((came, ARRIVALS), (left, DEPARTURES)))
    net = country.totals["net"][-1]
    out = [f"In {year} an estimated {came} moved to {here} and {left} left. Net migration, arrivals less departures, "
           f"was {persons(net, signed=True)}{_brackets(between(*country.ends('net'), signed=True))}."]
    firsts = [(country.corridors[s][0] if country.corridors[s] else None) for s in SIDES]
    parts = [f"the largest {what} was {_corridor(c, verb)}" for c, what, verb in
             zip(firsts, ("origin", "destination"), ("arrivals", "departures")) if c]
    if parts:
        out.append(f"{capital(listed(parts))}.")
    out.append(_since(country))
    return [s for s in out if s]


def _brackets(interval: str) -> str:
    return f" (95% interval {interval})" if interval else ""


def _corridor(c: Corridor, verb: str) -> str:
    said = [f"{percent(c.share)} of all {verb}"]
    ends = between(c.lower, c.upper)
    said += [f"95% interval {ends}"] if ends else []
    said += [f"grade {c.grade}"] if c.grade else []
    return f"{in_sentence(c.code, c.name)} with {persons(c.flow)} ({', '.join(said)})"


def _since(country: Country) -> str:
    years, net = country.years, country.totals["net"]
    peaks = [f"{side} {verb} {years[int(np.argmax(country.totals[side]))]}"
             for side, verb in zip([s for s in SIDES if country.totals[s].max() > 0], ("were highest in", "in"))]
    return f"From {years[0]} to {years[-1]} net migration adds up to {persons(net.sum(), signed=True)}; " \
           f"{listed(peaks)}." if peaks else ""


def people(country: Country) -> str:
    """Who lives here and was born elsewhere, and the other way round."""
    here, born = in_sentence(country.code, country.name), country.born_elsewhere
    abroad = country.living_elsewhere
    out = []
    if born.total[-1] > 0:
        out.append(f"On 1 January {born.dates[-1]}, {persons(born.total[-1])} residents of {here} were born elsewhere"
                   f"{_most(born, 'born in')}.")
    if abroad.total[-1] > 0:
        out.append(f"Of people born in {here}, {persons(abroad.total[-1])} lived elsewhere"
                   f"{_most(abroad, 'living in')}.")
    return " ".join(out)


def _most(groups: Groups, how: str) -> str:
    if not groups.codes:
        return ""
    return (f", the largest group {how} {in_sentence(groups.codes[0], groups.names[0])} "
            f"({persons(groups.values[0, -1])})")


def how_sure(country: Country) -> list[str]:
    """Which offices report, since when, the latest year, what is missing; from the masks of who spoke and grades."""
    reports, here = country.reports, in_sentence(country.code, country.name)
    if reports is None:
        return ["This release does not say who counted what."]
    mine = [f"{side} in {spell_years(reports.own[side])}" for side in SIDES if reports.own[side]]
    out = [f"The office of {here} reports {listed(mine)}." if mine
           else f"No office of {here} reports migration by origin and destination in the sources that were read."]
    theirs = [f"{reports.partners[s]} {'report' if reports.partners[s] > 1 else 'reports'} people who {what} {here} "
              f"(last in {reports.others[s][-1]})"
              for s, what in ((ARRIVALS, "leave for"), (DEPARTURES, "arrive from")) if reports.others[s]]
    if theirs:
        out.append(f"Of offices elsewhere, {listed(theirs)}.")
    last = max((y for of in (reports.own, reports.others) for s in SIDES for y in of[s]), default=None)
    if last is not None and last < country.years[-1]:
        since = last + 1
        gap = f"{since} to {country.years[-1]}" if since < country.years[-1] else f"{since}"
        out.append(f"No office's report of these moves reaches beyond {last}: the estimates for {gap} lean on earlier "
                   "years, on net migration and on stocks.")
    out += _shares(country)
    out += _uncounted(country)
    return out


def _both(country: Country, shares: dict[str, np.ndarray], t: int = -1) -> np.ndarray:
    """Shares of all who came or left in one year."""
    weight = {s: country.totals[s][t] for s in SIDES}
    total = sum(weight.values())
    return sum(shares[s][:, t] * weight[s] for s in SIDES) / total if total > 0 else np.zeros(len(shares[ARRIVALS]))


def observed(country: Country, t: int = -1) -> float:
    """Share of those who came or left in a year whose corridor an office reports for that year."""
    return float(_both(country, country.provenance, t)[:_NEAR].sum()) if country.known else float("nan")


def _shares(country: Country) -> list[str]:
    spoke, graded = _both(country, country.provenance), _both(country, country.graded)
    if not spoke.sum():
        return []
    year = country.years[-1]
    kinds = [(spoke[:_NEAR].sum(), "that an office reports for that year"),
             (spoke[_NEAR], "that offices report for other years"),
             (spoke[PROVENANCE.index("a platform")], "that only a platform counts"),
             (spoke[PROVENANCE.index("nobody")], "that nobody counts")]
    said = [f"{percent(share)} {'' if k else 'moved '}on corridors {what}"
            for k, (share, what) in enumerate((share, what) for share, what in kinds if share > 0)]
    marks = [f"{percent(share)} {grade}" for grade, share in zip(GRADES, graded) if share > 0]
    typical = f" Half of them have grade {country.typical} or a better one." if country.typical else ""
    return [f"Of all who came or left in {year}, {listed(said)}.", f"By grade these are {listed(marks)}.{typical}"]


def _uncounted(country: Country) -> list[str]:
    never = country.reports.never
    said = [f"{what} {in_sentence(c.code, c.name)} (an estimated {persons(c.flow)})"
            for c, what in ((never[ARRIVALS], "arrivals from"), (never[DEPARTURES], "departures to")) if c]
    return [f"The largest gaps in {country.years[-1]}, corridors that nobody counts, are {listed(said)}."] if said \
        else []


def alts(country: Country) -> dict[str, str]:
    """What each figure shows and finds, for those who do not see it."""
    years, totals = country.years, country.totals
    course = listed([f"{side} {persons(totals[side][0])} in {years[0]} and {persons(totals[side][-1])} in {years[-1]}, "
                     f"highest in {years[int(np.argmax(totals[side]))]} ({persons(totals[side].max())})"
                     for side in SIDES])
    net = totals["net"]
    high, low = int(np.argmax(net)), int(np.argmin(net))
    out = {"totals": f"Line chart by year: {course}. Below, net migration, between {persons(net[low], signed=True)} in "
                     f"{years[low]} and {persons(net[high], signed=True)} in {years[high]}.",
           "corridors": f"Dot plot of the largest corridors of {years[-1]}. " + " ".join(
               f"{capital(side)}: {_ranked(country.corridors[side], word)}."
               for side, word in ((ARRIVALS, "from"), (DEPARTURES, "to")) if country.corridors[side]),
           "people": "Two stacked areas by year. " + (people(country) or "Nobody is in them.")}
    if country.known:
        first, last = observed(country, 0), observed(country, -1)
        out["evidence"] = (f"Four stacked areas by year, shares of people. Corridors that an office reports in the "
                           f"year itself hold {percent(first)} of those who came or left in {years[0]} and "
                           f"{percent(last)} in {years[-1]}; half of those of {years[-1]} have grade "
                           f"{country.typical or 'E'} or better.")
    return out


def _ranked(corridors: list[Corridor], word: str) -> str:
    return listed([f"{word} {in_sentence(c.code, c.name)} {persons(c.flow)}" for c in corridors[:3]]) + (
        ", and others" if len(corridors) > 3 else "")


def description(country: Country) -> str:
    """One line for search engines and previews."""
    return f"{capital(in_sentence(country.code, country.name))}: arrivals, departures and net migration, " \
           f"{country.years[0]} to {country.years[-1]}, by origin and destination, estimated."


__all__ = ["ARRIVALS", "DEPARTURES", "alts", "description", "headline", "how_sure", "observed", "people"]
