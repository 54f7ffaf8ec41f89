"""Intervals of a profile, end to end in a tiny world: made from members of all designs, kept while fresh."""
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from distributed import Client

from humanflows import artifacts, ensemble, intervals, members, paths, pipeline, releasing, unseen
from humanflows.cluster import local_cluster
from humanflows.errors import ArtifactError
from humanflows.model.compact import load_compact
from humanflows.results import release as released
from humanflows.results.interval_cells import CORRIDORS, LAST_YEARS, OFFICES, YEARS
from humanflows.results.scores import pearson_r

SMALL = {"twin": {"territories": 7, "reporters": 5, "people": {"burn_in": 10}}, "first_year": 2000, "last_year": 2016,
         "train": {"year_steps": 2, "history_steps": 1, "epochs": 2, "validate_every": 1, "checkpoint_every": 2,
                   "device": "cpu"},
         "model": {"hidden": 4, "width": 8, "embedding": 2}, "split": {"folds": 2},
         "ensemble": {"members": 2, "crossed_members": 2, "blind_members": 2}}


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "ARTIFACTS", tmp_path_factory.mktemp("build"))

        @contextmanager
        def inside(*_):
            with local_cluster(1, processes=False) as cluster, Client(cluster, set_as_default=False) as client:
                yield client

        patch.setattr(ensemble, "open_client", inside)
        pipeline.harmonise(ensemble.ensemble_config("twin", settings=SMALL))
        with pytest.raises(ArtifactError, match="humanflows ensemble"):
            intervals.run_intervals("twin", settings=SMALL)
        for design in ("whole", "crossed", "blind"):
            ensemble.run_ensemble("twin", design=design, settings=SMALL)
        yield paths.ARTIFACTS


@pytest.fixture(scope="module")
def made(build):
    return intervals.run_intervals("twin", settings=SMALL)


def test_kinds_are_what_members_did_not_see(build):
    config = ensemble.ensemble_config("twin", design="crossed", settings=SMALL)
    panel = pipeline.open_panel(config)
    crossed, blind = (intervals.open_views("twin", panel, d, settings=SMALL) for d in ("crossed", "blind"))
    kinds = intervals.kinds_of(panel, crossed, blind)
    hidden = np.concatenate([crossed.hidden, blind.hidden])
    assert all((mask <= hidden).all() for mask in kinds.values())
    assert not (kinds[CORRIDORS] & kinds[OFFICES]).any() and not kinds[LAST_YEARS][:2].any()
    assert kinds[CORRIDORS].any(0).all()       # every report is of a corridor that some member held out
    labels = intervals.labels_of(panel, config)
    assert set(np.unique(labels["fold"])) == {1, 2} and labels["group"].max() > 1


def test_bounds_hold_the_estimates_and_are_never_negative(made):
    for name, quantity in (("flow_bounds.nc", "flow"), ("stock_bounds.nc", "stock"),
                           ("net_migration_bounds.nc", "net_migration")):
        data = xr.load_dataset(made[name])
        ends = [data[f"{quantity}_{k}"].values for k in ("lower", "lower_80", "upper_80", "upper")]
        ends.insert(2, data[quantity].values)
        assert all(np.isfinite(e).all() for e in ends)
        assert all((a <= b).all() for a, b in pairwise(ends))
        if quantity != "net_migration":
            assert ends[0].min() >= 0
    flow = xr.load_dataset(made["flow_bounds.nc"])
    assert not flow["flow_upper"].values[:, np.eye(7, dtype=bool)].any()
    assert set(np.unique(flow["seen"])) <= {0, 1, 2, 3} and "A_same_year" in flow["seen"].attrs["flag_meanings"]
    panel = pipeline.open_panel(ensemble.ensemble_config("twin", settings=SMALL))
    assert (flow["flow_upper"].max("destination").values <= panel["population"].values[:-1] * (1 + 1e-6)).all()
    sums = pd.read_csv(made["sums.csv"])
    assert set(sums["total"]) == {"world", "between regions", "out of", "into", "out of region", "into region"}
    world = sums[sums["total"] == "world"].set_index("year")
    np.testing.assert_allclose(world["persons"], flow["flow"].sum(("origin", "destination")).values, rtol=1e-4)
    into = sums[sums["total"] == "into"].groupby("year")["persons"].sum()
    np.testing.assert_allclose(into, world["persons"], rtol=1e-3)
    assert ((world["lower"] <= world["persons"]) & (world["persons"] <= world["upper"])).all()
    between = sums[(sums["total"] == "between regions") & (sums["origin"] != sums["destination"])]
    for total, place in (("out of region", "origin"), ("into region", "destination")):
        own = sums[sums["total"] == total].groupby([place, "year"])["persons"].sum()
        np.testing.assert_allclose(own, between.groupby([place, "year"])["persons"].sum().reindex(own.index), rtol=1e-3)


def test_the_table_tells_every_quantity_and_the_members_alone(made):
    table = pd.read_csv(made["coverage.csv"])
    assert {"flow", "stock", "net migration"} <= set(table["quantity"])
    assert {"humanflows", "members alone"} <= set(table["method"])
    assert set(table["level"]) == {0.5, 0.8, 0.9, 0.95} and table["coverage"].between(0, 1).all()
    flow = table[(table["quantity"] == "flow") & (table["grouping"] == "all") & (table["level"] == 0.95)]
    by = flow.set_index(["method", "kind"])["coverage"]
    assert by["humanflows", CORRIDORS] > by["members alone", CORRIDORS]
    assert not pd.read_csv(made["variants.csv"]).empty


def test_what_is_fresh_is_kept(made, monkeypatch):
    monkeypatch.setattr(intervals, "gather", None)     # would fail if it were asked
    assert intervals.run_intervals("twin", settings=SMALL) == made


# ---- scores of what members never saw, and the release

def test_predictions_are_means_of_the_members_that_never_saw(build):
    config = ensemble.ensemble_config("twin", design="crossed", settings=SMALL)
    panel = pipeline.open_panel(config)
    views = tuple(intervals.open_views("twin", panel, d, settings=SMALL) for d in ("crossed", "blind"))
    kinds = intervals.kinds_of(panel, *views)
    said = unseen.predict_unseen(panel, views, kinds)
    flows = np.concatenate([v.members["flow"].values for v in views])
    for kind, whose in kinds.items():
        assert np.array_equal(np.isnan(said[kind]), ~whose.any(0))
        for k in np.flatnonzero(whose.any(0))[::37]:
            t, o, d = (int(panel[f"flow_{x}"][k]) for x in ("year", "origin", "destination"))
            assert said[kind][k] == pytest.approx(flows[whose[:, k], t, o, d].mean(), rel=1e-5)


def test_scores_are_of_every_kind_and_kept(build):
    file = unseen.keep_scores("twin", settings=SMALL)
    table = pd.read_csv(file)
    assert set(table["kind"]) == {CORRIDORS, OFFICES, YEARS, LAST_YEARS} and set(table["peer"]) == {"humanflows"}
    panel = pipeline.open_panel(ensemble.ensemble_config("twin", settings=SMALL))
    views = tuple(intervals.open_views("twin", panel, d, settings=SMALL) for d in ("crossed", "blind"))
    kinds = intervals.kinds_of(panel, *views)
    said = unseen.predict_unseen(panel, views, kinds)[CORRIDORS]
    of = panel["flow_witness"].values
    chosen = (panel["witness_source"].values.astype(str)[of] == "meta") & kinds[CORRIDORS].any(0)
    row = table[(table["collection"] == "meta") & (table["kind"] == CORRIDORS) & (table["horizon"] == "annual")]
    if chosen.any():
        assert row["r"].item() == pytest.approx(pearson_r(panel["flow_persons"].values[chosen], said[chosen]), abs=1e-3)
    before = file.stat().st_mtime_ns
    assert unseen.keep_scores("twin", settings=SMALL).stat().st_mtime_ns == before


def test_the_release_gets_the_mean_its_ends_and_the_weights(made, tmp_path):
    config = ensemble.ensemble_config("twin", settings=SMALL)
    together = releasing.read_ensemble(config)
    released.write_estimates_of(together.estimates, tmp_path, together.bounds)
    releasing.write_provenance(config, tmp_path, together)
    together.pack(tmp_path / released.MEMBERS)
    released.write_manifest(tmp_path, config, {}, ensemble=together.about)
    opened = released.open_release(tmp_path)
    mean = xr.load_dataset(members.mean_path("twin"))
    assert np.allclose(opened.flow, np.where(mean.flow < released.SMALLEST, 0, mean.flow), rtol=6e-4)
    assert ((opened.flow_lower <= opened.flow) & (opened.flow <= opened.flow_upper)).all()
    assert np.array_equal(opened.flow_seen, xr.load_dataset(made["flow_bounds.nc"])["seen"])
    known = opened.stock_upper.notnull().any(("birthplace", "residence"))
    assert opened.date_year.values[known].tolist() == [2000, 2005, 2010, 2015, 2017]
    files = sorted((tmp_path / released.MEMBERS).iterdir())
    assert [f.name for f in files] == ["member-01.safetensors", "member-02.safetensors"] and load_compact(files[0])
    parts = xr.load_dataset(tmp_path / "birthplace.nc")
    assert parts.attrs["made_from"] == "mean of 2 members"
    assert together.about["members"] == 2 and set(together.tables) == set(released.ENSEMBLE_TABLES)


def test_intervals_of_other_members_are_refused(made):
    config = ensemble.ensemble_config("twin", settings=SMALL)
    manifest = artifacts.manifest_path(made["sums.csv"])
    before = manifest.read_text()
    try:
        manifest.write_text(before.replace('"inputs_digest": "', '"inputs_digest": "0'))
        with pytest.raises(ArtifactError, match="other members, other data or older code"):
            releasing.read_ensemble(config)
    finally:
        manifest.write_text(before)
