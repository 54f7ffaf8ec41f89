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


KNOWN = {"undesa_ims": "stock", "undesa_imfsc": "flow"}
ROW = {"source": "undesa_ims", "table": "stock", "key": KEY, "old": 99, "new": 11, "reason": "a reason",
       "reference": ""}


@pytest.mark.parametrize("changes", [{"source": "undesa_imss"}, {"source": ""}, {"table": "flow"}])
def test_a_correction_that_would_never_be_used_is_an_error(listed, changes):
    row = ROW | changes
    if "table" in changes:
        row["key"] = ("reporter=DEU;side=emigration;criterion=residence;flow_type=movement;year=2000;origin=DEU;"
                      "destination=USA")
    assert len(read_corrections(listed(list(ROW.values())), KNOWN)) == 1
    with pytest.raises(SchemaError) as caught:
        read_corrections(listed(list(row.values())), KNOWN)
    assert caught.value.key == row["key"]


def test_catalogue_refuses_corrections_of_sources_that_it_lacks(listed):
    from humanflows.sources.catalogue import load_source
    with pytest.raises(SchemaError, match="undesa_ims'"):
        load_source("eu", corrections=listed(list((ROW | {"source": "undesa_imss"}).values())))


def test_corrections_of_another_table_than_the_one_read_are_an_error(stock, listed):
    file = listed(list(ROW.values()))
    with pytest.raises(SchemaError):
        apply_corrections(stock, "undesa_ims", file, table="flow")
    with pytest.raises(SchemaError):
        apply_corrections(stock.assign(more=1), "undesa_ims", file)     # a table that cannot be told by its columns


@pytest.mark.parametrize("again", [";".join(reversed(KEY.split(";"))), KEY.replace("=1995", "= 1995"),
                                   KEY.replace(";", " ; "), KEY.replace("=", " = ")])
def test_no_correction_twice_however_its_key_is_written(listed, again):
    with pytest.raises(DuplicateKeyError):
        read_corrections(listed(list(ROW.values()), list((ROW | {"key": again, "new": 12}).values())))


@pytest.mark.parametrize("key", [KEY.replace("1995", "abc"), KEY.replace("1995", ""), KEY.replace("1995", "1995.0"),
                                 KEY + ";year=2000", KEY + ";more", KEY + ";", "year", "",
                                 KEY.replace("1995", "\u00b2")])
def test_a_key_that_names_no_cell_is_an_error(listed, key):
    with pytest.raises(SchemaError) as caught:
        read_corrections(listed(list((ROW | {"key": key}).values())))
    assert caught.value.key == key


@pytest.mark.parametrize("changes", [{"old": "abc"}, {"new": ""}, {"new": "nan"}, {"new": "inf"}])
def test_values_are_finite_numbers(listed, changes):
    with pytest.raises(SchemaError):
        read_corrections(listed(list((ROW | changes).values())))
