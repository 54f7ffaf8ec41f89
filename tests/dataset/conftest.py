"""A release of the small simulated world, with intervals and without; an untrained model will do for files."""
import numpy as np
import pytest
import torch
import xarray as xr

from humanflows import artifacts
from humanflows.dataset.birthplace import write_birthplace
from humanflows.dataset.evidence import write_sources
from humanflows.dataset.factors import moves_of
from humanflows.model import train as training
from humanflows.results import release as released
from humanflows.results.birthplace_ends import KINDS, SHARES_FROM
from whole_release import list_files


@pytest.fixture(scope="session")
def small_model(small_panel, small_splits, small_config):
    """A member with the weights it begins with, but more moves onward than those make."""
    model, _, _ = training.build_member(small_panel, small_splits, small_config)
    with torch.no_grad():
        model.direction.normal_(0, 0.5, generator=torch.Generator().manual_seed(1))
        model.onward_level.fill_(3.0)
    return model


@pytest.fixture(scope="session")
def bare_folder(small_model, small_panel, tmp_path_factory):
    """Flows, stocks and net migration alone, as the first releases had them."""
    folder = tmp_path_factory.mktemp("bare")
    with torch.no_grad():
        run = small_model()
    years, codes = small_panel.year.values.tolist(), small_panel.origin.values.astype(str).tolist()
    file = folder / "estimates.tmp"
    from humanflows.results.estimates import open_estimates, write_estimates

    write_estimates(run.flow.numpy(), run.stock.numpy(), None, years, codes, file)
    released.write_estimates_of(open_estimates(file), folder)
    file.unlink()
    list_files(folder)
    return folder


@pytest.fixture(scope="session")
def release_folder(bare_folder, small_model, small_panel, tmp_path_factory):
    """The same with who spoke, flows by birthplace, intervals and the members' spread (made up)."""
    folder = tmp_path_factory.mktemp("release")
    (folder / "net_migration.nc").write_bytes((bare_folder / "net_migration.nc").read_bytes())
    flows = xr.load_dataset(bare_folder / "flows.nc", engine="netcdf4")
    stock = xr.load_dataset(bare_folder / "stocks.nc", engine="netcdf4").stock.values
    rng = np.random.default_rng(3)
    half = rng.exponential(1.0, flows.flow.shape)
    for end, sign in (("lower", -1), ("upper", 1)):
        values = np.maximum((flows.flow.values + 1) * np.exp(sign * half) - 1, 0)
        flows[f"flow_{end}"] = (flows.flow.dims, released.compact(values))
    flows["flow_spread"] = (flows.flow.dims, (half / 3).astype(np.float32))
    artifacts.write_netcdf(flows, folder / "flows.nc")
    stocks = xr.load_dataset(bare_folder / "stocks.nc", engine="netcdf4")
    for end, factor in (("lower", 0.9), ("upper", 1.1)):     # on some dates, as releases have them
        stocks[f"stock_{end}"] = stocks.stock * factor
        stocks[f"stock_{end}"][1::2] = np.nan
    artifacts.write_netcdf(stocks, folder / "stocks.nc")
    write_sources(small_panel, folder / "sources.nc")
    write_birthplace(moves_of(small_model), flows.flow.values, stock, flows.year.values.tolist(),
                     flows.origin.values.astype(str).tolist(), folder / "birthplace.nc", made_from="member 1",
                     spread=np.linspace(0.1, 0.9, len(KINDS) * len(SHARES_FROM)).reshape(len(KINDS), -1))
    (folder / "CHANGELOG.md").write_text("# Changelog\n\n## 1.2.3 (2026-11-22)\n\nSmall.\n\n## 1.2.2\n\nSmaller.\n")
    list_files(folder, format=1)
    return folder


@pytest.fixture(scope="session")
def package_folder(release_folder, tmp_path_factory):
    """The package of the small release."""
    from humanflows.dataset.package import write_package

    return write_package(tmp_path_factory.mktemp("made") / "package", release_folder).parent


@pytest.fixture(scope="session")
def small_flows(release_folder):
    """The released flows of the small world."""
    return xr.load_dataset(release_folder / "flows.nc", engine="netcdf4")
