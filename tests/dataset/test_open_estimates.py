"""Questions in the manner of pandas: answers are those of the files, and bad questions get a plain error."""
import json
import shutil

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from humanflows.dataset import open_estimates
from humanflows.dataset.grades import GRADES, grade
from humanflows.errors import ArtifactError, InputError, UnknownTerritoryError, YearRangeError


@pytest.fixture(scope="module")
def estimates(release_folder):
    return open_estimates(release_folder)


def test_a_corridor(estimates, small_flows):
    o, d = estimates.codes[:2]
    table = estimates.flow(o, d)
    assert list(table) == ["year", "origin", "destination", "flow", "flow_lower", "flow_upper", "basis", "sources",
                           "grade"]
    chosen = small_flows.sel(origin=o, destination=d)
    for column in ("flow", "flow_lower", "flow_upper"):
        np.testing.assert_array_equal(table[column], chosen[column])
    assert table.year.tolist() == small_flows.year.values.tolist() and set(table.origin) == {o}
    assert set(table.grade) <= set(GRADES)
    some = estimates.flow(o.lower(), d, years=slice(1995, 1997))
    pd.testing.assert_frame_equal(some, table[table.year.between(1995, 1997)].reset_index(drop=True))


def test_grades_are_those_of_the_rule(estimates, small_flows):
    answers = estimates._answers
    o, d = 0, 1
    seen = answers.evidence.seen(np.arange(len(answers.years)), o, d)
    at = small_flows.isel(origin=o, destination=d)
    expected = [GRADES[g] for g in grade(seen, at.flow_lower.values, at.flow_upper.values, at.flow_spread.values)]
    assert estimates.flow(answers.codes[o], answers.codes[d]).grade.tolist() == expected
    assert "does not hold" not in estimates.grade_rule


@pytest.mark.parametrize(("side", "here", "other"), [("inflow", "destination", "origin"),
                                                     ("outflow", "origin", "destination")])
def test_the_largest_flows(estimates, small_flows, side, here, other):
    place, year = estimates.codes[3], estimates.years[2]
    table = estimates.top(side, place, year, number=4)
    expected = small_flows.flow.sel({here: place, "year": year}).to_series().sort_values(ascending=False)
    assert table[other].tolist() == expected.index[:4].tolist()
    np.testing.assert_array_equal(table.flow, expected.iloc[:4])
    np.testing.assert_allclose(table.share, expected.iloc[:4] / expected.sum(), rtol=1e-5)
    assert len(estimates.top(side, place, year, number=500)) == (expected > 0).sum()


@pytest.mark.parametrize("number", [np.int64(3), np.array(3), 3.0, np.float32(3)])
def test_numbers_may_be_those_of_numpy(estimates, number):
    place, year = estimates.codes[3], estimates.years[2]
    expected = estimates.top("inflow", place, year, number=3)
    for given in (np.array(year), np.int16(year), np.float64(year)):
        pd.testing.assert_frame_equal(estimates.top("inflow", place, given, number), expected)


def test_net_migration_is_inflow_minus_outflow_and_sums_to_zero(estimates):
    tables = pd.concat([estimates.net(c) for c in estimates.codes])
    np.testing.assert_allclose(tables.net_migration, tables.inflow - tables.outflow, atol=1e-6)
    np.testing.assert_allclose(tables.groupby("year").net_migration.sum(), 0, atol=1e-6)


def test_stocks(estimates, release_folder):
    stock = xr.load_dataset(release_folder / "stocks.nc", engine="netcdf4").stock
    b, r, date = estimates.codes[0], estimates.codes[1], int(stock.date_year[-1])
    one = estimates.stock(b, r, years=date)
    assert one.stock.item() == float(stock.sel(birthplace=b, residence=r, date_year=date))
    assert one.date.item() == f"{date}-01-01"
    every = estimates.stock(b, r).set_index("date")
    np.testing.assert_allclose(every.stock_upper.iloc[::2], every.stock.iloc[::2] * 1.1, rtol=1e-6)
    assert every.stock_lower.iloc[1::2].isna().all()
    residents = estimates.stock(residence=r, years=date)
    assert residents.stock.sum() == pytest.approx(float(stock.sel(residence=r, date_year=date).sum()))
    with pytest.raises(InputError, match="neither"):
        estimates.stock()


def test_flows_by_birthplace_add_up_to_the_corridor(estimates):
    o, d, year = *estimates.codes[:2], estimates.years[3]
    table = estimates.by_birthplace(o, d)
    whole = estimates.flow(o, d).set_index("year").flow
    difference = whole - table.groupby("year").flow.sum().reindex(whole.index, fill_value=0)
    # left out below half a person each, and rounded to a tenth
    assert (difference.abs() <= 0.55 * len(estimates.codes)).all() and table.flow.min() >= 0.5
    of_one_year = table[table.year == year].reset_index(drop=True)
    for other in (estimates.by_birthplace(origin=o, years=year), estimates.by_birthplace(destination=d, years=year)):
        same = other[(other.origin == o) & (other.destination == d)].reset_index(drop=True)
        pd.testing.assert_frame_equal(same, of_one_year)
    b = of_one_year.birthplace[0]
    born = estimates.by_birthplace(birthplace=b, years=year)
    same = born[(born.origin == o) & (born.destination == d)].reset_index(drop=True)
    pd.testing.assert_frame_equal(same, of_one_year[of_one_year.birthplace == b].reset_index(drop=True))
    pd.testing.assert_frame_equal(estimates.by_birthplace(o, d, b, years=year), same)


def test_flows_by_birthplace_have_intervals_wider_than_their_corridors(estimates):
    o, d = estimates.codes[:2]
    table = estimates.by_birthplace(o, d).merge(estimates.flow(o, d), on=["year", "origin", "destination"],
                                                suffixes=("", "_all"))
    assert (table.flow_lower <= table.flow).all() and (table.flow <= table.flow_upper).all()
    assert (table.flow_upper <= np.maximum(table.flow_upper_all, table.flow) + 0.1).all()
    relative = np.log1p(table.flow_lower) - np.log1p(table.flow)
    whole = np.log1p(table.flow_lower_all) - np.log1p(table.flow_all)
    large = table.flow_lower > 1
    assert large.any() and (relative < whole + 0.1)[large].all()


def test_a_release_with_less_answers_what_it_can(bare_folder, small_flows):
    bare = open_estimates(bare_folder)
    o, d = bare.codes[:2]
    assert list(bare.flow(o, d)) == ["year", "origin", "destination", "flow"]
    assert "does not hold" in bare.grade_rule and f"{len(bare.codes)} territories" in repr(bare)
    with pytest.raises(ArtifactError, match="does not hold flows by birthplace"):
        bare.by_birthplace(o, d)


def test_bad_questions(estimates):
    a, b = estimates.codes[:2]
    for error, ask in ((UnknownTerritoryError, lambda: estimates.flow("Atlantis", b)),
                       (YearRangeError, lambda: estimates.flow(a, b, 1066)),
                       (YearRangeError, lambda: estimates.net(a, "1999-1995")),
                       (InputError, lambda: estimates.flow(a, a)), (InputError, lambda: estimates.by_birthplace()),
                       (InputError, lambda: estimates.by_birthplace(a, a)),
                       (InputError, lambda: estimates.top("inflows", a, 1995)),
                       (InputError, lambda: estimates.top("inflow", a, None)),
                       (InputError, lambda: estimates.top("inflow", a, 1995, number=0)),
                       *((InputError, lambda n=n: estimates.top("inflow", a, 1995, number=n))
                         for n in (1.5, "3", None, True, np.nan, np.array([1, 2]), -1, [3])),
                       (InputError, lambda: estimates.top(np.array(["inflow", "outflow"]), a, 1995)),
                       (InputError, lambda: estimates.top(["inflow"], a, 1995)),
                       (UnknownTerritoryError, lambda: estimates.net(None)),
                       (UnknownTerritoryError, lambda: estimates.flow(np.array([1, 2]), b))):
        with pytest.raises(error) as caught:
            ask()
        assert "\n" not in str(caught.value) and "Remedy" in str(caught.value)


@pytest.fixture
def copy(release_folder, tmp_path):
    return shutil.copytree(release_folder, tmp_path / "copy")


def altered(folder, change):
    manifest = json.loads((folder / "manifest.json").read_text())
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_the_wrong_version_of_a_file_is_refused(copy, bare_folder):
    (copy / "flows.nc").write_bytes((bare_folder / "flows.nc").read_bytes())
    with pytest.raises(ArtifactError, match="not the version"):
        open_estimates(copy)
    (copy / "flows.nc").unlink()
    with pytest.raises(ArtifactError, match="missing"):
        open_estimates(copy)


def test_a_damaged_file_is_refused_when_it_is_used(copy):
    (copy / "birthplace.nc").write_bytes((copy / "birthplace.nc").read_bytes()[:-100])
    estimates = open_estimates(copy)
    a, b = estimates.codes[:2]
    assert len(estimates.flow(a, b))
    with pytest.raises(ArtifactError, match="not the version"):
        estimates.by_birthplace(a, b)


def test_files_of_another_format_are_refused(copy):
    altered(copy, lambda m: m.update(format=3))
    with pytest.raises(ArtifactError, match="format 3"):
        open_estimates(copy)
    for text in ("{", "[]", "{}", '{"files": 3}'):
        (copy / "manifest.json").write_text(text)
        with pytest.raises(ArtifactError, match="not a manifest"):
            open_estimates(copy)


@pytest.mark.parametrize("content", [b"", b"no NetCDF at all"])
def test_what_is_no_netcdf_is_refused(copy, content):
    import hashlib

    (copy / "flows.nc").write_bytes(content)
    altered(copy, lambda m: m["files"].update({"flows.nc": hashlib.sha256(content).hexdigest()}))
    with pytest.raises(ArtifactError, match="not readable"):
        open_estimates(copy)


def test_other_dimensions_are_refused(copy):
    from humanflows import artifacts

    flows = xr.load_dataset(copy / "flows.nc", engine="netcdf4")
    artifacts.write_netcdf(flows.transpose("origin", "destination", "year"), copy / "flows.nc")
    altered(copy, lambda m: m["files"].update({"flows.nc": artifacts.sha256(copy / "flows.nc")}))
    estimates = open_estimates(copy)
    with pytest.raises(ArtifactError, match="dimensions"):
        estimates.net(estimates.codes[0])


def test_no_release(tmp_path):
    with pytest.raises(ArtifactError, match="no release"):
        open_estimates(tmp_path)
