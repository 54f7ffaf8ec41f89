"""The two extracts made for Albania: files made here, and the real ones."""
import gzip

import pandas as pd
import pytest
from accounting import assert_accounted, left_out

from humanflows.errors import DuplicateKeyError, SchemaError, SourceFileError, UnknownTerritoryError
from humanflows.sources import omissions as why
from humanflows.sources.eurostat_albania import FILES, read_eurostat_albania
from humanflows.sources.omissions import Omissions

EMIGRATION = [("AL", "AT", 2015, "107"), ("TOTAL", "AT", 2015, "56689"), ("NAT", "AT", 2015, "21000"),
              ("STLS", "AT", 2015, "3"), ("UNK", "AT", 2015, "2"), ("NEU28_FOR", "AT", 2015, "18000"),
              ("TOTAL", "EU27_2020", 2015, "9"), ("AL", "EL", 2021, ""), ("TOTAL", "UK", 2019, "368385")]
PERMITS = [("TOTAL", "AL", "EL", 2020, "7768"), ("EDUC", "AL", "EL", 2020, "90"),
           ("TOTAL", "TOTAL", "EL", 2020, "9999"), ("TOTAL", "AL", "EU28", 2018, "62474"),
           ("TOTAL", "AL", "BE", 2025, "1236")]


def sample(folder, emigration=EMIGRATION, permits=PERMITS):
    """Small files like the two extracts."""
    rows = (pd.DataFrame(emigration, columns=["citizen", "geo", "TIME_PERIOD", "OBS_VALUE"])
            .assign(sex="T", age="TOTAL", unit="NR"),
            pd.DataFrame(permits, columns=["reason", "citizen", "geo", "TIME_PERIOD", "OBS_VALUE"])
            .assign(duration="TOTAL", unit="PER"))
    for name, frame in zip(FILES, rows):
        with gzip.open(folder / name, "wt", encoding="utf-8", newline="") as handle:
            frame.to_csv(handle, index=False)
    return {name: folder / name for name in FILES}


def test_corridors_margins_permits_and_what_is_left_out(tmp_path):
    omitted = Omissions()
    tables = read_eurostat_albania(sample(tmp_path), omitted=omitted)
    flow = tables["flow"].iloc[0]
    assert len(tables["flow"]) == 1 and (flow["origin"], flow["destination"], flow["reporter"]) == ("AUT", "ALB", "AUT")
    assert (flow["side"], flow["criterion"], flow["persons"]) == ("emigration", "citizenship", 107)
    assert tables["margin"].set_index(["territory", "group"])["persons"].to_dict() == {
        ("AUT", "total"): 56689, ("AUT", "own"): 21000, ("AUT", "stateless"): 3, ("AUT", "unknown"): 2,
        ("GBR", "total"): 368385}
    assert set(tables["margin"]["side"]) == {"emigration"}
    assert tables["pair_year"].set_index(["variable", "origin", "destination"])["value"].to_dict() == {
        ("first_permits", "ALB", "GRC"): 7768}
    everyone = sum(float(r[-1] or 0) for r in (*EMIGRATION, *PERMITS))
    assert_accounted(len(EMIGRATION) + len(PERMITS), everyone, omitted, *tables.values())
    assert left_out(omitted) == {why.AGGREGATE: (4, 18000 + 9 + 9999 + 62474), why.NO_NUMBER: (1, 0), why.PART: (1, 90),
                                 why.ANOTHER_YEAR: (1, 1236)}


@pytest.mark.parametrize("emigration, permits, error", [
    ([*EMIGRATION, ("XX", "AT", 2015, "1")], PERMITS, SchemaError),
    ([*EMIGRATION, ("AL", "XX", 2015, "1")], PERMITS, UnknownTerritoryError),
    ([*EMIGRATION, ("AL", "AT", 2015, "1")], PERMITS, DuplicateKeyError),
    (EMIGRATION, [*PERMITS, ("FUN", "AL", "EL", 2020, "1")], SchemaError),
    (EMIGRATION, [*PERMITS, ("TOTAL", "AL", "EL", 2020, "1")], DuplicateKeyError)])
def test_bad_rows_are_named(tmp_path, emigration, permits, error):
    with pytest.raises(error, match=r"\.csv\.gz.*row.*Remedy"):
        read_eurostat_albania(sample(tmp_path, emigration, permits))


def test_a_breakdown_beside_the_total_or_a_cut_file_is_refused(tmp_path):
    paths = sample(tmp_path)
    text = gzip.decompress(paths[FILES[0]].read_bytes())
    paths[FILES[0]].write_bytes(gzip.compress(text.replace(b",T,", b",F,", 1)))
    with pytest.raises(SchemaError, match=r"sex 'F'.*row 2"):
        read_eurostat_albania(paths)
    paths[FILES[0]].write_bytes(gzip.compress(text)[:-20])
    with pytest.raises(SourceFileError, match=rf"{FILES[0]}.*Remedy"):
        read_eurostat_albania(paths)
    with pytest.raises(SourceFileError, match=r"not given.*Remedy"):
        read_eurostat_albania({FILES[0]: paths[FILES[0]]})


@pytest.mark.sources
def test_real_files(source_file):
    paths = {name: source_file(f"eurostat_albania/{name}") for name in FILES}
    omitted = Omissions()
    tables = read_eurostat_albania(paths, omitted=omitted)
    raw = [pd.read_csv(p, keep_default_na=False, dtype=str) for p in paths.values()]
    everyone = sum(pd.to_numeric(f["OBS_VALUE"].replace("", "0")).sum() for f in raw)
    assert_accounted(sum(map(len, raw)), everyone, omitted, *tables.values())
    total = tables["margin"].query("group == 'total'").pivot(index="territory", columns="year", values="persons")
    assert total.loc["DEU", 2024] == 584_230 and total.loc["UKR", 2020] == 19_121 and len(total) == 35
    own = tables["margin"].query("group == 'own'").pivot(index="territory", columns="year", values="persons")
    assert (own <= total).sum().sum() == own.notna().sum().sum()
    union = raw[0].query("citizen == 'TOTAL' and geo == 'EU27_2020'").set_index("TIME_PERIOD")["OBS_VALUE"]
    members = total.drop(index=["CHE", "GBR", "ISL", "LIE", "MDA", "MKD", "NOR", "UKR"]).sum()
    for year in range(2020, 2025):
        assert members[year] == float(union[str(year)]), year
