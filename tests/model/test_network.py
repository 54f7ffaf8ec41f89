"""The recurrent cell: shapes, starting hazards, memory, and one rule for all pairs."""
import pytest
import torch

from humanflows.model.network import START, PairCell

YEARS, TERRITORIES, PAIRS, UNILATERAL, PAIR, HIDDEN, WIDTH = 4, 5, 7, 3, 4, 6, 10


def made(seed=3, remembers=True) -> PairCell:
    """A cell; ``remembers``: with weights on its memory, which start at zero."""
    torch.manual_seed(seed)
    cell = PairCell(UNILATERAL, PAIR, TERRITORIES, hidden=HIDDEN, width=WIDTH, embedding=2)
    if remembers:
        with torch.no_grad():
            cell.of_memory.weight += 0.5 * torch.randn_like(cell.of_memory.weight)
    return cell


@pytest.fixture
def cell():
    return made()


@pytest.fixture
def inputs():
    """Features of territories and of pairs, and the pairs' origins and destinations."""
    draw = torch.Generator().manual_seed(4)
    order = torch.randperm(TERRITORIES * (TERRITORIES - 1), generator=draw)[:PAIRS]
    origin, destination = order // (TERRITORIES - 1), order % (TERRITORIES - 1)
    unilateral, pair = (torch.randn(YEARS, *s, generator=draw) for s in ((TERRITORIES, UNILATERAL), (PAIRS, PAIR)))
    return [unilateral, pair, origin, destination + (destination >= origin)]


def test_shapes(cell, inputs):
    assert cell(*inputs).shape == (YEARS, PAIRS, len(START))
    for table in cell.territories(inputs[0]):
        assert table.shape == (YEARS, TERRITORIES, WIDTH)
    said, memory = cell.step(torch.zeros(PAIRS, WIDTH), torch.zeros(PAIRS, HIDDEN))
    assert said.shape == (PAIRS, len(START)) and memory.shape == (PAIRS, HIDDEN)


def test_hazards_start_near_the_usual(inputs):
    away = (made(remembers=False)(*inputs) - torch.tensor(START)).abs()
    assert 1e-4 < away.max() < 1.0      # near, yet not blind to what it reads


def test_memory_counts_for_nothing_at_first(inputs):
    cell = made(remembers=False)
    read = torch.randn(PAIRS, WIDTH)
    none, some = torch.zeros(PAIRS, HIDDEN), torch.rand(PAIRS, HIDDEN)
    assert torch.equal(cell.of_memory(some), cell.of_memory(none))
    changed = [inputs[0].clone(), inputs[1].clone(), *inputs[2:]]
    changed[1][0] += 1.0
    before, after = cell(*inputs), cell(*changed)
    assert not torch.allclose(before[0], after[0], atol=1e-5) and torch.equal(before[1:], after[1:])
    assert not torch.equal(cell.step(read, none)[1], cell.step(read, some)[1])      # yet it is kept


def test_each_input_is_read(cell, inputs):
    hazards = cell(*inputs)
    for k in (0, 1):
        other = cell(*(x + 1.0 if i == k else x for i, x in enumerate(inputs)))
        assert not torch.allclose(other, hazards, atol=1e-5)
    turned = cell(*inputs[:2], *inputs[:1:-1])
    assert not torch.allclose(turned, hazards, atol=1e-5)


def test_a_pair_reads_its_own_two_territories_and_no_other(cell, inputs):
    unilateral, _, origin, destination = inputs
    hazards = cell(*inputs)
    for place in range(TERRITORIES):
        changed = unilateral.clone()
        changed[:, place] += 1.0
        moved = (cell(changed, *inputs[1:]) != hazards).any(2).any(0)
        assert torch.equal(moved, (origin == place) | (destination == place))


def test_origin_and_destination_are_projected_apart(cell, inputs):
    here, there = cell.territories(inputs[0])
    assert not torch.allclose(here, there, atol=1e-3)


def test_embeddings_tell_territories_apart(cell):
    here, _ = cell.territories(torch.zeros(YEARS, TERRITORIES, UNILATERAL))
    assert torch.equal(here[0], here[-1])                                   # they are those of all years
    assert not torch.allclose(here[0, 0], here[0, 1], atol=1e-4)


def test_every_pair_follows_the_same_rule(cell, inputs):
    order = torch.randperm(PAIRS, generator=torch.Generator().manual_seed(0))
    unilateral, pair, origin, destination = inputs
    turned = cell(unilateral, pair[:, order], origin[order], destination[order])
    torch.testing.assert_close(turned, cell(*inputs)[:, order])


def test_memory_stays_between_what_it_was_and_one(cell):
    # A gate mixes the old memory with a tanh: from zero it can never leave (-1, 1).
    read, memory = 100 * torch.randn(PAIRS, WIDTH), torch.zeros(PAIRS, HIDDEN)
    for _ in range(50):
        _, memory = cell.step(read + cell.of_memory(memory), memory)
    assert 0.01 < memory.abs().max() <= 1.0


def test_the_past_is_remembered_and_the_future_unknown(cell, inputs):
    hazards = cell(*inputs)
    changed = [inputs[0], inputs[1].clone(), *inputs[2:]]
    changed[1][1] += 1.0
    other = cell(*changed)
    assert torch.equal(other[0], hazards[0])
    for t in range(1, YEARS):
        assert not torch.allclose(other[t], hazards[t], atol=1e-6)


def test_gradients_reach_every_weight(cell, inputs):
    cell(*inputs).sum().backward()
    for name, weight in cell.named_parameters():
        assert weight.grad is not None and weight.grad.abs().sum() > 0, name


def test_the_seed_decides_the_weights():
    one, same, other = (made(seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[k], same[k]) for k in one)
    assert not torch.equal(one["embedding"], other["embedding"])
