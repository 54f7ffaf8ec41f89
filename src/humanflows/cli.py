"""The command ``humanflows``: each step of the chain says what it does, on which device, and how long it took."""
import re
import time
from collections.abc import Callable
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from . import paths
from .artifacts import cannot_write
from .cli_dataset import app as dataset_app
from .cli_sources import app as sources_app
from .config import Config, load_config
from .console import App, say_error
from .errors import ConfigError, InputError
from .plain_files import parse_yaml

app = App(no_args_is_help=True, add_completion=False, pretty_exceptions_show_locals=False, help=__doc__)
app.add_typer(dataset_app)     # flow, top, net, total, stock, by-birthplace, package
app.add_typer(sources_app)     # compare-vintages

Profile = Annotated[str, typer.Option("--profile", "-p",
                                      help="twin (simulated world, no download) or world (real sources).")]
Setting = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Replace one configuration key, "
                                                   "e.g. --set train.epochs=50. May be repeated.")]
Refresh = Annotated[bool, typer.Option("--refresh", help="Run also what is fresh.")]


def parse_settings(settings: list[str] | None) -> dict:
    """Turn ``["train.epochs=50"]`` into ``{"train": {"epochs": 50}}``.

    Raises
    ------
    ConfigError
        For a setting without ``=``, or whose value is no YAML; unknown keys are refused by ``load_config``.
    """
    overrides: dict = {}
    for setting in settings or []:
        key, equals, value = setting.partition("=")
        if not equals or not key:
            raise ConfigError("--set", f"{setting!r} is no setting", "write it as key=value, e.g. train.epochs=50",
                              key=setting)
        *groups, last = key.split(".")
        inner = overrides
        for group in groups:
            inner = inner.setdefault(group, {})
            if not isinstance(inner, dict):
                raise ConfigError("--set", f"{group!r} is both a value and a group", "set it once", key=setting)
        inner[last] = parse_yaml(value, "--set", "write it as key=value, e.g. train.epochs=50")
    if named := sorted({"profile", "file"} & set(overrides)):
        raise ConfigError("--set", f"{named[0]!r} is no setting", "use --profile to choose a configuration",
                          key=named[0])
    return overrides


def parse_numbers(text: str, option: str) -> list[int]:
    """Turn ``"3,4"`` into ``[3, 4]``.

    Raises
    ------
    ConfigError
        For anything but whole numbers with commas between them.
    """
    if not re.fullmatch(r"\s*[0-9]{1,9}\s*(,\s*[0-9]{1,9}\s*)*", text):
        raise ConfigError(f"--{option}", f"{text!r} are no whole numbers", "write them as in 3,4", key=option)
    return [int(k) for k in text.split(",")]


@app.callback(help=__doc__)
def _folders() -> None:
    try:
        paths.check()
    except InputError as error:
        say_error(error)
        raise typer.Exit(1) from None


@contextmanager
def _step(what: str, device: str):
    """Announce a step, time it, and end with a plain message instead of a traceback when the input is at fault."""
    typer.echo(f"{what} on {device} …")
    begin = time.perf_counter()
    try:
        yield
    except InputError as error:
        say_error(error)
        raise typer.Exit(1) from None
    except OSError as error:        # of files that are written without the care of artifacts
        if (said := cannot_write(Path(error.filename or paths.BUILD), error)) is None:
            raise
        say_error(said)
        raise typer.Exit(1) from None
    typer.echo(f"{what}: done in {time.perf_counter() - begin:.1f} s")


def _device(config: Config) -> str:
    if config.train.device != "auto":
        return config.train.device
    import torch

    return f"cuda ({torch.cuda.get_device_name(0)})" if torch.cuda.is_available() else "cpu"


def _pipeline(step: str, what: str, profile: str, settings: list[str] | None, *, uses_device: bool = False,
              module: str = "pipeline") -> None:
    try:
        config = load_config(profile, **parse_settings(settings))
    except InputError as error:
        say_error(error)
        raise typer.Exit(1) from None
    with _step(f"{what} ({config.profile}, seed {config.seed})", _device(config) if uses_device else "cpu"):
        run: Callable[[Config], Path] = getattr(import_module(f".{module}", __package__), step)
        typer.echo(f"→ {run(config)}")


@app.command()
def fetch(prefix: Annotated[str, typer.Argument(help="Beginning of registry paths; all by default.")] = "") -> None:
    """Make sure that the real source files are here: from a mirror, the cache or their public addresses."""
    with _step(f"fetch source files {prefix}".rstrip(), "cpu"):
        from .sources.fetch import fetch_all
        from .sources.registry import registry

        wanted = [p for p in registry()["path"] if p.startswith(prefix)]
        if not wanted:
            raise ConfigError("data/registry.csv", f"no file's path begins with {prefix!r}",
                              "see the paths in data/registry.csv", key=prefix)
        typer.echo(f"→ {len(fetch_all(wanted))} files, sha256 checked")


@app.command()
def harmonise(profile: Profile = "twin", settings: Setting = None) -> None:
    """Read the sources and align them in one panel."""
    _pipeline("harmonise", "harmonise sources", profile, settings)


@app.command()
def train(profile: Profile = "twin", settings: Setting = None) -> None:
    """Train one member of the model."""
    _pipeline("train", "train member", profile, settings, uses_device=True)


@app.command()
def estimate(profile: Profile = "twin", settings: Setting = None) -> None:
    """Draw flows, stocks and net migration from the trained member."""
    _pipeline("estimate", "estimate flows", profile, settings, uses_device=True)


@app.command()
def validate(profile: Profile = "twin", settings: Setting = None) -> None:
    """Score the estimates and their peers on held-out corridors."""
    _pipeline("validate", "validate estimates", profile, settings)


@app.command()
def five_years(profile: Profile = "twin", settings: Setting = None) -> None:
    """Score five-year flows: six methods from stocks, gravity, persistence, published estimates and ours."""
    _pipeline("five_years", "score five-year flows", profile, settings)


@app.command()
def release(profile: Profile = "world", settings: Setting = None) -> None:
    """Write data/release: the files that readers of the estimates use, with the protocols' tables where fresh."""
    _pipeline("release", "write release", profile, settings, module="releasing")


@app.command()
def recover(
    only: Annotated[list[str] | None, typer.Option(help="Question: folds, seeds, sources, reporters, bookkeeping, "
                                                   "worlds. Repeatable; all by default.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Experiments side by side, one thread each.")] = 2,
) -> None:
    """Fit simulated worlds whose truth is known, one change at a time; all of them together write data/recovery."""
    with _step("recover the simulated truth", "cpu"):
        from . import recovery

        every = recovery.experiments()
        unknown = set(only or ()) - {e.question for e in every}
        if unknown:
            raise ConfigError("--only", f"no experiment asks {sorted(unknown)[0]!r}",
                              "ask " + ", ".join(dict.fromkeys(e.question for e in every)), key="only")
        recovery.run_experiments([e for e in every if not only or e.question in only], workers=workers)
        if not only:
            typer.echo(f"→ {recovery.write_report(every)}")


@app.command()
def protocols(
    profile: Profile = "twin",
    only: Annotated[list[str] | None, typer.Option(help="Name of a protocol, or its beginning: fold, blind, reporters, "
                                                   "source, net-third. Repeatable; all by default.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Of every training; default: as configured.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Protocols side by side.")] = 2,
    settings: Setting = None,
) -> None:
    """Withhold part of the reports, train without it, score on it beside all peers; needs the step harmonise.

    Five folds of corridors, the last three years blind, offices left out in five groups, sources, and the net migration
    of a third of the territories: about two dozen times as long as the step train. What has run is kept, an interrupted
    training resumes.
    """
    with _step(f"validation protocols ({profile})", _device_of(profile)):
        from . import pipeline
        from . import protocols as runs

        given = {"epochs": epochs, "settings": parse_settings(settings)}
        config = runs.configure(profile, **given)
        every = runs.list_protocols(config, pipeline.open_panel(config))
        runs.run_protocols(runs.choose(every, only), profile, workers=workers, **given)
        tables = runs.collect(profile, **given)
        typer.echo(runs.summarise(tables).to_string(index=False, float_format="{:.3f}".format))
        if profile == "world":
            typer.echo(tables["targets"].to_string(index=False, float_format="{:.3f}".format))
        typer.echo(f"→ {runs.folder(profile)}")


@app.command()
def ablate(
    profile: Profile = "twin",
    only: Annotated[list[str] | None, typer.Option(help="Name of a run, or of a group: covariates, network, learning, "
                                                   "witnesses, errors, effects. Repeatable; all by default.")] = None,
    seeds: Annotated[str, typer.Option(help="Seeds of every run, e.g. 1,2; everything as it is has three or "
                                       "more.")] = "1",
    epochs: Annotated[int | None, typer.Option(min=1, help="Of every training; default: as configured.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Trainings side by side.")] = 2,
    settings: Setting = None,
) -> None:
    """Leave out one part of the model or of the data at a time and score what is left; needs the step harmonise.

    Scored on validation corridors: the held-out fold plays no part. About thirty-five times as long as the step train
    for each seed. What has run is kept, an interrupted training resumes; humanflows release takes the table along.
    """
    with _step(f"ablations ({profile})", _device_of(profile)):
        import pandas as pd

        from . import ablation as runs
        from . import pipeline
        from .results.ablation import short_table

        given = {"epochs": epochs, "settings": parse_settings(settings), "seeds": parse_numbers(seeds, "seeds")}
        every = runs.list_ablations(pipeline.open_panel(load_config(profile, **given["settings"])))
        runs.run_ablations(runs.choose(every, only), profile, workers=workers, **given)
        typer.echo(pd.DataFrame(short_table(runs.collect(profile, **given))).to_string(index=False))
        typer.echo(f"→ {runs.table_path(profile)}")


@app.command()
def ensemble(
    profile: Profile = "twin",
    design: Annotated[str | None, typer.Option(help="What members do not see: whole, crossed, blind or net; default: "
                                               "as configured.")] = None,
    members: Annotated[int | None, typer.Option(min=1, help="How many; default: as configured.")] = None,
    only: Annotated[str | None, typer.Option(help="Numbers of some members, e.g. 3,4; all by default.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes on this machine.")] = 2,
    threads: Annotated[int, typer.Option(min=1, help="Threads of each.")] = 1,
    cluster: Annotated[str | None, typer.Option(help="Address of a Dask scheduler, e.g. tcp://host:8786: members run "
                                                "on its workers instead.")] = None,
    ship: Annotated[bool, typer.Option("--ship", help="Send workers the panel and bring members back: for workers that "
                                       "do not share this machine's files.")] = False,
    released: Annotated[bool, typer.Option("--released", help="Take the weights of members that are not there from "
                                           "data/release instead of training them (design whole).")] = False,
    settings: Setting = None,
) -> None:
    """Train the members of the ensemble, each on a draw of its own of what is uncertain; needs the step harmonise.

    What has run is kept, an interrupted member goes on from its checkpoint.
    """
    with _step(f"ensemble ({profile})", f"workers of {cluster}" if cluster else _device_of(profile)):
        from . import ensemble as runs

        chosen = parse_numbers(only, "only") if only else None
        if released:
            from .members import restore_members

            if (design or "whole") != "whole" or only:
                raise ConfigError("--released", "a release holds the members that saw everything, all of them",
                                  "leave out --only, and --design or say --design whole", key="released")
            design = "whole"
            restored = restore_members(profile, members=members, settings=parse_settings(settings))
            typer.echo(f"weights of {len(restored)} members from the release")
        runs.run_ensemble(profile, design=design, members=members, only=chosen, workers=workers, threads=threads,
                          cluster=cluster, ship=ship, settings=parse_settings(settings))
        typer.echo(f"→ {runs.folder(profile, runs.ensemble_config(profile, design=design).ensemble.design)}")


@app.command()
def sample(
    profile: Profile = "twin",
    design: Annotated[str | None, typer.Option(help="Of which members: whole, crossed, blind or net; default: as "
                                               "configured.")] = None,
    only: Annotated[str | None, typer.Option(help="Numbers of some members, e.g. 3,4; all by default.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes on this machine, of one thread each.")] = 2,
    cluster: Annotated[str | None, typer.Option(help="Address of a Dask scheduler, e.g. tcp://host:8786, whose workers "
                                                "share this machine's files.")] = None,
    settings: Setting = None,
) -> None:
    """Draw worlds from the posterior: data and priors perturbed, the mode solved for again; needs the step ensemble.

    What has run is kept, an interrupted run goes on with the next draw.
    """
    with _step(f"sample ({profile})", f"workers of {cluster}" if cluster else _device_of(profile)):
        from . import draws as runs

        chosen = parse_numbers(only, "only") if only else None
        made = runs.run_draws(profile, design=design, only=chosen, workers=workers, cluster=cluster,
                              settings=parse_settings(settings))
        typer.echo(f"→ {made[0].parent.parent}")


@app.command()
def intervals(
    profile: Profile = "twin",
    workers: Annotated[int, typer.Option(min=1, help="Processes that judge side by side.")] = 2,
    settings: Setting = None,
) -> None:
    """Calibrate intervals on what members never saw, measure what they cover, and bound every estimate.

    Needs ensembles of all three designs (the step ensemble); for fewer members use --set ensemble.members=10.
    """
    with _step(f"intervals ({profile})", "cpu"):
        from . import intervals as runs
        from .unseen import keep_scores

        given = parse_settings(settings)
        made = runs.run_intervals(profile, settings=given, workers=workers)
        keep_scores(profile, settings=given)
        if profile == "twin" and not given:      # there the truth by birthplace is known
            from .birthplaces import keep_tried

            typer.echo(f"→ {keep_tried()}")
        typer.echo(f"→ {made['coverage.csv'].parent}")


@app.command()
def needs(
    profile: Profile = "twin",
    added: Annotated[bool, typer.Option("--added", help="First add offices to the simulated world, one at a time, to "
                                        "see what they buy (twin; needs its tables of needs).")] = False,
    workers: Annotated[int, typer.Option(min=1, help="Processes side by side.")] = 2,
    settings: Setting = None,
) -> None:
    """Say where data are needed most: how much narrower intervals would be if an office reported.

    Needs ensembles of all three designs, as the step intervals does; humanflows release takes the tables along.
    """
    with _step(f"needs ({profile})", "cpu"):
        import pandas as pd

        from . import added_offices
        from . import needs as runs

        given = parse_settings(settings)
        made = runs.run_needs(profile, settings=given, workers=workers)
        if added:
            if profile != "twin" or given:
                raise ConfigError("--added", "offices can be added to the default twin alone",
                                  "leave out --profile and --set", key="added")
            table = pd.read_csv(made["needs_countries.csv"], keep_default_na=False)
            added_offices.run_added(table.loc[table["side"] == "arrivals", "territory"].tolist(), workers=workers)
            made = runs.run_needs(profile, workers=workers)
        typer.echo(f"→ {made['needs_countries.csv'].parent}")


@app.command()
def scenario(
    files: Annotated[list[Path], typer.Argument(help="YAML files, as those in config/scenarios.")],
    profile: Profile = "twin",
    members: Annotated[int | None, typer.Option(min=1, help="The first so many members alone; default: all.")] = None,
    elsewhere: Annotated[float | None, typer.Option(help="Of moves held up at a border, the share that goes to other "
                                                    "destinations, instead of the file's.")] = None,
    settings: Setting = None,
) -> None:
    """Ask what the model would say had something been otherwise: covariates, borders, years to come.

    Runs every member of the ensemble, or the one of the step train, without and with the change; prints where flows
    differ, and what such numbers mean and do not mean. What has run is kept.
    """
    with _step(f"scenarios {', '.join(f.stem for f in files)} ({profile})", "cpu"):
        from . import scenarios as runs

        for made in runs.answer(profile, files, members=members, elsewhere=elsewhere,
                                settings=parse_settings(settings)):
            typer.echo(f"→ {made.parent}")


@app.command()
def provenance(
    corridor: Annotated[str, typer.Argument(help="Origin and destination, e.g. VEN-COL.")],
    year: Annotated[int, typer.Argument(help="Calendar year.")],
    profile: Profile = "world",
) -> None:
    """Say which sources speak about a corridor in a year, and what they say."""
    with _step(f"provenance of {corridor} in {year} ({profile})", "cpu"):
        from . import pipeline
        from .panel.harmonise import provenance as table_of

        typer.echo(table_of(pipeline.open_panel(load_config(profile)), corridor, year).to_string(index=False))


@app.command()
def notebooks(
    profile: Profile = "twin",
    refresh: Refresh = False,
    only: Annotated[list[str] | None, typer.Option(help="Beginning of a notebook's name, e.g. 03. Repeatable.")] = None,
    settings: Setting = None,
) -> None:
    """Run the notebooks that are stale; here --set replaces parameters of the notebooks that declare them.

    Beside profile and seed these are choices of what is shown: --set territory=COL, year=2015, corridor=VEN-COL.
    """
    with _step(f"run notebooks ({profile})", _device_of(profile)):
        from .book import execute_notebooks

        for file in execute_notebooks(profile, refresh=refresh, only=only, parameters=parse_settings(settings)):
            typer.echo(f"→ {file}")


@app.command()
def book(profile: Profile = "twin", refresh: Refresh = False, settings: Setting = None) -> None:
    """Run the notebooks that are stale and build the book; every warning is an error. --set as for notebooks."""
    with _step(f"build book ({profile})", _device_of(profile)):
        from .book import build_book

        typer.echo(f"→ {build_book(profile, refresh=refresh, parameters=parse_settings(settings))}")


@app.command()
def countries(
    only: Annotated[list[str] | None, typer.Option(help="ISO code or name. Repeatable; all by default.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder; default: _build/countries.")] = None,
    data: Annotated[Path | None, typer.Option("--data", help="Folder of a release; default: data/release.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes side by side.")] = 2,
    refresh: Refresh = False,
) -> None:
    """Write the country pages of the book: text, figures and downloads of every territory of the release."""
    with _step("country pages", "cpu"):
        from .countries import build_countries

        built = build_countries(output, data, only=only, refresh=refresh, workers=workers)
        typer.echo(f"→ {built.made} pages made, {built.fresh} were fresh: {built.folder}")


@app.command()
def report(profile: Profile = "twin") -> None:
    """Print what made the artifacts, the executed notebooks and the release."""
    with _step(f"report ({profile})", "cpu"):
        from .book import build_report

        load_config(profile)     # refuses a profile that is not there
        typer.echo(build_report(profile))


def _device_of(profile: str) -> str:
    try:
        return _device(load_config(profile))
    except InputError as error:
        say_error(error)
        raise typer.Exit(1) from None
