"""Made-up draws, of which everything is known: who is uncertain, and what networks have in common."""
import numpy as np
import xarray as xr

CODES = np.array(["AUT", "BRA", "DEU", "FRA", "IND", "ITA", "POL", "SYR", "TUR", "USA"])
YEARS, DRAWS, NETWORKS = np.arange(2000, 2008), 104, 8
REGIONS = np.array(["a", "b", "a", "a", "c", "a", "a", "c", "c", "b"])


CENTRE = np.log(5000.0) + 0.3 * np.random.default_rng(0).standard_normal((len(CODES),) * 2)


def make_draws(rng, *, corridor=None, into=None, world=0.0, network=0.05, centre=CENTRE, codes=CODES, years=YEARS,
               draws=DRAWS, networks=NETWORKS) -> xr.Dataset:
    """Flows whose logs deviate from ``centre`` by corridor (deviations (origin, destination)), by destination
    (deviations (territory,)), all alike, and by network; the same in every year."""
    n = len(codes)
    code = np.arange(draws) % networks
    logs = centre + (np.zeros((n, n)) if corridor is None else corridor) * rng.standard_normal((draws, n, n))
    logs = logs + ((np.zeros(n) if into is None else into) * rng.standard_normal((draws, n)))[:, None, :]
    logs = logs + world * rng.standard_normal((draws, 1, 1)) + network * rng.standard_normal((networks, n, n))[code]
    flow = np.repeat(np.exp(logs)[:, None], len(years), 1)
    flow[:, :, np.arange(n), np.arange(n)] = 0
    stock = 1e5 * np.exp(0.1 * rng.standard_normal((draws, len(years) + 1, n, n)))
    return xr.Dataset({"flow": (("draw", "year", "origin", "destination"), flow.astype(np.float32)),
                       "stock": (("draw", "date_year", "birthplace", "residence"), stock.astype(np.float32))},
                      coords={"member": ("draw", code + 1), "year": years, "origin": codes, "destination": codes,
                              "date_year": np.append(years, years[-1] + 1)})
