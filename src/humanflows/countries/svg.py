"""A figure as compact SVG: what a browser does not need is left out, and text takes the reader's own fonts."""
import re
from io import StringIO

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from ..plotting.style import INK

FONTS = "Helvetica Neue,Helvetica,Arial,Liberation Sans,DejaVu Sans,sans-serif"
_SIZE = "9px"       # of most text; set once for the whole figure
_HEAD = re.compile(r"<\?xml[^>]*\?>|<!DOCTYPE[^>]*>|<!--.*?-->|<metadata>.*?</metadata>"
                   r"|<style type=\"text/css\">.*?</style>", re.DOTALL)
_REFERENCE = re.compile(r"(?:url\(#|href=\"#)([^)\"]+)")
_ID = re.compile(r" id=\"([^\"]*)\"")
_NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
_TAG = re.compile(r"<[^>]*>")
_PATH = re.compile(r" d=\"([^\"]*)\"")
_STEP = re.compile(r"([ML]) (-?[\d.]+) (-?[\d.]+)|(z)")
_GROUP = re.compile(r"<g(?: [^>]*)?>|</g>")
_TEXT = re.compile(r"<text [^>]*>")
_STYLE = re.compile(r" style=\"([^\"]*)\"")
_DEFAULTS = {("font-size", _SIZE), ("text-anchor", "start"), ("stroke-linecap", "butt")}
_UPRIGHT = re.compile(r" transform=\"rotate\(-?0[ )][^\"]*\"")


def compact_svg(figure: Figure) -> str:
    """Draw a figure and close it.

    Returns
    -------
    SVG 1.1, the same text for the same figure; lengths to a tenth of a point.
    """
    with StringIO() as handle:
        figure.savefig(handle, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
        text = handle.getvalue()
    plt.close(figure)
    return shrink(text)


def shrink(text: str) -> str:
    """Leave out of an SVG text of matplotlib's what no browser needs."""
    text = _HEAD.sub("", text)
    text = _PATH.sub(lambda m: f' d="{_path(m[1])}"', text)
    text = _TAG.sub(lambda m: m[0] if m[0].startswith("<path") else _NUMBER.sub(_short, m[0]), text)
    text = _STYLE.sub(lambda m: _style(m[1]), text)
    text = _UPRIGHT.sub("", text)
    text = re.sub(r">\s+<", "><", text)
    used = set(_REFERENCE.findall(text))
    text = _ID.sub(lambda m: m[0] if m[1] in used else "", text)
    text = _without_plain_groups(text).replace("<defs></defs>", "")
    text = _TEXT.sub(lambda m: m[0].replace(f"fill:{INK}", "").replace(";;", ";").replace(';"', '"'), text)
    text = text.replace(' style=""', "")
    root = f'<svg font-family="{FONTS}" font-size="{_SIZE}" fill="{INK}" stroke-linejoin="round" '
    return text.replace("<svg ", root, 1).strip() + "\n"


def _without_plain_groups(text: str) -> str:
    """Groups without attributes say nothing."""
    open_groups: list[bool] = []

    def kept(match: re.Match) -> str:
        if match[0] == "</g>":
            return match[0] if open_groups.pop() else ""
        open_groups.append(match[0] != "<g>")
        return match[0] if open_groups[-1] else ""

    return _GROUP.sub(kept, text)


def _short(match: re.Match) -> str:
    number = round(float(match[0]), 1 if abs(float(match[0])) >= 10 else 2)
    return f"{number:g}" if number else "0"


def _path(d: str) -> str:
    """Steps relative to one another, in tenths; those along a line are drawn together. Curves stay as they are."""
    d = " ".join(d.split())
    steps = _STEP.findall(d)
    if " ".join(z or f"{c} {x} {y}" for c, x, y, z in steps) != d:
        return re.sub(r"\s*([A-Za-z])\s*", r"\1", _NUMBER.sub(_short, d))
    out: list[list] = []        # [command, dx, dy] in tenths; of M the place itself
    at = (0, 0)
    for command, x, y, close in steps:
        if close:
            out.append(["z", 0, 0])
            continue
        here = (round(10 * float(x)), round(10 * float(y)))
        dx, dy = here[0] - at[0], here[1] - at[1]
        at = here
        if command == "M":
            out.append(["M", *here])
        elif out[-1][0] == "l" and ((dx == out[-1][1] == 0 and dy * out[-1][2] >= 0)
                                    or (dy == out[-1][2] == 0 and dx * out[-1][1] >= 0)):
            out[-1][1:] = [out[-1][1] + dx, out[-1][2] + dy]
        else:
            out.append(["l", dx, dy])
    text, before = "", ""
    for command, dx, dy in out:
        numbers = "" if command == "z" else f"{dx / 10:g} {dy / 10:g}"
        text += f" {numbers}" if command == before == "l" else f"{command}{numbers}"
        before = command
    return text.replace(" -", "-")


def _style(style: str) -> str:
    """A style without what is the default or set for the whole figure."""
    kept = []
    for part in style.split(";"):
        key, _, value = part.strip().partition(":")
        key, value = key.strip(), value.strip()
        if key == "font":      # the shorthand names matplotlib's fonts; the figure names ours
            size = re.search(r"[\d.]+px", value)
            weight = re.match(r"(?:normal |italic )*(bold|[1-9]00)\b", value)
            kept += [f"font-size:{size[0]}"] if size and size[0] != _SIZE else []
            kept += [f"font-weight:{weight[1]}"] if weight and weight[1] != "400" else []
        elif key not in ("", "font-family", "stroke-linejoin") and (key, value) not in _DEFAULTS:
            kept.append(f"{key}:{_NUMBER.sub(_short, value)}")
    return f' style="{";".join(kept)}"' if kept else ""
