"""The section on what each part buys: a sentence where the release has no table, otherwise figure, words and tables."""
import pandas as pd
import pytest

from humanflows import book, paths
from humanflows.errors import ArtifactError
from humanflows.results.ablation import COLUMNS, EVERYTHING
from humanflows.sources.catalogue import SOURCES


@pytest.fixture
def released(project):
    rows = [{"run": run, "seed": seed, "collection": where, "side": side, "criterion": criterion,
             "horizon": horizon, "n": 9, "r": r, "log_r": r, "within_r": r, "log_bias": 0.1, "cpc": 0.7}
            for run, seed, r in ((EVERYTHING, 1, 0.90), (EVERYTHING, 2, 0.91), ("no stocks", 1, 0.5))
            for where, side, criterion, horizon in (
                ("undesa_imfsc", "immigration", "residence", "annual"), ("undesa_imfsc", "emigration", "residence",
                                                                         "annual"),
                ("meta", "both", "residence", "annual"), ("meta", "both", "residence", "five_year"),
                ("oecd", "immigration", "citizenship", "annual"), ("wpp", "net migration", "", "annual"))]
    pd.DataFrame(rows).reindex(columns=list(COLUMNS)).to_csv(paths.RELEASE / "ablation.csv", index=False)
    (paths.RELEASE / "figures" / "ablation.png").write_bytes(b"")
    return paths.RELEASE


@pytest.mark.parametrize("content", [None, "run,collection,side,n,r\neverything,meta,both,9,1\n"])
def test_a_release_without_the_table_or_with_an_old_one_says_what_makes_it(project, content):
    if content:
        (paths.RELEASE / "ablation.csv").write_text(content)
    text = book.ablation_part()
    assert "made without such a table" in text and "humanflows ablate" in text and "{figure}" not in text


def test_figure_words_and_tables_are_written(released):
    text = book.ablation_part()
    assert "```{figure} ../data/release/figures/ablation.png" in text
    assert "Lower by more than chance" in text
    assert "| everything | 0.905 ±" in text and "| no stocks | −0.405" in text
    assert f"````{{dropdown}} {SOURCES['meta'].title}, both" in text
    assert "| no stocks | 0.500 | 0.500 | 0.700 | 0.10 | 0.50 |" in text and "| everything | 0.905 | 0.905 |" in text
    assert text.count("dropdown}") == 2        # neither five years nor counts by citizenship have one


def test_a_missing_figure_is_named(released):
    (released / "figures" / "ablation.png").unlink()
    with pytest.raises(ArtifactError, match=r"ablation\.png.*release"):
        book.ablation_part()


def test_runs_of_another_model_than_the_released_one_are_said_to_be(released):
    manifest, about = released / "manifest.json", released / "ablation.json"
    assert "other settings or code" in book.ablation_part()         # nobody knows
    manifest.write_text('{"profile": "world", "inputs": {"code": "b", "loss": {"flow": 1.0}, "seed": 1}}')
    for code, differs in (("a", True), ("b", False)):
        about.write_text(f'{{"code": "{code}", "loss": {{"flow": 1.0}}}}')
        assert ("other settings or code" in book.ablation_part()) == differs
