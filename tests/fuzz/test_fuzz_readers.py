"""Every reader of hostile small files ends in the documented error or in a right answer."""
import ast
import math
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import humanflows
from humanflows.sources.catalogue import SOURCES

from .damage import cases
from .entries import entries
from .worker import MEMORY_LIMIT

# Inputs of one run, over all readers; more (and other ones each time) where the environment asks for them.
INPUTS = 510
ASKED = int(os.environ.get("HUMANFLOWS_FUZZ_INPUTS", 0))
EACH = {name: math.ceil((ASKED or INPUTS) * entry.share / sum(e.share for e in entries().values()))
        for name, entry in entries().items()}
ALLOWED = {"any": ("same", "less", "other"), "less": ("same", "less"), "equal": ("same",), "same": ("same",),
           "refused": ()}


def complaint(outcome, expected: str) -> str:
    """What is wrong with how an input ended; empty when nothing is."""
    if outcome.kind not in ("table", "refused"):
        return f"{outcome.kind}: {outcome.told}"
    if outcome.fault:
        return f"{outcome.fault}: {outcome.told[:500]}"
    if outcome.memory > MEMORY_LIMIT:
        return f"it took {outcome.memory >> 20} MiB"
    if outcome.kind == "refused":
        return f"refused: {outcome.told}" if expected == "same" else ""
    return "" if outcome.relation in ALLOWED[expected] else (
        f"a table that is {outcome.relation!r} to that of the sound files, where {expected!r} is expected")


@pytest.mark.parametrize("name", sorted(entries()))
def test_hostile_files_end_in_the_documented_error_or_the_right_answer(name, sandbox):
    @settings(max_examples=EACH[name], derandomize=not ASKED, database=None, deadline=None,
              suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def ends_well(data):
        case = data.draw(cases(entries()[name].targets))
        wrong = complaint(sandbox.ask(name, {case.name: case.content}), case.expected)
        assert not wrong, f"{case.name}: {case.told}\n{wrong}"

    ends_well()


@pytest.mark.parametrize("name", sorted(entries()))
def test_the_sound_files_are_read(name, sandbox):
    """Otherwise everything would be refused, and nothing tested."""
    outcome = sandbox.ask(name, {})
    assert (outcome.kind, outcome.fault, outcome.relation) == ("table", "", "same"), outcome.told


def test_every_source_of_the_catalogue_has_an_entry():
    assert sorted(set(SOURCES) - set(entries())) == []


def test_every_module_that_reads_is_reached():
    folder = Path(humanflows.__file__).parent / "sources"
    reached = {m for e in entries().values() for m in e.modules}
    # These are read through the others.
    shared = {"catalogue", "cells", "csv_io", "eurostat_io", "netcdf_io", "rdata_io", "workbooks"}
    reading = {f.stem for f in folder.glob("*.py") for node in ast.parse(f.read_text(encoding="utf-8")).body
               if isinstance(node, ast.FunctionDef) and node.name.startswith("read_")}
    assert sorted(reading - reached - shared) == []
