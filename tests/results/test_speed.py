"""Power laws are recovered, costs add up, and what the chapter says follows from what was measured."""
import json

import numpy as np
import pytest

from humanflows.artifacts import code_digest
from humanflows.errors import ArtifactError, InputError
from humanflows.results.speed import (
    MEASURED,
    ON_A_GPU,
    cost_of_year,
    fit_power_law,
    read_measured,
    speed_text,
)


def about():
    return {"machine": {"cpu": "A processor", "cores": 2, "busy_cores_before": 0.1, "torch": "2.13.0"},
            "code": code_digest("model")}


def ours(**more):
    return {"territories": 231, "years": 35, "threads": 2, "seconds_per_epoch": 0.5, "peak_gib": 1.8,
            "seconds_per_member": 150.0, **more}


def theirs(**more):
    return {"edges": 900_000, "with_gradients": 50_000, "years": 34, "published_size": True, "published_epochs": 20_001,
            "seconds_per_epoch": 170.0, "peak_gib": 15.0, **more}


def epoch(**more):
    return {"bytes": 80e9, "product_flops": 30e9, "bytes_by_operation": {"mul": 50e9, "add": 30e9},
            "as_written": {"territories": 231, "years": 35, "seconds_per_epoch": 8.0, "gb_per_s": 10.0,
                           "share_of_reachable": 0.5}, **more}


def year(n, size, **more):
    return {"territories": n, "block": size, "seconds": 2e-7 * n**2, "gib_kept_for_gradients": 1e-7 * n**2,
            "bytes": 200 * n**2 + 50 * n**3 / (size or n), **more}


@pytest.fixture
def measured():
    fit = {"exponent": 1.5, "low": 1.2, "high": 1.8, "factor": 0.001, "r_squared": 0.99, "n": 3}
    rows = {by: {"rows": [{by: k, "seconds_per_epoch": 0.1 * k, "gib_of_training": 0.01 * k, "peak_gib": 0.4 * k}
                          for k in (1, 2, 4)], "seconds": fit, "memory": None}
            for by in ("territories", "years", "members")}
    rates = {"triad_gb_per_s": 20.0, "product_gflop_per_s": 100.0, "threads": 2}
    return {"reference": {**about(), "ours": ours(), "reference": theirs()},
            "bandwidth": {**about(), "reachable": rates, "epoch": epoch()},
            "scaling": {**about(), "workers": 2, **rows},
            "regions": {**about(), "machine_rates": rates, "whole": [year(n, None) for n in (200, 400)],
                        "blocks": [year(n, 100) for n in (200, 400)]}}


@pytest.fixture
def written(tmp_path):
    def write(name, content):
        (tmp_path / (MEASURED[name][0] if name in MEASURED else name)).write_text(json.dumps(content))
        return tmp_path

    return write


def test_a_power_law_is_found_with_an_interval_that_holds_it():
    draw, x = np.random.default_rng(0), np.array([10, 20, 40, 80, 160])
    exact = fit_power_law(x, 0.3 * x**1.7)
    assert (exact["exponent"], exact["low"], exact["high"]) == pytest.approx((1.7, 1.7, 1.7))
    assert exact["factor"] == pytest.approx(0.3) and exact["n"] == 5
    held = 0
    for _ in range(200):
        fit = fit_power_law(x, 0.3 * x**1.7 * np.exp(draw.normal(0, 0.1, 5)))
        held += fit["low"] <= 1.7 <= fit["high"]
    assert 180 <= held <= 199


def test_sizes_too_few_or_not_positive_are_refused():
    for x, y in (([1, 2, 2], [1, 2, 3]), ([1, 2, 3], [1, 0, 3])):
        with pytest.raises(InputError, match="three sizes"):
            fit_power_law(x, y)


def test_cost_is_arithmetic_and_traffic_at_the_measured_rates(measured):
    cost = cost_of_year(1000, measured["regions"])
    assert cost["flops"] == 24e9 and cost["bytes"] == pytest.approx(200e6 + 50 * 1e9 / 100)
    assert cost["seconds"] == pytest.approx(24e9 / 100e9 + cost["bytes"] / 20e9)
    one = {**measured["regions"], "blocks": measured["regions"]["blocks"][:1]}
    assert cost_of_year(200, one)["bytes"] == pytest.approx(one["blocks"][0]["bytes"])


@pytest.mark.parametrize("section", MEASURED)
def test_what_was_not_measured_has_a_sentence_with_the_command(section, tmp_path):
    text = speed_text(section, tmp_path)
    assert "not been measured" in text and MEASURED[section][1] in text and text.count("\n") == 1
    assert read_measured(tmp_path, section) is None


@pytest.mark.parametrize("section", MEASURED)
def test_a_file_of_an_earlier_benchmark_is_named(section, written):
    with pytest.raises(ArtifactError, match=rf"{MEASURED[section][0]}.*{MEASURED[section][1].split()[0]}"):
        speed_text(section, written(section, {"seconds": 1.0}))


def test_both_are_compared_and_aims_said_to_be_reached_or_not(measured, written):
    folder = written("reference", measured["reference"])
    text = speed_text("reference", folder)
    assert "**340 times** as fast" in text and "the aim was 300, which is reached" in text
    assert "1.8 GiB at its peak" in text and "8.3 times as much memory" in text
    assert "39 days" in text and "50 minutes one after another; the aim was 60, reached" in text
    assert "12,273,030" in text and "A processor" in text and "times are too long" not in text
    slow = {**measured["reference"], "ours": ours(seconds_per_epoch=1.0, peak_gib=2.5, seconds_per_member=200.0)}
    text = speed_text("reference", written("reference", slow))
    assert "**170 times**" in text and text.count("not reached") == 3


@pytest.mark.parametrize("change", [{"reference": theirs(published_size=False, edges=900)},
                                    {"ours": ours(territories=40)}])
def test_a_trial_is_not_compared(measured, written, change):
    text = speed_text("reference", written("reference", {**measured["reference"], **change}))
    assert "trial" in text or "do not compare" in text
    assert "times** as fast" not in text and "reached" not in text


def test_a_busy_machine_and_code_that_moved_on_are_said(measured, written):
    said = {**measured["reference"], "machine": {**about()["machine"], "busy_cores_before": 1.5}, "code": "earlier"}
    text = speed_text("reference", written("reference", said))
    assert "others kept 1.5 busy" in text and "has changed since" in text
    assert "has changed since" not in speed_text("reference", written("reference", measured["reference"]))


def test_share_of_bandwidth_with_and_without_a_gpu(measured, written):
    folder = written("bandwidth", measured["bandwidth"])
    text = speed_text("bandwidth", folder)
    assert "**50% of the bandwidth**" in text and "3.8% of the arithmetic" in text
    assert "On a GPU this has not been measured" in text and "Compiled" not in text and "| `mul` | 50 | 62% |" in text
    fast = {"seconds_per_epoch": 3.0, "gb_per_s": 26.7, "share_of_reachable": 1.33, "share_of_peak": 1.0,
            "territories": 231, "years": 35}
    compiled = {**measured["bandwidth"], "epoch": epoch(compiled=fast)}
    written("bandwidth", compiled)
    written(ON_A_GPU, {**compiled, "reachable": {**compiled["reachable"], "name": "A chip"}})
    text = speed_text("bandwidth", folder)
    assert "Compiled, it takes 3.0 s" in text and "no mistake of the clock" in text
    assert "On a GPU (A chip)" in text and "100% of the peak" in text


def test_growth_is_put_into_words_that_fit_the_exponents(measured, written):
    text = speed_text("scaling", written("scaling", measured["scaling"]))
    assert "| territories | 1–4 | 1.5 (1.2 to 1.8) | not fitted |" in text
    assert "more slowly than the pairs" in text and "faster than in proportion" in text and "2 at a time" in text
    steep = {"exponent": 2.5, "low": 2.2, "high": 2.8}
    level = {"exponent": 1.0, "low": 0.9, "high": 1.1}
    other = {**measured["scaling"], "territories": {**measured["scaling"]["territories"], "seconds": steep},
             "years": {**measured["scaling"]["years"], "seconds": level}}
    text = speed_text("scaling", written("scaling", other))
    assert "faster than the pairs" in text and "in proportion, as far as these sizes tell" in text
    vague = {**other, "years": {**other["years"], "seconds": {"exponent": 1.0, "low": -1.0, "high": 3.0}}}
    text = speed_text("scaling", written("scaling", vague))
    assert "By years time grows in a way that these sizes leave open" in text


def test_thousands_of_regions_are_worked_out_from_the_rates(measured, written):
    text = speed_text("regions", written("regions", measured["regions"]))
    cost = cost_of_year(3000, measured["regions"])
    assert f"{cost['flops'] / 1e12:.2f} Tflop" in text and f"{cost['bytes'] / 1e9:.0f} GB moved" in text
    assert "| 400 | " in text and "Dask workers on this machine" not in text
    dask = {"territories": 200, "workers": 2, "block": 50, "seconds_forward": 2.0, "seconds_forward_alone": 1.0,
            "gib_of_worker": 0.1}
    text = speed_text("regions", written("regions", {**measured["regions"], "dask": dask}))
    assert "sending costs more than the second worker brings" in text
    faster = {**measured["regions"]["machine_rates"], "product_gflop_per_s": 1e9, "triad_gb_per_s": 1e9}
    text = speed_text("regions", written("regions", {**measured["regions"], "machine_rates": faster}))
    assert "more than one machine computes" in text
