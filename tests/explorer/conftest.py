"""A release of eight territories and eight years with everything that a page can show, made up."""
import numpy as np
import pytest
import xarray as xr
from small_release import CODES, METHODS, OCEAN, YEARS, write_release

from humanflows import artifacts
from humanflows.explorer import comparisons
from humanflows.explorer.page import write_explorer
from humanflows.results.peers import REFERENCE
from humanflows.results.release import compact


@pytest.fixture(scope="session")
def flow():
    """Flows (year, origin, destination): sizes from a few persons to a million, one corridor with a wave."""
    rng = np.random.default_rng(5)
    n = len(CODES)
    level = 10 ** rng.uniform(0.2, 5.5, (n, n))
    values = level * np.exp(np.cumsum(rng.normal(0, 0.1, (len(YEARS), n, n)), 0))
    values[YEARS.index(2015), CODES.index("SYR"), CODES.index("DEU")] = 321_400.0
    values[YEARS.index(2015), CODES.index("COL"), CODES.index("MLT")] = 5.95
    values[YEARS.index(2015), CODES.index("MLT"), CODES.index("COL")] = 0.2
    values[:, np.arange(n), np.arange(n)] = 0.0
    return compact(values)


@pytest.fixture(scope="session")
def panel(flow):
    """A panel with reports of two offices and a platform, of some corridors."""
    corridors = [("SYR", "DEU"), ("POL", "DEU"), ("POL", "ESP")]
    witness = [("undesa_imfsc", "DEU", "immigration", "residence"), ("eurostat", "POL", "emigration", "citizenship"),
               ("meta", "", "both", "residence")]
    rows = [(t, CODES.index(o), CODES.index(d), w, round(flow[t, CODES.index(o), CODES.index(d)] * f))
            for o, d in corridors for w, f in ((0, 1.25), (1, 0.5), (2, 0.8)) for t in range(len(YEARS))
            if (w, o, d) not in {(1, "SYR", "DEU"), (0, "POL", "ESP")} and (w < 2 or YEARS[t] >= 2019)]
    where = dict(zip(("year", "origin", "destination", "witness", "persons"), np.array(rows).T))
    return xr.Dataset(
        {**{f"flow_{k}": ("observation", v) for k, v in where.items()},
         **{f"witness_{k}": ("witness", [w[i] for w in witness])
            for i, k in enumerate(("source", "reporter", "side", "criterion"))}},
        coords={"year": YEARS, "origin": CODES, "destination": CODES, "witness": ["|".join(w) for w in witness]})


@pytest.fixture(scope="session")
def release(flow, panel, tmp_path_factory):
    """A release with everything."""
    return write_release(tmp_path_factory.mktemp("whole") / "release", flow, panel)


@pytest.fixture(scope="session")
def bare_release(flow, tmp_path_factory):
    """A release of flows, stocks and net migration alone."""
    return write_release(tmp_path_factory.mktemp("bare") / "release", flow, whole=False)


@pytest.fixture(scope="session")
def peers(flow):
    """What others estimate: half as much, by the year; and sums of five years, one territory left out."""
    dims = ("year", "origin", "destination")
    reference = xr.DataArray(flow / 2, dims=dims, coords={"year": YEARS, "origin": CODES, "destination": CODES})
    reference = reference.copy(data=np.where(np.array(YEARS)[:, None, None] == 2022, np.nan, reference.values))
    five = np.stack([flow[3:8].sum(0), flow[8:13].sum(0)])
    five[:, CODES.index("MLT")] = five[:, :, CODES.index("MLT")] = np.nan
    periods = {"period": [2010, 2015], "origin": CODES, "destination": CODES}
    return {REFERENCE: reference, **{m: xr.DataArray(five * f, dims=("period", *dims[1:]), coords=periods)
                                     for m, f in zip(METHODS, (1.0, 0.3))}}


@pytest.fixture(scope="session")
def whole_page(release, panel, peers, tmp_path_factory):
    """The page with everything; its folder."""
    file = artifacts.write_netcdf(panel, tmp_path_factory.mktemp("panel") / "panel.nc")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparisons, "published_peers", lambda *_, download: {} if download else peers)
        return write_explorer(tmp_path_factory.mktemp("book") / "explorer", release, panel=file).parent


@pytest.fixture(scope="session")
def ocean_page(tmp_path_factory):
    """A page of places on both sides of the antimeridian, everybody moving to everybody; its folder."""
    moves = np.full((len(YEARS), len(OCEAN), len(OCEAN)), 1000.0)
    moves[:, np.arange(len(OCEAN)), np.arange(len(OCEAN))] = 0.0
    made = write_release(tmp_path_factory.mktemp("ocean") / "release", moves, whole=False, codes=OCEAN)
    return write_explorer(tmp_path_factory.mktemp("book") / "explorer", made, sources=False).parent


@pytest.fixture(scope="session")
def bare_page(bare_release, tmp_path_factory):
    """The page of a bare release without sources; its folder."""
    return write_explorer(tmp_path_factory.mktemp("book") / "explorer", bare_release, sources=False).parent
