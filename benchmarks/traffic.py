"""Bytes that PyTorch's operations move, and the arithmetic of matrix products, from the sizes of their tensors."""
from collections import Counter

from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

# They touch as many numbers of their first argument as they return (or are given), not all of it.
_GATHERS = {"index_select", "gather", "index", "take", "embedding"}
_SCATTERS = {"index_add", "index_add_", "index_put", "index_put_", "_index_put_impl_", "scatter_add", "scatter_add_",
             "scatter_", "scatter"}
_NOTHING = {"empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided"}   # memory is taken, not touched


def touched(tensor) -> int:
    """Bytes of a tensor's distinct elements: what is expanded (stride 0) is read once."""
    numbers = 1
    for size, stride in zip(tensor.shape, tensor.stride()):
        numbers *= size if stride or not size else 1
    return numbers * tensor.element_size()


def bytes_of(function, inputs, outputs) -> int:
    """Bytes that an operation reads and writes: every input once, every output once, views nothing.

    Caches are left out of account (a tensor that a cache still holds is counted as read from memory), and so is what a
    kernel reads twice. Gathers and scatters count the elements that they touch.
    """
    tensors = [x for x in tree_leaves(inputs) if hasattr(x, "element_size")]
    out = [x for x in tree_leaves(outputs) if hasattr(x, "element_size")]
    writes = [argument.alias_info is not None and argument.alias_info.is_write
              for argument in function._schema.arguments]
    memory = {x.untyped_storage().data_ptr() for x in tensors}
    if out and not any(writes) and all(x.untyped_storage().data_ptr() in memory for x in out):
        return 0    # a view
    name = function._schema.name.split("::")[-1]
    if name in _NOTHING:
        return 0
    if name in _GATHERS:
        return sum(touched(x) for x in tensors[1:]) + 2 * sum(touched(x) for x in out)
    if name in _SCATTERS:
        given = sum(touched(x) for x in tensors[1:])
        # Elements are read, added to and written; a new output is a copy of the first argument beforehand.
        copied = 0 if name.endswith("_") else 2 * touched(tensors[0])
        return given + 2 * touched(tensors[-1]) + copied
    written = out or [x for x, is_written in zip(inputs[0], writes) if is_written]
    return sum(touched(x) for x in (*tensors, *tree_leaves(written)) if hasattr(x, "element_size"))


class Traffic(TorchDispatchMode):
    """Adds up `bytes_of` every operation while it is entered, forward, backward and optimiser alike."""

    def __init__(self):
        super().__init__()
        self.bytes, self.calls, self.flops = Counter(), Counter(), 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        """Run the operation and count it."""
        kwargs = kwargs or {}
        out = function(*args, **kwargs)
        name = function._schema.name.split("::")[-1]
        self.bytes[name] += bytes_of(function, (args, kwargs), out)
        self.calls[name] += 1
        if function._overloadpacket in flop_registry:
            self.flops += flop_registry[function._overloadpacket](*args, **kwargs, out_val=out)
        return out

    @property
    def total(self) -> int:
        """Bytes of all operations."""
        return sum(self.bytes.values())
