"""Who spoke, told by bits; and what follows from it, against the panel itself."""
import numpy as np
import pytest

from humanflows.dataset.evidence import BASIS, PLATFORMS, SEEN, SIDES, Evidence, describe_mask, which_spoke
from humanflows.errors import ArtifactError
from humanflows.panel import withhold
from humanflows.results.summaries import reported_flows

CODES = ("AAA", "BBB", "CCC", "DDD")


def test_bits_are_the_panels_reports(small_panel):
    spoke, sources, offices = which_spoke(small_panel)
    table = reported_flows(small_panel)
    codes, years = small_panel.origin.values.tolist(), small_panel.year.values.tolist()
    expected = {(r.year, r.origin, r.destination, r.collection) for r in table.itertuples()}
    found = {(years[y], codes[o], codes[d], s) for k, s in enumerate(sources)
             for y, o, d in zip(*np.nonzero(spoke >> k & 1))}
    assert found == expected and found
    for bit, column in enumerate(("origin", "destination"), start=len(sources)):
        own = table[table.reporter == table[column]]
        assert {(years[y], codes[o], codes[d]) for y, o, d in zip(*np.nonzero(spoke >> bit & 1))} \
            == set(zip(own.year, own.origin, own.destination))
    assert set(offices) == set(table.reporter) & set(codes)


@pytest.fixture
def evidence():
    """Six years; A→B: an office in years 1 and 3; A→C: the platform in year 2; all else: silence. A has an office."""
    spoke = np.zeros((6, 4, 4), np.uint8)
    spoke[[1, 3], 0, 1] = 0b0101       # bits: oecd, meta… see below
    spoke[2, 0, 2] = 0b0010
    spoke[2, 0, 1] |= 0b0010
    return Evidence(spoke, describe_mask(("oecd", "meta"), ("AAA",), spoke.dtype), CODES)


def test_classes_and_basis_by_hand(evidence):
    every = np.arange(6)

    def said(o, d):
        return ("".join(SEEN[k] for k in evidence.seen(every, o, d)),
                [BASIS[k] for k in evidence.basis(every, o, d)])

    assert said(0, 1) == ("BABABB", ["extrapolated", "observed", "interpolated", "observed", "extrapolated",
                                     "extrapolated"])
    assert said(0, 2) == ("CCPCCC", ["modelled"] * 2 + ["platform"] + ["modelled"] * 3)
    assert said(2, 0) == ("C" * 6, ["modelled"] * 6) and said(2, 3)[0] == "D" * 6
    assert evidence.names_of(evidence.spoke[:4, 0, 1]).tolist() == ["", "oecd", "meta", "oecd"]


def test_an_index_of_corridors_in_one_year_says_the_same(evidence):
    o, d = np.nonzero(~np.eye(4, dtype=bool))
    for t in range(6):
        at = (np.full(len(o), t), o, d)
        assert evidence.seen(*at).tolist() == [evidence.seen(np.array([t]), a, b)[0] for a, b in zip(o, d)]
        assert evidence.basis(*at).tolist() == [evidence.basis(np.array([t]), a, b)[0] for a, b in zip(o, d)]


def test_a_releases_own_classes_are_taken_as_its_flags_say(evidence):
    stored = np.full(evidence.spoke.shape, 7, np.int8)
    about = describe_mask(("oecd", "meta"), ("AAA",), np.uint8)
    own = Evidence(evidence.spoke, about, CODES, stored,
                   {"flag_values": np.array([3, 7], np.int8), "flag_meanings": "A platform_only"})
    assert SEEN[own.seen(np.array([0]), 0, 1)[0]] == "P"
    with pytest.raises(ArtifactError, match="meanings"):
        Evidence(evidence.spoke, about, CODES, stored, {"flag_values": [0], "flag_meanings": "unheard"})


def test_bits_without_a_meaning_are_refused(evidence):
    with pytest.raises(ArtifactError, match="no meaning"):
        Evidence(evidence.spoke, {}, CODES)
    assert len(SIDES) == 2


def test_platforms_are_those_that_the_panel_knows():
    # The dataset answers without the panel's libraries, so it cannot ask the panel.
    assert PLATFORMS == withhold.PLATFORMS
