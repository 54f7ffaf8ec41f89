"""The harmonised covariates in NetCDF 3, and the pair variables."""
from ..samples import Grid, Table, netcdf3, rda_of
from . import source

INPUTS = "gaskin_abel/inputs/"
PLACES = {"Year": [2021, 2022, 2023], "Country ISO": ["FRA", "NAM", "PER"]}
BOTH = ("Year", "Country ISO")


def _series(*variables: str, values=((1, 2, 3), (4, 5, 6), (7, 8, 9)), signed=()) -> Grid:
    return Grid(PLACES, {v: (BOTH, values) for v in variables}, netcdf3, signed=signed)


def _pairs(variable: str, values=((0, 1, 0.5), (1, 0, 0.25), (0.5, 0.25, 0))) -> Grid:
    sides = ("Origin ISO", "Destination ISO")
    return Grid({side: ["FRA", "NAM", "PER"] for side in sides}, {variable: (sides, values)}, netcdf3)


ENTRIES = (
    source("conflict", {INPUTS + "UCDP_data.nc": _series("Conflict deaths")}),
    source("gdp", {INPUTS + "GDP_data.nc": _series("GDP/capita (2015 USD)", "GDP (2015 USD)", "GDP % annual growth",
                                                   signed=("GDP % annual growth",))}),
    source("eu", {INPUTS + "eu.nc": _series("EU", values=((1, 0, 0), (1, 0, 1), (1, 1, 1)))}),
    source("national_net_migration", {INPUTS + "National_statistics.nc": _series("Net migration",
                                                                                 signed=("Net migration",))}),
    source("gravity", {
        INPUTS + "dist.nc": _pairs("distw_harmonic"), INPUTS + "lang.nc": _pairs("csl"),
        INPUTS + "relig.nc": _pairs("Religious similarity"), INPUTS + "col.nc": _pairs("colony_of_destination_ever"),
        "cepii_geodist/dist_cepii.rda": Table(
            {"iso_o": ["FRA", "DEU", "ROM", "ANT"], "iso_d": ["DEU", "FRA", "HUN", "FRA"], "contig": [1, 1, 1, 0]},
            rda_of("dist_cepii"), codes=("iso_o", "iso_d"), counts=("contig",))}, share=0.5),
)
