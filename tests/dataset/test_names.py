"""What people write becomes a code, or a plain error that names the nearest."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from humanflows.dataset.names import ALIASES, listed, name, plain, region, resolve
from humanflows.errors import UnknownTerritoryError
from humanflows.territories import territories


def test_the_table_is_the_one_of_the_project():
    table = territories()
    assert sorted(listed()) == list(table.index)
    assert all(name(c) == table.at[c, "name"] and region(c) == table.at[c, "region"] for c in table.index)


@given(st.sampled_from(sorted(listed())), st.sampled_from(["iso3", "iso2", "m49", "name"]),
       st.sampled_from([str.upper, str.lower, str.title, str]))
def test_every_code_and_name_is_its_territory_in_any_case(code, kind, written):
    # "ÎLE".lower() and "ß".upper() are other words; no name here has such a letter
    assert resolve(f" {written(getattr(listed()[code], kind))} ") == code


@pytest.mark.parametrize(("text", "code"), [
    ("Cote d’Ivoire", "CIV"), ("ivory coast", "CIV"), ("REUNION", "REU"), ("Turkey", "TUR"), ("the Gambia", "GMB"),
    ("U.K.", None), ("UK", "GBR"), ("Viet Nam", "VNM"), ("Saint Lucia", "LCA"), ("St Lucia", "LCA"), ("NA", "NAM"),
    ("Bosnia & Herzegovina", "BIH"), ("004", "AFG"), ("4", "AFG"), ("Guinea", "GIN"), ("Niger", "NER")])
def test_other_spellings(text, code):
    if code is None:
        with pytest.raises(UnknownTerritoryError):
            resolve(text)
    else:
        assert resolve(text) == code


def test_aliases_are_of_listed_territories_and_of_one_only():
    spelled = {}
    for code, texts in ALIASES.items():
        for text in texts:
            assert spelled.setdefault(plain(text), code) == code
            assert resolve(text) == code
    assert set(ALIASES) <= set(listed())


@pytest.mark.parametrize(("text", "near"), [("Syira", "Syria (SYR)"), ("Columbia", "Colombia (COL)"),
                                            ("Germny", "Germany (DEU)"), ("Korea", "South Korea (KOR)"),
                                            ("Nigera", "Nigeria (NGA)"), ("Venzuela", "Venezuela (VEN)")])
def test_a_mistyped_name_is_answered_with_the_nearest(text, near):
    with pytest.raises(UnknownTerritoryError, match="did you mean") as error:
        resolve(text)
    assert near in str(error.value) and text in str(error.value) and "\n" not in str(error.value)


@given(st.text(max_size=30))
def test_any_text_is_a_territory_or_a_plain_error(text):
    try:
        assert resolve(text) in listed()
    except UnknownTerritoryError as error:
        assert error.remedy


def test_only_the_territories_that_there_are():
    assert resolve("AAA", ("AAA", "DEU")) == "AAA"
    with pytest.raises(UnknownTerritoryError, match="France"):
        resolve("France", ("AAA", "DEU"))
