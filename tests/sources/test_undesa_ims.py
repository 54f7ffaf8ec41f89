"""UN DESA stocks: totals of the publisher, definitions, and input that must be refused."""
import pandas as pd
import pytest
import rdata
from accounting import left_out

from humanflows.errors import (
    DuplicateKeyError,
    NegativeCountError,
    SourceFileError,
    UnknownTerritoryError,
    YearRangeError,
)
from humanflows.sources.omissions import Omissions
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
    frame = read_undesa_ims([sample()])["stock"].set_index("residence")
    assert frame["persons"].to_dict() == {"FRA": 100, "JPN": 10, "TCD": 3}
    assert frame["birthplace"].to_dict() == {"FRA": "DZA", "JPN": "KOR", "TCD": "SDN"}, "geo is the residence"
    assert frame["definition"].to_dict() == {"FRA": "foreign_born", "JPN": "citizenship", "TCD": "mixed"}
    assert frame["status"].to_dict() == {"FRA": "reported", "JPN": "reported", "TCD": "imputed"}
    assert world_total(sample(), 1990) == 127


def test_others_totals_and_those_outside_are_kept_or_counted(sample):
    """Nobody of the 127 migrants, two more in the Channel Islands and three born there is lost."""
    def with_islands(frame):
        more = pd.DataFrame([("XCX", 1990, "FRA", "male", 2, 1, 0, 0, 0), ("FRA", 1990, "XCX", "male", 3, 1, 0, 0, 0)],
                            columns=frame.columns)
        return pd.concat([frame, more.astype(frame.dtypes.to_dict())], ignore_index=True)

    omitted = Omissions()
    tables = read_undesa_ims([sample(with_islands)], omitted=omitted)
    margin = tables["margin"].set_index(["territory", "group"])["persons"].to_dict()
    assert margin == {("FRA", "total"): 117, ("FRA", "others"): 14, ("JPN", "total"): 10, ("TCD", "total"): 3}
    assert set(tables["margin"]["source"]) == {"undesa_ims_2024"}
    assert set(tables["margin"]["quantity"]) == {"stock"} and set(tables["margin"]["side"]) == {"residence"}
    assert left_out(omitted) == {"residence outside the 231 territories": (1, 2),
                                 "birthplace outside the 231 territories": (1, 3)}
    assert tables["stock"]["persons"].sum() + 14 + 2 + 3 == 127 + 5


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
    omitted = Omissions()
    tables = read_undesa_ims([source_file(f) for f in REVISION.values()], omitted=omitted)
    frame, margin = tables["stock"], tables["margin"]
    assert set(frame["revision"]) == {2020, 2024}
    assert set(frame["definition"]) == {"foreign_born", "citizenship", "mixed"}
    assert sorted(frame["year"].unique()) == [1990, 1995, 2000, 2005, 2010, 2015, 2020, 2024]
    latest = frame[(frame["revision"] == 2024) & (frame["year"] == 2024)]
    assert latest["residence"].nunique() > 225
    top = latest.sort_values("persons").iloc[-1]
    assert (top["birthplace"], top["residence"]) == ("MEX", "USA") and 10.5e6 < top["persons"] < 12.5e6
    # Stocks, others and those born outside add up to everybody; with those who live outside, to the publisher's total.
    others = margin[margin["group"] == "others"].groupby("source")["persons"].sum()
    total = margin[margin["group"] == "total"].groupby("source")["persons"].sum()
    left = left_out(omitted)
    born_outside = left["birthplace outside the 231 territories"][1]
    assert frame["persons"].sum() + others.sum() + born_outside == total.sum()
    share = margin[(margin["source"] == "undesa_ims_2024") & (margin["year"] == 2024)].pivot(
        index="territory", columns="group", values="persons")
    share = share["others"] / share["total"]
    assert share["BES"] == 1 and share["GNQ"] > 0.95 and share["AGO"] > 0.75 and share["TON"] > 0.7
