"""Numbers, intervals, years and names in words."""
import pytest

from humanflows.countries import words

NONE = float("nan")


@pytest.mark.parametrize(("number", "signed", "text"), [
    (1234567, False, "1.23 million"), (999_600, False, "1 million"), (999_400, False, "999,000"),
    (12345, False, "12,300"), (-45.2, True, "−45"), (45.2, True, "+45"), (0.2, True, "0"), (NONE, False, "")])
def test_persons(number, signed, text):
    assert words.persons(number, signed=signed) == text


def test_a_table_has_full_digits():
    assert words.count(1234567) == "1,230,000" and words.count(-1234.5, signed=True) == "−1,230"


@pytest.mark.parametrize(("share", "text"), [
    (0, "none"), (NONE, "none"), (0.0004, "under 0.1%"), (0.004, "0.4%"), (0.123, "12%"), (0.997, "over 99%"),
    (1.0, "100%")])
def test_percent(share, text):
    assert words.percent(share) == text


def test_intervals():
    assert words.between(1000, 2346) == "1,000 to 2,350"
    assert words.between(-10, 20, signed=True) == "−10 to +20"
    assert words.between(NONE, 3) == "" and words.between(1, float("inf")) == ""


def test_years_and_lists():
    assert words.spell_years([2001, 2000, 2002, 2005, 2009, 2010]) == "2000–2002, 2005 and 2009–2010"
    assert words.spell_years([1990]) == "1990" and words.listed([]) == ""


def test_names_in_sentences():
    assert words.in_sentence("NLD", "Netherlands") == "the Netherlands"
    assert words.in_sentence("SYR", "Syria") == "Syria" and words.capital("the x") == "The x"


def test_every_name_with_an_article_is_a_territory():
    from humanflows.dataset.names import listed

    assert set(listed()) >= words.WITH_ARTICLE
