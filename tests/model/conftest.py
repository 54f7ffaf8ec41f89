"""Worlds and models so small that the cell's histories take a moment."""
from dataclasses import replace

import numpy as np
import pytest

from humanflows.config import Config, SplitConfig, TwinConfig, TwinPeopleConfig


@pytest.fixture(scope="session")
def small_config(small_config):
    """The small world of all tests; of the cell's thousands of steps, a few."""
    return replace(small_config, train=replace(small_config.train, year_steps=6, year_batch=64, history_steps=3,
                                               history_batch=8))


@pytest.fixture(scope="session")
def everyone(small_panel) -> np.ndarray:
    """Every observation of the small panel, to learn from."""
    return np.ones(small_panel.sizes["observation"], bool)


@pytest.fixture(scope="session")
def corridors(small_panel) -> np.ndarray:
    """Every corridor of the small panel."""
    return ~np.eye(small_panel.sizes["origin"], dtype=bool)


@pytest.fixture(scope="session")
def platform_panel():
    """The panel of a world of eight territories in whose last years a platform counts, and its splits."""
    from humanflows import pipeline
    from humanflows.panel.harmonise import harmonise
    from humanflows.panel.splits import make_splits

    config = Config(first_year=2015, last_year=2021, twin=TwinConfig(
        territories=8, reporters=3, people=TwinPeopleConfig(burn_in=10, population_median=1e6)),
        split=SplitConfig(validation_share=0.2))
    world = pipeline.simulate_twin(config)
    panel = harmonise(pipeline.observe_twin(world, config), world.territories, config.years)
    assert (panel.witness_source.values[panel.flow_witness.values] == "meta").any()
    return panel, make_splits(panel, config.split)


@pytest.fixture(scope="session")
def reported(small_panel, small_splits) -> np.ndarray:
    """Where there is a report to learn from [year, origin, destination]."""
    from humanflows.panel.splits import training_observations

    mask = training_observations(small_panel, small_splits)
    out = np.zeros((small_panel.sizes["year"], *small_splits.held_out.shape), bool)
    out[tuple(small_panel[f"flow_{k}"].values[mask] for k in ("year", "origin", "destination"))] = True
    return out
