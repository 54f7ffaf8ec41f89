"""What is expected of the reports of the real world's offices, in the panel of their real collections."""
import numpy as np
import pandas as pd
import pytest

from humanflows import paths
from humanflows.panel.harmonise import _witnesses
from humanflows.panel.report_priors import NAMES, NONE, report_priors, require_priors
from humanflows.panel.reporting_systems import CLASSES, DURATIONS, add_priors, describe_reports
from humanflows.sources.catalogue import SOURCES, load_source
from humanflows.territories import codes

pytestmark = pytest.mark.sources
YEARS = range(1990, 2025)


@pytest.fixture(scope="module")
def flow():
    """All reported flows, read once."""
    folders = [f for f in (paths.mirror(), paths.CACHE) if f is not None]
    tables = []
    for source in (s for s in SOURCES.values() if "flow" in s.tables):
        for file in source.files:
            if not any((folder / file).is_file() for folder in folders):
                pytest.skip(f"the real source file {file} is not on this machine (neither mirrored nor downloaded)")
        tables.append(load_source(source.name)["flow"])
    return pd.concat(tables, ignore_index=True)


@pytest.fixture(scope="module")
def panel(flow):
    """The lists of reports of the real panel, with what is expected of them."""
    import xarray as xr

    panel = xr.Dataset(coords={"year": list(YEARS)}).assign(_witnesses(flow, codes(), list(YEARS)))
    return panel.assign(report_priors(panel))


def test_every_report_has_a_definition_and_finite_priors(panel):
    require_priors(panel)
    assert panel.sizes["observation"] > 600_000 and panel.sizes["witness"] > 300
    at = np.zeros((panel.sizes["year"], panel.sizes["witness"]), bool)
    at[panel.flow_year.values, panel.flow_witness.values] = True
    for name in NAMES[:3]:
        assert (np.isfinite(panel[name].values) == at).all(), name
    for name in NAMES[3:6]:
        assert ((panel[name].values != NONE) == at).all(), name
    assert not panel.report_break.values[~at].any()


def test_the_arrays_are_the_table_of_definitions(panel, flow):
    told = add_priors(describe_reports(flow[flow["year"].isin(YEARS)]))
    series = [panel[f"witness_{k}"].values.astype(str) for k in ("source", "reporter", "side", "criterion")]
    number = {key: k for k, key in enumerate(zip(*series))}
    keys = list(zip(told["source"], told["reporter"], told["side"], told["criterion"]))
    at = told["year"].to_numpy() - YEARS[0], np.array([number[key] for key in keys])
    assert len(told) == np.isfinite(panel.report_spread.values).sum() > 4000
    for name, column in (("log_bias", "log_bias_mean"), ("log_bias_sd", "log_bias_sd"), ("spread", "spread")):
        np.testing.assert_allclose(panel[f"report_{name}"].values[at], told[column], rtol=1e-5, atol=1e-7)
    assert (np.array(list(CLASSES))[panel.report_class.values[at]] == told["class"].to_numpy()).all()
    assert (np.array(DURATIONS)[panel.report_duration.values[at]] == told["duration"].to_numpy()).all()


def prior(panel, source, reporter, side, year, criterion="residence"):
    """Expected log bias, its deviation, spread, class and duration of a series in a year."""
    masks = [panel[f"witness_{k}"].values.astype(str) == v for k, v in (
        ("source", source), ("reporter", reporter), ("side", side), ("criterion", criterion))]
    w, = np.flatnonzero(np.all(masks, axis=0))
    y = year - YEARS[0]
    return (*(float(panel[f"report_{k}"].values[y, w]) for k in ("log_bias", "log_bias_sd", "spread")),
            list(CLASSES)[panel.report_class.values[y, w]], DURATIONS[panel.report_duration.values[y, w]])


def test_well_known_offices_are_what_demographers_know_them_for(panel):
    sweden, _, narrow, kind, duration = prior(panel, "undesa_imfsc", "SWE", "immigration", 2010)
    assert kind == "register_exchange" and duration == "12" and abs(sweden) < 0.1
    romania, unsure, wide, kind, duration = prior(panel, "undesa_imfsc", "ROU", "emigration", 2007)
    assert kind == "register_permanent" and duration == "permanent"
    assert romania < -1 and wide > narrow and unsure > 0.3          # few Romanians told anybody that they left for good
    arrivals, _, _, _, _ = prior(panel, "undesa_imfsc", "DEU", "immigration", 2005)
    assert arrivals > sweden + 0.3                                    # Germany counted every registration
    meta, sure, _, kind, _ = prior(panel, "meta", "META", "both", 2020)
    assert kind == "platform" and abs(meta) < 0.3 and sure < 0.3
