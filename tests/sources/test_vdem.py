"""Indices of democracy: states that changed, and input that must be refused."""
import pandas as pd
import pytest
import rdata

from humanflows.errors import DuplicateKeyError, SourceFileError, UnknownTerritoryError
from humanflows.sources import omissions
from humanflows.sources.omissions import Omissions
from humanflows.sources.vdem import DIVIDED, GOVERNED_BY, OUTSIDE, PART_OF_A_STATE, read_vdem
from humanflows.territories import codes


@pytest.fixture
def sample(tmp_path):
    """Write a tiny file; ``change`` edits its frame."""
    def write(change=lambda frame: frame):
        rows = [("RUS", 1984, 0.5, 0.5), ("RUS", 1989, 0.2, 0.1), ("RUS", 1990, 0.3, 0.15), ("UKR", 1990, 0.4, 0.25),
                ("TKM", 1990, None, None), ("BHR", 1990, 0.05, None), ("DEU", 1989, 0.9, 0.8), ("DEU", 1990, 0.9, 0.8),
                ("DDR", 1989, 0.1, 0.1)]
        frame = pd.DataFrame(rows, columns=["country_text_id", "year", "v2x_polyarchy", "v2x_libdem"])
        frame = change(frame.astype({"year": float})).astype({"country_text_id": object})
        rdata.write_rda(tmp_path / "vdem.rda", {"vdem_simple": frame})
        return tmp_path / "vdem.rda"
    return write


def test_successor_states_take_the_index_of_who_governed_them(sample):
    frame = read_vdem(sample())
    row = frame[frame["variable"] == "democracy"].set_index(["territory", "year"])[["value", "status"]]
    told = {k: tuple(v) for k, v in row.iterrows()}
    assert told["UKR", 1989] == (0.2, "imputed") and told["UKR", 1990] == (0.4, "estimated"), "its own comes first"
    assert told["TKM", 1990] == (0.3, "imputed"), "its own is missing"
    assert told["RUS", 1989] == (0.2, "estimated")
    assert ("RUS", 1984) not in told, "before the first year"
    assert ("DEU", 1989) not in told and told["DEU", 1990] == (0.9, "estimated"), "two states, then one"
    assert "DDR" not in set(row.index.get_level_values(0))


def test_a_missing_index_is_left_out_and_all_that_is_left_out_is_counted(sample):
    omitted = Omissions()
    frame = read_vdem(sample(), omitted=omitted)
    assert frame.query("territory == 'BHR'")["variable"].tolist() == ["democracy"]
    left = {(r.reason, r.year): r.rows for r in omitted.table().itertuples()}
    assert left == {(omissions.ANOTHER_YEAR, 1984): 2, (omissions.OUTSIDE, 1989): 2, (PART_OF_A_STATE, 1989): 2,
                    (omissions.NO_NUMBER, 1990): 3}
    assert (frame["status"] == "estimated").sum() + sum(left.values()) == 9 * 2


def test_bad_files_are_refused(sample, tmp_path):
    with pytest.raises(SourceFileError, match=r"vdem\.rda.*lacks the columns \['v2x_libdem'\].*Remedy"):
        read_vdem(sample(lambda f: f.drop(columns="v2x_libdem")))
    with pytest.raises(UnknownTerritoryError, match=r"'UKX'.*Remedy"):
        read_vdem(sample(lambda f: f.replace({"country_text_id": {"UKR": "UKX"}})))
    for value in (1.2, -0.1):
        with pytest.raises(SourceFileError, match=rf"democracy is {value}, outside 0–1.*UKR, 1990"):
            read_vdem(sample(lambda f, v=value: f.replace({"v2x_polyarchy": {0.4: v}})))
    with pytest.raises(DuplicateKeyError, match=r"territory=UKR"):
        read_vdem(sample(lambda f: pd.concat([f, f.iloc[[3]]], ignore_index=True)))
    path = sample()
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(SourceFileError, match=r"cannot be decoded"):
        read_vdem(path)
    with pytest.raises(SourceFileError, match=r"missing"):
        read_vdem(tmp_path / "nothing.rda")


def test_tables_of_states_name_territories():
    places = {*DIVIDED, *GOVERNED_BY, *(state for state, _ in GOVERNED_BY.values())}
    assert places <= set(codes()) and not OUTSIDE & set(codes())
    assert not set(GOVERNED_BY) & {state for state, _ in GOVERNED_BY.values()}, "nobody is given what was given"


@pytest.mark.sources
def test_real_file(source_file):
    frame = read_vdem(source_file("extras/vdem_simple.rda"))
    value = frame.set_index(["variable", "territory", "year"])["value"]
    assert frame["territory"].nunique() == 175 and (frame["year"].min(), frame["year"].max()) == (1985, 2024)
    assert value["democracy", "DNK", 2020] > 0.85 and value["democracy", "PRK", 2020] < 0.15
    assert value["democracy", "HUN", 2024] < value["democracy", "HUN", 2009], "it also falls"
    assert value["democracy", "SSD", 2005] == value["democracy", "SDN", 2005]
    imputed = frame[(frame["status"] == "imputed") & (frame["year"] >= 1990)]
    assert set(imputed["territory"]) == {"BIH", "HRV", "MKD", "MNE", "SSD", "SVK", "TKM"}
    every_year = frame[(frame["year"] >= 1990) & (frame["variable"] == "democracy")].groupby("territory").size()
    assert (every_year == 35).all(), "no gap since 1990"
