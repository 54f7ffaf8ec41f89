"""UNHCR's asylum applications and solutions: files made here, and the real ones."""
import numpy as np
import pandas as pd
import pytest
import rdata
from accounting import assert_accounted, left_out

from humanflows.errors import DuplicateKeyError, NegativeCountError, SchemaError, UnknownTerritoryError
from humanflows.sources import omissions as why
from humanflows.sources.omissions import Omissions
from humanflows.sources.rdata_io import read_frame
from humanflows.sources.unhcr_more import NO_MOVE, NOT_NEW, NOT_TERRITORIES, read_unhcr_more

APPLICATIONS = [  # year, origin, asylum, authority, type, level, persons or cases, number
    (2015, "SYR", "DEU", "G", "N", "NA", "P", 158657), (2015, "SYR", "DEU", "G", "A", "JR", "P", 900),
    (2015, "SYR", "DEU", "G", "R", "RA", "P", 3853), (2010, "SOM", "SWE", "G", "N", "FI", "P", 5000),
    (2010, "SOM", "SWE", "G", "N", "AR", "P", 1500), (2023, "COD", "COG", "G", "N", "AR", "P", 2851),
    (2015, "CHN", "USA", "G", "N", "IN", "C", 1000), (2015, "CHN", "USA", "G", "N", "EO", "P", 700),
    (2022, "CHN", "USA", "G", "N", "IN", "P", 2000), (2001, "IRQ", "GBR", "G", "V", "FI", "C", 400),
    (2018, "YEM", "MYS", "U", "N", "FI", "P", 30), (2018, "YEM", "MYS", "G", "N", "FI", "P", 4),
    (2018, "XXA", "DEU", "G", "N", "FI", "P", 11), (2018, "UNK", "DEU", "G", "N", "FI", "P", 13),
    (2018, "TIB", "CHE", "G", "N", "FI", "P", 5), (2025, "SYR", "DEU", "G", "N", "FI", "P", 23256)]
SOLUTIONS = [  # year, origin, asylum, returned, resettled, naturalised, returned displaced people
    (2024, "SSD", "SDN", 292919, np.nan, np.nan, np.nan), (2024, "SSD", "USA", np.nan, 1256, 17, np.nan),
    (2024, "SSD", "SSD", np.nan, np.nan, np.nan, 90000), (1990, "AFG", "UNK", 40, np.nan, np.nan, np.nan)]


def sample(folder, applications=APPLICATIONS, solutions=SOLUTIONS):
    """Small files like those of the package."""
    names = ["year", "coo_iso", "coa_iso", "procedure_type", "app_type", "dec_level", "app_pc", "applied"]
    kinds = ["returned_refugees", "resettlement", "naturalisation", "returned_idps"]
    first = pd.DataFrame(applications, columns=names)
    first = first.astype({"year": float, "applied": float} | dict.fromkeys(names[1:-1], object))
    second = pd.DataFrame(solutions, columns=["year", "coo_iso", "coa_iso", *kinds])
    second = second.astype({"year": float, "coo_iso": object, "coa_iso": object} | dict.fromkeys(kinds, float))
    rdata.write_rda(folder / "asylum_applications.rda", {"asylum_applications": first})
    rdata.write_rda(folder / "solutions.rda", {"solutions": second})
    return folder / "asylum_applications.rda", folder / "solutions.rda"


def test_new_applicants_count_once_and_cases_as_persons(tmp_path):
    frame = read_unhcr_more(*sample(tmp_path)).query("variable == 'asylum_applications'")
    value = frame.set_index(["year", "origin", "destination"])["value"].to_dict()
    assert value == pytest.approx({
        (2015, "SYR", "DEU"): 158657, (2010, "SOM", "SWE"): 5000, (2023, "COD", "COG"): 2851,
        (2015, "CHN", "USA"): 1406 + 700, (2022, "CHN", "USA"): 2000, (2001, "IRQ", "GBR"): 400,
        (2018, "YEM", "MYS"): 34})
    status = frame.set_index(["year", "origin", "destination"])["status"]
    assert status[2015, "CHN", "USA"] == status[2001, "IRQ", "GBR"] == "estimated"
    assert (status == "estimated").sum() == 2


def test_returns_go_home_and_resettlement_goes_on(tmp_path):
    frame = read_unhcr_more(*sample(tmp_path)).query("variable != 'asylum_applications'")
    assert frame.set_index(["variable", "origin", "destination"])["value"].to_dict() == {
        ("refugees_returned", "SDN", "SSD"): 292919, ("refugees_resettled", "SSD", "USA"): 1256}


def test_nobody_is_dropped_without_a_count(tmp_path):
    omitted = Omissions()
    frame = read_unhcr_more(*sample(tmp_path), omitted=omitted)
    merged = 2                                # rows of the USA 2015 and of Malaysia 2018 that were added to another
    persons = sum(r[-1] for r in APPLICATIONS) + np.nansum([r[3:] for r in SOLUTIONS])
    frame.loc[(frame["origin"] == "CHN") & (frame["year"] == 2015), "value"] = 1700
    assert_accounted(len(APPLICATIONS) + 4 * len(SOLUTIONS) - merged, persons, omitted, frame)
    assert left_out(omitted) == {
        NOT_NEW: (3, 900 + 3853 + 1500), why.STATELESS: (1, 11), why.UNKNOWN: (2, 53), NOT_TERRITORIES["TIB"]: (1, 5),
        why.ANOTHER_YEAR: (1, 23256), NO_MOVE: (8, 90017), why.NO_NUMBER: (5, 0)}


@pytest.mark.parametrize("row, error", [
    ((2018, "QQQ", "DEU", "G", "N", "FI", "P", 1), UnknownTerritoryError),
    ((2015, "SYR", "DEU", "G", "N", "NA", "P", 1), DuplicateKeyError),
    ((2018, "SYR", "DEU", "G", "N", "FI", "P", -1), NegativeCountError),
    ((2018, "SYR", "DEU", "G", "Z", "FI", "P", 1), SchemaError),      # a type of which nobody said whether it is new
    ((2024, "CHN", "USA", "G", "N", "IN", "C", 1), SchemaError)])     # cases without persons a case
def test_bad_rows_are_named(tmp_path, row, error):
    with pytest.raises(error, match=rf"asylum_applications\.rda.*row {len(APPLICATIONS)}.*Remedy"):
        read_unhcr_more(*sample(tmp_path, [*APPLICATIONS, row]))


def test_a_repeated_row_of_solutions_is_refused(tmp_path):
    with pytest.raises(DuplicateKeyError, match=r"solutions\.rda.*row 4.*SSD.*Remedy"):
        read_unhcr_more(*sample(tmp_path, solutions=[*SOLUTIONS, SOLUTIONS[0]]))


@pytest.mark.sources
def test_published_numbers(source_file):
    files = [source_file(f"unhcr_more/{name}.rda") for name in ("asylum_applications", "solutions")]
    omitted = Omissions()
    frame = read_unhcr_more(*files, omitted=omitted)
    value = frame.set_index(["variable", "year", "origin", "destination"])["value"]
    assert value["refugees_returned", 2024, "SDN", "SSD"] == 292_919
    solutions = read_frame(files[1], "solutions", ["returned_refugees", "resettlement", "naturalisation",
                                                   "returned_idps"]).to_numpy()
    raw = read_frame(files[0], "asylum_applications", ["year", "applied"])
    reported = frame[frame["status"] == "reported"]["value"].sum()
    left = omitted.table()["persons"].sum()
    assert reported + left <= raw["applied"].sum() + np.nansum(solutions) <= reported + left + frame[
        frame["status"] == "estimated"]["value"].sum()
    # UNHCR's own table of flows holds the same applicants.
    flows = read_frame(source_file("unhcr/flows.rda"), "flows", ["year", "coo_iso", "coa_iso", "asylum_seekers"])
    applied = frame[frame["variable"] == "asylum_applications"]
    both = applied.merge(flows.rename(columns={"coo_iso": "origin", "coa_iso": "destination"}),
                         on=["year", "origin", "destination"])
    difference = (both["value"] - both["asylum_seekers"]).abs()
    assert len(both) == len(applied)
    assert (difference == 0).mean() > 0.93 and (difference <= 0.005 * both["asylum_seekers"] + 2).mean() > 0.975
