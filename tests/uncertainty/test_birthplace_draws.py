"""Flows by birthplace of draws: they add up to the flow of the same draw, in whatever order cells are asked for."""
import numpy as np
import pandas as pd
import pytest
import torch

from humanflows.errors import InputError
from humanflows.model import accounting
from humanflows.uncertainty.birthplace_draws import COLUMNS, ends_of_cells, persons_of_draw, persons_of_draws

from .draws_of_small_world import fake_draws, make_member

N, YEARS = 9, (11, 0, 4)


@pytest.fixture(scope="module")
def member(small_panel, small_splits, small_config):
    return make_member(small_panel, small_splits, small_config)


@pytest.fixture(scope="module")
def cells():
    """All cells of some years, shuffled."""
    grid = np.stack(np.meshgrid(YEARS, *[np.arange(N)] * 3, indexing="ij"), -1).reshape(-1, 4)
    return pd.DataFrame(np.random.default_rng(1).permutation(grid), columns=COLUMNS)


def test_birthplaces_add_up_to_the_flow_of_the_same_draw(member, small_config, cells):
    seen = []
    for _, _, whole in fake_draws([member], small_config, 3):
        with torch.no_grad():
            flow = whole.model().flow.double().numpy()
        found = cells.assign(persons=persons_of_draw(whole.model, cells)).groupby(["year", "origin", "destination"])
        table = found.persons.sum().unstack().to_numpy().reshape(len(YEARS), N, N)
        np.testing.assert_allclose(table, flow[sorted(YEARS)], rtol=1e-5, atol=1e-3)
        seen.append(table)
    assert not np.allclose(seen[0], seen[1], rtol=1e-3)


def test_a_cell_is_that_of_its_birthplace(member):
    stock, hazards = member.model.year(4)
    with torch.no_grad():
        wanted = accounting.flow_by_birthplace(stock, hazards, member.model.death_rate[4], birthplace=6)
    found = persons_of_draw(member.model, pd.DataFrame([(4, 6, 2, 6), (4, 6, 6, 1), (4, 6, 3, 5)], columns=COLUMNS))
    np.testing.assert_allclose(found, [wanted[2, 6], wanted[6, 1], wanted[3, 5]], rtol=1e-6)


def test_ends_of_all_draws(member, small_config, cells):
    some = cells[cells.origin != cells.destination].head(50)
    drawn = persons_of_draws(fake_draws([member, member], small_config, 5), some)
    assert drawn.dims == ("draw", "cell") and drawn.shape == (10, 50)
    assert drawn.number.values.tolist() == [1, 2, 3, 4, 5] * 2
    table = ends_of_cells(drawn)
    pd.testing.assert_frame_equal(table[list(COLUMNS)], some.reset_index(drop=True), check_dtype=False)
    np.testing.assert_allclose(table.persons, drawn.mean("draw"))
    order = [f"persons_{k}" for k in ("lower", "lower_80", "lower_50")] + ["persons"] + [
        f"persons_{k}" for k in ("upper_50", "upper_80", "upper")]
    assert (np.diff(table[order].to_numpy(), axis=1) >= 0).all() and (table.persons_upper > table.persons_lower).any()


@pytest.mark.parametrize("column, value", [("year", 14), ("origin", -1), ("birthplace", 9), ("destination", 1.5),
                                           ("origin", "MEX"), ("year", np.nan)])
def test_cells_outside_the_model_are_named(member, column, value):
    good = pd.DataFrame([(4, 6, 2, 6)] * 3, columns=COLUMNS).astype(object)
    good.loc[2, column] = value
    with pytest.raises(InputError, match="row 2"):
        persons_of_draw(member.model, good)
    with pytest.raises(InputError, match=column):
        persons_of_draw(member.model, good.drop(columns=column))


def test_without_draws_or_cells(member, cells):
    with pytest.raises(InputError):
        persons_of_draws([], cells)
    assert persons_of_draw(member.model, cells.head(0)).shape == (0,)
