"""Entries of the catalogue: collections of reported flows, and Meta's estimates."""
from ..source import Source, all_files, in_order

_UN = "United Nations, Department of Economic and Social Affairs, Population Division"

ENTRIES = (
    Source("undesa_imfsc", "International Migration Flows to and from Selected Countries",
           "UN DESA, Population Division", ("undesa_imfsc_2015",), ("flow",), "undesa_imfsc:read_undesa_imfsc",
           all_files, "(c) United Nations",
           "Immigrants and emigrants during the year as each office counts them, by previous or next residence, by "
           "citizenship, or by place of birth; both sexes.", "persons", "2015 revision", 1980, 2013,
           "45 reporting countries; Canada by citizenship only, the USA immigrants by place of birth only.",
           f"{_UN} (2015). International Migration Flows to and from Selected Countries: The 2015 Revision.", cost=16),
    Source("statsnz", "Permanent and long-term migration, New Zealand", "Stats NZ", ("statsnz",), ("flow",),
           "statsnz:read_statsnz", all_files, "CC BY 4.0",
           "Arrivals and departures of people who declare to stay, or to stay away, for a year or more, by country of "
           "last or next permanent residence.", "persons", "Infoshare ITM331901, 2016-08-16", 1979, 2015,
           "One reporter, New Zealand; whole years only.", "Stats NZ (2016). Infoshare, table ITM331901.", cost=4),
    Source("oecd", "International Migration Database", "OECD", ("oecd_mig",), ("flow",), "oecd:read_oecd",
           in_order("Backup.RData"), "OECD terms and conditions",
           "Inflows and outflows of foreign population by citizenship, both sexes. Citizenship is not previous "
           "residence.",
           "persons", "download of 2018-09-16", 2000, 2016, "OECD members as reporters.",
           "OECD (2018). International Migration Database.", cost=18),
    Source("meta", "International migration flows from Facebook users", "Meta; Chi et al.", ("meta",), ("flow",),
           "meta:read_meta", all_files, "CC BY 4.0",
           "People who changed their predicted country of residence for a year or more, weighted to the population.",
           "persons", "2019–2022", 2019, 2022,
           "181 countries; pairs under 50 people are left out, so an absent pair is a small number.",
           "Chi, Abel, Johnston, Giraudy & Bailey (2025). Measuring global migration flows using online data. "
           "PNAS 122.",
           censored_below=50.0),
)
