"""Eurostat's stocks of permits and of temporary protection: files made here, and the real ones."""
import pandas as pd
import pytest
from accounting import assert_accounted, left_out

from humanflows.errors import DuplicateKeyError, NegativeCountError, SchemaError, UnknownTerritoryError
from humanflows.sources import omissions as why
from humanflows.sources.eurostat_asytpsm import ANOTHER_MONTH, read_eurostat_asytpsm
from humanflows.sources.eurostat_io import NON_CITIZENS
from humanflows.sources.eurostat_resvalid import NO_PERMIT_NEEDED, read_eurostat_resvalid
from humanflows.sources.omissions import Omissions

PROTECTED = [("EL", "2022-11", "20000", ""), ("EL", "2022-12", "21315", ""), ("EL", "2023-01", "21500", "b"),
             ("IE", "2022-12", "68475", "e"), ("CY", "2022-12", "", "")]
VALID = [("India", "Germany", "100000.0", 2019), ("Croatia", "Germany", "0", 2015), ("Croatia", "Germany", "7", 2016),
         ("United Kingdom", "Germany", "0", 2019), ("Norway", "Malta", "0", 2022), ("Kosovo*", "Germany", "200", 2019),
         ("Total", "Germany", "100236", 2019), ("Stateless", "Germany", "25", 2019), ("Unknown", "Germany", "11", 2019),
         ("Recognised non-citizens", "Latvia", "192183", 2019), ("Viet Nam", "Malta", "0", 2022),
         ("India", "Malta", "4", 2022), ("Malta", "Malta", "1", 2022)]


def protected_sample(folder, rows=PROTECTED):
    """A small file like that of temporary protection."""
    path = folder / "temporary_protection.csv"
    frame = pd.DataFrame(rows, columns=["geo", "TIME_PERIOD", "OBS_VALUE", "OBS_FLAG"])
    frame.assign(citizen="UA", sex="T", age="TOTAL", unit="PER").to_csv(path, index=False)
    return path


def valid_sample(folder, rows=VALID):
    """A small file like that of valid permits."""
    path = folder / "valid_permits.csv"
    frame = pd.DataFrame(rows, columns=["Country of citizenship", "geo", "Migrants number", "year"])
    frame.to_csv(path, index=False)
    return path


def test_only_the_last_day_of_the_year_is_kept(tmp_path):
    omitted = Omissions()
    frame = read_eurostat_asytpsm(protected_sample(tmp_path), omitted=omitted)
    assert frame.set_index(["year", "origin", "destination"])["value"].to_dict() == {
        (2022, "UKR", "GRC"): 21315, (2022, "UKR", "IRL"): 68475}
    assert frame.set_index("destination")["status"].to_dict() == {"GRC": "reported", "IRL": "estimated"}
    assert left_out(omitted) == {ANOTHER_MONTH: (2, 0), why.NO_NUMBER: (1, 0)}


@pytest.mark.parametrize("row, error", [
    (("EL", "2022-13", "5", ""), SchemaError), (("XX", "2022-12", "5", ""), UnknownTerritoryError),
    (("EL", "2022-12", "5", ""), DuplicateKeyError), (("DE", "2022-12", "-5", ""), NegativeCountError)])
def test_bad_rows_of_protection_are_named(tmp_path, row, error):
    with pytest.raises(error, match=rf"temporary_protection\.csv.*row {len(PROTECTED) + 2}.*Remedy"):
        read_eurostat_asytpsm(protected_sample(tmp_path, [*PROTECTED, row]))


def test_december_in_thousands_is_refused(tmp_path):
    rows = [("DE", "2022-11", "930000", ""), ("DE", "2022-12", "936", ""), ("DE", "2023-01", "940000", "")]
    with pytest.raises(SchemaError, match=r"DEU"):
        read_eurostat_asytpsm(protected_sample(tmp_path, rows))


def test_permits_and_what_is_left_out(tmp_path):
    omitted = Omissions()
    frame = read_eurostat_resvalid(valid_sample(tmp_path), omitted=omitted)
    assert frame.set_index(["year", "origin", "destination"])["value"].to_dict() == {
        (2019, "IND", "DEU"): 100000, (2016, "HRV", "DEU"): 7, (2022, "VNM", "MLT"): 0, (2022, "IND", "MLT"): 4}
    assert_accounted(len(VALID), sum(float(r[2]) for r in VALID), omitted, frame)
    assert left_out(omitted) == {
        why.AGGREGATE: (1, 100236), why.STATELESS: (1, 25), why.UNKNOWN: (1, 11), why.OUTSIDE: (1, 200),
        NON_CITIZENS: (1, 192183), NO_PERMIT_NEEDED: (2, 0), why.UNREPORTED_YEAR: (1, 0), why.OWN: (1, 1)}


@pytest.mark.parametrize("row, error", [
    (("Indía", "Germany", "5", 2019), UnknownTerritoryError), (("India", "Germany", "5", 2019), DuplicateKeyError),
    (("China", "Germany", "n.a.", 2019), SchemaError)])
def test_bad_rows_of_permits_are_named(tmp_path, row, error):
    with pytest.raises(error, match=rf"valid_permits\.csv.*row {len(VALID) + 2}.*Remedy"):
        read_eurostat_resvalid(valid_sample(tmp_path, [*VALID, row]))


@pytest.mark.sources
def test_published_numbers_of_temporary_protection(source_file):
    frame = read_eurostat_asytpsm(source_file("eurostat_asytpsm/temporary_protection_beneficiaries_monthly.csv"))
    value = frame.set_index(["year", "destination"])["value"]
    assert value[2022, "POL"] == 956_760 and value[2022, "DEU"] == 936_375
    assert frame.groupby("year").size().to_dict() == {2022: 31, 2023: 31, 2024: 31}


@pytest.mark.sources
def test_permits_by_citizenship_add_up_to_the_total(source_file):
    path, omitted = source_file("eurostat_resvalid/migrants_all_valid_permits.csv"), Omissions()
    frame = read_eurostat_resvalid(path, omitted=omitted)
    raw = pd.read_csv(path, keep_default_na=False)
    assert_accounted(len(raw), raw["Migrants number"].sum(), omitted, frame)
    assert frame["destination"].nunique() == 32 and (frame["origin"] == "NAM").any()
    named = raw[raw["Country of citizenship"] != "Total"].groupby(["geo", "year"])["Migrants number"].sum()
    total = raw[raw["Country of citizenship"] == "Total"].set_index(["geo", "year"])["Migrants number"]
    assert (named / total).sub(1).abs().max() < 0.004
