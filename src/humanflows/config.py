"""Configuration: frozen dataclasses read from config/<profile>.yaml; an unknown key is an error."""
import dataclasses
import math
import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import get_type_hints

from . import paths
from .errors import ConfigError
from .plain_files import read_yaml

PROFILES = ("twin", "world")
PRECISIONS = ("float32", "bfloat16")
MOST_SEEDS = 2**31     # what every generator of random numbers takes


def _slider(default, low, high, unit: str, meaning: str):
    """A parameter of the twin that states its own meaning, unit and sensible range."""
    return field(default=default, metadata={"low": low, "high": high, "unit": unit, "meaning": meaning})


class _Sliders:
    """Every value lies in the range that its slider declares."""

    def __post_init__(self):
        for f in dataclasses.fields(self):
            value, about = getattr(self, f.name), f.metadata
            if about and type(value) not in ((int,) if type(f.default) is int else (int, float)):
                raise ConfigError(type(self).__name__, f"{value!r} is not of type {type(f.default).__name__}",
                                  "mend the value", key=f.name)
            if about and not about["low"] <= value <= about["high"]:
                raise ConfigError(type(self).__name__, f"{value!r} is out of range for the {about['meaning']}",
                                  f"choose {about['low']} to {about['high']} ({about['unit']})", key=f.name)

    def describe(self, prefix: str = "") -> list[dict]:
        """Every slider, nested ones included: ``key, value, default, low, high, unit, meaning``."""
        rows = []
        for f in dataclasses.fields(self):
            value = getattr(self, f.name)
            rows += value.describe(f"{prefix}{f.name}.") if isinstance(value, _Sliders) else [
                {"key": prefix + f.name, "value": value, "default": f.default, **f.metadata}]
        return rows


@dataclass(frozen=True)
class TwinPeopleConfig(_Sliders):
    """How the twin's people live, choose and move."""

    population_median: float = _slider(2e7, 1e4, 1e9, "persons", "median population of a territory in the first year")
    population_spread: float = _slider(1.2, 0.0, 3.0, "sd of log", "spread of the populations")
    burn_in: int = _slider(30, 0, 200, "years", "length of the history before the first year, in which diasporas grow")
    leaving: float = _slider(3.0, 0.0, 100.0, "natives per 1000 a year", "world mean of natives leaving, first year")
    mobility_growth: float = _slider(0.004, -0.2, 0.2, "log per year", "growth of everybody's inclination to move")
    nesting: float = _slider(0.5, 0.0, 1.0, "1", "pull of better places on leaving at all; below 1 they compete")
    income_pull: float = _slider(0.5, 0.0, 3.0, "log utility per log US$", "pull of a destination's higher income")
    means: float = _slider(0.25, 0.0, 2.0, "log utility per log US$", "brake of a poor origin: who has no means stays")
    distance_decay: float = _slider(0.9, 0.0, 4.0, "log utility per log km", "deterrence of distance")
    size_pull: float = _slider(0.35, 0.0, 1.5, "log utility per log person", "pull of a destination's size")
    network: float = _slider(0.4, 0.0, 0.6, "log utility per log person", "pull of people born in the same territory")
    culture: float = _slider(0.8, 0.0, 3.0, "log utility", "pull of a common language or an old colonial tie")
    corridor_effect: float = _slider(0.6, 0.0, 3.0, "log utility", "scale of what only the corridor's people know")
    corridor_tail: float = _slider(4.0, 2.1, 100.0, "degrees of freedom", "tail of corridor effects, Student t")
    corridor_change: float = _slider(0.25, 0.0, 2.0, "sd of log utility", "wandering of corridors over the years")
    corridor_memory: float = _slider(0.7, 0.0, 0.999, "per year", "share of last year's wandering that remains")
    temporary_share: float = _slider(0.5, 0.0, 1.0, "share", "share of newcomers who mean to go home, mean over places")
    temporary_return: float = _slider(0.2, 0.0, 1.0, "per year", "rate at which temporary migrants go home")
    settled_return: float = _slider(0.006, 0.0, 1.0, "per year", "rate at which settled migrants go home")
    settling: float = _slider(0.1, 0.0, 1.0, "per year", "share of temporary migrants who settle")
    onward: float = _slider(0.012, 0.0, 1.0, "per year", "rate at which migrants move on to a third place")
    migrant_mortality: float = _slider(0.75, 0.0, 1.5, "ratio", "mortality of migrants over that of natives")


@dataclass(frozen=True)
class TwinVitalConfig(_Sliders):
    """Births, deaths and lives in the twin, see ``twin/economy.py``.

    Development runs from 0 in the poorest territory (500 US$ a person) to 1 in a rich one (60,000 US$), 1.2 at most.
    Births fall and lives lengthen with it; deaths follow lives, about the rate at a life expectancy of 75 years.
    """

    birth_rate: float = _slider(0.038, 0.0, 0.1, "births per resident a year", "birth rate of the poorest territory")
    birth_decline: float = _slider(0.028, 0.0, 0.1, "births per resident a year", "its fall from there to a rich one")
    birth_spread: float = _slider(0.0015, 0.0, 0.05, "births per resident a year", "sd of birth rates at equal income")
    birth_least: float = _slider(0.007, 0.0, 0.1, "births per resident a year", "lowest birth rate")
    birth_most: float = _slider(0.05, 0.0, 0.2, "births per resident a year", "highest birth rate")
    death_rate: float = _slider(0.0085, 0.0, 0.1, "deaths per resident a year", "death rate at a life of 75 years")
    death_by_life: float = _slider(0.0002, 0.0, 0.01, "per year of life", "rise of the death rate with shorter lives")
    death_spread: float = _slider(0.0015, 0.0, 0.05, "deaths per resident a year", "sd of death rates at equal lives")
    death_least: float = _slider(0.003, 0.0, 0.1, "deaths per resident a year", "lowest death rate")
    death_most: float = _slider(0.03, 0.0, 0.2, "deaths per resident a year", "highest death rate, but for war")
    life_expectancy: float = _slider(58.0, 35.0, 88.0, "years", "life expectancy of the poorest territory")
    life_gain: float = _slider(24.0, 0.0, 50.0, "years", "gain of life expectancy to a rich territory")
    life_spread: float = _slider(1.5, 0.0, 10.0, "years", "sd of life expectancies at equal income")
    life_lost_war: float = _slider(8.0, 0.0, 50.0, "years", "life expectancy lost at the height of a war")
    life_lost_pandemic: float = _slider(1.5, 0.0, 50.0, "years", "life expectancy lost in the year of the pandemic")

    def __post_init__(self):
        super().__post_init__()
        for what in ("birth", "death"):
            least, most = getattr(self, f"{what}_least"), getattr(self, f"{what}_most")
            if least > most:
                raise ConfigError("TwinVitalConfig", f"the lowest {what} rate {least!r} is above the highest, {most!r}",
                                  f"choose at most {most}", key=f"{what}_least")


@dataclass(frozen=True)
class TwinEventsConfig(_Sliders):
    """What happens to the twin world, and when. An event outside the simulated years does not happen."""

    war_year: int = _slider(2011, 1900, 2100, "calendar year", "first year of the war")
    war_years: int = _slider(5, 0, 50, "years", "length of the war")
    war_flight: float = _slider(0.02, 0.0, 0.3, "share of natives a year", "flight abroad at the height of a war")
    war_deaths: float = _slider(0.001, 0.0, 0.1, "share of residents a year", "deaths in conflict at its height")
    refugee_return: float = _slider(0.12, 0.0, 1.0, "per year", "rate at which refugees go home once there is peace")
    union_first_year: int = _slider(2004, 1900, 2100, "calendar year", "accession of the union's first newcomers")
    union_second_year: int = _slider(2010, 1900, 2100, "calendar year", "accession of its second newcomers")
    union_opening: int = _slider(7, 1, 50, "years", "years until free movement with a newcomer is complete")
    union_effect: float = _slider(1.4, 0.0, 5.0, "log utility", "pull of free movement")
    closure_year: int = _slider(2001, 1900, 2100, "calendar year", "year in which one corridor's border is closed")
    closure_years: int = _slider(8, 0, 100, "years", "length of the closure")
    closure_effect: float = _slider(2.0, 0.0, 10.0, "log utility", "deterrence of the closed border")
    pandemic_year: int = _slider(2020, 1900, 2100, "calendar year", "year of the pandemic")
    pandemic_cut: float = _slider(0.5, 0.0, 1.0, "share", "share of moves not made; half as many a year later")
    business_cycle: float = _slider(0.02, 0.0, 0.2, "sd of growth", "swing of the economies")


@dataclass(frozen=True)
class TwinErrorsConfig(_Sliders):
    """How imperfectly the twin's offices see: one slider per imperfection."""

    stock_disagreement: float = _slider(0.1, 0.0, 2.0, "sd of log", "error of a pair's stock that one revision repeats")
    stock_noise: float = _slider(0.03, 0.0, 2.0, "sd of log", "error of each stock figure")
    stock_rounding: int = _slider(10, 1, 10000, "persons", "rounding of stocks")
    stock_absent_below: int = _slider(30, 0, 10**6, "persons", "smallest stock shown; twice that in the last revision")
    stock_absent_share: float = _slider(0.05, 0.0, 0.9, "share of pairs", "further pairs that a revision leaves out")
    citizenship_share: float = _slider(0.2, 0.0, 1.0, "share of territories", "offices that count citizens for births")
    naturalised: float = _slider(0.3, 0.0, 1.0, "share", "settled migrants who have become citizens")
    births_noise: float = _slider(0.01, 0.0, 1.0, "sd of log", "error of births")
    deaths_noise: float = _slider(0.02, 0.0, 1.0, "sd of log", "error of deaths")
    population_noise: float = _slider(0.005, 0.0, 0.5, "sd of log", "error of the first population")
    net_migration_noise: float = _slider(0.2, 0.0, 5.0, "share", "error of net migration, in the territory's spread")
    net_migration_memory: float = _slider(0.8, 0.0, 0.999, "per year", "share of that error that remains next year")
    national_share: float = _slider(0.4, 0.0, 1.0, "share of territories", "offices that publish net migration")
    national_noise: float = _slider(0.05, 0.0, 5.0, "share", "error of that, in the territory's spread")
    three_months_excess: float = _slider(0.35, 0.0, 5.0, "share", "moves counted beside those of a year: three months")
    six_months_excess: float = _slider(0.15, 0.0, 5.0, "share", "moves counted beside those of a year: six months")
    immigration_missed: float = _slider(0.05, 0.0, 0.95, "share", "immigrants whom no office notices")
    emigration_missed: float = _slider(0.3, 0.0, 0.95, "share", "emigrants who leave without telling")
    office_spread: float = _slider(0.15, 0.0, 2.0, "sd of log", "spread of offices' levels around the above")
    flow_noise: float = _slider(0.1, 0.0, 2.0, "sd of log", "error of each reported flow")
    flow_absent_below: int = _slider(5, 0, 10**6, "persons", "smallest flow published")
    break_share: float = _slider(0.3, 0.0, 1.0, "share of offices", "offices that change their way of counting once")
    break_size: float = _slider(0.3, 0.0, 3.0, "log", "size of that break, upwards or downwards")
    citizenship_offices: float = _slider(0.15, 0.0, 1.0, "share of offices", "reporters who count by citizenship only")
    meta_level: float = _slider(1.0, 0.01, 10.0, "ratio", "level of the platform's counts")
    meta_noise: float = _slider(0.15, 0.0, 2.0, "sd of log", "error of the platform's counts")
    meta_absent_below: int = _slider(50, 0, 10**6, "persons", "smallest count that the platform shows")
    displaced_noise: float = _slider(0.05, 0.0, 2.0, "sd of log", "error of refugee counts")
    covariate_noise: float = _slider(0.02, 0.0, 2.0, "sd of log", "error of incomes, lives and conflict deaths")
    trade_noise: float = _slider(0.2, 0.0, 2.0, "sd of log", "error of trade")

    @classmethod
    def none(cls, **but) -> "TwinErrorsConfig":
        """Offices that see everything exactly; ``but`` switches single imperfections on again."""
        exact = {"stock_rounding": 1, "meta_level": 1.0}
        return cls(**{f.name: exact.get(f.name, type(f.default)(0)) for f in dataclasses.fields(cls)} | but)


@dataclass(frozen=True)
class TwinConfig(_Sliders):
    """The simulated world: territories, flows and offices; each value is a slider with unit and range."""

    territories: int = _slider(40, 3, 60, "territories", "number of simulated territories")
    reporters: int = _slider(13, 0, 60, "offices", "number of territories that publish flows")
    seed: int = _slider(42, 0, 2**31, "1", "seed of the simulation; independent of the seed of training")
    people: TwinPeopleConfig = field(default_factory=TwinPeopleConfig)
    vital: TwinVitalConfig = field(default_factory=TwinVitalConfig)
    events: TwinEventsConfig = field(default_factory=TwinEventsConfig)
    errors: TwinErrorsConfig = field(default_factory=TwinErrorsConfig)

    def __post_init__(self):
        super().__post_init__()
        if self.reporters > self.territories:
            raise ConfigError("TwinConfig", f"{self.reporters} reporters among {self.territories} territories",
                              f"choose at most {self.territories}, or more territories", key="reporters")


@dataclass(frozen=True)
class SplitConfig:
    """Which corridors are never learned from."""

    folds: int = 5               # folds over corridors, both directions of reporting together
    held_out_fold: int = 1       # 1-based; 0: none is held out
    validation_share: float = 0.05   # of the remaining corridors, for early stopping
    validation_draw: int = 0     # which corridors these are; folds stay as they are
    seed: int = 20260101

    def __post_init__(self):
        """Raise ConfigError for a seed that is none; folds and shares are checked where corridors are dealt."""
        _check(self, *_SEEDS, ("seed", "validation_draw"))


@dataclass(frozen=True)
class ModelConfig:
    """Sizes of the recurrent cell, and what it does not read."""

    hidden: int = 16             # of its memory; 0: it has none, and reads every year by itself
    width: int = 64              # of its layers
    embedding: int = 8           # of what it learns of each territory; 0: nothing
    without: str = ""            # families of features left out, comma separated; see FAMILIES of panel/features.py

    def __post_init__(self):
        """Raise ConfigError for a size that no cell can have."""
        _check(self, lambda v: 0 <= v <= 4096, "outside 0 to 4096", "16 and 8 are the defaults",
               ("hidden", "embedding"))
        _check(self, lambda v: 1 <= v <= 4096, "outside 1 to 4096", "64 is the default", ("width",))


_SEEDS = (lambda v: 0 <= v < MOST_SEEDS, f"outside 0 to {MOST_SEEDS - 1}", "use a whole number such as 1")


def _check(config, fits, problem: str, remedy: str, keys=None) -> None:
    """Refuse the first value that does not fit; of all fields, or of those named."""
    for f in dataclasses.fields(config):
        value = getattr(config, f.name)
        if (keys is None or f.name in keys) and not fits(value):
            raise ConfigError(type(config).__name__, f"{f.name} is {value!r}, {problem}", remedy, key=f.name)


TERMS = ("reports", "censored", "displaced", "stock", "stock_difference", "foreign_born", "population",
         "net_migration", "gross", "margins")


@dataclass(frozen=True)
class ObservationConfig:
    """Errors of the data beside reports of flows, whose own follow their reporting systems; see model/observation.py.

    Deviations are standard deviations: on a log scale, or as a share of what is named.
    """

    censored_deviation: float = 0.6    # log, of a platform's count that is not shown because it is small
    displaced_below: float = 0.15      # log, by which a flow may be less than new refugees and asylum seekers
    stock_deviation: float = 0.04      # log, of a count of a large stock
    stock_count: float = 10.0          # over the root of persons, log: of a count of a small one
    stock_repeated: float = 0.005      # of the mean of two stocks, of their difference
    change_deviation: float = 0.2      # of a difference of stocks
    displaced_counted: float = 0.3     # of displaced people between two counts, who may be in one and not in the other
    population_deviation: float = 0.01     # of residents on 1 January
    recount_deviation: float = 0.002   # of residents: errors of WPP that one year brings and the next takes
    net_population: float = 0.0001     # of residents, of net migration
    net_deviation: float = 0.03        # of net migration itself
    net_uncounted: float = 1.5         # times as much, where no national statistics count who comes and goes
    net_displaced: float = 0.2         # of new refugees from and in a territory, of its net migration
    leave_out: str = ""                # kinds of data left out, comma separated; see TERMS

    def __post_init__(self):
        """Raise ConfigError for a deviation that is not above 0, or an unknown kind of data."""
        _check(self, lambda v: 0 < v <= 100, "outside 0 to 100: no standard deviation", "use a small positive number",
               {f.name for f in dataclasses.fields(self)} - {"leave_out"})
        for name in self.without:
            if name not in TERMS:
                near, = get_close_matches(name, TERMS, n=1, cutoff=0.0)
                raise ConfigError(type(self).__name__, f"leave_out names {name!r}, which is no kind of data",
                                  f"did you mean {near!r}? There are {', '.join(TERMS)}", key="leave_out")

    @property
    def without(self) -> frozenset[str]:
        """Kinds of data left out."""
        return frozenset(name.strip() for name in self.leave_out.split(",") if name.strip())


OFF = 0.001        # a prior deviation this small switches an effect off: it stays at none


@dataclass(frozen=True)
class EffectConfig:
    """Prior standard deviations of effects on log-hazards, see model/effects.py."""

    tie: float = 0.7             # of two territories, both directions
    direction: float = 0.8       # of one direction
    unreported: float = 0.4      # of returns in a direction of which nobody reports
    wave: float = 0.4            # of a corridor between two counts of stocks
    course: float = 0.4          # of a corridor's year with a report
    shock: float = 2.0           # of one that brings refugees
    turnover: float = 0.1        # of a year's moves to and from a territory
    balance: float = 0.5         # of a year's moves to it, and not from it
    scarce: float = 0.7          # of a year's moves between it and all territories with which it shares few migrants

    def __post_init__(self):
        """Raise ConfigError for a deviation that is not above 0."""
        _check(self, lambda v: 0 < v <= 100, "outside 0 to 100: no standard deviation",
               f"use a positive number; {OFF} switches an effect off", None)


MOST_STEPS, MOST_MEMBERS = 10**6, 1000


@dataclass(frozen=True)
class TrainConfig:
    """Optimisation of one member."""

    year_steps: int = 2500       # of the cell on single years of corridors, see model/histories.py
    year_batch: int = 2048       # reports in such a step
    history_steps: int = 600     # of the cell on whole histories of corridors
    history_batch: int = 256     # corridors in such a step
    cell_rate: float = 8e-3      # of the cell on single years; on histories half of it
    epochs: int = 200            # of the effects, all data together
    learning_rate: float = 0.06
    clip: float = 1.0            # gradient norm
    patience: int = 150          # epochs without improvement on the validation corridors
    checkpoint_every: int = 25
    validate_every: int = 5
    compile: bool = True         # torch.compile of one year's step
    precision: str = "float32"   # or "bfloat16" (autocast)
    device: str = "auto"         # or "cpu", "cuda", "cuda:1"; auto takes a GPU where there is one

    def __post_init__(self):
        """Raise ConfigError for a number of steps, epochs or reports, or a rate, that no training can have."""
        _check(self, lambda v: v >= 0, "below 0", "use 0 or more",
               ("year_steps", "history_steps", "epochs", "patience"))
        _check(self, lambda v: v >= 1, "below 1", "use 1 or more",
               ("year_batch", "history_batch", "checkpoint_every", "validate_every"))
        _check(self, lambda v: v > 0, "not above 0", "use a positive number",
               ("cell_rate", "learning_rate", "clip"))
        _check(self, lambda v: v in PRECISIONS, "which is no precision", f"use one of {', '.join(PRECISIONS)}",
               ("precision",))
        _check(self, lambda v: v <= MOST_STEPS, f"above {MOST_STEPS}", "thousands are enough",
               ("year_steps", "history_steps", "epochs"))
        _check(self, lambda v: re.fullmatch(r"auto|cpu|cuda(:\d{1,2})?", v), "which is no device",
               "use auto, cpu, cuda, or cuda:1 for the second GPU", ("device",))


DESIGNS = ("whole", "crossed", "blind", "net")   # what the members of an ensemble do not see, see panel/designs.py


@dataclass(frozen=True)
class EnsembleConfig:
    """How many members there are, and how far each one's draw of what is uncertain goes; 0 switches a draw off."""

    members: int = 20
    crossed_members: int = 10    # of the design "crossed"; 10: every fold and every office goes unseen twice
    blind_members: int = 4       # of the design "blind"
    net_members: int = 1         # of the design "net"
    design: str = "whole"        # what members do not see, one of DESIGNS
    without_group: int = 0       # group of offices that a member does not see, see panel/designs.py; 0: it sees all
    reporters: float = 0.3       # spread of offices' weights about their mean of 1; 1 is the Bayesian bootstrap
    corridors: float = 0.3       # the same of corridors' weights
    stocks: float = 1.0          # of the first stocks' errors; 1 takes the two revisions' disagreement for them
    covariates: float = 1.0      # of the errors of measured covariates, see panel/draws.py
    biases: float = 0.1          # of the log biases that those of witnesses are shrunk towards

    def __post_init__(self):
        """Raise ConfigError for no members, or a draw that is negative or beyond reason."""
        numbers = {"members", "crossed_members", "blind_members", "net_members"}
        _check(self, lambda v: 1 <= v <= MOST_MEMBERS, f"outside 1 to {MOST_MEMBERS}", "use 20 for intervals", numbers)
        _check(self, lambda v: 0 <= v <= 5, "outside 0 to 5", "there are five groups of offices", ("without_group",))
        _check(self, lambda v: v in DESIGNS, "no design", f"choose from {', '.join(DESIGNS)}", ("design",))
        draws = {f.name for f in dataclasses.fields(self)} - numbers - {"design", "without_group"}
        _check(self, lambda v: 0 <= v <= 3, "outside 0 to 3", "use 0 to switch the draw off, 3 at most", draws)


@dataclass(frozen=True)
class DrawConfig:
    """Draws from the posterior, see draws.py and model/posterior.py."""

    number: int = 13             # of each member
    mode_epochs: int = 200       # to the mode of what was observed, from a member's weights
    epochs: int = 100            # to that of perturbed data, from there
    rate: float = 2.0            # largest step, in conditional posterior deviations

    def __post_init__(self):
        """Raise ConfigError for a number of draws or epochs, or a rate, that no sampling can have."""
        _check(self, lambda v: 1 <= v <= MOST_MEMBERS, f"outside 1 to {MOST_MEMBERS}", "13 is the default", ("number",))
        _check(self, lambda v: 1 <= v <= MOST_STEPS, f"outside 1 to {MOST_STEPS}", "a hundred or two are enough",
               ("epochs", "mode_epochs"))
        _check(self, lambda v: 0 < v <= 10, "outside 0 to 10", "2 is the default", ("rate",))


@dataclass(frozen=True)
class Config:
    """Everything that a run of a profile needs."""

    profile: str = "twin"
    seed: int = 1
    first_year: int = 1990
    last_year: int = 2024
    twin: TwinConfig = field(default_factory=TwinConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    observation: ObservationConfig = field(default_factory=ObservationConfig)
    effects: EffectConfig = field(default_factory=EffectConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    ensemble: EnsembleConfig = field(default_factory=EnsembleConfig)
    draws: DrawConfig = field(default_factory=DrawConfig)

    def __post_init__(self):
        """Raise ConfigError for a seed that is none."""
        _check(self, *_SEEDS, ("seed",))

    @property
    def years(self) -> tuple[int, ...]:
        """The calendar years whose flows are estimated."""
        return tuple(range(self.first_year, self.last_year + 1))

    @property
    def folder(self) -> Path:
        """Folder of this profile's artifacts."""
        return paths.artifacts(self.profile)

    def as_dict(self) -> dict:
        """Plain nested dictionary, as in the YAML file."""
        return dataclasses.asdict(self)


def load_config(profile: str = "twin", *, file: Path | None = None, **overrides) -> Config:
    """Read ``config/<profile>.yaml``; ``overrides`` replace single keys (nested ones as ``{"train": {"epochs": 3}}``).

    Raises
    ------
    ConfigError
        For a missing file, unparsable YAML, an unknown key (naming the nearest known one) or a wrong type.
    """
    file = file or paths.CONFIG / f"{profile}.yaml"
    if not Path(file).is_file():
        raise ConfigError(file, "configuration file is missing", f"use one of the profiles {', '.join(PROFILES)}")
    given = read_yaml(file) or {}
    if not isinstance(given, dict):
        raise ConfigError(file, f"expected a table of keys, found {given!r}", "write lines such as 'seed: 1'", "file")
    config = _build(Config, _merge({"profile": profile, **given}, overrides), file, "")
    if config.profile not in PROFILES:
        raise ConfigError(file, f"unknown profile {config.profile!r}", f"use one of {', '.join(PROFILES)}", "profile")
    if not 1950 <= config.first_year <= config.last_year <= 2100:
        raise ConfigError(file, f"years {config.first_year}–{config.last_year} make no period",
                          "first_year must not lie after last_year, both in 1950–2100", "first_year")
    return config


def _merge(base: dict, over: dict) -> dict:
    merged = dict(base)
    for key, value in over.items():
        nested = isinstance(value, dict) and isinstance(merged.get(key, {}), dict)
        merged[key] = _merge(merged.get(key, {}), value) if nested else value
    return merged


def _names(kind, prefix=""):
    for key, wanted in get_type_hints(kind).items():
        yield prefix + key
        if dataclasses.is_dataclass(wanted):
            yield from _names(wanted, f"{prefix}{key}.")


def _build(kind, given, file, prefix):
    if not isinstance(given, dict):
        raise ConfigError(file, f"expected a table of keys, found {given!r}", "indent the keys below it",
                          prefix or "file")
    types = get_type_hints(kind)
    values = {}
    for key, value in given.items():
        if key not in types:
            near = get_close_matches(prefix + str(key), list(_names(Config)), n=1, cutoff=0.0)
            raise ConfigError(file, f"unknown configuration key {prefix + str(key)!r}", f"did you mean {near[0]!r}?",
                              key=prefix + str(key))
        wanted = types[key]
        if dataclasses.is_dataclass(wanted):
            value = _build(wanted, value, file, f"{prefix}{key}.")
        elif wanted is float and type(value) is int:
            value = float(value)
        elif type(value) is not wanted:
            raise ConfigError(file, f"{prefix + key} must be of type {wanted.__name__}, found {value!r}",
                              "write numbers with a point, as in 4.0e-3: YAML takes 4e-3 for text"
                              if wanted is float else "mend the value", key=prefix + key)
        if wanted is float and not math.isfinite(value):
            raise ConfigError(file, f"{prefix + key} is {value!r}", "give a finite number", key=prefix + key)
        values[key] = value
    try:
        return kind(**values)
    except ConfigError as error:  # a range that the dataclass itself guards: say which file and where in it
        raise ConfigError(file, error.problem, error.remedy, key=f"{prefix}{error.key}") from None
