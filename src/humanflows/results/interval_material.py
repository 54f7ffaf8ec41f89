"""What intervals of a release are made of, and how their ends are named."""
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

ENDS = (0.025, 0.1, 0.9, 0.975)
END_NAMES = ("lower", "lower_80", "upper_80", "upper")


@dataclass(frozen=True)
class Material:
    """What intervals are made of: see :func:`humanflows.intervals.gather`."""

    panel: xr.Dataset
    regions: np.ndarray                          # of each territory
    cells: pd.DataFrame                          # interval_cells.build_cells, with fold and group
    flow: np.ndarray                             # (year, origin, destination): the estimates
    spread: np.ndarray                           # of the members' log(1 + flow)
    stock: np.ndarray                            # (date_year, birthplace, residence)
    stock_spread: np.ndarray
    blind_stock: tuple[np.ndarray, np.ndarray]   # the same of members that saw no count from blind_from on
    blind_from: int
    members_of_year: Callable[[int], np.ndarray]     # position of a year → (member, origin, destination)
    third: tuple[np.ndarray, np.ndarray] | None      # flows, and which territories' net migration they did not see
    reference: tuple[str, np.ndarray, np.ndarray] | None = None   # name, mean and standard deviation of net migration


def described(data: xr.Dataset, name: str, what: str, classes: Sequence[str]) -> xr.Dataset:
    """The dataset with units, names and what its intervals promise; classes are those of its int8 variable."""
    data[name].attrs.update(units="persons", long_name="estimate: mean of the members")
    for end, level in (("lower", 95), ("upper", 95), ("lower_80", 80), ("upper_80", 80)):
        data[f"{name}_{end}"].attrs.update(units="persons", long_name=f"{end.split('_')[0]} end of the {level}% "
                                           "interval", definition=what)
    flags = next(k for k in data.data_vars if data[k].dtype == np.int8)
    data[flags].attrs.update(flag_values=np.arange(len(classes), dtype=np.int8), flag_meanings=" ".join(
        c.replace(" ", "_") for c in classes))
    return data
