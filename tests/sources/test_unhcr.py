"""UNHCR: totals of the publisher, what is left out, and input that must be refused."""
import numpy as np
import pandas as pd
import pytest
import rdata
from accounting import assert_accounted, left_out

from humanflows.errors import DuplicateKeyError, NegativeCountError, SourceFileError, UnknownTerritoryError
from humanflows.sources import omissions as why
from humanflows.sources.omissions import Omissions
from humanflows.sources.rdata_io import read_frame
from humanflows.sources.unhcr import NO_ASYLUM, NOTHING, read_unhcr, world_refugees


@pytest.fixture
def sample(tmp_path):
    """Write a tiny pair of files; ``change`` edits the frame of both."""
    def write(change=lambda frame: frame):
        rows = [(1988, "AFG", "PAK", 5, 0, np.nan), (2022, "AFG", "PAK", 100, 20, np.nan),
                (2022, "VEN", "COL", 3, 4, 50), (2022, "UNK", "FRA", 9, 0, np.nan), (2022, "SDN", "SDN", 8, 0, np.nan),
                (2022, "SYR", "TUR", 0, 0, 0), (2022, "XXA", "FRA", 6, 0, np.nan),
                (2022, "TIB", "NPL", 12000, 5, np.nan),
                (2022, "VAT", "NPL", 1, 0, 0), (2022, "UKN", "UNK", 40, 0, 0), (2022, "IRQ", "UNK", 30, 0, 0),
                (2022, "MMR", "THA", np.nan, np.nan, np.nan), (2025, "AFG", "PAK", 7, 0, np.nan)]
        frame = pd.DataFrame(rows, columns=["year", "coo_iso", "coa_iso", "refugees", "asylum_seekers", "oip"])
        frame = change(frame.astype({c: float for c in ("year", "refugees", "asylum_seekers", "oip")}))
        frame = frame.astype({"coo_iso": object, "coa_iso": object})  # rdata cannot write pandas' own text columns
        rdata.write_rda(tmp_path / "population.rda", {"population": frame})
        rdata.write_rda(tmp_path / "flows.rda", {"flows": frame.assign(refugee_like=1.0)})
        return tmp_path / "population.rda", tmp_path / "flows.rda"
    return write


def test_parts_are_summed_and_outsiders_left_out(sample):
    frame = read_unhcr(*sample())["pair_year"].set_index(["variable", "year", "origin", "destination"])["value"]
    assert frame.to_dict() == {
        ("displaced_stock", 2022, "AFG", "PAK"): 120, ("displaced_stock", 2022, "VEN", "COL"): 57,
        ("displaced_flow", 2022, "AFG", "PAK"): 121, ("displaced_flow", 2022, "VEN", "COL"): 58,
        ("displaced_flow", 2022, "SYR", "TUR"): 1, ("displaced_flow", 2022, "MMR", "THA"): 1}


def test_unknown_stateless_and_tibetan_origins_are_margins(sample):
    margin = read_unhcr(*sample())["margin"]
    stock = margin[margin["quantity"] == "displaced_stock"]
    assert stock.set_index(["territory", "group"])["persons"].to_dict() == {
        ("FRA", "unknown"): 9, ("FRA", "stateless"): 6, ("NPL", "others"): 12006}
    assert set(stock["side"]) == {"residence"} and set(margin["criterion"]) == {"citizenship"}
    flow = margin[margin["quantity"] == "displaced_flow"]
    assert set(flow["side"]) == {"immigration"} and len(flow) == 3


def test_nobody_is_dropped_without_a_count(sample):
    files = sample()
    omitted = Omissions()
    tables = read_unhcr(*files, omitted=omitted)
    parts = ["refugees", "asylum_seekers", "oip"]
    population = read_frame(files[0], "population", parts)
    flows = read_frame(files[1], "flows", [*parts, "refugee_like"])
    everyone = float(population.sum().sum() + flows.sum().sum())
    merged = 2                                     # Tibetans and the Holy See in Nepal, in both files
    assert_accounted(len(population) + len(flows) - merged, everyone, omitted, *tables.values())
    left = left_out(omitted)
    assert left[NO_ASYLUM] == (4, 70 + 72) and left[why.INTERNAL] == (2, 8 + 9) and left[NOTHING] == (1, 0)
    assert left[why.NO_NUMBER] == (1, 0) and left[why.ANOTHER_YEAR] == (4, 12 + 14)


def test_a_repeated_row_of_an_unknown_origin_is_refused_too(sample):
    with pytest.raises(DuplicateKeyError, match=r"origin=UNK"):
        read_unhcr(*sample(lambda f: pd.concat([f, f[f["coo_iso"] == "UNK"]], ignore_index=True)))


def test_bad_rows_are_refused(sample):
    with pytest.raises(UnknownTerritoryError, match=r"population\.rda.*'QQQ'.*Remedy"):
        read_unhcr(*sample(lambda f: f.replace({"coa_iso": {"COL": "QQQ"}})))
    with pytest.raises(NegativeCountError, match=r"AFG"):
        read_unhcr(*sample(lambda f: f.replace({"asylum_seekers": {20.0: -200.0}})))
    with pytest.raises(DuplicateKeyError, match=r"origin=AFG"):
        read_unhcr(*sample(lambda f: pd.concat([f, f.iloc[[1]]], ignore_index=True)))
    with pytest.raises(SourceFileError, match=r"lacks the columns"):
        read_unhcr(*sample(lambda f: f.drop(columns="oip")))


@pytest.mark.sources
def test_world_refugees_of_the_publisher(source_file):
    file = source_file("unhcr/population.rda")
    assert world_refugees(file, 2022) == pytest.approx(29.43e6, abs=5e3)
    assert world_refugees(file, 2023) == pytest.approx(31.64e6, abs=5e3)


@pytest.mark.sources
def test_real_files(source_file):
    omitted = Omissions()
    tables = read_unhcr(source_file("unhcr/population.rda"), source_file("unhcr/flows.rda"), omitted=omitted)
    frame, margin = tables["pair_year"], tables["margin"]
    population = read_frame(source_file("unhcr/population.rda"), "population", ["refugees", "asylum_seekers", "oip"])
    flows = read_frame(source_file("unhcr/flows.rda"), "flows", ["refugees", "asylum_seekers", "oip", "refugee_like"])
    everyone = float(population.sum().sum() + flows.sum().sum())
    assert frame["value"].sum() + margin["persons"].sum() + omitted.table()["persons"].sum() == everyone
    groups = margin[margin["quantity"] == "displaced_stock"].groupby("group")["persons"].sum()
    assert groups["others"] == pytest.approx(6.28e5, rel=0.001), "the person-years of Tibetans"
    assert groups["unknown"] > 33e6 and groups["stateless"] > 1.1e6
    assert (frame["year"].min(), frame["year"].max()) == (1989, 2024)
    assert (frame["origin"] != frame["destination"]).all() and (frame["value"] > 0).all()
    stock = frame[frame["variable"] == "displaced_stock"].set_index(["year", "origin", "destination"])["value"]
    assert 3e6 < stock[2022, "SYR", "TUR"] < 4e6
    assert 1.5e6 < stock[2020, "VEN", "COL"] < 2e6, "other people in need of protection are counted"
