"""Entries of the catalogue: Eurostat's reports of flows and of permits."""
from ..source import Source, by_name, in_order

_REUSE = "Eurostat reuse with attribution (CC BY 4.0)"
_DURATION = ("12 months, expected or actual, under Regulation (EC) No 862/2007 from 2008; before, the reporter's "
             "own rule")
_COPY = "Copy of GitHub natix-x/Data-mining-in-Migration-Analysis."

ENTRIES = (
    Source("eurostat", "Migration flows between EU member states", "Eurostat", ("eurostat_migmod",), ("flow",),
           "eurostat:read_eurostat", in_order("mig_data.rda"), "Eurostat reuse with attribution",
           "Immigration and emigration between member states, both reporters of each corridor, both sexes.",
           "persons", "2010–2019", 2010, 2019, "EU-27; an unreported number is absent.",
           "Eurostat, migr_imm5prv and migr_emi3nxt. R package MigMod.", duration=_DURATION,
           side="both: the receiving country for immigration, the sending country for emigration",
           use="Moves by previous and next residence. Immigration is the publication that eurostat_imm5prv holds too: "
               "one number, to be counted once.",
           checked="Of 3,624 numbers of immigration 3,472 are those of eurostat_imm5prv; the other 152 are Lithuania's "
                   "of 2012–2019, which were revised upwards since."),
    Source("eurostat_imm1ctz", "Immigration by citizenship", "Eurostat", ("eurostat_imm1ctz",), ("flow", "margin"),
           "eurostat_imm1ctz:read_eurostat_imm1ctz", in_order("immigration_by_citizenship.csv"), _REUSE,
           "Immigrants during the calendar year by country of citizenship, both sexes, all ages; margins: all "
           "immigrants, own citizens, stateless, citizenship unknown, others.",
           "persons", "migr_imm1ctz, 1998–2023", 1998, 2023,
           "45 reporters. Since 2014 98% and more of immigrants have a citizenship in AT BE BG CH CZ DE DK FI HU IS "
           "IT LI LT LU MD NL NO RO SE SK, 90 to 98% in EE ES HR LV SI, fewer in CY FR GR IE MT PL PT UK. Citizens of "
           "Namibia are missing: the copy lost its code, NA.",
           f"Eurostat, migr_imm1ctz, immigration by age group, sex and citizenship. {_COPY}", cost=4,
           duration=_DURATION, side="the receiving country",
           use="Who arrives, by passport. A citizenship is not the previous residence: naturalised and onward migrants "
               "stand elsewhere. Margins bound what no corridor holds. Refugees of 2022 count where temporary "
               "protection counts as residence (Czechia, Germany), not in Poland or Sweden. Levels break where a "
               "reporter changed its source: totals halve in Germany in 2009 and Czechia in 2011, and grow twelvefold "
               "in Poland in 2009 and fourfold in Estonia in 2015.",
           checked="Totals of the 27 members of the EU add up to Eurostat's own sum in every year from 2013 to 2023 "
                   "(5,934,699 in 2023). Partners and margins never exceed the total. Colombians in Spain 2022 "
                   "172,241, Ukrainians in Czechia 2022 307,563 and in the Netherlands 2022 78,816, as published."),
    Source("eurostat_imm5prv", "Immigration by previous residence", "Eurostat", ("eurostat_imm5prv",),
           ("flow", "margin"), "eurostat_imm5prv:read_eurostat_imm5prv", in_order("immigration_bilateral_total.csv"),
           _REUSE,
           "Immigrants during the calendar year by country of previous usual residence, both sexes; margin others: all "
           "previous residences outside the EU, EFTA and the United Kingdom that the reporter names, added.",
           "persons", "migr_imm5prv, 1998–2023", 1998, 2023,
           "28 reporters, 32 partners in the EU, EFTA and the United Kingdom.",
           "Eurostat, migr_imm5prv, immigration by age group, sex and country of previous residence. Copy of GitHub "
           "LuminescentBulb/intra-eu-migration.", duration=_DURATION, side="the receiving country",
           use="Moves by previous residence inside Europe. The margin others is not the rest of the total for the "
               "United Kingdom, Luxembourg before 2008 and Slovenia before 2008, which name few partners: take the "
               "total of eurostat_imm1ctz less the corridors.",
           checked="Partners and others make up 93 to 99% of the total of eurostat_imm1ctz in half of 461 years of "
                   "reporters, and never more than it; 53 to 75% in the United Kingdom. See eurostat for the numbers "
                   "that both hold."),
    Source("eurostat_albania", "Emigration of reporters' residents; moves and permits of Albanians", "Eurostat",
           ("eurostat_albania",), ("flow", "margin", "pair_year"), "eurostat_albania:read_eurostat_albania", by_name,
           _REUSE,
           "Emigrants during the calendar year: citizens of Albania (put as moves to Albania, where the citizenship "
           "stands for the next residence), and margins: all emigrants, own citizens, stateless, citizenship unknown. "
           "First residence permits granted to citizens of Albania in the year.",
           "persons", "migr_emi1ctz 2015–2024; migr_resfirst 2008–2024", 2008, 2024,
           "Emigration: 35 reporters, Moldova, Ukraine and North Macedonia among them. Permits: 17 receivers. Permits "
           "of all third countries together name no origin and are counted only.",
           "Eurostat, migr_emi1ctz and migr_resfirst. Copies of GitHub "
           "mateossharka9-droid/albania-brain-drain-analysis.",
           duration=f"{_DURATION}; permits of three months or more", side="emigration: the sending country; permits: "
           "the receiving country",
           use="The margins are the newest total emigration of Europe. A first permit follows arrival by months or "
               "years, and a change of title can count again.",
           checked="Totals of the 27 members of the EU add up to Eurostat's own sum from 2020 to 2024 (3,166,449 in "
                   "2024) and are .3 to .6% above it from 2015 to 2019, when members were revised and the sum was "
                   "not."),
    Source("eurostat_asytpsm", "Temporary protection of Ukrainians", "Eurostat", ("eurostat_asytpsm",), ("pair_year",),
           "eurostat_asytpsm:read_eurostat_asytpsm", in_order("temporary_protection_beneficiaries_monthly.csv"), _REUSE,
           "Citizens of Ukraine under temporary protection on 31 December; the file's other months are not read.",
           "persons", "migr_asytpsm, March 2022–March 2025", 2022, 2024, "31 receivers in the EU and EFTA.",
           f"Eurostat, migr_asytpsm. {_COPY}", duration="none: holders of the status on the day",
           side="the receiving country",
           use="A stock: its growth over 2022 is arrivals less departures that a register noticed. Falls are registers "
               "cleaned, other permits and returns alike (Bulgaria 2024, Czechia 2023).",
           checked="31 December 2022: Poland 956,760 and Germany 936,375, as published."),
    Source("eurostat_resvalid", "Valid residence permits", "Eurostat", ("eurostat_resvalid",), ("pair_year",),
           "eurostat_resvalid:read_eurostat_resvalid", in_order("migrants_all_valid_permits.csv"), _REUSE,
           "Residence permits of citizens of third countries valid on 31 December.", "persons",
           "migr_resvalid (tps00171), 2008–2023", 2008, 2023,
           "32 receivers, among them FR PL PT GR CY MT, whose immigration by citizenship is not published in full; the "
           "United Kingdom 2012–2018, Denmark since 2021.",
           f"Eurostat, migr_resvalid. {_COPY}", cost=2, duration="permits of three months or more",
           side="the receiving country",
           use="A stock of documents: its growth bounds net immigration of a citizenship from below where people "
               "naturalise, and jumps when a law or register changes (Denmark 2022, British citizens 2020–2021).",
           checked="Citizenships, stateless and unknown add up to the published total within .4% in all 475 years of "
                   "receivers."),
)
