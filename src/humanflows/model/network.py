"""The recurrent cell: covariates of two territories and of their pair, and a memory of them, to two log-hazards.

One cell is shared by all ordered pairs, as in Gaskin & Abel (2026); theirs reads (birthplace, origin, destination)
edges, ours pairs, and the three-way table follows from the hazards in closed form (see accounting.py).
"""
import torch
from torch import Tensor, nn

# Where log-hazards start: a native leaves for one given territory with about 6 in a million a year, a migrant returns
# with 2 in a hundred. Far from these, the first years of the recursion empty or flood small territories.
START = (-12.0, -4.0)
MIXES = 2  # layers between what is read and what is said


class PairCell(nn.Module):
    """Gated recurrent cell on ordered pairs; features of territories are projected once and added by gathering.

    Parameters
    ----------
    unilateral, pair : number of features of a territory and of an ordered pair (static and dynamic).
    territories : N, for the embeddings.
    hidden, width, embedding : sizes of memory, of layers and of a territory's learned embedding.
    """

    def __init__(self, unilateral: int, pair: int, territories: int, *, hidden: int, width: int, embedding: int):
        super().__init__()
        self.hidden = hidden
        self.embedding = nn.Parameter(torch.zeros(territories, embedding))
        self.as_origin = nn.Linear(unilateral + embedding, width)
        self.as_destination = nn.Linear(unilateral + embedding, width, bias=False)
        self.of_pair = nn.Linear(pair, width, bias=False)
        self.of_memory = nn.Linear(hidden, width, bias=False)
        self.mixes = nn.ModuleList(nn.Linear(width, width) for _ in range(MIXES))
        self.read = nn.Linear(width, 2 + 2 * hidden)    # log-hazards, gate, candidate memory
        with torch.no_grad():
            nn.init.normal_(self.embedding, std=0.05)
            self.read.weight[:2] *= 0.1
            self.read.bias[:2] = torch.tensor(START)
            self.of_memory.weight.zero_()   # memory starts to count when years are run one after another

    def forward(self, unilateral: Tensor, pair: Tensor, origin: Tensor, destination: Tensor) -> Tensor:
        """Log-hazards of P pairs in all years.

        Parameters
        ----------
        unilateral : [Y, N, u] features of territories.
        pair : [Y, P, b] features of the pairs.
        origin, destination : [P] positions of their territories.

        Returns
        -------
        Tensor [Y, P, 2]: log-hazard of natives of the origin to leave for the destination, and of people born in the
        destination who live in the origin to return.
        """
        origins, destinations = self.territories(unilateral)
        # index_select, not [...]: its gradient is an ordered sum of rows, faster and the same in every run
        read = origins.index_select(1, origin) + destinations.index_select(1, destination) + self.of_pair(pair)
        memory = torch.zeros(len(origin), self.hidden, device=pair.device)
        hazards = []
        for now in read.unbind(0):
            said, memory = self.step(now + self.of_memory(memory), memory)
            hazards.append(said)
        return torch.stack(hazards)

    def territories(self, unilateral: Tensor) -> tuple[Tensor, Tensor]:
        """Territories as origins and as destinations, [Y, N, width] each, from their features [Y, N, u]."""
        known = torch.cat([unilateral, self.embedding.expand(len(unilateral), -1, -1)], 2)
        return self.as_origin(known), self.as_destination(known)

    def step(self, read: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """One year of P pairs: what is read [P, width] and the memory [P, hidden], to log-hazards [P, 2] and memory."""
        x = nn.functional.silu(read)
        for mix in self.mixes:
            x = x + nn.functional.silu(mix(x))
        said, gate, candidate = self.read(x).split([2, self.hidden, self.hidden], 1)
        return said, memory + torch.sigmoid(gate) * (torch.tanh(candidate) - memory)
