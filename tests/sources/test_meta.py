"""Meta's flows: files made here, and the real ones."""
import json

import pytest

from humanflows.errors import NegativeCountError, SourceFileError, UnknownTerritoryError
from humanflows.sources import omissions
from humanflows.sources.meta import CENSORED_BELOW, read_meta
from humanflows.sources.omissions import Omissions


@pytest.fixture
def write(tmp_path):
    def write_file(content, name="flows_2020_2021.json"):
        (tmp_path / name).write_text(content if isinstance(content, str) else json.dumps(content))
        return tmp_path / name

    return write_file


def test_outer_key_is_the_destination_and_the_diagonal_is_left_out(write):
    omitted = Omissions()
    table = read_meta([write({"AE": {"BD": 193352, "AE": -7, "XK": 60}, "NA": {"AE": 51}, "XK": {"AE": 70}})],
                      omitted=omitted)
    rows = {(r.year, r.origin, r.destination): r.persons for r in table.itertuples()}
    assert rows == {(2020, "BGD", "ARE"): 193352, (2020, "ARE", "NAM"): 51}
    assert omitted.table().values.tolist() == [[omissions.BALANCE, 2020, 1, 0], [omissions.OUTSIDE, 2020, 2, 130]]
    assert set(table["reporter"]) == {"META"} and set(table["side"]) == {"both"}
    assert set(table["flow_type"]) == {"transition"}


def test_bad_files_are_named(write):
    with pytest.raises(UnknownTerritoryError, match=r"'QQ'.*corridor QQ-AE"):
        read_meta([write({"AE": {"QQ": 60}})])
    with pytest.raises(NegativeCountError, match=r"origin=BGD, destination=ARE"):
        read_meta([write({"AE": {"BD": -60}})])
    with pytest.raises(SourceFileError, match="JSON"):
        read_meta([write('{"AE": {"BD": 6')])
    with pytest.raises(SourceFileError, match="year"):
        read_meta([write({}, "flows_2020_2023.json")])


@pytest.mark.sources
def test_real_files(source_file):
    table = read_meta([source_file(f"meta/flows_{y}_{y + 1}.json") for y in range(2019, 2023)])
    assert table["persons"].min() >= CENSORED_BELOW == 50
    one = table.set_index(["year", "origin", "destination"])["persons"]
    # Workers go to the Emirates, not from them; and total flow is what the authors publish (39 M in 2022).
    assert one[2022, "BGD", "ARE"] > 5 * one.get((2022, "ARE", "BGD"), 0)
    assert one[2022, "UKR", "POL"] > one[2022, "POL", "UKR"]
    assert one.loc[2022].sum() == pytest.approx(38.5e6, rel=0.01)
    assert set(table["year"]) == {2019, 2020, 2021, 2022}
