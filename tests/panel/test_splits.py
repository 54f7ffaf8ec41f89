"""Corridors are dealt by chance alone, and everything said about one corridor stays on one side."""
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from humanflows.config import SplitConfig
from humanflows.errors import ArtifactError, ConfigError, DuplicateKeyError, SchemaError
from humanflows.panel.splits import (
    corridor_folds,
    make_splits,
    observations_in,
    perturb_held_out,
    split_of,
    training_observations,
    training_reconstructions,
)
from humanflows.schema import OWN_RECONSTRUCTION
from humanflows.territories import codes

PINNED = [[0, 5, 2, 4, 5], [3, 0, 1, 4, 1], [2, 1, 0, 5, 3], [4, 2, 2, 0, 3], [3, 4, 5, 1, 0]]
WITNESSES = ["eurostat|DEU|immigration|residence|movement", "eurostat|FRA|emigration|residence|movement",
             "oecd|DEU|immigration|citizenship|movement", "undesa_imfsc|USA|immigration|birthplace|movement",
             "meta|META|both|residence|transition"]


def panel_of(places, rng, years=(2015, 2016, 2017)) -> xr.Dataset:
    """Every witness reports every corridor in every year."""
    n = len(places)
    o, d = np.nonzero(~np.eye(n, dtype=bool))
    w, y, c = (a.ravel() for a in np.meshgrid(range(len(WITNESSES)), range(len(years)), range(len(o)), indexing="ij"))
    return xr.Dataset(
        {"flow_persons": ("observation", rng.integers(0, 1000, len(c)).astype(float), {"units": "persons"}),
         "flow_origin": ("observation", o[c]), "flow_destination": ("observation", d[c]),
         "flow_year": ("observation", y), "flow_witness": ("observation", w),
         "reconstruction": (("method", "period", "origin", "destination"),
                            rng.integers(0, 1000, (3, 2, n, n)).astype(np.float32))},
        coords={"origin": places, "destination": places, "year": list(years), "witness": WITNESSES,
                "period": [2010, 2015], "method": ["a", "b", OWN_RECONSTRUCTION]})


@pytest.fixture
def panel():
    return panel_of(list(codes()[:8]), np.random.default_rng(0))


@settings(max_examples=40)
@given(n=st.integers(4, 40), folds=st.integers(2, 10), seed=st.integers(0, 2**32))
def test_folds_cover_every_corridor_once_and_are_balanced(n, folds, seed):
    fold = corridor_folds(n, folds, seed)
    assert fold.shape == (n, n)
    assert (np.diagonal(fold) == 0).all()
    sizes = np.bincount(fold[~np.eye(n, dtype=bool)], minlength=folds + 1)
    assert sizes[0] == 0
    assert np.ptp(sizes[1:]) <= 1
    assert (fold == corridor_folds(n, folds, seed)).all()


def test_folds_are_pinned():
    # A change of the generator would move corridors from held out to learned from without anyone noticing.
    fold = corridor_folds(5, 5, 20260101)
    assert fold.tolist() == PINNED


def test_folds_change_with_the_seed_and_are_not_symmetric():
    fold = corridor_folds(30, 5, 1)
    off = ~np.eye(30, dtype=bool)
    assert 0.7 < (fold != corridor_folds(30, 5, 2))[off].mean() < 0.9     # 4 in 5 by chance
    assert 0.7 < (fold != fold.T)[off].mean() < 0.9


def test_world_folds_are_balanced_within_size():
    # Sizes as skewed as real flows: each fold should still get its share of the largest corridors and of the total.
    n = len(codes())
    size = np.exp(2.5 * np.random.default_rng(7).standard_normal((n, n)))
    np.fill_diagonal(size, 0)
    fold = corridor_folds(n, 5, SplitConfig().seed)
    largest = size > np.quantile(size, 0.99)
    share = np.array([largest[fold == k].sum() for k in range(1, 6)]) / largest.sum()
    total = np.array([np.log1p(size[fold == k]).sum() for k in range(1, 6)]) / np.log1p(size).sum()
    assert np.abs(share - 0.2).max() < 0.05
    assert np.abs(total - 0.2).max() < 0.01


@pytest.mark.parametrize("arguments", [(1, 2, 0), (4, 1, 0), (4, 13, 0), (4, 2, -1)])
def test_impossible_folds_are_refused(arguments):
    with pytest.raises(ConfigError, match="Remedy"):
        corridor_folds(*arguments)


def test_parts_are_disjoint_and_complete():
    splits = make_splits(codes(), SplitConfig())
    n = len(codes())
    counted = sum(splits[p].values.astype(int) for p in ("train", "validation", "held_out"))
    assert (counted == 1 - np.eye(n, dtype=int)).all()
    assert (splits["held_out"].values == (splits["fold"].values == 1)).all()
    rest = n * (n - 1) - int(splits["held_out"].sum())
    assert int(splits["validation"].sum()) == round(0.05 * rest)
    assert splits.attrs["seed"] == SplitConfig().seed


def test_validation_may_be_empty():
    splits = make_splits(codes()[:5], SplitConfig(validation_share=0.0))
    assert not splits["validation"].any()
    assert splits["train"].sum() == 16


def test_splits_depend_on_nothing_measured(panel):
    other = panel.copy(deep=True)
    other["flow_persons"][:] = 7.0
    assert make_splits(panel, SplitConfig()).identical(make_splits(other, SplitConfig()))
    assert make_splits(panel, SplitConfig()).identical(make_splits(codes()[:8], SplitConfig()))


@pytest.mark.parametrize("split", [SplitConfig(held_out_fold=-1), SplitConfig(held_out_fold=6),
                                   SplitConfig(validation_share=1.0), SplitConfig(validation_share=-0.1)])
def test_impossible_splits_are_refused(split):
    with pytest.raises(ConfigError, match=r"split\."):
        make_splits(codes()[:6], split)


def test_a_territory_named_twice_is_refused():
    with pytest.raises(DuplicateKeyError, match="MEX"):
        make_splits(["MEX", "USA", "MEX"], SplitConfig(folds=2))


def test_split_of_names_parts():
    splits = make_splits(codes()[:10], SplitConfig(validation_share=0.2))
    o, d = np.nonzero(~np.eye(10, dtype=bool))
    part = split_of(o, d, splits)
    assert set(part) == {"train", "validation", "held_out"}
    for name in set(part):
        assert (splits[name].values[o, d] == (part == name)).all()


@pytest.mark.parametrize(("origin", "destination", "said"), [([0], [10], "outside"), ([-1], [2], "outside"),
                                                             ([3], [3], "no corridor"), ([1, 2], [3], "shape")])
def test_split_of_refuses_what_is_no_corridor(origin, destination, said):
    with pytest.raises(SchemaError, match=said):
        split_of(np.array(origin), np.array(destination), make_splits(codes()[:10], SplitConfig()))


def test_all_witnesses_of_a_corridor_share_its_side(panel):
    splits = make_splits(panel, SplitConfig(validation_share=0.1))
    masks = {p: observations_in(panel, splits, p) for p in ("train", "validation", "held_out")}
    assert (sum(m.astype(int) for m in masks.values()) == 1).all()
    o, d = panel["flow_origin"].values, panel["flow_destination"].values
    for mask in masks.values():
        assert mask.any()
        for w in range(len(WITNESSES)):
            here = panel["flow_witness"].values == w
            assert {*zip(o[here & mask], d[here & mask])} == {*zip(o[mask], d[mask])}
    assert (training_observations(panel, splits) == masks["train"]).all()
    assert (observations_in(panel, splits, ("train", "validation")) == ~masks["held_out"]).all()


def test_the_door_narrows_for_the_other_protocols(panel):
    splits = make_splits(panel, SplitConfig())
    everything = training_observations(panel, splits)
    year = panel["year"].values[panel["flow_year"].values]
    w = panel["flow_witness"].values
    assert (training_observations(panel, splits, blind_from=2016) == everything & (year < 2016)).all()
    assert (training_observations(panel, splits, without_reporters=["DEU"]) == everything & ~np.isin(w, [0, 2])).all()
    assert (training_observations(panel, splits, without_sources=["meta"]) == everything & (w != 4)).all()
    with pytest.raises(SchemaError, match="XYZ"):
        training_observations(panel, splits, without_reporters=["XYZ"])


def test_reconstructions_pass_the_same_door(panel):
    splits = make_splits(panel, SplitConfig())
    mask = training_reconstructions(panel, splits)
    assert mask.shape == (2, 8, 8)
    assert (mask == splits["train"].values[None]).all()
    blind = training_reconstructions(panel, splits, blind_from=2020)  # the period from mid-2015 reaches mid-2020
    assert blind[0].any()
    assert not blind[1].any()


def test_splits_of_other_territories_are_refused(panel):
    with pytest.raises(ArtifactError, match="differ"):
        training_observations(panel, make_splits(codes()[1:9], SplitConfig()))
    with pytest.raises(SchemaError, match="test"):
        observations_in(panel, make_splits(panel, SplitConfig()), "test")


def test_perturbation_moves_all_that_is_held_out_and_nothing_else(panel):
    splits = make_splits(panel, SplitConfig())
    before = panel.copy(deep=True)
    moved = perturb_held_out(panel, splits, seed=3)
    assert panel.identical(before)
    held_out = observations_in(panel, splits, "held_out")
    assert ((moved["flow_persons"].values != panel["flow_persons"].values) == held_out).all()
    others = slice(0, 2)   # our own rests on stocks, which are never held out
    assert ((moved["reconstruction"].values[others] != panel["reconstruction"].values[others])
            == splits["held_out"].values[None, None]).all()
    assert (moved["reconstruction"].values[2] == panel["reconstruction"].values[2]).all()
    assert (moved["flow_persons"] >= 0).all()
    assert moved["reconstruction"].dtype == panel["reconstruction"].dtype
    assert moved.drop_vars(["flow_persons", "reconstruction"]).identical(
        panel.drop_vars(["flow_persons", "reconstruction"]))
    assert not moved.identical(perturb_held_out(panel, splits, seed=4))
    assert (training_observations(moved, splits) == training_observations(panel, splits)).all()
