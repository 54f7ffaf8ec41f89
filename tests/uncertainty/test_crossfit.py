"""Which draws never saw which report."""
from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from humanflows import ensemble, intervals
from humanflows.errors import SchemaError
from humanflows.panel.designs import member_config
from humanflows.uncertainty.crossfit import (
    CORRIDORS,
    LAST_YEARS,
    OFFICES,
    YEARS,
    hold_out,
    patterns,
    reports_to_judge,
    require_unseen,
)


def designs(config, crossed=5, blind=2):
    own = {k: replace(config, ensemble=replace(config.ensemble, design=k)) for k in ("crossed", "blind")}
    return ([member_config(own["crossed"], k) for k in range(1, crossed + 1)],
            [member_config(own["blind"], k) for k in range(1, blind + 1)])


@pytest.fixture(scope="module")
def held(small_panel, small_config):
    return hold_out(small_panel, *designs(small_config))


def test_members_never_saw_what_the_ensemble_hid_from_them(held, small_panel, small_config):
    views = {}
    for design, number in (("crossed", 5), ("blind", 2)):
        config = replace(small_config, ensemble=replace(small_config.ensemble, design=design,
                                                        **{f"{design}_members": number}))
        views[design] = intervals.Views(config, None, ensemble.never_saw(small_panel, config))
    np.testing.assert_array_equal(held.hidden, np.concatenate([views["crossed"].hidden, views["blind"].hidden]))
    known = intervals.kinds_of(small_panel, views["crossed"], views["blind"])
    assert set(known) == set(held.kinds)
    for kind, mask in known.items():
        np.testing.assert_array_equal(held.kinds[kind], mask, err_msg=kind)


def test_kinds_are_apart_and_every_report_of_a_corridor_is_held_out_once(held, small_panel):
    together = sum(mask.astype(int) for mask in held.kinds.values())
    np.testing.assert_array_equal(together, held.hidden.astype(int))
    assert (held.kinds[CORRIDORS].sum(0) == 1).all()
    assert held.kinds[OFFICES].any() and held.kinds[YEARS].any() and held.kinds[LAST_YEARS].any()
    at = small_panel["flow_origin"].values, small_panel["flow_destination"].values
    for k in range(5):
        assert not held.corridors[k][at][held.kinds[CORRIDORS][k]].any()


def test_members_of_another_design_are_refused(small_panel, small_config):
    crossed, blind = designs(small_config)
    with pytest.raises(SchemaError, match="design"):
        hold_out(small_panel, blind, crossed)


def test_the_door_is_shut():
    hidden = np.array([[True, False], [True, True]])
    require_unseen(hidden, hidden)
    with pytest.raises(SchemaError, match="member 0"):
        require_unseen(np.ones((2, 2), dtype=bool), hidden)
    with pytest.raises(SchemaError, match="marks"):
        require_unseen(hidden[:, :1], hidden)


def test_a_number_is_judged_once_and_what_is_left_out_is_counted(small_panel):
    cells = reports_to_judge(small_panel)
    keys = ["year", "origin", "destination", "reporter", "side", "platform"]
    assert len(cells) and not cells.duplicated(keys).any()
    criterion = small_panel["witness_criterion"].values.astype(str)
    assert (criterion[cells["witness"]] == "residence").all()
    assert len(cells) + sum(cells.attrs["left_out"].values()) == small_panel.sizes["observation"]
    np.testing.assert_array_equal(small_panel["flow_persons"].values[cells["observation"]], cells["observed"])


@given(arrays(bool, st.tuples(st.integers(1, 5), st.integers(0, 30))))
def test_every_marked_column_has_its_members_once(mask):
    seen = np.zeros(mask.shape[1], dtype=int)
    for members, columns in patterns(mask):
        seen[columns] += 1
        assert mask[members][:, columns].all() and mask[:, columns].sum(0).tolist() == [len(members)] * len(columns)
    np.testing.assert_array_equal(seen, mask.any(0))
