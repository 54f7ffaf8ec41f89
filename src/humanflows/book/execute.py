"""The notebooks: which there are, what they take, and running those that are stale."""
import ast
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

import nbformat
from tqdm import tqdm

from .. import artifacts, paths, reads
from ..config import Config, load_config
from ..dataset.names import resolve
from ..errors import ArtifactError, ConfigError
from ..locks import alone_in
from ..results.summaries import split_corridor

KERNEL = "python3"
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def notebooks(only: Iterable[str] | None = None) -> list[Path]:
    """Source notebooks in the order of their numbers.

    Parameters
    ----------
    only : beginnings of file names (``"03"`` or ``"03_train_member"``); None for all.

    Raises
    ------
    ConfigError
        When a beginning names no notebook.
    """
    found = sorted(paths.NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    if only is None:
        return found
    chosen = {n for start in only for n in _matching(found, start)}
    return [n for n in found if n in chosen]


def _matching(found: list[Path], start: str) -> list[Path]:
    matches = [n for n in found if n.name.startswith(start)]
    if not matches:
        raise ConfigError(paths.NOTEBOOKS, f"no notebook's name begins with {start!r}",
                          "choose among " + ", ".join(n.stem for n in found), key=start)
    return matches


def declared_parameters(notebook: Path) -> dict:
    """Names and default values in a notebook's cell tagged ``parameters``.

    Raises
    ------
    ConfigError
        When there is no such cell, or it holds anything but literals.
    """
    source = [c.source for c in nbformat.read(notebook, as_version=4).cells
              if c.cell_type == "code" and "parameters" in c.metadata.get("tags", [])]
    if len(source) != 1:
        raise ConfigError(notebook, f"{len(source)} cells are tagged 'parameters'", "tag exactly one code cell")
    declared = {}
    for statement in ast.parse(source[0]).body:
        try:
            target, = statement.targets
            declared[target.id] = ast.literal_eval(statement.value)
        except (AttributeError, TypeError, ValueError) as error:
            raise ConfigError(notebook, "the parameters cell may only hold lines like `seed = 1`", "move other code on",
                              key=ast.unparse(statement)) from error
    return declared


def notebook_parameters(notebook: Path, config: Config, given: Mapping | None = None) -> dict:
    """Values for a notebook's parameters: those of the profile, and choices of what to show, replaced by those given.

    papermill only warns about a parameter that a notebook does not know; here it is an error.

    Raises
    ------
    ConfigError
        For a declared parameter that is neither a choice nor in the configuration, a choice with a default, a given
        parameter that the notebook does not declare, a given value that cannot be, or a notebook that does not declare
        ``profile``.
    UnknownTerritoryError
        For a territory that is not one of the 231.
    """
    declared, known = declared_parameters(notebook), config.as_dict()
    if "profile" not in declared:
        raise ConfigError(notebook, "the parameters cell does not declare 'profile'", "add the line profile = \"twin\"")
    check_given(given or {}, [notebook])
    for name, default in declared.items():
        if name in CHOICES and default is not None:
            raise ConfigError(notebook, f"the choice {name!r} has the default {default!r}",
                              f"write {name} = None: worlds differ in their places", key=name)
        if name not in CHOICES and isinstance(known.get(name, {}), dict):
            near = get_close_matches(name, [k for k, v in known.items() if not isinstance(v, dict)], n=1, cutoff=0.0)
            raise ConfigError(notebook, f"parameter {name!r} is no key of config/{config.profile}.yaml",
                              f"did you mean {near[0]!r}?", key=name)
    values = {name: known.get(name) for name in declared}
    values |= {k: CHOICES[k](v, config) if k in CHOICES and v is not None else v for k, v in (given or {}).items()}
    if is_about_the_twin(notebook):
        values |= {"profile": "twin"}
    load_config(**{k: v for k, v in values.items() if k not in CHOICES})    # refuses what a kernel would
    return values


def check_given(given: Mapping, notebooks: Iterable[Path]) -> None:
    """Refuse parameters that none of some notebooks declares.

    Raises
    ------
    ConfigError
        Naming the nearest parameter that one of them does declare.
    """
    declared = {name: None for n in notebooks for name in declared_parameters(n)}
    for name in given:
        if name not in declared:
            near = get_close_matches(name, list(declared), n=1, cutoff=0.0)
            of = ", ".join(n.stem for n in notebooks)
            raise ConfigError("--set", f"unknown notebook parameter {name!r}",
                              f"did you mean {near[0]!r}? {of} take " + ", ".join(declared), key=name)


def _territory(value, config: Config) -> str:
    if not isinstance(value, str):
        raise ConfigError("--set", f"territory {value!r} is no text", "write a code or name, as in territory=COL",
                          key="territory")
    return resolve(value)


def _year(value, config: Config) -> int:
    if type(value) is not int or value not in config.years:
        raise ConfigError("--set", f"year {value!r} is not one of the estimates'",
                          f"give one from {config.first_year} to {config.last_year}", key="year")
    return value


def _corridor(value, config: Config) -> str:
    ends = [resolve(end) for end in split_corridor(str(value))]
    if ends[0] == ends[1]:
        raise ConfigError("--set", f"corridor {value!r} ends where it begins", "name two territories, as in VEN-COL",
                          key="corridor")
    return "-".join(ends)


# Parameters by which a reader chooses what a notebook shows; None: what it shows by default.
CHOICES: dict[str, Callable] = {"territory": _territory, "year": _year, "corridor": _corridor}

TWIN_ONLY = "twin-only"   # tag of the parameters cell of notebooks about the simulated world, whatever the profile


OF_RELEASE = "of-the-release"   # tag of the parameters cell of notebooks that draw data/release, whatever the profile


def is_about_the_twin(notebook: Path) -> bool:
    """Whether a notebook shows simulated numbers under every profile (lessons, recovery of the truth)."""
    return _has_tag(notebook, TWIN_ONLY)


def is_of_the_release(notebook: Path) -> bool:
    """Whether a notebook shows the numbers of ``data/release`` under every profile."""
    return _has_tag(notebook, OF_RELEASE)


def _has_tag(notebook: Path, tag: str) -> bool:
    return any({"parameters", tag} <= set(c.metadata.get("tags", []))
               for c in nbformat.read(notebook, as_version=4).cells)


def notebook_inputs(notebook: Path, parameters: Mapping) -> dict:
    """Digests of what a notebook is made of, but for the files that it reads: those are known once it has run."""
    cells = [(c.cell_type, c.source, c.metadata.get("tags", [])) for c in nbformat.read(notebook, as_version=4).cells]
    pins = paths.ROOT / "requirements.txt"
    # A file may be looked for and not found. Figures are written, never read.
    there = sorted(f.relative_to(paths.ROOT).as_posix() for folder in (paths.DATA, paths.CONFIG)
                   for f in folder.rglob("*") if not f.name.startswith(".") and f.suffix not in {".png", ".svg", ".md"})
    return {
        "notebook": artifacts.digest(cells),
        "parameters": dict(parameters),
        "names": artifacts.digest(there),
        "requirements": artifacts.sha256(pins) if pins.is_file() else None,
    }


def is_fresh(target: Path, inputs: Mapping) -> bool:
    """Whether an executed notebook was made of these inputs, and no file that it read has changed since."""
    read = ((artifacts.read_manifest(target) or {}).get("inputs") or {}).get("read")
    return isinstance(read, dict) and artifacts.is_fresh(target, {**inputs, "read": reads.digests(read)})


def execute_notebooks(profile: str = "twin", refresh: bool = False, only: Iterable[str] | None = None,
                      parameters: Mapping | None = None) -> list[Path]:
    """Run the notebooks in order into ``_build/executed/<profile>``, skipping those that are fresh.

    Parameters
    ----------
    profile : ``"twin"`` or ``"world"``.
    refresh : run also what is fresh.
    only : beginnings of notebook names; None for all.
    parameters : values that replace those of the profile, and choices of what to show; each notebook takes those that
        it declares.

    Returns
    -------
    list of Path, the executed notebooks, each with a manifest beside it.

    Raises
    ------
    ConfigError
        For parameters that no notebook takes or that cannot be; before anything runs.
    ArtifactError
        When a cell fails or ends the kernel, naming notebook and cell: an earlier executed version stays as it was.
        When another process is at work in the build folder.
    """
    config, given = load_config(profile), dict(parameters or {})
    chosen = notebooks(only)
    check_given(given, chosen)
    jobs = [(n, notebook_parameters(n, config, {k: v for k, v in given.items() if k in declared_parameters(n)}))
            for n in chosen]
    done = []
    with alone_in(paths.BUILD):
        bar = tqdm(jobs, desc=f"notebooks ({profile})", unit="notebook", disable=None)
        for source, values in bar:
            target = paths.EXECUTED / profile / source.name
            inputs = notebook_inputs(source, values)
            bar.set_postfix_str(source.stem)
            if refresh or not is_fresh(target, inputs):
                _execute(source, target, values, inputs, config)
            done.append(target)
    return done


def _execute(source: Path, target: Path, parameters: dict, inputs: dict, config: Config) -> None:
    import papermill  # slow to import; not needed where every notebook is fresh
    from nbclient.exceptions import DeadKernelError

    begin, started = time.perf_counter(), time.time_ns()
    with artifacts.atomic(target) as temporary, tempfile.TemporaryDirectory() as folder:
        failed, log = target.with_name(f"{target.stem}.failed.ipynb"), Path(folder) / "reads"
        log.touch()
        try:
            with _environment({reads.VARIABLE: log, "HUMANFLOWS_ROOT": paths.ROOT, "HUMANFLOWS_BUILD": paths.BUILD}):
                papermill.execute_notebook(
                    str(source), str(temporary), parameters=parameters, kernel_name=KERNEL, language="python",
                    cwd=str(paths.NOTEBOOKS), autosave_cell_every=0,
                    progress_bar={"desc": source.stem, "leave": False, "disable": None},
                    extra_arguments=["--log-level=CRITICAL"],  # the kernel's own log; errors of cells are not in it
                )
        except papermill.PapermillExecutionError as error:
            shutil.copyfile(temporary, failed)
            raise ArtifactError(source, _failure(error), f"mend the cell; everything run so far is in {failed}",
                                key=_which_cell(source, error.source)) from None
        except DeadKernelError:
            shutil.copyfile(temporary, failed)
            cell = _running(temporary)
            raise ArtifactError(source, "its kernel was ended while a cell ran, most likely by the system for want of "
                                f"memory\n--- cell\n{cell}\n---\n", "close other programs or give the machine more "
                                f"memory, then run the notebook again; everything run so far is in {failed}",
                                key=_which_cell(source, cell)) from None
        inputs = {**inputs, "read": _digests_of(reads.read_log(log), started)}
    artifacts.write_manifest(
        target, made_by=f"notebooks/{source.name}", inputs=inputs, device=_device(config),
        profile=parameters.get("profile", config.profile),
        seconds=round(time.perf_counter() - begin, 2), seed=parameters.get("seed", config.seed), parameters=parameters)
    failed.unlink(missing_ok=True)


@contextmanager
def _environment(variables: Mapping[str, object]) -> Iterator[None]:
    """Set variables for processes that are started meanwhile."""
    before = {k: os.environ.get(k) for k in variables}
    os.environ.update({k: str(v) for k, v in variables.items()})
    try:
        yield
    finally:
        for k, v in before.items():
            if v is None:
                del os.environ[k]
            else:
                os.environ[k] = v


def _digests_of(keys: Iterable[str], since: int) -> dict[str, str | None]:
    """Digests of files that were read; of one that was written meanwhile nobody knows what was read.

    A kernel needs longer to start than the clocks of file systems are behind: it reads nothing before.
    """
    found = reads.digests(keys)
    return {k: None if v and reads.place_of(k).stat().st_mtime_ns >= since else v for k, v in found.items()}


def _running(notebook: Path) -> str:
    """Source of the cell that papermill last began, in a notebook that it did not end."""
    code = [c for c in nbformat.read(notebook, as_version=4).cells if c.cell_type == "code"]
    begun = [c.source for c in code if c.metadata.get("papermill", {}).get("start_time")]
    return begun[-1] if begun else code[0].source


def _which_cell(notebook: Path, source: str) -> str:
    """Position of a cell, counted from one as a reader would; papermill counts the parameters that it injects."""
    sources = [c.source for c in nbformat.read(notebook, as_version=4).cells]
    return f"cell {sources.index(source) + 1} of {len(sources)}" if source in sources else "injected parameters"


def _failure(error) -> str:
    lines = _ANSI.sub("", "\n".join(error.traceback)).splitlines()
    return f"a cell failed with {error.ename}: {error.evalue}\n--- cell\n{error.source}\n--- traceback\n" + "\n".join(
        lines[-20:]) + "\n---\n"


def _device(config: Config) -> str:
    if config.train.device != "auto":
        return config.train.device
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
