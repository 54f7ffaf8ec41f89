"""The factorised form: slices agree with each other, with the released flows exactly, with the model nearly."""
import numpy as np
import pytest
import torch

from humanflows.dataset.birthplace import ByBirthplace
from humanflows.dataset.factors import Moves, fit_product, mean_moves, moves_of
from humanflows.dataset.files import Store
from humanflows.errors import SchemaError
from humanflows.model import accounting


@pytest.fixture(scope="module")
def store(release_folder):
    return Store(release_folder)


@pytest.fixture(scope="module")
def tables(store):
    """The full table of each year [year, birthplace, origin, destination], small enough here."""
    reader, n = ByBirthplace(store), len(store.codes)
    return np.stack([[reader.of_birthplace(b, t) for b in range(n)] for t in range(len(store.years))])


def test_birthplaces_add_up_to_the_released_flow(store, tables):
    np.testing.assert_allclose(tables.sum(1), store.array("flow"), rtol=1e-12, atol=1e-9)
    assert (tables >= 0).all() and tables.sum() > 1000
    n = len(store.codes)
    assert not tables[:, :, np.arange(n), np.arange(n)].any()


def test_all_slices_are_of_one_table(store, tables):
    reader, n, years = ByBirthplace(store), len(store.codes), np.arange(len(store.years))
    for k in range(n):
        np.testing.assert_allclose(reader.of_origin(k, 3), tables[3][:, k], rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(reader.of_destination(k, 3), tables[3][:, :, k], rtol=1e-12, atol=1e-12)
        for d in range(n):
            np.testing.assert_allclose(reader.of_corridor(k, d, years), tables[:, :, k, d], rtol=1e-12, atol=1e-12)
    arrivals, departures = reader.margins(5)
    np.testing.assert_allclose(arrivals, tables[5].sum(1), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(departures, tables[5].sum(2), rtol=1e-9, atol=1e-9)


def test_it_is_what_the_model_says_up_to_rounding(store, tables, small_model):
    onward = []
    for t, (stock, hazards) in enumerate(small_model.walk()):
        death_rate = small_model.death_rate[t]
        exact = np.stack([b.numpy() for b in accounting.stream_by_birthplace(stock, hazards, death_rate)])
        # a part in a thousand of the flow, three steps of the factors, and what the release leaves out
        bound = 1.0 + 2e-3 * exact.sum(0) + 0.04 * exact
        assert (np.abs(tables[t] - exact) < bound).all()
        far = exact.copy()
        n = len(far)
        far[np.arange(n), np.arange(n)], far[np.arange(n), :, np.arange(n)] = 0, 0
        onward.append(far.sum())
    assert sum(onward) > 0.02 * tables.sum()      # else the factors were not tried


def test_stocks_follow_from_flows_by_birthplace(store, tables, small_panel):
    """Re-adding: next stock = survivors + births + arrivals − departures, for every birthplace and residence."""
    stock = store.array("stock").astype(np.float64)
    death_rate = small_panel.deaths.values / small_panel.population.values[:-1]
    for t in range(len(store.years)):
        arrivals, departures = tables[t].sum(1), tables[t].sum(2)
        expected = stock[t] * (1 - death_rate[t]) + np.diag(small_panel.births.values[t]) + arrivals - departures
        # four digits (half a thousandth at most) of two stocks; parts and factors as above
        bound = 3.0 + 5e-4 * (stock[t] + stock[t + 1]) + 0.02 * (arrivals + departures)
        # a part is a thousandth of a corridor's flow, whoever was born where
        bound += 5e-4 * (tables[t].sum((0, 1)) + tables[t].sum((0, 2)))
        assert (np.abs(expected - stock[t + 1]) < bound).all()
        residents = stock[t].sum(0) * (1 - death_rate[t]) + small_panel.births.values[t]
        residents += store.array("net_migration")[t]
        np.testing.assert_allclose(residents, stock[t + 1].sum(0), rtol=1e-3, atol=5)


def member(rng, n=7):
    """Random moves of one member; zero diagonals."""
    native, back, rate, presence, leaning = (rng.gamma(1.0, size=(n, n)) * (1 - np.eye(n)) for _ in range(5))
    return Moves(native, back, rate * (presence.T @ leaning), presence, leaning)


def table_of(m):
    rate = np.divide(m.onward, m.presence.T @ m.leaning, out=np.zeros_like(m.onward), where=m.onward > 0)
    return np.einsum("ij,ik,jk->ijk", m.presence, m.leaning, rate)


def test_the_mean_of_members_has_the_means_margins():
    members = [member(np.random.default_rng(k)) for k in range(4)]
    mean = mean_moves(members)
    exact = np.mean([table_of(m) for m in members], axis=0)
    made = table_of(mean)
    for axis in range(3):
        assert np.abs(made.sum(axis) - exact.sum(axis)).sum() < 2e-3 * exact.sum()
    np.testing.assert_allclose(mean.native, np.mean([m.native for m in members], axis=0))
    one = mean_moves(members[:1])
    assert one is members[0]
    again = table_of(mean_moves([members[0]] * 3))
    np.testing.assert_allclose(again, table_of(members[0]), rtol=1e-6, atol=1e-12)
    with pytest.raises(SchemaError, match="none"):
        mean_moves([])


def test_fitting_recovers_a_product_from_its_margins():
    m = member(np.random.default_rng(8))
    true = table_of(m)
    flat = np.ones_like(m.presence) - np.eye(len(m.presence))
    a, g = fit_product(m.onward, true.sum(2), true.sum(1), flat, flat)
    found = table_of(m._replace(presence=a, leaning=g))
    assert np.abs(found - true).sum() < 0.02 * true.sum()


def test_nobody_and_nothing_is_fine():
    n = 4
    empty = Moves(*(np.zeros((n, n)) for _ in range(5)))
    a, g = fit_product(empty.onward, empty.presence, empty.presence, empty.presence, empty.leaning)
    assert not a.any() and not g.any()


def test_moves_of_a_model_are_its_flows(small_model):
    with torch.no_grad():
        run = small_model()
    for t, moves in enumerate(moves_of(small_model)):
        np.testing.assert_allclose(moves.native + moves.back + moves.onward, run.flow[t].numpy(), rtol=1e-4, atol=1e-3)
