"""What a platform shows of flows that offices count: classes, what is compared, and the committed table."""
import numpy as np
import pandas as pd
import xarray as xr

from humanflows import paths
from humanflows.model.privacy_noise import CENSORED_BELOW
from humanflows.panel.platform_counts import CLASSES, compare_platform


def panel_of(rows, log_bias=(0.0, 0.0, -0.5)) -> xr.Dataset:
    """Rows of (series, year, origin, destination, persons); series are a register, a platform and one that misses many.
    """
    series, year, origin, destination, persons = (np.array(x) for x in zip(*rows))
    return xr.Dataset({
        "flow_persons": ("observation", persons * 1.0), "flow_witness": ("observation", series),
        "flow_year": ("observation", year), "flow_origin": ("observation", origin),
        "flow_destination": ("observation", destination), "witness_source": ("witness", ["a", "meta", "b"]),
        "witness_criterion": ("witness", ["residence"] * 3),
        "report_log_bias": (("year", "witness"), np.tile(log_bias, (3, 1)))},
        coords={"year": [2018, 2019, 2020], "origin": range(5), "destination": range(5)})


def test_flows_are_counted_by_what_the_office_counts_and_by_whether_they_are_shown():
    table = compare_platform(panel_of([
        (0, 1, 0, 1, 3), (0, 1, 1, 0, 5), (0, 1, 2, 1, 400), (0, 1, 0, 2, 450),
        (1, 1, 0, 1, 60), (1, 1, 2, 1, 380), (1, 1, 1, 0, 55), (1, 1, 1, 2, 90), (1, 2, 3, 4, 70)]))
    assert table["counted_from"].tolist() == [0, 201] and table["counted_to"].tolist() == [5, 500]
    assert table["flows"].tolist() == [2, 2] and table["shown"].tolist() == [2, 1]
    assert table["median_counted"].tolist() == [4, 425] and table["median_shown"].tolist() == [57.5, 380]
    assert set(table["first_year"]) == {2019} and set(table["last_year"]) == {2020}


def test_years_and_places_outside_the_platform_and_offices_that_miss_many_are_not_compared():
    table = compare_platform(panel_of([
        (0, 0, 0, 1, 3),                                # a year without the platform
        (0, 1, 3, 1, 3), (0, 1, 0, 4, 3),               # places that it does not cover in the year
        (2, 1, 0, 1, 3),                                # an office that misses many
        (0, 1, 0, 1, 30), (1, 1, 0, 1, 60)]))
    assert table[["counted_from", "flows", "shown"]].values.tolist() == [[21, 1, 1]]


def test_the_committed_table_says_that_small_numbers_are_noise():
    table = pd.read_csv(paths.PANEL / "platform_counts.csv")
    limit = CENSORED_BELOW["meta"]
    few = table[table["counted_to"] <= 20]
    assert set(table["counted_from"]) <= set(CLASSES) and (table["median_shown"] >= limit).all()
    # Without noise hardly any of these would reach the limit; of larger flows the medians agree.
    assert few["flows"].sum() > 100 and few["shown"].sum() / few["flows"].sum() > 0.2
    large = table[table["counted_from"] >= 101]
    assert (abs(np.log(large["median_shown"] / large["median_counted"])) < 0.1).all()
    assert (large["shown"] / large["flows"] > 0.9).all()
