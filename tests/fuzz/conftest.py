"""The process in which hostile files are read."""
import pytest

from .worker import Sandbox


@pytest.fixture(scope="session")
def sandbox():
    """One for all tests; it begins with the first input."""
    opened = Sandbox()
    yield opened
    opened.close()
