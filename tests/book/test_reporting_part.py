"""The chapter on reporting systems: its parts are made from the tables."""
import pandas as pd
import pytest

from humanflows import book, paths, reporting_pages
from humanflows.errors import ArtifactError
from humanflows.panel.reporting_systems import CLASSES, read_systems
from humanflows.results.protocol_report import Fold


def test_every_part_is_registered_and_shown_by_the_page():
    page = (paths.BOOK / "reporting_systems.md").read_text(encoding="utf-8")
    parts = book.generated_parts("twin")
    for section in reporting_pages.SECTIONS:
        assert f"<!-- generated: reporting_{section} -->" in page
        assert parts[f"reporting_{section}"]().strip()


def test_every_definition_and_every_class_is_shown():
    folds = reporting_pages.section("systems")
    assert all(isinstance(f, Fold) for f in folds)
    assert sum(len(t.rows) for f in folds for t in f.tables) == len(read_systems())
    (table,) = reporting_pages.section("classes")
    assert len(table.rows) == len(CLASSES)


def test_few_cells_are_not_shown_and_the_words_follow_the_table(tmp_path, monkeypatch):
    kept = pd.read_csv(paths.DOUBLE_REPORTS, keep_default_na=False)
    few = kept.assign(cells=[reporting_pages.ENOUGH - 1, *[1000] * (len(kept) - 1)])
    monkeypatch.setattr(paths, "DOUBLE_REPORTS", tmp_path / "double_reports.csv")
    few.to_csv(paths.DOUBLE_REPORTS, index=False)
    text, table = reporting_pages.section("double")
    assert len(table.rows) == len(kept) - 1 and f"over {len(kept) - 1} reporters" in text
    assert f"{few['cells'].sum():,} " in text


def test_a_comparison_that_was_not_made_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "TWO_DEFINITIONS", tmp_path / "two_definitions.csv")
    with pytest.raises(ArtifactError, match=r"two_definitions\.csv"):
        reporting_pages.section("definitions")
