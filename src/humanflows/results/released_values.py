"""What the numbers, codes and names of released files may be: one check, at the door of the store."""
import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

import numpy as np

from ..errors import ArtifactError

MOST_PERSONS = 1e10         # more than there are people
MOST_STEPS = 10_000         # of a factor of birthplace.nc
PARTS = 1000                # of a flow by birthplace
YEARS = 1, 9999
_CODE = re.compile(r"[A-Z]{3}")
_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.=-]*")

# Lowest and highest number; whether it may be missing; kind of numbers.
_PERSONS, _BALANCE = (0.0, MOST_PERSONS), (-MOST_PERSONS, MOST_PERSONS)
_RULES: dict[str, tuple[tuple[float, float], bool, str]] = {
    "flow": (_PERSONS, False, "f"), "stock": (_PERSONS, False, "f"), "net_migration": (_BALANCE, False, "f"),
    "flow_spread": ((0.0, 100.0), False, "f"), "share_spread": ((0.0, 100.0), False, "f"),
    "flow_seen": ((0, 127), False, "iu"), "flow_evidence": ((0, 127), False, "iu"),
    "spoke": ((0, 2**16 - 1), False, "iu"),
    "native_part": ((0, PARTS), False, "iu"), "return_part": ((0, PARTS), False, "iu"),
    "presence": ((-MOST_STEPS, MOST_STEPS), False, "iu"), "leaning": ((-MOST_STEPS, MOST_STEPS), False, "iu"),
    **{f"{name}_{end}": (of, True, "f") for name, of in (("flow", _PERSONS), ("stock", _PERSONS),
                                                        ("net_migration", _BALANCE))
       for end in ("lower", "upper", "lower80", "upper80", "lower50", "upper50")},
}


def check_values(name: str, values: np.ndarray, file, remedy: str) -> None:
    """Refuse numbers that a released variable cannot have; variables of other names pass.

    Parameters
    ----------
    name, values : a variable of a release.
    file, remedy : for messages.

    Raises
    ------
    ArtifactError
        For numbers of another kind, missing, infinite, negative or larger than any could be, and for flows from a
        territory to itself.
    """
    if name not in _RULES:
        return
    (low, high), may_miss, kinds = _RULES[name]
    if values.dtype.kind not in kinds:
        raise ArtifactError(file, f"{name} holds {values.dtype}", remedy, key=name)
    with np.errstate(invalid="ignore"):
        bad = ~((values >= low) & (values <= high))
    if may_miss:
        bad &= ~np.isnan(values)
    if bad.any():
        where = tuple(int(k) for k in np.argwhere(bad)[0])
        raise ArtifactError(file, f"{name} is {values[where]} in {int(bad.sum()):,} cells, the first of them {where}; "
                            f"it lies between {low:g} and {high:g}", remedy, key=name)
    if name == "flow" and np.diagonal(values, axis1=-2, axis2=-1).any():
        raise ArtifactError(file, "flow from a territory to itself", remedy, key=name)


def check_end(name: str, values: np.ndarray, middle: np.ndarray, file, remedy: str) -> None:
    """Refuse an end of an interval (``flow_lower``, …) that lies on the wrong side of its estimate."""
    with np.errstate(invalid="ignore"):
        wrong = values > middle if name.endswith("_lower") else values < middle
    if wrong.any():
        where = tuple(int(k) for k in np.argwhere(wrong)[0])
        raise ArtifactError(file, f"{name} is {values[where]} beside an estimate of {middle[where]}, and on the wrong "
                            f"side of it in {int(wrong.sum()):,} cells, the first of them {where}", remedy, key=name)


def check_codes(codes: Sequence[str], file, remedy: str) -> None:
    """Refuse codes that are not three capital letters each, or not different. They name files."""
    for code in codes:
        if not _CODE.fullmatch(code):
            raise ArtifactError(file, f"the code {code[:40]!r} is no ISO 3166-1 alpha-3 code of a territory", remedy,
                                key=code[:40])
    if not codes or len(set(codes)) != len(codes):
        raise ArtifactError(file, "it holds no territories, or one of them twice", remedy, key="origin")


def check_years(years: Sequence[int], file, remedy: str) -> None:
    """Refuse years that are not one after another, or no years."""
    if not years or list(years) != list(range(years[0], years[-1] + 1)) \
            or not YEARS[0] <= years[0] <= years[-1] <= YEARS[1]:
        raise ArtifactError(file, "its years are not consecutive", remedy, key="year")


def check_names(names: Iterable[str], file, remedy: str) -> None:
    """Refuse names of files that could lead out of their folder, or are hidden; parts are parted by ``/``."""
    for name in names:
        parts = PurePosixPath(name).parts
        if not name or "/".join(parts) != name or not all(_SEGMENT.fullmatch(p) for p in parts):
            raise ArtifactError(file, f"{name[:80]!r} is no name of a file below its folder", remedy, key=name[:80])
