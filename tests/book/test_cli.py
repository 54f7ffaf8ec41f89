"""Every command says what it does, where and for how long; input errors are one line, not a traceback."""
import errno
import shutil
import sys
import types

import pytest
from typer.testing import CliRunner

from humanflows import cli, paths
from humanflows.errors import ConfigError

STEPS = ("harmonise", "train", "estimate", "validate", "five_years", "release")


def run(*words):
    return CliRunner().invoke(cli.app, list(words))


@pytest.fixture
def pipeline(monkeypatch):
    """Stand in for the pipeline and remember with what configuration each step was called."""
    called = {}
    module = types.ModuleType("humanflows.pipeline")
    for step in STEPS:
        setattr(module, step, lambda config, step=step: called.setdefault(step, config) and f"artifacts/{step}")
    monkeypatch.setitem(sys.modules, "humanflows.pipeline", module)
    monkeypatch.setattr("humanflows.pipeline", module, raising=False)
    above = types.ModuleType("humanflows.releasing")     # the release takes protocols and ensemble along
    above.release = module.release
    monkeypatch.setitem(sys.modules, "humanflows.releasing", above)
    return called


@pytest.mark.parametrize("step", STEPS)
def test_step_runs_with_its_profile_and_settings(pipeline, step):
    settings = ("train.epochs=7", "seed=3", "train.device=cpu")
    result = run(step.replace("_", "-"), "--profile", "world", *(w for s in settings for w in ("--set", s)))
    assert result.exit_code == 0, result.output
    config = pipeline[step]
    assert (config.profile, config.seed, config.train.epochs) == ("world", 3, 7)
    assert "world, seed 3" in result.output and " on cpu" in result.output
    assert f"artifacts/{step}" in result.output and "done in" in result.output


def test_pipeline_has_every_step_that_the_command_calls():
    from humanflows import pipeline, releasing

    assert [s for s in STEPS if not callable(getattr(pipeline, s, None))] == [] and callable(releasing.release)


@pytest.mark.parametrize(("words", "said"), [
    (("train", "--set", "train.epoch=7"), "did you mean 'train.epochs'"),
    (("train", "--set", "epochs"), "write it as key=value"),
    (("train", "--set", "train.epochs=[1"), "not readable as YAML"),
    (("train", "--set", "seed=*x"), "not readable as YAML"),
    (("train", "--set", "seed=-1"), "[seed]"),
    (("train", "--set", "train.device=tpu"), "[train.device]"),
    (("train", "--set", "profile=world"), "use --profile"),
    (("train", "--set", "file=x"), "is no setting"),
    (("ensemble", "--only", "\u00b2"), "no whole numbers"),
    (("ensemble", "--only", "3,,4"), "no whole numbers"),
    (("ablate", "--seeds", "9" * 5000), "no whole numbers"),
    (("train", "--set", "train=3", "--set", "train.epochs=3"), "both a value and a group"),
    (("harmonise", "--profile", "mars"), "use one of the profiles twin, world"),
    (("notebooks", "--only", "77"), "no notebook's name begins with '77'"),
    (("recover", "--only", "love"), "no experiment asks 'love'"),
    (("fetch", "nothing/like/this"), "no file's path begins with"),
    (("report", "--profile", "twin", "--nonsense"), "No such option"),
    (("report", "--profile", "nonsense"), "use one of the profiles twin, world"),
    (("notebooks", "--only", "05", "--set", "teritory=COL"), "did you mean 'territory'?"),
    (("book", "--set", "teritory=COL"), "did you mean 'territory'?"),
])
def test_errors_are_plain(pipeline, words, said):
    result = run(*words)
    assert result.exit_code != 0
    assert said in " ".join(result.output.replace("│", " ").split())
    assert "Traceback" not in result.output


def test_the_book_passes_parameters_on(monkeypatch):
    from humanflows import book

    asked = {}
    monkeypatch.setattr(book, "build_book", lambda profile, **given: asked.update(given, profile=profile))
    assert run("book", "--set", "territory=COL", "--set", "year=2010").exit_code == 0
    assert asked == {"profile": "twin", "refresh": False, "parameters": {"territory": "COL", "year": 2010}}


@pytest.mark.parametrize(("error", "said"), [
    (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
    (OSError(errno.EROFS, "Read-only file system", str(paths.BUILD / "x")), "cannot be written"),
    (shutil.Error([("a", "b", "[Errno 28] No space left on device: 'b'")]), "the disk is full")])
def test_a_folder_that_cannot_be_written_is_one_line(monkeypatch, error, said):
    from humanflows import book

    def fail(*_, **__):
        raise error

    monkeypatch.setattr(book, "build_book", fail)
    result = run("book")
    assert result.exit_code == 1 and said in result.output and "HUMANFLOWS_BUILD" in result.output
    assert isinstance(result.exception, SystemExit)


def test_another_error_of_the_system_stays_what_it_is(monkeypatch):
    from humanflows import book

    def fail(*_, **__):
        raise FileNotFoundError(errno.ENOENT, "No such file", "/somewhere/else")

    monkeypatch.setattr(book, "build_book", fail)
    assert isinstance(run("book").exception, FileNotFoundError)


def test_settings_are_typed():
    assert cli.parse_settings(["train.epochs=5", "train.compile=false", "seed=2", "train.learning_rate=0.004"]) == {
        "train": {"epochs": 5, "compile": False, "learning_rate": 0.004}, "seed": 2}
    with pytest.raises(ConfigError):
        cli.parse_settings(["=3"])


def test_provenance_says_who_speaks_about_a_corridor(monkeypatch, small_panel):
    from humanflows import pipeline

    monkeypatch.setattr(pipeline, "open_panel", lambda config: small_panel)
    k = int(small_panel.flow_witness.size // 2)
    o, d, y = (int(small_panel[f"flow_{x}"][k]) for x in ("origin", "destination", "year"))
    corridor = f"{small_panel.origin.values[o]}-{small_panel.destination.values[d]}"
    result = run("provenance", corridor, str(int(small_panel.year[y])), "--profile", "twin")
    assert result.exit_code == 0, result.output
    source = str(small_panel.witness.values[int(small_panel.flow_witness[k])]).split("|")[0]
    assert source in result.output and "flow during the year" in result.output
    bad = run("provenance", "ABC-XYZ", "2000", "--profile", "twin")
    assert bad.exit_code == 1 and "no corridor 'ABC-XYZ'" in bad.output and "Remedy" in bad.output


def test_recover_runs_what_is_asked_and_writes_the_report_only_of_all(monkeypatch, tmp_path):
    from humanflows import recovery

    asked, written = [], []
    monkeypatch.setattr(recovery, "run_experiments", lambda chosen, workers: asked.append([e.question for e in chosen]))
    monkeypatch.setattr(recovery, "write_report", lambda chosen: written.append(len(chosen)))
    assert run("recover", "--only", "seeds", "--only", "worlds").exit_code == 0
    assert set(asked[0]) == {"seeds", "worlds"} and written == []
    assert run("recover").exit_code == 0
    assert written == [len(recovery.experiments())] == [len(asked[1])]
