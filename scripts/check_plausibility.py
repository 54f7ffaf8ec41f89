"""Print what of the present release is implausible, check by check.

Usage: python scripts/check_plausibility.py [VIOLATIONS.csv]

Reads data/release and data/panel alone; no source file is needed. With a path, every violation is written there.
"""
import sys
from pathlib import Path

import pandas as pd

from humanflows import paths
from humanflows.artifacts import write_text
from humanflows.panel.reported_totals import read_totals
from humanflows.results.plausibility import check_all, describe_plausibility
from humanflows.results.release import open_release


def main(arguments: list[str]) -> None:
    """Print the summary; write the violations where a path is given."""
    if len(arguments) > 1:
        sys.exit(__doc__)
    checked = check_all(open_release(), read_totals(paths.PANEL))
    for row in describe_plausibility(checked).itertuples():
        print(f"{row.check}: {row.violations:,} of {row.judged:,} ({row.share:.1%}) beyond {row.threshold}")
        if row.worst:
            print(f"    worst: {row.worst}")
    if arguments:
        found = pd.concat([table.assign(check_name=which) for which, (_, table) in checked.items()])
        print(write_text(Path(arguments[0]), found.to_csv(index=False, float_format="%.6g", lineterminator="\n")))


if __name__ == "__main__":
    main(sys.argv[1:])
