"""Offices with known faults in a simulated world: a training finds them, and believes the register that has none."""
from dataclasses import replace

import numpy as np
import pytest
from plausible_runs import GOOD, POOR, with_reports

from humanflows.model import train as training

MISSED, CROSSING, BREAK_FACTOR, BREAK_AT = 0.9, 1.5, 2.0, 7
REGISTERS, POOR_OFFICE, SHORT_OFFICE, BROKEN = (0, 1, 2), 5, 6, 7


@pytest.fixture(scope="module")
def world(small_panel, small_world):
    """Three registers that see every arrival and departure; an office that misses 90% of those who leave, one that
    counts short stays, too, and one that changed its counting in the middle."""
    truth = small_world.truth.flow.values.astype(float)
    draw, rows, priors = np.random.default_rng(4), [], {}
    names = small_panel.residence.values.astype(str)

    def report(office, side, kind, factor, **prior):
        series = f"undesa_imfsc|{names[office]}|{side}|residence"
        mean = {(GOOD, "immigration"): (-0.02, 0.1, 0.15), (GOOD, "emigration"): (-0.1, 0.15, 0.2),
                (POOR, "immigration"): (-0.1, 0.25, 0.3), (POOR, "emigration"): (-0.6, 0.5, 0.5)}[kind, side]
        priors[series] = {"class": kind, **dict(zip(("log_bias", "log_bias_sd", "spread"), mean)), **prior}
        for other in range(len(names)):
            o, d = (other, office) if side == "immigration" else (office, other)
            for t in range(len(truth)):
                persons = np.round(truth[t, o, d] * factor[t] * np.exp(0.1 * draw.normal()))
                if other != office and persons >= 5:
                    rows.append((series, t, o, d, persons))

    years = np.ones(len(truth))
    for office in REGISTERS:
        report(office, "immigration", GOOD, years)
        report(office, "emigration", GOOD, years)
    report(POOR_OFFICE, "emigration", POOR, (1 - MISSED) * years)
    report(SHORT_OFFICE, "immigration", POOR, CROSSING * years)
    jump = np.arange(len(truth)) == BREAK_AT
    report(BROKEN, "immigration", POOR, np.where(np.arange(len(truth)) >= BREAK_AT, BREAK_FACTOR, 1.0), **{
        "break": jump})
    return with_reports(small_panel, rows, priors), truth


@pytest.fixture(scope="module")
def fitted(world, small_splits, small_config):
    panel, _ = world
    nothing = small_splits.held_out & False
    splits = small_splits.assign(held_out=nothing, validation=nothing, train=small_splits.train
                                 | small_splits.held_out | small_splits.validation)
    config = replace(small_config, train=replace(small_config.train, year_steps=1500, year_batch=256, history_steps=50,
                                                 history_batch=32, epochs=100, validate_every=50))
    member = training.fit_member(panel, splits, config, progress=False)
    return member, training.predict(member).flow.double().numpy()


def bias_of(member, panel, office, side):
    """Learned log bias of each year of an office's reports."""
    name = f"undesa_imfsc|{panel.residence.values[office]}|{side}|residence|movement"
    mine = member.observation.bias_witness.numpy() == panel.witness.values.tolist().index(name)
    return member.observation.log_bias.detach().numpy()[mine]


def test_an_office_that_misses_nine_of_ten_leavers_is_found_out(world, fitted):
    bias = bias_of(fitted[0], world[0], POOR_OFFICE, "emigration")
    assert len(bias) > 10
    np.testing.assert_allclose(bias, np.log(1 - MISSED), atol=0.35)       # far from the -0.6 of its class


def test_an_office_that_counts_short_stays_is_found_out(world, fitted):
    np.testing.assert_allclose(bias_of(fitted[0], world[0], SHORT_OFFICE, "immigration"), np.log(CROSSING), atol=0.25)


def test_a_change_of_counting_is_found_where_it_happened(world, fitted):
    bias = bias_of(fitted[0], world[0], BROKEN, "immigration")
    before, after = bias[:BREAK_AT].mean(), bias[BREAK_AT:].mean()
    assert after - before == pytest.approx(np.log(BREAK_FACTOR), abs=0.25)
    steps = np.abs(np.diff(bias))
    assert steps.argmax() == BREAK_AT - 1 and steps.max() > 4 * np.median(steps)


def test_registers_keep_the_level(world, fitted):
    for office in REGISTERS:
        assert (bias_of(fitted[0], world[0], office, "immigration") == np.float32(-0.02)).all()


def test_flows_follow_the_register_and_not_the_middle_of_two_reports(world, fitted):
    _, truth = world
    for office in REGISTERS:
        ratio = np.log1p(fitted[1][:, POOR_OFFICE, office]) - np.log1p(truth[:, POOR_OFFICE, office])
        much = truth[:, POOR_OFFICE, office] > 100
        if much.any():      # the middle of both reports would be half of log(0.1) below: -1.15
            assert abs(ratio[much].mean()) < 0.2
    reported_twice = [truth[:, POOR_OFFICE, k].max() > 100 for k in REGISTERS]
    assert any(reported_twice)


def test_flows_of_its_other_corridors_are_set_right_too(world, fitted):
    """What its corridors to registers taught about the office holds for those that nobody else reports."""
    _, truth = world
    others = [k for k in range(truth.shape[1]) if k not in (*REGISTERS, POOR_OFFICE, SHORT_OFFICE, BROKEN)]
    told, true = (x[:, POOR_OFFICE, others].sum() for x in (fitted[1], truth))
    assert np.log(told / true) == pytest.approx(0, abs=0.4) and true > 1000
