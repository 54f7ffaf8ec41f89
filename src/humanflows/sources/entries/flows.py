"""Entries of the catalogue: collections of reported flows, and Meta's estimates."""
from ..source import Source, all_files, in_order

_UN = "United Nations, Department of Economic and Social Affairs, Population Division"

ENTRIES = (
    Source("undesa_imfsc", "International Migration Flows to and from Selected Countries",
           "UN DESA, Population Division", ("undesa_imfsc_2015",), ("flow", "margin"), "undesa_imfsc:read_undesa_imfsc",
           all_files, "(c) United Nations",
           "Immigrants and emigrants during the year as each office counts them, by previous or next residence, by "
           "citizenship, or by place of birth; both sexes.", "persons", "2015 revision", 1980, 2013,
           "45 reporting countries; Canada by citizenship only, the USA immigrants by place of birth only.",
           f"{_UN} (2015). International Migration Flows to and from Selected Countries: The 2015 Revision.",
           duration="that of each office: none to 12 months, intended or actual",
           side="the receiving and the sending country",
           use="The longest series of both sides. Offices count differently, and partners that are not told apart are "
               "in the margin of unknown: where no partner is named it is the total. China with Hong Kong as one "
               "is left out.",
           checked="All persons of the 45 workbooks are in a table or counted as left out. Sweden's immigrants by "
                   "residence 2013: partners, unknown and China with Hong Kong make up the published 115,845.",
           cost=16),
    Source("oecd", "International Migration Database", "OECD", ("oecd_mig",), ("flow", "margin"), "oecd:read_oecd",
           in_order("Backup.RData"), "OECD terms and conditions",
           "Inflows and outflows of foreign population by citizenship, both sexes. Citizenship is not previous "
           "residence.",
           "persons", "download of 2018-09-16", 2000, 2016, "OECD members as reporters.",
           "OECD (2018). International Migration Database.",
           duration="that of each office: permits, registers or surveys, 3 to 12 months",
           side="the receiving country; outflows of foreigners, the sending country",
           use="Foreigners only. Much of it is UN DESA's by citizenship again.",
           checked="Germany's nationalities of 2015 make up more than nine tenths of the published inflow, "
                   "2,016,241.",
           cost=18),
    Source("meta", "International migration flows from Facebook users", "Meta; Chi et al.", ("meta",), ("flow",),
           "meta:read_meta", all_files, "CC BY 4.0",
           "People who changed their predicted country of residence for a year or more, weighted to the population.",
           "persons", "2019–2022", 2019, 2022,
           "181 countries; pairs under 50 people are left out, so an absent pair is a small number.",
           "Chi, Abel, Johnston, Giraudy & Bailey (2025). Measuring global migration flows using online data. "
           "PNAS 122.",
           duration="12 months, predicted from where an account is used", side="neither: the platform",
           use="Every corridor in one definition; who uses Facebook differs between countries and over time.",
           checked="The corridors of 2022 sum to 38.5 million.", censored_below=50.0),
)
