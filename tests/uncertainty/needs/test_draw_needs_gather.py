"""What is kept of draws: means over the years asked, and over those of them that nobody reports yet."""
import numpy as np
import pytest
from needs_draws import CODES, make_draws

from humanflows.errors import SchemaError
from humanflows.uncertainty.needs.gather import centre_of, gather, gather_all


@pytest.fixture
def draws(rng):
    out = make_draws(rng, corridor=0.5, draws=16, networks=4)
    trend = np.linspace(1, 3, out.sizes["year"])[None, :, None, None]
    return out.assign(flow=out["flow"] * trend + 1e6 * np.eye(len(CODES), dtype=np.float32))     # who stays is no flow


def test_means_are_those_of_the_years(draws, nothing_told):
    told = nothing_told.copy()
    told[0, 3, 1, 2] = True
    told[0, :, 4, 5] = True
    kept = gather(draws.chunk(draw=1), told, [3, 4, 5], [0, 1, 2])
    flow, off = draws["flow"].values.astype(np.float64), ~np.eye(len(CODES), dtype=bool)
    np.testing.assert_allclose(kept.flow, flow[:, 3:6].mean(1) * off, rtol=1e-5)
    np.testing.assert_allclose(kept.unreported[1], kept.flow, rtol=1e-5)
    np.testing.assert_allclose(kept.unreported[0][:, 1, 2], flow[:, 4:6, 1, 2].mean(1), rtol=1e-5)
    assert (kept.unreported[0][:, 4, 5] == 0).all() and kept.unreported_years[0, 4, 5] == 0
    assert kept.unreported_years[0, 1, 2] == 2 and (kept.unreported_years[:, ~off] == 0).all()
    np.testing.assert_allclose(kept.before[0], (flow[:, :3].mean(1) * off).sum(1), rtol=1e-5)
    np.testing.assert_allclose(kept.before[1], (flow[:, :3].mean(1) * off).sum(2), rtol=1e-5)
    stock = draws["stock"].values[:, 6].astype(np.float64)
    np.testing.assert_allclose(kept.foreign_born, (stock * off).sum(1), rtol=1e-5)
    assert kept.years.tolist() == [2003, 2004, 2005] and gather(draws, told, [3]).before is None
    np.testing.assert_allclose(centre_of(draws), flow.mean(0), rtol=1e-6)
    again = gather_all(draws, [nothing_told, told], [3, 4, 5])
    np.testing.assert_array_equal(again[1].unreported, kept.unreported)
    assert again[0].unreported_years[0, 4, 5] == 3


@pytest.mark.parametrize("spoil, key", [
    (lambda x: x.drop_vars("member"), "member"), (lambda x: x.drop_vars("stock"), "stock"),
    (lambda x: x.isel(year=slice(1, None)), "shape"), (lambda x: x.isel(draw=slice(0, 0)), "shape"),
    (lambda x: x.assign(flow=x["flow"].where(x["draw"] != 2)), "draw 3, year 2004"),
    (lambda x: x.assign(flow=-x["flow"]), "draw 1, year 2004"),
    (lambda x: x.isel(date_year=slice(0, 5)), "date_year")])
def test_draws_of_something_else_are_refused(draws, nothing_told, spoil, key):
    with pytest.raises(SchemaError) as error:
        gather(spoil(draws), nothing_told, [4, 5])
    assert error.value.key == key
