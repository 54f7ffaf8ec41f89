"""Fixtures shared by all tests."""
import pytest

from humanflows import paths
from humanflows.config import Config, ModelConfig, SplitConfig, TrainConfig, TwinConfig, TwinPeopleConfig


@pytest.fixture
def source_file():
    """Give a real source file by its registry path, or skip the test where it is neither mirrored nor cached."""

    def find(name: str):
        for folder in (paths.mirror(), paths.CACHE):
            if folder is not None and (folder / name).is_file():
                return folder / name
        pytest.skip(f"the real source file {name} is not on this machine (neither mirrored nor downloaded)")

    return find


@pytest.fixture(scope="session")
def small_config() -> Config:
    """A world of nine territories and fourteen years, and a model that trains in seconds."""
    return Config(
        last_year=2003, twin=TwinConfig(territories=9, reporters=6, people=TwinPeopleConfig(burn_in=15)),
        split=SplitConfig(validation_share=0.2), model=ModelConfig(hidden=8, width=24, embedding=4),
        train=TrainConfig(year_steps=40, history_steps=8, epochs=4, validate_every=1, checkpoint_every=2, compile=False,
                          device="cpu"))


@pytest.fixture(scope="session")
def small_world(small_config):
    """What happened in the small world."""
    from humanflows.twin.world import simulate

    return simulate(small_config.twin, small_config.years)


@pytest.fixture(scope="session")
def small_tables(small_world, small_config):
    """What its offices publish, and what is reconstructed from it."""
    from humanflows.pipeline import add_reconstruction, observe_twin

    return add_reconstruction(observe_twin(small_world, small_config))


@pytest.fixture(scope="session")
def small_panel(small_tables, small_world, small_config):
    """The panel of the small world; copy it before changing it."""
    from humanflows.panel.harmonise import harmonise

    return harmonise(small_tables, small_world.territories, small_config.years)


@pytest.fixture(scope="session")
def small_splits(small_panel, small_config):
    """Splits of its corridors."""
    from humanflows.panel.splits import make_splits

    return make_splits(small_panel, small_config.split)
