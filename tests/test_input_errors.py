"""The one kind of error for bad input: what its text holds, and that it survives another process."""
import pickle

import pytest
import xarray as xr

from humanflows.baselines.accounts import open_account
from humanflows.errors import ArtifactError, InputError


@pytest.mark.parametrize(("key", "shown"), [(None, ""), ("", ""), (0, " [0]"), ("row 3", " [row 3]"), ([1], " [[1]]")])
def test_a_key_is_shown_where_there_is_one(key, shown):
    error = InputError("table.csv", "a problem", "mend it", key=key)
    assert str(error) == f"table.csv: a problem{shown}. Remedy: mend it"


def test_an_error_comes_back_from_another_process():
    error = pickle.loads(pickle.dumps(ArtifactError("a.nc", "damaged", "make it again", key=3)))
    assert type(error) is ArtifactError and (error.file, error.key) == ("a.nc", 3)


@pytest.mark.parametrize(("start", "deaths", "births"), [
    ([[5.0, float("nan")], [1.0, 5.0]], [0.0, 0.0], [0.0, 0.0]), ([[5.0, 1.0], [1.0, 5.0]], [99.0, 0.0], [0.0, 0.0]),
    ([[5.0, 1.0], [1.0, 5.0]], [0.0, 0.0], [0.0, -1.0])])
@pytest.mark.parametrize("period", ["", "2000–2005"])
def test_a_period_that_is_not_named_leaves_no_empty_place(start, deaths, births, period):
    places = {"birthplace": ["AUT", "CHE"], "residence": ["AUT", "CHE"]}
    stock = xr.DataArray(start, coords=places, dims=list(places))
    by_residence = {"coords": {"residence": places["residence"]}, "dims": ["residence"]}
    with pytest.raises(InputError) as raised:
        open_account(stock, stock, xr.DataArray(births, **by_residence), xr.DataArray(deaths, **by_residence),
                     period=period)
    assert raised.value.key and all(part.strip() for part in raised.value.key.split(","))
    assert period in raised.value.key and "[]" not in str(raised.value)
