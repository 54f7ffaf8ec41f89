"""The page: a folder that a browser opens without a server and without a network."""
import json
import logging
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .. import artifacts, paths
from ..dataset.whole import check_release
from ..errors import ArtifactError
from ..geometry import read_geometry
from .comparisons import gather_others, gather_witnesses
from .estimates import birthplace_part, flow_parts, release_answers, stocks_part, territory_parts
from .events import events_part
from .outlines import outlines
from .packing import Part

ASSETS = Path(__file__).with_name("assets")
# In the order in which the page loads them: each uses those before it.
SCRIPTS = ("names.js", "data.js", "draw.js", "view.js", "numbers.js", "arcs.js", "map.js", "ranking.js", "series.js",
           "people.js", "events.js", "explorer.js")
LARGEST = 9_000_000     # bytes of everything
AT_ONCE = ("territories", "flows")      # the page does nothing without these; the rest is loaded when it is asked for
log = logging.getLogger(__name__)


@dataclass
class Contents:
    """Parts of a page and, by name of a control, why it has none."""

    parts: list[Part]
    missing: dict[str, str] = field(default_factory=dict)
    groups: dict[str, list[str]] = field(default_factory=dict)      # others' estimates: parts by control


def gather(release: Path | None = None, *, panel: Path | None = None, sources: bool = True) -> Contents:
    """Everything that the page can show on this machine.

    Parameters
    ----------
    release : folder of a release; ``data/release`` by default.
    panel : with what witnesses report; that of the release's profile by default.
    sources : take what others say from the source files at hand. A page that is to be handed on is made without.

    Raises
    ------
    ArtifactError, SourceFileError
        When the release is not whole, or a source file is there but altered.
    """
    check_release(release)
    answers = release_answers(release)
    store, codes, years = answers.store, answers.codes, answers.years
    profile = store.manifest.get("profile", "world")
    flows, kept = flow_parts(answers)
    out = Contents([*territory_parts(answers, outlines(read_geometry(), codes)), *flows, stocks_part(answers)])

    def add(control: str, part: Part | None, why: str):
        if part is None:
            out.missing[control] = why
        else:
            out.parts.append(part)

    if not answers.intervals:
        out.missing["intervals"] = "the release at hand holds no intervals of flows"
    add("birthplace", birthplace_part(answers, kept), "the release at hand holds no flows by birthplace")
    add("events", events_part(store.array("flow"), codes, years, store.folder / "shocks.csv")
        if profile == "world" else None, "the estimates have none of the named events")
    asked_not_to = "this page was made without the source files of others"
    if sources:
        add("witnesses", *gather_witnesses(panel or paths.artifacts(profile) / "panel.nc", codes, years))
        found, why = gather_others(codes, years) if profile == "world" else (
            {}, dict.fromkeys(("reference", "abel_cohen"), "nobody else estimates a simulated world"))
        out.missing |= why
        for group, parts in found.items():
            out.parts += parts
            out.groups[group] = [p.name for p in parts]
    else:
        out.missing |= dict.fromkeys(("witnesses", "reference", "abel_cohen"), asked_not_to)
    return out


def fit(contents: Contents, scripts: Mapping[str, bytes], room: int) -> tuple[Contents, dict[str, bytes]]:
    """What fits into a number of bytes: others' last estimates are left out first, and the page says so.

    Raises
    ------
    ArtifactError
        When it is too much even without any other's estimate.
    """
    groups, missing, kept = {g: list(names) for g, names in contents.groups.items()}, {}, dict(scripts)
    while sum(map(len, kept.values())) > room:
        group = next((g for g in ("abel_cohen", "reference") if groups.get(g)), None)
        if group is None:
            raise ArtifactError("explorer", f"its data are larger than {room:,} bytes",
                                "keep fewer digits in explorer/estimates.py")
        name = groups[group].pop()
        log.warning("%s is left out of the page: it would not fit into %s bytes", name, f"{LARGEST:,}")
        del kept[name]
        if not groups[group]:
            missing[group] = f"the page may not be larger than {LARGEST // 10**6} MB, and it did not fit"
    parts = [p for p in contents.parts if p.name in kept]
    return Contents(parts, {**contents.missing, **missing}, groups), kept


def contents_of(contents: Contents, scripts: Mapping[str, bytes]) -> dict:
    """What the page must know of its parts before it loads them."""
    by_name = {p.name: p.about for p in contents.parts}
    witnesses = by_name.get("witnesses", {})
    sources = {w["source"] for w in witnesses.get("witnesses", ())}
    return {"parts": {k: len(v) for k, v in scripts.items()}, "missing": contents.missing, "groups": contents.groups,
            "titles": {k: by_name[k]["title"] for names in contents.groups.values() for k in names},
            "platform": bool(sources & set(witnesses.get("platforms", ()))),
            "events": [e["name"] for e in by_name.get("events", {}).get("events", ())]}


def write_explorer(target: Path, release: Path | None = None, *, panel: Path | None = None, sources: bool = True,
                   home: str = "../index.html") -> Path:
    """Write the page into a folder, which is replaced only when that succeeds.

    Parameters
    ----------
    target : the folder.
    release, panel, sources : as :func:`gather`.
    home : address of the page that the title leads back to, relative to the folder.

    Returns
    -------
    Path of ``index.html``.

    Raises
    ------
    ArtifactError
        When the release is not whole or the page would be larger than ``LARGEST`` bytes.
    """
    target = Path(target)
    contents = gather(release, panel=panel, sources=sources)
    fixed = {name: (ASSETS / name).read_bytes() for name in ("explorer.css", *SCRIPTS)}
    page = (ASSETS / "explorer.html").read_text(encoding="utf-8").replace("HOME", home)
    room = LARGEST - sum(map(len, fixed.values())) - len(page.encode()) - 4096     # and a few lines of contents
    contents, scripts = fit(contents, {p.name: p.script() for p in contents.parts}, room)
    about = contents_of(contents, scripts)
    said = f"HF.data.contents = {json.dumps(about, ensure_ascii=False)};\n"
    tags = "\n".join(f'<script src="{f}"></script>'
                     for f in (*SCRIPTS[:2], "contents.js", *SCRIPTS[2:-1],
                               *(f"{p}.data.js" for p in AT_ONCE), SCRIPTS[-1]))
    files = {**fixed, "contents.js": said.encode(), "index.html": page.replace("<!-- scripts -->", tags).encode(),
             **{f"{k}.data.js": v for k, v in scripts.items()}}
    target.parent.mkdir(parents=True, exist_ok=True)
    artifacts.sweep(target.parent)
    with tempfile.TemporaryDirectory(prefix=artifacts.temporary_prefix(target), dir=target.parent) as parent:
        made = Path(parent) / "made"        # within: a temporary folder is for its owner alone, a page for every reader
        made.mkdir()
        for name, content in files.items():
            (made / name).write_bytes(content)
        shutil.rmtree(target, ignore_errors=True)
        made.rename(target)
    return target / "index.html"
