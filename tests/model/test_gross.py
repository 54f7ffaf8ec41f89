"""Moves to and from territories of which no office reports: a prior from territories that do."""
import numpy as np
import pytest
import torch
from plausible_runs import everything, leaves, made, plausible, term, with_reports

from humanflows.model.gross import FEWEST, FEWEST_YEARS, LEAST, read_gross
from humanflows.model.observation import YEARS_OF_RATES, ObservationModel
from humanflows.panel.splits import perturb_held_out, training_observations

RATE = 0.02
SILENT = 8       # the last of nine territories has no office


def reporting(panel, rate=RATE, offices=range(SILENT), years=range(14), factor=1.0, priors=None, sides=None):
    """The panel in which offices report arrivals and departures of a share of their residents, evenly from all others.

    ``rate`` may be a function of the territory's position.
    """
    n, rows = panel.sizes["residence"], []
    for k in offices:
        for side in sides or ("immigration", "emigration"):
            for other in range(n):
                for y in years:
                    persons = factor * (rate(k) if callable(rate) else rate) * panel.population.values[y, k] / (n - 1)
                    pair = (other, k) if side == "immigration" else (k, other)
                    if other != k:
                        rows.append((f"undesa_imfsc|{panel.residence.values[k]}|{side}|residence", y, *pair, persons))
    names = {r[0] for r in rows}
    return with_reports(panel, rows, {name: priors or {} for name in names})


def gross(panel, mask=None, corridors=None):
    reports, pairs = everything(panel)
    return read_gross(panel, reports if mask is None else mask, pairs if corridors is None else corridors)


def test_where_all_report_the_same_rate_it_is_expected_everywhere(small_panel):
    found = gross(reporting(small_panel))
    np.testing.assert_allclose(found["mean"], np.log(RATE), atol=1e-3)
    assert found["deviation"] == [np.float32(LEAST)]
    assert found["unreported"].tolist() == [0.0] * SILENT + [1.0]


def test_the_expectation_follows_size(small_panel):
    people = small_panel.population.values.mean(0)

    def rate(k):
        return 0.01 * (people[k] / people.max()) ** -0.3

    found = gross(reporting(small_panel, rate))["mean"].mean(0)
    small, large = np.argsort(people)[[0, -1]]
    assert found[small] > found[large] + 0.1
    assert (np.exp(found) < 1.3 * max(rate(k) for k in range(SILENT))).all()       # nobody beyond what was reported


@pytest.mark.parametrize("factor", [2.0, 0.25])
def test_reports_are_taken_less_their_expected_bias(small_panel, factor):
    plain = gross(reporting(small_panel))["mean"]
    more = gross(reporting(small_panel, factor=factor))["mean"]
    np.testing.assert_allclose(more - plain, np.log(factor), atol=2e-3)
    known = gross(reporting(small_panel, factor=factor, priors={"log_bias": np.log(factor)}))["mean"]
    np.testing.assert_allclose(known, plain, atol=2e-3)


def test_of_two_series_about_the_same_moves_one_counts(small_panel):
    panel = reporting(small_panel)
    n = panel.sizes["observation"]
    names = [str(w).rsplit("|", 1)[0] for w in panel.witness.values]
    rows = [(names[w], y, o, d, p) for w, y, o, d, p in zip(*(panel[f"flow_{k}"].values for k in (
        "witness", "year", "origin", "destination", "persons")))]
    again = [(r[0].replace("undesa_imfsc", "eurostat"), *r[1:]) for r in rows]
    both = with_reports(small_panel, rows + again)
    assert both.sizes["observation"] == 2 * n
    np.testing.assert_allclose(gross(both)["mean"], gross(panel)["mean"], atol=1e-5)


def test_too_few_territories_or_years_make_no_prior(small_panel):
    for panel in (reporting(small_panel, offices=range(FEWEST - 1)),
                  reporting(small_panel, years=range(FEWEST_YEARS - 1)), reporting(small_panel, sides=["immigration"])):
        assert gross(panel) == {}
        assert "gross" not in made(panel).terms(plausible(panel))
    assert "gross" in made(reporting(small_panel)).terms(plausible(small_panel))
    assert "gross" not in made(reporting(small_panel), leave_out="gross").terms(plausible(small_panel))


def test_the_prior_holds_where_no_office_reports_and_nowhere_else(small_panel):
    panel = reporting(small_panel)
    run = leaves(plausible(panel))
    model = made(panel)
    model.terms(run)["gross"].backward()
    reached = (run.flow.grad.abs().sum(0) > 0).numpy()
    expected = np.zeros_like(reached)
    expected[SILENT], expected[:, SILENT] = True, True
    expected[SILENT, SILENT] = reached[SILENT, SILENT]
    assert (reached == expected).all()
    assert not (run.stock.grad.abs().sum((0, 1)) > 0).numpy()[:SILENT].any()


def test_its_nats_by_hand(small_panel):
    panel, run = reporting(small_panel), plausible(small_panel)
    found = gross(panel)
    moves = 0.5 * (run.flow.sum(1) + run.flow.sum(2))[:, SILENT].double().numpy()
    rate = np.log((moves + 0.5) / run.stock[:-1, :, SILENT].sum(1).double().numpy())
    share = (1 + YEARS_OF_RATES * (len(rate) - 1)) / len(rate)           # years of one territory are not independent
    z = (rate - found["mean"][:, SILENT]) / found["deviation"]
    assert term(panel, run, "gross") == pytest.approx(share * (2.5 * np.log1p(z**2 / 4)).sum(), rel=1e-4)


def test_reports_of_held_out_corridors_do_not_move_it(small_panel, small_splits):
    panel = reporting(small_panel)
    open_ = small_splits.train.values
    mask, other = training_observations(panel, small_splits), perturb_held_out(panel, small_splits)
    assert not np.array_equal(panel.flow_persons, other.flow_persons)
    one, two = (gross(p, mask, open_) for p in (panel, other))
    assert len(one) == 3 and all(np.array_equal(one[k], two[k]) for k in one)
    # their moves are missing from the totals, and are made up for
    np.testing.assert_allclose(one["mean"], np.log(RATE), atol=0.02)
    leaky = gross(other, everything(other)[0], open_)
    assert not np.allclose(leaky["mean"], one["mean"], atol=0.1)


def test_an_office_whose_corridors_are_all_closed_counts_as_silent(small_panel):
    panel = reporting(small_panel, offices=range(9))
    mask, pairs = everything(panel)
    mine = (panel.flow_origin.values == SILENT) | (panel.flow_destination.values == SILENT)
    pairs[SILENT], pairs[:, SILENT] = False, False
    found = gross(panel, mask & ~mine, pairs)
    assert found["unreported"].tolist() == [0.0] * SILENT + [1.0]
    assert np.isfinite(found["mean"]).all()


def test_a_territory_without_people_or_moves_has_finite_gradients(small_panel):
    panel = reporting(small_panel)
    run = leaves(plausible(panel))
    with torch.no_grad():
        run.flow[:], run.stock[:] = 0, 0
    ObservationModel.terms(made(panel), run)["gross"].backward()
    assert torch.isfinite(run.flow.grad).all() and torch.isfinite(run.stock.grad).all()
