"""The package: valid for Frictionless, the same numbers in every format, and they add up."""
import json
import shutil

import duckdb
import netCDF4
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from frictionless import Package, system

from humanflows import artifacts
from humanflows.dataset import open_estimates
from humanflows.dataset.grades import FACTORS
from humanflows.dataset.package import write_package
from humanflows.errors import ArtifactError, InputError
from whole_release import list_files


@pytest.fixture(scope="module")
def csv_flows(package_folder):
    """Flows as the territories' CSV files have them; each corridor stands in two."""
    parts = [pd.read_csv(f, keep_default_na=False, na_values={"upper": [""]})
             for f in sorted((package_folder / "csv" / "flows").glob("*.csv"))]
    return pd.concat(parts)


def validate(folder):
    with system.use_context(trusted=True):      # a folder outside the working directory
        return Package(str(folder / "datapackage.json")).validate()


def test_frictionless_accepts_it(package_folder):
    report = validate(package_folder)
    assert report.valid, report.flatten(["name", "type", "note"])
    about = json.loads((package_folder / "datapackage.json").read_text())
    assert about["version"] == "1.2.3" and about["licenses"][0]["name"] == "CC-BY-4.0" and about["sources"]
    listed = {r["path"] for r in about["resources"]}
    there = {str(f.relative_to(package_folder)) for f in package_folder.rglob("*")
             if f.suffix in (".nc", ".csv", ".parquet", ".json")}
    assert there - listed == {"datapackage.json", "manifest.json", "schemas/flows.json", "schemas/net_migration.json",
                              "schemas/pairs.json", "schemas/territories.json"}


@pytest.mark.parametrize(("old", "new"), [("observed", "guessed"), ('"A"', '"Z"')])
def test_frictionless_refuses_what_was_altered(package_folder, tmp_path, old, new):
    folder = shutil.copytree(package_folder, tmp_path / "package")
    file = next(f for f in sorted((folder / "csv" / "flows").glob("*.csv")) if old in f.read_text())
    file.write_text(file.read_text().replace(old, new, 1))
    report = validate(folder)
    kinds = {kind for _, kind in report.flatten(["name", "type"])}
    assert not report.valid and {"hash-count", "constraint-error"} & kinds


def test_the_csv_files_add_up(package_folder, csv_flows):
    assert (csv_flows.groupby(["year", "origin", "destination"]).size() == 2).all()
    flows = csv_flows.drop_duplicates(["year", "origin", "destination"])
    net = pd.read_csv(package_folder / "csv" / "net_migration.csv").set_index(["year", "territory"])
    for side, column in (("inflow", "destination"), ("outflow", "origin")):
        total = flows.groupby(["year", column]).flow.sum()
        total.index.names = ["year", "territory"]
        np.testing.assert_allclose(total.reindex(net.index, fill_value=0), net[side], rtol=1e-6, atol=1e-3)
    np.testing.assert_allclose(net.inflow - net.outflow, net.net_migration, atol=1e-3)
    np.testing.assert_allclose(net.groupby("year").net_migration.sum(), 0, atol=1e-2)
    assert (flows.lower <= flows.flow).all() and (flows.upper >= flows.flow).all()


def test_pairs_say_what_the_estimates_answer(package_folder, release_folder):
    """Read without any option: no code of a territory may be taken for a missing value."""
    estimates = open_estimates(release_folder)
    files = sorted((package_folder / "csv" / "pairs").glob("*.csv"))
    assert [f.stem for f in files] == sorted(estimates.codes)
    parts = pd.concat([pd.read_csv(f) for f in files])
    assert len(parts) and not parts.duplicated(["year", "territory", "other"]).any()
    assert (parts[["inflow", "outflow"]].max(axis=1) >= 10).all()
    opposite = parts.merge(parts, left_on=["year", "territory", "other"], right_on=["year", "other", "territory"])
    assert len(opposite) == len(parts)
    np.testing.assert_array_equal(opposite.net_migration_lower_x, -opposite.net_migration_upper_y)
    for (here, there), own in list(parts.groupby(["territory", "other"]))[:5]:
        for answer in (estimates.net(here, there), estimates.total(here, there)):
            expected = answer[answer.year.isin(own.year)].reset_index(drop=True)
            pd.testing.assert_frame_equal(own[list(answer)].reset_index(drop=True), expected, check_dtype=False)


def test_a_plain_reader_loses_no_code(package_folder):
    for file in sorted((package_folder / "csv").rglob("*.csv")):
        table = pd.read_csv(file)
        coded = [c for c in table if c in ("iso3", "iso2", "territory", "other", "origin", "destination", "name")]
        assert coded and not table[coded].isna().any().any(), file


def test_all_formats_say_the_same(package_folder, release_folder, csv_flows):
    estimates, packed = open_estimates(release_folder), open_estimates(package_folder)
    o, d = estimates.codes[4], estimates.codes[2]
    expected = estimates.flow(o, d)
    pd.testing.assert_frame_equal(packed.flow(o, d), expected)
    pd.testing.assert_frame_equal(packed.by_birthplace(o, d), estimates.by_birthplace(o, d))
    pd.testing.assert_frame_equal(packed.stock(o, d), estimates.stock(o, d))
    columns = {"flow": "flow", "flow_lower": "lower", "flow_upper": "upper", "basis": "basis", "sources": "sources",
               "grade": "grade"}
    listed = expected[(expected.flow > 0) | (expected.sources != "")]
    of_csv = csv_flows[(csv_flows.origin == o) & (csv_flows.destination == d)].drop_duplicates("year")
    into = json.loads((package_folder / "json" / f"{d}.json").read_text())["inflow"]
    of_json = pd.DataFrame(next(x for x in into if x["territory"] == o))
    out_of = json.loads((package_folder / "json" / f"{o}.json").read_text())["outflow"]
    assert next(x for x in out_of if x["territory"] == d) == {**next(x for x in into if x["territory"] == o),
                                                              "territory": d}
    of_parquet = duckdb.sql(f"""SELECT year, flow, lower, upper, basis, sources, grade
        FROM read_parquet('{package_folder}/parquet/flows/*/*.parquet', hive_partitioning = true)
        WHERE origin = '{o}' AND destination = '{d}' ORDER BY year""").df()
    for table in (of_csv, of_json, of_parquet):
        assert table.year.tolist() == listed.year.tolist()
        for own, other in columns.items():
            if own.startswith("flow"):
                np.testing.assert_allclose(table[other].astype(float), listed[own], rtol=1e-6)
            else:
                assert table[other].tolist() == listed[own].tolist()


def test_a_query_of_duckdb_finds_the_largest(package_folder, release_folder):
    estimates = open_estimates(release_folder)
    place, year = estimates.codes[1], estimates.years[-1]
    found = duckdb.sql(f"""SELECT origin, flow FROM read_parquet('{package_folder}/parquet/flows/*/*.parquet',
        hive_partitioning = true) WHERE year = {year} AND destination = '{place}' ORDER BY flow DESC LIMIT 3""").df()
    expected = estimates.top("inflow", place, year, 3)
    assert found.origin.tolist() == expected.origin.tolist()
    np.testing.assert_array_equal(found.flow, expected.flow)


def test_netcdf_is_by_year_and_says_what_it_is(package_folder, release_folder):
    estimates = open_estimates(release_folder)
    n = len(estimates.codes)
    with netCDF4.Dataset(package_folder / "flows.nc") as data:
        assert data.Conventions == "CF-1.11" and data.product_version == "1.2.3"
        for name in data["flow"].ancillary_variables.split():
            assert data[name].dimensions == ("year", "origin", "destination")
        for name in ("flow", "flow_lower", "flow_seen", "spoke", "basis", "grade"):
            assert data[name].chunking() == [1, n, n] and data[name].filters()["zlib"]
        assert data["grade"].flag_meanings == "A B C D E" and f"{FACTORS[0]:g}" in data["grade"].comment
    with netCDF4.Dataset(package_folder / "stocks.nc") as data:
        assert data["stock"].chunking() == [1, n, n]
    opened = xr.load_dataset(package_folder / "flows.nc", engine="netcdf4")
    o, d = estimates.codes[:2]
    grades = opened.grade.sel(origin=o, destination=d).values
    assert ["ABCDE"[g] for g in grades] == estimates.flow(o, d).grade.tolist()


def test_texts_go_along(package_folder):
    readme = (package_folder / "README.md").read_text()
    assert "Version 1.2.3" in readme and "E beyond" in readme and "CC BY 4.0" in readme
    assert (package_folder / "CHANGELOG.md").is_file() and (package_folder / "CITATION.cff").is_file()
    manifest = json.loads((package_folder / "manifest.json").read_text())
    for file, digest in manifest["files"].items():
        assert artifacts.sha256(package_folder / file) == digest


def test_a_release_with_less_makes_a_smaller_package(bare_folder, tmp_path):
    made = write_package(tmp_path / "bare", bare_folder)
    assert validate(made.parent).valid
    header = next((made.parent / "csv" / "flows").glob("*.csv")).read_text().split("\n")[0]
    assert header.replace('"', "") == "year,origin,destination,flow"
    assert "does not hold" in (made.parent / "README.md").read_text()


def test_nothing_is_overwritten_and_nothing_is_left_half_done(release_folder, tmp_path):
    target = tmp_path / "package"
    target.mkdir()
    (target / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match="not empty"):
        write_package(target, release_folder)
    broken = shutil.copytree(release_folder, tmp_path / "broken")
    (broken / "stocks.nc").write_bytes(b"x")
    with pytest.raises(ArtifactError):
        write_package(tmp_path / "new", broken)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["broken", "package"]
    assert [p.name for p in target.iterdir()] == ["mine.txt"]
    shutil.rmtree(broken)
    shutil.copytree(release_folder, broken)
    (broken / "CHANGELOG.md").write_text("nothing")
    list_files(broken, format=1)
    with pytest.raises(ArtifactError, match="no version"):
        write_package(tmp_path / "new", broken)
