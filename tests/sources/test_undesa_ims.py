"""UN DESA stocks: totals of the publisher, definitions, and input that must be refused."""
import pandas as pd
import pytest
import rdata

from humanflows.errors import (
    DuplicateKeyError,
    NegativeCountError,
    SourceFileError,
    UnknownTerritoryError,
    YearRangeError,
)
from humanflows.sources.undesa_ims import read_undesa_ims, world_total

REVISION = {r: f"undesa_ims/gdidata_undesa_stocks_{r}rev.rda" for r in (2020, 2024)}


@pytest.fixture
def sample(tmp_path):
    """Write a tiny file like the 2024 revision; ``change`` edits the frame first."""
    def write(change=lambda frame: frame):
        rows = [("FRA", 1990, "DZA", sex, n, 1, 0, 0, 0) for sex, n in (("female", 40), ("male", 60))]
        rows += [("JPN", 1990, "KOR", sex, n, 0, 1, 0, 0) for sex, n in (("female", 4), ("male", 6))]
        rows += [("TCD", 1990, "SDN", sex, n, 0, 0, 1, 1) for sex, n in (("female", 1), ("male", 2))]
        rows += [("FRA", 1990, "OOO", sex, 7, 1, 0, 0, 0) for sex in ("female", "male")]
        frame = pd.DataFrame(rows, columns=["geo", "t", "from", "sex", "n", "type_b", "type_c", "type_r", "type_i"])
        frame = frame.astype({c: "Int32" for c in ("t", "n", "type_b", "type_c", "type_r", "type_i")})
        path = tmp_path / "stocks_2024rev.rda"
        rdata.write_rda(path, {"undesa_stocks": change(frame).astype({"geo": object, "from": object, "sex": object})})
        return path
    return write


def test_sexes_are_summed_and_definitions_kept(sample):
    frame = read_undesa_ims([sample()]).set_index("residence")
    assert frame["persons"].to_dict() == {"FRA": 100, "JPN": 10, "TCD": 3}
    assert frame["birthplace"].to_dict() == {"FRA": "DZA", "JPN": "KOR", "TCD": "SDN"}, "geo is the residence"
    assert frame["definition"].to_dict() == {"FRA": "foreign_born", "JPN": "citizenship", "TCD": "mixed"}
    assert frame["status"].to_dict() == {"FRA": "reported", "JPN": "reported", "TCD": "imputed"}
    assert world_total(sample(), 1990) == 127


def test_unknown_territory_is_refused(sample):
    path = sample(lambda f: f.replace({"from": {"DZA": "DZX"}}))
    with pytest.raises(UnknownTerritoryError, match=r"stocks_2024rev.*'DZX'.*row 0.*did you mean DZA"):
        read_undesa_ims([path])


def test_negative_count_is_refused_before_sexes_are_summed(sample):
    with pytest.raises(NegativeCountError, match=r"geo=FRA, t=1990, from=DZA, sex=female.*Remedy"):
        read_undesa_ims([sample(lambda f: f.assign(n=f["n"].where(f.index != 0, -5)))])


def test_repeated_row_is_refused(sample):
    with pytest.raises(DuplicateKeyError, match=r"geo=FRA"):
        read_undesa_ims([sample(lambda f: pd.concat([f, f.head(1)], ignore_index=True))])


def test_a_year_outside_the_range_is_refused(sample):
    with pytest.raises(YearRangeError, match=r"stocks_2024rev.*1492.*Remedy"):
        read_undesa_ims([sample(lambda f: f.assign(t=f["t"].where(f.index > 1, 1492)))])


def test_a_third_kind_of_sex_is_refused(sample):
    with pytest.raises(SourceFileError, match=r"sexes"):
        read_undesa_ims([sample(lambda f: f.replace({"sex": {"male": "both"}}))])


def test_missing_truncated_and_foreign_files_are_refused(sample, tmp_path):
    with pytest.raises(SourceFileError, match=r"missing"):
        read_undesa_ims([tmp_path / "nothing_2024rev.rda"])
    path = sample()
    whole = path.read_bytes()
    for damaged in (whole[:len(whole) // 2], whole[:20], b"", b"not R data at all", b"\x1f\x8b" + whole[:40]):
        path.write_bytes(damaged)
        with pytest.raises(SourceFileError, match=r"stocks_2024rev\.rda.*Remedy"):
            read_undesa_ims([path])
    rdata.write_rda(path, {"something_else": pd.DataFrame({"a": [1.0]})})
    with pytest.raises(SourceFileError, match=r"holds no object"):
        read_undesa_ims([path])


@pytest.mark.sources
@pytest.mark.parametrize("revision, year, total", [
    (2024, 2024, 304_021_813), (2024, 2020, 275_284_032), (2024, 1990, 153_916_063), (2020, 2020, 280_598_105)])
def test_world_totals_of_the_publisher(source_file, revision, year, total):
    assert world_total(source_file(REVISION[revision]), year) == total


@pytest.mark.sources
def test_real_stocks(source_file):
    frame = read_undesa_ims([source_file(f) for f in REVISION.values()])
    assert set(frame["revision"]) == {2020, 2024}
    assert set(frame["definition"]) == {"foreign_born", "citizenship", "mixed"}
    assert sorted(frame["year"].unique()) == [1990, 1995, 2000, 2005, 2010, 2015, 2020, 2024]
    latest = frame[(frame["revision"] == 2024) & (frame["year"] == 2024)]
    assert latest["residence"].nunique() > 225
    top = latest.sort_values("persons").iloc[-1]
    assert (top["birthplace"], top["residence"]) == ("MEX", "USA") and 10.5e6 < top["persons"] < 12.5e6
