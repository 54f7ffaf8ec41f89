"""The rebuilt reference has the published size and does what its description says, on a few edges."""
import pytest
import torch


@pytest.fixture
def small():
    from reference_network import Reference, Size

    return Reference(Size(edges=300, with_gradients=40, years=6, territories=8))


def test_default_size_is_the_published_one(small):
    from reference_network import COVARIATES, EdgeNetwork, Size

    size = Size()
    assert (size.edges, size.with_gradients, size.latents, size.layers, size.width) == (900_000, 50_000, 100, 7, 60)
    assert size.published and not small.size.published and COVARIATES == 34
    network = EdgeNetwork(size)
    assert [tuple(layer.weight.shape) for layer in (*network.hidden, network.out)] == [
        (60, 134), *[(60, 60)] * 6, (101, 60)]


def test_edges_are_distinct_and_lead_elsewhere(small):
    i, j, k = small.edges
    assert len(set(zip(i.tolist(), j.tolist(), k.tolist()))) == 300 and bool((j != k).all())
    assert small.covariates(0, small.edges).shape == (300, 34)
    # The tables are read at the territories that the columns are about.
    read, of, pair = small.covariates(2, small.edges)[7], small.unilateral[2], small.bilateral[2]
    wanted = [of[i[7], :5], of[j[7]], of[k[7]], pair[j[7], k[7], :5], pair[k[7], j[7], :1], pair[i[7], k[7], :5],
              pair[i[7], j[7], :2]]
    assert torch.equal(read, torch.cat(wanted))


def test_gradients_pass_through_the_drawn_edges_only(small, monkeypatch):
    rows = []
    forward = small.network.forward

    def watch(covariates, latents):
        out = forward(covariates, latents)
        rows.append((len(covariates), out[0].requires_grad))
        return out

    monkeypatch.setattr(small.network, "forward", watch)
    before = [p.detach().clone() for p in small.network.parameters()]
    assert small.epoch() > 0
    assert sum(r for r, _ in rows) == 6 * 300 and sum(r for r, learns in rows if learns) == 6 * 40
    assert all(not torch.equal(p, q) for p, q in zip(before, small.network.parameters()))


def test_it_learns_what_it_is_shown(small):
    losses = [small.epoch() for _ in range(12)]
    assert losses[-1] < losses[0]


def test_transform_is_that_of_yeo_and_johnson():
    from scipy.stats import yeojohnson

    from reference_network import yeo_johnson

    x = torch.tensor([-7.0, -0.3, 0.0, 0.4, 12.0], dtype=torch.float64)
    assert torch.allclose(yeo_johnson(x), torch.as_tensor(yeojohnson(x.numpy(), lmbda=0.5)))


def test_more_edges_than_there_are_is_refused():
    from reference_network import Size

    with pytest.raises(ValueError, match="choose"):
        Size(edges=100, with_gradients=10, territories=4)
    with pytest.raises(ValueError, match="choose"):
        Size(edges=100, with_gradients=101, territories=8)
