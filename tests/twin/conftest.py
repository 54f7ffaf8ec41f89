"""One default twin for all tests of this folder."""
import pytest

from humanflows.config import TwinConfig
from humanflows.twin.observe import observe
from humanflows.twin.world import simulate

YEARS = range(1990, 2025)


@pytest.fixture(scope="session")
def twin_config():
    return TwinConfig()


@pytest.fixture(scope="session")
def world(twin_config):
    return simulate(twin_config, YEARS)


@pytest.fixture(scope="session")
def tables(world, twin_config):
    return observe(world, twin_config)
