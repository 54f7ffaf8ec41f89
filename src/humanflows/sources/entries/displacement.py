"""Entries of the catalogue: displaced people, asylum, resettlement, returns, encounters at borders."""
from ..source import Source, by_name, in_order

ENTRIES = (
    Source("unhcr", "Refugee Data Finder", "UNHCR", ("unhcr/population.rda", "unhcr/flows.rda"),
           ("pair_year", "margin"), "unhcr:read_unhcr", in_order("population.rda", "flows.rda"), "CC BY 4.0",
           "Refugees (and people in a refugee-like situation), asylum seekers and other people in need of "
           "international protection, by territory of origin and of asylum: on 31 December, and new in the year. "
           "Margins, by territory of asylum: origin unknown, stateless, others (Tibetans, whom UNHCR counts as an "
           "origin of their own under no state).",
           "persons", "December 2025 (refugees v2025.12.1)", 1989, 2024,
           "World; asylum seekers since 1993, other people in need of protection since 2018. Palestine refugees under "
           "UNRWA's mandate are not in it. Asylum seekers of 1993 to 1999 whose country of asylum is not stated "
           "(about a million a year) are left out and counted. A pair that is absent in a year is unknown, not zero.",
           "UNHCR (2025). Refugee Data Finder. R package refugees, version 2025.12.1.", cost=9,
           duration="none: those counted on the day, or recognised or applying in the year",
           side="the country of asylum, or UNHCR's office there",
           use="Who fled where. The stock falls with returns, naturalisation and deaths, and when a register is "
               "cleaned or a group is no longer counted (Vietnamese in China, Ukrainians in Russia). Numbers below "
               "five are published as five. Applicants in displaced_flow are those of unhcr_more: one number.",
           checked="World refugees of 2022 (29.43 million) and 2023 (31.64 million) as in Global Trends."),
    Source("unhcr_more", "Asylum applications, returned and resettled refugees", "UNHCR",
           ("unhcr_more/asylum_applications.rda", "unhcr_more/solutions.rda"), ("pair_year",),
           "unhcr_more:read_unhcr_more", in_order("asylum_applications.rda", "solutions.rda"), "CC BY 4.0",
           "People who applied for asylum for the first time in the year (appeals and repeated applications are not "
           "read; where a reporter does not tell them apart, they are in it), by origin and country of asylum; "
           "refugees who returned, from the country of asylum to their own; refugees resettled, by origin and country "
           "that took them in.",
           "persons", "December 2025 (refugees v2025.12.1)", 1959, 2024,
           "World; applications since 2000, returns since 1965. Origins and countries of asylum that are unknown are "
           "left out and counted. Cases of the USA up to 2020 are turned into persons by UNHCR's own factors.",
           "UNHCR (2025). Refugee Data Finder. R package refugees, version 2025.12.1.", cost=8,
           duration="none: applications lodged and returns recorded in the year",
           side="the country of asylum, or UNHCR's office there",
           use="An application follows arrival by days or years, and may be one of several in several countries. "
               "Returns are moves, but only those that UNHCR helped or learned of; a resettled refugee's move begins "
               "in a country of asylum that the file does not name. Naturalised refugees and displaced people who "
               "returned within their country make no move and are counted only.",
           checked="93% of 78,672 numbers of applicants are exactly those of UNHCR's table of flows (unhcr), 98% "
                   "within half a percent. Returned from Sudan to South Sudan in 2024: 292,919, as published."),
    Source("iom_gdidata", "Encounters and transits in the Americas, asylum applicants in Europe",
           "US CBP; Mexico UPMRIP; Panama SNM; Honduras INM; Eurostat; Frontex",
           ("iom_gdidata",), ("pair_year",), "iom_gdidata:read_iom_gdidata", by_name,
           "MIT (package); facts of the named agencies",
           "By nationality: encounters at the south-west border of the USA; people in an irregular situation found in "
           "Mexico; irregular arrivals in Panama (Darién) and Honduras; deportations and assisted returns from Mexico; "
           "first-time asylum applicants in Europe.",
           "events; asylum applicants in persons", "R package gdidata, commit of 2025; Eurostat migr_asyappctza", 2010,
           2024,
           "USA 2020–2024, Mexico 2018–2024 (returns 2015–2024), Panama 2010–2024 but 2020, Honduras 2018–2024 but "
           "2020, 32 European receivers 2011–2024. Calendar years with twelve months; encounters of the fiscal years "
           "2018 and 2019 are totals without nationality and left out. Frontex' detections are by route, not by "
           "territory: they are counted as left out and fill no table.",
           "IOM Global Data Institute, R package gdidata, after the named agencies.", cost=5,
           duration="none: events", side="the country that counts",
           use="Events, not people and not moves of residence: who is turned back and tries again counts again, and "
               "one journey is counted in Panama, Honduras, Mexico and the USA. They time a wave and name its origins; "
               "removals show part of the way back. The asylum applicants of Europe are also in unhcr_more, from the "
               "same offices.",
           checked="Darién by year: 22,102 in 2019, 248,284 in 2022 and 520,085 in 2023, as Panama published; 2020 is "
                   "6,465 in the file and 8,594 in later reports, and is not read."),
)
