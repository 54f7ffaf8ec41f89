"""The list of territories and the door at which codes are checked."""
import pandas as pd
import pytest

from humanflows import paths
from humanflows import territories as t
from humanflows.errors import InputError, UnknownTerritoryError


def test_there_are_231_in_sorted_order_each_named_once():
    table = t.territories()
    assert len(table) == len(t.codes()) == 231
    assert list(t.codes()) == sorted(set(t.codes()))
    assert all(len(code) == 3 and code.isupper() and code.isascii() for code in t.codes())
    for column in ("iso2", "m49", "name"):
        assert table[column].is_unique, column
    assert not table.isna().any().any()
    assert not (table == "").any().any()


def test_namibia_is_na_and_not_missing():
    assert t.territories().at["NAM", "iso2"] == "NA"
    assert t.from_iso2()["NA"] == "NAM"
    assert t.name("NAM") == "Namibia"


def test_every_cell_survives_a_reader_that_is_told_nothing():
    table = pd.read_csv(paths.TERRITORIES)
    assert not table.isna().any().any() and table.set_index("iso3").at["NAM", "iso2"].upper() == "NA"
    assert (table["iso2"].str.len() == 2).all()


def test_code_systems_agree():
    assert len(t.from_iso2()) == len(t.from_m49()) == 231
    assert (t.from_iso2()["DE"], t.from_m49()[276]) == ("DEU", "DEU")
    assert (t.from_iso2()["MX"], t.from_m49()[484]) == ("MEX", "MEX")


def test_every_territory_has_a_region_and_every_region_territories():
    regions = t.region_of()
    assert tuple(regions.index) == t.codes()
    assert set(regions) == set(t.REGIONS)
    assert regions["BRA"] == "Latin America and the Caribbean"


def test_a_caller_cannot_change_the_table():
    table, regions = t.territories(), t.region_of()
    table.loc["DEU", "name"] = "changed"
    regions["DEU"] = "changed"
    assert t.name("DEU") == "Germany"
    assert t.region_of()["DEU"] == "Europe"


def test_check_codes_tells_territories_from_what_is_declared_outside():
    values = pd.Series(["DEU", "WORLD", "FRA"], index=[10, 20, 30])
    known = t.check_codes(values, file="table.csv", outside={"WORLD"})
    assert known.to_dict() == {10: True, 20: False, 30: True}


@pytest.mark.parametrize("index", [[4, 7, 9], [4, 4, 4]], ids=["unique", "repeated"])
def test_an_unknown_code_names_file_row_code_and_the_nearest_ones(index):
    with pytest.raises(UnknownTerritoryError) as caught:
        t.check_codes(pd.Series(["DEU", "DEX", "QQQ"], index=index), file="table.csv")
    error = caught.value
    assert isinstance(error, InputError)
    assert (error.file, error.key) == ("table.csv", f"row {index[1]}")
    assert "'DEX'" in error.problem
    assert "DEU" in error.remedy
    assert str(error) == f"table.csv: {error.problem} [{error.key}]. Remedy: {error.remedy}"


@pytest.mark.parametrize("code", ["GER", "deu", "DE", "", None])
def test_what_is_not_an_upper_case_alpha_3_code_is_refused(code):
    with pytest.raises(UnknownTerritoryError, match=r"territories\.csv"):
        t.check_codes(pd.Series(["FRA", code]), file="table.csv")


def test_a_code_in_lower_case_is_answered_with_the_right_one():
    with pytest.raises(UnknownTerritoryError, match="did you mean DEU"):
        t.name("deu")
