"""Breaks in series of reports."""
import numpy as np
import pandas as pd

from humanflows.panel.breaks import ABSENT, ENDS, FALLS, find_breaks

SERIES = ["source", "origin"]


def table(**series):
    """Long table: each series by its origin, with persons by year."""
    rows = [("a", origin, year, float(v)) for origin, values in series.items() for year, v in values.items()]
    return pd.DataFrame(rows, columns=[*SERIES, "year", "persons"])


def test_each_kind_is_found_once_with_its_numbers():
    frame = table(AUT={2000: 5000, 2001: 4000, 2002: 300, 2003: 290},          # loses nine tenths
                  BEL={2000: 2000, 2003: 1900},                                # absent for two years
                  CHE={2000: 3000, 2001: 3100},                                # ends
                  DNK={2000: 1000, 2001: 900, 2002: 800, 2003: 700})           # none
    found = find_breaks(frame.sample(frac=1, random_state=1), SERIES).set_index("origin")
    assert found["kind"].to_dict() == {"AUT": FALLS, "BEL": ABSENT, "CHE": ENDS}
    assert found["year"].to_dict() == {"AUT": 2002, "BEL": 2001, "CHE": 2002}
    assert found["before"].to_dict() == {"AUT": 4000, "BEL": 2000, "CHE": 3100}
    assert found["years_absent"].to_dict() == {"AUT": 0, "BEL": 2, "CHE": 2}
    assert found.at["AUT", "after"] == 300 and found.at["BEL", "after"] == 1900 and np.isnan(found.at["CHE", "after"])


def test_a_reported_zero_after_many_is_a_fall():
    found = find_breaks(table(AUT={2000: 5000, 2001: 0}), SERIES)
    assert found["kind"].tolist() == [FALLS] and found["after"].tolist() == [0]


def test_small_series_are_not_listed_and_the_end_of_a_whole_collection_is_none():
    assert find_breaks(table(AUT={2000: 999, 2001: 1}), SERIES).empty
    assert find_breaks(table(AUT={2000: 5000, 2001: 5000}), SERIES).empty
    later = pd.concat([table(AUT={2000: 5000, 2001: 5000}), table(BEL={2005: 1}).assign(source="b")])
    assert find_breaks(later, SERIES).empty, "collection a ends in 2001 for all"
