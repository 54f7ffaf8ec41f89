"""Entries of the catalogue: flows as single national offices publish them."""
from ... import paths
from ..source import Files, Source, all_files, in_order


def _national_insurance(files: Files) -> tuple:
    """A table of the project: no address has it."""
    return (paths.DATA / "uk_national_insurance.csv",)


ENTRIES = (
    Source("scb_sweden", "Migration by country of birth, Sweden", "Statistics Sweden", ("scb_sweden",),
           ("flow", "margin"), "scb_sweden:read_scb_sweden", in_order("sweden_immigration.csv"),
           "SCB CC0 / free with attribution; repository carries no licence",
           "Immigrants entered in and emigrants taken off the population register during the year, by country of "
           "birth, both sexes. A birthplace is not a previous or next residence.", "persons", "2000–2024", 2000, 2024,
           "One reporter, about 200 countries of birth. Emigration of 2024 is left out: people were taken off the "
           "register years after they had left. Former states of birth, Kosovo and unknown are left out or margins.",
           "Statistics Sweden, Statistical Database, immigrations and emigrations by country of birth and sex.",
           duration="12 months, intended", side="the receiving and the sending country, Sweden",
           use="Complete for immigrants who stay. Emigrants who do not tell the register are missed until it is "
               "checked: emigration is low in most years and high in 2023. Those born in Sweden are the margin of own.",
           checked="In every year and direction the birthplaces sum to the published total, unknown included (49 sums "
                   "read). Total immigration is 163,005 in 2016; born in Syria, 51,540.", cost=3),
    Source("statsnz", "Permanent and long-term migration, New Zealand", "Stats NZ", ("statsnz",), ("flow", "margin"),
           "statsnz:read_statsnz", all_files, "CC BY 4.0",
           "Arrivals and departures of people who declare to stay, or to stay away, for a year or more, by country of "
           "last or next permanent residence.", "persons", "Infoshare ITM331901, 2016-08-16", 1979, 2015,
           "One reporter, New Zealand; whole years only.", "Stats NZ (2016). Infoshare, table ITM331901.",
           duration="12 months, intended", side="the receiving and the sending country, New Zealand",
           use="By residence, what the newer series by citizenship does not give; an intention is often not kept.",
           checked="Territories make up more than 97% of the published 82,469 arrivals of 2010; the rest is not stated "
                   "or New Zealand. UN DESA's sheet by residence holds the same numbers.", cost=4),
    Source("statsnz_citizenship", "Migration by citizenship, New Zealand", "Stats NZ", ("statsnz_2001_2026",),
           ("flow", "margin"), "statsnz_citizenship:read_statsnz_citizenship",
           in_order("df_citizenship_direction_20260728.csv"), "CC BY 4.0 (Stats NZ)",
           "Arrivals of people who then stayed, and departures of people who then stayed away, twelve of the sixteen "
           "months that followed, by citizenship. A citizenship is not a previous or next residence.", "persons",
           "Download of 2026-07-28, months to May 2026", 2001, 2024,
           "One reporter, 31 foreign citizenships; the others are given as regions and left out. Only years without "
           "provisional months: the last sixteen are revised. Another series than the older cards (statsnz).",
           "Stats NZ, International migration: estimated migrant arrivals and departures by citizenship.",
           duration="12 of 16 months, actual", side="the receiving and the sending country, New Zealand",
           use="What people did, not what they meant to do. It does not say where anybody came from or went; New "
               "Zealanders, the margin of own, are more than half of those who left in the last years.",
           checked="In every year and direction the 31 foreign citizenships and New Zealanders are less than the "
                   "published total. Indians 2023: 47,114 arrivals, of 228,001 in all.", cost=2),
    Source("uk_nino", "National Insurance registrations, United Kingdom", "Department for Work and Pensions", (),
           ("flow", "margin"), "uk_nino:read_uk_nino", _national_insurance, "OGL v3.0 (DWP Stat-Xplore); facts",
           "Adults from overseas who registered for their first National Insurance number during the year, by "
           "nationality. A nationality is not a previous residence, and a registration follows the arrival by weeks to "
           "years.", "persons", "Calendar years to 2025, transcribed by the project", 2002, 2025,
           "One reporter; the fifteen largest nationalities of each year, and the total. A nationality that is absent "
           "is unknown, not zero.",
           "Department for Work and Pensions, Stat-Xplore: National Insurance numbers allocated to adult overseas "
           "nationals.", data_files=("uk_national_insurance.csv",),
           duration="none", side="the receiving country, United Kingdom",
           use="Adults who work or claim benefits, short stays among them; children and students without work are not. "
               "Where both are counted, near immigration for workers and less for students. Nobody registers twice.",
           checked="Every row agrees with the share of the total that the publication prints beside it (360 rows, to "
                   "0.1 percent). Indians 2022: 257,211."),
    Source("ons_uk", "Long-term immigration by nationality, United Kingdom", "Office for National Statistics",
           ("ons_uk",), ("flow",), "ons_uk:read_ons_uk", in_order("immigration-by-country.csv"),
           "OGL v3.0; repository carries no licence",
           "Immigrants of the year ending in December who stay or mean to stay for twelve months or more, by "
           "nationality. A nationality is not a previous residence.", "persons, rounded to 1,000", "Release of 2025",
           2021, 2024, "One reporter, ten nationalities, no total.",
           "Office for National Statistics (2025). Long-term international migration, provisional.",
           duration="12 months, intended or actual", side="the receiving country, United Kingdom",
           use="The office's best estimate of moves, provisional and revised with each release. Of a number under "
               "10,000 the rounding alone is a twentieth or more.",
           checked="Every number agrees with the sum of its three reasons within rounding. Nigerians 2023: 165,000; "
                   "Indians 2023: 277,000."),
    Source("cso_ireland", "Population and migration estimates, Ireland", "Central Statistics Office", ("cso_ireland",),
           ("flow", "margin"), "cso_ireland:read_cso_ireland", in_order("CSO_PEA18_Migration_Sex_Country.csv"),
           "CC BY 4.0 (CSO); repository carries no licence",
           "Immigrants and emigrants of the twelve months to April, by country of previous or next residence, both "
           "sexes. The months to April of a year are read as the calendar year before, which holds eight of them.",
           "persons, rounded to 100", "PEA18, years to April 1987–2023", 1986, 2022,
           "One reporter; the United Kingdom and the United States apart, Canada and Australia too from the year to "
           "April 2008; the groups of European states and the other countries are the margin of others.",
           "Central Statistics Office, PEA18 Estimated Migration (Persons in April).",
           duration="12 months, intended", side="the receiving and the sending country, Ireland",
           use="Levels of four corridors in both directions. To 2005 UN DESA's sheet by residence has the same numbers "
               "of the United Kingdom and the United States, one year later.",
           checked="In every year and direction the four countries and the others sum to the published total within "
                   "200 persons of rounding."),
    Source("dst_denmark", "Migration by citizenship, Denmark, ten years", "Statistics Denmark", ("dst_denmark",),
           ("period_flow",), "dst_denmark:read_dst_denmark", in_order("immigration.csv", "emigration.csv"),
           "CC BY 4.0 (DST); repository carries no licence",
           "Foreigners entered in and taken off the population register from 2014 to 2023, one sum, by citizenship. A "
           "citizenship is not a previous or next residence.", "persons in ten years", "VAN1AAR and VAN2AAR, 2014–2023",
           2014, 2023, "One reporter, about 190 citizenships; Danish citizens are not among them. The stateless, with "
           "most Palestinians, are left out.",
           "Statistics Denmark, StatBank tables VAN1AAR and VAN2AAR.",
           duration="3 months (Nordic and EU citizens 6 months), intended",
           side="the receiving and the sending country, Denmark",
           use="A level of ten years, not a year: it tells how much, not when.",
           checked="Nothing: the files hold no total."),
)
