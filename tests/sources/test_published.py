"""The reference's published estimates: files made here, the real ones, and who may read them."""
import ast
import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import humanflows
from humanflows.errors import SchemaError, SourceFileError, UnknownTerritoryError
from humanflows.sources import published
from humanflows.sources.published import (
    REGION_ROWS,
    read_names,
    read_published_flows,
    read_published_net_migration,
    read_published_stocks,
)
from humanflows.territories import codes, name

PACKAGE = Path(humanflows.__file__).parent


@pytest.fixture
def folder(tmp_path):
    """A published folder of 242 rows: all territories but Aruba, which stands in as a twelfth name of a region."""
    rest = [name(c) for c in codes()]
    names = ["Region" if i in REGION_ROWS else rest.pop(0) for i in range(242)]
    (tmp_path / "indexes-regions.json").write_text(json.dumps({"names": names, "regions": REGION_ROWS}))
    (tmp_path / "flows").mkdir()
    matrix = np.zeros((242, 242), dtype=int)
    matrix[0, :] = 9
    matrix[names.index("Mexico"), names.index("United States")] = 5
    for year, m in ((1990, matrix), (1991, 0 * matrix)):
        (tmp_path / "flows" / f"{year}.json").write_text(json.dumps({"matrix": m.tolist()}))
    (tmp_path / "flows" / "dataset_meta.json").write_text("{}")
    return tmp_path


def test_region_rows_empty_years_and_diagonal(folder):
    flow = read_published_flows(folder / "flows")
    assert flow.dims == ("year", "origin", "destination") and flow["year"].values.tolist() == [1990]
    assert float(flow.sum()) == 5 and float(flow.sel(year=1990, origin="MEX", destination="USA")) == 5
    assert np.isnan(flow.sel(year=1990, origin="MEX", destination="MEX"))
    assert flow["origin"].values.tolist() == list(codes())


def test_a_territory_that_the_file_lacks_is_unknown(folder, monkeypatch):
    monkeypatch.setattr(published, "NAMES", {"Aruba": None})
    flow = read_published_flows(folder / "flows")
    assert flow.sel(origin="ABW").isnull().all() and flow.sel(destination="ABW").isnull().all()
    assert float(flow.sel(year=1990, origin="MEX", destination="USA")) == 5


def test_bad_files_are_named(folder):
    index = folder / "indexes-regions.json"
    content = json.loads(index.read_text())
    (folder / "flows" / "1990.json").write_text('{"matrix": [[1, 2]]}')
    with pytest.raises(SchemaError, match=r"1990\.json"):
        read_published_flows(folder / "flows")
    index.write_text(json.dumps(content | {"regions": [0, 3]}))
    with pytest.raises(SchemaError, match="regions"):
        read_names(index)
    content["names"][1] = "Atlantis"
    index.write_text(json.dumps(content))
    with pytest.raises(UnknownTerritoryError, match="Atlantis"):
        read_names(index)
    content["names"][1] = content["names"][2]
    index.write_text(json.dumps(content))
    with pytest.raises(SchemaError, match="two names"):
        read_names(index)
    with pytest.raises(SourceFileError, match="YYYY"):
        read_published_flows(folder)
    with pytest.raises(SourceFileError, match="NetCDF"):
        read_published_net_migration(index)


def test_net_migration_in_the_project_order(tmp_path):
    values = np.array([[1.0, -2.0]], dtype="float32")
    xr.Dataset({k: (("Year", "Country ISO"), values) for k in ("mean", "std")},
               {"Year": [1990], "Country ISO": ["USA", "MEX"]}).to_netcdf(tmp_path / "n.nc", engine="scipy")
    data = read_published_net_migration(tmp_path / "n.nc")
    assert dict(data.sizes) == {"year": 1, "residence": len(codes())}
    assert float(data["mean"].sel(year=1990, residence="MEX")) == -2 and int(data["mean"].notnull().sum()) == 2


@pytest.mark.sources
def test_real_flows_are_what_we_think(source_file):
    files = [source_file(f"gaskin_abel/published/flows/{y}.json") for y in range(1990, 2025)]
    index = source_file("gaskin_abel/published/indexes-regions.json")
    flow = read_published_flows(files, index)
    assert flow["year"].values.tolist() == list(range(1990, 2024))  # 2024 is empty
    assert flow.sel(origin="MEX", destination="USA", year=1990).item() == 404_499
    assert flow.sel(origin="USA", destination="MEX", year=1990).item() == 107_920
    total = flow.sum(("origin", "destination"))
    assert total.sel(year=1990).item() == pytest.approx(13.3e6, rel=0.01)
    assert total.sel(year=2023).item() == pytest.approx(36.5e6, rel=0.01)
    # Each region's row is the sum of the rows below it, so the rows are where we take them to be.
    matrix = np.array(json.loads(files[0].read_text())["matrix"], dtype=float)
    for start, end in zip(REGION_ROWS, (*REGION_ROWS[1:], 242)):
        for other, stop in zip(REGION_ROWS, (*REGION_ROWS[1:], 242)):
            parts = matrix[start + 1:end, other + 1:stop]
            assert abs(parts.sum() - matrix[start, other]) <= 0.5 * parts.size + 0.5  # each number is rounded
    # In less out is the net migration published apart from it: origins are the rows.
    net = read_published_net_migration(source_file("gaskin_abel/published/net_migration.nc"))["mean"]
    ours = flow.sum("origin").values - flow.sum("destination").values
    assert np.abs(ours - net.sel(year=flow["year"]).values).max() < 60
    assert np.abs(net.sum("residence")).max() < 1


@pytest.mark.sources
def test_real_stocks(source_file):
    files = [source_file(f"gaskin_abel/published/stocks/{y}.json") for y in (1990, 2024)]
    stock = read_published_stocks(files, source_file("gaskin_abel/published/indexes-regions.json"))
    assert stock.dims == ("year", "birthplace", "residence")
    assert stock.sel(year=1990).sum().item() == pytest.approx(153e6, rel=0.05)  # foreign-born in the world
    assert stock.sel(year=2024, birthplace="MEX", residence="USA").item() > 10e6


def imports_published(file: Path) -> bool:
    """Whether a module of the package imports ``sources.published`` in any of the ways Python has."""
    here = ("humanflows", *file.relative_to(PACKAGE).parent.parts)
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(here[:len(here) - node.level + 1]) if node.level else ""
            start = ".".join(p for p in (base, node.module or "") if p)
            found = [start, *(f"{start}.{a.name}" for a in node.names)]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found = [node.value.lstrip(".")] if "sources.published" in node.value and " " not in node.value else []
        else:
            continue
        if any("sources.published" in f for f in found):
            return True
    return False


@pytest.mark.parametrize("line, wanted", [
    ("from ..sources.published import read_published_flows", True), ("from ..sources import published", True),
    ("import humanflows.sources.published as p", True), ("from humanflows.sources import published as p", True),
    ("x = __import__('humanflows.sources.published')", True), ("from ..sources import meta", False)])
def test_the_check_sees_every_way_to_import(line, wanted, monkeypatch, tmp_path):
    monkeypatch.setattr(__import__("sys").modules[__name__], "PACKAGE", tmp_path)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "train.py").write_text(line + "\n")
    assert imports_published(tmp_path / "model" / "train.py") is wanted


def test_nothing_that_learns_reads_the_published_estimates():
    learning = [f for part in ("panel", "model", "baselines", "twin") for f in (PACKAGE / part).rglob("*.py")]
    learning += [f for f in (PACKAGE / "sources").rglob("*.py") if f.name != "published.py"]
    assert len(learning) > 20
    assert [str(f.relative_to(PACKAGE)) for f in learning if imports_published(f)] == []
