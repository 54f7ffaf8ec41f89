"""A release of five territories and six years, made of numbers, with and without intervals; and its pages."""
import json

import numpy as np
import pytest
import xarray as xr

from humanflows import artifacts
from humanflows.countries import build_countries
from humanflows.dataset import open_estimates
from humanflows.dataset.evidence import describe_mask

CODES = ("COD", "DEU", "NLD", "SYR", "TUV")
YEARS = list(range(2018, 2024))
SOURCES = ("eurostat", "meta")
OF_ORIGIN, OF_DESTINATION = 1 << len(SOURCES), 1 << (len(SOURCES) + 1)
FLOW = ("year", "origin", "destination")


def list_files(folder):
    """Write the manifest of a folder anew."""
    files = {f.name: artifacts.sha256(f) for f in sorted(folder.glob("*")) if f.name != "manifest.json"}
    (folder / "manifest.json").write_text(json.dumps({"format": 1, "profile": "world", "files": files}))


def write_release(folder, *, full=True, factor=1.0, change=None):
    """Flows, stocks and net migration; with intervals, totals' intervals and who spoke where ``full``.

    ``change`` alters the flows before all else is made of them.
    """
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(5)
    n, t = len(CODES), len(YEARS)
    flow = np.round(rng.lognormal(7, 1.5, (t, n, n)) * factor, 1).astype(np.float32)
    flow[:, np.arange(n), np.arange(n)] = 0
    flow[:, CODES.index("TUV"), CODES.index("COD")] = 0        # nobody moves
    flow[0, CODES.index("DEU"), CODES.index("TUV")] = 6        # few do
    if change:
        change(flow)
    stock = np.round(rng.lognormal(9, 1.5, (t + 1, n, n)) * factor).astype(np.float32)
    net = (flow.sum(1, dtype=np.float64) - flow.sum(2, dtype=np.float64)).astype(np.float32)
    places = {d: list(CODES) for d in ("origin", "destination", "birthplace", "residence")}
    flows = {"flow": (FLOW, flow)}
    stocks = {"stock": (("date_year", "birthplace", "residence"), stock)}
    nets = {"net_migration": (("year", "residence"), net)}
    if full:
        width = rng.uniform(1.1, 3.0, flow.shape)
        flows |= {"flow_lower": (FLOW, (flow / width).astype(np.float32)),
                  "flow_upper": (FLOW, (flow * width).astype(np.float32))}
        nets |= {f"net_migration_{e}": (nets["net_migration"][0], net + s * 100 * factor)
                 for e, s in (("lower", -1), ("upper", 1))}
        stocks |= {f"stock_{e}": (stocks["stock"][0], stock * f) for e, f in (("lower", 0.9), ("upper", 1.1))}
        spoke = np.zeros(flow.shape, np.uint8)
        deu, nld, syr, tuv = (CODES.index(c) for c in ("DEU", "NLD", "SYR", "TUV"))
        spoke[:4, syr, deu] = 1 | OF_DESTINATION                    # until 2021
        spoke[:, nld, deu] = 1 | OF_DESTINATION
        spoke[2:, nld, deu] |= OF_ORIGIN                            # both from 2020
        spoke[5, tuv, syr] = 2                                      # a platform, in the last year
        artifacts.write_netcdf(xr.Dataset(
            {"spoke": (FLOW, spoke, describe_mask(SOURCES, ("DEU", "NLD"), spoke.dtype))},
            {"year": YEARS, "origin": list(CODES), "destination": list(CODES)}), folder / "sources.nc")
        lines = ["total,origin,destination,year,persons,lower,lower_80,upper_80,upper"]
        for y, year in enumerate(YEARS):
            for k, code in enumerate(CODES):
                for total, o, d, value in (("into", "World", code, flow[y, :, k].sum()),
                                           ("out of", code, "World", flow[y, k].sum())):
                    lines.append(f"{total},{o},{d},{year},{value},{value * 0.8},{value * 0.9},{value * 1.1},"
                                 f"{value * 1.25}")
        (folder / "sums.csv").write_text("\n".join(lines) + "\n")
    for name, variables, years in (("flows", flows, {"year": YEARS}), ("net_migration", nets, {"year": YEARS}),
                                   ("stocks", stocks, {"date_year": [*YEARS, YEARS[-1] + 1]})):
        dims = {d for dims, *_ in variables.values() for d in dims} & set(places)
        artifacts.write_netcdf(xr.Dataset(variables, {**years, **{d: places[d] for d in dims}}), folder / f"{name}.nc")
    (folder / "CHANGELOG.md").write_text("# Changelog\n\n## 1.2.3 (2026-11-22)\n\nSmall.\n")
    list_files(folder)
    return folder


@pytest.fixture(scope="session")
def release(tmp_path_factory):
    """With intervals and who spoke."""
    return write_release(tmp_path_factory.mktemp("release"))


@pytest.fixture(scope="session")
def bare(tmp_path_factory):
    """Flows, stocks and net migration alone."""
    return write_release(tmp_path_factory.mktemp("bare"), full=False)


@pytest.fixture(scope="session")
def pages(release, tmp_path_factory):
    """Folder of the pages of the release."""
    return build_countries(tmp_path_factory.mktemp("pages"), release, workers=1).folder


@pytest.fixture(scope="session")
def bare_pages(bare, tmp_path_factory):
    """Folder of the pages of the release without intervals."""
    return build_countries(tmp_path_factory.mktemp("bare_pages"), bare, workers=1).folder


@pytest.fixture(scope="session")
def estimates(release):
    """Answers of the release as its users get them."""
    return open_estimates(release)
