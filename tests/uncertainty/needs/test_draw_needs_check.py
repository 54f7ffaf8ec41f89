"""Predictions that have to come true, do; where nothing was to be had, nothing is found."""
import numpy as np
import pandas as pd
import pytest
from needs_draws import CENTRE, CODES, make_draws

from humanflows.errors import SchemaError
from humanflows.results.needs_terms import CHECK_COLUMNS, ELSEWHERE, ITSELF, LADDER, TWIN
from humanflows.uncertainty.needs import check
from humanflows.uncertainty.needs.candidates import OfficeErrors, report_variance
from humanflows.uncertainty.needs.gather import gather

N, SPREAD = len(CODES), 0.5
YEARS_ASKED = [4, 5]


@pytest.fixture(scope="module")
def read():
    """Arrivals of all offices, read or not: corridors are independent, so that the posterior after reports is known."""
    rng, spread = np.random.default_rng(11), np.repeat(np.linspace(0.2, 1.5, N)[None], N, 0)
    told = np.ones((2, 8, N, N), dtype=bool)
    told[0] = False                                     # what is "not reported yet" is what these offices report
    noise = report_variance(SPREAD, len(YEARS_ASKED), 5000.0)
    truth = CENTRE + spread * rng.standard_normal((N, N))
    said = truth + np.sqrt(noise) * rng.standard_normal((N, N))
    gain = spread**2 / (spread**2 + noise)
    before = make_draws(rng, corridor=spread)
    after = make_draws(rng, corridor=spread * np.sqrt(1 - gain), centre=CENTRE + gain * (said - CENTRE))
    errors = OfficeErrors(np.full((2, N), 1e-3), np.full((2, N), SPREAD), np.ones((2, N), dtype=bool))
    return (gather(before, told, YEARS_ASKED), gather(after, told, YEARS_ASKED), errors,
            np.stack([np.exp(x) * np.ones((2, N, N)) for x in (truth, said)]))


def test_predictions_that_have_to_come_true_do(read):
    before, after, errors, (truth, said) = read
    table = check.check_offices(before, after, errors, range(N), reports=said, truth=truth)
    assert list(table.columns) == list(CHECK_COLUMNS) and set(table["check"]) == {check.DRAWS, ITSELF, TWIN}
    assert set(table["side"]) == {"arrivals"} and (table["n"] == N - 1).all()
    np.testing.assert_allclose(table["error_before"] - table["error_after"], table["realised"])
    found = check.agreement(table).set_index("check")
    assert found.loc[check.DRAWS, "rho"] > 0.95 and found.loc[check.DRAWS, "slope"] == pytest.approx(1, abs=0.06)
    assert found.loc[TWIN, "rho"] > 0.7 and found.loc[TWIN, "slope"] == pytest.approx(1, abs=0.3)
    assert found.loc[TWIN, "lower"] < found.loc[TWIN, "rho"] <= found.loc[TWIN, "upper"]
    # Reports that were learned from lie nearer to the estimate than a report of the same office would.
    assert found.loc[ITSELF, "realised"] > found.loc[ITSELF, "predicted"]


def test_corridors_aside_do_not_count(read):
    before, after, errors, _ = read
    aside = np.zeros((N, N), dtype=bool)
    aside[:3] = True
    table = check.check_offices(before, after, errors, [5], aside=aside)
    assert table["n"].tolist() == [N - 4]
    assert check.check_offices(before, after, errors, [5], aside=aside | True).empty


def test_draws_that_did_not_change_did_not_narrow(read):
    before, _, errors, (truth, said) = read
    table = check.check_offices(before, before, errors, range(N), reports=said, truth=truth)
    assert (table["realised"] == 0).all() and (table["predicted"] > 0).all()


def test_draws_of_other_years_are_refused(read):
    before, _, errors, _ = read
    other = gather(make_draws(np.random.default_rng(0)), np.zeros((2, 8, N, N), dtype=bool), [3, 4])
    with pytest.raises(SchemaError):
        check.check_offices(before, other, errors, [0])


@pytest.mark.parametrize("level", [0.8, 0.0])
def test_other_corridors_tell_of_a_level_that_they_share(level):
    """Errors of an office's corridors are common (or not): then its other corridors tell of one (or do not)."""
    rng = np.random.default_rng(5)
    told = np.ones((2, 8, N, N), dtype=bool)
    told[0] = False
    folds = np.add.outer(np.arange(N), np.arange(N)) % 2
    before = gather(make_draws(rng, corridor=0.4, into=np.full(N, level)), told, YEARS_ASKED)
    shift = level * rng.standard_normal(N)
    said = np.exp(CENTRE + shift + 0.4 * rng.standard_normal((N, N)))
    centre = np.exp(CENTRE + shift)
    errors = OfficeErrors(np.full((2, N), 0.05), np.full((2, N), 0.1), np.ones((2, N), dtype=bool))
    table = check.check_other_corridors(before, {k: np.stack([centre, centre]) for k in range(2)}, folds,
                                        np.stack([said, said]), errors, range(N))
    assert (table["check"] == ELSEWHERE).all() and len(table) == N
    if level:
        assert table["predicted"].mean() > 0.2 and table["realised"].mean() > 0.2
    else:
        assert abs(table["predicted"].mean()) < 0.05 and abs(table["realised"].mean()) < 0.05


def test_a_corridor_does_not_tell_of_itself():
    """Five large corridors, all of one fold, independent of the rest: the office's other fold tells nothing of them."""
    told, big = np.ones((2, 8, N, N), dtype=bool), np.zeros((N, N), dtype=bool)
    told[0], big[:5, 5:] = False, True
    centre = CENTRE + 3.0 * big
    before = gather(make_draws(np.random.default_rng(8), corridor=0.8, network=0.0, centre=centre), told, YEARS_ASKED)
    said = np.stack([np.exp(centre)] * 2)
    errors = OfficeErrors(np.full((2, N), 0.05), np.full((2, N), 0.1), np.ones((2, N), dtype=bool))
    table = check.check_other_corridors(before, {0: said, 1: said}, np.where(big, 0, 1), said, errors, range(5, N),
                                        fewest=30_000.0)
    assert (table["n"] == 5).all() and abs(table["predicted"].mean()) < 0.02


def test_the_ladder_takes_means_over_offices():
    errors = pd.DataFrame([(0, "A", LADDER[0], 2.0, 0.5), (1, "A", LADDER[0], -4.0, 0.5), (2, "B", LADDER[0], 1.0, 0.3),
                           (0, "A", LADDER[2], 1.0, 0.5), (5, "B", LADDER[3], -0.6, 0.1)],
                          columns=["observation", "reporter", "rung", "log_error", "log_error_read"])
    table = check.ladder(errors).set_index("rung")
    assert table.index.tolist() == [LADDER[0], LADDER[2], LADDER[3], LADDER[4]]
    assert table.loc[LADDER[0], ["error", "error_corridor", "n", "offices"]].tolist() == [2.0, 1.0, 3, 2]
    assert table.loc[LADDER[4], "error"] == pytest.approx(0.4)
    with pytest.raises(SchemaError):
        check.ladder(errors.assign(rung="hearsay"))
    assert check.ladder(errors.iloc[:0]).empty


def test_deviations_are_within_networks(rng):
    network = np.repeat(np.arange(6), 20)
    values = 3.0 * rng.standard_normal(6)[network, None] + rng.standard_normal((120, 50))
    assert check.within(values, network).mean() == pytest.approx(1, abs=0.03)
    with pytest.raises(SchemaError):
        check.within(values, np.arange(120))


def test_corridors_narrow_where_they_were_predicted_to(read):
    before, after, errors, (truth, said) = read
    one = check.compare_corridors(before, after, errors, range(N), truth=truth, reports=said)
    assert len(one) == 3 * N * (N - 1) and (one["office"] != one["other"]).all()
    found = check.agreement(one).set_index("check")
    assert found.loc[check.DRAWS, "rho"] > 0.9 and found.loc[TWIN, "rho"] > 0.2
    pd.testing.assert_frame_equal(check.by_office(one), check.check_offices(before, after, errors, range(N),
                                                                            truth=truth, reports=said))
