"""Hostile releases and packages end in one plain error, and write nothing where they should not."""
import json
import shutil

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from humanflows import artifacts
from humanflows.countries import build_countries
from humanflows.dataset import open_estimates
from humanflows.dataset.package import write_package
from humanflows.dataset.whole import check_release
from humanflows.errors import ArtifactError, InputError
from whole_release import CODES, alter, list_files, write_whole_release


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return write_whole_release(tmp_path_factory.mktemp("whole") / "release")


@pytest.fixture
def copy(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "deep" / "er" / "release")


def ask_everything(folder):
    estimates = open_estimates(folder)
    estimates.flow("FJI", "TON")
    estimates.top("inflow", "COL", 2011)
    estimates.net("VEN")
    estimates.stock("COL", "VEN")
    estimates.by_birthplace("COL", "VEN")


def renamed(folder, code):
    """One territory gets another code, in every file."""
    codes = [code if c == "TON" else c for c in CODES]
    for file in folder.glob("*.nc"):
        alter(file, lambda d: d.assign_coords({k: codes for k in d.dims if not k.endswith("year")}))


@pytest.mark.parametrize("code", ["../../../PWN", "/tmp/PWN", "A/B", "..", "", "ton", "TON\n", "T N", "TÖN", "FJI",
                                  "NUL.", "x" * 5000])
@pytest.mark.parametrize("make", [lambda f, out: write_package(out, f),
                                  lambda f, out: build_countries(out, f, workers=1), lambda f, out: ask_everything(f)],
                         ids=["package", "countries", "questions"])
def test_codes_that_could_name_another_place_are_refused(copy, tmp_path, make, code):
    renamed(copy, code)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ArtifactError) as caught:
        make(copy, tmp_path / "deep" / "er" / "out")
    assert caught.value.file.endswith("flows.nc") and len(str(caught.value)) < 1000
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["../x.csv", "/etc/passwd", "a/../../b", "a//b", ".hidden", "", "a\\..\\b", "a\nb"])
def test_names_of_files_that_lead_elsewhere_are_refused(copy, name):
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["files"][name] = "0" * 64
    (copy / "manifest.json").write_text(json.dumps(manifest))
    for ask in (open_estimates, check_release):
        with pytest.raises(ArtifactError) as caught:
            ask(copy)
        assert caught.value.file.endswith("manifest.json")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -1.0, 1e12])
@pytest.mark.parametrize(("file", "variable"), [("flows.nc", "flow"), ("stocks.nc", "stock"),
                                                ("flows.nc", "flow_upper"), ("flows.nc", "flow_lower"),
                                                ("net_migration.nc", "net_migration")])
def test_numbers_that_cannot_be_are_refused(copy, file, variable, value):
    if (variable.startswith("flow_") and value != value) or (variable == "net_migration" and value == -1.0):
        return      # an end may be missing, a balance negative
    alter(copy / file, lambda d: d[variable].values.__setitem__((1, *(0,) * (d[variable].ndim - 2), 2), value))
    with pytest.raises(ArtifactError) as caught:
        ask_everything(copy)
    assert caught.value.file.endswith(file)
    assert caught.value.key == variable


@pytest.mark.parametrize(("file", "change"), [
    ("flows.nc", lambda d: d.assign(flow=d.flow.astype(str))),
    ("flows.nc", lambda d: d.assign(flow=d.flow.astype(int))),
    ("flows.nc", lambda d: d.assign_coords(year=[2010, 2012, 2014])),
    ("flows.nc", lambda d: d.assign_coords(year=[-3, -2, -1])),
    ("flows.nc", lambda d: d.assign_coords(year=[np.nan, 1.0, 2.0])),
    ("flows.nc", lambda d: d.assign_coords(destination=CODES[::-1])),
    ("flows.nc", lambda d: d.drop_vars("year")),
    ("flows.nc", lambda d: d.drop_vars("origin")),
    ("stocks.nc", lambda d: d.assign_coords(birthplace=CODES[::-1])),
    ("stocks.nc", lambda d: d.drop_vars("residence")),
    ("net_migration.nc", lambda d: d.assign_coords(year=[2011, 2012, 2013])),
    ("birthplace.nc", lambda d: d.assign(native_part=d.native_part * 0 - 1)),
    ("birthplace.nc", lambda d: d.assign(leaning=d.leaning.astype(np.int32) + 2_000_000)),
])
def test_other_kinds_of_numbers_and_other_orders_are_refused(copy, file, change):
    alter(copy / file, change)
    with pytest.raises(ArtifactError) as caught:
        ask_everything(copy)
    assert caught.value.file.endswith(file)


def test_sixty_thousand_codes_are_refused_before_they_are_read(copy):
    many = [f"{k:05}" for k in range(60_000)]
    artifacts.write_netcdf(xr.Dataset(coords={"year": [2010], "origin": many, "destination": many}), copy / "flows.nc")
    list_files(copy)
    with pytest.raises(ArtifactError) as caught:
        open_estimates(copy)
    assert caught.value.key == "origin"


def test_masks_of_sources_that_mean_nothing_are_refused():
    from humanflows.dataset.evidence import Evidence, describe_mask

    spoke, codes = np.zeros((2, 4, 4), np.uint8), tuple(CODES)
    about = describe_mask(("eurostat", "meta"), ("COL",), spoke.dtype)
    Evidence(spoke, about, codes)
    for wrong in ({"flag_meanings": about["flag_meanings"] * 3}, {"platforms": "nobody"},
                  {"flag_meanings": "a b c d e f g h office_of_origin office_of_destination"}):
        with pytest.raises(InputError):
            Evidence(spoke, {**about, **wrong}, codes)
    for seen, letters in ((np.full(spoke.shape, 9), {}), (spoke, {"flag_meanings": "A B", "flag_values": [0, 2**40]}),
                          (spoke, {"flag_meanings": "A B", "flag_values": "x y"})):
        with pytest.raises(InputError):
            Evidence(spoke, about, codes, seen, letters)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(file=st.sampled_from(["flows.nc", "stocks.nc", "net_migration.nc", "birthplace.nc", "sums.csv", "facts.json",
                             "manifest.json"]),
       where=st.floats(0, 1, exclude_max=True), how=st.sampled_from(["flip", "cut", "zero", "insert", "swap"]),
       bit=st.integers(0, 7))
def test_damage_ends_in_the_documented_error_or_in_the_right_answer(whole, tmp_path_factory, file, where, how, bit):
    """Whoever damages a file also lists it anew: digests are no help here."""
    folder = tmp_path_factory.mktemp("damaged") / "release"
    shutil.copytree(whole, folder)
    content = bytearray((folder / file).read_bytes())
    at = int(where * len(content))
    if how == "flip":
        content[at] ^= 1 << bit
    elif how == "cut":
        del content[at:]
    elif how == "zero":
        content[at:at + 16] = bytes(len(content[at:at + 16]))
    elif how == "insert":
        content[at:at] = b"\xff\x00" * (bit + 1)
    else:
        content[:at], content[at:] = content[-at:] if at else b"", content[:len(content) - at]
    (folder / file).write_bytes(content)
    if file != "manifest.json":
        list_files(folder, format=1)
    try:
        check_release(folder)
        ask_everything(folder)
    except InputError as error:
        assert "\n" not in str(error)
    shutil.rmtree(folder)
