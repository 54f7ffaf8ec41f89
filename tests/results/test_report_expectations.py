"""Log scores of held-out reports: by hand, of the right reports alone, and from nothing that these reports say."""
import math

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from scipy.stats import norm
from scipy.stats import t as student_t

from humanflows.config import ObservationConfig, SplitConfig
from humanflows.errors import ArtifactError, SchemaError
from humanflows.model import train as training
from humanflows.model.observation import ObservationModel
from humanflows.model.spreads import COUNT
from humanflows.panel.splits import make_splits, observations_in, training_observations
from humanflows.results.protocols import FLOW_COLUMNS, score_flows
from humanflows.results.report_expectations import (
    COLUMNS,
    FILE,
    LOG_BIAS,
    NAMES,
    NOISE,
    SPREAD,
    at_observations,
    expectations_of,
    expectations_path,
    join_expectations,
    lay_out_expectations,
    open_expectations,
    score_reports,
    write_expectations,
)
from humanflows.results.validation import OWN, validate

YEARS, SERIES = [1990, 1991], ["a|DEU|immigration|residence|", "b|POL|emigration|residence|"]
RESIDENCE = {"criterion": "residence", "horizon": "annual"}


@pytest.fixture
def expected():
    """Series a in both years, series b, which counts one in ten, in the second alone."""
    spread = np.array([[0.1, 0.9], [0.2, 0.5]])
    return lay_out_expectations([0.0, 0.1, math.log(0.1)], [0, 0, 1], [0, 1, 1], spread, YEARS, SERIES)


def cells_of(persons) -> pd.DataFrame:
    return pd.DataFrame({"persons": np.asarray(persons, float), "observation": np.arange(len(persons))})


def at(bias, spread, noise=0.0) -> xr.Dataset:
    return xr.Dataset({LOG_BIAS: ("observation", np.asarray(bias, float)),
                       SPREAD: ("observation", np.asarray(spread, float)),
                       NOISE: ("observation", np.broadcast_to(np.asarray(noise, float), len(bias)))})


# ---- the table

def test_a_series_has_a_number_in_the_years_that_it_was_learned_from(expected):
    assert expected[LOG_BIAS].dims == ("year", "witness") and expected[SPREAD].dtype == np.float32
    np.testing.assert_allclose(expected[LOG_BIAS].values, [[0.0, np.nan], [0.1, math.log(0.1)]], rtol=1e-6)
    np.testing.assert_allclose(expected[SPREAD].values, [[0.1, np.nan], [0.2, 0.5]], rtol=1e-6)    # not the 0.9


@pytest.mark.parametrize(("bias", "spread", "name"), [(np.inf, 0.1, LOG_BIAS), (0.0, 0.0, SPREAD),
                                                      (0.0, np.nan, SPREAD)])
def test_what_cannot_be_scored_with_is_not_kept(bias, spread, name):
    with pytest.raises(SchemaError, match=rf"{name}.*POL.*1991"):
        lay_out_expectations([bias], [1], [1], np.full((2, 2), spread), YEARS, SERIES)


def test_noise_belongs_to_a_series_and_is_not_below_none(expected):
    assert not np.nan_to_num(expected[NOISE]).any()
    told = lay_out_expectations([0.0, 0.1], [0, 1], [0, 1], np.ones((2, 2)), YEARS, SERIES, np.array([0.0, 8.0]))
    np.testing.assert_allclose(told[NOISE].values, [[0.0, np.nan], [np.nan, 8.0]])
    with pytest.raises(SchemaError, match=rf"{NOISE}.*POL.*1991"):
        lay_out_expectations([0.0], [1], [1], np.ones((2, 2)), YEARS, SERIES, np.array([0.0, -1.0]))


def test_what_is_written_is_read_again(expected, tmp_path):
    file = expectations_path(tmp_path / "estimates.nc")
    assert file == tmp_path / FILE
    xr.testing.assert_equal(open_expectations(write_expectations(expected, file), "the test"), expected)


def test_a_damaged_table_names_file_key_and_remedy(expected, tmp_path):
    with pytest.raises(ArtifactError, match="run the test first"):
        open_expectations(tmp_path / FILE, "the test")
    (tmp_path / FILE).write_bytes(b"no table")
    with pytest.raises(ArtifactError, match="not readable"):
        open_expectations(tmp_path / FILE, "the test")
    write_expectations(expected.drop_vars(SPREAD), tmp_path / FILE)
    with pytest.raises(ArtifactError, match=SPREAD):
        open_expectations(tmp_path / FILE, "the test")
    for name, value in ((SPREAD, np.nan), (NOISE, np.nan), (NOISE, -1.0)):
        half = expected.copy(deep=True)
        half[name][1, 1] = value
        write_expectations(half, tmp_path / FILE)
        with pytest.raises(ArtifactError, match=r"POL.*1991.*run the test again"):
            open_expectations(tmp_path / FILE, "the test")


def test_reports_find_their_series_and_year_by_name(expected):
    # The panel has the series in another order, one more of them, and a year more.
    panel = xr.Dataset({"flow_witness": ("observation", [1, 0, 1, 2, 1]),
                        "flow_year": ("observation", [1, 2, 2, 2, 0])},
                       coords={"witness": [SERIES[1], SERIES[0], "c|FRA|immigration|residence|"],
                               "year": [1989, 1990, 1991]})
    found = at_observations(expected, panel)
    np.testing.assert_allclose(found[LOG_BIAS], [0.0, math.log(0.1), 0.1, np.nan, np.nan], rtol=1e-6)
    np.testing.assert_allclose(found[SPREAD], [0.1, 0.5, 0.2, np.nan, np.nan], rtol=1e-6)
    swapped = expected.copy(data={k: v.values[:, ::-1] for k, v in expected.items()})
    first, second = (np.arange(5) < 2), (np.arange(5) >= 2)
    joined = join_expectations(panel, [(first, expected), (second, swapped)])
    np.testing.assert_allclose(joined[LOG_BIAS], [0.0, math.log(0.1), math.log(0.1), np.nan, np.nan], rtol=1e-6)
    assert join_expectations(panel, [(first, expected)])[SPREAD].values[2:].tolist() == pytest.approx(
        [np.nan] * 3, nan_ok=True)
    with pytest.raises(ValueError, match="two parts"):
        join_expectations(panel, [(first, expected), (first, expected)])


# ---- the score

def test_the_log_score_by_hand():
    reported, flow = [80.0, 5.0, 1000.0], [100.0, 60.0, 7.0]
    bias, spread = [0.0, math.log(0.1), np.nan], [0.2, 0.5, np.nan]
    nats = []
    for y, q, b, s in list(zip(reported, flow, bias, spread))[:2]:      # nothing is known of the third
        counted = q * math.exp(b)
        scale = math.sqrt(s**2 + COUNT / (1 + counted))
        nats.append(student_t.logpdf(math.log1p(y), 4, math.log1p(counted), scale))
    score, number = score_reports(RESIDENCE, cells_of(reported), np.array(flow), at(bias, spread))
    assert score == pytest.approx(np.mean(nats)) and number == 2


def test_the_log_score_of_a_count_with_noise_by_hand():
    reported, flow, spread, noise = [60.0, 5000.0], np.array([3.0, 4000.0]), [0.2, 0.2], [8.0, 0.0]
    months = np.maximum(3 / 12 + 8 * np.random.default_rng(0).normal(size=(400_000, 12)), 0).sum(1)
    part = 3 * norm.cdf(3 / 12 / 8) / months.mean()
    scale = math.sqrt(part**2 * (0.2**2 + COUNT / 4) + months.var() / (1 + months.mean())**2)
    nats = [student_t.logpdf(math.log1p(60), 4, math.log1p(months.mean()), scale),
            student_t.logpdf(math.log1p(5000), 4, math.log1p(4000), math.sqrt(0.2**2 + COUNT / 4001))]
    score, number = score_reports(RESIDENCE, cells_of(reported), flow, at([0.0, 0.0], spread, noise))
    assert score == pytest.approx(np.mean(nats), abs=0.01) and number == 2
    assert score > score_reports(RESIDENCE, cells_of(reported), flow, at([0.0, 0.0], spread))[0] + 1


def test_reports_have_the_noise_of_their_own_series():
    """Three reports of the same flow, each with another noise, are scored as each would be alone."""
    noise = [0.0, 4.0, 12.0]
    together, _ = score_reports(RESIDENCE, cells_of([60.0] * 3), np.full(3, 20.0), at([0.0] * 3, [0.2] * 3, noise))
    alone = [score_reports(RESIDENCE, cells_of([60.0]), np.array([20.0]), at([0.0], [0.2], x))[0] for x in noise]
    assert together == pytest.approx(np.mean(alone))
    assert np.diff(sorted(alone)).min() > 0.1


def test_where_nothing_is_known_there_is_no_score():
    cells, flow, known = cells_of([80.0]), np.array([100.0]), at([0.0], [0.2])
    assert score_reports(RESIDENCE, cells, flow, known)[1] == 1
    for labels, expected in ((RESIDENCE, None), (RESIDENCE, at([np.nan], [np.nan])),
                             ({**RESIDENCE, "criterion": "citizenship"}, known),
                             ({**RESIDENCE, "horizon": "five_year"}, known)):
        score, number = score_reports(labels, cells, flow, expected)
        assert math.isnan(score) and number == 0


def test_who_knows_a_biased_office_scores_better_than_who_is_drawn_to_the_middle():
    """An office misses nine in ten who leave. The raw error prefers the estimate between truth and report; this score
    does not."""
    rng = np.random.default_rng(0)
    true = rng.lognormal(7, 1.5, 3000)
    reported = np.round(true * 0.1 * np.exp(rng.normal(0, 0.3, 3000)))
    middle = np.sqrt(true * (true * 0.1))
    raw = [np.abs(np.log1p(e) - np.log1p(reported)).mean() for e in (true, middle)]
    assert raw[0] > raw[1] + 1
    known = at(np.full(3000, math.log(0.1)), np.full(3000, 0.3))
    blind = at(np.zeros(3000), np.full(3000, 0.3))
    cells = cells_of(reported)
    knows, _ = score_reports(RESIDENCE, cells, true, known)
    assert knows > score_reports(RESIDENCE, cells, middle, blind)[0] + 0.5
    assert knows > score_reports(RESIDENCE, cells, middle, known)[0] + 0.5


# ---- in the tables of scores

def flow_of(panel, scale=1.0):
    years, n = panel.sizes["year"], panel.sizes["origin"]
    values = scale * np.random.default_rng(1).lognormal(4, 1, (years, n, n))
    values[:, np.arange(n), np.arange(n)] = 0
    return xr.DataArray(values, dims=("year", "origin", "destination"),
                        coords={k: panel[k].values for k in ("year", "origin", "destination")})


@pytest.fixture(scope="module")
def learned(small_panel, small_splits):
    """What an observation model expects before it has learned anything but which reports there are."""
    model = ObservationModel(small_panel, training_observations(small_panel, small_splits),
                             training.open_corridors(small_splits), ObservationConfig())
    with torch.no_grad():
        model.log_bias_step += 0.1
    return expectations_of(model, small_panel.year.values.tolist())


def test_what_is_kept_has_the_noise_that_was_measured(small_panel):
    model = ObservationModel(small_panel, np.ones(small_panel.sizes["observation"], bool),
                             ~np.eye(small_panel.sizes["origin"], dtype=bool), ObservationConfig())
    measured = torch.arange(len(model.series_noise), dtype=torch.float32)
    model.series_noise.copy_(measured)
    told = expectations_of(model, small_panel.year.values.tolist())[NOISE].values
    year, series = (small_panel[f"flow_{k}"].values.astype(int) for k in ("year", "witness"))
    np.testing.assert_array_equal(told[year, series], measured.numpy()[series])
    assert np.isfinite(told).sum() == len(set(zip(year, series)))


def test_only_our_own_annual_rows_by_residence_have_a_log_score(small_panel, small_splits, learned):
    flow, at_reports = flow_of(small_panel), at_observations(learned, small_panel)
    own = score_flows(flow, small_panel, small_splits, {"twice": 2 * flow}, expected=at_reports, draws=20)
    assert list(own.columns) == list(FLOW_COLUMNS) and FLOW_COLUMNS[-2:] == COLUMNS
    scored = own.log_score.notna()
    assert scored.any() and (own.log_score_n > 0).eq(scored).all() and own.log_score_n.dtype.kind == "i"
    assert set(own.peer[scored]) == {OWN} and set(own.criterion[scored]) == {"residence"}
    assert set(own.horizon[scored]) == {"annual"} and {"all", "trusted"} >= set(own.offices[scored])
    assert (own.log_score_n <= own.n).all()
    alone = validate(flow, small_panel, small_splits, {}, expected=at_reports)
    keys = ["collection", "side", "criterion", "horizon", "offices"]
    both = own[own.peer == OWN].merge(alone, on=keys)
    assert len(both) == (own.peer == OWN).sum()
    pd.testing.assert_series_equal(both.log_score_x, both.log_score_y, check_names=False)
    silent = score_flows(flow, small_panel, small_splits, {}, draws=20)
    assert silent.log_score.isna().all() and (silent.log_score_n == 0).all()


def test_cells_that_a_peer_lacks_are_left_out_of_the_log_score_too(small_panel, small_splits, learned):
    flow, at_reports = flow_of(small_panel), at_observations(learned, small_panel)
    late = flow.where(flow.year > flow.year[3])
    whole, less = (validate(flow, small_panel, small_splits, peers, expected=at_reports)
                   for peers in ({}, {"late": late}))
    whole, less = (t[(t.peer == OWN) & t.log_score.notna() & (t.offices == "all")].set_index(
        ["collection", "side"]) for t in (whole, less))
    assert (less.log_score_n < whole.log_score_n.reindex(less.index)).all()


def test_it_is_the_score_that_chooses_the_epoch(small_panel, small_splits, small_config):
    model, observation, score = training.build_member(small_panel, small_splits, small_config)
    with torch.no_grad():
        observation.log_bias_step += 0.05 * torch.randn(len(observation.log_bias_step))
        model.read_covariates()
        run = model()
    expected = at_observations(expectations_of(observation, small_config.years), small_panel)
    mine = observations_in(small_panel, small_splits, "validation") \
        & (small_panel.witness_criterion.values == "residence")[small_panel.flow_witness.values.astype(int)]
    where = np.flatnonzero(mine)
    cells = pd.DataFrame({"persons": small_panel.flow_persons.values[where], "observation": where})
    flow = run.flow.numpy()[tuple(small_panel[f"flow_{k}"].values[where].astype(int)
                                  for k in ("year", "origin", "destination"))]
    value, number = score_reports(RESIDENCE, cells, flow, expected)
    assert 0 < number <= len(where) and value == pytest.approx(-score(run), rel=1e-4)


# ---- leakage

def test_held_out_reports_do_not_move_what_is_expected_of_their_own_series(small_panel, small_config):
    """Not their numbers, and not that there are any: a series that reports in held-out corridors alone has none."""
    splits = make_splits(small_panel, SplitConfig(validation_share=0.2))
    hidden = observations_in(small_panel, splits, "held_out")

    def learn(panel):
        member = training.fit_member(panel, make_splits(panel, SplitConfig(validation_share=0.2)), small_config,
                                     progress=False)
        return expectations_of(member.observation, small_config.years)

    spoiled, moved = small_panel.copy(deep=True), small_panel.copy(deep=True)
    spoiled["flow_persons"][hidden] = 5 * small_panel.flow_persons.values[hidden] + 3
    moved["flow_persons"][~hidden] = 5 * small_panel.flow_persons.values[~hidden] + 3
    first = learn(small_panel)
    xr.testing.assert_identical(first, learn(spoiled))
    assert not np.allclose(first[LOG_BIAS], learn(moved)[LOG_BIAS], equal_nan=True)
    there = training_observations(small_panel, splits)
    learned = np.zeros(first[LOG_BIAS].shape, bool)
    learned[small_panel.flow_year.values[there], small_panel.flow_witness.values[there]] = True
    for name in NAMES:
        assert (np.isfinite(first[name].values) == learned).all()
