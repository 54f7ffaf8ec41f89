"""What the catalogue says of each source, by topic; the order is that of the book."""
from . import covariates, displacement, eurostat, flows, population, reconstructions

ENTRIES = (*population.ENTRIES, *flows.ENTRIES, *eurostat.ENTRIES, *displacement.ENTRIES, *reconstructions.ENTRIES,
           *covariates.ENTRIES)
