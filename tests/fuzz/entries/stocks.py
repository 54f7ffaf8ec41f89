"""Stocks of migrants, and of people displaced."""
from ..samples import Table, rda_of
from . import source

_STOCK = {"geo": ["FRA", "FRA", "JPN", "JPN", "TCD", "TCD", "FRA", "FRA"], "t": [1990] * 8,
          "from": ["DZA", "DZA", "KOR", "KOR", "SDN", "SDN", "OOO", "OOO"], "sex": ["female", "male"] * 4,
          "n": [40, 60, 4, 6, 1, 2, 7, 7], "type_b": [1, 1, 0, 0, 0, 0, 1, 1], "type_c": [0, 0, 1, 1, 0, 0, 0, 0],
          "type_r": [0] * 8, "type_i": [0, 0, 0, 0, 1, 1, 0, 0]}
_ROLES = dict(codes=("geo", "from"), years=("t",), counts=("n",), words=("sex",))
_DISPLACED = {"year": [1988, 2022, 2022, 2022, 2022, 2023, 2025],
              "coo_iso": ["AFG", "AFG", "VEN", "UNK", "SDN", "SYR", "AFG"],
              "coa_iso": ["PAK", "PAK", "COL", "FRA", "SDN", "TUR", "PAK"], "refugees": [5, 100, 3, 9, 8, 0, 7],
              "asylum_seekers": [0, 20, 4, 0, 0, 0, 0], "oip": [None, None, 50.0, None, None, 2.0, None]}
_PARTS = ("refugees", "asylum_seekers", "oip")

ENTRIES = (
    source("undesa_ims", {f"undesa_ims/gdidata_undesa_stocks_{year}rev.rda": Table(_STOCK, rda_of(name), **_ROLES)
                          for year, name in ((2020, "undesa_stocks_2020"), (2024, "undesa_stocks"))}),
    source("unhcr", {
        "unhcr/population.rda": Table(_DISPLACED, rda_of("population"), codes=("coo_iso", "coa_iso"), years=("year",),
                                      parts=_PARTS),
        "unhcr/flows.rda": Table({**_DISPLACED, "refugee_like": [1] * 7}, rda_of("flows"),
                                 codes=("coo_iso", "coa_iso"), years=("year",), parts=(*_PARTS, "refugee_like"))}),
)
