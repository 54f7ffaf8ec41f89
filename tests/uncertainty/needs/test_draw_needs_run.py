"""All tables of a small panel with made-up draws: written once, kept while fresh, refused for another panel."""
import numpy as np
import pandas as pd
import pytest
from needs_draws import make_draws

from humanflows import artifacts
from humanflows.errors import SchemaError
from humanflows.panel.designs import reporter_groups
from humanflows.panel.splits import corridor_folds
from humanflows.panel.withhold import reporters_of, withheld_observations
from humanflows.results import needs_report
from humanflows.results.needs_terms import COUNTRY_COLUMNS, ELSEWHERE, ITSELF, LADDER, TWIN
from humanflows.uncertainty.needs import check, rank, run, sequence
from humanflows.uncertainty.needs.candidates import by_residence, reported
from humanflows.uncertainty.needs.run import Unread


@pytest.fixture(scope="module")
def given(small_panel, small_world):
    """Draws that err by 0.2 where they read and by 1 where they did not, around the truth."""
    panel, n = small_panel, small_panel.sizes["origin"]
    truth = small_world.truth.flow.transpose("year", "origin", "destination").values.astype(np.float64)
    rng, centre = np.random.default_rng(2), np.log(np.maximum(truth.mean(0), 1.0))
    keys = dict(centre=centre, codes=panel["origin"].values.astype(str), years=panel["year"].values)
    groups, folds = reporter_groups(reporters_of(panel), 0)[:2], corridor_folds(n, 2, 0)
    place = {c: k for k, c in enumerate(keys["codes"])}
    unread = []
    for k, group in enumerate(groups):
        own = [place[c] for c in group if c in place]
        away = folds == k + 1
        spread = np.full((n, n), 0.2)
        spread[:, own], spread[own], spread[away] = 1.0, 1.0, 1.0
        o, d = (panel[f"flow_{x}"].values.astype(int) for x in ("origin", "destination"))
        hidden = withheld_observations(panel, reporters=group) | away[o, d]
        unread.append(run.Unread(make_draws(rng, corridor=spread, draws=13, networks=1, **keys), hidden, group, away))
    blind = panel["year"].values[-2]
    unread.append(run.Unread(make_draws(rng, corridor=0.6, draws=10, networks=2, **keys),
                             panel["year"].values[panel["flow_year"].values.astype(int)] >= blind, blind_from=blind))
    return run.Given(panel, ["Europe"] * n, make_draws(rng, corridor=0.2, draws=48, networks=6, **keys).chunk(draw=1),
                     unread, truth)


@pytest.fixture(scope="module")
def tables(given):
    return run.make_tables(given, number=2, offices=2)


def test_every_table_is_made(tables, given):
    assert set(tables) == set(run.FILES)
    n = given.panel.sizes["origin"]
    assert list(tables["needs_countries.csv"].columns) == [*COUNTRY_COLUMNS, "first_year", "last_year"]
    assert len(tables["needs_countries.csv"]) == 2 * n
    assert list(tables["needs_offices.csv"].columns) == list(rank.OFFICE_COLUMNS)
    assert list(tables["needs_sequence.csv"].columns) == list(sequence.SEQUENCE_COLUMNS)
    found = tables["needs_ladder.csv"].set_index("rung")["error"]
    assert set(found.index) <= set(LADDER) and set(LADDER) == set(found.index)
    made = tables["needs_check.csv"]
    assert {check.DRAWS, ITSELF, TWIN} <= set(made["check"]) <= {check.DRAWS, ITSELF, TWIN, ELSEWHERE}
    assert (made.loc[made["check"] == check.DRAWS, "realised"] > 0.4).all()
    assert set(tables["needs_agreement.csv"]["check"]) == set(made["check"])


def test_pages_can_be_made_of_them(tables):
    """What the book reads of today's tables stands in these."""
    by_name = {k.removesuffix(".csv"): v for k, v in tables.items()}
    blocks = [b for name in needs_report.SECTIONS for b in needs_report.section(name, by_name)]
    assert len(blocks) > 5


def test_means_of_reports_are_those_of_the_panel(small_panel):
    """Of a report that two collections have, their mean; over the years in which there is one."""
    own = np.flatnonzero(by_residence(small_panel) & (small_panel["flow_persons"].values > 10))
    first = int(own[0])
    s, t, o, d = (int(np.isin(str(small_panel["witness"].values[int(small_panel["flow_witness"][first])]).split("|")[2],
                              "emigration")),
                  *(int(small_panel[f"flow_{x}"][first]) for x in ("year", "origin", "destination")))
    twice = small_panel.isel(observation=[first, first])
    twice = twice.assign(flow_persons=("observation", np.array([10.0, 30.0])))
    found = run.mean_reports(twice, reported(twice), np.array([t, (t + 1) % small_panel.sizes["year"]]))
    assert found[s, o, d] == 20 and np.isfinite(found).sum() == 1
    every = run.mean_reports(small_panel, reported(small_panel), np.arange(small_panel.sizes["year"]))
    assert np.isfinite(every).sum() > 20 and every[s, o, d] > 0


def test_corridors_between_two_offices_that_were_not_read_stand_aside(given, monkeypatch):
    asked = []
    monkeypatch.setattr(run, "check_offices", lambda *a, aside, **_: asked.append((a[3], aside)) or pd.DataFrame())
    wide = [Unread(u.draws, u.hidden, tuple(u.reporters), u.held_out) for u in given.unread if u.reporters]
    pair = Unread(wide[0].draws, wide[0].hidden, (*wide[0].reporters, *wide[1].reporters), None)
    run.make_tables(run.Given(given.panel, given.regions, given.whole, [pair]), number=2, offices=1)
    (offices, aside), = asked
    assert len(offices) > 1 and aside[np.ix_(offices, offices)].all()
    assert aside.sum() == len(offices) ** 2


def test_runs_are_kept_while_fresh(tables, given, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "make_tables", lambda *_, **__: tables)
    made = run.run_needs(tmp_path, lambda: given, {"draws": "a"}, profile="twin")
    assert list(made) == list(run.FILES)
    assert artifacts.read_manifest(made["needs_check.csv"])["made_by"] == run.MADE_BY
    pd.testing.assert_frame_equal(pd.read_csv(made["needs_ladder.csv"]), tables["needs_ladder.csv"], rtol=1e-4)
    assert run.run_needs(tmp_path, None, {"draws": "a"}, profile="twin") == made       # None would fail if called
    with pytest.raises(TypeError):
        run.run_needs(tmp_path, None, {"draws": "b"}, profile="twin")


def test_without_draws_that_did_not_read_there_is_no_check(given):
    made = run.make_tables(run.Given(given.panel, given.regions, given.whole), number=2, offices=1)
    assert made["needs_check.csv"].empty and made["needs_ladder.csv"].empty and made["needs_agreement.csv"].empty
    assert len(made["needs_countries.csv"])


@pytest.mark.parametrize("spoil, key", [
    (lambda x: x.assign_coords(origin=x["origin"].values[::-1]), "origin"),
    (lambda x: x.assign_coords(year=x["year"].values + 1), "year")])
def test_draws_of_another_panel_are_refused(given, spoil, key):
    with pytest.raises(SchemaError) as error:
        run.make_tables(run.Given(given.panel, given.regions, spoil(given.whole)), number=2)
    assert error.value.key == key
