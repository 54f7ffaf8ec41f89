"""Draws are laid beside reports: by position, by series, and by nothing else."""
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from humanflows.config import ObservationConfig
from humanflows.errors import SchemaError
from humanflows.model.observation import ObservationModel
from humanflows.uncertainty.crossfit import reports_to_judge
from humanflows.uncertainty.gather import DrawnReports, flows_at, gather_reports, lasting_at


@pytest.fixture(scope="module")
def observed(small_panel):
    """An observation model that learned from every other report, with lasting deviations that tell their series."""
    mask = np.arange(small_panel.sizes["observation"]) % 2 == 0
    n = small_panel.sizes["origin"]
    model = ObservationModel(small_panel, mask, np.ones((n, n), dtype=bool), ObservationConfig())
    with torch.no_grad():
        model.lasting.copy_(torch.arange(len(model.lasting), dtype=torch.float32))
        model.log_bias_step.copy_(0.1 * torch.arange(len(model.log_bias_step), dtype=torch.float32))
    return mask, model


def test_lasting_deviations_are_those_of_the_series_and_corridor(small_panel, observed):
    mask, model = observed
    cells = reports_to_judge(small_panel)
    found = lasting_at(model, cells, small_panel.sizes["origin"])
    key = ["witness", "origin", "destination"]
    learned = pd.DataFrame({k: small_panel[f"flow_{k}"].values[mask].astype(np.int64) for k in key})
    learned["value"] = model.report_series.numpy()
    wanted = cells[key].merge(learned.drop_duplicates(key), on=key, how="left")["value"].to_numpy()
    np.testing.assert_array_equal(found, wanted.astype(np.float32))
    assert np.isfinite(found).any()


def flows(panel, draws=3, first=1):
    shape = (draws, panel.sizes["year"], panel.sizes["origin"], panel.sizes["destination"])
    return xr.DataArray(np.arange(np.prod(shape), dtype=np.float32).reshape(shape),
                        dims=("draw", "year", "origin", "destination"),
                        coords={"member": ("draw", [first] * draws), "number": ("draw", range(1, draws + 1))})


def walk(model, draws=3, first=1):
    return ((first, k, SimpleNamespace(observation=model)) for k in range(1, draws + 1))


def test_draws_of_two_designs_are_joined(small_panel, observed):
    _, model = observed
    cells, flow = reports_to_judge(small_panel), flows(small_panel)
    drawn = gather_reports(small_panel, cells, [(flow, walk(model), 0), (flow, walk(model), 5)])
    assert drawn.member.tolist() == [0, 0, 0, 5, 5, 5]
    at = tuple(cells[k].to_numpy() for k in ("year", "origin", "destination"))
    np.testing.assert_array_equal(drawn.flow[4], flow.values[1][at])
    bias = drawn.log_bias[0, model.bias_year.numpy(), model.bias_witness.numpy()]
    np.testing.assert_allclose(bias, model.log_bias.detach().numpy())
    assert np.isnan(drawn.log_bias[0]).sum() == drawn.log_bias[0].size - len(model.bias_year)
    own = drawn.of_members([5], np.arange(7))
    assert own.flow.shape == (3, 7) and set(own.member) == {5}


def test_flows_and_parameters_of_other_draws_are_refused(small_panel, observed):
    _, model = observed
    cells = reports_to_judge(small_panel)
    for other in (walk(model, 2), walk(model, first=2), walk(model, 4)):
        with pytest.raises(SchemaError, match="draws"):
            gather_reports(small_panel, cells, [(flows(small_panel), other, 0)])
    with pytest.raises(SchemaError, match="dims"):
        flows_at(flows(small_panel).transpose("year", "draw", "origin", "destination"), [0], [0], [0])
    part = np.zeros((2, 3))
    with pytest.raises(SchemaError, match="shapes"):
        DrawnReports(part, np.zeros(2), np.zeros((2, 1, 1)), np.zeros((2, 1, 1)), np.zeros((2, 1)), part[:1])
