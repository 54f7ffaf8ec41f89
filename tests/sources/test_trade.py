"""Trade: small matrices made here, and the real files."""
import numpy as np
import pandas as pd
import pytest
import scipy.io

from humanflows.errors import NegativeCountError, SchemaError, SourceFileError, UnknownTerritoryError
from humanflows.sources import omissions, trade
from humanflows.sources.omissions import Omissions
from humanflows.sources.trade import (
    FILES,
    backcast,
    bridge,
    coverage,
    cow_codes,
    read_baci,
    read_cepii,
    read_cow,
    read_trade,
    trade_array,
)
from humanflows.territories import codes

AT = {c: i for i, c in enumerate(codes())}


@pytest.fixture
def baci(tmp_path):
    """A MatriceEx of three territories, 2000–2021, with its order."""

    def write(cube, order=("MEX", "USA", "PRI")):
        scipy.io.savemat(tmp_path / "m.mat", {"MatriceEx": cube})
        (tmp_path / "order.csv").write_text("\n".join(["iso3", *order]) + "\n")
        return tmp_path / "m.mat", tmp_path / "order.csv"

    return write


def test_baci_units_order_and_silent_territories(baci):
    cube = np.zeros((3, 3, 22))
    cube[0, 1, 19] = 7.0
    omitted = Omissions()
    ours = read_baci(*baci(cube), omitted=omitted)
    left = {(r.reason, r.year): r.rows for r in omitted.table().itertuples()}
    assert left[trade.SILENT, 2018] == 9 and left[trade.SILENT, 2019] == 5 and left[trade.NOT_STORED, 2019] == 3
    assert left[omissions.ANOTHER_YEAR, omissions.NO_YEAR] == 9
    assert sum(left.values()) + 1 == cube.size
    assert ours.shape == (21, 231, 231)
    assert ours[19, AT["MEX"], AT["USA"]] == 7000 and ours[19, AT["USA"], AT["MEX"]] == 0
    assert np.isnan(ours[19, AT["PRI"], AT["USA"]]) and np.isnan(ours[0]).all() and np.isnan(ours[19, AT["FRA"]]).all()


def test_bad_matrices_are_named(baci, tmp_path):
    cube = np.zeros((3, 3, 22))
    with pytest.raises(SchemaError, match="shape"):
        read_baci(*baci(cube[:2]))
    with pytest.raises(UnknownTerritoryError, match=r"order\.csv.*'USX'"):
        read_baci(*baci(cube, ("MEX", "USX", "PRI")))
    cube[1, 0, 3] = -1
    with pytest.raises(NegativeCountError, match="USA-MEX"):
        read_baci(*baci(cube))
    (tmp_path / "broken.mat").write_bytes(b"MATLAB")
    with pytest.raises(SourceFileError, match=r"broken\.mat"):
        read_baci(tmp_path / "broken.mat", tmp_path / "order.csv")
    (tmp_path / "labels.csv").write_text("iso3,iso_code\nMEX,1\nUSA,2\n")
    (tmp_path / "square.csv").write_text("a,b\n,3.5\n")
    with pytest.raises(SchemaError, match=r"square\.csv"):
        read_cepii(tmp_path / "square.csv", tmp_path / "labels.csv")
    (tmp_path / "square.csv").write_text("a,b\n,3.5\n,\n")
    assert read_cepii(tmp_path / "square.csv", tmp_path / "labels.csv")[AT["MEX"], AT["USA"]] == 3500
    with pytest.raises(SourceFileError, match=r"trade_cepii\.csv"):
        read_trade([tmp_path / FILES[0]])


def test_correlates_of_war_direction_missing_and_states_that_changed(monkeypatch):
    rows = [(2, 70, 1995, 5.0), (70, 2, 1995, 0.0), (2, 20, 1995, -9.0), (2, 345, 1991, 9.0), (2, 365, 1991, 9.0),
            (2, 365, 1992, 4.0), (2, 255, 1990, 6.0), (2, 260, 1990, 9.0), (2, 70, 2010, 9.0)]
    frame = pd.DataFrame(rows, columns=["ccode1", "ccode2", "year", "flow1"], dtype=float)
    monkeypatch.setattr(trade, "read_rds", lambda path: frame)
    omitted = Omissions()
    cube = read_cow("x.rds", omitted=omitted)
    assert {(r.reason, r.year): r.rows for r in omitted.table().itertuples()} == {
        (omissions.NO_NUMBER, 1995): 1, (omissions.FORMER_STATE, 1991): 2, (omissions.FORMER_STATE, 1990): 1,
        (omissions.ANOTHER_YEAR, 2010): 1}
    known = {(1990 + y, codes()[o], codes()[d]): cube[y, o, d] for y, o, d in np.argwhere(~np.isnan(cube))}
    assert known == {(1995, "MEX", "USA"): 5e6, (1995, "USA", "MEX"): 0, (1992, "RUS", "USA"): 4e6,
                     (1990, "DEU", "USA"): 6e6}
    frame.loc[0, "flow1"] = -3
    with pytest.raises(NegativeCountError, match=r"x\.rds.*row 0"):
        read_cow("x.rds")


def test_cow_numbers_where_they_differ_from_gleditsch_and_ward():
    wanted = {255: "DEU", 265: None, 316: "CZE", 340: "SRB", 345: None, 341: "MNE", 678: None, 679: "YEM", 680: None,
              816: "VNM", 710: "CHN", 713: "TWN", 970: "NRU", 946: "KIR", 947: "TUV", 955: "TON", 990: "WSM",
              626: "SSD"}
    assert cow_codes(wanted, file="x") == wanted
    with pytest.raises(UnknownTerritoryError, match="999"):
        cow_codes([999], file="x")


def test_bridge_is_log_linear_and_passes_zeros():
    before, after = np.array([8e6, 0.0, 0.0, np.nan]), np.array([1e9, 0.0, 1e6, 1.0])
    middle = bridge(before, after, 0.5)
    assert middle[0] == pytest.approx(np.sqrt(8e6 * 1e9), rel=1e-2)
    assert middle[1] == 0 and 0 < middle[2] < 1e6 and np.isnan(middle[3])
    np.testing.assert_allclose(bridge(before, after, 0.0)[:3], before[:3])
    np.testing.assert_allclose(bridge(before, after, 1.0)[:3], after[:3])


def test_backcast_uses_the_corridor_then_its_ends():
    n = 3
    old, new = np.full((15, n, n), np.nan), np.full((21, n, n), np.nan)
    old[:, 0, 1], new[:5, 0, 1] = 10.0, 20.0      # ratio 2
    old[:, 1, 0], new[:5, 1, 0] = 10.0, 900.0     # ratio 90, clipped to 5
    old[:10, 0, 2] = 10.0                         # no overlap: origin 0's median 2 with the destinations' overall one
    old[:, 2, 1], new[:5, 2, 1] = 0.0, 30.0       # zero then: no ratio, and zero stays zero
    cast = backcast(old, new)
    assert cast.shape == (10, n, n)
    assert cast[0, 0, 1] == pytest.approx(20) and cast[0, 1, 0] == pytest.approx(50)
    overall = np.sqrt(2 * 5)
    assert cast[9, 0, 2] == pytest.approx(10 * np.sqrt(2 * overall))
    assert cast[0, 2, 1] == 0 and np.isnan(cast[0, 1, 2])


def test_zero_or_missing():
    table = pd.DataFrame({"year": [1999, 2001, 2001], "origin": ["MEX", "MEX", "FRA"],
                          "destination": ["USA", "USA", "DEU"], "value": [0.0, 4.0, 5.0]})
    assert coverage(table)["territory"].tolist() == ["MEX", "USA", "DEU", "FRA", "MEX", "USA"]
    cube = trade_array(table, ["FRA", "MEX", "USA", "PRI"], [1999, 2001])
    assert cube[0, 1, 2] == 0 and np.isnan(cube[0]).sum() == 15  # stored zero; before 2000 all else is missing
    assert cube[1, 1, 2] == 4 and cube[1, 2, 1] == 0 and cube[1, 0, 1] == 0  # France trades with one not asked for
    assert np.isnan(cube[1, 3]).all() and np.isnan(cube[1, 1, 1])


@pytest.fixture(scope="module")
def cached():
    return {}


@pytest.fixture
def real(source_file, cached):
    """The real table, read once."""
    if "table" not in cached:
        cached["table"] = read_trade([source_file(f"trade/{f}") for f in FILES])
    return cached["table"]


@pytest.mark.sources
def test_real_values_and_flags(real):
    one = real.set_index(["year", "origin", "destination"])
    assert one.at[(2019, "CHN", "USA"), "value"] == pytest.approx(427.0e9, rel=1e-4)
    assert one.at[(2023, "CHN", "USA"), "value"] == pytest.approx(440.5e9, rel=1e-3)
    low, high = sorted(one.at[(y, "DEU", "FRA"), "value"] for y in (2020, 2023))
    assert low < one.at[(2021, "DEU", "FRA"), "value"] < one.at[(2022, "DEU", "FRA"), "value"] < high
    assert one.at[(2024, "CHN", "USA"), "value"] == one.at[(2023, "CHN", "USA"), "value"]
    flags = real.groupby("year")["status"].agg(set)
    assert flags[1990] == {"backcast"} and flags[2005] == {"reported"} and flags[2024] == {"carried_forward"}
    assert flags[2021] == {"bridged", "carried_forward"} and flags[2023] == {"reported", "carried_forward"}
    # No jump where the back-cast meets BACI: world trade grew by about a tenth from 1999 to 2000.
    total = real.groupby("year")["value"].sum()
    assert 0.95 < total[2000] / total[1999] < 1.25


@pytest.mark.sources
def test_real_silent_territories_are_missing_not_zero(real):
    known = coverage(real).groupby("year")["territory"].agg(set)
    assert not known[2010] & {"FRO", "LIE", "MCO", "PRI"}
    assert not known[2005] & {"SRB", "MNE"} and {"SRB", "MNE"} <= known[2006]
    assert "SSD" not in known[2011] and "SSD" in known[2012]
    assert not known[2001] & {"TLS"} and "CUB" in known[2024] and not known[2022] & {"CUW", "SXM"}
    cube = trade_array(real, codes(), [2010])
    assert np.isnan(cube[0, AT["PRI"]]).all() and cube[0, AT["TUV"], AT["BTN"]] == 0


@pytest.mark.sources
def test_real_matrix_agrees_with_the_five_yearly_file(source_file):
    cube = read_baci(source_file("trade/DatiProcessati.mat"))
    other = pd.read_csv(source_file("trade/daia_trade_network.csv"), keep_default_na=False)
    other = other[other["origin"].isin(AT) & other["destination"].isin(AT)]
    ours = cube[other["year"] - 2000, other["origin"].map(AT), other["destination"].map(AT)]
    both = ~np.isnan(ours)
    assert both.sum() > 130_000
    assert np.abs(ours[both] - other["trade_value"].to_numpy()[both]).max() <= 1  # US$, rounded there


@pytest.mark.sources
def test_the_order_is_the_published_one(source_file):
    from humanflows import paths

    ours = pd.read_csv(paths.DATA / "baci_order.csv", keep_default_na=False)["iso3"].tolist()
    assert ours == source_file("trade/PaesiBaci_decoded.txt").read_text().split() and len(ours) == 210
