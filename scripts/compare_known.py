"""Hold the released estimates against the published figures of data/known_flows.csv: data/release/known_flows.csv.

Usage: python scripts/compare_known.py [FOLDER], after humanflows harmonise --profile world

Without FOLDER the table is written into data/release, whose manifest then lists it; with one, into that folder. Gaskin
& Abel's published flows are compared where their files can be had; the log says so where not.
"""
import sys
from pathlib import Path

from humanflows.config import load_config
from humanflows.releasing import write_known_flows
from humanflows.results.known_flows import summarise_known


def main(folder: Path | None = None) -> None:
    """Write the table, and print how many figures are met."""
    table = write_known_flows(load_config("world"), folder)
    print(summarise_known(table).round(2).to_string(index=False))


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit(__doc__)
    main(*map(Path, sys.argv[1:]))
