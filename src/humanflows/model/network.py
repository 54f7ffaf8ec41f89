"""The recurrent cell: features of two territories and of their pair, and a memory, to four log-hazards.

One cell is shared by all ordered pairs, as in Gaskin & Abel (2026); theirs reads (birthplace, origin, destination)
edges, ours pairs, and the three-way table follows from the hazards in closed form (see accounting.py).
"""
import torch
from torch import Tensor, nn

# Where log-hazards start: a native leaves for one given territory with about 6 in a million a year, a migrant returns
# with 2 in a hundred. Far from these, the first years of the recursion empty or flood small territories.
START = (-12.0, -4.0, -9.0, 0.0)


class PairCell(nn.Module):
    """Gated recurrent cell on ordered pairs; features of territories are projected once and added by gathering.

    Parameters
    ----------
    unilateral, pair : number of features of a territory and of an ordered pair (static, dynamic and two log stocks).
    territories : N, for the embeddings.
    hidden, width, embedding : sizes of memory, of layers and of a territory's learned embedding.
    """

    def __init__(self, unilateral: int, pair: int, territories: int, *, hidden: int, width: int, embedding: int):
        super().__init__()
        self.hidden = hidden
        self.embedding = nn.Parameter(torch.zeros(territories, embedding))
        self.as_origin = nn.Linear(unilateral + embedding, width)
        self.as_destination = nn.Linear(unilateral + embedding, width, bias=False)
        self.of_pair = nn.Linear(pair + hidden, width, bias=False)   # features of the pair and its memory, in one
        self.mix = nn.Linear(width, width)
        self.read = nn.Linear(width, 4 + 2 * hidden)    # log-hazards, gate, candidate memory
        with torch.no_grad():
            nn.init.normal_(self.embedding, std=0.05)
            self.read.weight[:4] *= 0.1
            self.read.bias[:4] = torch.tensor(START)

    def territories(self, unilateral: Tensor) -> tuple[Tensor, Tensor]:
        """Project territories once a year: [N, u] to two [N, width] tables."""
        u = torch.cat([unilateral, self.embedding], 1)
        return self.as_origin(u), self.as_destination(u)

    def forward(self, origin: Tensor, destination: Tensor, pair: Tensor, stocks: Tensor,
                memory: Tensor) -> tuple[Tensor, Tensor]:
        """One year on P pairs: origin, destination [P, width], pair [P, b], log stocks [P, 2], memory [P, hidden].

        Returns log-hazards [P, 4] (native, back, onward, affinity) and the new memory [P, hidden].
        """
        x = nn.functional.silu(origin + destination + self.of_pair(torch.cat([pair, stocks, memory], 1)))
        x = x + nn.functional.silu(self.mix(x))
        hazards, gate, candidate = self.read(x).split([4, self.hidden, self.hidden], 1)
        memory = memory + torch.sigmoid(gate) * (torch.tanh(candidate) - memory)
        return hazards, memory
