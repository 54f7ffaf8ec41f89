"""Configuration: frozen dataclasses read from config/<profile>.yaml; an unknown key is an error."""
import dataclasses
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import get_type_hints

import yaml

from . import paths
from .errors import ConfigError

PROFILES = ("twin", "world")


@dataclass(frozen=True)
class TwinConfig:
    """The simulated world."""

    territories: int = 30        # how many of the real territories are simulated
    reporters: int = 12          # how many of them publish flows
    seed: int = 2026             # of the simulation; independent of the seed of training


@dataclass(frozen=True)
class SplitConfig:
    """Which corridors are never learned from."""

    folds: int = 5               # folds over corridors, both directions of reporting together
    held_out_fold: int = 1       # 1-based
    validation_share: float = 0.05   # of the remaining corridors, for early stopping
    seed: int = 20260101


@dataclass(frozen=True)
class ModelConfig:
    """Sizes of the recurrent cell."""

    hidden: int = 16
    width: int = 64
    embedding: int = 8


@dataclass(frozen=True)
class LossConfig:
    """Weights of what the model is asked to agree with; each term is a mean over its observations."""

    stock: float = 1.0
    stock_difference: float = 1.0
    net_migration: float = 1.0
    flow: float = 1.0
    change: float = 0.5          # change over time within a corridor
    bias_ridge: float = 0.05     # shrinkage of witnesses' multiplicative biases


@dataclass(frozen=True)
class TrainConfig:
    """Optimisation of one member."""

    epochs: int = 500
    learning_rate: float = 4e-3
    clip: float = 1.0            # gradient norm
    patience: int = 150          # epochs without improvement on the validation corridors
    checkpoint_every: int = 25
    validate_every: int = 5
    compile: bool = True         # torch.compile of one year's step
    precision: str = "float32"   # or "bfloat16" (autocast)
    device: str = "auto"


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
    loss: LossConfig = field(default_factory=LossConfig)
    train: TrainConfig = field(default_factory=TrainConfig)

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
    try:
        given = yaml.safe_load(Path(file).read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise ConfigError(file, f"not readable as YAML ({error})", "mend the file") from error
    config = _build(Config, _merge(given, overrides), file, "")
    if config.profile not in PROFILES:
        raise ConfigError(file, f"unknown profile {config.profile!r}", f"use one of {', '.join(PROFILES)}", "profile")
    if not 1950 <= config.first_year <= config.last_year <= 2100:
        raise ConfigError(file, f"years {config.first_year}–{config.last_year} make no period",
                          "first_year must not lie after last_year, both in 1950–2100", "first_year")
    return config


def _merge(base: dict, over: dict) -> dict:
    merged = dict(base)
    for key, value in over.items():
        merged[key] = _merge(merged.get(key) or {}, value) if isinstance(value, dict) else value
    return merged


def _build(kind, given, file, prefix):
    if not isinstance(given, dict):
        raise ConfigError(file, f"expected a table of keys, found {given!r}", "indent the keys below it", prefix or "file")
    types = get_type_hints(kind)
    values = {}
    for key, value in given.items():
        if key not in types:
            near = get_close_matches(str(key), list(types), n=1, cutoff=0.0)
            raise ConfigError(file, f"unknown configuration key {prefix + str(key)!r}",
                              f"did you mean {prefix + near[0]!r}?" if near else "remove it", key=prefix + str(key))
        wanted = types[key]
        if dataclasses.is_dataclass(wanted):
            value = _build(wanted, value, file, f"{prefix}{key}.")
        elif wanted is float and type(value) is int:
            value = float(value)
        elif type(value) is not wanted:
            raise ConfigError(file, f"{prefix + key} must be of type {wanted.__name__}, found {value!r}",
                              "mend the value", key=prefix + key)
        values[key] = value
    return kind(**values)
