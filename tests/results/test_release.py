"""The release: compact, consistent with itself, and refused when altered."""
import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from humanflows import artifacts, paths
from humanflows.config import load_config
from humanflows.errors import ArtifactError
from humanflows.results import release
from humanflows.results.estimates import open_estimates, write_estimates
from humanflows.results.headline import Headline

CODES, YEARS = ["DEU", "MEX", "USA"], [1990, 1991]


@pytest.fixture
def estimates(tmp_path):
    rng = np.random.default_rng(0)
    flow = rng.lognormal(5, 3, (2, 3, 3))
    flow[:, range(3), range(3)] = 0
    file = write_estimates(flow, rng.lognormal(9, 2, (3, 3, 3)), None, YEARS, CODES, tmp_path / "estimates.nc")
    return open_estimates(file)


@pytest.fixture
def released(estimates, tmp_path):
    folder = tmp_path / "release"
    release.write_estimates_of(estimates, folder)
    release.write_manifest(folder, load_config("world"), {"panel": "x"})
    return folder


def test_release_agrees_with_itself_and_with_the_estimates(released, estimates):
    opened = release.open_release(released)
    flow = opened.flow.values.astype(float)
    assert np.allclose(flow, np.where(estimates.flow < release.SMALLEST, 0, estimates.flow), rtol=6e-4)
    assert np.allclose(opened.net_migration, flow.sum(1) - flow.sum(2), atol=1e-6)
    assert np.abs(opened.net_migration.sum("residence")).max() < 1e-6 * flow.sum()


def test_an_altered_or_missing_file_is_refused(released):
    other = xr.load_dataset(released / "flows.nc", engine="netcdf4")
    artifacts.write_netcdf(other * 2, released / "flows.nc")
    with pytest.raises(ArtifactError, match=r"flows\.nc.*not the one.*Remedy"):
        release.open_release(released)
    (released / "flows.nc").unlink()
    with pytest.raises(ArtifactError, match=r"flows\.nc.*missing.*release"):
        release.open_release(released)


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=30))
def test_compact_keeps_four_digits_and_more_and_drops_only_fractions_of_a_person(values):
    values = np.array(values)
    kept = release.compact(values)
    assert np.all(np.abs(kept - values) <= np.where(values < release.SMALLEST, release.SMALLEST, 7e-5 * values))
    assert (release.compact(kept) == kept).all()


def test_ends_are_rounded_outwards_and_hold_the_number(estimates, tmp_path):
    rng, ends = np.random.default_rng(1), {}
    for name in ("flow", "stock", "net_migration"):
        rows = estimates[name][:1] if name == "stock" else estimates[name]
        wide = np.abs(rows.values) * rng.uniform(0, 1, rows.shape) - (name == "flow") * 3
        lower = rows.values - wide if name == "net_migration" else np.maximum(rows.values - wide, 0)
        ends |= {f"{name}_lower": rows.copy(data=lower), f"{name}_upper": rows.copy(data=rows.values + wide)}
    release.write_estimates_of(estimates, tmp_path / "bounded", xr.Dataset(ends))
    release.write_manifest(tmp_path / "bounded", load_config("world"), {})
    opened = release.open_release(tmp_path / "bounded")
    for name in ("flow", "stock", "net_migration"):
        lower, upper = (opened[f"{name}_{end}"].dropna("date_year") if name == "stock" else opened[f"{name}_{end}"]
                        for end in ("lower", "upper"))
        middle = opened[name].sel({d: lower[d] for d in lower.dims})
        assert (lower <= middle).all() and (middle <= upper).all(), name
        assert (lower <= ends[f"{name}_lower"] + 1e-3).all() or name == "net_migration"
        wanted = np.maximum(ends[f"{name}_upper"].values, middle.values)
        assert np.allclose(upper.transpose(*middle.dims), wanted, rtol=1.7e-2, atol=1e-3), name
    assert np.isnan(opened.stock_lower.values[1:]).all()      # ends are known on some dates alone


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=30))
def test_rounding_outwards_never_narrows(values):
    values = np.array(values)
    low, high = release.compact_end(values, upper=False), release.compact_end(values, upper=True)
    slack = 1e-5 * np.abs(values) + 1e-30      # float32, and steps that are steps already
    assert (low <= values + slack).all() and (high >= values - slack).all()
    assert (high.astype(float) - low <= 0.032 * np.abs(values) + slack).all()
    assert np.array_equal(release.compact_end(low, upper=False), low)


def test_manifest_lists_every_file(released):
    listed = json.loads((released / "manifest.json").read_text())
    assert set(listed["files"]) == {"flows.nc", "stocks.nc", "net_migration.nc"}
    assert listed["files"]["flows.nc"] == artifacts.sha256(released / "flows.nc") and listed["profile"] == "world"


def test_facts_are_strings_from_the_run(estimates):
    scores = pd.DataFrame([{"collection": "undesa_imfsc", "side": side, "criterion": "residence", "horizon": "annual",
                            "peer": "humanflows", "n": 12, "r": 0.5, "log_r": 0.6, "cpc": 0.7, "within_r": 0.4}
                           for side in ("immigration", "emigration")])
    panel = xr.Dataset(coords={"observation": range(7), "witness": range(2)})
    facts = release.build_facts(estimates, Headline(scores, together=False), panel, 90.0)
    assert all(isinstance(v, str) for v in facts.values())
    assert facts["emigration_own_log_r"] == "0.60" and facts["first_year"] == "1990"
    assert facts["flow_first_year"] == f"{float(estimates.flow[0].sum()) / 1e6:.1f} million"


@pytest.mark.skipif(not (paths.RELEASE / "manifest.json").is_file(), reason="no release in this checkout yet")
def test_the_committed_release_is_whole_and_of_the_real_world():
    opened = release.open_release()
    assert opened.sizes["origin"] == 231 and list(opened.year.values[[0, -1]]) == [1990, 2024]
    total = opened.flow.sum(("origin", "destination"))
    assert np.abs(opened.net_migration.sum("residence") / total).max() < 1e-9
    assert (opened.flow >= 0).all() and (opened.stock >= 0).all()
    manifest = json.loads((paths.RELEASE / "manifest.json").read_text())
    assert manifest["profile"] == "world" and manifest["bytes"] < 30e6
    for file, digest in manifest["files"].items():
        assert artifacts.sha256(paths.RELEASE / file) == digest, file
