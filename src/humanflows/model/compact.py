"""Weights made small for release: effects rounded to a step, the cell in half precision, and both compressed.

An effect is part of a log-hazard. Rounded to the nearest ``STEP`` it is off by half a step at most, 0.8 per cent of a
hazard; a flow has up to six of them. Rounded effects have few values, most of them near zero, and compress well. Where
a member learned from reports is a rising list of positions: its gaps compress.

The file is a safetensors file. Its metadata hold one key: with several, safetensors writes them in any order, and the
same weights would be other bytes each time.
"""
import json
import lzma
from math import prod
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from .. import artifacts
from ..errors import ArtifactError
from .recursion import SHOCK_UNIT

STEP = 1 / 64     # of a log-hazard; a power of two, so that packing again changes nothing
# The effect of a year that brings refugees is SHOCK_UNIT times its parameter: steps of parameters are finer by that.
FINER = {"model.course": SHOCK_UNIT}
FEW = 1000        # numbers: below, nothing is gained
MOST_BYTES = 1 << 28        # of all weights of a file, unpacked; those of the real world's members have 2.5 MB
_TYPES = {"steps": ("|i1", "<i2"), "gaps": ("<i4", "<i8")}


def save_compact(tensors: dict[str, Tensor], file: Path, **about) -> Path:
    """Write weights, as ``train.read_weights`` gives them, in little space. ``train.load_member`` reads both kinds.

    Parameters
    ----------
    tensors : by name: floats, and rising integers.
    file : safetensors file, replaced as a whole; the same bytes for the same weights.
    **about : JSON-like, kept in the metadata.

    Raises
    ------
    ArtifactError
        For an effect that is not finite, or too large to be one.
    """
    packed, how = {}, {}
    for name, tensor in sorted(tensors.items()):
        values = tensor.detach().cpu().numpy()
        if values.dtype.kind == "i":
            number, kind = np.diff(values, prepend=values.dtype.type(0)), "gaps"
        elif values.size < FEW or ".cell." in name or name.startswith("observation."):
            exact = values.size < FEW or name.startswith("observation.")    # biases add up over the years
            packed[name] = tensor.detach().cpu().contiguous().to(torch.float32 if exact else torch.float16)
            continue
        else:
            number, kind = np.rint(values / (STEP / FINER.get(name, 1))), "steps"
            if not np.abs(number).max() <= np.iinfo(np.int16).max:
                raise ArtifactError(file, f"{name} has a value that is no effect: {np.abs(values).max()}",
                                    "look at the training: it diverged", key=name)
            number = number.astype(np.int8 if np.abs(number).max() <= np.iinfo(np.int8).max else np.int16)
        how[name] = {"kind": kind, "dtype": number.dtype.str, "shape": list(values.shape)}
        content = lzma.compress(number.tobytes(), format=lzma.FORMAT_XZ, preset=6)
        packed[name] = torch.frombuffer(bytearray(content), dtype=torch.uint8)
    with artifacts.atomic(file) as temporary:
        save_file(packed, temporary, metadata={"packed": json.dumps({"step": STEP, "how": how, "about": about})})
    return Path(file)


def unpack(tensors: dict[str, Tensor], about: dict[str, str], file: Path) -> dict[str, Tensor]:
    """Weights of a packed file, float32 and int32.

    Parameters
    ----------
    tensors, about : what lies in the file, and its metadata.
    file : for messages.

    Raises
    ------
    ArtifactError
        When the file is damaged, or would fill more than ``MOST_BYTES``.
    """
    try:
        said = json.loads(about["packed"])
        step, room = np.float32(said["step"]), MOST_BYTES
        out = {k: v.float() for k, v in tensors.items() if k not in said["how"]}
        if not 0 < step < 1:
            raise ValueError(f"steps of {step}")
        for name, how in said["how"].items():
            number = _decompressed(tensors[name].numpy().tobytes(), how, room)
            room -= 4 * number.size
            whole = np.cumsum(number, dtype=number.dtype) if how["kind"] == "gaps" \
                else number.astype(np.float32) * (step / np.float32(FINER.get(name, 1)))
            out[name] = torch.from_numpy(whole.reshape(how["shape"]))
    except (lzma.LZMAError, EOFError, AttributeError, KeyError, TypeError, ValueError, OverflowError,
            RecursionError) as error:
        raise ArtifactError(file, f"packed weights are damaged ({type(error).__name__}: {error})",
                            "take the file from the release again, or pack it again") from error
    return out


def _decompressed(content: bytes, how: dict, room: int) -> np.ndarray:
    """The numbers of one tensor: as many as its shape says and no more, whatever the compressed content would make."""
    shape, kind = [int(n) for n in how["shape"]], how["dtype"]
    if kind not in _TYPES.get(how["kind"], ()) or any(n < 0 for n in shape):
        raise ValueError(f"{str(how)[:80]} is no tensor")
    length = prod(shape) * np.dtype(kind).itemsize
    if max(length, 4 * prod(shape)) > room:
        raise ValueError(f"more than {MOST_BYTES:,} bytes of weights")
    tool = lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=MOST_BYTES)
    number = tool.decompress(content, max_length=length + 1)
    if len(number) != length:
        raise ValueError(f"other than {length:,} bytes where shape {shape} is told")
    return np.frombuffer(number, np.dtype(kind))


def load_compact(file: Path) -> dict[str, Tensor]:
    """Weights of a packed file: as :func:`unpack`, and an ArtifactError too for a file that is not packed."""
    from .train import read_weights

    tensors, about = read_weights(file)
    if "packed" not in about:
        raise ArtifactError(file, "the file holds weights as they are, not packed ones", "read it with load_member")
    return tensors
