"""The catalogue: what it says of each source, and that nothing unchanged is read again."""
import hashlib
import time

import pandas as pd
import pytest

from humanflows import paths
from humanflows.errors import InputError, SourceFileError, UnknownTerritoryError
from humanflows.schema import TABLES
from humanflows.sources import catalogue
from humanflows.sources.catalogue import SOURCES, about_sources, load_all, load_source
from humanflows.sources.registry import registry

SMALL = ("conflict", "eu", "national_net_migration", "gdp")


@pytest.fixture
def reads(monkeypatch):
    """Names of the sources that are really read, in order."""
    names = []

    def counted(source, files, omitted, plain=catalogue.read_source):
        names.append(source.name)
        return plain(source, files, omitted)

    monkeypatch.setattr(catalogue, "read_source", counted)
    return names


@pytest.fixture
def small(source_file):
    """Skip where the files of the small sources are not at hand."""
    for name in SMALL:
        for file in SOURCES[name].files:
            source_file(file)
    return SMALL


def test_every_source_says_what_it_is():
    for name, entry in about_sources().items():
        assert entry["tables"] and set(entry["tables"]) <= set(TABLES) and (entry["files"] or SOURCES[name].data_files)
        for word in ("title", "publisher", "licence", "definition", "unit", "vintage", "coverage", "citation"):
            assert entry[word].strip(), (name, word)
    assert SOURCES["meta"].censored_below == 50 and SOURCES["wpp"].censored_below is None
    with pytest.raises(InputError, match=r"unknown source 'wppp'.*wpp"):
        about_sources(["wppp"])


def test_a_vintage_is_not_another_source():
    """One source's name may begin with another's: it is no vintage of it."""
    assert "statsnz" in SOURCES and "statsnz_citizenship" in SOURCES
    for named, fits in (("statsnz", True), ("statsnz_2016", True), ("statsnz_citizenship", False), ("stats", False)):
        assert catalogue._is_of(named, "statsnz") == fits, named


def test_no_source_reads_the_published_estimates_of_others():
    for source in SOURCES.values():
        assert not any("published" in f for f in source.files), source.name
    assert registry()["path"].str.startswith("gaskin_abel/published/").any(), "registered, for comparison"


def test_a_second_load_reads_nothing_and_gives_the_same(small, reads, tmp_path, capsys):
    first = load_all(small, workers=1, folder=tmp_path)
    assert sorted(reads) == sorted(small)
    said = capsys.readouterr().out.splitlines()
    assert len(said) == len(small) and all(" read " in line for line in said)
    reads.clear()
    second = load_all(small, workers=1, folder=tmp_path)
    assert reads == [] and all(" cached " in line for line in capsys.readouterr().out.splitlines())
    assert list(first) == list(second) == ["territory_year"]
    pd.testing.assert_frame_equal(first["territory_year"], second["territory_year"])
    pd.testing.assert_frame_equal(load_source("eu", folder=tmp_path)["territory_year"],
                                  second["territory_year"].query("source == 'eu'").reset_index(drop=True))


def test_two_processes_give_what_one_gives(small, tmp_path):
    one = load_all(small, workers=1, folder=tmp_path / "one", quiet=True)
    two = load_all(small, workers=2, folder=tmp_path / "two", quiet=True)
    pd.testing.assert_frame_equal(one["territory_year"], two["territory_year"])


def test_changed_code_corrections_or_a_damaged_table_are_noticed(small, reads, tmp_path, monkeypatch):
    load_source("eu", folder=tmp_path)
    table = tmp_path / "eu" / "territory_year.parquet"
    table.write_bytes(table.read_bytes()[:100])
    load_source("eu", folder=tmp_path)
    assert reads == ["eu", "eu"], "a truncated table is made again"
    (tmp_path / "corrections.csv").write_text(
        "source,table,key,old,new,reason,reference\n"
        "eu,territory_year,variable=eu_member;territory=NOR;year=1995,0,1,only a test of corrections,none\n")
    changed = load_source("eu", folder=tmp_path, corrections=tmp_path / "corrections.csv")["territory_year"]
    row = changed.set_index(["territory", "year"]).loc[("NOR", 1995)]
    assert len(reads) == 3 and row["value"] == 1 and row["status"] == "imputed"
    load_source("eu", folder=tmp_path)
    monkeypatch.setattr(catalogue, "_code", lambda module: "another digest")
    load_source("eu", folder=tmp_path)
    assert len(reads) == 5


def test_digest_of_code_follows_imports(tmp_path):
    files = {f.name for f in catalogue._imports(catalogue.PACKAGE / "sources" / "eu.py", 0)}
    assert files >= {"netcdf_io.py", "errors.py"}
    assert catalogue._code("eu") != catalogue._code("gdp")


def test_a_bad_source_leaves_earlier_tables_as_they_were(small, tmp_path, source_file):
    folder, mirror = tmp_path / "tables", tmp_path / "mirror"
    load_source("conflict", folder=folder, cache=tmp_path / "cache")
    before = {f.name: f.read_bytes() for f in (folder / "conflict").iterdir()}
    path = SOURCES["conflict"].files[0]
    (mirror / path).parent.mkdir(parents=True)
    good = source_file(path).read_bytes()
    (tmp_path / "corrections.csv").write_text(  # makes the kept table stale, so that the file is looked at
        "source,table,key,old,new,reason,reference\n"
        "conflict,territory_year,variable=conflict_deaths;territory=NOR;year=1995,0,1,only a test,none\n")
    for damaged in (good[:1000], bytes([good[0] ^ 1]) + good[1:]):
        (mirror / path).write_bytes(damaged)
        with pytest.raises(SourceFileError, match=r"UCDP_data\.nc.*expected sha256.*Remedy"):
            load_source("conflict", folder=folder, mirror=mirror, cache=tmp_path / "cache",
                        corrections=tmp_path / "corrections.csv")
    assert {f.name: f.read_bytes() for f in (folder / "conflict").iterdir()} == before


def test_an_error_in_a_worker_reaches_the_caller_whole(small, tmp_path, source_file):
    """A registered file whose content is bad: the digest fits, a code does not."""
    path, other = SOURCES["conflict"].files[0], SOURCES["eu"].files[0]
    content = source_file(path).read_bytes().replace(b"AFG", b"AFX")
    own = registry().drop(columns="group")
    own.loc[own["path"] == path, ["sha256", "bytes"]] = [hashlib.sha256(content).hexdigest(), len(content)]
    own.to_csv(tmp_path / "registry.csv", index=False)
    for name, data in ((path, content), (other, source_file(other).read_bytes())):
        (tmp_path / "mirror" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mirror" / name).write_bytes(data)
    with pytest.raises(UnknownTerritoryError, match=r"'AFX'.*Remedy: did you mean") as caught:
        load_all(["conflict", "eu"], folder=tmp_path / "tables", mirror=tmp_path / "mirror", cache=tmp_path / "cache",
                 registry=tmp_path / "registry.csv", quiet=True)
    assert caught.value.file.endswith("UCDP_data.nc") and caught.value.key
    assert not (tmp_path / "tables" / "conflict").exists()


@pytest.mark.sources
@pytest.mark.slow
def test_all_sources_hold_the_years_they_claim_and_load_fast_once_read(source_file, reads):
    for source in SOURCES.values():
        for file in source.files:
            source_file(file)
    load_all(quiet=True)  # into the project's own tables, as a run does
    reads.clear()
    start = time.process_time()  # of this process: the clock on the wall would measure the machine's other work
    tables = load_all(quiet=True, workers=1)
    seconds = time.process_time() - start
    assert reads == [] and set(tables) == set(TABLES)
    for source in SOURCES.values():
        years = []
        for table in source.tables:
            frame = tables[table]
            names = frame["source"]
            frame = frame[names.map({n: catalogue._is_of(n, source.name) for n in names.unique()})]
            assert len(frame), (source.name, table)
            years += [frame[c] for c in frame.columns.intersection(["year", "first_year", "last_year"])]
        if source.first_year is not None:
            years = pd.concat(years)
            assert (years.min(), years.max()) == (source.first_year, source.last_year), source.name
    assert seconds < 3, "about one second of computing"


@pytest.mark.sources
def test_known_errors_of_the_stocks_are_corrected(source_file, tmp_path):
    for file in SOURCES["undesa_ims"].files:
        source_file(file)
    stock = load_source("undesa_ims", folder=tmp_path)["stock"]
    value = stock.set_index(["revision", "year", "birthplace", "residence"])
    assert value.loc[(2024, 1995, "DEU", "USA"), "persons"] == 1_417_586
    assert value.loc[(2024, 1995, "DEU", "USA"), "status"] == "imputed"
    assert paths.CORRECTIONS.is_file()
