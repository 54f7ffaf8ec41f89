"""How widely reports scatter, from flows that two offices report: found where it is known, and refused where absurd."""
import numpy as np
import pytest
from plausible_runs import everything, made, with_reports

from humanflows.errors import SchemaError
from humanflows.model.spreads import COUNT, FEWEST, LEAST, SMALLEST, double_reported, estimate_spreads
from humanflows.panel.splits import perturb_held_out, training_observations

GOOD, WIDE, OTHER = ("a|DEU|immigration|residence", "a|ROU|emigration|residence", "a|POL|emigration|residence")
YEARS = range(14)


def noisy(panel, sd=None, level=30000.0, years=YEARS, seed=0, priors=None, series=(GOOD, WIDE, OTHER)):
    """The panel in which offices report the same flows of all pairs, each with its own bias and scatter."""
    sd = {GOOD: 0.1, WIDE: 0.6, OTHER: 0.6} | (sd or {})
    draw, rows, n = np.random.default_rng(seed), [], panel.sizes["origin"]
    for o in range(n):
        for d in range(n):
            for y in years if o != d else ():
                true = level * np.exp(draw.normal())
                rows += [(s, y, o, d, true * np.exp(draw.normal(-0.5 * k, sd[s]))) for k, s in enumerate(series)]
    return with_reports(panel, rows, priors)


def spread_of(panel, mask=None):
    found = estimate_spreads(panel, everything(panel)[0] if mask is None else mask)
    return dict(zip(("good", "wide", "other"), found[0]))


def test_the_scatter_of_each_office_is_found_from_their_ratios(small_panel):
    """A third office tells which of two scatters."""
    found = spread_of(noisy(small_panel))
    assert found["good"] == pytest.approx(0.1, abs=0.12)
    assert found["wide"] == pytest.approx(0.6, rel=0.15) and found["other"] == pytest.approx(0.6, rel=0.15)


@pytest.mark.parametrize("series", [(GOOD,), (GOOD, WIDE)])
def test_who_reports_alone_or_seldom_keeps_the_spread_of_the_class(small_panel, series):
    years = YEARS if len(series) == 1 else [0]
    panel = noisy(small_panel, series=series, years=years, priors={GOOD: {"spread": 0.25}})
    if len(series) == 2:       # nine of the flows are left, too few to say anything
        panel = panel.isel(observation=slice(0, 2 * (FEWEST - 1)))
    np.testing.assert_allclose(estimate_spreads(panel, everything(panel)[0])[:, 0], 0.25, rtol=1e-6)


def test_the_factor_is_one_for_all_years_of_a_series(small_panel):
    spread = np.where(np.arange(14) < 7, 0.2, 0.4)
    panel = noisy(small_panel, priors={WIDE: {"spread": spread}})
    found = estimate_spreads(panel, everything(panel)[0])[:, 1]
    np.testing.assert_allclose(found / spread, found[0] / 0.2, rtol=1e-5)
    assert found[0] / 0.2 > 1.5


def test_a_bias_is_no_scatter_and_chance_is_none_either(small_panel):
    """Halving one office's numbers changes nothing; counts of four hundred differ by chance alone."""
    panel = noisy(small_panel, sd=dict.fromkeys((GOOD, WIDE, OTHER), 0.1), level=1e6)
    half = panel.assign(flow_persons=panel.flow_persons * np.where(panel.flow_witness == 1, 0.5, 1.0))
    for a, b in zip(spread_of(panel).values(), spread_of(half).values()):
        assert a == pytest.approx(b, rel=1e-3)
    draw = np.random.default_rng(1)
    counts = panel.assign(flow_persons=("observation", draw.poisson(400, panel.sizes["observation"]) * 1.0))
    assert double_reported(counts, everything(counts)[0]).variance.max() == LEAST**2


def test_pairs_of_series_by_hand(small_panel):
    panel = noisy(small_panel, series=(GOOD, WIDE), years=[0, 1])
    found = double_reported(panel, everything(panel)[0]).iloc[0]
    first, second = (panel.flow_persons.values[panel.flow_witness.values == k] for k in (0, 1))
    both = (first >= SMALLEST) & (second >= SMALLEST)
    ratio = np.log(first / second)[both]
    assert (found["first"], found["second"], found["cells"]) == (0, 1, both.sum())
    assert found["median"] == pytest.approx(np.median(ratio))
    sd = 1.4826 * np.median(np.abs(ratio - np.median(ratio)))
    assert found["variance"] == pytest.approx(sd**2 - np.median((COUNT / first + COUNT / second)[both]))


def test_an_office_does_not_vouch_for_itself(small_panel):
    same = ("a|DEU|immigration|residence", "b|DEU|immigration|residence")
    panel = noisy(small_panel, series=same, sd=dict.fromkeys(same, 0.01))
    assert double_reported(panel, everything(panel)[0]).empty
    proxies = (GOOD, "a|ROU|emigration|citizenship")
    panel = noisy(small_panel, series=proxies, sd=dict.fromkeys(proxies, 0.01))
    assert double_reported(panel, everything(panel)[0]).empty


def test_what_is_held_out_is_not_looked_at(small_panel, small_splits):
    panel = noisy(small_panel)
    other, mask = perturb_held_out(panel, small_splits), training_observations(panel, small_splits)
    one, two = (estimate_spreads(p, mask) for p in (panel, other))
    assert np.array_equal(one, two)
    assert not np.array_equal(estimate_spreads(other, everything(panel)[0]), one)


def test_the_observation_model_takes_them(small_panel):
    panel = noisy(small_panel)
    model = made(panel)
    found = estimate_spreads(panel, everything(panel)[0])
    at = panel.flow_year.values, panel.flow_witness.values
    np.testing.assert_allclose(model.report_spread, found[at])
    assert len(set(found[0].tolist())) == 3


@pytest.mark.parametrize(("sd", "prior"), [(3.0, 0.05), (0.001, 2.0)])
def test_a_spread_that_runs_to_zero_or_infinity_is_refused_by_name(small_panel, sd, prior):
    five = (GOOD, WIDE, OTHER, "a|TUR|emigration|residence", "a|USA|emigration|residence")
    panel = noisy(small_panel, sd=dict.fromkeys(five, sd), level=1e7, series=five,
                  priors={s: {"spread": prior} for s in five})
    with pytest.raises(SchemaError) as caught:
        made(panel)
    assert caught.value.key in panel.witness.values and "class" in caught.value.remedy
