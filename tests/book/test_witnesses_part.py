"""The section on witnesses: a sentence where the release has none, figures, words and a table where it has."""
import numpy as np
import pandas as pd
import pytest

from humanflows import book, paths
from humanflows.errors import ArtifactError
from humanflows.results.witness_table import WITNESS_COLUMNS


def row(side, factor, ratio, other_side):
    return (f"eurostat|DEU|{side}|residence|movement", "eurostat", "DEU", side, "residence", "movement", 99,
            np.log(factor), factor, np.log(ratio), 0.5, np.log(1.5), np.log(other_side), 0.0, 40, 3)


@pytest.fixture
def released(project):
    table = pd.DataFrame([row("immigration", 1.1, 1.2, 2.0), row("emigration", 0.9, 0.8, 0.5)],
                         columns=list(WITNESS_COLUMNS))
    table.to_csv(paths.RELEASE / "witnesses.csv", index=False)
    for which in ("undercount", "other_side"):
        (paths.RELEASE / "figures" / f"{which}.png").write_bytes(b"")
    return paths.RELEASE


def test_a_release_without_the_table_says_so(project):
    assert "made without a table of those who report" in book.witnesses_part()


def test_figures_words_and_the_table_of_offices_are_written(released):
    text = book.witnesses_part()
    for which in ("undercount", "other_side"):
        assert f"```{{figure}} ../data/release/figures/{which}.png" in text
    assert "Of 1 pairs of series" in text and "Germany (×0.80)" in text
    assert "| ×1.20 | ×0.80 | ×1.50 | ×1.10 | ×0.90 | ×0.50 | 40 |" in text


def test_a_table_in_which_nothing_can_be_compared_needs_no_figure(released):
    file = released / "witnesses.csv"
    pd.read_csv(file).iloc[:1].to_csv(file, index=False)
    (released / "figures" / "undercount.png").unlink()
    text = book.witnesses_part()
    assert "figure}" not in text and "dropdown" not in text and "No office reports both" in text


def test_a_missing_figure_is_named(released):
    (released / "figures" / "undercount.png").unlink()
    with pytest.raises(ArtifactError, match=r"undercount\.png.*release"):
        book.witnesses_part()
