"""What the release keeps of the protocols: what is read and nothing else, whole or not at all."""
import numpy as np
import pandas as pd
import pytest

from humanflows import paths
from humanflows.errors import ArtifactError
from humanflows.results.protocol_tables import (
    COLUMNS,
    compact_protocols,
    file_name,
    pooled_scores,
    read_protocols,
    write_protocols,
)
from humanflows.results.protocols import COMPARED


def test_what_is_kept_can_be_read_again(protocol_tables, tmp_path):
    tables = compact_protocols(protocol_tables)
    files = write_protocols(tmp_path, tables)
    assert [f.name for f in files] == [file_name(t) for t in tables]
    again = read_protocols(tmp_path)
    assert list(again) == list(COLUMNS)
    for name, table in tables.items():
        pd.testing.assert_frame_equal(again[name], table.astype(again[name].dtypes.to_dict()), rtol=1e-3)
        assert list(again[name].columns) == list(COLUMNS[name])


def test_tables_of_earlier_releases_are_about_all_reports(protocol_tables, tmp_path):
    write_protocols(tmp_path, compact_protocols(protocol_tables))
    file = tmp_path / file_name("scores")
    later = ["offices", "abs_log_error", "median_log_error", "change_r", "log_score", "log_score_n"]
    pd.read_csv(file).drop(columns=later).to_csv(file, index=False)
    scores = read_protocols(tmp_path)["scores"]
    assert list(scores.columns) == list(COLUMNS["scores"]) and set(scores["offices"]) == {"all"}
    assert scores[later[1:]].isna().all(axis=None)
    pd.read_csv(file).drop(columns="log_r").to_csv(file, index=False)
    with pytest.raises(ArtifactError, match="log_r"):
        read_protocols(tmp_path)


def test_the_folds_together_are_like_the_table_of_one(protocol_tables):
    tables = compact_protocols(protocol_tables)
    pooled = pooled_scores(tables)
    flows = tables["scores"]
    assert len(pooled) == (flows["protocol"] == "all five folds").sum() > 0
    assert {"protocol", "part"}.isdisjoint(pooled.columns) and "offices" in pooled
    assert set(pooled.loc[pooled.peer == "persistence", "learned_from"]) == {"last year"}
    alone = {**tables, "scores": flows[flows["protocol"] != "all five folds"]}
    assert pooled_scores(alone) is None and pooled_scores({}) is None


def test_intervals_stay_and_what_every_row_repeats_stands_once(protocol_tables):
    tables = compact_protocols(protocol_tables)
    assert {f"difference_{s}{end}" for s in COMPARED for end in ("", "_lower", "_upper")} <= set(tables["scores"])
    assert not {"label", "learned_from", "note", "dropped"} & set(tables["scores"])
    assert len(tables["scores"]) == len(protocol_tables["scores"])
    assert tables["list"].set_index("protocol").label["blind"] == "blind from 2022" and len(tables["list"]) == 5
    assert tables["peers"].values.tolist() == [["humanflows", "the others"],
                                               ["Gaskin & Abel (published)", "these cells, perhaps"],
                                               ["persistence", "last year"]]


def test_the_simulated_world_has_no_targets(protocol_tables, tmp_path):
    tables = compact_protocols({k: t for k, t in protocol_tables.items() if k != "targets"})
    write_protocols(tmp_path, tables)
    assert "targets" not in read_protocols(tmp_path)


def test_nothing_is_written_where_a_column_is_missing(protocol_tables):
    broken = {**protocol_tables, "scores": protocol_tables["scores"].drop(columns="difference_r_lower")}
    with pytest.raises(ArtifactError, match="difference_r_lower"):
        compact_protocols(broken)
    with pytest.raises(ArtifactError, match=r"protocol_stocks\.csv"):
        compact_protocols({k: t for k, t in protocol_tables.items() if k != "stocks"})


def test_none_or_all(protocol_tables, tmp_path):
    assert read_protocols(tmp_path) == {}
    write_protocols(tmp_path, compact_protocols(protocol_tables))
    (tmp_path / "protocol_stocks.csv").unlink()
    with pytest.raises(ArtifactError, match=r"protocol_stocks\.csv.*humanflows release"):
        read_protocols(tmp_path)


@pytest.mark.skipif(not (paths.RELEASE / "protocol_scores.csv").is_file(), reason="the release has no protocols yet")
def test_the_committed_tables_are_small_and_whole():
    tables = read_protocols()
    assert sum((paths.RELEASE / file_name(t)).stat().st_size for t in tables) < 2.5e6
    scores = tables["scores"]
    assert set(scores.protocol) <= set(tables["list"].protocol) and set(scores.peer) <= set(tables["peers"].peer)
    lower, middle, upper = (scores[f"difference_log_r{end}"] for end in ("_lower", "", "_upper"))
    known = lower.notna()
    assert known.any() and (lower[known] <= upper[known]).all() and np.isfinite(middle[known]).all()
