"""What a protocol withholds is not in the panel that it shows: nothing that reads it can move with the withheld."""
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from humanflows import pipeline
from humanflows.baselines.persistence import predict_persistence
from humanflows.config import load_config
from humanflows.errors import SchemaError
from humanflows.model.train import content_digest, fit_member, predict
from humanflows.panel.features import build_features
from humanflows.panel.harmonise import harmonise
from humanflows.panel.splits import make_splits
from humanflows.panel.withhold import (
    FLOOR,
    reporters_of,
    sources_of,
    withheld_observations,
    withhold,
)
from humanflows.protocols import list_protocols

SMALL = {"twin": {"territories": 8, "reporters": 6, "people": {"burn_in": 10}}, "first_year": 2000,
         "train": {"year_steps": 3, "history_steps": 2, "epochs": 2, "validate_every": 1, "device": "cpu"},
         "model": {"hidden": 4, "width": 8, "embedding": 2}}
CONFIG = load_config("twin", **SMALL)
COVARIATES = ("births", "deaths", "gdp_per_capita", "gdp_growth", "conflict_deaths", "displaced_stock",
              "displaced_flow", "trade", "distance", "eu_member", "life_expectancy", "stock_initial")


@pytest.fixture(scope="module")
def tables():
    return pipeline.observe_twin(pipeline.simulate_twin(CONFIG), CONFIG)


def to_panel(tables):
    places = sorted(tables["territory_year"]["territory"].unique())
    return harmonise(pipeline.add_reconstruction(tables), places, CONFIG.years)


@pytest.fixture(scope="module")
def panel(tables):
    return to_panel(tables)


@pytest.fixture(scope="module")
def protocols(panel):
    return {p.name: p for p in list_protocols(CONFIG, panel) if p.withheld}


def names() -> list[str]:
    return ["blind", "blind-offices", *(f"reporters-{k}" for k in range(1, 6)), "source-offices-united",
            "source-eurostat", "source-meta", "net-third"]


def test_every_protocol_that_withholds_is_tested(protocols):
    assert sorted(protocols) == sorted(names())


def moved(values, where, rng):
    """The values, different wherever asked; what is NaN there becomes a number."""
    changed = np.array(values, dtype=float)
    changed[where] = np.nan_to_num(changed[where]) * rng.uniform(1.5, 3, where.sum()) + rng.integers(7, 99, where.sum())
    return changed.astype(values.dtype)


def spoil(panel, withheld, seed=0) -> xr.Dataset:
    """A panel in which every number that is withheld is another one."""
    rng = np.random.default_rng(seed)
    out = panel.copy(deep=True)
    out["flow_persons"][:] = moved(panel.flow_persons.values, withheld_observations(panel, **withheld), rng)
    years, dates = panel.year.values, panel.date_year.values
    cells, later = np.zeros(panel.births.shape, bool), np.zeros(panel.population.shape, bool)
    if (first := withheld.get("blind_from")) is not None:
        cells |= (years >= first)[:, None]
        later |= (dates > first)[:, None]
        hidden = np.broadcast_to((panel.stock_year.values >= first)[None, :, None, None], panel.stock_observed.shape)
        out["stock_observed"][:] = moved(panel.stock_observed.values, hidden, rng)
        hidden = np.broadcast_to((panel.period.values + 5 >= first)[None, :, None, None], panel.reconstruction.shape)
        out["reconstruction"][:] = moved(panel.reconstruction.values, hidden, rng)
    if places := withheld.get("net_migration_of"):
        mine = np.isin(panel.residence.values, places)
        cells |= mine[None]
        later[1:] |= mine[None]
        out["reconstruction"][:] = moved(panel.reconstruction.values, np.full(panel.reconstruction.shape, True), rng)
    for name in ("net_migration", "net_migration_national", "population_change", "population_midyear"):
        out[name][:] = moved(panel[name].values, cells, rng)
    out["population"][:] = moved(panel.population.values, later, rng)
    return out


@pytest.mark.parametrize("name", names())
def test_the_withheld_is_not_there(name, panel, protocols):
    withheld = protocols[name].withheld
    before = content_digest(panel)
    other = spoil(panel, withheld)
    assert content_digest(other) != before
    shown, same = withhold(panel, **withheld), withhold(other, **withheld)
    assert content_digest(shown) == content_digest(same)        # byte for byte: no feature, weight or estimate can move
    assert content_digest(panel) == before                      # and the panel itself is left alone
    assert shown.witness.equals(panel.witness)
    # The digest would notice a change elsewhere.
    touched = panel.copy(deep=True)
    seen = np.flatnonzero(~withheld_observations(panel, **withheld))[0]
    touched["flow_persons"][seen] += 1
    assert content_digest(withhold(touched, **withheld)) != content_digest(shown)


# Not `blind-offices`: it differs from `blind` in its first year alone, and populations that are spoiled so early are
# refused by the reconstruction from stocks.
@pytest.mark.parametrize("name", [n for n in names() if n != "blind-offices"])
def test_the_withheld_leaves_no_trace_in_what_is_made_of_the_tables(name, tables, panel, protocols):
    """As above, but spoiled before the tables are harmonised: nothing derived there may carry it on."""
    withheld, rng = protocols[name].withheld, np.random.default_rng(1)
    spoiled = {k: t.copy() for k, t in tables.items()}

    def touch(table, rows, column):
        spoiled[table].loc[rows, column] = moved(spoiled[table][column].to_numpy(float), rows.to_numpy(), rng)[rows]

    flow, series, stock = tables["flow"], tables["territory_year"], tables["stock"]
    net = series.variable.isin(["net_migration", "net_migration_national", "population_change", "population_midyear"])
    if first := withheld.get("blind_from"):
        touch("flow", flow.year >= first, "persons")
        touch("territory_year", (net & (series.year >= first)) | ((series.variable == "population")
                                                                  & (series.year > first)), "value")
        touch("stock", stock.year >= first, "persons")
    if reporters := withheld.get("reporters"):
        touch("flow", flow.reporter.isin(reporters) & (flow.source != "meta"), "persons")
    if sources := withheld.get("sources"):
        touch("flow", flow.source.isin(sources), "persons")
    if places := withheld.get("net_migration_of"):
        mine = series.territory.isin(places)
        touch("territory_year", mine & (net | ((series.variable == "population")
                                               & (series.year > CONFIG.first_year))), "value")
    shown, other = (withhold(p, **withheld) for p in (panel, to_panel(spoiled)))
    xr.testing.assert_equal(shown, other)


@pytest.mark.parametrize("name", names())
def test_the_rest_is_kept(name, panel, protocols):
    withheld = protocols[name].withheld
    shown, out = withhold(panel, **withheld), withheld_observations(panel, **withheld)
    for k in ("persons", "year", "origin", "destination", "witness"):
        np.testing.assert_array_equal(shown[f"flow_{k}"], panel[f"flow_{k}"].values[~out])
    for k in COVARIATES:
        assert shown[k].identical(panel[k]), k
    first, places = withheld.get("blind_from"), withheld.get("net_migration_of", ())
    hidden = np.zeros(panel.births.shape, bool)
    hidden |= (panel.year.values >= (first or 9999))[:, None] | np.isin(panel.residence.values, places)[None]
    for k in ("net_migration", "net_migration_national"):
        np.testing.assert_array_equal(shown[k], np.where(hidden, np.nan, panel[k]))
    date = (panel.date_year.values > (first or 9999))[:, None] | np.isin(panel.residence.values, places)[None]
    date[0] = False
    np.testing.assert_array_equal(shown.population.values[~date], panel.population.values[~date])
    years = [y for y in panel.stock_year.values if y < (first or 9999)]
    assert shown.stock_observed.identical(panel.stock_observed.sel(stock_year=years))
    assert shown.stock_imputed.identical(panel.stock_imputed.sel(stock_year=years))
    periods = [p for p in panel.period.values if p + 5 < (first or 9999)]
    if places:
        assert "reconstruction" not in shown
    else:
        np.testing.assert_array_equal(shown.reconstruction, panel.reconstruction.sel(period=periods))
        assert shown.reconstruction.notnull().any()


@pytest.mark.parametrize("withheld", [{"blind_from": 2022}, {"net_migration_of": ["first", "last"]}])
def test_population_is_carried_by_births_and_deaths(withheld, panel):
    places = panel.residence.values
    if "net_migration_of" in withheld:
        withheld = {"net_migration_of": [str(places[0]), str(places[-1])]}
    shown = withhold(panel, **withheld).population.values
    start = int(np.flatnonzero(panel.date_year.values == withheld.get("blind_from", panel.date_year.values[0]))[0])
    expected = panel.population.values.copy()
    natural = (panel.births - panel.deaths).values
    for j in range(len(places)):
        if "blind_from" in withheld or str(places[j]) in withheld["net_migration_of"]:
            for k in range(start + 1, len(expected)):
                expected[k, j] = expected[k - 1, j] + natural[k - 1, j]
    np.testing.assert_allclose(shown, expected)
    assert not np.allclose(shown, panel.population.values)


def test_population_does_not_fall_below_its_floor(panel):
    dying = panel.assign(deaths=panel.births + panel.population.values[0] / 5)
    shown = withhold(dying, net_migration_of=panel.residence.values.tolist()).population
    np.testing.assert_allclose(shown.min("date_year"), FLOOR * panel.population[0])
    assert (shown > 0).all()


def test_platforms_are_no_office_and_sources_have_their_reconstructions(panel):
    offices = reporters_of(panel)
    assert "META" not in offices and "meta" in sources_of(panel)
    shown = withhold(panel, reporters=list(offices))
    assert sources_of(shown) == ["meta"] and shown.sizes["observation"] > 0
    assert sum(offices.values()) + shown.sizes["observation"] == panel.sizes["observation"]
    assert "reconstruction" not in withhold(panel, sources=["humanflows"])
    assert withhold(panel, sources="eurostat").identical(withhold(panel, sources=["eurostat"]))
    two = panel.assign_coords(method=[f"other_{m}" for m in panel.method.values])
    both = xr.concat([panel.reconstruction, two.reconstruction], "method")
    both = panel.drop_vars(["reconstruction", "method"]).assign(reconstruction=both)
    assert withhold(both, sources=["humanflows"]).method.values.tolist() == two.method.values.tolist()


def test_all_at_once_is_one_after_the_other(panel, protocols):
    chosen = ("blind", "reporters-2", "source-meta", "net-third")
    kinds = {k: v for name in chosen for k, v in protocols[name].withheld.items()}
    one = panel
    for k in ("reporters", "sources", "net_migration_of", "blind_from"):
        one = withhold(one, **{k: kinds[k]})
    xr.testing.assert_identical(withhold(panel, **kinds), one)


@pytest.mark.parametrize(("withheld", "said"), [
    ({"reporters": ["ATL"]}, "no reporter 'ATL'"),
    ({"reporters": ["META"]}, "no reporter 'META'"),
    ({"sources": ["gossip"]}, "no source 'gossip'"),
    ({"net_migration_of": ["ATL"]}, "no territory 'ATL'"),
    ({"blind_from": 2000}, "choose a year from 2001 to 2024"),
    ({"blind_from": 2025}, "choose a year from 2001 to 2024"),
    ({"blind_from": 2005}, "leave 1 counts of stocks"),
])
def test_what_the_panel_does_not_know_is_refused(withheld, said, panel):
    with pytest.raises(SchemaError, match=said):
        withhold(panel, **withheld)


@pytest.mark.parametrize("name", ["blind", "reporters-1", "source-offices-united", "source-meta", "net-third"])
def test_features_and_model_take_what_is_left(name, panel, protocols):
    shown = withhold(panel, **protocols[name].withheld)
    features = build_features(shown)
    for part in (features.unilateral, features.static, features.dynamic):
        assert np.isfinite(part).all()
    member = fit_member(shown, make_splits(shown, CONFIG.split), CONFIG, progress=False)
    assert np.isfinite(member.history.to_numpy(float)).all()
    for values in predict(member):
        assert np.isfinite(values.numpy()).all()


def test_in_blind_years_persistence_is_the_last_year_that_is_seen(panel):
    hidden = withheld_observations(panel, blind_from=2020)
    told = pd.DataFrame({k: panel[f"flow_{k}"].values for k in ("witness", "origin", "destination")}).assign(
        year=panel.year.values[panel.flow_year.values], persons=panel.flow_persons.values,
        last=predict_persistence(panel, seen=~hidden).values)
    keys = ["witness", "origin", "destination"]
    seen = told[told.year < 2020].sort_values("year").groupby(keys).persons.last().rename("expected")
    blind = told[told.year >= 2020].join(seen, on=keys)
    assert len(blind) and blind.expected.notna().any()
    pd.testing.assert_series_equal(blind["last"], blind["expected"], check_names=False)
