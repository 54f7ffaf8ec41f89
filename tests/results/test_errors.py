"""The error taken apart: identities hold exactly, lists say who disagrees, groups and shocks are what they say."""
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from humanflows.config import load_config
from humanflows.errors import ConfigError, NegativeCountError, SchemaError
from humanflows.results import error_report, errors
from humanflows.results.error_terms import GROUPS, log_error, read_why, why_in_words, with_estimates
from humanflows.results.errors import error_components, group_cells, make_tables, residuals_by
from humanflows.results.shocks import WORLD_SHOCKS, Shock, score_shocks, shocks, twin_shocks
from humanflows.results.validation import flow_cells
from humanflows.results.worst import WORST_COLUMNS, contribution, worst_corridors
from humanflows.territories import codes

PARTS = ("train", "validation", "held_out")


@pytest.fixture
def rich(panel, truth) -> xr.Dataset:
    """The small panel with covariates, stocks and refugees. Origin and destination of MEX-DEU disagree by a factor of
    a hundred: an office of Mexico says what is true, Germany's a hundredth."""
    n, years = panel.sizes["origin"], panel.year.values
    pair, yearly = ("origin", "destination"), ("year", "residence")
    conflict = np.zeros((len(years), n))
    conflict[years == 2005, 5] = 5000.0                                                  # VEN
    income = np.tile([1.0, 40, 35, 5, 50, 2], (len(years), 1))                           # COL DEU FRA MEX USA VEN
    distance = np.full((n, n), 5000.0)
    distance[1, 2] = distance[2, 1] = 500.0
    contiguity = np.zeros((n, n))
    contiguity[1, 2] = contiguity[2, 1] = 1.0
    contiguity[0] = np.nan
    stock = np.full((1, 2, n, n), np.nan)
    stock[:, :, 2, 1] = [[1000.0, 2000.0]]                                               # French in Germany
    refugees = np.zeros((len(years), n, n), np.float32)
    refugees[:, 5, 0] = np.where(years < 2008, 10, 9010)                                 # VEN to COL
    at = {c: i for i, c in enumerate(panel.origin.values)}
    persons = panel.flow_persons.values.copy()
    mexican = (panel.flow_origin.values == at["MEX"]) & (panel.flow_destination.values == at["DEU"]) \
        & (panel.flow_witness.values == 0)
    persons[mexican] /= 100
    other = panel.isel(observation=np.flatnonzero(mexican))
    other = other.assign(flow_persons=other.flow_persons * 1.0,
                         flow_witness=("observation", np.full(mexican.sum(), len(panel.witness))))
    witnesses = [*panel.witness.values, "undesa_imfsc|MEX|emigration|residence|movement"]
    flows = {k: ("observation", np.concatenate([persons if k == "flow_persons" else panel[k].values, other[k].values]))
             for k in ("flow_persons", "flow_year", "flow_origin", "flow_destination", "flow_witness")}
    rest = panel.drop_dims(("observation", "witness"))
    return rest.assign(
        {**flows, "conflict_deaths": (yearly, conflict), "gdp_per_capita": (yearly, income),
         "distance": (pair, distance), "contiguity": (pair, contiguity),
         "stock_observed": (("revision", "stock_year", "birthplace", "residence"), stock),
         "displaced_flow": (("year", *pair), refugees), "displaced_stock": (("year", *pair), refugees.cumsum(0)),
         "displaced_before": (pair, np.zeros((n, n)))}).assign_coords(
        witness=witnesses, revision=[2024], stock_year=[2000, 2010])


@pytest.fixture
def cells(rich, splits, truth):
    """All cells, beside the truth as an estimate."""
    return with_estimates(flow_cells(rich, splits, PARTS), truth)


# --- errors -----------------------------------------------------------------------------------------------------------

def test_the_log_error_is_that_of_the_cell(cells, truth):
    one = cells[(cells.origin == "MEX") & (cells.destination == "DEU") & (cells.reporter == "DEU")].iloc[3]
    true = float(truth.sel(year=one.year, origin="MEX", destination="DEU"))
    assert one.estimate == pytest.approx(true) and one.persons == pytest.approx(true / 100)
    assert log_error(cells)[one.name] == pytest.approx(np.log((1 + true) / (1 + true / 100)))


@pytest.mark.parametrize(("column", "value", "error", "match"), [
    ("estimate", np.nan, SchemaError, "estimate holds a value that is not finite"),
    ("persons", np.inf, SchemaError, "persons holds a value"),
    ("estimate", -1.0, NegativeCountError, r"estimate holds -1\.0")])
def test_what_cannot_be_compared_is_refused(cells, column, value, error, match):
    with pytest.raises(error, match=match):
        log_error(cells.assign(**{column: value}))


def test_cells_without_estimates_are_refused(cells):
    with pytest.raises(SchemaError, match=r"no column 'estimate'.*with_estimates"):
        log_error(cells.drop(columns="estimate"))


# --- worst corridors ------------------------------------------------------------------------------------------------

def test_the_contribution_does_not_ask_who_is_larger(cells):
    turned = cells.rename(columns={"persons": "estimate", "estimate": "persons"})
    np.testing.assert_allclose(contribution(cells), contribution(turned))
    ten = pd.DataFrame({"persons": [9.0, 99.0, 0.0], "estimate": [99.0, 999.0, 9999.0]})
    small, large, nobody = contribution(ten)
    assert small < large < nobody                     # the same factor on a larger flow; many where nobody is reported


def test_the_worst_corridor_is_where_the_offices_disagree(cells, rich):
    table = worst_corridors(cells, rich, k=5)
    assert tuple(table.columns) == WORST_COLUMNS and len(table) == 5
    first = table.iloc[0]
    assert (first.corridor, first.reporter, first.side) == ("MEX-DEU", "DEU", "immigration")
    assert first.share > 0.9 and (first["first"], first["last"], first.years) == (2000, 2013, 14)
    rows = cells[(cells.origin == "MEX") & (cells.reporter == "DEU")]
    assert first.reported == pytest.approx(rows.persons.mean())
    assert first.estimated == pytest.approx(rows.estimate.mean())
    assert first.ratio == pytest.approx((1 + first.estimated) / (1 + first.reported))
    why = read_why(first.why)
    assert float(why["offices_disagree"]) == pytest.approx((1 + 100 * first.reported) / (1 + first.reported), rel=0.01)
    assert "estimate_agrees" in why and why["no_stock"] == "" and "criterion" not in why
    assert first.other == "undesa_imfsc|MEX|emigration|residence"
    assert first.other_reported == pytest.approx(first.estimated)


def test_shares_are_of_all_the_cells_given(cells, rich):
    wrong = cells.assign(estimate=cells.estimate * 1.5)
    every = worst_corridors(wrong, rich, k=10_000)
    assert len(every) == wrong.corridor.nunique()
    assert every.share.sum() == pytest.approx(1) and every.share_counts.sum() == pytest.approx(1)
    assert every.share.is_monotonic_decreasing
    expected = ((wrong.estimate - wrong.persons) ** 2).groupby(wrong.corridor).sum()
    assert every.share_counts.max() == pytest.approx((expected / expected.sum()).max())


def test_hints_tell_criterion_conflict_stock_jump_and_few_years(cells, rich):
    cells = cells.assign(estimate=cells.estimate * 3)
    table = worst_corridors(cells, rich, k=10_000).set_index(["corridor", "reporter", "side"])
    by_citizenship = read_why(table.loc[("DEU-USA", "USA", "immigration"), "why"])
    assert by_citizenship["criterion"] == "citizenship" and "offices_agree" in by_citizenship
    assert read_why(table.loc[("VEN-DEU", "DEU", "immigration"), "why"])["conflict"] == "5000"
    assert "conflict" not in table.loc[("COL-DEU", "DEU", "immigration"), "why"]
    french = rich.flow_persons.values[(rich.flow_origin == 2) & (rich.flow_destination == 1)].mean()
    counted = "small_stock" in table.loc[("FRA-DEU", "DEU", "immigration"), "why"]
    assert counted == (french > 1733.0)            # 1,000 in 2000 to 2,000 in 2010 and after, mean without 2007
    few = cells[(cells.origin != "FRA") | (cells.year < 2003)]
    french = worst_corridors(few, rich, k=10_000).set_index(["corridor", "reporter", "side"])
    assert read_why(french.loc[("FRA-DEU", "DEU", "immigration"), "why"])["few_years"] == "3"
    leap = cells.assign(persons=np.where((cells.year == 2004) & (cells.origin == "COL"), 1e6, cells.persons))
    leap = worst_corridors(leap, rich, k=10_000).set_index(["corridor", "reporter", "side"])
    assert float(read_why(leap.loc[("COL-DEU", "DEU", "immigration"), "why"])["jump"]) > 5


def test_the_war_of_the_year_before_the_series_counts_but_not_an_earlier_one(cells, rich):
    for first, found in ((2006, True), (2007, False)):
        table = worst_corridors(cells[cells.year >= first].assign(estimate=5.0), rich, k=10_000)
        hints = table.set_index(["corridor", "reporter", "side"]).why
        assert ("conflict" in hints["VEN-DEU", "DEU", "immigration"]) == found


def test_a_corridor_without_any_hint_says_so(cells, rich):
    alone = cells[(cells.origin == "FRA") & (cells.destination == "DEU")].assign(estimate=1.0)
    calm = rich.assign(stock_observed=rich.stock_observed * 1e6)
    assert worst_corridors(alone, calm).why.tolist() == ["unexplained"]
    assert why_in_words("unexplained") == "no hint"


def test_hints_are_read_in_words():
    assert why_in_words("offices_disagree=1140;estimate_agrees;criterion=citizenship") == (
        "offices differ ×1,140, estimate near the other, by citizenship")
    assert read_why("few_years=3;no_stock") == {"few_years": "3", "no_stock": ""} and read_why("") == {}


def test_no_cells_make_no_rows(cells, rich):
    assert len(worst_corridors(cells.iloc[:0], rich)) == 0 and len(error_components(cells.iloc[:0])) == 0


# --- groups ---------------------------------------------------------------------------------------------------------

def test_groups_are_what_they_are_called(cells, rich):
    at = {by: group_cells(cells, rich, by) for by in GROUPS}
    french = ((cells.origin == "FRA") & (cells.destination == "DEU")).to_numpy()
    assert set(at["region of origin"][french]) == {"Europe"} and set(at["distance"][french]) == {"under 1,000 km"}
    assert set(at["border"][french]) == {"common border"} and set(at["stock"][french]) == {"counted"}
    assert set(at["border"][(cells.origin == "COL").to_numpy()]) == {None}                # unknown
    assert set(at["stock"][~french]) == {"not counted"}
    columbian = ((cells.origin == "COL") & (cells.destination == "DEU")).to_numpy()
    assert set(at["income of destination to origin"][columbian]) == {"over 10 times"}
    war = cells.year.isin([2005, 2006]) & (cells.origin == "VEN")
    assert (at["conflict in the origin"] == "1,000 and more").tolist() == war.tolist()
    assert at["year"].tolist() == cells.year.astype(str).tolist()
    size = at["reported flow"]
    assert all((lo <= round(p) <= hi) for p, g in zip(cells.persons, size)
               for lo, hi in [{"0": (0, 0), "1–9": (1, 9), "10–99": (10, 99), "100–999": (100, 999),
                               "1,000–9,999": (1000, 9999), "10,000 and more": (10_000, np.inf)}[g]])
    assert all(set(g[pd.notna(g)]) <= set(GROUPS[by]) for by, g in at.items() if by != "year")


@pytest.mark.parametrize("by", GROUPS)
def test_residuals_are_means_of_groups(cells, rich, by):
    table = residuals_by(cells, rich, by)
    groups, error = group_cells(cells, rich, by), log_error(cells)
    for row in table.itertuples():
        here = groups == row.group
        assert row.n == here.sum() and row.share == pytest.approx(here.mean())
        assert row.bias == pytest.approx(error[here].mean())
        assert row.abs_error == pytest.approx(np.abs(error[here]).mean())
    assert table.n.sum() == pd.notna(groups).sum()
    order = GROUPS[by] or sorted(table.group)
    assert table.group.tolist() == [g for g in order if g in set(table.group)]


def test_intervals_count_corridors_and_not_cells(cells, rich):
    """Errors alike within a corridor: as many cells as one likes do not make the interval narrower."""
    rows = cells[(cells.reporter == "DEU") & (cells.side == "emigration")]
    effect = rows.destination.map({"COL": -1.0, "FRA": 0.5, "MEX": 0.0, "USA": 1.0, "VEN": 0.3})
    rows = rows.assign(persons=99.0, estimate=100 * np.exp(effect) - 1)
    long = residuals_by(rows.assign(year=2000), rich, "year").iloc[0]
    short = residuals_by(rows[rows.year == 2000], rich, "year").iloc[0]
    assert long.n == 14 * short.n and long.corridors == short.corridors == 5
    assert long.bias_upper == pytest.approx(short.bias_upper)
    values = effect.unique()
    # for single cells it is Student's interval of a mean
    half = 2.7764 * values.std(ddof=1) / np.sqrt(5)
    assert short.bias_upper - short.bias == pytest.approx(half, rel=1e-4)


def test_one_corridor_has_no_interval(cells, rich):
    row = residuals_by(cells[cells.corridor == cells.corridor.iloc[0]], rich, "stock").iloc[0]
    assert np.isfinite(row.bias) and np.isnan(row.bias_lower) and np.isnan(row.abs_upper)


def test_an_unknown_grouping_names_the_nearest(cells, rich):
    with pytest.raises(SchemaError, match=r"'distances'.*did you mean 'distance'"):
        residuals_by(cells, rich, "distances")


# --- components -----------------------------------------------------------------------------------------------------

@settings(max_examples=25)
@given(st.lists(st.tuples(st.sampled_from("AB"), st.sampled_from("XY"), st.integers(0, 3), st.floats(0, 1e7),
                          st.floats(0, 1e7)), min_size=1, max_size=40))
def test_level_pattern_and_time_add_up_to_the_mean_squared_log_error(rows):
    frame = pd.DataFrame(rows, columns=["collection", "reporter", "corridor", "persons", "estimate"])
    frame = frame.assign(side="immigration", criterion="residence")
    table = error_components(frame).set_index("collection")
    for collection, part in frame.groupby("collection"):
        row = table.loc[collection]
        assert row.total == pytest.approx(np.mean(log_error(part) ** 2), rel=1e-9, abs=1e-12)
        assert row.level + row.pattern + row.time == pytest.approx(row.total, rel=1e-6, abs=1e-9)
        assert min(row.level, row.pattern, row.time) >= 0 and row.n == len(part)


def test_each_component_answers_to_its_own_error(cells):
    right = cells.assign(persons=cells.estimate)
    def parts(estimate):
        table = error_components(right.assign(estimate=estimate))
        return np.round(table[["level", "pattern", "time"]].to_numpy(float), 12)

    assert not parts(right.estimate).any()
    level = parts(3 * (1 + right.estimate) - 1)
    assert np.allclose(level[:, 0], np.log(3) ** 2) and not level[:, 1:].any()
    pattern = parts((1 + right.estimate) * np.where(right.destination == "FRA", 5, 1) - 1)
    assert pattern[:, 1].max() > 0.01 and not pattern[:, 2].any()
    odd = right.year % 2 == 0
    time = parts((1 + right.estimate) * np.where(odd, 5, 1) - 1)
    assert (time[:, 2] > 0.5).all() and (time[:, 1] < 0.01).all()


# --- shocks ---------------------------------------------------------------------------------------------------------

WAR = Shock("war", "VEN to COL, flight", ("VEN",), ("COL",), (2008, 2010), (2003, 2005), ("reported", "displaced"))


def test_a_course_has_the_estimate_and_the_refugees(rich, truth):
    table = shocks(truth, rich, [WAR], {"half": truth / 2})
    assert set(table.series) == {"estimate", "half", "new refugees and asylum seekers",
                                 "change of refugees and others displaced"}
    estimate = table[table.kind == "estimate"].set_index("year")
    assert estimate.index.tolist() == list(range(2000, 2014))                       # three years before and after
    true = truth.sel(origin="VEN", destination="COL").to_series()
    np.testing.assert_allclose(estimate.persons, true.loc[2000:2013])
    assert (table.estimated == table.year.map(true)).all() and (table.corridors == 1).all()
    refugees = table[table.series.str.startswith("new")].set_index("year").persons
    assert refugees[2007] == 10 and refugees[2008] == 9010
    change = table[table.series.str.startswith("change")].set_index("year").persons
    np.testing.assert_allclose(change, refugees)                                    # the panel's stock is its sum


def test_scores_are_ratios_of_rises(rich, truth, splits):
    risen = truth.where(truth.year < 2008, truth * 4)
    row = score_shocks(shocks(risen, rich, [WAR]), [WAR], splits).set_index("series").loc[
        "new refugees and asylum seekers"]
    here = risen.sel(origin="VEN", destination="COL")
    before, during = float(here.sel(year=slice(2003, 2005)).mean()), float(here.sel(year=slice(2008, 2010)).mean())
    assert row.estimated_rise == pytest.approx(max(during, 100) / max(before, 100))
    assert row.rise == pytest.approx(9010 / 100) and row.before == 10            # counted from a hundred persons
    assert row.log_ratio == pytest.approx(np.log(row.estimated_rise / row.rise))
    assert row.found == pytest.approx((during - before) / 9000)
    assert row.held_out == float(splits.held_out.sel(origin="VEN", destination="COL"))
    assert np.isnan(score_shocks(shocks(risen, rich, [WAR]), [WAR]).held_out).all()


def test_reports_are_summed_over_corridors_that_are_always_reported(rich, truth):
    everywhere = Shock("in", "all to DEU", (), ("DEU",), (2007, 2008), (2003, 2005))
    table = shocks(truth, rich, [everywhere])
    told = table[(table.kind == "reported") & table.series.str.contains("undesa_imfsc, immigration")].set_index("year")
    # FRA is not reported in 2007, so it is left out of every year; MEX as Germany says it
    assert (told.corridors == 4).all() and set(told.index) == set(range(2000, 2012))
    for year in (2003, 2007):
        true = truth.sel(year=year, destination="DEU").to_series()
        persons = true[["COL", "USA", "VEN"]].sum() + true["MEX"] / 100
        assert told.persons[year] == pytest.approx(persons)
        assert told.estimated[year] == pytest.approx(true[["COL", "MEX", "USA", "VEN"]].sum())
    whole = table[table.kind == "estimate"].set_index("year")
    assert whole.corridors.eq(5).all() and (whole.persons > told.estimated.reindex(whole.index).fillna(0)).all()


def test_one_reported_year_on_each_side_is_enough_and_none_is_not(rich, truth):
    # Germany does not report FRA in 2007; for the shock of 2007 alone nobody speaks
    french = {k: Shock(k, k, ("FRA",), ("DEU",), during, (2003, 2005)) for k, during in
              (("gap", (2007, 2007)), ("gap and more", (2007, 2008)))}
    table = shocks(truth, rich, list(french.values()))
    reported = table[table.kind == "reported"]
    assert set(reported.shock) == {"gap and more"} and 2007 not in set(reported.year)
    scored = score_shocks(table, list(french.values())).set_index("shock")
    rise = float(truth.sel(year=2008, origin="FRA", destination="DEU")
                 / truth.sel(year=slice(2003, 2005), origin="FRA", destination="DEU").mean())
    assert scored.loc["gap and more", "estimated_rise"] == pytest.approx(rise)      # over the years that are reported


def test_the_counted_stock_changes_between_its_counts_only(rich, truth):
    table = shocks(truth, rich, [Shock("s", "s", ("FRA",), ("DEU",), (2008, 2008), (2003, 2003), ("stock",))])
    stock = table[table.kind == "stock"].set_index("year").persons
    assert stock.index.tolist() == list(range(2000, 2010)) and np.allclose(stock, 100)     # 1,000 in ten years
    nobody = shocks(truth, rich, [Shock("s", "s", ("MEX",), ("DEU",), (2008, 2008), (2003, 2003), ("stock",))])
    assert set(nobody.kind) == {"estimate"}


def test_a_shock_elsewhere_or_in_other_years_is_left_out(rich, truth):
    gone = [Shock("a", "a", ("SYR",), (), (2008, 2008), (2003, 2003)),
            Shock("b", "b", ("VEN",), (), (2020, 2020), (2018, 2019))]
    assert len(shocks(truth, rich, gone)) == 0 and len(score_shocks(shocks(truth, rich, gone), gone)) == 0


@pytest.mark.parametrize(("during", "before", "beside", "match"), [
    ((2008, 2007), (2003, 2005), ("reported",), "do not lie before"),
    ((2005, 2007), (2003, 2005), ("reported",), "do not lie before"),
    ((2008, 2009), (2003, 2005), ("rumour",), "'rumour'")])
def test_impossible_shocks_are_refused(during, before, beside, match):
    with pytest.raises(ConfigError, match=match):
        Shock("x", "x", (), (), during, before, beside)


def test_the_worlds_shocks_are_of_its_territories_and_years():
    world = load_config("world")
    assert len({s.name for s in WORLD_SHOCKS}) == len(WORLD_SHOCKS)
    for shock in WORLD_SHOCKS:
        assert set(shock.origins) | set(shock.destinations) <= set(codes())
        assert set(shock.years) <= set(world.years)


def test_the_twins_shocks_are_its_events(small_world, small_config):
    named = {s.name: s for s in twin_shocks(small_config.twin.events, small_world.events)}
    sliders, events = small_config.twin.events, small_world.events
    assert named["war"].origins == (events.war_territory,) and named["war"].during[0] == sliders.war_year
    assert named["pandemic"].during == (sliders.pandemic_year,) * 2 and named["pandemic"].origins == ()
    assert ("closure" in named) == bool(events.closed_corridor)
    joined = [c for c, year in events.union.items() if year == sliders.union_first_year]
    assert ("union-first" in named) == bool(joined)
    peace = load_config("twin", twin={"events": {"war_years": 0, "closure_years": 0}}).twin.events
    assert not {"war", "closure"} & {s.name for s in twin_shocks(peace, events)}


# --- all of it --------------------------------------------------------------------------------------------------------

def test_tables_are_those_of_held_out_corridors_and_small(small_panel, small_splits, small_world, small_config):
    named = twin_shocks(small_config.twin.events, small_world.events)
    truth = small_world.truth.flow
    tables = make_tables(truth, small_panel, small_splits, named, k=5)
    assert tuple(tables) == errors.TABLES
    held_out = small_splits.held_out.values
    place = {c: i for i, c in enumerate(small_splits.origin.values)}
    worst = tables["worst_corridors"]
    assert len(worst) and all(held_out[place[c[:3]], place[c[4:]]] for c in worst.corridor)
    assert set(worst["set"]) <= set(errors.WORST) and worst.groupby("set").size().max() <= 5
    assert set(worst[worst["set"] == errors.WORST[0]].criterion) <= {"residence"}
    assert set(tables["residuals"].by) <= set(GROUPS) and set(tables["residuals"].side) <= {"immigration", "emigration"}
    assert (tables["shocks"].persons == tables["shocks"].persons.map(lambda p: float(f"{p:.3g}"))).all()
    assert sum(len(t.to_csv(index=False, float_format="%.6g")) for t in tables.values()) < 200_000


def test_tables_survive_the_way_through_a_file(small_panel, small_splits, small_world, small_config, tmp_path):
    tables = make_tables(small_world.truth.flow, small_panel, small_splits,
                         twin_shocks(small_config.twin.events, small_world.events))
    read = {}
    for name, table in tables.items():
        table.to_csv(tmp_path / name, index=False, float_format="%.6g")
        read[name] = pd.read_csv(tmp_path / name, keep_default_na=False, na_values=[""])
        assert list(read[name].columns) == list(table.columns) and len(read[name]) == len(table)
    assert error_report.error_sentences(tables, 12) == error_report.error_sentences(read, 12)


def test_no_held_out_report_makes_empty_tables(small_panel, small_splits, small_world):
    nobody = small_splits.assign(held_out=small_splits.held_out & False)
    tables = make_tables(small_world.truth.flow, small_panel, nobody, [])
    assert all(len(t) == 0 for t in tables.values())
    assert tuple(tables["worst_corridors"].columns) == (*WORST_COLUMNS, "set")
    assert all(isinstance(text, str) for text in error_report.error_sentences(tables, 12).values())


def test_sentences_count_what_the_tables_hold():
    worst = pd.DataFrame({"set": ["a", "a", "a", "b"], "share": [0.3, 0.2, 0.1, 0.9],
                          "why": ["offices_disagree=3;estimate_agrees", "offices_agree", "jump=9", "offices_agree"]})
    groups = pd.DataFrame({"side": "immigration", "by": ["stock", "stock", "region of origin", "region of destination"],
                           "group": ["counted", "not counted", "Europe", "Oceania"], "n": [3, 1, 2, 2],
                           "bias": np.log([2, 2, 8, 9]), "bias_lower": [0.1, 0.1, 0.1, -1.0],
                           "bias_upper": [3.0, 3, 3, 4], "corridors": [2, 1, 7, 2]})
    parts = pd.DataFrame({"collection": ["undesa_imfsc"], "side": ["emigration"], "criterion": ["residence"],
                          "level": [1.0], "pattern": [2.0], "time": [1.0], "total": [4.0]})
    scores = pd.DataFrame({"kind": ["reported", "reported", "displaced"], "log_ratio": [-0.5, -0.5, -3.0],
                           "rise": [3.0, 0.5, 90.0], "found": [0.5, 2.0, 0.87]})
    said = error_report.error_sentences({"worst_corridors": worst, "residuals": groups, "error_components": parts,
                                         "shock_scores": scores}, 2)
    assert "The 2 series" in said["worst_corridors"] and "50% of the error" in said["worst_corridors"]
    assert "In 1 of them" in said["worst_corridors"] and "In 1 both offices agree" in said["worst_corridors"]
    assert said["residuals"] == ("Held-out arrivals are estimated at ×2 what is reported, by geometric mean, and "
                                 "furthest off from Europe (×8, 7 corridors).")
    assert "departures by residence, 25%" in said["error_components"] and "50% the pattern" in said["error_components"]
    assert "Of 2 rises and falls" in said["shocks"] and "makes 1 weaker" in said["shocks"]
    assert "between 87% and 87%" in said["shocks"]


def test_rows_of_shocks_are_text():
    scores = pd.DataFrame({"title": ["t"] * 3, "series": ["s"] * 3, "rise": [1234.5, 0.5, 2.0],
                           "estimated_rise": [15.3, 1.3, 2.0], "found": [0.8, -19.0, np.nan],
                           "held_out": [1.0, 0.0, np.nan]})
    rows = error_report.shock_rows(scores)
    assert [r["found"] for r in rows] == ["80%", "the opposite", "–"]
    assert [r["rise"] for r in rows] == ["×1,234", "×0.5", "×2"]
    assert [r["held_out"] for r in rows] == ["100%", "0%", "–"]
