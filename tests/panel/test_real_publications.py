"""One number, one vote, in the real collections: what UN DESA, OECD, Stats NZ and Eurostat print of the same counts."""
import numpy as np
import pandas as pd
import pytest

from humanflows.panel.publications import CELL, LARGE, ROUNDING, repeated_reports
from humanflows.sources.catalogue import SOURCES, load_source

pytestmark = pytest.mark.sources
COLLECTIONS = ("undesa_imfsc", "oecd", "statsnz", "eurostat", "eurostat_imm1ctz", "eurostat_imm5prv")


@pytest.fixture(scope="module")
def flow():
    from humanflows import paths

    for name in COLLECTIONS:
        for file in SOURCES[name].files:
            if not any(f is not None and (f / file).is_file() for f in (paths.mirror(), paths.CACHE)):
                pytest.skip(f"the real source file {file} is not on this machine (neither mirrored nor downloaded)")
    frame = pd.concat([load_source(n)["flow"] for n in COLLECTIONS], ignore_index=True)
    return frame.assign(same_as=repeated_reports(frame))


@pytest.mark.parametrize(("older", "newer"), [("undesa_imfsc", "oecd"), ("undesa_imfsc", "statsnz"),
                                              ("eurostat", "eurostat_imm5prv"), ("undesa_imfsc", "eurostat_imm1ctz"),
                                              ("oecd", "eurostat_imm1ctz")])
def test_no_large_number_is_left_twice(flow, older, newer):
    voting = flow[flow["same_as"] < 0]
    both = voting[voting["source"] == older].merge(voting[voting["source"] == newer], on=CELL, suffixes=("_a", "_b"))
    equal = (both["persons_a"] - both["persons_b"]).abs() <= ROUNDING
    assert not (equal & (both["persons_a"] >= LARGE)).any()


def test_the_two_collections_of_new_zealand_are_one(flow):
    imfsc = flow[(flow["source"] == "undesa_imfsc") & (flow["reporter"] == "NZL") & (flow["criterion"] == "residence")]
    covered = imfsc.merge(flow[flow["source"] == "statsnz"], on=CELL, suffixes=("", "_b"))
    assert len(covered) > 10_000
    assert (covered["same_as"] >= 0).all(), "every one of them is printed by Stats NZ as well"


def test_counts_that_differ_keep_their_own_voice(flow):
    # Denmark's numbers by citizenship differ between UN DESA and OECD in most cells: two counts, two voices.
    mine = flow[(flow["reporter"] == "DNK") & (flow["criterion"] == "citizenship") & (flow["side"] == "emigration")]
    both = mine[mine["source"] == "undesa_imfsc"].merge(mine[mine["source"] == "oecd"], on=CELL, suffixes=("_a", "_b"))
    both = both[both[["persons_a", "persons_b"]].max(axis=1) >= LARGE]
    differ = ~np.isclose(both["persons_a"], both["persons_b"], atol=ROUNDING)
    assert (both.loc[differ, "same_as_a"] < 0).mean() > 0.5
