"""What is laid out of the panel: cells of biases, shares of series, what is suppressed, margins; nothing held out."""
import numpy as np
import pytest
import torch
from plausible_runs import GOOD, everything, made, plausible, term, with_reports

from humanflows.config import Config, EnsembleConfig, ObservationConfig
from humanflows.model import observation_data as data
from humanflows.model import train as training
from humanflows.model.observation_data import BREAK, CENSORED_BELOW, INDEPENDENT, SLOW
from humanflows.panel.draws import draw_panel
from humanflows.panel.splits import perturb_held_out, training_observations

A, B = "undesa_imfsc|ROU|emigration|residence", "undesa_imfsc|DEU|immigration|residence"


def read(panel):
    """Reports and biases of a panel."""
    return data.read_reports(panel, everything(panel)[0], panel.report_spread.values)


def biases_of(panel):
    return read(panel)[1]


def drawn(panel, seed=1, **strength):
    """The panel with the draws named, and no others."""
    none = dict.fromkeys(("reporters", "corridors", "stocks", "covariates", "biases"), 0.0)
    return draw_panel(panel, EnsembleConfig(**{**none, **strength}), seed)


# ---- biases --------------------------------------------------------------------------------------------------------

def test_a_bias_drifts_slowly_and_further_over_years_without_reports(small_panel):
    panel = with_reports(small_panel, [(A, y, 0, 1, 50) for y in (0, 1, 4)] + [(B, 2, 0, 1, 50)],
                         {A: {"log_bias_sd": 0.7}})
    found = biases_of(panel)
    assert found.witness.tolist() == [0, 0, 0, 1] and found.year.tolist() == [0, 1, 4, 2]
    np.testing.assert_allclose(found.deviation, [0.7, SLOW, SLOW * np.sqrt(3), 0.3], rtol=1e-6)
    assert found.first.tolist() == [0, 0, 0, 3]


def test_a_break_and_a_change_of_definition_let_it_jump(small_panel):
    years = small_panel.sizes["year"]
    at = np.arange(years)
    panel = with_reports(small_panel, [(A, y, 0, 1, 50) for y in range(6)], {
        A: {"break": at == 2, "system": np.where(at < 4, 2, 3), "log_bias_sd": np.where(at < 4, 0.3, 0.5),
            "log_bias": np.where(at < 4, -0.6, 0.1)}})
    found = biases_of(panel)
    np.testing.assert_allclose(found.deviation, [0.3, SLOW, np.hypot(SLOW, BREAK), SLOW, 0.5, SLOW], rtol=1e-6)
    np.testing.assert_allclose(found.mean, [-0.6] * 4 + [0.1] * 2, rtol=1e-6)
    model = made(panel)
    with torch.no_grad():
        model.log_bias_step.copy_(torch.tensor([0.5, 0, -1.0, 0, 2.0, 0]))
        expected = np.array([-0.1, -0.1, -1.1, -1.1, 1.6, 1.6])       # steps add up on top of the prior's mean
        np.testing.assert_allclose(model.log_bias.numpy(), expected, atol=1e-6)


@pytest.mark.parametrize(("kind", "duration", "anchored"), [
    (GOOD, "12", True), ("platform", "12", True), (GOOD, "3", False), ("register_declared", "12", False),
    ("survey", "12", True), ("survey", "permanent", False)])
def test_anchors_keep_their_prior_mean_and_teach_no_bias(small_panel, kind, duration, anchored):
    panel = with_reports(small_panel, [(A, y, 0, 1, 50) for y in range(4)],
                         {A: {"class": kind, "duration": duration, "log_bias": -0.05}})
    model = made(panel)
    with torch.no_grad():
        model.log_bias_step += 0.4
    moved = model.log_bias.detach().numpy() + 0.05
    assert (np.abs(moved) < 1e-7).all() if anchored else (moved > 0.3).all()
    model.terms(plausible(panel))["reports"].backward()
    slope = model.log_bias_step.grad.numpy()
    assert (slope == 0).all() if anchored else (slope != 0).all()


def test_who_misses_many_or_counts_citizens_is_no_anchor(small_panel):
    cells = {A: -data.FEW_MISSED - 0.01, B: -data.FEW_MISSED + 0.01, "a|POL|immigration|citizenship": 0.0}
    panel = with_reports(small_panel, [(s, 0, 0, 1, 50) for s in cells],
                         {s: {"class": GOOD, "log_bias": mean} for s, mean in cells.items()})
    assert biases_of(panel).free.tolist() == [1, 0, 1]


def test_an_anchor_beside_others_stays_where_it_is(small_panel):
    rows = [(s, y, 0, 1, 50) for s in (A, B, "eurostat|POL|immigration|residence") for y in range(4)]
    model = made(with_reports(small_panel, rows, {B: {"class": GOOD, "log_bias": -0.02}}))
    with torch.no_grad():
        model.log_bias_step += torch.randn(12, generator=torch.Generator().manual_seed(0))
        told = model.log_bias.numpy().reshape(3, 4)
    assert (told[1] == np.float32(-0.02)).all() and (np.abs(told[[0, 2]]) > 0.01).all()
    (told_by,) = torch.autograd.grad(model.log_bias.sum(), model.log_bias_step)
    np.testing.assert_allclose(told_by.numpy().reshape(3, 4), [[4, 3, 2, 1], [0] * 4, [4, 3, 2, 1]], atol=1e-5)


def test_a_member_s_biases_are_drawn_around_the_prior_s(small_panel):
    panel = drawn(small_panel, biases=0.3)
    before, after = biases_of(small_panel), biases_of(panel)
    anchor = (panel.witness_bias_anchor + panel.collection_bias_anchor).values
    np.testing.assert_allclose(after.mean - before.mean, anchor[after.witness], atol=1e-5)
    assert np.abs(anchor).max() > 0.1 and (after.deviation == before.deviation).all()


# ---- reports -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("length", [1, 2, 10])
def test_a_series_is_worth_fewer_reports_than_it_has(small_panel, length):
    panel = with_reports(small_panel, [(A, y, 0, 1, 50) for y in range(length)] + [(A, 3, 0, 2, 9), (B, 3, 0, 1, 9)])
    reports = read(panel)[0]
    mine = reports.series == reports.series[0]
    assert mine.sum() == length and len(set(reports.series.tolist())) == 3
    assert reports.share[mine].sum() == pytest.approx(1 + INDEPENDENT * (length - 1), rel=1e-6)
    np.testing.assert_allclose(reports.share[~mine], 1)


def test_drawn_weights_are_those_of_the_office_and_of_the_corridor(small_panel):
    panel = drawn(small_panel, reporters=1.0, corridors=1.0)
    weight = read(panel)[0].weight
    expected = panel.witness_weight.values[panel.flow_witness.values] \
        * panel.corridor_weight.values[panel.flow_origin.values, panel.flow_destination.values]
    np.testing.assert_allclose(weight, expected, rtol=1e-5)
    assert weight.std() > 0.5 and (read(small_panel)[0].weight == 1).all()


def test_the_same_number_in_two_collections_counts_once(small_panel, small_splits):
    o, d = np.argwhere(small_splits.train.values)[0]
    twice = [(s, y, o, d, 100 + y) for s in ("eurostat|DEU|immigration|residence", B) for y in range(6)]
    panel = with_reports(small_panel, twice)
    repeated = panel.assign(flow_same_as=("observation", np.array([-1] * 6 + [0] * 6, np.int16)))
    run = plausible(panel)

    def nats(p):
        return term(p, run, "reports", training_observations(p, small_splits))

    once = nats(with_reports(small_panel, twice[:6]))
    assert nats(repeated) == pytest.approx(once, rel=1e-6)
    assert nats(panel) == pytest.approx(2 * once, rel=1e-6) and abs(once) > 1


def test_reports_have_the_spread_of_their_series_and_year(small_panel):
    spread = np.arange(14 * 2).reshape(14, 2) / 10 + 0.1
    panel = with_reports(small_panel, [(A, 3, 0, 1, 5), (B, 4, 0, 1, 5), (A, 5, 2, 1, 5)])
    reports, _ = data.read_reports(panel, everything(panel)[0], spread)
    np.testing.assert_allclose(reports.spread, [spread[3, 0], spread[4, 1], spread[5, 0]], rtol=1e-6)


# ---- what a source suppresses --------------------------------------------------------------------------------------

def absent_cells(panel, chosen) -> set:
    """Cells of corridors that the platform leaves out while it shows their origin and destination, the slow way."""
    meta = panel.witness_source.values[panel.flow_witness.values] == "meta"
    y, o, d = (panel[f"flow_{k}"].values.astype(int) for k in ("year", "origin", "destination"))
    learned = meta & chosen[o, d]
    cells = set()
    for year in set(y[learned]):
        shown = {(i, k) for i, k in zip(o[meta & (y == year)], d[meta & (y == year)])}
        origins, destinations = ({x for x in v[learned & (y == year)]} for v in (o, d))
        cells |= {(int(year), int(i), int(k)) for i in origins for k in destinations
                  if chosen[i, k] and (i, k) not in shown}
    return cells


def test_suppressed_are_corridors_left_out_of_years_and_places_that_are_covered(platform_panel):
    panel, splits = platform_panel
    seen = training.build_member(panel, splits, Config())[1]
    n, open_ = panel.sizes["origin"], splits.train.values
    expected = absent_cells(panel, open_)
    position = seen.censored_position.numpy()
    assert {(p // n**2, p // n % n, p % n) for p in position.tolist()} == expected
    assert len(position) == len(expected) > 5
    assert (seen.censored_limit == CENSORED_BELOW["meta"]).all()
    assert (seen.bias_year[seen.censored_cell].numpy() == position // n**2).all()
    assert set(panel.witness_source.values[seen.bias_witness[seen.censored_cell].numpy()]) == {"meta"}
    assert len(absent_cells(panel, ~np.eye(n, dtype=bool))) > len(expected)     # of others there would be some, too
    # years of one corridor are worth fewer than they are
    _, pair, length = np.unique(position % n**2, return_inverse=True, return_counts=True)
    worth = np.bincount(pair, seen.censored_share.numpy())
    np.testing.assert_allclose(worth, 1 + INDEPENDENT * (length - 1), rtol=1e-5)


def test_neither_what_nor_whether_the_source_tells_of_held_out_corridors_is_learned(platform_panel):
    panel, splits = platform_panel
    mask = training_observations(panel, splits)
    # A platform that shows one corridor of an origin, and that one is held out: the origin counts as unknown to it.
    meta = panel.witness_source.values[panel.flow_witness.values] == "meta"
    o, d = panel.flow_origin.values, panel.flow_destination.values
    held = splits.held_out.values[o, d]
    origin = next(k for k in range(panel.sizes["origin"]) if (meta & held & (o == k)).any())
    fewer = panel.isel(observation=~(meta & (o == origin) & ~held))
    for one, other in ((panel, perturb_held_out(panel, splits)), (panel, panel.isel(observation=mask)),
                       (fewer, fewer.isel(observation=training_observations(fewer, splits)))):
        buffers = [training.build_member(p, splits, Config())[1] for p in (one, other)]
        for name in ("position", "cell", "limit", "share"):
            assert torch.equal(*(getattr(b, f"censored_{name}") for b in buffers)), name
    n = panel.sizes["origin"]
    told = buffers[0].censored_position
    assert len(told) and not (told // n % n == origin).any()


def test_without_such_a_source_or_where_it_is_left_out_nothing_is_suppressed(platform_panel, small_panel):
    panel, _ = platform_panel
    run = plausible(panel)
    assert "censored" in made(panel).terms(run)
    for kind in ("censored", "reports"):
        assert "censored" not in made(panel, leave_out=kind).terms(run)
    assert "censored" not in made(small_panel).terms(plausible(small_panel))


# ---- stocks and margins --------------------------------------------------------------------------------------------

def with_margin(panel, rows, label=data.FOREIGN_BORN):
    """The panel with totals of foreign-born: rows of (year, territory, persons), positions."""
    year, territory, persons = (np.array(x) for x in zip(*rows))
    return panel.drop_vars([v for v in panel.variables if str(v).startswith("margin")]).assign(
        margin_series=("margin_observation", np.zeros(len(rows), np.int16)), margin_year=("margin_observation", year),
        margin_territory=("margin_observation", territory), margin_persons=("margin_observation", persons * 1.0)
    ).assign_coords(margin=[label])


def test_the_foreign_born_of_a_territory_are_compared_with_their_total(small_panel):
    panel = with_margin(small_panel, [(5, 2, 4e5), (5, 3, 1e5), (6, 2, 9e9)])        # nobody counted stocks in year 6
    assert panel.stock_year.values[1] - panel.year.values[0] == 5
    run = plausible(panel)
    told, expected = term(panel, run, "foreign_born"), 0.0
    middle = ((run.stock[5] + run.stock[6]) / 2).double().numpy()
    for place, total in ((2, 4e5), (3, 1e5)):
        foreign = middle[:, place].sum() - middle[place, place]
        pairs = np.nansum(panel.stock_observed.values[-1, 1, :, place])
        sd = np.hypot(data.FOREIGN_DEVIATION + abs(np.log(total / pairs)), ObservationConfig().stock_count
                      / np.sqrt(1 + foreign))
        expected += 2 * (np.sqrt(1 + (np.log(total / foreign) / sd) ** 2 / 2) - 1)
    assert told == pytest.approx(expected, rel=1e-3) and expected > 0.1
    n = panel.sizes["residence"]
    exact = run._replace(stock=run.stock.clone())
    for place, total in ((2, 4e5), (3, 1e5)):
        exact.stock[5:7, :, place] = total / (n - 1)
    assert term(panel, exact, "foreign_born") == pytest.approx(0, abs=1e-4)


def test_unknown_birthplaces_make_the_total_say_less(small_panel):
    pairs = float(np.nansum(small_panel.stock_observed.values[-1, 1, :, 2]))
    found = [made(with_margin(small_panel, [(5, 2, pairs * f)])).stock_foreign_deviation.item() for f in (1, 1.5, 3)]
    np.testing.assert_allclose(found, data.FOREIGN_DEVIATION + np.log([1, 1.5, 3]), rtol=1e-4)


@pytest.mark.parametrize("label", [None, "undesa_ims_2024|stock|residence|birthplace|others"])
def test_without_that_margin_there_is_no_such_term(small_panel, label):
    panel = small_panel if label is None else with_margin(small_panel, [(5, 2, 4e5)], label)
    assert "foreign_born" not in made(panel).terms(plausible(panel))


def test_of_one_count_by_several_revisions_the_newest_has_most_of_the_weight(small_panel):
    newest = small_panel.stock_observed.values[-1].copy()
    newest[1, 2, 3] = np.nan                                    # told by the earlier revision alone
    earlier = np.where(np.isfinite(newest), 2 * newest, 70.0)
    earlier[0, 4, 5] = np.nan                                   # told by the newest alone
    panel = small_panel.isel(revision=[-1, -1]).copy(deep=True)
    panel["stock_observed"].values[:] = [earlier, newest]
    read = data.read_stocks(panel)
    n, start = panel.sizes["residence"], panel.stock_year.values - int(panel.year[0])

    def shares(count, born, living):
        return np.sort(read["share"][read["position"] == start[count] * n * n + born * n + living])

    whole = 1 + data.EARLIER
    np.testing.assert_allclose(shares(0, 0, 1), [data.EARLIER / whole, 1 / whole], rtol=1e-6)
    for told in (shares(1, 2, 3), shares(0, 4, 5)):
        np.testing.assert_allclose(told, [1.0])
    # Every count is worth one, however many revisions tell it.
    total = np.bincount(read["position"], read["share"])
    np.testing.assert_allclose(total[total > 0], 1.0, rtol=1e-6)


def test_the_last_count_of_a_revision_is_believed_less_than_those_before(small_panel):
    stocks = data.read_stocks(small_panel)
    last = stocks["position"].max() // small_panel.sizes["residence"] ** 2
    of_last = stocks["position"] // small_panel.sizes["residence"] ** 2 == last
    assert stocks["times"][of_last].min() > stocks["times"].min()
    assert stocks["times_of_change"].max() > stocks["times_of_change"].min()
