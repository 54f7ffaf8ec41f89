"""From staged pages to html: every warning is an error, and what fails leaves the earlier book as it was."""
import errno
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from .. import artifacts, paths
from ..alternatives import mend_pages
from ..dataset.whole import check_release
from ..errors import ArtifactError
from ..locks import alone_in
from ..offline import dead_links, external_requests
from .digests import is_made, keep_record, machine, record_of, tree_digest
from .execute import check_given, execute_notebooks, notebooks
from .staging import stage

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def build_book(profile: str = "twin", refresh: bool = False, parameters: dict | None = None) -> Path:
    """Check the release, run what is stale, stage, build: ``make book``. Returns the path of the first page.

    ``parameters`` as those of :func:`humanflows.book.execute_notebooks`.

    Raises
    ------
    ArtifactError
        When the release is not whole (:mod:`humanflows.dataset.whole`), before and after the notebooks have run; and
        as :func:`execute_notebooks` and :func:`build_html`.
    """
    check_given(parameters or {}, notebooks())
    with alone_in(paths.BUILD):
        check_release(paths.RELEASE)
        execute_notebooks(profile, refresh=refresh, parameters=parameters)
        check_release(paths.RELEASE)
        return build_html(profile, refresh=refresh)


def build_html(profile: str = "twin", refresh: bool = False) -> Path:
    """Stage and build the book with every warning an error; replace ``_build/html`` only when that succeeds.

    Nothing is built where the same pages, to the last byte, have been built with the same packages and nothing in
    ``_build/html`` has been touched since; ``refresh`` builds all the same.

    Returns
    -------
    Path of the first page.

    Raises
    ------
    ArtifactError
        With the warnings when the build fails, or with the addresses when a page would load anything from the network.
    """
    with alone_in(paths.BUILD):
        source, record = stage(profile, refresh), record_of(paths.HTML)
        made_of = {**machine(), "pages": tree_digest(source),
                   "code": artifacts.code_digest("alternatives.py", "book", "offline.py")}
        if refresh or not is_made(record, made_of, paths.HTML):
            record.unlink(missing_ok=True)
            try:
                _build(source)
            except OSError as error:
                raise artifacts.cannot_write(paths.HTML, error) or error from error
            keep_record(record, made_of, paths.HTML)
        return paths.HTML / "index.html"


def _build(source: Path) -> None:
    work = paths.BUILD / "book"
    shutil.rmtree(work, ignore_errors=True)
    # The console script may lie outside the PATH, and jupyter_book has no __main__.
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", str(source),
               "--path-output", str(work), "-n", "-W", "--keep-going", "--all", "-q"]
    result = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", errors="replace")
    log = _ANSI.sub("", result.stdout + result.stderr)
    artifacts.write_text(paths.BUILD / "book.log", log)
    if result.returncode:
        if os.strerror(errno.ENOSPC) in log:
            raise artifacts.cannot_write(work, OSError(errno.ENOSPC, ""))
        said = [line for line in log.splitlines() if re.search(r"WARNING|ERROR|[Ee]xception", line)] or [log[-2000:]]
        raise ArtifactError(source, "the book does not build without warnings\n" + "\n".join(said),
                            f"mend the pages named; the whole log is in {paths.BUILD / 'book.log'}")
    html = work / "_build" / "html"
    _mend_citations(html)
    mend_pages(html)
    outside = external_requests(html)
    if outside:
        raise ArtifactError(html, "pages load from the network:\n" + "\n".join(outside),
                            "vendor the file under book/_vendor or switch the feature off in _config.yml")
    dead = dead_links(html)
    if dead:
        raise ArtifactError(html, "links lead nowhere:\n" + "\n".join(dead[:20]), "mend the pages named")
    shutil.rmtree(paths.HTML, ignore_errors=True)
    shutil.move(html, paths.HTML)
    shutil.rmtree(work, ignore_errors=True)


def _mend_citations(html: Path) -> None:
    """Docutils calls citations a list whose parts are no items, which readers of screens announce as an empty one."""
    for file in html.rglob("*.html"):
        text = file.read_text(encoding="utf-8")
        if (wrong := '<div role="list" class="citation-list">') in text:
            file.write_text(text.replace(wrong, '<div class="citation-list">'), encoding="utf-8")
