"""The file of estimates agrees with itself, and a damaged one is refused."""
import json

import numpy as np
import pytest
import xarray as xr

from humanflows.artifacts import manifest_path, write_netcdf
from humanflows.errors import ArtifactError
from humanflows.results.estimates import net_migration_of, open_estimates, world_total, write_estimates

YEARS, CODES = [2000, 2001, 2002], ["DEU", "MEX", "NAM", "USA"]


@pytest.fixture
def arrays():
    rng = np.random.default_rng(1)
    flow = rng.lognormal(6, 4, (3, 4, 4))
    flow[:, range(4), range(4)] = 0
    return flow, rng.lognormal(8, 3, (4, 4, 4))


def write(arrays, path, net=None, **changed):
    flow, stock = arrays
    return write_estimates(**{"flow": flow, "stock": stock, "net_migration": net, "years": YEARS, "codes": CODES,
                              "path": path, **changed})


def test_net_migration_by_hand():
    flow = np.array([[[0, 10, 1], [4, 0, 0], [0, 7, 0]]])
    assert net_migration_of(flow).tolist() == [[4 - 11, 17 - 4, 1 - 7]]


def test_round_trip(arrays, tmp_path):
    flow, stock = arrays
    path = write(arrays, tmp_path / "a" / "estimates.nc", net_migration_of(flow).astype(np.float32))
    data = open_estimates(path)
    assert dict(data.sizes) == {"year": 3, "date_year": 4,
                                **dict.fromkeys(("origin", "destination", "birthplace", "residence"), 4)}
    np.testing.assert_allclose(data["flow"], flow, rtol=1e-6)
    np.testing.assert_allclose(data["stock"], stock, rtol=1e-6)
    assert data["flow"].dtype == data["stock"].dtype == np.float32
    assert data["net_migration"].dtype == np.float64
    assert data["date_year"].values.tolist() == [2000, 2001, 2002, 2003]
    assert data["flow"].sel(year=2001, origin="NAM", destination="USA") == pytest.approx(flow[1, 2, 3], rel=1e-6)
    for name in ("flow", "stock", "net_migration"):
        assert data[name].attrs["units"] == "persons"
        assert data[name].attrs["long_name"] and data[name].attrs["definition"]
    assert not manifest_path(path).exists()


def test_net_migration_sums_to_zero_and_follows_from_the_stored_flow(arrays, tmp_path):
    rng = np.random.default_rng(2)
    flow = rng.lognormal(0, 5, (3, 60, 60))
    flow[:, range(60), range(60)] = 0
    codes = [f"{a}{b}X" for a in "ABCDEF" for b in "ABCDEFGHIJ"]
    path = write_estimates(flow, np.ones((4, 60, 60)), None, YEARS, codes, tmp_path / "e.nc")
    data = open_estimates(path)
    assert np.abs(data["net_migration"].sum("residence")).max() < 1e-6
    stored = data["flow"].astype(np.float64)
    expected = stored.sum("origin").values - stored.sum("destination").values
    np.testing.assert_allclose(data["net_migration"].values, expected, atol=1e-6)
    # a float32 net migration would not do: its world sum is off by more
    assert np.abs(expected.astype(np.float32).astype(np.float64).sum(1)).max() > 1e-6


def test_manifest_says_what_made_it(arrays, tmp_path):
    path = write(arrays, tmp_path / "e.nc", made_by="tests", inputs={"config": "abc"}, seed=4)
    said = json.loads(manifest_path(path).read_text())
    assert said["made_by"] == "tests" and said["seed"] == 4 and said["inputs"] == {"config": "abc"}


def spoil(arrays, what):
    flow, stock = (a.copy() for a in arrays)
    net = None
    if what == "negative flow":
        flow[0, 0, 1] = -1
    elif what == "negative stock":
        stock[0, 0, 1] = -1
    elif what == "missing":
        flow[1, 2, 3] = np.nan
    elif what == "beyond float32":
        stock[1, 2, 3] = 1e300
    elif what == "diagonal":
        flow[2, 1, 1] = 5
    elif what == "too few stocks":
        stock = stock[:3]
    elif what == "no square flow":
        flow = flow[:, :, :3]
    elif what == "other net migration":
        net = net_migration_of(flow)
        net[1, 1] += 0.01 * np.abs(flow[1]).sum()
    elif what == "net migration missing":
        net = net_migration_of(flow) * np.nan
    elif what == "short net migration":
        net = net_migration_of(flow)[:2]
    return flow, stock, net


@pytest.mark.parametrize("what", ["negative flow", "negative stock", "missing", "beyond float32", "diagonal",
                                  "too few stocks", "no square flow", "other net migration", "net migration missing",
                                  "short net migration"])
def test_impossible_estimates_are_not_written(arrays, tmp_path, what):
    flow, stock, net = spoil(arrays, what)
    with pytest.raises(ArtifactError, match="Remedy"):
        write((flow, stock), tmp_path / "e.nc", net)
    assert list(tmp_path.iterdir()) == []


def test_years_must_follow_each_other_and_territories_be_distinct(arrays, tmp_path):
    with pytest.raises(ArtifactError, match="consecutive"):
        write(arrays, tmp_path / "e.nc", years=[2000, 2002, 2003])
    with pytest.raises(ArtifactError, match="list of territories"):
        write(arrays, tmp_path / "e.nc", codes=["DEU", "MEX", "MEX", "USA"])
    with pytest.raises(ArtifactError):
        write(arrays, tmp_path / "e.nc", years=[])


def test_a_bad_file_is_refused(arrays, tmp_path):
    with pytest.raises(ArtifactError, match="missing"):
        open_estimates(tmp_path / "none.nc")
    path = write(arrays, tmp_path / "e.nc")
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ArtifactError, match="not readable"):
        open_estimates(path)
    path.write_text("persons")
    with pytest.raises(ArtifactError, match="not readable"):
        open_estimates(path)
    write_netcdf(xr.Dataset({"flow": ("year", [1.0])}), path)
    with pytest.raises(ArtifactError, match="coordinate"):
        open_estimates(path)


@pytest.mark.parametrize("name", ["flow", "stock", "net_migration"])
def test_a_changed_file_is_refused(arrays, tmp_path, name):
    path = write(arrays, tmp_path / "e.nc")
    data = open_estimates(path)
    changed = data.copy(deep=True)
    changed[name][1, 1, ...] = -50.0 if name != "net_migration" else 1e9
    write_netcdf(changed, path)
    with pytest.raises(ArtifactError, match=name.replace("_", ".")):
        open_estimates(path)
    write_netcdf(data.drop_vars(name), path)
    with pytest.raises(ArtifactError):
        open_estimates(path)


def test_world_total_leaves_the_diagonal_out():
    flow = xr.DataArray(np.arange(8.0).reshape(2, 2, 2), dims=("year", "origin", "destination"))
    assert world_total(flow).values.tolist() == [1 + 2, 5 + 6]
