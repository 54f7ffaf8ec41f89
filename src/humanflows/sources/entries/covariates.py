"""Entries of the catalogue: what may explain moves (economy, geography, politics, trade)."""
from ..source import Source, all_files, by_name, in_order

_INPUTS = "gaskin_abel/inputs/"
_HARMONISED = "Harmonised by Gaskin & Abel (2026), https://github.com/ThGaskin/Migration_flows."

ENTRIES = (
    Source("conflict", "Deaths in armed conflict", "Uppsala Conflict Data Program", (f"{_INPUTS}UCDP_data.nc",),
           ("territory_year",), "conflict:read_conflict", in_order("UCDP_data.nc"), "CC BY 4.0 (UCDP)",
           "Deaths in organised violence during the year, best estimate, by territory where they happened.",
           "persons", "1990–2023", 1990, 2023, "All 231 territories; no event recorded counts as 0.",
           f"Uppsala Conflict Data Program, Georeferenced Event Dataset. {_HARMONISED}"),
    Source("gdp", "Gross domestic product", "World Bank, UNCTAD, IMF, Maddison Project", (f"{_INPUTS}GDP_data.nc",),
           ("territory_year",), "gdp:read_gdp", in_order("GDP_data.nc"), "facts from the named sources (CC BY 4.0)",
           "GDP per head and in total at 2015 prices in US$, and annual growth of GDP.",
           "2015 US$ (per person); percent", "1960–2023", 1985, 2023,
           "Per head and growth complete from 1990; the total is missing for small territories.",
           f"World Bank, UNCTAD, IMF, Maddison Project. {_HARMONISED}"),
    Source("gravity", "Distance, language, religion, colonial ties and borders",
           "CEPII; USITC; Correlates of War", (f"{_INPUTS}dist.nc", f"{_INPUTS}lang.nc", f"{_INPUTS}relig.nc",
                                               f"{_INPUTS}col.nc", "cepii_geodist/dist_cepii.rda"),
           ("pair",), "gravity:read_gravity", by_name, "Etalab 2.0 (CEPII); facts from the named sources",
           "Population-weighted harmonic distance; index of common spoken language; religious similarity; whether the "
           "origin was ever a colony of the destination; common land border of today's territories.",
           "km; indices; 0 or 1", "CEPII GeoDist 2011; DICL; COW", None, None,
           "All ordered pairs. Borders of Serbia, Montenegro, South Sudan, Liechtenstein and Monaco, which CEPII "
           "lacks, are set in the reader.",
           "Mayer & Zignago (2011), GeoDist; Gurevich et al. (2021), Domestic and International Common Language "
           f"database; Maoz & Henderson (2013), World Religion Project. {_HARMONISED}", cost=4),
    Source("eu", "Membership of the European Union", "CEPII", (f"{_INPUTS}eu.nc",), ("territory_year",), "eu:read_eu",
           in_order("eu.nc"), "facts", "1 in every year in which the state was a member, from the year of accession.",
           "0 or 1", "1990–2023; 2024 carried forward", 1990, 2024, "All 231 territories.",
           f"CEPII, Gravity database. {_HARMONISED}"),
    Source("vdem", "Indices of democracy", "V-Dem Institute, University of Gothenburg", ("extras/vdem_simple.rda",),
           ("territory_year",), "vdem:read_vdem", in_order("vdem_simple.rda"), "V-Dem terms, with attribution",
           "Electoral democracy (free and fair elections, suffrage, freedom of association and of expression) and "
           "liberal democracy (that, and personal liberties, courts and parliaments that bind the government), as "
           "experts judge them; central estimates for the year. No index of repression alone is in this extract.",
           "index, 0 to 1", "V-Dem 1789–2024", 1985, 2024,
           "175 territories; most dependencies and many small states are not judged; Palestine is the West Bank. "
           "Successor states take the index of the state that governed them before their own begins.",
           "Coppedge et al. (2025). V-Dem Country-Year Dataset. Varieties of Democracy Project. R package "
           "democracyData.", cost=2),
    Source("visa", "Visa requirements, Passport Index", "Passport Index; Ilya Ilyankou",
           ("extras/passport-index-tidy-iso3.csv",), ("pair",), "visa:read_visa",
           in_order("passport-index-tidy-iso3.csv"), "MIT",
           "What a visitor with the passport of the origin needs at the destination, as a rank: 1 visa free without a "
           "stated limit (freedom of movement among them), 0.75 visa free for a number of days or with an electronic "
           "authorisation, 0.5 visa on arrival or online, 0.25 visa required beforehand, 0 no admission.",
           "rank, 0 to 1", "January 2025", None, None,
           "197 territories with a passport of their own. One snapshot of January 2025, used for every year: it knows "
           "of agreements and of conflicts that earlier years could not.",
           "Ilyankou (2025). Passport Index Dataset, https://github.com/ilyankou/passport-index-dataset; after "
           "https://www.passportindex.org."),
    Source("trade", "Bilateral trade in goods", "CEPII (BACI); Correlates of War",
           ("trade/DatiProcessati.mat", "trade/trade_cepii.csv", "trade/country_labels.csv", "trade/cow_trade_ddy.rds"),
           ("pair_year",), "trade:read_trade", all_files,
           "Etalab 2.0 (CEPII); free with citation (COW)",
           "Value of goods exported from origin to destination during the year; years without a matrix are bridged or "
           "cast back and flagged so.", "current US$", "BACI 2000–2020 and 2023; COW 4.0", 1990, 2024,
           "About 220 territories.",
           "Gaulier & Zignago (2010), BACI, CEPII; Barbieri, Keshk & Pollins (2009), Correlates of War trade 4.0.",
           data_files=("baci_order.csv",), cost=8),
)
