"""The catalogue: every source the panel is built from, what its numbers mean, and how its files become tables.

Tables are read once and kept as parquet under ``_build/tables``; they are read again only when a registered sha256, the
code of the reader (with every module it imports), the corrections or the list of territories changes.
"""
import ast
import importlib
import multiprocessing
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from functools import cache
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from .. import paths
from ..artifacts import atomic, digest, read_manifest, sha256, write_manifest
from ..errors import InputError, SchemaError
from ..schema import TABLES, validate
from .corrections import apply_corrections, read_corrections
from .fetch import fetch_all
from .registry import about as registered
from .registry import files as registered_files

PACKAGE = Path(__file__).resolve().parents[1]
Files = dict[str, Path]  # registry path → local path


@dataclass(frozen=True)
class Source:
    """One source: what it is, and how it is read."""

    name: str
    title: str
    publisher: str
    prefixes: tuple[str, ...]     # registry groups, folders or paths
    table: str                    # of ``schema.TABLES``
    reader: str                   # module:function, imported only when a file is to be read
    arguments: Callable[[Files], tuple]   # positional arguments of the reader
    licence: str
    definition: str
    unit: str
    vintage: str
    first_year: int | None        # None: does not vary over time
    last_year: int | None
    coverage: str
    citation: str
    censored_below: float | None = None   # smaller numbers are left out by the publisher: absence is a small number
    data_files: tuple[str, ...] = ()      # of data/, that the reader also depends on
    cost: int = 1                 # rough seconds of a cold read, to begin with the longest

    @property
    def files(self) -> tuple[str, ...]:
        """Registry paths of all files."""
        return tuple(sorted({f for p in self.prefixes for f in registered_files(p)}))

    @property
    def years(self) -> str:
        """Years covered, in words."""
        return "constant" if self.first_year is None else f"{self.first_year}–{self.last_year}"

    def as_dict(self) -> dict:
        """What a reader of the book needs to know, without the machinery."""
        machinery = {"arguments", "reader", "cost", "data_files", "prefixes"}
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in machinery} | {"files": self.files}


def _all(files: Files) -> tuple:
    return ([files[k] for k in sorted(files)],)


def _by_name(files: Files) -> tuple:
    return ({Path(k).name: v for k, v in files.items()},)


def _in_order(*names: str) -> Callable[[Files], tuple]:
    return lambda files: tuple(next(v for k, v in files.items() if k.endswith(n)) for n in names)


def _abel_cohen(files: Files) -> tuple:
    return ([v for k, v in sorted(files.items()) if k.endswith(".json")],
            next(v for k, v in files.items() if k.endswith(".csv")))


_UN = "United Nations, Department of Economic and Social Affairs, Population Division"
_INPUTS = "gaskin_abel/inputs/"
_HARMONISED = "Harmonised by Gaskin & Abel (2026), https://github.com/ThGaskin/Migration_flows."

SOURCES: dict[str, Source] = {s.name: s for s in (
    Source("undesa_ims", "International Migrant Stock, 2020 and 2024 revisions", "UN DESA, Population Division",
           ("undesa_ims",), "stock", "undesa_ims:read_undesa_ims", _all, "CC BY 3.0 IGO",
           "People living in a territory on 1 July who were born in another (foreign-born) or, where the office counts "
           "so, who hold another citizenship; both sexes. Imputed where the territory has no data of its own.",
           "persons", "2020 and 2024 revisions", 1990, 2024,
           "All territories of residence; pairs that the offices name. An absent pair is unknown, and the residual "
           "“others” (about 7% of all migrants in 2024) is not spread over birthplaces.",
           f"{_UN} (2024). International Migrant Stock 2024; and (2020). International Migrant Stock 2020. Tidy copy: "
           "IOM Global Data Institute, R package gdidata.", cost=6),
    Source("wpp", "World Population Prospects 2024", "UN DESA, Population Division",
           ("wpp2024", "wdi"), "territory_year", "wpp:read_wpp", _by_name, "CC BY 3.0 IGO; WDI extract CC BY 4.0",
           "Births, deaths, net migration and population change during the calendar year; population on 1 January and "
           "on 1 July; life expectancy at birth. Estimates up to 2023, medium projection after.",
           "persons; life expectancy in years", "2024 revision", 1980, 2025,
           "All 231 territories, every year.",
           f"{_UN} (2024). World Population Prospects 2024, annual tables of the R package wpp2024; mid-year "
           "population from World Development Indicators, R package gdidata.", cost=3),
    Source("unhcr", "Refugee Data Finder", "UNHCR", ("unhcr/population.rda", "unhcr/flows.rda"), "pair_year",
           "unhcr:read_unhcr", _in_order("population.rda", "flows.rda"), "CC BY 4.0",
           "Refugees (and people in a refugee-like situation), asylum seekers and other people in need of "
           "international protection, by territory of origin and of asylum: on 31 December, and new in the year.",
           "persons", "December 2025 (refugees v2025.12.1)", 1989, 2024,
           "World; asylum seekers since 1993, other people in need of protection since 2018. Unknown origins and the "
           "stateless are left out; Palestine refugees under UNRWA's mandate are not in it.",
           "UNHCR (2025). Refugee Data Finder. R package refugees, version 2025.12.1.", cost=9),
    Source("conflict", "Deaths in armed conflict", "Uppsala Conflict Data Program", (f"{_INPUTS}UCDP_data.nc",),
           "territory_year", "conflict:read_conflict", _in_order("UCDP_data.nc"), "CC BY 4.0 (UCDP)",
           "Deaths in organised violence during the year, best estimate, by territory where they happened.",
           "persons", "1990–2023", 1990, 2023, "All 231 territories; no event recorded counts as 0.",
           f"Uppsala Conflict Data Program, Georeferenced Event Dataset. {_HARMONISED}"),
    Source("gdp", "Gross domestic product", "World Bank, UNCTAD, IMF, Maddison Project", (f"{_INPUTS}GDP_data.nc",),
           "territory_year", "gdp:read_gdp", _in_order("GDP_data.nc"), "facts from the named sources (CC BY 4.0)",
           "GDP per head and in total at 2015 prices in US$, and annual growth of GDP.",
           "2015 US$ (per person); percent", "1960–2023", 1985, 2023,
           "Per head and growth complete from 1990; the total is missing for small territories.",
           f"World Bank, UNCTAD, IMF, Maddison Project. {_HARMONISED}"),
    Source("gravity", "Distance, language, religion, colonial ties and borders",
           "CEPII; USITC; Correlates of War", (f"{_INPUTS}dist.nc", f"{_INPUTS}lang.nc", f"{_INPUTS}relig.nc",
                                               f"{_INPUTS}col.nc", "cepii_geodist/dist_cepii.rda"),
           "pair", "gravity:read_gravity", _by_name, "Etalab 2.0 (CEPII); facts from the named sources",
           "Population-weighted harmonic distance; index of common spoken language; religious similarity; whether the "
           "origin was ever a colony of the destination; common land border of today's territories.",
           "km; indices; 0 or 1", "CEPII GeoDist 2011; DICL; COW", None, None,
           "All ordered pairs. Borders of Serbia, Montenegro, South Sudan, Liechtenstein and Monaco, which CEPII "
           "lacks, are set in the reader.",
           "Mayer & Zignago (2011), GeoDist; Gurevich et al. (2021), Domestic and International Common Language "
           f"database; Maoz & Henderson (2013), World Religion Project. {_HARMONISED}", cost=4),
    Source("eu", "Membership of the European Union", "CEPII", (f"{_INPUTS}eu.nc",), "territory_year", "eu:read_eu",
           _in_order("eu.nc"), "facts", "1 in every year in which the state was a member, from the year of accession.",
           "0 or 1", "1990–2023; 2024 carried forward", 1990, 2024, "All 231 territories.",
           f"CEPII, Gravity database. {_HARMONISED}"),
    Source("vdem", "Indices of democracy", "V-Dem Institute, University of Gothenburg", ("extras/vdem_simple.rda",),
           "territory_year", "vdem:read_vdem", _in_order("vdem_simple.rda"), "V-Dem terms, with attribution",
           "Electoral democracy (free and fair elections, suffrage, freedom of association and of expression) and "
           "liberal democracy (that, and personal liberties, courts and parliaments that bind the government), as "
           "experts judge them; central estimates for the year. No index of repression alone is in this extract.",
           "index, 0 to 1", "V-Dem 1789–2024", 1985, 2024,
           "175 territories; most dependencies and many small states are not judged; Palestine is the West Bank. "
           "Successor states take the index of the state that governed them before their own begins.",
           "Coppedge et al. (2025). V-Dem Country-Year Dataset. Varieties of Democracy Project. R package "
           "democracyData.", cost=2),
    Source("visa", "Visa requirements, Passport Index", "Passport Index; Ilya Ilyankou",
           ("extras/passport-index-tidy-iso3.csv",), "pair", "visa:read_visa",
           _in_order("passport-index-tidy-iso3.csv"), "MIT",
           "What a visitor with the passport of the origin needs at the destination, as a rank: 1 visa free without a "
           "stated limit (freedom of movement among them), 0.75 visa free for a number of days or with an electronic "
           "authorisation, 0.5 visa on arrival or online, 0.25 visa required beforehand, 0 no admission.",
           "rank, 0 to 1", "January 2025", None, None,
           "197 territories with a passport of their own. One snapshot of January 2025, used for every year: it knows "
           "of agreements and of conflicts that earlier years could not.",
           "Ilyankou (2025). Passport Index Dataset, https://github.com/ilyankou/passport-index-dataset; after "
           "https://www.passportindex.org."),
    Source("national_net_migration", "Net migration, national statistics", "national statistical offices",
           (f"{_INPUTS}National_statistics.nc",), "territory_year",
           "national_net_migration:read_national_net_migration", _in_order("National_statistics.nc"),
           "facts from the named offices",
           "Immigration less emigration during the year as the office publishes it; who counts as a migrant differs "
           "between offices.", "persons", "1961–2024", 1985, 2024, "30 territories, with gaps.", _HARMONISED),
    Source("trade", "Bilateral trade in goods", "CEPII (BACI); Correlates of War",
           ("trade/DatiProcessati.mat", "trade/trade_cepii.csv", "trade/country_labels.csv", "trade/cow_trade_ddy.rds"),
           "pair_year", "trade:read_trade", _all,
           "Etalab 2.0 (CEPII); free with citation (COW)",
           "Value of goods exported from origin to destination during the year; years without a matrix are bridged or "
           "cast back and flagged so.", "current US$", "BACI 2000–2020 and 2023; COW 4.0", 1990, 2024,
           "About 220 territories.",
           "Gaulier & Zignago (2010), BACI, CEPII; Barbieri, Keshk & Pollins (2009), Correlates of War trade 4.0.",
           data_files=("baci_order.csv",), cost=8),
    Source("undesa_imfsc", "International Migration Flows to and from Selected Countries",
           "UN DESA, Population Division", ("undesa_imfsc_2015",), "flow", "undesa_imfsc:read_undesa_imfsc", _all,
           "(c) United Nations",
           "Immigrants and emigrants during the year as each office counts them, by previous or next residence, by "
           "citizenship, or by place of birth; both sexes.", "persons", "2015 revision", 1980, 2013,
           "45 reporting countries; Canada by citizenship only, the USA immigrants by place of birth only.",
           f"{_UN} (2015). International Migration Flows to and from Selected Countries: The 2015 Revision.", cost=16),
    Source("statsnz", "Permanent and long-term migration, New Zealand", "Stats NZ", ("statsnz",), "flow",
           "statsnz:read_statsnz", _all, "CC BY 4.0",
           "Arrivals and departures of people who declare to stay, or to stay away, for a year or more, by country of "
           "last or next permanent residence.", "persons", "Infoshare ITM331901, 2016-08-16", 1979, 2015,
           "One reporter, New Zealand; whole years only.", "Stats NZ (2016). Infoshare, table ITM331901.", cost=4),
    Source("oecd", "International Migration Database", "OECD", ("oecd_mig",), "flow", "oecd:read_oecd",
           _in_order("Backup.RData"), "OECD terms and conditions",
           "Inflows and outflows of foreign population by citizenship, both sexes. Citizenship is not previous "
           "residence.",
           "persons", "download of 2018-09-16", 2000, 2016, "OECD members as reporters.",
           "OECD (2018). International Migration Database.", cost=18),
    Source("eurostat", "Migration flows between EU member states", "Eurostat", ("eurostat_migmod",), "flow",
           "eurostat:read_eurostat", _in_order("mig_data.rda"), "Eurostat reuse with attribution",
           "Immigration and emigration between member states, both reporters of each corridor, both sexes.",
           "persons", "2010–2019", 2010, 2019, "EU-27; an unreported number is absent.",
           "Eurostat, migr_imm5prv and migr_emi3nxt. R package MigMod."),
    Source("meta", "International migration flows from Facebook users", "Meta; Chi et al.", ("meta",), "flow",
           "meta:read_meta", _all, "CC BY 4.0",
           "People who changed their predicted country of residence for a year or more, weighted to the population.",
           "persons", "2019–2022", 2019, 2022,
           "181 countries; pairs under 50 people are left out, so an absent pair is a small number.",
           "Chi, Abel, Johnston, Giraudy & Bailey (2025). Measuring global migration flows using online data. "
           "PNAS 122.",
           censored_below=50.0),
    Source("abel_cohen", "Bilateral international migration flow estimates, six methods", "Abel & Cohen",
           ("abel_cohen",), "reconstruction", "abel_cohen:read_abel_cohen", _abel_cohen, "CC BY 4.0",
           "Five-year flows estimated from the differences of UN DESA stocks, mid-year to mid-year, by six methods.",
           "persons", "2023-04-28; version 6", 1990, 2015, "About 200 territories.",
           "Abel & Cohen (2019). Bilateral international migration flow estimates for 200 countries. Scientific Data "
           "6, 82; updated 2023.", cost=5),
)}


def about_sources(names: Iterable[str] | None = None) -> dict[str, dict]:
    """What each source is: title, licence, definition, unit, vintage, years, coverage, citation, files."""
    return {name: _source(name).as_dict() for name in names or SOURCES}


def load_source(name: str, *, folder: Path | None = None, corrections: Path | None = None,
                **fetch_options) -> dict[str, pd.DataFrame]:
    """Tables of one source, from their cached copies where nothing they depend on has changed.

    Parameters
    ----------
    name : one of ``SOURCES``.
    folder : where tables are kept; default ``_build/tables``.
    corrections : default ``data/corrections.csv``.
    **fetch_options : ``mirror``, ``cache``, ``registry`` of :func:`humanflows.sources.fetch.fetch`.

    Returns
    -------
    The frame by the name of its table.

    Raises
    ------
    InputError
        For a file that is missing, damaged or holds what it must not; tables kept earlier stay as they were.
    """
    source = _source(name)
    target, inputs = _target(source, folder), _inputs(source, corrections, fetch_options)
    if _is_fresh(target, inputs):
        return {source.table: pd.read_parquet(target)}
    return {source.table: _read_and_keep(source, target, inputs, corrections, fetch_options)}


def load_all(names: Iterable[str] | None = None, *, workers: int = 2, folder: Path | None = None,
             quiet: bool = False, corrections: Path | None = None, **fetch_options) -> dict[str, pd.DataFrame]:
    """Tables of all sources (or of those named), joined by table; prints a line per source.

    Parameters
    ----------
    names : default every source.
    workers : processes for the sources that must be read; cached ones need none.
    quiet : print nothing.
    folder, corrections, **fetch_options : as of :func:`load_source`.

    Returns
    -------
    Frame by name of table; a table that no source named fills is left out.

    Raises
    ------
    InputError
        Of the first source that cannot be read.
    """
    chosen = [_source(name) for name in names or SOURCES]
    targets = {s.name: _target(s, folder) for s in chosen}
    inputs = {s.name: _inputs(s, corrections, fetch_options) for s in chosen}
    stale = sorted((s for s in chosen if not _is_fresh(targets[s.name], inputs[s.name])), key=lambda s: -s.cost)
    fetch_all([f for s in stale for f in s.files], **fetch_options)  # downloads and their bars in this process
    jobs = [(s.name, targets[s.name], inputs[s.name], corrections, fetch_options) for s in stale]
    seconds = dict(zip((s.name for s in stale), _run(jobs, workers), strict=True))
    frames: dict[str, list[pd.DataFrame]] = {}
    for source in chosen:
        start = time.perf_counter()
        frame = pd.read_parquet(targets[source.name])
        frames.setdefault(source.table, []).append(frame)
        if not quiet:
            taken = seconds.get(source.name, time.perf_counter() - start)
            how = "read" if source.name in seconds else "cached"
            print(f"{source.name:<24}{len(frame):>10,} rows {taken:6.1f} s  {how}", flush=True)
    return {table: pd.concat(frames[table], ignore_index=True) for table in TABLES if table in frames}


def _run(jobs: list[tuple], workers: int) -> list[float]:
    """Seconds that each job took, in their order."""
    if len(jobs) < 2 or workers < 2:
        return [_job(*job) for job in jobs]
    # spawn: a forked copy of a process with running threads (arrow, torch) can hang
    with ProcessPoolExecutor(min(workers, len(jobs)), multiprocessing.get_context("spawn")) as pool:
        return [f.result() for f in [pool.submit(_job, *job) for job in jobs]]


def _job(name: str, target: Path, inputs: dict, corrections: Path | None, fetch_options: dict) -> float:
    start = time.perf_counter()
    _read_and_keep(_source(name), target, inputs, corrections, fetch_options)
    return time.perf_counter() - start


def _source(name: str) -> Source:
    if name not in SOURCES:
        raise InputError("sources", f"unknown source {name!r}", f"use one of {', '.join(SOURCES)}", key=name)
    return SOURCES[name]


def _target(source: Source, folder: Path | None) -> Path:
    return Path(folder or paths.BUILD / "tables") / source.name / f"{source.table}.parquet"


def _inputs(source: Source, corrections: Path | None, fetch_options: dict) -> dict:
    """Everything the tables depend on, as digests."""
    registry = fetch_options.get("registry")
    own = read_corrections(corrections)
    data = [paths.TERRITORIES, *(paths.DATA / f for f in source.data_files)]
    return {
        "files": {f: registered(f, registry)["sha256"] for f in source.files},
        "code": _code(source.reader.split(":")[0]),
        "corrections": digest(own[own["source"] == source.name].to_dict("records")),
        "data": {f.name: sha256(f) if f.is_file() else None for f in data},
        "versions": _versions(),
    }


@cache
def _versions() -> dict[str, str]:
    return {package: version(package) for package in ("pandas", "rdata")}


def _code(module: str) -> str:
    """Digest of a reader and of every module of this package that it imports, directly or not."""
    wanted, seen = [PACKAGE / "sources" / f"{module}.py", PACKAGE / "sources" / "corrections.py"], set()
    while wanted:
        file = wanted.pop()
        if file in seen or not file.is_file():
            continue
        seen.add(file)
        wanted += _imports(file, file.stat().st_mtime_ns)
    return digest([(str(f.relative_to(PACKAGE)), f.read_text(encoding="utf-8")) for f in sorted(seen)])


@cache
def _imports(file: Path, changed: int) -> tuple[Path, ...]:
    """Files of the package that a file imports relatively; ``changed`` makes the cache forget an edited file."""
    found = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = file.parents[node.level - 1]
            if node.module:
                found.append(base.joinpath(*node.module.split(".")).with_suffix(".py"))
            else:
                found += [base / f"{alias.name}.py" for alias in node.names]
    return tuple(found)


def _is_fresh(target: Path, inputs: dict) -> bool:
    """True when the kept table was made from these inputs and its bytes are those that were written."""
    try:
        manifest = read_manifest(target)
    except (ValueError, RecursionError):  # a manifest cut short is as good as none
        return False
    return (isinstance(manifest, dict) and target.is_file() and manifest.get("inputs_digest") == digest(inputs)
            and manifest.get("sha256") == sha256(target))


def _read_and_keep(source: Source, target: Path, inputs: dict, corrections, fetch_options: dict) -> pd.DataFrame:
    start = time.perf_counter()
    read = read_source(source, fetch_all(source.files, **fetch_options))
    frame = apply_corrections(read, source.name, corrections, table=source.table)
    if frame is not read:
        frame = validate(frame, source.table, file=corrections or paths.CORRECTIONS)
    with atomic(target) as temporary:
        frame.to_parquet(temporary, index=False, compression="zstd")
    write_manifest(target, made_by="humanflows.sources.catalogue", inputs=inputs,
                   seconds=round(time.perf_counter() - start, 2), source=source.name, rows=len(frame))
    return frame


def read_source(source: Source, files: Files) -> pd.DataFrame:
    """Run a source's reader on local files, without cache or corrections.

    Raises
    ------
    SchemaError
        When the reader names another source than the catalogue does.
    """
    module, function = source.reader.split(":")
    reader = getattr(importlib.import_module(f"{__package__}.{module}"), function)
    frame = reader(*source.arguments(files))
    named = sorted(n for n in frame["source"].unique() if n != source.name and not n.startswith(f"{source.name}_"))
    if named:
        raise SchemaError(source.name, f"reader names the source {named}",
                          f"name it {source.name!r}, or {source.name}_<vintage> where it holds several")
    return frame


def inputs_digest(name: str) -> str:
    """Digest of everything that the tables of a source depend on: files, reader, corrections, versions."""
    return digest(_inputs(_source(name), None, {}))
