"""Bytes are those of the tensors that an operation touches."""
import torch


def moved(call):
    from traffic import Traffic

    with Traffic() as traffic:
        call()
    return traffic


def test_a_triad_moves_three_arrays():
    b, c, a = (torch.zeros(1000) for _ in range(3))
    assert moved(lambda: torch.add(b, c, alpha=3.0, out=a)).total in (12_000, 16_000)   # the target may count as read
    assert moved(lambda: b + c).total == 12_000


def test_views_and_empty_memory_move_nothing():
    x = torch.zeros(20, 30)
    assert moved(lambda: (x.T, x[3:], x.reshape(-1), x.unbind(0), x.expand(2, 20, 30), torch.empty(9))).total == 0


def test_what_is_expanded_is_read_once():
    x, row = torch.zeros(20, 30), torch.zeros(30)
    assert moved(lambda: x + row.expand(20, 30)).total == 4 * (600 + 30 + 600)


def test_gathers_and_scatters_count_what_they_touch():
    table, index, rows = torch.zeros(10_000, 4), torch.tensor([5, 7]), torch.ones(2, 4)
    assert moved(lambda: table.index_select(0, index)).total == 16 + 2 * 32
    assert moved(lambda: table.index_add_(0, index, rows)).total == 16 + 32 + 2 * 32
    assert moved(lambda: table.index_add(0, index, rows)).total == 16 + 32 + 2 * 32 + 2 * 160_000


def test_in_place_reads_and_writes():
    x = torch.zeros(1000)
    assert moved(lambda: x.mul_(2.0)).total == 8_000


def test_products_and_their_gradients_are_counted():
    x, y = torch.rand(4, 5), torch.rand(5, 6, requires_grad=True)
    forward = 2 * 4 * 5 * 6
    assert moved(lambda: x @ y).flops == forward
    traffic = moved(lambda: (x @ y).sum().backward())
    assert traffic.flops == 2 * forward and traffic.calls["mm"] == 2
