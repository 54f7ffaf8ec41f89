"""Entries of the catalogue: stocks, births, deaths, net migration."""
from ..source import Source, all_files, by_name, in_order

_UN = "United Nations, Department of Economic and Social Affairs, Population Division"
_INPUTS = "gaskin_abel/inputs/"
_HARMONISED = "Harmonised by Gaskin & Abel (2026), https://github.com/ThGaskin/Migration_flows."

ENTRIES = (
    Source("undesa_ims", "International Migrant Stock, 2020 and 2024 revisions", "UN DESA, Population Division",
           ("undesa_ims",), ("stock", "margin"), "undesa_ims:read_undesa_ims", all_files, "CC BY 3.0 IGO",
           "People living in a territory on 1 July who were born in another (foreign-born) or, where the office counts "
           "so, who hold another citizenship; both sexes. Imputed where the territory has no data of its own.",
           "persons", "2020 and 2024 revisions", 1990, 2024,
           "All territories of residence; pairs that the offices name. An absent pair is unknown, and the residual "
           "“others” (22.1 million of 304.0 million in 2024, more than half of the foreign-born of Angola, Equatorial "
           "Guinea, Bonaire and Tonga) is a margin, not spread over birthplaces; so is the total of each residence.",
           f"{_UN} (2024). International Migrant Stock 2024; and (2020). International Migrant Stock 2020. Tidy copy: "
           "IOM Global Data Institute, R package gdidata.", cost=6,
           duration="usual residence, as the census or register defines it", side="the territory of residence",
           use="The level of every pair and, by differences, net moves since the year before; no flow of a year. A "
               "pair that is absent is in the margin others.",
           checked="World totals of each revision (304.0 million in 2024 and 280.6 million in 2020). Stocks, others, "
                   "and those left out as born in the Channel Islands or the Holy See, add up to the total of each "
                   "residence."),
    Source("wpp", "World Population Prospects 2024", "UN DESA, Population Division",
           ("wpp2024", "wdi"), ("territory_year",), "wpp:read_wpp", by_name, "CC BY 3.0 IGO; WDI extract CC BY 4.0",
           "Births, deaths, net migration and population change during the calendar year; population on 1 January and "
           "on 1 July; life expectancy at birth. Estimates up to 2023, medium projection after.",
           "persons; life expectancy in years", "2024 revision", 1980, 2025,
           "All 231 territories, every year.",
           f"{_UN} (2024). World Population Prospects 2024, annual tables of the R package wpp2024; mid-year "
           "population from World Development Indicators, R package gdidata.", cost=3),
    Source("national_net_migration", "Net migration, national statistics", "national statistical offices",
           (f"{_INPUTS}National_statistics.nc",), ("territory_year",),
           "national_net_migration:read_national_net_migration", in_order("National_statistics.nc"),
           "facts from the named offices",
           "Immigration less emigration during the year as the office publishes it; who counts as a migrant differs "
           "between offices.", "persons", "1961–2024", 1985, 2024, "30 territories, with gaps.", _HARMONISED),
)
