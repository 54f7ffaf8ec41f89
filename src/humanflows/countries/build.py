"""All pages, side by side in processes; what is fresh stays, and what is interrupted leaves no half page.

A page is made of one territory's part of the release, and is stale when that part changes. To take the digest of every
part costs seconds, so a manifest also says which release it was last compared with.
"""
import hashlib
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import joblib
from tqdm import tqdm

from .. import artifacts, paths
from ..dataset import names
from ..dataset.answers import Answers
from ..dataset.whole import check_release
from ..errors import ArtifactError
from ..locks import alone_in
from ..results.labels import LABEL
from . import files, page
from .tables import Country, describe

# What a page is made by, below the package; templates and the style sheet count as well.
CODE = ("countries", "dataset", "artifacts.py", "plotting/style.py", "plotting/charts.py")
OTHER_CODE = ("countries/templates", "plotting/humanflows.mplstyle")
MADE_BY = "humanflows countries"


@dataclass(frozen=True)
class Built:
    """What a build did; what was not made was fresh."""

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
        When the release is missing or damaged, when another process makes pages in the folder, or when the folder
        cannot be made or written.
    """
    begin = time.perf_counter()
    target, release = Path(target or paths.COUNTRIES), Path(release or paths.RELEASE)
    check_release(release)
    with alone_in(target):
        made, fresh = _build(target, release, only, refresh, workers)
    return Built(made, fresh, time.perf_counter() - begin, target)


def _build(target: Path, release: Path, only: Iterable[str] | None, refresh: bool, workers: int) -> tuple[int, int]:
    answers = Answers(release)
    codes = [names.resolve(t, answers.codes) for t in only] if only is not None else list(answers.codes)
    inputs, of = inputs_of(answers), release_digest(answers)
    asked = [c for c in codes if refresh or not is_fresh(target, c, inputs, of)]
    if only is None:
        _sweep(target, set(codes))
    jobs = (joblib.delayed(make_country)(c, target, release, inputs, of, refresh) for c in asked)
    run = joblib.Parallel(n_jobs=min(workers, max(len(asked), 1)), return_as="generator_unordered")
    made = 0
    for code, anew in tqdm(run(jobs) if asked else (), total=len(asked), desc="country pages", unit="page",
                           disable=None if asked else True):
        if not is_fresh(target, code, inputs, of):
            raise ArtifactError(target / f"{code}.md", "the page is not the one that was just made",
                                "build to a folder that nothing else writes to")
        made += anew
    return made, len(codes) - made


def release_digest(answers: Answers) -> str:
    """Digest of a whole release."""
    return artifacts.digest(answers.store.manifest["files"])


def inputs_of(answers: Answers) -> dict:
    """Digests of what all pages are made of; each one's part of the release comes to them, see :func:`rows_digest`."""
    package = Path(__file__).parents[1]
    more = sorted(f for name in OTHER_CODE for f in ([package / name] if (package / name).is_file()
                                                     else (package / name).iterdir()) if f.is_file())
    return {"version": _version(answers.store.folder), "code": artifacts.code_digest(*CODE),
            "templates": artifacts.digest([(f.name, f.read_text(encoding="utf-8")) for f in more]),
            "names": artifacts.sha256(paths.TERRITORIES)}


def rows_digest(country: Country, csv: bytes) -> str:
    """Digest of a territory's part of a release: of everything that its page says, draws and offers for download."""
    return artifacts.digest(_plain(asdict(country)), hashlib.sha256(csv).hexdigest())


def _plain(value):
    """Arrays as lists: an array is cut short where it is written as text."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value.tolist() if hasattr(value, "tolist") else value


def is_fresh(target: Path, code: str, inputs: dict, of: str | None = None, rows: str | None = None) -> bool:
    """Whether a territory's page was made of these inputs, and all of its files are there.

    Either ``of``, the digest of a release with which it was compared, or ``rows``, of its part of one, must agree too.
    """
    file = target / f"{code}.md"
    manifest = artifacts.read_manifest(file) or {}
    known = manifest.get("inputs", {}).get("rows")
    return ((rows == known if rows is not None else of == manifest.get("release"))
            and artifacts.is_fresh(file, {**inputs, "rows": known})
            and all((target / name).is_file() and (target / name).stat().st_size == size
                    for name, size in manifest["files"].items()))


def make_country(code: str, target: Path, release: Path, inputs: dict, of: str, refresh: bool) -> tuple[str, bool]:
    """Make one page, unless it was made of the same part of another release.

    Downloads and figures come first, then the page, at last the manifest that makes it count.

    Returns
    -------
    The code, and whether the page was made.
    """
    from . import figures
    from .svg import compact_svg

    begin = time.perf_counter()
    answers = _open(release, of)
    country, csv = describe(answers, code), files.zipped_csv(answers, code)
    inputs = {**inputs, "rows": rows_digest(country, csv)}
    page_file = target / f"{code}.md"
    if not refresh and is_fresh(target, code, {k: v for k, v in inputs.items() if k != "rows"}, rows=inputs["rows"]):
        manifest = artifacts.read_manifest(page_file)
        artifacts.write_manifest(page_file, made_by=MADE_BY, inputs=inputs, seconds=manifest["seconds"], release=of,
                                 files=manifest["files"], row=manifest["row"])
        return code, False
    artifacts.manifest_path(target / f"{code}.md").unlink(missing_ok=True)
    about = {"version": _version(release), "licence": "CC BY 4.0", LABEL: answers.store.data_kind}
    downloads = {"csv": artifacts.write_bytes(target / f"{code}.csv.zip", csv),
                 "pairs": artifacts.write_bytes(target / f"{code}_pairs.csv.zip", files.zipped_pairs(answers, code)),
                 "json": files.write_json(country, target / f"{code}.json", about)}
    figures.set_style()
    drawn = {}
    for name, draw in figures.FIGURES.items():
        if name != "evidence" or country.known:
            drawn[name] = artifacts.write_text(target / f"{code}_{name}.svg", compact_svg(draw(country)))
    sizes = {k: (f.name, _bytes(f.stat().st_size)) for k, f in downloads.items()}
    text = page.render_page(country, {k: f.name for k, f in drawn.items()}, sizes)
    file = artifacts.write_text(page_file, text)
    made = {f.name: f.stat().st_size for f in (*downloads.values(), *drawn.values())}
    artifacts.write_manifest(file, made_by=MADE_BY, inputs=inputs, seconds=round(time.perf_counter() - begin, 2),
                             release=of, files=made, row=page.index_row(country))
    return code, True


@cache
def _open(release: Path, of: str) -> Answers:
    """A release's answers, once in each process for each digest of the release."""
    answers = Answers(release)
    if release_digest(answers) != of:
        raise ArtifactError(release, "the release was changed while pages were made of it", "make the pages again")
    return answers


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
