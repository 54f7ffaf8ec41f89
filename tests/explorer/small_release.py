"""Writes a small release with everything that a page can show, or with the least."""
import numpy as np
import pandas as pd
import xarray as xr

from humanflows import artifacts
from humanflows.dataset.evidence import write_sources
from humanflows.results.estimates import net_migration_of
from humanflows.results.release import write_estimates_of
from whole_release import born, keep_books, list_files

CODES = ["COL", "DEU", "ESP", "MLT", "POL", "SYR", "TUR", "VEN"]
OCEAN = ["AUS", "DEU", "FJI", "JPN", "NZL", "RUS", "TON", "USA", "WSM"]
YEARS = list(range(2007, 2023))
METHODS = ("Abel & Cohen 2023: demographic accounting, pseudo-Bayes", "Abel & Cohen 2023: migration rate")


def write_release(folder, flow, panel=None, *, whole=True, codes=CODES):
    """Write a release; without intervals, birthplaces, sources and events where it is not whole."""
    dates = [*YEARS, YEARS[-1] + 1]
    folder.mkdir(parents=True, exist_ok=True)
    dims = {"year": YEARS, "origin": codes, "destination": codes}
    parts = born(flow)
    if "SYR" in codes:      # hardly anybody returns
        back = (codes.index("SYR"), codes.index("DEU"))
        parts["return_part"][back] = np.round(np.minimum(1000, np.ceil(flow[:, *back])) * 0.004)
    stock = keep_books(flow, parts, codes)
    estimates = xr.Dataset(
        {"flow": (tuple(dims), flow), "net_migration": (("year", "residence"), net_migration_of(flow)),
         "stock": (("date_year", "birthplace", "residence"), stock)},
        coords={**dims, "residence": codes, "date_year": dates, "birthplace": codes})
    bounds = None
    if whole:
        bounds = xr.Dataset({f"{v}_{end}": estimates[v] * factor if v != "net_migration" else estimates[v] + shift
                             for v in estimates for end, factor, shift in (("lower", 0.5, -5e3), ("upper", 3.0, 5e3))})
        bounds["flow_upper"] = bounds["flow_upper"].clip(min=1.5)       # nobody is released with an interval as well
        bounds = bounds.assign({k: bounds[k].sel(date_year=dates[::5]) for k in ("stock_lower", "stock_upper")})
    write_estimates_of(estimates, folder, bounds)
    if whole:
        write_sources(panel, folder / "sources.nc")
        of = {"native_part": ("origin", "destination"), "return_part": ("origin", "destination"),
              "presence": ("birthplace", "origin"), "leaning": ("birthplace", "destination")}
        artifacts.write_netcdf(xr.Dataset({k: ((*of[k], "year"), v) for k, v in parts.items()},
                                          coords={**dims, "birthplace": codes}), folder / "birthplace.nc")
        told = [("SYR-DEU-2014", "t", y, "oecd, immigration, citizenship", "reported", 1000.0 * (y - 2006), 5.0, 1)
                for y in YEARS[:12]]
        pd.DataFrame(told, columns=["shock", "title", "year", "series", "kind", "persons", "estimated", "corridors"]
                     ).to_csv(folder / "shocks.csv", index=False)
        totals = [(t, a, b, y, flow[k].sum(axis)[i], 0.5 * flow[k].sum(axis)[i], 2 * flow[k].sum(axis)[i])
                  for k, y in enumerate(YEARS) for i, c in enumerate(codes)
                  for t, a, b, axis in (("into", "World", c, 0), ("out of", c, "World", 1))]
        pd.DataFrame(totals, columns=["total", "origin", "destination", "year", "persons", "lower", "upper"]).to_csv(
            folder / "sums.csv", index=False)
    list_files(folder, format=1)
    return folder
