"""Writes a release of format 2 with draws: six territories of two regions, five years, sixty draws, made up."""
import numpy as np
import xarray as xr

from humanflows import artifacts
from humanflows.dataset.draw_file import write_draws
from humanflows.dataset.evidence import EVIDENCE, describe_mask
from humanflows.results.labels import attributes_of
from humanflows.results.release import compact, compact_end
from whole_release import list_files

CODES, YEARS, NUMBER = ["COL", "DEU", "FRA", "POL", "TUV", "VEN"], [2010, 2011, 2012, 2013, 2014], 60
TINY = ("TUV", "POL")       # a corridor of three persons


def make_draws(seed=1):
    """(draw, year, origin, destination): well known corridors and hardly known ones; a part shared by destinations."""
    rng, n = np.random.default_rng(seed), len(CODES)
    middle = rng.lognormal(8, 1.5, (n, n))
    spread = rng.choice([0.02, 0.2, 1.0, 2.5], (n, n))
    noise = 0.8 * rng.standard_normal((NUMBER, 1, n, n)) + 0.6 * rng.standard_normal((NUMBER, len(YEARS), 1, n))
    draws = middle * np.exp(spread * noise)
    draws[..., CODES.index(TINY[0]), CODES.index(TINY[1])] = 3
    draws[:, :, np.arange(n), np.arange(n)] = 0
    return draws


def write_drawn_release(folder, *, profile="world", **about):
    """Flows, stocks, net migration, who spoke and draws; and their manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    draws, n = make_draws(), len(CODES)
    dims, flow = ("year", "origin", "destination"), compact(draws.mean(0))
    evidence = np.random.default_rng(2).integers(0, len(EVIDENCE), flow.shape).astype(np.int8)
    evidence[:, 0, 1] = np.arange(5)
    flags = {"flag_values": np.arange(len(EVIDENCE), dtype=np.int8), "flag_meanings": " ".join(EVIDENCE)}
    net, of_net = draws.sum(2) - draws.sum(3), {}
    variables = {"flow": (dims, flow), "flow_evidence": (dims, evidence, flags)}
    for level, suffix in ((0.95, ""), (0.8, "80"), (0.5, "50")):
        for end, p in (("lower", (1 - level) / 2), ("upper", (1 + level) / 2)):
            of_draws = np.quantile(draws, p, axis=0, method="weibull")
            if not suffix:      # the centre lies inside its 95% interval
                of_draws = (np.minimum if end == "lower" else np.maximum)(of_draws, flow)
            variables[f"flow_{end}{suffix}"] = (dims, compact_end(of_draws, upper=end == "upper"))
            of_net[f"net_migration_{end}{suffix}"] = (("year", "residence"),
                                                      np.quantile(net, p, axis=0, method="weibull"))
    coords = {"year": YEARS, "origin": CODES, "destination": CODES}

    def write(which, data, **more):
        dataset = xr.Dataset(data, coords=more, attrs=attributes_of(profile))
        artifacts.write_netcdf(dataset, folder / which)

    write("flows.nc", variables, **coords)
    balance = flow.astype(float).sum(1) - flow.astype(float).sum(2)
    of_net = {k: (d, (np.minimum if "lower" in k else np.maximum)(v, balance) if k[-1] == "r" else v)
              for k, (d, v) in of_net.items()}
    write("net_migration.nc", {"net_migration": (("year", "residence"), balance), **of_net}, year=YEARS,
          residence=CODES)
    write("stocks.nc", {"stock": (("date_year", "birthplace", "residence"), np.full((6, n, n), 1000.0)),
                        **{f"stock_{e}": (("date_year", "birthplace", "residence"), np.full((6, n, n), v))
                           for e, v in (("lower", 500.), ("lower80", 800.), ("upper80", 1300.), ("upper", 2000.))}},
          date_year=[*YEARS, 2015], birthplace=CODES, residence=CODES)
    spoke = np.where(evidence >= 3, 1, 0).astype(np.uint8)
    write("sources.nc", {"spoke": (dims, spoke, describe_mask(("oecd",), ("DEU",), np.dtype(np.uint8)))}, **coords)
    write_draws(draws, flow, YEARS, CODES, folder / "draws.nc", release=artifacts.sha256(folder / "flows.nc"))
    list_files(folder, profile=profile, format=2, **about)
    return folder
