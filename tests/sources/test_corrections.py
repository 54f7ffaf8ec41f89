"""Hand corrections."""
import pandas as pd
import pytest

from humanflows import paths
from humanflows.errors import DuplicateKeyError, InputError, SchemaError
from humanflows.sources.corrections import COLUMNS, apply_corrections, read_corrections

KEY = "revision=2024;year=1995;birthplace=DEU;residence=USA"


@pytest.fixture
def stock():
    return pd.DataFrame({"source": "undesa_ims", "revision": 2024, "year": [1990, 1995], "birthplace": "DEU",
                         "residence": "USA", "persons": [10.0, 99.0], "definition": "foreign_born",
                         "status": "reported"})


@pytest.fixture
def listed(tmp_path):
    def write(*rows):
        frame = pd.DataFrame(rows, columns=COLUMNS)
        frame.to_csv(tmp_path / "corrections.csv", index=False)
        return tmp_path / "corrections.csv"
    return write


def test_one_value_changes_and_says_so(stock, listed):
    file = listed(["undesa_ims", "stock", KEY, 99, 11, "typing error", "census"])
    corrected = apply_corrections(stock, "undesa_ims", file)
    assert corrected["persons"].tolist() == [10.0, 11.0] and corrected["status"].tolist() == ["reported", "imputed"]
    assert stock["persons"].tolist() == [10.0, 99.0], "the frame given is left alone"
    assert apply_corrections(stock, "other", file) is stock


def test_another_value_in_the_source_is_an_error(stock, listed):
    file = listed(["undesa_ims", "stock", KEY, 98, 11, "typing error", ""])
    with pytest.raises(InputError, match=r"expects 98 but the source says 99.*birthplace=DEU.*Remedy"):
        apply_corrections(stock, "undesa_ims", file)


def test_a_row_that_is_not_there_is_an_error(stock, listed):
    file = listed(["undesa_ims", "stock", KEY.replace("1995", "2000"), 99, 11, "typing error", ""])
    with pytest.raises(InputError, match=r"finds 0 rows"):
        apply_corrections(stock, "undesa_ims", file)


def test_a_key_that_is_incomplete_is_an_error(stock, listed):
    file = listed(["undesa_ims", "stock", "year=1995;birthplace=DEU", 99, 11, "typing error", ""])
    with pytest.raises(SchemaError, match=r"key names"):
        apply_corrections(stock, "undesa_ims", file)


def test_no_correction_twice_or_without_reason(listed):
    with pytest.raises(SchemaError, match=r"no reason"):
        read_corrections(listed(["undesa_ims", "stock", KEY, 99, 11, " ", ""]))
    with pytest.raises(DuplicateKeyError):
        read_corrections(listed(*(["undesa_ims", "stock", KEY, 99, new, "a reason", ""] for new in (11, 12))))


def test_the_projects_own_list_names_known_sources_and_reasons():
    from humanflows.sources.catalogue import SOURCES
    own = read_corrections(paths.CORRECTIONS)
    assert KEY in set(own["key"]) and set(own["source"]) <= set(SOURCES)
    assert (own["reason"].str.len() > 40).all() and (own["reference"] != "").all()
