"""What stocks leave open: ranks, circles, bounds."""
import dataclasses

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from humanflows.config import load_config
from humanflows.errors import InputError, SchemaError
from humanflows.results import identification as what
from humanflows.twin.observe import describe_offices, observe
from humanflows.twin.world import simulate


def moved(n, seed):
    """Some moves [birthplace, origin, destination] with an empty diagonal."""
    moves = np.random.default_rng(seed).integers(0, 50, (n, n, n)).astype(float)
    moves[:, np.arange(n), np.arange(n)] = 0
    return moves


@settings(max_examples=30)
@given(st.integers(2, 6), st.integers(0, 10**6))
def test_the_equations_are_the_bookkeeping(n, seed):
    moves = moved(n, seed)
    i, j, k = what.moves_of(n)
    x = moves[i, j, k]
    np.testing.assert_array_equal(what.stock_equations(n) @ x, (moves.sum(1) - moves.sum(2)).ravel())
    corridors = what.reported_corridors(n, [0])
    np.testing.assert_array_equal(what.flow_equations(n, corridors) @ x, [moves[:, a, b].sum() for a, b in corridors])


@pytest.mark.parametrize("n", [2, 3, 5, 8])
def test_stocks_leave_the_circles_open(n):
    counted = what.count_unknowns(n)
    assert counted["unknowns"] == n * n * (n - 1)
    assert counted["rank"] == n * (n - 1)                     # N − 1 for each birthplace
    assert counted["open"] == n * (n - 1) ** 2


def test_one_reporter_adds_one_equation_less_than_it_reports():
    # its net migration was known from the stocks
    n, corridors = 5, what.reported_corridors(5, [2])
    assert len(corridors) == 2 * (n - 1)
    assert what.count_unknowns(n, corridors)["rank"] == n * (n - 1) + len(corridors) - 1


def test_arrivals_alone_are_news_to_the_last():
    corridors = what.reported_corridors(5, [2], sides=("immigration",))
    assert corridors == [(a, 2) for a in (0, 1, 3, 4)]
    assert what.count_unknowns(5, corridors)["rank"] == 5 * 4 + 4


def stocks(n, seed):
    """Start, end, births, deaths and moves that balance."""
    draw = np.random.default_rng(seed)
    moves = moved(n, seed)
    deaths = draw.integers(0, 5, (n, n)).astype(float)
    births = draw.integers(0, 9, n).astype(float)
    start = moves.sum(2) + deaths + draw.integers(0, 300, (n, n))
    end = start - deaths + moves.sum(1) - moves.sum(2) + np.diag(births)
    return start, end, births, deaths, moves


@settings(max_examples=15)
@given(st.integers(0, 10**6))
def test_the_truth_lies_within_the_bounds_and_reports_narrow_them(seed):
    *tables, moves = stocks(4, seed)
    flow = moves.sum(0)
    low, high = what.bound_flow(*tables, (0, 1))
    assert low - 1e-6 <= flow[0, 1] <= high + 1e-6
    # the same problem solved for all birthplaces together
    joint = what.bound_flow(*tables, (0, 1), most_moves=1e9)
    np.testing.assert_allclose(joint, (low, high), atol=1e-5)
    told = {c: flow[c] for c in what.reported_corridors(4, [1]) if c != (0, 1)}
    narrow = what.bound_flow(*tables, (0, 1), reported=told)
    assert low - 1e-6 <= narrow[0] <= flow[0, 1] + 1e-6 and flow[0, 1] - 1e-6 <= narrow[1] <= high + 1e-6


def test_all_but_one_of_a_reporters_flows_give_the_last():
    *tables, moves = stocks(4, 3)
    flow = moves.sum(0)
    told = {c: flow[c] for c in what.reported_corridors(4, [1]) if c != (0, 1)}
    np.testing.assert_allclose(what.bound_flow(*tables, (0, 1), reported=told), flow[0, 1], atol=1e-5)


def test_a_forced_move_is_found():
    # 10 people born in 0 lived in 0 and live in 1; nobody else exists who could have passed anything on
    start, end = np.zeros((2, 2)), np.zeros((2, 2))
    start[0, 0] = end[0, 1] = 10
    assert what.bound_flow(start, end, np.zeros(2), np.zeros((2, 2)), (0, 1)) == (10, 10)


def test_tables_that_nothing_explains_are_refused():
    start, end = np.zeros((2, 2)), np.zeros((2, 2))
    end[0, 1] = 10
    with pytest.raises(InputError, match="no moves meet"):
        what.bound_flow(start, end, np.zeros(2), np.zeros((2, 2)), (0, 1))
    with pytest.raises(SchemaError):
        what.bound_flow(start, end, np.zeros(3), np.zeros((2, 2)), (0, 1))
    with pytest.raises(InputError, match="no corridor"):
        what.flow_equations(3, [(1, 1)])


@pytest.fixture(scope="module")
def world():
    config = load_config("twin", twin={"territories": 10, "reporters": 3}, first_year=2000, last_year=2012)
    return config, simulate(config.twin, config.years)


def test_circular_moves_change_no_table_of_offices_elsewhere(world):
    config, made = world
    reporters = {*describe_offices(made, config.twin).reporter, *made.events.union}
    quiet = [c for c in made.territories if c not in reporters]
    a, b = quiet[:2]
    before = observe(made, config.twin)
    changed = dataclasses.replace(made, truth=what.add_circular_moves(made.truth, a, b, 10_000))
    more = changed.truth.flow - made.truth.flow
    assert (more.sel(origin=a, destination=b) == 10_000).all() and int(more.sum()) == 2 * 10_000 * len(made.years)
    for name in ("stock", "net_migration", "population", "births", "deaths"):
        xr.testing.assert_equal(changed.truth[name], made.truth[name])
    flow = changed.truth.flow
    xr.testing.assert_equal(changed.truth.flow_by_birthplace.sum("birthplace"), flow)
    after = observe(changed, config.twin)
    for table in before:
        if len(before[table]):
            told = [f.query(f"not (source == 'oecd' and reporter in ['{a}', '{b}'])") if table == "flow" else f
                    for f in (before[table], after[table])]
            assert told[0].equals(told[1]), table


def test_circular_moves_between_nobodies_are_refused(world):
    _, made = world
    a = made.territories[0]
    for arguments in ((a, "XXX", 5), (a, a, 5), (a, made.territories[1], -1)):
        with pytest.raises(InputError):
            what.add_circular_moves(made.truth, *arguments)


def test_invisible_moves_are_those_that_the_stocks_do_not_need(world):
    _, made = world
    year = int(made.years[5])
    table = what.invisible_moves(made.truth, year)
    assert (table.needed <= table.moves).all() and (table.invisible >= 0).all()
    moves = made.truth.flow_by_birthplace.sel(year=year).sum(("origin", "destination"))
    np.testing.assert_array_equal(table.moves, moves)
    a, b = made.territories[:2]
    more = what.invisible_moves(what.add_circular_moves(made.truth, a, b, 777), year)
    assert more.needed.equals(table.needed)
    assert more.invisible[a] - table.invisible[a] == 2 * 777
