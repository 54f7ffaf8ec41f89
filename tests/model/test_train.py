"""Training: the same from the same seed, the same after an interruption, blind to what is held out, and worth it."""
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from humanflows.errors import ArtifactError
from humanflows.model import train as training
from humanflows.model.recursion import FlowModel
from humanflows.panel.splits import perturb_held_out


def with_train(config, **settings):
    """A configuration with other settings of training."""
    return replace(config, train=replace(config.train, **settings))


@pytest.fixture(scope="module")
def unvalidated(small_splits):
    """Splits without validation corridors: the weights are the last ones, not those of some earlier, luckier epoch."""
    return small_splits.assign(validation=small_splits.validation & False,
                               train=small_splits.train | small_splits.validation)


@pytest.fixture(scope="module")
def fit(small_panel, unvalidated):
    """Train quietly on the small world."""

    def run(config, checkpoint=None, panel=small_panel, splits=unvalidated, **more):
        return training.fit_member(panel, splits, config, checkpoint, progress=False, **more)

    return run


def weights_of(member) -> dict[str, torch.Tensor]:
    """All weights of model and observation model."""
    return {f"{part}.{k}": v.detach().clone() for part in ("model", "observation")
            for k, v in getattr(member, part).named_parameters()}


def same(one: dict, other: dict) -> bool:
    """Bit for bit."""
    return set(one) == set(other) and all(torch.equal(one[k], other[k]) for k in one)


@pytest.fixture(scope="module")
def member(fit, small_config):
    return fit(small_config)


# ---- reproducible --------------------------------------------------------------------------------------------------

def test_the_same_seed_gives_the_same_weights(member, fit, small_config):
    torch.manual_seed(99)                                     # what was drawn before must not matter
    np.random.default_rng(99).random(5)
    again = fit(small_config)
    assert same(weights_of(again), weights_of(member))
    assert again.history.equals(member.history)


def test_another_seed_gives_others(member, fit, small_config):
    other = fit(replace(small_config, seed=small_config.seed + 1))
    different = [k for k, v in weights_of(other).items() if not torch.equal(v, weights_of(member)[k])]
    assert {k for k in weights_of(member) if k.startswith("model.cell")} <= set(different)


def test_history_tells_every_epoch(fit, small_config, small_splits):
    member = fit(small_config, splits=small_splits)
    history = member.history
    assert history.epoch.tolist() == list(range(small_config.train.epochs))
    assert {"loss", "reports", "bias", "stock", "net_migration", "tie", "course", "validation"} <= set(history)
    assert np.isfinite(history.drop(columns="validation").to_numpy()).all()
    assert np.isfinite(history.validation).all()                # validated every epoch here
    assert member.seconds > 0


def test_training_moves_every_weight_and_lowers_the_loss(fit, small_config, small_panel, unvalidated):
    longer = weights_of(member := fit(with_train(small_config, epochs=12)))
    fresh = training.Member(*training.build_member(small_panel, unvalidated, small_config)[:2], None, 0.0)
    assert [k for k, v in weights_of(fresh).items() if torch.equal(v, longer[k])] == []
    assert member.history.loss.iloc[-1] < member.history.loss.iloc[0]


# ---- interrupted ---------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def six(small_config):
    return with_train(small_config, epochs=6, checkpoint_every=2)


@pytest.fixture(scope="module")
def uninterrupted(fit, six):
    return fit(six)


@pytest.mark.parametrize("stop_after", [1, 2, 3, 5])
def test_a_resumed_training_ends_in_the_same_weights(fit, six, uninterrupted, tmp_path, stop_after):
    file = tmp_path / "checkpoint.safetensors"
    first = fit(six, file, stop_after=stop_after)
    assert len(first.history) == stop_after
    resumed = fit(six, file)
    assert same(weights_of(resumed), weights_of(uninterrupted))
    assert resumed.history.equals(uninterrupted.history)
    assert resumed.seconds > first.seconds                      # both parts count


def test_an_aborted_training_goes_on_from_its_last_checkpoint(fit, six, uninterrupted, tmp_path, monkeypatch):
    file = tmp_path / "checkpoint.safetensors"
    forward, calls = FlowModel.forward, []

    def failing(self, *arguments):
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return forward(self, *arguments)

    monkeypatch.setattr(FlowModel, "forward", failing)
    with pytest.raises(KeyboardInterrupt):
        fit(six, file)
    assert len(calls) == 6
    calls.clear()
    monkeypatch.setattr(FlowModel, "forward", lambda self, *a: (calls.append(1), forward(self, *a))[1])
    resumed = fit(six, file)
    assert len(calls) == 2                                      # epochs 4 and 5: the checkpoint is of after epoch 3
    assert same(weights_of(resumed), weights_of(uninterrupted))
    assert [f.name for f in tmp_path.iterdir()] == [file.name]  # no half-written file is left


@pytest.mark.parametrize("how", ["stopped", "aborted"])
def test_an_interruption_right_after_the_histories_changes_nothing(fit, six, uninterrupted, tmp_path, monkeypatch, how):
    file = tmp_path / "checkpoint.safetensors"
    if how == "stopped":
        first = fit(six, file, stop_after=0)
        assert file.is_file() and first.history.empty
        monkeypatch.setattr(training, "learn_histories", lambda *a, **k: pytest.fail("learned again"))
    else:
        forward = FlowModel.forward
        monkeypatch.setattr(FlowModel, "forward", lambda self: raise_interrupt())
        with pytest.raises(KeyboardInterrupt):
            fit(six, file)
        assert list(tmp_path.iterdir()) == []
        monkeypatch.setattr(FlowModel, "forward", forward)
    resumed = fit(six, file)
    assert same(weights_of(resumed), weights_of(uninterrupted))
    assert resumed.history.equals(uninterrupted.history)


def raise_interrupt():
    """What a user's Ctrl-C does."""
    raise KeyboardInterrupt


@pytest.mark.parametrize("settings", [{"epochs": 0}, {"epochs": 5}])
def test_what_the_histories_taught_is_kept_before_the_first_epoch(fit, six, small_panel, unvalidated, settings):
    stopped = fit(with_train(six, **settings), stop_after=0)
    fresh = weights_of(training.Member(*training.build_member(small_panel, unvalidated, six)[:2], None, 0.0))
    moved = {k for k, v in weights_of(stopped).items() if not torch.equal(v, fresh[k])}
    assert {k for k in fresh if k.startswith("model.cell.")} <= moved
    assert moved <= {k for k in fresh if k.startswith(("model.cell.", "observation."))}


def test_the_cell_rests_while_the_effects_are_fitted(fit, six):
    before, after = weights_of(fit(six, stop_after=0)), weights_of(fit(six))
    cell = [k for k in after if k.startswith("model.cell.")]
    assert len(cell) > 5 and same({k: before[k] for k in cell}, {k: after[k] for k in cell})
    assert not same(before, after)


def test_a_finished_training_is_not_run_again(fit, six, uninterrupted, tmp_path, monkeypatch):
    file = tmp_path / "checkpoint.safetensors"
    fit(six, file)
    monkeypatch.setattr(FlowModel, "forward", lambda *a: pytest.fail("trained again"))
    assert same(weights_of(fit(six, file)), weights_of(uninterrupted))


@pytest.mark.parametrize("change", ["learning rate", "seed", "errors", "effects", "size"])
def test_a_checkpoint_of_other_settings_is_refused(fit, six, tmp_path, change):
    file = tmp_path / "checkpoint.safetensors"
    fit(six, file, stop_after=1)
    other = {"learning rate": with_train(six, learning_rate=1e-3), "seed": replace(six, seed=7),
             "errors": replace(six, observation=replace(six.observation, net_deviation=0.1)),
             "effects": replace(six, effects=replace(six.effects, tie=0.6)),
             "size": replace(six, model=replace(six.model, hidden=9))}[change]
    before = file.read_bytes()
    with pytest.raises(ArtifactError, match="checkpoint") as caught:
        fit(other, file)
    assert str(file) in str(caught.value) and "delete" in caught.value.remedy
    assert file.read_bytes() == before


def test_a_checkpoint_of_other_data_is_refused(fit, six, small_panel, tmp_path):
    file = tmp_path / "checkpoint.safetensors"
    fit(six, file, stop_after=1)
    other = small_panel.copy(deep=True)
    other["flow_persons"][:] = other.flow_persons.values * 2    # a corrected source: the same shape
    with pytest.raises(ArtifactError, match="checkpoint"):
        fit(six, file, panel=other)


@pytest.mark.parametrize("damage", ["truncated", "empty", "text"])
def test_a_damaged_checkpoint_is_refused(fit, six, tmp_path, damage):
    file = tmp_path / "checkpoint.safetensors"
    fit(six, file, stop_after=1)
    whole = file.read_bytes()
    file.write_bytes({"truncated": whole[:len(whole) // 2], "empty": b"", "text": b"not weights at all"}[damage])
    with pytest.raises(ArtifactError, match="safetensors") as caught:
        fit(six, file)
    assert str(file) in str(caught.value)


class Bomb:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace: Path):
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


@pytest.mark.parametrize("how", ["pickle", "torch"])
def test_a_pickle_is_never_opened(fit, six, small_panel, small_splits, tmp_path, how):
    file, trace = tmp_path / "weights.safetensors", tmp_path / "trace"
    if how == "pickle":
        file.write_bytes(pickle.dumps(Bomb(trace)))
    else:
        torch.save({"weights": Bomb(trace)}, file)
    with pytest.raises(ArtifactError):
        fit(six, file)
    with pytest.raises(ArtifactError):
        training.load_member(file, small_panel, small_splits, six)
    assert not trace.exists()
    pickle.loads(pickle.dumps(Bomb(trace)))
    assert trace.exists()                                       # the trap itself works


# ---- early stopping ------------------------------------------------------------------------------------------------

def scripted(monkeypatch, scores):
    """Let the validation corridors say ``scores`` one after another; returns the weights at each time."""
    build, seen = training.build_member, []
    script = iter(scores)

    def made(*arguments):
        model, observation, _ = build(*arguments)

        def score(*_):
            seen.append({**{f"model.{k}": v.detach().clone() for k, v in model.named_parameters()},
                         **{f"observation.{k}": v.detach().clone() for k, v in observation.named_parameters()}})
            return next(script)

        return model, observation, score

    monkeypatch.setattr(training, "build_member", made)
    return seen


def test_training_stops_when_nothing_improves(fit, small_config, monkeypatch):
    seen = scripted(monkeypatch, [9] * 15 + [5, 2, 4, 3, 2.5])
    stopped = fit(with_train(small_config, epochs=20, patience=2))
    assert len(stopped.history) == 19                           # best at epoch 16, two more in vain
    assert same(weights_of(stopped), seen[16])


def test_luck_at_a_high_learning_rate_does_not_win(fit, small_config, monkeypatch):
    """Nothing counts before the last quarter, however good; nor does it end a training."""
    seen = scripted(monkeypatch, [5, 4, 0.1, 4, 3, 3.9, 3.5, 3.2])
    member = fit(with_train(small_config, epochs=8, patience=1))
    assert len(member.history) == 8
    assert same(weights_of(member), seen[7])


def test_the_best_epoch_wins_not_the_last(fit, small_config, monkeypatch):
    seen = scripted(monkeypatch, [5, 4, 1, 2, 1.5])
    member = fit(with_train(small_config, epochs=5, patience=100))
    assert len(member.history) == 5
    assert same(weights_of(member), seen[2])
    assert not same(seen[2], seen[4])


def test_without_validation_corridors_the_training_runs_through(fit, small_config):
    member = fit(with_train(small_config, patience=1))
    assert len(member.history) == small_config.train.epochs
    assert member.history.validation.isna().all()


# ---- leakage -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("which", ["small_splits", "unvalidated"])
def test_what_is_held_out_changes_nothing(fit, small_config, small_panel, which, request):
    splits = request.getfixturevalue(which)
    perturbed = perturb_held_out(small_panel, splits)
    moved = (perturbed.flow_persons.values != small_panel.flow_persons.values).mean()
    assert 0.1 < moved < 0.4
    member, other = (fit(small_config, panel=p, splits=splits) for p in (small_panel, perturbed))
    assert same(weights_of(other), weights_of(member))
    assert other.history.equals(member.history)
    for a, b in zip(training.predict(other), training.predict(member)):
        assert torch.equal(a, b)


def test_validation_corridors_choose_the_epoch_and_nothing_else(fit, small_config, small_panel, small_splits):
    turned = small_splits.assign(held_out=small_splits.validation, validation=small_splits.held_out)
    member, other = (fit(small_config, panel=p, splits=small_splits)
                     for p in (small_panel, perturb_held_out(small_panel, turned)))
    columns = [c for c in member.history if c != "validation"]
    assert other.history[columns].equals(member.history[columns])
    assert not other.history.validation.equals(member.history.validation)


def test_what_is_learned_from_changes_the_weights(member, fit, small_config, small_panel, unvalidated):
    turned = unvalidated.assign(held_out=unvalidated.train, train=unvalidated.held_out)
    other = fit(small_config, panel=perturb_held_out(small_panel, turned))
    assert not same(weights_of(other), weights_of(member))


# ---- is it worth it? -----------------------------------------------------------------------------------------------

def gravity(panel, splits) -> np.ndarray:
    """Log flows [year, origin, destination] by least squares on populations and distance, from what is learned from."""
    people = np.log(panel.population.values[:-1])
    far = np.log(np.maximum(panel.distance.values, 1))
    years, n = people.shape
    x = np.stack([np.ones((years, n, n)), np.broadcast_to(people[:, :, None], (years, n, n)),
                  np.broadcast_to(people[:, None, :], (years, n, n)), np.broadcast_to(far, (years, n, n))], -1)
    y, o, d, w = (panel[f"flow_{k}"].values.astype(int) for k in ("year", "origin", "destination", "witness"))
    use = splits.train.values[o, d] & (panel.witness_criterion.values == "residence")[w]
    b, *_ = np.linalg.lstsq(x[y, o, d][use], np.log1p(panel.flow_persons.values[use]), rcond=None)
    return np.nan_to_num(x) @ b


@pytest.mark.slow
def test_training_recovers_the_simulated_truth(fit, small_config, small_panel, small_splits, small_world):
    long = with_train(small_config, year_steps=600, year_batch=512, history_steps=60, history_batch=32, epochs=120,
                      validate_every=5, learning_rate=2e-2)
    trained = fit(long, splits=small_splits)
    untrained = training.Member(*training.build_member(small_panel, small_splits, small_config)[:2], None, 0.0)
    truth = np.log1p(small_world.truth.flow.values)
    told = {"trained": np.log1p(training.predict(trained).flow.numpy()),
            "untrained": np.log1p(training.predict(untrained).flow.numpy()),
            "gravity": gravity(small_panel, small_splits)}
    off = ~np.eye(truth.shape[1], dtype=bool)
    held_out = small_splits.held_out.values
    r = {(k, where): np.corrcoef(v[:, cells].ravel(), truth[:, cells].ravel())[0, 1] for k, v in told.items()
         for where, cells in (("all", off), ("held out", held_out))}
    for where in ("all", "held out"):
        assert r["trained", where] > 0.75, r
        assert r["trained", where] > r["untrained", where] + 0.05, r
    assert r["trained", "all"] > r["gravity", "all"] + 0.02, r     # too few corridors are held out here to compare on
    level = {k: np.log(np.expm1(v).sum() / small_world.truth.flow.values.sum()) for k, v in told.items()}
    assert abs(level["trained"]) < min(0.75, abs(level["untrained"]) / 2), level
    assert trained.history.validation.min() < trained.history.validation.iloc[0]


# ---- precision, saving and loading ---------------------------------------------------------------------------------

def test_half_precision_keeps_the_books(fit, small_config, small_panel):
    member = fit(with_train(small_config, epochs=2, precision="bfloat16"))
    run = training.predict(member)
    assert np.isfinite(member.history.drop(columns="validation").to_numpy()).all()
    assert all(v.dtype == torch.float32 for v in weights_of(member).values())
    assert run.flow.dtype == torch.float32
    net = (run.flow.double().sum(1) - run.flow.double().sum(2)).sum(1)
    assert net.abs().max() < 1e-3


def test_a_saved_member_predicts_the_same(member, small_config, small_panel, unvalidated, tmp_path):
    file = training.save_member(member, tmp_path / "member.safetensors", small_config)
    back = training.load_member(file, small_panel, unvalidated, small_config)
    errors = set(training.ERRORS_OF_DATA)       # of single data: who only runs the model has no use for them
    saved = [{k: v for k, v in weights_of(m).items() if k not in errors} for m in (back, member)]
    assert same(*saved) and len(saved[0]) == len(weights_of(member)) - len(errors) and not errors & set(load_file(file))
    for a, b in zip(training.predict(back), training.predict(member)):
        assert torch.equal(a, b)
    assert back.seconds == pytest.approx(member.seconds, abs=0.06)
    assert file.stat().st_size < 1e6


def test_where_a_saved_member_learned_from_reports_comes_from_its_file(member, small_config, small_panel, unvalidated,
                                                                       tmp_path, monkeypatch):
    file = training.save_member(member, tmp_path / "member.safetensors", small_config)
    asked, build = [], training.build_member
    monkeypatch.setattr(training, "build_member", lambda *a: (asked.append(a[3]), build(*a))[1])
    training.load_member(file, small_panel, unvalidated, small_config)
    assert (asked[0].reshape(-1) == member.model.reported_in.numpy()).all() and 0.1 < asked[0].mean() < 0.9


def test_where_a_saved_member_learned_from_reports_does_not_depend_on_the_splits_of_today(
        member, small_config, small_panel, small_splits, unvalidated, tmp_path):
    file = training.save_member(member, tmp_path / "member.safetensors", small_config)
    assert not small_splits.equals(unvalidated)
    back = training.load_member(file, small_panel, small_splits, small_config)
    assert torch.equal(training.predict(back).flow, training.predict(member).flow)


def test_reports_outside_the_panel_are_refused(member, small_config, small_panel, unvalidated, tmp_path):
    file = training.save_member(member, tmp_path / "member.safetensors", small_config)
    tensors = load_file(file)
    tensors["reported"][0] = -1
    save_file(tensors, file)
    with pytest.raises(ArtifactError, match="reports lie outside"):
        training.load_member(file, small_panel, unvalidated, small_config)


def test_predictions_are_plain_numbers_of_the_right_shape(member, small_panel):
    run = training.predict(member)
    years, n = small_panel.sizes["year"], small_panel.sizes["residence"]
    assert run.flow.shape == (years, n, n) and run.stock.shape == (years + 1, n, n)
    assert not run.flow.requires_grad and run.flow.device.type == "cpu"


def test_weights_of_another_shape_are_refused_by_name(member, small_config, small_panel, small_splits, tmp_path):
    file = training.save_member(member, tmp_path / "member.safetensors", small_config)
    wider = replace(small_config, model=replace(small_config.model, embedding=5))
    with pytest.raises(ArtifactError, match=r"model\.cell\.embedding") as caught:
        training.load_member(file, small_panel, small_splits, wider)
    assert caught.value.key == "model.cell.embedding"
    assert "(9, 4)" in str(caught.value) and "(9, 5)" in str(caught.value)


def test_a_missing_weight_is_refused_by_name(member, small_config, small_panel, small_splits, tmp_path):
    file = training.save_member(member, tmp_path / "member.safetensors", small_config)
    tensors = load_file(file)
    del tensors["observation.log_bias_step"]
    save_file(tensors, file)
    with pytest.raises(ArtifactError, match=r"observation\.log_bias_step is missing"):
        training.load_member(file, small_panel, small_splits, small_config)


def test_missing_weights_name_the_step(small_config, small_panel, small_splits, tmp_path):
    with pytest.raises(ArtifactError, match="missing") as caught:
        training.load_member(tmp_path / "none.safetensors", small_panel, small_splits, small_config)
    assert "train" in caught.value.remedy


def test_devices():
    assert training.choose_device("cpu").type == "cpu"
    assert training.choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
