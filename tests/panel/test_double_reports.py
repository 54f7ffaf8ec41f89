"""Two reports of one flow."""
import numpy as np
import pandas as pd
import pytest

from humanflows import paths
from humanflows.errors import SchemaError
from humanflows.panel.double_reports import (
    DEFINITION_COLUMNS,
    DOUBLE_COLUMNS,
    compare_definitions,
    compare_double_reports,
)
from humanflows.panel.reporting_systems import read_classes


def report(source, reporter, side, origin, destination, persons, *, year=2000, criterion="residence"):
    return {"source": source, "reporter": reporter, "side": side, "criterion": criterion, "flow_type": "movement",
            "year": year, "origin": origin, "destination": destination, "persons": float(persons)}


def flow(*rows):
    return pd.DataFrame(list(rows))


def test_departures_are_held_beside_the_arrivals_of_the_same_corridor_and_year():
    table = compare_double_reports(flow(
        report("undesa_imfsc", "POL", "emigration", "POL", "DEU", 1_000),
        report("undesa_imfsc", "DEU", "immigration", "POL", "DEU", 80_000),
        report("undesa_imfsc", "DEU", "immigration", "POL", "DEU", 1_000, year=2001),      # one side only
        report("undesa_imfsc", "DEU", "emigration", "DEU", "POL", 60_000)))
    assert table["reporter"].tolist() == ["POL"] and table["cells"].tolist() == [1]
    assert table["median"].iloc[0] == pytest.approx(np.log(1_001 / 80_001), abs=1e-3)
    terms = read_classes().set_index(["part", "name", "side"])["log_bias_mean"]
    expected = (terms["duration", "permanent", "*"] + terms["class", "register_permanent", "emigration"]
                - terms["duration", "none", "*"] - terms["class", "register_corrected", "immigration"])
    assert table["expected"].iloc[0] == pytest.approx(expected, abs=1e-3)


def test_the_newest_collection_speaks_for_a_reporter():
    table = compare_double_reports(flow(
        report("undesa_imfsc", "SWE", "emigration", "SWE", "FIN", 100, year=2012),
        report("eurostat", "SWE", "emigration", "SWE", "FIN", 400, year=2012),
        report("eurostat_imm5prv", "FIN", "immigration", "SWE", "FIN", 400, year=2012)))
    assert table["cells"].tolist() == [1] and table["median"].tolist() == [0.0]


@pytest.mark.parametrize("change", [{"criterion": "citizenship"}, {"persons": 10}, {"year": 1985}])
def test_small_old_and_other_numbers_are_not_compared(change):
    pair = [{**report("undesa_imfsc", "SWE", "emigration", "SWE", "FIN", 60), **change},
            {**report("undesa_imfsc", "FIN", "immigration", "SWE", "FIN", 20), **change}]
    table = compare_double_reports(flow(*pair))
    assert table.empty and list(table.columns) == DOUBLE_COLUMNS


def test_two_definitions_of_one_office_are_compared_the_shorter_over_the_longer():
    rows = [report(source, "AUT", "immigration", "ROU", "AUT", persons, year=year, criterion="citizenship")
            for source, persons, year in (("oecd", 300, 2010), ("eurostat_imm1ctz", 200, 2010),
                                          ("undesa_imfsc", 200, 2010), ("oecd", 300, 2005),
                                          ("eurostat_imm1ctz", 300, 2005))]
    table = compare_definitions(flow(*rows))
    assert len(table) == 1 and list(table.columns) == DEFINITION_COLUMNS      # in 2005 both count 90 days
    first = table.iloc[0]
    assert (first["shorter"], first["longer"], first["shorter_in"], first["longer_in"], first["cells"]) == (
        "3", "12", "oecd", "eurostat_imm1ctz", 1)
    assert first["median"] == pytest.approx(np.log(301 / 201), abs=1e-3)


def test_a_report_without_a_definition_is_not_passed_over():
    with pytest.raises(SchemaError, match="BRA"):
        compare_double_reports(flow(report("undesa_imfsc", "BRA", "emigration", "BRA", "PRT", 500)))


@pytest.mark.sources
def test_the_committed_tables_are_those_of_the_sources():
    from humanflows.sources.catalogue import SOURCES, load_source

    folders = [f for f in (paths.mirror(), paths.CACHE) if f is not None]
    sources = [s for s in SOURCES.values() if "flow" in s.tables]
    if not all(any((folder / f).is_file() for folder in folders) for s in sources for f in s.files):
        pytest.skip("not every source of reported flows is on this machine (neither mirrored nor downloaded)")
    whole = pd.concat([load_source(s.name)["flow"] for s in sources], ignore_index=True)
    for made, file in ((compare_double_reports(whole), paths.DOUBLE_REPORTS),
                       (compare_definitions(whole), paths.TWO_DEFINITIONS)):
        kept = pd.read_csv(file, dtype={"duration": str, "shorter": str, "longer": str}, keep_default_na=False)
        pd.testing.assert_frame_equal(made.reset_index(drop=True), kept, check_dtype=False, atol=1e-9)
