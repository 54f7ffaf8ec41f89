"""One identity: a colour per region that readers with colour-blind sight can tell apart, and files that do not vary."""
import re
from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from humanflows import paths
from humanflows.plotting import REGION_COLOURS, region_colours, save
from humanflows.territories import REGIONS

# How linear RGB is seen with complete dichromacy: Machado, Oliveira & Fernandes (2009), doi:10.1109/TVCG.2009.113.
SIGHT = {
    "normal": np.eye(3),
    "protanopia": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                            [-0.003882, -0.048116, 1.051998]]),
    "deuteranopia": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                              [-0.011820, 0.042940, 0.968881]]),
    "tritanopia": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                            [0.004733, 0.691367, 0.303900]]),
}
# CIEDE2000 differences. About 2 is just noticeable side by side; patches apart on a map need several times that.
ENOUGH = {"normal": 18, "protanopia": 11, "deuteranopia": 11, "tritanopia": 9}
_TO_XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
                    [0.0193339, 0.1191920, 0.9503041]])


def lab(colour: str, sight: str = "normal") -> np.ndarray:
    """CIE L*a*b* (D65) of an sRGB colour as seen."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = _TO_XYZ @ np.clip(SIGHT[sight] @ linear, 0, 1) / [0.95047, 1, 1.08883]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def ciede2000(one: np.ndarray, two: np.ndarray) -> float:
    """Colour difference by Sharma, Wu & Dalal (2005)."""
    (l1, a1, b1), (l2, a2, b2) = one, two
    chroma = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    stretch = 1 + 0.5 * (1 - np.sqrt(chroma**7 / (chroma**7 + 25**7)))
    a1, a2 = a1 * stretch, a2 * stretch
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, a1)) % 360, np.degrees(np.arctan2(b2, a2)) % 360
    turn = (h2 - h1 + 180) % 360 - 180 if c1 * c2 else 0.0
    dl, dc, dh = l2 - l1, c2 - c1, 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2))
    lm, cm, hm = (l1 + l2) / 2, (c1 + c2) / 2, h1 + turn / 2
    t = (1 - 0.17 * np.cos(np.radians(hm - 30)) + 0.24 * np.cos(np.radians(2 * hm))
         + 0.32 * np.cos(np.radians(3 * hm + 6)) - 0.20 * np.cos(np.radians(4 * hm - 63)))
    sl, sc, sh = 1 + 0.015 * (lm - 50) ** 2 / np.sqrt(20 + (lm - 50) ** 2), 1 + 0.045 * cm, 1 + 0.015 * cm * t
    rotation = (-2 * np.sqrt(cm**7 / (cm**7 + 25**7))
                * np.sin(np.radians(60 * np.exp(-(((hm % 360 - 275) / 25) ** 2)))))
    return float(np.sqrt((dl / sl) ** 2 + (dc / sc) ** 2 + (dh / sh) ** 2 + rotation * dc / sc * dh / sh))


@pytest.mark.parametrize(("one", "two", "difference"), [
    # From the test data that Sharma, Wu & Dalal published with the formula.
    ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425), ((50, 2.5, 0), (73, 25, -18), 27.1492),
    ((50, 2.5, 0), (58, 24, 15), 19.4535), ((22.7233, 20.0904, -46.6940), (23.0331, 14.9730, -42.5619), 2.0373),
    ((90.8027, -2.0831, 1.4410), (91.1528, -1.6435, 0.0447), 1.4441)])
def test_the_difference_is_measured_as_published(one, two, difference):
    assert ciede2000(np.array(one, float), np.array(two, float)) == pytest.approx(difference, abs=2e-4)


def test_the_measure_finds_red_and_green_alike_to_the_colour_blind():
    assert ciede2000(lab("#b85c00"), lab("#6f8000")) > 25
    assert ciede2000(lab("#b85c00", "deuteranopia"), lab("#6f8000", "deuteranopia")) < 8


def test_every_region_has_a_colour_and_no_other():
    assert tuple(REGION_COLOURS) == REGIONS
    assert len({c.lower() for c in REGION_COLOURS.values()}) == len(REGIONS)


@pytest.mark.parametrize("sight", SIGHT)
def test_regions_can_be_told_apart(sight):
    seen = {region: lab(colour, sight) for region, colour in REGION_COLOURS.items()}
    apart = {(a, b): ciede2000(seen[a], seen[b]) for a, b in combinations(REGIONS, 2)}
    closest = min(apart, key=apart.get)
    assert apart[closest] >= ENOUGH[sight], (closest, apart[closest])


def test_no_region_fades_into_paper_or_ink():
    for region, colour in REGION_COLOURS.items():
        assert 28 < lab(colour)[0] < 83, region


def test_territories_take_the_colour_of_their_region():
    assert region_colours(["FRA", "MEX", "DEU"]) == [
        REGION_COLOURS["Europe"], REGION_COLOURS["Latin America and the Caribbean"], REGION_COLOURS["Europe"]]


def test_saved_files_are_the_same_bytes_and_hold_no_date(tmp_path):
    def write(name):
        figure, ax = plt.subplots()
        ax.plot([1, 2], [3, 5], label="a")
        ax.legend()
        return save(figure, tmp_path / name, dpi=60)[0]

    one, two = write("one"), write("two")
    assert one.name == "one.png" and one.read_bytes() == two.read_bytes()
    assert b"Creation Time" not in one.read_bytes() and b"tEXtdate" not in one.read_bytes()


def test_a_dark_figure_keeps_its_ground_to_the_rim(tmp_path):
    figure = plt.figure(figsize=(2, 1), facecolor="#0e151d")
    figure.subplots().plot([0, 1])
    pixels = plt.imread(save(figure, tmp_path / "dark", dpi=50)[0])
    assert np.allclose(pixels[0, 0, :3], to_rgb("#0e151d"), atol=0.01)


def test_the_books_style_sheet_has_the_same_colours():
    sheet = (paths.BOOK / "_static" / "custom.css").read_text(encoding="utf-8")
    held = dict(re.findall(r"--hf-([a-z-]+): (#[0-9a-f]{6});", sheet.split("}")[0]))
    for region, colour in REGION_COLOURS.items():
        assert held[re.sub(r"[^a-z]+", "-", region.lower())] == colour
    assert ".simulated" in sheet and ".real" in sheet


def test_the_logo_is_small_and_uses_region_colours_alone():
    logo = (paths.BOOK / "_static" / "logo.svg").read_text(encoding="utf-8")
    assert len(logo) < 20_000 and "<text" not in logo and "http" not in logo.replace("http://www.w3.org/2000/svg", "")
    assert set(re.findall(r'fill="(#[0-9a-f]{6})"', logo)) - {"#1d2733"} <= set(REGION_COLOURS.values())
