"""Intervals of a profile, end to end in a tiny world: made from members of all designs, kept while fresh."""
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from distributed import Client, LocalCluster

from humanflows import ensemble, intervals, paths, pipeline
from humanflows.errors import ArtifactError
from humanflows.results.interval_cells import CORRIDORS, LAST_YEARS, OFFICES

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
            with LocalCluster(n_workers=1, threads_per_worker=1, processes=False,
                              dashboard_address="127.0.0.1:0") as cluster, \
                    Client(cluster, set_as_default=False) as client:
                yield client

        patch.setattr(ensemble, "_client", inside)
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
    assert set(sums["total"]) == {"world", "between regions", "out of", "into"}
    world = sums[sums["total"] == "world"].set_index("year")
    np.testing.assert_allclose(world["persons"], flow["flow"].sum(("origin", "destination")).values, rtol=1e-4)
    into = sums[sums["total"] == "into"].groupby("year")["persons"].sum()
    np.testing.assert_allclose(into, world["persons"], rtol=1e-3)
    assert ((world["lower"] <= world["persons"]) & (world["persons"] <= world["upper"])).all()


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
