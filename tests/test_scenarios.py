"""Scenarios of a small ensemble: run, kept, told what they mean; nothing half-written is taken for finished."""
import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from humanflows import artifacts, ensemble, pipeline, scenarios
from humanflows.config import load_config
from humanflows.errors import ArtifactError, ConfigError
from humanflows.results import scenario_result as results
from humanflows.results.scenario import parse_scenario
from humanflows.results.scenario_release import ABOUT, read_released
from small_runs import SMALL

SETTINGS = {**SMALL, "train": {**SMALL["train"], "epochs": 2}, "ensemble": {"members": 2}}
FILE = """
name: closed
title: A border closed
changes:
  - border: [DEU-USA]
    from: 2010
    factor: 0
"""


@pytest.fixture(scope="module")
def config(small_build):
    """A profile of seven territories, its panel and two members."""
    made = load_config("twin", **SETTINGS)
    own, panel = ensemble.ensemble_config("twin", settings=SETTINGS), pipeline.open_panel(made)
    for k in ensemble.list_members(own):
        ensemble.keep_member(panel, ensemble.member_config(own, k), ensemble.member_folder("twin", k))
    return made


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    target = tmp_path_factory.mktemp("asked") / "closed.yaml"
    target.write_text(FILE)
    return target


@pytest.fixture(scope="module")
def kept(config, file):
    return scenarios.run_scenario(config, file)


def test_members_are_compared_with_themselves(config, kept):
    result = scenarios.open_result(kept)
    assert result.attrs["members"] == 2 and result.year.values.tolist() == list(range(2004, 2023))
    assert float(result.flow.sel(origin="DEU", destination="USA", year=slice(2010, None)).sum()) == 0
    early = result.sel(year=slice(None, 2009))
    assert np.array_equal(early.flow, early.flow_baseline) and not early.flow_difference.values.any()
    panel, differences = pipeline.open_panel(config), []
    scenario = parse_scenario({"name": "closed", "title": "x", "changes": [
        {"border": ["DEU-USA"], "from": 2010, "factor": 0}]}, panel.residence.values.astype(str).tolist(),
        panel.year.values.tolist())
    for one in scenarios.list_answerers(config, panel):
        without, with_it = scenarios.ask(*one.load(), scenario)
        differences.append((with_it.flow - without.flow).numpy()[4:])
    assert np.allclose(result.flow_difference, np.mean(differences, 0), rtol=1e-3, atol=1e-2)
    assert np.allclose(result.flow_difference_lower, np.quantile(differences, 0.025, axis=0), rtol=1e-3, atol=1e-2)
    assert (result.flow_difference_lower <= result.flow_difference + 1e-3).all()


def test_means_keep_the_books(config, kept):
    result, panel = scenarios.open_result(kept), pipeline.open_panel(config)
    rate = (panel.deaths.values / panel.population.values[:-1])[4:]
    for end in ("", "_baseline"):
        stock = result[f"stock{end}"].values.astype(float)
        natural = panel.births.values[4:] - (stock[:-1] * rate[:, None]).sum(1)
        assert np.allclose(np.diff(stock.sum(1), axis=0), natural + result[f"net_migration{end}"], atol=1e-5 *
                           stock.sum(1).max())
        assert np.allclose(result[f"population{end}"], stock[1:].sum(1), rtol=1e-6)
        assert np.abs(result[f"net_migration{end}"].sum("residence")).max() < 1e-5 * float(result[f"flow{end}"].sum())


def test_what_is_fresh_is_kept_and_another_question_is_another_folder(config, file, kept):
    before = kept.stat().st_mtime_ns
    assert scenarios.run_scenario(config, file) == kept and kept.stat().st_mtime_ns == before
    other = scenarios.run_scenario(config, file, elsewhere=1.0, members=1)
    assert other != kept and kept.stat().st_mtime_ns == before
    alone = scenarios.open_result(other)
    assert "flow_difference_lower" not in alone and alone.attrs["levels"] == "none"
    assert "One member" in alone.attrs["statement"] and "Whom a border holds up goes" in alone.attrs["statement"]


def test_tables_and_statement_lie_beside_it(kept):
    about = json.loads((kept.parent / ABOUT).read_text())
    assert about["members"] == 2 and about["levels"] == "spread"
    assert any("no forecast" in line for line in about["statement"]["does_not_mean"])
    assert any("too narrow" in line for line in about["statement"]["warnings"])
    corridors = pd.read_csv(kept.parent / "corridors.csv")
    assert corridors.corridor[0] == "DEU-USA" and corridors.persons[0] < corridors.baseline[0]
    territories = pd.read_csv(kept.parent / "territories.csv")
    assert len(territories) == 7 * 19 and {"net_migration_difference_lower", "population"} <= set(territories)


def test_an_interrupted_write_leaves_nothing_that_looks_finished(config, file, kept, monkeypatch):
    whole = kept.read_bytes()

    def cut(dataset, target, **_):
        with artifacts.atomic(target) as temporary:
            temporary.write_bytes(b"half")
            raise KeyboardInterrupt

    monkeypatch.setattr(artifacts, "write_netcdf", cut)
    with pytest.raises(KeyboardInterrupt):
        scenarios.run_scenario(config, file, refresh=True)
    assert kept.read_bytes() == whole and not list(kept.parent.glob(".*"))
    monkeypatch.undo()
    kept.write_bytes(whole[:-9])
    with pytest.raises(ArtifactError, match="manifest"):
        scenarios.open_result(kept)
    scenarios.run_scenario(config, file)
    assert scenarios.open_result(kept).attrs["name"] == "closed"


def test_a_release_takes_small_tables_along(config, kept, tmp_path):
    folders = scenarios.release_scenarios(config, tmp_path / "scenarios")
    assert tmp_path / "scenarios" / "closed" in folders
    totals = read_released("closed", "totals", tmp_path / "scenarios")
    assert totals.year.tolist() == list(range(2004, 2023)) and (totals.world_difference[:6] == 0).all()
    assert read_released("never run", "totals", tmp_path / "scenarios") is None
    text = (tmp_path / "scenarios" / "closed" / ABOUT).read_text()
    assert text == (kept.parent / ABOUT).read_text() and "no forecast" in text


def test_without_members_or_with_no_share_it_says_so(config, file, monkeypatch, tmp_path):
    with pytest.raises(ConfigError, match="no share"):
        scenarios.run_scenario(config, file, elsewhere=2.0)
    panel = pipeline.open_panel(config)
    monkeypatch.setattr(scenarios.ensemble, "folder", lambda *_: tmp_path)
    with pytest.raises(ArtifactError, match="run train"):
        scenarios.list_answerers(config, panel)


@pytest.fixture
def level():
    """Two members of three places in two known years and two beyond, nothing changed."""
    collected = results.Collector([2023, 2024, 2025, 2026], list("ABC"), 2025)
    for factor in (0.9, 1.1):
        flow = np.full((4, 3, 3), 100 * factor) * ~np.eye(3, dtype=bool)
        run = type("Run", (), {"flow": flow, "stock": np.ones((5, 3, 3))})
        collected.add(run, run)
    return collected.result()


def test_levels_take_calibrated_widths_that_grow(level):
    ends = {"lower": 50.0, "lower_80": 95.0, "upper_80": 120.0, "upper": 200.0}
    axis = {"year": [2023, 2024], "origin": list("ABC"), "destination": list("ABC"), "residence": list("ABC")}
    off = ~np.eye(3, dtype=bool)
    net = {"lower": -30.0, "lower_80": -10.0, "upper_80": 10.0, "upper": 30.0}
    pair, place = ("year", "origin", "destination"), ("year", "residence")
    release = xr.Dataset({"flow": (pair, 100.0 * np.ones((2, 1, 1)) * off), "net_migration": (place, np.zeros((2, 3))),
                          **{f"flow_{e}": (pair, v * np.ones((2, 1, 1)) * off) for e, v in ends.items()},
                          **{f"net_migration_{e}": (place, np.full((2, 3), v)) for e, v in net.items()}}, axis)
    out = results.add_intervals(level, release, {1: 1.0, 2: 2.0})
    assert out.attrs["levels"] == "calibrated"
    upper = out.flow_upper.sel(origin="A", destination="B").values
    assert np.allclose(upper[:3], 200, rtol=1e-3) and upper[3] == pytest.approx(101 * (201 / 101) ** 2 - 1, rel=1e-3)
    # The members' own spread, where that is wider.
    assert np.allclose(out.flow_lower_80.sel(origin="A", destination="B").values[0], 92, rtol=1e-3)
    assert np.allclose(out.net_migration_upper.values[:3], 30) and np.allclose(out.net_migration_upper.values[3], 60)
    assert not out.flow_upper.values[:, ~off].any()
    bare = results.add_intervals(level, None)
    assert bare.attrs["levels"] == "spread" and float(bare.flow_upper.max()) < 111


def test_errors_that_grow_evenly_in_variance_are_found_again():
    errors = pd.DataFrame({"lead": range(4), "rms": np.sqrt(0.04 * (1 + 0.5 * np.arange(4))), "series": 9})
    growth = results.growth_of_errors(errors, 11)
    assert growth[1] == pytest.approx(np.sqrt(1.5)) and growth[11] == pytest.approx(np.sqrt(6.5))
    assert results.growth_of_errors(errors.assign(rms=np.nan), 3) == {}
    assert set(results.growth_of_errors(errors.assign(rms=[4.0, 3, 2, 1]), 3).values()) == {1.0}


def test_errors_by_lead_compare_the_same_series(config):
    panel = pipeline.open_panel(config)
    flow = np.zeros((panel.sizes["year"], panel.sizes["origin"], panel.sizes["origin"]))
    errors = results.lead_errors(panel, flow, 2009)
    assert errors.lead.tolist() == [0, 1, 2, 3] and errors.series.nunique() == 1 and (errors.rms > 0).all()


def test_runs_of_other_years_are_refused():
    collected = results.Collector([2000, 2001], list("AB"), 2001)
    run = type("Run", (), {"flow": np.zeros((3, 2, 2)), "stock": np.zeros((4, 2, 2))})
    with pytest.raises(ValueError, match="same years"):
        collected.add(run, run)
    with pytest.raises(ValueError, match="no member"):
        collected.result()
