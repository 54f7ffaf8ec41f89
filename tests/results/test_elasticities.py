"""Elasticities of cells whose answer is known, and of a small trained-like model against bookkeeping done again."""
import numpy as np
import pytest
import torch

from humanflows.errors import InputError
from humanflows.model import accounting
from humanflows.model.recursion import FlowModel
from humanflows.panel.features import build_features
from humanflows.results import elasticities as el


@pytest.fixture(scope="module")
def features(small_panel):
    return build_features(small_panel)


@pytest.fixture
def model(small_panel, small_config, features):
    torch.manual_seed(3)
    n = small_panel.sizes["origin"]
    return FlowModel(features, small_panel, small_config.model, np.zeros((small_panel.sizes["year"], n, n), bool))


def linear(model, table: str, feature: int, weight: float) -> None:
    """Make the cell say ``weight`` times one feature, on both log-hazards: a layer far from where silu bends."""
    cell, far = model.cell, 50.0
    with torch.no_grad():
        for layer in (cell.as_origin, cell.as_destination, cell.of_pair, cell.of_memory, cell.read, *cell.mixes):
            layer.weight.zero_()
        cell.as_origin.bias.zero_()
        cell.as_origin.bias[0] = far
        for mix in cell.mixes:
            mix.bias.fill_(-100.0)      # silu of it is nothing: the layer is passed by
        getattr(cell, table).weight[0, feature] = 1.0
        cell.read.weight[:2, 0] = weight
        cell.read.bias[:2] = torch.tensor([-9.0, -4.0]) - weight * far


def row(table, covariate, role):
    rows = table[(table.covariate == covariate) & (table.role == role)]
    assert len(rows) == 1
    return rows.iloc[0]


def test_a_cell_linear_in_log_population_has_one_elasticity_everywhere(model, features, small_panel):
    linear(model, "as_origin", features.unilateral_names.index("log_population"), 0.5)
    table = el.flow_elasticities(model, small_panel)
    sd = np.log(small_panel.population.values[:-1]).std()
    mine = row(table, "log_population", "origin")
    # one more for the people themselves: one per cent more of them may leave
    assert np.allclose(mine[list(el.QUANTILES)].astype(float), 1 + 0.5 / sd, rtol=1e-3) and mine.share == 1
    assert mine["mean"] == pytest.approx(1 + 0.5 / sd, rel=1e-3) and mine.kind == "elasticity"
    others = table[~((table.covariate == "log_population") & (table.role == "origin"))]
    assert np.abs(others[["mean", *el.QUANTILES]].to_numpy(float)).max() < 1e-4


def test_a_cell_linear_in_distance_has_its_elasticity(model, features, small_panel):
    linear(model, "of_pair", features.static_names.index("log_distance"), -0.25)
    sd = np.log(np.maximum(small_panel.distance.values, 1.0))
    mine = row(el.flow_elasticities(model, small_panel), "log_distance", "pair")
    assert mine["median"] == pytest.approx(-0.25 / np.nanstd(sd), rel=1e-3)


def test_a_step_is_the_log_of_the_flow_with_it_over_without(model, features, small_panel):
    linear(model, "of_pair", features.static_names.index("contiguity"), 0.3)
    mine = row(el.flow_elasticities(model, small_panel), "contiguity", "pair")
    # the feature is twice the covariate
    assert mine.kind == "step" and mine["median"] == pytest.approx(0.3 * 2, rel=1e-3)


def test_counts_near_nought_answer_less(model, features, small_panel):
    k = len(features.static_names) + features.dynamic_names.index("log_counted_stock")
    linear(model, "of_pair", k, 2.0)
    mine = row(el.flow_elasticities(model, small_panel), "log_counted_stock", "pair")
    assert 0 < mine.q05 <= mine["median"] <= mine.q95 <= 2.0 / 5 + 1e-4      # d log(1 + x) / d log x is below one


def test_the_derivative_is_that_of_the_whole_books_of_the_first_year(model, features, small_panel):
    """Stocks are given in the first year: perturb the feature of all origins, keep the books again, compare."""
    with torch.no_grad():
        for weight in model.cell.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
    k, n = features.unilateral_names.index("log_gdp_per_capita"), model.n
    step, sd = 0.02, np.nanstd(np.log(small_panel.gdp_per_capita.values))
    flows = []
    for sign in (-1, 1):
        with torch.no_grad():
            shift = (model.cell.as_origin.weight[:, k] * sign * step / float(sd))
            model.cell.as_origin.bias.add_(shift)
            model.systematic = None
            stock, hazards = model.year(0)
            model.cell.as_origin.bias.sub_(shift)
            still = accounting.Hazards(*hazards[:3], model_affinity(model))
            flows.append(accounting.step(stock, still, model.births[0], model.death_rate[0]).flow.double().numpy())
    model.systematic = None
    origin, destination = np.nonzero(~np.eye(n, dtype=bool))
    low, high = (f[origin, destination] for f in flows)
    measured = (np.log(high) - np.log(low)) / (2 * step)
    q = next(q for q in el.questions(features, small_panel, origin, destination)
             if (q.covariate, q.role) == ("log_gdp_per_capita", "origin"))
    native, back = el._Cell(model, origin, destination).derivative(q.along, q.role)
    shares, flow = el.parts_of_flows(model)
    share = shares[0][origin, destination]
    answer = (1 - share) * native[0] + share * back[0]
    # Held fixed here and not there: how long people are at risk, which a hazard of some per cent changes by as much.
    assert np.allclose(answer, measured, atol=0.03 * np.abs(measured).max() + 1e-3)
    assert np.allclose(flow[0][origin, destination], np.sqrt(low * high), rtol=0.01, atol=1e-3)


def model_affinity(model):
    """Of the covariates as they are: whom a birthplace's people follow is another territory's covariate."""
    kept = model.systematic
    model.systematic = None
    affinity = model.year(0)[1].affinity
    model.systematic = kept
    return affinity


def test_raw_covariates_are_what_the_features_standardise(features, small_panel):
    raw = el._raw(small_panel)
    for k, name in enumerate(features.unilateral_names):
        if name in raw:
            expected = np.nan_to_num((raw[name] - np.nanmean(raw[name])) / el._sd(raw[name]))
            assert np.allclose(features.unilateral[:, :, k], expected, atol=1e-4), name
    asked = {n for names in el._TERRITORY for n in names} | set(el._TERRITORY_STEPS)
    assert asked & set(features.unilateral_names) <= set(raw)


def test_every_covariate_of_the_panel_is_asked(model, features, small_panel):
    asked = set(el.flow_elasticities(model, small_panel).covariate)
    told = set(features.unilateral_names) | set(features.static_names) | set(features.dynamic_names)
    flags = {"time", "stock_unknown", *(n for n in told if n.endswith("_missing"))}
    silent = {"log_conflict_deaths_before", "pandemic"}       # part of another; the small world ends before it
    never = {q.covariate for q in el.questions(features, small_panel, [0], [1])} - asked
    assert told - flags - silent <= asked | never


def test_quantiles_stand_for_persons():
    values, weights = np.array([3.0, 1.0, 2.0]), np.array([1.0, 8.0, 1.0])
    assert el.weighted_quantiles(values, weights, [0.05, 0.5, 0.8, 0.85, 0.95]).tolist() == [1, 1, 1, 2, 3]
    with pytest.raises(InputError, match="no weight"):
        el.weighted_quantiles(values, 0 * weights, [0.5])
