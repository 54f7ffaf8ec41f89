"""Abel & Cohen's reconstructions: files made here, and the real ones."""
import json

import pytest

from humanflows.errors import (
    DuplicateKeyError,
    NegativeCountError,
    SchemaError,
    SourceFileError,
    UnknownTerritoryError,
)
from humanflows.sources import abel_cohen, omissions
from humanflows.sources.abel_cohen import METHODS, coverage, read_abel_cohen
from humanflows.sources.omissions import Omissions

NAMES = ["Africa", "Chad", "Sudan*", "Sudan", "America", "Peru"]
MATRIX = [[9, 9, 9, 9, 9, 9],
          [9, 5, 4, 0, 9, 7],
          [9, 8, 9, 0, 9, 9],
          [9, 0, 0, 0, 9, 0],
          [9, 9, 9, 9, 9, 9],
          [9, 2, 9, 0, 9, 3]]


@pytest.fixture
def write(tmp_path):
    def write_json(matrix=MATRIX, names=NAMES, name="flow_mig_rate.json"):
        content = {"names": names, "regions": [0, 4], "matrix": {"1990": matrix, "1995": matrix}}
        (tmp_path / name).write_text(json.dumps(content))
        return tmp_path / name

    return write_json


def test_regions_diagonals_zeros_and_former_states_are_left_out(write):
    omitted = Omissions()
    table = read_abel_cohen([write()], omitted=omitted)
    left = {(r.reason, r.year): (r.rows, r.persons) for r in omitted.table().itertuples()}
    for year in (1990, 1995):   # of 36 cells two become rows
        mine = {reason: n for (reason, y), n in left.items() if y == year}
        assert mine == {omissions.AGGREGATE: (20, 180), omissions.FORMER_STATE: (7, 39),
                        omissions.SAME_TERRITORY: (3, 8), abel_cohen.ZERO: (4, 0)}
        assert sum(n for n, _ in mine.values()) + 2 == 36
        assert sum(p for _, p in mine.values()) + 9 == sum(map(sum, MATRIX))
    rows = {(r.method, r.year, r.origin, r.destination): r.persons for r in table.itertuples()}
    assert rows == {("mig_rate", y, o, d): v for y in (1990, 1995) for o, d, v in
                    (("TCD", "PER", 7), ("PER", "TCD", 2))}
    assert set(table["source"]) == {"abel_cohen_2023"}
    assert coverage(table).query("year == 1990")["territory"].tolist() == ["PER", "TCD"]  # Sudan: no estimate


def test_csv(tmp_path):
    path = tmp_path / "flow.csv"
    path.write_text("year0,orig,dest,flow\n1990,NAM,ZAF,3\n1990,CLI,ZAF,9\n1990,ZAF,NAM,0\n")
    omitted = Omissions()
    table = read_abel_cohen(v6_path=path, omitted=omitted)
    assert omitted.table().values.tolist() == [[abel_cohen.ZERO, 1990, 1, 0], [omissions.OUTSIDE, 1990, 1, 9]]
    assert table[["source", "method", "origin", "destination", "persons"]].values.tolist() == [
        ["abel_cohen_v6", "da_pb_closed", "NAM", "ZAF", 3.0]]
    path.write_text("year0,orig,dest,flow\n1990,NAM,ZAF,3\n1990,NIM,ZAF,9\n")
    with pytest.raises(UnknownTerritoryError, match=r"flow\.csv.*'NIM'.*row 1.*did you mean"):
        read_abel_cohen(v6_path=path)
    path.write_text("year0,orig,dest,flow\n1990,NAM,ZAF,3\n1990,NAM,ZAF,4\n")
    with pytest.raises(DuplicateKeyError, match="NAM"):
        read_abel_cohen(v6_path=path)
    path.write_text("year0,orig,dest,flow\n1990,NAM,ZAF,-3\n")
    with pytest.raises(NegativeCountError, match="NAM"):
        read_abel_cohen(v6_path=path)
    path.write_text("year,orig,dest,flow\n1990,NAM,ZAF,3\n")
    with pytest.raises(SchemaError, match="year0"):
        read_abel_cohen(v6_path=path)


def test_bad_json_is_named(write, tmp_path):
    with pytest.raises(UnknownTerritoryError, match="Atlantis"):
        read_abel_cohen([write(names=[*NAMES[:5], "Atlantis"])])
    negative = [row[:] for row in MATRIX]
    negative[1][5] = -1
    with pytest.raises(NegativeCountError, match="matrix 1990, Chad to Peru"):
        read_abel_cohen([write(negative)])
    with pytest.raises(SchemaError, match="matrix 1990"):
        read_abel_cohen([write(MATRIX[:3])])
    with pytest.raises(SourceFileError, match="method"):
        read_abel_cohen([write(name="flow_guess.json")])
    (tmp_path / "flow_mig_rate.json").write_text("{")
    with pytest.raises(SourceFileError, match="flow_mig_rate"):
        read_abel_cohen([tmp_path / "flow_mig_rate.json"])


@pytest.mark.sources
def test_real_files(source_file):
    table = read_abel_cohen([source_file(f"abel_cohen/flow_{m}.json") for m in METHODS],
                            source_file("abel_cohen/abelCohen2019flowsv6_flowdt.csv"))
    total = table.groupby(["source", "method", "year"])["persons"].sum()
    assert set(table["year"]) == {1990, 1995, 2000, 2005, 2010, 2015}
    # World totals of the pseudo-Bayes estimates, 67 to 96 M per five years; drop-negative is the smallest method.
    assert total["abel_cohen_v6", "da_pb_closed"].between(64e6, 96e6).all()
    assert total["abel_cohen_2023", "da_pb_closed"].between(69e6, 102e6).all()
    assert (total["abel_cohen_2023", "sd_drop_neg"] < total["abel_cohen_2023", "da_pb_closed"]).all()
    # Origin stands first: when stocks of the Mexican-born grew, their difference is a flow from Mexico.
    one = table.set_index(["source", "method", "year", "origin", "destination"])["persons"]
    assert one["abel_cohen_2023", "sd_drop_neg", 1990, "MEX", "USA"] == 2_529_931
    known = coverage(table).groupby(["source", "method", "year"])["territory"].agg(set)
    assert "SSD" not in known["abel_cohen_2023", "da_pb_closed", 1990]
    assert "SSD" in known["abel_cohen_2023", "da_pb_closed", 2015]
