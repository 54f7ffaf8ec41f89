"""Events at borders and asylum applicants: files made here, and the real ones."""
import pandas as pd
import pytest
import rdata
from accounting import assert_accounted, left_out

from humanflows.errors import (
    DuplicateKeyError,
    InputError,
    NegativeCountError,
    SchemaError,
    SourceFileError,
    UnknownTerritoryError,
)
from humanflows.sources import omissions as why
from humanflows.sources.iom_gdidata import BY_ROUTE, MONTHLY, NOT_TERRITORIES, read_iom_gdidata
from humanflows.sources.omissions import Omissions
from humanflows.sources.rdata_io import read_frame

NAMES = (*MONTHLY, "eu_asyapp", "frontex")
BREAKDOWN = {"irreg_usa": ["component", "area", "authority", "type", "demog"], "irreg_mexico_exp": ["type"],
             "frontex": ["route", "type"]}


def day(year, month=1):
    return (pd.Timestamp(year, month, 1) - pd.Timestamp(1970, 1, 1)).days


def monthly(nat, year, number, months=range(1, 13)):
    return [(day(year, m), nat, number) for m in months]


FILES = {
    "irreg_usa": [*monthly("VEN", 2022, 10), *monthly("VEN", 2019, 7, (10, 11, 12)), (day(2018, 5), None, 900),
                  *monthly("OOO", 2022, 1)],
    "irreg_mexico_nat": [*monthly("HND", 2023, 5), (day(2023, 3), "FRA", 2), (day(2023, 3), "FRA", 3),
                         (day(2023, 4), "MEX", 1)],
    "irreg_darien_nat": [(day(2014), "CUB", 5000), *monthly("HTI", 2020, 9, (1, 2, 3)), *monthly("VEN", 2023, 100)],
    "irreg_honduras_nat": [*monthly("TWN", 2023, 4), *monthly("CUB", 2023, 6), (day(2023, 2), "STL", 8)],
    "irreg_mexico_exp": [*monthly("GTM", 2018, 50), *monthly("GTM", 2025, 50)],
    "eu_asyapp": [("DEU", 2022.0, "SYR", "female", 20), ("DEU", 2022.0, "SYR", "male", 45),
                  ("EU27", 2022.0, "SYR", "male", 900), ("DEU", 2022.0, "XKX", "male", 5)],
    "frontex": [(day(2015, 10), "SYR", 1000)],
}


def sample(folder, **changes):
    """Small files like those of gdidata; ``changes`` gives other rows for one of them."""
    paths = {}
    for name in NAMES:
        rows = changes.get(name, FILES[name])
        if name == "eu_asyapp":
            frame = pd.DataFrame(rows, columns=["geo", "t", "nat", "sex", "n"]).astype({"geo": object, "sex": object})
        else:
            frame = pd.DataFrame(rows, columns=["t", "nat", "n"]).assign(**dict.fromkeys(BREAKDOWN.get(name, []), "x"))
            frame = frame.astype(dict.fromkeys(BREAKDOWN.get(name, []), object))
        paths[f"{name}.rda"] = folder / f"{name}.rda"
        frame["nat"] = [n if isinstance(n, str) else None for n in frame["nat"].astype(object)]
        frame = frame.astype({"nat": object, "t": float, "n": float})
        rdata.write_rda(paths[f"{name}.rda"], {name: frame})
    return paths


def test_whole_calendar_years_by_nationality(tmp_path):
    frame = read_iom_gdidata(sample(tmp_path))
    assert frame.set_index(["variable", "year", "origin", "destination"])["value"].to_dict() == {
        ("border_encounters", 2022, "VEN", "USA"): 120, ("transits", 2023, "HND", "MEX"): 60,
        ("transits", 2023, "FRA", "MEX"): 5, ("transits", 2014, "CUB", "PAN"): 5000,
        ("transits", 2023, "VEN", "PAN"): 1200, ("transits", 2023, "CHN", "HND"): 48,
        ("transits", 2023, "CUB", "HND"): 72, ("removals", 2018, "MEX", "GTM"): 600,
        ("asylum_applications", 2022, "SYR", "DEU"): 65}


def test_nobody_is_dropped_without_a_count(tmp_path):
    omitted = Omissions()
    frame = read_iom_gdidata(sample(tmp_path), omitted=omitted)
    rows = [r for part in FILES.values() for r in part]
    merged = 6 * 11 + 1 + 1                   # months of six series, a nationality twice, two sexes
    assert_accounted(len(rows) - merged, sum(r[-1] for r in rows), omitted, frame)
    assert left_out(omitted) == {
        why.INCOMPLETE_YEAR: (6, 21 + 27), why.AGGREGATE: (2, 1800), NOT_TERRITORIES["OOO"]: (12, 12), why.OWN: (1, 1),
        why.STATELESS: (1, 8), why.ANOTHER_YEAR: (12, 600), why.OUTSIDE: (1, 5), BY_ROUTE: (1, 1000)}


@pytest.mark.parametrize("name, row, error", [
    ("irreg_usa", (day(2022, 3), "QQQ", 1), UnknownTerritoryError), ("irreg_usa", (day(2022, 3), "VEN", 1),
                                                                     DuplicateKeyError),
    ("irreg_mexico_nat", (day(2022, 3), "VEN", -1), NegativeCountError),
    ("irreg_darien_nat", (day(2022, 3) + 4, "VEN", 1), SchemaError),
    ("eu_asyapp", ("DEU", 2022.0, "SYR", "total", 65), SchemaError),
    ("eu_asyapp", ("DEU", 2022.0, "SYR", "male", 65), DuplicateKeyError)])
def test_bad_rows_are_named(tmp_path, name, row, error):
    with pytest.raises(error, match=rf"{name}\.rda.*row {len(FILES[name])}.*Remedy"):
        read_iom_gdidata(sample(tmp_path, **{name: [*FILES[name], row]}))


def test_a_missing_file_is_named(tmp_path):
    paths = sample(tmp_path)
    del paths["frontex.rda"]
    with pytest.raises(SourceFileError, match=r"frontex\.rda.*Remedy"):
        read_iom_gdidata(paths)


@pytest.mark.parametrize("year", [3000.0, 2.0**40, 2022.5, float("inf")])
def test_an_impossible_year_of_one_sex_does_not_halve_the_applicants(tmp_path, year):
    rows = [FILES["eu_asyapp"][0], ("DEU", year, *FILES["eu_asyapp"][1][2:])]
    with pytest.raises(InputError, match=r"eu_asyapp\.rda.*row 1"):
        read_iom_gdidata(sample(tmp_path, eu_asyapp=rows))


@pytest.mark.parametrize("when", [float("inf"), 1e300, 0.5])
def test_an_impossible_date_is_named(tmp_path, when):
    with pytest.raises(SchemaError, match=r"frontex\.rda.*row 0"):
        read_iom_gdidata(sample(tmp_path, frontex=[(when, "SYR", 1000)]))


@pytest.mark.sources
def test_real_files(source_file):
    paths = {f"{name}.rda": source_file(f"iom_gdidata/{name}.rda") for name in NAMES}
    omitted = Omissions()
    frame = read_iom_gdidata(paths, omitted=omitted)
    everyone = sum(read_frame(paths[f"{n}.rda"], n, ["n"])["n"].sum() for n in NAMES)
    assert frame["value"].sum() + omitted.table()["persons"].sum() == pytest.approx(everyone, rel=1e-12)
    total = frame.groupby(["variable", "destination", "year"])["value"].sum()
    assert total["transits", "PAN", 2019] == 22_102
    assert ("transits", "PAN", 2020) not in total.index and ("transits", "HND", 2020) not in total.index
    darien = read_frame(paths["irreg_darien_nat.rda"], "irreg_darien_nat", ["t", "n"])
    assert darien["n"].groupby(pd.to_datetime(darien["t"], unit="D").dt.year).sum()[[2022, 2023]].tolist() == [
        248_284, 520_085]
    assert frame.query("variable == 'border_encounters'")["year"].unique().tolist() == [2020, 2021, 2022, 2023, 2024]
    assert frame.query("variable == 'removals' and year == 2018")["value"].sum() == 115_686
    # Members of the Union add up to its own sum, but for numbers rounded to five.
    europe = read_frame(paths["eu_asyapp.rda"], "eu_asyapp", ["geo", "t", "n"]).query("t == 2022")
    members = europe[~europe["geo"].isin(["EU27", "CHE", "ISL", "LIE", "MNE", "NOR"])]["n"].sum()
    assert members == pytest.approx(europe[europe["geo"] == "EU27"]["n"].sum(), rel=0.002)
