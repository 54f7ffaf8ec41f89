"""The scripts beside the package: what they read and write, not how long they take."""
import importlib.util

import pandas as pd
import pytest

from humanflows import paths


@pytest.fixture
def ablate():
    spec = importlib.util.spec_from_file_location("ablate", paths.ROOT / "benchmarks" / "ablate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_an_ablation_collects_our_own_scores_and_net_migration(ablate, tmp_path):
    scores = pd.DataFrame({"collection": "meta", "side": "both", "criterion": "residence", "horizon": "annual",
                           "peer": ["humanflows", "gravity"], "n": 5, "r": [0.9, 0.1], "log_r": 0.8})
    scores.to_csv(tmp_path / "scores.csv", index=False)
    net = pd.DataFrame({"reference": "wpp", "horizon": "annual", "peer": ["humanflows", "other"], "n": 7,
                        "r": [0.7, 0.2]})
    net.to_csv(tmp_path / "net_migration_scores.csv", index=False)
    table = ablate.collect("without stocks", tmp_path)
    assert list(table.columns) == ["run", *ablate.KEEP] and set(table.run) == {"without stocks"}
    assert table.r.tolist() == [0.9, 0.7] and table.collection.tolist() == ["meta", "wpp"]


def test_each_run_gets_a_folder_and_its_settings(ablate, tmp_path, monkeypatch):
    called = []
    monkeypatch.setattr(paths, "BUILD", tmp_path)
    monkeypatch.setattr(ablate.subprocess, "run", lambda command, check, env: called.append((command, env)))
    folder = ablate.run("without stocks", ["loss.stock=0", "train.epochs=2"], "twin")
    assert folder == tmp_path / "ablation" / "without-stocks" / "artifacts" / "twin"
    assert [c[3] for c, _ in called] == list(ablate.STEPS)
    for command, env in called:
        assert command[4:] == ["--profile", "twin", "--set", "loss.stock=0", "--set", "train.epochs=2"]
        assert env["HUMANFLOWS_BUILD"] == str(tmp_path / "ablation" / "without-stocks")
