"""Published estimates, on hand-made tables and on the real files; absent files leave peers out and say so."""
import json
import logging

import numpy as np
import pandas as pd
import pytest

from humanflows import paths
from humanflows.errors import SourceFileError
from humanflows.results.peers import (
    five_year_flows,
    published_net_migration,
    published_peers,
    reference_flows,
)
from humanflows.territories import codes


def table(rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["source", "method", "year", "origin", "destination", "persons"])


def test_absent_pairs_of_covered_territories_are_zero_and_others_unknown():
    rows = table([("abel_cohen_v6", "da_pb_closed", 1990, "MEX", "USA", 100.0),
                  ("abel_cohen_v6", "da_pb_closed", 1990, "USA", "CAN", 5.0),
                  ("abel_cohen_v6", "da_pb_closed", 1995, "MEX", "USA", 200.0),
                  ("abel_cohen_v6", "da_pb_closed", 2020, "MEX", "USA", 300.0),
                  ("abel_cohen_2023", "mig_rate", 1990, "MEX", "USA", 7.0)])
    peers = five_year_flows(rows, range(1990, 2000), ["CAN", "MEX", "USA", "VEN"])
    assert sorted(peers) == ["Abel & Cohen 2023: migration rate",
                             "Abel & Cohen v6: demographic accounting, pseudo-Bayes"]
    flow = peers["Abel & Cohen v6: demographic accounting, pseudo-Bayes"]
    assert flow.dims == ("period", "origin", "destination")
    assert flow["period"].values.tolist() == [1990, 1995]
    assert flow.sel(period=1990, origin="MEX", destination="USA") == 100
    assert flow.sel(period=1990, origin="MEX", destination="CAN") == 0          # both covered: an estimate of zero
    assert flow.sel(period=1995, origin="MEX", destination="CAN").isnull()      # CAN is not covered in 1995
    assert flow.sel(origin="VEN", destination="MEX").isnull().all()
    assert (np.diagonal(flow.values, axis1=1, axis2=2) == 0).all()
    assert flow.attrs["learned_from"]


def test_periods_outside_the_years_are_left_out():
    assert five_year_flows(table([("abel_cohen_v6", "da_pb_closed", 1990, "MEX", "USA", 1.0)]), [2000], ["MEX"]) == {}


def test_without_a_registry_there_are_no_peers_and_the_log_says_so(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(paths, "REGISTRY", tmp_path / "registry.csv")
    with caplog.at_level(logging.WARNING):
        assert published_peers([2000], ["MEX", "USA"]) == {}
        assert published_net_migration([2000], ["MEX", "USA"]) == {}
    assert "left out of the comparison" in caplog.text
    assert "Remedy" in caplog.text


def register(tmp_path, monkeypatch, name, sha, url="https://nowhere.example/at/all"):
    (tmp_path / "registry.csv").write_text("path,bytes,sha256,url,source,licence,vintage\n"
                                           f"{name},1,{sha},{url},x,y,z\n")
    monkeypatch.setattr(paths, "REGISTRY", tmp_path / "registry.csv")
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    (tmp_path / "mirror").mkdir()
    monkeypatch.setenv("HUMANFLOWS_MIRROR", str(tmp_path / "mirror"))


def test_absent_files_are_left_out_unless_wanted(tmp_path, monkeypatch, caplog):
    register(tmp_path, monkeypatch, "gaskin_abel/published/net_migration.nc", "a" * 64)
    with caplog.at_level(logging.WARNING):
        assert published_net_migration([2000], ["MEX"], download=False) == {}
    assert "not on this machine" in caplog.text


def test_an_altered_file_is_an_error_and_not_an_absent_peer(tmp_path, monkeypatch):
    register(tmp_path, monkeypatch, "gaskin_abel/published/net_migration.nc", "a" * 64)
    file = tmp_path / "mirror" / "gaskin_abel" / "published" / "net_migration.nc"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"x")
    with pytest.raises(SourceFileError, match="altered"):
        published_net_migration([2000], ["MEX"], download=False)


@pytest.mark.sources
def test_the_reference_s_flows(source_file):
    file = source_file("gaskin_abel/published/flows/2000.json")
    index = source_file("gaskin_abel/published/indexes-regions.json")
    flow = reference_flows([file], index, [1999, 2000], codes())
    assert flow.dims == ("year", "origin", "destination")
    assert flow.sel(year=1999).isnull().all()       # a year that is not published has no total of zero either
    assert (np.diagonal(flow.sel(year=2000).values) == 0).all()
    assert 12.5e6 < float(flow.sel(year=2000).sum()) < 13.5e6
    names, matrix = json.loads(index.read_text())["names"], json.loads(file.read_text())["matrix"]
    assert flow.sel(year=2000, origin="MEX", destination="USA") == matrix[names.index("Mexico")][names.index(
        "United States" if "United States" in names else "USA")]
