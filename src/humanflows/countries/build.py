"""All pages, side by side in processes; what is fresh stays, and what is interrupted leaves no half page."""
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import joblib
from tqdm import tqdm

from .. import artifacts, paths
from ..dataset import names
from ..dataset.answers import Answers
from ..dataset.whole import check_release
from ..errors import ArtifactError, InputError
from ..results.labels import LABEL
from . import page
from .tables import describe

# What a page is made by, below the package; templates and the style sheet count as well.
CODE = ("countries", "dataset", "artifacts.py", "plotting/style.py", "plotting/charts.py")
OTHER_CODE = ("countries/templates", "plotting/humanflows.mplstyle")
MADE_BY = "humanflows countries"


@dataclass(frozen=True)
class Built:
    """What a build did."""

    made: int
    fresh: int
    seconds: float
    folder: Path


def build_countries(target: Path | None = None, release: Path | None = None, *, only: Iterable[str] | None = None,
                    refresh: bool = False, workers: int = 2) -> Built:
    """Make the pages of territories, those that are not fresh.

    Parameters
    ----------
    target : folder of the pages, figures and downloads; ``_build/countries`` by default.
    release : folder of the release; ``data/release`` by default.
    only : names or codes of some territories; all of the release by default. Pages of others stay as they are.
    refresh : make also what is fresh.
    workers : processes.

    Raises
    ------
    UnknownTerritoryError
        For a territory that the release does not have.
    ArtifactError
        When the release is missing or damaged.
    InputError
        When the target is no folder, and none can be made there.
    """
    begin = time.perf_counter()
    target, release = Path(target or paths.COUNTRIES), Path(release or paths.RELEASE)
    check_release(release)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(target, f"no folder for pages ({error.strerror})", "name a new folder, or one with pages"
                         ) from error
    answers = Answers(release)
    codes = [names.resolve(t, answers.codes) for t in only] if only is not None else list(answers.codes)
    inputs = inputs_of(answers)
    stale = [c for c in codes if refresh or not is_fresh(target, c, inputs)]
    if only is None:
        _sweep(target, set(codes))
    jobs = (joblib.delayed(make_country)(c, target, release, inputs) for c in stale)
    run = joblib.Parallel(n_jobs=min(workers, max(len(stale), 1)), return_as="generator_unordered")
    for code in tqdm(run(jobs) if stale else (), total=len(stale), desc="country pages", unit="page",
                     disable=None if stale else True):
        if not is_fresh(target, code, inputs):
            raise ArtifactError(target / f"{code}.md", "the page is not the one that was just made",
                                "build to a folder that nothing else writes to")
    return Built(len(stale), len(codes) - len(stale), time.perf_counter() - begin, target)


def inputs_of(answers: Answers) -> dict:
    """Digests of everything that a page is made of."""
    package = Path(__file__).parents[1]
    more = sorted(f for name in OTHER_CODE for f in ([package / name] if (package / name).is_file()
                                                     else (package / name).iterdir()) if f.is_file())
    return {"release": artifacts.digest(answers.store.manifest["files"]), "code": artifacts.code_digest(*CODE),
            "templates": artifacts.digest([(f.name, f.read_text(encoding="utf-8")) for f in more]),
            "names": artifacts.sha256(paths.TERRITORIES)}


def is_fresh(target: Path, code: str, inputs: dict) -> bool:
    """Whether a territory's page was made of these inputs, and all of its files are there."""
    file = target / f"{code}.md"
    return artifacts.is_fresh(file, inputs) and all(
        (target / name).is_file() and (target / name).stat().st_size == size
        for name, size in artifacts.read_manifest(file)["files"].items())


def make_country(code: str, target: Path, release: Path, inputs: dict) -> str:
    """Make one page: downloads and figures first, then the page, at last the manifest that makes it count.

    Returns
    -------
    The code.
    """
    from . import figures, files
    from .svg import compact_svg

    begin = time.perf_counter()
    answers = _open(release)
    country = describe(answers, code)
    artifacts.manifest_path(target / f"{code}.md").unlink(missing_ok=True)
    about = {"version": _version(release), "licence": "CC BY 4.0", LABEL: answers.store.data_kind}
    downloads = {"csv": files.write_csv(answers, code, target / f"{code}.csv.zip"),
                 "pairs": files.write_pairs(answers, code, target / f"{code}_pairs.csv.zip"),
                 "json": files.write_json(country, target / f"{code}.json", about)}
    figures.set_style()
    drawn = {}
    for name, draw in figures.FIGURES.items():
        if name != "evidence" or country.known:
            drawn[name] = artifacts.write_text(target / f"{code}_{name}.svg", compact_svg(draw(country)))
    sizes = {k: (f.name, _bytes(f.stat().st_size)) for k, f in downloads.items()}
    text = page.render_page(country, {k: f.name for k, f in drawn.items()}, sizes)
    file = artifacts.write_text(target / f"{code}.md", text)
    made = {f.name: f.stat().st_size for f in (*downloads.values(), *drawn.values())}
    artifacts.write_manifest(file, made_by=MADE_BY, inputs=inputs, seconds=round(time.perf_counter() - begin, 2),
                             files=made, row=page.index_row(country))
    return code


@cache
def _open(release: Path) -> Answers:
    """A release's answers, once in each process."""
    return Answers(release)


@cache
def _version(release: Path) -> str:
    from ..dataset.descriptor import version_of

    return version_of(release)


def _bytes(number: int) -> str:
    return f"{number / 1000:,.0f} kB"


def _sweep(target: Path, codes: set[str]) -> None:
    """Remove pages of territories that the release no longer has."""
    for file in target.glob("*.md"):
        if file.stem not in codes:
            for name in (artifacts.read_manifest(file) or {}).get("files", {}):
                (target / name).unlink(missing_ok=True)
            artifacts.manifest_path(file).unlink(missing_ok=True)
            file.unlink()


def read_index(target: Path | None = None) -> list[dict]:
    """What the index says of each page that was made as a whole, in the order of names.

    Raises
    ------
    ArtifactError
        When there is none.
    """
    target = Path(target or paths.COUNTRIES)
    rows = [m["row"] for m in artifacts.manifests(target) if m.get("made_by") == MADE_BY]
    if not rows:
        raise ArtifactError(target, "there is no page here", f"run {MADE_BY} first")
    return sorted(rows, key=lambda r: page.sort_key(r["name"]))


def page_files(target: Path | None = None) -> Iterator[Path]:
    """Files of these pages, without manifests: what the book takes."""
    target = Path(target or paths.COUNTRIES)
    for row in read_index(target):
        file = target / f"{row['code']}.md"
        yield file
        yield from (target / name for name in artifacts.read_manifest(file)["files"])
