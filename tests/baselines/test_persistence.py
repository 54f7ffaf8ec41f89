"""What the simplest forecasts know, and what they must not."""
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from humanflows.baselines.persistence import predict_corridor_mean, predict_persistence, predict_region_mean
from humanflows.config import SplitConfig
from humanflows.errors import SchemaError, UnknownTerritoryError
from humanflows.panel.splits import make_splits, perturb_held_out

PLACES = ["COL", "DEU", "FRA", "MEX", "POL", "USA", "VEN"]
YEARS = [2003, 2004, 2005, 2006, 2007]


def build(rows, witnesses=("undesa_imfsc|DEU|immigration|residence|movement",), places=PLACES) -> xr.Dataset:
    w, y, o, d, persons = zip(*rows)
    return xr.Dataset({
        "flow_persons": ("observation", np.array(persons, float)), "flow_year": ("observation", np.array(y) - YEARS[0]),
        "flow_origin": ("observation", [places.index(x) for x in o]),
        "flow_destination": ("observation", [places.index(x) for x in d]), "flow_witness": ("observation", list(w)),
    }, coords={"origin": places, "destination": places, "year": YEARS, "witness": list(witnesses)})


def test_persistence_is_the_last_earlier_report():
    panel = build([(0, 2006, "FRA", "DEU", 60), (0, 2003, "FRA", "DEU", 30), (0, 2004, "FRA", "DEU", 40),
                   (0, 2004, "POL", "DEU", 7), (0, 2007, "FRA", "DEU", 70)])
    predicted = predict_persistence(panel)
    assert predicted.dims == ("observation",)
    np.testing.assert_array_equal(predicted, [40, np.nan, 30, np.nan, 60])
    assert predicted.attrs["horizon"] == "annual"
    assert "same held-out corridor" in predicted.attrs["learned_from"]


def test_persistence_over_five_years_uses_nothing_from_inside_the_period():
    panel = build([(0, y, "FRA", "DEU", 10 * (y - 2000)) for y in YEARS])
    predicted = predict_persistence(panel, horizon="five_year")
    np.testing.assert_array_equal(predicted, [np.nan, np.nan, 40, 40, 40])   # 2004's report for all of 2005–09
    assert predicted.attrs["horizon"] == "five_year"


def test_persistence_keeps_witnesses_and_directions_apart():
    witnesses = ["a|DEU|immigration|residence|movement", "b|DEU|immigration|residence|movement"]
    panel = build([(0, 2003, "FRA", "DEU", 1), (1, 2004, "FRA", "DEU", 2), (0, 2005, "DEU", "FRA", 3),
                   (1, 2005, "FRA", "DEU", 4)], witnesses)
    np.testing.assert_array_equal(predict_persistence(panel), [np.nan, np.nan, np.nan, 2])


def test_persistence_never_looks_ahead():
    rows = [(0, y, o, "DEU", 10.0 * y) for y in YEARS for o in ("FRA", "POL", "USA")]
    panel = build(rows)
    before = predict_persistence(panel)
    later = panel.copy(deep=True)
    late = later["flow_year"].values >= 3
    later["flow_persons"][late] = 1.0
    after = predict_persistence(later)
    known = panel["flow_year"].values <= 3
    np.testing.assert_array_equal(before[known], after[known])
    assert not np.array_equal(before, after, equal_nan=True)


def test_persistence_refuses_what_is_ambiguous():
    panel = build([(0, 2003, "FRA", "DEU", 1), (0, 2003, "FRA", "DEU", 2)])
    with pytest.raises(SchemaError, match="twice"):
        predict_persistence(panel)
    with pytest.raises(SchemaError, match="horizon"):
        predict_persistence(panel, horizon="decade")


@pytest.fixture
def full():
    rng = np.random.default_rng(2)
    witnesses = ["undesa_imfsc|DEU|immigration|residence|movement", "oecd|DEU|immigration|citizenship|movement"]
    return build([(w, y, o, d, rng.integers(1, 1000)) for w in (0, 1) for y in YEARS[:4] for o in PLACES for d in PLACES
                  if o != d and not (o in ("MEX", "COL", "VEN") and d in ("MEX", "COL", "VEN"))], witnesses)


def test_region_mean_by_hand(full):
    splits = make_splits(full, SplitConfig(folds=3, validation_share=0.1))
    predicted = predict_region_mean(full, splits)
    train = splits["train"].values
    europe = [PLACES.index(p) for p in ("DEU", "FRA", "POL")]
    latin = [PLACES.index(p) for p in ("COL", "MEX", "VEN")]
    o, d, y, w = (full[f"flow_{k}"].values for k in ("origin", "destination", "year", "witness"))
    persons = full["flow_persons"].values
    used = train[o, d] & (w == 0)
    pair = used & np.isin(o, latin) & np.isin(d, europe)
    assert pair.any()
    got = predicted.sel(origin="VEN", destination="POL")
    for k in range(4):
        assert float(got[k]) == pytest.approx(persons[pair & (y == k)].mean())
    assert float(got[4]) == pytest.approx(persons[pair].mean())                      # no report in 2007: all years
    assert float(predicted.sel(origin="VEN", destination="COL")[0]) == pytest.approx(persons[used].mean())
    assert (np.diagonal(predicted.values, axis1=1, axis2=2) == 0).all()
    assert np.isfinite(predicted.values).all()


def test_region_mean_does_not_see_what_is_held_out(full):
    splits = make_splits(full, SplitConfig(folds=3, validation_share=0.1))
    before = predict_region_mean(full, splits)
    moved = perturb_held_out(full, splits)
    assert predict_region_mean(moved, splits).identical(before)
    seen = full.copy(deep=True)
    seen["flow_persons"] = seen["flow_persons"] + 1
    assert not predict_region_mean(seen, splits).identical(before)


def test_region_mean_needs_reports_and_regions(full):
    splits = make_splits(full, SplitConfig(folds=3))
    with pytest.raises(SchemaError, match="birthplace"):
        predict_region_mean(full, splits, criterion="birthplace")
    odd = full.assign_coords(origin=[*PLACES[:-1], "XXX"], destination=[*PLACES[:-1], "XXX"])
    with pytest.raises(UnknownTerritoryError, match="XXX"):
        predict_region_mean(odd, make_splits(odd, SplitConfig(folds=3)))


def test_mean_of_corridor_is_that_of_the_other_years():
    panel = build([(0, 2003, "FRA", "DEU", 30), (0, 2005, "FRA", "DEU", 60), (0, 2007, "FRA", "DEU", 90),
                   (0, 2004, "POL", "DEU", 7)])
    predicted = predict_corridor_mean(panel)
    np.testing.assert_array_equal(predicted, [75, 60, 45, np.nan])
    assert predicted.attrs["horizon"] == "annual" and "later" in predicted.attrs["learned_from"]


def test_mean_of_corridor_over_five_years_leaves_out_the_period_and_the_year_after():
    panel = build([(0, y, "FRA", "DEU", 10 * (y - 2000)) for y in YEARS])
    predicted = predict_corridor_mean(panel, horizon="five_year")
    # 2003 and 2004 lie in 2000–04, so that 2000–05 is left out: 2006 and 2007 remain; for 2005–07 it is 2003 and 2004
    np.testing.assert_array_equal(predicted, [65, 65, 35, 35, 35])


@given(reports=st.dictionaries(st.tuples(st.integers(0, 1), st.sampled_from(YEARS)), st.integers(0, 10**6),
                               min_size=1, max_size=10),
       horizon=st.sampled_from(["annual", "five_year"]))
def test_mean_of_corridor_against_a_loop(reports, horizon):
    witnesses = [f"{k}|DEU|immigration|residence|movement" for k in "ab"]
    panel = build([(w, y, "FRA", "DEU", p) for (w, y), p in reports.items()], witnesses)
    expected = []
    for w, y in reports:
        left_out = {y} if horizon == "annual" else set(range(y // 5 * 5, y // 5 * 5 + 6))
        others = [p for (v, z), p in reports.items() if v == w and z not in left_out]
        expected.append(np.mean(others) if others else np.nan)
    np.testing.assert_allclose(predict_corridor_mean(panel, horizon=horizon), expected, rtol=1e-9, atol=1e-6)


def test_mean_of_corridor_refuses_what_is_ambiguous():
    with pytest.raises(SchemaError, match=r"mean of corridor.*twice"):
        predict_corridor_mean(build([(0, 2003, "FRA", "DEU", 1), (0, 2003, "FRA", "DEU", 2)]))
    with pytest.raises(SchemaError, match="horizon"):
        predict_corridor_mean(build([(0, 2003, "FRA", "DEU", 1)]), horizon="decade")
