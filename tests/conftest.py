"""Fixtures shared by all tests."""
import pytest

from humanflows import paths


@pytest.fixture
def source_file():
    """Give a real source file by its registry path, or skip the test where it is neither mirrored nor cached."""

    def find(name: str):
        for folder in (paths.mirror(), paths.CACHE):
            if folder is not None and (folder / name).is_file():
                return folder / name
        pytest.skip(f"the real source file {name} is not on this machine (neither mirrored nor downloaded)")

    return find
