"""The observation model against densities worked out elsewhere and small cases by hand; held-out data are nowhere."""
from dataclasses import fields

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from plausible_runs import (
    GOOD,
    PLATFORM,
    beside_a_platform,
    everything,
    leaves,
    made,
    nats_of_reports,
    plausible,
    published,
    seen_by,
    term,
    with_reports,
)
from scipy import special, stats

from humanflows.config import TERMS, ObservationConfig
from humanflows.model import observation
from humanflows.model.observation import (
    LASTING,
    PROXY,
    TAIL,
    WITHHELD,
    YEARS_OF_POPULATION,
    pseudo_huber,
    student,
)
from humanflows.model.observation_data import EARLIER, EXTRAPOLATED, INDEPENDENT, PROJECTED_FROM
from humanflows.model.recursion import DISPLACED_FROM, Trajectory
from humanflows.model.spreads import COUNT
from humanflows.panel.splits import perturb_held_out, training_observations

A, B = "undesa_imfsc|ROU|emigration|residence", "undesa_imfsc|DEU|immigration|residence"
SETTINGS = ObservationConfig()


def huber(x):
    return 2 * (np.sqrt(1 + np.asarray(x, float) ** 2 / 2) - 1)


def numbered(panel) -> Trajectory:
    """A run in which every number occurs once."""
    years, n = panel.sizes["year"], panel.sizes["origin"]
    block = years * n * n
    flow, arrivals, departures = (torch.arange(k * block, (k + 1) * block, dtype=torch.float32).reshape(years, n, n)
                                  for k in range(1, 4))
    stock = torch.arange(4 * block, 5 * block + n * n, dtype=torch.float32).reshape(years + 1, n, n)
    return Trajectory(flow, arrivals, departures, stock)


def net_of(run) -> np.ndarray:
    return (run.flow.sum(1) - run.flow.sum(2)).double().numpy()


# ---- densities -----------------------------------------------------------------------------------------------------

@given(st.floats(-1e4, 1e4), st.sampled_from([2.0, 3.0, TAIL, 30.0]))
def test_student_is_that_of_scipy_but_for_a_constant(x, tail):
    told = float(student(torch.tensor(x, dtype=torch.float64), tail))
    assert told == pytest.approx(stats.t.logpdf(0, tail) - stats.t.logpdf(x, tail), abs=1e-9)


@given(st.floats(-1e4, 1e4))
def test_pseudo_huber_is_that_of_scipy(x):
    told = float(pseudo_huber(torch.tensor(x, dtype=torch.float64)))
    assert told == pytest.approx(float(special.pseudo_huber(np.sqrt(2), x)), abs=1e-9)


def test_pseudo_huber_is_normal_near_zero_and_laplacian_far_out():
    near, far = torch.tensor([1e-3, -2e-2], dtype=torch.float64), torch.tensor([1e5, -1e7], dtype=torch.float64)
    torch.testing.assert_close(pseudo_huber(near), near**2 / 2, rtol=1e-3, atol=0)
    torch.testing.assert_close(pseudo_huber(far), np.sqrt(2) * far.abs(), rtol=1e-4, atol=0)


# ---- what each report sees -----------------------------------------------------------------------------------------

def test_the_small_world_has_all_kinds_of_series(small_panel):
    kinds = set(zip(small_panel.witness_side.values.tolist(), small_panel.witness_criterion.values.tolist()))
    assert kinds == {(s, c) for s in ("immigration", "emigration") for c in ("residence", "citizenship")}


def test_every_report_sees_its_own_cell(small_panel):
    run, model = numbered(small_panel), made(small_panel)
    told = (model.predictions(run) / torch.exp(model.log_bias[model.report_cell])).detach().numpy()
    np.testing.assert_allclose(told, seen_by(small_panel, run), rtol=1e-5)
    assert len(set(seen_by(small_panel, run))) > 0.5 * len(told)
    at = small_panel.flow_year.values, small_panel.flow_witness.values
    bias = model.log_bias[model.report_cell].detach().numpy()
    np.testing.assert_allclose(bias, small_panel.report_log_bias.values[at], atol=1e-6)
    assert bias.std() > 0.1


@pytest.mark.parametrize(("side", "criterion", "cell"), [
    ("immigration", "residence", ("flow", 1, 2)), ("emigration", "residence", ("flow", 1, 2)),
    ("immigration", "citizenship", ("arrivals", 1, 2)), ("emigration", "citizenship", ("departures", 2, 1)),
    ("immigration", "birthplace", ("arrivals", 1, 2)), ("emigration", "birthplace", ("departures", 2, 1)),
    ("both", "residence", ("flow", 1, 2))])
def test_a_report_from_1_to_2_in_plain_words(small_panel, side, criterion, cell):
    # Departures by citizenship from 1 "to 2" are of people born in 2 who leave 1, wherever they go.
    panel = with_reports(small_panel, [(f"some|DEU|{side}|{criterion}", 3, 1, 2, 77)])
    run = numbered(panel)
    kind, a, b = cell
    assert made(panel).predictions(run).item() == float(getattr(run, kind)[3, a, b])


# ---- the likelihood of reports -------------------------------------------------------------------------------------

def test_reports_have_the_density_of_scipy_s_student(small_panel):
    run = plausible(small_panel)
    expected = nats_of_reports(small_panel, run).sum()
    assert term(small_panel, run, "reports") == pytest.approx(expected, rel=1e-4)


def test_biases_and_lasting_deviations_shift_what_is_expected(small_panel):
    run, model = plausible(small_panel), made(small_panel)
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        model.log_bias_step += 0.1 * torch.randn(model.log_bias_step.shape, generator=draw)
        model.lasting += 0.3 * torch.randn(model.lasting.shape, generator=draw)
    bias = model.log_bias.detach().double().numpy()[model.report_cell.numpy()]
    lasting = model.lasting.detach().double().numpy()[model.report_series.numpy()]
    told = {k: v.detach() for k, v in model.terms(run).items()}
    assert float(told["reports"]) == pytest.approx(nats_of_reports(small_panel, run, bias, lasting).sum(), rel=1e-4)
    _, first = np.unique(model.report_series.numpy(), return_index=True)
    spread = model.report_spread.numpy().astype(float)[first]
    proxy = model.report_proxy.numpy()[first]
    sd = np.sqrt(LASTING * spread**2 + PROXY**2 * proxy)
    expected = huber(model.lasting.detach().numpy() / sd).sum()
    assert float(told["lasting"]) == pytest.approx(expected, rel=1e-3) and 0 < proxy.sum() < len(proxy)
    expected = 2.5 * np.log1p((model.log_bias_step / model.bias_deviation).detach().numpy() ** 2 / 4).sum()
    assert float(told["bias"]) == pytest.approx(expected, rel=1e-3)


def test_one_error_of_a_whole_series_is_paid_for_once(small_panel):
    """Ten reports half again too high cost less as a lasting deviation of the corridor than as ten errors; one does
    not."""
    def gain(length):
        panel = with_reports(small_panel, [(A, y, 0, 1, 1500) for y in range(length)], {A: {"class": GOOD}})
        run = plausible(panel)
        run.flow[:, 0, 1] = 1000.0
        model = made(panel)
        with torch.no_grad():
            before = model.terms(run)
            model.lasting.fill_(float(np.log(1.5)))
            after = model.terms(run)
            return [float(sum(t[k] for k in ("reports", "lasting"))) for t in (before, after)]

    (ten, ten_lasting), (one, one_lasting) = gain(10), gain(1)
    assert ten - ten_lasting > 5 * max(one - one_lasting, 0.1)


@pytest.mark.parametrize("name", ["witness_weight", "corridor_weight"])
def test_weights_multiply_the_nats_of_their_reports(small_panel, name):
    draw = np.random.default_rng(0)
    dims, shape = (("witness",), (small_panel.sizes["witness"],)) if name == "witness_weight" else \
        (("origin", "destination"), (small_panel.sizes["origin"],) * 2)
    panel = small_panel.assign({name: (dims, draw.gamma(2, 0.5, shape))})
    at = (panel.flow_witness.values,) if name == "witness_weight" else tuple(
        panel[f"flow_{k}"].values for k in ("origin", "destination"))
    run = plausible(panel)
    expected = panel[name].values[at] @ nats_of_reports(small_panel, run)
    assert term(panel, run, "reports") == pytest.approx(expected, rel=1e-4)
    assert abs(expected - term(small_panel, run, "reports")) > 1
    for other in ("stock", "net_migration", "population", "bias", "lasting"):     # all else counts as before
        assert term(panel, run, other) == pytest.approx(term(small_panel, run, other), rel=1e-6)


def test_reports_are_best_met_where_they_are_and_far_ones_are_forgiven(small_panel):
    panel = with_reports(small_panel, [(A, 2, 0, 1, 1000)])

    def told(persons):
        run = leaves(plausible(panel))
        with torch.no_grad():
            run.flow[2, 0, 1] = persons
        nats = made(panel).terms(run)["reports"]
        nats.backward()
        return float(nats.detach()), float(run.flow.grad[2, 0, 1]) * persons

    nats, slope = zip(*(told(p) for p in (100, 200, 700, 1000, 1400, 5000, 1e7)))
    assert int(np.argmin(nats)) == 3 and (np.diff(nats[:4]) < 0).all() and (np.diff(nats[3:]) > 0).all()
    assert slope[3] == pytest.approx(0, abs=1e-3) and slope[2] < 0 < slope[4]
    assert slope[6] < slope[5]                       # per log unit, a report that is far out pulls less


def test_a_count_of_few_is_uncertain_by_chance(small_panel):
    """One person where two were to be expected is no error; a thousand for two thousand is."""
    def cost(scale):
        panel = with_reports(small_panel, [(A, 2, 0, 1, scale)], {A: {"class": GOOD, "spread": 0.1}})
        run = plausible(panel)
        run.flow[2, 0, 1] = scale
        right = term(panel, run, "reports")
        run.flow[2, 0, 1] = 2.0 * scale
        return term(panel, run, "reports") - right

    assert cost(1) < 0.3 < 5 < cost(1000)


# ---- noise that a platform adds ------------------------------------------------------------------------------------

def test_the_noise_of_a_platform_is_measured_and_its_own(small_panel):
    panel = beside_a_platform(small_panel, A, 8.0)
    model = made(panel)
    platform = panel.witness.values.tolist().index(f"{PLATFORM}|movement")
    told = model.series_noise.tolist()
    assert told.pop(platform) == pytest.approx(8.0, rel=0.15) and told == [0.0]
    assert torch.equal(model.bias_noise, model.series_noise[model.bias_witness.long()]) and model.bias_noise.any()


def test_noise_is_measured_in_reports_that_may_be_learned_from(small_panel):
    panel = beside_a_platform(small_panel, A, 8.0)
    hidden = panel.flow_origin.values == 1
    other = panel.copy(deep=True)
    other["flow_persons"].values[hidden] = 77.0
    told = [made(p, ~hidden).series_noise for p in (panel, other)]
    assert torch.equal(*told) and told[0].any() and not torch.equal(made(other).series_noise, told[1])


def test_a_report_should_have_said_what_is_published(small_panel):
    run, model = plausible(small_panel), made(small_panel)
    noise = 4.0 * (torch.arange(len(model.bias_noise)) % 3)
    model.bias_noise.copy_(noise)
    bias = model.log_bias[model.report_cell].detach().double().numpy()
    expected = published(seen_by(small_panel, run) * np.exp(bias), noise[model.report_cell].numpy())[0]
    np.testing.assert_allclose(model.predictions(run).detach().numpy(), expected, rtol=1e-4)


@pytest.mark.parametrize("persons", [2.0, 40.0, 400.0])
def test_noise_widens_a_report_and_that_it_does_so_teaches_nothing(small_panel, persons):
    """The slope of the density's exponent alone: otherwise a flow would grow or shrink for the sake of its error."""
    panel = with_reports(small_panel, [(A, 2, 0, 1, 90)], {A: {"spread": 0.3}})
    run, model = leaves(evenly(panel, persons)), made(panel)
    model.bias_noise.fill_(8.0)
    model._reports(run).backward()
    shown, variance, part = published(persons, 8.0)
    residual = np.log1p(90) - np.log1p(shown)
    spread2 = part**2 * ((1 - LASTING) * 0.3**2 + COUNT / (1 + persons)) + variance / (1 + shown)**2
    slope = stats.norm.cdf(persons / 12 / 8) / (1 + shown)
    expected = -(TAIL + 1) * residual / (TAIL * spread2 + residual**2) * slope
    assert float(run.flow.grad[2, 0, 1]) == pytest.approx(expected, rel=1e-3)


# ---- while the network learns --------------------------------------------------------------------------------------

def variances(model, moved):
    """What should be shown, and variances: of corridors, of their years, of chance and noise; [M] each."""
    counted = (moved * torch.exp(model.log_bias[model.report_cell])).detach().double().numpy()
    corridor, year = np.exp(2 * model.log_scatter.detach().double().numpy()[model.report_witness.numpy()]).T
    shown, noise, part = published(counted, model.bias_noise[model.report_cell].numpy())
    return shown, part**2 * corridor, part**2 * year, part**2 * COUNT / (1 + counted) + noise / (1 + shown)**2


def nats(residual, variance):
    return (TAIL + 1) / 2 * np.log1p(residual**2 / variance / TAIL) + 0.5 * np.log(variance)


@pytest.fixture(scope="module", params=[0.0, 8.0], ids=["as counted", "with noise"])
def learning(small_panel, request):
    """Observation model with each series' scatter away from the start, noise in every second series and year, and moves
    that each report is about."""
    model = made(small_panel)
    model.bias_noise.copy_(request.param * (torch.arange(len(model.bias_noise)) % 2))
    with torch.no_grad():
        model.log_scatter += 0.4 * torch.randn(model.log_scatter.shape, generator=torch.Generator().manual_seed(0))
    return model, torch.as_tensor(seen_by(small_panel, plausible(small_panel)), dtype=torch.float32)


def test_a_single_report_carries_the_variance_of_its_corridor(small_panel, learning):
    model, moved = learning
    expected, *parts = variances(model, moved)
    each = nats(np.log1p(small_panel.flow_persons.values) - np.log1p(expected), sum(parts))
    share = model.report_share.double().numpy()
    for chosen in (np.arange(len(each)), np.arange(0, len(each), 7)):
        told = model.marginal(moved[chosen], torch.as_tensor(chosen)).detach()
        assert float(told) == pytest.approx(np.average(each[chosen], weights=share[chosen]), rel=1e-4)
    assert model.independent_reports == pytest.approx(share.sum(), rel=1e-5) and share.sum() < 0.6 * len(share)


def test_series_are_a_mean_with_the_corridor_s_variance_and_years_around_it(small_panel, learning):
    model, moved = learning
    expected, corridor, year, chance = variances(model, moved)
    residual = np.log1p(small_panel.flow_persons.values) - np.log1p(expected)
    total, weight = 0.0, 0.0
    series = model.report_series.numpy()
    for s in np.unique(series):
        k = np.flatnonzero(series == s)
        single = year[k] + chance[k]
        level = residual[k].mean()
        total += nats(level, corridor[k].mean() + single.mean() / len(k))
        free = INDEPENDENT * (len(k) - 1) / len(k)
        total += free * nats(residual[k] - level, single).sum()
        weight += 1 + free * len(k)
    told = float(model.marginal_series(moved, torch.arange(len(moved))).detach())
    assert told == pytest.approx(total / weight, rel=1e-4) and len(np.unique(series)) > 50


def test_series_of_one_year_are_single_reports(small_panel, learning):
    model, moved = learning
    _, first = np.unique(model.report_series.numpy(), return_index=True)
    first = torch.as_tensor(first)
    share = model.report_share.clone()
    model.report_share.fill_(1.0)           # alone, each is worth one
    single, whole = model.marginal(moved[first], first), model.marginal_series(moved[first], first)
    model.report_share.copy_(share)
    torch.testing.assert_close(single, whole, rtol=1e-5, atol=0)


def test_scatter_is_learned_of_each_series_from_what_the_network_leaves(small_panel):
    model = made(small_panel)
    w = model.report_witness.long()
    chosen = int(np.bincount(w.numpy()).argmax())
    draw = torch.randn(len(w), generator=torch.Generator().manual_seed(0))
    slopes = []
    for scatter in (0.0, 3.0):      # the one series is better than is expected of it, the other worse
        model.zero_grad()
        noise = torch.where(w == chosen, scatter, 0.7) * draw
        moved = (model.report_persons + 1) * torch.exp(noise - model.log_bias[model.report_cell])
        model.marginal(moved.detach(), torch.arange(len(w))).backward()
        slopes.append(model.log_scatter.grad[chosen].clone())
    assert (slopes[0] > 0).all() and (slopes[1] < 0).all()


def test_priors_while_the_network_learns_by_hand(small_panel):
    model = made(small_panel)
    assert model.pretraining_prior() == 0
    with torch.no_grad():
        model.log_scatter[3, 1] += 2 * observation.SCATTER_SD
        model.log_bias_step[4] = 3 * model.bias_deviation[4]
        told = float(model.pretraining_prior()) * model.independent_reports
    assert told == pytest.approx(0.5 * 2**2 + 2.5 * np.log1p(3**2 / 4), rel=1e-3)


# ---- what a source suppresses --------------------------------------------------------------------------------------

def evenly(panel, persons) -> Trajectory:
    years, n = panel.sizes["year"], panel.sizes["origin"]
    flow = torch.full((years, n, n), float(persons)) * (1 - torch.eye(n))
    return Trajectory(flow, flow, flow, torch.full((years + 1, n, n), 1e4))


@pytest.fixture
def platform(platform_panel):
    """The panel with a platform, and its observation model outside the held-out corridors."""
    panel, splits = platform_panel
    return panel, splits, made(panel, training_observations(panel, splits), splits.train.values)


@pytest.mark.parametrize("persons", [5000, 120, 50, 3, 0])
def test_a_suppressed_count_is_below_its_limit_but_for_a_normal_error(platform, persons):
    panel, _, model = platform
    with torch.no_grad():
        model.bias_mean.fill_(-0.4)
        told = float(model.terms(evenly(panel, persons))["censored"])
    counted = persons * np.exp(-0.4)
    sd = np.sqrt(SETTINGS.censored_deviation**2 + COUNT / (1 + counted))
    each = -np.log(WITHHELD + (1 - WITHHELD) * stats.norm.cdf((np.log1p(50) - np.log1p(counted)) / sd))
    assert told == pytest.approx(float(model.censored_share.sum()) * each, rel=1e-3)


def test_a_corridor_that_is_withheld_for_another_reason_costs_a_few_nats_however_many_move(platform):
    panel, _, model = platform
    with torch.no_grad():
        told = [float(model.terms(evenly(panel, persons))["censored"]) for persons in (1e4, 1e6)]
    most = -np.log(WITHHELD) * float(model.censored_share.sum())
    assert told == pytest.approx([most, most], rel=1e-3)


def test_a_suppressed_count_with_noise_is_below_its_limit_with_that_noise(platform):
    panel, _, model = platform
    model.bias_noise.fill_(8.0)
    model.bias_mean.zero_()
    with torch.no_grad():
        told = float(model.terms(evenly(panel, 30))["censored"])
    months = np.maximum(30 / 12 + 8 * np.random.default_rng(0).normal(size=(400_000, 12)), 0).sum(1)
    part = 30 * stats.norm.cdf(30 / 12 / 8) / months.mean()     # of a small difference of the count that is published
    sd = np.sqrt(part**2 * (SETTINGS.censored_deviation**2 + COUNT / 31) + months.var() / (1 + months.mean())**2)
    below = stats.norm.cdf((np.log1p(50) - np.log1p(months.mean())) / sd)
    expected = -np.log(WITHHELD + (1 - WITHHELD) * below) * float(model.censored_share.sum())
    assert told == pytest.approx(expected, rel=0.01) and expected > 0.1


@pytest.mark.parametrize("noise", [0.0, 8.0])
def test_suppressed_counts_teach_the_network_too(platform, noise):
    _, _, model = platform
    model.bias_noise.fill_(noise)
    k = torch.arange(0, len(model.censored_position), 3)
    moved = torch.linspace(1, 3000, len(k))
    meta = int(model.bias_witness[model.censored_cell[0]])
    with torch.no_grad():
        model.log_scatter[meta] = torch.tensor([-0.1, -0.8])
        model.bias_mean.fill_(-0.4)
    told = float(model.marginal_censored(moved, k).detach())
    counted = moved.double().numpy() * np.exp(-0.4)
    shown, variance, part = published(counted, noise)
    sd = np.sqrt(part**2 * (np.exp(-0.2) + np.exp(-1.6) + COUNT / (1 + counted)) + variance / (1 + shown)**2)
    each = -np.log(WITHHELD + (1 - WITHHELD) * stats.norm.cdf((np.log1p(50) - np.log1p(shown)) / sd))
    share = model.censored_share.numpy()
    expected = np.average(each, weights=share[k]) * share.sum() / model.independent_reports
    assert told == pytest.approx(expected, rel=1e-4) and expected > 0.1


def test_what_noise_alone_explains_pulls_no_flow_up(small_panel):
    """A platform shows 60 of a flow of one person: with noise of eight persons a month that says next to nothing."""
    pulls = []
    for noise in (0.0, 8.0):
        panel = small_panel.copy(deep=True)
        panel["flow_persons"].values[:] = 60.0
        model, run = made(panel), leaves(evenly(panel, 1))
        model.bias_noise.fill_(noise)
        model._reports(run).backward()
        pulls.append(float(run.flow.grad.abs().sum()))
    assert pulls[1] < 0.1 * pulls[0]


def test_reports_with_noise_are_held_against_what_noise_makes_of_the_flow(small_panel):
    run, noise = plausible(small_panel), 8.0
    model = made(small_panel)
    model.bias_noise.fill_(noise)
    with torch.no_grad():
        model.lasting += 0.3 * torch.randn(model.lasting.shape, generator=torch.Generator().manual_seed(1))
        told = float(model._reports(run))
    y, w = (small_panel[f"flow_{k}"].values.astype(int) for k in ("year", "witness"))
    level = np.log1p(seen_by(small_panel, run) * np.exp(small_panel.report_log_bias.values[y, w])) \
        + model.lasting.detach().double().numpy()[model.report_series.numpy()]
    counted = np.maximum(np.expm1(level), 0)
    z = counted / 12 / noise
    shown = 12 * noise * (z * stats.norm.cdf(z) + stats.norm.pdf(z))
    variance = 12 * noise**2 * ((z**2 + 1) * stats.norm.cdf(z) + z * stats.norm.pdf(z) - (shown / 12 / noise) ** 2)
    variance = np.where(z > 30, 12 * noise**2, variance)     # where squares leave nothing of the difference
    part = counted * stats.norm.cdf(z) / np.maximum(shown, 1e-9)
    spread = model.series_spread.numpy()[y, w].astype(float)
    scale = np.sqrt(part**2 * ((1 - LASTING) * spread**2 + COUNT / (1 + counted)) + variance / (1 + shown)**2)
    each = stats.t.logpdf(0, TAIL) - stats.t.logpdf(np.log1p(small_panel.flow_persons.values), TAIL,
                                                    loc=np.log1p(shown), scale=scale)
    assert told == pytest.approx(each.sum(), rel=1e-3)


def test_suppressed_counts_pull_flows_down_and_those_of_open_corridors_alone(platform):
    panel, splits, model = platform
    run = leaves(evenly(panel, 100))
    model.terms(run)["censored"].backward()
    touched = (run.flow.grad != 0).any(0).numpy()
    assert touched.any() and not touched[~splits.train.values].any()
    assert (run.flow.grad >= 0).all() and run.stock.grad is None


# ---- displaced people ----------------------------------------------------------------------------------------------

def displaced(panel, persons=10_000.0):
    """The panel in which UNHCR counts new refugees of one corridor and year alone, and some too few elsewhere."""
    flow = np.zeros(panel.displaced_flow.shape)
    flow[4, 0, 1], flow[5, 2, 3], flow[6, 1, 0] = persons, DISPLACED_FROM, np.nan
    return panel.drop_vars("displaced_stock").assign(displaced_flow=(panel.displaced_flow.dims, flow))


@pytest.mark.parametrize("factor", [1.2, 3.0, 30.0])
def test_new_refugees_may_be_exceeded_and_not_undercut(small_panel, factor):
    panel = displaced(small_panel)

    def cost(times):
        run = plausible(panel)
        run.flow[4, 0, 1] = times * 10_001 - 1
        return term(panel, run, "displaced")

    assert cost(1.0) == pytest.approx(0, abs=1e-6)
    assert cost(factor) == pytest.approx(0, abs=1e-6)
    assert cost(1 / factor) == pytest.approx(huber(np.log(factor) / SETTINGS.displaced_below), rel=1e-3)


def test_new_refugees_of_closed_corridors_and_few_of_them_are_no_datum(small_panel):
    panel = displaced(small_panel)
    closed = everything(panel)[1]
    closed[0, 1] = False
    assert made(panel).displaced_persons.tolist() == [10_000.0]
    assert "displaced" not in made(panel, corridors=closed).terms(plausible(panel))
    assert "displaced" not in made(panel.drop_vars("displaced_flow")).terms(plausible(panel))


# ---- stocks and population -----------------------------------------------------------------------------------------

def test_counts_of_stocks_and_their_differences_by_hand(small_panel):
    run, c = plausible(small_panel), SETTINGS
    middle = ((run.stock[1:] + run.stock[:-1]) / 2).double().numpy()
    start = small_panel.stock_year.values - int(small_panel.year[0])
    observed, level, change = small_panel.stock_observed.values.astype(float), 0.0, 0.0
    displaced_to = np.nan_to_num(small_panel.displaced_flow.values).astype(float)
    displaced_to = displaced_to + displaced_to.transpose(0, 2, 1)

    def part(both, revision):     # two revisions of the same count are worth one
        return np.where(both, (EARLIER, 1)[revision] / (1 + EARLIER), 1.0)

    for r in range(len(observed)):
        for s, t in enumerate(start):
            known = np.isfinite(observed[r, s])
            # The last count carries earlier ones on: no census tells it yet.
            times = EXTRAPOLATED if s == len(start) - 1 else 1.0
            sd = times * np.sqrt(c.stock_deviation**2 + c.stock_count**2 / (1 + middle[t][known]))
            off = np.log1p(observed[r, s][known]) - np.log1p(middle[t][known])
            level += part(np.isfinite(observed[1 - r, s][known]), r) @ huber(off / sd)
            if s:
                growth = observed[r, s] - observed[r, s - 1]
                known, before = np.isfinite(growth), start[s - 1]
                came = displaced_to[before + 1:t + 1].sum(0)
                sd = 30 + c.stock_repeated * (middle[t] + middle[before]) / 2 + c.change_deviation * np.abs(growth) \
                    + c.displaced_counted * came
                both = np.isfinite(observed[1 - r, s] - observed[1 - r, s - 1])[known]
                change += part(both, r) @ huber((middle[t] - middle[before] - growth)[known] / sd[known] / times)
    told = made(small_panel).terms(run)
    assert float(told["stock"]) == pytest.approx(level, rel=1e-4) and level > 1
    assert float(told["stock_difference"]) == pytest.approx(change, rel=1e-4) and change > 1


def test_residents_of_each_january_by_hand(small_panel):
    run = plausible(small_panel)
    population = small_panel.population.values
    sd = 20 + SETTINGS.population_deviation * population
    each = huber((run.stock.sum(1).double().numpy() - population) / sd)[1:]     # the first is where the model starts
    share = (1 + YEARS_OF_POPULATION * (len(population) - 1)) / len(population)
    assert term(small_panel, run, "population") == pytest.approx(share * each.sum(), rel=1e-4)


def test_a_population_carried_on_by_births_alone_is_no_datum(small_panel):
    place, first = 3, 6
    net = small_panel.net_migration.values.copy()
    net[first:, place] = np.nan                                  # withheld, or blind from this year on
    carried = small_panel.population.values.copy()
    carried[first + 1:, place] *= 3
    panel = small_panel.assign(net_migration=(small_panel.net_migration.dims, net),
                               population=(small_panel.population.dims, carried))
    run = leaves(plausible(panel))
    made(panel).terms(run)["population"].backward()
    reached = (run.stock.grad.abs().sum(1) > 0).numpy()          # [date, territory]
    expected = np.ones_like(reached)
    expected[0], expected[first + 1:, place] = False, False
    assert (reached == expected).all()


# ---- net migration -------------------------------------------------------------------------------------------------

def consistent(panel, run, national=False):
    """The panel whose net migration is that of a run; national statistics none, or the same; nobody displaced."""
    net = net_of(run)
    return panel.drop_vars("displaced_flow").assign(
        net_migration=(panel.net_migration.dims, net), net_migration_national=(
            panel.net_migration.dims, net if national else np.full(net.shape, np.nan)))


def off_by(panel, changes, name="net_migration"):
    """The panel with net migration changed by persons in {(year, place): by}."""
    net = panel[name].values.copy()
    for at, by in changes.items():
        net[at] += by
    return panel.assign({name: (panel[name].dims, net)})


def deviation_of(panel, net, year, place):
    return 20 + SETTINGS.net_population * panel.population.values[year, place] + SETTINGS.net_deviation * abs(net)


@pytest.mark.parametrize(("name", "times"), [("net_migration", 1.0), ("net_migration_national", 0.5)])
def test_net_migration_costs_by_its_deviation(small_panel, name, times):
    """What a national office says of itself is twice as sure."""
    run, by = plausible(small_panel), 5e4
    panel = consistent(small_panel, run, national=True)
    assert term(panel, run, "net_migration") == pytest.approx(0, abs=1e-2)
    sd = times * deviation_of(panel, net_of(run)[3, 2] + by, 3, 2)
    assert term(off_by(panel, {(3, 2): by}, name), run, "net_migration") == pytest.approx(huber(by / sd), rel=1e-2)


def test_where_refugees_come_from_and_go_net_migration_says_less(small_panel):
    run, by = plausible(small_panel), 5e4
    panel = off_by(consistent(small_panel, run), dict.fromkeys([(3, 2), (3, 5), (3, 6)], by))
    flow = np.zeros(small_panel.displaced_flow.shape)
    flow[3, 2, 5], flow[4, 6, 2] = 8e4, 9e9
    fled = panel.assign(displaced_flow=(small_panel.displaced_flow.dims, flow))
    expected = sum(huber(by / SETTINGS.net_uncounted / (deviation_of(panel, panel.net_migration.values[3, k], 3, k)
                                                        + extra))
                   for k, extra in ((2, SETTINGS.net_displaced * 8e4), (5, SETTINGS.net_displaced * 8e4), (6, 0)))
    assert term(fled, run, "net_migration") == pytest.approx(expected, rel=1e-2)


def test_where_nobody_counts_who_comes_and_goes_net_migration_says_less(small_panel):
    """One year of national figures says that an office counts, and so of what the United Nations' others rest on."""
    run, by, place = plausible(small_panel), 5e4, 2
    national = np.full(net_of(run).shape, np.nan)
    for counted in (False, True):
        if counted:
            national[7, place] = net_of(run)[7, place]
        panel = consistent(small_panel, run).assign(net_migration_national=(small_panel.net_migration.dims, national))
        for at in ((3, place), (3, 5)):
            times = 1.0 if counted and at[1] == place else SETTINGS.net_uncounted
            sd = times * deviation_of(panel, net_of(run)[at] + by, *at)
            assert term(off_by(panel, {at: by}), run, "net_migration") == pytest.approx(huber(by / sd), rel=1e-2), at


def test_a_projected_year_is_wide(small_panel):
    shift = PROJECTED_FROM - int(small_panel.year[-1])
    panel = small_panel.assign_coords({k: small_panel[k] + shift for k in ("year", "date_year", "stock_year")})
    run = plausible(panel)
    panel = consistent(panel, run, national=True)
    last, by = panel.sizes["year"] - 1, 5e4
    for year, name, times in ((last, "net_migration", 3.0), (last - 1, "net_migration", 1.0),
                              (last, "net_migration_national", 0.5)):          # a count is no projection
        sd = times * deviation_of(panel, net_of(run)[year, 2] + by, year, 2)
        changed = off_by(panel, {(year, 2): by}, name)
        assert term(changed, run, "net_migration") == pytest.approx(huber(by / sd), rel=1e-2), (year, name)


def best(panel, run) -> float:
    """Nats of net migration and of the errors of the population that explain it best."""
    model = made(panel)
    optimiser = torch.optim.LBFGS([model.population_error], max_iter=100, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        terms = model.terms(run)
        loss = terms["net_migration"] + terms["population_error"]
        loss.backward()
        return loss

    optimiser.step(closure)
    return float(closure().detach())


def test_an_error_of_a_population_comes_in_with_one_sign_and_goes_out_with_the_other(small_panel):
    run = plausible(small_panel)
    panel = consistent(small_panel, run)
    sd = SETTINGS.recount_deviation * float(panel.population.values[5, 2])
    by = 3 * sd
    model = made(off_by(panel, {(4, 2): by, (5, 2): -by}))
    with torch.no_grad():       # the population of the 1 January between is by so much too large
        model.population_error[5, 2] = by / (SETTINGS.recount_deviation * panel.population.values[5, 2]) / 5.0
        told = model.terms(run)
    assert float(told["net_migration"]) == pytest.approx(0, abs=0.05)
    assert float(told["population_error"]) == pytest.approx(huber(3.0), rel=1e-3)


def test_a_break_of_one_year_costs_less_than_a_lasting_change(small_panel):
    run = plausible(small_panel)
    panel = consistent(small_panel, run)
    by = 0.02 * float(panel.population.values[5, 2])
    undisturbed = best(panel, run)
    back = best(off_by(panel, {(5, 2): by, (6, 2): -by}), run) - undisturbed
    lasting = best(off_by(panel, {(5, 2): by, (6, 2): by}), run) - undisturbed
    assert 0 < 2 * back < lasting


# ---- moving on -----------------------------------------------------------------------------------------------------

def test_onward_moves_are_drawn_to_their_rate_from_both_sides(small_panel):
    n, years = small_panel.sizes["origin"], small_panel.sizes["year"]
    stock = torch.full((years + 1, n, n), 100.0) + torch.eye(n) * 1e6
    migrants, model = 100.0 * n * (n - 1), made(small_panel)

    def cost(rate):
        flow = torch.full((years, n, n), rate * migrants / (n * (n - 1)))      # nobody leaves home, nobody returns
        flow[:, torch.arange(n), torch.arange(n)] = 0
        empty = torch.zeros_like(flow)
        return float(model.terms(Trajectory(flow, empty, empty, stock))["onward"].detach())

    rate, sd = observation.ONWARD_RATE, observation.ONWARD_DEVIATION
    assert cost(rate) == pytest.approx(0, abs=1e-4)
    for off in (np.e, 1 / np.e):
        assert cost(rate * off) == pytest.approx(0.5 * years / sd**2, rel=1e-3)
    assert np.isfinite(cost(0.0)) and cost(0.0) > 50


# ---- all of it -----------------------------------------------------------------------------------------------------

def test_kinds_of_data_can_be_left_out_and_nothing_else_changes(platform_panel):
    panel, _ = platform_panel
    run = plausible(panel)
    whole = {k: float(v.detach()) for k, v in made(panel).terms(run).items()}
    present = {k for k in TERMS if k in whole}
    assert present >= {"reports", "censored", "displaced", "stock", "stock_difference", "population", "net_migration"}
    for kind in sorted(present):
        nobody = everything(panel)[0] & False if kind == "reports" else None    # as of a member
        told = {k: float(v.detach()) for k, v in made(panel, nobody, leave_out=kind).terms(run).items()}
        gone = {kind} if kind != "reports" else {"reports", "lasting", "bias", "censored"}
        assert gone - {"gross"} <= set(whole) - set(told) <= gone | {"gross"}, kind
        assert all(told[k] == pytest.approx(whole[k], rel=1e-6) for k in told if k != "gross"), kind


@pytest.mark.parametrize("flow", [0.0, 1e-6, 1.0, 1e7])
def test_gradients_are_finite_everywhere(platform_panel, flow):
    panel, _ = platform_panel
    run = leaves(evenly(panel, flow))
    model = made(panel)
    terms = model.terms(run)
    torch.stack(list(terms.values())).sum().backward()
    assert all(torch.isfinite(v) for v in terms.values())
    assert all(torch.isfinite(x.grad).all() for x in (run.flow, run.stock))
    for name, weight in model.named_parameters():
        assert weight.grad is None or torch.isfinite(weight.grad).all(), name
    assert (model.log_bias_step.grad.abs().sum() > 0) == (flow > 0)        # of nobody no share can be missed


def silence(panel, part):
    """The panel without one part."""
    if part == "reports":
        return panel.isel(observation=slice(0, 0), witness=slice(0, 0))
    if part == "displaced":
        return panel.drop_vars("displaced_flow")
    name = {"national": "net_migration_national", "net": "net_migration"}.get(part)
    if name:
        both = ("net_migration", "net_migration_national") if part == "net" else (name,)
        return panel.assign({k: panel[k] * np.nan for k in both})
    counted = panel.stock_observed.values.copy()
    counted[-1] = np.nan
    return panel.assign(stock_observed=(panel.stock_observed.dims, counted))


@pytest.mark.parametrize("part", ["reports", "displaced", "national", "net", "newest revision"])
def test_a_panel_may_lack_a_part(small_panel, part):
    panel = silence(small_panel, part)
    run = leaves(plausible(panel))
    terms = made(panel).terms(run)
    torch.stack(list(terms.values())).sum().backward()
    assert all(torch.isfinite(v) for v in terms.values()) and torch.isfinite(run.stock.grad).all()
    absent = {"reports": {"reports", "lasting", "bias"}, "displaced": {"displaced"},
              "net": {"net_migration", "population_error"}}
    assert absent.get(part, set()).isdisjoint(terms) and {"stock", "population"} <= set(terms)


def test_nobody_may_be_learned_from(small_panel):
    model = made(small_panel, np.zeros(small_panel.sizes["observation"], bool))
    assert "reports" not in model.terms(plausible(small_panel)) and model.independent_reports == 1.0
    assert np.isnan(model.witness_bias()).all() and model.pretraining_prior() == 0


def test_the_bias_of_a_series_is_the_mean_over_its_reports(small_panel):
    panel = with_reports(small_panel, [(A, 0, 0, 1, 5), (A, 1, 0, 1, 5), (A, 1, 0, 2, 5), (B, 0, 0, 1, 5)])
    mask = np.array([True, True, True, False])
    model = made(panel, mask)
    with torch.no_grad():
        model.log_bias_step.copy_(torch.tensor([0.3, 0.3]))
    told = model.witness_bias()
    assert told[0] == pytest.approx((0.3 + 0.6 + 0.6) / 3) and np.isnan(told[1])


# ---- what is held out ----------------------------------------------------------------------------------------------

@pytest.fixture(params=["small", "platform"])
def held(request):
    """A panel and its splits, with and without a platform."""
    if request.param == "platform":
        return request.getfixturevalue("platform_panel")
    return request.getfixturevalue("small_panel"), request.getfixturevalue("small_splits")


def test_what_is_held_out_changes_no_term_and_no_gradient(held):
    panel, splits = held
    mask, other = training_observations(panel, splits), perturb_held_out(panel, splits)
    assert not np.array_equal(other.flow_persons.values, panel.flow_persons.values)
    told = []
    for p in (panel, other):
        model, run = made(p, mask, splits.train.values), leaves(plausible(p))
        terms = model.terms(run)
        torch.stack(list(terms.values())).sum().backward()
        told.append((dict(model.named_buffers()), {k: v.detach() for k, v in terms.items()},
                     {**{k: v.grad for k, v in run._asdict().items()},
                      **{k: v.grad for k, v in model.named_parameters() if v.grad is not None}}))
    for one, two in zip(*told):
        assert set(one) == set(two) and len(one) > 4
        for name in one:
            assert np.array_equal(one[name].numpy(), two[name].numpy(), equal_nan=True), name
    # the counterpart: without the mask it would be seen
    run, open_ = plausible(panel), np.ones(len(mask), bool)
    assert term(panel, run, "reports", open_) != term(other, run, "reports", open_)


def test_held_out_flows_are_reached_by_no_datum_about_corridors(held):
    panel, splits = held
    model = made(panel, training_observations(panel, splits), splits.train.values)
    run = leaves(plausible(panel))
    terms = model.terms(run)
    # Stocks, residents and balances are never held out, the rate of onward moves is a constant.
    of_territories = {"stock", "stock_difference", "population", "net_migration", "gross", "onward"}
    sum(v for k, v in terms.items() if k not in of_territories).backward()
    reached = (run.flow.grad.abs().sum(0) > 0).numpy()
    assert not reached[~splits.train.values].any() and reached[splits.train.values].any()
    assert len(model.predictions(run)) == training_observations(panel, splits).sum()


def test_every_setting_is_a_deviation_that_matters(platform_panel):
    """A setting that changes no term would be a dead option."""
    panel, _ = platform_panel
    run = plausible(panel)
    model = made(panel)
    with torch.no_grad():
        model.population_error += 0.1
        whole = {k: float(v) for k, v in model.terms(run).items()}
        for f in fields(ObservationConfig):
            if f.name == "leave_out":
                continue
            other = made(panel, **{f.name: 2 * getattr(SETTINGS, f.name)})
            other.population_error += 0.1
            assert any(float(v) != whole[k] for k, v in other.terms(run).items()), f.name
