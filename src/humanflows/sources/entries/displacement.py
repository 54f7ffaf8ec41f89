"""Entries of the catalogue: displaced people, asylum, resettlement, returns, encounters at borders."""
from ..source import Source, in_order

ENTRIES = (
    Source("unhcr", "Refugee Data Finder", "UNHCR", ("unhcr/population.rda", "unhcr/flows.rda"), ("pair_year",),
           "unhcr:read_unhcr", in_order("population.rda", "flows.rda"), "CC BY 4.0",
           "Refugees (and people in a refugee-like situation), asylum seekers and other people in need of "
           "international protection, by territory of origin and of asylum: on 31 December, and new in the year.",
           "persons", "December 2025 (refugees v2025.12.1)", 1989, 2024,
           "World; asylum seekers since 1993, other people in need of protection since 2018. Unknown origins and the "
           "stateless are left out; Palestine refugees under UNRWA's mandate are not in it.",
           "UNHCR (2025). Refugee Data Finder. R package refugees, version 2025.12.1.", cost=9),
)
