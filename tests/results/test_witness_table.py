"""The table of witnesses, against numbers worked out by hand, and on the small world against what its offices do."""
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from humanflows.errors import SchemaError
from humanflows.results import witness_table as wt

PLACES = ["DEU", "POL", "ROU"]
WITNESSES = ["undesa_imfsc|POL|emigration|residence|movement", "undesa_imfsc|DEU|immigration|residence|movement",
             "eurostat|DEU|immigration|residence|movement", "oecd|ROU|immigration|citizenship|movement",
             "meta|META|both|residence|transition", "statsnz|NZL|emigration|residence|movement"]
BIAS = np.log([0.5, 1.0, 4.0, 1.0, 0.8, 1.0])


def make_panel(rows):
    """rows: witness, year, origin, destination, persons."""
    witness, year, origin, destination, persons = map(list, zip(*rows))
    return xr.Dataset(
        {"flow_persons": ("observation", np.array(persons, float)), "flow_year": ("observation", year),
         "flow_origin": ("observation", [PLACES.index(p) for p in origin]), "flow_witness": ("observation", witness),
         "flow_destination": ("observation", [PLACES.index(p) for p in destination])},
        coords={"origin": PLACES, "destination": PLACES, "year": [2000, 2001, 2002], "witness": WITNESSES})


@pytest.fixture
def panel():
    return make_panel([
        (0, 0, "POL", "DEU", 99), (0, 1, "POL", "DEU", 199), (0, 2, "POL", "DEU", 399), (0, 0, "POL", "ROU", 9),
        (1, 0, "POL", "DEU", 399), (1, 1, "POL", "DEU", 399),
        (2, 1, "POL", "DEU", 1599),                                   # the same office in another collection
        (3, 0, "POL", "ROU", 49),                                     # by citizenship: another kind of people
        (4, 0, "POL", "DEU", 999)])


def describe(panel, learned=None, ratio=1.0):
    learned = np.ones(panel.sizes["observation"], bool) if learned is None else learned
    expected = (1 + panel.flow_persons.values[learned]) / ratio - 1
    return wt.describe_witnesses(panel, learned, BIAS, expected).set_index("witness")


def test_departures_are_set_beside_the_arrivals_of_the_other_end(panel):
    row = describe(panel).loc[WITNESSES[0]]
    # 2000: 100 beside 400; 2001: 200 beside the geometric mean of 400 and 1,600; to ROU only a count by citizenship
    assert row.other_side == pytest.approx(np.log(1 / 4))
    assert row.other_side_learned == pytest.approx(np.median([np.log(0.5), np.log(0.5 / 2)]))
    assert (row.other_side_pairs, row.other_side_offices) == (2, 1)


def test_arrivals_are_set_beside_departures_in_each_collection(panel):
    table = describe(panel)
    assert table.other_side[WITNESSES[1]] == pytest.approx(np.median([np.log(4), np.log(2)]))
    assert table.other_side[WITNESSES[2]] == pytest.approx(np.log(8))
    for other in WITNESSES[3:]:
        assert np.isnan(table.other_side[other]) and table.other_side_pairs[other] == 0


def test_small_reports_are_not_compared():
    def pairs(arrivals):
        made = make_panel([(0, 0, "POL", "DEU", 1), (1, 0, "POL", "DEU", arrivals)])
        return describe(made).other_side_pairs[WITNESSES[0]]

    edge = (1 + wt.SMALLEST) ** 2 / 2 - 1                             # geometric mean with the 2 = 1 + 1
    assert pairs(np.ceil(edge)) == 1 and pairs(np.floor(edge) - 1) == 0


def test_dispersion_and_ratio_by_hand(panel):
    ratio = np.ones(panel.sizes["observation"])
    ratio[:4] = 2, 2, 2, 16
    row = describe(panel, ratio=ratio).loc[WITNESSES[0]]
    assert row.observations == 4 and row.factor == pytest.approx(0.5)
    assert row.dispersion == pytest.approx(np.sqrt((3 + 16) / 4) * np.log(2))
    assert row.dispersion_robust == pytest.approx(0)                  # three of four errors are the median
    assert row.log_ratio == pytest.approx(np.log(0.5) + np.log(2))


def test_robust_dispersion_estimates_the_standard_deviation():
    rng = np.random.default_rng(5)
    made = make_panel([(0, k % 3, "POL", "DEU", 1e6) for k in range(4000)])
    row = describe(made, ratio=np.exp(0.3 * rng.standard_normal(4000))).loc[WITNESSES[0]]
    assert row.dispersion_robust == pytest.approx(0.3, rel=0.05) and row.dispersion == pytest.approx(0.3, rel=0.05)


def test_reports_that_were_not_learned_from_change_nothing(panel):
    learned = np.arange(panel.sizes["observation"]) < 6
    before = describe(panel, learned)
    changed = panel.copy(deep=True)
    changed.flow_persons[6:] *= 7
    pd.testing.assert_frame_equal(before, describe(changed, learned))
    assert before.observations[WITNESSES[2]] == 0 and np.isnan(before.dispersion[WITNESSES[2]])


def test_columns_and_a_row_for_each_witness(panel):
    table = describe(panel).reset_index()
    assert tuple(table.columns) == wt.WITNESS_COLUMNS and table.witness.tolist() == WITNESSES
    assert table.loc[3, ["source", "reporter", "side", "criterion", "flow_type"]].tolist() == [
        "oecd", "ROU", "immigration", "citizenship", "movement"]


@pytest.mark.parametrize(("bias", "expected"), [(BIAS[:-1], np.ones(9)), (BIAS, np.ones(8))])
def test_each_witness_needs_a_bias_and_each_report_an_expectation(panel, bias, expected):
    with pytest.raises(SchemaError, match="give one each"):
        wt.describe_witnesses(panel, np.ones(9, bool), bias, expected)


def test_offices_of_the_small_world_are_found_out(small_panel, small_world, small_config):
    """With the true flows for expectations, log_ratio is how each office counts, and no estimate is in it."""
    from humanflows.twin.observe import describe_offices

    y, o, d = (small_panel[f"flow_{k}"].values.astype(int) for k in ("year", "origin", "destination"))
    table = wt.describe_witnesses(small_panel, np.ones(len(y), bool), np.zeros(small_panel.sizes["witness"]),
                                  small_world.truth.flow.values[y, o, d])
    key = describe_offices(small_world, small_config.twin).query("break_year == 0").set_index("reporter")
    rows = table[(table.source == "undesa_imfsc") & (table.criterion == "residence") & table.reporter.isin(key.index)]
    assert len(rows) >= 4
    level = [key.loc[r, f"{s}_level"] for r, s in zip(rows.reporter, rows.side)]
    assert rows.log_ratio.to_numpy() == pytest.approx(np.log(level), abs=0.12)
    departures = table[(table.side == "emigration") & (table.other_side_pairs >= wt.FEWEST)]
    assert len(departures) >= 4 and departures.other_side.median() < np.log(0.9)


# --- what is said about it --------------------------------------------------------------------------------------------

@pytest.fixture
def table():
    """Departures of three offices, arrivals of two of them, and a platform."""
    def row(source, reporter, side, log_bias, log_ratio, other_side, observations=100, pairs=50):
        label = f"{source}|{reporter}|{side}|residence|movement"
        return (label, source, reporter, side, "residence", "movement", observations, np.log(log_bias),
                log_bias, np.log(log_ratio), 0.5, 0.3, np.log(other_side), np.log(0.9), pairs, 3)

    return pd.DataFrame([
        row("eurostat", "DEU", "immigration", 1.1, 1.2, 2.0), row("eurostat", "DEU", "emigration", 0.9, 0.8, 0.7),
        row("eurostat", "POL", "immigration", 0.8, 0.5, 1.0), row("eurostat", "POL", "emigration", 0.6, 0.2, 0.1),
        row("eurostat", "ROU", "emigration", 0.5, 0.1, 0.2, pairs=wt.FEWEST - 1),
        row("eurostat", "FRA", "immigration", 1.0, 1.0, 1.0), row("eurostat", "FRA", "emigration", 0.5, 0.1, 0.2, 5)],
        columns=list(wt.WITNESS_COLUMNS))


def test_both_sides_leave_out_who_counts_one_or_too_little(table):
    pairs = wt.both_sides(table)
    assert pairs.reporter.tolist() == ["POL", "DEU"]                  # fewest departures first
    assert pairs.log_ratio_immigration.tolist() == pytest.approx(np.log([0.5, 1.2]))
    assert wt.checked_departures(table).reporter.tolist() == ["DEU", "POL", "FRA"]


def test_sentences_say_what_the_table_says(table):
    said = wt.witness_sentences(table)
    assert "Of 2 pairs of series" in said["undercount"] and "are the less complete in 2" in said["undercount"]
    assert "reported by Poland (×0.20) and Germany (×0.80)" in said["undercount"]
    assert "For 3 series of departures" in said["other_side"] and "median ratio is ×0.20" in said["other_side"]
    assert "rank correlation of learned bias and ratio is 0.50" in said["other_side"]
    nothing = wt.witness_sentences(table.iloc[:0])
    assert nothing["undercount"].startswith("No office") and nothing["other_side"].startswith("For no office")


def test_rows_of_a_page_hide_ratios_of_too_few_pairs(table):
    table.loc[3, "other_side_pairs"] = wt.FEWEST - 1
    first, second = wt.witness_rows(table)
    assert first == {"office": "Poland", "source": "eurostat", "arrivals": "×0.50", "departures": "×0.20",
                     "learned_arrivals": "×0.80", "learned_departures": "×0.60", "spread": "×1.35",
                     "other_side": "–", "pairs": "19"}
    assert second["other_side"] == "×0.70"
