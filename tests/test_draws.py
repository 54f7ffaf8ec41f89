"""Draws end to end on a small world: whole worlds, kept, resumed to the same bytes, and refused when damaged."""
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from humanflows import artifacts, draws, ensemble, paths, pipeline
from humanflows.errors import ArtifactError, ConfigError

SMALL = {"twin": {"territories": 7, "reporters": 5, "people": {"burn_in": 10}}, "first_year": 2000, "last_year": 2013,
         "train": {"year_steps": 3, "history_steps": 2, "epochs": 4, "validate_every": 1, "checkpoint_every": 1,
                   "device": "cpu"},
         "model": {"hidden": 4, "width": 8, "embedding": 2}, "ensemble": {"members": 2, "net_members": 1},
         "draws": {"number": 2, "mode_epochs": 6, "epochs": 6}, "split": {"folds": 3}}


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """Artifacts in a folder of their own, with a panel, two members and their draws."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "ARTIFACTS", tmp_path_factory.mktemp("build"))
        config = ensemble.ensemble_config("twin", settings=SMALL)
        pipeline.harmonise(config)
        panel = pipeline.open_panel(config)
        for k in ensemble.list_members(config):
            own = ensemble.member_config(config, k)
            ensemble.keep_member(panel, own, ensemble.member_folder("twin", k))
            assert _keep(config, panel, k) == 2
        yield config


def _keep(config, panel, k, numbers=(1, 2)) -> int:
    weights = ensemble.member_folder("twin", k) / ensemble.WEIGHTS
    return draws.keep_draws(panel, ensemble.member_config(config, k), weights, draws.folder("twin") / f"member-{k:02}",
                            numbers)


@pytest.fixture(scope="module")
def opened(build):
    return draws.open_draws("twin", settings=SMALL)


def test_every_draw_is_there_and_differs(opened):
    flow = opened.flow.values
    assert flow.shape[0] == 4 and opened.member.values.tolist() == [1, 1, 2, 2]
    assert opened.number.values.tolist() == [1, 2, 1, 2]
    gaps = [np.abs(flow[a] - flow[b]).max() for a in range(4) for b in range(a)]
    assert min(gaps) > 1


def test_every_draw_keeps_the_books(build, opened):
    """Those who leave arrive; residents of the next year are those of this one, births, deaths and net migration."""
    panel = pipeline.open_panel(build)
    net = opened.net_migration.values
    assert np.abs(net.sum(-1)).max() < 1
    residents = opened.stock.values.sum(2)
    deaths = residents[:, :-1] * (panel.deaths.values / panel.population.values[:-1])[None]
    expected = residents[:, :-1] + panel.births.values[None] - deaths + net
    assert np.allclose(residents[:, 1:], expected, rtol=1e-4, atol=2)


def test_first_stocks_differ_between_draws_of_one_member_and_residents_do_not(opened):
    first = opened.stock.isel(date_year=0, draw=slice(0, 2)).values
    off = ~np.eye(first.shape[-1], dtype=bool)
    assert np.abs(first[0] - first[1])[off].max() > 1
    assert np.allclose(first[0].sum(0), first[1].sum(0), rtol=1e-5)


def test_what_is_fresh_stays_and_what_is_lost_comes_back_as_it_was(build):
    panel = pipeline.open_panel(build)
    assert _keep(build, panel, 1) == 0
    file = draws.draw_file("twin", 1, 2)
    before = artifacts.sha256(file), artifacts.sha256(file.with_suffix(".safetensors"))
    file.unlink()
    assert _keep(build, panel, 1) == 1
    assert (artifacts.sha256(file), artifacts.sha256(file.with_suffix(".safetensors"))) == before
    (file.parent / draws.MODE).unlink()
    file.unlink()
    assert _keep(build, panel, 1) == 1
    assert artifacts.sha256(file) == before[0]


def test_parameters_of_a_draw_give_its_flows_again(opened):
    for k, (member, number, held) in enumerate(draws.walk_draws("twin", settings=SMALL)):
        assert (member, number) == (int(opened.member[k]), int(opened.number[k]))
        with torch.no_grad():
            flow = held.model().flow.numpy()
        assert np.allclose(flow, opened.flow[k].values, rtol=1e-4, atol=1e-2)
    assert k == 3


def test_levels_of_reports_differ_between_draws(opened):
    means = [held.observation.bias_mean.clone() for *_, held in draws.walk_draws("twin", settings=SMALL)]
    assert float((means[0] - means[1]).abs().min()) > 0


def test_a_damaged_draw_is_refused(build):
    file = draws.draw_file("twin", 2, 1)
    whole = file.read_bytes()
    file.write_bytes(whole[:-100])
    with pytest.raises(ArtifactError, match="member 2, draw 1"):
        draws.open_draws("twin", settings=SMALL)
    file.write_bytes(whole)
    file.rename(file.with_suffix(".away"))
    with pytest.raises(ArtifactError, match="humanflows sample"):
        draws.open_draws("twin", settings=SMALL)
    file.with_suffix(".away").rename(file)
    draws.open_draws("twin", settings=SMALL)


def test_draws_without_members_ask_for_the_step_before(build):
    with pytest.raises(ArtifactError, match="humanflows ensemble"):
        draws.run_draws("twin", design="net", settings=SMALL)


@given(st.sampled_from(["number", "epochs", "mode_epochs", "rate"]), st.integers(-5, 0))
@settings(max_examples=12)
def test_no_sampling_of_nothing(key, value):
    with pytest.raises(ConfigError, match=key):
        ensemble.ensemble_config("twin", settings={**SMALL, "draws": {key: value}})


def test_the_net_design_withholds_a_third(build):
    from humanflows.panel.designs import shown_to, territories_without_net_migration

    panel = pipeline.open_panel(build)
    config = ensemble.member_config(ensemble.ensemble_config("twin", design="net", settings=SMALL), 1)
    third = territories_without_net_migration(panel, config.split.seed)
    assert len(third) == round(7 / 3)
    shown = shown_to(panel, config)
    hidden = np.isnan(shown.net_migration.values).all(0)
    assert sorted(panel.residence.values[hidden].astype(str)) == list(third)
