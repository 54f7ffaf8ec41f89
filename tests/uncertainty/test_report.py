"""Tables as files, totals by draws, and the last release's coverage beside that of draws."""
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from humanflows.errors import ArtifactError, SchemaError
from humanflows.results.released_sums import KEYS, totals_of
from humanflows.uncertainty.coverage import COLUMNS
from humanflows.uncertainty.judge import judge_reports
from humanflows.uncertainty.report import (
    assemble_coverage,
    compare_with_release,
    open_coverage,
    sum_table,
    write_tables,
)

from .worlds import PLACES, simulate

CODES = ["AFG", "DEU", "FRA", "USA"]


@pytest.fixture(scope="module")
def table():
    judged = judge_reports(*simulate(), seed=1, regions=["east"] * PLACES)
    return assemble_coverage([judged.cells, judged.sums, judged.sums.iloc[:0]])


@pytest.fixture(scope="module")
def flow():
    values = np.random.default_rng(1).gamma(1.0, 1000, (60, 2, 4, 4)).astype(np.float32)
    return xr.DataArray(values, dims=("draw", "year", "origin", "destination"),
                        coords={"year": [2020, 2021], "origin": CODES, "destination": CODES})


def test_totals_are_those_of_the_mean_flows(flow):
    sums = sum_table(flow)
    totals = totals_of(flow.mean("draw").values, [2020, 2021], CODES)
    np.testing.assert_allclose(sums.set_index(KEYS)["persons"], totals.loc[sums.set_index(KEYS).index], rtol=1e-5)
    order = sums[["lower", "lower_80", "lower_50", "persons", "upper_50", "upper_80", "upper"]].to_numpy()
    assert (np.diff(order, axis=1) >= 0).all()


def test_a_totals_interval_is_counted_from_its_draws(flow):
    sums = sum_table(flow).set_index(KEYS)
    values = flow.values[:, 0].copy()
    values[:, range(4), range(4)] = 0
    world = values.sum((1, 2), dtype=float)
    row = sums.loc[("world", "World", "World", 2020)]
    inside = ((world >= row["lower_80"]) & (world <= row["upper_80"])).mean()
    assert abs(inside - 0.8) < 0.05
    corridors = np.quantile(values, 0.975, axis=0, method="weibull").sum()
    assert row["upper"] < corridors       # no sum of its corridors' ends


def test_a_table_is_read_as_it_was_written(table, tmp_path):
    files = write_tables({"coverage.csv": table}, tmp_path)
    again = open_coverage(files["coverage.csv"])
    pd.testing.assert_frame_equal(again, table, rtol=1e-5)


@pytest.mark.parametrize(("damage", "says"), [
    (lambda t: t.drop(columns="error95_offices"), "error95_offices"), (lambda t: t.assign(cover95=1.2), "cover95"),
    (lambda t: t.assign(cover80=np.nan), "cover80"), (lambda t: t.assign(n=0), "n is"),
    (lambda t: t.assign(crps="many"), "crps"), (lambda t: t.assign(evidence="A"), "evidence")])
def test_a_damaged_table_is_refused_in_a_line(table, tmp_path, damage, says):
    file = tmp_path / "coverage.csv"
    damage(table).to_csv(file, index=False)
    with pytest.raises(ArtifactError, match=says) as error:
        open_coverage(file)
    assert str(file) in str(error.value)


def test_files_that_are_no_tables_are_refused(tmp_path):
    file = tmp_path / "coverage.csv"
    with pytest.raises(ArtifactError):
        open_coverage(file)
    for content in (b"", b"\x00\xff\xfe", b'"a,b\n1,2'):
        file.write_bytes(content)
        with pytest.raises(ArtifactError, match="coverage"):
            open_coverage(file)
    file.write_text("quantity,method\nflow,humanflows\n", encoding="utf-8")      # a table of releases 1 and 2
    with pytest.raises(ArtifactError, match="format"):
        open_coverage(file)


def test_tables_of_other_names_or_columns_are_not_written(table, tmp_path):
    with pytest.raises(ArtifactError, match="name"):
        write_tables({"coverage.csv": table, "others.csv": table}, tmp_path)
    with pytest.raises(ArtifactError, match="cover95"):
        write_tables({"coverage.csv": table.drop(columns="cover95")}, tmp_path)
    assert not list(tmp_path.iterdir())


def test_rows_of_one_kind_stand_beside_the_last_releases(table):
    released = pd.DataFrame([
        {"quantity": "flow", "method": "humanflows", "kind": "held-out corridors", "grouping": g, "group": v,
         "level": level, "n": 10, "coverage": level - 0.1, "crps": 0.5, "width": np.log(7.0)}
        for g, v in (("all", "all"), ("size", "1,000 to 10,000")) for level in (0.5, 0.8, 0.95)])
    beside = compare_with_release(table, released)
    assert beside["size"].tolist() == ["all", "1 to 10 thousand"]
    assert beside["released_cover95"].to_numpy() == pytest.approx(0.85)
    assert beside["released_factor"].to_numpy() == pytest.approx(7.0)
    assert beside["cover95"].notna().all()
    with pytest.raises(SchemaError, match="width"):
        compare_with_release(table, released.drop(columns="width"))


def test_nothing_judged_makes_an_empty_table():
    assert list(assemble_coverage([]).columns) == list(COLUMNS)


def test_totals_of_other_arrays_are_refused(flow):
    with pytest.raises(SchemaError, match="dims"):
        sum_table(flow.isel(draw=0))
