"""A release of the simulated world says so in every file, every answer and everything that is made of it."""
import json
import shutil

import netCDF4
import pandas as pd
import pyarrow.parquet as pq
import pytest
from frictionless import Package, system
from typer.testing import CliRunner

from humanflows.cli_dataset import app
from humanflows.countries import build_countries
from humanflows.dataset import open_estimates
from humanflows.dataset.package import write_package
from humanflows.errors import ArtifactError
from humanflows.results.labels import LABEL, SIMULATED
from humanflows.results.release import label_tables
from whole_release import list_files, write_whole_release

QUESTIONS = [lambda e: e.flow("FJI", "TON"), lambda e: e.top("inflow", "COL", 2011), lambda e: e.net("VEN"),
             lambda e: e.stock("COL"), lambda e: e.by_birthplace("COL", "VEN"), lambda e: e.by_birthplace("COL")]


@pytest.fixture(scope="module")
def twin(tmp_path_factory):
    folder = write_whole_release(tmp_path_factory.mktemp("twin") / "release", profile="twin")
    label_tables(folder, "twin")
    list_files(folder, profile="twin", format=1)
    return folder


@pytest.fixture(scope="module")
def package(twin, tmp_path_factory):
    return write_package(tmp_path_factory.mktemp("made") / "package", twin).parent


def labels_of_netcdf(folder):
    found = {}
    for file in folder.glob("*.nc"):
        with netCDF4.Dataset(file) as data:
            found[file.name] = getattr(data, LABEL, None)
    return found


def test_every_answer_says_so(twin, package, tmp_path):
    for folder in (twin, package):
        estimates = open_estimates(folder)
        assert estimates.simulated and SIMULATED in repr(estimates)
        for ask in QUESTIONS:
            table = ask(estimates)
            assert len(table) and (table[LABEL] == SIMULATED).all()
    real = open_estimates(write_whole_release(tmp_path / "real"))
    assert not real.simulated and all(LABEL not in ask(real) for ask in QUESTIONS)


@pytest.mark.parametrize("arguments", [["flow", "FJI", "TON"], ["top", "inflow", "COL", "-y", "2011"], ["net", "VEN"],
                                       ["stock", "--residence", "VEN"], ["by-birthplace", "--origin", "COL"]])
@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_every_line_of_the_commands_says_so(twin, arguments, form):
    done = CliRunner().invoke(app, [*arguments, "--data", str(twin), "-f", form])
    assert done.exit_code == 0
    if form == "json":
        assert all(row[LABEL] == SIMULATED for row in json.loads(done.output))
    else:
        head, *rows = done.output.strip().splitlines()
        assert LABEL in head and rows and all(SIMULATED in row for row in rows)


def test_every_file_says_so(twin, package):
    for folder in (twin, package):
        found = labels_of_netcdf(folder)
        assert len(found) == 4 and set(found.values()) == {SIMULATED}, found
    for file in [*package.rglob("*.csv"), *twin.glob("*.csv")]:
        assert (pd.read_csv(file)[LABEL] == SIMULATED).all(), file
    for file in package.rglob("*.parquet"):
        assert set(pq.ParquetFile(file).read()[LABEL].to_pylist()) <= {SIMULATED}, file
    for file in [*(package / "json").glob("*.json"), package / "datapackage.json", package / "manifest.json"]:
        assert json.loads(file.read_text())[LABEL] == SIMULATED, file
    for text in ((package / "README.md").read_text(), json.loads((package / "datapackage.json").read_text())["title"]):
        assert SIMULATED in text.lower()
    with system.use_context(trusted=True):
        assert Package(str(package / "datapackage.json")).validate().valid


def test_downloads_of_country_pages_say_so(twin, tmp_path):
    made = build_countries(tmp_path / "pages", twin, workers=1).folder
    assert json.loads((made / "COL.json").read_text())[LABEL] == SIMULATED
    assert (pd.read_csv(made / "COL.csv.zip")[LABEL] == SIMULATED).all()


@pytest.mark.parametrize("profile", ["world", "nonsense", "", None, 3, ["twin"]])
def test_a_manifest_cannot_say_otherwise(twin, tmp_path, profile):
    copy = shutil.copytree(twin, tmp_path / "release")
    list_files(copy, profile=profile)
    with pytest.raises(ArtifactError) as caught:
        open_estimates(copy)
    assert caught.value.key in (LABEL, "profile")


def test_birthplaces_of_an_earlier_release_are_labelled_in_its_package(twin, tmp_path):
    copy = shutil.copytree(twin, tmp_path / "release")
    with netCDF4.Dataset(copy / "birthplace.nc", "a") as data:
        data.delncattr(LABEL)
    list_files(copy, profile="twin")
    assert labels_of_netcdf(write_package(tmp_path / "package", copy).parent)["birthplace.nc"] == SIMULATED
