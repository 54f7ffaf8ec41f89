"""Numbers small enough for a page: a few significant digits, differences from year to year, gzip, base 85.

A browser that opens a page from a folder may run the scripts beside it but not read other files. Data therefore travel
as scripts: each calls ``HF.data.receive(name, about, "base 85 of gzip")``, and ``assets/data.js`` undoes what is done
here, step by step. Both sides know six things:

- a number of persons is a **code**: whole persons below ``10**digits``, then ``9 * 10**(digits - 1)`` steps a decade;
- a share is a **code** as well, :func:`encode_share`: finer near nobody and near everybody than between;
- the last axis of an array holds **differences** from the element before, so that what changes slowly compresses well;
- a difference d is stored as the **zigzag** number 2d or -2d - 1, which keeps small ones small whatever their sign;
- bytes of one significance stand together (**planes**), lowest first;
- text is base 85 as RFC 1924 has it, a sixteenth shorter than base 64: none of its signs ends a string or a script.
"""
import base64
import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ..errors import SchemaError

NO_NUMBER = -2**31      # of four-byte arrays: there is none
EDGE = 20               # thousandths: width of the ends of the scale of shares that are told finely
_ABOVE = 1000 - EDGE - (EDGE + 1000 // EDGE - 2)      # from the code of a share near 1 to its thousandths
_WIDTHS = {1: np.uint8, 2: np.uint16, 4: np.uint32}
# Half a person and more, which is the least that a release holds, is somebody.
_ROUNDINGS = {"nearest": lambda x: np.floor(x + 0.5), "down": np.floor, "up": np.ceil}


def encode(persons: np.ndarray, digits: int, how: str = "nearest") -> np.ndarray:
    """Codes of numbers of persons.

    Parameters
    ----------
    persons : 0 or more, any shape; what is no number is taken for 0.
    digits : significant digits kept; whole persons below ``10**digits``.
    how : ``"nearest"``, ``"down"`` or ``"up"``, for the ends of intervals, which are rounded outwards.

    Returns
    -------
    int64 of the same shape; a larger number never has a smaller code.
    """
    values, limit = np.nan_to_num(np.asarray(persons, np.float64), nan=0.0), 10**digits
    turn = _ROUNDINGS[how]

    def turned(x):      # what is a step already stays one, though float32 holds it to seven digits only
        return turn(np.round(x, 4)).astype(np.int64)

    power = np.maximum(np.floor(np.log10(np.maximum(values, 1.0))).astype(np.int64) - digits + 1, 0)
    mantissa = turned(values / 10.0**power)
    over = mantissa >= limit
    mantissa, power = np.where(over, limit // 10, mantissa), power + over
    return np.where(power == 0, mantissa, limit + 9 * limit // 10 * (power - 1) + mantissa - limit // 10)


def decode(codes: np.ndarray, digits: int) -> np.ndarray:
    """Numbers of persons of codes, float64: what the page makes of them."""
    codes, limit = np.asarray(codes, np.int64), 10**digits
    power, mantissa = np.divmod(np.maximum(codes - limit, 0), 9 * limit // 10)
    return np.where(codes < limit, codes, (mantissa + limit // 10) * 10.0 ** (power + 1))


def encode_share(shares: np.ndarray) -> np.ndarray:
    """Codes of shares from 0 to 1: thousandths within ``EDGE`` thousandths of either end, else steps of ``EDGE``.

    One in a hundred of a large flow is many people, and not nobody.
    """
    fine = np.rint(np.asarray(shares, np.float64) * 1000).astype(np.int64)
    coarse = EDGE + np.rint((fine - EDGE) / EDGE).astype(np.int64)
    return np.select([fine <= EDGE, fine >= 1000 - EDGE], [fine, fine - _ABOVE], coarse)


def decode_share(codes: np.ndarray) -> np.ndarray:
    """Shares of codes, float64: what the page makes of them."""
    codes = np.asarray(codes, np.int64)
    high = codes >= 1000 - EDGE - _ABOVE
    fine = np.select([codes <= EDGE, high], [codes, codes + _ABOVE], EDGE + EDGE * (codes - EDGE))
    return fine / 1000


@dataclass(frozen=True)
class Part:
    """Something that the page loads at once: arrays by name, and what is said about them.

    ``arrays`` holds (integers, bytes of one); ``about`` what JSON can say.
    """

    name: str
    about: Mapping
    arrays: Mapping[str, tuple[np.ndarray, int]] = field(default_factory=dict)

    def script(self) -> bytes:
        """The script that hands the part to the page.

        Raises
        ------
        SchemaError
            For an array whose numbers do not fit into the bytes that they are given.
        """
        shapes, packed = [], []
        for name, (values, width) in self.arrays.items():
            packed.append(_planes(np.asarray(values), width, f"{self.name}.{name}"))
            shapes.append({"name": name, "width": width, "rows": int(np.prod(np.shape(values)[:-1])),
                           "length": int(np.shape(values)[-1])})
        about = json.dumps({**self.about, "arrays": shapes}, ensure_ascii=False, separators=(",", ":"))
        text = base64.b85encode(gzip.compress(b"".join(packed), 9, mtime=0)).decode() if packed else ""
        about = about.replace("</", "<\\/")      # it would end a script that is written into a page
        return f'HF.data.receive({json.dumps(self.name)},{about},"{text}");\n'.encode()


def _planes(values: np.ndarray, width: int, what: str) -> bytes:
    """Bytes of an integer array: differences along the last axis, zigzag, planes."""
    lowest, highest = (NO_NUMBER, 2**31 - 1) if width == 4 else (0, 2 ** (8 * width) - 1)
    if values.dtype.kind not in "iu" or values.ndim < 1:
        raise SchemaError("explorer", "integers in rows are expected", "encode the numbers first", key=what)
    if values.size and (values.min() < lowest or values.max() > highest):
        raise SchemaError("explorer", f"numbers from {values.min()} to {values.max()} do not fit into {width} bytes",
                          "give the array more bytes", key=what)
    half, full = 2 ** (8 * width - 1), 2 ** (8 * width)
    difference = (np.diff(values.astype(np.int64), axis=-1, prepend=0) + half) % full - half   # wraps, as the sum does
    zigzag = np.where(difference < 0, -2 * difference - 1, 2 * difference).astype(_WIDTHS[width])
    as_bytes = zigzag.astype(f"<u{width}").reshape(-1, 1).view(np.uint8)
    return as_bytes.T.tobytes()


def unpack(script: bytes) -> tuple[str, dict, dict[str, np.ndarray]]:
    """Name, about and arrays of a part's script, by the steps of the page: for tests and for the curious."""
    text = script.decode()
    if not text.startswith("HF.data.receive(") or not text.endswith(");\n"):
        raise SchemaError("explorer", "this is no script of a part", "give what Part.script returns")
    name, about, packed = json.loads(f"[{text[len('HF.data.receive('):-3]}]")
    content, at, arrays = gzip.decompress(base64.b85decode(packed)) if packed else b"", 0, {}
    for shape in about.pop("arrays"):
        size, width = shape["rows"] * shape["length"], shape["width"]
        planes = np.frombuffer(content, np.uint8, size * width, at).reshape(width, size).astype(np.int64)
        at += size * width
        zigzag = (planes << (8 * np.arange(width))[:, None]).sum(0).reshape(shape["rows"], shape["length"])
        values = np.cumsum(np.where(zigzag & 1, -(zigzag >> 1) - 1, zigzag >> 1), axis=-1) % 2 ** (8 * width)
        arrays[shape["name"]] = np.where(values >= 2**31, values - 2**32, values) if width == 4 else values
    return name, about, arrays
