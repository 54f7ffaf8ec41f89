"""Rows about all reports and about those of trusted offices; tables without the column are about all."""
import numpy as np
import pandas as pd
import pytest

from humanflows.errors import SchemaError
from humanflows.results.offices import ALL, OFFICES, TRUSTED, of_offices, with_offices


def test_a_table_without_the_column_is_about_all():
    table = pd.DataFrame({"r": [1.0, 2.0]}, index=[5, 7])
    pd.testing.assert_frame_equal(of_offices(table), table)
    assert of_offices(table, TRUSTED).empty
    assert with_offices(table)["offices"].tolist() == [ALL, ALL] and "offices" not in table


def test_rows_are_told_apart():
    table = pd.DataFrame({"offices": ["all", "trusted", np.nan, ""], "r": range(4)})
    assert of_offices(table)["r"].tolist() == [0, 2, 3]
    assert of_offices(table, TRUSTED)["r"].tolist() == [1]
    assert OFFICES == ("all", "trusted")
    assert of_offices(table.iloc[:0]).empty


def test_unknown_offices_are_named():
    with pytest.raises(SchemaError, match="'some'") as caught:
        with_offices(pd.DataFrame({"offices": ["all", "some"]}))
    assert caught.value.key == "row 1"
    with pytest.raises(SchemaError, match="'best'"):
        of_offices(pd.DataFrame({"offices": ["all"]}), "best")
