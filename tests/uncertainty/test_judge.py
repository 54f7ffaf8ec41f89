"""Calibrated draws are found calibrated, others are found out, and nothing is judged by draws that saw it."""
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest, norm

from humanflows.errors import SchemaError
from humanflows.uncertainty.coverage import coverage_table
from humanflows.uncertainty.crossfit import CORRIDORS, READ_REPORTS, HeldOut, read_everything
from humanflows.uncertainty.judge import COLUMNS, FLOW, REPORT, crps_fair, judge_reports, place, rank_among

from .worlds import MEMBERS, PLACES, simulate


def of(judged, what):
    return judged.cells[judged.cells["of"] == what]


@pytest.fixture(scope="module")
def calibrated():
    return judge_reports(*simulate(), seed=3, regions=["east", "west"] * (PLACES // 2))


def test_calibrated_draws_are_found_calibrated(calibrated):
    own = of(calibrated, REPORT)
    assert set(COLUMNS) <= set(own) and len(own) == PLACES * (PLACES - 1)
    for level, name in ((0.5, "in50"), (0.8, "in80"), (0.95, "in95")):
        assert abs(own[name].mean() - level) < 0.03, name
    assert kstest(own["rank"], "uniform").pvalue > 0.01


def test_draws_of_the_flow_do_not_hold_biased_reports(calibrated):
    assert of(calibrated, FLOW)["rank"].mean() < 0.45      # offices that miss a third
    assert of(calibrated, FLOW)["in80"].mean() < of(calibrated, REPORT)["in80"].mean() - 0.02


@pytest.mark.parametrize(("stretch", "sign"), [(0.3, -1), (3.0, 1)])
def test_draws_too_near_or_too_far_are_found_so(stretch, sign):
    own = of(judge_reports(*simulate(stretch), seed=3), REPORT)
    assert sign * (own["in80"].mean() - 0.8) > 0.06
    assert sign * (own["in95"].mean() - 0.95) > 0.02
    assert own["crps"].mean() > of(judge_reports(*simulate(), seed=3), REPORT)["crps"].mean()


def test_few_draws_are_enough_for_reports():
    own = of(judge_reports(*simulate(draws=13), seed=3), REPORT)
    assert own["draws"].min() >= 100
    assert abs(own["in95"].mean() - 0.95) < 0.02 and abs(own["in80"].mean() - 0.8) < 0.035


def test_a_member_that_saw_what_it_is_to_judge_is_refused():
    cells, drawn, held, priors, evidence = simulate()
    hidden = held.hidden.copy()
    hidden[1, np.flatnonzero(hidden[1])[0]] = False
    with pytest.raises(SchemaError, match="saw"):
        HeldOut(hidden, held.kinds, held.corridors)
    # even where somebody gets past the first door
    spoiled = object.__new__(HeldOut)
    for name, value in (("hidden", hidden), ("kinds", held.kinds), ("corridors", held.corridors)):
        object.__setattr__(spoiled, name, value)
    with pytest.raises(SchemaError, match="saw"):
        judge_reports(cells, drawn, spoiled, priors, evidence, seed=1)


def test_what_every_member_saw_is_no_held_out_report():
    cells, drawn, _, priors, evidence = simulate()
    assert not len(judge_reports(cells, drawn, _seen(cells), priors, evidence, seed=1).cells)
    read = judge_reports(cells, drawn, _seen(cells), priors, evidence, seed=1, read=True)
    assert set(read.cells["kind"]) == {READ_REPORTS} and not len(read.sums)


def _seen(cells):
    held = read_everything(_Panel(len(cells)), MEMBERS)
    assert not held.kinds
    return held


class _Panel:
    def __init__(self, observations):
        self.sizes = {"origin": PLACES, "observation": observations}


def test_the_same_seed_gives_the_same_rows(calibrated):
    again = judge_reports(*simulate(), seed=3, regions=["east", "west"] * (PLACES // 2))
    pd.testing.assert_frame_equal(again.cells, calibrated.cells)
    other = judge_reports(*simulate(), seed=4)
    assert not other.cells["rank"].equals(calibrated.cells["rank"])


def test_sums_are_of_one_member_and_side(calibrated):
    sums, cells = calibrated.sums, calibrated.cells
    world = sums[(sums["kind"] == f"{CORRIDORS}: world") & (sums["of"] == REPORT)]
    own = cells[cells["of"] == REPORT]
    assert world["observed"].sum() == pytest.approx(own["observed"].sum())
    assert {f"{CORRIDORS}: {k}" for k in ("country", "world", "region pair")} == set(sums["kind"])
    country = sums[(sums["kind"] == f"{CORRIDORS}: country") & (sums["of"] == REPORT)]
    assert country["in80"].mean() > 0.6      # independent corridors: sums are covered as corridors are


def test_platforms_are_kinds_of_their_own():
    cells, *rest = simulate()
    judged = judge_reports(cells.assign(platform=cells["witness"] == 3), *rest, seed=1)
    assert set(judged.cells["kind"]) == {CORRIDORS, f"{CORRIDORS}, platform"}
    assert judged.sums["observed"].sum() < cells["observed"].sum() * 6


def test_reports_of_which_nothing_is_expected_are_left_out_and_counted():
    cells, drawn, held, priors, evidence = simulate()
    mean = priors.mean.copy()
    mean[:, 2] = np.nan
    judged = judge_reports(cells, drawn, held, replace(priors, mean=mean), evidence, seed=1)
    gone = int((cells["witness"] == 2).sum())
    assert sum(judged.left_out.values()) == gone and len(judged.cells) == 2 * (len(cells) - gone)


def test_what_networks_differ_by_widens_the_draws_of_one():
    plain, wide = (judge_reports(*simulate(), seed=3, between=x).cells for x in (0.0, 0.6))
    assert wide["width80"].mean() > plain["width80"].mean() * 1.1


@pytest.mark.parametrize("damage", [
    lambda a: (a[0], a[1], a[2], a[3], a[4][:1]), lambda a: (a[0].iloc[:-1], *a[1:4], a[4][:, :-1]),
    lambda a: (a[0], replace(a[1], member=a[1].member + 5), *a[2:]),
    lambda a: (a[0], replace(a[1], member=a[1].member - 1), *a[2:])])
def test_what_does_not_fit_together_is_refused(damage):
    with pytest.raises(SchemaError):
        judge_reports(*damage(simulate()), seed=1)


def test_crps_is_the_normal_distributions():
    rng = np.random.default_rng(1)
    observed = rng.normal(size=40) * 2
    exact = observed * (2 * norm.cdf(observed) - 1) + 2 * norm.pdf(observed) - 1 / np.sqrt(np.pi)
    np.testing.assert_allclose(crps_fair(rng.normal(size=(40_000, 40)), observed), exact, atol=0.02)


def test_crps_is_fair_to_few_draws():
    rng = np.random.default_rng(2)
    observed = rng.normal(size=40_000)
    few = crps_fair(rng.normal(size=(4, 40_000)), observed).mean()
    assert few == pytest.approx(1 / np.sqrt(np.pi), abs=0.01)      # expected score of the true distribution


def test_ties_are_broken_by_lot():
    rank = rank_among(np.zeros((20, 20_000)), np.zeros(20_000), np.random.default_rng(3))
    assert kstest(rank, "uniform").pvalue > 0.001


def test_a_zero_among_zeros_is_held():
    row = place(np.zeros((50, 3)), np.zeros(3), np.random.default_rng(0)).iloc[0]
    assert row["in50"] and row["in95"] and row["width95"] == 0 and row["crps"] == 0


@pytest.mark.parametrize(("draws", "observed"), [(np.ones((1, 2)), np.ones(2)), (np.ones((3, 2)), np.ones(3)),
                                                 (np.full((3, 2), np.nan), np.ones(2)),
                                                 (np.ones((3, 2)), np.array([1, np.inf]))])
def test_scores_of_what_cannot_be_scored_are_refused(draws, observed):
    with pytest.raises(SchemaError):
        crps_fair(draws, observed)


def test_the_table_says_what_the_rows_say(calibrated):
    table = coverage_table(calibrated.cells)
    own = of(calibrated, REPORT)
    row = table[(table["of"] == REPORT) & (table["offices"] == "all") & (table["size"] == "all")
                & (table["evidence"] == "all")].iloc[0]
    assert row["n"] == len(own) and row["cover95"] == pytest.approx(own["in95"].mean())
    assert row["factor"] == pytest.approx(np.exp(own["width95"].median()))
    trusted = table[(table["of"] == REPORT) & (table["offices"] == "trusted") & (table["size"] == "all")
                    & (table["evidence"] == "all")].iloc[0]
    assert trusted["n"] == own["trusted"].sum()
