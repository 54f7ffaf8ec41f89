"""A release is checked as a whole: what was altered is found, though its digest was altered along."""
import json
import shutil

import numpy as np
import pandas as pd
import pytest

from humanflows.countries import build_countries
from humanflows.dataset.package import write_package
from humanflows.dataset.whole import check_release
from humanflows.errors import ArtifactError
from humanflows.explorer import gather
from whole_release import CODES, alter, list_files, write_whole_release


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return write_whole_release(tmp_path_factory.mktemp("whole") / "release")


@pytest.fixture
def copy(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "release")


def tripled(variable, *at):
    def change(data):
        data[variable].values[at] *= 3
    return change


def more_people(data):
    data["stock"].values[2] *= 1.5
    data["stock_upper"].values[2] *= 1.5


def moved_along(data):
    """A flow, and nothing that is added up of it, but with the ends of its interval."""
    for name in ("flow", "flow_lower", "flow_upper"):
        data[name].values[1, 0, 3] *= 3


def table(file, change):
    frame = pd.read_csv(file, keep_default_na=False)
    change(frame).to_csv(file, index=False)
    list_files(file.parent)


def facts(file, **more):
    file.write_text(json.dumps({**json.loads(file.read_text()), **more}))
    list_files(file.parent)


ALTERED = {
    "a flow": ("flows.nc", lambda f: alter(f, moved_along), "net_migration.nc"),
    "net migration": ("net_migration.nc", lambda f: alter(f, lambda d: d.assign(
        net_migration=d.net_migration + 5, net_migration_upper=d.net_migration_upper + 5)), "net_migration.nc"),
    "stocks": ("stocks.nc", lambda f: alter(f, more_people), "stocks.nc"),
    "parts by birthplace": ("birthplace.nc", lambda f: alter(f, tripled("native_part", 1, 2)), "birthplace.nc"),
    "an end above the estimate": ("flows.nc", lambda f: alter(f, tripled("flow_lower", 0, 0, 3)), "flows.nc"),
    "one end alone": ("stocks.nc", lambda f: alter(f, lambda d: d.assign(
        stock_lower=d.stock_lower.where(d.date_year > 2010))), "stocks.nc"),
    "other territories": ("stocks.nc", lambda f: alter(f, lambda d: d.assign_coords(residence=CODES[::-1])),
                          "stocks.nc"),
    "a total": ("sums.csv", lambda f: table(f, lambda t: t.assign(persons=t.persons * 1.001)), "sums.csv"),
    "an end of a total": ("sums.csv", lambda f: table(f, lambda t: t.assign(upper=t.persons / 2)), "sums.csv"),
    "an infinite end": ("sums.csv", lambda f: table(f, lambda t: t.assign(upper=np.inf)), "sums.csv"),
    "totals twice": ("sums.csv", lambda f: table(f, lambda t: pd.concat([t, t.tail(1)])), "sums.csv"),
    "a total of nowhere": ("sums.csv", lambda f: table(f, lambda t: t.replace({"origin": {"COL": "XYZ"}})), "sums.csv"),
    "no totals": ("sums.csv", lambda f: (f.write_bytes(b"\xff\xfe\x00"), list_files(f.parent)), "sums.csv"),
    "a fact in numbers": ("facts.json", lambda f: facts(f, flow_last_year="9.9 million"), "facts.json"),
    "a fact in words": ("facts.json", lambda f: facts(f, largest_corridor="Fiji to Fiji"), "facts.json"),
    "no facts": ("facts.json", lambda f: (f.write_text("[1]"), list_files(f.parent)), "facts.json"),
    "no profile": ("manifest.json", lambda f: list_files(f.parent, profile=None), "manifest.json"),
    "unlisted": ("more.csv", lambda f: f.write_text("a\n1\n"), "more.csv"),
    "missing": ("facts.json", lambda f: f.unlink(), "facts.json"),
    "another": ("sums.csv", lambda f: f.write_text("a\n"), "sums.csv"),
}


@pytest.mark.parametrize("what", ALTERED)
def test_what_was_altered_is_found(copy, what):
    file, change, named = ALTERED[what]
    check_release(copy)             # passes, and is remembered
    change(copy / file)
    for _ in range(2):              # and a refusal is not remembered as a pass
        with pytest.raises(ArtifactError) as caught:
            check_release(copy)
        assert caught.value.file.endswith(named) and caught.value.key is not None and caught.value.remedy


def test_a_whole_release_and_its_package_pass(whole, tmp_path):
    check_release(whole)
    check_release(str(whole))
    check_release(write_package(tmp_path / "package", whole).parent)


@pytest.mark.parametrize("make", [lambda f, out: write_package(out, f),
                                  lambda f, out: build_countries(out, f, workers=1),
                                  lambda f, out: gather(f, sources=False)], ids=["package", "countries", "explorer"])
def test_nothing_is_made_of_a_release_that_is_not_whole(copy, tmp_path, make):
    alter(copy / "flows.nc", moved_along)
    with pytest.raises(ArtifactError) as caught:
        make(copy, tmp_path / "out")
    assert caught.value.file.endswith("net_migration.nc") and not (tmp_path / "out").exists()


def test_the_explorer_reads_the_table_of_sums_that_is_listed(copy):
    from humanflows.dataset.files import Store
    from humanflows.dataset.whole import read_sums

    store = Store(copy)
    assert len(read_sums(store))
    (copy / "sums.csv").write_text((copy / "sums.csv").read_text().replace("world", "World", 1))
    with pytest.raises(ArtifactError) as caught:
        read_sums(store)
    assert caught.value.key == "sums.csv"


def test_hidden_files_are_not_looked_at(copy):
    (copy / ".panel-abcdefgh.nc").write_text("half")
    check_release(copy)


def test_the_committed_release_is_whole():
    check_release()
