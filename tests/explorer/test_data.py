"""What the page is given agrees with the release and with what others say."""
import json
import re

import numpy as np
import pytest
from small_release import CODES, METHODS, YEARS

from humanflows import paths
from humanflows.dataset.answers import Answers
from humanflows.errors import ArtifactError
from humanflows.explorer import comparisons, page
from humanflows.explorer.events import events_part
from humanflows.explorer.outlines import WIDTH, outlines
from humanflows.explorer.packing import NO_NUMBER, Part, decode, decode_share, unpack
from humanflows.geometry import read_geometry

N = len(CODES)


def opened(folder):
    """Parts of a written page by name: about and arrays."""
    return {name: (about, arrays) for name, about, arrays in (unpack(f.read_bytes())
                                                              for f in sorted(folder.glob("*.data.js")))}


def contents(folder):
    return json.loads(re.fullmatch(r"HF\.data\.contents = (.*);\n", (folder / "contents.js").read_text())[1])


def spread(about, arrays, key="flow"):
    """An array (time, row, column) of the kept pairs of a part."""
    out = np.zeros((arrays[key].shape[1], N * N))
    out[:, arrays["pairs"][0]] = decode(arrays[key], about["digits"]).T
    return out.reshape(-1, N, N)


def test_flows_are_those_of_the_release_the_smallest_too(whole_page, flow):
    got = spread(*opened(whole_page)["flows"])
    assert (flow[flow > 0] < 10).any() and ((flow == 0) & ~np.eye(N, dtype=bool)).any()     # or this proves nothing
    assert ((got > 0) == (flow > 0)).all()
    np.testing.assert_allclose(got, flow, rtol=0.005, atol=0.5)


def test_stocks_are_those_of_the_release_the_smallest_too(whole_page, release):
    about, arrays = opened(whole_page)["stocks"]
    store = Answers(release).store
    stock = store.array("stock")[[store.dates.index(d) for d in about["dates"]]].astype(float)
    stock[:, np.arange(N), np.arange(N)] = 0.0
    got = spread(about, arrays, "stock")
    assert ((got > 0) == (stock > 0)).all()
    np.testing.assert_allclose(got, stock, rtol=0.005, atol=0.5)


def test_totals_are_those_of_the_release(whole_page, release, flow):
    about, arrays = opened(whole_page)["territories"]
    np.testing.assert_allclose(arrays["in"], flow.sum(1).T, atol=1)
    np.testing.assert_allclose(arrays["out"], flow.sum(2).T, atol=1)
    assert about["totals_intervals"] and (arrays["in_lower"] <= arrays["in"]).all()
    np.testing.assert_allclose(arrays["net_migration"], Answers(release).store.array("net_migration").T, atol=0.5)


def test_intervals_hold_what_the_release_has_of_nobody_too(whole_page, release):
    parts, store = opened(whole_page), Answers(release).store
    pairs = parts["flows"][1]["pairs"][0]
    assert (parts["flows"][1]["flow"] == 0).any()
    for key, worse in (("lower", np.less_equal), ("upper", np.greater_equal)):
        got = decode(parts["ends"][1][key], 2)
        truth = store.array(f"flow_{key}").reshape(len(YEARS), -1)[:, pairs].T
        assert worse(got, truth * (1.0001 if key == "lower" else 0.9999)).all()
        np.testing.assert_allclose(got, truth, rtol=0.1, atol=1)


def test_grades_and_basis_are_the_datasets_own(whole_page, release):
    parts, answers = opened(whole_page), Answers(release)
    about, arrays = parts["grades"]
    pair = CODES.index("SYR") * N + CODES.index("DEU")
    row = parts["flows"][1]["pairs"][0].tolist().index(pair)
    told = answers.flow("SYR", "DEU")
    assert [about["grades"][k % 5] for k in arrays["judged"][row]] == told["grade"].tolist()
    assert [about["basis"][k // 5] for k in arrays["judged"][row]] == told["basis"].tolist()


def test_birthplaces_are_shares_of_the_flow(whole_page, flow):
    _, arrays = opened(whole_page)["birthplace"]
    np.testing.assert_allclose(arrays["in_origin"], 0.7 * flow.sum(1).T, rtol=0.1, atol=5)
    others = np.arange(N) != CODES.index("SYR")
    np.testing.assert_allclose(arrays["out_destination"][others], 0.2 * flow.sum(2).T[others], rtol=0.1, atol=5)
    parts = {k: decode_share(arrays[k]) for k in ("origin", "destination")}
    big = decode(opened(whole_page)["flows"][1]["flow"], 3) > 1000
    np.testing.assert_allclose(parts["origin"][big], 0.7, atol=0.011)
    few = opened(whole_page)["flows"][1]["pairs"][0] == CODES.index("SYR") * N + CODES.index("DEU")
    assert np.isin(parts["destination"][few], 0.004).all()          # a few in a thousand are not nobody
    np.testing.assert_allclose(parts["destination"][big & ~few[:, None]], 0.2, atol=0.011)


def test_every_report_is_there(whole_page, panel):
    about, arrays = opened(whole_page)["witnesses"]
    starts = np.concatenate([[0], np.cumsum(arrays["count"][0])])
    assert starts[-1] == panel.sizes["observation"]
    told = {(int(p), int(w), YEARS[0] + int(arrays["at"][0, k])): float(decode(arrays["persons"][0, k], 3))
            for s, (p, w) in enumerate(zip(arrays["pairs"][0], arrays["who"][0])) for k in range(*starts[s:s + 2])}
    for o, d, w, t, persons in zip(*(panel[f"flow_{k}"].values for k in ("origin", "destination", "witness", "year",
                                                                         "persons"))):
        assert told.pop((o * N + d, w, YEARS[t])) == pytest.approx(persons, rel=0.005, abs=0.5)
    assert not told and [w["source"] for w in about["witnesses"]] == ["undesa_imfsc", "eurostat", "meta"]
    assert about["censored_below"] == {"meta": 50}


def test_others_keep_their_years_periods_and_gaps(whole_page, peers, flow):
    parts = opened(whole_page)
    assert parts["reference"][0]["years"] == YEARS[:-1] and parts["reference"][0]["span"] == 1
    np.testing.assert_allclose(parts["reference"][1]["in"], flow[:-1].sum(1).T / 2, atol=1)
    about, arrays = parts["abel_cohen_1"]
    assert about["title"] == METHODS[0] and about["years"] == [2010, 2015] and about["span"] == 5
    left_out = CODES.index("MLT")
    assert (arrays["in"][left_out] == NO_NUMBER).all() and (np.delete(arrays["in"], left_out, 0) >= 0).all()
    got, truth = spread(about, arrays), np.nan_to_num(peers[METHODS[0]].values)
    np.testing.assert_allclose(got, truth, rtol=0.005, atol=0.5)


def test_a_bare_release_says_what_it_lacks(bare_page):
    said = contents(bare_page)
    assert set(said["missing"]) == {"intervals", "birthplace", "witnesses", "reference", "abel_cohen"}
    assert set(said["parts"]) == {"territories", "flows", "stocks", "events"}
    assert not said["platform"] and said["groups"] == {}
    assert "judged" not in str(said)


def test_without_files_of_sources_the_page_says_why(release, tmp_path, monkeypatch):
    monkeypatch.setattr(comparisons, "published_peers", lambda *_, download: {})
    made = page.gather(release, panel=tmp_path / "none.nc")
    assert "was not on the machine" in made.missing["witnesses"]
    assert "were not on the machine" in made.missing["reference"] and not made.groups


def test_a_panel_of_another_world_is_left_out_and_rubbish_refused(panel, tmp_path):
    other = panel.assign_coords(origin=[f"X{k:02}" for k in range(N)])
    other.to_netcdf(tmp_path / "other.nc", engine="netcdf4")
    part, why = comparisons.gather_witnesses(tmp_path / "other.nc", CODES, YEARS)
    assert part is None and "no report of these territories" in why
    (tmp_path / "rubbish.nc").write_text("no panel")
    with pytest.raises(ArtifactError, match="not a panel"):
        comparisons.gather_witnesses(tmp_path / "rubbish.nc", CODES, YEARS)


def test_events_have_their_years_and_sums(release, flow):
    part = events_part(flow, CODES, YEARS, release / "shocks.csv")
    events = {e["name"]: e for e in part.about["events"]}
    assert {"SYR-DEU-2014", "VEN-COL-2018", "pandemic-2020"} <= set(events) and "MEX-USA-2008" not in events
    war = events["SYR-DEU-2014"]
    course = flow[:, CODES.index("SYR"), CODES.index("DEU")]
    assert war["estimate"] == [round(float(course[YEARS.index(y)])) for y in war["years"]]
    assert war["beside"][0]["title"].startswith("OECD, arrivals") and len(war["beside"][0]["points"]) == 12
    np.testing.assert_allclose(events["pandemic-2020"]["estimate"][-1], flow[-1].sum(), rtol=1e-4)
    assert events_part(flow[:2], CODES, YEARS[:2]) is None


def test_too_much_drops_others_estimates_last_method_first():
    parts = [Part(k, {}, {}) for k in ("flows", "reference", "abel_cohen_1", "abel_cohen_2")]
    made = page.Contents(parts, {}, {"reference": ["reference"], "abel_cohen": ["abel_cohen_1", "abel_cohen_2"]})
    scripts = {p.name: b"x" * 100 for p in parts}
    fitted, kept = page.fit(made, scripts, 350)
    assert set(kept) == {p.name for p in fitted.parts} == {"flows", "reference", "abel_cohen_1"} and not fitted.missing
    fitted, kept = page.fit(made, scripts, 100)
    assert set(kept) == {"flows"} and set(fitted.missing) == {"abel_cohen", "reference"}
    assert made.groups["abel_cohen"] == ["abel_cohen_1", "abel_cohen_2"] and not made.missing   # as it was given
    same, kept = page.fit(made, scripts, 400)
    assert kept == scripts and same == made
    with pytest.raises(ArtifactError, match="larger than"):
        page.fit(fitted, {"flows": b"x" * 100}, 50)


def test_shared_borders_stay_shared_and_small_places_are_seen():
    drawn = outlines(read_geometry(), ["DEU", "POL", "MLT", "ZZZ"])
    germany, poland = (set(absolute(p)) for p in drawn["paths"][:2])
    assert len(germany & poland) >= 2           # points of the border, the same on both sides
    assert drawn["small"] == [False, False, True, False] and drawn["paths"][3] == "" and drawn["points"][3] is None
    for x, y in germany | poland:
        assert 0 <= x <= WIDTH and 0 <= y <= drawn["height"]


def absolute(path):
    for ring in re.findall(r"M(-?\d+),(-?\d+)l([^z]*)z", path):
        x, y = int(ring[0]), int(ring[1])
        yield x, y
        for move in ring[2].split():
            x, y = (a + int(b) for a, b in zip((x, y), move.split(",")))
            yield x, y


def test_the_page_of_the_release_keeps_to_its_size(tmp_path):
    if not (paths.RELEASE / "manifest.json").is_file():
        pytest.skip("there is no release in this checkout")
    folder = page.write_explorer(tmp_path / "explorer", sources=False).parent
    assert sum(f.stat().st_size for f in folder.iterdir()) <= page.LARGEST - 3_200_000      # room for what others say
    assert (folder.stat().st_mode & 0o055) == 0o055


def test_a_failed_page_leaves_the_earlier_one(bare_release, tmp_path, monkeypatch):
    made = page.write_explorer(tmp_path / "explorer", bare_release, sources=False)
    before = made.read_bytes()
    monkeypatch.setattr(page, "LARGEST", 30_000)
    with pytest.raises(ArtifactError, match="larger than"):
        page.write_explorer(tmp_path / "explorer", bare_release, sources=False)
    assert made.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["explorer"]
