"""Whole numbers as people write them: Python's, numpy's, arrays of a single one; never a truth value or a fraction."""
from numbers import Integral, Real

import numpy as np

MOST_SHOWN = 60     # characters of what was given that an error quotes


def whole(value) -> int | None:
    """The whole number that is meant; None for anything else, a text of digits among it."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        return None
    if isinstance(value, Integral):
        return int(value)
    return int(value) if float(value).is_integer() else None


def quoted(value) -> str:
    """What was given, in one line that is not too long."""
    # A text is cut before it is made visible: nobody needs the escapes of a million letters.
    text = " ".join(repr(value[:MOST_SHOWN + 1] if isinstance(value, str | bytes) else value).split())
    return text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + "…"
