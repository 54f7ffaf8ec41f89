"""Strategies of hypothesis that damage the bytes of a small file or alter what it says, and what must follow.

========  ============================================================================
expected  the reader must end in
========  ============================================================================
any       the documented error, or a table that keeps its declaration
less      the documented error, or a table whose every row the sound file gives too
equal     the documented error, or the table of the sound file
same      the table of the sound file
refused   the documented error
========  ============================================================================
"""
import copy
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from .samples import Document, File, Grid, Netcdf4, Table

LONG = 100_000
WHOLE = (b"[" * LONG, b'{"a":' * 20_000, b"\xef\xbb\xbf", b"\xff\xfe", b"PK\x03\x04", b"\x1f\x8b\x08\x00" + bytes(20),
         b"X\n" + b"\x7f\xff\xff\xff" * 10, b"CDF\x01" + b"\x7f\xff\xff\xff" * 10, b"\x89HDF\r\n\x1a\n" + bytes(100),
         b"MATLAB 5.0 MAT-file" + b" " * 105 + b"\x00\x01IM", b"null", b"1", b'""', b"<html>not found</html>", b"a,b\n")
HOSTILE_TEXT = ("QQQ", "", None, "NaN", "fra", "QQ\n", "QQQ\x00", "\x1b[31mFRA", "../../../etc/passwd",
                "..\\..\\x", "/etc/passwd", "=1+1", "@SUM(1)", "<script>alert(1)</script>", "‮FRA", "x" * LONG,
                "(" * 2_000, "1" * 400, "💥")
HOSTILE_COUNT = (float("nan"), None, float("inf"), float("-inf"), -1, -1e-9, -1e308)
HOSTILE_PART = (float("inf"), float("-inf"), -1, -1e308)
HOSTILE_SIGNED = (float("nan"), None, float("inf"), float("-inf"))
HOSTILE_YEAR = (1492, 3000, -1, 0, 2**31 - 1, 2**40, 1e300, float("nan"), None, float("inf"), 0.5)
HOSTILE_ANY = (None, True, -1, 0, 2**70, 1e308, float("nan"), float("inf"), "", "text", "x" * LONG, [], {}, [[]],
               {"a": 1}, "../../x", "\x00")


@dataclass(frozen=True)
class Case:
    """One altered file of an entry."""

    name: str
    content: bytes
    expected: str
    told: str       # what was done, for the message


def _bytes(sound: bytes) -> st.SearchStrategy[tuple[bytes, str]]:
    size = len(sound)
    # Lengths and types stand at the beginning of most formats, and of each of their parts.
    place = st.integers(0, max(size - 1, 0)) | st.integers(0, max(min(size - 1, 300), 0))

    @st.composite
    def damage(draw):
        kind = draw(st.sampled_from(("cut", "flip", "zero", "ones", "add", "whole", "swap", "insert", "repeat")))
        at = draw(place)
        if kind == "cut":
            return sound[:at], f"cut at {at}"
        if kind == "flip":
            spots = draw(st.lists(st.tuples(place, st.integers(0, 7)), min_size=1, max_size=6))
            out = bytearray(sound)
            for where, bit in spots:
                out[where] ^= 1 << bit
            return bytes(out), f"flipped (byte, bit) {spots}"
        length = draw(st.sampled_from((1, 2, 4, 8, 64, 1000)))
        if kind in ("zero", "ones"):
            fill = b"\x00" if kind == "zero" else b"\xff"
            return sound[:at] + fill * len(sound[at:at + length]) + sound[at + length:], f"{kind} at {at} of {length}"
        if kind == "add":
            more = draw(st.binary(min_size=1, max_size=20)) * draw(st.sampled_from((1, 500)))
            return sound + more, f"added {len(more)} bytes"
        if kind == "whole":
            other = draw(st.sampled_from((b"", *WHOLE)))
            how = draw(st.booleans())
            return (other, f"replaced by {other[:20]!r}…") if how else (other + sound, f"begins with {other[:20]!r}…")
        if kind == "swap":
            other = draw(place)
            low, high = sorted((at, other))
            return sound[high:] + sound[low:high] + sound[:low], f"parts from {low} and {high} swapped"
        if kind == "insert":
            more = draw(st.binary(min_size=1, max_size=8))
            return sound[:at] + more + sound[at:], f"{more!r} inserted at {at}"
        return sound[:at] + sound[at:at + length] + sound[at:], f"{length} bytes at {at} repeated"

    return damage()


@st.composite
def _table(draw, table: Table):
    header, rows = table.header, table.rows
    kinds = {"codes": HOSTILE_TEXT, "years": HOSTILE_YEAR, "counts": HOSTILE_COUNT, "signed": HOSTILE_SIGNED,
             "parts": HOSTILE_PART, "words": HOSTILE_TEXT, "free": HOSTILE_TEXT}
    cells = [(c, k) for k in kinds for c in getattr(table, k)]
    act = draw(st.sampled_from(("cell",) * 6 + ("again", "contradict", "shuffle", "columns", "drop row", "drop column",
                                                "rename", "heads", "no rows")))
    row = draw(st.integers(0, len(rows) - 1))
    column = draw(st.integers(0, len(header) - 1))
    expected, told = "any", f"{act}: row {row}, column {header[column]!r}"
    if act == "cell" and cells:
        name, kind = draw(st.sampled_from(cells))
        value = draw(st.sampled_from(kinds[kind]))
        at = header.index(name)
        if kind == "years" and value == 0.5 and isinstance(rows[row][at], (int, float)):
            value = rows[row][at] + 1.5
        rows[row][at] = value
        expected = "any" if kind == "free" else "less"
        told = f"row {row}, {name!r} is {_short(value)}"
    elif act == "again":
        rows.insert(draw(st.integers(0, len(rows))), list(rows[row]))
        expected = "any" if table.ordered else "less"
    elif act == "contradict" and table.counts:
        name = draw(st.sampled_from(table.counts))
        other = list(rows[row])
        value = other[header.index(name)]
        other[header.index(name)] = value + 1 if isinstance(value, (int, float)) else 1
        rows.insert(row + 1, other)
        # Beside a cell without a number another one is a report like any other.
        expected = "any" if table.ordered or not isinstance(value, (int, float)) else "less"
    elif act == "shuffle":
        rows = [rows[k] for k in draw(st.permutations(range(len(rows))))]
        expected = "any" if table.ordered else "same"
    elif act == "columns":
        order = draw(st.permutations(range(len(header))))
        header, rows = [header[k] for k in order], [[line[k] for k in order] for line in rows]
        expected = "any" if table.ordered else "equal"
    elif act == "drop row":
        del rows[row]
    elif act == "drop column":
        header, rows = header[:column] + header[column + 1:], [r[:column] + r[column + 1:] for r in rows]
    elif act == "rename":
        header[column] = draw(st.sampled_from([t or "" for t in HOSTILE_TEXT] + header))
    elif act == "heads":
        header = list(draw(st.permutations(header)))
    elif act == "no rows":
        rows, expected = [], "any" if table.may_be_empty else "refused"
    return table.write(header, rows), expected, told


@st.composite
def _grid(draw, grid: Grid):
    axes = {k: list(v) for k, v in grid.axes.items()}
    arrays = {k: (d, np.array(v, float)) for k, (d, v) in grid.arrays.items()}
    acts = ["value"] * 3 + ["drop variable", "rename", "scale"] + (
        ["label"] * 3 + ["again", "shuffle", "drop label", "turn"] if axes else [])
    act, name = draw(st.sampled_from(acts)), draw(st.sampled_from(sorted(arrays)))
    dims, values = arrays[name]
    expected, told = "any", f"{act}: {name!r}"
    if act == "value":
        at = tuple(draw(st.integers(0, n - 1)) for n in values.shape)
        value = draw(st.sampled_from(HOSTILE_SIGNED if name in grid.signed else HOSTILE_COUNT))
        values[at] = np.nan if value is None else value
        missing = value is None or value != value
        expected, told = ("any" if missing else "less"), f"{name!r} at {at} is {value}"
    elif act == "scale":
        with np.errstate(over="ignore"):
            values *= 1e308
    elif act == "drop variable":
        del arrays[name]
    elif act == "rename":
        arrays[draw(st.sampled_from(("other", "x" * 200)))] = arrays.pop(name)
    elif act == "label":
        axis = draw(st.sampled_from(sorted(axes)))
        at, number = draw(st.integers(0, len(axes[axis]) - 1)), isinstance(axes[axis][0], int)
        pool = (1492, 3000, -1, 0, 2**31 - 1) if number else tuple(t for t in HOSTILE_TEXT if t)
        axes[axis][at] = draw(st.sampled_from(pool))
        expected, told = "less", f"label {at} of {axis!r} is {_short(axes[axis][at])}"
    elif act in ("again", "shuffle", "drop label"):
        axis = draw(st.sampled_from(sorted(axes)))
        order = list(range(len(axes[axis])))
        if act == "again":
            order.append(draw(st.sampled_from(order)))
        elif act == "shuffle":
            order = draw(st.permutations(order))
        else:
            del order[draw(st.sampled_from(order))]
        axes[axis] = [axes[axis][k] for k in order]
        arrays = {k: (d, np.take(v, order, d.index(axis)) if axis in d else v) for k, (d, v) in arrays.items()}
        expected = {"again": "less", "shuffle": "same" if grid.moved else "any", "drop label": "any"}[act]
        told = f"{act} of {axis!r}: {order[:20]}"
    elif act == "turn":
        arrays[name] = (dims[::-1], values.T)
        expected = "equal"
    return grid.write(axes, arrays), expected, told


@st.composite
def _document(draw, document: Document):
    content = copy.deepcopy(document.content)
    at, path = content, []
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        if not keys:
            return document.write(content), "same", "as it was"
        key = draw(st.sampled_from(keys))
        path.append(key)
        if not isinstance(at[key], (dict, list)) or draw(st.integers(0, 3)) == 0:
            break
        at = at[key]
    free = any(p in document.free for p in path)
    acts = ["value"] * 4 + ["drop", "again", "text", "shuffle"] + (["key"] * 3 if isinstance(at, dict) else [])
    act, expected = draw(st.sampled_from(acts)), "any"
    told = f"{act} at {path}"
    if act == "value" and isinstance(at[key], (int, float)) and not free:
        value = draw(st.sampled_from((*HOSTILE_COUNT, "text", [], {}, True)))
        at[key], expected = value, "less"
        told += f": {_short(value)}"
    elif act == "value":
        at[key] = draw(st.sampled_from(HOSTILE_ANY))
        told += f": {_short(at[key])}"
    elif act == "drop":
        del at[key]
    elif act == "again" and isinstance(at, list):
        at.insert(key, copy.deepcopy(at[key]))
    elif act == "text":
        at[key] = draw(st.sampled_from(HOSTILE_TEXT))
        told += f": {_short(at[key])}"
    elif act == "key":
        new = draw(st.sampled_from([t or "" for t in HOSTILE_TEXT]))
        at[new] = at.pop(key)
        expected = "any" if free else "less"
        told += f": {_short(new)}"
    elif act == "shuffle" and isinstance(at, dict):
        order = draw(st.permutations(list(at)))
        items = {k: at[k] for k in order}
        at.clear()
        at.update(items)
        expected = "any" if document.ordered else "same"
    return document.write(content), expected, told


@st.composite
def _netcdf4(draw, sound: Netcdf4):
    import netCDF4

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "altered.nc"
        file.write_bytes(sound.content)
        with netCDF4.Dataset(file, "r+") as data:
            expected, told = _alter(draw, data, sound)
        return file.read_bytes(), expected, told


def _alter(draw, data, sound: Netcdf4) -> tuple[str, str]:
    data.set_auto_mask(False)
    variable = data.variables[draw(st.sampled_from(sorted(data.variables)))]
    name, label = variable.name, variable.dimensions == (variable.name,)
    act = draw(st.sampled_from(("value",) * 5 + ("rename", "rename dimension", "attribute")))
    at = tuple(draw(st.integers(0, n - 1)) for n in variable.shape)
    if act == "value" and variable.dtype is str:
        variable[at] = draw(st.sampled_from([t or "" for t in HOSTILE_TEXT if "\x00" not in (t or "")]))
        return "less" if label else "any", f"{name!r} at {at} is {_short(variable[at])}"
    if act == "value" and variable.dtype.kind in "iu":
        limits = np.iinfo(variable.dtype)
        variable[at] = draw(st.sampled_from((limits.min, limits.max, 0)))
        return "any", f"{name!r} at {at} is {variable[at]}"
    if act == "value":
        pool = HOSTILE_SIGNED if name in sound.signed else HOSTILE_COUNT
        value = draw(st.sampled_from([v for v in pool if v is not None]))
        variable[at] = value
        missing = value != value and name in sound.gaps
        return "any" if missing else "less", f"{name!r} at {at} is {value}"
    if act == "rename":
        data.renameVariable(name, "renamed")
    elif act == "rename dimension":
        data.renameDimension(draw(st.sampled_from(sorted(data.dimensions))), "renamed")
    else:
        owner = variable if draw(st.booleans()) else data
        key = draw(st.sampled_from(("units", "flag_meanings", "flag_masks", "platform", "scale_factor", "title")))
        owner.setncattr(key, draw(st.sampled_from(("", "x" * LONG, "<script>", -1, 1e308))))
    return "any", f"{act}: {name!r}"


def _short(value) -> str:
    text = ascii(value)
    return text if len(text) < 80 else f"{text[:60]}… of {len(text)} characters"


@st.composite
def cases(draw, files: dict[str, File | bytes]) -> Case:
    """One damaged or altered file of several."""
    name = draw(st.sampled_from(sorted(files)))
    file = files[name]
    if isinstance(file, bytes):
        content, told = draw(_bytes(file))
        return Case(name, content, "any", told)
    if draw(st.integers(0, 9)) < 4:
        inside = file.inside()
        if file.wrap(inside) != inside and draw(st.booleans()):
            content, told = draw(_bytes(file.wrap(inside)))
            return Case(name, content, "any", f"envelope: {told}")
        content, told = draw(_bytes(inside))
        return Case(name, file.wrap(content), "any", told)
    of = {Table: _table, Grid: _grid, Document: _document, Netcdf4: _netcdf4}[type(file)]
    content, expected, told = draw(of(file))
    return Case(name, file.wrap(content), expected, told)
