"""Configuration files: what they may say, and how a mistake in one is answered."""
import dataclasses

import pytest
import yaml

from humanflows import paths
from humanflows.config import (
    PROFILES,
    TERMS,
    Config,
    EffectConfig,
    ObservationConfig,
    SplitConfig,
    TrainConfig,
    load_config,
)
from humanflows.errors import ConfigError


@pytest.fixture
def load(tmp_path):
    """Load a configuration from text."""

    def from_text(text, profile="twin", **overrides):
        file = tmp_path / "given.yaml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_config(profile, file=file, **overrides)

    return from_text


def refuse(load, text, key=None, **overrides):
    with pytest.raises(ConfigError) as caught:
        load(text, **overrides)
    error = caught.value
    assert error.file.endswith("given.yaml") and len(error.remedy) > 5
    assert key is None or error.key == key
    return error


@pytest.mark.parametrize("profile", PROFILES)
def test_shipped_files_load_and_say_who_they_are(profile):
    config = load_config(profile)
    assert config.profile == profile
    assert config.years[0] == config.first_year and config.years[-1] == config.last_year
    assert len(config.years) == config.last_year - config.first_year + 1
    assert config.folder == paths.ARTIFACTS / profile


@pytest.mark.parametrize("profile", PROFILES)
def test_shipped_files_are_laid_over_the_defaults(profile):
    def overlay(defaults, given):
        return {key: overlay(value, given.get(key, {})) if isinstance(value, dict) else given.get(key, value)
                for key, value in defaults.items()}

    given = yaml.safe_load((paths.CONFIG / f"{profile}.yaml").read_text(encoding="utf-8"))
    assert load_config(profile).as_dict() == overlay(Config().as_dict(), given)


def test_an_empty_file_gives_the_defaults(load):
    assert load("") == load("# nothing but a comment\n") == Config()


def test_a_file_without_a_profile_belongs_to_the_one_asked_for(load):
    assert load("seed: 4", profile="world").profile == "world"


def test_values_are_read_and_whole_numbers_serve_as_fractions(load):
    config = load("seed: 7\nfirst_year: 2000\ntrain:\n  epochs: 3\n  clip: 2\n")
    assert (config.seed, config.first_year, config.train.epochs) == (7, 2000, 3)
    assert config.train.clip == 2.0 and type(config.train.clip) is float
    assert config.train == TrainConfig(epochs=3, clip=2.0)
    assert config.split == SplitConfig()


def test_overrides_replace_single_keys(load):
    config = load("seed: 7\ntrain: {epochs: 3, clip: 2.0}", seed=8, train={"epochs": 4}, split={"folds": 9})
    assert (config.seed, config.train.epochs, config.train.clip, config.split.folds) == (8, 4, 2.0, 9)


def test_round_trip_through_yaml(load):
    config = load("seed: 7\ntrain: {epochs: 3}")
    assert load(yaml.safe_dump(config.as_dict())) == config


def test_configuration_cannot_be_changed_in_place(load):
    config = load("")
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.seed = 3
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.train.epochs = 3


@pytest.mark.parametrize(("text", "key", "near"), [
    ("sed: 3", "sed", "'seed'"),
    ("train: {epoch: 3}", "train.epoch", "'train.epochs'"),
    ("epochs: 3", "epochs", "'train.epochs'"),
    ("split: {held_out: 2}", "split.held_out", "'split.held_out_fold'"),
    ("twin: {teritories: 3}", "twin.teritories", "'twin.territories'"),
    ("3: 4", "3", "did you mean"),
])
def test_an_unknown_key_is_answered_with_the_nearest_one(load, text, key, near):
    error = refuse(load, text, key)
    assert "unknown configuration key" in error.problem and near in error.remedy


def test_an_unknown_override_is_refused_too(load):
    assert "'train.epochs'" in refuse(load, "seed: 1", "train.epocs", train={"epocs": 1}).remedy


@pytest.mark.parametrize(("text", "key", "wanted"), [
    ("seed: one", "seed", "int"), ("seed: 1.5", "seed", "int"), ("seed: true", "seed", "int"), ("seed:", "seed", "int"),
    ("train: {compile: 1}", "train.compile", "bool"), ("train: {clip: fast}", "train.clip", "float"),
    ("train: {device: 0}", "train.device", "str"), ("train: {epochs: [3]}", "train.epochs", "int"),
    ("train: {clip: true}", "train.clip", "float"),
])
def test_wrong_type(load, text, key, wanted):
    assert f"must be of type {wanted}" in refuse(load, text, key).problem


def test_a_number_that_yaml_takes_for_text_is_explained(load):
    assert "4.0e-3" in refuse(load, "train: {learning_rate: 4e-3}", "train.learning_rate").remedy
    assert load("train: {learning_rate: 4.0e-3}").train.learning_rate == 0.004


@pytest.mark.parametrize("value", [".nan", ".inf", "-.inf"])
def test_numbers_are_finite(load, value):
    assert "finite" in refuse(load, f"train: {{clip: {value}}}", "train.clip").remedy


@pytest.mark.parametrize("text", ["train: 3", "train: [1, 2]", "train:", "train: fast"])
def test_a_section_is_a_table(load, text):
    for overrides in ({}, {"seed": 2}):
        assert "expected a table" in refuse(load, text, "train.", **overrides).problem


@pytest.mark.parametrize("text", ["- a\n- b", "3", "words"])
def test_a_file_is_a_table(load, text):
    assert "expected a table" in refuse(load, text).problem


@pytest.mark.parametrize("text", ["seed: [1", "seed: 1\n  train: 2\n", "\tseed: 1", b"seed: \xff\xfe"])
def test_bad_yaml(load, text):
    assert "not readable as YAML" in refuse(load, text).problem


@pytest.mark.parametrize("call", ["!!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path [{f}]]",
                                  "!!python/object/apply:os.system ['touch {f}']",
                                  "!!python/object/new:subprocess.check_output [['touch', '{f}']]"])
def test_a_file_cannot_run_code(load, tmp_path, call):
    proof = tmp_path / "proof"
    text = f"seed: {call.format(f=proof)}\n"
    assert "not readable as YAML" in refuse(load, text).problem
    assert not proof.exists()
    if "os.system" in call:  # the same text does run under a loader that trusts its file: the test can fail
        yaml.load(text, Loader=yaml.UnsafeLoader)
        assert proof.exists()


def test_missing_file(tmp_path):
    with pytest.raises(ConfigError, match="twin, world") as caught:
        load_config("twin", file=tmp_path / "absent.yaml")
    assert "missing" in caught.value.problem
    with pytest.raises(ConfigError, match="missing"):
        load_config("moon")


def test_unknown_profile_and_impossible_years(load):
    assert "twin, world" in refuse(load, "profile: moon", "profile").remedy
    for years in ({"first_year": 2025}, {"last_year": 1989}, {"first_year": 1900}, {"last_year": 2200}):
        refuse(load, "seed: 1", "first_year", **years)
    assert load("seed: 1", first_year=2024).years == (2024,)


@pytest.mark.parametrize(("text", "key"), [("members: 0", "members"), ("stocks: -0.1", "stocks"),
                                           ("reporters: 3.5", "reporters"), ("biases: -1.0", "biases")])
def test_an_ensemble_that_cannot_be_is_refused(load, text, key):
    assert refuse(load, f"ensemble: {{{text}}}", f"ensemble.{key}").remedy
    assert load("ensemble: {members: 5, stocks: 0.0}").ensemble.members == 5


@pytest.mark.parametrize(("text", "key"), [
    ("seed: -1", "seed"), ("seed: 2147483648", "seed"), ("split: {seed: -1}", "split.seed"),
    ("split: {validation_draw: -1}", "split.validation_draw"), ("model: {hidden: -3}", "model.hidden"),
    ("model: {hidden: 100000000}", "model.hidden"), ("model: {width: 0}", "model.width"),
    ("model: {embedding: -1}", "model.embedding"), ("train: {device: tpu}", "train.device"),
    ("train: {device: ''}", "train.device"), ("train: {epochs: 1000000000000}", "train.epochs"),
    ("ensemble: {members: 1000000000}", "ensemble.members")])
def test_what_no_run_can_have_is_refused(load, text, key):
    refuse(load, text, key)


def test_devices_and_a_cell_without_memory_are_taken(load):
    for device in ("auto", "cpu", "cuda", "cuda:1"):
        assert load(f"train: {{device: '{device}'}}").train.device == device
    assert load("model: {hidden: 0, embedding: 0}").model.hidden == 0      # an ablation asks for them


# ---- errors of data and priors of effects

DEVIATIONS = [*(("observation", f.name) for f in dataclasses.fields(ObservationConfig) if f.name != "leave_out"),
              *(("effects", f.name) for f in dataclasses.fields(EffectConfig))]


@pytest.mark.parametrize(("section", "key"), DEVIATIONS)
def test_deviations_are_above_zero_and_within_reason(load, section, key):
    for value in (0, -0.1, 101.0):
        assert "positive" in refuse(load, f"{section}: {{{key}: {value}}}", f"{section}.{key}").remedy
    assert getattr(getattr(load(f"{section}: {{{key}: 0.37}}"), section), key) == 0.37


def test_kinds_of_data_are_left_out_by_name(load):
    assert load("").observation.without == frozenset()
    found = load("observation: {leave_out: 'displaced, net_migration,'}").observation
    assert found.without == {"displaced", "net_migration"}
    for kind in TERMS:
        assert load(f"observation: {{leave_out: {kind}}}").observation.without == {kind}


@pytest.mark.parametrize("text", ["stocks", "displaced, netmigration", "flow"])
def test_an_unknown_kind_of_data_is_answered_with_the_nearest_one(load, text):
    error = refuse(load, f"observation: {{leave_out: '{text}'}}", "observation.leave_out")
    assert {"stocks": "'stock'", "flow": "'"}.get(text, "'net_migration'") in error.remedy


@pytest.mark.parametrize("text", ["loss: {flow: 1.0}", "loss: {likelihood: student}", "observation: {tie: 0.7}"])
def test_weights_of_a_loss_are_no_settings_any_more(load, text):
    assert "unknown configuration key" in refuse(load, text).problem


@pytest.mark.parametrize(("key", "good", "bad"), [
    ("year_steps", 0, -1), ("history_steps", 0, -1), ("epochs", 0, -1), ("patience", 0, -1), ("year_batch", 1, 0),
    ("history_batch", 1, 0), ("checkpoint_every", 1, 0), ("validate_every", 1, 0), ("cell_rate", 1e-6, 0.0),
    ("learning_rate", 1e-6, 0.0), ("clip", 1e-6, -1.0)])
def test_steps_batches_and_rates_are_possible(key, good, bad):
    assert getattr(TrainConfig(**{key: good}), key) == good
    with pytest.raises(ConfigError) as caught:
        TrainConfig(**{key: bad})
    assert caught.value.key == key
    with pytest.raises(ConfigError) as caught:
        load_config("twin", train={key: bad})
    assert caught.value.key == f"train.{key}" and caught.value.file.endswith("twin.yaml")
