"""Each witness is compared with what it saw, and nothing that is held out is seen at all."""
import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from plausible_runs import made, plausible

from humanflows.config import LossConfig
from humanflows.model.recursion import Trajectory
from humanflows.model.witnesses import signed_sqrt
from humanflows.panel.splits import perturb_held_out, training_observations

DATA_TERMS = ("flow", "change", "stock", "stock_difference", "net_migration", "reconstruction")


def numbered(panel) -> Trajectory:
    """A run in which every number occurs once."""
    years, n = panel.sizes["year"], panel.sizes["origin"]
    block = years * n * n
    flow, arrivals, departures = (torch.arange(k * block, (k + 1) * block, dtype=torch.float32).reshape(years, n, n)
                                  for k in range(1, 4))
    stock = torch.arange(4 * block, 5 * block + n * n, dtype=torch.float32).reshape(years + 1, n, n)
    return Trajectory(flow, arrivals, departures, stock)


def cell_of(run: Trajectory, side: str, criterion: str) -> tuple[torch.Tensor, bool]:
    """What a witness sees and whether the other place comes second."""
    if criterion == "residence":
        return run.flow, False
    return (run.departures, True) if side == "emigration" else (run.arrivals, False)


def seen_by(panel, run: Trajectory) -> np.ndarray:
    """What every observation should say, the slow way, from the definitions."""
    told = []
    for y, o, d, w in zip(*(panel[f"flow_{k}"].values for k in ("year", "origin", "destination", "witness"))):
        table, turned = cell_of(run, str(panel.witness_side.values[w]), str(panel.witness_criterion.values[w]))
        # departures are [birthplace, origin]: "destination" of such a report is where the leavers were born
        told.append(float(table[y, d, o] if turned else table[y, o, d]))
    return np.array(told)


def consistent(panel, run: Trajectory) -> xr.Dataset:
    """The panel that observers without error would publish about a run."""
    other = panel.copy(deep=True)
    other["flow_persons"][:] = seen_by(panel, run)
    middle = (0.5 * (run.stock[1:] + run.stock[:-1])).numpy()
    at = panel.stock_year.values - int(panel.year[0])
    other["stock_observed"][:] = np.where(np.isnan(panel.stock_observed.values), np.nan, middle[at][None])
    net = (run.flow.sum(1) - run.flow.sum(2)).numpy()
    other["net_migration"][:] = net
    other["net_migration_national"][:] = np.where(np.isnan(panel.net_migration_national.values), np.nan, net)
    if "reconstruction" in panel:
        flow = run.flow.numpy()
        for p, first in enumerate(panel.period.values - int(panel.year[0])):
            if first + 5 < len(flow):
                other["reconstruction"][:, p] = (0.5 * flow[first] + flow[first + 1:first + 5].sum(0)
                                                 + 0.5 * flow[first + 5])
    return other


def test_the_small_world_has_all_kinds_of_witnesses(small_panel):
    kinds = set(zip(small_panel.witness_side.values.tolist(), small_panel.witness_criterion.values.tolist()))
    assert {("immigration", "residence"), ("emigration", "residence"), ("immigration", "citizenship"),
            ("emigration", "citizenship")} <= kinds


def test_every_witness_sees_its_own_cell(small_panel, everyone, corridors):
    run = numbered(small_panel)
    witnesses = made(small_panel, everyone, corridors)
    told = witnesses.predictions(run).detach().numpy()
    assert np.array_equal(told, seen_by(small_panel, run))
    assert len(set(told)) > 0.5 * len(told)


def test_departures_by_birthplace_are_looked_up_by_birthplace(small_panel, everyone, corridors):
    # One observation in plain words: emigrants of office k born in b are departures[b, k].
    at = np.flatnonzero((small_panel.witness_side.values == "emigration")[small_panel.flow_witness.values]
                        & (small_panel.witness_criterion.values == "citizenship")[small_panel.flow_witness.values])[0]
    office = str(small_panel.witness_reporter.values[small_panel.flow_witness.values[at]])
    y, o, d = (int(small_panel[f"flow_{k}"].values[at]) for k in ("year", "origin", "destination"))
    assert str(small_panel.origin.values[o]) == office
    run = numbered(small_panel)
    told = made(small_panel, everyone, corridors).predictions(run)[at]
    assert told.item() == float(run.departures[y, d, o])


def test_perfect_predictions_leave_nothing_to_explain(small_panel, everyone, corridors):
    run = plausible(small_panel)
    told = made(consistent(small_panel, run), everyone, corridors).terms(run)
    assert set(DATA_TERMS) <= set(told)
    for name, term in told.items():
        if name == "onward":        # compares with a rate known from elsewhere, not with these data
            continue
        assert term.item() == pytest.approx(0, abs=2e-3), name


@pytest.mark.parametrize("name", DATA_TERMS)
def test_each_term_notices_its_own_error(small_panel, everyone, corridors, name):
    run = plausible(small_panel)
    truth = consistent(small_panel, run)
    variable = {"flow": "flow_persons", "change": "flow_persons", "stock": "stock_observed",
                "stock_difference": "stock_observed", "net_migration": "net_migration",
                "reconstruction": "reconstruction"}[name]
    wrong = truth.copy(deep=True)
    wrong[variable][:] = wrong[variable].values * np.random.default_rng(1).uniform(0.2, 3, wrong[variable].shape)
    before, after = (made(p, everyone, corridors).terms(run) for p in (truth, wrong))
    assert float(after[name]) > 0.01 + 10 * float(before[name])
    blind = {"flow_persons": ("stock", "net_migration", "reconstruction"), "stock_observed": ("flow", "net_migration"),
             "net_migration": ("flow", "stock"), "reconstruction": ("flow", "stock")}[variable]
    for other in blind:
        assert float(after[other]) == pytest.approx(float(before[other]), abs=1e-6)


def test_change_is_blind_to_level_and_flow_is_not(small_panel, everyone, corridors):
    run = plausible(small_panel)
    truth = consistent(small_panel, run)
    doubled = run._replace(flow=2 * run.flow, arrivals=2 * run.arrivals, departures=2 * run.departures)
    terms = made(truth, everyone, corridors).terms(doubled)
    assert float(terms["change"]) < 1e-3
    assert float(terms["flow"]) > 0.01


def test_knowing_nothing_but_the_mean_costs_about_one(small_panel, everyone, corridors):
    # Weights of the loss compare only if every term is a share of variance.
    run = plausible(small_panel)
    truth = consistent(small_panel, run)
    mean = float(np.exp(np.log1p(truth.flow_persons.values).mean()))
    flat = run._replace(**{k: torch.full_like(run.flow, mean) for k in ("flow", "arrivals", "departures")})
    terms = made(truth, everyone, corridors).terms(flat)
    for name in ("flow", "change"):
        assert 0.3 < float(terms[name]) < 4, name


def test_biases_scale_their_own_witness(small_panel, everyone, corridors):
    run = plausible(small_panel)
    witnesses = made(small_panel, everyone, corridors)
    before = witnesses.predictions(run).detach().numpy()
    chosen = 2
    with torch.no_grad():
        witnesses.log_bias[chosen] = np.log(3.0)
    after = witnesses.predictions(run).detach().numpy()
    expected = np.where(small_panel.flow_witness.values == chosen, 3.0, 1.0)
    np.testing.assert_allclose(after / before, expected, rtol=1e-5)
    assert (expected == 3).any()


def test_biases_of_collections_scale_their_witnesses(small_panel, everyone, corridors):
    run = plausible(small_panel)
    witnesses = made(small_panel, everyone, corridors)
    before = witnesses.predictions(run).detach().numpy()
    with torch.no_grad():
        witnesses.collection_bias[0] = -0.5
    ratio = witnesses.predictions(run).detach().numpy() / before
    w = small_panel.flow_witness.values
    names = [f"{s}|{d}|{c}" for s, d, c in zip(*(small_panel[f"witness_{k}"].values[w]
                                                 for k in ("source", "side", "criterion")))]
    inside = np.array(names) == witnesses.collections[0]
    np.testing.assert_allclose(ratio, np.where(inside, np.exp(-0.5), 1.0), rtol=1e-5)
    assert 0 < inside.sum() < len(inside)


def test_biases_cost_whatever_they_explain(small_panel, everyone, corridors):
    run = plausible(small_panel)
    witnesses = made(small_panel, everyone, corridors)
    assert float(witnesses.terms(run)["shrinkage"]) == 0
    for name, bias in witnesses.named_parameters():
        with torch.no_grad():
            bias += 0.3
        assert float(witnesses.terms(run)["shrinkage"]) > 0, name
        with torch.no_grad():
            bias -= 0.3


def test_the_loss_is_the_weighted_sum(small_panel, everyone, corridors):
    run = plausible(small_panel)
    weights = dict(stock=0.0, stock_difference=0.0, net_migration=2.0, flow=3.0, change=0.0, reconstruction=0.0,
                   bias_ridge=0.0)
    others = {k: 0.0 for k in LossConfig.__dataclass_fields__ if k not in (*weights, "likelihood", "root")}
    witnesses = made(small_panel, everyone, corridors, **weights, **others)
    terms = witnesses.terms(run)
    expected = 2 * float(terms["net_migration"]) + 3 * float(terms["flow"])
    assert float(witnesses.loss(terms)) == pytest.approx(expected, rel=1e-6)


# ---- what is held out ----------------------------------------------------------------------------------------------

def test_held_out_observations_are_nowhere(small_panel, small_splits):
    mask = training_observations(small_panel, small_splits)
    witnesses = made(small_panel, mask, small_splits.train.values)
    assert 0.4 < mask.mean() < 0.9
    assert len(witnesses.predictions(numbered(small_panel))) == mask.sum()
    n = small_panel.sizes["origin"]
    kept = small_splits.train.values
    o, d = (small_panel[f"flow_{k}"].values.astype(int) for k in ("origin", "destination"))
    seen = witnesses.predictions(numbered(small_panel)).detach().numpy()
    expected = seen_by(small_panel, numbered(small_panel))
    assert set(seen) == set(expected[kept[o, d]])
    assert set(seen).isdisjoint(set(expected[~kept[o, d]]))
    assert set(witnesses.corridor_flat.tolist()) == set(np.flatnonzero(kept))
    assert n * n > len(witnesses.corridor_flat)


def test_what_is_held_out_changes_no_buffer(small_panel, small_splits):
    mask = training_observations(small_panel, small_splits)
    perturbed = perturb_held_out(small_panel, small_splits)
    assert not np.array_equal(perturbed.flow_persons.values, small_panel.flow_persons.values)
    one, other = (dict(made(p, mask, small_splits.train.values).named_buffers()) for p in (small_panel, perturbed))
    assert set(one) == set(other) and len(one) > 10
    for name in one:
        assert torch.equal(one[name], other[name]), name
    # the counterpart: without the mask they would differ
    everyone = np.ones_like(mask)
    leaky, moved = (dict(made(p, everyone, small_splits.train.values).named_buffers())
                    for p in (small_panel, perturbed))
    assert any(not torch.equal(leaky[name], moved[name]) for name in leaky)


def test_a_held_out_prediction_has_no_influence_through_flows(small_panel, small_splits):
    # Only stocks and net migration, which are never held out, may speak about such a corridor.
    mask = training_observations(small_panel, small_splits)
    witnesses = made(small_panel, mask, small_splits.train.values)
    run = plausible(small_panel)
    leaves = Trajectory(*(x.clone().requires_grad_(True) for x in run))
    terms = witnesses.terms(leaves)
    # the rate of onward moves of the whole world is compared with a constant: nothing observed enters it
    elsewhere = ("stock", "stock_difference", "net_migration", "onward")
    sum(v for k, v in terms.items() if k not in elsewhere).backward()
    reached = leaves.flow.grad.abs().sum(0) > 0
    assert not reached[torch.as_tensor(~small_splits.train.values)].any()
    assert reached[torch.as_tensor(small_splits.train.values)].any()


# ---- empty parts ---------------------------------------------------------------------------------------------------

def silence(panel, part: str) -> xr.Dataset:
    """The panel without one part."""
    if part == "reconstruction":
        return panel.drop_vars(["reconstruction", "method", "period"])
    if part == "reconstruction of years outside":
        return panel.assign_coords(period=panel.period + 100)
    if part == "other reconstructions":
        return panel.assign_coords(method=["abel_cohen|sd_drop_neg"])
    if part == "flows":
        return panel.isel(observation=slice(0, 0), witness=slice(0, 0))
    if part == "long series":
        return panel.isel(observation=np.flatnonzero(panel.flow_year.values < 3))
    silent = panel.copy(deep=True)
    if part == "national net migration":
        silent["net_migration_national"][:] = np.nan
    if part == "newest revision":
        silent["stock_observed"][-1] = np.nan
    return silent


@pytest.mark.parametrize("part", ["reconstruction", "other reconstructions",
                                  "reconstruction of years outside", "flows", "long series",
                                  "national net migration", "newest revision"])
def test_a_panel_may_lack_a_part(small_panel, corridors, part):
    panel = silence(small_panel, part)
    witnesses = made(panel, np.ones(panel.sizes["observation"], bool), corridors)
    run = Trajectory(*(x.requires_grad_(True) for x in plausible(panel)))
    terms = witnesses.terms(run)
    loss = witnesses.loss(terms)
    loss.backward()
    assert torch.isfinite(loss)
    for name, value in terms.items():
        assert torch.isfinite(value), name
    assert torch.isfinite(run.flow.grad).all() and torch.isfinite(run.stock.grad).all()
    if "reconstruction" in part:
        assert "reconstruction" not in terms
    if part == "flows":
        assert float(terms["flow"]) == float(terms["change"]) == 0


def test_nobody_may_be_learned_from(small_panel, corridors):
    terms = made(small_panel, np.zeros(small_panel.sizes["observation"], bool), corridors).terms(plausible(small_panel))
    assert float(terms["flow"]) == float(terms["change"]) == 0
    assert float(terms["stock"]) > 0


# ---- the scale -----------------------------------------------------------------------------------------------------

def test_signed_sqrt_of_known_numbers():
    x = torch.tensor([0.0, 3.0, -3.0, 1e8, -1e8])
    torch.testing.assert_close(signed_sqrt(x), torch.tensor([0.0, 1.5, -1.5, 1e4, -1e4]))


@settings(max_examples=100)
@given(a=st.floats(-1e9, 1e9), b=st.floats(-1e9, 1e9))
def test_signed_sqrt_is_odd_and_increasing(a, b):
    x = torch.tensor([a, b], dtype=torch.float64)
    y = signed_sqrt(x)
    assert torch.equal(signed_sqrt(-x), -y)
    assert torch.equal(torch.sign(y), torch.sign(x))
    assert (y.abs() <= x.abs().sqrt() + 1e-12).all()
    if abs(a - b) > 1e-6 * max(1, abs(a), abs(b)):
        assert (y[0] < y[1]) == (a < b)


def test_signed_sqrt_has_a_slope_at_zero():
    x = torch.zeros(1, requires_grad=True)
    signed_sqrt(x).sum().backward()
    assert float(x.grad) == 1.0


def test_onward_moves_are_drawn_to_their_rate_from_both_sides(small_panel, everyone, corridors):
    seen = made(small_panel, everyone, corridors)
    n, years = small_panel.sizes["origin"], small_panel.sizes["year"]
    stock = torch.full((years + 1, n, n), 100.0) + torch.eye(n) * 1e6
    migrants = 100.0 * n * (n - 1)

    def term(rate):
        flow = torch.full((years, n, n), rate * migrants / (n * (n - 1)))      # nobody leaves home, nobody returns
        flow[:, torch.arange(n), torch.arange(n)] = 0
        empty = torch.zeros_like(flow)
        return float(seen.terms(Trajectory(flow, empty, empty, stock))["onward"])

    from humanflows.model.witnesses import ONWARD_RATE

    assert term(ONWARD_RATE) == pytest.approx(0, abs=1e-6)
    assert term(ONWARD_RATE * np.e) == pytest.approx(1, rel=1e-3) == term(ONWARD_RATE / np.e)
    assert np.isfinite(term(0.0)) and term(0.0) > 50


def test_without_net_migration_the_term_is_absent(small_panel, everyone, corridors):
    blank = {k: small_panel[k].copy(data=np.full(small_panel[k].shape, np.nan))
             for k in ("net_migration", "net_migration_national")}
    told = made(small_panel.assign(blank), everyone, corridors).terms(plausible(small_panel))
    assert "net_migration" not in told and all(torch.isfinite(v) for v in told.values())


# ---- reconstructions

def test_reconstructions_can_be_left_out(small_panel, everyone, corridors):
    assert "reconstruction" in made(small_panel, everyone, corridors).terms(plausible(small_panel))
    without = made(small_panel, everyone, corridors, reconstruction=0.0)
    other = small_panel.assign(reconstruction=small_panel.reconstruction * 7)
    run = plausible(small_panel)
    terms = without.terms(run)
    assert "reconstruction" not in terms
    assert without.loss(terms) == made(other, everyone, corridors, reconstruction=0.0).loss(terms)


def test_the_bias_of_reconstructions_says_what_share_of_moves_they_find(small_panel, everyone, corridors):
    run = plausible(small_panel)
    half = consistent(small_panel, run)
    half["reconstruction"][:] = half.reconstruction.values / 2
    told = [float(made(half, everyone, corridors, reconstruction_bias=b).terms(run)["reconstruction"])
            for b in (0.0, float(np.log(0.5)))]
    assert told[0] > 0.01 and told[1] == pytest.approx(0, abs=2e-3)


def test_our_own_reconstruction_goes_before_anothers(small_panel, everyone, corridors):
    run = plausible(small_panel)
    truth = consistent(small_panel, run)
    own = truth.assign_coords(method=["humanflows|da_pb_closed"])
    wrong = own.assign(reconstruction=own.reconstruction * 9).assign_coords(method=["abel_cohen|da_pb_closed"])
    for both in ([own, wrong], [wrong, own]):
        panel = own.drop_vars(["reconstruction", "method"]).assign(
            reconstruction=xr.concat([p.reconstruction for p in both], "method"))
        assert float(made(panel, everyone, corridors).terms(run)["reconstruction"]) == pytest.approx(0, abs=2e-3)
