"""A panel of three territories, each number of which can be worked out by hand, and what any panel must satisfy."""
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from humanflows.artifacts import write_netcdf
from humanflows.errors import InputError, SchemaError
from humanflows.panel.harmonise import best_stock, harmonise, provenance
from humanflows.schema import STATUS, TABLES, validate

PLACES, YEARS = ["AUT", "BEL", "CHE"], list(range(1990, 2001))
AUT, BEL, CHE = range(3)
START = {"AUT": 10_000.0, "BEL": 20_000.0, "CHE": 1_000.0}
STOCKS = [  # revision, year, birthplace, residence, persons
    (2020, 1990, "BEL", "AUT", 100), (2020, 1995, "BEL", "AUT", 200), (2020, 2000, "BEL", "AUT", 300),
    (2024, 1990, "BEL", "AUT", 110), (2024, 1995, "BEL", "AUT", 210),
    (2020, 1990, "CHE", "AUT", 50), (2020, 1995, "CHE", "AUT", 40),      # in the older revision alone
    (2024, 1990, "AUT", "BEL", 10), (2024, 1995, "AUT", "BEL", 2010),    # grows too fast to be carried back
    (2024, 1990, "CHE", "BEL", 60),                                      # no later figure
    (2024, 1990, "AUT", "CHE", 900), (2024, 1995, "AUT", "CHE", 900),    # with the next: more than the population
    (2024, 1990, "BEL", "CHE", 300), (2024, 1995, "BEL", "CHE", 300)]
FLOWS = [  # source, reporter, side, criterion, flow_type, year, origin, destination, persons
    ("undesa_imfsc", "BEL", "immigration", "residence", "movement", 1995, "AUT", "BEL", 40),
    ("undesa_imfsc", "AUT", "emigration", "residence", "movement", 1995, "AUT", "BEL", 25),
    ("undesa_imfsc", "BEL", "immigration", "citizenship", "movement", 1995, "AUT", "BEL", 31),
    ("eurostat", "BEL", "immigration", "residence", "movement", 1995, "AUT", "BEL", 38),
    ("meta", "META", "both", "residence", "transition", 2000, "CHE", "AUT", 7),
    ("undesa_imfsc", "BEL", "immigration", "residence", "movement", 1990, "CHE", "BEL", 3),
    ("undesa_imfsc", "BEL", "immigration", "residence", "movement", 1989, "CHE", "BEL", 99),   # before the panel
    ("undesa_imfsc", "BEL", "immigration", "residence", "movement", 1995, "FRA", "BEL", 88)]   # outside the panel


def territory_rows(variable, source, values: dict, status="reported") -> list:
    """``values`` by (territory, year)."""
    return [(source, variable, place, year, float(value), status) for (place, year), value in values.items()]


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    grid = [(p, y) for p in PLACES for y in YEARS]
    series = []
    for variable, value in (("births", 100), ("deaths", 80), ("net_migration", 10), ("population_change", 30),
                            ("population_midyear", 5000), ("life_expectancy", 80), ("eu_member", 1)):
        series += territory_rows(variable, "wpp", {k: value for k in grid}, "estimated")
    series += territory_rows("population", "wpp", {(p, y): START[p] + 30 * (y - 1990) for p, y in grid}, "estimated")
    for variable in ("gdp_per_capita", "gdp", "gdp_growth", "conflict_deaths"):
        # CHE has none before 1992: nothing may be carried backward; nobody has any after 1998
        series += territory_rows(variable, "gdp", {(p, y): y - 1000 * PLACES.index(p) + 2000 for p, y in grid
                                                   if y <= 1998 and (p != "CHE" or y >= 1992)})
    series += territory_rows("net_migration_national", "national_net_migration", {("AUT", 1996): -12})
    pairs = [(o, d) for o in PLACES for d in PLACES if o != d]
    moves = pd.DataFrame(FLOWS, columns=list(TABLES["flow"].columns)).astype({"persons": float})
    frames = {
        "stock": pd.DataFrame([("undesa_ims", *row, "citizenship" if row[3] == "CHE" else "foreign_born",
                                "imputed" if row[1] == 1995 else "reported") for row in STOCKS],
                              columns=list(TABLES["stock"].columns)).astype({"persons": float}),
        "flow": moves,
        "territory_year": pd.DataFrame(series, columns=list(TABLES["territory_year"].columns)),
        "pair": pd.DataFrame([("gravity", v, o, d, 100.0 * PLACES.index(o) + PLACES.index(d))
                              for v in ("distance", "common_language", "colonial_tie", "religious_similarity",
                                        "contiguity") for o, d in pairs], columns=list(TABLES["pair"].columns)),
        "pair_year": pd.DataFrame([
            ("unhcr", "displaced_stock", 1989, "AUT", "BEL", 4.0, "reported"),
            ("unhcr", "displaced_stock", 1995, "AUT", "BEL", 6.0, "reported"),
            ("unhcr", "displaced_flow", 1995, "AUT", "BEL", 5.0, "reported"),
            ("trade", "trade", 1993, "AUT", "BEL", 9e6, "backcast"),
            ("trade", "trade", 1993, "BEL", "CHE", 8e6, "backcast"),
            ("trade", "trade", 1995, "AUT", "BEL", 5e6, "reported"),
            ("trade", "trade", 1996, "AUT", "BEL", 5e6, "bridged"),
            ("trade", "trade", 1996, "CHE", "AUT", 6e6, "bridged"),
            ("trade", "trade", 1997, "AUT", "BEL", np.nan, "missing")], columns=list(TABLES["pair_year"].columns)),
        "reconstruction": pd.DataFrame([("abel_cohen", "da_pb_closed", 1990, "AUT", "BEL", 70.0),
                                        ("abel_cohen", "da_pb_closed", 1995, "AUT", "BEL", 90.0),
                                        ("abel_cohen", "sd_drop_neg", 1995, "AUT", "BEL", 55.0),
                                        ("abel_cohen", "da_pb_closed", 2000, "AUT", "BEL", 99.0)],   # ends too late
                                       columns=list(TABLES["reconstruction"].columns)),
    }
    return {name: validate(frame, name, file="test") for name, frame in frames.items()}


@pytest.fixture(scope="module")
def panel(tables) -> xr.Dataset:
    return harmonise(tables, PLACES, YEARS)


def without(tables, table, keep) -> dict:
    """The same tables but for the rows of one for which ``keep`` is false."""
    return {**tables, table: tables[table][keep(tables[table])].reset_index(drop=True)}


# ---- the state of 1 January ----------------------------------------------------------------------------------------

def test_midyear_stocks_are_carried_back_to_1_january(panel):
    state = panel.stock_initial.values
    assert state[BEL, AUT] == pytest.approx(110 - 0.5 * (210 - 110) / 5)          # newest revision
    assert state[CHE, AUT] == pytest.approx(50 + 0.5 * (50 - 40) / 5)             # filled from the older one
    assert state[AUT, BEL] == pytest.approx(0.1 * 10)                             # never below a tenth
    assert state[CHE, BEL] == pytest.approx(60)                                   # no later figure: as it stands


def test_natives_are_the_population_less_the_foreign_born(panel):
    state = panel.stock_initial.values
    assert state[AUT, AUT] == pytest.approx(10_000 - 100 - 51)
    assert state[BEL, BEL] == pytest.approx(20_000 - 1 - 60)
    np.testing.assert_allclose(state.sum(0), panel.population.values[0])


def test_foreign_born_beyond_the_population_are_scaled(panel):
    state = panel.stock_initial.values
    assert state[[AUT, BEL], CHE] == pytest.approx([970 * 0.75, 970 * 0.25])
    assert state[CHE, CHE] == pytest.approx(30)


def test_revisions_are_kept_apart_and_merged_for_the_start_alone(panel):
    observed = panel.stock_observed
    assert observed.revision.values.tolist() == [2020, 2024]
    assert observed.stock_year.values.tolist() == [1990, 1995, 2000]
    old, new = observed.sel(birthplace="BEL", residence="AUT").values
    assert old.tolist() == [100, 200, 300]
    assert new[:2].tolist() == [110, 210] and np.isnan(new[2])
    assert np.isnan(observed.sel(revision=2024, birthplace="CHE", residence="AUT")).all()   # not filled: a witness
    assert best_stock(panel)[:, BEL, AUT].tolist() == [110, 210, 300]
    assert best_stock(panel)[:2, CHE, AUT].tolist() == [50, 40]


def test_stock_flags(panel):
    assert panel.stock_definition.sel(revision=2024).values.tolist() == [0, 0, 1]
    imputed = panel.stock_imputed.sel(revision=2020, birthplace="BEL", residence="AUT").values
    assert imputed.tolist() == [0, 1, 0]
    assert panel.stock_definition.attrs["flag_meanings"].split()[1] == "citizenship"


def test_stocks_must_begin_with_the_panel(tables):
    late = without(tables, "stock", lambda f: f.year > 1990)
    with pytest.raises(SchemaError, match="1995"):
        harmonise(late, PLACES, YEARS)


# ---- territories by year -------------------------------------------------------------------------------------------

def test_population_of_the_last_1_january_follows_from_the_accounts(panel):
    assert panel.date_year.values.tolist() == [*YEARS, 2001]
    assert panel.population.values[-1].tolist() == [START[p] + 30 * 11 for p in PLACES]


def test_series_are_carried_forward_and_flagged_never_backward(panel):
    gdp, status = panel.gdp_per_capita.values, panel.gdp_per_capita_status.values
    assert gdp[YEARS.index(1998), AUT] == 3998
    assert (gdp[-2:, AUT] == 3998).all()
    assert [STATUS[s] for s in status[-3:, AUT]] == ["reported", "carried_forward", "carried_forward"]
    assert np.isnan(gdp[:2, CHE]).all() and gdp[2, CHE] == 1992
    assert [STATUS[s] for s in status[:3, CHE]] == ["missing", "missing", "reported"]


def test_democracy_and_visas_enter_where_a_source_tells_them(tables, panel):
    assert not {"democracy", "democracy_status", "liberal_democracy", "visa_ease"} & set(panel.data_vars)
    series = pd.DataFrame(territory_rows("democracy", "vdem", {("AUT", 1991): 0.8, ("AUT", 1992): 0.9}, "estimated"),
                          columns=list(TABLES["territory_year"].columns))
    pairs = pd.DataFrame([("visa", "visa_ease", "AUT", "BEL", 1.0)], columns=list(TABLES["pair"].columns))
    more = {**tables, "territory_year": pd.concat([tables["territory_year"], series], ignore_index=True),
            "pair": pd.concat([tables["pair"], pairs], ignore_index=True)}
    told = harmonise(more, PLACES, YEARS)
    assert told.democracy.dims == ("year", "residence") and "liberal_democracy" not in told
    assert np.isnan(told.democracy.values[0, AUT]) and np.isnan(told.democracy.values[:, BEL]).all()
    assert told.democracy.values[1, AUT] == 0.8 and (told.democracy.values[2:, AUT] == 0.9).all()
    assert [STATUS[s] for s in told.democracy_status.values[:4, AUT]] == ["missing", "estimated", "estimated",
                                                                          "carried_forward"]
    assert told.visa_ease.dims == ("origin", "destination") and told.visa_ease.values[AUT, BEL] == 1
    assert int(np.isfinite(told.visa_ease).sum()) == 1
    assert "visa" in told.attrs["source"].split(", ") and told.visa_ease.attrs["source"] == "visa"
    xr.testing.assert_identical(told[list(panel.data_vars)].drop_attrs(deep=False), panel.drop_attrs(deep=False))


def test_witnesses_of_net_migration_are_not_carried(panel):
    national = panel.net_migration_national
    assert int(np.isfinite(national).sum()) == 1
    assert float(national.sel(year=1996, residence="AUT")) == -12


@pytest.mark.parametrize("variable", ["births", "deaths", "net_migration"])
def test_a_missing_known_part_is_refused(tables, variable):
    gap = without(tables, "territory_year",
                  lambda f: ~((f.variable == variable) & (f.territory == "BEL") & (f.year == 1994)))
    with pytest.raises(InputError, match=f"{variable} is missing") as caught:
        harmonise(gap, PLACES, YEARS)
    assert "BEL" in str(caught.value) and "1994" in str(caught.value) and "Remedy" in str(caught.value)


def test_a_missing_population_is_refused(tables):
    gap = without(tables, "territory_year", lambda f: ~((f.variable == "population") & (f.territory == "CHE")))
    with pytest.raises(InputError, match="population") as caught:
        harmonise(gap, PLACES, YEARS)
    assert "CHE" in str(caught.value) and "1990" in str(caught.value)


# ---- pairs ---------------------------------------------------------------------------------------------------------

def test_pairs_lie_by_origin_and_destination(panel):
    assert panel.distance.dims == ("origin", "destination")
    assert float(panel.distance.sel(origin="CHE", destination="BEL")) == 201
    assert np.isnan(panel.distance.values.diagonal()).all()


def test_absent_trade_is_zero_between_traders_and_missing_elsewhere(panel):
    trade = panel.trade
    year = trade.sel(year=1995)
    assert float(year.sel(origin="AUT", destination="BEL")) == 5e6
    assert float(year.sel(origin="BEL", destination="AUT")) == 0          # both trade, this pair does not
    assert np.isnan(year.sel(origin="CHE")).all()                         # CHE is not covered in 1995
    assert np.isnan(trade.sel(year=1994)).all()                           # nobody is
    assert np.isnan(trade.sel(year=1997)).all()                           # stated as missing
    status = panel.trade_status.sel(year=1996)
    assert STATUS[int(status.sel(origin="CHE", destination="BEL"))] == "bridged"  # a zero has its year's status
    assert STATUS[int(panel.trade_status.sel(year=1995, origin="CHE", destination="BEL"))] == "missing"


def test_absent_trade_of_a_backcast_year_is_missing(panel):
    # The source stores its zeros before 2000: there an absent pair is unknown.
    year = panel.trade.sel(year=1993)
    assert float(year.sel(origin="BEL", destination="CHE")) == 8e6
    assert np.isnan(year.sel(origin="CHE", destination="BEL"))
    assert STATUS[int(panel.trade_status.sel(year=1993, origin="CHE", destination="BEL"))] == "missing"


def test_a_pair_of_displaced_people_that_is_listed_no_more_is_no_zero(panel):
    shown = panel.displaced_stock.sel(origin="AUT", destination="BEL")
    status = [STATUS[int(k)] for k in panel.displaced_stock_status.sel(origin="AUT", destination="BEL")]
    np.testing.assert_allclose(shown.sel(year=slice(1990, 1995)), 4 + 2 * np.arange(1, 7) / 6, rtol=1e-6)   # from 1989
    assert status[:5] == ["bridged"] * 5 and status[5] == "reported"
    assert (shown.sel(year=slice(1995, None)) == 6).all() and set(status[6:]) == {"carried_forward"}
    assert float(panel.displaced_before.sel(origin="AUT", destination="BEL")) == 4
    assert float(panel.displaced_before.sum()) == 4 and not panel.displaced_break.any()
    others = panel.displaced_stock.sum("year").values.copy()
    others[0, 1] = 0
    assert not others.any(), "a pair that was never listed has nobody"


def test_new_refugees_of_a_pair_that_is_not_listed_are_none(panel):
    assert float(panel.displaced_flow.sel(year=1995, origin="AUT", destination="BEL")) == 5
    assert float(panel.displaced_flow.sum()) == 5


# ---- flow witnesses ------------------------------------------------------------------------------------------------

def test_witnesses_are_kept_apart(panel):
    assert sorted(panel.witness.values.tolist()) == [
        "eurostat|BEL|immigration|residence|movement", "meta|META|both|residence|transition",
        "undesa_imfsc|AUT|emigration|residence|movement", "undesa_imfsc|BEL|immigration|citizenship|movement",
        "undesa_imfsc|BEL|immigration|residence|movement"]
    parts = [panel[f"witness_{k}"].values for k in ("source", "reporter", "side", "criterion", "flow_type")]
    assert ["|".join(p) for p in zip(*parts)] == panel.witness.values.tolist()


def test_each_observation_keeps_its_number(panel):
    labels = {k: panel[k].values for k in ("witness", "year", "origin", "destination")}
    found = {(*str(labels["witness"][w]).split("|"), int(labels["year"][y]), str(labels["origin"][o]),
              str(labels["destination"][d])): persons
             for w, y, o, d, persons in zip(*(panel[f"flow_{k}"].values for k in (*labels, "persons")))}
    inside = {row[:-1]: row[-1] for row in FLOWS if row[5] >= 1990 and row[6] != "FRA"}
    assert found == inside
    assert panel.sizes["observation"] == len(inside)


def test_observations_are_ordered(panel):
    keys = list(zip(*(panel[f"flow_{k}"].values.tolist() for k in ("witness", "year", "origin", "destination"))))
    assert keys == sorted(keys)
    assert panel.witness.values.tolist() == sorted(panel.witness.values.tolist())


def test_a_panel_without_reports(tables):
    silent = harmonise({**tables, "flow": tables["flow"].iloc[:0]}, PLACES, YEARS)
    assert silent.sizes["observation"] == silent.sizes["witness"] == 0
    assert silent.witness_side.dims == ("witness",)


def test_reconstructions_end_with_the_panel(panel):
    table = panel.reconstruction
    assert table.method.values.tolist() == ["abel_cohen|da_pb_closed", "abel_cohen|sd_drop_neg"]
    assert table.period.values.tolist() == [1990, 1995]
    np.testing.assert_array_equal(table.sel(origin="AUT", destination="BEL"), [[70, 90], [np.nan, 55]])
    # an absent corridor is zero between territories that the period mentions, and unknown elsewhere
    assert table.sel(origin="BEL", destination="AUT", period=1995).values.tolist() == [0, 0]
    assert np.isnan(table.sel(origin="CHE")).all() and np.isnan(table.sel(destination="CHE")).all()


# ---- the panel as a whole ------------------------------------------------------------------------------------------

def test_the_order_of_territories_is_the_callers(tables, panel):
    turned = harmonise(tables, PLACES[::-1], YEARS)
    place = {d: PLACES for d in ("birthplace", "residence", "origin", "destination")}
    fixed = [n for n, v in panel.items() if set(v.dims).isdisjoint({"observation", "witness"})]
    assert len(fixed) > 30
    for name in fixed:
        xr.testing.assert_identical(turned[name].sel({d: c for d, c in place.items() if d in turned[name].dims}),
                                    panel[name])


def test_every_variable_says_what_it_is(panel):
    assert len(panel.data_vars) > 40
    bare = [name for name, v in panel.items() if not (v.attrs.get("units") or v.attrs.get("long_name"))]
    assert bare == []
    for name in ("births", "stock_observed", "trade", "distance"):
        assert {"units", "long_name", "source", "licence", "definition"} <= set(panel[name].attrs)
    assert panel.attrs["source"].split(", ") == sorted(panel.attrs["source"].split(", "))


def test_licence_and_definition_come_from_the_sources(tables):
    about = {"wpp": {"licence": "CC BY 3.0 IGO", "definition": "de facto population"},
             "undesa_ims": {"licence": "CC BY 4.0"}}
    panel = harmonise(tables, PLACES, YEARS, about)
    assert panel.births.attrs["licence"] == "CC BY 3.0 IGO"
    assert panel.births.attrs["definition"] == "de facto population"
    assert panel.stock_observed.attrs["licence"] == "CC BY 4.0"
    assert panel.trade.attrs["licence"] == "simulated"


def test_the_panel_survives_a_file(panel, tmp_path):
    file = write_netcdf(panel, tmp_path / "panel.nc", compress=1)
    back = xr.load_dataset(file, engine="netcdf4")
    for name, variable in panel.variables.items():
        assert back[name].dims == variable.dims
        assert back[name].dtype == variable.dtype or variable.dtype.kind == "U"
        np.testing.assert_array_equal(back[name].values, variable.values, err_msg=name)
    assert back.births.attrs == panel.births.attrs
    assert back.attrs == panel.attrs


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1))
def test_the_order_of_rows_does_not_matter(tables, panel, seed):
    rng = np.random.default_rng(seed)
    shuffled = {name: frame.iloc[rng.permutation(len(frame))].reset_index(drop=True)
                for name, frame in tables.items()}
    xr.testing.assert_identical(harmonise(shuffled, PLACES, YEARS), panel)


def test_tables_are_left_as_they_were(tables):
    before = {k: v.copy() for k, v in tables.items()}
    harmonise(tables, PLACES, YEARS)
    for name, frame in before.items():
        pd.testing.assert_frame_equal(tables[name], frame)


def test_a_simulated_world_becomes_a_panel(small_panel, small_world):
    assert small_panel.residence.values.tolist() == list(small_world.territories)
    change = small_panel.births - small_panel.deaths + small_panel.net_migration
    np.testing.assert_allclose(np.diff(small_panel.population.values, axis=0), change.values)
    off = ~np.eye(small_panel.sizes["residence"], dtype=bool)
    state, true = small_panel.stock_initial.values, small_world.truth.stock.values[0]
    known = off & (state > 0)
    assert np.corrcoef(np.log(state[known]), np.log1p(true[known]))[0, 1] > 0.95


# ---- provenance ----------------------------------------------------------------------------------------------------

def test_provenance_names_everyone_who_speaks(panel):
    table = provenance(panel, "AUT-BEL", 1995)
    flows = table[table.about == "flow during the year"]
    assert set(zip(flows.source, flows.reporter, flows.side, flows.criterion, flows.value)) == {
        (*row[:4], row[-1]) for row in FLOWS if row[5:8] == (1995, "AUT", "BEL")}
    others = {(row.source, row.about): row.value for row in table.itertuples() if row.about != "flow during the year"}
    assert others.pop(("undesa_ims", "stock at mid-1995, revision 2024")) == 2010
    assert others.pop(("trade", "goods exported from origin to destination")) == 5e6
    assert others.pop(("abel_cohen|da_pb_closed", "five-year flow from mid-1995")) == 90
    assert others.pop(("abel_cohen|sd_drop_neg", "five-year flow from mid-1995")) == 55
    assert sorted(v for (s, _), v in others.items() if s == "unhcr") == [5, 6]
    assert {s for s, _ in others} == {"unhcr"}


def test_provenance_has_a_direction(panel):
    assert not (provenance(panel, "bel-aut", 1995).about == "flow during the year").any()
    back = provenance(panel, "BEL-AUT", 1995)
    assert back[back.source == "undesa_ims"].value.tolist() == [200, 210]     # both revisions of the stock


@pytest.mark.parametrize(("corridor", "year"), [("AUT-XXX", 1995), ("AUTBEL", 1995), ("AUT-BEL-CHE", 1995),
                                                ("AUT-BEL", 2050)])
def test_provenance_refuses_what_the_panel_does_not_hold(panel, corridor, year):
    with pytest.raises(InputError, match=corridor) as caught:
        provenance(panel, corridor, year)
    assert str(year) in str(caught.value) and "VEN-COL" in caught.value.remedy
