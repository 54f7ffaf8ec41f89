"""What is expected of each series and year, laid out beside the reports; nothing is expected of the undefined."""
import numpy as np
import pytest
import xarray as xr

from humanflows.errors import ArtifactError, SchemaError
from humanflows.panel.harmonise import harmonise
from humanflows.panel.report_priors import NAMES, NONE, report_priors, require_priors
from humanflows.panel.reporting_systems import (
    CLASSES,
    DURATIONS,
    SYSTEM_COLUMNS,
    add_priors,
    describe_reports,
    read_classes,
    read_systems,
)
from humanflows.schema import SYSTEMS_TABLE


def systems_of(tmp_path, *rows):
    """Definitions as read from a file: rows of (source, reporter, side, first, last, duration, class, breaks)."""
    lines = [",".join(SYSTEM_COLUMNS)]
    lines += [f"{source},{reporter},{side},*,{first},{last},register,{duration},movement,{kind},no,{breaks},un1998,"
              for source, reporter, side, first, last, duration, kind, breaks in rows]
    file = tmp_path / "systems.csv"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return read_systems(file)


def panel_of(*reports):
    """A panel of the years 2000 to 2005 with reports of (source, reporter, side, year)."""
    series = list(dict.fromkeys(r[:3] for r in reports))
    parts = np.array(series, str).reshape(-1, 3)
    return xr.Dataset(
        {"flow_witness": ("observation", np.array([series.index(r[:3]) for r in reports], np.int16)),
         "flow_year": ("observation", np.array([r[3] - 2000 for r in reports], np.int16)),
         **{f"witness_{k}": ("witness", parts[:, i]) for i, k in enumerate(("source", "reporter", "side"))},
         "witness_criterion": ("witness", np.array(["residence"] * len(series), str)),
         "witness_flow_type": ("witness", np.array(["movement"] * len(series), str))},
        coords={"year": np.arange(2000, 2006), "witness": ["|".join(s) for s in series]})


DEU, FRA = ("eurostat", "DEU", "immigration"), ("eurostat", "FRA", "emigration")


def test_each_series_and_year_has_what_its_definition_lets_expect(tmp_path):
    systems = systems_of(tmp_path, ("eurostat", "DEU", "*", "", 2003, "3", "register_declared", ""),
                         ("eurostat", "DEU", "*", 2004, "", "12", "register_exchange", "2004: law; 2005: census"),
                         ("*", "FRA", "*", "", "", "12", "survey", ""))
    panel = panel_of(*((*DEU, y) for y in (2002, 2003, 2004, 2005)), (*FRA, 2001), (*DEU, 2003))
    out = xr.Dataset(report_priors(panel, systems))
    assert set(out) == set(NAMES) and all(v.dims == ("year", "witness") for v in out.values())
    terms = read_classes().set_index(["part", "name", "side"])
    short, long = (("3", "register_declared", "immigration", 2), ("12", "register_exchange", "immigration", 3))
    expected = {(2, 0): short, (3, 0): short, (4, 0): long, (5, 0): long, (1, 1): ("12", "survey", "emigration", 4)}
    for at in np.ndindex(6, 2):
        found = {k: out[f"report_{k}"].values[at] for k in ("log_bias", "log_bias_sd", "spread", "system", "class",
                                                            "duration")}
        if at not in expected:
            assert np.isnan([found[k] for k in ("log_bias", "log_bias_sd", "spread")]).all()
            assert {found[k] for k in ("system", "class", "duration")} == {NONE}
            continue
        duration, kind, side, line = expected[at]
        one, other = terms.loc[("duration", duration, "*")], terms.loc[("class", kind, side)]
        assert found["log_bias"] == pytest.approx(one.log_bias_mean + other.log_bias_mean, abs=1e-6)
        assert found["log_bias_sd"] == pytest.approx(np.hypot(one.log_bias_sd, other.log_bias_sd), abs=1e-6)
        assert found["spread"] == pytest.approx(other.spread)
        assert found["system"] == line
        assert list(CLASSES)[found["class"]] == kind and DURATIONS[found["duration"]] == duration
    assert np.argwhere(out.report_break.values).tolist() == [[4, 0], [5, 0]]
    require_priors(panel.assign(out))


def test_a_break_is_that_of_its_own_year_and_series(tmp_path):
    systems = systems_of(tmp_path, ("*", "DEU", "*", "", "", "12", "survey", "2003: new sample"),
                         ("*", "FRA", "*", "", "", "12", "survey", ""))
    panel = panel_of(*((*s, y) for s in (DEU, FRA) for y in range(2000, 2006)))
    found = report_priors(panel, systems)["report_break"][1]
    assert np.argwhere(found).tolist() == [[3, 0]]


def test_a_report_without_a_definition_is_refused_by_name(tmp_path):
    systems = systems_of(tmp_path, ("eurostat", "DEU", "*", "", 2003, "3", "register_declared", ""))
    for reports, key in (((*DEU, 2003), (*FRA, 2001)), "FRA"), (((*DEU, 2003), (*DEU, 2004)), "2004"):
        with pytest.raises(SchemaError) as caught:
            report_priors(panel_of(*reports), systems)
        assert key in caught.value.key and "row" in caught.value.remedy
    report_priors(panel_of((*DEU, 2003)), systems)


def test_a_panel_without_reports_expects_nothing():
    panel = panel_of()
    out = report_priors(panel)
    assert all(v[1].shape == (6, 0) for v in out.values())
    require_priors(panel.assign(out))


def test_harmonising_stops_at_an_undefined_report_and_not_elsewhere(small_tables, small_world, small_config):
    systems = small_tables[SYSTEMS_TABLE]
    office = small_tables["flow"].reporter.iloc[0]
    fewer = {**small_tables, SYSTEMS_TABLE: systems[systems.reporter != office]}
    with pytest.raises(SchemaError) as caught:
        harmonise(fewer, small_world.territories, small_config.years)
    assert office in caught.value.key


def test_the_panel_of_the_twin_holds_what_its_offices_say(small_panel, small_tables):
    told = add_priors(describe_reports(small_tables["flow"], small_tables[SYSTEMS_TABLE]))
    w = {tuple(k): i for i, k in enumerate(zip(*(small_panel[f"witness_{k}"].values.astype(str) for k in (
        "source", "reporter", "side", "criterion"))))}
    at = (told.year - int(small_panel.year[0])).to_numpy(), np.array([w[k] for k in zip(
        told.source, told.reporter, told.side, told.criterion)])
    assert len(told) > 50
    for name in ("log_bias", "log_bias_sd", "spread"):
        column = "log_bias_mean" if name == "log_bias" else name
        np.testing.assert_allclose(small_panel[f"report_{name}"].values[at], told[column], rtol=1e-6)
        assert np.isfinite(small_panel[f"report_{name}"].values).sum() == len(told)
    require_priors(small_panel)


@pytest.mark.parametrize("name", NAMES)
def test_a_panel_from_before_definitions_is_refused(small_panel, name):
    with pytest.raises(ArtifactError) as caught:
        require_priors(small_panel.drop_vars(name))
    assert caught.value.key == name and "harmonise" in caught.value.remedy


@pytest.mark.parametrize(("name", "value"), [
    ("report_log_bias_sd", 0.0), ("report_log_bias_sd", -0.1), ("report_log_bias_sd", np.nan),
    ("report_log_bias_sd", np.inf), ("report_spread", 0.0), ("report_spread", np.nan), ("report_log_bias", np.nan),
    ("report_log_bias", -np.inf)])
def test_a_deviation_that_is_none_is_refused_with_series_and_year(small_panel, name, value):
    panel = small_panel.copy(deep=True)
    k = panel.sizes["observation"] // 2
    y, w = int(panel.flow_year[k]), int(panel.flow_witness[k])
    panel[name].values[y, w] = value
    with pytest.raises(ArtifactError) as caught:
        require_priors(panel)
    assert caught.value.key == str(panel.witness.values[w])
    assert str(int(panel.year.values[y])) in caught.value.problem and name in caught.value.problem


def test_a_bias_of_zero_is_one_and_years_without_reports_are_not_asked(small_panel):
    panel = small_panel.copy(deep=True)
    panel["report_log_bias"].values[:] = np.where(np.isfinite(panel.report_log_bias.values), 0.0, np.nan)
    assert np.isnan(panel.report_spread.values).any()
    require_priors(panel)
