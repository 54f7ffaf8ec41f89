"""Totals of the release are those of its flows as they are stored."""
import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from humanflows.config import load_config
from humanflows.dataset import open_estimates
from humanflows.dataset.whole import check_release
from humanflows.errors import ArtifactError
from humanflows.results import release
from humanflows.results.release import compact, renew_sums
from humanflows.results.released_sums import add_again, totals_of
from humanflows.territories import codes, region_of
from whole_release import CODES, YEARS, list_files, write_whole_release


def test_totals_are_sums_of_their_corridors():
    rng, some = np.random.default_rng(2), list(codes()[:40])
    flow = rng.lognormal(3, 1, (2, 40, 40))
    flow[:, range(40), range(40)] = 9e9     # nobody moves from a territory to itself
    totals = totals_of(flow, [2001, 2002], some)
    region = region_of().loc[some].to_numpy()
    off = ~np.eye(40, dtype=bool)
    first = np.where(off, flow[0], 0)
    assert totals["world", "World", "World", 2001] == pytest.approx(first.sum())
    assert totals["out of", some[3], "World", 2001] == pytest.approx(first[3].sum())
    assert totals["into", "World", some[5], 2001] == pytest.approx(first[:, 5].sum())
    a, b = np.unique(region)[[0, 1]]
    assert totals["between regions", a, b, 2001] == pytest.approx(first[np.ix_(region == a, region == b)].sum())
    assert totals["out of region", a, "World", 2001] == pytest.approx(first[np.ix_(region == a, region != a)].sum())
    assert totals["into region", "World", b, 2001] == pytest.approx(first[np.ix_(region != b, region == b)].sum())


def test_flows_that_are_stored_as_zero_are_zero_in_totals():
    flow = np.full((1, 4, 4), 0.4)
    flow[0, 0, 1] = 100
    flow[:, range(4), range(4)] = 0
    before = totals_of(flow, YEARS[:1], CODES).reset_index().assign(lower=0.3, lower_80=100.5, upper_80=101, upper=102)
    stored = xr.DataArray(compact(flow), dims=("year", "origin", "destination"),
                          coords={"year": YEARS[:1], "origin": CODES, "destination": CODES})
    after = add_again(before, stored).set_index(["total", "origin", "destination"])
    assert before["persons"][0] == pytest.approx(104.4) and after.loc[("world",) + ("World",) * 2, "persons"] == 100
    assert after.loc[("world",) + ("World",) * 2, "lower_80"] == 100        # an end goes along
    assert after.loc[("out of", CODES[2], "World"), ["persons", "lower"]].tolist() == [0, 0]
    assert (after["upper"] == 102).all()


def test_intervals_are_made_around_totals_of_released_flows(monkeypatch):
    """The table of sums and the released flows drop the same."""
    from types import SimpleNamespace

    from humanflows.results import interval_release as made
    from humanflows.results.interval_cells import OFFICES
    from humanflows.results.interval_sums import Components

    flow = np.full((1, 4, 4), 0.4, np.float32)
    flow[0, 0, 1] = 100
    panel = xr.Dataset(coords={"origin": CODES, "destination": CODES, "year": YEARS[:1]})
    given = SimpleNamespace(panel=panel, regions=region_of().loc[CODES].to_numpy(), flow=flow,
                            members_of_year=lambda t: np.stack([flow[t], flow[t]]))
    table = made.sum_table(given, np.full(flow.shape, 0.1), np.zeros(flow.shape, np.int8),
                           {OFFICES: Components(0.1, 0.1, 0.1, 0.1)}, pd.DataFrame(), draws=20)
    assert table.set_index("total")["persons"]["world"] == 100


def test_a_release_is_mended_once(tmp_path):
    folder = write_whole_release(tmp_path / "release")
    file, manifest = folder / "sums.csv", folder / "manifest.json"
    good = file.read_bytes()
    table = pd.read_csv(file)
    table["persons"] *= 1.1
    table.to_csv(file, index=False, float_format="%.6g")
    with pytest.raises(ArtifactError):
        renew_sums(folder)      # not the one that is listed
    list_files(folder, seed=7)
    with pytest.raises(ArtifactError):
        check_release(folder)
    assert renew_sums(folder)[0] > 10
    check_release(folder)
    assert file.read_bytes() == good and json.loads(manifest.read_text())["seed"] == 7
    assert renew_sums(folder) == (0, 0) and file.read_bytes() == good


@pytest.mark.parametrize("profile", ["world", "twin"])
def test_a_release_is_written_with_totals_of_its_stored_flows(tmp_path, monkeypatch, profile):
    """And says of itself what it is."""
    from humanflows.model import compact as packing
    from humanflows.model import train

    monkeypatch.setattr(train, "read_weights", lambda file: ({}, {}))
    monkeypatch.setattr(packing, "save_compact", lambda tensors, file: file.write_bytes(b"weights"))
    flow = np.full((2, 4, 4), 0.4)
    flow[:, 0, 1] = 123.456789
    flow[:, range(4), range(4)] = 0
    dims = {"year": YEARS[:2], "origin": CODES, "destination": CODES}
    estimates = xr.Dataset({"flow": (tuple(dims), flow), "net_migration": (("year", "residence"), np.zeros((2, 4))),
                            "stock": (("date_year", "birthplace", "residence"), np.ones((3, 4, 4)))},
                           coords={**dims, "date_year": YEARS[:3], "birthplace": CODES, "residence": CODES})
    sums = totals_of(flow, YEARS[:2], CODES).reset_index().assign(lower=0.0, upper=999.0)
    splits = xr.Dataset({k: (("origin", "destination"), np.eye(4, dtype=bool)) for k in ("held_out", "validation")},
                        coords={k: CODES for k in ("origin", "destination")})
    together = release.Together(estimates, None, {"sums": sums}, lambda folder: [], {})
    folder = tmp_path / "release"
    release.write_results(folder, estimates, {}, pd.DataFrame({"epoch": [1]}), splits, tmp_path / "w", together,
                          profile=profile)
    release.label_tables(folder, profile)
    release.write_manifest(folder, load_config(profile), {})
    check_release(folder)
    world = pd.read_csv(folder / "sums.csv").set_index("total").loc["world"]
    assert world["persons"].tolist() == [pytest.approx(123.456789, rel=1e-4)] * 2
    assert open_estimates(folder).simulated == (profile == "twin")
    assert (profile == "twin") == all("data_kind" in pd.read_csv(f) for f in folder.glob("*.csv"))
