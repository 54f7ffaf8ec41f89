"""Estimates beside published figures, against numbers worked out by hand.

A benchmark that calls a broken bound met, or a missing number a hit, would flatter whatever is released.
"""
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from humanflows.errors import ArtifactError, InputError, SchemaError
from humanflows.panel.known_flows import COLUMNS
from humanflows.results import known_flows as kf
from humanflows.results import known_report
from humanflows.results.protocol_report import Table
from humanflows.results.release import add_table
from whole_release import list_files

CODES, YEARS = ["DEU", "POL", "TUR"], [2010, 2011]


class Estimated:
    """A release of three territories and two years: one flow and one interval for all, but for given corridors."""

    def __init__(self, flows, *, ends=True, simulated=False):
        self.flows, self.ends, self.simulated = flows, ends, simulated

    def flow(self, origin, destination, year):
        flow = self.flows[origin, destination, year]
        ends = {"flow_lower": [flow / 2], "flow_upper": [flow * 2]} if self.ends else {}
        return pd.DataFrame({"year": [year], "flow": [flow], **ends})


def listed(*rows):
    frame = pd.DataFrame(rows, columns=["origin", "destination", "year", "persons", "kind", "bound"])
    given = {"checked": "read on the page", "definition": "d", "source": "s", "url": "https://example.org", "note": "",
             "comment": ""}
    return frame.assign(**given)[list(COLUMNS)]


def array(**values):
    flow = xr.DataArray(np.full((2, 3, 3), np.nan), dims=("year", "origin", "destination"),
                        coords={"year": YEARS, "origin": CODES, "destination": CODES})
    for cell, value in values.items():
        origin, destination, year = cell.split("_")
        flow.loc[{"year": int(year), "origin": origin, "destination": destination}] = value
    return flow


@pytest.fixture
def known():
    return listed(("POL", "DEU", 2010, 100, "arrivals", "none"), ("DEU", "POL", 2010, 100, "departures", "none"),
                  ("TUR", "DEU", 2010, 100, "displaced", "lower"), ("TUR", "POL", 2010, 100, "displaced", "lower"),
                  ("DEU", "TUR", 2010, 100, "deployments", "upper"), ("POL", "TUR", 2011, 100, "deployments", "upper"))


@pytest.fixture
def estimates():
    return Estimated({("POL", "DEU", 2010): 140.0, ("DEU", "POL", 2010): 30.0, ("TUR", "DEU", 2010): 1000.0,
                      ("TUR", "POL", 2010): 40.0, ("DEU", "TUR", 2010): 10.0, ("POL", "TUR", 2011): 300.0})


def test_a_bound_is_broken_from_one_side_alone(known, estimates):
    table = kf.compare_known(known, estimates)
    assert table["within"].tolist() == [True, False, True, False, True, False]
    # Half and twice the estimate: 70 to 280, 15 to 60, 500 to 2,000, 20 to 80, 5 to 20, 150 to 600.
    assert table["inside"].tolist() == [True, False, True, False, True, False]
    assert table["log_ratio"][0] == pytest.approx(np.log(140.5 / 100.5))
    assert list(table) == kf.COMPARED and table["nearer"].isna().all() and table["meta"].isna().all()


@pytest.mark.parametrize(("bound", "factor", "met"), [
    ("none", 1.49, True), ("none", 1.51, False), ("none", 1 / 1.49, True), ("none", 1 / 1.51, False),
    ("lower", 9, True), ("lower", 1 / 1.49, True), ("lower", 1 / 1.51, False),
    ("upper", 1 / 9, True), ("upper", 1.49, True), ("upper", 1.51, False)])
def test_within_is_a_factor_of_one_and_a_half(bound, factor, met):
    assert kf.agrees_within(pd.Series([np.log(factor)]), pd.Series([bound])).tolist() == [met]


def test_the_reference_is_beaten_where_the_figure_is_nearer(known, estimates):
    reference = array(POL_DEU_2010=200.0, DEU_POL_2010=90.0, TUR_DEU_2010=101.0, TUR_POL_2010=20.0)
    table = kf.compare_known(known, estimates, reference, array(POL_DEU_2010=75.0))
    # The third is a lower bound that both meet; of the last two the reference says nothing.
    assert table["nearer"].tolist() == ["ours", "theirs", "same", "ours", None, None]
    assert table["within_gaskin_abel"].tolist() == [False, True, True, False, None, None]
    assert table["meta"][0] == 75 and table["meta"][1:].isna().all()
    summary = kf.summarise_known(table).set_index("group")
    row = summary.loc["all"]
    assert (row["figures"], row["within"], row["figures_gaskin_abel"], row["within_gaskin_abel"]) == (6, 0.5, 4, 0.5)
    assert (row["decided"], row["ahead"], row["intervals"], row["inside"]) == (3, pytest.approx(2 / 3), 6, 0.5)
    assert summary.loc["bounds", "figures"] == 4 and np.isnan(summary.loc["bounds", "median_log_ratio"])
    assert summary.loc["departures", "median_log_ratio"] == pytest.approx(np.log(30.5 / 100.5))
    assert np.isnan(summary.loc["deployments", "ahead"]) and summary.loc["in the panel", "figures"] == 0


def test_what_the_arrays_do_not_cover_is_missing(known, estimates):
    shorter = array(POL_TUR_2011=5.0).isel(year=[0])
    assert kf.compare_known(known, estimates, shorter.transpose("destination", "origin", "year"))[
        "gaskin_abel"].isna().all()
    table = kf.compare_known(known, estimates, array(POL_TUR_2011=5.0).transpose("destination", "origin", "year"))
    assert table["gaskin_abel"].tolist()[-1] == 5 and table["gaskin_abel"].notna().sum() == 1


def test_a_release_without_intervals_has_nothing_inside(known):
    flows = {k: 0.0 for k in known[kf.KEYS].itertuples(index=False, name=None)}
    table = kf.compare_known(known, Estimated(flows, ends=False))
    assert table["inside"].tolist() == [None] * 6 and table["flow_lower"].isna().all()
    assert np.isfinite(table["log_ratio"]).all(), "a flow of zero has a ratio, too"
    row = kf.summarise_known(table).set_index("group").loc["all"]
    assert row["intervals"] == 0 and np.isnan(row["inside"])


def test_the_simulated_world_has_no_known_flows(known, estimates):
    estimates.simulated = True
    with pytest.raises(InputError, match="simulated"):
        kf.compare_known(known, estimates)
    with pytest.raises(SchemaError, match="bound"):
        kf.compare_known(known.drop(columns="bound"), estimates)


def test_meta_is_taken_from_the_panel_alone_of_all_reports():
    report = {"persons": [60.0, 70.0], "year": [0, 1], "origin": [1, 1], "destination": [0, 0], "witness": [1, 0]}
    panel = xr.Dataset({f"flow_{k}": ("observation", v) for k, v in report.items()},
                       coords={"year": YEARS, "origin": CODES, "destination": CODES, "witness": ["a|b", kf.META]})
    flow = kf.meta_flows(panel)
    assert flow.sel(year=2010, origin="POL", destination="DEU") == 60 and np.isfinite(flow).sum() == 1
    assert np.isnan(kf.meta_flows(panel.assign_coords(witness=["a|b", "c|d"]))).all()


def test_the_table_is_read_as_it_was_written(known, estimates, tmp_path):
    table = kf.compare_known(known, estimates, array(POL_DEU_2010=200.0))
    file = tmp_path / kf.FILE
    table.to_csv(file, index=False, float_format="%.6g")
    read = kf.read_compared(file)
    for column in ("inside", "within", "within_gaskin_abel", "nearer", "in_panel"):
        assert read[column].tolist() == table[column].tolist(), column
    pd.testing.assert_frame_equal(kf.summarise_known(read), kf.summarise_known(table), rtol=1e-4)


@pytest.mark.parametrize("damage", [
    lambda text: text.replace("flow_upper", "upper"), lambda text: text.replace(",True,", ",perhaps,"), lambda text: "",
    lambda text: text + '"'])
def test_a_damaged_table_is_refused(known, estimates, tmp_path, damage):
    file = tmp_path / kf.FILE
    file.write_text(damage(kf.compare_known(known, estimates).to_csv(index=False)))
    with pytest.raises(SchemaError, match=r"known_flows\.csv.*compare_known\.py"):
        kf.read_compared(file)


def test_a_release_lists_the_table_that_it_is_given(known, estimates, tmp_path):
    (tmp_path / "flows.nc").write_bytes(b"flows")
    list_files(tmp_path)
    table = kf.compare_known(known, estimates)
    for _ in range(2):      # again over an earlier one
        add_table(kf.FILE, table, tmp_path)
        assert f'"{kf.FILE}"' in (tmp_path / "manifest.json").read_text()
    (tmp_path / "flows.nc").write_bytes(b"others")
    with pytest.raises(ArtifactError, match=r"flows\.nc"):
        add_table(kf.FILE, table, tmp_path)


def test_the_chapter_says_what_the_table_says(known, estimates):
    table = kf.compare_known(known, estimates, array(POL_DEU_2010=200.0))
    text, summary = known_report.section("summary", table, known)
    assert text.startswith("Of 6 figures, 50% are met") and "1 of which" in text and isinstance(summary, Table)
    folded = known_report.section("table", table, known)
    assert sum(len(t.rows) for t in folded) == len(known) and all(t.folded for t in folded)
    first = folded[0].rows[0]
    assert first["flow"] == "140 (70 to 280)" and first["gaskin_abel"] == "200" and first["meta"] == "–"
    assert folded[2].rows[0]["persons"].startswith("≥")
    assert known_report.furthest(table)["log_ratio"].abs().iloc[0] == pytest.approx(np.log(100.5 / 30.5))
    # Bounds that hold are not far.
    assert known_report.furthest(table)["within"].tolist() == [False, False, False, True]


def test_a_reason_stands_where_the_interval_misses(known, estimates):
    told = known.assign(comment="an amnesty")
    rows = [r for t in known_report.section("table", kf.compare_known(known, estimates), told) for r in t.rows]
    assert [r["why"] for r in rows if r["inside"] == "✓"] == [""] * 3
    assert [r["why"] for r in rows if r["inside"] == "✗"] == ["an amnesty"] * 3


def test_a_list_that_changed_since_is_said(known, estimates):
    table = kf.compare_known(known, estimates)
    mended = known.assign(persons=[101, *known["persons"][1:]])[:5]
    assert known_report.changes_since(table, mended) == (1, 2)
    assert any("1 are new or were mended, 2 are gone" in str(b)
               for b in known_report.section("summary", table, mended))
