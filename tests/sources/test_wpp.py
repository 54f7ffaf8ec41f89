"""World Population Prospects: the balance, magnitudes, and the way of carrying population back."""
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from humanflows.errors import SourceFileError, UnknownTerritoryError
from humanflows.sources import wpp
from humanflows.sources.omissions import AGGREGATE, ANOTHER_YEAR, OUTSIDE, Omissions
from humanflows.territories import codes


@pytest.fixture
def files(source_file):
    return {name: source_file(("wdi/" if name.startswith("gdi") else "wpp2024/") + name) for name in wpp.FILES}


@pytest.fixture
def wide(files):
    return wpp.read_wpp(files).pivot(index=["territory", "year"], columns="variable", values="value")


@pytest.mark.sources
def test_births_deaths_and_migration_add_up_to_the_change(wide):
    since = wide[wide.index.get_level_values("year") >= 1990]
    past = since[since.index.get_level_values("year") <= 2023]
    assert len(past) == 231 * 34
    gap = (past["births"] - past["deaths"] + past["net_migration"] - past["population_change"]).abs()
    # Parts are rounded to single persons; in a few crisis years the source itself is off by up to 200.
    assert (gap <= 30).mean() > 0.997 and gap.max() <= 200.5
    ukraine = wide.loc[("UKR", 1989)]
    assert abs(ukraine["births"] - ukraine["deaths"] + ukraine["net_migration"] - ukraine["population_change"]) > 4000


@pytest.mark.sources
def test_population_follows_from_its_changes_and_fits_the_published_midyear(wide):
    population = wide["population"].unstack("year")
    change = wide["population_change"].unstack("year")
    following = population.shift(-1, axis=1).loc[:, 1980:2024]
    np.testing.assert_allclose(following - population.loc[:, 1980:2024], change.loc[:, 1980:2024], atol=1.0)
    middle = (population + population.shift(-1, axis=1)).loc[:, 1980:2023] / 2
    error = (middle / wide["population_midyear"].unstack("year").loc[:, 1980:2023] - 1).abs()
    assert error.max().max() < 0.02 and error.stack().median() < 1e-5
    world = wide["population_midyear"].groupby("year").sum()
    assert world[2023] == pytest.approx(8.09e9, rel=0.01) and world[1990] == pytest.approx(5.33e9, rel=0.01)


@pytest.mark.sources
def test_every_territory_has_every_series_and_status_turns_in_2024(files):
    omitted = Omissions()
    frame = wpp.read_wpp(files, omitted=omitted)
    left = omitted.table().groupby("reason")["rows"].sum()
    # Each row of the seven tables has a place: 231 territories, other codes, or other years.
    tables = [f.removesuffix(".rda") for f in wpp.FILES if f.endswith("dt.rda")]
    rows = sum(len(wpp.read_frame(files[f"{name}.rda"], name, ["year"])) for name in tables)
    population = wpp.read_frame(files["gdidata_wdi.rda"], "wdi", ["var"])
    used = rows + len(population) - left.sum()
    assert {AGGREGATE, ANOTHER_YEAR, OUTSIDE} < set(left.index)
    # Births and deaths, migration, life expectancy of 46 years; two ends of years; mid-year population up to 2024.
    assert 231 * (3 * 46 + 2 + 44) <= used <= 231 * (3 * 46 + 2 + 46)
    counts = frame.groupby("variable")["territory"].nunique()
    assert len(counts) == 7 and (counts == len(codes())).all()
    assert (frame.groupby("variable").size() == 231 * 46).all()
    turn = frame[frame["status"] == "projected"].groupby("variable")["year"].min()
    assert turn.pop("population") == 2025 and (turn == 2024).all()
    life = frame[frame["variable"] == "life_expectancy"]["value"]
    assert life.between(10, 90).all() and life.max() > 80, "Rwanda 1994 is the lowest"


@pytest.mark.sources
def test_a_place_that_is_nobody_is_refused(files, monkeypatch):
    plain = wpp.read_frame

    def with_atlantis(path, name, columns, **options):
        frame = plain(path, name, columns, **options)
        return frame.replace({"country_code": {250: 9999}}) if name == "mig1dt" else frame

    monkeypatch.setattr(wpp, "read_frame", with_atlantis)
    with pytest.raises(UnknownTerritoryError, match=r"mig1dt\.rda: unknown M49 code 9999.*Remedy"):
        wpp.read_wpp(files)


def test_a_file_that_is_not_given_or_not_there_is_named(tmp_path):
    with pytest.raises(SourceFileError, match=r"mig1dt"):
        wpp.read_wpp({name: tmp_path / name for name in wpp.FILES if name != "mig1dt.rda"})
    with pytest.raises(SourceFileError, match=r"UNlocations\.txt.*missing"):
        wpp.read_wpp({name: Path(tmp_path / name) for name in wpp.FILES})


def test_population_is_carried_back_from_the_anchor():
    years = range(1980, 2026)
    change = pd.DataFrame({"AAA": [float(y - 1979) for y in years]}, index=years)
    end = pd.DataFrame({"AAA": [10_000.0, 10_046.0]}, index=[2024, 2025])
    population = wpp._first_of_january(end, change)["AAA"]
    assert population[2025] == 10_000 and population[2026] == 10_046
    assert population[2024] == 10_000 - 45 and population[1980] == 10_000 - sum(range(1, 46))
