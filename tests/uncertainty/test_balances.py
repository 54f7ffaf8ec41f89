"""Net migration and stocks that follow the model of their errors are held as promised."""
import numpy as np
import pytest
import xarray as xr

from humanflows.errors import SchemaError
from humanflows.uncertainty.balances import (
    NET_READ,
    NET_WITHHELD,
    STOCKS_LATER,
    judge_net_migration,
    judge_stocks,
    withheld_places,
)
from humanflows.uncertainty.coverage import coverage_table
from humanflows.uncertainty.judge import FLOW, REPORT


def draws_of_net(panel, wide, seed=1, draws=60):
    """Draws around a truth that the figures are near to, as far off as they are wide."""
    rng = np.random.default_rng(seed)
    told = np.nan_to_num(panel["net_migration"].transpose("year", "residence").values)
    scale = 2000.0
    centre = told + scale * rng.normal(size=told.shape)
    return centre + wide * scale * rng.normal(size=(draws, *told.shape))


def test_net_migration_is_held_as_promised(small_panel, small_config):
    judged = judge_net_migration(draws_of_net(small_panel, 1.0), small_panel, small_config.observation, seed=1)
    assert set(judged["kind"]) == {NET_READ} and set(judged["source"]) <= {"wpp", "national"}
    own = judged[(judged["of"] == FLOW) & (judged["source"] == "wpp")]
    assert len(own) and abs(own["in80"].mean() - 0.8) < 0.1
    assert judged[judged["of"] == REPORT]["width95"].mean() > judged[judged["of"] == FLOW]["width95"].mean()
    narrow = judge_net_migration(draws_of_net(small_panel, 0.2), small_panel, small_config.observation, seed=1)
    own = narrow[(narrow["of"] == FLOW) & (narrow["source"] == "wpp")]
    assert own["in95"].mean() < 0.6
    assert coverage_table(judged)["factor"].isna().all()


def test_territories_that_were_withheld_alone_are_judged(small_panel, small_config):
    codes = small_panel["residence"].values.astype(str)
    places = withheld_places(small_panel, codes[:2])
    judged = judge_net_migration(draws_of_net(small_panel, 1.0), small_panel, small_config.observation, seed=1,
                                 withheld=places)
    assert set(judged["kind"]) == {NET_WITHHELD} and set(judged["cluster"]) <= set(codes[:2])


def stocks(panel, wide, draws=40, seed=1):
    rng = np.random.default_rng(seed)
    told = panel["stock_observed"].values
    n, dates = panel.sizes["residence"], panel.sizes["date_year"]
    base = np.exp(np.log1p(np.nan_to_num(np.nanmax(np.nan_to_num(told), axis=0).max(0))))
    return xr.DataArray(base * np.exp(wide * rng.normal(size=(draws, 1, n, n))) * np.ones((1, dates, 1, 1)),
                        dims=("draw", "date_year", "birthplace", "residence"), name="stock")


def test_stocks_are_judged_by_revision_and_year(small_panel, small_config):
    judged = judge_stocks(stocks(small_panel, 0.2), small_panel, small_config.observation, seed=1)
    wide = judge_stocks(stocks(small_panel, 1.5), small_panel, small_config.observation, seed=1)
    own, other = (x[x["of"] == FLOW] for x in (judged, wide))
    assert own["in95"].mean() < other["in95"].mean() and own["width95"].mean() < other["width95"].mean()
    few = judge_stocks(stocks(small_panel, 0.2), small_panel, small_config.observation, seed=1, most=50)
    assert len(few) == 2 * 50
    years = small_panel["year"].values
    counted = small_panel["stock_year"].values
    first = int(counted[counted <= years[-1]][-1])
    late = judge_stocks(stocks(small_panel, 0.2), small_panel, small_config.observation, seed=1, blind_from=first)
    assert set(late["kind"]) == {STOCKS_LATER} and (years[late["year"]] >= first).all()


def test_what_does_not_fit_is_refused(small_panel, small_config):
    net = draws_of_net(small_panel, 1.0, draws=3)
    with pytest.raises(SchemaError, match="net"):
        judge_net_migration(net[:, :, :-1], small_panel, small_config.observation, seed=1)
    with pytest.raises(SchemaError, match="withheld"):
        judge_net_migration(net, small_panel, small_config.observation, seed=1, withheld=[True])
    with pytest.raises(SchemaError, match="XXX"):
        withheld_places(small_panel, ["XXX"])
    with pytest.raises(SchemaError, match="stock"):
        judge_stocks(stocks(small_panel, 1.0).isel(draw=0), small_panel, small_config.observation, seed=1)
    with pytest.raises(SchemaError, match="2300"):
        judge_stocks(stocks(small_panel, 1.0), small_panel, small_config.observation, seed=1, blind_from=2300)
