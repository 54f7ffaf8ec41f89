"""One visual identity: a colour per world region, kept in every figure, and one style sheet."""
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ..artifacts import atomic
from ..territories import region_of

STYLE = Path(__file__).with_name("humanflows.mplstyle")

# Chosen by search: any two differ by a CIEDE2000 of 11 or more as seen with protanopia or deuteranopia, 9 with
# tritanopia, 19 with normal sight (simulated after Machado, Oliveira & Fernandes 2009; tests/plotting/test_style.py).
REGION_COLOURS = {
    "Europe": "#3960b5",
    "Northern America": "#75afed",
    "Latin America and the Caribbean": "#37a484",
    "Northern Africa": "#ecc06a",
    "Sub-Saharan Africa": "#9e410d",
    "Western Asia": "#e07a50",
    "Central Asia": "#80755b",
    "Southern Asia": "#ab4d79",
    "South-Eastern Asia": "#e596b9",
    "Eastern Asia": "#5c3d73",
    "Oceania": "#50dce4",
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
    """Write ``stem.png``, the same bytes for the same figure (no dates inside). Returns the files.

    Figures lie in the repository and are downloaded with every page: 256 colours take a third of the bytes.
    """
    target, drawn = Path(stem).with_suffix(".png"), BytesIO()
    figure.savefig(drawn, format="png", dpi=dpi, bbox_inches="tight",
                   facecolor=figure.get_facecolor())  # the style's white would frame a dark figure
    with atomic(target) as temporary, Image.open(drawn) as picture:
        about = PngInfo()
        about.add_text("Software", "humanflows")
        picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(temporary, format="PNG", optimize=True,
                                                                           pnginfo=about, dpi=(dpi, dpi))
    return [target]
