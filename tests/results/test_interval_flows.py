"""Published intervals of flows: each corridor and year is judged like what was seen there."""
from dataclasses import replace

import numpy as np
import pytest

from humanflows.panel.hidden_years import LONGEST
from humanflows.results.interval_cells import CORRIDORS, LAST_YEARS, NEVER, OFFICES, READ_REPORTS, YEARS, Seen
from humanflows.results.interval_flows import FORGOTTEN, Published, most_movers

N, LENGTH = 3, 4
SIGMA = {CORRIDORS: 2.0, OFFICES: 1.0, YEARS: 0.5, READ_REPORTS: 0.3}


class Model:
    """Intervals of one width, as FlowIntervals answers; remembers the groups that it was asked about."""

    def __init__(self, sigma):
        self.sigma, self.asked = sigma, []

    def predict(self, estimate, features, groupings, levels):
        self.asked += [g["kind"] for g in groupings]
        sigma = np.full(len(estimate), self.sigma)
        return np.log1p(estimate)[:, None] + sigma[:, None] * np.array([-2.0, -1.2, 1.5, 2.5]), 0 * sigma, sigma


class Around:
    def features(self, t, o, d, estimate, spread, seen):
        self.given = spread, seen
        return np.zeros((len(o), 1), dtype=np.float32)


def published(klass=3, gap=NEVER, **more):
    shape = (LENGTH, N, N)

    def full(value):
        return np.full(shape, value, dtype=np.int8)

    gap_office = full(0)
    gap_office[-1] = 1                  # nobody reports in the last year
    saw = Seen(full(klass), full(gap), gap_office, full(NEVER), full(1))
    flow = np.random.default_rng(0).lognormal(5, 2, shape).astype(np.float32)
    given = {"models": {k: Model(s) for k, s in SIGMA.items()}, "around": Around(), "regions": np.array(["Europe"] * N),
             "flow": flow, "spread": np.ones(shape), "most": np.full(shape, 1e9), "saw": saw,
             "speaking": full(2 if klass == 0 else 0), "near": {"low_before": np.full(shape, 0.5)}}
    return Published(**given | more)


@pytest.mark.parametrize(("klass", "gap", "kind"), [
    (0, 0, READ_REPORTS),                                       # reported in that year
    (1, LONGEST, YEARS), (1, FORGOTTEN, OFFICES),               # in other years, near or far
    (2, NEVER, CORRIDORS), (3, NEVER, OFFICES)])
def test_each_class_is_asked_of_its_model(klass, gap, kind):
    logs, sigma = published(klass, gap).ends(0)
    assert sigma == pytest.approx(SIGMA[kind]) and (np.diff(logs, axis=1) >= 0).all()
    assert (published(klass, gap).kind(0) == kind).all()


def test_a_report_is_forgotten_by_and_by():
    found = {}
    for gap in range(LONGEST, FORGOTTEN + 2):
        asked = published(1, gap)
        found[gap] = asked.ends(0)
        assert (asked.around.given[1]["gap"] == (LONGEST if gap < FORGOTTEN else gap)).all()
    widths = np.array([ends[:, -1] - ends[:, 0] for ends, _ in found.values()])
    steps = np.diff(widths, axis=0)
    assert (steps[:-1] >= -1e-9).all() and np.allclose(steps[-1], 0)
    assert steps.max() < 0.2 * (widths[-1] - widths[0]).max()
    sigma = np.array([s for _, s in found.values()])
    assert sigma[0] == pytest.approx(SIGMA[YEARS]) and sigma[-1] == pytest.approx(SIGMA[OFFICES])
    assert sigma[1] == pytest.approx(SIGMA[YEARS] + (SIGMA[OFFICES] - SIGMA[YEARS]) / (FORGOTTEN - LONGEST))


def test_without_hidden_years_nothing_fades():
    asked = published(1, LONGEST + 1)
    asked = replace(asked, models={k: v for k, v in asked.models.items() if k != YEARS})
    assert asked.ends(0)[1] == pytest.approx(SIGMA[OFFICES])


@pytest.mark.parametrize(("left", "kind"), [((YEARS,), YEARS), ((), OFFICES)])
def test_without_read_reports_or_hidden_years_the_next_best_cells_tell(left, kind):
    asked = published(0, 0)
    asked = replace(asked, models={k: v for k, v in asked.models.items() if k in (CORRIDORS, OFFICES, *left)})
    assert asked.ends(0)[1] == pytest.approx(SIGMA[kind])


def test_read_corridors_say_how_many_offices_speak_and_hidden_years_know_no_spread():
    asked = published(0, 0)
    asked.ends(0)
    spread, seen = asked.around.given
    assert (spread == 1).all() and (seen["offices"] == 2).all()
    asked = published(1, 3)
    asked.ends(0)
    spread, seen = asked.around.given
    assert (spread == 0).all() and (seen["offices"] == 1).all() and (seen["gap"] == 3).all()


def test_after_the_last_report_intervals_of_what_is_not_read_reach_over_the_last_years():
    for klass, left, model, reaches in ((2, NEVER, CORRIDORS, True), (1, 2, YEARS, False)):
        asked = published(klass, left)
        asked.ends(0)
        assert not any(LAST_YEARS in str(k) for kinds in asked.models[model].asked for k in kinds)
        asked.ends(LENGTH - 1)
        assert any(LAST_YEARS in str(k) for kinds in asked.models[model].asked for k in kinds) == reaches


def test_no_more_can_have_moved_than_are_there_or_were():
    # one year, three places: born in [0], living in [1] rise to 40 (at most 70); 5 (at most 9) born in [1] live in [0]
    stock, upper = np.zeros((2, 2, N, N))
    stock[1, 0, 1], upper[1, 0, 1] = 40, 70
    stock[0, 1, 0], upper[0, 1, 0] = 5, 9
    stock[0, 2, 0], upper[0, 2, 0] = 3, 100          # who was born elsewhere counts as estimated
    stock[:, [0, 1, 2], [0, 1, 2]] = upper[:, [0, 1, 2], [0, 1, 2]] = 1e6      # natives at home are no movers
    most = most_movers(np.full((1, N), 1e6), stock, upper)
    assert most.shape == (1, N, N) and most[0, 0, 1] == 70 + 9 + 3
    assert most[0, 1, 0] == 0 and most[0, 2, 1] == 0        # nobody from [2] or [1] is there
    assert most[0, 0, 2] == 100 + 5                         # home to [2], and those born in [1]
    assert most_movers(np.full((1, N), 60.0), stock, upper)[0, 0, 1] == 60


def test_the_estimate_lies_inside_and_no_end_exceeds_who_can_have_moved():
    asked = published(most=np.full((LENGTH, N, N), 50.0))
    logs, _ = asked.ends(1)
    middle = np.log1p(asked.flow[(1, *asked.pairs)].astype(float))
    assert (logs[:, 0] <= middle).all() and (logs[:, -1] >= middle).all()
    assert (logs[:, -1] <= np.maximum(np.log1p(50.0), middle) + 1e-9).all()
