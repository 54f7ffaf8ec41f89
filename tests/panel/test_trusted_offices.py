"""Which offices are trusted is data: read, checked, and applied to reports by residence alone."""
import os

import numpy as np
import pytest
import xarray as xr

from humanflows import paths
from humanflows.errors import DuplicateKeyError, SchemaError, UnknownTerritoryError
from humanflows.panel.reporting_systems import read_systems
from humanflows.panel.trusted_offices import COLUMNS, SIDES, is_trusted, read_trusted_offices, trusted_reports

HEADER = ",".join(COLUMNS)


def written(tmp_path, *rows, header=HEADER):
    file = tmp_path / "trusted_offices.csv"
    file.write_text("\n".join([header, *rows]) + "\n")
    return file


def test_the_list_of_the_project():
    table = read_trusted_offices()
    offices = "SWE NOR DNK FIN ISL NLD BEL CHE AUT AUS NZL CAN USA FRA GBR IRL ESP ITA"
    assert set(table["reporter"]) == set(offices.split())
    assert table.groupby("reporter")["side"].nunique().eq(2).all() and len(table) == 2 * 18
    bibliography = (paths.BOOK / "references.bib").read_text(encoding="utf-8")
    keys = {k for cell in table["reference"] for k in cell.split(";")}
    assert [k for k in keys if f"{{{k}," not in bibliography] == []
    assert set(table["reporter"]) <= set(read_systems()["reporter"])      # it is known what each of them counts
    # Germany counts every registration, and the national numbers still do: it is not among them.
    assert "DEU" not in set(table["reporter"]) and "META" not in set(table["reporter"])


def test_a_star_stands_for_both_sides(tmp_path):
    table = read_trusted_offices(written(tmp_path, "SWE,*,why,ssb", "DNK,emigration,why,ssb"))
    assert list(table[["reporter", "side"]].itertuples(name=None)) == [
        (2, "SWE", "immigration"), (2, "SWE", "emigration"), (3, "DNK", "emigration")]
    assert set(SIDES) == {"immigration", "emigration"}


@pytest.mark.parametrize(("rows", "error", "key", "said"), [
    (["SWE,both,why,ssb"], SchemaError, "row 2", "side 'both'"),
    (["SWE,*,why,ssb", "NOR,*, ,ssb"], SchemaError, "row 3", "reason"),
    (["SWE,*,why,"], SchemaError, "row 2", "references.bib"),
    (["SVE,*,why,ssb"], UnknownTerritoryError, "row 2", "'SVE'"),
    (["META,*,why,ssb"], UnknownTerritoryError, "row 2", "'META'"),
    (["SWE,*,why,ssb", "SWE,emigration,why,ssb"], DuplicateKeyError, "row 3", "SWE, emigration stands twice")])
def test_bad_rows_are_named(tmp_path, rows, error, key, said):
    with pytest.raises(error) as caught:
        read_trusted_offices(written(tmp_path, *rows))
    assert "trusted_offices.csv" in str(caught.value) and said in str(caught.value) and caught.value.key == key


def test_a_file_that_is_no_such_table(tmp_path):
    with pytest.raises(SchemaError, match="reporter,side,reason,reference"):
        read_trusted_offices(written(tmp_path, "SWE,*,why", header="reporter,side,reason"))
    with pytest.raises(SchemaError, match="cannot be read"):
        read_trusted_offices(tmp_path / "none.csv")


def test_reports_are_trusted_by_residence_and_office_alone():
    witnesses = ["undesa_imfsc|SWE|immigration|residence|movement", "oecd|SWE|immigration|citizenship|movement",
                 "undesa_imfsc|DEU|immigration|residence|movement", "meta|META|both|residence|transition",
                 "eurostat|ITA|emigration|residence|movement"]
    panel = xr.Dataset({"flow_witness": ("observation", np.array([4, 0, 0, 1, 2, 3], dtype=np.int16))},
                       coords={"witness": witnesses})
    assert trusted_reports(panel).tolist() == [True, True, True, False, False, False]
    nobody = xr.Dataset({"flow_witness": ("observation", np.array([], dtype=np.int16))}, coords={"witness": witnesses})
    assert trusted_reports(nobody).shape == (0,)


def test_the_list_is_read_again_when_it_changes(tmp_path, monkeypatch):
    file = written(tmp_path, "SWE,*,why,ssb")
    monkeypatch.setattr(paths, "TRUSTED_OFFICES", file)
    asked = (["SWE", "POL"], ["immigration"] * 2, ["residence"] * 2)
    assert is_trusted(*asked).tolist() == [True, False]
    written(tmp_path, "POL,immigration,why,ssb")
    os.utime(file, (1, 1))
    assert is_trusted(*asked).tolist() == [False, True]
    with pytest.raises(ValueError):
        is_trusted(["SWE"], ["immigration"] * 2, ["residence"])
    file.unlink()
    with pytest.raises(SchemaError, match="cannot be read"):
        is_trusted(*asked)
