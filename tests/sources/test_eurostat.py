"""Eurostat as compiled by MigMod: a frame made here, and the real file."""
import numpy as np
import pandas as pd
import pytest

from humanflows.errors import DuplicateKeyError, NegativeCountError, SchemaError, UnknownTerritoryError
from humanflows.sources.eurostat import read_eurostat, tidy
from humanflows.sources.omissions import NO_NUMBER, Omissions


def frame(**changes):
    data = pd.DataFrame({"SEX": ["Total", "Total"], "Year": [2012.0, 2013.0], "Sending_iso3": ["POL", "POL"],
                         "Receiving_iso3": ["DEU", "DEU"], "Immi": [100.0, np.nan], "Emig": [40.0, 50.0]})
    for column, values in changes.items():
        data[column] = values
    return data


def test_both_reporters_speak_and_nan_is_unreported():
    omitted = Omissions()
    table = tidy(frame(), file="x", omitted=omitted)
    assert omitted.table().values.tolist() == [[NO_NUMBER, 2013, 1, 0]]
    rows = {(r.side, r.reporter, r.year): r.persons for r in table.itertuples()}
    assert rows == {("immigration", "DEU", 2012): 100, ("emigration", "POL", 2012): 40, ("emigration", "POL", 2013): 50}
    assert set(table["origin"]) == {"POL"} and set(table["destination"]) == {"DEU"}


@pytest.mark.parametrize("changes, error", [
    ({"SEX": ["Total", "F"]}, SchemaError), ({"Sending_iso3": ["POL", "PLO"]}, UnknownTerritoryError),
    ({"Year": [2012.0, 2012.0]}, DuplicateKeyError), ({"Emig": [40.0, -1.0]}, NegativeCountError)])
def test_bad_rows_are_named(changes, error):
    with pytest.raises(error, match=r"file\.rda.*row.*Remedy"):
        tidy(frame(**changes), file="file.rda")


@pytest.mark.sources
def test_real_file(source_file):
    table = read_eurostat(source_file("eurostat_migmod/mig_data.rda"))
    assert table["side"].value_counts().to_dict() == {"immigration": 3624, "emigration": 3520}
    assert table["year"].min() == 2010 and table["year"].max() == 2019
    assert set(table["origin"]) == set(table["destination"]) and table["origin"].nunique() == 27
    assert (table["reporter"] == table["destination"].where(table["side"] == "immigration", table["origin"])).all()
