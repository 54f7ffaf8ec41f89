"""A simulated world whose truth is known: people with a birthplace who live, choose, move, return and die.

How it differs from the model that is fitted to it, on purpose:

- Destinations compete (a nested choice: one closed border sends people elsewhere); the model adds up hazards.
- There are temporary, settled and displaced migrants, so the chance to return falls with the length of the stay; the
  model sees one kind.
- Corridors carry heavy-tailed effects that no covariate shows, and these wander.
- Migrants die more rarely than natives; the model's bookkeeping has one death rate for all.

People are whole numbers and nobody gets lost: births − deaths + net migration is the change of the population, exactly.
"""
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from ..config import TwinConfig
from ..errors import ConfigError
from .economy import Events, Stage, set_stage, stream

KINDS = ("temporary", "settled", "displaced")      # natives are settled at home
TEMPORARY, SETTLED, DISPLACED = range(3)


@dataclass(frozen=True)
class World:
    """What happened. Persons are exact integers.

    ``truth`` holds ``flow[year, origin, destination]``, ``flow_by_birthplace[year, birthplace, origin, destination]``,
    ``stock[date_year, birthplace, residence]`` (1 January, the last one after the last year; natives on the diagonal),
    ``stock_by_kind[date_year, kind, birthplace, residence]``, ``net_migration``, ``births``, ``deaths``
    ``[year, residence]`` and ``population[date_year, residence]``. ``refugees`` holds ``displaced_stock[date_year,
    origin, destination]`` (1 January) and ``displaced_flow[year, origin, destination]`` (new in the year).
    ``covariates`` holds what people saw: incomes, conflict, membership, distance, language and the like.
    """

    territories: tuple[str, ...]
    years: tuple[int, ...]
    truth: xr.Dataset
    covariates: xr.Dataset
    refugees: xr.Dataset
    events: Events


def simulate(config: TwinConfig, years: Sequence[int]) -> World:
    """Simulate the twin world: the same configuration and years give the same world.

    Parameters
    ----------
    config : the sliders.
    years : consecutive calendar years whose flows are wanted.

    Raises
    ------
    ConfigError
        When the years are not consecutive.
    """
    years = tuple(int(y) for y in years)
    if not years or years != tuple(range(years[0], years[0] + len(years))):
        raise ConfigError("simulate", f"years {years} are not consecutive", "give them like range(1990, 2025)",
                          key="years")
    stage = set_stage(config, years)
    chance = Chance(config, stage)
    people = chance.history()
    stocks, moves, fled, born, died = [people], [], [], [], []
    for t in range(len(years)):
        people, year = chance.live(people, t)
        stocks.append(people)
        for record, value in zip((moves, fled, born, died), year):
            record.append(value)
    records = (np.array(r) for r in (stocks, moves, fled, born, died))
    return _world(stage, config.events.war_deaths, *records)


class Chance:
    """The dice and the tables they are thrown on. ``people`` is [kind, birthplace, residence] on 1 January."""

    def __init__(self, config: TwinConfig, stage: Stage):
        self.config, self.stage, self.p = config, stage, config.people
        n = len(stage.territories)
        self.dice = stream(config, "people")
        self.home = np.eye(n, dtype=bool)
        self.level = None                                        # natives' inclination to leave, set by history()
        self.restless = np.exp(0.4 * stream(config, "restless").standard_normal(n))   # natives' own inclination
        p, draw = self.p, stream(config, "wander")
        wander = np.zeros((len(stage.years), n, n))
        for t in range(len(stage.years)):
            fresh = np.sqrt(1 - p.corridor_memory ** 2) * draw.standard_normal((n, n))
            wander[t] = p.corridor_memory * wander[t - 1] + fresh if t else draw.standard_normal((n, n))
        self.wander = p.corridor_change * wander
        self.culture = p.culture * (stage.common_language + stage.colonial_tie + 0.3 * stage.religious_similarity)

    def history(self) -> np.ndarray:
        """The years before the first: diasporas grow in the first year's world, births balancing deaths."""
        people = np.zeros((3, *self.home.shape), np.int64)
        people[SETTLED][self.home] = self.stage.population
        self._set_level(people)
        for _ in range(self.p.burn_in):
            people, _ = self.live(people, 0, history=True)
            self._set_level(people)
        return people

    def _set_level(self, people):
        """Scale the natives' inclination so that the world mean of leaving is the slider's."""
        _, promise = self.destinations(people, 0)
        natives = people[SETTLED][self.home]
        self.level = natives.sum() / (natives * self.inclination(promise)[self.home] * self.restless).sum()

    def appeal(self, t: int) -> np.ndarray:
        """Utility of moving from j to k in year t as anybody sees it [origin, destination]."""
        stage, p, income = self.stage, self.p, np.log(self.stage.income[t])
        size = np.log(stage.population)
        return (p.income_pull * (income[None] - income[:, None]) + 4 * stage.cycle[t][None]
                - p.distance_decay * np.log(np.maximum(stage.distance, 100.0) / 1000) + 0.5 * stage.contiguity
                + p.size_pull * (size - size.mean())[None] + stage.unseen + self.wander[t]
                + self.config.events.union_effect * stage.union[t]
                - self.config.events.closure_effect * stage.closed[t] - 3 * stage.conflict[t][None])

    def destinations(self, people, t: int):
        """Share of each destination [birthplace, origin, destination], and the promise of all [birthplace, origin].

        Return home is another decision, so neither home nor the present residence is among the destinations.
        """
        network = np.exp(self.p.network * np.log1p(people.sum(0)) + self.culture)      # [birthplace, destination]
        weight = network[:, None, :] * np.exp(self.appeal(t))[None]
        weight[:, self.home] = 0                                  # where one is already
        weight.transpose(1, 0, 2)[:, self.home] = 0               # home
        promise = weight.sum(2)
        return weight / np.maximum(promise, 1e-300)[:, :, None], promise

    def inclination(self, promise) -> np.ndarray:
        """How much better places make people leave at all: less than proportionally (nested choice)."""
        return np.maximum(promise, 1e-300) ** self.p.nesting

    def rates(self, promise, t: int):
        """Annual rates of leaving for a new place and of going home, each [kind, birthplace, residence]."""
        stage, p, events = self.stage, self.p, self.config.events
        income = np.log(stage.income[t])
        mobility = stage.mobility[t]
        inclined = self.level * self.inclination(promise)         # 1 for the average native of the first year
        leave = np.stack([p.onward * inclined] * 3)
        # Who has no means stays: the brake of incomes below the world's middle.
        brake = np.exp(-p.means * np.maximum(0, np.log(6000) - income)) * self.restless
        leave[SETTLED][self.home] = p.leaving / 1000 * (inclined[self.home] * brake)
        homesick = np.exp(np.clip(0.4 * (income[:, None] - income[None]), -1.5, 1.5)    # richer home, earlier return
                          + 6 * (stage.cycle[t][:, None] - stage.cycle[t][None])
                          + stage.conflict[t][None] - 4 * stage.conflict[t][:, None])   # from war, not into it
        back = np.array([p.temporary_return, p.settled_return, events.refugee_return])[:, None, None] * homesick
        # Nobody flees home: refugees return once there is peace, whatever incomes say.
        back[DISPLACED] = events.refugee_return * np.where(stage.conflict[t][:, None] > 0.02, 0.05, 1.0)
        back[:, self.home] = 0
        return np.minimum(leave * mobility, 1.0), np.minimum(back * mobility, 1.5)

    def live(self, people: np.ndarray, t: int, history: bool = False):
        """One calendar year: some settle, some flee, everybody else dies, leaves, returns or stays; children are born.

        Returns the people of the next 1 January and (moves [birthplace, origin, destination], those of them who fled
        [origin, destination], births [residence], deaths [birthplace, residence]).
        """
        stage, dice, n = self.stage, self.dice, len(self.home)
        people = people.copy()
        conflict = np.zeros(n) if history else stage.conflict[t]
        for kind, rate in ((TEMPORARY, self.p.settling), (DISPLACED, self.p.settling / 3)):
            settled = dice.binomial(people[kind], rate)
            people[kind] -= settled
            people[SETTLED] += settled
        share, promise = self.destinations(people, t)
        fled = self._flee(people, share, conflict)

        leave, back = self.rates(promise, t)
        total = leave + back
        gone = -np.expm1(-total) / np.maximum(total, 1e-300)      # competing: of the rates, what happens in a year
        outcome = np.zeros((3, n, n, n + 2))                      # a move to each place, death, neither
        outcome[..., :n] = (leave * gone)[..., None] * share[None]
        born_in, lives_in = np.nonzero(~self.home)
        outcome[:, born_in, lives_in, born_in] = (back * gone)[:, born_in, lives_in]
        death = self._death_rate(t, conflict)
        outcome[..., :n] *= (1 - death)[None, :, :, None]
        outcome[..., n] = death[None]
        outcome[..., n + 1] = np.clip(1 - outcome.sum(-1), 0, 1)
        drawn = dice.multinomial(people, outcome)                 # [kind, birthplace, residence, outcome]
        moved, died = drawn[..., :n], drawn[..., n].sum(0)
        births = died.sum(0) if history else dice.poisson(stage.birth_rate[t] * people.sum((0, 1)))

        people -= moved.sum(3) + drawn[..., n]
        self._arrive(people, moved, fled)
        people[SETTLED][self.home] += births
        moves = moved.sum(0)
        moves[np.arange(n), np.arange(n), :] += fled
        return people, (moves, fled, births, died)

    def _flee(self, people, share, conflict) -> np.ndarray:
        """Natives who flee abroad [origin, destination]: to where they would have gone, but nearer.

        Takes them out of ``people``; they arrive at the end of the year.
        """
        stage, n = self.stage, len(self.home)
        fled = np.zeros((n, n), np.int64)
        for j in np.flatnonzero(conflict):
            near = share[j, j] ** 0.5 * np.exp(-stage.distance[j] / 2000) * (1 - conflict)
            rate = self.config.events.war_flight * conflict[j]
            if near.sum() > 0:
                fled[j] = self.dice.multinomial(people[SETTLED, j, j], [*(rate * near / near.sum()), 1 - rate])[:n]
                people[SETTLED, j, j] -= fled[j].sum()
        return fled

    def _death_rate(self, t, conflict) -> np.ndarray:
        """[birthplace, residence]: migrants live longer than natives, conflict kills both."""
        rate = self.stage.death_rate[t][None] * np.where(self.home, 1.0, self.p.migrant_mortality)
        return np.clip(rate + self.config.events.war_deaths * conflict[None], 0, 0.5)

    def _arrive(self, people, moved, fled):
        """Newcomers become temporary or settled, returners natives again; refugees stay refugees.

        Adds them to ``people``.
        """
        arrived = moved.sum(2)                                     # [kind, birthplace, destination]
        returned = arrived[:, self.home].sum(0)
        arrived[:, self.home] = 0
        chosen = arrived[TEMPORARY] + arrived[SETTLED]
        temporary = self.dice.binomial(chosen, self.stage.temporary_share[None])
        people[TEMPORARY] += temporary
        people[SETTLED] += chosen - temporary
        people[SETTLED][self.home] += returned
        people[DISPLACED] += arrived[DISPLACED] + fled


def _world(stage: Stage, war_deaths: float, stocks, moves, fled, born, died) -> World:
    """Label the records: ``stocks`` [date, kind, birthplace, residence], ``moves`` [year, birthplace, from, to]."""
    codes, years = list(stage.territories), list(stage.years)
    place = {d: codes for d in ("birthplace", "residence", "origin", "destination")}
    time = {"year": years, "date_year": [*years, years[-1] + 1]}
    flow = moves.sum(1)
    residence, pair = ("year", "residence"), ("origin", "destination")
    persons = {"units": "persons"}

    def coords(*dims):
        return {d: ({**place, **time, "kind": list(KINDS)})[d] for d in dims}

    truth = xr.Dataset({
        "flow": (("year", *pair), flow, persons),
        "flow_by_birthplace": (("year", "birthplace", *pair), moves, persons),
        "stock": (("date_year", "birthplace", "residence"), stocks.sum(1), persons),
        "stock_by_kind": (("date_year", "kind", "birthplace", "residence"), stocks, persons),
        "net_migration": (residence, flow.sum(1) - flow.sum(2), persons),
        "births": (residence, born, persons),
        "deaths": (residence, died.sum(1), persons),
        "population": (("date_year", "residence"), stocks.sum((1, 2)), persons),
    }, coords=coords("year", "date_year", "kind", "birthplace", "residence", *pair),
        attrs={"title": "what happened in the simulated world", "source": "simulated"})
    covariates = xr.Dataset({
        "gdp_per_capita": (residence, stage.income, {"units": "2015 US$ per person"}),
        "conflict_deaths": (residence, np.round(war_deaths * stage.conflict * stocks[:-1].sum((1, 2))), persons),
        "life_expectancy": (residence, stage.life_expectancy, {"units": "years"}),
        "eu_member": (residence, stage.member, {"units": "1", "long_name": "member of the simulated union"}),
        "distance": (pair, stage.distance, {"units": "km"}),
        **{name: (pair, getattr(stage, name), {"units": "1"}) for name in
           ("common_language", "colonial_tie", "religious_similarity", "contiguity")},
    }, coords=coords("year", "residence", *pair))
    refugees = xr.Dataset({
        "displaced_stock": (("date_year", *pair), stocks[:, DISPLACED], persons),
        "displaced_flow": (("year", *pair), fled, persons),
    }, coords=coords("year", "date_year", *pair))
    return World(stage.territories, stage.years, truth, covariates, refugees, stage.events)
