"""The published reference's network, built anew from its description, at its published size.

What is known of it (Gaskin & Abel 2026, arXiv:2506.22821; sizes from the README and the configuration that are
published with the trained network at github.com/ThGaskin/Migration_flows; none of its code was read or used): one
recurrent network runs along about 900,000 edges (birthplace i, origin j, destination k). Every year it reads an edge's
covariates and its 100 latent variables, passes them through seven layers of 60 with tanh, and returns the edge's flow
and its next latent variables. Flows carry the stocks to the next year; stocks, net migration and flows are compared
with data by squared errors after a Yeo-Johnson transform with lambda 0.5. All years are one batch of gradient descent
(Adam, gradients clipped at norm 1), and memory allows gradients through 50,000 edges drawn at random in each epoch.

What the description leaves open is chosen so that it costs little: other edges run without gradients in chunks of
whatever size is fastest on the machine, so that memory holds the 50,000 alone; covariates are gathered year by year and
not kept edge by edge.
"""
import time
from dataclasses import asdict, dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import celu

# Covariates that an edge reads, by what they are about: 34 columns of 15 tables, as its configuration lists them.
OF_BIRTHPLACE, OF_ORIGIN, OF_DESTINATION = 5, 8, 8
OF_PAIRS = {"origin_destination": 5, "destination_origin": 1, "birthplace_destination": 5, "birthplace_origin": 2}
COVARIATES = OF_BIRTHPLACE + OF_ORIGIN + OF_DESTINATION + sum(OF_PAIRS.values())


@dataclass(frozen=True)
class Size:
    """How large it is; the defaults are the published size."""

    edges: int = 900_000
    with_gradients: int = 50_000
    years: int = 34            # 1990-2023
    territories: int = 230
    latents: int = 100
    layers: int = 7
    width: int = 60

    def __post_init__(self):
        most = self.territories * (self.territories - 1) * self.territories
        if not 0 < self.with_gradients <= self.edges <= most:
            raise ValueError(f"{self.with_gradients} of {self.edges} edges: choose at least one, and at most {most}")

    @property
    def published(self) -> bool:
        """Whether this is the published size."""
        return asdict(self) == asdict(Size())


CHUNKS = (2_000, 10_000, 50_000, 250_000)   # tried for the edges without gradients
EPOCHS = 20_001   # N_epochs of the configuration beside the trained network; that run continued an earlier one


class EdgeNetwork(nn.Module):
    """Covariates and latents of edges to their flow and next latents."""

    def __init__(self, size: Size):
        super().__init__()
        widths = [COVARIATES + size.latents] + [size.width] * size.layers
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.out = nn.Linear(size.width, 1 + size.latents)

    def forward(self, covariates: Tensor, latents: Tensor) -> tuple[Tensor, Tensor]:
        """From [E, 34] and [E, latents] to log-shares of people who move [E] and latents [E, latents]."""
        x = torch.cat([covariates, latents], 1)
        for layer in self.hidden:
            x = torch.tanh(layer(x))
        out = celu(self.out(x), alpha=12.0)
        return out[:, 0], out[:, 1:]


class Reference:
    """Network, random inputs of the right shapes, and one epoch over all years.

    Parameters
    ----------
    size : how large.
    seed : of weights, inputs and draws of edges.
    device : where it runs.
    chunk : edges without gradients that run at once.
    """

    def __init__(self, size: Size, seed: int = 0, device: str = "cpu", chunk: int = CHUNKS[1]):
        self.size, self.device, self.chunk = size, torch.device(device), chunk
        self.random = torch.Generator().manual_seed(seed)
        torch.manual_seed(seed)
        n, years = size.territories, size.years
        self.edges = self._draw_edges()
        self.unilateral = self._normal(years, n, 8)                    # 5 of the birthplace, 8 of the two others
        self.bilateral = self._normal(years, n, n, 7)
        self.stock = torch.exp(self._normal(n, n) + 6)                 # persons, [birthplace, residence]
        self.births = torch.exp(self._normal(years, n) + 6)
        self.death_rate = 0.01 * torch.ones(years, n, device=self.device)
        self.stock_seen = torch.exp(self._normal(max(years // 5, 1), n, n) + 6)
        self.net_seen = 100 * self._normal(years, n)
        self.flow_seen = torch.exp(self._normal(years, n, n) + 2)
        self.network = EdgeNetwork(size).to(self.device)
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=0.002)

    def _normal(self, *shape) -> Tensor:
        return torch.randn(*shape, generator=self.random).to(self.device)

    def _draw_edges(self) -> Tensor:
        """Distinct triples [3, E] whose origin and destination differ."""
        n = self.size.territories
        flat = torch.randperm(n * n * (n - 1), generator=self.random)[:self.size.edges]
        i, rest = flat // (n * (n - 1)), flat % (n * (n - 1))
        j, k = rest // (n - 1), rest % (n - 1)
        return torch.stack([i, j, k + (k >= j)]).to(self.device)

    def covariates(self, year: int, edges: Tensor) -> Tensor:
        """What edges [3, E] read in a year, [E, 34]."""
        i, j, k = edges
        of, pair = self.unilateral[year], self.bilateral[year]
        return torch.cat([of[i][:, :OF_BIRTHPLACE], of[j], of[k], pair[j, k][:, :5], pair[k, j][:, :1],
                          pair[i, k][:, :5], pair[i, j][:, :2]], 1)

    @torch.no_grad()
    def choose_chunk(self) -> int:
        """Take the size of chunks with which a tenth of the edges run fastest through one year, and return it."""
        some = max(self.size.edges // 10, 1)

        def seconds(chunk: int) -> float:
            times = []
            for _ in range(2):
                started = time.perf_counter()
                for a in range(0, some, chunk):
                    edges = self.edges[:, a:min(a + chunk, some)]
                    latents = torch.zeros(edges.shape[1], self.size.latents, device=self.device)
                    out, _ = self.network(self.covariates(0, edges), latents)
                float(out.sum())     # waits for a GPU
                times.append(time.perf_counter() - started)
            return min(times)

        self.chunk = min(CHUNKS, key=seconds)
        return self.chunk

    def epoch(self) -> float:
        """Forward through all years, backward through the drawn edges, and a step. Returns the loss."""
        size, n = self.size, self.size.territories
        order = torch.randperm(size.edges, generator=self.random).to(self.device)
        edges = self.edges[:, order]
        chunks = [slice(0, size.with_gradients), *(slice(a, min(a + self.chunk, size.edges))
                                                   for a in range(size.with_gradients, size.edges, self.chunk))]
        latents = [torch.zeros(c.stop - c.start, size.latents, device=self.device) for c in chunks]
        i, j, k = edges
        arrives, leaves, moves = i * n + k, i * n + j, j * n + k
        stock, loss = self.stock, 0.0
        for year in range(size.years):
            said = []
            for position, chunk in enumerate(chunks):
                with torch.set_grad_enabled(position == 0):
                    out, latents[position] = self.network(self.covariates(year, edges[:, chunk]), latents[position])
                said.append(out)
            # Shares of a cell's people; squashed, since no cell may lose more than it has.
            flow = 0.001 * torch.sigmoid(torch.cat(said)) * stock.reshape(-1)[leaves]
            zero = torch.zeros(n * n, device=self.device)
            change = (zero.index_add(0, arrives, flow) - zero.index_add(0, leaves, flow)).reshape(n, n)
            between = zero.index_add(0, moves, flow).reshape(n, n)
            stock = stock * (1 - self.death_rate[year]) + torch.diag(self.births[year]) + change
            loss = loss + _error(between, self.flow_seen[year])
            loss = loss + _error(between.sum(0) - between.sum(1), self.net_seen[year])
            if year % 5 == 4:
                loss = loss + _error(stock, self.stock_seen[year // 5])
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        return float(loss.detach())


def yeo_johnson(x: Tensor) -> Tensor:
    """Yeo-Johnson transform with lambda 0.5 (Yeo & Johnson 2000, Biometrika 87)."""
    root, power = 2 * (torch.sqrt(x.clamp(min=0) + 1) - 1), ((1 - x.clamp(max=0)) ** 1.5 - 1) / 1.5
    return root - power


def _error(predicted: Tensor, seen: Tensor) -> Tensor:
    """Mean squared error of thousands, as there."""
    return ((yeo_johnson(predicted / 1000) - yeo_johnson(seen / 1000)) ** 2).mean()
