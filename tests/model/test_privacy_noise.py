"""Counts made private month by month: moments worked out by simulation and integration, noise that is found again."""
import numpy as np
import pytest
import torch
import xarray as xr
from scipy import integrate, stats

from humanflows.errors import SchemaError
from humanflows.model import privacy_noise
from humanflows.model.privacy_noise import CENSORED_BELOW, FEWEST, MONTHS, estimate_noise, private_counts

LIMIT = CENSORED_BELOW["meta"]


def moments(persons, noise):
    return [float(x) for x in private_counts(*(torch.tensor(v, dtype=torch.float64) for v in (persons, noise)))]


def published(persons, noise, rng):
    """Sums of twelve months, each with noise and never below zero."""
    months = persons[..., None] / MONTHS + noise * rng.normal(size=(*persons.shape, MONTHS))
    return np.maximum(months, 0).sum(-1)


@pytest.mark.parametrize("noise", [2.0, 7.5, 20.0])
@pytest.mark.parametrize("persons", [0.0, 5.0, 40.0, 300.0])
def test_a_year_is_twelve_months_that_are_never_below_zero(persons, noise):
    mean, variance, _ = moments(persons, noise)
    drawn = published(np.full(200_000, persons), noise, np.random.default_rng(0))
    assert mean == pytest.approx(drawn.mean(), abs=5 * drawn.std() / np.sqrt(len(drawn)))
    assert variance == pytest.approx(drawn.var(), rel=0.02)
    n = persons / MONTHS
    first, second = (integrate.quad(lambda x, k=k: x**k * stats.norm.pdf(x, n, noise), 0, n + 12 * noise)[0]
                     for k in (1, 2))
    assert mean == pytest.approx(MONTHS * first, rel=1e-6)
    assert variance == pytest.approx(MONTHS * (second - first**2), rel=1e-6)


def test_of_nobody_nearly_five_times_the_noise_of_a_month_is_published():
    assert moments(0.0, 10.0)[0] == pytest.approx(MONTHS * 10 / np.sqrt(2 * np.pi))


def test_without_noise_counts_are_published_as_they_are():
    persons = torch.tensor([0.0, 3.0, 1e7])
    mean, variance, elasticity = private_counts(persons, torch.zeros(3))
    assert torch.equal(mean, persons) and not variance.any() and (elasticity == 1).all()


@pytest.mark.parametrize("persons", [1.0, 20.0, 100.0, 2000.0])
def test_the_elasticity_is_that_of_a_small_difference(persons):
    step = 1e-5
    low, high = (moments(persons * np.exp(x), 7.5)[0] for x in (-step, step))
    assert moments(persons, 7.5)[2] == pytest.approx(np.log(high / low) / (2 * step), rel=1e-5)
    assert moments(1e6, 7.5)[2] == pytest.approx(1.0)


def test_large_and_small_numbers_have_finite_moments_and_gradients():
    persons = torch.tensor([0.0, 1e-3, 1.0, 1e3, 1e7], requires_grad=True)
    told = private_counts(persons, torch.full((5,), 7.5))
    assert all(torch.isfinite(x).all() for x in told)
    assert told[0][-1].item() == pytest.approx(1e7, rel=1e-6)
    assert told[1][-1].item() == pytest.approx(MONTHS * 7.5**2, rel=1e-4)
    told[0].sum().backward()
    assert torch.isfinite(persons.grad).all() and persons.grad[-1] == pytest.approx(1.0)


# ---- noise that is found again

def double_reported(noise, flows=2000, seed=0, scatter=0.3) -> tuple[xr.Dataset, np.ndarray]:
    """A panel in which a register counts flows of a few dozen and a platform publishes them with noise; all learned. Of
    a second year, and of as many places again, nobody reports."""
    rng = np.random.default_rng(seed)
    n = int(np.ceil(np.sqrt(flows))) + 1
    pair = np.argwhere(~np.eye(n, dtype=bool))[:flows]
    moved = rng.lognormal(3, 1, len(pair))
    counted = np.round(moved * np.exp(scatter * rng.normal(size=len(pair))))
    platform = published(moved, noise, rng)
    shown = platform >= LIMIT
    persons = np.concatenate([counted, platform[shown]])
    corridor = np.concatenate([pair, pair[shown]])
    series = np.repeat([0, 1], [len(pair), shown.sum()])
    panel = xr.Dataset({
        "flow_persons": ("observation", persons), "flow_year": ("observation", np.zeros(len(persons), int)),
        "flow_origin": ("observation", corridor[:, 0]), "flow_destination": ("observation", corridor[:, 1]),
        "flow_witness": ("observation", series), "witness_source": ("witness", ["undesa_imfsc", "meta"]),
        "witness_criterion": ("witness", ["residence"] * 2), "witness_side": ("witness", ["immigration", "both"]),
        "report_log_bias": (("year", "witness"), np.zeros((2, 2)))},
        coords={"witness": ["register", "platform"], "year": [2020, 2021], "origin": range(2 * n),
                "destination": range(2 * n)})
    return panel, np.ones(len(persons), bool)


@pytest.mark.parametrize("noise", [4.0, 8.0])
def test_noise_is_found_beside_what_a_register_counts(noise):
    found = estimate_noise(*double_reported(noise))
    assert found[0] == 0 and found[1] == pytest.approx(noise, rel=0.12)


def test_a_platform_that_adds_none_has_none():
    assert estimate_noise(*double_reported(0.01)).tolist() == [0.0, 0.0]


def test_with_few_flows_that_two_report_nothing_is_measured():
    panel, mask = double_reported(8.0)
    few = mask & ((panel.flow_witness.values == 1) | (np.cumsum(panel.flow_witness.values == 0) < FEWEST))
    assert estimate_noise(panel, few)[1] == 0


def test_reports_that_may_not_be_learned_from_are_not_looked_at():
    panel, mask = double_reported(8.0)
    hidden = (panel.flow_origin.values + panel.flow_destination.values) % 5 == 0      # both reports of a corridor
    other = panel.copy(deep=True)
    other["flow_persons"].values[hidden] = 77.0
    assert estimate_noise(panel, mask & ~hidden)[1] == estimate_noise(other, mask & ~hidden)[1] > 0


def test_a_register_that_misses_many_is_not_taken_for_what_happened():
    panel, mask = double_reported(8.0)
    panel["report_log_bias"].values[0, 0] = -0.7
    assert estimate_noise(panel, mask)[1] == 0


def test_a_source_that_shows_all_its_counts_adds_no_noise():
    panel, mask = double_reported(8.0)
    panel["witness_source"].values[1] = "undesa_imfsc"
    assert estimate_noise(panel, mask).tolist() == [0.0, 0.0]


@pytest.mark.parametrize(("name", "value"), [("witness_criterion", "citizenship"), ("witness_side", "both")])
def test_counts_of_citizens_and_other_platforms_are_not_what_happened(name, value):
    panel, mask = double_reported(8.0)
    panel[name] = panel[name].astype(object)
    panel[name].values[0] = value
    assert estimate_noise(panel, mask)[1] == 0


def test_what_a_register_misses_is_added_again():
    panel, mask = double_reported(8.0)
    other = panel.copy(deep=True)
    other["report_log_bias"].values[0, 0] = -0.2
    other["flow_persons"].values[panel.flow_witness.values == 0] *= np.exp(-0.2)
    assert estimate_noise(other, mask)[1] == pytest.approx(estimate_noise(panel, mask)[1], rel=1e-3)


def with_more(panel, **columns) -> tuple[xr.Dataset, np.ndarray]:
    """The panel with more reports before its own; all learned."""
    flows = [f"flow_{k}" for k in ("year", "origin", "destination", "witness", "persons")]
    more = xr.Dataset({name: ("observation", np.broadcast_to(columns[name[5:]], len(columns["origin"])))
                       for name in flows})
    kept = panel.drop_vars(flows)
    joined = kept.assign(xr.concat([more, panel[flows]], "observation"))
    return joined, np.ones(joined.sizes["observation"], bool)


def test_large_flows_do_not_tell_of_noise():
    panel, mask = double_reported(8.0)
    o, d = (panel[f"flow_{k}"].values[panel.flow_witness.values == 0][:500] for k in ("origin", "destination"))
    # A second count of the same, by the register, that is large: the platform's few would be far off.
    more, everything = with_more(panel, year=0, origin=o, destination=d, witness=0, persons=5000.0)
    assert estimate_noise(more, everything)[1] == estimate_noise(panel, mask)[1] > 0


def test_places_and_years_that_a_platform_does_not_cover_tell_nothing():
    panel, mask = double_reported(8.0)
    n, alone = panel.sizes["origin"] // 2, estimate_noise(panel, mask)[1]
    o, d = np.argwhere(~np.eye(n, dtype=bool))[:1000].T
    elsewhere = ((n + o, d, 0), (o, n + d, 0), (o, d, 1))     # no origin, no destination, no year of the platform's
    for origin, destination, year in elsewhere:
        more = with_more(panel, year=year, origin=origin, destination=destination, witness=0, persons=60.0)
        assert estimate_noise(*more)[1] == alone > 0


def test_reports_of_another_year_are_of_other_flows():
    panel, mask = double_reported(8.0)
    o, d = (panel[f"flow_{k}"].values[panel.flow_witness.values == 1] for k in ("origin", "destination"))
    more = with_more(panel, year=1, origin=o, destination=d, witness=1, persons=900.0)
    assert estimate_noise(*more)[1] == estimate_noise(panel, mask)[1] > 0


def test_noise_without_bounds_is_an_error_that_names_the_series(monkeypatch):
    monkeypatch.setattr(privacy_noise, "LARGEST_NOISE", 3.0)
    with pytest.raises(SchemaError, match="monthly noise of platform"):
        estimate_noise(*double_reported(8.0))
