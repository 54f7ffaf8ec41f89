"""Two vintages of a source."""
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from humanflows.cli import app
from humanflows.errors import InputError, SourceFileError
from humanflows.schema import validate
from humanflows.sources.vintages import compare_vintages, read_vintage, summarise_vintages

ORIGINS = ["AUT", "BEL", "CHE", "DNK"]


def moves(persons):
    """Table ``flow`` of arrivals in France by origin; None: not reported."""
    rows = [("oecd", "FRA", "immigration", "residence", "movement", 2000, o, "FRA", float(n))
            for o, n in zip(ORIGINS, persons) if n is not None]
    frame = pd.DataFrame(rows, columns=["source", "reporter", "side", "criterion", "flow_type", "year", "origin",
                                        "destination", "persons"])
    types = {c: str for c in frame} | {"year": "int64", "persons": float}
    return {"flow": validate(frame.astype(types), "flow", file="test")}


def test_what_changed_was_added_or_dropped_is_told_with_its_persons():
    found = compare_vintages(moves([100, 200, 300, None]), moves([100, 250, None, 7]))
    rows = {r.kind: (r.old, r.new, r.difference) for r in found.itertuples()}
    assert rows["changed"] == (200, 250, 50)
    assert rows["dropped"][0] == 300 and np.isnan(rows["dropped"][1]) and rows["dropped"][2] == -300
    assert rows["added"][1:] == (7, 7) and len(found) == 3
    assert found["difference"].abs().is_monotonic_decreasing
    assert "BEL" in found[found["kind"] == "changed"]["cell"].item()
    summary = summarise_vintages(found).set_index("kind")
    assert summary["cells"].to_dict() == {"dropped": 1, "changed": 1, "added": 1}


numbers = st.lists(st.none() | st.integers(0, 9), min_size=4, max_size=4)


@given(numbers, numbers)
def test_the_differences_are_all_that_lies_between_the_totals(old, new):
    found = compare_vintages(moves(old), moves(new))
    total = sum(n or 0 for n in new) - sum(n or 0 for n in old)
    assert found["difference"].sum() == total
    assert len(found) == sum(a != b for a, b in zip(old, new))
    assert compare_vintages(moves(old), moves(old)).empty


def test_tidy_tables_are_read_from_files(tmp_path):
    moves([1, 2, 3, 4])["flow"].to_parquet(tmp_path / "old.parquet")
    pd.testing.assert_frame_equal(read_vintage(tmp_path / "old.parquet")["flow"], moves([1, 2, 3, 4])["flow"])
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "other.parquet")
    (tmp_path / "damaged.parquet").write_bytes(b"PAR1 and no more")
    for name in ("other", "damaged", "none"):
        with pytest.raises(SourceFileError, match=f"{name}.parquet"):
            read_vintage(tmp_path / f"{name}.parquet")


def test_a_source_must_be_named_and_its_files_be_there(tmp_path):
    for given_name in (None, "wppp"):
        with pytest.raises(InputError, match="name one of"):
            read_vintage(tmp_path, given_name)
    with pytest.raises(SourceFileError, match=r"missing file of oecd.*Backup\.RData"):
        read_vintage(tmp_path, "oecd")


def test_the_command_says_what_changed_and_writes_it(tmp_path):
    for name, persons in (("old", [100, 200, 300, None]), ("new", [100, 250, None, 7])):
        moves(persons)["flow"].to_parquet(tmp_path / f"{name}.parquet")
    run = CliRunner().invoke(app, ["compare-vintages", *(str(tmp_path / f"{n}.parquet") for n in ("old", "new")),
                                   "-o", str(tmp_path / "changes.csv")])
    assert run.exit_code == 0, run.output
    assert all(word in run.output for word in ("dropped", "changed", "added"))
    assert len(pd.read_csv(tmp_path / "changes.csv")) == 3
    same = CliRunner().invoke(app, ["compare-vintages", *[str(tmp_path / "old.parquet")] * 2])
    assert same.exit_code == 0 and "no cell differs" in same.output
    none = CliRunner().invoke(app, ["compare-vintages", str(tmp_path), str(tmp_path)])
    assert none.exit_code == 1 and "Traceback" not in none.output


@pytest.mark.sources
def test_a_source_of_one_file_is_read_from_that_file(source_file, tmp_path):
    file = source_file("gaskin_abel/inputs/eu.nc")
    one, two = read_vintage(file, "eu"), read_vintage(file, "eu")
    assert compare_vintages(one, two).empty and len(one["territory_year"])
