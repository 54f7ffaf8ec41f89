"""What describes a package: ``datapackage.json`` after the Data Package standard, table schemas, and its README."""
import json
import re
from pathlib import Path

import yaml

from .. import artifacts, paths
from ..errors import ArtifactError
from ..results.labels import LABEL, SIMULATED, WARNING
from . import grades, pairs, tables
from .answers import Answers
from .evidence import BASIS, BASIS_MEANINGS
from .names import name

TITLE = "humanflows: annual bilateral migration flows, stocks and net migration"
LICENCES = [{"name": "CC-BY-4.0", "title": "Creative Commons Attribution 4.0 International",
             "path": "https://creativecommons.org/licenses/by/4.0/"}]
_MEDIA = {"nc": "application/netcdf", "parquet": "application/vnd.apache.parquet", "csv": "text/csv",
          "json": "application/json"}
_VERSION = re.compile(r"^##\s+\[?v?(\d+(?:\.\d+)+)", re.MULTILINE)
_TYPES = {"year": "year", "origin": "string", "destination": "string", "territory": "string", "other": "string",
          "iso3": "string", "name": "string", "region": "string", LABEL: "string", "basis": "string",
          "sources": "string", "grade": "string"}
_MEANS = {
    "year": "calendar year", "origin": "territory that people leave, ISO 3166-1 alpha-3",
    "destination": "territory that people move to, ISO 3166-1 alpha-3", "territory": "ISO 3166-1 alpha-3",
    "flow": "persons who move their usual residence for twelve months or more during the year, estimated",
    "lower": "lower end of the 95% interval, persons", "upper": "upper end of the 95% interval, persons",
    "basis": "what the estimate stands on: " + "; ".join(f"{k}: {v}" for k, v in BASIS_MEANINGS.items()),
    "sources": "sources that report this corridor in this year, learned from or not, parted by semicolons; may be none",
    "grade": "A to E, by the rule in README.md", "inflow": "persons who move in", "outflow": "persons who move out",
    "net_migration": "inflow minus outflow", "total": "inflow and outflow together",
    "other": "territory that the moves come from and go to, ISO 3166-1 alpha-3",
    **{f"{k}_{end}": f"{end} end of its interval: {v}" for k, v in pairs.ASSUMPTION.items()
       for end in ("lower", "upper")},
    "iso3": "ISO 3166-1 alpha-3", "name": "English short name",
    "region": "region of the world", LABEL: "what kind of data these are: of a simulated world, or of the real one",
}


def title_of(answers: Answers) -> str:
    """Title of a package; of a simulated world it begins with that."""
    return f"Simulated world of {TITLE}" if answers.store.simulated else TITLE


def version_of(release: Path) -> str:
    """Version of the data: the newest of the release's changelog, or that of CITATION.cff where it has none."""
    changelog = release / "CHANGELOG.md"
    if changelog.is_file():
        found = _VERSION.search(changelog.read_text(encoding="utf-8"))
        if not found:
            raise ArtifactError(changelog, "no version in it", "head the newest entry like: ## 1.0.0 (2026-11-22)")
        return found[1]
    return str(citation()["version"])


def citation() -> dict:
    """CITATION.cff as a dict."""
    return yaml.safe_load((paths.ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def references() -> list[str]:
    """The works that CITATION.cff asks to cite beside the data, one line each."""
    return [f"{_authors(r)} ({r.get('year', 'n.d.')}): {r['title']}." + (f" {r['journal']}." if "journal" in r else "")
            for r in citation().get("references", [])]


def _authors(entry: dict) -> str:
    return ", ".join(a["name"] if "name" in a else f"{a.get('family-names', '')}, {a.get('given-names', '')}"
                     for a in entry.get("authors", [])).strip(", ")


def how_to_cite(version: str) -> str:
    """One line."""
    about = citation()
    return f"{_authors(about)} ({str(about['date-released'])[:4]}): {about['title']}. Data version {version}."


def sources_of(answers: Answers) -> list[dict]:
    """The sources that speak about corridors: name, title, licence and how they ask to be cited."""
    from ..sources.catalogue import SOURCES, about_sources

    names = answers.evidence.sources if answers.evidence else ()
    return [{"name": n, **{k: about_sources([n])[n][k] for k in ("title", "licence", "citation")}} if n in SOURCES
            else {"name": n, "title": n, "licence": "", "citation": ""} for n in names]


def schema_of(columns: list[str], codes: tuple[str, ...], *, key: list[str]) -> dict:
    """Table schema of columns that this project writes; every cell that must be there is required."""
    fields = []
    for column in columns:
        kind = _TYPES.get(column, "number")
        limits: dict = {"required": column not in ("sources", "region") and not column.endswith("upper")}
        if column in ("origin", "destination", "territory", "other", "iso3"):
            limits["enum"] = list(codes)
        elif column == "grade":
            limits["enum"] = list(grades.GRADES)
        elif column == "basis":
            limits["enum"] = list(BASIS)
        elif column == LABEL:
            limits["enum"] = [SIMULATED]
        elif column in ("flow", "inflow", "outflow", "total"):
            limits["minimum"] = 0
        fields.append({"name": column, "type": kind, "description": _MEANS.get(column, column), "constraints": limits})
    return {"fields": fields, "primaryKey": key, "missingValues": [""]}


def write_descriptor(folder: Path, answers: Answers, columns: list[str], version: str) -> Path:
    """Write ``datapackage.json`` and the schemas that its tables share.

    Parameters
    ----------
    columns : of the flows' tables.
    """
    net = (folder / "csv" / "net_migration.csv").read_text(encoding="utf-8").split("\n", 1)[0].replace('"', "")
    schemas = {"flows": schema_of(columns, answers.codes, key=["year", "origin", "destination"]),
               "net_migration": schema_of(net.split(","), answers.codes, key=["year", "territory"]),
               "pairs": schema_of(tables.pairs(answers, answers.codes[0]).column_names, answers.codes,
                                  key=["year", "territory", "other"]),
               "territories": schema_of(["iso3", "name", "region", *([LABEL] if answers.store.simulated else [])],
                                        answers.codes, key=["iso3"])}
    for which, schema in schemas.items():
        artifacts.write_text(folder / "schemas" / f"{which}.json", json.dumps(schema, indent=1) + "\n")
    resources = [_resource(folder, f) for f in sorted(folder.rglob("*"))
                 if f.suffix[1:] in _MEDIA and f.parent != folder / "schemas"]
    about = {
        "name": f"humanflows-{SIMULATED if answers.store.simulated else 'estimates'}", "title": title_of(answers),
        LABEL: answers.store.data_kind, "version": version, "licenses": LICENCES,
        "description": f"{WARNING + ' ' if answers.store.simulated else ''}Estimates of persons moving between "
                       f"{len(answers.codes)} territories, {answers.years[0]} to {answers.years[-1]}. "
                       f"{how_to_cite(version)}",
        "keywords": ["migration", "migration flows", "migrant stocks", "demography"],
        "contributors": [{"title": _authors(citation()), "role": "author"}],
        "sources": [{"title": f"{s['title']} ({s['licence']})"} for s in sources_of(answers)],
        "resources": resources}
    return artifacts.write_text(folder / "datapackage.json", json.dumps(about, indent=1, ensure_ascii=False) + "\n")


def _resource(folder: Path, file: Path) -> dict:
    path = file.relative_to(folder)
    kind = file.suffix[1:]
    out = {"name": re.sub(r"[^a-z0-9]+", "-", str(path.with_suffix("")).lower()) + f"-{kind}", "path": path.as_posix(),
           "format": kind, "mediatype": _MEDIA[kind], "bytes": file.stat().st_size,
           "hash": f"sha256:{artifacts.sha256(file)}"}
    if kind == "csv":
        which = path.parts[1] if len(path.parts) > 2 else file.stem
        titles = {"flows": f"Flows into and out of {name(file.stem)}",
                  "pairs": f"Net migration of {name(file.stem)} with each other territory"}
        title = titles.get(which, file.stem.replace("_", " "))
        return {**out, "title": title, "type": "table", "encoding": "utf-8", "schema": f"schemas/{which}.json"}
    return {**out, "type": "json" if kind == "json" else "file"}


def readme(version: str, answers: Answers, rule: str) -> str:
    """The README of a package, Markdown."""
    sources = "\n".join(f"| `{s['name']}` | {s['title']} | {s['licence']} | {' '.join(s['citation'].split())} |"
                        for s in sources_of(answers))
    columns = "\n".join(f"- `{k}`: {_MEANS[k]}" for k in ("flow", "lower", "upper", "basis", "sources", "grade"))
    first = answers.codes[0]
    ends = f". Intervals of net migration: {pairs.ASSUMPTION['net_migration']}; of the total: " \
           f"{pairs.ASSUMPTION['total']}" if answers.intervals else ""
    warning = f"**{WARNING}**\n\n" if answers.store.simulated else ""
    return f"""# {title_of(answers)}

{warning}Version {version}. Estimates of persons who moved between {len(answers.codes)} territories in each year from \
{answers.years[0]} to {answers.years[-1]}, people by birthplace and residence on each 1 January, and net migration.
They are estimates, not counts.

## Files

- `flows.nc`, `stocks.nc`, `net_migration.nc`: NetCDF 4, one chunk a year, flags with their meanings. `birthplace.nc`,
  where there is one: flows by birthplace as factors, whose formula stands in its `comment`.
- `parquet/flows`, `parquet/stocks`: a file per year, in folders `year=2015` and `date_year=2015`.
- `csv/flows/{first}.csv` and `json/{first}.json`, and so on: all flows into and out of one territory. As in Parquet, a
  row is a corridor-year in which at least half a person is estimated to move, or a source speaks; in all others the
  estimate is below half a person.
- `csv/pairs/{first}.csv`, and so on: net migration of one territory with each other one, and both directions together,
  of pairs and years with at least {tables.SMALLEST_OF_PAIRS} people in one direction{ends}.
- `datapackage.json`: every file with its sha256 and columns (`frictionless validate datapackage.json`).

## Columns

{columns}

## Reading it

```python
from humanflows.dataset import open_estimates
open_estimates("FOLDER").top("inflow", "{first}", {answers.years[-1]})
```

```sql
-- DuckDB, in this folder
SELECT origin, destination, flow FROM read_parquet('parquet/flows/*/*.parquet', hive_partitioning = true)
WHERE year = {answers.years[-1]} ORDER BY flow DESC LIMIT 10;
```

## Grades

{rule}

## Agreement

Numbers are rounded to four digits and flows below half a person are zero. Net migration is computed from the flows as
they are rounded: it is their inflow minus outflow, and sums to zero over the world in each year.

## Licence and citation

CC BY 4.0, see `LICENSE-DATA`. Cite as: {how_to_cite(version)} Cite also: {' '.join(references())}

Which sources spoke is said here; what they said is theirs and is not part of this package.

| name | source | its licence | citation |
|---|---|---|---|
{sources}
"""
