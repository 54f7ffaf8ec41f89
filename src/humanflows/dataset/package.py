"""A package of the estimates for readers of any tool, made from a release in one go: nothing in it is estimated anew.

```
flows.nc stocks.nc net_migration.nc birthplace.nc     NetCDF 4, one chunk a year; open_estimates reads the folder
parquet/flows/year=2015/part-0.parquet …              Parquet by year; stocks/date_year=2015; net_migration.parquet
csv/flows/DEU.csv  csv/pairs/DEU.csv  csv/net_migration.csv  csv/territories.csv
json/DEU.json                                         one per territory
datapackage.json  schemas/                            Frictionless: what each file is, its columns, its sha256
README.md CHANGELOG.md CITATION.cff LICENSE-DATA manifest.json
```
"""
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from .. import artifacts, paths
from ..errors import ArtifactError, InputError
from ..results.labels import LABEL, attributes_of
from . import descriptor, grades, tables
from .answers import Answers
from .netcdf import label_netcdf, write_netcdf
from .whole import check_release

LICENCE = "CC BY 4.0"


def write_package(target: Path, folder: Path | None = None, *, say: Callable[[str], None] = lambda _: None) -> Path:
    """Fill a folder with the package of a release.

    Parameters
    ----------
    target : folder, which must be empty or not there; it is filled as a whole or not at all.
    folder : the release; ``data/release`` by default.
    say : told what is being written.

    Returns
    -------
    Path of its ``datapackage.json``.

    Raises
    ------
    ArtifactError
        For a release that is damaged or of another format.
    InputError
        When the target holds something, or is a file.
    """
    target = Path(target)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(target, "the folder is not empty" if target.is_dir() else "this is a file",
                         "name a new folder, or remove what is there")
    check_release(folder)
    answers = Answers(folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    artifacts.sweep(target.parent)
    making = Path(tempfile.mkdtemp(prefix=artifacts.temporary_prefix(target), dir=target.parent))
    try:
        _fill(making, answers, say)
        mask = os.umask(0)
        os.umask(mask)
        making.chmod(0o777 & ~mask)     # mkdtemp makes a private folder
        if target.is_dir():
            target.rmdir()
        making.rename(target)
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return target / "datapackage.json"


def _fill(folder: Path, answers: Answers, say: Callable[[str], None]) -> None:
    release = answers.store.folder
    version = descriptor.version_of(release)
    about = {"title": descriptor.title_of(answers), "institution": "humanflows", "product_version": version,
             "source": "factorised recurrent stock-flow network, see the book of humanflows",
             "history": f"written by humanflows package from release {version}", "license": LICENCE,
             "references": "; ".join(descriptor.references()), "comment": "estimates, not counts",
             **attributes_of(answers.store.manifest["profile"])}
    say("NetCDF …")
    write_netcdf(answers, folder, about)
    if "birthplace.nc" in answers.store.manifest["files"]:
        answers.store.array("native_part")      # refuses a file that is not the one listed
        shutil.copyfile(release / "birthplace.nc", folder / "birthplace.nc")
        if answers.store.simulated:     # earlier releases do not say so
            label_netcdf(folder / "birthplace.nc", attributes_of(answers.store.manifest["profile"]))
    say("Parquet …")
    for _ in tables.write_parquet(answers, folder / "parquet"):
        pass
    say(f"CSV and JSON of {len(answers.codes)} territories …")
    flows = tables.flows(answers)
    for _ in tables.write_territories(answers, flows, folder):
        pass
    tables.write_csv(tables.net_migration(answers), folder / "csv" / "net_migration.csv")
    tables.write_csv(tables.territories(answers), folder / "csv" / "territories.csv")
    _write_texts(folder, answers, version)
    say("datapackage.json …")
    descriptor.write_descriptor(folder, answers, flows.column_names, version)
    listed = {str(f.relative_to(folder)): artifacts.sha256(f) for f in sorted(folder.rglob("*")) if f.is_file()}
    made_of = {k: answers.store.manifest.get(k) for k in ("profile", "seed", "inputs")}
    artifacts.write_text(folder / "manifest.json", json.dumps(
        {"format": answers.store.format, "version": version, "licence": LICENCE, "profile": made_of["profile"],
         LABEL: answers.store.data_kind, "made_from": made_of, "files": listed},
        indent=1) + "\n")


def _write_texts(folder: Path, answers: Answers, version: str) -> None:
    release = answers.store.folder
    for source in (release / "CHANGELOG.md", paths.ROOT / "CITATION.cff", paths.ROOT / "LICENSE-DATA"):
        if source.is_file():
            shutil.copyfile(source, folder / source.name)
        elif source.name != "CHANGELOG.md":
            raise ArtifactError(source, "the file is missing", "run this in a checkout of humanflows")
    rule = grades.rule(intervals=answers.intervals, members=answers.store.has("flow_spread"),
                       evidence=answers.store.has("flow_evidence"))
    artifacts.write_text(folder / "README.md", descriptor.readme(version, answers, rule))
