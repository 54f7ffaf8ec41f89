"""The laboratory: each experiment changes one thing, keeps what it made, and is scored against the truth."""
import dataclasses

import numpy as np
import pandas as pd
import pytest

from humanflows import artifacts, paths, pipeline, recovery, workers
from humanflows.config import load_config
from humanflows.errors import ArtifactError, ConfigError
from humanflows.recovery import WITHOUT, Experiment, experiments, prepare, run_experiment
from humanflows.results.recovery import QUANTITIES

SMALL = {"twin": {"territories": 8, "reporters": 3, "people": {"burn_in": 10}}, "last_year": 2003,
         "train": {"year_steps": 3, "history_steps": 2, "epochs": 3, "validate_every": 1},
         "model": {"hidden": 4, "width": 8, "embedding": 2}}


def small(name, without=None, **twin) -> Experiment:
    change = {**SMALL, "twin": {**SMALL["twin"], **twin}}
    return Experiment(name, "test", name, change, without)


def test_the_first_experiment_is_the_default_and_names_are_unique():
    every = experiments()
    assert every[0].config() == load_config("twin") and every[0].without is None
    assert len({e.name for e in every}) == len({e.label for e in every}) == len(every)
    assert {e.without for e in every if e.without} == set(WITHOUT)
    for e in every[1:]:
        assert e.without or e.config() != every[0].config()


def test_folds_of_the_cross_fit_hold_out_every_corridor_once():
    def held_out(k):
        one = small(f"fold-{k}")
        return prepare(dataclasses.replace(one, change={**SMALL, "split": {"held_out_fold": k}}))[2].held_out.values

    held = [held_out(k) for k in recovery.FOLDS]
    assert (np.sum(held, axis=0) == ~np.eye(8, dtype=bool)).all()


@pytest.mark.parametrize("without", WITHOUT)
def test_what_is_left_out_is_out_and_nothing_else(without):
    panel, less = (prepare(small("x", w))[1] for w in (None, without))
    sources = {str(w).split("|")[0] for w in less.witness.values}
    if without == "net migration":
        assert less.net_migration.isnull().all() and less.net_migration_national.isnull().all()
        assert panel.births.equals(less.births) and panel.sizes == less.sizes
    elif without.startswith("stock tables"):
        late = less.stock_year.values > 1995
        assert not np.isfinite(less.stock_observed.values[:, late]).any()
        first = [p.stock_observed.sel(stock_year=1990) for p in (less, panel)]
        np.testing.assert_array_equal(*first)
        assert set(less.period.values) == {1990}        # and no reconstruction knows the later ones
    elif without == "offices' flows":
        assert sources == {"meta"} or not sources
    elif without == "offices' departures":
        sides = {(str(w).split("|")[0], str(w).split("|")[2]) for w in less.witness.values}
        assert all(side != "emigration" for _, side in sides) and sources == {
            str(w).split("|")[0] for w in panel.witness.values}
    elif without == "reconstructions":
        assert less.sizes["observation"] == panel.sizes["observation"]
        assert not np.isfinite(less.get("reconstruction", np.array(np.nan))).any()
    elif without == "refugee counts":
        assert not np.nansum(less.displaced_stock.values if "displaced_stock" in less else 0)
        assert np.nansum(panel.displaced_stock.values) > 0
    elif without == "platform's counts":
        assert "meta" not in sources                    # this small world ends before the platform begins
    else:
        assert not sources and less.sizes["observation"] == 0


def test_unknown_things_cannot_be_left_out():
    with pytest.raises(ConfigError, match="dreams"):
        prepare(small("x", "dreams"))


def test_an_experiment_is_scored_kept_and_done_again_when_something_changed(tmp_path):
    file = run_experiment(small("one"), target=tmp_path / "one")
    table = pd.read_csv(file)
    assert set(table.quantity) == set(QUANTITIES)
    assert {"all", "world total"} <= set(table.group) and np.isfinite(table.r).any()
    made = artifacts.read_manifest(file)["made_at"], file.stat().st_mtime_ns
    assert run_experiment(small("one"), target=tmp_path / "one") == file
    assert (artifacts.read_manifest(file)["made_at"], file.stat().st_mtime_ns) == made
    run_experiment(dataclasses.replace(small("one"), change={**SMALL, "seed": 2}), target=tmp_path / "one")
    assert file.stat().st_mtime_ns != made[1]


def test_birthplaces_add_up_to_the_flows_and_flows_to_net_migration(tmp_path):
    run_experiment(small("two"), target=tmp_path)
    import xarray as xr

    with xr.open_dataset(tmp_path / "estimates.nc", engine="netcdf4") as told:
        np.testing.assert_allclose(told.flow_by_birthplace.sum("birthplace"), told.flow, rtol=1e-4, atol=1e-2)
        net = told.flow.sum("origin").values - told.flow.sum("destination").values
        np.testing.assert_allclose(told.net_migration, net, atol=1.0)


def test_two_workers_give_what_one_gives(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ARTIFACTS", tmp_path)
    chosen = [small("a"), small("b", "refugee counts")]
    alone = [pd.read_csv(run_experiment(e, target=tmp_path / "alone" / e.name)) for e in chosen]
    monkeypatch.setattr(workers, "ProcessPoolExecutor", InThisProcess)
    done = recovery.run_experiments(chosen)
    for e, expected in zip(chosen, alone):
        pd.testing.assert_frame_equal(pd.read_csv(done[e.name]), expected)
    table = recovery.collect_scores(chosen)
    assert list(dict.fromkeys(table.experiment)) == ["a", "b"] and list(table.columns[:3]) == [
        "experiment", "question", "label"]


class InThisProcess:
    """A pool without processes, for what is patched here would not reach them."""

    def __init__(self, *_, **__):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False

    def submit(self, function, *arguments):
        from concurrent.futures import Future

        future = Future()
        try:
            future.set_result(function(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future


def test_one_failure_does_not_stop_the_others(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(paths, "ARTIFACTS", tmp_path)
    monkeypatch.setattr(workers, "ProcessPoolExecutor", InThisProcess)
    with pytest.raises(ConfigError, match="dreams"):
        recovery.run_experiments([small("bad", "dreams"), small("good")])
    assert (recovery.folder() / "good" / "scores.csv").is_file()
    assert "bad failed" in capsys.readouterr().out


def test_a_report_before_the_experiments_says_what_to_run(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ARTIFACTS", tmp_path)
    monkeypatch.setattr(paths, "RECOVERY", tmp_path)
    for call in (recovery.cross_fit, lambda: recovery.read_report("scores"),
                 lambda: recovery.collect_scores(experiments()[:1])):
        with pytest.raises(ArtifactError, match="humanflows recover"):
            call()


# ---- what is committed

def test_the_committed_report_is_complete_and_of_this_world():
    scores = recovery.read_report("scores")
    assert set(scores.experiment) == {e.name for e in experiments()}
    manifest = artifacts.read_manifest(paths.RECOVERY / "scores.csv")
    assert manifest["sha256"] == artifacts.sha256(paths.RECOVERY / "scores.csv")
    assert recovery.read_report("coverage").coverage.between(0, 1).all()
    corridors = recovery.read_report("corridors")
    assert (corridors.lower <= corridors.upper).all() and (corridors.lower >= 0).all()
    world = pipeline.simulate_twin(load_config("twin"))
    truth = world.truth.flow.to_series().rename("truth").reset_index()
    truth = truth.assign(corridor=truth.origin + "-" + truth.destination)
    both = corridors.merge(truth, on=["corridor", "year"])
    assert len(both) == len(corridors)
    np.testing.assert_allclose(both.true, both.truth, rtol=1e-5)      # the report speaks about this very world


def test_bounds_hold_the_truth():
    bounds = recovery.read_report("bounds")
    assert (bounds.stock_lower <= bounds.true * (1 + 1e-5) + 1e-3).all()
    assert (bounds.true <= bounds.stock_upper * (1 + 1e-5) + 1e-3).all()
