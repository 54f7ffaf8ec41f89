"""The ensemble: members differ and repeat themselves, go on where they stopped, and survive the death of a worker."""
import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import fields

import numpy as np
import pytest
import torch
from distributed import Client
from typer.testing import CliRunner

from humanflows import artifacts, cli, ensemble, paths, pipeline
from humanflows import cluster as cluster_module
from humanflows.config import EnsembleConfig
from humanflows.ensemble import member_config
from humanflows.errors import ArtifactError, ConfigError, DivergenceError
from humanflows.model import train as training
from humanflows.model.recursion import FlowModel
from humanflows.panel.splits import make_splits, training_observations
from humanflows.results.estimates import open_estimates

OFF = {f.name: 0.0 for f in fields(EnsembleConfig) if f.type is float}
SMALL = {"twin": {"territories": 7, "reporters": 5, "people": {"burn_in": 10}}, "first_year": 2000, "last_year": 2013,
         "train": {"year_steps": 3, "history_steps": 2, "epochs": 4, "validate_every": 1, "checkpoint_every": 1,
                   "device": "cpu"},
         "model": {"hidden": 4, "width": 8, "embedding": 2}, "ensemble": {"crossed_members": 4, "design": "crossed"},
         "split": {"folds": 3}}


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """Artifacts of these tests lie in a folder of their own, with the panel of a small world."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "ARTIFACTS", tmp_path_factory.mktemp("build"))
        pipeline.harmonise(ensemble.ensemble_config("twin", settings=SMALL))
        yield paths.ARTIFACTS


@pytest.fixture(scope="module")
def config(build):
    return ensemble.ensemble_config("twin", settings=SMALL)


@pytest.fixture(scope="module")
def panel(config):
    return pipeline.open_panel(config)


@contextmanager
def inside():
    """A cluster in this very process: nothing to start, and what is patched here reaches it."""
    with cluster_module.local_cluster(1, processes=False) as cluster, Client(cluster, set_as_default=False) as client:
        yield client


@pytest.fixture
def here(monkeypatch):
    """Have run_ensemble use a cluster of this process."""
    monkeypatch.setattr(ensemble, "open_client", lambda *_: inside())


@pytest.fixture(scope="module")
def made(build):
    """The ensemble, made once; leave its files as they are, or mend them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ensemble, "open_client", lambda *_: inside())
        return ensemble.run_ensemble("twin", settings=SMALL)


def contents(folder) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in ensemble.FILES}


# ---- what members are

def test_members_have_seeds_and_designs_of_their_own(config):
    own = [member_config(config, k) for k in ensemble.list_members(config)]
    assert [c.seed for c in own] == [1, 2, 3, 4]
    assert [c.split.held_out_fold for c in own] == [1, 2, 3, 1]
    whole = ensemble.ensemble_config("twin", design="whole", settings=SMALL)
    assert {member_config(whole, k).split.held_out_fold for k in range(1, 5)} == {0}
    more = ensemble.ensemble_config("twin", members=30, settings=SMALL)
    assert member_config(more, 3) == own[2]            # more members leave those that there are
    assert len(ensemble.list_members(more)) == 30
    blind = ensemble.ensemble_config("twin", design="blind", members=2, settings=SMALL)
    assert ensemble.list_members(blind) == [1, 2] and blind.ensemble.crossed_members == 4


def test_members_are_chosen_by_number(config):
    assert ensemble.list_members(config, [4, 2]) == [2, 4]
    for bad in (0, 5, -1):
        with pytest.raises(ConfigError, match=f"no member {bad}"):
            ensemble.list_members(config, [bad])


def test_every_member_leaves_its_files_and_says_what_made_them(made, config):
    assert list(made) == [1, 2, 3, 4]
    for number, folder in made.items():
        assert {f.name for f in folder.iterdir()} == {*ensemble.FILES, *(f"{f}.manifest.json" for f in
                                                                         (ensemble.WEIGHTS, ensemble.ESTIMATES))}
        about = artifacts.read_manifest(folder / ensemble.WEIGHTS)
        assert (about["seed"], about["made_by"], about["device"]) == (number, "humanflows ensemble", "cpu")
        assert about["inputs"]["draws"]["reporters"] == config.ensemble.reporters
        assert about["seconds"] > 0 and about["threads"] == 1


def test_members_differ_and_the_same_member_repeats_itself(made, panel, config, tmp_path):
    flows = [open_estimates(folder / ensemble.ESTIMATES).flow.values for folder in made.values()]
    for k in range(1, 4):
        assert np.corrcoef(np.log1p(flows[0]).ravel(), np.log1p(flows[k]).ravel())[0, 1] < 1
        assert not np.array_equal(flows[0], flows[k])
    assert ensemble.keep_member(panel, member_config(config, 2), tmp_path)
    assert contents(tmp_path) == contents(made[2])


def test_a_member_without_draws_is_fit_member(panel, tmp_path):
    off = ensemble.ensemble_config("twin", settings={**SMALL, "ensemble": {**OFF, "design": "whole"}})
    own = member_config(off, 3)
    ensemble.keep_member(panel, own, tmp_path)
    plain = training.fit_member(panel, make_splits(panel, own.split), own, progress=False)
    tensors, _ = training.read_weights(tmp_path / ensemble.WEIGHTS)
    weights = {f"{part}.{k}": v for part in ("model", "observation")
               for k, v in getattr(plain, part).named_parameters() if f"{part}.{k}" not in training.ERRORS_OF_DATA}
    assert set(tensors) == {*weights, "reported"}
    assert all(torch.equal(tensors[k], v) for k, v in weights.items())
    assert np.array_equal(open_estimates(tmp_path / ensemble.ESTIMATES).flow.values,
                          training.predict(plain).flow.numpy())


@pytest.mark.parametrize("design", ["crossed", "blind"])
def test_a_member_learns_nothing_of_what_it_is_not_to_see(panel, tmp_path, design):
    config = ensemble.ensemble_config("twin", design=design, members=2, settings=SMALL)
    own, hidden = member_config(config, 2), ensemble.never_saw(panel, config)[1]
    assert 0 < hidden.sum() < len(hidden)
    spoiled = panel.copy(deep=True)
    spoiled["flow_persons"].values[hidden] *= 7
    for name, given in (("plain", panel), ("spoiled", spoiled)):
        ensemble.keep_member(given, own, tmp_path / name)
    flows = [open_estimates(tmp_path / name / ensemble.ESTIMATES).flow.values for name in ("plain", "spoiled")]
    assert np.array_equal(*flows)
    seen = panel.copy(deep=True)
    seen["flow_persons"].values[~hidden] *= 7
    ensemble.keep_member(seen, own, tmp_path / "seen")
    assert not np.array_equal(flows[0], open_estimates(tmp_path / "seen" / ensemble.ESTIMATES).flow.values)


def test_whole_members_learn_from_every_corridor(panel):
    config = ensemble.ensemble_config("twin", design="whole", settings=SMALL)
    assert not ensemble.never_saw(panel, config).any()
    splits = [make_splits(panel, member_config(config, k).split) for k in (1, 2)]
    assert not any(s.held_out.any() or s.validation.any() for s in splits)


def test_other_members_set_other_corridors_aside(panel):
    config = ensemble.ensemble_config("twin", design="blind", settings=SMALL)
    splits = [make_splits(panel, member_config(config, k).split) for k in (1, 2)]
    assert all(s.validation.any() for s in splits)
    assert (splits[0].validation.values != splits[1].validation.values).any()


def test_a_saved_member_is_run_again_on_the_panel_that_it_drew(made, panel, config):
    member = ensemble.load_member("twin", 3, panel, config)
    assert np.array_equal(training.predict(member).flow.numpy(),
                          open_estimates(made[3] / ensemble.ESTIMATES).flow.values)


# ---- kept, and gone on with

def test_what_is_fresh_is_kept(made, here, monkeypatch, capsys):
    monkeypatch.setattr(training, "fit_member", lambda *a, **k: pytest.fail("trained again"))
    before = {k: (f / ensemble.ESTIMATES).stat().st_mtime_ns for k, f in made.items()}
    ensemble.run_ensemble("twin", settings=SMALL, only=[2, 4])
    ensemble.run_ensemble("twin", settings=SMALL, members=2)
    assert before == {k: (f / ensemble.ESTIMATES).stat().st_mtime_ns for k, f in made.items()}
    assert "2 members" in capsys.readouterr().out


@pytest.mark.parametrize("calls", [1, 3])
def test_a_killed_member_goes_on_and_ends_in_the_same_bytes(made, panel, config, tmp_path, monkeypatch, calls):
    forward, seen = FlowModel.forward, []

    def dying(self):
        seen.append(1)
        if len(seen) == calls:
            raise KeyboardInterrupt
        return forward(self)

    monkeypatch.setattr(FlowModel, "forward", dying)
    with pytest.raises(KeyboardInterrupt):
        ensemble.keep_member(panel, member_config(config, 4), tmp_path)
    assert not (tmp_path / ensemble.WEIGHTS).exists()
    assert (tmp_path / ensemble.CHECKPOINT).exists() == (calls > 1)
    monkeypatch.setattr(FlowModel, "forward", forward)
    ensemble.keep_member(panel, member_config(config, 4), tmp_path)
    assert contents(tmp_path) == contents(made[4])
    assert not (tmp_path / ensemble.CHECKPOINT).exists()


def test_lost_estimates_are_made_from_the_weights(made, panel, config, monkeypatch):
    before = contents(made[1])
    (made[1] / ensemble.ESTIMATES).unlink()
    monkeypatch.setattr(training, "fit_member", lambda *a, **k: pytest.fail("trained again"))
    assert ensemble.keep_member(panel, member_config(config, 1), made[1])
    assert contents(made[1]) == before


@pytest.mark.parametrize("name", [ensemble.WEIGHTS, ensemble.HISTORY])
def test_a_damaged_file_is_made_again(made, panel, config, name):
    before = contents(made[1])
    (made[1] / name).write_bytes(before[name][:-9])
    assert ensemble.keep_member(panel, member_config(config, 1), made[1])
    assert contents(made[1]) == before


def test_a_checkpoint_that_is_damaged_or_of_another_training_is_begun_anew(made, panel, config, tmp_path):
    (tmp_path / ensemble.CHECKPOINT).write_bytes(b"no weights")
    assert ensemble.keep_member(panel, member_config(config, 2), tmp_path)
    assert contents(tmp_path) == contents(made[2]) and not (tmp_path / ensemble.CHECKPOINT).exists()
    other = tmp_path / "other"
    drawn = ensemble.member_panel(panel, member_config(config, 1))
    splits = make_splits(panel, member_config(config, 1).split)
    training.fit_member(drawn, splits, member_config(config, 1), other / ensemble.CHECKPOINT, progress=False,
                        stop_after=2)
    assert ensemble.keep_member(panel, member_config(config, 2), other)
    assert contents(other) == contents(made[2]) and not (other / ensemble.CHECKPOINT).exists()


def test_an_error_of_something_else_is_not_hidden(panel, config, tmp_path, monkeypatch):
    def failing(*_, **__):
        raise ArtifactError(tmp_path / "elsewhere", "is broken", "mend it")

    monkeypatch.setattr(training, "fit_member", failing)
    with pytest.raises(ArtifactError, match="elsewhere"):
        ensemble.keep_member(panel, member_config(config, 1), tmp_path)
    assert not (tmp_path / ensemble.WEIGHTS).exists()


# ---- workers

def test_two_workers_one_killed_midway_end_in_the_same_bytes(build, tmp_path, monkeypatch):
    """Real processes: SIGKILL hits the one that trains member 1, in the midst of its epochs."""
    slow = {**SMALL, "train": {**SMALL["train"], "epochs": 80, "patience": 1000}}
    plain = ensemble.ensemble_config("twin", settings=slow)
    undisturbed = tmp_path / "undisturbed"
    for k in (1, 2):
        ensemble.keep_member(pipeline.open_panel(plain), member_config(plain, k), undisturbed / str(k))
    monkeypatch.setattr(ensemble, "folder", lambda profile, design: tmp_path / "disturbed")
    checkpoint = ensemble.member_folder("twin", 1, "crossed") / ensemble.CHECKPOINT
    killed = []
    with cluster_module.local_cluster(2, memory_limit=0) as cluster, Client(cluster, set_as_default=False) as client:
        pids = client.run(os.getpid)

        def kill():
            while not checkpoint.is_file() and not killed:
                time.sleep(0.01)
            at = [w for w, tasks in client.processing().items() if any("member-1-" in str(t) for t in tasks)]
            epoch = json.loads(training.read_weights(checkpoint)[1]["state"])["epoch"]
            os.kill(pids[at[0]], signal.SIGKILL)
            killed.extend([epoch, pids[at[0]]])

        thread = threading.Thread(target=kill, daemon=True)
        thread.start()
        found = ensemble.run_ensemble("twin", settings=slow, members=2, cluster=cluster.scheduler_address)
        killed = killed or ["never"]
        thread.join(10)
        assert killed != ["never"] and killed[0] < 80 and killed[1] not in client.run(os.getpid).values()
    for k in (1, 2):
        assert contents(found[k]) == contents(undisturbed / str(k))
        assert not (found[k] / ensemble.CHECKPOINT).exists()


def test_a_failure_does_not_stop_the_others(build, here, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(ensemble, "folder", lambda profile, design: tmp_path)
    keep = ensemble.keep_member

    def failing(panel, config, target):
        if config.seed == 1:
            raise ArtifactError(target, "made to fail", "none")
        return keep(panel, config, target)

    monkeypatch.setattr(ensemble, "keep_member", failing)
    with pytest.raises(ArtifactError, match="made to fail"):
        ensemble.run_ensemble("twin", settings=SMALL, members=2)
    assert (ensemble.member_folder("twin", 2) / ensemble.ESTIMATES).is_file()
    assert "member 1 failed" in capsys.readouterr().out


def test_a_member_that_diverges_leaves_the_others_and_no_files(build, here, tmp_path, monkeypatch):
    monkeypatch.setattr(ensemble, "folder", lambda profile, design: tmp_path)
    fit = training.fit_member

    def one_diverges(panel, splits, config, checkpoint, **more):
        if config.seed == 1:
            raise DivergenceError("training", "it diverged", "use lower rates")
        return fit(panel, splits, config, checkpoint, **more)

    monkeypatch.setattr(training, "fit_member", one_diverges)
    with pytest.raises(DivergenceError, match="it diverged"):
        ensemble.run_ensemble("twin", settings=SMALL, members=2)
    first, second = (ensemble.member_folder("twin", k) for k in (1, 2))
    assert not (first / ensemble.WEIGHTS).exists() and all((second / name).is_file() for name in ensemble.FILES)


def test_the_panel_is_sent_where_files_are_not_shared(made, here, tmp_path, monkeypatch):
    monkeypatch.setattr(ensemble, "folder", lambda profile, design: tmp_path)
    seen = []
    keep = ensemble.keep_member
    monkeypatch.setattr(ensemble, "keep_member", lambda panel, config, target: (
        seen.append(target), keep(panel, config, target))[1])
    found = ensemble.run_ensemble("twin", settings=SMALL, only=[2], ship=True)
    assert seen[0] != found[2] and not seen[0].exists()         # a folder of the worker's own, gone
    assert contents(found[2]) == contents(made[2])
    assert ensemble.keep_member(pipeline.open_panel(ensemble.ensemble_config("twin", settings=SMALL)),
                                member_config(ensemble.ensemble_config("twin", settings=SMALL), 2),
                                found[2]) is False              # and fresh here


def job(config, panel_file, target, **change):
    given = dict(number=1, config=member_config(config, 1), panel=panel_file, target=target, threads=1,
                 panel_sha256=artifacts.sha256(pipeline.panel_path(config)),
                 code=artifacts.code_digest(*ensemble._CODE))
    return ensemble.Job(**{**given, **change})


def test_a_worker_without_the_panel_says_so(config, tmp_path):
    with pytest.raises(ArtifactError, match="has no such file") as caught:
        ensemble.make_member(job(config, tmp_path / "panel.nc", tmp_path))
    assert "--ship" in caught.value.remedy
    (tmp_path / "panel.nc").write_bytes(b"other")
    with pytest.raises(ArtifactError, match="another panel"):
        ensemble.make_member(job(config, tmp_path / "panel.nc", tmp_path))
    with pytest.raises(ArtifactError, match="another version"):
        ensemble.make_member(job(config, pipeline.panel_path(config), tmp_path, code="0"))


def test_a_scheduler_without_workers_is_said(build, monkeypatch):
    monkeypatch.setattr(cluster_module, "PATIENCE", 1)
    with cluster_module.local_cluster(0, processes=False, protocol="tcp") as cluster, \
            pytest.raises(ConfigError, match="has no workers"):
        ensemble.run_ensemble("twin", settings=SMALL, cluster=cluster.scheduler_address)


def test_a_scheduler_is_asked_from_a_notebook_too():
    """A notebook's thread has a running event loop, in which no other one may be started."""
    async def ask(address):
        cluster_module._call(address)

    # The browser of other tests has a loop running in the thread of the tests.
    with cluster_module.local_cluster(0, processes=False, protocol="tcp") as cluster, ThreadPoolExecutor(1) as notebook:
        notebook.submit(asyncio.run, ask(cluster.scheduler_address)).result()


def test_workers_that_are_started_here_keep_the_memory_that_they_have(monkeypatch):
    for name in cluster_module.WORKER_ENVIRONMENT:      # what the user has set goes before, and Dask itself leaves some
        monkeypatch.delenv(name, raising=False)
    with cluster_module.open_client(None, 1) as client:
        found, = client.run(lambda: {k: os.environ.get(k) for k in cluster_module.WORKER_ENVIRONMENT}).values()
    assert found == {k: str(v) for k, v in cluster_module.WORKER_ENVIRONMENT.items()}


@pytest.mark.parametrize("late", [1, cluster_module.ATTEMPTS])
def test_a_machine_that_stalls_gets_another_attempt(monkeypatch, late):
    started = []

    def start(**options):
        started.append(options)
        assert len(started) > late
        return "cluster"

    monkeypatch.setattr("distributed.LocalCluster", start)
    if late < cluster_module.ATTEMPTS:
        assert cluster_module.local_cluster(2, memory_limit=0) == "cluster"
        assert started[-1]["n_workers"] == 2 and started[-1]["memory_limit"] == 0
    else:
        with pytest.raises(ConfigError, match="could not start"):
            cluster_module.local_cluster(2)
    assert len(started) == min(late + 1, cluster_module.ATTEMPTS)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nowhere://x", "tcp://127.0.0.1", "nonsense", "", "a b:1",
                                     "tcp://127.0.0.1:99999", "tcp://:8786", "inproc://x:1", "tcp://.:1",
                                     "x" * 300 + ":1"])
def test_no_scheduler_is_said_without_asking_dask(build, monkeypatch, address):
    monkeypatch.setattr("distributed.Client", lambda *a, **k: pytest.fail("asked"))
    with pytest.raises(ConfigError) as caught:
        ensemble.run_ensemble("twin", settings=SMALL, cluster=address)
    assert "tcp://" in caught.value.remedy and caught.value.key == "cluster"


@pytest.mark.parametrize("says", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10, None], ids=["mute", "http", "closes"])
def test_a_server_that_is_no_scheduler_is_said(monkeypatch, says):
    monkeypatch.setattr(cluster_module, "CONNECTING", 1)
    monkeypatch.setattr("distributed.Client", lambda *a, **k: pytest.fail("asked"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        kept = []

        def answer():
            while True:
                try:
                    kept.append(listening.accept()[0])
                except OSError:
                    return
                if says is None:
                    kept.pop().close()
                else:
                    kept[-1].sendall(says)

        threading.Thread(target=answer, daemon=True).start()
        address = f"tcp://127.0.0.1:{listening.getsockname()[1]}"
        with pytest.raises(ConfigError), cluster_module.open_client(address, 1):
            pass
        listening.shutdown(socket.SHUT_RDWR)
    for connection in kept:
        connection.close()


def test_a_wrong_address_ends_the_command_at_once_in_one_line(build):
    words = ["-c", "from humanflows.cli import app; app()", "ensemble", "--cluster", "nonsense"]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=100,
                          env={**os.environ, "HUMANFLOWS_BUILD": str(build)})
    line, = done.stderr.strip().splitlines()
    assert done.returncode == 1 and "ConfigError" in line and "nonsense" in line


# ---- read

def test_members_are_stacked_and_read_only_where_used(made, config):
    members = ensemble.open_members("twin", settings=SMALL)
    assert members.flow.dims == ("member", "year", "origin", "destination") and members.flow.chunks
    assert members.sizes["member"] == 4 and members.stock.dims[0] == members.net_migration.dims[0] == "member"
    assert members.member.values.tolist() == [1, 2, 3, 4] == members.seed.values.tolist()
    assert members.held_out_fold.values.tolist() == [1, 2, 3, 1]
    for number, folder in made.items():
        one = open_estimates(folder / ensemble.ESTIMATES)
        assert np.array_equal(members.flow.sel(member=number).values, one.flow.values)
        assert np.array_equal(members.net_migration.sel(member=number).values, one.net_migration.values)
    assert ensemble.open_members("twin", members=2, settings=SMALL).sizes["member"] == 2


def test_every_report_has_members_that_never_saw_it(panel):
    config = ensemble.ensemble_config("twin", members=12, settings=SMALL)
    unseen = ensemble.never_saw(panel, config)
    assert unseen.shape == (12, panel.sizes["observation"]) and unseen.any(0).all() and not unseen.all(0).any()
    office = np.isin(panel.flow_witness.values, np.flatnonzero(panel.witness_source.values.astype(str) != "meta"))
    for k, mask in enumerate(unseen, start=1):
        own = member_config(config, k)
        splits = make_splits(panel, own.split)
        held_out = splits.held_out.values[panel.flow_origin.values, panel.flow_destination.values]
        assert mask[held_out].all() and (mask & ~held_out & office).any() and not (mask & ~held_out & ~office).any()
        assert not (mask & training_observations(panel, splits) & held_out).any()


@pytest.mark.parametrize("damage", ["cut", "gone", "another ensemble's", "other settings"])
def test_a_damaged_member_is_answered_clearly(made, damage):
    file = made[3] / ensemble.ESTIMATES
    manifest = artifacts.manifest_path(file)
    before, about = file.read_bytes(), manifest.read_bytes()
    try:
        if damage == "cut":
            file.write_bytes(before[:-100])
        elif damage == "gone":
            file.unlink()
        else:
            told = json.loads(about)
            if damage == "other settings":
                told["inputs"]["draws"]["stocks"] = 0.5
            else:
                told["seed"] = 9
            manifest.write_text(json.dumps(told))
        with pytest.raises(ArtifactError) as caught:
            ensemble.open_members("twin", settings=SMALL)
        assert "member-03" in caught.value.file and "humanflows ensemble" in caught.value.remedy
        assert {"cut": "damaged", "gone": "missing", "another ensemble's": "another ensemble",
                "other settings": "other draws"}[damage] in caught.value.problem
    finally:
        file.write_bytes(before)
        manifest.write_bytes(about)


# ---- the command

def test_the_command_runs_what_it_is_told(build, monkeypatch):
    asked = {}
    monkeypatch.setattr(ensemble, "run_ensemble", lambda profile, **given: asked.update(given, profile=profile))
    done = CliRunner().invoke(cli.app, ["ensemble", "--members", "6", "--only", "3,4", "--workers", "3", "--cluster",
                                        "tcp://x:1", "--ship", "--set", "train.epochs=2"])
    assert done.exit_code == 0, done.output
    assert asked == {"profile": "twin", "design": None, "members": 6, "only": [3, 4], "workers": 3, "threads": 1,
                     "cluster": "tcp://x:1", "ship": True, "settings": {"train": {"epochs": 2}}}
    assert "workers of tcp://x:1" in done.output
    refused = CliRunner().invoke(cli.app, ["ensemble", "--only", "a"])
    assert refused.exit_code == 1 and "[only]" in refused.output


@pytest.mark.parametrize("name", ["../../../../PWN_ship.txt", "/tmp/PWN_ship.txt", "", ".", "checkpoint.safetensors",
                                  "panel.nc", "weights.safetensors/x", "weights.safetensors.manifest.json.json", 3])
def test_only_files_of_a_member_are_taken_from_a_worker(tmp_path, name):
    target = tmp_path / "deep" / "er" / "member-01"
    with pytest.raises(ArtifactError) as caught:
        ensemble.store_files({ensemble.HISTORY: b"epoch\n", name: b"x"}, target, "a worker")
    assert caught.value.file == "a worker" and not list(tmp_path.iterdir())
    with pytest.raises(ArtifactError):
        ensemble.store_files({ensemble.HISTORY: "no bytes"}, target, "a worker")


def test_one_bad_worker_does_not_stop_the_other_members(build, config, monkeypatch, capsys):
    """Its member counts as failed; nothing of it is written."""
    def sent(job, panel):
        return {"number": job.number, "host": "here", "device": "cpu", "seconds": 0.0, "made": True,
                "files": {"../x" if job.number == 1 else ensemble.HISTORY: b"epoch\n"}}

    monkeypatch.setattr(ensemble, "make_member", sent)
    jobs = [job(config, pipeline.panel_path(config), build / "taken" / str(k), number=k) for k in (1, 2)]
    with inside() as client, pytest.raises(ArtifactError) as caught:
        ensemble._run(client, jobs, None)
    assert caught.value.file == "here" and "member 1 failed" in capsys.readouterr().out
    assert [f.name for f in (build / "taken").rglob("*") if f.is_file()] == [ensemble.HISTORY]
