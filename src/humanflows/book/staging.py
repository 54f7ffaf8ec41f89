"""What Sphinx reads: a copy of the repository's pages with facts, generated parts and executed notebooks put in.

The copy (``_build/stage``) has the repository's layout: ``book/`` (prose), ``notebooks/`` (executed ones) and
``data/release/figures``. Links in the prose therefore work in the book and in the repository alike.
"""
import shutil
from pathlib import Path

import nbformat
import yaml

from .. import artifacts, paths
from ..alternatives import describe_figures
from ..errors import ArtifactError, ConfigError
from ..locks import alone_in
from .digests import inputs_of_pages, is_made, keep_record, record_of, tree_digest
from .execute import declared_parameters, is_of_the_release
from .parts import banner, draw_known, draw_speed, fill_page, load_facts, release_profile
from .toc import COUNTRIES, notebooks_in_toc, toc_files


def stage(profile: str = "twin", refresh: bool = False) -> Path:
    """Assemble what Sphinx reads in ``_build/stage``, unless the same is there already.

    Raises
    ------
    ArtifactError
        When an executed notebook or a file of the release that a page needs is missing, when another process is at
        work in the build folder, or when it cannot be written.
    ConfigError
        When a page uses an unknown fact or asks for an unknown generated part.
    """
    with alone_in(paths.BUILD):
        record, given = record_of(paths.STAGE), inputs_of_pages(profile)
        if not refresh and is_made(record, _with_countries(given), paths.STAGE):
            return paths.STAGE
        record.unlink(missing_ok=True)
        try:
            target = _stage(profile, paths.STAGE)
        except OSError as error:        # also what shutil says of several files
            raise artifacts.cannot_write(paths.STAGE, error) or error from error
        now = inputs_of_pages(profile)
        if {**now, "cache": None} == {**given, "cache": None}:      # nothing was edited meanwhile; downloads are pinned
            keep_record(record, _with_countries(now), target)
        return target


def _with_countries(given: dict) -> dict:
    """Country pages are made on the way, so that they are known only then."""
    return {**given, "countries": tree_digest(paths.COUNTRIES)}


def _stage(profile: str, target: Path) -> Path:
    if target.exists():
        shutil.rmtree(target)       # a page of an earlier book that stays would be published
    shutil.copytree(paths.BOOK, target / "book")
    figures = paths.RELEASE / "figures"
    if figures.is_dir():
        shutil.copytree(figures, target / "data" / "release" / "figures")
    shutil.copyfile(paths.ROOT / "_toc.yml", target / "_toc.yml")
    draw_speed(target)
    draw_known(target)
    stage_countries(target)
    if "book/explorer" in toc_files():
        from ..explorer.page import write_explorer

        write_explorer(target / "book" / "_vendor" / "explorer")
    facts = load_facts()
    _stage_config(target, facts)
    for page in sorted((target / "book").rglob("*.md")):
        if "_vendor" not in page.parts:
            page.write_text(fill_page(page, facts, profile), encoding="utf-8")
    (target / "notebooks").mkdir()
    for name in notebooks_in_toc():
        _stage_notebook(name, profile, target)
    return target


def stage_countries(target: Path) -> None:
    """The country pages, and their place in the table of contents: below their chapter, in the order of names."""
    if COUNTRIES not in toc_files():
        return
    from ..countries import build_countries, page_files, read_index

    build_countries()
    folder = target / COUNTRIES
    folder.mkdir()
    for file in page_files():
        shutil.copyfile(file, folder / file.name)
    sections = [{"file": f"{COUNTRIES}/{row['code']}"} for row in read_index()]

    def walk(node):
        if isinstance(node, dict):
            below = {"sections": sections} if node.get("file") == COUNTRIES else {}
            return {k: walk(v) for k, v in node.items()} | below
        return [walk(item) for item in node] if isinstance(node, list) else node

    toc = walk(yaml.safe_load((paths.ROOT / "_toc.yml").read_text(encoding="utf-8")))
    (target / "_toc.yml").write_text(yaml.safe_dump(toc, sort_keys=False), encoding="utf-8")


def _stage_config(target: Path, facts: dict[str, str]) -> None:
    file = paths.ROOT / "_config.yml"
    config = yaml.safe_load(file.read_text(encoding="utf-8"))
    config.setdefault("sphinx", {}).setdefault("config", {})["myst_substitutions"] = facts
    (target / "_config.yml").write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True), encoding="utf-8")


def _stage_notebook(name: str, profile: str, target: Path) -> None:
    source = artifacts.require(paths.EXECUTED / profile / name, f"make notebooks PROFILE={profile}")
    manifest = artifacts.read_manifest(source)
    if manifest is None:
        raise ArtifactError(source, "executed notebook has no manifest", f"run make notebooks PROFILE={profile} first")
    notebook = nbformat.read(source, as_version=4)
    defaults = declared_parameters(paths.NOTEBOOKS / name)
    # papermill records folders of this machine, and repeats the parameters also where they are the defaults.
    notebook.metadata.pop("papermill", None)
    notebook.cells = [c for c in notebook.cells if "injected-parameters" not in c.metadata.get("tags", [])
                      or manifest["parameters"] != defaults]
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
    describe_figures(notebook, paths.NOTEBOOKS / name)
    first = notebook.cells[0]
    head, _, rest = first.source.partition("\n")
    if first.cell_type != "markdown" or not head.startswith("# "):
        raise ConfigError(paths.NOTEBOOKS / name, "the first cell does not begin with a title",
                          "begin it with a line like '# Train one member'", key="cell 0")
    of = release_profile() if is_of_the_release(paths.NOTEBOOKS / name) else manifest["profile"]
    first.source = f"{head}\n\n{banner(of)}\n{rest.lstrip()}"
    nbformat.write(notebook, target / "notebooks" / name)
