"""The released estimates are plausible. Everything that is read here is in the repository; no source file is needed."""
import numpy as np
import pytest

from humanflows import paths
from humanflows.panel.reported_totals import read_totals, reported_rates
from humanflows.results.plausibility import check_all
from humanflows.results.release import open_release

# Share of what is judged that is beyond its range: what is wanted, and what release 2.0 reaches. No later one may be
# further off than that; where one gets to what is wanted, the number beside it goes.
WANTED_AND_REACHED = {
    # No office of the Gulf, whose foreign workers come and go fastest, ever reported.
    "crude rates": (0.005, 0.016),
    "residents": (0.01, 0.025), "residents 2025": (0.0, 0.045),
    # As far from UN DESA's count as its own last two revisions are from one another.
    "foreign-born 2024": (0.053, 0.20),
    "one-year spikes": (0.0, 0.40),
    # No more often than in years in which no source begins or ends: 5.5% of release 1.1.
    "jumps of territories": (0.055, 0.14), "jumps of the world": (0.0, 0.25),
    "small territories": (0.0, 0.014)}


@pytest.fixture(scope="module")
def tables():
    return read_totals(paths.PANEL)


@pytest.fixture(scope="module")
def shares(tables):
    checked = check_all(open_release(), tables)
    return {check: len(found) / found.attrs["judged"] for check, (_, found) in checked.items()}


@pytest.mark.parametrize("check", WANTED_AND_REACHED)
def test_the_release_is_no_less_plausible_than_the_one_before(shares, check):
    wanted, reached = WANTED_AND_REACHED[check]
    assert shares[check] <= reached
    assert reached > wanted


@pytest.mark.parametrize(("code", "year"), [("TUV", 2024), ("NRU", 2024), ("TON", 2022), ("KIR", 2022), ("GRD", 2022)])
def test_no_small_place_takes_in_one_in_twenty_of_its_people_in_a_year(tables, code, year):
    flow, states = open_release()["flow"], tables["territory_states"]
    state = states[(states["territory"] == code) & (states["year"] == year)].iloc[0]
    assert float(flow.sel(year=year, destination=code).sum()) < 0.05 * state["population"]


def test_the_committed_rates_are_those_of_the_committed_reports(tables):
    made, kept = reported_rates(tables["reported_totals"], tables["territory_states"]), tables["plausible_rates"]
    assert made["highest_of"].tolist() == kept["highest_of"].tolist()
    numbers = ["reports", "calm", "lowest", "middle", "percentile_99_5", "highest"]
    assert np.allclose(made[numbers].astype(float), kept[numbers].astype(float), atol=2e-3)
    assert (kept["lowest"] < kept["middle"]).all() and (kept["percentile_99_5"] <= kept["highest"]).all()
