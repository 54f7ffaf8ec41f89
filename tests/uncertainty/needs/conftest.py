"""Fixtures about made-up draws."""
import numpy as np
import pytest
from needs_draws import CODES, YEARS


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture(scope="session")
def nothing_told():
    return np.zeros((2, len(YEARS), len(CODES), len(CODES)), dtype=bool)


@pytest.fixture(scope="session")
def registers():
    """Every office would report as a good register does."""
    from humanflows.uncertainty.needs.candidates import OfficeErrors

    shape = 2, len(CODES)
    return OfficeErrors(np.full(shape, 0.1), np.full(shape, 0.15), np.zeros(shape, dtype=bool))
