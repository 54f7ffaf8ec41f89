"""Reports that there could be: their errors are those of their class, what is reported is the panel's."""
import numpy as np
import pytest
import torch

from humanflows.errors import SchemaError
from humanflows.model.observation import LASTING, pseudo_huber, student
from humanflows.model.spreads import COUNT
from humanflows.panel.reporting_systems import read_classes
from humanflows.uncertainty.needs import candidates


def test_what_is_reported_is_what_the_panel_lists(small_panel):
    told = candidates.reported(small_panel)
    own = candidates.by_residence(small_panel)
    names = [str(w).split("|") for w in small_panel["witness"].values]
    expected = set()
    for k in np.flatnonzero(own):
        name = names[int(small_panel["flow_witness"][k])]
        o, d = int(small_panel["flow_origin"][k]), int(small_panel["flow_destination"][k])
        assert name[0] != "meta" and name[3] == "residence"
        expected.add((int(name[2] == "emigration"), int(small_panel["flow_year"][k]), o, d))
    assert set(zip(*(x.tolist() for x in np.nonzero(told)))) == expected and len(expected) > 100
    assert not candidates.reported(small_panel, np.zeros(len(own), bool)).any()
    elsewhere = small_panel.assign_coords(witness=["|".join([n[0], "XXX", *n[2:]]) for n in names])
    assert not candidates.reported(elsewhere).any()         # reports of an office at neither end


def test_an_office_that_reports_keeps_its_class(small_panel):
    typical = np.array([[0.123, 0.456], [0.234, 0.567]])
    errors = candidates.office_errors(small_panel, typical)
    told = candidates.reported(small_panel)
    speaks = np.stack([told[0].any((0, 1)), told[1].any((0, 2))])
    np.testing.assert_array_equal(errors.own, speaks)
    assert not speaks.all()
    for s in range(2):
        assert (errors.bias_sd[s][~speaks[s]] == typical[s, 0]).all()
        assert (errors.spread[s][~speaks[s]] == typical[s, 1]).all()
    assert (errors.bias_sd[speaks] > 0).all() and not np.isin(errors.bias_sd[speaks], typical).any()


def test_without_a_trusted_office_a_register_is_typical(small_panel):
    none = np.zeros(small_panel.sizes["observation"], dtype=bool)
    classes = read_classes().set_index(["part", "name", "side"])
    found = candidates.typical_errors(small_panel, none)
    for s, side in enumerate(candidates.REPORTED_AS):
        of_class, months = classes.loc[("class", "register_corrected", side)], classes.loc[("duration", "12", "*")]
        assert found[s] == pytest.approx([np.hypot(of_class["log_bias_sd"], months["log_bias_sd"]),
                                          of_class["spread"]])
    with pytest.raises(SchemaError):
        candidates.class_errors("oracle", "arrivals")


def test_years_average_out_but_what_lasts():
    assert candidates.report_variance(0.3, 10**9, 50.0) == pytest.approx(0.09 * LASTING * candidates.HUBER)
    many, few = candidates.report_variance(0.3, [1, 2, 4], 1e12), candidates.report_variance(0.3, 1, 9.0)
    np.testing.assert_allclose(np.diff(many), -0.09 * (1 - LASTING) * candidates.STUDENT * np.array([0.5, 0.25]))
    assert few - many[0] == pytest.approx(candidates.STUDENT * COUNT / 10)


def test_variances_are_those_of_the_observation_model_s_errors():
    """By the densities that the model has, its tails too: a scale is no deviation."""
    z = np.linspace(-400, 400, 800_001)
    for error, expected in ((student, candidates.STUDENT), (pseudo_huber, candidates.HUBER)):
        density = np.exp(-error(torch.as_tensor(z)).numpy())
        assert (z**2 * density).sum() / density.sum() == pytest.approx(expected, rel=0.01)


def test_the_last_years_are_those_that_offices_reach(nothing_told):
    told = nothing_told.copy()
    with pytest.raises(SchemaError):
        candidates.last_years(told, 2)
    told[0, :5, 1, 0] = told[0, :6, 1, 2] = told[1, :8, 3, 2] = told[0, :6, 0, 4] = True
    assert candidates.last_years(told, 3).tolist() == [3, 4, 5]
    with pytest.raises(SchemaError):
        candidates.last_years(told, 7)


def test_evidence_is_named_by_what_is_reported(nothing_told):
    told = nothing_told.copy()
    told[0, 4, 1, 0] = told[1, 2, 3, 5] = True
    seen = candidates.seen_of(told, 4)
    assert seen[1, 0] == candidates.SEEN[0] and seen[3, 5] == candidates.SEEN[1]
    assert seen[2, 0] == candidates.SEEN[2] and seen[6, 7] == candidates.SEEN[3]
