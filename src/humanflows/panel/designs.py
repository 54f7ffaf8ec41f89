"""What the members of an ensemble do not see: nothing, corridors and offices in turn, or the last years.

- ``whole``: everything is learned from; no corridor is set aside to say when to stop, the last weights count;
- ``crossed``: member k sees neither one fold of the corridors nor one group of offices, so that every corridor and
  every office has members that never saw it;
- ``blind``: no migration figure of the last years in which most offices report;
- ``net``: no net migration of a third of the territories.

Estimates rest on the first. What the others say about what they never saw shows how far the first may be off.
"""
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr

from ..config import Config, EnsembleConfig
from .withhold import reporters_of, withheld_observations, withhold

BLIND_YEARS, REPORTER_GROUPS = 3, 5
SHARE_OF_TERRITORIES = 1 / 3      # whose net migration is withheld
_REPORTER_STREAM, _TERRITORY_STREAM = 10, 11    # the split's seed serves draws of its own for corridors


def reporter_groups(sizes: Mapping[str, int], seed: int) -> list[tuple[str, ...]]:
    """Deal offices into ``REPORTER_GROUPS`` groups with about as many observations each.

    Offices are dealt from the one with most observations down, each to the group that has least so far; the seed
    decides between offices, and between groups, that are equal.
    """
    rng = np.random.default_rng([seed, _REPORTER_STREAM])
    names = [sorted(sizes)[k] for k in rng.permutation(len(sizes))]
    groups = [[] for _ in range(min(REPORTER_GROUPS, len(names)))]
    total, luck = np.zeros(len(groups)), rng.permutation(len(groups))
    for name in sorted(names, key=lambda n: -sizes[n]):
        k = int(np.lexsort((luck, total))[0])
        groups[k].append(name)
        total[k] += sizes[name]
    return [tuple(sorted(g)) for g in groups]


def blind_while_offices_speak(panel: xr.Dataset) -> int | None:
    """First of the last ``BLIND_YEARS`` years that half of the offices still reach; None without offices."""
    offices = reporters_of(panel)
    if not offices:
        return None
    reporter = panel["witness_reporter"].values.astype(str)[panel["flow_witness"].values.astype(int)]
    last = pd.Series(panel["year"].values[panel["flow_year"].values.astype(int)]).groupby(reporter).max()
    return int(last.reindex(list(offices)).median()) - BLIND_YEARS + 1


def territories_without_net_migration(panel: xr.Dataset, seed: int) -> tuple[str, ...]:
    """Codes of the third of the territories whose net migration is withheld, drawn by the split's seed."""
    places = panel["residence"].values.astype(str)
    third = np.random.default_rng([seed, _TERRITORY_STREAM]).permutation(len(places))
    return tuple(sorted(places[third[:round(len(places) * SHARE_OF_TERRITORIES)]].tolist()))


def member_config(config: Config, number: int) -> Config:
    """Configuration of one member; its seed is its number, counted from the configuration's seed.

    How many members there are is no part of it: more of them leave those that there are as they are.

    Parameters
    ----------
    config : of the ensemble.
    number : of the member, from 1.
    """
    row, column = divmod(number - 1, config.split.folds)
    fold, group, aside = 0, 0, config.split.validation_share
    if config.ensemble.design == "whole":
        aside = 0.0      # a corridor that one member never saw would be drawn away from its reports in the mean of all
    if config.ensemble.design == "crossed":
        fold, group = column + 1, (row + column) % REPORTER_GROUPS + 1
    plain = EnsembleConfig()
    return replace(config, seed=config.seed + number - 1,
                   split=replace(config.split, held_out_fold=fold, validation_draw=number,
                                 validation_share=aside),
                   ensemble=replace(config.ensemble, members=plain.members, crossed_members=plain.crossed_members,
                                    blind_members=plain.blind_members, net_members=plain.net_members,
                                    without_group=group))


def withheld_from(panel: xr.Dataset, config: Config) -> dict:
    """Arguments of :func:`humanflows.panel.withhold.withhold` for the member of a configuration (``member_config``)."""
    if config.ensemble.design == "blind":
        first = blind_while_offices_speak(panel)
        return {"blind_from": int(panel["year"].values[-BLIND_YEARS]) if first is None else first}
    if config.ensemble.design == "net":
        return {"net_migration_of": territories_without_net_migration(panel, config.split.seed)}
    groups = reporter_groups(reporters_of(panel), config.split.seed)
    chosen = config.ensemble.without_group
    return {"reporters": groups[chosen - 1]} if 0 < chosen <= len(groups) else {}


def shown_to(panel: xr.Dataset, config: Config) -> xr.Dataset:
    """The panel as the member of a configuration may see it; corridors are held out by its splits."""
    hidden = withheld_from(panel, config)
    return withhold(panel, **hidden) if hidden else panel


def hidden_observations(panel: xr.Dataset, splits: xr.Dataset, config: Config) -> np.ndarray:
    """Reported flows that a member never saw, bool (observation,): of held-out corridors, offices or years.

    Parameters
    ----------
    panel : with everything.
    splits : of the member.
    config : of the member (``member_config``).
    """
    held_out = splits["held_out"].values[panel["flow_origin"].values, panel["flow_destination"].values]
    hidden = withheld_from(panel, config)
    return held_out | withheld_observations(panel, **hidden) if hidden else held_out
