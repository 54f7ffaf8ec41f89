"""Intervals of the net migration of a release, and their coverage."""
import numpy as np
import pandas as pd
import xarray as xr

from .interval_balances import FEATURES, NOT_READ, READ, SignedIntervals, net_cells, net_features, net_groups
from .interval_balances_coverage import judge_net_migration
from .interval_material import END_NAMES, ENDS, Material, described


def net_bounds(given: Material) -> tuple[xr.Dataset, pd.DataFrame]:
    """Ends of the 95% and 80% interval of net migration of every territory and year, and their coverage."""
    panel = given.panel
    features = net_features(given.flow, panel, read=True)
    net = given.flow.sum(1, dtype=np.float64) - given.flow.sum(2, dtype=np.float64)
    cells = [net_cells(net, features, panel, given.regions, READ)]
    if given.third is not None:
        flow, places = given.third
        cells.append(net_cells(flow.sum(1, dtype=np.float64) - flow.sum(2, dtype=np.float64),
                               net_features(flow, panel, read=False), panel, given.regions, NOT_READ, places))
    cells = pd.concat(cells, ignore_index=True)
    table = judge_net_migration(cells, given.reference)
    model = SignedIntervals().fit(cells["observed"] - cells["estimate"], cells[list(FEATURES)], net_groups(cells))
    read = np.isfinite(panel["net_migration"].transpose("year", "residence").values)
    klass = np.where(read, 0, 1).astype(np.int8)
    kinds = np.array([READ, NOT_READ if given.third is not None else READ])
    t, j = np.nonzero(np.ones_like(read))
    asked = pd.DataFrame({"kind": kinds[klass[t, j]], "region": np.asarray(given.regions, dtype=str)[j],
                          **dict(zip(FEATURES, features[t, j].T))})
    found = model.quantiles(net[t, j], asked[list(FEATURES)], net_groups(asked), ENDS).reshape(*net.shape, -1)
    ends = {name: (np.minimum if name.startswith("lower") else np.maximum)(found[..., k], net)
            for k, name in enumerate(END_NAMES)}
    dims = ("year", "residence")
    data = xr.Dataset({"net_migration": (dims, net), **{f"net_migration_{k}": (dims, v) for k, v in ends.items()},
                       "read": (dims, klass)}, coords={d: panel[d].values for d in dims})
    return described(data, "net_migration", "what another source would say of the year's net migration",
                      (READ, NOT_READ)), table
