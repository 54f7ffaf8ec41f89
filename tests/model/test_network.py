"""The recurrent cell: shapes, starting hazards, memory, and one rule for all pairs."""
import pytest
import torch

from humanflows.model.network import START, PairCell

TERRITORIES, PAIRS, UNILATERAL, PAIR, HIDDEN, WIDTH = 5, 7, 3, 4, 6, 10


@pytest.fixture
def cell():
    torch.manual_seed(3)
    return PairCell(UNILATERAL, PAIR, TERRITORIES, hidden=HIDDEN, width=WIDTH, embedding=2)


@pytest.fixture
def inputs():
    draw = torch.Generator().manual_seed(4)
    shape = ((PAIRS, WIDTH), (PAIRS, WIDTH), (PAIRS, PAIR - 2), (PAIRS, 2), (PAIRS, HIDDEN))
    return [torch.randn(s, generator=draw) for s in shape]


def test_shapes(cell, inputs):
    hazards, memory = cell(*inputs)
    assert hazards.shape == (PAIRS, len(START))
    assert memory.shape == (PAIRS, HIDDEN)
    for table in cell.territories(torch.randn(TERRITORIES, UNILATERAL)):
        assert table.shape == (TERRITORIES, WIDTH)


def test_hazards_start_near_the_usual(cell, inputs):
    hazards, _ = cell(*inputs)
    assert (hazards - torch.tensor(START)).abs().max() < 1.0
    assert (hazards - torch.tensor(START)).abs().max() > 1e-4      # near, yet not blind to what it reads


def test_each_input_is_read(cell, inputs):
    hazards, memory = cell(*inputs)
    for k in range(len(inputs)):
        changed = [x + 1.0 if i == k else x for i, x in enumerate(inputs)]
        other, later = cell(*changed)
        assert not torch.allclose(other, hazards, atol=1e-5)
        assert not torch.allclose(later, memory, atol=1e-5)


def test_origin_and_destination_are_projected_apart(cell):
    here, there = cell.territories(torch.randn(TERRITORIES, UNILATERAL))
    assert not torch.allclose(here, there, atol=1e-3)


def test_every_pair_follows_the_same_rule(cell, inputs):
    order = torch.randperm(PAIRS, generator=torch.Generator().manual_seed(0))
    hazards, memory = cell(*inputs)
    turned, later = cell(*(x[order] for x in inputs))
    torch.testing.assert_close(turned, hazards[order])
    torch.testing.assert_close(later, memory[order])


def test_memory_stays_between_what_it_was_and_one(cell, inputs):
    # A gate mixes the old memory with a tanh: from zero it can never leave (-1, 1).
    origin, destination, pair, stocks, memory = (100 * x for x in inputs)
    memory = torch.zeros_like(memory)
    for _ in range(50):
        _, memory = cell(origin, destination, pair, stocks, memory)
    assert memory.abs().max() <= 1.0
    assert memory.abs().max() > 0.01


def test_what_is_remembered_depends_on_the_past(cell, inputs):
    origin, destination, pair, stocks, _ = inputs
    zero = torch.zeros(PAIRS, HIDDEN)
    _, first = cell(origin, destination, pair, stocks, zero)
    _, other = cell(origin, destination, pair + 1.0, stocks, zero)
    later, _ = cell(origin, destination, pair, stocks, first)
    differently, _ = cell(origin, destination, pair, stocks, other)
    assert not torch.allclose(later, differently, atol=1e-6)


def test_gradients_reach_every_weight(cell, inputs):
    hazards, memory = cell(*inputs)
    here, there = cell.territories(torch.randn(TERRITORIES, UNILATERAL))
    (hazards.sum() + memory.sum() + (here * there).sum()).backward()
    for name, weight in cell.named_parameters():
        assert weight.grad is not None and weight.grad.abs().sum() > 0, name


def test_the_seed_decides_the_weights():
    def made(seed):
        torch.manual_seed(seed)
        return PairCell(UNILATERAL, PAIR, TERRITORIES, hidden=HIDDEN, width=WIDTH, embedding=2).state_dict()

    one, same, other = made(1), made(1), made(2)
    assert all(torch.equal(one[k], same[k]) for k in one)
    assert not torch.equal(one["embedding"], other["embedding"])
