"""The stage of the simulated world: places, cultures, incomes, births and deaths, war, union, closure and pandemic.

Names, coordinates and land borders are facts; everything else is drawn from the seed. Nobody moves in this module.
"""
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..config import TwinConfig
from ..territories import region_of

# Code, longitude, latitude of roughly where people live. The first n are simulated; 20 of them touch all 11 regions.
PLACES = {code: (float(lon), float(lat)) for code, lon, lat in (place.split() for place in """
USA -91 38; MEX -101 20; DEU 10 51; POL 19 52; GBR -1 52; ROU 25 46; TUR 33 39; IND 79 22; PHL 122 13; NZL 174 -39;
NGA 7 9; BRA -46 -19; SYR 37 35; ESP -4 40; UKR 31 49; EGY 31 30; ZAF 28 -28; UZB 67 41; CHN 114 32; AUS 147 -33;
FRA 3 47; RUS 45 55; CAN -88 46; VEN -67 10; COL -75 5; MAR -7 33; ETH 39 9; PAK 71 31; ARE 55 25; JAM -77 18;
KAZ 71 47; IRN 52 34; SAU 44 24; BGD 90 24; JPN 138 36; ARG -61 -34; KEN 37 0; ITA 12 43; LBN 36 34; WSM -172 -14;
SDN 32 15; NPL 85 27; VNM 106 16; IDN 110 -7; KOR 127 37; THA 101 15; MMR 96 20; AFG 68 34; IRQ 44 33; JOR 36 32;
GHA -1 7; SEN -16 14; COD 23 -4; CIV -5 7; PER -76 -11; CUB -80 22; GTM -91 15; FJI 178 -18; PRT -8 40; SWE 16 59
""".replace("\n", " ").strip().split(";"))}
BORDERS = {  # each pair once
    "USA": ("MEX", "CAN"), "MEX": ("GTM",), "BRA": ("VEN", "COL", "ARG", "PER"), "VEN": ("COL",), "COL": ("PER",),
    "DEU": ("POL", "FRA"), "POL": ("UKR", "RUS"), "UKR": ("RUS", "ROU"), "FRA": ("ESP", "ITA"), "ESP": ("MAR", "PRT"),
    "TUR": ("SYR", "IRN", "IRQ"), "SYR": ("LBN", "IRQ", "JOR"), "IRQ": ("IRN", "SAU", "JOR"), "JOR": ("SAU",),
    "IRN": ("PAK", "AFG"), "IND": ("PAK", "BGD", "CHN", "NPL", "MMR"), "CHN": ("PAK", "RUS", "KAZ", "NPL", "VNM", "MMR",
                                                                             "AFG"),
    "AFG": ("PAK", "UZB"), "MMR": ("BGD", "THA"), "KAZ": ("RUS", "UZB"), "ARE": ("SAU",), "ETH": ("KEN", "SDN"),
    "SDN": ("EGY",), "GHA": ("CIV",)}
LANGUAGES, COLONISERS, UNRESTS = 7, 3, 4


def stream(config: TwinConfig, name: str) -> np.random.Generator:
    """A random stream of its own for every purpose: turning one slider does not reshuffle the others' draws."""
    return np.random.default_rng([config.seed, zlib.crc32(name.encode())])


@dataclass(frozen=True)
class Events:
    """What the seed decides about the events; None where the world is too small for one."""

    war_territory: str
    union: dict[str, int]              # member -> calendar year of accession; founders have the year 0
    closed_corridor: str | None        # "AAA-BBB"


@dataclass(frozen=True)
class Stage:
    """Everything that people find when they look around. Y years, N territories; [origin, destination] for pairs."""

    territories: tuple[str, ...]
    years: tuple[int, ...]
    events: Events
    population: np.ndarray             # (N,) persons at the start
    distance: np.ndarray               # (N, N) km
    contiguity: np.ndarray             # (N, N) 0 or 1
    common_language: np.ndarray        # (N, N) 0..1
    colonial_tie: np.ndarray           # (N, N) 1 where the origin was ever a colony of the destination
    religious_similarity: np.ndarray   # (N, N) 0..1
    unseen: np.ndarray                 # (N, N) log utility of a corridor that no covariate shows
    income: np.ndarray                 # (Y, N) GDP per capita, 2015 US$
    cycle: np.ndarray                  # (Y, N) growth above trend
    birth_rate: np.ndarray             # (Y, N) births per resident
    death_rate: np.ndarray             # (Y, N) deaths per resident, before the difference between migrants and natives
    life_expectancy: np.ndarray        # (Y, N) years
    conflict: np.ndarray               # (Y, N) 0..1, intensity of war or unrest
    union: np.ndarray                  # (Y, N, N) 0..1, how far free movement is in force
    member: np.ndarray                 # (Y, N) 0 or 1
    closed: np.ndarray                 # (Y, N, N) 0 or 1
    mobility: np.ndarray               # (Y,) factor on everybody's inclination to move: slow growth, pandemic
    temporary_share: np.ndarray        # (N,) share of newcomers that a destination admits for a while only


def set_stage(config: TwinConfig, years: Sequence[int]) -> Stage:
    """Draw the stage of a simulated world from the seed."""
    years = tuple(int(y) for y in years)
    territories = tuple(sorted(list(PLACES)[:config.territories]))
    distance, contiguity = geography(territories)
    size = stream(config, "population").standard_normal(len(territories))
    population = config.people.population_median * np.exp(config.people.population_spread * size)
    start = _first_incomes(config, territories)
    unseen = _unseen(config, len(territories))
    events = _draw_events(config, territories, population, start, distance, unseen)
    conflict = _conflict(config, territories, years, events)
    cycle = _cycle(config, len(years), len(territories))
    income = _incomes(start, cycle, conflict)
    life, birth_rate, death_rate = _vital_rates(config, income, conflict, years)
    member, union = _union(config, territories, years, events)
    language, colonial, religion = _cultures(config, territories, distance, start)
    share = np.log(config.people.temporary_share + 1e-9) - np.log1p(1e-9 - config.people.temporary_share)
    share = share + stream(config, "temporary").standard_normal(len(territories))
    return Stage(
        territories=territories, years=years, events=events,
        population=np.clip(population, 1e4, None).round().astype(np.int64), distance=distance,
        contiguity=contiguity, common_language=language, colonial_tie=colonial,
        religious_similarity=religion, unseen=unseen, income=income, cycle=cycle, birth_rate=birth_rate,
        death_rate=death_rate, life_expectancy=life, conflict=conflict, union=union, member=member,
        closed=_closure(config, territories, years, events), mobility=_mobility(config, years),
        temporary_share=1 / (1 + np.exp(-share)))


def geography(territories: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Great-circle distance in km and common land border (0 or 1), each [origin, destination]."""
    lon, lat = np.radians(np.array([PLACES[c] for c in territories])).T
    half = (np.sin((lat[:, None] - lat) / 2) ** 2
            + np.cos(lat)[:, None] * np.cos(lat) * np.sin((lon[:, None] - lon) / 2) ** 2)  # haversine
    contiguity = np.zeros((len(territories),) * 2)
    for a, neighbours in BORDERS.items():
        for b in neighbours:
            if a in territories and b in territories:
                i, j = territories.index(a), territories.index(b)
                contiguity[i, j] = contiguity[j, i] = 1
    return 2 * 6371.0 * np.arcsin(np.sqrt(np.clip(half, 0, 1))), contiguity


def _first_incomes(config, territories) -> np.ndarray:
    """Incomes of the first year: regions differ, and territories within them."""
    draw = stream(config, "income")
    region = region_of().reindex(list(territories))
    regional = dict(zip(sorted(region.unique()), 0.7 * draw.standard_normal(region.nunique())))
    log_income = np.log(9000) + np.array([regional[r] for r in region]) + 0.9 * draw.standard_normal(len(territories))
    return np.exp(np.clip(log_income, np.log(500), np.log(60000)))


def _unseen(config, n) -> np.ndarray:
    """Charm of a destination to everybody, and what only a corridor's own people know.

    Student t of unit variance: a few corridors are used ten times more than anything visible explains.
    """
    draw, tail = stream(config, "corridors"), config.people.corridor_tail
    # Clipped: beyond four sd one corridor could carry half of a world's moves.
    corridor = np.clip(draw.standard_t(tail, (n, n)) * np.sqrt(1 - 2 / tail), -4, 4)
    return config.people.corridor_effect * corridor + 0.5 * draw.standard_normal(n)[None]


def _draw_events(config, territories, population, income, distance, unseen) -> Events:
    draw = stream(config, "events")
    # A war in a middling place: neither so small that nobody notices nor so large that it drowns all else.
    rank = np.argsort(np.argsort(population)) / max(len(territories) - 1, 1)
    middling = [k for k in range(len(territories)) if 0.25 <= rank[k] <= 0.65]
    war = int(draw.choice(middling))
    european = [k for k, r in enumerate(region_of().reindex(list(territories))) if r == "Europe" and k != war]
    by_income = sorted(european, key=lambda k: -income[k])[:max(2, round(0.8 * len(european)))]
    founders, rest = by_income[:-(-len(by_income) // 2)], by_income[-(-len(by_income) // 2):]
    accession = dict.fromkeys(founders, 0)
    accession |= {k: config.events.union_first_year if n % 2 == 0 else config.events.union_second_year
                  for n, k in enumerate(rest)}
    # The border that closes is a busy one outside the union and the war.
    outside = [k for k in range(len(territories)) if k not in accession and k != war]
    p, size, log_income = config.people, np.log(population), np.log(income)
    promise = {(j, k): size[j] + p.size_pull * size[k] + p.income_pull * (log_income[k] - log_income[j])
               - p.distance_decay * np.log(max(distance[j, k], 100)) + unseen[j, k]
               for j in outside for k in outside if j != k}
    best = sorted(promise, key=promise.get)[-3:]
    corridor = best[draw.integers(len(best))] if best else None
    return Events(
        war_territory=territories[war], union={territories[k]: year for k, year in sorted(accession.items())},
        closed_corridor=f"{territories[corridor[0]]}-{territories[corridor[1]]}" if corridor else None)


def _conflict(config, territories, years, events) -> np.ndarray:
    """Intensity of conflict: one great war, and low unrest for three years here and there."""
    draw, years = stream(config, "conflict"), np.array(years)
    conflict = np.zeros((len(years), len(territories)))
    for place in draw.choice(len(territories), min(UNRESTS, len(territories)), replace=False):
        first = years[0] + draw.integers(max(len(years) - 3, 1))
        conflict[(years >= first) & (years < first + 3), place] = draw.uniform(0.03, 0.12)
    age = years - config.events.war_year
    fierce = np.clip(1 - 0.1 * np.abs(age - 1), 0.3, 1)
    war = territories.index(events.war_territory)
    conflict[:, war] = np.where((age >= 0) & (age < config.events.war_years), fierce, 0)
    return conflict


def _cycle(config, years, n) -> np.ndarray:
    """Growth above trend: autoregressive, half of it common to the world."""
    draw = stream(config, "cycle")
    cycle, state = np.zeros((years, n)), np.zeros(n)
    for t in range(years):
        shock = 0.5 * draw.standard_normal() + 0.87 * draw.standard_normal(n)
        state = 0.6 * state + 0.8 * config.events.business_cycle * shock
        cycle[t] = state
    return cycle


def _incomes(start, cycle, conflict) -> np.ndarray:
    """The poor catch up slowly, cycles swing, war destroys."""
    income = [start]
    for t in range(1, len(cycle)):
        trend = 0.013 + 0.006 * (np.log(60000) - np.log(income[-1]))
        income.append(income[-1] * np.exp(trend + cycle[t] - 0.12 * conflict[t]))
    return np.clip(np.array(income), 200, 200000)


def _vital_rates(config, income, conflict, years):
    """Life expectancy, births and deaths per resident and year: development lowers births and lengthens life."""
    draw, v, n = stream(config, "vital"), config.vital, income.shape[1]
    develop = np.clip((np.log(income) - np.log(500)) / np.log(120), 0, 1.2)
    pandemic = np.array([1.0 if y == config.events.pandemic_year else 0.0 for y in years])[:, None]
    life = (v.life_expectancy + v.life_gain * develop + v.life_spread * draw.standard_normal(n)
            - v.life_lost_war * conflict - v.life_lost_pandemic * pandemic)
    births = v.birth_rate - v.birth_decline * develop + v.birth_spread * draw.standard_normal(n)
    # Rich populations are old and poor ones short-lived: crude death rates differ less than lives do.
    deaths = v.death_rate + v.death_spread * draw.standard_normal(n) + v.death_by_life * (75 - life)
    return (np.clip(life, 35, 88), np.clip(births, v.birth_least, v.birth_most),
            np.clip(deaths, v.death_least, v.death_most))


def _union(config, territories, years, events):
    """Membership (0 or 1) and how far free movement is in force between two members (0..1), opening step by step."""
    year = np.array(years)[:, None]
    accession = np.array([events.union.get(c, 9999) for c in territories])
    member = (year >= accession).astype(float)
    opened = np.clip((year - accession + 1) / config.events.union_opening, 0, 1) * member
    return member, np.minimum(opened[:, :, None], opened[:, None, :])


def _closure(config, territories, years, events) -> np.ndarray:
    closed = np.zeros((len(years), len(territories), len(territories)))
    if events.closed_corridor:
        j, k = (territories.index(c) for c in events.closed_corridor.split("-"))
        age = np.array(years) - config.events.closure_year
        closed[(age >= 0) & (age < config.events.closure_years), j, k] = 1
    return closed


def _mobility(config, years) -> np.ndarray:
    years = np.array(years)
    after = years - config.events.pandemic_year
    cut = config.events.pandemic_cut * np.select([after == 0, after == 1], [1.0, 0.5], 0.0)
    return np.exp(config.people.mobility_growth * (years - years[0])) * (1 - cut)


def _cultures(config, territories, distance, income):
    """Languages spread from a few centres, rich places once held colonies, religions fade with distance."""
    draw, n = stream(config, "culture"), len(territories)
    centres = draw.choice(n, min(LANGUAGES, n), replace=False)
    nearness = -np.log(distance[:, centres] + 300) + 0.8 * draw.gumbel(size=(n, len(centres)))
    spoken = np.exp(3 * (nearness - nearness.max(1, keepdims=True)))
    spoken /= spoken.sum(1, keepdims=True)                     # share of speakers [territory, language]
    colonial = np.zeros((n, n))
    for ruler in np.argsort(-income + 8000 * draw.standard_normal(n))[:COLONISERS]:
        for colony in draw.choice(n, min(4, n), replace=False):
            if colony != ruler and not colonial[ruler, colony]:
                colonial[colony, ruler] = 1
                spoken[colony] = 0.5 * spoken[colony] + 0.5 * spoken[ruler]
    belief = np.exp(-distance[:, draw.choice(n, min(5, n), replace=False)] / 3000) + 0.1 * draw.random((n, min(5, n)))
    belief /= np.linalg.norm(belief, axis=1, keepdims=True)
    return spoken @ spoken.T, colonial, np.clip(belief @ belief.T, 0, 1)
