"""The chapter on data sources: what is left out, repeated or broken is shown, and agrees with the sources."""
import pandas as pd
import pytest

from humanflows import book, paths, source_pages
from humanflows.errors import ArtifactError
from humanflows.panel.inventory import count_reports
from humanflows.panel.publications import repeated_reports, summarise_repeated
from humanflows.plotting.charts import SOURCE_TITLES
from humanflows.results.protocol_report import Fold, Table
from humanflows.sources.catalogue import SOURCES, load_all, omissions


def tables_of(which):
    return [t for b in source_pages.section(which) for t in (b.tables if isinstance(b, Fold) else [b])
            if isinstance(t, Table)]


def test_every_section_is_registered_and_shown_by_the_page():
    page = (paths.BOOK / "data_sources.md").read_text(encoding="utf-8")
    parts = book.generated_parts("twin")
    for name in source_pages.SECTIONS:
        assert f"<!-- generated: panel_{name} -->" in page
        assert parts[f"panel_{name}"]().strip()


def test_what_a_source_leaves_out_stands_with_it():
    omitted = source_pages.read_panel_table("omitted")
    page = book.generated_parts("twin")["sources"]()
    assert set(omitted["source"]) <= set(SOURCES)
    for name in SOURCES:
        table = source_pages.left_out(name)
        assert (table is None) == (name not in set(omitted["source"]))
        for row in table.rows if table else ():
            assert row["reason"] in page


def test_every_source_of_numbers_of_people_says_who_counts_whom_and_what_it_is_good_for():
    for name, source in SOURCES.items():
        if {"flow", "margin", "period_flow"} & set(source.tables) or name in ("unhcr_more", "iom_gdidata", "us_niv"):
            assert all((source.duration, source.side, source.use, source.checked)), name


def test_every_source_of_the_tables_has_a_short_title():
    assert set(SOURCES) - set(SOURCE_TITLES) <= {"vdem", "visa"}, "of covariates, which stand in no table of reports"


def test_sections_show_every_row_of_their_tables():
    assert sum(len(t.rows) for t in tables_of("repeated")) == len(source_pages.read_panel_table("repeated"))
    (reports,) = tables_of("reports")
    assert len(reports.rows) == len(source_pages.read_panel_table("reports"))
    (platform,) = tables_of("platform")
    assert len(platform.rows) == len(source_pages.read_panel_table("platform_counts"))
    breaks = source_pages.read_panel_table("breaks")
    assert sum(len(t.rows) for t in tables_of("breaks")) == sum(
        min(source_pages.SHOWN, n) for n in breaks.groupby("table").size())


def test_a_table_that_was_not_made_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "PANEL", tmp_path)
    with pytest.raises(ArtifactError, match=r"reports\.csv.*describe_panel"):
        source_pages.section("reports")


@pytest.mark.sources
@pytest.mark.slow
def test_the_committed_tables_are_those_of_the_sources():
    folders = [f for f in (paths.mirror(), paths.CACHE) if f is not None]
    if not all(any((folder / f).is_file() for folder in folders) for s in SOURCES.values() for f in s.files):
        pytest.skip("not every source is on this machine (neither mirrored nor downloaded)")
    flow = load_all(quiet=True)["flow"]
    years = source_pages.read_panel_table("reports")
    flow = flow[flow["year"].between(years["first_year"].min(), years["last_year"].max())].reset_index(drop=True)
    same = repeated_reports(flow)
    for which, made in (("reports", count_reports(flow, same)), ("repeated", summarise_repeated(flow, same)),
                        ("omitted", omissions())):
        kept = source_pages.read_panel_table(which)
        pd.testing.assert_frame_equal(made.reset_index(drop=True), kept, check_dtype=False, rtol=1e-8)
