"""How sure shares of birthplaces are: the members' disagreement as it was put in, a factor that a known truth gives."""
import numpy as np
import pandas as pd
import pytest

from humanflows import artifacts, birthplaces, ensemble, intervals, paths
from humanflows.dataset.factors import Moves
from humanflows.errors import ArtifactError
from humanflows.results.birthplace_ends import KINDS, SHARES_FROM
from small_runs import SMALL

N, YEARS, MEMBERS = 12, 3, 6


def table_of(moves):
    return np.stack([birthplaces.born_in(moves, b) for b in range(len(moves.native))])


@pytest.fixture(scope="module")
def years():
    """Members whose corridors' flows are the same and whose parts differ by a factor of e^0.2 or so."""
    rng, out = np.random.default_rng(1), []
    off = 1 - np.eye(N)
    for _ in range(YEARS):
        native, back, onward, presence, leaning = (rng.gamma(2.0, 500.0, (N, N)) * off for _ in range(5))
        flow, members = native + back + onward, []
        for _ in range(MEMBERS):
            parts = [x * np.exp(0.2 * rng.standard_normal((N, N))) for x in (native, back, onward)]
            total = np.where(flow > 0, sum(parts), 1)
            members.append(Moves(*(x * flow / total for x in parts), presence, leaning))
        out.append(members)
    return out


def test_birthplaces_add_up_to_the_flow(years):
    moves = years[0][0]
    np.testing.assert_allclose(table_of(moves).sum(0), moves.native + moves.back + moves.onward, rtol=1e-9)


def test_disagreement_about_shares_is_measured(years):
    table = birthplaces.measure_spread(years, every=1, some=1).set_index(["kind", "share_from"])
    for kind in KINDS[:2]:      # a part of a third or so moves by less than the 0.2 of all three
        assert 0.08 < table.loc[(kind, 0.1), "members_spread"] < 0.25 and table.loc[(kind, 0.1), "n"] > 100
    assert table.loc[(KINDS[0], 0.0), "n"] == 0     # nobody is in it: as the next larger
    assert table.loc[(KINDS[0], 0.0), "members_spread"] == table.loc[(KINDS[0], 0.01), "members_spread"] > 0
    alike = birthplaces.measure_spread([[m[0], m[0]] for m in years], every=1, some=1)
    assert (alike["members_spread"] < 1e-9).all()
    assert birthplaces.spread_array(table.reset_index(), "members_spread").shape == (len(KINDS), len(SHARES_FROM))


@pytest.mark.parametrize("wrong_by", [0.3, 0.9])
def test_the_factor_is_what_the_truth_asks_for(years, wrong_by):
    """Corridors are certain; shares are wrong by so much on a log scale, members disagree by 0.2 everywhere."""
    rng = np.random.default_rng(5)
    means = [np.mean([table_of(m) for m in members], axis=0) for members in years]
    truth = np.stack([np.expm1(np.log1p(m) + wrong_by * rng.standard_normal(m.shape)) for m in means])
    flow = np.stack([m.sum(0) for m in means])
    wide = {"lower": flow, "lower_80": flow, "upper": flow, "upper_80": flow}
    # no more can have moved than moved at all: that bound would hide the test's large errors
    wide |= {"upper": 50 * flow, "upper_80": 50 * flow}
    only_below = birthplaces.try_on_truth(years, np.minimum(truth, np.stack(means)), wide,
                                          np.full((len(KINDS), len(SHARES_FROM)), 0.2))
    # errors to one side alone: 95% of |e| or so lie within 1.64 standard deviations
    assert (only_below["factor"] - 1.64 / 1.96 * wrong_by / 0.2).abs().max() < 0.25 * wrong_by / 0.2
    assert only_below["coverage_95"].between(0.93, 0.975).all() and (only_below["n"] > 300).all()
    assert (only_below["coverage_80"] < only_below["coverage_95"]).all()


def test_a_release_takes_the_twins_factor_or_keeps_its_own(years, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ARTIFACTS", tmp_path / "build")
    with pytest.raises(ArtifactError, match="twin"):
        birthplaces.released_table(years, tmp_path)
    tried = pd.DataFrame({"kind": KINDS, "factor": [2.0, 3.0, 4.0], "n": 9, "coverage_80": 0.8, "coverage_95": 0.95})
    (tmp_path / "build" / "twin" / "intervals").mkdir(parents=True)
    tried.to_csv(intervals.folder("twin") / birthplaces.TRIED, index=False)
    table = birthplaces.released_table(years, tmp_path)
    np.testing.assert_allclose(table["spread"], table["members_spread"] * table["factor"])
    assert len(table) == len(KINDS) * len(SHARES_FROM) and (table.groupby("kind")["factor"].nunique() == 1).all()
    table.to_csv(tmp_path / birthplaces.RELEASED, index=False)
    (intervals.folder("twin") / birthplaces.TRIED).unlink()
    pd.testing.assert_frame_equal(birthplaces.released_table(years, tmp_path), table)


def test_the_twin_is_asked_and_its_answer_kept(small_build):
    """Two members of a tiny twin, with made-up ends of its corridors."""
    import xarray as xr

    from humanflows import pipeline

    settings = {**SMALL, "train": {**SMALL["train"], "epochs": 2}, "ensemble": {"members": 2}}
    config = ensemble.ensemble_config("twin", design="whole", settings=settings)
    with pytest.raises(ArtifactError, match="flow_bounds"):
        birthplaces.keep_tried(settings)
    panel = pipeline.open_panel(config)
    for k in ensemble.list_members(config):
        ensemble.keep_member(panel, ensemble.member_config(config, k), ensemble.member_folder("twin", k))
    flow = ensemble.open_members("twin", design="whole", settings=settings)["flow"].mean("member").compute()
    artifacts.write_netcdf(xr.Dataset({f"flow_{k}": f * flow for k, f in (
        ("lower", 0.2), ("lower_80", 0.4), ("upper_80", 2.5), ("upper", 5.0))}), intervals.folder("twin") /
        "flow_bounds.nc")
    file = birthplaces.keep_tried(settings)
    table, before = pd.read_csv(file), file.stat().st_mtime_ns
    assert list(table["kind"]) == list(KINDS) and table["factor"].between(0.25, 16).all() and (table["n"] > 0).all()
    assert birthplaces.keep_tried(settings).stat().st_mtime_ns == before
