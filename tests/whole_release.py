"""Writes a release of four territories and three years whose numbers say the same everywhere, in no time."""
import json
from types import SimpleNamespace

import numpy as np
import xarray as xr

from humanflows import artifacts
from humanflows.dataset.birthplace import ByBirthplace
from humanflows.dataset.names import name
from humanflows.results.estimates import net_migration_of
from humanflows.results.labels import attributes_of
from humanflows.results.release import compact, write_estimates_of
from humanflows.results.released_sums import totals_of

CODES, YEARS = ["COL", "FJI", "TON", "VEN"], [2010, 2011, 2012]
DATES = [*YEARS, YEARS[-1] + 1]


def list_files(folder, **more):
    """Write the manifest of a folder anew."""
    files = {f.relative_to(folder).as_posix(): artifacts.sha256(f) for f in artifacts.visible_files(folder)
             if f != folder / "manifest.json"}
    about = {"profile": "world", "seed": 1, **more, "files": files}
    (folder / "manifest.json").write_text(json.dumps(about))


def keep_books(flow, parts, codes=CODES):
    """Stocks (date, birthplace, residence) that follow from the flows, one in a hundred abroad dying in a year."""
    both = flow.max(0) + flow.max(0).T
    stock = np.repeat((20 * both + 1000.0)[None], len(flow) + 1, 0)
    arrays = {"flow": flow, "stock": stock, **parts}
    reader = ByBirthplace(SimpleNamespace(array=arrays.get, codes=codes))
    for t in range(len(flow)):
        arrivals, departures = reader.margins(t)
        stock[t + 1] = 0.99 * stock[t] + arrivals - departures
        stock[t + 1, range(len(codes)), range(len(codes))] = stock[t].diagonal()
    assert (stock >= 0).all()
    return stock


def born(flow):
    """Parts by birthplace: seven in ten people return to where they are from, or leave it."""
    n, parts = flow.shape[1], np.minimum(1000, np.ceil(flow)).transpose(1, 2, 0)
    even = dict.fromkeys(("presence", "leaning"), np.zeros((n, n, len(flow)), np.int16))
    return {"native_part": np.round(parts * 0.7).astype(np.int16),
            "return_part": np.round(parts * 0.2).astype(np.int16), **even}


def write_whole_release(folder, *, profile="world"):
    """Flows with intervals, stocks, net migration, birthplaces, sums and facts; and their manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    rng, n = np.random.default_rng(4), len(CODES)
    flow = compact(rng.lognormal(7, 2, (len(YEARS), n, n)))
    flow[:, np.arange(n), np.arange(n)] = 0
    flow[0, 1, 2] = 0
    parts = born(flow)
    stock = keep_books(flow.astype(float), parts)
    dims = {"year": YEARS, "origin": CODES, "destination": CODES}
    estimates = xr.Dataset(
        {"flow": (tuple(dims), flow), "net_migration": (("year", "residence"), net_migration_of(flow)),
         "stock": (("date_year", "birthplace", "residence"), stock)},
        coords={**dims, "residence": CODES, "date_year": DATES, "birthplace": CODES})
    bounds = xr.Dataset({f"{v}_{end}": estimates[v] * factor if v != "net_migration" else estimates[v] + shift
                         for v in estimates for end, factor, shift in (("lower", 0.5, -50), ("upper", 3.0, 50))})
    write_estimates_of(estimates, folder, bounds, profile=profile)
    of = {"native_part": ("origin", "destination"), "return_part": ("origin", "destination"),
          "presence": ("birthplace", "origin"), "leaning": ("birthplace", "destination")}
    artifacts.write_netcdf(xr.Dataset({k: ((*of[k], "year"), v) for k, v in parts.items()},
                                      coords={**dims, "birthplace": CODES}, attrs=attributes_of(profile)),
                           folder / "birthplace.nc")
    sums = totals_of(flow, YEARS, CODES).reset_index()
    sums = sums.assign(lower=sums["persons"] * 0.5, upper=sums["persons"] * 2)
    sums.to_csv(folder / "sums.csv", index=False, float_format="%.6g")
    o, d = np.unravel_index(flow[-1].argmax(), (n, n))
    (folder / "facts.json").write_text(json.dumps({
        "first_year": str(YEARS[0]), "flow_last_year": f"{flow[-1].sum() / 1e6:.1f} million",
        "largest_corridor": f"{name(CODES[o])} to {name(CODES[d])}",
        "largest_corridor_flow": f"{flow[-1, o, d] / 1e3:,.0f} thousand"}))
    (folder / "CHANGELOG.md").write_text("# Changelog\n\n## 1.2.3 (2026-11-22)\n\nSmall.\n")
    list_files(folder, profile=profile, format=1)
    return folder


def alter(file, change, **more):
    """Load a NetCDF file of a release, change it, write it, and list it anew, as somebody who covers his tracks."""
    data = xr.load_dataset(file, engine="netcdf4")
    changed = change(data)
    artifacts.write_netcdf(data if changed is None else changed, file)
    list_files(file.parent, **more)
