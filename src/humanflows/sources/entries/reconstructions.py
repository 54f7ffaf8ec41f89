"""Entries of the catalogue: five-year flows that others reconstructed."""
from ..source import Files, Source


def _abel_cohen(files: Files) -> tuple:
    return ([v for k, v in sorted(files.items()) if k.endswith(".json")],
            next(v for k, v in files.items() if k.endswith(".csv")))


ENTRIES = (
    Source("abel_cohen", "Bilateral international migration flow estimates, six methods", "Abel & Cohen",
           ("abel_cohen",), ("reconstruction",), "abel_cohen:read_abel_cohen", _abel_cohen, "CC BY 4.0",
           "Five-year flows estimated from the differences of UN DESA stocks, mid-year to mid-year, by six methods.",
           "persons", "2023-04-28; version 6", 1990, 2015, "About 200 territories.",
           "Abel & Cohen (2019). Bilateral international migration flow estimates for 200 countries. Scientific Data "
           "6, 82; updated 2023.", cost=5),
)
