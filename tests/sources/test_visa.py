"""Visa requirements: the scale, and input that must be refused."""
import numpy as np
import pytest

from humanflows.errors import DuplicateKeyError, SourceFileError, UnknownTerritoryError
from humanflows.sources import omissions
from humanflows.sources.omissions import Omissions
from humanflows.sources.visa import read_visa

ROWS = ("FRA,DEU,visa free", "FRA,GBR,180", "FRA,USA,eta", "FRA,IND,e-visa", "FRA,KEN,visa on arrival",
        "DEU,FRA,visa required", "ISR,IRN,no admission", "FRA,FRA,-1", "FRA,XKX,90", "VAT,FRA,visa free",
        "NAM,FRA,visa required")


@pytest.fixture
def sample(tmp_path):
    """Write a tiny file of these rows."""
    def write(*rows, header="Passport,Destination,Requirement"):
        (tmp_path / "visa.csv").write_text("\n".join([header, *rows]) + "\n")
        return tmp_path / "visa.csv"
    return write


def test_scale_and_direction(sample):
    omitted = Omissions()
    frame = read_visa(sample(*ROWS), omitted=omitted)
    assert omitted.table().set_index("reason")["rows"].to_dict() == {omissions.SAME_TERRITORY: 1, omissions.OUTSIDE: 2}
    assert len(frame) + 3 == len(ROWS)
    value = frame.set_index(["origin", "destination"])["value"]
    assert value.to_dict() == {
        ("FRA", "DEU"): 1, ("FRA", "GBR"): 0.75, ("FRA", "USA"): 0.75, ("FRA", "IND"): 0.5, ("FRA", "KEN"): 0.5,
        ("DEU", "FRA"): 0.25, ("ISR", "IRN"): 0, ("NAM", "FRA"): 0.25}
    assert set(frame["variable"]) == {"visa_ease"} and set(frame["source"]) == {"visa"}


def test_bad_files_are_refused(sample, tmp_path):
    with pytest.raises(SourceFileError, match=r"visa\.csv.*lacks the columns \['Requirement'\].*Remedy"):
        read_visa(sample("FRA,DEU,90", header="Passport,Destination,Rule"))
    with pytest.raises(UnknownTerritoryError, match=r"'FRX'.*row 1"):
        read_visa(sample("FRA,DEU,90", "FRX,DEU,90"))
    for rule in ("400", "0", "-1", "-90", "covid ban", "", "9.5"):
        with pytest.raises(SourceFileError, match=rf"unknown requirement '{rule}' \[row 1: .*Remedy"):
            read_visa(sample("FRA,DEU,90", f"DEU,FRA,{rule}"))
    with pytest.raises(SourceFileError, match=r"unknown requirement '90'"):
        read_visa(sample("FRA,FRA,90"))
    with pytest.raises(DuplicateKeyError, match=r"origin=FRA, destination=DEU"):
        read_visa(sample("FRA,DEU,90", "FRA,DEU,30"))
    with pytest.raises(SourceFileError, match=r"missing"):
        read_visa(tmp_path / "nothing.csv")


@pytest.mark.sources
def test_real_file(source_file):
    frame = read_visa(source_file("extras/passport-index-tidy-iso3.csv"))
    value = frame.set_index(["origin", "destination"])["value"]
    assert len(frame) == 197 * 196 and set(np.unique(frame["value"])) == {0, 0.25, 0.5, 0.75, 1}
    assert value["FRA", "DEU"] == value["AUS", "NZL"] == value["IND", "NPL"] == 1
    assert value["DEU", "USA"] == 0.75 and value["IND", "USA"] == 0.25 and value["ISR", "IRN"] == 0
    strong = frame.groupby("origin")["value"].mean()
    assert strong["DEU"] > strong["BRA"] > strong["IND"] > strong["AFG"]
