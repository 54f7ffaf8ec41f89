"""Needs of a profile: all tables from made-up members of a small world, kept while fresh; offices added to the twin."""
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from humanflows import added_offices, artifacts, ensemble, intervals, needs, paths
from humanflows.config import load_config
from humanflows.errors import ConfigError
from humanflows.panel.reporting_systems import describe_reports
from humanflows.panel.splits import corridor_folds
from humanflows.results.interval_cells import CORRIDORS, OFFICES, build_cells
from humanflows.results.interval_material import Material
from humanflows.results.needs_terms import COUNTRY_COLUMNS, ELSEWHERE, ITSELF, LADDER, TWIN
from humanflows.schema import SYSTEMS_TABLE
from humanflows.twin.observe import describe_offices

SMALL = {"twin": {"territories": 7, "reporters": 2, "people": {"burn_in": 10}}, "first_year": 2000, "last_year": 2012,
         "train": {"year_steps": 2, "history_steps": 1, "epochs": 1, "validate_every": 1, "checkpoint_every": 1,
                   "device": "cpu", "compile": False}, "model": {"hidden": 4, "width": 8, "embedding": 2}}


@pytest.fixture(scope="module")
def gathered(small_panel, small_world, small_config):
    """Members that err by 0.3 where they read, by 1.2 where they did not; one of each kind of not reading."""
    config = replace(small_config, split=replace(small_config.split, folds=2))
    rng, truth = np.random.default_rng(0), small_world.truth.flow.values.astype(np.float64)
    labels = intervals.labels_of(small_panel, config)
    own = [("fold", f) for f in (1, 2)] + [("group", g) for g in np.unique(labels["group"]) if g]
    hidden = np.stack([labels[name] == k for name, k in own])
    kinds = {CORRIDORS: np.stack([m & (name == "fold") for m, (name, _) in zip(hidden, own)]),
             OFFICES: np.stack([m & (name == "group") for m, (name, _) in zip(hidden, own)])}
    flows = (truth * np.exp(1.2 * rng.standard_normal(truth.shape)) for _ in own)
    cells = build_cells(small_panel, flows, hidden, kinds, labels=labels)
    members = np.stack([truth * np.exp(0.3 * rng.standard_normal(truth.shape)) for _ in range(6)])
    flow, spread = intervals.mean_and_spread(xr.DataArray(members, dims=("member", "year", "o", "d")))
    stock = np.repeat(small_world.truth.stock.values[None].astype(np.float64), 6, axis=0)
    stock *= np.exp(0.1 * rng.standard_normal(stock.shape))
    ensemble_ = xr.Dataset({"flow": (("member", "year", "origin", "destination"), members),
                            "stock": (("member", "date_year", "birthplace", "residence"), stock)})
    assert corridor_folds(small_panel.sizes["origin"], 2, config.split.seed).max() == 2
    given = Material(panel=small_panel, regions=np.array(["Europe"] * small_panel.sizes["origin"]), cells=cells,
                     flow=flow, spread=spread, stock=stock[0], stock_spread=stock[0] * 0,
                     blind_stock=(stock[0], stock[0] * 0),
                     blind_from=2000, members_of_year=lambda t: members[:, t], third=None)
    return given, ensemble_


@pytest.fixture(scope="module")
def tables(gathered):
    return needs.make_needs(*gathered, number=2)


def test_every_table_is_made_and_says_what_was_put_in(tables, small_panel):
    assert set(tables) == set(needs.FILES)
    countries = tables["needs_countries.csv"]
    assert list(countries.columns) == [*COUNTRY_COLUMNS, "first_year", "last_year"]
    assert len(countries) == 2 * small_panel.sizes["origin"] and countries["new"].between(0, 1).all()
    assert (countries["width_reported"] <= countries["width"] + 1e-9).all() and countries["gain"].max() > 0.3
    assert (tables["needs_corridors.csv"]["narrowing_below"].iloc[0] > 0)
    found = tables["needs_ladder.csv"].set_index("rung")["error"]
    assert found[LADDER[4]] < 0.7 < found[LADDER[0]]
    check = tables["needs_check.csv"]
    assert set(check["check"]) == {ITSELF, ELSEWHERE}
    assert (check.loc[check["check"] == ITSELF, "realised"] > 0.2).all()
    shared = tables["needs_shared.csv"]
    assert (shared["members"] == 6).all() and shared["told"].between(0, 1).all()


def test_runs_are_kept_while_fresh(tables, gathered, monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "ARTIFACTS", tmp_path)
    monkeypatch.setattr(intervals, "inputs_of", lambda *_: {"panel": "p"})
    monkeypatch.setattr(intervals, "gather", lambda *_, **__: gathered[0])
    monkeypatch.setattr(ensemble, "open_members", lambda *_, **__: gathered[1])
    monkeypatch.setattr(needs, "make_needs", lambda *_, **__: dict(tables))
    made = needs.run_needs("twin")
    assert [f.name for f in made.values()] == list(needs.FILES)
    assert artifacts.read_manifest(made["needs_check.csv"])["made_by"] == needs.MADE_BY
    pd.testing.assert_frame_equal(pd.read_csv(made["needs_ladder.csv"]), tables["needs_ladder.csv"], rtol=1e-4)
    monkeypatch.setattr(needs, "make_needs", None)       # would fail if it were asked
    assert needs.run_needs("twin") == made
    target = tmp_path / "release"
    assert needs.release_needs("twin", target)
    assert {f.name for f in target.glob("*.csv")} == set(needs.FILES)
    assert (target / "figures" / "needs_ranking.png").stat().st_size > 5000
    monkeypatch.setattr(intervals, "inputs_of", lambda *_: {"panel": "another"})
    assert not needs.release_needs("twin", tmp_path / "other") and not (tmp_path / "other").exists()


def test_the_twin_s_truth_is_set_beside_what_was_predicted(tables):
    countries, shared = tables["needs_countries.csv"], tables["needs_shared.csv"]
    office = countries["territory"].iloc[0]
    added = pd.DataFrame({"office": [office, office, office, "XXX"], "n": 9, "error_before": 1.0, "error_after": 0.25,
                          "quantity": ["arrivals", "departures", "other countries", "arrivals"], "seeds": 2})
    found = needs.check_on_twin(countries, shared.assign(told=0.75), added).set_index("side")
    assert (found["check"] == TWIN).all() and (found["realised"] == 0.75).all() and len(found) == 3
    own = countries[(countries["territory"] == office) & (countries["side"] == "arrivals")].iloc[0]
    assert found.loc["arrivals", "predicted"] == pytest.approx(own["sigma"] - own["sigma_reported"])
    assert found.loc["departures", "predicted"] == pytest.approx(0.5)
    assert np.isnan(found.loc["other countries", "predicted"])


def test_the_check_of_a_release_has_what_the_twin_says(tables, monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "ARTIFACTS", tmp_path / "build")
    check = tables[needs.CHECK]
    own, released = (tmp_path / f"{k}.csv" for k in ("own", "released"))
    check.to_csv(own, index=False)
    assert set(needs.with_twin(own, released)["check"]) == {ITSELF, ELSEWHERE}      # nobody was asked
    older, newer = (check.head(2).assign(check=TWIN, realised=k) for k in (1.0, 2.0))
    pd.concat([check, older]).to_csv(released, index=False)
    found = needs.with_twin(own, released)
    assert len(found) == len(check) + 2 and (found.loc[found["check"] == TWIN, "realised"] == 1.0).all()
    needs.folder("twin").mkdir(parents=True)
    pd.concat([check, newer]).to_csv(needs.folder("twin") / needs.CHECK, index=False)
    found = needs.with_twin(own, released)
    assert len(found) == len(check) + 2 and (found.loc[found["check"] == TWIN, "realised"] == 2.0).all()
    assert len(needs.with_twin(needs.folder("twin") / needs.CHECK, released)) == len(check) + 2


@pytest.fixture(scope="module")
def added(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "ARTIFACTS", tmp_path_factory.mktemp("build"))
        config = load_config("twin", **SMALL)
        from humanflows import pipeline

        world = pipeline.simulate_twin(config)
        silent = added_offices.candidates(world, config)
        office = next(c for c in silent if _may_report(world, config, c))
        for name in (added_offices.BASE, office):
            added_offices.run_one(name, 1, settings=SMALL)
        yield world, config, office


def _may_report(world, config, office):
    try:
        return bool(added_offices.tables_with(world, config, office))
    except ConfigError:
        return False


def test_one_office_s_arrivals_are_added_and_nothing_else(added):
    world, config, office = added
    base, more = (added_offices.tables_with(world, config, k) for k in (added_offices.BASE, office))
    new = more["flow"].iloc[len(base["flow"]):]
    pd.testing.assert_frame_equal(more["flow"].iloc[:len(base["flow"])], base["flow"])
    assert len(new) and set(new["reporter"]) == {office} and set(new["side"]) == {"immigration"}
    assert (new["destination"] == office).all() and set(new["criterion"]) == {"residence"}
    systems = more[SYSTEMS_TABLE].set_index(["source", "reporter"])
    before = base[SYSTEMS_TABLE].set_index(["source", "reporter"])
    pd.testing.assert_frame_equal(systems.loc[before.index], before)
    assert set(systems.index) - set(before.index) == {("undesa_imfsc", office)} and more[SYSTEMS_TABLE].index.is_unique
    told = describe_reports(new, more[SYSTEMS_TABLE])
    assert set(told["duration"]) == {str(describe_offices(world, added_offices._everyone(config)).set_index(
        "reporter").loc[office, "months"])}
    for wrong in (base["flow"]["reporter"].iloc[0], "XXX"):
        with pytest.raises(ConfigError, match="reports already, or is not"):
            added_offices.tables_with(world, config, wrong)


def test_runs_of_the_twin_are_kept_and_collected(added, monkeypatch):
    office = added[2]
    table = added_offices.collect(settings=SMALL).set_index("quantity")
    assert (table["office"] == office).all() and table.loc["arrivals", "n"] > 0 and (table["seeds"] == 1).all()
    assert set(added_offices.finished()) == {f"{k}-seed-1" for k in (added_offices.BASE, office)}
    monkeypatch.setattr(added_offices.training, "fit_member", None)      # would fail if it were asked
    added_offices.run_one(office, 1, settings=SMALL)


def test_offices_to_add_are_chosen_among_those_that_can(added):
    assert added_offices.choose(["A", "B", "C", "D"], ["D", "B"], 5) == ["B", "D"]
    assert added_offices.choose(list("ABCDE"), list("ABCDE"), 2) == ["A", "E"]
