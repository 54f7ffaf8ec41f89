"""Conflict, GDP, the European Union, national net migration and what ties pairs."""
import numpy as np
import pytest
import xarray as xr

from humanflows.errors import NegativeCountError, SourceFileError, UnknownTerritoryError
from humanflows.sources import omissions
from humanflows.sources.conflict import read_conflict
from humanflows.sources.eu import read_eu
from humanflows.sources.gdp import read_gdp
from humanflows.sources.gravity import BORDERS, read_gravity
from humanflows.sources.national_net_migration import read_national_net_migration
from humanflows.sources.omissions import ANOTHER_YEAR, NO_NUMBER, Omissions
from humanflows.territories import codes

INPUTS = "gaskin_abel/inputs/"


@pytest.fixture
def netcdf(tmp_path):
    """Write a NetCDF 3 file of one variable on (Year, Country ISO)."""
    def write(variable, values, places=("FRA", "DEU"), years=(2022, 2023)):
        data = xr.Dataset({variable: (("Year", "Country ISO"), np.array(values, float))},
                          {"Year": np.array(years, np.int32), "Country ISO": list(places)})
        data.to_netcdf(tmp_path / "sample.nc", engine="scipy")
        return tmp_path / "sample.nc"
    return write


@pytest.mark.parametrize("read, variable, years", [
    (read_conflict, "Conflict deaths", (1989, 1990)), (read_eu, "EU", (1989, 2023)),
    (read_national_net_migration, "Net migration", (1984, 1985))])
def test_years_before_the_first_are_counted(netcdf, read, variable, years):
    omitted = Omissions()
    frame = read(netcdf(variable, [[1, 0], [1, 0]], years=years), omitted=omitted)
    assert frame["year"].min() == years[1]
    assert omitted.table().values.tolist() == [[ANOTHER_YEAR, years[0], 2, 0]]


def test_missing_values_are_left_out(netcdf):
    omitted = Omissions()
    frame = read_conflict(netcdf("Conflict deaths", [[1, np.nan], [3, 4]]), omitted=omitted)
    assert omitted.table().values.tolist() == [[NO_NUMBER, 2022, 1, 0]]
    assert frame.set_index(["territory", "year"])["value"].to_dict() == {
        ("FRA", 2022): 1, ("FRA", 2023): 3, ("DEU", 2023): 4}


def test_membership_is_carried_forward_one_year_and_flagged(netcdf):
    frame = read_eu(netcdf("EU", [[1, 0], [1, 1]]))
    last = frame[frame["year"] == 2024].set_index("territory")
    assert last["value"].to_dict() == {"FRA": 1, "DEU": 1} and set(last["status"]) == {"carried_forward"}
    with pytest.raises(SourceFileError, match=r"membership is 0\.5"):
        read_eu(netcdf("EU", [[1, 0], [1, 0.5]]))


def test_bad_files_are_refused(netcdf, tmp_path):
    with pytest.raises(NegativeCountError, match=r"sample\.nc.*territory=FRA.*Remedy"):
        read_conflict(netcdf("Conflict deaths", [[-1, 0], [0, 0]]))
    with pytest.raises(UnknownTerritoryError, match=r"'FRX'"):
        read_conflict(netcdf("Conflict deaths", [[1, 0], [0, 0]], ("FRX", "DEU")))
    with pytest.raises(SourceFileError, match=r"lacks the variables"):
        read_conflict(netcdf("Deaths", [[1, 0], [0, 0]]))
    path = netcdf("Conflict deaths", [[1, 0], [0, 0]])
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(SourceFileError, match=r"sample\.nc.*cannot be decoded.*Remedy"):
        read_conflict(path)
    with pytest.raises(SourceFileError, match=r"missing"):
        read_conflict(tmp_path / "nothing.nc")


@pytest.mark.sources
def test_real_conflict_and_membership(source_file):
    deaths = read_conflict(source_file(INPUTS + "UCDP_data.nc")).set_index(["territory", "year"])["value"]
    assert len(deaths) == 231 * 34 and deaths["RWA", 1994] > 500_000
    member = read_eu(source_file(INPUTS + "eu.nc")).set_index(["territory", "year"])["value"]
    assert member.groupby("year").sum().loc[[1990, 1995, 2004, 2007, 2013, 2024]].tolist() == [12, 15, 25, 27, 28, 27]
    assert (member["GBR", 2019], member["GBR", 2024]) == (1, 0)


@pytest.mark.sources
def test_real_gdp(source_file):
    frame = read_gdp(source_file(INPUTS + "GDP_data.nc"))
    value = frame.set_index(["variable", "territory", "year"])["value"]
    since = frame[frame["year"] >= 1990].groupby("variable").size()
    assert since["gdp_per_capita"] == since["gdp_growth"] == 231 * 34 > since["gdp"]
    assert 55_000 < value["gdp_per_capita", "USA", 2019] < 65_000
    assert value["gdp_growth", "GRC", 2011] < -8 and (value["gdp_per_capita"] > 90).all()


@pytest.mark.sources
def test_real_national_net_migration(source_file):
    frame = read_national_net_migration(source_file(INPUTS + "National_statistics.nc"))
    value = frame.set_index(["territory", "year"])["value"]
    assert frame["territory"].nunique() == 30 and value["DEU", 2015] == 1_139_000 and (value < 0).any()


@pytest.mark.sources
def test_real_pairs(source_file):
    names = ("dist.nc", "lang.nc", "relig.nc", "col.nc")
    files = {n: source_file(INPUTS + n) for n in names}
    files["dist_cepii.rda"] = source_file("cepii_geodist/dist_cepii.rda")
    omitted = Omissions()
    frame = read_gravity(files, omitted=omitted)
    n = len(codes())
    left = omitted.table().set_index("reason")["rows"]
    # Four squares of all territories lose their diagonals; CEPII's list of 224 has six outside (and its own diagonal).
    assert left[omissions.SAME_TERRITORY] == 4 * n + 218 and left[omissions.OUTSIDE] == 224 ** 2 - 218 ** 2
    assert (frame.groupby("variable").size() == n * (n - 1)).all() and frame["variable"].nunique() == 5
    value = frame.set_index(["variable", "origin", "destination"])["value"]
    assert value["colonial_tie", "IND", "GBR"] == 1 and value["colonial_tie", "GBR", "IND"] == 0
    assert (value["distance"] > 0).all() and value["distance", "FRA", "DEU"] < 1000
    touches = value["contiguity"]
    for a, b in (("FRA", "DEU"), ("ROU", "HUN"), ("COD", "AGO"), ("TLS", "IDN"), ("PSE", "ISR"), ("SSD", "KEN"),
                 ("SRB", "HUN"), *((a, b) for a, others in BORDERS.items() for b in others)):
        assert touches[a, b] == touches[b, a] == 1, (a, b)
    assert touches["SDN", "KEN"] == touches["GBR", "FRA"] == touches["CYP", "TUR"] == 0
    matrix = touches.unstack()
    assert ((matrix == matrix.T) | matrix.isna()).all().all()
