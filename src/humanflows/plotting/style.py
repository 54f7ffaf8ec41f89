"""One visual identity: a colour per world region, kept in every figure, and one style sheet."""
from collections.abc import Iterable
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from ..artifacts import atomic
from ..territories import region_of

STYLE = Path(__file__).with_name("humanflows.mplstyle")

# One hue per region, told apart under the common forms of colour blindness by lightness as well as hue; regions that
# lie far apart on the map may be closer in hue than neighbours.
REGION_COLOURS = {
    "Europe": "#3b5b92",
    "Northern America": "#7fb2e5",
    "Latin America and the Caribbean": "#2f9e77",
    "Northern Africa": "#e8b04a",
    "Sub-Saharan Africa": "#a6501e",
    "Western Asia": "#e07b54",
    "Central Asia": "#8a7a5c",
    "Southern Asia": "#b3446c",
    "South-Eastern Asia": "#e59ab8",
    "Eastern Asia": "#6a4c93",
    "Oceania": "#57c4c9",
}
INK, QUIET, PAPER, LAND = "#1d2733", "#7b8794", "#ffffff", "#e9ecef"
OWN, OTHER, DATA = "#c8553d", "#3b5b92", "#1d2733"     # our estimate, others', reported numbers
GAIN, LOSS = "#2b6ca3", "#c8553d"                       # more arrive, more leave
DIVERGING = "RdBu"


def use_style() -> None:
    """Apply the project's style sheet to every figure drawn from here on."""
    plt.style.use(STYLE)


def region_colours(territories: Iterable[str]) -> list[str]:
    """Colour of each territory's region."""
    region = region_of()
    return [REGION_COLOURS[region[t]] for t in territories]


def save(figure: Figure, stem: Path, *, dpi: int = 160) -> list[Path]:
    """Write ``stem.png``, the same bytes for the same figure (no dates inside). Returns the files."""
    target = Path(stem).with_suffix(".png")
    with atomic(target) as temporary:
        figure.savefig(temporary, dpi=dpi, bbox_inches="tight", metadata={"Software": "humanflows"})
    return [target]
