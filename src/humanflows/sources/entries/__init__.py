"""What the catalogue says of each source, by topic; the order is that of the book."""
from . import covariates, displacement, eurostat, flows, national_offices, permits, population, reconstructions

ENTRIES = (*population.ENTRIES, *flows.ENTRIES, *eurostat.ENTRIES, *national_offices.ENTRIES, *permits.ENTRIES,
           *displacement.ENTRIES, *reconstructions.ENTRIES, *covariates.ENTRIES)
