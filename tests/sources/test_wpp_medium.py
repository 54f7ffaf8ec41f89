"""The medium projection leads on from where the estimates end."""
import numpy as np
import pytest

from humanflows.errors import SourceFileError
from humanflows.sources.wpp_medium import FILES, read_medium


@pytest.mark.sources
def test_the_projection_goes_on_from_the_estimates(source_file):
    files = {name: source_file(f"wpp2024/{name}") for name in FILES}
    read = read_medium(files, range(2025, 2036), ["IND", "USA"])
    assert {v.shape for v in read.values()} == {(11, 2)}
    # UN DESA, World Population Prospects 2024, Summary of Results: India 1.45 and the United States 0.35 thousand
    # million people in 2024.
    assert np.allclose(read["population"][0], [1.47e9, 3.48e8], rtol=0.01)
    assert (read["deaths"] < 0.02 * read["population"]).all() and (read["births"] > 0).all()
    assert ((read["life_expectancy"] > 70) & (read["life_expectancy"] < 85)).all()


def test_years_that_are_no_projection_are_refused():
    with pytest.raises(SourceFileError, match="no projection"):
        read_medium({}, range(2020, 2024))
    with pytest.raises(SourceFileError, match="not given"):
        read_medium({}, [2030])
