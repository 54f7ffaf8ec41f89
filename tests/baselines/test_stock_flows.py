"""The six methods: worked examples to their last printed digit, the properties that the papers state, bad input."""
import json
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from humanflows.baselines.accounts import make_events, make_stock
from humanflows.baselines.demographic_accounting import predict_accounting, predict_independence
from humanflows.baselines.ipf import NotConvergedError
from humanflows.baselines.migration_rate import predict_migration_rate, predict_transition_matrix
from humanflows.baselines.pseudo_bayes import WEIGHT, predict_pseudo_bayes
from humanflows.baselines.reconstruct import METHODS
from humanflows.baselines.stock_difference import predict_stock_difference
from humanflows.errors import InputError, NegativeCountError

EXAMPLES = {e["id"]: e for e in json.loads((Path(__file__).parent / "worked_examples.json").read_text("utf-8"))}
ACCOUNTING = ("da_min_open", "da_min_closed", "da_pb_closed")
TIGHT = {"tolerance": 1e-7, "margin_tolerance": 1e-9}


def account(start, end, births=None, deaths=None):
    names = "ABCDEFGH"[:len(start)]
    nobody = [0.0] * len(start)
    return (make_stock(start, names), make_stock(end, names),
            make_events(nobody if births is None else births, names, "births"),
            make_events(nobody if deaths is None else deaths, names, "deaths"))


def solve(example):
    """The example by the method that it is an example of, origin by destination."""
    given_ = account(*(example[k] for k in ("start", "end", "births", "deaths")))
    method = example["method"]
    if method == "transition matrix":
        return predict_transition_matrix(*given_[:2])
    if method == "migration rate":
        return predict_migration_rate(*given_).corridors
    if method.startswith("stock difference"):
        return predict_stock_difference(*given_, decrease=method.split(", ")[1]).corridors
    return predict_accounting(*given_, system="open" if "open" in method else "closed",
                              surplus="keep" if "kept" in method else "drop").corridors


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_published_worked_examples_to_the_last_printed_digit(name):
    """All twelve. The printed table of e2 is the one without its weights of distance: see the next test."""
    example = EXAMPLES[name]
    printed = example["flow"]
    found = solve(example)
    assert found.dims == ("origin", "destination")
    for column in range(4):        # R prints a column with as many decimals as its longest number needs
        places = max(-Decimal(repr(row[column])).as_tuple().exponent for row in printed)
        for row in range(4):
            assert abs(found.values[row, column] - printed[row][column]) <= 0.5 * 10.0 ** -places + 1e-12, (row, column)


def test_weights_of_corridors_keep_their_odds_ratios():
    """e2 names a matrix of distances as weights; those born in D leave C and D for A and B, 20 each way.

    With odds of (50 · 495) / (45 · 500) = 1.1, and margins of 20, C-A must be 20 √1.1 / (1 + √1.1). The table printed
    for the example has 10 in all four cells, which is odds of 1: its weights had no effect.
    """
    example = EXAMPLES["e2"]
    made = predict_accounting(*account(example["start"], example["end"]), seed=np.array(example["seed"], float),
                              tolerance=1e-9)
    of_d = made.flow.sel(birthplace="D")
    expected = 20 * np.sqrt(1.1) / (1 + np.sqrt(1.1))
    assert np.isclose(of_d.sel(origin="C", destination="A"), expected)
    assert np.isclose(of_d.sel(origin="D", destination="B"), expected)
    plain = predict_accounting(*account(example["start"], example["end"]))
    assert np.allclose(made.flow.sum("origin"), plain.flow.sum("origin"))
    assert np.allclose(made.flow.sum("destination"), plain.flow.sum("destination"))
    assert made.flow.attrs["iterations"] > 1


def test_three_territories_worked_by_hand():
    """Of 100 born in A, 80 live there, 15 in B and 5 in C; later 70, 10 and 20. Nobody else moves.

    Ten left A, five left B, fifteen arrived in C. Differences: C gained 15, B lost 5. Rates: all migrants are in B and
    C, 15 to 5, and the sum of absolute net migration is 30. Independence: of the 80 in A a fifth are now in C.
    """
    start, end = np.diag([80.0, 50.0, 50.0]), np.diag([70.0, 50.0, 50.0])
    start[0, 1:], end[0, 1:] = (15, 5), (10, 20)
    given_ = account(start, end)
    expected = {"sd_drop_neg": {"AC": 15}, "sd_rev_neg": {"AC": 15, "BA": 5}, "mig_rate": {"AB": 22.5, "AC": 7.5},
                "da_min_open": {"AC": 10, "BC": 5}, "da_min_closed": {"AC": 10, "BC": 5},
                "da_pb_closed": {"AB": 0.13 * 8, "AC": 8.7 + 0.13 * 16, "BA": 0.13 * 10.5, "BC": 4.35 + 0.13 * 3,
                                 "CA": 0.13 * 3.5, "CB": 0.13 * 0.5}}
    for method, flows in expected.items():
        found = METHODS[method](*given_)
        table = np.zeros((3, 3))
        for pair, persons in flows.items():
            table["ABC".index(pair[0]), "ABC".index(pair[1])] = persons
        assert np.allclose(found.corridors.values, table), method
        assert np.allclose(found.flow.sel(birthplace="A"), table), method     # nobody else moves
        assert found.flow.dims == ("birthplace", "origin", "destination") and found.repairs.empty


# ---- properties ----------------------------------------------------------------------------------------------------

@st.composite
def worlds(draw, natural_change=True):
    """A world with known moves: start and end tables, births and deaths, and moves (birthplace, origin, destination).

    Everybody dead or newborn is a native who does not move, so that each account is exact.
    """
    n = draw(st.integers(2, 5))
    moves = draw(arrays(int, (n, n, n), elements=st.integers(0, 40))).astype(float)
    i = np.arange(n)
    moves[:, i, i] += 5.0
    moves[i, i, i] += draw(st.integers(500, 2000))
    births, deaths = (draw(arrays(int, n, elements=st.integers(0, 100))).astype(float) for _ in range(2))
    if not natural_change:
        births, deaths = births * 0, deaths * 0
    start, end = moves.sum(2) + np.diag(deaths), moves.sum(1) + np.diag(births)
    moves[:, i, i] = 0.0
    return (start, end, births, deaths), moves


@settings(max_examples=60)
@given(worlds(), st.sampled_from(ACCOUNTING))
def test_margins_are_met_for_every_birthplace(world, method):
    made = METHODS[method](*account(*world[0]), **TIGHT)
    flow, stay = made.flow, made.stayers
    assert (flow.values >= 0).all() and (stay.values >= 0).all()
    assert np.allclose(flow.sum("destination").values + stay.values, made.start.values, rtol=1e-9)
    assert np.allclose(flow.sum("origin").values + stay.values, made.end.values, atol=1e-4)
    i = np.arange(flow.sizes["origin"])
    assert (flow.values[:, i, i] == 0).all()


@settings(max_examples=60)
@given(worlds(), st.sampled_from(("da_min_closed", "da_pb_closed")))
def test_closed_methods_reproduce_net_migration_and_conserve_the_world(world, method):
    (start, end, births, deaths), _ = world
    flow = METHODS[method](*account(start, end, births, deaths), **TIGHT).corridors.values
    net = flow.sum(0) - flow.sum(1)
    assert abs(net.sum()) < 1e-6
    assert np.allclose(net, end.sum(0) - start.sum(0) - births + deaths, atol=1e-4)


@settings(max_examples=60)
@given(worlds(natural_change=False))
def test_stayers_are_maximal_and_moves_between_fewest_and_most(world):
    """Without natural change the true moves have the same margins: no table of those margins has more stayers."""
    (start, end, *_), moves = world
    given_ = account(start, end)
    fewest, most = predict_accounting(*given_, tolerance=1e-9), predict_independence(*given_, tolerance=1e-9)
    middle = predict_pseudo_bayes(*given_, tolerance=1e-9)
    assert np.allclose(fewest.stayers.values, np.minimum(start, end))
    assert (fewest.stayers.values >= start - moves.sum(2) - 1e-6).all()
    assert fewest.flow.sum() <= moves.sum() + 1e-6
    assert np.allclose(middle.flow.values, WEIGHT * fewest.flow.values + (1 - WEIGHT) * most.flow.values)
    assert np.allclose(middle.stayers.values, WEIGHT * fewest.stayers.values + (1 - WEIGHT) * most.stayers.values)
    # independence: every origin of a birthplace has the same spread over residences at the end
    whole = most.flow.values.copy()
    i = np.arange(len(start))
    whole[:, i, i] = most.stayers.values
    assert np.allclose(whole / whole.sum(2, keepdims=True), (end / end.sum(1, keepdims=True))[:, None, :])


@settings(max_examples=40)
@given(worlds(natural_change=False))
def test_open_and_closed_agree_when_nothing_is_out_of_balance(world):
    given_ = account(*world[0])
    assert np.allclose(METHODS["da_min_open"](*given_).flow, METHODS["da_min_closed"](*given_).flow, atol=1e-9)


@settings(max_examples=40)
@given(worlds(), st.sampled_from(sorted(METHODS)))
def test_summing_over_birthplaces_first_or_last_is_the_same(world, method):
    dense = METHODS[method](*account(*world[0]))
    summed = METHODS[method](*account(*world[0]), by_birthplace=False)
    assert summed.flow.dims == ("origin", "destination")
    assert np.allclose(dense.corridors, summed.flow) and dense.corridors.sum() >= 0


@settings(max_examples=40)
@given(worlds())
def test_differences_account_for_every_change_of_a_foreign_born_stock(world):
    (start, end, births, deaths), _ = world
    given_ = account(start, end, births, deaths)
    drop, reverse = (METHODS[m](*given_).flow.values for m in ("sd_drop_neg", "sd_rev_neg"))
    change = end - start
    np.fill_diagonal(change, 0)
    gained = reverse.sum(1) - reverse.sum(2)                          # [birthplace, residence]
    np.fill_diagonal(gained, 0)
    assert np.allclose(gained, change)
    assert np.allclose(drop.sum((0, 1)), np.maximum(change, 0).sum(0))
    assert np.isclose(reverse.sum(), np.abs(change).sum())


@settings(max_examples=40)
@given(worlds())
def test_rates_keep_the_proportions_of_stocks(world):
    (start, end, births, deaths), _ = world
    made = predict_migration_rate(*account(start, end, births, deaths))
    foreign = start.copy()
    np.fill_diagonal(foreign, 0)
    assert np.isclose(made.flow.sum(), np.abs(end.sum(0) - start.sum(0) - births + deaths).sum())
    assert np.allclose(made.corridors * foreign.sum(), foreign * float(made.flow.sum()))
    assert np.isclose(predict_migration_rate(*account(start, end, births, deaths), total=77.0).flow.sum(), 77)


def test_the_transition_matrix_leads_from_the_first_table_to_the_second():
    example = EXAMPLES["rates_rvr"]
    flow = predict_transition_matrix(*account(example["start"], example["end"])[:2]).values
    population = np.array(example["start"], float).sum(0)
    step = flow / population[:, None]
    np.fill_diagonal(step, 0)
    whole = np.linalg.solve(np.array(example["start"], float), np.array(example["end"], float))
    np.fill_diagonal(step, np.diag(whole))
    assert np.allclose(np.array(example["start"], float) @ step, example["end"])
    assert (flow < 0).any()


def test_an_open_world_reports_who_crossed_its_border():
    """Births and deaths of e3 leave birthplaces with 54 more people at the end and 34 fewer."""
    example = EXAMPLES["e3"]
    made = predict_accounting(*account(*(example[k] for k in ("start", "end", "births", "deaths"))), system="open")
    totals = made.start.sum("residence")
    assert np.allclose(totals, made.end.sum("residence"))
    assert made.flow.attrs["entered_world"] - made.flow.attrs["left_world"] == pytest.approx(20)
    assert np.allclose(totals, [1044.659, 605, 906.398, 250], atol=5e-4)


def test_a_closed_world_scales_natives_where_world_population_does_not_follow():
    example = EXAMPLES["e3"]                                   # twenty people too many
    made = predict_accounting(*account(*(example[k] for k in ("start", "end", "births", "deaths"))))
    assert made.repairs["territory"].tolist() == ["world"] and made.repairs["before"].tolist() == [20.0]
    assert made.start.sum() == pytest.approx(float(made.end.sum()))
    assert len(made.flow.attrs["balance_iterations"]) == 2 and min(made.flow.attrs["balance_iterations"]) > 1
    assert max(made.flow.attrs["balance_margin_error"]) < 1e-4


# ---- bad input -----------------------------------------------------------------------------------------------------

def test_births_beyond_natives_are_spread_and_reported():
    example = EXAMPLES["e6"]                                   # fifty births in B, where 45 natives live at the end
    made = predict_accounting(*account(*(example[k] for k in ("start", "end", "births", "deaths"))), period="2000–2005")
    repair = made.repairs.iloc[0]
    assert (repair["territory"], repair["period"], repair["before"]) == ("B", "2000–2005", 50)
    assert repair["after"] == pytest.approx(50 * 45 / 140)
    assert len(made.repairs) == 1


def plain():
    start = np.diag([80.0, 50.0, 50.0])
    start[0, 1], start[1, 2], start[2, 0] = 10.0, 10.0, 10.0
    return [start, start.copy(), np.ones(3), np.ones(3)]


@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize("which, value, kind, problem", [
    (0, np.nan, InputError, "missing"), (1, -5.0, NegativeCountError, "negative")])
def test_a_bad_cell_is_refused_with_territory_and_period(method, which, value, kind, problem):
    numbers = plain()
    numbers[which][1, 2] = value
    with pytest.raises(kind, match=problem) as raised:
        METHODS[method](*account(*numbers), period="1990–1995")
    assert "birthplace B, residence C, 1990–1995" in str(raised.value)


@pytest.mark.parametrize("method", ACCOUNTING)
def test_a_population_smaller_than_its_foreign_born_is_refused_where_natives_matter(method):
    numbers = plain()
    numbers[1][2, 2] = -3.0
    with pytest.raises(NegativeCountError, match=r"smaller than its foreign-born.*|residence C, 1990–1995"):
        METHODS[method](*account(*numbers), period="1990–1995")
    for other in set(METHODS) - set(ACCOUNTING):
        METHODS[other](*account(*numbers))


@pytest.mark.parametrize("which, problem", [(2, "more births than people"), (3, "more deaths than people")])
def test_impossible_births_and_deaths_name_the_territory(which, problem):
    numbers = plain()
    numbers[which][1] = 1000.0
    with pytest.raises(InputError, match=problem) as raised:
        METHODS["da_min_open"](*account(*numbers), period="1990–1995")
    assert raised.value.key == "B, 1990–1995"


def test_territories_that_differ_between_the_arguments_are_refused():
    start, end, births, deaths = account(*plain())
    with pytest.raises(InputError, match="territories along residence differ"):
        METHODS["mig_rate"](start, end, births.isel(residence=[1, 0, 2]), deaths)
    with pytest.raises(InputError, match="dimensions"):
        METHODS["mig_rate"](start.isel(birthplace=0), end, births, deaths)
    turned = METHODS["da_min_closed"](start.transpose(), end.transpose(), births, deaths)
    assert np.allclose(turned.flow, METHODS["da_min_closed"](start, end, births, deaths).flow)


def test_a_closed_table_that_cannot_exist_names_the_birthplace():
    """C has no foreign-born at the start, and loses so many of its own that their total falls below its population."""
    start, end, births, deaths = plain()
    start[1, 2], start[1, 0], start[2, 2], end[2, 2], end[0, 0] = 0.0, 10.0, 60.0, 20.0, 110.0
    with pytest.raises(NotConvergedError, match="no table keeps both") as raised:
        METHODS["da_min_closed"](*account(start, end, births, deaths), period="1990–1995")
    assert raised.value.key.endswith(": C") and "start of 1990–1995" in raised.value.file
    assert METHODS["da_min_open"](*account(start, end, births, deaths)).flow.sum() > 0


@pytest.mark.parametrize("call, options", [
    (predict_stock_difference, {"decrease": "ignore"}), (predict_accounting, {"system": "half-open"}),
    (predict_accounting, {"surplus": "burn"}), (predict_pseudo_bayes, {"weight": 1.5})])
def test_unknown_options_are_refused(call, options):
    with pytest.raises(ValueError):
        call(*account(*plain()), **options)


def test_a_world_without_migrants_has_no_rate():
    with pytest.raises(InputError, match="nobody lives outside the birthplace"):
        METHODS["mig_rate"](*account(np.diag([5.0, 5.0]), np.diag([5.0, 5.0])))
    with pytest.raises(InputError, match="cannot be inverted"):
        predict_transition_matrix(*account(np.ones((2, 2)), np.ones((2, 2)))[:2])
