"""The published figures that estimates are held against: what the table may hold, and that it says what the panel says.

A figure that is mistyped, or that counts something else than its row says, would make a benchmark of nonsense.
"""
import pandas as pd
import pytest
import xarray as xr

from humanflows import paths, pipeline
from humanflows.config import load_config
from humanflows.errors import (
    DuplicateKeyError,
    NegativeCountError,
    SchemaError,
    SourceFileError,
    UnknownTerritoryError,
    YearRangeError,
)
from humanflows.panel import known_flows as kf
from humanflows.territories import codes, region_of

ROW = {"origin": "POL", "destination": "DEU", "year": "2012", "persons": "177758", "kind": "arrivals", "bound": "none",
       "definition": "Arrivals by citizenship", "source": "OECD", "url": "https://example.org/a?b=c", "note": "",
       "checked": "equal to panel oecd|DEU|immigration|citizenship|movement", "comment": ""}
ISSUE = [("IND", "GBR", 2022), ("NGA", "GBR", 2022), ("BGD", "SAU", 2022), ("ROU", "ESP", 2007), ("POL", "DEU", 2012),
         ("SYR", "DEU", 2015), ("UKR", "RUS", 1994), ("MMR", "BGD", 2017)]
SERIES = "oecd|DEU|immigration|citizenship|movement"


def table(tmp_path, *rows, columns=kf.COLUMNS):
    file = tmp_path / "known_flows.csv"
    pd.DataFrame([{**ROW, **row} for row in rows or ({},)])[list(columns)].to_csv(file, index=False)
    return file


@pytest.fixture
def panel():
    """Three territories and two years: one report of POL-DEU, one of refugees, one of returns."""
    places = ["BGD", "DEU", "POL"]
    refugees = xr.DataArray([[[0, 0, 0], [0, 0, 0], [0, 0, 0]], [[0, 44.0, 0], [0, 0, 0], [0, 0, 0]]],
                            dims=("year", "origin", "destination"))
    return xr.Dataset(
        {"displaced_flow": refugees,
         **{f"flow_{k}": ("observation", [v]) for k, v in
            {"persons": 177_758.2, "year": 1, "origin": 2, "destination": 1, "witness": 0}.items()},
         **{f"indicator_{k}": ("indicator_observation", [v]) for k, v in
            {"value": 7.0, "year": 0, "origin": 1, "destination": 2, "series": 0}.items()}},
        coords={"year": [2011, 2012], "origin": places, "destination": places, "witness": [SERIES],
                "indicator": ["unhcr_more|refugees_returned"]})


def test_a_sound_table_is_read(tmp_path):
    frame = kf.read_known_flows(table(tmp_path, {}, {"year": "2013", "persons": "1", "checked": kf.READ}))
    assert frame["persons"].tolist() == [177_758, 1] and frame["year"].dtype == "int64"
    assert tuple(frame.columns) == kf.COLUMNS


@pytest.mark.parametrize(("change", "error", "says"), [
    ({"origin": "PLO"}, UnknownTerritoryError, "POL"),
    ({"destination": "POL"}, SchemaError, r"row 0: POL-POL 2012"),
    ({"destination": ""}, UnknownTerritoryError, "row 0"),
    ({"year": "1989"}, YearRangeError, "1990–2024"),
    ({"year": "2025"}, YearRangeError, "POL-DEU 2025"),
    ({"year": "2012.5"}, SchemaError, "whole number"),
    ({"persons": "0"}, NegativeCountError, "above zero"),
    ({"persons": "-3"}, NegativeCountError, "POL-DEU 2012"),
    ({"persons": "inf"}, SchemaError, "whole number"),
    ({"persons": "1,000"}, SchemaError, "whole number"),
    ({"persons": ""}, SchemaError, "whole number"),
    ({"kind": "guess"}, SchemaError, "arrivals, departures"),
    ({"bound": ""}, SchemaError, "none, lower, upper"),
    ({"definition": " "}, SchemaError, "definition is empty"),
    ({"source": ""}, SchemaError, "source is empty"),
    ({"url": "ftp://example.org/a"}, SchemaError, "http"),
    ({"url": "https://"}, SchemaError, "http"),
    ({"url": "https://example.org/a b"}, SchemaError, "blanks"),
    ({"url": "https://[example.org"}, SchemaError, "http"),
    ({"url": "javascript:alert(1)"}, SchemaError, "http"),
    ({"checked": "from memory"}, SchemaError, "verified"),
    ({"checked": "equal to panel oecd"}, SchemaError, "verified"),
    ({"checked": "equal to panel a|b|c"}, SchemaError, "verified"),
])
def test_a_row_that_cannot_be_used_is_named(tmp_path, change, error, says):
    with pytest.raises(error, match=says) as caught:
        kf.read_known_flows(table(tmp_path, change))
    assert "known_flows.csv" in str(caught.value) and "Remedy" in str(caught.value)


def test_a_corridor_and_year_may_stand_once(tmp_path):
    with pytest.raises(DuplicateKeyError, match="row 1: POL-DEU 2012"):
        kf.read_known_flows(table(tmp_path, {}, {"persons": "5"}))


def test_columns_are_those_declared(tmp_path):
    with pytest.raises(SchemaError, match="url"):
        kf.read_known_flows(table(tmp_path, columns=[c for c in kf.COLUMNS if c != "url"]))
    file = table(tmp_path)
    pd.read_csv(file, dtype=str).assign(ours="3").to_csv(file, index=False)
    with pytest.raises(SchemaError, match="ours"):
        kf.read_known_flows(file)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b'origin,"'])
def test_a_file_that_is_no_table_is_refused(tmp_path, content):
    file = tmp_path / "known_flows.csv"
    file.write_bytes(content)
    with pytest.raises(SchemaError, match=r"known_flows\.csv"):
        kf.read_known_flows(file)
    with pytest.raises(SourceFileError):
        kf.read_known_flows(tmp_path / "absent.csv")


def test_figures_are_found_in_the_panel(tmp_path, panel):
    returned = {"origin": "DEU", "destination": "POL", "year": "2011"}
    known = kf.read_known_flows(table(
        tmp_path, {}, {"origin": "BGD", "persons": "44", "checked": f"equal to panel {kf.DISPLACED}"},
        {**returned, "persons": "7", "checked": "equal to panel unhcr_more|refugees_returned"},
        {"year": "2000"}, {"origin": "FRA"}, {"origin": "BGD", "year": "2011"},
        {**returned, "year": "2012", "checked": "equal to panel unhcr_more|refugees_returned"},
        {"year": "2003", "checked": kf.READ}, {"year": "2004", "checked": "equal to panel meta|nothing"}))
    found = kf.panel_figures(known, panel)
    assert found[:3].tolist() == [177_758.2, 44.0, 7.0] and found[3:].isna().all()
    kf.check_against_panel(known[:3], panel)
    with pytest.raises(SchemaError, match=r"POL-DEU 2000"):
        kf.check_against_panel(known, panel)
    with pytest.raises(SchemaError, match=r"45 persons, where the panel says 44.*BGD-DEU 2012"):
        kf.check_against_panel(known[:3].assign(persons=[177_758, 45, 7]), panel)


def test_the_projects_table_covers_every_region_and_size():
    known = kf.read_known_flows()
    have = set(known[kf.KEYS].itertuples(index=False, name=None))
    assert len(known) >= 60 and set(ISSUE) <= have
    regions = region_of()
    for end in ("origin", "destination"):
        assert set(known[end].map(regions)) == set(regions), "a benchmark without a region says nothing of it"
    assert known["persons"].min() < 50 and known["persons"].max() > 1e6
    assert known.loc[known["kind"] == "displaced", "bound"].eq("lower").all(), "UNHCR counts some of those who flee"
    assert set(known["origin"]) | set(known["destination"]) <= set(codes())


def test_every_figure_that_is_the_panels_equals_it():
    config = load_config("world")
    if not pipeline.panel_path(config).is_file():
        pytest.skip("the panel of the real sources was not made on this machine (humanflows harmonise)")
    known = kf.read_known_flows()
    kf.check_against_panel(known, pipeline.open_panel(config), paths.KNOWN_FLOWS)
    assert known["checked"].str.startswith(kf.IN_PANEL).sum() >= 60
