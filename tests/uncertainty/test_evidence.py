"""Classes of evidence follow from who said what of a corridor, and from nothing that was not seen."""
import numpy as np
import pytest

from humanflows.errors import SchemaError
from humanflows.panel.reported_totals import _COUNTED
from humanflows.uncertainty import evidence as ev
from humanflows.uncertainty.evidence import INDIRECT, NOTHING, OTHER_YEARS, PROXY, RESIDENCE, classify_evidence


@pytest.fixture(scope="module")
def panel(small_panel):
    """The small world, with counts by residence of three series taken for a platform's, and half of them not shown."""
    panel = small_panel.copy(deep=True)
    criterion, source = (panel[f"witness_{k}"].values.astype(str) for k in ("criterion", "source"))
    number = np.bincount(panel["flow_witness"].values, minlength=len(source)) * (criterion == "residence")
    series = np.argsort(number)[-3:]
    panel["witness_source"] = ("witness", np.where(np.isin(np.arange(len(source)), series), "meta", source))
    rows = np.flatnonzero(np.isin(panel["flow_witness"].values, series))
    return panel.isel(observation=np.setdiff1d(np.arange(panel.sizes["observation"]), rows[::2]))


@pytest.fixture(scope="module")
def known(panel):
    return classify_evidence(panel)


def parts(panel):
    witness = panel["flow_witness"].values
    platform = np.isin(panel["witness_source"].values.astype(str), ev.PLATFORMS)[witness]
    residence = (panel["witness_criterion"].values.astype(str) == "residence")[witness]
    at = tuple(panel[f"flow_{k}"].values for k in ("year", "origin", "destination"))
    return platform, residence, at


def test_reports_make_the_classes(known, panel):
    platform, residence, at = parts(panel)
    off = at[1] != at[2]
    assert (known.code[at][~platform & residence & off] == RESIDENCE).all()
    assert (known.code[at][~platform & ~residence & off] >= PROXY).all()
    office = np.zeros(known.code.shape, dtype=bool)
    office[tuple(a[~platform] for a in at)] = True
    by_residence = np.zeros_like(office)
    by_residence[tuple(a[~platform & residence] for a in at)] = True
    between = ~np.eye(office.shape[1], dtype=bool)
    np.testing.assert_array_equal((known.code == RESIDENCE) & between, by_residence & between)
    np.testing.assert_array_equal((known.code == OTHER_YEARS) & between, office.any(0) & ~office & between)


def test_a_platforms_count_is_no_report(known, panel):
    platform, _, at = parts(panel)
    alone = platform & ~np.isin(known.code[at], (OTHER_YEARS, PROXY, RESIDENCE))
    assert alone.any() and (known.code[at][alone] == INDIRECT).all()
    assert known.has("platform")[at][platform].all()


def test_what_was_not_seen_is_no_evidence(panel):
    nobody = classify_evidence(panel, np.zeros(panel.sizes["observation"], dtype=bool))
    assert set(np.unique(nobody.code)) <= {NOTHING, INDIRECT}
    assert not (nobody.flags & ~np.uint8(ev.FLAGS["displaced"])).any()
    n = panel.sizes["origin"]
    shut = classify_evidence(panel, np.zeros(panel.sizes["observation"], dtype=bool),
                             np.zeros((n, n), dtype=bool))
    assert (shut.code == NOTHING).all()


def test_an_office_that_reports_others_is_indirect_evidence(panel, known):
    n = panel.sizes["origin"]
    corridor = int(np.flatnonzero((known.code == RESIDENCE).any(0).ravel())[0])
    o, d = divmod(corridor, n)
    seen = ~((panel["flow_origin"].values == o) & (panel["flow_destination"].values == d))
    corridors = np.ones((n, n), dtype=bool)
    corridors[o, d] = False
    held_out = classify_evidence(panel, seen, corridors)
    assert (held_out.code[:, o, d] == INDIRECT).all() and held_out.has("other_corridors")[:, o, d].all()
    assert not held_out.has("displaced")[:, o, d].any() and not held_out.has("suppressed")[:, o, d].any()
    assert (known.code >= held_out.code).all()


def test_refugees_who_are_counted_beside_a_report_are_there_once_it_is_hidden(panel, known):
    t, o, d = np.argwhere((known.code == RESIDENCE) & ~known.has("displaced"))[-1]
    panel, counted = panel.copy(deep=True), _COUNTED[0]
    panel["displaced_stock"][t, o, d] = panel["displaced_stock"].values[t - 1, o, d] + 5000
    panel["displaced_stock_status"][t - 1:t + 1, o, d] = counted
    panel["displaced_break"][t, o, d] = 0
    assert not classify_evidence(panel).has("displaced")[t, o, d]     # the report says how many came
    seen = ~((panel["flow_origin"].values == o) & (panel["flow_destination"].values == d))
    assert classify_evidence(panel, seen).has("displaced")[t, o, d]


def test_nothing_is_known_of_those_who_stay(known):
    assert not known.code[:, np.arange(known.code.shape[1]), np.arange(known.code.shape[1])].any()


def test_a_suppressed_count_is_not_shown(known):
    assert known.has("suppressed").any() and not (known.has("suppressed") & known.has("platform")).any()


def test_marks_of_another_panel_are_refused(panel):
    with pytest.raises(SchemaError, match="observation"):
        classify_evidence(panel, np.ones(3, dtype=bool))
    with pytest.raises(SchemaError, match="corridor"):
        classify_evidence(panel, None, np.ones((2, 2), dtype=bool))
