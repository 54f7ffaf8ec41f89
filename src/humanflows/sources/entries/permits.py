"""Entries of the catalogue: visas and permits, which bound or follow moves and are none."""
from ..source import Source, in_order

ENTRIES = (
    Source("us_niv", "Nonimmigrant visas issued, United States", "US Department of State", ("us_niv",), ("pair_year",),
           "us_niv:read_us_niv", in_order("FYs97-24_NIVDetailTable.xlsx"), "US government work, public domain",
           "Visas of classes for a long stay (to work, to study, for exchange, to join a family) issued abroad during "
           "the fiscal year, October to September, which is named after the year in which it ends; by nationality.",
           "visas", "Fiscal years 1997–2024", 1997, 2024,
           "World. Seasonal work, visits, transit, crews, officials, media and border crossing cards are left out. "
           "Immigrant visas are another table; Canadians need no visa for most classes.",
           "US Department of State, Bureau of Consular Affairs. Nonimmigrant Visa Issuances by Visa Class and by "
           "Nationality, FY1997–2024 NIV Detail Table.",
           duration="none: the class allows months to years", side="the receiving country, United States",
           use="Follows arrivals of students and workers. Seasonal work (H-2A, H-2B) is left out; summer exchange "
               "(J-1) is in it and is no move of residence; renewals abroad count again; visas may expire unused.",
           checked="In all 28 years the nationalities sum to the published grand total in every class. Indians' F-1 "
                   "visas of 2023: 130,730.", cost=4),
    Source("ircc_tr", "Temporary residents, Canada: study and work permits",
           "Immigration, Refugees and Citizenship Canada", ("ircc_tr",), ("pair_year",), "ircc_tr:read_ircc_tr",
           in_order("ODP-TR-Study-IS_CITZ.csv", "ODP-TR-Work-IMP-CITZ.csv", "ODP-TR-Work-TFWP-CITZ.csv"),
           "Open Government Licence - Canada",
           "Permits to study, and to work under the International Mobility or the Temporary Foreign Worker Program, "
           "that became effective during the year, by citizenship.",
           "permits, rounded to 5 a month; one to five a month counts as 3", "Months 2015-01 to 2024-06", 2015, 2023,
           "World; whole years only. A citizenship without a permit in a year has no row.",
           "Immigration, Refugees and Citizenship Canada, Open Government: Temporary Residents, monthly updates.",
           duration="none: permits run for months to years", side="the receiving country, Canada",
           use="An upper bound of arrivals: extensions inside Canada are among them, and one person may hold both "
               "kinds. Permanent residents who land as such are in neither.",
           checked="Nothing: the files hold no total.", cost=2),
)
