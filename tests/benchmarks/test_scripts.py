"""Every script measures what it says, on worlds so small that no time means anything."""
import json
import subprocess
import sys

import pytest

TINY = {"panel": "random", "territories": 12, "years": 8, "epochs": 3, "steps": 2, "threads": 1, "compile": False}


def words(text: str) -> list[str]:
    """A command line."""
    return text.split()


@pytest.fixture
def here(monkeypatch):
    """Parts run in this process: starting others would take most of the time."""
    import importlib

    def apart(function, **settings):
        module, _, name = function.partition(":")
        json.dumps(settings)     # what a process is told must be text
        return json.loads(json.dumps(getattr(importlib.import_module(module), name)(**settings)))

    for script in ("bench_reference", "bench_bandwidth", "bench_scaling", "bench_blocks"):
        monkeypatch.setattr(importlib.import_module(script), "apart", apart)
    return apart


def test_a_process_of_its_own_has_its_own_peak():
    from measure import apart, peak_gib

    filler = bytearray(200 * 2**20)
    found = apart("bench_bandwidth:measure_machine", threads=1, mib=1, matrix=16, repeats=1)
    assert found["triad_gb_per_s"] > 0 and found["array_mib"] == 1
    assert peak_gib() > len(filler) / 2**30
    with pytest.raises(RuntimeError, match="unexpected keyword"):
        apart("bench_bandwidth:measure_machine", no_such=1)


def test_other_peoples_work_is_seen():
    from measure import about, busy_cores

    found = about()["machine"]["busy_cores_before"]
    assert found is None or found >= 0
    if found is not None:
        with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as other:
            try:
                assert busy_cores(1.0) > 0.1
            finally:
                other.kill()


def test_random_panel_is_as_dense_whatever_its_size():
    from bench_epoch import random_panel

    small, large = random_panel(12, 8), random_panel(24, 16)
    assert (small.sizes["year"], large.sizes["residence"]) == (8, 24)
    expected = (24 * 23) / (12 * 11) * 2
    assert large.sizes["observation"] / small.sizes["observation"] == pytest.approx(expected, rel=0.25)


def test_epochs_are_stamped_one_by_one():
    from bench_epoch import measure_epochs
    from humanflows.model import train

    forward, seen = train.FlowModel.forward, []
    found = measure_epochs(**TINY, at_epoch=seen.append)
    assert seen == [0, 1, 2, 3] and len(found["seconds_per_epoch_all"]) == 2 and found["panel"] == "random"
    assert train.FlowModel.forward is forward, "what was watched is put back"


def test_reference_and_ours_in_one_file(here, tmp_path):
    import bench_reference

    output = tmp_path / "reference.json"
    found = bench_reference.main(words(
        "--edges 200 --with-gradients 20 --years 5 --territories 12 --panel random --epochs 3 --steps 2 "
        f"--no-compile --threads 1 --output {output}"))
    assert json.loads(output.read_text()) == found
    assert not found["reference"]["published_size"] and found["reference"]["edges"] == 200
    ratio = found["reference"]["seconds_per_epoch"] / found["ours"]["seconds_per_epoch"]
    assert found["times_faster_per_epoch"] == pytest.approx(ratio, abs=0.06)


def test_bytes_of_an_epoch_grow_with_the_world(here):
    from bench_bandwidth import count_epoch

    settings = {k: v for k, v in TINY.items() if k not in ("epochs", "steps", "compile")}
    small, longer = count_epoch(**settings), count_epoch(**{**settings, "years": 16})
    # Six products of N x N matrices a year: three forward and twice as many for their gradients.
    assert longer["product_flops"] == pytest.approx(2 * small["product_flops"], rel=0.15)
    assert 8 * 18 * 12**3 * 0.6 < small["product_flops"] < 8 * 18 * 12**3 * 1.1
    assert 1.3 < longer["bytes"] / small["bytes"] < 3


def test_bandwidth_is_a_share_of_what_was_measured(here, tmp_path):
    import bench_bandwidth

    found = bench_bandwidth.main(words(
        "--mib 1 --matrix 16 --threads 1 --epochs 3 --no-compile --panel random --territories 12 "
        f"--output {tmp_path / 'bandwidth.json'}"))
    written, reach = found["epoch"]["as_written"], found["reachable"]
    share = written["gb_per_s"] / reach["triad_gb_per_s"]
    assert written["share_of_reachable"] == pytest.approx(share, rel=0.1, abs=1e-3)
    assert len(found["reachable_all"]) == 2 and "compiled" not in found["epoch"]


def test_growth_is_fitted_where_there_are_sizes_enough(here, tmp_path, monkeypatch):
    import bench_scaling

    monkeypatch.setattr(bench_scaling, "start_apart", lambda function, **settings: (function, settings))
    monkeypatch.setattr(bench_scaling, "result_of", lambda started: here(started[0], **started[1]))
    found = bench_scaling.main(words(
        "--territories 8 10 12 --years 6 8 --members 1 2 3 --workers 2 --at-territories 8 --epochs 2 "
        f"--output {tmp_path / 'scaling.json'}"))
    assert [r["territories"] for r in found["territories"]["rows"]] == [8, 10, 12]
    assert found["territories"]["seconds"]["n"] == 3 and found["years"]["seconds"] is None
    one, two, three = (r["peak_gib"] for r in found["members"]["rows"])
    assert two > 1.5 * one and three < 1.2 * two, "three members on two workers hold no more than two"


def test_a_year_is_measured_whole_and_by_blocks(here, tmp_path):
    import bench_blocks

    found = bench_blocks.main(words(
        "--territories 12 24 --block 6 --threads 1 --mib 1 --matrix 16 --dask-territories 0 "
        f"--output {tmp_path / 'blocks.json'}"))
    assert [r["product_flops"] for r in found["whole"]] == [18 * n**3 for n in (12, 24)]
    assert [r["product_flops"] for r in found["blocks"]] == [24 * n**3 for n in (12, 24)]
    whole, blocks = (found[k][-1] for k in ("whole", "blocks"))
    assert blocks["gib_kept_for_gradients"] < whole["gib_kept_for_gradients"] or whole["gib_kept_for_gradients"] < 1e-3
    assert blocks["bytes"] > whole["bytes"]
