"""The chapter on intervals: a sentence where the release has none, otherwise tables, words and the figure."""
import matplotlib.pyplot as plt
import pandas as pd
import pytest

from humanflows import book, paths
from humanflows.plotting import plot_interval_coverage, use_style
from humanflows.results.interval_report import LEVELS, SECTIONS, count_chance


def coverage(**changed) -> pd.DataFrame:
    """Two kinds, with a group each; the last is off."""
    rows = [{"quantity": q, "method": "humanflows", "kind": kind, "grouping": grouping, "group": group, "level": level,
             "n": 1234, "clusters": 9, "coverage": level + 0.01, "coverage_jittered": level + off, "width": 2.5,
             "coverage_by_cluster": level, "width_persons": 99.0, "crps": 0.4321, "target": target,
             "hit": 100 * off <= target}
            for q in ("flow", "stock") for kind, target in (("held-out corridors", 2.0), ("held-out offices", 4.0))
            for grouping, group, off in (("all", "all", 0.0), ("size", "1 to 10", 0.03)) for level in LEVELS]
    return pd.DataFrame(rows).assign(**changed)


@pytest.fixture
def released(project):
    coverage().to_csv(paths.RELEASE / "coverage.csv", index=False)
    pd.DataFrame([{"total": "world", "origin": "World", "destination": "World", "year": y, "persons": 3.2e7,
                   "lower": 2.1e7, "lower_80": 2.6e7, "upper_80": 3.6e7, "upper": 4.4e7} for y in range(1990, 2002)]
                 ).to_csv(paths.RELEASE / "sums.csv", index=False)
    coverage(method="classes").to_csv(paths.RELEASE / "interval_variants.csv", index=False)
    (paths.RELEASE / "figures" / "coverage.png").write_bytes(b"")
    return paths.RELEASE


def test_a_release_without_an_ensemble_says_what_makes_one(project):
    assert "make ensemble PROFILE=world" in book.intervals_part("flows")
    assert all("Not in the release" in book.intervals_part(s) for s in SECTIONS if s != "flows")


def test_tables_words_and_figure_are_written(released):
    text = book.intervals_part("flows")
    assert "| held-out corridors | 50.0 | 80.0 | 90.0 | 95.0 | 2.50 | 0.432 | 1,234 |" in text
    assert "held-out corridors: 0 of 4 within 2 points; held-out offices: 4 of 4 within 4 points." in text
    assert "53.0\N{NO-BREAK SPACE}✗" in text and "```{figure} ../data/release/figures/coverage.png" in text
    assert "Stocks" in book.intervals_part("balances") and "Net migration" not in book.intervals_part("balances")
    world = book.intervals_part("world")
    assert "| 1990 | 32.0 | 26.0 to 36.0 | 21.0 to 44.0 |" in world and "| 2001 |" in world and "1991" not in world
    assert "| classes |" in book.intervals_part("variants")


def test_chance_is_no_excuse_where_many_corridors_are_off():
    few, many = coverage(quantity="flow", clusters=9), coverage(quantity="flow", clusters=100_000)
    missed = int((~few["hit"]).sum())
    assert f"Of the {missed} that are not, chance could explain {missed}:" in count_chance(few)
    assert f"Of the {missed} that are not, chance could explain 0:" in count_chance(many)
    edge = coverage(clusters=1600)          # 2 standard errors: 2.5, 2.0, 1.5 and 1.1 points; off by 2.2
    edge = edge.assign(coverage_jittered=edge["level"] + 0.022, hit=False)
    assert f"chance could explain {len(edge) // 4}:" in count_chance(edge)
    assert count_chance(few[few["hit"]]) == ""


def test_birthplaces_have_a_table_where_the_release_has_one(released):
    assert "Not in the release" in book.intervals_part("birthplace")
    pd.DataFrame([{"kind": "born elsewhere", "share_from": s, "n": 5, "members_spread": 0.1 + s, "factor": 3.0,
                   "spread": 0.3 + 3 * s, "twin_n": 1234, "twin_coverage_80": 0.81, "twin_coverage_95": 0.952}
                  for s in (0.0, 0.01)]).to_csv(released / "birthplace_intervals.csv", index=False)
    text = book.intervals_part("birthplace")
    assert "| who moves | smaller | from 1% |" in text
    assert "| born elsewhere | 0.30 | 0.33 | 3.0 | 81.0 | 95.2 | 1,234 |" in text


def test_reports_that_were_read_are_kept_apart_from_those_that_were_withheld(released):
    every = pd.concat([coverage(), coverage(kind="read reports")])
    every.to_csv(released / "coverage.csv", index=False)
    text = book.intervals_part("flows")
    withheld, _, read = text.partition("Reports that were read")
    assert "read reports" not in withheld and "| 1 to 10 |" in read and "| all | 50.0 | 80.0 | 90.0 | 95.0 |" in read


@pytest.mark.parametrize("style", [True, False])
def test_the_figure_shows_every_group_at_its_coverage(style):
    with plt.rc_context():
        if style:
            use_style()
        check_figure()


def check_figure():
    figure = plot_interval_coverage(coverage())
    titles = [ax.get_title(loc="left") or ax.get_title() for ax in figure.axes]     # the style puts them on the left
    assert titles == ["held-out corridors", "held-out offices"]
    first = figure.axes[0]
    assert [t.get_text() for t in first.get_yticklabels()] == ["flows of 1 to 10", "all reports"]
    drawn = {tuple(round(float(x), 6) for x in line.get_xdata()) for line in first.lines if line.get_marker() != "None"}
    assert drawn >= {(50.0, 53.0), (95.0, 98.0)}
    plt.close(figure)
