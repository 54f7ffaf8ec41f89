"""The section on errors: a sentence where the release has none, figures and words of its tables where it has."""
import pandas as pd
import pytest

from humanflows import book, paths
from humanflows.errors import ArtifactError
from humanflows.results.errors import RESIDUAL_COLUMNS, TABLES
from humanflows.results.shocks import SCORE_COLUMNS

CONTENT = {
    "worst_corridors": pd.DataFrame({"set": ["by residence"], "share": [0.25], "why": ["offices_agree"]}),
    "residuals": pd.DataFrame([["stock", "counted", 3, 2, 1.0, 0.0, -1, 1, 0.5, 0, 1, "immigration"]],
                              columns=[*RESIDUAL_COLUMNS, "side"]),
    "error_components": pd.DataFrame({"collection": ["oecd"], "side": ["both"], "criterion": ["residence"]}),
    "shocks": pd.DataFrame({"shock": ["s"]}),
    "shock_scores": pd.DataFrame([["s", "A war", "oecd, immigration, residence", "reported", 1, 1.0, 1, 3, 1, 2, 3.0,
                                   2.0, -0.4, 0.5]], columns=list(SCORE_COLUMNS)),
}


@pytest.fixture
def released(project):
    for name, table in CONTENT.items():
        table.to_csv(paths.RELEASE / f"{name}.csv", index=False)
        (paths.RELEASE / "figures" / f"{name}.png").write_bytes(b"")
    return paths.RELEASE


def test_a_release_without_the_tables_says_so(project):
    assert "made without an error analysis" in book.errors_part()
    (paths.RELEASE / f"{TABLES[0]}.csv").write_text("corridor\n")
    assert "made without an error analysis" in book.errors_part()            # all or none


def test_figures_words_and_the_table_of_shocks_are_written(released):
    text = book.errors_part()
    for which in ("worst_corridors", "residuals", "error_components", "shocks"):
        assert f"```{{figure}} ../data/release/figures/{which}.png" in text
    assert "25% of the error" in text and "In 1 both offices agree" in text
    assert "| A war | OECD, arrivals | ×3 | ×2 | 50% | 100% |" in text


def test_a_missing_figure_is_named(released):
    (released / "figures" / "shocks.png").unlink()
    with pytest.raises(ArtifactError, match=r"shocks\.png.*release"):
        book.errors_part()
